# SPDX-License-Identifier: GPL-3.0-or-later
# Copies a document with the output of its commands printed anew (make docs-numbers): what stands between
# "<!-- begin run COMMAND -->" and "<!-- end run -->" becomes a box with the command and what it prints.
# Commands run in the root of the sources; `castle` is the program that stands for build/castle.
#     awk -v castle=build/castle -f docs/runs.awk docs/read-a-report.md

function refuse(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
    failed = 1
    exit 1
}

/^<!-- begin run .* -->$/ {
    if (inside)
        refuse("the box before has no end")
    print
    command = $0
    gsub(/^<!-- begin run | -->$/, "", command)
    print "```text\n$ " command
    sub(/^build\/castle/, castle, command)
    printed = 0
    while ((command | getline line) > 0) {
        print line
        printed = 1
    }
    close(command)
    if (!printed)
        refuse("the command prints nothing: " command)
    print "```"
    inside = 1
    next
}

/^<!-- end run -->$/ {
    inside = 0
}

!inside

END {
    if (!failed && inside)
        refuse("a box has no end")
}
