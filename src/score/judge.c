/*-------------------------------------------------------------------------
 * judge.c
 *		How good a model is on rows with known labels: dmp.evaluate.
 *
 * One scan gathers margins and labels (the state of the rank metrics); every
 * metric comes from there. Rows are ranked by their margins, which calibration
 * does not touch; losses and whatever hangs on a threshold go by the scores.
 *
 * Intervals are 95 %: DeLong's for roc_auc (DeLong, DeLong and Clarke-Pearson
 * 1988, by mid-ranks), Wilson's for shares. With weights a share's interval is
 * that of as many rows as the weights are worth, (sum w)^2 / sum w^2 (Kish
 * 1965), and roc_auc has none: DeLong's variance is of rows that count alike.
 *
 * A slice of fewer than DMP_MIN_SLICE rows has its counts, the rest is NULL.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "base/state.h"
#include "catalog/pg_type.h"
#include "learn/transform.h"
#include "score/score.h"
#include "score/scores.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_judge);
PG_FUNCTION_INFO_V1(dmp_evaluate);

#define NORMAL_975 1.959963984540054

/* what dmp_internal.judge returns, in this order; each is value, low, high */
enum
{
	J_ROWS,
	J_ROWS_POSITIVE,
	J_WEIGHT,
	J_POSITIVE_RATE,
	J_ROC_AUC,
	J_AVERAGE_PRECISION,
	J_KS_STATISTIC,
	J_LOG_LOSS,
	J_BRIER_SCORE,
	J_THRESHOLD,
	J_ACCURACY,
	J_PRECISION,
	J_RECALL,
	J_SPECIFICITY,
	J_F1,
	J_PREDICTED_POSITIVE_RATE,
	J_COVERAGE,
	J_ANSWERED_ACCURACY,
	METRICS
};

static const char *const metric_names[METRICS] = {
	"rows",        "rows_positive",     "weight",       "positive_rate",
	"roc_auc",     "average_precision", "ks_statistic", "log_loss",
	"brier_score", "threshold",         "accuracy",     "precision",
	"recall",      "specificity",       "f1",           "predicted_positive_rate",
	"coverage",    "answered_accuracy"};

typedef struct KeptModel
{
	uint64 hash;
	DmpModel *model;
} KeptModel;

/* weights and their squares */
typedef struct Mass
{
	double weight;
	double square;
} Mass;

static Mass
mass_add(Mass a, Mass b)
{
	Mass sum = {a.weight + b.weight, a.square + b.square};

	return sum;
}

static void
set_share(DmpJudgement *j, Mass part, Mass whole)
{
	if (whole.weight > 0)
		dmp_wilson(j, part.weight / whole.weight, whole.weight * whole.weight / whole.square);
}

/* share p of n rows */
void
dmp_wilson(DmpJudgement *j, double p, double n)
{
	double z2 = NORMAL_975 * NORMAL_975;
	double centre;
	double half;

	p = Min(p, 1);
	centre = (p + z2 / (2 * n)) / (1 + z2 / n);
	half = NORMAL_975 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
	j->value = p;
	j->low = p > 0 ? Max(0, centre - half) : 0;
	j->high = p < 1 ? Min(1, centre + half) : 1;
}

/* mean and sum of squared differences from it, of values that come n at a time */
typedef struct Spread
{
	double n;
	double mean;
	double m2;
} Spread;

static void
spread_add(Spread *s, double value, double n)
{
	double d = value - s->mean;

	if (n == 0)
		return;
	s->n += n;
	s->mean += d * n / s->n;
	s->m2 += d * n * (value - s->mean);
}

/*
 * DeLong's interval from one pass over the rows, the highest score first. The
 * variance of the auc is that of the placements: for a positive, the share of
 * negatives below it; for a negative, the share of positives above; ties one
 * half. NaN when it is not defined.
 */
typedef struct Placements
{
	double n[2];
	double met[2];
	Spread places[2];
} Placements;

static void
placements_add(Placements *p, const double *rows)
{
	if (p->n[0] > 0 && p->n[1] > 0)
	{
		spread_add(&p->places[1], (p->n[0] - p->met[0] - rows[0] / 2) / p->n[0], rows[1]);
		spread_add(&p->places[0], (p->met[1] + rows[1] / 2) / p->n[1], rows[0]);
	}
	p->met[0] += rows[0];
	p->met[1] += rows[1];
}

static void
set_delong(DmpJudgement *j, const Placements *p)
{
	double half;

	if (p->n[0] < 2 || p->n[1] < 2)
		return;
	half = NORMAL_975 * sqrt(p->places[1].m2 / (p->n[1] - 1) / p->n[1] +
							 p->places[0].m2 / (p->n[0] - 1) / p->n[0]);
	j->low = Max(0, j->value - half);
	j->high = Min(1, j->value + half);
}

/* roc_auc of a state with DeLong's interval, none with weights */
void
dmp_judge_auc(Datum state, DmpJudgement *j)
{
	DmpRankMetrics ranks;
	DmpScoreTotals totals;
	DmpScoreReader *reader;
	DmpScoreGroup group;
	Placements places = {.n = {0, 0}};

	j->low = j->high = NAN;
	dmp_scores_rank(state, &ranks);
	j->value = ranks.roc_auc;
	reader = dmp_scores_read(state, &totals);
	if (totals.weighted)
		return;
	places.n[0] = (double) totals.rows[0];
	places.n[1] = (double) totals.rows[1];
	while (dmp_scores_next(reader, &group))
		placements_add(&places, group.weight);
	set_delong(j, &places);
}

/* shares of rows called positive or negative, against what they are */
static void
judge_calls(DmpJudgement *j, Mass calls[2][2])
{
	DmpConfusion c = {calls[1][1].weight, calls[1][0].weight, calls[0][0].weight,
					  calls[0][1].weight};
	Mass positives = mass_add(calls[0][1], calls[1][1]);
	Mass negatives = mass_add(calls[0][0], calls[1][0]);
	Mass called = mass_add(calls[1][0], calls[1][1]);
	Mass all = mass_add(positives, negatives);

	set_share(&j[J_POSITIVE_RATE], positives, all);
	set_share(&j[J_ACCURACY], mass_add(calls[1][1], calls[0][0]), all);
	set_share(&j[J_PRECISION], calls[1][1], called);
	set_share(&j[J_RECALL], calls[1][1], positives);
	set_share(&j[J_SPECIFICITY], calls[0][0], negatives);
	set_share(&j[J_PREDICTED_POSITIVE_RATE], called, all);
	j[J_F1].value = dmp_f1(&c);
}

static void
judge(Datum state, const DmpModel *model, double threshold, bool slice, DmpJudgement *j)
{
	DmpRankMetrics ranks;
	DmpScoreTotals totals;
	DmpScoreReader *reader = dmp_scores_read(state, &totals);
	DmpScoreGroup group;
	Placements places = {.n = {(double) totals.rows[0], (double) totals.rows[1]}};
	Mass calls[2][2] = {{{0, 0}, {0, 0}}, {{0, 0}, {0, 0}}}; /* called, is */
	Mass answered[2] = {{0, 0}, {0, 0}};                     /* wrong, right */
	double n = places.n[0] + places.n[1];
	double weight = totals.weight[0] + totals.weight[1];
	double log_loss = 0;
	double brier = 0;
	int i;

	for (i = 0; i < METRICS; i++)
		j[i].value = j[i].low = j[i].high = NAN;
	j[J_ROWS].value = n;
	j[J_ROWS_POSITIVE].value = places.n[1];
	if (totals.weighted)
		j[J_WEIGHT].value = weight;
	if (slice && n < DMP_MIN_SLICE)
		return;
	dmp_scores_rank(state, &ranks);
	while (dmp_scores_next(reader, &group))
	{
		double p = dmp_model_score(model, group.score);
		bool called = p >= threshold;
		bool rejected = dmp_model_class(model, p) == NULL;

		for (i = 0; i < 2; i++)
		{
			Mass mass = {group.weight[i], group.square[i]};

			if (mass.weight == 0)
				continue;
			log_loss += mass.weight * dmp_model_loss(model, group.score, i);
			brier += mass.weight * (p - i) * (p - i);
			calls[called][i] = mass_add(calls[called][i], mass);
			if (!rejected)
				answered[called == i] = mass_add(answered[called == i], mass);
		}
		if (!totals.weighted)
			placements_add(&places, group.weight);
	}
	judge_calls(j, calls);
	if (model->reject > 0)
	{
		Mass all = mass_add(answered[0], answered[1]);

		set_share(&j[J_ANSWERED_ACCURACY], answered[1], all);
		set_share(&j[J_COVERAGE], all,
				  mass_add(mass_add(calls[0][0], calls[0][1]), mass_add(calls[1][0], calls[1][1])));
	}
	j[J_ROC_AUC].value = ranks.roc_auc;
	if (!totals.weighted)
		set_delong(&j[J_ROC_AUC], &places);
	j[J_AVERAGE_PRECISION].value = ranks.average_precision;
	j[J_KS_STATISTIC].value = ranks.ks;
	j[J_LOG_LOSS].value = log_loss / weight;
	j[J_BRIER_SCORE].value = brier / weight;
	j[J_THRESHOLD].value = threshold;
}

/* the model of a value, kept for the calls that follow */
const DmpModel *
dmp_model_of_call(FunctionCallInfo fcinfo, int argument)
{
	DmpModelValue *value = (DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(argument));
	KeptModel *kept = fcinfo->flinfo->fn_extra;

	if (kept == NULL || kept->hash != value->hash)
	{
		if (kept == NULL)
			kept = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KeptModel));
		else if (kept->model != NULL)
			MemoryContextDelete(kept->model->context);
		kept->model = NULL;
		fcinfo->flinfo->fn_extra = kept;
		kept->model = dmp_model_from_json(dmp_model_value_json(value), fcinfo->flinfo->fn_mcxt);
		kept->hash = value->hash;
	}
	return kept->model;
}

/* dmp_internal.judge(state, value, threshold, slice): value, low, high of each metric in order; NaN: none */
Datum
dmp_judge(PG_FUNCTION_ARGS)
{
	DmpJudgement judgement[METRICS];
	Datum items[3 * METRICS];
	int i;

	judge(PG_GETARG_DATUM(0), dmp_model_of_call(fcinfo, 1), PG_GETARG_FLOAT8(2), PG_GETARG_BOOL(3),
		  judgement);
	for (i = 0; i < METRICS; i++)
	{
		items[3 * i] = Float8GetDatum(judgement[i].value);
		items[3 * i + 1] = Float8GetDatum(judgement[i].low);
		items[3 * i + 2] = Float8GetDatum(judgement[i].high);
	}
	PG_RETURN_POINTER(construct_array(items, 3 * METRICS, FLOAT8OID, sizeof(float8),
									  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* ------------------------------------------------------- dmp.evaluate */

/* whether rows may have a text that training has not seen */
static bool
has_levels(const DmpModel *model)
{
	int i;

	for (i = 0; i < model->design.nsources; i++)
	{
		if (model->design.sources[i].kind == DMP_VALUE_TEXT ||
			model->design.sources[i].kind == DMP_VALUE_TEXTS)
			return true;
	}
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpTransform *t = model->design.features[i].transform;

		if (t != NULL && t->kind == DMP_TRANSFORM_LEVELS)
			return true;
	}
	return false;
}

/* what the rows were like, of models for which that was counted */
static void
keep_counts(const DmpLabelled *rows)
{
	DmpRowCounts counts = dmp_count_rows();

	if (rows->counted)
		dmp_registry_add_run(rows->row->id, "evaluate", counts.rows, counts.missing, counts.unseen);
}

/* dmp.evaluate(model, query, threshold, by, weight) -> (metric, value, low, high, segment) */
Datum
dmp_evaluate(PG_FUNCTION_ARGS)
{
	DmpModelRow *row;
	DmpModel *model;
	DmpArgs args = {0};
	List *by = NIL;
	DmpLabelled *rows;
	double threshold;
	uint64 n;
	uint64 i;
	int k;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("\"%s\" must not be null", PG_ARGISNULL(0) ? "model" : "query")));
	dmp_srf_begin(fcinfo);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	if (model->link != DMP_BINOMIAL && !PG_ARGISNULL(2))
		dmp_model_refuse_numbers(model, "a threshold");
	threshold = PG_ARGISNULL(2) ? model->threshold : PG_GETARG_FLOAT8(2);
	if (!(threshold >= 0 && threshold <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("threshold must be from 0 to 1")));
	if (!PG_ARGISNULL(3))
		by = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(3));

	dmp_spi_connect();
	dmp_arg_model_value(&args, row->value);
	rows =
		dmp_labelled(row, model, text_to_cstring(PG_GETARG_TEXT_PP(1)), dmp_weight_arg(fcinfo, 4));
	rows->counted = has_levels(model);
	(void) dmp_count_rows();
	if (model->nclasses > 0)
	{
		if (!PG_ARGISNULL(2))
			dmp_model_refuse_classes(model);
		dmp_evaluate_classes(fcinfo, rows, by, &args);
		keep_counts(rows);
		dmp_spi_finish();
		return (Datum) 0;
	}
	if (model->link != DMP_BINOMIAL)
	{
		dmp_evaluate_numbers(fcinfo, rows, by, &args);
		keep_counts(rows);
		dmp_spi_finish();
		return (Datum) 0;
	}
	dmp_arg_float8(&args, threshold);
	n = dmp_spi(psprintf("SELECT dmp_internal.judge(%s, $1, $2, %s), %s "
						 "FROM (%s) AS s%s ORDER BY 2 NULLS FIRST",
						 dmp_labelled_scores(rows), by != NIL ? "segment IS NOT NULL" : "false",
						 by != NIL ? "segment" : "NULL::text", dmp_labelled_sql(rows, by, ""),
						 by != NIL ? " GROUP BY GROUPING SETS ((), (segment))" : ""),
				&args, true);
	for (i = 0; i < n; i++)
	{
		bool isnull;
		Datum datum = dmp_spi_datum(i, 1, &isnull);
		char *segment = dmp_spi_text(i, 2);
		double *numbers = isnull ? NULL : (double *) ARR_DATA_PTR(DatumGetArrayTypeP(datum));

		if (isnull && i == 0)
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA),
					 errmsg("the query has no rows with a value of target \"%s\"", model->target)));
		for (k = 0; !isnull && k < METRICS; k++)
		{
			Datum values[6];
			bool nulls[6] = {false, false, false, false, false, true};
			int m;

			if (k == J_WEIGHT && isnan(numbers[3 * k]))
				continue;
			if (k >= J_COVERAGE && model->reject == 0)
				continue;

			values[0] = CStringGetTextDatum(metric_names[k]);
			for (m = 0; m < 3; m++)
			{
				values[m + 1] = Float8GetDatum(numbers[3 * k + m]);
				nulls[m + 1] = isnan(numbers[3 * k + m]);
			}
			nulls[4] = segment == NULL;
			values[4] = segment ? CStringGetTextDatum(segment) : (Datum) 0;
			dmp_srf_row(fcinfo, values, nulls);
		}
	}
	keep_counts(rows);
	dmp_spi_finish();
	return (Datum) 0;
}
