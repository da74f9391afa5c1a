/*-------------------------------------------------------------------------
 * compat.h
 *		The differences between PostgreSQL 15, 16, 17 and 18 that reach us.
 *
 * The code is written against the oldest supported server; what changed since
 * is mapped here, so that no other file asks for PG_VERSION_NUM.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_COMPAT_H
#define DMP_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "dmp needs PostgreSQL 15 or newer"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#endif /* DMP_COMPAT_H */
