/*-------------------------------------------------------------------------
 * sha256.c
 *		SHA-256 of short messages (FIPS 180-4).
 *-------------------------------------------------------------------------
 */
#include "math/sha256.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_SHA_INSTRUCTIONS 1
#include <cpuid.h>
#include <immintrin.h>
#endif

/* fractional parts of the cube roots of the first 64 primes */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* fractional parts of the square roots of the first 8 primes */
static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
										0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

typedef void (*Compress)(uint32_t *state, const unsigned char *data, size_t blocks);

static inline uint32_t
rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void
compress_plain(uint32_t *state, const unsigned char *data, size_t blocks)
{
	uint32_t w[64];

	for (; blocks > 0; blocks--, data += 64)
	{
		uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
		uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
		int i;

		for (i = 0; i < 16; i++)
			w[i] = (uint32_t) data[4 * i] << 24 | (uint32_t) data[4 * i + 1] << 16 |
				   (uint32_t) data[4 * i + 2] << 8 | data[4 * i + 3];
		for (; i < 64; i++)
		{
			uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
			uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;

			w[i] = w[i - 16] + s0 + w[i - 7] + s1;
		}
		for (i = 0; i < 64; i++)
		{
			uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
			uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
			uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
			uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));

			h = g;
			g = f;
			f = e;
			e = d + t1;
			d = c;
			c = b;
			b = a;
			a = t1 + t2;
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		state[5] += f;
		state[6] += g;
		state[7] += h;
	}
}

#ifdef HAVE_SHA_INSTRUCTIONS
/*
 * Two rounds an instruction, which keeps the state as (a b e f) and (c d g h);
 * msg1 and msg2 make four words of the message schedule.
 */
__attribute__((target("sha,sse4.1,ssse3"))) static void
compress_sha(uint32_t *state, const unsigned char *data, size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i abcd = _mm_loadu_si128((const __m128i *) state);
	__m128i efgh = _mm_loadu_si128((const __m128i *) (state + 4));
	__m128i cdab = _mm_shuffle_epi32(abcd, 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(efgh, 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, hgfe, 8);
	__m128i cdgh = _mm_blend_epi16(hgfe, cdab, 0xf0);

	for (; blocks > 0; blocks--, data += 64)
	{
		__m128i abef_before = abef, cdgh_before = cdgh;
		__m128i w[16];
		int i;

#pragma GCC unroll 16
		for (i = 0; i < 16; i++)
		{
			__m128i k;

			if (i < 4)
				w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) (data + 16 * i)), swap);
			else
				w[i] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i - 4], w[i - 3]),
														  _mm_alignr_epi8(w[i - 1], w[i - 2], 4)),
											w[i - 1]);
			k = _mm_add_epi32(w[i], _mm_loadu_si128((const __m128i *) (round_constants + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	hgfe = _mm_shuffle_epi32(abef, 0x1b); /* f e b a, low word last */
	cdab = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *) state, _mm_blend_epi16(hgfe, cdab, 0xf0));
	_mm_storeu_si128((__m128i *) (state + 4), _mm_alignr_epi8(cdab, hgfe, 8));
}

static Compress
choose(void)
{
	unsigned int a, b, c, d, b7;

	if (!__get_cpuid_count(7, 0, &a, &b7, &c, &d) || !__get_cpuid(1, &a, &b, &c, &d))
		return compress_plain;
	return b7 & (1u << 29) && c & bit_SSE4_1 && c & bit_SSSE3 ? compress_sha : compress_plain;
}
#else
static Compress
choose(void)
{
	return compress_plain;
}
#endif

static void
hash_by(Compress compress, const unsigned char *data, size_t length, unsigned char *out)
{
	unsigned char tail[128];
	size_t whole = length / 64, left = length % 64, padded = left < 56 ? 64 : 128;
	uint32_t state[8];
	int i;

	memcpy(state, first_state, sizeof(state));
	compress(state, data, whole);
	memset(tail, 0, sizeof(tail));
	if (left > 0)
		memcpy(tail, data + whole * 64, left);
	tail[left] = 0x80;
	for (i = 0; i < 8; i++)
		tail[padded - 1 - i] = (unsigned char) ((uint64_t) length * 8 >> 8 * i);
	compress(state, tail, padded / 64);
	for (i = 0; i < 32; i++)
		out[i] = (unsigned char) (state[i / 4] >> 8 * (3 - i % 4));
}

void
dmp_sha256(const unsigned char *data, size_t length, unsigned char *out)
{
	static Compress compress = NULL;

	if (compress == NULL)
		compress = choose();
	hash_by(compress, data, length, out);
}

void
dmp_sha256_plain(const unsigned char *data, size_t length, unsigned char *out)
{
	hash_by(compress_plain, data, length, out);
}
