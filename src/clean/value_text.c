/*-------------------------------------------------------------------------
 * value_text.c
 *		Texts as characters, and dmp.clean_text.
 *-------------------------------------------------------------------------
 */
#include "clean/value.h"

#include "catalog/namespace.h"
#include "common/unicode_norm.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_clean_text);

/* normalised in pieces: ordering a run of combining marks takes the square of its length */
#define PIECE 512
#define LONGEST_PIECE 1024

/* The bytes in another encoding; false when some of them have no counterpart there. */
static bool
convert(const char *from, int length, int source, int destination, char **to, int *to_length)
{
	Oid proc = FindDefaultConversionProc(source, destination);
	Size room = (Size) length * MAX_CONVERSION_GROWTH + 1;

	if (!OidIsValid(proc) || room > MaxAllocSize)
		return false;
	*to = palloc(room);
	if (pg_do_encoding_conversion_buf(proc, source, destination, (unsigned char *) from, length,
									  (unsigned char *) *to, room, true) != length)
		return false;
	*to_length = strlen(*to);
	return true;
}

static bool
is_unicode(int encoding)
{
	return encoding == PG_UTF8 || encoding == PG_SQL_ASCII;
}

/*
 * The characters of a text. A byte that is no UTF-8 (in a database without an
 * encoding) becomes a lone surrogate, and is written as that byte again. False
 * when the text has no counterpart in Unicode.
 */
bool
dmp_chars_read(text *value, DmpFold fold, DmpChars *out)
{
	char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	const unsigned char *at;
	const unsigned char *end;
	bool ascii = true;
	int i;

	for (i = 0; i < length && ascii; i++)
		ascii = !IS_HIGHBIT_SET(bytes[i]);
	if (!ascii && !is_unicode(GetDatabaseEncoding()) &&
		!convert(bytes, length, GetDatabaseEncoding(), PG_UTF8, &bytes, &length))
		return false;
	out->c = palloc_extended(sizeof(pg_wchar) * ((Size) length + 1), MCXT_ALLOC_HUGE);
	out->n = 0;
	at = (const unsigned char *) bytes;
	end = at + length;
	while (at < end)
		out->c[out->n++] = IS_HIGHBIT_SET(*at) ? dmp_decode_utf8(&at, end) : *at++;
	out->c[out->n] = 0;
	if (!ascii)
		dmp_chars_fold(out, fold);
	return true;
}

/* The text of characters, NULL when it has no counterpart in the database's encoding. */
text *
dmp_chars_write(const pg_wchar *c, int n)
{
	Size need = VARHDRSZ;
	text *result;
	unsigned char *p;
	int i;

	for (i = 0; i < n; i++)
		need += c[i] < 0x80 ? 1 : c[i] < 0x800 ? 2 : c[i] < 0x10000 ? 3 : 4;
	if (need > MaxAllocSize)
		return NULL;
	result = palloc(need);
	p = (unsigned char *) VARDATA(result);
	for (i = 0; i < n; i++)
	{
		if (c[i] >= 0xDC80 && c[i] <= 0xDCFF)
			*p++ = c[i] - 0xDC00;
		else
		{
			unicode_to_utf8(c[i], p);
			p += pg_utf_mblen(p);
		}
	}
	SET_VARSIZE(result, (char *) p - (char *) result);
	if (!is_unicode(GetDatabaseEncoding()))
	{
		char *bytes;
		int length;

		if (!convert(VARDATA(result), VARSIZE(result) - VARHDRSZ, PG_UTF8, GetDatabaseEncoding(),
					 &bytes, &length))
			return NULL;
		return cstring_to_text_with_len(bytes, length);
	}
	return result;
}

/* ------------------------------------------------------------- normal forms */

static bool
has_width(pg_wchar c)
{
	return (c >= 0xFF01 && c <= 0xFFEE) || c == 0x3000;
}

/* no mark before it changes with it, and it changes with none before it */
static bool
starts_piece(pg_wchar c)
{
	return c < 0x80 || (c >= 0x4E00 && c <= 0x9FFF);
}

/* Characters that have a width become usual ones: one character is one, here. */
static void
fold_width(pg_wchar *c, int n)
{
	int i;

	for (i = 0; i < n; i++)
	{
		pg_wchar one[2] = {c[i], 0};
		pg_wchar *folded;

		if (!has_width(c[i]))
			continue;
		folded = unicode_normalize(UNICODE_NFKC, one);
		/* U+FFE3, a macron, would become a blank and a mark */
		if (folded[0] != 0 && folded[1] == 0)
			c[i] = folded[0];
		pfree(folded);
	}
}

void
dmp_chars_fold(DmpChars *chars, DmpFold fold)
{
	pg_wchar *result;
	Size room = (Size) chars->n + 1;
	Size n = 0;
	int from = 0;

	if (fold == DMP_FOLD_NONE)
		return;
	if (fold == DMP_FOLD_WIDTH)
		fold_width(chars->c, chars->n);
	result = palloc_extended(sizeof(pg_wchar) * room, MCXT_ALLOC_HUGE);
	while (from < chars->n)
	{
		int to = Min(from + PIECE, chars->n);
		pg_wchar saved;
		pg_wchar *normal;
		Size k;

		CHECK_FOR_INTERRUPTS();
		while (to < chars->n && to - from < LONGEST_PIECE && !starts_piece(chars->c[to]))
			to++;
		saved = chars->c[to];
		chars->c[to] = 0;
		normal =
			unicode_normalize(fold == DMP_FOLD_NFKC ? UNICODE_NFKC : UNICODE_NFC, chars->c + from);
		chars->c[to] = saved;
		for (k = 0; normal[k] != 0; k++)
			;
		if (n + k >= room)
		{
			room = (n + k + 1) * 2;
			result = repalloc_huge(result, sizeof(pg_wchar) * room);
		}
		memcpy(result + n, normal, sizeof(pg_wchar) * k);
		pfree(normal);
		n += k;
		from = to;
	}
	result[n] = 0;
	pfree(chars->c);
	chars->c = result;
	chars->n = (int) n;
}

/* controls, soft hyphen, zero width, directions, tags: they show nothing */
static bool
is_hidden(pg_wchar c)
{
	if (c < 0xA0)
		return c < 0x20 || c >= 0x7F;
	return c == 0xAD || c == 0x061C || c == 0x180E || (c >= 0x200B && c <= 0x200F) ||
		   (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
		   (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F);
}

/* between these a (non-)joiner is spelling: Arabic to Khmer scripts, emoji */
static bool
joins(pg_wchar c)
{
	return (c >= 0x0600 && c <= 0x109F) || (c >= 0x1780 && c <= 0x18AF) ||
		   (c >= 0x2190 && c <= 0x2BFF) || c == 0xFE0F || (c >= 0x1F000 && c <= 0x1FAFF);
}

/*
 * Hidden characters out, each run of white space one blank, none at the ends.
 */
void
dmp_chars_tidy(DmpChars *chars)
{
	pg_wchar *c = chars->c;
	bool blank = false;
	int n = 0;
	int i;

	for (i = 0; i < chars->n; i++)
	{
		if (dmp_character_class(c[i]) == DMP_CLASS_SPACE)
		{
			blank = n > 0;
			continue;
		}
		if (is_hidden(c[i]) && !((c[i] == 0x200C || c[i] == 0x200D) && !blank && n > 0 &&
								 joins(c[n - 1]) && i + 1 < chars->n && joins(c[i + 1])))
			continue;
		if (blank)
		{
			c[n++] = ' ';
			blank = false;
		}
		/* n never passes i: a blank was written for at least one character that went */
		c[n++] = c[i];
	}
	c[n] = 0;
	chars->n = n;
}

/*
 * dmp.clean_text(value text) -> text
 *
 * Normal form C with full-width letters, digits and signs as usual ones and
 * half-width kana as usual ones; hidden characters out; each run of white
 * space one blank, none at the ends. Not normal form KC, which would turn m²
 * into m2, ½ into three characters and ™ into TM. An empty text stays one.
 * A text that has no counterpart in Unicode stays as it is.
 */
Datum
dmp_clean_text(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	DmpChars chars;
	text *result;

	if (!dmp_chars_read(value, DMP_FOLD_WIDTH, &chars))
		PG_RETURN_TEXT_P(value);
	dmp_chars_tidy(&chars);
	result = dmp_chars_write(chars.c, chars.n);
	PG_RETURN_TEXT_P(result == NULL ? value : result);
}
