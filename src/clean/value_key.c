/*-------------------------------------------------------------------------
 * value_key.c
 *		Keys and distances by which values that mean the same meet.
 *
 * dmp.fingerprint and dmp.ngram_fingerprint take the steps that OpenRefine
 * documents for its key collision methods, in its order, on the normal form
 * KC of the text. Orders are of code points.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

#include "common/unicode_norm.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_fingerprint);
PG_FUNCTION_INFO_V1(dmp_ngram_fingerprint);
PG_FUNCTION_INFO_V1(dmp_jaro_winkler);

#define MOST_N 100

/* from U+0080 on; what normal form KC does not leave is not here */
static bool
is_punctuation(pg_wchar c)
{
	static const pg_wchar ranges[][2] = {
		{0xA1, 0xA1},     {0xA7, 0xA7},     {0xAB, 0xAB},     {0xB6, 0xB7},     {0xBB, 0xBB},
		{0xBF, 0xBF},     {0x37E, 0x37E},   {0x387, 0x387},   {0x55A, 0x55F},   {0x589, 0x58A},
		{0x5BE, 0x5BE},   {0x5C0, 0x5C0},   {0x5C3, 0x5C3},   {0x5C6, 0x5C6},   {0x5F3, 0x5F4},
		{0x609, 0x60A},   {0x60C, 0x60D},   {0x61B, 0x61B},   {0x61D, 0x61F},   {0x66A, 0x66D},
		{0x6D4, 0x6D4},   {0x964, 0x965},   {0xE4F, 0xE4F},   {0xE5A, 0xE5B},   {0x104A, 0x104F},
		{0x17D4, 0x17D6}, {0x17D8, 0x17DA}, {0x2010, 0x2027}, {0x2030, 0x2043}, {0x2045, 0x2051},
		{0x2053, 0x205E}, {0x2308, 0x230B}, {0x2329, 0x232A}, {0x2768, 0x2775}, {0x27E6, 0x27EF},
		{0x2983, 0x2998}, {0x2E00, 0x2E4F}, {0x3001, 0x3003}, {0x3008, 0x3011}, {0x3014, 0x301F},
		{0x3030, 0x3030}, {0x303D, 0x303D}, {0x30A0, 0x30A0}, {0x30FB, 0x30FB}};
	int low = 0;
	int high = lengthof(ranges) - 1;

	if (c < 0x80)
		return c > ' ' && c < 0x7F && !dmp_is_digit(c) && !(c >= 'a' && c <= 'z') &&
			   !(c >= 'A' && c <= 'Z');
	while (low <= high)
	{
		int middle = (low + high) / 2;

		if (c < ranges[middle][0])
			high = middle - 1;
		else if (c > ranges[middle][1])
			low = middle + 1;
		else
			return true;
	}
	return false;
}

/*
 * Lower case, without punctuation, controls and hidden characters, tidy; false
 * when the value cannot be read.
 */
bool
dmp_chars_read_plain(text *value, DmpChars *chars)
{
	int n = 0;
	int i;

	if (!dmp_chars_read(value, DMP_FOLD_NFKC, chars))
		return false;
	for (i = 0; i < chars->n; i++)
	{
		pg_wchar c = dmp_lower_case(chars->c[i]);

		if (!is_punctuation(c))
			chars->c[n++] = c;
	}
	chars->n = n;
	chars->c[n] = 0;
	dmp_chars_tidy(chars);
	return true;
}

/*
 * Western letters as ASCII: those of Latin without their marks, and the
 * letters that are two. Marks of other scripts are spelling and stay.
 */
void
dmp_chars_to_ascii(DmpChars *chars)
{
	static const struct
	{
		pg_wchar c;
		char to[3];
	} letters[] = {{0xDF, "ss"}, {0xE6, "ae"},  {0xF0, "d"},  {0xF8, "o"},  {0xFE, "th"},
				   {0x111, "d"}, {0x127, "h"},  {0x131, "i"}, {0x138, "k"}, {0x142, "l"},
				   {0x14B, "n"}, {0x153, "oe"}, {0x167, "t"}, {0x180, "b"}, {0x1E9E, "ss"}};
	pg_wchar *out = palloc_extended(sizeof(pg_wchar) * ((Size) chars->n * 2 + 1), MCXT_ALLOC_HUGE);
	int n = 0;
	int i;
	int k;

	for (i = 0; i < chars->n; i++)
	{
		pg_wchar c = chars->c[i];
		pg_wchar one[2] = {c, 0};
		pg_wchar *parts;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (c >= 0x300 && c <= 0x36F && (n == 0 || out[n - 1] < 0x80))
			continue;
		if (!((c >= 0xC0 && c <= 0x24F) || (c >= 0x1E00 && c <= 0x1EFF)))
		{
			out[n++] = c;
			continue;
		}
		parts = unicode_normalize(UNICODE_NFKD, one);
		c = dmp_lower_case(parts[0]); /* of İ and Ư the letter alone has a lower case we know */
		pfree(parts);
		for (k = 0; k < lengthof(letters) && letters[k].c != c; k++)
			;
		if (k == lengthof(letters))
			out[n++] = c;
		else
		{
			out[n++] = (pg_wchar) letters[k].to[0];
			if (letters[k].to[1] != '\0')
				out[n++] = (pg_wchar) letters[k].to[1];
		}
	}
	out[n] = 0;
	chars->c = out;
	chars->n = n;
}

typedef struct Part
{
	const pg_wchar *c;
	int n;
} Part;

static int
compare_parts(const void *a, const void *b)
{
	const Part *x = a;
	const Part *y = b;
	int i;

	CHECK_FOR_INTERRUPTS();
	for (i = 0; i < x->n && i < y->n; i++)
	{
		if (x->c[i] != y->c[i])
			return x->c[i] < y->c[i] ? -1 : 1;
	}
	return x->n < y->n ? -1 : x->n > y->n;
}

/* The parts in order, each once, with or without a blank between; false when that is too long. */
static bool
join_parts(Part *parts, int n, bool blank, DmpChars *out)
{
	Size room = 1;
	int i;

	qsort(parts, n, sizeof(Part), compare_parts);
	for (i = 0; i < n; i++)
		room += parts[i].n + 1;
	if (room > MaxAllocSize / 8)
		return false;
	out->c = palloc_extended(sizeof(pg_wchar) * room, MCXT_ALLOC_HUGE);
	out->n = 0;
	for (i = 0; i < n; i++)
	{
		if (i > 0 && compare_parts(&parts[i - 1], &parts[i]) == 0)
			continue;
		if (blank && out->n > 0)
			out->c[out->n++] = ' ';
		memcpy(out->c + out->n, parts[i].c, sizeof(pg_wchar) * parts[i].n);
		out->n += parts[i].n;
	}
	out->c[out->n] = 0;
	return true;
}

/*
 * dmp.fingerprint(value text) -> text
 *
 * Trimmed, lower case, punctuation and controls out, western letters as
 * ASCII, split at white space, words sorted, each once, joined by blanks.
 */
Datum
dmp_fingerprint(PG_FUNCTION_ARGS)
{
	DmpChars chars;
	DmpChars key;
	Part *parts;
	text *result;
	int n = 0;
	int i = 0;

	if (!dmp_chars_read_plain(PG_GETARG_TEXT_PP(0), &chars))
		PG_RETURN_NULL();
	dmp_chars_to_ascii(&chars);
	parts = palloc_extended(sizeof(Part) * ((Size) chars.n / 2 + 1), MCXT_ALLOC_HUGE);
	while (i < chars.n)
	{
		int from = i;

		while (i < chars.n && chars.c[i] != ' ')
			i++;
		/* a mark that stood alone left nothing */
		if (i > from)
		{
			parts[n].c = chars.c + from;
			parts[n++].n = i - from;
		}
		i++;
	}
	if (!join_parts(parts, n, true, &key) || (result = dmp_chars_write(key.c, key.n)) == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/*
 * dmp.ngram_fingerprint(value text, n integer DEFAULT 2) -> text
 *
 * Lower case, punctuation, white space and controls out, all runs of n
 * characters sorted, each once, joined, western letters as ASCII. A text of
 * fewer than n characters has none: the key is empty.
 */
Datum
dmp_ngram_fingerprint(PG_FUNCTION_ARGS)
{
	int size = PG_GETARG_INT32(1);
	DmpChars chars;
	DmpChars key;
	Part *parts;
	text *result;
	int n = 0;
	int i;

	if (size < 1 || size > MOST_N)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("n must be between 1 and %d", MOST_N)));
	if (!dmp_chars_read_plain(PG_GETARG_TEXT_PP(0), &chars))
		PG_RETURN_NULL();
	for (i = 0; i < chars.n; i++)
	{
		if (chars.c[i] != ' ')
			chars.c[n++] = chars.c[i];
	}
	n = Max(n - size + 1, 0);
	parts = palloc_extended(sizeof(Part) * ((Size) n + 1), MCXT_ALLOC_HUGE);
	for (i = 0; i < n; i++)
	{
		parts[i].c = chars.c + i;
		parts[i].n = size;
	}
	if (!join_parts(parts, n, false, &key))
		PG_RETURN_NULL();
	dmp_chars_to_ascii(&key);
	if ((result = dmp_chars_write(key.c, key.n)) == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/* ------------------------------------------------------------- Jaro-Winkler */

/* Jaro's similarity of two texts, both with characters */
static double
jaro(const DmpChars *a, const DmpChars *b)
{
	int window = Max(Max(a->n, b->n) / 2 - 1, 0);
	bool *a_match = palloc_extended(a->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	bool *b_match = palloc_extended(b->n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int matches = 0;
	int moved = 0;
	int i;
	int k;

	for (i = 0; i < a->n; i++)
	{
		int to = Min((int64) i + window + 1, b->n);

		CHECK_FOR_INTERRUPTS();
		for (k = Max(i - window, 0); k < to; k++)
		{
			if (!b_match[k] && a->c[i] == b->c[k])
			{
				a_match[i] = b_match[k] = true;
				matches++;
				break;
			}
		}
	}
	for (i = 0, k = 0; i < a->n; i++)
	{
		if (!a_match[i])
			continue;
		while (!b_match[k])
			k++;
		moved += a->c[i] != b->c[k++];
	}
	pfree(a_match);
	pfree(b_match);
	if (matches == 0)
		return 0.0;
	return ((double) matches / a->n + (double) matches / b->n + (matches - moved / 2.0) / matches) /
		   3.0;
}

/*
 * Jaro-Winkler similarity of two texts as characters.
 */
double
dmp_jaro_winkler_chars(const DmpChars *a, const DmpChars *b)
{
	double j;
	int prefix = 0;

	if (a->n == 0 || b->n == 0)
		return a->n == b->n ? 1.0 : 0.0;
	if (a->n == b->n && memcmp(a->c, b->c, sizeof(pg_wchar) * a->n) == 0)
		return 1.0;
	j = jaro(a, b);
	while (prefix < 4 && prefix < a->n && prefix < b->n && a->c[prefix] == b->c[prefix])
		prefix++;
	return j + prefix * 0.1 * (1.0 - j);
}

/*
 * dmp.jaro_winkler(a text, b text) -> float8
 *
 * Between 0, nothing in common, and 1, equal: Jaro's similarity j, raised by
 * 0.1 (1 - j) for each of up to 4 characters both begin with, whatever j is
 * (Winkler 1990). Characters are compared as they are.
 */
Datum
dmp_jaro_winkler(PG_FUNCTION_ARGS)
{
	DmpChars a;
	DmpChars b;

	if (!dmp_chars_read(PG_GETARG_TEXT_PP(0), DMP_FOLD_NONE, &a) ||
		!dmp_chars_read(PG_GETARG_TEXT_PP(1), DMP_FOLD_NONE, &b))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dmp_jaro_winkler_chars(&a, &b));
}
