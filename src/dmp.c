/*-------------------------------------------------------------------------
 * dmp.c
 *		Entry point. _PG_init is the table of contents.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "utils/guc.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "dmp");
#else
PG_MODULE_MAGIC;
#endif

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	dmp_base_init();
	dmp_clean_init();
	dmp_learn_init();
	dmp_score_init();
	dmp_govern_init();
	/* a setting that is misspelt is an error */
	MarkGUCPrefixReserved("dmp");
}
