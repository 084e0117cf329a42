/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "verdict.h"

#include <math.h>

const char *judgement_name(Judgement j)
{
    static const char *const names[] = {"right", "suspect", "wrong"};
    return names[j];
}

Thresholds thresholds_for(size_t elements)
{
    return (Thresholds){score_threshold(elements, CHANCE_SUSPECT),
                        score_threshold(elements, CHANCE_WRONG)};
}

static double ratio(double error, double scale) { return error == 0 ? 0 : error / scale; }

Score score_element(const Truth *t, size_t k, double sigma, double bound, double answered)
{
    Score s = {.defined = t->certificate[k] != UNDEFINED};
    bool masked = t->certificate[k] == MASKED;
    if (masked)
        sigma = bound = 0;
    s.ignored = masked && t->mask_is_free;
    s.judged = s.defined && isfinite(sigma) && !s.ignored;
    s.structural = sigma == 0;
    s.sigma = sigma;
    if (!s.judged)
        return s;
    if (isinf(t->value[k]) || !isfinite(answered)) {
        /* past binary64's range the rounded truth itself is infinite: only it will do */
        s.error = answered == t->value[k] ? 0 : INFINITY;
    } else {
        s.error = fabs((answered - t->value[k]) - t->tail[k]);
        if (t->certificate[k] == TIE)
            s.error = fmin(s.error, fabs(answered - t->neighbour[k]));
    }
    s.z = ratio(s.error, sigma);
    s.of_bound = isinf(s.error) ? INFINITY : ratio(s.error, bound);
    return s;
}

double score_badness(const Score *s, const Thresholds *t)
{
    if (!s->judged)
        return NAN;
    return s->of_bound > 1 ? fmax(s->z, t->wrong) : s->z;
}

Verdict verdict_begin(size_t elements)
{
    return (Verdict){.judgement = SUSPECT,
                     .thresholds = thresholds_for(elements),
                     .elements = elements,
                     .worst_score.z = -1};
}

void verdict_add(Verdict *v, size_t index, Score s, double answered)
{
    v->undefined += !s.defined;
    v->ignored += s.ignored;
    if (!s.judged)
        return;
    v->judged++;
    v->structural += s.structural;
    v->not_finite += isinf(s.error) && !isfinite(answered);
    v->past_bound += s.of_bound > 1;
    v->most_of_bound = fmax(v->most_of_bound, s.of_bound);
    if (s.z > v->worst_score.z) {
        v->worst_score = s;
        v->worst = index;
    }
}

void verdict_end(Verdict *v)
{
    double z = v->worst_score.z;
    /* zeros that stand in every problem say nothing of one without other truths */
    bool told = v->undefined == 0 || v->judged > v->structural;
    bool all_seen = v->judged > 0 && told && v->judged + v->undefined + v->ignored == v->elements;
    if (v->not_finite || v->past_bound || z > v->thresholds.wrong)
        v->judgement = WRONG;
    else
        v->judgement = all_seen && z < v->thresholds.suspect ? RIGHT : SUSPECT;
}
