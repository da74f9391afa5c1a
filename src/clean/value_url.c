/*-------------------------------------------------------------------------
 * value_url.c
 *		dmp.clean_url: the normal form of a web address.
 *
 * What RFC 3986, sections 6.2.2 and 6.2.3, calls equal becomes equal: scheme
 * and host in lower case, %xx in upper case, unreserved characters without
 * one, dot segments resolved, the scheme's own port dropped, an empty path
 * "/". Nothing that may change what the address gives is touched: path and
 * query keep their case, their order and their parameters.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

#include "common/unicode_norm.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_clean_url);

#define MOST_CHARACTERS 65536

static bool
is_unreserved(pg_wchar c)
{
	return dmp_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
		   c == '.' || c == '_' || c == '~';
}

static int
hex_value(pg_wchar c)
{
	if (dmp_is_digit(c))
		return (int) (c - '0');
	if (c >= 'a' && c <= 'f')
		return (int) (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (int) (c - 'A' + 10);
	return -1;
}

/* c[0 .. n) with what must be escaped escaped, and nothing else; a stray % becomes %25 */
static void
append_escaped(StringInfo out, const pg_wchar *c, int n, const char *allowed)
{
	int i;
	int k;

	for (i = 0; i < n; i++)
	{
		unsigned char bytes[4];
		int length;

		if (c[i] == '%' && i + 2 < n && hex_value(c[i + 1]) >= 0 && hex_value(c[i + 2]) >= 0)
		{
			int byte = hex_value(c[i + 1]) * 16 + hex_value(c[i + 2]);

			if (is_unreserved((pg_wchar) byte))
				appendStringInfoChar(out, (char) byte);
			else
				appendStringInfo(out, "%%%02X", byte);
			i += 2;
			continue;
		}
		if (is_unreserved(c[i]) ||
			(c[i] != 0 && c[i] < 0x80 && strchr(allowed, (int) c[i]) != NULL))
		{
			appendStringInfoChar(out, (char) c[i]);
			continue;
		}
		if (c[i] >= 0xDC80 && c[i] <= 0xDCFF) /* a byte that is no UTF-8 */
		{
			appendStringInfo(out, "%%%02X", (int) (c[i] - 0xDC00));
			continue;
		}
		unicode_to_utf8(c[i], bytes);
		length = pg_utf_mblen(bytes);
		for (k = 0; k < length; k++)
			appendStringInfo(out, "%%%02X", bytes[k]);
	}
}

/* RFC 3986, 5.2.4: dot segments of a path that begins with "/", in place */
static void
remove_dots(char *path)
{
	char *to = path;
	const char *from = path;

	while (*from != '\0')
	{
		size_t length = 1 + strcspn(from + 1, "/");
		bool last = from[length] == '\0';

		if (length == 2 && from[1] == '.')
		{
			if (last)
				*to++ = '/';
		}
		else if (length == 3 && from[1] == '.' && from[2] == '.')
		{
			while (to > path && *--to != '/')
				;
			if (last)
				*to++ = '/';
		}
		else
		{
			memmove(to, from, length);
			to += length;
		}
		from += length;
	}
	*to = '\0';
}

/* where c[from .. n) first has one of the characters, else n */
static int
find_any(const pg_wchar *c, int from, int n, const char *which)
{
	for (; from < n; from++)
	{
		if (c[from] != 0 && c[from] < 0x80 && strchr(which, (int) c[from]) != NULL)
			return from;
	}
	return n;
}

static bool
is_ipv4(const char *s)
{
	int parts = 0;

	for (;;)
	{
		int digits = 0;
		int value = 0;

		for (; *s >= '0' && *s <= '9' && digits < 4; s++, digits++)
			value = value * 10 + (*s - '0');
		if (digits == 0 || digits > 3 || value > 255)
			return false;
		parts++;
		if (*s == '\0')
			return parts == 4;
		if (*s++ != '.')
			return false;
	}
}

/* "[::1]" is taken by its characters only; others are localhost, IPv4 or a domain */
static bool
append_host(StringInfo out, const pg_wchar *c, int n, bool guess)
{
	DmpChars host;
	text *bytes;
	char *s;
	int i;

	host.c = palloc(sizeof(pg_wchar) * (n + 1));
	memcpy(host.c, c, sizeof(pg_wchar) * n);
	host.c[n] = 0;
	host.n = n;
	dmp_chars_fold(&host, DMP_FOLD_NFKC);
	for (i = 0; i < host.n; i++)
		host.c[i] = host.c[i] == 0x3002 ? '.' : dmp_lower_case(host.c[i]);
	if (host.n > 0 && host.c[0] == '[')
	{
		if (host.n < 4 || host.c[host.n - 1] != ']')
			return false;
		for (i = 1; i < host.n - 1; i++)
		{
			if (hex_value(host.c[i]) < 0 && host.c[i] != ':' && host.c[i] != '.')
				return false;
		}
	}
	else
	{
		if (host.n > 1 && host.c[host.n - 1] == '.')
			host.n--;
		if (host.n > 253)
			return false;
	}
	bytes = dmp_chars_write(host.c, host.n);
	if (bytes == NULL)
		return false;
	s = text_to_cstring(bytes);
	if (s[0] != '[' && !is_ipv4(s) && !dmp_is_domain(host.c, host.n) &&
		(guess || strcmp(s, "localhost") != 0))
		return false;
	appendStringInfoString(out, s);
	return true;
}

/* user@host:port */
static bool
append_authority(StringInfo out, const pg_wchar *c, int n, const char *own_port, bool guess)
{
	int at = -1;
	int colon;
	int port = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		if (c[i] == '@')
			at = i;
	}
	if (at >= 0)
	{
		if (guess) /* ann@x.org is no web address */
			return false;
		append_escaped(out, c, at, "!$&'()*+,;=:");
		appendStringInfoChar(out, '@');
	}
	c += at + 1;
	n -= at + 1;
	for (colon = n; colon > 0 && dmp_is_digit(c[colon - 1]); colon--)
		;
	if (colon > 0 && c[colon - 1] == ':')
	{
		for (i = colon; i < n; i++)
		{
			port = port * 10 + (int) (c[i] - '0');
			if (port > 65535)
				return false;
		}
		n = colon - 1;
	}
	if (n < 1 || !append_host(out, c, n, guess))
		return false;
	if (port > 0 && port != atoi(own_port))
		appendStringInfo(out, ":%d", port);
	return true;
}

/* the scheme's name and own port; the number of characters it takes, 0 without one, -1: another */
static int
take_scheme(const pg_wchar *c, int n, const char **scheme, const char **own_port)
{
	static const char *const schemes[][2] = {{"http", "80"}, {"https", "443"}, {"ftp", "21"}};
	int i;
	int k;

	*scheme = "http";
	*own_port = "80";
	for (i = 0; i < lengthof(schemes); i++)
	{
		const char *name = schemes[i][0];

		for (k = 0; k < n && name[k] != '\0' && dmp_lower_case(c[k]) == (pg_wchar) name[k]; k++)
			;
		if (name[k] == '\0' && k + 2 < n && c[k] == ':' && c[k + 1] == '/' && c[k + 2] == '/')
		{
			*scheme = name;
			*own_port = schemes[i][1];
			return k + 3;
		}
	}
	if (n > 2 && c[0] == '/' && c[1] == '/')
		return 2;
	for (i = 0; i + 2 < n; i++)
	{
		if (c[i] == ':' && c[i + 1] == '/' && c[i + 2] == '/')
			return -1;
		if (c[i] == '/' || c[i] == '?' || c[i] == '#')
			break;
	}
	return 0;
}

static bool
normal_url(DmpChars *chars, StringInfo out)
{
	const char *scheme;
	const char *own_port;
	pg_wchar *c = chars->c;
	int n = chars->n;
	int skip = 0;
	int to;
	int i;
	StringInfoData path;

	/* full-width forms up to the end of the host: beyond it they may be meant */
	for (i = 0; i < n && skip < 3; i++)
	{
		if (c[i] >= 0xFF01 && c[i] <= 0xFF5E)
			c[i] -= 0xFEE0;
		if (c[i] == '/')
			skip++;
	}
	skip = take_scheme(c, n, &scheme, &own_port);
	if (skip < 0)
		return false;
	to = find_any(c, skip, n, "/?#\\");
	appendStringInfo(out, "%s://", scheme);
	if (!append_authority(out, c + skip, to - skip, own_port, skip == 0))
		return false;
	i = to;
	to = find_any(c, i, n, "?#");
	initStringInfo(&path);
	if (i == to)
		appendStringInfoChar(&path, '/');
	append_escaped(&path, c + i, to - i, "!$&'()*+,;=:@/");
	if (path.data[0] != '/')
		return false;
	remove_dots(path.data);
	appendStringInfoString(out, path.data);
	i = to;
	to = find_any(c, i, n, "#");
	if (to - i > 1)
	{
		appendStringInfoChar(out, '?');
		append_escaped(out, c + i + 1, to - i - 1, "!$&'()*+,;=:@/?[]");
	}
	if (n - to > 1)
	{
		appendStringInfoChar(out, '#');
		append_escaped(out, c + to + 1, n - to - 1, "!$&'()*+,;=:@/?");
	}
	return true;
}

/*
 * dmp.clean_url(value text) -> text
 *
 * http, https and ftp addresses; "http://" before what has no scheme and
 * begins with a domain or IPv4 address. Letters beyond ASCII are %-escaped as
 * UTF-8, but in a host stay as they are. NULL for what is none, and past
 * 65536 characters.
 */
Datum
dmp_clean_url(PG_FUNCTION_ARGS)
{
	DmpChars chars;
	StringInfoData out;

	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NONE, &chars))
		PG_RETURN_NULL();
	dmp_chars_tidy(&chars);
	if (chars.n == 0 || chars.n > MOST_CHARACTERS)
		PG_RETURN_NULL();
	initStringInfo(&out);
	if (!normal_url(&chars, &out))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
