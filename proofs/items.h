/* SPDX-License-Identifier: GPL-3.0-or-later */
/* items.h - what `castle verify` goes over: heads and layers, from files or drawn. */
#ifndef CASTLE_ITEMS_H
#define CASTLE_ITEMS_H

#include "failure.h"
#include "task.h"

typedef struct Item {
    char name[60];
    Problem problem;
    Task *task; /* owns the problem's numbers, and those of the items beside it */
} Item;

typedef struct Items {
    Item *item;
    size_t count, room;
} Items;

/* N(0, 1) inputs in float32, so that every system but the half-width ones holds them exactly; a layer's
 * weights so scaled that its heads' inputs are N(0, 1) again. `spread` multiplies the lookahead side of
 * heads: large gates and scores saturate. */
typedef struct Drawn {
    const char *name;
    Sizes size;
    size_t window;
    double spread;
    Variant variant;
} Drawn;
void add_drawn(Items *, const Drawn *, unsigned long seed);

/* Shapes that have broken kernels. */
void add_hard_set(Items *, unsigned long seed);

/* The problems of a dump; false: it cannot be used. */
bool add_dump(Items *, const char *path, Failure *);

void items_free(Items *);

#endif
