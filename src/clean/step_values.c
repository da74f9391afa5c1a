/*-------------------------------------------------------------------------
 * step_values.c
 *		Steps that call a value function: text, email, phone, url, number.
 *
 * A cell that is not what the step wants rejects its row (the usual, as with
 * cast), becomes missing, or stays as it is. In the latter two cases the cells
 * are counted and sampled; dmp.clean says so in a notice.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"

#include "clean/clean.h"
#include "clean/value.h"

typedef struct ValueKind
{
	const char *action;
	PGFunction function;
	const char *failure; /* of a cell that is none */
	const char *keep;    /* what "action" may be beside missing and quarantine */
	bool has_argument;   /* the function's second */
	const char *argument;
} ValueKind;

static const ValueKind kinds[] = {
	{"text", dmp_clean_text, NULL, NULL, false, NULL},
	{"email", dmp_clean_email, "no e-mail address", "keep", false, NULL},
	{"phone", dmp_clean_phone, "no telephone number", "keep", true, "CN"},
	{"url", dmp_clean_url, "no web address", "keep", false, NULL},
	{"number", dmp_clean_number, "no number", NULL, true, "."},
};

static const ValueKind *
find_kind(const char *action)
{
	int i;

	for (i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i].action, action) == 0)
			return &kinds[i];
	return NULL;
}

/*
 * The function's second argument from the value in {column: value}: a string,
 * or, for a number, {"decimal_mark": string}.
 */
static const char *
argument_of(CleanPlan *plan, const ValueKind *kind, const CleanColumn *column, const DmpDoc *value)
{
	static const char *const number_keys[] = {"decimal_mark", NULL};
	bool number = strcmp(kind->action, "number") == 0;

	if (number && value->kind == DMP_DOC_OBJECT)
	{
		dmp_doc_check_keys(value,
						   psprintf("recipe step %d: column \"%s\"", plan->step, column->name),
						   number_keys);
		if (value->n == 0)
			return kind->argument;
		value = value->items[0];
	}
	if (value->kind != DMP_DOC_STRING)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s takes %s, not %s",
						column->name, kind->action, number ? "a decimal mark" : "a country",
						dmp_doc_kind_name(value->kind));
	if (number && strcmp(value->text, ".") != 0 && strcmp(value->text, ",") != 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": the decimal mark is \".\" or \",\", not \"%s\"",
						column->name, value->text);
	if (!number && !dmp_is_phone_country(value->text))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("recipe step %d: column \"%s\": unknown country \"%s\"", plan->step,
							   column->name, value->text),
						errhint("Two letters of ISO 3166-1, such as \"CN\", of a country whose "
								"numbers dmp.clean_phone knows.")));
	return value->text;
}

/*
 * Put the function around one column.
 */
static void
convert_column(CleanPlan *plan, CleanColumn *column, const ValueKind *kind, const char *argument,
			   CleanFate fate, bool quarantine)
{
	bool number = strcmp(kind->action, "number") == 0;
	bool is_text = column->type == TEXTOID;
	CleanLine *line =
		dmp_clean_line(plan, column->name, true, fate == CLEAN_REJECT && kind->failure != NULL);
	/* an "action" of this step that the plain function lacks */
	bool keep = fate == CLEAN_KEEP && kind->failure != NULL;
	char *open = is_text ? "" : "(";
	char *to = is_text ? "" : ")::text";
	char *literal = argument ? psprintf(", %s", quote_literal_cstr(argument)) : "";
	char *before;
	char *after;
	char *counted;

	line->quarantine = quarantine;
	if (kind->failure != NULL && fate != CLEAN_REJECT)
		dmp_clean_failures(
			plan, line, psprintf("%s, %s", kind->failure, keep ? "left as it is" : "made missing"));
	if (line->rejected >= 0)
	{
		/* first of all, since it may start a level */
		CleanConversion *conversion = dmp_clean_convert(plan, column, line, open, to);

		conversion->error_before = psprintf("'22P02 %s: \"' || left(", kind->failure);
		conversion->error_after = ", 100) || '\"'";
	}
	if (number)
	{
		before = psprintf("dmp.clean_number(%s", open);
		after = psprintf("%s%s)", to, literal);
		counted = psprintf("dmp_internal.clean_number(%s%s%s%s%s)", open, column->expr, to, literal,
						   dmp_clean_failing(plan, line));
	}
	else
	{
		char *arguments =
			psprintf(", %s, %s, %s", quote_literal_cstr(kind->action),
					 quote_literal_cstr(argument ? argument : ""), keep ? "true" : "false");

		before = keep ? psprintf("dmp_internal.clean_value(%s", open)
					  : psprintf("dmp.clean_%s(%s", kind->action, open);
		after = psprintf("%s%s)", to, keep ? arguments : literal);
		counted = psprintf("dmp_internal.clean_value(%s%s%s%s%s)", open, column->expr, to,
						   arguments, dmp_clean_failing(plan, line));
	}
	if (plan->form != CLEAN_COUNTED)
		counted = psprintf("%s%s%s", before, column->expr, after);
	if (line->rejected >= 0)
		dmp_clean_replace(column, counted);
	else
		dmp_clean_wrap(column, counted, before, after);
	if (number)
		dmp_clean_retype(column, NUMERICOID, -1);
	else if (!is_text)
		dmp_clean_retype(column, TEXTOID, -1);
}

/*
 * {"text": columns}, {"email": columns}, {"url": columns}, {"phone": columns |
 * {column: country}}, {"number": columns | {column: decimal mark}}, with
 * "action": "quarantine" | "missing" | "keep" for cells that are none. The
 * columns become text, or numeric.
 */
void
dmp_clean_values(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	const ValueKind *kind = find_kind(plan->action);
	CleanFate fate = dmp_clean_fate(plan, step, "action", "quarantine", kind->keep);
	bool quarantine = dmp_clean_quarantine(plan, step);
	ListCell *lc;

	if (fate == CLEAN_REJECT && kind->failure != NULL)
		dmp_clean_begin_conversions(plan);
	if (kind->has_argument && argument->kind == DMP_DOC_OBJECT)
	{
		foreach (lc, dmp_clean_pairs(plan, argument, dmp_clean_is_text, "text"))
		{
			CleanPair *pair = lfirst(lc);

			convert_column(plan, pair->column, kind,
						   argument_of(plan, kind, pair->column, pair->value), fate, quarantine);
		}
	}
	else
	{
		foreach (lc, dmp_clean_columns(plan, argument, dmp_clean_is_text, "text"))
			convert_column(plan, lfirst(lc), kind, kind->argument, fate, quarantine);
	}
	if (fate == CLEAN_REJECT)
		dmp_clean_end_conversions(plan);
}

/* ---- the functions */

PG_FUNCTION_INFO_V1(dmp_clean_value);
PG_FUNCTION_INFO_V1(dmp_counted_number);

/* What a value function makes of a call's first argument; false for NULL */
static bool
call_value(FunctionCallInfo fcinfo, const ValueKind *kind, Datum argument, Datum *result)
{
	LOCAL_FCINFO(call, 2);

	InitFunctionCallInfoData(*call, NULL, kind->has_argument ? 2 : 1, InvalidOid, NULL, NULL);
	call->args[0].value = PG_GETARG_DATUM(0);
	call->args[0].isnull = false;
	call->args[1].value = argument;
	call->args[1].isnull = false;
	*result = kind->function(call);
	return !call->isnull;
}

/*
 * dmp_internal.clean_value(value text, kind text, argument text, keep boolean
 *	[, run bigint, changed integer, failed integer]) -> text
 *
 * dmp.clean_<kind> of the value; keep: the value itself when that is NULL. kind
 * is the same at each row. Counts cells that change, and, when failed is not
 * negative, those that are none.
 */
Datum
dmp_clean_value(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const ValueKind *kind = fcinfo->flinfo->fn_extra;
	bool counts = PG_NARGS() > 4;
	Datum result;
	text *cleaned;

	if (unlikely(kind == NULL))
	{
		kind = find_kind(text_to_cstring(PG_GETARG_TEXT_PP(1)));
		if (kind == NULL || kind->function == dmp_clean_number)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("unknown kind of value \"%s\"",
								   text_to_cstring(PG_GETARG_TEXT_PP(1)))));
		fcinfo->flinfo->fn_extra = (void *) kind;
	}
	if (!call_value(fcinfo, kind, PG_GETARG_DATUM(2), &result))
	{
		if (counts && PG_GETARG_INT32(6) >= 0)
		{
			if (!PG_GETARG_BOOL(3))
				dmp_count(PG_GETARG_INT64(4), PG_GETARG_INT32(5));
			dmp_count_sample(PG_GETARG_INT64(4), PG_GETARG_INT32(6), VARDATA_ANY(value),
							 VARSIZE_ANY_EXHDR(value));
		}
		if (PG_GETARG_BOOL(3))
			PG_RETURN_TEXT_P(value);
		PG_RETURN_NULL();
	}
	cleaned = DatumGetTextPP(result);
	if (counts && (VARSIZE_ANY_EXHDR(cleaned) != VARSIZE_ANY_EXHDR(value) ||
				   memcmp(VARDATA_ANY(cleaned), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)) != 0))
		dmp_count(PG_GETARG_INT64(4), PG_GETARG_INT32(5));
	PG_RETURN_TEXT_P(cleaned);
}

/*
 * dmp_internal.clean_number(value text, decimal_mark text, run bigint,
 *	changed integer, failed integer) -> numeric
 *
 * dmp.clean_number, counting every cell, which changes its type at least, and
 * those that are no number.
 */
Datum
dmp_counted_number(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	int failed = PG_GETARG_INT32(4);
	Datum result;

	if (call_value(fcinfo, find_kind("number"), PG_GETARG_DATUM(1), &result))
	{
		dmp_count(PG_GETARG_INT64(2), PG_GETARG_INT32(3));
		PG_RETURN_DATUM(result);
	}
	if (failed >= 0)
	{
		dmp_count(PG_GETARG_INT64(2), PG_GETARG_INT32(3));
		dmp_count_sample(PG_GETARG_INT64(2), failed, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	PG_RETURN_NULL();
}
