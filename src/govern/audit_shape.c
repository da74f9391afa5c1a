/*-------------------------------------------------------------------------
 * audit_shape.c
 *		Shapes: which columns of a table the log holds, how, and which of them
 *		are its key.
 *
 * A shape is a row of dmp_internal.audit_shape, found by the hash of its
 * text, made when a table changed since. A session keeps what it knows of a
 * table until the server says that the table changed, or until a transaction
 * that made a shape rolls back.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

typedef struct EventShape
{
	Oid relid;
	int32 id;
} EventShape;

static HTAB *tables;
static HTAB *event_shapes;
/* a shape was made by the transaction under way: ids known may go with it */
static bool made_shapes;

/* ---------- from a stored row */

DmpAuditShape *
dmp_audit_shape_parse(int32 id, const char *columns)
{
	static const char what[] = "columns of an audited table";
	DmpAuditShape *shape = palloc0(sizeof(DmpAuditShape));
	DmpDoc *doc = dmp_doc_parse(columns, what);
	DmpDoc *list = doc->kind == DMP_DOC_OBJECT ? dmp_doc_get(doc, "columns") : NULL;
	char *encoding;
	int i;

	if (list == NULL || list->kind != DMP_DOC_ARRAY || list->n > MaxHeapAttributeNumber)
		dmp_audit_corrupt("A shape has no list of columns.");
	shape->id = id;
	shape->n = list->n;
	encoding = dmp_doc_string(doc, "encoding", "UTF8", what);
	shape->encoding = pg_char_to_encoding(encoding);
	if (shape->encoding < 0)
		dmp_audit_corrupt("A shape is of an unknown encoding.");
	shape->columns = palloc0(Max(shape->n, 1) * sizeof(DmpAuditColumn));
	shape->key = palloc0(Max(shape->n, 1) * sizeof(int));
	for (i = 0; i < shape->n; i++)
	{
		DmpAuditColumn *column = &shape->columns[i];
		DmpDoc *item = list->items[i];
		char *coding;

		if (item->kind != DMP_DOC_OBJECT)
			dmp_audit_corrupt("A column of a shape is no object.");
		column->name = dmp_doc_string(item, "name", "", what);
		column->type_name = dmp_doc_string(item, "type", "text", what);
		coding = dmp_doc_string(item, "coding", "", what);
		if (!dmp_audit_coding_find(coding, &column->coding))
			dmp_audit_corrupt("A column of a shape is of an unknown coding.");
		column->key = (int) dmp_doc_number(item, "key", 0, what);
		column->redact = dmp_doc_bool(item, "redact", false, what);
		if (column->key < 0 || column->key > shape->n)
			dmp_audit_corrupt("A column of a shape has no place in the key.");
		if (column->key > 0)
		{
			shape->key[column->key - 1] = i;
			shape->n_key = Max(shape->n_key, column->key);
		}
	}
	return shape;
}

/* ---------- from a table */

Oid
dmp_audit_key_index(Relation rel)
{
	Oid index = dmp_primary_key_index(rel);

	return OidIsValid(index) ? index : RelationGetReplicaIndex(rel);
}

/* place of each attribute in the key, from 1 */
static int
find_key(Relation rel, int *key, const bool *excluded, const bool *redacted)
{
	Oid index = dmp_audit_key_index(rel);
	HeapTuple tuple;
	Form_pg_index form;
	int n;
	int i;

	if (!OidIsValid(index))
		return 0;
	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for index %u", index);
	form = (Form_pg_index) GETSTRUCT(tuple);
	n = form->indnkeyatts;
	for (i = 0; i < n; i++)
	{
		AttrNumber attnum = form->indkey.values[i];

		/* what is hidden identifies no row */
		if (attnum <= 0 || excluded[attnum - 1] || redacted[attnum - 1])
		{
			memset(key, 0, RelationGetNumberOfAttributes(rel) * sizeof(int));
			n = 0;
			break;
		}
		key[attnum - 1] = i + 1;
	}
	ReleaseSysCache(tuple);
	return n;
}

/* columns of a table that are left out or hidden, and how the registry calls them */
typedef struct Choice
{
	TupleDesc desc;
	bool *marks[2]; /* left out, hidden */
	bool missing;   /* a name of the lists is none of the table's columns */
	bool missed[2];
	bool renamed; /* by place there is another name */
	List *names[2];
} Choice;

static int
find_column(TupleDesc desc, const char *name)
{
	int a;

	for (a = 0; a < desc->natts; a++)
		if (!TupleDescAttr(desc, a)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, a)->attname), name) == 0)
			return a;
	return -1;
}

/* by place in the table the columns were named in (places), by name in a restored one */
static void
mark(Choice *choice, int kind, ArrayType *names, ArrayType *places)
{
	TupleDesc desc = choice->desc;
	int n_places = places && ARR_NDIM(places) == 1 ? ARR_DIMS(places)[0] : 0;
	int16 *at = n_places > 0 ? (int16 *) ARR_DATA_PTR(places) : NULL;
	ListCell *lc;

	foreach (lc, dmp_text_array_to_list(names))
	{
		char *name = lfirst(lc);
		int i = foreach_current_index(lc);
		int a = i < n_places ? at[i] - 1 : find_column(desc, name);

		if (i < n_places && a >= 0 && a < desc->natts)
		{
			char *now = NameStr(TupleDescAttr(desc, a)->attname);

			if (!TupleDescAttr(desc, a)->attisdropped && strcmp(now, name) != 0)
			{
				choice->renamed = true;
				name = pstrdup(now);
			}
		}
		choice->names[kind] = lappend(choice->names[kind], name);
		if (a >= 0 && a < desc->natts)
			choice->marks[kind][a] = true;
		else if (a < 0)
			choice->missing = choice->missed[kind] = true;
	}
}

/*
 * A column that was to be left out or hidden was renamed and nothing wrote to
 * the table before it was dumped and restored: which one it is, is not known.
 * Columns that are not in the last shape are taken for it.
 */
static void
mark_unknown(Choice *choice, Oid relid)
{
	int kind = choice->missed[0] ? 0 : 1;
	DmpAuditShape *last;
	DmpArgs args = {0};
	int a;
	int i;

	dmp_arg_oid(&args, relid);
	if (dmp_spi_registry("SELECT id, columns::text FROM dmp_internal.audit_shape "
						 "WHERE relation::oid = $1 AND json_array_length(columns -> 'columns') > 0 "
						 "ORDER BY id DESC LIMIT 1",
						 &args, true) == 0)
		return;
	last = dmp_audit_shape_parse((int32) dmp_spi_int8(0, 1, 0), dmp_spi_text(0, 2));
	for (a = 0; a < choice->desc->natts; a++)
	{
		Form_pg_attribute att = TupleDescAttr(choice->desc, a);

		if (att->attisdropped || choice->marks[0][a] || choice->marks[1][a])
			continue;
		for (i = 0; i < last->n; i++)
			if (strcmp(last->columns[i].name, NameStr(att->attname)) == 0)
				break;
		if (i == last->n)
			choice->marks[kind][a] = true;
	}
}

/* names that the registry should say from now on */
static void
store_names(Choice *choice, Oid relid)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, relid);
	dmp_arg_text_array(&args, choice->names[0]);
	dmp_arg_text_array(&args, choice->names[1]);
	dmp_spi_registry("UPDATE dmp_internal.audited SET exclude = $2, redact = $3 "
					 "WHERE relation::oid = $1",
					 &args, false);
}

static ArrayType *
array_from_text(const char *text)
{
	return DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, (char *) text, TEXTOID, -1));
}

/* the choice of columns: of the registry, else (rows of it not restored) of the trigger */
static void
read_choice(Relation rel, char **trigger_args, int n_args, bool may_write, bool *excluded,
			bool *redacted, bool *keep_truncated)
{
	Oid relid = RelationGetRelid(rel);
	Choice choice = {RelationGetDescr(rel)};
	DmpArgs args = {0};

	choice.marks[0] = excluded;
	choice.marks[1] = redacted;
	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	if (dmp_spi_registry("SELECT exclude, redact, exclude_at, redact_at, keep_truncated, "
						 "relid = $1 FROM dmp_internal.audited "
						 "WHERE relation::oid = $1 ORDER BY since DESC LIMIT 1",
						 &args, !may_write) > 0)
	{
		bool isnull;
		bool same = dmp_spi_bool(0, 6, false);
		ArrayType *lists[4];
		int i;

		for (i = 0; i < 4; i++)
			lists[i] = DatumGetArrayTypeP(dmp_spi_datum(0, i + 1, &isnull));
		*keep_truncated = dmp_spi_bool(0, 5, false);
		mark(&choice, 0, lists[0], same ? lists[2] : NULL);
		mark(&choice, 1, lists[1], same ? lists[3] : NULL);
		if (choice.renamed && may_write)
			store_names(&choice, relid);
	}
	else if (n_args >= 3)
	{
		mark(&choice, 0, array_from_text(trigger_args[0]), NULL);
		mark(&choice, 1, array_from_text(trigger_args[1]), NULL);
		*keep_truncated = strcmp(trigger_args[2], "true") == 0;
	}
	if (choice.missing)
		mark_unknown(&choice, relid);
	dmp_spi_finish();
}

/*
 * The names that go into shapes and come out of the log are quoted only where
 * they have to be, whatever quote_all_identifiers says.
 */
static char *
plain_name(Oid relid, Oid type, int32 typmod)
{
	bool saved = quote_all_identifiers;
	char *name = NULL;

	quote_all_identifiers = false;
	PG_TRY();
	{
		name = OidIsValid(relid)
				   ? dmp_relation_name(relid)
				   : format_type_extended(type, typmod,
										  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	}
	PG_FINALLY();
	{
		quote_all_identifiers = saved;
	}
	PG_END_TRY();
	return name;
}

char *
dmp_audit_relation_name(Oid relid)
{
	return plain_name(relid, InvalidOid, -1);
}

static char *
type_name(Oid type, int32 typmod)
{
	char *name = plain_name(InvalidOid, type, typmod);

	return strncmp(name, "pg_catalog.", 11) == 0 ? name + 11 : name;
}

static DmpAuditShape *
make_shape(Relation rel, const bool *excluded, const bool *redacted)
{
	TupleDesc desc = RelationGetDescr(rel);
	DmpAuditShape *shape = palloc0(sizeof(DmpAuditShape));
	int *key = palloc0(Max(desc->natts, 1) * sizeof(int));
	int a;

	shape->encoding = GetDatabaseEncoding();
	shape->n_key = find_key(rel, key, excluded, redacted);
	shape->key = palloc0(Max(desc->natts, 1) * sizeof(int));
	shape->columns = palloc0(Max(desc->natts, 1) * sizeof(DmpAuditColumn));
	for (a = 0; a < desc->natts; a++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, a);
		DmpAuditColumn *column = &shape->columns[shape->n];
		Oid base;
		Oid output;
		bool varlena;

		if (att->attisdropped || excluded[a] || dmp_attribute_is_virtual(att))
			continue;
		base = getBaseType(att->atttypid);
		column->name = pstrdup(NameStr(att->attname));
		column->type_name = type_name(att->atttypid, att->atttypmod);
		column->coding = dmp_audit_coding(base);
		column->key = key[a];
		column->redact = redacted[a];
		column->attnum = a + 1;
		column->type = att->atttypid;
		column->len = att->attlen;
		column->byval = att->attbyval;
		if (column->coding == DMP_AUDIT_TEXT)
		{
			getTypeOutputInfo(att->atttypid, &output, &varlena);
			fmgr_info_cxt(output, &column->output, CurrentMemoryContext);
			shape->pinned |= !column->redact && dmp_audit_type_is_pinned(base);
		}
		if (key[a] > 0)
			shape->key[key[a] - 1] = shape->n;
		shape->n++;
	}
	return shape;
}

static char *
shape_json(const DmpAuditShape *shape)
{
	StringInfoData buf;
	int i;

	initStringInfo(&buf);
	appendStringInfo(&buf, "{\"encoding\": \"%s\", \"columns\": [",
					 pg_encoding_to_char(GetDatabaseEncoding()));
	for (i = 0; shape && i < shape->n; i++)
	{
		DmpAuditColumn *column = &shape->columns[i];

		appendStringInfoString(&buf, i > 0 ? ", {\"name\": " : "{\"name\": ");
		escape_json(&buf, column->name);
		appendStringInfoString(&buf, ", \"type\": ");
		escape_json(&buf, column->type_name);
		appendStringInfo(&buf, ", \"coding\": \"%s\"", dmp_audit_coding_name(column->coding));
		if (column->key)
			appendStringInfo(&buf, ", \"key\": %d", column->key);
		if (column->redact)
			appendStringInfoString(&buf, ", \"redact\": true");
		appendStringInfoChar(&buf, '}');
	}
	appendStringInfoString(&buf, "]}");
	return buf.data;
}

/* number of the stored shape of that text, which is stored now when there is none */
static int32
store_shape(Oid relid, const char *columns)
{
	char *name = OidIsValid(relid) ? dmp_audit_relation_name(relid) : "";
	StringInfoData text;
	DmpArgs args = {0};
	Datum hash;
	int32 id;

	initStringInfo(&text);
	appendStringInfoString(&text, name);
	appendStringInfoChar(&text, '\0');
	appendStringInfoString(&text, columns);
	hash = DirectFunctionCall1(sha256_bytea,
							   PointerGetDatum(cstring_to_text_with_len(text.data, text.len)));
	dmp_arg_oid(&args, relid);
	dmp_arg(&args, BYTEAOID, hash, false);
	dmp_spi_connect();
	if (dmp_spi_registry("SELECT id FROM dmp_internal.audit_shape "
						 "WHERE relation::oid = $1 AND hash = $2 ORDER BY id LIMIT 1",
						 &args, false) == 0)
	{
		dmp_arg_text(&args, name);
		dmp_arg_text(&args, columns);
		dmp_spi_registry("INSERT INTO dmp_internal.audit_shape "
						 "(relation, hash, relation_name, columns) "
						 "VALUES ($1, $2, $3, $4::json) RETURNING id",
						 &args, false);
		made_shapes = true;
	}
	id = (int32) dmp_spi_int8(0, 1, 0);
	dmp_spi_finish();
	return id;
}

static void
fill_table(DmpAuditTable *table, Relation rel, char **trigger_args, int n_args)
{
	int natts = Max(RelationGetNumberOfAttributes(rel), 1);
	bool *excluded = palloc0(natts * sizeof(bool));
	bool *redacted = palloc0(natts * sizeof(bool));
	bool keep_truncated = false;
	MemoryContext memory;
	MemoryContext before;
	DmpAuditShape *shape;

	if (table->memory)
		MemoryContextDelete(table->memory);
	table->memory = NULL;
	table->valid = true; /* until something arrives while we look */
	read_choice(rel, trigger_args, n_args, true, excluded, redacted, &keep_truncated);
	memory = AllocSetContextCreate(CacheMemoryContext, "dmp audited table", ALLOCSET_SMALL_SIZES);
	table->memory = memory;
	before = MemoryContextSwitchTo(memory);
	shape = make_shape(rel, excluded, redacted);
	MemoryContextSwitchTo(before);
	shape->id = store_shape(RelationGetRelid(rel), shape_json(shape));
	table->shape = shape;
	table->keep_truncated = keep_truncated;
	pfree(excluded);
	pfree(redacted);
}

DmpAuditShape *
dmp_audit_shape_now(Relation rel)
{
	int natts = Max(RelationGetNumberOfAttributes(rel), 1);
	bool *excluded = palloc0(natts * sizeof(bool));
	bool *redacted = palloc0(natts * sizeof(bool));
	bool keep_truncated = false;

	read_choice(rel, NULL, 0, false, excluded, redacted, &keep_truncated);
	return make_shape(rel, excluded, redacted);
}

DmpAuditTable *
dmp_audit_table(Relation rel, char **trigger_args, int n_args)
{
	Oid relid = RelationGetRelid(rel);
	bool found;
	DmpAuditTable *table;

	if (tables == NULL)
	{
		HASHCTL control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(DmpAuditTable);
		control.hcxt = CacheMemoryContext;
		tables =
			hash_create("dmp audited tables", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	table = hash_search(tables, &relid, HASH_ENTER, &found);
	if (!found)
	{
		table->valid = false;
		table->memory = NULL;
		table->shape = NULL;
	}
	if (!table->valid)
	{
		PG_TRY();
		{
			fill_table(table, rel, trigger_args, n_args);
		}
		PG_CATCH();
		{
			table->valid = false;
			PG_RE_THROW();
		}
		PG_END_TRY();
	}
	return table;
}

int32
dmp_audit_event_shape(Oid relid)
{
	EventShape *event;
	int32 id;

	if (event_shapes == NULL)
	{
		HASHCTL control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(EventShape);
		control.hcxt = CacheMemoryContext;
		event_shapes =
			hash_create("dmp audited events", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	event = hash_search(event_shapes, &relid, HASH_FIND, NULL);
	if (event)
		return event->id;
	id = store_shape(relid, shape_json(NULL));
	event = hash_search(event_shapes, &relid, HASH_ENTER, NULL);
	event->id = id;
	return id;
}

/* ---------- forgetting */

static void
forget(Oid relid)
{
	HASH_SEQ_STATUS scan;
	DmpAuditTable *table;
	EventShape *event;

	if (tables)
	{
		hash_seq_init(&scan, tables);
		while ((table = hash_seq_search(&scan)) != NULL)
			if (!OidIsValid(relid) || table->relid == relid)
				table->valid = false;
	}
	if (event_shapes)
	{
		hash_seq_init(&scan, event_shapes);
		while ((event = hash_seq_search(&scan)) != NULL)
			if (!OidIsValid(relid) || event->relid == relid)
				hash_search(event_shapes, &event->relid, HASH_REMOVE, NULL);
	}
}

static void
on_relcache(Datum arg, Oid relid)
{
	dmp_audit_partition_forget(relid);
	forget(relid);
}

static void
on_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (event == XACT_EVENT_ABORT)
		dmp_audit_cluster_forget();
	if (made_shapes && event != XACT_EVENT_COMMIT)
		forget(InvalidOid);
	made_shapes = false;
}

static void
on_sub_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	dmp_audit_cluster_forget();
	if (made_shapes)
		forget(InvalidOid);
}

void
dmp_audit_shape_init(void)
{
	CacheRegisterRelcacheCallback(on_relcache, (Datum) 0);
	RegisterXactCallback(on_end, NULL);
	RegisterSubXactCallback(on_sub_end, NULL);
}
