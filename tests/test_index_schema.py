#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds index files against the schema.

    test_index_schema.py SCHEMA.json INDEX.json ...

Exit status: 0 all are valid, 1 one is not (a sentence says where), 2 a file cannot be read or the
schema is no schema, 3 the Python package jsonschema is not installed.
"""
import json
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(3)


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        print(f"{path}: cannot be read as JSON: {error}")
        sys.exit(2)


def main():
    if len(sys.argv) < 3:
        print("test_index_schema.py: expected a schema and at least one index")
        sys.exit(2)
    schema = load(sys.argv[1])
    kind = jsonschema.validators.validator_for(schema, default=None)
    if kind is None:
        print(f"{sys.argv[1]}: names no dialect of JSON Schema that is known here")
        sys.exit(2)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        print(f"{sys.argv[1]}: is no JSON Schema: {error.message}")
        sys.exit(2)
    status = 0
    for path in sys.argv[2:]:
        for error in kind(schema).iter_errors(load(path)):
            place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.path)
            print(f"{path}: {place or 'the document'}: {error.message[:200]}")
            status = 1
    sys.exit(status)


main()
