/*-------------------------------------------------------------------------
 * value_time.h
 *		Points in time within a text: what the reader of usual forms
 *		(value_time.c) and that of patterns (time_pattern.c) share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_VALUE_TIME_H
#define DMP_VALUE_TIME_H

#include "clean/value.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

/* year 0 is 1 BC; zone: seconds east of Greenwich, or a named one */
typedef struct DmpTime
{
	int year, month, day;
	int hour, minute, second;
	int usec; /* up to 1000000: rounded */
	bool has_zone;
	int offset;
	pg_tz *zone;
} DmpTime;

/* Characters in normal form KC, tidied, with ASCII digits; 0 behind the end */
typedef struct DmpTimeReader
{
	const pg_wchar *c;
	int n;
	int at;
} DmpTimeReader;

static inline pg_wchar
dmp_time_peek(const DmpTimeReader *r, int ahead)
{
	return r->at + ahead < r->n ? r->c[r->at + ahead] : 0;
}

extern bool dmp_time_word(DmpTimeReader *r, const char *word);
extern bool dmp_time_number(DmpTimeReader *r, int least, int most, int *value);
extern bool dmp_time_fraction(DmpTimeReader *r, int most, int *usec);
extern bool dmp_time_month_name(DmpTimeReader *r, int *month);
extern bool dmp_time_weekday(DmpTimeReader *r);
/* 0: none; 1: am, 2: pm, in English, Chinese, Japanese and Korean */
extern int dmp_time_half(DmpTimeReader *r);
/* rfc: CST and CDT mean what RFC 2822 says */
extern bool dmp_time_zone(DmpTimeReader *r, bool rfc, DmpTime *t);
extern bool dmp_time_offset(DmpTimeReader *r, int least_digits, int *offset);
extern bool dmp_time_week_date(DmpTime *t, int week, int weekday);
extern bool dmp_time_year_day(DmpTime *t, int day);

/* text as such characters; false when it is too long for a time, or no Unicode */
extern bool dmp_time_read(text *value, DmpTimeReader *r);
/* the moment, in the zone named in t or else in zone; false when there is no such date or time */
extern bool dmp_time_finish(const DmpTime *t, pg_tz *zone, int offset, TimestampTz *result);

/* ---- time_usual.c: without a pattern */
extern bool dmp_time_usual(DmpTimeReader *r, DmpTime *t);

/* ---- time_pattern.c: to_char patterns */
typedef struct DmpTimePattern DmpTimePattern;

extern DmpTimePattern *dmp_time_pattern(text *pattern);
extern bool dmp_time_match(const DmpTimePattern *pattern, DmpTimeReader *r, DmpTime *t);

#endif /* DMP_VALUE_TIME_H */
