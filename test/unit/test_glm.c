/* test_glm.c - the kernel against finite differences and plain sums, the solver against conditions */
#include "unit.h"
#include "math/glm.h"
#include "math/hash.h"
#include "math/metrics.h"

#define MAXTILES 64

typedef struct Data
{
	DmpGlmShape shape;
	int n, ntiles;
	double *dense;
	int32_t *codes;
	unsigned char *label;
	double *weight;
	DmpMoments moments;
	void *scratch;
	int evaluations;
} Data;

static void *
aligned(size_t size)
{
	void *p = aligned_alloc(64, (size + 127) & ~(size_t) 63);

	memset(p, 0, size);
	return p;
}

/* tile t of the data */
static DmpGlmTile
tile_of(const Data *d, int t)
{
	DmpGlmTile tile;

	memset(&tile, 0, sizeof(tile));
	tile.n = d->n - t * DMP_TILE < DMP_TILE ? d->n - t * DMP_TILE : DMP_TILE;
	tile.dense = d->dense + (size_t) t * DMP_TILE * d->shape.ndense;
	tile.codes = d->codes + (size_t) t * DMP_TILE * d->shape.ncoded;
	tile.label = d->label + t * DMP_TILE;
	tile.weight = d->weight ? d->weight + t * DMP_TILE : NULL;
	return tile;
}

static double
value_at(const Data *d, int row, int j)
{
	return d->dense[((size_t) (row / DMP_TILE) * d->shape.ndense + j) * DMP_TILE + row % DMP_TILE];
}

static int
code_at(const Data *d, int row, int k)
{
	return d->codes[((size_t) (row / DMP_TILE) * d->shape.ncoded + k) * DMP_TILE + row % DMP_TILE];
}

static Data
make_data(int n, int ndense, int ncoded, int levels, int weighted, double strength, uint64_t seed)
{
	Data d;
	DmpRandom r;
	int i, j, k;

	memset(&d, 0, sizeof(d));
	d.shape.ndense = ndense;
	d.shape.ncoded = ncoded;
	d.shape.nparams = 1 + ndense + ncoded * levels;
	d.n = n;
	d.ntiles = (n + DMP_TILE - 1) / DMP_TILE;
	d.dense = aligned(sizeof(double) * d.ntiles * DMP_TILE * (ndense + 1));
	d.codes = aligned(sizeof(int32_t) * d.ntiles * DMP_TILE * (ncoded + 1));
	d.label = aligned(d.ntiles * DMP_TILE);
	d.weight = weighted ? aligned(sizeof(double) * d.ntiles * DMP_TILE) : NULL;
	d.scratch = aligned(dmp_glm_scratch(&d.shape));
	dmp_random_init(&r, seed, 0);
	for (i = 0; i < n; i++)
	{
		int t = i / DMP_TILE, in = i % DMP_TILE;
		double m = -0.5;

		for (j = 0; j < ndense; j++)
		{
			double x = dmp_random_normal(&r) * (1 + j % 3) + 0.2 * j;

			d.dense[((size_t) t * ndense + j) * DMP_TILE + in] = x;
			m += strength * ((j % 4) - 1.5) * x / (1 + j);
		}
		for (k = 0; k < ncoded; k++)
		{
			/* one code more than levels: the reference */
			int level = (int) dmp_random_below(&r, levels + 1);

			d.codes[((size_t) t * ncoded + k) * DMP_TILE + in] =
				level == levels ? -1 : 1 + ndense + k * levels + level;
			m += strength * (level - 1) * 0.3;
		}
		d.label[i] = dmp_random_unit(&r) < dmp_sigmoid(m);
		if (weighted)
			d.weight[i] = dmp_random_below(&r, 8) == 0 ? 0 : 0.5 + dmp_random_unit(&r);
	}
	for (i = n; i < d.ntiles * DMP_TILE; i++)
		for (k = 0; k < ncoded; k++)
			d.codes[((size_t) (i / DMP_TILE) * ncoded + k) * DMP_TILE + i % DMP_TILE] = -1;
	dmp_moments_init(&d.moments, ndense, calloc(dmp_moments_size(ndense) + 1, sizeof(double)));
	for (i = 0; i < d.ntiles; i++)
	{
		DmpGlmTile tile = tile_of(&d, i);

		dmp_moments_tile(&d.moments, ndense, &tile);
	}
	return d;
}

static DmpGlmSums
make_sums(const Data *d)
{
	DmpGlmSums s;

	s.gradient = calloc(d->shape.nparams, sizeof(double));
	s.hessian = calloc(DMP_TRI(d->shape.nparams), sizeof(double));
	dmp_glm_sums_clear(&d->shape, &s);
	return s;
}

static void
eval(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
	 double *weight)
{
	Data *d = arg;
	int t, i;

	d->evaluations += stride == 1;
	for (t = 0; t < d->ntiles; t += stride)
	{
		DmpGlmTile tile = tile_of(d, t);

		dmp_glm_tile(&d->shape, &tile, theta, direction, sums, NULL, d->scratch);
		for (i = 0; i < tile.n; i++)
			*weight += tile.weight ? tile.weight[i] : 1;
	}
}

/* loss by the definition, long double */
static double
brute_loss(const Data *d, const double *theta)
{
	long double sum = 0;
	int i, j, k;

	for (i = 0; i < d->n; i++)
	{
		double m = theta[0];

		for (j = 0; j < d->shape.ndense; j++)
			m += theta[1 + j] * value_at(d, i, j);
		for (k = 0; k < d->shape.ncoded; k++)
			if (code_at(d, i, k) >= 0)
				m += theta[code_at(d, i, k)];
		sum += (d->weight ? d->weight[i] : 1) * dmp_log_loss_margin(m, d->label[i]);
	}
	return sum;
}

static void
kernel_case(int n, int ndense, int ncoded, int levels, int weighted, uint64_t seed)
{
	Data d = make_data(n, ndense, ncoded, levels, weighted, 1, seed);
	DmpGlmSums s = make_sums(&d), s1 = make_sums(&d), s2 = make_sums(&d);
	int q = d.shape.nparams, i, j;
	double *theta = calloc(q, sizeof(double)), *dir = calloc(q, sizeof(double));
	double weight = 0, worst = 0, h = 1e-5, low = INFINITY, high = 0;
	DmpRandom r;

	dmp_random_init(&r, seed, 1);
	for (i = 0; i < q; i++)
	{
		theta[i] = 0.3 * dmp_random_normal(&r);
		dir[i] = dmp_random_normal(&r);
	}
	eval(&d, theta, dir, 1, &s, &weight);
	near(s.loss, brute_loss(&d, theta), 1e-13 * n, "loss by its definition");
	for (i = 0; i < q; i++)
	{
		double keep = theta[i];

		theta[i] = keep + h;
		dmp_glm_sums_clear(&d.shape, &s1);
		eval(&d, theta, NULL, 1, &s1, &weight);
		theta[i] = keep - h;
		dmp_glm_sums_clear(&d.shape, &s2);
		eval(&d, theta, NULL, 1, &s2, &weight);
		theta[i] = keep;
		worst = fmax(worst, fabs((s1.loss - s2.loss) / (2 * h) - s.gradient[i]) / (n + 1));
		for (j = 0; j < q; j++)
		{
			double difference = (s1.gradient[j] - s2.gradient[j]) / (2 * h);
			double element = s.hessian[i >= j ? DMP_TRI(i) + j : DMP_TRI(j) + i];

			worst = fmax(worst, fabs(difference - element) / (n + 1) / 30);
		}
	}
	near(worst, 0, 3e-9, "gradient and Hessian against finite differences");
	for (i = 0; i < n; i++)
	{
		double m = dir[0];

		if (d.weight && d.weight[i] == 0)
			continue;
		for (j = 0; j < ndense; j++)
			m += dir[1 + j] * value_at(&d, i, j);
		for (j = 0; j < ncoded; j++)
			if (code_at(&d, i, j) >= 0)
				m += dir[code_at(&d, i, j)];
		low = fmin(low, d.label[i] ? m : -m);
		high = fmax(high, fabs(m));
	}
	near(s.direction_low, low, 1e-12, "least signed change along a direction");
	near(s.direction_high, high, 1e-12, "largest change along a direction");
	if (dmp_glm_use("avx2"))
	{
		dmp_glm_sums_clear(&d.shape, &s1);
		eval(&d, theta, dir, 1, &s1, &weight);
		ok(dmp_glm_use("any"), "plain instructions");
		dmp_glm_sums_clear(&d.shape, &s2);
		eval(&d, theta, dir, 1, &s2, &weight);
		ok(s1.loss == s2.loss && !memcmp(s1.gradient, s2.gradient, q * sizeof(double)) &&
			   !memcmp(s1.hessian, s2.hessian, DMP_TRI(q) * sizeof(double)),
		   "every instruction set gives the same bits");
		dmp_glm_use("avx2");
	}
}

static void
extremes(void)
{
	Data d = make_data(200, 1, 0, 0, 0, 1, 5);
	DmpGlmSums s = make_sums(&d);
	double theta[2] = {0, 1}, weight = 0, expect = 0, g = 0;
	static const double at[] = {0,  1e-300, 1e-17, 1e-8, 0.3, 0.5,  1,
								36, 37.5,   700,   720,  1e6, 1e300};
	int i;

	for (i = 0; i < 200; i++)
	{
		d.dense[(i / DMP_TILE) * DMP_TILE + i % DMP_TILE] = (i % 2 ? -1 : 1) * at[(i / 2) % 12];
		d.label[i] = (i / 24) % 2;
	}
	for (i = 0; i < 200; i++)
	{
		double m = value_at(&d, i, 0);

		expect += dmp_log_loss_margin(m, d.label[i]);
		g += dmp_sigmoid(m) - d.label[i];
	}
	eval(&d, theta, NULL, 1, &s, &weight);
	near(s.loss / expect, 1, 1e-14, "loss at margins from 1e-300 to 1e6");
	near(s.gradient[0], g, 1e-12, "residuals at the same");
	ok(isfinite(s.hessian[2]), "curvature stays finite");
}

static double *
column_scale(const Data *d, int indicators_one, double **mean, double **reach)
{
	int q = d->shape.nparams, j, i, k;
	double *sd = calloc(q, sizeof(double)), *count = calloc(q, sizeof(double)), W = 0;

	*mean = calloc(q, sizeof(double));
	*reach = calloc(q, sizeof(double));
	for (j = 0; j < d->shape.ndense; j++)
	{
		(*mean)[1 + j] = d->moments.mean[j];
		sd[1 + j] = sqrt(d->moments.m2[j] / d->moments.weight);
		(*reach)[1 + j] =
			fmax(d->moments.high[j] - (*mean)[1 + j], (*mean)[1 + j] - d->moments.low[j]);
	}
	for (i = 0; i < d->n; i++)
	{
		double w = d->weight ? d->weight[i] : 1;

		W += w;
		for (k = 0; k < d->shape.ncoded; k++)
			if (code_at(d, i, k) >= 0)
				count[code_at(d, i, k)] += w;
	}
	for (j = 1 + d->shape.ndense; j < q; j++)
	{
		(*mean)[j] = count[j] / W;
		sd[j] = indicators_one ? 1 : sqrt(count[j] / W * (1 - count[j] / W));
		(*reach)[j] = 1;
	}
	return sd;
}

static DmpGlmSolution
make_solution(int q)
{
	DmpGlmSolution s;

	memset(&s, 0, sizeof(s));
	s.theta = calloc(q, sizeof(double));
	s.gradient = calloc(q, sizeof(double));
	s.hessian = calloc(DMP_TRI(q), sizeof(double));
	s.aliased = calloc(q, 1);
	return s;
}

/* conditions at theta, from a fresh evaluation */
static double
violation(Data *d, const DmpGlmProblem *p, const DmpGlmSolution *s)
{
	DmpGlmSums sums = make_sums(d);
	double weight = 0;
	int i;

	eval(d, s->theta, NULL, 1, &sums, &weight);
	for (i = 0; i < p->shape.nparams; i++)
		sums.gradient[i] /= weight;
	return dmp_glm_kkt(p, s->theta, sums.gradient, NULL);
}

static void
solve_case(Data *d, double lambda, double alpha, int max_stride, int expensive, const char *what)
{
	DmpGlmProblem p;
	DmpGlmSolution s = make_solution(d->shape.nparams);
	double *mean, *reach, *sd = column_scale(d, 0, &mean, &reach);
	char name[200];

	memset(&p, 0, sizeof(p));
	p.shape = d->shape;
	p.lambda = lambda;
	p.alpha = alpha;
	p.penalty_scale = column_scale(d, 1, &mean, &reach);
	p.mean = mean;
	p.sd = sd;
	p.reach = reach;
	p.fixed = calloc(d->shape.nparams, 1);
	p.tolerance = 1e-9;
	p.max_iterations = 50;
	p.max_stride = max_stride;
	p.expensive = expensive;
	p.eval = eval;
	p.arg = d;
	p.env = &unit_env;
	d->evaluations = 0;
	dmp_glm_solve(&p, &s);
	snprintf(name, sizeof(name), "%s: converged", what);
	ok(s.status == DMP_SOLVE_CONVERGED, name);
	snprintf(name, sizeof(name), "%s: optimality conditions (%d evaluations)", what,
			 d->evaluations);
	near(violation(d, &p, &s), 0, 1e-9, name);
	ok(s.kkt_residual <= 1e-9, "and the solver says so");
}

/* ridge covariance against A^-1 H A^-1 by elimination */
static void
sandwich(void)
{
	Data d = make_data(500, 3, 1, 2, 0, 1, 19);
	DmpGlmProblem p;
	DmpGlmSums s = make_sums(&d);
	int q = d.shape.nparams, i, j, k, r;
	double *mean, *reach, *theta = calloc(q, sizeof(double)), weight = 0, worst = 0;
	double a[6][12], inverse[6][6], product[6][6], cov[21];
	unsigned char skip[6] = {0};

	memset(&p, 0, sizeof(p));
	p.shape = d.shape;
	p.lambda = 0.05;
	p.sd = p.penalty_scale = column_scale(&d, 0, &mean, &reach);
	p.env = &unit_env;
	eval(&d, theta, NULL, 1, &s, &weight);
	dmp_glm_covariance(&p, s.hessian, NULL, weight, skip, cov);
	for (i = 0; i < q; i++)
		for (j = 0; j < 2 * q; j++)
			a[i][j] = j >= q ? j - q == i
							 : s.hessian[i >= j ? DMP_TRI(i) + j : DMP_TRI(j) + i] +
								   (i == j && i > 0 ? weight * p.lambda * p.sd[i] * p.sd[i] : 0);
	for (k = 0; k < q; k++)
		for (r = 0; r < q; r++)
		{
			double f = r == k ? 1 - 1 / a[k][k] : a[r][k] / a[k][k];

			for (j = 2 * q - 1; j >= k; j--)
				a[r][j] -= f * a[k][j];
		}
	for (i = 0; i < q; i++)
		for (j = 0; j < q; j++)
			inverse[i][j] = a[i][q + j];
	for (i = 0; i < q; i++)
		for (j = 0; j < q; j++)
			for (product[i][j] = 0, k = 0; k < q; k++)
				product[i][j] +=
					inverse[i][k] * s.hessian[k >= j ? DMP_TRI(k) + j : DMP_TRI(j) + k];
	for (i = 0; i < q; i++)
		for (j = 0; j <= i; j++)
		{
			double sum = 0;

			for (k = 0; k < q; k++)
				sum += product[i][k] * inverse[k][j];
			worst = fmax(worst, fabs(sum - cov[DMP_TRI(i) + j]));
		}
	near(worst, 0, 1e-13, "ridge covariance against elimination");
}

/* y = x > 0 : separated; then a level that is never positive */
static void
separation(void)
{
	int kind, i;

	for (kind = 0; kind < 3; kind++)
	{
		Data d = make_data(400, 2, 1, 3, 0, 0.5, 31);
		DmpGlmProblem p;
		DmpGlmSolution s = make_solution(d.shape.nparams);
		double *mean, *reach;

		for (i = 0; i < d.n; i++)
		{
			if (kind == 0)
				d.label[i] = value_at(&d, i, 0) > 0.1;
			if (kind == 1 && code_at(&d, i, 0) == 4)
				d.label[i] = 0;
			/* steep but finite: one row against the rule */
			if (kind == 2)
				d.label[i] = i == 7 ? !(value_at(&d, i, 0) > 0.1) : value_at(&d, i, 0) > 0.1;
		}
		memset(&p, 0, sizeof(p));
		p.shape = d.shape;
		p.sd = p.penalty_scale = column_scale(&d, 0, &mean, &reach);
		p.mean = mean;
		p.fixed = calloc(d.shape.nparams, 1);
		p.tolerance = 1e-9;
		p.max_iterations = 100;
		p.max_stride = 1;
		p.eval = eval;
		p.arg = &d;
		p.env = &unit_env;
		dmp_glm_solve(&p, &s);
		ok(s.status == (kind == 2 ? DMP_SOLVE_CONVERGED : DMP_SOLVE_SEPARATED),
		   kind == 0   ? "separated data are called separated"
		   : kind == 1 ? "a level without positives is called separated"
					   : "a steep but finite fit is not");
		if (kind == 2)
			near(violation(&d, &p, &s), 0, 1e-9, "and it meets the conditions");
	}
}

/* moves the pivots by shift: values become x - shift */
static void
moments_shift(DmpMoments *m, int ndense, const double *shift)
{
	int j;

	for (j = 0; j < ndense; j++)
	{
		m->mean[j] -= m->weight > 0 ? shift[j] : 0;
		m->positive_mean[j] -= m->weight_positive > 0 ? shift[j] : 0;
		m->low[j] -= shift[j];
		m->high[j] -= shift[j];
	}
}

/* moments and quadratics do not depend on where the pivots are */
static void
shifting(void)
{
	Data d = make_data(1000, 4, 1, 2, 1, 1, 77);
	int q = d.shape.nparams, t, i, j;
	double shift[4] = {0.5, -2, 3, 0}, theta[7], theta2[7], g1[7], g2[7], scratch[14], weight = 0;
	double sum = 0, w = 0, sq = 0, v1, v2;
	DmpGlmSums s = make_sums(&d), s2;
	DmpQuadratic a, b;
	DmpMoments half[2];
	DmpRandom r;

	dmp_random_init(&r, 4, 0);
	for (i = 0; i < 2; i++)
		dmp_moments_init(&half[i], 4, calloc(dmp_moments_size(4), sizeof(double)));
	for (t = 0; t < d.ntiles; t++)
	{
		DmpGlmTile tile = tile_of(&d, t);

		dmp_moments_tile(&half[t % 2], 4, &tile);
	}
	/* the second half as if its pivots were shift higher */
	moments_shift(&half[1], 4, shift);
	dmp_moments_merge(&half[0], &half[1], 4, shift);
	for (i = 0; i < d.n; i++)
	{
		w += d.weight[i];
		sum += d.weight[i] * value_at(&d, i, 2);
	}
	for (i = 0; i < d.n; i++)
		sq += d.weight[i] * (value_at(&d, i, 2) - sum / w) * (value_at(&d, i, 2) - sum / w);
	near(half[0].mean[2], sum / w, 1e-13, "merged mean");
	near(half[0].m2[2] / sq, 1, 1e-13, "merged sum of squares");
	near(half[0].positive_mean[1], d.moments.positive_mean[1], 1e-13, "merged mean of positives");

	for (i = 0; i < q; i++)
		theta[i] = 0.2 * dmp_random_normal(&r);
	eval(&d, theta, NULL, 1, &s, &weight);
	memset(&a, 0, sizeof(a));
	a.nparams = b.nparams = q;
	a.linear = calloc(q, sizeof(double));
	a.hessian = calloc(DMP_TRI(q), sizeof(double));
	dmp_quadratic_add_sums(&a, theta, &s, NULL, scratch);
	near(dmp_quadratic_at(&a, theta, g1, NULL), s.loss, 1e-11,
		 "a quadratic has the loss at its point");
	near(g1[3], s.gradient[3], 1e-10, "and the gradient");
	/* the same rows with pivots moved: x becomes x - shift, theta_0 moves along */
	for (i = 0; i < d.n; i++)
		for (j = 0; j < 4; j++)
			d.dense[((size_t) (i / DMP_TILE) * 4 + j) * DMP_TILE + i % DMP_TILE] -= shift[j];
	memcpy(theta2, theta, sizeof(theta));
	for (j = 0; j < 4; j++)
		theta2[0] += shift[j] * theta[1 + j];
	s2 = make_sums(&d);
	eval(&d, theta2, NULL, 1, &s2, &weight);
	memset(&b, 0, sizeof(b));
	b.nparams = q;
	b.linear = calloc(q, sizeof(double));
	b.hessian = calloc(DMP_TRI(q), sizeof(double));
	dmp_quadratic_add_sums(&b, theta2, &s2, NULL, scratch);
	dmp_quadratic_shift(&a, 4, shift);
	for (i = 0; i < q; i++)
		theta2[i] += 0.1 * i;
	v1 = dmp_quadratic_at(&a, theta2, g1, NULL);
	v2 = dmp_quadratic_at(&b, theta2, g2, NULL);
	near(v1, v2, 1e-9, "a quadratic moves with its pivots");
	for (i = 0; i < q; i++)
		near(g1[i], g2[i], 1e-9, "and its gradient");
}

/* third derivatives against differences of Hessians; the polynomial to third order */
static void
cubic(void)
{
	Data d = make_data(900, 5, 0, 0, 1, 1, 55);
	int q = 6, i, j, k, t;
	double theta[6], at[6], g[6], h[21], *tensor = calloc(q * q * q, sizeof(double));
	double *slices = calloc(dmp_cubic_size(q), sizeof(double)), scratch[12], weight = 0;
	double worst = 0, step = 1e-5, shift[5] = {0.5, -1, 0.25, 2, 0}, value, symmetric = 0;
	DmpGlmSums s = make_sums(&d), s1 = make_sums(&d), s2 = make_sums(&d);
	DmpQuadratic a;
	DmpRandom r;

	dmp_random_init(&r, 8, 0);
	for (i = 0; i < q; i++)
		theta[i] = 0.3 * dmp_random_normal(&r);
	for (t = 0; t < d.ntiles; t++)
	{
		DmpGlmTile tile = tile_of(&d, t);

		dmp_glm_tile_cubic(&d.shape, &tile, theta, slices, d.scratch);
	}
	dmp_cubic_tensor(q, slices, 1, tensor);
	for (k = 0; k < q; k++)
	{
		double keep = theta[k];

		theta[k] = keep + step;
		dmp_glm_sums_clear(&d.shape, &s1);
		eval(&d, theta, NULL, 1, &s1, &weight);
		theta[k] = keep - step;
		dmp_glm_sums_clear(&d.shape, &s2);
		eval(&d, theta, NULL, 1, &s2, &weight);
		theta[k] = keep;
		for (i = 0; i < q; i++)
			for (j = 0; j <= i; j++)
			{
				double x = (s1.hessian[DMP_TRI(i) + j] - s2.hessian[DMP_TRI(i) + j]) / (2 * step);

				worst = fmax(worst, fabs(x - tensor[(k * q + i) * q + j]));
				symmetric = fmax(symmetric,
								 fabs(tensor[(k * q + i) * q + j] - tensor[(j * q + k) * q + i]));
			}
	}
	near(worst / 900, 0, 1e-7, "third derivatives against differences of Hessians");
	near(symmetric, 0, 0, "the tensor is symmetric");
	eval(&d, theta, NULL, 1, &s, &weight);
	memset(&a, 0, sizeof(a));
	a.nparams = q;
	a.linear = calloc(q, sizeof(double));
	a.hessian = calloc(DMP_TRI(q), sizeof(double));
	a.cubic = calloc(q * q * q, sizeof(double));
	dmp_quadratic_add_sums(&a, theta, &s, tensor, scratch);
	value = dmp_quadratic_at(&a, theta, g, h);
	near(value, s.loss, 1e-10, "the polynomial has the loss at its point");
	near(g[2], s.gradient[2], 1e-10, "the gradient");
	near(h[8], s.hessian[8], 1e-10, "and the Hessian");
	for (i = 0; i < q; i++)
		at[i] = theta[i] + 0.01 * (i - 2);
	dmp_glm_sums_clear(&d.shape, &s1);
	eval(&d, at, NULL, 1, &s1, &weight);
	value = dmp_quadratic_at(&a, at, g, h);
	near(value / s1.loss, 1, 1e-7, "nearby it is right to fourth order");
	near(g[3] / s1.gradient[3], 1, 1e-4, "and its gradient to third");
	dmp_quadratic_shift(&a, 5, shift);
	for (j = 0; j < 5; j++)
		at[0] += shift[j] * at[1 + j];
	near(dmp_quadratic_at(&a, at, g, h) / value, 1, 1e-12, "it moves with its pivots");
}

/* an L1 fit of columns that are nearly copies of each other */
static void
collinear(void)
{
	Data d = make_data(3000, 6, 0, 0, 0, 1, 91);
	int i;

	for (i = 0; i < d.n; i++)
	{
		double *x = d.dense + (size_t) (i / DMP_TILE) * 6 * DMP_TILE + i % DMP_TILE;

		x[3 * DMP_TILE] = x[0] + 1e-3 * x[3 * DMP_TILE];
		x[4 * DMP_TILE] = 2 * x[DMP_TILE];
	}
	dmp_moments_init(&d.moments, 6, calloc(dmp_moments_size(6), sizeof(double)));
	for (i = 0; i < d.ntiles; i++)
	{
		DmpGlmTile tile = tile_of(&d, i);

		dmp_moments_tile(&d.moments, 6, &tile);
	}
	solve_case(&d, 0, 0, 1, 0, "aliased and nearly aliased columns");
	solve_case(&d, 0.001, 1, 1, 0, "lasso of nearly equal columns");
	solve_case(&d, 0.001, 0.5, 1, 0, "elastic net of nearly equal columns");
}

void
test_glm(void)
{
	Data d;

	kernel_case(1, 1, 0, 0, 0, 1);
	kernel_case(129, 3, 0, 0, 1, 2);
	kernel_case(1000, 7, 2, 3, 1, 3);
	kernel_case(777, 0, 2, 4, 0, 4);
	kernel_case(500, 20, 1, 5, 0, 5);
	extremes();
	shifting();
	cubic();
	d = make_data(5000, 8, 2, 3, 0, 1, 10);
	solve_case(&d, 0, 0, 1, 0, "no penalty");
	solve_case(&d, 0, 0, 1, 1, "no penalty, by scans");
	solve_case(&d, 0.01, 0, 1, 0, "ridge");
	solve_case(&d, 0.01, 1, 1, 0, "lasso");
	solve_case(&d, 0.02, 0.5, 1, 1, "elastic net, by scans");
	solve_case(&d, 0.3, 0.8, 1, 0, "nearly everything removed");
	d = make_data(60000, 5, 1, 30, 1, 1, 12);
	solve_case(&d, 0, 0, 64, 0, "thinned start, weights");
	solve_case(&d, 0.003, 0.7, 64, 0, "thinned start, elastic net");
	separation();
	sandwich();
	collinear();
}
