/*-------------------------------------------------------------------------
 * time_usual.c
 *		Times in the forms that say by themselves which number is what.
 *
 *	text    = [weekday [","]] date [weekday] [("T" | " " | ",") time [zone]]
 *	        | [weekday] month-name day time [zone] year      asctime, date(1)
 *	        | "[" day "/" month-name "/" year ":" time zone "]"     access logs
 *	        | digits [fraction]                      20240601, epoch (see below)
 *	date    = year "-" month ["-" day], year "-W" week ["-" day], year "-" day
 *	          of the year, and these without hyphens (ISO 8601); year first with
 *	          "/" or "."; with the month's name in any order; year 年 month 月
 *	          [day 日] (Korean 년 월 일), numerals too
 *	time    = ISO 8601, h:mm[:ss[.f]] with am or pm, 上午 and the like in
 *	          front, h 时 m 分 s 秒
 *
 * Two numbers that could both be the month are never told apart by their
 * sizes: 13/07/2024 would be read in one row and 12/07/2024 in another.
 * Numbers alone, by how many digits they have:
 *
 *	7, 8, 12, 14, 17   yyyyddd, yyyymmdd, then hhmm, ss, milliseconds
 *	9 and 10, 13, 16, 19   seconds, milli-, micro-, nanoseconds since 1970
 *-------------------------------------------------------------------------
 */
#include "clean/value_time.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

/* what a date's form lets follow */
typedef struct Form
{
	bool rfc;     /* weekday, day month year: RFC 2822 */
	bool compact; /* digits without marks */
	bool log;     /* a colon before the time */
	bool named;   /* has the month's name */
	bool han;     /* 年月日 */
	bool iso;     /* hyphens: a zone may follow without a time (XML Schema) */
	bool timed;   /* the time was between day and year */
} Form;

static bool
take(DmpTimeReader *r, pg_wchar c)
{
	if (dmp_time_peek(r, 0) != c)
		return false;
	r->at++;
	return true;
}

static void
skip_blank(DmpTimeReader *r)
{
	while (take(r, ' '))
		;
}

static int
count_digits(const DmpTimeReader *r)
{
	int n = 0;

	while (dmp_is_digit(dmp_time_peek(r, n)))
		n++;
	return n;
}

/* ------------------------------------------------------------------ time */

static bool
set_half(DmpTime *t, int half, bool western)
{
	/* 12 am is midnight, 12 pm noon; 下午15时 and 午後0時 are written, 15 pm is not */
	if (western && (t->hour < 1 || t->hour > 12))
		return false;
	if (half == 1 && t->hour > 12)
		return false;
	if (half == 1 && t->hour == 12)
		t->hour = 0;
	else if (half == 2 && t->hour < 12)
		t->hour += 12;
	return true;
}

/* 凌晨 早上 中午 晚上 and the like: a part of the day that half days do not tell; 0 none */
static int
take_part_of_day(DmpTimeReader *r)
{
	static const struct
	{
		pg_wchar first, second;
		int part;
	} words[] = {{0x51CC, 0x6668, 'n'},  /* 凌晨 */
				 {0x6E05, 0x6668, 'm'},  /* 清晨 */
				 {0x65E9, 0x6668, 'm'},  /* 早晨 */
				 {0x65E9, 0x4E0A, 'm'},  /* 早上 */
				 {0x4E2D, 0x5348, 'd'},  /* 中午 */
				 {0x508D, 0x665A, 'e'},  /* 傍晚 */
				 {0x665A, 0x4E0A, 'e'},  /* 晚上 */
				 {0x665A, 0x95F4, 'e'},  /* 晚间 */
				 {0x665A, 0x9593, 'e'}}; /* 晚間 */
	int i;

	for (i = 0; i < lengthof(words); i++)
	{
		if (dmp_time_peek(r, 0) == words[i].first && dmp_time_peek(r, 1) == words[i].second)
		{
			r->at += 2;
			return words[i].part;
		}
	}
	return 0;
}

static bool
set_part_of_day(DmpTime *t, int part)
{
	switch (part)
	{
		case 'n':
			if (t->hour == 12)
				t->hour = 0;
			return t->hour < 6;
		case 'm':
			return t->hour >= 4 && t->hour < 12;
		case 'd':
			if (t->hour >= 1 && t->hour <= 2)
				t->hour += 12;
			return t->hour >= 10 && t->hour <= 14;
		default:
			if (t->hour >= 4 && t->hour <= 11)
				t->hour += 12;
			return t->hour >= 16 && t->hour < 24;
	}
}

/* a part of an hour or minute, in microseconds; digits behind the mark */
static bool
take_part(DmpTimeReader *r, int64 unit, DmpTime *t)
{
	int millionths;
	int64 usec;

	if (!dmp_time_fraction(r, 15, &millionths))
		return false;
	usec = millionths * unit;
	t->minute += (int) (usec / USECS_PER_MINUTE);
	usec %= USECS_PER_MINUTE;
	t->second += (int) (usec / USECS_PER_SEC);
	t->usec = (int) (usec % USECS_PER_SEC);
	return t->minute < 60 && t->second < 60;
}

static bool
is_mark(pg_wchar c)
{
	return c == '.' || c == ',';
}

/* hh, hhmm, hhmmss of ISO 8601's basic form, the last part with a fraction */
static bool
take_basic_time(DmpTimeReader *r, int digits, DmpTime *t)
{
	if (!dmp_time_number(r, 2, 2, &t->hour) ||
		(digits >= 4 && !dmp_time_number(r, 2, 2, &t->minute)) ||
		(digits >= 6 && !dmp_time_number(r, 2, 2, &t->second)))
		return false;
	if (!is_mark(dmp_time_peek(r, 0)) || !dmp_is_digit(dmp_time_peek(r, 1)))
		return true;
	r->at++;
	return digits == 6   ? dmp_time_fraction(r, 15, &t->usec)
		   : digits == 4 ? take_part(r, 60, t)
						 : take_part(r, 3600, t);
}

/* h:mm[:ss[.f]], or the minutes with a fraction */
static bool
take_colon_time(DmpTimeReader *r, DmpTime *t)
{
	bool mark;

	if (!dmp_time_number(r, 1, 2, &t->hour) || !take(r, ':') ||
		!dmp_time_number(r, 2, 2, &t->minute))
		return false;
	mark = is_mark(dmp_time_peek(r, 0)) && dmp_is_digit(dmp_time_peek(r, 1));
	if (mark)
	{
		r->at++;
		return take_part(r, 60, t);
	}
	if (!take(r, ':'))
		return true;
	if (!dmp_time_number(r, 2, 2, &t->second))
		return false;
	if (is_mark(dmp_time_peek(r, 0)) && dmp_is_digit(dmp_time_peek(r, 1)))
	{
		r->at++;
		return dmp_time_fraction(r, 15, &t->usec);
	}
	return true;
}

/* 一 to 九十九 and 〇, or digits, up to most of them */
static bool
take_han_number(DmpTimeReader *r, int *value)
{
	static const pg_wchar digits[] = {0x3007, 0x4E00, 0x4E8C, 0x4E09, 0x56DB,
									  0x4E94, 0x516D, 0x4E03, 0x516B, 0x4E5D};
	int tens = -1;
	int units = -1;
	int from = r->at;

	if (dmp_time_number(r, 1, 2, value))
		return true;
	for (;; r->at++)
	{
		pg_wchar c = dmp_time_peek(r, 0);
		int d;

		if (c == 0x5341 && tens < 0) /* 十 */
		{
			tens = units < 0 ? 1 : units;
			units = -1;
			continue;
		}
		if (c == 0x96F6) /* 零 */
			c = 0x3007;
		for (d = 0; d < 10 && digits[d] != c; d++)
			;
		if (d == 10 || units > 0)
			break;
		units = d;
	}
	if (tens < 0 && units < 0)
	{
		r->at = from;
		return false;
	}
	*value = Max(tens, 0) * 10 + Max(units, 0);
	return true;
}

static bool
take_any(DmpTimeReader *r, pg_wchar a, pg_wchar b, pg_wchar c, pg_wchar d)
{
	pg_wchar x = dmp_time_peek(r, 0);

	if (x == 0 || (x != a && x != b && x != c && x != d))
		return false;
	r->at++;
	return true;
}

/* h时[m分[s秒]], h点半, h点整 */
static bool
take_han_time(DmpTimeReader *r, DmpTime *t)
{
	/* 时 點 時 点 and 시 */
	if (!take_han_number(r, &t->hour) ||
		!(take_any(r, 0x65F6, 0x9EDE, 0x6642, 0x70B9) || take(r, 0xC2DC)))
		return false;
	skip_blank(r);
	if (take_any(r, 0x6574, 0x6574, 0x949F, 0x9418)) /* 整 钟 鐘 */
		return true;
	if (take(r, 0x534A)) /* 半 */
	{
		t->minute = 30;
		return true;
	}
	if (!take_han_number(r, &t->minute))
		return true;
	skip_blank(r);
	if (!take_any(r, 0x5206, 0xBD84, 0, 0)) /* 分 분 */
		return r->at == r->n;
	skip_blank(r);
	if (!take_han_number(r, &t->second))
		return true;
	if (take(r, '.') && !dmp_time_fraction(r, 15, &t->usec))
		return false;
	skip_blank(r);
	return take_any(r, 0x79D2, 0xCD08, 0, 0); /* 秒 초 */
}

/* A time in any form. basic: digits without colons are hours and minutes here. */
static bool
take_time(DmpTimeReader *r, bool basic, DmpTime *t)
{
	int part = take_part_of_day(r);
	int half = part == 0 ? dmp_time_half(r) : 0;
	bool in_front = half != 0;
	bool western = false;
	int from;
	int digits;

	skip_blank(r);
	from = r->at;
	digits = count_digits(r);
	t->hour = t->minute = t->second = t->usec = 0;
	if (digits >= 1 && digits <= 2 && dmp_time_peek(r, digits) == ':')
	{
		if (!take_colon_time(r, t))
			return false;
	}
	else if (basic && !in_front && part == 0 && (digits == 2 || digits == 4 || digits == 6))
	{
		if (!take_basic_time(r, digits, t))
			return false;
	}
	else if (!take_han_time(r, t))
	{
		/* 3 pm */
		r->at = from;
		t->hour = t->minute = t->second = t->usec = 0;
		if (half != 0 || part != 0 || !dmp_time_number(r, 1, 2, &t->hour))
			return false;
		skip_blank(r);
		western = true;
	}
	else if (half == 1 && t->hour == 12)
		return false; /* 上午12点 is noon to some, midnight to others */
	if (half == 0 && part == 0)
	{
		int before = r->at;

		skip_blank(r);
		half = dmp_time_half(r);
		if (half == 0)
		{
			r->at = before;
			return !western;
		}
		western = true;
	}
	else
		western = false;
	return part != 0 ? set_part_of_day(t, part) : set_half(t, half, western);
}

/* ------------------------------------------------------------------ date */

/* the rest of a year that began with four digits, of which r is behind */
static bool
take_year_first(DmpTimeReader *r, DmpTime *t, Form *form)
{
	pg_wchar mark = dmp_time_peek(r, 0);
	int week;
	int weekday = 1;
	int day;

	t->day = 1;
	if (mark == 'W' || mark == 'w' || (mark == '-' && (dmp_time_peek(r, 1) | 0x20) == 'w'))
	{
		r->at += mark == '-' ? 2 : 1;
		form->compact = mark != '-';
		form->iso = true;
		if (!dmp_time_number(r, 2, 2, &week))
			return false;
		if (mark == '-' ? take(r, '-') : dmp_is_digit(dmp_time_peek(r, 0)))
		{
			if (!dmp_time_number(r, 1, 1, &weekday))
				return false;
		}
		return dmp_time_week_date(t, week, weekday);
	}
	if (mark != '-' && mark != '/' && mark != '.')
		return false;
	r->at++;
	form->iso = mark == '-';
	if (count_digits(r) == 3 && mark == '-')
		return dmp_time_number(r, 3, 3, &day) && dmp_time_year_day(t, day);
	if (dmp_time_month_name(r, &t->month))
		return take(r, mark) && dmp_time_number(r, 1, 2, &t->day);
	if (!dmp_time_number(r, 1, 2, &t->month))
		return false;
	if (take(r, mark))
		return dmp_time_number(r, 1, 2, &t->day);
	/* a month alone: 2024-06 */
	return mark == '-' && r->at == r->n && dmp_is_digit(r->c[r->at - 2]);
}

/* yyyymmdd or yyyyddd before a T, a blank or a zone */
static bool
take_compact_date(DmpTimeReader *r, int digits, DmpTime *t, Form *form)
{
	int day;

	form->compact = true;
	if (!dmp_time_number(r, 4, 4, &t->year))
		return false;
	if (digits == 7)
		return dmp_time_number(r, 3, 3, &day) && dmp_time_year_day(t, day);
	return dmp_time_number(r, 2, 2, &t->month) && dmp_time_number(r, 2, 2, &t->day);
}

/* 2024年6月1日, 二〇二四年六月一日, 2024년 6월 1일; no move when there is no 年 */
static bool
take_han_date(DmpTimeReader *r, DmpTime *t, Form *form)
{
	DmpTimeReader start = *r;
	int i;

	if (!dmp_time_number(r, 4, 4, &t->year))
	{
		t->year = 0;
		for (i = 0; i < 4; i++)
		{
			DmpTimeReader one = {r->c + r->at, 1, 0};
			int digit;

			if (r->at >= r->n || dmp_is_digit(*one.c) || !take_han_number(&one, &digit) ||
				*one.c == 0x5341)
			{
				*r = start;
				return false;
			}
			t->year = t->year * 10 + digit;
			r->at++;
		}
	}
	skip_blank(r);
	if (!take_any(r, 0x5E74, 0xB144, 0, 0)) /* 年 년 */
	{
		*r = start;
		return false;
	}
	form->han = true;
	skip_blank(r);
	if (!take_han_number(r, &t->month))
		return false;
	skip_blank(r);
	if (!take_any(r, 0x6708, 0xC6D4, 0, 0)) /* 月 월 */
		return false;
	skip_blank(r);
	t->day = 1;
	if (r->at == r->n)
		return true;
	if (!take_han_number(r, &t->day))
		return false;
	skip_blank(r);
	return take_any(r, 0x65E5, 0xC77C, 0x53F7, 0x865F); /* 日 일 号 號 */
}

/* between the parts of a date with the month's name */
static pg_wchar
take_separator(DmpTimeReader *r)
{
	pg_wchar mark = 0;

	if (take(r, ' '))
		mark = ' ';
	if (take_any(r, '-', '/', '.', ','))
	{
		mark = r->c[r->at - 1];
		skip_blank(r);
	}
	return mark;
}

static void
skip_ordinal(DmpTimeReader *r)
{
	if (!dmp_time_word(r, "st") && !dmp_time_word(r, "nd") && !dmp_time_word(r, "rd"))
		(void) dmp_time_word(r, "th");
}

/* Four digits; two only where they cannot be a day, or RFC 2822 and 850 say so. */
static bool
take_named_year(DmpTimeReader *r, bool rfc, DmpTime *t)
{
	int digits = count_digits(r);

	if (digits == 4)
		return dmp_time_number(r, 4, 4, &t->year);
	if (digits != 2 || !dmp_time_number(r, 2, 2, &t->year) || (!rfc && t->year <= 31))
		return false;
	t->year += t->year < 50 ? 2000 : 1900;
	return true;
}

/* day month year, with the month's name: r is before the day */
static bool
take_day_first(DmpTimeReader *r, DmpTime *t, Form *form)
{
	pg_wchar mark;

	if (!dmp_time_number(r, 1, 2, &t->day))
		return false;
	skip_ordinal(r);
	mark = take_separator(r);
	if (!dmp_time_month_name(r, &t->month))
		return false;
	form->named = true;
	form->log = mark == '/';
	(void) take_separator(r);
	return take_named_year(r, form->rfc, t);
}

/* month day [time [zone]] year, or month year: r is before the month's name */
static bool
take_month_first(DmpTimeReader *r, DmpTime *t, Form *form)
{
	int before;

	if (!dmp_time_month_name(r, &t->month))
		return false;
	form->named = true;
	(void) take_separator(r);
	if (count_digits(r) == 4)
	{
		t->day = 1;
		return dmp_time_number(r, 4, 4, &t->year) && r->at == r->n;
	}
	if (!dmp_time_number(r, 1, 2, &t->day))
		return false;
	skip_ordinal(r);
	(void) take_separator(r);
	before = r->at;
	if (count_digits(r) <= 2 && take_time(r, false, t))
	{
		form->timed = true;
		if (!take(r, ' '))
			return false;
		if (dmp_time_zone(r, false, t) && !take(r, ' '))
			return false;
		return dmp_time_number(r, 4, 4, &t->year);
	}
	r->at = before;
	return take_named_year(r, false, t);
}

static bool
take_date(DmpTimeReader *r, DmpTime *t, Form *form)
{
	int digits = count_digits(r);
	pg_wchar sign = dmp_time_peek(r, 0);

	if (take_han_date(r, t, form))
		return true;
	if (form->han)
		return false;
	if (digits == 7 || digits == 8)
		return take_compact_date(r, digits, t, form);
	if (digits == 4)
		return dmp_time_number(r, 4, 4, &t->year) && take_year_first(r, t, form);
	if (digits > 0)
		return take_day_first(r, t, form);
	if (sign == '+' || sign == '-')
	{
		r->at++;
		digits = count_digits(r);
		if (digits < 4 || digits > 6 || !dmp_time_number(r, digits, digits, &t->year))
			return false;
		t->year *= sign == '-' ? -1 : 1;
		return dmp_time_peek(r, 0) == '-' && take_year_first(r, t, form);
	}
	return take_month_first(r, t, form);
}

/* ---------------------------------------------------------- numbers alone */

static bool
set_epoch(int64 value, int64 per_second, int usec, DmpTime *t)
{
	int64 second = value / per_second;
	int64 rest = value % per_second;
	int64 day = second / SECS_PER_DAY;

	j2date((int) day + UNIX_EPOCH_JDATE, &t->year, &t->month, &t->day);
	second %= SECS_PER_DAY;
	t->hour = (int) (second / SECS_PER_HOUR);
	t->minute = (int) (second % SECS_PER_HOUR / SECS_PER_MINUTE);
	t->second = (int) (second % SECS_PER_MINUTE);
	if (per_second == 1000000000)
		t->usec = (int) ((rest + 500) / 1000);
	else
		t->usec = (int) (rest * (USECS_PER_SEC / per_second) + usec / per_second);
	t->has_zone = true;
	return true;
}

/* digits [fraction] [zone], and nothing else */
static bool
read_digits(DmpTimeReader *r, DmpTime *t)
{
	int digits = count_digits(r);
	int64 value = 0;
	int usec = 0;
	int millis = 0;
	int i;
	DmpTimeReader start = *r;

	if (digits > 19)
		return false;
	/* 19 digits that do not fit are no nanoseconds of this age either */
	if (digits == 19 && dmp_time_peek(r, 0) == '9')
		return false;
	for (i = 0; i < digits; i++)
		value = value * 10 + (int64) (r->c[r->at++] - '0');
	if (is_mark(dmp_time_peek(r, 0)))
	{
		r->at++;
		if ((digits != 9 && digits != 10 && digits != 13 && digits != 14) ||
			!dmp_time_fraction(r, 15, &usec))
			return false;
	}
	/* 20240601123000Z, as directories write it */
	if (r->at < r->n && ((digits != 12 && digits != 14) || !dmp_time_zone(r, false, t)))
		return false;
	if (r->at < r->n)
		return false;
	switch (digits)
	{
		case 9:
		case 10:
			return set_epoch(value, 1, usec, t);
		case 13:
			return set_epoch(value, 1000, usec, t);
		case 16:
			return set_epoch(value, 1000000, 0, t);
		case 19:
			return set_epoch(value, 1000000000, 0, t);
		case 7:
		case 8:
		case 12:
		case 14:
		case 17:
			break;
		default:
			return false;
	}
	*r = start;
	if (digits <= 8)
	{
		Form form = {0};

		return take_compact_date(r, digits, t, &form);
	}
	if (!dmp_time_number(r, 4, 4, &t->year) || !dmp_time_number(r, 2, 2, &t->month) ||
		!dmp_time_number(r, 2, 2, &t->day) || !dmp_time_number(r, 2, 2, &t->hour) ||
		!dmp_time_number(r, 2, 2, &t->minute))
		return false;
	if (digits >= 14 && !dmp_time_number(r, 2, 2, &t->second))
		return false;
	if (digits == 17 && !dmp_time_number(r, 3, 3, &millis))
		return false;
	t->usec = digits == 17 ? millis * 1000 : usec;
	return true;
}

/* ------------------------------------------------------------------ all */

/* (CST), (China Standard Time) behind a zone that is a number */
static bool
skip_comment(DmpTimeReader *r)
{
	int before = r->at;

	skip_blank(r);
	if (!take(r, '('))
	{
		r->at = before;
		return true;
	}
	while (r->at < r->n && r->c[r->at] != ')' && r->c[r->at] != '(')
		r->at++;
	return take(r, ')');
}

/* the name of the day behind a date: 2024年6月1日(星期六), 2024-06-01 Sat */
static void
skip_weekday(DmpTimeReader *r)
{
	int before = r->at;
	bool bracket;

	skip_blank(r);
	bracket = take(r, '(');
	if (!dmp_time_weekday(r) || (bracket && !take(r, ')')))
		r->at = before;
}

/* what stands between date and time; false when there is no time. *basic as take_time has it */
static bool
take_join(DmpTimeReader *r, const Form *form, bool *basic)
{
	pg_wchar c = dmp_time_peek(r, 0);

	*basic = form->compact;
	if ((c == 'T' || c == 't') && !form->named && !form->han)
	{
		r->at++;
		*basic = true;
		return true;
	}
	if (form->log && take(r, ':'))
		return true;
	if (take(r, ','))
		skip_blank(r);
	else if (!take(r, ' '))
		return form->han;
	if (dmp_time_word(r, "at"))
		skip_blank(r);
	return true;
}

static bool
read_text(DmpTimeReader *r, DmpTime *t)
{
	Form form = {0};
	bool basic;

	if (dmp_time_weekday(r))
	{
		(void) take(r, '.');
		form.rfc = take(r, ',');
		skip_blank(r);
	}
	if (!take_date(r, t, &form))
		return false;
	if (form.timed)
		return true;
	skip_weekday(r);
	if (r->at == r->n)
		return true;
	if (form.iso && (dmp_time_peek(r, 0) == 'Z' || dmp_time_peek(r, 3) == ':'))
	{
		if (dmp_time_zone(r, false, t))
			return true;
	}
	if (!take_join(r, &form, &basic) || !take_time(r, basic, t))
		return false;
	if (r->at == r->n)
		return true;
	skip_blank(r);
	return dmp_time_zone(r, form.rfc && form.named, t) && skip_comment(r);
}

bool
dmp_time_usual(DmpTimeReader *r, DmpTime *t)
{
	int digits;

	memset(t, 0, sizeof(*t));
	if (r->n > 2 && dmp_time_peek(r, 0) == '[' && r->c[r->n - 1] == ']')
	{
		r->at++;
		r->n--;
	}
	digits = count_digits(r);
	if (r->at + digits == r->n || digits >= 9)
		return read_digits(r, t);
	return read_text(r, t) && r->at == r->n;
}
