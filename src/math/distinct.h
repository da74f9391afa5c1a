/*-------------------------------------------------------------------------
 * distinct.h
 *		How many different values there are, from their hashes.
 *
 * HyperLogLog (Flajolet et al. 2007) with 2^14 registers and the small range
 * by linear counting: a standard error of 0.8 %, whatever the order of values.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_DISTINCT_H
#define DMP_MATH_DISTINCT_H

#include <stdint.h>

#define DMP_DISTINCT_BITS 14

typedef struct DmpDistinct /* zeros: no value */
{
	uint8_t most[1 << DMP_DISTINCT_BITS];
} DmpDistinct;

/* hash: 64 good bits */
extern void dmp_distinct_add(DmpDistinct *d, uint64_t hash);
extern double dmp_distinct_estimate(const DmpDistinct *d);

#endif /* DMP_MATH_DISTINCT_H */
