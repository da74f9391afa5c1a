/*-------------------------------------------------------------------------
 * retain.c
 *		dmp.drop_lake_days: old days of a lake, once they are consumed.
 *
 * A partition goes as a whole, by DROP TABLE, when all of it lies before the
 * day and no record of it waits: what dmp.ingest has not taken is never lost,
 * the partition is kept and it is said. Of the default partition the consumed
 * rows before the day are deleted.
 *
 * Dropping a partition locks the lake table against its writers, for a moment
 * but after they have ended. What is long comes before: all rows are counted
 * and looked at, and under the lock only those of transactions that had not
 * ended by then, by the index on (cluster, xact). The source remembers up to which day its lake may have gaps, as a
 * replay of those days would take rows away and bring nothing.
 *-------------------------------------------------------------------------
 */
#include "ingest/run.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_drop_lake_days);

typedef struct Partition
{
	Oid relid;
	char *name;
	char *to_day; /* the first it does not hold */
	int64 rows;
	int64 waiting; /* that nobody consumed */
} Partition;

/* rows that nobody consumed, as a condition on l; arguments by set_positions */
static const char waiting[] =
	"pg_catalog.btrim(l.line, E' \\t\\r\\n') <> ''"
	" AND NOT EXISTS (SELECT FROM unnest($2::int[], $3::pg_snapshot[], $4::xid8[], $5::bigint[])"
	"  AS p (cluster, snapshot, own_xact, own_id) WHERE p.cluster = l.cluster"
	"  AND (pg_catalog.pg_visible_in_snapshot(l.xact, p.snapshot)"
	"   OR (l.xact = p.own_xact AND l.id <= p.own_id)))"
	" AND NOT EXISTS (SELECT FROM dmp_internal.source_taken t WHERE t.source_id = $1"
	"  AND t.cluster = l.cluster AND t.xact = l.xact AND l.id BETWEEN t.first_id AND t.last_id)";

/* the arguments of the above: the source and its positions */
static void
set_positions(DmpArgs *args, const DmpSource *source)
{
	static const Oid types[4] = {INT4ARRAYOID, 0, 0, INT8ARRAYOID};
	DmpArgs id = {0};
	bool isnull;

	dmp_arg_int4(&id, source->id);
	dmp_spi_registry("SELECT coalesce(pg_catalog.array_agg(cluster), '{}'),"
					 " coalesce(pg_catalog.array_agg(snapshot), '{}'),"
					 " coalesce(pg_catalog.array_agg(own_xact), '{}'),"
					 " coalesce(pg_catalog.array_agg(own_id), '{}')"
					 " FROM dmp_internal.source_position WHERE source_id = $1",
					 &id, false);
	dmp_arg_int4(args, source->id);
	for (int i = 0; i < 4; i++)
	{
		Oid type = types[i] ? types[i] : SPI_gettypeid(SPI_tuptable->tupdesc, i + 1);

		dmp_arg(args, type,
				PointerGetDatum(PG_DETOAST_DATUM_COPY(dmp_spi_datum(0, i + 1, &isnull))), false);
	}
}

/* partitions that end on or before the day, oldest first */
static List *
old_partitions(const DmpSource *source, DateADT before)
{
	List *partitions = NIL;
	DmpArgs args = {0};
	int level = NewGUCNestLevel();
	uint64 n;

	/* bounds are read from their text, which the session's style may make ambiguous */
	(void) set_config_option("DateStyle", "ISO", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	dmp_arg_oid(&args, source->lake);
	dmp_arg(&args, DATEOID, DateADTGetDatum(before), false);
	n = dmp_spi(
		"SELECT oid, pg_catalog.timezone('UTC', to_at)::date FROM"
		" (SELECT c.oid, (pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid),"
		"   'TO \\(''([^'']*)''\\)'))[1]::timestamptz AS to_at"
		"  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
		"  WHERE i.inhparent = $1) p"
		" WHERE to_at <= pg_catalog.timezone('UTC', $2::timestamp) ORDER BY to_at, oid",
		&args, true);
	AtEOXact_GUC(false, level);
	for (uint64 i = 0; i < n; i++)
	{
		Partition *p = palloc0(sizeof(Partition));

		p->relid = (Oid) dmp_spi_int8(i, 1, 0);
		p->to_day = dmp_spi_text(i, 2);
		p->name = dmp_relation_name(p->relid);
		partitions = lappend(partitions, p);
	}
	return partitions;
}

/* counts rows and what waits among them; whether some partition has nothing that waits */
static bool
count_rows(List *partitions, const DmpArgs *positions)
{
	bool droppable = false;
	ListCell *lc;

	foreach (lc, partitions)
	{
		DmpArgs args = *positions;
		Partition *p = lfirst(lc);

		dmp_spi(psprintf("SELECT count(*), count(*) FILTER (WHERE %s) FROM %s l", waiting, p->name),
				&args, false);
		p->rows = dmp_spi_int8(0, 1, 0);
		p->waiting = dmp_spi_int8(0, 2, 0);
		droppable |= p->waiting == 0;
	}
	return droppable;
}

/* those whose transactions had not ended when the others were counted, under the lock */
static void
count_late_rows(Partition *p, const DmpArgs *positions, Datum xmin)
{
	DmpArgs args = *positions;

	dmp_arg_int4(&args, dmp_cluster_id());
	dmp_arg(&args, XID8OID, xmin, false);
	dmp_spi(psprintf("SELECT count(*) FROM %s l WHERE l.cluster = $6 AND l.xact >= $7 AND %s",
					 p->name, waiting),
			&args, false);
	p->waiting = dmp_spi_int8(0, 1, 0);
}

static void
report(FunctionCallInfo fcinfo, const char *partition, const char *action, int64 rows)
{
	Datum values[4];
	bool nulls[4] = {false, false, false, true};

	values[0] = CStringGetTextDatum(partition);
	values[1] = CStringGetTextDatum(action);
	values[2] = Int64GetDatum(rows);
	if (strcmp(action, "kept") == 0)
	{
		nulls[3] = false;
		values[3] = CStringGetTextDatum("records that dmp.ingest has not taken");
	}
	dmp_srf_row(fcinfo, values, nulls);
}

/* consumed rows before the day; whether there were any */
static bool
empty_default(FunctionCallInfo fcinfo, const DmpSource *source, DateADT before,
			  const DmpArgs *positions)
{
	Oid relid = get_default_partition_oid(source->lake);
	DmpArgs args = *positions;
	char *name;
	uint64 deleted;
	int64 kept;

	if (!OidIsValid(relid))
		return false;
	name = dmp_relation_name(relid);
	dmp_arg(&args, DATEOID, DateADTGetDatum(before), false);
	deleted = dmp_spi(psprintf("DELETE FROM %s l WHERE l.received_at <"
							   " pg_catalog.timezone('UTC', $6::timestamp)"
							   " AND (%s) IS NOT TRUE",
							   name, waiting),
					  &args, false);
	dmp_spi(psprintf("SELECT count(*) FROM %s l WHERE l.received_at <"
					 " pg_catalog.timezone('UTC', $6::timestamp)",
					 name),
			&args, false);
	kept = dmp_spi_int8(0, 1, 0);
	if (deleted > 0)
		report(fcinfo, name, "emptied", (int64) deleted);
	if (kept > 0)
		report(fcinfo, name, "kept", kept);
	return deleted > 0;
}

static void
remember_dropped(const DmpSource *source, const char *day)
{
	DmpArgs args = {0};

	dmp_arg_int4(&args, source->id);
	dmp_arg_text(&args, day);
	dmp_spi_registry("UPDATE dmp_internal.source SET dropped_before ="
					 " greatest(dropped_before, $2::date) WHERE id = $1",
					 &args, false);
}

static DateADT
day_argument(FunctionCallInfo fcinfo)
{
	DateADT before;
	DateADT today;
	bool isnull;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("before must not be null")));
	before = PG_GETARG_DATEADT(1);
	dmp_spi("SELECT pg_catalog.timezone('UTC', pg_catalog.now())::date", NULL, true);
	today = DatumGetDateADT(dmp_spi_datum(0, 1, &isnull));
	if (before > today)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("before must not be a day to come"),
						errdetail("Today is %s (UTC).",
								  DatumGetCString(DirectFunctionCall1(date_out, today)))));
	return before;
}

/*
 * dmp.drop_lake_days(source, before) -> TABLE(partition, action, rows, detail):
 * what the lake has of days (UTC) before that one, when it is consumed.
 */
Datum
dmp_drop_lake_days(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	DmpSource *source;
	DmpArgs positions = {0};
	List *partitions;
	ListCell *lc;
	DateADT before;
	Datum xmin;
	bool isnull;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	before = day_argument(fcinfo);
	source = dmp_source_get(name, true);
	dmp_lake_check(source);
	if (source->live)
		dmp_ingest_waiting(source);
	partitions = old_partitions(source, before);
	set_positions(&positions, source);
	dmp_spi("SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())", NULL, false);
	xmin = datumCopy(dmp_spi_datum(0, 1, &isnull), FLOAT8PASSBYVAL, sizeof(FullTransactionId));
	if (count_rows(partitions, &positions))
		dmp_spi(psprintf("LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE",
						 dmp_relation_name(source->lake)),
				NULL, false);
	foreach (lc, partitions)
	{
		Partition *p = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (p->waiting == 0)
		{
			LockRelationOid(p->relid, AccessExclusiveLock);
			count_late_rows(p, &positions, xmin);
		}
		if (p->waiting > 0)
		{
			report(fcinfo, p->name, "kept", p->waiting);
			continue;
		}
		dmp_spi(psprintf("DROP TABLE %s", p->name), NULL, false);
		report(fcinfo, p->name, "dropped", p->rows);
		remember_dropped(source, p->to_day);
	}
	if (empty_default(fcinfo, source, before, &positions))
		remember_dropped(source, DatumGetCString(DirectFunctionCall1(date_out, before)));
	dmp_lake_ensure_partitions(source);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
