/*-------------------------------------------------------------------------
 * update.h
 *		dmp.update_model: a fit goes on with new rows only.
 *
 * Words. The prior is the loss of all rows a model has seen, as a polynomial
 * in the parameters about a point (math/glm.h), without any penalty. A state
 * is the prior and what else must be remembered; it is stored beside the
 * model. A batch is the rows of one call. Rows wait when there are too few of
 * a class to learn from: they stay in the state until a later batch joins them.
 *
 * Parameters are in the order of the kernel: the intercept, the numeric and
 * boolean design columns in feature order, then all other design columns,
 * ascending. A design column that is added later is the last in both orders.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_UPDATE_H
#define DMP_LEARN_UPDATE_H

#include "learn/learn.h"
#include "learn/scan.h"
#include "learn/train.h"

/* fewer rows of either class wait */
#define DMP_UPDATE_MIN_ROWS 20
/* values of a text feature that are counted until they have a column of their own */
#define DMP_UPDATE_WAITING_LEVELS 10000

/* 128 rows as they were read, before any encoding that may still change */
typedef struct DmpBatchTile
{
	int n;
	double *number;     /* nnumbers x 128; NaN: missing */
	int32 *code;        /* ntexts x 128; of the dictionary, -1: none of it, -2: missing */
	double y[DMP_TILE]; /* 0 or 1, or a number */
	double weight[DMP_TILE];
} DmpBatchTile;

typedef struct DmpUpdateState
{
	/* how the model is fitted */
	DmpFamily family;
	double lambda; /* as the solver takes them, after any conversion */
	double alpha;
	double unit; /* deviation of the target, at first */
	bool intercept;
	int standardize; /* 0 default, 1 all, 2 none */
	int min_count;
	int max_iterations;
	double tolerance;
	double class_weight[2];
	double shift; /* stored intercept = fitted - shift: class weights, taken back */
	bool decayed; /* some rows count less than once: no standard errors */
	/* what it has seen */
	int64 rows;
	double weight; /* W, decayed */
	int nparams;
	DmpQuadratic prior;    /* sums over rows, in theta - origin */
	double *origin;        /* nparams */
	double *factor;        /* of the penalty, nparams */
	double *lower, *upper; /* of coefficients, nparams; infinite: none */
	double *mean;          /* of the columns less their pivots, nparams; [0] unused */
	double *variance;      /* nparams; [0] unused */
	/* what has no column yet */
	int nnumbers, ntexts;
	int64 *
		missing; /* of a feature: rows whose missing value has no column yet; -1: has, or never will */
	DmpDictionary
		*text; /* of a text feature: its levels, then the values that are counted; ntexts */
	/* rows that wait */
	int ntiles;
	DmpBatchTile **tiles;
} DmpUpdateState;

/* Where the parts of a row go; made by dmp_update_map() from design and state, again when these change. */
typedef struct DmpUpdateMap
{
	DmpGlmShape shape;
	int *number_feature; /* of a number of a batch tile */
	int *text_feature;
	int *dense_number;  /* of a dense column of the kernel: which number */
	int *flag_number;   /* of a flag, the coded columns after the texts: which number */
	int *param;         /* of a design column; -1: the base margin */
	int offset_number;  /* number that is the base margin, or -1 */
	int *column;        /* of a parameter; [0] -1 */
	int32 **text_param; /* of a text and code below text_codes; later codes are as unseen */
	int *text_codes;
	int *text_other; /* parameters, or -1 */
	int *text_missing;
	int *flag_param; /* as flag_number */
} DmpUpdateMap;

/* ---- update_state.c */

/* of a fit: the loss about its solution, by design columns; column[p] of parameter p */
extern void dmp_fit_keep_loss(const DmpScanPlan *plan, DmpFit *out, const DmpScanSolution *s,
							  const int *column);
extern int dmp_update_numbers(const DmpDesign *design);
extern int dmp_update_texts(const DmpDesign *design);
/* NULL when the fit has no loss to go on from */
extern DmpUpdateState *dmp_update_state_of_fit(const DmpFit *fit, const DmpModel *model,
											   const DmpFitSpec *spec, const double *class_weight,
											   double shift);
/* why a model cannot be updated, or NULL */
extern const char *dmp_update_refused(const DmpModel *model);
extern bytea *dmp_update_state_write(const DmpUpdateState *state, const DmpDesign *design);
/* checks it against the design of its model */
extern DmpUpdateState *dmp_update_state_read(const bytea *bytes, const DmpModel *model);
extern DmpUpdateMap *dmp_update_map(const DmpModel *model, const DmpUpdateState *state);

/* little-endian, whatever the machine */
extern void dmp_update_put_word(DmpBytes *b, uint64 x);
extern void dmp_update_put_number(DmpBytes *b, double x);
extern uint64 dmp_update_get_word(DmpBytes *b);
extern double dmp_update_get_finite(DmpBytes *b,
									double low); /* an error when it is not, or below */
extern void dmp_update_bad_state(void) pg_attribute_noreturn();

/* ---- update_rows.c */

/* room for a tile, and for the kernel's work on it; all aligned */
typedef struct DmpUpdateRoom
{
	double *dense;
	int32 *codes;
	double *target;
	double *offset;
	double *margins;
	void *scratch;
	unsigned char label[DMP_TILE];
} DmpUpdateRoom;

typedef struct DmpWideUpdate DmpWideUpdate;

typedef struct DmpBatch
{
	const DmpModelRow *row;
	DmpModel *model;
	DmpUpdateState *state;
	DmpWideUpdate *wide; /* of hashed columns; then of state only what is told of it. Else NULL */
	DmpUpdateMap *map;
	MemoryContext context; /* of all that is kept */
	Size room;             /* bytes of tiles that may be kept at a time */
	/* rows to be learned from, those that waited first */
	int ntiles, tiles_room;
	DmpBatchTile **tiles;
	Size bytes, bytes_most;
	int64 rows[2]; /* in tiles, by class (gaussian, poisson: all in [1]) */
	/* of this call */
	int64 read, skipped, positive;
	double weight_read, weight_positive;
	double loss_before;                       /* by the model as it was */
	DmpErrorSums errors_before, errors_after; /* of a target of numbers */
	Size nmargins, margins_room;
	double *margin;
	unsigned char *label;
	double *margin_weight;
	/* of the fits so far */
	int parts;
	double weight_fitted, loss_after;
	double dispersion; /* of least squares, else 1 */
	int rank;
	int iterations;
	double objective, kkt;
	DmpFitStatus status;
	double *theta; /* nparams */
	double *theta_before;
	double *std_err; /* 1 + width, or NULL */
	bool *aliased;   /* width */
	List *warnings;
} DmpBatch;

/* SELECT of target, weight and features from the query; checks the columns */
extern char *dmp_update_sql(const DmpBatch *batch, const DmpTrainQuery *query, const char *weight);
/* reads all rows; fits a part whenever memory is full */
extern void dmp_update_read(DmpBatch *batch, const char *sql, bool has_weight);
/* a tile as the kernel wants it, in room */
extern void dmp_update_tile(const DmpBatch *batch, const DmpUpdateMap *map,
							const DmpBatchTile *from, DmpUpdateRoom *room, DmpGlmTile *tile);
extern void dmp_update_room(DmpUpdateRoom *room, const DmpGlmShape *shape);
/* counts a row with its margin by the model that has not seen it */
extern void dmp_update_judge(DmpBatch *batch, double margin, double weight, bool positive);
extern Size dmp_update_tile_bytes(const DmpUpdateState *state);
extern void *dmp_update_aligned(Size size);

/* ---- update_fit.c */

/* the rows in the batch join the prior; theta is the new optimum */
extern void dmp_update_fit(DmpBatch *batch);
/* the same at the end, unless the rows are too few and wait */
extern void dmp_update_finish(DmpBatch *batch);
extern int64 dmp_update_few(const DmpBatch *batch);

/* ---- update_wide.c, update_wide_state.c */

/*
 * Options "solver" and "ftrl" of dmp.train, checked; what they leave out as it
 * is by default. Whether updates learn by FTRL-Proximal.
 */
extern bool dmp_update_wide_options(const DmpDoc *options, double *rate, double *beta);
/* state NULL: the version comes from dmp.train. Returns why it cannot be updated, or NULL */
extern const char *dmp_update_wide_open(DmpBatch *batch, const bytea *state);
/* what is kept of a fit, as bytes */
extern bytea *dmp_update_wide_first(const DmpFit *fit, const DmpFitSpec *spec);
/* reads all rows and learns from them */
extern void dmp_update_wide_read(DmpBatch *batch, const char *sql, bool has_weight, double decay);
extern void dmp_update_wide_finish(DmpBatch *batch);
extern bytea *dmp_update_wide_write(const DmpWideUpdate *u, const DmpModel *model);

/* ---- update.c */

/* keeps the loss of a fit beside the version, so that it can be updated. SPI is connected. */
extern void dmp_update_keep(const char *name, int version, const DmpFit *fit, const DmpModel *model,
							const DmpFitSpec *spec, const double *class_weight, double shift);

#endif /* DMP_LEARN_UPDATE_H */
