/*-------------------------------------------------------------------------
 * linalg.h
 *		Symmetric matrices, packed.
 *
 * A symmetric n x n matrix is its lower triangle, row by row: element (i, j),
 * j <= i, is a[DMP_TRI(i) + j]; n(n+1)/2 numbers. A triangular factor is kept
 * the same way. Sums run in eight lanes (README), so results are the same on
 * every machine.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_LINALG_H
#define DMP_MATH_LINALG_H

#include <stddef.h>

#include "math/env.h"

#define DMP_TRI(i) ((size_t) (i) * ((size_t) (i) + 1) / 2)

/* a pivot below this share of its diagonal: the column is aliased */
#define DMP_ALIAS_TOLERANCE 1e-11

extern double dmp_dot(size_t n, const double *a, const double *b);
extern void dmp_axpy(size_t n, double f, const double *x, double *y); /* y += f x */
/* y = A x, A packed symmetric */
extern void dmp_symmetric_multiply(int n, const double *a, const double *x, double *y);

/*
 * Factors D A D = L L' in place, D = diag(A)^-1/2, in column order. A column i with skip[i] set on
 * entry is left out; one whose pivot falls below tolerance is a combination of
 * the columns before it, is left out too and gets skip[i] = 2. d (n numbers)
 * receives D, 0 for columns left out. Returns the number of columns factored.
 */
extern int dmp_cholesky(int n, double *a, double *d, unsigned char *skip, double tolerance,
						const DmpMathEnv *env);
/* x = A^-1 b over the columns factored, 0 in the others; b may be x */
extern void dmp_cholesky_solve(int n, const double *l, const double *d, const double *b, double *x);
/* packed inverse over the columns factored, 0 elsewhere; l is overwritten by L^-1 */
extern void dmp_cholesky_inverse(int n, double *l, const double *d, double *inverse,
								 const DmpMathEnv *env);

#endif /* DMP_MATH_LINALG_H */
