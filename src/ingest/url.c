/*-------------------------------------------------------------------------
 * url.c
 *		dmp.parse_url: the parts of an address.
 *
 * Read are absolute addresses (scheme://host...), those that inherit the
 * scheme (//host...), and the path of a request (/path?query). Other schemes
 * (mailto:, javascript:), and hosts with characters no host may have, are none.
 *
 * The parts are cut first and decoded after, so that an escaped delimiter is
 * data. Escapes that make no character of the database's encoding, and %00,
 * stay as they are.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/jsonb.h"

#include "ingest/web.h"

#define URL_COLUMNS 8

/* Longer texts are no addresses; it also keeps the query within what jsonb can hold */
#define URL_MAX 1048576

/* What kind of site a visit came from */
typedef struct Site
{
	const char *domain; /* itself and all below it; "name.*": name under any country */
	const char *kind;
} Site;

/* The first that fits counts: mail.google.com before google.* */
static const Site sites[] = {
	{"mail.google.com", "email"},
	{"mail.yahoo.com", "email"},
	{"outlook.live.com", "email"},
	{"outlook.office.com", "email"},
	{"outlook.office365.com", "email"},
	{"mail.ru", "email"},
	{"mail.yandex.ru", "email"},
	{"mail.qq.com", "email"},
	{"mail.163.com", "email"},
	{"mail.126.com", "email"},
	{"mail.proton.me", "email"},
	{"chatgpt.com", "ai"},
	{"chat.openai.com", "ai"},
	{"claude.ai", "ai"},
	{"perplexity.ai", "ai"},
	{"gemini.google.com", "ai"},
	{"copilot.microsoft.com", "ai"},
	{"chat.deepseek.com", "ai"},
	{"kimi.com", "ai"},
	{"doubao.com", "ai"},
	{"google.*", "search"},
	{"bing.com", "search"},
	{"search.yahoo.com", "search"},
	{"yahoo.co.jp", "search"},
	{"duckduckgo.com", "search"},
	{"baidu.com", "search"},
	{"yandex.*", "search"},
	{"ya.ru", "search"},
	{"sogou.com", "search"},
	{"so.com", "search"},
	{"sm.cn", "search"},
	{"ecosia.org", "search"},
	{"qwant.com", "search"},
	{"startpage.com", "search"},
	{"search.brave.com", "search"},
	{"search.naver.com", "search"},
	{"seznam.cz", "search"},
	{"ask.com", "search"},
	{"facebook.com", "social"},
	{"fb.com", "social"},
	{"instagram.com", "social"},
	{"threads.net", "social"},
	{"twitter.com", "social"},
	{"x.com", "social"},
	{"t.co", "social"},
	{"linkedin.com", "social"},
	{"lnkd.in", "social"},
	{"reddit.com", "social"},
	{"pinterest.*", "social"},
	{"tumblr.com", "social"},
	{"news.ycombinator.com", "social"},
	{"bsky.app", "social"},
	{"mastodon.social", "social"},
	{"t.me", "social"},
	{"whatsapp.com", "social"},
	{"vk.com", "social"},
	{"ok.ru", "social"},
	{"weibo.com", "social"},
	{"weibo.cn", "social"},
	{"weixin.qq.com", "social"},
	{"zhihu.com", "social"},
	{"xiaohongshu.com", "social"},
	{"douban.com", "social"},
	{"youtube.com", "video"},
	{"youtu.be", "video"},
	{"vimeo.com", "video"},
	{"tiktok.com", "video"},
	{"douyin.com", "video"},
	{"bilibili.com", "video"},
	{"youku.com", "video"},
	{"twitch.tv", "video"},
};

/* Part of a text; s is NULL when the part is not there */
typedef struct Part
{
	const char *s;
	int len;
} Part;

typedef struct Pair
{
	Datum key;
	Datum value;
	int place; /* in the query */
} Pair;

PG_FUNCTION_INFO_V1(dmp_parse_url);

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The text of a part, percent-decoded; in a query "+" is a space */
static Datum
decode(Part part, bool query)
{
	const char *s = part.s;
	const char *end = s + part.len;
	StringInfoData out;

	initStringInfo(&out);
	while (s < end)
	{
		int n = 0;

		while (end - s >= 3 * (n + 1) && s[3 * n] == '%' && dmp_web_hex(s + 3 * n + 1) >= 0)
			n++;
		if (n > 0)
		{
			enlargeStringInfo(&out, 3 * n);
			out.len = dmp_web_bytes(out.data + out.len, s, n, 3, GetDatabaseEncoding()) - out.data;
			out.data[out.len] = '\0';
			s += 3 * n;
			continue;
		}
		appendStringInfoChar(&out, query && *s == '+' ? ' ' : *s);
		s++;
	}
	return dmp_web_text(out.data, out.len);
}

/* ASCII letters of a part in lower case */
static char *
lower_part(Part part)
{
	char *result = pnstrdup(part.s, part.len);
	int i;

	for (i = 0; i < part.len; i++)
		if (result[i] >= 'A' && result[i] <= 'Z')
			result[i] += 'a' - 'A';
	return result;
}

/* Cut a part off the end of rest, from the first `mark` on, which goes */
static Part
cut(Part *rest, char mark)
{
	Part part = {NULL, 0};
	const char *at = rest->len > 0 ? memchr(rest->s, mark, rest->len) : NULL;

	if (at != NULL)
	{
		part.s = at + 1;
		part.len = rest->s + rest->len - part.s;
		rest->len = at - rest->s;
	}
	return part;
}

/* Whether host is the domain, or below it */
static bool
host_is(const char *host, const char *domain)
{
	size_t hlen = strlen(host);
	size_t dlen = strlen(domain);

	if (dlen > 2 && strcmp(domain + dlen - 2, ".*") == 0)
	{
		/* name.TLD or name.TLD.TLD, of 2 or 3 letters; before it www., images., m. or a country */
		const char *dot = strchr(host, '.');
		const char *name = host;
		int labels = 0;

		if (strncmp(host, domain, dlen - 1) != 0)
		{
			if (dot == NULL || strncmp(dot + 1, domain, dlen - 1) != 0)
				return false;
			if (dot - host > 2 && strncmp(host, "www.", 4) != 0 && strncmp(host, "images.", 7) != 0)
				return false;
			name = dot + 1;
		}
		for (name += dlen - 1; labels < 2; name++, labels++)
		{
			size_t n = strcspn(name, ".");

			if (n < 2 || n > 3)
				return false;
			name += n;
			if (*name == '\0')
				return true;
		}
		return false;
	}
	return hlen >= dlen && strcmp(host + hlen - dlen, domain) == 0 &&
		   (hlen == dlen || host[hlen - dlen - 1] == '.');
}

static const char *
referrer_class(const char *host)
{
	int i;

	for (i = 0; i < lengthof(sites); i++)
		if (host_is(host, sites[i].domain))
			return sites[i].kind;
	return "other";
}

/*
 * user@host:port into host (lower case, without brackets) and port (-1: none).
 * False when it is no authority. An empty host is NULL.
 */
static bool
split_authority(Part part, char **host, int *port)
{
	Part name = part;
	Part number = {NULL, 0};
	int i;

	*host = NULL;
	*port = -1;
	for (i = part.len - 1; i >= 0 && part.s[i] != '@'; i--)
		;
	name.s += i + 1;
	name.len -= i + 1;
	if (name.len > 0 && name.s[0] == '[')
	{
		int close = 1;
		int colons = 0;

		/* an address, perhaps with a zone: [fe80::1%25eth0] */
		while (close < name.len && name.s[close] != ']' && name.s[close] != '%')
		{
			char c = name.s[close++];

			colons += c == ':';
			if (!is_digit(c) && !((c | 32) >= 'a' && (c | 32) <= 'f') && c != ':' && c != '.')
				return false;
		}
		while (close < name.len && name.s[close] != ']')
		{
			if ((unsigned char) name.s[close] <= ' ' || name.s[close] == '[')
				return false;
			close++;
		}
		if (close >= name.len || colons < 2)
			return false;
		if (close + 1 < name.len)
		{
			if (name.s[close + 1] != ':')
				return false;
			number.s = name.s + close + 2;
			number.len = name.len - close - 2;
		}
		name.s++;
		name.len = close - 1;
	}
	else
	{
		number = cut(&name, ':');
		for (i = 0; i < name.len; i++)
			if ((unsigned char) name.s[i] <= ' ' || strchr("\"<>[]\\^`{|}\x7f", name.s[i]) != NULL)
				return false;
		if (name.len == 0 && number.s != NULL)
			return false;
	}
	if (number.len > 0)
	{
		*port = 0;
		for (i = 0; i < number.len; i++)
		{
			if (!is_digit(number.s[i]))
				return false;
			*port = *port * 10 + (number.s[i] - '0');
			if (*port > 65535)
				return false;
		}
	}
	if (name.len > 0)
		*host = lower_part(name);
	return true;
}

static int
compare_keys(const Pair *p, const Pair *q)
{
	text *s = DatumGetTextPP(p->key);
	text *t = DatumGetTextPP(q->key);
	int n = VARSIZE_ANY_EXHDR(s);
	int m = VARSIZE_ANY_EXHDR(t);
	int c = memcmp(VARDATA_ANY(s), VARDATA_ANY(t), Min(n, m));

	return c != 0 ? c : (n > m) - (n < m);
}

/* By key, then as they stand in the query */
static int
compare_pairs(const void *a, const void *b)
{
	const Pair *p = a;
	const Pair *q = b;
	int c = compare_keys(p, q);

	return c != 0 ? c : (p->place > q->place) - (p->place < q->place);
}

static JsonbValue
json_text(Datum d)
{
	text *t = DatumGetTextPP(d);
	JsonbValue v;

	v.type = jbvString;
	v.val.string.val = VARDATA_ANY(t);
	v.val.string.len = VARSIZE_ANY_EXHDR(t);
	return v;
}

/* Keys utm_..., the prefix off, in lower case; a repeated one counts by its last. False: none */
static bool
utm_json(Pair *pairs, int n, Datum *result)
{
	JsonbParseState *state = NULL;
	bool any = false;
	int i;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (i = 0; i < n; i++)
	{
		text *key = DatumGetTextPP(pairs[i].key);
		int len = VARSIZE_ANY_EXHDR(key);
		Part name = {VARDATA_ANY(key), len};
		JsonbValue v;

		if (len <= 4 || pg_strncasecmp(name.s, "utm_", 4) != 0)
			continue;
		name.s += 4;
		name.len -= 4;
		v.type = jbvString;
		v.val.string.val = lower_part(name);
		v.val.string.len = name.len;
		pushJsonbValue(&state, WJB_KEY, &v);
		v = json_text(pairs[i].value);
		pushJsonbValue(&state, WJB_VALUE, &v);
		any = true;
	}
	*result = JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
	return any;
}

/* Keys to their value, repeated ones to an array in the order of the query */
static Datum
query_json(Pair *pairs, int n)
{
	JsonbParseState *state = NULL;
	JsonbValue v;
	int i, j;

	qsort(pairs, n, sizeof(Pair), compare_pairs);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (i = 0; i < n; i = j)
	{
		v = json_text(pairs[i].key);
		pushJsonbValue(&state, WJB_KEY, &v);
		for (j = i + 1; j < n && compare_keys(&pairs[i], &pairs[j]) == 0; j++)
			;
		if (j == i + 1)
		{
			v = json_text(pairs[i].value);
			pushJsonbValue(&state, WJB_VALUE, &v);
			continue;
		}
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		for (; i < j; i++)
		{
			v = json_text(pairs[i].value);
			pushJsonbValue(&state, WJB_ELEM, &v);
		}
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* The query as jsonb, and its utm parameters; NULL where there is nothing */
static void
read_query(Part query, Datum *json, bool *jsonnull, Datum *utm, bool *utmnull)
{
	Pair *pairs = palloc(sizeof(Pair) * (query.len + 1));
	int n = 0;

	while (query.s != NULL)
	{
		Part key = query;
		Part value;

		query = cut(&key, '&');
		if (key.len == 0)
			continue;
		value = cut(&key, '=');
		pairs[n].key = decode(key, true);
		pairs[n].value = value.s == NULL ? dmp_web_text("", 0) : decode(value, true);
		pairs[n].place = n;
		n++;
	}
	*jsonnull = n == 0;
	if (n > 0)
	{
		*utmnull = !utm_json(pairs, n, utm);
		*json = query_json(pairs, n);
	}
	pfree(pairs);
}

/*
 * dmp.parse_url(url text): the parts of an address, or NULL when it is none.
 * The column port is what is written, not the default of the scheme. Never throws.
 */
Datum
dmp_parse_url(PG_FUNCTION_ARGS)
{
	text *url = PG_GETARG_TEXT_PP(0);
	Part rest = {VARDATA_ANY(url), VARSIZE_ANY_EXHDR(url)};
	Part fragment, query;
	Part scheme = {NULL, 0};
	Datum values[URL_COLUMNS] = {0};
	bool nulls[URL_COLUMNS];
	char *host = NULL;
	int port = -1;
	int i = 0;

	memset(nulls, true, sizeof(nulls));
	while (rest.len > 0 && (unsigned char) rest.s[0] <= ' ')
		rest.s++, rest.len--;
	while (rest.len > 0 && (unsigned char) rest.s[rest.len - 1] <= ' ')
		rest.len--;
	if (rest.len == 0 || rest.len > URL_MAX)
		PG_RETURN_NULL();
	fragment = cut(&rest, '#');
	query = cut(&rest, '?');
	if (rest.len > 0 && is_letter(rest.s[0]))
	{
		while (i < rest.len && (is_letter(rest.s[i]) || is_digit(rest.s[i]) || rest.s[i] == '+' ||
								rest.s[i] == '-' || rest.s[i] == '.'))
			i++;
		if (rest.len - i < 3 || strncmp(rest.s + i, "://", 3) != 0)
			PG_RETURN_NULL();
		scheme.s = rest.s;
		scheme.len = i++;
		values[0] = CStringGetTextDatum(lower_part(scheme));
		nulls[0] = false;
	}
	if (rest.len - i >= 2 && strncmp(rest.s + i, "//", 2) == 0)
	{
		Part authority;

		rest.s += i + 2;
		rest.len -= i + 2;
		authority = rest;
		authority.len = 0;
		while (authority.len < rest.len && rest.s[authority.len] != '/')
			authority.len++;
		if (!split_authority(authority, &host, &port))
			PG_RETURN_NULL();
		if (host == NULL && (scheme.len != 4 || pg_strncasecmp(scheme.s, "file", 4) != 0))
			PG_RETURN_NULL();
		rest.s += authority.len;
		rest.len -= authority.len;
	}
	else if (rest.len == 0 || rest.s[0] != '/')
		PG_RETURN_NULL();
	if (host != NULL)
	{
		values[1] = CStringGetTextDatum(host);
		values[7] = CStringGetTextDatum(referrer_class(host));
		nulls[1] = nulls[7] = false;
	}
	values[2] = Int32GetDatum(port);
	nulls[2] = port < 0;
	nulls[3] = rest.len == 0;
	if (!nulls[3])
		values[3] = decode(rest, false);
	read_query(query, &values[4], &nulls[4], &values[6], &nulls[6]);
	nulls[5] = fragment.len == 0;
	if (!nulls[5])
		values[5] = decode(fragment, false);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(dmp_web_row(fcinfo), values, nulls)));
}
