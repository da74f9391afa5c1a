/*-------------------------------------------------------------------------
 * calibrate.c
 *		Scores that come true: dmp.calibrate.
 *
 * One scan gathers the margins and labels of a held-out query (the state of
 * the rank metrics); the fit goes over its groups of equal margin, Platt's a
 * few times, isotonic once. What comes out is stored with the version, in
 * place, as a threshold is: the coefficients stay what they were, dmp.margin
 * stays raw, and method 'none' takes it away again.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "catalog/pg_type.h"
#include "math/calibrate.h"
#include "score/score.h"
#include "score/scores.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_fit_calibration);
PG_FUNCTION_INFO_V1(dmp_calibrate);

/* what dmp_internal.fit_calibration returns first; x and y, or slope and intercept follow */
enum
{
	FIT_ROWS,
	FIT_LOSS_BEFORE,
	FIT_LOSS_AFTER,
	FIT_BRIER_BEFORE,
	FIT_BRIER_AFTER,
	FIT_HEAD
};

/* more isotonic pools than this are joined two by two */
#define MAX_POOLS 5000

/* ------------------------------------------------- groups of a state */

typedef struct MarginGroup
{
	double margin;
	double weight[2];
} MarginGroup;

/* Groups of a state by margin; kept in memory when they are few, else read anew for each pass. */
typedef struct StateSource
{
	DmpGroupSource base; /* comes first */
	Datum state;
	MemoryContext context; /* of the reader */
	DmpScoreReader *reader;
	DmpScoreTotals totals;
	MarginGroup ahead; /* read, not yet given */
	bool any_ahead;
	MarginGroup *kept; /* NULL: not kept */
	uint64 n;
	uint64 most;
	uint64 room;
	uint64 at;
	bool whole; /* all groups are kept */
} StateSource;

static bool
read_group(StateSource *source, MarginGroup *group)
{
	MemoryContext old = MemoryContextSwitchTo(source->context);
	DmpScoreGroup next;
	bool any = dmp_scores_next(source->reader, &next);

	MemoryContextSwitchTo(old);
	if (!any)
		return false;
	group->margin = Max(-DMP_MARGIN_LIMIT, Min(DMP_MARGIN_LIMIT, next.score));
	group->weight[0] = next.weight[0];
	group->weight[1] = next.weight[1];
	return true;
}

static void
state_restart(DmpGroupSource *base)
{
	StateSource *source = (StateSource *) base;
	MemoryContext old;

	source->at = 0;
	if (source->whole)
		return;
	if (source->n > 0 && source->kept != NULL)
	{
		/* more than are kept */
		pfree(source->kept);
		source->kept = NULL;
		source->room = source->n = 0;
	}
	MemoryContextReset(source->context);
	old = MemoryContextSwitchTo(source->context);
	source->reader = dmp_scores_read(source->state, &source->totals);
	MemoryContextSwitchTo(old);
	source->any_ahead = read_group(source, &source->ahead);
}

static void
keep_group(StateSource *source, const MarginGroup *group)
{
	if (source->n >= source->most)
		return;
	if (source->n == source->room)
	{
		Size room = Max(1024, source->room * 2);

		source->kept = source->kept == NULL
						   ? palloc(sizeof(MarginGroup) * room)
						   : repalloc_huge(source->kept, sizeof(MarginGroup) * room);
		source->room = room;
	}
	source->kept[source->n++] = *group;
}

static bool
state_next(DmpGroupSource *base, double *margin, double weight[2])
{
	StateSource *source = (StateSource *) base;
	MarginGroup group;

	if ((source->at++ & 0xFFF) == 0)
		CHECK_FOR_INTERRUPTS();
	if (source->whole)
	{
		if (source->at > source->n)
			return false;
		group = source->kept[source->at - 1];
	}
	else
	{
		if (!source->any_ahead)
		{
			source->whole = source->n > 0 && source->at - 1 == source->n;
			return false;
		}
		group = source->ahead;
		/* beyond the limit several margins are one */
		while ((source->any_ahead = read_group(source, &source->ahead)) &&
			   source->ahead.margin == group.margin)
		{
			group.weight[0] += source->ahead.weight[0];
			group.weight[1] += source->ahead.weight[1];
		}
		keep_group(source, &group);
	}
	*margin = group.margin;
	weight[0] = group.weight[0];
	weight[1] = group.weight[1];
	return true;
}

static void
open_state(StateSource *source, Datum state)
{
	memset(source, 0, sizeof(*source));
	source->base.restart = state_restart;
	source->base.next = state_next;
	source->state = state;
	source->context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp calibrate", ALLOCSET_DEFAULT_SIZES);
	source->most = (uint64) dmp_training_memory * 1024 / 4 / sizeof(MarginGroup);
}

/* ---------------------------------------------------------------- fits */

static void
fit_platt(StateSource *source, DmpCalibration *calibration)
{
	DmpPlatt fit;

	dmp_platt(&source->base, &fit);
	if (!fit.converged)
		ereport(WARNING, (errmsg("the calibration did not converge")));
	if (fit.slope < 0)
	{
		dmp_error_alone();
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the scores of the model fall where the target rises"),
						errdetail("The slope on the log-odds is %g.", fit.slope),
						errhint("Calibration keeps the order of the scores: train the model anew, "
								"or look at the rows.")));
	}
	calibration->method = DMP_CALIBRATION_PLATT;
	calibration->slope = fit.slope;
	calibration->intercept = fit.intercept;
}

static void
fit_isotonic(StateSource *source, DmpCalibration *calibration)
{
	DmpIsotonic fit;
	double margin;
	double weight[2];
	uint64 i;

	dmp_isotonic_start(&fit, &dmp_server_env);
	state_restart(&source->base);
	while (state_next(&source->base, &margin, weight))
		dmp_isotonic_add(&fit, margin, weight);
	while (fit.n > MAX_POOLS)
	{
		for (i = 0; i < fit.n; i += 2)
		{
			fit.pools[i / 2] = fit.pools[i];
			if (i + 1 < fit.n)
			{
				fit.pools[i / 2].low = fit.pools[i + 1].low;
				fit.pools[i / 2].weight += fit.pools[i + 1].weight;
				fit.pools[i / 2].positive += fit.pools[i + 1].positive;
			}
		}
		fit.n = (fit.n + 1) / 2;
	}
	calibration->method = DMP_CALIBRATION_ISOTONIC;
	calibration->x = palloc(sizeof(double) * 2 * fit.n);
	calibration->y = palloc(sizeof(double) * 2 * fit.n);
	calibration->n = (int) dmp_isotonic_knots(&fit, calibration->x, calibration->y);
}

/* mean log loss and Brier score of the model's scores */
static void
mean_losses(StateSource *source, const DmpModel *model, double *log_loss, double *brier)
{
	double margin;
	double weight[2];
	double sum = 0;
	int i;

	*log_loss = *brier = 0;
	state_restart(&source->base);
	while (state_next(&source->base, &margin, weight))
	{
		double p = dmp_model_score(model, margin);

		for (i = 0; i < 2; i++)
		{
			if (weight[i] == 0)
				continue;
			sum += weight[i];
			*log_loss += weight[i] * dmp_model_loss(model, margin, i);
			*brier += weight[i] * (p - i) * (p - i);
		}
	}
	*log_loss /= sum;
	*brier /= sum;
}

/* error unless the rows of a state can calibrate a model; returns their number */
static double
check_rows(StateSource *source, const DmpModel *model)
{
	double margin;
	double weight[2];
	bool two;

	state_restart(&source->base);
	if (source->totals.rows[0] == 0 || source->totals.rows[1] == 0)
	{
		dmp_error_alone();
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows of both classes of target \"%s\"", model->target)));
	}
	two = state_next(&source->base, &margin, weight) && state_next(&source->base, &margin, weight);
	if (!two)
	{
		dmp_error_alone();
		ereport(ERROR, (errcode(ERRCODE_NO_DATA),
						errmsg("the model gives every row of the query the same margin"),
						errdetail("Calibrated on them it would score all rows alike.")));
	}
	return (double) source->totals.rows[0] + (double) source->totals.rows[1];
}

/*
 * dmp_internal.fit_calibration(state, value, method): rows, log loss before and
 * after, Brier score before and after, then slope and intercept, or all x and
 * all y. Method 'none' has nothing behind.
 */
Datum
dmp_fit_calibration(PG_FUNCTION_ARGS)
{
	DmpModelValue *value = (DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	DmpModel *model = dmp_model_from_json(dmp_model_value_json(value), CurrentMemoryContext);
	char *method = text_to_cstring(PG_GETARG_TEXT_PP(2));
	DmpCalibration calibration = {0};
	StateSource source;
	double head[FIT_HEAD];
	Datum *items;
	int n = FIT_HEAD;
	int i;

	open_state(&source, PG_GETARG_DATUM(0));
	head[FIT_ROWS] = check_rows(&source, model);
	mean_losses(&source, model, &head[FIT_LOSS_BEFORE], &head[FIT_BRIER_BEFORE]);
	model->calibration = &calibration;
	if (strcmp(method, "platt") == 0)
		fit_platt(&source, &calibration);
	else if (strcmp(method, "isotonic") == 0)
		fit_isotonic(&source, &calibration);
	else
		model->calibration = NULL;
	mean_losses(&source, model, &head[FIT_LOSS_AFTER], &head[FIT_BRIER_AFTER]);
	items = palloc(sizeof(Datum) * (FIT_HEAD + 2 + 2 * calibration.n));
	for (i = 0; i < FIT_HEAD; i++)
		items[i] = Float8GetDatum(head[i]);
	if (model->calibration != NULL && calibration.n == 0)
	{
		items[n++] = Float8GetDatum(calibration.slope);
		items[n++] = Float8GetDatum(calibration.intercept);
	}
	for (i = 0; i < 2 * calibration.n; i++)
		items[n++] =
			Float8GetDatum(i < calibration.n ? calibration.x[i] : calibration.y[i - calibration.n]);
	PG_RETURN_POINTER(
		construct_array(items, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* -------------------------------------------------------- dmp.calibrate */

static bool
same_text(const char *a, const char *b)
{
	size_t la;
	size_t lb;

	a += strspn(a, " \t\r\n");
	b += strspn(b, " \t\r\n");
	la = strlen(a);
	lb = strlen(b);
	while (la > 0 && strchr(" \t\r\n;", a[la - 1]) != NULL)
		la--;
	while (lb > 0 && strchr(" \t\r\n;", b[lb - 1]) != NULL)
		lb--;
	return la == lb && strncmp(a, b, la) == 0;
}

/* Fits on the query; *numbers is the head. NULL: method none. */
static DmpCalibration *
fit_on(const DmpModelRow *row, const DmpModel *model, const char *query, const char *weight,
	   char *method, double *numbers)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpCalibration *calibration = NULL;
	DmpLabelled *rows;
	DmpArgs args = {0};
	ArrayType *array;
	double *items;
	Datum datum;
	bool isnull;
	int n;

	if (row->query != NULL && same_text(query, row->query))
		ereport(
			WARNING,
			(errmsg("model \"%s\" version %d was trained on this query", row->name, row->version),
			 errdetail("Scores of training rows look better than they are: calibrated on "
					   "them, scores of other rows stay too sure."),
			 errhint("Calibrate on rows that were held out.")));
	dmp_spi_connect();
	rows = dmp_labelled(row, model, query, weight);
	dmp_arg_model_value(&args, row->value);
	dmp_arg_text(&args, method);
	dmp_progress("calibrate: model \"%s\" version %d by %s", row->name, row->version, method);
	dmp_spi(psprintf("SELECT dmp_internal.fit_calibration(%s, $1, $2) FROM (%s) AS s",
					 dmp_labelled_scores(rows), dmp_labelled_sql(rows, NIL, "")),
			&args, true);
	datum = dmp_spi_datum(0, 1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows with a value of target \"%s\"", model->target)));
	array = DatumGetArrayTypeP(datum);
	items = (double *) ARR_DATA_PTR(array);
	n = ARR_DIMS(array)[0] - FIT_HEAD;
	memcpy(numbers, items, sizeof(double) * FIT_HEAD);
	items += FIT_HEAD;
	if (strcmp(method, "none") != 0)
	{
		calibration = MemoryContextAllocZero(caller, sizeof(DmpCalibration));
		calibration->method =
			strcmp(method, "platt") == 0 ? DMP_CALIBRATION_PLATT : DMP_CALIBRATION_ISOTONIC;
		if (calibration->method == DMP_CALIBRATION_PLATT)
		{
			calibration->slope = items[0];
			calibration->intercept = items[1];
		}
		else
		{
			calibration->n = n / 2;
			calibration->x = MemoryContextAlloc(caller, sizeof(double) * n);
			memcpy(calibration->x, items, sizeof(double) * n);
			calibration->y = calibration->x + calibration->n;
		}
	}
	dmp_spi_finish();
	return calibration;
}

/*
 * dmp.calibrate(model, query, method, weight) -> (model, version, method, rows,
 * log_loss_before, log_loss_after, brier_before, brier_after)
 */
Datum
dmp_calibrate(PG_FUNCTION_ARGS)
{
	DmpModelRow *row;
	DmpModel *model;
	char *method = PG_ARGISNULL(2) ? "platt" : text_to_cstring(PG_GETARG_TEXT_PP(2));
	bool none = strcmp(method, "none") == 0;
	DmpCalibration *calibration = NULL;
	double numbers[FIT_HEAD];
	Datum values[3 + FIT_HEAD];
	bool nulls[3 + FIT_HEAD] = {false};
	int i;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"model\" must not be null")));
	if (!none && strcmp(method, "platt") != 0 && strcmp(method, "isotonic") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown method \"%s\"", method),
				 errhint("The methods are \"platt\", \"isotonic\" and \"none\".")));
	if (!none && PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"query\" must not be null"),
				 errhint("Name rows that the model was not trained on.")));
	dmp_srf_begin(fcinfo);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	dmp_check_owner(row->owner, "model", row->name);
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	if (model->nclasses > 0)
		dmp_model_refuse_classes(model);
	if (model->link != DMP_BINOMIAL)
		dmp_model_refuse_numbers(model, "dmp.calibrate");
	for (i = 0; i < FIT_HEAD; i++)
		nulls[3 + i] = PG_ARGISNULL(1);
	if (!PG_ARGISNULL(1))
		calibration = fit_on(row, model, text_to_cstring(PG_GETARG_TEXT_PP(1)),
							 dmp_weight_arg(fcinfo, 3), method, numbers);
	model = dmp_model_lock(row);
	model->calibration = calibration;
	dmp_model_store(row, model);
	if (model->threshold != 0.5)
		ereport(NOTICE, (errmsg("the threshold %g of model \"%s\" is of calibrated scores now",
								model->threshold, row->name),
						 errhint("dmp.set_threshold finds a new one.")));
	values[0] = CStringGetTextDatum(row->name);
	values[1] = Int32GetDatum(row->version);
	values[2] = CStringGetTextDatum(method);
	for (i = 0; i < FIT_HEAD; i++)
		values[3 + i] = i == FIT_ROWS ? Int64GetDatum(nulls[3] ? 0 : (int64) numbers[i])
									  : Float8GetDatum(nulls[3] ? 0 : numbers[i]);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}
