/*-------------------------------------------------------------------------
 * subject_request.c
 *		The register of subjects' requests, with deadlines; records of processing.
 *
 * Deadlines, as the laws count them:
 *
 *	gdpr	one month after receipt, two more when extended (Regulation (EU)
 *			2016/679, article 12(3)).
 *	ccpa	45 calendar days, 45 more when extended (California Civil Code
 *			1798.130(a)(2); 11 CCR 7021(b)); to stop sale or sharing, or to
 *			limit use: 15 business days (11 CCR 7026(f), 7027(g)).
 *	pipl	"in time" (Personal Information Protection Law, articles 45 to 50);
 *			the number is of the rules for apps of 2019 (article 6 of the
 *			determination methods): 15 working days, no extension.
 *
 * Working days are Monday to Friday: public holidays are not known, so that a
 * deadline is rather too early than too late.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_open_request);
PG_FUNCTION_INFO_V1(dmp_extend_request);
PG_FUNCTION_INFO_V1(dmp_close_request);
PG_FUNCTION_INFO_V1(dmp_record_processing);

typedef struct Deadline
{
	const char *law;
	const char *kind; /* NULL: any other */
	const char *period;
	int working_days;
	const char *extension;
} Deadline;

static const Deadline deadlines[] = {
	{"gdpr", NULL, "1 month", 0, "2 months"}, {"ccpa", "opt_out", NULL, 15, NULL},
	{"ccpa", "restrict", NULL, 15, NULL},     {"ccpa", NULL, "45 days", 0, "45 days"},
	{"pipl", NULL, NULL, 15, NULL},
};

static const char *const kinds[] = {"know",    "delete",   "correct", "port",
									"opt_out", "restrict", "object",  "withdraw"};

static const Deadline *
deadline_of(const char *law, const char *kind)
{
	int i;

	for (i = 0; i < lengthof(deadlines); i++)
	{
		if (strcmp(deadlines[i].law, law) == 0 &&
			(deadlines[i].kind == NULL || strcmp(deadlines[i].kind, kind) == 0))
			return &deadlines[i];
	}
	return NULL;
}

static void
check_kind(const char *kind)
{
	List *names = NIL;
	int i;

	for (i = 0; i < lengthof(kinds); i++)
		names = lappend(names, pstrdup(kinds[i]));
	if (!dmp_list_has(names, kind))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind of request \"%s\"", kind),
				 errdetail("Kinds: %s.", dmp_join(names, ", ")), dmp_errhint_nearest(kind, names)));
}

/* days are those of the session's time zone */
static const char due_sql[] = "SELECT CASE WHEN $3 > 0 THEN (SELECT max(w.day) FROM (SELECT d.day"
							  " FROM generate_series(1, $3 * 3) i CROSS JOIN LATERAL (SELECT $1 + "
							  "make_interval(days => i)) d (day)"
							  " WHERE extract(isodow FROM d.day) < 6 ORDER BY 1 LIMIT $3) w)"
							  " ELSE $1 + $2::interval END";

/* the time a request that came at received_at is due */
static Datum
due_at(const Deadline *deadline, Datum received_at)
{
	DmpArgs args = {0};
	bool isnull;

	dmp_arg(&args, TIMESTAMPTZOID, received_at, false);
	dmp_arg_text(&args, deadline->period);
	dmp_arg_int4(&args, deadline->working_days);
	dmp_spi_registry(due_sql, &args, true);
	return dmp_spi_datum(0, 1, &isnull);
}

/* dmp.open_request(subject, kind, law, received_at, due_at, note) */
Datum
dmp_open_request(PG_FUNCTION_ARGS)
{
	char *subject = dmp_subject_argument(fcinfo, 0);
	char *kind = dmp_given_text(fcinfo, 1, "kind");
	char *law = dmp_given_text(fcinfo, 2, "law");
	const Deadline *deadline = deadline_of(law, kind);
	Datum received = PG_ARGISNULL(3) ? TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())
									 : PG_GETARG_DATUM(3);
	DmpArgs args = {0};
	int64 request;

	check_kind(kind);
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(received)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("received_at must be finite")));
	if (deadline == NULL && PG_ARGISNULL(4))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("deadline of law \"%s\" is not known", law),
						errhint("Known laws: gdpr, ccpa, pipl. Give due_at for others.")));
	dmp_spi_connect();
	dmp_arg_text(&args, subject);
	dmp_arg_text(&args, kind);
	dmp_arg_text(&args, law);
	dmp_arg(&args, TIMESTAMPTZOID, received, false);
	dmp_arg(&args, TIMESTAMPTZOID,
			PG_ARGISNULL(4) && deadline ? due_at(deadline, received) : PG_GETARG_DATUM(4), false);
	dmp_arg_oid(&args, GetUserId());
	dmp_arg_text(&args, PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5)));
	dmp_spi_registry("INSERT INTO dmp_internal.subject_request"
					 " (subject, kind, law, received_at, due_at, opened_by, note)"
					 " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
					 &args, false);
	request = dmp_spi_int8(0, 1, 0);
	dmp_spi_finish();
	PG_RETURN_INT64(request);
}

/* the open request of the argument, locked; result in SPI_tuptable: law, kind, due_at, extended */
static int64
open_request(FunctionCallInfo fcinfo)
{
	DmpArgs args = {0};
	int64 request;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("%s must not be null", "request")));
	request = PG_GETARG_INT64(0);
	dmp_arg_int8(&args, request);
	if (dmp_spi_registry("SELECT law, kind, due_at, extended, state, opened_by::oid"
						 " FROM dmp_internal.subject_request WHERE id = $1 FOR UPDATE",
						 &args, false) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("request %lld does not exist", (long long) request)));
	dmp_check_owner((Oid) dmp_spi_int8(0, 6, 0), "request", psprintf("%lld", (long long) request));
	if (strcmp(dmp_spi_text(0, 5), "open") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("request %lld is %s already", (long long) request, dmp_spi_text(0, 5))));
	return request;
}

/* dmp.extend_request(request, note) */
Datum
dmp_extend_request(PG_FUNCTION_ARGS)
{
	char *note = dmp_given_text(fcinfo, 1, "note");
	const Deadline *deadline;
	const char *extension;
	DmpArgs args = {0};
	bool isnull;
	Datum due;

	dmp_spi_connect();
	dmp_arg_int8(&args, open_request(fcinfo));
	deadline = deadline_of(dmp_spi_text(0, 1), dmp_spi_text(0, 2));
	if (dmp_spi_bool(0, 4, false))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the deadline was extended already")));
	extension = deadline ? deadline->extension : NULL;
	if (extension == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("law \"%s\" knows no extension of a request of kind \"%s\"",
							   dmp_spi_text(0, 1), dmp_spi_text(0, 2))));
	dmp_arg_text(&args, extension);
	dmp_arg_text(&args, note);
	dmp_spi_registry("UPDATE dmp_internal.subject_request SET due_at = due_at + $2::interval,"
					 " extended = true, note = concat_ws(e'\\n', note, $3) WHERE id = $1"
					 " RETURNING due_at",
					 &args, false);
	due = dmp_spi_datum(0, 1, &isnull);
	dmp_spi_finish();
	PG_RETURN_DATUM(due);
}

/* dmp.close_request(request, state DEFAULT 'done', note DEFAULT NULL) */
Datum
dmp_close_request(PG_FUNCTION_ARGS)
{
	char *state = dmp_given_text(fcinfo, 1, "state");
	DmpArgs args = {0};

	if (strcmp(state, "done") != 0 && strcmp(state, "refused") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid state \"%s\"", state),
				 errhint("It is \"done\" or \"refused\".")));
	dmp_spi_connect();
	dmp_arg_int8(&args, open_request(fcinfo));
	dmp_arg_text(&args, state);
	dmp_arg_text(&args, PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_registry("UPDATE dmp_internal.subject_request SET state = $2, handled_by = $4,"
					 " handled_at = now(), note = concat_ws(e'\\n', note, $3) WHERE id = $1",
					 &args, false);
	dmp_spi_finish();
	PG_RETURN_VOID();
}

/* dmp.record_processing(rel, purpose, legal_basis, subjects, transfers, safeguards) */
Datum
dmp_record_processing(PG_FUNCTION_ARGS)
{
	Oid relid = dmp_tag_relation(fcinfo);
	char *purpose = dmp_given_text(fcinfo, 1, "purpose");
	DmpArgs args = {0};
	int i;

	dmp_check_table_owner(relid);
	dmp_spi_connect();
	dmp_arg_int8(&args, (int64) relid << 16);
	dmp_arg_text(&args, purpose);
	dmp_arg_oid(&args, GetUserId());
	if (PG_ARGISNULL(2))
	{
		if (dmp_spi_registry("DELETE FROM dmp_internal.processing"
							 " WHERE relation::bigint = $1 AND purpose = $2 AND $3 IS NOT NULL",
							 &args, false) == 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("purpose \"%s\" is not recorded for \"%s\"", purpose,
								   get_rel_name(relid))));
		dmp_spi_finish();
		PG_RETURN_VOID();
	}
	for (i = 2; i < 6; i++)
		dmp_arg_text(&args, PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i)));
	dmp_spi_registry(
		"INSERT INTO dmp_internal.processing (relation, purpose, recorded_by, legal_basis,"
		" subjects, transfers, safeguards) VALUES ($1, $2, $3, $4, $5, $6, $7)"
		" ON CONFLICT (purpose, (relation::bigint)) WHERE relation::bigint <> 0"
		" DO UPDATE SET legal_basis = excluded.legal_basis, subjects = excluded.subjects,"
		" transfers = excluded.transfers, safeguards = excluded.safeguards,"
		" recorded_by = excluded.recorded_by, recorded_at = excluded.recorded_at",
		&args, false);
	dmp_spi_finish();
	PG_RETURN_VOID();
}
