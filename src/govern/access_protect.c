/*-------------------------------------------------------------------------
 * access_protect.c
 *		dmp.protect and dmp.unprotect: policies of a table.
 *
 * Each table covered (the table and its partitions or children, because a
 * partition reached by its own name is under its own policies only) gets
 *
 *	dmp_protect			restrictive, for everybody and everything: the tenant
 *						is the context's, the subject consents. It narrows
 *						whatever policies of the user allow.
 *	dmp_protect_allow	permissive, true: where the user has no permissive
 *						policy, for without one nothing is visible at all.
 *
 * Both depend on functions of the extension: DROP EXTENSION CASCADE leaves row
 * security without policies, which hides all rows.
 *
 * What the context must claim is asked by one init plan (access_check.c) that
 * gives the tenant, so that the predicate is a plain `=` of the column's own
 * type. Consent is looked up in dmp_internal.consent_state, whose own policy
 * shows the rows of the context's purpose and no others; the planner takes
 * its index for a few rows and a hash for many. New rows need the tenant and
 * the claims, not consent: a subject is often written before it consents.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "govern/audit.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_protect);
PG_FUNCTION_INFO_V1(dmp_unprotect);

/* ------------------------------------------------------- what is refused */

static void
refuse(Oid relid, const char *why, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
					errmsg("\"%s\" cannot be protected: it is %s", get_rel_name(relid), why),
					hint ? errhint("%s", hint) : 0));
}

static bool
is_distributed(Oid relid)
{
	Oid catalog = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	DmpArgs args = {0};
	bool found;

	if (!OidIsValid(catalog))
		return false;
	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	found = dmp_spi_registry("SELECT 1 FROM pg_catalog.pg_dist_partition WHERE logicalrelid = $1",
							 &args, true) > 0;
	dmp_spi_finish();
	return found;
}

static void
check_parent(Oid relid)
{
	DmpArgs args = {0};
	char *parent = NULL;
	MemoryContext caller = CurrentMemoryContext;

	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	if (dmp_spi("SELECT inhparent FROM pg_catalog.pg_inherits "
				"WHERE inhrelid OPERATOR(pg_catalog.=) $1 LIMIT 1",
				&args, true) > 0)
	{
		MemoryContextSwitchTo(caller);
		parent = dmp_relation_name((Oid) dmp_spi_int8(0, 1, InvalidOid));
	}
	dmp_spi_finish();
	if (parent != NULL)
		refuse(relid, psprintf("a partition or child of %s", parent),
			   "Protect the parent: rows are read through it without the policies of a child.");
}

static void
check_table(Oid relid)
{
	char kind = get_rel_relkind(relid);
	Oid schema = get_rel_namespace(relid);

	switch (kind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_VIEW:
			refuse(relid, "a view",
				   "Protect its tables, and make the view WITH (security_invoker = true).");
			break;
		case RELKIND_MATVIEW:
			refuse(relid, "a materialized view", "PostgreSQL has no policies on its rows.");
			break;
		case RELKIND_FOREIGN_TABLE:
			refuse(relid, "a foreign table", "Protect the table where its rows are stored.");
			break;
		default:
			refuse(relid, "no table", NULL);
	}
	if (IsCatalogRelationOid(relid) || schema == get_namespace_oid("dmp", false) ||
		schema == get_namespace_oid("dmp_internal", false))
		refuse(relid, "part of the system", NULL);
	if (is_distributed(relid))
		refuse(relid, "distributed by Citus", "Its shards would not be under the policies.");
}

/* ------------------------------------------------------- arguments */

static char *
given_column(FunctionCallInfo fcinfo, int arg, TupleDesc desc, const char *prefix)
{
	char *name;

	if (PG_ARGISNULL(arg))
		return NULL;
	name = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	(void) dmp_column_number(desc, name, prefix);
	return name;
}

static List *
given_roles(FunctionCallInfo fcinfo, int arg)
{
	Datum *roles;
	bool *nulls;
	int n;
	List *names = NIL;

	if (PG_ARGISNULL(arg))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
					  &roles, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("a role in clear_for must not be null")));
		(void) get_role_oid(NameStr(*DatumGetName(roles[i])), false);
		names = lappend(names, pstrdup(NameStr(*DatumGetName(roles[i]))));
	}
	return names;
}

static void
read_arguments(FunctionCallInfo fcinfo, DmpProtect *protect)
{
	Relation rel = relation_open(protect->relid, AccessShareLock);

	protect->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	relation_close(rel, AccessShareLock);
	protect->tenant = given_column(fcinfo, 1, protect->desc, "tenant: ");
	protect->subject = given_column(fcinfo, 2, protect->desc, "subject: ");
	if (!PG_ARGISNULL(3))
	{
		protect->purposes = PG_GETARG_ARRAYTYPE_P(3);
		if (dmp_text_array_to_list(protect->purposes) == NIL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("purposes must not be empty"),
					 errhint("'{*}' asks for any purpose, NULL for none.")));
	}
	if (!PG_ARGISNULL(4))
	{
		protect->mask_json = text_to_cstring(PG_GETARG_TEXT_PP(4));
		protect->mask = dmp_doc_parse(protect->mask_json, "mask");
		if (protect->mask->kind != DMP_DOC_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mask must be a json object, not %s",
								   dmp_doc_kind_name(protect->mask->kind)),
							errhint("Such as {\"email\": \"email\", \"age\": {\"range\": 10}}.")));
		if (protect->mask->n == 0)
			protect->mask = NULL;
	}
	protect->clear_for = given_roles(fcinfo, 5);
}

/* ------------------------------------------------------- policies */

static char *
text_array_literal(ArrayType *array)
{
	return psprintf("%s::pg_catalog.text[]",
					quote_literal_cstr(OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array))));
}

/* (SELECT dmp_internal.access...('s.t'::regclass, purposes, needs_purpose, reads)::type) */
static char *
access_call(DmpProtect *protect, const char *table, const char *function, bool reads,
			const char *cast)
{
	bool any =
		protect->purposes != NULL && dmp_list_has(dmp_text_array_to_list(protect->purposes), "*");

	return psprintf("(SELECT dmp_internal.%s(%s::pg_catalog.regclass, %s, %s, %s)%s)", function,
					quote_literal_cstr(table),
					protect->purposes && !any ? text_array_literal(protect->purposes)
											  : "NULL::pg_catalog.text[]",
					protect->purposes || protect->subject ? "true" : "false",
					reads ? "true" : "false", cast);
}

/* tenant column = the context's tenant, by the equality of the column's type */
static char *
tenant_condition(DmpProtect *protect, const char *table, bool reads)
{
	AttrNumber number = dmp_column_number(protect->desc, protect->tenant, "tenant: ");
	Oid type = getBaseType(TupleDescAttr(protect->desc, number - 1)->atttypid);
	Oid operator= lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple tuple;
	Form_pg_operator form;
	Oid right;
	char *condition;

	if (!OidIsValid(operator))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("tenant: column \"%s\" of type %s cannot be compared",
							   protect->tenant, format_type_be(type))));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	right = IsPolymorphicType(form->oprright) ? type : form->oprright;
	condition = psprintf(
		"%s OPERATOR(%s.%s) %s", quote_identifier(protect->tenant),
		quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname),
		access_call(protect, table, "access_tenant", reads,
					psprintf("::%s", format_type_extended(right, -1, FORMAT_TYPE_FORCE_QUALIFY))));
	ReleaseSysCache(tuple);
	return condition;
}

static char *
consent_condition(DmpProtect *protect, Oid relid)
{
	/* the table's own policy leaves the rows of the context's purpose */
	return psprintf("EXISTS (SELECT FROM dmp_internal.consent_state dmp_consent "
					"WHERE dmp_consent.subject OPERATOR(pg_catalog.=) %s.%s::pg_catalog.text "
					"AND dmp_consent.granted)",
					quote_identifier(get_rel_name(relid)), quote_identifier(protect->subject));
}

static bool
has_policy(Oid relid, const char *condition)
{
	DmpArgs args = {0};
	bool found;

	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	found = dmp_spi(psprintf("SELECT 1 FROM pg_catalog.pg_policy "
							 "WHERE polrelid OPERATOR(pg_catalog.=) $1 AND %s",
							 condition),
					&args, true) > 0;
	dmp_spi_finish();
	return found;
}

#define IS_NAMED(name) "polname OPERATOR(pg_catalog.=) '" name "'"
#define IS_OURS "polname OPERATOR(pg_catalog.=) ANY ('{" DMP_POLICY "," DMP_POLICY_ALLOW "}')"

static void
note_policies(DmpProtect *protect, DmpActs *acts)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_oid(&args, protect->relid);
	dmp_spi_connect();
	n = dmp_spi("SELECT polname::pg_catalog.text, polpermissive FROM pg_catalog.pg_policy "
				"WHERE polrelid OPERATOR(pg_catalog.=) $1 AND NOT (" IS_OURS ") ORDER BY 1",
				&args, true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
		dmp_act_note(acts, protect->name, "policy %s of yours stays: a row must pass %s",
					 quote_identifier(dmp_spi_text(i, 1)),
					 dmp_spi_bool(i, 2, true) ? "one of its kind as well" : "it as well");
	dmp_spi_finish();
}

static void
protect_one(DmpProtect *protect, Oid relid, DmpActs *acts)
{
	Relation rel = table_open(relid, AccessShareLock);
	bool security = rel->rd_rel->relrowsecurity;
	bool forced = rel->rd_rel->relforcerowsecurity;
	char *name = dmp_relation_name(relid);
	StringInfoData reads;
	char *writes;

	table_close(rel, AccessShareLock);
	if (!security)
		dmp_act(acts, name, "table", "ALTER TABLE %s ENABLE ROW LEVEL SECURITY", name);
	if (!forced)
		dmp_act(acts, name, "table", "ALTER TABLE %s FORCE ROW LEVEL SECURITY", name);

	initStringInfo(&reads);
	if (protect->tenant)
	{
		appendStringInfoString(&reads, tenant_condition(protect, name, true));
		writes = tenant_condition(protect, name, false);
	}
	else
	{
		appendStringInfoString(&reads, access_call(protect, name, "access", true, ""));
		writes = access_call(protect, name, "access", false, "");
	}
	if (protect->subject)
		appendStringInfo(&reads, " AND %s", consent_condition(protect, relid));
	if (has_policy(relid, IS_NAMED(DMP_POLICY)))
		dmp_act(acts, name, "policy", "DROP POLICY %s ON %s", DMP_POLICY, name);
	dmp_act(acts, name, "policy",
			"CREATE POLICY %s ON %s AS RESTRICTIVE FOR ALL TO PUBLIC USING (%s) WITH CHECK (%s)",
			DMP_POLICY, name, reads.data, writes);
	if (has_policy(relid, IS_NAMED(DMP_POLICY_ALLOW)))
		dmp_act(acts, name, "policy", "DROP POLICY %s ON %s", DMP_POLICY_ALLOW, name);
	if (!has_policy(relid, "polpermissive AND NOT (" IS_OURS ")"))
		dmp_act(acts, name, "policy",
				"CREATE POLICY %s ON %s AS PERMISSIVE FOR ALL TO PUBLIC "
				"USING (dmp_internal.always())",
				DMP_POLICY_ALLOW, name);
}

static void
note_index(DmpProtect *protect, DmpActs *acts)
{
	DmpArgs args = {0};
	bool found;

	if (protect->tenant == NULL)
		return;
	dmp_arg_oid(&args, protect->relid);
	dmp_arg_int4(&args, dmp_column_number(protect->desc, protect->tenant, "tenant: "));
	dmp_spi_connect();
	found = dmp_spi("SELECT 1 FROM pg_catalog.pg_index WHERE indrelid OPERATOR(pg_catalog.=) $1 "
					"AND indkey[0] OPERATOR(pg_catalog.=) $2 AND indpred IS NULL",
					&args, true) > 0;
	dmp_spi_finish();
	if (!found)
		dmp_act_note(acts, protect->name, "no index begins with %s: CREATE INDEX ON %s (%s)",
					 quote_identifier(protect->tenant), protect->name,
					 quote_identifier(protect->tenant));
}

/* ------------------------------------------------------- the registry */

static void
remember_tables(DmpProtect *protect, bool *security, bool *forced)
{
	ListCell *lc;

	foreach (lc, protect->tables)
	{
		DmpArgs args = {0};
		int i = foreach_current_index(lc);

		dmp_arg_oid(&args, lfirst_oid(lc));
		dmp_arg_oid(&args, protect->relid);
		dmp_arg_bool(&args, security[i]);
		dmp_arg_bool(&args, forced[i]);
		dmp_spi_registry("INSERT INTO dmp_internal.protection_table "
						 "(relation, root, had_security, had_force) VALUES ($1, $2, $3, $4) "
						 "ON CONFLICT (relation) DO UPDATE SET root = excluded.root",
						 &args, false);
	}
}

static void
remember_revoked(List *revoked)
{
	ListCell *lc;

	foreach (lc, revoked)
	{
		DmpRevoked *item = lfirst(lc);
		DmpArgs args = {0};

		dmp_arg_oid(&args, item->relid);
		dmp_arg_text(&args, item->grantee);
		dmp_arg_text(&args, item->privilege);
		if (item->columns)
			dmp_arg_text_array(&args, item->columns);
		else
			dmp_arg(&args, TEXTARRAYOID, (Datum) 0, true);
		dmp_arg_bool(&args, item->grantable);
		dmp_spi_registry("INSERT INTO dmp_internal.protection_revoked "
						 "SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS ("
						 "SELECT FROM dmp_internal.protection_revoked WHERE relation = $1 "
						 "AND grantee IS NOT DISTINCT FROM $2 AND privilege = $3 "
						 "AND columns IS NOT DISTINCT FROM $4)",
						 &args, false);
	}
}

static void
remember(DmpProtect *protect, DmpActs *acts, bool *security, bool *forced)
{
	DmpArgs args = {0};
	Oid masked = InvalidOid;

	if (protect->mask)
		masked = dmp_relation_oid(dmp_masked_name(protect->relid), false);
	dmp_arg_oid(&args, protect->relid);
	dmp_arg_oid(&args, GetUserId());
	dmp_arg_text(&args, protect->tenant);
	dmp_arg_text(&args, protect->subject);
	dmp_arg(&args, TEXTARRAYOID, PointerGetDatum(protect->purposes), protect->purposes == NULL);
	dmp_arg_text(&args, protect->mask ? protect->mask_json : NULL);
	dmp_arg_text_array(&args, protect->clear_for);
	dmp_arg(&args, OIDOID, ObjectIdGetDatum(masked), !OidIsValid(masked));
	dmp_spi_connect();
	dmp_spi_registry("DELETE FROM dmp_internal.protection WHERE relation = $1", &args, false);
	dmp_spi_registry(
		"INSERT INTO dmp_internal.protection "
		"(relation, owner, tenant, subject, purposes, mask, clear_for, masked, protected_by) "
		"SELECT c.oid, c.relowner, $3, $4, $5, $6::json, $7::name[], $8, $2 "
		"FROM pg_class c WHERE c.oid = $1",
		&args, false);
	remember_tables(protect, security, forced);
	remember_revoked(acts->revoked);
	dmp_spi_finish();
}

/* tells the audit log: the act and its statements */
static void
log_act(Oid relid, const char *act, const DmpActs *acts)
{
	StringInfoData json;
	List *statements = dmp_acts_sql(acts);
	ListCell *lc;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"act\": \"%s\", \"statements\": [", act);
	foreach (lc, statements)
	{
		appendStringInfoString(&json, foreach_current_index(lc) ? ", " : "");
		escape_json(&json, lfirst(lc));
	}
	appendStringInfoString(&json, "]}");
	dmp_audit_event(relid, 'G', json.data);
}

/* whether it is protected; its masked view */
static bool
is_protected(Oid relid, Oid *masked)
{
	DmpArgs args = {0};
	bool found;

	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	found = dmp_spi_registry("SELECT masked FROM dmp_internal.protection WHERE relation = $1",
							 &args, true) > 0;
	*masked = found ? (Oid) dmp_spi_int8(0, 1, InvalidOid) : InvalidOid;
	dmp_spi_finish();
	return found;
}

/* ------------------------------------------------------- dmp.protect */

/* the table and what inherits from it, locked */
static List *
covered_tables(Oid relid, LOCKMODE lock)
{
	List *tables = find_all_inheritors(relid, lock, NULL);
	ListCell *lc;

	foreach (lc, tables)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("\"%s\" cannot be protected: its partition \"%s\" is a foreign "
								   "table",
								   get_rel_name(relid), get_rel_name(lfirst_oid(lc)))));
	}
	return tables;
}

/* rights taken by an earlier dmp.protect; give_back: those of this kind return */
static void
stored_revoked(Oid relid, bool only_select, bool give_back, DmpActs *acts)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_oid(&args, relid);
	dmp_arg_bool(&args, only_select);
	dmp_spi_connect();
	n = dmp_spi_registry("SELECT r.relation::oid, r.grantee, r.privilege, r.columns, r.grantable "
						 "FROM dmp_internal.protection_revoked r "
						 "JOIN dmp_internal.protection_table t ON t.relation = r.relation "
						 "JOIN pg_class c ON c.oid = r.relation "
						 "WHERE t.root = $1 AND (NOT $2 OR r.privilege = 'SELECT') "
						 "ORDER BY r.relation::oid, r.privilege, r.grantee NULLS FIRST",
						 &args, false);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
	{
		DmpRevoked *item = palloc0(sizeof(DmpRevoked));
		bool isnull;
		Datum columns;

		item->relid = (Oid) dmp_spi_int8(i, 1, InvalidOid);
		item->grantee = dmp_spi_text(i, 2);
		item->privilege = dmp_spi_text(i, 3);
		columns = dmp_spi_datum(i, 4, &isnull);
		if (!isnull)
			item->columns = dmp_text_array_to_list(DatumGetArrayTypePCopy(columns));
		item->grantable = dmp_spi_bool(i, 5, false);
		if (item->grantee && !OidIsValid(get_role_oid(item->grantee, true)))
			continue;
		if (give_back)
			dmp_act(acts, dmp_relation_name(item->relid), "grant", "GRANT %s%s ON %s TO %s%s",
					item->privilege,
					item->columns ? psprintf(" (%s)", dmp_join_identifiers(item->columns, "")) : "",
					dmp_relation_name(item->relid), dmp_act_role(item->grantee),
					item->grantable ? " WITH GRANT OPTION" : "");
		else
			acts->revoked = lappend(acts->revoked, item);
	}
	dmp_spi_finish();
}

static void
forget_revoked(Oid relid, bool only_select)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, relid);
	dmp_arg_bool(&args, only_select);
	dmp_spi_connect();
	dmp_spi_registry("DELETE FROM dmp_internal.protection_revoked r "
					 "USING dmp_internal.protection_table t WHERE t.relation = r.relation "
					 "AND t.root = $1 AND (NOT $2 OR r.privilege = 'SELECT')",
					 &args, false);
	dmp_spi_finish();
}

static void
plan_protect(DmpProtect *protect, DmpActs *acts)
{
	ListCell *lc;

	note_policies(protect, acts);
	foreach (lc, protect->tables)
		protect_one(protect, lfirst_oid(lc), acts);
	note_index(protect, acts);
	if (protect->mask == NULL && OidIsValid(protect->masked))
	{
		dmp_unprotect_view(protect->relid, protect->masked, acts);
		stored_revoked(protect->relid, true, true, acts);
	}
	else
		stored_revoked(protect->relid, true, false, acts);
	dmp_protect_grants(protect, acts);
	if (protect->mask)
		dmp_protect_view(protect, acts);
}

/*
 * dmp.protect(relation, tenant, subject, purposes, mask, clear_for, dry_run)
 * -> (object, kind, sql). Again replaces what it made before.
 */
Datum
dmp_protect(PG_FUNCTION_ARGS)
{
	DmpProtect protect = {0};
	DmpActs acts = {0};
	bool dry_run = PG_ARGISNULL(6) || PG_GETARG_BOOL(6);
	bool *security;
	bool *forced;
	ListCell *lc;

	if (PG_ARGISNULL(0))
	{
		dmp_srf_begin(fcinfo);
		PG_RETURN_NULL();
	}
	protect.relid = PG_GETARG_OID(0);
	protect.name = dmp_relation_name(protect.relid);
	check_table(protect.relid);
	dmp_check_table_owner(protect.relid);
	LockRelationOid(protect.relid, dry_run ? AccessShareLock : AccessExclusiveLock);
	protect.name = dmp_relation_name(protect.relid); /* an error when it is gone */
	check_parent(protect.relid);
	read_arguments(fcinfo, &protect);
	protect.tables = covered_tables(protect.relid, dry_run ? AccessShareLock : AccessExclusiveLock);
	(void) is_protected(protect.relid, &protect.masked);

	security = palloc(sizeof(bool) * list_length(protect.tables));
	forced = palloc(sizeof(bool) * list_length(protect.tables));
	foreach (lc, protect.tables)
	{
		Relation rel = table_open(lfirst_oid(lc), NoLock);

		security[foreach_current_index(lc)] = rel->rd_rel->relrowsecurity;
		forced[foreach_current_index(lc)] = rel->rd_rel->relforcerowsecurity;
		table_close(rel, NoLock);
	}
	plan_protect(&protect, &acts);
	if (!dry_run)
	{
		dmp_acts_run(&acts);
		if (protect.mask == NULL)
			forget_revoked(protect.relid, true);
		remember(&protect, &acts, security, forced);
		log_act(protect.relid, "protect", &acts);
	}
	dmp_acts_return(fcinfo, &acts);
	PG_RETURN_NULL();
}

/* ------------------------------------------------------- dmp.unprotect */

static void
unprotect_one(Oid relid, bool had_security, bool had_force, DmpActs *acts)
{
	char *name = dmp_relation_name(relid);

	if (has_policy(relid, IS_NAMED(DMP_POLICY)))
		dmp_act(acts, name, "policy", "DROP POLICY %s ON %s", DMP_POLICY, name);
	if (has_policy(relid, IS_NAMED(DMP_POLICY_ALLOW)))
		dmp_act(acts, name, "policy", "DROP POLICY %s ON %s", DMP_POLICY_ALLOW, name);
	if (!had_force)
		dmp_act(acts, name, "table", "ALTER TABLE %s NO FORCE ROW LEVEL SECURITY", name);
	if (!had_security && has_policy(relid, "NOT (" IS_OURS ")"))
		dmp_act_note(acts, name, "row security of %s stays on for policies of yours", name);
	else if (!had_security)
		dmp_act(acts, name, "table", "ALTER TABLE %s DISABLE ROW LEVEL SECURITY", name);
}

static void
unprotect_tables(Oid root, DmpActs *acts)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	uint64 n;
	Oid *relids;
	bool *security;
	bool *forced;

	dmp_arg_oid(&args, root);
	dmp_spi_connect();
	n = dmp_spi_registry("SELECT t.relation::oid, t.had_security, t.had_force "
						 "FROM dmp_internal.protection_table t "
						 "JOIN pg_class c ON c.oid = t.relation WHERE t.root = $1 "
						 "ORDER BY t.relation::oid <> $1, t.relation::oid",
						 &args, false);
	MemoryContextSwitchTo(caller);
	relids = palloc(sizeof(Oid) * (n + 1));
	security = palloc(sizeof(bool) * (n + 1));
	forced = palloc(sizeof(bool) * (n + 1));
	for (uint64 i = 0; i < n; i++)
	{
		relids[i] = (Oid) dmp_spi_int8(i, 1, InvalidOid);
		security[i] = dmp_spi_bool(i, 2, true);
		forced[i] = dmp_spi_bool(i, 3, true);
	}
	dmp_spi_finish();
	for (uint64 i = 0; i < n; i++)
	{
		/* a partition given to somebody else is that one's business */
		if (!pg_class_ownercheck(relids[i], GetUserId()))
			dmp_act_note(acts, dmp_relation_name(relids[i]), "%s is not yours: it stays protected",
						 dmp_relation_name(relids[i]));
		else
			unprotect_one(relids[i], security[i], forced[i], acts);
	}
}

/* dmp.unprotect(relation) -> (object, kind, sql) */
Datum
dmp_unprotect(PG_FUNCTION_ARGS)
{
	DmpActs acts = {0};
	DmpArgs args = {0};
	Oid relid;
	Oid masked;

	if (PG_ARGISNULL(0))
	{
		dmp_srf_begin(fcinfo);
		PG_RETURN_NULL();
	}
	relid = PG_GETARG_OID(0);
	(void) dmp_relation_name(relid);
	dmp_check_table_owner(relid);
	LockRelationOid(relid, AccessExclusiveLock);
	if (!is_protected(relid, &masked))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("table \"%s\" is not protected", get_rel_name(relid))));
	unprotect_tables(relid, &acts);
	dmp_unprotect_view(relid, masked, &acts);
	stored_revoked(relid, false, true, &acts);
	dmp_acts_run(&acts);
	forget_revoked(relid, false);
	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	dmp_spi_registry("DELETE FROM dmp_internal.protection_table WHERE root = $1", &args, false);
	dmp_spi_registry("DELETE FROM dmp_internal.protection WHERE relation = $1", &args, false);
	dmp_spi_finish();
	log_act(relid, "unprotect", &acts);
	dmp_acts_return(fcinfo, &acts);
	PG_RETURN_NULL();
}
