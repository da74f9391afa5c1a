/*-------------------------------------------------------------------------
 * decode_sql.c
 *		dmp.decode: one json record as a row, strictly.
 *
 * Columns by name, as ingest fills a table; a member the record lacks keeps
 * what base has. Anything ingest would quarantine is an error.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_decode);

typedef struct DecodeState
{
	Oid type;
	TupleDesc desc;
	DmpDecoder *decoder;
	Datum *values;
	bool *nulls;
	bool *absent;
	Datum *row;
	bool *row_nulls;
} DecodeState;

static DecodeState *
decode_state(FunctionCallInfo fcinfo)
{
	DecodeState *state = fcinfo->flinfo->fn_extra;
	Oid type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	MemoryContext old;
	DmpSource *by_name;
	int n;

	if (state != NULL && state->type == type)
		return state;
	if (get_typtype(type) != TYPTYPE_COMPOSITE)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("base must be of a row type, not %s", format_type_be(type)),
						errhint("SELECT dmp.decode(line, NULL::some_table);")));
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	state = palloc0(sizeof(DecodeState));
	state->type = type;
	state->desc = lookup_rowtype_tupdesc_copy(type, -1);
	by_name = palloc0(sizeof(DmpSource));
	by_name->unknown = "ignore";
	state->decoder = dmp_decoder_make(state->desc, format_type_be(type), by_name);
	n = Max(state->desc->natts, 1);
	state->values = palloc0(sizeof(Datum) * n);
	state->nulls = palloc0(sizeof(bool) * n);
	state->absent = palloc0(sizeof(bool) * n);
	state->row = palloc0(sizeof(Datum) * n);
	state->row_nulls = palloc0(sizeof(bool) * n);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

/* the row base has, or all NULL */
static void
start_row(DecodeState *state, FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1))
		memset(state->row_nulls, true, sizeof(bool) * state->desc->natts);
	else
	{
		HeapTupleHeader base = PG_GETARG_HEAPTUPLEHEADER(1);
		HeapTupleData tuple = {0};

		tuple.t_len = HeapTupleHeaderGetDatumLength(base);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_data = base;
		heap_deform_tuple(&tuple, state->desc, state->row, state->row_nulls);
	}
}

/* dmp.decode(line, base) -> a row of base's type; NULL for a NULL line */
Datum
dmp_decode(PG_FUNCTION_ARGS)
{
	DecodeState *state;
	DmpRecordOrigin origin = {0};
	DmpRejected why = {0};
	text *line;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = decode_state(fcinfo);
	line = PG_GETARG_TEXT_PP(0);
	if (dmp_decode_record(state->decoder, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line), &origin,
						  state->values, state->nulls, state->absent, &why) != DMP_DECODED)
		ereport(ERROR, (errcode(MAKE_SQLSTATE(why.sqlstate[0], why.sqlstate[1], why.sqlstate[2],
											  why.sqlstate[3], why.sqlstate[4])),
						errmsg("%s", why.reason),
						why.column_name ? errdetail("Column \"%s\".", why.column_name) : 0));
	start_row(state, fcinfo);
	for (int i = 0; i < dmp_decoder_fields(state->decoder); i++)
		if (!state->absent[i])
		{
			int column = dmp_decoder_column(state->decoder, i);

			state->row[column] = state->values[i];
			state->row_nulls[column] = state->nulls[i];
		}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->desc, state->row, state->row_nulls)));
}
