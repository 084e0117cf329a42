/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "first_wrong.h"

#include <stdint.h>
#include <stdio.h>

#define OF(answer) (UINT64_C(1) << ANSWER_##answer)

/* Each quantity with what it is computed from, apart from inputs. */
static const struct Step {
    Answer answer;
    uint64_t from;
} order[] = {
    {ANSWER_T1, 0},
    {ANSWER_G, 0},
    {ANSWER_U, OF(G)},
    {ANSWER_SU, OF(T1) | OF(G)},
    {ANSWER_SC, 0},
    {ANSWER_P, OF(SC) | OF(SU)},
    {ANSWER_LSE, OF(SC) | OF(SU)},
    {ANSWER_O, OF(P)},
    {ANSWER_DVC, OF(P)},
    {ANSWER_DP, 0},
    {ANSWER_DS, OF(P) | OF(DP) | OF(O)}, /* delta = dO . O */
    {ANSWER_DKC, OF(DS)},
    {ANSWER_DSU, OF(P) | OF(DP) | OF(O) | OF(SU)},
    {ANSWER_DT1, OF(DSU) | OF(G)},
    {ANSWER_DG, OF(DSU) | OF(T1)},
    {ANSWER_DQU, OF(DG) | OF(G)},
    {ANSWER_DKU, OF(DG) | OF(G)},
    {ANSWER_DVU, OF(DT1)},
    {ANSWER_DQC, OF(DS) | OF(DT1)},
    {ANSWER_Y, 0},
    {ANSWER_DWO, 0},
    {ANSWER_DWQU, 0},
    {ANSWER_DWKU, 0},
    {ANSWER_DWVU, 0},
    {ANSWER_DWQC, 0},
    {ANSWER_DWKC, 0},
    {ANSWER_DWVC, 0},
    {ANSWER_DX, 0},
};
enum { STEPS = sizeof order / sizeof *order };
_Static_assert(sizeof order / sizeof *order == ANSWERS, "every answer has its place");

/* What the step is made of, directly or not: what it is made of comes before it. */
static uint64_t all_before(size_t step)
{
    uint64_t before = order[step].from;
    for (size_t k = step; k-- > 0;)
        if (before >> order[k].answer & 1)
            before |= order[k].from;
    return before;
}

FirstWrong first_wrong(const bool present[ANSWERS], const Verdict verdict[ANSWERS])
{
    FirstWrong f = {.answer = ANSWERS};
    size_t step = 0;
    while (step < STEPS &&
           !(present[order[step].answer] && verdict[order[step].answer].judgement == WRONG))
        step++;
    if (step == STEPS)
        return f;
    f.answer = order[step].answer;
    uint64_t before = all_before(step);
    for (size_t k = 0; k < step; k++) {
        Answer a = order[k].answer;
        if (!(before >> a & 1))
            continue;
        if (!present[a])
            f.not_answered[f.missing++] = a;
        else if (verdict[a].judgement == SUSPECT)
            f.suspect[f.suspects++] = a;
        else
            f.right[f.rights++] = a;
    }
    return f;
}

static size_t list(char *text, size_t size, size_t used, const char *what, const Answer *answers,
                   size_t count)
{
    for (size_t k = 0; k < count && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", k ? " " : what,
                                 answer_name(answers[k]));
    return used;
}

void first_wrong_describe(const FirstWrong *f, char *text, size_t size)
{
    if (f->answer == ANSWERS) {
        snprintf(text, size, "none");
        return;
    }
    size_t used = (size_t)snprintf(text, size, "%s", answer_name(f->answer));
    used = list(text, size, used, "; right before it: ", f->right, f->rights);
    used = list(text, size, used, "; suspect before it: ", f->suspect, f->suspects);
    list(text, size, used, "; before it, not answered: ", f->not_answered, f->missing);
}
