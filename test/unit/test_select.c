/* test_select.c - order statistics against sorting */
#include "unit.h"

#include "math/hash.h"
#include "math/metrics.h"
#include "math/ordered.h"
#include "math/select.h"

#define MAX 20000

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	if (isnan(x) || isnan(y))
		return isnan(x) - isnan(y);
	return x < y ? -1 : x > y;
}

static int
same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

typedef enum Shape
{
	RANDOM,
	FEW_VALUES,
	EQUAL,
	RISING,
	FALLING,
	ORGAN_PIPE,
	SPECIAL,
	SHAPES
} Shape;

static void
fill(Shape shape, size_t n, double *x, DmpRandom *r)
{
	static const double special[] = {INFINITY, -INFINITY, NAN, 0.0, -0.0, 1, 1e308, -1e308};
	size_t i;

	for (i = 0; i < n; i++)
	{
		switch (shape)
		{
			case RANDOM:
				x[i] = dmp_random_normal(r);
				break;
			case FEW_VALUES:
				x[i] = (double) dmp_random_below(r, 5);
				break;
			case EQUAL:
				x[i] = 7;
				break;
			case RISING:
				x[i] = (double) i;
				break;
			case FALLING:
				x[i] = -(double) i;
				break;
			case ORGAN_PIPE:
				x[i] = (double) (i < n / 2 ? i : n - i);
				break;
			default:
				x[i] = special[dmp_random_below(r, 8)];
		}
	}
}

static void
selecting(void)
{
	static double x[MAX], sorted[MAX], out[64];
	size_t ranks[64];
	static const size_t sizes[] = {1, 2, 3, 25, 100, 999, 5000, MAX};
	DmpRandom r;
	int bad = 0, lost = 0;
	size_t s, i, k;
	int shape;

	dmp_random_init(&r, 5, 0);
	for (shape = 0; shape < SHAPES; shape++)
		for (s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
			for (k = 1; k <= 64; k += 21)
			{
				size_t n = sizes[s];

				fill(shape, n, x, &r);
				memcpy(sorted, x, n * sizeof(double));
				qsort(sorted, n, sizeof(double), ascending);
				for (i = 0; i < k; i++)
					ranks[i] = dmp_random_below(&r, n);
				for (i = 1; i < k; i++)
				{
					size_t v = ranks[i], j = i;

					for (; j > 0 && ranks[j - 1] > v; j--)
						ranks[j] = ranks[j - 1];
					ranks[j] = v;
				}
				dmp_select(n, x, k, ranks, out, &unit_env);
				for (i = 0; i < k; i++)
					bad += !same(out[i], sorted[ranks[i]]);
				qsort(x, n, sizeof(double), ascending);
				for (i = 0; i < n; i++)
					lost += !same(x[i], sorted[i]);
			}
	ok(bad == 0, "values of ranks as sorting finds them");
	ok(lost == 0, "selecting loses no value");
}

static void
interpolating(void)
{
	size_t low, high;
	double f;

	dmp_quantile_place(10, 0.25, &low, &high, &f);
	ok(low == 2 && high == 3 && f == 0.25, "type 7: (n - 1) q");
	dmp_quantile_place(10, 1, &low, &high, &f);
	ok(low == 9 && high == 9 && f == 0, "the largest");
	near(dmp_quantile_value(-1.7e308, 1.7e308, 0.5), 0, 0, "a distance that overflows");
	ok(dmp_quantile_value(INFINITY, INFINITY, 0.5) == INFINITY, "equal infinities");
	ok(isnan(dmp_quantile_value(-INFINITY, INFINITY, 0.5)), "between the infinities: NaN");
}

/* values come and go; ranks, values and deviations against sorting */
static void
ordering(void)
{
	static double held[MAX], sorted[MAX], deviations[MAX];
	static uint64_t keys[MAX];
	DmpRandom r;
	DmpOrdered o;
	size_t n = 3000, i;
	int step, wrong = 0, shape;

	dmp_random_init(&r, 9, 0);
	for (shape = 0; shape < SHAPES; shape++)
	{
		fill(shape, n, held, &r);
		for (i = 0; i < n; i++)
			keys[i] = dmp_sort_key(held[i]);
		dmp_radix_sort(n, keys, NULL, &unit_env);
		dmp_ordered_init(&o, n, keys, &unit_env);
		for (step = 0; step < 8000; step++)
		{
			/* grows, then shrinks to nothing */
			if (n > 0 && dmp_random_below(&r, 10) < (step < 3000 ? 3 : 8))
			{
				i = dmp_random_below(&r, n);
				wrong += !dmp_ordered_remove(&o, held[i]);
				held[i] = held[--n];
			}
			else
			{
				fill(shape, 1, held + n, &r);
				if (shape != SPECIAL && shape != EQUAL)
					held[n] += (double) dmp_random_below(&r, 100);
				dmp_ordered_insert(&o, held[n++]);
			}
			wrong += o.n != n;
			if (step % 400 != 0 || n == 0)
				continue;
			memcpy(sorted, held, n * sizeof(double));
			qsort(sorted, n, sizeof(double), ascending);
			for (i = 0; i < n; i++)
				wrong += !same(dmp_ordered_get(&o, i), sorted[i]);
			if (isnan(sorted[n / 2]))
				continue;
			for (i = 0; i < n; i++)
				deviations[i] = dmp_deviation(sorted[i], sorted[n / 2]);
			qsort(deviations, n, sizeof(double), ascending);
			for (i = 0; i < n; i += 1 + n / 50)
				wrong += !same(dmp_ordered_deviation(&o, sorted[n / 2], i), deviations[i]);
			wrong += dmp_ordered_remove(&o, 0.123456);
		}
		dmp_ordered_free(&o);
		n = 3000;
	}
	ok(wrong == 0, "a multiset in order while values come and go");
}

void
test_select(void)
{
	selecting();
	interpolating();
	ordering();
}
