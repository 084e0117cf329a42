# SPDX-License-Identifier: GPL-3.0-or-later
# What Evaluate.v prints, [("name", [0x1; 0x2]); ...], one line per name: name 0x1 0x2
/^ *: / { next }
{
    gsub(/\("/, "\n")
    gsub(/", /, " ")
    gsub(/[][;()]/, "")
    gsub(/^[ =\n]+/, "")
    gsub(/ +\n/, "\n")
    gsub(/ +$/, "")
    if (length)
        print
}
