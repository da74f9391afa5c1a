/*-------------------------------------------------------------------------
 * sha256.h
 *		SHA-256 of short messages, many a second.
 *
 * The server's own goes through a library that spends ten times as long on
 * finding the algorithm as on a message of 64 bytes; a log of millions of
 * entries hashes nothing else. FIPS 180-4, with the processor's instructions
 * where it has them (x86-64) and the same result where it has not.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_SHA256_H
#define DMP_MATH_SHA256_H

#include <stddef.h>
#include <stdint.h>

/* out: 32 bytes, may overlap data */
extern void dmp_sha256(const unsigned char *data, size_t length, unsigned char *out);
/* the same without the processor's instructions */
extern void dmp_sha256_plain(const unsigned char *data, size_t length, unsigned char *out);

#endif /* DMP_MATH_SHA256_H */
