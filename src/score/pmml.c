/*-------------------------------------------------------------------------
 * pmml.c
 *		A model as a PMML 4.4 document: dmp.model_pmml.
 *
 * It is a RegressionModel over the design columns as the model has them. The
 * TransformationDictionary makes these from the columns of a row:
 *
 *		a number		x - c; a missing value is replaced in the MiningSchema,
 *						or here where a flag must still see it
 *		a boolean		0 or 1, likewise
 *		a text			NormDiscrete for each level, one field for all others
 *		a missing flag	isMissing
 *
 * and the RegressionTable adds a + sum b (x - c) over them, so an evaluator
 * computes the same margin up to the order of the additions. Two classes are
 * joined by logit, more by softmax; Platt's calibration is a line in the
 * margin and goes into the coefficients. What PMML has no words for (hashed
 * columns, isotonic calibration) is refused by name.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "common/shortest_dec.h"
#include "learn/transform.h"
#include "lib/stringinfo.h"
#include "learn/segments.h"
#include "score/pmml.h"
#include "score/score.h"

PG_FUNCTION_INFO_V1(dmp_model_pmml);

/* ---------------------------------------------------------------- text */

void
dmp_pmml_indent(DmpPmml *pmml, int depth)
{
	appendStringInfoChar(&pmml->xml, '\n');
	appendStringInfoSpaces(&pmml->xml, depth * 2);
}

/* text of an attribute or an element */
void
dmp_pmml_escape(DmpPmml *pmml, const char *text)
{
	const unsigned char *c;

	for (c = (const unsigned char *) text; *c != '\0'; c++)
	{
		switch (*c)
		{
			case '&':
				appendStringInfoString(&pmml->xml, "&amp;");
				break;
			case '<':
				appendStringInfoString(&pmml->xml, "&lt;");
				break;
			case '>':
				appendStringInfoString(&pmml->xml, "&gt;");
				break;
			case '"':
				appendStringInfoString(&pmml->xml, "&quot;");
				break;
			case '\t':
			case '\n':
			case '\r':
				appendStringInfo(&pmml->xml, "&#%d;", *c);
				break;
			default:
				if (*c < ' ')
					ereport(ERROR, (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
									errmsg("XML cannot hold the character with code %d", *c),
									errdetail("It is in a name or a level of the model.")));
				appendStringInfoChar(&pmml->xml, *c);
		}
	}
}

void
dmp_pmml_attribute(DmpPmml *pmml, const char *name, const char *value)
{
	appendStringInfo(&pmml->xml, " %s=\"", name);
	dmp_pmml_escape(pmml, value);
	appendStringInfoChar(&pmml->xml, '"');
}

char *
dmp_pmml_number(double value)
{
	char *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	double_to_shortest_decimal_buf(value, text);
	return text;
}

void
dmp_pmml_constant(DmpPmml *pmml, const char *type, const char *value)
{
	appendStringInfo(&pmml->xml, "<Constant dataType=\"%s\">", type);
	dmp_pmml_escape(pmml, value);
	appendStringInfoString(&pmml->xml, "</Constant>");
}

void
dmp_pmml_field_ref(DmpPmml *pmml, const char *name)
{
	appendStringInfoString(&pmml->xml, "<FieldRef");
	dmp_pmml_attribute(pmml, "field", name);
	appendStringInfoString(&pmml->xml, "/>");
}

/* opens if (the field is missing) */
static void
if_missing(DmpPmml *pmml, const char *name)
{
	appendStringInfoString(&pmml->xml, "<Apply function=\"if\"><Apply function=\"isMissing\">");
	dmp_pmml_field_ref(pmml, name);
	appendStringInfoString(&pmml->xml, "</Apply>");
}

static void
end_apply(DmpPmml *pmml)
{
	appendStringInfoString(&pmml->xml, "</Apply>");
}

/* ------------------------------------------------------------- columns */

static bool
is_needed(const DmpPmml *pmml, int j)
{
	int k;

	for (k = 0; j >= 0 && k < pmml->sets; k++)
	{
		if (pmml->model->coef[j * pmml->sets + k] != 0)
			return true;
	}
	return false;
}

/* the feature that is a source as it is, or NULL */
static const DmpFeature *
untransformed(const DmpDesign *design, int source)
{
	int i;

	for (i = 0; i < design->nfeatures; i++)
	{
		if (design->features[i].transform == NULL && design->features[i].source == source)
			return &design->features[i];
	}
	return NULL;
}

/* A number that nothing else looks at is filled as it comes in. */
static bool
is_filled(const DmpPmml *pmml, const DmpFeature *feature, int source)
{
	const DmpDesign *design = &pmml->model->design;
	int i;
	int k;

	if (feature == NULL || feature->encode != DMP_ENCODE_NUMERIC ||
		!is_needed(pmml, feature->index) || is_needed(pmml, feature->missing_index))
		return false;
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpTransform *t = design->features[i].transform;

		for (k = 0; t != NULL && k < t->ncolumns; k++)
		{
			if (t->source[k] == source)
				return false;
		}
	}
	return true;
}

char *
dmp_pmml_field_name(DmpPmml *pmml, char *name)
{
	while (dmp_list_has(pmml->names, name))
		name = psprintf("%s*", name);
	pmml->names = lappend(pmml->names, name);
	return name;
}

static void
begin_field(DmpPmml *pmml, int j, char *name)
{
	pmml->columns[j] = dmp_pmml_field_name(pmml, name);
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<DerivedField");
	dmp_pmml_attribute(pmml, "name", pmml->columns[j]);
	appendStringInfoString(&pmml->xml, " optype=\"continuous\" dataType=\"double\">");
	dmp_pmml_indent(pmml, 3);
}

static void
end_field(DmpPmml *pmml)
{
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</DerivedField>");
}

/* the value of a number or boolean, 0 or 1; with a flag it is told here what a missing one is */
static void
put_value(DmpPmml *pmml, const DmpFeature *feature, const char *field)
{
	bool boolean = feature->encode == DMP_ENCODE_BOOLEAN;
	/* no MiningSchema can replace a boolean by a number between 0 and 1 */
	bool fill = feature->transform != NULL || !is_filled(pmml, feature, feature->source);

	if (fill)
	{
		if_missing(pmml, field);
		dmp_pmml_constant(pmml, "double", dmp_pmml_number(feature->fill));
	}
	if (boolean)
	{
		appendStringInfoString(&pmml->xml, "<Apply function=\"if\">");
		dmp_pmml_field_ref(pmml, field);
		dmp_pmml_constant(pmml, "double", "1");
		dmp_pmml_constant(pmml, "double", "0");
		end_apply(pmml);
	}
	else
		dmp_pmml_field_ref(pmml, field);
	if (fill)
		end_apply(pmml);
}

static void
number_fields(DmpPmml *pmml, const DmpFeature *feature, const char *field)
{
	double pivot;
	bool direct;

	if (!is_needed(pmml, feature->index))
		return;
	pivot = pmml->model->design.pivot[feature->index];
	direct = is_filled(pmml, feature, feature->source) && feature->transform == NULL;
	if (direct && pivot == 0)
	{
		pmml->columns[feature->index] = feature->name;
		return;
	}
	begin_field(pmml, feature->index, psprintf(pivot == 0 ? "%s (number)" : "%s (centred)", field));
	if (pivot != 0)
		appendStringInfoString(&pmml->xml, "<Apply function=\"-\">");
	put_value(pmml, feature, field);
	if (pivot != 0)
	{
		dmp_pmml_constant(pmml, "double", dmp_pmml_number(pivot));
		end_apply(pmml);
	}
	end_field(pmml);
}

static void
level_fields(DmpPmml *pmml, const DmpFeature *feature, const char *field)
{
	int k;

	for (k = 0; k < feature->nlevels; k++)
	{
		const DmpLevel *level = &feature->levels[k];

		if (!is_needed(pmml, level->index))
			continue;
		begin_field(pmml, level->index, psprintf("%s = %s", field, level->text));
		appendStringInfoString(&pmml->xml, "<NormDiscrete");
		dmp_pmml_attribute(pmml, "field", field);
		dmp_pmml_attribute(pmml, "value", level->text);
		appendStringInfoString(&pmml->xml, " mapMissingTo=\"0\"/>");
		end_field(pmml);
	}
	if (!is_needed(pmml, feature->other_index))
		return;
	begin_field(pmml, feature->other_index, psprintf("%s (other)", field));
	if_missing(pmml, field);
	/* few missing values may share the column of the rare levels */
	dmp_pmml_constant(pmml, "double", feature->missing_index == feature->other_index ? "1" : "0");
	if (feature->nlevels > 0)
	{
		appendStringInfoString(&pmml->xml, "<Apply function=\"if\"><Apply function=\"isIn\">");
		dmp_pmml_field_ref(pmml, field);
		for (k = 0; k < feature->nlevels; k++)
			dmp_pmml_constant(pmml, "string", feature->levels[k].text);
		end_apply(pmml);
		dmp_pmml_constant(pmml, "double", "0");
	}
	dmp_pmml_constant(pmml, "double", "1");
	if (feature->nlevels > 0)
		end_apply(pmml);
	end_apply(pmml);
	end_field(pmml);
}

static void
transformations(DmpPmml *pmml)
{
	const DmpDesign *design = &pmml->model->design;
	int i;

	dmp_pmml_indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "<TransformationDictionary>");
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->transform != NULL)
			dmp_pmml_transform(pmml, i);
		if (feature->encode == DMP_ENCODE_ONE_HOT)
			level_fields(pmml, feature, pmml->fields[i]);
		else
			number_fields(pmml, feature, pmml->fields[i]);
		if (!is_needed(pmml, feature->missing_index) ||
			feature->missing_index == feature->other_index)
			continue;
		begin_field(pmml, feature->missing_index, psprintf("%s (missing)", pmml->fields[i]));
		if_missing(pmml, pmml->fields[i]);
		dmp_pmml_constant(pmml, "double", "1");
		dmp_pmml_constant(pmml, "double", "0");
		end_apply(pmml);
		end_field(pmml);
	}
	dmp_pmml_indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "</TransformationDictionary>");
}

/* ---------------------------------------------------------- dictionary */

static void
data_field(DmpPmml *pmml, const char *name, const char *optype, const char *type)
{
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<DataField");
	dmp_pmml_attribute(pmml, "name", name);
	appendStringInfo(&pmml->xml, " optype=\"%s\" dataType=\"%s\"", optype, type);
}

static void
data_value(DmpPmml *pmml, const char *text)
{
	dmp_pmml_indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<Value");
	dmp_pmml_attribute(pmml, "value", text);
	appendStringInfoString(&pmml->xml, "/>");
}

static void
end_data_field(DmpPmml *pmml)
{
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</DataField>");
}

/* what is predicted may be called as one of the columns it is predicted from */
static void
target_field(DmpPmml *pmml, const char *target)
{
	const DmpModel *model = pmml->model;
	int k;

	if (pmml->sets == 1 && strcmp(model->family, "binomial") != 0)
	{
		data_field(pmml, target, "continuous", "double");
		appendStringInfoString(&pmml->xml, "/>");
		return;
	}
	data_field(pmml, target, "categorical", "string");
	appendStringInfoChar(&pmml->xml, '>');
	for (k = 0; k < model->nclasses; k++)
		data_value(pmml, model->classes[k]);
	if (model->nclasses == 0)
	{
		data_value(pmml, model->negative);
		data_value(pmml, model->positive);
	}
	end_data_field(pmml);
}

static void
data_dictionary(DmpPmml *pmml, const char *target)
{
	const DmpDesign *design = &pmml->model->design;
	int i;
	int k;

	dmp_pmml_indent(pmml, 1);
	appendStringInfo(&pmml->xml, "<DataDictionary numberOfFields=\"%d\">", design->nsources + 1);
	target_field(pmml, target);
	for (i = 0; i < design->nsources; i++)
	{
		const DmpSource *source = &design->sources[i];
		const DmpFeature *feature = untransformed(design, i);

		if (source->kind == DMP_VALUE_NUMBER)
			data_field(pmml, source->name, "continuous", "double");
		else if (source->kind == DMP_VALUE_BOOLEAN)
			data_field(pmml, source->name, "categorical", "boolean");
		else
			data_field(pmml, source->name, "categorical", "string");
		if (feature == NULL || feature->nlevels == 0)
		{
			appendStringInfoString(&pmml->xml, "/>");
			continue;
		}
		appendStringInfoChar(&pmml->xml, '>');
		for (k = 0; k < feature->nlevels; k++)
			data_value(pmml, feature->levels[k].text);
		end_data_field(pmml);
	}
	dmp_pmml_indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "</DataDictionary>");
}

static void
mining_schema(DmpPmml *pmml, const char *target)
{
	const DmpDesign *design = &pmml->model->design;
	int i;

	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<MiningSchema>");
	dmp_pmml_indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<MiningField");
	dmp_pmml_attribute(pmml, "name", target);
	appendStringInfoString(&pmml->xml, " usageType=\"target\"/>");
	for (i = 0; i < design->nsources; i++)
	{
		const DmpSource *source = &design->sources[i];
		const DmpFeature *feature = untransformed(design, i);

		dmp_pmml_indent(pmml, 3);
		appendStringInfoString(&pmml->xml, "<MiningField");
		dmp_pmml_attribute(pmml, "name", source->name);
		if (is_filled(pmml, feature, i))
			appendStringInfo(&pmml->xml,
							 " missingValueReplacement=\"%s\" missingValueTreatment=\"asValue\"",
							 dmp_pmml_number(feature->fill));
		if (source->kind == DMP_VALUE_TEXT)
			appendStringInfoString(&pmml->xml, " invalidValueTreatment=\"asIs\"");
		appendStringInfoString(&pmml->xml, "/>");
	}
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</MiningSchema>");
}

/* --------------------------------------------------------------- model */

static void
probability_output(DmpPmml *pmml, const char *class)
{
	dmp_pmml_indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<OutputField");
	dmp_pmml_attribute(pmml, "name", psprintf("probability(%s)", class));
	appendStringInfoString(&pmml->xml,
						   " optype=\"continuous\" dataType=\"double\" feature=\"probability\"");
	dmp_pmml_attribute(pmml, "value", class);
	appendStringInfoString(&pmml->xml, "/>");
}

/* the probability of a class is this or more */
static void
at_least(DmpPmml *pmml, const char *class, double threshold)
{
	appendStringInfoString(&pmml->xml, "<Apply function=\"greaterOrEqual\">");
	dmp_pmml_field_ref(pmml, psprintf("probability(%s)", class));
	dmp_pmml_constant(pmml, "double", dmp_pmml_number(threshold));
	end_apply(pmml);
}

static void
output(DmpPmml *pmml)
{
	const DmpModel *model = pmml->model;
	int k;

	if (model->nclasses == 0 && strcmp(model->family, "binomial") != 0)
		return;
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<Output>");
	for (k = 0; k < model->nclasses; k++)
		probability_output(pmml, model->classes[k]);
	if (model->nclasses == 0)
	{
		probability_output(pmml, model->positive);
		probability_output(pmml, model->negative);
		dmp_pmml_indent(pmml, 3);
		appendStringInfoString(&pmml->xml, "<OutputField");
		dmp_pmml_attribute(pmml, "name", dmp_pmml_field_name(pmml, "class"));
		appendStringInfoString(&pmml->xml, " optype=\"categorical\" dataType=\"string\" "
										   "feature=\"transformedValue\">");
		dmp_pmml_indent(pmml, 4);
		if (model->reject > 0)
		{
			/* an if without else: missing */
			appendStringInfoString(&pmml->xml, "<Apply function=\"if\"><Apply function=\"or\">");
			at_least(pmml, model->positive, model->reject);
			at_least(pmml, model->negative, model->reject);
			end_apply(pmml);
		}
		appendStringInfoString(&pmml->xml, "<Apply function=\"if\">");
		at_least(pmml, model->positive, model->threshold);
		dmp_pmml_constant(pmml, "string", model->positive);
		dmp_pmml_constant(pmml, "string", model->negative);
		end_apply(pmml);
		if (model->reject > 0)
			end_apply(pmml);
		dmp_pmml_indent(pmml, 3);
		appendStringInfoString(&pmml->xml, "</OutputField>");
	}
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</Output>");
}

static void
predictor(DmpPmml *pmml, int j, int k, double slope)
{
	double coef = j < 0 ? 0 : pmml->model->coef[j * pmml->sets + k];

	if (coef == 0)
		return;
	dmp_pmml_indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<NumericPredictor");
	dmp_pmml_attribute(pmml, "name", pmml->columns[j]);
	dmp_pmml_attribute(pmml, "coefficient", dmp_pmml_number(slope * coef));
	appendStringInfoString(&pmml->xml, "/>");
}

/* class: NULL of a number; margin = slope (a + sum) + shift */
static void
regression_table(DmpPmml *pmml, const char *class, int k, double slope, double shift)
{
	const DmpModel *model = pmml->model;
	double a = model->nclasses > 0 ? model->intercepts[k] : model->a;
	int i;
	int l;

	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<RegressionTable");
	dmp_pmml_attribute(pmml, "intercept", dmp_pmml_number(slope * a + shift));
	if (class != NULL)
		dmp_pmml_attribute(pmml, "targetCategory", class);
	appendStringInfoChar(&pmml->xml, '>');
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];

		if (feature->encode != DMP_ENCODE_ONE_HOT)
			predictor(pmml, feature->index, k, slope);
		for (l = 0; l < feature->nlevels; l++)
			predictor(pmml, feature->levels[l].index, k, slope);
		predictor(pmml, feature->other_index, k, slope);
		if (feature->missing_index != feature->other_index)
			predictor(pmml, feature->missing_index, k, slope);
	}
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</RegressionTable>");
}

static void
regression_model(DmpPmml *pmml, const char *name, const char *target)
{
	const DmpModel *model = pmml->model;
	const DmpCalibration *calibration = model->calibration;
	bool numbers = model->nclasses == 0 && strcmp(model->family, "binomial") != 0;
	int k;

	dmp_pmml_indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "<RegressionModel");
	dmp_pmml_attribute(pmml, "modelName", name);
	appendStringInfo(&pmml->xml, " functionName=\"%s\" normalizationMethod=\"%s\">",
					 numbers ? "regression" : "classification",
					 model->nclasses > 0                     ? "softmax"
					 : !numbers                              ? "logit"
					 : strcmp(model->family, "poisson") == 0 ? "exp"
															 : "none");
	mining_schema(pmml, target);
	output(pmml);
	for (k = 0; k < model->nclasses; k++)
		regression_table(pmml, model->classes[k], k, 1, 0);
	if (model->nclasses == 0)
		regression_table(pmml, numbers ? NULL : model->positive, 0,
						 calibration ? calibration->slope : 1,
						 calibration ? calibration->intercept : 0);
	if (model->nclasses == 0 && !numbers)
	{
		dmp_pmml_indent(pmml, 2);
		appendStringInfoString(&pmml->xml, "<RegressionTable intercept=\"0\"");
		dmp_pmml_attribute(pmml, "targetCategory", model->negative);
		appendStringInfoString(&pmml->xml, "/>");
	}
	dmp_pmml_indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "</RegressionModel>");
}

static void
refuse(const DmpModel *model)
{
	int i;

	for (i = 0; i < model->design.nfeatures; i++)
	{
		if (DMP_ENCODE_IS_WIDE(model->design.features[i].encode))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("PMML has no words for a model with hashed columns"),
					 errdetail("Feature \"%s\" is hashed.", model->design.features[i].name)));
	}
	for (i = 0; i < model->design.nfeatures; i++)
	{
		if (model->design.features[i].transform != NULL)
			dmp_pmml_check_transform(&model->design.features[i]);
	}
	if (model->calibration != NULL && model->calibration->method != DMP_CALIBRATION_PLATT)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("PMML has no words for a model with %s calibration",
							   dmp_calibration_method_name(model->calibration->method)),
						errhint("Platt's calibration can be written.")));
}

/* dmp.model_pmml(model): PMML 4.4, for any evaluator of it */
Datum
dmp_model_pmml(PG_FUNCTION_ARGS)
{
	DmpModelRow *row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	DmpModel *model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	DmpPmml pmml = {0};
	char *target;
	int i;

	refuse(model);
	dmp_model_refuse_segments(model, "PMML");
	initStringInfo(&pmml.xml);
	pmml.model = model;
	pmml.sets = Max(model->nclasses, 1);
	pmml.columns = palloc0(sizeof(char *) * Max(model->design.width, 1));
	pmml.fields = palloc0(sizeof(char *) * Max(model->design.nfeatures, 1));
	for (i = 0; i < model->design.nsources; i++)
		pmml.names = lappend(pmml.names, model->design.sources[i].name);
	for (i = 0; i < model->design.nfeatures; i++)
	{
		if (model->design.features[i].transform == NULL)
			pmml.fields[i] = model->design.features[i].name;
	}
	target = dmp_pmml_field_name(&pmml, model->target);
	appendStringInfo(&pmml.xml,
					 "<?xml version=\"1.0\"?>\n"
					 "<PMML version=\"4.4\" xmlns=\"http://www.dmg.org/PMML-4_4\">\n"
					 "  <Header>\n    <Application name=\"dmp\" version=\"%s\"/>\n  </Header>",
					 DMP_VERSION);
	data_dictionary(&pmml, target);
	transformations(&pmml);
	regression_model(&pmml, psprintf("%s@%d", row->name, row->version), target);
	appendStringInfoString(&pmml.xml, "\n</PMML>\n");
	PG_RETURN_TEXT_P(cstring_to_text(pmml.xml.data));
}
