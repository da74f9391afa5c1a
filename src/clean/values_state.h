/*-------------------------------------------------------------------------
 * values_state.h
 *		The same numbers as the state of an aggregate, flat or expanded.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_VALUES_STATE_H
#define DMP_VALUES_STATE_H

#include "base/state.h"
#include "clean/values.h"

/* an empty flat state with room for some values; shares of dmp.quantiles, NaN for NULL */
extern DmpState *dmp_values_flat(int nshares, const double *shares, uint64 room);
/* a flat state may move: what comes back is the state from then on; context is the aggregate's */
extern Datum dmp_values_add(Datum state, double x, MemoryContext context);
/* one value that equals x out of it; false when there is none, or it went to a file */
extern bool dmp_values_take(Datum *state, double x, MemoryContext context);
extern Datum dmp_values_merge(Datum into, Datum from, MemoryContext context);
extern uint64 dmp_values_size(Datum state);
extern int dmp_values_shares(Datum state, const double **shares);
/* the object, or NULL when the state is flat */
extern DmpValues *dmp_values_of(Datum state);
extern Datum dmp_values_datum(DmpValues *values);
/* the object, for a flat state one made for the answer */
extern DmpValues *dmp_values_to_ask(Datum state);
/* median of |x - median|; NaN when the median is */
extern double dmp_values_mad(DmpValues *values);

#endif /* DMP_VALUES_STATE_H */
