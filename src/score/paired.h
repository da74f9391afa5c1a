/*-------------------------------------------------------------------------
 * paired.h
 *		Two values of each row, and what can be said of their difference.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCORE_PAIRED_H
#define DMP_SCORE_PAIRED_H

#include "dmp.h"

/* weighted means of both and of the difference; zero-initialised: no rows */
typedef struct DmpPaired
{
	double rows;
	double weight;
	double mean_a, mean_b, mean; /* mean: of a - b */
	/* the differences again, weighted by the squares of the weights */
	double square;
	double square_mean;
	double square_m2; /* sum of squared distances from it */
} DmpPaired;

extern void dmp_paired_add(DmpPaired *p, double a, double b, double weight);
/*
 * Variance of the mean difference, sum w^2 (d - mean)^2 / (sum w)^2 * n / (n - 1):
 * that of Student's paired test when all weights are equal. n > 1.
 */
extern double dmp_paired_variance(const DmpPaired *p);

/* ---- paired_auc.c: rows come one by one, weights above 0 */

typedef struct DmpPairedAuc DmpPairedAuc;

extern DmpPairedAuc *dmp_paired_auc_begin(void);
extern void dmp_paired_auc_add(DmpPairedAuc *pairs, double a, double b, int label, double weight);
/* NaN where not defined; *se, of the difference, also when rows were weighted */
extern void dmp_paired_auc_end(DmpPairedAuc *pairs, double *a, double *b, double *difference,
							   double *se);

#endif /* DMP_SCORE_PAIRED_H */
