/*-------------------------------------------------------------------------
 * doc.c
 *		Json documents: recipes, features, mappings, options.
 *
 * Type json rather than jsonb, because the order of keys means something and
 * a repeated key must be an error instead of a silent loss. The server's own
 * parser does the reading; this file makes the tree.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/jsonb.h"
#include "utils/jsonfuncs.h"

typedef struct DocState
{
	const char *what;
	int depth;
	DmpDoc *stack[64];
	char *key[64]; /* pending key of the object at that depth */
	DmpDoc *root;
} DocState;

const char *
dmp_doc_kind_name(DmpDocKind kind)
{
	switch (kind)
	{
		case DMP_DOC_NULL:
			return "null";
		case DMP_DOC_BOOL:
			return "a boolean";
		case DMP_DOC_NUMBER:
			return "a number";
		case DMP_DOC_STRING:
			return "a string";
		case DMP_DOC_ARRAY:
			return "an array";
		case DMP_DOC_OBJECT:
			return "an object";
	}
	return "nothing";
}

/* hangs a finished or opened value below the one that is open */
static void
doc_attach(DocState *state, DmpDoc *doc)
{
	DmpDoc *parent;

	if (state->depth == 0)
	{
		state->root = doc;
		return;
	}
	parent = state->stack[state->depth - 1];
	/* room for 8, 16, 32 ... members */
	if (parent->n == 0 || (parent->n >= 8 && (parent->n & (parent->n - 1)) == 0))
	{
		Size size = sizeof(void *) * (parent->n == 0 ? 8 : 2 * (Size) parent->n);

		parent->items = parent->items ? repalloc_huge(parent->items, size) : palloc(size);
		parent->keys = parent->keys ? repalloc_huge(parent->keys, size) : palloc(size);
	}
	parent->keys[parent->n] = state->key[state->depth - 1];
	parent->items[parent->n++] = doc;
}

static void
doc_open(DocState *state, DmpDocKind kind)
{
	DmpDoc *doc = palloc0(sizeof(DmpDoc));

	doc->kind = kind;
	doc_attach(state, doc);
	if (state->depth >= lengthof(state->stack))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: nested more than %d deep", state->what,
							   (int) lengthof(state->stack))));
	state->stack[state->depth] = doc;
	state->key[state->depth++] = NULL;
}

static DmpJsonResult
doc_object_start(void *state)
{
	doc_open(state, DMP_DOC_OBJECT);
	DMP_JSON_DONE;
}

static DmpJsonResult
doc_array_start(void *state)
{
	doc_open(state, DMP_DOC_ARRAY);
	DMP_JSON_DONE;
}

/* members up to which a key is compared with those before it; of more they are sorted at the end */
#define FEW_MEMBERS 16

static void
key_given_twice(DocState *state, const char *key)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("%s: key \"%s\" is given twice", state->what, key)));
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
check_many_keys(DocState *state, const DmpDoc *object)
{
	Size size = sizeof(char *) * (Size) object->n;
	char **keys = palloc_extended(size, MCXT_ALLOC_HUGE);

	memcpy(keys, object->keys, size);
	qsort(keys, object->n, sizeof(char *), compare_keys);
	for (int i = 1; i < object->n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			key_given_twice(state, keys[i]);
	pfree(keys);
}

static DmpJsonResult
doc_end(void *arg)
{
	DocState *state = arg;
	DmpDoc *doc = state->stack[--state->depth];

	if (doc->kind == DMP_DOC_OBJECT && doc->n > FEW_MEMBERS)
		check_many_keys(state, doc);
	DMP_JSON_DONE;
}

static DmpJsonResult
doc_key(void *arg, char *key, bool isnull)
{
	DocState *state = arg;
	DmpDoc *object = state->stack[state->depth - 1];

	for (int i = 0; i < object->n && object->n < FEW_MEMBERS; i++)
		if (strcmp(object->keys[i], key) == 0)
			key_given_twice(state, key);
	state->key[state->depth - 1] = pstrdup(key);
	DMP_JSON_DONE;
}

static DmpJsonResult
doc_scalar(void *arg, char *token, JsonTokenType type)
{
	DocState *state = arg;
	DmpDoc *doc = palloc0(sizeof(DmpDoc));

	switch (type)
	{
		case JSON_TOKEN_STRING:
			doc->kind = DMP_DOC_STRING;
			break;
		case JSON_TOKEN_NUMBER:
			doc->kind = DMP_DOC_NUMBER;
			break;
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			doc->kind = DMP_DOC_BOOL;
			break;
		default:
			doc->kind = DMP_DOC_NULL;
			break;
	}
	doc->text = pstrdup(token);
	doc_attach(state, doc);
	DMP_JSON_DONE;
}

DmpDoc *
dmp_doc_parse(const char *json, const char *what)
{
	DocState state = {0};
	JsonSemAction action = {0};
	JsonLexContext *lex;

	state.what = what;
	action.semstate = &state;
	action.object_start = doc_object_start;
	action.object_end = doc_end;
	action.array_start = doc_array_start;
	action.array_end = doc_end;
	action.object_field_start = doc_key;
	action.scalar = doc_scalar;
	lex = dmp_make_json_lexer((char *) json, strlen(json), true);
	pg_parse_json_or_ereport(lex, &action);
	return state.root;
}

DmpDoc *
dmp_doc_from_jsonb(Datum jsonb, const char *what)
{
	Jsonb *value = DatumGetJsonbP(jsonb);

	return dmp_doc_parse(JsonbToCString(NULL, &value->root, VARSIZE(value)), what);
}

DmpDoc *
dmp_doc_get(const DmpDoc *object, const char *key)
{
	if (object == NULL || object->kind != DMP_DOC_OBJECT)
		return NULL;
	for (int i = 0; i < object->n; i++)
		if (strcmp(object->keys[i], key) == 0)
			return object->items[i];
	return NULL;
}

void
dmp_doc_check_keys(const DmpDoc *doc, const char *what, const char *const *known)
{
	List *names = NIL;

	if (doc->kind != DMP_DOC_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a json object, not %s", what, dmp_doc_kind_name(doc->kind))));
	for (const char *const *k = known; *k != NULL; k++)
		names = lappend(names, (char *) *k);
	for (int i = 0; i < doc->n; i++)
	{
		bool found = false;

		for (const char *const *k = known; *k != NULL && !found; k++)
			found = strcmp(*k, doc->keys[i]) == 0;
		if (!found)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s: unknown key \"%s\"", what, doc->keys[i]),
							errdetail("Known keys: %s.", dmp_join(names, ", ")),
							dmp_errhint_nearest(doc->keys[i], names)));
	}
}

/* the value of key when it is there and not null; another kind is an error */
static DmpDoc *
doc_typed(const DmpDoc *object, const char *key, DmpDocKind kind, const char *what)
{
	DmpDoc *doc = dmp_doc_get(object, key);

	if (doc == NULL || doc->kind == DMP_DOC_NULL)
		return NULL;
	if (doc->kind != kind)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"%s\" must be %s, not %s", what, key, dmp_doc_kind_name(kind),
							   dmp_doc_kind_name(doc->kind))));
	return doc;
}

char *
dmp_doc_string(const DmpDoc *object, const char *key, char *default_value, const char *what)
{
	DmpDoc *doc = doc_typed(object, key, DMP_DOC_STRING, what);

	return doc ? doc->text : default_value;
}

double
dmp_doc_number(const DmpDoc *object, const char *key, double default_value, const char *what)
{
	DmpDoc *doc = doc_typed(object, key, DMP_DOC_NUMBER, what);

	return doc ? DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum(doc->text)))
			   : default_value;
}

bool
dmp_doc_bool(const DmpDoc *object, const char *key, bool default_value, const char *what)
{
	DmpDoc *doc = doc_typed(object, key, DMP_DOC_BOOL, what);

	return doc ? doc->text[0] == 't' : default_value;
}

List *
dmp_doc_strings(const DmpDoc *object, const char *key, const char *what)
{
	DmpDoc *doc = dmp_doc_get(object, key);
	List *list = NIL;

	if (doc == NULL || doc->kind == DMP_DOC_NULL)
		return NIL;
	if (doc->kind == DMP_DOC_STRING)
		return list_make1(doc->text);
	if (doc->kind != DMP_DOC_ARRAY)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"%s\" must be a string or an array of strings", what, key)));
	for (int i = 0; i < doc->n; i++)
	{
		if (doc->items[i]->kind != DMP_DOC_STRING)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s: \"%s\" must hold strings, not %s", what, key,
								   dmp_doc_kind_name(doc->items[i]->kind))));
		list = lappend(list, doc->items[i]->text);
	}
	return list;
}
