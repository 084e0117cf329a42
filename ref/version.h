/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CASTLE_VERSION_H
#define CASTLE_VERSION_H
#define CASTLE_VERSION "0.1.0"
#endif
