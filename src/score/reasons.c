/*-------------------------------------------------------------------------
 * reasons.c
 *		Why a row scores as it does, in sentences: dmp.reasons.
 *
 * The terms are those of dmp.explain, largest first, ties in the order of the
 * model; what adds nothing is no reason. Each says the value of the row and,
 * for comparison, what training knew: the average of a number, the share of
 * rows that were true, that had the level, or that were missing.
 *
 *		PageValues 0 (average 5.89) lowers the score
 *		country "DE" (12 % of rows) raises the score
 *		device "tv" (rare or new) lowers the score
 *		age is missing (3 % of rows) lowers the score
 *
 * With direction 'lower' only what lowers the score is told, as adverse
 * action notices want it.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/transform.h"
#include "mb/pg_wchar.h"
#include "score/score.h"

PG_FUNCTION_INFO_V1(dmp_reasons);

#define LONGEST_VALUE 60 /* bytes of a value that are shown */

/* three digits, as people write them */
static char *
short_number(double value)
{
	if (fabs(value) >= 99.95 && fabs(value) < 1e15)
		return psprintf("%.0f", value);
	return psprintf("%.3g", value);
}

static char *
percent(double share)
{
	double value = share * 100;

	if (value > 0 && value < 1)
		return pstrdup("below 1 %");
	if (value > 99 && value < 100)
		return pstrdup("above 99 %");
	return psprintf("%.0f %%", value);
}

/* a value of the row, cut when it is long */
static char *
shown(const char *value)
{
	int length = strlen(value);

	if (length <= LONGEST_VALUE)
		return pstrdup(value);
	return psprintf("%s...", pnstrdup(value, pg_mbcliplen(value, length, LONGEST_VALUE)));
}

/* rows of training by what they had in a column of levels */
static int64
rows_of(const DmpFeature *feature)
{
	int64 rows = feature->rows_missing + feature->rows_other;
	int k;

	for (k = 0; k < feature->nlevels; k++)
		rows += feature->levels[k].rows;
	return rows;
}

static char *
level_words(const DmpFeature *feature, const char *value)
{
	int64 rows = rows_of(feature);
	int k;

	for (k = 0; k < feature->nlevels; k++)
	{
		if (strcmp(feature->levels[k].text, value) != 0)
			continue;
		if (rows == 0)
			return psprintf("%s \"%s\"", feature->name, shown(value));
		return psprintf("%s \"%s\" (%s of rows)", feature->name, shown(value),
						percent((double) feature->levels[k].rows / rows));
	}
	return psprintf("%s \"%s\" (%s)", feature->name, shown(value),
					feature->rows_other > 0 ? "rare or new" : "not met in training");
}

static char *
missing_words(const DmpModel *model, const DmpFeature *feature)
{
	double share = -1;

	if (feature->encode == DMP_ENCODE_ONE_HOT && rows_of(feature) > 0)
		share = (double) feature->rows_missing / rows_of(feature);
	else if (feature->missing_index >= 0 && feature->rows_missing > 0)
		share = model->design.mean[feature->missing_index];
	if (share < 0)
		return psprintf("%s is missing", feature->name);
	return psprintf("%s is missing (%s of rows)", feature->name, percent(share));
}

/* The one feature of a source, where it has one as it is or in bins or by its value of a table. */
static const DmpFeature *
plain_feature(const DmpDesign *design, int source)
{
	const DmpFeature *found = NULL;
	int i;

	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];
		const DmpTransform *t = feature->transform;

		if (t != NULL && t->ncolumns > 1)
			continue; /* a pair is told on its own */
		if (feature->source != source)
			continue;
		if (found != NULL)
			return NULL;
		found = feature;
	}
	return found;
}

/* of a column in bins or behind a table: which bin, and how many rows were there */
static char *
bin_words(const DmpFeature *feature, const char *name, const char *value, double x)
{
	const DmpTransform *t = feature->transform;
	char *label;
	int bin = 0;
	int k;

	if ((t->kind != DMP_TRANSFORM_BINS && t->kind != DMP_TRANSFORM_WOE &&
		 t->kind != DMP_TRANSFORM_TARGET) ||
		t->kinds[0] != DMP_VALUE_NUMBER)
		return psprintf("%s %s", name, shown(value));
	while (bin < t->nedges && x >= t->edges[bin])
		bin++;
	label = dmp_bin_label(t->edges, t->nedges, bin);
	if (t->kind != DMP_TRANSFORM_BINS)
		return psprintf("%s %s (in %s)", name, value, label);
	for (k = 0; k < feature->nlevels && rows_of(feature) > 0; k++)
	{
		if (strcmp(feature->levels[k].text, label) == 0)
			return psprintf("%s %s (in %s, %s of rows)", name, value, label,
							percent((double) feature->levels[k].rows / rows_of(feature)));
	}
	return psprintf("%s %s (in %s)", name, value, label);
}

/* what the row has, against what training had */
static char *
words_of(const DmpRowMap *map, const DmpContribution *row)
{
	const DmpModel *model = map->model;
	const DmpFeature *feature;
	char *value;

	if (row->place >= model->design.nsources)
		return psprintf("%s together", row->name);
	feature = plain_feature(&model->design, row->place);
	value = dmp_value_shown(map, row->place);
	if (value != NULL && model->design.sources[row->place].kind == DMP_VALUE_NUMBER &&
		strcmp(value, "NaN") == 0)
		value = NULL;
	if (feature == NULL || feature->transform != NULL)
	{
		if (value == NULL)
			return psprintf("%s is missing", row->name);
		if (feature == NULL)
			return psprintf("%s %s", row->name, shown(value));
		if (model->design.sources[row->place].kind != DMP_VALUE_NUMBER)
			return psprintf("%s %s", row->name, shown(value));
		return bin_words(feature, row->name, value,
						 dmp_value_number(map->values[row->place], map->types[row->place]));
	}
	if (value == NULL)
		return missing_words(model, feature);
	switch (feature->encode)
	{
		case DMP_ENCODE_NUMERIC:
			if (feature->index < 0)
				return psprintf("%s %s", feature->name, value);
			return psprintf("%s %s (average %s)", feature->name, value,
							short_number(model->design.mean[feature->index]));
		case DMP_ENCODE_BOOLEAN:
			if (feature->index < 0)
				return psprintf("%s is %s", feature->name, value[0] == 't' ? "true" : "false");
			return psprintf("%s is %s (true in %s of rows)", feature->name,
							value[0] == 't' ? "true" : "false",
							percent(model->design.mean[feature->index]));
		case DMP_ENCODE_ONE_HOT:
			return level_words(feature, value);
		default:
			return psprintf("%s \"%s\"", feature->name, shown(value));
	}
}

/* 'lower', 'raise' or both */
static int
direction_of(FunctionCallInfo fcinfo)
{
	char *name;

	if (PG_ARGISNULL(3))
		return 0;
	name = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (strcmp(name, "lower") == 0)
		return -1;
	if (strcmp(name, "raise") == 0)
		return 1;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("direction \"%s\" is not known", name),
					errhint("It is \"lower\", \"raise\", or null for both.")));
	return 0;
}

/* dmp.reasons(model, row, n, direction) -> text[]; NULL without a model or a row */
Datum
dmp_reasons(PG_FUNCTION_ARGS)
{
	const DmpRowMap *map;
	DmpContribution *rows;
	Datum *texts;
	double average;
	int direction = direction_of(fcinfo);
	int found = 0;
	int nrows;
	int n = PG_ARGISNULL(2) ? PG_INT32_MAX : PG_GETARG_INT32(2);
	int i;

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"n\" must not be negative")));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	map = dmp_row_of_call(fcinfo);
	if (map->model->nclasses > 0)
		dmp_model_refuse_classes(map->model);
	rows = dmp_contributions(map, &average, &nrows);
	texts = palloc(sizeof(Datum) * Max(nrows, 1));
	for (i = 0; i < nrows && found < n; i++)
	{
		int sign = (rows[i].value > 0) - (rows[i].value < 0);

		if (sign == 0 || (direction != 0 && sign != direction))
			continue;
		texts[found++] = CStringGetTextDatum(
			psprintf("%s %s the score", words_of(map, &rows[i]), sign > 0 ? "raises" : "lowers"));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(texts, found, TEXTOID, -1, false, TYPALIGN_INT));
}
