/*-------------------------------------------------------------------------
 * text.h
 *		Text to hashed grams, at training and at scoring alike.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_TEXT_H
#define DMP_LEARN_TEXT_H

#include "dmp.h"

#define DMP_GRAM_BITS 18  /* buckets of a block of grams: 2^bits */
#define DMP_VALUE_BITS 20 /* of a column of hashed values */
#define DMP_MAX_BITS 24

typedef struct DmpGram
{
	uint32 bucket;
	float count;
} DmpGram;

/* the two blocks of a text */
enum
{
	DMP_BLOCK_WORDS,      /* words, and two neighbours */
	DMP_BLOCK_CHARACTERS, /* 3 to 5 characters within a padded word; 1 to 3 of a script without spaces */
	DMP_TEXT_BLOCKS
};

typedef struct DmpGrams
{
	DmpGram *grams; /* each bucket once, as they are met */
	int n;
	int room;
	uint32 *slots; /* open addressing: place in grams + 1, or 0 */
	uint32 nslots;
} DmpGrams;

/* Grows as needed in its context; one text at a time. */
typedef struct DmpTokenizer
{
	MemoryContext context;
	DmpGrams blocks[DMP_TEXT_BLOCKS];
	uint32 *characters;
	int room;
} DmpTokenizer;

extern DmpTokenizer *dmp_tokenizer_make(MemoryContext context);
/* The grams of a text in the server's encoding; valid until the next call. Never fails on its bytes. */
extern void dmp_tokenize(DmpTokenizer *t, const char *text, int length, int bits);
/* Words of a text, for telling prose from names: a run of 6 or more CJK characters counts as 3. */
extern int dmp_text_words(DmpTokenizer *t, const char *text, int length);
/* bucket of a whole value */
extern uint32 dmp_value_bucket(const char *text, int length, int bits);

#endif /* DMP_LEARN_TEXT_H */
