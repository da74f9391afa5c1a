/*-------------------------------------------------------------------------
 * soft_time.c
 *		Full decisions for dates and times, for servers without soft errors.
 *
 * The server's own parser does the work: ParseDateTime and DecodeDateTime
 * return codes. The sizes of the work areas decide how long a text may be, so
 * they are the input functions' own.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#ifndef DMP_HAVE_SAFE_INPUT

#include <ctype.h>

#include "pgtime.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/soft.h"

/*
 * The reason for a code of the parser, in DateTimeParseError's words.
 */
static bool
time_fail(int code, const char *type, const char *s, DmpSoftError *err)
{
	const char *shown = dmp_soft_clip(s, strlen(s));

	switch (code)
	{
		case DTERR_FIELD_OVERFLOW:
		case DTERR_MD_FIELD_OVERFLOW:
			return dmp_soft_fail(err, ERRCODE_DATETIME_FIELD_OVERFLOW,
								 "date/time field value out of range: \"%s\"", shown);
		case DTERR_INTERVAL_OVERFLOW:
			return dmp_soft_fail(err, ERRCODE_INTERVAL_FIELD_OVERFLOW,
								 "interval field value out of range: \"%s\"", shown);
		case DTERR_TZDISP_OVERFLOW:
			return dmp_soft_fail(err, ERRCODE_INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
								 "time zone displacement out of range: \"%s\"", shown);
		default:
			return dmp_soft_fail(err, ERRCODE_INVALID_DATETIME_FORMAT,
								 "invalid input syntax for type %s: \"%s\"", type, shown);
	}
}

static bool
out_of_range(const char *what, const char *s, DmpSoftError *err)
{
	return dmp_soft_fail(err, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "%s out of range: \"%s\"", what,
						 dmp_soft_clip(s, strlen(s)));
}

/*
 * A field with punctuation that begins with a letter is a date (Jun-01-2024)
 * or, once the day is known, the name of a zone (Europe/Berlin). An unknown
 * zone is the one thing the parser throws for, so it is found out before.
 *
 * Returns true when decoding cannot throw. False: err says that there is no
 * such zone, or DMP_SOFT_ASK when it takes the guarded function to tell. A
 * text that is wrong elsewhere too may be refused for the other reason.
 * Decoding writes into the fields, so trials work on a parse of their own.
 */
static bool
zone_field_is_safe(const char *s, int i, DmpSoftError *err)
{
	char work[256];
	char utc[] = "etc/utc";
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	char token[TOKMAXLEN + 1];
	struct pg_tm tm;
	fsec_t fsec;
	char *name;
	bool number = false;
	int n = 0;
	int nf;
	int tz;
	int dtype;
	int type;
	int j;

	/* with a zone that exists in its place all is well: it stands for a zone */
	ParseDateTime(s, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	name = pstrdup(field[i]);
	field[i] = utc;
	if (DecodeDateTime(field, ftype, nf, &dtype, &tm, &fsec, &tz) == 0)
		goto unknown;

	/* a date begins with a month here; otherwise the text is wrong in any case */
	while (n < TOKMAXLEN && isalpha((unsigned char) name[n]))
	{
		token[n] = name[n];
		n++;
	}
	token[n] = '\0';
	type = DecodeSpecial(0, token, &tz);
	if (type != MONTH && type != IGNORE_DTF)
		goto unknown;
	if (i == 0)
		return true;

	/* a whole date before it: a zone; nothing before it that could be a day: a date */
	ParseDateTime(s, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	for (j = 0; j < i; j++)
		number |= ftype[j] != DTK_STRING && ftype[j] != DTK_TIME;
	if (DecodeDateTime(field, ftype, i, &dtype, &tm, &fsec, &tz) == 0)
		goto unknown;
	if (number)
	{
		err->sqlstate = DMP_SOFT_ASK;
		return false;
	}
	return true;

unknown:
	return dmp_soft_fail(err, ERRCODE_INVALID_PARAMETER_VALUE, "time zone \"%s\" not recognized",
						 name);
}

/*
 * Checks all fields of a parsed text; see above.
 */
static bool
zones_exist(const char *s, char **field, int *ftype, int nf, bool time_only, DmpSoftError *err)
{
	int i;

	for (i = 0; i < nf; i++)
	{
		if (ftype[i] != DTK_DATE || isdigit((unsigned char) *field[i]) ||
			pg_tzset(field[i]) != NULL)
			continue;
		if (!time_only)
		{
			if (!zone_field_is_safe(s, i, err))
				return false;
		}
		/* the one place where a time may have a date */
		else if (i > 0 || nf < 2 || (ftype[nf - 1] != DTK_DATE && ftype[1] != DTK_TIME))
			return dmp_soft_fail(err, ERRCODE_INVALID_PARAMETER_VALUE,
								 "time zone \"%s\" not recognized", field[i]);
	}
	return true;
}

static bool
full_date(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	char work[MAXDATELEN + 1];
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	struct pg_tm tt, *tm = &tt;
	fsec_t fsec;
	int tz;
	int nf;
	int dtype;
	int code;
	DateADT date;

	code = ParseDateTime(s, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	if (code == 0)
	{
		if (!zones_exist(s, field, ftype, nf, false, err))
			return false;
		code = DecodeDateTime(field, ftype, nf, &dtype, tm, &fsec, &tz);
	}
	if (code != 0)
		return time_fail(code, "date", s, err);
	switch (dtype)
	{
		case DTK_DATE:
			break;
		case DTK_EPOCH:
			GetEpochTime(tm);
			break;
		case DTK_LATE:
			DATE_NOEND(date);
			*result = DateADTGetDatum(date);
			return true;
		case DTK_EARLY:
			DATE_NOBEGIN(date);
			*result = DateADTGetDatum(date);
			return true;
		default:
			return time_fail(DTERR_BAD_FORMAT, "date", s, err);
	}
	if (!IS_VALID_JULIAN(tm->tm_year, tm->tm_mon, tm->tm_mday))
		return out_of_range("date", s, err);
	date = date2j(tm->tm_year, tm->tm_mon, tm->tm_mday) - POSTGRES_EPOCH_JDATE;
	if (!IS_VALID_DATE(date))
		return out_of_range("date", s, err);
	*result = DateADTGetDatum(date);
	return true;
}

/*
 * The parse that time and time with time zone share.
 */
static bool
parse_time(char *s, const char *type, struct pg_tm *tm, fsec_t *fsec, int *tz, DmpSoftError *err)
{
	char work[MAXDATELEN + 1];
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	int nf;
	int dtype;
	int code;

	code = ParseDateTime(s, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	if (code == 0)
	{
		if (!zones_exist(s, field, ftype, nf, true, err))
			return false;
		code = DecodeTimeOnly(field, ftype, nf, &dtype, tm, fsec, tz);
	}
	if (code != 0)
		return time_fail(code, type, s, err);
	return true;
}

static bool
full_time(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	struct pg_tm tm;
	fsec_t fsec;
	int tz;
	TimeADT time;

	if (!parse_time(s, "time", &tm, &fsec, &tz, err))
		return false;
	tm2time(&tm, fsec, &time);
	AdjustTimeForTypmod(&time, t->typmod);
	*result = TimeADTGetDatum(time);
	return true;
}

static bool
full_timetz(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	struct pg_tm tm;
	fsec_t fsec;
	int tz;
	TimeTzADT *time;

	if (!parse_time(s, "time with time zone", &tm, &fsec, &tz, err))
		return false;
	time = palloc(sizeof(TimeTzADT));
	tm2timetz(&tm, fsec, tz, time);
	AdjustTimeForTypmod(&time->time, t->typmod);
	*result = TimeTzADTPGetDatum(time);
	return true;
}

static bool
timestamp_any(DmpSoftType *t, char *s, bool with_zone, Datum *result, DmpSoftError *err)
{
	char work[MAXDATELEN + MAXDATEFIELDS];
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	struct pg_tm tt, *tm = &tt;
	fsec_t fsec;
	int tz;
	int nf;
	int dtype;
	int code;
	Timestamp at;

	code = ParseDateTime(s, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	if (code == 0)
	{
		if (!zones_exist(s, field, ftype, nf, false, err))
			return false;
		code = DecodeDateTime(field, ftype, nf, &dtype, tm, &fsec, &tz);
	}
	if (code != 0)
		return time_fail(code, with_zone ? "timestamp with time zone" : "timestamp", s, err);
	switch (dtype)
	{
		case DTK_DATE:
			if (tm2timestamp(tm, fsec, with_zone ? &tz : NULL, &at) != 0)
				return out_of_range("timestamp", s, err);
			break;
		case DTK_EPOCH:
			at = SetEpochTimestamp();
			break;
		case DTK_LATE:
			TIMESTAMP_NOEND(at);
			break;
		case DTK_EARLY:
			TIMESTAMP_NOBEGIN(at);
			break;
		default:
			elog(ERROR, "unexpected dtype %d while parsing timestamp \"%s\"", dtype, s);
			at = 0;
	}
	dmp_adjust_timestamp(&at, t->typmod);
	*result = TimestampGetDatum(at);
	return true;
}

static bool
full_timestamp(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	return timestamp_any(t, s, false, result, err);
}

static bool
full_timestamptz(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	return timestamp_any(t, s, true, result, err);
}

/*
 * interval: the usual spellings first, then ISO 8601. A typmod restricts the
 * fields while parsing and rounds afterwards, which interval_scale does.
 */
static bool
full_interval(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err)
{
	char work[256];
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	struct pg_itm_in itm;
	int range = t->typmod >= 0 ? INTERVAL_RANGE(t->typmod) : INTERVAL_FULL_RANGE;
	int nf;
	int dtype;
	int code;
	Interval *span;

	memset(&itm, 0, sizeof(itm));
	code = ParseDateTime(s, work, sizeof(work), field, ftype, MAXDATEFIELDS, &nf);
	if (code == 0)
		code = DecodeInterval(field, ftype, nf, range, &dtype, &itm);
	if (code == DTERR_BAD_FORMAT)
		code = DecodeISO8601Interval(s, &dtype, &itm);
	if (code != 0)
		return time_fail(code == DTERR_FIELD_OVERFLOW ? DTERR_INTERVAL_OVERFLOW : code, "interval",
						 s, err);
	if (dtype != DTK_DELTA)
		elog(ERROR, "unexpected dtype %d while parsing interval \"%s\"", dtype, s);
	span = palloc(sizeof(Interval));
	if (itmin2interval(&itm, span) != 0)
		return dmp_soft_fail(err, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "interval out of range");
	if (t->typmod >= 0)
		*result =
			DirectFunctionCall2(interval_scale, IntervalPGetDatum(span), Int32GetDatum(t->typmod));
	else
		*result = IntervalPGetDatum(span);
	return true;
}

DmpSoftFull
dmp_soft_find_time(PGFunction input)
{
	static const struct
	{
		PGFunction input;
		DmpSoftFull full;
	} known[] = {{date_in, full_date},
				 {time_in, full_time},
				 {timetz_in, full_timetz},
				 {timestamp_in, full_timestamp},
				 {timestamptz_in, full_timestamptz},
				 {interval_in, full_interval}};
	int i;

	for (i = 0; i < lengthof(known); i++)
		if (known[i].input == input)
			return known[i].full;
	return NULL;
}

#endif /* !DMP_HAVE_SAFE_INPUT */
