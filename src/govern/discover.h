/*-------------------------------------------------------------------------
 * discover.h
 *		Personal data, known by its values and by the names of its columns.
 *
 * A kind is one way a value can be personal data: a card number, an e-mail
 * address, a date of birth. Kinds of one category (national ids of several
 * countries) are told apart here, and are one category in what is reported.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_DISCOVER_H
#define DMP_DISCOVER_H

#include "base/base.h"

typedef enum DmpPersonalKind
{
	PERSONAL_EMAIL,
	PERSONAL_PHONE_WRITTEN, /* with +, or with separators where a plan has them */
	PERSONAL_PHONE_MOBILE,  /* eleven digits of a Chinese mobile */
	PERSONAL_PHONE_ANY,     /* digits that some plan allows: needs the name */
	PERSONAL_CARD,
	PERSONAL_IBAN,
	PERSONAL_ID_CN,
	PERSONAL_ID_US,
	PERSONAL_ID_US_DIGITS,
	PERSONAL_ID_GB,
	PERSONAL_ID_ES,
	PERSONAL_ID_BR,
	PERSONAL_PASSPORT,
	PERSONAL_IPV4,
	PERSONAL_IPV6,
	PERSONAL_MAC,
	PERSONAL_DEVICE,
	PERSONAL_BIRTH,
	PERSONAL_NAME,
	PERSONAL_NAME_HAN,
	PERSONAL_ADDRESS,
	PERSONAL_ADDRESS_HAN,
	PERSONAL_POSTCODE,
	PERSONAL_PLATE,
	PERSONAL_LOCATION,
	PERSONAL_CREDENTIAL,
	PERSONAL_CREDENTIAL_HASH,
	PERSONAL_KINDS
} DmpPersonalKind;

typedef uint32 DmpPersonalSet; /* a bit a kind */
#define PERSONAL(kind) ((DmpPersonalSet) 1 << (kind))

/* ---- discover_value.c: single values */

/* What a value is to a kind: of its shape, and also right by its check digits and ranges. */
typedef struct DmpPersonalMatch
{
	DmpPersonalSet like;
	DmpPersonalSet is;
	int spread; /* mobiles: the three digits they begin with; IPv4: whether an octet is 100 or more */
	bool given_name; /* a word of it is a usual given name */
} DmpPersonalMatch;

/*
 * Matches the n bytes of s, in the encoding of the database, as a whole
 * (blanks at the ends do not count). hinted: the kinds the column's name
 * speaks of; those that need a name are not looked for without. scratch is
 * used and may be reset afterwards.
 */
extern void dmp_personal_match(const char *s, int n, DmpPersonalSet hinted,
							   DmpPersonalMatch *match);

/* ---- discover_word.c: names of columns, and of people */

typedef struct DmpPersonalHint
{
	DmpPersonalSet kinds;
	bool bare_name; /* "name" and nothing that says of what */
	bool version;   /* numbers with dots are versions here */
	bool about;     /* a status, a type or a count of it: no evidence without values */
} DmpPersonalHint;

/*
 * What a column's name says, by whole words of it. table: name of what it
 * belongs to (a table, the json object around it), NULL for nothing.
 */
extern DmpPersonalHint dmp_personal_hint(const char *column, const char *table);
extern bool dmp_is_given_name(const char *word, int n); /* lower case */
extern int dmp_han_surname(const char *s, int n); /* bytes of the surname s begins with; 0: none */
extern bool dmp_is_han_word(const char *s, int n,
							int *characters); /* nothing but Chinese characters */

/* ---- discover_tally.c: values of one column, and the verdict on them */

typedef struct DmpTally DmpTally;

typedef struct DmpFinding
{
	const char *category;
	double share;     /* of the values that are not null; NaN: known by its name alone */
	const char *text; /* evidence, without any value */
} DmpFinding;

/* by_type: kinds the type of the column says; path: of a json leaf, else NULL */
extern DmpTally *dmp_tally_make(DmpPersonalHint hint, DmpPersonalSet by_type, const char *path);
extern void dmp_tally_add(DmpTally *tally, const char *s, int n);
extern bool dmp_tally_has_values(const DmpTally *tally);
/* List of DmpFinding *, the best kind of each category */
extern List *dmp_tally_findings(const DmpTally *tally);
/* what the name alone says of a column whose values cannot be seen; why: appended to the evidence */
extern List *dmp_hint_findings(DmpPersonalHint hint, Oid type, const char *why);

/* ---- discover_column.c: a column of a table, with its leaves */

typedef struct DmpPersonalColumn DmpPersonalColumn;

/* NULL when the type holds nothing that is looked for */
extern DmpPersonalColumn *dmp_personal_column_make(const char *table, const char *name, Oid type);
extern void dmp_personal_column_add(DmpPersonalColumn *column, Datum value, bool isnull);
extern void dmp_personal_column_add_text(DmpPersonalColumn *column, const char *value);
extern List *dmp_personal_column_findings(DmpPersonalColumn *column);
extern bool dmp_personal_column_has_values(const DmpPersonalColumn *column);
extern DmpPersonalHint dmp_personal_column_hint(const DmpPersonalColumn *column);
/* the expression that reads it, bounded in size */
extern const char *dmp_personal_column_sql(const DmpPersonalColumn *column);

#endif /* DMP_DISCOVER_H */
