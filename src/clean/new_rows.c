/*-------------------------------------------------------------------------
 * new_rows.c
 *		Runs over the rows that no earlier run took.
 *
 * Runs of one query into one table, told apart by the same columns, are a
 * lineage. What its runs took is remembered in one of two ways, by what the
 * caller names in new_rows:
 *
 *	- A key: columns that tell rows apart. The keys taken are kept, as hashes
 *	 (dmp.row_hash) or, of one integer column, as they are, and a row is new
 *	 when its key is not among them. It does not matter when rows commit, in
 *	 which order, or what became of them in the table. Cost: 8 bytes a row, and
 *	 the whole query is read by each run.
 *	- A column of type xid8 that says which transaction wrote a row, as lake
 *	 tables have (xact), or any table with DEFAULT pg_current_xact_id(); beside
 *	 it perhaps an integer column with the number of the cluster. A row is new
 *	 when its transaction is visible in the snapshot of this run and was not in
 *	 that of the last. A writer that was open then is taken later, whatever
 *	 numbers or times it wrote; an index on the column finds the new rows.
 *
 * A largest value seen so far (id, time) is not offered: rows that commit late
 * would be lost.
 *
 * Runs of a lineage follow each other: its row is locked. The new rows are
 * copied first, so that everything a run does sees the same rows.
 *
 * Steps that look at more than the row: statistics (fill, scale, clip) are those
 * of the first run that had rows; a deduplicate also looks at the keys that
 * earlier runs let through, and what they let through stays. Any other such step
 * is an error.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "clean/run.h"
#include "ingest/ingest.h"

/* keys of one stored row */
#define KEYS_CHUNK 65536

/* What new_rows says */
typedef struct Marks
{
	Form_pg_attribute xact; /* or NULL: a key */
	Form_pg_attribute cluster;
	char *key; /* SQL over the alias q */
} Marks;

static char *
column_of(const char *name)
{
	return psprintf("q.%s", quote_identifier(name));
}

static Marks
read_marks(List *new_rows, TupleDesc desc)
{
	Marks marks = {NULL, NULL, NULL};
	List *columns = NIL;
	bool integer = list_length(new_rows) == 1;
	ListCell *lc;

	foreach (lc, new_rows)
	{
		Form_pg_attribute attr =
			TupleDescAttr(desc, dmp_column_number(desc, lfirst(lc), "new_rows: ") - 1);

		if (attr->atttypid == XID8OID && marks.xact == NULL)
			marks.xact = attr;
		else if (attr->atttypid == INT4OID && marks.cluster == NULL)
			marks.cluster = attr;
		integer &=
			attr->atttypid == INT2OID || attr->atttypid == INT4OID || attr->atttypid == INT8OID;
		columns = lappend(columns, column_of(NameStr(attr->attname)));
	}
	if (marks.xact != NULL && list_length(new_rows) > (marks.cluster ? 2 : 1))
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("new_rows: beside column \"%s\", of type xid8, stands at most the number of "
					"the cluster",
					NameStr(marks.xact->attname)),
			 errhint("For a lake table: '{xact,cluster}'. For a key, leave it out.")));
	if (marks.xact != NULL)
		return marks;
	marks.cluster = NULL;
	marks.key = integer ? psprintf("%s::bigint", (char *) linitial(columns))
						: psprintf("dmp.row_hash(ROW(%s))", dmp_join(columns, ", "));
	return marks;
}

/* the keys that runs of the lineage took, as a table of one column */
static char *
taken_keys(int64 lineage, const char *run)
{
	return psprintf("(SELECT pg_catalog.unnest(t.keys) AS k FROM dmp_internal.recipe_taken AS t"
					" WHERE t.lineage = " INT64_FORMAT " AND t.step = 0 AND t.run %s) AS taken",
					lineage, run);
}

/* visible in the snapshot */
static char *
visible(const char *xact, const char *snapshot)
{
	return psprintf("pg_catalog.pg_visible_in_snapshot(%s, %s)", xact,
					quote_literal_cstr(snapshot));
}

/*
 * Rows of the transactions that are visible in after and not in before; both
 * are objects {cluster: snapshot}. Clusters that before lacks are new as a
 * whole; a dump and restore does not change the transaction ids of their rows.
 */
static char *
rows_between(const Marks *marks, const DmpDoc *before, const char *now)
{
	char *xact = column_of(NameStr(marks->xact->attname));
	char *cluster = marks->cluster ? column_of(NameStr(marks->cluster->attname)) : NULL;
	char *here = psprintf("%d", dmp_cluster_id());
	StringInfoData text;
	List *known = list_make1(here);
	const DmpDoc *last = dmp_doc_get(before, here);
	int i;

	initStringInfo(&text);
	appendStringInfoString(&text, visible(xact, now));
	if (last != NULL)
	{
		/* a range that an index knows */
		char *first = pnstrdup(last->text, strcspn(last->text, ":"));

		appendStringInfo(&text, " AND %s >= '%s' AND NOT %s", xact, first,
						 visible(xact, last->text));
	}
	if (cluster == NULL)
	{
		if (before->n > 0 && last == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("new rows cannot be told in a database that was restored"),
					 errdetail("The transactions of column \"%s\" are those of another cluster.",
							   NameStr(marks->xact->attname)),
					 errhint("if_exists => 'replace' starts anew; a column with the number of the "
							 "cluster beside it, as lake tables have, does without.")));
		return text.data;
	}
	text.data = psprintf("%s = %s AND %s", cluster, here, text.data);
	for (i = 0; i < before->n; i++)
	{
		if (strcmp(before->keys[i], here) == 0)
			continue;
		known = lappend(known, before->keys[i]);
		text.data = psprintf("%s OR %s = %s AND NOT %s", text.data, cluster, before->keys[i],
							 visible(xact, before->items[i]->text));
	}
	return psprintf("%s OR %s NOT IN (%s)", text.data, cluster, dmp_join(known, ", "));
}

/* the snapshots after the run, as json */
static char *
snapshots_after(const CleanSource *source, const Marks *marks, const DmpDoc *before,
				const char *now)
{
	StringInfoData text;
	char *here = psprintf("%d", dmp_cluster_id());
	List *known = list_make1(here);
	uint64 n = 0;

	initStringInfo(&text);
	appendStringInfo(&text, "{\"%s\": \"%s\"", here, now);
	/* of other clusters no rows will come that are older than these */
	if (marks->cluster != NULL)
		n = dmp_spi(psprintf("SELECT %s::text, max(%s::text::numeric) + 1 FROM %s AS q WHERE %s <> "
							 "%s GROUP BY 1",
							 column_of(NameStr(marks->cluster->attname)),
							 column_of(NameStr(marks->xact->attname)), source->temporary,
							 column_of(NameStr(marks->cluster->attname)), here),
					NULL, false);
	for (uint64 i = 0; i < n; i++)
	{
		char *cluster = dmp_spi_text(i, 1);
		char *next = dmp_spi_text(i, 2);

		known = lappend(known, cluster);
		appendStringInfo(&text, ", \"%s\": \"%s:%s:\"", cluster, next, next);
	}
	for (int i = 0; i < before->n; i++)
		if (!dmp_list_has(known, before->keys[i]))
			appendStringInfo(&text, ", \"%s\": \"%s\"", before->keys[i], before->items[i]->text);
	appendStringInfoChar(&text, '}');
	return text.data;
}

/*
 * The lineage of query, columns and table, locked; 0 when there is none. A
 * lineage of another query into the table is said.
 */
static int64
lock_lineage(CleanRun *run, Oid into)
{
	DmpArgs lock = {0};
	DmpArgs args = {0};
	char *document;

	/* the first run of a lineage has no row to lock */
	dmp_arg_text(&lock, psprintf("dmp runs into %u", into));
	dmp_spi_registry("SELECT pg_catalog.pg_advisory_xact_lock("
					 "pg_catalog.hashtextextended($1, 0))",
					 &lock, false);
	dmp_arg_oid(&args, into);
	dmp_arg_text(&args, run->query);
	dmp_arg_text_array(&args, run->new_rows);
	if (dmp_spi_registry("SELECT id FROM dmp_internal.recipe_lineage WHERE into_table::oid = $1"
						 " AND closed_by IS NULL AND query = $2 AND new_rows = $3 FOR UPDATE",
						 &args, false) == 0)
	{
		if (dmp_spi_registry("SELECT last_run FROM dmp_internal.recipe_lineage"
							 " WHERE into_table::oid = $1 AND closed_by IS NULL",
							 &args, false) > 0)
			ereport(NOTICE, (errmsg("table \"%s\" was filled from another query, or by other "
									"columns, by run " INT64_FORMAT,
									run->into_name, dmp_spi_int8(0, 1, 0)),
							 errdetail("This one starts with all of its rows.")));
		return 0;
	}
	args.n = 0;
	dmp_arg_int8(&args, dmp_spi_int8(0, 1, 0));
	dmp_spi_registry("SELECT id, owner::oid, document FROM dmp_internal.recipe_lineage WHERE id = "
					 "$1",
					 &args, false);
	run->lineage_owner = (Oid) dmp_spi_int8(0, 2, 0);
	dmp_check_owner(run->lineage_owner, "the runs into", run->into_name);
	document = dmp_spi_text(0, 3);
	if (document != NULL && strcmp(document, run->recipe->text) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("recipe \"%s\" has changed since its last run into table \"%s\"",
						run->recipe->name, run->into_name),
				 errdetail("Its statistics, and what it let through as first, are those of that "
						   "version."),
				 errhint("if_exists => 'replace' starts anew with all rows.")));
	return dmp_spi_int8(0, 1, 0);
}

/* an error when a key is missing */
static void
check_keys(const CleanRun *run, const CleanSource *source)
{
	ListCell *lc;

	foreach (lc, run->new_rows)
	{
		int64 n;

		dmp_spi(psprintf("SELECT count(*) FROM %s AS q WHERE %s IS NULL", source->temporary,
						 column_of(lfirst(lc))),
				NULL, false);
		n = dmp_spi_int8(0, 1, 0);
		if (n > 0)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("new_rows: column \"%s\" has missing values", (char *) lfirst(lc)),
					 errdetail("Rows without it, " INT64_FORMAT " of the new ones, cannot be told "
							   "apart.",
							   n)));
	}
}

void
dmp_new_rows_begin(CleanRun *run, CleanSource *source)
{
	Marks marks = read_marks(run->new_rows, source->desc);
	Oid into = dmp_relation_oid(run->into_name, true);
	CleanIncrement *increment = palloc0(sizeof(CleanIncrement));
	const DmpDoc *before = dmp_doc_parse("{}", "snapshots");
	char *condition;

	run->lineage_owner = GetUserId();
	if (OidIsValid(into) && strcmp(run->if_exists, "append") == 0)
		increment->lineage = lock_lineage(run, into);
	/* after the lock: runs of a lineage have rising numbers */
	run->run = increment->run = dmp_batch_next();
	if (increment->lineage != 0)
	{
		DmpArgs args = {0};
		char *text;

		dmp_arg_int8(&args, increment->lineage);
		dmp_spi_registry("SELECT stats, snapshots FROM dmp_internal.recipe_lineage WHERE id = $1",
						 &args, false);
		run->stats = dmp_spi_text(0, 1);
		text = dmp_spi_text(0, 2);
		if (run->stats != NULL)
			increment->stats = dmp_doc_parse(run->stats, "stats");
		if (text != NULL)
			before = dmp_doc_parse(text, "snapshots");
		run->before = text;
	}
	else
	{
		dmp_spi_registry("SELECT pg_catalog.nextval('dmp_internal.recipe_lineage_id_seq')", NULL,
						 false);
		increment->lineage = dmp_spi_int8(0, 1, 0);
	}
	run->lineage = increment->lineage;
	if (marks.xact != NULL)
	{
		char *now;

		dmp_spi("SELECT pg_catalog.pg_current_snapshot()::text", NULL, false);
		now = dmp_spi_text(0, 1);
		condition = rows_between(&marks, before, now);
		run->rows_select =
			psprintf("SELECT q.* FROM (%s) AS q WHERE %s", source->select, condition);
		source->select = run->rows_select;
		source->increment = increment;
		dmp_clean_copy(source);
		run->after = snapshots_after(source, &marks, before, now);
	}
	else
	{
		char *rows = psprintf("SELECT q.* FROM (%s) AS q WHERE", source->select);

		run->rows_select =
			psprintf("%s EXISTS (SELECT FROM %s WHERE taken.k = %s)", rows,
					 taken_keys(run->lineage, psprintf("= " INT64_FORMAT, run->run)), marks.key);
		source->select =
			psprintf("%s NOT EXISTS (SELECT FROM %s WHERE taken.k = %s)", rows,
					 taken_keys(run->lineage, psprintf("< " INT64_FORMAT, run->run)), marks.key);
		source->increment = increment;
		dmp_clean_copy(source);
		check_keys(run, source);
	}
	dmp_spi(psprintf("ANALYZE %s", source->temporary), NULL, false);
}

/* steps that cannot be right over new rows only */
static void
check_steps(const CleanPlan *plan)
{
	if (plan->across == 0)
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		 errmsg("recipe step %d needs the rows of earlier runs, too", plan->across),
		 errdetail("With new_rows, a step may look at its row, at statistics (which are those of "
				   "the first run), and at what was there first (deduplicate without \"keep\": "
				   "\"last\")."),
		 errhint("Run it over all rows with if_exists => 'replace'.")));
}

void
dmp_new_rows_stats(CleanRun *run, CleanSource *source)
{
	CleanIncrement *increment = source->increment;
	CleanPlan *plan = dmp_clean_source_plan(source, CLEAN_PLAIN);
	StringInfoData text;
	ListCell *lc;

	dmp_clean_compile(plan, run->recipe->doc);
	(void) dmp_clean_finish(plan);
	check_steps(plan);
	increment->distinct = NIL;
	if (increment->stats != NULL)
		return;
	initStringInfo(&text);
	foreach (lc, increment->stat_names)
		appendStringInfo(&text,
						 "%s pg_catalog.json_build_array(%s::text, pg_catalog.pg_typeof(%s)::text)",
						 text.len > 0 ? "," : "", (char *) lfirst(lc), (char *) lfirst(lc));
	if (increment->stat_names == NIL)
		run->stats = "[]";
	else
	{
		dmp_spi(psprintf("%s\nSELECT pg_catalog.json_build_array(%s)", plan->with.data, text.data),
				NULL, false);
		run->stats = dmp_spi_text(0, 1);
	}
	increment->stats = dmp_doc_parse(run->stats, "stats");
}

/* ---- afterwards */

typedef struct KeyWriter
{
	const CleanRun *run;
	int step;
	int part;
	int n;
	Datum *keys;
} KeyWriter;

static void
write_keys(KeyWriter *writer)
{
	DmpArgs args = {0};

	if (writer->n == 0)
		return;
	dmp_arg_int8(&args, writer->run->lineage);
	dmp_arg_int8(&args, writer->run->run);
	dmp_arg_int4(&args, writer->step);
	dmp_arg_int4(&args, writer->part++);
	dmp_arg(&args, INT8ARRAYOID,
			PointerGetDatum(construct_array(writer->keys, writer->n, INT8OID, sizeof(int64),
											FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
			false);
	/* whoever may go on with the lineage sees its keys */
	dmp_arg_oid(&args, writer->run->lineage_owner);
	dmp_spi_registry("INSERT INTO dmp_internal.recipe_taken (lineage, run, step, part, keys, owner)"
					 " VALUES ($1, $2, $3, $4, $5, $6)",
					 &args, false);
	pfree(DatumGetPointer(args.values[4]));
	writer->n = 0;
}

/* keep the values of the one bigint column of a SELECT, as keys of a step */
static void
keep_keys(const CleanRun *run, int step, const char *select)
{
	KeyWriter writer = {run, step, 0, 0, NULL};
	Portal portal = SPI_cursor_open_with_args(NULL, select, 0, NULL, NULL, NULL, false, 0);

	writer.keys = palloc(sizeof(Datum) * KEYS_CHUNK);
	for (;;)
	{
		SPITupleTable *rows;
		bool isnull;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, KEYS_CHUNK);
		rows = SPI_tuptable;
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
			writer.keys[writer.n++] = dmp_spi_datum(i, 1, &isnull);
		write_keys(&writer);
		SPI_freetuptable(rows);
	}
	SPI_cursor_close(portal);
	pfree(writer.keys);
}

void
dmp_new_rows_end(CleanRun *run, CleanSource *source, CleanPlan *plan)
{
	Marks marks = read_marks(run->new_rows, source->desc);
	CleanIncrement *increment = source->increment;
	/* statistics of nothing are no statistics */
	bool learned = run->rows_in > 0;
	DmpArgs args = {0};
	ListCell *lc;

	if (marks.key != NULL)
		keep_keys(run, 0, psprintf("SELECT %s FROM %s AS q", marks.key, source->temporary));
	foreach (lc, increment->distinct)
	{
		CleanDistinct *distinct = lfirst(lc);

		keep_keys(run, distinct->step, distinct->select);
	}
	dmp_arg_int8(&args, run->lineage);
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(run->into), false);
	dmp_arg_text(&args, run->query);
	dmp_arg_text_array(&args, run->new_rows);
	dmp_arg_oid(&args, run->lineage_owner);
	dmp_arg_int8(&args, run->run);
	dmp_arg_text(&args, learned ? run->stats : NULL);
	dmp_arg_text(&args, run->after);
	/* what depends on other rows is only right for one version */
	dmp_arg_text(&args, learned && (increment->stats->n > 0 || increment->distinct != NIL)
							? run->recipe->text
							: NULL);
	dmp_spi_registry(
		"INSERT INTO dmp_internal.recipe_lineage AS l (id, into_table, query, new_rows, owner,"
		" last_run, stats, snapshots, document) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5,"
		" $6, $7::json, $8::json, $9::json) ON CONFLICT (id) DO UPDATE SET last_run = "
		"excluded.last_run,"
		" stats = coalesce(l.stats, excluded.stats), snapshots = excluded.snapshots,"
		" document = coalesce(l.document, excluded.document)",
		&args, false);
}

/* What was taken before is not in the table any more. */
void
dmp_new_rows_close(const CleanRun *run)
{
	DmpArgs args = {0};

	dmp_arg_int8(&args, run->run);
	dmp_arg_oid(&args, run->into);
	dmp_spi_registry("UPDATE dmp_internal.recipe_lineage SET closed_by = $1"
					 " WHERE into_table::oid = $2 AND closed_by IS NULL",
					 &args, false);
}

/*
 * What the run took is not taken. The lineages that it closed, by replacing
 * the table, are open again.
 */
void
dmp_new_rows_undo(int64 run, int64 lineage, const char *before)
{
	DmpArgs args = {0};

	if (lineage != 0)
	{
		dmp_arg_int8(&args, lineage);
		dmp_arg_text(&args, before);
		dmp_arg_int8(&args, run);
		dmp_spi_registry("DELETE FROM dmp_internal.recipe_taken WHERE lineage = $1 AND run = $3",
						 &args, false);
		if (dmp_spi_registry("SELECT max(run) FROM dmp_internal.recipe_run WHERE lineage = $1"
							 " AND run < $3 AND state = 'done' HAVING count(*) > 0",
							 &args, false) == 0)
			dmp_spi_registry("DELETE FROM dmp_internal.recipe_lineage WHERE id = $1", &args, false);
		else
			dmp_spi_registry("UPDATE dmp_internal.recipe_lineage SET snapshots = $2::json, last_run"
							 " = (SELECT max(run) FROM dmp_internal.recipe_run WHERE lineage = $1"
							 " AND run < $3 AND state = 'done') WHERE id = $1",
							 &args, false);
	}
	args.n = 0;
	dmp_arg_int8(&args, run);
	dmp_spi_registry("UPDATE dmp_internal.recipe_lineage SET closed_by = NULL WHERE closed_by = $1",
					 &args, false);
}
