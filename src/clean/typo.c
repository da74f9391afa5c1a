/*-------------------------------------------------------------------------
 * typo.c
 *		Typing errors: rare values that are slips of a column's frequent ones.
 *
 * A value is taken for a slip of another one of the same column when
 * - that one has five times its rows, or more, and three at least,
 * - few slips lie between them (typo_match.c: one for five characters, digits
 *	 stay), and no other value is as near, unless ten times as rare,
 * - the words that the two do not share are rare in the column: "north" is no
 *	 slip of "south", nor "ak_1" of "al_1", as both words are frequent; and they
 *	 are not short.
 *
 * A mark is a character that stands for lost ones: when most replacements seen
 * in the columns of a step put one and the same character in the place of many
 * different ones (a text damaged on its way: M?nchen, Muxnchen), a value also
 * matches a frequent one with up to half of its characters lost, however short.
 *
 * Values without such a match are looked at by words: rare words that are slips
 * of frequent words of the column ("12 paxients").
 *
 * How sure that is, is seen from the column. Frequent values that are as near
 * to each other are no slips: q is their share. Of the rare values, the share s
 * is near a frequent one. When q is as high as s, nearness says nothing:
 * confidence 1 - q / s. Names of persons have many near neighbours, and a long
 * tail; their confidence is low.
 *
 * Memory: the dictionary of frequent values (at most DICTIONARY_MOST, the most
 * frequent), counts of words (WORDS_MOST; a word that is not counted is not
 * rare), and 12 bytes a value. The values themselves are kept by the server.
 *-------------------------------------------------------------------------
 */
#include "clean/typo.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "windowapi.h"

#include "math/hash.h"

PG_FUNCTION_INFO_V1(dmp_typo_of);

#define LEAST_ROWS 3 /* of a value that others are repaired to */
#define TAIL_RATIO 5 /* rare: that many times rarer than is typical */
#define DICTIONARY_MOST 100000
#define WORDS_MOST 300000
#define PEERS_MOST 1000   /* frequent values looked at for q */
#define LEXICON_MOST 2000 /* frequent words of a column */
#define LONGEST 400       /* characters; longer texts are prose */
#define MARK_SEEN 10      /* replacements that show a mark */
#define MARK_ROWS 5       /* that one value counts for */
#define MARK_KINDS 4      /* and the different characters they stood for */

/* What is known of a column, of its values or its words */
typedef struct Lexicon
{
	int64 rows;
	int64 typical; /* half of the rows have values this frequent */
	int64 tail;    /* distinct rare ones */
	int64 near;    /* and those of them that have a match */
	int frequent;
	int looked; /* of them, for q */
	int peers;
	double confidence;
	double marked_confidence;
} Lexicon;

typedef struct WordCount
{
	uint64 key; /* hash of column and word */
	int64 rows;
	int32 column;
	bool lettered; /* letters only */
	DmpChars chars;
} WordCount;

typedef struct Value
{
	int32 column;
	int32 target; /* entry of the dictionary, or -1 */
	int64 rows;
	float confidence;
	text *repaired; /* by words */
} Value;

typedef struct Typos
{
	WindowObject win;
	TupleDesc result;
	MemoryContext context;
	MemoryContext one; /* of one value */
	int64 n;
	Value *values;
	int n_columns; /* numbers are below that */
	Lexicon *columns;
	Lexicon *words_of;
	DmpTypoEntry *entries;
	text **texts; /* of the entries */
	int n_entries;
	DmpTypoIndex *index;
	HTAB *words;
	bool words_full;
	DmpTypoEntry *word_entries;
	int n_word_entries;
	DmpTypoIndex *word_index;
	pg_wchar mark;
} Typos;

/* ----------------------------------------------------------------- words */

static bool
is_word_char(pg_wchar c)
{
	DmpCharacterClass class = dmp_character_class(c);

	/* names of codes are joined by underscores */
	if (c == '_')
		return false;
	return class == DMP_CLASS_LETTER || class == DMP_CLASS_DENSE || dmp_is_digit(c);
}

/* The next word of the text from *at on; false at the end */
static bool
next_word(const DmpChars *chars, int *at, DmpChars *word)
{
	int i = *at;

	while (i < chars->n && !is_word_char(chars->c[i]))
		i++;
	word->c = chars->c + i;
	word->n = 0;
	while (i < chars->n && is_word_char(chars->c[i]))
	{
		i++;
		word->n++;
	}
	*at = i;
	return word->n > 0;
}

static uint64
word_key(int32 column, const DmpChars *word)
{
	return dmp_hash_bytes((const char *) word->c, sizeof(pg_wchar) * word->n, (uint64) column);
}

/* Rows with the word; a word that is not counted is not rare */
static int64
word_rows(const Typos *typos, int32 column, const DmpChars *word)
{
	uint64 key = word_key(column, word);
	WordCount *count = hash_search(typos->words, &key, HASH_FIND, NULL);

	return count ? count->rows : PG_INT64_MAX;
}

static DmpChars
copy_chars(const DmpChars *chars)
{
	DmpChars copy;

	copy.n = chars->n;
	copy.c = palloc(sizeof(pg_wchar) * (chars->n + 1));
	memcpy(copy.c, chars->c, sizeof(pg_wchar) * chars->n);
	copy.c[chars->n] = 0;
	return copy;
}

static void
count_words(Typos *typos, int32 column, const DmpChars *chars, int64 rows)
{
	DmpChars word;
	int at = 0;

	while (next_word(chars, &at, &word))
	{
		uint64 key = word_key(column, &word);
		bool found;
		WordCount *count =
			hash_search(typos->words, &key, typos->words_full ? HASH_FIND : HASH_ENTER, &found);
		MemoryContext old;
		int i;

		CHECK_FOR_INTERRUPTS();
		if (count == NULL)
			continue;
		if (!found)
		{
			old = MemoryContextSwitchTo(typos->context);
			count->rows = 0;
			count->column = column;
			count->chars = copy_chars(&word);
			count->lettered = true;
			for (i = 0; i < word.n; i++)
				count->lettered &= !dmp_is_digit(word.c[i]);
			MemoryContextSwitchTo(old);
			typos->words_full = hash_get_num_entries(typos->words) >= WORDS_MOST;
		}
		count->rows += rows;
	}
}

static bool
has_word(const DmpChars *chars, const DmpChars *word)
{
	DmpChars other;
	int at = 0;

	while (next_word(chars, &at, &other))
		if (other.n == word->n && memcmp(other.c, word->c, sizeof(pg_wchar) * word->n) == 0)
			return true;
	return false;
}

/*
 * Whether the slips between the two are few for the words they are in, not for
 * the whole text only: "north" is no slip of "south".
 */
static bool
slips_fit(const DmpChars *typed, const DmpChars *meant)
{
	DmpChars word;
	int at = 0;
	int letters = 0;
	int slips;

	while (next_word(typed, &at, &word))
		letters += has_word(meant, &word) ? 0 : word.n;
	slips = dmp_typo_slips(letters);
	return slips > 0 && dmp_typo_distance(typed, meant, slips) <= slips;
}

/*
 * Whether typed is a slip of meant, which is near: the words of it that meant
 * has not are rare in the column.
 */
static bool
is_slip(const Typos *typos, int32 column, const DmpChars *typed, const DmpTypoEntry *meant)
{
	bool marked = typos->mark != 0 && dmp_typo_is_marked(typed, &meant->chars, typos->mark);
	DmpChars word;
	int at = 0;

	while (next_word(typed, &at, &word))
	{
		if (!has_word(&meant->chars, &word) &&
			word_rows(typos, column, &word) >
				Max(LEAST_ROWS, marked ? meant->rows : meant->rows / 10))
			return false;
	}
	return marked || slips_fit(typed, &meant->chars);
}

/* ---------------------------------------------------------------- reading */

static Datum
argument(const Typos *typos, int n, int64 i)
{
	bool isnull;
	bool isout;
	Datum value =
		WinGetFuncArgInPartition(typos->win, n, i, WINDOW_SEEK_HEAD, false, &isnull, &isout);

	if (isnull || isout)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("arguments of typo_of must not be null")));
	return value;
}

/*
 * The characters of value i, in the memory of one value; false when it is not
 * to be looked at: empty, or prose.
 */
static bool
read_value(const Typos *typos, int64 i, DmpChars *chars)
{
	text *value;

	MemoryContextReset(typos->one);
	CHECK_FOR_INTERRUPTS();
	value = DatumGetTextPP(argument(typos, 1, i));
	if (VARSIZE_ANY_EXHDR(value) > LONGEST * MAX_MULTIBYTE_CHAR_LEN)
		return false;
	{
		MemoryContext old = MemoryContextSwitchTo(typos->one);
		bool readable = dmp_chars_read(value, DMP_FOLD_NONE, chars);

		MemoryContextSwitchTo(old);
		return readable && chars->n > 0 && chars->n <= LONGEST;
	}
}

static int
compare_rows(const void *a, const void *b, void *unused)
{
	int64 x = *(const int64 *) a;
	int64 y = *(const int64 *) b;

	return x > y ? -1 : x < y;
}

/*
 * typical of each column: from the most frequent value on, that at which half
 * of the rows are reached. Values of a column stand together.
 */
static void
find_typical(Typos *typos)
{
	int64 *rows = palloc_extended(sizeof(int64) * Max(typos->n, 1), MCXT_ALLOC_HUGE);
	int64 start;
	int64 end;

	for (start = 0; start < typos->n; start = end)
	{
		Lexicon *column = &typos->columns[typos->values[start].column];
		int64 sum = 0;
		int64 i;

		for (end = start; end < typos->n; end++)
		{
			if (typos->values[end].column != typos->values[start].column)
				break;
			rows[end - start] = typos->values[end].rows;
			column->rows += typos->values[end].rows;
		}
		qsort_interruptible(rows, end - start, sizeof(int64), compare_rows, NULL);
		for (i = 0; i < end - start && sum * 2 < column->rows; i++)
		{
			sum += rows[i];
			column->typical = rows[i];
		}
	}
	pfree(rows);
}

/*
 * The least rows of an entry, so that there are not too many entries.
 */
static int64
least_rows(const Typos *typos)
{
	int64 least = LEAST_ROWS;

	for (;;)
	{
		int64 n = 0;
		int64 i;

		for (i = 0; i < typos->n; i++)
			n += typos->values[i].rows >= least;
		if (n <= DICTIONARY_MOST)
			return least;
		least *= 2;
		CHECK_FOR_INTERRUPTS();
	}
}

static void
read_dictionary(Typos *typos)
{
	int64 least = least_rows(typos);
	int64 i;

	typos->entries = palloc_extended(sizeof(DmpTypoEntry) * DICTIONARY_MOST, MCXT_ALLOC_HUGE);
	typos->texts = palloc_extended(sizeof(text *) * DICTIONARY_MOST, MCXT_ALLOC_HUGE);
	for (i = 0; i < typos->n; i++)
	{
		Value *value = &typos->values[i];
		DmpChars chars;
		DmpTypoEntry *entry;

		if (!read_value(typos, i, &chars))
			continue;
		count_words(typos, value->column, &chars, value->rows);
		if (value->rows < least)
			continue;
		entry = &typos->entries[typos->n_entries];
		entry->column = value->column;
		entry->rows = value->rows;
		entry->wrong = false;
		entry->chars = copy_chars(&chars);
		typos->texts[typos->n_entries++] = DatumGetTextPCopy(argument(typos, 1, i));
		typos->columns[value->column].frequent++;
	}
	typos->index = dmp_typo_index(typos->entries, typos->n_entries);
}

/* ---------------------------------------------------------------- matching */

static bool
has_letter(const DmpChars *chars, pg_wchar mark)
{
	int i;

	for (i = 0; i < chars->n; i++)
		if ((is_word_char(chars->c[i]) && !dmp_is_digit(chars->c[i])) ||
			(mark != 0 && chars->c[i] == mark))
			return true;
	return false;
}

/* The entry that value i was meant to be, or -1; numbers and dates are no slips */
static int
match_value(const Typos *typos, int64 i, const DmpChars *chars)
{
	const Value *value = &typos->values[i];
	int found;

	if (!has_letter(chars, typos->mark))
		return -1;
	found = dmp_typo_find(typos->index, value->column, chars, value->rows, typos->mark, false);
	if (found >= 0 && !is_slip(typos, value->column, chars, &typos->entries[found]))
		return -1;
	return found;
}

/* What replacements put in the place of what */
typedef struct Replacement
{
	pg_wchar key[2]; /* typed, meant */
	int64 n;
} Replacement;

static void
count_replacements(HTAB *table, const DmpChars *typed, const DmpChars *meant, int64 rows)
{
	int i;

	if (typed->n != meant->n)
		return;
	for (i = 0; i < typed->n; i++)
	{
		pg_wchar key[2] = {typed->c[i], meant->c[i]};
		bool found;
		Replacement *replacement;

		if (key[0] == key[1])
			continue;
		replacement = hash_search(table, key, HASH_ENTER, &found);
		replacement->n = (found ? replacement->n : 0) + Min(rows, MARK_ROWS);
	}
}

/*
 * The character that stands for most of the lost ones, or 0.
 */
static pg_wchar
find_mark(HTAB *table)
{
	HASH_SEQ_STATUS scan;
	Replacement *replacement;
	int64 all = 0;
	pg_wchar best = 0;
	int64 best_n = 0;

	hash_seq_init(&scan, table);
	while ((replacement = hash_seq_search(&scan)) != NULL)
	{
		HASH_SEQ_STATUS inner;
		Replacement *other;
		int64 n = 0;
		int kinds = 0;

		CHECK_FOR_INTERRUPTS();
		all += replacement->n;
		hash_seq_init(&inner, table);
		while ((other = hash_seq_search(&inner)) != NULL)
		{
			if (other->key[0] != replacement->key[0])
				continue;
			n += other->n;
			kinds++;
		}
		if (kinds >= MARK_KINDS && n > best_n)
		{
			best = replacement->key[0];
			best_n = n;
		}
	}
	return best_n >= MARK_SEEN && best_n * 3 >= all * 2 ? best : 0;
}

/*
 * Match all values. The first pass, without a mark, looks for one.
 */
static void
match_values(Typos *typos, HTAB *replacements)
{
	int64 i;
	int k;
	int entry = 0;

	for (k = 0; k < typos->n_columns; k++)
		typos->columns[k].tail = typos->columns[k].near = 0;
	for (i = 0; i < typos->n; i++)
	{
		Value *value = &typos->values[i];
		Lexicon *column = &typos->columns[value->column];
		bool rare = value->rows * TAIL_RATIO <= column->typical;
		DmpChars chars;

		value->target = -1;
		if (!read_value(typos, i, &chars))
			continue;
		value->target = match_value(typos, i, &chars);
		/* entries come in the order of the values */
		if (entry < typos->n_entries && typos->entries[entry].column == value->column &&
			typos->entries[entry].rows == value->rows && typos->entries[entry].chars.n == chars.n &&
			memcmp(typos->entries[entry].chars.c, chars.c, sizeof(pg_wchar) * chars.n) == 0)
			typos->entries[entry++].wrong = value->target >= 0;
		column->tail += rare || value->target >= 0;
		if (value->target < 0)
			continue;
		column->near++;
		if (replacements != NULL)
			count_replacements(replacements, &chars, &typos->entries[value->target].chars,
							   value->rows);
	}
}

/* Confidence from what is near by chance (of the frequent ones) and what is near at all */
static double
confidence_of(double peers, int64 frequent, int64 near, int64 tail)
{
	double q = (peers + 0.1) / (frequent + 1.0);
	double s = (near + 0.5) / (tail + 1.0);

	return Max(0.0, 1.0 - q / s);
}

/*
 * Of an index, how many entries of a column have an equally frequent one as
 * near: of a part of them when they are many.
 */
static void
count_peers(const DmpTypoIndex *index, const DmpTypoEntry *entries, int n, Lexicon *lexicons)
{
	int k = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		Lexicon *lexicon = &lexicons[entries[i].column];
		int found;

		CHECK_FOR_INTERRUPTS();
		k = i > 0 && entries[i].column == entries[i - 1].column ? k + 1 : 0;
		if (entries[i].wrong || k % (lexicon->frequent / PEERS_MOST + 1) != 0)
			continue;
		lexicon->looked++;
		if (!has_letter(&entries[i].chars, 0))
			continue; /* numbers are no slips of each other */
		found =
			dmp_typo_find(index, entries[i].column, &entries[i].chars, entries[i].rows, 0, true);
		lexicon->peers += found >= 0 && slips_fit(&entries[i].chars, &entries[found].chars);
	}
}

static void
finish_lexicons(Typos *typos, Lexicon *lexicons)
{
	int k;

	for (k = 0; k < typos->n_columns; k++)
	{
		Lexicon *lexicon = &lexicons[k];

		lexicon->confidence =
			confidence_of(lexicon->peers, lexicon->looked, lexicon->near, lexicon->tail);
		/* no frequent value has the mark in another one's place */
		lexicon->marked_confidence =
			confidence_of(0, lexicon->looked, lexicon->near, lexicon->tail);
	}
}

/* ----------------------------------------------------------- by words */

static bool
is_frequent_word(const Typos *typos, const WordCount *count)
{
	return count->lettered && count->chars.n >= 4 &&
		   count->rows >= Max(10, typos->columns[count->column].rows / 1000);
}

static int
compare_entries(const void *a, const void *b, void *unused)
{
	const DmpTypoEntry *x = a;
	const DmpTypoEntry *y = b;
	int i;

	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	for (i = 0; i < x->chars.n && i < y->chars.n; i++)
		if (x->chars.c[i] != y->chars.c[i])
			return x->chars.c[i] < y->chars.c[i] ? -1 : 1;
	return x->chars.n - y->chars.n;
}

/* The word that a rare one was meant to be, or -1 */
static int
match_word(const Typos *typos, const WordCount *count)
{
	int found;

	if (count->chars.n < 4 || !count->lettered || is_frequent_word(typos, count))
		return -1;
	found = dmp_typo_find(typos->word_index, count->column, &count->chars, count->rows, typos->mark,
						  false);
	if (found >= 0 && count->rows > Max(LEAST_ROWS, typos->word_entries[found].rows / 50))
		return -1;
	return found;
}

static void
read_lexicons(Typos *typos)
{
	HASH_SEQ_STATUS scan;
	WordCount *count;
	int i = 0;

	hash_seq_init(&scan, typos->words);
	while ((count = hash_seq_search(&scan)) != NULL)
		typos->words_of[count->column].frequent += is_frequent_word(typos, count);
	for (i = 0; i < typos->n_columns; i++)
		typos->n_word_entries +=
			typos->words_of[i].frequent <= LEXICON_MOST ? typos->words_of[i].frequent : 0;
	typos->word_entries =
		palloc_extended(sizeof(DmpTypoEntry) * Max(typos->n_word_entries, 1), MCXT_ALLOC_HUGE);
	i = 0;
	hash_seq_init(&scan, typos->words);
	while ((count = hash_seq_search(&scan)) != NULL)
	{
		if (!is_frequent_word(typos, count) ||
			typos->words_of[count->column].frequent > LEXICON_MOST)
			continue;
		typos->word_entries[i].column = count->column;
		typos->word_entries[i].rows = count->rows;
		typos->word_entries[i].wrong = false;
		typos->word_entries[i++].chars = count->chars;
	}
	qsort_interruptible(typos->word_entries, typos->n_word_entries, sizeof(DmpTypoEntry),
						compare_entries, NULL);
	typos->word_index = dmp_typo_index(typos->word_entries, typos->n_word_entries);
	hash_seq_init(&scan, typos->words);
	while ((count = hash_seq_search(&scan)) != NULL)
	{
		Lexicon *lexicon = &typos->words_of[count->column];
		int found;

		CHECK_FOR_INTERRUPTS();
		if (!count->lettered || count->chars.n < 4 || is_frequent_word(typos, count))
			continue;
		found = match_word(typos, count);
		lexicon->tail += found >= 0 || count->rows <= LEAST_ROWS;
		lexicon->near += found >= 0;
	}
	count_peers(typos->word_index, typos->word_entries, typos->n_word_entries, typos->words_of);
}

/*
 * A value with its rare words repaired, or NULL.
 */
static text *
repair_words(const Typos *typos, Value *value, const DmpChars *chars)
{
	DmpChars word;
	DmpChars out;
	int at = 0;
	int done = 0;
	bool repaired = false;

	out.c = palloc(sizeof(pg_wchar) * ((Size) chars->n * 2 + LONGEST));
	out.n = 0;
	while (next_word(chars, &at, &word))
	{
		uint64 key = word_key(value->column, &word);
		WordCount *count = hash_search(typos->words, &key, HASH_FIND, NULL);
		int found = count ? match_word(typos, count) : -1;
		int from = word.c - chars->c;

		if (found < 0)
			continue;
		memcpy(out.c + out.n, chars->c + done, sizeof(pg_wchar) * (from - done));
		out.n += from - done;
		word = typos->word_entries[found].chars;
		memcpy(out.c + out.n, word.c, sizeof(pg_wchar) * word.n);
		out.n += word.n;
		done = at;
		repaired = true;
	}
	if (!repaired)
		return NULL;
	memcpy(out.c + out.n, chars->c + done, sizeof(pg_wchar) * (chars->n - done));
	out.n += chars->n - done;
	return dmp_chars_write(out.c, out.n);
}

/* Targets, confidences and repaired texts of all values */
static void
decide(Typos *typos)
{
	int64 i;

	for (i = 0; i < typos->n; i++)
	{
		Value *value = &typos->values[i];
		DmpChars chars;
		MemoryContext old;
		text *repaired;

		if (!read_value(typos, i, &chars))
			continue;
		if (value->target >= 0)
		{
			const DmpTypoEntry *meant = &typos->entries[value->target];
			const Lexicon *column = &typos->columns[value->column];

			value->confidence =
				typos->mark != 0 && dmp_typo_is_marked(&chars, &meant->chars, typos->mark)
					? column->marked_confidence
					: column->confidence;
			continue;
		}
		if (typos->n_word_entries == 0 || typos->words_of[value->column].near == 0)
			continue;
		old = MemoryContextSwitchTo(typos->one);
		repaired = repair_words(typos, value, &chars);
		MemoryContextSwitchTo(typos->context);
		if (repaired != NULL)
		{
			value->repaired = DatumGetTextPCopy(PointerGetDatum(repaired));
			value->confidence = typos->words_of[value->column].confidence;
		}
		MemoryContextSwitchTo(old);
	}
}

static Typos *
find_typos(WindowObject win, FunctionCallInfo fcinfo)
{
	Typos *typos = palloc0(sizeof(Typos));
	HASHCTL ctl = {0};
	HTAB *replacements;
	int64 i;

	typos->win = win;
	typos->context = CurrentMemoryContext;
	typos->one = AllocSetContextCreate(CurrentMemoryContext, "dmp typo", ALLOCSET_DEFAULT_SIZES);
	if (get_call_result_type(fcinfo, NULL, &typos->result) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "typo_of has no row type");
	typos->n = WinGetPartitionRowCount(win);
	typos->values =
		palloc_extended(sizeof(Value) * Max(typos->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (i = 0; i < typos->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		typos->values[i].column = DatumGetInt32(argument(typos, 0, i));
		typos->values[i].rows = DatumGetInt64(argument(typos, 2, i));
		typos->values[i].target = -1;
		if (typos->values[i].column < 0 || typos->values[i].column > MaxHeapAttributeNumber)
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("there is no column %d", typos->values[i].column)));
		typos->n_columns = Max(typos->n_columns, typos->values[i].column + 1);
	}
	typos->columns = palloc0(sizeof(Lexicon) * Max(typos->n_columns, 1));
	typos->words_of = palloc0(sizeof(Lexicon) * Max(typos->n_columns, 1));
	ctl.keysize = sizeof(uint64);
	ctl.entrysize = sizeof(WordCount);
	ctl.hcxt = CurrentMemoryContext;
	typos->words = hash_create("dmp words", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = sizeof(pg_wchar) * 2;
	ctl.entrysize = sizeof(Replacement);
	replacements =
		hash_create("dmp replacements", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	find_typical(typos);
	read_dictionary(typos);
	match_values(typos, replacements);
	typos->mark = find_mark(replacements);
	hash_destroy(replacements);
	match_values(typos, NULL);
	count_peers(typos->index, typos->entries, typos->n_entries, typos->columns);
	finish_lexicons(typos, typos->columns);
	if (!typos->words_full)
		read_lexicons(typos);
	finish_lexicons(typos, typos->words_of);
	decide(typos);
	return typos;
}

/*
 * dmp_internal.typo_of(column integer, value text, n bigint)
 *	-> (meant text, confidence float8), a window function
 *
 * Over the distinct values of some columns, in the order of column and bytes:
 * what the row's value was meant to be, NULL when it is taken as it is. n is
 * the number of rows with the value. No argument may be NULL.
 */
Datum
dmp_typo_of(PG_FUNCTION_ARGS)
{
	WindowObject win = PG_WINDOW_OBJECT();
	Typos **state;
	Typos *typos;
	Value *value;
	Datum values[2] = {0};
	bool nulls[2] = {true, true};

	if (!WindowObjectIsValid(win))
		elog(ERROR, "typo_of called outside a window");
	state = WinGetPartitionLocalMemory(win, sizeof(Typos *));
	if (*state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(state));

		*state = find_typos(win, fcinfo);
		MemoryContextSwitchTo(old);
	}
	typos = *state;
	value = &typos->values[WinGetCurrentPosition(win)];
	if (value->target >= 0 || value->repaired != NULL)
	{
		values[0] =
			PointerGetDatum(value->target >= 0 ? typos->texts[value->target] : value->repaired);
		values[1] = Float8GetDatum(value->confidence);
		nulls[0] = nulls[1] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(typos->result, values, nulls));
}
