/*-------------------------------------------------------------------------
 * hash.h
 *		Hashing and random numbers that are the same everywhere, for ever.
 *
 * A split by hash, a seed or a stored sketch must mean the same on every
 * machine and version, so neither the server's hash functions nor the C
 * library's random numbers are used. Input is read as little-endian words.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_HASH_H
#define DMP_MATH_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64-bit hash of length bytes; the empty string has a hash too */
extern uint64_t dmp_hash_bytes(const void *bytes, size_t length, uint64_t seed);
/* the same as dmp_hash_bytes of the eight little-endian bytes of value */
extern uint64_t dmp_hash_uint64(uint64_t value, uint64_t seed);
/* by value: -0 hashes as 0, every NaN as one */
extern uint64_t dmp_hash_double(double value, uint64_t seed);
/* order matters: the hash of a row is built column by column */
extern uint64_t dmp_hash_combine(uint64_t hash, uint64_t next);
/* the upper 53 bits as a number in [0, 1) */
extern double dmp_hash_unit(uint64_t hash);

typedef struct DmpRandom
{
	uint64_t s[4]; /* xoshiro256**, never all zero */
	double spare;  /* second normal of the last pair */
	int has_spare;
} DmpRandom;

/* streams of one seed are independent of each other */
extern void dmp_random_init(DmpRandom *r, uint64_t seed, uint64_t stream);
extern uint64_t dmp_random_next(DmpRandom *r);
extern double dmp_random_unit(DmpRandom *r);                /* [0, 1) */
extern uint64_t dmp_random_below(DmpRandom *r, uint64_t n); /* [0, n), unbiased; n > 0 */
extern double dmp_random_normal(DmpRandom *r);

#endif /* DMP_MATH_HASH_H */
