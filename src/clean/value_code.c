/*-------------------------------------------------------------------------
 * value_code.c
 *		Codes that carry check digits: dmp.is_luhn, dmp.clean_iban.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

PG_FUNCTION_INFO_V1(dmp_is_luhn);
PG_FUNCTION_INFO_V1(dmp_clean_iban);

/*
 * What follows country and check digits, by the IBAN registry (release 101): so
 * many digits (n), upper case letters (a), or both (c).
 */
static const struct
{
	char country[3];
	const char *structure;
} ibans[] = {{"AD", "8n12c"},    {"AE", "19n"},      {"AL", "8n16c"},    {"AT", "16n"},
			 {"AZ", "4a20c"},    {"BA", "16n"},      {"BE", "12n"},      {"BG", "4a6n8c"},
			 {"BH", "4a14c"},    {"BI", "23n"},      {"BR", "23n1a1c"},  {"BY", "4c4n16c"},
			 {"CH", "5n12c"},    {"CR", "18n"},      {"CY", "8n16c"},    {"CZ", "20n"},
			 {"DE", "18n"},      {"DJ", "23n"},      {"DK", "14n"},      {"DO", "4c20n"},
			 {"EE", "16n"},      {"EG", "25n"},      {"ES", "20n"},      {"FI", "14n"},
			 {"FK", "2a12n"},    {"FO", "14n"},      {"FR", "10n11c2n"}, {"GB", "4a14n"},
			 {"GE", "2a16n"},    {"GI", "4a15c"},    {"GL", "14n"},      {"GR", "7n16c"},
			 {"GT", "24c"},      {"HN", "4a20n"},    {"HR", "17n"},      {"HU", "24n"},
			 {"IE", "4a14n"},    {"IL", "19n"},      {"IQ", "4a15n"},    {"IS", "22n"},
			 {"IT", "1a10n12c"}, {"JO", "4a4n18c"},  {"KW", "4a22c"},    {"KZ", "3n13c"},
			 {"LB", "4n20c"},    {"LC", "4a24c"},    {"LI", "5n12c"},    {"LT", "16n"},
			 {"LU", "3n13c"},    {"LV", "4a13c"},    {"LY", "21n"},      {"MC", "10n11c2n"},
			 {"MD", "20c"},      {"ME", "18n"},      {"MK", "3n10c2n"},  {"MN", "16n"},
			 {"MR", "23n"},      {"MT", "4a5n18c"},  {"MU", "4a19n3a"},  {"NI", "4a20n"},
			 {"NL", "4a10n"},    {"NO", "11n"},      {"OM", "3n16c"},    {"PK", "4a16c"},
			 {"PL", "24n"},      {"PS", "4a21c"},    {"PT", "21n"},      {"QA", "4a21c"},
			 {"RO", "4a16c"},    {"RS", "18n"},      {"RU", "14n15c"},   {"SA", "2n18c"},
			 {"SC", "4a20n3a"},  {"SD", "14n"},      {"SE", "20n"},      {"SI", "15n"},
			 {"SK", "20n"},      {"SM", "1a10n12c"}, {"SO", "19n"},      {"ST", "21n"},
			 {"SV", "4a20n"},    {"TL", "19n"},      {"TN", "20n"},      {"TR", "6n16c"},
			 {"UA", "6n19c"},    {"VA", "18n"},      {"VG", "4a16n"},    {"XK", "16n"},
			 {"YE", "4a4n18c"}};

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

/* whether the n characters of s are as the structure says */
static bool
structure_fits(const char *structure, const char *s, int n)
{
	int at = 0;

	while (*structure != '\0')
	{
		char *kind;
		int count = (int) strtol(structure, &kind, 10);

		for (; count > 0; count--, at++)
		{
			bool digit;

			if (at == n)
				return false;
			digit = dmp_is_digit((unsigned char) s[at]);
			if (*kind == 'n' ? !digit : *kind == 'a' && digit)
				return false;
		}
		structure = kind + 1;
	}
	return at == n;
}

static bool
iban_fits(const char *s, int n)
{
	int mod = 0;
	int i;

	for (i = 0; i < lengthof(ibans); i++)
	{
		if (memcmp(ibans[i].country, s, 2) == 0)
			break;
	}
	if (i == lengthof(ibans) || !structure_fits(ibans[i].structure, s + 4, n - 4))
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
 * length, the places of letters or the check digits (modulo 97) are wrong. "IBAN" before it is dropped.
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
