/*-------------------------------------------------------------------------
 * step_scale.c
 *		The step scale.
 *
 * Statistics are those of the rows that reach the step, computed by one pass
 * over the materialised level, and of the finite values. A column without
 * values has no statistics, and keeps its NULLs.
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "clean/clean.h"

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
		const char *filter = dmp_clean_finite(column);

		offset = dmp_clean_stat(plan, "median", psprintf(quantile, "0.5", x, filter));
		range = dmp_clean_stat(plan, "range",
							   psprintf("%s - %s", psprintf(quantile, "0.75", x, filter),
										psprintf(quantile, "0.25", x, filter)));
	}
	else if (strcmp(method, "z_score") == 0)
	{
		offset = dmp_clean_stat(plan, "mean", psprintf("avg(%s)%s", x, dmp_clean_finite(column)));
		range = dmp_clean_stat(plan, "stddev",
							   psprintf("stddev_pop(%s)%s", x, dmp_clean_finite(column)));
	}
	else
	{
		offset = dmp_clean_stat(plan, "min", psprintf("min(%s)%s", x, dmp_clean_finite(column)));
		range = dmp_clean_stat(plan, "range",
							   psprintf("max(%s)%s - min(%s)%s", x, dmp_clean_finite(column), x,
										dmp_clean_finite(column)));
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
