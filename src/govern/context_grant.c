/*-------------------------------------------------------------------------
 * context_grant.c
 *		What roles may claim: dmp.grant_context, dmp.revoke_context and
 *		dmp.set_default_context.
 *
 * A grant is a set of tenants with a set of purposes; a claim must be covered
 * by one grant as a whole, so that {acme} x {support} and {beta} x {ads} do
 * not add up to acme for ads.
 *
 * A backend keeps all grants and defaults (they are few) until one changes.
 * They are read by the newest snapshot, not the transaction's: what is
 * revoked is revoked for transactions that began before, too.
 *-------------------------------------------------------------------------
 */
#include "govern/context.h"
#include "govern/audit.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dmp_context_changed);
PG_FUNCTION_INFO_V1(dmp_grant_context);
PG_FUNCTION_INFO_V1(dmp_revoke_context);
PG_FUNCTION_INFO_V1(dmp_set_default_context);

typedef struct Grant
{
	Oid grantee;
	bool any_tenant;
	bool any_purpose;
	List *tenants;
	List *purposes;
} Grant;

typedef struct Default
{
	Oid grantee;
	char *context;
} Default;

static uint64 generation = 1;
/* the tables whose changes concern us; InvalidOid: not looked up */
static Oid grant_relid;
static Oid default_relid;

static MemoryContext kept_memory;
static uint64 kept_generation; /* 0: nothing is kept */
static List *kept_grants;
static List *kept_defaults;

/* ------------------------------------------------------- invalidation */

static void
relation_changed(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(grant_relid) || relid == grant_relid ||
		relid == default_relid)
	{
		generation++;
		if (!OidIsValid(relid))
			grant_relid = InvalidOid; /* the extension may have been made anew */
	}
}

static void
members_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	generation++;
}

void
dmp_context_grant_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, members_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, members_changed, (Datum) 0);
}

uint64
dmp_context_generation(void)
{
	return generation;
}

/* trigger of the two tables, a statement each */
Datum
dmp_context_changed(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("context_changed must be called as a trigger")));
	CacheInvalidateRelcache(data->tg_relation);
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------- what is kept */

/* the tables, or false where the extension is not installed */
static bool
find_tables(void)
{
	Oid schema;

	if (OidIsValid(grant_relid))
		return true;
	schema = get_namespace_oid("dmp_internal", true);
	if (!OidIsValid(schema))
		return false;
	default_relid = get_relname_relid("context_default", schema);
	grant_relid = get_relname_relid("context_grant", schema);
	return OidIsValid(grant_relid);
}

static List *
list_of(uint64 row, int col, bool *any)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);

	*any = isnull;
	return isnull ? NIL : dmp_text_array_to_list(DatumGetArrayTypePCopy(value));
}

/* reads both tables into CurrentMemoryContext of the caller */
static void
read_tables(List **grants, List **defaults)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64 n;

	dmp_spi_connect();
	n = dmp_spi_registry(
		"SELECT grantee::oid, tenants, purposes FROM dmp_internal.context_grant ORDER BY id", NULL,
		true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
	{
		Grant *grant = palloc(sizeof(Grant));

		grant->grantee = (Oid) dmp_spi_int8(i, 1, InvalidOid);
		grant->tenants = list_of(i, 2, &grant->any_tenant);
		grant->purposes = list_of(i, 3, &grant->any_purpose);
		*grants = lappend(*grants, grant);
	}
	n = dmp_spi_registry(
		"SELECT grantee::oid, context::text FROM dmp_internal.context_default ORDER BY id", NULL,
		true);
	MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < n; i++)
	{
		Default *item = palloc(sizeof(Default));

		item->grantee = (Oid) dmp_spi_int8(i, 1, InvalidOid);
		item->context = dmp_spi_text(i, 2);
		*defaults = lappend(*defaults, item);
	}
	dmp_spi_finish();
}

static void
ensure_kept(void)
{
	MemoryContext before;
	uint64 reading;
	List *grants = NIL;
	List *defaults = NIL;
	bool newest = !IsInParallelMode();

	if (kept_generation == generation)
		return;
	kept_generation = 0;
	kept_grants = kept_defaults = NIL;
	if (!find_tables())
		return;
	if (kept_memory == NULL)
		kept_memory =
			AllocSetContextCreate(TopMemoryContext, "dmp context grants", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(kept_memory);
	reading = generation;
	before = MemoryContextSwitchTo(kept_memory);
	if (newest)
		PushActiveSnapshot(GetLatestSnapshot());
	read_tables(&grants, &defaults);
	if (newest)
		PopActiveSnapshot();
	MemoryContextSwitchTo(before);
	kept_grants = grants;
	kept_defaults = defaults;
	/* a parallel plan's snapshot may be old: what it reads is not kept */
	if (newest)
		kept_generation = reading;
}

static List *
add_names(List *to, List *names)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (!dmp_list_has(to, lfirst(lc)))
			to = lappend(to, lfirst(lc));
	}
	return to;
}

DmpClaim
dmp_context_claim(Oid role, bool member, const char *tenant, const char *purpose, List **tenants,
				  List **purposes)
{
	bool tenant_found = tenant == NULL;
	bool purpose_found = purpose == NULL;
	bool together = false;
	ListCell *lc;

	if (tenants != NULL)
		*tenants = *purposes = NIL;
	if ((tenant == NULL && purpose == NULL) || superuser_arg(role))
		return DMP_CLAIM_GRANTED;
	ensure_kept();
	foreach (lc, kept_grants)
	{
		Grant *grant = lfirst(lc);
		bool has_tenant;
		bool has_purpose;

		if (!(member ? is_member_of_role(role, grant->grantee)
					 : has_privs_of_role(role, grant->grantee)))
			continue;
		has_tenant = tenant == NULL || grant->any_tenant || dmp_list_has(grant->tenants, tenant);
		has_purpose =
			purpose == NULL || grant->any_purpose || dmp_list_has(grant->purposes, purpose);
		tenant_found |= has_tenant;
		purpose_found |= has_purpose;
		together |= has_tenant && has_purpose;
		if (tenants != NULL)
		{
			*tenants = add_names(*tenants, grant->tenants);
			*purposes = add_names(*purposes, grant->purposes);
		}
	}
	if (together)
		return DMP_CLAIM_GRANTED;
	if (!tenant_found)
		return DMP_CLAIM_TENANT;
	return purpose_found ? DMP_CLAIM_BOTH : DMP_CLAIM_PURPOSE;
}

const char *
dmp_context_default(Oid role)
{
	const char *inherited = NULL;
	int found = 0;
	ListCell *lc;

	ensure_kept();
	foreach (lc, kept_defaults)
	{
		Default *item = lfirst(lc);

		if (item->grantee == role)
			return item->context;
		/* a superuser has the rights of all roles, which says nothing */
		if (!superuser_arg(role) && has_privs_of_role(role, item->grantee))
		{
			inherited = item->context;
			found++;
		}
	}
	return found == 1 ? inherited : NULL;
}

/* ------------------------------------------------------- acts */

static Oid
given_role(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("role must not be null")));
	return get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
}

/* names of argument arg, sorted and once each; NULL and {*} are NULL: any */
static void
add_given_names(DmpArgs *args, FunctionCallInfo fcinfo, int arg, const char *what)
{
	List *names;
	List *once = NIL;
	ListCell *lc;

	if (PG_ARGISNULL(arg))
	{
		dmp_arg(args, TEXTARRAYOID, (Datum) 0, true);
		return;
	}
	names = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(arg));
	if (list_length(names) == 1 && strcmp(linitial(names), "*") == 0)
	{
		dmp_arg(args, TEXTARRAYOID, (Datum) 0, true);
		return;
	}
	foreach (lc, names)
	{
		const char *name = lfirst(lc);

		if (*name == '\0' || strcmp(name, "*") == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s must be names, or '{*}' alone for any", what)));
		if (!dmp_list_has(once, name))
			once = lappend(once, pstrdup(name));
	}
	dmp_arg_text_array(args, once);
}

/* rows of SPI_tuptable: (oid of role, tenants, purposes) */
static void
return_grants(FunctionCallInfo fcinfo, uint64 n)
{
	for (uint64 i = 0; i < n; i++)
	{
		Datum values[3];
		bool nulls[3] = {false, false, false};
		char *role = GetUserNameFromId((Oid) dmp_spi_int8(i, 1, InvalidOid), true);

		values[0] = DirectFunctionCall1(namein, CStringGetDatum(role ? role : "?"));
		values[1] = dmp_spi_datum(i, 2, &nulls[1]);
		values[2] = dmp_spi_datum(i, 3, &nulls[2]);
		dmp_srf_row(fcinfo, values, nulls);
	}
}

/* tells the audit log; $2 and $3 of args are tenants and purposes, or $2 a context */
static void
log_act(const char *act, const char *role, const char *rest, DmpArgs *args)
{
	DmpArgs all = *args;

	dmp_arg_text(&all, act);
	dmp_arg_text(&all, role);
	dmp_spi_registry(psprintf("SELECT jsonb_build_object('act', $%d, 'role', $%d%s)::text",
							  all.n - 1, all.n, rest),
					 &all, false);
	dmp_audit_event(InvalidOid, 'G', dmp_spi_text(0, 1));
}

#define SAME_GRANT \
	"grantee::oid = $1 AND tenants IS NOT DISTINCT FROM $2 AND purposes IS NOT DISTINCT FROM $3"

/* dmp.grant_context(role, tenants, purposes): the same again changes nothing */
Datum
dmp_grant_context(PG_FUNCTION_ARGS)
{
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_oid(&args, given_role(fcinfo));
	add_given_names(&args, fcinfo, 1, "tenants");
	add_given_names(&args, fcinfo, 2, "purposes");
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	n = dmp_spi_registry("SELECT grantee::oid, tenants, purposes FROM dmp_internal.context_grant "
						 "WHERE " SAME_GRANT,
						 &args, false);
	if (n == 0)
	{
		dmp_arg_oid(&args, GetUserId());
		n = dmp_spi_registry("INSERT INTO dmp_internal.context_grant "
							 "(grantee, tenants, purposes, granted_by) VALUES ($1, $2, $3, $4) "
							 "RETURNING grantee::oid, tenants, purposes",
							 &args, false);
		return_grants(fcinfo, n);
		log_act("grant_context", NameStr(*PG_GETARG_NAME(0)), ", 'tenants', $2, 'purposes', $3",
				&args);
	}
	else
		return_grants(fcinfo, n);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* dmp.revoke_context(role[, tenants, purposes]): the grants taken back, none is no error */
Datum
dmp_revoke_context(PG_FUNCTION_ARGS)
{
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_oid(&args, given_role(fcinfo));
	add_given_names(&args, fcinfo, 1, "tenants");
	add_given_names(&args, fcinfo, 2, "purposes");
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
	{
		args.n = 1;
		n = dmp_spi_registry("DELETE FROM dmp_internal.context_grant WHERE grantee::oid = $1 "
							 "RETURNING grantee::oid, tenants, purposes",
							 &args, false);
	}
	else
		n = dmp_spi_registry("DELETE FROM dmp_internal.context_grant WHERE " SAME_GRANT
							 " RETURNING grantee::oid, tenants, purposes",
							 &args, false);
	return_grants(fcinfo, n);
	if (n > 0)
		log_act("revoke_context", NameStr(*PG_GETARG_NAME(0)),
				args.n == 1 ? "" : ", 'tenants', $2, 'purposes', $3", &args);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* dmp.set_default_context(role, context): claims the role was granted; NULL takes it away */
Datum
dmp_set_default_context(PG_FUNCTION_ARGS)
{
	Oid role = given_role(fcinfo);
	DmpArgs args = {0};
	char *json = NULL;

	if (!PG_ARGISNULL(1))
	{
		DmpContext context = dmp_context_read(dmp_doc_from_jsonb(PG_GETARG_DATUM(1), "context"));

		dmp_context_check(role, false, &context);
		json = dmp_context_json(&context);
	}
	dmp_arg_oid(&args, role);
	dmp_spi_connect();
	dmp_spi_registry("DELETE FROM dmp_internal.context_default WHERE grantee::oid = $1", &args,
					 false);
	if (json != NULL)
	{
		dmp_arg_text(&args, json);
		dmp_arg_oid(&args, GetUserId());
		dmp_spi_registry("INSERT INTO dmp_internal.context_default (grantee, context, granted_by) "
						 "VALUES ($1, $2::jsonb, $3)",
						 &args, false);
	}
	log_act("set_default_context", NameStr(*PG_GETARG_NAME(0)),
			json ? ", 'context', $2::jsonb" : "", &args);
	dmp_spi_finish();
	PG_RETURN_VOID();
}
