/*-------------------------------------------------------------------------
 * quadratic.c
 *		The loss of rows that are no longer there, to second or third order.
 *
 * Two processes that share the rows know the loss about their own optima,
 * which lie a statistical error apart. To second order the minimum of the sum
 * is off by the third derivatives times the square of that distance. With the
 * third derivatives, for which a sample of the rows does, it is off by far less,
 * and the one scan that follows ends at the exact optimum.
 *
 * All parts are polynomials about the origin and add term by term.
 */
#include "math/glm.h"

#include <math.h>
#include <string.h>

void
dmp_cubic_tensor(int n, const double *slices, double f, double *tensor)
{
	int i, j, k;

	for (k = 0; k < n; k++)
	{
		/* slice k > 0 starts with an intercept of its own, then parameter k */
		int first = k > 0 ? k - 1 : 0;

		for (i = k; i < n; i++)
			for (j = k; j <= i; j++)
			{
				double x = f * slices[DMP_TRI(i - first) + (j - first)];
				int p[3] = {i, j, k}, a, b;

				for (a = 0; a < 3; a++)
					for (b = 0; b < 3; b++)
						if (a != b)
							tensor[((size_t) p[a] * n + p[b]) * n + p[3 - a - b]] = x;
			}
		slices += DMP_TRI(n - first);
	}
}

int
dmp_cubic_tiles(int nparams)
{
	double n = nparams, tiles = 1.4e6 / (n * n * n);

	return tiles > 128 ? 128 : tiles < 16 ? 16 : (int) tiles;
}

size_t
dmp_glm_cubic_scratch(const DmpGlmShape *shape)
{
	DmpGlmShape wide = *shape;

	wide.ndense = shape->nparams - 1;
	return sizeof(double) * DMP_TILE * (size_t) shape->nparams + dmp_glm_scratch(&wide);
}

void
dmp_glm_tile_cubic_coded(const DmpGlmShape *shape, const DmpGlmTile *tile, const double *theta,
						 double *slices, void *scratch)
{
	DmpGlmShape wide = *shape;
	DmpGlmTile part = *tile;
	double *x = scratch;
	int i, k;

	if (shape->ncoded == 0)
	{
		dmp_glm_tile_cubic(shape, tile, theta, slices, scratch);
		return;
	}
	wide.ndense = shape->nparams - 1;
	wide.ncoded = 0;
	memcpy(x, tile->dense, sizeof(double) * DMP_TILE * (size_t) shape->ndense);
	memset(x + (size_t) shape->ndense * DMP_TILE, 0,
		   sizeof(double) * DMP_TILE * (size_t) (wide.ndense - shape->ndense));
	for (k = 0; k < shape->ncoded; k++)
		for (i = 0; i < tile->n; i++)
		{
			int32_t code = tile->codes[(size_t) k * DMP_TILE + i];

			if (code > 0)
				x[(size_t) (code - 1) * DMP_TILE + i] += 1;
		}
	part.dense = x;
	part.codes = NULL;
	dmp_glm_tile_cubic(&wide, &part, theta, slices, x + DMP_TILE * (size_t) (wide.ndense + 1));
}

/* element (i, j) of tensor . x, i and j any */
static double
contract(int n, const double *tensor, const double *x, int i, int j)
{
	return dmp_dot(n, tensor + ((size_t) i * n + j) * n, x);
}

void
dmp_quadratic_add_sums(DmpQuadratic *q, const double *theta, const DmpGlmSums *sums,
					   const double *tensor, double *scratch)
{
	int n = q->nparams, i, j;
	double *h = scratch, *t = scratch + n;
	size_t k;

	/* H at = h; with T the third derivatives, T at at = t */
	dmp_symmetric_multiply(n, sums->hessian, theta, h);
	memset(t, 0, sizeof(double) * n);
	for (k = 0; k < DMP_TRI(n); k++)
		q->hessian[k] += sums->hessian[k];
	if (tensor)
	{
		for (i = 0; i < n; i++)
			for (j = 0; j <= i; j++)
			{
				double x = contract(n, tensor, theta, i, j);

				q->hessian[DMP_TRI(i) + j] -= x;
				t[i] += x * theta[j];
				if (j < i)
					t[j] += x * theta[i];
			}
		dmp_axpy((size_t) n * n * n, 1, tensor, q->cubic);
	}
	q->constant += sums->loss - dmp_dot(n, sums->gradient, theta) + dmp_dot(n, theta, h) / 2 -
				   dmp_dot(n, theta, t) / 6;
	for (i = 0; i < n; i++)
		q->linear[i] += sums->gradient[i] - h[i] + t[i] / 2;
}

void
dmp_quadratic_merge(DmpQuadratic *into, const DmpQuadratic *from)
{
	size_t n = into->nparams;

	into->constant += from->constant;
	dmp_axpy(n, 1, from->linear, into->linear);
	dmp_axpy(DMP_TRI(n), 1, from->hessian, into->hessian);
	if (from->cubic)
		dmp_axpy(n * n * n, 1, from->cubic, into->cubic);
}

/*
 * a + sum b (x - c) with c = c' - shift is (a + shift.b) + sum b (x - c'), so
 * the old intercept is the new one less shift.b: a linear change of variables,
 * under which each order changes by itself.
 */
void
dmp_quadratic_shift(DmpQuadratic *q, int ndense, const double *shift)
{
	double *h = q->hessian;
	double h00 = h[0];
	int n = q->nparams, i, j, k;

	for (i = 1; i < n; i++)
	{
		double *row = h + DMP_TRI(i);
		double si = i <= ndense ? shift[i - 1] : 0;
		double h0i = row[0];

		/* rows j < i have their new h_0j: read the old one back from it */
		for (j = 1; j <= i; j++)
		{
			double sj = j <= ndense ? shift[j - 1] : 0;
			double h0j = j == i ? h0i : h[DMP_TRI(j)] + sj * h00;

			row[j] += si * sj * h00 - si * h0j - h0i * sj;
		}
		row[0] = h0i - si * h00;
		q->linear[i] -= si * q->linear[0];
	}
	if (q->cubic)
	{
		double *t = q->cubic;

		/* one index after the other: what has i there loses shift_i times what has 0 */
		for (i = 1; i <= ndense; i++)
			for (j = 0; j < n * n; j++)
				t[(size_t) i * n * n + j] -= shift[i - 1] * t[j];
		for (k = 0; k < n; k++)
			for (i = 1; i <= ndense; i++)
				for (j = 0; j < n; j++)
					t[((size_t) k * n + i) * n + j] -= shift[i - 1] * t[(size_t) k * n * n + j];
		for (k = 0; k < n * n; k++)
			for (i = 1; i <= ndense; i++)
				t[(size_t) k * n + i] -= shift[i - 1] * t[(size_t) k * n];
	}
	for (i = 0; i < q->npoints; i++)
	{
		double *theta = q->points + (size_t) i * (1 + n) + 1;

		theta[0] += dmp_dot(ndense, shift, theta + 1);
	}
}

/* the intercept that was t is t + s now; of polynomials without a cubic, or s = 0 */
void
dmp_quadratic_lift(DmpQuadratic *q, double s)
{
	int n = q->nparams, i;

	if (s == 0)
		return;
	q->constant += s * (s / 2 * q->hessian[0] - q->linear[0]);
	for (i = 0; i < n; i++)
		q->linear[i] -= s * q->hessian[DMP_TRI(i)];
	for (i = 0; i < q->npoints; i++)
		q->points[(size_t) i * (1 + n) + 1] += s;
}

double
dmp_quadratic_at(const DmpQuadratic *q, const double *theta, double *gradient, double *hessian)
{
	int n = q->nparams, i, j;
	double value = q->constant;

	dmp_symmetric_multiply(n, q->hessian, theta, gradient);
	for (i = 0; i < n; i++)
	{
		value += theta[i] * (q->linear[i] + gradient[i] / 2);
		gradient[i] += q->linear[i];
	}
	if (hessian)
		memcpy(hessian, q->hessian, sizeof(double) * DMP_TRI(n));
	for (i = 0; q->cubic && i < n; i++)
		for (j = 0; j < n; j++)
		{
			double x = contract(n, q->cubic, theta, i, j);

			gradient[i] += x * theta[j] / 2;
			value += x * theta[i] * theta[j] / 6;
			if (hessian && j <= i)
				hessian[DMP_TRI(i) + j] += x;
		}
	return value;
}
