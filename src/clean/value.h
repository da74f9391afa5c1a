/*-------------------------------------------------------------------------
 * value.h
 *		Cleaning of single values: the characters of a text.
 *
 * A value function reads a text as characters (Unicode code points), works on
 * those, and writes a text. None of them raises an error for what the text
 * is; what cannot be read or written in the database's encoding is no value.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_VALUE_H
#define DMP_VALUE_H

#include "dmp.h"

#include "base/unicode.h"
#include "mb/pg_wchar.h"

extern Datum dmp_clean_text(PG_FUNCTION_ARGS);
extern Datum dmp_clean_email(PG_FUNCTION_ARGS);
extern Datum dmp_clean_phone(PG_FUNCTION_ARGS);
extern Datum dmp_clean_url(PG_FUNCTION_ARGS);
extern Datum dmp_clean_number(PG_FUNCTION_ARGS);
extern Datum dmp_parse_time(PG_FUNCTION_ARGS);

typedef struct DmpChars
{
	pg_wchar *c; /* ends in 0, which is not counted */
	int n;
} DmpChars;

typedef enum DmpFold
{
	DMP_FOLD_NONE,
	DMP_FOLD_WIDTH, /* normal form C, full-width and half-width forms as usual ones */
	DMP_FOLD_NFKC   /* normal form KC */
} DmpFold;

extern bool dmp_chars_read(text *value, DmpFold fold, DmpChars *out);
extern text *dmp_chars_write(const pg_wchar *c, int n);
extern void dmp_chars_fold(DmpChars *chars, DmpFold fold);
extern void dmp_chars_tidy(DmpChars *chars);
/* value_key.c: what keys are made of */
extern bool dmp_chars_read_plain(text *value, DmpChars *chars);
extern void dmp_chars_to_ascii(DmpChars *chars);
extern double dmp_jaro_winkler_chars(const DmpChars *a, const DmpChars *b);
extern bool dmp_is_domain(const pg_wchar *c, int n);
extern bool dmp_is_phone_country(const char *country);

static inline bool
dmp_is_digit(pg_wchar c)
{
	return c >= '0' && c <= '9';
}

static inline bool
dmp_is_han(pg_wchar c)
{
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || c == 0x3007 ||
		   (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

#endif /* DMP_VALUE_H */
