/*-------------------------------------------------------------------------
 * evidence.c
 *		From the values of a column to its type, date order and decimal mark.
 *
 * Each value is counted for the types it fits. What a value cannot say alone,
 * the column says: 03/04/2024 fits DMY and MDY and decides nothing, 25/04/2024
 * decides for DMY, and then all values of the column are read so. Nothing is
 * ever read one way here and another way there: values that contradict do not
 * fit and are counted. When no value decides, the column stays text and its
 * format says what is ambiguous.
 *
 * Numbers with marks alike: "1,234.5" decides for the point, "1.234,5" and
 * "12,5" for the comma, "1,234" for nothing. Plain "1.234" is read with a
 * point where nothing decides, as json and SQL do; its format says so.
 *-------------------------------------------------------------------------
 */
#include "ingest/infer.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "ingest/meaning.h"
#include "utils/formatting.h"
#include "utils/memutils.h"

static const struct
{
	const char *name;
	Oid type;
} kinds[DMP_N_KINDS] = {
	{"boolean", BOOLOID},
	{"bigint", INT8OID},
	{"numeric", NUMERICOID},
	{"date", DATEOID},
	{"timestamp with time zone", TIMESTAMPTZOID},
	{"uuid", UUIDOID},
	{"text", TEXTOID},
	{"jsonb", JSONBOID},
};

static const char *const meanings[DMP_N_MEANINGS] = {"email", "url", "ip", "phone", "country"};
static const char marks[2] = {'.', ','};

struct DmpEvidenceTypes
{
	MemoryContext context;
	DmpField fields[DMP_N_KINDS];
	DmpField ordered[3]; /* timestamps by date order */
};

const char *
dmp_kind_name(DmpKind kind)
{
	return kinds[kind].name;
}

Oid
dmp_kind_type(DmpKind kind)
{
	return kinds[kind].type;
}

DmpEvidenceTypes *
dmp_evidence_begin(void)
{
	DmpEvidenceTypes *types = palloc0(sizeof(DmpEvidenceTypes));

	types->context = CurrentMemoryContext;
	for (int i = 0; i < DMP_N_KINDS; i++)
		dmp_field_init(&types->fields[i], kinds[i].name, kinds[i].type, -1);
	for (int i = 0; i < 3; i++)
	{
		dmp_field_init(&types->ordered[i], "date", TIMESTAMPTZOID, -1);
		types->ordered[i].date_order = i + 1;
	}
	return types;
}

static bool
converts(const DmpField *field, const char *text, size_t length)
{
	DmpRejected why = {0};
	Datum value;

	return length < 256 && dmp_field_text(field, text, length, &value, &why);
}

/* ISO spelling of a date or time as a to_char pattern; NULL when it is none */
static char *
time_format(const char *s, size_t length)
{
	static const char shape[] = "9999-99-99 99:99:99";
	StringInfoData format;
	size_t n = 0;

	while (n < length && n < sizeof(shape) - 1 &&
		   (shape[n] == '9'   ? s[n] >= '0' && s[n] <= '9'
			: shape[n] == ' ' ? s[n] == ' ' || s[n] == 'T'
			: shape[n] == '-' ? s[n] == '-' || s[n] == '/' || s[n] == '.'
							  : s[n] == ':'))
		n++;
	if (n < 10 || (n > 10 && n < 16))
		return NULL;
	format.data = palloc(64);
	format.maxlen = 64;
	resetStringInfo(&format);
	appendStringInfo(&format, "YYYY%cMM%cDD", s[4], s[7]);
	if (n >= 16)
		appendStringInfoString(&format, s[10] == 'T' ? "\"T\"HH24:MI" : " HH24:MI");
	if (n == 19)
		appendStringInfoString(&format, ":SS");
	if (n == 19 && n < length && s[n] == '.')
	{
		size_t digits = strspn(s + n + 1, "0123456789");

		appendStringInfoString(&format, digits <= 3 ? ".MS" : ".US");
		n += digits + 1;
	}
	if (n < length && s[n] == 'Z')
		appendStringInfoString(&format, "\"Z\"");
	else if (n < length && (s[n] == '+' || s[n] == '-'))
		appendStringInfoString(&format, length - n > 3 ? "TZH:TZM" : "TZH");
	return format.data;
}

/*
 * Three numbers joined by one sign, the last or the first of them a year: is
 * it a day whose order a single value may not tell? *timed: more follows.
 */
static bool
is_ordered_date(const char *s, size_t length, bool *timed, int *numbers)
{
	size_t n[3];
	size_t at = 0;

	for (int i = 0; i < 3; i++)
	{
		n[i] = strspn(s + at, "0123456789");
		numbers[i] = n[i] <= 4 ? atoi(s + at) : 0;
		at += n[i];
		if (i < 2 && (at >= length || strchr("/.-", s[at]) == NULL || (i == 1 && s[at] != s[n[0]])))
			return false;
		at += i < 2;
	}
	*timed = at < length;
	return n[0] >= 1 && n[0] <= 2 && n[1] >= 1 && n[1] <= 2 && (n[2] == 4 || n[2] == 2) &&
		   (at == length || s[at] == ' ' || s[at] == 'T');
}

/* a day or time in words: 1 Jun 2024, Jun 1, 2024 10:00 */
static bool
is_worded_date(const char *s, size_t length)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	size_t letters = 0;
	bool month = false;

	if (length < 8 || length > 40 || strcspn(s, "0123456789") == length)
		return false;
	for (size_t i = 0; i <= length; i++)
	{
		bool letter = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z');

		if (letter)
		{
			letters++;
			continue;
		}
		if (letters >= 3)
			for (const char *m = months; *m && !month; m += 3)
				month = pg_strncasecmp(s + i - letters, m, 3) == 0;
		letters = 0;
	}
	return month;
}

static void
note_format(DmpEvidenceTypes *types, DmpEvidence *e, const char *format)
{
	if (e->format == NULL)
		e->format = MemoryContextStrdup(types->context, format ? format : "");
	else if (format == NULL || strcmp(format, e->format) != 0)
		e->format[0] = '\0';
}

/* which end holds the years shows in how far the numbers at the ends spread */
static void
note_short_year(DmpEvidence *e, const int *numbers)
{
	bool seen = e->first[1] > 0 || e->last[1] > 0;

	e->first[0] = seen ? Min(e->first[0], numbers[0]) : numbers[0];
	e->first[1] = Max(e->first[1], numbers[0]);
	e->last[0] = seen ? Min(e->last[0], numbers[2]) : numbers[2];
	e->last[1] = Max(e->last[1], numbers[2]);
}

static void
add_date(DmpEvidenceTypes *types, DmpEvidence *e, const char *s, size_t length)
{
	bool timed;
	int numbers[3];
	int orders = 0;
	char *format;

	if (is_ordered_date(s, length, &timed, numbers))
	{
		for (int i = 0; i < 3; i++)
			if (converts(&types->ordered[i], s, length))
				orders |= 1 << i;
		e->ordered[orders]++;
		if (orders != 0 && timed)
			e->ordered_times++;
		if (orders != 0 && numbers[2] < 100)
			note_short_year(e, numbers);
		return;
	}
	format = length >= 10 && s[0] >= '0' && s[0] <= '9' ? time_format(s, length) : NULL;
	if (format == NULL && !is_worded_date(s, length))
		return;
	if (!converts(&types->fields[DMP_KIND_TIMESTAMPTZ], s, length))
		return;
	e->fits[DMP_KIND_TIMESTAMPTZ]++;
	if ((format ? strlen(format) == 10 : strchr(s, ':') == NULL) &&
		converts(&types->fields[DMP_KIND_DATE], s, length))
		e->fits[DMP_KIND_DATE]++;
	note_format(types, e, format);
}

/* whether it is a number under some mark */
static bool
add_number(DmpEvidenceTypes *types, DmpEvidence *e, const char *s, size_t length)
{
	size_t sign = length > 0 && (s[0] == '-' || s[0] == '+');
	bool ok[2];
	bool marked[2] = {false, false};
	bool whole[2] = {false, false};
	const char *texts[2];
	size_t lengths[2];

	if (length == 0 || length > 100 || strcspn(s, "0123456789") == length)
		return false;
	/* plain and short: by far the most */
	if (length - sign <= 18 && s[sign] != '0' && strspn(s + sign, "0123456789") == length - sign)
	{
		e->neutral++;
		e->whole[0]++;
		e->whole[1]++;
		e->fits[DMP_KIND_NUMERIC]++;
		e->fits[DMP_KIND_BIGINT]++;
		return true;
	}
	/* digits that begin with a zero: it says something */
	if (s[sign] == '0' && length > sign + 1 && s[sign + 1] >= '0' && s[sign + 1] <= '9')
	{
		e->zeros++;
		return false;
	}
	for (int i = 0; i < 2; i++)
	{
		texts[i] = s;
		lengths[i] = length;
		ok[i] = dmp_number_text(marks[i], &texts[i], &lengths[i], &marked[i]);
		whole[i] = ok[i] && converts(&types->fields[DMP_KIND_BIGINT], texts[i], lengths[i]);
		e->whole[i] += whole[i];
	}
	if (!ok[0] && !ok[1])
		return false;
	if (!ok[1])
		e->mark_only[0]++;
	else if (!ok[0])
		e->mark_only[1]++;
	else if (lengths[0] != lengths[1] || memcmp(texts[0], texts[1], lengths[0]) != 0)
		e->mark_both++;
	else
		e->neutral++;
	if (ok[0] && converts(&types->fields[DMP_KIND_NUMERIC], s, length))
	{
		e->fits[DMP_KIND_NUMERIC]++;
		e->fits[DMP_KIND_BIGINT] += whole[0] && !marked[0];
	}
	return true;
}

static void
add_text(DmpEvidenceTypes *types, DmpEvidence *e, const char *text, size_t length)
{
	char *s = pnstrdup(text, length);
	int meaning;

	e->texts++;
	e->fits[DMP_KIND_TEXT]++;
	if (length == 36 && converts(&types->fields[DMP_KIND_UUID], s, length))
		e->fits[DMP_KIND_UUID]++;
	if (!add_number(types, e, s, length))
		add_date(types, e, s, length);
	if (length > 1 && length <= 5 && strchr("tTfFyYnNoO", s[0]) != NULL &&
		converts(&types->fields[DMP_KIND_BOOLEAN], s, length))
		e->fits[DMP_KIND_BOOLEAN]++;
	meaning = dmp_meaning(s, length);
	if (meaning >= 0)
		e->meaning[meaning]++;
	if (meaning == DMP_MEANS_COUNTRY)
	{
		int pair = dmp_country_pair(s, length);

		e->countries[pair / 8] |= 1 << (pair % 8);
	}
}

void
dmp_evidence_add(DmpEvidenceTypes *types, DmpEvidence *e, DmpJsonType type, const char *text,
				 size_t length)
{
	e->present++;
	e->fits[DMP_KIND_JSONB]++;
	switch (type)
	{
		case DMP_JSON_TRUE:
		case DMP_JSON_FALSE:
			e->fits[DMP_KIND_BOOLEAN]++;
			e->fits[DMP_KIND_TEXT]++;
			break;
		case DMP_JSON_NUMBER:
			e->fits[DMP_KIND_TEXT]++;
			e->fits[DMP_KIND_NUMERIC]++;
			e->neutral++;
			if (converts(&types->fields[DMP_KIND_BIGINT], text, length))
			{
				e->fits[DMP_KIND_BIGINT]++;
				e->whole[0]++;
				e->whole[1]++;
			}
			break;
		case DMP_JSON_STRING:
		case DMP_JSON_TEXT:
			/* long ones are texts and nothing else */
			if (length < 256)
				add_text(types, e, text, length);
			else
			{
				e->texts++;
				e->fits[DMP_KIND_TEXT]++;
				if (length < 2048 && dmp_meaning(pnstrdup(text, length), length) == DMP_MEANS_URL)
					e->meaning[DMP_MEANS_URL]++;
			}
			break;
		default:
			break;
	}
}

/* at least 9 of 10 values */
static bool
most(const DmpEvidence *e, int64 n)
{
	return n * 10 >= e->present * 9;
}

/* all but 1 in 1,000 of them: the narrower of two types */
static bool
nearly(int64 n, int64 of)
{
	return (of - n) * 1000 <= of;
}

/* 1,234 */
static char *
grouped(int64 n)
{
	if (n < 1000)
		return psprintf("%lld", (long long) n);
	return psprintf("%s,%03d", grouped(n / 1000), (int) (n % 1000));
}

static bool
number_verdict(const DmpEvidence *e, DmpVerdict *v)
{
	int64 point = e->neutral + e->mark_only[0] + e->mark_both;
	int64 comma = e->neutral + e->mark_only[1] + e->mark_both;
	bool use_comma = e->mark_only[1] > e->mark_only[0];
	int64 fits = use_comma ? comma : point;
	int64 against = use_comma ? e->mark_only[0] : e->mark_only[1];
	bool decided = e->mark_only[0] != e->mark_only[1];
	bool plain = !use_comma && nearly(e->fits[DMP_KIND_NUMERIC], fits);

	if (!most(e, e->neutral + e->mark_only[0] + e->mark_only[1] + e->mark_both))
		return false;
	if (!most(e, Max(point, comma)))
	{
		v->format = psprintf("decimal mark . or ,: %s and %s values fit that mark alone",
							 grouped(e->mark_only[0]), grouped(e->mark_only[1]));
		return true;
	}
	if (!decided && e->mark_both + e->mark_only[0] > 0 && !(plain && e->mark_only[0] == 0))
	{
		v->kind = DMP_KIND_TEXT;
		v->format = psprintf("decimal mark . or ,: ambiguous, %s of %s values decide nothing%s",
							 grouped(e->mark_both), grouped(e->present),
							 e->mark_only[0] > 0 ? ", the others contradict" : "");
		return true;
	}
	if (!most(e, fits))
		return false;
	v->kind = nearly(plain ? e->fits[DMP_KIND_BIGINT] : e->whole[use_comma], fits)
				  ? DMP_KIND_BIGINT
				  : DMP_KIND_NUMERIC;
	if (!plain)
		v->decimal_mark = use_comma ? ',' : '.';
	if (!decided && e->mark_both > 0)
		v->format = psprintf("decimal mark . assumed: %s of %s values decide nothing",
							 grouped(e->mark_both), grouped(e->present));
	else if (!decided && !plain)
		v->format = pstrdup("digits in groups of three");
	else if (!plain || against > 0)
		v->format = psprintf(
			"decimal mark %c: %s of %s values decide%s", marks[use_comma],
			grouped(e->mark_only[use_comma]), grouped(e->present),
			against > 0 ? psprintf(", %s say %c", grouped(against), marks[!use_comma]) : "");
	return true;
}

/*
 * Orders that are in question, as bits. Short years are at the end whose
 * numbers spread little, when those at the other spread as days do.
 */
static int
possible_orders(const DmpEvidence *e)
{
	int first = e->first[1] - e->first[0];
	int last = e->last[1] - e->last[0];

	if (e->last[1] == 0 && e->first[1] == 0)
		return 7;
	if (first >= 15 && last * 3 < first)
		return 6;
	if (last >= 15 && first * 3 < last)
		return 1;
	return 7;
}

typedef struct Orders
{
	int64 all;
	int64 fits[3];
	int64 only[3];
	int64 open; /* fit more than one */
	int best;
} Orders;

static void
count_orders(const DmpEvidence *e, Orders *o)
{
	int possible = possible_orders(e);

	memset(o, 0, sizeof(Orders));
	for (int set = 1; set < 8; set++)
	{
		int left = set & possible;

		o->all += e->ordered[set];
		for (int i = 0; i < 3; i++)
		{
			if (left & (1 << i))
				o->fits[i] += e->ordered[set];
			if (left == 1 << i)
				o->only[i] += e->ordered[set];
		}
		if (left != 0 && (left & (left - 1)) != 0)
			o->open += e->ordered[set];
	}
	for (int i = 1; i < 3; i++)
		if (o->only[i] > o->only[o->best] ||
			(o->only[i] == o->only[o->best] && o->fits[i] > o->fits[o->best]))
			o->best = i;
}

/* orders that the values leave open, as text; NULL: they decide */
static char *
open_orders(const DmpEvidence *e, const Orders *o, int64 free)
{
	StringInfoData names;
	int n = 0;

	initStringInfo(&names);
	for (int i = 0; i < 3; i++)
		if (most(e, free + o->fits[i]) && o->only[i] == o->only[o->best] && o->fits[i] > 0)
			appendStringInfo(&names, "%s%s", n++ ? " or " : "", dmp_date_order_name(i + 1));
	return n > 1 ? names.data : NULL;
}

static bool
date_verdict(const DmpEvidence *e, DmpVerdict *v)
{
	int64 free = e->fits[DMP_KIND_TIMESTAMPTZ];
	int64 others;
	char *open;
	Orders o;
	bool timed = e->ordered_times > 0 || !nearly(e->fits[DMP_KIND_DATE], free);
	DmpKind kind = timed ? DMP_KIND_TIMESTAMPTZ : DMP_KIND_DATE;

	count_orders(e, &o);
	if (free + o.all == 0 || !most(e, free + o.all))
		return false;
	others = o.only[0] + o.only[1] + o.only[2] - o.only[o.best];
	open = open_orders(e, &o, free);
	if (o.all == 0)
	{
		v->kind = kind;
		v->format = e->format && e->format[0] ? e->format : NULL;
	}
	else if (open == NULL && most(e, free + o.fits[o.best]) && o.only[o.best] > others)
	{
		v->kind = kind;
		v->date_order = o.best + 1;
		v->format = psprintf("%s: %s of %s values decide%s", dmp_date_order_name(o.best + 1),
							 grouped(o.only[o.best]), grouped(e->present),
							 others > 0 ? psprintf(", %s say otherwise", grouped(others)) : "");
	}
	else if (most(e, free))
	{
		/* the others are dirt: year first is what refuses them */
		v->kind = kind;
		v->date_order = 1;
		v->format = psprintf("YMD: %s of %s values, the order of the others is ambiguous",
							 grouped(free), grouped(e->present));
	}
	else if (open != NULL)
		v->format =
			psprintf("%s: ambiguous, %s of %s values decide nothing%s", open, grouped(o.open),
					 grouped(e->present), others > 0 ? ", the others contradict" : "");
	else
		v->format = psprintf("YMD, DMY or MDY: %s, %s and %s values fit that order alone",
							 grouped(o.only[0]), grouped(o.only[1]), grouped(o.only[2]));
	return true;
}

static bool
names_one_of(const char *column, const char *const *words)
{
	char *lower = str_tolower(column, strlen(column), C_COLLATION_OID);

	for (; *words; words++)
		if (strstr(lower, *words) != NULL)
			return true;
	return false;
}

/* what nearly all texts of the column mean, where that is sure; NULL: nothing */
static const char *
sure_meaning(const DmpEvidence *e, const char *column)
{
	static const char *const of_country[] = {"country", "nation", NULL};
	static const char *const of_phone[] = {"phone", "mobile", "tel", "cell", NULL};

	for (int i = 0; i < DMP_N_MEANINGS; i++)
	{
		int seen = 0;

		/* 49 of 50 */
		if (e->meaning[i] == 0 || e->meaning[i] * 50 < e->present * 49)
			continue;
		if (i == DMP_MEANS_COUNTRY)
		{
			for (size_t b = 0; b < sizeof(e->countries); b++)
				seen += pg_popcount((const char *) &e->countries[b], 1);
			/* two letters mean much else: states, languages, sizes */
			if (seen < 10 && !names_one_of(column, of_country))
				continue;
		}
		if (i == DMP_MEANS_PHONE && e->present < 20 && !names_one_of(column, of_phone))
			continue;
		return meanings[i];
	}
	return NULL;
}

DmpVerdict
dmp_evidence_verdict(const DmpEvidence *e, const char *column)
{
	DmpVerdict v = {0};
	const char *meaning = sure_meaning(e, column);

	v.kind = DMP_KIND_TEXT;
	if (e->present == 0)
		return v;
	if (meaning != NULL)
		v.format = pstrdup(meaning);
	else if (most(e, e->fits[DMP_KIND_BOOLEAN]))
		v.kind = DMP_KIND_BOOLEAN;
	else if (most(e, e->fits[DMP_KIND_UUID]))
	{
		v.kind = DMP_KIND_UUID;
		v.format = pstrdup("uuid");
	}
	else if (!number_verdict(e, &v) && !date_verdict(e, &v) && !most(e, e->fits[DMP_KIND_TEXT]))
		v.kind = DMP_KIND_JSONB;
	return v;
}
