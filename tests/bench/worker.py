# SPDX-License-Identifier: GPL-3.0-or-later
"""The peers' end of the pipe (peer.c has the other): one JSON object a line, asked and answered.

    (at the start)                                              {"numpy": "1.24.2", ...}
    {"do": "load", "path": P, "length": L, "dim": d}            {}
    {"do": "time", "form": F}                                   {"seconds": 0.25}
    {"do": "answer", "form": F}                                 {"o": ["0x1.8p+0", ...]}

P holds the six inputs one after the other, L x d binary64 numbers each. The worker's only argument is
the number of threads. Times are taken as in measure.c: processor time for one thread, the wall clock
for more; short work is run once to warm up, then again and again for 40 ms. Ends with its input.
"""
import array
import json
import os
import sys
import time

A_WHILE = 40e-3


def threads():
    return int(sys.argv[1])


def blas():
    """The libraries in this process that look like a BLAS: folder and file name, which tells Debian's
    variants apart."""
    with open("/proc/self/maps") as maps:
        files = {os.path.realpath(line.split()[-1]) for line in maps if "/" in line}
    names = {"/".join(f.split("/")[-2:]) for f in files if "blas" in os.path.basename(f)
             or "mkl" in os.path.basename(f)}
    return ", ".join(sorted(names)) or "unknown"


def seconds_of(work):
    clock = time.process_time if threads() == 1 else time.perf_counter
    start = clock()
    work()
    end = clock()
    if end - start >= A_WHILE:
        return end - start
    runs, start = 0, clock()
    while True:
        work()
        runs += 1
        end = clock()
        if end - start >= A_WHILE:
            return (end - start) / runs


def serve(versions, load, forms):
    """load(inputs, L, d) takes six arrays of doubles; forms are functions without arguments, of which
    each returns o as an iterable of hexadecimal strings: forms[F]() does the work and returns a
    function that makes these."""
    def answer(reply):
        print(json.dumps(reply), flush=True)

    answer(versions)
    for line in sys.stdin:
        question = json.loads(line)
        if question["do"] == "load":
            L, d = question["length"], question["dim"]
            inputs = [array.array("d") for _ in range(6)]
            with open(question["path"], "rb") as file:
                for values in inputs:
                    values.fromfile(file, L * d)
            load(inputs, L, d)
            answer({})
        elif question["do"] == "time":
            answer({"seconds": seconds_of(forms[question["form"]])})
        else:
            answer({"o": list(forms[question["form"]]()())})
