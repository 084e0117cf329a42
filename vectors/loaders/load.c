/* SPDX-License-Identifier: 0BSD */
/* Reads a golden case: cc load.c -ljansson -lm -o load; ./load CASE.safetensors [ANSWER] */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Tensor {
    const char *type; /* "F64" "F32" "F16" "BF16" */
    const unsigned char *bytes;
    size_t count;
} Tensor;

static void quit(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(2);
}

/* The header of a file and, in *data, what stands behind it. */
static json_t *load(const char *path, unsigned char **data)
{
    unsigned char size[8] = {0};
    uint64_t header = 0;
    FILE *file = fopen(path, "rb");
    if (!file || fread(size, 1, 8, file) != 8 || fseek(file, 0, SEEK_END))
        quit("the file cannot be read");
    long all = ftell(file);
    for (int k = 8; k-- > 0;)
        header = header << 8 | size[k];
    *data = malloc((size_t)all);
    rewind(file);
    if (!*data || fread(*data, 1, (size_t)all, file) != (size_t)all || header > (uint64_t)all - 8)
        quit("the file is no golden case");
    fclose(file);
    json_t *json = json_loadb((char *)*data + 8, header, 0, NULL);
    *data += 8 + header;
    return json;
}

static Tensor find(const json_t *header, const unsigned char *data, const char *name)
{
    const json_t *t = json_object_get(header, name), *at = json_object_get(t, "data_offsets");
    Tensor found = {json_string_value(json_object_get(t, "dtype")), data, 1};
    if (!t)
        quit("the file has no such answer");
    found.bytes += json_integer_value(json_array_get(at, 0));
    for (size_t k = 0; k < json_array_size(json_object_get(t, "shape")); k++)
        found.count *= (size_t)json_integer_value(json_array_get(json_object_get(t, "shape"), k));
    return found;
}

/* Number k of a tensor, exactly, on a little-endian machine. */
static double number(Tensor t, size_t k)
{
    double f64;
    float f32;
    uint16_t h;
    if (strcmp(t.type, "F64") == 0)
        return memcpy(&f64, t.bytes + 8 * k, 8), f64;
    if (strcmp(t.type, "F32") == 0)
        return memcpy(&f32, t.bytes + 4 * k, 4), f32;
    memcpy(&h, t.bytes + 2 * k, 2);
    if (strcmp(t.type, "BF16") == 0) {
        uint32_t wide = (uint32_t)h << 16;
        return memcpy(&f32, &wide, 4), f32;
    }
    int sign = h >> 15 ? -1 : 1, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

int main(int argc, char **argv)
{
    unsigned char *data;
    char name[40];
    const char *answer = argc > 2 ? argv[2] : "o";
    json_t *header = argc > 1 ? load(argv[1], &data) : NULL;
    if (!header)
        quit("expected a golden case");
    Tensor truth = find(header, data, answer);
    snprintf(name, sizeof name, "%s.sigma", answer);
    Tensor sigma = find(header, data, name);
    const char *id = json_string_value(
        json_object_get(json_object_get(header, "__metadata__"), "case"));
    const char *type = strrchr(id, '-') + 1; /* a case's name ends in its type */
    snprintf(name, sizeof name, "%s.%s", answer, type);
    Tensor yours = find(header, data, name); /* your kernel's answer goes here */

    double most = 0, z = 0;
    size_t row = truth.count / sigma.count; /* a sigma for each row */
    for (size_t k = 0; k < truth.count; k++) {
        double error = fabs(number(yours, k) - number(truth, k));
        if (error > most)
            most = error;
        if (error > 0 && error / number(sigma, k / row) > z)
            z = error / number(sigma, k / row);
    }
    printf("%s: %zu numbers; largest error %.17g, %.17g sigma\n", answer, truth.count, most, z);
    return 0;
}
