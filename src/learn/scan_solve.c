/*-------------------------------------------------------------------------
 * scan_solve.c
 *		What is done with rows in memory: the whole fit, or a quadratic.
 *
 * When one process has all rows, the fit is finished here and no second scan
 * is needed. Otherwise a process solves what it has (with one pseudo-row of
 * ridge when there is no penalty, so that a share that misses a class or a
 * level stays finite), keeps the loss to second order about that point, and
 * sums rows that come later at the same point; each time their number has
 * doubled the point is moved to the joint minimum. Only the quadratic leaves
 * the process.
 */
#include "learn/scan.h"

#include <math.h>

#include "math/metrics.h"

#define BLOCK_TOLERANCE 1e-4
#define CUBIC_STRIDE 8 /* third derivatives are taken from every eighth tile */

/* rows of a store as the solver reads them */
typedef struct StoreRows
{
	DmpScan *scan;
	DmpStore *store;
	DmpGlmShape shape;
	void *scratch;
	double *margins; /* one a row, or NULL */
} StoreRows;

static void
eval_store(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
		   double *weight)
{
	StoreRows *rows = arg;
	const DmpStore *store = rows->store;
	int64 t = 0;
	int c, at, i;

	for (c = 0; c < store->nchunks; c++)
	{
		/* every stride-th tile, counted through the chunks */
		for (at = (int) ((stride - t % stride) % stride); at < store->chunks[c].used; at += stride)
		{
			DmpGlmTile tile;

			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(store, &rows->shape, c, at, &tile);
			dmp_glm_tile(&rows->shape, &tile, theta, direction, sums, NULL, rows->scratch);
			if (tile.weight)
				for (i = 0; i < tile.n; i++)
					*weight += tile.weight[i];
			else
				*weight += tile.n;
		}
		t += store->chunks[c].used;
	}
}

static void *
aligned(Size size)
{
	return (void *) TYPEALIGN(64, palloc(size + 64));
}

static void
store_problem(DmpScan *scan, DmpStore *store, const DmpLayout *layout, StoreRows *rows,
			  DmpGlmProblem *problem)
{
	dmp_layout_problem(scan->plan, layout, problem);
	rows->scan = scan;
	rows->store = store;
	rows->shape = layout->shape;
	rows->scratch = aligned(dmp_glm_scratch(&layout->shape));
	problem->eval = eval_store;
	problem->arg = rows;
	/* a sample of about 128 tiles to begin with, but not one smaller than a few rows a parameter */
	problem->max_stride = (int) (store->ntiles / Max(128, layout->shape.nparams / 4));
	problem->max_stride = Max(1, problem->max_stride);
}

static double *
doubles0(Size n)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * Max(n, 1));
}

static void
start_solution(const DmpScanPlan *plan, const DmpGlmProblem *problem, const DmpStats *stats,
			   DmpGlmSolution *s)
{
	int n = problem->shape.nparams;

	memset(s, 0, sizeof(*s));
	s->theta = doubles0(n);
	memset(s->theta, 0, sizeof(double) * n);
	s->gradient = doubles0(n);
	s->hessian = doubles0(DMP_TRI(n));
	s->aliased = palloc0(n);
	s->theta[0] = dmp_null_start(plan, stats);
	s->at = doubles0(n);
}

/* ------------------------------------------------------------- quadratics */

static DmpQuadratic *
new_quadratic(int n)
{
	DmpQuadratic *q = palloc0(sizeof(DmpQuadratic));

	q->nparams = n;
	q->linear = palloc0(sizeof(double) * n);
	q->hessian = doubles0(DMP_TRI(n));
	memset(q->hessian, 0, sizeof(double) * DMP_TRI(n));
	return q;
}

/* room for streaming, in the state's context */
static void
make_sums(DmpScan *scan)
{
	int n = scan->shape.nparams;

	if (scan->sums.gradient)
		return;
	scan->sums.gradient = doubles0(n);
	scan->sums.hessian = doubles0(DMP_TRI(n));
	scan->theta = doubles0(n);
	memset(scan->theta, 0, sizeof(double) * n);
	dmp_glm_sums_clear(&scan->shape, &scan->sums);
}

static void
add_point(DmpQuadratic *q, double weight, const double *theta)
{
	Size each = sizeof(double) * (1 + q->nparams);

	q->points = q->points ? repalloc(q->points, each * (q->npoints + 1)) : palloc(each);
	q->points[(Size) q->npoints * (1 + q->nparams)] = weight;
	memcpy(q->points + (Size) q->npoints * (1 + q->nparams) + 1, theta, each - sizeof(double));
	q->npoints++;
}

void
dmp_quadratic_join(DmpQuadratic *into, const DmpQuadratic *from)
{
	int i;

	if (from->cubic && into->cubic == NULL)
		into->cubic = palloc0(sizeof(double) * into->nparams * into->nparams * into->nparams);
	dmp_quadratic_merge(into, from);
	for (i = 0; i < from->npoints; i++)
		add_point(into, from->points[(Size) i * (1 + from->nparams)],
				  from->points + (Size) i * (1 + from->nparams) + 1);
}

/* the sums at theta become part of the quadratic */
static void
fold(DmpScan *scan, double *tensor)
{
	int n = scan->shape.nparams;
	double *scratch = palloc(sizeof(double) * 2 * n);

	if (scan->quadratic == NULL)
		scan->quadratic = new_quadratic(n);
	if (tensor && scan->quadratic->cubic == NULL)
		scan->quadratic->cubic = palloc0(sizeof(double) * n * n * n);
	dmp_quadratic_add_sums(scan->quadratic, scan->theta, &scan->sums, tensor, scratch);
	add_point(scan->quadratic, scan->sums_weight, scan->theta);
	dmp_glm_sums_clear(&scan->shape, &scan->sums);
	scan->sums_weight = 0;
	scan->streamed = 0;
	pfree(scratch);
	if (tensor)
		pfree(tensor);
}

/*
 * The least of quadratic, penalty and ridge (on columns of unit sd), into theta
 * (nparams). With third derivatives it is a walk of a few Newton steps from the
 * mean of the points the parts were taken at; a step that grows ends it.
 */
void
dmp_quadratic_solve(const DmpScanPlan *plan, const DmpLayout *layout, const DmpQuadratic *q,
					double weight, double ridge, double *theta)
{
	DmpGlmProblem problem;
	int n = q->nparams, i, k;
	double *g = palloc(sizeof(double) * 3 * n), *next = g + n, *step = next + n;
	double *h = doubles0(DMP_TRI(n));
	double total = 0, before = INFINITY;
	unsigned char *aliased = palloc(n);
	Size e;

	dmp_layout_problem(plan, layout, &problem);
	memset(theta, 0, sizeof(double) * n);
	for (k = 0; k < q->npoints; k++)
		total += q->points[(Size) k * (1 + n)];
	for (k = 0; k < q->npoints; k++)
		dmp_axpy(n, q->points[(Size) k * (1 + n)] / total, q->points + (Size) k * (1 + n) + 1,
				 theta);
	for (k = 0; k < (q->cubic ? 8 : 1); k++)
	{
		double decrement;

		dmp_quadratic_at(q, theta, g, h);
		for (i = 0; i < n; i++)
			g[i] /= weight;
		for (e = 0; e < DMP_TRI(n); e++)
			h[e] /= weight;
		dmp_glm_model_min(&problem, theta, g, h, ridge, next, aliased);
		for (i = 0; i < n; i++)
			step[i] = next[i] - theta[i];
		dmp_symmetric_multiply(n, h, step, g);
		decrement = dmp_dot(n, g, step);
		if (!(decrement < before))
			break;
		before = decrement;
		memcpy(theta, next, sizeof(double) * n);
		if (decrement < 1e-26)
			break;
	}
	pfree(g);
	pfree(h);
	pfree(aliased);
}

/* of the loss of the rows in memory at scan->theta, from every eighth tile; NULL: not to be had */
static double *
third_derivatives(DmpScan *scan, StoreRows *rows)
{
	const DmpStore *store = rows->store;
	int n = scan->shape.nparams, c, at, i;
	int stride = store->ntiles < 64 * CUBIC_STRIDE ? 1 : CUBIC_STRIDE;
	double *slices, *tensor, weight = 0;
	int64 t = 0;

	if (scan->shape.ncoded > 0 || n > DMP_CUBIC_PARAMS || scan->shape.family == DMP_GAUSSIAN)
		return NULL;
	slices = palloc0(sizeof(double) * dmp_cubic_size(n));
	for (c = 0; c < store->nchunks; c++)
		for (at = 0; at < store->chunks[c].used; at++, t++)
		{
			DmpGlmTile tile;

			if (t % stride != 0)
				continue;
			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(store, &rows->shape, c, at, &tile);
			dmp_glm_tile_cubic(&rows->shape, &tile, scan->theta, slices, rows->scratch);
			for (i = 0; i < tile.n; i++)
				weight += tile.weight ? tile.weight[i] : 1;
		}
	tensor = palloc(sizeof(double) * n * n * n);
	dmp_cubic_tensor(n, slices, scan->stats.weight / weight, tensor);
	pfree(slices);
	return tensor;
}

static DmpLayout *
layout_now(DmpScan *scan)
{
	if (scan->plan->phase != DMP_SCAN_LEARN)
		return &scan->plan->layout;
	dmp_scan_stats_sync(scan);
	return dmp_layout_make(scan->plan, &scan->stats);
}

/* sums of the rows in memory at a point near their optimum, which scan->theta becomes */
static void
sum_block(DmpScan *scan, StoreRows *rows, DmpGlmProblem *problem, const DmpLayout *layout)
{
	int n = scan->shape.nparams, j;
	DmpGlmSolution s;
	double weight = 0;

	if (scan->shape.family == DMP_GAUSSIAN)
	{
		/* the loss is a quadratic: any point does */
		eval_store(rows, scan->theta, NULL, 1, &scan->sums, &weight);
		return;
	}
	if (problem->lambda == 0)
	{
		double *scale = palloc(sizeof(double) * n);

		for (j = 0; j < n; j++)
			scale[j] = j <= scan->shape.ndense ? layout->sd[j] : 1;
		problem->lambda = 1 / scan->stats.weight;
		problem->alpha = 0;
		problem->penalty_scale = scale;
		problem->penalty_factor = NULL;
	}
	problem->tolerance = BLOCK_TOLERANCE;
	problem->max_iterations = 20;
	start_solution(scan->plan, problem, &scan->stats, &s);
	s.at = doubles0(n);
	dmp_glm_solve(problem, &s);
	if (s.at_hessian)
	{
		/* its last pass is what we want, as sums */
		memcpy(scan->theta, s.at, sizeof(double) * n);
		scan->sums.loss = s.at_loss * s.weight;
		dmp_axpy(n, s.weight, s.gradient, scan->sums.gradient);
		dmp_axpy(DMP_TRI(n), s.weight, s.hessian, scan->sums.hessian);
	}
	else
	{
		memcpy(scan->theta, s.theta, sizeof(double) * n);
		eval_store(rows, scan->theta, NULL, 1, &scan->sums, &weight);
	}
	pfree(s.hessian);
}

/*
 * Rows kept so far become a quadratic about their own optimum; what comes
 * after is summed at it. LEARN: only while the design is the dense columns.
 */
void
dmp_scan_close_block(DmpScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);

	make_sums(scan);
	if (scan->train.rows > 0)
	{
		DmpLayout *layout = layout_now(scan);
		StoreRows rows;
		DmpGlmProblem problem;

		store_problem(scan, &scan->train, layout, &rows, &problem);
		sum_block(scan, &rows, &problem, layout);
		scan->sums_weight = scan->stats.weight;
		scan->streamed = scan->solved_rows = scan->train.rows;
		fold(scan, third_derivatives(scan, &rows));
	}
	dmp_store_free(&scan->train);
	dmp_store_free(&scan->test);
	scan->mode = DMP_MODE_STREAM;
	MemoryContextSwitchTo(old);
}

/* the third derivatives of a tile at the current point, into what fold() will take */
static void
sample_third(DmpScan *scan, const DmpGlmTile *tile)
{
	int i;

	if (scan->slices == NULL)
		scan->slices = MemoryContextAllocZero(scan->hdr.eoh_context,
											  sizeof(double) * dmp_cubic_size(scan->shape.nparams));
	dmp_glm_tile_cubic(&scan->shape, tile, scan->theta, scan->slices, scan->scratch);
	for (i = 0; i < tile->n; i++)
		scan->slices_weight += tile->weight ? tile->weight[i] : 1;
}

/* as a tensor for all rows in the sums, and emptied; NULL: none */
static double *
streamed_third(DmpScan *scan)
{
	int n = scan->shape.nparams;
	double *tensor;

	if (!(scan->slices_weight > 0))
		return NULL;
	tensor = palloc(sizeof(double) * n * n * n);
	dmp_cubic_tensor(n, scan->slices, scan->sums_weight / scan->slices_weight, tensor);
	memset(scan->slices, 0, sizeof(double) * dmp_cubic_size(n));
	scan->slices_weight = 0;
	return tensor;
}

/* one tile at the current point */
void
dmp_scan_stream_tile(DmpScan *scan, const DmpGlmTile *tile)
{
	const DmpScanPlan *plan = scan->plan;
	bool gradient = plan->phase == DMP_SCAN_GRADIENT;
	int i;

	dmp_glm_tile(&scan->shape, tile, gradient ? plan->theta : scan->theta,
				 gradient ? plan->direction : NULL, &scan->sums, gradient ? scan->margins : NULL,
				 scan->scratch);
	if (tile->weight)
		for (i = 0; i < tile->n; i++)
			scan->sums_weight += tile->weight[i];
	else
		scan->sums_weight += tile->n;
	scan->streamed += tile->n;
	if (scan->shape.family == DMP_GAUSSIAN)
		return; /* exact wherever it is taken */
	if (!gradient && scan->shape.ncoded == 0 && scan->shape.nparams <= DMP_CUBIC_PARAMS &&
		scan->tiles++ % CUBIC_STRIDE == 0)
		sample_third(scan, tile);
	if (!gradient && scan->streamed >= Max(scan->solved_rows, 1000))
	{
		MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
		int64 rows = scan->solved_rows + scan->streamed;

		fold(scan, streamed_third(scan));
		/* one pseudo-row: a level of a few rows must not send the point far away */
		dmp_quadratic_solve(plan, layout_now(scan), scan->quadratic, scan->stats.weight,
							1 / scan->stats.weight, scan->theta);
		scan->solved_rows = rows;
		MemoryContextSwitchTo(old);
	}
}

/* before the state is shipped or merged: no rows, no open sums */
void
dmp_scan_settle(DmpScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	int i;

	for (i = 0; i < 2 + scan->plan->nfolds; i++)
		dmp_scan_flush(scan, i, true);
	if (scan->plan->phase <= DMP_SCAN_BLOCKS)
	{
		if (scan->mode == DMP_MODE_PACK && scan->train.rows > 0)
		{
			if (scan->plan->phase == DMP_SCAN_LEARN &&
				(scan->any_missing || scan->plan->ntexts > 0))
				dmp_scan_count_only(scan);
			else
				dmp_scan_close_block(scan);
		}
		if (scan->mode == DMP_MODE_STREAM && scan->streamed > 0)
			fold(scan, streamed_third(scan));
		dmp_store_free(&scan->train);
		dmp_store_free(&scan->test);
	}
	if (scan->plan->phase == DMP_SCAN_LEARN)
		dmp_scan_stats_sync(scan);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------ the fit in memory */

/* 0 when there is something to fit; else why not */
bool
dmp_scan_can_fit(const DmpScanPlan *plan, const DmpStats *stats, DmpFitStatus *status)
{
	if (stats->rows == 0)
		*status = DMP_FIT_NO_ROWS;
	else if (plan->family == DMP_GAUSSIAN  ? stats->target_low == stats->target_high
			 : plan->family == DMP_POISSON ? stats->weight_positive == 0
										   : false)
		*status = DMP_FIT_ONE_CLASS;
	else if (plan->family != DMP_BINOMIAL)
		return true;
	else if (stats->rows_positive == 0 || stats->rows_positive == stats->rows)
		*status = DMP_FIT_ONE_CLASS;
	else
		return true;
	return false;
}

/* without a penalty, as many rows as parameters are fitted exactly by anything */
bool
dmp_scan_enough_rows(const DmpScanPlan *plan, const DmpStats *stats, const DmpLayout *layout)
{
	int i, free_params = 0;

	for (i = 0; i < layout->shape.nparams; i++)
		free_params += !layout->fixed[i];
	return plan->lambda > 0 || stats->rows > free_params;
}

/* dictionary codes and missing values of a packed store become what the layout says */
static void
lay_out_store(DmpScan *scan, DmpStore *store, const DmpLayout *layout, const double *shift)
{
	int nd = scan->plan->ndense, nt = scan->plan->ntexts, nc = layout->shape.ncoded;
	int c, at, j, k, i;

	for (c = 0; c < store->nchunks; c++)
	{
		DmpChunk *chunk = &store->chunks[c];
		int32 *codes = NULL;

		if (nc > 0)
		{
			void *raw = MemoryContextAllocHuge(
				CurrentMemoryContext, sizeof(int32) * (Size) chunk->used * nc * DMP_TILE + 64);

			store->bytes += sizeof(int32) * (Size) chunk->used * nc * DMP_TILE;
			codes = (int32 *) TYPEALIGN(64, raw);
			for (at = 0; at < chunk->used; at++)
			{
				const int32 *from = chunk->codes + (Size) at * nt * DMP_TILE;
				int32 *to = codes + (Size) at * nc * DMP_TILE;

				for (k = 0; k < nt; k++)
					for (i = 0; i < DMP_TILE; i++)
					{
						int32 code = from[k * DMP_TILE + i];

						to[k * DMP_TILE + i] = code >= 0    ? layout->texts[k].param[code]
											   : code == -2 ? layout->texts[k].missing_param
															: -1;
					}
			}
			if (chunk->raw[1])
				pfree(chunk->raw[1]);
			chunk->raw[1] = raw;
			chunk->codes = codes;
		}
		for (j = 0; j < nd; j++)
		{
			if (!scan->has_missing[j] && shift[j] == 0)
				continue;
			for (at = 0; at < chunk->used; at++)
			{
				double *x = chunk->dense + ((Size) at * nd + j) * DMP_TILE;
				int32 *flag = layout->flag_column[j] < 0
								  ? NULL
								  : codes + ((Size) at * nc + layout->flag_column[j]) * DMP_TILE;

				CHECK_FOR_INTERRUPTS();
				for (i = 0; i < DMP_TILE; i++)
				{
					bool is_missing = isnan(x[i]);

					if (flag)
						flag[i] = is_missing ? layout->flag_param[j] : -1;
					x[i] = is_missing ? layout->fill[j] : x[i] - shift[j];
				}
			}
		}
	}
	store->ncoded = nc;
}

/* pivots that turned out far from the mean are moved there; shift is what was taken off */
static double *
recentre(DmpScan *scan)
{
	int nd = scan->plan->ndense, j;
	double *shift = palloc0(sizeof(double) * (nd + 1));

	if (!scan->plan->intercept)
		return shift;
	for (j = 0; j < nd; j++)
	{
		DmpColumnStats *c = &scan->stats.columns[j];
		double sd = c->weight > 0 ? sqrt(c->m2 / c->weight) : 0;

		if (!(fabs(c->mean) > 4 * sd) || c->mean == 0)
			continue;
		shift[j] = c->mean;
		scan->stats.pivot[j] += shift[j];
		c->mean = 0;
		c->low -= shift[j];
		c->high -= shift[j];
		if (scan->plan->family != DMP_BINOMIAL)
			c->positive_mean -= shift[j] * c->weight_positive;
		else
			c->positive_mean -= c->weight_positive > 0 ? shift[j] : 0;
	}
	return shift;
}

/* margins and labels of a store, as the metric kernels want them */
static double
store_auc(DmpScan *scan, StoreRows *rows, DmpStore *store, const double *theta, double *log_loss)
{
	double *margin = doubles0(store->rows + DMP_TILE);
	double *weight = scan->plan->has_weight ? doubles0(store->rows + DMP_TILE) : NULL;
	unsigned char *label = MemoryContextAllocHuge(CurrentMemoryContext, store->rows + DMP_TILE);
	double loss = 0, total = 0;
	DmpRankMetrics m;
	Size n = 0;
	int c, at, i;

	for (c = 0; c < store->nchunks; c++)
		for (at = 0; at < store->chunks[c].used; at++)
		{
			DmpGlmTile tile;

			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(store, &rows->shape, c, at, &tile);
			dmp_glm_tile(&rows->shape, &tile, theta, NULL, NULL, margin + n, rows->scratch);
			memcpy(label + n, tile.label, tile.n);
			if (weight)
				memcpy(weight + n, tile.weight, sizeof(double) * tile.n);
			if (log_loss)
				for (i = 0; i < tile.n; i++)
				{
					double w = tile.weight ? tile.weight[i] : 1;

					loss += w * dmp_log_loss_margin(margin[n + i], tile.label[i]);
					total += w;
				}
			n += tile.n;
		}
	dmp_rank_metrics(n, margin, label, weight, &dmp_server_env, &m);
	if (log_loss)
		*log_loss = total > 0 ? loss / total : NAN;
	pfree(margin);
	pfree(label);
	if (weight)
		pfree(weight);
	return m.roc_auc;
}

/* what a target of numbers is judged by */
static void
store_errors(StoreRows *rows, DmpStore *store, const double *theta, DmpErrorSums *errors)
{
	double margins[DMP_TILE];
	int c, at;

	for (c = 0; c < store->nchunks; c++)
		for (at = 0; at < store->chunks[c].used; at++)
		{
			DmpGlmTile tile;

			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(store, &rows->shape, c, at, &tile);
			dmp_glm_tile(&rows->shape, &tile, theta, NULL, NULL, margins, rows->scratch);
			dmp_errors_tile(errors, rows->shape.family, &tile, margins);
		}
}

static DmpFitStatus
status_of(const DmpGlmSolution *s)
{
	switch (s->status)
	{
		case DMP_SOLVE_CONVERGED:
			return DMP_FIT_CONVERGED;
		case DMP_SOLVE_SEPARATED:
			return DMP_FIT_SEPARATED;
		case DMP_SOLVE_STALLED:
			return isfinite(s->objective) && s->kkt_residual < 1e-3 ? DMP_FIT_ITERATION_LIMIT
																	: DMP_FIT_DIVERGED;
		default:
			return DMP_FIT_ITERATION_LIMIT;
	}
}

/*
 * The mean gradient at the solution. The last step is taken without an
 * evaluation: after it the gradient is what the Hessian says. s->at must be there.
 */
void
dmp_solution_gradient(DmpScanSolution *out, const DmpGlmSolution *s, int nparams)
{
	double *step = palloc(sizeof(double) * nparams);
	int i;

	for (i = 0; i < nparams; i++)
		step[i] = s->theta[i] - s->at[i];
	out->gradient = doubles0(nparams);
	dmp_symmetric_multiply(nparams, s->hessian, step, out->gradient);
	dmp_axpy(nparams, 1, s->gradient, out->gradient);
	pfree(step);
}

/* what the solver says as the fit says it */
void
dmp_solution_take(DmpScanSolution *out, const DmpGlmSolution *s)
{
	out->status = status_of(s);
	out->theta = s->theta;
	out->hessian = s->hessian;
	out->aliased = s->aliased;
	out->loss = s->loss;
	out->objective = s->objective;
	out->kkt = s->kkt_residual;
	out->iterations = s->iterations;
	out->separated_param = s->status == DMP_SOLVE_SEPARATED ? s->moving : -1;
}

/*
 * Mean loss of the null model: intercept, offset and, for lambda_max, what is
 * free of the penalty. *lambda_max is found when the statistics did not say.
 */
double
dmp_null_solve(const DmpScanPlan *plan, const DmpStats *stats, const DmpGlmProblem *problem,
			   double *lambda_max)
{
	int n = problem->shape.nparams, pass, i;
	double loss = dmp_null_loss(plan, stats);
	bool want = plan->alpha > 0 && plan->lambda > 0 && isnan(*lambda_max);
	unsigned char *fixed = palloc(n);
	bool any = false;

	for (i = 1; i < n && want; i++)
		any |= !problem->fixed[i] && problem->penalty_factor && problem->penalty_factor[i] == 0;
	/* first the intercept alone, then what is not penalised too */
	for (pass = isnan(loss) ? 0 : 1; pass == 0 || (want && isnan(*lambda_max)); pass = 1)
	{
		DmpGlmProblem null = *problem;
		DmpGlmSolution s;

		fixed[0] = problem->fixed[0];
		for (i = 1; i < n; i++)
			fixed[i] = problem->fixed[i] || pass == 0 || !any || problem->penalty_factor[i] != 0;
		null.fixed = fixed;
		null.lambda = 0;
		null.reach = NULL;
		null.fallback = NULL;
		null.lower = null.upper = NULL;
		start_solution(plan, &null, stats, &s);
		dmp_glm_solve(&null, &s);
		if (pass == 0)
			loss = s.loss;
		if (want && (pass == 1 || !any))
		{
			*lambda_max = 0;
			for (i = 1; i < n; i++)
			{
				double scale = problem->penalty_scale[i], factor = 1, g;

				if (problem->penalty_factor)
					factor = problem->penalty_factor[i];
				if (problem->fixed[i] || !fixed[i] || !(scale * factor > 0))
					continue;
				g = s.gradient[i] - (fixed[0] ? 0 : problem->mean[i] * s.gradient[0]);
				if (problem->lower && (g < 0 ? problem->upper[i] == 0 : problem->lower[i] == 0))
					continue;
				*lambda_max = fmax(*lambda_max, fabs(g) / (scale * factor * plan->alpha));
			}
		}
		pfree(s.hessian);
	}
	pfree(fixed);
	return loss;
}

/*
 * Third derivatives of the mean loss at the solution, for those who will go on
 * from it (update.c). A few tiles do: they correct what is small already.
 */
static double *
solution_third(const StoreRows *rows, const double *theta)
{
	const DmpStore *store = rows->store;
	int n = rows->shape.nparams, c, at, i;
	int64 stride = Max(1, store->ntiles / dmp_cubic_tiles(n)), t = 0;
	double *slices, *tensor, weight = 0;
	void *scratch;

	if (n > DMP_CUBIC_PARAMS || rows->shape.family == DMP_GAUSSIAN)
		return NULL;
	slices = palloc0(sizeof(double) * dmp_cubic_size(n));
	scratch = aligned(dmp_glm_cubic_scratch(&rows->shape));
	for (c = 0; c < store->nchunks; c++)
		for (at = 0; at < store->chunks[c].used; at++, t++)
		{
			DmpGlmTile tile;

			if (t % stride != 0)
				continue;
			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(store, &rows->shape, c, at, &tile);
			dmp_glm_tile_cubic_coded(&rows->shape, &tile, theta, slices, scratch);
			for (i = 0; i < tile.n; i++)
				weight += tile.weight ? tile.weight[i] : 1;
		}
	if (!(weight > 0))
		return NULL;
	tensor = palloc(sizeof(double) * n * n * n);
	dmp_cubic_tensor(n, slices, 1 / weight, tensor);
	pfree(slices);
	return tensor;
}

/* all rows are here: they become what the layout says; false when there is nothing to fit */
bool
dmp_scan_prepare(DmpScan *scan)
{
	DmpScanPlan *plan = scan->plan;
	DmpFitStatus status;
	int f;

	if (!dmp_scan_can_fit(plan, &scan->stats, &status))
		return false;
	if (plan->phase == DMP_SCAN_LEARN)
	{
		double *shift;

		dmp_scan_stats_sync(scan);
		shift = recentre(scan);
		plan->layout = *dmp_layout_make(plan, &scan->stats);
		lay_out_store(scan, &scan->train, &plan->layout, shift);
		lay_out_store(scan, &scan->test, &plan->layout, shift);
		for (f = 0; f < plan->nfolds; f++)
			lay_out_store(scan, &scan->folds[f], &plan->layout, shift);
	}
	return dmp_scan_enough_rows(plan, &scan->stats, &plan->layout);
}

/*
 * The whole fit, and the metrics. NULL when there is nothing to fit. The state
 * is used up.
 */
DmpScanSolution *
dmp_scan_solve(DmpScan *scan)
{
	DmpScanPlan *plan = scan->plan;
	DmpScanSolution *out;
	StoreRows rows;
	DmpGlmProblem problem;
	DmpGlmSolution s;

	if (!dmp_scan_prepare(scan))
		return NULL;
	out = palloc0(sizeof(DmpScanSolution));
	store_problem(scan, &scan->train, &plan->layout, &rows, &problem);
	start_solution(plan, &problem, &scan->stats, &s);
	out->null_loss = dmp_null_solve(plan, &scan->stats, &problem, &plan->layout.lambda_max);
	dmp_glm_solve(&problem, &s);
	dmp_solution_take(out, &s);
	dmp_solution_gradient(out, &s, plan->layout.shape.nparams);
	out->cubic = solution_third(&rows, s.theta);
	out->lambda_max = plan->layout.lambda_max;
	out->roc_auc = out->test_roc_auc = out->test_log_loss = NAN;
	out->memory = scan->peak;
	if (plan->family != DMP_BINOMIAL)
	{
		store_errors(&rows, &scan->train, s.theta, &out->errors[0]);
		store_errors(&rows, &scan->test, s.theta, &out->errors[1]);
		return out;
	}
	out->roc_auc = store_auc(scan, &rows, &scan->train, s.theta, NULL);
	if (scan->test.rows > 0)
		out->test_roc_auc = store_auc(scan, &rows, &scan->test, s.theta, &out->test_log_loss);
	return out;
}
