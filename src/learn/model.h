/*-------------------------------------------------------------------------
 * model.h
 *		What the files that read and write stored models share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_MODEL_H
#define DMP_LEARN_MODEL_H

#include "dmp.h"

#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/learn.h"
#include "lib/stringinfo.h"

/* error: this is no model value, with the detail */
extern void dmp_model_refuse(const char *format, ...) pg_attribute_noreturn()
	pg_attribute_printf(1, 2);
extern int64 dmp_model_integer(const DmpDoc *doc, const char *key, int64 low, int64 high);

/* a finite number, numbers, a string, an array: or an error that names key */
extern double dmp_model_number(const DmpDoc *doc, const char *key);
extern double *dmp_model_numbers(const DmpDoc *doc, const char *key, int n);
extern char *dmp_model_text(const DmpDoc *doc, const char *key);
extern const DmpDoc *dmp_model_array(const DmpDoc *doc, const char *key);
extern void dmp_model_append_text(StringInfo buf, const char *key, const char *value);
extern void dmp_model_append_number(StringInfo buf, double value);
extern void dmp_model_append_numbers(StringInfo buf, const char *key, const double *values, int n);

/* ---- calibration.c */
extern void dmp_calibration_append(StringInfo buf, const DmpCalibration *calibration);
extern DmpCalibration *dmp_calibration_read(const DmpDoc *doc);
/* ---- coefficients.c: columns of dmp_internal.coefficients */

enum
{
	DMP_COEFFICIENT_FEATURE,
	DMP_COEFFICIENT_LEVEL,
	DMP_COEFFICIENT_COEF,
	DMP_COEFFICIENT_STD_ERR,
	DMP_COEFFICIENT_Z,
	DMP_COEFFICIENT_P,
	DMP_COEFFICIENT_ODDS_RATIO,
	DMP_COEFFICIENT_LOW,
	DMP_COEFFICIENT_HIGH,
	DMP_COEFFICIENT_MEAN,
	DMP_COEFFICIENT_SCALE,
	DMP_COEFFICIENT_ROWS,
	DMP_COEFFICIENT_CLASS,
	DMP_COEFFICIENT_VIF,
	DMP_COEFFICIENT_ODDS_LOW,
	DMP_COEFFICIENT_ODDS_HIGH,
	DMP_COEFFICIENT_COLUMNS
};

extern void dmp_coefficient_row(const DmpModel *model, const DmpCoefficient *row, Datum *values,
								bool *nulls);

/* ---- wide_model.c */
extern const char *dmp_encode_name(DmpEncode encode);
extern void dmp_wide_append_feature(StringInfo buf, const DmpFeature *feature);
extern void dmp_wide_append_model(StringInfo buf, const DmpModel *model);
extern void dmp_wide_read_feature(DmpFeature *feature, const DmpDoc *doc, int *wide);
extern void dmp_wide_read_classes(DmpModel *model, const DmpDoc *doc);
extern void dmp_wide_read_model(DmpModel *model, const DmpDoc *doc, int wide);

#endif /* DMP_LEARN_MODEL_H */
