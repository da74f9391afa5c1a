/*-------------------------------------------------------------------------
 * feistel.c
 *		A keyed one-to-one map of strings of digits of any radix.
 *
 * An alternating Feistel network: the digits are cut into two halves (the
 * second has the odd one), and each round adds to one half, digit by digit
 * modulo the radix, pseudo-random digits made of the other. A round is undone
 * by subtracting the same digits, so whatever the pseudo-random function
 * does, the map is one to one on strings of that length: no walk along cycles
 * is needed, and nothing is lost to rounding.
 *
 * The shape (cut, ten rounds, floor of a million strings) is that of FF1 of
 * NIST SP 800-38G, but the pseudo-random function is the caller's and the
 * addition has no carries: this is not FF1 and makes no claim to be.
 *
 * Digits of a round come from blocks of 32 bytes; each 16 bytes, as a number
 * modulo radix^k with radix^k < 2^64, give k digits, which differ from evenly
 * distributed ones by less than 2^-64.
 *-------------------------------------------------------------------------
 */
#include "math/feistel.h"

/* radix, digits, round, block: what a message begins with */
#define HEAD 13

size_t
dmp_feistel_min_digits(uint32_t radix)
{
	uint64_t strings = radix;
	size_t n = 1;

	while (n < 2 || strings < DMP_FEISTEL_MIN_DOMAIN)
	{
		strings *= radix;
		n++;
	}
	return n;
}

size_t
dmp_feistel_scratch(size_t n)
{
	return HEAD + 2 * n;
}

static void
put32(uint8_t *at, uint32_t value)
{
	int i;

	for (i = 0; i < 4; i++)
		at[i] = (uint8_t) (value >> (8 * i));
}

/* how many digits a number below 2^64 has room for */
static int
digits_of_word(uint32_t radix)
{
	uint64_t power = radix;
	int k = 1;

	while (power <= UINT64_MAX / radix)
	{
		power *= radix;
		k++;
	}
	return k;
}

/* to[0 .. n) += or -= digits made of from[0 .. m) */
static void
feistel_round(const DmpFeistel *f, uint32_t *to, size_t n, const uint32_t *from, size_t m,
			  int number, int undo, uint8_t *message)
{
	int k = digits_of_word(f->radix);
	uint64_t power = 1;
	uint32_t block = 0;
	uint8_t out[32];
	int used = 2;
	size_t i;
	int j;

	for (j = 0; j < k; j++)
		power *= f->radix;
	put32(message, f->radix);
	put32(message + 4, (uint32_t) (n + m));
	message[8] = (uint8_t) number;
	for (i = 0; i < m; i++)
	{
		message[HEAD + 2 * i] = (uint8_t) from[i];
		message[HEAD + 2 * i + 1] = (uint8_t) (from[i] >> 8);
	}
	for (i = 0; i < n;)
	{
		unsigned __int128 wide = 0;
		uint64_t word;

		if (used == 2)
		{
			put32(message + 9, block++);
			f->prf(f->context, message, HEAD + 2 * m, out);
			used = 0;
		}
		for (j = 0; j < 16; j++)
			wide = wide << 8 | out[16 * used + j];
		used++;
		word = (uint64_t) (wide % power);
		for (j = 0; j < k && i < n; j++, i++)
		{
			uint32_t add = (uint32_t) (word % f->radix);

			word /= f->radix;
			if (undo)
				add = f->radix - add;
			to[i] = (uint32_t) (((uint64_t) to[i] + add) % f->radix);
		}
	}
}

void
dmp_feistel_encrypt(const DmpFeistel *f, uint32_t *digits, size_t n, uint8_t *scratch)
{
	size_t half = n / 2;
	int i;

	for (i = 0; i < DMP_FEISTEL_ROUNDS; i++)
	{
		if (i % 2 == 0)
			feistel_round(f, digits, half, digits + half, n - half, i, 0, scratch);
		else
			feistel_round(f, digits + half, n - half, digits, half, i, 0, scratch);
	}
}

void
dmp_feistel_decrypt(const DmpFeistel *f, uint32_t *digits, size_t n, uint8_t *scratch)
{
	size_t half = n / 2;
	int i;

	for (i = DMP_FEISTEL_ROUNDS - 1; i >= 0; i--)
	{
		if (i % 2 == 0)
			feistel_round(f, digits, half, digits + half, n - half, i, 1, scratch);
		else
			feistel_round(f, digits + half, n - half, digits, half, i, 1, scratch);
	}
}
