/* SPDX-License-Identifier: GPL-3.0-or-later */
/* version.h - the version of the program and of the library. */
#ifndef CASTLE_VERSION_H
#define CASTLE_VERSION_H
#define CASTLE_VERSION "0.1.0"
#endif
