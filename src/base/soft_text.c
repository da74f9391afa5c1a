/*-------------------------------------------------------------------------
 * soft_text.c
 *		Full decisions for texts, bytes, uuid, enums and json, for servers
 *		without soft errors.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#ifndef DMP_HAVE_SAFE_INPUT

#include <ctype.h>

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/jsonb.h"
#include "utils/jsonfuncs.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "base/soft.h"

/* jsonb of longer texts may pass limits only its input function knows */
#define SOFT_JSONB_MAX (16 * 1024 * 1024)

static bool
call_input(DmpSoftType *t, char *s, Datum *result)
{
	*result = InputFunctionCall(&t->input, s, t->ioparam, t->typmod);
	return true;
}

/*
 * Types whose input function accepts every text.
 */
static bool
full_any(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	return call_input(t, s, result);
}

/*
 * varchar(n) and char(n): only spaces may stand behind the n-th character.
 */
static bool
full_chars(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	int max = t->typmod - (int32) VARHDRSZ;
	int i;

	if (t->typmod >= (int32) VARHDRSZ && len > max)
	{
		for (i = pg_mbcharcliplen(s, len, max); i < len; i++)
			if (s[i] != ' ')
				return dmp_soft_fail(
					err, ERRCODE_STRING_DATA_RIGHT_TRUNCATION, "value too long for type %s(%d)",
					t->input.fn_addr == bpcharin ? "character" : "character varying", max);
	}
	return call_input(t, s, result);
}

/*
 * bytea: hex pairs with white space between them, or the escape format.
 */
static bool
full_bytea(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	char *p = s;

	if (p[0] == '\\' && p[1] == 'x')
	{
		p += 2;
		while (*p)
		{
			int i;

			if (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')
			{
				p++;
				continue;
			}
			for (i = 0; i < 2; i++, p++)
			{
				if (*p == '\0')
					return dmp_soft_fail(err, ERRCODE_INVALID_PARAMETER_VALUE,
										 "invalid hexadecimal data: odd number of digits");
				if (!isxdigit((unsigned char) *p))
					return dmp_soft_fail(err, ERRCODE_INVALID_PARAMETER_VALUE,
										 "invalid hexadecimal digit: \"%.*s\"", pg_mblen(p), p);
			}
		}
		return call_input(t, s, result);
	}
	while (*p)
	{
		if (*p != '\\')
			p++;
		else if (p[1] == '\\')
			p += 2;
		else if (p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' &&
				 p[3] <= '7')
			p += 4;
		else
			return dmp_soft_fail(err, ERRCODE_INVALID_TEXT_REPRESENTATION,
								 "invalid input syntax for type bytea");
	}
	return call_input(t, s, result);
}

/*
 * uuid: 16 hex pairs, braces around all and a hyphen after each group of four
 * digits allowed.
 */
static bool
full_uuid(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	const char *p = s;
	bool braces = *p == '{';
	int i;

	if (braces)
		p++;
	for (i = 0; i < UUID_LEN; i++)
	{
		if (!isxdigit((unsigned char) p[0]) || !isxdigit((unsigned char) p[1]))
			goto bad;
		p += 2;
		if (*p == '-' && i % 2 == 1 && i < UUID_LEN - 1)
			p++;
	}
	if (braces && *p++ != '}')
		goto bad;
	if (*p != '\0')
		goto bad;
	return call_input(t, s, result);

bad:
	return dmp_soft_fail(err, ERRCODE_INVALID_TEXT_REPRESENTATION,
						 "invalid input syntax for type uuid: \"%s\"", dmp_soft_clip(s, len));
}

static bool
full_enum(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	HeapTuple tuple = NULL;
	Oid label;

	if (len < NAMEDATALEN)
		tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(t->ioparam), CStringGetDatum(s));
	if (!HeapTupleIsValid(tuple))
		return dmp_soft_fail(err, ERRCODE_INVALID_TEXT_REPRESENTATION,
							 "invalid input value for enum %s: \"%s\"", t->name,
							 dmp_soft_clip(s, len));
	label = ((Form_pg_enum) GETSTRUCT(tuple))->oid;
	ReleaseSysCache(tuple);
	/* a label added by this very transaction may not be stored yet */
	if (EnumUncommitted(label))
		return dmp_soft_fail(err, ERRCODE_UNSAFE_NEW_ENUM_VALUE_USAGE,
							 "unsafe use of new value \"%s\" of enum type %s", s, t->name);
	*result = ObjectIdGetDatum(label);
	return true;
}

/*
 * jsonb only: numbers must be numerics.
 */
static void
check_number(void *state, char *token, JsonTokenType type)
{
	DmpSoftError *err = state;

	if (type == JSON_TOKEN_NUMBER && err->reason == NULL)
		dmp_soft_numeric_fits(token, -1, err);
}

/*
 * Parse the text; for jsonb with its escapes resolved, since a \u0000 cannot
 * be stored.
 */
static bool
json_parses(char *s, int len, bool binary, DmpSoftError *err)
{
	JsonLexContext *lex;
	JsonSemAction sem = nullSemAction;
	JsonParseErrorType code;
	bool escape;

	if (dmp_soft_json_too_deep(s, len, err))
		return false;
	lex = makeJsonLexContextCstringLen(s, len, GetDatabaseEncoding(), binary);
	if (binary)
	{
		sem.semstate = err;
		sem.scalar = check_number;
	}
	err->reason = NULL;
	code = pg_parse_json(lex, &sem);
	/* the number came first: it is what the input function would name */
	if (err->reason != NULL)
		return false;
	if (code == JSON_SUCCESS)
		return true;
	escape = code == JSON_UNICODE_HIGH_ESCAPE || code == JSON_UNICODE_CODE_POINT_ZERO;
	return dmp_soft_fail(
		err, escape ? ERRCODE_UNTRANSLATABLE_CHARACTER : ERRCODE_INVALID_TEXT_REPRESENTATION,
		"%s: %s",
		escape ? "unsupported Unicode escape sequence" : "invalid input syntax for type json",
		json_errdetail(code, lex));
}

static bool
full_json(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	if (!json_parses(s, len, false, err))
		return false;
	*result = PointerGetDatum(cstring_to_text_with_len(s, len));
	return true;
}

static bool
full_jsonb(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	/* conversion of an escape to another encoding throws */
	if (len > SOFT_JSONB_MAX || (GetDatabaseEncoding() != PG_UTF8 && strstr(s, "\\u") != NULL))
	{
		err->sqlstate = DMP_SOFT_ASK;
		return false;
	}
	if (!json_parses(s, len, true, err))
		return false;
	return call_input(t, s, result);
}

DmpSoftFull
dmp_soft_find_text(PGFunction input)
{
	static const struct
	{
		PGFunction input;
		DmpSoftFull full;
	} known[] = {{textin, full_any},      {namein, full_any},     {charin, full_any},
				 {varcharin, full_chars}, {bpcharin, full_chars}, {byteain, full_bytea},
				 {uuid_in, full_uuid},    {enum_in, full_enum},   {json_in, full_json},
				 {jsonb_in, full_jsonb}};
	int i;

	for (i = 0; i < lengthof(known); i++)
		if (known[i].input == input)
			return known[i].full;
	return NULL;
}

#endif /* !DMP_HAVE_SAFE_INPUT */
