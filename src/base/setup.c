/*-------------------------------------------------------------------------
 * setup.c
 *		Schemas lake and feature, and who may create in them.
 *
 * They are ordinary schemas of the database owner, not members of the
 * extension: what users keep there survives DROP EXTENSION. A schema of that
 * name that belongs to somebody else is not used: its owner could read and
 * replace what is put there.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "utils/acl.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dmp_setup);

static const char *const dmp_schemas[] = {"lake", "feature"};

static Oid
database_owner(void)
{
	HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for database %u", MyDatabaseId);
	owner = ((Form_pg_database) GETSTRUCT(tuple))->datdba;
	ReleaseSysCache(tuple);
	return owner;
}

static Oid
schema_owner(Oid schema)
{
	HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* makes the schema when it is missing; the caller is a superuser or the database owner */
static void
make_schema(const char *name)
{
	Oid schema = get_namespace_oid(name, true);
	DmpIdentity saved;

	if (OidIsValid(schema))
	{
		Oid owner = schema_owner(schema);

		if (owner != database_owner() && !superuser_arg(owner))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("schema \"%s\" belongs to \"%s\", not to the owner of the database",
							name, GetUserNameFromId(owner, false)),
					 errhint("Rename it, or ALTER SCHEMA %s OWNER TO %s.", name,
							 quote_identifier(GetUserNameFromId(database_owner(), false)))));
		return;
	}
	dmp_identity_begin(&saved);
	dmp_spi(psprintf("CREATE SCHEMA %s AUTHORIZATION %s", name,
					 quote_identifier(GetUserNameFromId(database_owner(), false))),
			NULL, false);
	dmp_identity_end(&saved);
}

static bool
may_set_up(void)
{
	return superuser() || GetUserId() == database_owner();
}

Oid
dmp_ensure_schema(const char *name)
{
	Oid schema = get_namespace_oid(name, true);

	if (may_set_up())
	{
		dmp_spi_connect();
		make_schema(name);
		dmp_spi_finish();
		schema = get_namespace_oid(name, false);
	}
	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA), errmsg("schema \"%s\" does not exist", name),
				 errhint("Ask a superuser or the owner of the database to run: "
						 "SELECT dmp.setup(%s);",
						 quote_literal_cstr(GetUserNameFromId(GetUserId(), false)))));
	if (pg_namespace_aclcheck(schema, GetUserId(), ACL_CREATE | ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for schema %s", name),
						errhint("Ask a superuser or the owner of the database to run: "
								"SELECT dmp.setup(%s);",
								quote_literal_cstr(GetUserNameFromId(GetUserId(), false)))));
	/* also for others: a schema of a stranger is not trusted */
	if (schema_owner(schema) != database_owner() && !superuser_arg(schema_owner(schema)))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("schema \"%s\" belongs to \"%s\", not to the owner of the database",
							   name, GetUserNameFromId(schema_owner(schema), false))));
	return schema;
}

/*
 * dmp.setup(VARIADIC roles name[]) -> TABLE(object, action): makes the schemas
 * lake and feature and the role dmp_mask, and lets the roles create in the
 * schemas. For a superuser or the owner of the database; again is harmless.
 */
Datum
dmp_setup(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum *roles;
	bool *nulls;
	int n;

	if (!may_set_up())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to set up dmp"),
				 errdetail("Only a superuser or the owner of the database may.")));
	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &roles, &nulls, &n);
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	for (int s = 0; s < lengthof(dmp_schemas); s++)
	{
		Datum row[2] = {CStringGetTextDatum(psprintf("schema %s", dmp_schemas[s])),
						CStringGetTextDatum("ready")};
		bool row_nulls[2] = {false, false};

		make_schema(dmp_schemas[s]);
		dmp_srf_row(fcinfo, row, row_nulls);
	}
	if (!OidIsValid(get_role_oid("dmp_mask", true)))
	{
		DmpIdentity saved;

		dmp_identity_begin(&saved);
		dmp_spi("CREATE ROLE dmp_mask NOLOGIN", NULL, false);
		dmp_identity_end(&saved);
	}
	for (int i = 0; i < n; i++)
	{
		Datum row[2];
		bool row_nulls[2] = {false, false};
		const char *role;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a role must not be null")));
		role = NameStr(*DatumGetName(roles[i]));
		(void) get_role_oid(role, false);
		for (int s = 0; s < lengthof(dmp_schemas); s++)
		{
			DmpIdentity saved;

			dmp_identity_begin(&saved);
			dmp_spi(psprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s", dmp_schemas[s],
							 quote_identifier(role)),
					NULL, false);
			dmp_identity_end(&saved);
		}
		row[0] = CStringGetTextDatum(psprintf("role %s", role));
		row[1] = CStringGetTextDatum("may create in lake and feature");
		dmp_srf_row(fcinfo, row, row_nulls);
	}
	dmp_spi_finish();
	PG_RETURN_NULL();
}
