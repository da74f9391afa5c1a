/*-------------------------------------------------------------------------
 * agent.c
 *		dmp.parse_user_agent: what a User-Agent header says it is.
 *
 * Three ordered tables (bots, browsers, systems); in each the first rule whose
 * word is in the text, in any case of ASCII letters, names the thing. The order
 * matters because each browser claims to be the ones before it in history:
 * Edge says Chrome, Chrome says Safari, all say Mozilla. New rules go before
 * those they imitate. A header is a claim: a bot that says Chrome is Chrome.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"

#include "ingest/web.h"

#define AGENT_COLUMNS 6

/* What is longer is cut there: no header is, and the cost stays bounded */
#define AGENT_MAX 8192

/* A word no text holds once control characters are gone from it */
#define NO_VERSION "\x01"

typedef struct Rule
{
	const char *word; /* in lower case */
	const char *name;
	const char *version; /* what the version follows; NULL: the word itself */
} Rule;

static const Rule bots[] = {
	{"googlebot", "Googlebot", NULL},
	{"adsbot-google", "AdsBot-Google", NULL},
	{"mediapartners-google", "Mediapartners-Google", NULL},
	{"google-inspectiontool", "Google-InspectionTool", NULL},
	{"feedly/", "Feedly", "feedly"},
	{"feedfetcher-google", "FeedFetcher-Google", NULL},
	{"bingbot", "bingbot", NULL},
	{"bingpreview", "BingPreview", NULL},
	{"msnbot", "msnbot", NULL},
	{"baiduspider", "Baiduspider", NULL},
	{"yandexbot", "YandexBot", NULL},
	{"yandeximages", "YandexImages", NULL},
	{"yahoo! slurp", "Yahoo! Slurp", NULL},
	{"duckduckbot", "DuckDuckBot", NULL},
	{"sogou web spider", "Sogou web spider", NULL},
	{"360spider", "360Spider", NULL},
	{"bytespider", "Bytespider", NULL},
	{"petalbot", "PetalBot", NULL},
	{"applebot", "Applebot", NULL},
	{"facebookexternalhit", "facebookexternalhit", NULL},
	{"meta-externalagent", "meta-externalagent", NULL},
	{"twitterbot", "Twitterbot", NULL},
	{"linkedinbot", "LinkedInBot", NULL},
	{"slackbot", "Slackbot", NULL},
	{"telegrambot", "TelegramBot", NULL},
	{"discordbot", "Discordbot", NULL},
	{"gptbot", "GPTBot", NULL},
	{"oai-searchbot", "OAI-SearchBot", NULL},
	{"chatgpt-user", "ChatGPT-User", NULL},
	{"claudebot", "ClaudeBot", NULL},
	{"perplexitybot", "PerplexityBot", NULL},
	{"ccbot", "CCBot", NULL},
	{"amazonbot", "Amazonbot", NULL},
	{"ahrefsbot", "AhrefsBot", NULL},
	{"semrushbot", "SemrushBot", NULL},
	{"mj12bot", "MJ12bot", NULL},
	{"dotbot", "DotBot", NULL},
	{"ezooms", "Ezooms", NULL},
	{"exabot", "Exabot", NULL},
	{"uptimerobot", "UptimeRobot", NULL},
	{"pingdom", "Pingdom", NULL},
	{"archive.org_bot", "archive.org_bot", NULL},
	{"ia_archiver", "ia_archiver", NULL},
	{"tiny tiny rss", "Tiny Tiny RSS", NULL},
	{"feedburner", "FeedBurner", NULL},
	{"universalfeedparser", "UniversalFeedParser", NULL},
	{"feedbin", "Feedbin", NULL},
	{"simplepie", "SimplePie", NULL},
	{"embedly", "Embedly", NULL},
	{"siteexplorer", "SiteExplorer", NULL},
	{"nutch", "Nutch", NULL},
	{"chef client", "Chef Client", NULL},
	{"libfetch", "libfetch", NULL},
	{"headlesschrome", "HeadlessChrome", NULL},
	{"phantomjs", "PhantomJS", NULL},
	{"lighthouse", "Lighthouse", NULL},
	{"curl/", "curl", "curl"},
	{"wget/", "Wget", "wget"},
	{"python-requests", "python-requests", NULL},
	{"python-urllib", "Python-urllib", NULL},
	{"aiohttp", "aiohttp", NULL},
	{"httpx/", "httpx", "httpx"},
	{"scrapy", "Scrapy", NULL},
	{"go-http-client", "Go-http-client", NULL},
	{"okhttp", "okhttp", NULL},
	{"apache-httpclient", "Apache-HttpClient", NULL},
	{"libwww-perl", "libwww-perl", NULL},
	{"java/", "Java", "java"},
	{"axios/", "axios", "axios"},
	{"node-fetch", "node-fetch", NULL},
	{"postmanruntime", "PostmanRuntime", NULL},
	{"apachebench", "ApacheBench", NULL},
	{"nikto", "Nikto", NULL},
	{"zgrab", "zgrab", NULL},
	{"masscan", "masscan", NULL},
};

/* Words that make whoever says them a bot; "bot" only where a word ends */
static const char *const bot_words[] = {"bot", "crawler", "spider", "crawl", "scraper", "slurp"};

static const Rule browsers[] = {
	{"micromessenger/", "WeChat", "micromessenger"},
	{"mqqbrowser/", "QQ Browser", "mqqbrowser"},
	{"qqbrowser/", "QQ Browser", "qqbrowser"},
	{" qq/", "QQ", " qq"},
	{"ucbrowser", "UC Browser", NULL},
	{"ubrowser/", "UC Browser", "ubrowser"},
	{"miuibrowser/", "MIUI Browser", "miuibrowser"},
	{"huaweibrowser/", "Huawei Browser", "huaweibrowser"},
	{"samsungbrowser/", "Samsung Internet", "samsungbrowser"},
	{"yabrowser/", "Yandex Browser", "yabrowser"},
	{"vivaldi/", "Vivaldi", "vivaldi"},
	{"silk/", "Silk", "silk"},
	{"duckduckgo/", "DuckDuckGo", "duckduckgo"},
	{"edg/", "Edge", "edg"},
	{"edge/", "Edge", "edge"},
	{"edga/", "Edge", "edga"},
	{"edgios/", "Edge", "edgios"},
	{"opr/", "Opera", "opr"},
	{"opios/", "Opera", "opios"},
	{"opera mini/", "Opera Mini", "opera mini"},
	{"opera/9.80", "Opera", "version"},
	{"opera", "Opera", NULL},
	{"seamonkey/", "SeaMonkey", "seamonkey"},
	{"palemoon/", "Pale Moon", "palemoon"},
	{"fxios/", "Firefox", "fxios"},
	{"focus/", "Firefox", "focus"},
	{"firefox", "Firefox", NULL},
	{"iemobile", "IE", NULL},
	{"msie ", "IE", "msie"},
	{"trident/", "IE", "rv:"},
	{"crios/", "Chrome", "crios"},
	{"chromium/", "Chromium", "chromium"},
	{"chrome/", "Chrome", "chrome"},
	{"konqueror", "Konqueror", NULL},
	{"midori/", "Midori", "midori"},
	{"epiphany/", "Epiphany", "epiphany"},
	{"lynx/", "Lynx", "lynx"},
	{"blackberry", "BlackBerry", "version"},
	{"android", "Android Browser", "version"},
	{"safari", "Safari", "version"},
	/* what runs a page within an app of iPhone or iPad calls itself no more than that */
	{"applewebkit", "WebKit", NULL},
};

/* device NULL: by what the rest of the text says */
typedef struct System
{
	const char *word;
	const char *name;
	const char *version;
	const char *device;
} System;

static const System systems[] = {
	{"windows phone os", "Windows Phone", NULL, "mobile"},
	{"windows phone", "Windows Phone", NULL, "mobile"},
	{"harmonyos", "HarmonyOS", NULL, NULL},
	{"openharmony", "OpenHarmony", NULL, NULL},
	{"tizen", "Tizen", NULL, NULL},
	{"kaios", "KAIOS", NULL, "mobile"},
	{"ipad", "iOS", "cpu os", "tablet"},
	{"iphone", "iOS", "iphone os", "mobile"},
	{"ipod", "iOS", "iphone os", "mobile"},
	{"android", "Android", NULL, NULL},
	{"windows nt", "Windows", NULL, "desktop"},
	{"windows", "Windows", NULL, "desktop"},
	{"mac os x", "macOS", NULL, "desktop"},
	{"macintosh", "macOS", "mac os", "desktop"},
	{"cros ", "Chrome OS", NO_VERSION, "desktop"},
	{"blackberry", "BlackBerry OS", "version", "mobile"},
	{"bb10", "BlackBerry OS", "version", "mobile"},
	{"symbian", "Symbian", "symbianos", "mobile"},
	{"freebsd", "FreeBSD", NULL, "desktop"},
	{"openbsd", "OpenBSD", NULL, "desktop"},
	{"netbsd", "NetBSD", NULL, "desktop"},
	{"sunos", "SunOS", NULL, "desktop"},
	{"linux", "Linux", NO_VERSION, "desktop"},
	{"ubuntu", "Linux", NO_VERSION, "desktop"},
	{"x11", "Linux", NO_VERSION, "desktop"},
};

/* What Microsoft sells NT's version as; Windows 11 calls itself 10.0, too */
static const char *const windows[][2] = {
	{"10.0", "10"},   {"6.4", "10"}, {"6.3", "8.1"}, {"6.2", "8"},    {"6.1", "7"},
	{"6.0", "Vista"}, {"5.2", "XP"}, {"5.1", "XP"},  {"5.0", "2000"},
};

PG_FUNCTION_INFO_V1(dmp_parse_user_agent);

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c & 0x80);
}

/*
 * The version after a word: digits and what joins them, after at most one of
 * "/ :-". "_" joins too (Mac OS X 10_15_7) and is given as ".". NULL: none.
 */
static char *
version_after(const char *s, const char *word)
{
	const char *at = strstr(s, word);
	char *result;
	int n = 0;
	int i;

	if (at == NULL)
		return NULL;
	at += strlen(word);
	if (*at == '/' || *at == ' ' || *at == ':' || *at == '-')
		at++;
	while ((at[n] >= '0' && at[n] <= '9') || (n > 0 && (at[n] == '.' || at[n] == '_')))
		n++;
	while (n > 0 && (at[n - 1] == '.' || at[n - 1] == '_'))
		n--;
	if (n == 0)
		return NULL;
	result = pnstrdup(at, n);
	for (i = 0; i < n; i++)
		if (result[i] == '_')
			result[i] = '.';
	return result;
}

/* The first rule whose word is in the text */
static const Rule *
find_rule(const char *s, const Rule *rules, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (strstr(s, rules[i].word) != NULL)
			return &rules[i];
	return NULL;
}

/*
 * A generic word of bots: the place of the name around it, its length in len.
 * "bot" counts where no letter follows; "cubot" is a maker of phones.
 */
static const char *
find_bot_word(const char *s, int *len)
{
	int i;

	for (i = 0; i < lengthof(bot_words); i++)
	{
		const char *at = s;
		size_t n = strlen(bot_words[i]);

		while ((at = strstr(at, bot_words[i])) != NULL)
		{
			const char *start = at;
			const char *end = at + n;

			if (i == 0 && (is_letter(*end) || (at - s >= 2 && strncmp(at - 2, "cu", 2) == 0)))
			{
				at = end;
				continue;
			}
			while (start > s && (is_letter(start[-1]) || (start[-1] >= '0' && start[-1] <= '9') ||
								 start[-1] == '-' || start[-1] == '_' || start[-1] == '.'))
				start--;
			while (is_letter(*end) || *end == '-' || *end == '_')
				end++;
			*len = end - start;
			return start;
		}
	}
	return NULL;
}

static void
put(Datum *value, bool *isnull, const char *s)
{
	*isnull = s == NULL;
	if (s != NULL)
		*value = dmp_web_text(s, strlen(s));
}

/* System and its version; what kind of device that says, or NULL */
static const char *
find_system(const char *s, Datum *values, bool *nulls)
{
	int i, j;

	for (i = 0; i < lengthof(systems); i++)
	{
		const System *system = &systems[i];
		char *version;

		if (strstr(s, system->word) == NULL)
			continue;
		version = version_after(s, system->version != NULL ? system->version : system->word);
		if (version != NULL && strcmp(system->word, "windows nt") == 0)
			for (j = 0; j < lengthof(windows); j++)
				if (strcmp(version, windows[j][0]) == 0)
				{
					version = pstrdup(windows[j][1]);
					break;
				}
		put(&values[0], &nulls[0], system->name);
		put(&values[1], &nulls[1], version);
		return system->device;
	}
	return NULL;
}

/* Where the system does not tell: televisions are other, Android without Mobile is a tablet */
static const char *
find_device(const char *s, bool known)
{
	if (strstr(s, "smart-tv") || strstr(s, "smarttv") || strstr(s, "android tv") ||
		strstr(s, "appletv") || strstr(s, "googletv") || strstr(s, "playstation") ||
		strstr(s, "nintendo"))
		return "other";
	if (strstr(s, "tablet") || strstr(s, "kindle") || strstr(s, "silk/"))
		return "tablet";
	if (strstr(s, "mobile") || strstr(s, "phone") || strstr(s, "opera mini"))
		return "mobile";
	return known && strstr(s, "android") != NULL ? "tablet" : "other";
}

/*
 * dmp.parse_user_agent(agent text): browser (of a bot: its name), version,
 * system, version, device ('desktop', 'mobile', 'tablet', 'bot', 'other') and
 * whether it is a bot. What the text does not tell is NULL. Never throws.
 */
Datum
dmp_parse_user_agent(PG_FUNCTION_ARGS)
{
	text *agent = PG_GETARG_TEXT_PP(0);
	const char *original = VARDATA_ANY(agent);
	int len = pg_mbcliplen(original, VARSIZE_ANY_EXHDR(agent), AGENT_MAX);
	char *s = pnstrdup(original, len);
	Datum values[AGENT_COLUMNS] = {0};
	bool nulls[AGENT_COLUMNS];
	const Rule *rule;
	const char *word = NULL;
	const char *device;
	bool known, bot;
	int i, n;

	memset(nulls, true, sizeof(nulls));
	for (i = 0; i < len; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] += 'a' - 'A';
		else if (s[i] > 0 && s[i] < ' ')
			s[i] = ' ';
	device = find_system(s, &values[2], &nulls[2]);
	known = !nulls[2];
	/* Amazon's tablets call themselves Linux where they hide that they are Android */
	if (device == NULL || strstr(s, "silk/") != NULL)
		device = find_device(s, known);

	rule = find_rule(s, bots, lengthof(bots));
	if (rule == NULL)
		word = find_bot_word(s, &n);
	bot = rule != NULL || word != NULL;
	if (word != NULL)
	{
		char *name = pnstrdup(word, n);

		values[0] = dmp_web_text(original + (word - s), n);
		nulls[0] = false;
		put(&values[1], &nulls[1], version_after(s, name));
	}
	else
	{
		if (rule == NULL)
			rule = find_rule(s, browsers, lengthof(browsers));
		if (rule != NULL)
		{
			put(&values[0], &nulls[0], rule->name);
			put(&values[1], &nulls[1],
				version_after(s, rule->version != NULL ? rule->version : rule->word));
		}
	}
	values[4] = CStringGetTextDatum(bot ? "bot" : device);
	values[5] = BoolGetDatum(bot);
	nulls[4] = nulls[5] = false;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(dmp_web_row(fcinfo), values, nulls)));
}
