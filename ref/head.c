/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "head.h"
#include "system.h"

Answers answers_without_SU(const Head *head)
{
    System *in = head->QC.in;
    size_t L = head->QC.rows, d = head->QC.cols;
    return (Answers){.O = matrix(in, L, d), .lse = matrix(in, L, 1), .U = matrix(in, L, d)};
}

Answers answers_for(const Head *head)
{
    Answers answers = answers_without_SU(head);
    answers.SU = matrix(head->QC.in, head->QC.rows, head->QC.rows);
    return answers;
}

Matrix variant_causal_keys(const Head *h, Matrix KC)
{
    return h->variant == WITHOUT_CAUSAL_KEYS ? matrix(KC.in, KC.rows, KC.cols) : KC;
}

Matrix variant_penalty(const Head *h, Matrix SU)
{
    return h->variant == WITHOUT_SILU ? SU : map(SILU, SU);
}

Matrix variant_slope(const Head *h, Matrix SU)
{
    return h->variant == WITHOUT_SILU ? ones_like(SU) : map(SILU_SLOPE, SU);
}

void head_must_be_sound(const Head *head, const char *function)
{
    const Matrix *input[] = {&head->QU, &head->KU, &head->VU, &head->QC, &head->KC, &head->VC};
    for (size_t k = 0; k < sizeof input / sizeof *input; k++)
        if (input[k]->rows != head->QC.rows || input[k]->cols != head->QC.cols ||
            input[k]->in != head->scale.in || !input[k]->rows || !input[k]->cols)
            stop_on_bug(function, "input %zu of QU KU VU QC KC VC is %zu x %zu, QC %zu x %zu", k,
                        input[k]->rows, input[k]->cols, head->QC.rows, head->QC.cols);
    if (head->scale.rows != 1 || head->scale.cols != 1)
        stop_on_bug(function, "scale is %zu x %zu, not 1 x 1", head->scale.rows, head->scale.cols);
}
