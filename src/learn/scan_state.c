/*-------------------------------------------------------------------------
 * scan_state.c
 *		The training scan as an aggregate: dmp_internal.train_scan.
 *
 * While rows come in, the state is a read-write expanded object in the
 * aggregate's context. Flattening it, which happens when a worker ships it,
 * first turns the rows it holds into a quadratic: what travels is a few
 * numbers for each pair of columns and never a row. A state that is merged
 * with another is flattened in the same sense. Only a state that was never
 * merged can still have its rows in the final function, and then the fit is
 * finished from them.
 *
 * The final function uses the state up (FINALFUNC_MODIFY = READ_WRITE).
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"
#include "learn/logit.h"
#include "learn/scan_row.h"

#include <math.h>

#include "access/xact.h"
#include "optimizer/cost.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_train_scan_any);
PG_FUNCTION_INFO_V1(dmp_train_scan_arrays);
PG_FUNCTION_INFO_V1(dmp_train_scan_combine);
PG_FUNCTION_INFO_V1(dmp_train_scan_final);

#define SCAN_MAGIC 0x64736e31
#define SCAN_VERSION 1

/* ------------------------------------------------------- expanded object */

static void write_state(DmpScan *scan, DmpBytes *b, DmpScanSolution *solution);

/* the state as bytes, in scan->flat; its size. Rows become a quadratic first. */
Size
dmp_scan_serialize(DmpScan *scan)
{
	if (scan->flat == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
		DmpBytes b = {0};

		dmp_scan_settle(scan);
		write_state(scan, &b, NULL);
		scan->flat = b.data;
		scan->flat_size = b.used;
		MemoryContextSwitchTo(old);
	}
	return scan->flat_size;
}

static Size
scan_flat_size(ExpandedObjectHeader *eohptr)
{
	return sizeof(DmpState) + dmp_scan_serialize((DmpScan *) eohptr);
}

static void
scan_flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	DmpScan *scan = (DmpScan *) eohptr;
	DmpState *state = result;

	memset(state, 0, sizeof(DmpState));
	SET_VARSIZE(state, allocated_size);
	state->kind = DMP_STATE_TRAIN;
	state->version = SCAN_VERSION;
	state->order = DMP_STATE_ORDER;
	memcpy(DMP_STATE_DATA(state), scan->flat, scan->flat_size);
}

static const ExpandedObjectMethods scan_methods = {scan_flat_size, scan_flatten_into};

/* an empty state for a plan, as an expanded object below parent */
DmpScan *
dmp_scan_new(const bytea *plan_bytes, MemoryContext parent, const ExpandedObjectMethods *methods)
{
	MemoryContext context = AllocSetContextCreate(parent, "dmp train scan", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	DmpScan *scan = palloc0(sizeof(DmpScan));
	DmpScanPlan *plan;
	int nd, nt, i;

	EOH_init_header(&scan->hdr, methods, context);
	scan->magic = SCAN_MAGIC;
	scan->plan_bytes = palloc(VARSIZE_ANY(plan_bytes));
	memcpy(scan->plan_bytes, plan_bytes, VARSIZE_ANY(plan_bytes));
	plan = scan->plan = dmp_scan_plan_read(plan_bytes);
	nd = plan->ndense;
	nt = plan->ntexts;
	if (plan->phase == DMP_SCAN_LEARN)
		scan->shape = (DmpGlmShape){nd, 0, 1 + nd, plan->family};
	else
		scan->shape = plan->layout.shape;
	scan->stored_codes = plan->phase == DMP_SCAN_LEARN ? nt : scan->shape.ncoded;
	/* workers and the leader share the memory; each counts on all that may come */
	scan->budget = plan->memory;
	if (IsInParallelMode())
		scan->budget /= max_parallel_workers_per_gather + 1;
	scan->stage = palloc0(sizeof(DmpStage) * (2 + plan->nfolds));
	scan->folds = palloc0(sizeof(DmpStore) * (plan->nfolds + 1));
	scan->keep = 1;
	scan->seen = palloc0(sizeof(int64) * (2 + plan->nfolds));
	for (i = 0; i < 2 + plan->nfolds; i++)
	{
		scan->stage[i].dense = palloc(sizeof(double) * DMP_STAGE_STRIDE * (nd + 1));
		scan->stage[i].codes = palloc(sizeof(int32) * DMP_TILE * (nt + 1));
	}
	scan->tile = (double *) TYPEALIGN(64, palloc0(sizeof(double) * DMP_TILE * (nd + 1) + 64));
	scan->tile_target = (double *) TYPEALIGN(64, palloc0(sizeof(double) * DMP_TILE + 64));
	scan->tile_missing = palloc0(sizeof(bool) * (nd + 1));
	scan->tile_codes = palloc(sizeof(int32) * DMP_TILE * (scan->shape.ncoded + nt + 1));
	/* a plan may speak of coded columns that nothing fills */
	memset(scan->tile_codes, -1, sizeof(int32) * DMP_TILE * (scan->shape.ncoded + nt + 1));
	scan->margins = palloc(sizeof(double) * DMP_TILE);
	scan->scratch = (void *) TYPEALIGN(64, palloc(dmp_glm_scratch(&scan->shape) + 64));
	scan->has_missing = palloc0(sizeof(bool) * (nd + 1));
	dmp_moments_init(&scan->moments, nd, palloc(sizeof(double) * (dmp_moments_size(nd) + 1)));
	scan->stats.pivot = palloc(sizeof(double) * (nd + 1));
	scan->stats.columns = palloc0(sizeof(DmpColumnStats) * (nd + 1));
	scan->stats.texts = palloc0(sizeof(DmpDictionary) * (nt + 1));
	for (i = 0; i < nt; i++)
		dmp_dictionary_init(&scan->stats.texts[i]);
	for (i = 0; i < nd; i++)
		scan->stats.pivot[i] = NAN;
	scan->stats.target_pivot = plan->family == DMP_GAUSSIAN ? NAN : 0;
	if (plan->phase != DMP_SCAN_LEARN)
	{
		scan->stats.target_pivot = plan->stats.target_pivot;
		memcpy(scan->stats.pivot, plan->stats.pivot, sizeof(double) * nd);
		scan->have_pivot = true;
	}
	if (plan->phase == DMP_SCAN_GRADIENT)
	{
		scan->mode = DMP_MODE_STREAM;
		scan->sums.gradient = palloc(sizeof(double) * scan->shape.nparams);
		scan->sums.hessian =
			MemoryContextAllocHuge(context, sizeof(double) * DMP_TRI(scan->shape.nparams));
		dmp_glm_sums_clear(&scan->shape, &scan->sums);
	}
	if (plan->phase == DMP_SCAN_PATH)
	{
		Size size = sizeof(double) * dmp_scan_points_size(plan);

		scan->mode = DMP_MODE_STREAM;
		scan->points = MemoryContextAllocHuge(context, size);
		memset(scan->points, 0, size);
	}
	else if (plan->phase >= DMP_SCAN_GRADIENT && plan->family == DMP_BINOMIAL)
		scan->histogram = palloc0(sizeof(double) * 4 * DMP_HISTOGRAM_BINS);
	MemoryContextSwitchTo(old);
	return scan;
}

static void
write_state(DmpScan *scan, DmpBytes *b, DmpScanSolution *solution)
{
	DmpScanResult r;

	memset(&r, 0, sizeof(r));
	r.stats = scan->stats;
	r.quadratic = scan->quadratic;
	r.statistics_only = scan->statistics_only;
	r.solution = solution;
	if (scan->plan->phase == DMP_SCAN_GRADIENT)
		r.sums = &scan->sums;
	r.sums_weight = scan->sums_weight;
	r.histogram = scan->histogram;
	r.points = scan->points;
	r.npoints = scan->points ? dmp_scan_points_size(scan->plan) : 0;
	memcpy(r.errors, scan->errors, sizeof(r.errors));
	r.test_loss = scan->test_loss;
	r.test_weight = scan->test_weight;
	r.memory = scan->peak;
	dmp_put_text(b, (char *) VARDATA_ANY(scan->plan_bytes), VARSIZE_ANY_EXHDR(scan->plan_bytes));
	dmp_scan_result_write(b, scan->plan, &r);
}

/* the result after the plan in the data of a flat state */
DmpScanResult *
dmp_scan_state_read(const char *data, Size size, bytea **plan_bytes)
{
	DmpBytes b = {(char *) data, 0, size};
	DmpScanResult *r;
	Size n;
	char *plan = dmp_get_text(&b, &n);

	if (plan_bytes)
	{
		*plan_bytes = palloc(VARHDRSZ + n);
		SET_VARSIZE(*plan_bytes, VARHDRSZ + n);
		memcpy(VARDATA(*plan_bytes), plan, n);
	}
	r = dmp_scan_result_read(&b);
	if (b.used != b.size)
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid state of a training scan"));
	return r;
}

/* bytes from outside: plan and result must be readable and of one shape */
void
dmp_scan_state_check(const char *data, Size size)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp state check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	bytea *plan_bytes;
	DmpScanResult *r = dmp_scan_state_read(data, size, &plan_bytes);
	DmpScanPlan *plan = dmp_scan_plan_read(plan_bytes);

	dmp_scan_check_shape(plan, r);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
check_state(const DmpState *state, const char *data, Size size)
{
	dmp_scan_state_check(data, size);
}

void
dmp_scan_check_shape(const DmpScanPlan *plan, const DmpScanResult *r)
{
	int n = plan->phase == DMP_SCAN_LEARN ? 1 + plan->ndense : plan->layout.shape.nparams;

	if (r->ndense != plan->ndense || r->ntexts != plan->ntexts ||
		(r->quadratic && r->quadratic->nparams != n) ||
		(plan->phase == DMP_SCAN_GRADIENT) != (r->sums != NULL) || (r->sums && r->nparams != n) ||
		((plan->phase == DMP_SCAN_GRADIENT || plan->phase == DMP_SCAN_EVALUATE) &&
		 plan->family == DMP_BINOMIAL) != (r->histogram != NULL) ||
		(plan->phase == DMP_SCAN_PATH) != (r->points != NULL) ||
		(r->points && r->npoints != dmp_scan_points_size(plan)))
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid state of a training scan"));
}

void
dmp_scan_init(void)
{
	dmp_state_register(DMP_STATE_TRAIN, SCAN_VERSION, check_state);
	dmp_state_register(DMP_STATE_LOGIT, 1, dmp_logit_check);
	dmp_linear_init();
}

/* adds what another process found */
static void
merge_result(DmpScan *scan, const DmpScanResult *r)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	int nd = scan->plan->ndense, i;
	double *shift = palloc0(sizeof(double) * (nd + 1)), lift;

	dmp_scan_check_shape(scan->plan, r);
	lift = dmp_stats_merge(scan->plan, &scan->stats, &r->stats, shift);
	scan->have_pivot |= r->stats.rows > 0;
	scan->peak += r->memory;
	if (r->statistics_only && !scan->statistics_only)
		dmp_scan_count_only(scan);
	if (r->quadratic && !scan->statistics_only)
	{
		dmp_quadratic_shift(r->quadratic, nd, shift);
		dmp_quadratic_lift(r->quadratic, lift);
		if (scan->quadratic)
			dmp_quadratic_join(scan->quadratic, r->quadratic);
		else
			scan->quadratic = r->quadratic;
	}
	if (r->sums)
	{
		scan->sums.loss += r->sums->loss;
		for (i = 0; i < r->nparams; i++)
			scan->sums.gradient[i] += r->sums->gradient[i];
		dmp_axpy(DMP_TRI(r->nparams), 1, r->sums->hessian, scan->sums.hessian);
		scan->sums.direction_low = Min(scan->sums.direction_low, r->sums->direction_low);
		scan->sums.direction_high = Max(scan->sums.direction_high, r->sums->direction_high);
	}
	scan->sums_weight += r->sums_weight;
	if (r->histogram)
		dmp_axpy(4 * DMP_HISTOGRAM_BINS, 1, r->histogram, scan->histogram);
	if (r->points)
		dmp_axpy(r->npoints, 1, r->points, scan->points);
	for (i = 0; i < 2; i++)
		dmp_errors_merge(&scan->errors[i], &r->errors[i]);
	scan->test_loss += r->test_loss;
	scan->test_weight += r->test_weight;
	/* the moments are in stats now */
	for (i = 0; i < nd; i++)
		scan->has_missing[i] = true;
	scan->merged = true;
	if (scan->flat)
	{
		pfree(scan->flat);
		scan->flat = NULL;
	}
	MemoryContextSwitchTo(old);
}

/* the expanded object behind an argument, or NULL when it is flat */
static DmpScan *
scan_expanded(Datum value)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	DmpScan *scan;

	if (!VARATT_IS_EXTERNAL_EXPANDED(v))
		return NULL;
	scan = (DmpScan *) DatumGetEOHP(value);
	if (scan->hdr.eoh_methods != &scan_methods || scan->magic != SCAN_MAGIC)
		elog(ERROR, "aggregate state is not one of a training scan");
	return scan;
}

/* adds the state in these bytes to scan */
void
dmp_scan_merge_bytes(DmpScan *scan, const char *data, Size size)
{
	MemoryContext old;
	DmpScanResult *r;

	if (!scan->merged)
		dmp_scan_settle(scan);
	old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	r = dmp_scan_state_read(data, size, NULL);
	MemoryContextSwitchTo(old);
	merge_result(scan, r);
}

/* an expanded object of our own from flat bytes */
DmpScan *
dmp_scan_from_bytes(const char *data, Size size, MemoryContext parent,
					const ExpandedObjectMethods *methods)
{
	bytea *plan_bytes;
	DmpScan *scan;

	(void) dmp_scan_state_read(data, size, &plan_bytes);
	scan = dmp_scan_new(plan_bytes, parent, methods);
	dmp_scan_merge_bytes(scan, data, size);
	return scan;
}

static DmpScan *
scan_from_flat(Datum value, MemoryContext parent)
{
	DmpState *state = dmp_state_arg(value, DMP_STATE_TRAIN);

	return dmp_scan_from_bytes(DMP_STATE_DATA(state), DMP_STATE_DATA_SIZE(state), parent,
							   &scan_methods);
}

/* --------------------------------------------------------- SQL functions */

/* the state to add a row to */
static DmpScan *
transition_state(FunctionCallInfo fcinfo)
{
	DmpScan *scan;

	if (!PG_ARGISNULL(0))
	{
		scan = scan_expanded(PG_GETARG_DATUM(0));
		if (scan == NULL)
			scan = scan_from_flat(PG_GETARG_DATUM(0), dmp_aggregate_context(fcinfo));
	}
	else
	{
		if (PG_ARGISNULL(1))
			ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("the plan of a training scan is null"));
		scan = dmp_scan_new(PG_GETARG_BYTEA_PP(1), dmp_aggregate_context(fcinfo), &scan_methods);
	}
	if (scan->flat)
	{
		pfree(scan->flat);
		scan->flat = NULL;
	}
	return scan;
}

Datum
dmp_train_scan_any(PG_FUNCTION_ARGS)
{
	DmpScan *scan = transition_state(fcinfo);

	if (scan->reader == NULL)
		dmp_scan_read_types(scan, fcinfo, 6);
	dmp_scan_row_any(scan, fcinfo, 6);
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

Datum
dmp_train_scan_arrays(PG_FUNCTION_ARGS)
{
	DmpScan *scan = transition_state(fcinfo);

	dmp_scan_row_arrays(scan, fcinfo);
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

/* what another state has found, its rows made a quadratic first */
static DmpScanResult *
result_of(Datum value)
{
	DmpScan *scan = scan_expanded(value);
	DmpState *state;

	if (scan)
	{
		(void) scan_flat_size(&scan->hdr);
		return dmp_scan_state_read(scan->flat, scan->flat_size, NULL);
	}
	state = dmp_state_arg(value, DMP_STATE_TRAIN);
	return dmp_scan_state_read(DMP_STATE_DATA(state), DMP_STATE_DATA_SIZE(state), NULL);
}

Datum
dmp_train_scan_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	DmpScan *scan = NULL;
	MemoryContext old;
	DmpScanResult *r;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(0))
		scan = scan_expanded(PG_GETARG_DATUM(0));
	if (scan == NULL || MemoryContextGetParent(scan->hdr.eoh_context) != context)
	{
		/* not ours to change: a new one, with what this one has found */
		Datum first = PG_ARGISNULL(0) ? PG_GETARG_DATUM(1) : PG_GETARG_DATUM(0);
		DmpScan *other = scan_expanded(first);

		if (other)
		{
			scan = dmp_scan_new(other->plan_bytes, context, &scan_methods);
			old = MemoryContextSwitchTo(scan->hdr.eoh_context);
			r = result_of(first);
			MemoryContextSwitchTo(old);
			merge_result(scan, r);
		}
		else
			scan = scan_from_flat(first, context);
		if (PG_ARGISNULL(0))
			PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
	}
	if (!PG_ARGISNULL(1))
	{
		if (!scan->merged)
			dmp_scan_settle(scan);
		old = MemoryContextSwitchTo(scan->hdr.eoh_context);
		r = result_of(PG_GETARG_DATUM(1));
		MemoryContextSwitchTo(old);
		merge_result(scan, r);
	}
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

/* no row comes any more: the fit, when all of them are here, and everything that was found */
static void
end_scan(DmpScan *scan, DmpBytes *b)
{
	DmpScanSolution *solution = NULL;
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	int i;

	if (!scan->merged && scan->mode == DMP_MODE_PACK && scan->plan->phase <= DMP_SCAN_BLOCKS)
	{
		for (i = 0; i < 2 + scan->plan->nfolds; i++)
			dmp_scan_flush(scan, i, true);
	}
	/* the last tile may have been the one too many */
	if (!scan->merged && scan->mode == DMP_MODE_PACK && scan->plan->phase <= DMP_SCAN_BLOCKS)
		solution = scan->plan->nlambdas > 0 ? dmp_scan_path(scan) : dmp_scan_solve(scan);
	else
		dmp_scan_settle(scan);
	if (scan->plan->phase == DMP_SCAN_LEARN && !scan->merged)
		dmp_scan_stats_sync(scan);
	write_state(scan, b, solution);
	MemoryContextSwitchTo(old);
}

DmpScanResult *
dmp_scan_of_rows(const bytea *plan_bytes, void (*feed)(DmpScan *scan, void *arg), void *arg)
{
	DmpScan *scan = dmp_scan_new(plan_bytes, CurrentMemoryContext, &scan_methods);
	DmpBytes b = {0};
	DmpScanResult *r;

	feed(scan, arg);
	end_scan(scan, &b);
	r = dmp_scan_state_read(b.data, b.used, NULL);
	MemoryContextDelete(scan->hdr.eoh_context);
	return r;
}

/* a flat state with everything that was found; NULL without a row */
Datum
dmp_train_scan_final(PG_FUNCTION_ARGS)
{
	DmpScan *scan;
	DmpState *state;
	DmpBytes b = {0};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	scan = scan_expanded(PG_GETARG_DATUM(0));
	if (scan == NULL)
		scan = scan_from_flat(PG_GETARG_DATUM(0), dmp_aggregate_context(fcinfo));
	end_scan(scan, &b);
	state = dmp_state_make(DMP_STATE_TRAIN, SCAN_VERSION, b.used);
	memcpy(DMP_STATE_DATA(state), b.data, b.used);
	PG_RETURN_POINTER(state);
}
