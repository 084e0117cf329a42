/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "machine.h"

#include "version.h"

#include <cblas.h>
#include <flint/flint.h>
#include <gmp.h>
#include <gsl/gsl_version.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void blas_set_threads(int threads) { openblas_set_num_threads(threads); }

void dgemm(size_t n, const double *A, const double *B, double *C)
{
    blasint m = (blasint)n;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, m, m, 1, A, m, B, m, 0, C, m);
}

int cores(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }

/* "model name : ..." of the first processor; "unknown" where the system does not tell. */
static json_t *cpu_name(void)
{
    char line[512];
    json_t *name = NULL;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !name && fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        if (value && strncmp(line, "model name", 10) == 0)
            name = json_stringn(value + 2, strcspn(value + 2, "\n"));
    }
    if (f)
        (void)fclose(f);
    return name ? name : json_string("unknown");
}

json_t *machine_facts(void)
{
#ifdef __clang__
    const char *compiler = "clang " __VERSION__;
#else
    const char *compiler = "gcc " __VERSION__;
#endif
    return json_pack("{s:o, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*}", "cpu", cpu_name(),
                     "cores", cores(), "compiler", compiler, "blas", openblas_get_config(),
                     "blas_kernels", openblas_get_corename(), "gsl", gsl_version, "mpfr",
                     mpfr_get_version(), "gmp", gmp_version, "flint", FLINT_VERSION, "castle",
                     CASTLE_VERSION, "OPENBLAS_CORETYPE", getenv("OPENBLAS_CORETYPE"));
}
