/*-------------------------------------------------------------------------
 * comoments.c
 *		Correlations of many columns; see comoments.h.
 *-------------------------------------------------------------------------
 */
#include "math/comoments.h"

#include <math.h>
#include <string.h>

#include "math/linalg.h"

#define TILE DMP_COMOMENTS_TILE
/* added to the diagonal, so that what is singular has an inverse; and where that shows */
#define RIDGE 1e-12
#define INFINITE 1e8

static double *
zeros(const DmpMathEnv *env, size_t n)
{
	double *x = env->alloc(sizeof(double) * (n + 1));

	memset(x, 0, sizeof(double) * (n + 1));
	return x;
}

void
dmp_comoments_init(DmpComoments *c, int p, const DmpMathEnv *env)
{
	size_t square = (size_t) p * p;

	memset(c, 0, sizeof(*c));
	c->p = p;
	c->env = env;
	c->pivot = zeros(env, p);
	c->products = zeros(env, DMP_TRI(p));
	c->sums = zeros(env, square);
	c->counts = zeros(env, square);
	c->tile = zeros(env, (size_t) p * TILE);
	c->there = zeros(env, (size_t) p * TILE);
}

/* of the values that are there; 0 when there are none */
static double
median(const double *x, int n)
{
	double sorted[TILE];
	int count = 0, i, j;

	for (i = 0; i < n; i++)
	{
		if (isnan(x[i]))
			continue;
		for (j = count++; j > 0 && sorted[j - 1] > x[i]; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = x[i];
	}
	return count > 0 ? sorted[count / 2] : 0;
}

static void
add_tile(DmpComoments *c)
{
	int p = c->p, n = c->filled, i, j, k;
	double *total = zeros(c->env, p), *present = zeros(c->env, p);

	if (n == 0)
	{
		c->env->release(total);
		c->env->release(present);
		return;
	}
	for (j = 0; j < p; j++)
	{
		double *x = c->tile + (size_t) j * TILE, *there = c->there + (size_t) j * TILE;

		if (c->rows == 0)
			c->pivot[j] = median(x, n);
		for (k = 0; k < TILE; k++)
		{
			there[k] = k < n && !isnan(x[k]);
			x[k] = there[k] > 0 ? x[k] - c->pivot[j] : 0;
			total[j] += x[k];
			present[j] += there[k];
		}
	}
	for (i = 0; i < p; i++)
	{
		const double *a = c->tile + (size_t) i * TILE, *m = c->there + (size_t) i * TILE;

		if (i % 16 == 0)
			c->env->check();
		for (j = 0; j <= i; j++)
			c->products[DMP_TRI(i) + j] += dmp_dot(TILE, a, c->tile + (size_t) j * TILE);
		for (j = 0; j < p; j++)
		{
			int all_i = present[i] == n, all_j = present[j] == n;

			c->sums[(size_t) i * p + j] +=
				all_i ? total[j] : dmp_dot(TILE, m, c->tile + (size_t) j * TILE);
			c->counts[(size_t) i * p + j] += all_i ? present[j]
											 : all_j
												 ? present[i]
												 : dmp_dot(TILE, m, c->there + (size_t) j * TILE);
		}
	}
	c->rows += n;
	c->filled = 0;
	c->env->release(total);
	c->env->release(present);
}

void
dmp_comoments_add(DmpComoments *c, const double *x)
{
	int j;

	for (j = 0; j < c->p; j++)
		c->tile[(size_t) j * TILE + c->filled] = x[j];
	if (++c->filled == TILE)
		add_tile(c);
}

void
dmp_comoments_vif(DmpComoments *c, double *vif)
{
	int p = c->p, i, j;
	double *mean = zeros(c->env, p), *sd = zeros(c->env, p), *d = zeros(c->env, p);
	double *r = zeros(c->env, DMP_TRI(p)), *inverse = zeros(c->env, DMP_TRI(p));
	unsigned char *skip = c->env->alloc(p + 1);

	add_tile(c);
	for (i = 0; i < p; i++)
	{
		double n = c->counts[(size_t) i * p + i], square;

		mean[i] = n > 0 ? c->sums[(size_t) i * p + i] / n : 0;
		square = c->products[DMP_TRI(i) + i] - n * mean[i] * mean[i];
		sd[i] = square > 0 ? sqrt(square) : 0;
		skip[i] = !(sd[i] > 0 && isfinite(sd[i]));
		vif[i] = NAN;
	}
	for (i = 0; i < p; i++)
		for (j = 0; j <= i; j++)
		{
			double *to = &r[DMP_TRI(i) + j];

			if (skip[i] || skip[j])
				*to = i == j;
			else if (i == j)
				*to = 1 + RIDGE;
			else
				*to = (c->products[DMP_TRI(i) + j] - mean[i] * c->sums[(size_t) i * p + j] -
					   mean[j] * c->sums[(size_t) j * p + i] +
					   mean[i] * mean[j] * c->counts[(size_t) i * p + j]) /
					  (sd[i] * sd[j]);
		}
	(void) dmp_cholesky(p, r, d, skip, RIDGE / 100, c->env);
	dmp_cholesky_inverse(p, r, d, inverse, c->env);
	for (i = 0; i < p; i++)
	{
		double v = inverse[DMP_TRI(i) + i];

		/* 2: rounding has taken what the ridge gave */
		if (skip[i] == 2)
			vif[i] = INFINITY;
		else if (skip[i] == 0)
			vif[i] = v > INFINITE ? INFINITY : fmax(v, 1);
	}
	c->env->release(mean);
	c->env->release(sd);
	c->env->release(d);
	c->env->release(r);
	c->env->release(inverse);
	c->env->release(skip);
}
