/*-------------------------------------------------------------------------
 * audit_partition.c
 *		Partitions of the log, a month each, in UTC.
 *
 * dmp.audit() makes a year of them ahead, and the first statement a session
 * logs in a month makes the next ones when that needs no waiting; both take
 * the lock of ALTER TABLE ATTACH on the log, under which readers and writers
 * go on. Only when the month itself is missing does a writer wait for it.
 * There is no default partition: it would have to be locked and read for
 * each month attached.
 *
 * A partition has row security and no policy: it is read through the log.
 * Whatever default privileges give, its rows are seen by superusers alone.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"
#include "govern/ledger.h"

#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "storage/lmgr.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#define MONTHS_AHEAD 12

/* the partition used last, and the moments it is for */
static Oid known;
static Oid known_log;
static Oid known_sequence;
static int32 known_cluster; /* 0: not asked, or by a transaction that rolled back */
static TimestampTz known_from;
static TimestampTz known_to;

/* months since January of year 0 */
static int
month_of(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t fsec;

	/* without a zone: in UTC */
	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return tm.tm_year * 12 + tm.tm_mon - 1;
}

static TimestampTz
month_begin(int month)
{
	return (TimestampTz) (date2j(month / 12, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE) *
		   USECS_PER_DAY;
}

static char *
month_name(int month)
{
	return psprintf("audit_chunk_%04d_%02d", month / 12, month % 12 + 1);
}

static Oid
log_relation(void)
{
	return get_relname_relid("audit_chunk", get_namespace_oid("dmp_internal", false));
}

/* the partition of a month, or InvalidOid */
static Oid
find_partition(Oid log, int month)
{
	Oid relid = get_relname_relid(month_name(month), get_rel_namespace(log));

	if (!OidIsValid(relid) || !get_rel_relispartition(relid) ||
		get_partition_parent(relid, true) != log)
		return InvalidOid;
	return relid;
}

static void
make_partition(int month)
{
	char *name = month_name(month);
	int level = NewGUCNestLevel();

	/* where the log is kept is not for its writers to say */
	(void) set_config_option("default_tablespace", "", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	/* a table of that name that is no partition was detached: it stays, and this fails */
	dmp_spi_registry(psprintf("CREATE TABLE dmp_internal.%s (LIKE dmp_internal.audit_chunk "
							  "INCLUDING STORAGE) USING heap WITH (toast_tuple_target = 8160)",
							  name),
					 NULL, false);
	dmp_spi_registry(psprintf("REVOKE ALL ON dmp_internal.%s FROM PUBLIC", name), NULL, false);
	dmp_spi_registry(psprintf("ALTER TABLE dmp_internal.%s ENABLE ROW LEVEL SECURITY", name), NULL,
					 false);
	dmp_spi_registry(
		psprintf("CREATE INDEX %s_brin ON dmp_internal.%s " DMP_LEDGER_INDEX, name, name), NULL,
		false);
	dmp_spi_registry(
		psprintf("ALTER TABLE dmp_internal.audit_chunk ATTACH PARTITION dmp_internal.%s "
				 "FOR VALUES FROM ('%04d-%02d-01 00:00:00+00') TO ('%04d-%02d-01 00:00:00+00')",
				 name, month / 12, month % 12 + 1, (month + 1) / 12, (month + 1) % 12 + 1),
		NULL, false);
	AtEOXact_GUC(true, level);
}

/* partitions of months from..to that are missing; false: somebody else is at it and wait is off */
static bool
make_partitions(Oid log, int from, int to, bool wait)
{
	int month;

	for (month = from; month <= to; month++)
		if (!OidIsValid(find_partition(log, month)))
			break;
	if (month > to)
		return true;
	if (wait)
		LockRelationOid(log, ShareUpdateExclusiveLock);
	else if (!ConditionalLockRelationOid(log, ShareUpdateExclusiveLock))
		return false;
	AcceptInvalidationMessages();
	dmp_spi_connect();
	for (; month <= to; month++)
		if (!OidIsValid(find_partition(log, month)))
			make_partition(month);
	dmp_spi_finish();
	return true;
}

void
dmp_audit_partitions_ahead(void)
{
	int month = month_of(GetCurrentTimestamp());

	make_partitions(log_relation(), month, month + MONTHS_AHEAD, true);
}

Oid
dmp_audit_partition(TimestampTz at)
{
	Oid log;
	Oid relid;
	int month;

	if (OidIsValid(known) && at >= known_from && at < known_to)
		return known;
	log = log_relation();
	month = month_of(at);
	make_partitions(log, month, month, true);
	make_partitions(log, month + 1, month + 2, false);
	relid = find_partition(log, month);
	if (!OidIsValid(relid))
		elog(ERROR, "partition %s of the audit log is missing", month_name(month));
	known_log = log;
	known_sequence = get_relname_relid("audit_chunk_id", get_rel_namespace(log));
	known_from = month_begin(month);
	known_to = month_begin(month + 1);
	known = relid;
	return relid;
}

/* numbers of chunks; known once a partition was asked for */
Oid
dmp_audit_sequence(void)
{
	if (!OidIsValid(known))
		dmp_audit_partition(GetCurrentTimestamp());
	return known_sequence;
}

/* number of this cluster, without a look into catalogs each time */
int32
dmp_audit_cluster(void)
{
	if (known_cluster == 0)
		known_cluster = dmp_cluster_id();
	return known_cluster;
}

void
dmp_audit_cluster_forget(void)
{
	known_cluster = 0;
}

void
dmp_audit_partition_forget(Oid relid)
{
	if (!OidIsValid(relid) || relid == known || relid == known_log)
	{
		known = InvalidOid;
		known_cluster = 0;
	}
}
