/*-------------------------------------------------------------------------
 * soft_fast.c
 *		The plain spellings of common types, straight from the bytes.
 *
 * Each function here returns true only when it is sure that the type's input
 * function accepts the text with the same value; anything else is left to the
 * full decision. Correct on every supported server, since these spellings
 * have had one meaning throughout.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/soft.h"

/*
 * [sign] 1 to 18 digits and nothing else.
 */
static bool
fast_integer(const char *s, int len, int64 *value)
{
	const char *end = s + len;
	bool negative = false;
	int64 v = 0;

	if (s < end && (*s == '-' || *s == '+'))
		negative = *s++ == '-';
	if (end - s < 1 || end - s > 18)
		return false;
	for (; s < end; s++)
	{
		unsigned digit = (unsigned) (*s - '0');

		if (digit > 9)
			return false;
		v = v * 10 + digit;
	}
	*value = negative ? -v : v;
	return true;
}

static bool
fast_int2(DmpSoftType *t, const char *s, int len, Datum *result)
{
	int64 v;

	if (!fast_integer(s, len, &v) || v < PG_INT16_MIN || v > PG_INT16_MAX)
		return false;
	*result = Int16GetDatum((int16) v);
	return true;
}

static bool
fast_int4(DmpSoftType *t, const char *s, int len, Datum *result)
{
	int64 v;

	if (!fast_integer(s, len, &v) || v < PG_INT32_MIN || v > PG_INT32_MAX)
		return false;
	*result = Int32GetDatum((int32) v);
	return true;
}

static bool
fast_int8(DmpSoftType *t, const char *s, int len, Datum *result)
{
	int64 v;

	if (!fast_integer(s, len, &v))
		return false;
	*result = Int64GetDatum(v);
	return true;
}

static bool
fast_bool(DmpSoftType *t, const char *s, int len, Datum *result)
{
	if ((len == 4 && memcmp(s, "true", 4) == 0) || (len == 1 && (*s == 't' || *s == '1')))
		*result = BoolGetDatum(true);
	else if ((len == 5 && memcmp(s, "false", 5) == 0) || (len == 1 && (*s == 'f' || *s == '0')))
		*result = BoolGetDatum(false);
	else
		return false;
	return true;
}

static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
							   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/*
 * [sign] up to 15 digits with an optional point among them: the digits as an
 * integer, and how many are behind the point.
 */
static bool
fast_decimal(const char *s, int len, bool *negative, int64 *digits, int *scale)
{
	const char *end = s + len;
	int n = 0;
	bool point = false;

	*negative = s < end && *s == '-';
	if (s < end && (*s == '-' || *s == '+'))
		s++;
	*digits = 0;
	*scale = 0;
	for (; s < end; s++)
	{
		unsigned digit = (unsigned) (*s - '0');

		if (digit <= 9)
		{
			if (++n > 15)
				return false;
			*digits = *digits * 10 + digit;
			*scale += point;
		}
		else if (*s == '.' && !point)
			point = true;
		else
			return false;
	}
	return n > 0;
}

/*
 * An integer of 15 digits is a float8 exactly, the power of ten is, and one
 * correctly rounded division gives the nearest float8 (Clinger 1990, the
 * simple case).
 */
static bool
fast_float8(DmpSoftType *t, const char *s, int len, Datum *result)
{
	bool negative;
	int64 v;
	int scale;
	double x;

	if (!fast_decimal(s, len, &negative, &v, &scale))
		return false;
	x = (double) v / power[scale];
	*result = Float8GetDatum(negative ? -x : x);
	return true;
}

/*
 * numeric with more digits than fast_decimal() takes, when zeros at its end
 * are the reason, as division leaves them: 0.5000000000000000. They only count
 * for the scale.
 */
static bool
fast_padded_numeric(const char *s, int len, Datum *result)
{
	bool negative;
	int64 v;
	int scale, zeros = 0;
	Datum value;

	if (memchr(s, '.', len) == NULL)
		return false;
	while (s[len - 1] == '0')
	{
		len--;
		zeros++;
	}
	if (zeros == 0 || zeros > 100 || !fast_decimal(s, len, &negative, &v, &scale))
		return false;
	value = NumericGetDatum(int64_div_fast_to_numeric(negative ? -v : v, scale));
	*result = DirectFunctionCall2(numeric_round, value, Int32GetDatum(scale + zeros));
	return true;
}

/*
 * numeric, also of a precision and scale when no digit is lost.
 */
static bool
fast_numeric(DmpSoftType *t, const char *s, int len, Datum *result)
{
	bool negative;
	int64 v;
	int scale;

	if (!fast_decimal(s, len, &negative, &v, &scale))
		return t->typmod < (int32) VARHDRSZ && fast_padded_numeric(s, len, result);
	if (t->typmod >= (int32) VARHDRSZ)
	{
		int precision = ((t->typmod - VARHDRSZ) >> 16) & 0xffff;
		int wanted = (((t->typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;

		if (wanted < scale || wanted > 15)
			return false;
		for (; scale < wanted; scale++)
		{
			if (v >= INT64CONST(100000000000000000))
				return false;
			v *= 10;
		}
		if (precision <= 15 && v >= (int64) power[precision])
			return false;
		if (precision > 15 && v >= INT64CONST(1000000000000000))
			return false;
	}
	if (negative)
		v = -v;
	*result =
		NumericGetDatum(scale == 0 ? int64_to_numeric(v) : int64_div_fast_to_numeric(v, scale));
	return true;
}

static bool
fast_text(DmpSoftType *t, const char *s, int len, Datum *result)
{
	*result = PointerGetDatum(cstring_to_text_with_len(s, len));
	return true;
}

/*
 * varchar(n): n characters fit when there are no more than n bytes.
 */
static bool
fast_varchar(DmpSoftType *t, const char *s, int len, Datum *result)
{
	if (t->typmod >= (int32) VARHDRSZ && len > t->typmod - (int32) VARHDRSZ)
		return false;
	return fast_text(t, s, len, result);
}

/*
 * uuid in its canonical form of 36 characters.
 */
static bool
fast_uuid(DmpSoftType *t, const char *s, int len, Datum *result)
{
	pg_uuid_t uuid;
	int nibble = 0;
	int i;

	if (len != 36)
		return false;
	for (i = 0; i < 36; i++)
	{
		int c = (unsigned char) s[i];
		int v;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (c != '-')
				return false;
			continue;
		}
		if (c >= '0' && c <= '9')
			v = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = (c | 0x20) - 'a' + 10;
		else
			return false;
		if (nibble % 2 == 0)
			uuid.data[nibble / 2] = (unsigned char) (v << 4);
		else
			uuid.data[nibble / 2] |= (unsigned char) v;
		nibble++;
	}
	*result = PointerGetDatum(memcpy(palloc(sizeof(pg_uuid_t)), &uuid, sizeof(pg_uuid_t)));
	return true;
}

/*
 * Exactly n digits at s.
 */
static inline bool
fast_digits(const char *s, int n, int *value)
{
	int v = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		unsigned digit = (unsigned) (s[i] - '0');

		if (digit > 9)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

/*
 * YYYY-MM-DD, a real day of the years 1 to 9999: read so under any DateStyle.
 */
static bool
fast_ymd(const char *s, int len, struct pg_tm *tm)
{
	if (len < 10 || s[4] != '-' || s[7] != '-' || !fast_digits(s, 4, &tm->tm_year) ||
		!fast_digits(s + 5, 2, &tm->tm_mon) || !fast_digits(s + 8, 2, &tm->tm_mday))
		return false;
	return tm->tm_year >= 1 && tm->tm_mon >= 1 && tm->tm_mon <= MONTHS_PER_YEAR &&
		   tm->tm_mday >= 1 && tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

/*
 * HH:MM:SS and up to six digits of fraction; returns the bytes used, 0 when
 * it is not that. 24:00:00 and second 60 are left to the full decision.
 */
static int
fast_hms(const char *s, int len, struct pg_tm *tm, fsec_t *fsec)
{
	int used = 8;

	*fsec = 0;
	if (len < 8 || s[2] != ':' || s[5] != ':' || !fast_digits(s, 2, &tm->tm_hour) ||
		!fast_digits(s + 3, 2, &tm->tm_min) || !fast_digits(s + 6, 2, &tm->tm_sec) ||
		tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59)
		return 0;
	if (used < len && s[used] == '.')
	{
		int unit = 100000;

		for (used++; used < len && s[used] >= '0' && s[used] <= '9'; used++)
		{
			if (unit == 0)
				return 0;
			*fsec += (s[used] - '0') * unit;
			unit /= 10;
		}
		if (s[used - 1] == '.')
			return 0;
	}
	return used;
}

/*
 * Z, +HH, +HHMM or +HH:MM; *offset is in seconds east of Greenwich.
 */
static bool
fast_zone(DmpSoftType *t, const char *s, int len, int *offset)
{
	int hours;
	int minutes = 0;

	if (len == 1 && *s == 'Z' && t->zulu)
	{
		*offset = 0;
		return true;
	}
	if ((len != 3 && len != 5 && len != 6) || (*s != '+' && *s != '-') ||
		!fast_digits(s + 1, 2, &hours))
		return false;
	if (len == 6 && s[3] != ':')
		return false;
	if (len > 3 && !fast_digits(s + len - 2, 2, &minutes))
		return false;
	if (hours > 14 || minutes > 59)
		return false;
	*offset = hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE;
	if (*s == '-')
		*offset = -*offset;
	return true;
}

static bool
fast_date(DmpSoftType *t, const char *s, int len, Datum *result)
{
	struct pg_tm tm;

	if (len != 10 || !fast_ymd(s, len, &tm))
		return false;
	*result = DateADTGetDatum(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE);
	return true;
}

static bool
fast_time(DmpSoftType *t, const char *s, int len, Datum *result)
{
	struct pg_tm tm;
	fsec_t fsec;
	TimeADT time;

	if (fast_hms(s, len, &tm, &fsec) != len || len == 0)
		return false;
	time = ((tm.tm_hour * MINS_PER_HOUR + tm.tm_min) * INT64CONST(60) + tm.tm_sec) * USECS_PER_SEC +
		   fsec;
	AdjustTimeForTypmod(&time, t->typmod);
	*result = TimeADTGetDatum(time);
	return true;
}

/*
 * A day alone, or a day, a space or T, a time and perhaps a zone.
 */
static bool
fast_timestamp_any(DmpSoftType *t, const char *s, int len, bool with_zone, Datum *result)
{
	struct pg_tm tm;
	fsec_t fsec = 0;
	int offset = 0;
	bool zone_given = false;
	Timestamp at;

	memset(&tm, 0, sizeof(tm));
	if (!fast_ymd(s, len, &tm))
		return false;
	if (len > 10)
	{
		int used;

		if (s[10] != ' ' && s[10] != 'T')
			return false;
		used = fast_hms(s + 11, len - 11, &tm, &fsec);
		if (used == 0)
			return false;
		used += 11;
		if (used < len)
		{
			if (!fast_zone(t, s + used, len - used, &offset))
				return false;
			zone_given = true;
		}
	}
	at =
		(int64) (date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		((tm.tm_hour * MINS_PER_HOUR + tm.tm_min) * INT64CONST(60) + tm.tm_sec) * USECS_PER_SEC +
		fsec;
	if (with_zone)
	{
		if (!zone_given)
		{
			tm.tm_isdst = -1;
			offset = -DetermineTimeZoneOffset(&tm, session_timezone);
		}
		at -= offset * USECS_PER_SEC;
	}
	dmp_adjust_timestamp(&at, t->typmod);
	*result = TimestampGetDatum(at);
	return true;
}

static bool
fast_timestamp(DmpSoftType *t, const char *s, int len, Datum *result)
{
	return fast_timestamp_any(t, s, len, false, result);
}

static bool
fast_timestamptz(DmpSoftType *t, const char *s, int len, Datum *result)
{
	return fast_timestamp_any(t, s, len, true, result);
}

/*
 * Whether "Z" can be read as UTC. It is one of the abbreviations that
 * timezone_abbreviations may redefine, so the server is asked once.
 */
bool
dmp_soft_zulu(Oid base)
{
	int offset;
	pg_tz *tz = NULL;
	char token[] = "z";
#ifdef DMP_HAVE_SAFE_INPUT
	int type;
	DateTimeErrorExtra extra;

	if (base != TIMESTAMPOID && base != TIMESTAMPTZOID)
		return false;
	if (DecodeTimezoneAbbrev(0, token, &type, &offset, &tz, &extra) != 0)
		return false;
#else
	int type;

	if (base != TIMESTAMPOID && base != TIMESTAMPTZOID)
		return false;
	type = DecodeTimezoneAbbrev(0, token, &offset, &tz);
#endif
	return type == TZ && offset == 0;
}

DmpSoftFast
dmp_soft_find_fast(PGFunction input)
{
	static const struct
	{
		PGFunction input;
		DmpSoftFast fast;
	} known[] = {{boolin, fast_bool},
				 {int2in, fast_int2},
				 {int4in, fast_int4},
				 {int8in, fast_int8},
				 {float8in, fast_float8},
				 {numeric_in, fast_numeric},
				 {textin, fast_text},
				 {varcharin, fast_varchar},
				 {uuid_in, fast_uuid},
				 {date_in, fast_date},
				 {time_in, fast_time},
				 {timestamp_in, fast_timestamp},
				 {timestamptz_in, fast_timestamptz}};
	int i;

	for (i = 0; i < lengthof(known); i++)
		if (known[i].input == input)
			return known[i].fast;
	return NULL;
}
