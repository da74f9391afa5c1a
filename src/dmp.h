/*-------------------------------------------------------------------------
 * dmp.h
 *		Names every file of the extension may rely on.
 *
 * The modules, left to right, are listed in MODULE_ORDER in the Makefile; a
 * module may include headers only of modules to its left. Each module has
 * one dmp_<module>_init(), called by _PG_init, and owns its settings.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_H
#define DMP_H

#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"

/* one per module, in MODULE_ORDER */
extern void dmp_base_init(void);
extern void dmp_clean_init(void);
extern void dmp_learn_init(void);
extern void dmp_score_init(void);
extern void dmp_govern_init(void);

#endif /* DMP_H */
