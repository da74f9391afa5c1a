/*-------------------------------------------------------------------------
 * web.h
 *		What the parsers of log lines, addresses and user agents share.
 *
 * All of them are total: any text gives a row or NULL, never an error.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_WEB_H
#define DMP_WEB_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "ingest/log.h"

/* weblog.c */
extern TupleDesc dmp_web_row(FunctionCallInfo fcinfo);
extern Datum dmp_web_text(const char *s, int len);

#endif /* DMP_WEB_H */
