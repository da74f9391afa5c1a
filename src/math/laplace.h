/*-------------------------------------------------------------------------
 * laplace.h
 *		Exact samples of the discrete Laplace distribution, by integers alone.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_LAPLACE_H
#define DMP_MATH_LAPLACE_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 DmpUint128;
typedef __int128 DmpInt128;

#define DMP_BITS_BUFFER 4096

/*
 * Random bytes through a buffer. Zero-initialise, then set fill, which writes
 * length bytes and does not return when it cannot.
 */
typedef struct DmpBits
{
	void (*fill)(void *context, uint8_t *bytes, size_t length);
	void *context;
	size_t left;
	uint8_t bytes[DMP_BITS_BUFFER];
} DmpBits;

/* evenly from 0 .. n - 1; n > 0 */
extern DmpUint128 dmp_bits_below(DmpBits *bits, DmpUint128 n);
/* 1 with probability exp(-p / q), exactly; q > 0, q < 2^96 */
extern int dmp_bernoulli_exp(DmpBits *bits, DmpUint128 p, DmpUint128 q);
/*
 * x with probability proportional to exp(-|x| * s / t), exactly; s > 0, 0 < t < 2^96.
 * For a sum of sensitivity D and epsilon e / 10^6: t = D * 10^6, s = e.
 */
extern DmpInt128 dmp_discrete_laplace(DmpBits *bits, uint64_t s, DmpUint128 t);
/*
 * The least m >= 0 with P(|x| > m) <= beta, for ratio = s / t; 0 < beta < 1.
 * Ordinary floating point: it describes the noise and is no part of it.
 */
extern double dmp_laplace_margin(double ratio, double beta);

#endif /* DMP_MATH_LAPLACE_H */
