/*-------------------------------------------------------------------------
 * update_wide.c
 *		dmp.update_model of hashed columns and n-grams: rows, and FTRL-Proximal.
 *
 * A row becomes a sparse row of coordinates. Rows are gathered as memory
 * allows; then update_wide_fit.c learns from them together, or with option
 * "solver": "ftrl" this file from one after the other. FTRL-Proximal keeps z
 * and n of each coordinate (McMahan et al. 2013, "Ad Click Prediction: a View
 * from the Trenches", algorithm 1): n the sum of its squared gradients g, z the
 * sum of g - sigma w. Its coefficient, on the scale of the solver, is
 *
 *		w = 0 when |z| <= L1, else (sign(z) L1 - z) / ((beta + sqrt(n)) / rate + L2)
 *
 * Each new row is learned from once. Rows are taken in a random order, so that
 * a query sorted by its target does no harm.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "learn/update_wide.h"
#include "math/metrics.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define FETCH_ROWS 500

/* ----------------------------------------------------------- coordinates */

static int
new_coordinate(DmpWideUpdate *u, double factor)
{
	int c = u->n;

	if (c == u->room)
	{
		if (u->room > PG_INT32_MAX / 2)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("the model has too many coefficients")));
		u->room *= 2;
		u->w = repalloc_huge(u->w, sizeof(double) * u->room);
		u->z = repalloc_huge(u->z, sizeof(double) * u->room);
		u->squares = repalloc_huge(u->squares, sizeof(double) * u->room);
		u->factor = repalloc_huge(u->factor, sizeof(float) * u->room);
		u->place = repalloc_huge(u->place, sizeof(int) * u->room);
	}
	u->w[c] = u->z[c] = u->squares[c] = 0;
	u->factor[c] = (float) factor;
	u->place[c] = -1;
	return u->n++;
}

/* rows of before count less: steps become longer again, coefficients stay */
static void
decay_state(DmpWideUpdate *u, double decay)
{
	int c;

	if (decay == 1)
		return;
	u->decayed = true;
	u->weight *= decay;
	if (!u->ftrl)
	{
		dmp_update_wide_decay(u, decay);
		return;
	}
	for (c = 0; c < u->n; c++)
	{
		u->squares[c] *= decay;
		if (u->w[c] == 0)
			u->z[c] *= decay;
		dmp_update_wide_settle(u, c);
	}
}

/* -------------------------------------------------------------- learning */

static void
learn_row(DmpWideUpdate *u, const DmpSparseRow *row)
{
	const DmpSparseEntry *entry = DMP_SPARSE_ENTRIES((DmpSparseRow *) row, 0);
	double margin = row->offset, residual;
	uint32 i;

	for (i = 0; i < row->n; i++)
		margin += u->w[entry[i].column] * entry[i].value;
	residual = row->weight * (dmp_model_probability(margin) - row->target);
	for (i = 0; i < row->n; i++)
	{
		int c = (int) entry[i].column;
		double g = residual * entry[i].value, n = u->squares[c];

		/* as they are stored */
		if (!isfinite((float) (n + g * g)) || !isfinite((float) u->z[c]))
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("values of the new rows are out of range")));
		u->squares[c] = n + g * g;
		u->z[c] += g - (sqrt(u->squares[c]) - sqrt(n)) / u->rate * u->w[c];
		dmp_update_wide_solve(u, c);
	}
}

static uint64
next_random(DmpWideUpdate *u)
{
	uint64 x = u->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return u->random = x;
}

/* from the rows that were gathered, each once */
static void
learn_by_row(DmpWideUpdate *u)
{
	int left;

	for (left = u->nrows; left > 0; left--)
	{
		int i = (int) (next_random(u) % (uint64) left);

		if (left % 64 == 0)
			CHECK_FOR_INTERRUPTS();
		learn_row(u, u->row[i]);
		u->row[i] = u->row[left - 1];
	}
}

static void
learn(DmpBatch *batch)
{
	DmpWideUpdate *u = batch->wide;

	batch->bytes_most = Max(batch->bytes_most, u->bytes);
	if (u->ftrl)
		learn_by_row(u);
	else if (u->nrows > 0)
		dmp_update_wide_fit(batch);
	u->nrows = 0;
	u->rows_weight = 0;
	u->bytes = 0;
	MemoryContextReset(u->rows_context);
}

/* -------------------------------------------------------------- one row */

static void
add_entry(DmpWideUpdate *u, int column, double value)
{
	if (u->nentries == u->entries_room)
	{
		u->entries_room *= 2;
		u->entry = repalloc_huge(u->entry, sizeof(DmpSparseEntry) * u->entries_room);
	}
	u->entry[u->nentries].column = column;
	u->entry[u->nentries++].value = (float) value;
}

/* coordinate of a bucket, which it gets now if it has none */
static int
bucket_coordinate(DmpWideUpdate *u, int block, uint32 bucket, double factor)
{
	int32 *slot = &u->slot[block][bucket];

	if (*slot < 0)
		*slot = new_coordinate(u, factor);
	return *slot;
}

static void
add_grams(DmpWideUpdate *u, const DmpFeature *feature, int first, const char *text, int length)
{
	/* idf of a gram that one row of the training had */
	double documents = (double) u->rows_first - (double) feature->rows_missing;
	double rare = log((1 + Max(documents, 1)) / 2) + 1;
	int b, k;

	dmp_tokenize(u->tokenizer, text, length, feature->bits);
	for (b = 0; b < feature->nblocks && b < DMP_TEXT_BLOCKS; b++)
	{
		const DmpGrams *grams = &u->tokenizer->blocks[b];
		double squares = 0;
		int from = u->nentries;

		for (k = 0; k < grams->n; k++)
		{
			int c = bucket_coordinate(u, first + b, grams->grams[k].bucket, rare);
			float value = dmp_gram_weight(grams->grams[k].count, u->factor[c]);

			squares += (double) value * value;
			add_entry(u, c, value);
		}
		for (k = from; k < u->nentries; k++)
			u->entry[k].value = (float) (u->entry[k].value / sqrt(squares));
	}
}

static void
add_elements(DmpWideUpdate *u, const DmpFeature *feature, int block, Datum array)
{
	Datum *elements;
	int n = dmp_text_elements(array, &elements), from = u->nentries, i, k;

	for (i = 0; i < n; i++)
	{
		int length, c;
		const char *text = dmp_value_text(elements[i], TEXTOID, &length);

		c = bucket_coordinate(u, block, dmp_value_bucket(text, length, feature->bits), 1);
		for (k = from; k < u->nentries && (int) u->entry[k].column != c; k++)
			;
		if (k == u->nentries)
			add_entry(u, c, 1);
	}
}

/* false: a number is infinite, or the base margin missing */
static bool
add_number(DmpWideUpdate *u, const DmpModel *model, const DmpFeature *feature, double x,
		   double *offset)
{
	int j = feature->index;

	if (isinf(x))
		return false;
	if (j < 0)
		return true;
	if (j == u->base_margin)
	{
		*offset = x;
		return !isnan(x);
	}
	x = ((isnan(x) ? feature->fill : x) - model->design.pivot[j]) / u->unit[j];
	if (x != 0)
		add_entry(u, 1 + j, x);
	return true;
}

static bool
read_features(DmpBatch *batch, const Datum *values, const bool *nulls, const Oid *types,
			  double *offset)
{
	DmpWideUpdate *u = batch->wide;
	DmpDesign *design = &batch->model->design;
	bool *missing;
	int i, pass;

	if (design->transformed)
		dmp_transform_row(design, &values, &nulls, &types, NULL);
	missing = palloc(sizeof(bool) * (design->nfeatures + 1));
	u->nentries = 0;
	*offset = 0;
	if (u->intercept && u->ftrl)
		add_entry(u, 0, 1);
	/* numbers first: an infinite one takes the row out before a bucket of it gets a column */
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < design->nfeatures; i++)
		{
			const DmpFeature *feature = &design->features[i];
			bool number = feature->encode <= DMP_ENCODE_BOOLEAN, unseen = false;
			const char *text;
			int length, j;

			if (number != (pass == 0))
				continue;
			missing[i] = nulls[i];
			if (number)
			{
				double x = nulls[i] ? NAN : dmp_value_number(values[i], types[i]);

				missing[i] = isnan(x);
				if (!add_number(u, batch->model, feature, x, offset))
					return false;
			}
			else if (!nulls[i] && feature->encode == DMP_ENCODE_MULTI_HOT)
				add_elements(u, feature, u->first_block[i], values[i]);
			else if (!nulls[i])
			{
				text = dmp_value_text(values[i], types[i], &length);
				if (feature->encode == DMP_ENCODE_NGRAMS)
					add_grams(u, feature, u->first_block[i], text, length);
				else if (feature->encode == DMP_ENCODE_HASH)
					add_entry(u,
							  bucket_coordinate(u, u->first_block[i],
												dmp_value_bucket(text, length, feature->bits), 1),
							  1);
				else if ((j = dmp_level_column(feature, text, length, &unseen)) >= 0)
					add_entry(u, 1 + j, 1 / u->unit[j]);
			}
			if (missing[i] && feature->missing_index >= 0)
				add_entry(u, 1 + feature->missing_index, 1 / u->unit[feature->missing_index]);
		}
	return true;
}

static void
keep_row(DmpBatch *batch, double y, double weight, double offset)
{
	DmpWideUpdate *u = batch->wide;
	Size size = DMP_SPARSE_ROW_SIZE(0, u->nentries);
	DmpSparseRow *row;

	if (u->nrows > 0 && u->bytes + size > batch->room)
		learn(batch);
	if (u->nrows == u->rows_room)
	{
		u->rows_room *= 2;
		u->row = repalloc_huge(u->row, sizeof(DmpSparseRow *) * u->rows_room);
	}
	row = MemoryContextAllocHuge(u->rows_context, size);
	memset(row, 0, sizeof(*row));
	row->n = u->nentries;
	row->target = y > 0;
	row->weight = weight;
	row->offset = offset;
	memcpy(DMP_SPARSE_ENTRIES(row, 0), u->entry, sizeof(DmpSparseEntry) * u->nentries);
	u->row[u->nrows++] = row;
	u->bytes += size + sizeof(row);
	u->rows++;
	u->rows_weight += weight;
	if (u->ftrl)
		u->weight += weight;
	batch->read++;
	batch->positive += y > 0;
}

static bool
read_row(DmpBatch *batch, HeapTuple tuple, TupleDesc desc, bool has_weight, Datum *values,
		 bool *nulls, const Oid *types)
{
	double y, weight = 1, offset, margin;
	bool isnull;
	Datum value = SPI_getbinval(tuple, desc, 1, &isnull);
	int i;

	y = isnull ? NAN : DatumGetFloat8(value);
	if (has_weight)
	{
		value = SPI_getbinval(tuple, desc, 2, &isnull);
		weight = isnull ? 0 : DatumGetFloat8(value);
	}
	if (isnan(y) || !(weight > 0))
		return false;
	for (i = 0; i < batch->model->design.nsources; i++)
		values[i] = SPI_getbinval(tuple, desc, 2 + has_weight + i, &nulls[i]);
	if (!read_features(batch, values, nulls, types, &offset))
		return false;
	dmp_model_margins(batch->model, values, nulls, types, NULL, &margin);
	dmp_update_judge(batch, margin, weight, y > 0);
	keep_row(batch, y, weight, offset);
	return true;
}

/* ------------------------------------------------------------- all rows */

void
dmp_update_wide_read(DmpBatch *batch, const char *sql, bool has_weight, double decay)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	MemoryContext per_row =
		AllocSetContextCreate(batch->context, "dmp update row", ALLOCSET_DEFAULT_SIZES);
	int nsources = batch->model->design.nsources, i;
	Datum *values = palloc(sizeof(Datum) * (nsources + 1));
	bool *nulls = palloc(sizeof(bool) * (nsources + 1));
	Oid *types = palloc(sizeof(Oid) * (nsources + 1));
	SPIPlanPtr plan;
	Portal portal;

	decay_state(batch->wide, decay);
	batch->margins_room = 1024;
	batch->margin = palloc(sizeof(double) * batch->margins_room);
	batch->margin_weight = palloc(sizeof(double) * batch->margins_room);
	batch->label = palloc(batch->margins_room);
	plan = SPI_prepare_cursor(sql, 0, NULL, 0);
	if (plan == NULL)
		elog(ERROR, "update query failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (i = 0; i < nsources; i++)
		types[i] = getBaseType(SPI_gettypeid(portal->tupDesc, 2 + has_weight + i));
	for (;;)
	{
		SPITupleTable *table;
		uint64 n, k;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		MemoryContextSwitchTo(batch->context);
		if (SPI_processed == 0)
			break;
		table = SPI_tuptable;
		n = SPI_processed;
		for (k = 0; k < n; k++)
		{
			CHECK_FOR_INTERRUPTS();
			MemoryContextReset(per_row);
			MemoryContextSwitchTo(per_row);
			if (!read_row(batch, table->vals[k], table->tupdesc, has_weight, values, nulls, types))
				batch->skipped++;
			MemoryContextSwitchTo(batch->context);
		}
		SPI_freetuptable(table);
	}
	learn(batch);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	MemoryContextDelete(per_row);
	MemoryContextSwitchTo(old);
}

/* ------------------------------------------------------------- the model */

/* buckets in order again; place[k]: coordinate of hashed column k */
static int
order_buckets(DmpWideUpdate *u, DmpModel *model, int *place)
{
	int wide = 0, i, b;

	for (i = 0; i < model->design.nfeatures; i++)
	{
		DmpFeature *feature = &model->design.features[i];

		for (b = 0; b < feature->nblocks; b++)
		{
			DmpHashBlock *block = &feature->blocks[b];
			const int32 *slot = u->slot[u->first_block[i] + b];
			bool weighs = block->factor != NULL || feature->encode == DMP_ENCODE_NGRAMS;
			uint32 size = (uint32) 1 << feature->bits, code;
			int n = 0;

			CHECK_FOR_INTERRUPTS();
			block->first = wide;
			block->lookup = NULL;
			for (code = 0; code < size; code++)
				n += slot[code] >= 0;
			block->buckets = palloc_extended(sizeof(uint32) * Max(n, 1), MCXT_ALLOC_HUGE);
			if (weighs)
				block->factor = palloc_extended(sizeof(float) * Max(n, 1), MCXT_ALLOC_HUGE);
			block->n = 0;
			for (code = 0; code < size; code++)
			{
				if (slot[code] < 0)
					continue;
				if (weighs)
					block->factor[block->n] = u->factor[slot[code]];
				block->buckets[block->n++] = code;
				place[wide++] = slot[code];
			}
		}
	}
	return wide;
}

static double *
in_order(const double *from, const int *place, int fixed, int n)
{
	double *to = palloc_extended(sizeof(double) * n, MCXT_ALLOC_HUGE);
	int k;

	memcpy(to, from, sizeof(double) * fixed);
	for (k = fixed; k < n; k++)
		to[k] = from[place[k - fixed]];
	return to;
}

/* the block's coordinates are hashed columns in order too */
static void
order_block(DmpWideUpdate *u, const int *place, int fixed)
{
	int *old = palloc_extended(sizeof(int) * u->n, MCXT_ALLOC_HUGE), k;

	memcpy(old, u->place, sizeof(int) * u->n);
	for (k = 0; k < u->n; k++)
	{
		u->place[k] = k < fixed ? old[k] : old[place[k - fixed]];
		if (u->place[k] >= 0)
			u->block[u->place[k]] = k;
	}
	pfree(old);
}

/* model and state are those after the batch */
void
dmp_update_wide_finish(DmpBatch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	DmpWideUpdate *u = batch->wide;
	DmpModel *model = batch->model;
	int fixed = 1 + u->width, j;
	int *place = palloc_extended(sizeof(int) * (u->n + 1), MCXT_ALLOC_HUGE);

	model->wide_width = order_buckets(u, model, place);
	if (fixed + model->wide_width != u->n)
		elog(ERROR, "%d coordinates of %d hashed columns", u->n, model->wide_width);
	u->w = in_order(u->w, place, fixed, u->n);
	u->z = in_order(u->z, place, fixed, u->n);
	u->squares = in_order(u->squares, place, fixed, u->n);
	order_block(u, place, fixed);
	model->a = u->w[0];
	for (j = 0; j < u->width; j++)
		if (j != u->base_margin)
			model->coef[j] = u->w[1 + j] / u->unit[j];
	model->wide = palloc_extended(sizeof(float) * Max(model->wide_width, 1), MCXT_ALLOC_HUGE);
	for (j = 0; j < model->wide_width; j++)
		model->wide[j] = (float) u->w[fixed + j];
	batch->state->rows = u->rows;
	batch->state->weight = u->weight;
	batch->state->decayed = u->decayed;
	MemoryContextSwitchTo(old);
}
