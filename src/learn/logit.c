/*-------------------------------------------------------------------------
 * logit.c
 *		dmp.logit(target, VARIADIC features): logistic regression as an
 *		aggregate, without a penalty.
 *
 * One row gives one row: GROUP BY makes a fit a group. Few rows are a flat
 * state, grown by doubling in the per-tuple context (the executor copies it
 * into its own and can spill it), so that 100,000 small groups cost what their
 * rows weigh. Past 64 kB the state becomes the expanded object of the training
 * scan (scan.h). When it is shipped it is flat again and has its rows: a fit by
 * workers is as exact as one without. Past dmp.training_memory rows become
 * quadratics as in dmp.train; an aggregate cannot read its rows again, so the
 * result is their joint minimum and the status is 'approximate'.
 *
 * Rows with a missing or infinite feature, or a missing target, are skipped and
 * counted. The final function leaves the state as it was.
 *-------------------------------------------------------------------------
 */
#include "learn/logit.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_logit_boolean);
PG_FUNCTION_INFO_V1(dmp_logit_float8);
PG_FUNCTION_INFO_V1(dmp_logit_combine);

#define FLAT_LIMIT 65536
#define SHIP_LIMIT ((Size) 900 << 20)

/* ------------------------------------------------------------ flat state */

static DmpLogitFlat *
flat_make(int p, int64 capacity)
{
	DmpState *state = dmp_state_make(
		DMP_STATE_LOGIT, 1, sizeof(DmpLogitFlat) + sizeof(double) * (Size) capacity * (p + 1));
	DmpLogitFlat *flat = (DmpLogitFlat *) DMP_STATE_DATA(state);

	flat->p = p;
	flat->capacity = capacity;
	return flat;
}

static DmpState *
flat_state(DmpLogitFlat *flat)
{
	return (DmpState *) ((char *) flat - sizeof(DmpState));
}

/* bytes that came in: everything that is relied on later */
void
dmp_logit_check(const DmpState *state, const char *data, Size size)
{
	const DmpLogitFlat *flat = (const DmpLogitFlat *) data;
	int64 i;
	int j;

	if (size < sizeof(DmpLogitFlat))
		dmp_state_corrupt(state, "too short");
	if (flat->p < 0 || flat->p > DMP_LOGIT_FEATURES || flat->rows < 0 || flat->skipped < 0 ||
		flat->capacity < flat->rows || flat->summed > 1)
		dmp_state_corrupt(state, "bad header");
	if (flat->summed)
	{
		dmp_scan_state_check((const char *) flat->values, size - sizeof(DmpLogitFlat));
		return;
	}
	if (flat->capacity != (size - sizeof(DmpLogitFlat)) / sizeof(double) / (flat->p + 1) ||
		(size - sizeof(DmpLogitFlat)) % (sizeof(double) * (flat->p + 1)) != 0)
		dmp_state_corrupt(state, "bad size");
	for (i = 0; i < flat->rows; i++)
	{
		const double *row = flat->values + i * (flat->p + 1);

		CHECK_FOR_INTERRUPTS();
		if (row[0] != 0 && row[0] != 1)
			dmp_state_corrupt(state, "bad target");
		for (j = 1; j <= flat->p; j++)
			if (!isfinite(row[j]))
				dmp_state_corrupt(state, "value is not finite");
	}
}

/* -------------------------------------------------------- expanded state */

static Size
expanded_flat_size(ExpandedObjectHeader *eohptr)
{
	DmpScan *scan = (DmpScan *) eohptr;
	int64 rows = scan->train.rows + scan->stage[0].n;
	Size values = sizeof(double) * (Size) rows * (scan->plan->ndense + 1);

	if (scan->mode == DMP_MODE_PACK && !scan->merged && values <= SHIP_LIMIT)
		return sizeof(DmpState) + sizeof(DmpLogitFlat) + values;
	return sizeof(DmpState) + sizeof(DmpLogitFlat) + dmp_scan_serialize(scan);
}

/* rows of a scan, as they were given, into values */
static void
copy_rows(const DmpScan *scan, double *values)
{
	int p = scan->plan->ndense, c, at, i, j;
	const DmpStage *stage = &scan->stage[0];

	for (c = 0; c < scan->train.nchunks; c++)
		for (at = 0; at < scan->train.chunks[c].used; at++)
		{
			DmpGlmTile tile;

			dmp_store_tile(&scan->train, &scan->shape, c, at, &tile);
			for (i = 0; i < tile.n; i++)
			{
				*values++ = tile.label[i];
				for (j = 0; j < p; j++)
					*values++ = tile.dense[(Size) j * DMP_TILE + i] + scan->stats.pivot[j];
			}
		}
	for (i = 0; i < stage->n; i++)
	{
		*values++ = stage->label[i];
		for (j = 0; j < p; j++)
			*values++ = stage->dense[j * DMP_STAGE_STRIDE + i];
	}
}

static void
expanded_flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	DmpScan *scan = (DmpScan *) eohptr;
	DmpState *state = result;
	DmpLogitFlat *flat = (DmpLogitFlat *) DMP_STATE_DATA(state);

	memset(state, 0, sizeof(DmpState) + sizeof(DmpLogitFlat));
	SET_VARSIZE(state, allocated_size);
	state->kind = DMP_STATE_LOGIT;
	state->version = 1;
	state->order = DMP_STATE_ORDER;
	flat->p = scan->plan->ndense;
	flat->skipped = scan->stats.rows_skipped;
	if (scan->mode == DMP_MODE_PACK && !scan->merged && scan->flat == NULL)
	{
		flat->rows = flat->capacity = scan->train.rows + scan->stage[0].n;
		copy_rows(scan, flat->values);
		return;
	}
	flat->summed = 1;
	memcpy(flat->values, scan->flat, scan->flat_size);
}

static const ExpandedObjectMethods logit_methods = {expanded_flat_size, expanded_flatten_into};

static DmpScan *
expanded_of(Datum value)
{
	DmpScan *scan;

	if (!VARATT_IS_EXTERNAL_EXPANDED((struct varlena *) DatumGetPointer(value)))
		return NULL;
	scan = (DmpScan *) DatumGetEOHP(value);
	if (scan->hdr.eoh_methods != &logit_methods)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("aggregate state is not one of dmp.logit"));
	return scan;
}

/* the plan of a fit of p numbers without a penalty */
bytea *
dmp_logit_plan(int p)
{
	DmpScanPlan plan;
	int i;

	memset(&plan, 0, sizeof(plan));
	plan.phase = DMP_SCAN_LEARN;
	plan.nfeatures = plan.ndense = p;
	plan.names = palloc(sizeof(char *) * (p + 1));
	plan.encode = palloc0(p + 1);
	for (i = 0; i < p; i++)
	{
		plan.names[i] = psprintf("feature %d", i + 1);
		plan.encode[i] = DMP_ENCODE_NUMERIC;
	}
	plan.intercept = true;
	plan.min_count = 1;
	plan.tolerance = 1e-9;
	plan.max_iterations = 100;
	plan.memory = (int64) dmp_training_memory * 1024;
	return dmp_scan_plan_write(&plan);
}

static DmpScan *
expand(const DmpLogitFlat *flat, MemoryContext parent)
{
	DmpScan *scan = dmp_scan_new(dmp_logit_plan(flat->p), parent, &logit_methods);
	int64 i;

	scan->stats.rows_skipped = flat->skipped;
	for (i = 0; i < flat->rows; i++)
		dmp_scan_row_doubles(scan, flat->values[i * (flat->p + 1)],
							 flat->values + i * (flat->p + 1) + 1);
	return scan;
}

/* ------------------------------------------------------------ transition */

static void
check_features(int have, int got)
{
	if (have != got)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("rows have %d and %d features", have, got),
				errdetail("Every row of a fit has the same number of features."));
}

const double *
dmp_row_features(FunctionCallInfo fcinfo, const char *function, int limit, int *p)
{
	ArrayType *a;
	const double *x;
	int j;

	*p = -1;
	if (PG_ARGISNULL(2))
		return NULL;
	a = PG_GETARG_ARRAYTYPE_P(2);
	if (ARR_NDIM(a) > 1)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("features must be an array of one dimension"));
	*p = ARR_NDIM(a) == 0 ? 0 : ARR_DIMS(a)[0];
	if (*p > limit)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("%d features are too many", *p),
				errdetail("%s takes at most %d.", function, limit));
	if (array_contains_nulls(a))
		return NULL;
	x = (const double *) ARR_DATA_PTR(a);
	for (j = 0; j < *p; j++)
		if (!isfinite(x[j]))
			return NULL;
	return x;
}

/* room for one more row, by a copy twice the size in the per-tuple context */
static DmpLogitFlat *
flat_grow(DmpLogitFlat *flat)
{
	Size used = sizeof(double) * (Size) flat->rows * (flat->p + 1);
	DmpLogitFlat *bigger = flat_make(flat->p, Max(8, flat->capacity * 2));

	bigger->rows = flat->rows;
	bigger->skipped = flat->skipped;
	memcpy(bigger->values, flat->values, used);
	return bigger;
}

/*
 * Adds a row to the state in argument 0. label 0 or 1, or -1: the target is
 * missing. The number of features is that of the first row that has any.
 */
static Datum
add_row(FunctionCallInfo fcinfo, double label)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	int p;
	const double *x = dmp_row_features(fcinfo, "dmp.logit", DMP_LOGIT_FEATURES, &p);
	DmpScan *scan = PG_ARGISNULL(0) ? NULL : expanded_of(PG_GETARG_DATUM(0));
	DmpLogitFlat *flat;

	if (scan)
	{
		if (p >= 0)
			check_features(scan->plan->ndense, p);
		if (x == NULL || label < 0)
			scan->stats.rows_skipped++;
		else
			dmp_scan_row_doubles(scan, label, x);
		return EOHPGetRWDatum(&scan->hdr);
	}
	if (PG_ARGISNULL(0))
	{
		flat = flat_make(Max(p, 0), 8);
		flat->unknown = p < 0;
	}
	else
		flat = (DmpLogitFlat *) DMP_STATE_DATA(dmp_state_arg(PG_GETARG_DATUM(0), DMP_STATE_LOGIT));
	if (flat->summed)
	{
		/* a state that came back from elsewhere: from here on an expanded one */
		scan = dmp_scan_from_bytes((char *) flat->values,
								   DMP_STATE_DATA_SIZE(flat_state(flat)) - sizeof(DmpLogitFlat),
								   context, &logit_methods);
		if (x == NULL || label < 0)
			scan->stats.rows_skipped++;
		else
			dmp_scan_row_doubles(scan, label, x);
		return EOHPGetRWDatum(&scan->hdr);
	}
	if (p >= 0 && flat->unknown)
	{
		int64 skipped = flat->skipped;

		flat = flat_make(p, 8);
		flat->skipped = skipped;
	}
	if (p >= 0)
		check_features(flat->p, p);
	if (x == NULL || label < 0)
	{
		flat->skipped++;
		return PointerGetDatum(flat_state(flat));
	}
	if (flat->rows == flat->capacity)
	{
		if (sizeof(double) * (Size) flat->rows * (p + 1) * 2 > FLAT_LIMIT)
		{
			scan = expand(flat, context);
			dmp_scan_row_doubles(scan, label, x);
			return EOHPGetRWDatum(&scan->hdr);
		}
		flat = flat_grow(flat);
	}
	flat->values[flat->rows * (p + 1)] = label;
	memcpy(flat->values + flat->rows * (p + 1) + 1, x, sizeof(double) * p);
	flat->rows++;
	return PointerGetDatum(flat_state(flat));
}

Datum
dmp_logit_boolean(PG_FUNCTION_ARGS)
{
	return add_row(fcinfo, PG_ARGISNULL(1) ? -1 : PG_GETARG_BOOL(1));
}

Datum
dmp_logit_float8(PG_FUNCTION_ARGS)
{
	double y = PG_ARGISNULL(1) ? -1 : PG_GETARG_FLOAT8(1);

	if (!PG_ARGISNULL(1) && y != 0 && y != 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("target must be 0 or 1, got %g", y));
	return add_row(fcinfo, y);
}

/* --------------------------------------------------------------- combine */

/* adds the flat state from to scan */
static void
absorb(DmpScan *scan, const DmpState *from)
{
	const DmpLogitFlat *flat = (const DmpLogitFlat *) DMP_STATE_DATA(from);
	int64 i;

	if (flat->summed)
	{
		check_features(scan->plan->ndense, flat->p);
		dmp_scan_merge_bytes(scan, (const char *) flat->values,
							 DMP_STATE_DATA_SIZE(from) - sizeof(DmpLogitFlat));
		return;
	}
	scan->stats.rows_skipped += flat->skipped;
	if (flat->rows > 0)
		check_features(scan->plan->ndense, flat->p);
	for (i = 0; i < flat->rows; i++)
		dmp_scan_row_doubles(scan, flat->values[i * (flat->p + 1)],
							 flat->values + i * (flat->p + 1) + 1);
}

Datum
dmp_logit_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	DmpScan *scan;
	DmpState *a, *b;
	DmpLogitFlat *fa, *fb;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	b = dmp_state_arg(PG_GETARG_DATUM(1), DMP_STATE_LOGIT);
	fb = (DmpLogitFlat *) DMP_STATE_DATA(b);
	if (PG_ARGISNULL(0))
	{
		if (fb->summed || VARSIZE(b) <= FLAT_LIMIT)
			PG_RETURN_POINTER(b);
		/* many rows are not to be copied twice */
		scan = dmp_scan_new(dmp_logit_plan(fb->p), context, &logit_methods);
		scan->budget = scan->plan->memory;
		absorb(scan, b);
		PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
	}
	scan = expanded_of(PG_GETARG_DATUM(0));
	if (scan && MemoryContextGetParent(scan->hdr.eoh_context) == context)
	{
		absorb(scan, b);
		PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
	}
	a = dmp_state_arg(PG_GETARG_DATUM(0), DMP_STATE_LOGIT);
	fa = (DmpLogitFlat *) DMP_STATE_DATA(a);
	if (!fa->summed && !fb->summed && (fa->rows == 0 || fb->rows == 0))
	{
		/* one of them has skipped rows only */
		DmpLogitFlat *keep = fa->rows > 0 || fb->unknown ? fa : fb, *drop = keep == fa ? fb : fa;
		DmpState *copy = palloc(VARSIZE(flat_state(keep)));

		memcpy(copy, flat_state(keep), VARSIZE(flat_state(keep)));
		((DmpLogitFlat *) DMP_STATE_DATA(copy))->skipped += drop->skipped;
		PG_RETURN_POINTER(copy);
	}
	if (!fa->summed && !fb->summed &&
		sizeof(double) * (Size) (fa->rows + fb->rows) * (fa->p + 1) <= FLAT_LIMIT)
	{
		DmpLogitFlat *both;

		check_features(fa->p, fb->p);
		both = flat_make(fa->p, fa->rows + fb->rows);
		both->rows = fa->rows + fb->rows;
		both->skipped = fa->skipped + fb->skipped;
		memcpy(both->values, fa->values, sizeof(double) * fa->rows * (fa->p + 1));
		memcpy(both->values + fa->rows * (fa->p + 1), fb->values,
			   sizeof(double) * fb->rows * (fa->p + 1));
		PG_RETURN_POINTER(flat_state(both));
	}
	scan = dmp_scan_new(dmp_logit_plan(fa->summed || fa->rows > 0 ? fa->p : fb->p), context,
						&logit_methods);
	/* what the processes had room for together, one now holds */
	scan->budget = scan->plan->memory;
	absorb(scan, a);
	absorb(scan, b);
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

/* the state of dmp.logit as the final function sees it */
void
dmp_logit_state(Datum value, DmpScan **scan, DmpLogitFlat **flat)
{
	*scan = expanded_of(value);
	*flat = *scan ? NULL : (DmpLogitFlat *) DMP_STATE_DATA(dmp_state_arg(value, DMP_STATE_LOGIT));
}
