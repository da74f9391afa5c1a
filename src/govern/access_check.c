/*-------------------------------------------------------------------------
 * access_check.c
 *		What the policies of protected tables ask, once a statement and table.
 *
 * A policy calls these in a sub-select without references to the row, which
 * the planner makes an init plan: it runs once, lazily, and its answer is
 * compared with the column. So `tenant = (SELECT access_tenant(...))` has the
 * plan of any hand-written policy, and what hides all rows is the tenant
 * NULL, not another condition.
 *
 * They are STABLE and PARALLEL RESTRICTED: they run in the leader, and tables
 * they guard are scanned in parallel.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_access);
PG_FUNCTION_INFO_V1(dmp_access_tenant);
PG_FUNCTION_INFO_V1(dmp_sees_clear);

/* one NOTICE a transaction says that rows are hidden, and how to learn why */
static void
notice_hidden(Oid relid, const char *missing)
{
	if (!dmp_access_first_notice())
		return;
	ereport(NOTICE, (errmsg("rows of \"%s\" are hidden: %s", get_rel_name(relid), missing),
					 errhint("See dmp.set_context(), or: SELECT * FROM dmp.why_hidden(%s);",
							 quote_literal_cstr(dmp_relation_name(relid)))));
}

/* runs with each statement: without copies of the elements */
static bool
has_purpose(ArrayType *purposes, const char *purpose)
{
	size_t length = strlen(purpose);
	Datum *items;
	bool *nulls;
	int n;
	int i;

	deconstruct_array(purposes, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		if (!nulls[i] && VARSIZE_ANY_EXHDR(DatumGetPointer(items[i])) == length &&
			memcmp(VARDATA_ANY(DatumGetPointer(items[i])), purpose, length) == 0)
			return true;
	}
	return false;
}

/* the context that may see the table, or NULL */
static const DmpContext *
admitted(FunctionCallInfo fcinfo, bool needs_tenant)
{
	const DmpContext *context;
	Oid relid;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		return NULL;
	relid = PG_GETARG_OID(0);
	context = dmp_context();
	if (context->tenant == NULL && context->purpose == NULL)
	{
		notice_hidden(relid, "no context is set");
		return NULL;
	}
	if (needs_tenant && context->tenant == NULL)
	{
		notice_hidden(relid, "the context names no tenant");
		return NULL;
	}
	if (context->purpose == NULL && (PG_GETARG_BOOL(2) || !PG_ARGISNULL(1)))
	{
		notice_hidden(relid, "the context names no purpose");
		return NULL;
	}
	if (!PG_ARGISNULL(1) && !has_purpose(PG_GETARG_ARRAYTYPE_P(1), context->purpose))
	{
		notice_hidden(relid, "not for the purpose of the context");
		return NULL;
	}
	if (PG_GETARG_BOOL(3))
		dmp_access_log(relid, context);
	return context;
}

/* dmp_internal.access(relation, purposes, needs_purpose, reads) */
Datum
dmp_access(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(admitted(fcinfo, false) != NULL);
}

/* dmp_internal.access_tenant(relation, purposes, needs_purpose, reads) */
Datum
dmp_access_tenant(PG_FUNCTION_ARGS)
{
	const DmpContext *context = admitted(fcinfo, true);

	if (context == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(context->tenant));
}

/*
 * dmp_internal.sees_clear(roles): the role that runs and the role of the
 * session both have the rights of one of them. So what a SECURITY DEFINER
 * function of such a role returns to others stays masked. A role that does
 * not exist is nobody.
 */
Datum
dmp_sees_clear(PG_FUNCTION_ARGS)
{
	Datum *roles;
	bool *nulls;
	int n;
	bool runs = false;
	bool session = false;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &roles,
					  &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		Oid role;

		if (nulls[i])
			continue;
		role = get_role_oid(NameStr(*DatumGetName(roles[i])), true);
		if (!OidIsValid(role))
			continue;
		runs |= has_privs_of_role(GetUserId(), role);
		session |= has_privs_of_role(GetOuterUserId(), role);
	}
	PG_RETURN_BOOL(runs && session);
}
