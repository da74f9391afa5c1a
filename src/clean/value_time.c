/*-------------------------------------------------------------------------
 * value_time.c
 *		dmp.parse_time, and the parts of a time in words and numbers.
 *
 * A text is read on normal form KC, white space tidied, digits of other
 * scripts as ASCII. Names of months and days are English, whatever lc_time
 * says; abbreviations of zones are a table of our own, whatever
 * timezone_abbreviations says: no setting changes what a text means, only the
 * server's own time zone files do, as with timezone(text, timestamp).
 *-------------------------------------------------------------------------
 */
#include "clean/value_time.h"

#include "clean/value_number.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_parse_time);

/* bytes; a zone's name in words is the longest part of what is still a time */
#define LONGEST 400

/* Abbreviations that mean one zone; the ambiguous CST, IST, BST, AST ... are none. */
static const struct
{
	const char *name;
	int hours;
} abbreviations[] = {{"AEDT", 11}, {"AEST", 10}, {"AKDT", -8}, {"AKST", -9}, {"CEST", 2},
					 {"CET", 1},   {"EDT", -4},  {"EEST", 3},  {"EET", 2},   {"EST", -5},
					 {"HKT", 8},   {"HST", -10}, {"JST", 9},   {"KST", 9},   {"MDT", -6},
					 {"MESZ", 2},  {"MEZ", 1},   {"MSK", 3},   {"MST", -7},  {"NZDT", 13},
					 {"NZST", 12}, {"PDT", -7},  {"PST", -8},  {"SGT", 8},   {"WEST", 1},
					 {"WET", 0}};

static bool
is_letter(pg_wchar c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_minus(pg_wchar c)
{
	return c == '-' || c == 0x2212;
}

/* An ASCII word in any case, no letter behind it; moves behind it. */
bool
dmp_time_word(DmpTimeReader *r, const char *word)
{
	int i;

	for (i = 0; word[i] != '\0'; i++)
	{
		pg_wchar c = dmp_time_peek(r, i);

		if (c >= 0x80 ||
			pg_ascii_tolower((unsigned char) c) != pg_ascii_tolower((unsigned char) word[i]))
			return false;
	}
	if (is_letter(dmp_time_peek(r, i)))
		return false;
	r->at += i;
	return true;
}

/* As many digits as there are, up to most; false and no move with fewer than least. */
bool
dmp_time_number(DmpTimeReader *r, int least, int most, int *value)
{
	int n = 0;

	*value = 0;
	while (n < most && dmp_is_digit(dmp_time_peek(r, n)))
		*value = *value * 10 + (int) (dmp_time_peek(r, n++) - '0');
	if (n < least)
		return false;
	r->at += n;
	return true;
}

/* Digits behind a point as microseconds, rounded; at least one, not more than most. */
bool
dmp_time_fraction(DmpTimeReader *r, int most, int *usec)
{
	int n = 0;
	int scale = 100000;

	*usec = 0;
	while (dmp_is_digit(dmp_time_peek(r, n)))
	{
		int digit = (int) (dmp_time_peek(r, n) - '0');

		if (n == most)
			return false;
		if (n < 6)
			*usec += digit * scale;
		else if (n == 6 && digit >= 5)
			(*usec)++;
		scale /= 10;
		n++;
	}
	r->at += n;
	return n > 0;
}

bool
dmp_time_month_name(DmpTimeReader *r, int *month)
{
	static const char *const names[] = {"January",   "February", "March",    "April",
										"May",       "June",     "July",     "August",
										"September", "October",  "November", "December"};
	char abbreviation[4];
	int i;

	for (i = 0; i < 12; i++)
	{
		strlcpy(abbreviation, names[i], sizeof(abbreviation));
		if (dmp_time_word(r, names[i]) || dmp_time_word(r, abbreviation) ||
			(i == 8 && dmp_time_word(r, "Sept")))
		{
			*month = i + 1;
			return true;
		}
	}
	return false;
}

/* The name of a day, which is not compared with the date. */
bool
dmp_time_weekday(DmpTimeReader *r)
{
	static const char *const names[] = {"Monday",   "Tuesday", "Wednesday", "Thursday", "Friday",
										"Saturday", "Sunday",  "Tues",      "Thur",     "Thurs"};
	static const pg_wchar days[] = {0x4E00, 0x4E8C, 0x4E09, 0x56DB,
									0x4E94, 0x516D, 0x65E5, 0x5929}; /* 一二三四五六日天 */
	char abbreviation[4];
	pg_wchar c = dmp_time_peek(r, 0);
	int skip = 0;
	int i;

	for (i = 0; i < lengthof(names); i++)
	{
		strlcpy(abbreviation, names[i], sizeof(abbreviation));
		if (dmp_time_word(r, names[i]) || dmp_time_word(r, abbreviation))
			return true;
	}
	if (c == 0x5468 || c == 0x9031) /* 周 週 */
		skip = 1;
	else if ((c == 0x661F && dmp_time_peek(r, 1) == 0x671F) || /* 星期 */
			 (c == 0x793C && dmp_time_peek(r, 1) == 0x62DC))   /* 礼拜 */
		skip = 2;
	for (i = 0; skip > 0 && i < lengthof(days); i++)
	{
		if (dmp_time_peek(r, skip) == days[i])
		{
			r->at += skip + 1;
			return true;
		}
	}
	return false;
}

int
dmp_time_half(DmpTimeReader *r)
{
	static const struct
	{
		pg_wchar first, second;
		int half;
	} words[] = {{0x4E0A, 0x5348, 1},  /* 上午 */
				 {0x4E0B, 0x5348, 2},  /* 下午 */
				 {0x5348, 0x524D, 1},  /* 午前 */
				 {0x5348, 0x5F8C, 2},  /* 午後 */
				 {0xC624, 0xC804, 1},  /* 오전 */
				 {0xC624, 0xD6C4, 2}}; /* 오후 */
	pg_wchar c = dmp_time_peek(r, 0);
	int half = c == 'a' || c == 'A' ? 1 : c == 'p' || c == 'P' ? 2 : 0;
	bool points = dmp_time_peek(r, 1) == '.';
	pg_wchar m = dmp_time_peek(r, points ? 2 : 1);
	int length = points ? 4 : 2;
	int i;

	if (half != 0 && (m == 'm' || m == 'M') && (!points || dmp_time_peek(r, 3) == '.') &&
		!is_letter(dmp_time_peek(r, length)))
	{
		r->at += length;
		return half;
	}
	for (i = 0; i < lengthof(words); i++)
	{
		if (c == words[i].first && dmp_time_peek(r, 1) == words[i].second)
		{
			r->at += 2;
			return words[i].half;
		}
	}
	return 0;
}

/* ----------------------------------------------------------------- zones */

/* +hh, +hhmm, +hh:mm, +hh:mm:ss; with least_digits 1 also +h and +h:mm. East is positive. */
bool
dmp_time_offset(DmpTimeReader *r, int least_digits, int *offset)
{
	pg_wchar sign = dmp_time_peek(r, 0);
	int from = r->at;
	int hours;
	int minutes = 0;
	int seconds = 0;

	if (sign != '+' && !is_minus(sign))
		return false;
	r->at++;
	if (!dmp_time_number(r, least_digits, 2, &hours))
		goto none;
	if (dmp_time_peek(r, 0) == ':')
	{
		r->at++;
		if (!dmp_time_number(r, 2, 2, &minutes))
			goto none;
		if (dmp_time_peek(r, 0) == ':')
		{
			r->at++;
			if (!dmp_time_number(r, 2, 2, &seconds))
				goto none;
		}
	}
	else if (dmp_is_digit(dmp_time_peek(r, 0)) && !dmp_time_number(r, 2, 2, &minutes))
		goto none;
	if (dmp_is_digit(dmp_time_peek(r, 0)) || hours > 15 || minutes > 59 || seconds > 59)
		goto none;
	*offset =
		(hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE + seconds) * (sign == '+' ? 1 : -1);
	return true;

none:
	r->at = from;
	return false;
}

/* Asia/Shanghai, America/Port-au-Prince, Etc/GMT+8: a name with a slash that the server knows */
static bool
take_zone_name(DmpTimeReader *r, pg_tz **zone)
{
	char name[TZ_STRLEN_MAX + 1];
	bool slash = false;
	int n = 0;

	for (; n < TZ_STRLEN_MAX; n++)
	{
		pg_wchar c = dmp_time_peek(r, n);

		if (!is_letter(c) &&
			(n == 0 || (!dmp_is_digit(c) && c != '/' && c != '_' && c != '+' && c != '-')))
			break;
		slash |= c == '/';
		name[n] = (char) c;
	}
	name[n] = '\0';
	if (!slash)
		return false;
	*zone = pg_tzset(name);
	if (*zone == NULL)
		return false;
	r->at += n;
	return true;
}

/* [Europe/Berlin] behind an offset (RFC 9557), which decides; the name must exist */
static bool
take_suffix(DmpTimeReader *r)
{
	pg_tz *zone;

	if (dmp_time_peek(r, 0) != '[')
		return true;
	r->at++;
	if (!take_zone_name(r, &zone) && !dmp_time_word(r, "UTC"))
		return false;
	if (dmp_time_peek(r, 0) != ']')
		return false;
	r->at++;
	return true;
}

/* A zone in any spelling; false and no move when there is none. */
bool
dmp_time_zone(DmpTimeReader *r, bool rfc, DmpTime *t)
{
	int from = r->at;
	bool bracket;
	int i;

	t->has_zone = true;
	t->zone = NULL;
	t->offset = 0;
	if (dmp_time_word(r, "Z"))
		return take_suffix(r);
	if (dmp_time_word(r, "UTC") || dmp_time_word(r, "GMT") || dmp_time_word(r, "UT"))
	{
		(void) dmp_time_offset(r, 1, &t->offset);
		return take_suffix(r);
	}
	if (dmp_time_offset(r, 2, &t->offset))
		return take_suffix(r);
	bracket = dmp_time_peek(r, 0) == '[';
	r->at += bracket;
	if (take_zone_name(r, &t->zone))
	{
		if (!bracket)
			return true;
		if (dmp_time_peek(r, 0) == ']')
		{
			r->at++;
			return true;
		}
	}
	r->at = from;
	for (i = 0; i < lengthof(abbreviations); i++)
	{
		if (dmp_time_word(r, abbreviations[i].name))
		{
			t->offset = abbreviations[i].hours * SECS_PER_HOUR;
			return true;
		}
	}
	if (rfc && (dmp_time_word(r, "CST") || dmp_time_word(r, "CDT")))
	{
		t->offset = (r->c[r->at - 2] | 0x20) == 's' ? -6 * SECS_PER_HOUR : -5 * SECS_PER_HOUR;
		return true;
	}
	t->has_zone = false;
	return false;
}

/* ----------------------------------------------------------------- dates */

/* t->year is that of the ISO week; false when it has no such week or day */
bool
dmp_time_week_date(DmpTime *t, int week, int weekday)
{
	int day;

	if (week < 1 || week > 53 || weekday < 1 || weekday > 7 || t->year < 1 || t->year > 200000)
		return false;
	day = isoweek2j(t->year, week);
	if (day >= isoweek2j(t->year + 1, 1))
		return false;
	j2date(day + weekday - 1, &t->year, &t->month, &t->day);
	return true;
}

/* the n-th day of t->year */
bool
dmp_time_year_day(DmpTime *t, int day)
{
	if (day < 1 || day > (isleap(t->year) ? 366 : 365) || t->year < 1 || t->year > 200000)
		return false;
	j2date(date2j(t->year, 1, 1) + day - 1, &t->year, &t->month, &t->day);
	return true;
}

bool
dmp_time_finish(const DmpTime *t, pg_tz *zone, int offset, TimestampTz *result)
{
	struct pg_tm tm;
	pg_tz *named = t->has_zone ? t->zone : zone;
	bool midnight = t->hour == 24;
	bool leap = t->second == 60;
	int tz;

	if (t->month < 1 || t->month > 12 || t->day < 1 ||
		t->day > day_tab[isleap(t->year)][t->month - 1] || t->hour < 0 || t->hour > 24 ||
		t->minute < 0 || t->minute > 59 || t->second < 0 || t->second > 60 ||
		(midnight && (t->minute != 0 || t->second != 0 || t->usec != 0)))
		return false;
	memset(&tm, 0, sizeof(tm));
	tm.tm_year = t->year;
	tm.tm_mon = t->month;
	tm.tm_mday = t->day;
	if (!IS_VALID_JULIAN(tm.tm_year, tm.tm_mon, tm.tm_mday))
		return false;
	/* 24:00 is the next day's begin, 23:59:60 the second behind 23:59:59 */
	if (midnight)
		j2date(date2j(t->year, t->month, t->day) + 1, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	tm.tm_hour = midnight ? 0 : t->hour;
	tm.tm_min = t->minute;
	tm.tm_sec = leap ? 59 : t->second;
	tz = named != NULL ? DetermineTimeZoneOffset(&tm, named) : -(t->has_zone ? t->offset : offset);
	if (tm2timestamp(&tm, 0, &tz, result) != 0)
		return false;
	*result += t->usec + (leap ? USECS_PER_SEC : 0);
	return IS_VALID_TIMESTAMP(*result);
}

bool
dmp_time_read(text *value, DmpTimeReader *r)
{
	DmpChars chars;

	if (VARSIZE_ANY_EXHDR(value) > LONGEST || !dmp_chars_read(value, DMP_FOLD_NFKC, &chars))
		return false;
	dmp_chars_tidy(&chars);
	dmp_fold_digits(&chars);
	r->c = chars.c;
	r->n = chars.n;
	r->at = 0;
	return true;
}

/* ------------------------------------------------------------ parse_time */

/* what the second and third argument mean, kept from call to call */
typedef struct Reading
{
	ArrayType *formats;
	text *zone_name;
	int npatterns;
	DmpTimePattern **patterns;
	pg_tz *zone; /* NULL: offset */
	int offset;
} Reading;

static void
read_zone(Reading *reading, text *name)
{
	DmpTimeReader r;
	DmpTime t;
	char *spelled = text_to_cstring(name);

	memset(&t, 0, sizeof(t));
	if (dmp_time_read(name, &r) && dmp_time_zone(&r, false, &t) && r.at == r.n)
	{
		reading->zone = t.zone;
		reading->offset = t.offset;
		return;
	}
	reading->zone = strlen(spelled) <= TZ_STRLEN_MAX ? pg_tzset(spelled) : NULL;
	if (reading->zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("time zone \"%s\" is not known", spelled),
						errhint("Zones are names such as \"Asia/Shanghai\", or offsets east of "
								"Greenwich such as \"+08:00\".")));
}

static void
read_formats(Reading *reading, ArrayType *formats)
{
	Datum *elements;
	bool *nulls;
	int i;

	if (ARR_NDIM(formats) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("formats must be a one-dimensional array")));
	deconstruct_array(formats, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls,
					  &reading->npatterns);
	reading->patterns = palloc(sizeof(DmpTimePattern *) * Max(reading->npatterns, 1));
	for (i = 0; i < reading->npatterns; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("format %d is NULL", i + 1)));
		reading->patterns[i] = dmp_time_pattern(DatumGetTextPP(elements[i]));
	}
}

static bool
same_bytes(const void *a, const void *b)
{
	return VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0;
}

static Reading *
get_reading(FunctionCallInfo fcinfo)
{
	ArrayType *formats = PG_GETARG_ARRAYTYPE_P(1);
	text *zone = PG_GETARG_TEXT_PP(2);
	Reading *kept = fcinfo->flinfo->fn_extra;
	MemoryContext context;
	MemoryContext old;
	Reading *reading;

	if (kept != NULL && same_bytes(kept->formats, formats) && same_bytes(kept->zone_name, zone))
		return kept;
	if (kept != NULL)
	{
		/* arguments that differ from row to row */
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(GetMemoryChunkContext(kept));
	}
	context =
		AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "dmp parse_time", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	reading = palloc0(sizeof(Reading));
	reading->formats = palloc(VARSIZE_ANY(formats));
	memcpy(reading->formats, formats, VARSIZE_ANY(formats));
	reading->zone_name = palloc(VARSIZE_ANY(zone));
	memcpy(reading->zone_name, zone, VARSIZE_ANY(zone));
	read_zone(reading, zone);
	read_formats(reading, formats);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = reading;
	return reading;
}

/*
 * dmp.parse_time(value text, formats text[] DEFAULT '{}', zone text DEFAULT 'UTC') -> timestamptz
 *
 * With formats, to_char patterns, the first that matches all of the text;
 * without, the forms of time_usual.c. A time without a zone is one in zone.
 * NULL when the text is no time; an error when a format or the zone is wrong.
 */
Datum
dmp_parse_time(PG_FUNCTION_ARGS)
{
	const Reading *reading = get_reading(fcinfo);
	DmpTimeReader r;
	DmpTime t;
	TimestampTz result;
	int i;

	if (!dmp_time_read(PG_GETARG_TEXT_PP(0), &r) || r.n == 0)
		PG_RETURN_NULL();
	for (i = 0; i < reading->npatterns; i++)
	{
		r.at = 0;
		if (dmp_time_match(reading->patterns[i], &r, &t) &&
			dmp_time_finish(&t, reading->zone, reading->offset, &result))
			PG_RETURN_TIMESTAMPTZ(result);
	}
	if (reading->npatterns == 0 && dmp_time_usual(&r, &t) &&
		dmp_time_finish(&t, reading->zone, reading->offset, &result))
		PG_RETURN_TIMESTAMPTZ(result);
	PG_RETURN_NULL();
}
