/*-------------------------------------------------------------------------
 * train.h
 *		dmp.train, from its arguments to what is fitted.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_TRAIN_H
#define DMP_LEARN_TRAIN_H

#include "base/base.h"
#include "learn/learn.h"
#include "learn/query.h"
#include "lib/stringinfo.h"
#include "utils/timestamp.h"

/* the arguments of dmp.train; NULL, NIL and NaN stand for SQL NULL */
typedef struct DmpTrainArgs
{
	char *model;
	char *query;
	char *target;
	double lambda; /* 0 when not given */
	bool lambda_given;
	char *family; /* or NULL: from the target */
	double alpha;
	List *features;
	List *exclude;
	List *key;
	char *at;
	char *weight;
	List *by; /* columns, a model for each group of rows that they make */
	double test_fraction;
	bool deploy;
	double tolerance;
	int64 seed;
	Datum options_jsonb;
	DmpDoc *options;
	/* of the options */
	int max_iterations;
	char *standardize;
	bool intercept;
	char *positive;
	int min_count;
	char *split;          /* "hash" or "time" */
	char *compat;         /* or NULL */
	DmpDoc *class_weight; /* "balanced", an object, or NULL */
	bool calibrate;
	char *std_err;     /* "model", "robust", or NULL: not said */
	char *cluster;     /* column, or NULL */
	char *base_margin; /* column, or NULL */
	bool ftrl;         /* how updates of hashed columns learn */
	DmpDoc *penalty_factor;
	DmpDoc *bounds;
	bool judge;    /* read a sample for warnings and the baseline */
	int cv;        /* 0: none */
	int nlambdas;  /* 0: one lambda */
	List *lambdas; /* option, as floats by falling value, or NIL */
	bool one_se;
	char *fold_column;
} DmpTrainArgs;

/* What the columns of the query are in the fit. */
typedef struct DmpTrainPlan
{
	DmpTrainQuery *query;
	DmpFitSpec spec;
	char *positive; /* text of the classes */
	char *negative;
	char **classes; /* of family multinomial, spec.nclasses of them, in byte order */
	List *feature_names;
	int scans;                /* of the data, before the fit */
	double class_weight[2];   /* of the negative and the positive class */
	char *target_sql;         /* of the query's columns, as q */
	char *split_sql;          /* or NULL: nothing is held out */
	struct DmpGroups *groups; /* of args->by, once fitted */
	char *place_sql;          /* the fold of a row, -1: held out; or NULL */
} DmpTrainPlan;

/* train_args.c: reads and checks them; raises feature_not_supported for what is not built */
extern DmpTrainArgs *dmp_train_args(FunctionCallInfo fcinfo);
/* train_columns.c: columns, target, weight, split -> the SELECT of the fit. SPI is connected. */
extern DmpTrainPlan *dmp_train_plan(DmpTrainArgs *args);
/*
 * The same anew, over the rows of an earlier plan, when its guess at the family
 * of a target of numbers was wrong: the values say which it is, or are refused.
 */
extern void dmp_train_plan_again(DmpTrainArgs *args, DmpTrainPlan *plan);
/* train_limits.c: options penalty_factor and bounds, into plan->spec */
extern void dmp_train_limits(DmpTrainArgs *args, DmpTrainPlan *plan);
/* train_wide.c: SQL of the class number of a target of several values; fills plan->classes */
extern char *dmp_train_classes_sql(DmpTrainArgs *args, DmpTrainPlan *plan, const char *column);
/* an encode of option encode that is wide; false when it is none */
extern bool dmp_train_wide_option(DmpTrainArgs *args, DmpFeature *feature, const char *encode);
/* looks at the first rows: text columns of many values become n-grams or hashed */
extern void dmp_train_choose_encodes(DmpTrainArgs *args, DmpTrainPlan *plan);
/* whether a text feature, as it was fitted, has too many values to be a list of levels */
extern bool dmp_train_many_levels(DmpTrainArgs *args, const DmpFeature *asked,
								  const DmpFeature *fitted);
/* fits by dmp_fit_wide() what is wide, by dmp_fit_binomial() the rest */
extern DmpFit *dmp_train_fit(DmpTrainArgs *args, DmpTrainPlan *plan);
/* what option encode says of a column of a kind, or NULL; the whole of it */
extern const char *dmp_train_encode_of(DmpTrainArgs *args, const char *name, DmpValueKind kind);
extern DmpDoc *dmp_train_encode_item(DmpTrainArgs *args, const char *name, DmpValueKind kind);
/* names in options encode and impute are columns */
extern void dmp_train_check_encode(DmpTrainArgs *args, TupleDesc desc);
/* place of a column that is there once; prefix as in dmp_column_number() */
extern int dmp_train_column_number(TupleDesc desc, const char *name, const char *prefix);
/* train_folds.c: SQL of a row's fold; of a hash of columns of q, in [0, 1) */
extern char *dmp_train_fold_sql(DmpTrainArgs *args, DmpTrainPlan *plan);
extern char *dmp_train_hash_sql(List *columns, int64 seed);
/* groups_train.c: columns g1, g2 ... of the SELECT, one for each of args->by; and their checks */
extern void dmp_train_by_sql(DmpTrainArgs *args, DmpTrainPlan *plan, StringInfo sql);
/* what cannot be had by group is an error that says what can */
extern void dmp_train_by_refuse(DmpTrainArgs *args, DmpTrainPlan *plan);
extern DmpFit *dmp_train_fit_groups(DmpTrainArgs *args, DmpTrainPlan *plan);
/* segments of the model; shift is added to each intercept */
extern void dmp_train_segments(DmpTrainArgs *args, DmpTrainPlan *plan, DmpModel *model,
							   double shift, List **warnings);
/* what is known of the groups beside their coefficients, for the registry; NULL: no groups */
extern bytea *dmp_train_group_bytes(DmpTrainPlan *plan);
/* whether a version becomes the champion; a WARNING says what stays live when it does not */
extern bool dmp_train_deploys(const DmpTrainArgs *args, const DmpFit *fit, const char *name);
extern Interval *dmp_train_elapsed(TimestampTz start);
/* the one row that dmp.train answers */
extern void dmp_train_return(FunctionCallInfo fcinfo, const char *name, int version, bool deployed,
							 const DmpFit *fit, int nfeatures, Interval *elapsed, List *warnings);
extern void dmp_train_refuse_one_class(const char *target, const char *value, int64 rows)
	pg_attribute_noreturn();

#endif /* DMP_LEARN_TRAIN_H */
