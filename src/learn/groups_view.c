/*-------------------------------------------------------------------------
 * groups_view.c
 *		What is known of the groups of a stored model, for the views.
 *
 * The registry keeps it beside the model's value, which has only what scoring
 * needs: eight-byte words, little-endian. First the format (1: two classes, 2:
 * a target of numbers), the number of groups, that of coefficients, whether there
 * are errors, and the metrics of the pooled model, four or eight; then four words
 * and as many metrics a group, in the order of the model; then the errors of the
 * coefficients of those that converged.
 */
#include "dmp.h"

#include <math.h>

#include "learn/groups.h"
#include "learn/model.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_model_segments);
PG_FUNCTION_INFO_V1(dmp_segment_coefficients);
PG_FUNCTION_INFO_V1(dmp_group_metrics);

#define FORMAT_CLASSES 1
#define FORMAT_NUMBERS 2
#define COUNT_WORDS 4
#define METRICS(numbers) ((numbers) ? 2 * DMP_GROUP_ERRORS : 4)
/* of the head, and of a group */
#define WORDS(numbers) (COUNT_WORDS + METRICS(numbers))

static uint64
word_of_double(double x)
{
	uint64 word;

	memcpy(&word, &x, sizeof(word));
	return word;
}

static double
double_of_word(uint64 word)
{
	double x;

	memcpy(&x, &word, sizeof(x));
	return x;
}

static void
swap(uint64 *words, Size n)
{
#ifdef WORDS_BIGENDIAN
	Size i;

	for (i = 0; i < n; i++)
		words[i] = pg_bswap64(words[i]);
#endif
}

bytea *
dmp_group_table_write(const DmpGroupTable *table)
{
	Size fitted = 0, n, each = table->width + 1;
	bool errors = false;
	bytea *bytes;
	uint64 *words, *at;
	int i, j;

	for (i = 0; i < table->n; i++)
	{
		fitted += table->fits[i].values != NULL;
		errors |= table->fits[i].std_err != NULL;
	}
	n = WORDS(table->numbers) * (1 + (Size) table->n);
	if (n > MaxAllocSize / sizeof(uint64) - 1)
		return NULL;
	/* errors are what can be done without */
	if (n + fitted * each > MaxAllocSize / sizeof(uint64) - 1)
		errors = false;
	if (errors)
		n += fitted * each;
	bytes = palloc(VARHDRSZ + sizeof(uint64) * n);
	SET_VARSIZE(bytes, VARHDRSZ + sizeof(uint64) * n);
	words = at = palloc_extended(sizeof(uint64) * n, MCXT_ALLOC_HUGE);
	*at++ = table->numbers ? FORMAT_NUMBERS : FORMAT_CLASSES;
	*at++ = table->n;
	*at++ = table->width;
	*at++ = errors;
	for (i = 0; i < METRICS(table->numbers); i++)
		*at++ = word_of_double(table->pooled[i]);
	for (i = 0; i < table->n; i++)
	{
		const DmpGroupFit *fit = &table->fits[i];

		*at++ = (uint64) fit->rows;
		*at++ = (uint64) fit->rows_test;
		*at++ = (uint64) fit->rows_positive;
		*at++ = (uint64) fit->iterations;
		for (j = 0; table->numbers && j < 2 * DMP_GROUP_ERRORS; j++)
			*at++ = word_of_double(fit->errors[j]);
		if (table->numbers)
			continue;
		*at++ = word_of_double(fit->log_loss);
		*at++ = word_of_double(fit->roc_auc);
		*at++ = word_of_double(fit->test_log_loss);
		*at++ = word_of_double(fit->test_roc_auc);
	}
	for (i = 0; errors && i < table->n; i++)
		for (j = 0; table->fits[i].values != NULL && j < (int) each; j++)
			*at++ = word_of_double(table->fits[i].std_err ? table->fits[i].std_err[j] : NAN);
	swap(words, n);
	memcpy(VARDATA(bytes), words, sizeof(uint64) * n);
	pfree(words);
	return bytes;
}

static void
pg_attribute_noreturn() refuse(void)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("this is no table of the groups of the model")));
}

/* the metrics of a group; where those of the next thing are */
static uint64 *
read_metrics(uint64 *at, bool numbers, DmpGroupFit *fit)
{
	fit->log_loss = fit->roc_auc = fit->test_log_loss = fit->test_roc_auc = NAN;
	if (numbers)
	{
		/* a word is the double it stands for */
		fit->errors = (double *) at;
		return at + 2 * DMP_GROUP_ERRORS;
	}
	fit->log_loss = double_of_word(*at++);
	fit->roc_auc = double_of_word(*at++);
	fit->test_log_loss = double_of_word(*at++);
	fit->test_roc_auc = double_of_word(*at++);
	return at;
}

/* The table of the groups of a model with these segments. */
static DmpGroupTable *
read_table(const bytea *bytes, const DmpModel *model)
{
	const DmpSegments *segments = model->segments;
	bool numbers = strcmp(model->family, "binomial") != 0;
	DmpGroupTable *table = palloc0(sizeof(DmpGroupTable));
	Size size = VARSIZE_ANY_EXHDR(bytes), n = size / sizeof(uint64), fitted = 0;
	uint64 *words = palloc_extended(Max(size, 1), MCXT_ALLOC_HUGE), *at;
	int i;

	memcpy(words, VARDATA_ANY(bytes), size);
	swap(words, n);
	if (size % sizeof(uint64) != 0 || n < WORDS(numbers) ||
		words[0] != (numbers ? FORMAT_NUMBERS : FORMAT_CLASSES) ||
		words[1] != (uint64) segments->n || words[2] != (uint64) segments->width || words[3] > 1)
		refuse();
	for (i = 0; i < segments->n; i++)
		fitted += segments->values[i] != NULL;
	if (n != WORDS(numbers) * (1 + (Size) segments->n) +
				 (words[3] ? fitted * (Size) (segments->width + 1) : 0))
		refuse();
	table->n = segments->n;
	table->width = segments->width;
	table->numbers = numbers;
	for (i = 0; i < METRICS(numbers); i++)
		table->pooled[i] = double_of_word(words[COUNT_WORDS + i]);
	table->fits = palloc_extended(sizeof(DmpGroupFit) * (Size) Max(table->n, 1), MCXT_ALLOC_HUGE);
	at = words + WORDS(numbers);
	for (i = 0; i < table->n; i++)
	{
		DmpGroupFit *fit = &table->fits[i];

		memset(fit, 0, sizeof(*fit));
		fit->status = segments->status[i];
		fit->values = segments->values[i];
		fit->rows = (int64) *at++;
		fit->rows_test = (int64) *at++;
		fit->rows_positive = (int64) *at++;
		fit->iterations = (int) *at++;
		at = read_metrics(at, numbers, fit);
	}
	for (i = 0; words[3] && i < table->n; i++)
		if (segments->values[i] != NULL)
		{
			table->fits[i].std_err = (double *) at;
			at += segments->width + 1;
		}
	return table;
}

/* The model of argument 0 and the table of argument 1; false: there are no groups. */
static bool
read_arguments(FunctionCallInfo fcinfo, DmpModel **model, DmpGroupTable **table)
{
	DmpModelValue *value;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return false;
	value = (DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	*model = dmp_model_from_json(dmp_model_value_json(value), CurrentMemoryContext);
	if ((*model)->segments == NULL)
		refuse();
	*table = read_table(PG_GETARG_BYTEA_PP(1), *model);
	return true;
}

static void
set_float8(Datum *values, bool *nulls, int column, double value)
{
	nulls[column] = isnan(value);
	values[column] = Float8GetDatum(value);
}

/* dmp_internal.model_segments(value, groups): a row a group */
Datum
dmp_model_segments(PG_FUNCTION_ARGS)
{
	DmpModel *model;
	DmpGroupTable *table;
	int i;

	dmp_srf_begin(fcinfo);
	if (!read_arguments(fcinfo, &model, &table))
		return (Datum) 0;
	for (i = 0; i < table->n; i++)
	{
		const DmpGroupFit *fit = &table->fits[i];
		Datum values[10 + 2 * DMP_GROUP_ERRORS];
		bool nulls[10 + 2 * DMP_GROUP_ERRORS] = {false};
		int k;

		CHECK_FOR_INTERRUPTS();
		values[0] = CStringGetTextDatum(dmp_segment_name(model->segments, i));
		values[1] = CStringGetTextDatum(dmp_fit_status_name(fit->status));
		values[2] = Int64GetDatum(fit->rows);
		values[3] = Int64GetDatum(fit->rows_test);
		values[4] = Int64GetDatum(fit->rows_positive);
		nulls[4] = table->numbers;
		values[5] = Int32GetDatum(fit->iterations);
		set_float8(values, nulls, 6, fit->log_loss);
		set_float8(values, nulls, 7, fit->roc_auc);
		set_float8(values, nulls, 8, fit->test_log_loss);
		set_float8(values, nulls, 9, fit->test_roc_auc);
		for (k = 0; k < 2 * DMP_GROUP_ERRORS; k++)
			set_float8(values, nulls, 10 + k, fit->errors ? fit->errors[k] : NAN);
		dmp_srf_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* dmp_internal.group_metrics(value, groups): dataset, segment, metric, value */
Datum
dmp_group_metrics(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"rows", "rows_positive", "roc_auc",   "log_loss",
										"rmse", "mae",           "r_squared", "mean_deviance"};
	DmpModel *model;
	DmpGroupTable *table;
	int i, k, test;

	dmp_srf_begin(fcinfo);
	if (!read_arguments(fcinfo, &model, &table))
		return (Datum) 0;
	for (i = -1; i < table->n; i++)
	{
		Datum segment =
			CStringGetTextDatum(i < 0 ? "pooled" : dmp_segment_name(model->segments, i));

		CHECK_FOR_INTERRUPTS();
		for (test = 0; test < 2; test++)
		{
			const DmpGroupFit *fit = i < 0 ? NULL : &table->fits[i];
			double metrics[4 + DMP_GROUP_ERRORS];

			metrics[0] = fit == NULL ? NAN : (double) (test ? fit->rows_test : fit->rows);
			metrics[1] = fit == NULL || test || table->numbers ? NAN : (double) fit->rows_positive;
			metrics[2] = fit == NULL ? table->pooled[test ? 3 : 1]
						 : test      ? fit->test_roc_auc
									 : fit->roc_auc;
			metrics[3] = fit == NULL ? table->pooled[test ? 2 : 0]
						 : test      ? fit->test_log_loss
									 : fit->log_loss;
			if (fit == NULL && table->numbers)
				metrics[2] = metrics[3] = NAN;
			for (k = 0; k < DMP_GROUP_ERRORS; k++)
				metrics[4 + k] = table->numbers ? (fit ? fit->errors
													   : table->pooled)[test * DMP_GROUP_ERRORS + k]
												: NAN;
			for (k = 0; k < lengthof(names); k++)
			{
				Datum values[4];
				bool nulls[4] = {false};

				if (isnan(metrics[k]) || (k == 0 && test && metrics[k] == 0))
					continue;
				values[0] = CStringGetTextDatum(test ? "test" : "train");
				values[1] = segment;
				values[2] = CStringGetTextDatum(names[k]);
				values[3] = Float8GetDatum(metrics[k]);
				dmp_srf_row(fcinfo, values, nulls);
			}
		}
	}
	return (Datum) 0;
}

/* of the errors of a group: rows less what was estimated, which is what has an error; NaN: normal */
static double
degrees_of_freedom(const DmpModel *model, const DmpGroupTable *table, const DmpGroupFit *fit)
{
	int64 df = fit->rows;
	int j;

	if (strcmp(model->family, "gaussian") != 0 || fit->std_err == NULL)
		return NAN;
	for (j = 0; j <= table->width; j++)
		df -= fit->std_err[j] > 0;
	return df > 0 ? (double) df : NAN;
}

/* dmp_internal.segment_coefficients(value, groups, aliased, biased): those of each group that has a fit */
Datum
dmp_segment_coefficients(PG_FUNCTION_ARGS)
{
	MemoryContext work;
	DmpModel *model;
	DmpGroupTable *table;
	DmpErrors errors = {0};
	int i, k, n;

	dmp_srf_begin(fcinfo);
	if (!read_arguments(fcinfo, &model, &table))
		return (Datum) 0;
	if (!PG_ARGISNULL(2))
	{
		ArrayType *array = PG_GETARG_ARRAYTYPE_P(2);

		if (ARR_NDIM(array) > 1 || ARR_HASNULL(array))
			refuse();
		errors.naliased = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
		errors.aliased = (int32 *) ARR_DATA_PTR(array);
	}
	errors.biased = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	work = AllocSetContextCreate(CurrentMemoryContext, "dmp segment", ALLOCSET_DEFAULT_SIZES);
	for (i = 0; i < table->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(work);
		DmpModel own;
		DmpCoefficient *rows;

		CHECK_FOR_INTERRUPTS();
		n = 0;
		if (table->fits[i].values != NULL)
		{
			own = dmp_segment_alone(model, table->fits[i].values);
			errors.std_err = table->fits[i].std_err;
			errors.df = degrees_of_freedom(model, table, &table->fits[i]);
			rows = dmp_model_coefficients(&own, &errors, &n);
		}
		for (k = 0; k < n; k++)
		{
			Datum values[DMP_COEFFICIENT_COLUMNS + 1];
			bool nulls[DMP_COEFFICIENT_COLUMNS + 1];

			dmp_coefficient_row(&own, &rows[k], values, nulls);
			/* of the pooled rows, not of these */
			nulls[DMP_COEFFICIENT_MEAN] = nulls[DMP_COEFFICIENT_SCALE] = true;
			nulls[DMP_COEFFICIENT_ROWS] = true;
			values[DMP_COEFFICIENT_COLUMNS] =
				CStringGetTextDatum(dmp_segment_name(model->segments, i));
			nulls[DMP_COEFFICIENT_COLUMNS] = false;
			dmp_srf_row(fcinfo, values, nulls);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	MemoryContextDelete(work);
	return (Datum) 0;
}
