/*-------------------------------------------------------------------------
 * weblog.c
 *		dmp.parse_weblog: a line of a web server's access log.
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
#include "dmp.h"

#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "ingest/web.h"

#define WEBLOG_COLUMNS 11

/* dd/Mon/yyyy:hh:mm:ss +zzzz */
#define TIME_LENGTH 26

PG_FUNCTION_INFO_V1(dmp_parse_weblog);

/* The row type of the function, looked up once per call site */
TupleDesc
dmp_web_row(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		TupleDesc desc;
		MemoryContext old;

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = BlessTupleDesc(CreateTupleDescCopy(desc));
		MemoryContextSwitchTo(old);
	}
	return (TupleDesc) fcinfo->flinfo->fn_extra;
}

Datum
dmp_web_text(const char *s, int len)
{
	return PointerGetDatum(cstring_to_text_with_len(s, len));
}

/* The byte that two hexadecimal digits stand for, or -1; reads s[1] only after a digit at s[0] */
int
dmp_web_hex(const char *s)
{
	int value = 0;
	int i;

	for (i = 0; i < 2; i++)
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

/*
 * Append what n escapes of width bytes each stand for, the last two of them
 * hexadecimal digits. Bytes that make no character of the database's encoding
 * (and zero) stay the escapes they were.
 */
void
dmp_web_bytes(StringInfo out, const char *s, int n, int width)
{
	char *bytes = palloc(n + 1);
	int encoding = GetDatabaseEncoding();
	int i;

	for (i = 0; i < n; i++)
		bytes[i] = (char) dmp_web_hex(s + i * width + width - 2);
	bytes[n] = '\0';
	i = 0;
	while (i < n)
	{
		int len = pg_encoding_verifymbchar(encoding, bytes + i, n - i);

		if (bytes[i] == '\0' || len <= 0)
		{
			appendBinaryStringInfo(out, s + i * width, width);
			i++;
		}
		else
		{
			appendBinaryStringInfo(out, bytes + i, len);
			i += len;
		}
	}
	pfree(bytes);
}

static bool
is_digits(const char *s, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

static int
two_digits(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* "17/May/2015:10:05:03 +0000" of TIME_LENGTH bytes; false when it is no time */
static bool
parse_time(const char *s, TimestampTz *result)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int day, month, year, seconds, zone;

	if (!is_digits(s, 2) || s[2] != '/' || s[6] != '/' || !is_digits(s + 7, 4) || s[11] != ':' ||
		!is_digits(s + 12, 2) || s[14] != ':' || !is_digits(s + 15, 2) || s[17] != ':' ||
		!is_digits(s + 18, 2) || s[20] != ' ' || (s[21] != '+' && s[21] != '-') ||
		!is_digits(s + 22, 4))
		return false;
	for (month = 1; month <= 12; month++)
		if (pg_strncasecmp(s + 3, months + 3 * (month - 1), 3) == 0)
			break;
	if (month > 12)
		return false;
	day = two_digits(s);
	year = two_digits(s + 7) * 100 + two_digits(s + 9);
	if (year < 1 || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	/* a leap second, 60, is the first second of the next minute */
	if (two_digits(s + 12) > 23 || two_digits(s + 15) > 59 || two_digits(s + 18) > 60 ||
		two_digits(s + 22) > MAX_TZDISP_HOUR || two_digits(s + 24) > 59)
		return false;
	seconds = (two_digits(s + 12) * 60 + two_digits(s + 15)) * 60 + two_digits(s + 18);
	zone = (two_digits(s + 22) * 60 + two_digits(s + 24)) * 60;
	if (s[21] == '-')
		zone = -zone;
	*result = ((int64) date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
			  ((int64) seconds - zone) * USECS_PER_SEC;
	return true;
}

/* The place of the bracket before a time, or NULL */
static const char *
find_time(const char *s, const char *end, TimestampTz *result)
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

/* A word as the server escaped it: "-" and nothing are NULL */
static void
put(Datum *value, bool *isnull, const char *s, int len)
{
	*isnull = len == 0 || (len == 1 && *s == '-');
	if (!*isnull)
		*value = dmp_web_text(s, len);
}

/*
 * The field whose opening quote is at s, escapes resolved, in out. Gives the
 * place after the closing quote. \" and \\, C's escapes of control characters
 * (Apache) and \xHH (both servers) are what they stand for.
 */
static const char *
read_quoted(const char *s, const char *end, StringInfo out)
{
	static const char names[] = "\"\\nrtbvf";
	static const char chars[] = "\"\\\n\r\t\b\v\f";

	resetStringInfo(out);
	for (s++; s < end; s++)
	{
		const char *escape;

		if (*s == '"' && (s + 1 == end || s[1] == ' '))
			return s + 1;
		if (*s != '\\' || s + 1 == end)
		{
			appendStringInfoChar(out, *s);
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
				dmp_web_bytes(out, s, n, 4);
				s += 4 * n - 1;
				continue;
			}
		}
		escape = s[1] == '\0' ? NULL : strchr(names, s[1]);
		if (escape == NULL)
			appendStringInfoChar(out, '\\');
		else
		{
			appendStringInfoChar(out, chars[escape - names]);
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
split_request(const char *s, int len, Datum *values, bool *nulls)
{
	int method = 0;
	int last = len;
	bool protocol;

	nulls[0] = nulls[1] = nulls[2] = true;
	while (last > 0 && s[last - 1] != ' ')
		last--;
	protocol = last > 0 && len - last > 5 && strncmp(s + last, "HTTP/", 5) == 0;
	if (protocol)
	{
		put(&values[2], &nulls[2], s + last, len - last);
		len = last - 1;
	}
	while (method < len && ((s[method] >= 'A' && s[method] <= 'Z') || s[method] == '_' ||
							(s[method] == '-' && method > 0)))
		method++;
	if (method > 0 && method + 1 < len && s[method] == ' ' && (protocol || s[method + 1] == '/'))
	{
		put(&values[0], &nulls[0], s, method);
		s += method + 1;
		len -= method + 1;
	}
	put(&values[1], &nulls[1], s, len);
}

/* " 200 1234" at s; gives the place after it, or NULL */
static const char *
read_numbers(const char *s, const char *end, Datum *values, bool *nulls)
{
	int64 bytes = 0;

	if (s == end || *s++ != ' ')
		return NULL;
	nulls[0] = s < end && *s == '-';
	if (nulls[0])
		s++;
	else
	{
		if (end - s < 3 || !is_digits(s, 3))
			return NULL;
		values[0] = Int32GetDatum(two_digits(s) * 10 + s[2] - '0');
		s += 3;
	}
	if (s == end || *s++ != ' ' || s == end)
		return NULL;
	nulls[1] = *s == '-';
	if (nulls[1])
		s++;
	else
	{
		const char *first = s;

		while (s < end && *s >= '0' && *s <= '9' && s - first < 18)
			bytes = bytes * 10 + (*s++ - '0');
		if (s == first)
			return NULL;
		values[1] = Int64GetDatum(bytes);
	}
	return s == end || *s == ' ' ? s : NULL;
}

/*
 * Host, identity and user, which end at end. False when they are not there.
 * Where vhost, a first of four words that is name:port is left out.
 */
static bool
split_client(const char *s, const char *end, bool vhost, Datum *values, bool *nulls)
{
	const char *word[3];
	const char *colon;
	int i;

	word[0] = s;
	for (i = 1; i < 3; i++)
	{
		word[i] = memchr(word[i - 1], ' ', end - word[i - 1]);
		if (word[i] == NULL || word[i] == word[i - 1])
			return false;
		word[i]++;
	}
	colon = memchr(s, ':', word[1] - 1 - s);
	if (vhost && colon != NULL && colon > s && word[1] - 2 > colon &&
		is_digits(colon + 1, word[1] - 2 - colon) && memchr(word[2], ' ', end - word[2]) != NULL)
		return split_client(word[1], end, false, values, nulls);
	put(&values[0], &nulls[0], word[0], word[1] - 1 - word[0]);
	put(&values[1], &nulls[1], word[1], word[2] - 1 - word[1]);
	put(&values[2], &nulls[2], word[2], end - word[2]);
	return true;
}

/*
 * dmp.parse_weblog(line text): the fields of a line of an access log, or NULL
 * when it is none. "-" and "" are NULL. Never throws.
 */
Datum
dmp_parse_weblog(PG_FUNCTION_ARGS)
{
	text *line = PG_GETARG_TEXT_PP(0);
	const char *start = VARDATA_ANY(line);
	const char *end = start + VARSIZE_ANY_EXHDR(line);
	const char *bracket;
	const char *s;
	Datum values[WEBLOG_COLUMNS] = {0};
	bool nulls[WEBLOG_COLUMNS];
	TimestampTz at;
	StringInfoData field;
	int i;

	memset(nulls, true, sizeof(nulls));
	while (end > start && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		end--;
	if (memchr(start, '\n', end - start) != NULL)
		PG_RETURN_NULL();
	bracket = find_time(start, end, &at);
	if (bracket == NULL || !split_client(start, bracket - 1, true, values, nulls))
		PG_RETURN_NULL();
	values[3] = TimestampTzGetDatum(at);
	nulls[3] = false;
	s = bracket + TIME_LENGTH + 2;
	if (end - s < 2 || s[0] != ' ' || s[1] != '"')
		PG_RETURN_NULL();
	initStringInfo(&field);
	s = read_quoted(s + 1, end, &field);
	split_request(field.data, field.len, &values[4], &nulls[4]);
	s = read_numbers(s, end, &values[7], &nulls[7]);
	if (s == NULL)
		PG_RETURN_NULL();
	for (i = 9; i < WEBLOG_COLUMNS && s < end; i++)
	{
		if (end - s < 2 || s[1] != '"')
		{
			if (i == 9)
				PG_RETURN_NULL();
			break;
		}
		s = read_quoted(s + 1, end, &field);
		put(&values[i], &nulls[i], field.data, field.len);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(dmp_web_row(fcinfo), values, nulls)));
}
