/* test_hash.c - hashing and random numbers */
#include "unit.h"
#include "math/hash.h"

void
test_hash(void)
{
	unsigned char le[8] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
	uint64_t v = UINT64_C(0x0123456789abcdef);
	DmpRandom r;
	double sum = 0, sq = 0, low = 1, high = 0;
	int i, bit, buckets[10] = {0}, flips = 0;
	double chi = 0;

	ok(dmp_hash_bytes(le, 8, 7) == dmp_hash_uint64(v, 7), "a word hashes as its eight bytes");
	/* values of the first release: a change breaks stored splits */
	ok(dmp_hash_bytes("", 0, 0) == UINT64_C(0x48218226ff3cd4bf),
	   "hash of the empty string is fixed");
	ok(dmp_hash_bytes("dmp", 3, 1) == UINT64_C(0x476f2f5b25e6a04d),
	   "hash of a short string is fixed");
	ok(dmp_hash_bytes("a", 1, 0) != dmp_hash_bytes("a\0", 2, 0), "length counts");
	ok(dmp_hash_bytes("a", 1, 0) != dmp_hash_bytes("a", 1, 1), "seed counts");
	ok(dmp_hash_double(0.0, 3) == dmp_hash_double(-0.0, 3), "-0 hashes as 0");
	ok(dmp_hash_double(NAN, 3) == dmp_hash_double(-NAN, 3), "every NaN hashes as one");
	for (i = 0; i < 10000; i++)
		buckets[(int) (10 * dmp_hash_unit(dmp_hash_uint64(i, 42)))]++;
	for (i = 0; i < 10; i++)
		chi += (buckets[i] - 1000.0) * (buckets[i] - 1000.0) / 1000;
	ok(chi < 27.9, "small integers spread evenly (chi-square, p > 0.001)");
	for (bit = 0; bit < 64; bit++)
		flips += __builtin_popcountll(dmp_hash_uint64(5, 0) ^
									  dmp_hash_uint64(5 ^ (UINT64_C(1) << bit), 0));
	ok(abs(flips - 64 * 32) < 200, "one input bit flips half of the output");

	dmp_random_init(&r, 1, 0);
	for (i = 0; i < 100000; i++)
	{
		double u = dmp_random_unit(&r);

		sum += u;
		low = u < low ? u : low;
		high = u > high ? u : high;
	}
	ok(low >= 0 && high < 1, "uniform numbers are in [0, 1)");
	near(sum / 100000, 0.5, 0.005, "their mean is a half");
	sum = 0;
	for (i = 0; i < 100000; i++)
	{
		double z = dmp_random_normal(&r);

		sum += z;
		sq += z * z;
	}
	near(sum / 100000, 0, 0.015, "normal mean");
	near(sq / 100000, 1, 0.02, "normal variance");
	memset(buckets, 0, sizeof(buckets));
	for (i = 0; i < 30000; i++)
		buckets[dmp_random_below(&r, 3)]++;
	ok(abs(buckets[0] - 10000) < 400 && abs(buckets[1] - 10000) < 400 && buckets[3] == 0,
	   "dmp_random_below is even");
	{
		DmpRandom a, b, c;

		dmp_random_init(&a, 9, 1);
		dmp_random_init(&b, 9, 1);
		dmp_random_init(&c, 9, 2);
		ok(dmp_random_next(&a) == dmp_random_next(&b), "a seed repeats");
		ok(dmp_random_next(&b) != dmp_random_next(&c), "streams differ");
	}
}
