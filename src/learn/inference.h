/*-------------------------------------------------------------------------
 * inference.h
 *		What a fit says about its own coefficients.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_INFERENCE_H
#define DMP_INFERENCE_H

#include "learn/scan.h"
#include "lib/stringinfo.h"

/* why a fit of this specification will have no standard errors whatever its end; NULL: it has */
extern const char *dmp_errors_refused(const DmpFitSpec *spec);

/*
 * Covariance, standard errors and inflation of variance of a solution, into
 * out; column[p] is the design column of parameter p or -1. meat (packed, of
 * parameters, or NULL) makes the errors robust; clusters: of how many sums it is.
 */
extern void dmp_fit_errors(const DmpFitSpec *spec, const DmpScanPlan *plan,
						   const DmpScanSolution *solution, const int *column, const double *meat,
						   int64 clusters, DmpFit *out);

/* deviances, degrees of freedom, AIC and BIC of a fit that has the rest */
extern void dmp_fit_quality(const DmpFitSpec *spec, DmpFit *fit);

/* what a statement over the rows of a fit is given: the query's own arguments and the plan behind them */
typedef struct DmpScanArgs
{
	int n;
	Oid *types;
	Datum *values;
	char *nulls;
} DmpScanArgs;

/* fit.c */
extern DmpScanArgs dmp_scan_args(const DmpFitSpec *spec, const DmpScanPlan *plan);

/* meat.c: one scan at theta; packed sum of u u', in CurrentMemoryContext. SPI is connected. */
extern double *dmp_fit_meat(const DmpFitSpec *spec, DmpScanPlan *plan, const double *theta,
							int64 *clusters);

/* meat.c: the features as two arguments, numbers float8[] and texts text[] */
extern void dmp_fit_append_arrays(StringInfo sql, const DmpFitSpec *spec);

#endif /* DMP_INFERENCE_H */
