/*-------------------------------------------------------------------------
 * groups_measure.c
 *		How good the fit of a group is, and its share of the metrics of all rows.
 *-------------------------------------------------------------------------
 */
#include "learn/groups_fit.h"

#include <math.h>

#include "math/metrics.h"

/* margin of a row by the pooled model; gaussian: about its pivot of the target */
static double
pooled_margin(const GroupFit *g, const DmpGroupRecord *record)
{
	const double *theta = g->solver->theta;
	const int32 *codes = codes_of(g, record);
	double margin = theta[0];
	int j, k;

	if (g->plan->family != DMP_GAUSSIAN)
		margin += offset_of(g, record);
	for (j = 0; j < g->nd; j++)
	{
		double x = record->values[j] - g->plan->stats.pivot[j];

		if (isnan(x))
		{
			x = g->layout->fill[j];
			if (g->layout->flag_param[j] >= 0)
				margin += theta[g->layout->flag_param[j]];
		}
		if (theta[1 + j] != 0)
			margin += theta[1 + j] * x;
	}
	for (k = 0; k < g->nt; k++)
	{
		int param = text_param(g, k, codes[k]);

		if (param >= 0)
			margin += theta[param];
	}
	return margin;
}

/* the n records at hand as tile t of the training rows, or of test rows; spare: n -1 without room */
static const DmpGlmTile *
tile_at_hand(GroupFit *g, bool test, int64 t, int n, DmpGlmTile *spare)
{
	if (!test && g->kept)
		return &g->tiles[t];
	if (spare->n < 0)
		dmp_group_tile_room(g, spare);
	dmp_group_fill_tile(g, spare, n);
	return spare;
}

/* measure() of a target of numbers: DMP_GROUP_ERRORS metrics */
static void
measure_numbers(GroupFit *g, bool test, const double *theta, DmpGlmSums *sums, double *metrics)
{
	const DmpGroupRecord **records = g->solver->records;
	double pivot = theta ? g->stats.target_pivot : g->plan->stats.target_pivot;
	double target[DMP_TILE], weight[DMP_TILE], margins[DMP_TILE];
	DmpErrorSums own = {0};
	DmpGlmTile spare, pooled = {0};
	int64 t = 0;
	int i, n;

	spare.n = -1;
	pooled.target = target;
	pooled.weight = g->plan->has_weight ? weight : NULL;
	dmp_group_rows_begin(g->rows, test);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (theta)
		{
			const DmpGlmTile *tile = tile_at_hand(g, test, t++, n, &spare);

			dmp_glm_tile(&g->shape, tile, theta, NULL, sums, g->margins, g->scratch);
			dmp_errors_tile(&own, g->plan->family, tile, g->margins);
			continue;
		}
		pooled.n = n;
		for (i = 0; i < n; i++)
		{
			target[i] = target_of(g, records[i]) - pivot;
			weight[i] = weight_of(g, records[i]);
			margins[i] = pooled_margin(g, records[i]);
		}
		dmp_errors_tile(&own, g->plan->family, &pooled, margins);
	}
	if (theta)
		dmp_group_errors(&own, metrics);
	/* groups have pivots of their own */
	own.target_mean += pivot;
	dmp_errors_merge(&g->solver->groups->errors[test], &own);
}

/*
 * Adds the rows of the group, of training or test, to the metrics of all, and
 * when it has a fit (theta) to its own. sums, when not NULL, are those at theta.
 */
static void
measure(GroupFit *g, bool test, const double *theta, DmpGlmSums *sums, double *log_loss,
		double *roc_auc)
{
	DmpGroupSolver *solver = g->solver;
	DmpGroupRanks *all = test ? &solver->groups->test : &solver->groups->train;
	DmpGroupRanks *own = theta ? &solver->ranks : NULL;
	double error = 0, loss = 0, total = 0;
	DmpGlmTile spare;
	int64 t = 0;
	int i, n;

	spare.n = -1;
	dmp_group_ranks_clear(&solver->ranks);
	dmp_group_rows_begin(g->rows, test);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (theta)
			dmp_glm_tile(&g->shape, tile_at_hand(g, test, t++, n, &spare), theta, NULL, sums,
						 g->margins, g->scratch);
		for (i = 0; i < n; i++)
		{
			const DmpGroupRecord *record = solver->records[i];
			double w = weight_of(g, record);
			double margin = theta ? g->margins[i] : pooled_margin(g, record);

			total += w;
			if (sums == NULL)
				loss += w * dmp_log_loss_margin(margin, record->label);
			dmp_group_ranks_add(all, margin, record->label, w);
			if (own)
				dmp_group_ranks_add(own, margin, record->label, w);
		}
	}
	if (!(total > 0))
		return;
	if (sums)
		loss = sums->loss;
	all->loss += loss;
	all->total += total;
	if (theta)
	{
		*log_loss = loss / total;
		*roc_auc = dmp_group_ranks_auc(own, &error);
	}
}

/*
 * Adds the rows of the group to the metrics of all, by its family; those of the
 * group go into fit. theta NULL: the group has no fit, the pooled model counts. sums,
 * when not NULL, are those at theta.
 */
void
dmp_group_measure(GroupFit *g, bool test, const double *theta, DmpGlmSums *sums, DmpGroupFit *fit)
{
	if (numbers(g))
		measure_numbers(g, test, theta, sums, fit->errors + test * DMP_GROUP_ERRORS);
	else if (test)
		measure(g, true, theta, sums, &fit->test_log_loss, &fit->test_roc_auc);
	else
		measure(g, false, theta, sums, &fit->log_loss, &fit->roc_auc);
}
