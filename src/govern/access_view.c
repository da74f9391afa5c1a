/*-------------------------------------------------------------------------
 * access_view.c
 *		The masked view of a protected table, <schema>.<table>_masked.
 *
 * The view has the columns of the table, some masked. It belongs to the role
 * dmp_mask, which has SELECT on the table and nothing else, neither owns it
 * nor bypasses its policies; policies look at the context of the session, so
 * the view shows what its reader may see. It is a security barrier, so no
 * function of a reader sees a row below it; and it is an ordinary view, so
 * COPY, cursors, EXPLAIN and views over it show nothing else.
 *
 * Roles in clear_for see the columns as they are: the choice is made by an
 * init plan, once a statement (dmp_sees_clear).
 *
 * The statements run as the owner of the extension, because only a superuser
 * may give a view to another role. They name one relation, which the caller
 * owns, and nothing of them is the caller's text.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static const char *
plain_masked_name(Oid relid)
{
	char *name = get_rel_name(relid);

	if (name == NULL)
		return NULL;
	if (strlen(name) + strlen("_masked") >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
						errmsg("the name of table \"%s\" is too long for a masked view", name),
						errdetail("\"%s_masked\" has more than %d bytes.", name, NAMEDATALEN - 1)));
	return psprintf("%s_masked", name);
}

char *
dmp_masked_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  plain_masked_name(relid));
}

static Oid
relation_owner(Oid relid)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

static bool
is_our_view(Oid relid)
{
	Oid role = get_role_oid(DMP_MASK_ROLE, true);

	return OidIsValid(relid) && OidIsValid(role) && get_rel_relkind(relid) == RELKIND_VIEW &&
		   relation_owner(relid) == role;
}

/* the role that owns masked views: harmless, or an error */
static void
check_mask_role(DmpActs *acts)
{
	Oid role = get_role_oid(DMP_MASK_ROLE, true);
	HeapTuple tuple;
	Form_pg_authid form;
	bool harmless;

	if (!OidIsValid(role))
	{
		if (!superuser())
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("role \"%s\" does not exist", DMP_MASK_ROLE),
							errdetail("It owns masked views."),
							errhint("Ask a superuser or the owner of the database to run: "
									"SELECT dmp.setup();")));
		dmp_act_as_owner(acts, DMP_MASK_ROLE, "role", "CREATE ROLE %s NOLOGIN", DMP_MASK_ROLE);
		return;
	}
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for role %u", role);
	form = (Form_pg_authid) GETSTRUCT(tuple);
	harmless = !form->rolsuper && !form->rolbypassrls && !form->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!harmless)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("role \"%s\" must be NOLOGIN NOSUPERUSER NOBYPASSRLS", DMP_MASK_ROLE)));
}

/* '{a,b}'::name[] */
static char *
roles_literal(List *roles)
{
	DmpArgs args = {0};
	Oid output;
	bool varlena;

	dmp_arg_text_array(&args, roles);
	getTypeOutputInfo(args.types[0], &output, &varlena);
	return psprintf("%s::pg_catalog.name[]",
					quote_literal_cstr(OidOutputFunctionCall(output, args.values[0])));
}

static char *
view_columns(DmpProtect *protect)
{
	StringInfoData columns;
	int i;

	initStringInfo(&columns);
	for (i = 0; i < protect->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(protect->desc, i);
		const char *name = NameStr(column->attname);
		DmpDoc *mask;

		if (column->attisdropped)
			continue;
		mask = dmp_doc_get(protect->mask, name);
		appendStringInfoString(&columns, columns.len > 0 ? ", " : "");
		if (mask == NULL)
			appendStringInfoString(&columns, quote_identifier(name));
		else
		{
			char *masked = dmp_mask_sql(mask, name, column->atttypid, column->atttypmod);

			if (protect->clear_for != NIL)
				appendStringInfo(&columns,
								 "CASE WHEN (SELECT dmp_internal.sees_clear(%s)) THEN %s ELSE %s "
								 "END AS %s",
								 roles_literal(protect->clear_for), quote_identifier(name), masked,
								 quote_identifier(name));
			else
				appendStringInfo(&columns, "%s AS %s", masked, quote_identifier(name));
		}
	}
	return columns.data;
}

/* roles that lost SELECT on the table read the view, by column where it was so */
static void
grant_readers(DmpProtect *protect, const char *view, const char *owner, DmpActs *acts)
{
	ListCell *lc;

	foreach (lc, protect->clear_for)
		if (strcmp(lfirst(lc), owner) != 0)
			dmp_act_as_owner(acts, view, "grant", "GRANT SELECT ON %s TO %s", view,
							 quote_identifier(lfirst(lc)));
	foreach (lc, acts->revoked)
	{
		DmpRevoked *revoked = lfirst(lc);

		if (revoked->relid != protect->relid || strcmp(revoked->privilege, "SELECT") != 0)
			continue;
		dmp_act_as_owner(
			acts, view, "grant", "GRANT SELECT%s ON %s TO %s%s",
			revoked->columns ? psprintf(" (%s)", dmp_join_identifiers(revoked->columns, "")) : "",
			view, dmp_act_role(revoked->grantee), revoked->grantable ? " WITH GRANT OPTION" : "");
	}
}

void
dmp_protect_view(DmpProtect *protect, DmpActs *acts)
{
	Oid schema = get_rel_namespace(protect->relid);
	char *view = dmp_masked_name(protect->relid);
	Oid there = get_relname_relid(plain_masked_name(protect->relid), schema);
	char *owner = GetUserNameFromId(relation_owner(protect->relid), false);

	for (int i = 0; i < protect->mask->n; i++)
		(void) dmp_column_number(protect->desc, protect->mask->keys[i], "mask: ");
	if (pg_namespace_aclcheck(schema, GetUserId(), ACL_CREATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SCHEMA, get_namespace_name(schema));
	if (OidIsValid(there) && !(there == protect->masked && is_our_view(there)))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_TABLE),
						errmsg("relation %s exists already and is no masked view of %s", view,
							   protect->name)));
	check_mask_role(acts);
	dmp_act(acts, protect->name, "grant", "GRANT SELECT ON %s TO %s", protect->name, DMP_MASK_ROLE);
	dmp_act_as_owner(
		acts, view, "view",
		"CREATE OR REPLACE VIEW %s WITH (security_barrier = true) AS SELECT %s FROM %s", view,
		view_columns(protect), protect->name);
	dmp_act_as_owner(acts, view, "view", "ALTER VIEW %s OWNER TO %s", view, DMP_MASK_ROLE);
	dmp_act_as_owner(acts, view, "grant", "GRANT SELECT ON %s TO %s", view,
					 quote_identifier(owner));
	grant_readers(protect, view, owner, acts);
}

void
dmp_unprotect_view(Oid relid, Oid masked, DmpActs *acts)
{
	char *name = dmp_relation_name(relid);

	if (!OidIsValid(masked) || get_rel_name(masked) == NULL)
		return;
	if (is_our_view(masked))
		dmp_act_as_owner(acts, dmp_relation_name(masked), "view", "DROP VIEW %s",
						 dmp_relation_name(masked));
	else
		dmp_act_note(acts, dmp_relation_name(masked), "%s is no longer owned by %s: it stays",
					 dmp_relation_name(masked), DMP_MASK_ROLE);
	if (OidIsValid(get_role_oid(DMP_MASK_ROLE, true)))
		dmp_act(acts, name, "grant", "REVOKE SELECT ON %s FROM %s", name, DMP_MASK_ROLE);
}
