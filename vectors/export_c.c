/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * export_c.c - a golden file as a header for C99 and C++11 (export.h).
 *
 * C++ has hexadecimal floats since C++17 only; for older ones every F64 and F32 array stands there in
 * decimal, too, with as many digits (17 and 9) as give the same number back where a compiler rounds correctly,
 * which GCC and Clang do.
 */
#include "export.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 200, PER_LINE = 4, BITS_PER_LINE = 10 };

/* "window-17-f32" and "u@8.lo" as "window_17_f32_u_at_8_lo"; without a tensor the case alone. */
static void name_in_c(char *name, size_t size, const GoldenCase *c, const Tensor *t)
{
    size_t used = 0;
    char text[NAME];
    snprintf(text, sizeof text, "%s%s%.100s", c->id, t ? "_" : "", t ? t->name : "");
    for (const char *at = text; *at && used + 5 < size; at++) {
        if (*at == '@')
            used += (size_t)snprintf(name + used, size - used, "_at_");
        else
            name[used++] = isalnum((unsigned char)*at) ? *at : '_';
    }
    name[used] = '\0';
}

static void upper_case(char *text)
{
    for (; *text; text++)
        *text = (char)toupper((unsigned char)*text);
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static bool is_bits(NumberType type) { return type == TYPE_F16 || type == TYPE_BF16; }

static const char *type_in_c(NumberType type)
{
    return is_bits(type) ? "uint16_t" : type == TYPE_F32 ? "float" : "double";
}

static void write_number(FILE *out, const Tensor *t, size_t k, bool hexadecimal)
{
    double x = tensor_value(t, k);
    if (is_bits(t->type))
        fprintf(out, "0x%04x", (unsigned)(t->bytes[2 * k] | t->bytes[2 * k + 1] << 8));
    else if (isnan(x))
        fputs("NAN", out);
    else if (isinf(x))
        fputs(x < 0 ? "-INFINITY" : "INFINITY", out);
    else if (hexadecimal)
        fprintf(out, t->type == TYPE_F32 ? "%af" : "%a", x);
    else
        fprintf(out, t->type == TYPE_F32 ? "%.8ef" : "%.16e", x);
}

static void write_numbers(FILE *out, const Tensor *t, bool hexadecimal)
{
    size_t per_line = is_bits(t->type) ? BITS_PER_LINE : PER_LINE;
    for (size_t k = 0; k < t->count; k++) {
        fputs(k % per_line == 0 ? "\n    " : " ", out);
        write_number(out, t, k, hexadecimal);
        fputs(k + 1 < t->count ? "," : "\n", out);
    }
}

static void write_tensor(FILE *out, const GoldenCase *c, const Tensor *t)
{
    char name[NAME], upper[NAME];
    name_in_c(name, sizeof name, c, t);
    snprintf(upper, sizeof upper, "%s", name);
    upper_case(upper);
    fprintf(out, "\n/* %s, %s%s */\n#define %s_SHAPE {", t->name, number_type_name(t->type),
            is_bits(t->type) ? ": its bits" : "", upper);
    for (size_t k = 0; k < t->dims; k++)
        fprintf(out, k ? ", %zu" : "%zu", t->shape[k]);
    fprintf(out, "}\n#define %s_COUNT %zu\n", upper, t->count);
    fprintf(out, "static const %s %s[%s_COUNT] = {", type_in_c(t->type), name, upper);
    if (is_bits(t->type)) {
        write_numbers(out, t, true);
    } else {
        fputs("\n#if CASTLE_HEXADECIMAL_FLOATS", out);
        write_numbers(out, t, true);
        fputs("#else", out);
        write_numbers(out, t, false);
        fputs("#endif\n", out);
    }
    fputs("};\n", out);
}

/* ---- the header ------------------------------------------------------------------------------- */

static void write_conventions(FILE *out, const GoldenCase *c, const char *prefix)
{
    GoldenConventions said = golden_conventions(c);
    const struct {
        const char *name;
        size_t value;
    } sizes[] = {{"BATCH", c->batch}, {"HEADS", c->heads}, {"LENGTH", c->length}, {"DIM", c->dim}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        fprintf(out, "#define %s_%s %zu\n", prefix, sizes[k].name, sizes[k].value);
    if (c->model)
        fprintf(out, "#define %s_MODEL %zu\n", prefix, c->model);
    fprintf(out, "#define %s_WINDOW \"%s\"\n", prefix, said.window);
    fprintf(out, "#define %s_SCALE \"%s\"\n", prefix, said.scale);
    fprintf(out, "#define %s_VARIANT \"%s\"\n", prefix, said.variant);
    fprintf(out, "#define %s_ARITHMETIC \"%s\"\n", prefix, said.arithmetic);
}

Bytes export_c(const GoldenFile *g)
{
    Text text;
    char prefix[NAME];
    const char *sum = json_string_value(json_object_get(g->entry, "sha256"));
    name_in_c(prefix, sizeof prefix, g->c, NULL);
    upper_case(prefix);
    text_begin(&text);
    fprintf(text.out,
            "/* SPDX-License-Identifier: CC0-1.0 */\n"
            "/* Golden case %s of CASTLE attention: %s\n"
            " * Made by castle export from the file with the SHA-256\n * %s */\n"
            "#ifndef CASTLE_%s_H\n#define CASTLE_%s_H\n\n"
            "#include <math.h>\n#include <stdint.h>\n\n"
            "#ifndef CASTLE_HEXADECIMAL_FLOATS\n"
            "#if defined __cplusplus && __cplusplus < 201703L\n"
            "#define CASTLE_HEXADECIMAL_FLOATS 0\n"
            "#else\n"
            "#define CASTLE_HEXADECIMAL_FLOATS 1\n"
            "#endif\n"
            "#endif\n\n",
            g->c->id, g->c->purpose, sum, prefix, prefix);
    write_conventions(text.out, g->c, prefix);
    for (size_t k = 0; k < safetensors_count(g->file); k++)
        write_tensor(text.out, g->c, safetensors_at(g->file, k));
    fputs("\n#endif\n", text.out);
    return text_end(&text);
}
