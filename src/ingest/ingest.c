/*-------------------------------------------------------------------------
 * ingest.c
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
#include "ingest/run.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_ingest);

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

/* whether the row is to be read now */
static bool
is_wanted(void *arg, FullTransactionId xact, int64 id)
{
	Horizon *h = arg;

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

/* the stored position of a cluster */
static void
read_position(const DmpRun *run, Horizon *h)
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
write_position(const DmpRun *run, Horizon *h)
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

/*
 * What live took (live.c), as a condition. A range is visible when the rows
 * it names are: one transaction wrote both.
 */
static const char not_taken[] =
	" AND NOT EXISTS (SELECT FROM dmp_internal.source_taken t WHERE t.source_id = $3"
	" AND t.cluster = $1 AND t.xact = l.xact AND l.id BETWEEN t.first_id AND t.last_id)";

/*
 * Ranges of transactions that the new position covers say nothing more. Those
 * of this transaction do: its own_id is of what was read here.
 */
static void
forget_taken(const DmpRun *run, const Horizon *h)
{
	DmpArgs args = {0};

	dmp_arg_int4(&args, run->source->id);
	dmp_arg_int4(&args, h->cluster);
	dmp_arg(&args, PG_SNAPSHOTOID, h->current, false);
	dmp_spi_registry("DELETE FROM dmp_internal.source_taken WHERE source_id = $1 AND cluster = $2"
					 " AND pg_catalog.pg_visible_in_snapshot(xact, $3)",
					 &args, false);
}

/* reads what one cluster wrote and nobody consumed */
static void
ingest_cluster(DmpRun *run, Horizon *h)
{
	DmpArgs args = {0};
	char *sql;
	Portal portal;
	FullTransactionId from = {0};
	bool taken;

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
	dmp_arg_int4(&args, run->source->id);
	taken = dmp_spi_registry("SELECT FROM dmp_internal.source_taken WHERE source_id = $3"
							 " AND cluster = $1 AND $2 IS NOT NULL LIMIT 1",
							 &args, false) > 0;
	sql = psprintf("SELECT " DMP_RUN_COLUMNS " FROM %s l WHERE %s%s%s",
				   dmp_relation_name(run->source->lake),
				   h->stored != (Datum) 0 ? "cluster = $1 AND xact >= $2" : "cluster + 0 = $1",
				   taken ? not_taken : "", run->source->update ? " ORDER BY id" : "");
	portal =
		SPI_cursor_open_with_args(NULL, sql, args.n, args.types, args.values, args.nulls, false, 0);
	run->wanted = is_wanted;
	run->wanted_arg = h;
	dmp_run_cursor(run, portal);
	write_position(run, h);
	if (taken && h->own)
		forget_taken(run, h);
}

void
dmp_run_lake(DmpRun *run)
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

void
dmp_ingest_waiting(DmpSource *source)
{
	DmpRun *run = dmp_run_begin(source, "ingest", dmp_batch_next(), GetCurrentTimestamp());

	dmp_run_lake(run);
	dmp_run_finish(run);
	if (run->batch.rows_read == 0)
		return;
	dmp_batch_record(source, &run->batch);
	ereport(NOTICE, (errmsg_plural("%lld record that waited in the lake was ingested",
								   "%lld records that waited in the lake were ingested",
								   run->batch.rows_read, (long long) run->batch.rows_read)));
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
	DmpRun *run;
	int64 rejected = 0;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	dmp_lake_check(source);
	if (!PG_ARGISNULL(1))
		rejected = dmp_load(source, text_to_cstring(PG_GETARG_TEXT_PP(1))).rows_quarantined;
	dmp_lake_ensure_partitions(source);
	run = dmp_run_begin(source, "ingest", dmp_batch_next(), started_at);
	dmp_run_lake(run);
	dmp_run_end(run, fcinfo, rejected);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
