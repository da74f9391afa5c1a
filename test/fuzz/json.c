/*-------------------------------------------------------------------------
 * json.c
 *		Fuzzes the json scanner: its verdict is that of the server's parser
 *		(the frontend build of it), and the values it finds lie in the record.
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "ingest/json.h"

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

static bool
depth_is_fine(const char *text, size_t length)
{
	size_t depth = 0;

	for (size_t i = 0; i < length; i++)
		if ((text[i] == '{' || text[i] == '[') && ++depth > DMP_JSON_DEPTH)
			return false;
	return true;
}

static JsonParseErrorType
server_says(const char *text, size_t length)
{
	JsonSemAction nothing = {0};
	JsonLexContext *lex;
	JsonParseErrorType verdict;

	lex = makeJsonLexContextCstringLen(unconstify(char *, text), (int) length, PG_UTF8, true);
	verdict = pg_parse_json(lex, &nothing);
	pfree(lex->strval->data);
	pfree(lex->strval);
	pfree(lex);
	return verdict;
}

static void
check_inside(const DmpJsonValue *value, const char *text, size_t length)
{
	char *out;

	if (value->type == DMP_JSON_ABSENT)
		return;
	if (value->start < text || value->start + value->length > text + length)
		abort();
	if (value->type != DMP_JSON_STRING)
		return;
	out = malloc(value->length + 1);
	if (dmp_json_unescape(value->start, value->length, out) > value->length)
		abort();
	free(out);
}

static bool
element(void *arg, const DmpJsonValue *value)
{
	(void) arg;
	(void) value;
	return true;
}

/* a tree that wants members a, b, a.b, a[1] and c.a */
static DmpJsonNode nodes[6];
static DmpJsonNode *root_children[] = {&nodes[1], &nodes[2], &nodes[3]};
static DmpJsonNode *a_children[] = {&nodes[4], &nodes[5]};

static void
make_tree(void)
{
	static const char *const names[] = {"", "a", "b", "c", "b", NULL};

	for (int i = 0; i < 6; i++)
	{
		nodes[i].name = names[i];
		nodes[i].name_length = names[i] ? strlen(names[i]) : 0;
		nodes[i].slot = i - 1;
		nodes[i].path = "";
	}
	nodes[5].index = 1;
	nodes[0].children = root_children;
	nodes[0].n_children = 3;
	nodes[1].children = a_children;
	nodes[1].n_children = 2;
	dmp_json_finish(&nodes[0], malloc);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	DmpJsonValue slots[5] = {0};
	DmpJsonScan scan = {0};
	DmpJsonType type;
	char *text = malloc(size + 1);
	bool valid;

	if (nodes[0].children == NULL)
		make_tree();
	/* not terminated: reading past the end is found */
	memcpy(text, data, size);
	scan.root = &nodes[0];
	scan.slots = slots;
	valid = dmp_json_scan(&scan, text, size, &type);
	if (!valid && (scan.message == NULL || scan.position > size))
		abort();
	if (valid)
		for (int i = 0; i < 5; i++)
		{
			check_inside(&slots[i], text, size);
			if (slots[i].type == DMP_JSON_ARRAY)
				dmp_json_elements(slots[i].start, slots[i].length, element, NULL);
		}
	/* a record is text: no zero bytes, valid in the encoding */
	if (size < 1024 * 1024 && memchr(text, '\0', size) == NULL &&
		pg_encoding_verifymbstr(PG_UTF8, text, (int) size) == (int) size &&
		depth_is_fine(text, size))
	{
		text[size] = '\0';
		if (valid != (server_says(text, size) == JSON_SUCCESS))
			abort();
	}
	free(text);
	return 0;
}
