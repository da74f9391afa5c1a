/*-------------------------------------------------------------------------
 * access_why.c
 *		dmp.why_hidden: what must hold for the caller to see rows of a table.
 *
 * It tells what policies say, which is in pg_policy for everybody, and what
 * the caller's own context is; nothing of the rows.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

PG_FUNCTION_INFO_V1(dmp_why_hidden);

static void
row(FunctionCallInfo fcinfo, const char *condition, const char *needed, const char *now)
{
	Datum values[3];
	bool nulls[3] = {false, false, now == NULL};

	values[0] = CStringGetTextDatum(condition);
	values[1] = CStringGetTextDatum(needed);
	values[2] = now ? CStringGetTextDatum(now) : (Datum) 0;
	dmp_srf_row(fcinfo, values, nulls);
}

/* other restrictive policies, and permissive ones when ours is not there */
static void
other_policies(FunctionCallInfo fcinfo, Oid relid)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	n = dmp_spi("SELECT pg_catalog.format('%s policy %I', CASE WHEN polpermissive "
				"THEN 'permissive' ELSE 'restrictive' END, polname), "
				"pg_catalog.pg_get_expr(polqual, polrelid) FROM pg_catalog.pg_policy "
				"WHERE polrelid OPERATOR(pg_catalog.=) $1 AND polqual IS NOT NULL "
				"AND polcmd OPERATOR(pg_catalog.=) ANY ('{r,*}'::pg_catalog.\"char\"[]) "
				"AND polname OPERATOR(pg_catalog.<>) "
				"ALL ('{" DMP_POLICY "," DMP_POLICY_ALLOW "}'::pg_catalog.name[]) ORDER BY 1",
				&args, true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
		row(fcinfo, dmp_spi_text(i, 1), dmp_spi_text(i, 2), NULL);
	dmp_spi_finish();
}

static void
context_rows(FunctionCallInfo fcinfo, const char *tenant, const char *subject, ArrayType *purposes)
{
	const DmpContext *context = dmp_context();
	bool none = context->tenant == NULL && context->purpose == NULL;
	List *named = purposes ? dmp_text_array_to_list(purposes) : NIL;

	row(fcinfo, "context", "set in this transaction by dmp.set_context(), or a default of the role",
		none ? "not set" : "set");
	if (purposes != NULL)
		row(fcinfo, "purpose",
			dmp_list_has(named, "*") ? "any" : psprintf("one of: %s", dmp_join(named, ", ")),
			context->purpose);
	else if (subject != NULL)
		row(fcinfo, "purpose", "any", context->purpose);
	if (tenant != NULL)
		row(fcinfo, "tenant", psprintf("the value of column %s", quote_identifier(tenant)),
			context->tenant);
	if (subject != NULL)
		row(fcinfo, "consent",
			psprintf("of the subject in column %s to the purpose", quote_identifier(subject)),
			context->purpose);
}

/* dmp.why_hidden(relation) -> (condition, needed, current); a masked view stands for its table */
Datum
dmp_why_hidden(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	Oid relid;
	Oid table;
	bool found;
	char *tenant = NULL;
	char *subject = NULL;
	ArrayType *purposes = NULL;
	char *user = GetUserNameFromId(GetUserId(), false);

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	relid = table = PG_GETARG_OID(0);
	(void) dmp_relation_name(relid);
	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	found = dmp_spi_registry("SELECT p.relation::oid, p.tenant, p.subject, p.purposes "
							 "FROM dmp_internal.protection p "
							 "LEFT JOIN dmp_internal.protection_table t ON t.root = p.relation "
							 "AND t.relation = $1 "
							 "WHERE t.relation IS NOT NULL OR p.masked = $1",
							 &args, true) > 0;
	if (found)
	{
		bool isnull;
		Datum value;

		MemoryContextSwitchTo(caller);
		if (get_rel_relkind(relid) == RELKIND_VIEW)
			table = (Oid) dmp_spi_int8(0, 1, relid);
		tenant = dmp_spi_text(0, 2);
		subject = dmp_spi_text(0, 3);
		value = dmp_spi_datum(0, 4, &isnull);
		if (!isnull)
			purposes = DatumGetArrayTypePCopy(value);
	}
	dmp_spi_finish();
	row(fcinfo, "right", psprintf("SELECT on %s", dmp_relation_name(relid)),
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK
			? psprintf("%s has it", quote_identifier(user))
			: psprintf("%s does not have it", quote_identifier(user)));
	if (relid == table && check_enable_rls(table, InvalidOid, true) == RLS_NONE)
		row(fcinfo, "row security", "none",
			psprintf("%s is not bound by policies of this table", quote_identifier(user)));
	else
	{
		if (found)
			context_rows(fcinfo, tenant, subject, purposes);
		other_policies(fcinfo, table);
	}
	PG_RETURN_NULL();
}
