/*-------------------------------------------------------------------------
 * ledger.h
 *		The sealed audit log.
 *
 * Words. A chunk is a stored row of dmp_internal.audit_chunk: up to 1,000
 * images, of one statement. An entry is one of them; its number is that of
 * the chunk * 1000 + its place in the body. An entry's inner hash is
 * SHA-256(salt || payload), which survives erasure; its leaf is SHA-256(0x00
 * || meta || place || inner), where meta is the SHA-256 of all else the chunk
 * says (dmp_ledger_meta). A block is up to dmp.audit_block_entries leaves
 * under one Merkle root; its header is hashed, and holds the hash of the
 * block before.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEDGER_H
#define DMP_LEDGER_H

#include "base/base.h"
#include "lib/stringinfo.h"
#include "math/merkle.h"

#define DMP_HASH DMP_MERKLE_HASH
#define DMP_CHUNK_ENTRIES 1000

/*
 * The index that sealing, verifying and erasing go by: what follows CREATE
 * INDEX ON <partition> where a partition of the log is made.
 */
#define DMP_LEDGER_INDEX                                               \
	"USING brin (cluster, xact dmp_internal.xid8_minmax_ops, id, at) " \
	"WITH (pages_per_range = 32, autosummarize = on)"

extern int dmp_audit_block_entries;

/*
 * Replaces salt and payload of an entry by its inner hash. false: no such
 * entry, or erased before. Rights are the caller's business. The chunk as it
 * was stays on disk, out of sight, until VACUUM; and in backups.
 */
extern bool dmp_ledger_erase(int64 entry);

/* ---- ledger_seal.c */

/* one session at a time adds to the ledger or takes from it, until its transaction ends; false: not now */
extern bool dmp_ledger_turn(void);

/* ---- ledger_chunk.c: what is committed to */

typedef struct LedgerHash
{
	StringInfoData meta; /* canonical encoding of the chunk at hand */
	struct HTAB *shapes;
	bool read_only; /* shapes are looked up in the caller's snapshot */
	MemoryContext context;
} LedgerHash;

extern LedgerHash *dmp_ledger_hash_open(bool read_only);
extern void dmp_ledger_hash_close(LedgerHash *hash);
/* a DmpMerkleSha; arg is not used */
extern void dmp_ledger_sha(void *arg, const unsigned char *data, size_t length, unsigned char *out);

/* columns of a chunk, in the order of CHUNK_COLUMNS; the body comes last */
enum
{
	CHUNK_ID,
	CHUNK_AT,
	CHUNK_CLUSTER,
	CHUNK_XACT,
	CHUNK_SHAPE,
	CHUNK_OPERATION,
	CHUNK_ENTRIES,
	CHUNK_STATEMENT_HASH,
	CHUNK_SESSION_ROLE,
	CHUNK_EFFECTIVE_ROLE,
	CHUNK_ACTOR,
	CHUNK_PURPOSE,
	CHUNK_REQUEST,
	CHUNK_APPLICATION,
	CHUNK_CLIENT,
	CHUNK_BODY,
	CHUNK_PARTITION,
	CHUNK_NCOLUMNS
};
#define CHUNK_COLUMNS                                                                            \
	"c.id, c.at, c.cluster, c.xact, c.shape, c.operation, c.entries, c.statement_hash, "         \
	"c.session_role, c.effective_role, c.actor, c.purpose, c.request, c.application, c.client, " \
	"c.body, c.tableoid"

typedef struct LedgerChunk
{
	Datum values[CHUNK_NCOLUMNS];
	bool nulls[CHUNK_NCOLUMNS];
	int64 id;
	int64 at;
	const unsigned char *body;
	size_t length;
} LedgerChunk;

/* one image of a body */
typedef struct LedgerImage
{
	bool erased;
	const unsigned char *data; /* salt and payload; the inner hash when erased */
	size_t length;
} LedgerImage;

/* row of a result with CHUNK_COLUMNS; the body is detoasted in the current context */
extern void dmp_chunk_read(LedgerChunk *chunk, HeapTuple tuple, TupleDesc desc);
/* the image at *offset, which moves past it; false: end of the body, or bytes that make no image (*offset stays) */
extern bool dmp_chunk_image(const LedgerChunk *chunk, size_t *offset, LedgerImage *image);
/* false: the shape is not there; the encoding stays in hash->meta. id: as whose number, usually chunk->id */
extern bool dmp_ledger_meta(LedgerHash *hash, const LedgerChunk *chunk, int64 id,
							unsigned char *meta);
extern void dmp_ledger_inner(LedgerHash *hash, const LedgerImage *image, unsigned char *inner);
extern void dmp_ledger_leaf(LedgerHash *hash, const unsigned char *meta, uint32 place,
							const unsigned char *inner, unsigned char *leaf);

/* ---- ledger_block.c: blocks and their chain */

typedef struct LedgerPart
{
	int64 id; /* of the chunk */
	int64 at;
	int32 entries;
	int32 first; /* its first leaf */
} LedgerPart;

#define LEDGER_PART_SIZE 20
#define LEDGER_HEADER_SIZE 224
#define LEDGER_HEADER_PREVIOUS 96
#define LEDGER_HEADER_HISTORY 128
#define LEDGER_HEADER_ROOT 192

typedef struct LedgerBlock
{
	int64 block;
	int32 cluster;
	int64 total; /* entries of this block and all before it */
	int32 entries;
	int32 chunks;
	int64 first_chunk;
	int64 last_chunk;
	int64 first_at;
	int64 last_at;
	int64 sealed_at;
	uint64 xact_from;
	uint64 horizon;
	unsigned char previous[DMP_HASH];
	unsigned char history[DMP_HASH]; /* root over the hashes of the blocks before */
	unsigned char directory_hash[DMP_HASH];
	unsigned char root[DMP_HASH];
	unsigned char hash[DMP_HASH];
} LedgerBlock;

#define BLOCK_COLUMNS                                                                             \
	"b.block, b.cluster, b.total, b.entries, b.chunks, b.first_chunk, b.last_chunk, b.first_at, " \
	"b.last_at, b.sealed_at, b.xact_from, b.horizon, b.previous, b.history, b.directory_hash, "   \
	"b.root, b.hash"
#define BLOCK_NCOLUMNS 17

/* the newest block and the tree over all: what a new one is chained to */
typedef struct LedgerHead
{
	int64 block;
	int64 total;
	unsigned char hash[DMP_HASH];
	DmpMerkle history; /* over the hashes of all blocks */
} LedgerHead;

/* false: a column has the wrong size, so that no header of ours can be meant */
extern bool dmp_block_read(LedgerBlock *block, HeapTuple tuple, TupleDesc desc);
extern void dmp_block_header(const LedgerBlock *block, unsigned char *header);
extern void dmp_block_hash(LedgerHash *hash, const LedgerBlock *block, unsigned char *out);
/* leaf of the tree over blocks */
extern void dmp_block_leaf(LedgerHash *hash, const unsigned char *block_hash, unsigned char *leaf);
extern void dmp_part_write(const LedgerPart *part, unsigned char *bytes);
extern void dmp_part_read(LedgerPart *part, const unsigned char *bytes);

/* inside SPI; a log never sealed has block 0 and a hash of zeros */
extern void dmp_head_read(LedgerHead *head, LedgerHash *hash);
extern void dmp_head_write(const LedgerHead *head);
/*
 * Inside SPI: chains a block, which is filled but for number, total, previous,
 * history and hash, to the head and stores it; the head moves on in memory.
 */
extern void dmp_block_append(LedgerHash *hash, LedgerHead *head, LedgerBlock *block,
							 bytea *directory, bytea *leaves);
extern char *dmp_hex(const unsigned char *bytes, size_t length);

#endif /* DMP_LEDGER_H */
