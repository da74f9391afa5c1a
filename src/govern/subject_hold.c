/*-------------------------------------------------------------------------
 * subject_hold.c
 *		Legal holds: what must not be erased.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "common/hashfn.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(dmp_hold_subject);
PG_FUNCTION_INFO_V1(dmp_release_subject);

/* holds and erasures of one subject wait for each other */
void
dmp_subject_lock(const char *subject)
{
	uint64 hash = hash_bytes_extended((const unsigned char *) subject, strlen(subject), 2);

	dmp_lock_hash(hash);
}

/* dmp.hold_subject(subject, reason) */
Datum
dmp_hold_subject(PG_FUNCTION_ARGS)
{
	char *subject = dmp_subject_argument(fcinfo, 0);
	char *reason = dmp_given_text(fcinfo, 1, "reason");
	DmpArgs args = {0};
	int64 hold;

	dmp_subject_lock(subject);
	dmp_arg_text(&args, subject);
	dmp_arg_text(&args, reason);
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_connect();
	dmp_spi_registry("INSERT INTO dmp_internal.subject_hold (subject, reason, held_by)"
					 " VALUES ($1, $2, $3) RETURNING id",
					 &args, false);
	hold = dmp_spi_int8(0, 1, 0);
	dmp_spi_finish();
	PG_RETURN_INT64(hold);
}

/* dmp.release_subject(hold, note DEFAULT NULL): by who laid it, or a member of that role */
Datum
dmp_release_subject(PG_FUNCTION_ARGS)
{
	DmpArgs args = {0};
	int64 hold;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", "hold")));
	hold = PG_GETARG_INT64(0);
	dmp_arg_int8(&args, hold);
	dmp_arg_text(&args, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_connect();
	if (dmp_spi_registry("SELECT held_by::oid, released_at IS NOT NULL, $2, $3"
						 " FROM dmp_internal.subject_hold WHERE id = $1 FOR UPDATE",
						 &args, false) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("hold %lld does not exist", (long long) hold)));
	dmp_check_owner((Oid) dmp_spi_int8(0, 1, 0), "hold", psprintf("%lld", (long long) hold));
	if (dmp_spi_bool(0, 2, false))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("hold %lld is released already", (long long) hold)));
	dmp_spi_registry("UPDATE dmp_internal.subject_hold SET released_at = clock_timestamp(),"
					 " released_by = $3, note = $2 WHERE id = $1",
					 &args, false);
	dmp_spi_finish();
	PG_RETURN_VOID();
}
