/*-------------------------------------------------------------------------
 * subject_audit.c
 *		Entries of the audit log about a subject.
 *
 * An entry is about the subject when its row is (by its key, since an entry of
 * an UPDATE has the changed columns only), when a tagged column of it was the
 * name, when a foreign key of it referred to a row of the subject, or when the
 * name, if it is no mere number, stands anywhere in it.
 *
 * Only tables with an entry are looked at, and chunks whose bytes have the name.
 */
#include "govern/subject_audit.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#define THIS_TRANSACTION " AND l.transaction = pg_current_xact_id()"

#define NAMES_ENTRY                                                                                \
	" (dmp_internal.holds_value(l.row_key::text, $1) OR dmp_internal.holds_value(l.old::text, $1)" \
	" OR dmp_internal.holds_value(l.new::text, $1))"

/* tables that the log speaks of, by the name it gives them */
static bool
has_entries(const char *relation)
{
	DmpArgs args = {0};

	dmp_arg_text(&args, relation);
	return dmp_spi_registry("SELECT FROM dmp_internal.audit_shape s"
							" WHERE dmp_internal.relation_name(s.relation, s.relation_name) = $1"
							" LIMIT 1",
							&args, true) > 0;
}

/* "'name', t.column, ..." of an object */
static char *
members_of(SubjectTable *table, List *names, List *columns)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	foreach (lc, names)
		appendStringInfo(
			&sql, "%s%s, %s", sql.len ? ", " : "", quote_literal_cstr(lfirst(lc)),
			dmp_subject_plain(table->relid, list_nth(columns, foreach_current_index(lc)), "t"));
	return sql.data;
}

static List *
key_columns(Oid relid)
{
	DmpArgs args = {0};
	List *names = NIL;
	uint64 n;

	dmp_arg_oid(&args, relid);
	n = dmp_spi_registry(
		"SELECT a.attname::text FROM pg_index i"
		" JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
		" WHERE i.indrelid = $1 AND i.indisprimary ORDER BY a.attnum",
		&args, true);
	for (uint64 i = 0; i < n; i++)
		names = lappend(names, dmp_spi_text(i, 1));
	return names;
}

/* objects of rows that go or are blanked, as a jsonb[] */
static Datum
objects_of(SubjectTable *table, const char *members)
{
	ItemPointerData *tids =
		palloc_extended(sizeof(ItemPointerData) * (Size) (table->n + 1), MCXT_ALLOC_HUGE);
	DmpArgs args = {0};
	bool isnull;
	int n = 0;

	for (int i = 0; i < table->n; i++)
	{
		if (table->fates[i] >= SUBJECT_BLANK)
			tids[n++] = table->tids[i];
	}
	dmp_arg(&args, TIDARRAYOID, dmp_tid_array(tids, n), false);
	dmp_spi(psprintf("SELECT ARRAY(SELECT pg_catalog.jsonb_build_object(%s) FROM %s t"
					 " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($1)%s)",
					 members, table->scan, dmp_subject_only_leaf(table)),
			&args, false);
	return dmp_spi_datum(0, 1, &isnull);
}

static Datum
join_arrays(Datum a, Datum b)
{
	DmpArgs args = {0};
	bool isnull;

	dmp_arg(&args, JSONBARRAYOID, a, false);
	dmp_arg(&args, JSONBARRAYOID, b, false);
	dmp_spi("SELECT $1 OPERATOR(pg_catalog.||) $2", &args, true);
	return dmp_spi_datum(0, 1, &isnull);
}

/* objects to be looked for; beside those of the same columns, so that each list is one hash table */
static void
add_probe(List **probes, const char *relation, bool is_key, List *columns, Datum values)
{
	SubjectProbe *probe;
	ListCell *lc;

	foreach (lc, *probes)
	{
		probe = lfirst(lc);
		if (probe->is_key == is_key && strcmp(probe->relation, relation) == 0 &&
			strcmp(dmp_join_identifiers(probe->columns, ""), dmp_join_identifiers(columns, "")) ==
				0)
		{
			probe->values = join_arrays(probe->values, values);
			return;
		}
	}
	probe = palloc(sizeof(SubjectProbe));
	probe->relation = pstrdup(relation);
	probe->is_key = is_key;
	probe->columns = columns;
	probe->values = values;
	*probes = lappend(*probes, probe);
}

/* {"column": name} of each tagged column, the name as the type writes it */
static void
add_names(Subject *subject, List **list, Oid relid)
{
	List *columns = dmp_subject_columns(relid);
	ListCell *lc;

	foreach (lc, columns)
	{
		DmpArgs args = {0};
		List *one = list_make1(lfirst(lc));
		bool isnull;

		if (dmp_subject_condition(subject, relid, one, "t", &args) == NULL)
			continue;
		/* as dmp_subject_plain() */
		dmp_spi(
			psprintf("SELECT ARRAY[pg_catalog.jsonb_build_object(%s, %s)]",
					 quote_literal_cstr(lfirst(lc)),
					 args.types[0] < FirstNormalObjectId ? "$1" : "pg_catalog.format('%s', $1)"),
			&args, true);
		add_probe(list, dmp_relation_name(relid), false, one, dmp_spi_datum(0, 1, &isnull));
	}
}

/* leaves of a table that the log may speak of, itself included (List of OIDs) */
static List *
with_partitions(Oid relid)
{
	DmpArgs args = {0};
	List *list = NIL;
	uint64 n;

	dmp_arg_oid(&args, relid);
	n = dmp_spi_registry("WITH RECURSIVE down (relation) AS (SELECT $1 UNION SELECT i.inhrelid"
						 " FROM down JOIN pg_inherits i ON i.inhparent = down.relation)"
						 " SELECT relation FROM down",
						 &args, true);
	for (uint64 i = 0; i < n; i++)
		list = lappend_oid(list, (Oid) dmp_spi_int8(i, 1, 0));
	return list;
}

/* what refers, or referred, to rows of a table */
static void
add_references(Subject *subject, List **list, SubjectTable *table)
{
	ListCell *lc;

	foreach (lc, subject->edges)
	{
		SubjectEdge *edge = lfirst(lc);
		Datum parts;
		List *children;
		ListCell *child;

		if (!list_member_oid(table->ancestors, edge->parent) || edge->parent == edge->child)
			continue;
		children = with_partitions(edge->child);
		parts = objects_of(table, members_of(table, edge->child_columns, edge->parent_columns));
		foreach (child, children)
		{
			char *name = dmp_relation_name(lfirst_oid(child));

			if (has_entries(name))
				add_probe(list, name, false, edge->child_columns, parts);
		}
	}
}

List *
dmp_subject_audit_keys(Subject *subject)
{
	List *list = NIL;
	List *tagged = NIL;
	ListCell *lc;
	uint64 n;

	foreach (lc, subject->tables)
	{
		SubjectTable *table = lfirst(lc);
		List *key;

		add_references(subject, &list, table);
		if (!has_entries(table->name))
			continue;
		key = key_columns(table->relid);
		if (key)
			add_probe(&list, table->name, true, key,
					  objects_of(table, members_of(table, key, key)));
	}
	n = dmp_spi_registry(
		"SELECT DISTINCT s.relation::oid FROM dmp_internal.audit_shape s"
		" JOIN pg_class c ON c.oid = s.relation::oid WHERE c.relkind IN ('r', 'p') ORDER BY 1",
		NULL, true);
	for (uint64 i = 0; i < n; i++)
		tagged = lappend_oid(tagged, (Oid) dmp_spi_int8(i, 1, 0));
	foreach (lc, tagged)
		add_names(subject, &list, lfirst_oid(lc));
	return list;
}

/* appends the numbers of the last statement to numbers */
static void
take_numbers(HTAB *numbers)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64 entry = dmp_spi_int8(i, 1, 0);

		CHECK_FOR_INTERRUPTS();
		(void) hash_search(numbers, &entry, HASH_ENTER, NULL);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Entries that a probe tells. Each image is unpacked once, and its columns
 * looked up in the hash table that the server makes of a list of values.
 */
static void
run_probe(SubjectProbe *probe, bool own, HTAB *numbers)
{
	DmpArgs args = {0};
	StringInfoData before;
	StringInfoData after;
	ListCell *lc;

	dmp_arg_text(&args, probe->relation);
	dmp_arg(&args, JSONBARRAYOID, probe->values, false);
	if (probe->is_key)
	{
		dmp_spi_registry(psprintf("SELECT l.entry FROM dmp.audit_log l WHERE l.relation = $1"
								  " AND l.row_key = ANY ($2)%s",
								  own ? THIS_TRANSACTION : ""),
						 &args, false);
		take_numbers(numbers);
		return;
	}
	initStringInfo(&before);
	initStringInfo(&after);
	foreach (lc, probe->columns)
	{
		char *name = quote_literal_cstr(lfirst(lc));

		appendStringInfo(&before, "%s%s, x.old -> %s", before.len ? ", " : "", name, name);
		appendStringInfo(&after, "%s%s, x.new -> %s", after.len ? ", " : "", name, name);
	}
	dmp_spi_registry(psprintf("SELECT x.entry FROM (SELECT l.entry, l.old, l.new"
							  " FROM dmp.audit_log l WHERE l.relation = $1%s OFFSET 0) x"
							  " WHERE jsonb_build_object(%s) = ANY ($2)"
							  " OR jsonb_build_object(%s) = ANY ($2)",
							  own ? THIS_TRANSACTION : "", before.data, after.data),
					 &args, false);
	take_numbers(numbers);
}

Datum
dmp_subject_audit_entries(Subject *subject, List *probes, bool own, int64 *n)
{
	HASHCTL control;
	HTAB *numbers;
	HASH_SEQ_STATUS scan;
	Datum *items;
	int64 *entry;
	ListCell *lc;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(int64);
	control.hcxt = CurrentMemoryContext;
	numbers = hash_create("dmp entries of a subject", 256, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	foreach (lc, probes)
		run_probe(lfirst(lc), own, numbers);
	if (dmp_subject_is_distinctive(subject->value, true))
	{
		DmpArgs args = {0};
		StringInfoData json;

		initStringInfo(&json);
		escape_json(&json, subject->value);
		dmp_arg_text(&args, subject->value);
		dmp_arg_text(&args, pnstrdup(json.data + 1, json.len - 2));
		/* the bytes first: most chunks are not unpacked; events may write it with escapes */
		dmp_spi_registry(
			psprintf("SELECT l.entry FROM dmp.audit_log l"
					 " JOIN dmp_internal.audit_chunk c ON c.id = l.entry / 1000"
					 " WHERE (position(convert_to($1, getdatabaseencoding()) IN c.body) > 0"
					 " OR position(convert_to($2, getdatabaseencoding()) IN c.body) > 0"
					 " OR c.operation IN ('C', 'R')) AND c.operation NOT IN ('B', 'E', 'G')"
					 " AND" NAMES_ENTRY "%s",
					 own ? THIS_TRANSACTION : ""),
			&args, false);
		take_numbers(numbers);
	}
	*n = hash_get_num_entries(numbers);
	items = palloc_extended(sizeof(Datum) * (Size) (*n + 1), MCXT_ALLOC_HUGE);
	hash_seq_init(&scan, numbers);
	for (int64 i = 0; (entry = hash_seq_search(&scan)) != NULL; i++)
		items[i] = Int64GetDatum(*entry);
	return PointerGetDatum(
		construct_array(items, *n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

int64
dmp_subject_audit_actor(Subject *subject)
{
	DmpArgs args = {0};

	dmp_arg_text(&args, subject->value);
	dmp_spi_registry("SELECT coalesce(sum(entries), 0)::bigint FROM dmp_internal.audit_chunk"
					 " WHERE $1 IN (actor, session_role, effective_role, application)",
					 &args, false);
	return dmp_spi_int8(0, 1, 0);
}

/* The log's own policies say which entries the caller sees. */
void
dmp_subject_audit_export(FunctionCallInfo fcinfo, Subject *subject)
{
	static const char *const sql =
		"SELECT pg_catalog.jsonb_build_object('entry', l.entry, 'at', l.at, 'actor', l.actor,"
		" 'purpose', l.purpose, 'relation', l.relation, 'operation', l.operation,"
		" 'row_key', l.row_key, 'old', l.old, 'new', l.new)"
		" FROM dmp.audit_log l WHERE l.entry OPERATOR(pg_catalog.=) ANY ($1) ORDER BY l.entry";
	List *keys;
	DmpArgs args = {0};
	int64 n;

	for (ListCell *lc = list_head(subject->tables); lc; lc = lnext(subject->tables, lc))
	{
		SubjectTable *table = lfirst(lc);

		/* of an export all rows are its own, whatever an erasure would do with them */
		for (int i = 0; i < table->n; i++)
		{
			if (table->fates[i] != SUBJECT_OTHER)
				table->fates[i] = SUBJECT_DELETE;
		}
	}
	keys = dmp_subject_audit_keys(subject);
	dmp_arg(&args, INT8ARRAYOID, dmp_subject_audit_entries(subject, keys, false, &n), false);
	if (n > 0)
		n -= dmp_subject_emit(fcinfo, "dmp.audit_log", sql, &args);
	if (n > 0)
		dmp_subject_obstacle(&subject->unread, "dmp.audit_log",
							 psprintf("entries that are not yours to read: %lld", (long long) n),
							 NULL);
}
