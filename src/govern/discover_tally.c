/*-------------------------------------------------------------------------
 * discover_tally.c
 *		Values of one column (or json leaf) counted by kind, and the verdict.
 *
 * A kind is found when enough of the values are of it, when nearly all that
 * have its shape also have its check digits, and when that many would not
 * have them by chance: one number in ten passes Luhn's check, so four of
 * four that do are chance in one of 10,000 columns, and twenty of a hundred
 * are nothing. Chance is judged over distinct values: a constant that is
 * repeated says no more than once.
 *-------------------------------------------------------------------------
 */
#include "govern/discover.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/float.h"

#define SLOTS 4096 /* a power of two, twice the values of a sample */
#define PREFIXES 32

struct DmpTally
{
	DmpPersonalHint hint;
	DmpPersonalSet by_type;
	const char *path;
	int values;
	int distinct;
	int given_names;
	int spread_high; /* distinct IPv4 addresses with an octet of 100 or more */
	int is[PERSONAL_KINDS];
	int distinct_is[PERSONAL_KINDS];
	int distinct_like[PERSONAL_KINDS];
	int prefixes;
	int16 prefix[PREFIXES];
	int used;
	uint64 seen[SLOTS]; /* hashes of values; 0 is free */
};

typedef struct Rule
{
	const char *category;
	const char *what;
	double chance; /* that a value of the shape is right by chance; 0: no check */
	double alone;  /* least share of the values, the name saying nothing; above 1: never */
	double named;  /* ... the name saying it */
	double pure;   /* least share of those of the shape */
} Rule;

static const Rule rules[PERSONAL_KINDS] = {
	[PERSONAL_EMAIL] = {"email", "e-mail addresses", 0, 0.05, 0.01, 0},
	[PERSONAL_PHONE_WRITTEN] = {"phone", "telephone numbers", 0, 0.5, 0.1, 0.9},
	[PERSONAL_PHONE_MOBILE] = {"phone", "Chinese mobile numbers", 0, 0.5, 0.1, 0.97},
	[PERSONAL_PHONE_ANY] = {"phone", "digits of telephone numbers", 0, 2, 0.5, 0.5},
	[PERSONAL_CARD] = {"card", "card numbers with their check digit", 0.1, 0.05, 0.05, 0.8},
	[PERSONAL_IBAN] = {"iban", "IBANs with their check digits", 0.01, 0.05, 0.01, 0.5},
	[PERSONAL_ID_CN] = {"national_id", "Chinese resident identity numbers with their check digit",
						0.005, 0.05, 0.01, 0.5},
	[PERSONAL_ID_US] = {"national_id", "US social security numbers", 0, 0.5, 0.1, 0.98},
	[PERSONAL_ID_US_DIGITS] = {"national_id", "digits of US social security numbers", 0, 2, 0.5,
							   0.95},
	[PERSONAL_ID_GB] = {"national_id", "British national insurance numbers", 0.1, 0.3, 0.1, 0.9},
	[PERSONAL_ID_ES] = {"national_id", "Spanish identity numbers with their check letter", 0.05,
						0.3, 0.05, 0.8},
	[PERSONAL_ID_BR] = {"national_id", "Brazilian CPF numbers with their check digits", 0.01, 0.3,
						0.05, 0.8},
	[PERSONAL_PASSPORT] = {"passport", "shaped like passport numbers", 0, 2, 0.6, 0},
	[PERSONAL_IPV4] = {"ip", "IPv4 addresses", 0, 0.5, 0.1, 0.5},
	[PERSONAL_IPV6] = {"ip", "IPv6 addresses", 0, 0.3, 0.05, 0},
	[PERSONAL_MAC] = {"mac", "MAC addresses", 0, 0.5, 0.2, 0},
	[PERSONAL_DEVICE] = {"device", "IMEIs with their check digit", 0.1, 2, 0.5, 0.8},
	[PERSONAL_BIRTH] = {"birth_date", "dates from 1900 to this year", 0, 2, 0.7, 0},
	[PERSONAL_NAME] = {"name", "shaped like names of people", 0, 2, 0.8, 0},
	[PERSONAL_NAME_HAN] = {"name", "Chinese words that begin with a surname", 0, 0.9, 0.6, 0.6},
	[PERSONAL_ADDRESS] = {"address", "shaped like postal addresses", 0, 2, 0.5, 0},
	[PERSONAL_ADDRESS_HAN] = {"address", "Chinese postal addresses", 0, 0.5, 0.1, 0},
	[PERSONAL_POSTCODE] = {"postcode", "shaped like postal codes", 0, 2, 0.8, 0},
	[PERSONAL_PLATE] = {"plate", "Chinese licence plates", 0, 0.3, 0.1, 0},
	[PERSONAL_LOCATION] = {"location", "coordinates", 0, 2, 0.8, 0},
	[PERSONAL_CREDENTIAL] = {"credential", "neither dates nor words such as yes and no", 0, 2, 0.8,
							 0},
	[PERSONAL_CREDENTIAL_HASH] = {"credential", "hashes of passwords", 0, 0.3, 0.1, 0},
};

DmpTally *
dmp_tally_make(DmpPersonalHint hint, DmpPersonalSet by_type, const char *path)
{
	DmpTally *tally = palloc0(sizeof(DmpTally));

	tally->hint = hint;
	tally->by_type = by_type;
	tally->path = path;
	return tally;
}

/* whether the value was not there before; a full table takes no more */
static bool
is_new(DmpTally *tally, const char *s, int n)
{
	uint64 hash = DatumGetUInt64(hash_any_extended((const unsigned char *) s, n, 0));
	int slot;

	if (hash == 0)
		hash = 1;
	for (slot = hash & (SLOTS - 1); tally->seen[slot] != 0; slot = (slot + 1) & (SLOTS - 1))
	{
		if (tally->seen[slot] == hash)
			return false;
	}
	if (tally->used >= SLOTS / 4 * 3)
		return false;
	tally->seen[slot] = hash;
	tally->used++;
	return true;
}

static void
add_prefix(DmpTally *tally, int prefix)
{
	int i;

	for (i = 0; i < tally->prefixes; i++)
	{
		if (tally->prefix[i] == prefix)
			return;
	}
	if (tally->prefixes < PREFIXES)
		tally->prefix[tally->prefixes++] = prefix;
}

void
dmp_tally_add(DmpTally *tally, const char *s, int n)
{
	DmpPersonalSet hinted = tally->hint.kinds | tally->by_type;
	DmpPersonalMatch match;
	bool is_first = is_new(tally, s, n);
	int kind;

	tally->values++;
	tally->distinct += is_first;
	dmp_personal_match(s, n, hinted, &match);
	tally->given_names += match.given_name;
	if (match.like == 0)
		return;
	for (kind = 0; kind < PERSONAL_KINDS; kind++)
	{
		if (match.is & PERSONAL(kind))
		{
			tally->is[kind]++;
			tally->distinct_is[kind] += is_first;
		}
		if (match.like & PERSONAL(kind))
			tally->distinct_like[kind] += is_first;
	}
	if (match.is & PERSONAL(PERSONAL_PHONE_MOBILE))
		add_prefix(tally, match.spread);
	else if ((match.is & PERSONAL(PERSONAL_IPV4)) && is_first)
		tally->spread_high += match.spread == 1;
}

bool
dmp_tally_has_values(const DmpTally *tally)
{
	return tally->values > 0;
}

/* log10 of the probability of at least k of n by chance p, bounded by Chernoff: no sum is needed to be above it */
static double
log10_chance(int n, int k, double p)
{
	double q;

	if (n == 0 || k <= n * p)
		return 0;
	q = (double) k / n;
	return -n * (q * log(q / p) + (q < 1 ? (1 - q) * log((1 - q) / (1 - p)) : 0)) / M_LN10;
}

/* what else a kind asks for when its check digits cannot tell */
static bool
is_plausible(const DmpTally *tally, DmpPersonalKind kind, bool named)
{
	int n = tally->distinct_is[kind];

	switch (kind)
	{
		case PERSONAL_PHONE_MOBILE:
			/* numbers given out in a row begin alike */
			return named || tally->prefixes >= Min(Max(3, n / 4), 8);
		case PERSONAL_PHONE_WRITTEN:
		case PERSONAL_ID_US:
			return named || n >= 3;
		case PERSONAL_IPV4:
			if (tally->hint.version)
				return false;
			/* versions of four parts have small ones */
			return named || tally->spread_high >= Max(1, n / 5);
		case PERSONAL_NAME:
			/* few words repeated are a code */
			return tally->distinct >= Min(tally->values, 3) &&
				   tally->distinct * 50 >= tally->values;
		case PERSONAL_NAME_HAN:
			return tally->distinct * 20 >= tally->values && (named || n >= 10);
		case PERSONAL_POSTCODE:
		case PERSONAL_LOCATION:
			return tally->distinct >= Min(tally->values, 3);
		case PERSONAL_ADDRESS_HAN:
		case PERSONAL_PLATE:
			return named || n >= 2;
		default:
			return true;
	}
}

static bool
is_found(const DmpTally *tally, DmpPersonalKind kind)
{
	const Rule *rule = &rules[kind];
	bool named = ((tally->hint.kinds | tally->by_type) & PERSONAL(kind)) != 0;
	double share = (double) tally->is[kind] / tally->values;
	int like = tally->distinct_like[kind];
	int is = tally->distinct_is[kind];

	if (kind == PERSONAL_NAME && !named && tally->hint.bare_name)
		/* names of what? enough usual given names make it people */
		named = tally->given_names >= 2 && tally->given_names >= tally->values * 0.15;
	if (kind == PERSONAL_NAME_HAN && tally->hint.bare_name)
		named = true;
	if (tally->is[kind] == 0 || share < (named ? rule->named : rule->alone))
		return false;
	if (rule->pure > 0 && is < rule->pure * like)
		return false;
	if (rule->chance > 0 && log10_chance(like, is, rule->chance) > (named ? -0.9 : -2.2))
		return false;
	/* a lone one among many may be anything, when nothing speaks for it */
	if (!named && share < 0.5 && is < 3)
		return false;
	return is_plausible(tally, kind, named);
}

static char *
evidence(const DmpTally *tally, DmpPersonalKind kind)
{
	StringInfoData text;

	initStringInfo(&text);
	if (tally->path != NULL)
		appendStringInfo(&text, "%s: ", tally->path);
	if (tally->by_type & PERSONAL(kind))
		appendStringInfoString(&text, "the type says so; ");
	else if (tally->hint.kinds & PERSONAL(kind))
		appendStringInfoString(&text, "the name says so; ");
	appendStringInfo(&text, "%d of %d values are %s", tally->is[kind], tally->values,
					 rules[kind].what);
	return text.data;
}

static DmpFinding *
finding_of(List *findings, const char *category)
{
	ListCell *lc;

	foreach (lc, findings)
	{
		DmpFinding *finding = lfirst(lc);

		if (strcmp(finding->category, category) == 0)
			return finding;
	}
	return NULL;
}

List *
dmp_tally_findings(const DmpTally *tally)
{
	List *findings = NIL;
	int kind;

	for (kind = 0; kind < PERSONAL_KINDS && tally->values > 0; kind++)
	{
		double share = (double) tally->is[kind] / tally->values;
		DmpFinding *finding;

		if (!is_found(tally, kind))
			continue;
		finding = finding_of(findings, rules[kind].category);
		if (finding == NULL)
		{
			finding = palloc0(sizeof(DmpFinding));
			findings = lappend(findings, finding);
		}
		else if (finding->share >= share)
			continue;
		finding->category = rules[kind].category;
		finding->share = share;
		finding->text = evidence(tally, kind);
	}
	return findings;
}

/* whether a column of this type can hold the kind at all */
static bool
type_holds(Oid type, DmpPersonalKind kind)
{
	switch (type)
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return kind == PERSONAL_BIRTH;
		case INETOID:
			return kind == PERSONAL_IPV4;
		case MACADDROID:
		case MACADDR8OID:
			return kind == PERSONAL_MAC;
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
			return kind == PERSONAL_PHONE_ANY || kind == PERSONAL_CARD ||
				   kind == PERSONAL_ID_US_DIGITS || kind == PERSONAL_LOCATION;
		case FLOAT4OID:
		case FLOAT8OID:
		case POINTOID:
			return kind == PERSONAL_LOCATION;
		default:
			return true;
	}
}

List *
dmp_hint_findings(DmpPersonalHint hint, Oid type, const char *why)
{
	List *findings = NIL;
	int kind;

	if (type == INETOID)
		hint.kinds |= PERSONAL(PERSONAL_IPV4);
	if (type == MACADDROID || type == MACADDR8OID)
		hint.kinds |= PERSONAL(PERSONAL_MAC);
	for (kind = 0; kind < PERSONAL_KINDS && !hint.about; kind++)
	{
		DmpFinding *finding;

		if (!(hint.kinds & PERSONAL(kind)) || !type_holds(type, kind) ||
			finding_of(findings, rules[kind].category) != NULL)
			continue;
		finding = palloc0(sizeof(DmpFinding));
		finding->category = rules[kind].category;
		finding->share = get_float8_nan();
		finding->text = psprintf("the name or the type says so; %s", why);
		findings = lappend(findings, finding);
	}
	return findings;
}
