/*-------------------------------------------------------------------------
 * student.c
 *		Student's t distribution by the incomplete beta function.
 *
 *		P(|T| >= t) = I_x(a, 1/2),	a = df / 2,	 x = df / (df + t^2)
 *
 * I_x is evaluated by its continued fraction (Abramowitz and Stegun 26.5.8) in
 * Lentz's form, on the side where it converges fast. The front factor needs
 * Gamma(a + 1/2) / Gamma(a); for large a the difference of two logarithms
 * would lose digits, and the asymptotic series is used.
 *-------------------------------------------------------------------------
 */
#include "math/student.h"

#include <float.h>
#include <math.h>

#define ITERATIONS 100000
#define LOG_SQRT_PI 0.57236494292470008707

/* log(Gamma(a + 1/2) / Gamma(a)) */
static double
log_gamma_ratio(double a)
{
	double r = 1 / a;

	if (a < 50)
		return lgamma(a + 0.5) - lgamma(a);
	/* next term: -17 / (14336 a^7) */
	return 0.5 * log(a) - r / 8 * (1 - r * r / 24 * (1 - 3 * r * r / 10));
}

static double
away_from_zero(double x)
{
	return fabs(x) < DBL_MIN * 16 ? DBL_MIN * 16 : x;
}

/* the continued fraction of I_x(a, b) */
static double
beta_fraction(double a, double b, double x)
{
	double c = 1;
	double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
	double h = d;
	int m;

	for (m = 1; m < ITERATIONS; m++)
	{
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 / away_from_zero(1 + even * d);
		c = away_from_zero(1 + even / c);
		h *= d * c;
		d = 1 / away_from_zero(1 + odd * d);
		c = away_from_zero(1 + odd / c);
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 2 * DBL_EPSILON)
			break;
	}
	return h;
}

double
dmp_student_p(double t, double df)
{
	double a = df / 2;
	double t2 = t * t;
	double x;
	double y; /* 1 - x, without cancellation */
	double front;

	if (isnan(t) || !(df > 0))
		return NAN;
	if (t == 0)
		return 1;
	if (isinf(t2))
		return 0;
	x = df / (df + t2);
	y = t2 / (df + t2);
	/* x^a y^(1/2) / B(a, 1/2) */
	front = exp(-a * log1p(t2 / df) + 0.5 * log(y) + log_gamma_ratio(a) - LOG_SQRT_PI);
	if (x < (a + 1) / (a + 2.5))
		return front * beta_fraction(a, 0.5, x) / a;
	return 1 - front * beta_fraction(0.5, a, y) / 0.5;
}

double
dmp_student_975(double df)
{
	double t = 1.959963984540054;
	double a = df / 2;
	int i;

	if (!(df > 0))
		return NAN;
	/* Newton from the left: p falls and is convex, so that no step goes too far */
	for (i = 0; i < 100; i++)
	{
		double density =
			exp(log_gamma_ratio(a) - LOG_SQRT_PI - 0.5 * log(df) - (a + 0.5) * log1p(t * t / df));
		double step = (dmp_student_p(t, df) - 0.05) / (2 * density);

		t += step;
		if (fabs(step) <= 4 * DBL_EPSILON * t)
			break;
	}
	return t;
}
