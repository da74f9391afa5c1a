/*-------------------------------------------------------------------------
 * anonymize_label.c
 *		What is written in place of the values of a region, and hierarchies.
 *
 * The path of a value in its hierarchy is its ancestors, the root first, then
 * itself, joined by a byte that sorts before all others: values with an
 * ancestor in common are one stretch in the order of paths.
 *-------------------------------------------------------------------------
 */
#include "govern/anonymize.h"
#include "govern/govern.h"

#include "mb/pg_wchar.h"
#include "utils/json.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(dmp_hierarchy_path);

#define SEPARATOR '\x01'
#define MAX_LEVELS 100

/* -------------------------------------------------------------- labels */

static int
shared_bytes(const char *a, const char *b)
{
	int n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

/* what two texts begin with, whole characters of it, and a star */
static char *
shared_beginning(const char *a, const char *b)
{
	int n = pg_mbcliplen(a, strlen(a), shared_bytes(a, b));

	return psprintf("%.*s*", n, a);
}

/* the last component that two paths share, a star when there is none */
static char *
shared_ancestor(const char *a, const char *b)
{
	int n = shared_bytes(a, b);
	int from;

	/* back to the end of a component of both */
	while (n > 0 && !((a[n] == '\0' || a[n] == SEPARATOR) && (b[n] == '\0' || b[n] == SEPARATOR)))
		n--;
	for (from = n; from > 0 && a[from - 1] != SEPARATOR; from--)
		;
	return n == 0 ? pstrdup("*") : pnstrdup(a + from, n - from);
}

/* 2024-05-17 and then anything, as ISO writes it */
static bool
is_date(const char *text)
{
	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	return strstr(text, "BC") == NULL;
}

static char *
shared_date(const char *a, const char *b)
{
	int n;

	if (!is_date(a) || !is_date(b))
		return pstrdup("*");
	n = shared_bytes(a, b);
	if (n >= 10)
		return pnstrdup(a, 10);
	if (n >= 7)
		return pnstrdup(a, 7);
	if (n >= 4)
		return pnstrdup(a, 4);
	return psprintf("%.4s-%.4s", a, b);
}

static const char *
last_component(const char *path)
{
	const char *at = strrchr(path, SEPARATOR);

	return at ? at + 1 : path;
}

char *
dmp_anonymous_label(const DmpAnonymousColumn *column, int32 low, int32 high)
{
	const char *from;
	const char *to;

	if (high == 0)
		return NULL;
	if (low == 0)
		return pstrdup("*");
	from = column->texts[low];
	to = column->texts[high];
	switch (column->kind)
	{
		case DMP_ANONYMOUS_HIERARCHY:
			return low == high ? pstrdup(last_component(from)) : shared_ancestor(from, to);
		case DMP_ANONYMOUS_DATE:
			return low == high ? pstrdup(from) : shared_date(from, to);
		case DMP_ANONYMOUS_RANGE:
			return low == high ? pstrdup(from) : psprintf("[%s,%s]", from, to);
		default:
			return low == high ? pstrdup(from) : shared_beginning(from, to);
	}
}

/* --------------------------------------------------------- hierarchies */

void
dmp_check_hierarchy(const DmpDoc *hierarchy, const char *column)
{
	if (hierarchy->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("hierarchies: \"%s\" must be an object of values and their parents",
							   column)));
	for (int i = 0; i < hierarchy->n; i++)
		if (hierarchy->items[i]->kind != DMP_DOC_STRING || *hierarchy->items[i]->text == '\0')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("hierarchies: the parent of \"%s\" in \"%s\" must be a text",
								   hierarchy->keys[i], column)));
}

char *
dmp_hierarchy_json(const DmpDoc *hierarchy)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < hierarchy->n; i++)
	{
		appendStringInfoString(&json, i ? ", " : "{");
		escape_json(&json, hierarchy->keys[i]);
		appendStringInfoString(&json, ": ");
		escape_json(&json, hierarchy->items[i]->text);
	}
	appendStringInfoString(&json, hierarchy->n ? "}" : "{}");
	return json.data;
}

static JsonbValue *
parent_of(Jsonb *hierarchy, const char *value, JsonbValue *found)
{
	return getKeyJsonValueFromContainer(&hierarchy->root, value, strlen(value), found);
}

/* dmp_internal.hierarchy_path(value, {"value": "parent", ...}) -> text */
Datum
dmp_hierarchy_path(PG_FUNCTION_ARGS)
{
	char *value = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb *hierarchy = PG_GETARG_JSONB_P(1);
	char *path = value;
	int level;

	if (!JB_ROOT_IS_OBJECT(hierarchy))
		PG_RETURN_TEXT_P(cstring_to_text(value));
	for (level = 0; level < MAX_LEVELS; level++)
	{
		JsonbValue found;

		if (parent_of(hierarchy, value, &found) == NULL || found.type != jbvString)
			PG_RETURN_TEXT_P(cstring_to_text(path));
		value = pnstrdup(found.val.string.val, found.val.string.len);
		path = psprintf("%s%c%s", value, SEPARATOR, path);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("hierarchies: \"%s\" is above itself, or more than %d levels deep",
						   value, MAX_LEVELS)));
	PG_RETURN_NULL();
}
