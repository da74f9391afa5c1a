/* test_binning.c - cells and bins against sorting and counting */
#include "unit.h"

#include <float.h>

#include "math/binning.h"
#include "math/hash.h"

#define ROWS 20000

static int
compare(const void *a, const void *b)
{
	double l = *(const double *) a;
	double r = *(const double *) b;

	return l < r ? -1 : l > r;
}

static void
count(DmpCells *c, double x, double y)
{
	double *sums = dmp_cells_at(c, x);

	sums[0]++;
	sums[1]++;
	sums[2] += y;
}

static int
same(DmpCells *a, DmpCells *b)
{
	dmp_cells_sort(a);
	dmp_cells_sort(b);
	return a->n == b->n && a->shift == b->shift &&
		   memcmp(a->keys, b->keys, sizeof(uint64_t) * a->n) == 0 &&
		   memcmp(a->sums, b->sums, sizeof(double) * a->n * a->width) == 0;
}

/* few distinct values: edges are percentile_disc's, sums are counts */
static void
test_exact(void)
{
	static double x[ROWS];
	DmpCells c;
	DmpRandom r;
	double edges[64];
	double sums[3 * 65];
	double share = 0;
	int bad = 0;
	int n;
	int i;
	int k;

	dmp_random_init(&r, 1, 0);
	dmp_cells_init(&c, &unit_env, 3, 4096);
	for (i = 0; i < ROWS; i++)
	{
		x[i] = (double) dmp_random_below(&r, 1000) - 500;
		count(&c, x[i], x[i] > 0);
	}
	dmp_cells_sort(&c);
	n = dmp_bins_quantile(&c, 10, edges);
	qsort(x, ROWS, sizeof(double), compare);
	ok(n == 9, "ten bins of a thousand values");
	for (k = 1; k < 10; k++)
		bad += edges[k - 1] != x[(int) ceil(k / 10.0 * ROWS) - 1];
	ok(bad == 0, "edges are the values at the ranks");
	dmp_bins_sums(&c, edges, n, sums);
	for (k = 0; k <= n; k++)
	{
		double rows = 0;

		for (i = 0; i < ROWS; i++)
			rows += dmp_bin_of(edges, n, x[i]) == k;
		bad += rows != sums[3 * k];
	}
	ok(bad == 0, "sums of bins are counts of rows");
	n = dmp_bins_join_small(&c, edges, n, ROWS / 4);
	dmp_bins_sums(&c, edges, n, sums);
	for (k = 0; k <= n; k++)
		bad += sums[3 * k] < ROWS / 4;
	ok(bad == 0 && n > 0, "no small bin is left");
	n = dmp_bins_monotone(&c, 6, 0.05, edges);
	dmp_bins_sums(&c, edges, n, sums);
	for (k = 0; k <= n; k++)
	{
		share = sums[3 * k] / ROWS;
		bad += share < 0.05;
		bad += k > 0 && sums[3 * k + 2] / sums[3 * k] < sums[3 * k - 1] / sums[3 * k - 3];
	}
	ok(bad == 0 && n > 0 && n < 6, "monotone bins rise, none too small");
}

/* more values than cells: whatever the order and the shares, the same cells; edges within a cell */
static void
test_coarse(void)
{
	static double x[ROWS];
	DmpCells all;
	DmpCells back;
	DmpCells part[3];
	DmpRandom r;
	double edges[64];
	double worst = 0;
	int n;
	int i;
	int k;

	dmp_random_init(&r, 2, 0);
	dmp_cells_init(&all, &unit_env, 3, 1024);
	dmp_cells_init(&back, &unit_env, 3, 1024);
	for (k = 0; k < 3; k++)
		dmp_cells_init(&part[k], &unit_env, 3, 1024);
	for (i = 0; i < ROWS; i++)
	{
		x[i] = dmp_random_normal(&r);
		count(&all, x[i], i % 3 == 0);
		/* as they are shared out, one process gets nearly nothing */
		count(&part[i < 10 ? 0 : 1 + i % 2], x[i], i % 3 == 0);
	}
	for (i = ROWS - 1; i >= 0; i--)
		count(&back, x[i], i % 3 == 0);
	ok(all.n <= 1024, "no more cells than the limit");
	dmp_cells_merge(&part[0], &part[1]);
	dmp_cells_merge(&part[0], &part[2]);
	ok(same(&all, &back), "the order of rows makes no difference");
	ok(same(&all, &part[0]), "nor how they are shared out");
	n = dmp_bins_quantile(&all, 10, edges);
	qsort(x, ROWS, sizeof(double), compare);
	for (k = 0; k < n; k++)
	{
		for (i = 0; i < ROWS && x[i] < edges[k]; i++)
			;
		worst = fmax(worst, fabs((double) i / ROWS - (k + 1) / 10.0));
	}
	ok(n == 9 && worst < 0.01, "quantiles are off by less than a percent");
}

static void
test_hostile(void)
{
	DmpCells c;
	double edges[64];
	int n;

	dmp_cells_init(&c, &unit_env, 3, 4);
	n = dmp_bins_quantile(&c, 10, edges);
	ok(n == 0 && dmp_bins_monotone(&c, 10, 0.1, edges) == 0, "no rows: no edges");
	count(&c, INFINITY, 1);
	count(&c, -INFINITY, 0);
	count(&c, 0.0, 0);
	count(&c, -0.0, 0);
	dmp_cells_sort(&c);
	ok(c.n == 3 && dmp_cells_low(&c, 0) == -DBL_MAX && dmp_cells_low(&c, 1) == 0 &&
		   dmp_cells_low(&c, 2) == DBL_MAX,
	   "infinities are the largest numbers, 0 is one value");
	n = dmp_bins_quantile(&c, 10, edges);
	ok(n == 2 && edges[0] == 0 && edges[1] == DBL_MAX, "few values have a bin each");
	ok(dmp_bin_of(edges, n, INFINITY) == 2 && dmp_bin_of(edges, n, -INFINITY) == 0 &&
		   dmp_bin_of(edges, n, -0.0) == 1,
	   "a bin for every number");
}

static void
test_information(void)
{
	double weight[3] = {10, 20, 30}, y[3] = {2, 10, 3}, woe[3], none[2] = {5, 0}, zero[2] = {0, 0};
	double sum = 0, entropy = 0;
	int i;

	/* H(class) - H(class | bin) */
	for (i = 0; i < 3; i++)
	{
		double p = y[i] / weight[i];

		sum += weight[i] / 60 * (p * log(p) + (1 - p) * log(1 - p));
	}
	entropy = -(0.25 * log(0.25) + 0.75 * log(0.75));
	near(dmp_mutual_information(3, weight, y), entropy + sum, 1e-15, "mutual information");
	near(dmp_mutual_information(2, none, zero), 0, 0, "of one class, and of an empty bin");
	ok(isnan(dmp_mutual_information(2, zero, zero)), "of nothing");
	near(dmp_evidence(3, weight, y, 1e-9, woe),
		 (2 / 15. - 8 / 45.) * log(2 / 15. / (8 / 45.)) +
			 (10 / 15. - 10 / 45.) * log(10 / 15. / (10 / 45.)) +
			 (3 / 15. - 27 / 45.) * log(3 / 15. / (27 / 45.)),
		 1e-8, "information value");
}

void
test_binning(void)
{
	test_information();
	test_exact();
	test_coarse();
	test_hostile();
}
