/*-------------------------------------------------------------------------
 * values.h
 *		Numbers whose order statistics are wanted: state of dmp.median,
 *		dmp.mad and dmp.quantiles, and what robust_scale collects.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_VALUES_H
#define DMP_VALUES_H

#include "dmp.h"

#include "math/env.h"
#include "nodes/memnodes.h"

typedef struct DmpValues DmpValues;

extern const DmpMathEnv dmp_server_env; /* palloc, pfree, CHECK_FOR_INTERRUPTS */

/* as a child of parent, whose other children count against work_mem too */
extern DmpValues *dmp_values_make(MemoryContext parent);
extern void dmp_values_append(DmpValues *values, double x);
extern uint64 dmp_values_count(const DmpValues *values);
/* quantiles of type 7 in the order asked for; n values at least 1, shares within 0 and 1 */
extern void dmp_values_quantiles(DmpValues *values, int n, const double *shares, double *out);

/* of the module's init */
extern void dmp_values_init(void);
extern void dmp_forest_init(void);

#endif /* DMP_VALUES_H */
