/*-------------------------------------------------------------------------
 * glm_kernel.c
 *		Loss, gradient, Hessian and moments over a tile; which instructions.
 *
 * glm_kernel.inc is compiled once for whatever the compiler assumes and, on
 * x86-64, once more for AVX2, and the machine chooses when the first tile
 * comes. target_clones would do the same from one text but splits wide vectors
 * before it makes the clones. Both versions give the same bits (tested).
 *-------------------------------------------------------------------------
 */
#include "math/glm.h"

#include <math.h>
#include <string.h>

typedef double v4 __attribute__((vector_size(32)));
typedef double v4u __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t l4 __attribute__((vector_size(32)));

#define GROUPS (DMP_TILE / 4) /* vectors of a column of a tile */

#ifdef __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (l4){i, j, k, l})
#endif

#define MINIMUM(a, b) ((v4) (((l4) (a) & ((a) < (b))) | ((l4) (b) & ~((a) < (b)))))
#define MAXIMUM(a, b) ((v4) (((l4) (a) & ((a) > (b))) | ((l4) (b) & ~((a) > (b)))))

typedef struct Kernel
{
	double (*dot)(size_t, const double *, const double *);
	void (*axpy)(size_t, double, const double *, double *);
	void (*linear)(const DmpGlmShape *, const DmpGlmTile *, const double *, double, double *);
	double (*logistic)(const double *, const double *, const double *, double *, double *);
	double (*square)(const double *, const double *, const double *, double *, double *);
	double (*poisson)(const double *, const double *, const double *, double *, double *);
	void (*gradient)(const DmpGlmShape *, const DmpGlmTile *, const double *, double *);
	void (*hessian)(const DmpGlmShape *, const DmpGlmTile *, const double *, double *, double *);
	void (*hessian_codes)(const DmpGlmShape *, const DmpGlmTile *, const double *, double *,
						  double *);
	void (*column_moments)(const double *, const double *, const double *, double, double *);
	int (*shift)(const double *, double, double *);
} Kernel;

/* at four points at once */
typedef struct KernelMany
{
	void (*linear)(const DmpGlmShape *, const DmpGlmTile *, const double *const[4], double *);
	void (*gradient)(const DmpGlmShape *, const DmpGlmTile *, const double *, double *const[4]);
} KernelMany;

#define K(name) name##_any
#define TARGET
#include "math/glm_kernel.inc"
#include "math/glm_many.inc"
#undef K
#undef TARGET

#if defined(__x86_64__)
#define HAVE_AVX2 1
#define K(name) name##_avx2
#define TARGET __attribute__((target("avx2")))
#include "math/glm_kernel.inc"
#include "math/glm_many.inc"
#undef K
#undef TARGET
#endif

static const Kernel *chosen;

static inline const Kernel *
kernel(void)
{
	if (chosen == NULL)
	{
		chosen = &kernel_any;
#ifdef HAVE_AVX2
		if (__builtin_cpu_supports("avx2"))
			chosen = &kernel_avx2;
#endif
	}
	return chosen;
}

static inline const KernelMany *
kernel_many(void)
{
#ifdef HAVE_AVX2
	if (kernel() == &kernel_avx2)
		return &kernel_many_avx2;
#endif
	return &kernel_many_any;
}

int
dmp_glm_use(const char *instructions)
{
	if (strcmp(instructions, "any") == 0)
		chosen = &kernel_any;
#ifdef HAVE_AVX2
	else if (strcmp(instructions, "avx2") == 0 && __builtin_cpu_supports("avx2"))
		chosen = &kernel_avx2;
#endif
	else
		return 0;
	return 1;
}

double
dmp_dot(size_t n, const double *a, const double *b)
{
	return kernel()->dot(n, a, b);
}

void
dmp_axpy(size_t n, double f, const double *x, double *y)
{
	kernel()->axpy(n, f, x, y);
}

int
dmp_tile_shift(const double *in, double pivot, double *out)
{
	return kernel()->shift(in, pivot, out);
}

/* ----------------------------------------------------------------- a tile */

/* columns of 128 in the scratch: margin, residual, curvature, sign, weight, two for products */
#define SCRATCH_COLUMNS 7

size_t
dmp_glm_scratch(const DmpGlmShape *shape)
{
	return sizeof(double) * (SCRATCH_COLUMNS * DMP_TILE + shape->ndense + 4);
}

/* sign: of a target of numbers 1 where it is 0, else -1 */
static void
signs_and_weights(const DmpGlmTile *tile, double *sign, double *weight)
{
	int i;

	if (tile->target)
		for (i = 0; i < DMP_TILE; i++)
			sign[i] = tile->target[i] == 0 ? 1 : -1;
	else
		for (i = 0; i < DMP_TILE; i++)
			sign[i] = 2.0 * (tile->label[i] != 0) - 1.0;
	for (i = 0; i < DMP_TILE; i++)
		weight[i] = tile->weight ? tile->weight[i] : 1.0;
	for (i = tile->n; i < DMP_TILE; i++)
	{
		sign[i] = 1;
		weight[i] = 0;
	}
}

/* margins of a tile, offset included */
static void
margins_of(const Kernel *k, const DmpGlmShape *shape, const DmpGlmTile *tile, const double *theta,
		   double *m)
{
	int i;

	k->linear(shape, tile, theta, theta[0], m);
	if (tile->offset)
		for (i = 0; i < tile->n; i++)
			m[i] += tile->offset[i];
}

/* how far a direction keeps the rows on their side; see DmpGlmSums */
static void
along(const DmpGlmTile *tile, const double *m, const double *sign, const double *weight,
	  DmpGlmSums *sums)
{
	int i;

	for (i = 0; i < tile->n; i++)
	{
		double side;

		if (weight[i] == 0)
			continue;
		side = tile->target == NULL ? sign[i] * m[i] : sign[i] > 0 ? -m[i] : -fabs(m[i]);
		if (side < sums->direction_low)
			sums->direction_low = side;
		if (fabs(m[i]) > sums->direction_high)
			sums->direction_high = fabs(m[i]);
	}
}

/* loss, residuals and curvatures from margins */
static inline double
losses(const Kernel *k, const DmpGlmShape *shape, const DmpGlmTile *tile, const double *m,
	   const double *sign, const double *weight, double *r, double *v)
{
	switch (shape->family)
	{
		case DMP_GAUSSIAN:
			return k->square(m, tile->target, weight, r, v);
		case DMP_POISSON:
			return k->poisson(m, tile->target, weight, r, v);
		default:
			return k->logistic(m, sign, weight, r, v);
	}
}

void
dmp_glm_tile(const DmpGlmShape *shape, const DmpGlmTile *tile, const double *theta,
			 const double *direction, DmpGlmSums *sums, double *margins, void *scratch)
{
	const Kernel *k = kernel();
	double *m = scratch;
	double *r = m + DMP_TILE, *v = r + DMP_TILE, *sign = v + DMP_TILE, *weight = sign + DMP_TILE;
	double *z = weight + DMP_TILE, *row = z + 2 * DMP_TILE;

	margins_of(k, shape, tile, theta, m);
	if (margins)
		memcpy(margins, m, sizeof(double) * DMP_TILE);
	if (sums == NULL)
		return;
	signs_and_weights(tile, sign, weight);
	sums->loss += losses(k, shape, tile, m, sign, weight, r, v);
	k->gradient(shape, tile, r, sums->gradient);
	if (sums->hessian)
	{
		k->hessian(shape, tile, v, sums->hessian, z);
		if (shape->ncoded > 0)
			k->hessian_codes(shape, tile, v, sums->hessian, row);
	}
	if (direction)
	{
		k->linear(shape, tile, direction, direction[0], m);
		along(tile, m, sign, weight, sums);
	}
}

size_t
dmp_glm_many_scratch(const DmpGlmShape *shape)
{
	/* margins and residuals of four points, curvature, sign, weight, a place for what is not wanted */
	return sizeof(double) * (11 * DMP_TILE + shape->nparams + 4);
}

void
dmp_glm_tile_many(const DmpGlmShape *shape, const DmpGlmTile *tile, int npoints,
				  const double *const *theta, double *loss, double *const *gradient, void *scratch)
{
	const Kernel *k = kernel();
	const KernelMany *many = kernel_many();
	double *m = scratch, *r = m + 4 * DMP_TILE, *v = r + 4 * DMP_TILE;
	double *sign = v + DMP_TILE, *weight = sign + DMP_TILE, *waste = weight + DMP_TILE;
	int p, q, i;

	signs_and_weights(tile, sign, weight);
	for (p = 0; p < npoints; p += 4)
	{
		const double *at[4];
		double *to[4];

		/* fewer than four are left: the last one again, to nowhere */
		for (q = 0; q < 4; q++)
		{
			at[q] = theta[p + q < npoints ? p + q : npoints - 1];
			to[q] = p + q < npoints && gradient ? gradient[p + q] : waste;
		}
		many->linear(shape, tile, at, m);
		for (q = 0; q < 4; q++)
		{
			double x;

			if (p + q >= npoints)
			{
				memset(r + q * DMP_TILE, 0, sizeof(double) * DMP_TILE);
				continue;
			}
			if (tile->offset)
				for (i = 0; i < tile->n; i++)
					m[q * DMP_TILE + i] += tile->offset[i];
			x = losses(k, shape, tile, m + q * DMP_TILE, sign, weight, r + q * DMP_TILE, v);
			loss[p + q] += x;
		}
		if (gradient)
			many->gradient(shape, tile, r, to);
	}
}

void
dmp_glm_sums_clear(const DmpGlmShape *shape, DmpGlmSums *sums)
{
	sums->loss = 0;
	memset(sums->gradient, 0, sizeof(double) * shape->nparams);
	if (sums->hessian)
		memset(sums->hessian, 0, sizeof(double) * DMP_TRI(shape->nparams));
	sums->direction_low = INFINITY;
	sums->direction_high = 0;
}

/* ---------------------------------------------------------------- moments */

size_t
dmp_moments_size(int ndense)
{
	return 5 * (size_t) ndense;
}

void
dmp_moments_init(DmpMoments *m, int ndense, double *room)
{
	int j;

	memset(room, 0, sizeof(double) * dmp_moments_size(ndense));
	m->weight = m->weight_positive = 0;
	m->mean = room;
	m->m2 = m->mean + ndense;
	m->positive_mean = m->m2 + ndense;
	m->low = m->positive_mean + ndense;
	m->high = m->low + ndense;
	for (j = 0; j < ndense; j++)
	{
		m->low[j] = INFINITY;
		m->high[j] = -INFINITY;
	}
}

/*
 * Two passes within the tile, which is in the cache, then the pairwise update
 * of Chan, Golub and LeVeque (1979): no cancellation however far the mean is
 * from the pivot.
 */
void
dmp_moments_tile(DmpMoments *m, int ndense, const DmpGlmTile *tile)
{
	const Kernel *k = kernel();
	double weight[DMP_TILE] __attribute__((aligned(32)));
	double positive[DMP_TILE] __attribute__((aligned(32)));
	double total = 0, total_positive = 0, all, all_positive;
	int i, j;

	for (i = 0; i < DMP_TILE; i++)
	{
		weight[i] = i >= tile->n ? 0 : tile->weight ? tile->weight[i] : 1.0;
		if (tile->target)
			positive[i] = i >= tile->n ? 0 : weight[i] * tile->target[i];
		else
			positive[i] = tile->label[i] ? weight[i] : 0;
		total += weight[i];
		total_positive += positive[i];
	}
	if (total == 0)
		return;
	all = m->weight + total;
	all_positive = m->weight_positive + total_positive;
	for (j = 0; j < ndense; j++)
	{
		const double *x = tile->dense + (size_t) j * DMP_TILE;
		double out[5], delta;

		k->column_moments(x, weight, positive, total, out);
		delta = out[0] - m->mean[j];
		m->mean[j] += delta * (total / all);
		m->m2[j] += out[1] + delta * delta * (m->weight * (total / all));
		if (tile->target)
			m->positive_mean[j] += out[2];
		else if (all_positive > 0)
			m->positive_mean[j] += (out[2] - total_positive * m->positive_mean[j]) / all_positive;
		if (tile->n < DMP_TILE)
		{
			/* the padding is no value */
			out[3] = out[4] = x[0];
			for (i = 1; i < tile->n; i++)
			{
				out[3] = x[i] < out[3] ? x[i] : out[3];
				out[4] = x[i] > out[4] ? x[i] : out[4];
			}
		}
		m->low[j] = fmin(m->low[j], out[3]);
		m->high[j] = fmax(m->high[j], out[4]);
	}
	m->weight = all;
	m->weight_positive = all_positive;
}

void
dmp_moments_merge(DmpMoments *into, const DmpMoments *from, int ndense, const double *shift)
{
	double all = into->weight + from->weight;
	double all_positive = into->weight_positive + from->weight_positive;
	int j;

	if (from->weight == 0)
		return;
	for (j = 0; j < ndense; j++)
	{
		double s = shift ? shift[j] : 0;
		double delta = from->mean[j] + s - into->mean[j];

		into->mean[j] += delta * (from->weight / all);
		into->m2[j] += from->m2[j] + delta * delta * (into->weight * (from->weight / all));
		if (all_positive > 0)
			into->positive_mean[j] += (from->positive_mean[j] + s - into->positive_mean[j]) *
									  (from->weight_positive / all_positive);
		into->low[j] = fmin(into->low[j], from->low[j] + s);
		into->high[j] = fmax(into->high[j], from->high[j] + s);
	}
	into->weight = all;
	into->weight_positive = all_positive;
}

/* ------------------------------------------------------------------ cubic */

size_t
dmp_cubic_size(int nparams)
{
	size_t n = nparams, sum = 0, k;

	for (k = 0; k < n; k++)
		sum += DMP_TRI(n - (k > 1 ? k - 1 : 0));
	return sum;
}

/*
 * The third derivatives are sums of w mu'' x_i x_j x_k: for each k a Hessian of
 * the columns from k on, with curvature w mu'' x_k. Slices one after another,
 * slice 0 of all parameters, slice k of an intercept (of no use) and columns
 * k .. ndense.
 */
void
dmp_glm_tile_cubic(const DmpGlmShape *shape, const DmpGlmTile *tile, const double *theta,
				   double *slices, void *scratch)
{
	const Kernel *kn = kernel();
	double *m = scratch, *third = m + DMP_TILE, *v = third + DMP_TILE;
	double *z = m + 5 * DMP_TILE;
	int i, k;

	margins_of(kn, shape, tile, theta, m);
	for (i = 0; i < DMP_TILE; i++)
	{
		double e = exp(-fabs(m[i])), d = 1 / (1 + e);
		double w = i >= tile->n ? 0 : tile->weight ? tile->weight[i] : 1;

		/* mu'' = mu (1 - mu) (1 - 2 mu); poisson: mu */
		if (shape->family == DMP_POISSON)
			third[i] = w * exp(fmin(m[i], 708));
		else
			third[i] = w * e * d * d * (e - 1) * d * (m[i] < 0 ? -1 : 1);
	}
	kn->hessian(shape, tile, third, slices, z);
	slices += DMP_TRI(1 + shape->ndense);
	for (k = 1; k <= shape->ndense; k++)
	{
		DmpGlmShape rest = {shape->ndense - k + 1, 0, shape->ndense - k + 2, shape->family};
		DmpGlmTile part = *tile;

		part.dense = tile->dense + (size_t) (k - 1) * DMP_TILE;
		for (i = 0; i < DMP_TILE; i++)
			v[i] = third[i] * part.dense[i];
		kn->hessian(&rest, &part, v, slices, z);
		slices += DMP_TRI(rest.nparams);
	}
}
