/*-------------------------------------------------------------------------
 * bins.c
 *		dmp.bins(x, y): quantile bins of a number and their weight of evidence.
 *
 * The cells and the formulas are those of the encoders (encode_scan.c,
 * encode_fit.c), here for whoever wants to look at them or to use them alone.
 */
#include "dmp.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "learn/encode.h"
#include "learn/encode_scan.h"

PG_FUNCTION_INFO_V1(dmp_bins_add);
PG_FUNCTION_INFO_V1(dmp_bins_final);

#define PLAN "1 4096 n" /* one fold, cells, a number */
#define BINS 10
#define SMOOTHING 0.5

/* (state, x, y): NULL and NaN are missing values; a row without label does not count */
Datum
dmp_bins_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	DmpEncodeScan *scan;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("function called outside an aggregate")));
	scan = dmp_encode_scan_arg(PG_GETARG_DATUM(0), PG_ARGISNULL(0), PLAN, context);
	if (!PG_ARGISNULL(2))
		dmp_encode_scan_number(scan, PG_ARGISNULL(1) ? NAN : PG_GETARG_FLOAT8(1),
							   PG_GETARG_BOOL(2));
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

static Datum
array_of(const double *values, int n, int stride, bool integers)
{
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	int i;

	for (i = 0; i < n; i++)
		items[i] = integers ? Int64GetDatum((int64) values[i * stride])
							: Float8GetDatum(values[i * stride]);
	return PointerGetDatum(construct_array(items, n, integers ? INT8OID : FLOAT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* a dmp.binning; NULL without a row that counts */
Datum
dmp_bins_final(PG_FUNCTION_ARGS)
{
	DmpEncodeScan *scan;
	DmpEncodeColumn *column;
	MemoryContext old;
	TupleDesc desc;
	Datum values[5];
	bool nulls[5] = {false};
	double edges[2 * BINS];
	double sums[3 * (2 * BINS + 2)];
	double weight[2 * BINS + 2];
	double y[2 * BINS + 2];
	double woe[2 * BINS + 2];
	int n;
	int i;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	scan = dmp_encode_scan_result(PG_GETARG_DATUM(0));
	column = &scan->columns[0];
	if (scan->ncolumns != 1 || scan->nfolds != 1 || column->text)
		elog(ERROR, "aggregate state is not one of dmp.bins");
	if (column->cells.n == 0 && column->missing[0] == 0)
		PG_RETURN_NULL();
	/* as a window function it goes on from here: what it is made of stays with it */
	old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	dmp_cells_sort(&column->cells);
	MemoryContextSwitchTo(old);
	n = dmp_bins_quantile(&column->cells, BINS, edges);
	dmp_bins_sums(&column->cells, edges, n, sums);
	memcpy(sums + 3 * (n + 1), column->missing, sizeof(double) * 3);
	for (i = 0; i < n + 2; i++)
	{
		weight[i] = sums[3 * i + 1];
		y[i] = sums[3 * i + 2];
	}
	values[4] = Float8GetDatum(dmp_evidence(n + 2, weight, y, SMOOTHING, woe));
	values[0] = array_of(edges, n, 1, false);
	values[1] = array_of(sums, n + 2, 3, true);
	values[2] = array_of(sums + 2, n + 2, 3, true);
	values[3] = array_of(woe, n + 2, 1, false);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 5)
		elog(ERROR, "dmp.binning is not what it should be");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
