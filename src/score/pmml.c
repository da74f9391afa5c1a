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
#include "lib/stringinfo.h"
#include "score/score.h"

PG_FUNCTION_INFO_V1(dmp_model_pmml);

typedef struct Pmml
{
	StringInfoData xml;
	const DmpModel *model;
	int sets;
	char **columns; /* name of the field of each design column; NULL: of none is it needed */
	List *names;    /* that are taken */
} Pmml;

/* ---------------------------------------------------------------- text */

static void
indent(Pmml *pmml, int depth)
{
	appendStringInfoChar(&pmml->xml, '\n');
	appendStringInfoSpaces(&pmml->xml, depth * 2);
}

/* text of an attribute or an element */
static void
escape(Pmml *pmml, const char *text)
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

static void
attribute(Pmml *pmml, const char *name, const char *value)
{
	appendStringInfo(&pmml->xml, " %s=\"", name);
	escape(pmml, value);
	appendStringInfoChar(&pmml->xml, '"');
}

static char *
number_text(double value)
{
	char *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	double_to_shortest_decimal_buf(value, text);
	return text;
}

static void
constant(Pmml *pmml, const char *type, const char *value)
{
	appendStringInfo(&pmml->xml, "<Constant dataType=\"%s\">", type);
	escape(pmml, value);
	appendStringInfoString(&pmml->xml, "</Constant>");
}

static void
field_ref(Pmml *pmml, const char *name)
{
	appendStringInfoString(&pmml->xml, "<FieldRef");
	attribute(pmml, "field", name);
	appendStringInfoString(&pmml->xml, "/>");
}

/* opens if (the field is missing) */
static void
if_missing(Pmml *pmml, const char *name)
{
	appendStringInfoString(&pmml->xml, "<Apply function=\"if\"><Apply function=\"isMissing\">");
	field_ref(pmml, name);
	appendStringInfoString(&pmml->xml, "</Apply>");
}

static void
end_apply(Pmml *pmml)
{
	appendStringInfoString(&pmml->xml, "</Apply>");
}

/* ------------------------------------------------------------- columns */

static bool
is_needed(const Pmml *pmml, int j)
{
	int k;

	for (k = 0; j >= 0 && k < pmml->sets; k++)
	{
		if (pmml->model->coef[j * pmml->sets + k] != 0)
			return true;
	}
	return false;
}

static bool
is_taken(const Pmml *pmml, const char *name)
{
	ListCell *lc;

	foreach (lc, pmml->names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

static char *
field_name(Pmml *pmml, char *name)
{
	while (is_taken(pmml, name))
		name = psprintf("%s*", name);
	pmml->names = lappend(pmml->names, name);
	return name;
}

static void
begin_field(Pmml *pmml, int j, char *name)
{
	pmml->columns[j] = field_name(pmml, name);
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<DerivedField");
	attribute(pmml, "name", pmml->columns[j]);
	appendStringInfoString(&pmml->xml, " optype=\"continuous\" dataType=\"double\">");
	indent(pmml, 3);
}

static void
end_field(Pmml *pmml)
{
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</DerivedField>");
}

/* the value of a number or boolean, 0 or 1; with a flag it is told here what a missing one is */
static void
put_value(Pmml *pmml, const DmpFeature *feature)
{
	bool flag = is_needed(pmml, feature->missing_index);
	bool boolean = feature->encode == DMP_ENCODE_BOOLEAN;

	/* no MiningSchema can replace a boolean by a number between 0 and 1 */
	if (flag || boolean)
	{
		if_missing(pmml, feature->name);
		constant(pmml, "double", number_text(feature->fill));
	}
	if (boolean)
	{
		appendStringInfoString(&pmml->xml, "<Apply function=\"if\">");
		field_ref(pmml, feature->name);
		constant(pmml, "double", "1");
		constant(pmml, "double", "0");
		end_apply(pmml);
	}
	else
		field_ref(pmml, feature->name);
	if (flag || boolean)
		end_apply(pmml);
}

static void
number_fields(Pmml *pmml, const DmpFeature *feature)
{
	double pivot;
	bool direct;

	if (!is_needed(pmml, feature->index))
		return;
	pivot = pmml->model->design.pivot[feature->index];
	direct = feature->encode == DMP_ENCODE_NUMERIC && !is_needed(pmml, feature->missing_index);
	if (direct && pivot == 0)
	{
		pmml->columns[feature->index] = feature->name;
		return;
	}
	begin_field(pmml, feature->index,
				psprintf(pivot == 0 ? "%s (number)" : "%s (centred)", feature->name));
	if (pivot != 0)
		appendStringInfoString(&pmml->xml, "<Apply function=\"-\">");
	put_value(pmml, feature);
	if (pivot != 0)
	{
		constant(pmml, "double", number_text(pivot));
		end_apply(pmml);
	}
	end_field(pmml);
}

static void
level_fields(Pmml *pmml, const DmpFeature *feature)
{
	int k;

	for (k = 0; k < feature->nlevels; k++)
	{
		const DmpLevel *level = &feature->levels[k];

		if (!is_needed(pmml, level->index))
			continue;
		begin_field(pmml, level->index, psprintf("%s = %s", feature->name, level->text));
		appendStringInfoString(&pmml->xml, "<NormDiscrete");
		attribute(pmml, "field", feature->name);
		attribute(pmml, "value", level->text);
		appendStringInfoString(&pmml->xml, " mapMissingTo=\"0\"/>");
		end_field(pmml);
	}
	if (!is_needed(pmml, feature->other_index))
		return;
	begin_field(pmml, feature->other_index, psprintf("%s (other)", feature->name));
	if_missing(pmml, feature->name);
	/* few missing values may share the column of the rare levels */
	constant(pmml, "double", feature->missing_index == feature->other_index ? "1" : "0");
	if (feature->nlevels > 0)
	{
		appendStringInfoString(&pmml->xml, "<Apply function=\"if\"><Apply function=\"isIn\">");
		field_ref(pmml, feature->name);
		for (k = 0; k < feature->nlevels; k++)
			constant(pmml, "string", feature->levels[k].text);
		end_apply(pmml);
		constant(pmml, "double", "0");
	}
	constant(pmml, "double", "1");
	if (feature->nlevels > 0)
		end_apply(pmml);
	end_apply(pmml);
	end_field(pmml);
}

static void
transformations(Pmml *pmml)
{
	const DmpDesign *design = &pmml->model->design;
	int i;

	indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "<TransformationDictionary>");
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->encode == DMP_ENCODE_ONE_HOT)
			level_fields(pmml, feature);
		else
			number_fields(pmml, feature);
		if (!is_needed(pmml, feature->missing_index) ||
			feature->missing_index == feature->other_index)
			continue;
		begin_field(pmml, feature->missing_index, psprintf("%s (missing)", feature->name));
		if_missing(pmml, feature->name);
		constant(pmml, "double", "1");
		constant(pmml, "double", "0");
		end_apply(pmml);
		end_field(pmml);
	}
	indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "</TransformationDictionary>");
}

/* ---------------------------------------------------------- dictionary */

static void
data_field(Pmml *pmml, const char *name, const char *optype, const char *type)
{
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<DataField");
	attribute(pmml, "name", name);
	appendStringInfo(&pmml->xml, " optype=\"%s\" dataType=\"%s\"", optype, type);
}

static void
data_value(Pmml *pmml, const char *text)
{
	indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<Value");
	attribute(pmml, "value", text);
	appendStringInfoString(&pmml->xml, "/>");
}

static void
end_data_field(Pmml *pmml)
{
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</DataField>");
}

/* what is predicted may be called as one of the columns it is predicted from */
static void
target_field(Pmml *pmml, const char *target)
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
data_dictionary(Pmml *pmml, const char *target)
{
	const DmpDesign *design = &pmml->model->design;
	int i;
	int k;

	indent(pmml, 1);
	appendStringInfo(&pmml->xml, "<DataDictionary numberOfFields=\"%d\">", design->nfeatures + 1);
	target_field(pmml, target);
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->encode == DMP_ENCODE_NUMERIC)
			data_field(pmml, feature->name, "continuous", "double");
		else if (feature->encode == DMP_ENCODE_BOOLEAN)
			data_field(pmml, feature->name, "categorical", "boolean");
		else
			data_field(pmml, feature->name, "categorical", "string");
		if (feature->encode != DMP_ENCODE_ONE_HOT || feature->nlevels == 0)
		{
			appendStringInfoString(&pmml->xml, "/>");
			continue;
		}
		appendStringInfoChar(&pmml->xml, '>');
		for (k = 0; k < feature->nlevels; k++)
			data_value(pmml, feature->levels[k].text);
		end_data_field(pmml);
	}
	indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "</DataDictionary>");
}

static void
mining_schema(Pmml *pmml, const char *target)
{
	const DmpDesign *design = &pmml->model->design;
	int i;

	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<MiningSchema>");
	indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<MiningField");
	attribute(pmml, "name", target);
	appendStringInfoString(&pmml->xml, " usageType=\"target\"/>");
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		indent(pmml, 3);
		appendStringInfoString(&pmml->xml, "<MiningField");
		attribute(pmml, "name", feature->name);
		if (feature->encode == DMP_ENCODE_NUMERIC && is_needed(pmml, feature->index) &&
			!is_needed(pmml, feature->missing_index))
			appendStringInfo(&pmml->xml,
							 " missingValueReplacement=\"%s\" missingValueTreatment=\"asValue\"",
							 number_text(feature->fill));
		if (feature->encode == DMP_ENCODE_ONE_HOT)
			appendStringInfoString(&pmml->xml, " invalidValueTreatment=\"asIs\"");
		appendStringInfoString(&pmml->xml, "/>");
	}
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</MiningSchema>");
}

/* --------------------------------------------------------------- model */

static void
probability_output(Pmml *pmml, const char *class)
{
	indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<OutputField");
	attribute(pmml, "name", psprintf("probability(%s)", class));
	appendStringInfoString(&pmml->xml,
						   " optype=\"continuous\" dataType=\"double\" feature=\"probability\"");
	attribute(pmml, "value", class);
	appendStringInfoString(&pmml->xml, "/>");
}

static void
output(Pmml *pmml)
{
	const DmpModel *model = pmml->model;
	int k;

	if (model->nclasses == 0 && strcmp(model->family, "binomial") != 0)
		return;
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<Output>");
	for (k = 0; k < model->nclasses; k++)
		probability_output(pmml, model->classes[k]);
	if (model->nclasses == 0)
	{
		probability_output(pmml, model->positive);
		probability_output(pmml, model->negative);
		indent(pmml, 3);
		appendStringInfoString(&pmml->xml, "<OutputField");
		attribute(pmml, "name", field_name(pmml, "class"));
		appendStringInfoString(&pmml->xml, " optype=\"categorical\" dataType=\"string\" "
										   "feature=\"transformedValue\">");
		indent(pmml, 4);
		appendStringInfoString(&pmml->xml,
							   "<Apply function=\"if\"><Apply function=\"greaterOrEqual\">");
		field_ref(pmml, psprintf("probability(%s)", model->positive));
		constant(pmml, "double", number_text(model->threshold));
		end_apply(pmml);
		constant(pmml, "string", model->positive);
		constant(pmml, "string", model->negative);
		end_apply(pmml);
		indent(pmml, 3);
		appendStringInfoString(&pmml->xml, "</OutputField>");
	}
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</Output>");
}

static void
predictor(Pmml *pmml, int j, int k, double slope)
{
	double coef = j < 0 ? 0 : pmml->model->coef[j * pmml->sets + k];

	if (coef == 0)
		return;
	indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "<NumericPredictor");
	attribute(pmml, "name", pmml->columns[j]);
	attribute(pmml, "coefficient", number_text(slope * coef));
	appendStringInfoString(&pmml->xml, "/>");
}

/* class: NULL of a number; margin = slope (a + sum) + shift */
static void
regression_table(Pmml *pmml, const char *class, int k, double slope, double shift)
{
	const DmpModel *model = pmml->model;
	double a = model->nclasses > 0 ? model->intercepts[k] : model->a;
	int i;
	int l;

	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<RegressionTable");
	attribute(pmml, "intercept", number_text(slope * a + shift));
	if (class != NULL)
		attribute(pmml, "targetCategory", class);
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
	indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</RegressionTable>");
}

static void
regression_model(Pmml *pmml, const char *name, const char *target)
{
	const DmpModel *model = pmml->model;
	const DmpCalibration *calibration = model->calibration;
	bool numbers = model->nclasses == 0 && strcmp(model->family, "binomial") != 0;
	int k;

	indent(pmml, 1);
	appendStringInfoString(&pmml->xml, "<RegressionModel");
	attribute(pmml, "modelName", name);
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
		indent(pmml, 2);
		appendStringInfoString(&pmml->xml, "<RegressionTable intercept=\"0\"");
		attribute(pmml, "targetCategory", model->negative);
		appendStringInfoString(&pmml->xml, "/>");
	}
	indent(pmml, 1);
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
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("the transform of \"%s\" cannot be written as PMML",
								   model->design.features[i].name)));
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
	Pmml pmml = {0};
	char *target;
	int i;

	refuse(model);
	initStringInfo(&pmml.xml);
	pmml.model = model;
	pmml.sets = Max(model->nclasses, 1);
	pmml.columns = palloc0(sizeof(char *) * Max(model->design.width, 1));
	for (i = 0; i < model->design.nfeatures; i++)
		pmml.names = lappend(pmml.names, model->design.features[i].name);
	target = field_name(&pmml, model->target);
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
