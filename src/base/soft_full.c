/*-------------------------------------------------------------------------
 * soft_full.c
 *		Full decisions for booleans and numbers, for servers without soft errors.
 *
 * The order of the checks follows the server's, since a text can be wrong in
 * two ways and the answer names the first.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#ifndef DMP_HAVE_SAFE_INPUT

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "common/int.h"
#include "utils/float.h"
#include "utils/numeric.h"

#include "base/soft.h"

static bool
bad_syntax(DmpSoftError *err, const char *type, const char *s)
{
	return dmp_soft_fail(err, ERRCODE_INVALID_TEXT_REPRESENTATION,
						 "invalid input syntax for type %s: \"%s\"", type,
						 dmp_soft_clip(s, strlen(s)));
}

static inline const char *
skip_space(const char *s)
{
	while (isspace((unsigned char) *s))
		s++;
	return s;
}

static bool
full_bool(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	const char *start = skip_space(s);
	const char *end = s + len;
	bool value;

	while (end > start && isspace((unsigned char) end[-1]))
		end--;
	if (!parse_bool_with_len(start, end - start, &value))
		return bad_syntax(err, "boolean", s);
	*result = BoolGetDatum(value);
	return true;
}

/*
 * An integer between -limit - 1 and limit. The value is built negative, which
 * reaches one further.
 */
static bool
full_integer(const char *s, int64 limit, const char *type, int64 *value, DmpSoftError *err)
{
	const char *p = skip_space(s);
	bool negative = false;
	int64 v = 0;

	if (*p == '-' || *p == '+')
		negative = *p++ == '-';
	if (!isdigit((unsigned char) *p))
		return bad_syntax(err, type, s);
	while (isdigit((unsigned char) *p))
	{
		if (pg_mul_s64_overflow(v, 10, &v) || pg_sub_s64_overflow(v, *p++ - '0', &v) ||
			v < -limit - 1)
			goto out_of_range;
	}
	p = skip_space(p);
	if (*p != '\0')
		return bad_syntax(err, type, s);
	if (!negative)
	{
		if (v < -limit)
			goto out_of_range;
		v = -v;
	}
	*value = v;
	return true;

out_of_range:
	return dmp_soft_fail(err, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						 "value \"%s\" is out of range for type %s", dmp_soft_clip(s, strlen(s)),
						 type);
}

static bool
full_int2(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	int64 v;

	if (!full_integer(s, PG_INT16_MAX, "smallint", &v, err))
		return false;
	*result = Int16GetDatum((int16) v);
	return true;
}

static bool
full_int4(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	int64 v;

	if (!full_integer(s, PG_INT32_MAX, "integer", &v, err))
		return false;
	*result = Int32GetDatum((int32) v);
	return true;
}

static bool
full_int8(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	int64 v;

	if (!full_integer(s, PG_INT64_MAX, "bigint", &v, err))
		return false;
	*result = Int64GetDatum(v);
	return true;
}

/*
 * The words for NaN and the infinities that the server reads where strtod
 * does not.
 */
static const char *
float_word(const char *p, double *value)
{
	static const struct
	{
		const char *word;
		double value;
	} words[] = {{"NaN", NAN},
				 {"Infinity", INFINITY},
				 {"+Infinity", INFINITY},
				 {"-Infinity", -INFINITY},
				 {"inf", INFINITY},
				 {"+inf", INFINITY},
				 {"-inf", -INFINITY}};
	int i;

	if (isdigit((unsigned char) *p))
		return NULL;
	for (i = 0; i < lengthof(words); i++)
	{
		if (pg_strncasecmp(p, words[i].word, strlen(words[i].word)) == 0)
		{
			*value = words[i].value;
			return p + strlen(words[i].word);
		}
	}
	return NULL;
}

/*
 * Both floats: strtod or strtof decides, as in the server. Out of range is a
 * result of zero or infinity with ERANGE; a denormal is a value.
 */
static bool
full_float(char *s, bool single, double *value, DmpSoftError *err)
{
	const char *type = single ? "real" : "double precision";
	const char *p = skip_space(s);
	char *end;
	double v;

	if (*p == '\0')
		return bad_syntax(err, type, s);
	errno = 0;
	v = single ? (double) strtof(p, &end) : strtod(p, &end);
	if (end == p || errno != 0)
	{
		int save_errno = errno;
		const char *after = float_word(p, &v);

		if (after != NULL)
			end = unconstify(char *, after);
		else if (save_errno == ERANGE)
		{
			if (v == 0.0 || isinf(v))
				return dmp_soft_fail(
					err, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "\"%s\" is out of range for type %s",
					single ? dmp_soft_clip(s, strlen(s)) : dmp_soft_clip(p, end - p), type);
		}
		else
			return bad_syntax(err, type, s);
	}
	if (*skip_space(end) != '\0')
		return bad_syntax(err, type, s);
	*value = v;
	return true;
}

static bool
full_float4(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	double v;

	if (!full_float(s, true, &v, err))
		return false;
	*result = Float4GetDatum((float4) v);
	return true;
}

static bool
full_float8(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	double v;

	if (!full_float(s, false, &v, err))
		return false;
	*result = Float8GetDatum(v);
	return true;
}

/* A number read by its grammar: digits[point digits][e exponent] */
typedef struct NumericText
{
	const char *digits; /* first significant digit, or NULL for zero */
	const char *end;    /* behind the last digit or point */
	int64 position;     /* of that digit: its power of ten */
	int64 scale;        /* digits behind the point that will be shown */
} NumericText;

/*
 * The decimal digit `index` places after the first significant one.
 */
static int
numeric_digit(const NumericText *n, int64 index)
{
	const char *p;

	for (p = n->digits; p < n->end; p++)
	{
		if (*p == '.')
			continue;
		if (index-- == 0)
			return *p - '0';
	}
	return 0;
}

/*
 * Does the value fit numeric(precision, scale)? It does not when it has a
 * digit at or above 10^(precision - scale), or reaches that by rounding: all
 * digits kept are nines and the next is 5 or more.
 */
static bool
numeric_fits_typmod(const NumericText *n, int32 typmod)
{
	int precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	int scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	int64 limit = (int64) precision - scale;
	int i;

	if (n->digits == NULL || n->position < limit - 1)
		return true;
	if (n->position >= limit)
		return false;
	for (i = 0; i < precision; i++)
		if (numeric_digit(n, i) != 9)
			return true;
	return numeric_digit(n, precision) < 5;
}

/*
 * Would numeric's input function accept s? The checks and their order are
 * those of numeric_in: words, digits, exponent, trailing garbage, precision,
 * and last the limits of the format: 16383 digits behind the point, and a
 * weight of at most 32767 groups of four digits.
 */
bool
dmp_soft_numeric_fits(char *s, int32 typmod, DmpSoftError *err)
{
	const char *p = skip_space(s);
	NumericText n = {NULL, NULL, 0, 0};
	bool with_typmod = typmod >= (int32) VARHDRSZ;
	bool point = false;
	int64 before = 0; /* digits before the point */
	int64 first = -1; /* digits before the first significant one */
	int64 digits = 0;
	double word;
	const char *after = float_word(p, &word);

	if (after != NULL)
	{
		if (*skip_space(after) != '\0')
			return bad_syntax(err, "numeric", s);
		if (with_typmod && isinf(word))
			return dmp_soft_fail(err, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
		return true;
	}

	if (*p == '+' || *p == '-')
		p++;
	if (*p == '.')
	{
		point = true;
		p++;
	}
	if (!isdigit((unsigned char) *p))
		return bad_syntax(err, "numeric", s);
	for (; *p; p++)
	{
		if (isdigit((unsigned char) *p))
		{
			if (first < 0 && *p != '0')
			{
				first = digits;
				n.digits = p;
			}
			digits++;
			if (point)
				n.scale++;
			else
				before++;
		}
		else if (*p == '.')
		{
			if (point)
				return bad_syntax(err, "numeric", s);
			point = true;
		}
		else
			break;
	}
	n.end = p;
	n.position = before - 1 - first;
	if (*p == 'e' || *p == 'E')
	{
		char *end;
		long exponent = strtol(p + 1, &end, 10);

		if (end == p + 1)
			return bad_syntax(err, "numeric", s);
		p = end;
		if (exponent >= INT_MAX / 2 || exponent <= -(INT_MAX / 2))
			return dmp_soft_fail(err, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
								 "value overflows numeric format");
		n.position += exponent;
		n.scale = Max(n.scale - exponent, 0);
	}
	if (*skip_space(p) != '\0')
		return bad_syntax(err, "numeric", s);
	if (with_typmod)
	{
		if (!numeric_fits_typmod(&n, typmod))
			return dmp_soft_fail(err, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
	}
	else if (n.scale > 0x3FFF || (n.digits != NULL && n.position >= INT64CONST(32768) * 4))
		return dmp_soft_fail(err, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
							 "value overflows numeric format");
	return true;
}

static bool
full_numeric(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	if (!dmp_soft_numeric_fits(s, t->typmod, err))
		return false;
	*result = InputFunctionCall(&t->input, s, t->ioparam, t->typmod);
	return true;
}

DmpSoftFull
dmp_soft_find_full(PGFunction input)
{
	static const struct
	{
		PGFunction input;
		DmpSoftFull full;
	} known[] = {{boolin, full_bool},       {int2in, full_int2},     {int4in, full_int4},
				 {int8in, full_int8},       {float4in, full_float4}, {float8in, full_float8},
				 {numeric_in, full_numeric}};
	int i;

	for (i = 0; i < lengthof(known); i++)
		if (known[i].input == input)
			return known[i].full;
	return NULL;
}

#endif /* !DMP_HAVE_SAFE_INPUT */
