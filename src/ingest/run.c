/*-------------------------------------------------------------------------
 * run.c
 *		dmp.ingest: from the lake to the table, exactly once.
 *
 * What was consumed is not "ids up to n": ids are drawn before rows commit,
 * and a row with a lower id may become visible later. It is a snapshot. A
 * source's position says, for each cluster whose rows are in the lake, which
 * transactions of it are consumed:
 *
 *		consumed(row) = xact visible in the stored snapshot
 *
 * A run locks the source (runs of one source follow each other), takes a
 * snapshot S, and reads the rows that are visible in S and not consumed; S is
 * the new position, stored by the same transaction that inserts the rows. A
 * writer that was open when S was taken is not visible in it, whenever its
 * ids were drawn; its rows come with the next run. A crash leaves the old
 * position and none of the rows.
 *
 * Rows written by the running transaction itself (load_file and ingest in one
 * transaction) are in no snapshot. They are consumed up to the largest id
 * read: own_xact and own_id of the position; within one transaction of one
 * session, ids do grow with time.
 *
 * Rows of another cluster (this database was restored from a dump) never get
 * new company: all that the stored snapshot of that cluster does not show are
 * read, and the new position is "everything up to the largest xact there".
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_ingest);
PG_FUNCTION_INFO_V1(dmp_retry_quarantine);

/* columns of a row to be read, from the lake or from quarantine */
enum
{
	COL_ID = 1, /* of the lake row */
	COL_XACT,
	COL_LINE,
	COL_RECEIVED_AT,
	COL_ORIGIN,
	COL_LINE_NO,
	COL_QUARANTINE_ID
};

/* which rows of a cluster are consumed, and which are to be */
typedef struct Horizon
{
	int32 cluster;
	bool own;     /* this cluster */
	Datum stored; /* pg_snapshot, 0: nothing is consumed */
	FullTransactionId stored_own_xact;
	int64 stored_own_id;
	Datum current;          /* pg_snapshot */
	FullTransactionId xact; /* this transaction */
	int64 own_id;           /* largest id of this transaction that was read */
	FullTransactionId largest;
	/* verdict on the last xact asked for: neighbours share it */
	FullTransactionId cached;
	bool cached_wanted;
} Horizon;

typedef struct Run
{
	DmpSource *source;
	MemoryContext context;
	MemoryContext row_context;
	DmpDecoder *decoder;
	bool wants_origin; /* a column is mapped to where the record came from */
	DmpInsert *insert;
	DmpQuarantine *quarantine;
	DmpBatch batch;
	Datum *values;
	bool *nulls;
	bool *absent;
	SPITupleTable *rows; /* the chunk in work */
	int guc_level;
	/* retry: what became of each row */
	Tuplestorestate *outcome;
	TupleDesc outcome_desc;
	int64 n_outcome;
} Run;

/* dates and times mean what they meant when the source was made */
static void
pin_settings(Run *run)
{
	run->guc_level = NewGUCNestLevel();
	if (run->source->time_zone)
		(void) set_config_option("TimeZone", run->source->time_zone, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (run->source->date_style)
		(void) set_config_option("DateStyle", run->source->date_style, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

static void
unpin_settings(Run *run)
{
	AtEOXact_GUC(false, run->guc_level);
}

static Datum
row_value(const Run *run, int row, int col, bool *isnull)
{
	return SPI_getbinval(run->rows->vals[row], run->rows->tupdesc, col, isnull);
}

static int64
row_int8(const Run *run, int row, int col)
{
	bool isnull;
	Datum value = row_value(run, row, col, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static void
row_origin(const Run *run, int row, DmpRecordOrigin *origin)
{
	bool isnull;
	Datum value = row_value(run, row, COL_ORIGIN, &isnull);

	origin->batch = run->batch.id;
	origin->lake_id = row_int8(run, row, COL_ID);
	origin->line_no = row_int8(run, row, COL_LINE_NO);
	origin->origin = isnull ? NULL : TextDatumGetCString(value);
	origin->received_at = row_int8(run, row, COL_RECEIVED_AT);
}

/* a row of the chunk goes to quarantine, or, when it comes from there, back */
static void
reject_row(void *arg, int row, const DmpRejected *why)
{
	Run *run = arg;
	MemoryContext old = MemoryContextSwitchTo(run->row_context);
	DmpRejected rejected = *why;
	DmpRecordOrigin origin = {0};

	run->batch.rows_quarantined++;
	if (run->outcome != NULL)
	{
		Datum values[5];
		bool nulls[5] = {false, false, why->column_name == NULL, false, false};

		values[0] = Int64GetDatum(row_int8(run, row, COL_QUARANTINE_ID));
		values[1] = BoolGetDatum(false);
		values[2] = why->column_name ? CStringGetTextDatum(why->column_name) : (Datum) 0;
		values[3] = CStringGetTextDatum(why->reason);
		values[4] = CStringGetTextDatum(why->sqlstate);
		tuplestore_putvalues(run->outcome, run->outcome_desc, values, nulls);
		run->n_outcome++;
	}
	else
	{
		bool isnull;
		Datum line = row_value(run, row, COL_LINE, &isnull);
		text *record = DatumGetTextPP(line);

		row_origin(run, row, &origin);
		rejected.record = VARDATA_ANY(record);
		rejected.length = VARSIZE_ANY_EXHDR(record);
		rejected.line_no = origin.line_no;
		rejected.lake_id = origin.lake_id;
		rejected.origin = origin.origin;
		rejected.received_at = origin.received_at;
		dmp_quarantine_add(run->quarantine, &rejected);
	}
	MemoryContextSwitchTo(old);
}

static void
flush(Run *run)
{
	dmp_insert_flush(run->insert, reject_row, run, &run->batch.rows_loaded,
					 &run->batch.rows_duplicate);
}

/* whether the row is to be read now */
static bool
is_wanted(Horizon *h, FullTransactionId xact, int64 id)
{
	if (FullTransactionIdFollows(xact, h->largest))
		h->largest = xact;
	if (h->own && FullTransactionIdEquals(xact, h->xact))
	{
		if (FullTransactionIdEquals(xact, h->stored_own_xact) && id <= h->stored_own_id)
			return false;
		h->own_id = Max(h->own_id, id);
		return true;
	}
	if (FullTransactionIdEquals(xact, h->stored_own_xact) && id <= h->stored_own_id)
		return false;
	if (!FullTransactionIdEquals(xact, h->cached))
	{
		Datum value = FullTransactionIdGetDatum(xact);

		h->cached = xact;
		h->cached_wanted =
			!h->own || DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot, value, h->current));
		if (h->cached_wanted && h->stored != (Datum) 0 &&
			!FullTransactionIdEquals(xact, h->stored_own_xact))
			h->cached_wanted =
				!DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot, value, h->stored));
	}
	return h->cached_wanted;
}

static bool
is_blank(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r' && line[i] != '\n')
			return false;
	return true;
}

static void
process_row(Run *run, int row, Horizon *horizon)
{
	DmpRejected why = {0};
	DmpRecordOrigin origin = {0};
	bool isnull;
	Datum value = row_value(run, row, COL_LINE, &isnull);
	text *record;
	size_t length;

	if (isnull)
		return;
	if (horizon != NULL)
	{
		FullTransactionId xact = DatumGetFullTransactionId(row_value(run, row, COL_XACT, &isnull));

		if (!is_wanted(horizon, xact, row_int8(run, row, COL_ID)))
			return;
	}
	record = DatumGetTextPP(value);
	length = VARSIZE_ANY_EXHDR(record);
	/* in the lake a blank line is no record; one made blank in quarantine is a bad one */
	if (run->outcome == NULL && is_blank(VARDATA_ANY(record), length))
		return;
	run->batch.rows_read++;
	if (run->wants_origin)
		row_origin(run, row, &origin);
	if (dmp_decode_record(run->decoder, VARDATA_ANY(record), length, &origin, run->values,
						  run->nulls, run->absent, &why))
	{
		dmp_insert_add(run->insert, run->values, run->nulls, run->absent, row);
		dmp_insert_bytes(run->insert, length);
	}
	else
		reject_row(run, row, &why);
}

/* reads a cursor to its end, in chunks that are inserted before the next is read */
static void
process_cursor(Run *run, Portal portal, Horizon *horizon)
{
	for (;;)
	{
		MemoryContext old;
		int n;

		SPI_cursor_fetch(portal, true, DMP_BATCH_ROWS);
		n = (int) SPI_processed;
		run->rows = SPI_tuptable;
		if (n == 0)
			break;
		pin_settings(run);
		old = MemoryContextSwitchTo(run->row_context);
		for (int row = 0; row < n; row++)
		{
			CHECK_FOR_INTERRUPTS();
			process_row(run, row, horizon);
			MemoryContextReset(run->row_context);
			if (dmp_insert_full(run->insert) && row + 1 < n)
			{
				unpin_settings(run);
				flush(run);
				pin_settings(run);
			}
		}
		MemoryContextSwitchTo(old);
		unpin_settings(run);
		flush(run);
		MemoryContextReset(run->row_context);
		SPI_freetuptable(run->rows);
		dmp_progress("ingest: %lld records read", (long long) run->batch.rows_read);
	}
	SPI_freetuptable(run->rows);
	SPI_cursor_close(portal);
}

static Run *
run_begin(DmpSource *source, const char *kind, TimestampTz started_at)
{
	Run *run = palloc0(sizeof(Run));
	Relation rel;
	TupleDesc desc;

	run->source = source;
	run->context = CurrentMemoryContext;
	run->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp ingest row", ALLOCSET_DEFAULT_SIZES);
	if (!OidIsValid(source->into))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("source \"%s\" has no table to fill", source->name),
						errhint("SELECT * FROM dmp.alter_source(%s, into_table => '...');",
								quote_literal_cstr(source->name))));
	rel = try_relation_open(source->into, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("the table of source \"%s\" no longer exists", source->name),
						errhint("SELECT * FROM dmp.alter_source(%s, into_table => '...');",
								quote_literal_cstr(source->name))));
	desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	relation_close(rel, NoLock);
	run->decoder = dmp_decoder_make(desc, dmp_relation_name(source->into), source->mapping,
									source->missing, source->key, source->unknown);
	run->wants_origin = dmp_decoder_wants_origin(run->decoder);
	run->insert = dmp_insert_begin(source, desc, run->decoder);
	run->values = palloc(sizeof(Datum) * dmp_decoder_fields(run->decoder));
	run->nulls = palloc(sizeof(bool) * dmp_decoder_fields(run->decoder));
	run->absent = palloc(sizeof(bool) * dmp_decoder_fields(run->decoder));
	run->batch.kind = kind;
	run->batch.started_at = started_at;
	run->batch.id = dmp_batch_next();
	run->quarantine = dmp_quarantine_begin(run->batch.id, source->name, NULL, source->owner);
	return run;
}

/* writes what is left, and the row the function returns */
static void
run_end(Run *run, FunctionCallInfo fcinfo, int64 rejected_before)
{
	DmpBatch *batch = &run->batch;
	Datum values[7];
	bool nulls[7] = {batch->rows_read == 0};
	Interval *elapsed = palloc0(sizeof(Interval));

	(void) dmp_quarantine_end(run->quarantine);
	batch->ignored = dmp_decoder_ignored(run->decoder);
	/* a run that found nothing leaves no batch behind */
	if (batch->rows_read > 0)
		dmp_batch_record(run->source, batch);
	elapsed->time = GetCurrentTimestamp() - batch->started_at;
	values[0] = Int64GetDatum(batch->id);
	values[1] = Int64GetDatum(batch->rows_read + rejected_before);
	values[2] = Int64GetDatum(batch->rows_loaded);
	values[3] = Int64GetDatum(batch->rows_duplicate);
	values[4] = Int64GetDatum(batch->rows_quarantined + rejected_before);
	values[5] = batch->ignored;
	values[6] = IntervalPGetDatum(elapsed);
	dmp_srf_row(fcinfo, values, nulls);
}

/* the stored position of a cluster */
static void
read_position(const Run *run, Horizon *h)
{
	DmpArgs args = {0};
	bool isnull;
	Datum value;

	dmp_arg_int4(&args, run->source->id);
	dmp_arg_int4(&args, h->cluster);
	if (dmp_spi_registry("SELECT snapshot, own_xact, own_id FROM dmp_internal.source_position"
						 " WHERE source_id = $1 AND cluster = $2",
						 &args, false) == 0)
		return;
	value = dmp_spi_datum(0, 1, &isnull);
	h->stored = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	value = dmp_spi_datum(0, 2, &isnull);
	if (!isnull)
		h->stored_own_xact = DatumGetFullTransactionId(value);
	h->stored_own_id = dmp_spi_int8(0, 3, 0);
}

static Datum
make_snapshot(const char *snapshot)
{
	return DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(snapshot));
}

static void
write_position(const Run *run, Horizon *h)
{
	DmpArgs args = {0};
	Datum snapshot = h->current;

	if (!h->own)
	{
		uint64 next = U64FromFullTransactionId(h->largest) + 1;

		if (!FullTransactionIdIsValid(h->largest))
			return;
		/* never backwards: rows may have been deleted from the lake */
		if (h->stored != (Datum) 0)
			next = Max(next, U64FromFullTransactionId(DatumGetFullTransactionId(
								 DirectFunctionCall1(pg_snapshot_xmax, h->stored))));
		snapshot = make_snapshot(psprintf(UINT64_FORMAT ":" UINT64_FORMAT ":", next, next));
	}
	dmp_arg_int4(&args, run->source->id);
	dmp_arg_int4(&args, h->cluster);
	dmp_arg(&args, PG_SNAPSHOTOID, snapshot, false);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(h->xact), !h->own);
	dmp_arg(&args, INT8OID, Int64GetDatum(h->own_id), !h->own);
	dmp_spi_registry("INSERT INTO dmp_internal.source_position AS p"
					 " (source_id, cluster, snapshot, own_xact, own_id)"
					 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source_id, cluster) DO UPDATE"
					 " SET snapshot = excluded.snapshot, own_xact = excluded.own_xact,"
					 " own_id = excluded.own_id",
					 &args, false);
}

/* reads what one cluster wrote and nobody consumed */
static void
ingest_cluster(Run *run, Horizon *h)
{
	DmpArgs args = {0};
	char *sql;
	Portal portal;
	FullTransactionId from = {0};

	read_position(run, h);
	if (FullTransactionIdEquals(h->stored_own_xact, h->xact))
		h->own_id = h->stored_own_id;
	if (h->stored != (Datum) 0)
		from = DatumGetFullTransactionId(DirectFunctionCall1(pg_snapshot_xmin, h->stored));
	/* rows of a transaction that ingested and then wrote more */
	if (FullTransactionIdIsValid(h->stored_own_xact) &&
		FullTransactionIdPrecedes(h->stored_own_xact, from))
		from = h->stored_own_xact;
	dmp_arg_int4(&args, h->cluster);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(from), false);
	/* the first time all of it is read: not by the index, which "+ 0" keeps out */
	sql = psprintf("SELECT id, xact, line, received_at, origin, line_no FROM %s WHERE %s%s",
				   dmp_relation_name(run->source->lake),
				   h->stored != (Datum) 0 ? "cluster = $1 AND xact >= $2" : "cluster + 0 = $1",
				   run->source->update ? " ORDER BY id" : "");
	portal =
		SPI_cursor_open_with_args(NULL, sql, args.n, args.types, args.values, args.nulls, false, 0);
	process_cursor(run, portal, h);
	write_position(run, h);
}

static void
ingest_lake(Run *run)
{
	char *lake = dmp_relation_name(run->source->lake);
	int32 here = dmp_cluster_id();
	DmpArgs after = {0};
	Horizon own = {0};
	bool isnull;
	Datum snapshot;

	/* the source is locked: whatever was consumed before is visible from here on */
	dmp_spi("SELECT pg_catalog.pg_current_snapshot()", NULL, false);
	snapshot = dmp_spi_datum(0, 1, &isnull);
	own.current = PointerGetDatum(PG_DETOAST_DATUM_COPY(snapshot));
	own.xact = GetTopFullTransactionId();
	own.own = true;
	own.cluster = here;

	/* the clusters in the lake, by skipping through the index */
	dmp_arg_int4(&after, PG_INT32_MIN);
	for (;;)
	{
		Horizon other = {0};

		if (dmp_spi(psprintf("SELECT cluster FROM %s WHERE cluster >= $1 ORDER BY cluster LIMIT 1",
							 lake),
					&after, false) == 0)
			break;
		other.cluster = (int32) dmp_spi_int8(0, 1, 0);
		if (other.cluster != here)
			ingest_cluster(run, &other);
		if (other.cluster == PG_INT32_MAX)
			break;
		after.values[0] = Int32GetDatum(other.cluster + 1);
	}
	ingest_cluster(run, &own);
}

/*
 * dmp.ingest(source, path) -> TABLE(batch, rows_read, rows_loaded,
 * rows_duplicate, rows_quarantined, fields_ignored, elapsed): what came to
 * the lake since the last run, to the table; with path, dmp.load_file first.
 * Blank lines are no records.
 */
Datum
dmp_ingest(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	TimestampTz started_at = GetCurrentTimestamp();
	DmpSource *source;
	Run *run;
	int64 rejected = 0;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	dmp_lake_check(source);
	if (!PG_ARGISNULL(1))
		rejected = dmp_load(source, text_to_cstring(PG_GETARG_TEXT_PP(1))).rows_quarantined;
	dmp_lake_ensure_partitions(source);
	run = run_begin(source, "ingest", started_at);
	ingest_lake(run);
	run_end(run, fcinfo, rejected);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* what became of the rows of a retry, into dmp.quarantine */
static void
record_outcome(Run *run, Datum ids)
{
	DmpArgs args = {0};

	dmp_arg(&args, INT8ARRAYOID, ids, false);
	dmp_register_rows("dmp_outcome", run->outcome_desc, run->outcome, run->n_outcome);
	dmp_spi_registry("UPDATE dmp.quarantine q SET column_name = o.column_name, reason = o.reason,"
					 " sqlstate = o.sqlstate FROM dmp_outcome o"
					 " WHERE q.id OPERATOR(pg_catalog.=) o.id",
					 NULL, false);
	dmp_spi_registry("UPDATE dmp.quarantine SET state = 'loaded' WHERE id = ANY ($1)"
					 " AND NOT EXISTS (SELECT FROM dmp_outcome o WHERE o.id = quarantine.id)",
					 &args, false);
	SPI_unregister_relation("dmp_outcome");
}

static TupleDesc
make_outcome_desc(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(5);

	TupleDescInitEntry(desc, 1, "id", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "ok", BOOLOID, -1, 0);
	TupleDescInitEntry(desc, 3, "column_name", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 4, "reason", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 5, "sqlstate", TEXTOID, -1, 0);
	return desc;
}

/*
 * dmp.retry_quarantine(source, ids) -> as ingest: open records of the source
 * (all, or those of ids) once more. What loads, or is a duplicate, becomes
 * 'loaded'; the rest stays open with its new reason.
 */
Datum
dmp_retry_quarantine(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	DmpSource *source;
	DmpArgs args = {0};
	Run *run;
	Datum ids;
	bool isnull;
	Portal portal;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	run = run_begin(source, "retry", GetCurrentTimestamp());
	run->outcome = tuplestore_begin_heap(false, false, work_mem);
	run->outcome_desc = make_outcome_desc();
	dmp_arg_text(&args, name);
	dmp_arg(&args, INT8ARRAYOID, PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	/* a name may have been another's before: a superuser sees those too */
	dmp_arg_oid(&args, source->owner);
	/* which they are is fixed first: a record corrected meanwhile is read as it is then */
	dmp_spi("SELECT coalesce(array_agg(id), '{}') FROM (SELECT id FROM dmp.quarantine"
			" WHERE source = $1 AND owner::oid = $3 AND state = 'open' AND record IS NOT NULL"
			" AND ($2 IS NULL OR id = ANY ($2)) ORDER BY id FOR UPDATE) q",
			&args, false);
	ids = PointerGetDatum(PG_DETOAST_DATUM_COPY(dmp_spi_datum(0, 1, &isnull)));
	args.n = 0;
	dmp_arg(&args, INT8ARRAYOID, ids, false);
	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT coalesce(lake_id, 0), NULL, record, received_at,"
									   " origin, line_no, id FROM dmp.quarantine"
									   " WHERE id = ANY ($1) ORDER BY id",
									   args.n, args.types, args.values, args.nulls, false, 0);
	process_cursor(run, portal, NULL);
	record_outcome(run, ids);
	tuplestore_end(run->outcome);
	run_end(run, fcinfo, 0);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
