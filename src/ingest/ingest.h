/*-------------------------------------------------------------------------
 * ingest.h
 *		What the files of ingest share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_INGEST_H
#define DMP_INGEST_H

#include "dmp.h"

#include "access/tupdesc.h"
#include "utils/tuplestore.h"

/* ---- quarantine.c */

extern void dmp_register_rows(const char *name, TupleDesc desc, Tuplestorestate *rows, double n);

#endif /* DMP_INGEST_H */
