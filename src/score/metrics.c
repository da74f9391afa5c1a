/*-------------------------------------------------------------------------
 * metrics.c
 *		Aggregates that judge scores against labels.
 *
 * Two shapes of state. Losses and the confusion matrix are sums: flat, changed
 * in place. The rank metrics (roc_auc, average_precision, ks_statistic) keep
 * every score, label and, when one differs from 1, weight, as an expanded
 * object that grows by doubling; it flattens to
 *
 *		uint64 rows, uint64 weighted, float8 score[], float8 weight[] (if
 *		weighted), uint8 label[]
 *
 * and so can cross to another process up to 1 GB, past 100 million rows. The
 * kernels are those of math, which training uses too.
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
#include "score/metrics.h"
#include "utils/array.h"
#include "utils/expandeddatum.h"
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

#define SCORES_MAGIC 0x5C0BE5
#define SCORES_VERSION 1
#define SUMS_VERSION 1

/* the growing state; the header comes first */
typedef struct ScoresObject
{
	ExpandedObjectHeader header;
	int magic;
	DmpScores scores;
	Size capacity;
} ScoresObject;

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

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("this function is part of an aggregate and is not called alone")));
	return context;
}

/* --------------------------------------------------------------- scores */

static Size
scores_payload(const DmpScores *scores)
{
	Size each = sizeof(float8) * (scores->weight ? 2 : 1) + 1;

	return add_size(2 * sizeof(uint64), mul_size(scores->n, each));
}

static Size
scores_flat_size(ExpandedObjectHeader *header)
{
	Size size = add_size(sizeof(DmpState), scores_payload(&((ScoresObject *) header)->scores));

	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the state of a rank metric is larger than 1 GB"),
				 errhint("SET max_parallel_workers_per_gather = 0 keeps it in one process.")));
	return size;
}

static void
scores_flatten(ExpandedObjectHeader *header, void *result, Size allocated)
{
	DmpScores *scores = &((ScoresObject *) header)->scores;
	DmpState *state = result;
	char *at = DMP_STATE_DATA(state);
	uint64 head[2];

	memset(state, 0, sizeof(DmpState));
	SET_VARSIZE(state, allocated);
	state->kind = DMP_STATE_SCORES;
	state->version = SCORES_VERSION;
	state->order = DMP_STATE_ORDER;
	head[0] = scores->n;
	head[1] = scores->weight != NULL;
	memcpy(at, head, sizeof(head));
	at += sizeof(head);
	memcpy(at, scores->score, sizeof(float8) * scores->n);
	at += sizeof(float8) * scores->n;
	if (scores->weight != NULL)
	{
		memcpy(at, scores->weight, sizeof(float8) * scores->n);
		at += sizeof(float8) * scores->n;
	}
	memcpy(at, scores->label, scores->n);
}

static const ExpandedObjectMethods scores_methods = {scores_flat_size, scores_flatten};

/* A view into a flat state's bytes. */
static void
scores_view(const DmpState *state, DmpScores *scores)
{
	char *at = DMP_STATE_DATA(state);
	uint64 head[2];

	memcpy(head, at, sizeof(head));
	at += sizeof(head);
	scores->n = head[0];
	scores->score = (double *) (void *) at;
	at += sizeof(float8) * scores->n;
	scores->weight = NULL;
	if (head[1])
	{
		scores->weight = (double *) (void *) at;
		at += sizeof(float8) * scores->n;
	}
	scores->label = (unsigned char *) at;
}

static void
scores_check(const DmpState *state, const char *data, Size size)
{
	DmpScores scores;
	uint64 head[2];
	uint64 i;

	if (size < sizeof(head))
		dmp_state_corrupt(state, "too short");
	memcpy(head, data, sizeof(head));
	if (head[1] > 1 || head[0] > MaxAllocSize ||
		size != sizeof(head) + head[0] * (sizeof(float8) * (1 + head[1]) + 1))
		dmp_state_corrupt(state, "its size is not what its rows need");
	scores_view(state, &scores);
	for (i = 0; i < scores.n; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (isnan(scores.score[i]) || scores.label[i] > 1 ||
			(scores.weight && !(scores.weight[i] > 0 && isfinite(scores.weight[i]))))
			dmp_state_corrupt(state, "a row is out of range");
	}
}

static ScoresObject *
scores_make(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "dmp scores", ALLOCSET_SMALL_SIZES);
	ScoresObject *object = MemoryContextAllocZero(context, sizeof(ScoresObject));

	EOH_init_header(&object->header, &scores_methods, context);
	object->magic = SCORES_MAGIC;
	object->capacity = 32;
	object->scores.score = MemoryContextAlloc(context, sizeof(double) * object->capacity);
	object->scores.label = MemoryContextAlloc(context, object->capacity);
	return object;
}

static void
scores_reserve(ScoresObject *object, Size more)
{
	Size needed = add_size(object->scores.n, more);

	if (needed <= object->capacity)
		return;
	needed = Max(needed, object->capacity * 2);
	object->scores.score = repalloc_huge(object->scores.score, mul_size(sizeof(double), needed));
	if (object->scores.weight != NULL)
		object->scores.weight =
			repalloc_huge(object->scores.weight, mul_size(sizeof(double), needed));
	object->scores.label = repalloc_huge(object->scores.label, needed);
	object->capacity = needed;
}

/* from now on every row has a weight */
static void
scores_add_weights(ScoresObject *object)
{
	Size i;

	object->scores.weight = MemoryContextAllocHuge(object->header.eoh_context,
												   mul_size(sizeof(double), object->capacity));
	for (i = 0; i < object->scores.n; i++)
		object->scores.weight[i] = 1;
}

static void
scores_append(ScoresObject *object, const DmpScores *more)
{
	DmpScores *scores = &object->scores;
	Size i;

	if (more->weight != NULL && scores->weight == NULL)
		scores_add_weights(object);
	scores_reserve(object, more->n);
	memcpy(scores->score + scores->n, more->score, sizeof(double) * more->n);
	memcpy(scores->label + scores->n, more->label, more->n);
	for (i = 0; scores->weight != NULL && i < more->n; i++)
		scores->weight[scores->n + i] = more->weight ? more->weight[i] : 1;
	scores->n += more->n;
}

/* The scores of a datum, expanded or flat. */
void
dmp_scores_get(Datum datum, DmpScores *scores)
{
	if (VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(datum)))
	{
		ScoresObject *object = (ScoresObject *) DatumGetEOHP(datum);

		if (object->magic != SCORES_MAGIC)
			elog(ERROR, "this expanded object is no state of scores");
		*scores = object->scores;
	}
	else
		scores_view(dmp_state_arg(datum, DMP_STATE_SCORES), scores);
}

/* An object to add to: the datum's own when it may be written, else a copy. */
static ScoresObject *
scores_writable(Datum datum, MemoryContext parent)
{
	struct varlena *pointer = (struct varlena *) DatumGetPointer(datum);
	ScoresObject *object;
	DmpScores scores;

	if (VARATT_IS_EXTERNAL_EXPANDED_RW(pointer))
	{
		object = (ScoresObject *) DatumGetEOHP(datum);
		if (object->magic != SCORES_MAGIC)
			elog(ERROR, "this expanded object is no state of scores");
		return object;
	}
	dmp_scores_get(datum, &scores);
	object = scores_make(parent);
	scores_append(object, &scores);
	return object;
}

static Datum
scores_add(FunctionCallInfo fcinfo, bool boolean)
{
	MemoryContext context = aggregate_context(fcinfo);
	ScoresObject *object;
	double score;
	double weight;
	int label;

	if (!row_of(fcinfo, boolean, &score, &label, &weight))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	object = PG_ARGISNULL(0) ? scores_make(context) : scores_writable(PG_GETARG_DATUM(0), context);
	if (weight != 1 && object->scores.weight == NULL)
		scores_add_weights(object);
	scores_reserve(object, 1);
	object->scores.score[object->scores.n] = score;
	object->scores.label[object->scores.n] = (unsigned char) label;
	if (object->scores.weight != NULL)
		object->scores.weight[object->scores.n] = weight;
	object->scores.n++;
	return EOHPGetRWDatum(&object->header);
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
	MemoryContext context = aggregate_context(fcinfo);
	ScoresObject *object;
	DmpScores more;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	object = PG_ARGISNULL(0) ? scores_make(context) : scores_writable(PG_GETARG_DATUM(0), context);
	if (!PG_ARGISNULL(1))
	{
		dmp_scores_get(PG_GETARG_DATUM(1), &more);
		scores_append(object, &more);
	}
	return EOHPGetRWDatum(&object->header);
}

/* ------------------------------------------------------- rank metrics */

static void *
env_alloc(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

static void
env_check(void)
{
	CHECK_FOR_INTERRUPTS();
}

const DmpMathEnv dmp_score_env = {env_alloc, pfree, env_check};

static bool
rank_metrics(FunctionCallInfo fcinfo, DmpRankMetrics *metrics)
{
	DmpScores scores;

	if (PG_ARGISNULL(0))
		return false;
	dmp_scores_get(PG_GETARG_DATUM(0), &scores);
	dmp_rank_metrics(scores.n, scores.score, scores.label, scores.weight, &dmp_score_env, metrics);
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
	MemoryContext old = MemoryContextSwitchTo(aggregate_context(fcinfo));
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
	dmp_state_register(DMP_STATE_SCORES, SCORES_VERSION, scores_check);
	dmp_state_register(DMP_STATE_SUMS, SUMS_VERSION, sums_check);
}
