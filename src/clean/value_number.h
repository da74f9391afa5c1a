/*-------------------------------------------------------------------------
 * value_number.h
 *		Numbers within a text.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_VALUE_NUMBER_H
#define DMP_VALUE_NUMBER_H

#include "clean/value.h"

extern void dmp_fold_digits(DmpChars *chars);
extern bool dmp_read_number(const pg_wchar *c, int n, int *at, pg_wchar decimal, int shift,
							Datum *value);

#endif /* DMP_VALUE_NUMBER_H */
