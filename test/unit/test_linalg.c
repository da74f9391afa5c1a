/* test_linalg.c - packed factorisation against products written out */
#include "unit.h"
#include "math/hash.h"
#include "math/linalg.h"

#define N 23

/* A = B B' of a random B, full and packed */
static void
random_spd(DmpRandom *r, double full[N][N], double *packed)
{
	double b[N][N];
	int i, j, k;

	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			b[i][j] = dmp_random_normal(r) * (1 + i);
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
		{
			full[i][j] = 0;
			for (k = 0; k < N; k++)
				full[i][j] += b[i][k] * b[j][k];
		}
	for (i = 0; i < N; i++)
		for (j = 0; j <= i; j++)
			packed[DMP_TRI(i) + j] = full[i][j];
}

void
test_linalg(void)
{
	DmpRandom r;
	double full[N][N], packed[DMP_TRI(N)], l[DMP_TRI(N)], inverse[DMP_TRI(N)];
	double d[N], x[N], b[N], y[N], worst = 0;
	unsigned char skip[N] = {0};
	int i, j, k;

	dmp_random_init(&r, 11, 0);
	random_spd(&r, full, packed);
	for (i = 0; i < N; i++)
	{
		x[i] = dmp_random_normal(&r);
		b[i] = 0;
	}
	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			b[i] += full[i][j] * x[j];
	dmp_symmetric_multiply(N, packed, x, y);
	for (i = 0; i < N; i++)
		worst = fmax(worst, fabs(y[i] - b[i]) / fabs(full[i][i]));
	near(worst, 0, 1e-14, "symmetric product");
	memcpy(l, packed, sizeof(l));
	ok(dmp_cholesky(N, l, d, skip, DMP_ALIAS_TOLERANCE, &unit_env) == N, "full rank");
	worst = 0;
	for (i = 0; i < N; i++)
		for (j = 0; j <= i; j++)
		{
			double sum = 0;

			for (k = 0; k <= j; k++)
				sum += l[DMP_TRI(i) + k] * l[DMP_TRI(j) + k];
			worst = fmax(worst, fabs(sum - full[i][j] * d[i] * d[j]));
		}
	near(worst, 0, 1e-14, "L L' is the scaled matrix");
	dmp_cholesky_solve(N, l, d, b, y);
	worst = 0;
	for (i = 0; i < N; i++)
		worst = fmax(worst, fabs(y[i] - x[i]));
	near(worst, 0, 1e-8, "solve");
	dmp_cholesky_inverse(N, l, d, inverse, &unit_env);
	worst = 0;
	for (i = 0; i < N; i++)
	{
		for (j = 0; j < N; j++)
			x[j] = inverse[i >= j ? DMP_TRI(i) + j : DMP_TRI(j) + i];
		for (j = 0; j < N; j++)
		{
			double sum = 0;

			for (k = 0; k < N; k++)
				sum += x[k] * full[k][j];
			worst = fmax(worst, fabs(sum - (i == j)));
		}
	}
	near(worst, 0, 1e-8, "inverse times matrix is the identity");

	/* column 5 := column 2 + column 3 (as vectors of B), column 7 a copy scaled by 1e6, 9 zero */
	for (j = 0; j < N; j++)
		full[5][j] = full[2][j] + full[3][j];
	for (j = 0; j < N; j++)
		full[j][5] = full[j][2] + full[j][3];
	full[5][5] = full[2][2] + 2 * full[2][3] + full[3][3];
	for (j = 0; j < N; j++)
		full[7][j] = 1e6 * full[1][j];
	for (j = 0; j < N; j++)
		full[j][7] = 1e6 * full[j][1];
	full[7][7] = 1e12 * full[1][1];
	full[7][5] = full[5][7] = 1e6 * full[1][5];
	for (j = 0; j < N; j++)
		full[9][j] = full[j][9] = 0;
	for (i = 0; i < N; i++)
		for (j = 0; j <= i; j++)
			l[DMP_TRI(i) + j] = full[i][j];
	memset(skip, 0, sizeof(skip));
	skip[4] = 1;
	ok(dmp_cholesky(N, l, d, skip, DMP_ALIAS_TOLERANCE, &unit_env) == N - 4,
	   "rank without three aliased columns and one held");
	ok(skip[5] == 2 && skip[7] == 2 && skip[9] == 2 && skip[4] == 1 && skip[6] == 0,
	   "the later of two equal columns is the aliased one");
}
