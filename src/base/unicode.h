/*-------------------------------------------------------------------------
 * unicode.h
 *		Classes and cases of characters, the same in every database.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_UNICODE_H
#define DMP_UNICODE_H

#include "dmp.h"

typedef enum DmpCharacterClass
{
	DMP_CLASS_SPACE,
	DMP_CLASS_OTHER, /* punctuation and signs: no part of a word */
	DMP_CLASS_LETTER,
	DMP_CLASS_DENSE /* of a script without spaces */
} DmpCharacterClass;

extern DmpCharacterClass dmp_character_class(uint32 c);
extern uint32 dmp_lower_case(uint32 c);
/* the character at *at, which moves behind it; never past end */
extern uint32 dmp_decode_utf8(const unsigned char **at, const unsigned char *end);

#endif /* DMP_UNICODE_H */
