/*-------------------------------------------------------------------------
 * groups_fit.c
 *		The fit of one group.
 *
 * It is the fit that dmp.train would make of the group's rows alone, over the
 * levels of the pooled design: columns are shifted by the group's own means,
 * scaled in the penalty by its own deviations, missing values take its own
 * means. Columns that do not vary within the group, and levels it does not
 * have, are left out of the problem and get 0; so a group of few levels is a
 * small problem, however wide the design is.
 *
 * The pooled coefficients are where it starts. What is found is put on the
 * pooled design, by which rows are scored: with c the pooled pivots, p the
 * group's means,
 *
 *		a = theta_0 + sum_j b_j (c_j - p_j)
 *
 * A value that is missing in scoring counts as the group's mean, in groups
 * that had none missing in training too.
 */
#include "learn/groups_fit.h"

#include <math.h>

#include "utils/memutils.h"

/* residual up to which the solver goes; one Newton step from there is beyond rounding */
#define LOOSE 1e-7

/* ------------------------------------------------------------ statistics */

/* target and offset of the n records at hand */
static void
sum_target(GroupFit *g, int n)
{
	DmpStats *s = &g->stats;
	int i;

	for (i = 0; i < n; i++)
	{
		const DmpGroupRecord *record = g->solver->records[i];
		double w = weight_of(g, record), y = target_of(g, record), o = offset_of(g, record);
		double before = s->weight, delta;

		if (!(before > 0))
		{
			s->target_pivot = g->plan->family == DMP_GAUSSIAN && g->plan->intercept ? y : 0;
			s->target_low = s->target_high = y - s->target_pivot;
		}
		y -= s->target_pivot;
		delta = y - (before > 0 ? s->weight_positive / before : 0);
		s->weight += w;
		s->target_m2 += w * delta * delta * (before / s->weight);
		s->weight_positive += w * y;
		s->target_low = Min(s->target_low, y);
		s->target_high = Max(s->target_high, y);
		delta = o - s->offset_mean;
		s->offset_mean += delta * (w / s->weight);
		s->offset_m2 += w * delta * (o - s->offset_mean);
		s->offset_exp += w * exp(Min(o, 700));
		s->offset_target += w * y * o;
	}
}

/* the statistics of the target, whatever it is; its pivot becomes its mean */
static void
settle_target(GroupFit *g)
{
	DmpStats *s = &g->stats;

	s->rows = g->n;
	s->weight = g->weight;
	if (!numbers(g))
	{
		s->rows_positive = g->npositive;
		s->weight_positive = g->positive;
		return;
	}
	g->npositive = 0;
	if (g->plan->family == DMP_GAUSSIAN && g->plan->intercept && g->n > 0)
	{
		s->target_pivot += s->weight_positive / s->weight;
		s->weight_positive = 0;
	}
}

/* means and whether they vary, of columns without holes; a hole makes its sum NaN */
static void
sum_columns(GroupFit *g, double *origin, double *sum, double *reach)
{
	DmpGroupSolver *solver = g->solver;
	int nd = g->nd, i, j, n;
	bool first = true;

	dmp_group_rows_begin(g->rows, false);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (first)
			memcpy(origin, solver->records[0]->values, sizeof(double) * nd);
		first = false;
		for (i = 0; i < n; i++)
		{
			const DmpGroupRecord *record = solver->records[i];
			const double *x = record->values;
			double w = weight_of(g, record);

			g->weight += w;
			g->positive += record->label ? w : 0;
			g->npositive += record->label;
			for (j = 0; j < nd; j++)
			{
				double d = x[j] - origin[j];

				sum[j] += w * d;
				d = fabs(d);
				reach[j] = d > reach[j] ? d : reach[j];
			}
		}
		if (numbers(g) || g->plan->has_offset)
			sum_target(g, n);
		g->n += n;
	}
}

/* the same of the columns that have holes */
static void
sum_holes(GroupFit *g, double *origin, double *sum, double *reach, double *present)
{
	DmpGroupSolver *solver = g->solver;
	int i, j, n;

	for (j = 0; j < g->nd; j++)
	{
		g->holes[j] = isnan(sum[j]);
		if (g->holes[j])
			origin[j] = NAN;
		if (g->holes[j])
			sum[j] = reach[j] = present[j] = 0;
	}
	dmp_group_rows_begin(g->rows, false);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (i = 0; i < n; i++)
		{
			const double *x = solver->records[i]->values;
			double w = weight_of(g, solver->records[i]);

			for (j = 0; j < g->nd; j++)
			{
				double d;

				if (!g->holes[j] || isnan(x[j]))
					continue;
				if (isnan(origin[j]))
					origin[j] = x[j];
				d = x[j] - origin[j];
				sum[j] += w * d;
				reach[j] = Max(reach[j], fabs(d));
				present[j] += w;
			}
		}
	}
}

/* weight of the rows each coded parameter is switched on in */
static void
sum_codes(GroupFit *g)
{
	DmpGroupSolver *solver = g->solver;
	int i, j, k, n;

	dmp_group_rows_begin(g->rows, false);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (i = 0; i < n; i++)
		{
			const int32 *codes = codes_of(g, solver->records[i]);
			double w = weight_of(g, solver->records[i]);

			for (k = 0; k < g->nt; k++)
			{
				int param = text_param(g, k, codes[k]);

				if (param >= 0)
					g->param_weight[param] += w;
			}
			for (j = 0; j < g->nd; j++)
				if (g->holes[j] && g->layout->flag_param[j] >= 0 &&
					isnan(solver->records[i]->values[j]))
					g->param_weight[g->layout->flag_param[j]] += w;
		}
	}
}

static void
gather(GroupFit *g)
{
	int nd = g->nd, j;
	double *origin = palloc0(sizeof(double) * (nd + 1));
	double *sum = palloc0(sizeof(double) * (nd + 1));
	double *reach = palloc0(sizeof(double) * (nd + 1));
	double *present = palloc0(sizeof(double) * (nd + 1));
	bool any = false;

	g->mean = palloc0(sizeof(double) * (nd + 1));
	g->present = palloc0(sizeof(bool) * (nd + 1));
	g->varies = palloc0(sizeof(bool) * (nd + 1));
	g->holes = palloc0(sizeof(bool) * (nd + 1));
	g->param_weight = palloc0(sizeof(double) * g->layout->shape.nparams);
	sum_columns(g, origin, sum, reach);
	settle_target(g);
	for (j = 0; j < nd; j++)
	{
		present[j] = g->weight;
		any |= isnan(sum[j]);
	}
	if (any)
		sum_holes(g, origin, sum, reach, present);
	if (any || g->nt > 0)
		sum_codes(g);
	for (j = 0; j < nd; j++)
	{
		bool pooled = !g->layout->fixed[1 + j];
		double mean = present[j] > 0 ? origin[j] + sum[j] / present[j] : 0;

		g->varies[j] = pooled && reach[j] > 0;
		g->present[j] = present[j] > 0;
		/* always missing: the flag would be the intercept */
		if (!g->present[j] && g->layout->flag_param[j] >= 0)
			g->param_weight[g->layout->flag_param[j]] = 0;
		/* without an intercept a constant is as good as any column */
		if (!g->plan->intercept && pooled && mean != 0)
			g->varies[j] = true;
		g->mean[j] = mean;
	}
	pfree(origin);
	pfree(sum);
	pfree(reach);
	pfree(present);
}

/* ----------------------------------------------------------- the problem */

/* what is taken off a column before it is summed */
static double
pivot_of(const GroupFit *g, int j)
{
	return g->plan->intercept ? g->mean[j] : 0;
}

/* numbers the parameters of the group */
static void
number_params(GroupFit *g)
{
	const DmpLayout *l = g->layout;
	int np = l->shape.nparams, next = 1, j;

	g->compact = palloc(sizeof(int) * np);
	memset(g->compact, -1, sizeof(int) * np);
	g->dense = palloc(sizeof(int) * (g->nd + 1));
	g->flag = palloc(sizeof(int) * (g->nd + 1));
	g->compact[0] = 0;
	for (j = 0; j < g->nd; j++)
		if (g->varies[j])
		{
			g->dense[next - 1] = j;
			g->compact[1 + j] = next++;
		}
	g->shape.ndense = next - 1;
	g->ncodes = g->nt;
	for (j = 1 + g->nd; j < np; j++)
	{
		double q = g->param_weight[j] / g->weight;

		if (q > 0 && q * (1 - q) > 0)
			g->compact[j] = next++;
	}
	for (j = 0; j < g->nd; j++)
		if (l->flag_param[j] >= 0 && g->compact[l->flag_param[j]] >= 0)
			g->flag[g->ncodes++ - g->nt] = j;
	g->shape.ncoded = g->ncodes;
	g->shape.nparams = next;
	g->shape.family = g->plan->family;
}

/* options of parameters, as the pooled fit has them */
static void
spread_options(const GroupFit *g, DmpLayout *own)
{
	const DmpLayout *l = g->layout;
	int n = g->shape.nparams, p;

	if (l->penalty_factor)
		own->penalty_factor = palloc0(sizeof(double) * n);
	if (l->lower)
	{
		own->lower = palloc(sizeof(double) * n);
		own->upper = palloc(sizeof(double) * n);
	}
	for (p = 0; p < l->shape.nparams; p++)
	{
		int c = g->compact[p];

		if (c >= 0 && l->penalty_factor)
			own->penalty_factor[c] = l->penalty_factor[p];
		if (c >= 0 && l->lower)
		{
			own->lower[c] = l->lower[p];
			own->upper[c] = l->upper[p];
		}
	}
}

/* mean, deviation, scale of the penalty; m: of the dense columns about their pivots */
static void
describe(GroupFit *g, const DmpMoments *m)
{
	const DmpScanPlan *plan = g->plan;
	DmpLayout *own = palloc0(sizeof(DmpLayout));
	int n = g->shape.nparams, i, p;

	own->shape = g->shape;
	own->mean = palloc0(sizeof(double) * n);
	own->sd = palloc0(sizeof(double) * n);
	own->penalty_scale = palloc0(sizeof(double) * n);
	own->reach = palloc0(sizeof(double) * n);
	own->fixed = palloc0(n);
	own->fixed[0] = !plan->intercept;
	own->unit = 1;
	if (numbers(g))
		own->unit = plan->family == DMP_GAUSSIAN ? sqrt(g->stats.target_m2 / g->weight)
												 : g->stats.weight_positive / g->weight;
	spread_options(g, own);
	for (i = 0; i < g->shape.ndense; i++)
	{
		double sd = m->low[i] < m->high[i] ? sqrt(m->m2[i] / g->weight) : 0;

		if (!plan->intercept && sd == 0 && m->mean[i] != 0)
			sd = fabs(m->mean[i]);
		dmp_layout_describe(plan, own, 1 + i, plan->indicator[g->dense[i]], m->mean[i], sd,
							fmax(m->high[i] - m->mean[i], m->mean[i] - m->low[i]));
	}
	for (p = 1 + g->nd; p < g->layout->shape.nparams; p++)
		if (g->compact[p] >= 0)
		{
			double q = g->param_weight[p] / g->weight;

			dmp_layout_describe(plan, own, g->compact[p], true, q, sqrt(q * (1 - q)),
								fmax(q, 1 - q));
		}
	g->own = own;
	dmp_layout_problem(plan, own, &g->problem);
}

/* ----------------------------------------------------------------- tiles */

void
dmp_group_tile_room(GroupFit *g, DmpGlmTile *tile)
{
	Size dense = sizeof(double) * DMP_TILE * g->shape.ndense;
	Size codes = sizeof(int32) * DMP_TILE * g->ncodes;
	Size column = sizeof(double) * DMP_TILE;
	Size weight = g->plan->has_weight ? column : 0;
	void *room = palloc(dense + codes + weight + 2 * column + DMP_TILE + 64);
	char *at = (char *) TYPEALIGN(64, room);

	memset(tile, 0, sizeof(*tile));
	tile->dense = (void *) at;
	tile->weight = weight > 0 ? (void *) (at + dense) : NULL;
	tile->codes = g->ncodes > 0 ? (void *) (at + dense + weight) : NULL;
	at += dense + weight + codes;
	if (numbers(g))
		tile->target = (void *) at;
	if (g->plan->has_offset && g->plan->family != DMP_GAUSSIAN)
		tile->offset = (void *) (at + column);
	tile->label = (unsigned char *) (at + 2 * column);
}

/* the n records at hand as a tile */
void
dmp_group_fill_tile(GroupFit *g, DmpGlmTile *tile, int n)
{
	const DmpGroupRecord **records = g->solver->records;
	int i, j, k;

	tile->n = n;
	for (j = 0; j < g->shape.ndense; j++)
	{
		double *x = (double *) tile->dense + (Size) j * DMP_TILE;
		int from = g->dense[j];
		double pivot = pivot_of(g, from), fill = g->mean[from] - pivot;
		bool holes = g->holes[from];

		for (i = 0; i < n; i++)
			x[i] = records[i]->values[from] - pivot;
		for (i = 0; holes && i < n; i++)
			x[i] = isnan(x[i]) ? fill : x[i];
		for (i = n; i < DMP_TILE; i++)
			x[i] = 0;
	}
	for (k = 0; k < g->ncodes; k++)
	{
		int32 *to = (int32 *) tile->codes + (Size) k * DMP_TILE;

		for (i = 0; i < n; i++)
		{
			int param;

			if (k < g->nt)
				param = text_param(g, k, codes_of(g, records[i])[k]);
			else
				param = isnan(records[i]->values[g->flag[k - g->nt]])
							? g->layout->flag_param[g->flag[k - g->nt]]
							: -1;
			to[i] = param >= 0 ? g->compact[param] : -1;
		}
		for (i = n; i < DMP_TILE; i++)
			to[i] = -1;
	}
	for (i = 0; i < DMP_TILE; i++)
		((unsigned char *) tile->label)[i] = i < n ? records[i]->label : 0;
	for (i = 0; tile->weight != NULL && i < DMP_TILE; i++)
		((double *) tile->weight)[i] = i < n ? weight_of(g, records[i]) : 0;
	for (i = 0; tile->target != NULL && i < DMP_TILE; i++)
		((double *) tile->target)[i] = i < n ? target_of(g, records[i]) - g->stats.target_pivot : 0;
	for (i = 0; tile->offset != NULL && i < DMP_TILE; i++)
		((double *) tile->offset)[i] = i < n ? offset_of(g, records[i]) : 0;
}

/* moments of the dense columns; and the tiles, if they are few enough to keep */
static void
make_tiles(GroupFit *g)
{
	Size each =
		sizeof(double) * DMP_TILE * (g->shape.ndense + 4) + sizeof(int32) * DMP_TILE * g->ncodes;
	DmpMoments moments;
	int64 t = 0;
	int n;

	g->ntiles = (g->n + DMP_TILE - 1) / DMP_TILE;
	g->kept = g->rows->here && each * g->ntiles <= Max(g->solver->memory, 8 * each);
	g->tiles = palloc(sizeof(DmpGlmTile) * (g->kept ? g->ntiles : 1));
	dmp_moments_init(&moments, g->shape.ndense,
					 palloc(sizeof(double) * (dmp_moments_size(g->shape.ndense) + 1)));
	if (!g->kept)
		dmp_group_tile_room(g, &g->tiles[0]);
	dmp_group_rows_begin(g->rows, false);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		DmpGlmTile *tile = &g->tiles[g->kept ? t++ : 0];

		CHECK_FOR_INTERRUPTS();
		if (g->kept)
			dmp_group_tile_room(g, tile);
		dmp_group_fill_tile(g, tile, n);
		dmp_moments_tile(&moments, g->shape.ndense, tile);
	}
	describe(g, &moments);
	g->scratch = (void *) TYPEALIGN(64, palloc(dmp_glm_scratch(&g->shape) + 64));
	g->margins = (double *) TYPEALIGN(64, palloc(sizeof(double) * DMP_TILE + 64));
}

static void
add_weight(const DmpGlmTile *tile, double *weight)
{
	int i;

	if (tile->weight == NULL)
		*weight += tile->n;
	else
		for (i = 0; i < tile->n; i++)
			*weight += tile->weight[i];
}

/* the solver's callback */
static void
eval_group(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
		   double *weight)
{
	GroupFit *g = arg;
	int64 t;
	int n;

	if (g->kept)
	{
		for (t = 0; t < g->ntiles; t += stride)
		{
			CHECK_FOR_INTERRUPTS();
			dmp_glm_tile(&g->shape, &g->tiles[t], theta, direction, sums, NULL, g->scratch);
			add_weight(&g->tiles[t], weight);
		}
		return;
	}
	dmp_group_rows_begin(g->rows, false);
	while ((n = dmp_group_rows_next(g->rows)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		dmp_group_fill_tile(g, &g->tiles[0], n);
		dmp_glm_tile(&g->shape, &g->tiles[0], theta, direction, sums, NULL, g->scratch);
		add_weight(&g->tiles[0], weight);
	}
}

/* -------------------------------------------------------------- solution */

/* the pooled coefficients about the group's means, and its null model should they mislead */
static void
start(GroupFit *g, DmpGlmSolution *s)
{
	const double *pooled = g->solver->theta;
	const double *pivot = g->plan->stats.pivot;
	int n = g->shape.nparams, j;

	memset(s, 0, sizeof(*s));
	s->theta = palloc0(sizeof(double) * n);
	s->gradient = palloc0(sizeof(double) * n);
	s->hessian = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	s->aliased = palloc0(n);
	g->problem.fallback = palloc0(sizeof(double) * n);
	g->problem.fallback_objective = dmp_loss_at_zero(g->plan, &g->stats);
	if (g->plan->intercept)
	{
		s->theta[0] = pooled[0] + g->plan->stats.target_pivot - g->stats.target_pivot;
		for (j = 0; j < g->nd; j++)
			s->theta[0] += pooled[1 + j] * (g->mean[j] - pivot[j]);
		g->problem.fallback[0] = dmp_null_start(g->plan, &g->stats);
		g->problem.fallback_objective = dmp_null_loss(g->plan, &g->stats);
		if (isnan(g->problem.fallback_objective))
			g->problem.fallback_objective = INFINITY; /* classes about an offset: not known */
	}
	for (j = 1; j < g->layout->shape.nparams; j++)
		if (g->compact[j] > 0 && !g->problem.fixed[g->compact[j]])
			s->theta[g->compact[j]] = pooled[j];
	g->problem.eval = eval_group;
	g->problem.arg = g;
	/* polish() finishes it: the metrics take a pass over the rows in any case */
	g->problem.expensive = 1;
	g->problem.tolerance = numbers(g) ? g->plan->tolerance : fmax(g->plan->tolerance, LOOSE);
	g->problem.max_stride = 1;
	if (g->kept)
		g->problem.max_stride = (int) Max(1, g->ntiles / Max(128, n / 4));
}

/* coefficients over the pooled design; and their errors, when covariance is not NULL */
static void
put_on_design(GroupFit *g, const DmpGlmSolution *s, const double *covariance, DmpGroupFit *fit)
{
	const DmpDesign *design = g->solver->design;
	const int *column = g->solver->column;
	const double *pivot = g->plan->stats.pivot;
	int np = g->layout->shape.nparams, n = g->shape.nparams, fill = 0, j, p;
	double *shift = palloc0(sizeof(double) * 2 * n);

	fit->values = MemoryContextAllocZero(g->solver->groups->result,
										 sizeof(double) * (1 + design->width + g->solver->nfills));
	if (covariance)
		fit->std_err =
			MemoryContextAllocZero(g->solver->groups->result, sizeof(double) * (design->width + 1));
	fit->values[0] = s->theta[0] + g->stats.target_pivot;
	if (g->plan->has_offset)
		fit->values[design->width] = 1; /* the base margin is the last column */
	shift[0] = g->plan->intercept;
	for (p = 1; p < np; p++)
	{
		int c = g->compact[p];

		if (c < 0 || column[p] < 0 || s->aliased[c])
			continue;
		fit->values[1 + column[p]] = s->theta[c];
		if (covariance)
			fit->std_err[1 + column[p]] = sqrt(fmax(covariance[DMP_TRI(c) + c], 0));
	}
	for (j = 0; j < g->nd; j++)
	{
		int c = g->compact[1 + j], f = g->layout->flag_param[j];

		if (f >= 0 && column[f] >= 0)
			fit->values[1 + design->width + fill++] =
				g->present[j] ? g->mean[j] : pivot[j] + g->layout->fill[j];
		if (c < 0 || s->aliased[c])
			continue;
		fit->values[0] += s->theta[c] * (pivot[j] - pivot_of(g, j));
		shift[c] = -pivot_of(g, j);
	}
	if (covariance)
	{
		dmp_symmetric_multiply(n, covariance, shift, shift + n);
		fit->std_err[0] = sqrt(fmax(dmp_dot(n, shift, shift + n), 0));
	}
}

/* of the coefficients, or NULL; sums are those of the training rows */
static const double *
covariance_of(GroupFit *g, const DmpGlmSolution *s, const DmpGlmSums *sums)
{
	int n = g->shape.nparams, rank = 0, i;
	double *h, *covariance;
	unsigned char *skip;
	Size k;

	if (g->plan->lambda * g->plan->alpha > 0)
		return NULL;
	h = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * 2 * DMP_TRI(n));
	covariance = h + DMP_TRI(n);
	skip = palloc(n);
	memcpy(h, sums->hessian, sizeof(double) * DMP_TRI(n));
	for (i = 0; i < n; i++)
	{
		skip[i] = g->problem.fixed[i] || s->aliased[i] || dmp_at_bound(g->own, s->theta, i);
		rank += !skip[i];
	}
	if (g->plan->family == DMP_GAUSSIAN && g->n <= rank)
		return NULL;
	dmp_glm_covariance(&g->problem, h, NULL, g->weight, skip, covariance);
	/* the dispersion: residual sum of squares / (rows - rank) */
	for (k = 0; g->plan->family == DMP_GAUSSIAN && k < DMP_TRI(n); k++)
		covariance[k] *= 2 * sums->loss / (g->n - rank);
	return covariance;
}

/* ----------------------------------------------------------------- solve */

/* the solve; false: no model comes of it, and why */
static bool
solve(GroupFit *g, DmpGlmSolution *s, DmpFitStatus *status)
{
	DmpScanSolution out;
	int i, free_params = 0;

	number_params(g);
	make_tiles(g);
	for (i = 0; i < g->shape.nparams; i++)
		free_params += !g->problem.fixed[i];
	*status = DMP_FIT_TOO_FEW_ROWS;
	if (g->plan->lambda == 0 && g->n <= free_params)
		return false;
	start(g, s);
	dmp_glm_solve(&g->problem, s);
	memset(&out, 0, sizeof(out));
	dmp_solution_take(&out, s);
	*status = out.status;
	return out.status == DMP_FIT_CONVERGED;
}

/*
 * The Newton step from where the metrics were measured, with the sums of that
 * pass. It squares what is left of the error; should that not be enough, the
 * solver goes on.
 */
static void
polish(GroupFit *g, DmpGlmSolution *s, const DmpGlmSums *sums)
{
	int n = g->shape.nparams, i;
	double *room = palloc(sizeof(double) * (DMP_TRI(n) + 4 * (Size) n));
	double *h = room, *gradient = h + DMP_TRI(n), *next = gradient + n, *step = next + n;
	double decrement, unit = 1;
	Size k;

	for (k = 0; k < DMP_TRI(n); k++)
		h[k] = sums->hessian[k] / g->weight;
	for (i = 0; i < n; i++)
		gradient[i] = sums->gradient[i] / g->weight;
	dmp_glm_model_min(&g->problem, s->theta, gradient, h, 0, next, s->aliased);
	for (i = 0; i < n; i++)
		step[i] = next[i] - s->theta[i];
	dmp_symmetric_multiply(n, h, step, step + n);
	decrement = dmp_dot(n, step, step + n);
	/* in units of the loss: squares of the target, or counts */
	if (numbers(g) && g->own->unit > 0)
		unit = g->plan->family == DMP_GAUSSIAN ? g->own->unit * g->own->unit : g->own->unit;
	if (decrement <= 1e-3 * g->plan->tolerance * unit)
		memcpy(s->theta, next, sizeof(double) * n);
	else
	{
		g->problem.tolerance = g->plan->tolerance;
		g->problem.fallback = NULL;
		dmp_glm_solve(&g->problem, s);
	}
	pfree(room);
}

/* The fit of the group of rows, and its share of the metrics of all rows. */
void
dmp_group_fit(DmpGroupSolver *solver, DmpGroupRows *rows, DmpGroupFit *fit)
{
	MemoryContext old = MemoryContextSwitchTo(solver->work);
	DmpGlmSolution s;
	DmpGlmSums sums;
	GroupFit g;
	bool fitted;

	memset(&g, 0, sizeof(g));
	memset(fit, 0, sizeof(*fit));
	memset(&s, 0, sizeof(s));
	memset(&sums, 0, sizeof(sums));
	g.solver = solver;
	g.rows = rows;
	g.plan = solver->plan;
	g.layout = &solver->plan->layout;
	g.nd = g.plan->ndense;
	g.nt = g.plan->ntexts;
	fit->log_loss = fit->roc_auc = fit->test_log_loss = fit->test_roc_auc = NAN;
	if (numbers(&g))
	{
		int i;

		fit->errors =
			MemoryContextAlloc(solver->groups->result, sizeof(double) * 2 * DMP_GROUP_ERRORS);
		for (i = 0; i < 2 * DMP_GROUP_ERRORS; i++)
			fit->errors[i] = NAN;
	}
	gather(&g);
	fitted = dmp_scan_can_fit(g.plan, &g.stats, &fit->status) && solve(&g, &s, &fit->status);
	fit->rows = g.n;
	fit->rows_positive = g.npositive;
	fit->iterations = s.iterations;
	if (fitted)
	{
		sums.gradient = palloc(sizeof(double) * g.shape.nparams);
		sums.hessian =
			MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(g.shape.nparams));
		dmp_glm_sums_clear(&g.shape, &sums);
		dmp_group_measure(&g, false, s.theta, &sums, fit);
		polish(&g, &s, &sums);
		put_on_design(&g, &s, covariance_of(&g, &s, &sums), fit);
	}
	else
		dmp_group_measure(&g, false, NULL, NULL, fit);
	dmp_group_rows_begin(rows, true);
	fit->rows_test = rows->n;
	if (rows->n > 0)
		dmp_group_measure(&g, true, fitted ? s.theta : NULL, NULL, fit);
	MemoryContextSwitchTo(old);
	MemoryContextReset(solver->work);
}
