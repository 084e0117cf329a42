/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "case_support.h"
#include "solve.h"

#include <string.h>

Cases built_in;

int built_in_cases(void **state)
{
    (void)state;
    Failure f;
    if (cases_read(&built_in, NULL, &f))
        return 0;
    print_error("%s\n", f.text);
    return -1;
}

int drop_cases(void **state)
{
    (void)state;
    cases_free(&built_in);
    return 0;
}

const GoldenCase *find_case(const char *id)
{
    const GoldenCase *c = cases_find(&built_in, id);
    if (!c)
        fail_msg("there is no case %s", id);
    return c;
}

void for_core_cases(CaseFamily family, void (*check)(const GoldenCase *))
{
    size_t checked = 0;
    for (size_t k = 0; k < built_in.count; k++) {
        const GoldenCase *c = &built_in.at[k];
        if (c->tier == TIER_CORE && (family == CASE_FAMILIES || c->family == family)) {
            check(c);
            checked++;
        }
    }
    assert_true(checked > 0);
}

Drawn drawn(const GoldenCase *c)
{
    Drawn g;
    Failure f;
    if (!case_inputs(&g.in, c, "vectors/dumps", &f))
        fail_msg("%s", f.text);
    return g;
}

void drawn_free(Drawn *g) { case_inputs_free(&g->in); }

Measured measured(const GoldenCase *c) { return measured_in(c, f64_system()); }

Measured measured_in(const GoldenCase *c, System *in)
{
    Measured m = {.g = drawn(c), .in = in, .scope = scope_open(in)};
    Problem p = case_problem(c, &m.g.in, 0);
    m.head = problem_head(&p, in);
    if (p.cotangent)
        m.dO = matrix_from(in, p.length, p.dim, p.cotangent);
    m.f = parallel_stages(&m.head);
    return m;
}

void measured_free(Measured *m)
{
    scope_close(m->in, m->scope);
    system_free(m->in);
    drawn_free(&m->g);
}

double number(Matrix A, size_t i, size_t j)
{
    mpfr_t x;
    ptrdiff_t off = (ptrdiff_t)j - (ptrdiff_t)i;
    if (off < A.band.lo || off > A.band.hi)
        return 0;
    mpfr_init2(x, 53);
    A.in->op->get(A.in, x, entry(A, i, j));
    double y = mpfr_get_d(x, MPFR_RNDN);
    mpfr_clear(x);
    return y;
}
