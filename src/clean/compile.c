/*-------------------------------------------------------------------------
 * compile.c
 *		The levels of the SELECT that a recipe compiles to.
 *
 * A step that works on cells wraps the expression of a column; nothing is
 * written down until a step needs the columns as they are at that point (to
 * filter on them, to aggregate them). Then the expressions become the select
 * list of a level, "flush", and the next level starts with plain columns.
 *
 * Invariants:
 * - Each level ends in OFFSET 0. The planner then neither merges it with the
 *	 next one, which would evaluate an expression once in the filter and once
 *	 more in the result, nor moves filters into it; a parallel plan stays
 *	 possible, since OFFSET 0 limits nothing.
 * - Filters are added only while no expression is pending, so that cells are
 *	 counted for exactly the rows that reach their step.
 * - A level that statistics are taken of is a MATERIALIZED entry: its rows are
 *	 computed once and read twice. Everything before it is inside that entry.
 * - The traced form turns no row away: a row is marked with the number of the
 *	 line that rejects it and the reason, and goes on marked. Statistics and
 *	 duplicates are among the unmarked rows. So one pass finds all rejects.
 * - In the counted form the functions that count are volatile, so the planner
 *	 removes none of them, and entries of WITH would not be merged: levels nest
 *	 as subqueries instead.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "clean/clean.h"

/*
 * A name that no current column has.
 */
static char *
unused_name(CleanPlan *plan, const char *stem)
{
	char *name = pstrdup(stem);
	int n = 0;
	ListCell *lc;

restart:
	foreach (lc, plan->columns)
	{
		if (strcmp(((CleanColumn *) lfirst(lc))->name, name) == 0)
		{
			name = psprintf("%s_%d", stem, ++n);
			goto restart;
		}
	}
	return name;
}

/*
 * The table when select is nothing but all of it, so that conditions beside it
 * see each of its rows once; else InvalidOid.
 */
static Oid
whole_table(const char *select, List *relations)
{
	ListCell *lc;

	foreach (lc, relations)
	{
		Oid relid = lfirst_oid(lc);
		char kind = get_rel_relkind(relid);

		/* conditions without columns may be evaluated before a row policy */
		if (strcmp(select, psprintf("SELECT * FROM %s", dmp_relation_name(relid))) == 0 &&
			check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED &&
			(kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE ||
			 kind == RELKIND_MATVIEW))
			return relid;
	}
	return InvalidOid;
}

static void
set_base(CleanColumn *column, const char *alias)
{
	column->base = psprintf("%s.%s", alias, quote_identifier(column->name));
	column->expr = column->base;
	column->before = "";
	column->after = "";
}

static void
add_with(CleanPlan *plan, const char *name, const char *how, const char *text)
{
	appendStringInfo(&plan->with, "%s%s AS %s(\n%s\n)", plan->with.len > 0 ? ",\n" : "WITH ", name,
					 how, text);
}

/*
 * A plan whose first level reads the source: select, a SELECT that reads the
 * given relations and returns the columns of desc.
 */
CleanPlan *
dmp_clean_plan(const char *select, List *relations, TupleDesc desc, CleanForm form)
{
	CleanPlan *plan = palloc0(sizeof(CleanPlan));
	Oid table;
	int i;

	plan->form = form;
	plan->n_slots = 1;
	if (form == CLEAN_COUNTED)
		plan->ticks = list_make1_int(0);
	initStringInfo(&plan->with);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		CleanColumn *column;
		ListCell *lc;

		if (attr->attisdropped)
			continue;
		foreach (lc, plan->columns)
			if (strcmp(((CleanColumn *) lfirst(lc))->name, NameStr(attr->attname)) == 0)
				ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
								errmsg("query has two columns \"%s\"", NameStr(attr->attname)),
								errhint("Give one of them another name with AS.")));
		column = palloc0(sizeof(CleanColumn));
		column->name = pstrdup(NameStr(attr->attname));
		column->type = attr->atttypid;
		column->typmod = attr->atttypmod;
		column->collation = attr->attcollation;
		plan->columns = lappend(plan->columns, column);
	}
	if (plan->columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query returns no columns")));

	plan->alias = unused_name(plan, "source");
	table = whole_table(select, relations);
	if (OidIsValid(table))
		plan->from = psprintf("%s AS %s", select + strlen("SELECT * FROM "), plan->alias);
	else if (form == CLEAN_COUNTED)
		/* the fence keeps the counting above the query's own conditions */
		plan->from = psprintf("(SELECT * FROM (%s) AS q OFFSET 0) AS %s", select, plan->alias);
	else
	{
		add_with(plan, plan->alias, "", select);
		plan->from = plan->alias;
	}
	/* a row of a table without children is known by its ctid */
	if (form != CLEAN_PLAIN && OidIsValid(table) &&
		get_rel_relkind(table) != RELKIND_PARTITIONED_TABLE && !has_subclass(table) &&
		pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
	{
		plan->tid_table = table;
		plan->record = psprintf("%s.ctid", plan->alias);
	}
	else if (form == CLEAN_TRACED)
		plan->record = plan->alias;
	for (i = 0; i < list_length(plan->columns); i++)
		set_base(list_nth(plan->columns, i), plan->alias);
	return plan;
}

/*
 * Keys to sort by, which stand beside the columns: where that is more than the
 * server lets a SELECT have, one key of them all, compared by their texts.
 */
List *
dmp_clean_sort_keys(CleanPlan *plan, List *keys)
{
	/* twice, since others may stand beside them */
	if (list_length(plan->columns) + 2 * list_length(keys) <= CLEAN_LEVEL_COLUMNS)
		return keys;
	return list_make1(psprintf("ROW(%s)::text COLLATE \"C\"", dmp_join(keys, ", ")));
}

/*
 * The type as SQL, with its typmod.
 */
char *
dmp_clean_type(Oid type, int32 typmod)
{
	return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN);
}

/*
 * The FROM clause of the current level, with its statistics.
 */
static char *
level_from(CleanPlan *plan)
{
	if (plan->stats != NULL && plan->stats->len > 0)
	{
		add_with(plan, plan->stats_alias, "",
				 psprintf("SELECT %s\nFROM %s%s", plan->stats->data, plan->from,
						  plan->reject ? psprintf("\nWHERE %s IS NULL", plan->reject) : ""));
		return psprintf("%s, %s", plan->from, plan->stats_alias);
	}
	return plan->from;
}

/*
 * The WHERE clause of the current level, from its filters and counts. Counted:
 * one CASE, which is evaluated in order, unlike a list of ANDs.
 */
static char *
level_where(CleanPlan *plan)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	if (plan->form == CLEAN_COUNTED)
	{
		if (plan->ticks == NIL && plan->filters == NIL)
			return "";
		appendStringInfoString(&text, "\nWHERE CASE");
		foreach (lc, plan->ticks)
			appendStringInfo(&text, " WHEN dmp_internal.tick(" INT64_FORMAT ", %d) THEN false",
							 plan->run, lfirst_int(lc));
		foreach (lc, plan->filters)
		{
			CleanFilter *filter = lfirst(lc);

			appendStringInfo(&text, "\n\tWHEN (%s) IS NOT TRUE THEN dmp_internal.", filter->keep);
			if (plan->record != NULL && filter->line->quarantine)
				appendStringInfo(&text, "reject(" INT64_FORMAT ", %d, %s, %s)", plan->run,
								 filter->line->rejected, plan->record, filter->reason);
			else
				appendStringInfo(&text, "tick(" INT64_FORMAT ", %d)", plan->run,
								 filter->line->rejected);
		}
		appendStringInfoString(&text, " ELSE true END");
		return text.data;
	}
	if (plan->form == CLEAN_TRACED)
		return "";
	foreach (lc, plan->filters)
		appendStringInfo(&text, "\n%s (%s)", lc == list_head(plan->filters) ? "WHERE" : "\tAND",
						 ((CleanFilter *) lfirst(lc))->keep);
	return text.data;
}

/*
 * Traced: the number of the line that rejects the row, and why.
 */
static void
add_marks(CleanPlan *plan, StringInfo text)
{
	StringInfoData line;
	StringInfoData reason;
	ListCell *lc;

	if (plan->filters == NIL && plan->reject == NULL)
		return;
	initStringInfo(&line);
	initStringInfo(&reason);
	if (plan->reject != NULL)
	{
		appendStringInfo(&line, " WHEN %s IS NOT NULL THEN %s", plan->reject, plan->reject);
		appendStringInfo(&reason, " WHEN %s IS NOT NULL THEN %s", plan->reject, plan->reason);
	}
	foreach (lc, plan->filters)
	{
		CleanFilter *filter = lfirst(lc);

		appendStringInfo(&line, "\n\tWHEN (%s) IS NOT TRUE THEN %d", filter->keep,
						 filter->line->index);
		appendStringInfo(&reason, "\n\tWHEN (%s) IS NOT TRUE THEN %s", filter->keep,
						 filter->reason);
	}
	appendStringInfo(text, ",\n\tCASE%s END AS %s,\n\tCASE%s END AS %s", line.data,
					 unused_name(plan, "dmp_reject"), reason.data, unused_name(plan, "dmp_reason"));
}

/*
 * The select list: the columns, what is hidden, and the marks.
 */
static char *
level_list(CleanPlan *plan, bool extras)
{
	StringInfoData text;
	ListCell *lc;
	ListCell *lc2;
	const char *separator = "";

	initStringInfo(&text);
	foreach (lc, plan->columns)
	{
		CleanColumn *column = lfirst(lc);
		/* base is the alias, a point and the name the column had */
		bool same = !dmp_clean_touched(column) && strcmp(column->base + strlen(plan->alias) + 1,
														 quote_identifier(column->name)) == 0;

		appendStringInfo(&text, "%s%s", separator, column->expr);
		if (!same)
			appendStringInfo(&text, " AS %s", quote_identifier(column->name));
		separator = dmp_clean_touched(column) ? ",\n\t" : ", ";
	}
	if (!extras)
		return text.data;
	forboth(lc, plan->hidden, lc2, plan->hidden_as)
		appendStringInfo(&text, ",\n\t%s AS %s", (char *) lfirst(lc), (char *) lfirst(lc2));
	foreach (lc, plan->kept)
	{
		CleanKept *kept = lfirst(lc);

		appendStringInfo(&text, ",\n\t%s AS %s", kept->expr, unused_name(plan, kept->stem));
	}
	if (plan->record != NULL)
		appendStringInfo(&text, ",\n\t%s AS %s", plan->record, unused_name(plan, "dmp_record"));
	if (plan->form == CLEAN_TRACED)
		add_marks(plan, &text);
	return text.data;
}

/*
 * Start a new level that reads text, the SELECT of the one before.
 */
static void
next_level(CleanPlan *plan, const char *text, bool materialized)
{
	bool marked = plan->reject != NULL || plan->filters != NIL;
	ListCell *lc;

	plan->alias = unused_name(plan, psprintf("rows_%d", ++plan->n_names));
	if (materialized)
		add_with(plan, plan->alias, "MATERIALIZED ", text);
	else if (plan->form != CLEAN_COUNTED)
		add_with(plan, plan->alias, "", text);
	if (materialized || plan->form != CLEAN_COUNTED)
		plan->from = plan->alias;
	else
		plan->from = psprintf("(\n%s\n) AS %s", text, plan->alias);
	foreach (lc, plan->columns)
		set_base(lfirst(lc), plan->alias);
	foreach (lc, plan->kept)
	{
		CleanKept *kept = lfirst(lc);

		kept->expr = dmp_clean_ref(plan, unused_name(plan, kept->stem));
	}
	plan->filters = NIL;
	plan->hidden = NIL;
	plan->hidden_as = NIL;
	plan->ticks = NIL;
	plan->window = false;
	plan->renamed = false;
	plan->stats = NULL;
	if (plan->record != NULL)
		plan->record = dmp_clean_ref(plan, unused_name(plan, "dmp_record"));
	if (plan->form == CLEAN_TRACED && marked)
	{
		plan->reject = dmp_clean_ref(plan, unused_name(plan, "dmp_reject"));
		plan->reason = dmp_clean_ref(plan, unused_name(plan, "dmp_reason"));
	}
}

static void
flush(CleanPlan *plan, const char *head, const char *tail, bool materialized)
{
	char *list = level_list(plan, true);
	char *from = level_from(plan);

	next_level(plan,
			   psprintf("%s %s\nFROM %s%s%s%s", head, list, from, level_where(plan), tail,
						materialized ? "" : "\nOFFSET 0"),
			   materialized);
}

/*
 * Write the pending expressions and filters down as a level.
 */
void
dmp_clean_flush(CleanPlan *plan)
{
	flush(plan, "SELECT", "", false);
}

/*
 * Make sure that every column is plain, so that a filter can be added.
 */
void
dmp_clean_settle(CleanPlan *plan)
{
	bool needed = plan->window || (plan->stats != NULL && plan->stats->len > 0);
	ListCell *lc;

	foreach (lc, plan->columns)
		needed |= dmp_clean_touched(lfirst(lc));
	if (needed)
		dmp_clean_flush(plan);
}

/*
 * Make sure that the level has the columns, and no others, under their names,
 * so that an expression of the caller can stand here.
 */
void
dmp_clean_settle_names(CleanPlan *plan)
{
	if (plan->renamed || plan->stats != NULL)
		dmp_clean_flush(plan);
	else
		dmp_clean_settle(plan);
}

bool
dmp_clean_touched(const CleanColumn *column)
{
	return column->expr != column->base;
}

/*
 * Put a function around the column: counted is its text in the plan's form
 * (it holds expr already), before and after its text without counting.
 */
void
dmp_clean_wrap(CleanColumn *column, const char *counted, const char *before, const char *after)
{
	column->expr = pstrdup(counted);
	if (column->before != NULL)
	{
		column->before = psprintf("%s%s", before, column->before);
		column->after = psprintf("%s%s", column->after, after);
	}
}

/*
 * Another expression for the column, of any shape.
 */
void
dmp_clean_replace(CleanColumn *column, const char *expr)
{
	column->expr = pstrdup(expr);
	column->before = NULL;
	column->after = NULL;
}

/*
 * Another expression for the column, of the type it has (type, with the
 * column's typmod if that is the column's), perhaps without its typmod. A
 * domain that is not named so is left.
 */
void
dmp_clean_replace_as(CleanColumn *column, Oid type, const char *expr)
{
	if (type != column->type)
	{
		int32 typmod = column->typmod;

		(void) getBaseTypeAndTypmod(column->type, &typmod);
		dmp_clean_retype(column, type, typmod);
	}
	if (column->typmod >= 0)
		expr = psprintf("(%s)::%s", expr, dmp_clean_type(column->type, column->typmod));
	dmp_clean_replace(column, expr);
}

void
dmp_clean_retype(CleanColumn *column, Oid type, int32 typmod)
{
	column->type = type;
	column->typmod = typmod;
	column->collation = get_typcollation(type);
}

/*
 * Carry an expression of this level to the next one, for its filters only.
 * Returns its name there; see dmp_clean_ref.
 */
char *
dmp_clean_hide(CleanPlan *plan, const char *expr)
{
	char *name = unused_name(plan, psprintf("dmp_before_%d", list_length(plan->hidden) + 1));

	plan->hidden = lappend(plan->hidden, pstrdup(expr));
	plan->hidden_as = lappend(plan->hidden_as, name);
	return name;
}

/*
 * Carry an expression of this level to all that follow: expr of what is
 * returned is its SQL at the current one. Stems are the caller's to keep apart.
 */
CleanKept *
dmp_clean_keep(CleanPlan *plan, const char *stem, const char *expr)
{
	CleanKept *kept = palloc(sizeof(CleanKept));

	kept->stem = pstrdup(stem);
	kept->expr = pstrdup(expr);
	plan->kept = lappend(plan->kept, kept);
	return kept;
}

char *
dmp_clean_ref(const CleanPlan *plan, const char *name)
{
	return psprintf("%s.%s", plan->alias, quote_identifier(name));
}

/*
 * The current step looks at more than the row: a recipe with such a step
 * cannot be applied row by row.
 */
void
dmp_clean_across(CleanPlan *plan)
{
	if (plan->across == 0)
		plan->across = plan->step;
}

/*
 * Make sure that statistics of these columns can be taken at this level.
 */
void
dmp_clean_need_stats(CleanPlan *plan, List *columns)
{
	bool ready = plan->stats != NULL && plan->filters == NIL && !plan->window;
	bool touched = false;
	ListCell *lc;

	foreach (lc, columns)
		touched |= dmp_clean_touched(lfirst(lc));
	if (plan->increment != NULL && plan->increment->stats != NULL)
	{
		/* they are known */
		if (touched)
			dmp_clean_flush(plan);
		return;
	}
	if (plan->increment == NULL)
		dmp_clean_across(plan);
	if (ready && !touched)
		return;
	flush(plan, "SELECT", "", true);
	plan->stats = makeStringInfo();
	plan->stats_alias = unused_name(plan, psprintf("stats_%d", plan->n_names));
}

/*
 * Take an aggregate over the rows of this level; returns the SQL to refer to
 * it.
 */
char *
dmp_clean_stat(CleanPlan *plan, const char *what, const char *aggregate)
{
	CleanIncrement *increment = plan->increment;
	char *name;

	if (increment != NULL && increment->stats != NULL)
	{
		const DmpDoc *stat;

		if (increment->n_stats >= increment->stats->n)
			elog(ERROR, "statistic %d of the recipe is not known", increment->n_stats);
		stat = increment->stats->items[increment->n_stats++];
		return psprintf("%s::%s",
						stat->items[0]->kind == DMP_DOC_NULL
							? "NULL"
							: quote_literal_cstr(stat->items[0]->text),
						stat->items[1]->text);
	}
	name = psprintf("%s_%d", what, ++plan->n_names);
	if (increment != NULL)
		increment->stat_names = lappend(increment->stat_names,
										psprintf("(SELECT %s FROM %s)", name, plan->stats_alias));
	appendStringInfo(plan->stats, "%s%s AS %s", plan->stats->len > 0 ? ",\n\t" : "", aggregate,
					 name);
	return psprintf("%s.%s", plan->stats_alias, name);
}

/*
 * Start a level whose rows can be read several times: by entries of the WITH
 * list that a step adds (dmp_clean_entry), and by the level itself, which may
 * join them (dmp_clean_join).
 */
void
dmp_clean_need_rows(CleanPlan *plan)
{
	dmp_clean_across(plan);
	flush(plan, "SELECT", "", true);
	plan->joins = true;
}

/*
 * A name for such an entry.
 */
char *
dmp_clean_name(CleanPlan *plan, const char *stem)
{
	return unused_name(plan, psprintf("%s_%d", stem, ++plan->n_names));
}

void
dmp_clean_entry(CleanPlan *plan, const char *name, bool materialized, const char *select)
{
	add_with(plan, name, materialized ? "MATERIALIZED " : "", select);
}

/*
 * Join an entry to the rows of the level; it must have at most one row for
 * which the condition is true.
 */
void
dmp_clean_join(CleanPlan *plan, const char *name, const char *condition)
{
	plan->from = psprintf("%s\n\tLEFT JOIN %s ON %s", plan->from, name, condition);
}

/*
 * A line of the answer for the current step. column: NULL for whole rows.
 */
CleanLine *
dmp_clean_line(CleanPlan *plan, const char *column, bool changes, bool rejects)
{
	CleanLine *line = palloc0(sizeof(CleanLine));

	line->index = list_length(plan->lines);
	line->step = plan->step;
	line->action = plan->action;
	line->column = column ? pstrdup(column) : NULL;
	line->changed = changes ? plan->n_slots++ : -1;
	line->rejected = rejects ? plan->n_slots++ : -1;
	line->failed = -1;
	line->arrived = -1;
	line->quarantine = true;
	plan->lines = lappend(plan->lines, line);
	return line;
}

/*
 * expr, counted as a changed cell when it is not NULL.
 */
char *
dmp_clean_tally(CleanPlan *plan, CleanLine *line, const char *expr)
{
	if (plan->form != CLEAN_COUNTED)
		return pstrdup(expr);
	return psprintf("dmp_internal.tally(%s, " INT64_FORMAT ", %d)", expr, plan->run, line->changed);
}

/*
 * The last arguments of a function that counts the cells it changes.
 */
char *
dmp_clean_counting(CleanPlan *plan, CleanLine *line)
{
	if (plan->form != CLEAN_COUNTED)
		return "";
	return psprintf(", " INT64_FORMAT ", %d", plan->run, line->changed);
}

/*
 * Cells may fail in this line without rejecting the row; failure says so, and
 * becomes a notice: "no number, made missing".
 */
void
dmp_clean_failures(CleanPlan *plan, CleanLine *line, const char *failure)
{
	line->failed = plan->n_slots++;
	line->failure = failure;
}

/*
 * The last arguments of a function that counts changed and failed cells.
 */
char *
dmp_clean_failing(CleanPlan *plan, CleanLine *line)
{
	if (plan->form != CLEAN_COUNTED)
		return "";
	return psprintf(", " INT64_FORMAT ", %d, %d", plan->run, line->changed, line->failed);
}

/*
 * Let only rows pass for which keep is true. Columns must be plain (settle).
 */
void
dmp_clean_filter(CleanPlan *plan, CleanLine *line, char *keep, char *reason)
{
	CleanFilter *filter = palloc0(sizeof(CleanFilter));

	filter->line = line;
	filter->keep = keep;
	filter->reason = reason;
	plan->filters = lappend(plan->filters, filter);
}

/*
 * dmp_clean_distinct among the rows and those that earlier runs let through,
 * whose keys are known by hashes. What was let through stays.
 */
static void
distinct_from_before(CleanPlan *plan, CleanLine *line, const char *keys, const char *order)
{
	char *before = unused_name(plan, psprintf("before_%d", ++plan->n_names));
	char *hash = psprintf("dmp.row_hash(ROW(%s))", keys);
	char *alive = dmp_clean_alive(plan);
	char *place;
	char *taken;

	plan->from =
		psprintf("%s\nLEFT JOIN (SELECT DISTINCT pg_catalog.unnest(t.keys) AS dmp_taken"
				 " FROM dmp_internal.recipe_taken AS t WHERE t.lineage = " INT64_FORMAT
				 " AND t.step = %d AND t.run < " INT64_FORMAT ") AS %s\n\tON %s.dmp_taken = %s",
				 plan->from, plan->increment->lineage, plan->step, plan->increment->run, before,
				 before, hash);
	if (plan->form == CLEAN_PLAIN)
	{
		CleanDistinct *distinct = palloc(sizeof(CleanDistinct));
		char *where = level_where(plan);

		distinct->step = plan->step;
		distinct->select =
			psprintf("%s\nSELECT DISTINCT %s FROM %s%s%s %s.dmp_taken IS NULL", plan->with.data,
					 hash, level_from(plan), where, where[0] ? "\n\tAND" : "\nWHERE", before);
		plan->increment->distinct = lappend(plan->increment->distinct, distinct);
	}
	place = dmp_clean_hide(plan, psprintf("row_number() OVER (PARTITION BY %s%s ORDER BY %s)",
										  alive ? psprintf("(%s), ", alive) : "", keys, order));
	taken = dmp_clean_hide(plan, psprintf("%s.dmp_taken", before));
	dmp_clean_flush(plan);
	line->rejected = plan->n_slots++;
	taken = dmp_clean_ref(plan, taken);
	dmp_clean_filter(plan, line,
					 psprintf("%s = 1 AND %s IS NULL", dmp_clean_ref(plan, place), taken),
					 psprintf("CASE WHEN %s IS NULL THEN '23505 duplicate of a row that is kept' "
							  "ELSE '23505 duplicate of a row that an earlier run kept' END",
							  taken));
}

/*
 * Of rows that agree in keys (SQL expressions) let the first one in order
 * (SQL with directions) pass; whole_row: of rows that agree in all columns any
 * one. Columns must be plain.
 */
void
dmp_clean_distinct(CleanPlan *plan, CleanLine *line, List *keys, List *order, bool whole_row)
{
	char *all_keys;
	char *all_order;

	keys = dmp_clean_sort_keys(plan, keys);
	all_keys = dmp_join(keys, ", ");
	all_order = dmp_join(list_concat_copy(keys, order), ", ");

	if (plan->increment != NULL)
	{
		distinct_from_before(plan, line, all_keys, all_order);
		return;
	}
	dmp_clean_across(plan);
	/* every row goes on to the filter when those that it drops are wanted */
	if (plan->form == CLEAN_TRACED || (plan->record != NULL && line->quarantine))
	{
		char *alive = dmp_clean_alive(plan);
		char *n = dmp_clean_hide(plan, psprintf("row_number() OVER (PARTITION BY %s%s ORDER BY %s)",
												alive ? psprintf("(%s), ", alive) : "", all_keys,
												all_order));

		dmp_clean_flush(plan);
		line->rejected = plan->n_slots++;
		dmp_clean_filter(plan, line, psprintf("%s = 1", dmp_clean_ref(plan, n)),
						 "'23505 duplicate of a row that is kept'");
		return;
	}
	/* a ctid would make every row distinct */
	if (whole_row && plan->record == NULL)
		flush(plan, "SELECT DISTINCT", "", false);
	else
		flush(plan, psprintf("SELECT DISTINCT ON (%s)", all_keys),
			  psprintf("\nORDER BY %s", all_order), false);
	if (plan->form == CLEAN_COUNTED)
	{
		line->arrived = plan->n_slots++;
		plan->ticks = lappend_int(plan->ticks, line->arrived);
	}
}

/*
 * Traced: the condition that a row is still unmarked; NULL when all are. The
 * level must hold no pending filter.
 */
char *
dmp_clean_alive(CleanPlan *plan)
{
	if (plan->form != CLEAN_TRACED || plan->reject == NULL)
		return NULL;
	Assert(plan->filters == NIL);
	return psprintf("%s IS NULL", plan->reject);
}

/*
 * The whole SELECT; of the traced form: number of the line, reason, and ctid
 * or json of the source row of each reject.
 */
char *
dmp_clean_finish(CleanPlan *plan)
{
	char *from;

	if (plan->form == CLEAN_TRACED)
	{
		dmp_clean_flush(plan);
		if (plan->reject == NULL)
			return NULL;
		return psprintf("%s\nSELECT %s, %s, %s\nFROM %s\nWHERE %s IS NOT NULL", plan->with.data,
						plan->reject, plan->reason,
						OidIsValid(plan->tid_table)
							? plan->record
							: psprintf("row_to_json(%s)::text", plan->record),
						plan->from, plan->reject);
	}
	from = level_from(plan);
	return psprintf("%s%sSELECT %s\nFROM %s%s", plan->with.data, plan->with.len > 0 ? "\n" : "",
					level_list(plan, false), from, level_where(plan));
}
