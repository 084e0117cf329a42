/* SPDX-License-Identifier: GPL-3.0-or-later */
/* f64.c - binary64, the machine's double. */
#define real double
#define EXP_OF exp_f64
#define REAL_NAME "f64"
#define REAL_SYSTEM f64_system
#define GSL_VIEW gsl_matrix_view
#define GSL_CONST_VIEW _gsl_matrix_const_view
#define GSL_VIEW_OF gsl_matrix_view_array_with_tda
#define GSL_CONST_VIEW_OF gsl_matrix_const_view_array_with_tda
#define GSL_GEMM gsl_blas_dgemm
#include "native.inc"
