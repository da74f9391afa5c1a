/*-------------------------------------------------------------------------
 * value_email.c
 *		dmp.clean_email: the address in a text.
 *
 * What RFC 5321 and 6531 let be sent to: a dot-atom of up to 64 bytes, "@", a
 * domain of at least two labels; 254 bytes in all. Quoted local parts and
 * address literals, which mail systems refuse, are no addresses here.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

PG_FUNCTION_INFO_V1(dmp_clean_email);

static bool
is_atom(pg_wchar c)
{
	if (c < 0x80)
		return dmp_is_digit(c) || (c >= 'a' && c <= 'z') ||
			   (c != 0 && strchr("!#$%&'*+/=?^_`{|}~-", (int) c) != NULL);
	return dmp_character_class(c) == DMP_CLASS_LETTER || dmp_character_class(c) == DMP_CLASS_DENSE;
}

static int
utf8_length(pg_wchar c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static bool
local_fits(const pg_wchar *c, int n)
{
	int bytes = 0;
	int i;

	if (n < 1 || c[0] == '.' || c[n - 1] == '.')
		return false;
	for (i = 0; i < n; i++)
	{
		if (c[i] == '.' ? c[i + 1] == '.' : !is_atom(c[i]))
			return false;
		bytes += utf8_length(c[i]);
		if (bytes > 64)
			return false;
	}
	return true;
}

/* Labels of letters, digits and inner hyphens; the last one ends in a letter. */
bool
dmp_is_domain(const pg_wchar *c, int n)
{
	int labels = 0;
	int bytes = 0;
	int from = 0;
	int i;
	bool letters = false;

	for (i = 0; i <= n; i++)
	{
		if (i == n || c[i] == '.')
		{
			if (i == from || bytes > 63 || c[from] == '-' || c[i - 1] == '-')
				return false;
			labels++;
			if (i == n)
				break;
			from = i + 1;
			bytes = 0;
			letters = false;
			continue;
		}
		if (c[i] == '-' || dmp_is_digit(c[i]))
			;
		else if ((c[i] >= 'a' && c[i] <= 'z') || (c[i] >= 0x80 && is_atom(c[i])))
			letters = true;
		else
			return false;
		bytes += utf8_length(c[i]);
	}
	return labels >= 2 && letters && n - from >= 2 && !dmp_is_digit(c[n - 1]);
}

static bool
starts_with(const DmpChars *chars, const char *s)
{
	int i;

	for (i = 0; s[i] != '\0'; i++)
	{
		if (i >= chars->n || chars->c[i] != (pg_wchar) s[i])
			return false;
	}
	return true;
}

/*
 * dmp.clean_email(value text) -> text
 *
 * Normal form KC, lower case; of "Ann <ann@x.org>" what is between the
 * brackets; "mailto:" and its "?subject=..." dropped, and a comma, semicolon
 * or full stop at the end. The whole address is lower case: no mail system in
 * use tells a@ from A@. Tags (a+tag@) and dots stay, they are the provider's
 * business. NULL when it is no address or more than one.
 */
Datum
dmp_clean_email(PG_FUNCTION_ARGS)
{
	DmpChars chars;
	text *result;
	int at = -1;
	int bytes = 0;
	int i;

	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NFKC, &chars))
		PG_RETURN_NULL();
	dmp_chars_tidy(&chars);
	if (chars.n > 1 && chars.c[chars.n - 1] == '>')
	{
		for (i = chars.n - 2; i >= 0 && chars.c[i] != '<'; i--)
			;
		if (i < 0)
			PG_RETURN_NULL();
		chars.c += i + 1;
		chars.n -= i + 2;
	}
	for (i = 0; i < chars.n; i++)
		chars.c[i] = dmp_lower_case(chars.c[i]);
	if (starts_with(&chars, "mailto:"))
	{
		chars.c += 7;
		chars.n -= 7;
		for (i = 0; i < chars.n && chars.c[i] != '?'; i++)
			;
		chars.n = i;
	}
	while (chars.n > 0 && (chars.c[chars.n - 1] == '.' || chars.c[chars.n - 1] == ',' ||
						   chars.c[chars.n - 1] == ';' || chars.c[chars.n - 1] == ' '))
		chars.n--;
	while (chars.n > 0 && chars.c[0] == ' ')
	{
		chars.c++;
		chars.n--;
	}
	for (i = 0; i < chars.n; i++)
	{
		if (chars.c[i] == '@')
		{
			if (at >= 0)
				PG_RETURN_NULL();
			at = i;
		}
		else if (at >= 0 && chars.c[i] == 0x3002) /* 。 stands for the dot of a domain */
			chars.c[i] = '.';
		bytes += utf8_length(chars.c[i]);
		if (bytes > 254)
			PG_RETURN_NULL();
	}
	if (at < 0 || !local_fits(chars.c, at) || !dmp_is_domain(chars.c + at + 1, chars.n - at - 1))
		PG_RETURN_NULL();
	result = dmp_chars_write(chars.c, chars.n);
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}
