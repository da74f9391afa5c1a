/*-------------------------------------------------------------------------
 * path.h
 *		The fits at several lambdas, as a fit reports them.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_PATH_H
#define DMP_LEARN_PATH_H

#include "learn/learn.h"
#include "learn/scan.h"

/* NaN: there is none */
typedef struct DmpFitPathPoint
{
	double lambda;
	double loss; /* mean, of the training rows, without the penalty */
	double deviance_ratio;
	double kkt_residual;
	double test_loss;
	double cv_loss, cv_std_err;
	int nonzero; /* coefficients, intercept not counted */
} DmpFitPathPoint;

typedef struct DmpFitPath
{
	int n, nfolds;
	bool automatic; /* the lambdas were not given */
	int width;      /* of the design */
	int chosen, best, one_se;
	DmpFitPathPoint *points; /* by falling lambda */
	/* for each point: a, then the coefficients of the design columns; NULL: not kept */
	double *coef;
	int64 *fold_rows, *fold_positive;
	double cv_loss, cv_std_err, cv_roc_auc; /* at the chosen lambda */
} DmpFitPath;

/* column[p]: design column of parameter p, or -1; not looked at when there is no theta */
extern DmpFitPath *dmp_fit_path(const DmpScanPlan *plan, const DmpScanPath *from, const int *column,
								int width);
/* classes: the target is one; by_test: test rows chose lambda */
extern List *dmp_fit_path_warnings(const DmpFitPath *path, bool classes, bool by_test);
extern char *dmp_fit_path_json(const DmpFitPath *path, bool by_test);
extern char *dmp_fit_path_coef_json(const DmpFitPath *path);

#endif /* DMP_LEARN_PATH_H */
