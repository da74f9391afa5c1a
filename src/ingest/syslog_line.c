/*-------------------------------------------------------------------------
 * syslog_line.c
 *		A line of syslog, taken apart.
 *
 *		<34>1 2003-10-11T22:14:15.003Z host app pid msgid [id name="value"] message
 *		<34>Oct 11 22:14:15 host tag[pid]: message
 *		Oct 11 22:14:15 host tag[pid]: message
 *		2003-10-11T22:14:15.003456+02:00 host tag[pid]: message
 *
 * The first is RFC 5424, with "-" for what is not there; the others RFC 3164
 * as it is sent and as it stands in files (a year before or behind the time is
 * read when it is there; else the line does not say it).
 *
 * A tag is a word that ends in ":" or "[pid]:"; without one all is message
 * ("last message repeated 2 times").
 *-------------------------------------------------------------------------
 */
#include "ingest/log.h"

const char *const dmp_syslog_names[] = {"priority", "facility", "severity", "logged_at",
										"host",     "program",  "pid",      "message_id",
										"data",     "message"};

static const char *const facilities[] = {
	"kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
	"uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
	"local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
static const char *const severities[] = {"emerg",   "alert",  "crit", "err",
										 "warning", "notice", "info", "debug"};

static void
put_name(DmpLogText *field, const char *name)
{
	field->start = name;
	field->length = strlen(name);
}

/* "<34>" at s: gives the place after it, s when there is none, NULL when it is wrong */
static const char *
read_priority(const char *s, const char *end, DmpLogText *fields)
{
	const char *digits = s + 1;
	size_t n = 0;
	int priority;

	if (s == end || *s != '<')
		return s;
	while (digits + n < end && digits[n] >= '0' && digits[n] <= '9' && n < 4)
		n++;
	if (n == 0 || n > 3 || digits + n == end || digits[n] != '>')
		return NULL;
	priority = dmp_log_number(digits, n);
	if (priority > 191)
		return NULL;
	fields[DMP_SYSLOG_PRIORITY].start = digits;
	fields[DMP_SYSLOG_PRIORITY].length = n;
	put_name(&fields[DMP_SYSLOG_FACILITY], facilities[priority / 8]);
	put_name(&fields[DMP_SYSLOG_SEVERITY], severities[priority % 8]);
	return digits + n + 1;
}

/* "22:14:15" and its fraction; gives the place after it, or NULL */
static const char *
read_clock(const char *s, const char *end, DmpLogTime *at)
{
	int scale = 100000;

	if (end - s < 8 || !dmp_log_is_digits(s, 2) || s[2] != ':' || !dmp_log_is_digits(s + 3, 2) ||
		s[5] != ':' || !dmp_log_is_digits(s + 6, 2))
		return NULL;
	if (dmp_log_number(s, 2) > 23 || dmp_log_number(s + 3, 2) > 59 || dmp_log_number(s + 6, 2) > 60)
		return NULL;
	at->seconds =
		(dmp_log_number(s, 2) * 60 + dmp_log_number(s + 3, 2)) * 60 + dmp_log_number(s + 6, 2);
	s += 8;
	if (s + 1 < end && (*s == '.' || *s == ',') && s[1] >= '0' && s[1] <= '9')
		for (s++; s < end && *s >= '0' && *s <= '9'; s++)
		{
			at->micros += (*s - '0') * scale;
			scale /= 10;
		}
	return s;
}

/* "2003-10-11T22:14:15.003Z", also without a zone; gives the place after it, or NULL */
static const char *
read_iso_time(const char *s, const char *end, DmpLogTime *at)
{
	if (end - s < 19 || !dmp_log_is_digits(s, 4) || s[4] != '-' || !dmp_log_is_digits(s + 5, 2) ||
		s[7] != '-' || !dmp_log_is_digits(s + 8, 2) || (s[10] != 'T' && s[10] != ' '))
		return NULL;
	at->year = dmp_log_number(s, 4);
	at->month = dmp_log_number(s + 5, 2);
	at->day = dmp_log_number(s + 8, 2);
	if (at->year < 1 || !dmp_log_is_day(at->year, at->month, at->day))
		return NULL;
	s = read_clock(s + 11, end, at);
	if (s == NULL)
		return NULL;
	if (s < end && *s == 'Z')
	{
		at->zoned = true;
		return s + 1;
	}
	if (s < end && (*s == '+' || *s == '-'))
	{
		bool west = *s == '-';
		int width = end - s > 3 && s[3] == ':' ? 4 : 3;

		if (end - s < width + 2 || !dmp_log_is_digits(s + 1, 2) ||
			!dmp_log_is_digits(s + width, 2) || dmp_log_number(s + 1, 2) > 15 ||
			dmp_log_number(s + width, 2) > 59)
			return NULL;
		at->zoned = true;
		at->zone = (dmp_log_number(s + 1, 2) * 60 + dmp_log_number(s + width, 2)) * 60;
		if (west)
			at->zone = -at->zone;
		s += width + 2;
	}
	return s;
}

/* four digits and what has to follow; 0 when they are not there */
static int
read_year(const char *s, const char *end)
{
	return end - s > 4 && dmp_log_is_digits(s, 4) && s[4] == ' ' ? dmp_log_number(s, 4) : 0;
}

/* "Oct 11 22:14:15", the year before or behind the time; gives the place after it, or NULL */
static const char *
read_month_time(const char *s, const char *end, DmpLogTime *at)
{
	if (end - s < 15 || s[3] != ' ')
		return NULL;
	at->month = dmp_log_month(s);
	s += 4;
	if (*s == ' ')
		s++;
	if (*s < '0' || *s > '9')
		return NULL;
	at->day = *s++ - '0';
	if (*s >= '0' && *s <= '9')
		at->day = at->day * 10 + (*s++ - '0');
	if (end - s < 9 || *s++ != ' ')
		return NULL;
	at->year = read_year(s, end);
	s = read_clock(at->year > 0 ? s + 5 : s, end, at);
	if (s == NULL)
		return NULL;
	if (at->year == 0 && s < end && *s == ' ' && read_year(s + 1, end) >= 1970)
	{
		at->year = read_year(s + 1, end);
		s += 5;
	}
	return dmp_log_is_day(at->year, at->month, at->day) ? s : NULL;
}

/* the word at s, up to a space or the end; "-" is not there; the place after its space, or NULL */
static const char *
read_word(const char *s, const char *end, DmpLogText *field)
{
	const char *space = memchr(s, ' ', end - s);
	const char *stop = space ? space : end;

	if (stop == s)
		return NULL;
	if (stop - s > 1 || *s != '-')
	{
		field->start = s;
		field->length = stop - s;
	}
	return space ? space + 1 : end;
}

/* a byte within a json string */
static char *
put_json(char *to, char c)
{
	static const char hex[] = "0123456789abcdef";

	if (c == '"' || c == '\\')
		*to++ = '\\';
	if ((unsigned char) c >= ' ')
		*to++ = c;
	else
	{
		memcpy(to, "\\u00", 4);
		to[4] = hex[(unsigned char) c >> 4];
		to[5] = hex[c & 15];
		to += 6;
	}
	return to;
}

/* [id name="value" ...] at s as a json member; gives the place after it, or NULL */
static const char *
read_element(const char *s, const char *end, char **to)
{
	char *out = *to;
	bool first = true;

	*out++ = '"';
	for (s++; s < end && *s != ' ' && *s != ']' && *s != '"' && *s != '='; s++)
		out = put_json(out, *s);
	memcpy(out, "\":{", 3);
	out += 3;
	while (s < end && *s == ' ')
	{
		while (s < end && *s == ' ')
			s++;
		if (s < end && *s == ']')
			break;
		if (!first)
			*out++ = ',';
		first = false;
		*out++ = '"';
		for (; s < end && *s != '=' && *s != ' ' && *s != ']' && *s != '"'; s++)
			out = put_json(out, *s);
		if (end - s < 2 || s[0] != '=' || s[1] != '"')
			return NULL;
		memcpy(out, "\":\"", 3);
		out += 3;
		for (s += 2; s < end && *s != '"'; s++)
		{
			if (*s == '\\' && s + 1 < end && (s[1] == '"' || s[1] == '\\' || s[1] == ']'))
				s++;
			out = put_json(out, *s);
		}
		if (s == end)
			return NULL;
		*out++ = '"';
		s++;
	}
	if (s == end || *s != ']')
		return NULL;
	*out++ = '}';
	*to = out;
	return s + 1;
}

/* behind "<34>1 " */
static bool
read_5424(const char *s, const char *end, char *buffer, DmpLogText *fields, DmpLogTime *at)
{
	static const int words[] = {DMP_SYSLOG_HOST, DMP_SYSLOG_PROGRAM, DMP_SYSLOG_PID,
								DMP_SYSLOG_MSGID};
	char *to = buffer;

	if (end - s >= 2 && s[0] == '-' && s[1] == ' ')
		s++;
	else
		s = read_iso_time(s, end, at);
	if (s == NULL || s == end || *s++ != ' ')
		return false;
	for (int i = 0; i < lengthof(words); i++)
	{
		s = read_word(s, end, &fields[words[i]]);
		if (s == NULL || s == end)
			return false;
	}
	if (*s == '-')
		s++;
	else if (*s != '[')
		return false;
	else
	{
		*to++ = '{';
		while (s < end && *s == '[')
		{
			if (to > buffer + 1)
				*to++ = ',';
			s = read_element(s, end, &to);
			if (s == NULL)
				return false;
		}
		*to++ = '}';
		fields[DMP_SYSLOG_DATA].start = buffer;
		fields[DMP_SYSLOG_DATA].length = to - buffer;
	}
	if (s < end && *s++ != ' ')
		return false;
	if (end - s >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
		s += 3;
	if (s < end)
	{
		fields[DMP_SYSLOG_MESSAGE].start = s;
		fields[DMP_SYSLOG_MESSAGE].length = end - s;
	}
	return true;
}

/* behind the time: " host tag[pid]: message" */
static bool
read_3164(const char *s, const char *end, DmpLogText *fields)
{
	const char *tag;
	const char *stop;
	const char *bracket;

	if (s == end || *s++ != ' ')
		return false;
	s = read_word(s, end, &fields[DMP_SYSLOG_HOST]);
	if (s == NULL)
		return false;
	tag = s;
	for (stop = s; stop < end && *stop != ':' && *stop != '[' && *stop != ' '; stop++)
		;
	bracket = stop;
	if (stop > tag && stop < end && *stop == '[')
	{
		while (stop < end && *stop != ']' && *stop != ' ')
			stop++;
		if (end - stop < 2 || stop[0] != ']' || stop[1] != ':')
			stop = tag;
		else
		{
			fields[DMP_SYSLOG_PID].start = bracket + 1;
			fields[DMP_SYSLOG_PID].length = stop - bracket - 1;
			stop++;
		}
	}
	/* "12:30" or "a::b" is no tag */
	if (stop > tag && stop < end && *stop == ':' && (stop + 1 == end || stop[1] == ' '))
	{
		fields[DMP_SYSLOG_PROGRAM].start = tag;
		fields[DMP_SYSLOG_PROGRAM].length = bracket - tag;
		s = stop + 1 < end ? stop + 2 : end;
	}
	else
		memset(&fields[DMP_SYSLOG_PID], 0, sizeof(DmpLogText));
	if (s < end)
	{
		fields[DMP_SYSLOG_MESSAGE].start = s;
		fields[DMP_SYSLOG_MESSAGE].length = end - s;
	}
	return true;
}

bool
dmp_syslog_line(const char *line, size_t length, char *buffer, DmpLogText *fields, DmpLogTime *at)
{
	const char *end = line + length;
	const char *s;
	const char *behind;

	memset(fields, 0, sizeof(DmpLogText) * DMP_SYSLOG_FIELDS);
	memset(at, 0, sizeof(DmpLogTime));
	while (end > line && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (end == line || memchr(line, '\n', end - line) != NULL)
		return false;
	s = read_priority(line, end, fields);
	if (s == NULL)
		return false;
	if (s > line && end - s > 2 && s[0] == '1' && s[1] == ' ')
		return read_5424(s + 2, end, buffer, fields, at);
	behind = read_iso_time(s, end, at);
	if (behind == NULL)
	{
		memset(at, 0, sizeof(DmpLogTime));
		behind = read_month_time(s, end, at);
	}
	return behind != NULL && read_3164(behind, end, fields);
}
