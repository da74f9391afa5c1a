/*-------------------------------------------------------------------------
 * step_derive.c
 *		The step derive: columns by an expression of the caller.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "utils/lsyscache.h"

#include "clean/clean.h"

/*
 * The type the expression has here: an error when it has none, or is about
 * more than the row. In WHERE the server refuses aggregates, windows and sets.
 */
static Form_pg_attribute
type_of(CleanPlan *plan, const char *name, const char *expression)
{
	const char *with = psprintf("%s%s", plan->with.data, plan->with.len > 0 ? "\n" : "");
	char *select;
	Form_pg_attribute attr;

	dmp_query_columns(
		psprintf("%sSELECT 1 FROM %s WHERE (%s\n) IS NULL", with, plan->from, expression), NULL,
		NULL);
	select = psprintf("%sSELECT (%s\n) AS x FROM %s", with, expression, plan->from);
	attr = TupleDescAttr(dmp_query_columns(select, NULL, NULL), 0);
	plan->is_volatile |= plan->form == CLEAN_PLAIN && dmp_query_is_volatile(select);
	if (get_typtype(attr->atttypid) == TYPTYPE_PSEUDO)
		dmp_clean_error(plan, ERRCODE_INVALID_TABLE_DEFINITION,
						"column \"%s\" cannot be %s, a pseudo-type", name,
						dmp_clean_type(attr->atttypid, -1));
	return attr;
}

/*
 * {"derive": {column: "expression"}}: a new column at the end, or another
 * content of one that is there. All of a step see the columns as they were
 * before it.
 */
void
dmp_clean_derive(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	List *expressions = NIL;
	List *attributes = NIL;
	char *alive;
	int i;

	if (argument->kind != DMP_DOC_OBJECT || argument->n == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"derive takes an object {column: \"expression\"}");
	for (i = 0; i < argument->n; i++)
	{
		const char *name = argument->keys[i];

		if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
			dmp_clean_error(plan, ERRCODE_INVALID_NAME,
							"the name of a column must be of 1 to %d bytes, not \"%s\"",
							NAMEDATALEN - 1, name);
		plan->about = name;
		expressions =
			lappend(expressions, dmp_clean_expression(plan, argument->items[i], "an expression"));
	}
	plan->about = NULL;
	/* an expression may throw for rows that an earlier filter keeps away */
	if (plan->form == CLEAN_TRACED && plan->filters != NIL)
		dmp_clean_flush(plan);
	else
		dmp_clean_settle_names(plan);
	alive = dmp_clean_alive(plan);
	for (i = 0; i < argument->n; i++)
	{
		plan->about = argument->keys[i];
		attributes =
			lappend(attributes, type_of(plan, argument->keys[i], list_nth(expressions, i)));
	}
	plan->about = NULL;
	for (i = 0; i < argument->n; i++)
	{
		CleanLine *line = dmp_clean_line(plan, argument->keys[i], true, false);
		CleanColumn *column = dmp_clean_find_column(plan, argument->keys[i]);
		Form_pg_attribute attr = list_nth(attributes, i);
		char *value = psprintf("(%s\n)", (char *) list_nth(expressions, i));

		if (column == NULL)
		{
			if (list_length(plan->columns) >= MaxHeapAttributeNumber)
				dmp_clean_error(plan, ERRCODE_TOO_MANY_COLUMNS,
								"column \"%s\" would be one more than the %d that a table can have",
								argument->keys[i], MaxHeapAttributeNumber);
			column = palloc0(sizeof(CleanColumn));
			column->name = argument->keys[i];
			column->base = dmp_clean_ref(plan, column->name);
			plan->columns = lappend(plan->columns, column);
		}
		/* a literal has no type yet */
		if (plan->form == CLEAN_COUNTED)
			value = dmp_clean_tally(
				plan, line,
				psprintf("%s::%s", value, dmp_clean_type(attr->atttypid, attr->atttypmod)));
		if (alive != NULL)
			value = psprintf("CASE WHEN %s THEN %s END", alive, value);
		dmp_clean_retype(column, attr->atttypid, attr->atttypmod);
		column->collation = attr->attcollation;
		dmp_clean_replace_as(column, attr->atttypid, value);
	}
	plan->renamed = true;
}
