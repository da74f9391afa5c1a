/*-------------------------------------------------------------------------
 * update_wide.h
 *		The state of hashed columns between the files update_wide*.c.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_UPDATE_WIDE_H
#define DMP_LEARN_UPDATE_WIDE_H

#include "learn/text.h"
#include "learn/update.h"
#include "learn/wide.h"
#include "math/sparse.h"

/* A coordinate: the intercept, the design columns, then buckets as they are met. */
struct DmpWideUpdate
{
	bool ftrl;
	double l1, l2; /* of the sum over rows */
	double rate, beta;
	bool growing; /* not FTRL: l1 and l2 are a lambda times the weight of the rows */
	bool intercept;
	bool decayed;
	int64 rows_first; /* of the training: idf of grams that come later */
	int64 rows;       /* all that were seen */
	double weight;    /* the same, decayed */
	int width;        /* design columns */
	int base_margin;  /* the column among them whose coefficient is fixed, or -1 */
	int n, room;
	double *w;
	double *z, *squares; /* FTRL: z and n. Else of the loss: gradient and own second derivative */
	int nblock;
	int *block;      /* coordinates that have all their second derivatives */
	int *place;      /* of a coordinate in the block, or -1 */
	double *hessian; /* nblock x nblock */
	float *factor;   /* of a gram: idf */
	double *unit;    /* of a design column */
	int nblocks;
	int32 **slot;     /* of a block of the model: coordinate of a bucket, or -1 */
	int *first_block; /* of a feature */
	/* rows that are learned from next */
	MemoryContext rows_context;
	DmpSparseRow **row;
	int nrows, rows_room;
	double rows_weight;
	Size bytes;
	uint64 random;
	/* the row being read */
	DmpSparseEntry *entry;
	int nentries, entries_room;
	DmpTokenizer *tokenizer;
};

/* update_wide_fit.c: the rows gathered join what is known */
extern void dmp_update_wide_fit(DmpBatch *batch);
extern void dmp_update_wide_decay(DmpWideUpdate *u, double decay);

/* FTRL: w of a coordinate from its z and n */
extern void dmp_update_wide_solve(DmpWideUpdate *u, int c);
/* z of a coordinate from its w and n; w 0: as it is */
extern void dmp_update_wide_settle(DmpWideUpdate *u, int c);

#endif /* DMP_LEARN_UPDATE_WIDE_H */
