/*-------------------------------------------------------------------------
 * split_lines.c
 *		The records of a file of lines: csv, where quotes may hold line ends, and
 *		logs, where nothing may.
 *
 * Line ends are LF, CRLF or CR, mixed as they come. A quote opens at the start
 * of a field, and closes where a delimiter, a line end or the end of the file
 * follows. As in split.c, a bad record takes no good one with it: a quote that
 * does not close (another byte follows, or the file ends) was none. The
 * record's first line is given out as it is, and reading goes on behind it.
 *
 * What is read again is bounded: once it is more than twice the file so far,
 * no record goes past its line.
 *-------------------------------------------------------------------------
 */
#include "ingest/split.h"

#include "mb/pg_wchar.h"

#ifndef FRONTEND
#include "miscadmin.h"
#include "utils/memutils.h"
#else
#define repalloc_huge(pointer, size) repalloc(pointer, size)
#define CHECK_FOR_INTERRUPTS() ((void) 0)
#endif

#define AGAIN_FREE (1024 * 1024)

struct DmpLines
{
	DmpSplitRecord record;
	void *arg;
	char *buffer;
	size_t pos;
	size_t end;
	size_t space;
	bool final; /* no more bytes come */
	char quote;
	char escape;
	bool opens[256];  /* bytes a quote opens behind */
	bool inside[256]; /* bytes to look at between quotes */
	bool stop[256];   /* and outside */
	const bool *pairs;
	size_t pair_end; /* behind the last byte that was the second of a pair */
	int64 line_no;   /* of pos, from 1 */
	bool after_cr;   /* a LF here belongs to the CR before */
	/* the record */
	size_t from;
	int64 from_line;
	size_t first_line_end; /* offset of the line end after its first line; 0: still there */
	bool in_quote;
	bool plain; /* quotes are letters up to the line end */
	int64 cut;  /* bytes of it that were dropped, 0: none */
	char *head; /* its first bytes, when cut */
	int64 done; /* bytes given out */
	int64 again;
};

const bool *
dmp_split_pairs(int encoding)
{
	static bool shift_jis[256];
	static bool others[256];

	for (int c = 0x81; c <= 0xFE; c++)
	{
		others[c] = true;
		/* 0xA0 to 0xDF are katakana of one byte */
		shift_jis[c] = c <= 0x9F || (c >= 0xE0 && c <= 0xFC);
	}
	switch (encoding)
	{
		case PG_SJIS:
		case PG_SHIFT_JIS_2004:
			return shift_jis;
		case PG_BIG5:
		case PG_GBK:
		case PG_UHC:
		case PG_GB18030:
		case PG_JOHAB:
			return others;
		default:
			return NULL;
	}
}

DmpLines *
dmp_lines_begin(const DmpSplitFormat *format, DmpSplitRecord record, void *arg)
{
	DmpLines *s = palloc0(sizeof(DmpLines));

	s->record = record;
	s->arg = arg;
	s->space = 4096;
	s->buffer = palloc(s->space);
	s->line_no = 1;
	s->from_line = 1;
	s->quote = format->quote;
	s->escape = format->escape;
	s->pairs = dmp_split_pairs(format->encoding);
	s->stop['\n'] = s->stop['\r'] = true;
	s->inside['\n'] = s->inside['\r'] = true;
	if (s->quote != '\0')
	{
		s->stop[(unsigned char) s->quote] = true;
		s->inside[(unsigned char) s->quote] = true;
		s->inside[(unsigned char) s->escape] = true;
		for (const char *c = format->delimiter ? "" : ",;\t|"; *c; c++)
			s->opens[(unsigned char) *c] = true;
		s->opens[(unsigned char) format->delimiter] = format->delimiter != '\0';
	}
	for (int c = 0; c < 256 && s->pairs != NULL; c++)
		if (s->pairs[c])
			s->stop[c] = s->inside[c] = true;
	return s;
}

void
dmp_lines_utf8(DmpLines *s)
{
	for (int c = 0; c < 256 && s->pairs != NULL; c++)
		if (s->pairs[c])
			s->stop[c] = s->inside[c] = false;
	s->pairs = NULL;
}

static inline bool
is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

/* gives out buffer[from, to); the next record starts at next */
static void
emit(DmpLines *s, size_t to, size_t next)
{
	size_t at = s->from;

	while (at < to && (s->buffer[at] == ' ' || s->buffer[at] == '\t'))
		at++;
	if (s->cut > 0)
		s->record(s->arg, s->head, DMP_RECORD_HEAD, s->cut + (int64) (to - s->from), s->from_line);
	else if (at < to)
		s->record(s->arg, s->buffer + s->from, to - s->from, 0, s->from_line);
	s->done += s->cut + (int64) (next - s->from);
	s->cut = 0;
	s->pos = next;
	s->from = next;
	s->from_line = s->line_no;
	s->first_line_end = 0;
	s->in_quote = false;
	s->plain = false;
}

/* the quote that is open never closes */
static void
broken(DmpLines *s)
{
	size_t at = s->first_line_end;

	s->in_quote = false;
	if (at == 0 || s->cut > 0)
	{
		s->plain = true;
		return;
	}
	s->again += (int64) (s->pos - at);
	s->line_no = s->from_line + 1;
	s->after_cr = s->buffer[at] == '\r';
	emit(s, at, at + 1);
}

/* the first of two bytes that belong together; false: the second is not there yet */
static bool
pair(DmpLines *s)
{
	if (s->pos + 1 >= s->end && !s->final)
		return false;
	s->pos++;
	/* what follows may be no second byte at all */
	if (s->pos < s->end && (unsigned char) s->buffer[s->pos] >= 0x30)
		s->pair_end = ++s->pos;
	return true;
}

/* counts the line end at pos */
static void
count_line(DmpLines *s, char c)
{
	CHECK_FOR_INTERRUPTS();
	if (c == '\r' || !s->after_cr)
		s->line_no++;
	s->after_cr = c == '\r';
}

/* reads what is between quotes; false: more bytes are needed */
static bool
between_quotes(DmpLines *s)
{
	size_t start = s->pos;
	char c;
	char next;

	while (s->pos < s->end && !s->inside[(unsigned char) s->buffer[s->pos]])
		s->pos++;
	if (s->pos > start)
		s->after_cr = false;
	if (s->pos == s->end)
		return true;
	c = s->buffer[s->pos];
	if (is_line_end(c))
	{
		if (s->first_line_end == 0)
		{
			s->first_line_end = s->pos;
			if (s->again > 2 * s->done + AGAIN_FREE)
			{
				broken(s);
				return true;
			}
		}
		count_line(s, c);
		s->pos++;
		return true;
	}
	s->after_cr = false;
	if (c != s->quote && c != s->escape)
		return pair(s);
	if (s->pos + 1 >= s->end && !s->final)
		return false;
	next = s->pos + 1 < s->end ? s->buffer[s->pos + 1] : '\n';
	if (c == s->escape && s->pos + 1 < s->end && (next == s->quote || next == s->escape))
		s->pos += 2;
	else if (c != s->quote)
		s->pos++;
	else if (is_line_end(next) || s->opens[(unsigned char) next])
	{
		s->in_quote = false;
		s->pos++;
	}
	else
		broken(s);
	return true;
}

/* reads what is outside quotes; false: more bytes are needed */
static bool
outside(DmpLines *s)
{
	char c;

	while (s->pos < s->end && !s->stop[(unsigned char) s->buffer[s->pos]])
		s->pos++;
	if (s->pos > s->from)
		s->after_cr = false;
	if (s->pos == s->end)
		return true;
	c = s->buffer[s->pos];
	if (c == '\n' && s->after_cr)
	{
		s->after_cr = false;
		s->pos++;
		s->from = s->pos;
	}
	else if (is_line_end(c))
	{
		count_line(s, c);
		emit(s, s->pos, s->pos + 1);
	}
	else if (c != s->quote || s->quote == '\0')
		return pair(s);
	else
	{
		if (!s->plain && (s->pos == s->from || (s->opens[(unsigned char) s->buffer[s->pos - 1]] &&
												s->pos != s->pair_end)))
			s->in_quote = true;
		s->after_cr = false;
		s->pos++;
	}
	return true;
}

/* a record past the limit: its head is kept, what was read of it is dropped */
static void
cut_record(DmpLines *s)
{
	if (s->pos - s->from <= DMP_RECORD_MAX)
		return;
	if (s->cut == 0)
	{
		if (s->in_quote && s->first_line_end > 0)
		{
			broken(s);
			return;
		}
		if (s->head == NULL)
			s->head = palloc(DMP_RECORD_HEAD);
		memcpy(s->head, s->buffer + s->from, DMP_RECORD_HEAD);
	}
	s->in_quote = false;
	s->plain = true;
	s->cut += (int64) (s->pos - s->from);
	s->from = s->pos;
}

static void
advance(DmpLines *s)
{
	while (s->pos < s->end && (s->in_quote ? between_quotes(s) : outside(s)))
		;
}

void
dmp_lines_feed(DmpLines *s, const char *bytes, size_t length)
{
	size_t keep = s->from;

	memmove(s->buffer, s->buffer + keep, s->end - keep);
	s->pos -= keep;
	s->end -= keep;
	s->from = 0;
	s->first_line_end -= Min(s->first_line_end, keep);
	s->pair_end -= Min(s->pair_end, keep);
	if (s->space - s->end < length)
	{
		while (s->space - s->end < length)
			s->space *= 2;
		s->buffer = repalloc_huge(s->buffer, s->space);
	}
	memcpy(s->buffer + s->end, bytes, length);
	s->end += length;
	advance(s);
	cut_record(s);
}

void
dmp_lines_end(DmpLines *s)
{
	s->final = true;
	while (s->from < s->end || s->cut > 0)
	{
		advance(s);
		if (s->in_quote)
			broken(s);
		else if (s->pos == s->end)
			emit(s, s->end, s->end);
	}
	if (s->head)
		pfree(s->head);
	pfree(s->buffer);
	pfree(s);
}
