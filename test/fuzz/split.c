/*-------------------------------------------------------------------------
 * split.c
 *		Fuzzes the splitter of files: it ends, its records do not depend on how
 *		the bytes come in chunks, they come in the order of the file, and what
 *		is in no record is blanks, separators and brackets of arrays.
 *-------------------------------------------------------------------------
 */
#include "ingest/split.h"

#include "mb/pg_wchar.h"

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

typedef struct Records
{
	const char *text;
	size_t length;
	size_t at; /* all before is accounted for */
	int64 n;
	int64 line_no;
	uint64 hash;
} Records;

static void
skip(Records *r)
{
	char c = r->text[r->at++];

	if (strchr(" \t\r\n,[]", c) == NULL || c == '\0')
		abort();
}

static void
record(void *arg, const char *bytes, size_t length, int64 full_length, int64 line_no)
{
	Records *r = arg;

	if (length == 0 || full_length != 0 || line_no < r->line_no || line_no < 1)
		abort();
	while (r->at + length > r->length || memcmp(r->text + r->at, bytes, length) != 0)
	{
		if (r->at >= r->length)
			abort();
		skip(r);
	}
	r->at += length;
	r->n++;
	r->line_no = line_no;
	for (size_t i = 0; i < length; i++)
		r->hash = (r->hash ^ (unsigned char) bytes[i]) * UINT64CONST(1099511628211);
	r->hash = r->hash * 31 + (uint64) line_no;
}

static Records
split(const char *text, size_t length, size_t chunk, int encoding)
{
	Records r = {text, length, 0, 0, 0, 0};
	DmpSplitFormat format = {DMP_SPLIT_JSON, '\0', '\0', '\0', encoding};
	DmpSplit *s = dmp_split_begin(&format, record, &r);

	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		r.at = 3;
	for (size_t at = 0; at < length; at += chunk)
		dmp_split_feed(s, text + at, Min(chunk, length - at));
	if (dmp_split_is_utf16(s))
		r.at = length;
	dmp_split_end(s);
	while (r.at < r.length)
		skip(&r);
	return r;
}

static void
check(const char *text, size_t size, int encoding)
{
	Records whole = split(text, size, size + 1, encoding);
	Records bytes = split(text, size, 1, encoding);
	Records some = split(text, size, 7, encoding);

	if (whole.n != bytes.n || whole.hash != bytes.hash || whole.n != some.n ||
		whole.hash != some.hash)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	check((const char *) data, size, PG_UTF8);
	check((const char *) data, size, PG_GB18030);
	return 0;
}
