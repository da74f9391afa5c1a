/*-------------------------------------------------------------------------
 * step_values.c
 *		Steps that call a value function: text, email, phone, url,
 *		number, time.
 *
 * A cell that is not what the step wants rejects its row (the usual, as with
 * cast), becomes missing, or stays as it is. In the latter two cases the cells
 * are counted and sampled; dmp.clean says so in a notice.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgroids.h"

#include "clean/clean.h"
#include "clean/value.h"

typedef struct ValueKind
{
	const char *action;
	PGFunction function;
	const char *sql;     /* its name */
	const char *counted; /* what counts beside it */
	Oid type;
	const char *failure;   /* of a cell that is none; NULL: there are none */
	const char *arguments; /* SQL of its further arguments, unless given; NULL: it has none */
} ValueKind;

static const ValueKind kinds[] = {
	{"text", dmp_clean_text, "dmp.clean_text", "dmp_internal.clean_value", TEXTOID, NULL, NULL},
	{"email", dmp_clean_email, "dmp.clean_email", "dmp_internal.clean_value", TEXTOID,
	 "no e-mail address", NULL},
	{"phone", dmp_clean_phone, "dmp.clean_phone", "dmp_internal.clean_value", TEXTOID,
	 "no telephone number", "'CN'"},
	{"url", dmp_clean_url, "dmp.clean_url", "dmp_internal.clean_value", TEXTOID, "no web address",
	 NULL},
	{"number", dmp_clean_number, "dmp.clean_number", "dmp_internal.clean_number", NUMERICOID,
	 "no number", "'.'"},
	{"time", dmp_parse_time, "dmp.parse_time", "dmp_internal.parse_time", TIMESTAMPTZOID, "no time",
	 "'{}', 'UTC'"},
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

static char *
string_argument(CleanPlan *plan, const CleanColumn *column, const DmpDoc *value, const char *what)
{
	if (value->kind != DMP_DOC_STRING)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s takes %s, not %s",
						column->name, plan->action, what, dmp_doc_kind_name(value->kind));
	return value->text;
}

/* A country's two letters, as SQL */
static char *
phone_arguments(CleanPlan *plan, const CleanColumn *column, const DmpDoc *value)
{
	char *country = string_argument(plan, column, value, "a country");

	if (!dmp_is_phone_country(country))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("recipe step %d: column \"%s\": unknown country \"%s\"", plan->step,
							   column->name, country),
						errhint("Two letters of ISO 3166-1, such as \"CN\", of a country whose "
								"numbers dmp.clean_phone knows.")));
	return quote_literal_cstr(country);
}

/* "." or ",", or {"decimal_mark": the same} */
static char *
number_arguments(CleanPlan *plan, const CleanColumn *column, const DmpDoc *value)
{
	static const char *const known[] = {"decimal_mark", NULL};
	char *mark = ".";

	if (value->kind == DMP_DOC_OBJECT)
	{
		char *what = psprintf("recipe step %d: column \"%s\"", plan->step, column->name);

		dmp_doc_check_keys(value, what, known);
		mark = dmp_doc_string(value, "decimal_mark", mark, what);
	}
	else
		mark = string_argument(plan, column, value, "a decimal mark");
	if (strcmp(mark, ".") != 0 && strcmp(mark, ",") != 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": the decimal mark is \".\" or \",\", not \"%s\"",
						column->name, mark);
	return quote_literal_cstr(mark);
}

/*
 * A format, an array of them, or {"formats": these, "zone": name}. Formats and
 * zone are tried here, since the function refuses those it cannot read.
 */
static char *
time_arguments(CleanPlan *plan, const CleanColumn *column, const DmpDoc *value)
{
	static const char *const known[] = {"formats", "zone", NULL};
	char *what = psprintf("recipe step %d: column \"%s\"", plan->step, column->name);
	char *key = "formats";
	DmpDoc whole = {DMP_DOC_OBJECT, NULL, 1, &key, (DmpDoc **) &value};
	const DmpDoc *options = value->kind == DMP_DOC_OBJECT ? value : &whole;
	List *formats;
	Datum *items;
	char *zone;
	FmgrInfo function = {0};
	LOCAL_FCINFO(call, 3);
	ListCell *lc;

	dmp_doc_check_keys(options, what, known);
	formats = dmp_doc_strings(options, "formats", what);
	zone = dmp_doc_string(options, "zone", "UTC", what);
	items = palloc(sizeof(Datum) * Max(list_length(formats), 1));
	foreach (lc, formats)
		items[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	function.fn_mcxt = CurrentMemoryContext;
	InitFunctionCallInfoData(*call, &function, 3, InvalidOid, NULL, NULL);
	call->args[0].value = CStringGetTextDatum("2024-01-01");
	call->args[1].value = PointerGetDatum(
		construct_array(items, list_length(formats), TEXTOID, -1, false, TYPALIGN_INT));
	call->args[2].value = CStringGetTextDatum(zone);
	call->args[0].isnull = call->args[1].isnull = call->args[2].isnull = false;
	plan->about = column->name;
	dmp_parse_time(call);
	plan->about = NULL;
	return psprintf(
		"%s, %s",
		quote_literal_cstr(DatumGetCString(OidFunctionCall1(F_ARRAY_OUT, call->args[1].value))),
		quote_literal_cstr(zone));
}

/*
 * SQL of the function's further arguments from the value in {column: value}.
 */
static char *
arguments_of(CleanPlan *plan, const ValueKind *kind, const CleanColumn *column, const DmpDoc *value)
{
	if (kind->function == dmp_clean_phone)
		return phone_arguments(plan, column, value);
	if (kind->function == dmp_clean_number)
		return number_arguments(plan, column, value);
	return time_arguments(plan, column, value);
}

/*
 * Put the function around one column; arguments: SQL, or NULL.
 */
static void
convert_column(CleanPlan *plan, CleanColumn *column, const ValueKind *kind, const char *arguments,
			   CleanFate fate, bool quarantine)
{
	bool is_text = column->type == TEXTOID;
	bool rejects = fate == CLEAN_REJECT && kind->failure != NULL;
	bool keep = fate == CLEAN_KEEP && kind->failure != NULL;
	CleanLine *line = dmp_clean_line(plan, column->name, true, rejects);
	char *open = is_text ? "" : "(";
	char *to = is_text ? "" : ")::text";
	char *plain = psprintf("%s(%s", kind->sql, open);
	char *counted = psprintf("%s(%s", kind->counted, open);
	char *behind = psprintf("%s%s%s", to, arguments ? ", " : "", arguments ? arguments : "");
	char *counted_behind = behind;

	line->quarantine = quarantine;
	if (kind->failure != NULL && !rejects)
		dmp_clean_failures(
			plan, line, psprintf("%s, %s", kind->failure, keep ? "left as it is" : "made missing"));
	if (kind->type == TEXTOID)
		counted_behind = psprintf("%s, %s, %s, %s", to, quote_literal_cstr(kind->action),
								  arguments ? arguments : "''", keep ? "true" : "false");
	/* only the function that counts knows how to keep */
	if (keep)
	{
		plain = counted;
		behind = counted_behind;
	}
	if (rejects)
	{
		/* first of all, since it may start a level */
		CleanConversion *conversion = dmp_clean_convert(plan, column, line, open, to);

		conversion->error_before = psprintf("'22P02 %s: \"' || left(", kind->failure);
		conversion->error_after = ", 100) || '\"'";
	}
	if (plan->form == CLEAN_COUNTED)
		counted = psprintf("%s%s%s%s)", counted, column->expr, counted_behind,
						   dmp_clean_failing(plan, line));
	else
		counted = psprintf("%s%s%s)", plain, column->expr, behind);
	if (rejects)
		dmp_clean_replace(column, counted);
	else
		dmp_clean_wrap(column, counted, plain, psprintf("%s)", behind));
	if (kind->type != TEXTOID || !is_text)
		dmp_clean_retype(column, kind->type, -1);
}

/*
 * {"text": columns}, {"email": columns}, {"url": columns}, {"phone": columns |
 * {column: country}}, {"number": columns | {column: decimal mark}}, {"time":
 * columns | {column: formats}}, with "action": "quarantine" | "missing" |
 * "keep" for cells that are none. The columns become text, numeric, timestamptz.
 */
void
dmp_clean_values(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	const ValueKind *kind = find_kind(plan->action);
	CleanFate fate =
		dmp_clean_fate(plan, step, "action", "quarantine", kind->type == TEXTOID ? "keep" : NULL);
	bool quarantine = dmp_clean_quarantine(plan, step);
	ListCell *lc;

	if (fate == CLEAN_REJECT && kind->failure != NULL)
		dmp_clean_begin_conversions(plan);
	if (kind->arguments != NULL && argument->kind == DMP_DOC_OBJECT)
	{
		foreach (lc, dmp_clean_pairs(plan, argument, dmp_clean_is_text, "text"))
		{
			CleanPair *pair = lfirst(lc);

			convert_column(plan, pair->column, kind,
						   arguments_of(plan, kind, pair->column, pair->value), fate, quarantine);
		}
	}
	else
	{
		foreach (lc, dmp_clean_columns(plan, argument, dmp_clean_is_text, "text"))
			convert_column(plan, lfirst(lc), kind, kind->arguments, fate, quarantine);
	}
	if (fate == CLEAN_REJECT)
		dmp_clean_end_conversions(plan);
}

/* ---- the functions */

PG_FUNCTION_INFO_V1(dmp_clean_value);
PG_FUNCTION_INFO_V1(dmp_counted_number);
PG_FUNCTION_INFO_V1(dmp_counted_time);

/* What the function makes of a call's first argument; false for NULL */
static bool
call_value(FunctionCallInfo fcinfo, const ValueKind *kind, Datum argument, Datum *result)
{
	LOCAL_FCINFO(call, 2);

	InitFunctionCallInfoData(*call, NULL, kind->arguments ? 2 : 1, InvalidOid, NULL, NULL);
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
		if (kind == NULL || kind->type != TEXTOID)
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
 * The function, which reads its own arguments; behind them run, changed,
 * failed. Counts every cell, which changes its type at least.
 */
static Datum
counted_value(FunctionCallInfo fcinfo, PGFunction function)
{
	int n = PG_NARGS();
	int64 run = PG_GETARG_INT64(n - 3);
	int failed = PG_GETARG_INT32(n - 1);
	Datum result = function(fcinfo);

	if (!fcinfo->isnull || failed >= 0)
		dmp_count(run, PG_GETARG_INT32(n - 2));
	if (fcinfo->isnull && failed >= 0)
	{
		text *value = PG_GETARG_TEXT_PP(0);

		dmp_count_sample(run, failed, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	return result;
}

/*
 * dmp_internal.clean_number(value text, decimal_mark text, run bigint,
 *	changed integer, failed integer) -> numeric
 */
Datum
dmp_counted_number(PG_FUNCTION_ARGS)
{
	return counted_value(fcinfo, dmp_clean_number);
}

/*
 * dmp_internal.parse_time(value text, formats text[], zone text, run bigint,
 *	changed integer, failed integer) -> timestamptz
 */
Datum
dmp_counted_time(PG_FUNCTION_ARGS)
{
	return counted_value(fcinfo, dmp_parse_time);
}
