/*-------------------------------------------------------------------------
 * dp.h
 *		Differential privacy: noise, budgets, questions.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_DP_H
#define DMP_DP_H

#include "base/base.h"
#include "math/laplace.h"

/* epsilon is counted in millionths */
#define DMP_DP_MICRO 1000000
#define DMP_DP_MAX_EPSILON 1000
#define DMP_DP_MAX_BUDGET 1000000

/* ---- dp_noise.c */

/* an epsilon given by a user, in millionths; an error unless above 0 and at most most */
extern int64 dmp_dp_micro(Datum epsilon, int most);
extern Datum dmp_dp_from_micro(int64 micro); /* numeric */
/* noise of the discrete Laplace distribution of scale sensitivity / (micro / 10^6); sensitivity below 2^76 */
extern int128 dmp_dp_laplace(int64 micro, DmpUint128 sensitivity);
/* half the width of the 95 % interval of such noise */
extern double dmp_dp_margin(int64 micro, double sensitivity);
extern Datum dmp_numeric_of_int128(int128 value);
/* of a whole numeric; far out it is the nearest there is */
extern int128 dmp_int128_of_numeric(Datum numeric);

/* ---- dp_budget.c */

typedef struct DmpDpPermit
{
	Oid owner;     /* of the table: who reads it */
	char *subject; /* column of the person a row is about; NULL: a row is a person */
	double delta;  /* per unit of epsilon */
	List *budgets; /* ids that were charged */
} DmpDpPermit;

/*
 * Charges micro millionths of epsilon to every budget of the table that the
 * session's role comes under, for good: no ROLLBACK gives it back. An error, and
 * no charge, when there is none or one does not suffice. detail: json object of
 * what was asked, for the audit log. More than one row of a subject needs a
 * subject.
 */
extern DmpDpPermit dmp_dp_charge(Oid relid, int64 micro, int rows_per_subject, const char *detail);

#endif /* DMP_DP_H */
