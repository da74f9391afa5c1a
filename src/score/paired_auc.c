/*-------------------------------------------------------------------------
 * paired_auc.c
 *		roc_auc of two scores of the same rows, and DeLong's variance of their
 *		difference.
 *
 * DeLong, DeLong and Clarke-Pearson 1988. The placement of a positive is the
 * share of negatives below it, that of a negative the share of positives above
 * it, ties one half (mid-ranks); the auc is the mean placement of the
 * positives, and with d the difference of a row's placements under the two
 * scores
 *
 *		var(auc_a - auc_b) = var(d of positives) / np + var(d of negatives) / nn
 *
 * The rows are sorted by the first score, which gives each its first
 * placement, go on into a second sort by the second score, and come out of it
 * with both. Both sorts are the server's: they share dmp.training_memory and
 * go on in temporary files past it. A run of ties is read twice, once to weigh
 * it and once to place it.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "learn/learn.h"
#include "score/paired.h"
#include "utils/tuplesort.h"

/* columns of a row on its way: the score it is sorted by, what comes along, label, weight */
enum
{
	AT_KEY,
	AT_OTHER, /* the second score; after the first sort the first placement */
	AT_LABEL,
	AT_WEIGHT,
	AT_COLUMNS
};

struct DmpPairedAuc
{
	TupleDesc desc;
	TupleTableSlot *in;
	TupleTableSlot *out;
	Tuplesortstate *sort;
	double total[2]; /* weights of negatives and positives */
	uint64 rows[2];
	bool weighted;
};

static Tuplesortstate *
begin_sort(TupleDesc desc)
{
	AttrNumber key = AT_KEY + 1;
	Oid operator= Float8LessOperator;
	Oid collation = InvalidOid;
	bool nulls_first = false;

	return tuplesort_begin_heap(desc, 1, &key, &operator, & collation, &nulls_first,
								Max(64, dmp_training_memory / 2), NULL, TUPLESORT_RANDOMACCESS);
}

DmpPairedAuc *
dmp_paired_auc_begin(void)
{
	DmpPairedAuc *pairs = palloc0(sizeof(DmpPairedAuc));
	int i;

	pairs->desc = CreateTemplateTupleDesc(AT_COLUMNS);
	for (i = 1; i <= AT_COLUMNS; i++)
		TupleDescInitEntry(pairs->desc, (AttrNumber) i, NULL, FLOAT8OID, -1, 0);
	pairs->in = MakeSingleTupleTableSlot(pairs->desc, &TTSOpsVirtual);
	pairs->out = MakeSingleTupleTableSlot(pairs->desc, &TTSOpsMinimalTuple);
	pairs->sort = begin_sort(pairs->desc);
	return pairs;
}

static void
put(DmpPairedAuc *pairs, Tuplesortstate *sort, double key, double other, double label,
	double weight)
{
	const double values[AT_COLUMNS] = {key, other, label, weight};
	int i;

	ExecClearTuple(pairs->in);
	for (i = 0; i < AT_COLUMNS; i++)
	{
		pairs->in->tts_values[i] = Float8GetDatum(values[i]);
		pairs->in->tts_isnull[i] = false;
	}
	ExecStoreVirtualTuple(pairs->in);
	tuplesort_puttupleslot(sort, pairs->in);
}

void
dmp_paired_auc_add(DmpPairedAuc *pairs, double a, double b, int label, double weight)
{
	put(pairs, pairs->sort, a, b, label, weight);
	pairs->total[label] += weight;
	pairs->rows[label]++;
	pairs->weighted |= weight != 1;
}

/* the next row of a sort; false at its end */
static bool
next(DmpPairedAuc *pairs, Tuplesortstate *sort, double *row)
{
	int i;

	CHECK_FOR_INTERRUPTS();
	if (!tuplesort_gettupleslot(sort, true, false, pairs->out, NULL))
		return false;
	slot_getallattrs(pairs->out);
	for (i = 0; i < AT_COLUMNS; i++)
		row[i] = DatumGetFloat8(pairs->out->tts_values[i]);
	return true;
}

/* Takes each row of a sort, lowest key first, with its placement. */
static void
place_rows(DmpPairedAuc *pairs, Tuplesortstate *sort,
		   void (*take)(DmpPairedAuc *pairs, const double *row, double place, void *arg), void *arg)
{
	double below[2] = {0, 0};
	double row[AT_COLUMNS];
	bool more;

	tuplesort_performsort(sort);
	tuplesort_markpos(sort);
	more = next(pairs, sort, row);
	while (more)
	{
		double key = row[AT_KEY];
		double tie[2] = {0, 0};
		uint64 n = 0;

		while (more && row[AT_KEY] == key)
		{
			tie[(int) row[AT_LABEL]] += row[AT_WEIGHT];
			n++;
			more = next(pairs, sort, row);
		}
		tuplesort_restorepos(sort);
		for (; n > 0; n--)
		{
			int label;

			(void) next(pairs, sort, row);
			label = (int) row[AT_LABEL];
			if (label == 1)
				take(pairs, row, (below[0] + tie[0] / 2) / pairs->total[0], arg);
			else
				take(pairs, row, 1 - (below[1] + tie[1] / 2) / pairs->total[1], arg);
		}
		below[0] += tie[0];
		below[1] += tie[1];
		tuplesort_markpos(sort);
		more = next(pairs, sort, row);
	}
}

static void
into_second(DmpPairedAuc *pairs, const double *row, double place, void *arg)
{
	put(pairs, arg, row[AT_OTHER], place, row[AT_LABEL], row[AT_WEIGHT]);
}

typedef struct Sums
{
	DmpPaired d[2]; /* differences of the placements of negatives and positives */
} Sums;

static void
into_sums(DmpPairedAuc *pairs, const double *row, double place, void *arg)
{
	Sums *sums = arg;
	int label = (int) row[AT_LABEL];

	dmp_paired_add(&sums->d[label], row[AT_OTHER], place, row[AT_WEIGHT]);
}

void
dmp_paired_auc_end(DmpPairedAuc *pairs, double *a, double *b, double *difference, double *se)
{
	Sums sums;
	Tuplesortstate *second;

	memset(&sums, 0, sizeof(sums));
	*a = *b = *difference = *se = NAN;
	if (pairs->rows[0] > 0 && pairs->rows[1] > 0)
	{
		second = begin_sort(pairs->desc);
		place_rows(pairs, pairs->sort, into_second, second);
		tuplesort_end(pairs->sort);
		pairs->sort = second;
		place_rows(pairs, second, into_sums, &sums);
		*a = sums.d[1].mean_a;
		*b = sums.d[1].mean_b;
		*difference = sums.d[1].mean;
		if (pairs->rows[0] > 1 && pairs->rows[1] > 1 && !pairs->weighted)
			*se = sqrt(dmp_paired_variance(&sums.d[0]) + dmp_paired_variance(&sums.d[1]));
	}
	tuplesort_end(pairs->sort);
	ExecDropSingleTupleTableSlot(pairs->in);
	ExecDropSingleTupleTableSlot(pairs->out);
}
