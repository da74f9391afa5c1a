/*-------------------------------------------------------------------------
 * coefficients.c
 *		A model taken apart, a row a coefficient, for views and summaries.
 *
 * Coefficients are on the scale of the columns as given; the intercept is the
 * margin of a row of zeros and baselines. z = coef / std_err and p is two
 * sided, from the normal distribution (least squares: Student's t); low and
 * high are Wald's 95 % interval by the same. With a penalty estimates are
 * biased, and there is a standard error but none of these. A coefficient the
 * fit could not tell from others (aliased) is NULL, as is anything about a
 * reference level but its coefficient 0.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/model.h"
#include "learn/transform.h"
#include "math/student.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(dmp_coefficients);

#define NORMAL_975 1.959963984540054
#define COLUMN_HASHED (-3)

/* Bins of a number in the order of the numbers, not of their labels' bytes. */
static int
bin_of(const DmpTransform *t, const char *label)
{
	int i;

	for (i = 0; i <= t->nedges; i++)
	{
		if (strcmp(label, dmp_bin_label(t->edges, t->nedges, i)) == 0)
			break;
	}
	return i;
}

static int
compare_bins(const void *a, const void *b, void *transform)
{
	int l = bin_of(transform, ((const DmpCoefficient *) a)->level);
	int r = bin_of(transform, ((const DmpCoefficient *) b)->level);

	return l < r ? -1 : l > r;
}

/*
 * Of slopes by level the feature is the pair, as it is of pairs of texts, and
 * the level is the slope's.
 */
static void
name_slope(const DmpTransform *t, DmpCoefficient *row)
{
	row->feature = psprintf("%s:%s", t->columns[0], t->columns[1]);
	row->level = t->slope_of == DMP_SLOPE_LEVEL   ? t->level
				 : t->slope_of == DMP_SLOPE_OTHER ? "(other)"
												  : "(missing)";
}

/* What has a coefficient, in order; returns how many. */
static int
list_coefficients(const DmpModel *model, DmpCoefficient *rows)
{
	const DmpDesign *design = &model->design;
	int count = 0;
	int i;
	int k;

	rows[count].feature = "(intercept)";
	rows[count].column = -2;
	rows[count].rows = -1;
	count++;
	/* a base margin is no coefficient */
	for (i = 0; i < design->nfeatures - (model->base_margin != NULL); i++)
	{
		const DmpFeature *feature = &design->features[i];
		bool one_hot = feature->encode == DMP_ENCODE_ONE_HOT;

		if (!one_hot)
		{
			rows[count].rows = -1;
			rows[count].column = feature->index;
			if (DMP_ENCODE_IS_WIDE(feature->encode))
			{
				int columns = 0;

				for (k = 0; k < feature->nblocks; k++)
					columns += feature->blocks[k].n;
				rows[count].level = psprintf("(%d hashed columns)", columns);
				rows[count].column = COLUMN_HASHED;
			}
			rows[count].feature = feature->name;
			if (feature->transform != NULL && feature->transform->kind == DMP_TRANSFORM_SLOPE)
				name_slope(feature->transform, &rows[count]);
			count++;
		}
		for (k = 0; k < feature->nlevels; k++)
		{
			const DmpLevel *level = &feature->levels[k];

			rows[count].feature = feature->name;
			rows[count].level = level->text;
			rows[count].rows = level->rows;
			rows[count++].column = level->index;
		}
		if (feature->transform != NULL && feature->transform->kind == DMP_TRANSFORM_BINS)
			qsort_arg(rows + count - feature->nlevels, feature->nlevels, sizeof(DmpCoefficient),
					  compare_bins, feature->transform);
		if (one_hot && feature->rows_other > 0)
		{
			rows[count].feature = feature->name;
			rows[count].level = "(other)";
			rows[count].rows = feature->rows_other;
			rows[count++].column = feature->other_index;
		}
		if (feature->rows_missing > 0 || feature->missing_index >= 0)
		{
			/* a flag that equals an earlier one shares its column, which is listed there */
			rows[count].feature = feature->name;
			rows[count].level = "(missing)";
			rows[count].rows = feature->rows_missing;
			rows[count++].column = feature->missing_index;
		}
	}
	return count;
}

/* intercept of margin = intercept + sum_j b_j x_j of a class, on the columns as given */
static double
class_intercept(const DmpModel *model, int class)
{
	double a = model->intercepts[class];
	int j;

	for (j = 0; j < model->design.width; j++)
		a -= model->coef[j * model->nclasses + class] * model->design.pivot[j];
	return a;
}

DmpCoefficient *
dmp_model_coefficients(const DmpModel *model, const DmpErrors *errors, int *n)
{
	const double *std_err = errors->std_err;
	double half = isnan(errors->df) ? NORMAL_975 : dmp_student_975(errors->df);
	int sets = Max(model->nclasses, 1);
	DmpCoefficient *rows;
	int size = 1;
	int count;
	int i;
	int k;

	for (i = 0; i < model->design.nfeatures; i++)
		size += 3 + model->design.features[i].nlevels;
	rows = palloc0(sizeof(DmpCoefficient) * size * sets);
	count = list_coefficients(model, rows);
	for (k = 1; k < sets; k++)
		memcpy(rows + count * k, rows, sizeof(DmpCoefficient) * count);
	for (i = 0; i < count * sets; i++)
	{
		DmpCoefficient *row = &rows[i];
		int class = i / count;
		double error = NAN;

		row->std_err = row->z = row->p = row->low = row->high = row->vif = NAN;
		if (model->nclasses > 0)
			row->class = model->classes[class];
		if (row->column == -2)
		{
			row->coef =
				model->nclasses > 0 ? class_intercept(model, class) : dmp_model_intercept(model);
			error = std_err ? std_err[0] : NAN;
		}
		else if (row->column >= 0)
		{
			row->coef = model->coef[row->column * sets + class];
			error = std_err ? std_err[row->column + 1] : NAN;
			row->vif = errors->vif ? errors->vif[row->column] : NAN;
		}
		else if (row->column == COLUMN_HASHED)
			row->coef = NAN;
		for (k = 0; k < errors->naliased; k++)
		{
			if (errors->aliased[k] == row->column)
				row->coef = error = NAN;
		}
		if (error > 0 && isfinite(error))
		{
			row->std_err = error;
			if (errors->biased)
				continue;
			row->z = row->coef / error;
			row->p = isnan(errors->df) ? erfc(fabs(row->z) / M_SQRT2)
									   : dmp_student_p(row->z, errors->df);
			row->low = row->coef - half * error;
			row->high = row->coef + half * error;
		}
	}
	*n = count * sets;
	return rows;
}

static void
set_float8(Datum *values, bool *nulls, int column, double value)
{
	nulls[column] = isnan(value);
	values[column] = Float8GetDatum(value);
}

/* an argument of n numbers, or NULL */
static const double *
numbers_arg(FunctionCallInfo fcinfo, int arg, int n, const char *name)
{
	ArrayType *array;

	if (PG_ARGISNULL(arg))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(arg);
	if ((n > 0 && (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != n)) ||
		(n == 0 && ARR_NDIM(array) != 0) || ARR_HASNULL(array))
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("%s must have %d elements", name, n)));
	return (const double *) ARR_DATA_PTR(array);
}

void
dmp_coefficient_row(const DmpModel *model, const DmpCoefficient *row, Datum *values, bool *nulls)
{
	bool gaussian = model->link == DMP_GAUSSIAN;

	memset(nulls, 0, sizeof(bool) * DMP_COEFFICIENT_COLUMNS);
	values[DMP_COEFFICIENT_FEATURE] = CStringGetTextDatum(row->feature);
	nulls[DMP_COEFFICIENT_LEVEL] = row->level == NULL;
	values[DMP_COEFFICIENT_LEVEL] = row->level ? CStringGetTextDatum(row->level) : (Datum) 0;
	set_float8(values, nulls, DMP_COEFFICIENT_COEF, row->coef);
	set_float8(values, nulls, DMP_COEFFICIENT_STD_ERR, row->std_err);
	set_float8(values, nulls, DMP_COEFFICIENT_Z, row->z);
	set_float8(values, nulls, DMP_COEFFICIENT_P, row->p);
	set_float8(values, nulls, DMP_COEFFICIENT_ODDS_RATIO, gaussian ? NAN : exp(row->coef));
	set_float8(values, nulls, DMP_COEFFICIENT_LOW, row->low);
	set_float8(values, nulls, DMP_COEFFICIENT_HIGH, row->high);
	set_float8(values, nulls, DMP_COEFFICIENT_VIF, row->vif);
	set_float8(values, nulls, DMP_COEFFICIENT_ODDS_LOW, gaussian ? NAN : exp(row->low));
	set_float8(values, nulls, DMP_COEFFICIENT_ODDS_HIGH, gaussian ? NAN : exp(row->high));
	set_float8(values, nulls, DMP_COEFFICIENT_MEAN,
			   row->column >= 0 ? model->design.mean[row->column] : NAN);
	set_float8(values, nulls, DMP_COEFFICIENT_SCALE,
			   row->column >= 0 ? model->design.scale[row->column] : NAN);
	nulls[DMP_COEFFICIENT_ROWS] = row->rows < 0;
	values[DMP_COEFFICIENT_ROWS] = Int64GetDatum(row->rows);
	nulls[DMP_COEFFICIENT_CLASS] = row->class == NULL;
	values[DMP_COEFFICIENT_CLASS] = row->class ? CStringGetTextDatum(row->class) : (Datum) 0;
}

/* dmp_internal.coefficients(value, std_err, aliased, biased, df, inflation) */
Datum
dmp_coefficients(PG_FUNCTION_ARGS)
{
	DmpModel *model;
	DmpModelValue *value;
	DmpCoefficient *rows;
	DmpErrors errors = {0};
	int n;
	int i;

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	value = (DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	model = dmp_model_from_json(dmp_model_value_json(value), CurrentMemoryContext);
	errors.std_err = numbers_arg(fcinfo, 1, model->design.width + 1, "std_err");
	errors.vif = numbers_arg(fcinfo, 5, model->design.width, "inflation");
	errors.biased = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	errors.df = PG_ARGISNULL(4) ? NAN : PG_GETARG_FLOAT8(4);
	if (!PG_ARGISNULL(2))
	{
		ArrayType *array = PG_GETARG_ARRAYTYPE_P(2);

		if (ARR_NDIM(array) > 1 || ARR_HASNULL(array))
			ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
							errmsg("aliased must be an array of column numbers")));
		errors.naliased = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
		errors.aliased = (int32 *) ARR_DATA_PTR(array);
	}
	rows = dmp_model_coefficients(model, &errors, &n);
	for (i = 0; i < n; i++)
	{
		Datum values[DMP_COEFFICIENT_COLUMNS];
		bool nulls[DMP_COEFFICIENT_COLUMNS];

		dmp_coefficient_row(model, &rows[i], values, nulls);
		dmp_srf_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
