/*-------------------------------------------------------------------------
 * trace.c
 *		Cells before and after each step: dmp.preview_recipe and
 *		dmp.cell_history.
 *
 * Nothing is stored for it. The traced form of the SELECT, which turns no row
 * away but marks it with the line that rejects it, is compiled with a watch:
 * every column that a step changes is carried along as it was before that step
 * and as it was after. At the end a row becomes as many rows as cells of it
 * were changed, by lines of the answer of dmp.clean, and one more when it was
 * rejected. So the sums agree with what dmp.clean counts:
 *
 * - A step that gives another type or computes anew (cast, scale, derive)
 *	 counts every cell that is not missing afterwards, others those whose text
 *	 differs.
 * - What steps behind the one that rejects a row do to it is not counted.
 *
 * A select list has at most 1664 entries, so lines beyond some hundreds are
 * explained by another pass over the source.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "base/soft.h"
#include "clean/run.h"

PG_FUNCTION_INFO_V1(dmp_preview_recipe);
PG_FUNCTION_INFO_V1(dmp_cell_history);

#define MAX_ENTRIES 1600
#define BATCH 1000

/* A line whose cells are carried along */
typedef struct TracedLine
{
	CleanLine *line;
	CleanColumn *column; /* NULL: the step makes it */
	Oid type;            /* before the step */
	int32 typmod;
	bool retyped;
	CleanKept *before;
	CleanKept *after;
} TracedLine;

typedef struct Trace
{
	CleanSource source;
	const DmpDoc *recipe;
	List *lines; /* of CleanLine: all of the recipe */
	int n_columns;
	const char *record; /* SQL over %s, the source's alias: a json, or NULL */
	const DmpDoc *key;  /* {column: value} that rows must have, or NULL */
	const bool *none;   /* by line: it changed no cell, or NULL */

	/* a pass */
	int from; /* lines from and before to */
	int to;
	List *traced;     /* of TracedLine */
	CleanKept **keys; /* columns of key as they are in the source, or NULL */
} Trace;

/* carries the columns along that the step will change */
static void
before_step(CleanPlan *plan, void *arg)
{
	Trace *trace = arg;
	ListCell *lc;

	foreach (lc, trace->lines)
	{
		CleanLine *line = lfirst(lc);
		TracedLine *traced;

		if (line->step != plan->step || line->changed < 0 || line->column == NULL ||
			line->index < trace->from || line->index >= trace->to ||
			(trace->none != NULL && trace->none[line->index]))
			continue;
		traced = palloc0(sizeof(TracedLine));
		traced->line = line;
		traced->column = dmp_clean_find_column(plan, line->column);
		if (traced->column != NULL)
		{
			traced->type = traced->column->type;
			traced->typmod = traced->column->typmod;
			traced->before = dmp_clean_keep(plan, psprintf("dmp_before_line_%d", line->index),
											traced->column->base);
		}
		trace->traced = lappend(trace->traced, traced);
	}
}

static void
after_step(CleanPlan *plan, void *arg)
{
	Trace *trace = arg;
	ListCell *lc;

	dmp_clean_flush(plan);
	foreach (lc, trace->traced)
	{
		TracedLine *traced = lfirst(lc);
		CleanColumn *column = traced->column;

		if (traced->line->step != plan->step)
			continue;
		if (column == NULL)
			column = dmp_clean_find_column(plan, traced->line->column);
		if (column == NULL || !list_member_ptr(plan->columns, column))
			continue;
		traced->retyped = column->type != traced->type || column->typmod != traced->typmod;
		traced->after =
			dmp_clean_keep(plan, psprintf("dmp_after_line_%d", traced->line->index), column->base);
	}
}

/* the condition that dmp.clean counts the cell as changed, of a row that reached the step */
static char *
counted_condition(const CleanPlan *plan, const TracedLine *traced, int behind)
{
	const char *action = traced->line->action;
	const char *after = traced->after->expr;
	const char *before;
	char *condition;

	if (traced->before == NULL || strcmp(action, "derive") == 0)
		return psprintf("%s IS NOT NULL", after);
	before = traced->before->expr;
	if (!traced->retyped && strcmp(action, "cast") != 0 && strcmp(action, "scale") != 0)
		condition = psprintf("%s::text COLLATE \"C\" IS DISTINCT FROM %s::text", before, after);
	else
		condition = psprintf("(%s IS NOT NULL OR %s IS NOT NULL)", after, before);
	/* a cell that is lost is either counted or rejects its row */
	if (plan->reject == NULL)
		return condition;
	return psprintf("%s AND (%s IS NOT NULL OR %s IS NULL OR %s >= %d)", condition, after,
					plan->reject, plan->reject, behind);
}

/* the condition that the cell of a line was changed */
static char *
changed_condition(const Trace *trace, const CleanPlan *plan, const TracedLine *traced)
{
	int step = traced->line->step;
	int first = traced->line->index;
	int behind = traced->line->index;
	char *condition;

	/* lines are numbered in the order of steps: the first of this one, and behind it */
	while (first > 0 && ((CleanLine *) list_nth(trace->lines, first - 1))->step == step)
		first--;
	while (behind < list_length(trace->lines) &&
		   ((CleanLine *) list_nth(trace->lines, behind))->step == step)
		behind++;
	condition = counted_condition(plan, traced, behind);
	if (plan->reject == NULL)
		return condition;
	return psprintf("%s AND (%s IS NULL OR %s >= %d)", condition, plan->reject, plan->reject,
					first);
}

/* the value of a key as SQL of the column's type, and the comparison */
static char *
equals(const char *column, Oid type, int32 typmod, const DmpDoc *value)
{
	if (value->kind == DMP_DOC_NULL)
		return psprintf("%s IS NULL", column);
	if (OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr))
		return psprintf("%s = %s::%s", column, quote_literal_cstr(value->text),
						dmp_clean_type(type, typmod));
	return psprintf("%s::text = %s", column, quote_literal_cstr(value->text));
}

/*
 * The condition that the row has the key: in the result, or, when it was
 * rejected or the result lacks the column, in the source.
 */
static char *
key_condition(Trace *trace, CleanPlan *plan)
{
	StringInfoData text;
	int i;

	initStringInfo(&text);
	for (i = 0; trace->key != NULL && i < trace->key->n; i++)
	{
		const DmpDoc *value = trace->key->items[i];
		CleanColumn *column = dmp_clean_find_column(plan, trace->key->keys[i]);
		char *in_source = NULL;
		char *in_result = NULL;

		if (trace->keys[i] != NULL)
			in_source = value->kind == DMP_DOC_NULL
							? psprintf("%s IS NULL", trace->keys[i]->expr)
							: psprintf("%s::text = %s", trace->keys[i]->expr,
									   quote_literal_cstr(value->text));
		if (column != NULL)
		{
			DmpSoftType *type =
				dmp_soft_prepare(column->type, column->typmod, CurrentMemoryContext);
			const char *reason;
			Datum datum;

			if (value->kind != DMP_DOC_NULL &&
				!dmp_soft_input(type, value->text, strlen(value->text), &datum, &reason, NULL))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("key: column \"%s\": %s", column->name, reason)));
			in_result = equals(column->base, column->type, column->typmod, value);
		}
		if (in_source != NULL && in_result != NULL)
			in_source =
				plan->reject ? psprintf("%s IS NOT NULL AND %s", plan->reject, in_source) : NULL;
		appendStringInfo(&text, " AND (%s%s%s)", in_result ? in_result : "",
						 in_result && in_source ? " OR " : "", in_source ? in_source : "");
	}
	return text.data;
}

/* the columns of the key, as the source has them */
static void
keep_keys(Trace *trace, CleanPlan *plan)
{
	int i;

	if (trace->key == NULL)
		return;
	trace->keys = palloc0(sizeof(CleanKept *) * Max(trace->key->n, 1));
	for (i = 0; i < trace->key->n; i++)
	{
		CleanColumn *column = dmp_clean_find_column(plan, trace->key->keys[i]);

		if (trace->key->items[i]->kind >= DMP_DOC_ARRAY)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("key: column \"%s\" needs a value, not %s", trace->key->keys[i],
								   dmp_doc_kind_name(trace->key->items[i]->kind))));
		if (column != NULL)
			trace->keys[i] = dmp_clean_keep(plan, psprintf("dmp_key_%d", i), column->base);
	}
}

/* a key that neither the source nor the result has is an error */
static void
check_keys(Trace *trace, CleanPlan *plan)
{
	int i;

	for (i = 0; trace->key != NULL && i < trace->key->n; i++)
	{
		List *names = NIL;
		ListCell *lc;

		foreach (lc, plan->columns)
			names = lappend(names, ((CleanColumn *) lfirst(lc))->name);
		if (trace->keys[i] == NULL && !dmp_list_has(names, trace->key->keys[i]))
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("key: column \"%s\" does not exist", trace->key->keys[i]),
							errdetail("Columns of the result: %s.", dmp_join(names, ", ")),
							dmp_errhint_nearest(trace->key->keys[i], names)));
	}
}

/*
 * The SELECT of one pass: (line, before, after, reason, record), a row a
 * changed cell of the lines from and before to, and a row a rejected row. NULL
 * when the recipe changes and rejects nothing. Rejected rows come with the
 * first pass.
 */
static char *
cells_select(Trace *trace, int from, int to)
{
	CleanPlan *plan = dmp_clean_source_plan(&trace->source, CLEAN_TRACED);
	CleanWatch watch = {before_step, after_step, trace};
	StringInfoData values;
	ListCell *lc;

	trace->from = from;
	trace->to = to;
	trace->traced = NIL;
	plan->tid_table = InvalidOid;
	plan->record = trace->record ? psprintf(trace->record, plan->alias) : NULL;
	plan->watch = &watch;
	keep_keys(trace, plan);
	dmp_clean_compile(plan, trace->recipe);
	dmp_clean_flush(plan);
	check_keys(trace, plan);

	initStringInfo(&values);
	foreach (lc, trace->traced)
	{
		TracedLine *traced = lfirst(lc);

		if (traced->after == NULL)
			continue;
		appendStringInfo(&values, "%s(%d, %s::text, %s::text, NULL::text, %s)",
						 values.len > 0 ? ",\n\t" : "", traced->line->index,
						 traced->before ? traced->before->expr : "NULL", traced->after->expr,
						 changed_condition(trace, plan, traced));
	}
	if (from == 0 && plan->reject != NULL)
		appendStringInfo(&values, "%s(%s, NULL::text, NULL::text, %s, %s IS NOT NULL)",
						 values.len > 0 ? ",\n\t" : "", plan->reject, plan->reason, plan->reject);
	if (values.len == 0)
		return NULL;
	return psprintf("%s\nSELECT c.line, c.before, c.after, c.reason, %s AS record\n"
					"FROM %s CROSS JOIN LATERAL (VALUES\n\t%s\n) "
					"AS c (line, before, after, reason, is_so)\nWHERE c.is_so%s",
					plan->with.data, plan->record ? plan->record : "NULL::json", plan->from,
					values.data, key_condition(trace, plan));
}

/* the lines of the recipe over the source; all errors of it come from here */
static void
prepare(Trace *trace, const char *query, const DmpDoc *recipe, CleanIncrement *increment)
{
	CleanPlan *plan;

	dmp_clean_open(&trace->source, query);
	trace->source.increment = increment;
	plan = dmp_clean_source_plan(&trace->source, CLEAN_PLAIN);
	dmp_clean_compile(plan, recipe);
	trace->recipe = recipe;
	trace->lines = plan->lines;
	trace->n_columns = Max(trace->source.desc->natts, list_length(plan->columns));
}

/* how many lines one pass can explain: each carries two columns along */
static int
pass_size(const Trace *trace)
{
	int n_keys = trace->key ? trace->key->n : 0;

	return Max((MAX_ENTRIES - trace->n_columns - n_keys) / 2, 1);
}

/*
 * The SELECTs of all passes, told one by one.
 */
static void
each_pass(Trace *trace, void (*pass)(Trace *trace, const char *select, void *arg), void *arg)
{
	int n = list_length(trace->lines);
	int size = pass_size(trace);
	int from;

	for (from = 0; from < n; from += size)
	{
		char *select = cells_select(trace, from, Min(from + size, n));

		if (select != NULL)
			pass(trace, select, arg);
	}
}

/* ---- preview */

typedef struct Preview
{
	FunctionCallInfo fcinfo;
	int samples;
} Preview;

static Datum
text_or_null(const char *value, bool *isnull)
{
	*isnull = value == NULL;
	return value ? CStringGetTextDatum(value) : (Datum) 0;
}

/* the first columns of an answer: step, action, column_name */
static void
put_line(const Trace *trace, int index, Datum *values, bool *nulls)
{
	const CleanLine *line = list_nth(trace->lines, index);

	values[0] = Int32GetDatum(line->step);
	values[1] = CStringGetTextDatum(line->action);
	values[2] = text_or_null(line->column, &nulls[2]);
}

static void
preview_pass(Trace *trace, const char *select, void *arg)
{
	Preview *preview = arg;
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_int4(&args, preview->samples);
	n = dmp_spi(
		psprintf("SELECT line, before, after, substr(reason, 7), rows_alike, rows_total, example\n"
				 "FROM (SELECT line, before, after, reason, count(*) AS rows_alike,\n"
				 "\tsum(count(*)) OVER (PARTITION BY line, reason IS NULL)::bigint AS rows_total,\n"
				 "\tmin(CASE WHEN reason IS NOT NULL THEN record::text END COLLATE \"C\") AS "
				 "example,\n"
				 "\trow_number() OVER (PARTITION BY line, reason IS NULL ORDER BY before IS NOT "
				 "DISTINCT FROM after, count(*) DESC, before COLLATE \"C\", after COLLATE \"C\", "
				 "reason COLLATE \"C\") AS place\n"
				 "FROM (%s) AS c GROUP BY line, before, after, reason) AS g\n"
				 "WHERE place <= $1 ORDER BY line, reason IS NOT NULL, place",
				 select),
		&args, true);
	for (uint64 i = 0; i < n; i++)
	{
		Datum values[9];
		bool nulls[9] = {false};

		put_line(trace, (int) dmp_spi_int8(i, 1, 0), values, nulls);
		values[3] = text_or_null(dmp_spi_text(i, 2), &nulls[3]);
		values[4] = text_or_null(dmp_spi_text(i, 3), &nulls[4]);
		values[5] = text_or_null(dmp_spi_text(i, 4), &nulls[5]);
		values[6] = Int64GetDatum(dmp_spi_int8(i, 5, 0));
		values[7] = Int64GetDatum(dmp_spi_int8(i, 6, 0));
		values[8] = text_or_null(dmp_spi_text(i, 7), &nulls[8]);
		dmp_srf_row(preview->fcinfo, values, nulls);
	}
}

/*
 * dmp.preview_recipe(query text, recipe json, samples integer) -> TABLE(step, action,
 *	column_name, before, after, reason, rows_alike, rows_total, example)
 *
 * What dmp.clean would do, and nothing is written: by step and column the
 * changes that most cells would see, and the reasons of most rejected rows.
 */
Datum
dmp_preview_recipe(PG_FUNCTION_ARGS)
{
	char *query = text_to_cstring(dmp_clean_argument(fcinfo, 0, "query"));
	DmpRecipe *recipe = dmp_recipe_of(text_to_cstring(dmp_clean_argument(fcinfo, 1, "recipe")));
	Preview preview = {fcinfo, PG_ARGISNULL(2) ? 5 : PG_GETARG_INT32(2)};
	Trace trace = {0};

	if (preview.samples < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("samples must be at least 1, not %d", preview.samples)));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	prepare(&trace, query, recipe->doc, NULL);
	trace.record = "row_to_json(%s)";
	each_pass(&trace, preview_pass, &preview);
	dmp_spi_finish();
	return (Datum) 0;
}

/* ---- history */

typedef struct History
{
	FunctionCallInfo fcinfo;
	int64 *cells;   /* by line */
	int64 *rejects; /* by line */
} History;

static void
history_pass(Trace *trace, const char *select, void *arg)
{
	History *history = arg;
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp cell history", ALLOCSET_DEFAULT_SIZES);
	Portal portal;

	/* of few rows the order is worth its price */
	if (trace->key != NULL)
		select = psprintf("SELECT * FROM (%s) AS cells\nORDER BY record::text COLLATE \"C\", "
						  "reason IS NOT NULL, line",
						  select);
	portal = SPI_cursor_open_with_args(NULL, select, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		MemoryContext old;
		uint64 n;

		SPI_cursor_fetch(portal, true, BATCH);
		n = SPI_processed;
		if (n == 0)
			break;
		old = MemoryContextSwitchTo(context);
		for (uint64 i = 0; i < n; i++)
		{
			Datum values[8];
			bool nulls[8] = {false};
			int line = (int) dmp_spi_int8(i, 1, 0);
			char *reason = dmp_spi_text(i, 4);

			CHECK_FOR_INTERRUPTS();
			put_line(trace, line, values, nulls);
			values[3] = dmp_spi_datum(i, 2, &nulls[3]);
			values[4] = dmp_spi_datum(i, 3, &nulls[4]);
			values[5] = text_or_null(reason ? reason + 6 : NULL, &nulls[5]);
			values[6] = text_or_null(reason ? pnstrdup(reason, 5) : NULL, &nulls[6]);
			values[7] = dmp_spi_datum(i, 5, &nulls[7]);
			dmp_srf_row(history->fcinfo, values, nulls);
			(reason ? history->rejects : history->cells)[line]++;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(context);
}

/* The numbers a line had: rows_before is what reached it, and becomes what left it. */
static void
numbers_then(const DmpDoc *steps, const CleanLine *line, int64 *rows_before, int64 *cells,
			 int64 *rejected)
{
	const DmpDoc *then = line->index < steps->n ? steps->items[line->index] : NULL;
	int64 rows_out;

	*cells = *rejected = 0;
	if (then == NULL)
		return;
	*cells = (int64) dmp_doc_number(then, "cells_changed", 0, "steps");
	rows_out = (int64) dmp_doc_number(then, "rows_out", 0, "steps");
	*rejected = *rows_before - rows_out;
	*rows_before = rows_out;
}

/* lines that changed nothing need not be carried along */
static bool *
lines_without(const CleanRun *run, const DmpDoc *steps, const Trace *trace)
{
	bool *none = palloc0(sizeof(bool) * Max(list_length(trace->lines), 1));
	int64 rows = run->rows_in;
	int64 cells;
	int64 rejected;
	ListCell *lc;

	foreach (lc, trace->lines)
	{
		numbers_then(steps, lfirst(lc), &rows, &cells, &rejected);
		none[foreach_current_index(lc)] = cells == 0;
	}
	return none;
}

/* the numbers the run had, beside those of now */
static void
compare_counts(const CleanRun *run, const DmpDoc *steps, const Trace *trace, const History *history)
{
	int64 rows = run->rows_in;
	int64 cells;
	int64 rejected;
	ListCell *lc;

	foreach (lc, trace->lines)
	{
		const CleanLine *line = lfirst(lc);

		numbers_then(steps, line, &rows, &cells, &rejected);
		if (cells == history->cells[line->index] && rejected == history->rejects[line->index])
			continue;
		ereport(WARNING,
				(errmsg("the data of the query has changed since run " INT64_FORMAT, run->run),
				 errdetail("Step %d (%s): " INT64_FORMAT " cells changed and " INT64_FORMAT
						   " rows rejected then, " INT64_FORMAT " and " INT64_FORMAT " now.",
						   line->step, line->action, cells, rejected, history->cells[line->index],
						   history->rejects[line->index])));
		return;
	}
}

/* what of a source row stands beside each change: an expression over its alias */
static const char *
record_expression(FunctionCallInfo fcinfo, int n, TupleDesc desc)
{
	StringInfoData text;
	List *names;
	ListCell *lc;

	if (PG_ARGISNULL(n))
		return "row_to_json(%s)";
	names = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(n));
	if (names == NIL)
		return NULL;
	initStringInfo(&text);
	foreach (lc, names)
	{
		const char *name = quote_identifier(lfirst(lc));
		const char *p;

		(void) dmp_column_number(desc, lfirst(lc), "columns: ");
		appendStringInfo(&text, "%s%%1$s.", text.len > 0 ? ", " : "SELECT ");
		for (p = name; *p; p++)
			appendStringInfo(&text, "%s%c", *p == '%' ? "%" : "", *p);
	}
	return psprintf("(SELECT row_to_json(r) FROM (%s) AS r)", text.data);
}

static void
pin(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

/*
 * dmp.cell_history(run bigint, key jsonb, columns text[]) -> TABLE(step, action, column_name,
 *	before, after, reason, sqlstate, source_row)
 *
 * What a run did, cell by cell, computed again from its query: of all rows, or
 * of those whose result (or source, when they were rejected) has the key.
 */
Datum
dmp_cell_history(PG_FUNCTION_ARGS)
{
	History history = {fcinfo, NULL, NULL};
	Trace trace = {0};
	CleanIncrement increment = {0};
	CleanRun *run;
	DmpDoc *steps;
	int guc_level;
	int n;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("run must not be null")));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	run = dmp_run_find(PG_GETARG_INT64(0));
	if (!PG_ARGISNULL(1))
	{
		trace.key = dmp_doc_from_jsonb(PG_GETARG_DATUM(1), "key");
		if (trace.key->kind != DMP_DOC_OBJECT || trace.key->n == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("key must be an object {\"column\": value}")));
	}
	guc_level = NewGUCNestLevel();
	pin("search_path", run->search_path);
	pin("TimeZone", run->time_zone);
	pin("DateStyle", run->date_style);
	if (run->lineage != 0)
	{
		increment.lineage = run->lineage;
		increment.run = run->run;
		increment.stats = dmp_doc_parse(run->stats, "stats");
	}
	prepare(&trace, run->rows_select ? run->rows_select : run->query, run->recipe->doc,
			run->lineage != 0 ? &increment : NULL);
	if (dmp_query_is_volatile(trace.source.select) ||
		(strcmp(run->if_exists, "replace") == 0 &&
		 list_member_oid(trace.source.relations, run->into)))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the rows of run " INT64_FORMAT " cannot be read again", run->run),
						errdetail(list_member_oid(trace.source.relations, run->into)
									  ? "It replaced the table that it read."
									  : "Its query calls a volatile function.")));
	trace.record = record_expression(fcinfo, 2, trace.source.desc);
	steps = dmp_doc_parse(run->steps, "steps");
	trace.none = lines_without(run, steps, &trace);
	n = Max(list_length(trace.lines), 1);
	history.cells = palloc0(sizeof(int64) * n);
	history.rejects = palloc0(sizeof(int64) * n);
	dmp_progress("cell_history: %d steps", run->recipe->doc->n);
	each_pass(&trace, history_pass, &history);
	AtEOXact_GUC(true, guc_level);
	if (trace.key == NULL)
		compare_counts(run, steps, &trace, &history);
	dmp_spi_finish();
	return (Datum) 0;
}
