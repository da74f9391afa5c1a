/*-------------------------------------------------------------------------
 * metrics.h
 *		Metrics of a binary classifier, shared by learn and score.
 *
 * A score is a margin or a probability, larger means more positive; it must
 * not be NaN (infinities are fine). A label is 0 or 1. weight NULL means 1 for
 * every row; weights are finite and >= 0.
 *
 * Rank metrics are exact: rows of equal score form one group, and 0 and -0 are
 * equal. roc_auc is the Mann-Whitney statistic with ties counting one half.
 * average_precision is sum (R_k - R_{k-1}) P_k over the distinct scores from
 * the top, without interpolation (scikit-learn's). ks is the largest distance
 * between the two classes' distribution functions.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_METRICS_H
#define DMP_MATH_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "math/env.h"

typedef struct DmpRankMetrics
{
	double roc_auc;           /* NaN unless both classes have weight */
	double average_precision; /* NaN without positive weight */
	double ks;                /* NaN unless both classes have weight */
	double weight_positive;
	double weight_negative;
} DmpRankMetrics;

/* O(n) by radix sort; takes 16 bytes a row (32 with weights) from env for a while */
extern void dmp_rank_metrics(size_t n, const double *score, const unsigned char *label,
							 const double *weight, const DmpMathEnv *env, DmpRankMetrics *out);

/* roc_auc alone, of rows that count alike: the same number, sooner; label is 0 or 1 */
extern double dmp_rank_auc(size_t n, const double *score, const unsigned char *label,
						   const DmpMathEnv *env);

/*
 * roc_auc from a histogram: bins from low to high score, ties within a bin
 * count one half. *error, when not NULL, is a bound on |result - exact auc|:
 * half the pairs that share a bin.
 */
extern double dmp_histogram_auc(int nbins, const double *positive, const double *negative,
								double *error);

/* Sorts keys ascending, payload (may be NULL) along; scratch from env. */
extern void dmp_radix_sort(size_t n, uint64_t *keys, double *payload, const DmpMathEnv *env);
/* order of doubles as order of unsigned integers; -0 is 0; NaN sorts last */
extern uint64_t dmp_sort_key(double x);
extern double dmp_sort_key_value(uint64_t key);

/* Loss of one row: log(1 + e^m) - y m, split by sign so that nothing overflows. */
extern double dmp_log_loss_margin(double margin, int label);
/* Loss of one row from a probability, clipped to [2^-53, 1 - 2^-53]. */
extern double dmp_log_loss_probability(double p, int label);
/* 1 / (1 + e^-m) */
extern double dmp_sigmoid(double margin);

/* sums over rows for everything that needs no order; add two by dmp_confusion_merge */
typedef struct DmpConfusion
{
	double true_positive, false_positive, true_negative, false_negative; /* weights */
} DmpConfusion;

extern void dmp_confusion_add(DmpConfusion *c, int predicted, int label, double weight);
extern void dmp_confusion_merge(DmpConfusion *into, const DmpConfusion *from);
/* NaN where the denominator is zero; f1 is 2tp / (2tp + fp + fn) */
extern double dmp_precision(const DmpConfusion *c);
extern double dmp_recall(const DmpConfusion *c);
extern double dmp_f1(const DmpConfusion *c);

#endif /* DMP_MATH_METRICS_H */
