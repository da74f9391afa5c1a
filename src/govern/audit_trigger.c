/*-------------------------------------------------------------------------
 * audit_trigger.c
 *		The statement triggers of dmp.audit, and entries of other parts.
 *
 * A statement's old and new rows come as two tuplestores in the same order:
 * the n-th old row became the n-th new one, also when its key changed or it
 * moved to another partition. When their numbers differ (a row trigger of
 * the target partition refused a row that had left another), no pairing is
 * sure and the statement is logged as what it did: rows deleted, rows
 * inserted.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dmp_audit_rows);
PG_FUNCTION_INFO_V1(dmp_audit_truncate);

/* rows of a tuplestore from its beginning, whatever others have read of it */
typedef struct Rows
{
	Tuplestorestate *store;
	int pointer;
	TupleTableSlot *slot;
} Rows;

static void
rows_begin(Rows *rows, Tuplestorestate *store, TupleDesc desc)
{
	rows->store = store;
	rows->pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(store, rows->pointer);
	tuplestore_rescan(store);
	rows->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

static inline bool
rows_next(Rows *rows)
{
	tuplestore_select_read_pointer(rows->store, rows->pointer);
	if (!tuplestore_gettupleslot(rows->store, true, false, rows->slot))
		return false;
	slot_getallattrs(rows->slot);
	return true;
}

static void
rows_end(Rows *rows)
{
	tuplestore_select_read_pointer(rows->store, 0);
	ExecDropSingleTupleTableSlot(rows->slot);
}

/* every row of a store as inserted or deleted */
static void
log_rows(DmpAuditWriter *w, DmpAuditShape *shape, char operation, Tuplestorestate *store,
		 TupleDesc desc, MemoryContext row_memory)
{
	Rows rows;

	rows_begin(&rows, store, desc);
	while (rows_next(&rows))
	{
		StringInfo buf;
		MemoryContext before = MemoryContextSwitchTo(row_memory);

		CHECK_FOR_INTERRUPTS();
		buf = dmp_audit_image_begin(w, shape->id, operation);
		dmp_audit_put_row(buf, shape, rows.slot->tts_values, rows.slot->tts_isnull);
		dmp_audit_image_end(w);
		MemoryContextSwitchTo(before);
		if (row_memory != before)
			MemoryContextReset(row_memory);
	}
	rows_end(&rows);
}

static void
log_changes(DmpAuditWriter *w, DmpAuditShape *shape, Tuplestorestate *old_store,
			Tuplestorestate *new_store, TupleDesc desc, MemoryContext row_memory)
{
	Rows old;
	Rows new;

	if (tuplestore_tuple_count(old_store) != tuplestore_tuple_count(new_store))
	{
		log_rows(w, shape, 'D', old_store, desc, row_memory);
		log_rows(w, shape, 'I', new_store, desc, row_memory);
		return;
	}
	rows_begin(&old, old_store, desc);
	rows_begin(&new, new_store, desc);
	while (rows_next(&old) && rows_next(&new))
	{
		StringInfo buf;
		MemoryContext before = MemoryContextSwitchTo(row_memory);

		CHECK_FOR_INTERRUPTS();
		buf = dmp_audit_image_begin(w, shape->id, 'U');
		if (dmp_audit_put_change(buf, shape, old.slot->tts_values, old.slot->tts_isnull,
								 new.slot->tts_values, new.slot->tts_isnull))
			dmp_audit_image_end(w);
		else
			dmp_audit_image_drop(w);
		MemoryContextSwitchTo(before);
		if (row_memory != before)
			MemoryContextReset(row_memory);
	}
	rows_end(&new);
	rows_end(&old);
}

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *name)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("%s is a trigger of dmp.audit", name)));
	return data;
}

Datum
dmp_audit_rows(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, "dmp_internal.audit_rows()");
	TriggerEvent event = data->tg_event;
	TupleDesc desc = RelationGetDescr(data->tg_relation);
	Tuplestorestate *old = data->tg_oldtable;
	Tuplestorestate *new = data->tg_newtable;
	DmpAuditTable *table;
	DmpAuditWriter *w;
	MemoryContext row_memory;
	int level = 0;

	if (!TRIGGER_FIRED_FOR_STATEMENT(event) || !TRIGGER_FIRED_AFTER(event) ||
		(TRIGGER_FIRED_BY_INSERT(event) && !new) || (TRIGGER_FIRED_BY_DELETE(event) && !old) ||
		(TRIGGER_FIRED_BY_UPDATE(event) && (!old || !new)) || TRIGGER_FIRED_BY_TRUNCATE(event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("a trigger of dmp.audit is made by dmp.audit")));
	if ((!old || tuplestore_tuple_count(old) == 0) && (!new || tuplestore_tuple_count(new) == 0))
		return PointerGetDatum(NULL);

	table = dmp_audit_table(data->tg_relation, data->tg_trigger->tgargs, data->tg_trigger->tgnargs);
	if (table->shape->pinned)
		level = dmp_audit_pin();
	w = dmp_audit_write_begin();
	/* what a single row leaves goes with the call */
	row_memory = CurrentMemoryContext;
	if (tuplestore_tuple_count(old ? old : new) > 1)
		row_memory =
			AllocSetContextCreate(CurrentMemoryContext, "dmp audit row", ALLOCSET_SMALL_SIZES);
	if (TRIGGER_FIRED_BY_UPDATE(event))
		log_changes(w, table->shape, old, new, desc, row_memory);
	else if (TRIGGER_FIRED_BY_INSERT(event))
		log_rows(w, table->shape, 'I', new, desc, row_memory);
	else
		log_rows(w, table->shape, 'D', old, desc, row_memory);
	dmp_audit_write_end(w);
	if (row_memory != CurrentMemoryContext)
		MemoryContextDelete(row_memory);
	if (level)
		AtEOXact_GUC(true, level);
	return PointerGetDatum(NULL);
}

/* ---------- TRUNCATE */

/* counts the rows of one table, and logs them as deleted when shape is given */
static int64
scan_table(Relation rel, DmpAuditWriter *w, DmpAuditShape *shape)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	MemoryContext row_memory =
		AllocSetContextCreate(CurrentMemoryContext, "dmp audit row", ALLOCSET_SMALL_SIZES);
	int64 rows = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		rows++;
		if (shape)
		{
			MemoryContext before;

			slot_getallattrs(slot);
			before = MemoryContextSwitchTo(row_memory);
			dmp_audit_put_row(dmp_audit_image_begin(w, shape->id, 'D'), shape, slot->tts_values,
							  slot->tts_isnull);
			dmp_audit_image_end(w);
			MemoryContextSwitchTo(before);
			MemoryContextReset(row_memory);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(row_memory);
	return rows;
}

/*
 * Before TRUNCATE, which locked the table: its rows are counted by reading
 * it, without asking whether the one who truncates might read. A partitioned
 * table counts its partitions; their rows are logged by their own triggers.
 */
Datum
dmp_audit_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, "dmp_internal.audit_truncate()");
	Relation rel = data->tg_relation;
	bool partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	DmpAuditTable *table;
	DmpAuditWriter *w;
	int64 rows = 0;
	int level = 0;

	if (!TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) || !TRIGGER_FIRED_BEFORE(data->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("a trigger of dmp.audit is made by dmp.audit")));
	table = dmp_audit_table(rel, data->tg_trigger->tgargs, data->tg_trigger->tgnargs);
	if (table->shape->pinned)
		level = dmp_audit_pin();
	w = dmp_audit_write_begin();
	if (partitioned)
	{
		ListCell *lc;

		foreach (lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
		{
			Relation part = table_open(lfirst_oid(lc), AccessShareLock);

			if (part->rd_rel->relkind == RELKIND_RELATION)
				rows += scan_table(part, NULL, NULL);
			table_close(part, NoLock);
		}
	}
	else
		rows = scan_table(rel, w, table->keep_truncated ? table->shape : NULL);
	dmp_audit_write_end(w);
	if (level)
		AtEOXact_GUC(true, level);
	dmp_audit_event(RelationGetRelid(rel), 'T',
					psprintf("{\"rows\": " INT64_FORMAT ", \"kept\": %s}", rows,
							 table->keep_truncated ? "true" : "false"));
	return PointerGetDatum(NULL);
}

/* ---------- other parts */

int64
dmp_audit_event(Oid relid, char operation, const char *json)
{
	MemoryContext memory =
		AllocSetContextCreate(CurrentMemoryContext, "dmp audit event", ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(memory);
	DmpAuditWriter *w = dmp_audit_write_begin();
	int32 shape = dmp_audit_event_shape(relid);
	StringInfo buf;
	int64 entry;

	PreventCommandIfReadOnly("an entry of the audit log");
	PreventCommandIfParallelMode("an entry of the audit log");
	buf = dmp_audit_image_begin(w, shape, operation);
	appendStringInfoCharMacro(buf, DMP_AUDIT_JSON);
	appendStringInfoString(buf, json);
	entry = dmp_audit_image_end(w);
	dmp_audit_write_end(w);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(memory);
	return entry;
}

void
dmp_audit_init(void)
{
	dmp_audit_shape_init();
}
