/*-------------------------------------------------------------------------
 * report.h
 *		dmp.feature_report: what each column alone tells of a target.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_FEATURE_REPORT_H
#define DMP_FEATURE_REPORT_H

#include "base/base.h"
#include "math/binning.h"
#include "math/comoments.h"
#include "math/distinct.h"

typedef enum DmpReportKind
{
	DMP_REPORT_NUMBER,
	DMP_REPORT_BOOLEAN,
	DMP_REPORT_TIME,
	DMP_REPORT_TEXT,
	DMP_REPORT_OTHER /* only looked at for whether it is there */
} DmpReportKind;

/* what is known of the target: at most two values are told apart */
typedef struct DmpReportTarget
{
	char *name;
	DmpReportKind kind;
	int nvalues; /* 3: more than two */
	double number[2];
	char *text[2];
	int length[2];
	int positive; /* which of two; once all rows are read */
	double rows, rows_of[2];
} DmpReportTarget;

typedef struct DmpReportColumn
{
	char *name;
	Oid type;
	int32 typmod;
	DmpReportKind kind;
	int number; /* place among the numbers, or -1 */
	double vif;
	/* a cell's sums: rows, and rows of the target's second value. Texts by their hashes */
	DmpCells cells;
	double missing[2];     /* the same of rows where it is missing */
	double present;        /* rows */
	DmpDistinct *distinct; /* NULL: each cell is a value */
	int64 infinite;        /* missing too */
	bool integers, rising;
	double low, high, last;
	/* moments of the value x and the target y where x is there */
	double mean_x, mean_y, xx, yy, xy;
} DmpReportColumn;

/* a row of the result; NaN: NULL */
typedef struct DmpReport
{
	double rows_missing, distinct;
	double information_value, mutual_information, roc_auc, correlation;
	char *warning; /* NULL: none */
} DmpReport;

extern void dmp_report_column_init(DmpReportColumn *c);
/* x NaN: missing. second: the row has the target's second value; y: the target as a number */
extern void dmp_report_number(DmpReportColumn *c, double x, bool second, double y);
/* text NULL: missing */
extern void dmp_report_text(DmpReportColumn *c, const char *text, int length, bool second);
extern void dmp_report_measure(DmpReportColumn *c, const DmpReportTarget *target, DmpReport *out);

#endif /* DMP_FEATURE_REPORT_H */
