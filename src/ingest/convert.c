/*-------------------------------------------------------------------------
 * convert.c
 *		A value of a record for a column.
 *
 *	json, jsonb		any value as it is
 *	arrays			an array of scalars; a string is read as an array literal
 *	other types		a string's text, a number's text, true, false
 *
 * An integer column takes a number that is written with a fraction or an
 * exponent when it is integral (12.0, 1e3), decided in numeric, never float8.
 * The values of formats other than json are texts, and json columns parse them.
 * The source's missing tokens are NULL. Objects and arrays for another column
 * are an error.
 *-------------------------------------------------------------------------
 */
#include "ingest/decode.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

void
dmp_convert_init(DmpConvert *c, List *missing)
{
	ListCell *lc;

	c->n_missing = list_length(missing);
	c->missing = palloc(sizeof(char *) * Max(c->n_missing, 1));
	c->missing_length = palloc(sizeof(size_t) * Max(c->n_missing, 1));
	c->longest_missing = 0;
	foreach (lc, missing)
	{
		int i = foreach_current_index(lc);

		c->missing[i] = pstrdup(lfirst(lc));
		c->missing_length[i] = strlen(lfirst(lc));
		c->longest_missing = Max(c->longest_missing, c->missing_length[i]);
	}
	c->numeric = dmp_soft_prepare(NUMERICOID, -1, CurrentMemoryContext);
}

void
dmp_field_init(DmpField *field, const char *column, Oid type, int32 typmod)
{
	int32 base_typmod = typmod;
	Oid element;

	field->column = pstrdup(column);
	field->base = getBaseTypeAndTypmod(type, &base_typmod);
	field->domain = field->base != type;
	field->plain_text = type == TEXTOID;
	field->json = field->base == JSONOID || field->base == JSONBOID;
	field->integer = field->base == INT2OID || field->base == INT4OID || field->base == INT8OID;
	field->soft = dmp_soft_prepare(type, typmod, CurrentMemoryContext);
	element = get_element_type(field->base);
	if (OidIsValid(element) && !field->domain)
	{
		field->element_type = element;
		field->element = dmp_soft_prepare(element, base_typmod, CurrentMemoryContext);
		get_typlenbyvalalign(element, &field->element_length, &field->element_byval,
							 &field->element_align);
	}
}

bool
dmp_field_rejected(DmpRejected *why, const DmpField *field, int sqlerrcode, const char *reason)
{
	why->column_name = field ? field->column : NULL;
	why->reason = reason;
	why->sqlstate = pstrdup(unpack_sql_state(sqlerrcode));
	return false;
}

static bool
convert(DmpRejected *why, const DmpField *field, DmpSoftType *soft, const char *text, size_t length,
		Datum *result)
{
	const char *reason;
	int sqlerrcode;

	if (field->date_order > 0)
	{
		int order = DateOrder;
		volatile bool ok = false;

		DateOrder = field->date_order - 1;
		PG_TRY();
		{
			ok = dmp_soft_input(soft, text, (int) length, result, &reason, &sqlerrcode);
		}
		PG_FINALLY();
		{
			DateOrder = order;
		}
		PG_END_TRY();
		if (ok)
			return true;
	}
	else if (dmp_soft_input(soft, text, (int) length, result, &reason, &sqlerrcode))
		return true;
	return dmp_field_rejected(why, field, sqlerrcode, reason);
}

bool
dmp_field_text(const DmpField *field, const char *text, size_t length, Datum *result,
			   DmpRejected *why)
{
	return convert(why, field, field->soft, text, length, result);
}

/*
 * The text of a scalar in *text and *length. Strings with escapes are resolved
 * into palloc'd memory. Escapes beyond ASCII need a UTF-8 database.
 */
static bool
scalar_text(DmpRejected *why, const DmpField *field, const DmpJsonValue *value, const char **text,
			size_t *length)
{
	char *buffer;

	*text = value->start;
	*length = value->length;
	if (value->type != DMP_JSON_STRING || !value->escaped)
		return true;
	buffer = palloc(value->length + 1);
	*length = dmp_json_unescape(value->start, value->length, buffer);
	*text = buffer;
	if (GetDatabaseEncoding() != PG_UTF8 && strstr(pnstrdup(value->start, value->length), "\\u"))
		for (size_t i = 0; i < *length; i++)
			if (IS_HIGHBIT_SET(buffer[i]))
				return dmp_field_rejected(why, field, ERRCODE_UNTRANSLATABLE_CHARACTER,
										  "an escape has no place in the encoding of the database");
	return true;
}

static bool
is_missing(const DmpConvert *c, const char *text, size_t length)
{
	if (c->n_missing == 0 || length > c->longest_missing)
		return false;
	for (int i = 0; i < c->n_missing; i++)
		if (c->missing_length[i] == length && memcmp(c->missing[i], text, length) == 0)
			return true;
	return false;
}

/*
 * An integer column and a number with a fraction or an exponent: the same
 * number written as an integer, when it is one.
 */
static bool
integral_text(const DmpConvert *c, const char **text, size_t *length)
{
	const char *reason;
	int sqlerrcode;
	Datum number;
	Datum whole;

	if (memchr(*text, '.', *length) == NULL && memchr(*text, 'e', *length) == NULL &&
		memchr(*text, 'E', *length) == NULL)
		return false;
	if (!dmp_soft_input(c->numeric, *text, (int) *length, &number, &reason, &sqlerrcode))
		return false;
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		return false;
	*text = DatumGetCString(DirectFunctionCall1(numeric_out, whole));
	*length = strlen(*text);
	return true;
}

typedef struct ElementState
{
	const DmpConvert *convert;
	const DmpField *field;
	DmpRejected *why;
	Datum *values;
	bool *nulls;
	int n;
	int space;
	bool ok;
} ElementState;

static bool
convert_element(void *arg, const DmpJsonValue *value)
{
	ElementState *state = arg;
	const char *text;
	size_t length;

	if (state->n == state->space)
	{
		state->space *= 2;
		state->values = repalloc_huge(state->values, sizeof(Datum) * state->space);
		state->nulls = repalloc_huge(state->nulls, sizeof(bool) * state->space);
	}
	state->nulls[state->n] = value->type == DMP_JSON_NULL;
	state->values[state->n] = (Datum) 0;
	if (value->type == DMP_JSON_OBJECT || value->type == DMP_JSON_ARRAY)
		state->ok =
			dmp_field_rejected(state->why, state->field, ERRCODE_DATATYPE_MISMATCH,
							   "an array of arrays or objects where the column takes scalars");
	else if (value->type != DMP_JSON_NULL)
		state->ok = scalar_text(state->why, state->field, value, &text, &length) &&
					convert(state->why, state->field, state->field->element, text, length,
							&state->values[state->n]);
	state->n++;
	return state->ok;
}

static bool
convert_array(const DmpConvert *c, const DmpField *field, const DmpJsonValue *value, Datum *result,
			  DmpRejected *why)
{
	ElementState state = {c, field, why, palloc(sizeof(Datum) * 16), palloc(sizeof(bool) * 16),
						  0, 16,    true};
	int lower = 1;

	dmp_json_elements(value->start, value->length, convert_element, &state);
	if (!state.ok)
		return false;
	if (state.n == 0)
		*result = PointerGetDatum(construct_empty_array(field->element_type));
	else
		*result = PointerGetDatum(construct_md_array(state.values, state.nulls, 1, &state.n, &lower,
													 field->element_type, field->element_length,
													 field->element_byval, field->element_align));
	return true;
}

/* a value that is present and not null */
bool
dmp_field_value(const DmpConvert *c, const DmpField *field, const DmpJsonValue *value,
				Datum *result, bool *isnull, DmpRejected *why)
{
	const char *text;
	size_t length;

	if (value->type == DMP_JSON_OBJECT || value->type == DMP_JSON_ARRAY)
	{
		if (field->json)
			return convert(why, field, field->soft, value->start, value->length, result);
		if (value->type == DMP_JSON_ARRAY && field->element != NULL)
			return convert_array(c, field, value, result, why);
		return dmp_field_rejected(
			why, field, ERRCODE_DATATYPE_MISMATCH,
			psprintf("%s where the column takes a scalar",
					 value->type == DMP_JSON_ARRAY ? "an array" : "an object"));
	}
	if (!scalar_text(why, field, value, &text, &length))
		return false;
	if (is_missing(c, text, length))
	{
		*isnull = true;
		return true;
	}
	if (field->plain_text)
	{
		if (length > MaxAllocSize - VARHDRSZ)
			return dmp_field_rejected(why, field, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
									  "the value is too long");
		*result = PointerGetDatum(cstring_to_text_with_len(text, (int) length));
		return true;
	}
	if (field->decimal_mark != '\0' &&
		(value->type == DMP_JSON_STRING || value->type == DMP_JSON_TEXT))
	{
		bool marked;

		if (!dmp_number_text(field->decimal_mark, &text, &length, &marked))
			return dmp_field_rejected(why, field, ERRCODE_INVALID_TEXT_REPRESENTATION,
									  psprintf("\"%s\" is no number with decimal mark \"%c\"",
											   dmp_soft_clip(text, (int) length),
											   field->decimal_mark));
	}
	if (field->json && value->type == DMP_JSON_STRING)
		return convert(why, field, field->soft, value->start - 1, value->length + 2, result);
	if (!field->integer || value->type == DMP_JSON_STRING)
		return convert(why, field, field->soft, text, length, result);
	/* nearly all are written plainly: that is tried first */
	return convert(why, field, field->soft, text, length, result) ||
		   (integral_text(c, &text, &length) &&
			convert(why, field, field->soft, text, length, result));
}
