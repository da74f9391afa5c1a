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
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "varatt.h"

/* 16: input functions can report a bad value without throwing */
#define DMP_HAVE_SAFE_INPUT

/* 16: one function for the owner and one for the rights of any kind of object */
#define pg_class_ownercheck(oid, role) object_ownercheck(RelationRelationId, oid, role)
#define pg_namespace_aclcheck(oid, role, mode) object_aclcheck(NamespaceRelationId, oid, role, mode)
#define pg_proc_aclcheck(oid, role, mode) object_aclcheck(ProcedureRelationId, oid, role, mode)
#define pg_type_aclcheck(oid, role, mode) object_aclcheck(TypeRelationId, oid, role, mode)
#define pg_database_aclcheck(oid, role, mode) object_aclcheck(DatabaseRelationId, oid, role, mode)

/* 16: rounding to a typmod may fail without throwing */
#define dmp_adjust_timestamp(at, typmod) AdjustTimestampForTypmod(at, typmod, NULL)

/* 16: actions of the json parser may fail without throwing */
#define DmpJsonResult JsonParseErrorType
#define DMP_JSON_DONE return JSON_SUCCESS
#else
#define dmp_adjust_timestamp(at, typmod) AdjustTimestampForTypmod(at, typmod)
#define DmpJsonResult void
#define DMP_JSON_DONE return
#endif

/* 17: the caller may bring the lexer */
#if PG_VERSION_NUM >= 170000
#define dmp_make_json_lexer(json, len, escapes) \
	makeJsonLexContextCstringLen(NULL, json, len, GetDatabaseEncoding(), escapes)
#else
#define dmp_make_json_lexer(json, len, escapes) \
	makeJsonLexContextCstringLen(json, len, GetDatabaseEncoding(), escapes)
#endif

/* 18: pg_noreturn, written in front, replaced it */
#if PG_VERSION_NUM >= 180000
#define pg_attribute_noreturn() __attribute__((noreturn))
#endif

/* 17: an index may gather entries until it is told that there are no more */
#if PG_VERSION_NUM >= 170000
#define dmp_index_insert_end(index, info) index_insert_cleanup(index, info)
#else
#define dmp_index_insert_end(index, info) ((void) 0)
#endif

/* 18: generated columns may be computed when read, and a primary key be deferrable */
#if PG_VERSION_NUM >= 180000
#define dmp_attribute_is_virtual(att) ((att)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#define dmp_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define dmp_attribute_is_virtual(att) false
#define dmp_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel)
#endif

#endif /* DMP_COMPAT_H */
