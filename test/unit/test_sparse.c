/* test_sparse.c - gradients against differences, optima against Newton and proximal steps */
#include "unit.h"
#include "math/hash.h"
#include "math/linalg.h"
#include "math/sparse.h"

#define ROWS 300
#define DENSE 2
#define COLUMNS 9 /* two dense, seven of entries */
#define CLASSES 4
#define CHUNKS 3
#define MOST ((COLUMNS + 1) * CLASSES)

static double full[ROWS][COLUMNS]; /* the rows written out */
static int class_of[ROWS];
static double weight_of[ROWS];
static char chunk[CHUNKS][ROWS * DMP_SPARSE_ROW_SIZE(DENSE, COLUMNS)];
static size_t chunk_length[CHUNKS];

static char *
load(void *arg, int i, size_t *length)
{
	*length = chunk_length[i];
	return chunk[i];
}

static void
make_rows(int nclasses)
{
	DmpRandom r;
	int i, j;

	dmp_random_init(&r, 5, (uint64_t) nclasses);
	memset(chunk_length, 0, sizeof(chunk_length));
	for (i = 0; i < ROWS; i++)
	{
		int at = i % CHUNKS;
		DmpSparseRow *row = (DmpSparseRow *) (chunk[at] + chunk_length[at]);
		DmpSparseEntry *entries = DMP_SPARSE_ENTRIES(row, DENSE);
		double m = 0;

		row->n = 0;
		for (j = 0; j < COLUMNS; j++)
		{
			full[i][j] = 0;
			if (j < DENSE)
				full[i][j] = DMP_SPARSE_DENSE(row)[j] = dmp_random_normal(&r);
			else if (dmp_random_below(&r, 3) == 0)
			{
				entries[row->n].column = (uint32_t) j;
				entries[row->n].value = (float) dmp_random_unit(&r);
				full[i][j] = entries[row->n++].value;
			}
			m += full[i][j] * (j % 3 - 1);
		}
		m += dmp_random_normal(&r);
		if (nclasses == 1)
			class_of[i] = m > 0.4;
		else
			class_of[i] = m < -0.8 ? 0 : m < 0 ? 1 : m < 0.7 ? 2 : 3;
		row->target = class_of[i];
		row->weight = weight_of[i] = 1 + (double) (i % 4);
		row->value = class_of[i] * 2 + i % 3;
		row->offset = 0.1 * (i % 5);
		chunk_length[at] += DMP_SPARSE_ROW_SIZE(DENSE, row->n);
	}
}

static DmpSparseProblem
problem(const DmpSparseRows *rows, int nclasses, double lambda, double alpha, const double *scale)
{
	DmpSparseProblem p;
	int i;

	memset(&p, 0, sizeof(p));
	p.rows = rows;
	p.nclasses = nclasses;
	p.ncolumns = COLUMNS;
	p.intercept = 1;
	p.lambda = lambda;
	p.alpha = alpha;
	p.scale = scale;
	p.env = &unit_env;
	p.spread = 1;

	for (i = 0; i < ROWS; i++)
		p.weight_sum += weight_of[i];
	return p;
}

static void
check_gradient(const DmpSparseProblem *p, const char *what)
{
	double theta[MOST], gradient[MOST], worst = 0;
	size_t n = dmp_sparse_size(p), i;
	DmpRandom r;

	dmp_random_init(&r, 3, 3);
	for (i = 0; i < n; i++)
		theta[i] = dmp_random_normal(&r);
	dmp_sparse_value(p, theta, gradient, NULL);
	for (i = 0; i < n; i++)
	{
		double keep = theta[i], up, down;

		theta[i] = keep + 1e-5;
		up = dmp_sparse_value(p, theta, NULL, NULL);
		theta[i] = keep - 1e-5;
		down = dmp_sparse_value(p, theta, NULL, NULL);
		theta[i] = keep;
		worst = fmax(worst, fabs((up - down) / 2e-5 - gradient[i]));
	}
	near(worst, 0, 1e-9, what);
}

/* objective by formula, row by row over the full matrix */
static double
plain_objective(const DmpSparseProblem *p, const double *theta)
{
	double sum = 0;
	int K = p->nclasses, i, j, k;

	for (i = 0; i < ROWS; i++)
	{
		double m[CLASSES], total = 0;

		for (k = 0; k < K; k++)
		{
			m[k] = theta[k];
			for (j = 0; j < COLUMNS; j++)
				m[k] += full[i][j] * theta[(1 + j) * K + k];
			total += exp(m[k]);
		}
		if (K == 1)
			sum += weight_of[i] * (log(1 + exp(m[0])) - class_of[i] * m[0]);
		else
			sum += weight_of[i] * (log(total) - m[class_of[i]]);
	}
	sum /= p->weight_sum;
	for (j = 0; j < COLUMNS; j++)
		for (k = 0; k < K; k++)
		{
			double b = theta[(1 + j) * K + k], s = p->scale ? p->scale[j] : 1;

			sum += p->lambda * (p->alpha * s * fabs(b) + (1 - p->alpha) / 2 * s * s * b * b);
		}
	return sum;
}

/* Newton with the whole Hessian; ridge only */
static void
newton(const DmpSparseProblem *p, double *theta)
{
	static double h[DMP_TRI(MOST)];
	double gradient[MOST], d[MOST], step[MOST];
	int K = p->nclasses, n = (COLUMNS + 1) * K, round, i, a, b;

	dmp_sparse_null(p, theta);
	for (round = 0; round < 40; round++)
	{
		unsigned char skip[MOST] = {0};

		dmp_sparse_value(p, theta, gradient, NULL);
		memset(h, 0, sizeof(h));
		for (i = 0; i < ROWS; i++)
		{
			double m[CLASSES], total = 0;

			for (a = 0; a < K; a++)
			{
				m[a] = theta[a];
				for (b = 0; b < COLUMNS; b++)
					m[a] += full[i][b] * theta[(1 + b) * K + a];
				m[a] = exp(m[a]);
				total += m[a];
			}
			if (K == 1)
				total += 1;
			for (a = 0; a < n; a++)
				for (b = 0; b <= a; b++)
				{
					double pa = m[a % K] / total, pb = m[b % K] / total;
					double xa = a < K ? 1 : full[i][a / K - 1], xb = b < K ? 1 : full[i][b / K - 1];

					h[DMP_TRI(a) + b] += weight_of[i] / p->weight_sum * xa * xb *
										 ((a % K == b % K ? pa : 0) - pa * pb);
				}
		}
		for (a = K; a < n; a++)
		{
			double s = p->scale ? p->scale[a / K - 1] : 1;

			h[DMP_TRI(a) + a] += p->lambda * s * s;
		}
		dmp_cholesky(n, h, d, skip, DMP_ALIAS_TOLERANCE, &unit_env);
		dmp_cholesky_solve(n, h, d, gradient, step);
		for (a = 0; a < n; a++)
			theta[a] -= step[a];
	}
}

/* proximal gradient with a small step, very many times: slow and hard to get wrong */
static void
proximal(const DmpSparseProblem *p, double *theta)
{
	double gradient[MOST], step = 0.5;
	int K = p->nclasses, n = (COLUMNS + 1) * K, round, a;

	dmp_sparse_null(p, theta);
	for (round = 0; round < 6000; round++)
	{
		dmp_sparse_value(p, theta, gradient, NULL);
		for (a = 0; a < n; a++)
		{
			double x = theta[a] - step * gradient[a];
			double t =
				a < K ? 0 : step * p->lambda * p->alpha * (p->scale ? p->scale[a / K - 1] : 1);

			theta[a] = x > t ? x - t : x < -t ? x + t : 0;
		}
	}
}

static void
check_optimum(int nclasses, double lambda, const double *scale, const char *what)
{
	DmpSparseRows rows = {DENSE, CHUNKS, ROWS, 1, NULL, load};
	DmpSparseProblem p = problem(&rows, nclasses, lambda, 0, scale);
	double theta[MOST], truth[MOST];
	DmpSparseResult result;

	newton(&p, truth);
	dmp_sparse_null(&p, theta);
	result = dmp_sparse_solve(&p, theta, 5, 2000, 1e-10, 0);
	ok(result.status == DMP_SPARSE_CONVERGED && result.kkt <= 1e-10, "converged");
	near(result.objective, plain_objective(&p, theta), 1e-13, "the objective is what it says");
	near(plain_objective(&p, theta), plain_objective(&p, truth), 1e-13, what);
	near(theta[3 * nclasses], truth[3 * nclasses], 1e-7, "a coefficient");
	/* from stochastic steps on, to a relative tolerance */
	dmp_sparse_null(&p, theta);
	dmp_sparse_sgd(&p, theta, 5, 42);
	result = dmp_sparse_solve(&p, theta, 5, 2000, 1e-10, 1e-6);
	ok(result.status == DMP_SPARSE_CONVERGED, "converged from stochastic steps");
	near(plain_objective(&p, theta) / plain_objective(&p, truth), 1, 1e-4, what);
}

static void
check_lasso(int nclasses, double alpha, const char *what)
{
	DmpSparseRows rows = {DENSE, CHUNKS, ROWS, 1, NULL, load};
	DmpSparseProblem p = problem(&rows, nclasses, 0.02, alpha, NULL);
	double theta[MOST], truth[MOST];
	DmpSparseResult result;
	int zeros = 0, same = 0, i;

	proximal(&p, truth);
	dmp_sparse_null(&p, theta);
	result = dmp_sparse_solve(&p, theta, 5, 2000, 1e-8, 0);
	ok(result.status == DMP_SPARSE_CONVERGED, "OWL-QN converged");
	near(plain_objective(&p, theta), plain_objective(&p, truth), 1e-9, what);
	for (i = 0; i < (COLUMNS + 1) * nclasses; i++)
	{
		zeros += truth[i] == 0;
		same += truth[i] == 0 && theta[i] == 0;
	}
	ok(zeros > 0 && same == zeros, "zeros are zero");
}

/* what is kept of all rows stands for them: derivatives against differences, value by formula */
static void
check_prior(void)
{
	DmpSparseRows rows = {DENSE, CHUNKS, ROWS, 1, NULL, load}, none = {DENSE, 0, 0, 1, NULL, load};
	DmpSparseProblem p = problem(&rows, 1, 0, 0, NULL), q = problem(&none, 1, 0.01, 0, NULL);
	enum
	{
		N = COLUMNS + 1
	};
	double start[N], theta[N], gradient[N] = {0}, own[N] = {0}, up[N], down[N], all[N * N] = {0};
	double part[N * N] = {0}, diagonal[N], sum[N], worst = 0, value = 0;
	int block[N], place[N], i, j;
	DmpSparsePrior prior = {start, gradient, diagonal, 0, block, all};
	DmpRandom r;

	dmp_random_init(&r, 11, 1);
	for (i = 0; i < N; i++)
	{
		start[i] = dmp_random_normal(&r);
		theta[i] = start[i] + dmp_random_normal(&r) / 10;
		block[i] = place[i] = i;
	}
	dmp_sparse_derivatives(&p, start, gradient, own);
	dmp_sparse_block(&p, start, place, N, all, 1e9);
	for (i = 0; i < N; i++)
	{
		double keep = start[i];

		start[i] = keep + 1e-5;
		dmp_sparse_value(&p, start, up, NULL);
		start[i] = keep - 1e-5;
		dmp_sparse_value(&p, start, down, NULL);
		start[i] = keep;
		for (j = 0; j < N; j++)
			worst = fmax(worst, fabs((up[j] - down[j]) / 2e-5 * p.weight_sum - all[i * N + j]));
		near(own[i], all[i * N + i], 1e-9, "own second derivative");
	}
	near(worst, 0, 1e-5, "second derivatives of the block");
	/* a part of the rows: the diagonal is that of all */
	dmp_sparse_block(&p, start, place, N, part, 3000);
	for (i = 0; i < N; i++)
		near(part[i * N + i], all[i * N + i], 1e-9, "diagonal from some of the rows");
	/* the last four columns are not in the block */
	q.prior = &prior;
	prior.nblock = N - 4;
	prior.hessian = part;
	memset(diagonal, 0, sizeof(diagonal));
	memset(part, 0, sizeof(part));
	for (i = 0; i < N; i++)
		place[i] = i < N - 4 ? i : -1;
	dmp_sparse_block(&p, start, place, N - 4, part, 1e9);
	for (i = 0; i < N; i++)
	{
		double d = theta[i] - start[i];

		if (i >= N - 4)
			diagonal[i] = own[i];
		value += gradient[i] * d + diagonal[i] * d * d / 2;
		for (j = 0; i < N - 4 && j < N - 4; j++)
			value += all[i * N + j] * d * (theta[j] - start[j]) / 2;
	}
	near(dmp_sparse_prior_value(&q, theta, NULL), value / q.weight_sum, 1e-13, "value of a prior");
	check_gradient(&q, "gradient with a prior");
	memset(up, 0, sizeof(up));
	dmp_sparse_prior_value(&q, theta, up);
	dmp_sparse_prior_gradient(&prior, N, theta, sum);
	for (worst = i = 0; i < N; i++)
		worst = fmax(worst, fabs(sum[i] / q.weight_sum - up[i]));
	near(worst, 0, 1e-14, "gradient of a prior");
	/* a quadratic is solved: the gradient is 0 */
	memcpy(theta, start, sizeof(theta));
	ok(dmp_sparse_solve(&q, theta, 5, 2000, 1e-10, 0).status == DMP_SPARSE_CONVERGED,
	   "a prior without rows has a minimum");
}

void
test_sparse(void)
{
	static const double scale[COLUMNS] = {1, 0.5, 1, 2, 1, 1, 0.1, 1, 3};
	DmpSparseRows rows = {DENSE, CHUNKS, ROWS, 1, NULL, load};
	DmpSparseProblem p;
	double theta[MOST], again[MOST], margins[CLASSES], start;

	make_rows(1);
	p = problem(&rows, 1, 0.1, 0, scale);
	check_gradient(&p, "logistic gradient");
	p.has_offset = 1;
	check_gradient(&p, "with an offset");
	p.family = DMP_POISSON;
	check_gradient(&p, "poisson gradient");
	p.family = DMP_GAUSSIAN;
	p.shift = 1;
	p.spread = 3;
	check_gradient(&p, "gaussian gradient");
	p.family = DMP_BINOMIAL;
	p.has_offset = 0;
	check_optimum(1, 0.01, scale, "logistic optimum is Newton's");
	check_prior();
	check_lasso(1, 1, "logistic lasso");
	check_lasso(1, 0.5, "logistic elastic net");

	/* files hand chunks out one by one: other order of rows, same optimum */
	rows.resident = 0;
	p = problem(&rows, 1, 0.01, 0, NULL);
	start = dmp_sparse_null(&p, theta);
	near(start, dmp_sparse_value(&p, theta, NULL, NULL), 1e-13, "loss of the intercept alone");
	dmp_sparse_sgd(&p, theta, 3, 7);
	ok(plain_objective(&p, theta) < start, "stochastic steps decrease the loss");
	dmp_sparse_null(&p, again);
	dmp_sparse_sgd(&p, again, 3, 7);
	ok(memcmp(theta, again, sizeof(double) * dmp_sparse_size(&p)) == 0, "a seed is a result");
	rows.resident = 1;

	make_rows(CLASSES);
	p = problem(&rows, CLASSES, 0.1, 0, scale);
	check_gradient(&p, "softmax gradient");
	start = dmp_sparse_null(&p, theta);
	near(start, dmp_sparse_value(&p, theta, NULL, NULL), 1e-13, "loss of the intercepts alone");
	check_optimum(CLASSES, 0.01, NULL, "softmax optimum is Newton's");
	check_optimum(CLASSES, 0.003, scale, "softmax optimum with scales");
	check_lasso(CLASSES, 1, "softmax lasso");

	/* far margins */
	margins[0] = 900;
	near(dmp_sparse_loss(1, 0, margins), 900, 0, "loss of a large margin");
	near(margins[0], 1, 0, "its residual");
	margins[0] = -900;
	margins[1] = 900;
	near(dmp_sparse_loss(2, 0, margins), 1800, 1e-12, "softmax loss of far margins");
}
