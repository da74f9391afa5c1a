/*-------------------------------------------------------------------------
 * subject_match.c
 *		Comparing values with the name of a subject.
 *
 * The name is converted to the type of the column, softly: a name that is no
 * value of the type is in no row. The comparison is the type's own equality,
 * so that an index on the column serves, and citext matches as citext does.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "access/transam.h"
#include "base/soft.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* OPERATOR(schema.=) of a type, or NULL */
static char *
equality(Oid type)
{
	Oid operator= lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple tuple;
	Form_pg_operator form;
	char *sql;

	if (!OidIsValid(operator))
		return NULL;
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	sql = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
				   NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return sql;
}

/*
 * Whether values of a type are to be compared by their texts: an enum or a row
 * type has the operators of all enums or rows, and an implicit cast that its
 * owner made could get between.
 */
bool
dmp_subject_by_text(Oid type)
{
	Oid operator= lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	Oid left;
	Oid right;

	if (type < FirstNormalObjectId || !OidIsValid(operator))
		return false;
	op_input_types(operator, & left, &right);
	return left != type;
}

char *
dmp_subject_condition(Subject *subject, Oid relid, List *columns, const char *alias, DmpArgs *args)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	foreach (lc, columns)
	{
		char *column = lfirst(lc);
		Oid type = getBaseType(get_atttype(relid, get_attnum(relid, column)));
		DmpSoftType *soft = dmp_soft_prepare(type, -1, CurrentMemoryContext);
		char *operator= equality(type);
		const char *reason;
		int sqlstate;
		Datum value;

		if (operator== NULL || args->n >= DMP_MAX_ARGS || !dmp_soft_input(
				soft, subject->value, strlen(subject->value), &value, &reason, &sqlstate))
			continue;
		dmp_arg(args, type, value, false);
		if (dmp_subject_by_text(type))
			appendStringInfo(&sql,
							 "%spg_catalog.format('%%s', %s.%s) OPERATOR(pg_catalog.=)"
							 " pg_catalog.format('%%s', $%d)",
							 sql.len ? " OR " : "", alias, quote_identifier(column), args->n);
		else
			appendStringInfo(&sql, "%s%s.%s %s $%d", sql.len ? " OR " : "", alias,
							 quote_identifier(column), operator, args->n);
	}
	return sql.len ? psprintf("(%s)", sql.data) : NULL;
}

/*
 * Casts to json or text of somebody's type are somebody's functions, and would
 * run with the rights of whoever exports: values of types that the server does
 * not bring are written by their output functions.
 */
char *
dmp_subject_plain(Oid relid, const char *column, const char *alias)
{
	Oid type = getBaseType(get_atttype(relid, get_attnum(relid, column)));
	char *name = psprintf("%s.%s", alias, quote_identifier(column));

	if (type < FirstNormalObjectId)
		return name;
	return psprintf("CASE WHEN pg_catalog.num_nulls(%s) OPERATOR(pg_catalog.=) 0"
					" THEN pg_catalog.format('%%s', %s) END",
					name, name);
}

char *
dmp_subject_unreadable(Oid relid, bool erase)
{
	Oid schema = get_rel_namespace(relid);

	if (pg_namespace_aclcheck(schema, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		return psprintf("permission denied for schema %s", get_namespace_name(schema));
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return psprintf("permission denied for table %s", get_rel_name(relid));
	if (erase && pg_class_aclcheck(relid, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		return psprintf("permission denied to lock rows of table %s, which takes UPDATE",
						get_rel_name(relid));
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return psprintf("row security of table %s may hide rows", get_rel_name(relid));
	if (get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE)
		return psprintf("%s is a foreign table", get_rel_name(relid));
	return NULL;
}
