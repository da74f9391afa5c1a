/*-------------------------------------------------------------------------
 * coverage_content.c
 *		What a table holds, from the table and from the log.
 *
 * Both sides go through the payloads of the audit part: a row of the table is
 * encoded as its insertion would be, so that the two agree byte by byte and
 * no setting plays a part. An update tells of changed columns only, hence a
 * hash for each value and not for each row: a change takes one away and adds
 * one. Sums modulo 2^256 do not depend on order. They are no defence against
 * somebody who builds rows so that their hashes cancel out (some 2^32 steps
 * of work); they find what was forgotten, switched off, or done by hand.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"
#include "govern/coverage.h"
#include "govern/ledger.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "math/sha256.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#define FETCH 500

/* a shape that entries of the window may have */
typedef struct FollowShape
{
	int32 id;
	Oid relation;
	bool same; /* as the columns that the content is of */
	DmpAuditShape *shape;
	DmpAuditImage *image;
} FollowShape;

static void
add_hash(DmpContent *content, const StringInfo buf, bool minus)
{
	unsigned char hash[DMP_CONTENT_BYTES];
	uint64 carry = minus;
	int i, j;

	dmp_sha256((unsigned char *) buf->data, buf->len, hash);
	for (i = 0; i < DMP_CONTENT_BYTES / 8; i++)
	{
		uint64 word = 0, sum;

		for (j = 7; j >= 0; j--)
			word = word << 8 | hash[8 * i + j];
		/* minus is plus the complement, plus one */
		word = minus ? ~word : word;
		sum = content->sum[i] + word + carry;
		carry = carry ? sum <= word : sum < word;
		content->sum[i] = sum;
	}
}

static void
put_bytes(StringInfo buf, const DmpAuditBytes *bytes)
{
	uint32 length = bytes->isnull ? PG_UINT32_MAX : (uint32) bytes->length;
	unsigned char head[4] = {length, length >> 8, length >> 16, length >> 24};

	appendBinaryStringInfo(buf, (char *) head, 4);
	if (!bytes->isnull)
		appendBinaryStringInfo(buf, bytes->data, bytes->length);
}

static void
put_key(StringInfo buf, const DmpAuditShape *shape, const DmpAuditBytes *values)
{
	int i;

	resetStringInfo(buf);
	for (i = 0; i < shape->n_key; i++)
		put_bytes(buf, &values[shape->key[i]]);
}

/* buf holds the key, and again after */
static void
add_value(DmpContent *content, StringInfo buf, const DmpAuditColumn *column,
		  const DmpAuditBytes *value, bool minus)
{
	int key = buf->len;

	appendBinaryStringInfo(buf, column->name, strlen(column->name) + 1);
	put_bytes(buf, value);
	add_hash(content, buf, minus);
	buf->len = key;
}

static void
add_row(DmpContent *content, StringInfo buf, const DmpAuditShape *shape,
		const DmpAuditBytes *values, bool minus)
{
	int i;

	content->rows += minus ? -1 : 1;
	put_key(buf, shape, values);
	for (i = 0; i < shape->n; i++)
	{
		if (shape->columns[i].redact)
			continue;
		if (shape->n_key > 0)
			add_value(content, buf, &shape->columns[i], &values[i], minus);
		else
			put_bytes(buf, &values[i]);
	}
	if (shape->n_key == 0)
		add_hash(content, buf, minus);
}

static void
add_image(DmpContent *content, StringInfo buf, const DmpAuditShape *shape,
		  const DmpAuditImage *image, char operation)
{
	int i;

	if (image->erased)
		content->erased++;
	else if (image->kind == DMP_AUDIT_ROW)
		add_row(content, buf, shape, operation == 'D' ? image->old : image->new, operation == 'D');
	else if (image->kind == DMP_AUDIT_CHANGE)
	{
		put_key(buf, shape, image->old);
		for (i = 0; i < shape->n; i++)
		{
			if (!image->changed[i] || shape->columns[i].redact)
				continue;
			add_value(content, buf, &shape->columns[i], &image->old[i], true);
			add_value(content, buf, &shape->columns[i], &image->new[i], false);
		}
	}
	else if (image->kind == DMP_AUDIT_MOVE)
	{
		DmpAuditBytes *values = palloc(sizeof(DmpAuditBytes) * Max(shape->n, 1));

		for (i = 0; i < shape->n; i++)
			values[i] = image->changed[i] ? image->new[i] : image->old[i];
		add_row(content, buf, shape, image->old, true);
		add_row(content, buf, shape, values, false);
	}
}

static int
by_text(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* names, codings and key, without regard to the order of columns, in which partitions may differ */
static char *
columns_text(const DmpAuditShape *shape)
{
	List *items = NIL;
	int i;

	for (i = 0; i < shape->n; i++)
	{
		const DmpAuditColumn *column = &shape->columns[i];

		items = lappend(items, psprintf("%s %s %d%s", quote_identifier(column->name),
										dmp_audit_coding_name(column->coding), column->key,
										column->redact ? " redacted" : ""));
	}
	list_sort(items, by_text);
	return psprintf("%d: %s", shape->encoding, dmp_join(items, ", "));
}

char *
dmp_content_columns(Oid relid)
{
	Relation rel = table_open(relid, AccessShareLock);
	char *text = columns_text(dmp_audit_shape_now(rel));

	table_close(rel, NoLock);
	return text;
}

void
dmp_content_scan(Oid relid, DmpContent *content)
{
	Relation rel = table_open(relid, AccessShareLock);
	DmpAuditShape *shape = dmp_audit_shape_now(rel);
	DmpAuditImage *image = dmp_audit_image_make(shape);
	bool partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	MemoryContext row =
		AllocSetContextCreate(CurrentMemoryContext, "dmp content row", ALLOCSET_DEFAULT_SIZES);
	Datum *values = palloc(sizeof(Datum) * Max(shape->n, 1));
	bool *nulls = palloc(sizeof(bool) * Max(shape->n, 1));
	List *names = NIL;
	StringInfoData body, buf;
	DmpIdentity saved;
	Portal portal;
	int level, i;

	memset(content, 0, sizeof(DmpContent));
	initStringInfo(&body);
	initStringInfo(&buf);
	for (i = 0; i < shape->n; i++)
	{
		names = lappend(names, shape->columns[i].name);
		shape->columns[i].attnum = i + 1; /* in the result */
	}
	/* as the extension's owner: row security would hide rows from the table's own */
	dmp_identity_begin(&saved);
	portal =
		SPI_cursor_open_with_args(NULL,
								  psprintf("SELECT %s FROM %s%s", dmp_join_identifiers(names, ""),
										   partitioned ? "" : "ONLY ", dmp_relation_name(relid)),
								  0, NULL, NULL, NULL, true, 0);
	dmp_identity_end(&saved);
	level = dmp_audit_pin();
	for (;;)
	{
		SPITupleTable *rows;
		uint64 n, r;

		SPI_cursor_fetch(portal, true, FETCH);
		rows = SPI_tuptable;
		n = SPI_processed;
		for (r = 0; r < n; r++)
		{
			MemoryContext before = MemoryContextSwitchTo(row);
			int length;

			CHECK_FOR_INTERRUPTS();
			heap_deform_tuple(rows->vals[r], rows->tupdesc, values, nulls);
			resetStringInfo(&body);
			appendStringInfoSpaces(&body, DMP_AUDIT_HEAD);
			dmp_audit_put_row(&body, shape, values, nulls);
			length = body.len - 5;
			body.data[0] = 0;
			for (i = 0; i < 4; i++)
				body.data[1 + i] = (char) (length >> 8 * i);
			dmp_audit_image_read(image, shape, 'I', body.data, body.len, 0);
			add_row(content, &buf, shape, image->new, false);
			MemoryContextSwitchTo(before);
			MemoryContextReset(row);
		}
		SPI_freetuptable(rows);
		if (n == 0)
			break;
	}
	AtEOXact_GUC(true, level);
	SPI_cursor_close(portal);
	MemoryContextDelete(row);
	table_close(rel, NoLock);
}

/* shapes that the tables under root ever had; *ids: of them, as int[] */
static List *
follow_shapes(Oid root, const char *columns, Datum *ids)
{
	DmpArgs args = {0};
	List *shapes = NIL;
	Datum *items;
	ListCell *lc;
	bool isnull;
	uint64 i, n;

	dmp_arg_oid(&args, root);
	n = dmp_spi_registry(
		"SELECT s.id, s.relation::oid, s.columns::text FROM dmp_internal.audit_shape AS s "
		"WHERE s.relation::oid = $1 OR s.relation::oid IN "
		"(SELECT a.relation::oid FROM dmp_internal.audited AS a WHERE a.root::oid = $1) "
		"OR s.relation::oid IN (SELECT t.relid FROM pg_partition_tree($1) AS t)",
		&args, true);
	for (i = 0; i < n; i++)
	{
		FollowShape *follow = palloc(sizeof(FollowShape));

		follow->id = (int32) dmp_spi_int8(i, 1, 0);
		follow->relation = DatumGetObjectId(dmp_spi_datum(i, 2, &isnull));
		follow->shape = dmp_audit_shape_parse(follow->id, dmp_spi_text(i, 3));
		follow->image = dmp_audit_image_make(follow->shape);
		follow->same = strcmp(columns_text(follow->shape), columns) == 0;
		shapes = lappend(shapes, follow);
	}
	SPI_freetuptable(SPI_tuptable);
	items = palloc(sizeof(Datum) * Max(list_length(shapes), 1));
	foreach (lc, shapes)
		items[foreach_current_index(lc)] = Int32GetDatum(((FollowShape *) lfirst(lc))->id);
	*ids = PointerGetDatum(
		construct_array(items, list_length(shapes), INT4OID, 4, true, TYPALIGN_INT));
	return shapes;
}

#define SINCE_MARK                                                                                 \
	"c.shape = ANY ($1) AND (c.cluster > $2 OR c.cluster = $2 AND c.xact >= pg_snapshot_xmin($3) " \
	"AND NOT pg_visible_in_snapshot(c.xact, $3) AND NOT coalesce(c.xact = $4 AND c.id <= $5, "     \
	"false)) "

/*
 * The newest TRUNCATE of root whose rows were not kept: the content starts at
 * nothing behind it. Its partitions log theirs in the same transaction.
 * Chunks are numbered in order there, because TRUNCATE waits for all who
 * write. 0: none.
 */
static int64
last_truncate(Oid root, DmpArgs *window, DmpContent *content)
{
	DmpArgs args = *window;
	int64 last;

	dmp_arg_oid(&args, root);
	dmp_spi_registry(
		"WITH t AS (SELECT c.id, c.xact, s.relation::oid AS relation "
		"FROM dmp_internal.audit_chunk AS c JOIN dmp_internal.audit_shape AS s ON s.id = c.shape "
		"WHERE c.operation = 'T' AND position(convert_to('\"kept\": false', 'UTF8') IN c.body) > 0 "
		"AND " SINCE_MARK "), "
		"whole AS (SELECT max(t.id) AS id FROM t WHERE t.xact = "
		"(SELECT r.xact FROM t AS r WHERE r.relation = $6 ORDER BY r.id DESC LIMIT 1)) "
		"SELECT whole.id, (SELECT count(*) FROM t WHERE t.id > coalesce(whole.id, 0)) FROM whole",
		&args, true);
	last = dmp_spi_int8(0, 1, 0);
	content->truncated = dmp_spi_int8(0, 2, 0) > 0;
	SPI_freetuptable(SPI_tuptable);
	return last;
}

static void
follow_chunk(DmpContent *content, StringInfo buf, List *shapes, HeapTuple tuple, TupleDesc desc)
{
	bool isnull;
	char operation = DatumGetChar(SPI_getbinval(tuple, desc, 1, &isnull));
	int32 id = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
	struct varlena *body = PG_DETOAST_DATUM_PACKED(SPI_getbinval(tuple, desc, 3, &isnull));
	LedgerChunk chunk;
	LedgerImage at;
	FollowShape *follow = NULL;
	ListCell *lc;
	size_t offset = 0, start = 0;

	foreach (lc, shapes)
		if (((FollowShape *) lfirst(lc))->id == id)
			follow = lfirst(lc);
	if (follow == NULL || follow->shape->n == 0 || strchr("IUD", operation) == NULL)
		return; /* an event, no row */
	if (!follow->same)
	{
		content->other_columns = true;
		return;
	}
	chunk.body = (unsigned char *) VARDATA_ANY(body);
	chunk.length = VARSIZE_ANY_EXHDR(body);
	while (dmp_chunk_image(&chunk, &offset, &at))
	{
		CHECK_FOR_INTERRUPTS();
		dmp_audit_image_read(follow->image, follow->shape, operation,
							 (const char *) chunk.body + start, offset - start, 0);
		add_image(content, buf, follow->shape, follow->image, operation);
		start = offset;
	}
}

void
dmp_content_follow(Oid root, const char *columns, const DmpContentMark *mark, DmpContent *content)
{
	DmpArgs args = {0};
	Datum ids;
	List *shapes = follow_shapes(root, columns, &ids);
	MemoryContext row =
		AllocSetContextCreate(CurrentMemoryContext, "dmp content chunk", ALLOCSET_DEFAULT_SIZES);
	StringInfoData buf;
	DmpIdentity saved;
	Portal portal;
	int64 truncate;

	initStringInfo(&buf);
	dmp_arg(&args, INT4ARRAYOID, ids, false);
	dmp_arg_int4(&args, mark->cluster);
	dmp_arg(&args, PG_SNAPSHOTOID, mark->snapshot, false);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(FullTransactionIdFromU64(mark->own)),
			mark->own == 0);
	dmp_arg_int8(&args, mark->last_chunk);
	truncate = last_truncate(root, &args, content);
	if (truncate > 0)
	{
		memset(content->sum, 0, sizeof(content->sum));
		content->rows = 0;
	}
	dmp_arg_int8(&args, truncate);
	dmp_identity_begin(&saved);
	portal = SPI_cursor_open_with_args(
		NULL,
		"SELECT c.operation, c.shape, c.body FROM dmp_internal.audit_chunk AS c "
		"WHERE c.id > $6 AND " SINCE_MARK,
		args.n, args.types, args.values, args.nulls, true, 0);
	dmp_identity_end(&saved);
	for (;;)
	{
		SPITupleTable *rows;
		uint64 n, i;

		SPI_cursor_fetch(portal, true, FETCH);
		rows = SPI_tuptable;
		n = SPI_processed;
		for (i = 0; i < n; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(row);

			CHECK_FOR_INTERRUPTS();
			follow_chunk(content, &buf, shapes, rows->vals[i], rows->tupdesc);
			MemoryContextSwitchTo(before);
			MemoryContextReset(row);
		}
		SPI_freetuptable(rows);
		if (n == 0)
			break;
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(row);
}
