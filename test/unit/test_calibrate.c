/* test_calibrate.c - Platt's sigmoid at a stationary point, isotonic regression by its definition */
#include "unit.h"
#include "math/calibrate.h"
#include "math/hash.h"
#include "math/metrics.h"

#define GROUPS 60

typedef struct
{
	DmpGroupSource base;
	int at, n;
	double margin[GROUPS];
	double weight[GROUPS][2];
} Rows;

static void
rows_restart(DmpGroupSource *source)
{
	((Rows *) source)->at = 0;
}

static bool
rows_next(DmpGroupSource *source, double *margin, double weight[2])
{
	Rows *rows = (Rows *) source;

	if (rows->at == rows->n)
		return false;
	*margin = rows->margin[rows->at];
	weight[0] = rows->weight[rows->at][0];
	weight[1] = rows->weight[rows->at++][1];
	return true;
}

static void
make_rows(Rows *rows, int n, int seed)
{
	int i;

	rows->base.restart = rows_restart;
	rows->base.next = rows_next;
	rows->n = n;
	for (i = 0; i < n; i++)
	{
		double u = dmp_hash_unit(dmp_hash_uint64(i, seed));
		double v = dmp_hash_unit(dmp_hash_uint64(i, seed + 100));

		rows->margin[i] = 5 - 10.0 * i / n - 0.1 * u;
		rows->weight[i][0] = v < 0.3 ? 0 : v;
		rows->weight[i][1] = u > 0.8 ? 0 : u * (2 - 1.5 * i / n);
	}
}

/* mean loss of a sigmoid on Platt's targets */
static double
platt_loss(const Rows *rows, double slope, double intercept)
{
	double sum[2] = {0, 0}, target[2], loss = 0;
	int i, k;

	for (i = 0; i < rows->n; i++)
		for (k = 0; k < 2; k++)
			sum[k] += rows->weight[i][k];
	target[0] = 1 / (sum[0] + 2);
	target[1] = (sum[1] + 1) / (sum[1] + 2);
	for (i = 0; i < rows->n; i++)
		for (k = 0; k < 2; k++)
		{
			double m = slope * rows->margin[i] + intercept;

			loss += rows->weight[i][k] * (target[k] * dmp_log_loss_margin(m, 1) +
										  (1 - target[k]) * dmp_log_loss_margin(m, 0));
		}
	return loss;
}

static void
platt(int n, int seed, double scale)
{
	Rows rows;
	DmpPlatt fit;
	double best, h = 1e-4;
	int i;

	make_rows(&rows, n, seed);
	for (i = 0; i < n; i++)
		rows.margin[i] *= scale;
	dmp_platt(&rows.base, &fit);
	best = platt_loss(&rows, fit.slope, fit.intercept);
	ok(fit.converged, "Platt's fit converges");
	ok(best <= platt_loss(&rows, fit.slope + h / scale, fit.intercept) &&
		   best <= platt_loss(&rows, fit.slope - h / scale, fit.intercept) &&
		   best <= platt_loss(&rows, fit.slope, fit.intercept + h) &&
		   best <= platt_loss(&rows, fit.slope, fit.intercept - h),
	   "nothing near is better");
	near(platt_loss(&rows, fit.slope + h / scale, fit.intercept),
		 platt_loss(&rows, fit.slope - h / scale, fit.intercept), 1e-9, "the slope is stationary");
	near(platt_loss(&rows, fit.slope, fit.intercept + h),
		 platt_loss(&rows, fit.slope, fit.intercept - h), 1e-9, "the intercept is stationary");
}

static void
isotonic(int n, int seed)
{
	Rows rows;
	DmpIsotonic fit;
	double x[2 * GROUPS], y[2 * GROUPS], worst = 0;
	size_t knots;
	int i, a, b;

	make_rows(&rows, n, seed);
	dmp_isotonic_start(&fit, &unit_env);
	for (i = 0; i < n; i++)
		dmp_isotonic_add(&fit, rows.margin[i], rows.weight[i]);
	knots = dmp_isotonic_knots(&fit, x, y);
	/* rows are descending: the largest over ends below of the smallest over ends above */
	for (i = 0; i < n; i++)
	{
		double best = -1;

		if (rows.weight[i][0] + rows.weight[i][1] == 0)
			continue;
		for (a = i; a < n; a++)
		{
			double least = 2;

			for (b = 0; b <= i; b++)
			{
				double p = 0, w = 0;
				int k;

				for (k = b; k <= a; k++)
				{
					p += rows.weight[k][1];
					w += rows.weight[k][0] + rows.weight[k][1];
				}
				if (w > 0 && p / w < least)
					least = p / w;
			}
			if (least <= 1 && least > best)
				best = least;
		}
		worst = fmax(worst, fabs(best - dmp_isotonic_at(knots, x, y, rows.margin[i])));
	}
	near(worst, 0, 1e-13, "isotonic is the largest of the smallest means");
	near(dmp_isotonic_at(knots, x, y, -INFINITY), y[0], 0, "the low end holds");
	near(dmp_isotonic_at(knots, x, y, INFINITY), y[knots - 1], 0, "the high end holds");
	unit_env.release(fit.pools);
}

void
test_calibrate(void)
{
	double x[] = {-1, 0, 2}, y[] = {0.1, 0.2, 0.6};
	int seed;

	for (seed = 1; seed < 6; seed++)
	{
		platt(GROUPS, seed, 1);
		platt(10, seed, 60);
		isotonic(GROUPS, seed);
		isotonic(7, seed);
	}
	near(dmp_isotonic_at(3, x, y, 0.5), 0.3, 1e-15, "between knots linear");
	near(dmp_isotonic_at(3, x, y, 0), 0.2, 0, "at a knot its value");
	near(dmp_isotonic_at(1, x, y, 7), 0.1, 0, "one knot");
}
