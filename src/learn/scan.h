/*-------------------------------------------------------------------------
 * scan.h
 *		The training scan: rows in, a design and a fit (or their parts) out.
 *
 * Words. A plan says what a scan is for and travels as bytea, the first
 * argument of the aggregate. A state is what one process has gathered. A
 * dense column is a numeric or boolean feature; a text feature is a coded
 * column; a parameter is what the solver moves (math/glm.h): the intercept,
 * then the dense columns in feature order, then levels and missing flags. The
 * layout says which parameter is what. A quadratic stands for rows that are
 * no longer kept (math/glm.h).
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCAN_H
#define DMP_SCAN_H

#include "learn/learn.h"
#include "base/state.h"
#include "clean/values.h"
#include "math/glm.h"
#include "math/glm_path.h"
#include "utils/expandeddatum.h"

/* ------------------------------------------------- bytes in, bytes out (scan_bytes.c) */

typedef struct DmpBytes
{
	char *data;
	Size used, size; /* writing: size is the room; reading: the end */
} DmpBytes;

extern void dmp_put(DmpBytes *b, const void *from, Size n); /* padded to 8 */
extern void dmp_put_int(DmpBytes *b, int64 x);
extern void dmp_put_double(DmpBytes *b, double x);
extern void dmp_put_text(DmpBytes *b, const char *text, Size n);
/* reading raises an error past the end; what is returned points into the bytes */
extern const void *dmp_get(DmpBytes *b, Size n);
extern int64 dmp_get_int(DmpBytes *b);
extern int dmp_get_count(DmpBytes *b, Size each); /* a number of things that still fit */
extern double dmp_get_double(DmpBytes *b);
extern double *dmp_get_doubles(DmpBytes *b, Size n); /* a copy */
extern char *dmp_get_text(DmpBytes *b, Size *n);     /* a copy, with a zero at the end */

/* ---------------------------------------------------------------- layout (scan_layout.c) */

/* statistics of a dense column over its values that are present, relative to its pivot */
typedef struct DmpColumnStats
{
	double weight, mean, m2;
	double weight_positive, positive_mean; /* a target of numbers: sum w y, sum w y x */
	double low, high;
	double missing_weight, missing_positive;
	int64 rows_missing;
} DmpColumnStats;

typedef struct DmpLevelStats
{
	char *text;
	uint32 length;
	uint64 hash;
	int64 rows;
	double weight, positive;
} DmpLevelStats;

/* levels of a text feature as they were met; code = position */
typedef struct DmpDictionary
{
	int n, room;
	DmpLevelStats *levels;
	uint32 nslots; /* power of two */
	int32 *slots;  /* code or -1 */
	int64 rows_missing;
	double missing_weight, missing_positive;
	Size bytes;
} DmpDictionary;

typedef struct DmpStats
{
	int64 rows, rows_test, rows_skipped, rows_positive;
	int64 rows_odd;                 /* the family was guessed, and these are neither 0 nor 1 */
	double weight, weight_positive; /* positive, here and below: a target of numbers, sum w y */
	/* of a target of numbers, relative to its pivot; gaussian: the offset is taken off */
	double target_pivot, target_m2, target_low, target_high;
	/* of offsets: mean, sum w (o - mean)^2, sum w e^o, sum w y o */
	double offset_mean, offset_m2, offset_exp, offset_target;
	double *pivot;           /* ndense */
	DmpColumnStats *columns; /* ndense */
	DmpDictionary *texts;    /* ntexts */
} DmpStats;

typedef struct DmpTextMap
{
	int ncodes;
	int32 *param; /* code -> parameter or -1 */
	int missing_param, other_param;
	/* in C order, those with min_count rows */
	int nlevels;
	int *level_code;
} DmpTextMap;

typedef struct DmpLayout
{
	DmpGlmShape shape; /* ncoded: texts, then a flag for each dense column with missing values */
	int *flag_param;   /* ndense: parameter of the missing flag or -1 */
	int *flag_column;  /* ndense: coded column of the flag or -1 */
	double *fill;      /* ndense: a missing value, relative to the pivot */
	DmpTextMap *texts;
	/* by parameter */
	double *mean, *sd, *penalty_scale, *reach;
	double *penalty_factor, *lower, *upper; /* NULL: 1, none */
	unsigned char *fixed;
	double lambda_max; /* NaN: not to be had from statistics alone */
	double unit;       /* of residuals (math/glm.h) */
} DmpLayout;

/* ------------------------------------------------------------------ plan (scan_plan.c) */

typedef enum DmpScanPhase
{
	DMP_SCAN_LEARN = 1, /* nothing known yet */
	DMP_SCAN_BLOCKS,    /* layout known; rows become quadratics */
	DMP_SCAN_GRADIENT,  /* theta known: loss, gradient, Hessian */
	DMP_SCAN_EVALUATE,  /* theta known: margins into histograms, of training and test rows */
	DMP_SCAN_PATH       /* many theta known: loss and gradient of each, Hessian of some */
} DmpScanPhase;

/* what a PATH scan is to find out; as DmpPathPass of math/glm_path.h */
typedef struct DmpScanPoints
{
	int n;
	bool gradient;
	bool test;     /* losses of the test rows, and nothing else */
	double *theta; /* n x nparams */
	int *held;
	int nhessians, *hessian_of;
} DmpScanPoints;

typedef struct DmpScanPlan
{
	DmpScanPhase phase;
	int nfeatures, ndense, ntexts;
	char **names;
	int8 *encode;    /* DmpEncode */
	bool *indicator; /* dense column is a boolean; ndense */
	bool arrays;     /* features come as numbers float8[], texts text[] */
	bool has_weight;
	double test_fraction, lambda, alpha, tolerance;
	bool intercept;
	int standardize; /* 0 default, 1 all, 2 none */
	int min_count, max_iterations;
	int64 memory;
	DmpFamily family;
	bool guess;         /* binomial, unless a target says otherwise: it is counted, not refused */
	bool has_offset;    /* base_margin */
	bool scaled_factor; /* factors sum to the number of columns */
	bool scaled_target; /* gaussian: the ridge part of the penalty is by the target's deviation */
	char *target;       /* name, for messages */
	/* by feature; NULL: none */
	double *factor;        /* of the penalty */
	double *lower, *upper; /* of coefficients on the scale of the column; infinite: none */
	/* path and cross-validation; then lambda is 1 until it is chosen, the split of a row is the
	 * number of its fold, and -1 that of a test row */
	int nlambdas;   /* 0: neither */
	bool automatic; /* lambdas are to be chosen */
	double *lambdas;
	int nfolds;  /* 0: none */
	bool one_se; /* lambda is the largest within a standard error of the best */
	/* from BLOCKS on */
	DmpStats stats; /* pivots, and the dictionaries the codes are made by */
	DmpLayout layout;
	/* from GRADIENT on */
	double *theta, *direction; /* direction may be NULL */
	double low, high;          /* range of the margin histogram */
	DmpScanPoints *points;     /* PATH */
} DmpScanPlan;

extern bytea *dmp_scan_plan_write(const DmpScanPlan *plan);
extern DmpScanPlan *dmp_scan_plan_read(const bytea *bytes);

/* ----------------------------------------------------------------- state */

#define DMP_MAX_LAMBDAS 1000
#define DMP_MOST_FOLDS 100
#define DMP_HISTOGRAM_BINS 65536

/* sums over rows for the metrics of a target of numbers; they add */
typedef struct DmpErrorSums
{
	double weight, absolute, square, deviance;
	double log_weight, log_factorial; /* sum log w; sum w log y!, of counts */
	double target_mean, target_m2;
} DmpErrorSums;

/* the fits at several lambdas, by falling lambda */
typedef struct DmpScanPath
{
	int n, nfolds, nparams;
	int chosen;
	int best, one_se; /* by cross-validation; -1: none */
	double *lambda;
	double *theta; /* n x nparams; NULL: not kept, nonzero tells how many are */
	int *nonzero;
	double *loss, *kkt;
	double *test_loss;          /* NaN without test rows */
	double *cv_loss, *cv_error; /* NaN without folds; error: standard error of the mean */
	double *fold_loss;          /* nfolds x n */
	double *fold_weight;        /* nfolds */
	int64 *fold_rows, *fold_positive;
	double cv_roc_auc; /* of the rows, each by the fit without its fold, at the chosen lambda */
	double null_loss, saturated, lambda_max;
	/* of a sample of the rows: what is needed to go on to all of them */
	bool sampled;
	double *gradient; /* n x nparams, means at theta */
	int nanchors, *anchor;
	double *hessian; /* of the anchors, packed, means */
	double *null_theta;
} DmpScanPath;

/* what a solve from memory found */
typedef struct DmpScanSolution
{
	DmpFitStatus status;
	double *theta, *hessian; /* hessian: packed mean */
	double *gradient;        /* mean, at theta, of the loss alone */
	double *cubic;           /* third derivatives about theta, mean, nparams^3; or NULL */
	unsigned char *aliased;
	double loss, objective, kkt;
	int iterations;
	int64 memory;
	double roc_auc, test_roc_auc, test_log_loss;
	DmpErrorSums errors[2]; /* training, test; a target of numbers */
	double null_loss;       /* mean, of intercept and offset alone */
	double lambda_max;
	double auc_error;    /* how far they may be off; 0: exact */
	int separated_param; /* largest step, or -1 */
	DmpScanPath *path;   /* NULL: one lambda was given and no folds */
} DmpScanSolution;

/* what comes out of a scan, of one process or of all */
typedef struct DmpScanResult
{
	int ndense, ntexts, nparams; /* as read from bytes; nparams of solution and sums */
	DmpStats stats;
	DmpQuadratic *quadratic; /* NULL: none */
	bool statistics_only;    /* quadratics cannot be had: the design was not known */
	DmpScanSolution *solution;
	/* GRADIENT, EVALUATE */
	DmpGlmSums *sums;
	double sums_weight;
	double *histogram; /* 4 x bins: training negative, positive, test negative, positive; or NULL */
	DmpErrorSums errors[2];
	double test_loss, test_weight;
	Size npoints; /* PATH: numbers that add (scan_path_pass.c) */
	double *points;
	int64 memory; /* most that packed rows took, all processes together */
} DmpScanResult;

typedef struct DmpChunk
{
	int ntiles, used;
	Size bytes;
	void *raw[6];
	double *dense; /* ntiles x ndense x 128 */
	int32 *codes;
	unsigned char *label; /* ntiles x 128 */
	double *weight;       /* ntiles x 128 or NULL */
	double *target, *offset;
} DmpChunk;

typedef struct DmpStore
{
	int nchunks, room;
	DmpChunk *chunks;
	int ncoded;
	int64 ntiles, rows;
	int last; /* rows of the last tile when not 128: only that tile is short */
	Size bytes;
} DmpStore;

/* distance of the columns of a tile that is being filled: not a power of two, or they would share
 * few lines of the cache */
#define DMP_STAGE_STRIDE (DMP_TILE + 8)

typedef struct DmpStage
{
	int n;
	double *dense; /* ndense x stride */
	int32 *codes;  /* ntexts x 128 */
	unsigned char label[DMP_TILE];
	double weight[DMP_TILE];
	double target[DMP_TILE]; /* unless binomial */
	double offset[DMP_TILE];
	uint32 tag[DMP_TILE]; /* of a tap: what row this is */
} DmpStage;

typedef enum DmpScanMode
{
	DMP_MODE_PACK,   /* rows are kept */
	DMP_MODE_STREAM, /* rows are summed at theta */
	DMP_MODE_COUNT   /* statistics only */
} DmpScanMode;

typedef struct DmpScan
{
	ExpandedObjectHeader hdr; /* first */
	int magic;
	DmpScanPlan *plan;
	bytea *plan_bytes;
	bool merged; /* holds what other states found: no row comes any more */
	DmpScanMode mode;
	DmpGlmShape shape; /* of what the kernel sees; LEARN: the dense columns only */
	int stored_codes;  /* coded columns of a stored tile; LEARN: texts, by dictionary code */
	int *reader;       /* nfeatures: how an argument becomes a value; NULL until the first row */
	FmgrInfo *output;  /* nfeatures: for types without a reader of their own */
	bool plain;        /* every feature is float8 */
	DmpStage *stage;   /* training, test, then one for each fold instead of training */
	DmpStats stats;
	DmpMoments moments; /* of dense columns until they have missing values */
	bool *has_missing;  /* ndense: statistics are in stats.columns from here on */
	bool any_missing;
	bool have_pivot;
	DmpStore train, test;
	DmpStore *folds;   /* nfolds, instead of train */
	int64 keep, *seen; /* every keep-th tile of each store is kept, of so many; rows for a path */
	double *points;    /* PATH */
	struct PassRoom *pass_room;
	Size budget;
	Size peak;
	DmpQuadratic *quadratic;
	bool statistics_only;
	/* streaming */
	double *theta;
	DmpGlmSums sums;
	double sums_weight;
	int64 solved_rows; /* when theta was last set */
	int64 streamed;    /* rows in sums */
	double *slices;    /* third derivatives of a sample of the rows in sums */
	double slices_weight;
	int64 tiles;
	double *histogram;
	DmpErrorSums errors[2];
	double test_loss, test_weight;
	/* tile ready for the kernel */
	double *tile;
	double *tile_target;
	bool *tile_missing; /* ndense */
	int32 *tile_codes;
	double *margins;
	void *scratch;
	char *flat; /* serialised form, until a row comes */
	Size flat_size;
	/* sees the rows of each stage, as they were given, before they become a tile; or NULL */
	void (*tap)(struct DmpScan *scan, int which, void *arg);
	void *tap_arg;
} DmpScan;

/* scan_state.c */
extern DmpScan *dmp_scan_new(const bytea *plan_bytes, MemoryContext parent,
							 const ExpandedObjectMethods *methods);
extern DmpScan *dmp_scan_from_bytes(const char *data, Size size, MemoryContext parent,
									const ExpandedObjectMethods *methods);
extern void dmp_scan_merge_bytes(DmpScan *scan, const char *data, Size size);
extern Size dmp_scan_serialize(DmpScan *scan);
extern void dmp_scan_state_check(const char *data, Size size);
extern void dmp_scan_init(void);
/* a scan whose rows feed() puts into its stages, to its end: what the final function would find */
extern DmpScanResult *dmp_scan_of_rows(const bytea *plan_bytes,
									   void (*feed)(DmpScan *scan, void *arg), void *arg);
extern DmpScanResult *dmp_scan_state_read(const char *data, Size size, bytea **plan_bytes);
extern void dmp_scan_check_shape(const DmpScanPlan *plan, const DmpScanResult *r);

/* scan_plan.c */
extern DmpScanResult *dmp_scan_result_read(DmpBytes *b);
extern void dmp_scan_result_write(DmpBytes *b, const DmpScanPlan *plan, const DmpScanResult *r);

/* scan_store.c */
extern Size dmp_store_tile_bytes(const DmpScan *scan);
extern bool dmp_store_append(DmpScan *scan, DmpStore *store, const DmpGlmTile *tile);
extern void dmp_store_thin(const DmpScan *scan, DmpStore *store);
extern void dmp_store_free(DmpStore *store);
extern void dmp_store_tile(const DmpStore *store, const DmpGlmShape *shape, int chunk, int at,
						   DmpGlmTile *tile);

/* scan_dictionary.c */
extern void dmp_dictionary_init(DmpDictionary *d);
extern int dmp_dictionary_code(DmpDictionary *d, const char *text, Size length, bool add);

/* scan_row.c */
extern void dmp_scan_row_doubles(DmpScan *scan, double label, const double *x);
extern void dmp_scan_flush(DmpScan *scan, int which, bool final);
extern void dmp_scan_count_only(DmpScan *scan);
extern void dmp_errors_tile(DmpErrorSums *e, DmpFamily family, const DmpGlmTile *tile,
							const double *margins);
/* fit.c: metrics of training (0) or held out rows (1) */
extern void dmp_fit_take_errors(DmpFit *fit, int which, const DmpErrorSums *e);
extern void dmp_errors_merge(DmpErrorSums *into, const DmpErrorSums *from);
/* fit.c: mean loss where every margin is 0; INFINITY when the statistics do not say */
extern double dmp_loss_at_zero(const DmpScanPlan *plan, const DmpStats *s);

/* scan_layout.c */
extern void dmp_scan_stats_sync(DmpScan *scan);
extern double dmp_stats_merge(const DmpScanPlan *plan, DmpStats *into, const DmpStats *from,
							  double *shift);
/* intercept of the model that knows nothing else; of an offset of probabilities, a guess */
extern double dmp_null_start(const DmpScanPlan *plan, const DmpStats *stats);
/* its mean loss; NaN when statistics do not say */
extern double dmp_null_loss(const DmpScanPlan *plan, const DmpStats *stats);
extern DmpLayout *dmp_layout_make(const DmpScanPlan *plan, const DmpStats *stats);
extern bool dmp_at_bound(const DmpLayout *layout, const double *theta, int i);
/* mean, deviation, scale of the penalty and reach of parameter p */
extern void dmp_layout_describe(const DmpScanPlan *plan, DmpLayout *l, int p, bool indicator,
								double mean, double sd, double reach);
extern void dmp_layout_problem(const DmpScanPlan *plan, const DmpLayout *layout,
							   DmpGlmProblem *problem);

/* scan_path.c */
extern DmpScanSolution *dmp_scan_path(DmpScan *scan);
extern void dmp_scan_path_write(DmpBytes *b, const DmpScanPath *path);
extern DmpScanPath *dmp_scan_path_read(DmpBytes *b);
/* the parts that rows in memory and rows by scans share */
extern DmpScanPath *dmp_scan_path_new(const DmpScanPlan *plan, const DmpPath *path);
extern void dmp_scan_path_summarise(DmpScanPath *path);
extern void dmp_scan_path_choose(const DmpScanPlan *plan, DmpScanPath *path);

/* scan_path_pass.c */
extern Size dmp_scan_points_size(const DmpScanPlan *plan);
extern void dmp_scan_points_write(DmpBytes *b, const DmpScanPlan *plan);
extern DmpScanPoints *dmp_scan_points_read(DmpBytes *b, const DmpScanPlan *plan);
extern void dmp_scan_path_tile(DmpScan *scan, const DmpGlmTile *tile, int stage);
extern DmpScanPath *dmp_scan_path_by_scans(DmpScanPlan *plan, const DmpScanPath *sample,
										   const double *exact, DmpScanResult *(*scan)(void *arg),
										   void *arg);

/* scan_solve.c */
extern void dmp_scan_close_block(DmpScan *scan);
extern void dmp_scan_settle(DmpScan *scan);
extern void dmp_scan_stream_tile(DmpScan *scan, const DmpGlmTile *tile);
extern void dmp_quadratic_solve(const DmpScanPlan *plan, const DmpLayout *layout,
								const DmpQuadratic *q, double weight, double ridge, double *theta);
/* the sum, and all points; in CurrentMemoryContext's keeping as into is */
extern void dmp_quadratic_join(DmpQuadratic *into, const DmpQuadratic *from);
extern bool dmp_scan_can_fit(const DmpScanPlan *plan, const DmpStats *stats, DmpFitStatus *status);
extern bool dmp_scan_enough_rows(const DmpScanPlan *plan, const DmpStats *stats,
								 const DmpLayout *layout);
extern bool dmp_scan_prepare(DmpScan *scan);
extern DmpScanSolution *dmp_scan_solve(DmpScan *scan);
extern double dmp_null_solve(const DmpScanPlan *plan, const DmpStats *stats,
							 const DmpGlmProblem *problem, double *lambda_max);
extern void dmp_solution_take(DmpScanSolution *out, const DmpGlmSolution *s);
extern void dmp_solution_gradient(DmpScanSolution *out, const DmpGlmSolution *s, int nparams);

#endif /* DMP_SCAN_H */
