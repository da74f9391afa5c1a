/*-------------------------------------------------------------------------
 * groups.h
 *		One model a group of rows: `by` of dmp.train.
 *
 * Words. A group is what the rows have in common: the values of the by columns,
 * as texts that no setting of the session changes (its key). A record is one
 * row, packed. A partition is the records of the groups whose keys hash alike;
 * it is a list of chunks, each in memory or in the temporary file. A segment is
 * a group as the stored model knows it (segments.h).
 *-------------------------------------------------------------------------
 */
#ifndef DMP_GROUPS_H
#define DMP_GROUPS_H

#include "learn/scan.h"
#include "learn/segments.h"
#include "storage/fd.h"
#include "utils/resowner.h"

/* ------------------------------------------------------- groups_store.c */

/*
 * A record: this, then the dense columns (float8, NaN: missing), what the plan has of
 * weight, target of numbers (gaussian: the offset is taken off) and offset, and
 * a code for each text (int32).
 */
typedef struct DmpGroupRecord
{
	uint32 group;
	uint8 test;
	uint8 label;
	uint16 unused;
	double values[FLEXIBLE_ARRAY_MEMBER];
} DmpGroupRecord;

/* doubles of a record after the dense columns */
static inline int
dmp_group_extras(const DmpScanPlan *plan)
{
	return plan->has_weight + (plan->family != DMP_BINOMIAL) + plan->has_offset;
}

typedef struct DmpGroupChunk
{
	int32 partition;
	int32 next; /* of the same partition, -1: none */
	uint32 rows;
	char *data;   /* NULL: in the file */
	off_t offset; /* in the file */
} DmpGroupChunk;

typedef struct DmpGroupStore
{
	MemoryContext context;
	ResourceOwner owner; /* of the temporary file */
	Size record;         /* bytes of a record */
	int chunk_rows;
	int npartitions; /* power of two */
	int32 *first;    /* chunk of each partition, -1: none */
	int32 *last;
	int nchunks, room; /* chunks are in the order they were begun */
	DmpGroupChunk *chunks;
	Size resident, budget; /* bytes of chunks in memory */
	Size peak;
	File file; /* -1: none yet */
	off_t end;
	char *buffer; /* room for a chunk */
} DmpGroupStore;

extern void dmp_group_store_init(DmpGroupStore *store, MemoryContext context, Size record,
								 Size budget);
/* the partition of a hash is hash >> shift */
extern int dmp_group_store_shift(const DmpGroupStore *store);
/* room for one more record of a partition */
extern DmpGroupRecord *dmp_group_store_add(DmpGroupStore *store, int partition);
/* what is in memory goes to the file, if there is one: the memory is wanted for something else */
extern void dmp_group_store_settle(DmpGroupStore *store);
/* records of a chunk; those of the file are good until the next call */
extern const char *dmp_group_store_load(DmpGroupStore *store, int chunk);
extern void dmp_group_store_end(DmpGroupStore *store);

/* ------------------------------------------------------------- groups.c */

typedef struct DmpGroup
{
	uint64 hash;
	const char *key; /* segments.h */
	uint32 key_length;
	int64 rows, rows_test;
	/* while its partition is worked on */
	char *base; /* its records, training rows first; NULL: not here */
	int64 filled, filled_test;
} DmpGroup;

/* place in the hash table of groups */
typedef struct DmpGroupSlot
{
	uint32 tag;  /* upper half of the hash */
	int32 group; /* -1: free */
} DmpGroupSlot;

/* metrics of a target of numbers: those of training rows, then of test rows; NaN: not defined */
#define DMP_GROUP_ERRORS 4 /* rmse, mae, r_squared, mean_deviance */

/* how the fit of a group ended, and what it found */
typedef struct DmpGroupFit
{
	DmpFitStatus status;
	int iterations;
	int64 rows, rows_test, rows_positive;
	double log_loss, roc_auc, test_log_loss, test_roc_auc; /* NaN: not defined */
	double *errors;  /* 2 x DMP_GROUP_ERRORS; NULL: two classes */
	double *values;  /* a, then a coefficient for each design column; NULL: the fit failed */
	double *std_err; /* 1 + width, [0] the intercept on the raw scale; NULL: none */
} DmpGroupFit;

/* what the registry keeps of groups, in the order of the stored model (groups_view.c) */
typedef struct DmpGroupTable
{
	int n;
	int width;
	bool numbers; /* the target is none of two classes */
	/* log_loss, roc_auc, of training and of test; of numbers 2 x DMP_GROUP_ERRORS */
	double pooled[2 * DMP_GROUP_ERRORS];
	DmpGroupFit *fits;
} DmpGroupTable;

/* NULL: too large to be stored */
extern bytea *dmp_group_table_write(const DmpGroupTable *table);

/* margins and labels of rows, for roc_auc: exact while they fit, then in bins */
typedef struct DmpGroupRanks
{
	Size n, room, limit;
	double *margin;
	double *weight; /* NULL: 1 */
	unsigned char *label;
	bool binned;
	double *histogram;  /* of negatives, then of positives */
	uint32 *counts;     /* the same without weights */
	double loss, total; /* the caller's to add to */
} DmpGroupRanks;

typedef struct DmpGroups
{
	DmpFitSource source; /* first: what the pooled fit reads */
	const DmpFitSpec *spec;
	int nby;
	MemoryContext context; /* of all of it */
	DmpScanPlan *plan;     /* LEARN; NULL: the data was not read yet */
	DmpGroupStore store;
	int n, room;
	DmpGroup *groups;
	uint32 nslots;
	DmpGroupSlot *slots;
	Size bytes; /* of keys and groups */
	/* results */
	MemoryContext result;      /* of fits and their numbers */
	DmpGroupFit *fits;         /* n */
	int width;                 /* of the design */
	DmpGroupRanks train, test; /* of all rows, each by its segment or the pooled model */
	DmpErrorSums errors[2];    /* of a target of numbers, instead */
	double pooled_roc_auc, pooled_log_loss, pooled_test_roc_auc, pooled_test_log_loss;
	double pooled_errors[2 * DMP_GROUP_ERRORS];
} DmpGroups;

/* rows of spec (columns g1 .. gM are the group's) are read once; then spec->source gives them */
extern DmpGroups *dmp_groups_make(DmpFitSpec *spec, int nby);
extern void dmp_groups_end(DmpGroups *groups);

/* ------------------------------------------------------ groups_solve.c */

/* the metrics of numbers of training (0) or test rows, DMP_GROUP_ERRORS of them */
extern void dmp_group_errors(const DmpErrorSums *sums, double *metrics);
/* every group, partition by partition; fills groups->fits and the metrics of fit */
extern void dmp_groups_solve(DmpGroups *groups, const DmpScanPlan *plan, const int *column,
							 DmpFit *fit, const DmpScanSolution *pooled);

/* -------------------------------------------------------- groups_fit.c */

/* what the fits of groups share: the pooled fit, and room that is used again */
typedef struct DmpGroupSolver
{
	DmpGroups *groups;
	const DmpScanPlan *plan; /* of the pooled fit, its layout known */
	const int *column;       /* of the design, by parameter of the layout; -1: none */
	const DmpDesign *design;
	int nfills;                     /* features with a flag */
	const double *theta;            /* pooled */
	MemoryContext work;             /* of a group */
	DmpGroupRanks ranks;            /* of a group */
	const DmpGroupRecord **records; /* of a tile */
	char *copies;                   /* DMP_TILE records */
	Size memory;                    /* for the tiles of a group */
} DmpGroupSolver;

/* rows of a group, a tile's worth at a time */
typedef struct DmpGroupRows
{
	DmpGroupSolver *solver;
	int group, partition;
	bool test;
	bool here; /* in one piece, in memory; else picked from the chunks */
	int64 at, n;
	int32 chunk;
	uint32 row;
} DmpGroupRows;

extern void dmp_group_rows_begin(DmpGroupRows *rows, bool test);
/* up to DMP_TILE of them into solver->records; 0: no more */
extern int dmp_group_rows_next(DmpGroupRows *rows);
extern void dmp_group_fit(DmpGroupSolver *solver, DmpGroupRows *rows, DmpGroupFit *fit);

extern void dmp_group_ranks_init(DmpGroupRanks *ranks, Size limit, bool weighted);
extern void dmp_group_ranks_clear(DmpGroupRanks *ranks);
extern void dmp_group_ranks_add(DmpGroupRanks *ranks, double margin, int label, double weight);
/* roc_auc; *error rises to its bound. The log loss is loss / total */
extern double dmp_group_ranks_auc(DmpGroupRanks *ranks, double *error);

#endif /* DMP_GROUPS_H */
