/* SPDX-License-Identifier: GPL-3.0-or-later */
/* castle export: every number of the file, in every format, bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command_support.h"
#include "golden_support.h"

#include <math.h>
#include <zip.h>

/* All types, a NaN, infinities, subnormals, a layer, caches. */
static const char *const ids[] = {"special-nan-first-f32",       "special-subnormal-alone-f64",
                                  "special-subnormal-alone-f32", "special-subnormal-alone-f16",
                                  "plain-layer-one-token-f32",   "plain-decode-window-0-bf16",
                                  "special-inf-vc-f32"};
enum { IDS = sizeof ids / sizeof *ids };

static int setup(void **state)
{
    if (command_setup(state) != 0)
        return -1;
    for (size_t k = 0; k < IDS; k++) {
        run("emit", "--out", scratch_path("good"), "--case", ids[k]);
        if (last.status != 0)
            return -1;
    }
    return 0;
}

static const char *exported(const char *id, const char *format, const char *suffix)
{
    char name[80];
    (void)snprintf(name, sizeof name, "%s.%s", id, suffix);
    const char *out = scratch_path(name);
    run_right("export", id, "--to", format, "-o", out, "--golden", scratch_path("good"), "--force");
    assert_silent_err();
    return out;
}

static SafetensorsFile *golden(const char *id)
{
    Failure f;
    SafetensorsFile *file = safetensors_open(file_of(scratch_path("good"), id), &f);
    assert_non_null(file);
    return file;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ---- json ------------------------------------------------------------------------------------- */

/* Nested as the shape says; returns where the next numbers begin. */
static size_t assert_values(const json_t *values, const Tensor *t, size_t dim, size_t at)
{
    if (dim == t->dims) {
        const char *text = json_string_value(values);
        char *end;
        assert_non_null(text);
        double x = strtod(text, &end), y = tensor_value(t, at);
        assert_int_equal(*end, '\0');
        if (strncmp(text + (*text == '-'), "0x", 2) != 0 && isfinite(y))
            fail_msg("%s is not hexadecimal", text);
        if (bits_of(x) != bits_of(y) && !(isnan(x) && isnan(y)))
            fail_msg("%s[%zu] is %s, expected %a", t->name, at, text, y);
        return at + 1;
    }
    assert_int_equal(json_array_size(values), t->shape[dim]);
    for (size_t k = 0; k < t->shape[dim]; k++)
        at = assert_values(json_array_get(values, k), t, dim + 1, at);
    return at;
}

static void json_has_every_number(void **state)
{
    (void)state;
    for (size_t i = 0; i < IDS; i++) {
        json_error_t error;
        SafetensorsFile *file = golden(ids[i]);
        json_t *doc = json_load_file(exported(ids[i], "json", "json"), JSON_REJECT_DUPLICATES,
                                     &error);
        const json_t *tensors = json_object_get(doc, "tensors");
        const json_t *said = json_object_get(doc, "metadata"),
                     *about = json_object_get(doc, "case");
        assert_int_equal(json_object_size(doc), 3);
        assert_string_equal(json_string_value(json_object_get(about, "id")), ids[i]);
        assert_int_equal(json_string_length(json_object_get(about, "sha256")), 64);
        assert_int_equal(json_object_size(said), safetensors_metadata_count(file));
        assert_string_equal(json_string_value(json_object_get(said, "arithmetic")),
                            safetensors_metadata(file, "arithmetic"));
        assert_int_equal(json_object_size(tensors), safetensors_count(file));
        for (size_t k = 0; k < safetensors_count(file); k++) {
            const Tensor *t = safetensors_at(file, k);
            const json_t *o = json_object_get(tensors, t->name), *shape;
            assert_string_equal(json_string_value(json_object_get(o, "type")),
                                number_type_name(t->type));
            shape = json_object_get(o, "shape");
            assert_int_equal(json_array_size(shape), t->dims);
            for (size_t d = 0; d < t->dims; d++)
                assert_int_equal(json_integer_value(json_array_get(shape, d)), t->shape[d]);
            assert_int_equal(assert_values(json_object_get(o, "values"), t, 0, 0), t->count);
        }
        json_decref(doc);
        safetensors_close(file);
    }
}

/* ---- npz -------------------------------------------------------------------------------------- */

/* Read back without NumPy: stored members of 1980, each a version 1.0 npy with the file's bytes. */
static void npz_has_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < IDS; i++) {
        int error;
        SafetensorsFile *file = golden(ids[i]);
        zip_t *archive = zip_open(exported(ids[i], "npz", "npz"), ZIP_RDONLY | ZIP_CHECKCONS,
                                  &error);
        assert_non_null(archive);
        assert_int_equal(zip_get_num_entries(archive, 0), safetensors_count(file) + 1);
        for (size_t k = 0; k < safetensors_count(file); k++) {
            const Tensor *t = safetensors_at(file, k);
            size_t width = number_type_bytes(t->type), wide = t->type == TYPE_BF16 ? 4 : width;
            static unsigned char bytes[100000];
            zip_stat_t status;
            char name[80];
            (void)snprintf(name, sizeof name, "%s.npy", t->name);
            assert_int_equal(zip_stat(archive, name, 0, &status), 0);
            assert_int_equal(status.comp_method, ZIP_CM_STORE);
            assert_true(status.size < sizeof bytes);
            zip_file_t *member = zip_fopen(archive, name, 0);
            assert_int_equal(zip_fread(member, bytes, sizeof bytes), status.size);
            assert_int_equal(zip_fclose(member), 0);
            size_t header = bytes[8] + 256U * bytes[9] + 10;
            assert_memory_equal(bytes, "\x93NUMPY\1\0", 8);
            assert_int_equal(header % 64, 0);
            assert_int_equal(bytes[header - 1], '\n');
            assert_int_equal(status.size, header + t->count * wide);
            for (size_t n = 0; n < t->count; n++) {
                const unsigned char *number = bytes + header + n * wide;
                assert_memory_equal(number + wide - width, t->bytes + n * width, width);
                assert_true(wide == width || (number[0] == 0 && number[1] == 0));
            }
        }
        assert_int_equal(zip_close(archive), 0);
        safetensors_close(file);
    }
}

/* The bytes tell neither when nor where they were made. */
static void the_bytes_are_always_the_same(void **state)
{
    static const char *const formats[][2] = {{"json", "json"}, {"npz", "npz"}, {"c", "h"}};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        copy_file(exported(ids[0], formats[k][0], formats[k][1]), scratch_path("first"));
        assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
        const char *again = exported(ids[0], formats[k][0], formats[k][1]);
        assert_int_equal(unsetenv("TZ"), 0);
        assert_same_file(scratch_path("first"), again);
    }
}

/* The json, which is right (see above), against what NumPy loads. */
static const char script[] =
    "import sys, json, numpy\n"
    "for stem in sys.argv[1:]:\n"
    "    doc = json.load(open(stem + '.json')); npz = numpy.load(stem + '.npz')\n"
    "    about = json.loads(npz['metadata.json'])\n"
    "    assert about == {'case': doc['case'], 'metadata': doc['metadata']}, stem\n"
    "    assert len(npz.files) == len(doc['tensors']) + 1, stem\n"
    "    types = {'F64': 'float64', 'F32': 'float32', 'F16': 'float16', 'BF16': 'float32'}\n"
    "    for name, t in doc['tensors'].items():\n"
    "        x = numpy.vectorize(float.fromhex)(numpy.array(t['values'])); y = npz[name]\n"
    "        assert list(y.shape) == t['shape'] == list(x.shape), (stem, name)\n"
    "        assert y.dtype == types[t['type']], (stem, name)\n"
    "        y = y.astype('float64')\n"
    "        assert numpy.array_equal(x, y, equal_nan=True), (stem, name)\n"
    "        finite = ~numpy.isnan(x)\n"
    "        assert (numpy.signbit(x) == numpy.signbit(y))[finite].all(), (stem, name)\n";

static void numpy_loads_the_same_numbers(void **state)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    char command[4000];
    const char *python = NULL;
    (void)state;
    for (size_t k = 0; k < 2 && !python; k++) {
        (void)snprintf(command, sizeof command, "%s -c 'import numpy' 2>/dev/null", pythons[k]);
        python = system(command) == 0 ? pythons[k] : NULL;
    }
    if (!python) {
        print_message("skipped: python3 has no numpy here\n");
        skip();
    }
    write_file(scratch_path("script.py"), script, strlen(script));
    size_t used = (size_t)snprintf(command, sizeof command, "%s %s", python,
                                   scratch_path("script.py"));
    for (size_t i = 0; i < IDS; i++) {
        (void)exported(ids[i], "json", "json");
        (void)exported(ids[i], "npz", "npz");
        used += (size_t)snprintf(command + used, sizeof command - used, " %s/%s", scratch, ids[i]);
    }
    assert_int_equal(system(command), 0);
}

/* ---- c ---------------------------------------------------------------------------------------- */

static void write_identifier(FILE *out, const char *id, const char *tensor)
{
    fprintf(out, "%s_", id);
    for (; *tensor; tensor++)
        if (*tensor == '@')
            fputs("_at_", out);
        else
            fputc(*tensor == '.' ? '_' : *tensor, out);
}

/* A program that prints the bytes of all arrays, one file's after the other's, and each array's count and
 * shape. */
static void write_program(const char *path)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("#include <stdio.h>\n", out);
    for (size_t i = 0; i < IDS; i++) {
        (void)exported(ids[i], "c", "h");
        fprintf(out, "#include \"%s.h\"\n#include \"%s.h\"\n", ids[i], ids[i]); /* it is guarded */
    }
    fputs("static void put(const void *at, size_t n) { fwrite(at, 1, n, stdout); }\n"
          "int main(void)\n{\n",
          out);
    for (size_t i = 0; i < IDS; i++) {
        SafetensorsFile *file = golden(ids[i]);
        char id[80], upper[200];
        (void)snprintf(id, sizeof id, "%s", ids[i]);
        for (char *c = id; *c; c++)
            *c = (char)(*c == '-' ? '_' : *c);
        for (size_t k = 0; k < safetensors_count(file); k++) {
            FILE *name = fmemopen(upper, sizeof upper, "w");
            write_identifier(name, id, safetensors_at(file, k)->name);
            (void)fclose(name);
            fprintf(out, "    put(%s, sizeof %s);\n", upper, upper);
            fprintf(out, "    { const size_t s[] = ");
            for (char *c = upper; *c; c++)
                *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
            fprintf(out, "%s_SHAPE, n = %s_COUNT; put(s, sizeof s); put(&n, sizeof n); }\n", upper,
                    upper);
        }
        safetensors_close(file);
    }
    fputs("    return 0;\n}\n", out);
    assert_int_equal(fclose(out), 0);
}

/* Numbers of the file's type in the machine's own memory; a NaN may have any payload. */
static void assert_array(const unsigned char **at, const Tensor *t)
{
    size_t width = number_type_bytes(t->type);
    for (size_t k = 0; k < t->count; k++, *at += width)
        if (memcmp(*at, t->bytes + k * width, width) != 0 &&
            !(isnan(tensor_value(t, k)) && isnan(number_decode(t->type, *at))))
            fail_msg("%s[%zu] is %a, expected %a", t->name, k, number_decode(t->type, *at),
                     tensor_value(t, k));
    assert_memory_equal(*at, t->shape, t->dims * sizeof(size_t));
    *at += t->dims * sizeof(size_t);
    assert_memory_equal(*at, &t->count, sizeof t->count);
    *at += sizeof t->count;
}

static void assert_compiles(const char *compiler, const char *source)
{
    char command[1000];
    const char *program = scratch_path("program"), *out = scratch_path("numbers");
    size_t size;
    write_program(source);
    (void)snprintf(command, sizeof command,
                   "%s -Wall -Wextra -Wpedantic -Werror -o %s %s && %s > %s", compiler, program,
                   source, program, out);
    if (system(command) != 0)
        fail_msg("fails: %s", command);
    unsigned char *bytes = read_whole_file(out, &size);
    const unsigned char *at = bytes;
    for (size_t i = 0; i < IDS; i++) {
        SafetensorsFile *file = golden(ids[i]);
        for (size_t k = 0; k < safetensors_count(file); k++)
            assert_array(&at, safetensors_at(file, k));
        safetensors_close(file);
    }
    assert_ptr_equal(at, bytes + size);
    free(bytes);
}

static void the_header_is_c99(void **state)
{
    char compiler[200];
    const char *cc = getenv("CC");
    (void)state;
    (void)snprintf(compiler, sizeof compiler, "%s -std=c99", cc && *cc ? cc : "cc");
    assert_compiles(compiler, scratch_path("program.c"));
}

static void the_header_is_cxx(void **state)
{
    (void)state;
    if (system("c++ --version >/dev/null 2>&1") != 0) {
        print_message("skipped: there is no c++ here\n");
        skip();
    }
    assert_compiles("c++ -std=c++11", scratch_path("program.cc"));
    if (getenv("CASTLE_TEST_LONG")) /* from here on with the hexadecimals, as in C */
        assert_compiles("c++ -std=c++17", scratch_path("program.cc"));
}

/* ---- refusals --------------------------------------------------------------------------------- */

/* Without -o it is in the current folder. The case's own name is tried there, since the program is found from
 * there. */
static void an_output_is_not_replaced_unawares(void **state)
{
    const char *out = scratch_path("out.h"), *golden_folder = scratch_path("good");
    char own[80];
    (void)state;
    run_right("export", ids[1], "--to", "c", "-o", out, "--golden", golden_folder);
    refuses("out.h: is there already; --force replaces it", "export", ids[1], "--to", "npz", "-o",
            out, "--golden", golden_folder);
    run_right("export", ids[1], "--to", "npz", "-o", out, "--golden", golden_folder, "--force");
    assert_same_file(out, exported(ids[1], "npz", "npz"));

    (void)snprintf(own, sizeof own, "%s.h", ids[1]);
    if (access(own, F_OK) == 0)
        fail_msg("%s lies in the current folder", own);
    run("export", ids[1], "--to", "c", "--golden", golden_folder);
    bool there = remove(own) == 0;
    assert_status(RIGHT_STATUS);
    assert_true(there);
}

static void bad_options_are_refused(void **state)
{
    const char *out = scratch_path("none"), *work = scratch_path("work");
    (void)state;
    refuses("no case given", "export", "--to", "c");
    refuses("option --to FORMAT is missing", "export", ids[0]);
    refuses("--to is \"xml\"; expected json, npz or c", "export", ids[0], "--to", "xml");
    refuses("more than one case given", "export", ids[0], ids[1], "--to", "c");
    refuses("there is no case \"x\"", "export", "x", "--to", "c");
    refuses("no-such-folder/index.json: cannot be opened", "export", ids[0], "--to", "c", "-o", out,
            "--golden", "no-such-folder");
    copy_folder(scratch_path("good"), work);
    flip_bit(file_of(work, ids[0]), file_size(file_of(work, ids[0])) - 1, 3);
    refuses("the file was changed", "export", ids[0], "--to", "json", "-o", out, "--golden", work);
    assert_int_equal(remove(file_of(work, ids[1])), 0);
    refuses("cannot be opened", "export", ids[1], "--to", "json", "-o", out, "--golden", work);
    assert_int_equal(access(out, F_OK), -1);
    refuses("is not a regular file", "export", ids[2], "--to", "json", "-o", "/dev/full", "--force",
            "--golden", work);
    refuses("/dev/full: is there already", "export", ids[2], "--to", "json", "-o", "/dev/full",
            "--golden", work);
    refuses("cannot create a file in its folder", "export", ids[2], "--to", "npz", "-o",
            scratch_path("absent/out"), "--golden", work);
    run_with(&(Setting){.largest_file = 400},
             WORDS("export", ids[2], "--to", "npz", "-o", out, "--golden", work));
    assert_refused("cannot be written: File too large");
    assert_int_equal(access(out, F_OK), -1);
    remove_tree(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_every_number),
        cmocka_unit_test(npz_has_every_byte),
        cmocka_unit_test(the_bytes_are_always_the_same),
        cmocka_unit_test(numpy_loads_the_same_numbers),
        cmocka_unit_test(the_header_is_c99),
        cmocka_unit_test(the_header_is_cxx),
        cmocka_unit_test(an_output_is_not_replaced_unawares),
        cmocka_unit_test(bad_options_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, command_teardown);
}
