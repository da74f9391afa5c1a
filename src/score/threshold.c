/*-------------------------------------------------------------------------
 * threshold.c
 *		From which score on a row is called positive: dmp.set_threshold.
 *
 * A threshold that is to be found is one of the scores of the rows: calling
 * positive whoever scores as much or more. Going down from the highest score,
 * each distinct score is one choice (margins that calibration or rounding ties
 * are one), and the first of those that are equally good is taken.
 *
 *		f1			largest 2 tp / (2 tp + fp + fn)
 *		youden		largest difference of true and false positive rate
 *		cost		smallest cost_false_positive fp + cost_false_negative fn
 *		precision	most positives found among thresholds of precision at_least
 *		recall		highest threshold that finds at_least of the positives
 *
 * The reject threshold says when there is no class at all: where the most
 * probable class is less probable. Of two classes that is the band of scores
 * above 1 - reject and below reject, wherever the threshold is.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "score/score.h"
#include "score/scores.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(dmp_best_threshold);
PG_FUNCTION_INFO_V1(dmp_set_threshold);

typedef enum ThresholdMethod
{
	BY_F1,
	BY_YOUDEN,
	BY_COST,
	BY_PRECISION,
	BY_RECALL
} ThresholdMethod;

static const char *const method_names[] = {"f1", "youden", "cost", "precision", "recall"};

/* arguments of dmp.set_threshold */
enum
{
	ARG_MODEL,
	ARG_THRESHOLD,
	ARG_METHOD,
	ARG_QUERY,
	ARG_COST_FALSE_POSITIVE,
	ARG_COST_FALSE_NEGATIVE,
	ARG_AT_LEAST,
	ARG_WEIGHT,
	ARG_REJECT
};

typedef struct Choice
{
	ThresholdMethod method;
	double cost_false_positive;
	double cost_false_negative;
	double at_least;
} Choice;

/* how good a threshold is, larger is better; -infinity: not to be taken */
static double
goodness(const Choice *choice, double tp, double fp, const DmpScoreTotals *totals)
{
	double np = totals->weight[1];
	double nn = totals->weight[0];

	switch (choice->method)
	{
		case BY_F1:
			return 2 * tp / (tp + fp + np);
		case BY_YOUDEN:
			return tp / np - fp / nn;
		case BY_COST:
			return -(choice->cost_false_positive * fp + choice->cost_false_negative * (np - tp));
		case BY_PRECISION:
			return tp + fp > 0 && tp >= choice->at_least * (tp + fp) * (1 - 1e-12) ? tp : -INFINITY;
		case BY_RECALL:
			return tp >= choice->at_least * np * (1 - 1e-12) ? 1 : -INFINITY;
	}
	return -INFINITY;
}

/*
 * dmp_internal.best_threshold(state, value, method, cost_false_positive,
 * cost_false_negative, at_least): NULL without rows of both classes, NaN when
 * no threshold will do.
 */
Datum
dmp_best_threshold(PG_FUNCTION_ARGS)
{
	const DmpModel *model = dmp_model_of_call(fcinfo, 1);
	Choice choice = {(ThresholdMethod) PG_GETARG_INT32(2), PG_GETARG_FLOAT8(3), PG_GETARG_FLOAT8(4),
					 PG_GETARG_FLOAT8(5)};
	DmpScoreTotals totals;
	DmpScoreReader *reader = dmp_scores_read(PG_GETARG_DATUM(0), &totals);
	DmpScoreGroup group;
	double tp = 0;
	double fp = 0;
	double best = -INFINITY;
	double threshold = NAN;
	bool more = dmp_scores_next(reader, &group);

	if (totals.rows[0] == 0 || totals.rows[1] == 0)
		PG_RETURN_NULL();
	/* nobody is positive: above every score, where there is room below 1 */
	if (choice.method == BY_COST && more && dmp_model_score(model, group.score) < 1)
	{
		best = goodness(&choice, 0, 0, &totals);
		threshold = 1;
	}
	while (more)
	{
		double score = dmp_model_score(model, group.score);
		double value;

		do
		{
			tp += group.weight[1];
			fp += group.weight[0];
			more = dmp_scores_next(reader, &group);
		} while (more && dmp_model_score(model, group.score) == score);
		value = goodness(&choice, tp, fp, &totals);
		if (value > best)
		{
			best = value;
			threshold = score;
		}
	}
	PG_RETURN_FLOAT8(threshold);
}

/* ------------------------------------------------------------- arguments */

static ThresholdMethod
method_of(const char *name)
{
	int i;

	for (i = 0; i < lengthof(method_names); i++)
	{
		if (strcmp(name, method_names[i]) == 0)
			return (ThresholdMethod) i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown method \"%s\"", name),
					errhint("The methods are \"f1\", \"youden\", \"cost\", \"precision\" and "
							"\"recall\".")));
	return BY_F1;
}

static double
cost_arg(FunctionCallInfo fcinfo, int n, const char *name)
{
	double cost = PG_GETARG_FLOAT8(n);

	if (!(cost >= 0) || isinf(cost))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be a finite number from 0 on", name)));
	return cost;
}

/* the choice that the arguments of dmp.set_threshold ask for */
static Choice
read_choice(FunctionCallInfo fcinfo)
{
	Choice choice = {BY_F1, 0, 0, 0};
	bool cost = !PG_ARGISNULL(ARG_COST_FALSE_POSITIVE) || !PG_ARGISNULL(ARG_COST_FALSE_NEGATIVE);
	bool at_least = !PG_ARGISNULL(ARG_AT_LEAST);

	if (!PG_ARGISNULL(ARG_METHOD))
		choice.method = method_of(text_to_cstring(PG_GETARG_TEXT_PP(ARG_METHOD)));
	if (cost != (choice.method == BY_COST) ||
		(cost && (PG_ARGISNULL(ARG_COST_FALSE_POSITIVE) || PG_ARGISNULL(ARG_COST_FALSE_NEGATIVE))))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("method \"cost\" goes with both costs"),
						errhint("method => 'cost', cost_false_positive => 1, "
								"cost_false_negative => 20.")));
	if (at_least != (choice.method == BY_PRECISION || choice.method == BY_RECALL))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("methods \"precision\" and \"recall\" go with \"at_least\""),
						errhint("method => 'precision', at_least => 0.9.")));
	if (cost)
	{
		choice.cost_false_positive =
			cost_arg(fcinfo, ARG_COST_FALSE_POSITIVE, "cost_false_positive");
		choice.cost_false_negative =
			cost_arg(fcinfo, ARG_COST_FALSE_NEGATIVE, "cost_false_negative");
		if (choice.cost_false_positive + choice.cost_false_negative == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("one of the costs must be above 0")));
	}
	if (at_least)
	{
		choice.at_least = PG_GETARG_FLOAT8(ARG_AT_LEAST);
		if (!(choice.at_least > 0 && choice.at_least <= 1))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"at_least\" must be above 0 and at most 1")));
	}
	return choice;
}

/* --------------------------------------------------- dmp.set_threshold */

/* The best threshold on the rows of a query, or of the training query with its search_path. */
static double
find_threshold(const DmpModelRow *row, const DmpModel *model, const char *query,
			   const Choice *choice, const char *weight)
{
	DmpArgs args = {0};
	DmpLabelled *rows;
	int level = NewGUCNestLevel();
	bool isnull;
	double threshold;

	if (query == NULL)
	{
		/* text of somebody else's is not run with the rights of who calls */
		if (row->trained_by != GetUserId())
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("model \"%s\" was trained by another role", row->name),
							errhint("Name the rows to judge on: query => '...'.")));
		(void) set_config_option("search_path", row->search_path, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		query = row->query;
	}
	dmp_spi_connect();
	rows = dmp_labelled(row, model, query, weight);
	dmp_arg_model_value(&args, row->value);
	dmp_arg_int4(&args, (int) choice->method);
	dmp_arg_float8(&args, choice->cost_false_positive);
	dmp_arg_float8(&args, choice->cost_false_negative);
	dmp_arg_float8(&args, choice->at_least);
	dmp_spi(psprintf("SELECT dmp_internal.best_threshold(%s, $1, $2, $3, $4, $5) FROM (%s) AS s",
					 dmp_labelled_scores(rows), dmp_labelled_sql(rows, NIL, "")),
			&args, true);
	(void) dmp_spi_datum(0, 1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows of both classes of target \"%s\"", model->target)));
	threshold = dmp_spi_float8(0, 1, 0.5);
	if (isnan(threshold))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA), errmsg("no threshold has a %s of %g or more",
												  method_names[choice->method], choice->at_least)));
	dmp_spi_finish();
	AtEOXact_GUC(false, level);
	return threshold;
}

/* the reject threshold that is asked for, 0: none */
static double
reject_arg(FunctionCallInfo fcinfo, const DmpModel *model)
{
	double reject = PG_GETARG_FLOAT8(ARG_REJECT);

	if (!(reject >= 0 && reject <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"reject\" must be from 0 to 1")));
	if (model->nclasses == 0 && reject != 0 && reject <= 0.5)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"reject\" must be above 0.5, or 0 for none"),
						errdetail("Of two classes one is always as probable as that.")));
	return reject;
}

static void
check_classes(FunctionCallInfo fcinfo, const DmpModel *model)
{
	if (model->nclasses == 0)
		return;
	if (PG_ARGISNULL(ARG_REJECT) || !PG_ARGISNULL(ARG_THRESHOLD) || !PG_ARGISNULL(ARG_QUERY))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a model of several classes has no threshold"),
						errdetail("Its class is the most probable of %d.", model->nclasses),
						errhint("reject => 0.6 leaves rows without a class whose most probable "
								"one is less probable.")));
}

/*
 * dmp.set_threshold(model, threshold, method, query, ...) -> (model, version,
 * threshold, previous, reject). With reject alone the threshold stays.
 */
Datum
dmp_set_threshold(PG_FUNCTION_ARGS)
{
	DmpModelRow *row;
	DmpModel *model;
	Choice choice;
	bool keep;
	double threshold = 0;
	double previous;
	Datum values[5];
	bool nulls[5] = {false};

	if (PG_ARGISNULL(ARG_MODEL))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"model\" must not be null")));
	choice = read_choice(fcinfo);
	dmp_srf_begin(fcinfo);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL)));
	dmp_check_owner(row->owner, "model", row->name);
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	if (model->link != DMP_BINOMIAL)
		dmp_model_refuse_numbers(model, "dmp.set_threshold");
	check_classes(fcinfo, model);
	if (!PG_ARGISNULL(ARG_REJECT))
		(void) reject_arg(fcinfo, model);
	keep = !PG_ARGISNULL(ARG_REJECT) && PG_ARGISNULL(ARG_THRESHOLD) && PG_ARGISNULL(ARG_QUERY) &&
		   (choice.method == BY_F1);
	if (!PG_ARGISNULL(ARG_THRESHOLD))
		threshold = PG_GETARG_FLOAT8(ARG_THRESHOLD);
	else if (!keep)
		threshold = find_threshold(
			row, model,
			PG_ARGISNULL(ARG_QUERY) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(ARG_QUERY)), &choice,
			dmp_weight_arg(fcinfo, ARG_WEIGHT));
	if (!(threshold >= 0 && threshold <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("threshold must be from 0 to 1")));
	model = dmp_model_lock(row);
	previous = model->threshold;
	if (!keep)
		model->threshold = threshold;
	if (!PG_ARGISNULL(ARG_REJECT))
		model->reject = reject_arg(fcinfo, model);
	dmp_model_store(row, model);
	values[0] = CStringGetTextDatum(row->name);
	values[1] = Int32GetDatum(row->version);
	values[2] = Float8GetDatum(model->threshold);
	values[3] = Float8GetDatum(previous);
	values[4] = Float8GetDatum(model->reject);
	nulls[2] = nulls[3] = model->nclasses > 0;
	nulls[4] = model->reject == 0;
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}
