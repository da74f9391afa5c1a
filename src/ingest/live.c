/*-------------------------------------------------------------------------
 * live.c
 *		Live sources: lines are loaded by the statement that writes them.
 *
 * A statement trigger on the lake table, and on each partition for statements
 * that name one, hands the inserted lines to a run (run.c) in the writer's
 * transaction: both commit, or neither. Bad lines go to quarantine.
 *
 * Exactly once. What a statement took is remembered as (xact, first id, last
 * id) in dmp_internal.source_taken: ids of one transaction grow with time, so
 * no other row of the transaction lies between. dmp.ingest leaves those rows
 * out, takes all others (written while the trigger was not there, disabled,
 * or told to leave them), and forgets the ranges its new position covers.
 * Rows that bring an xact or cluster of their own (a restore of data) are
 * left to ingest, which knows what was consumed of them.
 *
 * Rights. The writer needs INSERT on the lake table and nothing else. The
 * lines are read and loaded as the owner of the source, in a security-
 * restricted operation and with the search_path the owner had when it went
 * live: neither does the writer's search_path choose what the table's code
 * (defaults, checks, triggers) calls, nor can that code act as the writer,
 * now or, by a deferred trigger, at its commit.
 *
 * Writers never wait for each other here, nor for ingest: the source is read,
 * not locked, and of the batches of the day a writer adds to one that nobody
 * else has locked, or makes one. They do wait on equal keys, as any two
 * INSERTs do; rows go in by key, so that two statements cannot deadlock.
 *
 * The lake takes a line in any case. When the source cannot be worked with
 * (its table is gone, the owner lost a right), the writer gets a WARNING and
 * its lines wait for dmp.ingest. Only what says nothing about source or line
 * (a cancel, a deadlock, a full disk) ends the statement.
 *-------------------------------------------------------------------------
 */
#include "ingest/run.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_live);

#define TRIGGER_NAME "dmp_live"

/* which source a statement's lines belong to, and what was taken of them */
typedef struct Live
{
	TriggerData *trigger;
	char *source;
	Oid owner;
	Oid writer;
	char *search_path;
	FullTransactionId xact;
	int64 first_id;
	int64 last_id;
} Live;

char *
dmp_live_search_path(void)
{
	StringInfoData path;
	ListCell *lc;

	initStringInfo(&path);
	foreach (lc, fetch_search_path(false))
		if (!isAnyTempNamespace(lfirst_oid(lc)))
			appendStringInfo(&path, "%s, ", quote_identifier(get_namespace_name(lfirst_oid(lc))));
	/* last: a temporary table of the writer's shadows nothing */
	appendStringInfoString(&path, "pg_temp");
	return path.data;
}

void
dmp_live_partition(const char *name)
{
	dmp_spi(psprintf("CREATE OR REPLACE TRIGGER " TRIGGER_NAME " AFTER INSERT ON %s"
					 " REFERENCING NEW TABLE AS dmp_new FOR EACH STATEMENT"
					 " EXECUTE FUNCTION dmp_internal.live()",
					 name),
			NULL, false);
}

void
dmp_live_on(const DmpSource *source)
{
	ListCell *lc;

	dmp_live_partition(dmp_relation_name(source->lake));
	foreach (lc, dmp_lake_leaves(source->lake, ShareRowExclusiveLock))
		dmp_live_partition(dmp_relation_name(lfirst_oid(lc)));
}

void
dmp_live_off(const DmpSource *source)
{
	ListCell *lc;

	dmp_spi(
		psprintf("DROP TRIGGER IF EXISTS " TRIGGER_NAME " ON %s", dmp_relation_name(source->lake)),
		NULL, false);
	foreach (lc, dmp_lake_leaves(source->lake, AccessExclusiveLock))
		if (OidIsValid(get_trigger_oid(lfirst_oid(lc), TRIGGER_NAME, true)))
			dmp_spi(
				psprintf("DROP TRIGGER " TRIGGER_NAME " ON %s", dmp_relation_name(lfirst_oid(lc))),
				NULL, false);
}

/* the live source of the trigger's table; false: none, the lines are ingest's */
static bool
find_source(Live *live)
{
	static SPIPlanPtr plan = NULL;
	DmpArgs args = {0};
	Oid lake = dmp_lake_of(RelationGetRelid(live->trigger->tg_relation));

	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(lake), false);
	if (dmp_spi_registry_kept(&plan,
							  "SELECT name, owner::oid, search_path FROM dmp_internal.source"
							  " WHERE lake_table::oid OPERATOR(pg_catalog.=) $1::oid AND live",
							  &args) == 0)
		return false;
	live->source = dmp_spi_text(0, 1);
	live->owner = (Oid) dmp_spi_int8(0, 2, 0);
	live->search_path = dmp_spi_text(0, 3);
	/* whoever made another table the lake of this source has no say in its table */
	return pg_class_ownercheck(lake, live->owner);
}

/* rows this statement wrote, of this transaction; and their range */
static bool
is_own(void *arg, FullTransactionId xact, int64 id)
{
	Live *live = arg;

	if (!FullTransactionIdEquals(xact, live->xact))
		return false;
	if (live->last_id == 0 || id < live->first_id)
		live->first_id = id;
	if (live->last_id == 0 || id > live->last_id)
		live->last_id = id;
	return true;
}

/*
 * A batch of today (UTC) of the writer's that nobody else adds to now, locked,
 * or 0. Under a snapshot of the whole transaction one that was added to
 * meanwhile would be an error: there each transaction has its own.
 *
 * A batch takes 1,000 statements and only the newest are looked at: while an
 * old snapshot keeps their former versions, looking must not become slower.
 */
static int64
open_batch(const DmpSource *source, const Live *live)
{
	static SPIPlanPtr plan = NULL;
	DmpArgs args = {0};

	if (IsolationUsesXactSnapshot())
		return 0;
	dmp_arg_text(&args, source->name);
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(source->into), false);
	dmp_arg_oid(&args, source->owner);
	dmp_arg_oid(&args, live->writer);
	if (dmp_spi_registry_kept(
			&plan,
			"SELECT id FROM dmp_internal.batch WHERE id = ANY (ARRAY(SELECT id FROM"
			"  dmp_internal.batch WHERE source = $1 AND kind = 'live' ORDER BY id DESC LIMIT 16))"
			" AND statements < 1000 AND state = 'done' AND into_table::oid = $2::oid AND "
			"owner::oid = $3"
			" AND done_by::oid = $4 AND started_at >= pg_catalog.date_trunc('day',"
			" pg_catalog.now(), 'UTC') ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
			&args) == 0)
		return 0;
	return dmp_spi_int8(0, 1, 0);
}

/* the counts of this statement, on top of what the batch has */
static void
add_to_batch(const DmpBatch *batch)
{
	static SPIPlanPtr plan = NULL;
	DmpArgs args = {0};

	dmp_arg_int8(&args, batch->id);
	dmp_arg_int8(&args, batch->rows_read);
	dmp_arg_int8(&args, batch->rows_loaded);
	dmp_arg_int8(&args, batch->rows_duplicate);
	dmp_arg_int8(&args, batch->rows_quarantined);
	dmp_arg(&args, JSONBOID, batch->ignored, batch->ignored == (Datum) 0);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(batch->first_received_at), false);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(batch->last_received_at), false);
	dmp_spi_registry_kept(
		&plan,
		"UPDATE dmp_internal.batch SET rows_read = rows_read + $2, rows_loaded = rows_loaded + $3,"
		" rows_duplicate = rows_duplicate + $4, rows_quarantined = rows_quarantined + $5,"
		" statements = statements + 1, finished_at = pg_catalog.clock_timestamp(),"
		" first_received_at = least(first_received_at, $7),"
		" last_received_at = greatest(last_received_at, $8),"
		" fields_ignored = CASE WHEN $6 = '{}' THEN fields_ignored ELSE"
		" (SELECT pg_catalog.jsonb_object_agg(key, n) FROM"
		"  (SELECT key, sum(value::bigint) AS n FROM"
		"   (SELECT * FROM pg_catalog.jsonb_each_text(coalesce(fields_ignored, '{}'))"
		"    UNION ALL SELECT * FROM pg_catalog.jsonb_each_text($6)) u GROUP BY key) s) END"
		" WHERE id = $1",
		&args);
}

static void
remember_taken(const DmpSource *source, const Live *live)
{
	static SPIPlanPtr plan = NULL;
	DmpArgs args = {0};

	dmp_arg_int4(&args, source->id);
	dmp_arg_int4(&args, dmp_cluster_id());
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(live->xact), false);
	dmp_arg_int8(&args, live->first_id);
	dmp_arg_int8(&args, live->last_id);
	dmp_spi_registry_kept(
		&plan,
		"INSERT INTO dmp_internal.source_taken (source_id, cluster, xact, first_id,"
		" last_id) VALUES ($1, $2, $3, $4, $5)",
		&args);
}

/* loads the lines, as the owner of the source */
static void
take_lines(Live *live)
{
	DmpArgs args = {0};
	DmpSource *source = dmp_source_get(live->source, false);
	DmpRun *run;
	int64 batch = open_batch(source, live);
	Portal portal;

	if (SPI_register_trigger_data(live->trigger) < 0)
		elog(ERROR, "could not register the new lines");
	run = dmp_run_begin(source, "live", batch ? batch : dmp_batch_next(), GetCurrentTimestamp());
	run->wanted = is_own;
	run->wanted_arg = live;
	dmp_arg_int4(&args, dmp_cluster_id());
	portal = SPI_cursor_open_with_args(
		NULL,
		psprintf("SELECT " DMP_RUN_COLUMNS " FROM %s WHERE cluster = $1%s",
				 quote_identifier(live->trigger->tg_trigger->tgnewtable),
				 source->update ? " ORDER BY id" : ""),
		args.n, args.types, args.values, args.nulls, false, 0);
	dmp_run_cursor(run, portal);
	dmp_run_finish(run);
	if (run->batch.rows_read > 0)
	{
		run->batch.done_by = live->writer;
		if (batch != 0)
			add_to_batch(&run->batch);
		else
			dmp_batch_record(source, &run->batch);
	}
	if (live->last_id != 0)
		remember_taken(source, live);
}

/* errors that say nothing about the source or a line: the writer's statement ends with them */
static bool
ends_statement(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'): /* transaction state */
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'): /* rollback */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'): /* resources */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'): /* intervention */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'): /* system */
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'): /* internal */
			return true;
		default:
			return sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
	}
}

/* take_lines with another identity, in a subtransaction that puts all back on an error */
static void
take_as_owner(Live *live)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resource_owner = CurrentResourceOwner;
	ErrorData *error;
	Oid user;
	int security;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		int level = NewGUCNestLevel();

		GetUserIdAndSecContext(&user, &security);
		SetUserIdAndSecContext(live->owner, security | SECURITY_LOCAL_USERID_CHANGE |
												SECURITY_RESTRICTED_OPERATION);
		(void) set_config_option("search_path", live->search_path, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
		/* what a run tells is nothing the writer asked for */
		(void) set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		take_lines(live);
		AtEOXact_GUC(false, level);
		SetUserIdAndSecContext(user, security);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = resource_owner;
	}
	PG_CATCH();
	{
		/* identity and settings come back with the subtransaction */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = resource_owner;
		if (ends_statement(error->sqlerrcode))
			ReThrowError(error);
		ereport(
			WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("lines for source \"%s\" wait in the lake: %s", live->source, error->message),
			 errhint("SELECT * FROM dmp.ingest(%s); loads them when the cause is gone.",
					 quote_literal_cstr(live->source))));
	}
	PG_END_TRY();
}

/* dmp_internal.live(): AFTER INSERT FOR EACH STATEMENT, with a NEW TABLE */
Datum
dmp_live(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Live live = {0};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) || trigger->tg_newtable == NULL)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("dmp_internal.live() is the trigger of lake tables of live sources"),
						errhint("SELECT * FROM dmp.alter_source('...', live => true);")));
	if (tuplestore_tuple_count(trigger->tg_newtable) == 0)
		return PointerGetDatum(NULL);
	dmp_spi_connect();
	live.trigger = trigger;
	live.writer = GetUserId();
	live.xact = GetTopFullTransactionId();
	if (find_source(&live))
		take_as_owner(&live);
	dmp_spi_finish();
	return PointerGetDatum(NULL);
}
