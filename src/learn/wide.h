/*-------------------------------------------------------------------------
 * wide.h
 *		Fits over sparse rows: hashed columns, n-grams, several classes.
 *
 * Words. A source is what a feature makes sparse columns of: its levels, its
 * missing flag, or a block of hash buckets. While rows are read, each column
 * of a source gets an id when it is first met; afterwards ids that are kept
 * become columns of the solver, in a fixed order: dense columns, then
 * indicators, then buckets.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_WIDE_H
#define DMP_LEARN_WIDE_H

#include "learn/learn.h"
#include "learn/scan.h"
#include "learn/text.h"
#include "math/sparse.h"
#include "storage/buffile.h"

/* ------------------------------------------------------- rows (wide_store.c) */

typedef struct DmpWideChunk
{
	char *data; /* NULL: in the file */
	Size used;
	Size size;
	int fileno;
	off_t offset;
} DmpWideChunk;

typedef struct DmpWideStore
{
	MemoryContext context;
	DmpWideChunk *chunks;
	int nchunks;
	int room;
	Size resident; /* bytes in memory */
	Size budget;
	BufFile *file; /* NULL: everything is in memory */
	char *buffer;  /* for chunks of the file */
	Size buffer_size;
	int64 nrows;
} DmpWideStore;

extern void dmp_wide_store_init(DmpWideStore *store, MemoryContext context, Size budget);
extern void dmp_wide_store_add(DmpWideStore *store, const DmpSparseRow *row, Size length);
/* writes everything to a temporary file */
extern void dmp_wide_store_spill(DmpWideStore *store);
/* the records of a chunk; valid until the next call when there is a file */
extern char *dmp_wide_store_load(void *store, int chunk, Size *length);
/* the records that load gave were rewritten in place, length bytes of them are left */
extern void dmp_wide_store_rewrite(DmpWideStore *store, int chunk, Size length);
extern void dmp_wide_store_end(DmpWideStore *store);

/* several stores as the rows of one problem, but one of them */
typedef struct DmpWideRows
{
	DmpWideStore *stores;
	int nstores;
	int skip; /* -1: none */
} DmpWideRows;

/* the rows must live as long as out, and the stores take no more records */
extern void dmp_wide_rows(DmpWideRows *rows, int ndense, DmpSparseRows *out);

/* ------------------------------------------------------- scan (wide_scan.c) */

typedef enum DmpWideKind
{
	DMP_WIDE_LEVELS, /* code: of the dictionary */
	DMP_WIDE_FLAG,   /* one column */
	DMP_WIDE_BUCKETS /* code: the bucket */
} DmpWideKind;

typedef struct DmpWideSource
{
	DmpWideKind kind;
	int feature;
	int block; /* of buckets: which of the feature's */
	DmpDictionary dictionary;
	int32 *ids; /* of a code, or -1; room many */
	uint32 room;
} DmpWideSource;

typedef struct DmpWideColumn /* of an id */
{
	int source;
	uint32 code;
	int64 rows;   /* training rows that have it */
	int column;   /* of the solver, -1: none */
	float factor; /* of a gram: idf */
} DmpWideColumn;

typedef struct DmpWideMoments /* of a dense column, over training rows that have it */
{
	int64 rows_missing;
	double weight;
	double mean;
	double m2;
} DmpWideMoments;

typedef struct DmpWideFold /* what a fit without it has to know */
{
	int64 *class_rows;
	double weight;
	double target_mean, target_m2;
	DmpWideMoments *moments;
} DmpWideFold;

typedef struct DmpWideScan
{
	const DmpFitSpec *spec;
	MemoryContext context;
	int ndense;
	int *dense; /* feature of a dense column */
	DmpWideMoments *moments;
	int nsources;
	DmpWideSource *sources;
	int *first_source; /* of a feature: buckets or levels; its flag comes last */
	int *flag_source;
	DmpWideColumn *columns;
	int ncolumns;
	int columns_room;
	int64 *rows_missing; /* of a feature, training rows */
	DmpWideStore *train; /* one for each fold, else one */
	int nstores;
	DmpWideFold *folds; /* of each store */
	int fold;           /* of the row being read */
	DmpWideStore test;
	double test_weight;
	int64 rows_skipped;
	double weight_sum;
	/* a target of numbers, its offset taken off when gaussian */
	double target_mean, target_m2;
	double *class_weight; /* of target values */
	int64 *class_rows;
	bool odd; /* a guess at the family was wrong: a target is neither 0 nor 1 */
	int ntargets;
	DmpTokenizer *tokenizer;
	/* the row being read */
	DmpSparseRow *row;
	uint32 entries_room;
	bool is_test;
} DmpWideScan;

/* Reads all rows of the spec. SPI must be connected. */
extern void dmp_wide_scan(DmpWideScan *scan, const DmpFitSpec *spec, MemoryContext context);

/* ------------------------------------------------ applied state (wide_margin.c) */

/* value of a gram before its block is normalised */
extern float dmp_gram_weight(float count, float factor);
/* elements of a text[]; NULL elements are left out */
extern int dmp_text_elements(Datum array, Datum **elements);

#endif /* DMP_LEARN_WIDE_H */
