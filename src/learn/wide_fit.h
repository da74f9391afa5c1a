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

/* a problem and how it is solved */
typedef struct DmpWideSolver
{
	const DmpWideScan *scan;
	const DmpWideLayout *layout;
	bool hashed;
	int history;
	double *theta;
} DmpWideSolver;

/* wide_columns.c: chooses columns, describes the features in fit->design */
extern void dmp_wide_layout(DmpWideScan *scan, DmpFit *fit, DmpWideLayout *layout);
/* ids become columns, counts weights, dense columns standardised */
extern void dmp_wide_rewrite(DmpWideScan *scan, const DmpWideLayout *layout, DmpWideStore *store);
/* coefficients on the scale of the columns as given */
extern void dmp_wide_coefficients(const DmpWideScan *scan, const DmpWideLayout *layout,
								  const DmpSparseProblem *problem, double *theta, DmpFit *fit);

/* wide_keep.c: the loss about theta, for dmp.update_model */
extern DmpWideLoss *dmp_wide_keep(const DmpWideScan *scan, const DmpWideLayout *layout,
								  const DmpSparseProblem *problem, const double *theta,
								  const DmpFit *fit);
/* members for what is left of a block of DMP_WIDE_BLOCK: the fixed columns, then by diagonal */
extern int dmp_wide_block(const double *diagonal, int n, int fixed, int nblock, int *block,
						  int *place);

/* wide_fit.c: the penalty that is told as lambda; sd: of the target, where numbers are scaled by it */
extern void dmp_wide_set_lambda(const DmpFitSpec *spec, DmpSparseProblem *problem, double lambda,
								double sd);
/* from theta on, to the accuracy of such fits; from scratch */
extern DmpSparseResult dmp_wide_descend(const DmpWideSolver *solver,
										const DmpSparseProblem *problem, double null_loss,
										double tolerance);
extern DmpSparseResult dmp_wide_solve(const DmpWideSolver *solver, const DmpSparseProblem *problem);

/* wide_path.c: all lambdas and folds, and the choice; what is not known of it yet is 0 */
extern DmpScanPath *dmp_wide_path(const DmpWideSolver *solver, const DmpSparseProblem *problem,
								  double null_loss, DmpFit *fit);
/* the losses of point k, at theta */
extern void dmp_wide_path_point(const DmpWideSolver *solver, const DmpSparseProblem *problem,
								DmpSparseResult found, DmpScanPath *path, int k);

#endif /* DMP_LEARN_WIDE_FIT_H */
