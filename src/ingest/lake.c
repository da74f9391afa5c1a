/*-------------------------------------------------------------------------
 * lake.c
 *		Lake tables: raw records as they came, by UTC day.
 *
 * A lake table is an ordinary table of the source's owner, filled by INSERT,
 * COPY, \copy or dmp.load_file. Columns xact and cluster say which
 * transaction of which cluster wrote a row: the order of ids is not the order
 * of commits, so what is new is decided by snapshots (ingest.c), and the index on
 * (cluster, xact) finds it without reading what was consumed.
 *
 * Partitions are made a day ahead by load_file and ingest. They must never
 * make either wait for a writer that is still open: a partition is created
 * apart and attached, which takes a strong lock on nothing but the default
 * partition, and when that cannot be had at once, or the default partition
 * has rows of the day, it is left for another time.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_copy_command);

/* partitions ahead of a live source: its writers cannot make any */
#define LIVE_DAYS 15

static char *
lake_name(const char *name)
{
	return quote_qualified_identifier("lake", name);
}

Oid
dmp_lake_create(const char *name)
{
	Oid schema = dmp_ensure_schema("lake");
	Oid lake;

	/* made on first use: writers would wait for the first of them */
	(void) dmp_cluster_id();

	if (OidIsValid(get_relname_relid(name, schema)))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_TABLE), errmsg("table \"lake.%s\" exists", name),
						errdetail("The lake table of a source is made with it."),
						errhint("Choose another name, or rename or drop that table.")));
	dmp_spi(psprintf("CREATE TABLE %s ("
					 " id bigint GENERATED ALWAYS AS IDENTITY,"
					 " received_at timestamptz NOT NULL DEFAULT pg_catalog.now(),"
					 " xact pg_catalog.xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),"
					 " cluster int NOT NULL DEFAULT dmp_internal.cluster_id(),"
					 " batch bigint,"
					 " origin pg_catalog.text,"
					 " line_no bigint,"
					 " line pg_catalog.text) PARTITION BY RANGE (received_at)",
					 lake_name(name)),
			NULL, false);
	lake = get_relname_relid(name, schema);
	if (!OidIsValid(lake))
		elog(ERROR, "table %s is not there after it was made", lake_name(name));
	dmp_spi(psprintf("CREATE INDEX ON %s (cluster, xact)", lake_name(name)), NULL, false);
	dmp_spi(psprintf("CREATE TABLE %s PARTITION OF %s DEFAULT",
					 lake_name(psprintf("%s_default", name)), lake_name(name)),
			NULL, false);
	dmp_spi(psprintf("COMMENT ON TABLE %s IS %s", lake_name(name),
					 quote_literal_cstr(psprintf("raw records of source %s", name))),
			NULL, false);
	return lake;
}

void
dmp_lake_check(const DmpSource *source)
{
	if (get_rel_relkind(source->lake) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("the lake table of source \"%s\" no longer exists", source->name)));
	if (check_enable_rls(source->lake, InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("row security hides rows of %s", dmp_relation_name(source->lake)),
						errdetail("Rows that are not seen would be taken as consumed.")));
}

Oid
dmp_lake_of(Oid relid)
{
	if (get_rel_relispartition(relid))
		relid = llast_oid(get_partition_ancestors(relid));
	return get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? relid : InvalidOid;
}

List *
dmp_lake_leaves(Oid lake, LOCKMODE lockmode)
{
	List *leaves = NIL;
	ListCell *lc;

	foreach (lc, find_all_inheritors(lake, lockmode, NULL))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			leaves = lappend_oid(leaves, lfirst_oid(lc));
	return leaves;
}

/* whether a partition with that upper and lower bound can be added now, without waiting */
static bool
may_attach(Oid default_partition, const char *from, const char *to)
{
	if (!OidIsValid(default_partition))
		return true;
	if (!ConditionalLockRelationOid(default_partition, AccessExclusiveLock))
		return false;
	return dmp_spi(psprintf("SELECT FROM %s WHERE received_at >= '%s' AND received_at < '%s'"
							" LIMIT 1",
							dmp_relation_name(default_partition), from, to),
				   NULL, false) == 0;
}

static void
ensure_partition(const DmpSource *source, Oid schema, int days)
{
	char *parent = get_rel_name(source->lake);
	char *name;
	char *from;
	char *to;

	dmp_spi(psprintf("SELECT pg_catalog.to_char(d, 'YYYYMMDD'),"
					 " pg_catalog.to_char(d, 'YYYY-MM-DD 00:00:00+00'),"
					 " pg_catalog.to_char(d + interval '1 day', 'YYYY-MM-DD 00:00:00+00')"
					 " FROM (SELECT pg_catalog.date_trunc('day',"
					 " pg_catalog.timezone('UTC', pg_catalog.now())) + %d * interval '1 day' AS d)"
					 " s",
					 days),
			NULL, false);
	name = psprintf("%s_%s", parent, dmp_spi_text(0, 1));
	from = dmp_spi_text(0, 2);
	to = dmp_spi_text(0, 3);
	if (OidIsValid(get_relname_relid(name, schema)))
		return;
	/* one at a time, and nobody waits for it */
	if (!ConditionalLockRelationOid(source->lake, ShareUpdateExclusiveLock))
		return;
	if (OidIsValid(get_relname_relid(name, schema)) ||
		!may_attach(get_default_partition_oid(source->lake), from, to))
		return;
	name = quote_qualified_identifier(get_namespace_name(schema), name);
	parent = dmp_relation_name(source->lake);
	dmp_spi(psprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
					 " INCLUDING STORAGE INCLUDING COMPRESSION)",
					 name, parent),
			NULL, false);
	if (GetUserId() != source->owner)
		dmp_spi(psprintf("ALTER TABLE %s OWNER TO %s", name,
						 quote_identifier(GetUserNameFromId(source->owner, false))),
				NULL, false);
	if (source->live)
		dmp_live_partition(name);
	dmp_spi(psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", parent,
					 name, from, to),
			NULL, false);
}

void
dmp_lake_ensure_partitions(const DmpSource *source)
{
	Oid schema = get_rel_namespace(source->lake);

	/* who may not create there still has the default partition */
	if (!pg_class_ownercheck(source->lake, GetUserId()) ||
		pg_namespace_aclcheck(schema, GetUserId(), ACL_CREATE) != ACLCHECK_OK)
		return;
	dmp_spi_connect();
	for (int days = 0; days < (source->live ? LIVE_DAYS : 2); days++)
		ensure_partition(source, schema, days);
	dmp_spi_finish();
}

/* records of a file that are looked at for its header */
#define FIRST_LINES 20

List *
dmp_lake_first_lines(const DmpSource *source, const DmpRecordOrigin *origin)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	DmpArgs args = {0};
	List *lines = NIL;
	uint64 n;

	dmp_spi_connect();
	dmp_arg_int4(&args, origin->cluster);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(FullTransactionIdFromU64(origin->xact)),
			false);
	dmp_arg(&args, INT8OID, Int64GetDatum(origin->load_batch), origin->load_batch == 0);
	dmp_arg(&args, TEXTOID, PointerGetDatum(origin->origin), origin->origin == NULL);
	n = dmp_spi(psprintf("SELECT line FROM %s WHERE cluster = $1 AND xact = $2"
						 " AND batch IS NOT DISTINCT FROM $3 AND origin IS NOT DISTINCT FROM $4"
						 " AND pg_catalog.btrim(line, E' \\t\\r\\n') <> ''"
						 " ORDER BY id LIMIT %d",
						 dmp_relation_name(source->lake), FIRST_LINES),
				&args, false);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < n; i++)
		lines = lappend(lines, dmp_spi_text(i, 1));
	MemoryContextSwitchTo(old);
	dmp_spi_finish();
	return lines;
}

/*
 * Records whose quotes hold line ends are put together before psql sees the
 * lines. As for load_file, a quote opens at the start of a field only; t is
 * what is left of the line, q says whether a quote is open. One that nothing
 * closes within 1 MB opens nothing.
 */
static char *
join_program(const DmpFormat *format)
{
	char *delimiters = "\\054\\073\\011\\174";
	char *unescape = "";

	if (format->delimiter != '\0')
		delimiters = psprintf("\\%03o", (unsigned char) format->delimiter);
	if (format->escape != format->quote)
		unescape = psprintf("gsub(/[\\%03o\\%03o]./, \"\", t); ", format->escape, format->escape);
	return psprintf(
		"program 'LC_ALL=C awk ''{ r = n++ ? r \"\\n\" $0 : $0; t = q ? $0 : \"%.4s\" $0; %s"
		"while (q ? match(t, /[\\%03o]/) : match(t, /[%s][\\%03o]/)) { "
		"t = substr(t, RSTART + RLENGTH); "
		"if (q && t ~ /^[\\%03o]/) t = substr(t, 2); else q = !q } "
		"if (!q) { print \"\\001\" r \"\\001\"; n = 0 } else if (length(r) > 1000000) p() } "
		"END { if (n) p() } "
		"function p(i, m, l) { m = split(r, l, \"\\n\"); "
		"for (i = 1; i <= m; i++) print \"\\001\" l[i] \"\\001\"; n = q = 0 }'' FILE'",
		delimiters, unescape, format->quote, delimiters, format->quote, format->quote);
}

/*
 * csv with bytes for quote and delimiter that are no part of a text; an empty
 * line becomes a NULL, which ingest skips. Format text would take backslashes
 * as its own.
 */
char *
dmp_lake_copy_command(Oid lake, const DmpFormat *format)
{
	bool quotes = format->kind == DMP_FORMAT_CSV && format->quote != '\0';

	return psprintf("\\copy %s (line) from %s with (format csv, delimiter E'\\x02', "
					"quote E'\\x01', encoding '%s')",
					dmp_relation_name(lake), quotes ? join_program(format) : "'FILE'",
					pg_encoding_to_char(format->encoding));
}

/* dmp_internal.copy_command(lake, format, options): for the view dmp.sources */
Datum
dmp_copy_command(PG_FUNCTION_ARGS)
{
	Oid lake = PG_GETARG_OID(0);
	DmpFormat format;

	if (get_rel_name(lake) == NULL)
		PG_RETURN_NULL();
	dmp_format_read(&format, dmp_format_kind(text_to_cstring(PG_GETARG_TEXT_PP(1))),
					dmp_doc_from_jsonb(PG_GETARG_DATUM(2), "options"));
	PG_RETURN_TEXT_P(cstring_to_text(dmp_lake_copy_command(lake, &format)));
}
