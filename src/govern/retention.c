/*-------------------------------------------------------------------------
 * retention.c
 *		dmp.set_retention(), dmp.apply_retention(): rows go when their time is up.
 *
 * Rows of a subject with a hold stay, with all that refers to them; when it
 * cannot be told which those are, nothing goes. A partition whose whole range
 * is past is dropped as a whole, where nothing can notice: no row of a held
 * subject in it, no foreign key to the table, no trigger on it (the audit
 * log's is one). A lake is left to dmp.drop_lake_days, which keeps what
 * dmp.ingest has not taken.
 *
 * All of it is one transaction; rows go 50,000 to a statement, so that what
 * triggers are told of a statement stays small.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_set_retention);
PG_FUNCTION_INFO_V1(dmp_apply_retention);

#define ROWS_A_STATEMENT 50000

typedef struct Retention
{
	Oid relid;
	char *column;
	Datum before; /* timestamptz */
	char *source; /* of a lake, else NULL */
} Retention;

/* dmp.set_retention(rel, column_name, keep_for) */
Datum
dmp_set_retention(PG_FUNCTION_ARGS)
{
	Oid relid = dmp_tag_relation(fcinfo);
	char *column = dmp_given_text(fcinfo, 1, "column_name");
	int64 id = dmp_own_column(relid, column);
	Oid type = getBaseType(get_atttype(relid, get_attnum(relid, column)));
	DmpArgs args = {0};

	if (type != DATEOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" is of type %s", column, format_type_be(type)),
						errdetail("Rows are kept by a date or a time.")));
	if (get_rel_relkind(relid) != RELKIND_RELATION &&
		get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is no table", get_rel_name(relid))));
	dmp_spi_connect();
	dmp_arg_int8(&args, id);
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_registry("DELETE FROM dmp_internal.retention"
					 " WHERE timed::bigint = $1 AND $2 IS NOT NULL"
					 " OR dmp_internal.column_name(timed) IS NULL",
					 &args, false);
	if (!PG_ARGISNULL(2))
	{
		dmp_arg(&args, INTERVALOID, PG_GETARG_DATUM(2), false);
		dmp_spi_registry("SELECT now() - $3 < now()", &args, true);
		args.n = 3;
		if (!dmp_spi_bool(0, 1, false))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("keep_for must be more than nothing")));
		dmp_spi_registry("INSERT INTO dmp_internal.retention (timed, set_by, keep_for)"
						 " VALUES ($1, $2, $3)",
						 &args, false);
	}
	dmp_spi_finish();
	PG_RETURN_VOID();
}

/* what is to be applied: of tables the caller owns */
static List *
retentions(void)
{
	List *list = NIL;
	uint64 n = dmp_spi_registry(
		"SELECT dmp_internal.column_relation(r.timed), dmp_internal.column_name(r.timed)::text,"
		" now() - r.keep_for, s.name FROM dmp_internal.retention r"
		" LEFT JOIN dmp_internal.source s ON s.lake_table = dmp_internal.column_relation(r.timed)"
		"  AND dmp_internal.column_name(r.timed) = 'received_at'"
		" WHERE dmp_internal.column_name(r.timed) IS NOT NULL"
		" ORDER BY dmp_internal.column_relation(r.timed)::oid, r.timed::bigint",
		NULL, true);

	for (uint64 i = 0; i < n; i++)
	{
		Retention *retention = palloc(sizeof(Retention));
		bool isnull;

		retention->relid = (Oid) dmp_spi_int8(i, 1, 0);
		retention->column = dmp_spi_text(i, 2);
		retention->before = datumCopy(dmp_spi_datum(i, 3, &isnull), FLOAT8PASSBYVAL, 8);
		retention->source = dmp_spi_text(i, 4);
		if (pg_class_ownercheck(retention->relid, GetUserId()))
			list = lappend(list, retention);
	}
	return list;
}

/* rows of all held subjects (List of Subject *) */
static List *
held_subjects(void)
{
	List *names = NIL;
	List *subjects = NIL;
	ListCell *lc;
	uint64 n = dmp_spi_registry("SELECT DISTINCT subject FROM dmp_internal.subject_hold"
								" WHERE released_at IS NULL ORDER BY 1",
								NULL, false);

	for (uint64 i = 0; i < n; i++)
		names = lappend(names, dmp_spi_text(i, 1));
	foreach (lc, names)
	{
		Subject *subject = dmp_subject_find(lfirst(lc), false, false, false);

		if (subject->unread)
		{
			SubjectObstacle *unread = linitial(subject->unread);

			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("it cannot be told which rows a hold keeps"),
							errdetail("%s: %s.", unread->object, unread->reason)));
		}
		subjects = lappend(subjects, subject);
	}
	return subjects;
}

/* places of held rows in a leaf, as tid[] */
static Datum
held_places(List *held, Oid leaf, int *n)
{
	ItemPointerData *tids = NULL;
	ListCell *lc;
	ListCell *lc2;

	*n = 0;
	foreach (lc, held)
	{
		foreach (lc2, ((Subject *) lfirst(lc))->tables)
		{
			SubjectTable *table = lfirst(lc2);

			if (table->relid != leaf || table->n == 0)
				continue;
			tids =
				tids ? repalloc_huge(tids, sizeof(ItemPointerData) * (Size) (*n + table->n))
					 : palloc_extended(sizeof(ItemPointerData) * (Size) table->n, MCXT_ALLOC_HUGE);
			memcpy(tids + *n, table->tids, sizeof(ItemPointerData) * (Size) table->n);
			*n += table->n;
		}
	}
	return dmp_tid_array(tids, *n);
}

/* "t.column < $1", in the column's type */
static char *
is_past(Retention *retention)
{
	Oid type =
		getBaseType(get_atttype(retention->relid, get_attnum(retention->relid, retention->column)));

	return psprintf("t.%s OPERATOR(pg_catalog.<) $1::pg_catalog.%s",
					quote_identifier(retention->column),
					type == DATEOID        ? "date"
					: type == TIMESTAMPOID ? "timestamp"
										   : "timestamptz");
}

/* whether a partition can go as a whole: its range is past and nothing can notice */
static bool
can_drop(Retention *retention, Oid leaf, List *held)
{
	DmpArgs args = {0};
	int n;

	(void) held_places(held, leaf, &n);
	if (n > 0 || leaf == retention->relid || !pg_class_ownercheck(leaf, GetUserId()))
		return false;
	dmp_arg_oid(&args, leaf);
	dmp_arg_text(&args, retention->column);
	dmp_arg(&args, TIMESTAMPTZOID, retention->before, false);
	return dmp_spi_registry(
			   "SELECT FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid"
			   " JOIN pg_partitioned_table p ON p.partrelid = i.inhparent"
			   " JOIN pg_attribute a ON a.attrelid = i.inhparent AND a.attnum = p.partattrs[0]"
			   " CROSS JOIN LATERAL (SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid),"
			   " $re$ TO \\('([^']+)'\\)$$re$))[1] AS bound) b"
			   " WHERE c.oid = $1 AND p.partstrat = 'r' AND p.partnatts = 1 AND a.attname = $2"
			   " AND b.bound::timestamptz <= $3 AND NOT EXISTS (SELECT FROM pg_trigger t"
			   "  WHERE t.tgrelid IN (c.oid, i.inhparent) AND NOT t.tgisinternal)"
			   " AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f'"
			   "  AND f.confrelid IN (c.oid, i.inhparent))",
			   &args, true) > 0;
}

/* rows of one leaf that go; how many */
static int64
apply_to_leaf(Retention *retention, Oid leaf, List *held)
{
	DmpArgs args = {0};
	char *name = dmp_relation_name(leaf);
	int64 rows = 0;
	uint64 n;
	int n_held;
	char *code;

	dmp_arg(&args, TIMESTAMPTZOID, retention->before, false);
	if (can_drop(retention, leaf, held))
	{
		/* against writers that still come to it */
		dmp_spi(psprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", name), NULL, false);
		dmp_spi(psprintf("SELECT pg_catalog.count(*) FROM ONLY %s", name), NULL, false);
		rows = dmp_spi_int8(0, 1, 0);
		dmp_spi(psprintf("DROP TABLE %s", name), NULL, false);
		return rows;
	}
	dmp_arg(&args, TIDARRAYOID, held_places(held, leaf, &n_held), false);
	code = superuser() ? dmp_code_of_others(leaf) : NULL;
	if (code)
	{
		ereport(WARNING,
				(errmsg("rows of %s stay", name),
				 errdetail("Deleting them would run %s with the rights of a superuser.", code),
				 errhint("Call dmp.apply_retention() as the owner of the table.")));
		return 0;
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		n = dmp_spi(psprintf("DELETE FROM ONLY %s d WHERE d.ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							 "SELECT t.ctid FROM ONLY %s t WHERE %s"
							 " AND NOT (t.ctid OPERATOR(pg_catalog.=) ANY ($2)) LIMIT %d))",
							 name, name, is_past(retention), ROWS_A_STATEMENT),
					&args, false);
		rows += n;
	} while (n > 0);
	return rows;
}

static List *
leaves_of(Oid relid)
{
	DmpArgs args = {0};
	List *list = NIL;
	uint64 n;

	dmp_arg_oid(&args, relid);
	n = dmp_spi_registry("WITH RECURSIVE down (relation) AS (SELECT $1 UNION SELECT i.inhrelid"
						 " FROM down JOIN pg_inherits i ON i.inhparent = down.relation)"
						 " SELECT c.oid FROM down JOIN pg_class c ON c.oid = down.relation"
						 " WHERE c.relkind = 'r' ORDER BY c.oid",
						 &args, true);
	for (uint64 i = 0; i < n; i++)
		list = lappend_oid(list, (Oid) dmp_spi_int8(i, 1, 0));
	return list;
}

/* old days of a lake, unless a held subject is in them */
static int64
apply_to_lake(Retention *retention, List *held)
{
	DmpArgs args = {0};
	ListCell *lc;

	foreach (lc, held)
	{
		Subject *subject = lfirst(lc);
		List *places = dmp_subject_places_of(subject);
		bool looked = false;
		ListCell *lc2;

		foreach (lc2, places)
		{
			SubjectPlace *place = lfirst(lc2);

			if (place->relid != retention->relid)
				continue;
			looked = true;
			dmp_arg(&place->args, TIMESTAMPTZOID, retention->before, false);
			if (dmp_spi(psprintf("SELECT %s AND t.received_at OPERATOR(pg_catalog.<) $5 LIMIT 1",
								 place->from),
						&place->args, false) > 0)
			{
				ereport(NOTICE, (errmsg("days of %s stay: records of a held subject are in them",
										dmp_relation_name(retention->relid))));
				return 0;
			}
		}
		if (!looked)
		{
			ereport(NOTICE,
					(errmsg("days of %s stay: it cannot be told whether a held subject is in them",
							dmp_relation_name(retention->relid))));
			return 0;
		}
	}
	dmp_arg_text(&args, retention->source);
	dmp_arg(&args, TIMESTAMPTZOID, retention->before, false);
	dmp_spi("SELECT coalesce(pg_catalog.sum(d.rows) FILTER (WHERE d.action OPERATOR(pg_catalog.=)"
			" ANY ('{dropped,emptied}')), 0)::pg_catalog.int8 FROM dmp.drop_lake_days($1,"
			" ($2 AT TIME ZONE 'UTC')::pg_catalog.date) d",
			&args, false);
	return dmp_spi_int8(0, 1, 0);
}

/* months of the audit log; it speaks of held subjects too */
static int64
apply_to_log(Retention *retention, List *held)
{
	DmpArgs args = {0};

	if (held)
	{
		ereport(NOTICE, (errmsg("months of the audit log stay while there are holds")));
		return 0;
	}
	dmp_arg(&args, TIMESTAMPTZOID, retention->before, false);
	dmp_spi("SELECT coalesce(pg_catalog.sum(entries), 0)::pg_catalog.int8 FROM dmp.drop_audit($1)",
			&args, false);
	return dmp_spi_int8(0, 1, 0);
}

/* dmp.apply_retention() */
Datum
dmp_apply_retention(PG_FUNCTION_ARGS)
{
	List *list;
	List *held;
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	list = retentions();
	held = list ? held_subjects() : NIL;
	foreach (lc, list)
	{
		Retention *retention = lfirst(lc);
		int64 rows = 0;
		Datum values[2];
		bool nulls[2] = {false, false};

		if (retention->source)
			rows = apply_to_lake(retention, held);
		else if (strcmp(dmp_relation_name(retention->relid), "dmp_internal.audit_chunk") == 0)
			rows = apply_to_log(retention, held);
		else
		{
			List *leaves = leaves_of(retention->relid);
			ListCell *leaf;

			foreach (leaf, leaves)
				rows += apply_to_leaf(retention, lfirst_oid(leaf), held);
		}
		values[0] = ObjectIdGetDatum(retention->relid);
		values[1] = Int64GetDatum(rows);
		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	return (Datum) 0;
}
