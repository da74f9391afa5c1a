/*-------------------------------------------------------------------------
 * value_number.c
 *		dmp.clean_number: numbers as people write them.
 *
 * The grammar, on the tidied characters in normal form KC (full-width digits
 * are digits by then, the digits of Arabic, Persian and Devanagari become so
 * here):
 *
 *	value    = "(" amount ")" | amount
 *	amount   = [sign] [currency] [sign] parts [percent] [currency] ["-"]
 *	parts    = number [scale] { number scale }, scales falling (1亿2000万)
 *	number   = digits or groups, decimal mark, digits, exponent
 *
 * Thousands marks are the other one of , and . than the decimal mark, a blank
 * and an apostrophe; one kind in a number, and only where they group by three
 * or as in India by two and a last three. 1,23 is therefore no number: NULL
 * rather than a guess.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"
#include "clean/value_number.h"

#include "lib/stringinfo.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(dmp_clean_number);

/* of a number: more says nothing, and numeric has its limits */
#define MOST_DIGITS 1000
#define MOST_EXPONENT 1000

/* codes that stand before or behind an amount, upper case */
static const char *const currency_codes[] = {
	"A$",  "AED", "ARS", "AUD", "BDT", "BRL", "C$",  "CAD", "CHF", "CLP", "CNY",
	"COP", "CZK", "DKK", "EGP", "EUR", "GBP", "HK$", "HKD", "HUF", "IDR", "ILS",
	"INR", "JPY", "KES", "KRW", "MXN", "MYR", "NGN", "NOK", "NT$", "NZD", "PHP",
	"PKR", "PLN", "R$",  "RMB", "RON", "RS",  "RS.", "RUB", "S$",  "SAR", "SEK",
	"SGD", "THB", "TRY", "TWD", "UAH", "US$", "USD", "VND", "ZAR"};

typedef struct Reader
{
	const pg_wchar *c;
	int n;
	int at;
	pg_wchar decimal;
	StringInfoData out; /* the number for numeric_in */
} Reader;

static pg_wchar
peek(const Reader *r, int ahead)
{
	return r->at + ahead < r->n ? r->c[r->at + ahead] : 0;
}

static void
skip_blanks(Reader *r)
{
	while (peek(r, 0) == ' ')
		r->at++;
}

/* a minus sign or dash that stands for one */
static bool
is_minus(pg_wchar c)
{
	return c == '-' || c == 0x2212 || c == 0x2010 || c == 0x2011 || c == 0x2013;
}

static bool
take_sign(Reader *r, int *sign)
{
	pg_wchar c = peek(r, 0);

	if (c != '+' && !is_minus(c))
		return false;
	*sign = c == '+' ? 1 : -1;
	r->at++;
	skip_blanks(r);
	return true;
}

/* a currency sign, code, or Chinese word */
static bool
take_currency(Reader *r)
{
	pg_wchar c = peek(r, 0);
	int i;

	for (i = lengthof(currency_codes) - 1; i >= 0; i--)
	{
		const char *code = currency_codes[i];
		int k = 0;

		while (code[k] != '\0' && dmp_lower_case(peek(r, k)) == dmp_lower_case(code[k]))
			k++;
		if (code[k] != '\0' || (peek(r, k) < 0x80 && pg_ascii_tolower(peek(r, k)) >= 'a' &&
								pg_ascii_tolower(peek(r, k)) <= 'z'))
			continue;
		r->at += k;
		return true;
	}
	if (c == 0x4EBA && peek(r, 1) == 0x6C11 && (peek(r, 2) == 0x5E01 || peek(r, 2) == 0x5E63))
		r->at += 3; /* 人民币 */
	else if ((c == 0x7F8E || c == 0x6B27 || c == 0x65E5 || c == 0x6E2F) && peek(r, 1) == 0x5143)
		r->at += 2; /* 美元 欧元 日元 港元 */
	else if (c == '$' || (c >= 0xA2 && c <= 0xA5) || (c >= 0x20A0 && c <= 0x20CF) || c == 0x5143 ||
			 c == 0x5713 || c == 0x5186 || c == 0x5757) /* 元 圓 円 块 */
		r->at++;
	else
		return false;
	return true;
}

/* digits of the groups seen so far: 1,234,567 or 12,34,567 */
static bool
groups_fit(const int *sizes, int n)
{
	int i;
	bool western = true;
	bool indian;

	if (sizes[0] > 3 || sizes[0] < 1 || sizes[n - 1] != 3)
		return false;
	indian = sizes[0] <= 2;
	for (i = 1; i < n - 1; i++)
	{
		western = western && sizes[i] == 3;
		indian = indian && sizes[i] == 2;
	}
	return western || indian;
}

static bool
is_group_mark(const Reader *r, pg_wchar c)
{
	return c != r->decimal && (c == ',' || c == '.' || c == ' ' || c == '\'' || c == 0x2019);
}

/* The digits before the decimal mark, with or without thousands marks; how many. -1: ill grouped. */
static int
take_integer(Reader *r)
{
	int sizes[MOST_DIGITS + 1];
	int ngroups = 1;
	int digits = 0;
	pg_wchar mark = 0;

	sizes[0] = 0;
	for (;;)
	{
		pg_wchar c = peek(r, 0);

		if (dmp_is_digit(c))
		{
			if (++digits > MOST_DIGITS)
				return -1;
			appendStringInfoChar(&r->out, (char) c);
			sizes[ngroups - 1]++;
		}
		else if (is_group_mark(r, c) && digits > 0 && dmp_is_digit(peek(r, 1)))
		{
			if (mark != 0 && c != mark)
				return -1;
			mark = c;
			if (sizes[ngroups - 1] == 0)
				return -1;
			sizes[ngroups++] = 0;
		}
		else
			break;
		r->at++;
	}
	return ngroups == 1 || groups_fit(sizes, ngroups) ? digits : -1;
}

/* 万 and the like as a power of ten, 0 for none */
static int
take_scale(Reader *r)
{
	static const struct
	{
		pg_wchar c;
		int power;
	} scales[] = {{0x5341, 1}, {0x767E, 2}, {0x5343, 3}, {0x4E07, 4},
				  {0x842C, 4}, {0x4EBF, 8}, {0x5104, 8}};
	int power = 0;
	int i;
	bool found = true;

	/* 百万, 万亿: factors rise; 兆 is 10^6 or 10^12 by place, and no scale here */
	while (found && power < 20)
	{
		found = false;
		for (i = 0; i < lengthof(scales); i++)
		{
			if (peek(r, 0) == scales[i].c)
			{
				power += scales[i].power;
				r->at++;
				found = true;
				break;
			}
		}
	}
	return power;
}

/*
 * One number into r->out, which is then fit for numeric_in but for its
 * exponent; that is returned in *exponent. False when there is none.
 */
static bool
take_number(Reader *r, int *exponent)
{
	int digits;
	int sign = 1;

	*exponent = 0;
	digits = take_integer(r);
	if (digits < 0)
		return false;
	if (peek(r, 0) == r->decimal && (digits > 0 || dmp_is_digit(peek(r, 1))))
	{
		r->at++;
		if (digits == 0)
			appendStringInfoChar(&r->out, '0');
		if (dmp_is_digit(peek(r, 0)))
			appendStringInfoChar(&r->out, '.');
		while (dmp_is_digit(peek(r, 0)))
		{
			if (++digits > MOST_DIGITS)
				return false;
			appendStringInfoChar(&r->out, (char) r->c[r->at++]);
		}
	}
	if (digits == 0)
		return false;
	if (peek(r, 0) == 'e' || peek(r, 0) == 'E')
	{
		int ahead = 1;

		if (peek(r, 1) == '+' || is_minus(peek(r, 1)))
		{
			sign = peek(r, 1) == '+' ? 1 : -1;
			ahead = 2;
		}
		if (!dmp_is_digit(peek(r, ahead))) /* 5 EUR */
			return true;
		r->at += ahead;
		while (dmp_is_digit(peek(r, 0)))
		{
			*exponent = *exponent * 10 + (int) (r->c[r->at++] - '0');
			if (*exponent > MOST_EXPONENT)
				return false;
		}
		*exponent *= sign;
	}
	return true;
}

static Datum
make_numeric(Reader *r, int exponent)
{
	if (exponent != 0)
		appendStringInfo(&r->out, "e%d", exponent);
	return DirectFunctionCall3(numeric_in, CStringGetDatum(r->out.data),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/*
 * The number that c[*at ...] starts with: digits with marks, an exponent, and
 * the scales 万, 亿 ... of Chinese. *at moves behind it. False when none does.
 */
bool
dmp_read_number(const pg_wchar *c, int n, int *at, pg_wchar decimal, int shift, Datum *value)
{
	Reader r;
	int last = 100;
	bool any = false;

	r.c = c;
	r.n = n;
	r.at = *at;
	r.decimal = decimal;
	initStringInfo(&r.out);
	do
	{
		int exponent;
		int before;
		int power;
		Datum part;

		CHECK_FOR_INTERRUPTS();
		resetStringInfo(&r.out);
		if (!take_number(&r, &exponent))
			return false;
		before = r.at;
		skip_blanks(&r);
		power = take_scale(&r);
		if (power == 0)
			r.at = before;
		if (power >= last)
			return false;
		last = power;
		part = make_numeric(&r, exponent + power + shift);
		*value = any ? DirectFunctionCall2(numeric_add, *value, part) : part;
		any = true;
	} while (last > 0 && dmp_is_digit(peek(&r, 0)));
	*at = r.at;
	return true;
}

/* other scripts' digits as ours, in place */
void
dmp_fold_digits(DmpChars *chars)
{
	int i;

	for (i = 0; i < chars->n; i++)
	{
		pg_wchar c = chars->c[i];

		if (c >= 0x0660 && c <= 0x0669)
			chars->c[i] = '0' + (c - 0x0660);
		else if (c >= 0x06F0 && c <= 0x06F9)
			chars->c[i] = '0' + (c - 0x06F0);
		else if (c >= 0x0966 && c <= 0x096F)
			chars->c[i] = '0' + (c - 0x0966);
	}
}

static bool
read_amount(Reader *r, Datum *value)
{
	int sign = 1;
	int from;
	bool bracketed = false;
	bool has_sign;
	bool currency;

	if (peek(r, 0) == '(' && r->n > 2 && r->c[r->n - 1] == ')')
	{
		bracketed = true;
		r->at++;
		r->n--;
		skip_blanks(r);
	}
	has_sign = take_sign(r, &sign);
	currency = take_currency(r);
	skip_blanks(r);
	if (!has_sign)
		has_sign = take_sign(r, &sign);
	from = r->at;
	if (!dmp_read_number(r->c, r->n, &r->at, r->decimal, 0, value))
		return false;
	skip_blanks(r);
	if (peek(r, 0) == '%' || peek(r, 0) == 0x2030)
	{
		int again = from;

		/* read again, shifted: dividing would add digits */
		if (currency ||
			!dmp_read_number(r->c, r->n, &again, r->decimal, peek(r, 0) == '%' ? -2 : -3, value))
			return false;
		r->at++;
	}
	else
		take_currency(r);
	skip_blanks(r);
	if (!has_sign && is_minus(peek(r, 0)))
	{
		has_sign = true;
		sign = -1;
		r->at++;
	}
	skip_blanks(r);
	if (r->at != r->n || (bracketed && has_sign))
		return false;
	if (bracketed || sign < 0)
		*value = DirectFunctionCall1(numeric_uminus, *value);
	return true;
}

/*
 * dmp.clean_number(value text, decimal_mark text DEFAULT '.') -> numeric
 *
 * See the top of the file; NULL when the text is no number. A percentage is
 * divided by 100, currency signs are dropped.
 */
Datum
dmp_clean_number(PG_FUNCTION_ARGS)
{
	text *mark = PG_GETARG_TEXT_PP(1);
	DmpChars chars;
	Reader r;
	Datum value;

	if (VARSIZE_ANY_EXHDR(mark) != 1 || (*VARDATA_ANY(mark) != '.' && *VARDATA_ANY(mark) != ','))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("decimal mark must be \".\" or \",\"")));
	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NFKC, &chars))
		PG_RETURN_NULL();
	dmp_chars_tidy(&chars);
	dmp_fold_digits(&chars);
	r.c = chars.c;
	r.n = chars.n;
	r.at = 0;
	r.decimal = (pg_wchar) *VARDATA_ANY(mark);
	if (!read_amount(&r, &value))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(value);
}
