/*-------------------------------------------------------------------------
 * consent.c
 *		dmp.record_consent(): who consents to which purpose, with its history.
 *
 * dmp_internal.consent has a row for each act and is never changed (erasure
 * puts a keyed hash in the place of the subject); dmp_internal.consent_state
 * has what holds now, for policies. Two acts on the same subject and purpose
 * wait for each other, so that the last of the history is what holds.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "govern/audit.h"
#include "govern/tag.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

PG_FUNCTION_INFO_V1(dmp_record_consent);
PG_FUNCTION_INFO_V1(dmp_consent_purpose);

/* keys of indexes are at most 2704 bytes, compressed or not */
#define LONGEST_SUBJECT 1024

/* waits until no other transaction records consent of the subject to the purpose */
static void
lock_consent(const char *subject, const char *purpose)
{
	uint64 hash = hash_bytes_extended((const unsigned char *) subject, strlen(subject), 0);

	hash = hash_bytes_extended((const unsigned char *) purpose, strlen(purpose), hash);
	dmp_lock_hash(hash);
}

static void
check_length(const char *value, const char *name)
{
	if (value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not be empty", name)));
	if (strlen(value) > LONGEST_SUBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s is too long", name),
						errdetail("It has %zu bytes, at most %d are taken.", strlen(value),
								  LONGEST_SUBJECT)));
}

/* the act as an entry of the audit log */
static int64
log_consent(FunctionCallInfo fcinfo, const char *subject, const char *purpose)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"subject\": ");
	escape_json(&json, subject);
	appendStringInfoString(&json, ", \"purpose\": ");
	escape_json(&json, purpose);
	appendStringInfo(&json, ", \"granted\": %s", PG_GETARG_BOOL(2) ? "true" : "false");
	if (!PG_ARGISNULL(3))
		appendStringInfo(&json, ", \"evidence\": %s",
						 DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(3))));
	appendStringInfoChar(&json, '}');
	return dmp_audit_event(InvalidOid, 'C', json.data);
}

/* dmp.record_consent(subject, purpose, granted, evidence DEFAULT NULL) */
Datum
dmp_record_consent(PG_FUNCTION_ARGS)
{
	char *subject = dmp_given_text(fcinfo, 0, "subject");
	char *purpose = dmp_given_text(fcinfo, 1, "purpose");
	DmpArgs args = {0};

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", "granted"),
				 errhint("What is not known is no consent: false.")));
	check_length(subject, "subject");
	check_length(purpose, "purpose");
	lock_consent(subject, purpose);
	dmp_arg_text(&args, subject);
	dmp_arg_text(&args, purpose);
	dmp_arg_bool(&args, PG_GETARG_BOOL(2));
	dmp_arg(&args, JSONBOID, PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3), PG_ARGISNULL(3));
	dmp_arg_oid(&args, GetUserId());
	dmp_arg_int8(&args, log_consent(fcinfo, subject, purpose));
	dmp_spi_connect();
	/* the time is read behind the lock: the order of the history is that of the times */
	dmp_spi_registry(
		"WITH act AS (INSERT INTO dmp_internal.consent"
		" (subject, purpose, granted, evidence, recorded_at, recorded_by, entry)"
		" VALUES ($1, $2, $3, $4, clock_timestamp(), $5, $6) RETURNING recorded_at)"
		" INSERT INTO dmp_internal.consent_state AS s (subject, purpose, granted, since)"
		" SELECT $1, $2, $3, recorded_at FROM act"
		" ON CONFLICT (purpose, subject) DO UPDATE SET granted = excluded.granted,"
		" since = CASE WHEN s.granted = excluded.granted THEN s.since ELSE excluded.since END",
		&args, false);
	dmp_spi_finish();
	PG_RETURN_VOID();
}

/* dmp_internal.consent_purpose(): NULL when the context names none */
Datum
dmp_consent_purpose(PG_FUNCTION_ARGS)
{
	const DmpContext *context = dmp_context();

	if (context->purpose == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(context->purpose));
}
