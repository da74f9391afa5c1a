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
 * are in the tables below. They cover the alphabets that have cases, by rule;
 * a letter they miss is kept as it is, at training and at scoring alike.
 *-------------------------------------------------------------------------
 */
#include "learn/text.h"

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

typedef enum CharacterClass
{
	CLASS_SPACE,
	CLASS_OTHER, /* punctuation and signs: no part of a word */
	CLASS_LETTER,
	CLASS_DENSE /* of a script without spaces */
} CharacterClass;

typedef struct Range
{
	uint32 low;
	uint32 high;
} Range;

static const Range space_ranges[] = {
	{0x09, 0x0D},     {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
	{0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
static const Range dense_ranges[] = {{0x0E00, 0x0EFF}, /* Thai, Lao */
									 {0x0F40, 0x0FBC}, /* Tibetan */
									 {0x1000, 0x109F}, /* Myanmar */
									 {0x1780, 0x17D3}, /* Khmer */
									 {0x2E80, 0x2FDF}, /* radicals */
									 {0x3005, 0x3007}, {0x3021, 0x3029},   {0x3031, 0x303C},
									 {0x3041, 0x30FA}, {0x30FC, 0x312F}, /* kana, Bopomofo */
									 {0x31A0, 0x31FF}, {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
									 {0xF900, 0xFAFF}, {0x1B000, 0x1B16F}, {0x20000, 0x3FFFF}};
/* from U+0080 on, what is no letter, digit or mark */
static const Range other_ranges[] = {
	{0x80, 0xA9},     {0xAB, 0xB1},     {0xB4, 0xB4},     {0xB6, 0xB8},       {0xBB, 0xBB},
	{0xBF, 0xBF},     {0xD7, 0xD7},     {0xF7, 0xF7},     {0x02C2, 0x02C5},   {0x02D2, 0x02DF},
	{0x037E, 0x037E}, {0x0387, 0x0387}, {0x055A, 0x055F}, {0x0589, 0x058F},   {0x05BE, 0x05BE},
	{0x05F3, 0x05F4}, {0x0600, 0x060F}, {0x061B, 0x061F}, {0x066A, 0x066D},   {0x06D4, 0x06D4},
	{0x0964, 0x0965}, {0x0E3F, 0x0E3F}, {0x104A, 0x104F}, {0x1360, 0x1368},   {0x17D4, 0x17DB},
	{0x200B, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, {0x2E00, 0x2E7F},   {0x3001, 0x3004},
	{0x3008, 0x3020}, {0x3030, 0x3030}, {0x303D, 0x3040}, {0x30FB, 0x30FB},   {0x3200, 0x33FF},
	{0xD800, 0xF8FF}, {0xFD3E, 0xFD3F}, {0xFE00, 0xFE6F}, {0xFF01, 0xFF0F},   {0xFF1A, 0xFF20},
	{0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1D100, 0x1D1FF}, {0x1F000, 0x1FAFF}};

/* upper case to lower: add to every one, or to every second one from low on */
typedef struct CaseRange
{
	uint32 low;
	uint32 high;
	int add; /* 1: pairs, upper before lower; the even places from low on are upper */
} CaseRange;

static const CaseRange case_ranges[] = {
	{0x41, 0x5A, 32},     {0xC0, 0xD6, 32},       {0xD8, 0xDE, 32},      {0x100, 0x12F, 1},
	{0x132, 0x137, 1},    {0x139, 0x148, 1},      {0x14A, 0x177, 1},     {0x178, 0x178, -121},
	{0x179, 0x17E, 1},    {0x182, 0x185, 1},      {0x1A0, 0x1A5, 1},     {0x1CD, 0x1DC, 1},
	{0x1DE, 0x1EF, 1},    {0x1F4, 0x1F5, 1},      {0x1F8, 0x21F, 1},     {0x222, 0x233, 1},
	{0x370, 0x373, 1},    {0x386, 0x386, 38},     {0x388, 0x38A, 37},    {0x38C, 0x38C, 64},
	{0x38E, 0x38F, 63},   {0x391, 0x3A1, 32},     {0x3A3, 0x3AB, 32},    {0x3D8, 0x3EF, 1},
	{0x400, 0x40F, 80},   {0x410, 0x42F, 32},     {0x460, 0x481, 1},     {0x48A, 0x4BF, 1},
	{0x4C1, 0x4CE, 1},    {0x4D0, 0x52F, 1},      {0x531, 0x556, 48},    {0x10A0, 0x10C5, 7264},
	{0x1E00, 0x1E95, 1},  {0x1EA0, 0x1EFF, 1},    {0x2C00, 0x2C2F, 48},  {0x2C80, 0x2CE3, 1},
	{0xFF21, 0xFF3A, 32}, {0x10400, 0x10427, 40}, {0x1E900, 0x1E921, 34}};

static bool
in_ranges(const Range *ranges, int n, uint32 c)
{
	int low = 0;
	int high = n - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;

		if (c < ranges[middle].low)
			high = middle - 1;
		else if (c > ranges[middle].high)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

static uint32
lower_case(uint32 c)
{
	int low = 0;
	int high = lengthof(case_ranges) - 1;

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	if (c == 0x3C2) /* final sigma is a sigma */
		return 0x3C3;
	while (low <= high)
	{
		int middle = (low + high) / 2;
		const CaseRange *range = &case_ranges[middle];

		if (c < range->low)
			high = middle - 1;
		else if (c > range->high)
			low = middle + 1;
		else if (range->add == 1)
			return (c - range->low) % 2 == 0 ? c + 1 : c;
		else
			return c + range->add;
	}
	return c;
}

static CharacterClass
class_of(uint32 c)
{
	if (c < 0x80)
	{
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c >= 'A' && c <= 'Z'))
			return CLASS_LETTER;
		return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) ? CLASS_SPACE
																				: CLASS_OTHER;
	}
	if (in_ranges(space_ranges, lengthof(space_ranges), c))
		return CLASS_SPACE;
	if (in_ranges(other_ranges, lengthof(other_ranges), c))
		return CLASS_OTHER;
	if (in_ranges(dense_ranges, lengthof(dense_ranges), c))
		return CLASS_DENSE;
	return CLASS_LETTER;
}

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

/* a byte that is no UTF-8 becomes a lone surrogate, which is like nothing else */
static uint32
decode(const unsigned char **at, const unsigned char *end)
{
	const unsigned char *p = *at;
	int n = pg_utf_mblen(p);

	if (p + n > end || !pg_utf8_islegal(p, n))
	{
		(*at)++;
		return 0xDC00 + *p;
	}
	*at += n;
	return utf8_to_unicode(p);
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
			t->characters[n++] = lower_case((unsigned char) text[i]);
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
		wide[n++] = decode(&at, end);
	wide[n] = 0;
	normal = unicode_normalize(UNICODE_NFKC, wide);
	for (n = 0; normal[n] != 0; n++)
		;
	make_room(t, n + 2);
	t->characters[0] = ' ';
	for (i = 0; i < n; i++)
		t->characters[i + 1] = lower_case(normal[i]);
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
		CharacterClass class = class_of(c[i]);
		int from = i;

		while (++i < n && class_of(c[i]) == class)
			;
		if (class == CLASS_LETTER)
			add_word(t, c + from, i - from, &previous, bits);
		if (class == CLASS_LETTER || class == CLASS_OTHER)
		{
			if (token < 0)
				token = from;
		}
		if (token >= 0 && (class == CLASS_SPACE || class == CLASS_DENSE))
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
		if (class == CLASS_DENSE)
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
		CharacterClass class = class_of(t->characters[i]);
		int from = i;

		while (++i < n && class_of(t->characters[i]) == class)
			;
		if (class == CLASS_LETTER)
			words++;
		else if (class == CLASS_DENSE)
			words += i - from >= LONG_RUN ? 3 : 1;
	}
	return words;
}

uint32
dmp_value_bucket(const char *text, int length, int bits)
{
	return (uint32) (dmp_hash_bytes(text, length, SEED_VALUE) >> (64 - bits));
}
