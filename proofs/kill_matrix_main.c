/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kill_matrix_main.c - every known-wrong kernel on every golden case of a head: prints
 * docs/kill-matrix.md.
 * Exit status 1 where the suite does not do what the page promises.
 *
 * A mutant answers each case in the case's arithmetic, every rounding played, and is judged as
 * `castle
 * check` judges. One that no case of a type catches is run again without roundings of its own, to
 * see how
 * large its effect is at most.
 */
#include "diagnose.h"
#include "golden.h"
#include "mutant_kernel.h"
#include "progress.h"
#include "scales.h"
#include "bug.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 80 };
static const double VISIBLE = 20; /* sigmas: a mutant of a larger effect must be caught */
static const double NAMED_RATE = 0.95;

/* Where mistakes are named as well. */
static const char *const naming_rows[] = {"plain-scale-odd",
                                          "plain-two-blocks",
                                          "plain-without-silu",
                                          "trained-first-rows",
                                          "plain-without-causal-keys",
                                          "window-17",
                                          "neg-300",
                                          "large-su-200",
                                          "offset-64",
                                          "saturated-50",
                                          "equal-keys-duplicates",
                                          "loss-scale-13",
                                          "integers-half-gates"};

/* A case with its truth. */
typedef struct Subject {
    const GoldenCase *of;
    Task task;
    Problem problem; /* its first head */
    Oracle *oracle;
    Scales *scales;
    size_t elements[ANSWERS];
    Score *scores[ANSWERS];
    bool named_here;
} Subject;

typedef struct Tally {
    size_t cases, caught, named_of, named;
    const char *first;
    double z, effect;
} Tally;

static bool is_subject(const GoldenCase *c)
{
    return c->tier == TIER_CORE && !(c->kinds & KIND_LAYER) && c->length <= MOST_TOKENS;
}

static bool is_naming_case(const GoldenCase *c)
{
    if (c->type == TYPE_F64)
        return false; /* for time: nothing is hidden by rounding there */
    for (size_t k = 0; k < sizeof naming_rows / sizeof *naming_rows; k++) {
        size_t n = strlen(naming_rows[k]);
        if (strncmp(c->id, naming_rows[k], n) == 0 && c->id[n] == '-' &&
            strcmp(c->id + n + 1, case_type_suffix(c->type)) == 0)
            return true;
    }
    return false;
}

static void subject_begin(Subject *s, const GoldenCase *c)
{
    Failure f;
    *s = (Subject){.of = c, .named_here = is_naming_case(c)};
    if (!golden_task(&s->task, c, "vectors/dumps", &f)) {
        (void)fprintf(stderr, "kill_matrix: %s\n", f.text);
        exit(2);
    }
    s->problem = task_problem(&s->task, 0);
    s->oracle = oracle(&s->problem, false, false);
    s->scales = error_scales(&s->problem, &s->task.arithmetic, s->oracle, SCALE_SEED);
    for (Answer a = 0; a < ANSWERS; a++)
        if (problem_has(&s->problem, a)) {
            s->elements[a] = s->oracle->truth[a].rows * s->oracle->truth[a].cols;
            s->scores[a] = room_for(__func__, s->elements[a], sizeof(Score));
        }
}

/* ---- judging --------------------------------------------------------------------------------- */

typedef struct Outcome {
    Judgement judgement;
    double z;
} Outcome;

/* Fills the subject's scores. */
static Outcome judged(Subject *s, const MutantAnswers *m)
{
    Outcome worst = {RIGHT, 0};
    for (Answer a = 0; a < ANSWERS; a++) {
        if (!m->of[a])
            continue;
        Verdict v = verdict_begin(s->elements[a]);
        for (size_t k = 0; k < s->elements[a]; k++) {
            s->scores[a][k] = score_element(&s->oracle->truth[a], k, s->scales->sigma[a][k],
                                            s->scales->bound[a][k], m->of[a][k]);
            verdict_add(&v, k, s->scores[a][k], m->of[a][k]);
        }
        verdict_end(&v);
        /* suspect for want of anything to judge, beside a NaN, says nothing of the kernel */
        bool said = v.judgement == WRONG || v.worst_score.z >= v.thresholds.suspect;
        if (said && v.judgement > worst.judgement)
            worst.judgement = v.judgement;
        worst.z = fmax(worst.z, v.worst_score.z);
    }
    return worst;
}

/* Whether the first mistake named is mutant k, or one that nothing tells from it. */
static bool named_rightly(Lineup *l, const Subject *s, const MutantAnswers *m, size_t k)
{
    Diagnosis d = diagnose(l, (const double *const *)m->of, (const Score *const *)s->scores);
    if (!d.count)
        return false;
    size_t first = 0;
    while (mutant_at(first) != d.mutant[0])
        first++;
    return first == k || mutants_alike(l, first, k, (const Score *const *)s->scores);
}

/* Cases that call the right kernel suspect. */
typedef struct Suspect {
    const char *id;
    double z;
} Suspect;
enum { MOST_SUSPECTS = 1000 };
static Suspect suspects[MOST_SUSPECTS];
static bool right_kernel_is_wrong;

static void run_subject(Subject *s, Tally *tallies, size_t *not_right)
{
    MutantAnswers right = mutant_kernel(&s->problem, &s->task.arithmetic, NULL, ROUND_EACH, 0);
    Outcome o = judged(s, &right);
    mutant_answers_free(&right);
    if (o.judgement != RIGHT) {
        right_kernel_is_wrong |= o.judgement == WRONG;
        suspects[(*not_right)++] = (Suspect){s->of->id, o.z};
    }
    Lineup *l = s->named_here ? lineup(&s->problem, &s->task.arithmetic) : NULL;
    for (size_t k = 0; k < mutant_count(); k++) {
        MutantAnswers m = mutant_kernel(&s->problem, &s->task.arithmetic, mutant_at(k), ROUND_EACH,
                                        0);
        o = judged(s, &m);
        Tally *t = &tallies[k * NUMBER_TYPES + s->of->type];
        t->cases++;
        t->z = fmax(t->z, o.z);
        if (o.judgement == WRONG) {
            if (!t->caught++)
                t->first = s->of->id;
            t->named_of += l != NULL;
            bool named = l && named_rightly(l, s, &m, k);
            t->named += named;
            if (l && !named && getenv("CASTLE_TEST_LONG"))
                (void)fprintf(stderr, "%s: %s is not named\n", s->of->id, mutant_at(k)->name);
        }
        mutant_answers_free(&m);
    }
    lineup_free(l);
}

/* The largest z of the mutants' exact answers: what rounding has no part in. */
static void find_effect(Subject *s, size_t k, Tally *t)
{
    MutantAnswers m = mutant_kernel(&s->problem, &s->task.arithmetic, mutant_at(k), ROUND_NOTHING,
                                    0);
    t->effect = fmax(t->effect, judged(s, &m).z);
    mutant_answers_free(&m);
}

/* ---- the page -------------------------------------------------------------------------------- */

static const NumberType types[] = {TYPE_F64, TYPE_F32, TYPE_BF16, TYPE_F16};

static void print_type(NumberType type, const Tally *tallies)
{
    printf("\n## %s\n\n| mutant | caught by | first | largest z | named |\n|---|---|---|---|---|\n",
           case_arithmetic(type));
    for (size_t k = 0; k < mutant_count(); k++) {
        const Tally *t = &tallies[k * NUMBER_TYPES + type];
        printf("| %s %s | %zu | %s | %.2g |", mutant_at(k)->id, mutant_at(k)->name, t->caught,
               t->first ? t->first : "-", t->z);
        if (t->named_of)
            printf(" %zu of %zu |\n", t->named, t->named_of);
        else
            printf(" - |\n");
    }
    printf("\nCaught by no case:\n\n");
    size_t escaped = 0;
    for (size_t k = 0; k < mutant_count(); k++) {
        const Tally *t = &tallies[k * NUMBER_TYPES + type];
        if (t->caught)
            continue;
        printf("* %s %s: without roundings of its own at most %.2g sigma in any case\n",
               mutant_at(k)->id, mutant_at(k)->name, t->effect);
        escaped++;
    }
    if (!escaped)
        printf("* none\n");
}

typedef struct Sums {
    size_t caught, named_of, named, visible_escapes;
} Sums;

static Sums sums_of(NumberType type, const Tally *tallies)
{
    Sums s = {0};
    for (size_t k = 0; k < mutant_count(); k++) {
        const Tally *t = &tallies[k * NUMBER_TYPES + type];
        s.caught += t->caught > 0;
        s.named_of += t->named_of;
        s.named += t->named;
        s.visible_escapes += !t->caught && t->effect > VISIBLE;
    }
    return s;
}

static void print_suspects(size_t count)
{
    if (!count)
        return;
    printf("\nIt is suspect in these. Their large scores come from one large column of an operand, "
           "and "
           "with it of dKC or\ndVU; sigma is pooled over the row, and so too small for that "
           "column, by sqrt(d) at most.\n\n");
    for (size_t k = 0; k < count; k++)
        printf("* %s: z %.2g\n", suspects[k].id, suspects[k].z);
}

static void print_naming_rows(void)
{
    size_t count = sizeof naming_rows / sizeof *naming_rows, column = 0;
    for (size_t k = 0; k < count; k++) {
        column += strlen(naming_rows[k]) + 2;
        if (column > 98) {
            printf("\n");
            column = strlen(naming_rows[k]) + 2;
        }
        printf("%s%s", naming_rows[k], k + 1 < count ? ", " : ".\n");
    }
}

static void print_head(size_t not_right)
{
    printf(
        "# Which golden cases catch which known-wrong kernel\n\n"
        "Made by `make mutants`. %zu mutants, each one change of one kernel (vectors/mutants.c), "
        "answer\nthe first head of every core case of heads with L up to %d, every rounding of "
        "the case's type played.\nA case *catches* a mutant whose answers are judged wrong. The "
        "kernel without a change is wrong in none.\n",
        mutant_count(), (int)MOST_TOKENS);
    print_suspects(not_right);
    printf(
        "\n*named*: where a mutant is caught, whether the first mistake that `castle check` names "
        "is that mutant\n(or one whose answers differ from its by less than a sigma), in the "
        "cases of these rows:\n");
    print_naming_rows();
    printf(
        "\nA mutant that no case catches is listed with its largest effect: the z of its answers "
        "without roundings of\ntheir own. Below %.0f sigma rounding may hide it. `nan-swallowed` "
        "changes only what a NaN reaches, which is\nnot judged; flushing subnormal numbers is "
        "within the declared arithmetic (rule N1 of proofs/rounding.md).\n",
        VISIBLE);
    printf("\n| type | cases | mutants caught | named |\n|---|---|---|---|\n");
}

static bool print_page(const size_t *cases, size_t not_right, const Tally *tallies)
{
    bool good = !right_kernel_is_wrong;
    print_head(not_right);
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        Sums s = sums_of(types[k], tallies);
        printf("| %s | %zu | %zu of %zu |", case_arithmetic(types[k]), cases[types[k]], s.caught,
               mutant_count());
        if (s.named_of)
            printf(" %zu of %zu, %.1f %% |\n", s.named, s.named_of,
                   100.0 * (double)s.named / (double)s.named_of);
        else
            printf(" - |\n");
        good = good && !s.visible_escapes && (double)s.named >= NAMED_RATE * (double)s.named_of;
    }
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        print_type(types[k], tallies);
    return good;
}

int main(void)
{
    Cases all;
    Failure f;
    if (!cases_read(&all, NULL, &f)) {
        (void)fprintf(stderr, "kill_matrix: %s\n", f.text);
        return 2;
    }
    Subject *subjects = room_for(__func__, all.count, sizeof *subjects);
    Tally *tallies = room_for(__func__, mutant_count() * NUMBER_TYPES, sizeof *tallies);
    size_t cases[NUMBER_TYPES] = {0}, not_right = 0;
    Progress *progress = progress_begin("mutants", "case", all.count);
    for (size_t k = 0; k < all.count; k++) {
        if (is_subject(&all.at[k])) {
            subject_begin(&subjects[k], &all.at[k]);
            run_subject(&subjects[k], tallies, &not_right);
            cases[all.at[k].type]++;
        }
        progress_step(progress);
    }
    progress_end(progress);
    for (size_t k = 0; k < all.count; k++)
        for (size_t m = 0; subjects[k].of && m < mutant_count(); m++) {
            Tally *t = &tallies[m * NUMBER_TYPES + subjects[k].of->type];
            if (!t->caught)
                find_effect(&subjects[k], m, t);
        }
    bool good = print_page(cases, not_right, tallies);
    for (size_t k = 0; k < all.count; k++) {
        for (Answer a = 0; a < ANSWERS; a++)
            free(subjects[k].scores[a]);
        scales_free(subjects[k].scales);
        if (subjects[k].of)
            oracle_free(subjects[k].oracle);
        task_free(&subjects[k].task);
    }
    free(subjects);
    free(tallies);
    cases_free(&all);
    return good ? 0 : 1;
}
