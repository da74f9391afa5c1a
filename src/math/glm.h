/*-------------------------------------------------------------------------
 * glm.h
 *		Generalised linear models: the kernel over tiles of rows, and the solver.
 *
 * Parameters: 0 is the intercept, 1 .. ndense the dense columns, the rest are
 * levels of coded columns. A coded column holds, for each row, the index of
 * the parameter that is switched on (or a negative number: none), so that
 * one-hot columns are never written out. A row's margin is
 *
 *		offset + theta_0 + sum_j theta_(1+j) x_j + sum_k theta_(code_k)
 *
 * and its loss, by family,
 *
 *		binomial	w (log(1 + e^margin) - y margin), y 0 or 1
 *		gaussian	w (y - margin)^2 / 2
 *		poisson		w (e^margin - y margin), y >= 0
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_GLM_H
#define DMP_MATH_GLM_H

#include <stddef.h>
#include <stdint.h>

#include "math/env.h"
#include "math/linalg.h"

#define DMP_TILE 128

/* ---------------------------------------------------------------- kernel */

typedef enum DmpFamily
{
	DMP_BINOMIAL, /* 0: what a shape of zeros is */
	DMP_GAUSSIAN,
	DMP_POISSON
} DmpFamily;

typedef struct DmpGlmShape
{
	int ndense;
	int ncoded;
	int nparams;
	DmpFamily family;
} DmpGlmShape;

/* 128 rows by columns; rows from n on are padding: x 0, code -1, weight 0 */
typedef struct DmpGlmTile
{
	int n;
	const double *dense;        /* ndense x 128, aligned to 32 bytes */
	const int32_t *codes;       /* ncoded x 128 */
	const unsigned char *label; /* 128; binomial only */
	const double *weight;       /* 128; NULL: 1 */
	const double *target;       /* 128, of the other families; NULL when binomial */
	const double *offset;       /* 128, part of the margin; NULL: 0; never for gaussian */
} DmpGlmTile;

/* sums over rows; zero them first. Two sums of different rows simply add. */
typedef struct DmpGlmSums
{
	double loss;
	double *gradient; /* nparams */
	double *hessian;  /* packed nparams; NULL: not wanted */
	/* along a direction, when one is given: max |x.d|, and the least of (2y-1) x.d (poisson: of
	 * -x.d where y is 0, -|x.d| elsewhere); rows of weight > 0 */
	double direction_low;
	double direction_high;
} DmpGlmSums;

/* bytes of scratch that dmp_glm_tile needs, aligned to 32 bytes */
extern size_t dmp_glm_scratch(const DmpGlmShape *shape);
/*
 * Adds one tile's loss, gradient and, when wanted, Hessian at theta. direction
 * may be NULL. margins, when not NULL, receives 128 margins; sums may be NULL
 * when only they are wanted.
 */
extern void dmp_glm_tile(const DmpGlmShape *shape, const DmpGlmTile *tile, const double *theta,
						 const double *direction, DmpGlmSums *sums, double *margins, void *scratch);
/*
 * The same without Hessian at npoints points while the tile is in the cache: each point's loss, and
 * its gradient unless gradient is NULL, are added to; the same bits as one by one.
 */
extern size_t dmp_glm_many_scratch(const DmpGlmShape *shape);
extern void dmp_glm_tile_many(const DmpGlmShape *shape, const DmpGlmTile *tile, int npoints,
							  const double *const *theta, double *loss, double *const *gradient,
							  void *scratch);
/* out = in - pivot over 128 values (any alignment); 1 when one of them is NaN or infinite */
extern int dmp_tile_shift(const double *in, double pivot, double *out);
extern void dmp_glm_sums_clear(const DmpGlmShape *shape, DmpGlmSums *sums);

/* Tests force "avx2" or "any", which the kernel otherwise chooses by the machine; 0 when unknown. */
extern int dmp_glm_use(const char *instructions);

/* --------------------------------------------------------------- moments */

/* of the dense columns, relative to their pivots; arrays of ndense */
typedef struct DmpMoments
{
	double weight;          /* W */
	double weight_positive; /* sum w y */
	double *mean;
	double *m2;            /* sum w (x - mean)^2 */
	double *positive_mean; /* over rows with y = 1; of a tile with target: sum w y x */
	double *low, *high;
} DmpMoments;

extern size_t dmp_moments_size(int ndense); /* doubles needed by the five arrays */
extern void dmp_moments_init(DmpMoments *m, int ndense, double *room);
extern void dmp_moments_tile(DmpMoments *m, int ndense, const DmpGlmTile *tile);
/* from's pivots are (into's + shift); shift NULL: the same. Labels only. */
extern void dmp_moments_merge(DmpMoments *into, const DmpMoments *from, int ndense,
							  const double *shift);

/* ------------------------------------------------------------- quadratic */

/*
 * Loss of some rows to second order, l + g'd + d'Hd / 2 with d = t - at, or with
 * the third derivatives to third order. Kept about the origin (at = 0), so that
 * those of different rows simply add.
 */
typedef struct DmpQuadratic
{
	int nparams;
	double constant;
	double *linear;  /* nparams */
	double *hessian; /* packed; of the polynomial at 0 */
	double *cubic;   /* nparams^3, symmetric, or NULL: none */
	/* where the parts were taken: weight of the rows, then theta; npoints x (1 + nparams) */
	int npoints;
	double *points;
} DmpQuadratic;

/* third derivatives: only without coded columns, and few parameters */
#define DMP_CUBIC_PARAMS 41

/* tiles to take third derivatives from, when they are a correction only: cheap beside a fit */
extern int dmp_cubic_tiles(int nparams);
/* doubles that dmp_glm_tile_cubic adds to; zero them first */
extern size_t dmp_cubic_size(int nparams);
extern void dmp_glm_tile_cubic(const DmpGlmShape *shape, const DmpGlmTile *tile,
							   const double *theta, double *slices, void *scratch);
/* the same with coded columns, written out as dense ones; bytes of scratch it needs, aligned to 32 */
extern size_t dmp_glm_cubic_scratch(const DmpGlmShape *shape);
extern void dmp_glm_tile_cubic_coded(const DmpGlmShape *shape, const DmpGlmTile *tile,
									 const double *theta, double *slices, void *scratch);
/* slices times f as a symmetric tensor, nparams^3 */
extern void dmp_cubic_tensor(int nparams, const double *slices, double f, double *tensor);

/* adds sums, taken at theta, with tensor when not NULL (then q has a cubic); scratch 2 nparams; points are the caller's */
extern void dmp_quadratic_add_sums(DmpQuadratic *q, const double *theta, const DmpGlmSums *sums,
								   const double *tensor, double *scratch);
/* adds from; into has a cubic when from has */
extern void dmp_quadratic_merge(DmpQuadratic *into, const DmpQuadratic *from);
/* re-bases when every margin, and the target of a gaussian family, becomes larger by s */
extern void dmp_quadratic_lift(DmpQuadratic *q, double s);
/* re-bases when the pivots of columns 1 .. ndense move by shift (new = old + shift) */
extern void dmp_quadratic_shift(DmpQuadratic *q, int ndense, const double *shift);
/* value, gradient and, when not NULL, packed Hessian at theta */
extern double dmp_quadratic_at(const DmpQuadratic *q, const double *theta, double *gradient,
							   double *hessian);

/* ---------------------------------------------------------------- solver */

typedef enum DmpSolveStatus
{
	DMP_SOLVE_CONVERGED,
	DMP_SOLVE_ITERATION_LIMIT,
	DMP_SOLVE_STALLED, /* no further descent: the rounding floor, or worse */
	DMP_SOLVE_SEPARATED
} DmpSolveStatus;

/*
 * minimise loss / W + lambda sum_j pf_j [alpha s_j |b_j| + (1 - alpha)/2 s_j^2 b_j^2], j from 1,
 * lower_j <= b_j <= upper_j
 *
 * eval adds up loss, gradient and (when sums->hessian is not NULL) Hessian at
 * theta over every stride-th tile, and the weight of the rows it saw.
 */
typedef struct DmpGlmProblem
{
	DmpGlmShape shape;
	double lambda;
	double alpha;
	const double *penalty_scale;  /* s_j, nparams; [0] unused */
	const double *mean;           /* of the columns as the kernel sees them; [0] unused */
	const double *sd;             /* the residual's scale; [0] unused */
	const double *reach;          /* max |x_j - mean_j|; NULL: unknown */
	const unsigned char *fixed;   /* held at 0 */
	const double *penalty_factor; /* pf_j of both parts of the penalty; NULL: 1 */
	/* of theta_j from 1 on, lower <= 0 <= upper, infinite where there is none; both NULL: none */
	const double *lower, *upper;
	double unit; /* the residual is told in this: 1, or the spread of a target of numbers; 0: 1 */
	double tolerance;
	int max_iterations;
	int max_stride; /* 1: rows cannot be thinned */
	/* each evaluation is a scan of the data: always with Hessian, and the last step is not measured
	 * when its residual can be bounded below the tolerance */
	int expensive;
	/* a start that is sure: taken when the objective at the one given is worse; NULL: none */
	double *fallback;
	double fallback_objective;
	void (*eval)(void *arg, const double *theta, const double *direction, int stride,
				 DmpGlmSums *sums, double *weight);
	void *arg;
	const DmpMathEnv *env;
} DmpGlmProblem;

typedef struct DmpGlmSolution
{
	DmpSolveStatus status;
	double *theta;          /* nparams; on entry the start */
	double *gradient;       /* mean gradient at the last evaluation */
	double *hessian;        /* mean Hessian, packed, at the last evaluation that had one */
	double *at;             /* theta of the last evaluation, or NULL: not asked */
	double at_loss;         /* mean loss there */
	int at_hessian;         /* it was of all rows and had a Hessian */
	unsigned char *aliased; /* nparams: 2 aliased, 1 fixed */
	double weight;
	double loss; /* mean, at the last evaluation */
	double objective;
	double kkt_residual; /* in units; measured, or when measured = 0 bounded */
	int measured;
	int iterations;  /* steps on all rows */
	int evaluations; /* of all rows */
	int moving;      /* SEPARATED: the parameter that runs away fastest, on unit-sd columns */
} DmpGlmSolution;

extern void dmp_glm_solve(const DmpGlmProblem *problem, DmpGlmSolution *solution);

/* the parts, for those who run the loop themselves */

/* the exact minimum of the penalised quadratic model with mean gradient g and mean Hessian h at theta */
extern void dmp_glm_model_min(const DmpGlmProblem *problem, const double *theta, const double *g,
							  const double *h, double ridge, double *next, unsigned char *aliased);
/* largest violation of the optimality conditions on centred columns of unit sd, in units */
extern double dmp_glm_kkt(const DmpGlmProblem *problem, const double *theta, const double *g,
						  const unsigned char *aliased);
extern double dmp_glm_penalty(const DmpGlmProblem *problem, const double *theta);

/*
 * Covariance of theta, packed: lambda 0 the inverse of hessian (a sum over
 * rows, not a mean); ridge A^-1 H A^-1 with A = H + W lambda s^2. With meat,
 * the packed sum of squares of what rows (or clusters of rows) add to the
 * gradient, the sandwich A^-1 meat A^-1. Columns marked in skip get 0; newly
 * aliased ones are marked 2.
 */
extern void dmp_glm_covariance(const DmpGlmProblem *problem, const double *hessian,
							   const double *meat, double weight, unsigned char *skip,
							   double *covariance);

#endif /* DMP_MATH_GLM_H */
