/*-------------------------------------------------------------------------
 * calibrate.h
 *		From margins to probabilities that come true: Platt's sigmoid and
 *		isotonic regression.
 *
 * Rows come in groups of equal margin, each margin once, from the highest down,
 * with the weight of the negatives and of the positives among them.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_CALIBRATE_H
#define DMP_MATH_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>

#include "math/env.h"

/* groups that can be gone through more than once; margins are finite */
typedef struct DmpGroupSource
{
	void (*restart)(struct DmpGroupSource *source);
	bool (*next)(struct DmpGroupSource *source, double *margin, double weight[2]);
} DmpGroupSource;

typedef struct DmpPlatt
{
	double slope; /* p = 1 / (1 + e^-(slope m + intercept)) */
	double intercept;
	int passes; /* over the groups */
	bool converged;
} DmpPlatt;

/*
 * Platt 1999, by Newton's method with a line search (Lin, Lin and Weng 2007).
 * The targets are Platt's, (W1 + 1) / (W1 + 2) of the positives and
 * 1 / (W0 + 2) of the negatives, W1 and W0 their weights, so that rows told
 * apart entirely have an answer as well. Both classes must have weight.
 */
extern void dmp_platt(DmpGroupSource *source, DmpPlatt *out);

/* Pools of adjacent groups, the highest first; memory from env. */
typedef struct DmpPool
{
	double low, high; /* margins */
	double weight;
	double positive; /* weight of the positives */
} DmpPool;

typedef struct DmpIsotonic
{
	const DmpMathEnv *env;
	size_t n, room;
	DmpPool *pools;
} DmpIsotonic;

/*
 * Isotonic regression by pooling adjacent violators, one group at a time,
 * margins descending. dmp_isotonic_knots() gives the points (x ascending, y
 * not descending) between which the answer is interpolated: the ends of each
 * pool. It returns their number; x and y have room for 2 * pools.
 */
extern void dmp_isotonic_start(DmpIsotonic *fit, const DmpMathEnv *env);
extern void dmp_isotonic_add(DmpIsotonic *fit, double margin, const double weight[2]);
extern size_t dmp_isotonic_knots(const DmpIsotonic *fit, double *x, double *y);
/* at x between knots linear, beyond them the value of the end */
extern double dmp_isotonic_at(size_t n, const double *x, const double *y, double at);

#endif /* DMP_MATH_CALIBRATE_H */
