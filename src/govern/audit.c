/*-------------------------------------------------------------------------
 * audit.c
 *		dmp.audit and dmp.unaudit: triggers on a table and its partitions.
 *
 * A statement fires the triggers of the table it names, so a partition gets
 * its own: an insert straight into it fires no others. All are ENABLE ALWAYS:
 * session_replication_role = replica does not silence them.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "catalog/pg_namespace.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dmp_audit);
PG_FUNCTION_INFO_V1(dmp_unaudit);

static const struct
{
	const char *name;
	const char *when;
	const char *tables;
	const char *function;
} triggers[] = {
	{"dmp_audit_insert", "AFTER INSERT", "REFERENCING NEW TABLE AS new_rows", "audit_rows"},
	{"dmp_audit_update", "AFTER UPDATE", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
	 "audit_rows"},
	{"dmp_audit_delete", "AFTER DELETE", "REFERENCING OLD TABLE AS old_rows", "audit_rows"},
	{"dmp_audit_truncate", "BEFORE TRUNCATE", "", "audit_truncate"},
};

/* tables spread over servers would log on each of them, or not at all */
static bool
is_distributed(Oid relid)
{
	Oid catalog = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	DmpArgs args = {0};

	if (!OidIsValid(catalog))
		return false;
	dmp_arg_oid(&args, relid);
	return dmp_spi("SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid = $1", &args,
				   true) > 0;
}

static void
check_table(Oid relid)
{
	char kind = get_rel_relkind(relid);
	const char *why = NULL;

	if (kind == RELKIND_FOREIGN_TABLE)
		why = "Its rows are changed on another server.";
	else if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		why = "It is no table.";
	else if (get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
		why = "It is temporary.";
	else if (relid < FirstNormalObjectId)
		why = "It is a catalog.";
	else if (get_rel_namespace(relid) == get_namespace_oid("dmp_internal", false))
		why = "It is one of dmp's own tables, which are written through functions only.";
	else if (is_distributed(relid))
		why = "It is distributed over servers.";
	else if (kind == RELKIND_RELATION && !get_rel_relispartition(relid) &&
			 (has_superclass(relid) || find_inheritance_children(relid, NoLock) != NIL))
		why = "A statement on a table others inherit from changes their rows, and fires its own "
			  "triggers only.";
	if (why)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("cannot audit \"%s\"", get_rel_name(relid)),
						errdetail_internal("%s", why)));
}

static bool
has_trigger(Oid relid, const char *name)
{
	return OidIsValid(get_trigger_oid(relid, name, true));
}

/* literal of an array, as the argument of a trigger */
static char *
array_literal(ArrayType *array)
{
	return quote_literal_cstr(OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array)));
}

/* of the columns named: their places; names that a partition lacks are an error in the table that was named */
static ArrayType *
places_of(Relation rel, List *names)
{
	Datum *places = palloc(sizeof(Datum) * Max(list_length(names), 1));
	ListCell *lc;

	foreach (lc, names)
		places[foreach_current_index(lc)] =
			Int16GetDatum(dmp_column_number(RelationGetDescr(rel), (char *) lfirst(lc), ""));
	return construct_array(places, list_length(names), INT2OID, 2, true, TYPALIGN_SHORT);
}

static void
make_triggers(Oid relid, ArrayType *exclude, ArrayType *redact, bool keep_truncated)
{
	char *table = dmp_relation_name(relid);
	/* none when none is needed: the server copies them for each statement */
	char *arguments = ARR_NDIM(exclude) == 0 && ARR_NDIM(redact) == 0 && !keep_truncated
						  ? ""
						  : psprintf("%s, %s, '%s'", array_literal(exclude), array_literal(redact),
									 keep_truncated ? "true" : "false");
	int i;

	for (i = 0; i < lengthof(triggers); i++)
	{
		if (has_trigger(relid, triggers[i].name))
			dmp_spi(psprintf("DROP TRIGGER %s ON %s", triggers[i].name, table), NULL, false);
		dmp_spi(psprintf("CREATE TRIGGER %s %s ON %s %s FOR EACH STATEMENT "
						 "EXECUTE FUNCTION dmp_internal.%s(%s)",
						 triggers[i].name, triggers[i].when, table, triggers[i].tables,
						 triggers[i].function, arguments),
				NULL, false);
		dmp_spi(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, triggers[i].name), NULL,
				false);
	}
}

/* the row of the registry; an audit that goes on keeps its beginning */
static void
enter(Oid relid, Oid root, ArrayType *lists[4], bool keep_truncated)
{
	static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID, INT2ARRAYOID, INT2ARRAYOID};
	HeapTuple tuple;
	DmpArgs args = {0};
	int i;

	dmp_arg_oid(&args, relid);
	dmp_arg_oid(&args, root);
	for (i = 0; i < 4; i++)
		dmp_arg(&args, types[i], PointerGetDatum(lists[i]), false);
	dmp_arg_bool(&args, keep_truncated);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	dmp_arg_oid(&args, ((Form_pg_class) GETSTRUCT(tuple))->relowner);
	ReleaseSysCache(tuple);
	dmp_spi_registry(
		"WITH before AS (DELETE FROM dmp_internal.audited WHERE relation::oid = $1 RETURNING "
		"since) "
		"INSERT INTO dmp_internal.audited (relation, relid, root, exclude, redact, exclude_at, "
		"redact_at, keep_truncated, owner, since) "
		"SELECT $1, $1, $2, $3, $4, $5, $6, $7, $8, "
		"coalesce((SELECT min(since) FROM before), clock_timestamp())",
		&args, false);
}

static void
audit_one(Oid relid, Oid root, ArrayType *exclude, ArrayType *redact, bool keep_truncated)
{
	Relation rel = table_open(relid, NoLock);
	ArrayType *lists[4];
	DmpAuditTable *table;

	lists[0] = exclude;
	lists[1] = redact;
	lists[2] = places_of(rel, dmp_text_array_to_list(exclude));
	lists[3] = places_of(rel, dmp_text_array_to_list(redact));
	table_close(rel, NoLock);
	make_triggers(relid, exclude, redact, keep_truncated);
	enter(relid, root, lists, keep_truncated);
	CommandCounterIncrement();
	rel = table_open(relid, NoLock);
	CacheInvalidateRelcache(rel);
	CommandCounterIncrement();
	table_close(rel, NoLock);
	/* its shape exists before the first statement needs it */
	rel = table_open(relid, NoLock);
	table = dmp_audit_table(rel, NULL, 0);
	if (table->shape->n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no column of table \"%s\" would be logged", get_rel_name(relid))));
	table_close(rel, NoLock);
}

static char *
choice_json(const char *act, ArrayType *exclude, ArrayType *redact, bool keep_truncated)
{
	StringInfoData buf;
	ArrayType *lists[2];
	int i;

	lists[0] = exclude;
	lists[1] = redact;
	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"act\": \"%s\"", act);
	for (i = 0; i < 2 && exclude; i++)
	{
		ListCell *lc;

		appendStringInfo(&buf, ", \"%s\": [", i == 0 ? "exclude" : "redact");
		foreach (lc, dmp_text_array_to_list(lists[i]))
		{
			if (foreach_current_index(lc) > 0)
				appendStringInfoString(&buf, ", ");
			escape_json(&buf, (char *) lfirst(lc));
		}
		appendStringInfoChar(&buf, ']');
	}
	if (exclude)
		appendStringInfo(&buf, ", \"keep_truncated\": %s", keep_truncated ? "true" : "false");
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* dmp.audit(rel, exclude, redact, keep_truncated); by the owner of the table, again as often as wanted */
Datum
dmp_audit(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	ArrayType *exclude = PG_GETARG_ARRAYTYPE_P(1);
	ArrayType *redact = PG_GETARG_ARRAYTYPE_P(2);
	bool keep_truncated = PG_GETARG_BOOL(3);
	List *all;
	ListCell *lc;

	dmp_check_table_owner(relid);
	LockRelationOid(relid, ShareRowExclusiveLock);
	dmp_spi_connect();
	check_table(relid);
	dmp_audit_partitions_ahead();
	all = find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		all = list_make1_oid(relid);
	foreach (lc, all)
	{
		CHECK_FOR_INTERRUPTS();
		/* a partition may belong to somebody else */
		dmp_check_table_owner(lfirst_oid(lc));
		check_table(lfirst_oid(lc));
		audit_one(lfirst_oid(lc), relid, exclude, redact, keep_truncated);
	}
	dmp_spi_finish();
	dmp_audit_event(relid, 'G', choice_json("audit", exclude, redact, keep_truncated));
	PG_RETURN_VOID();
}

/* dmp.unaudit(rel): triggers and registry rows of the table and its partitions go, the log stays */
Datum
dmp_unaudit(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);
	List *all;
	ListCell *lc;
	int dropped = 0;
	int i;

	dmp_check_table_owner(relid);
	LockRelationOid(relid, ShareRowExclusiveLock);
	dmp_spi_connect();
	all = find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		all = list_make1_oid(relid);
	foreach (lc, all)
	{
		DmpArgs args = {0};

		dmp_arg_oid(&args, lfirst_oid(lc));
		for (i = 0; i < lengthof(triggers); i++)
			if (has_trigger(lfirst_oid(lc), triggers[i].name))
			{
				dmp_spi(psprintf("DROP TRIGGER %s ON %s", triggers[i].name,
								 dmp_relation_name(lfirst_oid(lc))),
						NULL, false);
				dropped++;
			}
		dropped += dmp_spi_registry("DELETE FROM dmp_internal.audited WHERE relation::oid = $1",
									&args, false);
		CacheInvalidateRelcacheByRelid(lfirst_oid(lc));
	}
	dmp_spi_finish();
	if (dropped == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("table \"%s\" is not audited", get_rel_name(relid))));
	dmp_audit_event(relid, 'G', choice_json("unaudit", NULL, NULL, false));
	PG_RETURN_VOID();
}
