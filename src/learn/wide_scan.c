/*-------------------------------------------------------------------------
 * wide_scan.c
 *		Rows of the training query as sparse rows, in one scan.
 *
 * What a row holds now is provisional: dense columns as they come (missing
 * ones NaN), and entries of (id, count). Which ids become columns, and with
 * what weight, is known when all rows were seen; wide_fit.c rewrites the rows
 * then, where they are.
 *-------------------------------------------------------------------------
 */
#include "learn/wide.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define FETCH_ROWS 500
#define FIRST_ENTRIES 1024

/* ---------------------------------------------------------------- set up */

static void
add_source(DmpWideScan *scan, DmpWideKind kind, int feature, int block)
{
	DmpWideSource *source = &scan->sources[scan->nsources++];

	memset(source, 0, sizeof(*source));
	source->kind = kind;
	source->feature = feature;
	source->block = block;
	if (kind == DMP_WIDE_LEVELS)
		dmp_dictionary_init(&source->dictionary);
	source->room = kind == DMP_WIDE_BUCKETS ? (uint32) 1 << scan->spec->features[feature].bits
				   : kind == DMP_WIDE_FLAG  ? 1
											: 256;
	source->ids = palloc_extended(sizeof(int32) * source->room, MCXT_ALLOC_HUGE);
	memset(source->ids, -1, sizeof(int32) * source->room);
}

static void
make_sources(DmpWideScan *scan)
{
	const DmpFitSpec *spec = scan->spec;
	int n = Max(spec->nfeatures, 1);
	int i;
	int k;

	scan->dense = palloc(sizeof(int) * n);
	scan->moments = palloc0(sizeof(DmpWideMoments) * n);
	scan->sources = palloc(sizeof(DmpWideSource) * (DMP_TEXT_BLOCKS + 1) * n);
	scan->first_source = palloc0(sizeof(int) * n);
	scan->flag_source = palloc0(sizeof(int) * n);
	scan->rows_missing = palloc0(sizeof(int64) * n);
	for (i = 0; i < spec->nfeatures; i++)
	{
		const DmpFeature *feature = &spec->features[i];

		scan->first_source[i] = scan->nsources;
		switch (feature->encode)
		{
			case DMP_ENCODE_NUMERIC:
			case DMP_ENCODE_BOOLEAN:
				scan->dense[scan->ndense++] = i;
				break;
			case DMP_ENCODE_ONE_HOT:
				add_source(scan, DMP_WIDE_LEVELS, i, 0);
				break;
			case DMP_ENCODE_NGRAMS:
				for (k = 0; k < DMP_TEXT_BLOCKS; k++)
					add_source(scan, DMP_WIDE_BUCKETS, i, k);
				break;
			case DMP_ENCODE_HASH:
			case DMP_ENCODE_MULTI_HOT:
				add_source(scan, DMP_WIDE_BUCKETS, i, 0);
				break;
		}
		scan->flag_source[i] = scan->nsources;
		add_source(scan, DMP_WIDE_FLAG, i, 0);
	}
}

/* -------------------------------------------------------------- one row */

static void
add_entry(DmpWideScan *scan, int which, uint32 code, float value)
{
	DmpWideSource *source = &scan->sources[which];
	DmpSparseRow *row = scan->row;
	DmpSparseEntry *entry;
	int32 id;

	if (code >= source->room)
	{
		uint32 room = source->room;

		while (room <= code)
			room *= 2;
		source->ids = repalloc_huge(source->ids, sizeof(int32) * room);
		memset(source->ids + source->room, -1, sizeof(int32) * (room - source->room));
		source->room = room;
	}
	id = source->ids[code];
	if (id < 0)
	{
		DmpWideColumn *column;

		if (scan->ncolumns == scan->columns_room)
		{
			scan->columns =
				repalloc_huge(scan->columns, sizeof(DmpWideColumn) * 2 * (Size) scan->columns_room);
			scan->columns_room *= 2;
		}
		id = source->ids[code] = scan->ncolumns++;
		column = &scan->columns[id];
		column->source = which;
		column->code = code;
		column->rows = 0;
		column->column = -1;
		column->factor = 1;
	}
	if (!scan->is_test)
		scan->columns[id].rows++;
	if (row->n == scan->entries_room)
	{
		scan->row = row =
			repalloc_huge(row, DMP_SPARSE_ROW_SIZE(scan->ndense, 2 * (Size) scan->entries_room));
		scan->entries_room *= 2;
	}
	entry = &DMP_SPARSE_ENTRIES(row, scan->ndense)[row->n++];
	entry->column = id;
	entry->value = value;
}

static void
add_text(DmpWideScan *scan, int i, Datum value, Oid type)
{
	const DmpFeature *feature = &scan->spec->features[i];
	int first = scan->first_source[i];
	int length;
	const char *text = dmp_value_text(value, type, &length);
	int code;
	int b;
	int k;

	switch (feature->encode)
	{
		case DMP_ENCODE_ONE_HOT:
			code = dmp_dictionary_code(&scan->sources[first].dictionary, text, length, true);
			if (code < 0)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("text column \"%s\" has too many distinct values", feature->name),
						 errhint("Encode it as \"hash\" or \"ngrams\".")));
			add_entry(scan, first, code, 1);
			break;
		case DMP_ENCODE_NGRAMS:
			dmp_tokenize(scan->tokenizer, text, length, feature->bits);
			for (b = 0; b < DMP_TEXT_BLOCKS; b++)
			{
				const DmpGrams *block = &scan->tokenizer->blocks[b];

				for (k = 0; k < block->n; k++)
					add_entry(scan, first + b, block->grams[k].bucket, block->grams[k].count);
			}
			break;
		default:
			add_entry(scan, first, dmp_value_bucket(text, length, feature->bits), 1);
			break;
	}
}

/* each element counts once, as often as it is there */
static void
add_texts(DmpWideScan *scan, int i, Datum value)
{
	int first = scan->first_source[i];
	uint32 from = scan->row->n;
	Datum *elements;
	int n = dmp_text_elements(value, &elements);
	int k;

	for (k = 0; k < n; k++)
	{
		DmpWideSource *source = &scan->sources[first];
		int length;
		const char *text = dmp_value_text(elements[k], TEXTOID, &length);
		uint32 bucket = dmp_value_bucket(text, length, scan->spec->features[i].bits);
		int32 id = source->ids[bucket];
		uint32 e = from;

		while (e < scan->row->n && id >= 0 &&
			   DMP_SPARSE_ENTRIES(scan->row, scan->ndense)[e].column != (uint32) id)
			e++;
		if (id < 0 || e == scan->row->n)
			add_entry(scan, first, bucket, 1);
	}
}

static void
add_moment(DmpWideMoments *m, double weight, double x)
{
	double delta = x - m->mean;

	m->weight += weight;
	m->mean += delta * weight / m->weight;
	m->m2 += weight * delta * (x - m->mean);
}

/*
 * Whether a row is one to train or test with: its target is there, its weight
 * is not 0, no number of it is infinite.
 */
static bool
read_head(DmpWideScan *scan, HeapTuple tuple, TupleDesc desc, int *first)
{
	const DmpFitSpec *spec = scan->spec;
	int column = 1;
	bool isnull;
	Datum value = SPI_getbinval(tuple, desc, column++, &isnull);
	double target = isnull ? NAN : DatumGetFloat8(value);

	scan->row->weight = 1;
	if (spec->has_weight)
	{
		value = SPI_getbinval(tuple, desc, column++, &isnull);
		scan->row->weight = isnull ? 0 : DatumGetFloat8(value);
	}
	scan->is_test = false;
	scan->fold = 0;
	if (spec->nfolds > 0)
	{
		double fold;

		value = SPI_getbinval(tuple, desc, column++, &isnull);
		fold = isnull ? 0 : DatumGetFloat8(value);
		scan->is_test = fold < 0;
		scan->fold = fold < 0 ? 0 : (int) fmin(fold, spec->nfolds - 1);
	}
	else if (spec->test_fraction > 0)
	{
		value = SPI_getbinval(tuple, desc, column++, &isnull);
		scan->is_test = !isnull && DatumGetFloat8(value) < spec->test_fraction;
	}
	if (spec->has_cluster)
		column++;
	scan->row->offset = 0;
	if (spec->base_margin != NULL)
	{
		value = SPI_getbinval(tuple, desc, column++, &isnull);
		scan->row->offset = isnull ? NAN : DatumGetFloat8(value);
	}
	*first = column;
	if (!isfinite(scan->row->offset))
		return false;
	if (isnan(target) || scan->row->weight == 0)
		return false;
	if (spec->family != DMP_BINOMIAL && isinf(target))
		return false;
	if (spec->family == DMP_POISSON && target < 0)
		dmp_train_refuse_negative(spec->target, target);
	scan->row->target = 0;
	scan->row->value = target;
	if (spec->family != DMP_BINOMIAL)
		return true;
	if (spec->guess && target != 0 && target != 1)
	{
		scan->odd = true;
		return false;
	}
	if (target < 0 || target >= scan->ntargets || target != floor(target))
		elog(ERROR, "training target %g is no class", target);
	scan->row->target = (int32) target;
	return true;
}

/* a training row, of all and of its fold */
static void
count_row(DmpWideScan *scan)
{
	const DmpSparseRow *row = scan->row;
	DmpWideFold *fold = &scan->folds[scan->fold];

	scan->weight_sum += row->weight;
	fold->weight += row->weight;
	if (scan->spec->family != DMP_BINOMIAL)
	{
		double y = row->value - (scan->spec->family == DMP_GAUSSIAN ? row->offset : 0);
		double delta = y - scan->target_mean;

		scan->target_mean += delta * row->weight / scan->weight_sum;
		scan->target_m2 += row->weight * delta * (y - scan->target_mean);
		delta = y - fold->target_mean;
		fold->target_mean += delta * row->weight / fold->weight;
		fold->target_m2 += row->weight * delta * (y - fold->target_mean);
	}
	scan->class_weight[row->target] += row->weight;
	scan->class_rows[row->target]++;
	fold->class_rows[row->target]++;
}

static void
read_row(DmpWideScan *scan, HeapTuple tuple, TupleDesc desc, const Oid *types)
{
	const DmpFitSpec *spec = scan->spec;
	int first;
	int j = 0;
	int i;

	if (!read_head(scan, tuple, desc, &first))
	{
		scan->rows_skipped++;
		return;
	}
	scan->row->n = 0;
	/* numbers first: an infinite one takes the row out before anything of it is counted */
	for (j = 0; j < scan->ndense; j++)
	{
		bool isnull;
		Datum value = SPI_getbinval(tuple, desc, first + scan->dense[j], &isnull);
		double x = isnull ? NAN : dmp_value_number(value, types[scan->dense[j]]);

		if (isinf(x))
		{
			scan->rows_skipped++;
			return;
		}
		DMP_SPARSE_DENSE(scan->row)[j] = x;
	}
	j = 0;
	for (i = 0; i < spec->nfeatures; i++)
	{
		DmpEncode encode = spec->features[i].encode;
		bool missing;

		if (encode == DMP_ENCODE_NUMERIC || encode == DMP_ENCODE_BOOLEAN)
		{
			double x = DMP_SPARSE_DENSE(scan->row)[j];

			missing = isnan(x);
			if (missing && !scan->is_test)
				scan->moments[j].rows_missing++;
			else if (!missing && !scan->is_test)
			{
				add_moment(&scan->moments[j], scan->row->weight, x);
				add_moment(&scan->folds[scan->fold].moments[j], scan->row->weight, x);
			}
			j++;
		}
		else
		{
			Datum value = SPI_getbinval(tuple, desc, first + i, &missing);

			if (!missing && encode == DMP_ENCODE_MULTI_HOT)
				add_texts(scan, i, value);
			else if (!missing)
				add_text(scan, i, value, types[i]);
		}
		if (missing)
		{
			scan->rows_missing[i] += !scan->is_test;
			add_entry(scan, scan->flag_source[i], 0, 1);
		}
	}
	dmp_wide_store_add(scan->is_test ? &scan->test : &scan->train[scan->fold], scan->row,
					   DMP_SPARSE_ROW_SIZE(scan->ndense, scan->row->n));
	if (scan->is_test)
		scan->test_weight += scan->row->weight;
	else
		count_row(scan);
}

/* ------------------------------------------------------------- all rows */

void
dmp_wide_scan(DmpWideScan *scan, const DmpFitSpec *spec, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	MemoryContext per_row = AllocSetContextCreate(context, "dmp wide row", ALLOCSET_DEFAULT_SIZES);
	Oid *types = palloc(sizeof(Oid) * Max(spec->nfeatures, 1));
	SPIPlanPtr plan;
	Portal portal;
	int i;

	memset(scan, 0, sizeof(*scan));
	scan->spec = spec;
	scan->context = context;
	scan->ntargets = Max(spec->nclasses, 2);
	scan->class_weight = palloc0(sizeof(double) * scan->ntargets);
	scan->class_rows = palloc0(sizeof(int64) * scan->ntargets);
	make_sources(scan);
	scan->columns_room = 1024;
	scan->columns = palloc(sizeof(DmpWideColumn) * scan->columns_room);
	scan->tokenizer = dmp_tokenizer_make(context);
	scan->entries_room = FIRST_ENTRIES;
	scan->row = palloc0(DMP_SPARSE_ROW_SIZE(scan->ndense, scan->entries_room));
	scan->nstores = Max(spec->nfolds, 1);
	scan->train = palloc(sizeof(DmpWideStore) * scan->nstores);
	scan->folds = palloc0(sizeof(DmpWideFold) * scan->nstores);
	for (i = 0; i < scan->nstores; i++)
	{
		dmp_wide_store_init(&scan->train[i], context,
							Max(spec->memory, 1024 * 1024) / 4 * 3 / scan->nstores);
		scan->folds[i].class_rows = palloc0(sizeof(int64) * scan->ntargets);
		scan->folds[i].moments = palloc0(sizeof(DmpWideMoments) * Max(scan->ndense, 1));
	}
	dmp_wide_store_init(&scan->test, context, Max(spec->memory, 1024 * 1024) / 4);
	for (i = 0; i < spec->nfeatures; i++)
		types[i] = getBaseType(spec->features[i].type);

	plan = SPI_prepare_cursor(spec->select_sql, spec->nargs, spec->argtypes, 0);
	if (plan == NULL)
		elog(ERROR, "training query failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, spec->argvalues, spec->argnulls, true);
	MemoryContextSwitchTo(context);
	for (;;)
	{
		uint64 k;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		MemoryContextSwitchTo(context);
		if (SPI_processed == 0 || scan->odd)
			break;
		for (k = 0; k < SPI_processed; k++)
		{
			CHECK_FOR_INTERRUPTS();
			MemoryContextReset(per_row);
			MemoryContextSwitchTo(per_row);
			read_row(scan, SPI_tuptable->vals[k], SPI_tuptable->tupdesc, types);
			MemoryContextSwitchTo(context);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	MemoryContextDelete(per_row);
	MemoryContextSwitchTo(old);
}
