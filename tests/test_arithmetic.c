/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Formats: two implementations of rounding, MPFR's and one on doubles, must agree, and both
 * with the definition. Declarations: what is accepted is what the grammar says, everything else
 * is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>

#include "systems_support.h"

static const Format *const formats[] = {&BINARY64, &BINARY32, &TF32, &BFLOAT16, &BINARY16};
enum { FORMATS = 5 };

/* ---- formats -------------------------------------------------------------------------------- */

static void formats_are_found_by_their_names(void **unused)
{
    (void)unused;
    const char *const names[] = {"float64", "float32", "tf32", "bfloat16", "float16"};
    const char *const wrong[] = {"",         "float", "float3", "float322", "Float32", "float32 ",
                                 " float32", "bf16",  "double", "binary32", "float8"};
    for (size_t k = 0; k < FORMATS; k++) {
        assert_ptr_equal(format_named(names[k]), formats[k]);
        assert_string_equal(formats[k]->name, names[k]);
    }
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        assert_null(format_named(wrong[k]));
}

/* Precision, exponents, largest, smallest subnormal: IEEE 754 and the vendors' documents. */
static void formats_have_their_documented_limits(void **unused)
{
    (void)unused;
    const struct {
        const Format *f;
        double roundoff, largest, smallest;
    } documented[] = {
        {&BINARY64, DBL_EPSILON / 2, DBL_MAX, 0x1p-1074},
        {&BINARY32, FLT_EPSILON / 2, FLT_MAX, 0x1p-149},
        {&TF32, 0x1p-11, 0x1.ffcp127, 0x1p-136},
        {&BFLOAT16, 0x1p-8, 0x1.fep127, 0x1p-133},
        {&BINARY16, 0x1p-11, 65504, 0x1p-24},
    };
    for (size_t k = 0; k < FORMATS; k++) {
        const Format *f = documented[k].f;
        assert_true(format_roundoff(f) == documented[k].roundoff);
        assert_true(format_largest(f) == documented[k].largest);
        /* half of it: for float64 that half is itself no double but 0 */
        assert_true(format_smallest(f) == documented[k].smallest);
    }
}

static double round_by_mpfr(double x, const Format *f, int *ternary)
{
    mpfr_t exact, y;
    mpfr_init2(exact, 53);
    mpfr_init2(y, f->precision);
    mpfr_set_d(exact, x, MPFR_RNDN);
    *ternary = format_round(y, exact, f);
    double result = mpfr_get_d(y, MPFR_RNDN);
    mpfr_clear(exact);
    mpfr_clear(y);
    return result;
}

static void check_rounding(const Format *f, double x, unsigned long seed, long n)
{
    Case here = {f->name, seed, n, 1, 1};
    int ternary;
    double y = format_round_double(x, f), z = round_by_mpfr(x, f, &ternary);
    assert_same(here, 0, 0, y, z);
    assert_same(here, 0, 0, -y, format_round_double(-x, f));
    assert_same(here, 0, 0, format_round_double(y, f), y); /* a fixed point */
    if (!isnan(x) && (ternary > 0) - (ternary < 0) != (z > x) - (z < x))
        entries_differ(here, 0, 0, ternary, (z > x) - (z < x), 0);
    if (f == &BINARY32)
        assert_same(here, 0, 0, y, (double)(float)x); /* the machine's own rounding */
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Random bits fall on every binade of a double; then on the format's own range, with few bits so
 * that ties and representable numbers occur; then around its limits. */
static void two_ways_of_rounding_agree(void **unused)
{
    (void)unused;
    const unsigned long seed = 1;
    gsl_rng *r = random_source(seed);
    for (size_t k = 0; k < FORMATS; k++) {
        const Format *f = formats[k];
        for (long n = 0; n < repetitions(100000); n++) {
            check_rounding(f, from_bits(random_word(r)), seed, n);
            double x = random_double(r, f->emin - f->precision - 2, f->emax + (f->emax < 1023));
            check_rounding(f, x, seed, n);
            uint64_t bits;
            memcpy(&bits, &x, sizeof bits);
            int kept = f->precision + (int)random_up_to(r, 2);
            if (kept < 53)
                bits &= ~UINT64_C(0) << (53 - kept);
            check_rounding(f, from_bits(bits), seed, n);
        }
    }
    gsl_rng_free(r);
}

static void edges_are_rounded_alike(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < FORMATS; k++) {
        const Format *f = formats[k];
        double largest = format_largest(f), least = 2 * ldexp(1, f->emin - f->precision);
        double normal = ldexp(1, f->emin), overflow = largest + ldexp(1, f->emax - f->precision);
        if (f == &BINARY64) {
            least = 0x1p-1074;
            overflow = largest;
        }
        double half = ldexp(1, -f->precision);
        const double edges[] = {0,
                                least,
                                least / 2,
                                least * 1.5,
                                least * 2.5,
                                normal,
                                normal - least,
                                normal - least / 2,
                                largest,
                                overflow,
                                1,
                                1 + half,
                                1 + 3 * half,
                                DBL_MAX,
                                0x1p-1074,
                                INFINITY,
                                NAN};
        for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
            check_rounding(f, edges[e], 0, (long)e);
            check_rounding(f, nextafter(edges[e], INFINITY), 0, (long)e);
            check_rounding(f, nextafter(edges[e], -INFINITY), 0, (long)e);
        }
        if (f == &BINARY64)
            continue;
        assert_true(format_round_double(least / 2, f) == 0); /* a tie, to even */
        assert_true(format_round_double(least * 1.5, f) == 2 * least);
        assert_true(format_round_double(nextafter(least / 2, 1), f) == least);
        assert_true(format_round_double(normal - least / 2, f) == normal);
        assert_true(isinf(format_round_double(overflow, f))); /* a tie, to even */
        assert_true(format_round_double(nextafter(overflow, 0), f) == largest);
        assert_true(format_round_double(1 + half, f) == 1);
        assert_true(format_round_double(1 + 3 * half, f) == 1 + 4 * half);
    }
}

/* From more than double precision: x = tie +- 2^-200 must not be rounded twice. */
static void rounding_is_from_the_exact_value(void **unused)
{
    (void)unused;
    mpfr_t x, y;
    mpfr_init2(x, 300);
    for (size_t k = 0; k < FORMATS; k++) {
        const Format *f = formats[k];
        mpfr_init2(y, f->precision);
        for (int side = -1; side <= 1; side++) {
            const struct {
                int exponent;        /* of the ulp */
                double below, above; /* neighbours, in ulps */
                int even;            /* which one a tie goes to: -1 below */
            } ties[] = {
                {1 - f->precision, ldexp(1, f->precision - 1), ldexp(1, f->precision - 1) + 1, -1},
                {f->emin - f->precision + 1, 3, 4, 1}}; /* subnormal */
            for (size_t t = 0; t < 2; t++) {
                mpfr_set_d(x, ties[t].below, MPFR_RNDN);
                mpfr_add_d(x, x, 0.5, MPFR_RNDN);
                mpfr_t hair;
                mpfr_init2(hair, 53);
                mpfr_set_d(hair, side, MPFR_RNDN);
                mpfr_div_2ui(hair, hair, 200, MPFR_RNDN);
                mpfr_add(x, x, hair, MPFR_RNDN);
                mpfr_mul_2si(x, x, ties[t].exponent, MPFR_RNDN);
                int ternary = format_round(y, x, f);
                int direction = side ? side : ties[t].even;
                mpfr_div_2si(y, y, ties[t].exponent, MPFR_RNDN);
                double expected = direction < 0 ? ties[t].below : ties[t].above;
                if (mpfr_get_d(y, MPFR_RNDN) != expected || (ternary > 0) != (direction > 0))
                    entries_differ((Case){f->name, 0, side, 1, 1}, 0, t, mpfr_get_d(y, MPFR_RNDN),
                                   expected, 0);
                mpfr_clear(hair);
            }
        }
        mpfr_clear(y);
    }
    mpfr_clear(x);
}

static void leaving_a_format_restores_the_widest_range(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < FORMATS; k++) {
        format_enter(formats[k]);
        /* MPFR's numbers are 0.1x 2^e: one more than IEEE's 1.x 2^e */
        assert_int_equal(mpfr_get_emax(), formats[k]->emax + 1);
        assert_int_equal(mpfr_get_emin(), formats[k]->emin - (formats[k]->precision - 1) + 1);
        format_leave();
        assert_int_equal(mpfr_get_emax(), mpfr_get_emax_max());
        assert_int_equal(mpfr_get_emin(), mpfr_get_emin_min());
    }
}

/* ---- declarations --------------------------------------------------------------------------- */

static const char *const keys[] = {
    "inputs", "scale", "sc", "t1", "g",   "su",  "p",   "cache", "o",   "lse", "u", "dp", "ds",
    "dsu",    "dt1",   "dg", "dz", "dqu", "dku", "dvu", "dqc",   "dkc", "dvc", "y", "dx", "dw"};
static const Stage stages[] = {STAGE_INPUT, STAGE_SCALE, STAGE_SC,  STAGE_T1,  STAGE_G,   STAGE_SU,
                               STAGE_P,     STAGE_CACHE, STAGE_O,   STAGE_LSE, STAGE_U,   STAGE_DP,
                               STAGE_DS,    STAGE_DSU,   STAGE_DT1, STAGE_DG,  STAGE_DZ,  STAGE_DQU,
                               STAGE_DKU,   STAGE_DVU,   STAGE_DQC, STAGE_DKC, STAGE_DVC, STAGE_Y,
                               STAGE_DX,    STAGE_DW};

static void every_stage_has_a_name(void **unused)
{
    (void)unused;
    assert_int_equal(sizeof stages / sizeof *stages, STAGES);
    assert_int_equal(sizeof keys / sizeof *keys, STAGES);
    for (size_t s = 0; s < STAGES; s++) {
        assert_string_equal(stage_name(stages[s]), keys[s]);
        assert_int_equal(arithmetic_rounds_given(stages[s]),
                         stages[s] == STAGE_INPUT || stages[s] == STAGE_SCALE);
    }
}

static bool is_one_of(Stage s, const Stage *list, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (list[k] == s)
            return true;
    return false;
}

static bool is_operand(Stage s)
{
    const Stage operands[] = {STAGE_INPUT, STAGE_T1,  STAGE_G,   STAGE_P,
                              STAGE_DS,    STAGE_DSU, STAGE_DT1, STAGE_DZ};
    return is_one_of(s, operands, sizeof operands / sizeof *operands);
}

/* Answers but lse, which stays in float32. */
static bool is_answer(Stage s)
{
    const Stage answers[] = {STAGE_O,   STAGE_U,   STAGE_DQU, STAGE_DKU, STAGE_DVU, STAGE_DQC,
                             STAGE_DKC, STAGE_DVC, STAGE_Y,   STAGE_DX,  STAGE_DW};
    return is_one_of(s, answers, sizeof answers / sizeof *answers);
}

/* The header's table. */
static const Format *preset_site(const Format *preset, Stage s)
{
    if (preset == &BINARY64)
        return &BINARY64;
    if (is_operand(s))
        return preset;
    if (is_answer(s) && (preset == &BFLOAT16 || preset == &BINARY16))
        return preset;
    return &BINARY32;
}

static void presets_are_those_of_the_header(void **unused)
{
    (void)unused;
    for (size_t k = 0; k < FORMATS; k++) {
        Arithmetic a = arithmetic(formats[k]->name);
        assert_string_equal(a.name, formats[k]->name);
        assert_ptr_equal(a.accumulate, formats[k] == &BINARY64 ? &BINARY64 : &BINARY32);
        for (size_t s = 0; s < STAGES; s++)
            assert_ptr_equal(a.site[stages[s]], preset_site(formats[k], stages[s]));
    }
}

static void a_key_overrides_its_own_site_only(void **unused)
{
    (void)unused;
    for (size_t p = 0; p < FORMATS; p++)
        for (size_t f = 0; f < FORMATS; f++)
            for (size_t key = 0; key < STAGES + 2; key++) {
                const char *name = key < STAGES    ? keys[key]
                                   : key == STAGES ? "operands"
                                                   : "accumulate";
                char text[100];
                snprintf(text, sizeof text, "%s,%s=%s", formats[p]->name, name, formats[f]->name);
                Arithmetic a = arithmetic(text), preset = arithmetic(formats[p]->name);
                assert_string_equal(a.name, text);
                assert_ptr_equal(a.accumulate, key == STAGES + 1 ? formats[f] : preset.accumulate);
                for (size_t s = 0; s < STAGES; s++) {
                    bool named = key == s || (key == STAGES && is_operand(stages[s]));
                    assert_ptr_equal(a.site[stages[s]],
                                     named ? formats[f] : preset.site[stages[s]]);
                }
            }
}

static void later_keys_win(void **unused)
{
    (void)unused;
    Arithmetic a = arithmetic("float32,operands=bfloat16,p=float16,accumulate=tf32,p=float64");
    assert_ptr_equal(a.site[STAGE_P], &BINARY64);
    assert_ptr_equal(a.site[STAGE_G], &BFLOAT16);
    assert_ptr_equal(a.site[STAGE_SC], &BINARY32);
    assert_ptr_equal(a.accumulate, &TF32);
}

/* A computed quantity is rounded by a coarser site only, a given one by any. */
static void sites_no_coarser_than_the_accumulators_cost_nothing(void **unused)
{
    (void)unused;
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t g = 0; g < FORMATS; g++)
            for (size_t s = 0; s < STAGES; s++) {
                Arithmetic a = arithmetic("float32");
                a.accumulate = formats[f];
                a.site[s] = formats[g];
                bool rounds = arithmetic_rounds_given((Stage)s) ||
                              formats[g]->precision < formats[f]->precision;
                assert_true(arithmetic_site_roundoff(&a, (Stage)s) ==
                            (rounds ? ldexp(1, -formats[g]->precision) : 0));
            }
}

/* The grammar of the header, written out again: PRESET or PRESET,key=format,... */
static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool is_format(const char *text, size_t length)
{
    for (size_t f = 0; f < FORMATS; f++)
        if (is_word(text, length, formats[f]->name))
            return true;
    return false;
}

static bool is_key(const char *text, size_t length)
{
    for (size_t k = 0; k < STAGES; k++)
        if (is_word(text, length, keys[k]))
            return true;
    return is_word(text, length, "accumulate") || is_word(text, length, "operands");
}

static bool is_declaration(const char *text)
{
    size_t length = strcspn(text, ",");
    if (strlen(text) >= sizeof((Arithmetic *)0)->name || !is_format(text, length))
        return false;
    while (text[length]) {
        text += length + 1;
        length = strcspn(text, ",");
        const char *equals = memchr(text, '=', length);
        if (!equals || !is_key(text, (size_t)(equals - text)) ||
            !is_format(equals + 1, length - (size_t)(equals - text) - 1))
            return false;
    }
    return true;
}

static void check_declaration(const char *text)
{
    Arithmetic a;
    char why[200];
    memset(why, 'x', sizeof why);
    bool expected = is_declaration(text), accepted = arithmetic_parse(&a, text, why, sizeof why);
    if (accepted != expected) {
        print_error("\"%s\" is %s\n", text, accepted ? "accepted" : "refused");
        fail();
    }
    if (accepted) {
        assert_string_equal(a.name, text);
        assert_non_null(a.accumulate);
        for (size_t s = 0; s < STAGES; s++)
            assert_non_null(a.site[s]);
        return;
    }
    const char *end = memchr(why, '\0', sizeof why);
    assert_non_null(end);
    assert_true(end > why + 20);
    for (size_t size = 0; size <= 40; size++) { /* a short buffer is filled and no more */
        char cut[41];
        memset(cut, 'x', sizeof cut);
        assert_false(arithmetic_parse(&a, text, cut, size));
        for (size_t k = size; k < sizeof cut; k++)
            assert_int_equal(cut[k], 'x');
        if (size)
            assert_non_null(memchr(cut, '\0', size));
    }
}

static void malformed_declarations_are_refused(void **unused)
{
    (void)unused;
    const char *const texts[] = {
        "",
        ",",
        ",,",
        "=",
        " ",
        "float",
        "float32 ",
        " float32",
        "FLOAT32",
        "float32;p=float16",
        "float32,",
        ",float32",
        "float32,,",
        "float32,,p=float16",
        "float32,p=float16,",
        "float32,p",
        "float32,p=",
        "float32,=float16",
        "float32,=",
        "float32,p==float16",
        "float32,p=float16=float16",
        "float32,q=float16",
        "float32,p=float8",
        "float32,P=float16",
        "float32, p=float16",
        "float32,p =float16",
        "float32,p= float16",
        "p=float16",
        "float32,float16",
        "float32=float16",
        "float32,accumulate",
        "float32,%s=%n",
        "%n%n%n%n",
        "float32,p=float16\n",
        "float32,inputs=float16,scale=",
        "\xff\xfe",
    };
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        assert_false(is_declaration(texts[k]));
        check_declaration(texts[k]);
    }
    char text[400];
    for (size_t length = 0; length < sizeof text - 1; length++) {
        memset(text, 'f', length);
        text[length] = '\0';
        check_declaration(text);
    }
    assert_true(is_declaration("tf32,operands=float16,accumulate=float32,u=bfloat16"));
}

/* "float64" and n items of 7 or 8 bytes: 159 bytes fit into the name and its end, 160 do not. */
static void declaration_of(size_t length, char *text)
{
    strcpy(text, "float64");
    while (strlen(text) < length)
        strcat(text, (length - strlen(text)) % 7 ? ",t1=tf32" : ",p=tf32");
    assert_int_equal(strlen(text), length);
}

static void a_declaration_may_fill_its_name_and_no_more(void **unused)
{
    (void)unused;
    for (size_t length = 150; length < 170; length++) {
        char text[200];
        declaration_of(length, text);
        assert_int_equal(is_declaration(text), length < sizeof((Arithmetic *)0)->name);
        check_declaration(text);
    }
}

/* Right declarations with a few bytes changed, dropped or doubled. */
static void damaged_declarations_are_judged_by_the_grammar(void **unused)
{
    (void)unused;
    gsl_rng *r = random_source(2);
    const char alphabet[] = ",=fl oat12364bpsu\x01\x80";
    for (long n = 0; n < repetitions(20000); n++) {
        char text[300] = "";
        strcat(text, formats[random_up_to(r, FORMATS - 1)]->name);
        for (size_t items = random_up_to(r, 4); items > 0; items--) {
            size_t key = random_up_to(r, STAGES + 1);
            strcat(text, ",");
            strcat(text, key < STAGES ? keys[key] : key == STAGES ? "operands" : "accumulate");
            strcat(text, "=");
            strcat(text, formats[random_up_to(r, FORMATS - 1)]->name);
        }
        for (size_t damage = random_up_to(r, 2); damage > 0; damage--) {
            size_t length = strlen(text), place = random_up_to(r, length - 1);
            switch (random_up_to(r, 3)) {
            case 0:
                text[place] = alphabet[random_up_to(r, sizeof alphabet - 2)];
                break;
            case 1:
                memmove(text + place, text + place + 1, length - place);
                break;
            case 2:
                memmove(text + place + 1, text + place, length - place + 1);
                break;
            default:
                text[place + 1] = '\0';
            }
        }
        check_declaration(text);
    }
    gsl_rng_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_found_by_their_names),
        cmocka_unit_test(formats_have_their_documented_limits),
        cmocka_unit_test(two_ways_of_rounding_agree),
        cmocka_unit_test(edges_are_rounded_alike),
        cmocka_unit_test(rounding_is_from_the_exact_value),
        cmocka_unit_test(leaving_a_format_restores_the_widest_range),
        cmocka_unit_test(every_stage_has_a_name),
        cmocka_unit_test(presets_are_those_of_the_header),
        cmocka_unit_test(a_key_overrides_its_own_site_only),
        cmocka_unit_test(later_keys_win),
        cmocka_unit_test(sites_no_coarser_than_the_accumulators_cost_nothing),
        cmocka_unit_test(malformed_declarations_are_refused),
        cmocka_unit_test(a_declaration_may_fill_its_name_and_no_more),
        cmocka_unit_test(damaged_declarations_are_judged_by_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
