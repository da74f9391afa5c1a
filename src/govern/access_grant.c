/*-------------------------------------------------------------------------
 * access_grant.c
 *		Rights of others that policies do not govern.
 *
 * TRUNCATE empties the rows of all tenants, REFERENCES lets foreign keys
 * probe for rows that are hidden, TRIGGER lets a role see the rows others
 * write. With a mask, SELECT on the table is taken from all but its owner,
 * dmp_mask and the roles in clear_for, on partitions too, and readers of the
 * table become readers of the masked view. What is taken is remembered, so
 * that dmp.unprotect gives it back.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "utils/acl.h"
#include "utils/lsyscache.h"

/* rights of the table, then of its columns: (grantee or NULL, privilege, columns, grantable) */
#define GRANTS_OF                                                                               \
	"SELECT r.rolname::pg_catalog.text, a.privilege_type, NULL::pg_catalog.text[] AS columns, " \
	"pg_catalog.bool_or(a.is_grantable) "                                                       \
	"FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a "                            \
	"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee "                \
	"WHERE c.oid OPERATOR(pg_catalog.=) $1 AND a.grantee OPERATOR(pg_catalog.<>) c.relowner "   \
	"GROUP BY r.rolname, a.privilege_type "                                                     \
	"UNION ALL SELECT r.rolname::pg_catalog.text, a.privilege_type, "                           \
	"pg_catalog.array_agg(DISTINCT t.attname::pg_catalog.text), "                               \
	"pg_catalog.bool_or(a.is_grantable) "                                                       \
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute t "                                \
	"ON t.attrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.attisdropped, "                       \
	"pg_catalog.aclexplode(t.attacl) a "                                                        \
	"LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.grantee "                \
	"WHERE c.oid OPERATOR(pg_catalog.=) $1 AND a.grantee OPERATOR(pg_catalog.<>) c.relowner "   \
	"GROUP BY r.rolname, a.privilege_type "                                                     \
	"ORDER BY 2, 1 NULLS FIRST, 3 NULLS FIRST"

static bool
takes(const DmpProtect *protect, const char *grantee, const char *privilege)
{
	if (strcmp(privilege, "TRUNCATE") == 0 || strcmp(privilege, "REFERENCES") == 0 ||
		strcmp(privilege, "TRIGGER") == 0)
		return true;
	if (strcmp(privilege, "SELECT") != 0 || protect->mask == NULL)
		return false;
	return grantee == NULL ||
		   (strcmp(grantee, DMP_MASK_ROLE) != 0 && !dmp_list_has(protect->clear_for, grantee));
}

static void
grants_of_table(DmpProtect *protect, Oid relid, DmpActs *acts)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	char *name = dmp_relation_name(relid);
	uint64 n;

	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	n = dmp_spi(GRANTS_OF, &args, true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
	{
		char *grantee = dmp_spi_text(i, 1);
		char *privilege = dmp_spi_text(i, 2);
		DmpRevoked *revoked;
		bool isnull;
		Datum columns;

		if (!takes(protect, grantee, privilege))
			continue;
		revoked = palloc0(sizeof(DmpRevoked));
		revoked->relid = relid;
		revoked->grantee = grantee;
		revoked->privilege = privilege;
		columns = dmp_spi_datum(i, 3, &isnull);
		if (!isnull)
			revoked->columns = dmp_text_array_to_list(DatumGetArrayTypePCopy(columns));
		revoked->grantable = dmp_spi_bool(i, 4, false);
		acts->revoked = lappend(acts->revoked, revoked);
		dmp_act(acts, name, "revoke", "REVOKE %s%s ON %s FROM %s%s", privilege,
				revoked->columns ? psprintf(" (%s)", dmp_join_identifiers(revoked->columns, ""))
								 : "",
				name, dmp_act_role(grantee), revoked->grantable ? " CASCADE" : "");
	}
	dmp_spi_finish();
}

/* who is outside: said, not changed */
static void
note_outsiders(DmpProtect *protect, DmpActs *acts)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_oid(&args, protect->relid);
	dmp_spi_connect();
	n = dmp_spi("SELECT r.rolname::pg_catalog.text, r.oid OPERATOR(pg_catalog.=) c.relowner "
				"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r "
				"ON r.oid OPERATOR(pg_catalog.=) c.relowner OR r.rolbypassrls "
				"AND NOT r.rolsuper AND pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT') "
				"WHERE c.oid OPERATOR(pg_catalog.=) $1 ORDER BY 2 DESC, 1",
				&args, true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
	{
		char *role = dmp_spi_text(i, 1);

		if (superuser_arg(get_role_oid(role, false)))
			dmp_act_note(acts, protect->name,
						 "%s owns the table and is a superuser: policies do not bind it",
						 quote_identifier(role));
		else if (dmp_spi_bool(i, 2, false))
			dmp_act_note(acts, protect->name,
						 "%s owns the table: policies bind it too, but it may take them away",
						 quote_identifier(role));
		else
			dmp_act_note(acts, protect->name, "%s has BYPASSRLS: policies do not bind it",
						 quote_identifier(role));
	}
	dmp_spi_finish();
}

void
dmp_protect_grants(DmpProtect *protect, DmpActs *acts)
{
	ListCell *lc;

	foreach (lc, protect->tables)
		grants_of_table(protect, lfirst_oid(lc), acts);
	note_outsiders(protect, acts);
}
