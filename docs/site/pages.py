#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays out what Sphinx reads: pages.py OUT, in the root of the sources.

Documents are linked into the folder in which they lie in the sources, so that their links hold. The man
pages, as HTML by mandoc, and a page for each header are written beside them.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

import headers

DOCUMENTS = ["docs", "proofs", "vectors", "ref", "LICENSE", "LICENSE.0BSD", "LICENSE.CC0-1.0"]
FOR_OTHERS = ["vectors/castle.h", "vectors/castle_kernel.h"]
FOLDERS = {
    "ref": "The algorithms, and the interface they are written in",
    "ref/systems": "The number systems",
    "vectors": "Files, oracle, verdicts, golden cases, kernels",
    "proofs": "What supports the claims",
}


def link(target, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def man_page(path):
    """A page's HTML without a document's frame; what it refers to are pages like it, or Debian's."""
    options = "fragment,man=%N.%S.html;https://manpages.debian.org/%N.%S"
    html = subprocess.run(["mandoc", "-T", "html", "-O", options, path], check=True,
                          capture_output=True, text=True, cwd="docs").stdout
    return f"# {path.stem}({path.suffix[1:]})\n\n```{{raw}} html\n{html}```\n"


def interfaces(names):
    """The page that leads to all headers."""
    page = ("# C interfaces\n\nEvery header, in its own order: comments and declarations. Names in code lead"
            " to their declarations; the {ref}`genindex` has all of them.\n")
    groups = {"For other programs": FOR_OTHERS}
    for folder, title in FOLDERS.items():
        groups[title] = [h for h in names if os.path.dirname(h) == folder and h not in FOR_OTHERS]
    for title, members in groups.items():
        page += f"\n## {title}\n\n| header | what it is |\n|---|---|\n"
        for h in members:
            page += f"| [{h}]({h}.md) | {headers.escaped(headers.summary(h))} |\n"
    return page + "\n```{toctree}\n:hidden:\n" + "\n".join(names) + "\n```\n"


def main(out):
    link("README.md", out / "index.md")
    for name in DOCUMENTS:
        link(name, out / name)
    for page in pathlib.Path("docs").glob("*.[1-9]"):
        write(out / "man" / f"{page.name}.md", man_page(pathlib.Path(page.name)))
    names = headers.names_of([str(h) for folder in FOLDERS
                              for h in sorted(pathlib.Path(folder).glob("*.h"))])
    for h, declared in names.items():
        write(out / "api" / f"{h}.md", headers.header_page(h, declared))
    write(out / "api" / "index.md", interfaces(names))
    places = {name: f"api/{h}.html#c.{name}" for h, declared in names.items() for name in declared}
    write(out / "names.json", json.dumps(places))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
