/* SPDX-License-Identifier: GPL-3.0-or-later */
/* f32.c - binary32, the machine's float. */
#define real float
#define EXP_OF exp_f32
#define REAL_NAME "f32"
#define REAL_SYSTEM f32_system
#define GSL_VIEW gsl_matrix_float_view
#define GSL_CONST_VIEW _gsl_matrix_float_const_view
#define GSL_VIEW_OF gsl_matrix_float_view_array_with_tda
#define GSL_CONST_VIEW_OF gsl_matrix_float_const_view_array_with_tda
#define GSL_GEMM gsl_blas_sgemm
#include "native.inc"
