/*-------------------------------------------------------------------------
 * step_cast.c
 *		The step cast: columns become of another type.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "parser/parse_type.h"
#include "utils/lsyscache.h"

#include "base/soft.h"
#include "clean/clean.h"

/*
 * Casts that cannot fail for any value.
 */
static bool
cast_is_safe(Oid from, Oid to)
{
	static const Oid safe[][2] = {
		{INT2OID, INT4OID},      {INT2OID, INT8OID},        {INT2OID, NUMERICOID},
		{INT2OID, FLOAT4OID},    {INT2OID, FLOAT8OID},      {INT4OID, INT8OID},
		{INT4OID, NUMERICOID},   {INT4OID, FLOAT8OID},      {INT8OID, NUMERICOID},
		{FLOAT4OID, FLOAT8OID},  {INT4OID, BOOLOID},        {BOOLOID, INT4OID},
		{TIMESTAMPOID, DATEOID}, {TIMESTAMPTZOID, DATEOID}, {JSONBOID, JSONOID}};
	int i;

	for (i = 0; i < lengthof(safe); i++)
		if (safe[i][0] == from && safe[i][1] == to)
			return true;
	return from == to;
}

/*
 * The text a value is converted from, as what stands before and behind it. A
 * number on its way to an integer loses the zeros behind its point, and no
 * other digit.
 */
static void
text_of(Oid from, Oid to, const char **before, const char **after)
{
	bool integer = to == INT2OID || to == INT4OID || to == INT8OID;

	*before = "(";
	*after = ")::text";
	if (from == TEXTOID)
		*before = *after = "";
	else if (from == JSONOID || from == JSONBOID)
		*after = " #>> '{}')";
	else if (integer && from == NUMERICOID)
	{
		*before = "trim_scale(";
	}
	else if (integer && (from == FLOAT4OID || from == FLOAT8OID))
	{
		*before = "trim_scale((";
		*after = ")::text::numeric)::text";
	}
}

static void
cast_column(CleanPlan *plan, CleanColumn *column, const DmpDoc *value)
{
	CleanLine *line;
	CleanConversion *conversion;
	const char *before;
	const char *after;
	char *function;
	char *back = "";
	Oid from = getBaseType(column->type);
	Oid type;
	Oid base;
	int32 typmod;
	int32 base_typmod;

	if (value->kind != DMP_DOC_STRING)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"cast of column \"%s\" takes the name of a type, not %s", column->name,
						dmp_doc_kind_name(value->kind));
	parseTypeString(value->text, &type, &typmod, false);
	if (get_typtype(type) == TYPTYPE_PSEUDO)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\" cannot become %s, a pseudo-type", column->name, value->text);
	base_typmod = typmod;
	base = getBaseTypeAndTypmod(type, &base_typmod);

	if ((base == type && typmod < 0 && (cast_is_safe(from, type) || type == TEXTOID)) ||
		(column->type == type && column->typmod == typmod))
	{
		const char *target = dmp_clean_type(type, typmod);

		line = dmp_clean_line(plan, column->name, true, false);
		if (type == TEXTOID && (from == JSONOID || from == JSONBOID))
			text_of(from, type, &before, &after);
		else
		{
			before = "(";
			after = psprintf(")::%s", target);
		}
		dmp_clean_wrap(column,
					   psprintf("%s%s%s", before, dmp_clean_tally(plan, line, column->expr), after),
					   before, after);
		dmp_clean_retype(column, type, typmod);
		return;
	}

	line = dmp_clean_line(plan, column->name, true, true);
	text_of(from, base, &before, &after);
	conversion = dmp_clean_convert(plan, column, line, before, after);
	conversion->error_before = "dmp_internal.cast_error(";
	conversion->error_after =
		psprintf(", %s::regtype, %d)", quote_literal_cstr(dmp_clean_type(type, -1)), typmod);
	if (base != type)
	{
		conversion->domain = type;
		conversion->domain_typmod = typmod;
	}
	if (dmp_soft_is_guarded(dmp_soft_prepare(type, typmod, CurrentMemoryContext)))
		plan->serial = true;

	if (base == type && typmod >= 0)
		back = psprintf("::%s", dmp_clean_type(type, typmod));
	if (plan->form != CLEAN_COUNTED && base == type && typmod < 0)
		function = psprintf("dmp.try_cast(%s%s%s, NULL::%s)", before, column->expr, after,
							dmp_clean_type(base, -1));
	else
		function = psprintf("dmp_internal.soft_cast(%s%s%s, NULL::%s, %s::regtype, %d%s)%s", before,
							column->expr, after, dmp_clean_type(base, -1),
							quote_literal_cstr(dmp_clean_type(type, -1)), typmod,
							dmp_clean_counting(plan, line), back);
	dmp_clean_replace(column, function);
	dmp_clean_retype(column, base, base == type ? typmod : -1);
}

/*
 * {"cast": {column: type}}. A row with a cell that does not convert is
 * rejected.
 */
void
dmp_clean_cast(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	ListCell *lc;

	dmp_clean_begin_conversions(plan);
	foreach (lc, dmp_clean_pairs(plan, argument, NULL, NULL))
		cast_column(plan, ((CleanPair *) lfirst(lc))->column, ((CleanPair *) lfirst(lc))->value);
	dmp_clean_end_conversions(plan);
}
