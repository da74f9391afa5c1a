/*-------------------------------------------------------------------------
 * train.c
 *		dmp.train: rows -> fit -> a version in the registry.
 *
 *		arguments  --train_args.c-->    checked, what is not built refused
 *		columns    --train_columns.c--> the SELECT of the fit
 *		rows       --dmp_fit_binomial-> coefficients and how it ended
 *		fit        --here-->            stored, deployed when it converged
 *
 * A fit that did not converge is stored with its status and a WARNING; only a
 * converged one becomes the champion, in the same transaction, unless the
 * champion was pinned by dmp.deploy or deploy => false.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "access/xact.h"
#include "common/shortest_dec.h"
#include "learn/inference.h"
#include "learn/judgement.h"
#include "learn/path.h"
#include "learn/segments.h"
#include "learn/train.h"
#include "learn/update.h"
#include "lib/stringinfo.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_train);

/* ------------------------------------------------ a registry row as json */

static void
row_key(StringInfo row, const char *key)
{
	appendStringInfoString(row, row->len > 1 ? ", " : "");
	escape_json(row, key);
	appendStringInfoString(row, ": ");
}

static void
row_text(StringInfo row, const char *key, const char *value)
{
	if (value == NULL)
		return;
	row_key(row, key);
	escape_json(row, value);
}

/* NaN, a value that is not defined, is left out and so NULL */
static void
row_number(StringInfo row, const char *key, double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isnan(value))
		return;
	double_to_shortest_decimal_buf(value, text);
	row_text(row, key, text);
}

static void
row_integer(StringInfo row, const char *key, int64 value)
{
	row_key(row, key);
	appendStringInfo(row, INT64_FORMAT, value);
}

static void
row_texts(StringInfo row, const char *key, List *values)
{
	ListCell *lc;

	row_key(row, key);
	appendStringInfoChar(row, '[');
	foreach (lc, values)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(row, ", ");
		escape_json(row, lfirst(lc));
	}
	appendStringInfoChar(row, ']');
}

/* an array of the design's width; what has none is NaN */
static void
row_vif(StringInfo row, const DmpFit *fit)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];
	int j;

	row_key(row, "vif");
	appendStringInfoChar(row, '[');
	for (j = 0; j < fit->design.width; j++)
	{
		double_to_shortest_decimal_buf(fit->vif[j], text);
		appendStringInfo(row, "%s\"%s\"", j > 0 ? ", " : "", text);
	}
	appendStringInfoChar(row, ']');
}

static void
row_path(StringInfo row, const DmpFitPath *path, bool by_test)
{
	row_number(row, "cv_log_loss", path->cv_loss);
	row_number(row, "cv_std_err", path->cv_std_err);
	row_number(row, "cv_roc_auc", path->cv_roc_auc);
	row_key(row, "path");
	appendStringInfoString(row, dmp_fit_path_json(path, by_test));
	if (path->coef == NULL)
		return;
	row_key(row, "path_coef");
	appendStringInfoString(row, dmp_fit_path_coef_json(path));
}

static char *
registry_row(const DmpTrainArgs *args, const DmpTrainPlan *plan, const DmpFit *fit,
			 const DmpModel *model, const DmpSample *sample, List *warnings, Interval *elapsed)
{
	StringInfoData row;
	int j;

	initStringInfo(&row);
	appendStringInfoChar(&row, '{');
	row_text(&row, "kind", "glm");
	row_text(&row, "family",
			 plan->spec.nclasses > 0 ? "multinomial" : dmp_family_name(fit->family));
	row_text(&row, "status", dmp_fit_status_name(fit->status));
	row_text(&row, "target", args->target);
	row_text(&row, "query", args->query);
	row_text(&row, "search_path", GetConfigOption("search_path", false, false));
	row_texts(&row, "features", plan->feature_names);
	if (args->key != NIL)
		row_texts(&row, "key", args->key);
	row_text(&row, "at", args->at);
	row_text(&row, "weight", args->weight);
	if (args->by != NIL)
	{
		row_texts(&row, "by", args->by);
		row_integer(&row, "n_groups", model->segments ? model->segments->n : 0);
		row_integer(&row, "n_groups_converged", dmp_segments_fitted(model->segments));
	}
	row_integer(&row, "rows", fit->rows);
	row_integer(&row, "rows_test", fit->rows_test);
	row_integer(&row, "rows_skipped", fit->rows_skipped);
	row_integer(&row, "rows_positive", fit->rows_positive);
	row_number(&row, "lambda", fit->lambda > 0 || fit->path ? fit->lambda : args->lambda);
	row_number(&row, "alpha", args->alpha);
	row_number(&row, "roc_auc", fit->roc_auc);
	row_number(&row, "test_roc_auc", fit->test_roc_auc);
	row_number(&row, "accuracy", fit->nclasses > 0 ? fit->accuracy : NAN);
	row_number(&row, "test_accuracy", fit->nclasses > 0 ? fit->test_accuracy : NAN);
	row_number(&row, "log_loss", fit->log_loss);
	row_number(&row, "test_log_loss", fit->test_log_loss);
	row_number(&row, "null_log_loss", fit->null_log_loss);
	row_number(&row, "rmse", fit->rmse[0]);
	row_number(&row, "test_rmse", fit->rmse[1]);
	row_number(&row, "mae", fit->mae[0]);
	row_number(&row, "test_mae", fit->mae[1]);
	row_number(&row, "r_squared", fit->r_squared[0]);
	row_number(&row, "test_r_squared", fit->r_squared[1]);
	row_number(&row, "mean_deviance", fit->mean_deviance[0]);
	row_number(&row, "test_mean_deviance", fit->mean_deviance[1]);
	row_text(&row, "base_margin", args->base_margin);
	row_number(&row, "objective", fit->objective);
	row_number(&row, "kkt_residual", fit->kkt_residual);
	row_number(&row, "lambda_max", fit->lambda_max);
	row_number(&row, "tolerance", args->tolerance);
	row_integer(&row, "scans", fit->scans + plan->scans);
	row_integer(&row, "iterations", fit->iterations);
	row_integer(&row, "memory", fit->memory_used);
	row_text(&row, "elapsed",
			 DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(elapsed))));
	row_number(&row, "null_deviance", fit->null_deviance);
	row_number(&row, "deviance", fit->deviance);
	row_number(&row, "aic", fit->aic);
	row_number(&row, "bic", fit->bic);
	row_number(&row, "dispersion", fit->dispersion);
	row_integer(&row, "df_null", fit->df_null);
	if (fit->df_residual >= 0)
		row_integer(&row, "df_residual", fit->df_residual);
	row_text(&row, "std_err_kind", fit->std_err_kind);
	row_text(&row, "no_errors", fit->std_err_kind == NULL ? fit->no_errors : NULL);
	if (fit->clusters > 0)
		row_integer(&row, "clusters", fit->clusters);
	if (fit->vif != NULL)
		row_vif(&row, fit);
	if (fit->path != NULL)
		row_path(&row, fit->path, args->test_fraction > 0);
	row_key(&row, "aliased");
	appendStringInfoChar(&row, '[');
	for (j = 0; fit->aliased != NULL && j < fit->design.width; j++)
	{
		if (fit->aliased[j])
			appendStringInfo(&row, "%s%d", row.data[row.len - 1] == '[' ? "" : ", ", j);
	}
	appendStringInfoChar(&row, ']');
	row_texts(&row, "warnings", warnings);
	row_text(&row, "fingerprint", dmp_sample_fingerprint(sample, fit));
	if (sample != NULL)
	{
		row_key(&row, "baseline");
		appendStringInfoString(&row, dmp_sample_baseline(sample));
	}
	row_key(&row, "options");
	appendStringInfoString(&row,
						   DatumGetCString(DirectFunctionCall1(jsonb_out, args->options_jsonb)));
	appendStringInfoChar(&row, '}');
	return row.data;
}

/* --------------------------------------------------------------- outcome */

/* What cannot be a model at all is an error. */
static void
refuse_outcome(const DmpTrainArgs *args, const DmpTrainPlan *plan, const DmpFit *fit)
{
	bool any = false;
	int j;

	if (fit->status == DMP_FIT_NO_ROWS || fit->rows == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA), errmsg("the query has no rows to train on"),
						errdetail("Rows skipped: " INT64_FORMAT
								  ", because the target is missing, the weight is 0 or a feature "
								  "is infinite.",
								  fit->rows_skipped)));
	if (fit->status == DMP_FIT_ONE_CLASS && plan->spec.family != DMP_BINOMIAL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						plan->spec.family == DMP_POISSON
							? errmsg("target \"%s\" is 0 in all " INT64_FORMAT " rows",
									 args->target, fit->rows)
							: errmsg("target \"%s\" is the same in all " INT64_FORMAT " rows",
									 args->target, fit->rows),
						errhint("There is nothing to learn from it.")));
	if (fit->status == DMP_FIT_ONE_CLASS)
		dmp_train_refuse_one_class(args->target,
								   plan->spec.nclasses > 0  ? "of its classes"
								   : fit->rows_positive > 0 ? plan->positive
															: plan->negative,
								   fit->rows);
	if (fit->coef == NULL && fit->design.width > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION), errmsg("the fit ended without coefficients: %s",
														 dmp_fit_status_name(fit->status))));
	for (j = 0; j < fit->design.width - (fit->base_margin != NULL); j++)
		any |= fit->coef[j] != 0;
	if (!any && args->lambda > 0 && args->alpha > 0 && fit->design.width > 0 &&
		fit->lambda_max <= plan->spec.lambda)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("every feature was removed: lambda %g is above lambda_max %.3g",
							   args->lambda, fit->lambda_max),
						errhint("Try lambda => %.1g.", fit->lambda_max / 100)));
}

static void
check_levels(const DmpTrainArgs *args, const DmpFit *fit, List **warnings)
{
	int i;

	for (i = 0; i < fit->design.nfeatures; i++)
	{
		const DmpFeature *feature = &fit->design.features[i];

		if (feature->encode == DMP_ENCODE_ONE_HOT && feature->rows_other > fit->rows / 2)
			*warnings = lappend(*warnings,
								psprintf("column \"%s\": most rows have a value with fewer than %d "
										 "rows; these values count as one",
										 feature->name, args->min_count));
	}
}

static List *
gather_warnings(const DmpTrainArgs *args, const DmpFit *fit, List *judged)
{
	List *warnings = NIL;
	ListCell *lc;

	if (args->alpha > 0 && args->lambda == 0 && fit->lambda == 0)
		warnings = lappend(warnings, "alpha has no effect while lambda is 0");
	if ((args->std_err != NULL || args->cluster != NULL) && fit->std_err == NULL)
		warnings = lappend(warnings, psprintf("there are no standard errors: %s", fit->no_errors));
	else if ((args->std_err != NULL || args->cluster != NULL) && args->lambda > 0)
		warnings = lappend(warnings, "the penalty biases the coefficients: they have standard "
									 "errors but no z, p and intervals");
	if (args->penalty_factor != NULL && args->lambda == 0 && fit->lambda == 0)
		warnings = lappend(warnings, "penalty_factor has no effect while lambda is 0");
	if (args->class_weight != NULL)
		warnings = lappend(warnings, "the log losses are of the rows weighed by class_weight");
	if (fit->path != NULL)
		warnings =
			list_concat(warnings, dmp_fit_path_warnings(fit->path, fit->family == DMP_BINOMIAL,
														args->test_fraction > 0));
	check_levels(args, fit, &warnings);
	foreach (lc, fit->warnings)
		warnings = lappend(warnings, lfirst(lc));
	warnings = list_concat(warnings, judged);
	foreach (lc, warnings)
		ereport(WARNING, (errmsg("%s", (char *) lfirst(lc))));
	return warnings;
}

/* Whether the fit becomes the champion; a WARNING says what stays live when it does not. */
bool
dmp_train_deploys(const DmpTrainArgs *args, const DmpFit *fit, const char *name)
{
	bool pinned;
	int champion = dmp_registry_champion(name, &pinned);

	if (fit->status == DMP_FIT_CONVERGED && args->deploy && !pinned)
		return true;
	if (fit->status != DMP_FIT_CONVERGED)
		ereport(WARNING, (errmsg("the fit of model \"%s\" ended as \"%s\" and is not deployed",
								 name, dmp_fit_status_name(fit->status)),
						  champion > 0 ? errdetail("Version %d stays live.", champion)
									   : errdetail("The model has no deployed version.")));
	else if (args->deploy && pinned)
		ereport(WARNING, (errmsg("the new version of model \"%s\" is not deployed", name),
						  errdetail("Version %d was chosen by hand and stays live.", champion),
						  errhint("SELECT dmp.deploy('%s') goes on to the latest.", name)));
	return false;
}

Interval *
dmp_train_elapsed(TimestampTz start)
{
	return DatumGetIntervalP(DirectFunctionCall2(
		timestamp_mi, TimestampTzGetDatum(GetCurrentTimestamp()), TimestampTzGetDatum(start)));
}

void
dmp_train_return(FunctionCallInfo fcinfo, const char *name, int version, bool deployed,
				 const DmpFit *fit, int nfeatures, Interval *elapsed, List *warnings)
{
	Datum values[10];
	bool nulls[10] = {false};
	Datum *texts = palloc(sizeof(Datum) * Max(list_length(warnings), 1));
	ListCell *lc;

	foreach (lc, warnings)
		texts[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(version);
	values[2] = BoolGetDatum(deployed);
	values[3] = CStringGetTextDatum(dmp_fit_status_name(fit->status));
	values[4] = Int64GetDatum(fit->rows);
	values[5] = Int32GetDatum(nfeatures);
	values[6] = Float8GetDatum(fit->roc_auc);
	nulls[6] = isnan(fit->roc_auc);
	values[7] = Float8GetDatum(fit->test_roc_auc);
	nulls[7] = isnan(fit->test_roc_auc);
	values[8] = IntervalPGetDatum(elapsed);
	values[9] = PointerGetDatum(
		construct_array(texts, list_length(warnings), TEXTOID, -1, false, TYPALIGN_INT));
	dmp_srf_row(fcinfo, values, nulls);
}

/* dmp.train(...) -> one row */
Datum
dmp_train(PG_FUNCTION_ARGS)
{
	TimestampTz start = GetCurrentTimestamp();
	DmpTrainArgs *args = dmp_train_args(fcinfo);
	DmpTrainPlan *plan;
	DmpFit *fit;
	DmpSample *sample = NULL;
	DmpModel *model;
	char *json;
	DmpModelRef ref;
	List *warnings;
	Interval *elapsed;
	bool deploy;
	int version;
	double shift = 0;

	PreventCommandIfReadOnly("dmp.train()");
	dmp_srf_begin(fcinfo);
	dmp_model_check_new(args->model);
	ref = dmp_model_ref(args->model);

	dmp_spi_connect();
	plan = dmp_train_plan(args);
	plan->spec.memory = (int64) dmp_training_memory * 1024;
	dmp_progress("train: fitting %d features", plan->spec.nfeatures);
	fit = dmp_train_fit(args, plan);
	dmp_progress("train: %s after %d scans of " INT64_FORMAT " rows",
				 dmp_fit_status_name(fit->status), fit->scans, fit->rows);
	if (args->judge && fit->rows > 0)
		sample = dmp_sample_read(args, plan, fit->rows + fit->rows_test);
	dmp_train_query_end(plan->query);
	refuse_outcome(args, plan, fit);
	dmp_fit_quality(&plan->spec, fit);

	model = dmp_model_from_fit(fit, args->target, plan->positive, plan->negative, plan->classes);
	/* class weights move the odds: predicted are those of the rows as they are */
	if (args->calibrate && args->intercept && args->class_weight != NULL)
	{
		int k;

		shift = -log(plan->class_weight[1] / plan->class_weight[0]);
		for (k = 0; fit->path != NULL && fit->path->coef != NULL && k < fit->path->n; k++)
			fit->path->coef[k * (1 + (Size) fit->path->width)] += shift;
	}
	model->a += shift;
	dmp_train_segments(args, plan, model, shift, &fit->warnings);
	json = dmp_model_to_json(model);
	warnings = gather_warnings(args, fit, dmp_judgement(args, plan, fit, sample));
	deploy = dmp_train_deploys(args, fit, ref.name);
	elapsed = dmp_train_elapsed(start);
	version =
		dmp_registry_add(ref.name, registry_row(args, plan, fit, model, sample, warnings, elapsed),
						 dmp_model_value_make(json, strlen(json)), fit->std_err,
						 fit->design.width + 1, dmp_train_group_bytes(plan), deploy);
	dmp_update_keep(ref.name, version, fit, model, &plan->spec, plan->class_weight, -shift);
	dmp_train_return(fcinfo, ref.name, version, deploy, fit, list_length(plan->feature_names),
					 elapsed, warnings);
	dmp_spi_finish();
	return (Datum) 0;
}
