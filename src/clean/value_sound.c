/*-------------------------------------------------------------------------
 * value_sound.c
 *		Keys by which words that sound alike meet.
 *
 * metaphone: the rules of Lawrence Philips' Metaphone (1990) for English.
 * cologne: Kölner Phonetik (Postel 1969) for German, digits for sounds.
 *
 * The value is read as for dmp.fingerprint (lower case, no punctuation,
 * western letters as ASCII); each word has a code, and the codes are joined by
 * blanks in the order of the words. What is not a letter from a to z is its own
 * code, so that values in other scripts, and numbers, meet only when equal.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

PG_FUNCTION_INFO_V1(dmp_sound_key);

/* One word and its code under way; at[-1] and at[len] are 0 */
typedef struct Word
{
	const pg_wchar *at;
	int len;
	DmpChars *out;
} Word;

static inline bool
is_letter(pg_wchar c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool
one_of(pg_wchar c, const char *set)
{
	return c > 0 && c < 0x80 && strchr(set, (char) c) != NULL;
}

static inline pg_wchar
char_at(const Word *word, int i)
{
	return i >= 0 && i < word->len ? word->at[i] : 0;
}

static inline void
add_code(Word *word, pg_wchar c)
{
	word->out->c[word->out->n++] = c;
}

/* ------------------------------------------------------------- metaphone */

#define VOWELS "aeiou"
#define FRONT "eiy"

/*
 * The code of c, g, s, t and w, h, whose sound depends on what stands around.
 * Returns how many letters were used.
 */
static int
metaphone_context(Word *word, int i)
{
	pg_wchar c = char_at(word, i);
	pg_wchar before = char_at(word, i - 1);
	pg_wchar next = char_at(word, i + 1);
	pg_wchar after = char_at(word, i + 2);

	switch (c)
	{
		case 'c':
			if (next == 'i' && after == 'a')
				add_code(word, 'x');
			else if (one_of(next, FRONT))
			{
				if (before != 's')
					add_code(word, 's');
			}
			else if (next == 'h')
			{
				add_code(word, before == 's' || (i == 0 && !one_of(after, VOWELS)) ? 'k' : 'x');
				return 2;
			}
			else
				add_code(word, 'k');
			return 1;
		case 'g':
			if (next == 'h')
			{
				/* silent before a consonant and at the end */
				if (i == 0 || one_of(after, VOWELS))
					add_code(word, 'k');
				return 2;
			}
			if (next == 'n' && (after == 0 || (after == 'e' && char_at(word, i + 3) == 'd')))
				return 1;
			add_code(word, one_of(next, FRONT) && before != 'g' ? 'j' : 'k');
			return 1;
		case 's':
			if (next == 'h')
			{
				add_code(word, 'x');
				return 2;
			}
			add_code(word, next == 'i' && (after == 'o' || after == 'a') ? 'x' : 's');
			return 1;
		case 't':
			if (next == 'h')
			{
				add_code(word, '0');
				return 2;
			}
			if (next == 'i' && (after == 'o' || after == 'a'))
				add_code(word, 'x');
			else if (!(next == 'c' && after == 'h'))
				add_code(word, 't');
			return 1;
		default: /* h, w, y: heard before a vowel only */
			if (one_of(next, VOWELS) && !(c == 'h' && one_of(before, "cgpst")))
				add_code(word, c);
			return 1;
	}
}

static void
metaphone(Word *word)
{
	int start = word->out->n;
	int first;
	int i = 0;

	/* beginnings with a silent letter */
	if ((char_at(word, 0) == 'a' && char_at(word, 1) == 'e') ||
		(one_of(char_at(word, 0), "gkp") && char_at(word, 1) == 'n') ||
		(char_at(word, 0) == 'w' && char_at(word, 1) == 'r'))
		i = 1;
	else if (char_at(word, 0) == 'x')
	{
		add_code(word, 's');
		i = 1;
	}
	else if (char_at(word, 0) == 'w' && char_at(word, 1) == 'h')
	{
		add_code(word, 'w');
		i = 2;
	}
	first = i;
	while (i < word->len)
	{
		pg_wchar c = char_at(word, i);
		pg_wchar before = char_at(word, i - 1);
		pg_wchar next = char_at(word, i + 1);

		CHECK_FOR_INTERRUPTS();
		if (c == before && c != 'c' && is_letter(c))
			i++;
		else if (one_of(c, VOWELS))
		{
			if (i == first && word->out->n == start)
				add_code(word, c);
			i++;
		}
		else if (one_of(c, "cgsthwy"))
			i += metaphone_context(word, i);
		else
		{
			if (c == 'b' && before == 'm' && next == 0)
				;
			else if (c == 'd' && next == 'g' && one_of(char_at(word, i + 2), FRONT))
			{
				add_code(word, 'j');
				i++;
			}
			else if (c == 'd')
				add_code(word, 't');
			else if (c == 'k')
			{
				if (before != 'c')
					add_code(word, 'k');
			}
			else if (c == 'p' && next == 'h')
			{
				add_code(word, 'f');
				i++;
			}
			else if (c == 'q')
				add_code(word, 'k');
			else if (c == 'v')
				add_code(word, 'f');
			else if (c == 'x')
			{
				add_code(word, 'k');
				add_code(word, 's');
			}
			else if (c == 'z')
				add_code(word, 's');
			else
				add_code(word, c);
			i++;
		}
	}
}

/* --------------------------------------------------------------- cologne */

static pg_wchar
cologne_c(const Word *word, int i)
{
	pg_wchar before = char_at(word, i - 1);
	pg_wchar next = char_at(word, i + 1);

	if (i == 0)
		return one_of(next, "ahkloqrux") ? '4' : '8';
	return !one_of(before, "sz") && one_of(next, "ahkoqux") ? '4' : '8';
}

/* 0: no sound; '#': x, which is 48 */
static pg_wchar
cologne_code(const Word *word, int i)
{
	pg_wchar c = char_at(word, i);
	pg_wchar next = char_at(word, i + 1);

	if (one_of(c, "aeijouy"))
		return '0';
	if (c == 'h')
		return 0;
	if (c == 'b' || (c == 'p' && next != 'h'))
		return '1';
	if (c == 'd' || c == 't')
		return one_of(next, "csz") ? '8' : '2';
	if (one_of(c, "fvwp"))
		return '3';
	if (c == 'c')
		return cologne_c(word, i);
	if (one_of(c, "gkq"))
		return '4';
	if (c == 'x')
		return one_of(char_at(word, i - 1), "ckq") ? '8' : '#';
	if (c == 'l')
		return '5';
	if (c == 'm' || c == 'n')
		return '6';
	if (c == 'r')
		return '7';
	if (c == 's' || c == 'z')
		return '8';
	return c;
}

static void
cologne(Word *word)
{
	pg_wchar last = 0;
	int start = word->out->n;
	int i;

	for (i = 0; i < word->len; i++)
	{
		pg_wchar code = cologne_code(word, i);

		CHECK_FOR_INTERRUPTS();
		if (code == '#')
		{
			if (last != '4')
				add_code(word, '4');
			code = '8';
			last = '4';
		}
		/* of a run of one code one stays; vowels only in front */
		if (code != 0 && code != last && (code != '0' || word->out->n == start))
			add_code(word, code);
		if (code != 0)
			last = code;
	}
}

/*
 * dmp_internal.sound_key(value text, method text) -> text
 *
 * method: metaphone or cologne. A value without letters and digits has an
 * empty key.
 */
Datum
dmp_sound_key(PG_FUNCTION_ARGS)
{
	char *method = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool german = strcmp(method, "cologne") == 0;
	DmpChars chars;
	DmpChars key = {0};
	Word word;
	text *result;
	int i = 0;

	if (!german && strcmp(method, "metaphone") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown method \"%s\"", method),
				 errdetail("Known methods: metaphone, cologne.")));
	if (!dmp_chars_read_plain(PG_GETARG_TEXT_PP(0), &chars))
		PG_RETURN_NULL();
	dmp_chars_to_ascii(&chars);
	/* a letter has two codes at most */
	key.c = palloc_extended(sizeof(pg_wchar) * ((Size) chars.n * 2 + 1), MCXT_ALLOC_HUGE);
	word.out = &key;
	while (i < chars.n)
	{
		int from = i;

		while (i < chars.n && chars.c[i] != ' ')
			i++;
		if (key.n > 0)
			key.c[key.n++] = ' ';
		word.at = chars.c + from;
		word.len = i - from;
		if (german)
			cologne(&word);
		else
			metaphone(&word);
		i++;
	}
	if ((result = dmp_chars_write(key.c, key.n)) == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}
