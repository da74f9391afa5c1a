/*-------------------------------------------------------------------------
 * insert.c
 *		Batches of decoded records into the target table.
 *
 * A batch is a tuplestore that one INSERT ... SELECT reads, as the caller: so
 * rights, row security, defaults, generated columns, checks, triggers and the
 * routing to partitions are the server's own. It runs in a subtransaction.
 * When the table rejects something, the batch is halved, each half tried
 * again, until the rejected rows are alone: those are reported, all others
 * load. Which errors are a row's own fault is is_rows_fault(); the rest (a
 * cancel, a full disk, a deadlock, a missing function) end the ingest.
 *
 * A record that lacks a column gets the column's default, decided row by row:
 * the column's value carries a flag, and the statement has the default's
 * expression where the flag is set.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

struct DmpInsert
{
	const DmpSource *source;
	MemoryContext context;
	int n_fields;
	int n_columns; /* of a batch row: fields, flags, tag */
	int *flag;     /* a field's flag column, -1: none */
	TupleDesc desc;
	SPIPlanPtr insert;
	SPIPlanPtr known; /* counts keys of the batch that the table has; update only */
	List *deferred;   /* constraints to check at once */
	Tuplestorestate *rows;
	int64 n;
	int64 bytes;
	Datum *values;
	bool *nulls;
};

/* the default of column number (from 0) as an expression, or NULL when it is NULL */
static char *
default_expression(Oid relid, TupleDesc desc, int number)
{
	Form_pg_attribute att = TupleDescAttr(desc, number);
	DmpArgs args = {0};

	/* most columns have none, and live sources ask at each statement */
	if (!att->atthasdef && att->attidentity == '\0' && get_typtype(att->atttypid) != TYPTYPE_DOMAIN)
		return NULL;
	dmp_arg_oid(&args, relid);
	dmp_arg_int4(&args, att->attnum);
	if (att->attidentity != '\0')
	{
		dmp_spi(
			"SELECT pg_catalog.format('pg_catalog.nextval(%L::pg_catalog.regclass)', objid)"
			" FROM pg_catalog.pg_depend WHERE deptype = 'i' AND refobjid = $1 AND refobjsubid = $2"
			" AND classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
			" AND refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass",
			&args, true);
		return dmp_spi_text(0, 1);
	}
	dmp_arg_oid(&args, att->atttypid);
	dmp_spi("SELECT coalesce((SELECT pg_catalog.pg_get_expr(adbin, adrelid)"
			" FROM pg_catalog.pg_attrdef WHERE adrelid = $1 AND adnum = $2),"
			" (SELECT pg_catalog.pg_get_expr(typdefaultbin::pg_node_tree, 0)"
			" FROM pg_catalog.pg_type WHERE oid = $3))",
			&args, true);
	return dmp_spi_text(0, 1);
}

/* INSERT needs the right on the table or on each column: said before anything is done */
static void
check_rights(Oid relid, TupleDesc desc, const DmpColumns *filled, AclMode mode)
{
	if (pg_class_aclcheck(relid, GetUserId(), mode) == ACLCHECK_OK)
		return;
	for (int i = 0; i < filled->n; i++)
	{
		int number = filled->numbers[i];

		if (pg_attribute_aclcheck(relid, TupleDescAttr(desc, number)->attnum, GetUserId(), mode) !=
			ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
	}
}

static void
make_desc(DmpInsert *insert, TupleDesc target, const DmpColumns *filled, char **defaults)
{
	int column;

	insert->n_columns = insert->n_fields + 1;
	for (int i = 0; i < insert->n_fields; i++)
		insert->flag[i] = defaults[i] ? insert->n_columns++ : -1;
	insert->desc = CreateTemplateTupleDesc(insert->n_columns);
	TupleDescInitEntry(insert->desc, 1, "tag", INT4OID, -1, 0);
	for (int i = 0; i < insert->n_fields; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target, filled->numbers[i]);

		TupleDescInitEntry(insert->desc, i + 2, psprintf("c%d", i), att->atttypid, att->atttypmod,
						   att->attndims);
		TupleDescInitEntryCollation(insert->desc, i + 2, att->attcollation);
	}
	for (int i = 0; i < insert->n_fields; i++)
	{
		column = insert->flag[i];
		if (column >= 0)
			TupleDescInitEntry(insert->desc, column + 1, psprintf("d%d", i), BOOLOID, -1, 0);
	}
}

/* the statements, with the batch as relation dmp_batch */
static void
make_statements(DmpInsert *insert, TupleDesc target, const DmpColumns *filled, char **defaults)
{
	const DmpSource *source = insert->source;
	char *table = dmp_relation_name(source->into);
	const char *lake_id = filled->lake_id;
	const char *guarded = NULL;
	StringInfoData columns, values, keys, batch_keys, match, sets, guard, sql;

	initStringInfo(&columns);
	initStringInfo(&values);
	initStringInfo(&keys);
	initStringInfo(&batch_keys);
	initStringInfo(&match);
	initStringInfo(&sets);
	initStringInfo(&guard);
	initStringInfo(&sql);
	for (int i = 0; i < insert->n_fields; i++)
	{
		const char *name = NameStr(TupleDescAttr(target, filled->numbers[i])->attname);
		const char *quoted = quote_identifier(name);

		appendStringInfo(&columns, "%s%s", i ? ", " : "", quoted);
		if (defaults[i])
			appendStringInfo(&values, "%sCASE WHEN b.d%d THEN %s ELSE b.c%d END", i ? ", " : "", i,
							 defaults[i], i);
		else
			appendStringInfo(&values, "%sb.c%d", i ? ", " : "", i);
		if (dmp_list_has(source->key, name))
		{
			const char *comma = keys.len ? ", " : "";

			appendStringInfo(&keys, "%s%s", comma, quoted);
			appendStringInfo(&batch_keys, "%sc%d", comma, i);
			appendStringInfo(&match, "%st.%s = b.c%d", match.len ? " AND " : "", quoted, i);
		}
		else
			appendStringInfo(&sets, "%s%s = excluded.%s", sets.len ? ", " : "", quoted, quoted);
		/* a line never takes the place of a later one of the lake */
		if (lake_id != NULL && strcmp(name, lake_id) == 0 && dmp_source_is_alone(source))
		{
			guarded = quoted;
			appendStringInfo(&guard, " AND (t.%s IS NULL OR t.%s <= b.c%d)", quoted, quoted, i);
		}
	}
	appendStringInfo(&sql, "INSERT INTO %s AS t (%s) SELECT %s FROM ", table, columns.data,
					 values.data);
	if (source->update)
		appendStringInfo(&sql, "(SELECT DISTINCT ON (%s) * FROM dmp_batch ORDER BY %s, tag DESC) b",
						 batch_keys.data, batch_keys.data);
	else if (source->key != NIL)
		/* in one order: two statements that bring the same keys cannot deadlock */
		appendStringInfo(&sql, "(SELECT * FROM dmp_batch ORDER BY %s, tag) b", batch_keys.data);
	else
		appendStringInfoString(&sql, "dmp_batch b");
	if (source->key != NIL)
		appendStringInfo(&sql, " ON CONFLICT (%s) DO ", keys.data);
	if (source->update && sets.len > 0)
	{
		appendStringInfo(&sql, "UPDATE SET %s", sets.data);
		if (guard.len > 0)
			appendStringInfo(&sql, " WHERE t.%s IS NULL OR t.%s <= excluded.%s", guarded, guarded,
							 guarded);
	}
	else if (source->key != NIL)
		appendStringInfoString(&sql, "NOTHING");
	insert->insert = SPI_prepare(sql.data, 0, NULL);
	if (insert->insert == NULL)
		elog(ERROR, "could not prepare: %s", SPI_result_code_string(SPI_result));
	if (!source->update)
		return;
	/* how many rows the statement updates; the others are new */
	resetStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT count(*) FROM (SELECT DISTINCT ON (%s) * FROM dmp_batch"
					 " ORDER BY %s, tag DESC) b WHERE EXISTS (SELECT FROM %s t WHERE %s%s)",
					 batch_keys.data, batch_keys.data, table, match.data, guard.data);
	insert->known = SPI_prepare(sql.data, 0, NULL);
	if (insert->known == NULL)
		elog(ERROR, "could not prepare: %s", SPI_result_code_string(SPI_result));
}

/* constraints of the target that would be checked at commit, when nothing can be quarantined */
static List *
deferred_constraints(Oid relid)
{
	DmpArgs args = {0};
	List *names = NIL;
	Relation rel = relation_open(relid, AccessShareLock);
	bool some = false;
	uint64 n;

	/* each of them has a trigger */
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		some |= rel->trigdesc->triggers[i].tginitdeferred;
	relation_close(rel, AccessShareLock);
	if (!some)
		return NIL;
	dmp_arg_oid(&args, relid);
	n = dmp_spi("SELECT pg_catalog.format('%I.%I', n.nspname, c.conname)"
				" FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n"
				" ON n.oid = c.connamespace WHERE c.conrelid = $1 AND c.condeferred ORDER BY 1",
				&args, true);
	for (uint64 i = 0; i < n; i++)
		names = lappend(names, dmp_spi_text(i, 1));
	return names;
}

static void
new_rows(DmpInsert *insert)
{
	MemoryContext old = MemoryContextSwitchTo(insert->context);

	insert->rows = tuplestore_begin_heap(false, false, work_mem);
	insert->n = 0;
	insert->bytes = 0;
	MemoryContextSwitchTo(old);
}

/*
 * Prepares inserts into the source's table, of which target describes the
 * columns. Within the caller's SPI connection.
 */
DmpInsert *
dmp_insert_begin(const DmpSource *source, TupleDesc target, const DmpColumns *filled)
{
	DmpInsert *insert = palloc0(sizeof(DmpInsert));
	char **defaults;

	insert->source = source;
	insert->context = CurrentMemoryContext;
	insert->n_fields = filled->n;
	insert->flag = palloc(sizeof(int) * insert->n_fields);
	check_rights(source->into, target, filled, ACL_INSERT);
	if (source->update)
		check_rights(source->into, target, filled, ACL_UPDATE);
	defaults = palloc0(sizeof(char *) * insert->n_fields);
	for (int i = 0; i < insert->n_fields; i++)
		defaults[i] = default_expression(source->into, target, filled->numbers[i]);
	make_desc(insert, target, filled, defaults);
	insert->values = palloc(sizeof(Datum) * insert->n_columns);
	insert->nulls = palloc0(sizeof(bool) * insert->n_columns);
	new_rows(insert);
	dmp_register_rows("dmp_batch", insert->desc, insert->rows, DMP_BATCH_ROWS);
	make_statements(insert, target, filled, defaults);
	SPI_unregister_relation("dmp_batch");
	insert->deferred = deferred_constraints(source->into);
	return insert;
}

void
dmp_insert_add(DmpInsert *insert, Datum *values, bool *nulls, bool *absent, int tag)
{
	insert->values[0] = Int32GetDatum(tag);
	memcpy(insert->values + 1, values, sizeof(Datum) * insert->n_fields);
	memcpy(insert->nulls + 1, nulls, sizeof(bool) * insert->n_fields);
	for (int i = 0; i < insert->n_fields; i++)
		if (insert->flag[i] >= 0)
			insert->values[insert->flag[i]] = BoolGetDatum(absent[i]);
	tuplestore_putvalues(insert->rows, insert->desc, insert->values, insert->nulls);
	insert->n++;
}

void
dmp_insert_bytes(DmpInsert *insert, int64 bytes)
{
	insert->bytes += bytes;
}

bool
dmp_insert_full(const DmpInsert *insert)
{
	return insert->n >= DMP_BATCH_ROWS || insert->bytes >= DMP_BATCH_BYTES;
}

/*
 * Whether an error of the statement is the fault of a row: of what it says,
 * or of what a constraint, policy or trigger says about it.
 */
bool
dmp_is_rows_fault(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case MAKE_SQLSTATE('0', '8', '0', '0', '0'): /* connection */
		case MAKE_SQLSTATE('0', 'A', '0', '0', '0'): /* not supported */
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'): /* transaction state */
		case MAKE_SQLSTATE('2', 'D', '0', '0', '0'): /* transaction termination */
		case MAKE_SQLSTATE('2', '8', '0', '0', '0'): /* authorization */
		case MAKE_SQLSTATE('3', 'B', '0', '0', '0'): /* savepoint */
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'): /* rollback */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'): /* resources */
		case MAKE_SQLSTATE('5', '5', '0', '0', '0'): /* object state */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'): /* intervention */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'): /* system */
		case MAKE_SQLSTATE('F', '0', '0', '0', '0'): /* configuration */
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'): /* internal */
			return false;
		case MAKE_SQLSTATE('4', '2', '0', '0', '0'):
			return sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE;
		default:
			return true;
	}
}

/* runs the statements over a batch of n rows; counts what it did */
static void
run_statements(DmpInsert *insert, int64 n, int64 *loaded, int64 *duplicate)
{
	int64 known = 0;
	int64 written;
	int rc;

	if (insert->deferred != NIL)
		dmp_spi(psprintf("SET CONSTRAINTS %s IMMEDIATE", dmp_join(insert->deferred, ", ")), NULL,
				false);
	if (insert->known != NULL)
	{
		rc = SPI_execute_plan(insert->known, NULL, NULL, false, 0);
		if (rc != SPI_OK_SELECT)
			elog(ERROR, "statement failed: %s", SPI_result_code_string(rc));
		known = dmp_spi_int8(0, 1, 0);
	}
	rc = SPI_execute_plan(insert->insert, NULL, NULL, false, 0);
	if (rc != SPI_OK_INSERT)
		elog(ERROR, "statement failed: %s", SPI_result_code_string(rc));
	written = (int64) SPI_processed;
	if (insert->source->key == NIL && written < n)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA), errmsg("a trigger of table \"%s\" left the row out",
												  get_rel_name(insert->source->into))));
	if (insert->deferred != NIL)
		dmp_spi(psprintf("SET CONSTRAINTS %s DEFERRED", dmp_join(insert->deferred, ", ")), NULL,
				false);
	*loaded += written - known;
	*duplicate += n - written + known;
}

/*
 * Tries a batch in a subtransaction. NULL when it is in, else the error, which
 * is the fault of some row.
 */
static ErrorData *
try_rows(DmpInsert *insert, Tuplestorestate *rows, int64 n, int64 *loaded, int64 *duplicate)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;
	volatile int64 new_loaded = 0;
	volatile int64 new_duplicate = 0;

	dmp_register_rows("dmp_batch", insert->desc, rows, n);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		int64 in = 0;
		int64 twice = 0;

		run_statements(insert, n, &in, &twice);
		new_loaded = in;
		new_duplicate = twice;
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	SPI_unregister_relation("dmp_batch");
	if (error == NULL)
	{
		*loaded += new_loaded;
		*duplicate += new_duplicate;
	}
	else if (!dmp_is_rows_fault(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

typedef struct Halving
{
	DmpInsert *insert;
	TupleTableSlot *slot;
	MinimalTuple *tuples;
	void (*rejected)(void *arg, int tag, const DmpRejected *why);
	void *arg;
	int64 *loaded;
	int64 *duplicate;
} Halving;

static void
report_row(Halving *h, int64 at, const ErrorData *error)
{
	DmpRejected why = {0};
	bool isnull;
	int tag;

	ExecStoreMinimalTuple(h->tuples[at], h->slot, false);
	tag = DatumGetInt32(slot_getattr(h->slot, 1, &isnull));
	why.column_name = error->column_name;
	/* "failing row contains" says only what the record says */
	why.reason = error->detail && strncmp(error->detail, "Failing row", 11) != 0
					 ? psprintf("%s: %s", error->message, error->detail)
					 : error->message;
	why.sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	h->rejected(h->arg, tag, &why);
}

/* rows from (inclusive) to (exclusive) are known to hold a bad one; error says of what kind */
static void
halve(Halving *h, int64 from, int64 to, const ErrorData *error)
{
	int64 middle = from + (to - from) / 2;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (to - from == 1)
	{
		report_row(h, from, error);
		return;
	}
	for (int half = 0; half < 2; half++)
	{
		int64 first = half ? middle : from;
		int64 end = half ? to : middle;
		Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
		ErrorData *failed;

		for (int64 i = first; i < end; i++)
		{
			ExecStoreMinimalTuple(h->tuples[i], h->slot, false);
			tuplestore_puttupleslot(rows, h->slot);
		}
		failed = try_rows(h->insert, rows, end - first, h->loaded, h->duplicate);
		tuplestore_end(rows);
		if (failed != NULL)
			halve(h, first, end, failed);
	}
}

void
dmp_insert_flush(DmpInsert *insert, void (*rejected)(void *arg, int tag, const DmpRejected *why),
				 void *arg, int64 *loaded, int64 *duplicate)
{
	MemoryContext context;
	MemoryContext old;
	ErrorData *error;

	if (insert->n == 0)
		return;
	context = AllocSetContextCreate(insert->context, "dmp insert batch", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	error = try_rows(insert, insert->rows, insert->n, loaded, duplicate);
	if (error != NULL)
	{
		Halving h = {insert, NULL, NULL, rejected, arg, loaded, duplicate};
		int64 n = 0;

		h.slot = MakeSingleTupleTableSlot(insert->desc, &TTSOpsMinimalTuple);
		h.tuples = MemoryContextAllocHuge(context, sizeof(MinimalTuple) * insert->n);
		tuplestore_rescan(insert->rows);
		while (tuplestore_gettupleslot(insert->rows, true, false, h.slot))
			h.tuples[n++] = ExecCopySlotMinimalTuple(h.slot);
		halve(&h, 0, n, error);
		ExecDropSingleTupleTableSlot(h.slot);
	}
	tuplestore_end(insert->rows);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	new_rows(insert);
}
