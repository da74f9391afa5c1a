/*-------------------------------------------------------------------------
 * update_wide.h
 *		The state of FTRL-Proximal between update_wide.c and update_wide_state.c.
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
	double l1, l2, rate, beta;
	bool intercept;
	bool decayed;
	int64 rows_first; /* of the training: idf of grams that come later */
	int64 rows;       /* all that were seen */
	double weight;    /* the same, decayed */
	int width;        /* design columns */
	int base_margin;  /* the column among them whose coefficient is fixed, or -1 */
	int n, room;
	double *w, *z, *squares;
	float *factor; /* of a gram: idf */
	double *unit;  /* of a design column */
	int nblocks;
	int32 **slot;     /* of a block of the model: coordinate of a bucket, or -1 */
	int *first_block; /* of a feature */
	/* rows that are learned from next */
	MemoryContext rows_context;
	DmpSparseRow **row;
	int nrows, rows_room;
	Size bytes;
	uint64 random;
	/* the row being read */
	DmpSparseEntry *entry;
	int nentries, entries_room;
	DmpTokenizer *tokenizer;
};

/* w of a coordinate from its z and n */
extern void dmp_update_wide_solve(DmpWideUpdate *u, int c);
/* z of a coordinate from its w and n; w 0: as it is */
extern void dmp_update_wide_settle(DmpWideUpdate *u, int c);

#endif /* DMP_LEARN_UPDATE_WIDE_H */
