/*-------------------------------------------------------------------------
 * judge.c
 *		How good a model is on rows with known labels: dmp.evaluate and
 *		dmp.set_threshold.
 *
 * One scan gathers margins and labels (the state of the rank metrics); every
 * metric comes from there. Intervals are 95 %: DeLong's for roc_auc (DeLong,
 * DeLong and Clarke-Pearson 1988, by mid-ranks), Wilson's for shares.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "base/state.h"
#include "catalog/pg_type.h"
#include "score/score.h"
#include "score/scores.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_judge);
PG_FUNCTION_INFO_V1(dmp_best_threshold);
PG_FUNCTION_INFO_V1(dmp_evaluate);
PG_FUNCTION_INFO_V1(dmp_set_threshold);
PG_FUNCTION_INFO_V1(dmp_refuse_label);

#define NORMAL_975 1.959963984540054

/* what dmp_internal.judge returns, in this order; each is value, low, high */
static const char *const metric_names[] = {
	"rows",         "rows_positive", "positive_rate", "roc_auc",   "average_precision",
	"ks_statistic", "log_loss",      "brier_score",   "threshold", "accuracy",
	"precision",    "recall",        "specificity",   "f1",        "predicted_positive_rate"};

#define METRICS lengthof(metric_names)

typedef struct Judgement
{
	double value, low, high;
} Judgement;

static void
set_share(Judgement *j, double part, double whole)
{
	double p;
	double z2 = NORMAL_975 * NORMAL_975;
	double centre;
	double half;

	if (whole == 0)
		return;
	p = part / whole;
	centre = (p + z2 / (2 * whole)) / (1 + z2 / whole);
	half = NORMAL_975 * sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole);
	j->value = p;
	j->low = Max(0, centre - half);
	j->high = Min(1, centre + half);
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
 * One pass over the rows from the highest score down. DeLong's variance of the
 * auc is that of the placements: for a positive, the share of negatives below
 * it; for a negative, the share of positives above; ties one half.
 */
static void
judge(Datum state, double threshold, Judgement *j)
{
	DmpRankMetrics ranks;
	DmpConfusion c = {0, 0, 0, 0};
	DmpScoreTotals totals;
	DmpScoreReader *reader = dmp_scores_read(state, &totals);
	DmpScoreGroup group;
	Spread places[2] = {{0, 0, 0}, {0, 0, 0}};
	double nn = (double) totals.rows[0];
	double np = (double) totals.rows[1];
	double n = nn + np;
	double met[2] = {0, 0};
	double log_loss = 0;
	double brier = 0;
	int i;

	dmp_scores_rank(state, &ranks);
	while (dmp_scores_next(reader, &group))
	{
		double p = dmp_model_probability(group.score);

		for (i = 0; i < 2; i++)
		{
			double w = group.weight[i];

			if (w == 0)
				continue;
			log_loss += w * dmp_log_loss_margin(group.score, i);
			brier += w * (p - i) * (p - i);
			dmp_confusion_add(&c, p >= threshold, i, w);
		}
		if (np > 0 && nn > 0)
		{
			spread_add(&places[1], (nn - met[0] - group.weight[0] / 2) / nn, group.weight[1]);
			spread_add(&places[0], (met[1] + group.weight[1] / 2) / np, group.weight[0]);
		}
		met[0] += group.weight[0];
		met[1] += group.weight[1];
	}
	for (i = 0; i < METRICS; i++)
		j[i].value = j[i].low = j[i].high = NAN;
	j[0].value = n;
	j[1].value = np;
	set_share(&j[2], np, n);
	j[3].value = ranks.roc_auc;
	if (np > 1 && nn > 1)
	{
		double half =
			NORMAL_975 * sqrt(places[1].m2 / (np - 1) / np + places[0].m2 / (nn - 1) / nn);

		j[3].low = Max(0, ranks.roc_auc - half);
		j[3].high = Min(1, ranks.roc_auc + half);
	}
	j[4].value = ranks.average_precision;
	j[5].value = ranks.ks;
	j[6].value = log_loss / n;
	j[7].value = brier / n;
	j[8].value = threshold;
	set_share(&j[9], c.true_positive + c.true_negative, n);
	set_share(&j[10], c.true_positive, c.true_positive + c.false_positive);
	set_share(&j[11], c.true_positive, np);
	set_share(&j[12], c.true_negative, nn);
	j[13].value = dmp_f1(&c);
	set_share(&j[14], c.true_positive + c.false_positive, n);
}

/* dmp_internal.judge(state, threshold): value, low, high of each metric in order; NaN: none */
Datum
dmp_judge(PG_FUNCTION_ARGS)
{
	Judgement judgement[METRICS];
	Datum items[3 * METRICS];
	int i;

	judge(PG_GETARG_DATUM(0), PG_GETARG_FLOAT8(1), judgement);
	for (i = 0; i < METRICS; i++)
	{
		items[3 * i] = Float8GetDatum(judgement[i].value);
		items[3 * i + 1] = Float8GetDatum(judgement[i].low);
		items[3 * i + 2] = Float8GetDatum(judgement[i].high);
	}
	PG_RETURN_POINTER(construct_array(items, 3 * METRICS, FLOAT8OID, sizeof(float8),
									  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * dmp_internal.best_threshold(state, method): the probability from which on
 * calling a row positive gives the largest F1, or the largest difference of
 * true and false positive rates (Youden's J).
 */
Datum
dmp_best_threshold(PG_FUNCTION_ARGS)
{
	bool youden = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "youden") == 0;
	DmpScoreTotals totals;
	DmpScoreReader *reader = dmp_scores_read(PG_GETARG_DATUM(0), &totals);
	DmpScoreGroup group;
	double tp = 0;
	double fp = 0;
	double best = -1;
	double threshold = 0.5;

	if (totals.rows[0] == 0 || totals.rows[1] == 0)
		PG_RETURN_NULL();
	while (dmp_scores_next(reader, &group))
	{
		double value;

		tp += group.weight[1];
		fp += group.weight[0];
		value = youden ? tp / totals.weight[1] - fp / totals.weight[0]
					   : 2 * tp / (tp + fp + totals.weight[1]);
		if (value > best)
		{
			best = value;
			threshold = dmp_model_probability(group.score);
		}
	}
	PG_RETURN_FLOAT8(threshold);
}

/* ---------------------------------------------------------------- labels */

/* dmp_internal.refuse_label(value, column): a value of the target the model does not know */
Datum
dmp_refuse_label(PG_FUNCTION_ARGS)
{
	dmp_error_alone();
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("target \"%s\" has the value \"%s\", which the model does not know",
					text_to_cstring(PG_GETARG_TEXT_PP(1)), text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_NULL();
}

/* 0, 1 or NULL by the model's classes; the column is q.target of the query */
static char *
label_sql(const DmpModel *model, TupleDesc desc)
{
	Oid type =
		TupleDescAttr(desc, dmp_column_number(desc, model->target, "target: ") - 1)->atttypid;
	char *column = psprintf("q.%s", quote_identifier(model->target));
	char *cast;

	switch (dmp_value_kind(type))
	{
		case DMP_VALUE_NUMBER:
			/* a model of a boolean also judges 0 and 1 */
			if (strcmp(model->positive, "true") == 0 || strcmp(model->positive, "false") == 0)
				return psprintf("CASE %s::float8 WHEN 1 THEN %d WHEN 0 THEN %d END::float8", column,
								model->positive[0] == 't', model->positive[0] != 't');
			cast = "::float8";
			break;
		case DMP_VALUE_BOOLEAN:
			if (strcmp(model->positive, "1") == 0 || strcmp(model->positive, "0") == 0)
				return psprintf("(%s = %s)::int::float8", column,
								model->positive[0] == '1' ? "true" : "false");
			cast = "::boolean";
			break;
		default:
			cast = "::text COLLATE \"C\"";
			break;
	}
	return psprintf("CASE WHEN %s%s = %s%s THEN 1 WHEN %s%s = %s%s THEN 0 "
					"WHEN %s IS NOT NULL THEN dmp_internal.refuse_label(%s::text, %s) END::float8",
					column, cast, quote_literal_cstr(model->positive), cast, column, cast,
					quote_literal_cstr(model->negative), cast, column, column,
					quote_literal_cstr(model->target));
}

/* ", ... AS segment" of a SELECT over q; nothing when by is NIL */
void
dmp_append_segment(StringInfo sql, TupleDesc desc, List *by)
{
	ListCell *lc;

	foreach (lc, by)
	{
		(void) dmp_column_number(desc, lfirst(lc), "by: ");
		appendStringInfo(sql, "%sCOALESCE(q.%s::text, '(missing)')",
						 foreach_current_index(lc) == 0 ? ", concat_ws(', ', " : ", ",
						 quote_identifier(lfirst(lc)));
	}
	if (by != NIL)
		appendStringInfoString(sql, ") AS segment");
}

char *
dmp_margins_sql(const DmpModelRow *row, const DmpModel *model, const char *query, List *by,
				const char *more)
{
	char *select = dmp_query_select(query, "query");
	TupleDesc desc = dmp_query_columns(select, NULL, NULL);
	StringInfoData sql;

	initStringInfo(&sql);
	dmp_row_check(model, row->name, row->version, desc);
	appendStringInfo(&sql, "SELECT dmp.margin($1, q.*) AS margin, %s AS label",
					 label_sql(model, desc));
	dmp_append_segment(&sql, desc, by);
	appendStringInfo(&sql, "%s FROM (%s) AS q", more, select);
	return sql.data;
}

/* ------------------------------------------------------- dmp.evaluate */

/* dmp.evaluate(model, query, threshold, by) -> (metric, value, low, high, segment) */
Datum
dmp_evaluate(PG_FUNCTION_ARGS)
{
	DmpModelRow *row;
	DmpModel *model;
	DmpArgs args = {0};
	List *by = NIL;
	char *sql;
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
	threshold = PG_ARGISNULL(2) ? model->threshold : PG_GETARG_FLOAT8(2);
	if (!(threshold >= 0 && threshold <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("threshold must be from 0 to 1")));
	if (!PG_ARGISNULL(3))
		by = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(3));

	dmp_spi_connect();
	dmp_arg_model_value(&args, row->value);
	if (model->nclasses > 0)
	{
		if (!PG_ARGISNULL(2))
			dmp_model_refuse_classes(model);
		dmp_evaluate_classes(fcinfo, row, model, text_to_cstring(PG_GETARG_TEXT_PP(1)), by, &args);
		dmp_spi_finish();
		return (Datum) 0;
	}
	sql = dmp_margins_sql(row, model, text_to_cstring(PG_GETARG_TEXT_PP(1)), by, "");
	dmp_arg_float8(&args, threshold);
	n = dmp_spi(psprintf("SELECT dmp_internal.judge(dmp_internal.scores(margin, label), $2), %s "
						 "FROM (%s) AS s%s ORDER BY 2 NULLS FIRST",
						 by != NIL ? "segment" : "NULL::text", sql,
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
			Datum values[5];
			bool nulls[5] = {false, false, false, false, false};
			int m;

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
	dmp_spi_finish();
	return (Datum) 0;
}

/* -------------------------------------------------- dmp.set_threshold */

/* The best threshold on the rows of a query, or of the training query with its search_path. */
static double
find_threshold(const DmpModelRow *row, const DmpModel *model, const char *query, char *method)
{
	DmpArgs args = {0};
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
	dmp_arg_model_value(&args, row->value);
	dmp_arg_text(&args, method);
	dmp_spi(psprintf("SELECT dmp_internal.best_threshold(dmp_internal.scores(margin, label), $2) "
					 "FROM (%s) AS s",
					 dmp_margins_sql(row, model, query, NIL, "")),
			&args, true);
	(void) dmp_spi_datum(0, 1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows of both classes of target \"%s\"", model->target)));
	threshold = dmp_spi_float8(0, 1, 0.5);
	dmp_spi_finish();
	AtEOXact_GUC(false, level);
	return threshold;
}

/* dmp.set_threshold(model, threshold, method, query) -> (model, version, threshold, previous) */
Datum
dmp_set_threshold(PG_FUNCTION_ARGS)
{
	DmpModelRow *row;
	DmpModel *model;
	char *method = PG_ARGISNULL(2) ? "f1" : text_to_cstring(PG_GETARG_TEXT_PP(2));
	char *json;
	double threshold;
	double previous;
	Datum values[4];
	bool nulls[4] = {false, false, false, false};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"model\" must not be null")));
	if (strcmp(method, "f1") != 0 && strcmp(method, "youden") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown method \"%s\"", method),
				 errhint("The methods are \"f1\" and \"youden\".")));
	dmp_srf_begin(fcinfo);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	dmp_check_owner(row->owner, "model", row->name);
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	if (model->nclasses > 0)
		dmp_model_refuse_classes(model);
	previous = model->threshold;
	if (!PG_ARGISNULL(1))
		threshold = PG_GETARG_FLOAT8(1);
	else
		threshold = find_threshold(
			row, model, PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)), method);
	if (!(threshold >= 0 && threshold <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("threshold must be from 0 to 1")));
	model->threshold = threshold;
	json = dmp_model_to_json(model);
	dmp_registry_update_value(row->id, dmp_model_value_make(json, strlen(json)));
	values[0] = CStringGetTextDatum(row->name);
	values[1] = Int32GetDatum(row->version);
	values[2] = Float8GetDatum(threshold);
	values[3] = Float8GetDatum(previous);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}
