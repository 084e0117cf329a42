/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle verify: the forms agree, and numbers that make no sense are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "task_support.h"

#include <math.h>

static void the_forms_agree(void **state)
{
    (void)state;
    run_right("verify", "--length", "5", "--dim", "2");
    assert_out("all forms agree\n");
    assert_fits_page();
    run_right("verify", "--length", "5", "--dim", "2", "--window", "0");
    assert_out("all forms agree\n");
    run_right("verify", "-L5", "-d2", "-W2", "-s7", "-p24");
    assert_out("seed 7");
    run_right("verify", L2D1, "--bits", "24");
    assert_out("L2d1");
    run("verify", "-L5", "-d2", "-s7", "-p24");
    char *first = strdup(last.out);
    assert_non_null(first);
    run_with(&(Setting){.threads = "1"}, WORDS("verify", "-L5", "-d2", "-s7", "-p24"));
    assert_same_out(first);
    free(first);
}

/* A layer's dump gives a table of its own; heads give theirs. */
static void layers_are_verified(void **state)
{
    const Answered none = {{NULL}};
    const Sizes size = {2, 2, 3, 2, 3};
    (void)state;
    Task t = random_task(&size, "float32", 1);
    t.variant = WITHOUT_SILU;
    const char *path = dumped(&t, &none, "layer");
    run_right("verify", "-p24,53", path);
    assert_out("Layers (sequences x heads)");
    assert_out("\nlayer #0             3   2 none same ");
    assert_not_out("Theorems 1, 2 and 3");
    assert_out("all forms agree\n");
    assert_fits_page();
    run_right("verify", "-p24", path, L2D1);
    assert_out("Theorems 1, 2 and 3");
    assert_out("Algorithm 3");
    assert_out("Layers (sequences x heads)");
    assert_fits_page();
    t.layer_input[LAYER_WO][0] = INFINITY;
    refuses("NaN or infinity", "verify", dumped(&t, &none, "layer"));
    task_free(&t);
}

static void verify_refuses_what_it_cannot_use(void **state)
{
    static const char *const options[][3] = {
        {"--length", "0", "4096"},
        {"--length", "4097", "4096"},
        {"--length", "x", "4096"},
        {"--length", "", "4096"},
        {"--length", "5.5", "4096"},
        {"--dim", "0", "1024"},
        {"--dim", "-1", "1024"},
        {"--window", "-1", "whole number"},
        {"--window", "none", "whole number"},
        {"--bits", "7", "8"},
        {"--bits", "1025", "1024"},
        {"--bits", "abc", "8"},
        {"--bits", "", "--bits"},
        {"--seed", "-1", "0"},
        {"--seed", "99999999999999999999", "0"},
    };
    Case *c = solved(1, 3, 2, NULL, 15);
    (void)state;
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        refuses(options[k][0], "verify", options[k][0], options[k][1]);
        assert_err(options[k][2]);
    }
    refuses("castle verify: no-such-file: cannot be opened", "verify", "no-such-file");
    c->input[INPUT_KC][1] = NAN;
    refuses("NaN or infinity", "verify", saved(c, "dump"));
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_forms_agree),
        TEST(layers_are_verified),
        TEST(verify_refuses_what_it_cannot_use),
    };
    return run_command_tests(tests);
}
