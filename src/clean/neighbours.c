/*-------------------------------------------------------------------------
 * neighbours.c
 *		The mean of the nearest rows: what the fill "knn" calls.
 *
 * The distance of two points is Euclid's over the coordinates that both have,
 * each divided by its standard deviation, and times the square root of all
 * coordinates by shared ones, as in scikit-learn's nan_euclidean_distances. A
 * donor stands for n rows. Among equal distances the donor that comes first is
 * nearer, so the outcome is a function of the arrays alone.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "clean/clean.h"

PG_FUNCTION_INFO_V1(dmp_knn);

/* The donors of a query: the same at each of its calls */
typedef struct Donors
{
	int n;
	int dims;
	double *values;
	int64 *counts;
	double *points; /* n times dims, NaN where missing, divided by the spreads */
	double *scales; /* 1 / spread; 0 where nothing varies */
} Donors;

typedef struct Neighbour
{
	double distance;
	int donor;
} Neighbour;

/* The elements of a float8 array, NaN for NULL */
static double *
float8_elements(ArrayType *array, int *n)
{
	Datum *items;
	bool *nulls;
	double *values;
	int i;

	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &items,
					  &nulls, n);
	values = palloc(sizeof(double) * Max(*n, 1));
	for (i = 0; i < *n; i++)
		values[i] = nulls[i] ? NAN : DatumGetFloat8(items[i]);
	return values;
}

static Donors *
read_donors(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	Donors *donors = palloc0(sizeof(Donors));
	Datum *counts;
	bool *nulls;
	int n_counts;
	int n_points;
	int i;

	donors->values = float8_elements(PG_GETARG_ARRAYTYPE_P(2), &donors->n);
	donors->points = float8_elements(PG_GETARG_ARRAYTYPE_P(4), &n_points);
	donors->scales = float8_elements(PG_GETARG_ARRAYTYPE_P(5), &donors->dims);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &counts, &nulls, &n_counts);
	if (n_counts != donors->n || (int64) n_points != (int64) donors->n * donors->dims)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("there must be a count and a point for each value")));
	donors->counts = palloc(sizeof(int64) * Max(donors->n, 1));
	for (i = 0; i < donors->n; i++)
		donors->counts[i] = nulls[i] ? 0 : DatumGetInt64(counts[i]);
	for (i = 0; i < donors->dims; i++)
		donors->scales[i] = donors->scales[i] > 0 ? 1 / donors->scales[i] : 0;
	for (i = 0; i < n_points; i++)
		donors->points[i] *= donors->scales[i % donors->dims];
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = donors;
	return donors;
}

/*
 * The square of the distance; NaN when no coordinate is shared, anything above
 * limit when it is above.
 */
static double
distance_to(const Donors *donors, const double *point, int donor, double limit)
{
	const double *other = donors->points + (Size) donor * donors->dims;
	double sum = 0;
	int shared = 0;
	int i;

	for (i = 0; i < donors->dims; i++)
	{
		double d = point[i] - other[i];

		if (isnan(d))
			continue;
		shared++;
		sum += d * d;
		/* the factor below is at least 1 */
		if (sum > limit)
			return sum;
	}
	return shared == 0 ? NAN : sum * donors->dims / shared;
}

/*
 * dmp_internal.knn(k integer, point float8[], x float8[], n bigint[],
 *	points float8[], spreads float8[]) -> float8
 *
 * The mean of x of the k donors nearest to the point, of which the i-th stands
 * for n[i] rows at points[i]. Fewer than k: the mean of those. NULL when none
 * shares a coordinate with the point. All but the point are the same at each row.
 */
Datum
dmp_knn(PG_FUNCTION_ARGS)
{
	int64 k = PG_GETARG_INT32(0);
	Donors *donors = fcinfo->flinfo->fn_extra;
	double *point;
	Neighbour *nearest;
	int n_nearest = 0;
	int64 rows = 0;
	double sum = 0;
	int64 taken = 0;
	int dims;
	int i;

	if (donors == NULL)
		donors = read_donors(fcinfo);
	CHECK_FOR_INTERRUPTS();
	point = float8_elements(PG_GETARG_ARRAYTYPE_P(1), &dims);
	if (dims != donors->dims || k < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the point must have %d coordinates, and k must be positive",
							   donors->dims)));
	for (i = 0; i < dims; i++)
		point[i] *= donors->scales[i];
	/* each donor is a row at least, so more than k, and one on its way, are never kept */
	nearest = palloc(sizeof(Neighbour) * (Min(k, donors->n) + 1));
	for (i = 0; i < donors->n; i++)
	{
		double limit = rows >= k ? nearest[n_nearest - 1].distance : INFINITY;
		double distance = distance_to(donors, point, i, limit);
		int at;

		if (isnan(distance) || donors->counts[i] < 1 || (rows >= k && distance >= limit))
			continue;
		for (at = n_nearest; at > 0 && nearest[at - 1].distance > distance; at--)
			nearest[at] = nearest[at - 1];
		nearest[at].distance = distance;
		nearest[at].donor = i;
		n_nearest++;
		rows += donors->counts[i];
		while (rows - donors->counts[nearest[n_nearest - 1].donor] >= k)
			rows -= donors->counts[nearest[--n_nearest].donor];
	}
	for (i = 0; i < n_nearest; i++)
	{
		int64 n = Min(donors->counts[nearest[i].donor], k - taken);

		sum += donors->values[nearest[i].donor] * n;
		taken += n;
	}
	if (taken == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sum / taken);
}
