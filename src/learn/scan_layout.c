/*-------------------------------------------------------------------------
 * scan_layout.c
 *		From statistics to parameters: which columns and levels the solver sees.
 *
 * A dense column that never changes is held at 0. One with missing values gets
 * the mean there and a flag of its own; when every value is missing there is
 * nothing to fit, not even a flag. A text feature has a parameter for each
 * level of min_count rows, one for all the rarer levels together and one for
 * missing values (with the rare ones when it is rare itself). Without a penalty
 * the most frequent of them is the reference and has none; with one all stay.
 *
 * Levels of a text are in the order of their bytes, so that the layout does not
 * depend on the order of rows or on who read them.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"

#include <math.h>

#define MAX_KEPT_LEVELS 1000
#define MAX_PARAMS 5000

/* the moments of columns without missing values join those with in stats.columns */
void
dmp_scan_stats_sync(DmpScan *scan)
{
	const DmpMoments *m = &scan->moments;
	int j;

	for (j = 0; j < scan->plan->ndense; j++)
	{
		DmpColumnStats *c = &scan->stats.columns[j];

		if (scan->has_missing[j])
			continue;
		c->weight = m->weight;
		c->weight_positive = m->weight_positive;
		c->mean = m->mean[j];
		c->m2 = m->m2[j];
		c->positive_mean = m->positive_mean[j];
		c->low = m->low[j];
		c->high = m->high[j];
	}
}

/* Chan's pairwise update; from's values are s higher in into's terms, its target of numbers t */
static void
merge_column(DmpFamily family, DmpColumnStats *into, const DmpColumnStats *from, double s, double t)
{
	double all = into->weight + from->weight;
	double positive = into->weight_positive + from->weight_positive + t * from->weight;
	double cross = into->positive_mean;

	into->rows_missing += from->rows_missing;
	into->missing_weight += from->missing_weight;
	into->missing_positive += from->missing_positive + t * from->missing_weight;
	if (!(from->weight > 0))
		return;
	/* sum w (y + t) (x + s) */
	cross += from->positive_mean + s * from->weight_positive + t * from->weight * (from->mean + s);
	if (into->weight > 0)
	{
		double delta = from->mean + s - into->mean;

		into->mean += delta * (from->weight / all);
		into->m2 += from->m2 + delta * delta * (into->weight * (from->weight / all));
		into->low = fmin(into->low, from->low + s);
		into->high = fmax(into->high, from->high + s);
		if (positive > 0)
			into->positive_mean += (from->positive_mean + s - into->positive_mean) *
								   (from->weight_positive / positive);
	}
	else
	{
		into->mean = from->mean + s;
		into->m2 = from->m2;
		into->low = from->low + s;
		into->high = from->high + s;
		into->positive_mean = from->weight_positive > 0 ? from->positive_mean + s : 0;
	}
	if (family != DMP_BINOMIAL)
		into->positive_mean = cross;
	into->weight = all;
	into->weight_positive = positive;
}

/* of target and offset; weights not added yet. Returns what from's target must rise by. */
static double
merge_target(DmpStats *into, const DmpStats *from)
{
	double all = into->weight + from->weight, t = 0, delta;

	if (isnan(into->target_pivot))
		into->target_pivot = from->target_pivot;
	else if (!isnan(from->target_pivot))
		t = from->target_pivot - into->target_pivot;
	if (!(from->weight > 0))
		return t;
	if (into->weight > 0)
	{
		delta = from->weight_positive / from->weight + t - into->weight_positive / into->weight;
		into->target_m2 += from->target_m2 + delta * delta * (into->weight * (from->weight / all));
		into->target_low = fmin(into->target_low, from->target_low + t);
		into->target_high = fmax(into->target_high, from->target_high + t);
	}
	else
	{
		into->target_m2 = from->target_m2;
		into->target_low = from->target_low + t;
		into->target_high = from->target_high + t;
	}
	delta = from->offset_mean - into->offset_mean;
	into->offset_mean += delta * (from->weight / all);
	into->offset_m2 += from->offset_m2 + delta * delta * (into->weight * (from->weight / all));
	into->offset_exp += from->offset_exp;
	into->offset_target += from->offset_target;
	return t;
}

/*
 * Adds from to into. shift (ndense, may be NULL) receives what from's pivots
 * must move by to be into's; a side that has no pivots yet takes the other's.
 * Returns the same of the target, the other way round: what from's rises by.
 */
double
dmp_stats_merge(const DmpScanPlan *plan, DmpStats *into, const DmpStats *from, double *shift)
{
	int ndense = plan->ndense, ntexts = plan->ntexts, j, k;
	double t = merge_target(into, from);

	into->rows_odd += from->rows_odd;
	into->rows += from->rows;
	into->rows_test += from->rows_test;
	into->rows_skipped += from->rows_skipped;
	into->rows_positive += from->rows_positive;
	into->weight += from->weight;
	into->weight_positive += from->weight_positive + t * from->weight;
	for (j = 0; j < ndense; j++)
	{
		double s = 0;

		if (isnan(into->pivot[j]))
			into->pivot[j] = from->pivot[j];
		else if (!isnan(from->pivot[j]))
			s = into->pivot[j] - from->pivot[j];
		if (shift)
			shift[j] = s;
		merge_column(plan->family, &into->columns[j], &from->columns[j], -s, t);
	}
	for (k = 0; k < ntexts; k++)
	{
		DmpDictionary *a = &into->texts[k];
		const DmpDictionary *b = &from->texts[k];

		a->rows_missing += b->rows_missing;
		a->missing_weight += b->missing_weight;
		a->missing_positive += b->missing_positive + t * b->missing_weight;
		for (j = 0; j < b->n; j++)
		{
			int code = dmp_dictionary_code(a, b->levels[j].text, b->levels[j].length, true);

			if (code < 0)
				ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a text feature has too many distinct values"));
			a->levels[code].rows += b->levels[j].rows;
			a->levels[code].weight += b->levels[j].weight;
			a->levels[code].positive += b->levels[j].positive + t * b->levels[j].weight;
		}
	}
	return t;
}

static int
compare_levels(const void *a, const void *b, void *arg)
{
	const DmpLevelStats *levels = arg;
	const DmpLevelStats *x = &levels[*(const int *) a], *y = &levels[*(const int *) b];
	int c = memcmp(x->text, y->text, Min(x->length, y->length));

	return c != 0 ? c : (x->length > y->length) - (x->length < y->length);
}

/* one of the things a text feature can be: its rows and where its parameter goes */
typedef struct Category
{
	int64 rows;
	double weight, positive;
	int *param;
} Category;

/* numbers the parameters of a text feature from *next; the sums of each go into share */
static void
text_map(const DmpScanPlan *plan, const DmpDictionary *d, int feature, DmpTextMap *map, int *next,
		 Category *share)
{
	Category *all = palloc(sizeof(Category) * (d->n + 2));
	int n = 0, i, reference = -1;
	Category other = {0, 0, 0, &map->other_param}, missing;

	map->ncodes = d->n;
	map->param = palloc(sizeof(int32) * (d->n + 1));
	map->level_code = palloc(sizeof(int) * (d->n + 1));
	map->nlevels = 0;
	map->missing_param = map->other_param = -1;
	for (i = 0; i < d->n; i++)
	{
		const DmpLevelStats *l = &d->levels[i];

		map->param[i] = -1;
		if (l->rows >= plan->min_count)
			map->level_code[map->nlevels++] = i;
		else
		{
			other.rows += l->rows;
			other.weight += l->weight;
			other.positive += l->positive;
		}
	}
	if (map->nlevels > MAX_KEPT_LEVELS)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("text column \"%s\" has %d values with %d or more rows",
					   plan->names[feature], map->nlevels, plan->min_count),
				errdetail("A text column makes one column for each of its values, at most %d.",
						  MAX_KEPT_LEVELS),
				errhint("Encode it as \"hash\" or \"ngrams\" (option encode), or leave it out with "
						"exclude."));
	qsort_arg(map->level_code, map->nlevels, sizeof(int), compare_levels, d->levels);
	for (i = 0; i < map->nlevels; i++)
	{
		const DmpLevelStats *l = &d->levels[map->level_code[i]];

		all[n++] = (Category){l->rows, l->weight, l->positive, &map->param[map->level_code[i]]};
	}
	missing =
		(Category){d->rows_missing, d->missing_weight, d->missing_positive, &map->missing_param};
	if (missing.rows > 0 && missing.rows < plan->min_count)
	{
		other.rows += missing.rows;
		other.weight += missing.weight;
		other.positive += missing.positive;
	}
	if (other.rows > 0)
		all[n++] = other;
	if (missing.rows >= plan->min_count && missing.rows > 0)
		all[n++] = missing;
	if (n == 1 && plan->intercept)
		reference = 0; /* always the same: nothing to fit */
	else if ((plan->lambda == 0 || (plan->factor && plan->factor[feature] == 0)) && plan->intercept)
		for (i = 0; i < n; i++)
			if (reference < 0 || all[i].rows > all[reference].rows)
				reference = i;
	for (i = 0; i < n; i++)
		if (i != reference)
		{
			*all[i].param = *next;
			share[*next] = all[i];
			(*next)++;
		}
	if (missing.rows > 0 && missing.rows < plan->min_count)
		map->missing_param = map->other_param;
	for (i = 0; i < d->n; i++)
		if (d->levels[i].rows > 0 && d->levels[i].rows < plan->min_count)
			map->param[i] = map->other_param;
	pfree(all);
}

/* ------------------------------------------------------------ null model */

double
dmp_null_start(const DmpScanPlan *plan, const DmpStats *s)
{
	double p = s->weight_positive, q = s->weight - p;

	if (!plan->intercept)
		return 0;
	switch (plan->family)
	{
		case DMP_BINOMIAL:
			return p > 0 && q > 0 ? log(p / q) - s->offset_mean : 0;
		case DMP_GAUSSIAN:
			return p / s->weight;
		case DMP_POISSON:
			/* exact: sum w e^(a + o) = sum w y; half an event where there is none */
			return log(fmax(p, 0.5) / (plan->has_offset ? s->offset_exp : s->weight));
	}
	return 0;
}

double
dmp_null_loss(const DmpScanPlan *plan, const DmpStats *s)
{
	double mean = s->weight_positive / s->weight, a = dmp_null_start(plan, s);

	switch (plan->family)
	{
		case DMP_BINOMIAL:
			if (plan->has_offset)
				return NAN;
			if (!(mean > 0 && mean < 1))
				return s->weight > 0 ? 0 : NAN;
			return -(mean * log(mean) + (1 - mean) * log1p(-mean));
		case DMP_GAUSSIAN:
			return s->target_m2 / s->weight / 2;
		case DMP_POISSON:
			if (!plan->has_offset)
				return mean > 0 ? mean - mean * log(mean) : 0;
			return plan->intercept ? mean - mean * a - s->offset_target / s->weight
								   : (s->offset_exp - s->offset_target) / s->weight;
	}
	return NAN;
}

/* mean of the target as the null model has it, that of all rows alike */
static double
null_mean(const DmpScanPlan *plan, const DmpStats *s)
{
	if (plan->intercept)
		return s->weight_positive / s->weight;
	return plan->family == DMP_BINOMIAL ? 0.5 : plan->family == DMP_POISSON ? 1 : 0;
}

void
dmp_layout_describe(const DmpScanPlan *plan, DmpLayout *l, int p, bool indicator, double mean,
					double sd, double reach)
{
	l->mean[p] = mean;
	l->sd[p] = sd;
	l->reach[p] = reach;
	l->fixed[p] = !(sd > 0);
	if (plan->standardize == 2 || (plan->standardize == 0 && indicator))
		l->penalty_scale[p] = 1;
	else
		l->penalty_scale[p] = sd;
}

/* the same, and the gradient of parameter p at the null model */
static void
describe(const DmpScanPlan *plan, DmpLayout *l, int p, bool indicator, double mean, double sd,
		 double reach, double positive_sum, double weight, double rate)
{
	double g = (positive_sum - rate * mean * weight) / weight;
	double factor = l->penalty_factor ? l->penalty_factor[p] : 1;

	dmp_layout_describe(plan, l, p, indicator, mean, sd, reach);
	/* a coefficient that may not go where the gradient points stays at 0 */
	if (l->lower && (g > 0 ? l->upper[p] == 0 : l->lower[p] == 0))
		g = 0;
	if (plan->alpha > 0 && !l->fixed[p] && l->penalty_scale[p] * factor > 0)
		l->lambda_max = fmax(l->lambda_max, fabs(g) / (l->penalty_scale[p] * factor * plan->alpha));
}

/* options of features become those of parameters */
static void
spread_options(const DmpScanPlan *plan, DmpLayout *l)
{
	int n = l->shape.nparams, f, i, j = 0, k = 0;
	double sum = 0;

	if (plan->factor)
		l->penalty_factor = palloc(sizeof(double) * n);
	if (plan->lower)
	{
		l->lower = palloc(sizeof(double) * n);
		l->upper = palloc(sizeof(double) * n);
	}
	for (i = 0; i < n && plan->factor; i++)
		l->penalty_factor[i] = 1;
	for (i = 0; i < n && plan->lower; i++)
	{
		l->lower[i] = -INFINITY;
		l->upper[i] = INFINITY;
	}
	for (f = 0; f < plan->nfeatures; f++)
	{
		double factor = plan->factor ? plan->factor[f] : 1;

		if (plan->encode[f] == DMP_ENCODE_ONE_HOT)
		{
			const DmpTextMap *map = &l->texts[k++];

			for (i = 0; i < map->ncodes && plan->factor; i++)
				if (map->param[i] >= 0)
					l->penalty_factor[map->param[i]] = factor;
			if (map->missing_param >= 0 && plan->factor)
				l->penalty_factor[map->missing_param] = factor;
			continue;
		}
		if (plan->factor)
		{
			l->penalty_factor[1 + j] = factor;
			if (l->flag_param[j] >= 0)
				l->penalty_factor[l->flag_param[j]] = factor;
		}
		if (plan->lower)
		{
			l->lower[1 + j] = plan->lower[f];
			l->upper[1 + j] = plan->upper[f];
		}
		j++;
	}
	if (!plan->factor || !plan->scaled_factor)
		return;
	/* glmnet's sum to the number of columns */
	for (i = 1; i < n; i++)
		sum += l->penalty_factor[i];
	for (i = 1; i < n && sum > 0; i++)
		l->penalty_factor[i] *= (n - 1) / sum;
}

/* rows must not be empty */
DmpLayout *
dmp_layout_make(const DmpScanPlan *plan, const DmpStats *stats)
{
	DmpLayout *l = palloc0(sizeof(DmpLayout));
	int nd = plan->ndense, nt = plan->ntexts, next = 1 + nd, ncoded = nt, room, f, j, k;
	Category *share;
	double W = stats->weight, rate = null_mean(plan, stats);

	room = 1 + 2 * nd;
	for (k = 0; k < nt; k++)
		room += Min(stats->texts[k].n, MAX_KEPT_LEVELS) + 2;
	share = palloc0(sizeof(Category) * room);
	l->flag_param = palloc(sizeof(int) * (nd + 1));
	l->flag_column = palloc(sizeof(int) * (nd + 1));
	l->fill = palloc0(sizeof(double) * (nd + 1));
	l->texts = palloc0(sizeof(DmpTextMap) * (nt + 1));
	for (f = k = 0; f < plan->nfeatures; f++)
		if (plan->encode[f] == DMP_ENCODE_ONE_HOT)
		{
			text_map(plan, &stats->texts[k], f, &l->texts[k], &next, share);
			k++;
		}
	for (j = 0; j < nd; j++)
	{
		const DmpColumnStats *c = &stats->columns[j];

		l->flag_param[j] = l->flag_column[j] = -1;
		l->fill[j] = c->weight > 0 ? c->mean : 0;
		if (c->missing_weight > 0 && c->weight > 0)
		{
			share[next] = (Category){c->rows_missing, c->missing_weight, c->missing_positive, NULL};
			l->flag_param[j] = next++;
			l->flag_column[j] = ncoded++;
		}
	}
	if (next > MAX_PARAMS)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("%d columns after encoding are too many for this solver", next - 1),
				errdetail("It takes at most %d.", MAX_PARAMS),
				errhint("Name fewer with features, or leave some out with exclude."));
	l->shape = (DmpGlmShape){nd, ncoded, next, plan->family};
	l->mean = palloc0(sizeof(double) * next);
	l->sd = palloc0(sizeof(double) * next);
	l->penalty_scale = palloc0(sizeof(double) * next);
	l->reach = palloc0(sizeof(double) * next);
	l->fixed = palloc0(next);
	l->fixed[0] = !plan->intercept;
	l->lambda_max = plan->alpha > 0 ? 0 : NAN;
	spread_options(plan, l);
	for (j = 0; j < nd; j++)
	{
		const DmpColumnStats *c = &stats->columns[j];
		/* with the mean where it is missing; a column of one value has no spread, however it rounds */
		double sd = c->weight > 0 && c->low < c->high ? sqrt(c->m2 / W) : 0;
		double positive =
			c->positive_mean * (plan->family == DMP_BINOMIAL ? c->weight_positive : 1) +
			c->mean * c->missing_positive;

		/* without an intercept pivots are 0 and a constant column is as good as any */
		if (!plan->intercept && c->weight > 0 && sd == 0 && c->mean != 0)
			sd = fabs(c->mean);
		describe(plan, l, 1 + j, plan->indicator[j], c->mean, sd,
				 fmax(c->high - c->mean, c->mean - c->low), positive, W, rate);
	}
	for (j = 1 + nd; j < next; j++)
	{
		double q = share[j].weight / W;

		describe(plan, l, j, true, q, sqrt(q * fmax(1 - q, 0)), fmax(q, 1 - q), share[j].positive,
				 W, rate);
	}
	/* with an offset the null model is not the same in every row */
	if (plan->has_offset && plan->family != DMP_GAUSSIAN)
		l->lambda_max = NAN;
	/* nor is it when some columns are free of the penalty */
	for (j = 1; j < next && l->penalty_factor; j++)
		if (l->penalty_factor[j] == 0 && !l->fixed[j])
			l->lambda_max = NAN;
	l->unit = plan->family == DMP_GAUSSIAN  ? sqrt(stats->target_m2 / W)
			  : plan->family == DMP_POISSON ? stats->weight_positive / W
											: 1;
	pfree(share);
	return l;
}

/* whether a bound is what holds parameter i where it is */
bool
dmp_at_bound(const DmpLayout *layout, const double *theta, int i)
{
	return i > 0 && layout->lower && !layout->fixed[i] &&
		   (theta[i] == layout->lower[i] || theta[i] == layout->upper[i]);
}

/* everything of a problem but the rows */
void
dmp_layout_problem(const DmpScanPlan *plan, const DmpLayout *layout, DmpGlmProblem *problem)
{
	memset(problem, 0, sizeof(*problem));
	problem->shape = layout->shape;
	problem->lambda = plan->lambda;
	problem->alpha = plan->alpha;
	problem->unit = layout->unit;
	if (plan->scaled_target && plan->lambda > 0 && layout->unit > 0)
	{
		/* glmnet's penalty is that of a target of unit deviation, told on its own scale */
		double l1 = plan->lambda * plan->alpha;
		double l2 = plan->lambda * (1 - plan->alpha) / layout->unit;

		problem->lambda = l1 + l2;
		problem->alpha = l1 / (l1 + l2);
	}
	problem->penalty_scale = layout->penalty_scale;
	problem->mean = layout->mean;
	problem->sd = layout->sd;
	problem->reach = layout->reach;
	problem->fixed = layout->fixed;
	problem->penalty_factor = layout->penalty_factor;
	problem->lower = layout->lower;
	problem->upper = layout->upper;
	problem->tolerance = plan->tolerance;
	problem->max_iterations = plan->max_iterations;
	problem->max_stride = 1;
	problem->env = &dmp_server_env;
}
