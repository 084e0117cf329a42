/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of golden cases: what it promises of itself, and that a malformed one gets a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "answers.h"
#include "cases.h"
#include "vectors_support.h"

static Cases cases;

static int read_built_in(void **state)
{
    Failure f;
    if (!cases_read(&cases, NULL, &f)) {
        print_error("%s\n", f.text);
        return -1;
    }
    return scratch_make(state);
}

static int drop_built_in(void **state)
{
    cases_free(&cases);
    return scratch_remove(state);
}

/* ---- the table that there is --------------------------------------------------------------------- */

static void the_program_carries_the_file(void **state)
{
    (void)state;
    Cases file;
    Failure f;
    assert_true(cases_read(&file, "vectors/cases.json", &f));
    assert_int_equal(file.count, cases.count);
    for (size_t k = 0; k < file.count; k++) {
        assert_string_equal(file.at[k].id, cases.at[k].id);
        assert_string_equal(file.at[k].purpose, cases.at[k].purpose);
        assert_int_equal(file.at[k].seed, cases.at[k].seed);
    }
    cases_free(&file);
}

static void every_id_finds_its_case(void **state)
{
    (void)state;
    for (size_t k = 0; k < cases.count; k++) {
        const GoldenCase *c = &cases.at[k];
        const char *suffix = strrchr(c->id, '-');
        assert_ptr_equal(cases_find(&cases, c->id), c); /* the first of that name: none is twice */
        assert_string_equal(suffix + 1, case_type_suffix(c->type));
    }
    assert_null(cases_find(&cases, "plain"));
    assert_null(cases_find(&cases, ""));
}

static void core_has_every_family_in_every_type(void **state)
{
    (void)state;
    size_t core = 0;
    bool there[CASE_FAMILIES][NUMBER_TYPES] = {{false}};
    for (size_t k = 0; k < cases.count; k++)
        if (cases.at[k].tier == TIER_CORE) {
            core++;
            there[cases.at[k].family][cases.at[k].type] = true;
        }
    assert_true(core >= 150);
    for (CaseFamily f = 0; f < CASE_FAMILIES; f++)
        for (unsigned t = 0; t < NUMBER_TYPES; t++)
            if (!there[f][t])
                fail_msg("family %s has no %s", case_family_name(f),
                         case_type_suffix((NumberType)t));
}

static void every_kind_flag_and_variant_is_there(void **state)
{
    (void)state;
    unsigned kinds = 0, flags = 0, variants = 0, specials = 0;
    for (size_t k = 0; k < cases.count; k++) {
        const GoldenCase *c = &cases.at[k];
        kinds |= c->kinds;
        flags |= c->flags;
        variants |= 1U << c->variant;
        if (c->special)
            specials |= 1U << (unsigned)(strlen(c->special) %
                                         8); /* 3 nan inf, 4 -inf, 1 subnormal, 6 its keys */
    }
    assert_int_equal(kinds, (1U << CASE_KINDS) - 1);
    assert_int_equal(flags, (1U << CASE_FLAGS) - 1);
    assert_int_equal(variants, 7);
    assert_int_equal(specials, 1U << 3 | 1U << 4 | 1U << 1 | 1U << 6);
}

static void every_bug_is_after_something(void **state)
{
    (void)state;
    for (size_t b = 0; b < cases.bugs; b++) {
        size_t uses = 0;
        for (size_t k = 0; k < cases.count; k++)
            for (size_t i = 0; i < cases.at[k].bugs; i++)
                uses += cases.at[k].bug[i] == cases.bug[b].id;
        if (uses == 0)
            fail_msg("no case is after %s", cases.bug[b].id);
    }
    for (size_t k = 0; k < cases.count; k++)
        assert_true(cases.at[k].bugs > 0);
}

/* Cases of one row share a seed, those of two rows never do. */
static void rows_draw_from_streams_of_their_own(void **state)
{
    (void)state;
    for (size_t k = 0; k < cases.count; k++)
        for (size_t i = 0; i < k; i++) {
            const char *a = cases.at[i].id, *b = cases.at[k].id;
            size_t stem = (size_t)(strrchr(a, '-') - a) + 1;
            bool one_row = strncmp(a, b, stem) == 0 && !strchr(b + stem, '-');
            if (one_row != (cases.at[i].seed == cases.at[k].seed))
                fail_msg("%s and %s: seeds %lu and %lu", a, b, cases.at[i].seed, cases.at[k].seed);
        }
}

/* What the files of core will take: inputs in the type; for an answer its value and tail in binary64,
 * the value in the type, sigma in float32; and a header. */
static double bytes_of(const GoldenCase *c)
{
    double heads = (double)(c->batch * c->heads), L = (double)c->length, d = (double)c->dim;
    double type = (double)number_type_bytes(c->type), answer = 8 + 8 + type + 4;
    double tensor = heads * L * d, stage = heads * L * L, bytes = 8000;
    bool gradients = c->kinds & KIND_GRADIENTS;
    if (c->kinds & KIND_LAYER) {
        double x = (double)(c->batch * c->length * c->model),
               w = (double)(c->heads * c->dim * c->model);
        return bytes + (x + 7 * w) * (type + (gradients ? answer : 0)) + x * (answer + type);
    }
    bytes += (6 + gradients) * tensor * type + (gradients ? 8 : 2) * tensor * answer;
    bytes += heads * L * answer;
    if (c->kinds & KIND_STAGES)
        bytes += (gradients ? 10 : 5) * stage * answer;
    for (size_t k = 0; k < c->steps; k++)
        bytes += heads * (double)c->step[k] * d * answer;
    return bytes;
}

static void core_fits_30_megabytes(void **state)
{
    (void)state;
    double sum = 0;
    for (size_t k = 0; k < cases.count; k++)
        if (cases.at[k].tier == TIER_CORE) {
            sum += bytes_of(&cases.at[k]);
            assert_true(bytes_of(&cases.at[k]) < 1e6);
            assert_true(cases.at[k].length <= 300);
        }
    if (sum > 30e6)
        fail_msg("core takes %.1f MB", sum / 1e6);
}

static bool row_is_there(CaseFamily family, size_t window, size_t length)
{
    for (size_t k = 0; k < cases.count; k++)
        if (cases.at[k].family == family && cases.at[k].window == window &&
            cases.at[k].length >= length)
            return true;
    return false;
}

/* 0, 1, B - 1, B, B + 1, 2B + 1 for blocks of 16 and of 64, with L of two blocks at least; L - 1, L, and more. */
static void windows_lie_around_multiples_of_blocks(void **state)
{
    (void)state;
    static const size_t at_40[] = {0, 1, 15, 16, 17, 33, 39, 40}, at_140[] = {63, 64, 65, 129};
    for (size_t k = 0; k < sizeof at_40 / sizeof *at_40; k++)
        assert_true(row_is_there(FAMILY_WINDOW, at_40[k], 40));
    for (size_t k = 0; k < sizeof at_140 / sizeof *at_140; k++)
        assert_true(row_is_there(FAMILY_WINDOW, at_140[k], 140));
    assert_true(row_is_there(FAMILY_WINDOW, 4000, 1));
}

static void shapes_are_what_families_promise(void **state)
{
    (void)state;
    for (size_t k = 0; k < cases.count; k++) {
        const GoldenCase *c = &cases.at[k];
        size_t d = c->dim;
        if (c->family == FAMILY_TINY)
            assert_true(c->length <= 3 || d == 1);
        if (c->family ==
            FAMILY_RAGGED) /* odd: a multiple of no block but 1; at least 4 blocks of 16 */
            assert_true(c->length % 2 == 1 && c->length > 48);
        if (c->family == FAMILY_DIM)
            assert_true(d != 16 && d != 32 && d != 64);
        if (c->tier == TIER_PAPER)
            assert_true(c->length >= 2047 && (d == 64 || d == 96 || d == 128));
    }
}

static void decode_splits_add_up(void **state)
{
    (void)state;
    size_t seen = 0;
    for (size_t k = 0; k < cases.count; k++) {
        const GoldenCase *c = &cases.at[k];
        assert_int_equal(c->splits > 0, (c->kinds & KIND_DECODE) != 0);
        for (size_t s = 0; s < c->splits; s++, seen++) {
            size_t sum = 0;
            for (size_t i = 0; i < c->split[s].chunks; i++)
                sum += c->split[s].chunk[i];
            assert_int_equal(sum, c->length);
        }
    }
    assert_true(seen > 0);
    const GoldenCase *c = cases_find(&cases, "plain-decode-f32");
    assert_non_null(c);
    assert_int_equal(c->split[0].chunks, 40); /* "1*40" */
    assert_int_equal(c->split[2].chunks, 18); /* "16 8 1*16" */
    assert_int_equal(c->split[2].chunk[1], 8);
    assert_int_equal(c->split[2].chunk[17], 1);
}

/* ---- tables that are refused ---------------------------------------------------------------------- */

#define GOOD "\"id\": \"a\", \"types\": \"f32\", \"L\": 8, \"d\": 4, \"seed\": 1, \"for\": \"x\", "
#define ROW "{" GOOD "\"bugs\": \"b\", \"family\": "
#define AT "row \"a\", field "
#define DECODE ROW "\"plain\", \"kinds\": \"forward decode\", \"steps\": [1, 8], \"splits\": "

/* Writes a table of these rows, sound but for them, and reads it. */
static bool read_rows(Cases *c, const char *rows, Failure *f)
{
    static char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, "{\"families\": {");
    for (CaseFamily k = 0; k < CASE_FAMILIES; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%s\": {\"why\": \"x\"}",
                                 k ? ", " : "", case_family_name(k));
    used += (size_t)snprintf(text + used, sizeof text - used,
                             "}, \"bugs\": {\"b\": \"x\", \"c\": \"y\"}, \"cases\": [%s]}", rows);
    assert_true(used < sizeof text);
    write_file(scratch_path("table.json"), text, used);
    return cases_read(c, scratch_path("table.json"), f);
}

static const struct {
    const char *rows, *expected;
} refusals[] = {
    {"", "cases: expected a list with at least one row"},
    {"3", "row 1, field \"id\": expected an object"},
    {"{\"id\": \"A\"}", "row 1, field \"id\": \"A\" is not of a-z 0-9 and -"},
    {"{\"id\": \"9a\"}", "row 1, field \"id\": \"9a\" is not of"},
    {"{\"id\": \"\"}", "row 1, field \"id\": \"\" is not of"},
    {ROW "\"plain\"}, " ROW "\"tiny\"}", AT "\"id\": there is a case \"a-f32\" already"},
    {"{\"id\": \"a\"}", AT "\"family\": it is missing, expected a string"},
    {ROW "\"odd\"}", AT "\"family\": \"odd\" is none of plain trained tiny"},
    {ROW "7}", AT "\"family\": expected a string"},
    {ROW "\"plain\", \"colour\": 1}", AT "\"colour\": no row has such a field"},
    {ROW "\"plain\", \"tier\": \"big\"}", AT "\"tier\": \"big\" is none of core paper"},
    {ROW "\"plain\", \"kinds\": \"gradients\"}", AT "\"kinds\": \"forward\" is part of every case"},
    {ROW "\"plain\", \"kinds\": \"forward variant\"}",
     AT "\"kinds\": \"variant\" is none of forward"},
    {ROW "\"plain\", \"kinds\": \"forward  stages\"}", AT "\"kinds\": \"\" is none of"},
    {ROW "\"plain\", \"kinds\": \"forward forward\"}",
     AT "\"kinds\": \"forward\" stands there twice"},
    {ROW "\"plain\", \"flags\": \"odd\"}", AT "\"flags\": \"odd\" is none of ties nonfinite"},
    {ROW "\"plain\", \"variant\": \"x\"}",
     AT "\"variant\": \"x\" is none of castle without-causal"},
    {ROW "\"plain\", \"batch\": 0}", AT "\"batch\": expected a whole number from 1 to 64"},
    {ROW "\"plain\", \"heads\": \"2\"}", AT "\"heads\": expected a whole number from 1 to 64"},
    {ROW "\"plain\", \"window\": -1}", AT "\"window\": expected \"none\" or a whole number"},
    {ROW "\"plain\", \"window\": \"all\"}", AT "\"window\": expected \"none\" or a whole number"},
    {ROW "\"plain\", \"scale\": 0}", AT "\"scale\": expected \"1/sqrt(d)\" or a number above 0"},
    {ROW "\"plain\", \"scale\": \"1\"}",
     AT "\"scale\": expected \"1/sqrt(d)\" or a number above 0"},
    {ROW "\"neg\", \"level\": -300, \"scale\": 1}", AT "\"scale\": family neg takes no scale but"},
    {ROW "\"plain\", \"level\": 1}", AT "\"level\": family plain has none"},
    {ROW "\"neg\"}", AT "\"level\": family neg takes a whole number from -62000 to -100"},
    {ROW "\"neg\", \"level\": -300.5}", AT "\"level\": family neg takes a whole number"},
    {ROW "\"drift\", \"level\": 0.3}", AT "\"level\": family drift takes a multiple of 1/16"},
    {ROW "\"outlier\", \"level\": 21}",
     AT "\"level\": family outlier takes a whole number from 17"},
    {ROW "\"loss-scale\", \"level\": 1, \"kinds\": \"forward\"}",
     AT "\"kinds\": family loss-scale is for gradients"},
    {"{\"id\": \"a\", \"family\": \"integers\", \"L\": 2, \"d\": 8, \"seed\": 1}",
     AT "\"d\": family integers takes 1, 4, 16 or 64"},
    {"{\"id\": \"a\", \"family\": \"plain\", \"d\": 8, \"seed\": 1}",
     AT "\"L\": it is missing, expected a number from 1 to 4096"},
    {"{\"id\": \"a\", \"family\": \"plain\", \"L\": 8, \"d\": 300, \"seed\": 1}",
     AT "\"d\": expected a whole number from 1 to 256"},
    {"{\"id\": \"a\", \"family\": \"plain\", \"L\": 8, \"d\": 3}", AT "\"seed\": it is missing"},
    {"{\"id\": \"a\", \"family\": \"plain\", \"L\": 8, \"d\": 3, \"seed\": 1, \"for\": \"\"}",
     AT "\"for\": it is empty"},
    {"{" GOOD "\"family\": \"plain\"}", AT "\"bugs\": it is missing"},
    {"{" GOOD "\"family\": \"plain\", \"bugs\": \"b odd\"}", AT "\"bugs\": \"odd\" is not in the"},
    {"{" GOOD "\"family\": \"plain\", \"bugs\": \"b c b\"}",
     AT "\"bugs\": \"b\" stands there twice"},
    {"{\"id\": \"a\", \"types\": \"f32 f8\"}", AT "\"types\": \"f8\" is none of f64 f32 f16 bf16"},
    {"{\"id\": \"a\", \"types\": \"\"}", AT "\"types\": it is empty"},
    {ROW "\"plain\", \"source\": \"x\"}", AT "\"source\": only cases of family trained have it"},
    {ROW "\"trained\"}", AT "\"source\": it is missing"},
    {ROW "\"trained\", \"source\": \"../x\"}", AT "\"source\": expected a dump's name, of a-z"},
    {ROW "\"trained\", \"source\": \"x\", \"batch\": 2}", AT "\"batch\": trained cases have one"},
    {ROW "\"plain\", \"token\": 1}", AT "\"token\": only cases of family special have it"},
    {ROW "\"special\", \"token\": 8}", AT "\"token\": expected a whole number from 0 to 7"},
    {ROW "\"special\", \"token\": 7, \"tensors\": \"do\"}",
     AT "\"tensors\": \"do\" is none of qu ku"},
    {ROW "\"special\", \"token\": 7, \"value\": \"0\"}",
     AT "\"value\": \"0\" is none of nan inf -inf"},
    {ROW "\"special\", \"token\": 7, \"value\": \"nan\"}",
     AT "\"flags\": the value is nan, so \"nonfinite\" is expected"},
    {ROW "\"plain\", \"steps\": [1]}", AT "\"steps\": only decode cases have it"},
    {ROW "\"plain\", \"kinds\": \"forward decode\"}",
     AT "\"steps\": expected a list of token counts"},
    {ROW "\"plain\", \"kinds\": \"forward decode\", \"steps\": [2, 2]}",
     AT "\"steps\": entry 2 is no"},
    {ROW "\"plain\", \"kinds\": \"forward decode\", \"steps\": [9]}",
     AT "\"steps\": entry 1 is no"},
    {DECODE "3}", AT "\"splits\": expected a list"},
    {DECODE "[3]}", AT "\"splits\": entry 1 is no string"},
    {DECODE "[\"8\", \"1*7\"]}", AT "\"splits\": \"1*7\" adds up to 7, expected L = 8"},
    {DECODE "[\"4 5\"]}", AT "\"splits\": \"4 5\" is no list of chunks"},
    {DECODE "[\"8 0\"]}", AT "\"splits\": \"8 0\" is no list of chunks"},
    {DECODE "[\"-8\"]}", AT "\"splits\": \"-8\" is no list of chunks"},
    {DECODE "[\"2*4x\"]}", AT "\"splits\": \"2*4x\" is no list of chunks"},
    {DECODE "[\"99999*99999\"]}", AT "\"splits\": \"99999*99999\" is no list of chunks"},
    {ROW "\"plain\", \"dm\": 8}", AT "\"dm\": only layer cases have it"},
    {ROW "\"plain\", \"kinds\": \"forward layer\"}", AT "\"dm\": it is missing"},
    {ROW "\"tiny\", \"kinds\": \"forward layer\", \"dm\": 8}", AT "\"family\": layers are plain"},
    {ROW "\"plain\", \"kinds\": \"forward layer stages\", \"dm\": 8}", AT "\"kinds\": a layer has"},
};

static void malformed_rows_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
        Cases c;
        Failure f;
        if (read_rows(&c, refusals[k].rows, &f))
            fail_msg("accepted: %s", refusals[k].rows);
        assert_contains(f.text, refusals[k].expected);
        assert_contains(f.text, "/table.json: ");
        assert_null(c.at);
        assert_null(c.table);
    }
}

static void a_sound_row_is_read(void **state)
{
    (void)state;
    Cases c;
    Failure f;
    if (!read_rows(
            &c, ROW "\"plain\", \"window\": 3, \"scale\": 0.5, \"variant\": \"without-silu\"}", &f))
        fail_msg("%s", f.text);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.at->id, "a-f32");
    assert_int_equal(c.at->kinds, KIND_FORWARD | KIND_GRADIENTS | KIND_VARIANT);
    assert_int_equal(c.at->window, 3);
    assert_true(c.at->scale == 0.5);
    assert_int_equal(c.at->batch, 1);
    assert_int_equal(c.at->bugs, 1);
    assert_string_equal(c.at->bug[0], "b");
    cases_free(&c);
}

static void other_tables_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } tables[] = {
        {"", "line 1, column 0"},
        {"{", "line 1, column 1"},
        {"[]", "families: \"plain\" lacks its \"why\""},
        {"{\"a\": 1}", "\"a\" is none of about families bugs cases"},
        {"{\"bugs\": 1, \"bugs\": 2}", "duplicate object key"},
        {"{\"families\": {\"plain\": {\"why\": \"x\", \"how\": \"y\"}}}",
         "\"plain\" lacks its \"why\""},
    };
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        Cases c;
        Failure f;
        write_file(scratch_path("table.json"), tables[k].text, strlen(tables[k].text));
        assert_false(cases_read(&c, scratch_path("table.json"), &f));
        assert_contains(f.text, tables[k].expected);
    }
    Cases c;
    Failure f;
    assert_false(cases_read(&c, scratch_path("absent.json"), &f));
    assert_contains(f.text, "absent.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_carries_the_file),
        cmocka_unit_test(every_id_finds_its_case),
        cmocka_unit_test(core_has_every_family_in_every_type),
        cmocka_unit_test(every_kind_flag_and_variant_is_there),
        cmocka_unit_test(every_bug_is_after_something),
        cmocka_unit_test(rows_draw_from_streams_of_their_own),
        cmocka_unit_test(core_fits_30_megabytes),
        cmocka_unit_test(windows_lie_around_multiples_of_blocks),
        cmocka_unit_test(shapes_are_what_families_promise),
        cmocka_unit_test(decode_splits_add_up),
        cmocka_unit_test(malformed_rows_are_refused),
        cmocka_unit_test(a_sound_row_is_read),
        cmocka_unit_test(other_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, read_built_in, drop_built_in);
}
