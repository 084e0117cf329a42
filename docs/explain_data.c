/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "explain_data.h"

#include "bug.h"
#include "explain_json.h"
#include "explain_mutants.h"

#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>

enum {
    EDITS_OF_A_WORD = 2, /* in a short text, where every window goes with every variant, too */
    EDITED_PLACES = 4,   /* in a longer one, once each */
    WINDOWS_OF_LONG = 3
};
static const size_t windows[] = {EXPLAIN_DEMO_WINDOW, 1, 0, 3, 4, 8, 16, 32};
enum { WINDOWS = sizeof windows / sizeof *windows };

static size_t bytes_of(const json_t *j) { return json_dumpb(j, NULL, 0, JSON_COMPACT); }

/* One head's share of the page, and what is left of it. */
typedef struct Share {
    const Explain *e;
    const ExplainHead *h;
    size_t left;
    bool full;
} Share;

/* Takes the piece in, or drops it and everything after it. */
static void take_in(Share *s, json_t *list, json_t *piece)
{
    size_t bytes = bytes_of(piece) + 1;
    s->full = s->full || bytes > s->left;
    if (s->full) {
        json_decref(piece);
        return;
    }
    s->left -= bytes;
    json_array_append_new(list, piece);
}

static json_t *json_vectors(const Explain *e, const ExplainInputs *in, size_t first, size_t count)
{
    json_t *vectors = json_object();
    for (Input k = 0; k < INPUTS; k++)
        json_object_set_new(vectors, input_name(k),
                            json_rows(in->of[k], first, first + count, e->dim));
    return vectors;
}

/* ---- settings --------------------------------------------------------------------------------- */

static void add_setting(Share *s, json_t *list, size_t window, Variant v)
{
    if (s->full || (window == s->e->window && v == CASTLE))
        return;
    Problem p = explain_problem(s->e, &s->h->inputs, window, v);
    SettingNumbers n = numbers_of_setting(&p, explain_block(p.length), false);
    take_in(s, list, json_setting(&n, &p, 0));
    setting_numbers_free(&n);
}

static json_t *json_settings(Share *s)
{
    static const Variant variants[] = {CASTLE, WITHOUT_SILU, WITHOUT_CAUSAL_KEYS};
    json_t *list = json_array();
    Problem p = explain_problem(s->e, &s->h->inputs, s->e->window, CASTLE);
    take_in(s, list, json_setting(&s->h->setting, &p, 0));
    bool is_short = p.length <= EXPLAIN_SHORT_TEXT;
    for (size_t v = 0; v < 3; v++)
        add_setting(s, list, s->e->window, variants[v]);
    if (s->e->window != NO_WINDOW && is_short)
        for (size_t v = 0; v < 3; v++)
            add_setting(s, list, NO_WINDOW, variants[v]);
    for (size_t k = 0, taken = 0; k < WINDOWS && (is_short || taken < WINDOWS_OF_LONG); k++) {
        if (windows[k] + 2 > p.length || windows[k] == s->e->window) /* as good as none */
            continue;
        for (size_t v = 0; v < (is_short ? 3 : 1); v++)
            add_setting(s, list, windows[k], variants[v]);
        taken++;
    }
    return list;
}

/* ---- edits ------------------------------------------------------------------------------------ */

static void rows_must_agree(const double *a, const double *b, size_t count)
{
    if (memcmp(a, b, count * sizeof *a) != 0)
        stop_on_bug("json_edit", "a row before the edited word moved");
}

/* Nothing at or before t depends on a word after t: computed anew, those rows are the same to the bit. */
static void earlier_rows_must_stand(const ExplainHead *h, const TextNumbers *text,
                                    const SettingNumbers *s, size_t at)
{
    size_t L = text->length, d = text->dim;
    rows_must_agree(h->text.SC, text->SC, at * L);
    rows_must_agree(h->text.T1, text->T1, at * L);
    rows_must_agree(h->text.U, text->U, at * L * d);
    rows_must_agree(h->setting.SU, s->SU, at * L);
    rows_must_agree(h->setting.S, s->S, at * L);
    rows_must_agree(h->setting.P, s->P, at * L);
    rows_must_agree(h->setting.O, s->O, at * d);
    rows_must_agree(h->setting.LSE, s->LSE, at);
}

static json_t *json_edit(const Explain *given, const ExplainHead *h, size_t head, size_t at,
                         const char *word)
{
    Explain e = *given;
    strcpy(e.words.at[at], word);
    ExplainInputs in = explain_inputs(&e, head);
    Problem p = explain_problem(&e, &in, e.window, CASTLE);
    TextNumbers text = numbers_of_text(&p);
    SettingNumbers setting = numbers_of_setting(&p, explain_block(p.length), false);
    earlier_rows_must_stand(h, &text, &setting, at);
    json_t *edit = json_pack("{s:I, s:s, s:o, s:o, s:o}", "at", (json_int_t)at, "word", word,
                             "vectors", json_vectors(&e, &in, at, 1), "text", json_text(&text, at),
                             "setting", json_setting(&setting, &p, at));
    text_numbers_free(&text);
    setting_numbers_free(&setting);
    explain_inputs_free(&in);
    return edit;
}

static json_t *json_edits(Share *s, size_t head)
{
    json_t *list = json_array();
    size_t L = s->e->words.count;
    size_t places = L <= EXPLAIN_SHORT_TEXT ? L : EDITED_PLACES,
           each = L <= EXPLAIN_SHORT_TEXT ? EDITS_OF_A_WORD : 1;
    for (size_t k = places; k-- > 0 && !s->full;) { /* late ones move fewer rows, and cost less */
        size_t at = (k + 1) * L / places - 1;
        for (size_t i = 0; i < each && !s->full; i++)
            take_in(s, list, json_edit(s->e, s->h, head, at, word_instead(s->e->words.at[at], i)));
    }
    return list;
}

/* ---- all -------------------------------------------------------------------------------------- */

static json_t *json_mutants(Share *s)
{
    json_t *list = json_array();
    Court *court = court_open(s->e, s->h);
    for (size_t k = 0; k < explain_mutant_count() && !s->full; k++) {
        json_t *mutant = json_mutant(court, k);
        if (mutant)
            take_in(s, list, mutant);
    }
    court_close(court);
    return list;
}

/* The share is full only where the sentence itself did not fit, or once the last list has begun. */
static json_t *json_head(const Explain *e, const ExplainHead *h, size_t head, size_t room,
                         size_t *needs)
{
    Share s = {e, h, room, false};
    json_t *to = json_pack("{s:o, s:o}", "vectors", json_vectors(e, &h->inputs, 0, e->words.count),
                           "text", json_text(&h->text, 0));
    size_t bytes = bytes_of(to);
    s.left = room > bytes ? room - bytes : 0;
    json_object_set_new(to, "settings", json_settings(&s));
    *needs = bytes;
    json_object_set_new(to, "mutants", json_mutants(&s));
    json_object_set_new(to, "edits", json_edits(&s, head));
    return to;
}

static double scale_of(size_t dim)
{
    mpfr_t x;
    mpfr_init2(x, 53);
    mpfr_set_ui(x, dim, MPFR_RNDN);
    mpfr_rec_sqrt(x, x, MPFR_RNDN);
    double scale = mpfr_get_d(x, MPFR_RNDN);
    mpfr_clear(x);
    return scale;
}

json_t *explain_data(const Explain *e, const ExplainHead *heads, size_t room, size_t *needs)
{
    json_t *words = json_array(), *list = json_array();
    bool fits = true;
    *needs = 0;
    for (size_t s = 0; s < e->words.count; s++)
        json_array_append_new(words, json_string(e->words.at[s]));
    for (size_t k = 0; k < e->heads; k++) {
        size_t one;
        json_t *head = json_head(e, &heads[k], k, room / e->heads, &one);
        fits = fits && json_array_size(json_object_get(head, "settings")) > 0;
        *needs += one;
        json_array_append_new(list, head);
    }
    json_t *data = json_pack("{s:o, s:I, s:o, s:I, s:o, s:I, s:i, s:o}", "words", words, "dim",
                             (json_int_t)e->dim, "scale", json_decimal(scale_of(e->dim)), "seed",
                             (json_int_t)e->seed, "window", json_window(e->window), "block",
                             (json_int_t)explain_block(e->words.count), "decimals",
                             EXPLAIN_DECIMALS, "heads", list);
    if (!fits) {
        json_decref(data);
        return NULL;
    }
    return data;
}
