/* SPDX-License-Identifier: 0BSD */
/* Writes a dump for castle check: cc dump.c -lm -o dump; ./dump OUT.safetensors */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Tensor {
    const char *name, *shape; /* "o", "1,1,24,8" */
    const float *numbers;
    size_t count;
} Tensor;

/* One safetensors file, on a little-endian machine. Returns 0, or -1 where it cannot be written. */
static int save(const char *path, const char *metadata, const Tensor *t, size_t n)
{
    uint64_t header = 0, end = 0;
    FILE *file = fopen(path, "wb");
    if (!file)
        return -1;
    fwrite(&header, 8, 1, file); /* its length is known below */
    fprintf(file, "{\"__metadata__\":{%s}", metadata);
    for (size_t k = 0; k < n; k++) {
        uint64_t begin = end;
        end += 4 * (uint64_t)t[k].count;
        fprintf(file, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%llu,%llu]}",
                t[k].name, t[k].shape, (unsigned long long)begin, (unsigned long long)end);
    }
    fprintf(file, "}");
    header = (uint64_t)ftell(file) - 8;
    for (size_t k = 0; k < n; k++)
        fwrite(t[k].numbers, 4, t[k].count, file);
    rewind(file);
    fwrite(&header, 8, 1, file);
    int bad = ferror(file);
    return fclose(file) || bad ? -1 : 0;
}

enum { L = 24, D = 8 };

static float dot(const float *a, const float *b)
{
    float sum = 0;
    for (int k = 0; k < D; k++)
        sum += a[k] * b[k];
    return sum;
}

/* Your kernel goes here; this one decodes token after token. in: qu ku vu qc kc vc. */
static void kernel(float in[6][L][D], float o[L][D], float lse[L], float u[L][D])
{
    float scale = 1 / sqrtf(D), weight[L];
    for (int t = 0; t < L; t++) {
        float sum = 0;
        for (int s = 0; s < t; s++) {
            float gate = 1 / (1 + expf(-scale * dot(in[0][s], in[1][t])));
            for (int k = 0; k < D; k++)
                u[s][k] += gate * in[2][t][k];
        }
        for (int s = 0; s <= t; s++) {
            float sU = scale * dot(in[3][t], u[s]);
            weight[s] = expf(scale * dot(in[3][t], in[4][s]) - sU / (1 + expf(-sU)));
            sum += weight[s];
        }
        for (int s = 0; s <= t; s++)
            for (int k = 0; k < D; k++)
                o[t][k] += weight[s] / sum * in[5][s][k];
        lse[t] = logf(sum);
    }
}

int main(int argc, char **argv)
{
    static const char *const name[] = {"qu", "ku", "vu", "qc", "kc", "vc"};
    static float in[6][L][D], o[L][D], lse[L], u[L][D];
    uint32_t random = 1;
    Tensor t[9];
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < L * D; i++) {
            random = random * 1664525 + 1013904223;
            in[k][i / D][i % D] = (float)(random >> 8) * 0x1p-22f - 2; /* in [-2, 2) */
        }
        t[k] = (Tensor){name[k], "1,1,24,8", in[k][0], L * D};
    }
    kernel(in, o, lse, u);
    t[6] = (Tensor){"o", "1,1,24,8", o[0], L * D};
    t[7] = (Tensor){"lse", "1,1,24", lse, L};
    t[8] = (Tensor){"u", "1,1,24,8", u[0], L * D};
    const char *metadata = "\"window\":\"none\",\"scale\":\"1/sqrt(d)\",\"arithmetic\":\"float32\"";
    if (argc != 2 || save(argv[1], metadata, t, 9) != 0) {
        fprintf(stderr, "expected a file that can be written\n");
        return 2;
    }
    return 0;
}
