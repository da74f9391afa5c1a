/*-------------------------------------------------------------------------
 * step_fill.c
 *		The step fill: values for missing cells.
 *
 * The type of a column stays. What a value is taken from is always the rows
 * that reach the step, and of numbers the finite ones. Columns are filled in
 * the order of the step, and those filled before are seen filled.
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/soft.h"
#include "clean/clean.h"

/* Replace the NULLs of the column by an expression that is NULL or a value of it */
static void
fill_with(CleanPlan *plan, CleanColumn *column, CleanLine *line, const char *value)
{
	char *typed = psprintf("(%s)::%s", value, dmp_clean_type(column->type, column->typmod));

	dmp_clean_replace_as(
		column, column->type,
		psprintf("coalesce(%s, %s)", column->expr, dmp_clean_tally(plan, line, typed)));
}

static void
fill_constant(CleanPlan *plan, CleanColumn *column, const DmpDoc *value)
{
	DmpSoftType *type = dmp_soft_prepare(column->type, column->typmod, CurrentMemoryContext);
	const char *reason;
	Datum datum;

	if (value->kind == DMP_DOC_NULL || value->kind >= DMP_DOC_ARRAY)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": fill takes a value or a method, not %s", column->name,
						dmp_doc_kind_name(value->kind));
	if (!dmp_soft_input(type, value->text, strlen(value->text), &datum, &reason, NULL))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s", column->name,
						reason);
	fill_with(plan, column, dmp_clean_line(plan, column->name, true, false),
			  quote_literal_cstr(value->text));
}

static void
need_number(CleanPlan *plan, CleanColumn *column, const char *method)
{
	if (!dmp_clean_is_number(column))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, and \"%s\" needs a number", column->name,
						dmp_clean_type(column->type, column->typmod), method);
}

/*
 * The median of a column. Exact types stay exact: the mean of the two middle
 * values in numeric. Dates and times have the lower middle value.
 */
static char *
median_of(CleanPlan *plan, CleanColumn *column)
{
	Oid base = getBaseType(column->type);
	const char *x = column->base;
	const char *finite = dmp_clean_finite(column);

	if (base == INT8OID || base == NUMERICOID)
		return psprintf(
			"(%s::numeric + %s) / 2",
			dmp_clean_stat(
				plan, "lower",
				psprintf("percentile_disc(0.5) WITHIN GROUP (ORDER BY %s)%s", x, finite)),
			dmp_clean_stat(
				plan, "upper",
				psprintf("percentile_disc(0.5) WITHIN GROUP (ORDER BY %s DESC)%s", x, finite)));
	if (dmp_clean_is_number(column))
		return dmp_clean_stat(
			plan, "median",
			psprintf("percentile_cont(0.5) WITHIN GROUP (ORDER BY %s::double precision)%s", x,
					 finite));
	return dmp_clean_stat(plan, "median",
						  psprintf("percentile_disc(0.5) WITHIN GROUP (ORDER BY %s)", x));
}

static bool
has_order(const CleanColumn *column)
{
	return OidIsValid(lookup_type_cache(column->type, TYPECACHE_LT_OPR)->lt_opr);
}

/*
 * A mean is of numbers, a median of what has an order and is no text, a mode of
 * what has an order.
 */
static void
check_method(CleanPlan *plan, CleanColumn *column, const char *method)
{
	if (strncmp(method, "mean", 4) == 0 ||
		(strncmp(method, "median", 6) == 0 && dmp_clean_is_text(column)))
		need_number(plan, column, method);
	if (!has_order(column))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, which has no order for \"%s\"", column->name,
						dmp_clean_type(column->type, column->typmod), method);
}

static void
fill_by_stats(CleanPlan *plan, CleanColumn *column, const char *method)
{
	CleanLine *line;
	char *value;

	check_method(plan, column, method);
	line = dmp_clean_line(plan, column->name, true, false);

	dmp_clean_need_stats(plan, list_make1(column));
	if (strcmp(method, "mean") == 0)
		value = dmp_clean_stat(plan, "mean",
							   psprintf("avg(%s)%s", column->base, dmp_clean_finite(column)));
	else if (strcmp(method, "median") == 0)
		value = median_of(plan, column);
	else
		value = dmp_clean_stat(plan, "mode",
							   psprintf("mode() WITHIN GROUP (ORDER BY %s%s)", column->base,
										OidIsValid(column->collation) ? " COLLATE \"C\"" : ""));
	fill_with(plan, column, line, value);
}

/*
 * Make every column plain, for window functions over the rows of this level,
 * and give what the partitions are by: the columns, and in the traced form
 * whether a row is still there. by may be NULL: one partition.
 */
static char *
partition_by(CleanPlan *plan, const DmpDoc *by)
{
	List *groups = by ? dmp_clean_columns(plan, by, NULL, NULL) : NIL;
	List *keys = NIL;
	char *alive;
	ListCell *lc;

	dmp_clean_across(plan);
	if (plan->filters != NIL)
		dmp_clean_flush(plan);
	else
		dmp_clean_settle(plan);
	foreach (lc, groups)
		keys = lappend(keys, dmp_clean_key(lfirst(lc)));
	alive = dmp_clean_alive(plan);
	if (alive != NULL)
		keys = lappend(keys, psprintf("(%s)", alive));
	if (keys == NIL)
		keys = list_make1("true");
	return dmp_join(keys, ", ");
}

/* A filter that leaves the values, and of numbers the finite ones */
static char *
finite_filter(const CleanColumn *column, const char *more)
{
	Oid base = getBaseType(column->type);
	bool finite = base == FLOAT4OID || base == FLOAT8OID || base == NUMERICOID;

	return psprintf(" FILTER (WHERE %s IS NOT NULL%s%s)", column->base,
					finite ? psprintf(" AND %s - %s = 0", column->base, column->base) : "", more);
}

/*
 * The median of a partition: number its values, then take the middle one, or
 * the mean of the two in the middle.
 */
static char *
median_by(CleanPlan *plan, CleanColumn *column, const DmpDoc *by)
{
	char *keys = partition_by(plan, by);
	char *filter = finite_filter(column, "");
	char *n = dmp_clean_hide(plan, psprintf("count(*)%s OVER (PARTITION BY %s)", filter, keys));
	char *r = dmp_clean_hide(
		plan, psprintf("count(*)%s OVER (PARTITION BY %s ORDER BY %s ROWS UNBOUNDED PRECEDING)",
					   filter, keys, column->base));

	dmp_clean_flush(plan);
	keys = partition_by(plan, by);
	n = dmp_clean_ref(plan, n);
	r = dmp_clean_ref(plan, r);
	if (dmp_clean_is_number(column))
		return psprintf(
			"avg(%s)%s OVER (PARTITION BY %s)", column->base,
			finite_filter(column, psprintf(" AND %s IN ((%s + 1) / 2, %s / 2 + 1)", r, n, n)),
			keys);
	return psprintf("(array_agg(%s)%s OVER (PARTITION BY %s))[1]", column->base,
					finite_filter(column, psprintf(" AND %s = (%s + 1) / 2", r, n)), keys);
}

/*
 * The mode of a partition: count the rows of each value, then take the first of
 * the most.
 */
static char *
mode_by(CleanPlan *plan, CleanColumn *column, const DmpDoc *by)
{
	char *keys = partition_by(plan, by);
	char *n = dmp_clean_hide(
		plan, psprintf("count(*) OVER (PARTITION BY %s, %s)", keys, dmp_clean_key(column)));

	dmp_clean_flush(plan);
	keys = partition_by(plan, by);
	return psprintf("first_value(%s) OVER (PARTITION BY %s ORDER BY %s IS NULL, %s DESC, %s)",
					column->base, keys, column->base, dmp_clean_ref(plan, n),
					dmp_clean_key(column));
}

/*
 * {"mean_by": columns}, {"median_by": columns}, {"mode_by": columns}: of the
 * rows that agree in the columns.
 */
static void
fill_by(CleanPlan *plan, CleanColumn *column, const char *method, const DmpDoc *by)
{
	CleanLine *line;
	char *value;

	check_method(plan, column, method);
	line = dmp_clean_line(plan, column->name, true, false);
	if (strcmp(method, "median_by") == 0)
		value = median_by(plan, column, by);
	else if (strcmp(method, "mode_by") == 0)
		value = mode_by(plan, column, by);
	else
	{
		char *keys = partition_by(plan, by);

		value = psprintf("avg(%s)%s OVER (PARTITION BY %s)", column->base, dmp_clean_finite(column),
						 keys);
	}
	fill_with(plan, column, line, value);
	plan->window = true;
}

/*
 * "forward": the value of the row before, within the rows that agree in by;
 * "backward": of the row behind. Rows whose order is missing have no place in
 * it: they neither give nor take. Ties are ordered by the other columns.
 */
static void
fill_along(CleanPlan *plan, CleanColumn *column, bool forward, const DmpDoc *by,
		   const DmpDoc *order)
{
	List *order_columns;
	List *keys = NIL;
	List *ties = NIL;
	List *placed = NIL;
	CleanLine *line;
	char *partition;
	char *is_placed;
	ListCell *lc;

	if (order == NULL)
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("recipe step %d: column \"%s\": \"%s\" needs an order", plan->step,
					column->name, forward ? "forward" : "backward"),
			 errhint("Rows of a table have no order of their own: {\"%s\": {\"by\": [\"user_id\"], "
					 "\"order\": \"at\"}}, or \"by\" and \"order\" beside \"fill\".",
					 forward ? "forward" : "backward")));
	order_columns = dmp_clean_columns(plan, order, NULL, NULL);
	if (list_member_ptr(order_columns, column))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\" cannot be filled in its own order", column->name);
	line = dmp_clean_line(plan, column->name, true, false);
	partition = partition_by(plan, by);
	foreach (lc, order_columns)
	{
		CleanColumn *by_column = lfirst(lc);

		keys = lappend(keys, psprintf("%s%s", dmp_clean_key(by_column), forward ? "" : " DESC"));
		placed = lappend(placed, psprintf("%s IS NOT NULL", by_column->base));
	}
	foreach (lc, plan->columns)
		if (!list_member_ptr(order_columns, lfirst(lc)))
			ties = lappend(ties, dmp_clean_key(lfirst(lc)));
	keys = list_concat(keys, dmp_clean_sort_keys(plan, ties));
	is_placed = dmp_join(placed, " AND ");
	fill_with(
		plan, column, line,
		psprintf(
			"CASE WHEN %s THEN dmp.fill_forward(%s) OVER (PARTITION BY %s, %s ORDER BY %s) END",
			is_placed, column->base, partition, is_placed, dmp_join(keys, ", ")));
	plan->window = true;
}

/* donors that a fill by neighbours looks at, at most */
#define MAX_DONORS 10000
#define MAX_NEIGHBOURS 1000

/* A number of the column as float8, missing unless it is finite */
static char *
finite_value(const CleanColumn *column)
{
	char *x = psprintf("%s::double precision", column->base);

	return psprintf("CASE WHEN %s - %s = 0 THEN %s END", x, x, x);
}

/*
 * {"knn": k, "by": columns}: the mean of the k nearest rows that have a value,
 * see dmp_knn. The donors are the distinct combinations of by and value with
 * their counts; of more than MAX_DONORS those of the smallest hashes, a sample
 * that does not depend on the plan.
 */
static void
fill_by_neighbours(CleanPlan *plan, CleanColumn *column, const DmpDoc *how)
{
	static const char *const known[] = {"knn", "by", NULL};
	char *what = psprintf("recipe step %d: column \"%s\"", plan->step, column->name);
	double k;
	List *by;
	List *values = NIL;
	List *names = NIL;
	List *spreads = NIL;
	CleanLine *line;
	char *alive;
	char *name;
	ListCell *lc;

	dmp_doc_check_keys(how, what, known);
	k = dmp_doc_number(how, "knn", 0, what);
	if (!(k >= 1 && k <= MAX_NEIGHBOURS) || k != (int) k)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"knn\" is a whole number from 1 to %d", column->name,
						MAX_NEIGHBOURS);
	need_number(plan, column, "knn");
	if (dmp_doc_get(how, "by") == NULL)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"knn\" needs \"by\", the columns that say what is near",
						column->name);
	by = dmp_clean_columns(plan, dmp_doc_get(how, "by"), dmp_clean_is_number, "number");
	by = list_delete_ptr(list_copy(by), column);
	if (by == NIL)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"knn\" needs another column in \"by\"", column->name);
	line = dmp_clean_line(plan, column->name, true, false);
	dmp_clean_across(plan);
	dmp_clean_need_stats(plan, lappend(list_copy(by), column));
	alive = dmp_clean_alive(plan);
	foreach (lc, by)
	{
		char *x = finite_value(lfirst(lc));

		names = lappend(names, psprintf("b%d", foreach_current_index(lc) + 1));
		values = lappend(values, psprintf("%s AS b%d", x, foreach_current_index(lc) + 1));
		/* a sum in the order of the values, since the last digit may decide who is nearer */
		spreads = lappend(
			spreads, psprintf("stddev_pop(%s ORDER BY %s)", x, ((CleanColumn *) lfirst(lc))->base));
	}
	name = dmp_clean_name(plan, "donors");
	dmp_clean_entry(
		plan, name, true,
		psprintf(
			"SELECT array_agg(d.x ORDER BY d.h, d.x, %s) AS x, array_agg(d.n ORDER BY d.h, d.x, "
			"%s) AS n,\n\tarray_agg(ARRAY[%s] ORDER BY d.h, d.x, %s) AS points,\n"
			"\t(SELECT ARRAY[%s] FROM %s%s) AS spreads\n"
			"FROM (SELECT v.x, %s, count(*) AS n, hash_record_extended(ROW(v.x, %s), 0) AS h\n"
			"\tFROM (SELECT %s AS x, %s FROM %s%s) AS v\n"
			"\tWHERE v.x IS NOT NULL GROUP BY v.x, %s ORDER BY h, v.x, %s LIMIT %d) AS d",
			dmp_join(names, ", "), dmp_join(names, ", "), dmp_join(names, ", "),
			dmp_join(names, ", "), dmp_join(spreads, ", "), plan->from,
			alive ? psprintf(" WHERE %s", alive) : "", dmp_join(names, ", "), dmp_join(names, ", "),
			finite_value(column), dmp_join(values, ", "), plan->from,
			alive ? psprintf(" WHERE %s", alive) : "", dmp_join(names, ", "), dmp_join(names, ", "),
			MAX_DONORS));
	values = NIL;
	foreach (lc, by)
		values = lappend(values, finite_value(lfirst(lc)));
	fill_with(
		plan, column, line,
		psprintf("dmp_internal.knn(%d, ARRAY[%s], (SELECT d.x FROM %s AS d), (SELECT d.n FROM %s "
				 "AS d), (SELECT d.points FROM %s AS d), (SELECT d.spreads FROM %s AS d))",
				 (int) k, dmp_join(values, ", "), name, name, name, name));
}

/*
 * {"forward": {"by": columns, "order": columns}}, and what stands beside fill.
 */
static void
fill_along_step(CleanPlan *plan, CleanColumn *column, const char *method, const DmpDoc *options)
{
	static const char *const known[] = {"by", "order", NULL};

	if (options->kind != DMP_DOC_OBJECT)
		dmp_clean_error(
			plan, ERRCODE_INVALID_PARAMETER_VALUE,
			"column \"%s\": \"%s\" takes an object {\"by\": columns, \"order\": columns}",
			column->name, method);
	dmp_doc_check_keys(options, psprintf("recipe step %d: column \"%s\"", plan->step, column->name),
					   known);
	fill_along(plan, column, strcmp(method, "forward") == 0, dmp_doc_get(options, "by"),
			   dmp_doc_get(options, "order"));
}

static bool
is_any(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/*
 * Fill one column; false when the options beside the step do not concern it.
 */
static bool
fill_column(CleanPlan *plan, CleanColumn *column, const DmpDoc *how, const DmpDoc *step)
{
	static const char *const stats[] = {"mean", "median", "mode", NULL};
	static const char *const grouped[] = {"mean_by", "median_by", "mode_by", NULL};
	static const char *const along[] = {"forward", "backward", NULL};
	const char *method = how->kind == DMP_DOC_STRING ? how->text : "";
	const char *key = how->kind == DMP_DOC_OBJECT && how->n == 1 ? how->keys[0] : "";

	if (is_any(method, stats))
		fill_by_stats(plan, column, method);
	else if (is_any(method, along))
	{
		fill_along(plan, column, strcmp(method, "forward") == 0, dmp_doc_get(step, "by"),
				   dmp_doc_get(step, "order"));
		return true;
	}
	else if (how->kind != DMP_DOC_OBJECT)
		fill_constant(plan, column, how);
	else if (strcmp(key, "constant") == 0)
		fill_constant(plan, column, how->items[0]);
	else if (is_any(key, grouped))
		fill_by(plan, column, key, how->items[0]);
	else if (is_any(key, along))
		fill_along_step(plan, column, key, how->items[0]);
	else if (dmp_doc_get(how, "knn") != NULL)
		fill_by_neighbours(plan, column, how);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recipe step %d: column \"%s\": unknown fill", plan->step, column->name),
				 errdetail(
					 "Known fills: a value, {\"constant\": value}, \"mean\", \"median\", \"mode\", "
					 "{\"mean_by\": columns}, {\"median_by\": columns}, {\"mode_by\": columns}, "
					 "{\"forward\": {\"by\": columns, \"order\": columns}}, {\"backward\": ...}, "
					 "{\"knn\": k, \"by\": columns}.")));
	return false;
}

/*
 * Whether the column is one of those that "*" means beside how: numbers for
 * what numbers have, texts for a text, columns with an order for a mode.
 */
static bool
is_meant(const CleanColumn *column, const DmpDoc *how)
{
	const char *method = how->kind == DMP_DOC_STRING ? how->text : "";

	if (how->kind == DMP_DOC_OBJECT && how->n > 0)
		method = how->keys[0];
	if (strcmp(method, "constant") == 0)
	{
		how = how->items[0];
		method = "";
	}
	if (strcmp(method, "forward") == 0 || strcmp(method, "backward") == 0)
		return true;
	if (strncmp(method, "mode", 4) == 0)
		return has_order(column);
	if (strncmp(method, "mean", 4) == 0 || strncmp(method, "median", 6) == 0 ||
		strcmp(method, "knn") == 0 || strcmp(method, "by") == 0 || how->kind == DMP_DOC_NUMBER)
		return dmp_clean_is_number(column);
	if (how->kind == DMP_DOC_BOOL)
		return getBaseType(column->type) == BOOLOID;
	return dmp_clean_is_text(column);
}

/*
 * {"fill": {column: how}, "by": columns, "order": columns}: cells that are
 * NULL; by and order are those of "forward" and "backward".
 */
void
dmp_clean_fill(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	bool used = false;
	ListCell *lc;

	foreach (lc, dmp_clean_pairs(plan, argument, NULL, NULL))
	{
		CleanPair *pair = lfirst(lc);

		if (!pair->spread || is_meant(pair->column, pair->value))
			used |= fill_column(plan, pair->column, pair->value, step);
	}
	if (!used && step->n > 1)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"\"by\" and \"order\" beside fill are for \"forward\" and \"backward\"");
}
