/*-------------------------------------------------------------------------
 * lines.c
 *		Fuzzes the splitter of csv and logs, and the fields of a csv record.
 *
 * It ends, its records do not depend on how the bytes come in chunks, they
 * come in the order of the file, and what is in no record is blank. A record
 * of more than one line is one whose quotes close. Fields lie in their record,
 * in order, and put together again are the record.
 *
 * The first byte of an input chooses delimiter, quote, escape and encoding.
 *-------------------------------------------------------------------------
 */
#include "ingest/split.h"

#include "ingest/csv.h"
#include "mb/pg_wchar.h"

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

#define MAX_FIELDS 16

typedef struct Records
{
	const DmpSplitFormat *format;
	const char *text;
	size_t length;
	size_t at; /* all before is accounted for */
	int64 n;
	int64 line_no;
	uint64 hash;
} Records;

static void
check_fields(const DmpSplitFormat *format, char delimiter, const char *record, size_t length)
{
	char *copy = malloc(length + 1);
	DmpCsv csv;
	DmpCsvField fields[MAX_FIELDS];
	const char *message = NULL;
	int field = 0;
	const char *at = copy;
	int n;

	/* not terminated: reading past the end is found */
	memcpy(copy, record, length);
	dmp_csv_prepare(&csv, delimiter, format->quote, format->escape);
	n = dmp_csv_fields(&csv, copy, length, fields, MAX_FIELDS, &message, &field);
	if (n < 0 && (message == NULL || field < 1))
		abort();
	for (int i = 0; i < Min(n, MAX_FIELDS); i++)
	{
		char *text = malloc(fields[i].length + 1);

		at += fields[i].quoted;
		if (fields[i].start != at || dmp_csv_unescape(&csv, &fields[i], text) > fields[i].length)
			abort();
		at += fields[i].length + fields[i].quoted;
		if (at > copy + length || (i + 1 < n && *at != delimiter))
			abort();
		at++;
		free(text);
	}
	/* line ends behind the record are no part of it: there are none here */
	if (n > 0 && n <= MAX_FIELDS && at != copy + length + 1)
		abort();
	if (n < 0 && memchr(record, '\n', length) != NULL && format->delimiter == delimiter &&
		format->encoding == PG_UTF8)
		abort();
	free(copy);
}

static void
record(void *arg, const char *bytes, size_t length, int64 full_length, int64 line_no)
{
	Records *r = arg;

	if (length == 0 || full_length != 0 || line_no <= r->line_no)
		abort();
	while (r->at + length > r->length || memcmp(r->text + r->at, bytes, length) != 0)
		if (r->at >= r->length || strchr(" \t\r\n", r->text[r->at++]) == NULL ||
			r->text[r->at - 1] == '\0')
			abort();
	r->at += length;
	r->n++;
	r->line_no = line_no;
	for (size_t i = 0; i < length; i++)
		r->hash = (r->hash ^ (unsigned char) bytes[i]) * UINT64CONST(1099511628211);
	r->hash = r->hash * 31 + (uint64) line_no;
	check_fields(r->format, r->format->delimiter ? r->format->delimiter : ',', bytes, length);
}

static Records
split(const DmpSplitFormat *format, const char *text, size_t length, size_t chunk)
{
	Records r = {format, text, length, 0, 0, 0, 0};
	DmpSplit *s = dmp_split_begin(format, record, &r);

	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		r.at = 3;
	for (size_t at = 0; at < length; at += chunk)
		dmp_split_feed(s, text + at, Min(chunk, length - at));
	dmp_split_end(s);
	if (length >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0))
		return r;
	while (r.at < r.length)
		if (strchr(" \t\r\n", r.text[r.at++]) == NULL || r.text[r.at - 1] == '\0')
			abort();
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	static const DmpSplitFormat formats[] = {
		{DMP_SPLIT_LINES, ',', '"', '"', PG_UTF8},   {DMP_SPLIT_LINES, '\0', '"', '"', PG_UTF8},
		{DMP_SPLIT_LINES, ';', '"', '\\', PG_UTF8},  {DMP_SPLIT_LINES, '|', '"', '\\', PG_GB18030},
		{DMP_SPLIT_LINES, ',', '\'', '\'', PG_SJIS}, {DMP_SPLIT_LINES, '\0', '\0', '\0', PG_UTF8},
	};
	const DmpSplitFormat *format;
	Records whole, bytes, some;

	if (size == 0)
		return 0;
	format = &formats[data[0] % lengthof(formats)];
	data++;
	size--;
	whole = split(format, (const char *) data, size, size + 1);
	bytes = split(format, (const char *) data, size, 1);
	some = split(format, (const char *) data, size, 7);
	if (whole.n != bytes.n || whole.hash != bytes.hash || whole.n != some.n ||
		whole.hash != some.hash)
		abort();
	return 0;
}
