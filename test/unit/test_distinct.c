/* test_distinct.c - estimates against what was put in */
#include "unit.h"

#include "math/distinct.h"
#include "math/hash.h"

void
test_distinct(void)
{
	static DmpDistinct d;
	static const int at[] = {1, 100, 5000, 30000, 200000, 1000000};
	int i, k = 0;

	near(dmp_distinct_estimate(&d), 0, 0, "no values");
	for (i = 1; i <= 1000000; i++)
	{
		uint64_t hash = dmp_hash_uint64((uint64_t) i, 0);

		dmp_distinct_add(&d, hash);
		dmp_distinct_add(&d, hash);
		if (i == at[k])
		{
			near(dmp_distinct_estimate(&d) / i, 1, 0.03, "distinct values");
			k++;
		}
	}
}
