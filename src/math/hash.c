/*-------------------------------------------------------------------------
 * hash.c
 *		Seeded hashing and random numbers; see hash.h.
 *
 * Mixing is the finaliser of splitmix64 (Steele, Lea, Flood 2014), which is a
 * bijection of 64-bit words: chaining it over the words of the input means two
 * inputs of one length that differ in one word never collide. The generator is
 * xoshiro256** (Blackman, Vigna 2018) seeded by splitmix64 as its authors ask.
 *-------------------------------------------------------------------------
 */
#include "math/hash.h"

#include <math.h>
#include <string.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

static inline uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return x;
}

static inline uint64_t
load_le(const unsigned char *p, size_t n)
{
	uint64_t x = 0;
	size_t i;

	for (i = 0; i < n; i++)
		x |= (uint64_t) p[i] << (8 * i);
	return x;
}

uint64_t
dmp_hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t h = mix(seed + GOLDEN);
	size_t left;

	for (left = length; left >= 8; left -= 8, p += 8)
		h = mix(h ^ load_le(p, 8)) + GOLDEN;
	if (left > 0)
		h = mix(h ^ load_le(p, left)) + GOLDEN;
	/* the length tells "a" from "a\0" */
	return mix(h ^ (uint64_t) length);
}

uint64_t
dmp_hash_uint64(uint64_t value, uint64_t seed)
{
	return mix((mix(mix(seed + GOLDEN) ^ value) + GOLDEN) ^ 8);
}

uint64_t
dmp_hash_double(double value, uint64_t seed)
{
	uint64_t bits;

	if (value == 0)
		value = 0; /* -0 is 0 */
	memcpy(&bits, &value, sizeof(bits));
	if (isnan(value))
		bits = UINT64_C(0x7ff8000000000000);
	return dmp_hash_uint64(bits, seed);
}

uint64_t
dmp_hash_combine(uint64_t hash, uint64_t next)
{
	return mix(mix(hash + GOLDEN) ^ next);
}

double
dmp_hash_unit(uint64_t hash)
{
	return (double) (hash >> 11) * 0x1p-53;
}

void
dmp_random_init(DmpRandom *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = dmp_hash_uint64(stream, seed);
	int i;

	for (i = 0; i < 4; i++)
	{
		x += GOLDEN;
		r->s[i] = mix(x);
	}
	r->spare = 0;
	r->has_spare = 0;
}

static inline uint64_t
rotate_left(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t
dmp_random_next(DmpRandom *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

double
dmp_random_unit(DmpRandom *r)
{
	return dmp_hash_unit(dmp_random_next(r));
}

uint64_t
dmp_random_below(DmpRandom *r, uint64_t n)
{
	/* the largest multiple of n that fits; what is above it is thrown again */
	uint64_t limit = UINT64_MAX - UINT64_MAX % n;
	uint64_t x;

	do
		x = dmp_random_next(r);
	while (x >= limit);
	return x % n;
}

/* Marsaglia's polar method; the second of each pair is kept */
double
dmp_random_normal(DmpRandom *r)
{
	double u, v, s, f;

	if (r->has_spare)
	{
		r->has_spare = 0;
		return r->spare;
	}
	do
	{
		u = 2 * dmp_random_unit(r) - 1;
		v = 2 * dmp_random_unit(r) - 1;
		s = u * u + v * v;
	} while (s >= 1 || s == 0);
	f = sqrt(-2 * log(s) / s);
	r->spare = v * f;
	r->has_spare = 1;
	return u * f;
}
