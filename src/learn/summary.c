/*-------------------------------------------------------------------------
 * summary.c
 *		dmp.summary: a model on a page, as statisticians are used to read it.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "funcapi.h"
#include "learn/learn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(dmp_summary);

/* columns of SUMMARY_SQL */
enum
{
	S_STATUS = 1,
	S_TARGET,
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
	S_TEST_ACCURACY
};

#define SUMMARY_SQL                                                                               \
	"SELECT status, target, query, rows, rows_test, rows_skipped, rows_positive, lambda, alpha, " \
	"lambda_max, roc_auc, test_roc_auc, log_loss, test_log_loss, null_log_loss, kkt_residual, "   \
	"scans, iterations, pg_catalog.format('%s by %s in %s', "                                     \
	"pg_catalog.date_trunc('second', trained_at), trained_by, elapsed), warnings, std_err, "      \
	"aliased, accuracy, test_accuracy FROM dmp_internal.model WHERE id = $1"

static void
line(FunctionCallInfo fcinfo, const char *text)
{
	Datum value = CStringGetTextDatum(text);
	bool isnull = false;

	dmp_srf_row(fcinfo, &value, &isnull);
}

static const char *
stars(double p)
{
	return p < 0.001 ? "***" : p < 0.01 ? "**" : p < 0.05 ? "*" : p < 0.1 ? "." : "";
}

static char *
number(double value, const char *format)
{
	return isnan(value) ? pstrdup("-") : psprintf(format, value);
}

/* text filled with blanks to width characters of the screen */
static char *
padded(const char *text, int width)
{
	int have = pg_mbstrlen(text);

	return psprintf("%s%*s", text, Max(width - have, 0), "");
}

static void
write_head(FunctionCallInfo fcinfo, const DmpModelRow *row, const DmpModel *model)
{
	int64 rows = dmp_spi_int8(0, S_ROWS, 0);
	int64 positive = dmp_spi_int8(0, S_ROWS_POSITIVE, 0);
	double lambda = dmp_spi_float8(0, S_LAMBDA, 0);

	line(fcinfo, psprintf("Model %s, version %d%s", row->name, row->version,
						  row->version == row->champion ? " (deployed)" : ""));
	line(fcinfo, psprintf("Trained: %s", dmp_spi_text(0, S_TRAINED)));
	line(fcinfo, psprintf("Query:   %s", dmp_spi_text(0, S_QUERY)));
	if (model->nclasses > 0)
		line(fcinfo, psprintf("Target:  %s, %d classes; multinomial family", model->target,
							  model->nclasses));
	else
		line(fcinfo, psprintf("Target:  %s, \"%s\" against \"%s\"; binomial family", model->target,
							  model->positive, model->negative));
	line(fcinfo, psprintf("Rows:    " INT64_FORMAT " trained on%s; " INT64_FORMAT
						  " held out, " INT64_FORMAT " skipped",
						  rows,
						  model->nclasses > 0
							  ? ""
							  : psprintf(", " INT64_FORMAT " of them positive (%.1f%%)", positive,
										 rows > 0 ? 100.0 * positive / rows : 0.0),
						  dmp_spi_int8(0, S_ROWS_TEST, 0), dmp_spi_int8(0, S_ROWS_SKIPPED, 0)));
	line(fcinfo,
		 psprintf("Fit:     %s after " INT64_FORMAT " iterations and " INT64_FORMAT " scans, "
				  "residual %s",
				  dmp_spi_text(0, S_STATUS), dmp_spi_int8(0, S_ITERATIONS, 0),
				  dmp_spi_int8(0, S_SCANS, 0), number(dmp_spi_float8(0, S_KKT, NAN), "%.0e")));
	if (lambda > 0)
		line(fcinfo,
			 psprintf("Penalty: lambda %g, alpha %g%s", lambda, dmp_spi_float8(0, S_ALPHA, 0),
					  isnan(dmp_spi_float8(0, S_LAMBDA_MAX, NAN))
						  ? ""
						  : psprintf(" (lambda_max %.3g)", dmp_spi_float8(0, S_LAMBDA_MAX, NAN))));
	else
		line(fcinfo, "Penalty: none");
}

static void
write_coefficients(FunctionCallInfo fcinfo, const DmpModel *model)
{
	DmpCoefficient *rows;
	double *std_err = NULL;
	int32 *aliased = NULL;
	int naliased = 0;
	char **labels;
	int width = 0;
	bool isnull;
	Datum datum;
	int n;
	int i;

	datum = dmp_spi_datum(0, S_STD_ERR, &isnull);
	if (!isnull)
		std_err = (double *) ARR_DATA_PTR(DatumGetArrayTypeP(datum));
	datum = dmp_spi_datum(0, S_ALIASED, &isnull);
	if (!isnull && ARR_NDIM(DatumGetArrayTypeP(datum)) > 0)
	{
		naliased = ARR_DIMS(DatumGetArrayTypeP(datum))[0];
		aliased = (int32 *) ARR_DATA_PTR(DatumGetArrayTypeP(datum));
	}
	rows = dmp_model_coefficients(model, std_err, aliased, naliased, &n);
	labels = palloc(sizeof(char *) * n);
	for (i = 0; i < n; i++)
	{
		labels[i] = rows[i].level ? psprintf("%s = %s", rows[i].feature, rows[i].level)
								  : pstrdup(rows[i].feature);
		if (rows[i].class != NULL)
			labels[i] = psprintf("%s: %s", rows[i].class, labels[i]);
		width = Max(width, pg_mbstrlen(labels[i]));
	}
	width = Min(width, 60);
	line(fcinfo, "");
	line(fcinfo, psprintf("%s %13s %11s %9s %9s %11s", padded("", width), "coef", "std_err", "z",
						  "p", "odds_ratio"));
	for (i = 0; i < n; i++)
	{
		const DmpCoefficient *c = &rows[i];
		char *text =
			psprintf("%s %13s %11s %9s %9s %11s %s", padded(labels[i], width),
					 number(c->coef, "%.6g"), number(c->std_err, "%.4g"), number(c->z, "%.3f"),
					 isnan(c->p)     ? "-"
					 : c->p < 0.0001 ? "<0.0001"
									 : psprintf("%.4f", c->p),
					 number(exp(c->coef), "%.4g"), isnan(c->p) ? "" : stars(c->p));
		int length = strlen(text);

		while (length > 0 && text[length - 1] == ' ')
			text[--length] = '\0';
		line(fcinfo, text);
	}
	if (std_err != NULL)
		line(fcinfo, "p: *** below 0.001, ** below 0.01, * below 0.05, . below 0.1");
	else
		line(fcinfo, "no standard errors: the fit is penalised or did not converge");
}

static void
write_quality(FunctionCallInfo fcinfo, const DmpModel *model)
{
	double loss = dmp_spi_float8(0, S_LOG_LOSS, NAN);
	double null_loss = dmp_spi_float8(0, S_NULL_LOG_LOSS, NAN);

	line(fcinfo, "");
	line(fcinfo, psprintf("                 trained on    held out"));
	line(fcinfo,
		 psprintf("roc_auc       %13s %11s", number(dmp_spi_float8(0, S_ROC_AUC, NAN), "%.4f"),
				  number(dmp_spi_float8(0, S_TEST_ROC_AUC, NAN), "%.4f")));
	line(fcinfo, psprintf("log_loss      %13s %11s", number(loss, "%.5f"),
						  number(dmp_spi_float8(0, S_TEST_LOG_LOSS, NAN), "%.5f")));
	line(fcinfo, psprintf("null_log_loss %13s", number(null_loss, "%.5f")));
	line(fcinfo, psprintf("pseudo R2     %13s  (McFadden)", number(1 - loss / null_loss, "%.4f")));
	if (model->nclasses == 0)
		line(fcinfo, psprintf("threshold     %13g", model->threshold));
	else
		line(fcinfo,
			 psprintf("accuracy      %13s %11s", number(dmp_spi_float8(0, S_ACCURACY, NAN), "%.4f"),
					  number(dmp_spi_float8(0, S_TEST_ACCURACY, NAN), "%.4f")));
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
	write_head(fcinfo, row, model);
	write_coefficients(fcinfo, model);
	write_quality(fcinfo, model);
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
