/*
 * test_merkle.c - hash trees against the definition of RFC 6962
 *
 * The hash here is a SHA-256 of its own, written from FIPS 180-4, so that the
 * known roots below (the eight inputs that Certificate Transparency's test
 * vectors use) are checked from end to end.
 */
#include "unit.h"
#include "math/merkle.h"
#include "math/sha256.h"

static uint32_t
rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* the first 32 bits of the fractional part of x's root, by integer bisection */
static uint32_t
fraction(int prime, int cube)
{
	/* largest r with r^2 <= p 2^64 or r^3 <= p 2^96; its low 32 bits */
	uint64_t low = 0, high = UINT64_C(1) << 37;

	while (high - low > 1)
	{
		uint64_t mid = low + (high - low) / 2;
		unsigned __int128 square = (unsigned __int128) mid * mid;
		int below;

		if (!cube)
			below = square <= (unsigned __int128) prime << 64;
		else
		{
			unsigned __int128 hi = (square >> 32) * mid,
							  lo = (square & UINT32_MAX) * (unsigned __int128) mid;

			/* mid^3 = hi 2^32 + lo, against p 2^96 */
			hi += lo >> 32;
			below = hi < (unsigned __int128) prime << 64 ||
					(hi == (unsigned __int128) prime << 64 && (lo & UINT32_MAX) == 0);
		}
		if (below)
			low = mid;
		else
			high = mid;
	}
	return (uint32_t) low;
}

static void
sha256(void *arg, const unsigned char *data, size_t length, unsigned char *out)
{
	static uint32_t k[64], start[8];
	static int ready = 0;
	uint32_t h[8], w[64], v[8];
	size_t blocks = (length + 8) / 64 + 1, b;
	int i;

	if (!ready)
	{
		int prime, found = 0;

		for (prime = 2; found < 64; prime++)
		{
			int d, is = 1;

			for (d = 2; d * d <= prime; d++)
				is &= prime % d != 0;
			if (!is)
				continue;
			if (found < 8)
				start[found] = fraction(prime, 0);
			k[found++] = fraction(prime, 1);
		}
		ready = 1;
	}
	(*(int *) arg)++;
	memcpy(h, start, sizeof(h));
	for (b = 0; b < blocks; b++)
	{
		for (i = 0; i < 64; i++)
		{
			size_t at = b * 64 + i;
			unsigned char byte = at < length ? data[at] : at == length ? 0x80 : 0;

			if (b == blocks - 1 && i >= 56)
				byte = (unsigned char) ((uint64_t) length * 8 >> 8 * (63 - i));
			w[i / 4] = (i % 4 ? w[i / 4] : 0) << 8 | byte;
		}
		for (i = 16; i < 64; i++)
			w[i] = w[i - 16] + w[i - 7] +
				   (rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3) +
				   (rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(v, h, sizeof(v));
		for (i = 0; i < 64; i++)
		{
			uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) +
						  ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
			uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) +
						  ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

			memmove(v + 1, v, 7 * sizeof(*v));
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (i = 0; i < 8; i++)
			h[i] += v[i];
	}
	for (i = 0; i < 32; i++)
		out[i] = (unsigned char) (h[i / 4] >> 8 * (3 - i % 4));
}

static int calls;

static void
leaf_of(const unsigned char *data, size_t length, unsigned char *out)
{
	unsigned char bytes[64] = {0};

	memcpy(bytes + 1, data, length);
	sha256(&calls, bytes, length + 1, out);
}

/* section 2.1 as it is written, by recursion */
static void
by_definition(unsigned char leaves[][32], int n, unsigned char *out)
{
	unsigned char node[65] = {1};
	int half = 1;

	if (n == 1)
	{
		memcpy(out, leaves[0], 32);
		return;
	}
	while (half * 2 < n)
		half *= 2;
	by_definition(leaves, half, node + 1);
	by_definition(leaves + half, n - half, node + 33);
	sha256(&calls, node, 65, out);
}

static int
is_hex(const unsigned char *hash, const char *hex)
{
	char text[65];
	int i;

	for (i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return strcmp(text, hex) == 0;
}

void
test_merkle(void)
{
	static unsigned char leaves[300][32];
	static const unsigned char inputs[8][16] = {"",
												{0x00},
												{0x10},
												{0x20, 0x21},
												{0x30, 0x31},
												{0x40, 0x41, 0x42, 0x43},
												{0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57},
												{0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67,
												 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f}};
	static const int lengths[8] = {0, 1, 1, 2, 2, 4, 8, 16};
	static const char *const roots[8] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
	DmpMerkle tree;
	static DmpMerklePath path;
	unsigned char root[32], expected[32], climbed[32];
	int n, i, j, good = 1, paths = 1, shorter = 1, same = 1, plain = 1;

	sha256(&calls, (const unsigned char *) "abc", 3, root);
	ok(is_hex(root, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
	   "the test's own SHA-256 of abc");
	for (n = 0; n < 300; n++)
	{
		static const unsigned char bytes[300] = "messages of every length, and what they hash to";

		sha256(&calls, bytes, n, expected);
		dmp_sha256(bytes, n, root);
		dmp_sha256_plain(bytes, n, climbed);
		same &= memcmp(root, expected, 32) == 0;
		plain &= memcmp(climbed, expected, 32) == 0;
	}
	ok(same, "SHA-256 of messages of 0 to 299 bytes");
	ok(plain, "the same without instructions of the processor");
	dmp_merkle_init(&tree, sha256, &calls);
	dmp_merkle_root(&tree, root);
	ok(is_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	   "root of no leaves is the hash of nothing");
	for (n = 1; n <= 8; n++)
	{
		leaf_of(inputs[n - 1], lengths[n - 1], leaves[n - 1]);
		dmp_merkle_add(&tree, leaves[n - 1]);
		dmp_merkle_root(&tree, root);
		good &= is_hex(root, roots[n - 1]);
	}
	ok(good, "known roots of one to eight leaves");

	for (i = 0; i < 300; i++)
		leaf_of((unsigned char *) &i, sizeof(i), leaves[i]);
	good = 1;
	dmp_merkle_init(&tree, sha256, &calls);
	for (n = 1; n <= 300; n++)
	{
		dmp_merkle_add(&tree, leaves[n - 1]);
		dmp_merkle_root(&tree, root);
		by_definition(leaves, n, expected);
		good &= memcmp(root, expected, 32) == 0;
		if (n > 70 && n % 37 && n != 128 && n != 256)
			continue;
		for (i = 0; i < n; i++)
		{
			dmp_merkle_path_init(&path, sha256, &calls, n, i);
			for (j = 0; j < n; j++)
				dmp_merkle_path_add(&path, leaves[j]);
			dmp_merkle_climb(&path, leaves[i], climbed);
			paths &= memcmp(climbed, expected, 32) == 0;
			shorter &= path.depth <= 9 && (n & (n - 1) || 1 << path.depth == n);
			dmp_merkle_climb(&path, leaves[(i + 1) % 300], climbed);
			paths &= memcmp(climbed, expected, 32) != 0;
		}
	}
	ok(good, "roots of 1 to 300 leaves are those of the definition");
	ok(paths, "every audit path leads its leaf, and no other, to the root");
	ok(shorter, "paths are as long as the tree is high");
	calls = 0;
	dmp_merkle_init(&tree, sha256, &calls);
	for (i = 0; i < 256; i++)
		dmp_merkle_add(&tree, leaves[i]);
	ok(calls == 255, "one hash an inner node");
}
