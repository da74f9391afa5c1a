/*-------------------------------------------------------------------------
 * split.c
 *		The records of a file of json: lines, arrays, concatenated objects,
 *		pretty-printed or not, from chunks of any size.
 *
 * A machine over bytes that knows strings and brackets only; whether a record
 * is valid is decided where it is decoded. Its business is that a bad record
 * takes no good one with it:
 *
 *	- A line that is no object is a record by itself.
 *	- A line end inside a string, a closing bracket of the wrong kind, a byte
 *	  that json has nowhere, two values in a row: the record is broken. Its
 *	  first line is given out as a record, and reading goes on behind it, so
 *	  that the lines a cut-off object seemed to swallow are read again. In a
 *	  file that has shown records of several lines, the broken one goes up to
 *	  the next line that starts with a closing brace, as one record.
 *	- In an array without line ends, a broken element goes up to the next
 *	  "},{".
 *
 * Line ends are LF, CRLF or CR. A comma between records is allowed. Memory is
 * one record; of one longer than DMP_RECORD_MAX only the head is kept.
 *-------------------------------------------------------------------------
 */
#include "ingest/split.h"

#ifndef FRONTEND
#include "miscadmin.h"
#include "utils/memutils.h"
#else
#define repalloc_huge(pointer, size) repalloc(pointer, size)
#define CHECK_FOR_INTERRUPTS() ((void) 0)
#endif

#define MAX_DEPTH 2048
/* after so many broken records in a row, no record is looked for past its line */
#define MAX_FAILURES 16

typedef enum SplitMode
{
	BETWEEN,  /* records */
	INSIDE,   /* an object or array that is a record */
	COMPLETE, /* behind one, on its line */
	SCALAR,   /* an element of an array that is neither */
	GARBAGE   /* to the end of the line, or of the broken element */
} SplitMode;

struct DmpSplit
{
	DmpSplitRecord record;
	void *arg;
	DmpLines *lines;   /* not json: all is left to split_lines.c */
	const bool *pairs; /* bytes that are the first of two, or NULL */
	char *buffer;
	size_t pos;
	size_t end;
	size_t space;
	bool started; /* the byte order mark is behind us */
	bool utf16;
	bool marked;    /* the bytes start with the mark of UTF-8 */
	bool waits;     /* for the other half of a character */
	bool final;     /* no more bytes come */
	int64 line_no;  /* of pos, from 1 */
	bool after_cr;  /* a LF here belongs to the CR before */
	bool in_array;  /* records are elements of an array */
	bool separable; /* a comma here separates records */
	SplitMode mode;
	/* the record */
	size_t from;
	size_t to; /* COMPLETE: its end */
	int64 from_line;
	size_t first_line_end; /* offset of the line end after its first line; 0: still there */
	bool line_start;       /* no significant byte on this line yet */
	bool in_string;
	bool escaped;
	int depth;
	uint8 objects[MAX_DEPTH / 8];
	char last;   /* significant byte before pos, in the record */
	char before; /* and the one before that */
	int64 cut;   /* bytes of it that were dropped, 0: none */
	char *head;  /* its first bytes, when cut */
	bool region; /* GARBAGE: up to a line with a closing brace */
	bool pretty; /* records of several lines have been seen */
	int failures;
};

DmpSplit *
dmp_split_begin(const DmpSplitFormat *format, DmpSplitRecord record, void *arg)
{
	DmpSplit *s = palloc0(sizeof(DmpSplit));

	s->record = record;
	s->arg = arg;
	s->pairs = dmp_split_pairs(format->encoding);
	if (format->kind == DMP_SPLIT_LINES)
		s->lines = dmp_lines_begin(format, record, arg);
	s->space = s->lines ? 16 : 4096;
	s->buffer = palloc(s->space);
	s->line_no = 1;
	return s;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* gives out buffer[from, to), less blanks at its end; reading goes on as between records */
static void
emit(DmpSplit *s, size_t to)
{
	while (to > s->from && is_space(s->buffer[to - 1]))
		to--;
	/* what separates a broken element from the next is no part of it */
	if (s->mode == GARBAGE && s->in_array && to > s->from + 1 && s->buffer[to - 1] == ',')
		to--;
	if (s->cut > 0)
		s->record(s->arg, s->head, DMP_RECORD_HEAD, s->cut + (int64) (to - s->from), s->from_line);
	else if (to > s->from)
		s->record(s->arg, s->buffer + s->from, to - s->from, 0, s->from_line);
	s->cut = 0;
	s->mode = BETWEEN;
	s->separable = true;
}

static void
begin_record(DmpSplit *s, SplitMode mode)
{
	s->mode = mode;
	s->from = s->pos;
	s->from_line = s->line_no;
	s->first_line_end = 0;
	s->line_start = false;
	s->in_string = false;
	s->escaped = false;
	s->depth = 0;
	s->last = '\0';
	s->before = '\0';
	s->region = false;
}

/* the end of the first "},{" boundary's brace in the record so far, or 0 */
static size_t
element_boundary(const DmpSplit *s)
{
	for (size_t i = s->from + 1; i < s->pos; i++)
	{
		size_t j = i + 1;

		if (s->buffer[i] != '}')
			continue;
		while (j < s->pos && is_space(s->buffer[j]))
			j++;
		if (j >= s->pos || s->buffer[j] != ',')
			continue;
		j++;
		while (j < s->pos && is_space(s->buffer[j]))
			j++;
		if (j < s->pos && s->buffer[j] == '{')
			return i + 1;
	}
	return 0;
}

/* behind the line end at offset at */
static size_t
behind_line_end(const DmpSplit *s, size_t at)
{
	return at + 1 + (s->buffer[at] == '\r' && at + 1 < s->end && s->buffer[at + 1] == '\n');
}

/* the record cannot go on as it does at pos */
static void
broken(DmpSplit *s)
{
	size_t boundary;

	s->in_string = false;
	s->escaped = false;
	if (s->cut > 0)
	{
		s->mode = GARBAGE;
		return;
	}
	if (s->first_line_end > 0 && s->pretty && s->failures < MAX_FAILURES)
	{
		s->mode = GARBAGE;
		s->region = true;
		s->failures++;
		return;
	}
	if (s->first_line_end > 0)
	{
		size_t at = s->first_line_end;

		emit(s, at);
		s->pos = behind_line_end(s, at);
		s->line_no = s->from_line + 1;
		s->after_cr = false;
		s->separable = false;
		s->failures++;
		return;
	}
	boundary = s->in_array ? element_boundary(s) : 0;
	if (boundary > 0)
	{
		emit(s, boundary);
		s->pos = boundary;
		return;
	}
	s->mode = GARBAGE;
}

static void
line_end(DmpSplit *s)
{
	switch (s->mode)
	{
		case BETWEEN:
			break;
		case COMPLETE:
			emit(s, s->to);
			break;
		case SCALAR:
			emit(s, s->pos);
			break;
		case GARBAGE:
			if (!s->region || s->last == '}')
				emit(s, s->pos);
			break;
		case INSIDE:
			if (s->in_string || s->failures >= MAX_FAILURES)
			{
				bool first = s->first_line_end == 0;

				broken(s);
				/* a broken first line ends here */
				if (first && s->mode == GARBAGE)
					emit(s, s->pos);
				else if (s->mode == BETWEEN)
					return; /* pos went back: this line end comes again */
				break;
			}
			if (s->first_line_end == 0)
				s->first_line_end = s->pos;
			break;
	}
	if (s->mode == GARBAGE && s->region)
		s->last = '\0';
	s->line_start = true;
	s->separable = s->separable || s->mode == BETWEEN;
	s->line_no++;
	s->after_cr = s->buffer[s->pos] == '\r';
	s->pos++;
}

/* what may stand outside strings: brackets, separators, numbers, letters of true false null */
static const bool json_bytes[256] = {
	['{'] = true, ['}'] = true, ['['] = true, [']'] = true, [','] = true, [':'] = true,
	['"'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['E'] = true, ['t'] = true,
	['r'] = true, ['u'] = true, ['e'] = true, ['f'] = true, ['a'] = true, ['l'] = true,
	['s'] = true, ['n'] = true, ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true,
	['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true};

/* at the first significant byte of a line: may it follow what the line before ended with? */
static bool
may_follow(const DmpSplit *s, char c)
{
	bool object = s->depth > 0 && (s->objects[(s->depth - 1) / 8] & (1 << (s->depth - 1) % 8));

	switch (s->last)
	{
		case '{':
			return c == '"' || c == '}';
		case ',':
			return !object || c == '"';
		case '[':
		case ':':
			return true;
		default:
			return c == ',' || c == ':' || c == '}' || c == ']';
	}
}

/* a significant byte of a record, outside its strings */
static void
inside(DmpSplit *s, char c)
{
	bool object;

	if (!json_bytes[(unsigned char) c] || (s->line_start && !may_follow(s, c)))
	{
		broken(s);
		return;
	}
	s->line_start = false;
	switch (c)
	{
		case '"':
			s->in_string = true;
			break;
		case '{':
		case '[':
			if (s->depth >= MAX_DEPTH)
			{
				broken(s);
				return;
			}
			if (c == '{')
				s->objects[s->depth / 8] |= (uint8) (1 << s->depth % 8);
			else
				s->objects[s->depth / 8] &= (uint8) ~(1 << s->depth % 8);
			s->depth++;
			break;
		case '}':
		case ']':
			object = (s->objects[(s->depth - 1) / 8] & (1 << (s->depth - 1) % 8)) != 0;
			if (object != (c == '}'))
			{
				broken(s);
				return;
			}
			s->depth--;
			break;
		default:
			break;
	}
	s->last = c;
	s->pos++;
	if (s->depth > 0)
		return;
	if (s->first_line_end > 0)
		s->pretty = true;
	s->failures = 0;
	s->to = s->pos;
	if (s->in_array)
		emit(s, s->to);
	else
		s->mode = COMPLETE;
}

/*
 * Whether a "[" opens an array of records, and is not the start of a line
 * such as "[2024-06-01] restarted"; -1: more bytes are needed.
 */
static int
opens_array(const DmpSplit *s)
{
	for (size_t i = s->pos + 1; i < s->end; i++)
	{
		char c = s->buffer[i];

		if (c == ' ' || c == '\t')
			continue;
		return c == '{' || c == '[' || c == ']' || c == '\n' || c == '\r';
	}
	return s->final ? 1 : -1;
}

/* a significant byte between records; false: more bytes are needed */
static bool
between(DmpSplit *s, char c)
{
	int opens;

	if (c == ',' && s->separable)
	{
		s->separable = false;
		s->pos++;
		return true;
	}
	if (c == ']' && s->in_array)
	{
		s->in_array = false;
		s->separable = true;
		s->pos++;
		return true;
	}
	if (c == '[' && !s->in_array)
	{
		opens = opens_array(s);
		if (opens < 0)
			return false;
		if (opens)
		{
			s->in_array = true;
			s->separable = false;
			s->pos++;
			return true;
		}
	}
	if (c == '{' || (c == '[' && s->in_array))
	{
		begin_record(s, INSIDE);
		inside(s, c);
		return true;
	}
	begin_record(s, s->in_array ? SCALAR : GARBAGE);
	return true;
}

/* a byte of an array's element that is neither object nor array */
static void
scalar(DmpSplit *s, char c)
{
	if (s->in_string)
	{
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == '"')
			s->in_string = false;
		s->pos++;
	}
	else if (c == ',' || c == ']')
		emit(s, s->pos);
	else
	{
		s->in_string = c == '"';
		s->pos++;
	}
}

/* a byte of a broken record */
static void
garbage(DmpSplit *s, char c)
{
	if (is_space(c))
	{
		s->pos++;
		return;
	}
	/* the next element of an array, or the next record of a pretty-printed file */
	if (c == '{' && ((s->in_array && s->last == ',' && s->before == '}') ||
					 (s->region && s->line_start && s->buffer[s->pos - 1] != ' ' &&
					  s->buffer[s->pos - 1] != '\t')))
	{
		emit(s, s->pos);
		return;
	}
	s->before = s->last;
	if (!s->region || s->line_start)
		s->last = c;
	s->line_start = false;
	s->pos++;
}

/* the inside of a string, up to its end, a line end, or the end of the bytes */
static void
string(DmpSplit *s)
{
	const char *p = s->buffer + s->pos;
	const char *end = s->buffer + s->end;

	if (s->escaped)
	{
		/* a line end is one also behind a backslash */
		s->escaped = false;
		if (*p != '\n' && *p != '\r')
			p++;
	}
	while (p < end && *p != '"' && *p != '\\' && *p != '\n' && *p != '\r')
	{
		/* a second byte may look like a backslash */
		if (s->pairs != NULL && s->pairs[(unsigned char) *p])
		{
			if (p + 1 == end && !s->final)
				break;
			if (p + 1 < end && (unsigned char) p[1] >= 0x30)
				p++;
		}
		p++;
	}
	s->pos = (size_t) (p - s->buffer);
	if (p == end || *p == '\n' || *p == '\r')
		return;
	if (*p != '"' && *p != '\\')
	{
		/* half a character: the rest comes with the next bytes */
		s->waits = true;
		return;
	}
	s->pos++;
	if (*p == '\\')
		s->escaped = true;
	else
	{
		s->in_string = false;
		s->last = '"';
	}
}

/* a record past the limit: its head is kept, what was read of it is dropped */
static void
cut_record(DmpSplit *s)
{
	if (s->mode == BETWEEN || s->pos - s->from <= DMP_RECORD_MAX)
		return;
	if (s->cut == 0)
	{
		if (s->first_line_end > 0 && !s->pretty && s->mode == INSIDE)
		{
			broken(s);
			return;
		}
		if (s->head == NULL)
			s->head = palloc(DMP_RECORD_HEAD);
		memcpy(s->head, s->buffer + s->from, DMP_RECORD_HEAD);
	}
	s->cut += (int64) (s->pos - s->from);
	s->from = s->pos;
	s->to = s->pos;
	s->first_line_end = 0;
}

/* reads what there is */
static void
advance(DmpSplit *s)
{
	while (s->pos < s->end)
	{
		char c = s->buffer[s->pos];

		if (s->mode == INSIDE && s->in_string)
		{
			s->waits = false;
			string(s);
			if (s->pos >= s->end || s->waits)
				break;
			c = s->buffer[s->pos];
			if (!s->in_string || s->escaped)
				continue;
		}
		if (c == '\n' && s->after_cr)
		{
			s->after_cr = false;
			s->pos++;
			continue;
		}
		s->after_cr = false;
		if (c == '\n' || c == '\r')
		{
			CHECK_FOR_INTERRUPTS();
			line_end(s);
			continue;
		}
		if (c == ' ' || c == '\t')
		{
			s->pos++;
			continue;
		}
		switch (s->mode)
		{
			case BETWEEN:
				if (!between(s, c))
					return;
				break;
			case INSIDE:
				inside(s, c);
				break;
			case COMPLETE:
				if (c == '{' || c == '[' || c == ',')
					emit(s, s->to);
				else
					s->mode = GARBAGE;
				break;
			case SCALAR:
				scalar(s, c);
				break;
			case GARBAGE:
				garbage(s, c);
				break;
		}
	}
}

/* drops what is behind us from the front of the buffer */
static void
compact(DmpSplit *s)
{
	size_t keep = s->mode == BETWEEN ? s->pos : s->from;

	/* the byte before pos is looked at (garbage) */
	if (keep > 0)
		keep--;
	if (keep == 0)
		return;
	memmove(s->buffer, s->buffer + keep, s->end - keep);
	s->pos -= keep;
	s->end -= keep;
	s->from -= Min(s->from, keep);
	s->to -= Min(s->to, keep);
	s->first_line_end -= Min(s->first_line_end, keep);
}

/* the first bytes are there, or all: what they say of the encoding */
static void
look_at_mark(DmpSplit *s)
{
	s->started = true;
	if (s->end >= 2)
		s->utf16 = memcmp(s->buffer, "\xFF\xFE", 2) == 0 || memcmp(s->buffer, "\xFE\xFF", 2) == 0;
	s->marked = s->end >= 3 && memcmp(s->buffer, "\xEF\xBB\xBF", 3) == 0;
	if (s->marked)
	{
		s->pos = 3;
		s->pairs = NULL;
	}
}

static void
feed_lines(DmpSplit *s, const char *bytes, size_t length)
{
	while (!s->started && length > 0 && s->end < 3)
	{
		s->buffer[s->end++] = *bytes++;
		length--;
	}
	if (!s->started && s->end == 3)
	{
		look_at_mark(s);
		if (s->marked)
			dmp_lines_utf8(s->lines);
		else if (!s->utf16)
			dmp_lines_feed(s->lines, s->buffer, s->end);
	}
	if (s->started && !s->utf16 && length > 0)
		dmp_lines_feed(s->lines, bytes, length);
}

static void
end_lines(DmpSplit *s)
{
	if (!s->started)
	{
		look_at_mark(s);
		if (!s->utf16)
			dmp_lines_feed(s->lines, s->buffer, s->end);
	}
	dmp_lines_end(s->lines);
	pfree(s->buffer);
	pfree(s);
}

void
dmp_split_feed(DmpSplit *s, const char *bytes, size_t length)
{
	if (s->lines != NULL)
	{
		feed_lines(s, bytes, length);
		return;
	}
	compact(s);
	if (s->space - s->end < length)
	{
		while (s->space - s->end < length)
			s->space *= 2;
		s->buffer = repalloc_huge(s->buffer, s->space);
	}
	memcpy(s->buffer + s->end, bytes, length);
	s->end += length;
	if (!s->started)
	{
		if (s->end < 3)
			return;
		look_at_mark(s);
	}
	if (s->utf16)
	{
		s->pos = s->end;
		return;
	}
	advance(s);
	cut_record(s);
}

bool
dmp_split_is_utf16(const DmpSplit *s)
{
	return s->utf16;
}

bool
dmp_split_is_marked(const DmpSplit *s)
{
	return s->marked;
}

void
dmp_split_end(DmpSplit *s)
{
	if (s->lines != NULL)
	{
		end_lines(s);
		return;
	}
	s->final = true;
	s->started = true;
	do
	{
		advance(s);
		switch (s->mode)
		{
			case BETWEEN:
				break;
			case COMPLETE:
				emit(s, s->to);
				break;
			case INSIDE:
				/* the file ends in a record: as if it were broken there */
				broken(s);
				if (s->mode == GARBAGE)
					emit(s, s->end);
				break;
			default:
				emit(s, s->end);
		}
	} while (s->mode != BETWEEN || s->pos < s->end);
	if (s->head)
		pfree(s->head);
	pfree(s->buffer);
	pfree(s);
}
