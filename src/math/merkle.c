/*-------------------------------------------------------------------------
 * merkle.c
 *		Hash trees of RFC 6962, built as leaves come.
 *-------------------------------------------------------------------------
 */
#include "math/merkle.h"

#include <string.h>

static void
join(DmpMerkleSha sha, void *arg, const unsigned char *left, const unsigned char *right,
	 unsigned char *out)
{
	unsigned char node[1 + 2 * DMP_MERKLE_HASH];

	node[0] = 0x01;
	memcpy(node + 1, left, DMP_MERKLE_HASH);
	memcpy(node + 1 + DMP_MERKLE_HASH, right, DMP_MERKLE_HASH);
	sha(arg, node, sizeof(node), out);
}

void
dmp_merkle_init(DmpMerkle *tree, DmpMerkleSha sha, void *arg)
{
	tree->sha = sha;
	tree->arg = arg;
	tree->n = 0;
}

/* adding a leaf is adding one in binary: each carry joins two trees of one size */
void
dmp_merkle_add(DmpMerkle *tree, const unsigned char *leaf)
{
	unsigned char node[DMP_MERKLE_HASH];
	uint64_t bits;
	int level = 0;

	memcpy(node, leaf, DMP_MERKLE_HASH);
	for (bits = tree->n; bits & 1; bits >>= 1)
	{
		unsigned char up[DMP_MERKLE_HASH];

		join(tree->sha, tree->arg, tree->peaks[level], node, up);
		memcpy(node, up, DMP_MERKLE_HASH);
		level++;
	}
	memcpy(tree->peaks[level], node, DMP_MERKLE_HASH);
	tree->n++;
}

void
dmp_merkle_root(const DmpMerkle *tree, unsigned char *root)
{
	unsigned char node[DMP_MERKLE_HASH];
	int level, found = 0;

	if (tree->n == 0)
	{
		tree->sha(tree->arg, (const unsigned char *) "", 0, root);
		return;
	}
	for (level = 0; level < DMP_MERKLE_LEVELS && tree->n >> level; level++)
	{
		unsigned char up[DMP_MERKLE_HASH];

		if (!(tree->n >> level & 1))
			continue;
		if (!found)
			memcpy(node, tree->peaks[level], DMP_MERKLE_HASH);
		else
		{
			join(tree->sha, tree->arg, tree->peaks[level], node, up);
			memcpy(node, up, DMP_MERKLE_HASH);
		}
		found = 1;
	}
	memcpy(root, node, DMP_MERKLE_HASH);
}

void
dmp_merkle_path_init(DmpMerklePath *path, DmpMerkleSha sha, void *arg, uint64_t n, uint64_t index)
{
	uint64_t at[DMP_MERKLE_LEVELS], size[DMP_MERKLE_LEVELS];
	unsigned char left[DMP_MERKLE_LEVELS];
	uint64_t start = 0;
	int depth = 0, i, ranges = 0;

	/* from the root down: the subtree beside the way at each step */
	while (n > 1)
	{
		uint64_t half = 1;

		while (half < n - half)
			half <<= 1;
		left[depth] = index - start >= half;
		at[depth] = left[depth] ? start : start + half;
		size[depth] = left[depth] ? half : n - half;
		if (left[depth])
		{
			start += half;
			n -= half;
		}
		else
			n = half;
		depth++;
	}
	path->depth = depth;
	for (i = 0; i < depth; i++)
		path->left[depth - 1 - i] = left[i];
	/* in order of their leaves: those to the left from the top, then those to the right from below */
	for (i = 0; i < depth; i++)
		if (left[i])
		{
			path->start[ranges] = at[i];
			path->size[ranges] = size[i];
			path->level[ranges++] = depth - 1 - i;
		}
	for (i = depth - 1; i >= 0; i--)
		if (!left[i])
		{
			path->start[ranges] = at[i];
			path->size[ranges] = size[i];
			path->level[ranges++] = depth - 1 - i;
		}
	path->range = 0;
	path->next = 0;
	dmp_merkle_init(&path->tree, sha, arg);
}

void
dmp_merkle_path_add(DmpMerklePath *path, const unsigned char *leaf)
{
	uint64_t here = path->next++;
	int r = path->range;

	/* past the last range, or the leaf itself, which lies between two of them */
	if (r >= path->depth || here < path->start[r])
		return;
	dmp_merkle_add(&path->tree, leaf);
	if (path->tree.n == path->size[r])
	{
		dmp_merkle_root(&path->tree, path->path[path->level[r]]);
		path->range++;
		path->tree.n = 0;
	}
}

void
dmp_merkle_climb(const DmpMerklePath *path, const unsigned char *leaf, unsigned char *root)
{
	unsigned char node[DMP_MERKLE_HASH], up[DMP_MERKLE_HASH];
	int i;

	memcpy(node, leaf, DMP_MERKLE_HASH);
	for (i = 0; i < path->depth; i++)
	{
		if (path->left[i])
			join(path->tree.sha, path->tree.arg, path->path[i], node, up);
		else
			join(path->tree.sha, path->tree.arg, node, path->path[i], up);
		memcpy(node, up, DMP_MERKLE_HASH);
	}
	memcpy(root, node, DMP_MERKLE_HASH);
}
