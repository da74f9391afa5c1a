/*-------------------------------------------------------------------------
 * encode.h
 *		Features as they are wished for, and how their state is fitted.
 *
 * A wish is a feature before its transform knows all of its state. Wishes are
 * made from columns and options (train_encode.c) and granted by a scan
 * (encode_fit.c), which may make several features of one wish.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_ENCODE_H
#define DMP_LEARN_ENCODE_H

#include "learn/train.h"
#include "learn/transform.h"

typedef struct DmpEncodeWish
{
	DmpFeature feature;      /* name; encode and type, where there is no transform */
	bool transformed;        /* else the column as it is, the first of transform's */
	DmpTransform *transform; /* kind, columns, a fill that is given */
	bool fill_mean;
	bool fill_median;
	/* of bins and tables */
	bool monotone;
	int bins;
	int min_count;
	double min_share;
	double smoothing;
} DmpEncodeWish;

typedef struct DmpEncodeWishes
{
	List *list; /* of DmpEncodeWish */
} DmpEncodeWishes;

/* rows as the fit reads them: expressions over q, and what q is */
typedef struct DmpEncodeRows
{
	const char *from;   /* FROM item that is called q */
	const char *target; /* a number */
	const char *weight; /* or NULL */
	const char *train;  /* condition: a training row; or NULL */
	const char *fold;   /* 0 .. folds - 1 of a training row; NULL: not cross-fitted */
} DmpEncodeRows;

#define DMP_ENCODE_FOLDS 5

/* train_encode.c: a wish for each column and interaction */
extern DmpEncodeWishes *dmp_train_wishes(DmpTrainArgs *args, TupleDesc desc, List *names);

/* encode_fit.c */

/* whether training rows must be encoded by tables that know nothing of them */
extern bool dmp_encode_is_crossed(const DmpEncodeWishes *wishes);
/* Fits what is open, in a scan if there is anything; returns features, *n of them. */
extern DmpFeature *dmp_encode_fit(const DmpEncodeWishes *wishes, const DmpEncodeRows *rows,
								  DmpTrainArgs *args, DmpTrainPlan *plan, int *n);
/* FROM item q in which arrays of numbers are unpacked; name of the column of a feature's array */
extern char *dmp_encode_from(const DmpFeature *features, int n, const char *from);
extern char *dmp_encode_array(const DmpFeature *feature);
/* SQL of a feature's value over such a q; fold: expression, or NULL */
extern char *dmp_encode_sql(const DmpFeature *feature, const char *fold);

#endif /* DMP_LEARN_ENCODE_H */
