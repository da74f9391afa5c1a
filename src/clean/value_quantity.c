/*-------------------------------------------------------------------------
 * value_quantity.c
 *		dmp.parse_quantity: an amount and its unit.
 *-------------------------------------------------------------------------
 */
#include "clean/value_number.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(dmp_parse_quantity);

/* more says nothing: 1/123456789012 of a cup */
#define MOST_DIGITS 9

static Datum
small_number(int64 n)
{
	return NumericGetDatum(int64_to_numeric(n));
}

/* digits of a fraction's part; -1 when there are none or too many */
static int64
take_digits(const DmpChars *chars, int *at)
{
	int64 result = 0;
	int from = *at;

	while (*at < chars->n && dmp_is_digit(chars->c[*at]) && *at - from <= MOST_DIGITS)
		result = result * 10 + (chars->c[(*at)++] - '0');
	return *at == from || *at - from > MOST_DIGITS ? -1 : result;
}

static bool
is_slash(pg_wchar c)
{
	return c == '/' || c == 0x2044;
}

/* "1/2" at *at, which moves behind it */
static bool
take_fraction(const DmpChars *chars, int *at, Datum *value)
{
	int i = *at;
	int64 above = take_digits(chars, &i);
	int64 below;

	if (above < 0 || i >= chars->n || !is_slash(chars->c[i]))
		return false;
	i++;
	below = take_digits(chars, &i);
	if (below <= 0)
		return false;
	*value = DirectFunctionCall2(numeric_div, small_number(above), small_number(below));
	*at = i;
	return true;
}

/* "1/2", "1 1/2" or a number */
static bool
take_amount(const DmpChars *chars, int *at, Datum *value)
{
	Datum part;
	int i = *at;
	int64 whole;

	if (take_fraction(chars, at, value))
		return true;
	whole = take_digits(chars, &i);
	if (whole >= 0 && i < chars->n && chars->c[i] == ' ')
	{
		i++;
		if (take_fraction(chars, &i, &part))
		{
			*value = DirectFunctionCall2(numeric_add, small_number(whole), part);
			*at = i;
			return true;
		}
	}
	return dmp_read_number(chars->c, chars->n, at, '.', 0, value);
}

/* m, m2, km/h, °C, fl oz, 吨, %, " - not another number behind a blank, nor a sign */
static bool
unit_fits(const pg_wchar *c, int n)
{
	int i;

	if (n > 0 &&
		!(c[0] == '%' || c[0] == '"' || c[0] == '\'' || c[0] == 0xB0 || c[0] == 0x2030 ||
		  c[0] == 0x2032 || c[0] == 0x2033 || dmp_character_class(c[0]) == DMP_CLASS_LETTER ||
		  dmp_character_class(c[0]) == DMP_CLASS_DENSE))
		return false;
	for (i = 0; i < n; i++)
	{
		if (dmp_is_digit(c[i]) && (i == 0 || c[i - 1] == ' '))
			return false;
	}
	return true;
}

/* blanks within for each half: ½ is 1⁄2 in normal form KC, and 1½ must not become 11⁄2 */
static void
part_fractions(DmpChars *chars)
{
	pg_wchar *out = palloc_extended(sizeof(pg_wchar) * ((Size) chars->n * 2 + 1), MCXT_ALLOC_HUGE);
	int n = 0;
	int i;

	for (i = 0; i < chars->n; i++)
	{
		pg_wchar c = chars->c[i];

		if (((c >= 0xBC && c <= 0xBE) || (c >= 0x2150 && c <= 0x215E)) && n > 0)
			out[n++] = ' ';
		out[n++] = c;
	}
	out[n] = 0;
	chars->c = out;
	chars->n = n;
}

/*
 * dmp.parse_quantity(value text, OUT amount numeric, OUT unit text)
 *
 * A number by the grammar of dmp.clean_number with "." (no currency), a
 * fraction (1/2, 1 1/2, 1½) or both, and the rest as the unit in normal form
 * KC, NULL when there is none. All NULL when the text is no quantity, or two.
 */
Datum
dmp_parse_quantity(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	DmpChars chars;
	Datum values[2] = {0, 0};
	bool nulls[2] = {true, true};
	bool minus = false;
	int at = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NONE, &chars))
	{
		part_fractions(&chars);
		dmp_chars_fold(&chars, DMP_FOLD_NFKC);
		dmp_chars_tidy(&chars);
		dmp_fold_digits(&chars);
		if (chars.n > 0 && (chars.c[0] == '-' || chars.c[0] == 0x2212 || chars.c[0] == '+'))
			minus = chars.c[at++] != '+';
		if (take_amount(&chars, &at, &values[0]))
		{
			int from = at;

			while (from < chars.n && chars.c[from] == ' ')
				from++;
			if (unit_fits(chars.c + from, chars.n - from))
			{
				text *unit = dmp_chars_write(chars.c + from, chars.n - from);

				nulls[0] = false;
				nulls[1] = unit == NULL || from == chars.n;
				values[1] = PointerGetDatum(unit);
				if (minus)
					values[0] = DirectFunctionCall1(numeric_uminus, values[0]);
			}
		}
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
