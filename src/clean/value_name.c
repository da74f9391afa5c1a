/*-------------------------------------------------------------------------
 * value_name.c
 *		dmp.parse_person_name: the parts of a person's name.
 *
 * Chinese (two to six Han characters): one of the compound family names, else
 * one character, then the given name. With a middle dot it is a name of
 * another language in Chinese characters: given names, then the family name.
 * Korean in Hangul likewise.
 *
 * Others: titles, given name, middle names, family name with its particles,
 * suffixes; or "family, given middle". A single word is the given name: it
 * is what people are called by.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

#include "access/htup_details.h"
#include "funcapi.h"

PG_FUNCTION_INFO_V1(dmp_parse_person_name);

#define MOST_WORDS 16
#define MOST_CHARACTERS 200

enum
{
	PART_TITLE,
	PART_GIVEN,
	PART_MIDDLE,
	PART_FAMILY,
	PART_SUFFIX,
	N_PARTS
};

/* lower case, without full stops */
static const char *const titles[] = {"mr",        "mrs",  "ms",   "miss", "mx",   "dr",  "prof",
									 "professor", "sir",  "dame", "lady", "lord", "rev", "fr",
									 "hon",       "herr", "frau", "mme",  "mlle", "sr",  "sra",
									 "dipl-ing",  "capt", "col",  "gen",  "lt",   "sgt"};
static const char *const suffixes[] = {"jr",  "sr",  "ii",  "iii", "iv",  "phd", "md", "esq",
									   "dds", "mba", "cpa", "rn",  "obe", "mbe", "cbe"};
static const char *const particles[] = {"van", "von", "der", "den", "de", "del", "della", "di",
										"da",  "do",  "dos", "das", "du", "la",  "le",    "ter",
										"ten", "zu",  "zum", "zur", "af", "av",  "bin",   "ibn",
										"al",  "el",  "y",   "st",  "'t", "dal", "degli", "vom"};
/* compound family names in use, and titles behind a name, as text for strstr */
static const char *const compound[] = {
	"欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛", "东方", "東方", "皇甫", "尉迟",
	"尉遲", "公孙", "公孫", "慕容", "令狐", "长孙", "長孫", "宇文", "司徒", "司空", "夏侯",
	"轩辕", "軒轅", "端木", "独孤", "獨孤", "南宫", "南宮", "澹台", "澹臺", "呼延", "东郭",
	"百里", "西门", "西門", "赫连", "赫連", "拓跋", "申屠", "太史", "公羊", "钟离", "鍾離",
	"闻人", "聞人", "남궁", "황보", "제갈", "선우", "독고", "사공", "서문"};
static const char *const honorifics[] = {"先生", "女士", "小姐", "老师", "老師", "太太", "教授",
										 "博士", "医生", "醫生", "同志", "经理", "經理"};

typedef struct Word
{
	pg_wchar *c;
	int n;
} Word;

static bool
same(const Word *w, const char *utf8)
{
	const unsigned char *at = (const unsigned char *) utf8;
	const unsigned char *end = at + strlen(utf8);
	int i = 0;
	int n = w->n;

	while (n > 0 && w->c[n - 1] == '.')
		n--;
	for (i = 0; i < n; i++)
	{
		pg_wchar c = dmp_lower_case(w->c[i]);

		if (c == '.') /* Ph.D. */
			continue;
		if (at >= end || dmp_decode_utf8(&at, end) != c)
			return false;
	}
	return at == end && n > 0;
}

static bool
is_one_of(const Word *w, const char *const *list, int n)
{
	int i;

	for (i = 0; i < n; i++)
	{
		if (same(w, list[i]))
			return true;
	}
	return false;
}

static bool
is_dot(pg_wchar c)
{
	return c == 0xB7 || c == 0x2022 || c == 0x2027 || c == 0x30FB;
}

static bool
is_eastern(pg_wchar c)
{
	return dmp_is_han(c) || (c >= 0xAC00 && c <= 0xD7A3);
}

/* words from .. to - 1 with blanks between, without commas */
static Datum
join(const Word *words, int from, int to, bool *null)
{
	pg_wchar joined[MOST_CHARACTERS * 2];
	text *result;
	int n = 0;
	int i;

	for (i = from; i < to; i++)
	{
		if (n > 0)
			joined[n++] = ' ';
		memcpy(joined + n, words[i].c, sizeof(pg_wchar) * words[i].n);
		n += words[i].n;
	}
	result = n == 0 ? NULL : dmp_chars_write(joined, n);
	*null = result == NULL;
	return PointerGetDatum(result);
}

/* Chinese and Korean names, without blanks */
static bool
eastern_name(pg_wchar *c, int n, Datum *values, bool *nulls)
{
	Word part = {c, 2};
	int family = 1;
	int dot = -1;
	int i;

	if (n > 3)
	{
		part.c = c + n - 2;
		if (is_one_of(&part, honorifics, lengthof(honorifics)))
		{
			values[PART_TITLE] = join(&part, 0, 1, &nulls[PART_TITLE]);
			n -= 2;
		}
		part.c = c;
	}
	else if (n == 3)
	{
		part.c = c + 1;
		if (is_one_of(&part, honorifics, lengthof(honorifics))) /* 王先生 */
		{
			values[PART_TITLE] = join(&part, 0, 1, &nulls[PART_TITLE]);
			part.c = c;
			part.n = 1;
			values[PART_FAMILY] = join(&part, 0, 1, &nulls[PART_FAMILY]);
			return true;
		}
		part.c = c;
	}
	for (i = 0; i < n; i++)
	{
		if (is_dot(c[i]))
			dot = i;
	}
	if (dot > 0 && dot < n - 1)
	{
		part.n = dot;
		values[PART_GIVEN] = join(&part, 0, 1, &nulls[PART_GIVEN]);
		part.c = c + dot + 1;
		part.n = n - dot - 1;
		values[PART_FAMILY] = join(&part, 0, 1, &nulls[PART_FAMILY]);
		return true;
	}
	if (dot >= 0 || n < 2 || n > 6)
		return false;
	if (is_one_of(&part, compound, lengthof(compound)))
		family = 2;
	part.n = family;
	values[PART_FAMILY] = join(&part, 0, 1, &nulls[PART_FAMILY]);
	part.c = c + family;
	part.n = n - family;
	values[PART_GIVEN] = join(&part, 0, 1, &nulls[PART_GIVEN]);
	return true;
}

/* The words of a name; *comma is the first word behind a comma, or -1. Their number, 0: too many. */
static int
split(DmpChars *chars, Word *words, int *comma)
{
	int n = 0;
	int i = 0;

	*comma = -1;
	while (i < chars->n)
	{
		int from = i;
		int end;
		bool behind;

		while (i < chars->n && chars->c[i] != ' ' && chars->c[i] != ',')
			i++;
		end = i;
		behind = i < chars->n && chars->c[i] == ',';
		i++;
		if (end > from)
		{
			if (n == MOST_WORDS)
				return 0;
			words[n].c = chars->c + from;
			words[n++].n = end - from;
		}
		if (behind && *comma < 0 && n > 0)
			*comma = n;
	}
	return n;
}

static void
western_name(Word *words, int n, int comma, Datum *values, bool *nulls)
{
	Word both[MOST_WORDS];
	int ntitles;
	int from = 0;
	int family;
	int end = n;

	while (from < n - 1 && is_one_of(&words[from], titles, lengthof(titles)))
		from++;
	ntitles = from;
	values[PART_TITLE] = join(words, 0, from, &nulls[PART_TITLE]);
	while (end > from + 1 && is_one_of(&words[end - 1], suffixes, lengthof(suffixes)))
		end--;
	values[PART_SUFFIX] = join(words, end, n, &nulls[PART_SUFFIX]);
	if (comma > from && comma < end) /* family, given middle */
	{
		values[PART_FAMILY] = join(words, from, comma, &nulls[PART_FAMILY]);
		/* Smith, Dr. John: titles from both places */
		memcpy(both, words, sizeof(Word) * from);
		while (comma < end - 1 && is_one_of(&words[comma], titles, lengthof(titles)))
			both[ntitles++] = words[comma++];
		values[PART_TITLE] = join(both, 0, ntitles, &nulls[PART_TITLE]);
		values[PART_GIVEN] = join(words, comma, comma + 1, &nulls[PART_GIVEN]);
		values[PART_MIDDLE] = join(words, comma + 1, end, &nulls[PART_MIDDLE]);
		return;
	}
	if (end - from == 1)
	{
		/* Mr. Smith is called by the family name */
		int part = from > 0 ? PART_FAMILY : PART_GIVEN;

		values[part] = join(words, from, end, &nulls[part]);
		return;
	}
	family = end - 1;
	while (family > from + 1 && is_one_of(&words[family - 1], particles, lengthof(particles)))
		family--;
	values[PART_GIVEN] = join(words, from, from + 1, &nulls[PART_GIVEN]);
	values[PART_MIDDLE] = join(words, from + 1, family, &nulls[PART_MIDDLE]);
	values[PART_FAMILY] = join(words, family, end, &nulls[PART_FAMILY]);
}

static void
parse_name(DmpChars *chars, Datum *values, bool *nulls)
{
	Word words[MOST_WORDS];
	int eastern = 0;
	int letters = 0;
	int comma;
	int n;
	int i;

	for (i = 0; i < chars->n; i++)
	{
		pg_wchar c = chars->c[i];

		if (dmp_is_digit(c) || c == '@' || c == '/' || c == '_')
			return;
		if (is_eastern(c))
			eastern++;
		else if (dmp_character_class(c) == DMP_CLASS_LETTER ||
				 dmp_character_class(c) == DMP_CLASS_DENSE)
			letters++;
	}
	if (eastern + letters == 0)
		return;
	n = split(chars, words, &comma);
	if (eastern > 0 && letters == 0)
	{
		if (n == 1)
			eastern_name(words[0].c, words[0].n, values, nulls);
		else if (n == 2 && words[0].n <= 2) /* 王 小明: the family name is first */
		{
			values[PART_FAMILY] = join(words, 0, 1, &nulls[PART_FAMILY]);
			values[PART_GIVEN] = join(words, 1, 2, &nulls[PART_GIVEN]);
		}
		return;
	}
	if (n > 0)
		western_name(words, n, comma, values, nulls);
}

/*
 * dmp.parse_person_name(value text, OUT title, given, middle, family, suffix)
 *
 * By the rules at the top, on the text as dmp.clean_text leaves it; all NULL
 * for what has digits or no letters, or is longer than 200 characters.
 */
Datum
dmp_parse_person_name(PG_FUNCTION_ARGS)
{
	TupleDesc desc;
	DmpChars chars;
	Datum values[N_PARTS] = {0};
	bool nulls[N_PARTS] = {true, true, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_WIDTH, &chars))
	{
		dmp_chars_tidy(&chars);
		if (chars.n <= MOST_CHARACTERS)
			parse_name(&chars, values, nulls);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
