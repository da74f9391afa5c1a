/*-------------------------------------------------------------------------
 * summary_format.c
 *		Numbers of a summary, laid out by the rules R prints them by.
 *
 * A number needs the significant digits that are left of `digits` of them when
 * trailing zeros go. Numbers that stand together share one format: as many
 * decimals as the neediest takes, or the scientific form when that is shorter.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <float.h>
#include <math.h>

#include "learn/summary.h"

/* significant digits a number needs, and its exponent, at digits of them */
static void
scientific(double x, int digits, int *significant, int *exponent, bool *widens)
{
	char text[64];
	char *e;
	int n;

	snprintf(text, sizeof(text), "%.*e", digits - 1, fabs(x));
	e = strchr(text, 'e');
	*exponent = atoi(e + 1);
	for (n = e - text; n > 1 && text[n - 1] == '0'; n--)
		;
	*significant = n > 2 ? n - 1 : 1; /* the point is no digit */
	/* 9.9999 that shows as 10 in that form stays 9.9999 in the fixed one */
	*widens = *exponent > 0 && fabs(x) < pow(10, *exponent);
}

char **
dmp_format_numbers(const double *x, int n, int digits)
{
	char **out = palloc(sizeof(char *) * Max(n, 1));
	int left = 1, right = 0, most = 1, low = 0, high = 0;
	bool negative = false, any = false;
	bool fixed;
	int i;

	for (i = 0; i < n; i++)
	{
		int significant, exponent, width;
		bool widens;

		if (!isfinite(x[i]))
			continue;
		if (x[i] == 0)
		{
			significant = 1;
			exponent = 0;
			widens = false;
		}
		else
			scientific(x[i], digits, &significant, &exponent, &widens);
		width = widens ? exponent : exponent + 1;
		left = Max(left, (x[i] < 0) + Max(width, 1));
		right = Max(right, significant - exponent - 1);
		most = Max(most, significant);
		low = any ? Min(low, exponent) : exponent;
		high = any ? Max(high, exponent) : exponent;
		negative |= x[i] < 0;
		any = true;
	}
	fixed = left + right + (right > 0) <=
			negative + (most > 1) + most + 4 + (high >= 100 || low <= -100 ? 1 : 0);
	for (i = 0; i < n; i++)
	{
		if (isnan(x[i]))
			out[i] = pstrdup("NA");
		else if (isinf(x[i]))
			out[i] = pstrdup(x[i] > 0 ? "Inf" : "-Inf");
		else if (fixed)
			out[i] = psprintf("%.*f", right, x[i]);
		else
			out[i] = psprintf("%.*e", most - 1, x[i]);
	}
	return out;
}

char *
dmp_format_number(double x, int digits)
{
	return dmp_format_numbers(&x, 1, digits)[0];
}

static double
rounded(double x, int decimals)
{
	char text[400];

	if (!isfinite(x) || decimals > 300)
		return x;
	snprintf(text, sizeof(text), "%.*f", decimals, x);
	return strtod(text, NULL);
}

char **
dmp_format_estimates(const double *x, int n, int digits)
{
	double least = INFINITY;
	double *all = palloc(sizeof(double) * Max(2 * n, 1));
	double *lost = palloc(sizeof(double) * Max(2 * n, 1));
	char **out;
	char **again;
	int nlost = 0;
	int width = 0;
	int decimals = digits;
	int i;

	for (i = 0; i < 2 * n; i++)
	{
		if (isfinite(x[i]) && x[i] != 0)
			least = Min(least, fabs(x[i]));
	}
	if (isfinite(least))
		decimals = Max(1, digits - 1 - (int) floor(log10(least)));
	for (i = 0; i < 2 * n; i++)
		all[i] = rounded(x[i], decimals);
	out = dmp_format_numbers(all, 2 * n, digits);
	/* what is not 0 must not look like it */
	for (i = 0; i < 2 * n; i++)
	{
		if (isfinite(x[i]) && x[i] != 0 && strtod(out[i], NULL) == 0)
			lost[nlost++] = x[i];
	}
	again = dmp_format_numbers(lost, nlost, Max(1, digits - 1));
	nlost = 0;
	for (i = 0; i < 2 * n; i++)
	{
		if (isfinite(x[i]) && x[i] != 0 && strtod(out[i], NULL) == 0)
			out[i] = again[nlost++];
		width = Max(width, strlen(out[i]));
	}
	/* as wide as each other, in both columns */
	for (i = 0; i < 2 * n; i++)
		out[i] = psprintf("%*s", width, out[i]);
	return out;
}

/* p values with fixed set, or without it, alike */
static int
format_group(const double *p, int n, int digits, bool fixed, char **out)
{
	double *group = palloc(sizeof(double) * Max(n, 1));
	char **texts;
	int m = 0;
	int width = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		if (p[i] >= DBL_EPSILON && (floor(log10(p[i])) >= -3) == fixed)
			group[m++] = p[i];
	}
	texts = dmp_format_numbers(group, m, digits);
	m = 0;
	for (i = 0; i < n; i++)
	{
		if (p[i] >= DBL_EPSILON && (floor(log10(p[i])) >= -3) == fixed)
		{
			out[i] = texts[m++];
			width = Max(width, strlen(out[i]));
		}
	}
	return width;
}

char **
dmp_format_p(const double *p, int n, int digits)
{
	char **out = palloc0(sizeof(char *) * Max(n, 1));
	int width = Max(format_group(p, n, digits, true, out), format_group(p, n, digits, false, out));
	int few = Max(1, digits - 2);
	const char *space;
	int i;

	if (width > 0 && few > 1 && few + 6 > width)
		few = Max(1, width - 7);
	space = few == 1 && width <= 6 ? "" : " ";
	for (i = 0; i < n; i++)
	{
		if (isnan(p[i]))
			out[i] = pstrdup("NA");
		else if (p[i] < DBL_EPSILON)
			out[i] = psprintf("<%s%s", space, dmp_format_number(DBL_EPSILON, few));
	}
	return out;
}

const char *
dmp_stars(double p)
{
	return isnan(p)    ? ""
		   : p < 0.001 ? "***"
		   : p < 0.01  ? "**"
		   : p < 0.05  ? "*"
		   : p < 0.1   ? "."
					   : "";
}
