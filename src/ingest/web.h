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
#include "lib/stringinfo.h"

/* weblog.c */
extern TupleDesc dmp_web_row(FunctionCallInfo fcinfo);
extern Datum dmp_web_text(const char *s, int len);
extern int dmp_web_hex(const char *s);
extern void dmp_web_bytes(StringInfo out, const char *s, int n, int width);

#endif /* DMP_WEB_H */
