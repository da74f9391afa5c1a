/*-------------------------------------------------------------------------
 * runs.c
 *		What runs of recipes did, and undoing them.
 *
 * A run is recorded with its recipe, its query and the settings it had, so
 * that it can be explained later, and with the transaction id of the rows it
 * wrote. Rows of a table say who wrote them (xmin), so the rows of a run need
 * no mark of ours: when as many rows have its id as it wrote, they are there
 * as it left them, and dmp.undo_run removes exactly these; when not, some were
 * changed or deleted since, or written anew (ALTER TABLE, dump and restore),
 * and it refuses.
 *
 * Rows that a run replaces are kept when it is told to: in a table beside the
 * one it writes, of the same owner as any table he makes. One is kept for a
 * table: that of an earlier run goes.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/xid8.h"

#include "clean/run.h"

PG_FUNCTION_INFO_V1(dmp_undo_run);

/* a transaction id of 32 bits is the same id within half their number */
#define XACT_REACH UINT64CONST(2000000000)

/* the caller's columns of a table that an INSERT may name, quoted */
static char *
plain_columns(Oid relid)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, relid);
	dmp_spi("SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' ORDER BY attnum)"
			" FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0"
			" AND NOT attisdropped AND attgenerated = ''",
			&args, true);
	return dmp_spi_text(0, 1);
}

/* Drop what an earlier run kept of the same table. */
static void
drop_kept(Oid into)
{
	DmpArgs args = {0};
	List *kept = NIL;
	ListCell *lc;
	uint64 n;

	dmp_arg_oid(&args, into);
	n = dmp_spi("SELECT DISTINCT r.kept_table FROM dmp_internal.recipe_run r"
				" JOIN pg_catalog.pg_class c ON c.oid = r.kept_table"
				" WHERE r.into_table::oid = $1 AND pg_catalog.pg_has_role(c.relowner, 'USAGE')",
				&args, false);
	for (uint64 i = 0; i < n; i++)
		kept = lappend_oid(kept, (Oid) dmp_spi_int8(i, 1, 0));
	foreach (lc, kept)
	{
		dmp_spi(psprintf("DROP TABLE %s", dmp_relation_name(lfirst_oid(lc))), NULL, false);
		args.n = 0;
		dmp_arg_oid(&args, lfirst_oid(lc));
		dmp_spi_registry("UPDATE dmp_internal.recipe_run SET kept_table = NULL"
						 " WHERE kept_table::oid = $1",
						 &args, false);
	}
}

void
dmp_run_keep(CleanRun *run)
{
	Oid into = dmp_relation_oid(run->into_name, true);
	char *name;

	if (strcmp(run->if_exists, "replace") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("keep_replaced is for if_exists => 'replace'")));
	if (!OidIsValid(into))
		return;
	if (check_enable_rls(into, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("row security hides rows of table \"%s\"", run->into_name),
						errdetail("What is not seen cannot be kept.")));
	drop_kept(into);
	name = psprintf("%.40s_before_run_" INT64_FORMAT, get_rel_name(into), run->run);
	name[pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1)] = '\0';
	/* TRUNCATE will take this lock: nobody writes between the copy and it */
	dmp_spi(psprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", dmp_relation_name(into)), NULL,
			false);
	dmp_spi(psprintf("CREATE TABLE %s AS SELECT %s FROM %s",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(into)), name),
					 plain_columns(into), dmp_relation_name(into)),
			NULL, false);
	run->kept = get_relname_relid(name, get_rel_namespace(into));
	dmp_spi(psprintf("COMMENT ON TABLE %s IS %s", dmp_relation_name(run->kept),
					 quote_literal_cstr(psprintf("what run " INT64_FORMAT " replaced in %s",
												 run->run, dmp_relation_name(into)))),
			NULL, false);
}

void
dmp_run_record(const CleanRun *run)
{
	DmpArgs args = {0};

	dmp_arg_int8(&args, run->run);
	dmp_arg_text(&args, run->recipe->name);
	dmp_arg(&args, INT4OID, Int32GetDatum(run->recipe->version), run->recipe->name == NULL);
	dmp_arg_text(&args, run->recipe->text);
	dmp_arg_text(&args, run->query);
	dmp_arg_text(&args, GetConfigOption("search_path", false, false));
	dmp_arg_text(&args, GetConfigOption("TimeZone", false, false));
	dmp_arg_text(&args, GetConfigOption("DateStyle", false, false));
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(run->into), false);
	dmp_arg_text(&args, run->if_exists);
	dmp_arg_bool(&args, run->created);
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(run->kept), !OidIsValid(run->kept));
	dmp_arg_int4(&args, dmp_cluster_id());
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(run->xact), false);
	dmp_arg_int8(&args, run->rows_written);
	dmp_arg_int8(&args, run->rows_in);
	dmp_arg_int8(&args, run->rows_out);
	dmp_arg_int8(&args, run->cells_changed);
	dmp_arg_int8(&args, run->rows_quarantined);
	dmp_arg_text(&args, run->steps);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(run->started_at), false);
	dmp_arg_oid(&args, GetUserId());
	dmp_arg(&args, INT8OID, Int64GetDatum(run->lineage), run->lineage == 0);
	dmp_arg_text(&args, run->rows_select);
	dmp_arg_text(&args, run->stats);
	dmp_arg_text(&args, run->before);
	dmp_arg_text_array(&args, run->new_rows);
	dmp_spi_registry(
		"INSERT INTO dmp_internal.recipe_run (run, recipe, version, document, query, search_path,"
		" time_zone, date_style, into_table, if_exists, created, kept_table, cluster, xact,"
		" rows_written, rows_in, rows_out, cells_changed, rows_quarantined, steps, started_at,"
		" done_by, lineage, rows_select, stats, snapshots_before, new_rows)"
		" VALUES ($1, $2, $3, $4::json, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
		" $18, $19, $20::json, $21, $22, $23, $24, $25::json, $26::json, nullif($27, '{}'))",
		&args, false);
}

static void
pg_attribute_noreturn() no_such_run(int64 number)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("run " INT64_FORMAT " does not exist", number),
					errhint("dmp.recipe_runs lists them.")));
}

/* Lives in the context of the caller's SPI connection. */
CleanRun *
dmp_run_find(int64 number)
{
	CleanRun *run = palloc0(sizeof(CleanRun));
	DmpRecipe *recipe = palloc0(sizeof(DmpRecipe));
	DmpArgs args = {0};

	dmp_arg_int8(&args, number);
	if (dmp_spi_registry("SELECT done_by::oid, recipe, version, document, query, search_path,"
						 " time_zone, date_style, into_table, if_exists, rows_in, steps,"
						 " lineage, rows_select, stats FROM dmp_internal.recipe_run WHERE run = $1",
						 &args, true) == 0)
		no_such_run(number);
	dmp_check_owner((Oid) dmp_spi_int8(0, 1, 0), "run", psprintf(INT64_FORMAT, number));
	run->run = number;
	recipe->name = dmp_spi_text(0, 2);
	recipe->version = (int) dmp_spi_int8(0, 3, 0);
	recipe->text = dmp_spi_text(0, 4);
	recipe->doc = dmp_doc_parse(recipe->text, "recipe");
	run->recipe = recipe;
	run->query = dmp_spi_text(0, 5);
	run->search_path = dmp_spi_text(0, 6);
	run->time_zone = dmp_spi_text(0, 7);
	run->date_style = dmp_spi_text(0, 8);
	run->into = (Oid) dmp_spi_int8(0, 9, 0);
	run->if_exists = dmp_spi_text(0, 10);
	run->rows_in = dmp_spi_int8(0, 11, 0);
	run->steps = dmp_spi_text(0, 12);
	run->lineage = dmp_spi_int8(0, 13, 0);
	run->rows_select = dmp_spi_text(0, 14);
	run->stats = dmp_spi_text(0, 15);
	return run;
}

/* ---- undoing */

typedef struct Undo
{
	int64 run;
	Oid into;
	char *table; /* name of into */
	Oid kept;
	bool created;
	bool replaced;
	int64 rows_written;
	FullTransactionId xact;
	int32 cluster;
	int64 lineage;
	char *snapshots; /* of the lineage, before */
} Undo;

static void
pg_attribute_noreturn() cannot_undo(const Undo *undo, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("run " INT64_FORMAT " cannot be undone", undo->run), errdetail("%s", detail)));
}

/* The run, locked; its owner's members only. */
static void
read_run(Undo *undo, int64 number)
{
	DmpArgs args = {0};
	char *state;
	bool isnull;
	char *if_exists;

	undo->run = number;
	dmp_arg_int8(&args, number);
	if (dmp_spi_registry(
			"SELECT into_table, kept_table, created, if_exists, rows_written, xact,"
			" cluster, state, done_by::oid, lineage, snapshots_before FROM dmp_internal.recipe_run"
			" WHERE run = $1 FOR UPDATE",
			&args, false) == 0)
		no_such_run(number);
	dmp_check_owner((Oid) dmp_spi_int8(0, 9, 0), "run", psprintf(INT64_FORMAT, number));
	undo->into = (Oid) dmp_spi_int8(0, 1, 0);
	undo->kept = (Oid) dmp_spi_int8(0, 2, 0);
	undo->created = dmp_spi_bool(0, 3, false);
	if_exists = dmp_spi_text(0, 4);
	undo->replaced = !undo->created && strcmp(if_exists, "replace") == 0;
	undo->rows_written = dmp_spi_int8(0, 5, 0);
	undo->xact = DatumGetFullTransactionId(dmp_spi_datum(0, 6, &isnull));
	undo->cluster = (int32) dmp_spi_int8(0, 7, 0);
	state = dmp_spi_text(0, 8);
	undo->lineage = dmp_spi_int8(0, 10, 0);
	undo->snapshots = dmp_spi_text(0, 11);
	if (strcmp(state, "undone") == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("run " INT64_FORMAT " is undone already", number)));
	if (get_rel_name(undo->into) == NULL)
		cannot_undo(undo, "The table it wrote no longer exists.");
	undo->table = dmp_relation_name(undo->into);
}

/* Later runs over new rows count on what this one took. */
static void
check_lineage(const Undo *undo)
{
	DmpArgs args = {0};

	if (undo->lineage == 0)
		return;
	dmp_arg_int8(&args, undo->lineage);
	dmp_spi_registry("SELECT last_run FROM dmp_internal.recipe_lineage WHERE id = $1 FOR UPDATE",
					 &args, false);
	if (SPI_processed > 0 && dmp_spi_int8(0, 1, 0) != undo->run)
		cannot_undo(undo, psprintf("Run " INT64_FORMAT " went on with the rows behind it: undo "
								   "that first.",
								   dmp_spi_int8(0, 1, 0)));
}

/* Whether the table is as the run left it, as far as undoing it goes. */
static void
check_table(const Undo *undo)
{
	DmpArgs args = {0};
	uint64 now = U64FromFullTransactionId(ReadNextFullTransactionId());
	int64 here;
	int64 all;

	if (undo->replaced && !OidIsValid(undo->kept))
		cannot_undo(undo, "What it replaced was not kept: that takes keep_replaced => true, and is "
						  "kept until the next such run.");
	if (undo->replaced && get_rel_name(undo->kept) == NULL)
		cannot_undo(undo, "The table with what it replaced no longer exists.");
	if (undo->cluster != dmp_cluster_id() ||
		now - U64FromFullTransactionId(undo->xact) > XACT_REACH)
		cannot_undo(undo, "Its rows cannot be told from others any more: the database was restored "
						  "from a dump, or it is too long ago.");
	dmp_arg(&args, XIDOID, TransactionIdGetDatum(XidFromFullTransactionId(undo->xact)), false);
	dmp_spi(psprintf("SELECT count(*) FILTER (WHERE xmin = $1), count(*) FROM %s", undo->table),
			&args, false);
	here = dmp_spi_int8(0, 1, 0);
	all = dmp_spi_int8(0, 2, 0);
	if (here != undo->rows_written)
		cannot_undo(undo, psprintf("Table %s was changed since: of the " INT64_FORMAT
								   " rows it wrote, " INT64_FORMAT " are as it left them.",
								   undo->table, undo->rows_written, here));
	if ((undo->created || undo->replaced) && all != here)
		cannot_undo(undo, psprintf("Table %s was changed since: of its " INT64_FORMAT
								   " rows the run wrote " INT64_FORMAT ".",
								   undo->table, all, here));
}

static void
restore_table(FunctionCallInfo fcinfo, const Undo *undo)
{
	DmpArgs args = {0};
	char *columns;
	uint64 rows;

	if (undo->created)
	{
		dmp_spi(psprintf("DROP TABLE %s", undo->table), NULL, false);
		dmp_srf_act(fcinfo, undo->table, "dropped", undo->rows_written);
		return;
	}
	if (!undo->replaced)
	{
		dmp_arg(&args, XIDOID, TransactionIdGetDatum(XidFromFullTransactionId(undo->xact)), false);
		rows = dmp_spi(psprintf("DELETE FROM %s WHERE xmin = $1", undo->table), &args, false);
		if ((int64) rows != undo->rows_written)
			cannot_undo(undo, "A rule, a trigger or row security kept some of its rows.");
		dmp_srf_act(fcinfo, undo->table, "rows deleted", (int64) rows);
		return;
	}
	columns = plain_columns(undo->kept);
	dmp_spi(psprintf("TRUNCATE %s", undo->table), NULL, false);
	rows = dmp_spi(psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s",
							undo->table, columns, columns, dmp_relation_name(undo->kept)),
				   NULL, false);
	dmp_srf_act(fcinfo, undo->table, "rows put back", (int64) rows);
	dmp_srf_act(fcinfo, dmp_relation_name(undo->kept), "dropped", (int64) rows);
	dmp_spi(psprintf("DROP TABLE %s", dmp_relation_name(undo->kept)), NULL, false);
}

/*
 * dmp.undo_run(run bigint) -> TABLE(object, action, rows)
 *
 * The table as it was before the run, as the caller; the run's rows in the
 * quarantine go.
 */
Datum
dmp_undo_run(PG_FUNCTION_ARGS)
{
	Undo undo = {0};
	DmpArgs args = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("run must not be null")));
	/* an old snapshot would not see what was written since */
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("dmp.undo_run needs a transaction that is READ COMMITTED")));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	read_run(&undo, PG_GETARG_INT64(0));
	dmp_spi(psprintf("LOCK TABLE %s IN %s MODE", undo.table,
					 undo.created || undo.replaced ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE"),
			NULL, false);
	check_lineage(&undo);
	check_table(&undo);
	restore_table(fcinfo, &undo);
	dmp_new_rows_undo(undo.run, undo.lineage, undo.snapshots);
	dmp_arg_int8(&args, undo.run);
	dmp_srf_act(
		fcinfo, "dmp.quarantine", "rows deleted",
		(int64) dmp_spi_registry("DELETE FROM dmp.quarantine WHERE batch = $1 AND source IS NULL",
								 &args, false));
	dmp_spi_registry("UPDATE dmp_internal.recipe_run SET state = 'undone', kept_table = NULL,"
					 " undone_at = pg_catalog.clock_timestamp() WHERE run = $1",
					 &args, false);
	dmp_spi_finish();
	return (Datum) 0;
}
