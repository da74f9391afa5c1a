/*-------------------------------------------------------------------------
 * replay.c
 *		dmp.replay: the lake's records of some days once more.
 *
 * After a change of mapping, recipe or table, what was taken before is read
 * again, and only that: what waits in the lake is ingested first, and what
 * others write meanwhile is not in the position that ingest stored.
 *
 * With a key, the records are loaded as ever: ignored when their key is there,
 * or updating it. Without one, the rows those days loaded are deleted first,
 * and a column must say which they are:
 *
 *		"$lake_id"		rows of the very records
 *		"$received_at"	rows of those days
 *		"$batch"		rows of those batches, which must have read nothing else
 *
 * Ids of lakes mean something only where one source fills the table; where
 * several do, "$batch" must be mapped as well, and narrows the others.
 *
 * A record that has an entry in quarantine is read as it stands there, since
 * it may have been corrected, and its entry gets the new outcome: none is ever
 * there twice.
 *-------------------------------------------------------------------------
 */
#include "ingest/run.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/rls.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_replay);

/* lake rows l of the days $1 to $2 that were taken before: see set_arguments */
static const char taken_rows[] =
	"l.received_at >= pg_catalog.timezone('UTC', $1::timestamp)"
	" AND l.received_at < pg_catalog.timezone('UTC', ($2 + 1)::timestamp)"
	" AND (l.cluster <> $3 OR l.xact = $4 OR pg_catalog.pg_visible_in_snapshot(l.xact, $5))";

/* the arguments of taken_rows; the position is of a moment ago, when what waited was ingested */
static void
set_arguments(DmpArgs *args, const DmpSource *source, DateADT from_day, DateADT to_day)
{
	DmpArgs position = {0};
	Datum snapshot;
	bool isnull;

	dmp_arg_int4(&position, source->id);
	dmp_arg_int4(&position, dmp_cluster_id());
	if (dmp_spi_registry("SELECT snapshot FROM dmp_internal.source_position WHERE source_id = $1"
						 " AND cluster = $2",
						 &position, false) == 0)
		elog(ERROR, "source %d has no position", source->id);
	snapshot = dmp_spi_datum(0, 1, &isnull);
	dmp_arg(args, DATEOID, DateADTGetDatum(from_day), false);
	dmp_arg(args, DATEOID, DateADTGetDatum(to_day), false);
	dmp_arg_int4(args, dmp_cluster_id());
	dmp_arg(args, XID8OID, FullTransactionIdGetDatum(GetTopFullTransactionId()), false);
	dmp_arg(args, PG_SNAPSHOTOID, PointerGetDatum(PG_DETOAST_DATUM_COPY(snapshot)), false);
}

/* ids of the batches of the source that loaded rows of the days into its table */
static Datum
batches_of(const DmpSource *source, const DmpArgs *days)
{
	DmpArgs args = *days;
	bool isnull;
	uint64 n;

	args.n = 2;
	dmp_arg_text(&args, source->name);
	dmp_arg_oid(&args, source->owner);
	dmp_arg_oid(&args, source->into);
	n = dmp_spi_registry("SELECT id, pg_catalog.timezone('UTC', first_received_at)::date < $1"
						 " OR pg_catalog.timezone('UTC', last_received_at)::date > $2,"
						 " pg_catalog.timezone('UTC', first_received_at)::date,"
						 " pg_catalog.timezone('UTC', last_received_at)::date"
						 " FROM dmp_internal.batch WHERE source = $3 AND owner::oid = $4"
						 " AND into_table::oid = $5 AND kind <> 'load' AND state = 'done'"
						 " AND pg_catalog.timezone('UTC', first_received_at)::date <= $2"
						 " AND pg_catalog.timezone('UTC', last_received_at)::date >= $1"
						 " ORDER BY 2 DESC, 1",
						 &args, false);
	if (n > 0 && dmp_spi_bool(0, 2, true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch %s of source \"%s\" has records of other days as well",
						dmp_spi_text(0, 1), source->name),
				 errdetail("Its records came from %s to %s (UTC).", dmp_spi_text(0, 3),
						   dmp_spi_text(0, 4)),
				 errhint("Replay all of these days, or map a bigint column to \"$lake_id\".")));
	dmp_spi_registry("SELECT coalesce(pg_catalog.array_agg(id), '{}') FROM dmp_internal.batch"
					 " WHERE source = $3 AND owner::oid = $4 AND into_table::oid = $5"
					 " AND kind <> 'load' AND state = 'done'"
					 " AND pg_catalog.timezone('UTC', first_received_at)::date BETWEEN $1 AND $2",
					 &args, false);
	return PointerGetDatum(PG_DETOAST_DATUM_COPY(dmp_spi_datum(0, 1, &isnull)));
}

/* without a key: what the days loaded goes, as the caller */
static int64
remove_loaded(const DmpRun *run, const DmpArgs *days)
{
	const DmpSource *source = run->source;
	const char *batch = dmp_decoder_special(run->decoder, "$batch");
	const char *lake_id = dmp_decoder_special(run->decoder, "$lake_id");
	const char *received_at = dmp_decoder_special(run->decoder, "$received_at");
	char *table = dmp_relation_name(source->into);
	bool alone = dmp_source_is_alone(source);
	DmpArgs args = *days;
	StringInfoData sql;
	int64 removed;

	if (batch == NULL && !(alone && (lake_id != NULL || received_at != NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("source \"%s\" cannot be replayed", source->name),
				 alone ? errdetail("It has no key, and no column of %s says which rows the days "
								   "loaded.",
								   table)
					   : errdetail("It has no key, other sources fill %s as well, and no column "
								   "says which rows are of this one.",
								   table),
				 errhint("Give the source a key, or map a bigint column to %s before the next "
						 "lines are loaded; lines loaded already can be taken into a new table.",
						 alone ? "\"$lake_id\" or \"$batch\"" : "\"$batch\"")));
	if (check_enable_rls(source->into, InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("row security hides rows of %s", table),
						errdetail("Rows that are not seen would not be replaced.")));
	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE FROM %s t WHERE ", table);
	if (lake_id != NULL)
		appendStringInfo(&sql, "t.%s IN (SELECT l.id FROM %s l WHERE %s)",
						 quote_identifier(lake_id), dmp_relation_name(source->lake), taken_rows);
	else if (received_at != NULL)
		appendStringInfo(&sql,
						 "t.%s >= pg_catalog.timezone('UTC', $1::timestamp)"
						 " AND t.%s < pg_catalog.timezone('UTC', ($2 + 1)::timestamp)",
						 quote_identifier(received_at), quote_identifier(received_at));
	if (batch != NULL && lake_id == NULL && received_at == NULL)
	{
		Datum ids = batches_of(source, days);

		args.n = 0;
		dmp_arg(&args, INT8ARRAYOID, ids, false);
		appendStringInfo(&sql, "t.%s = ANY ($1)", quote_identifier(batch));
		dmp_spi_registry("UPDATE dmp_internal.batch SET state = 'reverted' WHERE id = ANY ($1)",
						 &args, false);
	}
	else if (batch != NULL && !alone)
	{
		appendStringInfo(&sql,
						 " AND t.%s IN (SELECT b.id FROM dmp_internal.batch b WHERE b.source = $6)",
						 quote_identifier(batch));
		dmp_arg_text(&args, source->name);
	}
	removed = (int64) dmp_spi(sql.data, &args, false);
	if (removed > 0)
		ereport(NOTICE, (errmsg_plural("%lld row those days had loaded was removed from %s",
									   "%lld rows those days had loaded were removed from %s",
									   removed, (long long) removed, table)));
	return removed;
}

/* an update by key from older lines may undo later ones */
static void
warn_of_later(const DmpRun *run, const DmpArgs *days)
{
	DmpArgs args = {0};

	if (!run->source->update ||
		(dmp_decoder_special(run->decoder, "$lake_id") != NULL && dmp_source_is_alone(run->source)))
		return;
	dmp_arg(&args, DATEOID, days->values[1], false);
	if (dmp_spi(psprintf("SELECT FROM %s l WHERE l.received_at >="
						 " pg_catalog.timezone('UTC', ($1 + 1)::timestamp) LIMIT 1",
						 dmp_relation_name(run->source->lake)),
				&args, false) == 0)
		return;
	ereport(
		WARNING,
		(errmsg("rows that lines of later days updated have the values of these days again"),
		 errhint("Replay up to the last day, or map a bigint column to \"$lake_id\": then a line "
				 "never takes the place of a later one.")));
}

/* entries of the records in quarantine, locked against correction */
static Datum
lock_entries(const DmpSource *source, const DmpArgs *days)
{
	DmpArgs args = *days;
	DmpArgs found = {0};
	bool isnull;

	dmp_arg_text(&args, source->name);
	dmp_arg_oid(&args, source->owner);
	dmp_spi(psprintf("SELECT coalesce(pg_catalog.array_agg(q.id), '{}') FROM dmp.quarantine q"
					 " WHERE q.source = $6 AND q.owner::oid = $7 AND q.record IS NOT NULL"
					 " AND EXISTS (SELECT FROM %s l WHERE l.id = q.lake_id AND %s)",
					 dmp_relation_name(source->lake), taken_rows),
			&args, false);
	dmp_arg(&found, INT8ARRAYOID,
			PointerGetDatum(PG_DETOAST_DATUM_COPY(dmp_spi_datum(0, 1, &isnull))), false);
	dmp_spi_registry("SELECT FROM dmp.quarantine WHERE id = ANY ($1) ORDER BY id FOR UPDATE",
					 &found, false);
	return found.values[0];
}

static void
replay_days(DmpRun *run, const DmpArgs *days)
{
	DmpArgs args = *days;
	Datum ids = lock_entries(run->source, days);
	Portal portal;

	dmp_arg(&args, INT8ARRAYOID, ids, false);
	dmp_run_outcome_begin(run);
	portal = SPI_cursor_open_with_args(
		NULL,
		psprintf("SELECT l.id, l.xact, l.received_at, l.cluster, l.batch, l.line_no,"
				 " coalesce(q.record, l.line), l.origin, q.id FROM %s l LEFT JOIN"
				 " (SELECT DISTINCT ON (lake_id) lake_id, id, record FROM dmp.quarantine"
				 " WHERE id = ANY ($6) ORDER BY lake_id, id DESC) q ON q.lake_id = l.id WHERE %s%s",
				 dmp_relation_name(run->source->lake), taken_rows,
				 run->source->update ? " ORDER BY l.id" : ""),
		args.n, args.types, args.values, args.nulls, false, 0);
	dmp_run_cursor(run, portal);
	dmp_run_outcome_end(run, ids);
}

/* days that were dropped from the lake would take rows away and bring none */
static void
check_days(const DmpSource *source, DateADT from_day)
{
	DmpArgs args = {0};

	dmp_arg_int4(&args, source->id);
	dmp_arg(&args, DATEOID, DateADTGetDatum(from_day), false);
	if (dmp_spi_registry("SELECT dropped_before FROM dmp_internal.source WHERE id = $1"
						 " AND dropped_before > $2",
						 &args, false) > 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("days before %s were dropped from the lake of source \"%s\"",
							   dmp_spi_text(0, 1), source->name)));
}

static DateADT
day_argument(FunctionCallInfo fcinfo, int n, const char *what)
{
	DateADT day = PG_GETARG_DATEADT(n);

	if (DATE_NOT_FINITE(day))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("%s must be finite", what)));
	return day;
}

/*
 * dmp.replay(source, from_day, to_day) -> as ingest: records of those days
 * (UTC, by received_at; to_day included, NULL: one day) that were taken before
 * are taken again.
 */
Datum
dmp_replay(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	TimestampTz started_at = GetCurrentTimestamp();
	DmpArgs days = {0};
	DmpSource *source;
	DmpRun *run;
	DateADT from_day;
	DateADT to_day;
	int64 removed;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("from_day must not be null")));
	from_day = day_argument(fcinfo, 1, "from_day");
	to_day = PG_ARGISNULL(2) ? from_day : day_argument(fcinfo, 2, "to_day");
	if (to_day < from_day)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("to_day is before from_day")));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	/* entries in quarantine are parts of records there */
	if (source->format.explode != NULL)
		ereport(
			ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("source \"%s\" makes several rows of a record and cannot be replayed", name),
			 errhint("Make a new source of the same lines, into a new table.")));
	dmp_lake_check(source);
	check_days(source, from_day);
	/* writers wait: only "$lake_id" would tell what they load from what is to be replaced */
	if (source->live && source->key == NIL)
		dmp_spi(psprintf("LOCK TABLE %s IN SHARE MODE", dmp_relation_name(source->lake)), NULL,
				false);
	dmp_ingest_waiting(source);
	set_arguments(&days, source, from_day, to_day);
	run = dmp_run_begin(source, "replay", dmp_batch_next(), started_at);
	removed = source->key == NIL ? remove_loaded(run, &days) : 0;
	replay_days(run, &days);
	if (removed > 0 && run->batch.rows_read == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the lake of source \"%s\" has no records of those days", source->name),
				 errdetail("%lld rows they had loaded would be lost.", (long long) removed)));
	warn_of_later(run, &days);
	dmp_run_end(run, fcinfo, 0);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
