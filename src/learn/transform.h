/*-------------------------------------------------------------------------
 * transform.h
 *		What turns raw values into the value of a feature, before the design.
 *
 * Words. A source is a column of the query that a model reads. A transform
 * makes of one or two sources one number or one text, or a missing value; what
 * it knows (edges of bins, tables, a time zone) was fitted at training and is
 * stored with the feature. A feature without a transform is its source as it
 * is. The same code runs in the SELECT of a fit, as dmp_internal.encode_number
 * and encode_text, and at scoring, in dmp_transform_row().
 *
 * Of a missing value: fill comes first where there is one; then bins, levels,
 * parts, products, pairs and the logarithm of a missing value are missing,
 * while woe and target have a number for it.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_TRANSFORM_H
#define DMP_LEARN_TRANSFORM_H

#include "learn/learn.h"
#include "lib/stringinfo.h"
#include "pgtime.h"

/* stored by name: names[] of transform_model.c */
typedef enum DmpTransformKind
{
	DMP_TRANSFORM_FILL,    /* the value; a missing one is fill */
	DMP_TRANSFORM_LOG,     /* sign(x) ln(1 + |x|) */
	DMP_TRANSFORM_LEVELS,  /* the text of a number */
	DMP_TRANSFORM_BINS,    /* the label of its bin */
	DMP_TRANSFORM_WOE,     /* weight of evidence of its bin or level */
	DMP_TRANSFORM_TARGET,  /* mean of the target in its bin or level */
	DMP_TRANSFORM_PART,    /* part of a time */
	DMP_TRANSFORM_PRODUCT, /* of two numbers */
	DMP_TRANSFORM_PAIR,    /* of two texts */
	DMP_TRANSFORM_SLOPE,   /* the number where the text is a level, else 0 */
	DMP_TRANSFORM_ELEMENT  /* of an array of numbers */
} DmpTransformKind;

typedef enum DmpTimePart
{
	DMP_PART_EPOCH, /* seconds since 1970-01-01 00:00 UTC, a number */
	DMP_PART_YEAR,  /* a number */
	/* texts, with leading zeros, so that their order is that of bytes */
	DMP_PART_QUARTER,
	DMP_PART_MONTH,
	DMP_PART_DAY,
	DMP_PART_DAY_OF_WEEK, /* 1 Monday .. 7 Sunday */
	DMP_PART_HOUR,
	DMP_PART_MINUTE
} DmpTimePart;

/* what a slope is for */
typedef enum DmpSlopeOf
{
	DMP_SLOPE_LEVEL,
	DMP_SLOPE_OTHER,  /* any text that is no level */
	DMP_SLOPE_MISSING /* no text */
} DmpSlopeOf;

#define DMP_MAX_COLUMNS 2
#define DMP_MAX_ELEMENTS 100000

typedef struct DmpTransform
{
	DmpTransformKind kind;
	int ncolumns;
	char *columns[DMP_MAX_COLUMNS];
	DmpValueKind kinds[DMP_MAX_COLUMNS];
	int source[DMP_MAX_COLUMNS]; /* of the design */
	bool text;                   /* yields a text, else a number */
	/* of the first column: what a missing value is taken as */
	bool has_fill;
	double fill;
	char *fill_text; /* of a text column, instead */
	/* BINS; WOE and TARGET of a number */
	int nedges;
	double *edges;
	Datum *labels; /* BINS: nedges + 1 texts */
	/* WOE and TARGET of a text, SLOPE: in byte order */
	int nlevels;
	char **levels;
	/* WOE, TARGET: of each bin or level, then of missing, then of other levels */
	int nvalues;
	double *values;     /* nvalues + 2 */
	int64 *rows;        /* nvalues + 2, training rows */
	double *rate;       /* nvalues + 2, mean of the target there; not finite: no rows */
	double information; /* WOE: information value */
	/* in training only: what a row of fold k gets, nfolds x (nvalues + 2) */
	int nfolds;
	double *fold_values;
	/* PART */
	DmpTimePart part;
	char *zone; /* of a timestamptz */
	pg_tz *tz;
	/* SLOPE */
	DmpSlopeOf slope_of;
	char *level;
	/* ELEMENT: from 1 on, of length many */
	int element;
	int length;
} DmpTransform;

/* ---- transform.c */

/* Called once a transform's fields are set: labels, zone. Memory in CurrentMemoryContext. */
extern void dmp_transform_finish(DmpTransform *t);
/*
 * The value of a transform for a row of sources; fold: -1, or that of a
 * training row. False: missing. A text may point into the transform.
 */
extern bool dmp_transform_number(const DmpTransform *t, const Datum *values, const bool *nulls,
								 const Oid *types, int fold, DmpRowNotes *notes, double *x);
extern bool dmp_transform_text(const DmpTransform *t, const Datum *values, const bool *nulls,
							   const Oid *types, DmpRowNotes *notes, Datum *text);
/* text of a number as a level, as float8::text with extra_float_digits = 1 */
extern char *dmp_number_level(double x);
/* "[1, 2)", "(-inf, 1)", "[2, inf]" */
extern char *dmp_bin_label(const double *edges, int nedges, int bin);

/* ---- transform_model.c: as json */

extern const char *dmp_transform_name(DmpTransformKind kind);
extern const char *dmp_part_name(DmpTimePart part);
/* -1: no such part */
extern int dmp_part_of(const char *name);
extern void dmp_transform_append(StringInfo buf, const DmpTransform *t, bool folds);
extern DmpTransform *dmp_transform_read(const DmpDoc *doc);

#endif /* DMP_LEARN_TRANSFORM_H */
