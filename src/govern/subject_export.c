/*-------------------------------------------------------------------------
 * subject_export.c
 *		dmp.export_subject(): all that is stored of a subject.
 *
 * One snapshot, the caller's rights. What the caller may not read is a row
 * with the member "not_read", never left out in silence.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "govern/subject_audit.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dmp_export_subject);

/* rows at a time */
#define EXPORT_BATCH 1000

static void
emit(FunctionCallInfo fcinfo, const char *object, Datum record)
{
	Datum values[2] = {CStringGetTextDatum(object), record};
	bool nulls[2] = {false, false};

	dmp_srf_row(fcinfo, values, nulls);
}

/* the rows of a query of one jsonb column */
int64
dmp_subject_emit(FunctionCallInfo fcinfo, const char *object, const char *sql, DmpArgs *args)
{
	Portal portal = SPI_cursor_open_with_args(NULL, sql, args->n, args->types, args->values,
											  args->nulls, true, 0);
	int64 rows = 0;

	for (;;)
	{
		SPI_cursor_fetch(portal, true, EXPORT_BATCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			bool isnull;
			Datum record = dmp_spi_datum(i, 1, &isnull);

			CHECK_FOR_INTERRUPTS();
			if (!isnull)
				emit(fcinfo, object, record);
			rows++;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(portal);
	return rows;
}

static char *
select_list(SubjectTable *table)
{
	Relation relation = table_open(table->relid, AccessShareLock);
	List *columns = dmp_column_names(RelationGetDescr(relation));
	StringInfoData sql;
	ListCell *lc;

	table_close(relation, NoLock);
	initStringInfo(&sql);
	foreach (lc, columns)
		appendStringInfo(&sql, "%s%s AS %s", sql.len ? ", " : "",
						 dmp_subject_plain(table->relid, lfirst(lc), "t"),
						 quote_identifier(lfirst(lc)));
	return sql.data;
}

static void
emit_tables(FunctionCallInfo fcinfo, Subject *subject)
{
	ListCell *lc;

	foreach (lc, subject->tables)
	{
		SubjectTable *table = lfirst(lc);
		ItemPointerData *tids =
			palloc_extended(sizeof(ItemPointerData) * (Size) (table->n + 1), MCXT_ALLOC_HUGE);
		DmpArgs args = {0};
		int n = 0;

		for (int i = 0; i < table->n; i++)
		{
			if (table->fates[i] != SUBJECT_OTHER)
				tids[n++] = table->tids[i];
		}
		if (n == 0)
			continue;
		dmp_arg(&args, TIDARRAYOID, dmp_tid_array(tids, n), false);
		dmp_subject_emit(fcinfo, table->root_name,
						 psprintf("SELECT pg_catalog.to_jsonb(r) FROM (SELECT %s FROM %s t"
								  " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1)%s) r",
								  select_list(table), table->scan, dmp_subject_only_leaf(table)),
						 &args);
	}
}

static void
emit_places(FunctionCallInfo fcinfo, Subject *subject)
{
	List *places = dmp_subject_places_of(subject);
	ListCell *lc;

	foreach (lc, places)
	{
		SubjectPlace *place = lfirst(lc);
		DmpIdentity saved;
		char *sql;

		if (place->record == NULL)
			continue;
		sql = psprintf("SELECT %s %s", place->record, place->from);
		if (OidIsValid(place->relid))
			dmp_subject_emit(fcinfo, place->object, sql, &place->args);
		else
		{
			dmp_identity_begin(&saved);
			dmp_subject_emit(fcinfo, place->object, sql, &place->args);
			dmp_identity_end(&saved);
		}
	}
}

/* dmp.export_subject(subject) */
Datum
dmp_export_subject(PG_FUNCTION_ARGS)
{
	char *value = dmp_subject_argument(fcinfo, 0);
	Subject *subject;
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	subject = dmp_subject_find(value, false, false, true);
	emit_tables(fcinfo, subject);
	emit_places(fcinfo, subject);
	dmp_subject_audit_export(fcinfo, subject);
	foreach (lc, subject->unread)
	{
		SubjectObstacle *unread = lfirst(lc);
		StringInfoData json;

		initStringInfo(&json);
		appendStringInfoString(&json, "{\"not_read\": ");
		escape_json(&json, unread->reason);
		appendStringInfoChar(&json, '}');
		emit(fcinfo, unread->object, DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
	}
	dmp_spi_finish();
	return (Datum) 0;
}
