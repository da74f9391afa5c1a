/*-------------------------------------------------------------------------
 * clean.h
 *		Cleaning of values and of tables by recipe.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_CLEAN_H
#define DMP_CLEAN_H

#include "dmp.h"

#endif /* DMP_CLEAN_H */
