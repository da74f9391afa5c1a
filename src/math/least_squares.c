/*-------------------------------------------------------------------------
 * least_squares.c
 *		Least squares from moments, see the header.
 *
 * Normal equations square the condition of a problem: with moments in double
 * precision, a polynomial of degree 5 or a column that is nearly a combination
 * of others is right to few digits. Here every moment is the unevaluated sum of
 * two doubles (Dekker 1971, Knuth's two-sum): products are split and exact, sums
 * lose about 1e-32 of their size. So the equations are solved to what the rows
 * say, as an orthogonal decomposition of the rows would, and yet the state is
 * of fixed size and states add.
 *
 * Layout: pivots of x and y (p + 1), then the packed lower triangle of the
 * (p + 2)^2 moments, all high parts, then all low parts. Element (0, 0) is the
 * number of rows.
 *
 * All of it relies on each operation being rounded once: no fused products
 * (-ffp-contract=off), no reassociation.
 *-------------------------------------------------------------------------
 */
#include "math/least_squares.h"

#include <math.h>
#include <string.h>

#include "math/linalg.h"

#define SPLIT 134217729.0 /* 2^27 + 1 */

/* ------------------------------------------------------- double-double */

typedef struct Twice
{
	double high, low;
} Twice;

static inline Twice
two_sum(double a, double b)
{
	double s = a + b, bb = s - a;

	return (Twice){s, (a - (s - bb)) + (b - bb)};
}

static inline Twice
quick_sum(double a, double b)
{
	double s = a + b;

	return (Twice){s, b - (s - a)};
}

static inline Twice
two_product(double a, double b)
{
	double p = a * b, t, ah, al, bh, bl;

	t = SPLIT * a;
	ah = t - (t - a);
	al = a - ah;
	t = SPLIT * b;
	bh = t - (t - b);
	bl = b - bh;
	return (Twice){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static inline Twice
add(Twice a, Twice b)
{
	Twice s = two_sum(a.high, b.high), t = two_sum(a.low, b.low);

	s = quick_sum(s.high, s.low + t.high);
	return quick_sum(s.high, s.low + t.low);
}

static inline Twice
negative(Twice a)
{
	return (Twice){-a.high, -a.low};
}

static inline Twice
multiply(Twice a, Twice b)
{
	Twice p = two_product(a.high, b.high);

	return quick_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

static inline Twice
divide(Twice a, Twice b)
{
	double q = a.high / b.high;
	Twice r = add(a, negative(multiply((Twice){q, 0}, b)));
	double q2 = r.high / b.high;

	r = add(r, negative(multiply((Twice){q2, 0}, b)));
	return add(quick_sum(q, q2), (Twice){r.high / b.high, 0});
}

/* ----------------------------------------------------------- gathering */

size_t
dmp_least_squares_size(int p)
{
	return (size_t) p + 1 + 2 * DMP_TRI(p + 2);
}

/* z, its low parts, and both halves of z */
size_t
dmp_least_squares_scratch(int p)
{
	return 4 * ((size_t) p + 2);
}

/*
 * high, low += z_i z_j for j = 0 .. n - 1, z_i = (a, al). Written over arrays
 * so that the compiler makes vectors of it: each j is by itself.
 */
static void
add_products(int n, double a, double al, double ah, double at, const double *restrict z,
			 const double *restrict zl, const double *restrict zh, const double *restrict zt,
			 double *restrict high, double *restrict low)
{
	int j;

	for (j = 0; j < n; j++)
	{
		double p = a * z[j];
		double e = ((ah * zh[j] - p) + ah * zt[j] + at * zh[j]) + at * zt[j];
		double s = high[j] + p, b = s - high[j];
		double t = (high[j] - (s - b)) + (p - b);

		e += a * zl[j] + al * z[j];
		t += low[j] + e;
		/* kept in order: the high part alone is the moment to a double's precision */
		high[j] = s + t;
		low[j] = t - (high[j] - s);
	}
}

void
dmp_least_squares_add(int p, double *state, const double *x, double y, double *scratch)
{
	int m = p + 2, i;
	double *pivot = state, *high = state + p + 1, *low = high + DMP_TRI(m);
	double *z = scratch, *zl = z + m, *zh = zl + m, *zt = zh + m;

	if (high[0] == 0)
	{
		memcpy(pivot, x, sizeof(double) * p);
		pivot[p] = y;
	}
	z[0] = 1;
	zl[0] = 0;
	for (i = 1; i < m; i++)
	{
		Twice d = two_sum(i <= p ? x[i - 1] : y, -pivot[i - 1]);

		z[i] = d.high;
		zl[i] = d.low;
	}
	for (i = 0; i < m; i++)
	{
		double t = SPLIT * z[i];

		zh[i] = t - (t - z[i]);
		zt[i] = z[i] - zh[i];
	}
	for (i = 0; i < m; i++)
		add_products(i + 1, z[i], zl[i], zh[i], zt[i], z, zl, zh, zt, high + DMP_TRI(i),
					 low + DMP_TRI(i));
}

/* (z_i + d_i)(z_j + d_j) summed, from the sums of z */
void
dmp_least_squares_merge(int p, double *into, const double *from, double *scratch)
{
	int m = p + 2, i, j;
	double *high = into + p + 1, *low = high + DMP_TRI(m);
	const double *fh = from + p + 1, *fl = fh + DMP_TRI(m);
	Twice *d = (Twice *) scratch;
	Twice n = {fh[0], fl[0]};

	if (fh[0] == 0)
		return;
	if (high[0] == 0)
	{
		memcpy(into, from, sizeof(double) * dmp_least_squares_size(p));
		return;
	}
	d[0] = (Twice){0, 0};
	for (i = 1; i < m; i++)
		d[i] = two_sum(from[i - 1], -into[i - 1]);
	for (i = 0; i < m; i++)
		for (j = 0; j <= i; j++)
		{
			size_t at = DMP_TRI(i) + j;
			Twice si = {fh[DMP_TRI(i)], fl[DMP_TRI(i)]}, sj = {fh[DMP_TRI(j)], fl[DMP_TRI(j)]};
			Twice s = {fh[at], fl[at]};

			/* row 0 is not moved, so that si and sj are sums of z itself */
			s = add(s, multiply(d[i], sj));
			s = add(s, multiply(d[j], si));
			s = add(s, multiply(multiply(d[i], d[j]), n));
			s = add(s, (Twice){high[at], low[at]});
			high[at] = s.high;
			low[at] = s.low;
		}
}

/* ------------------------------------------------------------- solving */

typedef struct Factor
{
	int n;      /* columns, y the last */
	Twice *c;   /* packed: centred moments, then L (unit lower) with D on the diagonal */
	Twice *sum; /* room for a row */
	unsigned char *skip;
} Factor;

/* C = L D L', columns that are combinations of those before left out */
static int
factor(Factor *f, const DmpMathEnv *env)
{
	int i, j, k, rank = 0;

	for (i = 0; i < f->n; i++)
	{
		Twice *row = f->c + DMP_TRI(i);
		double diagonal = row[i].high;

		env->check();
		for (j = 0; j < i; j++)
		{
			const Twice *other = f->c + DMP_TRI(j);

			if (f->skip[j])
			{
				row[j] = (Twice){0, 0};
				continue;
			}
			/* row[j] is l_ij d_j until the end of the row */
			for (k = 0; k < j; k++)
				if (!f->skip[k])
					row[j] = add(row[j], negative(multiply(row[k], other[k])));
		}
		for (j = 0; j < i; j++)
		{
			Twice l;

			if (f->skip[j])
				continue;
			l = divide(row[j], f->c[DMP_TRI(j) + j]);
			row[i] = add(row[i], negative(multiply(l, row[j])));
			row[j] = l;
		}
		if (i == f->n - 1)
			break;
		if (!(row[i].high > DMP_LEAST_SQUARES_ALIAS * diagonal) || !isfinite(diagonal))
			f->skip[i] = 1;
		else
			rank++;
	}
	return rank;
}

/* sum of squares of L^-1 v over D: v' C^-1 v; v is overwritten */
static double
inverse_form(const Factor *f, Twice *v)
{
	double sum = 0;
	int i, k;

	for (i = 0; i < f->n - 1; i++)
	{
		const Twice *row = f->c + DMP_TRI(i);

		if (f->skip[i])
			continue;
		for (k = 0; k < i; k++)
			if (!f->skip[k])
				v[i] = add(v[i], negative(multiply(row[k], v[k])));
		sum += v[i].high * v[i].high / row[i].high;
	}
	return sum;
}

void
dmp_least_squares_solve(int p, const double *state, const DmpMathEnv *env, DmpLeastSquares *out)
{
	const double *high = state + p + 1, *low = high + DMP_TRI(p + 2);
	Twice n = {high[0], low[0]}, *b, *mean, *v, a;
	Factor f;
	double df, sigma2;
	int i, j;

	f.n = p + 1;
	f.c = env->alloc(sizeof(Twice) * (DMP_TRI(p + 1) + 3 * ((size_t) p + 1)));
	b = f.c + DMP_TRI(p + 1);
	mean = b + p + 1;
	v = mean + p + 1;
	f.skip = env->alloc(p + 1);
	memset(f.skip, 0, p + 1);
	for (i = 0; i <= p; i++)
		mean[i] = divide((Twice){high[DMP_TRI(i + 1)], low[DMP_TRI(i + 1)]}, n);
	for (i = 0; i <= p; i++)
		for (j = 0; j <= i; j++)
		{
			size_t at = DMP_TRI(i + 1) + j + 1;

			f.c[DMP_TRI(i) + j] =
				add((Twice){high[at], low[at]}, negative(multiply(multiply(mean[i], mean[j]), n)));
		}
	/* what cannot be squared says nothing of the others */
	for (i = 0; i < p; i++)
		if (!isfinite(f.c[DMP_TRI(i) + i].high) || !isfinite(f.c[DMP_TRI(p) + i].high) ||
			!isfinite(f.c[DMP_TRI(p) + p].high))
			f.skip[i] = 1;
	for (i = 0; i <= p; i++)
		for (j = 0; j <= i; j++)
			if (f.skip[j] || (i < p && f.skip[i]))
				f.c[DMP_TRI(i) + j] = (Twice){0, 0};
	out->rows = n.high;
	out->total = f.c[DMP_TRI(p) + p].high;
	out->rank = 1 + factor(&f, env);
	out->residual = f.c[DMP_TRI(p) + p].high;
	if (out->residual < 0)
		out->residual = 0;

	/* L' b = the last row of L */
	a = add((Twice){state[p], 0}, mean[p]);
	for (i = p - 1; i >= 0; i--)
	{
		b[i] = f.skip[i] ? (Twice){0, 0} : f.c[DMP_TRI(p) + i];
		for (j = i + 1; j < p && !f.skip[i]; j++)
			if (!f.skip[j])
				b[i] = add(b[i], negative(multiply(f.c[DMP_TRI(j) + i], b[j])));
		a = add(a, negative(multiply(b[i], add((Twice){state[i], 0}, mean[i]))));
		out->coef[1 + i] = f.skip[i] ? NAN : b[i].high;
	}
	out->coef[0] = a.high;

	df = out->rows - out->rank;
	sigma2 = df > 0 ? out->residual / df : NAN;
	for (i = 0; i <= p; i++)
	{
		/* i = p: the intercept, whose error is that of the mean less b times the means */
		env->check();
		for (j = 0; j < p; j++)
			v[j] = i < p ? (Twice){j == i, 0} : add((Twice){state[j], 0}, mean[j]);
		if (i == p)
			out->std_err[0] = sqrt(sigma2 * (1 / out->rows + inverse_form(&f, v)));
		else
			out->std_err[1 + i] = f.skip[i] ? NAN : sqrt(sigma2 * inverse_form(&f, v));
	}
	env->release(f.skip);
	env->release(f.c);
}
