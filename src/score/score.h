/*-------------------------------------------------------------------------
 * score.h
 *		What the files of score share.
 *
 * A holder is one place in a query that scores rows: it has a model, and a
 * map from what the rows look like to the model's features. Both are found at
 * the first row and kept in fn_extra while neither changes.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCORE_H
#define DMP_SCORE_H

#include "dmp.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "learn/learn.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"
#include "utils/typcache.h"

/* ---- cache.c: models by reference, kept by the backend */

typedef struct DmpCachedModel
{
	char *name;
	int version;
	Oid owner;
	DmpModel *model;
	uint64 generation; /* of the registry, when it was read */
	int holders;       /* freed when there is none and the cache has let go */
	bool cached;
} DmpCachedModel;

/*
 * The model a reference means, held until holder is reset; checks the right to
 * it. missing_ok: NULL when there is none, or no right.
 */
extern DmpCachedModel *dmp_model_hold(const char *ref, MemoryContext holder, bool missing_ok);

/* ---- quick.c: a model's terms over rows of one type */

typedef struct DmpQuick DmpQuick;

#define DMP_QUICK_FROM 8 /* the row from which on terms pay for being made */

extern DmpQuick *dmp_quick_make(const DmpModel *model, const Oid *types, const int *places,
								MemoryContext context);
extern bool dmp_quick_args(const DmpQuick *quick, const NullableDatum *args, double *margin);
extern bool dmp_quick_columns(const DmpQuick *quick, const Datum *columns, const bool *nulls,
							  double *margin);
extern bool dmp_quick_bytes(const DmpQuick *quick, const char *bytes, double *margin);

/* ---- row.c: a row's columns by name */

typedef struct DmpRowMap
{
	const DmpModel *model;
	int inputs;       /* dmp_model_inputs() */
	const char *name; /* for errors; NULL: a model given by value */
	int version;
	MemoryContext context;
	uint64 desc_id; /* identifier of the row type that is mapped, 0: none */
	Oid row_type;
	int32 row_typmod;
	const TypeCacheEntry *row_entry; /* of a named row type */
	TupleDesc desc;
	uint64 rows;              /* that dmp_record_margin() met */
	DmpQuick *quick_columns;  /* over columns; NULL: the model is more than terms */
	DmpQuick *quick_bytes;    /* over a record's bytes; NULL: its columns are not fixed */
	int fixed_length;         /* of those columns */
	HeapTupleHeader deformed; /* of a record without NULLs that was; zeros: none yet */
	AttrNumber *attnums;
	Datum *columns; /* of the row */
	bool *column_nulls;
	Datum *values; /* of the sources */
	bool *nulls;
	Oid *types;
	double *margins; /* room for those of all classes */
} DmpRowMap;

extern DmpRowMap *dmp_row_map(const DmpModel *model, const char *name, int version,
							  MemoryContext context);
/* whether values of a type can be input i of a model: a source, or a column that makes groups */
extern bool dmp_input_type(const DmpModel *model, int i, Oid type);
/* error unless rows of this type can be scored */
extern void dmp_row_check(const DmpModel *model, const char *name, int version, TupleDesc desc);
/* fill values, nulls and types of the map from a row */
extern void dmp_record_row(DmpRowMap *map, HeapTupleHeader record);
/* the margin of a record, by its terms where the model has them */
extern double dmp_record_margin(DmpRowMap *map, HeapTupleHeader record);
extern void dmp_jsonb_row(DmpRowMap *map, Jsonb *row);
/* rows of a relation, in slots */
extern void dmp_slot_map(DmpRowMap *map, TupleDesc desc);
extern void dmp_slot_row(DmpRowMap *map, TupleTableSlot *slot);

/* ---- labelled.c: rows whose target is known */

typedef struct DmpLabelled
{
	const DmpModelRow *row;
	const DmpModel *model;
	char *select;
	TupleDesc desc;
	char *weight; /* column of the query, NULL: rows count alike */
	bool counted; /* what rows meet is counted, see dmp_count_rows() */
} DmpLabelled;

/* argument n of a call, a weight column: NULL, or its name, "" for none */
extern char *dmp_weight_arg(FunctionCallInfo fcinfo, int n);
/*
 * The rows of a query, checked against the model. weight NULL: the column the
 * model was trained with, where the query has it. SPI must be connected.
 */
extern DmpLabelled *dmp_labelled(const DmpModelRow *row, const DmpModel *model, const char *query,
								 const char *weight);
/* the same, features not checked */
extern DmpLabelled *dmp_labelled_query(const DmpModelRow *row, const DmpModel *model,
									   const char *query, const char *weight);
/* expressions over q: the target as 0 or 1, as a number, or the name of one of several classes */
extern char *dmp_labelled_target(const DmpLabelled *rows);
/* of type float8 */
extern char *dmp_labelled_weight(const DmpLabelled *rows);
/* ", ... AS segment" of a SELECT over q; nothing when by is NIL */
extern void dmp_append_segment(StringInfo sql, TupleDesc desc, List *by);
/* SELECT margin, label[, weight][, segment] more FROM the query; $1 is the model's value */
extern char *dmp_labelled_sql(const DmpLabelled *rows, List *by, const char *more);
/* call of the aggregate that gathers those rows */
extern const char *dmp_labelled_scores(const DmpLabelled *rows);

/* ---- export_transform.c */

/* the value of a feature as an SQL expression over the columns; NULL where it is missing */
extern char *dmp_transform_expression(const DmpFeature *feature);
/* the first column of a transform, a number, with its fill */
extern char *dmp_transform_number_column(const struct DmpTransform *t);

/* ---- judge.c, judge_classes.c: dmp.evaluate */

/* NaN: none */
typedef struct DmpJudgement
{
	double value, low, high;
} DmpJudgement;

/* a share of n rows with Wilson's interval */
extern void dmp_wilson(DmpJudgement *j, double share, double n);
/* roc_auc of a state of scores, with DeLong's interval unless there are weights */
extern void dmp_judge_auc(Datum state, DmpJudgement *j);
/* place of a class of a model of several; error when it is none */
extern int dmp_class_number(const DmpModel *model, const char *class);
/* the model of an argument that is a value, kept in fn_extra */
extern const DmpModel *dmp_model_of_call(FunctionCallInfo fcinfo, int argument);

/* slices of fewer rows have no metrics but their counts */
#define DMP_MIN_SLICE 10

extern void dmp_evaluate_classes(FunctionCallInfo fcinfo, const DmpLabelled *rows, List *by,
								 DmpArgs *args);
/* judge_numbers.c */
extern void dmp_evaluate_numbers(FunctionCallInfo fcinfo, const DmpLabelled *rows, List *by,
								 DmpArgs *args);

/* ---- predict.c */

/* the row of a call (model reference or value, record, jsonb or text, ...), its values in the map */
extern DmpRowMap *dmp_row_of_call(FunctionCallInfo fcinfo);
extern double dmp_slot_score(DmpRowMap *map, TupleTableSlot *slot, const char **class);

/* ---- explain.c */

typedef struct DmpContribution
{
	int place;        /* sources in order, then pairs of them */
	const char *name; /* of the column, "a:b" of a pair */
	double value;
} DmpContribution;

/* what each column of the row that map holds adds to the average row's margin, largest first */
extern DmpContribution *dmp_contributions(const DmpRowMap *map, double *average, int *n);
/* the value of a source in that row, as text; NULL: missing, or a pair */
extern char *dmp_value_shown(const DmpRowMap *map, int i);

/* ---- compare.c */

/* error unless two models predict the same target with the same classes */
extern void dmp_check_outcomes(const DmpModelRow *const *rows, DmpModel *const *models);

/* ---- table.c: dmp.score */

/* a row of the dmp.score that runs was scored */
extern void dmp_count_row(const DmpRowNotes *notes);

typedef struct DmpRowCounts
{
	int64 rows;
	int64 missing;
	int64 unseen;
} DmpRowCounts;

/* the count begins anew; returns what there was */
extern DmpRowCounts dmp_count_rows(void);

#endif /* DMP_SCORE_H */
