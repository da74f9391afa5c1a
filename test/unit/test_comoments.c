/* test_comoments.c - variance inflation against regressions, with missing values */
#include "unit.h"

#include "math/comoments.h"
#include "math/hash.h"
#include "math/least_squares.h"

#define ROWS 1000
#define P 5

static double x[ROWS][P];

/* 1 / (1 - R^2) of column j on the others; missing values are the mean */
static double
by_regression(int j)
{
	double mean[P] = {0}, n[P] = {0}, coef[P], std_err[P], others[P];
	DmpLeastSquares fit = {0, 0, coef, std_err, 0, 0};
	double *state = unit_env.alloc(sizeof(double) * dmp_least_squares_size(P - 1));
	double *scratch = unit_env.alloc(sizeof(double) * dmp_least_squares_scratch(P - 1));
	int i, k;

	memset(state, 0, sizeof(double) * dmp_least_squares_size(P - 1));
	for (i = 0; i < ROWS; i++)
		for (k = 0; k < P; k++)
			if (!isnan(x[i][k]))
			{
				mean[k] += x[i][k];
				n[k]++;
			}
	for (i = 0; i < ROWS; i++)
	{
		int at = 0;

		for (k = 0; k < P; k++)
			if (k != j)
				others[at++] = isnan(x[i][k]) ? mean[k] / n[k] : x[i][k];
		dmp_least_squares_add(P - 1, state, others, isnan(x[i][j]) ? mean[j] / n[j] : x[i][j],
							  scratch);
	}
	dmp_least_squares_solve(P - 1, state, &unit_env, &fit);
	unit_env.release(state);
	unit_env.release(scratch);
	return fit.total / fit.residual;
}

static void
vif_of(int p, double *vif)
{
	DmpComoments c;
	int i;

	dmp_comoments_init(&c, p, &unit_env);
	for (i = 0; i < ROWS; i++)
		dmp_comoments_add(&c, x[i]);
	dmp_comoments_vif(&c, vif);
}

void
test_comoments(void)
{
	DmpRandom r;
	double vif[P];
	int i, j;

	dmp_random_init(&r, 7, 7);
	for (i = 0; i < ROWS; i++)
	{
		/* far from zero, one column with an outlier first */
		x[i][0] = 1e6 + dmp_random_normal(&r);
		x[i][1] = i == 0 ? 1e9 : dmp_random_normal(&r);
		x[i][2] = x[i][0] - 1e6 + dmp_random_normal(&r) / 3;
		x[i][3] = i % 3 == 0 ? NAN : x[i][2] * 5 + dmp_random_normal(&r);
		x[i][4] = i % 5 < 2 ? NAN : dmp_random_normal(&r);
	}
	vif_of(P, vif);
	for (j = 0; j < P; j++)
		near(vif[j] / by_regression(j), 1, 1e-7, "inflation of variance");
	vif_of(1, vif);
	near(vif[0], 1, 1e-9, "of one column");
	for (i = 0; i < ROWS; i++)
	{
		x[i][1] = 7;
		x[i][3] = x[i][0] - 2 * x[i][2];
		x[i][4] = i == 17 ? 1e200 : NAN;
	}
	vif_of(P, vif);
	ok(isinf(vif[0]) && isinf(vif[2]) && isinf(vif[3]), "columns that make each other up");
	ok(isnan(vif[1]) && isnan(vif[4]), "a constant, and one value");
	for (i = 0; i < ROWS; i++)
		x[i][4] = i % 2 ? 1e200 : -1e200;
	vif_of(P, vif);
	ok(isnan(vif[4]) && isinf(vif[0]), "numbers that cannot be squared");
}
