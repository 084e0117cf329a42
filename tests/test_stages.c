/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "random_problem.h"
#include "stages.h"

#include <stdlib.h>
#include <string.h>

/* Wherever both forms show a number, it is the same to the four digits printed; every line fits. */
static void both_forms_show_the_same_numbers(void **state)
{
    (void)state;
    for (size_t L = 1; L <= STAGES_MOST; L++) {
        RandomProblem r = random_problem(PLAIN, L, 3, L > 3 ? 2 : NO_WINDOW, &BINARY32, L);
        with_cotangent(&r);
        char *text;
        size_t size, pairs = 0;
        FILE *out = open_memstream(&text, &size);
        print_stages(out, &r.problem);
        fclose(out);
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));) {
            char *bar = strchr(line, '|');
            assert_true(strlen(line) <= 100);
            if (!bar || strspn(line, " .") == (size_t)(bar - line))
                continue;
            char *l = line, *q = bar + 1, *l_end, *q_end;
            for (;;) { /* an absent entry is a dot: on the recurrent side it may be an exact 0 */
                l += strspn(l, " "), q += strspn(q, " ");
                if (*l == '|' || *q == '\0')
                    break;
                double x = *l == '.' ? (l_end = l + 1, 0) : strtod(l, &l_end);
                double y = *q == '.' ? (q_end = q + 1, 0) : strtod(q, &q_end);
                if (l_end == l || q_end == q)
                    break; /* a title */
                assert_true(x == y);
                pairs++;
                l = l_end, q = q_end;
            }
        }
        assert_true(pairs >= L * (3 * L + 1) / 2 + 6 * 3 * L); /* su sc p, and six gradients */
        free(text);
        random_problem_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_show_the_same_numbers),
    };
    return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
