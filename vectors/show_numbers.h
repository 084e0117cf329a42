/* SPDX-License-Identifier: GPL-3.0-or-later */
/* show_numbers.h - tensors of a golden file as lines of at most 100 columns; a part of castle show. */
#ifndef CASTLE_SHOW_NUMBERS_H
#define CASTLE_SHOW_NUMBERS_H

#include "safetensors.h"

/* All tensors, inputs first: decimals with as many digits as give the number back, and hexadecimal. An answer
 * X stands beside its X.lo and its row's X.sigma. Of a tensor of more than SHOWN_WHOLE numbers only the first
 * rows come, some SHOWN_PART numbers. */
enum { SHOWN_WHOLE = 64, SHOWN_PART = 16 };
void show_numbers(const SafetensorsFile *);

/* One tensor likewise. */
void show_tensor(const Tensor *);

#endif
