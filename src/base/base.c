/*-------------------------------------------------------------------------
 * base.c
 *		Settings and small things every module uses.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

void
dmp_base_init(void)
{
}
