/*-------------------------------------------------------------------------
 * scan_folds.c
 *		The folds of rows in memory: how many rows, and the problems without each.
 *
 * Columns are scaled by the rows that are left, as a fit of them alone would;
 * levels and fill values are those of all rows.
 */
#include "learn/scan_path.h"

#include <math.h>

static double *
doubles0(Size n)
{
	double *x = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * Max(n, 1));

	memset(x, 0, sizeof(double) * n);
	return x;
}

typedef struct CountArg
{
	const DmpGlmShape *shape;
	DmpMoments moments;
	double *level_weight; /* nparams */
	int64 rows, positive;
	double weight;
	double target_mean, target_m2; /* of a target of numbers */
} CountArg;

static void
count_tile(void *arg, const DmpGlmTile *tile)
{
	CountArg *c = arg;
	int k, i;

	dmp_moments_tile(&c->moments, c->shape->ndense, tile);
	for (k = 0; k < c->shape->ncoded; k++)
		for (i = 0; i < tile->n; i++)
			if (tile->codes[k * DMP_TILE + i] >= 0)
				c->level_weight[tile->codes[k * DMP_TILE + i]] +=
					tile->weight ? tile->weight[i] : 1;
	c->rows += tile->n;
	for (i = 0; i < tile->n; i++)
	{
		double w = tile->weight ? tile->weight[i] : 1, delta;

		c->positive += tile->label[i] != 0;
		c->weight += w;
		if (tile->target == NULL || c->weight == 0)
			continue;
		delta = tile->target[i] - c->target_mean;
		c->target_mean += delta * (w / c->weight);
		c->target_m2 += w * delta * (tile->target[i] - c->target_mean);
	}
}

/* the problem of all rows but those of fold g: means, deviations and scales are of those rows */
static void
make_without(const PathRows *rows, const CountArg *counts, int g, const DmpGlmProblem *like,
			 DmpGlmProblem *out)
{
	const DmpScanPlan *plan = rows->scan->plan;
	int n = rows->shape.nparams, nd = rows->shape.ndense, j, f;
	double *mean = doubles0(n), *sd = doubles0(n), *scale = doubles0(n), *levels = doubles0(n);
	unsigned char *fixed = palloc0(n);
	double weight = 0, target_mean = 0, target_m2 = 0;
	DmpMoments all;

	dmp_moments_init(&all, nd, doubles0(dmp_moments_size(nd) + 1));
	for (f = 0; f < rows->nstores; f++)
		if (f != g)
		{
			double w = counts[f].weight, delta = counts[f].target_mean - target_mean;

			dmp_moments_merge(&all, &counts[f].moments, nd, NULL);
			weight += w;
			target_mean += delta * (w / weight);
			target_m2 += counts[f].target_m2 + delta * delta * ((weight - w) * (w / weight));
			dmp_axpy(n, 1, counts[f].level_weight, levels);
		}
	fixed[0] = like->fixed[0];
	for (j = 1; j < n; j++)
	{
		bool scaled = plan->standardize == 1 ||
					  (plan->standardize == 0 && j <= nd && !plan->indicator[j - 1]);

		if (j <= nd)
		{
			mean[j] = all.mean[j - 1];
			sd[j] = all.low[j - 1] < all.high[j - 1] ? sqrt(all.m2[j - 1] / weight) : 0;
			if (!plan->intercept && sd[j] == 0)
				sd[j] = fabs(mean[j]);
		}
		else
		{
			mean[j] = levels[j] / weight;
			sd[j] = sqrt(mean[j] * fmax(1 - mean[j], 0));
		}
		scale[j] = like->penalty_scale[j];
		if (scaled && like->sd[j] > 0)
			scale[j] *= sd[j] / like->sd[j];
		fixed[j] = like->fixed[j] || !(sd[j] > 0);
	}
	*out = *like;
	out->mean = mean;
	out->sd = sd;
	out->penalty_scale = scale;
	out->fixed = fixed;
	out->reach = NULL;
	out->lambda = 1;
	if (plan->scaled_target && target_m2 > 0)
	{
		/* as in dmp_layout_problem(), by the deviation of this target */
		double all_rows = plan->alpha + (1 - plan->alpha) / plan->layout.unit;
		double these = plan->alpha + (1 - plan->alpha) / sqrt(target_m2 / weight);

		out->lambda = these / all_rows;
		out->alpha = plan->alpha / these;
	}
	pfree(levels);
}

static void
refuse_empty_fold(const DmpScan *scan)
{
	const DmpScanPlan *plan = scan->plan;

	dmp_error_alone();
	if (scan->keep > 1)
		ereport(ERROR, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				errmsg("dmp.training_memory is too small for a sample of each fold"));
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("cv => %d leaves a fold without rows", plan->nfolds),
			errdetail("Rows are dealt to folds by their key, or by option fold_column; there are "
					  "too few different ones."),
			errhint("Ask for fewer folds, or name a column that tells rows apart: key => "
					"'{...}'."));
}

/* counts folds, and makes their problems */
void
dmp_path_folds(PathRows *rows, DmpPath *path, DmpScanPath *out)
{
	const DmpScanPlan *plan = rows->scan->plan;
	CountArg *counts = palloc0(sizeof(CountArg) * plan->nfolds);
	DmpGlmProblem *without = palloc(sizeof(DmpGlmProblem) * plan->nfolds);
	int nd = rows->shape.ndense, g;
	int64 all = 0, positive = 0;

	out->fold_rows = palloc0(sizeof(int64) * plan->nfolds);
	out->fold_positive = palloc0(sizeof(int64) * plan->nfolds);
	out->fold_weight = doubles0(plan->nfolds);
	for (g = 0; g < plan->nfolds; g++)
	{
		CountArg *c = &counts[g];

		c->shape = &rows->shape;
		dmp_moments_init(&c->moments, nd, doubles0(dmp_moments_size(nd) + 1));
		c->level_weight = doubles0(rows->shape.nparams);
		dmp_each_tile(rows, rows->stores[g], 1, count_tile, c);
		out->fold_rows[g] = c->rows;
		out->fold_positive[g] = c->positive;
		out->fold_weight[g] = c->weight;
		all += c->rows;
		positive += c->positive;
		if (c->rows == 0)
			refuse_empty_fold(rows->scan);
	}
	for (g = 0; g < plan->nfolds; g++)
	{
		if (plan->family == DMP_BINOMIAL && (out->fold_positive[g] == positive ||
											 all - positive == counts[g].rows - counts[g].positive))
		{
			dmp_error_alone();
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a fold of cv => %d has all rows of one class", plan->nfolds),
					errhint("Another seed, other folds (option fold_column), or more rows of that "
							"class."));
		}
		make_without(rows, counts, g, &path->problem, &without[g]);
	}
	path->without = without;
}
