/*-------------------------------------------------------------------------
 * text.c
 *		Text to hashed grams.
 *
 * A text is brought to Unicode normal form KC and lower case, and then seen
 * twice. As words (runs of letters, digits and underscores), each alone and
 * with its neighbour. As characters: what stands between spaces, padded with
 * a space on each side, gives its runs of 3, 4 and 5. Scripts that put no
 * spaces between words (Chinese, Japanese, Thai ...) have no words of their
 * own here: a run of them gives its 1, 2 and 3 characters. Each of these is a
 * gram; a gram is its hash, cut to so many bits.
 *
 * Nothing depends on the database's locale: classes and cases of characters
 * are in the tables of base/unicode.c.
 *-------------------------------------------------------------------------
 */
#include "learn/text.h"

#include "base/unicode.h"
#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"
#include "math/hash.h"
#include "utils/memutils.h"

#define SEED_WORD UINT64CONST(0x776F7264)
#define SEED_PAIR UINT64CONST(0x70616972)
#define SEED_CHARACTERS UINT64CONST(0x63686172)
#define SEED_VALUE UINT64CONST(0x76616C75)
#define LONG_RUN 6
#define FIRST_SLOTS 4096

/* ------------------------------------------------------------- characters */

DmpTokenizer *
dmp_tokenizer_make(MemoryContext context)
{
	DmpTokenizer *t = MemoryContextAllocZero(context, sizeof(DmpTokenizer));
	int i;

	t->context = context;
	t->room = 1024;
	t->characters = MemoryContextAlloc(context, sizeof(uint32) * t->room);
	for (i = 0; i < DMP_TEXT_BLOCKS; i++)
	{
		DmpGrams *block = &t->blocks[i];

		block->room = FIRST_SLOTS / 2;
		block->nslots = FIRST_SLOTS;
		block->grams = MemoryContextAlloc(context, sizeof(DmpGram) * block->room);
		block->slots = MemoryContextAllocZero(context, sizeof(uint32) * block->nslots);
	}
	return t;
}

static void
make_room(DmpTokenizer *t, int n)
{
	if (n <= t->room)
		return;
	t->characters = repalloc_huge(t->characters, sizeof(uint32) * (Size) n);
	t->room = n;
}

/* Fills t->characters with a space, the text in normal form and lower case, a space. */
static int
read_characters(DmpTokenizer *t, const char *text, int length)
{
	const unsigned char *at = (const unsigned char *) text;
	const unsigned char *end;
	char *converted = NULL;
	pg_wchar *wide;
	pg_wchar *normal;
	int n = 0;
	int i;

	for (i = 0; i < length && !IS_HIGHBIT_SET(text[i]); i++)
		;
	if (i == length)
	{
		make_room(t, length + 2);
		t->characters[n++] = ' ';
		for (i = 0; i < length; i++)
			t->characters[n++] = dmp_lower_case((unsigned char) text[i]);
		t->characters[n++] = ' ';
		return n;
	}
	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
	{
		converted = pg_server_to_any(text, length, PG_UTF8);
		if (converted != text)
		{
			at = (const unsigned char *) converted;
			length = strlen(converted);
		}
	}
	end = at + length;
	wide = palloc_extended(sizeof(pg_wchar) * ((Size) length + 1), MCXT_ALLOC_HUGE);
	while (at < end)
		wide[n++] = dmp_decode_utf8(&at, end);
	wide[n] = 0;
	normal = unicode_normalize(UNICODE_NFKC, wide);
	for (n = 0; normal[n] != 0; n++)
		;
	make_room(t, n + 2);
	t->characters[0] = ' ';
	for (i = 0; i < n; i++)
		t->characters[i + 1] = dmp_lower_case(normal[i]);
	t->characters[n + 1] = ' ';
	pfree(normal);
	pfree(wide);
	if (converted != NULL && converted != text)
		pfree(converted);
	return n + 2;
}

/* ------------------------------------------------------------------ grams */

static void
new_slots(DmpTokenizer *t, DmpGrams *block, uint32 nslots)
{
	uint32 *slots = MemoryContextAllocExtended(t->context, sizeof(uint32) * (Size) nslots,
											   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	pfree(block->slots);
	block->slots = slots;
	block->nslots = nslots;
}

static void
grow(DmpTokenizer *t, DmpGrams *block)
{
	int i;

	block->grams = repalloc_huge(block->grams, sizeof(DmpGram) * 2 * (Size) block->room);
	block->room *= 2;
	new_slots(t, block, 2 * block->nslots);
	for (i = 0; i < block->n; i++)
	{
		uint32 at = block->grams[i].bucket * 0x9E3779B1U & (block->nslots - 1);

		while (block->slots[at] != 0)
			at = (at + 1) & (block->nslots - 1);
		block->slots[at] = i + 1;
	}
}

static void
add_gram(DmpTokenizer *t, int which, uint64 hash, int bits)
{
	DmpGrams *block = &t->blocks[which];
	uint32 bucket = (uint32) (hash >> (64 - bits));
	uint32 at;

	if (block->n == block->room)
		grow(t, block);
	at = bucket * 0x9E3779B1U & (block->nslots - 1);
	for (; block->slots[at] != 0; at = (at + 1) & (block->nslots - 1))
	{
		DmpGram *gram = &block->grams[block->slots[at] - 1];

		if (gram->bucket == bucket)
		{
			gram->count++;
			return;
		}
	}
	block->grams[block->n].bucket = bucket;
	block->grams[block->n++].count = 1;
	block->slots[at] = block->n;
}

/* The table is as large as the last text needed: one long text must not slow down all that follow. */
static void
clear(DmpTokenizer *t, DmpGrams *block)
{
	if (block->n == 0)
		return;
	if (block->nslots > FIRST_SLOTS && (uint32) block->n < block->nslots / 16)
	{
		new_slots(t, block, FIRST_SLOTS);
		block->grams = repalloc_huge(block->grams, sizeof(DmpGram) * FIRST_SLOTS / 2);
		block->room = FIRST_SLOTS / 2;
	}
	else
		memset(block->slots, 0, sizeof(uint32) * (Size) block->nslots);
	block->n = 0;
}

/* runs of low to high characters of c[0 .. n); a text shorter than low counts once as it is */
static void
add_runs(DmpTokenizer *t, const uint32 *c, int n, int low, int high, int bits)
{
	int i;
	int k;

	for (i = 0; i < n; i++)
	{
		uint64 hash = SEED_CHARACTERS;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		for (k = 0; k < high && i + k < n; k++)
		{
			hash = dmp_hash_combine(hash, c[i + k]);
			if (k + 1 >= low || (i == 0 && k + 1 == n))
				add_gram(t, DMP_BLOCK_CHARACTERS, hash, bits);
		}
	}
}

static void
add_word(DmpTokenizer *t, const uint32 *c, int n, uint64 *previous, int bits)
{
	uint64 hash = SEED_WORD;
	int i;

	for (i = 0; i < n; i++)
		hash = dmp_hash_combine(hash, c[i]);
	add_gram(t, DMP_BLOCK_WORDS, hash, bits);
	if (*previous != 0)
		add_gram(t, DMP_BLOCK_WORDS, dmp_hash_combine(dmp_hash_combine(SEED_PAIR, *previous), hash),
				 bits);
	*previous = hash;
}

void
dmp_tokenize(DmpTokenizer *t, const char *text, int length, int bits)
{
	int n = read_characters(t, text, length);
	uint32 *c = t->characters;
	uint64 previous = 0;
	int token = -1; /* start of what stands between spaces or dense runs */
	int i = 0;

	clear(t, &t->blocks[DMP_BLOCK_WORDS]);
	clear(t, &t->blocks[DMP_BLOCK_CHARACTERS]);
	while (i < n)
	{
		DmpCharacterClass class = dmp_character_class(c[i]);
		int from = i;

		while (++i < n && dmp_character_class(c[i]) == class)
			;
		if (class == DMP_CLASS_LETTER)
			add_word(t, c + from, i - from, &previous, bits);
		if (class == DMP_CLASS_LETTER || class == DMP_CLASS_OTHER)
		{
			if (token < 0)
				token = from;
		}
		if (token >= 0 && (class == DMP_CLASS_SPACE || class == DMP_CLASS_DENSE))
		{
			/* both neighbours are borrowed for the padding: there are some, the text has spaces around */
			uint32 before = c[token - 1];
			uint32 after = c[from];

			c[token - 1] = c[from] = ' ';
			add_runs(t, c + token - 1, from - token + 2, 3, 5, bits);
			c[token - 1] = before;
			c[from] = after;
			token = -1;
		}
		if (class == DMP_CLASS_DENSE)
			add_runs(t, c + from, i - from, 1, 3, bits);
	}
}

int
dmp_text_words(DmpTokenizer *t, const char *text, int length)
{
	int n = read_characters(t, text, length);
	int words = 0;
	int i = 0;

	while (i < n)
	{
		DmpCharacterClass class = dmp_character_class(t->characters[i]);
		int from = i;

		while (++i < n && dmp_character_class(t->characters[i]) == class)
			;
		if (class == DMP_CLASS_LETTER)
			words++;
		else if (class == DMP_CLASS_DENSE)
			words += i - from >= LONG_RUN ? 3 : 1;
	}
	return words;
}

uint32
dmp_value_bucket(const char *text, int length, int bits)
{
	return (uint32) (dmp_hash_bytes(text, length, SEED_VALUE) >> (64 - bits));
}
