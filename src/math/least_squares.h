/*-------------------------------------------------------------------------
 * least_squares.h
 *		Least squares from moments that are gathered in one pass and add up.
 *
 * A state is the moments of z = (1, x_1 .. x_p, y), each about a pivot (the
 * first row), in twice the precision of a double.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_LEAST_SQUARES_H
#define DMP_MATH_LEAST_SQUARES_H

#include <stddef.h>
#include <stdint.h>

#include "math/env.h"

/* a column whose share that the columns before it do not explain is below this (of squares) is
 * aliased: R's 1e-7, squared, but of the centred column */
#define DMP_LEAST_SQUARES_ALIAS 1e-14

/* doubles of a state of p features; zeros: no rows */
extern size_t dmp_least_squares_size(int p);
/* doubles of scratch that add and merge take */
extern size_t dmp_least_squares_scratch(int p);
/* one row of finite numbers */
extern void dmp_least_squares_add(int p, double *state, const double *x, double y, double *scratch);
/* adds the rows of from */
extern void dmp_least_squares_merge(int p, double *into, const double *from, double *scratch);

typedef struct DmpLeastSquares
{
	double rows;
	int rank;     /* coefficients that were estimated, the intercept too */
	double *coef; /* 1 + p, the intercept first; NaN: aliased */
	/* 1 + p; NaN: aliased, or not more rows than coefficients */
	double *std_err;
	double residual; /* sum of squares */
	double total;    /* the same about the mean of y */
} DmpLeastSquares;

/* coef and std_err are the caller's room. Numbers past 1e150 cannot be squared: their columns are
 * aliased, and with such a y every coefficient is NaN. */
extern void dmp_least_squares_solve(int p, const double *state, const DmpMathEnv *env,
									DmpLeastSquares *out);

#endif /* DMP_MATH_LEAST_SQUARES_H */
