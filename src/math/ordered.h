/*-------------------------------------------------------------------------
 * ordered.h
 *		A multiset of numbers kept in order while some come and others go.
 *
 * Blocks of keys in ascending order, each sorted: insertion and removal move
 * one block's keys, the k-th value adds up the blocks' counts. For the frames
 * of windows: 1,000,000 values take a few microseconds a step. Order is that
 * of select.h.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_ORDERED_H
#define DMP_MATH_ORDERED_H

#include <stddef.h>
#include <stdint.h>

#include "math/env.h"

#define DMP_ORDERED_BLOCK 512

typedef struct DmpOrdered
{
	const DmpMathEnv *env;
	size_t n;
	size_t nblocks;
	size_t room;
	uint64_t **blocks; /* of DMP_ORDERED_BLOCK keys */
	uint16_t *counts;  /* of each, at least 1 */
} DmpOrdered;

/* of n keys (metrics.h) in ascending order; memory is env's as of the call */
extern void dmp_ordered_init(DmpOrdered *o, size_t n, const uint64_t *keys, const DmpMathEnv *env);
extern void dmp_ordered_free(DmpOrdered *o);
extern void dmp_ordered_insert(DmpOrdered *o, double x);
/* one value that equals x; 0 when there is none */
extern int dmp_ordered_remove(DmpOrdered *o, double x);
/* the k-th smallest, from 0, below n */
extern double dmp_ordered_get(const DmpOrdered *o, size_t k);
/* how many are smaller than x */
extern size_t dmp_ordered_rank(const DmpOrdered *o, double x);
/* the k-th smallest of |value - center|, from 0; center is not NaN */
extern double dmp_ordered_deviation(const DmpOrdered *o, double center, size_t k);

#endif /* DMP_MATH_ORDERED_H */
