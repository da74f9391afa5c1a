/*-------------------------------------------------------------------------
 * kv.c
 *		key=value pairs of a line (logfmt and its like).
 *
 *		at=info method=GET path=/a?b=c msg="he said \"hi\"" empty= 12 words
 *
 * Pairs stand between blanks, or between another delimiter, and then blanks
 * around keys and values do not count. In quotes a backslash stands before a
 * quote, a backslash, and n, r or t for the control characters.
 *-------------------------------------------------------------------------
 */
#include "ingest/log.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
ends_pair(const DmpKv *kv, const char *s, const char *end)
{
	return s == end || (kv->delimiter == '\0' ? is_blank(*s) : *s == kv->delimiter);
}

/* the quoted value whose quote is at s, to *to; gives the place after it, NULL when it does not close */
static const char *
read_quoted(const DmpKv *kv, const char *s, const char *end, char **to)
{
	static const char names[] = "nrt";
	static const char chars[] = "\n\r\t";

	for (s++; s < end && *s != kv->quote; s++)
	{
		if (*s == '\\' && s + 1 < end)
		{
			const char *name = s[1] == '\0' ? NULL : strchr(names, s[1]);

			if (name != NULL || s[1] == kv->quote || s[1] == '\\')
			{
				s++;
				*(*to)++ = name ? chars[name - names] : *s;
				continue;
			}
		}
		*(*to)++ = *s;
	}
	return s < end ? s + 1 : NULL;
}

/* without blanks at its ends */
static DmpLogText
trimmed(const char *from, const char *to)
{
	DmpLogText text;

	while (from < to && is_blank(*from))
		from++;
	while (to > from && is_blank(to[-1]))
		to--;
	text.start = from;
	text.length = to - from;
	return text;
}

const char *
dmp_kv_line(const DmpKv *kv, const char *line, size_t length, char *buffer, DmpKvPair pair,
			void *arg)
{
	const char *s = line;
	const char *end = line + length;
	char *to = buffer;
	char *words = buffer + length + 1; /* what is no pair */
	char *words_end = words;
	int n = 0;

	for (;;)
	{
		const char *first;
		DmpLogText key;
		DmpLogText value = {NULL, 0};

		while (s < end && (is_blank(*s) || *s == kv->delimiter))
			s++;
		if (s == end)
			break;
		first = s;
		while (*s != kv->assign && !ends_pair(kv, s, end))
			if (++s == end)
				break;
		key = trimmed(first, s);
		if (s == end || *s != kv->assign)
		{
			if (words_end > words)
				*words_end++ = ' ';
			memcpy(words_end, key.start, key.length);
			words_end += key.length;
			continue;
		}
		if (key.length == 0)
			return "a value has no key";
		s++;
		while (kv->delimiter != '\0' && s < end && is_blank(*s) && *s != kv->delimiter)
			s++;
		if (kv->quote != '\0' && s < end && *s == kv->quote)
		{
			value.start = to;
			s = read_quoted(kv, s, end, &to);
			if (s == NULL)
				return "a quote is not closed";
			value.length = to - value.start;
			while (kv->delimiter != '\0' && s < end && is_blank(*s) && *s != kv->delimiter)
				s++;
			if (!ends_pair(kv, s, end))
				return "a value goes on behind its closing quote";
		}
		else
		{
			first = s;
			while (!ends_pair(kv, s, end))
				s++;
			value = trimmed(first, s);
			if (value.length == 0)
				value.start = NULL;
		}
		pair(arg, &key, &value);
		n++;
	}
	if (n == 0)
		return "no pair of a key and a value";
	if (words_end > words)
	{
		DmpLogText key = {"$text", 5};
		DmpLogText value = {words, words_end - words};

		pair(arg, &key, &value);
	}
	return NULL;
}
