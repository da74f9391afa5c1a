/*-------------------------------------------------------------------------
 * wide_columns.c
 *		Which ids become columns of the solver, and what the rows hold then.
 *
 * Levels with fewer than min_count rows join 'other'; without a penalty the
 * most frequent level is the reference. Buckets met in fewer rows than the
 * feature asks for have no column. A gram weighs sqrt(count) * idf, idf =
 * ln((1 + n) / (1 + rows with it)) + 1, and each block of a text is divided
 * by its Euclidean norm.
 *-------------------------------------------------------------------------
 */
#include "learn/wide_fit.h"

#include <math.h>

typedef struct Builder
{
	DmpWideScan *scan;
	DmpFit *fit;
	DmpWideLayout *layout;
	int width; /* of the design */
	int wide;  /* hashed columns */
	int room;
	double *mean; /* of design columns, room many */
	double *scale;
	double *pivot;
} Builder;

/* A design column: numbered in the order of the solver. */
static int
add_column(Builder *b, double mean, double scale, double pivot)
{
	if (b->width == b->room)
	{
		b->room *= 2;
		b->mean = repalloc_huge(b->mean, sizeof(double) * b->room);
		b->scale = repalloc_huge(b->scale, sizeof(double) * b->room);
		b->pivot = repalloc_huge(b->pivot, sizeof(double) * b->room);
	}
	b->mean[b->width] = mean;
	b->scale[b->width] = scale;
	b->pivot[b->width] = pivot;
	return b->width++;
}

static bool
standardize_is(const Builder *b, const char *value)
{
	const char *given = b->scan->spec->standardize;

	return given != NULL && strcmp(given, value) == 0;
}

/* s of an indicator that so many training rows have */
static double
indicator_scale(const Builder *b, int64 rows)
{
	double p = (double) rows / (double) Max(b->fit->rows, 1);

	return standardize_is(b, "all") ? sqrt(p * (1 - p)) : 1;
}

/* The solver's column of an indicator: behind all dense ones, constant ones included. */
static int
add_indicator(Builder *b, int32 id, int64 rows, int *next)
{
	int index =
		add_column(b, (double) rows / (double) Max(b->fit->rows, 1), indicator_scale(b, rows), 0);

	if (id >= 0)
		b->scan->columns[id].column = *next;
	(*next)++;
	return index;
}

/* ------------------------------------------------------------- features */

static void
lay_dense(Builder *b, int j)
{
	DmpFeature *feature = &b->fit->design.features[b->scan->dense[j]];
	const DmpWideMoments *m = &b->scan->moments[j];
	double sd = m->weight > 0 ? sqrt(m->m2 / m->weight) : 0;

	if (!(sd > 1e-12 * fabs(m->mean)))
		sd = 0;
	feature->fill = m->mean;
	feature->rows_missing = m->rows_missing;
	b->layout->mean[j] = m->mean;
	b->layout->sd[j] = sd;
	if (sd > 0)
	{
		double s = standardize_is(b, "all")                                             ? sd
				   : standardize_is(b, "none") || feature->encode == DMP_ENCODE_BOOLEAN ? 1
																						: sd;

		feature->index = add_column(b, m->mean, s, m->mean);
	}
}

static int
compare_levels(const void *a, const void *b)
{
	return strcmp(((const DmpLevel *) a)->text, ((const DmpLevel *) b)->text);
}

static void
lay_levels(Builder *b, DmpFeature *feature, DmpWideSource *source, int *next)
{
	const DmpWideScan *scan = b->scan;
	const DmpDictionary *dictionary = &source->dictionary;
	int64 *rows = palloc0(sizeof(int64) * Max(dictionary->n, 1));
	int reference = -1;
	int other = -1;
	int i;

	feature->levels = palloc0(sizeof(DmpLevel) * Max(dictionary->n, 1));
	for (i = 0; i < dictionary->n; i++)
	{
		DmpWideColumn *column = &b->scan->columns[source->ids[i]];

		rows[i] = column->rows;
		if (rows[i] < scan->spec->min_count)
		{
			feature->rows_other += rows[i];
			continue;
		}
		feature->levels[feature->nlevels].text = pstrdup(dictionary->levels[i].text);
		feature->levels[feature->nlevels].rows = rows[i];
		feature->levels[feature->nlevels++].index = i;
	}
	qsort(feature->levels, feature->nlevels, sizeof(DmpLevel), compare_levels);
	for (i = 0; b->fit->lambda == 0 && i < feature->nlevels; i++)
	{
		if (reference < 0 || feature->levels[i].rows > feature->levels[reference].rows)
			reference = i;
	}
	for (i = 0; i < feature->nlevels; i++)
	{
		DmpLevel *level = &feature->levels[i];
		int code = level->index;

		level->index = i == reference ? -1 : add_indicator(b, source->ids[code], level->rows, next);
	}
	if (feature->rows_other > 0 && (b->fit->lambda > 0 || reference >= 0))
	{
		other = *next;
		feature->other_index = add_indicator(b, -1, feature->rows_other, next);
	}
	for (i = 0; i < dictionary->n; i++)
	{
		if (rows[i] < scan->spec->min_count)
			b->scan->columns[source->ids[i]].column = other;
	}
	pfree(rows);
}

static void
lay_buckets(Builder *b, DmpFeature *feature, DmpWideSource *source)
{
	DmpHashBlock *block = &feature->blocks[source->block];
	double documents = (double) (b->fit->rows - feature->rows_missing);
	bool weighs = feature->encode == DMP_ENCODE_NGRAMS;
	uint32 code;

	block->first = b->wide;
	for (code = 0; code < source->room; code++)
	{
		if (source->ids[code] >= 0 && b->scan->columns[source->ids[code]].rows >= feature->min_rows)
			block->n++;
	}
	block->buckets = palloc_extended(sizeof(uint32) * Max(block->n, 1), MCXT_ALLOC_HUGE);
	if (weighs)
		block->factor = palloc_extended(sizeof(float) * Max(block->n, 1), MCXT_ALLOC_HUGE);
	block->n = 0;
	for (code = 0; code < source->room; code++)
	{
		DmpWideColumn *column;

		if (source->ids[code] < 0)
			continue;
		column = &b->scan->columns[source->ids[code]];
		if (column->rows < feature->min_rows)
			continue;
		/* numbered from the first hashed column on, until it is known which that is */
		column->column = b->wide + block->n;
		if (weighs)
			column->factor = block->factor[block->n] =
				(float) (log((1 + documents) / (1 + (double) column->rows)) + 1);
		block->buckets[block->n++] = code;
	}
	b->wide += block->n;
}

/* penalty factors of the solver's columns from those of their features */
static void
lay_factor(Builder *b)
{
	DmpWideLayout *layout = b->layout;
	const double *factor = b->scan->spec->factor;
	int k;

	if (factor == NULL)
		return;
	layout->factor = palloc_extended(sizeof(double) * Max(layout->ncolumns, 1), MCXT_ALLOC_HUGE);
	for (k = 0; k < layout->ncolumns; k++)
		layout->factor[k] = 1;
	for (k = 0; k < b->scan->ndense; k++)
		layout->factor[k] = factor[b->scan->dense[k]];
	for (k = 0; k < b->scan->ncolumns; k++)
	{
		const DmpWideColumn *column = &b->scan->columns[k];

		if (column->column >= 0)
			layout->factor[column->column] = factor[b->scan->sources[column->source].feature];
	}
}

static void
lay_scale(Builder *b)
{
	DmpWideLayout *layout = b->layout;
	const DmpDesign *design = &b->fit->design;
	int column;
	int j;

	layout->scale = palloc_extended(sizeof(double) * Max(layout->ncolumns, 1), MCXT_ALLOC_HUGE);
	for (column = 0; column < layout->ncolumns; column++)
		layout->scale[column] = 1;
	for (j = 0; j < b->scan->ndense; j++)
	{
		const DmpFeature *feature = &design->features[b->scan->dense[j]];

		if (feature->index >= 0)
			layout->scale[j] = b->scale[feature->index] / layout->sd[j];
	}
	lay_factor(b);
	/* indicators follow the dense design columns in both numberings */
	for (j = 0; j < layout->nindicators; j++)
		layout->scale[b->scan->ndense + j] = b->scale[b->width - layout->nindicators + j];
}

void
dmp_wide_layout(DmpWideScan *scan, DmpFit *fit, DmpWideLayout *layout)
{
	const DmpFitSpec *spec = scan->spec;
	Builder b = {scan, fit, layout, 0, 0, 64, NULL, NULL, NULL};
	int next = scan->ndense;
	int i;
	int k;

	b.mean = palloc(sizeof(double) * b.room);
	b.scale = palloc(sizeof(double) * b.room);
	b.pivot = palloc(sizeof(double) * b.room);
	memset(layout, 0, sizeof(*layout));
	layout->mean = palloc0(sizeof(double) * Max(scan->ndense, 1));
	layout->sd = palloc0(sizeof(double) * Max(scan->ndense, 1));
	fit->design.nfeatures = spec->nfeatures;
	fit->design.features = palloc0(sizeof(DmpFeature) * Max(spec->nfeatures, 1));
	for (i = 0; i < spec->nfeatures; i++)
	{
		DmpFeature *feature = &fit->design.features[i];

		*feature = spec->features[i];
		feature->name = pstrdup(feature->name);
		feature->index = feature->missing_index = feature->other_index = -1;
		feature->rows_missing = scan->rows_missing[i];
		if (DMP_ENCODE_IS_WIDE(feature->encode))
		{
			feature->nblocks = feature->encode == DMP_ENCODE_NGRAMS ? DMP_TEXT_BLOCKS : 1;
			feature->blocks = palloc0(sizeof(DmpHashBlock) * feature->nblocks);
		}
	}
	for (k = 0; k < scan->ndense; k++)
		lay_dense(&b, k);
	for (k = 0; k < scan->nsources; k++)
	{
		DmpWideSource *source = &scan->sources[k];
		DmpFeature *feature = &fit->design.features[source->feature];

		if (source->kind == DMP_WIDE_LEVELS)
			lay_levels(&b, feature, source, &next);
		else if (source->kind == DMP_WIDE_FLAG && feature->rows_missing > 0 &&
				 feature->rows_missing < fit->rows)
			feature->missing_index =
				add_indicator(&b, source->ids[0], feature->rows_missing, &next);
	}
	layout->nindicators = next - scan->ndense;
	for (k = 0; k < scan->nsources; k++)
	{
		if (scan->sources[k].kind == DMP_WIDE_BUCKETS)
			lay_buckets(&b, &fit->design.features[scan->sources[k].feature], &scan->sources[k]);
	}
	for (k = 0; k < scan->ncolumns; k++)
	{
		if (scan->columns[k].column >= 0 &&
			scan->sources[scan->columns[k].source].kind == DMP_WIDE_BUCKETS)
			scan->columns[k].column += next;
	}
	layout->ncolumns = next + b.wide;
	lay_scale(&b);
	fit->design.width = b.width;
	fit->design.mean = b.mean;
	fit->design.scale = b.scale;
	fit->design.pivot = b.pivot;
	fit->wide_width = b.wide;
}

/* ----------------------------------------------------------------- rows */

/* Rewrites one record; to may be before it, or itself. Returns the new length. */
static Size
rewrite_row(const DmpWideScan *scan, const DmpWideLayout *layout, char *to, const char *from)
{
	DmpSparseRow row = *(const DmpSparseRow *) from;
	const double *dense = DMP_SPARSE_DENSE((DmpSparseRow *) from);
	const DmpSparseEntry *entries = DMP_SPARSE_ENTRIES((DmpSparseRow *) from, scan->ndense);
	double *to_dense = DMP_SPARSE_DENSE((DmpSparseRow *) to);
	DmpSparseEntry *to_entries = DMP_SPARSE_ENTRIES((DmpSparseRow *) to, scan->ndense);
	uint32 n = row.n;
	uint32 kept = 0;
	uint32 i;
	int last = -1;
	uint32 block_start = 0;
	double squares = 0;
	int j;

	for (j = 0; j < scan->ndense; j++)
	{
		double x = dense[j];

		to_dense[j] = isnan(x) || layout->sd[j] == 0 ? 0 : (x - layout->mean[j]) / layout->sd[j];
	}
	for (i = 0; i <= n; i++)
	{
		const DmpWideColumn *column = i < n ? &scan->columns[entries[i].column] : NULL;
		float value = i < n ? entries[i].value : 0;

		/* entries of a source stand together: its end is the end of a block */
		if (i == n || column->source != last)
		{
			if (last >= 0 && squares > 0)
			{
				double norm = sqrt(squares);

				for (; block_start < kept; block_start++)
					to_entries[block_start].value = (float) (to_entries[block_start].value / norm);
			}
			squares = 0;
			block_start = kept;
			if (i == n)
				break;
			last = column->source;
		}
		if (column->column < 0)
			continue;
		if (scan->sources[column->source].kind == DMP_WIDE_BUCKETS &&
			scan->spec->features[scan->sources[column->source].feature].encode == DMP_ENCODE_NGRAMS)
		{
			value = dmp_gram_weight(value, column->factor);
			squares += (double) value * value;
		}
		to_entries[kept].column = column->column;
		to_entries[kept++].value = value;
	}
	row.n = kept;
	*(DmpSparseRow *) to = row;
	return DMP_SPARSE_ROW_SIZE(scan->ndense, kept);
}

void
dmp_wide_rewrite(DmpWideScan *scan, const DmpWideLayout *layout, DmpWideStore *store)
{
	int i;

	for (i = 0; i < store->nchunks; i++)
	{
		Size length;
		char *data = dmp_wide_store_load(store, i, &length);
		Size at = 0;
		Size to = 0;
		int count = 0;

		while (at < length)
		{
			Size size = DMP_SPARSE_ROW_SIZE(scan->ndense, ((DmpSparseRow *) (data + at))->n);

			if (count++ % 64 == 0)
				CHECK_FOR_INTERRUPTS();
			to += rewrite_row(scan, layout, data + to, data + at);
			at += size;
		}
		dmp_wide_store_rewrite(store, i, to);
	}
}

/* ---------------------------------------------------------- coefficients */

void
dmp_wide_coefficients(const DmpWideScan *scan, const DmpWideLayout *layout,
					  const DmpSparseProblem *problem, double *theta, DmpFit *fit)
{
	int nclasses = problem->nclasses;
	int first = scan->ndense + layout->nindicators;
	int indicators = fit->design.width - layout->nindicators;
	Size i;
	int c;
	int j;
	int k;

	/* a constant added to all classes changes nothing: what no penalty holds is centred */
	for (c = 0; nclasses > 1 && c <= (fit->lambda == 0 ? layout->ncolumns : 0); c++)
	{
		double *b = theta + (Size) c * nclasses;
		double mean = 0;

		for (k = 0; k < nclasses; k++)
			mean += b[k] / nclasses;
		for (k = 0; k < nclasses; k++)
			b[k] -= mean;
	}
	fit->a = theta[0];
	if (fit->nclasses > 0)
	{
		fit->intercepts = palloc(sizeof(double) * nclasses);
		memcpy(fit->intercepts, theta, sizeof(double) * nclasses);
	}
	fit->coef = palloc0(sizeof(double) * Max((Size) fit->design.width * nclasses, 1));
	fit->aliased = palloc0(sizeof(bool) * Max(fit->design.width, 1));
	for (j = 0; j < scan->ndense; j++)
	{
		int index = fit->design.features[scan->dense[j]].index;

		for (k = 0; index >= 0 && k < nclasses; k++)
			fit->coef[index * nclasses + k] = theta[(1 + j) * nclasses + k] / layout->sd[j];
	}
	for (j = 0; j < layout->nindicators; j++)
	{
		for (k = 0; k < nclasses; k++)
			fit->coef[(indicators + j) * nclasses + k] =
				theta[(1 + scan->ndense + j) * nclasses + k];
	}
	fit->wide =
		palloc_extended(sizeof(float) * Max((Size) fit->wide_width * nclasses, 1), MCXT_ALLOC_HUGE);
	for (i = 0; i < (Size) fit->wide_width * nclasses; i++)
		fit->wide[i] = (float) theta[((Size) 1 + first) * nclasses + i];
}
