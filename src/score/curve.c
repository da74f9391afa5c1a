/*-------------------------------------------------------------------------
 * curve.c
 *		Curves to plot: dmp.curve, and the aggregates dmp.roc_curve,
 *		dmp.pr_curve, dmp.gains_curve and dmp.calibration_curve.
 *
 * All come from the state of the rank metrics (scores.c), read from the highest
 * score down. Rows of equal score are one
 * point, so the curves are exact and do not depend on the order of the rows:
 *
 *	roc			x: false positive rate, y: true positive rate, of the rows
 *				whose score is at least the threshold
 *	pr			x: recall, y: precision, likewise
 *	gains		x: share of the rows, y: share of the positives, likewise
 *	calibration	x: mean score, y: share of positives, in at most ten groups of
 *				rows of about equal weight, in the order of their scores; the
 *				threshold is the lowest score of the group
 *
 * The first three start with a point at threshold Infinity, where no row is
 * called positive (precision is 1 there by convention), and go down in
 * threshold; the area under the steps of pr is average_precision, that under
 * the straight lines of roc is roc_auc. rows counts the rows that are new at
 * a point, weight or not: those whose score is the threshold, or the group's.
 * A coordinate that would divide by zero (a rate of a class without rows) is
 * NULL.
 *
 * Equal scores stay together in calibration as well: a tie belongs to group
 * floor(10 (w_below + w_tie / 2) / W).
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "access/htup_details.h"
#include "base/base.h"
#include "funcapi.h"
#include "score/score.h"
#include "score/scores.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_curve);
PG_FUNCTION_INFO_V1(dmp_draw);
PG_FUNCTION_INFO_V1(dmp_roc_curve_final);
PG_FUNCTION_INFO_V1(dmp_pr_curve_final);
PG_FUNCTION_INFO_V1(dmp_gains_curve_final);
PG_FUNCTION_INFO_V1(dmp_calibration_curve_final);

#define CALIBRATION_GROUPS 10

typedef enum CurveKind
{
	CURVE_ROC,
	CURVE_PR,
	CURVE_GAINS,
	CURVE_CALIBRATION
} CurveKind;

static const char *const kind_names[] = {"roc", "pr", "gains", "calibration"};

typedef struct Point
{
	double threshold;
	double x; /* NaN: NULL */
	double y;
	int64 rows;
} Point;

/* takes the points of a curve one by one */
typedef struct Sink
{
	void (*put)(struct Sink *sink, const Point *point);
	const DmpModel
		*model; /* scores are its margins, to be shown as its scores; NULL: as they are */
	FunctionCallInfo fcinfo; /* dmp.curve */
	CurveKind kind;
	TupleDesc desc; /* an aggregate */
	ArrayBuildState *array;
	Oid element;
} Sink;

/* ---------------------------------------------------------- the curves */

/* rounding may put the sum of the parts above the whole */
static double
share(double part, double whole)
{
	return whole > 0 ? Min(part / whole, 1) : NAN;
}

static double
shown(const Sink *sink, double score)
{
	return sink->model != NULL ? dmp_model_score(sink->model, score) : score;
}

static void
walk_down(DmpScoreReader *reader, const DmpScoreTotals *totals, CurveKind kind, Sink *sink)
{
	double nn = totals->weight[0];
	double np = totals->weight[1];
	double fp = 0;
	double tp = 0;
	Point point = {INFINITY, 0, 0, 0};
	DmpScoreGroup tie;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		switch (kind)
		{
			case CURVE_ROC:
				point.x = share(fp, nn);
				point.y = share(tp, np);
				break;
			case CURVE_PR:
				point.x = share(tp, np);
				point.y = tp + fp > 0 ? tp / (tp + fp) : 1;
				break;
			default:
				point.x = share(tp + fp, np + nn);
				point.y = share(tp, np);
				break;
		}
		sink->put(sink, &point);
		if (!dmp_scores_next(reader, &tie))
			return;
		fp += tie.weight[0];
		tp += tie.weight[1];
		point.threshold = shown(sink, tie.score);
		point.rows = (int64) tie.rows;
	}
}

static void
calibrate(DmpScoreReader *reader, const DmpScoreTotals *totals, Sink *sink)
{
	double total = totals->weight[0] + totals->weight[1];
	double left = total;
	double weights[CALIBRATION_GROUPS] = {0};
	Point points[CALIBRATION_GROUPS] = {{0}};
	DmpScoreGroup tie;
	int g;

	while (dmp_scores_next(reader, &tie))
	{
		double weight = tie.weight[0] + tie.weight[1];
		double score = shown(sink, tie.score);

		CHECK_FOR_INTERRUPTS();
		if (score < 0 || score > 1)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the score %g is no probability", score)));
		left -= weight;
		g = (int) floor(CALIBRATION_GROUPS * (left + weight / 2) / total);
		g = Max(0, Min(CALIBRATION_GROUPS - 1, g));
		points[g].threshold = score; /* the lowest comes last */
		points[g].x += weight * score;
		points[g].y += tie.weight[1];
		points[g].rows += (int64) tie.rows;
		weights[g] += weight;
	}
	for (g = 0; g < CALIBRATION_GROUPS; g++)
	{
		if (points[g].rows == 0)
			continue;
		points[g].x /= weights[g];
		points[g].y = share(points[g].y, weights[g]);
		sink->put(sink, &points[g]);
	}
}

static void
draw(Datum state, CurveKind kind, Sink *sink)
{
	DmpScoreTotals totals;
	DmpScoreReader *reader = dmp_scores_read(state, &totals);

	if (kind == CURVE_CALIBRATION)
		calibrate(reader, &totals, sink);
	else
		walk_down(reader, &totals, kind, sink);
}

static void
point_columns(const Point *point, Datum *values, bool *nulls)
{
	values[0] = Float8GetDatum(point->threshold);
	nulls[0] = false;
	values[1] = Float8GetDatum(point->x);
	nulls[1] = isnan(point->x);
	values[2] = Float8GetDatum(point->y);
	nulls[2] = isnan(point->y);
	values[3] = Int64GetDatum(point->rows);
	nulls[3] = false;
}

/* ---------------------------------------------------------- aggregates */

static void
put_item(Sink *sink, const Point *point)
{
	Datum values[4];
	bool nulls[4];
	HeapTuple tuple;

	point_columns(point, values, nulls);
	tuple = heap_form_tuple(sink->desc, values, nulls);
	sink->array = accumArrayResult(sink->array, HeapTupleGetDatum(tuple), false, sink->element,
								   CurrentMemoryContext);
	heap_freetuple(tuple);
}

/* state -> dmp.curve_point[]; no rows: NULL */
static Datum
curve_final(FunctionCallInfo fcinfo, CurveKind kind)
{
	Sink sink = {.put = put_item};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sink.element = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	sink.desc = lookup_rowtype_tupdesc_copy(sink.element, -1);
	draw(PG_GETARG_DATUM(0), kind, &sink);
	PG_RETURN_DATUM(makeArrayResult(sink.array, CurrentMemoryContext));
}

Datum
dmp_roc_curve_final(PG_FUNCTION_ARGS)
{
	return curve_final(fcinfo, CURVE_ROC);
}

Datum
dmp_pr_curve_final(PG_FUNCTION_ARGS)
{
	return curve_final(fcinfo, CURVE_PR);
}

Datum
dmp_gains_curve_final(PG_FUNCTION_ARGS)
{
	return curve_final(fcinfo, CURVE_GAINS);
}

Datum
dmp_calibration_curve_final(PG_FUNCTION_ARGS)
{
	return curve_final(fcinfo, CURVE_CALIBRATION);
}

/* ----------------------------------------------------------- dmp.curve */

static void
put_row(Sink *sink, const Point *point)
{
	Datum values[4];
	bool nulls[4];

	point_columns(point, values, nulls);
	dmp_srf_row(sink->fcinfo, values, nulls);
}

static CurveKind
kind_of(const char *name)
{
	int i;

	for (i = 0; i < lengthof(kind_names); i++)
	{
		if (strcmp(name, kind_names[i]) == 0)
			return (CurveKind) i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown kind \"%s\"", name),
					errhint("The kinds are \"roc\", \"pr\", \"gains\" and \"calibration\".")));
	return CURVE_ROC;
}

/* what the dmp.curve that runs draws, and where to; NULL: none does */
static Sink *drawing = NULL;

/*
 * dmp_internal.draw(state): draws it where it is. A state that left the
 * statement would have to be flat, in memory, with all its rows.
 */
Datum
dmp_draw(PG_FUNCTION_ARGS)
{
	if (drawing == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("this function is part of dmp.curve and is not called alone")));
	draw(PG_GETARG_DATUM(0), drawing->kind, drawing);
	PG_RETURN_BOOL(true);
}

/*
 * dmp.curve(model, query, kind, weight) -> (threshold, x, y, rows)
 *
 * Rows are ranked by their margins, which do not tie as probabilities near 1
 * do; thresholds are shown as scores.
 */
Datum
dmp_curve(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"model", "query", "kind"};
	DmpModelRow *row;
	DmpModel *model;
	DmpLabelled *rows;
	Sink sink = {.put = put_row};
	CurveKind kind;
	DmpArgs args = {0};
	char *sql;
	Sink *before = drawing;
	bool any = false;
	int i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("\"%s\" must not be null", names[i])));
	}
	kind = kind_of(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	dmp_srf_begin(fcinfo);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	if (model->nclasses > 0)
		dmp_model_refuse_classes(model);
	if (model->link != DMP_BINOMIAL)
		dmp_model_refuse_numbers(model, "dmp.curve");
	dmp_spi_connect();
	rows =
		dmp_labelled(row, model, text_to_cstring(PG_GETARG_TEXT_PP(1)), dmp_weight_arg(fcinfo, 3));
	dmp_arg_model_value(&args, row->value);
	sink.fcinfo = fcinfo;
	sink.model = model;
	sink.kind = kind;
	sql = psprintf("SELECT dmp_internal.draw(%s) FROM (%s) AS s", dmp_labelled_scores(rows),
				   dmp_labelled_sql(rows, NIL, ""));
	PG_TRY();
	{
		drawing = &sink;
		dmp_spi(sql, &args, true);
		any = dmp_spi_bool(0, 1, false);
	}
	PG_FINALLY();
	{
		drawing = before;
	}
	PG_END_TRY();
	if (!any)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows with a value of target \"%s\"", model->target)));
	dmp_spi_finish();
	return (Datum) 0;
}
