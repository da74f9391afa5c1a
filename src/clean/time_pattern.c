/*-------------------------------------------------------------------------
 * time_pattern.c
 *		Times by to_char patterns.
 *
 * The server's to_timestamp() takes what it can make out and leaves the rest:
 * to_timestamp('2024-06-01 and so on', 'YYYY-MM-DD') is a date, and so is
 * '99/06/2024' up to its error. Here a pattern matches all of the text or
 * none of it. Numbers have at most the digits of their pattern (YYYY four, YY
 * two), and exactly that many where another number follows at once; names are
 * English in any case; a blank matches white space; what else is in a pattern
 * stands for itself. Letters that are no pattern must be quoted, but for T
 * and Z (the zone UTC), which ISO 8601 puts there.
 *-------------------------------------------------------------------------
 */
#include "clean/value_time.h"

#include "utils/datetime.h"

typedef enum PartKind
{
	PART_LITERAL,
	PART_BLANK,
	PART_YEAR,
	PART_YEAR_2,
	PART_ISO_YEAR,
	PART_MONTH,
	PART_MONTH_NAME,
	PART_WEEK,
	PART_DAY,
	PART_YEAR_DAY,
	PART_WEEKDAY,
	PART_WEEKDAY_NAME,
	PART_JULIAN,
	PART_HOUR_24,
	PART_HOUR_12,
	PART_MINUTE,
	PART_SECOND,
	PART_DAY_SECOND,
	PART_FRACTION,
	PART_HALF,
	PART_ERA,
	PART_ZONE,
	PART_OFFSET,
	PART_OFFSET_HOUR,
	PART_OFFSET_MINUTE,
	PART_UTC,
	PART_KINDS
} PartKind;

typedef struct Part
{
	PartKind kind;
	int least, most; /* digits */
	bool ordinal;    /* 1st, 2nd */
	pg_wchar c;      /* of a literal */
} Part;

struct DmpTimePattern
{
	int n;
	bool has[PART_KINDS];
	Part parts[FLEXIBLE_ARRAY_MEMBER];
};

/* the longest that fits comes first */
static const struct
{
	const char *name;
	PartKind kind;
	int least, most;
} known[] = {{"SSSSS", PART_DAY_SECOND, 1, 5}, {"MONTH", PART_MONTH_NAME, 0, 0},
			 {"HH24", PART_HOUR_24, 1, 2},     {"HH12", PART_HOUR_12, 1, 2},
			 {"IYYY", PART_ISO_YEAR, 4, 4},    {"YYYY", PART_YEAR, 4, 4},
			 {"SSSS", PART_DAY_SECOND, 1, 5},  {"A.M.", PART_HALF, 0, 0},
			 {"P.M.", PART_HALF, 0, 0},        {"A.D.", PART_ERA, 0, 0},
			 {"B.C.", PART_ERA, 0, 0},         {"DAY", PART_WEEKDAY_NAME, 0, 0},
			 {"DDD", PART_YEAR_DAY, 1, 3},     {"FF1", PART_FRACTION, 1, 1},
			 {"FF2", PART_FRACTION, 1, 2},     {"FF3", PART_FRACTION, 1, 3},
			 {"FF4", PART_FRACTION, 1, 4},     {"FF5", PART_FRACTION, 1, 5},
			 {"FF6", PART_FRACTION, 1, 6},     {"MON", PART_MONTH_NAME, 0, 0},
			 {"TZH", PART_OFFSET_HOUR, 2, 2},  {"TZM", PART_OFFSET_MINUTE, 2, 2},
			 {"AD", PART_ERA, 0, 0},           {"AM", PART_HALF, 0, 0},
			 {"BC", PART_ERA, 0, 0},           {"DD", PART_DAY, 1, 2},
			 {"DY", PART_WEEKDAY_NAME, 0, 0},  {"HH", PART_HOUR_12, 1, 2},
			 {"ID", PART_WEEKDAY, 1, 1},       {"IW", PART_WEEK, 1, 2},
			 {"MI", PART_MINUTE, 1, 2},        {"MM", PART_MONTH, 1, 2},
			 {"MS", PART_FRACTION, 1, 3},      {"OF", PART_OFFSET, 0, 0},
			 {"PM", PART_HALF, 0, 0},          {"SS", PART_SECOND, 1, 2},
			 {"TZ", PART_ZONE, 0, 0},          {"US", PART_FRACTION, 1, 6},
			 {"YY", PART_YEAR_2, 2, 2},        {"J", PART_JULIAN, 1, 7}};

static bool
is_letter(pg_wchar c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* name at r, in any case; letters may follow */
static bool
starts_with(const DmpTimeReader *r, const char *name)
{
	int i;

	for (i = 0; name[i] != '\0'; i++)
	{
		pg_wchar c = dmp_time_peek(r, i);

		if (c >= 0x80 || pg_ascii_toupper((unsigned char) c) != (unsigned char) name[i])
			return false;
	}
	return true;
}

static void
bad_pattern(text *pattern, const char *why, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_DATETIME_FORMAT),
					errmsg("format \"%s\" %s", text_to_cstring(pattern), why),
					hint != NULL ? errhint("%s", hint) : 0));
}

/* The next part of a pattern that is not quoted. */
static Part
read_part(DmpTimeReader *r, text *pattern)
{
	Part part = {PART_LITERAL, 0, 0, false, 0};
	pg_wchar c;
	int i;

	while (starts_with(r, "FM") || starts_with(r, "FX"))
		r->at += 2;
	if (starts_with(r, "TM"))
		bad_pattern(pattern, "asks for names in the language of a locale",
					"Names of months and days are English: leave \"TM\" out.");
	c = dmp_time_peek(r, 0);
	for (i = 0; i < lengthof(known); i++)
	{
		if (!starts_with(r, known[i].name))
			continue;
		part.kind = known[i].kind;
		part.least = known[i].least;
		part.most = known[i].most;
		r->at += strlen(known[i].name);
		/* DDTH is an ordinal, DDTHH24 a day, a T and an hour */
		if (part.most > 0 && starts_with(r, "TH") && !starts_with(r, "THH"))
		{
			part.ordinal = true;
			r->at += 2;
		}
		return part;
	}
	if (c == 'Z')
		part.kind = PART_UTC;
	else if (c == ' ')
		part.kind = PART_BLANK;
	else if (is_letter(c) && c != 'T')
		bad_pattern(pattern, psprintf("has \"%c\", which is no pattern", (int) c),
					"Letters that stand for themselves are quoted: YYYY\"y\". Patterns are "
					"YYYY, YY, MM, Mon, Month, DD, DDD, Dy, Day, IYYY, IW, ID, J, HH24, HH12, MI, "
					"SS, MS, US, FF1 to FF6, SSSSS, AM, PM, BC, AD, TZ, TZH, TZM and OF.");
	part.c = c;
	r->at++;
	return part;
}

/* what a pattern must have to name a moment */
static void
check_pattern(const DmpTimePattern *p, text *pattern)
{
	const bool *has = p->has;
	bool year = has[PART_YEAR] || has[PART_YEAR_2];
	bool month = has[PART_MONTH] || has[PART_MONTH_NAME];

	if (has[PART_ISO_YEAR] ? !has[PART_WEEK] || year || month || has[PART_DAY]
						   : has[PART_WEEK] || has[PART_WEEKDAY])
		bad_pattern(pattern, "needs IYYY and IW for a date by weeks, and nothing else for it",
					NULL);
	if (!year && !has[PART_ISO_YEAR] && !has[PART_JULIAN])
		bad_pattern(pattern, "has no year", "A year is YYYY or YY.");
	if (has[PART_DAY] && !month)
		bad_pattern(pattern, "has a day and no month",
					has[PART_MINUTE] ? "Months are MM, Mon or Month; MI is minutes."
									 : "Months are MM, Mon or Month.");
	if (has[PART_YEAR_DAY] && (month || has[PART_DAY]))
		bad_pattern(pattern, "has two kinds of day", "DDD is the day of the year.");
	if (has[PART_HOUR_12] && !has[PART_HALF])
		bad_pattern(pattern, "has an hour of 12 and no AM or PM", "The hour of a day is HH24.");
	if (has[PART_HALF] && !has[PART_HOUR_12])
		bad_pattern(pattern, "has AM or PM and no hour of 12", "Such an hour is HH12.");
	if (has[PART_OFFSET_MINUTE] && !has[PART_OFFSET_HOUR])
		bad_pattern(pattern, "has TZM and no TZH", NULL);
}

/* text of a pattern, in the current memory context; an error when it means nothing */
DmpTimePattern *
dmp_time_pattern(text *pattern)
{
	DmpTimePattern *p;
	DmpTimeReader r;
	bool quoted = false;
	int i;

	if (!dmp_time_read(pattern, &r))
		bad_pattern(pattern, "is too long", NULL);
	p = palloc0(offsetof(DmpTimePattern, parts) + sizeof(Part) * Max(r.n, 1));
	while (r.at < r.n)
	{
		pg_wchar c = dmp_time_peek(&r, 0);
		Part part = {PART_LITERAL, 0, 0, false, 0};

		if (c == '"')
		{
			quoted = !quoted;
			r.at++;
			continue;
		}
		if (quoted)
		{
			if (c == '\\' && r.at + 1 < r.n)
				r.at++;
			part.c = r.c[r.at++];
			part.kind = part.c == ' ' ? PART_BLANK : PART_LITERAL;
		}
		else
			part = read_part(&r, pattern);
		if (p->has[part.kind] && part.kind > PART_BLANK && part.kind != PART_WEEKDAY_NAME)
			bad_pattern(pattern, "names a part of the time twice", NULL);
		p->has[part.kind] = true;
		p->parts[p->n++] = part;
	}
	if (quoted)
		bad_pattern(pattern, "has a quotation mark that is not closed", NULL);
	/* digits that follow each other are told apart by their number */
	for (i = 0; i + 1 < p->n; i++)
		if (p->parts[i].most > 0 && p->parts[i + 1].most > 0 && !p->parts[i].ordinal)
			p->parts[i].least = p->parts[i].most;
	check_pattern(p, pattern);
	return p;
}

/* what was read and is put together at the end */
typedef struct Found
{
	int week, weekday, year_day, julian, day_second, half, era;
	int offset_sign, offset_hour, offset_minute;
} Found;

static bool
take_name(DmpTimeReader *r, const Part *part, DmpTime *t, Found *found)
{
	pg_wchar c = dmp_time_peek(r, 0);

	switch (part->kind)
	{
		case PART_LITERAL:
			if (c != part->c)
				return false;
			r->at++;
			return true;
		case PART_BLANK:
			/* nothing at the very end, which was tidied */
			if (c == ' ')
				r->at++;
			return c == ' ';
		case PART_MONTH_NAME:
			return dmp_time_month_name(r, &t->month);
		case PART_WEEKDAY_NAME:
			return dmp_time_weekday(r);
		case PART_HALF:
			found->half = dmp_time_half(r);
			return found->half != 0;
		case PART_ERA:
			if (dmp_time_word(r, "BC") || dmp_time_word(r, "B.C."))
				found->era = -1;
			else if (!dmp_time_word(r, "AD") && !dmp_time_word(r, "A.D."))
				return false;
			return true;
		case PART_ZONE:
			return dmp_time_zone(r, false, t);
		case PART_OFFSET:
			t->has_zone = true;
			return dmp_time_offset(r, 2, &t->offset);
		case PART_UTC:
			t->has_zone = true;
			return dmp_time_word(r, "Z");
		default:
			return false;
	}
}

static bool
take_digits(DmpTimeReader *r, const Part *part, DmpTime *t, Found *found)
{
	int value;

	if (part->kind == PART_FRACTION)
	{
		int from = r->at;

		return dmp_time_fraction(r, part->most, &t->usec) && r->at - from >= part->least;
	}
	if (part->kind == PART_OFFSET_HOUR)
	{
		pg_wchar sign = dmp_time_peek(r, 0);

		found->offset_sign = sign == '+' ? 1 : sign == '-' || sign == 0x2212 ? -1 : 0;
		if (found->offset_sign == 0)
			return false;
		r->at++;
	}
	if (!dmp_time_number(r, part->least, part->most, &value))
		return false;
	switch (part->kind)
	{
		case PART_YEAR:
		case PART_ISO_YEAR:
			t->year = value;
			break;
		case PART_YEAR_2:
			/* as to_timestamp has it: the year nearest to 2020 */
			t->year = value + (value < 70 ? 2000 : 1900);
			break;
		case PART_MONTH:
			t->month = value;
			break;
		case PART_WEEK:
			found->week = value;
			break;
		case PART_DAY:
			t->day = value;
			break;
		case PART_YEAR_DAY:
			found->year_day = value;
			break;
		case PART_WEEKDAY:
			found->weekday = value;
			break;
		case PART_JULIAN:
			found->julian = value;
			break;
		case PART_HOUR_24:
		case PART_HOUR_12:
			t->hour = value;
			break;
		case PART_MINUTE:
			t->minute = value;
			break;
		case PART_SECOND:
			t->second = value;
			break;
		case PART_DAY_SECOND:
			found->day_second = value;
			break;
		case PART_OFFSET_HOUR:
			found->offset_hour = value;
			break;
		case PART_OFFSET_MINUTE:
			found->offset_minute = value;
			break;
		default:
			return false;
	}
	return !part->ordinal || dmp_time_word(r, "st") || dmp_time_word(r, "nd") ||
		   dmp_time_word(r, "rd") || dmp_time_word(r, "th");
}

static bool
put_together(const bool *has, DmpTime *t, const Found *found)
{
	if (has[PART_HOUR_12])
	{
		if (t->hour < 1 || t->hour > 12)
			return false;
		t->hour = t->hour % 12 + (found->half == 2 ? 12 : 0);
	}
	if (has[PART_DAY_SECOND])
	{
		if (found->day_second >= SECS_PER_DAY)
			return false;
		t->hour = found->day_second / SECS_PER_HOUR;
		t->minute = found->day_second % SECS_PER_HOUR / SECS_PER_MINUTE;
		t->second = found->day_second % SECS_PER_MINUTE;
	}
	if (has[PART_OFFSET_HOUR])
	{
		if (found->offset_hour > 15 || found->offset_minute > 59)
			return false;
		t->has_zone = true;
		t->offset = found->offset_sign *
					(found->offset_hour * SECS_PER_HOUR + found->offset_minute * SECS_PER_MINUTE);
	}
	if (has[PART_JULIAN])
		j2date(found->julian, &t->year, &t->month, &t->day);
	if (has[PART_YEAR] && t->year == 0)
		return false;
	if (found->era < 0)
		t->year = 1 - t->year;
	if (has[PART_ISO_YEAR])
		return dmp_time_week_date(t, found->week, found->weekday);
	return !has[PART_YEAR_DAY] || dmp_time_year_day(t, found->year_day);
}

bool
dmp_time_match(const DmpTimePattern *p, DmpTimeReader *r, DmpTime *t)
{
	Found found = {0};
	int i;

	memset(t, 0, sizeof(*t));
	t->month = t->day = 1;
	found.weekday = 1;
	for (i = 0; i < p->n; i++)
	{
		const Part *part = &p->parts[i];

		if (!(part->most > 0 ? take_digits(r, part, t, &found) : take_name(r, part, t, &found)))
			return false;
	}
	return r->at == r->n && put_together(p->has, t, &found);
}
