/*-------------------------------------------------------------------------
 * encode_scan.h
 *		What a scan before the fit finds out of columns to be encoded.
 *
 * The sums of a cell or level are its rows, then for each fold the weight and
 * the weighted sum of the target: 1 + 2 x folds numbers.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_ENCODE_SCAN_H
#define DMP_LEARN_ENCODE_SCAN_H

#include "learn/scan.h"
#include "math/binning.h"

#define DMP_MAX_FOLDS 16

typedef struct DmpEncodeColumn
{
	bool text;
	DmpCells cells;       /* of numbers */
	DmpDictionary levels; /* of texts; rows in it are not counted */
	double *sums;         /* of the levels, by code */
	int sums_room;
	double *missing; /* sums of missing values */
	/* of numbers that are finite */
	double weight;
	double mean;
} DmpEncodeColumn;

typedef struct DmpEncodeScan
{
	ExpandedObjectHeader hdr; /* first */
	int magic;
	int nfolds;
	int width; /* 1 + 2 nfolds */
	int limit; /* cells of a column */
	int ncolumns;
	DmpEncodeColumn *columns;
	Oid *types; /* of the arguments; NULL until the first row */
	char *flat; /* serialised form, until a row comes */
	Size flat_size;
} DmpEncodeScan;

/* the result of dmp_internal.encode_scan; in CurrentMemoryContext */
extern DmpEncodeScan *dmp_encode_scan_result(Datum value);
extern void dmp_encode_scan_init(void);
/* state of an aggregate whose first row this may be: plan says what it is of then */
extern DmpEncodeScan *dmp_encode_scan_arg(Datum value, bool isnull, const char *plan,
										  MemoryContext parent);
/* a row of a scan of one column of numbers in one fold; NaN is missing */
extern void dmp_encode_scan_number(DmpEncodeScan *scan, double x, double target);

#endif /* DMP_LEARN_ENCODE_SCAN_H */
