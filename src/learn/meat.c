/*-------------------------------------------------------------------------
 * meat.c
 *		What rows add to the gradient, summed by cluster and squared: the middle
 *		of the sandwich that robust errors are made of.
 *
 *		row --row_score--> u (a number a parameter)
 *		rows of a cluster --score_sum--> sum of u
 *		clusters --meat--> sum of u u', packed
 *
 * One scan, after the fit and under its snapshot. Without a cluster each row is
 * its own. A row is read here as the training scan reads it: the same rows are
 * skipped, missing values and rare levels become the same parameters.
 *
 * States are arrays of float8 and of fixed size, so that a query of many
 * clusters holds a few numbers for each.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"
#include "learn/inference.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_row_score);
PG_FUNCTION_INFO_V1(dmp_score_add);
PG_FUNCTION_INFO_V1(dmp_meat_add);
PG_FUNCTION_INFO_V1(dmp_meat_combine);

/* arguments behind the plan */
enum
{
	SCORE_TARGET = 1,
	SCORE_WEIGHT,
	SCORE_SPLIT,
	SCORE_OFFSET,
	SCORE_NUMBERS,
	SCORE_TEXTS
};

/* a plan as it was read last; calls with the same bytes find it again */
typedef struct ScorePlan
{
	MemoryContext context;
	bytea *bytes;
	DmpScanPlan *plan;
	double *score; /* nparams */
	int *on;       /* parameters of levels and flags that are on in this row */
} ScorePlan;

static ScorePlan *
score_plan(FunctionCallInfo fcinfo, int first)
{
	ScorePlan *kept = fcinfo->flinfo->fn_extra;
	bytea *bytes = PG_GETARG_BYTEA_P(first);
	MemoryContext old;

	if (kept && VARSIZE(kept->bytes) == VARSIZE(bytes) &&
		memcmp(kept->bytes, bytes, VARSIZE(bytes)) == 0)
		return kept;
	if (kept == NULL)
	{
		kept = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ScorePlan));
		kept->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "dmp score plan",
											  ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = kept;
	}
	kept->bytes = NULL;
	MemoryContextReset(kept->context);
	old = MemoryContextSwitchTo(kept->context);
	kept->plan = dmp_scan_plan_read(bytes);
	if (kept->plan->phase != DMP_SCAN_GRADIENT)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the plan of a training scan has no coefficients"));
	kept->score = palloc(sizeof(double) * kept->plan->layout.shape.nparams);
	kept->on = palloc(sizeof(int) * (kept->plan->nfeatures + kept->plan->ndense + 1));
	kept->bytes = palloc(VARSIZE(bytes));
	memcpy(kept->bytes, bytes, VARSIZE(bytes));
	MemoryContextSwitchTo(old);
	return kept;
}

/* target, weight, split and offset, as admit() of scan_row.c has them; false: the row is not trained on */
static bool
admit(const DmpScanPlan *plan, FunctionCallInfo fcinfo, int first, double *y, double *w,
	  double *offset)
{
	*w = 1;
	*offset = 0;
	if (PG_ARGISNULL(first + SCORE_TARGET))
		return false;
	*y = PG_GETARG_FLOAT8(first + SCORE_TARGET);
	if (plan->family != DMP_BINOMIAL && !isfinite(*y))
		return false;
	if (plan->family == DMP_BINOMIAL && *y != 0 && *y != 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("target must be 0 or 1, got %g", *y));
	if (plan->has_offset)
	{
		*offset = PG_ARGISNULL(first + SCORE_OFFSET) ? NAN : PG_GETARG_FLOAT8(first + SCORE_OFFSET);
		if (!isfinite(*offset))
			return false;
	}
	if (plan->has_weight)
	{
		*w = PG_ARGISNULL(first + SCORE_WEIGHT) ? NAN : PG_GETARG_FLOAT8(first + SCORE_WEIGHT);
		if (!(*w >= 0) || isinf(*w))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("weight must be a number of 0 or more"));
		if (*w == 0)
			return false;
	}
	return !(plan->test_fraction > 0 && !PG_ARGISNULL(first + SCORE_SPLIT) &&
			 PG_GETARG_FLOAT8(first + SCORE_SPLIT) < (plan->nfolds > 0 ? 0 : plan->test_fraction));
}

/* the dense columns into score, margin and flags added to; false: an infinity, the row is skipped */
static bool
read_numbers(ScorePlan *p, FunctionCallInfo fcinfo, int arg, double *margin, int *non)
{
	const DmpScanPlan *plan = p->plan;
	const DmpLayout *l = &plan->layout;
	ArrayType *a;
	const double *x;
	const bits8 *present;
	int j;

	if (plan->ndense == 0)
		return true;
	a = PG_ARGISNULL(arg) ? NULL : PG_GETARG_ARRAYTYPE_P(arg);
	if (a == NULL || ARR_NDIM(a) != 1 || ARR_DIMS(a)[0] != plan->ndense)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("numbers must be an array of %d", plan->ndense));
	x = (const double *) ARR_DATA_PTR(a);
	present = ARR_NULLBITMAP(a);
	for (j = 0; j < plan->ndense; j++)
	{
		double value = present && !(present[j / 8] & (1 << (j % 8))) ? NAN : *x++;

		if (isinf(value))
			return false;
		if (isnan(value))
		{
			value = l->fill[j];
			if (l->flag_param[j] >= 0)
				p->on[(*non)++] = l->flag_param[j];
		}
		else
			value -= plan->stats.pivot[j];
		p->score[1 + j] = value;
		*margin += plan->theta[1 + j] * value;
	}
	return true;
}

static void
read_texts(ScorePlan *p, FunctionCallInfo fcinfo, int arg, int *non)
{
	DmpScanPlan *plan = p->plan;
	ArrayType *a;
	Datum *values;
	bool *nulls;
	int count, k;

	if (plan->ntexts == 0)
		return;
	a = PG_ARGISNULL(arg) ? NULL : PG_GETARG_ARRAYTYPE_P(arg);
	if (a == NULL || ARR_NDIM(a) != 1 || ARR_DIMS(a)[0] != plan->ntexts)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("texts must be an array of %d", plan->ntexts));
	deconstruct_array(a, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (k = 0; k < count; k++)
	{
		const DmpTextMap *map = &plan->layout.texts[k];
		int param = map->missing_param;

		if (!nulls[k])
		{
			text *t = DatumGetTextPP(values[k]);
			int code = dmp_dictionary_code(&plan->stats.texts[k], VARDATA_ANY(t),
										   VARSIZE_ANY_EXHDR(t), false);

			param = code < 0 ? -1 : map->param[code];
		}
		if (param >= 0)
			p->on[(*non)++] = param;
	}
	pfree(values);
	pfree(nulls);
}

/*
 * What the row whose plan is argument first adds to the gradient of the loss;
 * NULL when it is not trained on. Lives until the next call.
 */
static const double *
row_score(ScorePlan *p, FunctionCallInfo fcinfo, int first)
{
	const DmpScanPlan *plan = p->plan;
	double margin = plan->theta[0], y, w, u = 0, offset;
	int n = plan->layout.shape.nparams, non = 0, i;

	if (!admit(plan, fcinfo, first, &y, &w, &offset) ||
		!read_numbers(p, fcinfo, first + SCORE_NUMBERS, &margin, &non))
		return NULL;
	read_texts(p, fcinfo, first + SCORE_TEXTS, &non);
	for (i = 0; i < non; i++)
		margin += plan->theta[p->on[i]];
	switch (plan->family)
	{
		case DMP_BINOMIAL:
			u = w * (dmp_model_probability(margin + offset) - y);
			break;
		case DMP_GAUSSIAN:
			u = w * (margin + plan->stats.target_pivot - (y - offset));
			break;
		case DMP_POISSON:
			u = w * (exp(fmin(margin + offset, 700)) - y);
			break;
	}
	p->score[0] = u;
	for (i = 1; i <= plan->ndense; i++)
		p->score[i] *= u;
	for (; i < n; i++)
		p->score[i] = 0;
	for (i = 0; i < non; i++)
		p->score[p->on[i]] += u;
	return p->score;
}

/* ------------------------------------------------------- arrays as states */

static ArrayType *
numbers_make(int n)
{
	Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * (Size) n;
	ArrayType *a = palloc0(size);

	SET_VARSIZE(a, size);
	a->ndim = 1;
	a->elemtype = FLOAT8OID;
	ARR_DIMS(a)[0] = n;
	ARR_LBOUND(a)[0] = 1;
	return a;
}

static double *
numbers_of(ArrayType *a, int *n)
{
	if (ARR_NDIM(a) != 1 || ARR_HASNULL(a) || ARR_ELEMTYPE(a) != FLOAT8OID)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("an array of numbers is expected"));
	*n = ARR_DIMS(a)[0];
	return (double *) ARR_DATA_PTR(a);
}

/* argument 0 as a state that may be written to, or NULL */
static ArrayType *
state_arg(FunctionCallInfo fcinfo, MemoryContext *context)
{
	if (!AggCheckCallContext(fcinfo, context))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("aggregate function called in non-aggregate context"));
	return PG_ARGISNULL(0) ? NULL : PG_GETARG_ARRAYTYPE_P(0);
}

static ArrayType *
numbers_make_in(MemoryContext context, int n)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ArrayType *a = numbers_make(n);

	MemoryContextSwitchTo(old);
	return a;
}

static void
check_lengths(int a, int b)
{
	if (a != b)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("arrays of %d and %d numbers do not go together", a, b));
}

/* dmp_internal.row_score(plan, target, weight, split, base_margin, numbers, texts) -> float8[] */
Datum
dmp_row_score(PG_FUNCTION_ARGS)
{
	ScorePlan *p;
	const double *u;
	ArrayType *out;
	int n;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	p = score_plan(fcinfo, 0);
	u = row_score(p, fcinfo, 0);
	if (u == NULL)
		PG_RETURN_NULL();
	n = p->plan->layout.shape.nparams;
	out = numbers_make(n);
	memcpy(ARR_DATA_PTR(out), u, sizeof(double) * n);
	PG_RETURN_POINTER(out);
}

/* transition of dmp_internal.score_sum: (state, plan, target, weight, split, base_margin, numbers,
 * texts) */
Datum
dmp_score_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	ArrayType *state = state_arg(fcinfo, &context);
	const double *u = NULL;
	int n, have;

	if (!PG_ARGISNULL(1))
	{
		ScorePlan *p = score_plan(fcinfo, 1);

		n = p->plan->layout.shape.nparams;
		u = row_score(p, fcinfo, 1);
	}
	if (u == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = numbers_make_in(context, n);
	dmp_axpy(n, 1, u, numbers_of(state, &have));
	check_lengths(n, have);
	PG_RETURN_POINTER(state);
}

/* transition of dmp_internal.meat: (state, sum of a cluster); the last number counts clusters */
Datum
dmp_meat_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	ArrayType *state = state_arg(fcinfo, &context);
	double *to;
	const double *u;
	int n, have, i;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	u = numbers_of(PG_GETARG_ARRAYTYPE_P(1), &n);
	if (n > 8000)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("robust errors of %d columns take too much memory", n));
	if (state == NULL)
		state = numbers_make_in(context, DMP_TRI(n) + 1);
	to = numbers_of(state, &have);
	check_lengths(DMP_TRI(n) + 1, have);
	for (i = 0; i < n; i++)
		if (u[i] != 0)
			dmp_axpy(i + 1, u[i], u, to + DMP_TRI(i));
	to[have - 1] += 1;
	PG_RETURN_POINTER(state);
}

/* combine of both: arrays of one length add */
Datum
dmp_meat_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	ArrayType *state = state_arg(fcinfo, &context);
	const double *from;
	double *to;
	int n, have;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	from = numbers_of(PG_GETARG_ARRAYTYPE_P(1), &n);
	if (state == NULL)
		state = numbers_make_in(context, n);
	to = numbers_of(state, &have);
	check_lengths(n, have);
	dmp_axpy(n, 1, from, to);
	PG_RETURN_POINTER(state);
}

/* ------------------------------------------------------------------ scan */

/*
 * Features of one kind as an array: "ARRAY[f1::float8, f4::float8]"; NULL when
 * there is none. What came as an array of numbers stays one: " || a5".
 */
static void
append_elements(StringInfo sql, const DmpFitSpec *spec, bool texts)
{
	bool any = false;
	bool open = false;
	int i;

	for (i = 0; i < spec->nfeatures; i++)
	{
		const DmpFeature *feature = &spec->features[i];
		bool is_text = feature->encode == DMP_ENCODE_ONE_HOT;

		if (is_text != texts)
			continue;
		if (dmp_feature_elements(feature) > 0)
		{
			appendStringInfo(sql, "%s%sq.a%d", open ? "]" : "",
							 any ? " OPERATOR(pg_catalog.||) " : "", i + 1);
			any = true;
			open = false;
			i += dmp_feature_elements(feature) - 1;
			continue;
		}
		appendStringInfo(sql, "%sq.f%d::pg_catalog.%s",
						 open  ? ", "
						 : any ? " OPERATOR(pg_catalog.||) ARRAY["
							   : "ARRAY[",
						 i + 1,
						 is_text                                 ? "text"
						 : feature->encode == DMP_ENCODE_BOOLEAN ? "int4::pg_catalog.float8"
																 : "float8");
		any = open = true;
	}
	if (open)
		appendStringInfoChar(sql, ']');
	if (!any)
		appendStringInfoString(sql,
							   texts ? "NULL::pg_catalog.text[]" : "NULL::pg_catalog.float8[]");
}

void
dmp_fit_append_arrays(StringInfo sql, const DmpFitSpec *spec)
{
	append_elements(sql, spec, false);
	appendStringInfoString(sql, ", ");
	append_elements(sql, spec, true);
}

/* the scan's SELECT; the plan is the last parameter */
static char *
meat_sql(const DmpFitSpec *spec, const DmpScanPlan *plan)
{
	StringInfoData score;

	initStringInfo(&score);
	appendStringInfo(&score, "dmp_internal.%s($%d, q.target, %s, %s, %s, ",
					 spec->has_cluster ? "score_sum" : "row_score", spec->nargs + 1,
					 spec->has_weight ? "q.weight" : "NULL::pg_catalog.float8",
					 spec->test_fraction > 0 ? "q.split" : "NULL::pg_catalog.float8",
					 spec->base_margin ? "q.base_margin" : "NULL::pg_catalog.float8");
	dmp_fit_append_arrays(&score, spec);
	appendStringInfoChar(&score, ')');
	if (!spec->has_cluster)
		return psprintf("SELECT dmp_internal.meat(%s), false FROM (%s) AS q", score.data,
						spec->select_sql);
	return psprintf("SELECT dmp_internal.meat(c.score), "
					"pg_catalog.bool_or(c.cluster IS NULL AND c.score IS NOT NULL) "
					"FROM (SELECT q.cluster, %s AS score FROM (%s) AS q GROUP BY q.cluster) AS c",
					score.data, spec->select_sql);
}

double *
dmp_fit_meat(const DmpFitSpec *spec, DmpScanPlan *plan, const double *theta, int64 *clusters)
{
	MemoryContext context = CurrentMemoryContext;
	DmpScanArgs args;
	int m, rc;
	double *out;
	const double *numbers;
	bool isnull;
	Datum datum;

	plan->phase = DMP_SCAN_GRADIENT;
	plan->theta = (double *) theta;
	plan->direction = NULL;
	plan->low = 0;
	plan->high = 1;
	args = dmp_scan_args(spec, plan);
	rc = SPI_execute_with_args(meat_sql(spec, plan), args.n, args.types, args.values, args.nulls,
							   true, 0);
	if (rc != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "scan for robust errors failed: %s", SPI_result_code_string(rc));
	MemoryContextSwitchTo(context);
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	if (!isnull && DatumGetBool(datum))
		ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("cluster \"%s\" is null in a row", spec->cluster_name),
				errhint("Leave such rows out in the query, or give each a cluster of its own."));
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		elog(ERROR, "scan for robust errors found no rows");
	numbers = numbers_of(DatumGetArrayTypePCopy(datum), &m);
	check_lengths(m, DMP_TRI(plan->layout.shape.nparams) + 1);
	*clusters = (int64) numbers[m - 1];
	out = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * m);
	memcpy(out, numbers, sizeof(double) * (m - 1));
	SPI_freetuptable(SPI_tuptable);
	if (*clusters < 2)
		ereport(
			ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("robust errors need two %s or more", spec->has_cluster ? "clusters" : "rows"));
	return out;
}
