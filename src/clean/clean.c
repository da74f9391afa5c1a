/*-------------------------------------------------------------------------
 * clean.c
 *		dmp.clean, dmp.run_recipe and dmp.clean_sql: a recipe applied to the
 *		rows of a query.
 *
 * A run compiles the recipe (compile.c), runs the counted form once as CREATE
 * TABLE AS or INSERT, adds the counters up, and puts the rows that a step
 * turned away into dmp.quarantine (rejects.c). What it did is recorded under
 * its number (runs.c).
 *
 * The table is written in a subtransaction: so the transaction id of its rows
 * is this run's alone, and dmp.undo_run can tell them from all others.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "clean/run.h"
#include "ingest/ingest.h"

PG_FUNCTION_INFO_V1(dmp_clean);
PG_FUNCTION_INFO_V1(dmp_run_recipe);
PG_FUNCTION_INFO_V1(dmp_clean_sql);

text *
dmp_clean_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return PG_GETARG_TEXT_PP(n);
}

void
dmp_clean_open(CleanSource *source, const char *query)
{
	source->select = dmp_query_select(query, "query");
	source->desc = dmp_query_columns(source->select, NULL, &source->relations);
	source->temporary = NULL;
	source->increment = NULL;
}

CleanPlan *
dmp_clean_source_plan(const CleanSource *source, CleanForm form)
{
	CleanPlan *plan = dmp_clean_plan(source->select, source->relations, source->desc, form);

	plan->increment = source->increment;
	if (plan->increment != NULL)
		plan->increment->n_stats = 0;
	return plan;
}

/*
 * dmp.clean_sql(query text, recipe json) -> text
 */
Datum
dmp_clean_sql(PG_FUNCTION_ARGS)
{
	char *query = text_to_cstring(dmp_clean_argument(fcinfo, 0, "query"));
	char *recipe = text_to_cstring(dmp_clean_argument(fcinfo, 1, "recipe"));
	CleanSource source;
	CleanPlan *plan;

	dmp_clean_open(&source, query);
	plan = dmp_clean_source_plan(&source, CLEAN_PLAIN);
	dmp_clean_compile(plan, dmp_recipe_of(recipe)->doc);
	PG_RETURN_TEXT_P(cstring_to_text(dmp_clean_finish(plan)));
}

void
dmp_clean_copy(CleanSource *source)
{
	int n = 0;
	char *name;

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

/*
 * The traced form reads the source a second time. A source that would not be
 * the same then is copied first: one that calls volatile functions, and the
 * very table that is to be replaced. is_volatile: a step calls some; then it must
 * be a table, whose rejects are noted in the one run.
 */
static void
keep_source(CleanSource *source, const char *into_table, const char *if_exists, bool is_volatile)
{
	Oid target = dmp_relation_oid(into_table, true);

	if (OidIsValid(target) && strcmp(if_exists, "error") == 0)
		return; /* an error soon */
	if (!dmp_query_is_volatile(source->select) &&
		!(strcmp(if_exists, "replace") == 0 && list_member_oid(source->relations, target)) &&
		!(is_volatile && !OidIsValid(dmp_clean_source_plan(source, CLEAN_COUNTED)->tid_table)))
		return;
	dmp_clean_copy(source);
}

/*
 * One row a line of the answer, and their sums and text into the run.
 */
static void
report(FunctionCallInfo fcinfo, CleanRun *run, CleanPlan *plan, DmpCounters *counters,
	   int64 *rejected, bool with_number)
{
	int64 rows = run->rows_in;
	StringInfoData steps;
	ListCell *lc;

	initStringInfo(&steps);
	appendStringInfoChar(&steps, '[');
	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);
		Datum values[8];
		bool nulls[8] = {false};
		int64 lost = rejected[line->index];
		int64 changed = line->changed >= 0 ? dmp_counters_value(counters, line->changed) : 0;
		int64 quarantined = line->quarantine ? lost : 0;

		values[0] = Int32GetDatum(line->step);
		values[1] = CStringGetTextDatum(line->action);
		nulls[2] = line->column == NULL;
		values[2] = line->column ? CStringGetTextDatum(line->column) : (Datum) 0;
		values[3] = Int64GetDatum(rows);
		rows -= lost;
		values[4] = Int64GetDatum(rows);
		values[5] = Int64GetDatum(changed);
		values[6] = Int64GetDatum(quarantined);
		values[7] = Int64GetDatum(run->run);
		dmp_srf_row(fcinfo, values, nulls);

		appendStringInfo(&steps,
						 "%s{\"step\":%d,\"action\":\"%s\",\"column\":", line->index ? ",\n" : "",
						 line->step, line->action);
		if (line->column)
			escape_json(&steps, line->column);
		else
			appendStringInfoString(&steps, "null");
		appendStringInfo(&steps,
						 ",\"rows_out\":" INT64_FORMAT ",\"cells_changed\":" INT64_FORMAT
						 ",\"rows_quarantined\":" INT64_FORMAT "}",
						 rows, changed, quarantined);
		run->cells_changed += changed;
		run->rows_quarantined += quarantined;
	}
	appendStringInfoChar(&steps, ']');
	run->rows_out = rows;
	run->steps = steps.data;
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
 * Write the table, in a subtransaction of its own.
 */
static void
write_table(CleanRun *run, CleanSource *source, const char *select)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		DmpInto into;

		if (run->keep_replaced)
			dmp_run_keep(run);
		into = dmp_into_table(run->into_name, select, NULL, run->if_exists, NIL);
		run->into = into.relid;
		run->created = into.created;
		run->rows_written = into.rows;
		run->xact = GetCurrentFullTransactionId();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
		dmp_clean_blame(source, run->recipe->doc, error);
		ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/*
 * A run: recipe, query, into_name, if_exists and what is asked for are set, the
 * rest is filled in. with_number: the answer has a last column for it.
 */
static void
execute(FunctionCallInfo fcinfo, CleanRun *run, bool with_number)
{
	const DmpDoc *recipe = run->recipe->doc;
	CleanSource source;
	CleanPlan *plain;
	CleanPlan *plan;
	DmpCounters *counters;
	Snapshot snapshot;
	int64 *rejected;
	int n_slots;
	int guc_level;

	if (strcmp(run->if_exists, "upsert") == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("dmp.%s does not know a key to upsert by",
							   with_number ? "run_recipe" : "clean"),
						errhint("Use if_exists => 'replace' or 'append'.")));
	run->started_at = GetCurrentTimestamp();
	dmp_clean_open(&source, run->query);

	dmp_spi_connect();
	if (run->new_rows != NIL)
	{
		dmp_new_rows_begin(run, &source);
		dmp_new_rows_stats(run, &source);
	}
	/* once without counting, for the number of counters and for all errors of the recipe */
	plain = dmp_clean_source_plan(&source, CLEAN_PLAIN);
	dmp_clean_compile(plain, recipe);
	n_slots = plain->n_slots + list_length(plain->lines);
	if (run->new_rows == NIL)
	{
		run->run = dmp_batch_next();
		keep_source(&source, run->into_name, run->if_exists, plain->is_volatile);
	}
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	counters = dmp_counters_create(n_slots);
	plan = dmp_clean_source_plan(&source, CLEAN_COUNTED);
	plan->run = dmp_counters_id(counters);
	dmp_clean_compile(plan, recipe);
	dmp_progress("clean: %d steps into %s", recipe->n, run->into_name);
	guc_level = NewGUCNestLevel();
	if (plan->serial)
		(void) set_config_option("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (plan->joins)
		(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	write_table(run, &source, dmp_clean_finish(plan));

	rejected = count_rejected(plan, counters);
	PushActiveSnapshot(snapshot);
	dmp_clean_rejects(&source, run, plan, counters, rejected);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	AtEOXact_GUC(true, guc_level);
	run->rows_in = dmp_counters_value(counters, 0);
	if (strcmp(run->if_exists, "replace") == 0)
		dmp_new_rows_close(run);
	if (run->new_rows != NIL)
		dmp_new_rows_end(run, &source, plain);
	if (source.temporary != NULL)
		dmp_spi(psprintf("DROP TABLE %s", source.temporary), NULL, false);

	/* the plan lives in the memory of SPI */
	dmp_srf_begin(fcinfo);
	dmp_clean_report_failures(plan, counters);
	report(fcinfo, run, plan, counters, rejected, with_number);
	dmp_counters_release(counters);
	dmp_run_record(run);
	dmp_spi_finish();
}

/*
 * dmp.clean(query text, into_table text, recipe json, if_exists text)
 *	-> TABLE(step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined)
 */
Datum
dmp_clean(PG_FUNCTION_ARGS)
{
	CleanRun run = {0};

	run.query = text_to_cstring(dmp_clean_argument(fcinfo, 0, "query"));
	run.into_name = text_to_cstring(dmp_clean_argument(fcinfo, 1, "into_table"));
	run.recipe = dmp_recipe_of(text_to_cstring(dmp_clean_argument(fcinfo, 2, "recipe")));
	run.if_exists = text_to_cstring(dmp_clean_argument(fcinfo, 3, "if_exists"));
	execute(fcinfo, &run, false);
	return (Datum) 0;
}

/*
 * dmp.run_recipe(name text, query text, into_table text, if_exists text, keep_replaced boolean,
 *	new_rows text[]) -> as dmp.clean, and run
 */
Datum
dmp_run_recipe(PG_FUNCTION_ARGS)
{
	CleanRun run = {0};

	run.recipe = dmp_recipe_find(text_to_cstring(dmp_clean_argument(fcinfo, 0, "name")));
	run.query = text_to_cstring(dmp_clean_argument(fcinfo, 1, "query"));
	run.into_name = text_to_cstring(dmp_clean_argument(fcinfo, 2, "into_table"));
	run.if_exists = text_to_cstring(dmp_clean_argument(fcinfo, 3, "if_exists"));
	run.keep_replaced = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	if (!PG_ARGISNULL(5))
	{
		run.new_rows = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(5));
		if (run.new_rows == NIL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("new_rows names no column"),
					 errhint("Name the columns that tell the rows of the query apart.")));
	}
	execute(fcinfo, &run, true);
	return (Datum) 0;
}
