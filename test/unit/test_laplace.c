/* test_laplace.c - samples of the discrete Laplace distribution against its probabilities */
#include "unit.h"
#include "math/hash.h"
#include "math/laplace.h"

static void
fill(void *context, uint8_t *bytes, size_t length)
{
	DmpRandom *r = context;
	size_t i;

	for (i = 0; i < length; i++)
		bytes[i] = (uint8_t) (dmp_random_next(r) >> 56);
}

/* chi-squared of n samples over |x| <= cut and the two tails, against the exact probabilities */
static void
samples(DmpBits *bits, uint64_t s, uint64_t t, int cut, int n, const char *what)
{
	double a = exp(-(double) s / (double) t);
	double zero = (1 - a) / (1 + a);
	long *counts = calloc(2 * cut + 3, sizeof(long));
	double chi = 0, sum = 0;
	int i, cells = 2 * cut + 3;
	char text[120];

	for (i = 0; i < n; i++)
	{
		DmpInt128 x = dmp_discrete_laplace(bits, s, t);
		int cell = x < -cut ? 0 : x > cut ? cells - 1 : (int) x + cut + 1;

		counts[cell]++;
		sum += (double) x;
	}
	for (i = 0; i < cells; i++)
	{
		int x = i - cut - 1;
		double p = i == 0 || i == cells - 1 ? pow(a, cut + 1) / (1 + a) : zero * pow(a, abs(x));

		chi += (counts[i] - n * p) * (counts[i] - n * p) / (n * p);
	}
	free(counts);
	/* Wilson and Hilferty: a normal number of size 6 comes once in a billion */
	chi = (cbrt(chi / (cells - 1)) - 1 + 2.0 / (9 * (cells - 1))) / sqrt(2.0 / (9 * (cells - 1)));
	snprintf(text, sizeof(text), "%s: %d samples as probable as they should be (z = %.2f)", what, n,
			 chi);
	ok(fabs(chi) < 6, text);
	snprintf(text, sizeof(text), "%s: mean", what);
	near(sum / n, 0, 6 * sqrt(2 * a) / (1 - a) / sqrt(n), text);
}

void
test_laplace(void)
{
	static DmpBits bits;
	DmpRandom r;
	int counts[7] = {0};
	double chi = 0;
	int i, hits = 0;
	DmpUint128 wide = (DmpUint128) 1 << 90, most = 0;

	dmp_random_init(&r, 11, 0);
	bits.fill = fill;
	bits.context = &r;
	for (i = 0; i < 70000; i++)
		counts[(int) dmp_bits_below(&bits, 7)]++;
	for (i = 0; i < 7; i++)
		chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000;
	ok(chi < 50, "evenly below 7");
	ok(dmp_bits_below(&bits, 1) == 0, "below 1 there is 0");
	for (i = 0; i < 1000; i++)
	{
		DmpUint128 x = dmp_bits_below(&bits, wide);

		most = x > most ? x : most;
	}
	ok(most < wide && most > wide / 100 * 98, "evenly below 2^90");
	for (i = 0; i < 100000; i++)
		hits += dmp_bernoulli_exp(&bits, 5, 2);
	near(hits / 100000.0, exp(-2.5), 0.005, "a chance of exp(-5/2)");
	for (hits = i = 0; i < 100000; i++)
		hits += dmp_bernoulli_exp(&bits, 1, 3);
	near(hits / 100000.0, exp(-1.0 / 3), 0.009, "a chance of exp(-1/3)");
	ok(dmp_bernoulli_exp(&bits, 0, 9), "a chance of 1");

	samples(&bits, 1000000, 1000000, 10, 1000000, "epsilon 1");
	samples(&bits, 100000, 1000000, 60, 200000, "epsilon 0.1");
	samples(&bits, 2500000, 1000000, 4, 100000, "epsilon 2.5");
	samples(&bits, 333333, 7000000, 100, 100000, "epsilon 0.333333, sensitivity 7");
	near(dmp_laplace_margin(1, 0.05), 3, 0, "margin at epsilon 1: P(|x| > 3) = 0.027 < 0.05");
	near(dmp_laplace_margin(0.1, 0.05), 30, 0, "margin at epsilon 0.1");
	near(dmp_laplace_margin(50, 0.05), 0, 0, "no noise, no margin");
}
