/*-------------------------------------------------------------------------
 * mondrian.h
 *		Cuts a table into regions of at least k rows by the ranks of its columns.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_MONDRIAN_H
#define DMP_MATH_MONDRIAN_H

#include <stdint.h>

#include "math/env.h"

typedef struct DmpMondrian
{
	int ncolumns;
	int32_t **ranks;     /* by column, of each tuple: 1 .. most[column], 0 is missing */
	const int32_t *most; /* >= 0 */
	int nsensitive;
	int32_t **values;       /* by sensitive column, of each tuple: 1 .. nvalues */
	const int32_t *nvalues; /* >= 1 */
	int32_t ntuples;
	const int64_t *counts; /* rows of each tuple, > 0 */
	int64_t k;             /* rows of a region, at least */
	int32_t l;             /* distinct values of each sensitive column in it, at least */
} DmpMondrian;

/* rank <= at goes left; a child below 0 is region -1 - child */
typedef struct DmpCut
{
	int32_t column;
	int32_t at;
	int32_t left;
	int32_t right;
} DmpCut;

typedef struct DmpRegions
{
	int32_t nregions; /* 0: the whole table is too small */
	DmpCut *cuts;     /* nregions - 1, the first one is the root */
	int64_t *rows;
	/* least and largest rank in region r of column c: [r * ncolumns + c] */
	int32_t *low;
	int32_t *high;
} DmpRegions;

/* results are allocated by env and belong to the caller */
extern DmpRegions dmp_mondrian(const DmpMondrian *m, const DmpMathEnv *env);
/* region of a tuple of ranks; there must be one region or more */
extern int32_t dmp_region_of(const DmpRegions *regions, const int32_t *ranks);

#endif /* DMP_MATH_MONDRIAN_H */
