/*-------------------------------------------------------------------------
 * step_clip.c
 *		The step clip: cells outside of bounds, given or from statistics.
 *
 * Bounds, of the finite values that reach the step:
 *
 *	range		low and high as they are given
 *	quantile	the quantiles low and high, interpolated linearly (R's type 7)
 *	iqr			quartiles -/+ k times their distance (Tukey 1977; k 1.5)
 *	z_score		mean -/+ k standard deviations, divisor n (k 3)
 *	mad			median -/+ k * 1.4826 times the median absolute deviation,
 *				which for normal values is k standard deviations (k 3, as
 *				Leys et al. 2013)
 *
 * A spread of zero (more than half of the values are one) gives no bounds:
 * every other value would be an outlier.
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/soft.h"
#include "clean/clean.h"

typedef struct Clip
{
	CleanColumn *column;
	const DmpDoc *doc;
	CleanLine *line;
	const char *method;
	CleanFate fate;
	double k;
	/* SQL, or NULL: the bounds, comparable with x; and as values of the column */
	char *low;
	char *high;
	char *low_value;
	char *high_value;
	char *x;
} Clip;

static const char *const methods[] = {"iqr", "mad", "z_score", "quantile", "range", NULL};

static bool
needs_stats(const Clip *clip)
{
	return strcmp(clip->method, "range") != 0;
}

/*
 * The method and options of one column: {"method": ..., ...}, or the name of a
 * method alone.
 */
static Clip *
read_clip(CleanPlan *plan, CleanColumn *column, const DmpDoc *value, const DmpDoc *step)
{
	static const char *const spread_keys[] = {"method", "k", "action", NULL};
	static const char *const bound_keys[] = {"method", "low", "high", "action", NULL};
	char *what = psprintf("recipe step %d: column \"%s\"", plan->step, column->name);
	Clip *clip = palloc0(sizeof(Clip));
	List *names = NIL;
	bool known = false;
	bool bounds;
	int i;

	clip->column = column;
	clip->doc = value;
	clip->fate = dmp_clean_fate(plan, step, "action", "clip", "clip");
	if (value->kind == DMP_DOC_STRING)
		clip->method = value->text;
	else if (value->kind == DMP_DOC_OBJECT)
		clip->method = dmp_doc_string(value, "method", NULL, what);
	else
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": clip takes a method, or an object with one, not %s",
						column->name, dmp_doc_kind_name(value->kind));
	for (i = 0; methods[i] != NULL; i++)
	{
		names = lappend(names, (char *) methods[i]);
		known |= clip->method != NULL && strcmp(clip->method, methods[i]) == 0;
	}
	if (!known)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						clip->method ? errmsg("%s: unknown method \"%s\"", what, clip->method)
									 : errmsg("%s: clip needs a \"method\"", what),
						errdetail("Known methods: %s.", dmp_join(names, ", ")),
						clip->method ? dmp_errhint_nearest(clip->method, names) : 0));
	bounds = strcmp(clip->method, "range") == 0 || strcmp(clip->method, "quantile") == 0;
	if (value->kind == DMP_DOC_OBJECT)
	{
		dmp_doc_check_keys(value, what, bounds ? bound_keys : spread_keys);
		if (dmp_doc_get(value, "action") != NULL)
			clip->fate = dmp_clean_fate(plan, value, "action", "clip", "clip");
	}
	if (bounds && (value->kind != DMP_DOC_OBJECT ||
				   (dmp_doc_get(value, "low") == NULL && dmp_doc_get(value, "high") == NULL)))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"%s\" needs \"low\" or \"high\" or both", column->name,
						clip->method);
	if (needs_stats(clip) && !dmp_clean_is_number(column))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, and \"%s\" needs a number", column->name,
						dmp_clean_type(column->type, column->typmod), clip->method);
	clip->k = strcmp(clip->method, "iqr") == 0 ? 1.5 : 3;
	if (!bounds && value->kind == DMP_DOC_OBJECT)
		clip->k = dmp_doc_number(value, "k", clip->k, what);
	if (!(clip->k > 0) || isinf(clip->k))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"k\" must be a number above zero", column->name);
	return clip;
}

/* One bound of a range, as a value of the column's type; an integer's inwards */
static char *
range_bound(CleanPlan *plan, Clip *clip, const char *key)
{
	const DmpDoc *value = dmp_doc_get(clip->doc, key);
	CleanColumn *column = clip->column;
	Oid base = getBaseType(column->type);
	DmpSoftType *type = dmp_soft_prepare(base, -1, CurrentMemoryContext);
	const char *reason;
	char *text;
	Datum datum;

	if (value == NULL)
		return NULL;
	if (value->kind != DMP_DOC_NUMBER && value->kind != DMP_DOC_STRING)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"%s\" must be a value, not %s", column->name, key,
						dmp_doc_kind_name(value->kind));
	text = value->text;
	if (base == INT2OID || base == INT4OID || base == INT8OID)
	{
		DmpSoftType *numeric = dmp_soft_prepare(NUMERICOID, -1, CurrentMemoryContext);

		if (!dmp_soft_input(numeric, text, strlen(text), &datum, &reason, NULL))
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s",
							column->name, reason);
		datum = strcmp(key, "low") == 0 ? DirectFunctionCall1(numeric_ceil, datum)
										: DirectFunctionCall1(numeric_floor, datum);
		text = DatumGetCString(DirectFunctionCall1(numeric_out, datum));
	}
	if (!dmp_soft_input(type, text, strlen(text), &datum, &reason, NULL))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s", column->name,
						reason);
	return psprintf("%s::%s", quote_literal_cstr(text), dmp_clean_type(base, -1));
}

static void
bounds_given(CleanPlan *plan, Clip *clip)
{
	CleanColumn *column = clip->column;

	if (!OidIsValid(lookup_type_cache(column->type, TYPECACHE_LT_OPR)->lt_opr))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH, "column \"%s\" is %s, which has no order",
						column->name, dmp_clean_type(column->type, column->typmod));
	clip->low = clip->low_value = range_bound(plan, clip, "low");
	clip->high = clip->high_value = range_bound(plan, clip, "high");
}

static char *
quantile_sql(const Clip *clip, double p, const char *filter)
{
	return psprintf("percentile_cont(%s) WITHIN GROUP (ORDER BY %s)%s", float8out_internal(p),
					clip->x, filter);
}

/* One quantile of {"method": "quantile"}, from 0 to 1 */
static char *
quantile_bound(CleanPlan *plan, Clip *clip, const char *key, const char *filter)
{
	char *what = psprintf("recipe step %d: column \"%s\"", plan->step, clip->column->name);
	double p;

	if (dmp_doc_get(clip->doc, key) == NULL)
		return NULL;
	p = dmp_doc_number(clip->doc, key, -1, what);
	if (!(p >= 0 && p <= 1))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": \"%s\" is a quantile, from 0 to 1", clip->column->name,
						key);
	return dmp_clean_stat(plan, key, quantile_sql(clip, p, filter));
}

/* The bounds center -/+ k times spread, both expressions of aggregates */
static void
bounds_around(CleanPlan *plan, Clip *clip, const char *low_center, const char *high_center,
			  const char *spread)
{
	const char *k = float8out_internal(clip->k);

	clip->low = dmp_clean_stat(
		plan, "low",
		psprintf("CASE WHEN %s > 0 THEN %s - %s * (%s) END", spread, low_center, k, spread));
	clip->high = dmp_clean_stat(
		plan, "high",
		psprintf("CASE WHEN %s > 0 THEN %s + %s * (%s) END", spread, high_center, k, spread));
}

static void
bounds_from_stats(CleanPlan *plan, Clip *clip)
{
	CleanColumn *column = clip->column;
	Oid base = getBaseType(column->type);
	bool integer = base == INT2OID || base == INT4OID || base == INT8OID;
	char *type = dmp_clean_type(base, -1);
	char *filter = dmp_clean_finite(column);

	clip->x = base == FLOAT8OID ? column->base : psprintf("%s::double precision", column->base);
	if (strcmp(clip->method, "iqr") == 0)
	{
		char *first = quantile_sql(clip, 0.25, filter);
		char *third = quantile_sql(clip, 0.75, filter);

		bounds_around(plan, clip, first, third, psprintf("(%s - %s)", third, first));
	}
	else if (strcmp(clip->method, "z_score") == 0)
	{
		char *mean = psprintf("avg(%s)%s", clip->x, filter);

		bounds_around(plan, clip, mean, mean, psprintf("stddev_pop(%s)%s", clip->x, filter));
	}
	else if (strcmp(clip->method, "quantile") == 0)
	{
		clip->low = quantile_bound(plan, clip, "low", filter);
		clip->high = quantile_bound(plan, clip, "high", filter);
	}
	else
	{
		char *median = psprintf("dmp.median(%s)%s", clip->x, filter);

		bounds_around(plan, clip, median, median,
					  psprintf("1.4826 * dmp.mad(%s)%s", clip->x, filter));
	}
	if (clip->low != NULL)
		clip->low_value = psprintf("%s(%s)::%s", integer ? "ceil" : "", clip->low, type);
	if (clip->high != NULL)
		clip->high_value = psprintf("%s(%s)::%s", integer ? "floor" : "", clip->high, type);
}

/* Whether the cell is above; NaN is above everything, unless it must have a nearest bound */
static char *
is_above(const Clip *clip)
{
	Oid base = getBaseType(clip->column->type);
	bool nan = base == FLOAT4OID || base == FLOAT8OID || base == NUMERICOID;

	return psprintf("%s > %s%s", clip->x, clip->high,
					nan && clip->fate == CLEAN_KEEP ? psprintf(" AND %s <> 'NaN'", clip->x) : "");
}

static char *
is_outside(const Clip *clip)
{
	if (clip->low == NULL)
		return is_above(clip);
	if (clip->high == NULL)
		return psprintf("%s < %s", clip->x, clip->low);
	return psprintf("%s < %s OR %s", clip->x, clip->low, is_above(clip));
}

static void
reject_outside(CleanPlan *plan, Clip *clip)
{
	char *reason;

	if (clip->low == NULL)
		reason = psprintf("' is above ' || %s", clip->high);
	else if (clip->high == NULL)
		reason = psprintf("' is below ' || %s", clip->low);
	else
		reason = psprintf("' is outside of ' || %s || ' to ' || %s", clip->low, clip->high);
	dmp_clean_filter(plan, clip->line, psprintf("(%s) IS NOT TRUE", is_outside(clip)),
					 psprintf("'22003 value ' || %s || %s", clip->column->base, reason));
}

static void
replace_outside(CleanPlan *plan, Clip *clip)
{
	CleanColumn *column = clip->column;
	char *cases = "";

	if (clip->fate == CLEAN_MISSING)
	{
		char *count = "";

		if (plan->form == CLEAN_COUNTED)
			count = psprintf(" AND NOT dmp_internal.fail(%s::text%s)", column->base,
							 dmp_clean_failing(plan, clip->line));
		cases = psprintf(" WHEN (%s)%s THEN NULL", is_outside(clip), count);
	}
	else
	{
		if (clip->low != NULL)
			cases = psprintf(" WHEN %s < %s THEN %s", clip->x, clip->low,
							 dmp_clean_tally(plan, clip->line, clip->low_value));
		if (clip->high != NULL)
			cases = psprintf("%s WHEN %s THEN %s", cases, is_above(clip),
							 dmp_clean_tally(plan, clip->line, clip->high_value));
	}
	dmp_clean_replace_as(column, getBaseType(column->type),
						 psprintf("CASE%s ELSE %s END", cases, column->base));
}

/*
 * {"clip": {column: method | {"method": method, ..., "action": action}},
 * "action": "clip" | "missing" | "quarantine"}. The type stays. All columns of a
 * step have the statistics of the rows that reach it.
 */
void
dmp_clean_clip(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	bool quarantine = dmp_clean_quarantine(plan, step);
	bool rejects = false;
	bool touched = false;
	bool stats = false;
	List *columns = NIL;
	List *clips = NIL;
	ListCell *lc;

	foreach (lc, dmp_clean_pairs(plan, argument, NULL, NULL))
	{
		CleanPair *pair = lfirst(lc);
		Clip *clip;

		if (pair->spread && !dmp_clean_is_number(pair->column))
			continue;
		clip = read_clip(plan, pair->column, pair->value, step);

		clip->line = dmp_clean_line(plan, pair->column->name, clip->fate != CLEAN_REJECT,
									clip->fate == CLEAN_REJECT);
		clip->line->quarantine = quarantine;
		if (clip->fate == CLEAN_MISSING)
			dmp_clean_failures(plan, clip->line, "out of bounds, made missing");
		rejects |= clip->fate == CLEAN_REJECT;
		touched |= dmp_clean_touched(pair->column);
		stats |= needs_stats(clip);
		columns = lappend(columns, pair->column);
		clips = lappend(clips, clip);
	}
	/* filters need all columns plain */
	if (stats)
		dmp_clean_need_stats(plan, rejects ? plan->columns : columns);
	else if (rejects)
		dmp_clean_settle(plan);
	else if (touched)
		dmp_clean_flush(plan);
	foreach (lc, clips)
	{
		Clip *clip = lfirst(lc);

		clip->x = clip->column->base;
		if (needs_stats(clip))
			bounds_from_stats(plan, clip);
		else
			bounds_given(plan, clip);
	}
	foreach (lc, clips)
		if (((Clip *) lfirst(lc))->fate == CLEAN_REJECT)
			reject_outside(plan, lfirst(lc));
	foreach (lc, clips)
		if (((Clip *) lfirst(lc))->fate != CLEAN_REJECT)
			replace_outside(plan, lfirst(lc));
}
