/*-------------------------------------------------------------------------
 * subject_derived.c
 *		What an erasure leaves of values elsewhere: materialized views,
 *		statistics. And its certificate.
 *-------------------------------------------------------------------------
 */
#include "govern/subject_erase.h"

#include "catalog/heap.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "common/hmac.h"
#include "govern/audit.h"
#include "govern/secret.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#define HINT(text) "{\"hint\": \"" text "\"}"

static bool
owns(Oid relid)
{
	return pg_class_ownercheck(relid, GetUserId());
}

static DmpArgs
oids_argument(List *oids)
{
	DmpArgs args = {0};
	int n = list_length(oids);
	Datum *items = palloc(sizeof(Datum) * (n + 1));
	ListCell *lc;

	foreach (lc, oids)
		items[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	dmp_arg(&args, OIDARRAYOID,
			PointerGetDatum(construct_array(items, n, OIDOID, sizeof(Oid), true, TYPALIGN_INT)),
			false);
	return args;
}

static List *
oids_of_result(uint64 n)
{
	List *list = NIL;

	for (uint64 i = 0; i < n; i++)
		list = lappend_oid(list, (Oid) dmp_spi_int8(i, 1, 0));
	return list;
}

#define UP_FROM_CHANGED                                      \
	"WITH RECURSIVE start (oid) AS (SELECT unnest($1) UNION" \
	" SELECT i.inhparent FROM start s JOIN pg_inherits i ON i.inhrelid = s.oid)"

/* views upon views upon the tables whose rows change, nearest first */
static List *
materialized_views(SubjectPlan *plan)
{
	DmpArgs args = oids_argument(plan->changed);

	return oids_of_result(dmp_spi_registry(
		UP_FROM_CHANGED
		", up (oid, depth) AS (SELECT oid, 0 FROM start UNION"
		" SELECT r.ev_class, u.depth + 1 FROM up u JOIN pg_depend d"
		" ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.oid"
		" AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite r ON r.oid = d.objid"
		" WHERE r.ev_class <> u.oid)"
		" SELECT c.oid FROM up u JOIN pg_class c ON c.oid = u.oid"
		" WHERE c.relkind = 'm' AND c.relispopulated GROUP BY c.oid ORDER BY max(u.depth), c.oid",
		&args, true));
}

/* of these tables and their parents, those of which statistics are kept */
static List *
with_statistics(List *tables)
{
	DmpArgs args = oids_argument(tables);

	return oids_of_result(dmp_spi_registry(
		UP_FROM_CHANGED " SELECT oid FROM start WHERE EXISTS (SELECT FROM pg_statistic s"
						" WHERE s.starelid = oid) OR EXISTS (SELECT FROM pg_statistic_ext x"
						" WHERE x.stxrelid = oid) ORDER BY oid",
		&args, true));
}

/* the months of the audit log: their columns of bytes may be in statistics too */
static List *
log_tables(void)
{
	return oids_of_result(
		dmp_spi_registry("SELECT i.inhrelid FROM pg_inherits i"
						 " WHERE i.inhparent = 'dmp_internal.audit_chunk'::regclass",
						 NULL, true));
}

/*
 * Statistics hold common values and bounds of histograms. ANALYZE makes them
 * anew, but leaves them when the table has no rows any more.
 */
static void
renew_statistics(Oid relid)
{
	DmpArgs args = {0};
	uint64 n;

	RemoveStatistics(relid, 0);
	dmp_arg_oid(&args, relid);
	n = dmp_spi_registry("SELECT x.oid, d.stxdinherit FROM pg_statistic_ext x"
						 " JOIN pg_statistic_ext_data d ON d.stxoid = x.oid WHERE x.stxrelid = $1",
						 &args, true);
	for (uint64 i = 0; i < n; i++)
		RemoveStatisticsDataById((Oid) dmp_spi_int8(i, 1, 0), dmp_spi_bool(i, 2, false));
	if (owns(relid))
		dmp_spi(psprintf("ANALYZE %s", dmp_relation_name(relid)), NULL, false);
}

/* statistics of tables, told or made anew; own: of dmp, with the rights of its owner */
static void
derive_statistics(SubjectPlan *plan, List *tables, bool own, bool dry_run)
{
	ListCell *lc;

	foreach (lc, tables)
	{
		Oid relid = lfirst_oid(lc);
		DmpIdentity saved;

		if (own)
			dmp_identity_begin(&saved);
		dmp_subject_act(plan, dmp_relation_name(relid), "analyze", -1)->detail =
			owns(relid) ? NULL : HINT("statistics are dropped: let its owner ANALYZE it");
		if (!dry_run)
			renew_statistics(relid);
		if (own)
			dmp_identity_end(&saved);
	}
}

void
dmp_subject_derived(SubjectPlan *plan, bool log_changed, bool dry_run)
{
	List *views = materialized_views(plan);
	ListCell *lc;

	foreach (lc, views)
	{
		Oid view = lfirst_oid(lc);
		char *name = dmp_relation_name(view);
		bool possible = owns(view);

		if (possible && !dry_run)
		{
			dmp_spi(psprintf("REFRESH MATERIALIZED VIEW %s", name), NULL, false);
			renew_statistics(view);
		}
		dmp_subject_act(plan, name, possible ? "refresh" : "remains", -1)->detail =
			possible ? NULL : HINT("refresh it as its owner");
	}
	derive_statistics(plan, with_statistics(plan->changed), false, dry_run);
	if (log_changed)
		plan->own = list_concat_unique_oid(plan->own, log_tables());
	derive_statistics(plan, with_statistics(plan->own), true, dry_run);
}

char *
dmp_subject_hash(const char *value)
{
	uint8 key[DMP_KEY_BYTES];
	uint8 hash[DMP_KEY_BYTES];
	pg_hmac_ctx *hmac = dmp_hmac_make();
	char *hex = palloc(2 * DMP_KEY_BYTES + 1);

	dmp_secret("subject", key);
	dmp_hmac_begin(hmac, key);
	dmp_hmac_add_text(hmac, value, strlen(value));
	dmp_hmac_end(hmac, hash);
	pg_hmac_free(hmac);
	for (int i = 0; i < DMP_KEY_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return hex;
}

int64
dmp_subject_event(SubjectPlan *plan)
{
	StringInfoData json;
	ListCell *lc;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"subject\": \"%s\", \"acts\": [", plan->hash);
	foreach (lc, plan->acts)
	{
		SubjectAct *act = lfirst(lc);

		appendStringInfo(&json, "%s{\"object\": ", foreach_current_index(lc) ? ", " : "");
		escape_json(&json, act->object);
		appendStringInfoString(&json, ", \"action\": ");
		escape_json(&json, act->action);
		if (act->rows >= 0)
			appendStringInfo(&json, ", \"rows\": %lld", (long long) act->rows);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, "]}");
	return dmp_audit_event(InvalidOid, 'E', json.data);
}
