/*-------------------------------------------------------------------------
 * path.c
 *		A path as it is stored and read: from the scan's numbers to those of the
 *		design, the registry's json, and coefficients row by row.
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "learn/path.h"
#include "lib/stringinfo.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(dmp_path_coefficients);

/* fewer rows of a class than this in a fold: a warning */
#define FEW_OF_A_CLASS 10

static void
path_coefficients(DmpFitPath *p, const DmpScanPlan *plan, const DmpScanPath *from,
				  const int *column)
{
	Size run = 1 + (Size) p->width;
	int k, i;

	p->coef = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * p->n * run);
	memset(p->coef, 0, sizeof(double) * p->n * run);
	for (k = 0; k < p->n; k++)
	{
		const double *theta = from->theta + (Size) k * from->nparams;
		double *coef = p->coef + k * run;

		coef[0] = theta[0] + (plan->intercept ? plan->stats.target_pivot : 0);
		if (plan->has_offset)
			coef[p->width] = 1;
		for (i = 1; i < from->nparams; i++)
			if (column[i] >= 0)
			{
				coef[1 + column[i]] = theta[i];
				p->points[k].nonzero += theta[i] != 0;
			}
	}
}

DmpFitPath *
dmp_fit_path(const DmpScanPlan *plan, const DmpScanPath *from, const int *column, int width)
{
	DmpFitPath *p = palloc0(sizeof(DmpFitPath));
	double range = from->null_loss - from->saturated;
	int n = from->n, k;

	p->n = n;
	p->nfolds = from->nfolds;
	p->automatic = plan->automatic;
	p->width = width;
	p->chosen = from->chosen;
	p->best = from->best;
	p->one_se = from->one_se;
	p->points = palloc0(sizeof(DmpFitPathPoint) * n);
	if (from->theta != NULL)
		path_coefficients(p, plan, from, column);
	for (k = 0; k < n; k++)
	{
		DmpFitPathPoint *x = &p->points[k];

		x->lambda = from->lambda[k];
		x->loss = from->loss[k];
		x->deviance_ratio = range > 0 ? (from->null_loss - from->loss[k]) / range : NAN;
		x->kkt_residual = from->kkt[k];
		x->test_loss = from->test_loss[k];
		x->cv_loss = from->cv_loss[k];
		x->cv_std_err = from->cv_error[k];
		if (from->theta == NULL)
			x->nonzero = from->nonzero[k];
	}
	/* what was found goes with the scans */
	p->fold_rows = palloc0(sizeof(int64) * (p->nfolds + 1));
	p->fold_positive = palloc0(sizeof(int64) * (p->nfolds + 1));
	memcpy(p->fold_rows, from->fold_rows, sizeof(int64) * p->nfolds);
	memcpy(p->fold_positive, from->fold_positive, sizeof(int64) * p->nfolds);
	p->cv_roc_auc = from->cv_roc_auc;
	p->cv_loss = p->cv_std_err = NAN;
	if (p->nfolds > 0)
	{
		p->cv_loss = p->points[p->chosen].cv_loss;
		p->cv_std_err = p->points[p->chosen].cv_std_err;
	}
	return p;
}

List *
dmp_fit_path_warnings(const DmpFitPath *p, bool classes, bool by_test)
{
	List *warnings = NIL;
	int64 all = 0, most = 0, few = 0;
	int g;

	for (g = 0; g < p->nfolds; g++)
	{
		int64 rows = p->fold_rows[g], positive = p->fold_positive[g];

		all += rows;
		most = Max(most, rows);
		few += classes && Min(positive, rows - positive) < FEW_OF_A_CLASS;
	}
	if (few > 0)
		warnings = lappend(warnings, psprintf("cv: " INT64_FORMAT " of %d folds have fewer than %d "
											  "rows of a class; their losses say little",
											  few, p->nfolds, FEW_OF_A_CLASS));
	if (p->nfolds > 0 && most * p->nfolds > 2 * all)
		warnings = lappend(warnings,
						   psprintf("cv: a fold has " INT64_FORMAT " of " INT64_FORMAT
									" rows, since rows with "
									"the same key (or, without one, the same values) stay together",
									most, all));
	if (p->n > 1 && p->nfolds == 0 && by_test)
		warnings = lappend(warnings, "lambda was chosen by the test rows: their metrics are no "
									 "longer of rows the model has not seen");
	else if (p->n > 1 && p->nfolds == 0)
		warnings = lappend(warnings, "nothing chooses among the lambdas: the smallest is taken; cv "
									 "or test_fraction would choose");
	if (p->n > 1 && p->nfolds > 0 && !p->automatic && p->chosen == p->n - 1)
		warnings = lappend(warnings,
						   "cv: the smallest lambda is the best; smaller ones may be better still");
	return warnings;
}

/* ------------------------------------------------------------------- json */

static void
put_number(StringInfo out, const char *key, double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(value))
		return;
	double_to_shortest_decimal_buf(value, text);
	appendStringInfo(out, ", \"%s\": %s", key, text);
}

static const char *
why_chosen(const DmpFitPath *p, int k, bool by_test)
{
	if (p->nfolds > 0)
		return k == p->best && k == p->one_se ? "min, 1se"
			   : k == p->best                 ? "min"
			   : k == p->one_se               ? "1se"
											  : NULL;
	return k != p->chosen ? NULL : by_test ? "test" : p->n > 1 ? "smallest" : NULL;
}

char *
dmp_fit_path_json(const DmpFitPath *p, bool by_test)
{
	StringInfoData out;
	int k;

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	for (k = 0; k < p->n; k++)
	{
		const DmpFitPathPoint *x = &p->points[k];
		const char *why = why_chosen(p, k, by_test);

		appendStringInfo(&out, "%s{\"position\": %d, \"nonzero\": %d, \"selected\": %s",
						 k > 0 ? ", " : "", k + 1, x->nonzero, k == p->chosen ? "true" : "false");
		put_number(&out, "lambda", x->lambda);
		put_number(&out, "log_loss", x->loss);
		put_number(&out, "deviance_ratio", x->deviance_ratio);
		put_number(&out, "kkt_residual", x->kkt_residual);
		put_number(&out, "test_log_loss", x->test_loss);
		put_number(&out, "cv_log_loss", x->cv_loss);
		put_number(&out, "cv_std_err", x->cv_std_err);
		if (why)
			appendStringInfo(&out, ", \"chosen\": \"%s\"", why);
		appendStringInfoChar(&out, '}');
	}
	appendStringInfoChar(&out, ']');
	return out.data;
}

/* all coefficients as a json array of numbers: a run of 1 + width for each point */
char *
dmp_fit_path_coef_json(const DmpFitPath *p)
{
	StringInfoData out;
	Size n = p->n * (1 + (Size) p->width), i;
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	for (i = 0; i < n; i++)
	{
		double_to_shortest_decimal_buf(p->coef[i], text);
		appendStringInfo(&out, "%s%s", i > 0 ? ", " : "", text);
	}
	appendStringInfoChar(&out, ']');
	return out.data;
}

/* ----------------------------------------------------------------- reading */

/* dmp_internal.path_coefficients(value, path_coef): a row a point and coefficient */
Datum
dmp_path_coefficients(PG_FUNCTION_ARGS)
{
	DmpModel *model;
	ArrayType *array;
	const double *coef;
	Size run;
	int points, k;

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	model = dmp_model_from_json(
		dmp_model_value_json((DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0))),
		CurrentMemoryContext);
	array = PG_GETARG_ARRAYTYPE_P(1);
	run = 1 + (Size) model->design.width;
	if (model->general || ARR_NDIM(array) != 1 || ARR_HASNULL(array) ||
		ARR_DIMS(array)[0] % run != 0)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("path_coef must have %zu elements for each lambda", run)));
	points = ARR_DIMS(array)[0] / run;
	coef = (const double *) ARR_DATA_PTR(array);
	for (k = 0; k < points; k++)
	{
		DmpErrors errors = {NULL};
		DmpCoefficient *rows;
		int n, i;

		CHECK_FOR_INTERRUPTS();
		model->a = coef[k * run];
		memcpy(model->coef, coef + k * run + 1, sizeof(double) * (run - 1));
		rows = dmp_model_coefficients(model, &errors, &n);
		for (i = 0; i < n; i++)
		{
			Datum values[4] = {Int32GetDatum(k + 1), CStringGetTextDatum(rows[i].feature),
							   (Datum) 0, Float8GetDatum(rows[i].coef)};
			bool nulls[4] = {false, false, rows[i].level == NULL, false};

			if (rows[i].level)
				values[2] = CStringGetTextDatum(rows[i].level);
			dmp_srf_row(fcinfo, values, nulls);
		}
		pfree(rows);
	}
	return (Datum) 0;
}
