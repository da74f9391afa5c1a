/*-------------------------------------------------------------------------
 * select.h
 *		Order statistics: the k-th smallest of values that need not be sorted.
 *
 * NaN sorts above everything, as the server sorts it; 0 and -0 are equal.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_SELECT_H
#define DMP_MATH_SELECT_H

#include <stddef.h>

#include "math/env.h"

/*
 * out[i] is the value of rank ranks[i], from 0, below n; ranks ascend and may
 * repeat. O(n log nranks); x is reordered. Memory of one more x only when
 * the pivots are bad for long, which random data does not do.
 */
extern void dmp_select(size_t n, double *x, size_t nranks, const size_t *ranks, double *out,
					   const DmpMathEnv *env);

/*
 * Where the quantile of share q of n values lies, by linear interpolation
 * (type 7 of Hyndman and Fan, R's default, the server's percentile_cont): at
 * *fraction of the way from rank *low to rank *high.
 */
extern void dmp_quantile_place(size_t n, double q, size_t *low, size_t *high, double *fraction);
/* the value there; equal neighbours, infinite ones too, give themselves */
extern double dmp_quantile_value(double low, double high, double fraction);
/* |x - center|, 0 where they are equal; NaN as soon as one is */
extern double dmp_deviation(double x, double center);

#endif /* DMP_MATH_SELECT_H */
