/*-------------------------------------------------------------------------
 * ledger_drop.c
 *		dmp.drop_audit(): months of the log that are kept no longer.
 *
 * A month goes as a whole, and only when all of it was sealed and its chunks
 * are as many as were sealed: nothing that was put in or taken out by hand
 * disappears with it. Headers stay, so the chain goes on to verify; what says
 * that a chunk is gone on purpose is a row of dmp_internal.audit_dropped and
 * an entry of the log, sealed with the next block.
 *-------------------------------------------------------------------------
 */
#include "govern/audit.h"
#include "govern/ledger.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_drop_audit);

typedef struct Month
{
	Oid relid;
	char *name;
	TimestampTz from_at;
	TimestampTz to_at;
	int64 entries;
} Month;

/* arguments $1 and $2 of statements about a month */
static void
month_args(DmpArgs *args, const Month *month)
{
	memset(args, 0, sizeof(*args));
	dmp_arg(args, TIMESTAMPTZOID, TimestampTzGetDatum(month->from_at), false);
	dmp_arg(args, TIMESTAMPTZOID, TimestampTzGetDatum(month->to_at), false);
}

static void
refuse_unsealed(const Month *month)
{
	if (dmp_spi_registry(
			psprintf("SELECT FROM dmp_internal.%s AS c WHERE c.xact >= coalesce("
					 "(SELECT b.horizon FROM dmp_internal.audit_block AS b "
					 "WHERE b.cluster = c.cluster ORDER BY b.block DESC LIMIT 1), '0') LIMIT 1",
					 quote_identifier(month->name)),
			NULL, false) > 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("%s has entries that are not sealed", month->name),
						errhint("SELECT * FROM dmp.seal_audit() first.")));
}

/* every chunk was sealed, and what was sealed is there */
static void
check_month(Month *month)
{
	DmpArgs args;
	int64 here, sealed;

	refuse_unsealed(month);
	dmp_spi_registry(
		psprintf("SELECT count(*), coalesce(sum(entries), 0)::bigint FROM dmp_internal.%s",
				 quote_identifier(month->name)),
		NULL, false);
	here = dmp_spi_int8(0, 1, 0);
	month->entries = dmp_spi_int8(0, 2, 0);
	month_args(&args, month);
	dmp_spi_registry("SELECT count(*) FROM dmp_internal.audit_block AS b "
					 "JOIN dmp_internal.audit_commitment AS k USING (block), "
					 "dmp_internal.audit_directory(k.directory) AS p "
					 "WHERE b.first_at < $2 AND b.last_at >= $1 AND p.at >= $1 AND p.at < $2",
					 &args, false);
	sealed = dmp_spi_int8(0, 1, 0);
	if (here != sealed)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("%s is not what was sealed", month->name),
				 errdetail("It has " INT64_FORMAT " chunks, " INT64_FORMAT " were sealed.", here,
						   sealed),
				 errhint("SELECT * FROM dmp.verify_audit() tells what was changed.")));
}

static void
drop_month(Month *month)
{
	DmpArgs args;
	StringInfoData json;

	month_args(&args, month);
	dmp_arg_text(&args, month->name);
	dmp_arg_int8(&args, month->entries);
	dmp_arg_text(&args, GetUserNameFromId(GetUserId(), false));
	dmp_spi_registry("INSERT INTO dmp_internal.audit_dropped "
					 "VALUES ($3, $1, $2, $4, clock_timestamp(), $5)",
					 &args, false);
	dmp_spi_registry(psprintf("DROP TABLE dmp_internal.%s", quote_identifier(month->name)), NULL,
					 false);
	month_args(&args, month);
	dmp_spi_registry(
		"DELETE FROM dmp_internal.audit_commitment AS k USING dmp_internal.audit_block AS b "
		"WHERE b.block = k.block AND b.first_at >= $1 AND b.last_at < $2",
		&args, false);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"dropped\": ");
	escape_json(&json, month->name);
	appendStringInfo(&json, ", \"entries\": " INT64_FORMAT "}", month->entries);
	dmp_audit_event(InvalidOid, 'E', json.data);
}

static List *
months_before(TimestampTz before)
{
	DmpArgs args = {0};
	List *months = NIL;
	uint64 i, n;

	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(before), false);
	n = dmp_spi_registry(
		"SELECT c.oid, c.relname, m[1]::timestamptz, m[2]::timestamptz FROM pg_inherits AS i "
		"JOIN pg_class AS c ON c.oid = i.inhrelid, "
		"regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']+)''\\) TO "
		"\\(''([^'']+)''\\)') AS m "
		"WHERE i.inhparent = 'dmp_internal.audit_chunk'::regclass AND m[2]::timestamptz <= $1 "
		"ORDER BY 3",
		&args, false);
	for (i = 0; i < n; i++)
	{
		Month *month = palloc0(sizeof(Month));
		bool isnull;

		month->relid = DatumGetObjectId(dmp_spi_datum(i, 1, &isnull));
		month->name = dmp_spi_text(i, 2);
		month->from_at = DatumGetTimestampTz(dmp_spi_datum(i, 3, &isnull));
		month->to_at = DatumGetTimestampTz(dmp_spi_datum(i, 4, &isnull));
		months = lappend(months, month);
	}
	return months;
}

/* dmp.drop_audit(before) -> (partition, entries): months that ended by then, oldest first */
Datum
dmp_drop_audit(PG_FUNCTION_ARGS)
{
	List *months;
	ListCell *lc;
	int guc_level;

	dmp_srf_begin(fcinfo);
	PreventCommandIfReadOnly("dmp.drop_audit()");
	if (!dmp_ledger_turn())
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
						errmsg("another session seals the audit log"), errhint("Try again.")));
	dmp_spi_connect();
	months = months_before(PG_GETARG_TIMESTAMPTZ(0));
	foreach (lc, months)
		check_month(lfirst(lc));
	if (months != NIL)
	{
		/* writers wait behind us for this lock: not for long */
		guc_level = NewGUCNestLevel();
		(void) set_config_option("lock_timeout", "2s", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
		LockRelationOid(get_relname_relid("audit_chunk", get_namespace_oid("dmp_internal", false)),
						AccessExclusiveLock);
		AtEOXact_GUC(false, guc_level);
	}
	foreach (lc, months)
	{
		Month *month = lfirst(lc);
		Datum values[2];
		bool nulls[2] = {false, false};

		/* a transaction that began back then may have written meanwhile */
		refuse_unsealed(month);
		drop_month(month);
		values[0] = CStringGetTextDatum(month->name);
		values[1] = Int64GetDatum(month->entries);
		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	return (Datum) 0;
}
