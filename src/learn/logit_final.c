/*-------------------------------------------------------------------------
 * logit_final.c
 *		The fit of a dmp.logit state, as dmp.logit_fit.
 *
 * The state is only read: a window asks for its value again and again. Rows
 * that are flat are laid out as tiles first; those of an expanded state are
 * solved where they are, with the tile that is still being filled as the last.
 *-------------------------------------------------------------------------
 */
#include "learn/logit.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_logit_final);

/* tiles of rows, wherever they are */
typedef struct LogitRows
{
	const DmpStore *store; /* or NULL */
	DmpGlmShape shape;
	int ntiles;       /* of our own, after those of the store */
	DmpGlmTile *tile; /* ntiles */
	void *scratch;
} LogitRows;

static void
eval_rows(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
		  double *weight)
{
	LogitRows *rows = arg;
	int64 t = 0;
	int c, at;

	for (c = 0; rows->store && c < rows->store->nchunks; c++)
		for (at = 0; at < rows->store->chunks[c].used; at++, t++)
		{
			DmpGlmTile tile;

			if (t % stride != 0)
				continue;
			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(rows->store, &rows->shape, c, at, &tile);
			dmp_glm_tile(&rows->shape, &tile, theta, direction, sums, NULL, rows->scratch);
			*weight += tile.n;
		}
	for (c = 0; c < rows->ntiles; c++, t++)
	{
		if (t % stride != 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		dmp_glm_tile(&rows->shape, &rows->tile[c], theta, direction, sums, NULL, rows->scratch);
		*weight += rows->tile[c].n;
	}
}

static void *
aligned(Size size)
{
	return (void *) TYPEALIGN(64, MemoryContextAllocHuge(CurrentMemoryContext, size + 64));
}

/* one tile from n rows (y, x_1 .. x_p), n <= 128 */
static void
lay_tile(DmpGlmTile *tile, const double *values, int n, int p, const double *pivot)
{
	double *dense = aligned(sizeof(double) * DMP_TILE * (p + 1));
	unsigned char *label = palloc0(DMP_TILE);
	int i, j;

	for (j = 0; j < p; j++)
	{
		double *x = dense + (Size) j * DMP_TILE;

		for (i = 0; i < n; i++)
			x[i] = values[(Size) i * (p + 1) + 1 + j] - pivot[j];
		for (; i < DMP_TILE; i++)
			x[i] = 0;
	}
	for (i = 0; i < n; i++)
		label[i] = values[(Size) i * (p + 1)] == 1;
	memset(tile, 0, sizeof(*tile));
	tile->n = n;
	tile->dense = dense;
	tile->label = label;
}

static void
lay_flat(const DmpLogitFlat *flat, LogitRows *rows, DmpStats *stats, DmpMoments *moments)
{
	int p = flat->p, t, j;
	int64 i;

	for (j = 0; j < p; j++)
	{
		double mean = 0;

		for (i = 0; i < flat->rows; i++)
			mean += (flat->values[i * (p + 1) + 1 + j] - mean) / (i + 1);
		stats->pivot[j] = isfinite(mean) ? mean : 0;
	}
	rows->ntiles = (int) ((flat->rows + DMP_TILE - 1) / DMP_TILE);
	rows->tile = palloc(sizeof(DmpGlmTile) * (rows->ntiles + 1));
	for (t = 0; t < rows->ntiles; t++)
	{
		lay_tile(&rows->tile[t], flat->values + (Size) t * DMP_TILE * (p + 1),
				 (int) Min(DMP_TILE, flat->rows - (int64) t * DMP_TILE), p, stats->pivot);
		dmp_moments_tile(moments, p, &rows->tile[t]);
	}
	stats->rows = flat->rows;
	for (i = 0; i < flat->rows; i++)
		stats->rows_positive += flat->values[i * (p + 1)] == 1;
}

static void
lay_scan(DmpScan *scan, LogitRows *rows, DmpStats *stats, DmpMoments *moments)
{
	const DmpStage *stage = &scan->stage[0];
	int p = scan->plan->ndense, i, j;
	double *values = palloc(sizeof(double) * DMP_TILE * (p + 1));

	memcpy(stats->pivot, scan->stats.pivot, sizeof(double) * p);
	dmp_moments_merge(moments, &scan->moments, p, NULL);
	stats->rows = scan->stats.rows;
	stats->rows_positive = scan->stats.rows_positive;
	rows->store = &scan->train;
	rows->tile = palloc(sizeof(DmpGlmTile));
	if (stage->n == 0)
		return;
	for (i = 0; i < stage->n; i++)
	{
		values[i * (p + 1)] = stage->label[i];
		for (j = 0; j < p; j++)
			values[i * (p + 1) + 1 + j] = stage->dense[j * DMP_STAGE_STRIDE + i];
		stats->rows_positive += stage->label[i];
	}
	for (j = 0; j < p; j++)
		if (isnan(stats->pivot[j]))
			stats->pivot[j] = values[1 + j];
	lay_tile(&rows->tile[0], values, stage->n, p, stats->pivot);
	dmp_moments_tile(moments, p, &rows->tile[0]);
	rows->ntiles = 1;
	stats->rows += stage->n;
}

/* ---------------------------------------------------------------- result */

/* numbers of the answer; what is NaN becomes NULL */
typedef struct LogitAnswer
{
	int n; /* intercept and features */
	double *coef, *std_err;
	int64 rows, skipped;
	double log_likelihood;
	int iterations;
	DmpFitStatus status;
} LogitAnswer;

Datum
dmp_array_of_numbers(const double *x, int n)
{
	Datum *values = palloc(sizeof(Datum) * n);
	bool *nulls = palloc(sizeof(bool) * n);
	int dims = n, lower = 1, i;

	for (i = 0; i < n; i++)
	{
		values[i] = Float8GetDatum(x[i]);
		nulls[i] = isnan(x[i]);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &dims, &lower, FLOAT8OID,
											  sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
answer_tuple(FunctionCallInfo fcinfo, const LogitAnswer *a)
{
	TupleDesc desc;
	Datum values[9];
	bool nulls[9] = {0};
	int i;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 9)
		elog(ERROR, "dmp.logit_fit is not what it should be");
	desc = BlessTupleDesc(desc);
	nulls[0] = a->coef == NULL;
	nulls[1] = nulls[2] = nulls[3] = a->coef == NULL || a->std_err == NULL;
	if (a->coef)
		values[0] = dmp_array_of_numbers(a->coef, a->n);
	if (a->coef && a->std_err)
	{
		double *z = palloc(sizeof(double) * a->n);

		values[1] = dmp_array_of_numbers(a->std_err, a->n);
		for (i = 0; i < a->n; i++)
			z[i] = a->std_err[i] > 0 ? a->coef[i] / a->std_err[i] : NAN;
		values[2] = dmp_array_of_numbers(z, a->n);
		/* two-sided, from the normal distribution */
		for (i = 0; i < a->n; i++)
			z[i] = erfc(fabs(z[i]) * M_SQRT1_2);
		values[3] = dmp_array_of_numbers(z, a->n);
	}
	values[4] = Int64GetDatum(a->rows);
	values[5] = Int64GetDatum(a->skipped);
	values[6] = Float8GetDatum(a->log_likelihood);
	nulls[6] = isnan(a->log_likelihood);
	values[7] = Int32GetDatum(a->iterations);
	values[8] = PointerGetDatum(cstring_to_text(dmp_fit_status_name(a->status)));
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* theta about the pivots to coefficients of the features as given, and their errors */
static void
answer_from(LogitAnswer *a, const DmpGlmProblem *problem, const double *theta,
			const double *hessian, double weight, const unsigned char *aliased, const double *pivot,
			bool errors)
{
	int n = a->n, i;
	double *cov, *shift, *h;
	unsigned char *skip;
	Size k;

	a->coef = palloc(sizeof(double) * n);
	a->coef[0] = theta[0];
	for (i = 1; i < n; i++)
	{
		a->coef[i] = aliased[i] ? NAN : theta[i];
		a->coef[0] -= theta[i] * pivot[i - 1];
	}
	if (!errors)
		return;
	a->std_err = palloc(sizeof(double) * n);
	cov = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	h = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	shift = palloc(sizeof(double) * 2 * n);
	skip = palloc(n);
	for (k = 0; k < DMP_TRI(n); k++)
		h[k] = hessian[k] * weight;
	for (i = 0; i < n; i++)
		skip[i] = aliased[i] != 0;
	dmp_glm_covariance(problem, h, NULL, weight, skip, cov);
	shift[0] = 1;
	for (i = 1; i < n; i++)
	{
		shift[i] = skip[i] ? 0 : -pivot[i - 1];
		a->std_err[i] = skip[i] ? NAN : sqrt(fmax(cov[DMP_TRI(i) + i], 0));
	}
	dmp_symmetric_multiply(n, cov, shift, shift + n);
	a->std_err[0] = sqrt(fmax(dmp_dot(n, shift, shift + n), 0));
	pfree(cov);
	pfree(h);
}

static void
stats_from_moments(DmpStats *stats, const DmpMoments *m, int p)
{
	int j;

	stats->weight = m->weight;
	stats->weight_positive = m->weight_positive;
	stats->columns = palloc0(sizeof(DmpColumnStats) * (p + 1));
	for (j = 0; j < p; j++)
	{
		DmpColumnStats *c = &stats->columns[j];

		c->weight = m->weight;
		c->weight_positive = m->weight_positive;
		c->mean = m->mean[j];
		c->m2 = m->m2[j];
		c->positive_mean = m->positive_mean[j];
		c->low = m->low[j];
		c->high = m->high[j];
	}
}

/* all rows are here: exact */
static void
solve_rows(LogitAnswer *a, const DmpScanPlan *plan, LogitRows *rows, DmpStats *stats,
		   const DmpMoments *moments)
{
	DmpLayout *layout;
	DmpGlmProblem problem;
	DmpGlmSolution s;
	DmpScanSolution out;
	int n = a->n;

	a->rows = stats->rows;
	if (!dmp_scan_can_fit(plan, stats, &a->status))
		return;
	stats_from_moments(stats, moments, plan->ndense);
	layout = dmp_layout_make(plan, stats);
	if (!dmp_scan_enough_rows(plan, stats, layout))
	{
		a->status = DMP_FIT_TOO_FEW_ROWS;
		return;
	}
	dmp_layout_problem(plan, layout, &problem);
	rows->shape = layout->shape;
	rows->scratch = aligned(dmp_glm_scratch(&layout->shape));
	problem.eval = eval_rows;
	problem.arg = rows;
	problem.max_stride = Max(1, (int) ((stats->rows / DMP_TILE) / Max(128, n / 4)));
	memset(&s, 0, sizeof(s));
	memset(&out, 0, sizeof(out));
	s.theta = palloc0(sizeof(double) * n);
	s.gradient = palloc0(sizeof(double) * n);
	s.hessian = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	s.aliased = palloc0(n);
	s.theta[0] = log(stats->weight_positive / (stats->weight - stats->weight_positive));
	dmp_glm_solve(&problem, &s);
	dmp_solution_take(&out, &s);
	a->status = out.status;
	a->iterations = s.iterations;
	a->log_likelihood = -s.loss * stats->weight;
	answer_from(a, &problem, s.theta, s.hessian, stats->weight, s.aliased, stats->pivot,
				a->status == DMP_FIT_CONVERGED);
}

/* only quadratics are left: their joint minimum */
static void
solve_quadratic(LogitAnswer *a, const char *bytes, Size size)
{
	bytea *plan_bytes;
	DmpScanResult *r = dmp_scan_state_read(bytes, size, &plan_bytes);
	DmpScanPlan *plan = dmp_scan_plan_read(plan_bytes);
	DmpLayout *layout;
	DmpGlmProblem problem;
	double *theta, *g, *h;
	unsigned char *aliased;
	int n = a->n;
	Size k;

	dmp_scan_check_shape(plan, r);
	a->rows = r->stats.rows;
	a->skipped = r->stats.rows_skipped;
	if (!dmp_scan_can_fit(plan, &r->stats, &a->status))
		return;
	if (r->quadratic == NULL || n != r->quadratic->nparams)
		elog(ERROR, "state of dmp.logit has no quadratic");
	layout = dmp_layout_make(plan, &r->stats);
	dmp_layout_problem(plan, layout, &problem);
	theta = palloc0(sizeof(double) * n);
	g = palloc(sizeof(double) * n);
	h = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	aliased = palloc0(n);
	memcpy(aliased, layout->fixed, n);
	dmp_quadratic_solve(plan, layout, r->quadratic, r->stats.weight, 0, theta);
	a->status = DMP_FIT_APPROXIMATE;
	a->log_likelihood = -dmp_quadratic_at(r->quadratic, theta, g, h);
	for (k = 0; k < DMP_TRI(n); k++)
		h[k] /= r->stats.weight;
	answer_from(a, &problem, theta, h, r->stats.weight, aliased, r->stats.pivot, true);
	ereport(NOTICE, errmsg("dmp.logit had more rows than dmp.training_memory holds"),
			errdetail("The coefficients are approximate."),
			errhint("Raise dmp.training_memory, or use dmp.train, which can read its rows again."));
}

Datum
dmp_logit_final(PG_FUNCTION_ARGS)
{
	MemoryContext work, old;
	LogitAnswer a;
	DmpScan *scan;
	DmpLogitFlat *flat;
	DmpScanPlan *plan;
	LogitRows rows;
	DmpStats stats;
	DmpMoments moments;
	Datum result;
	int p;

	if (PG_ARGISNULL(0))
	{
		memset(&a, 0, sizeof(a));
		a.log_likelihood = NAN;
		a.status = DMP_FIT_NO_ROWS;
		PG_RETURN_DATUM(answer_tuple(fcinfo, &a));
	}
	work = AllocSetContextCreate(CurrentMemoryContext, "dmp logit", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	dmp_logit_state(PG_GETARG_DATUM(0), &scan, &flat);
	p = scan ? scan->plan->ndense : flat->p;
	memset(&a, 0, sizeof(a));
	a.n = p + 1;
	a.log_likelihood = NAN;
	a.skipped = scan ? scan->stats.rows_skipped : flat->skipped;
	if (scan == NULL && flat->summed)
		solve_quadratic(&a, (const char *) flat->values,
						DMP_STATE_DATA_SIZE((DmpState *) ((char *) flat - sizeof(DmpState))) -
							sizeof(DmpLogitFlat));
	else if (scan != NULL && (scan->mode != DMP_MODE_PACK || scan->merged))
	{
		(void) dmp_scan_serialize(scan);
		solve_quadratic(&a, scan->flat, scan->flat_size);
	}
	else
	{
		plan = scan ? scan->plan : dmp_scan_plan_read(dmp_logit_plan(p));
		memset(&rows, 0, sizeof(rows));
		memset(&stats, 0, sizeof(stats));
		stats.pivot = palloc0(sizeof(double) * (p + 1));
		dmp_moments_init(&moments, p, palloc(sizeof(double) * (dmp_moments_size(p) + 1)));
		if (scan)
			lay_scan(scan, &rows, &stats, &moments);
		else
			lay_flat(flat, &rows, &stats, &moments);
		solve_rows(&a, plan, &rows, &stats, &moments);
	}
	MemoryContextSwitchTo(old);
	result = answer_tuple(fcinfo, &a);
	MemoryContextDelete(work);
	PG_RETURN_DATUM(result);
}
