/*-------------------------------------------------------------------------
 * value_phone.c
 *		dmp.clean_phone: telephone numbers as E.164.
 *
 * A number with "+" or an international prefix names its country; any other
 * is of the country given: its trunk prefix goes, the calling code comes.
 * Lengths are checked by country (facts of the national plans, compared with
 * libphonenumber's metadata). China and the countries of +1 have rules of
 * their own. The table is of numbering plans, not of which ranges are in use.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

PG_FUNCTION_INFO_V1(dmp_clean_phone);

typedef struct Plan
{
	char country[3];
	const char *code;
	const char *trunk;
	int8 shortest; /* digits behind the code */
	int8 longest;
	const char *prefix; /* dialled before a code, where it is not 00 */
} Plan;

/* where countries share a code, the first one's lengths decide */
static const Plan plans[] = {{"AE", "971", "0", 8, 9, NULL},    {"AR", "54", "0", 10, 11, NULL},
							 {"AT", "43", "0", 4, 13, NULL},    {"AU", "61", "0", 9, 9, "0011"},
							 {"BD", "880", "0", 6, 10, NULL},   {"BE", "32", "0", 8, 9, NULL},
							 {"BG", "359", "0", 6, 9, NULL},    {"BR", "55", "0", 10, 11, NULL},
							 {"CA", "1", "1", 10, 10, "011"},   {"CH", "41", "0", 9, 9, NULL},
							 {"CL", "56", "", 9, 9, NULL},      {"CN", "86", "0", 10, 11, NULL},
							 {"CO", "57", "0", 10, 10, NULL},   {"CZ", "420", "", 9, 9, NULL},
							 {"DE", "49", "0", 5, 13, NULL},    {"DK", "45", "", 8, 8, NULL},
							 {"EG", "20", "0", 8, 10, NULL},    {"ES", "34", "", 9, 9, NULL},
							 {"FI", "358", "0", 5, 12, NULL},   {"FR", "33", "0", 9, 9, NULL},
							 {"GB", "44", "0", 9, 10, NULL},    {"GR", "30", "", 10, 10, NULL},
							 {"HK", "852", "", 8, 8, "001"},    {"HU", "36", "06", 8, 9, NULL},
							 {"ID", "62", "0", 7, 12, NULL},    {"IE", "353", "0", 7, 10, NULL},
							 {"IL", "972", "0", 8, 9, NULL},    {"IN", "91", "0", 10, 10, NULL},
							 {"IT", "39", "", 6, 12, NULL},     {"JP", "81", "0", 9, 10, "010"},
							 {"KE", "254", "0", 7, 9, "000"},   {"KR", "82", "0", 8, 10, "001"},
							 {"KZ", "7", "8", 10, 10, "810"},   {"MO", "853", "", 8, 8, NULL},
							 {"MX", "52", "", 10, 10, NULL},    {"MY", "60", "0", 8, 10, NULL},
							 {"NG", "234", "0", 10, 10, "009"}, {"NL", "31", "0", 9, 9, NULL},
							 {"NO", "47", "", 8, 8, NULL},      {"NZ", "64", "0", 8, 10, NULL},
							 {"PE", "51", "0", 8, 9, NULL},     {"PH", "63", "0", 8, 10, NULL},
							 {"PK", "92", "0", 9, 12, NULL},    {"PL", "48", "", 9, 9, NULL},
							 {"PT", "351", "", 9, 9, NULL},     {"RO", "40", "0", 9, 9, NULL},
							 {"RU", "7", "8", 10, 10, "810"},   {"SA", "966", "0", 9, 9, NULL},
							 {"SE", "46", "0", 6, 10, NULL},    {"SG", "65", "", 8, 8, "001"},
							 {"SK", "421", "0", 9, 9, NULL},    {"TH", "66", "0", 8, 9, "001"},
							 {"TR", "90", "0", 10, 10, NULL},   {"TW", "886", "0", 8, 9, "002"},
							 {"UA", "380", "0", 9, 9, NULL},    {"US", "1", "1", 10, 10, "011"},
							 {"VN", "84", "0", 9, 10, NULL},    {"ZA", "27", "0", 9, 9, NULL}};

/* Numbers for services (freephone, shared cost, voice over IP ...) of lengths of their own. */
static const struct
{
	const char *code;
	const char *start;
	int8 shortest;
	int8 longest;
} services[] = {{"971", "800", 5, 12},  {"61", "13", 6, 6},      {"61", "1300", 10, 10},
				{"61", "180", 7, 10},   {"61", "190", 10, 10},   {"55", "300", 8, 10},
				{"55", "40", 8, 8},     {"55", "500", 9, 9},     {"55", "800", 9, 9},
				{"55", "900", 9, 9},    {"41", "860", 12, 12},   {"56", "1230", 11, 11},
				{"56", "600", 10, 11},  {"86", "10800", 12, 12}, {"86", "21800", 12, 12},
				{"86", "950", 10, 11},  {"57", "1800", 11, 11},  {"57", "19", 11, 11},
				{"44", "800", 7, 7},    {"30", "800", 10, 12},   {"852", "800", 9, 9},
				{"852", "900", 11, 11}, {"972", "12", 7, 10},    {"972", "15", 10, 10},
				{"972", "17", 10, 10},  {"972", "18", 10, 10},   {"972", "19", 10, 10},
				{"91", "1800", 8, 13},  {"91", "186", 11, 13},   {"254", "800", 10, 10},
				{"82", "50", 11, 11},   {"31", "800", 7, 10},    {"31", "90", 7, 10},
				{"31", "97", 11, 11},   {"63", "1800", 11, 13},  {"92", "800", 8, 8},
				{"92", "900", 8, 8},    {"48", "800", 10, 10},   {"966", "800", 10, 10},
				{"65", "1800", 11, 11}, {"65", "1900", 11, 11},  {"65", "7000", 11, 11},
				{"65", "800", 10, 10},  {"66", "1800", 10, 10},  {"66", "1900", 10, 10},
				{"90", "444", 7, 7},    {"90", "800", 12, 13},   {"886", "20", 7, 9},
				{"886", "70", 10, 11},  {"380", "800", 10, 10},  {"380", "900", 10, 10},
				{"84", "12", 8, 8},     {"84", "1800", 8, 10},   {"84", "1900", 8, 10},
				{"84", "69", 7, 8},     {"27", "861", 10, 10}};

/* areas of three digits in Argentina; 11 has two, all others have four */
static const char argentine_areas[] = "220 221 223 230 236 237 249 260 261 263 264 266 280 291 294 "
									  "297 298 299 336 341 342 343 345 348 "
									  "351 353 354 358 362 364 370 376 379 380 381 383 385 387 388";

#define MOST_DIGITS 24

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* an 11-digit mobile, an area with its 7 or 8 digits, or a 400 or 800 number */
static bool
china_fits(const char *s, int n)
{
	if (s[0] == '1' && n == 11)
		return s[1] >= '3';
	if (begins(s, "400") || begins(s, "800"))
		return n == 10;
	if (begins(s, "10") || s[0] == '2') /* areas of two digits, subscribers of eight */
		return n == 10 && s[2] >= '2';
	return s[0] >= '3' && s[3] >= '2' && (n == 10 || n == 11);
}

/* whether s, digits behind the code, is a number of the plan */
static bool
national_fits(const Plan *plan, const char *s)
{
	int n = strlen(s);
	int i;

	for (i = 0; i < lengthof(services); i++)
	{
		if (strcmp(services[i].code, plan->code) == 0 && begins(s, services[i].start) &&
			n >= services[i].shortest && n <= services[i].longest)
			return true;
	}
	if (n < plan->shortest || n > plan->longest)
		return false;
	if (strcmp(plan->code, "86") == 0)
		return china_fits(s, n);
	if (strcmp(plan->code, "1") == 0)
		return s[0] >= '2' && s[3] >= '2';
	/* Italy has no trunk prefix: the 0 of an area belongs to it */
	return s[0] != '0' || strcmp(plan->code, "39") == 0;
}

/* s begins with a calling code; false when it is no number */
static bool
international(const char *s, char *out)
{
	int i;

	for (i = 0; i < lengthof(plans); i++)
	{
		const Plan *plan = &plans[i];
		const char *rest = s + strlen(plan->code);

		if (!begins(s, plan->code))
			continue;
		/* +44 (0)20: the trunk prefix is no part of the number */
		if (!national_fits(plan, rest) && strcmp(plan->trunk, "0") == 0 && rest[0] == '0')
			rest++;
		if (!national_fits(plan, rest))
			return false;
		snprintf(out, MOST_DIGITS + 8, "+%s%s", plan->code, rest);
		return true;
	}
	if (s[0] == '0' || strlen(s) < 8 || strlen(s) > 15)
		return false;
	snprintf(out, MOST_DIGITS + 8, "+%s", s);
	return true;
}

/*
 * A mobile in Argentina, dialled as area, 15, number, is 9, area, number
 * behind the code. s has 12 digits, and becomes 11.
 */
static bool
argentine_mobile(const char *s, char *out)
{
	char area[4];
	int digits;

	strlcpy(area, s, sizeof(area));
	digits = begins(s, "11")                                                ? 2
			 : begins(s + 3, "15") && strstr(argentine_areas, area) != NULL ? 3
																			: 4;
	if (!begins(s + digits, "15"))
		return false;
	snprintf(out, MOST_DIGITS + 1, "9%.*s%s", digits, s, s + digits + 2);
	return true;
}

/* s as dialled within the plan's country */
static bool
national(const Plan *plan, const char *s, char *out)
{
	const char *rest = s;
	bool trunk = plan->trunk[0] != '\0' && begins(s, plan->trunk);
	char mobile[MOST_DIGITS + 1];
	bool fits;

	if (plan->prefix != NULL && begins(s, plan->prefix) &&
		international(s + strlen(plan->prefix), out))
		return true;
	if (begins(s, "00"))
		return international(s + 2, out);
	if (trunk)
		rest += strlen(plan->trunk);
	if (strcmp(plan->code, "54") == 0 && strlen(rest) == 12 && argentine_mobile(rest, mobile))
		rest = mobile;
	fits = national_fits(plan, rest);
	if (!fits && trunk)
	{
		/* the digit was no prefix: 8 and 1 begin numbers elsewhere */
		rest = s;
		fits = national_fits(plan, rest);
	}
	/* within China an area is dialled with its 0: without it the digits may be anything */
	if (fits && !trunk && strcmp(plan->code, "86") == 0)
		fits = (rest[0] == '1' && strlen(rest) == 11) || begins(rest, "400") || begins(rest, "800");
	if (!fits)
		return begins(s, plan->code) && international(s, out);
	snprintf(out, MOST_DIGITS + 8, "+%s%s", plan->code, rest);
	return true;
}

/* where an extension begins: ext, x, #, 转, 分机 */
static bool
is_extension(const DmpChars *chars, int i)
{
	pg_wchar c = dmp_lower_case(chars->c[i]);

	if (c == 'e')
		return i + 2 < chars->n && dmp_lower_case(chars->c[i + 1]) == 'x' &&
			   dmp_lower_case(chars->c[i + 2]) == 't';
	return c == 'x' || c == '#' || c == 0x8F6C || c == 0x8F49 ||
		   (c == 0x5206 && i + 1 < chars->n && chars->c[i + 1] == 0x673A);
}

/* what stands behind it is digits, and some */
static bool
extension_fits(const DmpChars *chars, int i)
{
	int digits = 0;

	for (; i < chars->n; i++)
	{
		pg_wchar c = dmp_lower_case(chars->c[i]);

		if (dmp_is_digit(c))
			digits++;
		else if (digits > 0 || !(c == ' ' || c == '.' || c == ':' || c == '#' || c >= 0x80 ||
								 (c >= 'a' && c <= 'z')))
			return false;
	}
	return digits >= 1 && digits <= 8;
}

/* The digits up to an extension; "+" is told apart. False for anything that is no number. */
static bool
read_digits(const DmpChars *chars, char *s, bool *plus)
{
	int n = 0;
	int i = 0;

	*plus = false;
	for (; i < chars->n; i++)
	{
		pg_wchar c = chars->c[i];

		if (dmp_is_digit(c))
		{
			if (n == MOST_DIGITS)
				return false;
			s[n++] = (char) c;
		}
		else if (c == '+')
		{
			if (n > 0 || *plus)
				return false;
			*plus = true;
		}
		else if (n > 0 && is_extension(chars, i))
		{
			if (!extension_fits(chars, i))
				return false;
			break;
		}
		else if (!(c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/' ||
				   (c >= 0x2010 && c <= 0x2015) || c == 0x2212))
			return false;
	}
	s[n] = '\0';
	return n > 0;
}

/*
 * Whether national numbers of the country are read.
 */
bool
dmp_is_phone_country(const char *country)
{
	int i;

	for (i = 0; i < lengthof(plans); i++)
		if (pg_strcasecmp(plans[i].country, country) == 0)
			return true;
	return false;
}

/*
 * dmp.clean_phone(value text, country text DEFAULT 'CN') -> text
 *
 * E.164: "+", calling code, number; NULL when it is none. An extension is
 * dropped: E.164 has no place for it. A country that is not in the table has
 * no national numbers: only those with "+" or 00 are read. "tel:" is dropped.
 */
Datum
dmp_clean_phone(PG_FUNCTION_ARGS)
{
	text *country = PG_GETARG_TEXT_PP(1);
	DmpChars chars;
	char s[MOST_DIGITS + 1];
	char out[MOST_DIGITS + 8];
	bool plus;
	bool fits = false;
	int i;

	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NFKC, &chars))
		PG_RETURN_NULL();
	dmp_chars_tidy(&chars);
	if (chars.n > 4 && dmp_lower_case(chars.c[0]) == 't' && dmp_lower_case(chars.c[1]) == 'e' &&
		dmp_lower_case(chars.c[2]) == 'l' && chars.c[3] == ':')
	{
		chars.c += 4;
		chars.n -= 4;
	}
	if (!read_digits(&chars, s, &plus))
		PG_RETURN_NULL();
	if (plus)
		fits = international(s, out);
	else
	{
		const Plan *plan = NULL;

		for (i = 0; i < lengthof(plans) && VARSIZE_ANY_EXHDR(country) == 2; i++)
		{
			if (pg_strncasecmp(plans[i].country, VARDATA_ANY(country), 2) == 0)
				plan = &plans[i];
		}
		if (plan != NULL)
			fits = national(plan, s, out);
		else if (begins(s, "00"))
			fits = international(s + 2, out);
	}
	if (!fits)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(out));
}
