/*-------------------------------------------------------------------------
 * aggregate.c
 *		Aggregates over order statistics: dmp.median, dmp.mad, dmp.quantiles.
 *
 * Exact. NULL is ignored; NaN and the infinities are values, NaN above all
 * others, as the server sorts them and percentile_cont counts them. Without a
 * value the answer is NULL. The state is that of values.c; each aggregate has
 * a moving form, so that a window whose frame loses rows costs no new look at
 * the rows that stay.
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "clean/run.h"
#include "clean/values_state.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(dmp_values_add_row);
PG_FUNCTION_INFO_V1(dmp_values_add_shares);
PG_FUNCTION_INFO_V1(dmp_values_remove_row);
PG_FUNCTION_INFO_V1(dmp_values_combine);
PG_FUNCTION_INFO_V1(dmp_median_final);
PG_FUNCTION_INFO_V1(dmp_mad_final);
PG_FUNCTION_INFO_V1(dmp_quantiles_final);

void
dmp_clean_init(void)
{
	dmp_values_init();
	dmp_forest_init();
	dmp_row_recipe_init();
}

/* the value of argument 1 into the state of argument 0 */
static Datum
add_value(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		return PG_GETARG_DATUM(0);
	return dmp_values_add(PG_GETARG_DATUM(0), PG_GETARG_FLOAT8(1), dmp_aggregate_context(fcinfo));
}

/*
 * dmp_internal.values_add(state, value float8)
 *
 * The state is made at the first row, NULL or not: a moving aggregate must
 * have one.
 */
Datum
dmp_values_add_row(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
	{
		(void) dmp_aggregate_context(fcinfo);
		fcinfo->args[0].value = PointerGetDatum(dmp_values_flat(0, NULL, 4));
		fcinfo->args[0].isnull = false;
	}
	PG_RETURN_DATUM(add_value(fcinfo));
}

/* shares as float8, NaN for NULL; checked */
static double *
read_shares(ArrayType *array, int *n)
{
	Datum *elements;
	bool *nulls;
	double *shares;
	int i;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("shares of quantiles must be a one-dimensional array")));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements,
					  &nulls, n);
	shares = palloc(sizeof(double) * Max(*n, 1));
	for (i = 0; i < *n; i++)
	{
		shares[i] = nulls[i] ? NAN : DatumGetFloat8(elements[i]);
		if (!nulls[i] && !(shares[i] >= 0 && shares[i] <= 1))
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("share %g is not between 0 and 1", shares[i])));
	}
	return shares;
}

static void
shares_differ(void)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("shares of quantiles must be the same for every row")));
}

/* Whether the array is what the state has, without taking it apart. */
static bool
same_shares(ArrayType *array, Datum state)
{
	const double *shares;
	int n = dmp_values_shares(state, &shares);
	const double *elements = (const double *) (const void *) ARR_DATA_PTR(array);
	double *own;
	int m;
	int i;

	if (!ARR_HASNULL(array) && ARR_NDIM(array) == 1 && ARR_DIMS(array)[0] == n)
	{
		for (i = 0; i < n && elements[i] == shares[i]; i++)
			;
		return i == n;
	}
	own = read_shares(array, &m);
	for (i = 0; m == n && i < n; i++)
		if (isnan(own[i]) != isnan(shares[i]) || (!isnan(own[i]) && own[i] != shares[i]))
			return false;
	return m == n;
}

/*
 * dmp_internal.quantiles_add(state, value float8, shares float8[])
 *
 * The first row's shares are kept in the state; others are an error. NULL in
 * place of the array gives NULL as the answer, and is kept as no share.
 */
Datum
dmp_values_add_shares(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2);

	if (PG_ARGISNULL(0))
	{
		int n = 0;
		double *shares = array != NULL ? read_shares(array, &n) : NULL;

		(void) dmp_aggregate_context(fcinfo);
		fcinfo->args[0].value = PointerGetDatum(dmp_values_flat(n, shares, 4));
		fcinfo->args[0].isnull = false;
	}
	else if (array == NULL)
	{
		const double *shares;

		if (dmp_values_shares(PG_GETARG_DATUM(0), &shares) != 0)
			shares_differ();
	}
	else if (!same_shares(array, PG_GETARG_DATUM(0)))
		shares_differ();
	PG_RETURN_DATUM(add_value(fcinfo));
}

/*
 * dmp_internal.values_remove(state, value float8 [, shares]): inverse, for
 * frames that lose rows. NULL asks the server to begin anew, where a value
 * went to a file.
 */
Datum
dmp_values_remove_row(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	Datum state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = PG_GETARG_DATUM(0);
	if (!PG_ARGISNULL(1) && !dmp_values_take(&state, PG_GETARG_FLOAT8(1), context))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(state);
}

Datum
dmp_values_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	const double *a;
	const double *b;
	int n;
	int i;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(dmp_state_arg(PG_GETARG_DATUM(1), DMP_STATE_VALUES));
	n = dmp_values_shares(PG_GETARG_DATUM(0), &a);
	if (dmp_values_shares(PG_GETARG_DATUM(1), &b) != n)
		shares_differ();
	for (i = 0; i < n; i++)
		if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
			shares_differ();
	PG_RETURN_DATUM(dmp_values_merge(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), context));
}

/*
 * dmp.median(value float8) -> float8: the mean of the two middle values where
 * their number is even.
 */
Datum
dmp_median_final(PG_FUNCTION_ARGS)
{
	const double half = 0.5;
	double result;

	if (PG_ARGISNULL(0) || dmp_values_size(PG_GETARG_DATUM(0)) == 0)
		PG_RETURN_NULL();
	dmp_values_quantiles(dmp_values_to_ask(PG_GETARG_DATUM(0)), 1, &half, &result);
	PG_RETURN_FLOAT8(result);
}

/*
 * dmp.mad(value float8) -> float8: the median of the distances from the
 * median, as it is. Times 1.4826 it estimates the standard deviation of
 * normally distributed values; R's mad() multiplies, SciPy's does not.
 */
Datum
dmp_mad_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || dmp_values_size(PG_GETARG_DATUM(0)) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dmp_values_mad(dmp_values_to_ask(PG_GETARG_DATUM(0))));
}

/*
 * dmp.quantiles(value float8, shares float8[]) -> float8[]: for each share
 * what percentile_cont gives (type 7), NULL for a share that is NULL.
 */
Datum
dmp_quantiles_final(PG_FUNCTION_ARGS)
{
	const double *shares;
	double *asked;
	double *found;
	Datum *elements;
	bool *nulls;
	int dims[1];
	int lbs[1] = {1};
	int n;
	int m = 0;
	int i;

	if (PG_ARGISNULL(0) || dmp_values_size(PG_GETARG_DATUM(0)) == 0)
		PG_RETURN_NULL();
	n = dmp_values_shares(PG_GETARG_DATUM(0), &shares);
	if (n == 0)
		PG_RETURN_NULL();
	asked = palloc(sizeof(double) * n);
	found = palloc(sizeof(double) * n);
	for (i = 0; i < n; i++)
		if (!isnan(shares[i]))
			asked[m++] = shares[i];
	if (m > 0)
		dmp_values_quantiles(dmp_values_to_ask(PG_GETARG_DATUM(0)), m, asked, found);
	elements = palloc(sizeof(Datum) * n);
	nulls = palloc(sizeof(bool) * n);
	m = 0;
	for (i = 0; i < n; i++)
	{
		nulls[i] = isnan(shares[i]);
		elements[i] = nulls[i] ? (Datum) 0 : Float8GetDatum(found[m++]);
	}
	dims[0] = n;
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elements, nulls, 1, dims, lbs, FLOAT8OID,
											 sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
