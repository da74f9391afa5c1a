/*-------------------------------------------------------------------------
 * quick.c
 *		The margin of a row without the way through arrays of values.
 *
 * For a model of numbers and levels and rows of one type, what a feature adds
 * is compiled once into a term: where its value is found, of which type, the
 * coefficient, the pivot, and what is added when it is missing. The terms are
 * added in the order of dmp_model_margin(), so the sum is the same bit for
 * bit. Rows that need more than sums (a NaN, infinities that clash) come out
 * as NaN here and go that way instead; so do models that are more than that.
 *
 * Values are found in three places: the arguments of a call over columns, an
 * array of a deformed row, or at fixed offsets in the bytes of a record whose
 * columns are of fixed length.
 *
 * Measured (1M rows x 20 float8, CPU time, floor: reading the last column):
 * through arrays of values and types the 20 terms cost 160 ns a row, of which
 * 75 in the copies, the type switch and the checks of each; as terms 35 ns.
 * The chain of 20 dependent additions alone is 25 ns.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "score/score.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef struct LevelSlot
{
	const char *text; /* NULL: free */
	int length;
	double coef;
} LevelSlot;

typedef struct Term
{
	int place; /* of the value: argument, column or byte */
	Oid type;
	int16 length; /* of the type */
	bool by_value;
	double coef;
	double pivot;
	double missing[2]; /* added, one after the other, when there is no value */
	/* of a text: its levels by hash, and what is added for any other */
	LevelSlot *slots;
	uint32 mask;
	double other;
} Term;

struct DmpQuick
{
	double a;
	int n;
	bool all_float8;
	Term *terms;
};

typedef enum Source
{
	FROM_ARGS,
	FROM_COLUMNS,
	FROM_BYTES
} Source;

/* ------------------------------------------------------------ levels */

/* Levels differ near their ends more often than in between; equal hashes are told apart by bytes. */
static inline uint32
level_hash(const char *bytes, int length)
{
	uint64 first = 0;
	uint64 last = 0;

	if (length >= 8)
	{
		memcpy(&first, bytes, 8);
		memcpy(&last, bytes + length - 8, 8);
	}
	else if (length >= 4)
	{
		memcpy(&first, bytes, 4);
		memcpy(&last, bytes + length - 4, 4);
	}
	else if (length > 0)
		first = (uint64) (uint8) bytes[0] | (uint64) (uint8) bytes[length / 2] << 8 |
				(uint64) (uint8) bytes[length - 1] << 16;
	first = (first ^ (last * UINT64CONST(0x9E3779B97F4A7C15)) ^ (uint64) length) *
			UINT64CONST(0xD6E8FEB86659FD93);
	return (uint32) (first >> 32);
}

static void
make_levels(Term *term, const DmpModel *model, const DmpFeature *feature)
{
	uint32 size = 4;
	int k;

	while (size < 2 * (uint32) feature->nlevels)
		size *= 2;
	term->mask = size - 1;
	term->slots = palloc0(sizeof(LevelSlot) * size);
	term->other = feature->other_index >= 0 ? model->coef[feature->other_index] : 0;
	for (k = 0; k < feature->nlevels; k++)
	{
		const DmpLevel *level = &feature->levels[k];
		int length = strlen(level->text);
		uint32 at = level_hash(level->text, length) & term->mask;

		while (term->slots[at].text != NULL)
			at = (at + 1) & term->mask;
		term->slots[at].text = level->text;
		term->slots[at].length = length;
		term->slots[at].coef = level->index >= 0 ? model->coef[level->index] : 0;
	}
}

static double
level_coef(const Term *term, Datum value)
{
	int length;
	const char *bytes = dmp_value_text(value, term->type, &length);
	uint32 at = level_hash(bytes, length) & term->mask;

	for (; term->slots[at].text != NULL; at = (at + 1) & term->mask)
	{
		if (term->slots[at].length == length && memcmp(term->slots[at].text, bytes, length) == 0)
			return term->slots[at].coef;
	}
	return term->other;
}

/* ------------------------------------------------------------- terms */

/*
 * The terms of a model over rows whose feature i is at places[i] and of base
 * type types[i]; NULL when the model is more than a sum of them. Lives in
 * context, as long as the model does.
 */
DmpQuick *
dmp_quick_make(const DmpModel *model, const Oid *types, const int *places, MemoryContext context)
{
	MemoryContext old;
	DmpQuick *quick;
	int i;

	if (model->general || model->design.transformed || model->segments != NULL)
		return NULL;
	old = MemoryContextSwitchTo(context);
	quick = palloc0(sizeof(DmpQuick));
	quick->a = model->a;
	quick->all_float8 = true;
	quick->terms = palloc0(sizeof(Term) * Max(model->design.nfeatures, 1));
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];
		Term *term = &quick->terms[quick->n];
		double flag = feature->missing_index >= 0 ? model->coef[feature->missing_index] : 0;

		term->place = places[i];
		term->type = types[i];
		get_typlenbyval(types[i], &term->length, &term->by_value);
		if (feature->encode == DMP_ENCODE_ONE_HOT)
		{
			make_levels(term, model, feature);
			term->missing[0] = flag;
		}
		else
		{
			if (feature->index >= 0)
			{
				term->coef = model->coef[feature->index];
				term->pivot = model->design.pivot[feature->index];
			}
			if (term->coef == 0 && flag == 0)
				continue; /* nothing is ever added: not even looked at */
			term->missing[0] = term->coef * (feature->fill - term->pivot);
			term->missing[1] = flag;
		}
		quick->all_float8 &= term->slots == NULL && types[i] == FLOAT8OID;
		quick->n++;
	}
	MemoryContextSwitchTo(old);
	return quick;
}

static inline double
number_of(Datum value, Oid type)
{
	switch (type)
	{
		case FLOAT8OID:
			return DatumGetFloat8(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		default:
			return dmp_value_number(value, type);
	}
}

/* one copy for each constant source and all_float8 */
static pg_attribute_always_inline bool
sum_terms(const DmpQuick *quick, Source source, bool all_float8, const void *from,
		  const bool *nulls, double *margin)
{
	const Term *term = quick->terms;
	const Term *end = term + quick->n;
	double sum = quick->a;

	for (; term < end; term++)
	{
		Datum value;
		bool missing;

		if (source == FROM_ARGS)
		{
			const NullableDatum *arg = (const NullableDatum *) from + term->place;

			value = arg->value;
			missing = arg->isnull;
		}
		else if (source == FROM_COLUMNS)
		{
			value = ((const Datum *) from)[term->place];
			missing = nulls[term->place];
		}
		else
		{
			const char *bytes = (const char *) from + term->place;

			value = all_float8 ? *(const Datum *) bytes
							   : fetch_att(bytes, term->by_value, term->length);
			missing = false;
		}
		if (unlikely(missing))
			sum = sum + term->missing[0] + term->missing[1];
		else if (all_float8)
			sum += term->coef * (DatumGetFloat8(value) - term->pivot);
		else if (term->slots != NULL)
			sum += level_coef(term, value);
		else
			sum += term->coef * (number_of(value, term->type) - term->pivot);
	}
	*margin = sum;
	return likely(!isnan(sum));
}

/* The margin of a row; false: it is to be had from dmp_model_margin() only. */

bool
dmp_quick_args(const DmpQuick *quick, const NullableDatum *args, double *margin)
{
	if (quick->all_float8)
		return sum_terms(quick, FROM_ARGS, true, args, NULL, margin);
	return sum_terms(quick, FROM_ARGS, false, args, NULL, margin);
}

bool
dmp_quick_columns(const DmpQuick *quick, const Datum *columns, const bool *nulls, double *margin)
{
	return sum_terms(quick, FROM_COLUMNS, false, columns, nulls, margin);
}

/* bytes: the data of a tuple without NULLs, whose columns up to the last one needed are fixed */
bool
dmp_quick_bytes(const DmpQuick *quick, const char *bytes, double *margin)
{
	if (quick->all_float8)
		return sum_terms(quick, FROM_BYTES, true, bytes, NULL, margin);
	return sum_terms(quick, FROM_BYTES, false, bytes, NULL, margin);
}
