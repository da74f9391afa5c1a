/*-------------------------------------------------------------------------
 * feistel.h
 *		A keyed one-to-one map of strings of digits of any radix.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_FEISTEL_H
#define DMP_MATH_FEISTEL_H

#include <stddef.h>
#include <stdint.h>

#define DMP_FEISTEL_ROUNDS 10
#define DMP_FEISTEL_MAX_RADIX 65536
/* fewer strings than this could be listed by whoever sees some tokens */
#define DMP_FEISTEL_MIN_DOMAIN 1000000

typedef struct DmpFeistel
{
	uint32_t radix; /* 2 .. DMP_FEISTEL_MAX_RADIX */
	/* keyed pseudo-random function of 32 bytes; context carries key and tweak */
	void (*prf)(void *context, const uint8_t *in, size_t length, uint8_t out[32]);
	void *context;
} DmpFeistel;

/* the fewest digits a string must have: two, and DMP_FEISTEL_MIN_DOMAIN strings of them */
extern size_t dmp_feistel_min_digits(uint32_t radix);
/* bytes of scratch that the two below want for n digits */
extern size_t dmp_feistel_scratch(size_t n);
/* n >= 2 digits below radix, changed in place */
extern void dmp_feistel_encrypt(const DmpFeistel *f, uint32_t *digits, size_t n, uint8_t *scratch);
extern void dmp_feistel_decrypt(const DmpFeistel *f, uint32_t *digits, size_t n, uint8_t *scratch);

#endif /* DMP_MATH_FEISTEL_H */
