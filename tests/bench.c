/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench.c - the program behind `make bench`: what the oracle and the naive form cost, against the
 * machine's limit and against the same algorithms in Python's mpmath.
 *
 * Usage         bench FOLDER PEER. Writes FOLDER/inputs.json and FOLDER/bench.json; PEER is the path of
 *               bench_mpmath.py.
 * Method        all in one run on one thread. Every round measures everything once, what is compared
 *               side by side; a ratio is the median of the rounds' ratios, so that a change of the
 *               machine's pace falls on both sides. Times are processor time of the thread, which other
 *               programs disturb least, here and in the peer; their medians are shown.
 * The limit     0.3 ns a multiply-add (113 bits, 52-bit integer multiply-add instructions) and 150 ns
 *               an exponential, both as measured on a core at 3.8 GHz; times what the masks leave of
 *               Theorem 1. The same in cycles shows what the pace of this machine's clock does.
 * Exit status   0 whatever the ratios are: a bench is not a test. 2 when it could not measure.
 */
#include "ball.h"
#include "decode.h"
#include "oracle.h"
#include "parallel.h"
#include "sequential.h"
#include "solve.h"
#include "systems.h"
#include "version.h"

#include <errno.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { ROUNDS = 15, SLOW_EVERY = 3, NOISY_RUNS = 32, BITS = ORACLE_BITS, AGREED_BITS = 100 };

static const double LIMIT_MULTIPLY_ADD = 0.30e-9, LIMIT_EXP = 150e-9, LIMIT_CLOCK = 3.8e9;

_Noreturn static void give_up(const char *what, const char *name)
{
    (void)fprintf(stderr, "bench: %s %s: %s\n", what, name, errno ? strerror(errno) : "failed");
    exit(2);
}

/* ---- problems ------------------------------------------------------------------------------- */

/* N(0, 1) inputs in binary64, always the same; owned by the caller until the program ends. */
static Problem random_problem(size_t length, size_t dim)
{
    Problem p = {.length = length, .dim = dim, .window = NO_WINDOW};
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, 1);
    for (size_t k = 0; k < INPUTS; k++) {
        double *v = malloc(length * dim * sizeof *v);
        if (!v)
            give_up("inputs", "");
        for (size_t i = 0; i < length * dim; i++)
            v[i] = gsl_ran_gaussian(rng, 1);
        p.input[k] = v;
    }
    gsl_rng_free(rng);
    return p;
}

static void free_problem(const Problem *p)
{
    for (size_t k = 0; k < INPUTS; k++)
        free((void *)p->input[k]);
}

static void write_json(json_t *object, const char *path)
{
    errno = 0;
    if (json_dump_file(object, path, JSON_INDENT(1)) != 0)
        give_up("cannot write", path);
    json_decref(object);
}

static void write_inputs(const Problem *p, const char *path)
{
    json_t *object = json_pack("{s:I, s:I, s:i}", "length", (json_int_t)p->length, "dim",
                               (json_int_t)p->dim, "bits", BITS);
    for (Input k = 0; k < INPUTS; k++) {
        json_t *values = json_array();
        for (size_t i = 0; i < p->length * p->dim; i++)
            json_array_append_new(values, json_sprintf("%a", p->input[k][i]));
        json_object_set_new(object, input_name(k), values);
    }
    write_json(object, path);
}

/* ---- what Theorem 1 needs, masks taken off -------------------------------------------------- */

typedef struct Counts {
    double multiply_adds, exps;
} Counts;

/* scale QC VU^T, scale QC KC^T and P VC keep s <= t, QU KU^T and G VU keep s < j: d for each pair.
 * Entry (t, s) of SU sums over s < j <= t. Exponentials: gate and SiLU over s < j, softmax over s <= t. */
static Counts counts(const Problem *p)
{
    double L = (double)p->length, d = (double)p->dim;
    double with_diagonal = L * (L + 1) / 2, without = L * (L - 1) / 2;
    return (Counts){3 * d * with_diagonal + 2 * d * without + L * (L * L - 1) / 6,
                    2 * without + with_diagonal};
}

/* ---- work to be measured -------------------------------------------------------------------- */

typedef void Form(const Head *, Answers *);

static void run_form(System *in, Form *form, const Problem *p)
{
    Head head = problem_head(p, in);
    Answers answers = answers_for(&head);
    form(&head, &answers);
    system_free(in);
}

static void oracle_forward(const Problem *p) { oracle_free(oracle(p, false, false)); }
static void parallel_ball(const Problem *p) { run_form(ball_system(BITS), parallel, p); }
static void naive_mpfr(const Problem *p) { run_form(mpfr_system(BITS), sequential, p); }
static void parallel_mpfr(const Problem *p) { run_form(mpfr_system(BITS), parallel, p); }
static void decode_mpfr(const Problem *p) { run_form(mpfr_system(BITS), decode, p); }
static void parallel_f64(const Problem *p) { run_form(f64_system(), parallel, p); }
static void parallel_f32(const Problem *p) { run_form(f32_system(), parallel, p); }

static void noisy_runs(const Problem *p)
{
    Arithmetic arithmetic;
    char why[200];
    if (!arithmetic_parse(&arithmetic, "bfloat16", why, sizeof why))
        stop_on_bug(__func__, "%s", why);
    for (uint64_t seed = 1; seed <= NOISY_RUNS; seed++)
        run_form(noisy_system(&arithmetic, seed, 1), parallel, p);
}

/* The arguments that Theorem 1 hands to exp, as balls, in one run. */
static arb_ptr exp_arguments;
static slong exp_count;

static void take_arguments(Matrix A, bool negated)
{
    for (size_t i = 0; i < A.rows; i++) {
        Range k = row_range(A, i);
        for (size_t j = k.first; j < k.end; j++) {
            arb_ptr x = exp_arguments + exp_count++;
            arb_set(x, ball_at(A, i, j));
            if (negated)
                arb_neg(x, x);
        }
    }
}

static void collect_exp_arguments(const Problem *p)
{
    exp_arguments = _arb_vec_init((slong)counts(p).exps);
    System *in = ball_system(BITS);
    Head h = problem_head(p, in);
    Matrix Z = scaled(h.scale, product_nt(h.QU, h.KU, lookahead(h.window)));
    Matrix SU = product_nt(scaled(h.scale, product_nt(h.QC, h.VU, CAUSAL)), map(SIGMOID, Z),
                           EVERYWHERE);
    Matrix S = subtract(scaled(h.scale, product_nt(h.QC, h.KC, CAUSAL)), map(SILU, SU));
    Matrix m = matrix(in, S.rows, 1);
    for (size_t i = 0; i < S.rows; i++) {
        in->op->reference(in, entry(m, i, 0), entry(S, i, 0), i + 1);
        in->op->shift(in, entry(S, i, 0), entry(S, i, 0), entry(m, i, 0), i + 1);
    }
    take_arguments(Z, true);
    take_arguments(SU, true);
    take_arguments(S, false);
    if ((double)exp_count != counts(p).exps)
        stop_on_bug(__func__, "%ld exponentials, where %.0f were counted", (long)exp_count,
                    counts(p).exps);
    system_free(in);
}

static void exponentials(const Problem *p)
{
    (void)p;
    arb_t y;
    arb_init(y);
    for (slong k = 0; k < exp_count; k++)
        arb_exp(y, exp_arguments + k, BITS);
    arb_clear(y);
}

/* ADDITIONS additions, each waiting for the one before: a cycle each. Both operands are registers, as
 * some processors add constants without spending a cycle. */
enum { ADDITIONS = 1 << 22 };

static void additions(const Problem *p)
{
    unsigned long x = 0, y = p->length;
#define ADD \
    x += y; \
    __asm__ volatile("" : "+r"(x), "+r"(y));
#define ADD_16 ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD
    for (int k = 0; k < ADDITIONS / 64; k++) {
        ADD_16 ADD_16 ADD_16 ADD_16
    }
#undef ADD_16
#undef ADD
}

/* ---- the peer ------------------------------------------------------------------------------- */

typedef struct Peer {
    const char *python; /* NULL: none with mpmath and gmpy2 */
    const char *script, *inputs;
} Peer;

static const char *find_python(const char *script)
{
    static const char *const candidates[] = {"python3", "/usr/bin/python3"};
    char command[1000];
    for (size_t k = 0; k < sizeof candidates / sizeof *candidates; k++) {
        (void)snprintf(command, sizeof command, "%s '%s' probe 2>&1", candidates[k], script);
        FILE *f = popen(command, "r");
        if (f && pclose(f) == 0)
            return candidates[k];
    }
    return NULL;
}

/* Runs one form in mpmath; returns its seconds and hands over its o. */
static double run_peer(const Peer *peer, const char *form, json_t **o)
{
    char command[1000];
    (void)snprintf(command, sizeof command, "%s '%s' %s '%s'", peer->python, peer->script, form,
                   peer->inputs);
    errno = 0;
    FILE *f = popen(command, "r");
    json_t *answer = f ? json_loadf(f, 0, NULL) : NULL;
    if (!f || pclose(f) != 0 || !answer)
        give_up("cannot run", command);
    double seconds = json_real_value(json_object_get(answer, "seconds"));
    json_decref(*o);
    *o = json_incref(json_object_get(answer, "o"));
    json_decref(answer);
    return seconds;
}

/* To how many bits, of the largest entry of each row, o of a form here and of the peer agree. */
static double agreement(const Problem *p, Form *form, System *in, const json_t *o)
{
    Head head = problem_head(p, in);
    Answers answers = answers_for(&head);
    form(&head, &answers);
    mpfr_t x, y;
    mpfr_inits2(2 * BITS, x, y, (mpfr_ptr)NULL);
    double worst = 0;
    for (size_t i = 0; i < p->length; i++) {
        double size = 0, difference = 0;
        for (size_t j = 0; j < p->dim; j++) {
            in->op->get(in, x, entry(answers.O, i, j));
            const char *hexadecimal = json_string_value(json_array_get(o, i * p->dim + j));
            if (!hexadecimal || mpfr_set_str(y, hexadecimal, 16, MPFR_RNDN) != 0)
                stop_on_bug(__func__, "the peer's o has no number %zu, %zu", i, j);
            mpfr_sub(y, x, y, MPFR_RNDN);
            size = fmax(size, fabs(mpfr_get_d(x, MPFR_RNDN)));
            difference = fmax(difference, fabs(mpfr_get_d(y, MPFR_RNDN)));
        }
        worst = fmax(worst, difference / size);
    }
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    system_free(in);
    return -log2(worst);
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* In the order in which a round runs them. */
static const struct {
    const char *name;
    void (*work)(const Problem *); /* NULL: the peer's */
} works[] = {
    {"one cycle", additions},
    {"its exponentials alone, arb_exp", exponentials},
    {"oracle: balls, rounded to binary64", oracle_forward},
    {"mpmath, parallel form", NULL},
    {"naive form in MPFR", naive_mpfr},
    {"mpmath, naive form", NULL},
    {"parallel form in balls", parallel_ball},
    {"parallel form in MPFR", parallel_mpfr},
    {"decoding in MPFR", decode_mpfr},
    {"parallel form in f64", parallel_f64},
    {"parallel form in f32", parallel_f32},
    {"32 noisy runs, bfloat16 declared", noisy_runs},
};
enum { CYCLE, EXPS, ORACLE, PEER, NAIVE, PEER_NAIVE, BALLS, MPFR, DECODE, F64, F32, NOISY, WORKS };
enum { SMALL, LARGE, SIZES };

/* Seconds, round by round; 0 where a round left it out. */
typedef struct Times {
    double sample[ROUNDS];
} Times;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of one run. Short work is run once to warm up and then again and again for a while. */
static double seconds_of(void (*work)(const Problem *), const Problem *p)
{
    const double a_while = 40e-3;
    double start = now(), end;
    work(p);
    end = now();
    if (end - start >= a_while)
        return end - start;
    int runs = 0;
    start = now();
    do {
        work(p);
        runs++;
        end = now();
    } while (end - start < a_while);
    return (end - start) / runs;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median over the rounds of t, or of t / per; NAN where there is none. */
static double median(const Times *t, const Times *per)
{
    double sorted[ROUNDS];
    size_t n = 0;
    for (int r = 0; r < ROUNDS; r++)
        if (t->sample[r] > 0 && (!per || per->sample[r] > 0))
            sorted[n++] = t->sample[r] / (per ? per->sample[r] : 1);
    qsort(sorted, n, sizeof *sorted, compare);
    return n == 0 ? NAN : (sorted[n / 2] + sorted[(n - 1) / 2]) / 2;
}

/* The naive form is cubic times d and is not run on the large problem; the arguments of the
 * exponentials belong to the small one. */
static bool at_both_sizes(int work) { return work != CYCLE && work != EXPS && work != NAIVE; }

static void measure_round(int round, const Problem problem[SIZES], const Peer *peer,
                          Times times[SIZES][WORKS], json_t *peer_o[2])
{
    bool slow = round % SLOW_EVERY == 0;
    for (int w = 0; w < WORKS; w++) {
        double *sample = &times[SMALL][w].sample[round];
        bool to_do = slow || (w != NAIVE && w != PEER_NAIVE);
        if (to_do && works[w].work)
            *sample = seconds_of(works[w].work, &problem[SMALL]) / (w == CYCLE ? ADDITIONS : 1);
        else if (to_do && peer->python)
            *sample = w == PEER ? run_peer(peer, "parallel", &peer_o[0])
                                : run_peer(peer, "naive", &peer_o[1]);
    }
    for (int w = 0; slow && w < WORKS; w++)
        if (works[w].work && at_both_sizes(w))
            times[LARGE][w].sample[round] = seconds_of(works[w].work, &problem[LARGE]);
}

/* ---- reporting ------------------------------------------------------------------------------ */

typedef struct Ratio {
    const char *name;
    double ms;
    const char *against;
    double against_ms;
    double ratio; /* of the first to the second, */
    bool at_most; /* which must be at most (at least) this; 0: for information */
    double requirement;
} Ratio;

static void print_ratio(const Ratio *r, json_t *into)
{
    char text[40] = "";
    bool met = r->at_most ? r->ratio <= r->requirement : r->ratio >= r->requirement;
    if (r->requirement > 0)
        (void)snprintf(text, sizeof text, "  %s %2.0f  %s",
                       r->at_most ? "<=" : ">=", r->requirement, met ? "met" : "not met");
    printf("%-34s %9.3f  %-19s %9.3f %6.2f%s\n", r->name, r->ms, r->against, r->against_ms,
           r->ratio, text);
    json_t *entry = json_pack("{s:s, s:f, s:s, s:f, s:f}", "name", r->name, "milliseconds", r->ms,
                              "against", r->against, "against_milliseconds", r->against_ms, "ratio",
                              r->ratio);
    if (r->requirement > 0) {
        json_object_set_new(entry, r->at_most ? "at_most" : "at_least", json_real(r->requirement));
        json_object_set_new(entry, "met", json_boolean(met));
    }
    json_array_append_new(into, entry);
}

static void print_head(const Problem *p, Counts c, double cycle, double exps)
{
    printf("L = %zu, d = %zu, %d bits, one thread, medians of processor time; this core runs at "
           "%.2f GHz\n\n",
           p->length, p->dim, BITS, 1e-9 / cycle);
    printf("Theorem 1 under its masks:  multiply-adds  %6.0f = 3 d L(L+1)/2 + 2 d L(L-1)/2 + "
           "L(L^2-1)/6\n",
           c.multiply_adds);
    printf("                            exponentials   %6.0f = L(L-1)/2 + L(L-1)/2 + L(L+1)/2\n",
           c.exps);
    printf("Limit of time:    %.2f ns and %.0f ns each, measured on a core at %.1f GHz\n",
           LIMIT_MULTIPLY_ADD * 1e9, LIMIT_EXP * 1e9, LIMIT_CLOCK * 1e-9);
    printf("Limit of cycles:  the same scaled to this core's clock, %.2f and %.0f cycles each\n",
           LIMIT_MULTIPLY_ADD * LIMIT_CLOCK, LIMIT_EXP * LIMIT_CLOCK);
    printf("arb_exp alone:    %.0f ns = %.0f cycles each\n\n", exps / c.exps * 1e9,
           exps / c.exps / cycle);
    printf("%-34s %9s  %-19s %9s %6s  requirement\n", "", "ms", "against", "ms", "ratio");
}

static json_t *report_ratios(const Problem *p, const Times t[WORKS], bool with_peer)
{
    Counts c = counts(p);
    double limit = c.multiply_adds * LIMIT_MULTIPLY_ADD + c.exps * LIMIT_EXP;
    double cycles = limit * LIMIT_CLOCK;
    double cycle = median(&t[CYCLE], NULL), here = cycles * cycle;
    double ours = median(&t[ORACLE], NULL), exps = median(&t[EXPS], NULL);
    print_head(p, c, cycle, exps);
    const Ratio ratios[] = {
        {"oracle", ours * 1e3, "limit of time", limit * 1e3, ours / limit, true, 5},
        {"oracle", ours * 1e3, "limit of cycles", here * 1e3,
         median(&t[ORACLE], &t[CYCLE]) / cycles, true, 5},
        {"  of which arb_exp alone", exps * 1e3, "limit of time", limit * 1e3, exps / limit, true,
         0},
        {"  of which arb_exp alone", exps * 1e3, "limit of cycles", here * 1e3,
         median(&t[EXPS], &t[CYCLE]) / cycles, true, 0},
        {"mpmath with gmpy2, parallel form", median(&t[PEER], NULL) * 1e3, "oracle", ours * 1e3,
         median(&t[PEER], &t[ORACLE]), false, 15},
        {"mpmath with gmpy2, naive form", median(&t[PEER_NAIVE], NULL) * 1e3, "naive form in MPFR",
         median(&t[NAIVE], NULL) * 1e3, median(&t[PEER_NAIVE], &t[NAIVE]), false, 8},
    };
    json_t *entries = json_array();
    for (size_t k = 0; k < (with_peer ? 6 : 4); k++)
        print_ratio(&ratios[k], entries);
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "clock_ghz", 1e-9 / cycle, "multiply_adds",
                     c.multiply_adds, "exponentials", c.exps, "limit_of_time_ms", limit * 1e3,
                     "limit_of_cycles_ms", here * 1e3, "ratios", entries);
}

/* Adds the agreements to the report. */
static void report_agreement(const Problem *p, json_t *peer_o[2], json_t *report)
{
    double bits[] = {agreement(p, parallel, ball_system(BITS), peer_o[0]),
                     agreement(p, sequential, mpfr_system(BITS), peer_o[1])};
    printf("\no agrees with mpmath's to %.1f bits (oracle's balls) and %.1f bits (naive form); "
           "%d needed: %s\n",
           bits[0], bits[1], AGREED_BITS,
           fmin(bits[0], bits[1]) >= AGREED_BITS ? "met" : "not met");
    json_object_set_new(report, "agreed_bits",
                        json_pack("{s:f, s:f}", "parallel", bits[0], "naive", bits[1]));
}

/* Milliseconds, round by round; null where a round left it out. */
static json_t *samples(const Times *t)
{
    json_t *all = json_array();
    for (int r = 0; r < ROUNDS; r++)
        json_array_append_new(all, t->sample[r] > 0 ? json_real(t->sample[r] * 1e3) : json_null());
    return all;
}

static void report_times(const Problem problem[SIZES], Times times[SIZES][WORKS], json_t *report)
{
    printf("\n%-36s", "For information, ms");
    for (int s = 0; s < SIZES; s++)
        printf("  L = %3zu, d = %2zu", problem[s].length, problem[s].dim);
    printf("\n");
    json_t *all = json_object();
    for (int w = CYCLE + 1; w < WORKS; w++) {
        if (isnan(median(&times[SMALL][w], NULL)))
            continue;
        json_t *entry = json_object();
        printf("%-36s", works[w].name);
        for (int s = 0; s < SIZES; s++) {
            char key[60];
            double ms = median(&times[s][w], NULL) * 1e3;
            if (isnan(ms))
                continue;
            printf(" %15.3f", ms);
            (void)snprintf(key, sizeof key, "%zux%zu", problem[s].length, problem[s].dim);
            json_object_set_new(entry, key, samples(&times[s][w]));
        }
        printf("\n");
        json_object_set_new(all, works[w].name, entry);
    }
    json_object_set_new(report, "samples_ms", all);
}

int main(int argc, char **argv)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 27); /* as the castle program does */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    if (argc != 3) {
        (void)fprintf(stderr, "usage: bench FOLDER PEER\n");
        return 2;
    }
    omp_set_num_threads(1);
    if (mkdir(argv[1], 0777) != 0 && errno != EEXIST)
        give_up("cannot make", argv[1]);
    char inputs[1000], results[1000];
    (void)snprintf(inputs, sizeof inputs, "%s/inputs.json", argv[1]);
    (void)snprintf(results, sizeof results, "%s/bench.json", argv[1]);

    Problem problem[SIZES] = {random_problem(64, 16), random_problem(256, 64)};
    write_inputs(&problem[SMALL], inputs);
    collect_exp_arguments(&problem[SMALL]);
    Peer peer = {find_python(argv[2]), argv[2], inputs};
    if (!peer.python)
        printf("Without Python's mpmath and gmpy2 there is nothing to compare with: make deps-dev "
               "installs them.\n");
    static Times times[SIZES][WORKS];
    json_t *peer_o[2] = {NULL, NULL};
    for (int w = 0; w < WORKS; w++)
        if (works[w].work)
            works[w].work(&problem[SMALL]); /* warm up */
    for (int round = 0; round < ROUNDS; round++)
        measure_round(round, problem, &peer, times, peer_o);

    json_t *report = report_ratios(&problem[SMALL], times[SMALL], peer.python);
    if (peer.python)
        report_agreement(&problem[SMALL], peer_o, report);
    report_times(problem, times, report);
    json_object_set_new(report, "version", json_string(CASTLE_VERSION));
    write_json(report, results);
    for (int k = 0; k < 2; k++)
        json_decref(peer_o[k]);
    for (int s = 0; s < SIZES; s++)
        free_problem(&problem[s]);
    _arb_vec_clear(exp_arguments, exp_count);
    return 0;
}
