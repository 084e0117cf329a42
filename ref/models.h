/* SPDX-License-Identifier: GPL-3.0-or-later */
/* models.h - how big a layer is, and the paper's models (section 2.5, Table 4). */
#ifndef CASTLE_MODELS_H
#define CASTLE_MODELS_H

#include <stddef.h>

/* Learnable parameters of a layer: 7 n d dm. Of one of standard attention, which has only WQ, WK,
 * WV and WO: 4 n d dm.
 * Proved        castle_parameter_count, castle_parameters_distinct, castle_reads_its_parameters,
 *               castle_needs_its_parameters, standard_parameter_count, standard_parameters_distinct,
 *               standard_reads_its_parameters (Parameters.v). */
size_t castle_parameters(size_t heads, size_t d, size_t dm);
size_t attention_parameters(size_t heads, size_t d, size_t dm);

/* The most heads with which a CASTLE layer is no bigger than a standard one of `heads` heads, at
 * equal d and dm: 4/7 of them, rounded down.
 * Proved        four_sevenths (Parameters.v). */
size_t castle_heads(size_t heads);

/* The paper's models (Table 4). */
typedef struct Model {
    const char *name;
    size_t dm, heads, d;
    size_t length, window; /* of the training sequences; of CASTLE-SWL */
} Model;

enum { MODELS = 4 };
extern const Model models[MODELS];

/* By dm/n/d, as "896/8/64"; or NULL. */
const Model *model_named(const char *name);

#endif
