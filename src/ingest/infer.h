/*-------------------------------------------------------------------------
 * infer.h
 *		What the values of a column say about its type.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_INFER_H
#define DMP_INFER_H

#include "ingest/decode.h"

typedef enum DmpKind
{
	DMP_KIND_BOOLEAN,
	DMP_KIND_BIGINT,
	DMP_KIND_NUMERIC,
	DMP_KIND_DATE,
	DMP_KIND_TIMESTAMPTZ,
	DMP_KIND_UUID,
	DMP_KIND_TEXT,
	DMP_KIND_JSONB,
	DMP_N_KINDS
} DmpKind;

extern const char *dmp_kind_name(DmpKind kind);
extern Oid dmp_kind_type(DmpKind kind);

/* what texts mean beyond their type */
typedef enum DmpMeaning
{
	DMP_MEANS_EMAIL,
	DMP_MEANS_URL,
	DMP_MEANS_IP,
	DMP_MEANS_PHONE,
	DMP_MEANS_COUNTRY,
	DMP_N_MEANINGS
} DmpMeaning;

#define DMP_COUNTRY_PAIRS (26 * 26)

/* Of one column; zero-initialise. A fixed size, whatever the number of values. */
typedef struct DmpEvidence
{
	int64 present;           /* values that are not missing */
	int64 texts;             /* strings among them */
	int64 fits[DMP_N_KINDS]; /* read as the types do */
	int64 zeros;             /* digits that begin with a zero: no numbers */
	int64 neutral;           /* numbers that no mark decides about */
	int64 mark_only[2];      /* numbers under "." alone, under "," alone */
	int64 mark_both;         /* under either, as different numbers */
	int64 whole[2];          /* bigints, the mark being "." or "," */
	int64 ordered[8];        /* dates with the year behind or short: by the set of orders they fit,
					   * bits YMD, DMY, MDY */
	int16 first[2];          /* least and greatest first number of those with short years */
	int16 last[2];           /* and last number */
	int64 ordered_times;     /* with a time of day */
	int64 meaning[DMP_N_MEANINGS];
	uint8 countries[(DMP_COUNTRY_PAIRS + 7) / 8]; /* codes seen */
	char *format; /* pattern of dates and times, "" when they differ */
} DmpEvidence;

typedef struct DmpVerdict
{
	DmpKind kind;
	int date_order;    /* as DmpField.date_order */
	char decimal_mark; /* as DmpField.decimal_mark */
	char *format;      /* NULL: nothing to say */
} DmpVerdict;

/* Types prepared once */
typedef struct DmpEvidenceTypes DmpEvidenceTypes;

/* in CurrentMemoryContext, where formats are kept as well */
extern DmpEvidenceTypes *dmp_evidence_begin(void);
/* a value that is not missing; text: its text, unescaped */
extern void dmp_evidence_add(DmpEvidenceTypes *types, DmpEvidence *evidence, DmpJsonType type,
							 const char *text, size_t length);
/* the type that at least 9 of 10 values fit, and how they are to be read */
extern DmpVerdict dmp_evidence_verdict(const DmpEvidence *evidence, const char *column);

#endif /* DMP_INFER_H */
