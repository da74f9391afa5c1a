/*-------------------------------------------------------------------------
 * laplace.c
 *		Exact samples of the discrete Laplace distribution, by integers alone.
 *
 * After Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential
 * Privacy" (2020), algorithms 1 and 2. No floating point takes part, so the
 * attacks on its low bits (Mironov 2012; Haney et al. 2022) have nothing to
 * look at, and the distribution is what the proof says, not nearly so.
 *
 * How long a sample takes depends on its value: a few hundred nanoseconds
 * more for each scale of distance from zero.
 *-------------------------------------------------------------------------
 */
#include "math/laplace.h"

#include <math.h>
#include <string.h>

static uint8_t
next_byte(DmpBits *bits)
{
	uint8_t byte;

	if (bits->left == 0)
	{
		bits->fill(bits->context, bits->bytes, DMP_BITS_BUFFER);
		bits->left = DMP_BITS_BUFFER;
	}
	bits->left--;
	byte = bits->bytes[bits->left];
	bits->bytes[bits->left] = 0; /* used once, kept nowhere */
	return byte;
}

/* the fewest bits that hold n - 1, drawn again until the number is below n */
DmpUint128
dmp_bits_below(DmpBits *bits, DmpUint128 n)
{
	DmpUint128 most = n - 1;
	DmpUint128 mask = most;
	int width = 0;
	int i;

	for (i = 1; i < 128; i *= 2)
		mask |= mask >> i;
	while (width < 16 && mask >> (8 * width) != 0)
		width++;
	for (;;)
	{
		DmpUint128 value = 0;

		for (i = 0; i < width; i++)
			value = value << 8 | next_byte(bits);
		value &= mask;
		if (value <= most)
			return value;
	}
}

/* algorithm 1 for p <= q: count successes of chances p / (q k), k = 1, 2, ... */
static int
bernoulli_exp_below_one(DmpBits *bits, DmpUint128 p, DmpUint128 q)
{
	uint64_t k = 1;

	while (dmp_bits_below(bits, q * k) < p)
		k++;
	return k % 2 == 1;
}

int
dmp_bernoulli_exp(DmpBits *bits, DmpUint128 p, DmpUint128 q)
{
	while (p > q)
	{
		if (!bernoulli_exp_below_one(bits, 1, 1))
			return 0;
		p -= q;
	}
	return bernoulli_exp_below_one(bits, p, q);
}

/* algorithm 2 */
DmpInt128
dmp_discrete_laplace(DmpBits *bits, uint64_t s, DmpUint128 t)
{
	for (;;)
	{
		DmpUint128 u = dmp_bits_below(bits, t);
		DmpUint128 v = 0;
		DmpUint128 y;

		if (!dmp_bernoulli_exp(bits, u, t))
			continue;
		while (dmp_bernoulli_exp(bits, 1, 1))
			v++;
		y = (u + t * v) / s;
		if (dmp_bits_below(bits, 2) == 0)
			return (DmpInt128) y;
		if (y != 0)
			return -(DmpInt128) y;
	}
}

/* P(|x| > m) = 2 a^(m + 1) / (1 + a) with a = exp(-ratio) */
double
dmp_laplace_margin(double ratio, double beta)
{
	double m = ceil(-log(beta * (1 + exp(-ratio)) / 2) / ratio) - 1;

	return m > 0 ? m : 0;
}
