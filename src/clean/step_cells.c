/*-------------------------------------------------------------------------
 * step_cells.c
 *		Steps on single cells: trim, missing; and their functions.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "base/soft.h"
#include "clean/clean.h"

/*
 * The wrapping of a function from text to text around a column of any string
 * type, which stays what it is.
 */
static void
wrap_text(CleanPlan *plan, CleanColumn *column, CleanLine *line, const char *function,
		  const char *arguments)
{
	bool is_text = column->type == TEXTOID;
	const char *open = is_text ? "" : "(";
	const char *to = is_text ? "" : ")::text";
	char *back = is_text ? "" : psprintf("::%s", dmp_clean_type(column->type, column->typmod));

	dmp_clean_wrap(column,
				   psprintf("%s(%s%s%s%s%s)%s", function, open, column->expr, to, arguments,
							dmp_clean_counting(plan, line), back),
				   psprintf("%s(%s", function, open), psprintf("%s%s)%s", to, arguments, back));
}

/*
 * {"trim": "*" | column | [columns]}: white space at both ends goes.
 */
void
dmp_clean_trim(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	ListCell *lc;

	foreach (lc, dmp_clean_columns(plan, argument, dmp_clean_is_text, "text"))
	{
		CleanColumn *column = lfirst(lc);

		wrap_text(plan, column, dmp_clean_line(plan, column->name, true, false),
				  "dmp_internal.trim_text", "");
	}
}

/*
 * The tokens of a missing step.
 */
static List *
tokens_of(CleanPlan *plan, const DmpDoc *doc)
{
	List *tokens = NIL;
	int i;

	if (doc->kind == DMP_DOC_STRING || doc->kind == DMP_DOC_NUMBER)
		return list_make1(doc->text);
	if (doc->kind != DMP_DOC_ARRAY)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"missing takes an array of values, or an object {column: [values]}");
	for (i = 0; i < doc->n; i++)
	{
		if (doc->items[i]->kind == DMP_DOC_NULL || doc->items[i]->kind >= DMP_DOC_ARRAY)
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "missing takes values, not %s",
							dmp_doc_kind_name(doc->items[i]->kind));
		tokens = lappend(tokens, doc->items[i]->text);
	}
	if (tokens == NIL)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "missing names no value");
	return tokens;
}

/*
 * One column of another type: its values are compared as values.
 */
static void
missing_value(CleanPlan *plan, CleanColumn *column, List *tokens, CleanLine *line)
{
	DmpSoftType *type = dmp_soft_prepare(column->type, column->typmod, CurrentMemoryContext);
	char *type_name = dmp_clean_type(column->type, column->typmod);
	char *count = "";
	List *values = NIL;
	ListCell *lc;

	if (!OidIsValid(lookup_type_cache(column->type, TYPECACHE_EQ_OPR)->eq_opr))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, whose values cannot be compared", column->name,
						type_name);
	foreach (lc, tokens)
	{
		const char *reason;
		Datum value;

		if (!dmp_soft_input(type, lfirst(lc), strlen(lfirst(lc)), &value, &reason, NULL))
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s",
							column->name, reason);
		values = lappend(values, psprintf("%s::%s", quote_literal_cstr(lfirst(lc)), type_name));
	}
	if (dmp_clean_touched(column))
		dmp_clean_flush(plan);
	if (plan->form == CLEAN_COUNTED)
		/* unknown AND x evaluates x */
		count = psprintf(" IS TRUE AND NOT dmp_internal.tick(" INT64_FORMAT ", %d)", plan->run,
						 line->changed);
	dmp_clean_replace(column, psprintf("CASE WHEN (%s IN (%s))%s THEN NULL ELSE %s END",
									   column->base, dmp_join(values, ", "), count, column->base));
}

static void
missing_in(CleanPlan *plan, CleanColumn *column, const DmpDoc *value)
{
	List *tokens = tokens_of(plan, value);
	CleanLine *line = dmp_clean_line(plan, column->name, true, false);
	List *literals = NIL;
	ListCell *lc;

	if (!dmp_clean_is_text(column))
	{
		missing_value(plan, column, tokens, line);
		return;
	}
	foreach (lc, tokens)
		literals = lappend(literals, quote_literal_cstr(lfirst(lc)));
	wrap_text(plan, column, line, "dmp_internal.missing_text",
			  psprintf(", ARRAY[%s]", dmp_join(literals, ", ")));
}

/*
 * {"missing": [values]}: in every text column these values become NULL.
 * {"missing": {column: [values]}}: in that column, of any type.
 */
void
dmp_clean_missing(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	ListCell *lc;
	int i;

	if (argument->kind != DMP_DOC_OBJECT)
	{
		foreach (lc, plan->columns)
			if (dmp_clean_is_text(lfirst(lc)))
				missing_in(plan, lfirst(lc), argument);
		tokens_of(plan, argument);
		return;
	}
	if (argument->n == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "missing names no column");
	for (i = 0; i < argument->n; i++)
	{
		if (strcmp(argument->keys[i], "*") != 0)
		{
			missing_in(plan, dmp_clean_column(plan, argument->keys[i]), argument->items[i]);
			continue;
		}
		foreach (lc, plan->columns)
			if (dmp_clean_is_text(lfirst(lc)) &&
				dmp_doc_get(argument, ((CleanColumn *) lfirst(lc))->name) == NULL)
				missing_in(plan, lfirst(lc), argument->items[i]);
	}
}

/* ---- the functions */

PG_FUNCTION_INFO_V1(dmp_trim_text);
PG_FUNCTION_INFO_V1(dmp_missing_text);

/*
 * Length of the white space character at s, 0 when it is none: ASCII space and
 * control space, and in UTF-8 the no-break, en, em, ideographic and other
 * spaces, zero width space and the byte order mark.
 */
static inline int
space_at(const unsigned char *s, const unsigned char *end, bool utf8)
{
	if (*s <= ' ')
		return *s == ' ' || (*s >= '\t' && *s <= '\r');
	if (!utf8 || *s < 0xC2)
		return 0;
	if (*s == 0xC2)
		return end - s >= 2 && (s[1] == 0xA0 || s[1] == 0x85) ? 2 : 0;
	if (end - s < 3)
		return 0;
	switch (*s)
	{
		case 0xE1: /* U+1680 */
			return s[1] == 0x9A && s[2] == 0x80 ? 3 : 0;
		case 0xE2: /* U+2000..200B, 2028, 2029, 202F, 205F */
			if (s[1] == 0x80)
				return s[2] <= 0x8B || s[2] == 0xA8 || s[2] == 0xA9 || s[2] == 0xAF ? 3 : 0;
			return s[1] == 0x81 && s[2] == 0x9F ? 3 : 0;
		case 0xE3: /* U+3000 */
			return s[1] == 0x80 && s[2] == 0x80 ? 3 : 0;
		case 0xEF: /* U+FEFF */
			return s[1] == 0xBB && s[2] == 0xBF ? 3 : 0;
		default:
			return 0;
	}
}

/*
 * dmp_internal.trim_text(value text [, run bigint, slot integer]) -> text
 *
 * The value without white space at its ends; counts when there was any.
 */
Datum
dmp_trim_text(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const unsigned char *start = (unsigned char *) VARDATA_ANY(value);
	const unsigned char *end = start + VARSIZE_ANY_EXHDR(value);
	const unsigned char *first = start;
	const unsigned char *last = end;
	bool utf8 = GetDatabaseEncoding() == PG_UTF8;
	int n;

	while (first < last && (n = space_at(first, last, utf8)) > 0)
		first += n;
	while (last > first)
	{
		const unsigned char *p = last - 1;

		while (utf8 && p > first && (*p & 0xC0) == 0x80)
			p--;
		n = space_at(p, last, utf8);
		if (n == 0 || p + n != last)
			break;
		last = p;
	}
	if (first == start && last == end)
		PG_RETURN_TEXT_P(value);
	if (PG_NARGS() > 1)
		dmp_count(PG_GETARG_INT64(1), PG_GETARG_INT32(2));
	PG_RETURN_TEXT_P(cstring_to_text_with_len((const char *) first, last - first));
}

/* The tokens of a call, kept over its rows */
typedef struct MissingTokens
{
	int n;
	int *lengths;
	char **tokens;
} MissingTokens;

static MissingTokens *
missing_tokens(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	MissingTokens *tokens = palloc0(sizeof(MissingTokens));
	Datum *items;
	bool *nulls;
	int n;
	int i;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P_COPY(1), TEXTOID, -1, false, TYPALIGN_INT, &items,
					  &nulls, &n);
	tokens->lengths = palloc(sizeof(int) * Max(n, 1));
	tokens->tokens = palloc(sizeof(char *) * Max(n, 1));
	for (i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		tokens->tokens[tokens->n] = TextDatumGetCString(items[i]);
		tokens->lengths[tokens->n] = strlen(tokens->tokens[tokens->n]);
		tokens->n++;
	}
	fcinfo->flinfo->fn_extra = tokens;
	MemoryContextSwitchTo(old);
	return tokens;
}

/*
 * dmp_internal.missing_text(value text, tokens text[] [, run bigint, slot integer]) -> text
 *
 * NULL when the value is one of the tokens (the same at each row), else the
 * value; counts when it is.
 */
Datum
dmp_missing_text(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *s = VARDATA_ANY(value);
	int len = VARSIZE_ANY_EXHDR(value);
	MissingTokens *tokens = fcinfo->flinfo->fn_extra;
	int i;

	if (unlikely(tokens == NULL))
		tokens = missing_tokens(fcinfo);
	for (i = 0; i < tokens->n; i++)
	{
		if (tokens->lengths[i] == len && memcmp(tokens->tokens[i], s, len) == 0)
		{
			if (PG_NARGS() > 2)
				dmp_count(PG_GETARG_INT64(2), PG_GETARG_INT32(3));
			PG_RETURN_NULL();
		}
	}
	PG_RETURN_TEXT_P(value);
}
