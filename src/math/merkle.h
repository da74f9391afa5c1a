/*-------------------------------------------------------------------------
 * merkle.h
 *		Hash trees of RFC 6962, built as leaves come.
 *
 * A tree of n leaves is the one of RFC 6962, section 2.1: the left child holds
 * the largest power of two below n. Inner nodes are H(0x01 || left || right);
 * leaves arrive hashed already, as H(0x00 || content), so that no inner node
 * can pass for one. The hash is a callback of 32 bytes of result (SHA-256).
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_MERKLE_H
#define DMP_MATH_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#define DMP_MERKLE_HASH 32
#define DMP_MERKLE_LEVELS 64

/* out: 32 bytes, may not overlap data */
typedef void (*DmpMerkleSha)(void *arg, const unsigned char *data, size_t length,
							 unsigned char *out);

/* the roots of the complete trees that n leaves make: one for each bit of n */
typedef struct DmpMerkle
{
	DmpMerkleSha sha;
	void *arg;
	uint64_t n;
	unsigned char peaks[DMP_MERKLE_LEVELS][DMP_MERKLE_HASH];
} DmpMerkle;

extern void dmp_merkle_init(DmpMerkle *tree, DmpMerkleSha sha, void *arg);
extern void dmp_merkle_add(DmpMerkle *tree, const unsigned char *leaf);
/* of the leaves so far, which may be none: the hash of nothing; more may be added after */
extern void dmp_merkle_root(const DmpMerkle *tree, unsigned char *root);

/*
 * The audit path of one leaf (RFC 6962, 2.1.1): siblings from the leaf up. All
 * n leaves are fed in order; memory does not grow with n.
 */
typedef struct DmpMerklePath
{
	int depth;
	unsigned char path[DMP_MERKLE_LEVELS][DMP_MERKLE_HASH];
	unsigned char left[DMP_MERKLE_LEVELS]; /* 1: that sibling is the left one */
	/* private: subtrees beside the way, in order of their leaves */
	DmpMerkle tree;
	uint64_t next;
	int range;
	uint64_t start[DMP_MERKLE_LEVELS];
	uint64_t size[DMP_MERKLE_LEVELS];
	int level[DMP_MERKLE_LEVELS];
} DmpMerklePath;

/* index < n */
extern void dmp_merkle_path_init(DmpMerklePath *path, DmpMerkleSha sha, void *arg, uint64_t n,
								 uint64_t index);
extern void dmp_merkle_path_add(DmpMerklePath *path, const unsigned char *leaf);
/* the root that a leaf and its path give */
extern void dmp_merkle_climb(const DmpMerklePath *path, const unsigned char *leaf,
							 unsigned char *root);

#endif /* DMP_MATH_MERKLE_H */
