/*-------------------------------------------------------------------------
 * coverage.c
 *		dmp.audit_coverage(): windows in which the log may lack something.
 *
 * Two questions. Are the triggers there, on every partition, and do they
 * fire whatever the session says? That is asked of the catalogs, and holds
 * for the moment. And does the log explain the table? The content of each
 * table at the last check, moved by what the log says since, must be its
 * content now: if not, rows were changed in between by a way that is not
 * logged, whether or not anything shows how. Table and log are read in one
 * snapshot, so what runs meanwhile is in both or in neither.
 *
 * A check reads each table and the log since the last one. It leaves a mark
 * to start from (dmp_internal.audit_check) and what it found
 * (dmp_internal.audit_gap); on a standby it only tells.
 *-------------------------------------------------------------------------
 */
#include "govern/coverage.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_audit_coverage);

/* $1: relations that dmp.audit was called with */
#define PROBLEMS                                                                                   \
	"WITH a AS (SELECT a.relation::oid AS relation, a.root::oid AS root, a.since "                 \
	"FROM dmp_internal.audited AS a JOIN pg_class AS c ON c.oid = a.relation::oid "                \
	"WHERE a.root::oid = ANY ($1)), "                                                              \
	"n (name, kind, function) AS (VALUES ('dmp_audit_insert', 4, 'audit_rows'), "                  \
	"('dmp_audit_update', 16, 'audit_rows'), ('dmp_audit_delete', 8, 'audit_rows'), "              \
	"('dmp_audit_truncate', 34, 'audit_truncate')), "                                              \
	"f AS (SELECT a.relation, a.root, CASE "                                                       \
	"WHEN t.oid IS NULL THEN format('trigger %s is not there', n.name) "                           \
	"WHEN t.tgtype <> n.kind OR t.tgqual IS NOT NULL OR p.proname <> n.function "                  \
	"OR p.pronamespace <> 'dmp_internal'::regnamespace "                                           \
	"THEN format('trigger %s is not the one of dmp.audit', n.name) "                               \
	"WHEN t.tgenabled = 'D' THEN format('trigger %s is disabled', n.name) "                        \
	"WHEN t.tgenabled <> 'A' THEN format('trigger %s is not ENABLE ALWAYS', n.name) END AS "       \
	"reason "                                                                                      \
	"FROM a CROSS JOIN n LEFT JOIN pg_trigger AS t ON t.tgrelid = a.relation AND t.tgname = "      \
	"n.name "                                                                                      \
	"AND NOT t.tgisinternal LEFT JOIN pg_proc AS p ON p.oid = t.tgfoid "                           \
	"UNION ALL SELECT t.relid::oid, r.root, 'the partition is not audited' "                       \
	"FROM a AS r, pg_partition_tree(r.root) AS t "                                                 \
	"WHERE r.relation = r.root AND t.relid::oid NOT IN (SELECT a.relation FROM a) "                \
	"UNION ALL SELECT a.relation, a.root, 'a subscription writes to it, which fires no statement " \
	"trigger' "                                                                                    \
	"FROM a JOIN pg_subscription_rel AS s ON s.srrelid = a.relation), "                            \
	"problem AS (SELECT f.relation, f.reason, coalesce((SELECT k.at FROM "                         \
	"dmp_internal.audit_check AS k "                                                               \
	"WHERE k.root::oid = f.root), (SELECT min(a.since) FROM a WHERE a.root = f.root)) AS since "   \
	"FROM f WHERE f.reason IS NOT NULL) "

/* one check at a time leaves marks; others only tell */
static bool
take_turn(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, NamespaceRelationId,
					   get_namespace_oid("dmp_internal", false), 2);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* tables that dmp.audit was called with, of those the caller owns, as oid[] */
static Datum
find_roots(List **roots)
{
	uint64 i, n;
	Datum *items;
	int kept = 0;

	/* as the caller: row policies of the register say what is theirs */
	n = dmp_spi(
		"SELECT DISTINCT root::pg_catalog.oid FROM dmp_internal.audited "
		"WHERE relation::pg_catalog.oid OPERATOR(pg_catalog.=) root::pg_catalog.oid ORDER BY 1",
		NULL, true);
	items = palloc(sizeof(Datum) * Max(n, 1));
	for (i = 0; i < n; i++)
	{
		bool isnull;
		Oid root = DatumGetObjectId(dmp_spi_datum(i, 1, &isnull));

		if (!OidIsValid(root) || get_rel_name(root) == NULL)
			continue;
		*roots = lappend_oid(*roots, root);
		items[kept++] = ObjectIdGetDatum(root);
	}
	SPI_freetuptable(SPI_tuptable);
	return PointerGetDatum(construct_array(items, kept, OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

/* gaps that are open now begin or go on, others end */
static void
record_problems(Datum roots)
{
	DmpArgs args = {0};

	dmp_arg(&args, OIDARRAYOID, roots, false);
	dmp_spi_registry(
		PROBLEMS
		"INSERT INTO dmp_internal.audit_gap (relation, relation_name, gap_from, reason) "
		"SELECT p.relation::dmp_internal.relation, p.relation::regclass::text, p.since, p.reason "
		"FROM problem AS p WHERE NOT EXISTS (SELECT FROM dmp_internal.audit_gap AS g "
		"WHERE g.relation::oid = p.relation AND g.reason = p.reason AND g.gap_to IS NULL)",
		&args, false);
	dmp_spi_registry(
		PROBLEMS
		"UPDATE dmp_internal.audit_gap AS g SET gap_to = clock_timestamp() "
		"WHERE g.gap_to IS NULL AND EXISTS (SELECT FROM a WHERE a.relation = g.relation::oid) "
		"AND NOT EXISTS (SELECT FROM problem AS p "
		"WHERE p.relation = g.relation::oid AND p.reason = g.reason)",
		&args, false);
}

static void
write_content(const DmpContent *content, unsigned char *bytes)
{
	int i;

	for (i = 0; i < DMP_CONTENT_BYTES; i++)
		bytes[i] = (unsigned char) (content->sum[i / 8] >> 8 * (i % 8));
}

/* the mark that the last check left; false: none */
static bool
read_check(Oid root, DmpContentMark *mark, TimestampTz *at, char **columns, DmpContent *content)
{
	DmpArgs args = {0};
	struct varlena *bytes;
	bool isnull;
	int i;

	memset(content, 0, sizeof(DmpContent));
	dmp_arg_oid(&args, root);
	if (dmp_spi_registry(
			"SELECT cluster, snapshot, at, columns, rows, content, own::text, last_chunk "
			"FROM dmp_internal.audit_check WHERE root::oid = $1 ORDER BY at DESC LIMIT 1",
			&args, true) == 0)
		return false;
	mark->cluster = (int32) dmp_spi_int8(0, 1, 0);
	mark->snapshot = SPI_datumTransfer(dmp_spi_datum(0, 2, &isnull), false, -1);
	*at = DatumGetTimestampTz(dmp_spi_datum(0, 3, &isnull));
	*columns = dmp_spi_text(0, 4);
	content->rows = dmp_spi_int8(0, 5, 0);
	mark->own = dmp_spi_text(0, 7) ? strtou64(dmp_spi_text(0, 7), NULL, 10) : 0;
	mark->last_chunk = dmp_spi_int8(0, 8, 0);
	bytes = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(0, 6, &isnull));
	for (i = 0; i < DMP_CONTENT_BYTES && i < VARSIZE_ANY_EXHDR(bytes); i++)
		content->sum[i / 8] |= (uint64) (unsigned char) VARDATA_ANY(bytes)[i] << 8 * (i % 8);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

static void
write_check(Oid root, const DmpContentMark *mark, const char *columns, const DmpContent *content)
{
	DmpArgs args = {0};
	bytea *bytes = palloc(VARHDRSZ + DMP_CONTENT_BYTES);

	SET_VARSIZE(bytes, VARHDRSZ + DMP_CONTENT_BYTES);
	write_content(content, (unsigned char *) VARDATA(bytes));
	dmp_arg_oid(&args, root);
	dmp_spi_registry("DELETE FROM dmp_internal.audit_check WHERE root::oid = $1", &args, false);
	dmp_arg_int4(&args, mark->cluster);
	dmp_arg(&args, PG_SNAPSHOTOID, mark->snapshot, false);
	dmp_arg_text(&args, columns);
	dmp_arg_int8(&args, content->rows);
	dmp_arg(&args, BYTEAOID, PointerGetDatum(bytes), false);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(FullTransactionIdFromU64(mark->own)),
			mark->own == 0);
	dmp_arg_int8(&args, mark->last_chunk);
	dmp_spi_registry(
		"INSERT INTO dmp_internal.audit_check (root, cluster, snapshot, at, "
		"columns, rows, content, own, last_chunk) "
		"VALUES ($1::dmp_internal.relation, $2, $3, clock_timestamp(), $4, $5, $6, $7, $8)",
		&args, false);
}

/* why the log does not explain the content that was found; NULL: it does */
static char *
compare(const DmpContent *now, const DmpContent *expected)
{
	if (expected->other_columns)
		return "its columns changed; what that did to its rows is not in the log";
	if (expected->erased > 0)
		return psprintf(INT64_FORMAT
						" entries were erased: the log no longer says what they changed",
						expected->erased);
	if (expected->truncated)
		return "a partition was truncated and its rows were not kept";
	if (now->rows != expected->rows)
		return psprintf("it has " INT64_FORMAT " rows, by the log " INT64_FORMAT, now->rows,
						expected->rows);
	if (memcmp(now->sum, expected->sum, sizeof(now->sum)) != 0)
		return "values changed in a way that is not in the log";
	return NULL;
}

static void
tell(FunctionCallInfo fcinfo, Datum name, Datum from, bool from_null, Datum to, bool to_null,
	 Datum reason)
{
	Datum values[4] = {name, from, to, reason};
	bool nulls[4] = {false, from_null, to_null, false};

	dmp_srf_row(fcinfo, values, nulls);
}

/* record: whether the result is kept; a gap that is not is told at once */
static void
check_content(FunctionCallInfo fcinfo, Oid root, const DmpContentMark *here, bool record)
{
	DmpContent now, expected;
	DmpContentMark mark;
	TimestampTz at;
	char *before, *columns = dmp_content_columns(root);
	char *reason = NULL;
	bool known = read_check(root, &mark, &at, &before, &expected);

	dmp_content_scan(root, &now);
	if (known && strcmp(before, columns) != 0)
		reason = "its columns changed; what that did to its rows is not in the log";
	else if (known)
	{
		dmp_content_follow(root, columns, &mark, &expected);
		reason = compare(&now, &expected);
	}
	if (reason && record)
	{
		DmpArgs args = {0};

		dmp_arg_oid(&args, root);
		dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(at), false);
		dmp_arg_text(&args, reason);
		dmp_spi_registry(
			"INSERT INTO dmp_internal.audit_gap (relation, relation_name, gap_from, gap_to, "
			"reason) "
			"VALUES ($1::dmp_internal.relation, $1::regclass::text, $2, clock_timestamp(), $3)",
			&args, false);
	}
	else if (reason)
		tell(fcinfo, CStringGetTextDatum(dmp_relation_name(root)), TimestampTzGetDatum(at), false,
			 TimestampTzGetDatum(GetCurrentTimestamp()), false, CStringGetTextDatum(reason));
	if (record)
		write_check(root, here, columns, &now);
}

/*
 * Audited tables that are no more, to those who have the rights of the owner
 * they had: nothing is logged when a table is dropped, and one that is made
 * again under its name is another one. dmp.unaudit() before tells that it is
 * meant.
 */
static void
tell_dropped(FunctionCallInfo fcinfo)
{
	uint64 i, n;

	n = dmp_spi_registry(
		"SELECT coalesce((SELECT s.relation_name FROM dmp_internal.audit_shape AS s "
		"WHERE s.relation::oid = a.relation::oid ORDER BY s.id DESC LIMIT 1), '-'), "
		"coalesce((SELECT max(k.at) FROM dmp_internal.audit_check AS k "
		"WHERE k.root::oid = a.root::oid), a.since), a.owner::oid "
		"FROM dmp_internal.audited AS a WHERE a.relation::oid <> 0 AND NOT EXISTS "
		"(SELECT FROM pg_class AS c WHERE c.oid = a.relation::oid) ORDER BY 1, 2",
		NULL, true);
	for (i = 0; i < n; i++)
	{
		bool isnull;

		if (has_privs_of_role(GetUserId(), (Oid) dmp_spi_int8(i, 3, InvalidOid)))
			tell(fcinfo, dmp_spi_datum(i, 1, &isnull), dmp_spi_datum(i, 2, &isnull), false,
				 (Datum) 0, true, CStringGetTextDatum("the table was dropped"));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* dmp.audit_coverage() -> (relation, gap_from, gap_to, reason) */
Datum
dmp_audit_coverage(PG_FUNCTION_ARGS)
{
	bool record = !RecoveryInProgress() && !XactReadOnly && !IsInParallelMode();
	List *roots = NIL;
	DmpContentMark here = {0};
	Datum array;
	DmpArgs args = {0};
	ListCell *lc;
	bool isnull;
	uint64 i, n;

	dmp_srf_begin(fcinfo);
	record = record && take_turn();
	dmp_spi_connect();
	dmp_spi_registry(
		"SELECT pg_current_snapshot(), pg_current_xact_id_if_assigned()::text, s.last_value "
		"FROM dmp_internal.audit_chunk_id AS s",
		NULL, true);
	here.snapshot = SPI_datumTransfer(dmp_spi_datum(0, 1, &isnull), false, -1);
	here.own = dmp_spi_text(0, 2) ? strtou64(dmp_spi_text(0, 2), NULL, 10) : 0;
	here.last_chunk = dmp_spi_int8(0, 3, 0);
	if (record)
		here.cluster = dmp_cluster_id();
	array = find_roots(&roots);
	if (record)
		record_problems(array);
	foreach (lc, roots)
		check_content(fcinfo, lfirst_oid(lc), &here, record);
	dmp_arg(&args, OIDARRAYOID, array, false);
	n = dmp_spi_registry(
		record ? "SELECT g.relation_name, g.gap_from, g.gap_to, g.reason FROM "
				 "dmp_internal.audit_gap AS g "
				 "WHERE g.relation::oid = ANY ($1) OR g.relation::oid IN (SELECT a.relation::oid "
				 "FROM dmp_internal.audited AS a WHERE a.root::oid = ANY ($1)) "
				 "OR g.relation::oid IN (SELECT t.relid FROM unnest($1) AS r (root), "
				 "pg_partition_tree(r.root) AS t) "
				 "ORDER BY g.gap_from, g.relation_name, g.reason"
			   : PROBLEMS "SELECT p.relation::regclass::text, p.since, NULL::timestamptz, p.reason "
						  "FROM problem AS p "
						  "UNION SELECT g.relation_name, g.gap_from, g.gap_to, g.reason FROM "
						  "dmp_internal.audit_gap AS g "
						  "WHERE g.relation::oid = ANY ($1) OR g.relation::oid IN (SELECT "
						  "a.relation FROM a) ORDER BY 2, 1, 4",
		&args, !record);
	for (i = 0; i < n; i++)
	{
		Datum values[4];
		bool nulls[4];
		int c;

		for (c = 0; c < 4; c++)
			values[c] = dmp_spi_datum(i, c + 1, &nulls[c]);
		dmp_srf_row(fcinfo, values, nulls);
	}
	SPI_freetuptable(SPI_tuptable);
	tell_dropped(fcinfo);
	dmp_spi_finish();
	return (Datum) 0;
}
