/*-------------------------------------------------------------------------
 * decode.c
 *		From a record to the values of a table's columns.
 *
 * The mapping is compiled to a tree of wanted members (json.h). The reader of
 * the format leaves the place of each wanted value of a record, and the
 * converters make Datums of the text in place (convert.c). null and the
 * source's missing tokens are NULL; an absent member is the column's default.
 *-------------------------------------------------------------------------
 */
#include "ingest/decode.h"

#include "catalog/pg_type.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

typedef enum FieldKind
{
	FIELD_MEMBER,
	FIELD_REST,
	FIELD_BATCH,
	FIELD_LAKE_ID,
	FIELD_ORIGIN,
	FIELD_RECEIVED_AT
} FieldKind;

typedef struct Field
{
	DmpField type;
	int number; /* of the column in the tuple descriptor, from 0 */
	FieldKind kind;
	int slot;    /* of the record, -1: none */
	int element; /* slot of the element that is the row, -1: none */
	bool key;
	bool has_default;
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
	DmpReader *reader;
	DmpJsonNode *root;
	DmpJsonValue *slots;
	int n_slots;
	DmpJsonNode *element_root; /* NULL: a record is a row */
	int n_element_slots;
	DmpConvert convert;
	const DmpFormat *format;
	Field *rest;
	StringInfoData rest_text;
	bool unknown_is_error;
	char *unknown_name; /* of the current record */
	Ignored *ignored;
	int n_ignored;
	int guess;
	int64 other_ignored;
	MemoryContext context;
};

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

DmpJsonNode *
dmp_node_make(void)
{
	return make_node(NULL, 0, 0);
}

DmpJsonNode *
dmp_node_child(DmpJsonNode *node, const char *name, size_t length, size_t index)
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
add_slot(int *n, DmpJsonNode *node)
{
	if (node->slot < 0)
		node->slot = (*n)++;
	return node->slot;
}

/*
 * The node of a path: names joined by dots, [n] for array elements. A name
 * with a dot or bracket in it is reached by name only (mapping NULL).
 */
static DmpJsonNode *
path_node(DmpJsonNode *root, const char *path, const char *what)
{
	DmpJsonNode *node = root;
	const char *p = path;

	for (;;)
	{
		size_t length = strcspn(p, ".[");

		if (length > 0)
			node = dmp_node_child(node, p, length, 0);
		else if (*p != '[' || p != path)
			break;
		p += length;
		while (*p == '[')
		{
			char *end;
			unsigned long index = strtoul(p + 1, &end, 10);

			if (end == p + 1 || *end != ']' || !(p[1] >= '0' && p[1] <= '9'))
				goto wrong;
			node = dmp_node_child(node, NULL, 0, index);
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
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s: \"%s\" is no path", what, path),
			 errhint("A path is written a.b[0], or one of \"$batch\", \"$lake_id\", \"$origin\", "
					 "\"$received_at\", \"$rest\".")));
	return NULL;
}

static char *
mapping_of(const Field *field)
{
	return psprintf("mapping of column \"%s\"", field->type.column);
}

static void
require_type(const Field *field, const char *what, bool ok, const char *type)
{
	if (!ok)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("mapping of column \"%s\": \"%s\" needs type %s", field->type.column,
							   what, type)));
}

/* "$3": the third field of a csv record */
static bool
is_position(const DmpFormat *format, const char *path)
{
	size_t digits = strspn(path + 1, "0123456789");

	return format->kind == DMP_FORMAT_CSV && digits > 0 && digits < 6 && path[1] != '0' &&
		   path[1 + digits] == '\0';
}

/* "items[].sku", where items is exploded: the member of an element; "items[]": the element */
static bool
map_element(DmpDecoder *d, Field *field, const char *path)
{
	size_t length = d->format->explode ? strlen(d->format->explode) : 0;
	DmpJsonNode *node = d->element_root;

	if (length == 0 || strncmp(path, d->format->explode, length) != 0 ||
		strncmp(path + length, "[]", 2) != 0)
		return false;
	path += length + 2;
	if (*path != '\0')
		node = path_node(node, *path == '.' ? path + 1 : path, mapping_of(field));
	field->element = add_slot(&d->n_element_slots, node);
	return true;
}

/* what the path of a column means; special names start with a dollar sign */
static void
map_field(DmpDecoder *d, Field *field, const char *path, Oid type)
{
	bool json = d->format->kind == DMP_FORMAT_JSON;

	/* a path may begin with the root, as in SQL/JSON */
	if (json && path[0] == '$' && (path[1] == '.' || path[1] == '['))
		path += path[1] == '.' ? 2 : 1;
	if (path[0] != '$' || is_position(d->format, path) ||
		(d->format->kind == DMP_FORMAT_KV && strcmp(path, "$text") == 0))
	{
		dmp_format_check_field(d->format, path, field->type.column);
		if (!json)
			field->slot = add_slot(&d->n_slots, dmp_node_child(d->root, path, strlen(path), 0));
		else if (!map_element(d, field, path))
			field->slot = add_slot(&d->n_slots, path_node(d->root, path, mapping_of(field)));
		return;
	}
	if (strcmp(path, "$batch") == 0)
	{
		field->kind = FIELD_BATCH;
		require_type(field, path, type == INT8OID, "bigint");
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
				 errmsg("mapping of column \"%s\": \"%s\" is not known", field->type.column, path),
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
		field->number = i;
		field->slot = -1;
		field->element = -1;
		field->has_default = att->atthasdef || att->attidentity != '\0';
		dmp_field_init(&field->type, name, att->atttypid, att->atttypmod);
		if (path != NULL)
			map_field(d, field, path->text, att->atttypid);
		else
			field->slot = add_slot(&d->n_slots, dmp_node_child(d->root, name, strlen(name), 0));
		if (path == NULL && d->element_root != NULL)
			field->element = add_slot(&d->n_element_slots,
									  dmp_node_child(d->element_root, name, strlen(name), 0));
		d->n++;
	}
}

/* a text as a json string, with its quotes */
static void
append_json_text(StringInfo out, const char *text, size_t length)
{
	appendStringInfoChar(out, '"');
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c == '"' || c == '\\')
			appendStringInfoChar(out, '\\');
		if (c < ' ')
			appendStringInfo(out, "\\u%04x", c);
		else
			appendStringInfoChar(out, (char) c);
	}
	appendStringInfoChar(out, '"');
}

static void
add_to_rest(DmpDecoder *d, const DmpJsonValue *key, const DmpJsonValue *value)
{
	bool string = value->type == DMP_JSON_STRING;

	appendStringInfoChar(&d->rest_text, d->rest_text.len == 0 ? '{' : ',');
	if (key->type == DMP_JSON_TEXT)
	{
		append_json_text(&d->rest_text, key->start, key->length);
		appendStringInfoChar(&d->rest_text, ':');
		if (value->type == DMP_JSON_NULL)
			appendStringInfoString(&d->rest_text, "null");
		else
			append_json_text(&d->rest_text, value->start, value->length);
		return;
	}
	appendStringInfoChar(&d->rest_text, '"');
	appendBinaryStringInfo(&d->rest_text, key->start, key->length);
	appendStringInfoString(&d->rest_text, string ? "\":\"" : "\":");
	appendBinaryStringInfo(&d->rest_text, value->start, value->length);
	if (string)
		appendStringInfoChar(&d->rest_text, '"');
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
		add_to_rest(d, key, value);
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

static void *
decoder_alloc(size_t size)
{
	return palloc(size);
}

DmpReader *
dmp_reader_make(const DmpFormat *format, DmpJsonNode *root, int n_slots, DmpJsonUnknown unknown,
				void *arg)
{
	DmpReader *reader = palloc0(sizeof(DmpReader));

	dmp_json_finish(root, decoder_alloc);
	reader->format = format;
	reader->root = root;
	reader->n_slots = n_slots;
	reader->slots = palloc0(sizeof(DmpJsonValue) * Max(n_slots, 1));
	reader->unknown = unknown;
	reader->arg = arg;
	reader->context = CurrentMemoryContext;
	switch (format->kind)
	{
		case DMP_FORMAT_JSON:
			dmp_reader_json(reader);
			break;
		case DMP_FORMAT_CSV:
			dmp_reader_csv(reader);
			break;
		case DMP_FORMAT_WEBLOG:
		case DMP_FORMAT_SYSLOG:
		case DMP_FORMAT_KV:
			dmp_reader_log(reader);
			break;
	}
	return reader;
}

static void
check_key(DmpDecoder *d, TupleDesc desc, List *key)
{
	ListCell *lc;

	foreach (lc, key)
	{
		bool found = false;

		for (int i = 0; i < d->n; i++)
			if (strcmp(d->fields[i].type.column, lfirst(lc)) == 0)
				found = d->fields[i].key = true;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("key column \"%s\" is not filled by the source", (char *) lfirst(lc)),
					 dmp_errhint_nearest(lfirst(lc), dmp_column_names(desc))));
	}
}

/* columns that take fields by name: one at least is a field, where those are known */
static void
check_names(const DmpDecoder *d, const char *what)
{
	const char *const *names;
	int n = dmp_format_fields(d->format, &names);

	for (int i = 0; i < d->n && n > 0; i++)
		for (int j = 0; j < n; j++)
			if (strcmp(d->fields[i].type.column, names[j]) == 0)
				return;
	if (n > 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no column of %s is a field of format '%s'", what,
							   dmp_format_name(d->format->kind)),
						errdetail("Fields: %s.", dmp_format_field_list(d->format)),
						errhint("Give a mapping, {column: field}.")));
}

/* what the fields of a record are called when no header says it */
static List *
positions(const DmpDecoder *d, const DmpSource *source)
{
	List *names = NIL;

	if (source->format.columns != NIL)
		return source->format.columns;
	if (source->mapping != NULL)
		return NIL;
	for (int i = 0; i < d->n; i++)
		names = lappend(names, d->fields[i].type.column);
	return names;
}

static void
set_readings(DmpDecoder *d, TupleDesc desc, const DmpSource *source)
{
	for (int i = 0; source->date_order && i < source->date_order->n; i++)
		(void) dmp_column_number(desc, source->date_order->keys[i], "option \"date_order\": ");
	for (int i = 0; source->decimal_mark && i < source->decimal_mark->n; i++)
		(void) dmp_column_number(desc, source->decimal_mark->keys[i], "option \"decimal_mark\": ");
	for (int i = 0; i < d->n; i++)
		if (d->fields[i].kind == FIELD_MEMBER)
			dmp_field_reading(&d->fields[i].type, source->date_order, source->decimal_mark);
}

DmpDecoder *
dmp_decoder_make(TupleDesc desc, const char *what, const DmpSource *source)
{
	DmpDecoder *d = palloc0(sizeof(DmpDecoder));
	const DmpDoc *mapping = source->mapping;
	int array_slot = -1;

	d->context = CurrentMemoryContext;
	d->root = dmp_node_make();
	d->format = &source->format;
	if (mapping != NULL)
	{
		if (mapping->kind != DMP_DOC_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mapping must be an object, {column: path}")));
		for (int i = 0; i < mapping->n; i++)
			(void) dmp_column_number(desc, mapping->keys[i], "mapping: ");
	}
	if (d->format->explode != NULL)
	{
		d->element_root = dmp_node_make();
		d->element_root->path = psprintf("%s[].", d->format->explode);
	}
	make_fields(d, desc, mapping);
	set_readings(d, desc, source);
	if (mapping == NULL)
		check_names(d, what);
	if (d->n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no column of %s can be filled", what)));
	/* of a recipe, the key is a column that it gives */
	if (source->recipe == NULL)
		check_key(d, desc, source->key);
	if (strcmp(source->unknown, "rest") == 0 && d->rest == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"unknown\" is 'rest', but no column is mapped to "
							   "\"$rest\"")));
	d->unknown_is_error = strcmp(source->unknown, "quarantine") == 0;
	dmp_convert_init(&d->convert, source->missing);
	d->ignored = palloc(sizeof(Ignored) * MAX_IGNORED);
	initStringInfo(&d->rest_text);
	if (d->element_root != NULL)
		array_slot =
			add_slot(&d->n_slots, path_node(d->root, d->format->explode, "options: \"explode\""));
	d->reader = dmp_reader_make(&source->format, d->root, d->n_slots, unknown_member, d);
	if (d->element_root != NULL)
		dmp_reader_explode(d->reader, array_slot, d->element_root, d->n_element_slots);
	d->reader->positions = positions(d, source);
	d->reader->mapped = source->mapping != NULL;
	d->slots = d->reader->slots;
	return d;
}

void
dmp_decoder_first_lines(DmpDecoder *d, DmpFirstLines first_lines, void *arg)
{
	d->reader->first_lines = first_lines;
	d->reader->first_lines_arg = arg;
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

DmpColumns *
dmp_decoder_columns(const DmpDecoder *d)
{
	DmpColumns *columns = palloc0(sizeof(DmpColumns));

	columns->n = d->n;
	columns->numbers = palloc(sizeof(int) * d->n);
	for (int i = 0; i < d->n; i++)
		columns->numbers[i] = d->fields[i].number;
	columns->lake_id = dmp_decoder_special(d, "$lake_id");
	return columns;
}

bool
dmp_decoder_wants_origin(const DmpDecoder *d)
{
	for (int i = 0; i < d->n; i++)
		if (d->fields[i].kind != FIELD_MEMBER && d->fields[i].kind != FIELD_REST)
			return true;
	return d->reader->wants_origin;
}

const char *
dmp_decoder_special(const DmpDecoder *d, const char *path)
{
	FieldKind kind = strcmp(path, "$batch") == 0     ? FIELD_BATCH
					 : strcmp(path, "$lake_id") == 0 ? FIELD_LAKE_ID
													 : FIELD_RECEIVED_AT;

	for (int i = 0; i < d->n; i++)
		if (d->fields[i].kind == kind)
			return d->fields[i].type.column;
	return NULL;
}

const char *
dmp_decoder_header(const DmpDecoder *d, const DmpRecordOrigin *origin)
{
	return d->reader->header ? d->reader->header(d->reader, origin) : NULL;
}

DmpDecoded
dmp_record_rejected(DmpRejected *why, int sqlerrcode, const char *reason)
{
	(void) dmp_field_rejected(why, NULL, sqlerrcode, reason);
	return DMP_REJECTED;
}

static bool
decode_field(DmpDecoder *d, const Field *field, const DmpRecordOrigin *origin, Datum *value,
			 bool *isnull, bool *absent, DmpRejected *why)
{
	const DmpJsonValue *member;
	const char *reason;
	int sqlerrcode;

	*isnull = false;
	*absent = false;
	switch (field->kind)
	{
		case FIELD_MEMBER:
			member = NULL;
			if (field->element >= 0)
				member = &d->reader->element_slots[field->element];
			if (field->slot >= 0 && (member == NULL || member->type == DMP_JSON_ABSENT))
				member = &d->slots[field->slot];
			*absent = member->type == DMP_JSON_ABSENT;
			if (*absent || member->type == DMP_JSON_NULL)
				*isnull = true;
			else if (!dmp_field_value(&d->convert, &field->type, member, value, isnull, why))
				return false;
			break;
		case FIELD_REST:
			*isnull = d->rest_text.len == 0;
			if (*isnull)
				break;
			if (!dmp_field_text(&field->type, d->rest_text.data, d->rest_text.len, value, why))
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
				*value = PointerGetDatum(origin->origin);
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
		return dmp_field_rejected(why, &field->type, ERRCODE_NOT_NULL_VIOLATION,
								  psprintf("key \"%s\" is missing", field->type.column));
	if (field->type.domain && !(*absent && field->has_default) &&
		!dmp_soft_null(field->type.soft, &reason, &sqlerrcode))
		return dmp_field_rejected(why, &field->type, sqlerrcode, reason);
	return true;
}

static DmpDecoded
decode_row(DmpDecoder *d, const DmpRecordOrigin *origin, Datum *values, bool *nulls, bool *absent,
		   DmpRejected *why)
{
	if (d->unknown_name != NULL)
		return dmp_record_rejected(
			why, ERRCODE_UNDEFINED_COLUMN,
			psprintf("field \"%s\" is not known to the source", d->unknown_name));
	for (int i = 0; i < d->n; i++)
		if (!decode_field(d, &d->fields[i], origin, &values[i], &nulls[i], &absent[i], why))
			return DMP_REJECTED;
	return DMP_DECODED;
}

bool
dmp_decoder_explodes(const DmpDecoder *d)
{
	return d->reader->next != NULL;
}

bool
dmp_decoder_more(const DmpDecoder *d)
{
	return d->reader->at < d->reader->n_parts;
}

int
dmp_decoder_parts(const DmpDecoder *d)
{
	return d->reader->n_parts;
}

const DmpPart *
dmp_decoder_part(const DmpDecoder *d)
{
	return &d->reader->part;
}

DmpDecoded
dmp_decode_next(DmpDecoder *d, const DmpRecordOrigin *origin, Datum *values, bool *nulls,
				bool *absent, DmpRejected *why)
{
	char *unknown_name = d->unknown_name;
	DmpDecoded decoded;

	for (int i = 0; i < d->n_element_slots; i++)
		d->reader->element_slots[i].type = DMP_JSON_ABSENT;
	decoded = d->reader->next(d->reader, why);
	if (decoded == DMP_DECODED)
		decoded = decode_row(d, origin, values, nulls, absent, why);
	/* what the record has that is not known, each row of it has */
	d->unknown_name = unknown_name;
	return decoded;
}

DmpDecoded
dmp_decode_record(DmpDecoder *d, const char *line, size_t length, const DmpRecordOrigin *origin,
				  Datum *values, bool *nulls, bool *absent, DmpRejected *why)
{
	DmpDecoded decoded;

	for (int i = 0; i < d->n_slots; i++)
		d->slots[i].type = DMP_JSON_ABSENT;
	d->rest_text.len = 0;
	d->unknown_name = NULL;
	d->guess = 0;
	decoded = d->reader->read(d->reader, line, length, origin, why);
	if (decoded != DMP_DECODED)
		return decoded;
	if (d->rest_text.len > 0)
		appendStringInfoChar(&d->rest_text, '}');
	if (d->reader->next != NULL)
		return dmp_decode_next(d, origin, values, nulls, absent, why);
	return decode_row(d, origin, values, nulls, absent, why);
}

/* adds "name": n to a json object */
static void
push_count(JsonbParseState **state, char *name, int64 n)
{
	JsonbValue key;
	JsonbValue count;

	if (n == 0)
		return;
	key.type = jbvString;
	key.val.string.val = name;
	key.val.string.len = strlen(name);
	(void) pushJsonbValue(state, WJB_KEY, &key);
	count.type = jbvNumeric;
	count.val.numeric = int64_to_numeric(n);
	(void) pushJsonbValue(state, WJB_VALUE, &count);
}

void
dmp_decoder_bad_fields(DmpDecoder *d, const DmpRecordOrigin *origin,
					   void (*bad)(void *arg, int column), void *arg)
{
	for (int i = 0; i < d->n; i++)
	{
		DmpRejected why = {0};
		Datum value;
		bool isnull;
		bool absent;

		if (!decode_field(d, &d->fields[i], origin, &value, &isnull, &absent, &why))
			bad(arg, d->fields[i].number);
	}
}

Datum
dmp_decoder_ignored(const DmpDecoder *d)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < d->n_ignored; i++)
		push_count(&state, psprintf("%s%s", d->ignored[i].node->path, d->ignored[i].key),
				   d->ignored[i].count);
	push_count(&state, "(others)", d->other_ignored);
	push_count(&state, "(header lines)", d->reader->headers);
	if (d->format->explode != NULL)
		push_count(&state, psprintf("(records without %s)", d->format->explode), d->reader->empty);
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}
