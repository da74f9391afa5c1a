/*-------------------------------------------------------------------------
 * context.c
 *		Actor, purpose, tenant and request of a transaction.
 *
 * The context is a setting, because settings reach parallel workers, follow
 * savepoints and end with their transaction. Nobody can SET it, a superuser
 * neither: its check hook takes a value only from dmp.set_context() of this
 * backend, from the leader of a parallel plan, or the empty one. So neither
 * SET, set_config, PGOPTIONS, ALTER ROLE nor a value put there before the
 * library was loaded makes a context.
 *
 * Claims (tenant and purpose) are checked against the role of the session,
 * the role that SET ROLE chose and the role that runs (another in a SECURITY
 * DEFINER function): each of the three must have been granted them. So such
 * a function lends its owner's claims to nobody.
 *
 * A context is bound to the two roles of the session at which it was set.
 * After SET ROLE it does not hold, and holds again after the way back. When
 * what roles were granted changes, claims are checked anew: what was revoked
 * ends with the statement.
 *-------------------------------------------------------------------------
 */
#include "govern/context.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_set_context);
PG_FUNCTION_INFO_V1(dmp_context_now);

static char *context_setting;
/* dmp.set_context() is writing */
static bool writing;

/* the context that holds, taken apart, for these roles and grants */
static struct
{
	bool valid;
	Oid session;
	Oid outer;
	uint64 generation;
	uint64 hash;
	DmpContext context;
} current;
static MemoryContext current_memory;

static const char *const context_keys[] = {"actor", "tenant", "purpose", "request", NULL};

/* ------------------------------------------------------- the setting */

static bool
context_check(char **value, void **extra, GucSource source)
{
	if (*value == NULL || **value == '\0' || writing || InitializingParallelWorker)
		return true;
	GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
	GUC_check_errmsg("parameter \"dmp.context\" cannot be set");
	GUC_check_errhint("Use dmp.set_context().");
	return false;
}

static void
context_assign(const char *value, void *extra)
{
	current.valid = false;
}

void
dmp_context_init(void)
{
	DefineCustomStringVariable("dmp.context",
							   "Actor, purpose, tenant and request of this transaction.",
							   "Written by dmp.set_context().", &context_setting, "", PGC_SUSET,
							   GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							   context_check, context_assign, NULL);
	dmp_context_grant_init();
}

/* ------------------------------------------------------- documents */

/* a string, or a number as it is written: tenants are often numbers */
static char *
claim(const DmpDoc *doc, const char *key)
{
	DmpDoc *item = dmp_doc_get(doc, key);

	if (item == NULL || item->kind == DMP_DOC_NULL)
		return NULL;
	if (item->kind == DMP_DOC_ARRAY)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("context: \"%s\" must be one value, not an array", key),
						errhint("A transaction acts for one tenant and one purpose at a time.")));
	if (item->kind != DMP_DOC_STRING && item->kind != DMP_DOC_NUMBER)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("context: \"%s\" must be a string, not %s", key,
							   dmp_doc_kind_name(item->kind))));
	return item->text;
}

DmpContext
dmp_context_read(const DmpDoc *doc)
{
	DmpContext context;

	dmp_doc_check_keys(doc, "context", context_keys);
	context.actor = claim(doc, "actor");
	context.tenant = claim(doc, "tenant");
	context.purpose = claim(doc, "purpose");
	context.request = claim(doc, "request");
	return context;
}

static void
add_member(StringInfo json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, "%s\"%s\": ", json->len > 1 ? ", " : "", key);
	escape_json(json, value);
}

static void
add_members(StringInfo json, const DmpContext *context)
{
	appendStringInfoChar(json, '{');
	add_member(json, "actor", context->actor);
	add_member(json, "tenant", context->tenant);
	add_member(json, "purpose", context->purpose);
	add_member(json, "request", context->request);
}

char *
dmp_context_json(const DmpContext *context)
{
	StringInfoData json;

	initStringInfo(&json);
	add_members(&json, context);
	if (json.len == 1)
		return NULL;
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* ------------------------------------------------------- reading it */

/* the roles a context was set at, as they stand in the setting */
static char *
bound_to(void)
{
	return psprintf("%u/%u", GetSessionUserId(), GetOuterUserId());
}

static bool
granted(const DmpContext *context)
{
	/* the leader has checked; a worker sees the same setting */
	if (IsParallelWorker())
		return true;
	return dmp_context_claim(GetSessionUserId(), true, context->tenant, context->purpose, NULL,
							 NULL) == DMP_CLAIM_GRANTED &&
		   dmp_context_claim(GetOuterUserId(), false, context->tenant, context->purpose, NULL,
							 NULL) == DMP_CLAIM_GRANTED;
}

/* what the setting says, else the default of the role */
static DmpContext
context_of_roles(void)
{
	DmpContext context = {0};
	const char *text;
	DmpDoc *doc;

	if (context_setting && *context_setting)
	{
		char *roles;

		doc = dmp_doc_parse(context_setting, "context");
		roles = dmp_doc_string(doc, "roles", "", "context");
		context.actor = dmp_doc_string(doc, "actor", NULL, "context");
		context.request = dmp_doc_string(doc, "request", NULL, "context");
		if (strcmp(roles, bound_to()) == 0)
		{
			context.tenant = dmp_doc_string(doc, "tenant", NULL, "context");
			context.purpose = dmp_doc_string(doc, "purpose", NULL, "context");
		}
		/* who acts is so after SET ROLE too; claims are not */
		if (!granted(&context))
			context.tenant = context.purpose = NULL;
		return context;
	}
	text = dmp_context_default(GetOuterUserId());
	if (text == NULL)
		return context;
	context = dmp_context_read(dmp_doc_parse(text, "context"));
	if (!granted(&context))
		context.tenant = context.purpose = NULL;
	return context;
}

static uint64
hash_context(const DmpContext *context)
{
	const char *const parts[] = {context->actor, context->tenant, context->purpose,
								 context->request};
	uint64 hash = 0;

	for (int i = 0; i < lengthof(parts); i++)
	{
		if (parts[i] != NULL)
			hash = hash_bytes_extended((const unsigned char *) parts[i], strlen(parts[i]),
									   hash + i + 1);
	}
	return hash;
}

uint64
dmp_context_hash(void)
{
	return current.hash;
}

const DmpContext *
dmp_context(void)
{
	MemoryContext before;
	DmpContext read;

	/* a transaction that has all its locks hears of nothing by itself, a revoked claim neither */
	AcceptInvalidationMessages();
	if (current.valid && current.session == GetSessionUserId() &&
		current.outer == GetOuterUserId() && current.generation == dmp_context_generation())
		return &current.context;
	current.valid = false;
	if (!current_memory)
		current_memory =
			AllocSetContextCreate(TopMemoryContext, "dmp context", ALLOCSET_SMALL_SIZES);
	current.generation = dmp_context_generation();
	MemoryContextReset(current_memory);
	before = MemoryContextSwitchTo(current_memory);
	read = context_of_roles();
	MemoryContextSwitchTo(before);
	current.context = read;
	current.hash = hash_context(&read);
	current.session = GetSessionUserId();
	current.outer = GetOuterUserId();
	/* in a parallel plan grants were read by its snapshot, which may be old */
	current.valid = !IsInParallelMode() || IsParallelWorker();
	return &current.context;
}

/* dmp.context(): the context that holds now, as jsonb */
Datum
dmp_context_now(PG_FUNCTION_ARGS)
{
	char *json = dmp_context_json(dmp_context());

	if (json == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
}

/* ------------------------------------------------------- setting it */

void
dmp_context_check(Oid role, bool member, const DmpContext *context)
{
	List *tenants;
	List *purposes;
	char *name = GetUserNameFromId(role, false);

	switch (dmp_context_claim(role, member, context->tenant, context->purpose, &tenants, &purposes))
	{
		case DMP_CLAIM_GRANTED:
			return;
		case DMP_CLAIM_TENANT:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("role \"%s\" may not claim tenant \"%s\"", name, context->tenant),
					 tenants != NIL
						 ? errdetail("Tenants it may claim: %s.", dmp_join(tenants, ", "))
						 : errdetail("It may claim no tenant.")));
			break;
		case DMP_CLAIM_PURPOSE:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("role \"%s\" may not claim purpose \"%s\"", name, context->purpose),
					 purposes != NIL
						 ? errdetail("Purposes it may claim: %s.", dmp_join(purposes, ", "))
						 : errdetail("It may claim no purpose.")));
			break;
		case DMP_CLAIM_BOTH:
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("role \"%s\" may not claim purpose \"%s\" for tenant \"%s\"",
								   name, context->purpose, context->tenant),
							errdetail("It was granted each of the two, but not together.")));
			break;
	}
}

static void
write_setting(const char *value)
{
	writing = true;
	PG_TRY();
	{
		(void) set_config_option("dmp.context", value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
								 true, ERROR, false);
	}
	PG_FINALLY();
	{
		writing = false;
	}
	PG_END_TRY();
}

/*
 * dmp.set_context(context jsonb): holds to the end of the transaction, or of
 * the savepoint that is rolled back. NULL or {} takes it back, so that the
 * default of the role holds again.
 */
Datum
dmp_set_context(PG_FUNCTION_ARGS)
{
	DmpContext context = {0};
	StringInfoData value;

	if (!PG_ARGISNULL(0))
		context = dmp_context_read(dmp_doc_from_jsonb(PG_GETARG_DATUM(0), "context"));
	if (dmp_context_json(&context) == NULL)
	{
		write_setting("");
		PG_RETURN_VOID();
	}
	dmp_context_check(GetSessionUserId(), true, &context);
	dmp_context_check(GetOuterUserId(), false, &context);
	if (GetUserId() != GetOuterUserId())
		dmp_context_check(GetUserId(), false, &context);

	initStringInfo(&value);
	add_members(&value, &context);
	add_member(&value, "roles", bound_to());
	appendStringInfoChar(&value, '}');
	write_setting(value.data);
	if (!IsTransactionBlock())
		ereport(NOTICE, (errmsg("the context holds for this statement only"),
						 errhint("Set it in the transaction that reads: BEGIN first.")));
	PG_RETURN_VOID();
}
