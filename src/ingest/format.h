/*-------------------------------------------------------------------------
 * format.h
 *		What a source's format and options say about its records.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_FORMAT_H
#define DMP_FORMAT_H

#include "dmp.h"

#include "base/base.h"
#include "ingest/split.h"

typedef enum DmpFormatKind
{
	DMP_FORMAT_JSON,
	DMP_FORMAT_CSV,
	DMP_FORMAT_WEBLOG, /* access logs of web servers */
	DMP_FORMAT_SYSLOG,
	DMP_FORMAT_KV /* key=value pairs */
} DmpFormatKind;

typedef enum DmpHeader
{
	DMP_HEADER_FOUND, /* the first record of a file, when it has names that are wanted */
	DMP_HEADER_TRUE,
	DMP_HEADER_FALSE
} DmpHeader;

/* all zero: json */
typedef struct DmpFormat
{
	DmpFormatKind kind;
	int encoding;   /* of files */
	char delimiter; /* '\0': to be found */
	char quote;     /* '\0': none */
	char escape;
	DmpHeader header;
	List *columns; /* names of the fields of records without a header, NIL: not given */
	char assign;   /* kv: between key and value */
	char *explode; /* json: path of the array whose elements are the rows, NULL: none */
	int year;      /* syslog: of times that do not say it, 0: by when they came */
	bool pad;      /* short records are filled up, empty fields at the end are dropped */
} DmpFormat;

/* an error that names those there are when it is none of them */
extern DmpFormatKind dmp_format_kind(const char *name);
extern const char *dmp_format_name(DmpFormatKind kind);
/* names of the options that formats have */
extern List *dmp_format_options(void);
/* reads the options of a source that concern its format; others are left alone */
extern void dmp_format_read(DmpFormat *format, DmpFormatKind kind, const DmpDoc *options);
/* the fields of a format that has a fixed set of them; 0: it has none */
extern int dmp_format_fields(const DmpFormat *format, const char *const **names);
extern char *dmp_format_field_list(const DmpFormat *format);
/* an error when the format has a fixed set of fields and field is none of them */
extern void dmp_format_check_field(const DmpFormat *format, const char *field, const char *column);
/* how to find the records of a file */
extern DmpSplitFormat dmp_format_split(const DmpFormat *format);

#endif /* DMP_FORMAT_H */
