/*-------------------------------------------------------------------------
 * glm_path.h
 *		Many penalties at once: the path, and cross-validation along it.
 *
 * A point is a lambda; points are in falling order. A group is a set of rows
 * that is left out together (a fold); without cross-validation there is one.
 * The fit "without g" is of all groups but g.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_GLM_PATH_H
#define DMP_MATH_GLM_PATH_H

#include "math/glm.h"

/*
 * What one pass over the rows is to find out at npoints points. Sums are added
 * to, so they are zeroed first.
 */
typedef struct DmpPathPass
{
	int stride; /* every stride-th tile of each group */
	int npoints;
	const double *const *theta;
	/* NULL: sums by group. Else point p belongs to the fit without group held[p]: loss and gradient
	 * are of the other rows, held_loss of that group's. */
	const int *held;
	int want_loss; /* with held: of the other rows too */
	double *loss;  /* held ? npoints : ngroups x npoints */
	double *held_loss;
	double *gradient; /* as loss, each of nparams; NULL: not wanted */
	int nhessians;
	const int *hessian_of; /* points; never with held */
	double *hessian;       /* nhessians x packed, of all groups */
	double *weight;        /* ngroups: of the rows seen */
} DmpPathPass;

typedef struct DmpPath
{
	DmpGlmProblem problem; /* lambda is set point by point; eval and arg by the solver */
	int ngroups;
	/* of the fits without each group: scale, mean, sd, reach, fixed, and what lambda is multiplied by
	 * as lambda; NULL: no cross-validation */
	const DmpGlmProblem *without;
	int64_t ntiles;
	double rows;
	double rare; /* share of the rarer class; 0: none is rare */
	int scans;   /* a pass is a scan of the data */
	void (*pass)(void *arg, DmpPathPass *pass);
	/* as DmpGlmProblem.eval, of all groups but skip (-1: of all) */
	void (*eval)(void *arg, int skip, const double *theta, const double *direction, int stride,
				 DmpGlmSums *sums, double *weight);
	void *arg;

	int room;      /* points that arrays have room for */
	int n;         /* points; fewer than asked for when the path ended early */
	int automatic; /* lambda is to be chosen, and the path may end early */
	double *lambda;
	double saturated; /* mean loss of a fit that is exact at every row */

	/* found */
	double unit; /* the caller's: what its lambda is multiplied by */
	double lambda_max, null_loss;
	double *null_theta; /* intercept and what is not penalised */
	double null_theta_loss;
	double *theta;    /* n x nparams */
	double *loss;     /* mean, at theta */
	double *kkt;      /* measured or estimated */
	double *gradient; /* mean, at theta; of the rows of the last pass */
	/* where the last pass over all rows was, and its sums there: ngroups x room x nparams */
	double *at;
	double *group_gradient;
	double *weight; /* ngroups */
	/* mean Hessians of all rows at some points */
	int nanchors;
	int *anchor;
	double *hessian;
	int passes; /* over all rows */

	/* of the fits without each group: ngroups x n */
	double *held_theta; /* x nparams */
	double *held_loss;  /* mean, of the rows left out */
} DmpPath;

/* null_theta, null_loss, lambda_max; start is theta of a first guess */
extern void dmp_path_null(DmpPath *path, const double *start);
/* n values from lambda_max down, evenly on the log scale */
extern void dmp_path_lambdas(DmpPath *path);
/* theta, loss, kkt at each lambda; rows in memory */
extern void dmp_path_solve(DmpPath *path);
/* held_theta, held_loss; after dmp_path_solve, or with theta of all points exact */
extern void dmp_path_cross_validate(DmpPath *path);

/* the parts, for rows that are not in memory */

/* gradient, loss, anchors and their Hessians of a sample, at theta */
extern void dmp_path_measure_sample(DmpPath *path, int stride);
/* after that, or what came of it elsewhere: theta of all rows */
extern void dmp_path_finish(DmpPath *path);
extern int dmp_path_sample_stride(const DmpPath *path);
/* mean Hessian of all rows at point k, packed */
extern void dmp_path_hessian(const DmpPath *path, int k, double *hessian);
/* one solve from theta, of all groups but skip (-1: of all) */
extern void dmp_path_solve_point(const DmpPath *path, int skip, double lambda, double tolerance,
								 double *theta, double *loss, double *kkt);
/* the same of all rows, to problem.tolerance, with a Hessian; s with room, theta the start */
extern void dmp_path_solve_chosen(const DmpPath *path, double lambda, DmpGlmSolution *s);
/* groups' sums at theta of all points, and the anchors' Hessians, which the folds start from */
extern void dmp_path_measure_groups(DmpPath *path);
extern double *dmp_path_doubles(const DmpPath *path, size_t n); /* zeroed */

/* lambda_max is divided by alpha, at least this */
#define DMP_PATH_ALPHA 1e-3
/* every point's residual is brought to this */
#define DMP_PATH_TOLERANCE 1e-6

#endif /* DMP_MATH_GLM_PATH_H */
