/*-------------------------------------------------------------------------
 * logs.c
 *		Fuzzes the scanners of log lines: access logs, syslog, key=value.
 *
 * They read and write nothing but what is theirs, fields lie in the line or in
 * the buffer, times are times, and structured data come out as valid json.
 *-------------------------------------------------------------------------
 */
#include "ingest/log.h"

#include "ingest/json.h"
#include "mb/pg_wchar.h"

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

typedef struct Space
{
	const char *line;
	size_t length;
	const char *buffer;
	size_t space;
	bool names; /* fields may be words of the program's own */
} Space;

static void
check_text(const Space *s, const DmpLogText *text)
{
	const char *end;

	if (text->start == NULL)
	{
		if (text->length != 0)
			abort();
		return;
	}
	end = text->start + text->length;
	if (!(text->start >= s->line && end <= s->line + s->length) &&
		!(text->start >= s->buffer && end <= s->buffer + s->space) && !s->names)
		abort();
	/* each byte can be read */
	for (size_t i = 0; i < text->length; i++)
		if (text->start[i] == text->start[0] - 1)
			__asm__ volatile("" ::: "memory");
}

static void
check_time(const DmpLogTime *at)
{
	char text[DMP_LOG_TIME_LENGTH];

	if (at->month == 0)
		return;
	if (!dmp_log_is_day(at->year, at->month, at->day) || at->seconds < 0 || at->seconds > 86400 ||
		at->micros < 0 || at->micros > 999999 || abs(at->zone) >= 16 * 3600)
		abort();
	if (dmp_log_time_text(at, at->year, text) >= DMP_LOG_TIME_LENGTH)
		abort();
}

static void
pair(void *arg, const DmpLogText *key, const DmpLogText *value)
{
	if (key->start == NULL || key->length == 0)
		abort();
	if (key->length != 5 || memcmp(key->start, "$text", 5) != 0)
		check_text(arg, key);
	check_text(arg, value);
}

static void
weblog(const char *line, size_t length)
{
	DmpLogText fields[DMP_WEBLOG_FIELDS];
	DmpLogTime at = {0};
	char *buffer = malloc(length + 1);
	Space s = {line, length, buffer, length, false};

	if (dmp_weblog_line(line, length, PG_UTF8, buffer, fields, &at))
	{
		for (int i = 0; i < DMP_WEBLOG_FIELDS; i++)
			check_text(&s, &fields[i]);
		check_time(&at);
		if (at.month == 0 || at.year == 0)
			abort();
	}
	free(buffer);
}

static void
syslog(const char *line, size_t length)
{
	DmpLogText fields[DMP_SYSLOG_FIELDS];
	DmpLogTime at;
	size_t space = DMP_SYSLOG_BUFFER(length);
	char *buffer = malloc(space);
	Space s = {line, length, buffer, space, true};
	size_t position;

	if (dmp_syslog_line(line, length, buffer, fields, &at))
	{
		for (int i = 0; i < DMP_SYSLOG_FIELDS; i++)
			check_text(&s, &fields[i]);
		check_time(&at);
		if (fields[DMP_SYSLOG_DATA].start != NULL && memchr(line, '\0', length) == NULL &&
			pg_encoding_verifymbstr(PG_UTF8, line, (int) length) == (int) length &&
			dmp_json_check(fields[DMP_SYSLOG_DATA].start, fields[DMP_SYSLOG_DATA].length,
						   &position) != NULL)
			abort();
	}
	free(buffer);
}

static void
kv(const char *line, size_t length)
{
	static const DmpKv formats[] = {{'\0', '=', '"'}, {';', ':', '\''}, {'&', '=', '\0'}};

	for (int i = 0; i < lengthof(formats); i++)
	{
		char *buffer = malloc(2 * length + 2);
		Space s = {line, length, buffer, 2 * length + 2, false};

		(void) dmp_kv_line(&formats[i], line, length, buffer, pair, &s);
		free(buffer);
	}
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	/* not terminated: reading past the end is found */
	char *line = malloc(size ? size : 1);

	memcpy(line, data, size);
	weblog(line, size);
	syslog(line, size);
	kv(line, size);
	free(line);
	return 0;
}
