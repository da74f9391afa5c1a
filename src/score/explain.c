/*-------------------------------------------------------------------------
 * explain.c
 *		Why a row scores as it does: dmp.explain; and the probability of each
 *		class: dmp.class_probabilities.
 *
 * The margin is a sum over the features, so each feature's share is known
 * exactly. It is told against the average row of training, that is the row
 * whose design columns are the stored means:
 *
 *		contribution_i = term_i(row) - term_i(average)
 *		margin(row)	   = margin(average) + sum_i contribution_i
 *
 * which is the Shapley value of a linear model with independent features. All
 * design columns of a source column, its levels and its missing flag, are one
 * term: a term is the margin of the model that has this feature alone. What an
 * interaction adds is told under its own name, "a:b". Of
 * hashed columns no means are kept: they are told against nothing instead.
 *
 * Of a calibrated model a last row, '(calibration)', is what the calibration
 * adds to the margin: the sum is the log-odds of the score then.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "common/shortest_dec.h"
#include "learn/segments.h"
#include "learn/transform.h"
#include "score/score.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_explain);
PG_FUNCTION_INFO_V1(dmp_class_probabilities);

/* columns of dmp.explain */
enum
{
	EXPLAIN_RANK,
	EXPLAIN_FEATURE,
	EXPLAIN_VALUE,
	EXPLAIN_CONTRIBUTION,
	EXPLAIN_ODDS_FACTOR,
	EXPLAIN_COLUMNS
};

/* what a design column adds to the margin of the average row */
static double
average_column(const DmpModel *model, int j)
{
	if (j < 0 || model->coef[j] == 0)
		return 0;
	return model->coef[j] * (model->design.mean[j] - model->design.pivot[j]);
}

static double
average_term(const DmpModel *model, const DmpFeature *feature)
{
	double term = average_column(model, feature->missing_index);
	int k;

	if (feature->encode != DMP_ENCODE_ONE_HOT)
		return term + average_column(model, feature->index);
	term += average_column(model, feature->other_index);
	for (k = 0; k < feature->nlevels; k++)
		term += average_column(model, feature->levels[k].index);
	return term;
}

/* largest first; equal ones in the order of the model */
static int
compare_contributions(const void *a, const void *b)
{
	const DmpContribution *left = a;
	const DmpContribution *right = b;
	double l = fabs(left->value);
	double r = fabs(right->value);

	if (l != r)
		return l > r ? -1 : 1;
	return left->place < right->place ? -1 : 1;
}

/* The contribution a feature belongs to: its column's, or one of its pair of columns. */
static DmpContribution *
contribution_of(const DmpDesign *design, const DmpFeature *feature, DmpContribution *rows, int *n)
{
	const DmpTransform *t = feature->transform;
	char *name;
	int i;

	if (t == NULL || t->ncolumns < 2)
		return &rows[feature->source];
	name = psprintf("%s:%s", t->columns[0], t->columns[1]);
	for (i = design->nsources; i < *n; i++)
	{
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	rows[*n].place = *n;
	rows[*n].name = name;
	return &rows[(*n)++];
}

/* Columns that come in pairs only have no contribution of their own. */
static void
drop_unused(const DmpDesign *design, DmpContribution *rows, int *n)
{
	bool *used = palloc0(sizeof(bool) * Max(*n, 1));
	int kept = 0;
	int i;

	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->transform == NULL || feature->transform->ncolumns < 2)
			used[feature->source] = true;
	}
	for (i = 0; i < *n; i++)
	{
		if (i >= design->nsources || used[i])
			rows[kept++] = rows[i];
	}
	*n = kept;
}

/*
 * The n contributions of the row that map holds, sorted, by the model that serves
 * it; *average is the average row's margin.
 */
DmpContribution *
dmp_contributions(const DmpRowMap *map, double *average, int *n)
{
	const char *segment;
	DmpModel served = dmp_segment_model(map->model, map->values, map->nulls, map->types, &segment);
	const DmpModel *model = &served;
	const DmpDesign *design = &model->design;
	const Datum *values = map->values;
	const bool *nulls = map->nulls;
	const Oid *types = map->types;
	DmpContribution *rows =
		palloc0(sizeof(DmpContribution) * Max(design->nsources + design->nfeatures, 1));
	int i;

	if (design->transformed)
		dmp_transform_row(design, &values, &nulls, &types, NULL);
	*average = model->a;
	for (*n = 0; *n < design->nsources; (*n)++)
	{
		rows[*n].place = *n;
		rows[*n].name = design->sources[*n].name;
	}
	for (i = 0; i < design->nfeatures; i++)
	{
		DmpModel alone = *model;
		double mean = average_term(model, &design->features[i]);

		alone.a = 0;
		alone.design.transformed = false;
		alone.design.nfeatures = 1;
		alone.design.features = &design->features[i];
		contribution_of(design, &design->features[i], rows, n)->value +=
			dmp_model_margin(&alone, &values[i], &nulls[i], &types[i], NULL) - mean;
		*average += mean;
	}
	if (design->transformed)
		drop_unused(design, rows, n);
	qsort(rows, *n, sizeof(DmpContribution), compare_contributions);
	return rows;
}

static void
put_row(FunctionCallInfo fcinfo, int rank, const char *feature, const char *value,
		double contribution, DmpFamily link)
{
	Datum values[EXPLAIN_COLUMNS];
	bool nulls[EXPLAIN_COLUMNS] = {false};

	values[EXPLAIN_RANK] = Int32GetDatum(rank);
	values[EXPLAIN_FEATURE] = CStringGetTextDatum(feature);
	nulls[EXPLAIN_VALUE] = value == NULL;
	values[EXPLAIN_VALUE] = value ? CStringGetTextDatum(value) : (Datum) 0;
	values[EXPLAIN_CONTRIBUTION] = Float8GetDatum(contribution);
	/* a mean is moved by what is added, not multiplied */
	nulls[EXPLAIN_ODDS_FACTOR] = link == DMP_GAUSSIAN;
	values[EXPLAIN_ODDS_FACTOR] = Float8GetDatum(link == DMP_GAUSSIAN ? 0 : exp(contribution));
	dmp_srf_row(fcinfo, values, nulls);
}

/* text of a column's value; that of a pair is NULL, it has none of its own */
char *
dmp_value_shown(const DmpRowMap *map, int i)
{
	Oid output;
	bool varlena;

	if (i >= map->model->design.nsources || map->nulls[i])
		return NULL;
	getTypeOutputInfo(map->types[i], &output, &varlena);
	return OidOutputFunctionCall(output, map->values[i]);
}

/*
 * dmp.explain(model, row, top) -> (rank, feature, value, contribution, odds_factor)
 *
 * Rank 0 is '(average)', the log-odds of the average row, its value the segment
 * whose coefficients are told (or 'pooled'), where there are any; the features
 * follow; when top leaves some out, '(other)' is their sum and comes behind them;
 * '(calibration)' is last, of a model that has one. No model or no row: no rows.
 */
Datum
dmp_explain(PG_FUNCTION_ARGS)
{
	const DmpRowMap *map;
	DmpContribution *rows;
	const char *segment;
	double average;
	double other = 0;
	double margin;
	int top;
	int n;
	int i;

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	if (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"top\" must not be negative")));
	map = dmp_row_of_call(fcinfo);
	if (map->model->nclasses > 0)
		dmp_model_refuse_classes(map->model);
	rows = dmp_contributions(map, &average, &n);
	(void) dmp_segment_model(map->model, map->values, map->nulls, map->types, &segment);
	top = PG_ARGISNULL(2) ? n : Min(PG_GETARG_INT32(2), n);
	put_row(fcinfo, 0, "(average)", map->model->segments ? segment : NULL, average,
			map->model->link);
	for (i = 0; i < top; i++)
		put_row(fcinfo, i + 1, rows[i].name, dmp_value_shown(map, rows[i].place), rows[i].value,
				map->model->link);
	for (i = n - 1; i >= top; i--)
		other += rows[i].value; /* smallest first */
	if (top < n)
		put_row(fcinfo, top + 1, "(other)", NULL, other, map->model->link);
	if (map->model->calibration != NULL)
	{
		margin = dmp_model_margin(map->model, map->values, map->nulls, map->types, NULL);
		put_row(fcinfo, top + 1 + (top < n), "(calibration)", NULL,
				dmp_model_loss(map->model, margin, 0) - dmp_model_loss(map->model, margin, 1) -
					margin,
				map->model->link);
	}
	return (Datum) 0;
}

static void
append_class(StringInfo json, const char *name, double p)
{
	char number[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(p, number);
	escape_json(json, name);
	appendStringInfo(json, ": %s", number);
}

/*
 * dmp.class_probabilities(model, row): {"class": probability}. Of two classes
 * the negative's is computed from the margin too, so that it keeps its digits
 * near 0.
 */
Datum
dmp_class_probabilities(PG_FUNCTION_ARGS)
{
	const DmpRowMap *map = dmp_row_of_call(fcinfo);
	const DmpModel *model = map->model;
	StringInfoData json;
	int k;

	if (model->link != DMP_BINOMIAL)
		dmp_model_refuse_numbers(model, "dmp.class_probabilities");
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	dmp_model_margins(model, map->values, map->nulls, map->types, NULL, map->margins);
	if (model->nclasses > 0)
	{
		(void) dmp_model_softmax(model->nclasses, map->margins);
		for (k = 0; k < model->nclasses; k++)
		{
			if (k > 0)
				appendStringInfoString(&json, ", ");
			append_class(&json, model->classes[k], map->margins[k]);
		}
	}
	else
	{
		append_class(&json, model->positive, dmp_model_score(model, map->margins[0]));
		appendStringInfoString(&json, ", ");
		append_class(&json, model->negative, dmp_model_score_rest(model, map->margins[0]));
	}
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}
