/*-------------------------------------------------------------------------
 * weblog.c
 *		dmp.parse_weblog: a line of a web server's access log as a row.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "ingest/web.h"

PG_FUNCTION_INFO_V1(dmp_parse_weblog);

/* The row type of the function, looked up once per call site */
TupleDesc
dmp_web_row(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		TupleDesc desc;
		MemoryContext old;

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = BlessTupleDesc(CreateTupleDescCopy(desc));
		MemoryContextSwitchTo(old);
	}
	return (TupleDesc) fcinfo->flinfo->fn_extra;
}

Datum
dmp_web_text(const char *s, int len)
{
	return PointerGetDatum(cstring_to_text_with_len(s, len));
}

static TimestampTz
moment(const DmpLogTime *at)
{
	return ((int64) date2j(at->year, at->month, at->day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		   ((int64) at->seconds - at->zone) * USECS_PER_SEC;
}

/*
 * dmp.parse_weblog(line text): the fields of a line of an access log, or NULL
 * when it is none. "-" and "" are NULL. Never throws.
 */
Datum
dmp_parse_weblog(PG_FUNCTION_ARGS)
{
	text *line = PG_GETARG_TEXT_PP(0);
	size_t length = VARSIZE_ANY_EXHDR(line);
	Datum values[DMP_WEBLOG_FIELDS] = {0};
	bool nulls[DMP_WEBLOG_FIELDS];
	DmpLogText fields[DMP_WEBLOG_FIELDS];
	DmpLogTime at;

	if (!dmp_weblog_line(VARDATA_ANY(line), length, GetDatabaseEncoding(), palloc(length + 1),
						 fields, &at))
		PG_RETURN_NULL();
	for (int i = 0; i < DMP_WEBLOG_FIELDS; i++)
	{
		const DmpLogText *field = &fields[i];

		nulls[i] = field->start == NULL && i != DMP_WEBLOG_TIME;
		if (nulls[i])
			continue;
		if (i == DMP_WEBLOG_TIME)
			values[i] = TimestampTzGetDatum(moment(&at));
		else if (i == DMP_WEBLOG_STATUS)
			values[i] = Int32GetDatum(dmp_log_number(field->start, field->length));
		else if (i == DMP_WEBLOG_BYTES)
			values[i] = Int64GetDatum(strtoi64(pnstrdup(field->start, field->length), NULL, 10));
		else
			values[i] = dmp_web_text(field->start, (int) field->length);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(dmp_web_row(fcinfo), values, nulls)));
}
