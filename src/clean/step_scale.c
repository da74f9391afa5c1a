/*-------------------------------------------------------------------------
 * step_scale.c
 *		Steps that need statistics of a column: scale and fill.
 *
 * Statistics are those of the rows that reach the step, computed by one pass
 * over the materialised level. For floats they are of the finite values. A
 * column without values has no statistics, and keeps its NULLs.
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/soft.h"
#include "clean/clean.h"

static bool
is_float(const CleanColumn *column)
{
	Oid base = getBaseType(column->type);

	return base == FLOAT4OID || base == FLOAT8OID;
}

/*
 * Condition that leaves infinities and NaN out of an aggregate of floats.
 */
static char *
finite_only(const CleanColumn *column)
{
	/* infinity - infinity and NaN - NaN are NaN */
	return is_float(column) ? psprintf(" FILTER (WHERE %s - %s = 0)", column->base, column->base)
							: "";
}

/*
 * divide: an integer column becomes float8; bigint and numeric become numeric,
 * which loses no digits.
 */
static void
scale_divide(CleanPlan *plan, CleanColumn *column, const DmpDoc *divisor)
{
	Oid base = getBaseType(column->type);
	bool exact = base == INT8OID || base == NUMERICOID;
	const char *type = exact ? "numeric" : "double precision";
	CleanLine *line;
	char *after;
	double value = 0;

	if (divisor->kind == DMP_DOC_NUMBER)
		value = DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum(divisor->text)));
	if (value == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"divide\" takes a number that is not zero", column->name);
	line = dmp_clean_line(plan, column->name, true, false);
	after = psprintf("::%s / %s::%s", type, quote_literal_cstr(divisor->text), type);
	dmp_clean_wrap(column, psprintf("(%s)%s", dmp_clean_tally(plan, line, column->expr), after),
				   "(", psprintf(")%s", after));
	dmp_clean_retype(column, exact ? NUMERICOID : FLOAT8OID, -1);
}

/*
 * z_score: (x - mean) / standard deviation, divisor n; min_max: from 0 to 1;
 * robust: (x - median) / (third - first quartile), R's type 7. Where the
 * divisor would be 0 it is 1.
 */
static void
scale_by_stats(CleanPlan *plan, CleanColumn *column, const char *method)
{
	CleanLine *line = dmp_clean_line(plan, column->name, true, false);
	char *x;
	char *offset;
	char *range;

	dmp_clean_need_stats(plan, list_make1(column));
	x = psprintf("%s::double precision", column->base);
	if (strcmp(method, "robust") == 0)
	{
		const char *quantile = "percentile_cont(%s) WITHIN GROUP (ORDER BY %s)%s";
		const char *filter = finite_only(column);

		offset = dmp_clean_stat(plan, "median", psprintf(quantile, "0.5", x, filter));
		range = dmp_clean_stat(plan, "range",
							   psprintf("%s - %s", psprintf(quantile, "0.75", x, filter),
										psprintf(quantile, "0.25", x, filter)));
	}
	else if (strcmp(method, "z_score") == 0)
	{
		offset = dmp_clean_stat(plan, "mean", psprintf("avg(%s)%s", x, finite_only(column)));
		range =
			dmp_clean_stat(plan, "stddev", psprintf("stddev_pop(%s)%s", x, finite_only(column)));
	}
	else
	{
		offset = dmp_clean_stat(plan, "min", psprintf("min(%s)%s", x, finite_only(column)));
		range = dmp_clean_stat(
			plan, "range",
			psprintf("max(%s)%s - min(%s)%s", x, finite_only(column), x, finite_only(column)));
	}
	dmp_clean_replace(column,
					  psprintf("(%s::double precision - %s) / CASE WHEN %s > 0 THEN %s ELSE 1 END",
							   dmp_clean_tally(plan, line, column->base), offset, range, range));
	dmp_clean_retype(column, FLOAT8OID, -1);
}

static void
scale_column(CleanPlan *plan, CleanColumn *column, const DmpDoc *how)
{
	if (how->kind == DMP_DOC_STRING &&
		(strcmp(how->text, "z_score") == 0 || strcmp(how->text, "min_max") == 0 ||
		 strcmp(how->text, "robust") == 0))
		scale_by_stats(plan, column, how->text);
	else if (how->kind == DMP_DOC_OBJECT && how->n == 1 && strcmp(how->keys[0], "divide") == 0)
		scale_divide(plan, column, how->items[0]);
	else
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 how->kind == DMP_DOC_STRING
				 ? errmsg("recipe step %d: column \"%s\": unknown scale \"%s\"", plan->step,
						  column->name, how->text)
				 : errmsg("recipe step %d: column \"%s\": unknown scale", plan->step, column->name),
			 errdetail(
				 "Known scales: \"z_score\", \"min_max\", \"robust\", {\"divide\": number}.")));
}

/*
 * {"scale": {column: "z_score" | "min_max" | "robust" | {"divide": number}}}
 */
void
dmp_clean_scale(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	ListCell *lc;

	foreach (lc, dmp_clean_pairs(plan, argument, dmp_clean_is_number, "number"))
		scale_column(plan, ((CleanPair *) lfirst(lc))->column, ((CleanPair *) lfirst(lc))->value);
}

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

	if (base == INT8OID || base == NUMERICOID)
		return psprintf(
			"(%s::numeric + %s) / 2",
			dmp_clean_stat(plan, "lower",
						   psprintf("percentile_disc(0.5) WITHIN GROUP (ORDER BY %s)", x)),
			dmp_clean_stat(plan, "upper",
						   psprintf("percentile_disc(0.5) WITHIN GROUP (ORDER BY %s DESC)", x)));
	if (dmp_clean_is_number(column))
		return dmp_clean_stat(
			plan, "median",
			psprintf("percentile_cont(0.5) WITHIN GROUP (ORDER BY %s::double precision)%s", x,
					 finite_only(column)));
	return dmp_clean_stat(plan, "median",
						  psprintf("percentile_disc(0.5) WITHIN GROUP (ORDER BY %s)", x));
}

static bool
has_order(CleanColumn *column)
{
	return OidIsValid(lookup_type_cache(column->type, TYPECACHE_LT_OPR)->lt_opr);
}

static void
fill_by_stats(CleanPlan *plan, CleanColumn *column, const char *method)
{
	CleanLine *line = dmp_clean_line(plan, column->name, true, false);
	char *value;

	if (strcmp(method, "mean") == 0)
		need_number(plan, column, method);
	if (!has_order(column))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, which has no order for \"%s\"", column->name,
						dmp_clean_type(column->type, column->typmod), method);
	if (strcmp(method, "median") == 0 && dmp_clean_is_text(column))
		need_number(plan, column, method);

	dmp_clean_need_stats(plan, list_make1(column));
	if (strcmp(method, "mean") == 0)
		value =
			dmp_clean_stat(plan, "mean", psprintf("avg(%s)%s", column->base, finite_only(column)));
	else if (strcmp(method, "median") == 0)
		value = median_of(plan, column);
	else
		value = dmp_clean_stat(plan, "mode",
							   psprintf("mode() WITHIN GROUP (ORDER BY %s%s)", column->base,
										OidIsValid(column->collation) ? " COLLATE \"C\"" : ""));
	fill_with(plan, column, line, value);
}

/*
 * {"mean_by": column | [columns]}: the mean of the rows that agree in them.
 */
static void
fill_mean_by(CleanPlan *plan, CleanColumn *column, const DmpDoc *by)
{
	CleanLine *line;
	List *groups;
	List *keys = NIL;
	char *alive;
	ListCell *lc;

	need_number(plan, column, "mean_by");
	groups = dmp_clean_columns(plan, by, NULL, NULL);
	dmp_clean_across(plan);
	line = dmp_clean_line(plan, column->name, true, false);
	if (plan->filters != NIL)
		dmp_clean_flush(plan);
	else
		dmp_clean_settle(plan);
	foreach (lc, groups)
		keys = lappend(keys, ((CleanColumn *) lfirst(lc))->base);
	alive = dmp_clean_alive(plan);
	if (alive != NULL)
		keys = lappend(keys, psprintf("(%s)", alive));
	fill_with(plan, column, line,
			  psprintf("avg(%s)%s OVER (PARTITION BY %s)", column->base, finite_only(column),
					   dmp_join(keys, ", ")));
	plan->window = true;
}

static void
fill_column(CleanPlan *plan, CleanColumn *column, const DmpDoc *how)
{
	if (how->kind == DMP_DOC_STRING &&
		(strcmp(how->text, "mean") == 0 || strcmp(how->text, "median") == 0 ||
		 strcmp(how->text, "mode") == 0))
		fill_by_stats(plan, column, how->text);
	else if (how->kind == DMP_DOC_STRING && strcmp(how->text, "forward") == 0)
		dmp_clean_error(plan, ERRCODE_FEATURE_NOT_SUPPORTED,
						"column \"%s\": fill \"forward\" is not built yet", column->name);
	else if (how->kind != DMP_DOC_OBJECT)
		fill_constant(plan, column, how);
	else if (how->n == 1 && strcmp(how->keys[0], "constant") == 0)
		fill_constant(plan, column, how->items[0]);
	else if (how->n == 1 && strcmp(how->keys[0], "mean_by") == 0)
		fill_mean_by(plan, column, how->items[0]);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("recipe step %d: column \"%s\": unknown fill", plan->step, column->name),
				 errdetail("Known fills: \"mean\", \"median\", \"mode\", {\"mean_by\": "
						   "columns}, {\"constant\": value}, or a value.")));
}

/*
 * {"fill": {column: "mean" | "median" | "mode" | {"mean_by": columns} |
 * {"constant": value} | value}}: for cells that are NULL. The type of the
 * column stays.
 */
void
dmp_clean_fill(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	ListCell *lc;

	foreach (lc, dmp_clean_pairs(plan, argument, NULL, NULL))
		fill_column(plan, ((CleanPair *) lfirst(lc))->column, ((CleanPair *) lfirst(lc))->value);
}
