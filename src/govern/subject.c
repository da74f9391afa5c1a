/*-------------------------------------------------------------------------
 * subject.c
 *		Which rows are a subject's, and what becomes of each.
 *
 * From the rows in which a column tagged 'subject' holds the name, along the
 * foreign keys to the rows that refer to them, and on, until nothing new
 * comes: cycles and references of a table to itself end, since a row is
 * followed once for each fate it has. The query of a step joins the rows by
 * their places to the child, so that an index on the child's columns serves.
 *
 * Fates. A row that holds the name has what its table's tags say, or goes. A
 * row that refers to one that goes:
 *
 *	- stays without the reference, where the key says ON DELETE SET NULL or SET
 *	  DEFAULT;
 *	- has what its table's tags say;
 *	- goes, where the key says CASCADE;
 *	- loses the reference and stays, when it names another subject, or refers
 *	  within its own table (the subordinates of a manager, the answers to a
 *	  comment are not the manager's);
 *	- goes, else.
 *
 * A row that refers to one that stays, stays with it: its tagged columns are
 * blanked. What cannot be (a row that has to be kept, or cannot lose its
 * reference) is an obstacle, known before anything is done.
 *
 * Locked rows stay where they are, and nobody can refer to them meanwhile: a
 * foreign key check waits for the lock. New rows that name the subject in a
 * table no key leads to are not kept out.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "access/htup_details.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef struct RowKey
{
	Oid relid;
	ItemPointerData tid;
} RowKey;

typedef struct RowEntry
{
	RowKey key;
	int position;
} RowEntry;

char *
dmp_subject_argument(FunctionCallInfo fcinfo, int arg)
{
	char *subject = dmp_given_text(fcinfo, arg, "subject");

	if (subject[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("subject must not be empty")));
	if (strlen(subject) > DMP_SUBJECT_LONGEST)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("subject is too long"),
						errdetail("It has %zu bytes, at most %d are taken.", strlen(subject),
								  DMP_SUBJECT_LONGEST)));
	return subject;
}

void
dmp_subject_obstacle(List **list, const char *object, const char *reason, const char *hint)
{
	SubjectObstacle *obstacle;
	ListCell *lc;

	foreach (lc, *list)
	{
		obstacle = lfirst(lc);
		if (strcmp(obstacle->object, object) == 0 && strcmp(obstacle->reason, reason) == 0)
			return;
	}
	obstacle = palloc(sizeof(SubjectObstacle));
	obstacle->object = pstrdup(object);
	obstacle->reason = pstrdup(reason);
	obstacle->hint = hint ? pstrdup(hint) : NULL;
	*list = lappend(*list, obstacle);
}

static List *
text_list(uint64 row, int col)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);

	return isnull ? NIL : dmp_text_array_to_list(DatumGetArrayTypeP(value));
}

/* every foreign key of the database, as it was declared: not those that partitions have of it */
static void
load_edges(Subject *subject)
{
	uint64 n = dmp_spi_registry(
		"SELECT c.conname, c.conrelid, c.confrelid, c.confdeltype::text,"
		" ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k(n, o)"
		"  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.o),"
		" ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k(n, o)"
		"  JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.o),"
		" ARRAY(SELECT format('OPERATOR(%I.%s)', s.nspname, p.oprname)"
		"  FROM unnest(c.conpfeqop) WITH ORDINALITY k(n, o) JOIN pg_operator p ON p.oid = k.n"
		"  JOIN pg_namespace s ON s.oid = p.oprnamespace ORDER BY k.o),"
		" ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.conrelid"
		"  AND a.attnum = ANY (c.conkey) AND NOT a.attnotnull AND a.attgenerated = ''"
		"  ORDER BY a.attnum), c.confmatchtype = 'f'"
		" FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid"
		" WHERE c.contype = 'f' AND c.conparentid = 0"
		" AND (r.relpersistence <> 't' OR pg_is_other_temp_schema(r.relnamespace) IS FALSE)"
		" ORDER BY c.conrelid, c.conname",
		NULL, true);

	for (uint64 i = 0; i < n; i++)
	{
		SubjectEdge *edge = palloc(sizeof(SubjectEdge));

		edge->name = dmp_spi_text(i, 1);
		edge->child = (Oid) dmp_spi_int8(i, 2, 0);
		edge->parent = (Oid) dmp_spi_int8(i, 3, 0);
		edge->on_delete = dmp_spi_text(i, 4)[0];
		edge->child_columns = text_list(i, 5);
		edge->parent_columns = text_list(i, 6);
		edge->operators = text_list(i, 7);
		edge->nulled = text_list(i, 8);
		/* MATCH FULL: all or none */
		if (dmp_spi_bool(i, 9, false) &&
			list_length(edge->nulled) < list_length(edge->child_columns))
			edge->nulled = NIL;
		subject->edges = lappend(subject->edges, edge);
	}
}

/* tagged columns but those that say whose row it is to a tenant */
static List *
blanked_columns(Oid relid)
{
	List *all = dmp_tagged_columns(relid, NULL);
	List *tenant = dmp_tagged_columns(relid, "tenant");
	List *columns = NIL;
	ListCell *lc;

	foreach (lc, all)
	{
		if (!dmp_list_has(tenant, lfirst(lc)))
			columns = lappend(columns, lfirst(lc));
	}
	return columns;
}

static bool
may(Oid relid, AclMode mode)
{
	return pg_class_aclcheck(relid, GetUserId(), mode) == ACLCHECK_OK;
}

static SubjectTable *
table_of(Subject *subject, Oid relid)
{
	SubjectTable *table;
	ListCell *lc;

	foreach (lc, subject->tables)
	{
		table = lfirst(lc);
		if (table->relid == relid)
			return table;
	}
	table = palloc0(sizeof(SubjectTable));
	table->relid = relid;
	table->ancestors = get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL;
	table->root = table->ancestors ? llast_oid(table->ancestors) : relid;
	table->ancestors = lcons_oid(relid, table->ancestors);
	table->name = dmp_relation_name(relid);
	table->root_name = dmp_relation_name(table->root);
	table->by_root = table->root != relid &&
					 (!may(relid, ACL_SELECT) ||
					  (subject->erase && (!may(relid, ACL_DELETE) || !may(relid, ACL_UPDATE))));
	table->scan = table->by_root ? table->root_name : psprintf("ONLY %s", table->name);
	table->mode = dmp_tagged_on_erase(relid);
	table->tagged = blanked_columns(relid);
	table->subject = dmp_subject_columns(relid);
	table->max = 64;
	table->tids = palloc(sizeof(ItemPointerData) * table->max);
	table->fates = palloc(table->max);
	table->fresh = palloc(table->max);
	table->detach = palloc(sizeof(Bitmapset *) * table->max);
	subject->tables = lappend(subject->tables, table);
	return table;
}

/* a row, or a stronger fate of one; edge: to let go, -1 none */
static void
add_row(Subject *subject, SubjectTable *table, ItemPointer tid, SubjectFate fate, int edge)
{
	RowKey key;
	RowEntry *entry;
	bool found;

	memset(&key, 0, sizeof(key));
	key.relid = table->relid;
	key.tid = *tid;
	entry = hash_search(subject->rows, &key, HASH_ENTER, &found);
	if (!found)
	{
		if (table->n == table->max)
		{
			table->max *= 2;
			table->tids = repalloc_huge(table->tids, sizeof(ItemPointerData) * (Size) table->max);
			table->fates = repalloc_huge(table->fates, table->max);
			table->fresh = repalloc_huge(table->fresh, table->max);
			table->detach = repalloc_huge(table->detach, sizeof(Bitmapset *) * (Size) table->max);
		}
		entry->position = table->n++;
		table->tids[entry->position] = *tid;
		table->fates[entry->position] = fate;
		table->fresh[entry->position] = fate != SUBJECT_OTHER;
		table->detach[entry->position] = NULL;
	}
	else if (fate > table->fates[entry->position])
	{
		table->fates[entry->position] = fate;
		table->fresh[entry->position] = true;
	}
	if (edge >= 0)
		table->detach[entry->position] = bms_add_member(table->detach[entry->position], edge);
}

bool
dmp_subject_has_row(Subject *subject, Oid relid, ItemPointer tid)
{
	RowKey key;

	memset(&key, 0, sizeof(key));
	key.relid = relid;
	key.tid = *tid;
	return hash_search(subject->rows, &key, HASH_FIND, NULL) != NULL;
}

static SubjectFate
fate_of_mode(const char *mode, SubjectFate otherwise)
{
	if (mode == NULL)
		return otherwise;
	switch (mode[0])
	{
		case 'k':
			return SUBJECT_KEEP;
		case 'b':
			return SUBJECT_BLANK;
		default:
			return SUBJECT_DELETE;
	}
}

static void
note_via(SubjectTable *table, const char *via, int depth)
{
	if (!dmp_list_has(table->via, via))
		table->via = lappend(table->via, pstrdup(via));
	table->depth = Max(table->depth, depth);
}

/* rows of the last statement: leaf, place and, behind a foreign key, whether it is another's */
static bool
get_row(Subject *subject, uint64 i, SubjectTable **table, ItemPointerData *tid)
{
	bool isnull;
	Oid relid;

	CHECK_FOR_INTERRUPTS();
	relid = DatumGetObjectId(dmp_spi_datum(i, 1, &isnull));
	*tid = *(ItemPointer) DatumGetPointer(dmp_spi_datum(i, 2, &isnull));
	if (*table == NULL || (*table)->relid != relid)
	{
		*table = table_of(subject, relid);
	}
	return !isnull;
}

/* rows of a tagged table that hold the name */
static void
find_in_table(Subject *subject, Oid relid)
{
	DmpArgs args = {0};
	List *columns = dmp_subject_columns(relid);
	char *condition = dmp_subject_condition(subject, relid, columns, "t", &args);
	char *unreadable = dmp_subject_unreadable(relid, subject->erase);
	SubjectTable *table = NULL;
	SPITupleTable *result;
	uint64 n;

	if (unreadable)
		dmp_subject_obstacle(&subject->unread, dmp_relation_name(relid), unreadable, NULL);
	if (unreadable && (subject->erase || strncmp(unreadable, "row security", 12) != 0))
		return;
	if (condition == NULL)
		return;
	n = dmp_spi(psprintf("SELECT t.tableoid, t.ctid FROM %s t WHERE %s%s", dmp_relation_name(relid),
						 condition, subject->lock ? " FOR UPDATE" : ""),
				&args, !subject->lock);
	result = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		ItemPointerData tid;

		SPI_tuptable = result;
		if (!get_row(subject, i, &table, &tid))
			continue;
		add_row(subject, table, &tid, fate_of_mode(table->mode, SUBJECT_DELETE), -1);
		note_via(table, psprintf("column %s", dmp_join_identifiers(columns, "")), 0);
	}
	SPI_freetuptable(result);
}

/* what becomes of a row that refers to one with that fate; see the top of the file */
static void
reach(Subject *subject, int position, SubjectFate parent, SubjectTable *child, ItemPointer tid,
	  bool other)
{
	SubjectEdge *edge = list_nth(subject->edges, position);
	bool self = edge->child == edge->parent;
	bool server = edge->on_delete == 'n' || edge->on_delete == 'd';
	SubjectFate stays = child->tagged ? SUBJECT_BLANK : SUBJECT_STAY;
	SubjectFate fate;

	if (!subject->erase)
	{
		if (!other && !(self && edge->on_delete != 'c' && edge->nulled))
			add_row(subject, child, tid, SUBJECT_STAY, -1);
		return;
	}
	if (parent != SUBJECT_DELETE)
	{
		if (!other && !self)
			add_row(subject, child, tid, fate_of_mode(child->mode, stays), -1);
		return;
	}
	if (server || (child->mode && child->mode[0] != 'd'))
		fate = other ? SUBJECT_OTHER : fate_of_mode(child->mode, stays);
	else if (edge->on_delete != 'c' && (other || (self && edge->nulled && child->mode == NULL)))
		fate = SUBJECT_OTHER;
	else
		fate = SUBJECT_DELETE;
	add_row(subject, child, tid, fate, fate == SUBJECT_DELETE ? -1 : position);
	if (fate == SUBJECT_DELETE || server)
		return;
	if (fate == SUBJECT_KEEP)
		dmp_subject_obstacle(
			&subject->obstacles, child->root_name,
			psprintf("its rows are to be kept, and refer to rows of %s that would go, by %s",
					 dmp_relation_name(edge->parent), quote_identifier(edge->name)),
			"Tag a column of that table with on_erase => 'blank'.");
	else if (edge->nulled == NIL)
		dmp_subject_obstacle(
			&subject->obstacles, child->root_name,
			psprintf(
				"its rows stay, and cannot lose their reference to %s by %s, which is not null",
				dmp_relation_name(edge->parent), quote_identifier(edge->name)),
			"Tag a column of that table with on_erase => 'blank', or of this one with 'delete'.");
}

/* SELECT of the rows that refer by an edge to rows of a table, whose places are $1 */
static char *
edge_query(Subject *subject, SubjectEdge *edge, SubjectTable *table, DmpArgs *args)
{
	StringInfoData sql;
	List *columns = dmp_subject_columns(edge->child);
	char *same = dmp_subject_condition(subject, edge->child, columns, "c", args);
	ListCell *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT c.tableoid, c.ctid, ");
	if (columns == NIL)
		appendStringInfoString(&sql, "false");
	else
		appendStringInfo(&sql,
						 "pg_catalog.num_nonnulls(%s) OPERATOR(pg_catalog.>) 0 AND %s IS NOT TRUE",
						 dmp_join_identifiers(columns, "c."), same ? same : "false");
	appendStringInfo(&sql, " FROM %s p JOIN %s%s c ON ", table->scan,
					 get_rel_relkind(edge->child) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					 dmp_relation_name(edge->child));
	foreach (lc, edge->child_columns)
	{
		int i = foreach_current_index(lc);
		const char *parent = quote_identifier(list_nth(edge->parent_columns, i));
		Oid type = getBaseType(
			get_atttype(edge->parent, get_attnum(edge->parent, list_nth(edge->parent_columns, i))));

		if (dmp_subject_by_text(type))
			appendStringInfo(&sql,
							 "%spg_catalog.format('%%s', p.%s) OPERATOR(pg_catalog.=)"
							 " pg_catalog.format('%%s', c.%s)",
							 i ? " AND " : "", parent, quote_identifier(lfirst(lc)));
		else
			appendStringInfo(&sql, "%sp.%s %s c.%s", i ? " AND " : "", parent,
							 (char *) list_nth(edge->operators, i), quote_identifier(lfirst(lc)));
	}
	if (table->by_root)
		appendStringInfo(&sql, " AND p.tableoid OPERATOR(pg_catalog.=) %u::pg_catalog.oid",
						 table->relid);
	appendStringInfo(&sql, " WHERE p.ctid OPERATOR(pg_catalog.=) ANY ($1)%s",
					 subject->lock ? " FOR UPDATE OF c" : "");
	return sql.data;
}

static void
follow_edge(Subject *subject, int position, SubjectTable *table, ItemPointerData *tids, int n,
			SubjectFate fate)
{
	SubjectEdge *edge = list_nth(subject->edges, position);
	DmpArgs args = {0};
	char *unreadable = dmp_subject_unreadable(edge->child, subject->erase);
	SubjectTable *child = NULL;
	SPITupleTable *result;
	uint64 rows;
	char *sql;

	if (unreadable)
		dmp_subject_obstacle(&subject->unread, dmp_relation_name(edge->child), unreadable, NULL);
	if (unreadable && (subject->erase || strncmp(unreadable, "row security", 12) != 0))
		return;
	dmp_arg(&args, TIDARRAYOID, dmp_tid_array(tids, n), false);
	sql = edge_query(subject, edge, table, &args);
	rows = dmp_spi(sql, &args, !subject->lock);
	result = SPI_tuptable;
	for (uint64 i = 0; i < rows; i++)
	{
		ItemPointerData tid;
		bool other;

		SPI_tuptable = result;
		other = dmp_spi_bool(i, 3, false);
		if (!get_row(subject, i, &child, &tid))
			continue;
		reach(subject, position, fate, child, &tid, other);
		note_via(child, psprintf("foreign key %s", quote_identifier(edge->name)),
				 Min(table->depth + 1, 1000));
	}
	SPI_freetuptable(result);
}

/* follows rows of a table that are new or have a new fate; false: there are none */
static bool
follow_table(Subject *subject, SubjectTable *table)
{
	ItemPointerData *places[2];
	int counts[2] = {0, 0};
	int total = table->n;
	ListCell *lc;

	places[0] = palloc_extended(sizeof(ItemPointerData) * (Size) (total + 1), MCXT_ALLOC_HUGE);
	places[1] = palloc_extended(sizeof(ItemPointerData) * (Size) (total + 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < total; i++)
	{
		bool goes = table->fates[i] == SUBJECT_DELETE;

		if (!table->fresh[i])
			continue;
		table->fresh[i] = false;
		places[goes][counts[goes]++] = table->tids[i];
	}
	if (counts[0] + counts[1] == 0)
		return false;
	foreach (lc, subject->edges)
	{
		SubjectEdge *edge = lfirst(lc);

		if (!list_member_oid(table->ancestors, edge->parent))
			continue;
		for (int goes = 0; goes < 2; goes++)
		{
			if (counts[goes] > 0)
				follow_edge(subject, foreach_current_index(lc), table, places[goes], counts[goes],
							goes ? SUBJECT_DELETE : SUBJECT_STAY);
		}
	}
	return true;
}

Subject *
dmp_subject_find(const char *value, bool erase, bool lock, bool untagged)
{
	Subject *subject = palloc0(sizeof(Subject));
	HASHCTL control;
	List *tables;
	ListCell *lc;
	bool more;

	subject->value = pstrdup(value);
	subject->erase = erase;
	subject->lock = lock;
	subject->context = CurrentMemoryContext;
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(RowKey);
	control.entrysize = sizeof(RowEntry);
	control.hcxt = CurrentMemoryContext;
	subject->rows =
		hash_create("dmp rows of a subject", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	load_edges(subject);
	tables = dmp_subject_tables();
	foreach (lc, tables)
	{
		/* what a materialized view holds leaves with a refresh */
		if (erase && get_rel_relkind(lfirst_oid(lc)) == RELKIND_MATVIEW)
			continue;
		find_in_table(subject, lfirst_oid(lc));
	}
	do
	{
		more = false;
		/* the list grows meanwhile */
		for (int i = 0; i < list_length(subject->tables); i++)
			more |= follow_table(subject, list_nth(subject->tables, i));
	} while (more);
	if (untagged)
		dmp_subject_untagged(subject);
	return subject;
}

Datum
dmp_tid_array(ItemPointerData *tids, int n)
{
	Datum *items = palloc_extended(sizeof(Datum) * (Size) (n + 1), MCXT_ALLOC_HUGE);

	for (int i = 0; i < n; i++)
		items[i] = PointerGetDatum(&tids[i]);
	return PointerGetDatum(
		construct_array(items, n, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}

Datum
dmp_subject_places(SubjectTable *table, SubjectFate fate, int *n)
{
	ItemPointerData *tids =
		palloc_extended(sizeof(ItemPointerData) * (Size) (table->n + 1), MCXT_ALLOC_HUGE);

	*n = 0;
	for (int i = 0; i < table->n; i++)
	{
		if (table->fates[i] == fate)
			tids[(*n)++] = table->tids[i];
	}
	return dmp_tid_array(tids, *n);
}

Datum
dmp_subject_detached(SubjectTable *table, int edge, int *n)
{
	ItemPointerData *tids =
		palloc_extended(sizeof(ItemPointerData) * (Size) (table->n + 1), MCXT_ALLOC_HUGE);

	*n = 0;
	for (int i = 0; i < table->n; i++)
	{
		if (table->fates[i] != SUBJECT_DELETE && bms_is_member(edge, table->detach[i]))
			tids[(*n)++] = table->tids[i];
	}
	return dmp_tid_array(tids, *n);
}

const char *
dmp_subject_only_leaf(SubjectTable *table)
{
	return table->by_root
			   ? psprintf(" AND t.tableoid OPERATOR(pg_catalog.=) %u::pg_catalog.oid", table->relid)
			   : "";
}
