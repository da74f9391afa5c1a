/*-------------------------------------------------------------------------
 * linalg.c
 *		Packed symmetric matrices; see linalg.h.
 *
 * The factorisation is the row (bordering) form: row i of L needs only dot
 * products of rows, which are contiguous. Scaling to a unit diagonal first
 * makes the aliasing test independent of the units of the columns. A column
 * left out is a row of zeros in L, which every dot product passes over.
 *-------------------------------------------------------------------------
 */
#include "math/linalg.h"

#include <math.h>
#include <string.h>

void
dmp_symmetric_multiply(int n, const double *a, const double *x, double *y)
{
	int i;

	memset(y, 0, sizeof(double) * n);
	for (i = 0; i < n; i++)
	{
		const double *row = a + DMP_TRI(i);

		y[i] += dmp_dot(i, row, x) + row[i] * x[i];
		if (x[i] != 0)
			dmp_axpy(i, x[i], row, y);
	}
}

int
dmp_cholesky(int n, double *a, double *d, unsigned char *skip, double tolerance,
			 const DmpMathEnv *env)
{
	int i, j, rank = 0;

	for (i = 0; i < n; i++)
	{
		double diagonal = a[DMP_TRI(i) + i];

		if (!skip[i] && !(diagonal > 0))
			skip[i] = 2;
		d[i] = skip[i] ? 0 : 1 / sqrt(diagonal);
		if (isinf(d[i]) || d[i] == 0)
		{
			d[i] = 0;
			skip[i] = skip[i] ? skip[i] : 2;
		}
	}
	for (i = 0; i < n; i++)
	{
		double *row = a + DMP_TRI(i);
		double pivot;

		if (i % 16 == 0)
			env->check();
		if (skip[i])
		{
			memset(row, 0, sizeof(double) * (i + 1));
			continue;
		}
		for (j = 0; j < i; j++)
		{
			const double *other = a + DMP_TRI(j);

			row[j] = skip[j] ? 0 : (row[j] * d[i] * d[j] - dmp_dot(j, row, other)) / other[j];
		}
		pivot = 1 - dmp_dot(i, row, row);
		if (!(pivot > tolerance))
		{
			skip[i] = 2;
			d[i] = 0;
			memset(row, 0, sizeof(double) * (i + 1));
			continue;
		}
		row[i] = sqrt(pivot);
		rank++;
	}
	return rank;
}

void
dmp_cholesky_solve(int n, const double *l, const double *d, const double *b, double *x)
{
	int i;

	for (i = 0; i < n; i++)
	{
		const double *row = l + DMP_TRI(i);

		x[i] = row[i] == 0 ? 0 : (b[i] * d[i] - dmp_dot(i, row, x)) / row[i];
	}
	for (i = n - 1; i >= 0; i--)
	{
		const double *row = l + DMP_TRI(i);

		if (row[i] == 0)
			continue;
		x[i] /= row[i];
		dmp_axpy(i, -x[i], row, x);
	}
	for (i = 0; i < n; i++)
		x[i] *= d[i];
}

void
dmp_cholesky_inverse(int n, double *l, const double *d, double *inverse, const DmpMathEnv *env)
{
	int i, k;

	/* L^-1 by rows: its row i is (e_i - sum_k L_ik L^-1_k) / L_ii */
	for (i = 0; i < n; i++)
	{
		double *row = l + DMP_TRI(i);
		double pivot = row[i];
		double *fresh = inverse + DMP_TRI(i); /* room for one row until the end */

		env->check();
		memset(fresh, 0, sizeof(double) * (i + 1));
		if (pivot == 0)
			continue;
		for (k = 0; k < i; k++)
			if (row[k] != 0)
				dmp_axpy(k + 1, -row[k] / pivot, l + DMP_TRI(k), fresh);
		fresh[i] = 1 / pivot;
		memcpy(row, fresh, sizeof(double) * (i + 1));
	}
	/* A^-1 = D L^-T L^-1 D */
	memset(inverse, 0, sizeof(double) * DMP_TRI(n));
	for (k = 0; k < n; k++)
	{
		const double *row = l + DMP_TRI(k);

		env->check();
		for (i = 0; i <= k; i++)
			if (row[i] != 0)
				dmp_axpy(i + 1, row[i], row, inverse + DMP_TRI(i));
	}
	for (i = 0; i < n; i++)
		for (k = 0; k <= i; k++)
			inverse[DMP_TRI(i) + k] *= d[i] * d[k];
}
