/*-------------------------------------------------------------------------
 * sparse.h
 *		Logistic and softmax regression over compact sparse rows.
 *
 * For models too wide for a Hessian: hashed columns, n-grams, many classes.
 * A row is a flat record (DmpSparseRow, then ndense float8, then n entries);
 * records follow each other in chunks, which their owner keeps in memory or
 * in a file. Column c of the problem is dense column c for c < ndense, else
 * what entries name.
 *
 * With one class the target is 0 or 1 and the loss logistic; with K > 1 the
 * target is a class number and the loss that of the softmax over K sets of
 * coefficients. Parameters are theta[(1 + c) * K + k], the intercepts first.
 * What is minimised:
 *
 *		(1/W) [ sum_i w_i loss_i + prior ]
 *			+ lambda sum_{c,k} [ alpha s_c |b| + (1 - alpha)/2 s_c^2 b^2 ]
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_SPARSE_H
#define DMP_MATH_SPARSE_H

#include <stddef.h>
#include <stdint.h>

#include "math/env.h"
#include "math/glm.h"

typedef struct DmpSparseEntry
{
	uint32_t column; /* >= ndense */
	float value;
} DmpSparseEntry;

typedef struct DmpSparseRow
{
	uint32_t n;     /* entries */
	int32_t target; /* 0 or 1, or the class */
	double weight;
	double value;  /* the target, of families gaussian and poisson */
	double offset; /* added to the margin; one class only */
				   /* double dense[ndense]; DmpSparseEntry entries[n]; */
} DmpSparseRow;

#define DMP_SPARSE_ROW_SIZE(ndense, n)                           \
	(sizeof(DmpSparseRow) + sizeof(double) * (size_t) (ndense) + \
	 sizeof(DmpSparseEntry) * (size_t) (n))
#define DMP_SPARSE_DENSE(row) ((double *) ((row) + 1))
#define DMP_SPARSE_ENTRIES(row, ndense) ((DmpSparseEntry *) (DMP_SPARSE_DENSE(row) + (ndense)))

/* The rows, as their owner hands them out. */
typedef struct DmpSparseRows
{
	int ndense;
	int nchunks;
	size_t nrows;
	int resident; /* what load returned stays valid: rows may be visited in any order */
	void *arg;
	/* records of a chunk; not resident: valid until the next call */
	char *(*load)(void *arg, int chunk, size_t *length);
} DmpSparseRows;

/*
 * The loss of rows that are not there any more, to second order about a point
 * (one class). Sums over rows, by parameter (0: the intercept). Parameters of
 * the block have all their second derivatives, others their own only.
 */
typedef struct DmpSparsePrior
{
	const double *start;
	const double *gradient;
	const double *diagonal; /* 0 in the block */
	int nblock;
	const int *block;      /* parameters */
	const double *hessian; /* nblock x nblock */
} DmpSparsePrior;

typedef struct DmpSparseProblem
{
	const DmpSparseRows *rows;
	int nclasses; /* 1: of family; K >= 2: softmax */
	DmpFamily family;
	/* gaussian: the target is (value - offset - shift) / spread, and margins are in its terms */
	double shift, spread;
	int ncolumns; /* dense ones counted, the intercept not */
	int intercept;
	double lambda;
	double alpha;
	const double *scale; /* s_c, ncolumns; NULL: all 1 */
	double mean;         /* of counts */
	int has_offset;
	const double *factor;        /* of the penalty, ncolumns; NULL: all 1 */
	double weight_sum;           /* W */
	const DmpSparsePrior *prior; /* NULL: none */
	const DmpMathEnv *env;
} DmpSparseProblem;

/* numbers in theta */
extern size_t dmp_sparse_size(const DmpSparseProblem *p);
/* bytes the solver needs beside the rows and theta */
extern size_t dmp_sparse_memory(const DmpSparseProblem *p, int history);
/* margins of a row, nclasses of them; gaussian: without the offset */
extern void dmp_sparse_margins(const DmpSparseProblem *p, const DmpSparseRow *row,
							   const double *theta, double *margins);
/*
 * Loss plus ridge, and their gradient (NULL: none wanted). *loss (may be NULL):
 * the mean loss alone.
 */
extern double dmp_sparse_value(const DmpSparseProblem *p, const double *theta, double *gradient,
							   double *loss);
/* lambda alpha sum s |b| */
extern double dmp_sparse_lasso(const DmpSparseProblem *p, const double *theta);
/* theta of the model of intercepts only; its mean loss */
extern double dmp_sparse_null(const DmpSparseProblem *p, double *theta);
/* loss of a margin vector, which becomes the residual p - y; classes */
extern double dmp_sparse_loss(int nclasses, int target, double *margins);
/* the same of any family */
extern double dmp_sparse_row_loss(const DmpSparseProblem *p, const DmpSparseRow *row,
								  double *margins);

/* ------------------------------------------------ sparse_prior.c; one class, binomial */

/* value of the prior / W; its gradient is added */
extern double dmp_sparse_prior_value(const DmpSparseProblem *p, const double *theta,
									 double *gradient);
/* gradient of the prior at theta, sums over rows */
extern void dmp_sparse_prior_gradient(const DmpSparsePrior *prior, size_t n, const double *theta,
									  double *gradient);
/* the rows' gradient and own second derivatives at theta are added; sums over rows */
extern void dmp_sparse_derivatives(const DmpSparseProblem *p, const double *theta, double *gradient,
								   double *diagonal);
/*
 * The rows' second derivatives of the block are added to hessian (nblock x
 * nblock, both halves); place: of a parameter in the block, or -1. When rows
 * have more than max_pairs pairs of them in all, some of the rows stand for
 * all, scaled so that the diagonal is what it is.
 */
extern void dmp_sparse_block(const DmpSparseProblem *p, const double *theta, const int *place,
							 int nblock, double *hessian, double max_pairs);

/* epochs of plain stochastic gradient steps from theta on, without the lasso; rows shuffled by seed */
extern void dmp_sparse_sgd(const DmpSparseProblem *p, double *theta, int epochs, uint64_t seed);

typedef enum DmpSparseStatus
{
	DMP_SPARSE_CONVERGED,
	DMP_SPARSE_ITERATION_LIMIT,
	DMP_SPARSE_DIVERGED
} DmpSparseStatus;

typedef struct DmpSparseResult
{
	DmpSparseStatus status;
	int iterations;
	int passes; /* over the rows */
	double objective;
	double kkt; /* largest element of the (sub)gradient of the objective */
} DmpSparseResult;

/*
 * L-BFGS, or with a lasso OWL-QN (Andrew and Gao 2007), from theta on. Ends
 * when kkt <= gradient_tolerance, or when twice running the objective fell by
 * less than objective_tolerance (0: never).
 */
extern DmpSparseResult dmp_sparse_solve(const DmpSparseProblem *p, double *theta, int history,
										int max_iterations, double gradient_tolerance,
										double objective_tolerance);

#endif /* DMP_MATH_SPARSE_H */
