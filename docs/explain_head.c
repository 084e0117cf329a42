/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_head.h"

#include "bug.h"

#include <stdlib.h>

ExplainInputs explain_inputs(const Explain *e, size_t head)
{
    ExplainInputs in;
    for (Input k = 0; k < INPUTS; k++)
        in.of[k] = room_for(__func__, e->words.count * e->dim, sizeof(double));
    word_vectors(&e->words, e->dim, e->seed, head, in.of);
    return in;
}

void explain_inputs_free(ExplainInputs *in)
{
    for (Input k = 0; k < INPUTS; k++)
        free(in->of[k]);
}

Problem explain_problem(const Explain *e, const ExplainInputs *in, size_t window, Variant variant)
{
    Problem p = {.length = e->words.count,
                 .dim = e->dim,
                 .window = window,
                 .variant = variant,
                 .stages = true};
    for (Input k = 0; k < INPUTS; k++)
        p.input[k] = in->of[k];
    return p;
}

ExplainHead explain_head(const Explain *e, size_t head)
{
    ExplainHead h = {.inputs = explain_inputs(e, head)};
    Problem p = explain_problem(e, &h.inputs, e->window, CASTLE);
    h.text = numbers_of_text(&p);
    h.setting = numbers_of_setting(&p, explain_block(p.length), true);
    return h;
}

void explain_head_free(ExplainHead *h)
{
    explain_inputs_free(&h->inputs);
    text_numbers_free(&h->text);
    setting_numbers_free(&h->setting);
}
