/*-------------------------------------------------------------------------
 * meaning.c
 *		What a text is beyond its type: address of mail, of the web, of a
 *		machine, telephone number, country. By form alone; nothing is looked up
 *		but the codes of countries (ISO 3166-1 alpha-2).
 *-------------------------------------------------------------------------
 */
#include "ingest/infer.h"

#include <arpa/inet.h>

#include "ingest/meaning.h"

static const char countries[] =
	"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCL"
	"CMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGU"
	"GWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMC"
	"MDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPT"
	"PWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUA"
	"UGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

int
dmp_country_pair(const char *s, size_t length)
{
	if (length != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z')
		return -1;
	for (const char *c = countries; *c; c += 2)
		if (c[0] == s[0] && c[1] == s[1])
			return (s[0] - 'A') * 26 + s[1] - 'A';
	return -1;
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* labels joined by dots, the last of letters */
static bool
is_host(const char *s, const char *end)
{
	const char *label = s;
	int labels = 0;

	for (const char *p = s; p <= end; p++)
	{
		if (p < end && *p != '.')
		{
			if (!is_alnum(*p) && *p != '-' && !IS_HIGHBIT_SET(*p))
				return false;
			continue;
		}
		if (p == label || p - label > 63 || *label == '-' || p[-1] == '-')
			return false;
		labels++;
		if (p == end && (p - label < 2 || (*label >= '0' && *label <= '9')))
			return false;
		label = p + 1;
	}
	return labels >= 2;
}

static bool
is_email(const char *s, size_t length)
{
	const char *at = memchr(s, '@', length);

	if (at == NULL || at == s || at - s > 64 || length > 254)
		return false;
	for (const char *p = s; p < at; p++)
		if (!is_alnum(*p) && !IS_HIGHBIT_SET(*p) && strchr("!#$%&'*+-/=?^_`{|}~.", *p) == NULL)
			return false;
	return *s != '.' && at[-1] != '.' && is_host(at + 1, s + length);
}

static bool
is_url(const char *s, size_t length)
{
	static const char *const schemes[] = {"http://", "https://", "ftp://", NULL};

	for (int i = 0; schemes[i]; i++)
	{
		size_t n = strlen(schemes[i]);

		if (length > n && pg_strncasecmp(s, schemes[i], n) == 0)
			return memchr(s, ' ', length) == NULL && strchr("/?#:", s[n]) == NULL;
	}
	return false;
}

static bool
is_ip(const char *s, size_t length)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];

	if (length < 2 || length >= sizeof(text) || strspn(s, "0123456789abcdefABCDEF.:") < length)
		return false;
	memcpy(text, s, length);
	text[length] = '\0';
	return inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, address) == 1;
}

/*
 * International with a plus, a Chinese mobile number, or ten digits grouped
 * by three, three and four as in North America.
 */
static bool
is_phone(const char *s, size_t length)
{
	bool plus = length > 0 && s[0] == '+';
	size_t n = 0;
	size_t group = 0;
	char groups[24] = {0}; /* lengths of the runs of digits, as digits */
	int n_groups = 0;

	if (length < 8 || length > 24)
		return false;
	for (size_t i = plus; i <= length; i++)
	{
		if (i < length && s[i] >= '0' && s[i] <= '9')
		{
			group++;
			n++;
		}
		else if (i < length && strchr(" -().", s[i]) == NULL)
			return false;
		else if (group > 0)
		{
			groups[n_groups++] = (char) ('0' + Min(group, 9));
			group = 0;
		}
	}
	if (plus)
		return n >= 8 && n <= 15 && s[1] != '0';
	if (n == 11 && n_groups == 1)
		return s[0] == '1' && s[1] >= '3';
	return strcmp(groups, "334") == 0;
}

/* s is NUL-terminated; -1: nothing known */
int
dmp_meaning(const char *s, size_t length)
{
	if (length < 2 || length > 2048)
		return -1;
	if (dmp_country_pair(s, length) >= 0)
		return DMP_MEANS_COUNTRY;
	if (is_email(s, length))
		return DMP_MEANS_EMAIL;
	if (is_url(s, length))
		return DMP_MEANS_URL;
	if (is_phone(s, length))
		return DMP_MEANS_PHONE;
	if (is_ip(s, length))
		return DMP_MEANS_IP;
	return -1;
}
