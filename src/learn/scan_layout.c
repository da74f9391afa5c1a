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

/* Chan's pairwise update; from's values are s higher in into's terms */
static void
merge_column(DmpColumnStats *into, const DmpColumnStats *from, double s)
{
	double all = into->weight + from->weight;
	double positive = into->weight_positive + from->weight_positive;

	into->rows_missing += from->rows_missing;
	into->missing_weight += from->missing_weight;
	into->missing_positive += from->missing_positive;
	if (!(from->weight > 0))
		return;
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
	into->weight = all;
	into->weight_positive = positive;
}

/*
 * Adds from to into. shift (ndense, may be NULL) receives what from's pivots
 * must move by to be into's; a side that has no pivots yet takes the other's.
 */
void
dmp_stats_merge(DmpStats *into, const DmpStats *from, int ndense, int ntexts, double *shift)
{
	int j, k;

	into->rows += from->rows;
	into->rows_test += from->rows_test;
	into->rows_skipped += from->rows_skipped;
	into->rows_positive += from->rows_positive;
	into->weight += from->weight;
	into->weight_positive += from->weight_positive;
	for (j = 0; j < ndense; j++)
	{
		double s = 0;

		if (isnan(into->pivot[j]))
			into->pivot[j] = from->pivot[j];
		else if (!isnan(from->pivot[j]))
			s = into->pivot[j] - from->pivot[j];
		if (shift)
			shift[j] = s;
		merge_column(&into->columns[j], &from->columns[j], -s);
	}
	for (k = 0; k < ntexts; k++)
	{
		DmpDictionary *a = &into->texts[k];
		const DmpDictionary *b = &from->texts[k];

		a->rows_missing += b->rows_missing;
		a->missing_weight += b->missing_weight;
		a->missing_positive += b->missing_positive;
		for (j = 0; j < b->n; j++)
		{
			int code = dmp_dictionary_code(a, b->levels[j].text, b->levels[j].length, true);

			if (code < 0)
				ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a text feature has too many distinct values"));
			a->levels[code].rows += b->levels[j].rows;
			a->levels[code].weight += b->levels[j].weight;
			a->levels[code].positive += b->levels[j].positive;
		}
	}
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
	else if (plan->lambda == 0 && plan->intercept)
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

/* scale, reach and the gradient at the null model of parameter p */
static void
describe(const DmpScanPlan *plan, DmpLayout *l, int p, bool indicator, double mean, double sd,
		 double reach, double positive_sum, double weight, double weight_positive)
{
	double rate = plan->intercept ? weight_positive / weight : 0.5;
	double g = fabs(positive_sum - rate * mean * weight) / weight;

	l->mean[p] = mean;
	l->sd[p] = sd;
	l->reach[p] = reach;
	l->fixed[p] = !(sd > 0);
	if (plan->standardize == 2 || (plan->standardize == 0 && indicator))
		l->penalty_scale[p] = 1;
	else
		l->penalty_scale[p] = sd;
	if (plan->alpha > 0 && !l->fixed[p] && l->penalty_scale[p] > 0)
		l->lambda_max = fmax(l->lambda_max, g / (l->penalty_scale[p] * plan->alpha));
}

/* rows must not be empty */
DmpLayout *
dmp_layout_make(const DmpScanPlan *plan, const DmpStats *stats)
{
	DmpLayout *l = palloc0(sizeof(DmpLayout));
	int nd = plan->ndense, nt = plan->ntexts, next = 1 + nd, ncoded = nt, room, f, j, k;
	Category *share;
	double W = stats->weight;

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
	l->shape = (DmpGlmShape){nd, ncoded, next};
	l->mean = palloc0(sizeof(double) * next);
	l->sd = palloc0(sizeof(double) * next);
	l->penalty_scale = palloc0(sizeof(double) * next);
	l->reach = palloc0(sizeof(double) * next);
	l->fixed = palloc0(next);
	l->fixed[0] = !plan->intercept;
	l->lambda_max = plan->alpha > 0 ? 0 : NAN;
	for (j = 0; j < nd; j++)
	{
		const DmpColumnStats *c = &stats->columns[j];
		/* with the mean where it is missing; a column of one value has no spread, however it rounds */
		double sd = c->weight > 0 && c->low < c->high ? sqrt(c->m2 / W) : 0;
		double positive = c->positive_mean * c->weight_positive + c->mean * c->missing_positive;

		/* without an intercept pivots are 0 and a constant column is as good as any */
		if (!plan->intercept && c->weight > 0 && sd == 0 && c->mean != 0)
			sd = fabs(c->mean);
		describe(plan, l, 1 + j, plan->indicator[j], c->mean, sd,
				 fmax(c->high - c->mean, c->mean - c->low), positive, W, stats->weight_positive);
	}
	for (j = 1 + nd; j < next; j++)
	{
		double q = share[j].weight / W;

		describe(plan, l, j, true, q, sqrt(q * fmax(1 - q, 0)), fmax(q, 1 - q), share[j].positive,
				 W, stats->weight_positive);
	}
	pfree(share);
	return l;
}

/* everything of a problem but the rows */
void
dmp_layout_problem(const DmpScanPlan *plan, const DmpLayout *layout, DmpGlmProblem *problem)
{
	memset(problem, 0, sizeof(*problem));
	problem->shape = layout->shape;
	problem->lambda = plan->lambda;
	problem->alpha = plan->alpha;
	problem->penalty_scale = layout->penalty_scale;
	problem->mean = layout->mean;
	problem->sd = layout->sd;
	problem->reach = layout->reach;
	problem->fixed = layout->fixed;
	problem->tolerance = plan->tolerance;
	problem->max_iterations = plan->max_iterations;
	problem->max_stride = 1;
	problem->env = &dmp_learn_env;
}
