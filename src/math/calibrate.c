/*-------------------------------------------------------------------------
 * calibrate.c
 *		Platt's sigmoid and isotonic regression; definitions in calibrate.h.
 *-------------------------------------------------------------------------
 */
#include "math/calibrate.h"

#include <math.h>
#include <string.h>

#include "math/metrics.h"

#define MAX_STEPS 100
#define MAX_HALVINGS 40

/* ----------------------------------------------------------------- Platt */

/* mean loss, gradient and Hessian of (slope, intercept at the centre) */
typedef struct PlattPoint
{
	double loss;
	double g[2];
	double h[3]; /* slope slope, slope intercept, intercept intercept */
} PlattPoint;

/* what does not change between passes */
typedef struct PlattRows
{
	DmpGroupSource *source;
	double target[2]; /* of negatives and positives */
	double weight;
	double centre; /* mean margin: taken off, so that the two unknowns are nearly independent */
} PlattRows;

static void
platt_pass(const PlattRows *rows, double slope, double intercept, PlattPoint *at)
{
	double margin;
	double w[2];
	int i;

	memset(at, 0, sizeof(*at));
	rows->source->restart(rows->source);
	while (rows->source->next(rows->source, &margin, w))
	{
		double x = margin - rows->centre;
		double m = slope * x + intercept;
		double p = dmp_sigmoid(m);
		double q = dmp_sigmoid(-m);
		double curve = (w[0] + w[1]) * p * q;
		double slack = 0;

		for (i = 0; i < 2; i++)
		{
			double t = rows->target[i];

			if (w[i] == 0)
				continue;
			at->loss +=
				w[i] * (t * dmp_log_loss_margin(m, 1) + (1 - t) * dmp_log_loss_margin(m, 0));
			/* p - t, without cancellation at either end */
			slack += w[i] * (p * (1 - t) - q * t);
		}
		at->g[0] += slack * x;
		at->g[1] += slack;
		at->h[0] += curve * x * x;
		at->h[1] += curve * x;
		at->h[2] += curve;
	}
	at->loss /= rows->weight;
	for (i = 0; i < 2; i++)
		at->g[i] /= rows->weight;
	for (i = 0; i < 3; i++)
		at->h[i] /= rows->weight;
}

void
dmp_platt(DmpGroupSource *source, DmpPlatt *out)
{
	PlattRows rows = {source, {0, 0}, 0, 0};
	PlattPoint at;
	double sum[2] = {0, 0};
	double w[2];
	double margin;
	double slope = 0;
	double intercept;
	int step;

	source->restart(source);
	while (source->next(source, &margin, w))
	{
		sum[0] += w[0];
		sum[1] += w[1];
		rows.weight += w[0] + w[1];
		rows.centre += (w[0] + w[1]) * (margin - rows.centre) / rows.weight;
	}
	rows.target[0] = 1 / (sum[0] + 2);
	rows.target[1] = (sum[1] + 1) / (sum[1] + 2);
	intercept = log((sum[1] + 1) / (sum[0] + 1));
	platt_pass(&rows, slope, intercept, &at);
	out->passes = 2;
	out->converged = false;
	for (step = 0; step < MAX_STEPS && !out->converged; step++)
	{
		/* a ridge far below what matters keeps a flat end from dividing by zero */
		double a = at.h[0] * (1 + 1e-14) + 1e-300;
		double c = at.h[2] * (1 + 1e-14) + 1e-300;
		double det = a * c - at.h[1] * at.h[1];
		double d0;
		double d1;
		double decrease;
		double length = 1;
		int halving;

		if (!(det > 0))
			break;
		d0 = -(c * at.g[0] - at.h[1] * at.g[1]) / det;
		d1 = -(a * at.g[1] - at.h[1] * at.g[0]) / det;
		decrease = -(at.g[0] * d0 + at.g[1] * d1);
		if (decrease <= 1e-24 * (1 + at.loss))
		{
			out->converged = true;
			break;
		}
		for (halving = 0; halving < MAX_HALVINGS; halving++, length /= 2)
		{
			PlattPoint next;

			platt_pass(&rows, slope + length * d0, intercept + length * d1, &next);
			out->passes++;
			/* near the optimum the loss stands still within rounding: full steps are good there */
			if (next.loss <= at.loss - 1e-4 * length * decrease ||
				(decrease < 1e-12 * (1 + at.loss) && next.loss <= at.loss * (1 + 1e-14)))
			{
				slope += length * d0;
				intercept += length * d1;
				at = next;
				break;
			}
		}
		if (halving == MAX_HALVINGS)
		{
			/* nothing better within rounding */
			out->converged = decrease < 1e-10 * (1 + at.loss);
			break;
		}
	}
	out->slope = slope;
	out->intercept = intercept - slope * rows.centre;
}

/* -------------------------------------------------------------- isotonic */

void
dmp_isotonic_start(DmpIsotonic *fit, const DmpMathEnv *env)
{
	fit->env = env;
	fit->n = 0;
	fit->room = 64;
	fit->pools = env->alloc(sizeof(DmpPool) * fit->room);
}

void
dmp_isotonic_add(DmpIsotonic *fit, double margin, const double weight[2])
{
	DmpPool pool = {margin, margin, weight[0] + weight[1], weight[1]};

	if (pool.weight == 0)
		return;
	/* the share must fall from pool to pool; equal ones are joined too */
	while (fit->n > 0 && fit->pools[fit->n - 1].positive * pool.weight <=
							 pool.positive * fit->pools[fit->n - 1].weight)
	{
		const DmpPool *above = &fit->pools[--fit->n];

		pool.high = above->high;
		pool.weight += above->weight;
		pool.positive += above->positive;
	}
	if (fit->n == fit->room)
	{
		DmpPool *more = fit->env->alloc(sizeof(DmpPool) * fit->room * 2);

		memcpy(more, fit->pools, sizeof(DmpPool) * fit->n);
		fit->env->release(fit->pools);
		fit->pools = more;
		fit->room *= 2;
	}
	fit->pools[fit->n++] = pool;
}

size_t
dmp_isotonic_knots(const DmpIsotonic *fit, double *x, double *y)
{
	size_t knots = 0;
	size_t i;

	for (i = fit->n; i-- > 0;)
	{
		const DmpPool *pool = &fit->pools[i];
		double share = pool->positive / pool->weight;

		if (share > 1)
			share = 1;
		if (knots > 0 && share < y[knots - 1])
			share = y[knots - 1]; /* rounding */
		x[knots] = pool->low;
		y[knots++] = share;
		if (pool->high > pool->low)
		{
			x[knots] = pool->high;
			y[knots++] = share;
		}
	}
	return knots;
}

double
dmp_isotonic_at(size_t n, const double *x, const double *y, double at)
{
	size_t low = 0;
	size_t high = n - 1;
	double value;

	if (!(at > x[0]))
		return y[0];
	if (!(at < x[n - 1]))
		return y[n - 1];
	/* x[low] <= at < x[high] */
	while (high - low > 1)
	{
		size_t middle = low + (high - low) / 2;

		if (x[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	value = y[low] + (y[high] - y[low]) * ((at - x[low]) / (x[high] - x[low]));
	return value > y[high] ? y[high] : value;
}
