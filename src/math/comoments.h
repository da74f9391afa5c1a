/*-------------------------------------------------------------------------
 * comoments.h
 *		Correlations of many columns with missing values, from one pass.
 *
 * A missing value (NaN) is the mean of its column, as in a fit. The mean is
 * known at the end only, so sums are kept about a pivot, over rows where one
 * or both of a pair are there. The pivot is the median of the first tile.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_COMOMENTS_H
#define DMP_MATH_COMOMENTS_H

#include "math/env.h"

#define DMP_COMOMENTS_TILE 128

typedef struct DmpComoments
{
	int p;
	double rows;
	double *pivot;
	double *products; /* packed: d_i d_j */
	double *sums;     /* p x p: d_j of rows where i is there */
	double *counts;   /* p x p: rows where both are */
	double *tile;     /* p x 128 that is being filled */
	double *there;    /* p x 128 */
	int filled;
	const DmpMathEnv *env;
} DmpComoments;

extern void dmp_comoments_init(DmpComoments *c, int p, const DmpMathEnv *env);
/* one row of p numbers; NaN: missing. Numbers past 1e150 make their column unknown. */
extern void dmp_comoments_add(DmpComoments *c, const double *x);
/*
 * Variance inflation factors, the diagonal of the inverse of the correlation
 * matrix (Belsley, Kuh and Welsch 1980): infinite for a column that others
 * make up, NaN for one that is constant, never there, or too large.
 */
extern void dmp_comoments_vif(DmpComoments *c, double *vif);

#endif /* DMP_MATH_COMOMENTS_H */
