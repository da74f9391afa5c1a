/*-------------------------------------------------------------------------
 * transform_model.c
 *		Transforms as json, written and checked.
 *
 *		{"kind":"bins", "columns":[["x","number"]], "fill":0, "edges":[1,2]}
 *		{"kind":"woe", "columns":[["c","text"]], "levels":["a","b"],
 *		 "values":[..], "rows":[..], "rate":[..], "information":0.2}
 *		{"kind":"part", "columns":[["t","timestamptz"]], "part":"hour", "zone":"UTC"}
 *		{"kind":"slope", "columns":[["x","number"],["c","text"]], "of":"level", "level":"a"}
 *		{"kind":"element", "columns":[["v","numbers"]], "element":1, "length":300}
 *
 * A table (values, rows, rate) ends with missing and with levels that are not
 * in it. "folds", in training only, has such values for each fold. It comes
 * in by the input of a type that every user can call: nothing is trusted.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/model.h"
#include "learn/transform.h"
#include "utils/json.h"

static const char *const names[] = {"fill", "log",     "levels", "bins",  "woe",    "target",
									"part", "product", "pair",   "slope", "element"};
static const char *const parts[] = {"epoch", "year",        "quarter", "month",
									"day",   "day_of_week", "hour",    "minute"};
static const char *const slopes[] = {"level", "other", "missing"};
/* by DmpValueKind */
static const char *const kinds[] = {"number",    "boolean",     "text",   "texts",
									"timestamp", "timestamptz", "numbers"};

static const char *const keys[] = {"kind", "columns", "fill",        "edges",  "levels", "values",
								   "rows", "rate",    "information", "folds",  "part",   "zone",
								   "of",   "level",   "element",     "length", NULL};

const char *
dmp_transform_name(DmpTransformKind kind)
{
	return names[kind];
}

const char *
dmp_part_name(DmpTimePart part)
{
	return parts[part];
}

static int
place_of(const char *name, const char *const *list, int n)
{
	int i;

	for (i = 0; i < n; i++)
	{
		if (strcmp(name, list[i]) == 0)
			return i;
	}
	return -1;
}

int
dmp_part_of(const char *name)
{
	return place_of(name, parts, lengthof(parts));
}

/* ------------------------------------------------------------- writing */

static void
append_numbers(StringInfo buf, const char *key, const double *values, int n)
{
	int i;

	appendStringInfo(buf, ",\"%s\":[", key);
	for (i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(buf, ',');
		if (isfinite(values[i]))
			dmp_model_append_number(buf, values[i]);
		else
			appendStringInfoString(buf, "null");
	}
	appendStringInfoChar(buf, ']');
}

static void
append_levels(StringInfo buf, const DmpTransform *t)
{
	int i;

	appendStringInfoString(buf, ",\"levels\":[");
	for (i = 0; i < t->nlevels; i++)
	{
		if (i > 0)
			appendStringInfoChar(buf, ',');
		escape_json(buf, t->levels[i]);
	}
	appendStringInfoChar(buf, ']');
}

static void
append_table(StringInfo buf, const DmpTransform *t, bool folds)
{
	int n = t->nvalues + 2;
	int i;

	append_numbers(buf, "values", t->values, n);
	appendStringInfoString(buf, ",\"rows\":[");
	for (i = 0; i < n; i++)
		appendStringInfo(buf, "%s" INT64_FORMAT, i > 0 ? "," : "", t->rows[i]);
	appendStringInfoChar(buf, ']');
	append_numbers(buf, "rate", t->rate, n);
	if (isfinite(t->information))
	{
		appendStringInfoString(buf, ",\"information\":");
		dmp_model_append_number(buf, t->information);
	}
	if (!folds || t->nfolds == 0)
		return;
	append_numbers(buf, "folds", t->fold_values, t->nfolds * n);
}

void
dmp_transform_append(StringInfo buf, const DmpTransform *t, bool folds)
{
	int k;

	appendStringInfo(buf, "{\"kind\":\"%s\",\"columns\":[", names[t->kind]);
	for (k = 0; k < t->ncolumns; k++)
	{
		appendStringInfoString(buf, k > 0 ? ",[" : "[");
		escape_json(buf, t->columns[k]);
		appendStringInfo(buf, ",\"%s\"]", kinds[t->kinds[k]]);
	}
	appendStringInfoChar(buf, ']');
	if (t->fill_text != NULL)
		dmp_model_append_text(buf, "fill", t->fill_text);
	else if (t->has_fill)
	{
		appendStringInfoString(buf, ",\"fill\":");
		dmp_model_append_number(buf, t->fill);
	}
	if (t->kind == DMP_TRANSFORM_BINS ||
		((t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET) &&
		 t->kinds[0] != DMP_VALUE_TEXT))
		append_numbers(buf, "edges", t->edges, t->nedges);
	else if (t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET)
		append_levels(buf, t);
	if (t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET)
		append_table(buf, t, folds);
	if (t->kind == DMP_TRANSFORM_PART)
		dmp_model_append_text(buf, "part", parts[t->part]);
	if (t->zone != NULL)
		dmp_model_append_text(buf, "zone", t->zone);
	if (t->kind == DMP_TRANSFORM_SLOPE)
	{
		dmp_model_append_text(buf, "of", slopes[t->slope_of]);
		if (t->slope_of == DMP_SLOPE_LEVEL)
			dmp_model_append_text(buf, "level", t->level);
		else if (t->slope_of == DMP_SLOPE_OTHER)
			append_levels(buf, t);
	}
	if (t->kind == DMP_TRANSFORM_ELEMENT)
		appendStringInfo(buf, ",\"element\":%d,\"length\":%d", t->element, t->length);
	appendStringInfoChar(buf, '}');
}

/* ------------------------------------------------------------- reading */

/* null stands for NaN where missing */
static double *
read_numbers(const DmpDoc *doc, const char *key, int n, bool missing)
{
	double *values;
	int i;

	dmp_model_array(doc, key);
	if (n >= 0 && doc->n != n)
		dmp_model_refuse("\"%s\" has %d numbers, not %d", key, doc->n, n);
	values = palloc(sizeof(double) * Max(doc->n, 1));
	for (i = 0; i < doc->n; i++)
	{
		if (missing && doc->items[i]->kind == DMP_DOC_NULL)
			values[i] = NAN;
		else
			values[i] = dmp_model_number(doc->items[i], key);
	}
	return values;
}

static void
read_levels(DmpTransform *t, const DmpDoc *doc)
{
	int i;

	dmp_model_array(doc, "levels");
	t->nlevels = doc->n;
	t->levels = palloc(sizeof(char *) * Max(doc->n, 1));
	for (i = 0; i < doc->n; i++)
	{
		t->levels[i] = dmp_model_text(doc->items[i], "levels");
		if (i > 0 && strcmp(t->levels[i - 1], t->levels[i]) >= 0)
			dmp_model_refuse("the levels of a transform are not in byte order");
	}
}

static void
read_edges(DmpTransform *t, const DmpDoc *doc)
{
	int i;

	t->edges = read_numbers(doc, "edges", -1, false);
	t->nedges = doc->n;
	for (i = 1; i < t->nedges; i++)
	{
		if (t->edges[i - 1] >= t->edges[i])
			dmp_model_refuse("the edges of a transform do not rise");
	}
}

static void
read_table(DmpTransform *t, const DmpDoc *doc)
{
	const DmpDoc *item;
	int n;
	int i;

	if (t->kinds[0] == DMP_VALUE_TEXT)
		read_levels(t, dmp_doc_get(doc, "levels"));
	else
		read_edges(t, dmp_doc_get(doc, "edges"));
	t->nvalues = t->kinds[0] == DMP_VALUE_TEXT ? t->nlevels : t->nedges + 1;
	n = t->nvalues + 2;
	t->values = read_numbers(dmp_doc_get(doc, "values"), "values", n, false);
	t->rate = read_numbers(dmp_doc_get(doc, "rate"), "rate", n, true);
	item = dmp_model_array(dmp_doc_get(doc, "rows"), "rows");
	if (item->n != n)
		dmp_model_refuse("\"rows\" has %d numbers, not %d", item->n, n);
	t->rows = palloc(sizeof(int64) * n);
	for (i = 0; i < n; i++)
		t->rows[i] = dmp_model_integer(item->items[i], "rows", 0, (int64) 1 << 53);
	item = dmp_doc_get(doc, "information");
	t->information = item ? dmp_model_number(item, "information") : NAN;
	item = dmp_doc_get(doc, "folds");
	if (item == NULL)
		return;
	if (dmp_model_array(item, "folds")->n % n != 0)
		dmp_model_refuse("\"folds\" has %d numbers", item->n);
	t->nfolds = item->n / n;
	t->fold_values = read_numbers(item, "folds", item->n, false);
}

static void
read_slope(DmpTransform *t, const DmpDoc *doc)
{
	int of = place_of(dmp_model_text(dmp_doc_get(doc, "of"), "of"), slopes, lengthof(slopes));

	if (of < 0)
		dmp_model_refuse("\"of\" of a slope is not known");
	t->slope_of = (DmpSlopeOf) of;
	if (t->slope_of == DMP_SLOPE_LEVEL)
		t->level = dmp_model_text(dmp_doc_get(doc, "level"), "level");
	else if (t->slope_of == DMP_SLOPE_OTHER)
		read_levels(t, dmp_doc_get(doc, "levels"));
}

/* number: also a boolean */
static bool
is_kind(const DmpTransform *t, int k, DmpValueKind kind)
{
	return t->kinds[k] == kind || (kind == DMP_VALUE_NUMBER && t->kinds[k] == DMP_VALUE_BOOLEAN);
}

/* whether the columns are what the transform is of */
static bool
fits(const DmpTransform *t)
{
	switch (t->kind)
	{
		case DMP_TRANSFORM_FILL:
		case DMP_TRANSFORM_WOE:
		case DMP_TRANSFORM_TARGET:
			return t->ncolumns == 1 &&
				   (is_kind(t, 0, DMP_VALUE_NUMBER) || is_kind(t, 0, DMP_VALUE_TEXT));
		case DMP_TRANSFORM_LOG:
		case DMP_TRANSFORM_LEVELS:
		case DMP_TRANSFORM_BINS:
			return t->ncolumns == 1 && is_kind(t, 0, DMP_VALUE_NUMBER);
		case DMP_TRANSFORM_PART:
			return t->ncolumns == 1 &&
				   (is_kind(t, 0, DMP_VALUE_TIMESTAMP) || is_kind(t, 0, DMP_VALUE_TIMESTAMPTZ));
		case DMP_TRANSFORM_PRODUCT:
			return t->ncolumns == 2 && is_kind(t, 0, DMP_VALUE_NUMBER) &&
				   is_kind(t, 1, DMP_VALUE_NUMBER);
		case DMP_TRANSFORM_PAIR:
			return t->ncolumns == 2 && is_kind(t, 0, DMP_VALUE_TEXT) &&
				   is_kind(t, 1, DMP_VALUE_TEXT);
		case DMP_TRANSFORM_SLOPE:
			return t->ncolumns == 2 && is_kind(t, 0, DMP_VALUE_NUMBER) &&
				   is_kind(t, 1, DMP_VALUE_TEXT);
		case DMP_TRANSFORM_ELEMENT:
			return t->ncolumns == 1 && is_kind(t, 0, DMP_VALUE_NUMBERS);
	}
	return false;
}

static void
read_columns(DmpTransform *t, const DmpDoc *doc)
{
	int k;

	dmp_model_array(doc, "columns");
	if (doc->n < 1 || doc->n > DMP_MAX_COLUMNS)
		dmp_model_refuse("a transform is of one or two columns");
	t->ncolumns = doc->n;
	for (k = 0; k < t->ncolumns; k++)
	{
		const DmpDoc *item = dmp_model_array(doc->items[k], "columns");
		int kind;

		if (item->n != 2)
			dmp_model_refuse("a column of a transform must be [name, kind]");
		t->columns[k] = dmp_model_text(item->items[0], "columns");
		kind = place_of(dmp_model_text(item->items[1], "columns"), kinds, lengthof(kinds));
		if (kind < 0)
			dmp_model_refuse("the kind of column \"%s\" is not known", t->columns[k]);
		t->kinds[k] = (DmpValueKind) kind;
	}
	if (!fits(t))
		dmp_model_refuse("transform \"%s\" is not one of such columns", names[t->kind]);
}

/* Checks it all; memory in CurrentMemoryContext. */
DmpTransform *
dmp_transform_read(const DmpDoc *doc)
{
	DmpTransform *t = palloc0(sizeof(DmpTransform));
	const DmpDoc *item;
	int place;

	if (doc->kind != DMP_DOC_OBJECT)
		dmp_model_refuse("a transform must be an object");
	dmp_doc_check_keys(doc, "model transform", keys);
	t->information = NAN;
	place = place_of(dmp_model_text(dmp_doc_get(doc, "kind"), "kind"), names, lengthof(names));
	if (place < 0)
		dmp_model_refuse("the kind of a transform is not known");
	t->kind = (DmpTransformKind) place;
	read_columns(t, dmp_doc_get(doc, "columns"));
	item = dmp_doc_get(doc, "fill");
	if (item != NULL && t->kinds[0] == DMP_VALUE_TEXT)
		t->fill_text = dmp_model_text(item, "fill");
	else if (item != NULL)
	{
		t->fill = dmp_model_number(item, "fill");
		t->has_fill = true;
	}
	if (t->kind == DMP_TRANSFORM_BINS)
		read_edges(t, dmp_doc_get(doc, "edges"));
	else if (t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET)
		read_table(t, doc);
	else if (t->kind == DMP_TRANSFORM_SLOPE)
		read_slope(t, doc);
	else if (t->kind == DMP_TRANSFORM_PART)
	{
		place = dmp_part_of(dmp_model_text(dmp_doc_get(doc, "part"), "part"));
		if (place < 0)
			dmp_model_refuse("the part of a time is not known");
		t->part = (DmpTimePart) place;
		if (t->kinds[0] == DMP_VALUE_TIMESTAMPTZ)
			t->zone = dmp_model_text(dmp_doc_get(doc, "zone"), "zone");
	}
	else if (t->kind == DMP_TRANSFORM_ELEMENT)
	{
		t->length =
			(int) dmp_model_integer(dmp_doc_get(doc, "length"), "length", 1, DMP_MAX_ELEMENTS);
		t->element = (int) dmp_model_integer(dmp_doc_get(doc, "element"), "element", 1, t->length);
	}
	dmp_transform_finish(t);
	return t;
}
