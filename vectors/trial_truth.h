/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trial_truth.h - the true answers of a trial's problems: a golden file's, or the oracle's. */
#ifndef CASTLE_TRIAL_TRUTH_H
#define CASTLE_TRIAL_TRUTH_H

#include "trial.h"

/* Without what nobody answered: stages, and gradients, which cost three forwards. */
Problem trial_problem(const Trial *, size_t index);

/* Whether the trial's file has the truth: not where it has ties or stages are answered. */
bool trial_is_stored(const Trial *, const Problem *);

/* tokens: of u when so many are taken in, of a problem that ends there; else 0. */
Oracle *trial_truth(const Trial *, const Problem *, size_t tokens, size_t index);

/* The file's tensor of that answer: "", ".lo", ".sigma". It must be there. */
const Tensor *trial_tensor(const Trial *, Answer, size_t tokens, const char *suffix);

#endif
