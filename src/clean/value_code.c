/*-------------------------------------------------------------------------
 * value_code.c
 *		Codes that carry check digits: dmp.is_luhn, dmp.clean_iban.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

PG_FUNCTION_INFO_V1(dmp_is_luhn);
PG_FUNCTION_INFO_V1(dmp_clean_iban);

/* lengths of the IBAN registry, in order of the country */
static const struct
{
	char country[3];
	int8 length;
} iban_lengths[] = {
	{"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
	{"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
	{"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
	{"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
	{"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
	{"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
	{"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27},
	{"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28},
	{"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
	{"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
	{"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}};

#define LONGEST_IBAN 34

/*
 * dmp.is_luhn(value text) -> boolean
 *
 * At least two digits, blanks and hyphens between them, and the sum that
 * ISO/IEC 7812-1 annex B takes of them (every second digit from the right
 * doubled, its digits added) a multiple of ten.
 */
Datum
dmp_is_luhn(PG_FUNCTION_ARGS)
{
	DmpChars chars;
	int sum = 0;
	int digits = 0;
	int i;

	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NFKC, &chars))
		PG_RETURN_BOOL(false);
	dmp_chars_tidy(&chars);
	for (i = chars.n - 1; i >= 0; i--)
	{
		pg_wchar c = chars.c[i];
		int digit;

		if (c == ' ' || c == '-')
			continue;
		if (!dmp_is_digit(c))
			PG_RETURN_BOOL(false);
		digit = (int) (c - '0');
		if (digits % 2 == 1)
			digit = digit * 2 - (digit > 4 ? 9 : 0);
		sum = (sum + digit) % 10;
		digits++;
	}
	PG_RETURN_BOOL(digits >= 2 && sum == 0);
}

static bool
iban_fits(const char *s, int n)
{
	int mod = 0;
	int i;

	for (i = 0; i < lengthof(iban_lengths); i++)
	{
		if (memcmp(iban_lengths[i].country, s, 2) == 0)
			break;
	}
	if (i == lengthof(iban_lengths) || iban_lengths[i].length != n)
		return false;
	/* check digits are 98 minus a remainder */
	if (!dmp_is_digit((unsigned char) s[2]) || !dmp_is_digit((unsigned char) s[3]) ||
		memcmp(s + 2, "02", 2) < 0 || memcmp(s + 2, "98", 2) > 0)
		return false;
	/* the first four come last; a letter is two digits, A is 10 */
	for (i = 0; i < n; i++)
	{
		char c = s[(i + 4) % n];

		mod = c <= '9' ? (mod * 10 + (c - '0')) % 97 : (mod * 100 + (c - 'A' + 10)) % 97;
	}
	return mod == 1;
}

/*
 * dmp.clean_iban(value text) -> text
 *
 * ISO 13616 in its electronic form: upper case, no blanks; NULL when country,
 * length or check digits (modulo 97) are wrong. "IBAN" before it is dropped.
 */
Datum
dmp_clean_iban(PG_FUNCTION_ARGS)
{
	DmpChars chars;
	char s[LONGEST_IBAN + 1];
	int n = 0;
	int i = 0;

	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NFKC, &chars))
		PG_RETURN_NULL();
	dmp_chars_tidy(&chars);
	if (chars.n > 4 && dmp_lower_case(chars.c[0]) == 'i' && dmp_lower_case(chars.c[1]) == 'b' &&
		dmp_lower_case(chars.c[2]) == 'a' && dmp_lower_case(chars.c[3]) == 'n')
	{
		i = 4;
		if (chars.c[i] == ':')
			i++;
	}
	for (; i < chars.n; i++)
	{
		pg_wchar c = chars.c[i];

		if (c == ' ' || c == '-' || c == '.')
			continue;
		c = c < 0x80 ? (pg_wchar) pg_ascii_toupper((unsigned char) c) : c;
		if (n == LONGEST_IBAN || !(dmp_is_digit(c) || (c >= 'A' && c <= 'Z')))
			PG_RETURN_NULL();
		s[n++] = (char) c;
	}
	if (n < 5 || !iban_fits(s, n))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(s, n));
}
