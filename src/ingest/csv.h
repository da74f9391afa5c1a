/*-------------------------------------------------------------------------
 * csv.h
 *		The fields of a csv record. Plain C, no server calls: fuzzed alone.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_CSV_H
#define DMP_CSV_H

#include <stdbool.h>
#include <stddef.h>

/* How a file writes its records */
typedef struct DmpCsv
{
	char delimiter;
	char quote;     /* '\0': quotes are letters as others */
	char escape;    /* before a quote inside quotes; often the quote itself */
	bool stop[256]; /* bytes that end an unquoted field */
} DmpCsv;

typedef struct DmpCsvField
{
	const char *start; /* inside its quotes */
	size_t length;
	bool quoted;
	bool escaped; /* has escapes: dmp_csv_unescape */
} DmpCsvField;

extern void dmp_csv_prepare(DmpCsv *csv, char delimiter, char quote, char escape);
/*
 * The fields of a record: the first max of them in fields, and how many there
 * are. A line end behind the record is no part of it. -1: the record is
 * malformed, *message says how, *field which field (from 1).
 *
 * A quote opens a field at its start only; elsewhere in an unquoted field it
 * is a letter.
 */
extern int dmp_csv_fields(const DmpCsv *csv, const char *line, size_t length, DmpCsvField *fields,
						  int max, const char **message, int *field);
/* the text of a field with escapes; out has room for its length; returns the length */
extern size_t dmp_csv_unescape(const DmpCsv *csv, const DmpCsvField *field, char *out);

#endif /* DMP_CSV_H */
