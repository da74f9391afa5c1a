/*-------------------------------------------------------------------------
 * secret.h
 *		Keys by name, and HMAC-SHA-256 under them.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SECRET_H
#define DMP_SECRET_H

#include "base/base.h"
#include "common/hmac.h"

#define DMP_KEY_BYTES 32

/*
 * The key of that name, made on first use by a strong random generator. In a
 * read-only transaction or a parallel plan a key that is not there yet is an
 * error. Cached for the session until any key changes.
 */
extern void dmp_secret(const char *name, uint8 key[DMP_KEY_BYTES]);

/* random bytes that nobody can foretell, setseed() or not; an error when the system has none */
extern void dmp_strong_random(void *bytes, size_t length);

/*
 * HMAC-SHA-256 piece by piece: begin, add ..., end. A context serves many
 * messages within one call of a function and is freed before it returns.
 */
extern pg_hmac_ctx *dmp_hmac_make(void);
extern void dmp_hmac_begin(pg_hmac_ctx *hmac, const uint8 key[DMP_KEY_BYTES]);
extern void dmp_hmac_add(pg_hmac_ctx *hmac, const void *bytes, size_t length);
/* length and bytes, so that two parts cannot be taken for others */
extern void dmp_hmac_add_text(pg_hmac_ctx *hmac, const char *text, size_t length);
extern void dmp_hmac_end(pg_hmac_ctx *hmac, uint8 out[DMP_KEY_BYTES]);

#endif /* DMP_SECRET_H */
