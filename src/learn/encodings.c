/*-------------------------------------------------------------------------
 * encodings.c
 *		The tables of a model's encoders, a row a bin or level.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/transform.h"

PG_FUNCTION_INFO_V1(dmp_encodings);

enum
{
	ENCODING_FEATURE,
	ENCODING_ENCODE,
	ENCODING_LEVEL,
	ENCODING_ROWS,
	ENCODING_RATE,
	ENCODING_VALUE,
	ENCODING_INFORMATION,
	ENCODING_COLUMNS
};

static char *
place_label(const DmpTransform *t, int i)
{
	if (i == t->nvalues)
		return "(missing)";
	if (i > t->nvalues)
		return "(other)";
	return t->nlevels > 0 ? t->levels[i] : dmp_bin_label(t->edges, t->nedges, i);
}

static void
set_float8(Datum *values, bool *nulls, int column, double value)
{
	nulls[column] = !isfinite(value);
	values[column] = Float8GetDatum(value);
}

/*
 * dmp_internal.encodings(value) -> (feature, encode, level, rows, rate, value,
 * information_value), bins in their order; rate: mean of the target there,
 * NULL without rows.
 */
Datum
dmp_encodings(PG_FUNCTION_ARGS)
{
	DmpModel *model;
	int i;
	int k;

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	model = dmp_model_from_json(
		dmp_model_value_json((DmpModelValue *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0))),
		CurrentMemoryContext);
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];
		const DmpTransform *t = feature->transform;

		for (k = 0; t != NULL && t->values != NULL && k < t->nvalues + 2; k++)
		{
			Datum values[ENCODING_COLUMNS];
			bool nulls[ENCODING_COLUMNS] = {false};

			if (k >= t->nvalues && t->rows[k] == 0)
				continue;
			values[ENCODING_FEATURE] = CStringGetTextDatum(feature->name);
			values[ENCODING_ENCODE] = CStringGetTextDatum(dmp_transform_name(t->kind));
			values[ENCODING_LEVEL] = CStringGetTextDatum(place_label(t, k));
			values[ENCODING_ROWS] = Int64GetDatum(t->rows[k]);
			set_float8(values, nulls, ENCODING_RATE, t->rate[k]);
			set_float8(values, nulls, ENCODING_VALUE, t->values[k]);
			set_float8(values, nulls, ENCODING_INFORMATION, t->information);
			dmp_srf_row(fcinfo, values, nulls);
		}
	}
	return (Datum) 0;
}
