/*-------------------------------------------------------------------------
 * logit.h
 *		State of the aggregate dmp.logit; see logit.c.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LOGIT_H
#define DMP_LOGIT_H

#include "learn/scan.h"

#define DMP_LOGIT_FEATURES 5000

/* data of a flat state */
typedef struct DmpLogitFlat
{
	int32 p;
	uint8 summed;  /* values hold a training scan's state, not rows */
	uint8 unknown; /* no row had features yet: p means nothing */
	int64 rows, skipped, capacity;
	double values[FLEXIBLE_ARRAY_MEMBER]; /* rows: y, x_1 .. x_p */
} DmpLogitFlat;

/* linear.c */
extern void dmp_linear_init(void);

/* logit.c */
extern void dmp_logit_check(const DmpState *state, const char *data, Size size);
extern bytea *dmp_logit_plan(int p);
/*
 * Features of a row (float8[], argument 2) of an aggregate; *p: how many, -1 when the array itself
 * is missing. NULL: a value is missing or infinite, the row is to be skipped.
 */
extern const double *dmp_row_features(FunctionCallInfo fcinfo, const char *function, int limit,
									  int *p);
/* float8[] in which NaN is NULL */
extern Datum dmp_array_of_numbers(const double *x, int n);
extern void dmp_logit_state(Datum value, DmpScan **scan, DmpLogitFlat **flat);

#endif /* DMP_LOGIT_H */
