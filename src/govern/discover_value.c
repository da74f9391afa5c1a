/*-------------------------------------------------------------------------
 * discover_value.c
 *		What kind of personal data a single value is.
 *
 * Values are matched as a whole: an address within a sentence is none. Where
 * there are check digits or ranges that are never given out, a value that is
 * of the shape only is counted apart ("like"): how many of those are right
 * tells numbers of the kind from numbers that pass by chance.
 *-------------------------------------------------------------------------
 */
#include "govern/discover.h"

#include <math.h>
#include <sys/socket.h>

#include "clean/value.h"
#include "utils/datetime.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

extern Datum dmp_is_luhn(PG_FUNCTION_ARGS);
extern Datum dmp_clean_iban(PG_FUNCTION_ARGS);

#define LONGEST_VALUE 254
#define MOST_GROUPS 6

/* A value and what can be seen of it at once */
typedef struct Cell
{
	const char *s; /* ends in 0 */
	int n;
	int digits;
	int letters; /* of ASCII */
	int high;    /* bytes above ASCII */
	int colons;
	int dots;
	int blanks;
	bool at;
	char number[LONGEST_VALUE + 1]; /* its digits alone */
	int groups;                     /* runs of digits */
	int group[MOST_GROUPS];
} Cell;

static void
look(Cell *cell, const char *s, int n)
{
	int i;

	memset(cell, 0, offsetof(Cell, number));
	memset(cell->group, 0, sizeof(cell->group));
	cell->groups = 0;
	cell->s = s;
	cell->n = n;
	for (i = 0; i < n; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if (dmp_is_digit(c))
		{
			cell->number[cell->digits++] = c;
			if (i == 0 || !dmp_is_digit((unsigned char) s[i - 1]))
				cell->groups++;
			if (cell->groups <= MOST_GROUPS)
				cell->group[cell->groups - 1]++;
		}
		else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			cell->letters++;
		else if (c >= 0x80)
			cell->high++;
		else if (c == ':')
			cell->colons++;
		else if (c == '.')
			cell->dots++;
		else if (c == ' ')
			cell->blanks++;
		else if (c == '@')
			cell->at = true;
	}
	cell->number[cell->digits] = '\0';
}

static bool
only_digits(const Cell *cell)
{
	return cell->digits == cell->n;
}

/* digits and nothing but these between them */
static bool
only_digits_and(const Cell *cell, const char *others)
{
	int i;

	for (i = 0; i < cell->n; i++)
	{
		if (!dmp_is_digit((unsigned char) cell->s[i]) && strchr(others, cell->s[i]) == NULL)
			return false;
	}
	return true;
}

static bool
is_grouped(const Cell *cell, int a, int b, int c)
{
	return cell->groups == (c > 0 ? 3 : 2) && cell->group[0] == a && cell->group[1] == b &&
		   (c == 0 || cell->group[2] == c);
}

static int
number_at(const char *s, int n)
{
	int number = 0;

	while (n-- > 0)
		number = number * 10 + (*s++ - '0');
	return number;
}

/* a value function of clean on the cell: whether it gives a value */
static bool
cleans(PGFunction function, const Cell *cell, const char *country)
{
	LOCAL_FCINFO(fcinfo, 2);

	InitFunctionCallInfoData(*fcinfo, NULL, country != NULL ? 2 : 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = PointerGetDatum(cstring_to_text_with_len(cell->s, cell->n));
	fcinfo->args[0].isnull = false;
	if (country != NULL)
	{
		fcinfo->args[1].value = CStringGetTextDatum(country);
		fcinfo->args[1].isnull = false;
	}
	(void) function(fcinfo);
	return !fcinfo->isnull;
}

static bool
is_luhn(const Cell *cell)
{
	return DatumGetBool(DirectFunctionCall1(dmp_is_luhn, CStringGetTextDatum(cell->number)));
}

/* ---- dates */

static bool
is_date(int year, int month, int day)
{
	return year >= 1800 && year <= 2199 && month >= 1 && month <= MONTHS_PER_YEAR && day >= 1 &&
		   day <= day_tab[isleap(year)][month - 1];
}

/* A date, alone or before a time of day; *year: of it. Day and month may be either way round. */
static bool
read_date(const Cell *cell, int *year)
{
	static const char *const between = "-/. T:Z+";
	int number[3];
	int at = 0;
	int i;

	if (cell->n >= 8 && only_digits(cell) && cell->n == 8)
	{
		*year = number_at(cell->s, 4);
		return is_date(*year, number_at(cell->s + 4, 2), number_at(cell->s + 6, 2));
	}
	if (cell->groups < 3 || cell->digits < 6 || cell->n > 35)
		return false;
	if (cell->high == 0 && !only_digits_and(cell, between))
		return false;
	if (cell->high > 0 && (cell->high != 9 || strstr(cell->s, "年") == NULL))
		return false;
	for (i = 0; i < 3; i++)
	{
		number[i] = number_at(cell->number + at, Min(cell->group[i], 4));
		if (cell->group[i] > 4)
			return false;
		at += cell->group[i];
	}
	if (cell->group[0] == 4)
	{
		*year = number[0];
		return is_date(*year, number[1], number[2]);
	}
	*year = number[2];
	return cell->group[2] == 4 &&
		   (is_date(*year, number[1], number[0]) || is_date(*year, number[0], number[1]));
}

static bool
is_birth(const Cell *cell)
{
	int year;
	int this_year;
	int month;
	int day;

	if (!read_date(cell, &year))
		return false;
	j2date(GetCurrentTimestamp() / USECS_PER_DAY + POSTGRES_EPOCH_JDATE, &this_year, &month, &day);
	return year >= 1900 && year <= this_year;
}

/* ---- telephones */

/* three digits that Chinese mobiles begin with: those never given out are left out */
static bool
is_mobile_prefix(const char *s)
{
	switch (s[1])
	{
		case '3':
		case '8':
			return true;
		case '4':
			return s[2] >= '5';
		case '5':
			return s[2] != '4';
		case '6':
			return s[2] == '2' || s[2] == '5' || s[2] == '6' || s[2] == '7';
		case '7':
			return s[2] <= '8';
		case '9':
			return s[2] != '4';
		default:
			return false;
	}
}

static void
match_phone(const Cell *cell, DmpPersonalSet hinted, DmpPersonalMatch *match)
{
	static const char *const countries[] = {"CN", "US", "GB", "DE", "FR", "ES",
											"IT", "JP", "IN", "BR", "AU"};
	const char *s = cell->number;
	int n = cell->digits;
	int i;

	if (n < 7 || n > 20 || cell->colons > 0)
		return;
	if (n == 13 && strncmp(s, "86", 2) == 0)
	{
		s += 2;
		n = 11;
	}
	if (n == 11 && s[0] == '1' && cell->letters == 0 && only_digits_and(cell, "+ -()"))
	{
		match->like |= PERSONAL(PERSONAL_PHONE_MOBILE);
		if (is_mobile_prefix(s))
		{
			match->is |= PERSONAL(PERSONAL_PHONE_MOBILE);
			match->spread = number_at(s, 3);
		}
	}
	if (cell->letters == 0 && !only_digits(cell) && only_digits_and(cell, "+ -().\t"))
	{
		bool us = is_grouped(cell, 3, 3, 4) ||
				  (cell->groups == 4 && cell->group[0] == 1 && cell->group[1] == 3 &&
				   cell->group[2] == 3 && cell->group[3] == 4);
		bool mobile = is_grouped(cell, 3, 4, 4) && cell->s[0] == '1';
		bool landline = cell->groups == 2 && s[0] == '0' &&
						(cell->group[0] == 3 || cell->group[0] == 4) && cell->group[1] >= 7 &&
						cell->group[1] <= 8;

		if (cell->s[0] == '+' ? n >= 10 : us || mobile || landline)
		{
			match->like |= PERSONAL(PERSONAL_PHONE_WRITTEN);
			if (cleans(dmp_clean_phone, cell, us ? "US" : "CN"))
				match->is |= PERSONAL(PERSONAL_PHONE_WRITTEN);
		}
	}
	if (hinted & PERSONAL(PERSONAL_PHONE_ANY))
	{
		int year;

		match->like |= PERSONAL(PERSONAL_PHONE_ANY);
		if (read_date(cell, &year))
			return;
		for (i = 0; i < lengthof(countries); i++)
		{
			if (cleans(dmp_clean_phone, cell, countries[i]))
			{
				match->is |= PERSONAL(PERSONAL_PHONE_ANY);
				return;
			}
		}
	}
}

/* ---- cards: issuers by the first digits (ISO/IEC 7812), then the check digit */

static bool
is_issued(const char *s, int n)
{
	int four = number_at(s, 4);

	if (s[0] == '4')
		return n == 16 || n == 19;
	if ((four >= 5100 && four <= 5599) || (four >= 2221 && four <= 2720) ||
		(four >= 2200 && four <= 2204))
		return n == 16;
	if (four / 100 == 34 || four / 100 == 37)
		return n == 15;
	if (four / 100 == 36 || four / 100 == 38 || (four >= 3000 && four <= 3059))
		return n == 14;
	if (four == 6011 || four / 100 == 65 || (four >= 6440 && four <= 6499) ||
		(four >= 3528 && four <= 3589) || four / 100 == 62)
		return n >= 16 && n <= 19;
	return false;
}

static void
match_card(const Cell *cell, DmpPersonalMatch *match)
{
	if (cell->digits < 14 || cell->digits > 19 || !only_digits_and(cell, " -") ||
		(cell->groups > 1 && cell->group[0] != 4))
		return;
	if (!is_issued(cell->number, cell->digits))
		return;
	match->like |= PERSONAL(PERSONAL_CARD);
	if (is_luhn(cell))
		match->is |= PERSONAL(PERSONAL_CARD);
}

/* ---- numbers of people, by country */

/* GB 11643: province, date of birth, and a check digit modulo 11 */
static bool
is_id_cn(const char *s)
{
	static const int weights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	static const char provinces[] = " 11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 "
									"46 50 51 52 53 54 61 62 63 64 65 71 81 82 83 ";
	char province[5];
	int sum = 0;
	int i;

	for (i = 0; i < 17; i++)
		sum += (s[i] - '0') * weights[i];
	snprintf(province, sizeof(province), " %.2s ", s);
	return "10X98765432"[sum % 11] == pg_ascii_toupper((unsigned char) s[17]) &&
		   strstr(provinces, province) != NULL && number_at(s + 6, 4) >= 1850 &&
		   is_date(number_at(s + 6, 4), number_at(s + 10, 2), number_at(s + 12, 2));
}

/* ranges that are never given out */
static bool
is_id_us(const char *s)
{
	int area = number_at(s, 3);

	return area != 0 && area != 666 && area < 900 && number_at(s + 3, 2) != 0 &&
		   number_at(s + 5, 4) != 0;
}

/* two letters, six digits, a letter from A to D; blanks are dropped by the caller */
static bool
is_id_gb(const char *s)
{
	static const char *const never[] = {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"};
	int i;

	if (strchr("DFIQUV", s[0]) != NULL || strchr("DFIOQUV", s[1]) != NULL || s[8] > 'D')
		return false;
	for (i = 0; i < lengthof(never); i++)
	{
		if (memcmp(s, never[i], 2) == 0)
			return false;
	}
	return true;
}

/* two check digits modulo 11 */
static bool
is_id_br(const char *s)
{
	int length;
	int i;

	for (i = 1; i < 11 && s[i] == s[0]; i++)
		;
	if (i == 11)
		return false;
	for (length = 9; length <= 10; length++)
	{
		int sum = 0;

		for (i = 0; i < length; i++)
			sum += (s[i] - '0') * (length + 1 - i);
		if (sum * 10 % 11 % 10 != s[length] - '0')
			return false;
	}
	return true;
}

static bool
is_all(const char *s, int n, bool (*is)(unsigned char))
{
	int i;

	for (i = 0; i < n; i++)
	{
		if (!is((unsigned char) s[i]))
			return false;
	}
	return true;
}

static bool
is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(unsigned char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* the value in upper case without blanks and hyphens; its length, 0 when it does not fit */
static int
squeeze(const Cell *cell, char *out, int room)
{
	int n = 0;
	int i;

	for (i = 0; i < cell->n; i++)
	{
		char c = cell->s[i];

		if (c == ' ' || c == '-')
			continue;
		if (n == room)
			return 0;
		out[n++] = pg_ascii_toupper((unsigned char) c);
	}
	out[n] = '\0';
	return n;
}

static void
match_id(const Cell *cell, DmpPersonalSet hinted, DmpPersonalMatch *match)
{
	char s[20];
	int n;

	if (cell->n > 24 || cell->high > 0 || cell->digits < 6)
		return;
	n = squeeze(cell, s, sizeof(s) - 1);
	if (n == 18 && is_all(s, 17, is_digit) && (is_digit(s[17]) || s[17] == 'X'))
	{
		match->like |= PERSONAL(PERSONAL_ID_CN);
		if (is_id_cn(s))
			match->is |= PERSONAL(PERSONAL_ID_CN);
	}
	if (n == 9 && cell->digits == 9)
	{
		bool written = cell->n == 11 && is_grouped(cell, 3, 2, 4);
		DmpPersonalKind kind = written ? PERSONAL_ID_US : PERSONAL_ID_US_DIGITS;

		if (written || (only_digits(cell) && (hinted & PERSONAL(kind))))
		{
			match->like |= PERSONAL(kind);
			if (is_id_us(s))
				match->is |= PERSONAL(kind);
		}
	}
	if (n == 9 && cell->letters == 3 && is_all(s, 2, is_upper) && is_all(s + 2, 6, is_digit))
	{
		match->like |= PERSONAL(PERSONAL_ID_GB);
		if (is_id_gb(s))
			match->is |= PERSONAL(PERSONAL_ID_GB);
	}
	if (n == 9 && is_upper(s[8]) && is_all(s + 1, 7, is_digit) &&
		(is_digit(s[0]) || (s[0] >= 'X' && s[0] <= 'Z')))
	{
		int number = number_at(s + 1, 7) + 10000000 * (is_digit(s[0]) ? s[0] - '0' : s[0] - 'X');

		match->like |= PERSONAL(PERSONAL_ID_ES);
		if (s[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23])
			match->is |= PERSONAL(PERSONAL_ID_ES);
	}
	if (cell->digits == 11 &&
		(only_digits(cell) || (cell->n == 14 && cell->groups == 4 && only_digits_and(cell, ".-"))))
	{
		match->like |= PERSONAL(PERSONAL_ID_BR);
		if (is_id_br(cell->number))
			match->is |= PERSONAL(PERSONAL_ID_BR);
	}
}

/* ---- networks */

static void
match_ipv4(const Cell *cell, DmpPersonalMatch *match)
{
	int at = 0;
	int i;

	if (cell->groups != 4 || cell->dots != 3 || cell->digits + 3 != cell->n)
		return;
	match->like |= PERSONAL(PERSONAL_IPV4);
	for (i = 0; i < 4; i++)
	{
		int octet = number_at(cell->number + at, Min(cell->group[i], 4));

		if (cell->group[i] > 3 || octet > 255 || (cell->group[i] > 1 && cell->number[at] == '0'))
			return;
		if (octet >= 100)
			match->spread = 1;
		at += cell->group[i];
	}
	match->is |= PERSONAL(PERSONAL_IPV4);
}

static void
match_network(const Cell *cell, DmpPersonalMatch *match)
{
	unsigned char address[16];
	int i;

	match_ipv4(cell, match);
	if ((cell->n == 17 && (cell->colons == 5 || cell->s[2] == '-')) ||
		(cell->n == 14 && cell->dots == 2))
	{
		int step = cell->n == 17 ? 3 : 5;

		for (i = 0; i < cell->n; i++)
		{
			if (i % step == step - 1 ? cell->s[i] != cell->s[step - 1]
									 : !is_hex((unsigned char) cell->s[i]))
				break;
		}
		if (i == cell->n && !is_hex((unsigned char) cell->s[step - 1]))
			match->is |= PERSONAL(PERSONAL_MAC);
	}
	/* two groups and :: are too short to tell from words: at least three colons */
	if (cell->colons >= 3 && cell->n <= 45 && strchr(cell->s, '/') == NULL &&
		!(match->is & PERSONAL(PERSONAL_MAC)) &&
		pg_inet_net_pton(PGSQL_AF_INET6, cell->s, address, -1) == 128)
		match->is |= PERSONAL(PERSONAL_IPV6);
}

/* ---- names and places: shapes only, the name of the column has to say the rest */

static bool
is_word_of_nothing(const Cell *cell)
{
	static const char *const words[] = {"true",    "false", "yes",    "no",   "y",
										"n",       "t",     "f",      "null", "none",
										"unknown", "n/a",   "active", "on",   "off"};
	int i;

	for (i = 0; i < lengthof(words); i++)
	{
		if (pg_strcasecmp(cell->s, words[i]) == 0)
			return true;
	}
	return false;
}

static void
match_name(const Cell *cell, DmpPersonalMatch *match)
{
	char word[32];
	int length = 0;
	int words = 0;
	int characters;
	int i;

	if (cell->digits > 0 || cell->at || cell->n < 2 || cell->n > 80)
		return;
	if (cell->letters == 0 && cell->high == cell->n)
	{
		int surname = dmp_han_surname(cell->s, cell->n);

		if (dmp_is_han_word(cell->s, cell->n, &characters) && characters <= 4)
		{
			match->like |= PERSONAL(PERSONAL_NAME_HAN);
			if (characters >= 2 && surname > 0 && surname < cell->n)
				match->is |= PERSONAL(PERSONAL_NAME_HAN);
			return;
		}
	}
	if (is_word_of_nothing(cell))
		return;
	for (i = 0; i <= cell->n; i++)
	{
		unsigned char c = (unsigned char) cell->s[i];
		bool letter = c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (letter)
		{
			if (length < lengthof(word))
				word[length] = pg_ascii_tolower(c);
			length++;
			continue;
		}
		if (length > 0)
		{
			words++;
			match->given_name |= length <= lengthof(word) && dmp_is_given_name(word, length);
		}
		length = 0;
		if (c != '\0' && strchr(" .,'-", c) == NULL)
			return;
	}
	if (words >= 1 && words <= 5)
		match->is |= PERSONAL(PERSONAL_NAME);
}

static bool
has_any(const char *s, const char *const *parts, int n)
{
	int i;

	for (i = 0; i < n; i++)
	{
		if (strstr(s, parts[i]) != NULL)
			return true;
	}
	return false;
}

static void
match_place(const Cell *cell, DmpPersonalSet hinted, DmpPersonalMatch *match)
{
	static const char *const areas[] = {"省", "市", "区", "县"};
	static const char *const streets[] = {"路", "街", "巷", "弄", "大道", "村", "小区", "号"};
	static const char *const plate_of[] = {"京", "津", "沪", "渝", "冀", "豫", "云", "辽",
										   "黑", "湘", "皖", "鲁", "新", "苏", "浙", "赣",
										   "鄂", "桂", "甘", "晋", "蒙", "陕", "吉", "闽",
										   "贵", "粤", "青", "藏", "川", "宁", "琼"};
	int i;

	if (cell->high >= 9 && GetDatabaseEncoding() == PG_UTF8 &&
		has_any(cell->s, areas, lengthof(areas)) && has_any(cell->s, streets, lengthof(streets)))
		match->is |= PERSONAL(PERSONAL_ADDRESS_HAN);
	if (cell->high == 3 && cell->n >= 9 && cell->n <= 11 && GetDatabaseEncoding() == PG_UTF8 &&
		is_upper((unsigned char) cell->s[3]))
	{
		for (i = 0; i < lengthof(plate_of); i++)
		{
			if (memcmp(cell->s, plate_of[i], 3) == 0 &&
				cell->digits + cell->letters + 3 == cell->n && cell->digits >= 3)
				match->is |= PERSONAL(PERSONAL_PLATE);
		}
	}
	if ((hinted & PERSONAL(PERSONAL_ADDRESS)) && !cell->at && cell->n >= 6 &&
		cell->letters + cell->high >= 4 && cell->blanks >= 1 && strstr(cell->s, "://") == NULL)
		match->is |= PERSONAL(PERSONAL_ADDRESS);
	if ((hinted & PERSONAL(PERSONAL_POSTCODE)) && cell->n >= 3 && cell->n <= 10 &&
		cell->digits >= 2 && cell->high == 0 && cell->digits + cell->letters >= cell->n - 1 &&
		cell->dots == 0)
		match->is |= PERSONAL(PERSONAL_POSTCODE);
	/* two decimals are a kilometre: prices and times look like that */
	if ((hinted & PERSONAL(PERSONAL_LOCATION)) && cell->dots == 1 && cell->digits >= 3 &&
		only_digits_and(cell, ".-+") && cell->groups == 2 && cell->group[1] >= 3 &&
		fabs(atof(cell->s)) <= 180)
		match->is |= PERSONAL(PERSONAL_LOCATION);
}

static void
match_hinted(const Cell *cell, DmpPersonalSet hinted, DmpPersonalMatch *match)
{
	char s[16];
	int n;
	int year;

	if ((hinted & PERSONAL(PERSONAL_BIRTH)) && is_birth(cell))
		match->is |= PERSONAL(PERSONAL_BIRTH);
	if ((hinted & PERSONAL(PERSONAL_PASSPORT)) && cell->digits >= 5 && cell->high == 0 &&
		(n = squeeze(cell, s, sizeof(s) - 1)) >= 7 && n <= 9 && cell->letters <= 3 &&
		cell->letters + cell->digits == n && !read_date(cell, &year))
		match->is |= PERSONAL(PERSONAL_PASSPORT);
	if ((hinted & PERSONAL(PERSONAL_DEVICE)) && cell->digits == 15 && only_digits_and(cell, " -"))
	{
		match->like |= PERSONAL(PERSONAL_DEVICE);
		if (is_luhn(cell))
			match->is |= PERSONAL(PERSONAL_DEVICE);
	}
	if ((hinted & PERSONAL(PERSONAL_CREDENTIAL)) && cell->n >= 4 && !read_date(cell, &year) &&
		!is_word_of_nothing(cell))
		match->is |= PERSONAL(PERSONAL_CREDENTIAL);
}

void
dmp_personal_match(const char *s, int n, DmpPersonalSet hinted, DmpPersonalMatch *match)
{
	static const char *const hashes[] = {"$2a$", "$2b$",   "$2y$",   "$argon2",       "$5$",
										 "$6$",  "pbkdf2", "{SSHA}", "SCRAM-SHA-256$"};
	char text[LONGEST_VALUE + 1];
	Cell cell;
	int i;

	memset(match, 0, sizeof(*match));
	match->spread = -1;
	while (n > 0 && (*s == ' ' || *s == '\t'))
	{
		s++;
		n--;
	}
	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r' || s[n - 1] == '\n'))
		n--;
	if (n < 2 || n > LONGEST_VALUE)
		return;
	memcpy(text, s, n);
	text[n] = '\0';
	look(&cell, text, n);

	if (cell.at && cell.blanks <= 4 && cleans(dmp_clean_email, &cell, NULL))
	{
		match->is = match->like = PERSONAL(PERSONAL_EMAIL);
		return;
	}
	match_name(&cell, match);
	match_place(&cell, hinted, match);
	match_hinted(&cell, hinted, match);
	match_network(&cell, match);
	if (cell.digits >= 6)
	{
		match_phone(&cell, hinted, match);
		match_card(&cell, match);
		match_id(&cell, hinted, match);
		if (n >= 15 && n <= 42 && is_upper((unsigned char) text[0]) &&
			is_upper((unsigned char) text[1]) && is_digit(text[2]) && is_digit(text[3]))
		{
			match->like |= PERSONAL(PERSONAL_IBAN);
			if (cleans(dmp_clean_iban, &cell, NULL))
				match->is |= PERSONAL(PERSONAL_IBAN);
		}
	}
	for (i = 0; i < lengthof(hashes) && n >= 30; i++)
	{
		if (strncmp(text, hashes[i], strlen(hashes[i])) == 0)
			match->is |= PERSONAL(PERSONAL_CREDENTIAL_HASH);
	}
	match->like |= match->is;
}
