/*-------------------------------------------------------------------------
 * calibration.c
 *		From a margin to the score: the link, and after it the calibration that
 *		dmp.calibrate stored with the model, if it did; from the score to a class.
 *
 * In the model's json it is one of
 *
 *		"calibration":{"method":"platt","slope":a,"intercept":b}
 *		"calibration":{"method":"isotonic","x":[margins],"y":[probabilities]}
 *
 * Both go up with the margin: calibration changes what a score says, not the
 * order of the rows (isotonic may tie some).
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/model.h"
#include "math/calibrate.h"
#include "math/metrics.h"

static const char *const calibration_keys[] = {"method", "slope", "intercept", "x", "y", NULL};
static const char *const method_names[] = {"platt", "isotonic"};

const char *
dmp_calibration_method_name(DmpCalibrationMethod method)
{
	return method_names[method];
}

/* -------------------------------------------------------------- applied */

/* the log-odds that Platt's sigmoid gives a margin */
static double
platt_margin(const DmpCalibration *calibration, double margin)
{
	return calibration->slope * Max(-DMP_MARGIN_LIMIT, Min(DMP_MARGIN_LIMIT, margin)) +
		   calibration->intercept;
}

double
dmp_calibrated(const DmpCalibration *calibration, double margin)
{
	if (calibration->method == DMP_CALIBRATION_PLATT)
		return dmp_model_probability(platt_margin(calibration, margin));
	return dmp_isotonic_at(calibration->n, calibration->x, calibration->y, margin);
}

double
dmp_model_score_rest(const DmpModel *model, double margin)
{
	const DmpCalibration *calibration = model->calibration;

	if (calibration == NULL)
		return dmp_model_probability(-margin);
	if (calibration->method == DMP_CALIBRATION_PLATT)
		return dmp_model_probability(-platt_margin(calibration, margin));
	return 1 - dmp_calibrated(calibration, margin);
}

/* 1 - score is what dmp.score writes in SQL: the two must agree */
const char *
dmp_model_class(const DmpModel *model, double score)
{
	if (score < model->reject && 1 - score < model->reject)
		return NULL;
	return score >= model->threshold ? model->positive : model->negative;
}

double
dmp_model_loss(const DmpModel *model, double margin, int label)
{
	const DmpCalibration *calibration = model->calibration;

	if (calibration == NULL)
		return dmp_log_loss_margin(Max(-DMP_MARGIN_LIMIT, Min(DMP_MARGIN_LIMIT, margin)), label);
	if (calibration->method == DMP_CALIBRATION_PLATT)
		return dmp_log_loss_margin(platt_margin(calibration, margin), label);
	return dmp_log_loss_probability(dmp_calibrated(calibration, margin), label);
}

/* --------------------------------------------------------------- stored */

void
dmp_calibration_append(StringInfo buf, const DmpCalibration *calibration)
{
	appendStringInfo(buf, ",\"calibration\":{\"method\":\"%s\"", method_names[calibration->method]);
	if (calibration->method == DMP_CALIBRATION_PLATT)
	{
		appendStringInfoString(buf, ",\"slope\":");
		dmp_model_append_number(buf, calibration->slope);
		appendStringInfoString(buf, ",\"intercept\":");
		dmp_model_append_number(buf, calibration->intercept);
	}
	else
	{
		dmp_model_append_numbers(buf, "x", calibration->x, calibration->n);
		dmp_model_append_numbers(buf, "y", calibration->y, calibration->n);
	}
	appendStringInfoChar(buf, '}');
}

/* Users can reach what is read: it must be finite, in range and in order. */
DmpCalibration *
dmp_calibration_read(const DmpDoc *doc)
{
	DmpCalibration *calibration = palloc0(sizeof(DmpCalibration));
	const DmpDoc *method;
	const DmpDoc *x;
	bool platt;
	int i;

	if (doc->kind != DMP_DOC_OBJECT)
		dmp_model_refuse("\"calibration\" must be an object");
	dmp_doc_check_keys(doc, "model calibration", calibration_keys);
	method = dmp_doc_get(doc, "method");
	if (method == NULL || method->kind != DMP_DOC_STRING ||
		(strcmp(method->text, "platt") != 0 && strcmp(method->text, "isotonic") != 0))
		dmp_model_refuse("the method of \"calibration\" must be \"platt\" or \"isotonic\"");
	platt = strcmp(method->text, "platt") == 0;
	calibration->method = platt ? DMP_CALIBRATION_PLATT : DMP_CALIBRATION_ISOTONIC;
	for (i = 1; calibration_keys[i] != NULL; i++)
	{
		if ((dmp_doc_get(doc, calibration_keys[i]) != NULL) != (platt == (i <= 2)))
			dmp_model_refuse("a calibration is by \"slope\" and \"intercept\" (platt) or by \"x\" "
							 "and \"y\" (isotonic)");
	}
	if (platt)
	{
		calibration->slope = dmp_model_number(dmp_doc_get(doc, "slope"), "slope");
		calibration->intercept = dmp_model_number(dmp_doc_get(doc, "intercept"), "intercept");
		if (calibration->slope < 0)
			dmp_model_refuse("the slope of \"calibration\" is below 0");
		return calibration;
	}
	x = dmp_doc_get(doc, "x");
	if (x->kind != DMP_DOC_ARRAY || x->n < 1)
		dmp_model_refuse("\"x\" of \"calibration\" must be an array of numbers");
	calibration->n = x->n;
	calibration->x = dmp_model_numbers(x, "x", x->n);
	calibration->y = dmp_model_numbers(dmp_doc_get(doc, "y"), "y", x->n);
	for (i = 0; i < calibration->n; i++)
	{
		if (!(calibration->y[i] >= 0 && calibration->y[i] <= 1))
			dmp_model_refuse("\"y\" of \"calibration\" must be from 0 to 1");
		if (!(fabs(calibration->x[i]) <= DMP_MARGIN_LIMIT))
			dmp_model_refuse("\"x\" of \"calibration\" must be within %g", DMP_MARGIN_LIMIT);
		if (i > 0 && (calibration->x[i] <= calibration->x[i - 1] ||
					  calibration->y[i] < calibration->y[i - 1]))
			dmp_model_refuse("\"calibration\" does not go up");
	}
	return calibration;
}
