/*-------------------------------------------------------------------------
 * step_rows.c
 *		Steps on whole rows and on the list of columns: drop_missing,
 *		deduplicate, require, rename, select.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "clean/clean.h"

/*
 * {"drop_missing": "*" | column | [columns]}: a row goes whose cell is NULL.
 */
void
dmp_clean_drop_missing(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	List *columns = dmp_clean_columns(plan, argument, NULL, NULL);
	bool quarantine = dmp_clean_quarantine(plan, step);
	ListCell *lc;

	dmp_clean_settle(plan);
	foreach (lc, columns)
	{
		CleanColumn *column = lfirst(lc);
		CleanLine *line = dmp_clean_line(plan, column->name, false, true);
		/* of a composite, IS NOT NULL asks about every field */
		char *keep = type_is_rowtype(column->type) ? psprintf("NOT %s IS NULL", column->base)
												   : psprintf("%s IS NOT NULL", column->base);

		line->quarantine = quarantine;
		dmp_clean_filter(plan, line, keep, "'23502 value is missing'");
	}
}

/*
 * A column as a key: compared by bytes when it is a text, by its text when its
 * type has no order.
 */
char *
dmp_clean_key(const CleanColumn *column)
{
	TypeCacheEntry *type = lookup_type_cache(column->type, TYPECACHE_LT_OPR);

	if (!OidIsValid(type->lt_opr))
		return psprintf("%s::text COLLATE \"C\"", column->base);
	if (OidIsValid(column->collation))
		return psprintf("%s COLLATE \"C\"", column->base);
	return column->base;
}

/*
 * {"deduplicate": "*" | [columns], "keep": "first" | "last", "by": column}
 *
 * Of rows that agree in the columns (missing values agree) one stays: the
 * first or last by the column "by", where a missing value comes last in either
 * direction, then the first in the order of the remaining columns, so that the
 * outcome does not depend on the plan.
 */
void
dmp_clean_deduplicate(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	char *what = psprintf("recipe step %d", plan->step);
	List *columns = dmp_clean_columns(plan, argument, NULL, NULL);
	char *keep = dmp_doc_string(step, "keep", NULL, what);
	char *by = dmp_doc_string(step, "by", NULL, what);
	bool whole_row = list_length(columns) == list_length(plan->columns);
	bool ordered = true; /* DISTINCT tells rows apart as the keys do */
	CleanColumn *by_column = by ? dmp_clean_column(plan, by) : NULL;
	CleanLine *line;
	List *keys = NIL;
	List *order = NIL;
	ListCell *lc;

	if (keep != NULL && strcmp(keep, "first") != 0 && strcmp(keep, "last") != 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"\"keep\" is \"first\" or \"last\", not \"%s\"", keep);
	if (keep != NULL && by == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recipe step %d: \"keep\" needs \"by\"", plan->step),
				 errhint("Rows of a table have no order of their own: name the column that says "
						 "which is first.")));
	/* a row that an earlier run wrote would have to go */
	if (plan->increment != NULL && keep != NULL && keep[0] == 'l')
		dmp_clean_across(plan);
	line = dmp_clean_line(plan, NULL, false, false);
	line->quarantine = dmp_clean_quarantine(plan, step);
	if (plan->form == CLEAN_TRACED && plan->filters != NIL)
		dmp_clean_flush(plan);
	else
		dmp_clean_settle(plan);
	foreach (lc, columns)
	{
		CleanColumn *column = lfirst(lc);

		keys = lappend(keys, dmp_clean_key(column));
		if (strcmp(dmp_clean_key(column), column->base) != 0)
			ordered &=
				OidIsValid(column->collation) && get_collation_isdeterministic(column->collation);
	}
	foreach (lc, plan->columns)
		if (!list_member_ptr(columns, lfirst(lc)) && lfirst(lc) != by_column)
			order = lappend(order, dmp_clean_key(lfirst(lc)));
	order = dmp_clean_sort_keys(plan, order);
	if (by_column != NULL)
		order = lcons(psprintf("%s %sNULLS LAST", dmp_clean_key(by_column),
							   keep != NULL && keep[0] == 'l' ? "DESC " : ""),
					  order);
	dmp_clean_distinct(plan, line, keys, order, whole_row && ordered);
}

/*
 * The caller's expression in doc: it must be one; anything else that the
 * parser would swallow inside the SELECT (a second column, FROM, a closing
 * parenthesis) is refused here. It runs as the caller, as the query does. kind:
 * what errors call it.
 */
char *
dmp_clean_expression(CleanPlan *plan, const DmpDoc *doc, const char *kind)
{
	List *parsed = NIL;
	SelectStmt *select;

	if (doc->kind != DMP_DOC_STRING)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "%s takes %s as a string, not %s",
						plan->action, kind, dmp_doc_kind_name(doc->kind));
	parsed = dmp_parse(doc->text, RAW_PARSE_PLPGSQL_EXPR);
	select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1 ||
		select->fromClause != NIL || select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL || select->sortClause != NIL ||
		select->limitCount != NULL || select->limitOffset != NULL || select->lockingClause != NIL ||
		select->distinctClause != NIL || linitial_node(ResTarget, select->targetList)->name != NULL)
		dmp_clean_error(plan, ERRCODE_SYNTAX_ERROR, "%s takes one %s, not \"%s\"", plan->action,
						strchr(kind, ' ') + 1, doc->text);
	return doc->text;
}

/*
 * {"require": "condition"}: a row goes for which the condition is false. As in
 * a CHECK, a condition that is NULL (a value is missing) lets the row pass.
 */
void
dmp_clean_require(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	char *condition = dmp_clean_expression(plan, argument, "a condition");
	char *select;
	CleanLine *line;

	line = dmp_clean_line(plan, NULL, false, true);
	line->quarantine = dmp_clean_quarantine(plan, step);
	/* a condition may throw for rows that an earlier filter keeps away */
	if (plan->filters != NIL)
		dmp_clean_flush(plan);
	else
		dmp_clean_settle_names(plan);
	/* analysed where it will stand: what is wrong with it is known before anything runs */
	select = psprintf("%s%sSELECT 1 FROM %s WHERE (%s\n)", plan->with.data,
					  plan->with.len > 0 ? "\n" : "", plan->from, condition);
	dmp_query_columns(select, NULL, NULL);
	plan->is_volatile |= plan->form == CLEAN_PLAIN && dmp_query_is_volatile(select);
	/* the line end closes a comment at the end of the condition */
	dmp_clean_filter(plan, line, psprintf("(%s\n) IS NOT FALSE", condition),
					 quote_literal_cstr(psprintf("23514 not met: %s", condition)));
}

/*
 * {"rename": {old: new}}: all at once, so that names can be swapped.
 */
void
dmp_clean_rename(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	List *columns = NIL;
	ListCell *lc;
	int i;

	if (argument->kind != DMP_DOC_OBJECT || argument->n == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"rename takes an object {old name: new name}");
	for (i = 0; i < argument->n; i++)
	{
		const DmpDoc *name = argument->items[i];

		columns = lappend(columns, dmp_clean_column(plan, argument->keys[i]));
		if (name->kind != DMP_DOC_STRING || name->text[0] == '\0' ||
			strlen(name->text) >= NAMEDATALEN)
			dmp_clean_error(plan, ERRCODE_INVALID_NAME,
							"the new name of column \"%s\" must be a string of 1 to %d bytes",
							argument->keys[i], NAMEDATALEN - 1);
	}
	foreach (lc, columns)
	{
		CleanColumn *column = lfirst(lc);
		const DmpDoc *name = argument->items[foreach_current_index(lc)];

		dmp_clean_line(plan, column->name, false, false);
		column->name = name->text;
	}
	plan->renamed = true;
	foreach (lc, plan->columns)
	{
		ListCell *lc2;

		for_each_cell(lc2, plan->columns, lnext(plan->columns, lc))
		{
			const char *name = ((CleanColumn *) lfirst(lc))->name;

			if (strcmp(name, ((CleanColumn *) lfirst(lc2))->name) == 0)
				dmp_clean_error(plan, ERRCODE_DUPLICATE_COLUMN, "two columns would be named \"%s\"",
								name);
		}
	}
}

/*
 * {"select": [columns]}: these columns, in this order.
 */
void
dmp_clean_select(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	List *columns = dmp_clean_columns(plan, argument, NULL, NULL);

	dmp_clean_line(plan, NULL, false, false);
	/* what was done to the others is counted at their level */
	dmp_clean_settle(plan);
	plan->columns = columns;
	plan->renamed = true;
}
