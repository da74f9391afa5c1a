/*-------------------------------------------------------------------------
 * model.c
 *		The stored form of a model: type dmp.model_value and its json.
 *
 * A model is one json object, format 1:
 *
 *		{"format":1, "kind":"glm", "family":"binomial", "target":"buys",
 *		 "positive":"true", "negative":"false", "threshold":0.5,
 *		 "intercept":a, "coef":[b_j], "pivot":[c_j], "mean":[..], "scale":[..],
 *		 "features":[
 *		   {"name":"x", "encode":"numeric", "column":0, "fill":1.5,
 *			"missing_column":1, "rows_missing":7},
 *		   {"name":"paid", "encode":"boolean", ...},
 *		   {"name":"country", "encode":"one_hot",
 *			"levels":[["DE",120,2],["FR",80,-1]],
 *			"other_column":3, "rows_other":4, "missing_column":-1, ...}]}
 *
 * "calibration" is there when dmp.calibrate made it (calibration.c).
 *
 * Families "gaussian" and "poisson" have no positive, negative and threshold.
 * "base_margin", when there, names the last feature: a number whose coefficient
 * is 1. A level is [text, rows, column]; column -1 is the reference. Levels are in
 * byte order. Every design column belongs to exactly one place. Numbers are
 * printed in the shortest form that reads back to the same float8. Users can
 * reach the input functions, so nothing of it is trusted.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "common/shortest_dec.h"
#include "learn/model.h"
#include "learn/segments.h"
#include "learn/transform.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "math/hash.h"
#include "catalog/pg_type.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define WHAT "model"

static const char *const model_keys[] = {
	"format",     "kind", "family",      "target",      "positive", "negative", "threshold",
	"intercept",  "coef", "pivot",       "mean",        "scale",    "features", "classes",
	"intercepts", "wide", "calibration", "base_margin", "reject",   "segments", NULL};
static const char *const feature_keys[] = {
	"name",           "encode",       "column", "fill",     "levels", "other_column", "rows_other",
	"missing_column", "rows_missing", "bits",   "min_rows", "blocks", "transform",    NULL};

PG_FUNCTION_INFO_V1(dmp_model_value_in);
PG_FUNCTION_INFO_V1(dmp_model_value_out);
PG_FUNCTION_INFO_V1(dmp_model_value_recv);
PG_FUNCTION_INFO_V1(dmp_model_value_send);

/* ------------------------------------------------------------- writing */

void
dmp_model_append_number(StringInfo buf, double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(value))
		elog(ERROR, "a number of the model is not finite");
	double_to_shortest_decimal_buf(value, text);
	appendStringInfoString(buf, text);
}

void
dmp_model_append_numbers(StringInfo buf, const char *key, const double *values, int n)
{
	int i;

	appendStringInfo(buf, ",\"%s\":[", key);
	for (i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(buf, ',');
		dmp_model_append_number(buf, values[i]);
	}
	appendStringInfoChar(buf, ']');
}

void
dmp_model_append_text(StringInfo buf, const char *key, const char *value)
{
	appendStringInfo(buf, ",\"%s\":", key);
	escape_json(buf, value);
}

static void
append_feature(StringInfo buf, const DmpFeature *feature)
{
	int i;

	appendStringInfoString(buf, "{\"name\":");
	escape_json(buf, feature->name);
	dmp_model_append_text(buf, "encode", dmp_encode_name(feature->encode));
	if (feature->encode == DMP_ENCODE_ONE_HOT)
	{
		appendStringInfoString(buf, ",\"levels\":[");
		for (i = 0; i < feature->nlevels; i++)
		{
			const DmpLevel *level = &feature->levels[i];

			appendStringInfoString(buf, i > 0 ? ",[" : "[");
			escape_json(buf, level->text);
			appendStringInfo(buf, "," INT64_FORMAT ",%d]", level->rows, level->index);
		}
		appendStringInfo(buf, "],\"other_column\":%d,\"rows_other\":" INT64_FORMAT,
						 feature->other_index, feature->rows_other);
	}
	else if (DMP_ENCODE_IS_WIDE(feature->encode))
		dmp_wide_append_feature(buf, feature);
	else
	{
		appendStringInfo(buf, ",\"column\":%d,\"fill\":", feature->index);
		dmp_model_append_number(buf, feature->fill);
	}
	appendStringInfo(buf, ",\"missing_column\":%d,\"rows_missing\":" INT64_FORMAT,
					 feature->missing_index, feature->rows_missing);
	if (feature->transform != NULL)
	{
		appendStringInfoString(buf, ",\"transform\":");
		dmp_transform_append(buf, feature->transform, false);
	}
	appendStringInfoChar(buf, '}');
}

char *
dmp_model_to_json(const DmpModel *model)
{
	const DmpDesign *design = &model->design;
	StringInfoData buf;
	int i;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"format\":%d", DMP_MODEL_FORMAT);
	dmp_model_append_text(&buf, "kind", model->kind);
	dmp_model_append_text(&buf, "family", model->family);
	dmp_model_append_text(&buf, "target", model->target);
	if (model->nclasses == 0)
	{
		if (model->link == DMP_BINOMIAL)
		{
			dmp_model_append_text(&buf, "positive", model->positive);
			dmp_model_append_text(&buf, "negative", model->negative);
			appendStringInfoString(&buf, ",\"threshold\":");
			dmp_model_append_number(&buf, model->threshold);
		}
		if (model->calibration != NULL)
			dmp_calibration_append(&buf, model->calibration);
		appendStringInfoString(&buf, ",\"intercept\":");
		dmp_model_append_number(&buf, model->a);
	}
	else
		dmp_model_append_numbers(&buf, "intercepts", model->intercepts, model->nclasses);
	if (model->base_margin != NULL)
		dmp_model_append_text(&buf, "base_margin", model->base_margin);
	if (model->reject > 0)
	{
		appendStringInfoString(&buf, ",\"reject\":");
		dmp_model_append_number(&buf, model->reject);
	}
	dmp_model_append_numbers(&buf, "coef", model->coef, design->width * Max(model->nclasses, 1));
	dmp_wide_append_model(&buf, model);
	dmp_model_append_numbers(&buf, "pivot", design->pivot, design->width);
	dmp_model_append_numbers(&buf, "mean", design->mean, design->width);
	dmp_model_append_numbers(&buf, "scale", design->scale, design->width);
	appendStringInfoString(&buf, ",\"features\":[");
	for (i = 0; i < design->nfeatures; i++)
	{
		if (i > 0)
			appendStringInfoChar(&buf, ',');
		append_feature(&buf, &design->features[i]);
	}
	appendStringInfoChar(&buf, ']');
	if (model->segments != NULL)
		dmp_segments_append(&buf, model->segments);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* ------------------------------------------------------------- reading */

void
dmp_model_refuse(const char *format, ...)
{
	char detail[256];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("this is no model value"),
					errdetail_internal("%s.", detail)));
}

double
dmp_model_number(const DmpDoc *doc, const char *key)
{
	double value;
	char *end;

	if (doc == NULL || doc->kind != DMP_DOC_NUMBER)
		dmp_model_refuse("\"%s\" must be a number", key);
	errno = 0;
	value = strtod(doc->text, &end);
	if (*end != '\0' || !isfinite(value))
		dmp_model_refuse("\"%s\" is not a finite float8", key);
	return value;
}

int64
dmp_model_integer(const DmpDoc *doc, const char *key, int64 low, int64 high)
{
	double value = dmp_model_number(doc, key);

	if (value != floor(value) || value < (double) low || value > (double) high)
		dmp_model_refuse("\"%s\" must be an integer from " INT64_FORMAT " to " INT64_FORMAT, key,
						 low, high);
	return (int64) value;
}

char *
dmp_model_text(const DmpDoc *doc, const char *key)
{
	if (doc == NULL || doc->kind != DMP_DOC_STRING)
		dmp_model_refuse("\"%s\" must be a string", key);
	return pstrdup(doc->text);
}

const DmpDoc *
dmp_model_array(const DmpDoc *doc, const char *key)
{
	if (doc == NULL || doc->kind != DMP_DOC_ARRAY)
		dmp_model_refuse("\"%s\" must be an array", key);
	return doc;
}

double *
dmp_model_numbers(const DmpDoc *doc, const char *key, int n)
{
	double *values;
	int i;

	dmp_model_array(doc, key);
	if (doc->n != n)
		dmp_model_refuse("\"%s\" has %d numbers, not %d", key, doc->n, n);
	values = palloc(sizeof(double) * Max(n, 1));
	for (i = 0; i < n; i++)
		values[i] = dmp_model_number(doc->items[i], key);
	return values;
}

/* A place in the design; taken marks each column's owner, there is one. */
static int
column_of(const DmpDoc *doc, const char *key, int width, bool *taken)
{
	int column = (int) dmp_model_integer(doc, key, -1, width - 1);

	if (column >= 0)
	{
		if (taken[column])
			dmp_model_refuse("design column %d is used twice", column);
		taken[column] = true;
	}
	return column;
}

static void
read_levels(DmpFeature *feature, const DmpDoc *doc, int width, bool *taken)
{
	const DmpDoc *levels = dmp_model_array(dmp_doc_get(doc, "levels"), "levels");
	int i;

	feature->nlevels = levels->n;
	feature->levels = palloc0(sizeof(DmpLevel) * Max(levels->n, 1));
	for (i = 0; i < levels->n; i++)
	{
		const DmpDoc *item = dmp_model_array(levels->items[i], "levels");
		DmpLevel *level = &feature->levels[i];

		if (item->n != 3)
			dmp_model_refuse("a level of feature \"%s\" must be [text, rows, column]",
							 feature->name);
		level->text = dmp_model_text(item->items[0], "levels");
		level->rows = dmp_model_integer(item->items[1], "levels", 0, (int64) 1 << 53);
		level->index = column_of(item->items[2], "levels", width, taken);
		if (i > 0 && strcmp(feature->levels[i - 1].text, level->text) >= 0)
			dmp_model_refuse("the levels of feature \"%s\" are not in byte order", feature->name);
	}
	feature->other_index =
		column_of(dmp_doc_get(doc, "other_column"), "other_column", width, taken);
	feature->rows_other =
		dmp_model_integer(dmp_doc_get(doc, "rows_other"), "rows_other", 0, (int64) 1 << 53);
}

static DmpEncode
encode_of(const char *name)
{
	DmpEncode encode;

	for (encode = DMP_ENCODE_NUMERIC; encode <= DMP_ENCODE_MULTI_HOT; encode++)
	{
		if (strcmp(name, dmp_encode_name(encode)) == 0)
			return encode;
	}
	dmp_model_refuse("the encode \"%s\" is not known", name);
}

/* *wide: hashed columns so far */
static void
read_feature(DmpFeature *feature, const DmpDoc *doc, DmpDesign *design, bool *taken, int *wide)
{

	if (doc->kind != DMP_DOC_OBJECT)
		dmp_model_refuse("a feature must be an object");
	dmp_doc_check_keys(doc, "model feature", feature_keys);
	feature->name = dmp_model_text(dmp_doc_get(doc, "name"), "name");
	feature->encode = encode_of(dmp_model_text(dmp_doc_get(doc, "encode"), "encode"));
	feature->index = feature->other_index = feature->missing_index = -1;
	if (DMP_ENCODE_IS_WIDE(feature->encode))
		dmp_wide_read_feature(feature, doc, wide);
	else if (feature->encode == DMP_ENCODE_ONE_HOT)
	{
		feature->type = TEXTOID;
		read_levels(feature, doc, design->width, taken);
	}
	else
	{
		feature->type = feature->encode == DMP_ENCODE_NUMERIC ? FLOAT8OID : BOOLOID;
		feature->index = column_of(dmp_doc_get(doc, "column"), "column", design->width, taken);
		feature->fill = dmp_model_number(dmp_doc_get(doc, "fill"), "fill");
	}
	/* few missing values share the column of the rare levels */
	feature->missing_index = (int) dmp_model_integer(dmp_doc_get(doc, "missing_column"),
													 "missing_column", -1, design->width - 1);
	if (feature->missing_index < 0 || feature->missing_index != feature->other_index)
		column_of(dmp_doc_get(doc, "missing_column"), "missing_column", design->width, taken);
	feature->rows_missing =
		dmp_model_integer(dmp_doc_get(doc, "rows_missing"), "rows_missing", 0, (int64) 1 << 53);
	if (dmp_doc_get(doc, "transform") != NULL)
	{
		feature->transform = dmp_transform_read(dmp_doc_get(doc, "transform"));
		if (feature->encode == DMP_ENCODE_MULTI_HOT ||
			feature->transform->text != (dmp_encode_kind(feature->encode) == DMP_VALUE_TEXT))
			dmp_model_refuse("feature \"%s\" cannot be what its transform gives", feature->name);
	}
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static void
check_design(const DmpDesign *design, const bool *taken)
{
	char **names = palloc(sizeof(char *) * Max(design->nfeatures, 1));
	int i;
	int j;

	for (i = 0; i < design->nfeatures; i++)
		names[i] = design->features[i].name;
	qsort(names, design->nfeatures, sizeof(char *), compare_names);
	for (i = 1; i < design->nfeatures; i++)
	{
		if (strcmp(names[i - 1], names[i]) == 0)
			dmp_model_refuse("feature \"%s\" is there twice", names[i]);
	}
	for (j = 0; j < design->width; j++)
	{
		if (!taken[j])
			dmp_model_refuse("design column %d belongs to no feature", j);
		if (design->scale[j] < 0)
			dmp_model_refuse("\"scale\" has a number below 0");
	}
	/* dmp_model_margin() visits only the indicator that is set: the others must add nothing */
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];
		bool moved = feature->missing_index >= 0 && design->pivot[feature->missing_index] != 0;

		if (feature->other_index >= 0 && design->pivot[feature->other_index] != 0)
			moved = true;
		for (j = 0; j < feature->nlevels; j++)
		{
			if (feature->levels[j].index >= 0 && design->pivot[feature->levels[j].index] != 0)
				moved = true;
		}
		if (moved)
			dmp_model_refuse("the pivot of an indicator of feature \"%s\" is not 0", feature->name);
	}
}

/* what the model predicts, and its intercepts; returns the number of sets of coefficients */
static int
read_family(DmpModel *model, const DmpDoc *doc)
{
	model->kind = dmp_model_text(dmp_doc_get(doc, "kind"), "kind");
	model->family = dmp_model_text(dmp_doc_get(doc, "family"), "family");
	model->target = dmp_model_text(dmp_doc_get(doc, "target"), "target");
	if (strcmp(model->family, "gaussian") == 0)
		model->link = DMP_GAUSSIAN;
	else if (strcmp(model->family, "poisson") == 0)
		model->link = DMP_POISSON;
	if (strcmp(model->kind, "glm") != 0 ||
		(model->link == DMP_BINOMIAL && strcmp(model->family, "binomial") != 0 &&
		 strcmp(model->family, "multinomial") != 0))
		dmp_model_refuse("kind \"%s\", family \"%s\" is not known", model->kind, model->family);
	if (dmp_doc_get(doc, "reject") != NULL)
	{
		model->reject = dmp_model_number(dmp_doc_get(doc, "reject"), "reject");
		if (!(model->reject > 0 && model->reject <= 1))
			dmp_model_refuse("\"reject\" must be above 0 and at most 1");
	}
	if (strcmp(model->family, "multinomial") == 0)
	{
		if (dmp_doc_get(doc, "calibration") != NULL)
			dmp_model_refuse("a model of several classes has no \"calibration\"");
		model->positive = model->negative = "";
		dmp_wide_read_classes(model, doc);
		model->intercepts =
			dmp_model_numbers(dmp_doc_get(doc, "intercepts"), "intercepts", model->nclasses);
		return model->nclasses;
	}
	if (model->link != DMP_BINOMIAL)
	{
		if (dmp_doc_get(doc, "positive") != NULL || dmp_doc_get(doc, "threshold") != NULL ||
			dmp_doc_get(doc, "calibration") != NULL)
			dmp_model_refuse("family \"%s\" has no classes", model->family);
		model->positive = model->negative = "";
		model->a = dmp_model_number(dmp_doc_get(doc, "intercept"), "intercept");
		return 1;
	}
	model->positive = dmp_model_text(dmp_doc_get(doc, "positive"), "positive");
	model->negative = dmp_model_text(dmp_doc_get(doc, "negative"), "negative");
	model->threshold = dmp_model_number(dmp_doc_get(doc, "threshold"), "threshold");
	if (model->threshold < 0 || model->threshold > 1)
		dmp_model_refuse("\"threshold\" must be from 0 to 1");
	if (dmp_doc_get(doc, "calibration") != NULL)
		model->calibration = dmp_calibration_read(dmp_doc_get(doc, "calibration"));
	model->a = dmp_model_number(dmp_doc_get(doc, "intercept"), "intercept");
	return 1;
}

/* the feature that is added to the margin as it is */
static void
read_base_margin(DmpModel *model, const DmpDoc *doc)
{
	const DmpDesign *design = &model->design;
	const DmpFeature *last = &design->features[Max(design->nfeatures, 1) - 1];

	if (dmp_doc_get(doc, "base_margin") == NULL)
		return;
	model->base_margin = dmp_model_text(dmp_doc_get(doc, "base_margin"), "base_margin");
	if (design->nfeatures == 0 || strcmp(last->name, model->base_margin) != 0 ||
		last->encode != DMP_ENCODE_NUMERIC || last->index < 0 || model->nclasses > 0 ||
		model->coef[last->index] != 1)
		dmp_model_refuse("\"base_margin\" must name the last feature, a number of coefficient 1");
}

DmpModel *
dmp_model_from_json(const char *json, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "dmp model", ALLOCSET_SMALL_SIZES);
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp model json", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	DmpDoc *doc = dmp_doc_parse(json, WHAT);
	DmpModel *model;
	const DmpDoc *list;
	bool *taken;
	int width;
	int sets;
	int wide = 0;
	int i;

	if (doc->kind != DMP_DOC_OBJECT)
		dmp_model_refuse("a model must be a json object");
	i = (int) dmp_model_integer(dmp_doc_get(doc, "format"), "format", 1, PG_INT32_MAX);
	if (i != DMP_MODEL_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("model format %d is not known", i),
				 errhint("This version reads format %d.", DMP_MODEL_FORMAT)));
	dmp_doc_check_keys(doc, WHAT, model_keys);
	list = dmp_model_array(dmp_doc_get(doc, "pivot"), "pivot");
	width = list->n;
	taken = palloc0(Max(width, 1));

	MemoryContextSwitchTo(context);
	model = palloc0(sizeof(DmpModel));
	model->context = context;
	sets = read_family(model, doc);
	if ((int64) width * sets > PG_INT32_MAX)
		dmp_model_refuse("there are too many coefficients");
	model->design.width = width;
	model->coef = dmp_model_numbers(dmp_doc_get(doc, "coef"), "coef", width * sets);
	model->design.pivot = dmp_model_numbers(list, "pivot", width);
	model->design.mean = dmp_model_numbers(dmp_doc_get(doc, "mean"), "mean", width);
	model->design.scale = dmp_model_numbers(dmp_doc_get(doc, "scale"), "scale", width);
	list = dmp_model_array(dmp_doc_get(doc, "features"), "features");
	model->design.nfeatures = list->n;
	model->design.features = palloc0(sizeof(DmpFeature) * Max(list->n, 1));
	for (i = 0; i < list->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_feature(&model->design.features[i], list->items[i], &model->design, taken, &wide);
	}
	check_design(&model->design, taken);
	dmp_design_find_sources(&model->design);
	dmp_wide_read_model(model, doc, wide);
	read_base_margin(model, doc);
	if (dmp_doc_get(doc, "segments") != NULL)
	{
		if (model->general)
			dmp_model_refuse("hashed columns and several classes have no segments");
		model->segments = dmp_segments_read(dmp_doc_get(doc, "segments"), &model->design);
	}

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return model;
}

/* ------------------------------------------------------------ the type */

/* json must have been read by dmp_model_from_json() or made by dmp_model_to_json(). */
DmpModelValue *
dmp_model_value_make(const char *json, Size length)
{
	DmpModelValue *value = palloc(DMP_MODEL_VALUE_HEADER + length);

	SET_VARSIZE(value, DMP_MODEL_VALUE_HEADER + length);
	value->format = DMP_MODEL_FORMAT;
	value->hash = dmp_hash_bytes(json, length, DMP_MODEL_FORMAT);
	memcpy(value->json, json, length);
	return value;
}

char *
dmp_model_value_json(const DmpModelValue *value)
{
	return pnstrdup(value->json, VARSIZE(value) - DMP_MODEL_VALUE_HEADER);
}

Datum
dmp_model_value_in(PG_FUNCTION_ARGS)
{
	char *json = PG_GETARG_CSTRING(0);
	DmpModel *model = dmp_model_from_json(json, CurrentMemoryContext);

	MemoryContextDelete(model->context);
	PG_RETURN_POINTER(dmp_model_value_make(json, strlen(json)));
}

Datum
dmp_model_value_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(dmp_model_value_json((DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0))));
}

Datum
dmp_model_value_recv(PG_FUNCTION_ARGS)
{
	StringInfo message = (StringInfo) PG_GETARG_POINTER(0);
	int format = pq_getmsgint(message, 4);
	char *json;
	int length;
	DmpModel *model;

	if (format != DMP_MODEL_FORMAT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("model format %d is not known", format)));
	json = pq_getmsgtext(message, message->len - message->cursor, &length);
	model = dmp_model_from_json(json, CurrentMemoryContext);
	MemoryContextDelete(model->context);
	PG_RETURN_POINTER(dmp_model_value_make(json, length));
}

Datum
dmp_model_value_send(PG_FUNCTION_ARGS)
{
	DmpModelValue *value = (DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint32(&buf, DMP_MODEL_FORMAT);
	pq_sendtext(&buf, value->json, VARSIZE(value) - DMP_MODEL_VALUE_HEADER);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
