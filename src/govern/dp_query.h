/*-------------------------------------------------------------------------
 * dp_query.h
 *		A question under a privacy budget.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_DP_QUERY_H
#define DMP_DP_QUERY_H

#include "base/base.h"

#define DMP_DP_MAX_KEYS 10000
#define DMP_DP_MAX_BINS 1000
#define DMP_DP_MAX_ROWS 10000

typedef struct DmpDpQuestion
{
	Oid relid;
	const char *function;
	int64 micro; /* epsilon */
	/* column to sum or bin; NULL for counts */
	char *column;
	Oid column_type;
	/* its bounds in units of 10^-decimals, scale = 10^decimals */
	int64 low;
	int64 high;
	int decimals;
	double scale;
	int bins;       /* 0: no histogram */
	DmpDoc *filter; /* NULL: all rows */
	/* groups; keys NULL: those that pass a threshold */
	char *by;
	Oid by_type;
	char **keys; /* a NULL among them is the group of NULL */
	int nkeys;
	int keys_parameter;
	/* persons */
	char *subject; /* NULL: a row is a person */
	int rows_per_subject;
} DmpDpQuestion;

/* ---- dp_statement.c */

/* types of the columns named, or an error */
extern void dmp_dp_columns(DmpDpQuestion *q, TupleDesc desc);
/* low and high, numerics, into units of a grid that depends on them alone */
extern void dmp_dp_bounds(DmpDpQuestion *q, Datum low, Datum high);
/*
 * (place in keys, 0 when none are named and 1 when there are no groups, group, rows, sum of units, bins, rows of each bin), a
 * row for each group there is, in order. Literals are read here.
 */
extern char *dmp_dp_statement(DmpDpQuestion *q, TupleDesc desc, DmpArgs *args);

#endif /* DMP_DP_QUERY_H */
