/*-------------------------------------------------------------------------
 * train_limits.c
 *		Options of dmp.train that say something of single columns: penalty
 *		factors and bounds.
 *
 * A factor multiplies the penalty of all that a column becomes, its levels and
 * its missing flag; 0 leaves it unpenalised. A bound is of the coefficient of a
 * number or a boolean on the column's own scale, and lets it be 0: a column
 * that is constant, or that a lasso removes, is there.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/train.h"
#include "learn/transform.h"

/* whether a key names a feature: by its own name, or its column's, or its pair's, "a:b" */
static bool
is_named(const DmpFeature *feature, const char *name)
{
	const DmpTransform *t = feature->transform;

	if (strcmp(feature->name, name) == 0)
		return true;
	if (t == NULL)
		return false;
	if (t->ncolumns == 1)
		return strcmp(t->columns[0], name) == 0;
	return strcmp(psprintf("%s:%s", t->columns[0], t->columns[1]), name) == 0;
}

/* Positions of the features a key names, in order from after on; -1: no more. None at all is an error. */
static int
next_feature(const DmpTrainPlan *plan, const char *option, const char *name, int after)
{
	int i;

	for (i = after; i < plan->spec.nfeatures; i++)
	{
		if (is_named(&plan->spec.features[i], name))
			return i;
	}
	if (after == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("option \"%s\": column \"%s\" is no feature", option, name),
						dmp_errhint_nearest(name, plan->feature_names)));
	return -1;
}

static double
number_of(const DmpDoc *doc, double if_null, const char *option, const char *name)
{
	double value = if_null;
	char *end;

	if (doc->kind == DMP_DOC_NULL)
		return value;
	if (doc->kind == DMP_DOC_NUMBER)
	{
		value = strtod(doc->text, &end);
		if (*end == '\0' && isfinite(value))
			return value;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" of column \"%s\" must be made of numbers", option, name)));
	return NAN;
}

static void
read_bound(const DmpDoc *doc, const char *name, double *low, double *high)
{
	if (doc->kind == DMP_DOC_STRING && strcmp(doc->text, "positive") == 0)
		*low = 0;
	else if (doc->kind == DMP_DOC_STRING && strcmp(doc->text, "negative") == 0)
		*high = 0;
	else if (doc->kind == DMP_DOC_ARRAY && doc->n == 2)
	{
		*low = number_of(doc->items[0], -INFINITY, "bounds", name);
		*high = number_of(doc->items[1], INFINITY, "bounds", name);
	}
	else
		ereport(
			ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"bounds\" of column \"%s\" must be [low, high]", name),
			 errhint("Either may be null; \"positive\" is [0, null], \"negative\" [null, 0].")));
	if (!(*low <= 0 && *high >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the bounds of column \"%s\" do not hold 0", name),
				 errhint("Put what is known of it in the base_margin, and bound the rest.")));
}

void
dmp_train_limits(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFitSpec *spec = &plan->spec;
	const DmpDoc *factors = args->penalty_factor, *bounds = args->bounds;
	int i;

	if (factors != NULL)
	{
		spec->factor = palloc(sizeof(double) * Max(spec->nfeatures, 1));
		spec->scaled_factor = args->compat != NULL && strcmp(args->compat, "glmnet") == 0;
		for (i = 0; i < spec->nfeatures; i++)
			spec->factor[i] = 1;
	}
	for (i = 0; factors != NULL && i < factors->n; i++)
	{
		double factor = number_of(factors->items[i], 1, "penalty_factor", factors->keys[i]);
		int f;

		if (factor < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"penalty_factor\" of column \"%s\" must be 0 or more",
								   factors->keys[i])));
		for (f = next_feature(plan, "penalty_factor", factors->keys[i], 0); f >= 0;
			 f = next_feature(plan, "penalty_factor", factors->keys[i], f + 1))
			spec->factor[f] = factor;
	}
	if (bounds == NULL)
		return;
	spec->lower = palloc(sizeof(double) * Max(spec->nfeatures, 1));
	spec->upper = palloc(sizeof(double) * Max(spec->nfeatures, 1));
	for (i = 0; i < spec->nfeatures; i++)
	{
		spec->lower[i] = -INFINITY;
		spec->upper[i] = INFINITY;
	}
	for (i = 0; i < bounds->n; i++)
	{
		int f = next_feature(plan, "bounds", bounds->keys[i], 0);

		for (; f >= 0; f = next_feature(plan, "bounds", bounds->keys[i], f + 1))
		{
			const DmpFeature *feature = &spec->features[f];

			if (feature->encode != DMP_ENCODE_NUMERIC && feature->encode != DMP_ENCODE_BOOLEAN)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("column \"%s\" is a text and cannot be bounded", bounds->keys[i]),
						 errdetail("A bound is of one coefficient, a text has one for each of "
								   "its values.")));
			read_bound(bounds->items[i], bounds->keys[i], &spec->lower[f], &spec->upper[f]);
		}
	}
}
