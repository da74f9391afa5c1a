/*-------------------------------------------------------------------------
 * step_clusters.c
 *		canonicalize and repair: texts that become another value of their column.
 *
 * Both make a map (value -> value) as an entry of the WITH list, from the
 * distinct values of the rows that reach the step, and join it to the rows.
 */
#include "dmp.h"

#include <math.h>

#include "clean/clean.h"
#include "clean/cluster.h"

/*
 * Distinct values of a column and their rows.
 */
static char *
distinct_values(CleanPlan *plan, const CleanColumn *column)
{
	char *alive = dmp_clean_alive(plan);

	return psprintf("SELECT %s::text COLLATE \"C\" AS value, count(*) AS n FROM %s WHERE %s IS NOT "
					"NULL%s GROUP BY 1",
					column->base, plan->alias, column->base,
					alive ? psprintf(" AND %s", alive) : "");
}

/*
 * Cells whose value is in the map become what it says; part: of a map of several
 * columns the number of this one, else -1.
 */
static void
apply_map(CleanPlan *plan, CleanColumn *column, CleanLine *line, const char *map, const char *name,
		  int part)
{
	char *to = psprintf("%s.meant", name);

	dmp_clean_join(plan, psprintf("%s AS %s", map, name),
				   psprintf("%s.value = %s::text COLLATE \"C\"%s", name, column->base,
							part < 0 ? "" : psprintf(" AND %s.part = %d", name, part)));
	to = psprintf("%s::%s", to, dmp_clean_type(column->type, column->typmod));
	dmp_clean_replace(column, psprintf("CASE WHEN %s.meant IS NOT NULL THEN %s ELSE %s END", name,
									   dmp_clean_tally(plan, line, to), column->base));
}

static void
canonicalize_column(CleanPlan *plan, CleanColumn *column, const DmpDoc *how)
{
	static const char *const keys[] = {"method", "threshold", "n", NULL};
	char *what = psprintf("recipe step %d", plan->step);
	CleanLine *line = dmp_clean_line(plan, column->name, true, false);
	DmpClusterMethod method;
	char *name = NULL;
	double threshold = NAN;
	double n = 0;
	char *map;

	if (how->kind == DMP_DOC_STRING)
		name = how->text;
	else if (how->kind == DMP_DOC_OBJECT)
	{
		dmp_doc_check_keys(how, what, keys);
		name = dmp_doc_string(how, "method", NULL, what);
		threshold = dmp_doc_number(how, "threshold", NAN, what);
		n = dmp_doc_number(how, "n", 0, what);
	}
	if (name == NULL)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": canonicalize takes a method, or {\"method\": ..., "
						"\"threshold\": ...}",
						column->name);
	if (n != 0 && !(n >= 1 && n <= 100))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "n must be between 1 and 100");
	method = dmp_cluster_method(name, threshold, (int) n, psprintf("%s: ", what));
	map = dmp_clean_name(plan, "clusters");
	dmp_clean_entry(plan, map, false,
					psprintf("SELECT value, canonical AS meant FROM (%s) AS c WHERE value <> "
							 "canonical",
							 dmp_cluster_sql(&method, psprintf("(%s) AS counted",
															   distinct_values(plan, column)))));
	apply_map(plan, column, line, map, map, -1);
}

/*
 * {"canonicalize": {column: method}}: a cell becomes the canonical value of its
 * cluster.
 */
void
dmp_clean_canonicalize(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	List *pairs = dmp_clean_pairs(plan, argument, dmp_clean_is_text, "text");
	ListCell *lc;

	dmp_clean_need_rows(plan);
	foreach (lc, pairs)
		canonicalize_column(plan, ((CleanPair *) lfirst(lc))->column,
							((CleanPair *) lfirst(lc))->value);
	dmp_clean_flush(plan);
}

/*
 * {"repair": columns, "min_confidence": number}: values that are slips of
 * frequent ones of the same column. The columns are looked at together: what
 * damaged one of them may have damaged the others.
 */
void
dmp_clean_repair(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	char *what = psprintf("recipe step %d", plan->step);
	List *columns = dmp_clean_columns(plan, argument, dmp_clean_is_text, "text");
	double least = dmp_doc_number(step, "min_confidence", 0.8, what);
	StringInfoData values;
	char *map;
	ListCell *lc;

	if (!(least >= 0 && least <= 1))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"\"min_confidence\" must be between 0 and 1");
	if (columns == NIL)
		return;
	dmp_clean_need_rows(plan);
	initStringInfo(&values);
	foreach (lc, columns)
		appendStringInfo(&values, "%sSELECT %d AS part, value, n FROM (%s) AS counted",
						 lc == list_head(columns) ? "" : "\nUNION ALL ", foreach_current_index(lc),
						 distinct_values(plan, lfirst(lc)));
	map = dmp_clean_name(plan, "slips");
	dmp_clean_entry(
		plan, map, true,
		psprintf(
			"SELECT part, value, (typo).meant FROM (SELECT part, value, "
			"dmp_internal.typo_of(part, value, n) OVER (ORDER BY part, value COLLATE \"C\") AS "
			"typo FROM (%s) AS counted) AS looked\nWHERE (typo).confidence >= %.17g",
			values.data, least));
	foreach (lc, columns)
	{
		CleanColumn *column = lfirst(lc);
		CleanLine *line = dmp_clean_line(plan, column->name, true, false);

		apply_map(plan, column, line, map, dmp_clean_name(plan, "slip"), foreach_current_index(lc));
	}
	dmp_clean_flush(plan);
}
