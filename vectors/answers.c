/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "answers.h"
#include "backward.h"
#include "parallel.h"
#include "system.h"

#include <math.h>

const char *input_name(Input k)
{
    static const char *const names[INPUTS] = {"qu", "ku", "vu", "qc", "kc", "vc"};
    return names[k];
}

const char *answer_name(Answer k)
{
    static const char *const names[ANSWERS] = {"o",   "lse", "u",   "dqu", "dku",
                                               "dvu", "dqc", "dkc", "dvc"};
    return names[k];
}

size_t answer_columns(Answer k, size_t dim) { return k == ANSWER_LSE ? 1 : dim; }

Stage answer_stage(Answer k)
{
    static const Stage stages[ANSWERS] = {STAGE_O,   STAGE_LSE, STAGE_U,   STAGE_DQU, STAGE_DKU,
                                          STAGE_DVU, STAGE_DQC, STAGE_DKC, STAGE_DVC};
    return stages[k];
}

Matrix answer_matrix(const Answers *a, Answer k)
{
    const Matrix forward[FORWARD_ANSWERS] = {a->O, a->lse, a->U};
    if (k >= FORWARD_ANSWERS)
        stop_on_bug(__func__, "%s is no forward answer", answer_name(k));
    return forward[k];
}

Head problem_head(const Problem *p, System *in)
{
    Matrix M[INPUTS];
    for (Input k = 0; k < INPUTS; k++)
        M[k] = stage(STAGE_INPUT, matrix_from(in, p->length, p->dim, p->input[k]));
    Matrix scale = matrix(in, 1, 1);
    if (p->scale != 0) {
        in->op->set(in, scale.entries, &p->scale, 1);
        scale = stage(STAGE_SCALE, scale);
    } else {
        in->op->inverse_root(in, scale.entries, p->dim);
    }
    return (Head){.QU = M[INPUT_QU],
                  .KU = M[INPUT_KU],
                  .VU = M[INPUT_VU],
                  .QC = M[INPUT_QC],
                  .KC = M[INPUT_KC],
                  .VC = M[INPUT_VC],
                  .scale = scale,
                  .window = p->window};
}

size_t problem_answers(const Problem *p) { return p->cotangent ? ANSWERS : FORWARD_ANSWERS; }

Solution solve(const Problem *p, System *in)
{
    Solution s = {0};
    Head head = problem_head(p, in);
    Answers forward = answers_for(&head);
    parallel(&head, &forward);
    for (Answer a = 0; a < FORWARD_ANSWERS; a++)
        s.of[a] = answer_matrix(&forward, a);
    if (p->cotangent) {
        Matrix dO = stage(STAGE_INPUT, matrix_from(in, p->length, p->dim, p->cotangent));
        Gradients g = gradients_for(&head);
        backward(&head, dO, &g);
        const Matrix gradients[] = {g.dQU, g.dKU, g.dVU, g.dQC, g.dKC, g.dVC};
        for (Input k = 0; k < INPUTS; k++)
            s.of[ANSWER_DQU + k] = gradients[k];
    }
    return s;
}

bool problem_is_finite(const Problem *p)
{
    for (size_t i = 0; p->cotangent && i < p->length * p->dim; i++)
        if (!isfinite(p->cotangent[i]))
            return false;
    for (Input k = 0; k < INPUTS; k++)
        for (size_t i = 0; i < p->length * p->dim; i++)
            if (!isfinite(p->input[k][i]))
                return false;
    return true;
}
