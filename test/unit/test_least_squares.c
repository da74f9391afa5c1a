/* test_least_squares.c - certified problems, merging, columns that are combinations of others */
#include "unit.h"
#include "math/least_squares.h"

typedef struct Fit
{
	double coef[12], std_err[12];
	DmpLeastSquares s;
} Fit;

static double *
state_of(int p)
{
	return calloc(dmp_least_squares_size(p), sizeof(double));
}

static void
solve(int p, const double *state, Fit *f)
{
	f->s.coef = f->coef;
	f->s.std_err = f->std_err;
	dmp_least_squares_solve(p, state, &unit_env, &f->s);
}

/* relative, by the certified value */
static void
close_to(double got, double expected, const char *what)
{
	near(got / expected, 1, 1e-12, what);
}

/* y = 1 + x + ... + x^5 (Wampler 1) or with coefficients 10^-k (Wampler 2), x = 0 .. 20 */
static void
wampler(int kind)
{
	double scratch[64], *state = state_of(5);
	Fit f;
	int i, k;

	for (i = 0; i <= 20; i++)
	{
		double x[5], y = 1, power = 1, c = 1;

		for (k = 0; k < 5; k++)
		{
			power *= i;
			c *= kind == 1 ? 1 : 0.1;
			x[k] = power;
			y += c * power;
		}
		dmp_least_squares_add(5, state, x, y, scratch);
	}
	solve(5, state, &f);
	for (k = 0; k <= 5; k++)
		near(f.coef[k] / (kind == 1 ? 1 : pow(10, -k)), 1, 1e-10, "a coefficient of Wampler's");
	ok(f.s.rank == 6, "all of them");
	free(state);
}

static const double longley[16][7] = {{60323, 83.0, 234289, 2356, 1590, 107608, 1947},
									  {61122, 88.5, 259426, 2325, 1456, 108632, 1948},
									  {60171, 88.2, 258054, 3682, 1616, 109773, 1949},
									  {61187, 89.5, 284599, 3351, 1650, 110929, 1950},
									  {63221, 96.2, 328975, 2099, 3099, 112075, 1951},
									  {63639, 98.1, 346999, 1932, 3594, 113270, 1952},
									  {64989, 99.0, 365385, 1870, 3547, 115094, 1953},
									  {63761, 100.0, 363112, 3578, 3350, 116219, 1954},
									  {66019, 101.2, 397469, 2904, 3048, 117388, 1955},
									  {67857, 104.6, 419180, 2822, 2857, 118734, 1956},
									  {68169, 108.4, 442769, 2936, 2798, 120445, 1957},
									  {66513, 110.8, 444546, 4681, 2637, 121950, 1958},
									  {68655, 112.6, 482704, 3813, 2552, 123366, 1959},
									  {69564, 114.2, 502601, 3931, 2514, 125368, 1960},
									  {69331, 115.7, 518173, 4806, 2572, 127852, 1961},
									  {70551, 116.9, 554894, 4007, 2827, 130081, 1962}};

static void
test_longley(void)
{
	/* NIST StRD, certified */
	static const double coef[] = {-3482258.63459582, 15.0618722713733,  -0.358191792925910E-01,
								  -2.02022980381683, -1.03322686717359, -0.511041056535807E-01,
								  1829.15146461355};
	static const double std_err[] = {890420.383607373,  84.9149257747669,  0.334910077722432E-01,
									 0.488399681651699, 0.214274163161675, 0.226073200069370,
									 455.478499142212};
	double scratch[64], *one = state_of(6), *two = state_of(6), *none = state_of(6);
	Fit f, g;
	int i, k;

	for (i = 0; i < 16; i++)
		dmp_least_squares_add(6, one, longley[i] + 1, longley[i][0], scratch);
	solve(6, one, &f);
	for (k = 0; k < 7; k++)
	{
		close_to(f.coef[k], coef[k], "a coefficient of Longley's");
		close_to(f.std_err[k], std_err[k], "and its error");
	}
	close_to(f.s.residual / 9, 92936.0061673238, "residual mean square");
	close_to(1 - f.s.residual / f.s.total, 0.995479004577296, "r squared");
	/* in two halves */
	memset(one, 0, sizeof(double) * dmp_least_squares_size(6));
	for (i = 0; i < 16; i++)
		dmp_least_squares_add(6, i < 7 ? one : two, longley[i] + 1, longley[i][0], scratch);
	dmp_least_squares_merge(6, one, none, scratch);
	dmp_least_squares_merge(6, none, one, scratch);
	dmp_least_squares_merge(6, none, two, scratch);
	solve(6, none, &g);
	for (k = 0; k < 7; k++)
		near(g.coef[k] / f.coef[k], 1, 1e-14, "halves that are put together");
	free(one);
	free(two);
	free(none);
}

/* x far from 0, a copy of it in other units, a constant, a number that cannot be squared */
static void
test_hard_columns(void)
{
	double scratch[64], *state = state_of(5);
	Fit f;
	int i;

	for (i = 0; i < 50; i++)
	{
		double x[5] = {1.7e9 + i * 7 % 60, 0, 3, i % 5, i == 20 ? 1e200 : i};
		double y;

		x[1] = 0.1 * (x[0] - 1.7e9) + 7;
		y = 5 + 0.25 * (x[0] - 1.7e9) - 2 * x[3];
		dmp_least_squares_add(5, state, x, y, scratch);
	}
	solve(5, state, &f);
	near(f.coef[1], 0.25, 1e-13, "a column of epoch seconds");
	near(f.coef[0] / (5 - 0.25 * 1.7e9), 1, 1e-13, "and the intercept");
	ok(isnan(f.coef[2]) && isnan(f.std_err[2]), "a copy is aliased");
	ok(isnan(f.coef[3]), "a constant is");
	near(f.coef[4], -2, 1e-12, "the others answer for them");
	ok(isnan(f.coef[5]), "what cannot be squared has no coefficient");
	ok(f.s.rank == 3, "rank");
	free(state);
}

void
test_least_squares(void)
{
	wampler(1);
	wampler(2);
	test_longley();
	test_hard_columns();
}
