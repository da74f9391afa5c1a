/* test_feistel.c - the map of strings of digits is one to one and undone by its inverse */
#include "unit.h"
#include "math/feistel.h"
#include "math/hash.h"

/* no cipher: enough to see what the network does with it */
static void
toy_prf(void *context, const uint8_t *in, size_t length, uint8_t out[32])
{
	int i;

	for (i = 0; i < 4; i++)
	{
		uint64_t h = dmp_hash_bytes(in, length, *(uint64_t *) context + i);

		memcpy(out + 8 * i, &h, 8);
	}
}

static void
constant_prf(void *context, const uint8_t *in, size_t length, uint8_t out[32])
{
	memset(out, 0xff, 32);
	(void) context;
	(void) in;
	(void) length;
}

/* every string of n digits: images are distinct, the inverse returns, few stay themselves */
static void
whole_domain(uint32_t radix, size_t n, const char *what)
{
	uint64_t key = 5;
	DmpFeistel f = {radix, toy_prf, &key};
	uint8_t scratch[64];
	size_t size = 1, i, fixed = 0, wrong = 0;
	char *seen;
	char text[100];

	for (i = 0; i < n; i++)
		size *= radix;
	seen = calloc(size, 1);
	for (i = 0; i < size; i++)
	{
		uint32_t digits[32];
		size_t number = 0, rest = i, back = 0, j;

		for (j = 0; j < n; j++, rest /= radix)
			digits[j] = (uint32_t) (rest % radix);
		dmp_feistel_encrypt(&f, digits, n, scratch);
		for (j = n; j-- > 0;)
			number = number * radix + digits[j];
		wrong += number >= size || seen[number];
		if (number < size)
			seen[number] = 1;
		fixed += number == i;
		dmp_feistel_decrypt(&f, digits, n, scratch);
		for (j = n; j-- > 0;)
			back = back * radix + digits[j];
		wrong += back != i;
	}
	free(seen);
	snprintf(text, sizeof(text), "%s: one to one on all %zu strings", what, size);
	ok(wrong == 0, text);
	/* a random permutation leaves one in place on average */
	snprintf(text, sizeof(text), "%s: %zu stay themselves", what, fixed);
	ok(fixed < 12, text);
}

void
test_feistel(void)
{
	uint64_t key = 1;
	DmpFeistel f = {10, toy_prf, &key};
	uint32_t digits[1000], before[1000];
	uint8_t *scratch = malloc(dmp_feistel_scratch(1000));
	int buckets[10] = {0};
	double chi = 0;
	int i, changed = 0;

	ok(dmp_feistel_min_digits(10) == 6 && dmp_feistel_min_digits(2) == 20 &&
		   dmp_feistel_min_digits(1000) == 2 && dmp_feistel_min_digits(65536) == 2 &&
		   dmp_feistel_min_digits(999) == 3,
	   "floor of a million strings");
	whole_domain(10, 6, "six decimal digits");
	whole_domain(2, 20, "20 bits");
	whole_domain(1009, 2, "two digits of a large radix");

	for (i = 0; i < 1000; i++)
		digits[i] = before[i] = (uint32_t) (i * 7 % 10);
	dmp_feistel_encrypt(&f, digits, 1000, scratch);
	for (i = 0; i < 1000; i++)
	{
		changed += digits[i] != before[i];
		buckets[digits[i] < 10 ? digits[i] : 0]++;
	}
	for (i = 0; i < 10; i++)
		chi += (buckets[i] - 100.0) * (buckets[i] - 100.0) / 100;
	ok(changed > 850 && chi < 30, "a long string: over many blocks, even digits");
	dmp_feistel_decrypt(&f, digits, 1000, scratch);
	ok(memcmp(digits, before, sizeof(digits)) == 0, "and back");
	f.radix = 65536;
	f.prf = constant_prf;
	digits[0] = 65535;
	digits[1] = 0;
	digits[2] = 1;
	memcpy(before, digits, 3 * sizeof(digits[0]));
	dmp_feistel_encrypt(&f, digits, 3, scratch);
	ok(digits[0] < 65536 && digits[1] < 65536 && digits[2] < 65536, "largest radix");
	dmp_feistel_decrypt(&f, digits, 3, scratch);
	ok(memcmp(digits, before, 3 * sizeof(digits[0])) == 0, "whatever the pseudo-random function");
	free(scratch);
}
