/*-------------------------------------------------------------------------
 * log.h
 *		The fields of lines of logs. No server calls: fuzzed alone.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LOG_H
#define DMP_LOG_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

/* A piece of a line, or of the caller's buffer; start NULL: not there */
typedef struct DmpLogText
{
	const char *start;
	size_t length;
} DmpLogText;

typedef struct DmpLogTime
{
	int year; /* 0: the line does not say it */
	int month;
	int day;
	int seconds; /* of the day; 86400 for a leap second at its end */
	int micros;
	bool zoned;
	int zone; /* seconds east of Greenwich, when zoned */
} DmpLogTime;

/* whether the day is one: dd of month mm; year 0 is any */
extern bool dmp_log_is_day(int year, int month, int day);
/* 1 to 12 of the three letters in English, any case, or 0 */
extern int dmp_log_month(const char *s);
extern bool dmp_log_is_digits(const char *s, size_t n);
/* the number that n digits (at most 9) are */
extern int dmp_log_number(const char *s, size_t n);
/* "2015-05-17 10:05:03.000001+02:00", terminated; the length is returned */
#define DMP_LOG_TIME_LENGTH 48
extern size_t dmp_log_time_text(const DmpLogTime *time, int year, char *out);

/* ---- weblog_line.c: access logs of web servers */

enum
{
	DMP_WEBLOG_HOST,
	DMP_WEBLOG_IDENTITY,
	DMP_WEBLOG_USER,
	DMP_WEBLOG_TIME, /* not set: at has it */
	DMP_WEBLOG_METHOD,
	DMP_WEBLOG_PATH,
	DMP_WEBLOG_PROTOCOL,
	DMP_WEBLOG_STATUS, /* three digits */
	DMP_WEBLOG_BYTES,  /* up to 18 digits */
	DMP_WEBLOG_REFERRER,
	DMP_WEBLOG_AGENT,
	DMP_WEBLOG_FIELDS
};

extern const char *const dmp_weblog_names[DMP_WEBLOG_FIELDS];
extern const char *const dmp_syslog_names[];

/*
 * The fields of a line, or false when it is none of an access log. buffer has
 * room for length bytes; escapes are resolved in it, to characters of encoding.
 */
extern bool dmp_weblog_line(const char *line, size_t length, int encoding, char *buffer,
							DmpLogText *fields, DmpLogTime *at);
/* the byte that two hexadecimal digits stand for, or -1; reads s[1] only after a digit at s[0] */
extern int dmp_web_hex(const char *s);
/*
 * Writes what n escapes of width bytes each stand for, the last two of them
 * hexadecimal digits, and returns the end. Bytes that make no character of the
 * encoding (and zero) stay the escapes they were.
 */
extern char *dmp_web_bytes(char *to, const char *s, int n, int width, int encoding);

/* ---- syslog_line.c: lines of syslog, RFC 3164 and RFC 5424 */

enum
{
	DMP_SYSLOG_PRIORITY, /* the number in front */
	DMP_SYSLOG_FACILITY, /* and what it says */
	DMP_SYSLOG_SEVERITY,
	DMP_SYSLOG_TIME, /* not set: at has it */
	DMP_SYSLOG_HOST,
	DMP_SYSLOG_PROGRAM,
	DMP_SYSLOG_PID,
	DMP_SYSLOG_MSGID,
	DMP_SYSLOG_DATA, /* structured data as json */
	DMP_SYSLOG_MESSAGE,
	DMP_SYSLOG_FIELDS
};

#define DMP_SYSLOG_BUFFER(length) (6 * (length) + 16)

/* As dmp_weblog_line; buffer has room for DMP_SYSLOG_BUFFER(length) bytes. */
extern bool dmp_syslog_line(const char *line, size_t length, char *buffer, DmpLogText *fields,
							DmpLogTime *at);

/* ---- kv.c: key=value pairs */

typedef struct DmpKv
{
	char delimiter; /* between pairs; '\0': blanks */
	char assign;    /* between key and value */
	char quote;     /* around values; '\0': none */
} DmpKv;

/* value.start NULL: nothing stands behind the assign character */
typedef void (*DmpKvPair)(void *arg, const DmpLogText *key, const DmpLogText *value);

/*
 * Tells each pair of a line in order, then what is no pair (its words joined by
 * spaces) under the key "$text". buffer has room for 2 * length + 2 bytes. NULL,
 * or why the line is malformed.
 */
extern const char *dmp_kv_line(const DmpKv *kv, const char *line, size_t length, char *buffer,
							   DmpKvPair pair, void *arg);

#endif /* DMP_LOG_H */
