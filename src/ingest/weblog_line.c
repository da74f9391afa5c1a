/*-------------------------------------------------------------------------
 * weblog_line.c
 *		A line of a web server's access log, taken apart.
 *
 * The common and the combined log format of Apache, and the default of nginx,
 * which is the combined one:
 *
 *		host identity user [17/May/2015:10:05:03 +0000] "request" status bytes
 *		the same, then "referrer" "agent", then anything
 *
 * The time in brackets is what a line is known by: before it stand a word, a
 * word and the user, whose name may hold spaces. With a name:port before them
 * it is Apache's vhost_combined, and that word is left out.
 *
 * A quote closes a field when it is not escaped and a space or the end of the
 * line follows; servers escape the quotes of clients, but not all always did.
 * The last field may lack its quote: it runs to the end of the line.
 *-------------------------------------------------------------------------
 */
#include "ingest/log.h"

#include "mb/pg_wchar.h"

const char *const dmp_weblog_names[DMP_WEBLOG_FIELDS] = {
	"remote_host", "identity", "remote_user", "requested_at", "method", "path",
	"protocol",    "status",   "bytes",       "referrer",     "agent"};

/* dd/Mon/yyyy:hh:mm:ss +zzzz */
#define TIME_LENGTH 26

int
dmp_web_hex(const char *s)
{
	int value = 0;

	for (int i = 0; i < 2; i++)
	{
		char c = s[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

char *
dmp_web_bytes(char *to, const char *s, int n, int width, int encoding)
{
	/* a character has at most four bytes: they are looked at as they come */
	for (int i = 0; i < n;)
	{
		char bytes[MAX_MULTIBYTE_CHAR_LEN] = {0};
		int have = Min(n - i, (int) sizeof(bytes));
		int length;

		for (int j = 0; j < have; j++)
			bytes[j] = (char) dmp_web_hex(s + (i + j) * width + width - 2);
		length = bytes[0] == '\0' ? -1 : pg_encoding_verifymbchar(encoding, bytes, have);
		if (length <= 0)
		{
			memcpy(to, s + i * width, width);
			to += width;
			i++;
		}
		else
		{
			memcpy(to, bytes, length);
			to += length;
			i += length;
		}
	}
	return to;
}

bool
dmp_log_is_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

int
dmp_log_number(const char *s, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++)
		value = value * 10 + (s[i] - '0');
	return value;
}

bool
dmp_log_is_day(int year, int month, int day)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return month >= 1 && month <= 12 && day >= 1 &&
		   day <= days[month - 1] - (month == 2 && !leap && year != 0);
}

int
dmp_log_month(const char *s)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int month = 1; month <= 12; month++)
		if (pg_strncasecmp(s, months + 3 * (month - 1), 3) == 0)
			return month;
	return 0;
}

size_t
dmp_log_time_text(const DmpLogTime *time, int year, char *out)
{
	int zone = abs(time->zone);
	int n = snprintf(out, DMP_LOG_TIME_LENGTH, "%04d-%02d-%02d %02d:%02d:%02d", year, time->month,
					 time->day, time->seconds / 3600, time->seconds / 60 % 60, time->seconds % 60);

	if (time->micros > 0)
		n += snprintf(out + n, DMP_LOG_TIME_LENGTH - n, ".%06d", time->micros);
	if (time->zoned)
		n += snprintf(out + n, DMP_LOG_TIME_LENGTH - n, "%c%02d:%02d", time->zone < 0 ? '-' : '+',
					  zone / 3600, zone / 60 % 60);
	return (size_t) n;
}

/* "17/May/2015:10:05:03 +0000" of TIME_LENGTH bytes; false when it is no time */
static bool
parse_time(const char *s, DmpLogTime *result)
{
	if (!dmp_log_is_digits(s, 2) || s[2] != '/' || s[6] != '/' || !dmp_log_is_digits(s + 7, 4) ||
		s[11] != ':' || !dmp_log_is_digits(s + 12, 2) || s[14] != ':' ||
		!dmp_log_is_digits(s + 15, 2) || s[17] != ':' || !dmp_log_is_digits(s + 18, 2) ||
		s[20] != ' ' || (s[21] != '+' && s[21] != '-') || !dmp_log_is_digits(s + 22, 4))
		return false;
	memset(result, 0, sizeof(DmpLogTime));
	result->day = dmp_log_number(s, 2);
	result->month = dmp_log_month(s + 3);
	result->year = dmp_log_number(s + 7, 4);
	if (result->year < 1 || !dmp_log_is_day(result->year, result->month, result->day))
		return false;
	/* a leap second, 60, is the first second of the next minute; zones as the server has them */
	if (dmp_log_number(s + 12, 2) > 23 || dmp_log_number(s + 15, 2) > 59 ||
		dmp_log_number(s + 18, 2) > 60 || dmp_log_number(s + 22, 2) > 15 ||
		dmp_log_number(s + 24, 2) > 59)
		return false;
	result->seconds = (dmp_log_number(s + 12, 2) * 60 + dmp_log_number(s + 15, 2)) * 60 +
					  dmp_log_number(s + 18, 2);
	result->zoned = true;
	result->zone = (dmp_log_number(s + 22, 2) * 60 + dmp_log_number(s + 24, 2)) * 60;
	if (s[21] == '-')
		result->zone = -result->zone;
	return true;
}

/* the place of the bracket before a time, or NULL */
static const char *
find_time(const char *s, const char *end, DmpLogTime *result)
{
	for (; end - s >= TIME_LENGTH + 3; s++)
	{
		s = memchr(s, ' ', end - s);
		if (s == NULL || end - s < TIME_LENGTH + 3)
			return NULL;
		if (s[1] == '[' && s[TIME_LENGTH + 2] == ']' && parse_time(s + 2, result))
			return s + 1;
	}
	return NULL;
}

/* a word as the server escaped it: "-" and nothing are not there */
static void
put(DmpLogText *field, const char *s, size_t length)
{
	bool missing = length == 0 || (length == 1 && *s == '-');

	field->start = missing ? NULL : s;
	field->length = missing ? 0 : length;
}

/*
 * The field whose opening quote is at s, escapes resolved, to *to, which moves
 * behind it. Gives the place after the closing quote. \" and \\, C's escapes of
 * control characters (Apache) and \xHH (both servers) are what they stand for.
 */
static const char *
read_quoted(const char *s, const char *end, int encoding, char **to)
{
	static const char names[] = "\"\\nrtbvf";
	static const char chars[] = "\"\\\n\r\t\b\v\f";

	for (s++; s < end; s++)
	{
		const char *escape;

		if (*s == '"' && (s + 1 == end || s[1] == ' '))
			return s + 1;
		if (*s != '\\' || s + 1 == end)
		{
			*(*to)++ = *s;
			continue;
		}
		if (s[1] == 'x')
		{
			int n = 0;

			while (end - s >= 4 * (n + 1) && s[4 * n] == '\\' && s[4 * n + 1] == 'x' &&
				   dmp_web_hex(s + 4 * n + 2) >= 0)
				n++;
			if (n > 0)
			{
				*to = dmp_web_bytes(*to, s, n, 4, encoding);
				s += 4 * n - 1;
				continue;
			}
		}
		escape = s[1] == '\0' ? NULL : strchr(names, s[1]);
		if (escape == NULL)
			*(*to)++ = '\\';
		else
		{
			*(*to)++ = chars[escape - names];
			s++;
		}
	}
	return end;
}

/*
 * "GET /path HTTP/1.1" into method, path and protocol. The protocol is a last
 * word HTTP/..., the method a first word of capitals with something after it
 * (without a protocol: a "/"). What is left is the path, spaces and all.
 */
static void
split_request(const char *s, size_t length, DmpLogText *fields)
{
	size_t method = 0;
	size_t last = length;
	bool protocol;

	while (last > 0 && s[last - 1] != ' ')
		last--;
	protocol = last > 0 && length - last > 5 && strncmp(s + last, "HTTP/", 5) == 0;
	if (protocol)
	{
		put(&fields[DMP_WEBLOG_PROTOCOL], s + last, length - last);
		length = last - 1;
	}
	while (method < length && ((s[method] >= 'A' && s[method] <= 'Z') || s[method] == '_' ||
							   (s[method] == '-' && method > 0)))
		method++;
	if (method > 0 && method + 1 < length && s[method] == ' ' && (protocol || s[method + 1] == '/'))
	{
		put(&fields[DMP_WEBLOG_METHOD], s, method);
		s += method + 1;
		length -= method + 1;
	}
	put(&fields[DMP_WEBLOG_PATH], s, length);
}

/* " 200 1234" at s; gives the place after it, or NULL */
static const char *
read_numbers(const char *s, const char *end, DmpLogText *fields)
{
	const char *first;

	if (s == end || *s++ != ' ')
		return NULL;
	first = s;
	if (s < end && *s == '-')
		s++;
	else if (end - s < 3 || !dmp_log_is_digits(s, 3))
		return NULL;
	else
		s += 3;
	put(&fields[DMP_WEBLOG_STATUS], first, s - first);
	if (s == end || *s++ != ' ' || s == end)
		return NULL;
	first = s;
	if (*s == '-')
		s++;
	else
		while (s < end && *s >= '0' && *s <= '9' && s - first < 18)
			s++;
	if (s == first)
		return NULL;
	put(&fields[DMP_WEBLOG_BYTES], first, s - first);
	return s == end || *s == ' ' ? s : NULL;
}

/*
 * Host, identity and user, which end at end. False when they are not there.
 * Where vhost, a first of four words that is name:port is left out.
 */
static bool
split_client(const char *s, const char *end, bool vhost, DmpLogText *fields)
{
	const char *word[3];
	const char *colon;

	word[0] = s;
	for (int i = 1; i < 3; i++)
	{
		word[i] = memchr(word[i - 1], ' ', end - word[i - 1]);
		if (word[i] == NULL || word[i] == word[i - 1])
			return false;
		word[i]++;
	}
	colon = memchr(s, ':', word[1] - 1 - s);
	if (vhost && colon != NULL && colon > s && word[1] - 2 > colon &&
		dmp_log_is_digits(colon + 1, word[1] - 2 - colon) &&
		memchr(word[2], ' ', end - word[2]) != NULL)
		return split_client(word[1], end, false, fields);
	put(&fields[DMP_WEBLOG_HOST], word[0], word[1] - 1 - word[0]);
	put(&fields[DMP_WEBLOG_IDENTITY], word[1], word[2] - 1 - word[1]);
	put(&fields[DMP_WEBLOG_USER], word[2], end - word[2]);
	return true;
}

bool
dmp_weblog_line(const char *line, size_t length, int encoding, char *buffer, DmpLogText *fields,
				DmpLogTime *at)
{
	const char *end = line + length;
	const char *bracket;
	const char *s;
	char *from = buffer;
	char *to = buffer;

	memset(fields, 0, sizeof(DmpLogText) * DMP_WEBLOG_FIELDS);
	while (end > line && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	if (end == line || memchr(line, '\n', end - line) != NULL)
		return false;
	bracket = find_time(line, end, at);
	if (bracket == NULL || !split_client(line, bracket - 1, true, fields))
		return false;
	s = bracket + TIME_LENGTH + 2;
	if (end - s < 2 || s[0] != ' ' || s[1] != '"')
		return false;
	s = read_quoted(s + 1, end, encoding, &to);
	split_request(from, to - from, fields);
	s = read_numbers(s, end, fields);
	if (s == NULL)
		return false;
	for (int i = DMP_WEBLOG_REFERRER; i < DMP_WEBLOG_FIELDS && s < end; i++)
	{
		if (end - s < 2 || s[1] != '"')
			return i > DMP_WEBLOG_REFERRER;
		from = to;
		s = read_quoted(s + 1, end, encoding, &to);
		put(&fields[i], from, to - from);
	}
	return true;
}
