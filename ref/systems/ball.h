/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ball.h - for those who read balls as balls. Arb is a library of its own in FLINT 2, part of FLINT 3. */
#ifndef CASTLE_BALL_H
#define CASTLE_BALL_H

#include "systems.h"

#if __has_include(<flint/arb.h>)
#include <flint/arb.h>
#else
#include <arb.h>
#endif

/* Entry (i, j) of a matrix of the ball system; aborts for any other. */
arb_ptr ball_at(Matrix A, size_t i, size_t j);

#endif
