/*-------------------------------------------------------------------------
 * audit_write.c
 *		Chunks: images gathered in memory, a row of the log each 8 kB.
 *
 * Rows go straight into the partition of the month, by heap_insert and its
 * indexes: no rights are asked for (nobody has any), no plan is made, nothing
 * of the session's search path is looked at. A chunk ends before its row
 * would be toasted: a row a page costs the least; an image that is
 * larger than that has a chunk for itself.
 *
 * All chunks of one statement carry one moment, read when the first image is
 * begun; numbers are drawn as they are written.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/heapam.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/sequence.h"
#include "nodes/execnodes.h"
#include "math/hash.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#define MAX_IMAGES 1000
#define ROW_BYTES 8160 /* toast_tuple_target of the partitions */
#define FIXED_BYTES 64 /* of columns that are no texts, with their alignment */

enum
{
	C_ID,
	C_AT,
	C_CLUSTER,
	C_XACT,
	C_SHAPE,
	C_OPERATION,
	C_ENTRIES,
	C_SESSION_ROLE,
	C_EFFECTIVE_ROLE,
	C_ACTOR,
	C_PURPOSE,
	C_REQUEST,
	C_APPLICATION,
	C_CLIENT,
	C_STATEMENT_HASH,
	C_BODY,
	N_COLUMNS
};

struct DmpAuditWriter
{
	MemoryContext memory;
	int32 shape;
	char operation;
	StringInfoData body; /* a bytea: header first */
	int images;          /* ended, not written */
	int begun;           /* where the image that is open begins */
	Size limit;          /* of the body */
	int64 id;            /* of the chunk that is gathered; 0: not drawn */
	bool in_bulk;        /* a chunk was written before: pages of its own */
	bool ready;
	Relation rel;
	int n_indexes; /* -1: not opened yet */
	Relation *indexes;
	IndexInfo **infos;
	Datum values[N_COLUMNS];
	bool nulls[N_COLUMNS];
};

DmpAuditWriter *
dmp_audit_write_begin(void)
{
	DmpAuditWriter *w = palloc(sizeof(DmpAuditWriter));

	w->memory = CurrentMemoryContext;
	w->images = 0;
	w->id = 0;
	w->in_bulk = false;
	w->ready = false;
	w->body.data = NULL;
	return w;
}

/* ---------- who, for what, by which statement */

/*
 * A statement's number: the server's query id when that is computed, else a
 * hash of its text in which numbers and strings are one sign each and white
 * space is one blank. debug_query_string is what the client sent: statements
 * within functions share it.
 */
static uint64
statement_hash(void)
{
	/* what a byte may begin: 1 blank, 2 string, 3 number, 0 none of them; 4 goes on with a name or number */
	static uint8 class[256];
	uint64 id = pgstat_get_my_query_id();
	const uint8 *p = (const uint8 *) debug_query_string;
	char plain[512];
	int n = 0;
	uint64 hash = 0;
	uint8 last = ' ';

	if (id != 0 || p == NULL)
		return id;
	if (class['0'] == 0)
	{
		int c;

		for (c = 1; c < 256; c++)
			class[c] = strchr(" \t\r\n", c)   ? 1
					   : c == '\''            ? 2
					   : c >= '0' && c <= '9' ? 3
					   : c == '_' || c == '$' || c >= 0x80 || (c >= 'a' && c <= 'z') ||
							   (c >= 'A' && c <= 'Z')
						   ? 4
						   : 0;
	}
	while (*p)
	{
		uint8 c = *p++;

		switch (class[c])
		{
			case 1:
				if (last == ' ')
					continue;
				c = ' ';
				break;
			case 2:
				while (*p && *p != '\'')
					p++;
				p += *p != '\0';
				c = '?';
				break;
			case 3:
				if (class[last] >= 3)
					break;
				while (class[*p] == 3 || *p == '.')
					p++;
				c = '?';
				break;
		}
		last = c;
		plain[n++] = (char) c;
		if (n == sizeof(plain))
		{
			hash = dmp_hash_bytes(plain, n, hash);
			n = 0;
		}
	}
	while (n > 0 && (plain[n - 1] == ' ' || plain[n - 1] == ';'))
		n--;
	return dmp_hash_bytes(plain, n, hash);
}

/* of this session, which has one; NULL: a local socket, or no client */
static const char *
client_address(void)
{
	static char address[64];
	static bool known;

	if (!known)
	{
		LOCAL_FCINFO(call, 0);
		Datum inet;

		InitFunctionCallInfoData(*call, NULL, 0, InvalidOid, NULL, NULL);
		inet = inet_client_addr(call);
		if (!call->isnull)
			strlcpy(address, DatumGetCString(DirectFunctionCall1(inet_out, inet)), sizeof(address));
		known = true;
	}
	return address;
}

static void
set_text(DmpAuditWriter *w, int column, const char *text)
{
	w->nulls[column] = text == NULL || *text == '\0';
	if (!w->nulls[column])
		w->values[column] = CStringGetTextDatum(text);
}

static void
set_role(DmpAuditWriter *w, int column, Oid role)
{
	char *name = GetUserNameFromId(role, true);

	set_text(w, column, name ? name : psprintf("%u", role));
}

/* what the chunks of this statement have in common, and how much room it leaves */
static void
get_ready(DmpAuditWriter *w)
{
	const DmpContext *context = dmp_context();
	TimestampTz at = GetCurrentTimestamp();
	uint64 hash;
	Size fixed;
	int i;

	w->rel = table_open(dmp_audit_partition(at), RowExclusiveLock);
	memset(w->nulls, 0, sizeof(w->nulls));
	w->values[C_AT] = TimestampTzGetDatum(at);
	w->values[C_CLUSTER] = Int32GetDatum(dmp_audit_cluster());
	w->values[C_XACT] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	set_role(w, C_SESSION_ROLE, GetSessionUserId());
	set_role(w, C_EFFECTIVE_ROLE, GetUserId());
	set_text(w, C_ACTOR, context->actor);
	set_text(w, C_PURPOSE, context->purpose);
	set_text(w, C_REQUEST, context->request);
	set_text(w, C_APPLICATION, application_name);
	set_text(w, C_CLIENT, client_address());
	hash = statement_hash();
	w->nulls[C_STATEMENT_HASH] = hash == 0;
	w->values[C_STATEMENT_HASH] = Int64GetDatum((int64) hash);

	fixed = MAXALIGN(SizeofHeapTupleHeader + BITMAPLEN(N_COLUMNS)) + FIXED_BYTES;
	for (i = C_SESSION_ROLE; i <= C_CLIENT; i++)
		if (!w->nulls[i])
			fixed += VARSIZE(DatumGetPointer(w->values[i])) + ALIGNOF_INT;
	w->limit = ROW_BYTES - Min(fixed, ROW_BYTES / 2);
	initStringInfo(&w->body);
	w->body.len = VARHDRSZ;
	w->n_indexes = -1;
	w->ready = true;
}

/* ---------- chunks */

static void
open_indexes(DmpAuditWriter *w)
{
	List *list = RelationGetIndexList(w->rel);
	ListCell *lc;

	w->indexes = palloc(sizeof(Relation) * Max(list_length(list), 1));
	w->infos = palloc(sizeof(IndexInfo *) * Max(list_length(list), 1));
	w->n_indexes = 0;
	foreach (lc, list)
	{
		Relation index = index_open(lfirst_oid(lc), RowExclusiveLock);
		IndexInfo *info = BuildIndexInfo(index);

		if (info->ii_Expressions || info->ii_Predicate || info->ii_ExclusionOps)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("index \"%s\" of the audit log is partial, on an expression or an "
							"exclusion constraint",
							RelationGetRelationName(index)),
					 errhint("Drop it: entries cannot be written.")));
		w->indexes[w->n_indexes] = index;
		w->infos[w->n_indexes++] = info;
	}
	list_free(list);
}

static void
insert_index_entries(DmpAuditWriter *w, HeapTuple tuple)
{
	Datum values[INDEX_MAX_KEYS];
	bool nulls[INDEX_MAX_KEYS];
	int i;
	int k;

	if (w->n_indexes < 0)
		open_indexes(w);
	for (i = 0; i < w->n_indexes; i++)
	{
		IndexInfo *info = w->infos[i];

		for (k = 0; k < info->ii_NumIndexAttrs; k++)
		{
			int column = info->ii_IndexAttrNumbers[k] - 1;

			values[k] = w->values[column];
			nulls[k] = w->nulls[column];
		}
		index_insert(w->indexes[i], values, nulls, &tuple->t_self, w->rel,
					 info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
	}
}

/* writes the images that have ended, length bytes of the body */
static void
write_chunk(DmpAuditWriter *w, int length)
{
	HeapTuple tuple;

	w->values[C_ID] = Int64GetDatum(w->id);
	w->values[C_SHAPE] = Int32GetDatum(w->shape);
	w->values[C_OPERATION] = CharGetDatum(w->operation);
	w->values[C_ENTRIES] = Int32GetDatum(w->images);
	SET_VARSIZE(w->body.data, length);
	w->values[C_BODY] = PointerGetDatum(w->body.data);
	tuple = heap_form_tuple(RelationGetDescr(w->rel), w->values, w->nulls);
	tuple->t_tableOid = RelationGetRelid(w->rel);
	heap_insert(w->rel, tuple, GetCurrentCommandId(true),
				length > w->limit / 2 ? HEAP_INSERT_SKIP_FSM : 0, NULL);
	insert_index_entries(w, tuple);
	heap_freetuple(tuple);
	w->in_bulk = true;
	w->images = 0;
	w->id = 0;
}

/* 16 bytes that nobody can guess, drawn by the page */
static void
put_salt(StringInfo buf)
{
	static char salts[256 * DMP_AUDIT_SALT];
	static int left;

	if (left == 0)
	{
		if (!pg_strong_random(salts, sizeof(salts)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
		left = lengthof(salts) / DMP_AUDIT_SALT;
	}
	left--;
	appendBinaryStringInfo(buf, salts + left * DMP_AUDIT_SALT, DMP_AUDIT_SALT);
}

StringInfo
dmp_audit_image_begin(DmpAuditWriter *w, int32 shape, char operation)
{
	MemoryContext before = MemoryContextSwitchTo(w->memory);

	if (!w->ready)
		get_ready(w);
	if (w->images > 0 && (w->shape != shape || w->operation != operation))
	{
		write_chunk(w, w->body.len);
		w->body.len = VARHDRSZ;
	}
	w->shape = shape;
	w->operation = operation;
	w->begun = w->body.len;
	enlargeStringInfo(&w->body, DMP_AUDIT_HEAD);
	memset(w->body.data + w->body.len, 0, 5);
	w->body.len += 5;
	put_salt(&w->body);
	MemoryContextSwitchTo(before);
	return &w->body;
}

int64
dmp_audit_image_end(DmpAuditWriter *w)
{
	uint32 size = w->body.len - w->begun - 5;
	char *head = w->body.data + w->begun;

	head[1] = (char) size;
	head[2] = (char) (size >> 8);
	head[3] = (char) (size >> 16);
	head[4] = (char) (size >> 24);
	if (w->images > 0 && w->body.len > w->limit)
	{
		MemoryContext before = MemoryContextSwitchTo(w->memory);

		write_chunk(w, w->begun);
		MemoryContextSwitchTo(before);
		memmove(w->body.data + VARHDRSZ, w->body.data + w->begun, size + 5);
		w->body.len = VARHDRSZ + size + 5;
	}
	if (w->id == 0)
		w->id = nextval_internal(dmp_audit_sequence(), false);
	w->images++;
	if (w->images == MAX_IMAGES)
	{
		int64 entry = w->id * MAX_IMAGES + w->images - 1;
		MemoryContext before = MemoryContextSwitchTo(w->memory);

		write_chunk(w, w->body.len);
		MemoryContextSwitchTo(before);
		w->body.len = VARHDRSZ;
		return entry;
	}
	return w->id * MAX_IMAGES + w->images - 1;
}

void
dmp_audit_image_drop(DmpAuditWriter *w)
{
	w->body.len = w->begun;
}

void
dmp_audit_write_end(DmpAuditWriter *w)
{
	int i;

	if (!w->ready)
		return;
	if (w->images > 0)
		write_chunk(w, w->body.len);
	for (i = 0; i < w->n_indexes; i++)
	{
		dmp_index_insert_end(w->indexes[i], w->infos[i]);
		index_close(w->indexes[i], NoLock);
	}
	table_close(w->rel, NoLock);
	pfree(w->body.data);
	w->ready = false;
}
