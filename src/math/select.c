/*-------------------------------------------------------------------------
 * select.c
 *		Order statistics without sorting.
 *
 * Quickselect for several ranks at once. Each pass puts what is smaller than a
 * pivot in front, without a branch that depends on the data; when the rank
 * looked for lies behind, what equals the pivot follows, so that repeated
 * values cost nothing. A range whose pivots were bad for long is sorted by
 * radix, which bounds the time by a multiple of n for any order of the rows.
 *-------------------------------------------------------------------------
 */
#include "math/select.h"

#include <math.h>
#include <stdint.h>

#include "math/metrics.h"

#define FEW 24
#define CHECK_EVERY 262144

static void
sort_few(size_t n, double *x)
{
	size_t i;

	for (i = 1; i < n; i++)
	{
		double v = x[i];
		size_t j = i;

		for (; j > 0 && x[j - 1] > v; j--)
			x[j] = x[j - 1];
		x[j] = v;
	}
}

/* for good: no NaN among them */
static void
sort_all(size_t n, double *x, const DmpMathEnv *env)
{
	uint64_t *keys;
	size_t i;

	if (n <= FEW)
	{
		sort_few(n, x);
		return;
	}
	keys = env->alloc(n * sizeof(uint64_t));
	for (i = 0; i < n; i++)
		keys[i] = dmp_sort_key(x[i]);
	dmp_radix_sort(n, keys, NULL, env);
	for (i = 0; i < n; i++)
		x[i] = dmp_sort_key_value(keys[i]);
	env->release(keys);
}

static double
median_of_three(double a, double b, double c)
{
	if (a > b)
	{
		double t = a;

		a = b;
		b = t;
	}
	return c < a ? a : c > b ? b : c;
}

/* the median of a few that lie evenly: nine medians of three for long ranges */
static double
choose_pivot(size_t n, const double *x)
{
	double sample[9];
	size_t step = n / 28;
	size_t i;

	if (n < 1000)
		return median_of_three(x[0], x[n / 2], x[n - 1]);
	for (i = 0; i < 9; i++)
		sample[i] =
			median_of_three(x[(3 * i + 1) * step], x[(3 * i + 2) * step], x[(3 * i + 3) * step]);
	sort_few(9, sample);
	return sample[4];
}

/* values below the pivot (or not above it) to the front; how many */
static size_t
partition(size_t n, double *x, double pivot, int with_equal, const DmpMathEnv *env)
{
	size_t front = 0;
	size_t i = 0;

	while (i < n)
	{
		size_t stop = n - i > CHECK_EVERY ? i + CHECK_EVERY : n;

		env->check();
		if (with_equal)
		{
			for (; i < stop; i++)
			{
				double v = x[i];

				x[i] = x[front];
				x[front] = v;
				front += v <= pivot;
			}
		}
		else
		{
			for (; i < stop; i++)
			{
				double v = x[i];

				x[i] = x[front];
				x[front] = v;
				front += v < pivot;
			}
		}
	}
	return front;
}

/*
 * ranks count from x - base. Recursion goes into the side with fewer ranks'
 * worth of work left by the middle rank, so its depth is log2(nranks) + the
 * passes of one rank.
 */
static void
select_range(size_t base, size_t n, double *x, size_t nranks, const size_t *ranks, double *out,
			 int passes, const DmpMathEnv *env)
{
	while (nranks > 0)
	{
		size_t rank = ranks[nranks / 2] - base;
		size_t below, equal, first, last;
		double pivot;

		if (n <= FEW || passes <= 0)
		{
			size_t i;

			sort_all(n, x, env);
			for (i = 0; i < nranks; i++)
				out[i] = x[ranks[i] - base];
			return;
		}
		passes--;
		pivot = choose_pivot(n, x);
		below = partition(n, x, pivot, 0, env);
		/* all of them equal when no rank lies behind: then there is no need to look */
		equal =
			ranks[nranks - 1] - base < below ? 0 : partition(n - below, x + below, pivot, 1, env);
		for (first = 0; first < nranks && ranks[first] - base < below; first++)
			;
		for (last = first; last < nranks && ranks[last] - base < below + equal; last++)
			out[last] = pivot;
		/* the side without the middle rank by recursion, the other one in this loop */
		if (rank < below)
		{
			select_range(base + below + equal, n - below - equal, x + below + equal, nranks - last,
						 ranks + last, out + last, passes, env);
			n = below;
			nranks = first;
		}
		else
		{
			select_range(base, below, x, first, ranks, out, passes, env);
			base += below + equal;
			n -= below + equal;
			x += below + equal;
			ranks += last;
			out += last;
			nranks -= last;
		}
	}
}

void
dmp_select(size_t n, double *x, size_t nranks, const size_t *ranks, double *out,
		   const DmpMathEnv *env)
{
	size_t numbers = 0;
	size_t low = nranks;
	size_t i;
	int passes = 16;

	/* NaN to the end, where it belongs */
	for (i = 0; i < n; i++)
	{
		double v = x[i];

		if (i % CHECK_EVERY == 0)
			env->check();
		x[i] = x[numbers];
		x[numbers] = v;
		numbers += !isnan(v);
	}
	while (low > 0 && ranks[low - 1] >= numbers)
		out[--low] = NAN;
	for (i = numbers; i > 1; i /= 2)
		passes += 2;
	select_range(0, numbers, x, low, ranks, out, passes, env);
}

void
dmp_quantile_place(size_t n, double q, size_t *low, size_t *high, double *fraction)
{
	double place = q * (double) (n - 1);

	*low = (size_t) floor(place);
	*high = (size_t) ceil(place);
	if (*high > n - 1)
		*high = n - 1;
	*fraction = place - (double) *low;
}

double
dmp_quantile_value(double low, double high, double fraction)
{
	double range = high - low;

	if (low == high || fraction == 0)
		return low;
	if (isinf(range) && isfinite(low) && isfinite(high))
		return low * (1 - fraction) + high * fraction;
	return low + fraction * range;
}

double
dmp_deviation(double x, double center)
{
	return x == center ? 0 : fabs(x - center);
}
