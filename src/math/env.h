/*-------------------------------------------------------------------------
 * env.h
 *		What math asks of whoever calls it: memory, and a word now and then.
 *
 * The files of src/math know nothing of the server. They take memory through
 * alloc (which must not return NULL: the server's version raises an error and
 * a test's version exits) and call check at least every few milliseconds of
 * work; check may leave by a long jump, so nothing here holds anything that
 * the owner of the memory could not release by itself.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_ENV_H
#define DMP_MATH_ENV_H

#include <stddef.h>

typedef struct DmpMathEnv
{
	void *(*alloc)(size_t size); /* never NULL; any alignment of 8 or more */
	void (*release)(void *p);
	void (*check)(void); /* may not return */
} DmpMathEnv;

#endif /* DMP_MATH_ENV_H */
