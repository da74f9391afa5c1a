/*-------------------------------------------------------------------------
 * csv.c
 *		The fields of a csv record (RFC 4180, and what is met besides).
 *-------------------------------------------------------------------------
 */
#include "ingest/csv.h"

#include <string.h>

void
dmp_csv_prepare(DmpCsv *csv, char delimiter, char quote, char escape)
{
	memset(csv, 0, sizeof(DmpCsv));
	csv->delimiter = delimiter;
	csv->quote = quote;
	csv->escape = quote == '\0' ? '\0' : escape;
	csv->stop[(unsigned char) delimiter] = true;
	csv->stop['\n'] = true;
	csv->stop['\r'] = true;
}

/*
 * The end of the quoted field whose first byte (behind the quote) is at p: the
 * place of the closing quote, or NULL when there is none.
 */
static const char *
closing_quote(const DmpCsv *csv, const char *p, const char *end, bool *escaped)
{
	while (p < end)
	{
		if (csv->escape != csv->quote && *p == csv->escape)
		{
			/* as COPY has it: an escape counts before a quote or an escape only */
			if (p + 1 < end && (p[1] == csv->quote || p[1] == csv->escape))
			{
				*escaped = true;
				p++;
			}
		}
		else if (*p == csv->quote)
		{
			if (csv->escape != csv->quote || p + 1 == end || p[1] != csv->quote)
				return p;
			*escaped = true;
			p++;
		}
		p++;
	}
	return NULL;
}

int
dmp_csv_fields(const DmpCsv *csv, const char *line, size_t length, DmpCsvField *fields, int max,
			   const char **message, int *field)
{
	const char *p = line;
	const char *end = line + length;
	int n = 0;

	for (;;)
	{
		DmpCsvField found = {p, 0, false, false};

		if (csv->quote != '\0' && p < end && *p == csv->quote)
		{
			const char *close;

			found.start = p + 1;
			found.quoted = true;
			close = closing_quote(csv, p + 1, end, &found.escaped);
			if (close == NULL)
			{
				*message = "has a quote that is not closed";
				*field = n + 1;
				return -1;
			}
			found.length = (size_t) (close - found.start);
			p = close + 1;
		}
		else
		{
			while (p < end && !csv->stop[(unsigned char) *p])
				p++;
			found.length = (size_t) (p - found.start);
		}
		if (n < max)
			fields[n] = found;
		n++;
		if (p == end)
			return n;
		if (*p == csv->delimiter)
		{
			p++;
			continue;
		}
		/* the line end behind the record: one, or the two bytes of one */
		if ((*p == '\n' && p + 1 == end) ||
			(*p == '\r' && (p + 1 == end || (p[1] == '\n' && p + 2 == end))))
			return n;
		*message = found.quoted ? "goes on behind its closing quote" : "has a line end";
		*field = n;
		return -1;
	}
}

size_t
dmp_csv_unescape(const DmpCsv *csv, const DmpCsvField *field, char *out)
{
	const char *p = field->start;
	const char *end = p + field->length;
	char *to = out;

	while (p < end)
	{
		if (*p == csv->escape && p + 1 < end && (p[1] == csv->quote || p[1] == csv->escape))
			p++;
		*to++ = *p++;
	}
	return (size_t) (to - out);
}
