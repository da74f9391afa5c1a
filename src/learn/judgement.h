/*-------------------------------------------------------------------------
 * judgement.h
 *		A sample of the rows a model was trained on: what it warns of, and what
 *		is kept of it.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_JUDGEMENT_H
#define DMP_JUDGEMENT_H

#include "learn/scan.h"
#include "learn/train.h"

/* rows up to which a table is read whole, rows of a sample of a larger one, values either holds */
#define DMP_WHOLE_ROWS 50000
#define DMP_SAMPLE_ROWS 10000
#define DMP_SAMPLE_VALUES 1000000

typedef enum DmpSampleKind
{
	DMP_SAMPLE_NUMBER,
	DMP_SAMPLE_INTEGER,
	DMP_SAMPLE_BOOLEAN,
	DMP_SAMPLE_TIME, /* as seconds */
	DMP_SAMPLE_TEXT  /* of a set or a long text the first 200 characters */
} DmpSampleKind;

typedef struct DmpSampleColumn
{
	const char *name;
	DmpSampleKind kind;
	bool feature; /* else key or at: read to be judged, not a feature */
	bool hashed;  /* rows were chosen by it */
	double *x;    /* n, NaN: missing; of a text its code */
	DmpDictionary levels;
	/* of the training rows */
	int64 present;
	int64 distinct; /* values, missing not counted */
	double mean, sd, low, high;
	double quantile[11]; /* 0, 0.1 ... 1 */
	double collision;    /* chance that two rows have the same value, or both none */
	double auc;          /* of the column alone, 0.5 or more; NaN: none */
	bool rising;         /* each value present is above the one before it, in the order read */
} DmpSampleColumn;

typedef struct DmpSample
{
	int64 n;     /* rows */
	int64 ntest; /* of them held out */
	int ncolumns;
	DmpSampleColumn *columns;
	double *target;     /* n: 0 and 1, a class number, or a number */
	bool *test;         /* n */
	double *fold;       /* n; NULL: no folds */
	uint64 *hash;       /* n: of target and features */
	bool whole;         /* it is all rows */
	int64 of;           /* how many those are */
	double share;       /* of the rows it is chosen from, of all */
	const char *select; /* those rows */
	bool classes;       /* target is 0 or 1 */
	int64 rows[2];      /* of each class, training; when classes */
	uint64 hash_total;  /* sum over the training rows: the order plays no part */
} DmpSample;

/* Reads it, under the snapshot of the fit; NULL: no rows. SPI is connected. */
extern DmpSample *dmp_sample_read(const DmpTrainArgs *args, const DmpTrainPlan *plan, int64 rows);
/* json object for column baseline of the registry */
extern char *dmp_sample_baseline(const DmpSample *sample);
/* 16 hexadecimal digits, of the rows of the sample and what the fit counted over all of them */
extern char *dmp_sample_fingerprint(const DmpSample *sample, const DmpFit *fit);

/* Sentences, each of which names a column, a number and what to do. */
extern List *dmp_judgement(const DmpTrainArgs *args, const DmpTrainPlan *plan, const DmpFit *fit,
						   const DmpSample *sample);

#endif /* DMP_JUDGEMENT_H */
