# SPDX-License-Identifier: GPL-3.0-or-later
# What Audit.v prints, one line per theorem: its name and the axioms that it rests on.
function tell(   i) {
    for (i = 1; i <= n; i++)
        print name[i] ":" axioms
    n = told = 0
    axioms = ""
}
/^theorem / { if (told) tell(); name[++n] = $2; next }
{ told = 1 }
/^Closed under the global context/ { axioms = " none"; next }
/^Axioms:/ { next }
/^[^ ]/ { sub(/.*\./, "", $1); axioms = axioms " " $1 }
END { tell() }
