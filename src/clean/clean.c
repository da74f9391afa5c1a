/*-------------------------------------------------------------------------
 * clean.c
 *		dmp.clean and dmp.clean_sql: a recipe applied to the rows of a query.
 *
 * dmp.clean compiles the recipe (compile.c), runs the counted form once as
 * CREATE TABLE AS, and adds the counters up. Rows that a step turns away are
 * noted by that run when the source is a plain table, by ctid; else, or when
 * they are too many, the traced form finds them again, on a snapshot taken
 * before. The source rows go to dmp.quarantine with their reasons. When their
 * number is not what was counted, the data has changed meanwhile and everything
 * is undone: a row is never lost between the two.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "clean/clean.h"
#include "ingest/quarantine.h"

PG_FUNCTION_INFO_V1(dmp_clean);
PG_FUNCTION_INFO_V1(dmp_clean_sql);

#define TRACE_BATCH 1000

/* The source of a run */
typedef struct CleanSource
{
	char *select;
	TupleDesc desc;
	List *relations;
	char *temporary; /* it was copied to this table */
} CleanSource;

static text *
required_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return PG_GETARG_TEXT_PP(n);
}

static void
open_source(CleanSource *source, const char *query)
{
	source->select = dmp_query_select(query, "query");
	source->desc = dmp_query_columns(source->select, NULL, &source->relations);
	source->temporary = NULL;
}

/*
 * dmp.clean_sql(query text, recipe json) -> text
 */
Datum
dmp_clean_sql(PG_FUNCTION_ARGS)
{
	char *query = text_to_cstring(required_argument(fcinfo, 0, "query"));
	char *recipe = text_to_cstring(required_argument(fcinfo, 1, "recipe"));
	CleanSource source;
	CleanPlan *plan;

	open_source(&source, query);
	plan = dmp_clean_plan(source.select, source.relations, source.desc, CLEAN_PLAIN);
	dmp_clean_compile(plan, dmp_doc_parse(recipe, "recipe"));
	PG_RETURN_TEXT_P(cstring_to_text(dmp_clean_finish(plan)));
}

/*
 * The traced form reads the source a second time. A source that would not be
 * the same then is copied first: one that calls volatile functions, and the
 * very table that is to be replaced.
 */
static void
keep_source(CleanSource *source, const char *into_table, const char *if_exists)
{
	Oid target = dmp_relation_oid(into_table, true);
	int n = 0;
	char *name;

	if (OidIsValid(target) && strcmp(if_exists, "error") == 0)
		return; /* an error soon */
	if (!dmp_query_is_volatile(source->select) &&
		!(strcmp(if_exists, "replace") == 0 && list_member_oid(source->relations, target)))
		return;

	do
		name = psprintf("dmp_clean_source_%d", n++);
	while (OidIsValid(dmp_relation_oid(psprintf("pg_temp.%s", name), true)));
	dmp_spi(psprintf("CREATE TEMPORARY TABLE %s ON COMMIT DROP AS %s", name, source->select), NULL,
			false);
	source->temporary = psprintf("pg_temp.%s", name);
	source->relations = list_make1_oid(dmp_relation_oid(source->temporary, false));
	source->select =
		psprintf("SELECT * FROM %s", dmp_relation_name(linitial_oid(source->relations)));
}

/* A rejected row on its way to the quarantine */
typedef struct Reject
{
	CleanLine *line;
	const char *reason; /* SQLSTATE, a space, the reason */
	ItemPointerData tid;
	char *record; /* json, when there is no tid */
} Reject;

/*
 * Fetch the records of a batch that is known by ctid.
 */
static void
fetch_records(Oid table, Reject *rejects, int n)
{
	SPITupleTable *outer = SPI_tuptable;
	Datum *tids = palloc(sizeof(Datum) * n);
	DmpArgs args = {0};
	uint64 i;

	for (i = 0; i < n; i++)
		tids[i] = PointerGetDatum(&rejects[i].tid);
	dmp_arg(&args, TIDARRAYOID,
			PointerGetDatum(
				construct_array(tids, n, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT)),
			false);
	dmp_spi(
		psprintf("SELECT u.n, row_to_json(t.*)::text FROM unnest($1) WITH ORDINALITY AS u(id, n) "
				 "JOIN %s AS t ON t.ctid = u.id",
				 dmp_relation_name(table)),
		&args, true);
	for (i = 0; i < SPI_processed; i++)
		rejects[dmp_spi_int8(i, 1, 0) - 1].record = dmp_spi_text(i, 2);
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = outer;
}

/*
 * Write a batch of rejects to the quarantine; found[] counts by line.
 */
static void
quarantine_batch(Oid tid_table, Reject *rejects, int n, DmpQuarantine *quarantine,
				 const char *origin, int64 *found)
{
	int i;

	if (OidIsValid(tid_table))
		fetch_records(tid_table, rejects, n);
	for (i = 0; i < n; i++)
	{
		Reject *reject = &rejects[i];
		DmpRejected row = {0};

		CHECK_FOR_INTERRUPTS();
		if (!reject->line->quarantine || reject->record == NULL)
			continue;
		found[reject->line->index]++;
		row.record = reject->record;
		row.length = strlen(row.record);
		row.origin = origin;
		row.column_name = reject->line->column;
		row.sqlstate = pnstrdup(reject->reason, 5);
		row.reason = psprintf("recipe step %d: %s", reject->line->step, reject->reason + 6);
		dmp_quarantine_add(quarantine, &row);
	}
}

/*
 * The rejects that the run itself noted.
 */
static void
noted_rejects(CleanPlan *plan, DmpNote *notes, int64 n, DmpQuarantine *quarantine,
			  const char *origin, int64 *found)
{
	MemoryContext batch_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp clean notes", ALLOCSET_DEFAULT_SIZES);
	CleanLine **by_slot = palloc0(sizeof(CleanLine *) * plan->n_slots);
	int64 start;
	ListCell *lc;

	foreach (lc, plan->lines)
		if (((CleanLine *) lfirst(lc))->rejected >= 0)
			by_slot[((CleanLine *) lfirst(lc))->rejected] = lfirst(lc);
	for (start = 0; start < n; start += TRACE_BATCH)
	{
		int size = (int) Min(TRACE_BATCH, n - start);
		MemoryContext old = MemoryContextSwitchTo(batch_context);
		Reject *rejects = palloc0(sizeof(Reject) * size);
		int i;

		for (i = 0; i < size; i++)
		{
			DmpNote *note = &notes[start + i];

			if (note->slot >= plan->n_slots || by_slot[note->slot] == NULL)
				elog(ERROR, "note of slot %d, which rejects nothing", note->slot);
			rejects[i].line = by_slot[note->slot];
			rejects[i].tid = note->tid;
			rejects[i].reason = pnstrdup(note->reason, note->length);
		}
		quarantine_batch(plan->tid_table, rejects, size, quarantine, origin, found);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch_context);
	}
	MemoryContextDelete(batch_context);
}

/*
 * Find the rejects by the traced form; step is the last that rejected rows.
 */
static void
traced_rejects(CleanSource *source, const DmpDoc *recipe, List *lines, int step,
			   DmpQuarantine *quarantine, const char *origin, int64 *found)
{
	MemoryContext batch_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp clean trace", ALLOCSET_DEFAULT_SIZES);
	CleanPlan *plan = dmp_clean_plan(source->select, source->relations, source->desc, CLEAN_TRACED);
	Portal portal;

	dmp_progress("clean: tracing rejected rows");
	plan->stop_step = step;
	dmp_clean_compile(plan, recipe);
	portal = SPI_cursor_open_with_args(NULL, dmp_clean_finish(plan), 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		MemoryContext old;
		SPITupleTable *batch;
		Reject *rejects;
		int n;
		int i;

		SPI_cursor_fetch(portal, true, TRACE_BATCH);
		n = (int) SPI_processed;
		if (n == 0)
			break;
		batch = SPI_tuptable;
		old = MemoryContextSwitchTo(batch_context);
		rejects = palloc0(sizeof(Reject) * n);
		for (i = 0; i < n; i++)
		{
			bool isnull;

			rejects[i].line = list_nth(lines, (int) dmp_spi_int8(i, 1, 0));
			rejects[i].reason = dmp_spi_text(i, 2);
			if (OidIsValid(plan->tid_table))
				rejects[i].tid = *(ItemPointer) DatumGetPointer(dmp_spi_datum(i, 3, &isnull));
			else
				rejects[i].record = dmp_spi_text(i, 3);
		}
		quarantine_batch(plan->tid_table, rejects, n, quarantine, origin, found);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch_context);
		SPI_freetuptable(batch);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(batch_context);
}

/*
 * Write the rejected rows to the quarantine: as noted by the run, or, when it
 * could not note them (a source that is no plain table, or too many), as found
 * again. rejected[] counts by line.
 */
static void
quarantine_rejects(CleanSource *source, const DmpDoc *recipe, CleanPlan *plan,
				   DmpCounters *counters, int64 *rejected, const char *into_table,
				   const char *origin)
{
	int64 *found = palloc0(sizeof(int64) * Max(list_length(plan->lines), 1));
	DmpQuarantine *quarantine;
	DmpNote *notes = NULL;
	int64 n = 0;
	int last_step = 0;
	ListCell *lc;

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);

		if (line->quarantine && rejected[line->index] > 0)
			last_step = line->step;
	}
	if (last_step == 0)
		return;
	quarantine = dmp_quarantine_begin(0, NULL, into_table, GetUserId());
	if (OidIsValid(plan->tid_table))
		notes = dmp_counters_notes(counters, &n);
	if (notes != NULL)
		noted_rejects(plan, notes, n, quarantine, origin, found);
	else
		traced_rejects(source, recipe, plan->lines, last_step, quarantine, origin, found);

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);

		if (line->quarantine && found[line->index] != rejected[line->index])
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("the data of the query changed while it was cleaned"),
							errdetail("Step %d rejected " INT64_FORMAT
									  " rows, of which " INT64_FORMAT " are found again.",
									  line->step, rejected[line->index], found[line->index]),
							errhint("Nothing was written. Try again, or in a transaction that is "
									"REPEATABLE READ.")));
	}
	dmp_quarantine_end(quarantine);
}

/*
 * One row a line of the answer.
 */
static void
report(FunctionCallInfo fcinfo, CleanPlan *plan, DmpCounters *counters, int64 *rejected,
	   int64 source_rows)
{
	int64 rows = source_rows;
	ListCell *lc;

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);
		Datum values[7];
		bool nulls[7] = {false};
		int64 lost = rejected[line->index];

		values[0] = Int32GetDatum(line->step);
		values[1] = CStringGetTextDatum(line->action);
		nulls[2] = line->column == NULL;
		values[2] = line->column ? CStringGetTextDatum(line->column) : (Datum) 0;
		values[3] = Int64GetDatum(rows);
		rows -= lost;
		values[4] = Int64GetDatum(rows);
		values[5] =
			Int64GetDatum(line->changed >= 0 ? dmp_counters_value(counters, line->changed) : 0);
		values[6] = Int64GetDatum(line->quarantine ? lost : 0);
		dmp_srf_row(fcinfo, values, nulls);
	}
}

/*
 * How many rows each line turned away: counted, or what a deduplicate did not
 * let through.
 */
static int64 *
count_rejected(CleanPlan *plan, DmpCounters *counters)
{
	int64 *rejected = palloc0(sizeof(int64) * Max(list_length(plan->lines), 1));
	int64 rows = dmp_counters_value(counters, 0);
	ListCell *lc;

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);

		if (line->rejected >= 0)
			rejected[line->index] = dmp_counters_value(counters, line->rejected);
		else if (line->arrived >= 0)
			rejected[line->index] = rows - dmp_counters_value(counters, line->arrived);
		rows -= rejected[line->index];
	}
	return rejected;
}

/*
 * dmp.clean(query text, into_table text, recipe json, if_exists text)
 *	-> TABLE(step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined)
 */
Datum
dmp_clean(PG_FUNCTION_ARGS)
{
	char *query = text_to_cstring(required_argument(fcinfo, 0, "query"));
	char *into_table = text_to_cstring(required_argument(fcinfo, 1, "into_table"));
	char *recipe_text = text_to_cstring(required_argument(fcinfo, 2, "recipe"));
	char *if_exists = text_to_cstring(required_argument(fcinfo, 3, "if_exists"));
	DmpDoc *recipe = dmp_doc_parse(recipe_text, "recipe");
	CleanSource source;
	CleanPlan *plan;
	DmpCounters *counters;
	Snapshot snapshot;
	int64 *rejected;
	int n_slots;
	int guc_level;

	if (strcmp(if_exists, "upsert") == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("dmp.clean does not know a key to upsert by"),
						errhint("Use if_exists => 'replace' or 'append'.")));
	open_source(&source, query);

	/* once without counting, for the number of counters and for all errors of the recipe */
	plan = dmp_clean_plan(source.select, source.relations, source.desc, CLEAN_PLAIN);
	dmp_clean_compile(plan, recipe);
	n_slots = plan->n_slots + list_length(plan->lines);

	dmp_spi_connect();
	keep_source(&source, into_table, if_exists);
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	counters = dmp_counters_create(n_slots);
	plan = dmp_clean_plan(source.select, source.relations, source.desc, CLEAN_COUNTED);
	plan->run = dmp_counters_id(counters);
	dmp_clean_compile(plan, recipe);
	dmp_progress("clean: %d steps into %s", recipe->n, into_table);
	guc_level = NewGUCNestLevel();
	if (plan->serial)
		(void) set_config_option("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	dmp_into_table(into_table, dmp_clean_finish(plan), NULL, if_exists, NIL);

	rejected = count_rejected(plan, counters);
	PushActiveSnapshot(snapshot);
	quarantine_rejects(&source, recipe, plan, counters, rejected, into_table, query);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	AtEOXact_GUC(true, guc_level);
	if (source.temporary != NULL)
		dmp_spi(psprintf("DROP TABLE %s", source.temporary), NULL, false);

	/* the plan lives in the memory of SPI */
	dmp_srf_begin(fcinfo);
	report(fcinfo, plan, counters, rejected, dmp_counters_value(counters, 0));
	dmp_counters_release(counters);
	dmp_spi_finish();
	return (Datum) 0;
}
