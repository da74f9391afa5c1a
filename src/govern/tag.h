/*-------------------------------------------------------------------------
 * tag.h
 *		What columns hold, as their tables' owners said.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_TAG_H
#define DMP_TAG_H

#include "base/base.h"

/*
 * Names of the columns of a table that are tagged with a category (NULL: with
 * any), in the order of the table. Tags of the tables it inherits from or is
 * a partition of count, by name of the column. For internal use: the caller's
 * right to read the table is not checked.
 */
extern List *dmp_tagged_columns(Oid relid, const char *category);

/* what becomes of the rows of an erased person: 'delete', 'blank', 'keep', NULL when nothing was said; the strictest of its tags */
extern const char *dmp_tagged_on_erase(Oid relid);

/* a text argument that must be there; name: how the error calls it */
extern char *dmp_given_text(FunctionCallInfo fcinfo, int arg, const char *name);

/* argument 0, rel: a relation that is there */
extern Oid dmp_tag_relation(FunctionCallInfo fcinfo);
/* number of type dmp_internal.column_id of a column of a table the caller owns; else an error */
extern int64 dmp_own_column(Oid relid, const char *column_name);

#endif /* DMP_TAG_H */
