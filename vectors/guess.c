/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guess.h"

#include "bug.h"
#include "json_values.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* How a candidate fared. */
typedef struct Trying {
    bool done, explains;
    double likelihood; /* its logarithm, without constants; where it explains */
    bool past_bound;   /* else: what refused it first */
    size_t refused_by; /* evidence */
    Answer answer;
    double z, threshold;
} Trying;

static void refuse_by(Trying *t, size_t evidence, Answer a, const Score *s, double threshold)
{
    t->explains = false;
    t->refused_by = evidence;
    t->answer = a;
    t->z = s->z;
    t->threshold = threshold;
}

/* ---- one candidate ---------------------------------------------------------------------------- */

/* Whether every answer lies within the bounds of running error analysis: one run, before the 32 of sigma. */
static bool within_bounds(const Evidence *e, const Scales *s, Trying *t, size_t index)
{
    for (size_t set = 0; set < e->sets; set++)
        for (Answer a = 0; a < ANSWERS; a++) {
            const Truth *x = &e->oracle->truth[a];
            for (size_t k = 0; e->answered[set][a] && k < x->rows * x->cols; k++) {
                double answered = e->answered[set][a][k];
                Score score = score_element(x, k, 1, s->bound[a][k], answered);
                if (!score.judged || score.of_bound <= 1)
                    continue;
                score.z = INFINITY;
                t->past_bound = true;
                refuse_by(t, index, a, &score, INFINITY);
                return false;
            }
        }
    return true;
}

/* The largest z over the threshold decides what refuses. */
static void weigh(const Evidence *e, const Scales *s, Trying *t, size_t index)
{
    double most = 1;
    for (size_t set = 0; set < e->sets; set++)
        for (Answer a = 0; a < ANSWERS; a++) {
            const Truth *x = &e->oracle->truth[a];
            double threshold = e->answered[set][a] ? thresholds_for(e->elements[a]).suspect : 0;
            for (size_t k = 0; e->answered[set][a] && k < x->rows * x->cols; k++) {
                Score score = score_element(x, k, s->sigma[a][k], INFINITY, e->answered[set][a][k]);
                if (score.ignored || !score.defined)
                    continue;
                if (!score.judged)
                    score.z = INFINITY; /* a scale that is no number explains nothing */
                if (score.z >= threshold * most) {
                    most = score.z / threshold;
                    refuse_by(t, index, a, &score, threshold);
                }
                if (score.sigma > 0 && isfinite(score.sigma))
                    t->likelihood -= log(score.sigma) + score.z * score.z / 2;
            }
        }
}

/* `order`: indices of the evidence; one that refuses goes to the front, where it is asked first next time. */
static Trying try_candidate(const Candidate *c, const Evidence *all, size_t *order, size_t count)
{
    Trying t = {.done = true, .explains = true};
    for (size_t k = 0; t.explains && k < count; k++) {
        const Evidence *e = &all[order[k]];
        Scales *bounds = error_bounds(&e->problem, &c->arithmetic, e->oracle);
        bool possible = within_bounds(e, bounds, &t, order[k]);
        scales_free(bounds);
        if (possible) {
            Scales *sigmas = error_sigmas(&e->problem, &c->arithmetic, e->oracle, SCALE_SEED);
            weigh(e, sigmas, &t, order[k]);
            scales_free(sigmas);
        }
        if (t.explains)
            continue;
        size_t first = order[k];
        for (size_t i = k; i > 0; i--)
            order[i] = order[i - 1];
        order[0] = first;
    }
    return t;
}

/* ---- all of them ------------------------------------------------------------------------------ */

/* No candidate that explains the errors is more accurate in every quantity. */
static bool is_least(const Candidates *c, const Trying *tried, size_t k)
{
    for (size_t i = 0; i < c->count; i++)
        if (i != k && tried[i].explains &&
            arithmetic_within(&c->at[i].arithmetic, &c->at[k].arithmetic))
            return false;
    return true;
}

static void name_found(Guess *g, const Candidates *c, const Trying *tried, unsigned class)
{
    size_t best = c->count;
    for (size_t k = 0; k < c->count; k++)
        if (c->at[k].class == class && tried[k].explains && is_least(c, tried, k) &&
            (best == c->count || tried[k].likelihood > tried[best].likelihood))
            best = k;
    g->found = true;
    g->arithmetic = c->at[best].arithmetic;
    g->coarser = !arithmetic_within(&g->arithmetic, &c->expected);
    snprintf(g->words, sizeof g->words, "%s", c->at[best].words);
    for (size_t k = 0; k < c->count && g->others < GUESS_OTHERS; k++)
        if (k != best && c->at[k].class == class && tried[k].explains && is_least(c, tried, k))
            snprintf(g->other[g->others++], sizeof g->other[0], "%s", c->at[k].words);
}

static void name_closest(Guess *g, const Candidates *c, const Trying *tried, const Evidence *all)
{
    size_t best = c->count;
    for (size_t k = 0; k < c->count; k++)
        if (!tried[k].past_bound && isfinite(tried[k].z) &&
            (best == c->count ||
             tried[k].z / tried[k].threshold < tried[best].z / tried[best].threshold))
            best = k;
    if (best == c->count)
        return;
    const Trying *t = &tried[best];
    snprintf(g->closest.words, sizeof g->closest.words, "%s", c->at[best].words);
    snprintf(g->closest.what, sizeof g->closest.what, "%s", all[t->refused_by].what);
    g->closest.answer = t->answer;
    g->closest.z = t->z;
    g->closest.threshold = t->threshold;
}

static size_t usable(const Evidence *all, size_t count, size_t *order)
{
    size_t used = 0;
    for (size_t k = 0; k < count; k++)
        if (all[k].sets && problem_is_finite(&all[k].problem))
            order[used++] = k;
    return used;
}

/* What a candidate is far from explaining, no more accurate one explains. Past its bound that is certain. Else
 * the two sigmas are square roots of means of 32 squares, the finer one's being no larger but for
 * chance; that chance alone makes one four times the other has a probability below 1e-11 (the F law with
 * 32 and 32 degrees of freedom at 16). */
static void spread_refusal(const Candidates *c, Trying *tried, size_t from)
{
    enum { FAR = 4 };
    const Trying *t = &tried[from];
    if (t->explains || !(t->past_bound || t->z >= FAR * t->threshold))
        return;
    for (size_t k = 0; k < c->count; k++)
        if (!tried[k].done && arithmetic_within(&c->at[k].arithmetic, &c->at[from].arithmetic))
            tried[k] = (Trying){.done = true, .past_bound = t->past_bound, .z = INFINITY};
}

typedef struct Search {
    const Candidates *c;
    Trying *tried;
    const Evidence *all;
    size_t *order, used; /* the evidence that there is */
    Progress *progress;
} Search;

static bool explains(Search *s, size_t k)
{
    if (!s->tried[k].done) {
        s->tried[k] = try_candidate(&s->c->at[k], s->all, s->order, s->used);
        spread_refusal(s->c, s->tried, k);
    }
    return s->tried[k].explains;
}

/* Class by class, each to its end. Before the second the rungs are tried from the coarsest on: where
 * something is plainly wrong these few refuse all the others. Returns the class, or that of none. */
static unsigned search(Search *s)
{
    const Candidate *at = s->c->at;
    bool found = false;
    for (size_t k = 0; k < s->c->count; k++) {
        bool new_class = k > 0 && at[k].class != at[k - 1].class;
        if (new_class && found)
            return at[k - 1].class;
        if (new_class && at[k - 1].class == at[0].class)
            for (size_t i = s->c->count; i-- > k;)
                if (at[i].rung)
                    explains(s, i);
        found = explains(s, k) || found;
        progress_step(s->progress);
    }
    unsigned last = at[s->c->count - 1].class;
    return found ? last : last + 1;
}

Guess guess_arithmetic(const Evidence *all, size_t count, NumberType type, const Sites *sites,
                       const char *what)
{
    Candidates c = candidates_for(type, sites);
    Guess g = {.made = true, .arithmetic = c.expected};
    Search s = {.c = &c,
                .tried = room_for(__func__, c.count, sizeof *s.tried),
                .all = all,
                .order = room_for(__func__, count, sizeof *s.order)};
    s.used = usable(all, count, s.order);
    g.no_evidence = s.used == 0;
    if (!g.no_evidence) {
        s.progress = progress_begin(what, "arithmetic", c.count);
        unsigned class = search(&s);
        progress_end(s.progress);
        if (class <= c.at[c.count - 1].class)
            name_found(&g, &c, s.tried, class);
        else
            name_closest(&g, &c, s.tried, all);
    }
    free(s.tried);
    free(s.order);
    candidates_free(&c);
    return g;
}

void guess_describe(const Guess *g, char *text, size_t size)
{
    if (g->no_evidence)
        snprintf(text, size,
                 "no arithmetic could be guessed: all inputs have a NaN or an infinity");
    else if (g->found)
        snprintf(text, size, "guessed: %s%s", g->words,
                 g->coarser ? "; coarser than the answers' type suggests" : "");
    else if (*g->closest.words)
        snprintf(
            text, size,
            "no arithmetic explains the errors; closest: %s, but %s has z %.3g (right below %.1f)",
            g->closest.words, answer_name(g->closest.answer), g->closest.z, g->closest.threshold);
    else
        snprintf(text, size, "no arithmetic explains the errors: they pass the bound of each");
}

json_t *guess_json(const Guess *g)
{
    char text[400];
    guess_describe(g, text, sizeof text);
    json_t *others = json_array();
    for (size_t k = 0; k < g->others; k++)
        json_array_append_new(others, json_string(g->other[k]));
    json_t *o = json_pack("{s:b, s:s, s:b, s:o}", "found", g->found, "what", text, "coarser",
                          g->coarser, "or", others);
    if (*g->closest.words)
        json_object_set_new(
            o, "closest",
            json_pack("{s:s, s:s, s:s, s:o, s:o}", "what", g->closest.words, "refused_by",
                      g->closest.what, "tensor", answer_name(g->closest.answer), "z",
                      number_json(g->closest.z), "threshold", number_json(g->closest.threshold)));
    return o;
}
