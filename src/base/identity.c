/*-------------------------------------------------------------------------
 * identity.c
 *		Who runs a statement, who owns a thing, which cluster this is.
 *
 * The registry (tables in schema dmp_internal) is readable under row
 * policies and writable by nobody; C functions write it by running the one
 * statement as the extension's owner. search_path is pinned meanwhile, so
 * that no operator or function of the caller's schemas can be picked up.
 *
 * The owner of a registry row is of type dmp_internal.owner: an OID that
 * follows a renamed role, prints as the role's name, so that a dump carries
 * names, and reads an unknown name as the current user, so that a restore
 * where roles are missing gives those rows to the restoring superuser.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dmp_owner_in);
PG_FUNCTION_INFO_V1(dmp_owner_out);
PG_FUNCTION_INFO_V1(dmp_owner_recv);
PG_FUNCTION_INFO_V1(dmp_owner_send);
PG_FUNCTION_INFO_V1(dmp_owns);
PG_FUNCTION_INFO_V1(dmp_cluster);

Oid
dmp_extension_owner(void)
{
	Oid schema = get_namespace_oid("dmp_internal", false);
	HeapTuple tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
dmp_identity_begin(DmpIdentity *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	saved->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(dmp_extension_owner(), saved->context | SECURITY_LOCAL_USERID_CHANGE);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	/* our own policies must not hide our own rows, whatever the session says */
	(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

void
dmp_identity_end(DmpIdentity *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

void
dmp_check_owner(Oid owner, const char *kind, const char *name)
{
	char *role;

	if (has_privs_of_role(GetUserId(), owner))
		return;
	role = GetUserNameFromId(owner, true);
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied for %s \"%s\"", kind, name),
					role ? errdetail("It belongs to \"%s\".", role)
						 : errdetail("It belongs to a role that no longer exists.")));
}

void
dmp_check_table_owner(Oid relid)
{
	if (!pg_class_ownercheck(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));
}

/*
 * Input of dmp_internal.owner. A name that is no role is the current user:
 * rows of a dump whose roles do not exist here belong to who restores them.
 */
Datum
dmp_owner_in(PG_FUNCTION_ARGS)
{
	char *name = PG_GETARG_CSTRING(0);
	Oid role = get_role_oid(name, true);

	PG_RETURN_OID(OidIsValid(role) ? role : GetUserId());
}

Datum
dmp_owner_out(PG_FUNCTION_ARGS)
{
	Oid role = PG_GETARG_OID(0);
	char *name = GetUserNameFromId(role, true);

	PG_RETURN_CSTRING(name ? name : psprintf("%u", role));
}

Datum
dmp_owner_recv(PG_FUNCTION_ARGS)
{
	StringInfo buf = (StringInfo) PG_GETARG_POINTER(0);
	int nbytes;
	char *name = pq_getmsgtext(buf, buf->len - buf->cursor, &nbytes);
	Oid role = get_role_oid(name, true);

	PG_RETURN_OID(OidIsValid(role) ? role : GetUserId());
}

Datum
dmp_owner_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	char *name = DatumGetCString(DirectFunctionCall1(dmp_owner_out, PG_GETARG_DATUM(0)));

	pq_begintypsend(&buf);
	pq_sendtext(&buf, name, strlen(name));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* dmp_internal.owns(owner): the current user has the rights of that role */
Datum
dmp_owns(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_privs_of_role(GetUserId(), PG_GETARG_OID(0)));
}

/*
 * The number of this cluster in dmp_internal.cluster, by the system identifier
 * in pg_control. Rows dumped from another cluster keep that cluster's number,
 * so transaction ids of the two are never compared.
 */
int32
dmp_cluster_id(void)
{
	static int32 cached = 0;
	static Oid cached_in = InvalidOid; /* the schema: DROP and CREATE EXTENSION renumber */
	Oid schema = get_namespace_oid("dmp_internal", false);
	DmpArgs args = {0};
	char identifier[32];

	if (cached != 0 && cached_in == schema)
		return cached;
	snprintf(identifier, sizeof(identifier), UINT64_FORMAT, GetSystemIdentifier());
	dmp_arg_text(&args, identifier);
	dmp_spi_connect();
	if (dmp_spi_registry("SELECT id FROM dmp_internal.cluster WHERE system_identifier = $1", &args,
						 false) == 0)
	{
		dmp_spi_registry("INSERT INTO dmp_internal.cluster (system_identifier) VALUES ($1) "
						 "ON CONFLICT (system_identifier) DO UPDATE "
						 "SET system_identifier = excluded.system_identifier RETURNING id",
						 &args, false);
		/* not cached: this transaction may still roll back */
		cached_in = InvalidOid;
	}
	else
		cached_in = schema;
	cached = (int32) dmp_spi_int8(0, 1, 0);
	dmp_spi_finish();
	return cached;
}

/* dmp_internal.cluster_id(): default of the column cluster of lake tables */
Datum
dmp_cluster(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(dmp_cluster_id());
}
