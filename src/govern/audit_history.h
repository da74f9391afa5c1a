/*-------------------------------------------------------------------------
 * audit_history.h
 *		Rows as they are in a table's history, for dmp.as_of.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_AUDIT_HISTORY_H
#define DMP_AUDIT_HISTORY_H

#include "govern/audit_log.h"

/* a table whose past is asked for: the columns it has now */
typedef struct DmpHistory
{
	Oid relid;
	DmpAuditShape *shape; /* all columns that are logged, none hidden */
	bool *hidden;         /* by column: values are not in the log */
	FmgrInfo *input;      /* by column, of texts */
	Oid *ioparam;
	int32 *typmod;
	bool keyed; /* rows are told apart by a key */
} DmpHistory;

/* values by column of a history's shape; data of NULL: null */
typedef DmpAuditBytes *DmpRow;

extern DmpHistory *dmp_history_begin(Relation rel);
extern DmpRow dmp_history_row(const DmpHistory *h);
/* values of an image, from the shape they were written in to the columns of now; changed may be NULL */
typedef struct DmpHistoryMap DmpHistoryMap;
extern DmpHistoryMap *dmp_history_map(DmpHistory *h, const DmpAuditShape *from);
extern void dmp_history_convert(DmpHistory *h, const DmpHistoryMap *map, const DmpAuditBytes *from,
								const bool *has, DmpRow to, bool *known);
extern bool dmp_history_same_key(const DmpHistory *h, const DmpHistoryMap *map);
extern void dmp_history_encode(DmpHistory *h, const Datum *values, const bool *nulls, DmpRow row);
extern void dmp_history_decode(DmpHistory *h, DmpRow row, Datum *values, bool *nulls);
extern void dmp_history_pack(StringInfo buf, const DmpHistory *h, DmpRow row, const bool *which);
extern const char *dmp_history_unpack(const char *at, const DmpHistory *h, DmpRow row,
									  const bool *which);
extern void dmp_history_pack_key(StringInfo buf, const DmpHistory *h, DmpRow row);

#endif /* DMP_AUDIT_HISTORY_H */
