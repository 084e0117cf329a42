/* SPDX-License-Identifier: GPL-3.0-or-later */
/* machine.h - the machine, its BLAS, and the versions of what is measured. */
#ifndef CASTLE_BENCH_MACHINE_H
#define CASTLE_BENCH_MACHINE_H

#include <jansson.h>
#include <stddef.h>

void blas_set_threads(int threads);

/* C = A B, n x n each, in double. */
void dgemm(size_t n, const double *A, const double *B, double *C);

/* The object: cpu, cores, compiler, blas, its kernels (and who chose them: OPENBLAS_CORETYPE, where it
 * is set), versions of libraries. */
json_t *machine_facts(void);

int cores(void);

#endif
