/* test_path.c - many points at once against one by one; the path and the folds against their solves */
#include "unit.h"
#include "math/glm_path.h"
#include "math/hash.h"
#include "math/metrics.h"

#define NDENSE 7
#define LEVELS 5
#define NPARAMS (1 + NDENSE + LEVELS)
#define GROUPS 4

typedef struct Rows
{
	DmpGlmShape shape;
	int ntiles;
	double *dense, *weight;
	int32_t *codes;
	unsigned char *label;
	void *scratch, *many;
	double mean[NPARAMS], sd[NPARAMS], scale[NPARAMS];
	unsigned char fixed[NPARAMS];
	double total, rare;
} Rows;

static void *
aligned(size_t size)
{
	void *p = aligned_alloc(64, (size + 127) & ~(size_t) 63);

	memset(p, 0, size);
	return p;
}

static DmpGlmTile
tile_of(const Rows *d, int t)
{
	DmpGlmTile tile;

	memset(&tile, 0, sizeof(tile));
	tile.n = DMP_TILE;
	tile.dense = d->dense + (size_t) t * DMP_TILE * NDENSE;
	tile.codes = d->codes + (size_t) t * DMP_TILE;
	tile.label = d->label + t * DMP_TILE;
	tile.weight = d->weight + t * DMP_TILE;
	return tile;
}

static Rows
make_rows(int ntiles, double intercept, uint64_t seed)
{
	Rows d;
	DmpRandom r;
	int t, i, j;

	memset(&d, 0, sizeof(d));
	d.shape.ndense = NDENSE;
	d.shape.ncoded = 1;
	d.shape.nparams = NPARAMS;
	d.ntiles = ntiles;
	d.dense = aligned(sizeof(double) * ntiles * DMP_TILE * NDENSE);
	d.weight = aligned(sizeof(double) * ntiles * DMP_TILE);
	d.codes = aligned(sizeof(int32_t) * ntiles * DMP_TILE);
	d.label = aligned(ntiles * DMP_TILE);
	d.scratch = aligned(dmp_glm_scratch(&d.shape));
	d.many = aligned(dmp_glm_many_scratch(&d.shape));
	dmp_random_init(&r, seed, 0);
	for (t = 0; t < ntiles; t++)
		for (i = 0; i < DMP_TILE; i++)
		{
			double common = dmp_random_normal(&r), m = intercept, w = 0.5 + dmp_random_unit(&r);
			int level = (int) dmp_random_below(&r, LEVELS + 1);

			d.weight[t * DMP_TILE + i] = w;
			d.total += w;
			for (j = 0; j < NDENSE; j++)
			{
				/* the first three are nearly one */
				double x = (1 + j) * (dmp_random_normal(&r) * (j < 3 ? 0.1 : 1) + (j < 3) * common);

				d.dense[((size_t) t * NDENSE + j) * DMP_TILE + i] = x;
				m += (j % 3 - 0.7) * 0.4 * x / (1 + j);
				d.mean[1 + j] += w * x;
				d.sd[1 + j] += w * x * x;
			}
			d.codes[t * DMP_TILE + i] = level == LEVELS ? -1 : 1 + NDENSE + level;
			if (level < LEVELS)
			{
				d.mean[1 + NDENSE + level] += w;
				d.sd[1 + NDENSE + level] += w;
				m += 0.2 * level;
			}
			d.label[t * DMP_TILE + i] = dmp_random_unit(&r) < dmp_sigmoid(m);
			d.rare += d.label[t * DMP_TILE + i] ? w : 0;
		}
	for (j = 1; j < NPARAMS; j++)
	{
		d.mean[j] /= d.total;
		d.sd[j] = sqrt(d.sd[j] / d.total - d.mean[j] * d.mean[j]);
		d.scale[j] = j > NDENSE ? 1 : d.sd[j];
	}
	d.rare /= d.total;
	return d;
}

static void
eval(void *arg, int skip, const double *theta, const double *direction, int stride,
	 DmpGlmSums *sums, double *weight)
{
	Rows *d = arg;
	int t, i;

	for (t = 0; t < d->ntiles; t++)
	{
		DmpGlmTile tile = tile_of(d, t);

		if (t % GROUPS == skip || t / GROUPS % stride != 0)
			continue;
		dmp_glm_tile(&d->shape, &tile, theta, direction, sums, NULL, d->scratch);
		for (i = 0; i < DMP_TILE; i++)
			*weight += tile.weight[i];
	}
}

static void
pass(void *arg, DmpPathPass *p)
{
	Rows *d = arg;
	double *waste = calloc(NPARAMS, sizeof(double));
	int t, i, k;

	for (t = 0; t < d->ntiles; t++)
	{
		DmpGlmTile tile = tile_of(d, t);
		int g = t % GROUPS;

		if (t / GROUPS % p->stride != 0)
			continue;
		for (i = 0; i < DMP_TILE; i++)
			p->weight[g] += tile.weight[i];
		for (k = 0; k < p->npoints; k++)
		{
			size_t at = p->held ? k : g * p->npoints + k;
			double *to = p->gradient ? p->gradient + at * NPARAMS : waste;

			if (p->held && p->held[k] == g)
				dmp_glm_tile_many(&d->shape, &tile, 1, &p->theta[k], &p->held_loss[k], NULL,
								  d->many);
			else if (p->gradient)
				dmp_glm_tile_many(&d->shape, &tile, 1, &p->theta[k], &p->loss[at], &to, d->many);
		}
		for (k = 0; k < p->nhessians; k++)
		{
			DmpGlmSums s = {0};

			s.gradient = waste;
			s.hessian = p->hessian + k * DMP_TRI(NPARAMS);
			dmp_glm_tile(&d->shape, &tile, p->theta[p->hessian_of[k]], NULL, &s, NULL, d->scratch);
		}
	}
	free(waste);
}

static void
same_bits(const Rows *d)
{
	static const char *const sets[] = {"any", "avx2"};
	double theta[7][NPARAMS], many[7][NPARAMS], loss[7], one[NPARAMS];
	const double *at[7];
	double *to[7];
	DmpGlmSums s = {0};
	int i, j, set, t, all = 1;

	for (i = 0; i < 7; i++)
		for (j = 0; j < NPARAMS; j++)
			theta[i][j] = sin(i * 31 + j * 7) / 3;
	for (i = 0; i < 7; i++)
	{
		at[i] = theta[i];
		to[i] = many[i];
	}
	for (set = 0; set < 2; set++)
	{
		if (!dmp_glm_use(sets[set]))
			continue;
		memset(many, 0, sizeof(many));
		memset(loss, 0, sizeof(loss));
		for (t = 0; t < d->ntiles; t++)
		{
			DmpGlmTile tile = tile_of(d, t);

			dmp_glm_tile_many(&d->shape, &tile, 7, at, loss, to, d->many);
		}
		for (i = 0; i < 7; i++)
		{
			s.gradient = one;
			s.hessian = NULL;
			dmp_glm_sums_clear(&d->shape, &s);
			for (t = 0; t < d->ntiles; t++)
			{
				DmpGlmTile tile = tile_of(d, t);

				dmp_glm_tile(&d->shape, &tile, theta[i], NULL, &s, NULL, d->scratch);
			}
			all &= s.loss == loss[i] && memcmp(one, many[i], sizeof(one)) == 0;
		}
	}
	ok(all, "seven points at once have the bits of one by one");
}

/* measured on all rows, centred columns of unit deviation */
static double
violation(Rows *d, const DmpGlmProblem *like, double lambda, const double *theta, int skip)
{
	DmpGlmProblem p = *like;
	DmpGlmSums s = {0};
	double g[NPARAMS], weight = 0;
	int j;

	s.gradient = g;
	dmp_glm_sums_clear(&d->shape, &s);
	eval(d, skip, theta, NULL, 1, &s, &weight);
	for (j = 0; j < NPARAMS; j++)
		g[j] /= weight;
	p.lambda = lambda;
	return dmp_glm_kkt(&p, theta, g, NULL);
}

static void
path_case(int ntiles, double intercept, double alpha, int n, const char *what)
{
	Rows d = make_rows(ntiles, intercept, 7);
	DmpGlmProblem without[GROUPS];
	DmpPath p;
	double start[NPARAMS] = {0}, worst = 0, told = 0, worst_held = 0;
	char name[200];
	int k, g;

	memset(&p, 0, sizeof(p));
	p.problem.shape = d.shape;
	p.problem.alpha = alpha;
	p.problem.penalty_scale = d.scale;
	p.problem.mean = d.mean;
	p.problem.sd = d.sd;
	p.problem.fixed = d.fixed;
	p.problem.tolerance = 1e-10;
	p.problem.max_iterations = 100;
	p.problem.max_stride = 1;
	p.problem.env = &unit_env;
	for (g = 0; g < GROUPS; g++)
	{
		without[g] = p.problem;
		without[g].lambda = 1;
	}
	p.without = without;
	p.ngroups = GROUPS;
	p.ntiles = ntiles;
	p.rows = ntiles * (double) DMP_TILE;
	p.rare = fmin(d.rare, 1 - d.rare);
	p.pass = pass;
	p.eval = eval;
	p.arg = &d;
	p.n = n;
	p.automatic = 1;
	p.lambda = calloc(n, sizeof(double));
	dmp_path_null(&p, start);
	dmp_path_lambdas(&p);
	dmp_path_solve(&p);
	for (k = 0; k < p.n; k++)
	{
		worst = fmax(worst, violation(&d, &p.problem, p.lambda[k], p.theta + k * NPARAMS, -1));
		told = fmax(told, p.kkt[k]);
	}
	snprintf(name, sizeof(name), "%s: conditions at %d points, told %.1g", what, p.n, told);
	near(worst, 0, 1e-6, name);
	for (worst = 0, k = 1; k < NPARAMS; k++)
		worst = fmax(worst, alpha > 0 ? fabs(p.theta[k]) : 0);
	snprintf(name, sizeof(name), "%s: nothing but the intercept at lambda_max", what);
	ok(worst == 0, name);
	dmp_path_cross_validate(&p);
	for (g = 0; g < GROUPS; g++)
		for (k = 0; k < p.n; k += 7)
			worst_held =
				fmax(worst_held, violation(&d, &without[g], p.lambda[k],
										   p.held_theta + ((size_t) g * p.n + k) * NPARAMS, g));
	snprintf(name, sizeof(name), "%s: conditions of the fits without a group", what);
	/* with so many rows one step is all */
	near(worst_held, 0, p.rows * 2 * p.rare < 100000 ? 1e-6 : 1e-4, name);
	free(d.dense);
	free(d.weight);
	free(d.codes);
	free(d.label);
}

void
test_path(void)
{
	Rows d = make_rows(9, -0.5, 3);

	same_bits(&d);
	path_case(20, -0.5, 1, 30, "few rows, lasso");
	path_case(900, -0.5, 1, 40, "a sample first, lasso");
	path_case(900, -0.5, 0, 40, "a sample first, ridge");
	path_case(1100, -4, 0.5, 40, "rare rows, elastic net");
}
