/*-------------------------------------------------------------------------
 * decode.c
 *		From a json record to the values of a table's columns.
 *
 * The mapping is compiled to a tree of wanted members (json.h). For a record
 * the scanner leaves the place of each wanted value, and the converters of
 * base make Datums of the text in place. What a column takes:
 *
 *	json, jsonb		any value as it is
 *	arrays			an array of scalars; a string is read as an array literal
 *	other types		a string's text, a number's text, true, false
 *
 * An integer column takes a number that is written with a fraction or an
 * exponent when it is integral (12.0, 1e3), decided in numeric, never float8.
 * null and the source's missing tokens are NULL; an absent member is the
 * column's default. Objects and arrays for another column are an error.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef enum FieldKind
{
	FIELD_JSON,
	FIELD_REST,
	FIELD_BATCH,
	FIELD_LAKE_ID,
	FIELD_ORIGIN,
	FIELD_RECEIVED_AT
} FieldKind;

typedef struct Field
{
	char *column;
	int number; /* of the column in the tuple descriptor, from 0 */
	FieldKind kind;
	int slot;
	Oid base; /* type, domains looked through */
	bool plain_text;
	bool json;
	bool integer;
	bool domain;
	bool key;
	bool has_default;
	DmpSoftType *soft;
	DmpSoftType *element; /* of an array type */
	Oid element_type;
	int16 element_length;
	bool element_byval;
	char element_align;
} Field;

/* a member nobody wants, counted */
typedef struct Ignored
{
	const DmpJsonNode *node;
	char *key;
	size_t length;
	int64 count;
} Ignored;

/* past this many names the rest are counted together */
#define MAX_IGNORED 200

struct DmpDecoder
{
	int n;
	Field *fields;
	const char *batch_column;
	DmpJsonScan scan;
	DmpJsonNode *root;
	DmpJsonValue *slots;
	int n_slots;
	int n_missing;
	char **missing;
	size_t *missing_length;
	size_t longest_missing;
	Field *rest;
	StringInfoData rest_text;
	bool unknown_is_error;
	char *unknown_name; /* of the current record */
	Ignored *ignored;
	int n_ignored;
	int guess;
	int64 other_ignored;
	DmpSoftType *numeric;
	MemoryContext context;
};

static void *
decoder_alloc(size_t size)
{
	return palloc(size);
}

static DmpJsonNode *
make_node(const char *name, size_t length, size_t index)
{
	DmpJsonNode *node = palloc0(sizeof(DmpJsonNode));

	node->name = name ? pnstrdup(name, length) : NULL;
	node->name_length = length;
	node->index = index;
	node->slot = -1;
	node->path = "";
	return node;
}

/* the child of that name or (name NULL) index, made when missing */
static DmpJsonNode *
child_node(DmpJsonNode *node, const char *name, size_t length, size_t index)
{
	DmpJsonNode *child;

	for (int i = 0; i < node->n_children; i++)
	{
		child = node->children[i];
		if (name == NULL ? child->name == NULL && child->index == index
						 : child->name != NULL && child->name_length == length &&
							   memcmp(child->name, name, length) == 0)
			return child;
	}
	child = make_node(name, length, index);
	child->path =
		name ? psprintf("%s%s.", node->path, child->name) : psprintf("%s%zu.", node->path, index);
	if (node->children == NULL)
		node->children = palloc(sizeof(DmpJsonNode *));
	else
		node->children = repalloc(node->children, sizeof(DmpJsonNode *) * (node->n_children + 1));
	node->children[node->n_children++] = child;
	return child;
}

static int
add_slot(DmpDecoder *d, DmpJsonNode *node)
{
	if (node->slot < 0)
		node->slot = d->n_slots++;
	return node->slot;
}

/*
 * The node of a path: names joined by dots, [n] for array elements. A name
 * with a dot or bracket in it is reached by name only (mapping NULL).
 */
static DmpJsonNode *
path_node(DmpJsonNode *root, const char *path, const char *column)
{
	DmpJsonNode *node = root;
	const char *p = path;

	for (;;)
	{
		size_t length = strcspn(p, ".[");

		if (length > 0)
			node = child_node(node, p, length, 0);
		else if (*p != '[' || p != path)
			break;
		p += length;
		while (*p == '[')
		{
			char *end;
			unsigned long index = strtoul(p + 1, &end, 10);

			if (end == p + 1 || *end != ']' || !(p[1] >= '0' && p[1] <= '9'))
				goto wrong;
			node = child_node(node, NULL, 0, index);
			p = end + 1;
		}
		if (*p == '\0')
			return node;
		if (*p != '.')
			break;
		p++;
	}
wrong:
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("mapping of column \"%s\": \"%s\" is no path", column, path),
			 errhint("A path is written a.b[0], or one of \"$batch\", \"$lake_id\", \"$origin\", "
					 "\"$received_at\", \"$rest\".")));
	return NULL;
}

static void
prepare_type(Field *field, Oid type, int32 typmod)
{
	int32 base_typmod = typmod;
	Oid element;

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

static void
require_type(const Field *field, const char *what, bool ok, const char *type)
{
	if (!ok)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("mapping of column \"%s\": \"%s\" needs type %s", field->column,
							   what, type)));
}

/* what the path of a column means; special names start with a dollar sign */
static void
map_field(DmpDecoder *d, Field *field, const char *path, Oid type)
{
	/* a path may begin with the root, as in SQL/JSON */
	if (path[0] == '$' && (path[1] == '.' || path[1] == '['))
		path += path[1] == '.' ? 2 : 1;
	if (path[0] != '$')
	{
		field->slot = add_slot(d, path_node(d->root, path, field->column));
		return;
	}
	if (strcmp(path, "$batch") == 0)
	{
		field->kind = FIELD_BATCH;
		require_type(field, path, type == INT8OID, "bigint");
		d->batch_column = field->column;
	}
	else if (strcmp(path, "$lake_id") == 0)
	{
		field->kind = FIELD_LAKE_ID;
		require_type(field, path, type == INT8OID, "bigint");
	}
	else if (strcmp(path, "$origin") == 0)
	{
		field->kind = FIELD_ORIGIN;
		require_type(field, path, type == TEXTOID, "text");
	}
	else if (strcmp(path, "$received_at") == 0)
	{
		field->kind = FIELD_RECEIVED_AT;
		require_type(field, path, type == TIMESTAMPTZOID, "timestamptz");
	}
	else if (strcmp(path, "$rest") == 0)
	{
		field->kind = FIELD_REST;
		require_type(field, path, type == JSONBOID || type == JSONOID, "jsonb or json");
		if (d->rest != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mapping: \"$rest\" goes to one column only")));
		d->rest = field;
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mapping of column \"%s\": \"%s\" is not known", field->column, path),
				 errhint("Known are \"$batch\", \"$lake_id\", \"$origin\", "
						 "\"$received_at\" and \"$rest\".")));
}

/* one field for each column that is filled */
static void
make_fields(DmpDecoder *d, TupleDesc desc, const DmpDoc *mapping)
{
	d->fields = palloc0(sizeof(Field) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);
		DmpDoc *path = mapping ? dmp_doc_get(mapping, name) : NULL;
		Field *field = &d->fields[d->n];
		bool generated = att->attgenerated != '\0' || att->attidentity == 'a';

		if (att->attisdropped || (mapping != NULL && path == NULL))
			continue;
		if (generated && mapping != NULL)
			ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
							errmsg("mapping: column \"%s\" is always generated", name)));
		if (generated)
			continue;
		if (path != NULL && path->kind != DMP_DOC_STRING)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mapping of column \"%s\" must be a string, not %s", name,
								   dmp_doc_kind_name(path->kind))));
		field->column = pstrdup(name);
		field->number = i;
		field->slot = -1;
		field->has_default = att->atthasdef || att->attidentity != '\0';
		prepare_type(field, att->atttypid, att->atttypmod);
		if (path != NULL)
			map_field(d, field, path->text, att->atttypid);
		else
			field->slot = add_slot(d, child_node(d->root, name, strlen(name), 0));
		d->n++;
	}
}

/* members that no field wants: into the rest, counted, or a reason to reject */
static void
unknown_member(void *arg, const DmpJsonNode *node, const DmpJsonValue *key,
			   const DmpJsonValue *value)
{
	DmpDecoder *d = arg;
	Ignored *found = NULL;

	if (d->unknown_is_error)
	{
		if (d->unknown_name == NULL)
			d->unknown_name =
				psprintf("%s%.*s", node->path, (int) Min(key->length, 200), key->start);
		return;
	}
	if (d->rest != NULL && node == d->root)
	{
		bool string = value->type == DMP_JSON_STRING;

		appendStringInfoChar(&d->rest_text, d->rest_text.len == 0 ? '{' : ',');
		appendStringInfoChar(&d->rest_text, '"');
		appendBinaryStringInfo(&d->rest_text, key->start, key->length);
		appendStringInfoString(&d->rest_text, string ? "\":\"" : "\":");
		appendBinaryStringInfo(&d->rest_text, value->start, value->length);
		if (string)
			appendStringInfoChar(&d->rest_text, '"');
		return;
	}
	for (int tried = 0; tried < d->n_ignored; tried++)
	{
		Ignored *candidate;

		if (d->guess >= d->n_ignored)
			d->guess = 0;
		candidate = &d->ignored[d->guess++];
		if (candidate->node == node && candidate->length == key->length &&
			memcmp(candidate->key, key->start, key->length) == 0)
		{
			found = candidate;
			break;
		}
	}
	if (found == NULL && d->n_ignored < MAX_IGNORED && key->length <= 1024)
	{
		found = &d->ignored[d->n_ignored++];
		found->node = node;
		found->key = MemoryContextAlloc(d->context, key->length + 1);
		memcpy(found->key, key->start, key->length);
		found->key[key->length] = '\0';
		found->length = key->length;
		found->count = 0;
	}
	if (found != NULL)
		found->count++;
	else
		d->other_ignored++;
}

DmpDecoder *
dmp_decoder_make(TupleDesc desc, const char *what, const DmpDoc *mapping, List *missing, List *key,
				 const char *unknown)
{
	DmpDecoder *d = palloc0(sizeof(DmpDecoder));
	ListCell *lc;

	d->context = CurrentMemoryContext;
	d->root = make_node(NULL, 0, 0);
	if (mapping != NULL)
	{
		if (mapping->kind != DMP_DOC_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mapping must be an object, {column: path}")));
		for (int i = 0; i < mapping->n; i++)
			(void) dmp_column_number(desc, mapping->keys[i], "mapping: ");
	}
	make_fields(d, desc, mapping);
	if (d->n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no column of %s can be filled", what)));
	foreach (lc, key)
	{
		bool found = false;

		for (int i = 0; i < d->n; i++)
			if (strcmp(d->fields[i].column, lfirst(lc)) == 0)
				found = d->fields[i].key = true;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("key column \"%s\" is not filled by the source", (char *) lfirst(lc)),
					 dmp_errhint_nearest(lfirst(lc), dmp_column_names(desc))));
	}
	if (strcmp(unknown, "rest") == 0 && d->rest == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"unknown\" is 'rest', but no column is mapped to "
							   "\"$rest\"")));
	d->unknown_is_error = strcmp(unknown, "quarantine") == 0;
	d->n_missing = list_length(missing);
	d->missing = palloc(sizeof(char *) * Max(d->n_missing, 1));
	d->missing_length = palloc(sizeof(size_t) * Max(d->n_missing, 1));
	foreach (lc, missing)
	{
		int i = foreach_current_index(lc);

		d->missing[i] = pstrdup(lfirst(lc));
		d->missing_length[i] = strlen(lfirst(lc));
		d->longest_missing = Max(d->longest_missing, d->missing_length[i]);
	}
	d->ignored = palloc(sizeof(Ignored) * MAX_IGNORED);
	d->slots = palloc0(sizeof(DmpJsonValue) * Max(d->n_slots, 1));
	d->numeric = dmp_soft_prepare(NUMERICOID, -1, CurrentMemoryContext);
	initStringInfo(&d->rest_text);
	dmp_json_finish(d->root, decoder_alloc);
	d->scan.root = d->root;
	d->scan.slots = d->slots;
	d->scan.unknown = unknown_member;
	d->scan.arg = d;
	return d;
}

int
dmp_decoder_fields(const DmpDecoder *d)
{
	return d->n;
}

int
dmp_decoder_column(const DmpDecoder *d, int field)
{
	return d->fields[field].number;
}

bool
dmp_decoder_wants_origin(const DmpDecoder *d)
{
	for (int i = 0; i < d->n; i++)
		if (d->fields[i].kind != FIELD_JSON && d->fields[i].kind != FIELD_REST)
			return true;
	return false;
}

const char *
dmp_decoder_batch_column(const DmpDecoder *d)
{
	return d->batch_column;
}

/* fills why; reason is a message as the server writes them */
static bool
reject(DmpRejected *why, const Field *field, int sqlerrcode, const char *reason)
{
	why->column_name = field ? field->column : NULL;
	why->reason = reason;
	why->sqlstate = pstrdup(unpack_sql_state(sqlerrcode));
	return false;
}

static bool
convert(DmpRejected *why, const Field *field, DmpSoftType *soft, const char *text, size_t length,
		Datum *result)
{
	const char *reason;
	int sqlerrcode;

	if (dmp_soft_input(soft, text, (int) length, result, &reason, &sqlerrcode))
		return true;
	return reject(why, field, sqlerrcode, reason);
}

/*
 * The text of a scalar in *text and *length. Strings with escapes are resolved
 * into palloc'd memory. Escapes beyond ASCII need a UTF-8 database.
 */
static bool
scalar_text(DmpRejected *why, const Field *field, const DmpJsonValue *value, const char **text,
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
				return reject(why, field, ERRCODE_UNTRANSLATABLE_CHARACTER,
							  "an escape has no place in the encoding of the database");
	return true;
}

static bool
is_missing(const DmpDecoder *d, const char *text, size_t length)
{
	if (d->n_missing == 0 || length > d->longest_missing)
		return false;
	for (int i = 0; i < d->n_missing; i++)
		if (d->missing_length[i] == length && memcmp(d->missing[i], text, length) == 0)
			return true;
	return false;
}

/*
 * An integer column and a number with a fraction or an exponent: the same
 * number written as an integer, when it is one.
 */
static bool
integral_text(const DmpDecoder *d, const char **text, size_t *length)
{
	const char *reason;
	int sqlerrcode;
	Datum number;
	Datum whole;

	if (memchr(*text, '.', *length) == NULL && memchr(*text, 'e', *length) == NULL &&
		memchr(*text, 'E', *length) == NULL)
		return false;
	if (!dmp_soft_input(d->numeric, *text, (int) *length, &number, &reason, &sqlerrcode))
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
	const DmpDecoder *decoder;
	const Field *field;
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
		state->ok = reject(state->why, state->field, ERRCODE_DATATYPE_MISMATCH,
						   "an array of arrays or objects where the column takes scalars");
	else if (value->type != DMP_JSON_NULL)
		state->ok = scalar_text(state->why, state->field, value, &text, &length) &&
					convert(state->why, state->field, state->field->element, text, length,
							&state->values[state->n]);
	state->n++;
	return state->ok;
}

static bool
convert_array(const DmpDecoder *d, const Field *field, const DmpJsonValue *value, Datum *result,
			  DmpRejected *why)
{
	ElementState state = {d, field, why, palloc(sizeof(Datum) * 16), palloc(sizeof(bool) * 16),
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
static bool
convert_value(const DmpDecoder *d, const Field *field, const DmpJsonValue *value, Datum *result,
			  bool *isnull, DmpRejected *why)
{
	const char *text;
	size_t length;

	if (value->type == DMP_JSON_OBJECT || value->type == DMP_JSON_ARRAY)
	{
		if (field->json)
			return convert(why, field, field->soft, value->start, value->length, result);
		if (value->type == DMP_JSON_ARRAY && field->element != NULL)
			return convert_array(d, field, value, result, why);
		return reject(why, field, ERRCODE_DATATYPE_MISMATCH,
					  psprintf("%s where the column takes a scalar",
							   value->type == DMP_JSON_ARRAY ? "an array" : "an object"));
	}
	if (!scalar_text(why, field, value, &text, &length))
		return false;
	if (is_missing(d, text, length))
	{
		*isnull = true;
		return true;
	}
	if (field->plain_text)
	{
		if (length > MaxAllocSize - VARHDRSZ)
			return reject(why, field, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the value is too long");
		*result = PointerGetDatum(cstring_to_text_with_len(text, (int) length));
		return true;
	}
	if (field->json && value->type == DMP_JSON_STRING)
		return convert(why, field, field->soft, value->start - 1, value->length + 2, result);
	if (field->integer && value->type == DMP_JSON_NUMBER)
		(void) integral_text(d, &text, &length);
	return convert(why, field, field->soft, text, length, result);
}

static bool
decode_field(DmpDecoder *d, const Field *field, const DmpRecordOrigin *origin, Datum *value,
			 bool *isnull, bool *absent, DmpRejected *why)
{
	const DmpJsonValue *json;
	const char *reason;
	int sqlerrcode;

	*isnull = false;
	*absent = false;
	switch (field->kind)
	{
		case FIELD_JSON:
			json = &d->slots[field->slot];
			*absent = json->type == DMP_JSON_ABSENT;
			if (*absent || json->type == DMP_JSON_NULL)
				*isnull = true;
			else if (!convert_value(d, field, json, value, isnull, why))
				return false;
			break;
		case FIELD_REST:
			*isnull = d->rest_text.len == 0;
			if (*isnull)
				break;
			appendStringInfoChar(&d->rest_text, '}');
			if (!convert(why, field, field->soft, d->rest_text.data, d->rest_text.len, value))
				return false;
			break;
		case FIELD_BATCH:
			*value = Int64GetDatum(origin->batch);
			break;
		case FIELD_LAKE_ID:
			*value = Int64GetDatum(origin->lake_id);
			*isnull = origin->lake_id == 0;
			break;
		case FIELD_ORIGIN:
			*isnull = origin->origin == NULL;
			if (!*isnull)
				*value = CStringGetTextDatum(origin->origin);
			break;
		case FIELD_RECEIVED_AT:
			*value = TimestampTzGetDatum(origin->received_at);
			*isnull = origin->received_at == 0;
			break;
	}
	if (!*isnull)
		return true;
	*value = (Datum) 0;
	if (field->key)
		return reject(why, field, ERRCODE_NOT_NULL_VIOLATION,
					  psprintf("key \"%s\" is missing", field->column));
	if (field->domain && !(*absent && field->has_default) &&
		!dmp_soft_null(field->soft, &reason, &sqlerrcode))
		return reject(why, field, sqlerrcode, reason);
	return true;
}

bool
dmp_decode_record(DmpDecoder *d, const char *line, size_t length, const DmpRecordOrigin *origin,
				  Datum *values, bool *nulls, bool *absent, DmpRejected *why)
{
	DmpJsonType type;

	for (int i = 0; i < d->n_slots; i++)
		d->slots[i].type = DMP_JSON_ABSENT;
	d->rest_text.len = 0;
	d->unknown_name = NULL;
	d->guess = 0;
	if (!dmp_json_scan(&d->scan, line, length, &type))
		return reject(
			why, NULL, ERRCODE_INVALID_TEXT_REPRESENTATION,
			psprintf("invalid json at byte %zu: %s", d->scan.position + 1, d->scan.message));
	if (type != DMP_JSON_OBJECT)
		return reject(why, NULL, ERRCODE_INVALID_PARAMETER_VALUE, "the record is no json object");
	if (d->unknown_name != NULL)
		return reject(why, NULL, ERRCODE_UNDEFINED_COLUMN,
					  psprintf("field \"%s\" is not known to the source", d->unknown_name));
	for (int i = 0; i < d->n; i++)
		if (!decode_field(d, &d->fields[i], origin, &values[i], &nulls[i], &absent[i], why))
			return false;
	return true;
}

Datum
dmp_decoder_ignored(const DmpDecoder *d)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;
	JsonbValue key;
	JsonbValue count;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i <= d->n_ignored; i++)
	{
		bool last = i == d->n_ignored;
		int64 n = last ? d->other_ignored : d->ignored[i].count;
		char *name;

		if (n == 0)
			continue;
		name = last ? "(others)" : psprintf("%s%s", d->ignored[i].node->path, d->ignored[i].key);
		key.type = jbvString;
		key.val.string.val = name;
		key.val.string.len = strlen(name);
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		count.type = jbvNumeric;
		count.val.numeric = int64_to_numeric(n);
		(void) pushJsonbValue(&state, WJB_VALUE, &count);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}
