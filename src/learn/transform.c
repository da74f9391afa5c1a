/*-------------------------------------------------------------------------
 * transform.c
 *		Raw values into the value of a feature, in training and scoring.
 *
 * dmp.model_sql writes the same in SQL (score/export_transform.c), so every
 * step is one that SQL has, with the same rounding: the logarithm is that of
 * 1 + |x| and not log1p, numbers become texts in their shortest form.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "learn/transform.h"
#include "math/binning.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_encode_number);
PG_FUNCTION_INFO_V1(dmp_encode_text);
PG_FUNCTION_INFO_V1(dmp_numbers);

#define PAIR_SEPARATOR " & "

/* ---------------------------------------------------------------- labels */

char *
dmp_number_level(double x)
{
	char *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	if (isinf(x))
		return pstrdup(x > 0 ? "Infinity" : "-Infinity");
	double_to_shortest_decimal_buf(x, text);
	return text;
}

char *
dmp_bin_label(const double *edges, int nedges, int bin)
{
	if (nedges == 0)
		return pstrdup("(-inf, inf)");
	if (bin == 0)
		return psprintf("(-inf, %s)", dmp_number_level(edges[0]));
	if (bin == nedges)
		return psprintf("[%s, inf)", dmp_number_level(edges[nedges - 1]));
	return psprintf("[%s, %s)", dmp_number_level(edges[bin - 1]), dmp_number_level(edges[bin]));
}

void
dmp_transform_finish(DmpTransform *t)
{
	int i;

	t->text = t->kind == DMP_TRANSFORM_BINS || t->kind == DMP_TRANSFORM_LEVELS ||
			  t->kind == DMP_TRANSFORM_PAIR ||
			  (t->kind == DMP_TRANSFORM_FILL && t->kinds[0] == DMP_VALUE_TEXT) ||
			  (t->kind == DMP_TRANSFORM_PART && t->part >= DMP_PART_QUARTER);
	if (t->kind == DMP_TRANSFORM_BINS)
	{
		t->labels = palloc(sizeof(Datum) * (t->nedges + 1));
		for (i = 0; i <= t->nedges; i++)
			t->labels[i] = CStringGetTextDatum(dmp_bin_label(t->edges, t->nedges, i));
	}
	if (t->zone != NULL)
	{
		t->tz = pg_tzset(t->zone);
		if (t->tz == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("time zone \"%s\" of a model is not known here", t->zone)));
	}
}

/* ------------------------------------------------------------ raw values */

static bool
raw_number(const DmpTransform *t, int k, const Datum *values, const bool *nulls, const Oid *types,
		   double *x)
{
	int source = t->source[k];

	*x = NAN;
	if (!nulls[source])
		*x = dmp_value_number(values[source], types[source]);
	if (isnan(*x) && k == 0 && t->has_fill)
		*x = t->fill;
	return !isnan(*x);
}

static bool
raw_text(const DmpTransform *t, int k, const Datum *values, const bool *nulls, const Oid *types,
		 const char **bytes, int *length)
{
	int source = t->source[k];

	if (!nulls[source])
	{
		*bytes = dmp_value_text(values[source], types[source], length);
		return true;
	}
	if (k > 0 || t->fill_text == NULL)
		return false;
	*bytes = t->fill_text;
	*length = strlen(t->fill_text);
	return true;
}

/* place of a level, or -1 */
static int
find_level(const DmpTransform *t, const char *bytes, int length)
{
	int low = 0;
	int high = t->nlevels - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		int c = strncmp(t->levels[middle], bytes, length);

		if (c == 0 && t->levels[middle][length] != '\0')
			c = 1;
		if (c == 0)
			return middle;
		if (c < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

/* the value of a row's bin or level */
static double
table_value(const DmpTransform *t, const Datum *values, const bool *nulls, const Oid *types,
			int fold, DmpRowNotes *notes)
{
	const double *table = t->values;
	int place;

	if (fold >= 0 && fold < t->nfolds)
		table = t->fold_values + (Size) fold * (t->nvalues + 2);
	place = t->nvalues;
	if (t->kinds[0] == DMP_VALUE_TEXT)
	{
		const char *bytes;
		int length;

		if (raw_text(t, 0, values, nulls, types, &bytes, &length))
		{
			place = find_level(t, bytes, length);
			if (place < 0)
			{
				place = t->nvalues + 1;
				if (notes != NULL)
					notes->unseen++;
			}
		}
	}
	else
	{
		double x;

		if (raw_number(t, 0, values, nulls, types, &x))
			place = dmp_bin_of(t->edges, t->nedges, x);
	}
	if (place == t->nvalues && notes != NULL)
		notes->missing++;
	return table[place];
}

/* ------------------------------------------------------------- of a time */

/* false: missing, as an infinite time is */
static bool
raw_time(const DmpTransform *t, Datum value, Oid type, Timestamp *stamp)
{
	if (type == DATEOID)
	{
		DateADT date = DatumGetDateADT(value);

		if (DATE_NOT_FINITE(date))
			return false;
		*stamp = DatumGetTimestamp(DirectFunctionCall1(date_timestamp, value));
	}
	else
		*stamp = DatumGetTimestamp(value);
	return !TIMESTAMP_NOT_FINITE(*stamp);
}

static bool
broken_down(const DmpTransform *t, const Datum *values, const bool *nulls, const Oid *types,
			Timestamp *stamp, struct pg_tm *tm)
{
	int source = t->source[0];
	fsec_t fsec;
	int offset;

	if (nulls[source] || !raw_time(t, values[source], types[source], stamp))
		return false;
	if (t->part == DMP_PART_EPOCH)
		return true;
	if (timestamp2tm(*stamp, t->tz ? &offset : NULL, tm, &fsec, NULL, t->tz) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return true;
}

static int
part_number(DmpTimePart part, const struct pg_tm *tm)
{
	int day;

	switch (part)
	{
		case DMP_PART_YEAR:
			return tm->tm_year;
		case DMP_PART_QUARTER:
			return (tm->tm_mon - 1) / 3 + 1;
		case DMP_PART_MONTH:
			return tm->tm_mon;
		case DMP_PART_DAY:
			return tm->tm_mday;
		case DMP_PART_DAY_OF_WEEK:
			day = j2day(date2j(tm->tm_year, tm->tm_mon, tm->tm_mday));
			return day == 0 ? 7 : day;
		case DMP_PART_HOUR:
			return tm->tm_hour;
		case DMP_PART_MINUTE:
			return tm->tm_min;
		case DMP_PART_EPOCH:
			break;
	}
	return 0;
}

/* ---------------------------------------------------------------- a value */

static double
signed_log(double x)
{
	return ((x > 0) - (x < 0)) * log(1.0 + fabs(x));
}

/* the slope's number where its text is the one it is for, else 0 */
static bool
slope_value(const DmpTransform *t, const Datum *values, const bool *nulls, const Oid *types,
			double *x)
{
	const char *bytes;
	int length;
	bool applies;

	if (!raw_text(t, 1, values, nulls, types, &bytes, &length))
		applies = t->slope_of == DMP_SLOPE_MISSING;
	else if (t->slope_of == DMP_SLOPE_LEVEL)
		applies = strlen(t->level) == length && memcmp(t->level, bytes, length) == 0;
	else
		applies = t->slope_of == DMP_SLOPE_OTHER && find_level(t, bytes, length) < 0;
	if (!applies)
	{
		*x = 0;
		return true;
	}
	return raw_number(t, 0, values, nulls, types, x);
}

static bool
element_value(const DmpTransform *t, Datum value, Oid type, double *x)
{
	int n;
	double *numbers = dmp_value_numbers(value, type, &n);

	if (n != t->length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("column \"%s\" has %d elements, not %d", t->columns[0], n, t->length)));
	*x = numbers[t->element - 1];
	pfree(numbers);
	return !isnan(*x);
}

bool
dmp_transform_number(const DmpTransform *t, const Datum *values, const bool *nulls,
					 const Oid *types, int fold, DmpRowNotes *notes, double *x)
{
	double y;

	switch (t->kind)
	{
		case DMP_TRANSFORM_FILL:
			if (nulls[t->source[0]] && notes != NULL)
				notes->missing++;
			return raw_number(t, 0, values, nulls, types, x);
		case DMP_TRANSFORM_LOG:
			if (!raw_number(t, 0, values, nulls, types, x))
				return false;
			*x = signed_log(*x);
			return true;
		case DMP_TRANSFORM_WOE:
		case DMP_TRANSFORM_TARGET:
			*x = table_value(t, values, nulls, types, fold, notes);
			return true;
		case DMP_TRANSFORM_PRODUCT:
			if (!raw_number(t, 0, values, nulls, types, x) ||
				!raw_number(t, 1, values, nulls, types, &y))
				return false;
			*x *= y;
			return !isnan(*x);
		case DMP_TRANSFORM_SLOPE:
			return slope_value(t, values, nulls, types, x);
		case DMP_TRANSFORM_ELEMENT:
			return !nulls[t->source[0]] &&
				   element_value(t, values[t->source[0]], types[t->source[0]], x);
		case DMP_TRANSFORM_PART:
		{
			struct pg_tm tm;
			Timestamp stamp;

			if (!broken_down(t, values, nulls, types, &stamp, &tm))
				return false;
			if (t->part == DMP_PART_EPOCH)
				*x = (double) (stamp +
							   USECS_PER_DAY * (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) /
					 1000000.0;
			else
				*x = part_number(t->part, &tm);
			return true;
		}
		case DMP_TRANSFORM_LEVELS:
		case DMP_TRANSFORM_BINS:
		case DMP_TRANSFORM_PAIR:
			break;
	}
	elog(ERROR, "transform %d gives no number", (int) t->kind);
	return false;
}

bool
dmp_transform_text(const DmpTransform *t, const Datum *values, const bool *nulls, const Oid *types,
				   DmpRowNotes *notes, Datum *text)
{
	const char *bytes;
	const char *more;
	int length;
	int more_length;
	double x;

	switch (t->kind)
	{
		case DMP_TRANSFORM_FILL:
			if (nulls[t->source[0]] && notes != NULL)
				notes->missing++;
			if (!raw_text(t, 0, values, nulls, types, &bytes, &length))
				return false;
			*text = PointerGetDatum(cstring_to_text_with_len(bytes, length));
			return true;
		case DMP_TRANSFORM_LEVELS:
			if (!raw_number(t, 0, values, nulls, types, &x))
				return false;
			*text = CStringGetTextDatum(dmp_number_level(x == 0 ? 0 : x));
			return true;
		case DMP_TRANSFORM_BINS:
			if (!raw_number(t, 0, values, nulls, types, &x))
				return false;
			*text = t->labels[dmp_bin_of(t->edges, t->nedges, x)];
			return true;
		case DMP_TRANSFORM_PAIR:
			if (!raw_text(t, 0, values, nulls, types, &bytes, &length) ||
				!raw_text(t, 1, values, nulls, types, &more, &more_length))
				return false;
			*text = CStringGetTextDatum(
				psprintf("%.*s%s%.*s", length, bytes, PAIR_SEPARATOR, more_length, more));
			return true;
		case DMP_TRANSFORM_PART:
		{
			struct pg_tm tm;
			Timestamp stamp;

			if (!broken_down(t, values, nulls, types, &stamp, &tm))
				return false;
			*text = CStringGetTextDatum(psprintf(
				t->part == DMP_PART_QUARTER || t->part == DMP_PART_DAY_OF_WEEK ? "%d" : "%02d",
				part_number(t->part, &tm)));
			return true;
		}
		case DMP_TRANSFORM_LOG:
		case DMP_TRANSFORM_WOE:
		case DMP_TRANSFORM_TARGET:
		case DMP_TRANSFORM_PRODUCT:
		case DMP_TRANSFORM_SLOPE:
		case DMP_TRANSFORM_ELEMENT:
			break;
	}
	elog(ERROR, "transform %d gives no text", (int) t->kind);
	return false;
}

/* ------------------------------------------------------------------- rows */

static void
unpack_arrays(const DmpDesign *design, const Datum *values, const bool *nulls, const Oid *types)
{
	int i;

	for (i = 0; i < design->nsources; i++)
	{
		DmpSource *source = &design->sources[i];
		int n;

		if (source->kind != DMP_VALUE_NUMBERS)
			continue;
		source->numbers = nulls[i] ? NULL : dmp_value_numbers(values[i], types[i], &n);
		if (source->numbers != NULL && n != source->length)
			ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
							errmsg("column \"%s\" has %d elements, not %d", source->name, n,
								   source->length),
							errdetail("The model was trained on arrays of %d.", source->length)));
	}
}

void
dmp_transform_row(const DmpDesign *design, const Datum **values, const bool **nulls,
				  const Oid **types, DmpRowNotes *notes)
{
	DmpFeatureRow *row = design->row;
	int i;

	if (design->has_arrays)
		unpack_arrays(design, *values, *nulls, *types);
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];
		const DmpTransform *t = feature->transform;
		double x;

		if (t == NULL)
		{
			row->values[i] = (*values)[feature->source];
			row->nulls[i] = (*nulls)[feature->source];
			row->types[i] = (*types)[feature->source];
		}
		else if (t->kind == DMP_TRANSFORM_ELEMENT)
		{
			const double *numbers = design->sources[t->source[0]].numbers;

			row->types[i] = FLOAT8OID;
			row->nulls[i] = numbers == NULL;
			row->values[i] = Float8GetDatum(numbers ? numbers[t->element - 1] : 0);
		}
		else if (t->text)
		{
			row->types[i] = TEXTOID;
			row->nulls[i] = !dmp_transform_text(t, *values, *nulls, *types, notes, &row->values[i]);
		}
		else
		{
			row->types[i] = FLOAT8OID;
			row->nulls[i] = !dmp_transform_number(t, *values, *nulls, *types, -1, notes, &x);
			row->values[i] = Float8GetDatum(row->nulls[i] ? 0 : x);
		}
	}
	*values = row->values;
	*nulls = row->nulls;
	*types = row->types;
}

/* number of the source of that name, made when there is none */
static int
source_of(DmpDesign *design, char *name, DmpValueKind kind, int length)
{
	DmpSource *source;
	int i;

	for (i = 0; i < design->nsources; i++)
	{
		source = &design->sources[i];
		if (strcmp(source->name, name) != 0)
			continue;
		if (source->kind != kind || source->length != length)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), errmsg("this is no model value"),
					 errdetail("Column \"%s\" is of two kinds.", name)));
		return i;
	}
	source = &design->sources[design->nsources++];
	memset(source, 0, sizeof(*source));
	source->name = name;
	source->kind = kind;
	source->length = length;
	design->has_arrays |= kind == DMP_VALUE_NUMBERS;
	return i;
}

void
dmp_design_find_sources(DmpDesign *design)
{
	int n = Max(design->nfeatures, 1);
	int i;
	int k;

	design->nsources = 0;
	design->transformed = design->has_arrays = false;
	design->sources = palloc0(sizeof(DmpSource) * n * DMP_MAX_COLUMNS);
	for (i = 0; i < design->nfeatures; i++)
		design->transformed |= design->features[i].transform != NULL;
	for (i = 0; i < design->nfeatures; i++)
	{
		DmpFeature *feature = &design->features[i];
		DmpTransform *t = feature->transform;

		if (!design->transformed)
		{
			/* one to one, and names are known to differ */
			feature->source = i;
			design->sources[i].name = feature->name;
			design->sources[i].kind = dmp_encode_kind(feature->encode);
			design->nsources++;
		}
		else if (t == NULL)
			feature->source = source_of(design, feature->name, dmp_encode_kind(feature->encode), 0);
		else
		{
			for (k = 0; k < t->ncolumns; k++)
				t->source[k] = source_of(design, t->columns[k], t->kinds[k], t->length);
			feature->source = t->source[0];
		}
	}
	if (!design->transformed)
		return;
	design->row = palloc0(sizeof(DmpFeatureRow));
	design->row->values = palloc0(sizeof(Datum) * n);
	design->row->nulls = palloc0(sizeof(bool) * n);
	design->row->types = palloc0(sizeof(Oid) * n);
}

int
dmp_feature_elements(const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;

	return t != NULL && t->kind == DMP_TRANSFORM_ELEMENT && t->element == 1 ? t->length : 0;
}

const char *
dmp_design_zone(const DmpDesign *design, const DmpSource *source)
{
	int i;

	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpTransform *t = design->features[i].transform;

		if (t != NULL && t->zone != NULL && strcmp(t->columns[0], source->name) == 0)
			return t->zone;
	}
	return "UTC";
}

/* ------------------------------------------------------ in the SELECT of a fit */

typedef struct EncodeCall
{
	DmpTransform *transform;
	Oid types[DMP_MAX_COLUMNS];
	Datum values[DMP_MAX_COLUMNS];
	bool nulls[DMP_MAX_COLUMNS];
} EncodeCall;

/* arguments: transform as json, fold, columns */
static EncodeCall *
encode_call(FunctionCallInfo fcinfo)
{
	EncodeCall *call = fcinfo->flinfo->fn_extra;
	int i;

	if (call == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (PG_ARGISNULL(0) || get_fn_expr_variadic(fcinfo->flinfo))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("this function is called by fits only")));
		call = palloc0(sizeof(EncodeCall));
		call->transform =
			dmp_transform_read(dmp_doc_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), "transform"));
		if (PG_NARGS() - 2 != call->transform->ncolumns)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the transform is of %d columns, not %d",
								   call->transform->ncolumns, PG_NARGS() - 2)));
		for (i = 0; i < call->transform->ncolumns; i++)
		{
			call->transform->source[i] = i;
			call->types[i] = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, i + 2));
			if (dmp_value_kind(call->types[i]) != call->transform->kinds[i])
				ereport(ERROR,
						(errcode(ERRCODE_DATATYPE_MISMATCH),
						 errmsg("column \"%s\" is of another type", call->transform->columns[i])));
		}
		fcinfo->flinfo->fn_extra = call;
		MemoryContextSwitchTo(old);
	}
	for (i = 0; i < call->transform->ncolumns; i++)
	{
		call->nulls[i] = PG_ARGISNULL(i + 2);
		call->values[i] = PG_GETARG_DATUM(i + 2);
	}
	return call;
}

/* dmp_internal.encode_number(transform, fold, columns): what a transform makes of a row */
Datum
dmp_encode_number(PG_FUNCTION_ARGS)
{
	EncodeCall *call = encode_call(fcinfo);
	double x;

	if (call->transform->text ||
		!dmp_transform_number(call->transform, call->values, call->nulls, call->types,
							  PG_ARGISNULL(1) ? -1 : PG_GETARG_INT32(1), NULL, &x))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(x);
}

/* the same of those that give a text */
Datum
dmp_encode_text(PG_FUNCTION_ARGS)
{
	EncodeCall *call = encode_call(fcinfo);
	Datum text;

	if (!call->transform->text ||
		!dmp_transform_text(call->transform, call->values, call->nulls, call->types, NULL, &text))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(text);
}

/*
 * dmp_internal.numbers(value, length, column_name): an array of numbers as
 * float8[] of that length, what is missing as NaN.
 */
Datum
dmp_numbers(PG_FUNCTION_ARGS)
{
	int length = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	ArrayType *result;
	double *numbers;
	Size size;
	int n;
	int i;

	if (length < 1 || length > DMP_MAX_ELEMENTS || PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("this function is called by fits only")));
	size = ARR_OVERHEAD_NONULLS(1) + sizeof(double) * length;
	result = palloc0(size);
	SET_VARSIZE(result, size);
	result->ndim = 1;
	result->elemtype = FLOAT8OID;
	ARR_DIMS(result)[0] = length;
	ARR_LBOUND(result)[0] = 1;
	if (PG_ARGISNULL(0))
	{
		for (i = 0; i < length; i++)
			((double *) ARR_DATA_PTR(result))[i] = NAN;
		PG_RETURN_ARRAYTYPE_P(result);
	}
	numbers = dmp_value_numbers(PG_GETARG_DATUM(0),
								getBaseType(get_fn_expr_argtype(fcinfo->flinfo, 0)), &n);
	if (n != length)
	{
		dmp_error_alone();
		ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
						errmsg("column \"%s\" has arrays of %d and of %d elements",
							   text_to_cstring(PG_GETARG_TEXT_PP(2)), length, n),
						errhint("All must have the same length; NULL is a missing array.")));
	}
	memcpy(ARR_DATA_PTR(result), numbers, sizeof(double) * n);
	PG_RETURN_ARRAYTYPE_P(result);
}
