/*-------------------------------------------------------------------------
 * metrics.c
 *		Aggregates that judge scores against labels.
 *
 * Two shapes of state. Losses and the confusion matrix are sums: flat, changed
 * in place. The rank metrics (roc_auc, average_precision, ks_statistic) keep
 * every score (scores.c) and are computed by the kernels of math, which
 * training uses too, or, when the rows were more than memory is for, by a
 * merge from the highest score down.
 *
 * Scores are probabilities for the losses; a score from 0.5 on counts as a
 * positive prediction for precision, recall and F1. A row whose score or label
 * is NULL does not count; NaN, a label that is neither 0 nor 1, and a weight
 * that is NULL, NaN or negative are errors; weight 0 does not count.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/state.h"
#include "score/scores.h"
#include "score/score.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_scores_add);
PG_FUNCTION_INFO_V1(dmp_scores_add_boolean);
PG_FUNCTION_INFO_V1(dmp_scores_combine);
PG_FUNCTION_INFO_V1(dmp_roc_auc_final);
PG_FUNCTION_INFO_V1(dmp_average_precision_final);
PG_FUNCTION_INFO_V1(dmp_ks_statistic_final);
PG_FUNCTION_INFO_V1(dmp_log_loss_add);
PG_FUNCTION_INFO_V1(dmp_log_loss_add_boolean);
PG_FUNCTION_INFO_V1(dmp_brier_score_add);
PG_FUNCTION_INFO_V1(dmp_brier_score_add_boolean);
PG_FUNCTION_INFO_V1(dmp_sums_combine);
PG_FUNCTION_INFO_V1(dmp_loss_final);
PG_FUNCTION_INFO_V1(dmp_confusion_add_score);
PG_FUNCTION_INFO_V1(dmp_confusion_add_score_boolean);
PG_FUNCTION_INFO_V1(dmp_precision_score_final);
PG_FUNCTION_INFO_V1(dmp_recall_score_final);
PG_FUNCTION_INFO_V1(dmp_f1_score_final);

#define SUMS_VERSION 1

/* data of the flat state; a loss uses the first two, a confusion matrix the rest */
typedef struct Sums
{
	float8 weight;
	float8 loss;
	DmpConfusion confusion;
} Sums;

/* ------------------------------------------------------ a row's arguments */

/* arguments: state, score, label, [weight]; false: the row does not count */
static bool
row_of(FunctionCallInfo fcinfo, bool boolean, double *score, int *label, double *weight)
{
	*weight = 1;
	if (PG_NARGS() > 3)
	{
		if (PG_ARGISNULL(3))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a weight is null")));
		*weight = PG_GETARG_FLOAT8(3);
		if (!(*weight >= 0) || isinf(*weight))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the weight %g is not a finite number from 0 on", *weight)));
	}
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || *weight == 0)
		return false;
	*score = PG_GETARG_FLOAT8(1);
	if (isnan(*score))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a score is not a number")));
	if (boolean)
		*label = PG_GETARG_BOOL(2);
	else
	{
		double value = PG_GETARG_FLOAT8(2);

		if (value != 0 && value != 1)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the label %g is neither 0 nor 1", value)));
		*label = value == 1;
	}
	return true;
}

/* --------------------------------------------------------------- scores */

static Datum
scores_add(FunctionCallInfo fcinfo, bool boolean)
{
	MemoryContext context;
	DmpScoresObject *object;
	double score;
	double weight;
	int label;

	if (!row_of(fcinfo, boolean, &score, &label, &weight))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (likely(!PG_ARGISNULL(0) &&
			   dmp_scores_append_quick(PG_GETARG_DATUM(0), score, label, weight)))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	context = dmp_aggregate_context(fcinfo);
	object = PG_ARGISNULL(0) ? dmp_scores_make(context)
							 : dmp_scores_writable(PG_GETARG_DATUM(0), context);
	dmp_scores_append_row(object, score, label, weight);
	return dmp_scores_datum(object);
}

Datum
dmp_scores_add(PG_FUNCTION_ARGS)
{
	return scores_add(fcinfo, false);
}

Datum
dmp_scores_add_boolean(PG_FUNCTION_ARGS)
{
	return scores_add(fcinfo, true);
}

Datum
dmp_scores_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	DmpScoresObject *object;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	object = PG_ARGISNULL(0) ? dmp_scores_make(context)
							 : dmp_scores_writable(PG_GETARG_DATUM(0), context);
	if (!PG_ARGISNULL(1))
		dmp_scores_append_state(object, PG_GETARG_DATUM(1));
	return dmp_scores_datum(object);
}

/* ------------------------------------------------------- rank metrics */

/*
 * The same three by merging what was written to a file. From the top, with
 * P and N the classes' weights and p and n what was met of them: each group's
 * negatives lie below p positives and tie with the group's own.
 */
static void
rank_by_groups(Datum state, DmpRankMetrics *metrics)
{
	DmpScoreTotals totals;
	DmpScoreReader *reader = dmp_scores_read(state, &totals);
	DmpScoreGroup group;
	double met[2] = {0, 0};
	double above = 0;
	double precision = 0;
	double ks = 0;

	while (dmp_scores_next(reader, &group))
	{
		above += group.weight[0] * (met[1] + group.weight[1] / 2);
		met[0] += group.weight[0];
		met[1] += group.weight[1];
		precision += group.weight[1] * met[1] / (met[0] + met[1]);
		ks = Max(ks, fabs(met[1] / totals.weight[1] - met[0] / totals.weight[0]));
	}
	metrics->weight_positive = totals.weight[1];
	metrics->weight_negative = totals.weight[0];
	metrics->roc_auc = metrics->ks = metrics->average_precision = NAN;
	if (totals.weight[1] > 0)
		metrics->average_precision = precision / totals.weight[1];
	if (totals.weight[1] > 0 && totals.weight[0] > 0)
	{
		metrics->roc_auc = above / totals.weight[1] / totals.weight[0];
		metrics->ks = ks;
	}
}

void
dmp_scores_rank(Datum state, DmpRankMetrics *metrics)
{
	DmpScores scores;

	if (dmp_scores_in_memory(state, &scores))
		dmp_rank_metrics(scores.n, scores.score, scores.label, scores.weight, &dmp_server_env,
						 metrics);
	else
		rank_by_groups(state, metrics);
}

static bool
rank_metrics(FunctionCallInfo fcinfo, DmpRankMetrics *metrics)
{
	if (PG_ARGISNULL(0))
		return false;
	dmp_scores_rank(PG_GETARG_DATUM(0), metrics);
	return true;
}

static Datum
float8_or_null(FunctionCallInfo fcinfo, double value)
{
	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

Datum
dmp_roc_auc_final(PG_FUNCTION_ARGS)
{
	DmpRankMetrics metrics;
	DmpScores scores;

	if (!PG_ARGISNULL(0) && dmp_scores_in_memory(PG_GETARG_DATUM(0), &scores) &&
		scores.weight == NULL)
		return float8_or_null(fcinfo,
							  dmp_rank_auc(scores.n, scores.score, scores.label, &dmp_server_env));
	return float8_or_null(fcinfo, rank_metrics(fcinfo, &metrics) ? metrics.roc_auc : NAN);
}

Datum
dmp_average_precision_final(PG_FUNCTION_ARGS)
{
	DmpRankMetrics metrics;

	return float8_or_null(fcinfo, rank_metrics(fcinfo, &metrics) ? metrics.average_precision : NAN);
}

Datum
dmp_ks_statistic_final(PG_FUNCTION_ARGS)
{
	DmpRankMetrics metrics;

	return float8_or_null(fcinfo, rank_metrics(fcinfo, &metrics) ? metrics.ks : NAN);
}

/* ----------------------------------------------------------------- sums */

/* The sums to change in place, made when there are none; *result is their state. */
static Sums *
sums_writable(FunctionCallInfo fcinfo, Datum *result)
{
	MemoryContext old = MemoryContextSwitchTo(dmp_aggregate_context(fcinfo));
	DmpState *state = PG_ARGISNULL(0) ? dmp_state_make(DMP_STATE_SUMS, SUMS_VERSION, sizeof(Sums))
									  : dmp_state_arg(PG_GETARG_DATUM(0), DMP_STATE_SUMS);

	MemoryContextSwitchTo(old);
	*result = PointerGetDatum(state);
	return (Sums *) DMP_STATE_DATA(state);
}

static void
sums_check(const DmpState *state, const char *data, Size size)
{
	double sums[sizeof(Sums) / sizeof(double)];
	int i;

	if (size != sizeof(Sums))
		dmp_state_corrupt(state, "its size is not that of sums");
	memcpy(sums, data, sizeof(sums));
	for (i = 0; i < lengthof(sums); i++)
	{
		if (!(sums[i] >= 0))
			dmp_state_corrupt(state, "a sum is negative or not a number");
	}
}

static Datum
loss_add(FunctionCallInfo fcinfo, bool boolean, bool brier)
{
	Datum state;
	Sums *sums;
	double p;
	double weight;
	int label;

	if (!row_of(fcinfo, boolean, &p, &label, &weight))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (p < 0 || p > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the score %g is no probability", p)));
	sums = sums_writable(fcinfo, &state);
	sums->weight += weight;
	sums->loss += weight * (brier ? (p - label) * (p - label) : dmp_log_loss_probability(p, label));
	PG_RETURN_DATUM(state);
}

Datum
dmp_log_loss_add(PG_FUNCTION_ARGS)
{
	return loss_add(fcinfo, false, false);
}

Datum
dmp_log_loss_add_boolean(PG_FUNCTION_ARGS)
{
	return loss_add(fcinfo, true, false);
}

Datum
dmp_brier_score_add(PG_FUNCTION_ARGS)
{
	return loss_add(fcinfo, false, true);
}

Datum
dmp_brier_score_add_boolean(PG_FUNCTION_ARGS)
{
	return loss_add(fcinfo, true, true);
}

Datum
dmp_sums_combine(PG_FUNCTION_ARGS)
{
	Datum state;
	Sums *into;
	Sums *from;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	into = sums_writable(fcinfo, &state);
	from = (Sums *) DMP_STATE_DATA(dmp_state_arg(PG_GETARG_DATUM(1), DMP_STATE_SUMS));
	into->weight += from->weight;
	into->loss += from->loss;
	dmp_confusion_merge(&into->confusion, &from->confusion);
	PG_RETURN_DATUM(state);
}

Datum
dmp_loss_final(PG_FUNCTION_ARGS)
{
	Sums *sums;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sums = (Sums *) DMP_STATE_DATA(dmp_state_arg(PG_GETARG_DATUM(0), DMP_STATE_SUMS));
	if (sums->weight == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sums->loss / sums->weight);
}

static Datum
confusion_add(FunctionCallInfo fcinfo, bool boolean)
{
	Datum state;
	double score;
	double weight;
	int label;

	if (!row_of(fcinfo, boolean, &score, &label, &weight))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	dmp_confusion_add(&sums_writable(fcinfo, &state)->confusion, score >= 0.5, label, weight);
	PG_RETURN_DATUM(state);
}

Datum
dmp_confusion_add_score(PG_FUNCTION_ARGS)
{
	return confusion_add(fcinfo, false);
}

Datum
dmp_confusion_add_score_boolean(PG_FUNCTION_ARGS)
{
	return confusion_add(fcinfo, true);
}

static double
confusion_final(FunctionCallInfo fcinfo, double (*metric)(const DmpConfusion *))
{
	if (PG_ARGISNULL(0))
		return NAN;
	return metric(
		&((Sums *) DMP_STATE_DATA(dmp_state_arg(PG_GETARG_DATUM(0), DMP_STATE_SUMS)))->confusion);
}

Datum
dmp_precision_score_final(PG_FUNCTION_ARGS)
{
	return float8_or_null(fcinfo, confusion_final(fcinfo, dmp_precision));
}

Datum
dmp_recall_score_final(PG_FUNCTION_ARGS)
{
	return float8_or_null(fcinfo, confusion_final(fcinfo, dmp_recall));
}

Datum
dmp_f1_score_final(PG_FUNCTION_ARGS)
{
	return float8_or_null(fcinfo, confusion_final(fcinfo, dmp_f1));
}

void
dmp_score_init(void)
{
	dmp_scores_init();
	dmp_state_register(DMP_STATE_SUMS, SUMS_VERSION, sums_check);
}
