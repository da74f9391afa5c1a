/*-------------------------------------------------------------------------
 * inference.c
 *		Standard errors, inflation of variance, deviance and what follows.
 *
 * With H the Hessian of the loss summed over rows, A = H + W lambda s^2 and u_i
 * what row i adds to the gradient:
 *
 *		model		H^-1						no penalty
 *		ridge		A^-1 H A^-1					the estimates are biased: no z, no p
 *		robust		A^-1 (sum u u') A^-1 n/(n-1)			each row by itself
 *		cluster		the same of sums over clusters, G/(G-1)	G clusters
 *
 * (White 1980; Liang and Zeger 1986: R's sandwich::vcovHC type HC0 with n/(n-1),
 * and sandwich::vcovCL type HC0.) A lasso, or a lambda chosen on the same rows,
 * leaves none: what it selects is a function of the data that no formula here
 * knows of. A coefficient that rests at a bound has none; those of the others
 * take it as known.
 *
 * Inflation of variance is Fox and Monette's (1992), from the correlation R of
 * the coefficients without the intercept: det R_11 det R_22 / det R, 1 meaning
 * the columns of the feature, 2 the others. Of a feature of k columns it is
 * raised to 1/k, so that one scale serves all (the square of what R's car::vif
 * calls GVIF^(1/(2 Df))). A missing flag is a feature of its own here.
 *-------------------------------------------------------------------------
 */
#include "learn/inference.h"

#include <math.h>

#include "learn/transform.h"
#include "utils/memutils.h"

#define LASSO_ERRORS "a lasso chooses columns by the same rows"

const char *
dmp_errors_refused(const DmpFitSpec *spec)
{
	int i;

	if (spec->no_errors != NULL)
		return spec->no_errors;
	if (spec->nlambdas > 1)
		return "lambda was chosen by the same rows";
	for (i = 0; i < spec->nfeatures; i++)
	{
		const DmpTransform *transform = spec->features[i].transform;

		if (transform != NULL &&
			(transform->kind == DMP_TRANSFORM_WOE || transform->kind == DMP_TRANSFORM_TARGET))
			return "values of a column were made from the target of the same rows";
	}
	if (spec->lambda * spec->alpha > 0)
		return LASSO_ERRORS;
	return NULL;
}

/* ----------------------------------------------------- inflation of variance */

/* log of the determinant of the rows and columns of a packed matrix in which */
static double
log_determinant(const double *a, const int *which, int k)
{
	double *l = palloc(sizeof(double) * DMP_TRI(k));
	double *d = palloc(sizeof(double) * k);
	unsigned char *skip = palloc0(k);
	double sum = 0;
	int i, j;

	for (i = 0; i < k; i++)
		for (j = 0; j <= i; j++)
			l[DMP_TRI(i) + j] = a[DMP_TRI(which[i]) + which[j]];
	if (dmp_cholesky(k, l, d, skip, 1e-14, &dmp_server_env) < k)
		sum = NAN;
	for (i = 0; i < k && !isnan(sum); i++)
		sum += 2 * (log(l[DMP_TRI(i) + i]) - log(d[i]));
	pfree(l);
	pfree(d);
	pfree(skip);
	return sum;
}

/* the inflation of a group of k places of R with inverse P */
static double
inflation(const double *r, const double *p, const int *which, int k)
{
	if (k == 1)
		return p[DMP_TRI(which[0]) + which[0]];
	return exp((log_determinant(r, which, k) + log_determinant(p, which, k)) / k);
}

/* places of the design columns of a feature of texts that have a coefficient, into which */
static int
columns_of(const DmpFeature *feature, const int *place, int *which)
{
	int k = 0, i;

	for (i = 0; i < feature->nlevels; i++)
		if (feature->levels[i].index >= 0 && place[feature->levels[i].index] >= 0)
			which[k++] = place[feature->levels[i].index];
	if (feature->other_index >= 0 && place[feature->other_index] >= 0)
		which[k++] = place[feature->other_index];
	if (feature->missing_index >= 0 && feature->missing_index != feature->other_index &&
		place[feature->missing_index] >= 0)
		which[k++] = place[feature->missing_index];
	return k;
}

/* of each design column from the covariance; NaN: it has none */
static double *
make_vif(const DmpFit *fit)
{
	const DmpDesign *design = &fit->design;
	const double *cov = fit->covariance;
	int width = design->width, m = 0, i, j;
	double *vif = palloc(sizeof(double) * (width + 1));
	int *place = palloc(sizeof(int) * (width + 1)), *column = palloc(sizeof(int) * (width + 1));
	int *which = palloc(sizeof(int) * (width + 1));
	double *r, *l, *p, *d;
	unsigned char *skip;

	for (i = 0; i < width; i++)
	{
		vif[i] = NAN;
		place[i] = -1;
		if (cov[DMP_TRI(1 + i) + 1 + i] > 0)
		{
			place[i] = m;
			column[m++] = i;
		}
	}
	r = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * (DMP_TRI(m) + 1));
	l = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * (DMP_TRI(m) + 1));
	p = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * (DMP_TRI(m) + 1));
	d = palloc(sizeof(double) * (m + 1));
	skip = palloc0(m + 1);
	for (i = 0; i < m; i++)
		for (j = 0; j <= i; j++)
		{
			int a = 1 + Max(column[i], column[j]), b = 1 + Min(column[i], column[j]);

			r[DMP_TRI(i) + j] =
				cov[DMP_TRI(a) + b] / sqrt(cov[DMP_TRI(a) + a]) / sqrt(cov[DMP_TRI(b) + b]);
		}
	memcpy(l, r, sizeof(double) * DMP_TRI(m));
	if (dmp_cholesky(m, l, d, skip, 1e-14, &dmp_server_env) == m)
	{
		dmp_cholesky_inverse(m, l, d, p, &dmp_server_env);
		for (i = 0; i < design->nfeatures; i++)
		{
			const DmpFeature *feature = &design->features[i];
			int k;

			if (feature->encode == DMP_ENCODE_ONE_HOT)
			{
				double value;

				k = columns_of(feature, place, which);
				value = k > 0 ? inflation(r, p, which, k) : NAN;
				for (j = 0; j < k; j++)
					vif[column[which[j]]] = value;
				continue;
			}
			for (k = 0; k < 2; k++)
			{
				j = k == 0 ? feature->index : feature->missing_index;
				if (j >= 0 && place[j] >= 0)
					vif[j] = inflation(r, p, &place[j], 1);
			}
		}
	}
	pfree(r);
	pfree(l);
	pfree(p);
	return vif;
}

/* ----------------------------------------------------------- the covariance */

/* covariance of parameters to that of (intercept on the raw scale, design columns), and its roots */
static void
take_covariance(const DmpScanPlan *plan, const DmpScanSolution *s, const int *column,
				const double *cov, DmpFit *out)
{
	int n = plan->layout.shape.nparams, width = out->design.width, i, j;
	double *shift = palloc0(sizeof(double) * 2 * n), *product = shift + n;

	/* raw intercept = a - c.b: a linear map of the parameters */
	for (i = 1; i <= plan->ndense; i++)
		shift[i] = column[i] >= 0 ? -plan->stats.pivot[i - 1] : 0;
	if (!plan->layout.fixed[0])
		shift[0] = 1;
	for (i = 1; i < n; i++)
	{
		if (column[i] < 0)
			continue;
		for (j = 1; j <= i; j++)
			if (column[j] >= 0)
			{
				int a = 1 + Max(column[i], column[j]), b = 1 + Min(column[i], column[j]);

				out->covariance[DMP_TRI(a) + b] = cov[DMP_TRI(i) + j];
			}
	}
	dmp_symmetric_multiply(n, cov, shift, product);
	out->covariance[0] = dmp_dot(n, shift, product);
	for (i = 1; i < n; i++)
		if (column[i] >= 0)
			out->covariance[DMP_TRI(1 + column[i])] = product[i];
	for (i = 0; i <= width; i++)
		out->std_err[i] = sqrt(fmax(out->covariance[DMP_TRI(i) + i], 0));
	for (i = 1; i < n; i++)
		if (column[i] >= 0 && (s->aliased[i] || dmp_at_bound(&plan->layout, s->theta, i)))
			out->std_err[1 + column[i]] = NAN;
	pfree(shift);
}

void
dmp_fit_errors(const DmpFitSpec *spec, const DmpScanPlan *plan, const DmpScanSolution *s,
			   const int *column, const double *meat, int64 clusters, DmpFit *out)
{
	DmpGlmProblem problem;
	int n = plan->layout.shape.nparams, width = out->design.width, i;
	double *hessian, *cov;
	unsigned char *skip = palloc(n);
	Size k;

	out->no_errors = dmp_errors_refused(spec);
	if (out->no_errors == NULL && plan->lambda * plan->alpha > 0)
		out->no_errors = LASSO_ERRORS;
	if (out->no_errors == NULL && out->status != DMP_FIT_CONVERGED)
		out->no_errors = "the fit did not converge";
	if (out->no_errors == NULL && !(out->dispersion >= 0))
		out->no_errors = "there are no more rows than coefficients";
	if (out->no_errors != NULL)
		return;
	dmp_layout_problem(plan, &plan->layout, &problem);
	hessian = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	cov = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	for (k = 0; k < DMP_TRI(n); k++)
		hessian[k] = s->hessian[k] * plan->stats.weight;
	for (i = 0; i < n; i++)
		skip[i] =
			plan->layout.fixed[i] || s->aliased[i] || dmp_at_bound(&plan->layout, s->theta, i);
	out->covariance = palloc0(sizeof(double) * DMP_TRI(width + 1));
	out->std_err = palloc0(sizeof(double) * (width + 1));
	dmp_glm_covariance(&problem, hessian, NULL, plan->stats.weight, skip, cov);
	for (k = 0; k < DMP_TRI(n); k++)
		cov[k] *= out->dispersion;
	take_covariance(plan, s, column, cov, out);
	out->std_err_kind = plan->lambda > 0 ? "ridge" : "model";
	if (plan->lambda == 0)
		out->vif = make_vif(out);
	if (meat != NULL)
	{
		dmp_glm_covariance(&problem, hessian, meat, plan->stats.weight, skip, cov);
		for (k = 0; k < DMP_TRI(n); k++)
			cov[k] *= (double) clusters / (clusters - 1);
		take_covariance(plan, s, column, cov, out);
		out->std_err_kind = spec->has_cluster ? "cluster" : "robust";
		out->clusters = spec->has_cluster ? clusters : 0;
	}
	pfree(hessian);
	pfree(cov);
}

/* ------------------------------------------------------------------ quality */

void
dmp_fit_quality(const DmpFitSpec *spec, DmpFit *fit)
{
	double lambda = fit->lambda > 0 ? fit->lambda : spec->lambda;
	double null_loss = fit->null_log_loss;

	fit->df_null = fit->rows - (spec->intercept ? 1 : 0);
	fit->df_residual = -1;
	if (fit->nclasses == 0 && !spec->intercept)
		null_loss = log(2);
	fit->null_deviance = 2 * fit->weight_sum * null_loss;
	fit->deviance = 2 * fit->weight_sum * fit->log_loss;
	if (fit->family != DMP_BINOMIAL)
	{
		fit->null_deviance = fit->null_deviance_of_numbers;
		fit->deviance = fit->mean_deviance[0] * fit->weight_sum;
	}
	fit->aic = fit->bic = NAN;
	/* a penalty leaves no count of what was estimated, and no maximum to compare */
	if (lambda > 0 || fit->rank == 0)
		return;
	fit->df_residual = fit->rows - fit->rank;
	if (fit->status != DMP_FIT_CONVERGED)
		return;
	if (fit->family != DMP_BINOMIAL)
	{
		/* the dispersion of least squares counts as estimated, as in R */
		int k = fit->rank + (fit->family == DMP_GAUSSIAN);

		fit->aic = fit->minus_two_log_likelihood + 2 * k;
		fit->bic = fit->minus_two_log_likelihood + log((double) fit->rows) * k;
		return;
	}
	fit->aic = fit->deviance + 2 * fit->rank;
	fit->bic = fit->deviance + log((double) fit->rows) * fit->rank;
}
