/*-------------------------------------------------------------------------
 * audit_as_of.c
 *		dmp.as_of(NULL::table, moment): the rows a table had.
 *
 * Rows of now and entries of the log since that moment are sorted by the
 * row's key and the entry's number (within work_mem, then on disk); each key
 * goes backward from its row of now. Without a key a row is its values, and
 * the entries are counted: an entry that made the row takes one away, an
 * entry that ended it adds one.
 *
 * A statement is logged when it ends, after what its row triggers did: the
 * number of entries is not always the order in which a row changed. Within
 * a transaction the entry undone next is therefore the latest that left the
 * row as it is.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_history.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_as_of);

#define FETCH_ROWS 1000
#define FETCH_CHUNKS 20

/* what is sorted */
enum
{
	E_KEY,   /* bytea: values of the key, or of the row */
	E_PLACE, /* int8: number of the entry, twice */
	E_KIND,  /* "char": L row of now, I began here, D ended here, U changed */
	E_XACT,  /* int8 */
	E_IMAGE, /* bytea */
	E_N
};

typedef struct KnownShape
{
	int32 id; /* key of the table */
	DmpAuditShape *shape;
	DmpAuditImage *image;
	DmpHistoryMap *map;
} KnownShape;

typedef struct AsOf
{
	FunctionCallInfo fcinfo;
	DmpHistory *h;
	Relation rel;
	bool partitioned;
	Tuplesortstate *sort;
	TupleDesc desc;
	TupleTableSlot *slot;
	HTAB *shapes;
	MemoryContext memory; /* for the whole */
	MemoryContext row_memory;
	int64 erased;
} AsOf;

/* ---------- gathering */

static void
gather(AsOf *s, int64 place, char kind, int64 xact, DmpRow row, StringInfo image)
{
	StringInfoData key;
	TupleTableSlot *slot = s->slot;

	initStringInfo(&key);
	appendStringInfoSpaces(&key, VARHDRSZ);
	if (s->h->keyed)
		dmp_history_pack_key(&key, s->h, row);
	else
	{
		int i;

		/* what the log does not hold tells no rows apart */
		for (i = 0; i < s->h->shape->n; i++)
			if (s->h->hidden[i])
				row[i].isnull = true;
		dmp_history_pack(&key, s->h, row, NULL);
	}
	SET_VARSIZE(key.data, key.len);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, 0, E_N * sizeof(bool));
	slot->tts_values[E_KEY] = PointerGetDatum(key.data);
	slot->tts_values[E_PLACE] = Int64GetDatum(place);
	slot->tts_values[E_KIND] = CharGetDatum(kind);
	slot->tts_values[E_XACT] = Int64GetDatum(xact);
	slot->tts_isnull[E_IMAGE] = image == NULL;
	if (image)
	{
		SET_VARSIZE(image->data, image->len);
		slot->tts_values[E_IMAGE] = PointerGetDatum(image->data);
	}
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(s->sort, slot);
}

static StringInfo
begin_image(void)
{
	StringInfo image = makeStringInfo();

	appendStringInfoSpaces(image, VARHDRSZ);
	return image;
}

/* a row that began (I) or ended (D) by an entry, or is there now (L) */
static void
gather_row(AsOf *s, int64 place, char kind, int64 xact, DmpRow row)
{
	StringInfo image = NULL;

	if (s->h->keyed && kind != 'I')
	{
		image = begin_image();
		dmp_history_pack(image, s->h, row, NULL);
	}
	gather(s, place, kind, xact, row, image);
}

static void
gather_live(AsOf *s)
{
	TupleDesc desc = RelationGetDescr(s->rel);
	Datum *values = palloc0(Max(desc->natts, 1) * sizeof(Datum));
	bool *nulls = palloc(Max(desc->natts, 1) * sizeof(bool));
	Datum *found = palloc(Max(desc->natts, 1) * sizeof(Datum));
	bool *found_nulls = palloc(Max(desc->natts, 1) * sizeof(bool));
	SPIPlanPtr plan = SPI_prepare(psprintf("SELECT * FROM %s%s", s->partitioned ? "" : "ONLY ",
										   dmp_relation_name(s->h->relid)),
								  0, NULL);
	Portal portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);

	for (;;)
	{
		uint64 i;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(s->row_memory);
			DmpRow row = dmp_history_row(s->h);
			int a;
			int k = 0;

			CHECK_FOR_INTERRUPTS();
			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, found, found_nulls);
			for (a = 0; a < desc->natts; a++)
			{
				nulls[a] = TupleDescAttr(desc, a)->attisdropped || found_nulls[k];
				if (!TupleDescAttr(desc, a)->attisdropped)
					values[a] = found[k++];
			}
			dmp_history_encode(s->h, values, nulls, row);
			gather_row(s, PG_INT64_MAX, 'L', 0, row);
			MemoryContextSwitchTo(before);
			MemoryContextReset(s->row_memory);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_freetuptable(SPI_tuptable);
}

static KnownShape *
known_shape(AsOf *s, int32 id, const char *columns)
{
	bool found;
	KnownShape *known = hash_search(s->shapes, &id, HASH_ENTER, &found);
	MemoryContext before;

	if (found)
		return known;
	before = MemoryContextSwitchTo(s->memory);
	known->shape = dmp_audit_shape_parse(id, columns);
	known->image = dmp_audit_image_make(known->shape);
	known->map = dmp_history_map(s->h, known->shape);
	MemoryContextSwitchTo(before);
	return known;
}

static void
gather_change(AsOf *s, KnownShape *known, int64 entry, int64 xact)
{
	DmpAuditImage *image = known->image;
	DmpRow old = dmp_history_row(s->h);
	DmpRow new = dmp_history_row(s->h);
	bool *has_old = palloc0(Max(s->h->shape->n, 1) * sizeof(bool));
	bool *has_new = palloc0(Max(s->h->shape->n, 1) * sizeof(bool));
	bool *changed = palloc0(Max(s->h->shape->n, 1) * sizeof(bool));
	StringInfo packed;
	int i;

	dmp_history_convert(s->h, known->map, image->old, image->has_old, old, has_old);
	if (image->kind == DMP_AUDIT_MOVE)
	{
		/* what did not change is as it was */
		memcpy(new, old, s->h->shape->n * sizeof(DmpAuditBytes));
		dmp_history_convert(s->h, known->map, image->new, image->has_new, new, has_new);
		gather_row(s, entry * 2, 'D', xact, old);
		gather_row(s, entry * 2 + 1, 'I', xact, new);
		return;
	}
	if (!dmp_history_same_key(s->h, known->map))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the key of table \"%s\" is another than it was",
						RelationGetRelationName(s->rel)),
				 errdetail("Entry " INT64_FORMAT " names a row by the key of its time.", entry)));
	dmp_history_convert(s->h, known->map, image->new, image->has_new, new, has_new);
	for (i = 0; i < s->h->shape->n; i++)
		changed[i] = has_new[i];
	/* hidden values changed to what nobody knows: null before */
	packed = begin_image();
	for (i = 0; i < known->shape->n; i++)
		if (image->changed[i] && known->shape->columns[i].redact)
		{
			int k;

			for (k = 0; k < s->h->shape->n; k++)
				if (strcmp(s->h->shape->columns[k].name, known->shape->columns[i].name) == 0)
				{
					changed[k] = true;
					has_new[k] = false;
				}
		}
	appendBinaryStringInfo(packed, (char *) changed, s->h->shape->n * sizeof(bool));
	appendBinaryStringInfo(packed, (char *) has_new, s->h->shape->n * sizeof(bool));
	dmp_history_pack(packed, s->h, old, changed);
	dmp_history_pack(packed, s->h, new, changed);
	gather(s, entry * 2, 'U', xact, old, packed);
}

static void
gather_image(AsOf *s, KnownShape *known, char operation, int64 entry, int64 xact)
{
	DmpAuditImage *image = known->image;
	bool ended = operation == 'D';
	DmpRow row;
	bool *known_columns;

	if (image->erased)
	{
		s->erased++;
		return;
	}
	if (operation == 'U')
	{
		gather_change(s, known, entry, xact);
		return;
	}
	row = dmp_history_row(s->h);
	known_columns = palloc0(Max(s->h->shape->n, 1) * sizeof(bool));
	dmp_history_convert(s->h, known->map, ended ? image->old : image->new,
						ended ? image->has_old : image->has_new, row, known_columns);
	gather_row(s, entry * 2, operation, xact, row);
}

/* TRUNCATE whose rows were not kept ends what can be known */
static void
check_truncate(AsOf *s, KnownShape *known, Oid relid, const char *at)
{
	char *json;

	if (known->image->erased || get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		return;
	json = pnstrdup(known->image->json, known->image->json_length);
	if (strstr(json, "\"kept\": true") || strstr(json, "\"rows\": 0,"))
		return;
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("rows of \"%s\" are not known: it was truncated at %s",
						   get_rel_name(relid), at),
					errhint("dmp.audit(..., keep_truncated => true) keeps such rows.")));
}

static void
gather_chunk(AsOf *s, uint64 i)
{
	int64 id = dmp_spi_int8(i, 1, 0);
	int64 xact = dmp_spi_int8(i, 2, 0);
	bool isnull;
	char operation = DatumGetChar(dmp_spi_datum(i, 4, &isnull));
	int entries = (int) dmp_spi_int8(i, 5, 0);
	KnownShape *known = known_shape(s, (int32) dmp_spi_int8(i, 3, 0), dmp_spi_text(i, 7));
	bytea *body = DatumGetByteaPP(dmp_spi_datum(i, 6, &isnull));
	Oid relid = (Oid) dmp_spi_int8(i, 8, 0);
	const char *at = dmp_spi_text(i, 9);
	MemoryContext before = MemoryContextSwitchTo(s->row_memory);
	int place;

	for (place = 0; place < entries; place++)
	{
		CHECK_FOR_INTERRUPTS();
		dmp_audit_image_read(known->image, known->shape, operation, VARDATA_ANY(body),
							 VARSIZE_ANY_EXHDR(body), place);
		if (operation == 'T')
			check_truncate(s, known, relid, at);
		else
			gather_image(s, known, operation, id * 1000 + place, xact);
		MemoryContextReset(s->row_memory);
	}
	MemoryContextSwitchTo(before);
}

static void
gather_log(AsOf *s, TimestampTz at)
{
	Oid types[] = {TIMESTAMPTZOID, OIDARRAYOID};
	Datum values[2];
	List *family = find_all_inheritors(s->h->relid, NoLock, NULL);
	Datum *oids = palloc(sizeof(Datum) * list_length(family));
	DmpIdentity saved;
	ListCell *lc;
	SPIPlanPtr plan;
	Portal portal;
	MemoryContext batch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp as of chunks", ALLOCSET_DEFAULT_SIZES);

	if (!s->partitioned)
		family = list_make1_oid(s->h->relid);
	foreach (lc, family)
		oids[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	values[0] = TimestampTzGetDatum(at);
	values[1] = PointerGetDatum(
		construct_array(oids, list_length(family), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	dmp_identity_begin(&saved);
	plan = SPI_prepare("SELECT c.id, c.xact::text::bigint, c.shape, c.operation, c.entries, "
					   "c.body, s.columns::text, s.relation::oid, c.at::text "
					   "FROM dmp_internal.audit_chunk c "
					   "JOIN dmp_internal.audit_shape s ON s.id = c.shape "
					   "WHERE c.at > $1 AND s.relation::oid = ANY ($2) "
					   "AND c.operation IN ('I', 'U', 'D', 'T')",
					   2, types);
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	for (;;)
	{
		uint64 i;
		uint64 n;

		MemoryContext before;

		SPI_cursor_fetch(portal, true, FETCH_CHUNKS);
		n = SPI_processed;
		if (n == 0)
			break;
		before = MemoryContextSwitchTo(batch);
		for (i = 0; i < n; i++)
			gather_chunk(s, i);
		MemoryContextSwitchTo(before);
		MemoryContextReset(batch);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_freetuptable(SPI_tuptable);
	dmp_identity_end(&saved);
}

/* ---------- going back */

typedef struct Event
{
	char kind;
	bool done;
	int64 xact;
	char *image;
} Event;

/* whether the entry can be what left the row in this state */
static bool
fits(AsOf *s, Event *event, bool there, DmpRow row)
{
	int n = s->h->shape->n;
	const bool *changed = (bool *) event->image;
	const bool *has_new = changed + n;
	DmpRow old;
	const char *at;
	int i;

	if (event->kind == 'D')
		return !there;
	if (event->kind == 'I' || !there)
		return there;
	old = dmp_history_row(s->h);
	at = dmp_history_unpack(event->image + 2 * n, s->h, old, changed);
	dmp_history_unpack(at, s->h, old, changed);
	for (i = 0; i < n; i++)
		if (changed[i] && has_new[i] &&
			(row[i].isnull != old[i].isnull ||
			 (!row[i].isnull && (row[i].length != old[i].length ||
								 memcmp(row[i].data, old[i].data, row[i].length) != 0))))
			return false;
	return true;
}

static void
put_result(AsOf *s, DmpRow row, int64 times)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) s->fcinfo->resultinfo;
	int natts = Max(RelationGetNumberOfAttributes(s->rel), 1);
	Datum *values = palloc0(natts * sizeof(Datum));
	bool *nulls = palloc(natts * sizeof(bool));

	memset(nulls, true, natts * sizeof(bool));
	dmp_history_decode(s->h, row, values, nulls);
	for (; times > 0; times--)
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* events of one key in order, then what it is now: as it was before all of them */
static void
finish_keyed(AsOf *s, Event *events, int n, char *live)
{
	DmpRow row = dmp_history_row(s->h);
	bool there = live != NULL;
	int left = n;

	if (live)
		dmp_history_unpack(live, s->h, row, NULL);
	while (left > 0)
	{
		int last = left - 1;
		int pick;
		Event *event;

		CHECK_FOR_INTERRUPTS();
		if (events[last].done)
		{
			left--;
			continue;
		}
		for (pick = last; pick >= 0 && events[pick].xact == events[last].xact; pick--)
			if (!events[pick].done && fits(s, &events[pick], there, row))
				break;
		if (pick < 0 || events[pick].xact != events[last].xact)
			pick = last;
		event = &events[pick];
		event->done = true;
		if (event->kind == 'U')
			dmp_history_unpack(event->image + 2 * s->h->shape->n, s->h, row, (bool *) event->image);
		else
		{
			there = event->kind == 'D';
			if (there)
				dmp_history_unpack(event->image, s->h, row, NULL);
		}
	}
	if (there)
		put_result(s, row, 1);
}

static char *
copy_bytes(Datum value)
{
	bytea *bytes = DatumGetByteaPP(value);
	char *copy = palloc(VARSIZE_ANY_EXHDR(bytes) + 1);

	memcpy(copy, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	return copy;
}

static void
finish_group(AsOf *s, Event *events, int n, char *live, int64 count, bytea *key)
{
	if (s->h->keyed)
		finish_keyed(s, events, n, live);
	else if (count < 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("the log of table \"%s\" does not explain its rows",
							   RelationGetRelationName(s->rel)),
						errdetail("A row was written while it was not audited, or its columns "
								  "changed since.")));
	else if (count > 0)
	{
		DmpRow row = dmp_history_row(s->h);

		dmp_history_unpack(VARDATA_ANY(key), s->h, row, NULL);
		put_result(s, row, count);
	}
}

static void
go_back(AsOf *s)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(s->desc, &TTSOpsMinimalTuple);
	MemoryContext group =
		AllocSetContextCreate(CurrentMemoryContext, "dmp as of group", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(group);
	bytea *key = NULL;
	Event *events = NULL;
	char *live = NULL;
	int64 count = 0;
	int n = 0;
	int room = 0;

	tuplesort_performsort(s->sort);
	for (;;)
	{
		bool more = tuplesort_gettupleslot(s->sort, true, false, slot, NULL);
		bytea *next = NULL;
		char kind;

		CHECK_FOR_INTERRUPTS();
		if (more)
		{
			slot_getallattrs(slot);
			next = DatumGetByteaPP(slot->tts_values[E_KEY]);
		}
		if (key && (!more || VARSIZE_ANY(next) != VARSIZE_ANY(key) ||
					memcmp(next, key, VARSIZE_ANY(key)) != 0))
		{
			finish_group(s, events, n, live, count, key);
			MemoryContextReset(group);
			key = NULL;
			events = NULL;
			live = NULL;
			count = n = room = 0;
		}
		if (!more)
			break;
		if (key == NULL)
		{
			key = palloc(VARSIZE_ANY(next));
			memcpy(key, next, VARSIZE_ANY(next));
		}
		kind = DatumGetChar(slot->tts_values[E_KIND]);
		count += kind == 'I' ? -1 : 1;
		if (!s->h->keyed)
			continue;
		if (kind == 'L')
		{
			live = copy_bytes(slot->tts_values[E_IMAGE]);
			continue;
		}
		if (n == room)
		{
			room = Max(room * 2, 8);
			events =
				events ? repalloc_huge(events, room * sizeof(Event)) : palloc(room * sizeof(Event));
		}
		events[n].kind = kind;
		events[n].done = false;
		events[n].xact = DatumGetInt64(slot->tts_values[E_XACT]);
		events[n].image = slot->tts_isnull[E_IMAGE] ? NULL : copy_bytes(slot->tts_values[E_IMAGE]);
		n++;
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(group);
	ExecDropSingleTupleTableSlot(slot);
}

/* ---------- the function */

/* when its log begins; false: it has none */
static bool
audited_since(Oid relid, TimestampTz *since)
{
	DmpArgs args = {0};
	bool isnull;

	dmp_arg_oid(&args, relid);
	if (dmp_spi_registry("SELECT min(since) FROM dmp_internal.audited WHERE relation::oid = $1 "
						 "HAVING count(*) > 0",
						 &args, true) == 0)
		return false;
	*since = DatumGetTimestampTz(dmp_spi_datum(0, 1, &isnull));
	return true;
}

static void
begin_sort(AsOf *s)
{
	AttrNumber columns[] = {E_KEY + 1, E_PLACE + 1};
	Oid operators[2];
	Oid collations[] = {InvalidOid, InvalidOid};
	bool nulls_first[] = {false, false};
	HASHCTL control = {0};

	operators[0] = lookup_type_cache(BYTEAOID, TYPECACHE_LT_OPR)->lt_opr;
	operators[1] = lookup_type_cache(INT8OID, TYPECACHE_LT_OPR)->lt_opr;
	s->desc = CreateTemplateTupleDesc(E_N);
	TupleDescInitEntry(s->desc, E_KEY + 1, "key", BYTEAOID, -1, 0);
	TupleDescInitEntry(s->desc, E_PLACE + 1, "place", INT8OID, -1, 0);
	TupleDescInitEntry(s->desc, E_KIND + 1, "kind", CHAROID, -1, 0);
	TupleDescInitEntry(s->desc, E_XACT + 1, "xact", INT8OID, -1, 0);
	TupleDescInitEntry(s->desc, E_IMAGE + 1, "image", BYTEAOID, -1, 0);
	s->slot = MakeSingleTupleTableSlot(s->desc, &TTSOpsVirtual);
	s->sort = tuplesort_begin_heap(s->desc, 2, columns, operators, collations, nulls_first,
								   work_mem, NULL, TUPLESORT_NONE);
	control.keysize = sizeof(int32);
	control.entrysize = sizeof(KnownShape);
	control.hcxt = CurrentMemoryContext;
	s->shapes =
		hash_create("dmp as of shapes", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* a partition is what its audited parent had within its bounds */
static void
as_of_partition(FunctionCallInfo fcinfo, Relation rel, Oid root, Datum at)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char *bounds = TextDatumGetCString(DirectFunctionCall1(
		pg_get_partition_constraintdef, ObjectIdGetDatum(RelationGetRelid(rel))));
	TupleDesc desc = RelationGetDescr(rel);
	Datum *values = palloc0(Max(desc->natts, 1) * sizeof(Datum));
	bool *nulls = palloc(Max(desc->natts, 1) * sizeof(bool));
	Oid types[] = {TIMESTAMPTZOID};
	Portal portal = SPI_cursor_open_with_args(
		NULL,
		psprintf("SELECT %s FROM dmp.as_of(NULL::%s, $1) AS %s WHERE %s",
				 dmp_join_identifiers(dmp_column_names(desc), ""), dmp_relation_name(root),
				 quote_identifier(get_rel_name(RelationGetRelid(rel))), bounds),
		1, types, &at, NULL, true, 0);
	uint64 i;

	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			int a;
			int k = 0;

			CHECK_FOR_INTERRUPTS();
			for (a = 0; a < desc->natts; a++)
				if (TupleDescAttr(desc, a)->attisdropped)
					nulls[a] = true;
				else
					values[a] = dmp_spi_datum(i, ++k, &nulls[a]);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/* the topmost audited table whose partition this is, or InvalidOid */
static Oid
audited_root(Relation rel)
{
	Oid root = InvalidOid;
	TimestampTz since;
	ListCell *lc;

	if (!rel->rd_rel->relispartition)
		return InvalidOid;
	foreach (lc, get_partition_ancestors(RelationGetRelid(rel)))
		if (audited_since(lfirst_oid(lc), &since))
			root = lfirst_oid(lc);
	return root;
}

static void
check_past(Relation rel, TimestampTz at)
{
	TimestampTz since;

	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("row security hides rows of table \"%s\" from you",
							   RelationGetRelationName(rel)),
						errdetail("Its past is not under the policies of today.")));
	if (!audited_since(RelationGetRelid(rel), &since))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table \"%s\" is not audited", RelationGetRelationName(rel)),
						errhint("SELECT dmp.audit(%s) logs its changes from now on.",
								quote_literal_cstr(dmp_relation_name(RelationGetRelid(rel))))));
	if (at < since)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("table \"%s\" was not audited yet at %s",
							   RelationGetRelationName(rel), timestamptz_to_str(at)),
						errdetail("Its log begins at %s.", pstrdup(timestamptz_to_str(since)))));
}

/*
 * dmp.as_of(base, at) -> SETOF base's type: only the type of base counts.
 * Reads as the caller, who must be allowed to read the whole table.
 */
Datum
dmp_as_of(PG_FUNCTION_ARGS)
{
	Oid relid = get_typ_typrelid(get_fn_expr_argtype(fcinfo->flinfo, 0));
	AsOf s = {0};
	int level;
	Oid root;

	if (!OidIsValid(relid) || (get_rel_relkind(relid) != RELKIND_RELATION &&
							   get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("the first argument is no row of a table"),
						errhint("Write NULL::name_of_table.")));
	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(1))
		return (Datum) 0;
	level = dmp_audit_pin();
	s.fcinfo = fcinfo;
	s.rel = table_open(relid, AccessShareLock);
	s.partitioned = s.rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	dmp_spi_connect();
	s.memory = CurrentMemoryContext;
	root = audited_root(s.rel);
	if (OidIsValid(root))
		as_of_partition(fcinfo, s.rel, root, PG_GETARG_DATUM(1));
	else
	{
		check_past(s.rel, PG_GETARG_TIMESTAMPTZ(1));
		s.h = dmp_history_begin(s.rel);
		s.row_memory =
			AllocSetContextCreate(CurrentMemoryContext, "dmp as of row", ALLOCSET_DEFAULT_SIZES);
		begin_sort(&s);
		gather_live(&s);
		gather_log(&s, PG_GETARG_TIMESTAMPTZ(1));
		go_back(&s);
		tuplesort_end(s.sort);
		if (s.erased > 0)
			ereport(WARNING,
					(errmsg(INT64_FORMAT " entries of the log of table \"%s\" were erased",
							s.erased, RelationGetRelationName(s.rel)),
					 errdetail("Rows they were about may be missing, or as they became.")));
	}
	dmp_spi_finish();
	table_close(s.rel, AccessShareLock);
	AtEOXact_GUC(true, level);
	return (Datum) 0;
}
