/*-------------------------------------------------------------------------
 * distinct.c
 *		HyperLogLog; see distinct.h.
 *
 * A 64-bit hash needs no correction for large numbers.
 *-------------------------------------------------------------------------
 */
#include "math/distinct.h"

#include <math.h>

#define REGISTERS (1 << DMP_DISTINCT_BITS)

void
dmp_distinct_add(DmpDistinct *d, uint64_t hash)
{
	uint64_t rest = hash << DMP_DISTINCT_BITS;
	/* place of the first 1 among the other bits, from 1 on */
	int place = rest == 0 ? 64 - DMP_DISTINCT_BITS + 1 : __builtin_clzll(rest) + 1;
	uint8_t *most = &d->most[hash >> (64 - DMP_DISTINCT_BITS)];

	if (place > *most)
		*most = (uint8_t) place;
}

double
dmp_distinct_estimate(const DmpDistinct *d)
{
	const double m = REGISTERS;
	double sum = 0, estimate;
	int zeros = 0, i;

	for (i = 0; i < REGISTERS; i++)
	{
		sum += ldexp(1, -d->most[i]);
		zeros += d->most[i] == 0;
	}
	estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (estimate <= 2.5 * m && zeros > 0)
		return m * log(m / zeros);
	return estimate;
}
