/*-------------------------------------------------------------------------
 * pmml_transform.c
 *		Transforms of columns as derived fields of PMML.
 *
 * Bins are a Discretize, tables of a text a MapValues; the logarithm, a fill
 * and a product are formulas. Parts of times, elements of arrays, levels of
 * numbers, pairs of texts and slopes have no equal there and are refused by
 * name.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "learn/transform.h"
#include "score/pmml.h"

static bool
is_table(const DmpTransform *t)
{
	return t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET;
}

void
dmp_pmml_check_transform(const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;
	bool numbers =
		t->kinds[0] == DMP_VALUE_NUMBER && (t->ncolumns < 2 || t->kinds[1] == DMP_VALUE_NUMBER);

	if ((numbers && (t->kind == DMP_TRANSFORM_FILL || t->kind == DMP_TRANSFORM_LOG || is_table(t) ||
					 t->kind == DMP_TRANSFORM_BINS || t->kind == DMP_TRANSFORM_PRODUCT)) ||
		(t->kinds[0] == DMP_VALUE_TEXT && is_table(t)))
		return;
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("PMML has no words for feature \"%s\"", feature->name),
					errdetail("Its transform is \"%s\".", dmp_transform_name(t->kind)),
					errhint("dmp.model_sql writes every transform.")));
}

static void
apply(DmpPmml *pmml, const char *function)
{
	appendStringInfo(&pmml->xml, "<Apply function=\"%s\">", function);
}

static void
end_apply(DmpPmml *pmml)
{
	appendStringInfoString(&pmml->xml, "</Apply>");
}

/* a column of a transform, with the fill of the first */
static void
put_column(DmpPmml *pmml, const DmpTransform *t, int k)
{
	if (k > 0 || !t->has_fill)
	{
		dmp_pmml_field_ref(pmml, t->columns[k]);
		return;
	}
	apply(pmml, "if");
	apply(pmml, "isMissing");
	dmp_pmml_field_ref(pmml, t->columns[k]);
	end_apply(pmml);
	dmp_pmml_constant(pmml, "double", dmp_pmml_number(t->fill));
	dmp_pmml_field_ref(pmml, t->columns[k]);
	end_apply(pmml);
}

/* sign(x) ln(1 + |x|) */
static void
put_log(DmpPmml *pmml, const DmpTransform *t)
{
	apply(pmml, "*");
	apply(pmml, "if");
	apply(pmml, "lessThan");
	put_column(pmml, t, 0);
	dmp_pmml_constant(pmml, "double", "0");
	end_apply(pmml);
	dmp_pmml_constant(pmml, "double", "-1");
	dmp_pmml_constant(pmml, "double", "1");
	end_apply(pmml);
	apply(pmml, "ln");
	apply(pmml, "+");
	dmp_pmml_constant(pmml, "double", "1");
	apply(pmml, "abs");
	put_column(pmml, t, 0);
	end_apply(pmml);
	end_apply(pmml);
	end_apply(pmml);
	end_apply(pmml);
}

/* what a bin becomes: its label, or its value */
static char *
bin_text(const DmpTransform *t, int bin)
{
	if (t->kind == DMP_TRANSFORM_BINS)
		return dmp_bin_label(t->edges, t->nedges, bin);
	return dmp_pmml_number(t->values[bin]);
}

static void
put_bins(DmpPmml *pmml, const DmpTransform *t)
{
	int bin = 0;

	appendStringInfoString(&pmml->xml, "<Discretize");
	dmp_pmml_attribute(pmml, "field", t->columns[0]);
	if (t->has_fill)
	{
		while (bin < t->nedges && t->fill >= t->edges[bin])
			bin++;
		dmp_pmml_attribute(pmml, "mapMissingTo", bin_text(t, bin));
	}
	else if (t->kind != DMP_TRANSFORM_BINS)
		dmp_pmml_attribute(pmml, "mapMissingTo", dmp_pmml_number(t->values[t->nvalues]));
	if (t->nedges == 0) /* an interval needs an end */
		dmp_pmml_attribute(pmml, "defaultValue", bin_text(t, 0));
	appendStringInfo(&pmml->xml, " dataType=\"%s\">",
					 t->kind == DMP_TRANSFORM_BINS ? "string" : "double");
	for (bin = 0; t->nedges > 0 && bin <= t->nedges; bin++)
	{
		dmp_pmml_indent(pmml, 4);
		appendStringInfoString(&pmml->xml, "<DiscretizeBin");
		dmp_pmml_attribute(pmml, "binValue", bin_text(t, bin));
		appendStringInfoString(&pmml->xml, "><Interval closure=\"closedOpen\"");
		if (bin > 0)
			dmp_pmml_attribute(pmml, "leftMargin", dmp_pmml_number(t->edges[bin - 1]));
		if (bin < t->nedges)
			dmp_pmml_attribute(pmml, "rightMargin", dmp_pmml_number(t->edges[bin]));
		appendStringInfoString(&pmml->xml, "/></DiscretizeBin>");
	}
	dmp_pmml_indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "</Discretize>");
}

static void
put_table(DmpPmml *pmml, const DmpTransform *t)
{
	double missing = t->values[t->nvalues];
	int k;

	if (t->fill_text != NULL)
	{
		missing = t->values[t->nvalues + 1];
		for (k = 0; k < t->nlevels; k++)
		{
			if (strcmp(t->levels[k], t->fill_text) == 0)
				missing = t->values[k];
		}
	}
	appendStringInfoString(&pmml->xml, "<MapValues outputColumn=\"value\" dataType=\"double\"");
	dmp_pmml_attribute(pmml, "mapMissingTo", dmp_pmml_number(missing));
	dmp_pmml_attribute(pmml, "defaultValue", dmp_pmml_number(t->values[t->nvalues + 1]));
	appendStringInfoChar(&pmml->xml, '>');
	dmp_pmml_indent(pmml, 4);
	appendStringInfoString(&pmml->xml, "<FieldColumnPair");
	dmp_pmml_attribute(pmml, "field", t->columns[0]);
	appendStringInfoString(&pmml->xml, " column=\"level\"/>");
	dmp_pmml_indent(pmml, 4);
	appendStringInfoString(&pmml->xml, "<InlineTable>");
	for (k = 0; k < t->nlevels; k++)
	{
		dmp_pmml_indent(pmml, 5);
		appendStringInfoString(&pmml->xml, "<row><level>");
		dmp_pmml_escape(pmml, t->levels[k]);
		appendStringInfo(&pmml->xml, "</level><value>%s</value></row>",
						 dmp_pmml_number(t->values[k]));
	}
	dmp_pmml_indent(pmml, 4);
	appendStringInfoString(&pmml->xml, "</InlineTable>");
	dmp_pmml_indent(pmml, 3);
	appendStringInfoString(&pmml->xml, "</MapValues>");
}

void
dmp_pmml_transform(DmpPmml *pmml, int i)
{
	const DmpFeature *feature = &pmml->model->design.features[i];
	const DmpTransform *t = feature->transform;

	/* one that makes a number is called by its kind, as the column is a field too */
	pmml->fields[i] =
		dmp_pmml_field_name(pmml, psprintf("%s (%s)", feature->name, dmp_transform_name(t->kind)));
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "<DerivedField");
	dmp_pmml_attribute(pmml, "name", pmml->fields[i]);
	appendStringInfo(&pmml->xml, " optype=\"%s\" dataType=\"%s\">",
					 t->text ? "categorical" : "continuous", t->text ? "string" : "double");
	dmp_pmml_indent(pmml, 3);
	switch (t->kind)
	{
		case DMP_TRANSFORM_FILL:
			put_column(pmml, t, 0);
			break;
		case DMP_TRANSFORM_LOG:
			put_log(pmml, t);
			break;
		case DMP_TRANSFORM_PRODUCT:
			apply(pmml, "*");
			put_column(pmml, t, 0);
			put_column(pmml, t, 1);
			end_apply(pmml);
			break;
		case DMP_TRANSFORM_BINS:
			put_bins(pmml, t);
			break;
		default:
			if (t->kinds[0] == DMP_VALUE_TEXT)
				put_table(pmml, t);
			else
				put_bins(pmml, t);
	}
	dmp_pmml_indent(pmml, 2);
	appendStringInfoString(&pmml->xml, "</DerivedField>");
}
