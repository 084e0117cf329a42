/* SPDX-License-Identifier: GPL-3.0-or-later */
/* wide.h - WIDE before a function: compiled for several widths of vectors; the processor picks one. */
#ifndef CASTLE_WIDE_H
#define CASTLE_WIDE_H

#if defined __x86_64__ && defined __gnu_linux__ && !defined __clang__
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

#endif
