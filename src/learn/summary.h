/*-------------------------------------------------------------------------
 * summary.h
 *		Numbers as statisticians are used to read them.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SUMMARY_H
#define DMP_SUMMARY_H

#include "learn/learn.h"

/*
 * Formats n numbers alike, as R's format(x, digits) does: fixed or scientific,
 * with as many digits as the neediest of them takes to show digits significant
 * ones. NaN becomes "NA". Not padded.
 */
extern char **dmp_format_numbers(const double *x, int n, int digits);
extern char *dmp_format_number(double x, int digits);
/* p values as R's format.pval(): what is below the machine's precision as <2e-16 */
extern char **dmp_format_p(const double *p, int n, int digits);
/* the two columns of estimates and errors of R's printCoefmat(), in one format: 2 n numbers */
extern char **dmp_format_estimates(const double *x, int n, int digits);
/* *** ** * . and nothing */
extern const char *dmp_stars(double p);

#endif /* DMP_SUMMARY_H */
