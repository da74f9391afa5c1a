/*-------------------------------------------------------------------------
 * margin.c
 *		How one row becomes a margin and a probability or mean.
 *
 * The one place where a fitted model meets a row: dmp.predict, dmp.score and
 * dmp.evaluate all come through here, so a row scores as it was trained on.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/segments.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

DmpValueKind
dmp_value_kind(Oid type)
{
	type = getBaseType(type);
	if (dmp_type_is_number(type))
		return DMP_VALUE_NUMBER;
	switch (type)
	{
		case BOOLOID:
			return DMP_VALUE_BOOLEAN;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return DMP_VALUE_TEXT;
		case TEXTARRAYOID:
		case VARCHARARRAYOID:
			return DMP_VALUE_TEXTS;
		case TIMESTAMPOID:
		case DATEOID:
			return DMP_VALUE_TIMESTAMP;
		case TIMESTAMPTZOID:
			return DMP_VALUE_TIMESTAMPTZ;
		case INT2ARRAYOID:
		case INT4ARRAYOID:
		case INT8ARRAYOID:
		case FLOAT4ARRAYOID:
		case FLOAT8ARRAYOID:
		case NUMERICARRAYOID:
			return DMP_VALUE_NUMBERS;
		default:
			return type_is_enum(getBaseType(type)) ? DMP_VALUE_TEXT : DMP_VALUE_OTHER;
	}
}

DmpValueKind
dmp_encode_kind(DmpEncode encode)
{
	switch (encode)
	{
		case DMP_ENCODE_NUMERIC:
			return DMP_VALUE_NUMBER;
		case DMP_ENCODE_BOOLEAN:
			return DMP_VALUE_BOOLEAN;
		case DMP_ENCODE_ONE_HOT:
		case DMP_ENCODE_NGRAMS:
		case DMP_ENCODE_HASH:
			return DMP_VALUE_TEXT;
		case DMP_ENCODE_MULTI_HOT:
			return DMP_VALUE_TEXTS;
	}
	return DMP_VALUE_OTHER;
}

const char *
dmp_value_kind_name(DmpValueKind kind)
{
	static const char *const names[] = {"a number",
										"a boolean",
										"a text",
										"an array of texts",
										"a timestamp",
										"a timestamp with time zone",
										"an array of numbers",
										"something else"};

	return names[kind];
}

/* The bytes of a text value; blanks that pad a bpchar are no part of it. */
const char *
dmp_value_text(Datum value, Oid type, int *length)
{
	const char *bytes;

	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		{
			struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

			bytes = VARDATA_ANY(text);
			*length = VARSIZE_ANY_EXHDR(text);
			if (type == BPCHAROID)
			{
				while (*length > 0 && bytes[*length - 1] == ' ')
					(*length)--;
			}
			return bytes;
		}
		case NAMEOID:
			bytes = NameStr(*DatumGetName(value));
			break;
		default: /* an enum */
			bytes = DatumGetCString(DirectFunctionCall1(enum_out, value));
			break;
	}
	*length = strlen(bytes);
	return bytes;
}

double *
dmp_value_numbers(Datum value, Oid type, int *n)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Oid element = ARR_ELEMTYPE(array);
	double *numbers;
	Datum *values;
	bool *nulls;
	int16 length;
	bool byval;
	char align;
	int i;

	if (ARR_NDIM(array) > 1)
	{
		dmp_error_alone();
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("an array of numbers must have one dimension, not %d", ARR_NDIM(array))));
	}
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	numbers = palloc(sizeof(double) * Max(*n, 1));
	if (element == FLOAT8OID && !ARR_HASNULL(array))
		memcpy(numbers, ARR_DATA_PTR(array), sizeof(double) * *n);
	else if (element == FLOAT4OID && !ARR_HASNULL(array))
	{
		for (i = 0; i < *n; i++)
			numbers[i] = ((float *) ARR_DATA_PTR(array))[i];
	}
	else
	{
		get_typlenbyvalalign(element, &length, &byval, &align);
		deconstruct_array(array, element, length, byval, align, &values, &nulls, n);
		for (i = 0; i < *n; i++)
			numbers[i] = nulls[i] ? NAN : dmp_value_number(values[i], element);
		pfree(values);
		pfree(nulls);
	}
	if ((Pointer) array != DatumGetPointer(value))
		pfree(array);
	return numbers;
}

/* Design column of a level, -1: the reference; *unseen: no level of the model. */
int
dmp_level_column(const DmpFeature *feature, const char *bytes, int length, bool *unseen)
{
	int low = 0;
	int high = feature->nlevels - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		const char *text = feature->levels[middle].text;
		int c = strncmp(text, bytes, length);

		if (c == 0 && text[length] != '\0')
			c = 1;
		if (c == 0)
			return feature->levels[middle].index;
		if (c < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	*unseen = true;
	return feature->other_index;
}

double
dmp_model_margin(const DmpModel *model, const Datum *values, const bool *nulls, const Oid *types,
				 DmpRowNotes *notes)
{
	const double *coef = model->coef;
	const double *pivot = model->design.pivot;
	const double *own = NULL; /* numbers of the row's segment */
	double margin = model->a;
	int i;

	if (unlikely(model->general))
	{
		if (model->nclasses > 0)
			dmp_model_refuse_classes(model);
		dmp_model_margins(model, values, nulls, types, notes, &margin);
		return margin;
	}
	if (model->segments != NULL)
	{
		own = dmp_segment_numbers(model, values, nulls, types);
		if (own != NULL)
		{
			margin = own[0];
			coef = own + 1;
		}
	}
	if (model->design.transformed)
		dmp_transform_row(&model->design, &values, &nulls, &types, notes);

	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];
		bool missing = nulls[i];
		int j;

		if (feature->encode == DMP_ENCODE_ONE_HOT)
		{
			bool unseen = false;

			if (missing)
				j = feature->missing_index;
			else
			{
				int length;
				const char *bytes = dmp_value_text(values[i], types[i], &length);

				j = dmp_level_column(feature, bytes, length, &unseen);
			}
			if (j >= 0)
				margin += coef[j];
			if (notes != NULL)
			{
				notes->missing += missing;
				notes->unseen += unseen;
			}
			continue;
		}
		else
		{
			double x = 0;

			if (!missing)
			{
				x = dmp_value_number(values[i], types[i]);
				missing = isnan(x);
			}
			if (unlikely(missing))
			{
				x = feature->fill;
				if (own != NULL && model->segments->fill_place[i] >= 0)
					x = own[1 + model->segments->width + model->segments->fill_place[i]];
			}
			j = feature->index;
			/* 0 times infinity is no number: a column without weight is left out */
			if (j >= 0 && coef[j] != 0)
				margin += coef[j] * (x - pivot[j]);
			if (missing)
			{
				if (feature->missing_index >= 0)
					margin += coef[feature->missing_index];
				if (notes != NULL)
					notes->missing++;
			}
		}
	}
	if (unlikely(isnan(margin)))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("the margin of a row is not a number"),
						errdetail("Two infinite values pull it in opposite directions.")));
	return margin;
}

int
dmp_model_inputs(const DmpModel *model)
{
	return model->design.nsources + (model->segments ? model->segments->nby : 0);
}

const char *
dmp_model_input(const DmpModel *model, int i)
{
	int n = model->design.nsources;

	return i < n ? model->design.sources[i].name : model->segments->names[i - n];
}

double
dmp_model_probability(double margin)
{
	return 1.0 / (1.0 + exp(-Max(-DMP_MARGIN_LIMIT, Min(DMP_MARGIN_LIMIT, margin))));
}

double
dmp_model_response(const DmpModel *model, double margin)
{
	switch (model->link)
	{
		case DMP_BINOMIAL:
			return dmp_model_probability(margin);
		case DMP_GAUSSIAN:
			return margin;
		case DMP_POISSON:
			return exp(Max(-DMP_MARGIN_LIMIT, Min(DMP_MARGIN_LIMIT, margin)));
	}
	return margin;
}

void
dmp_model_refuse_numbers(const DmpModel *model, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
					errmsg("%s needs a model of classes, this one is of family \"%s\"", what,
						   model->family),
					errdetail("Its target \"%s\" is a number.", model->target),
					errhint("dmp.predict gives its mean, dmp.evaluate its errors.")));
}

double
dmp_model_intercept(const DmpModel *model)
{
	double a = model->a;
	int j;

	for (j = 0; model->nclasses == 0 && j < model->design.width; j++)
		a -= model->coef[j] * model->design.pivot[j];
	return a;
}

DmpModel *
dmp_model_from_fit(const DmpFit *fit, const char *target, const char *positive,
				   const char *negative, char **classes)
{
	DmpModel *model = palloc0(sizeof(DmpModel));
	int i;
	int k;

	model->kind = "glm";
	model->link = fit->family;
	model->family = fit->nclasses > 0 ? "multinomial" : pstrdup(dmp_family_name(fit->family));
	model->nclasses = fit->nclasses;
	model->intercepts = fit->intercepts;
	model->wide_width = fit->wide_width;
	model->wide = fit->wide;
	model->general = fit->nclasses > 0;
	for (i = 0; i < fit->design.nfeatures; i++)
		model->general |= DMP_ENCODE_IS_WIDE(fit->design.features[i].encode);
	model->target = pstrdup(target);
	model->positive = pstrdup(positive ? positive : "");
	model->negative = pstrdup(negative ? negative : "");
	model->base_margin = fit->base_margin;
	if (fit->nclasses > 0)
	{
		model->classes = classes;
		model->positive = model->negative = "";
	}
	model->threshold = 0.5;
	model->design = fit->design;
	model->a = fit->a;
	model->coef = fit->coef;
	model->context = CurrentMemoryContext;
	/* indicators are stored without pivot, see check_design() in model.c */
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];

		for (k = -2; k < feature->nlevels; k++)
		{
			int j = k == -2   ? feature->missing_index
					: k == -1 ? (feature->encode == DMP_ENCODE_ONE_HOT ? feature->other_index : -1)
							  : feature->levels[k].index;

			if (j >= 0 && model->design.pivot[j] != 0)
			{
				model->a -= model->coef[j] * model->design.pivot[j];
				model->design.pivot[j] = 0;
			}
		}
	}
	dmp_design_find_sources(&model->design);
	return model;
}
