/*-------------------------------------------------------------------------
 * summary.c
 *		dmp.summary: a model on a page, as statisticians are used to read it.
 *
 * First what R's summary of a glm prints, in its order and by its rules, with
 * seven significant digits where R shows four: the call, the table of
 * coefficients, dispersion, deviances, AIC, steps. Then what a model has that
 * a glm has not: rows held out and skipped, penalty, quality, warnings.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "funcapi.h"
#include "learn/segments.h"
#include "learn/summary.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dmp_summary);

#define DIGITS 7
#define P_DIGITS 3

/* columns of SUMMARY_SQL */
enum
{
	S_STATUS = 1,
	S_QUERY,
	S_ROWS,
	S_ROWS_TEST,
	S_ROWS_SKIPPED,
	S_ROWS_POSITIVE,
	S_LAMBDA,
	S_ALPHA,
	S_LAMBDA_MAX,
	S_ROC_AUC,
	S_TEST_ROC_AUC,
	S_LOG_LOSS,
	S_TEST_LOG_LOSS,
	S_NULL_LOG_LOSS,
	S_KKT,
	S_SCANS,
	S_ITERATIONS,
	S_TRAINED,
	S_WARNINGS,
	S_STD_ERR,
	S_ALIASED,
	S_ACCURACY,
	S_TEST_ACCURACY,
	S_NULL_DEVIANCE,
	S_DEVIANCE,
	S_AIC,
	S_BIC,
	S_DISPERSION,
	S_DF_NULL,
	S_DF_RESIDUAL,
	S_STD_ERR_KIND,
	S_NO_ERRORS,
	S_CLUSTERS,
	S_WEIGHT,
	S_OPTIONS,
	S_RMSE,
	S_TEST_RMSE,
	S_MAE,
	S_TEST_MAE,
	S_R_SQUARED,
	S_TEST_R_SQUARED,
	S_MEAN_DEVIANCE,
	S_TEST_MEAN_DEVIANCE
};

#define SUMMARY_SQL                                                                              \
	"SELECT status, query, rows, rows_test, rows_skipped, rows_positive, lambda, alpha, "        \
	"lambda_max, roc_auc, test_roc_auc, log_loss, test_log_loss, null_log_loss, kkt_residual, "  \
	"scans, iterations, pg_catalog.format('%s by %s in %s', "                                    \
	"pg_catalog.date_trunc('second', trained_at), trained_by, elapsed), warnings, std_err, "     \
	"aliased, accuracy, test_accuracy, null_deviance, deviance, aic, bic, dispersion, df_null, " \
	"df_residual, std_err_kind, no_errors, clusters, weight, nullif(options, '{}')::text, "      \
	"rmse, test_rmse, mae, test_mae, r_squared, test_r_squared, mean_deviance, "                 \
	"test_mean_deviance "                                                                        \
	"FROM dmp_internal.model WHERE id = $1"

static void
line(FunctionCallInfo fcinfo, char *text)
{
	int length = strlen(text);
	Datum value;
	bool isnull = false;

	while (length > 0 && text[length - 1] == ' ')
		text[--length] = '\0';
	value = CStringGetTextDatum(text);
	dmp_srf_row(fcinfo, &value, &isnull);
}

static char *
number(double value, const char *format)
{
	return isnan(value) ? pstrdup("-") : psprintf(format, value);
}

/* text filled with blanks to width characters of the screen, on its right or left */
static char *
padded(const char *text, int width, bool right)
{
	int blanks = Max(width - pg_mbstrlen(text), 0);

	return right ? psprintf("%*s%s", blanks, "", text) : psprintf("%s%*s", text, blanks, "");
}

/* ---------------------------------------------------------------- the call */

static void
write_call(FunctionCallInfo fcinfo, const DmpModelRow *row, const DmpModel *model)
{
	StringInfoData call;
	double lambda = dmp_spi_float8(0, S_LAMBDA, 0);
	char *weight = dmp_spi_text(0, S_WEIGHT);
	char *options = dmp_spi_text(0, S_OPTIONS);

	line(fcinfo, psprintf("Model %s, version %d%s", row->name, row->version,
						  row->version == row->champion ? " (deployed)" : ""));
	line(fcinfo, psprintf("Trained: %s", dmp_spi_text(0, S_TRAINED)));
	line(fcinfo, pstrdup(""));
	initStringInfo(&call);
	appendStringInfo(&call, "dmp.train(%s, %s, %s", quote_literal_cstr(row->name),
					 quote_literal_cstr(dmp_spi_text(0, S_QUERY)),
					 quote_literal_cstr(model->target));
	if (lambda > 0)
		appendStringInfo(&call, ", lambda => %.7g, alpha => %.7g", lambda,
						 dmp_spi_float8(0, S_ALPHA, 0));
	appendStringInfo(&call, ", family => %s", quote_literal_cstr(model->family));
	if (weight != NULL)
		appendStringInfo(&call, ", weight => %s", quote_literal_cstr(weight));
	if (options != NULL)
		appendStringInfo(&call, ", options => %s", quote_literal_cstr(options));
	appendStringInfoChar(&call, ')');
	line(fcinfo, pstrdup("Call:"));
	line(fcinfo, call.data);
}

/* ----------------------------------------------------- table of coefficients */

/* a table of texts: names on the left, columns right-justified under their heads */
static void
write_table(FunctionCallInfo fcinfo, char **names, char ***columns, const char **heads,
			int ncolumns, int n, char **stars)
{
	StringInfoData text;
	int *width = palloc(sizeof(int) * Max(ncolumns, 1));
	int most = 0;
	int c;
	int i;

	for (i = 0; i < n; i++)
		most = Max(most, pg_mbstrlen(names[i]));
	most = Min(most, 60);
	for (c = 0; c < ncolumns; c++)
	{
		width[c] = strlen(heads[c]);
		for (i = 0; i < n; i++)
			width[c] = Max(width[c], strlen(columns[c][i]));
	}
	initStringInfo(&text);
	for (i = -1; i < n; i++)
	{
		resetStringInfo(&text);
		appendStringInfoString(&text, padded(i < 0 ? "" : names[i], most, false));
		for (c = 0; c < ncolumns; c++)
			appendStringInfo(&text, " %s",
							 padded(i < 0 ? heads[c] : columns[c][i], width[c], true));
		if (i >= 0 && stars != NULL)
			appendStringInfo(&text, " %s", stars[i]);
		line(fcinfo, text.data);
	}
}

static char *
coefficient_name(const DmpCoefficient *c)
{
	char *name = c->column == -2 ? pstrdup("(Intercept)")
				 : c->level      ? psprintf("%s = %s", c->feature, c->level)
								 : pstrdup(c->feature);

	return c->class ? psprintf("%s: %s", c->class, name) : name;
}

static DmpCoefficient *
read_coefficients(const DmpModel *model, int *n)
{
	DmpErrors errors = {0};
	bool isnull;
	Datum datum = dmp_spi_datum(0, S_STD_ERR, &isnull);

	errors.df = NAN;
	if (strcmp(model->family, "gaussian") == 0)
		errors.df = (double) dmp_spi_int8(0, S_DF_RESIDUAL, 0);
	errors.biased = dmp_spi_float8(0, S_LAMBDA, 0) > 0;
	if (!isnull)
		errors.std_err = (double *) ARR_DATA_PTR(DatumGetArrayTypeP(datum));
	datum = dmp_spi_datum(0, S_ALIASED, &isnull);
	if (!isnull && ARR_NDIM(DatumGetArrayTypeP(datum)) > 0)
	{
		errors.naliased = ARR_DIMS(DatumGetArrayTypeP(datum))[0];
		errors.aliased = (int32 *) ARR_DATA_PTR(DatumGetArrayTypeP(datum));
	}
	return dmp_model_coefficients(model, &errors, n);
}

/* what errors there are, or why there are none */
static void
write_errors_note(FunctionCallInfo fcinfo)
{
	char *kind = dmp_spi_text(0, S_STD_ERR_KIND);
	char *why = dmp_spi_text(0, S_NO_ERRORS);

	if (kind == NULL)
		line(fcinfo, psprintf("No standard errors: %s", why ? why : "there are none to give"));
	else if (strcmp(kind, "robust") == 0)
		line(fcinfo, pstrdup("Standard errors: robust (sandwich, HC0 with n/(n-1))"));
	else if (strcmp(kind, "cluster") == 0)
		line(fcinfo, psprintf("Standard errors: robust, by " INT64_FORMAT
							  " clusters (sandwich with G/(G-1))",
							  dmp_spi_int8(0, S_CLUSTERS, 0)));
	if (kind != NULL && dmp_spi_float8(0, S_LAMBDA, 0) > 0)
		line(fcinfo, pstrdup("No z and p: the penalty biases the coefficients, so that their "
							 "errors (of the sandwich with the penalty) test nothing"));
}

static void
write_coefficients(FunctionCallInfo fcinfo, const DmpModel *model)
{
	int n;
	DmpCoefficient *all = read_coefficients(model, &n);
	bool student = strcmp(model->family, "gaussian") == 0;
	const char *heads[4] = {"Estimate", "Std. Error", student ? "t value" : "z value",
							student ? "Pr(>|t|)" : "Pr(>|z|)"};
	char **columns[4];
	char **names = palloc(sizeof(char *) * n);
	char **stars = palloc(sizeof(char *) * n);
	double *numbers = palloc(sizeof(double) * 4 * n);
	double *estimate = numbers, *z = numbers + 2 * n, *p = numbers + 3 * n;
	StringInfoData reference;
	bool any_error = false, any_p = false, starred = false;
	int m = 0, aliased = 0;
	int i;

	initStringInfo(&reference);
	for (i = 0; i < n; i++)
	{
		/* the reference is no row of the table, nor is what another flag stands for */
		if (all[i].column == -1)
		{
			if (all[i].level != NULL)
				appendStringInfo(&reference, "%s%s", reference.len > 0 ? ", " : "",
								 coefficient_name(&all[i]));
			continue;
		}
		names[m] = coefficient_name(&all[i]);
		stars[m] = pstrdup(dmp_stars(all[i].p));
		starred |= all[i].p < 0.1;
		any_error |= !isnan(all[i].std_err);
		any_p |= !isnan(all[i].p);
		aliased += all[i].column >= 0 && isnan(all[i].coef);
		all[m++] = all[i];
	}
	for (i = 0; i < m; i++)
	{
		estimate[i] = all[i].coef;
		estimate[m + i] = all[i].std_err;
		z[i] = isnan(all[i].z) ? NAN : strtod(psprintf("%.5f", all[i].z), NULL);
		p[i] = all[i].p;
	}
	columns[0] = dmp_format_estimates(estimate, m, DIGITS);
	columns[1] = columns[0] + m;
	columns[2] = dmp_format_numbers(z, m, DIGITS);
	columns[3] = dmp_format_p(p, m, P_DIGITS);
	line(fcinfo, pstrdup(""));
	line(fcinfo, aliased > 0
					 ? psprintf("Coefficients: (%d not defined because of singularities)", aliased)
					 : pstrdup("Coefficients:"));
	write_table(fcinfo, names, columns, heads,
				any_p       ? 4
				: any_error ? 2
							: 1,
				m, starred ? stars : NULL);
	if (starred)
	{
		line(fcinfo, pstrdup("---"));
		line(fcinfo, pstrdup("Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"));
	}
	if (reference.len > 0)
		line(fcinfo, psprintf("Reference: %s", reference.data));
	write_errors_note(fcinfo);
}

/* ---------------------------------------------------------------- deviances */

static void
write_deviance(FunctionCallInfo fcinfo, const DmpModel *model)
{
	double deviance[2] = {dmp_spi_float8(0, S_NULL_DEVIANCE, NAN),
						  dmp_spi_float8(0, S_DEVIANCE, NAN)};
	char **text = dmp_format_numbers(deviance, 2, DIGITS + 1);
	char *df[2] = {dmp_spi_text(0, S_DF_NULL), dmp_spi_text(0, S_DF_RESIDUAL)};
	double aic = dmp_spi_float8(0, S_AIC, NAN);
	int width = Max(strlen(text[0]), strlen(text[1]));
	int i;

	line(fcinfo, pstrdup(""));
	if (model->nclasses == 0)
	{
		line(fcinfo, psprintf("(Dispersion parameter for %s family taken to be %s)", model->family,
							  dmp_format_number(dmp_spi_float8(0, S_DISPERSION, 1), DIGITS)));
		line(fcinfo, pstrdup(""));
	}
	for (i = 0; i < 2; i++)
		line(fcinfo, psprintf("%s deviance: %s%s", i == 0 ? "    Null" : "Residual",
							  padded(text[i], width, true),
							  df[i] == NULL || df[1] == NULL
								  ? ""
								  : psprintf("  on %s  degrees of freedom",
											 padded(df[i], strlen(df[0]), true))));
	if (!isnan(aic))
	{
		line(fcinfo, psprintf("AIC: %s", dmp_format_number(aic, DIGITS + 1)));
		line(fcinfo,
			 psprintf("BIC: %s", dmp_format_number(dmp_spi_float8(0, S_BIC, NAN), DIGITS + 1)));
	}
	line(fcinfo, pstrdup(""));
	line(fcinfo,
		 psprintf("Number of Newton steps: " INT64_FORMAT, dmp_spi_int8(0, S_ITERATIONS, 0)));
}

/* -------------------------------------------------------------- what is ours */

static void
write_rows(FunctionCallInfo fcinfo, const DmpModel *model)
{
	int64 rows = dmp_spi_int8(0, S_ROWS, 0);
	int64 positive = dmp_spi_int8(0, S_ROWS_POSITIVE, 0);
	double lambda = dmp_spi_float8(0, S_LAMBDA, 0);

	line(fcinfo, pstrdup(""));
	if (model->nclasses > 0)
		line(fcinfo, psprintf("Target:  %s, %d classes; multinomial family", model->target,
							  model->nclasses));
	else if (model->link != DMP_BINOMIAL)
		line(fcinfo, psprintf("Target:  %s; %s family", model->target, model->family));
	else
		line(fcinfo, psprintf("Target:  %s, \"%s\" against \"%s\"; %s family", model->target,
							  model->positive, model->negative, model->family));
	if (model->base_margin != NULL)
		line(fcinfo, psprintf("Base margin: %s", model->base_margin));
	line(fcinfo, psprintf("Rows:    " INT64_FORMAT " trained on%s; " INT64_FORMAT
						  " held out, " INT64_FORMAT " skipped",
						  rows,
						  model->nclasses > 0 || model->link != DMP_BINOMIAL
							  ? ""
							  : psprintf(", " INT64_FORMAT " of them positive (%.1f%%)", positive,
										 rows > 0 ? 100.0 * positive / rows : 0.0),
						  dmp_spi_int8(0, S_ROWS_TEST, 0), dmp_spi_int8(0, S_ROWS_SKIPPED, 0)));
	line(fcinfo, psprintf("Fit:     %s after " INT64_FORMAT " scan%s, residual %s",
						  dmp_spi_text(0, S_STATUS), dmp_spi_int8(0, S_SCANS, 0),
						  dmp_spi_int8(0, S_SCANS, 0) == 1 ? "" : "s",
						  number(dmp_spi_float8(0, S_KKT, NAN), "%.0e")));
	if (lambda > 0)
		line(fcinfo,
			 psprintf("Penalty: lambda %g, alpha %g%s", lambda, dmp_spi_float8(0, S_ALPHA, 0),
					  isnan(dmp_spi_float8(0, S_LAMBDA_MAX, NAN))
						  ? ""
						  : psprintf(" (lambda_max %.3g)", dmp_spi_float8(0, S_LAMBDA_MAX, NAN))));
	else
		line(fcinfo, pstrdup("Penalty: none"));
}

/* of training and held out rows, in two columns that follow each other */
static void
two_numbers(FunctionCallInfo fcinfo, const char *name, int column, const char *format)
{
	line(fcinfo, psprintf("%-13s %13s %11s", name, number(dmp_spi_float8(0, column, NAN), format),
						  number(dmp_spi_float8(0, column + 1, NAN), format)));
}

static void
write_quality_of_numbers(FunctionCallInfo fcinfo)
{
	line(fcinfo, pstrdup(""));
	line(fcinfo, psprintf("                 trained on    held out"));
	two_numbers(fcinfo, "rmse", S_RMSE, "%.6g");
	two_numbers(fcinfo, "mae", S_MAE, "%.6g");
	two_numbers(fcinfo, "r_squared", S_R_SQUARED, "%.4f");
	two_numbers(fcinfo, "mean_deviance", S_MEAN_DEVIANCE, "%.6g");
}

static void
write_quality(FunctionCallInfo fcinfo, const DmpModel *model)
{
	double loss = dmp_spi_float8(0, S_LOG_LOSS, NAN);
	double null_loss = dmp_spi_float8(0, S_NULL_LOG_LOSS, NAN);

	line(fcinfo, pstrdup(""));
	line(fcinfo, psprintf("                 trained on    held out"));
	line(fcinfo,
		 psprintf("roc_auc       %13s %11s", number(dmp_spi_float8(0, S_ROC_AUC, NAN), "%.4f"),
				  number(dmp_spi_float8(0, S_TEST_ROC_AUC, NAN), "%.4f")));
	line(fcinfo, psprintf("log_loss      %13s %11s", number(loss, "%.5f"),
						  number(dmp_spi_float8(0, S_TEST_LOG_LOSS, NAN), "%.5f")));
	line(fcinfo, psprintf("null_log_loss %13s", number(null_loss, "%.5f")));
	line(fcinfo, psprintf("pseudo R2     %13s  (McFadden)", number(1 - loss / null_loss, "%.4f")));
	if (model->calibration != NULL)
		line(fcinfo, psprintf("calibration   %13s",
							  dmp_calibration_method_name(model->calibration->method)));
	if (model->reject > 0)
		line(fcinfo, psprintf("reject below  %13g", model->reject));
	if (model->nclasses == 0)
		line(fcinfo, psprintf("threshold     %13g", model->threshold));
	else
		line(fcinfo,
			 psprintf("accuracy      %13s %11s", number(dmp_spi_float8(0, S_ACCURACY, NAN), "%.4f"),
					  number(dmp_spi_float8(0, S_TEST_ACCURACY, NAN), "%.4f")));
}

/* the coefficients above are those of all rows */
static void
write_groups(FunctionCallInfo fcinfo, const DmpModelRow *row, const DmpModel *model)
{
	const DmpSegments *segments = model->segments;
	List *names = NIL;
	int i;

	for (i = 0; i < segments->nby; i++)
		names = lappend(names, segments->names[i]);
	line(fcinfo, "");
	line(fcinfo, psprintf("By %s: %d groups, %s", dmp_join(names, ", "), segments->n,
						  dmp_segments_digest(segments)));
	line(fcinfo,
		 "Above is the pooled model, which serves groups that are not known or not converged");
	if (segments->n > 0)
		line(fcinfo, psprintf("One of them: SELECT * FROM dmp.coefficients WHERE model = %s AND "
							  "version = %d AND segment = %s",
							  quote_literal_cstr(row->name), row->version,
							  quote_literal_cstr(dmp_segment_name(segments, 0))));
}

/* dmp.summary(model) -> lines */
Datum
dmp_summary(PG_FUNCTION_ARGS)
{
	DmpModelRow *row;
	DmpModel *model;
	DmpArgs args = {0};
	bool isnull;
	Datum warnings;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	dmp_spi_connect();
	dmp_arg_int8(&args, row->id);
	if (dmp_spi_registry(SUMMARY_SQL, &args, true) == 0)
		elog(ERROR, "model " INT64_FORMAT " is gone", row->id);
	write_call(fcinfo, row, model);
	write_coefficients(fcinfo, model);
	write_deviance(fcinfo, model);
	write_rows(fcinfo, model);
	if (model->link == DMP_BINOMIAL)
		write_quality(fcinfo, model);
	else
		write_quality_of_numbers(fcinfo);
	if (model->segments != NULL)
		write_groups(fcinfo, row, model);
	warnings = dmp_spi_datum(0, S_WARNINGS, &isnull);
	if (!isnull)
	{
		ListCell *lc;

		foreach (lc, dmp_text_array_to_list(DatumGetArrayTypeP(warnings)))
			line(fcinfo, psprintf("warning: %s", (char *) lfirst(lc)));
	}
	dmp_spi_finish();
	return (Datum) 0;
}
