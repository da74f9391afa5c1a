/*-------------------------------------------------------------------------
 * wide_fit.h
 *		The steps of dmp_fit_wide().
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_WIDE_FIT_H
#define DMP_LEARN_WIDE_FIT_H

#include "learn/wide.h"

/* What the solver's columns are: dense, then indicators, then buckets. */
typedef struct DmpWideLayout
{
	int ncolumns;
	int nindicators;
	double *mean; /* of a dense column, and its sd; 0: constant, left out */
	double *sd;
	double *scale;  /* s_c over the units of the solver, NULL: all 1 */
	double *factor; /* of the penalty; NULL: all 1 */
} DmpWideLayout;

/* wide_columns.c: chooses columns, describes the features in fit->design */
extern void dmp_wide_layout(DmpWideScan *scan, DmpFit *fit, DmpWideLayout *layout);
/* ids become columns, counts weights, dense columns standardised */
extern void dmp_wide_rewrite(DmpWideScan *scan, const DmpWideLayout *layout, DmpWideStore *store);
/* coefficients on the scale of the columns as given */
extern void dmp_wide_coefficients(const DmpWideScan *scan, const DmpWideLayout *layout,
								  const DmpSparseProblem *problem, double *theta, DmpFit *fit);

#endif /* DMP_LEARN_WIDE_FIT_H */
