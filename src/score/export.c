/*-------------------------------------------------------------------------
 * export.c
 *		A model for those who do not have the extension: dmp.model_sql and
 *		dmp.model_json.
 *
 * The expression adds the same terms in the same order as dmp_model_margin(),
 * with the numbers written so that they read back bit for bit.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "common/shortest_dec.h"
#include "learn/segments.h"
#include "learn/transform.h"
#include "lib/stringinfo.h"
#include "score/score.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

/* groups of a model that are written out */
#define MAX_SEGMENTS 1000

PG_FUNCTION_INFO_V1(dmp_model_sql);
PG_FUNCTION_INFO_V1(dmp_model_json);

static void
append_number(StringInfo sql, double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, text);
	appendStringInfo(sql, "'%s'::float8", text);
}

static double
level_coef(const DmpModel *model, int column)
{
	return column >= 0 ? model->coef[column] : 0;
}

/* WHEN of each bin of a number, in their order; the last is what is left */
static void
append_bins(StringInfo sql, const DmpModel *model, const DmpFeature *feature, const char *value)
{
	const DmpTransform *t = feature->transform;
	int i;

	for (i = 0; i <= t->nedges; i++)
	{
		char *label = dmp_bin_label(t->edges, t->nedges, i);
		bool unseen;

		if (i < t->nedges)
		{
			appendStringInfo(sql, "\n      WHEN %s < ", value);
			append_number(sql, t->edges[i]);
			appendStringInfoString(sql, " THEN ");
		}
		else
			appendStringInfoString(sql, "\n      ELSE ");
		append_number(sql,
					  level_coef(model, dmp_level_column(feature, label, strlen(label), &unseen)));
	}
	appendStringInfoString(sql, " END");
}

/* CASE of a text: missing first, then each level that counts, then what is left */
static void
append_levels(StringInfo sql, const DmpModel *model, const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;
	const char *value = t ? dmp_transform_expression(feature) : quote_identifier(feature->name);
	double other = level_coef(model, feature->other_index);
	double missing = level_coef(model, feature->missing_index);
	int i;

	if (t != NULL && t->kind == DMP_TRANSFORM_BINS)
		value = dmp_transform_number_column(t);
	if (t == NULL || t->kind == DMP_TRANSFORM_BINS || t->kind == DMP_TRANSFORM_LEVELS)
		appendStringInfo(sql, "\n  + CASE WHEN %s IS NULL THEN ", value);
	else /* a long expression is not repeated */
		appendStringInfo(sql, "\n  + CASE coalesce('=' || %s, '-') WHEN '-' THEN ", value);
	append_number(sql, missing);
	if (t != NULL && t->kind == DMP_TRANSFORM_BINS)
	{
		append_bins(sql, model, feature, value);
		return;
	}
	for (i = 0; i < feature->nlevels; i++)
	{
		const char *level = feature->levels[i].text;
		double coef = level_coef(model, feature->levels[i].index);

		if (coef == other)
			continue;
		if (t == NULL)
			appendStringInfo(sql, "\n      WHEN %s::text COLLATE \"C\" = %s THEN ", value,
							 quote_literal_cstr(level));
		else if (t->kind == DMP_TRANSFORM_LEVELS)
			appendStringInfo(sql, "\n      WHEN %s = %s::float8 THEN ", value,
							 quote_literal_cstr(level));
		else
			appendStringInfo(sql, "\n      WHEN %s THEN ",
							 quote_literal_cstr(psprintf("=%s", level)));
		append_number(sql, coef);
	}
	appendStringInfoString(sql, "\n      ELSE ");
	append_number(sql, other);
	appendStringInfoString(sql, " END");
}

static void
append_value(StringInfo sql, const DmpModel *model, const DmpFeature *feature)
{
	const char *column = quote_identifier(feature->name);
	bool numeric = feature->encode == DMP_ENCODE_NUMERIC;
	char *present =
		feature->transform
			? dmp_transform_expression(feature)
			: psprintf(numeric ? "nullif(%s::float8, 'NaN')" : "%s::boolean::int::float8", column);

	if (feature->index >= 0 && model->coef[feature->index] != 0)
	{
		appendStringInfoString(sql, "\n  + ");
		append_number(sql, model->coef[feature->index]);
		appendStringInfo(sql, " * (coalesce(%s, ", present);
		append_number(sql, feature->fill);
		appendStringInfoString(sql, ") - ");
		append_number(sql, model->design.pivot[feature->index]);
		appendStringInfoChar(sql, ')');
	}
	if (feature->missing_index >= 0 && model->coef[feature->missing_index] != 0)
	{
		appendStringInfo(sql, "\n  + CASE WHEN %s IS NULL THEN ", present);
		append_number(sql, model->coef[feature->missing_index]);
		appendStringInfoString(sql, " ELSE 0 END");
	}
}

/* the knots of an isotonic calibration as a CASE of dmp_m.m */
static void
append_knots(StringInfo sql, const DmpCalibration *c)
{
	int i;

	appendStringInfoString(sql, "CASE\n  WHEN dmp_m.m <= ");
	append_number(sql, c->x[0]);
	appendStringInfoString(sql, " THEN ");
	append_number(sql, c->y[0]);
	for (i = 1; i < c->n; i++)
	{
		appendStringInfoString(sql, "\n  WHEN dmp_m.m < ");
		append_number(sql, c->x[i]);
		appendStringInfoString(sql, " THEN ");
		if (c->y[i] == c->y[i - 1])
		{
			append_number(sql, c->y[i]);
			continue;
		}
		appendStringInfoString(sql, "least(");
		append_number(sql, c->y[i]);
		appendStringInfoString(sql, ", ");
		append_number(sql, c->y[i - 1]);
		appendStringInfoString(sql, " + ");
		append_number(sql, c->y[i] - c->y[i - 1]);
		appendStringInfoString(sql, " * ((dmp_m.m - ");
		append_number(sql, c->x[i - 1]);
		appendStringInfoString(sql, ") / ");
		append_number(sql, c->x[i] - c->x[i - 1]);
		appendStringInfoString(sql, "))");
	}
	appendStringInfoString(sql, "\n  ELSE ");
	append_number(sql, c->y[c->n - 1]);
	appendStringInfoString(sql, " END");
}

/* "1 / (1 + exp(-" and so on, with the margin left out; close_link() ends it */
static void
open_link(StringInfo sql, const DmpModel *model)
{
	const DmpCalibration *calibration = model->calibration;

	if (model->link != DMP_BINOMIAL)
	{
		appendStringInfoString(sql,
							   model->link == DMP_POISSON ? "exp(greatest(-700, least(700, " : "(");
		return;
	}
	if (calibration == NULL || calibration->method == DMP_CALIBRATION_PLATT)
		appendStringInfoString(sql, "1 / (1 + exp(- greatest(-700, least(700, ");
	if (calibration == NULL)
		return;
	if (calibration->method == DMP_CALIBRATION_PLATT)
	{
		append_number(sql, calibration->slope);
		appendStringInfoString(sql, " * greatest(-700, least(700, ");
	}
	else
	{
		appendStringInfoString(sql, "(SELECT ");
		append_knots(sql, calibration);
		appendStringInfoString(sql, "\nFROM (VALUES (");
	}
}

static void
close_link(StringInfo sql, const DmpModel *model)
{
	const DmpCalibration *calibration = model->calibration;

	if (model->link != DMP_BINOMIAL)
	{
		appendStringInfoString(sql, model->link == DMP_POISSON ? ")))" : ")");
		return;
	}
	if (calibration != NULL && calibration->method == DMP_CALIBRATION_ISOTONIC)
	{
		appendStringInfoString(sql, ")) AS dmp_m (m))");
		return;
	}
	if (calibration != NULL)
	{
		appendStringInfoString(sql, ")) + ");
		append_number(sql, calibration->intercept);
	}
	appendStringInfoString(sql, "))))");
}

/* the margin of a model without segments */
static void
append_margin(StringInfo sql, const DmpModel *model)
{
	int i;

	append_number(sql, model->a);
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];

		if (feature->encode == DMP_ENCODE_ONE_HOT)
			append_levels(sql, model, feature);
		else
			append_value(sql, model, feature);
	}
}

/* whether a column that makes groups has a value; its text is that of dmp_segment_key() */
static void
append_condition(StringInfo sql, const DmpSegments *segments, int k, const char *text)
{
	const char *column = quote_identifier(segments->names[k]);
	const char *type = segments->types[k];

	if (text == NULL)
		appendStringInfo(sql, "%s IS NULL", column);
	else if (strcmp(type, "date") == 0 || strncmp(type, "timestamp", 9) == 0)
		appendStringInfo(sql, "%s = %s::%s", column, quote_literal_cstr(text), type);
	else if (strcmp(type, "numeric") == 0)
		appendStringInfo(sql, "trim_scale(%s)::text COLLATE \"C\" = %s", column,
						 quote_literal_cstr(text));
	else
		appendStringInfo(sql, "%s::text COLLATE \"C\" = %s", column, quote_literal_cstr(text));
}

/* CASE of the groups: each that has a fit by its own coefficients */
static void
append_segments(StringInfo sql, const DmpModel *model)
{
	const DmpSegments *segments = model->segments;
	DmpModel own;
	int i;
	int k;

	if (dmp_segments_fitted(segments) > MAX_SEGMENTS)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("an SQL expression of %d groups would be too long",
							   dmp_segments_fitted(segments)),
						errdetail("At most %d groups become a CASE.", MAX_SEGMENTS),
						errhint("dmp.model_json has the coefficients of all.")));
	appendStringInfoString(sql, "CASE");
	for (i = 0; i < segments->n; i++)
	{
		char **texts;

		CHECK_FOR_INTERRUPTS();
		if (segments->values[i] == NULL)
			continue;
		texts = dmp_segment_texts(segments->keys[i], segments->key_lengths[i], segments->nby);
		appendStringInfoString(sql, "\n WHEN ");
		for (k = 0; k < segments->nby; k++)
		{
			appendStringInfoString(sql, k > 0 ? " AND " : "");
			append_condition(sql, segments, k, texts[k]);
		}
		appendStringInfoString(sql, " THEN ");
		own = dmp_segment_alone(model, segments->values[i]);
		append_margin(sql, &own);
	}
	appendStringInfoString(sql, "\n ELSE ");
	own = dmp_segment_alone(model, NULL);
	append_margin(sql, &own);
	appendStringInfoString(sql, " END");
}

/* jsonb of the probabilities of several classes, each by its own margin */
static void
append_classes(StringInfo sql, const DmpModel *model)
{
	DmpModel own = *model;
	double *coef = palloc(sizeof(double) * Max(model->design.width, 1));
	int j;
	int k;

	own.nclasses = 0;
	own.coef = coef;
	/* exp() raises when it underflows: past -700 there is nothing to see of a probability */
	appendStringInfoString(
		sql, "(SELECT jsonb_object_agg(dmp_e.class, dmp_e.e / dmp_e.total)\n"
			 "FROM (SELECT dmp_x.class, dmp_x.e, sum(dmp_x.e) OVER () AS total\n"
			 "FROM (SELECT dmp_m.class, exp(greatest(-700, dmp_m.m - max(dmp_m.m) OVER ())) AS e\n"
			 "FROM (VALUES ");
	for (k = 0; k < model->nclasses; k++)
	{
		for (j = 0; j < model->design.width; j++)
			coef[j] = model->coef[j * model->nclasses + k];
		own.a = model->intercepts[k];
		appendStringInfo(sql, "%s(%s, ", k > 0 ? ",\n" : "", quote_literal_cstr(model->classes[k]));
		append_margin(sql, &own);
		appendStringInfoChar(sql, ')');
	}
	appendStringInfoString(sql, ") AS dmp_m (class, m)) AS dmp_x) AS dmp_e)");
}

/*
 * dmp.model_sql(model): an expression over the columns that is dmp.predict, or
 * of several classes dmp.class_probabilities
 */
Datum
dmp_model_sql(PG_FUNCTION_ARGS)
{
	DmpModelRow *row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	DmpModel *model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	StringInfoData sql;

	dmp_model_refuse_hashed(model, "an SQL expression");
	initStringInfo(&sql);
	if (model->nclasses > 0)
	{
		append_classes(&sql, model);
		PG_RETURN_TEXT_P(cstring_to_text(sql.data));
	}
	open_link(&sql, model);
	if (model->segments != NULL && dmp_segments_fitted(model->segments) > 0)
		append_segments(&sql, model);
	else
		append_margin(&sql, model);
	close_link(&sql, model);
	PG_RETURN_TEXT_P(cstring_to_text(sql.data));
}

/* dmp.model_json(model): the stored form */
Datum
dmp_model_json(PG_FUNCTION_ARGS)
{
	DmpModelRow *row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(dmp_model_value_json(row->value)));
}
