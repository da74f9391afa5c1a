/*-------------------------------------------------------------------------
 * import.c
 *		dmp.import_model: coefficients fitted elsewhere become a version.
 *
 *		{"target": "bought", "positive": "yes", "negative": "no",
 *		 "intercept": -1.25,
 *		 "coefficients": {"visits": 0.4, "city=Rome": 0.7, "city=Oslo": -0.2,
 *						  "plan": {"free": -1, "paid": 1}, "mobile": 0.3},
 *		 "types": {"mobile": "boolean"},
 *		 "scaler": {"mean": {"visits": 3.1}, "scale": {"visits": 2.7}},
 *		 "fill": {"visits": 3}, "missing": {"visits": 0.1}}
 *
 * A name alone is a number, or what "types" says; "column=level", or an object
 * of levels, is an indicator of a text; a level that is not named adds
 * nothing. Behind a scaler a column is (x - mean) / scale before it meets its
 * coefficient. What is missing is taken as its "fill", else the scaler's mean,
 * else 0, and adds what "missing" says. With "classes" of more than two,
 * intercept and coefficients are arrays, a number a class, joined by softmax.
 *
 * A document with "format" is one of dmp.model_json and read as such.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/learn.h"
#include "lib/stringinfo.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(dmp_import_model);

#define WHAT "coefficients"

static const char *const import_keys[] = {
	"intercept", "coefficients", "types",  "scaler",    "fill",    "missing", "target",
	"positive",  "negative",     "family", "threshold", "classes", NULL};
static const char *const scaler_keys[] = {"mean", "scale", NULL};

typedef struct ImportLevel
{
	char *text;
	double *coef;
	double mean; /* share of the level, where a scaler knows it */
} ImportLevel;

typedef struct ImportColumn
{
	char *name;
	DmpEncode encode;
	double *coef;
	double mean;
	double scale;
	double fill;
	double *missing; /* NULL: no flag */
	int nlevels;
	int room;
	ImportLevel *levels;
} ImportColumn;

typedef struct Import
{
	const DmpDoc *doc;
	const DmpDoc *mean;
	const DmpDoc *scale;
	int nclasses; /* 0: one set of coefficients */
	int *order;   /* of the classes as given, by bytes */
	char **classes;
	double *intercept;
	int n;
	ImportColumn *columns;
} Import;

/* ------------------------------------------------------------- numbers */

static double
number(const DmpDoc *doc, const char *key)
{
	char *end;
	double value = 0;

	if (doc->kind == DMP_DOC_NUMBER)
		value = strtod(doc->text, &end);
	if (doc->kind != DMP_DOC_NUMBER || !isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s: \"%s\" must be a finite number, not %s", WHAT, key,
						doc->kind == DMP_DOC_NUMBER ? doc->text : dmp_doc_kind_name(doc->kind))));
	return value;
}

static double
in_range(double value, const char *key)
{
	if (!isfinite(value))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("%s: \"%s\" is out of range behind its scaler", WHAT, key)));
	return value;
}

/* a number, or with classes an array of one a class, in the order they are stored */
static double *
numbers(const Import *import, const DmpDoc *doc, const char *key)
{
	double *values = palloc(sizeof(double) * Max(import->nclasses, 1));
	int k;

	if (import->nclasses == 0)
	{
		values[0] = number(doc, key);
		return values;
	}
	if (doc->kind != DMP_DOC_ARRAY || doc->n != import->nclasses)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"%s\" must be an array of %d numbers, one for each class",
							   WHAT, key, import->nclasses)));
	for (k = 0; k < import->nclasses; k++)
		values[k] = number(doc->items[import->order[k]], key);
	return values;
}

static double
number_in(const DmpDoc *object, const char *key, double default_value)
{
	const DmpDoc *doc = dmp_doc_get(object, key);

	return doc == NULL ? default_value : number(doc, key);
}

/* an object of the document, or NULL */
static const DmpDoc *
object_in(const DmpDoc *doc, const char *key)
{
	const DmpDoc *object = dmp_doc_get(doc, key);

	if (object != NULL && object->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"%s\" must be an object, not %s", WHAT, key,
							   dmp_doc_kind_name(object->kind))));
	return object;
}

static const DmpDoc *
needed_in(const DmpDoc *doc, const char *key)
{
	const DmpDoc *object = object_in(doc, key);

	if (object != NULL)
		return object;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s: \"%s\" is missing", WHAT, key)));
	pg_unreachable();
}

static double
scale_of(const Import *import, const char *key)
{
	double scale = number_in(import->scale, key, 1);

	if (scale <= 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: the scale of \"%s\" must be above 0", WHAT, key)));
	return scale;
}

/* ------------------------------------------------------------- columns */

static ImportColumn *
column_named(Import *import, const char *name, bool levels)
{
	ImportColumn *column;
	int i;

	for (i = 0; i < import->n; i++)
	{
		column = &import->columns[i];
		if (strcmp(column->name, name) != 0)
			continue;
		if (levels && column->encode == DMP_ENCODE_ONE_HOT)
			return column;
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: column \"%s\" is there as a value and by levels", WHAT, name)));
	}
	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("%s: \"%s\" is no name of a column", WHAT, name)));
	column = &import->columns[import->n++];
	column->name = pstrdup(name);
	column->encode = levels ? DMP_ENCODE_ONE_HOT : DMP_ENCODE_NUMERIC;
	column->scale = 1;
	return column;
}

/* key: how the document calls it, for the scaler */
static void
add_level(Import *import, ImportColumn *column, const char *text, const DmpDoc *value,
		  const char *key)
{
	ImportLevel *level;
	double scale = scale_of(import, key);
	int k;

	if (column->nlevels == column->room)
	{
		column->room = Max(8, column->room * 2);
		column->levels = column->levels
							 ? repalloc(column->levels, sizeof(ImportLevel) * column->room)
							 : palloc(sizeof(ImportLevel) * column->room);
	}
	level = &column->levels[column->nlevels++];
	level->text = pstrdup(text);
	level->coef = numbers(import, value, key);
	level->mean = number_in(import->mean, key, 0);
	/* (1 - mean) / scale for the level, -mean / scale for the others: the rest is intercept */
	for (k = 0; k < Max(import->nclasses, 1); k++)
	{
		level->coef[k] = in_range(level->coef[k] / scale, key);
		import->intercept[k] = in_range(import->intercept[k] - level->coef[k] * level->mean, key);
	}
}

static void
add_value(Import *import, const char *name, const char *type, const DmpDoc *value)
{
	ImportColumn *column = column_named(import, name, false);
	int k;

	if (strcmp(type, "boolean") == 0)
		column->encode = DMP_ENCODE_BOOLEAN;
	column->coef = numbers(import, value, name);
	column->mean = number_in(import->mean, name, 0);
	column->scale = scale_of(import, name);
	column->fill = number_in(object_in(import->doc, "fill"), name, column->mean);
	for (k = 0; k < Max(import->nclasses, 1); k++)
		column->coef[k] = in_range(column->coef[k] / column->scale, name);
}

static void
read_columns(Import *import)
{
	const DmpDoc *coefficients = needed_in(import->doc, "coefficients");
	const DmpDoc *types = object_in(import->doc, "types");
	int i;
	int k;

	import->columns = palloc0(sizeof(ImportColumn) * Max(coefficients->n, 1));
	for (i = 0; i < coefficients->n; i++)
	{
		const char *key = coefficients->keys[i];
		const DmpDoc *value = coefficients->items[i];
		const char *type = dmp_doc_string(types, key, NULL, "types");
		const char *equals = strchr(key, '=');

		CHECK_FOR_INTERRUPTS();
		if (type != NULL && strcmp(type, "number") != 0 && strcmp(type, "boolean") != 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("types: \"%s\" of column \"%s\" is not known", type, key),
							errhint("It is \"number\" or \"boolean\"; texts are known by their "
									"levels.")));
		if (value->kind == DMP_DOC_OBJECT)
		{
			ImportColumn *column = column_named(import, key, true);

			for (k = 0; k < value->n; k++)
				add_level(import, column, value->keys[k], value->items[k],
						  psprintf("%s=%s", key, value->keys[k]));
		}
		else if (equals != NULL && type == NULL)
			add_level(import, column_named(import, pnstrdup(key, equals - key), true), equals + 1,
					  value, key);
		else
			add_value(import, key, type ? type : "number", value);
	}
}

/* every name in an object must be one of a column, or of a level where those count */
static void
check_names(const Import *import, const DmpDoc *object, const char *what, bool levels)
{
	List *names = NIL;
	int i;
	int k;

	if (object == NULL)
		return;
	for (i = 0; i < import->n; i++)
	{
		const ImportColumn *column = &import->columns[i];

		if (!levels || column->encode != DMP_ENCODE_ONE_HOT)
			names = lappend(names, column->name);
		for (k = 0; levels && k < column->nlevels; k++)
			names = lappend(names, psprintf("%s=%s", column->name, column->levels[k].text));
	}
	for (i = 0; i < object->n; i++)
	{
		if (!dmp_list_has(names, object->keys[i]))
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("%s: \"%s\" has no coefficient", what, object->keys[i]),
							dmp_errhint_nearest(object->keys[i], names)));
	}
}

static void
read_missing(Import *import)
{
	const DmpDoc *missing = object_in(import->doc, "missing");
	int i;

	for (i = 0; i < import->n; i++)
	{
		const DmpDoc *value = dmp_doc_get(missing, import->columns[i].name);

		if (value != NULL)
			import->columns[i].missing = numbers(import, value, import->columns[i].name);
	}
	check_names(import, missing, "missing", false);
	check_names(import, object_in(import->doc, "fill"), "fill", false);
	check_names(import, object_in(import->doc, "types"), "types", false);
	check_names(import, import->mean, "scaler: mean", true);
	check_names(import, import->scale, "scaler: scale", true);
}

static int
compare_levels(const void *a, const void *b)
{
	return strcmp(((const ImportLevel *) a)->text, ((const ImportLevel *) b)->text);
}

/* ------------------------------------------------------------- classes */

static char **compared_classes;

static int
compare_classes(const void *a, const void *b)
{
	return strcmp(compared_classes[*(const int *) a], compared_classes[*(const int *) b]);
}

/* the texts of "classes", which may be numbers and booleans too */
static char **
class_texts(const DmpDoc *classes)
{
	char **texts = palloc(sizeof(char *) * classes->n);
	int k;

	for (k = 0; k < classes->n; k++)
	{
		if (classes->items[k]->text == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s: a class must be a string, a number or a boolean", WHAT)));
		texts[k] = classes->items[k]->text;
	}
	return texts;
}

static void
read_classes(Import *import, DmpModel *model)
{
	const DmpDoc *classes = dmp_doc_get(import->doc, "classes");
	char **texts = NULL;
	int k;

	if (classes != NULL && (classes->kind != DMP_DOC_ARRAY || classes->n < 2))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"classes\" must be an array of two or more", WHAT)));
	if (classes != NULL)
		texts = class_texts(classes);
	model->family =
		dmp_doc_string(import->doc, "family",
					   classes != NULL && classes->n > 2 ? "multinomial" : "binomial", WHAT);
	if (strcmp(model->family, "multinomial") == 0)
	{
		if (classes == NULL)
		{
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s: family \"multinomial\" needs \"classes\"", WHAT)));
			return; /* not reached */
		}
		import->nclasses = classes->n;
		import->order = palloc(sizeof(int) * classes->n);
		import->classes = palloc(sizeof(char *) * classes->n);
		for (k = 0; k < classes->n; k++)
			import->order[k] = k;
		compared_classes = texts;
		qsort(import->order, classes->n, sizeof(int), compare_classes);
		for (k = 0; k < classes->n; k++)
		{
			import->classes[k] = texts[import->order[k]];
			if (k > 0 && strcmp(import->classes[k - 1], import->classes[k]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("%s: class \"%s\" is there twice", WHAT, import->classes[k])));
		}
		model->positive = model->negative = "";
		return;
	}
	if (strcmp(model->family, "gaussian") == 0 || strcmp(model->family, "poisson") == 0)
	{
		static const char *const of_classes[] = {"classes", "positive", "negative", "threshold"};

		model->link = model->family[0] == 'g' ? DMP_GAUSSIAN : DMP_POISSON;
		model->positive = model->negative = "";
		for (k = 0; k < lengthof(of_classes); k++)
		{
			if (dmp_doc_get(import->doc, of_classes[k]) != NULL)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("%s: family \"%s\" has no \"%s\"", WHAT, model->family,
									   of_classes[k])));
		}
		return;
	}
	if (strcmp(model->family, "binomial") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: family \"%s\" is not known", WHAT, model->family),
						errhint("It is binomial, multinomial, gaussian or poisson.")));
	if (classes != NULL && classes->n != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s: family \"%s\" has no %d classes", WHAT, model->family, classes->n)));
	model->negative = dmp_doc_string(import->doc, "negative", texts ? texts[0] : "false", WHAT);
	model->positive = dmp_doc_string(import->doc, "positive", texts ? texts[1] : "true", WHAT);
	model->threshold = dmp_doc_number(import->doc, "threshold", 0.5, WHAT);
	if (!(model->threshold >= 0 && model->threshold <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"threshold\" must be from 0 to 1", WHAT)));
}

/* --------------------------------------------------------------- model */

/* a design column of all classes; NULL: none is needed */
static int
put_column(DmpModel *model, const double *coef, double pivot, double mean, double scale)
{
	DmpDesign *design = &model->design;
	int sets = Max(model->nclasses, 1);

	if (coef == NULL)
		return -1;
	memcpy(&model->coef[design->width * sets], coef, sizeof(double) * sets);
	design->pivot[design->width] = pivot;
	design->mean[design->width] = mean;
	design->scale[design->width] = scale;
	return design->width++;
}

static void
put_feature(DmpModel *model, ImportColumn *column)
{
	DmpFeature *feature = &model->design.features[model->design.nfeatures++];
	int k;

	feature->name = column->name;
	feature->encode = column->encode;
	feature->index = feature->other_index = feature->missing_index = -1;
	if (column->encode == DMP_ENCODE_ONE_HOT)
	{
		qsort(column->levels, column->nlevels, sizeof(ImportLevel), compare_levels);
		feature->type = TEXTOID;
		feature->nlevels = column->nlevels;
		feature->levels = palloc0(sizeof(DmpLevel) * Max(column->nlevels, 1));
		for (k = 0; k < column->nlevels; k++)
		{
			const ImportLevel *level = &column->levels[k];

			if (k > 0 && strcmp(column->levels[k - 1].text, level->text) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("%s: level \"%s\" of column \"%s\" is there twice", WHAT,
									   level->text, column->name)));
			feature->levels[k].text = level->text;
			feature->levels[k].index = put_column(model, level->coef, 0, level->mean, 1);
		}
	}
	else
	{
		feature->type = column->encode == DMP_ENCODE_NUMERIC ? FLOAT8OID : BOOLOID;
		feature->fill = column->fill;
		feature->index = put_column(model, column->coef, column->mean, column->mean, column->scale);
	}
	feature->missing_index = put_column(model, column->missing, 0, 0, 1);
}

/* The model that a document of coefficients means. */
static DmpModel *
model_of_coefficients(const DmpDoc *doc)
{
	Import import = {0};
	const DmpDoc *scaler = object_in(doc, "scaler");
	DmpModel *model = palloc0(sizeof(DmpModel));
	int width = 0;
	int i;

	dmp_doc_check_keys(doc, WHAT, import_keys);
	if (scaler != NULL)
		dmp_doc_check_keys(scaler, "scaler", scaler_keys);
	import.doc = doc;
	import.mean = object_in(scaler, "mean");
	import.scale = object_in(scaler, "scale");
	model->kind = "glm";
	model->target = dmp_doc_string(doc, "target", "target", WHAT);
	model->context = CurrentMemoryContext;
	read_classes(&import, model);
	if (dmp_doc_get(doc, "intercept") != NULL)
		import.intercept = numbers(&import, dmp_doc_get(doc, "intercept"), "intercept");
	else
		import.intercept = palloc0(sizeof(double) * Max(import.nclasses, 1));
	read_columns(&import);
	read_missing(&import);

	for (i = 0; i < import.n; i++)
		width += 2 + import.columns[i].nlevels;
	model->nclasses = import.nclasses;
	model->classes = import.classes;
	model->general = import.nclasses > 0;
	model->coef = palloc(sizeof(double) * Max(width, 1) * Max(import.nclasses, 1));
	model->design.pivot = palloc(sizeof(double) * Max(width, 1));
	model->design.mean = palloc(sizeof(double) * Max(width, 1));
	model->design.scale = palloc(sizeof(double) * Max(width, 1));
	model->design.features = palloc0(sizeof(DmpFeature) * Max(import.n, 1));
	for (i = 0; i < import.n; i++)
		put_feature(model, &import.columns[i]);
	model->a = import.intercept[0];
	model->intercepts = import.intercept;
	return model;
}

/* ------------------------------------------------------------ registry */

static char *
registry_row(const DmpModel *model)
{
	StringInfoData row;
	int i;

	initStringInfo(&row);
	appendStringInfoString(&row, "{\"kind\": ");
	escape_json(&row, model->kind);
	appendStringInfoString(&row, ", \"family\": ");
	escape_json(&row, model->family);
	appendStringInfoString(&row, ", \"target\": ");
	escape_json(&row, model->target);
	appendStringInfoString(&row, ", \"features\": [");
	for (i = 0; i < model->design.nfeatures; i++)
	{
		appendStringInfoString(&row, i > 0 ? ", " : "");
		escape_json(&row, model->design.features[i].name);
	}
	appendStringInfoString(&row, "], \"search_path\": ");
	escape_json(&row, GetConfigOption("search_path", false, false));
	appendStringInfoString(&row, ", \"status\": \"imported\", \"query\": \"(imported)\", "
								 "\"rows\": 0, \"rows_test\": 0, \"rows_skipped\": 0, "
								 "\"rows_positive\": 0, \"lambda\": 0, \"alpha\": 0, \"scans\": 0, "
								 "\"iterations\": 0, \"elapsed\": \"0\", \"warnings\": [], "
								 "\"options\": {}}");
	return row.data;
}

/* Whether the version becomes the champion; a WARNING says what stays live when it does not. */
static bool
decide_deployment(const char *name, bool wanted)
{
	bool pinned;
	int champion = dmp_registry_champion(name, &pinned);

	if (!wanted || !pinned)
		return wanted;
	ereport(WARNING, (errmsg("the new version of model \"%s\" is not deployed", name),
					  errdetail("Version %d was chosen by hand and stays live.", champion),
					  errhint("SELECT dmp.deploy('%s') goes on to the latest.", name)));
	return false;
}

/*
 * dmp.import_model(model, coefficients, deploy) -> (model, version, deployed,
 * status, features); coefficients are json, jsonb, or json in text
 */
Datum
dmp_import_model(PG_FUNCTION_ARGS)
{
	DmpModel *model;
	DmpModelRef ref;
	DmpDoc *doc;
	char *name;
	char *json;
	bool deploy;
	Datum values[5];
	bool nulls[5] = {false, false, false, false, false};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("\"%s\" must not be null", PG_ARGISNULL(0) ? "model" : WHAT)));
	PreventCommandIfReadOnly("dmp.import_model()");
	dmp_srf_begin(fcinfo);
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	dmp_model_check_new(name);
	ref = dmp_model_ref(name);
	if (get_fn_expr_argtype(fcinfo->flinfo, 1) == JSONBOID)
	{
		Jsonb *jsonb = PG_GETARG_JSONB_P(1);

		json = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
	}
	else
		json = text_to_cstring(PG_GETARG_TEXT_PP(1));
	doc = dmp_doc_parse(json, WHAT);
	if (dmp_doc_get(doc, "format") != NULL)
		model = dmp_model_from_json(json, CurrentMemoryContext);
	else
		model = model_of_coefficients(doc);
	json = dmp_model_to_json(model);
	/* read back: what is stored has been checked whichever way it was made */
	model = dmp_model_from_json(json, CurrentMemoryContext);
	deploy = decide_deployment(ref.name, PG_ARGISNULL(2) || PG_GETARG_BOOL(2));
	values[1] = Int32GetDatum(dmp_registry_add(ref.name, registry_row(model),
											   dmp_model_value_make(json, strlen(json)), NULL, 0,
											   NULL, deploy));
	values[0] = CStringGetTextDatum(ref.name);
	values[2] = BoolGetDatum(deploy);
	values[3] = CStringGetTextDatum("imported");
	values[4] = Int32GetDatum(model->design.nfeatures);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}
