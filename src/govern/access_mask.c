/*-------------------------------------------------------------------------
 * access_mask.c
 *		Kinds of masks: what a column shows to who may not see it.
 *
 * A mask is an expression of the column's own type, made here from a fixed
 * list; no text of a user is SQL. Masks of texts do not tell how long a short
 * value is. They raise no error for any value, so that nothing can be
 * learned from one; the check of a domain over the type may.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_mask_email);
PG_FUNCTION_INFO_V1(dmp_mask_last4);
PG_FUNCTION_INFO_V1(dmp_mask_phone);
PG_FUNCTION_INFO_V1(dmp_mask_first);

/* ------------------------------------------------------- texts */

/* dmp_internal.mask_email(value): ann@example.org is a***@example.org; what is no address is *** */
Datum
dmp_mask_email(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	int at = length - 1;
	int first;
	StringInfoData masked;

	while (at >= 0 && bytes[at] != '@')
		at--;
	if (at <= 0 || at == length - 1)
		PG_RETURN_TEXT_P(cstring_to_text("***"));
	first = pg_mblen(bytes);
	initStringInfo(&masked);
	/* one character before the @ would be the whole name */
	if (first < at)
		appendBinaryStringInfo(&masked, bytes, first);
	appendStringInfoString(&masked, "***");
	appendBinaryStringInfo(&masked, bytes + at, length - at);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(masked.data, masked.len));
}

/* dmp_internal.mask_last4(value): ****1111; of less than 8 characters **** alone */
Datum
dmp_mask_last4(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	int characters = pg_mbstrlen_with_len(bytes, length);
	int start;

	if (characters < 8)
		PG_RETURN_TEXT_P(cstring_to_text("****"));
	start = pg_mbcharcliplen(bytes, length, characters - 4);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("****%.*s", length - start, bytes + start)));
}

/* dmp_internal.mask_phone(value): digits but the last 2 are *, or all of them when they are less than 6 */
Datum
dmp_mask_phone(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	char *masked = text_to_cstring(value);
	int digits = 0;
	int seen = 0;

	for (char *c = masked; *c; c++)
		digits += *c >= '0' && *c <= '9';
	for (char *c = masked; *c; c++)
	{
		if (*c >= '0' && *c <= '9')
		{
			seen++;
			if (digits < 6 || seen <= digits - 2)
				*c = '*';
		}
		else if (strchr("+-()./ ", *c) == NULL)
			PG_RETURN_TEXT_P(cstring_to_text("***")); /* letters: no number */
	}
	PG_RETURN_TEXT_P(cstring_to_text(masked));
}

/* dmp_internal.mask_first(value): the first character and ***; of one character *** alone */
Datum
dmp_mask_first(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	int first = length > 0 ? pg_mblen(bytes) : 0;

	if (first >= length)
		PG_RETURN_TEXT_P(cstring_to_text("***"));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%.*s***", first, bytes)));
}

/* ------------------------------------------------------- expressions */

typedef struct Masked
{
	const char *column; /* quoted */
	const char *name;
	Oid type; /* without domains */
	int32 typmod;
	const char *cast;  /* the column's type in SQL */
	const char *shown; /* and in errors */
} Masked;

static void
refuse_type(const Masked *masked, const char *kind, const char *fits)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("mask: column \"%s\" of type %s cannot be masked as \"%s\"",
						   masked->name, masked->shown, kind),
					errhint("It fits %s; \"null\" fits any column.", fits)));
}

static bool
is_text(Oid type)
{
	char category;
	bool preferred;

	get_type_category_preferred(type, &category, &preferred);
	return category == TYPCATEGORY_STRING;
}

static char *
mask_text(const Masked *masked, const char *kind, const char *call)
{
	if (!is_text(masked->type))
		refuse_type(masked, kind, "texts");
	return psprintf(call, masked->column);
}

/* keyed token: the same for the same value of a domain, which is the column's name unless given */
static char *
mask_pseudonym(const Masked *masked, const char *domain)
{
	if (masked->type != UUIDOID && !is_text(masked->type))
		refuse_type(masked, "pseudonym", "texts and uuid");
	if ((masked->type == VARCHAROID || masked->type == BPCHAROID) &&
		masked->typmod >= (int32) VARHDRSZ && masked->typmod - (int32) VARHDRSZ < 32)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("mask: column \"%s\" of type %s is too short for \"pseudonym\"",
							   masked->name, masked->cast),
						errdetail("A pseudonym has 32 characters.")));
	return psprintf("dmp.pseudonym(%s::pg_catalog.text, %s)", masked->column,
					quote_literal_cstr(domain));
}

/* the multiple of width the value lies above, towards zero: nothing can overflow */
static char *
mask_range(const Masked *masked, const char *width)
{
	char *end;
	double number = strtod(width, &end);

	if (*width == '\0' || *end != '\0' || !(number >= 1e-6) || number > 1e15)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mask: the range of column \"%s\" must be a number from 1e-6 to 1e15",
						masked->name)));
	switch (masked->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			if (strspn(width, "0123456789") != strlen(width))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("mask: the range of column \"%s\" must be a whole number",
									   masked->name)));
			return psprintf("%s::pg_catalog.int8 OPERATOR(pg_catalog.-) ("
							"%s::pg_catalog.int8 OPERATOR(pg_catalog.%%) %s::pg_catalog.int8)",
							masked->column, masked->column, quote_literal_cstr(width));
		case NUMERICOID:
			return psprintf("%s OPERATOR(pg_catalog.-) ("
							"%s OPERATOR(pg_catalog.%%) %s::pg_catalog.numeric)",
							masked->column, masked->column, quote_literal_cstr(width));
		case FLOAT4OID:
		case FLOAT8OID:
			/* a quotient that overflows would be an error */
			return psprintf(
				"CASE WHEN pg_catalog.abs(%s) OPERATOR(pg_catalog.<) '1e200'::pg_catalog.float8 "
				"THEN pg_catalog.trunc(%s OPERATOR(pg_catalog./) %s::pg_catalog.float8) "
				"OPERATOR(pg_catalog.*) %s::pg_catalog.float8 END",
				masked->column, masked->column, quote_literal_cstr(width),
				quote_literal_cstr(width));
		default:
			refuse_type(masked, "range", "numbers");
			return NULL;
	}
}

static char *
mask_date(const Masked *masked, const char *part)
{
	switch (masked->type)
	{
		case DATEOID:
			return psprintf("pg_catalog.date_trunc('%s', %s::pg_catalog.timestamp)", part,
							masked->column);
		case TIMESTAMPOID:
			return psprintf("pg_catalog.date_trunc('%s', %s)", part, masked->column);
		case TIMESTAMPTZOID:
			return psprintf("pg_catalog.date_trunc('%s', %s, 'UTC')", part, masked->column);
		default:
			refuse_type(masked, part, "dates and timestamps");
			return NULL;
	}
}

static List *
mask_kinds(void)
{
	return list_concat(list_make5("email", "first", "last4", "month", "null"),
					   list_make5("phone", "pseudonym", "range", "redact", "year"));
}

static char *
mask_of_kind(const Masked *masked, const char *kind, const char *argument)
{
	if (strcmp(kind, "email") == 0)
		return mask_text(masked, kind, "dmp_internal.mask_email(%s::pg_catalog.text)");
	if (strcmp(kind, "last4") == 0)
		return mask_text(masked, kind, "dmp_internal.mask_last4(%s::pg_catalog.text)");
	if (strcmp(kind, "phone") == 0)
		return mask_text(masked, kind, "dmp_internal.mask_phone(%s::pg_catalog.text)");
	if (strcmp(kind, "first") == 0)
		return mask_text(masked, kind, "dmp_internal.mask_first(%s::pg_catalog.text)");
	if (strcmp(kind, "redact") == 0)
		return mask_text(masked, kind, "CASE WHEN %s IS NOT NULL THEN '***'::pg_catalog.text END");
	if (strcmp(kind, "pseudonym") == 0)
		return mask_pseudonym(masked, argument ? argument : masked->name);
	if (strcmp(kind, "range") == 0)
		return mask_range(masked, argument ? argument : "10");
	if (strcmp(kind, "year") == 0 || strcmp(kind, "month") == 0)
		return mask_date(masked, kind);
	if (strcmp(kind, "null") == 0)
		return pstrdup("NULL");
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("mask: column \"%s\": unknown kind \"%s\"", masked->name, kind),
					errdetail("Kinds: %s.", dmp_join(mask_kinds(), ", ")),
					dmp_errhint_nearest(kind, mask_kinds())));
	return NULL;
}

/*
 * mask: "kind" or {"kind": argument} (pseudonym: domain, range: width).
 */
char *
dmp_mask_sql(const DmpDoc *mask, const char *column, Oid type, int32 typmod)
{
	Masked masked;
	const char *kind = NULL;
	const char *argument = NULL;

	masked.name = column;
	masked.column = quote_identifier(column);
	masked.typmod = typmod;
	masked.type = getBaseTypeAndTypmod(type, &masked.typmod);
	masked.cast =
		format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	masked.shown = format_type_with_typemod(type, typmod);
	if (mask->kind == DMP_DOC_STRING)
		kind = mask->text;
	else if (mask->kind == DMP_DOC_OBJECT && mask->n == 1 &&
			 (mask->items[0]->kind == DMP_DOC_STRING || mask->items[0]->kind == DMP_DOC_NUMBER))
	{
		kind = mask->keys[0];
		argument = mask->items[0]->text;
		if (strcmp(kind, "pseudonym") != 0 && strcmp(kind, "range") != 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mask: column \"%s\": only \"pseudonym\" (its domain) and "
								   "\"range\" (its width) take a value",
								   column)));
	}
	else
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("mask: column \"%s\" must have the name of a kind, or "
							   "{\"kind\": value}",
							   column),
						errdetail("Kinds: %s.", dmp_join(mask_kinds(), ", "))));
	return psprintf("(%s)::%s", mask_of_kind(&masked, kind, argument), masked.cast);
}
