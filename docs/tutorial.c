/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tutorial.h"

#include "systems.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the example ----------------------------------------------------------------------------------- */

/* Chosen by hand: token 3 lowers the weight of token 1 and raises that of token 2. */
static const double QU[] = {1, 0, 0, 1, 1, 1}, KU[] = {1, 1, 2, 0, -1, 1},
                    VU[] = {1, 2, 2, 0, -1, 2}, QC[] = {1, 1, 1, -1, 2, 0.5},
                    KC[] = {1, 0, 0.5, 1, 1, -1}, VC[] = {1, 0, 0, 1, -1, 0.5},
                    dO[] = {1, 0, 0.5, 1, 1, 0.5};

Head example_head(System *in, size_t window)
{
    enum { L = EXAMPLE_TOKENS, d = EXAMPLE_DIM };
    Head h = {.window = window, .variant = CASTLE};
    h.QU = matrix_from(in, L, d, QU);
    h.KU = matrix_from(in, L, d, KU);
    h.VU = matrix_from(in, L, d, VU);
    h.QC = matrix_from(in, L, d, QC);
    h.KC = matrix_from(in, L, d, KC);
    h.VC = matrix_from(in, L, d, VC);
    h.scale = matrix(in, 1, 1);
    in->op->inverse_root(in, h.scale.entries, d);
    return h;
}

Matrix example_cotangent(System *in) { return matrix_from(in, EXAMPLE_TOKENS, EXAMPLE_DIM, dO); }

/* ---- printing -------------------------------------------------------------------------------------- */

double value(Matrix A, size_t i, size_t j)
{
    mpfr_t x;
    mpfr_init2(x, 53);
    A.in->op->get(A.in, x, entry(A, i, j));
    double y = mpfr_get_d(x, MPFR_RNDN);
    mpfr_clear(x);
    return y;
}

enum { WORD = 24 };

static void write_value(char *text, double x)
{
    if (x == 0)
        (void)snprintf(text, WORD, "%9s", "0");
    else
        (void)snprintf(text, WORD, "%9.4f", x);
}

void print_value(FILE *out, double x)
{
    char text[WORD];
    write_value(text, x);
    fputs(text, out);
}

static void write_entry(char *text, Matrix A, size_t i, size_t j)
{
    Range present = row_range(A, i);
    if (j < present.first || j >= present.end)
        (void)snprintf(text, WORD, "%9s", ".");
    else
        write_value(text, value(A, i, j));
}

void print_matrix(FILE *out, const char *name, Matrix A)
{
    for (size_t i = 0; i < A.rows; i++) {
        fprintf(out, "%-10s %s", i ? "" : name, i ? " " : "=");
        for (size_t j = 0; j < A.cols; j++) {
            char text[WORD];
            write_entry(text, A, i, j);
            fputs(text, out);
        }
        fputc('\n', out);
    }
}

void must_be_printed_alike(const char *what, Matrix A, Matrix B)
{
    if (A.rows != B.rows || A.cols != B.cols)
        stop_on_bug(__func__, "%s: %zu x %zu and %zu x %zu", what, A.rows, A.cols, B.rows, B.cols);
    for (size_t i = 0; i < A.rows; i++)
        for (size_t j = 0; j < A.cols; j++) {
            char a[WORD], b[WORD];
            write_value(a, value(A, i, j));
            write_value(b, value(B, i, j));
            if (strcmp(a, b) != 0)
                stop_on_bug(__func__, "%s, entry (%zu, %zu): %s and %s", what, i, j, a, b);
        }
}

/* ---- blocks of the text ---------------------------------------------------------------------------- */

static const struct Block {
    const char *name;
    void (*print)(FILE *, System *);
} blocks[] = {
    {"inputs", print_inputs},
    {"gates", print_gates},
    {"keys", print_keys},
    {"window", print_window},
    {"weights", print_weights},
    {"outputs", print_outputs},
    {"future", print_future},
    {"theorem1", print_theorem1},
    {"first-block", print_first_block},
    {"last-row-of-blocks", print_last_row_of_blocks},
    {"decoding", print_decoding},
    {"softmax-gradients", print_softmax_gradients},
    {"lookahead-gradients", print_lookahead_gradients},
    {"gradients", print_gradients},
    {"differences", print_differences},
};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

static const char BEGIN[] = "<!-- begin ", CLOSE[] = " -->\n";

static void print_block(FILE *out, const struct Block *b)
{
    System *in = mpfr_system(EXAMPLE_BITS);
    fprintf(out, "<!-- begin %s -->\n```text\n", b->name);
    b->print(out, in);
    fprintf(out, "```\n<!-- end %s -->\n", b->name);
    system_free(in);
}

/* The number of the block that begins at `at`, or BLOCKS. */
static size_t block_at(const char *at)
{
    size_t k = 0;
    for (at += strlen(BEGIN); k < BLOCKS; k++) {
        size_t n = strlen(blocks[k].name);
        if (strncmp(at, blocks[k].name, n) == 0 && strncmp(at + n, CLOSE, strlen(CLOSE)) == 0)
            break;
    }
    return k;
}

/* What stands behind the block's last line, or NULL. */
static const char *behind_block(const char *at, const struct Block *b)
{
    char end[80];
    (void)snprintf(end, sizeof end, "<!-- end %s -->\n", b->name);
    const char *found = strstr(at, end);
    return found ? found + strlen(end) : NULL;
}

static bool refresh(FILE *out, const char *text, Failure *f)
{
    bool seen[BLOCKS] = {false};
    for (const char *begin; (begin = strstr(text, BEGIN));) {
        size_t k = block_at(begin);
        if (k == BLOCKS)
            return (fail)(f, "no function prints the block that begins with %.*s",
                          (int)strcspn(begin, "\n"), begin);
        const char *rest = behind_block(begin, &blocks[k]);
        if (!rest)
            return (fail)(f, "the block %s has no end", blocks[k].name);
        (void)fwrite(text, 1, (size_t)(begin - text), out);
        print_block(out, &blocks[k]);
        seen[k] = true;
        text = rest;
    }
    fputs(text, out);
    for (size_t k = 0; k < BLOCKS; k++)
        if (!seen[k])
            return (fail)(f, "the text has no block %s", blocks[k].name);
    return true;
}

char *tutorial_refreshed(const char *text, Failure *f)
{
    char *fresh = NULL;
    size_t size;
    FILE *out = open_memstream(&fresh, &size);
    if (!out)
        return (void)(fail)(f, "out of memory"), NULL;
    bool done = refresh(out, text, f);
    if (fclose(out) != 0 && done)
        done = (fail)(f, "out of memory");
    if (!done) {
        free(fresh);
        return NULL;
    }
    return fresh;
}
