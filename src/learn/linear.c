/*-------------------------------------------------------------------------
 * linear.c
 *		dmp.linear(target, VARIADIC features): least squares as an aggregate.
 *
 * The state is flat, of fixed size, and changed in place: the moments of
 * math/least_squares.h, (p + 2)(p + 3) + p + 1 numbers however many rows there
 * are, so that 100,000 groups of three features weigh 30 MB. States add, and
 * the answer is exact whether there were workers or not.
 *
 * Rows with a missing or infinite value are skipped and counted. A feature that
 * is a combination of those before it (or constant) has no coefficient, as in
 * R. The final function leaves the state as it was.
 *-------------------------------------------------------------------------
 */
#include "learn/logit.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "math/least_squares.h"
#include "math/student.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_linear_add);
PG_FUNCTION_INFO_V1(dmp_linear_combine);
PG_FUNCTION_INFO_V1(dmp_linear_final);

#define LINEAR_FEATURES 1000
#define LINEAR_VERSION 1

/* data of a state */
typedef struct Linear
{
	int32 p; /* -1: no row had features yet */
	int32 unused;
	int64 skipped;
	double moments[FLEXIBLE_ARRAY_MEMBER];
} Linear;

static Size
linear_size(int p)
{
	return offsetof(Linear, moments) + (p < 0 ? 0 : sizeof(double) * dmp_least_squares_size(p));
}

static DmpState *
linear_make(int p)
{
	DmpState *state = dmp_state_make(DMP_STATE_LINEAR, LINEAR_VERSION, linear_size(p));

	((Linear *) DMP_STATE_DATA(state))->p = p;
	return state;
}

static Linear *
linear_of(Datum value)
{
	return (Linear *) DMP_STATE_DATA(dmp_state_arg(value, DMP_STATE_LINEAR));
}

/* bytes that came in: the size is all that is relied on */
static void
linear_check(const DmpState *state, const char *data, Size size)
{
	const Linear *linear = (const Linear *) data;

	if (size < offsetof(Linear, moments))
		dmp_state_corrupt(state, "too short");
	if (linear->p < -1 || linear->p > LINEAR_FEATURES || linear->skipped < 0 ||
		size != linear_size(linear->p))
		dmp_state_corrupt(state, "bad header");
	if (linear->p >= 0 && !(linear->moments[linear->p + 1] >= 0))
		dmp_state_corrupt(state, "bad number of rows");
}

void
dmp_linear_init(void)
{
	dmp_state_register(DMP_STATE_LINEAR, LINEAR_VERSION, linear_check);
}

static void
check_context(FunctionCallInfo fcinfo)
{
	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("function called outside an aggregate"));
}

static void
check_features(int have, int got)
{
	if (have != got)
		ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				errmsg("rows have %d and %d features", have, got),
				errdetail("Every row of a fit has the same number of features."));
}

/* dmp_internal.linear_add(state, target, VARIADIC features) */
Datum
dmp_linear_add(PG_FUNCTION_ARGS)
{
	double few[4 * 32], *scratch = few;
	int p;
	const double *x = dmp_row_features(fcinfo, "dmp.linear", LINEAR_FEATURES, &p);
	double y = PG_ARGISNULL(1) ? NAN : PG_GETARG_FLOAT8(1);
	Datum state;
	Linear *linear;

	check_context(fcinfo);
	state = PG_ARGISNULL(0) ? PointerGetDatum(linear_make(p)) : PG_GETARG_DATUM(0);
	linear = linear_of(state);
	if (linear->p < 0 && p >= 0)
	{
		int64 skipped = linear->skipped;

		state = PointerGetDatum(linear_make(p));
		linear = linear_of(state);
		linear->skipped = skipped;
	}
	if (p >= 0)
		check_features(linear->p, p);
	if (x == NULL || !isfinite(y))
	{
		linear->skipped++;
		PG_RETURN_DATUM(state);
	}
	if (dmp_least_squares_scratch(p) > lengthof(few))
		scratch = palloc(sizeof(double) * dmp_least_squares_scratch(p));
	dmp_least_squares_add(p, linear->moments, x, y, scratch);
	if (scratch != few)
		pfree(scratch);
	PG_RETURN_DATUM(state);
}

Datum
dmp_linear_combine(PG_FUNCTION_ARGS)
{
	Linear *into, *from;
	double *scratch;
	Datum state;

	check_context(fcinfo);
	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	from = linear_of(PG_GETARG_DATUM(1));
	state = PG_ARGISNULL(0) ? PointerGetDatum(linear_make(from->p)) : PG_GETARG_DATUM(0);
	into = linear_of(state);
	if (into->p < 0 && from->p >= 0)
	{
		int64 skipped = into->skipped;

		state = PointerGetDatum(linear_make(from->p));
		into = linear_of(state);
		into->skipped = skipped;
	}
	into->skipped += from->skipped;
	if (from->p >= 0)
	{
		check_features(into->p, from->p);
		scratch = palloc(sizeof(double) * dmp_least_squares_scratch(from->p));
		dmp_least_squares_merge(from->p, into->moments, from->moments, scratch);
		pfree(scratch);
	}
	PG_RETURN_DATUM(state);
}

/* ---------------------------------------------------------------- result */

enum
{
	FIT_COEF,
	FIT_STD_ERR,
	FIT_T,
	FIT_P,
	FIT_ROWS,
	FIT_ROWS_SKIPPED,
	FIT_R_SQUARED,
	FIT_SIGMA,
	FIT_STATUS,
	FIT_COLUMNS
};

/* coefficients, errors and what follows from them; status converged */
static void
put_fit(const DmpLeastSquares *fit, int n, Datum *values, bool *nulls)
{
	double *t = palloc(sizeof(double) * n), *p = palloc(sizeof(double) * n);
	double df = fit->rows - fit->rank;
	int i;

	for (i = 0; i < n; i++)
	{
		t[i] = fit->std_err[i] > 0 ? fit->coef[i] / fit->std_err[i] : NAN;
		p[i] = dmp_student_p(t[i], df);
	}
	values[FIT_COEF] = dmp_array_of_numbers(fit->coef, n);
	values[FIT_STD_ERR] = dmp_array_of_numbers(fit->std_err, n);
	values[FIT_T] = dmp_array_of_numbers(t, n);
	values[FIT_P] = dmp_array_of_numbers(p, n);
	nulls[FIT_COEF] = nulls[FIT_STD_ERR] = nulls[FIT_T] = nulls[FIT_P] = false;
	values[FIT_SIGMA] = Float8GetDatum(sqrt(fit->residual / df));
	nulls[FIT_SIGMA] = false;
	values[FIT_R_SQUARED] = Float8GetDatum(1 - fit->residual / fit->total);
	nulls[FIT_R_SQUARED] = !(fit->total > 0);
}

/* dmp_internal.linear_final(state) -> dmp.linear_fit */
Datum
dmp_linear_final(PG_FUNCTION_ARGS)
{
	MemoryContext work = NULL, old = CurrentMemoryContext;
	Datum values[FIT_COLUMNS] = {0};
	bool nulls[FIT_COLUMNS];
	DmpFitStatus status = DMP_FIT_NO_ROWS;
	int64 rows = 0, skipped = 0;
	TupleDesc desc;
	Datum result;

	memset(nulls, true, sizeof(nulls));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != FIT_COLUMNS)
		elog(ERROR, "dmp.linear_fit is not what it should be");
	desc = BlessTupleDesc(desc);
	if (!PG_ARGISNULL(0))
	{
		const Linear *linear = linear_of(PG_GETARG_DATUM(0));
		int n = linear->p + 1;
		DmpLeastSquares fit;

		work = AllocSetContextCreate(CurrentMemoryContext, "dmp linear", ALLOCSET_SMALL_SIZES);
		MemoryContextSwitchTo(work);
		skipped = linear->skipped;
		if (n > 0 && linear->moments[n] > 0)
		{
			rows = (int64) linear->moments[n];
			fit.coef = palloc(sizeof(double) * n);
			fit.std_err = palloc(sizeof(double) * n);
			dmp_least_squares_solve(linear->p, linear->moments, &dmp_server_env, &fit);
			status = rows <= fit.rank          ? DMP_FIT_TOO_FEW_ROWS
					 : !isfinite(fit.residual) ? DMP_FIT_DIVERGED
											   : DMP_FIT_CONVERGED;
			if (status == DMP_FIT_CONVERGED)
				put_fit(&fit, n, values, nulls);
		}
		MemoryContextSwitchTo(old);
	}
	values[FIT_ROWS] = Int64GetDatum(rows);
	values[FIT_ROWS_SKIPPED] = Int64GetDatum(skipped);
	values[FIT_STATUS] = CStringGetTextDatum(dmp_fit_status_name(status));
	nulls[FIT_ROWS] = nulls[FIT_ROWS_SKIPPED] = nulls[FIT_STATUS] = false;
	result = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	if (work)
		MemoryContextDelete(work);
	PG_RETURN_DATUM(result);
}
