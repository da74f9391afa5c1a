/*-------------------------------------------------------------------------
 * learn.h
 *		What the files of learn share, and what score may use.
 *
 * A feature is a column of the training query. A design column is a number
 * the solver sees: a numeric feature makes one (and a missing flag where
 * values are missing), a text feature one for each level. A design knows how
 * features become design columns; a fit is the solver's answer over a design;
 * a model is design + fit in the form that is stored, named and versioned.
 *
 * The margin is always evaluated as
 *
 *		margin = a + sum_j b_j (x_j - c_j)
 *
 * in feature order, with c_j the pivot of design column j (0 for indicators),
 * so that columns far from zero (epoch seconds, money) lose no digits.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_H
#define DMP_LEARN_H

#include "dmp.h"
#include "base/base.h"
#include "math/glm.h"
#include "nodes/pg_list.h"

/* ---------------------------------------------------------------- design */

typedef enum DmpEncode
{
	DMP_ENCODE_NUMERIC, /* any number; NaN and NULL are missing */
	DMP_ENCODE_BOOLEAN, /* 0 or 1, an indicator: scale 1 in the penalty */
	DMP_ENCODE_ONE_HOT, /* text, few values: an indicator a level */
	/* the wide ones: their columns are hashed, and fitted by dmp_fit_wide() */
	DMP_ENCODE_NGRAMS,   /* text: words and runs of characters (text.c), weighted */
	DMP_ENCODE_HASH,     /* text, many values: the value */
	DMP_ENCODE_MULTI_HOT /* text[]: each element once */
} DmpEncode;

#define DMP_ENCODE_IS_WIDE(encode) ((encode) >= DMP_ENCODE_NGRAMS)

/* The hashed columns of a feature that have a coefficient; a feature of n-grams has two blocks. */
typedef struct DmpHashBlock
{
	int n;
	uint32 *buckets; /* ascending, below 2^bits of the feature */
	float *factor;   /* of each: idf; NULL: 1 */
	int first;       /* its first wide column */
	int32 *lookup;   /* 2^bits: place in buckets, or -1; of a model that is to score */
} DmpHashBlock;

typedef struct DmpLevel
{
	char *text; /* the level's bytes; levels are in C order */
	int64 rows;
	int index; /* design column, or -1: the reference, coef 0 */
} DmpLevel;

/* what a value of this type can be a feature as; domains count as their base type */
typedef enum DmpValueKind
{
	DMP_VALUE_NUMBER,
	DMP_VALUE_BOOLEAN,
	DMP_VALUE_TEXT,        /* text types and enums */
	DMP_VALUE_TEXTS,       /* text[] */
	DMP_VALUE_TIMESTAMP,   /* timestamp, date */
	DMP_VALUE_TIMESTAMPTZ, /* what its parts are depends on a zone */
	DMP_VALUE_NUMBERS,     /* array of numbers */
	DMP_VALUE_OTHER
} DmpValueKind;

/* how values of sources become the feature's: transform.h; NULL: as they are */
struct DmpTransform;

typedef struct DmpFeature
{
	char *name; /* column name in the query, or what the transform is called by */
	Oid type;   /* its type at training */
	DmpEncode encode;
	struct DmpTransform *transform;
	int source;        /* of the design; of a transform the first */
	int index;         /* NUMERIC, BOOLEAN: the design column; -1 when dropped (constant) */
	double fill;       /* NUMERIC, BOOLEAN: what a missing value is taken as */
	int missing_index; /* design column of the missing flag, or -1 */
	int64 rows_missing;
	/* ONE_HOT */
	int nlevels;
	DmpLevel *levels; /* levels with at least min_count rows */
	int other_index;  /* levels below min_count together; -1: none (or the reference) */
	int64 rows_other;
	/* the wide ones */
	int bits;
	int min_rows; /* a bucket met in fewer training rows has no column */
	int nblocks;
	DmpHashBlock *blocks;
} DmpFeature;

/* A column that the model reads; values come in the order of the sources. */
typedef struct DmpSource
{
	char *name;
	DmpValueKind kind;
	int length;      /* NUMBERS: elements of the array */
	double *numbers; /* NUMBERS: of the row at hand, NaN where NULL; NULL: no array */
} DmpSource;

/* values of the features of the row at hand, where there are transforms */
typedef struct DmpFeatureRow
{
	Datum *values;
	bool *nulls;
	Oid *types;
} DmpFeatureRow;

typedef struct DmpDesign
{
	int nfeatures;
	DmpFeature *features;
	/* dmp_design_find_sources(): one a feature, unless transformed */
	int nsources;
	DmpSource *sources;
	bool transformed;
	bool has_arrays;
	DmpFeatureRow *row; /* of transformed ones */
	int width;          /* design columns, intercept not counted */
	double *pivot;      /* c_j, width */
	double *mean;       /* mean of design column over the training rows (weighted), width */
	double *scale;      /* s_j: weighted sd (divisor W) of numeric columns, 1 for indicators */
} DmpDesign;

/* ------------------------------------------------------------------- fit */

/* the status column of dmp.models; text in dmp_fit_status_name() */
typedef enum DmpFitStatus
{
	DMP_FIT_CONVERGED,
	DMP_FIT_ITERATION_LIMIT,
	DMP_FIT_SEPARATED,
	DMP_FIT_DIVERGED,
	DMP_FIT_ONE_CLASS,
	DMP_FIT_NO_ROWS,
	DMP_FIT_TOO_FEW_ROWS,
	DMP_FIT_APPROXIMATE, /* dmp.logit past its memory budget only */
	DMP_FIT_NOT_BINARY   /* the family was a guess, and a target is neither 0 nor 1: no fit */
} DmpFitStatus;

/*
 * What is to be fitted. select_sql is a SELECT, without a trailing semicolon,
 * whose output columns are named: "target" float8 (NULL: row skipped and
 * counted), "weight" float8 when has_weight, "split" float8 in [0,1) when
 * test_fraction > 0 (a row with split < test_fraction is a test row; see nfolds),
 * "base_margin" float8 when base_margin (NULL: row skipped and counted), "cluster"
 * when has_cluster, then one column for each feature, named "f1" ... "fN", in
 * the types of the query.
 */
struct DmpScanPlan;
struct DmpScanResult;
struct DmpScanSolution;
struct DmpFit;

/*
 * Rows of a fit from somewhere else than a statement run for each pass: scan()
 * makes a pass by the bytes of a plan (NULL: there is no row), finish() is
 * called with what was found before it is let go. column: of each parameter.
 */
typedef struct DmpFitSource DmpFitSource;
struct DmpFitSource
{
	struct DmpScanResult *(*scan)(DmpFitSource *source, const bytea *plan);
	void (*finish)(DmpFitSource *source, const struct DmpScanPlan *plan, const int *column,
				   struct DmpFit *fit, const struct DmpScanSolution *solution);
	int scans; /* of the data */
};

typedef struct DmpFitSpec
{
	const char *select_sql;
	int nargs; /* parameters $1.. of select_sql */
	Oid *argtypes;
	Datum *argvalues;
	const char *argnulls;
	int nfeatures;
	DmpFeature *features;    /* name, type, encode given; the rest is found by the scan */
	const char *target;      /* its name, for messages */
	DmpFamily family;        /* unless nclasses > 0 */
	bool guess;              /* family is binomial, or else status DMP_FIT_NOT_BINARY comes back */
	bool scaled_target;      /* gaussian: the ridge part is divided by the target's deviation */
	const char *base_margin; /* name of the column added to the margin, or NULL */
	double *factor;          /* by feature, of the penalty; NULL: 1 */
	bool scaled_factor;      /* they are to sum to the number of columns */
	double *lower, *upper;   /* by feature, of its coefficient, infinite: none; NULL: no bounds */
	bool has_weight;
	double test_fraction;
	int nclasses;  /* 0: binomial; else "target" is a class number from 0 on, softmax */
	int64 seed;    /* of the order of rows, wide fits only */
	double lambda; /* penalty strength on the mean loss; NaN: 0.03 / rows, wide fits only */
	double alpha;  /* 0 ridge .. 1 lasso */
	bool intercept;
	const char
		*standardize; /* "default": s_j as DmpDesign.scale; "all": sd for every column; "none": 1 */
	int min_count;    /* levels with fewer rows join "other" */
	double tolerance; /* on the KKT residual of the mean objective, standardised scale */
	int max_iterations;
	int64 memory; /* bytes for packed rows, all processes together */
	bool robust;  /* errors from what each row adds to the gradient, not from the model */
	bool has_cluster;
	const char *cluster_name; /* of the query's column, for messages */
	const char *no_errors;    /* why no standard errors may be given, or NULL */
	/* path and cross-validation, instead of lambda unless one lambda is all there is */
	int nlambdas;    /* 0: neither */
	double *lambdas; /* falling; NULL: to be chosen */
	int nfolds;      /* 0: none; else "split" is the fold of a row, from 0 on, and -1 a test row */
	bool one_se;     /* the largest lambda within a standard error of the best, not the best */
	bool keep_wide;  /* the loss of a fit with hashed columns is asked for */
	DmpFitSource *source; /* of the rows; NULL: select_sql */
} DmpFitSpec;

/*
 * The mean loss about a solution, penalty left out, to third order where it is
 * kept: the intercept, then the design columns. What dmp.update_model goes on from.
 */
#define DMP_LOSS_PARAMS 1001

typedef struct DmpLoss
{
	double mean_loss;
	double *gradient; /* 1 + width */
	double *hessian;  /* packed */
	double *cubic;    /* (1 + width)^3, or NULL */
	double *sd;       /* of the columns */
	/* the penalty as the solver took it; factor and bounds NULL: 1, none */
	double lambda, alpha;
	double *factor, *lower, *upper; /* 1 + width */
	double unit;
} DmpLoss;

/*
 * The same of a fit with hashed columns: the intercept, the design columns, then
 * hashed columns, in the units of DmpDesign.scale. Sums over rows. All second
 * derivatives are those of the block; of other columns there are their own.
 */
#define DMP_WIDE_BLOCK 1000

typedef struct DmpWideLoss
{
	int n;
	double *gradient;
	double *diagonal;
	int nblock;
	int *block;
	double *hessian; /* nblock x nblock */
} DmpWideLoss;

typedef struct DmpFit
{
	DmpFitStatus status;
	DmpDesign design;
	double a;           /* margin at the pivots */
	double *coef;       /* b_j, width; on the scale of the columns as given */
	bool *aliased;      /* width; coef 0: the column is a combination of earlier ones */
	double *std_err;    /* width + 1 ([0]: intercept on the raw scale); NULL: none to give */
	double *covariance; /* packed lower (width + 1)^2 of (raw intercept, coef); NULL as above */
	int64 rows;         /* training rows used */
	int64 rows_test;
	int64 rows_skipped; /* target NULL, weight 0, an infinity in a feature */
	int64 rows_positive;
	double weight_sum; /* W */
	double weight_positive;
	DmpFamily family;
	char *base_margin; /* the last feature of the design, or NULL */
	double loss;       /* of the family (math/glm.h), mean over the training rows */
	double null_loss;  /* of intercept and offset alone */
	double log_loss;   /* the same when the target is a class, else NaN */
	double null_log_loss;
	/* of a target of numbers, training and test; else NaN */
	double rmse[2], mae[2], r_squared[2], mean_deviance[2];
	double null_deviance_of_numbers, minus_two_log_likelihood;
	double objective;
	double kkt_residual;
	double lambda_max; /* smallest lambda at which every penalised coef is 0; NaN when alpha = 0 */
	double roc_auc;    /* on the training rows; NaN when not defined */
	double test_roc_auc; /* NaN without test rows */
	double test_log_loss;
	int iterations;
	int scans;         /* of the data, all of them counted */
	int64 memory_used; /* peak of the packed rows and solver, bytes, this process */
	List *warnings;    /* of char * */
	DmpLoss *kept;     /* NULL: not converged, or too many columns */
	DmpWideLoss *wide_kept;
	/* of dmp_fit_wide(), else 0 and NULL. coef has a run of nclasses for each column then. */
	double lambda;
	int nclasses;       /* 0: binomial */
	double *intercepts; /* nclasses, instead of a */
	int wide_width;     /* columns of all hash blocks */
	float *wide;        /* wide_width runs of nclasses (or 1) */
	double accuracy;    /* of the most probable class; NaN: none */
	double test_accuracy;
	/* inference.c */
	const char *std_err_kind; /* "model", "robust", "cluster", "ridge"; NULL: there are none */
	const char *no_errors;    /* then why */
	double *vif;              /* inflation of variance, width; NaN: none; NULL: of no column */
	int64 clusters;           /* 0: errors are not by cluster */
	int rank;                 /* coefficients that were estimated, the intercept too */
	double dispersion;        /* gaussian: residual sum of squares / (rows - rank); else 1 */
	double deviance;
	double null_deviance;
	double aic; /* NaN: a penalty, or not at an optimum */
	double bic;
	int64 df_null;
	int64 df_residual;       /* -1: not a count, with a penalty */
	struct DmpFitPath *path; /* path.h; NULL: none was asked for. lambda is the chosen one then. */
} DmpFit;

extern const char *dmp_fit_status_name(DmpFitStatus status);
/* error: a count below 0 */
extern void dmp_train_refuse_negative(const char *target, double y) pg_attribute_noreturn();
extern const char *dmp_family_name(DmpFamily family);

/* the ereport(ERROR) that follows at once comes without context */
extern void dmp_error_alone(void);
/* setting dmp.training_memory, kB */
extern int dmp_training_memory;

/* Runs the scans and the solver. SPI must be connected; result in CurrentMemoryContext. */
extern DmpFit *dmp_fit_binomial(const DmpFitSpec *spec);
/* The same in one scan for hashed columns and for several classes (wide_fit.c). */
extern DmpFit *dmp_fit_wide(const DmpFitSpec *spec);

/* ----------------------------------------------------------------- model */

/* How scores are made to come true (calibration.c): a step after the link, fitted by dmp.calibrate. */
typedef enum DmpCalibrationMethod
{
	DMP_CALIBRATION_PLATT,
	DMP_CALIBRATION_ISOTONIC
} DmpCalibrationMethod;

typedef struct DmpCalibration
{
	DmpCalibrationMethod method;
	double slope; /* PLATT: p = 1 / (1 + e^-(slope margin + intercept)), slope >= 0 */
	double intercept;
	int n;     /* ISOTONIC: knots, at least 1, linear between them */
	double *x; /* margins, ascending */
	double *y; /* probabilities, not descending */
} DmpCalibration;

typedef struct DmpSegments DmpSegments;

/* margins beyond are taken as it: past it exp() leaves the range of float8 */
#define DMP_MARGIN_LIMIT 700.0

/*
 * A model in memory, made from a fit or parsed from its stored json (type
 * dmp.model_value, whose storage is a small header and the json text).
 */
typedef struct DmpModel
{
	char *kind;     /* "glm" */
	char *family;   /* "binomial", "multinomial", "gaussian" or "poisson" */
	DmpFamily link; /* of them, binomial also when multinomial */
	char *target;   /* column name */
	char *positive; /* text of the positive class, e.g. "true", "1", "yes" */
	char *negative;
	double threshold; /* of dmp.classify */
	double reject;    /* a row whose most probable class is less probable has none; 0: all have */
	DmpCalibration *calibration; /* NULL: scores are the link of the margin */
	/* name of the feature that is added to the margin as it is: a numeric one with coefficient 1,
	 * the last of the design; NULL: none */
	char *base_margin;
	DmpDesign design;
	double a;
	double *coef; /* design.width runs of max(nclasses, 1) */
	/* family "multinomial" */
	int nclasses; /* 0: binomial */
	char **classes;
	double *intercepts; /* instead of a */
	/* hashed columns */
	int wide_width;
	float *wide;           /* wide_width runs of max(nclasses, 1) */
	bool general;          /* hashed columns or classes: dmp_model_margins(), not the quick way */
	DmpSegments *segments; /* coefficients of each group (segments.h); NULL: no by columns */
	MemoryContext context; /* everything above lives here */
} DmpModel;

/* json text of a model, format 1; floats are printed so that they read back bit for bit */
extern char *dmp_model_to_json(const DmpModel *model);
/* Reads and checks it all: sizes, indexes, order of levels, finite numbers. Context: a child of parent. */
extern DmpModel *dmp_model_from_json(const char *json, MemoryContext parent);
/* The model of a fit; shares the fit's memory, is in CurrentMemoryContext. */
extern DmpModel *dmp_model_from_fit(const DmpFit *fit, const char *target, const char *positive,
									const char *negative, char **classes);
/* error: the model tells classes apart, it has no one probability or margin of a row */
extern void dmp_model_refuse_classes(const DmpModel *model) pg_attribute_noreturn();
/* error: it has hashed columns, which only C code knows, or (wide) several classes; what: what cannot
 * be made of it */
extern void dmp_model_refuse_wide(const DmpModel *model, const char *what);
extern void dmp_model_refuse_hashed(const DmpModel *model, const char *what);
/* intercept of margin = intercept + sum_j b_j x_j, on the columns as given */
extern double dmp_model_intercept(const DmpModel *model);

/*
 * The stored form, type dmp.model_value: a hash of the content, by which a
 * reader knows a model it has seen, and the json text, not terminated.
 */
typedef struct DmpModelValue
{
	int32 vl_len_; /* varlena header */
	uint32 format; /* 1 */
	uint64 hash;
	char json[FLEXIBLE_ARRAY_MEMBER];
} DmpModelValue;

#define DMP_MODEL_FORMAT 1
#define DMP_MODEL_VALUE_HEADER offsetof(DmpModelValue, json)

extern DmpModelValue *dmp_model_value_make(const char *json, Size length);
extern char *dmp_model_value_json(const DmpModelValue *value); /* a terminated copy */

/* What a row met on its way to a margin; counters are added to. */
typedef struct DmpRowNotes
{
	int missing; /* values that were missing */
	int unseen;  /* texts that were no level of the model */
} DmpRowNotes;

extern DmpValueKind dmp_value_kind(Oid type);
extern const char *dmp_value_kind_name(DmpValueKind kind); /* "a number" */
/* what the values of a feature without transform must be */
extern DmpValueKind dmp_encode_kind(DmpEncode encode);
/* the bytes of a text, of a value of base type type */
extern const char *dmp_value_text(Datum value, Oid type, int *length);
/* elements of an array of numbers of array type type, palloc'd; NULL elements are NaN */
extern double *dmp_value_numbers(Datum value, Oid type, int *n);
/* design column of a level, -1: the reference; *unseen is set when it is no level of the model */
extern int dmp_level_column(const DmpFeature *feature, const char *bytes, int length, bool *unseen);

/* Fills sources of the design, and each feature's place among them, once the features are known. */
extern void dmp_design_find_sources(DmpDesign *design);
/* first of the elements of an array of numbers: how many there are; of any other feature 0 */
extern int dmp_feature_elements(const DmpFeature *feature);
/* the time zone that parts of a source of kind TIMESTAMPTZ are in */
extern const char *dmp_design_zone(const DmpDesign *design, const DmpSource *source);
/*
 * Of a transformed design: values of the sources become those of the features
 * (design->row), which the arguments point to afterwards.
 */
extern void dmp_transform_row(const DmpDesign *design, const Datum **values, const bool **nulls,
							  const Oid **types, DmpRowNotes *notes);

/*
 * How one row becomes a margin: values, nulls and types (base types, of the
 * kind the source is of) in the order of design.sources, then those of the by
 * columns of a model with segments. notes may be NULL.
 */
extern double dmp_model_margin(const DmpModel *model, const Datum *values, const bool *nulls,
							   const Oid *types, DmpRowNotes *notes);
/* columns of a row that a model needs: its sources, then its by columns; and their names */
extern int dmp_model_inputs(const DmpModel *model);
extern const char *dmp_model_input(const DmpModel *model, int i);
/* The same for any model: max(nclasses, 1) margins. */
extern void dmp_model_margins(const DmpModel *model, const Datum *values, const bool *nulls,
							  const Oid *types, DmpRowNotes *notes, double *margins);
/* margins of classes become their probabilities; returns the most probable one */
extern int dmp_model_softmax(int nclasses, double *margins);
/* what a margin predicts: a probability, or the mean of a target of numbers */
extern double dmp_model_response(const DmpModel *model, double margin);
/* error: the target is a number and has no classes; what: what was asked for */
extern void dmp_model_refuse_numbers(const DmpModel *model, const char *what);
/* 1 / (1 + exp(-margin)), the margin held within +-700 as in dmp.model_sql */
extern double dmp_model_probability(double margin);

/* ---- calibration.c */

/* 1 - score, which keeps its digits near 0 */
extern double dmp_model_score_rest(const DmpModel *model, double margin);
/* class of a row of two classes by its score; NULL: below the reject threshold */
extern const char *dmp_model_class(const DmpModel *model, double score);
/* -log of the probability given to label (0 or 1) */
extern double dmp_model_loss(const DmpModel *model, double margin, int label);
extern const char *dmp_calibration_method_name(DmpCalibrationMethod method);
extern double dmp_calibrated(const DmpCalibration *calibration, double margin);

/* the score of a row of a model without classes: the link of its margin, then the calibration */
static inline double
dmp_model_score(const DmpModel *model, double margin)
{
	if (likely(model->calibration == NULL))
		return likely(model->link == DMP_BINOMIAL) ? dmp_model_probability(margin)
												   : dmp_model_response(model, margin);
	return dmp_calibrated(model->calibration, margin);
}

typedef struct DmpCoefficient
{
	const char *feature;
	const char *level; /* NULL: a number or a boolean as it is */
	int column;        /* of the design; -2 the intercept, -1 none (coef 0) */
	const char *class; /* of a multinomial model, else NULL */
	int64 rows;        /* of a level, -1 otherwise */
	double coef;       /* NaN: aliased, or hashed columns, which are not listed one by one */
	double std_err;    /* NaN: there is none */
	double z;
	double p;
	double low; /* 95 % interval */
	double high;
	double vif; /* NaN: there is none */
} DmpCoefficient;

/* what the registry knows of coefficients beyond the model */
typedef struct DmpErrors
{
	const double *std_err; /* width + 1, the intercept first; or NULL */
	const double *vif;     /* width; or NULL */
	const int32 *aliased;  /* design columns */
	int naliased;
	bool biased; /* by a penalty: no z, p, interval */
	double df;   /* of Student's distribution; NaN: normal */
} DmpErrors;

/* In the order of the features, the intercept first, class by class. */
extern DmpCoefficient *dmp_model_coefficients(const DmpModel *model, const DmpErrors *errors,
											  int *n);

/* -------------------------------------------------------------- registry */

/* A model argument taken apart: 'buyers', 'buyers@3', '@latest', '@previous', 'model:buyers'. */
typedef struct DmpModelRef
{
	char *name;
	int version; /* 0: by which */
	enum
	{
		DMP_REF_CHAMPION,
		DMP_REF_VERSION,
		DMP_REF_LATEST,
		DMP_REF_PREVIOUS
	} which;
} DmpModelRef;

extern DmpModelRef dmp_model_ref(const char *text);

typedef struct DmpModelRow
{
	int64 id;
	char *name;
	int version;
	Oid owner;
	int champion; /* version of the name that is deployed, 0: none */
	DmpModelValue *value;
	List *key;         /* columns the training rows were told apart by, or NIL */
	char *query;       /* what it was trained on */
	char *search_path; /* of that query */
	char *weight;      /* column its rows were weighted by, or NULL */
	Oid trained_by;
} DmpModelRow;

/*
 * Finds the version a reference means, and checks the current user's right to
 * use it. Errors: no such model (with the nearest name), no such version,
 * permission denied (DETAIL: whose). Safe in parallel workers.
 */
extern DmpModelRow *dmp_model_lookup(const char *text);
/* the same; missing_ok: NULL where the other raises, unless text is no reference at all */
extern DmpModelRow *dmp_model_find(const char *text, bool missing_ok);
/* the table whose invalidation says that the registry may have changed */
extern Oid dmp_registry_relid(void);
extern bool dmp_model_may_use(const char *name, Oid owner);
/* a parameter of a statement: the value of a version */
extern void dmp_arg_model_value(DmpArgs *args, const DmpModelValue *value);
/* error unless the current user may use the model of that owner and name */
extern void dmp_model_check_use(const char *name, Oid owner);
/* error unless the current user owns the model, or it does not exist; for those about to make a version */
extern void dmp_model_check_new(const char *name);
/*
 * Stores a new version and answers its number. row is a json object with the
 * columns of dmp_internal.model that have a value; deploy makes it champion.
 */
extern int dmp_registry_add(const char *name, const char *row, const DmpModelValue *value,
							const double *std_err, int n_std_err, bytea *groups, bool deploy);
/* replaces the value of a stored version, by id */
extern void dmp_registry_update_value(int64 id, const DmpModelValue *value);
/* counts of a run over a version's rows, "score" or "evaluate", for dmp.model_metrics */
extern void dmp_registry_add_run(int64 id, const char *dataset, int64 rows, int64 missing,
								 int64 unseen);
/*
 * A version to be changed in place (its threshold, its calibration): locked,
 * and read anew, so that what others changed meanwhile stays.
 */
extern DmpModel *dmp_model_lock(const DmpModelRow *row);
extern void dmp_model_store(const DmpModelRow *row, const DmpModel *model);
/* champion of a name, 0: none; *pinned: by dmp.deploy, a new fit does not replace it */
extern int dmp_registry_champion(const char *name, bool *pinned);
/* Locks a name to the end of the transaction; error unless it is there and the current user owns it. */
extern void dmp_registry_lock(const char *name);
/* what dmp.update_model goes on from, of a version by id; NULL: nothing was kept */
extern bytea *dmp_registry_get_state(int64 id);
extern void dmp_registry_put_state(const char *name, int version, const bytea *state);
/* the standard errors of a version are those of another, by id */
extern void dmp_registry_copy_errors(int64 from, const char *name, int version);
extern void dmp_registry_init(void);
/* rises whenever the registry may have changed: what was read before is to be read again */
extern uint64 dmp_registry_generation(void);

#endif /* DMP_LEARN_H */
