/*-------------------------------------------------------------------------
 * meaning.h
 *		What a text is beyond its type.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MEANING_H
#define DMP_MEANING_H

#include <stddef.h>

/* a DmpMeaning, -1: none known; s is NUL-terminated */
extern int dmp_meaning(const char *s, size_t length);
/* number of an ISO 3166-1 alpha-2 code among all pairs of letters, -1: it is none */
extern int dmp_country_pair(const char *s, size_t length);

#endif /* DMP_MEANING_H */
