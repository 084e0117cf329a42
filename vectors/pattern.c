/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pattern.h"

#include "bug.h"
#include "verdict.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *axis_name(Axis axis)
{
    static const char *const names[AXES] = {"batch", "head", "row", "column"};
    return names[axis];
}

/* ---- lines of places -------------------------------------------------------------------------- */

/* Places, those with anything judged and those with anything bad. */
typedef struct Places {
    size_t length;
    bool *judged, *bad;
} Places;

static Places places_for(size_t length)
{
    return (Places){length, room_for(__func__, length, sizeof(bool)),
                    room_for(__func__, length, sizeof(bool))};
}

static void places_free(Places *p)
{
    free(p->judged);
    free(p->bad);
}

static void note(Places *p, size_t at, bool bad)
{
    p->judged[at] = true;
    p->bad[at] = p->bad[at] || bad;
}

static AxisPattern along(const Places *p)
{
    AxisPattern a = {.places = 0};
    for (size_t k = 0; k < p->length; k++) {
        a.places += p->judged[k];
        a.bad += p->bad[k];
        if (!p->bad[k])
            continue;
        if (k == 0 || !p->bad[k - 1]) {
            if (a.spans < MOST_SPANS)
                a.span[a.spans].first = k;
            a.spans++;
        }
        if (a.spans <= MOST_SPANS)
            a.span[a.spans - 1].end = k + 1;
    }
    return a;
}

/* ---- blocks ----------------------------------------------------------------------------------- */

static const size_t blocks[] = {2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

/* P(at least k of `drawn` places, out of n, lie among `edges` of them). */
static double chance_of(size_t k, size_t edges, size_t n, size_t drawn)
{
    if (k == 0)
        return 1;
    return gsl_cdf_hypergeometric_Q((unsigned)k - 1, (unsigned)edges, (unsigned)(n - edges),
                                    (unsigned)drawn);
}

static BlockPattern counted(const bool *chosen, size_t first, size_t end, size_t block, size_t rest)
{
    BlockPattern b = {.block = block};
    for (size_t k = first; k < end; k++) {
        bool at_edge = k % block == rest;
        b.edges += at_edge;
        b.others += !at_edge;
        b.there += at_edge && chosen[k];
        b.elsewhere += !at_edge && chosen[k];
    }
    b.chance = chance_of(b.there, b.edges, b.edges + b.others, b.there + b.elsewhere);
    return b;
}

/* The least chance so far, and how many candidates there were. */
typedef struct Search {
    BlockPattern best;
    size_t candidates;
} Search;

static void consider(Search *s, BlockPattern b, Line line, Edge edge)
{
    s->candidates++;
    if (b.chance >= s->best.chance)
        return;
    b.line = line;
    b.edge = edge;
    s->best = b;
}

/* Places first .. end - 1 of a line. */
static void search_line(Search *s, const Places *p, size_t first, size_t end, Line line)
{
    Places good = places_for(p->length), turns = places_for(p->length);
    for (size_t k = first; k < end; k++) {
        good.bad[k] = !p->bad[k];
        turns.bad[k] = k > first && p->bad[k] != p->bad[k - 1];
    }
    for (size_t k = 0; k < BLOCKS && 2 * blocks[k] <= end - first; k++) {
        size_t B = blocks[k];
        consider(s, counted(p->bad, first, end, B, 0), line, EDGE_FIRST);
        consider(s, counted(good.bad, first, end, B, 0), line, EDGE_FIRST_GOOD);
        if (line == LINE_DIAGONAL)
            continue;
        consider(s, counted(p->bad, first, end, B, B - 1), line, EDGE_LAST);
        consider(s, counted(good.bad, first, end, B, B - 1), line, EDGE_LAST_GOOD);
        consider(s, counted(turns.bad, first + 1, end, B, 0), line, EDGE_BOUNDARY);
    }
    places_free(&good);
    places_free(&turns);
}

/* Without the places at either end of which nothing is judged. */
static void search_judged(Search *s, const Places *p, Line line)
{
    size_t first = 0, end = p->length;
    while (first < end && !p->judged[first])
        first++;
    while (end > first && !p->judged[end - 1])
        end--;
    if (end - first >= 2 * blocks[0])
        search_line(s, p, first, end, line);
}

/* ---- all of it -------------------------------------------------------------------------------- */

/* The gates' mask is s < j, that of the other stages j <= t: beside the diagonal, within the mask. */
static bool is_beside_diagonal(Answer a, Place at)
{
    bool above = a == ANSWER_G || a == ANSWER_DG;
    return answer_is_stage(a) && (above ? at.column == at.row + 1 : at.row == at.column + 1);
}

static size_t later(Place at) { return at.row > at.column ? at.row : at.column; }

Pattern pattern_of(const Sizes *size, Answer a, const double *z, size_t n, double threshold)
{
    Pattern p = {.threshold = threshold};
    Slab slab = slab_of(size, a, 0);
    const size_t lengths[AXES] = {size->batch, size->heads, slab.rows, slab.cols};
    Places axis[AXES], diagonal = places_for(slab.rows > slab.cols ? slab.rows : slab.cols);
    for (Axis k = 0; k < AXES; k++)
        axis[k] = places_for(lengths[k]);
    for (size_t k = 0; k < n; k++) {
        if (isnan(z[k]))
            continue;
        Place at = place_of(size, a, k);
        const size_t index[AXES] = {at.batch, at.head, at.row, at.column};
        bool bad = z[k] >= threshold;
        p.judged++;
        p.bad += bad;
        for (Axis x = 0; x < AXES; x++)
            note(&axis[x], index[x], bad);
        if (is_beside_diagonal(a, at))
            note(&diagonal, later(at), bad);
    }
    Search s = {.best.chance = 1};
    search_judged(&s, &axis[AXIS_ROW], LINE_ROWS);
    search_judged(&s, &axis[AXIS_COLUMN], LINE_COLUMNS);
    search_judged(&s, &diagonal, LINE_DIAGONAL);
    s.best.level = s.candidates ? CHANCE_SUSPECT / (double)s.candidates : 0;
    if (s.best.chance < s.best.level)
        p.block = s.best;
    for (Axis k = 0; k < AXES; k++) {
        p.axis[k] = along(&axis[k]);
        places_free(&axis[k]);
    }
    places_free(&diagonal);
    return p;
}

/* ---- in words --------------------------------------------------------------------------------- */

void axis_describe(const AxisPattern *a, char *text, size_t size)
{
    char whole[64 * (MOST_SPANS + 1)];
    size_t used = (size_t)snprintf(whole, sizeof whole, "%zu of %zu:", a->bad, a->places);
    if (a->bad == a->places)
        used = (size_t)snprintf(whole, sizeof whole, "all %zu", a->places);
    for (size_t k = 0; a->bad < a->places && k < a->spans && k < MOST_SPANS; k++) {
        Range r = a->span[k];
        used += (size_t)snprintf(whole + used, sizeof whole - used,
                                 r.end == r.first + 1 ? " %zu" : " %zu-%zu", r.first, r.end - 1);
    }
    if (a->bad < a->places && a->spans > MOST_SPANS)
        used += (size_t)snprintf(whole + used, sizeof whole - used, " ...");
    if (used < size)
        memcpy(text, whole, used + 1);
    else
        snprintf(text, size, "%.*s...", (int)size - 4, whole);
}

void block_describe(const BlockPattern *b, char *text, size_t size)
{
    const char *line = b->line == LINE_ROWS ? "rows" : "columns";
    const char *first = b->edge == EDGE_FIRST || b->edge == EDGE_FIRST_GOOD ? "first" : "last";
    const char *wrong = b->edge == EDGE_FIRST || b->edge == EDGE_LAST ? "wrong" : "right";
    if (b->edge == EDGE_BOUNDARY)
        snprintf(text, size,
                 "%s turn wrong or right again at multiples of %zu: %zu times, else %zu times",
                 line, b->block, b->there, b->elsewhere);
    else if (b->line == LINE_DIAGONAL)
        snprintf(text, size,
                 "next to the diagonal, between its blocks of %zu, %zu of %zu are %s; within them "
                 "%zu of %zu",
                 b->block, b->there, b->edges, wrong, b->elsewhere, b->others);
    else
        snprintf(text, size,
                 "of the %s %s of blocks of %zu %zu of %zu are %s; of the others %zu of %zu", first,
                 line, b->block, b->there, b->edges, wrong, b->elsewhere, b->others);
}
