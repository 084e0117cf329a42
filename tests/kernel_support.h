/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kernel_support.h - shared libraries compiled for a test. Include it behind cmocka.h. */
#ifndef KERNEL_SUPPORT_H
#define KERNEL_SUPPORT_H

#include <stdbool.h>

/* Whether $CC (or cc) makes a shared library of it; it says why not. `option`: one more word. */
bool library_compiled(const char *library, const char *source, const char *option);

#endif
