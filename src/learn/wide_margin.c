/*-------------------------------------------------------------------------
 * wide_margin.c
 *		Margins of models with hashed columns or several classes.
 *
 * The counterpart of wide_scan.c and wide_columns.c at scoring: the same
 * tokeniser, the same weights, rounded to float4 where training rounds them.
 *-------------------------------------------------------------------------
 */
#include "learn/wide.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* a direct table of more buckets than this is not worth its memory */
#define LOOKUP_BITS 20

float
dmp_gram_weight(float count, float factor)
{
	return (float) (sqrt((double) count) * factor);
}

int
dmp_text_elements(Datum array, Datum **elements)
{
	ArrayType *a = DatumGetArrayTypeP(array);
	bool *nulls;
	int n;
	int kept = 0;
	int i;

	deconstruct_array(a, TEXTOID, -1, false, TYPALIGN_INT, elements, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		if (!nulls[i])
			(*elements)[kept++] = (*elements)[i];
	}
	return kept;
}

/* ------------------------------------------------------------- buckets */

static void
make_lookup(const DmpModel *model, const DmpFeature *feature, DmpHashBlock *block)
{
	Size size = (Size) 1 << feature->bits;
	int32 *lookup = MemoryContextAllocHuge(model->context, sizeof(int32) * size);
	int i;

	memset(lookup, -1, sizeof(int32) * size);
	for (i = 0; i < block->n; i++)
		lookup[block->buckets[i]] = i;
	block->lookup = lookup;
}

/* place of a bucket in the block, -1: it has no column */
static int
find_bucket(const DmpModel *model, const DmpFeature *feature, DmpHashBlock *block, uint32 bucket)
{
	int low = 0;
	int high = block->n - 1;

	if (feature->bits <= LOOKUP_BITS)
	{
		if (unlikely(block->lookup == NULL))
			make_lookup(model, feature, block);
		return block->lookup[bucket];
	}
	while (low <= high)
	{
		int middle = low + (high - low) / 2;

		if (block->buckets[middle] == bucket)
			return middle;
		if (block->buckets[middle] < bucket)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

static void
add_wide(const DmpModel *model, int column, double f, double *margins)
{
	int n = Max(model->nclasses, 1);
	const float *b = model->wide + (Size) column * n;
	int k;

	for (k = 0; k < n; k++)
		margins[k] += f * b[k];
}

static void
add_column(const DmpModel *model, int column, double f, double *margins)
{
	int n = Max(model->nclasses, 1);
	const double *b = model->coef + (Size) column * n;
	int k;

	/* 0 times infinity is no number: a column without weight is left out */
	for (k = 0; k < n; k++)
	{
		if (b[k] != 0)
			margins[k] += f * b[k];
	}
}

/* ---------------------------------------------------------------- texts */

static DmpTokenizer *
tokenizer(void)
{
	static DmpTokenizer *kept = NULL;

	if (kept == NULL)
		kept = dmp_tokenizer_make(
			AllocSetContextCreate(TopMemoryContext, "dmp tokenizer", ALLOCSET_DEFAULT_SIZES));
	return kept;
}

static void
add_grams(const DmpModel *model, const DmpFeature *feature, const char *text, int length,
		  DmpRowNotes *notes, double *margins)
{
	DmpTokenizer *t = tokenizer();
	int b;
	int k;

	dmp_tokenize(t, text, length, feature->bits);
	for (b = 0; b < feature->nblocks && b < DMP_TEXT_BLOCKS; b++)
	{
		DmpHashBlock *block = &feature->blocks[b];
		DmpGrams *grams = &t->blocks[b];
		double squares = 0;
		double norm;
		int kept = 0;

		/* what has no column is dropped first, as it was before training rows were normalised */
		for (k = 0; k < grams->n; k++)
		{
			int place = find_bucket(model, feature, block, grams->grams[k].bucket);
			float value;

			if (place < 0)
				continue;
			value =
				dmp_gram_weight(grams->grams[k].count, block->factor ? block->factor[place] : 1);
			squares += (double) value * value;
			/* the gram is not needed any more: its slot keeps what follows from it */
			grams->grams[kept].bucket = place;
			grams->grams[kept++].count = value;
		}
		if (notes != NULL)
			notes->unseen += kept == 0 && grams->n > 0;
		norm = sqrt(squares);
		for (k = 0; k < kept; k++)
			add_wide(model, block->first + (int) grams->grams[k].bucket,
					 (float) (grams->grams[k].count / norm), margins);
	}
}

static void
add_value(const DmpModel *model, const DmpFeature *feature, const char *text, int length,
		  DmpRowNotes *notes, double *margins)
{
	DmpHashBlock *block = &feature->blocks[0];
	int place = find_bucket(model, feature, block, dmp_value_bucket(text, length, feature->bits));

	if (place >= 0)
		add_wide(model, block->first + place, 1, margins);
	else if (notes != NULL)
		notes->unseen++;
}

static void
add_elements(const DmpModel *model, const DmpFeature *feature, Datum array, DmpRowNotes *notes,
			 double *margins)
{
	Datum *elements;
	int n = dmp_text_elements(array, &elements);
	uint32 *seen = palloc(sizeof(uint32) * Max(n, 1));
	int nseen = 0;
	int i;
	int k;

	for (i = 0; i < n; i++)
	{
		int length;
		const char *text = dmp_value_text(elements[i], TEXTOID, &length);
		uint32 bucket = dmp_value_bucket(text, length, feature->bits);

		for (k = 0; k < nseen && seen[k] != bucket; k++)
			;
		if (k < nseen)
			continue;
		seen[nseen++] = bucket;
		add_value(model, feature, text, length, notes, margins);
	}
	pfree(seen);
}

/* ------------------------------------------------------------------ rows */

static void
add_feature(const DmpModel *model, const DmpFeature *feature, Datum value, bool missing, Oid type,
			DmpRowNotes *notes, double *margins)
{
	const char *text;
	int length;

	switch (feature->encode)
	{
		case DMP_ENCODE_NUMERIC:
		case DMP_ENCODE_BOOLEAN:
		{
			double x = missing ? NAN : dmp_value_number(value, type);

			missing = isnan(x);
			if (feature->index >= 0)
				add_column(model, feature->index,
						   (missing ? feature->fill : x) - model->design.pivot[feature->index],
						   margins);
			break;
		}
		case DMP_ENCODE_ONE_HOT:
			if (!missing)
			{
				bool unseen = false;
				int j;

				text = dmp_value_text(value, type, &length);
				j = dmp_level_column(feature, text, length, &unseen);
				if (j >= 0)
					add_column(model, j, 1, margins);
				if (notes != NULL)
					notes->unseen += unseen;
			}
			break;
		case DMP_ENCODE_NGRAMS:
		case DMP_ENCODE_HASH:
			if (!missing)
			{
				text = dmp_value_text(value, type, &length);
				if (feature->encode == DMP_ENCODE_NGRAMS)
					add_grams(model, feature, text, length, notes, margins);
				else
					add_value(model, feature, text, length, notes, margins);
			}
			break;
		case DMP_ENCODE_MULTI_HOT:
			if (!missing)
				add_elements(model, feature, value, notes, margins);
			break;
	}
	if (missing && feature->missing_index >= 0)
		add_column(model, feature->missing_index, 1, margins);
	if (missing && notes != NULL)
		notes->missing++;
}

void
dmp_model_margins(const DmpModel *model, const Datum *values, const bool *nulls, const Oid *types,
				  DmpRowNotes *notes, double *margins)
{
	int n = Max(model->nclasses, 1);
	int i;

	if (!model->general)
	{
		margins[0] = dmp_model_margin(model, values, nulls, types, notes);
		return;
	}
	if (model->design.transformed)
		dmp_transform_row(&model->design, &values, &nulls, &types, notes);
	if (model->nclasses > 0)
		memcpy(margins, model->intercepts, sizeof(double) * n);
	else
		margins[0] = model->a;
	for (i = 0; i < model->design.nfeatures; i++)
		add_feature(model, &model->design.features[i], values[i], nulls[i], types[i], notes,
					margins);
	for (i = 0; i < n; i++)
	{
		if (unlikely(isnan(margins[i])))
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("the margin of a row is not a number"),
							errdetail("Infinite values pull it in opposite directions.")));
	}
}

void
dmp_model_refuse_classes(const DmpModel *model)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("the model tells %d classes of \"%s\" apart: a row has no one score",
						   model->nclasses, model->target),
					errhint("Use dmp.classify or dmp.class_probabilities.")));
}

void
dmp_model_refuse_wide(const DmpModel *model, const char *what)
{
	if (model->nclasses > 0)
		dmp_model_refuse_classes(model);
	dmp_model_refuse_hashed(model, what);
}

void
dmp_model_refuse_hashed(const DmpModel *model, const char *what)
{
	int i;

	for (i = 0; i < model->design.nfeatures; i++)
	{
		if (DMP_ENCODE_IS_WIDE(model->design.features[i].encode))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("%s cannot be made of a model with hashed columns", what),
					 errdetail("Feature \"%s\" is hashed.", model->design.features[i].name)));
	}
}

int
dmp_model_softmax(int nclasses, double *margins)
{
	double sum = 0;
	double high;
	int best = 0;
	int k;

	for (k = 1; k < nclasses; k++)
		best = margins[k] > margins[best] ? k : best;
	high = margins[best];
	for (k = 0; k < nclasses; k++)
	{
		margins[k] = isinf(high) ? (margins[k] == high) : exp(margins[k] - high);
		sum += margins[k];
	}
	for (k = 0; k < nclasses; k++)
		margins[k] /= sum;
	return best;
}
