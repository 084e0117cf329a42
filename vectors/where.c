/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "where.h"

#include "bug.h"
#include "json_values.h"

#include <stdlib.h>
#include <string.h>

Where *where_wrong(const Sizes *size, Answer a, const Verdict *v, const double *badness)
{
    Where *w = room_for(__func__, 1, sizeof *w);
    w->pattern = pattern_of(size, a, badness, v->elements, v->thresholds.suspect);
    w->map = heat_map(size, a, badness, v->worst, HEAT_MOST);
    return w;
}

void where_free(Where *w)
{
    if (w)
        heat_map_free(&w->map);
    free(w);
}

enum { WIDEST = 28 };

/* How wide an axis is in the table: 0 where no tensor has more than one place along it. */
static int width_of(const Where *const where[ANSWERS], Axis axis)
{
    static const int widths[AXES] = {14, 14, WIDEST, 16};
    for (Answer a = 0; a < ANSWERS; a++)
        if (where[a] && where[a]->pattern.axis[axis].places > 1)
            return widths[axis];
    return 0;
}

static void print_block(FILE *out, const BlockPattern *b, int indent)
{
    char text[160];
    block_describe(b, text, sizeof text);
    fprintf(out, "%*s        %s\n%*s        (by chance %.1e; named below %.1e)\n", indent, "", text,
            indent, "", b->chance, b->level);
}

void where_print(FILE *out, const Where *const where[ANSWERS], int indent)
{
    int width[AXES];
    fprintf(out, "%*s%-7s %-16s", indent, "", "errors", "elements");
    for (Axis axis = 0; axis < AXES; axis++) {
        width[axis] = width_of(where, axis);
        if (width[axis])
            fprintf(out, " %-*s", axis == AXIS_COLUMN ? 0 : width[axis], axis_name(axis));
    }
    fputc('\n', out);
    for (Answer a = 0; a < ANSWERS; a++) {
        char count[40], text[WIDEST + 1];
        if (!where[a])
            continue;
        const Pattern *p = &where[a]->pattern;
        snprintf(count, sizeof count, "%zu of %zu", p->bad, p->judged);
        fprintf(out, "%*s%-7s %-16s", indent, "", answer_name(a), count);
        int pad = 0;
        for (Axis axis = 0; axis < AXES; axis++)
            if (width[axis]) {
                axis_describe(&p->axis[axis], text, (size_t)width[axis] + 1);
                fprintf(out, " %*s%s", pad, "", text);
                pad = width[axis] - (int)strlen(text);
            }
        fputc('\n', out);
        if (p->block.block)
            print_block(out, &p->block, indent);
    }
}

/* ---- for programs ----------------------------------------------------------------------------- */

static json_t *axis_json(Axis axis, const AxisPattern *a)
{
    char text[160];
    axis_describe(a, text, sizeof text);
    return json_pack("{s:s, s:I, s:I, s:s}", "axis", axis_name(axis), "of", (json_int_t)a->places,
                     "bad", (json_int_t)a->bad, "which", text);
}

static json_t *block_json(const BlockPattern *b)
{
    static const char *const lines[LINES] = {"rows", "columns", "diagonal"};
    char text[160];
    block_describe(b, text, sizeof text);
    return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "size", (json_int_t)b->block,
                     "along", lines[b->line], "what", text, "there", (json_int_t)b->there, "edges",
                     (json_int_t)b->edges, "elsewhere", (json_int_t)b->elsewhere, "others",
                     (json_int_t)b->others, "chance", number_json(b->chance), "level",
                     number_json(b->level));
}

json_t *pattern_json(const Pattern *p)
{
    json_t *axes = json_array();
    for (Axis axis = 0; axis < AXES; axis++)
        if (p->axis[axis].places > 1)
            json_array_append_new(axes, axis_json(axis, &p->axis[axis]));
    json_t *o = json_pack("{s:I, s:I, s:o, s:o}", "judged", (json_int_t)p->judged, "bad",
                          (json_int_t)p->bad, "threshold", number_json(p->threshold), "axes", axes);
    if (p->block.block)
        json_object_set_new(o, "block", block_json(&p->block));
    return o;
}

json_t *heat_map_json(const HeatMap *m)
{
    json_t *cells = json_array();
    for (size_t k = 0; k < m->rows * m->cols; k++)
        json_array_append_new(cells, number_json(m->cell[k]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "batch", (json_int_t)m->batch, "head",
                     (json_int_t)m->head, "tensor_rows", (json_int_t)m->tensor_rows,
                     "tensor_columns", (json_int_t)m->tensor_cols, "rows", (json_int_t)m->rows,
                     "columns", (json_int_t)m->cols, "cells", cells);
}

static json_t *names_json(const Answer *answers, size_t count)
{
    json_t *names = json_array();
    for (size_t k = 0; k < count; k++)
        json_array_append_new(names, json_string(answer_name(answers[k])));
    return names;
}

json_t *first_wrong_json(const FirstWrong *f)
{
    return json_pack("{s:s, s:o, s:o, s:o}", "tensor", answer_name(f->answer), "right_before",
                     names_json(f->right, f->rights), "suspect_before",
                     names_json(f->suspect, f->suspects), "not_answered_before",
                     names_json(f->not_answered, f->missing));
}
