/*-------------------------------------------------------------------------
 * discover_column.c
 *		A column whose values are looked at: texts, numbers, arrays, and the
 *		leaves of json, each path by itself.
 *-------------------------------------------------------------------------
 */
#include "govern/discover.h"

#include "catalog/pg_type.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* of one column: more leaves than these are not told apart */
#define MOST_LEAVES 200
#define MOST_LEVELS 32
#define LONGEST_PATH 256

typedef struct Leaf
{
	char *path;
	DmpTally *tally;
} Leaf;

struct DmpPersonalColumn
{
	const char *table;
	const char *name;
	Oid type; /* base type; of an array, of its elements */
	bool is_array;
	bool is_json;
	FmgrInfo output;
	DmpPersonalHint hint;
	DmpPersonalSet by_type;
	DmpTally *tally;
	MemoryContext memory;
	int leaves;
	Leaf leaf[MOST_LEAVES];
};

/* Where in a document the parser is */
typedef struct Walk
{
	DmpPersonalColumn *column;
	int level;
	bool is_array[MOST_LEVELS];
	char *key[MOST_LEVELS];
	JsonLexContext *lex;
} Walk;

DmpPersonalColumn *
dmp_personal_column_make(const char *table, const char *name, Oid type)
{
	DmpPersonalColumn *column;
	bool is_array = false;
	DmpPersonalSet by_type = 0;
	Oid output;
	bool is_varlena;

	type = getBaseType(type);
	if (OidIsValid(get_element_type(type)))
	{
		type = getBaseType(get_element_type(type));
		is_array = true;
	}
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case JSONOID:
		case JSONBOID:
			break;
		case INETOID:
			by_type = PERSONAL(PERSONAL_IPV4) | PERSONAL(PERSONAL_IPV6);
			break;
		case MACADDROID:
		case MACADDR8OID:
			by_type = PERSONAL(PERSONAL_MAC);
			break;
		default:
		{
			char category;
			bool preferred;

			/* texts of other extensions, such as citext */
			get_type_category_preferred(type, &category, &preferred);
			if (category != TYPCATEGORY_STRING || get_typtype(type) != TYPTYPE_BASE)
				return NULL;
		}
	}
	column = palloc0(sizeof(DmpPersonalColumn));
	column->table = table;
	column->name = name;
	column->type = type;
	column->is_array = is_array;
	column->is_json = type == JSONOID || type == JSONBOID;
	column->by_type = by_type;
	column->hint = dmp_personal_hint(name, table);
	column->memory = CurrentMemoryContext;
	column->tally = dmp_tally_make(column->hint, by_type, NULL);
	getTypeOutputInfo(type, &output, &is_varlena);
	fmgr_info(output, &column->output);
	return column;
}

DmpPersonalHint
dmp_personal_column_hint(const DmpPersonalColumn *column)
{
	return column->hint;
}

const char *
dmp_personal_column_sql(const DmpPersonalColumn *column)
{
	const char *name = quote_identifier(column->name);

	if (!column->is_array &&
		(column->type == TEXTOID || column->type == VARCHAROID || column->type == BPCHAROID))
		return psprintf("pg_catalog.left(%s::pg_catalog.text, 8192)", name);
	if (column->is_array || get_typlen(column->type) == -1)
		return psprintf("CASE WHEN pg_catalog.pg_column_size(%s) OPERATOR(pg_catalog.<) 100000 "
						"THEN %s END",
						name, name);
	return name;
}

/* ---- json */

static char *
path_of(const Walk *walk)
{
	StringInfoData path;
	int i;

	initStringInfo(&path);
	appendStringInfoChar(&path, '$');
	for (i = 0; i < walk->level && i < MOST_LEVELS && path.len < LONGEST_PATH; i++)
	{
		if (walk->is_array[i])
			appendStringInfoString(&path, "[*]");
		else if (walk->key[i] != NULL)
			appendStringInfo(&path, ".%s", walk->key[i]);
	}
	if (path.len > LONGEST_PATH)
	{
		path.len = pg_mbcliplen(path.data, path.len, LONGEST_PATH);
		path.data[path.len] = '\0';
	}
	return path.data;
}

static Leaf *
leaf_of(Walk *walk)
{
	DmpPersonalColumn *column = walk->column;
	const char *key = NULL;
	const char *around = NULL;
	char *path = path_of(walk);
	MemoryContext before;
	Leaf *leaf;
	int i;

	for (i = 0; i < column->leaves; i++)
	{
		if (strcmp(column->leaf[i].path, path) == 0)
			return &column->leaf[i];
	}
	if (column->leaves == MOST_LEAVES)
		return NULL;
	for (i = Min(walk->level, MOST_LEVELS) - 1; i >= 0; i--)
	{
		if (walk->is_array[i])
			continue;
		if (key == NULL)
			key = walk->key[i];
		else if (around == NULL)
			around = walk->key[i];
	}
	before = MemoryContextSwitchTo(column->memory);
	leaf = &column->leaf[column->leaves++];
	leaf->path = pstrdup(path);
	leaf->tally = dmp_tally_make(
		key == NULL ? column->hint : dmp_personal_hint(key, around != NULL ? around : column->name),
		0, leaf->path);
	MemoryContextSwitchTo(before);
	return leaf;
}

static void
enter(Walk *walk, bool is_array)
{
	if (walk->level < MOST_LEVELS)
	{
		walk->is_array[walk->level] = is_array;
		walk->key[walk->level] = NULL;
	}
	walk->level++;
}

static DmpJsonResult
object_start(void *state)
{
	enter(state, false);
	DMP_JSON_DONE;
}

static DmpJsonResult
array_start(void *state)
{
	enter(state, true);
	DMP_JSON_DONE;
}

static DmpJsonResult
level_end(void *state)
{
	((Walk *) state)->level--;
	DMP_JSON_DONE;
}

static DmpJsonResult
field_start(void *state, char *name, bool isnull)
{
	Walk *walk = state;

	if (walk->level >= 1 && walk->level <= MOST_LEVELS)
		walk->key[walk->level - 1] = name;
	DMP_JSON_DONE;
}

static DmpJsonResult
scalar(void *state, char *token, JsonTokenType type)
{
	Walk *walk = state;
	Leaf *leaf;

	CHECK_FOR_INTERRUPTS();
	if (type != JSON_TOKEN_STRING && type != JSON_TOKEN_NUMBER)
		DMP_JSON_DONE;
	leaf = leaf_of(walk);
	if (leaf != NULL)
		dmp_tally_add(leaf->tally, token, strlen(token));
	DMP_JSON_DONE;
}

/* What is no json (or was cut off) counts as far as it could be read. */
static void
add_json(DmpPersonalColumn *column, const char *text)
{
	Walk walk = {0};
	JsonSemAction action = {0};

	walk.column = column;
	walk.lex = dmp_make_json_lexer(unconstify(char *, text), strlen(text), true);
	action.semstate = &walk;
	action.object_start = object_start;
	action.object_end = level_end;
	action.array_start = array_start;
	action.array_end = level_end;
	action.object_field_start = field_start;
	action.scalar = scalar;
	(void) pg_parse_json(walk.lex, &action);
}

/* ---- values */

void
dmp_personal_column_add_text(DmpPersonalColumn *column, const char *value)
{
	const char *at = value;

	while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')
		at++;
	if (column->is_json || *at == '{' || *at == '[')
		add_json(column, at);
	else
		dmp_tally_add(column->tally, value, strlen(value));
}

void
dmp_personal_column_add(DmpPersonalColumn *column, Datum value, bool isnull)
{
	if (isnull)
		return;
	if (column->is_array)
	{
		int16 length;
		bool by_value;
		char align;
		Datum *items;
		bool *nulls;
		int n;
		int i;

		get_typlenbyvalalign(column->type, &length, &by_value, &align);
		deconstruct_array(DatumGetArrayTypeP(value), column->type, length, by_value, align, &items,
						  &nulls, &n);
		for (i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!nulls[i])
				dmp_personal_column_add_text(column, OutputFunctionCall(&column->output, items[i]));
		}
		return;
	}
	dmp_personal_column_add_text(column, OutputFunctionCall(&column->output, value));
}

bool
dmp_personal_column_has_values(const DmpPersonalColumn *column)
{
	return column->leaves > 0 || dmp_tally_has_values(column->tally);
}

List *
dmp_personal_column_findings(DmpPersonalColumn *column)
{
	List *findings = dmp_tally_findings(column->tally);
	int i;

	for (i = 0; i < column->leaves; i++)
		findings = list_concat(findings, dmp_tally_findings(column->leaf[i].tally));
	return findings;
}
