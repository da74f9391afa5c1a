/*-------------------------------------------------------------------------
 * scan_plan.c
 *		Plans, statistics and results of training scans as bytes.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"

#include <math.h>

#define PLAN_VERSION 1

static void
put_stats(DmpBytes *b, int ndense, int ntexts, const DmpStats *s)
{
	int k, i;

	dmp_put_int(b, s->rows);
	dmp_put_int(b, s->rows_test);
	dmp_put_int(b, s->rows_skipped);
	dmp_put_int(b, s->rows_positive);
	dmp_put_int(b, s->rows_odd);
	dmp_put_double(b, s->weight);
	dmp_put_double(b, s->weight_positive);
	dmp_put_double(b, s->target_pivot);
	dmp_put_double(b, s->target_m2);
	dmp_put_double(b, s->target_low);
	dmp_put_double(b, s->target_high);
	dmp_put_double(b, s->offset_mean);
	dmp_put_double(b, s->offset_m2);
	dmp_put_double(b, s->offset_exp);
	dmp_put_double(b, s->offset_target);
	dmp_put(b, s->pivot, sizeof(double) * ndense);
	dmp_put(b, s->columns, sizeof(DmpColumnStats) * ndense);
	for (k = 0; k < ntexts; k++)
	{
		const DmpDictionary *d = &s->texts[k];

		dmp_put_int(b, d->rows_missing);
		dmp_put_double(b, d->missing_weight);
		dmp_put_double(b, d->missing_positive);
		dmp_put_int(b, d->n);
		for (i = 0; i < d->n; i++)
		{
			dmp_put_text(b, d->levels[i].text, d->levels[i].length);
			dmp_put_int(b, d->levels[i].rows);
			dmp_put_double(b, d->levels[i].weight);
			dmp_put_double(b, d->levels[i].positive);
		}
	}
}

static void
get_stats(DmpBytes *b, int ndense, int ntexts, DmpStats *s)
{
	int k, i;

	s->rows = dmp_get_int(b);
	s->rows_test = dmp_get_int(b);
	s->rows_skipped = dmp_get_int(b);
	s->rows_positive = dmp_get_int(b);
	s->rows_odd = dmp_get_int(b);
	s->weight = dmp_get_double(b);
	s->weight_positive = dmp_get_double(b);
	s->target_pivot = dmp_get_double(b);
	s->target_m2 = dmp_get_double(b);
	s->target_low = dmp_get_double(b);
	s->target_high = dmp_get_double(b);
	s->offset_mean = dmp_get_double(b);
	s->offset_m2 = dmp_get_double(b);
	s->offset_exp = dmp_get_double(b);
	s->offset_target = dmp_get_double(b);
	s->pivot = dmp_get_doubles(b, ndense);
	s->columns = palloc(sizeof(DmpColumnStats) * (ndense + 1));
	memcpy(s->columns, dmp_get(b, sizeof(DmpColumnStats) * ndense),
		   sizeof(DmpColumnStats) * ndense);
	s->texts = palloc0(sizeof(DmpDictionary) * (ntexts + 1));
	for (k = 0; k < ntexts; k++)
	{
		DmpDictionary *d = &s->texts[k];
		int n;

		dmp_dictionary_init(d);
		d->rows_missing = dmp_get_int(b);
		d->missing_weight = dmp_get_double(b);
		d->missing_positive = dmp_get_double(b);
		n = dmp_get_count(b, 32);
		for (i = 0; i < n; i++)
		{
			Size length;
			char *text = dmp_get_text(b, &length);

			CHECK_FOR_INTERRUPTS();
			/* codes are positions: a repeated or surplus level would shift the rest */
			if (dmp_dictionary_code(d, text, length, true) != i)
				ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("invalid plan or state of a training scan"));
			pfree(text);
			d->levels[i].rows = dmp_get_int(b);
			d->levels[i].weight = dmp_get_double(b);
			d->levels[i].positive = dmp_get_double(b);
		}
	}
}

/* n numbers that may not be there */
static void
put_optional(DmpBytes *b, const double *x, int n)
{
	dmp_put_int(b, x != NULL);
	if (x)
		dmp_put(b, x, sizeof(double) * n);
}

static double *
get_optional(DmpBytes *b, int n)
{
	return dmp_get_int(b) != 0 ? dmp_get_doubles(b, n) : NULL;
}

static void
put_layout(DmpBytes *b, int ndense, int ntexts, const DmpLayout *l)
{
	int n = l->shape.nparams, k;

	dmp_put_int(b, l->shape.ncoded);
	dmp_put_int(b, n);
	dmp_put(b, l->flag_param, sizeof(int) * ndense);
	dmp_put(b, l->flag_column, sizeof(int) * ndense);
	dmp_put(b, l->fill, sizeof(double) * ndense);
	for (k = 0; k < ntexts; k++)
	{
		dmp_put_int(b, l->texts[k].ncodes);
		dmp_put(b, l->texts[k].param, sizeof(int32) * l->texts[k].ncodes);
		dmp_put_int(b, l->texts[k].missing_param);
	}
	dmp_put(b, l->mean, sizeof(double) * n);
	dmp_put(b, l->sd, sizeof(double) * n);
	dmp_put(b, l->penalty_scale, sizeof(double) * n);
	dmp_put(b, l->reach, sizeof(double) * n);
	dmp_put(b, l->fixed, n);
	put_optional(b, l->penalty_factor, n);
	put_optional(b, l->lower, n);
	put_optional(b, l->upper, n);
	dmp_put_double(b, l->unit);
}

static void
bad_plan(void)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			errmsg("invalid plan of a training scan"));
}

static int *
get_indexes(DmpBytes *b, int n, int limit)
{
	int *x = palloc(sizeof(int) * (n + 1));
	int i;

	memcpy(x, dmp_get(b, sizeof(int) * n), sizeof(int) * n);
	for (i = 0; i < n; i++)
		if (x[i] < -1 || x[i] >= limit)
			bad_plan();
	return x;
}

/* what transition functions need: indexes checked, since they are written through */
static void
get_layout(DmpBytes *b, int ndense, int ntexts, const DmpStats *stats, DmpLayout *l)
{
	int n, k;

	l->shape.ndense = ndense;
	l->shape.ncoded = dmp_get_count(b, 0);
	n = l->shape.nparams = dmp_get_count(b, 4 * sizeof(double));
	if (n < 1 + ndense || l->shape.ncoded < ntexts || l->shape.ncoded > ntexts + ndense)
		bad_plan();
	l->flag_param = get_indexes(b, ndense, n);
	l->flag_column = get_indexes(b, ndense, l->shape.ncoded);
	for (k = 0; k < ndense; k++)
		if ((l->flag_column[k] >= 0) != (l->flag_param[k] >= 0) ||
			(l->flag_column[k] >= 0 && l->flag_column[k] < ntexts))
			bad_plan();
	l->fill = dmp_get_doubles(b, ndense);
	l->texts = palloc0(sizeof(DmpTextMap) * (ntexts + 1));
	for (k = 0; k < ntexts; k++)
	{
		l->texts[k].ncodes = dmp_get_count(b, sizeof(int32));
		if (l->texts[k].ncodes != stats->texts[k].n)
			bad_plan();
		l->texts[k].param = get_indexes(b, l->texts[k].ncodes, n);
		l->texts[k].missing_param = (int) dmp_get_int(b);
		if (l->texts[k].missing_param < -1 || l->texts[k].missing_param >= n)
			bad_plan();
	}
	l->mean = dmp_get_doubles(b, n);
	l->sd = dmp_get_doubles(b, n);
	l->penalty_scale = dmp_get_doubles(b, n);
	l->reach = dmp_get_doubles(b, n);
	l->fixed = palloc(n);
	memcpy(l->fixed, dmp_get(b, n), n);
	l->penalty_factor = get_optional(b, n);
	l->lower = get_optional(b, n);
	l->upper = get_optional(b, n);
	l->unit = dmp_get_double(b);
	if ((l->lower == NULL) != (l->upper == NULL))
		bad_plan();
}

bytea *
dmp_scan_plan_write(const DmpScanPlan *p)
{
	DmpBytes b = {0};
	bytea *out;
	int i;

	dmp_put_int(&b, PLAN_VERSION);
	dmp_put_int(&b, p->phase);
	dmp_put_int(&b, p->nfeatures);
	for (i = 0; i < p->nfeatures; i++)
		dmp_put_text(&b, p->names[i], strlen(p->names[i]));
	dmp_put(&b, p->encode, p->nfeatures);
	dmp_put_int(&b, p->arrays);
	dmp_put_int(&b, p->has_weight);
	dmp_put_double(&b, p->test_fraction);
	dmp_put_double(&b, p->lambda);
	dmp_put_double(&b, p->alpha);
	dmp_put_double(&b, p->tolerance);
	dmp_put_int(&b, p->intercept);
	dmp_put_int(&b, p->standardize);
	dmp_put_int(&b, p->min_count);
	dmp_put_int(&b, p->max_iterations);
	dmp_put_int(&b, p->memory);
	dmp_put_int(&b, p->family);
	dmp_put_int(&b, p->guess);
	dmp_put_int(&b, p->has_offset);
	dmp_put_int(&b, p->scaled_target);
	dmp_put_int(&b, p->scaled_factor);
	dmp_put_text(&b, p->target ? p->target : "", p->target ? strlen(p->target) : 0);
	put_optional(&b, p->factor, p->nfeatures);
	put_optional(&b, p->lower, p->nfeatures);
	put_optional(&b, p->upper, p->nfeatures);
	dmp_put_int(&b, p->nlambdas);
	dmp_put_int(&b, p->automatic);
	if (p->nlambdas > 0 && !p->automatic)
		dmp_put(&b, p->lambdas, sizeof(double) * p->nlambdas);
	dmp_put_int(&b, p->nfolds);
	dmp_put_int(&b, p->one_se);
	if (p->phase >= DMP_SCAN_BLOCKS)
	{
		put_stats(&b, p->ndense, p->ntexts, &p->stats);
		put_layout(&b, p->ndense, p->ntexts, &p->layout);
	}
	if (p->phase == DMP_SCAN_PATH)
		dmp_scan_points_write(&b, p);
	else if (p->phase >= DMP_SCAN_GRADIENT)
	{
		dmp_put(&b, p->theta, sizeof(double) * p->layout.shape.nparams);
		dmp_put_int(&b, p->direction != NULL);
		if (p->direction)
			dmp_put(&b, p->direction, sizeof(double) * p->layout.shape.nparams);
		dmp_put_double(&b, p->low);
		dmp_put_double(&b, p->high);
	}
	out = palloc(VARHDRSZ + b.used);
	SET_VARSIZE(out, VARHDRSZ + b.used);
	memcpy(VARDATA(out), b.data, b.used);
	pfree(b.data);
	return out;
}

DmpScanPlan *
dmp_scan_plan_read(const bytea *bytes)
{
	DmpBytes b = {(char *) VARDATA_ANY(bytes), 0, VARSIZE_ANY_EXHDR(bytes)};
	DmpScanPlan *p = palloc0(sizeof(DmpScanPlan));
	int i, j;

	if (dmp_get_int(&b) != PLAN_VERSION)
		bad_plan();
	p->phase = (DmpScanPhase) dmp_get_int(&b);
	if (p->phase < DMP_SCAN_LEARN || p->phase > DMP_SCAN_PATH)
		bad_plan();
	p->nfeatures = dmp_get_count(&b, 8);
	p->names = palloc(sizeof(char *) * (p->nfeatures + 1));
	for (i = 0; i < p->nfeatures; i++)
		p->names[i] = dmp_get_text(&b, NULL);
	p->encode = palloc(p->nfeatures + 1);
	memcpy(p->encode, dmp_get(&b, p->nfeatures), p->nfeatures);
	p->indicator = palloc0(sizeof(bool) * (p->nfeatures + 1));
	for (i = j = 0; i < p->nfeatures; i++)
	{
		if (p->encode[i] < DMP_ENCODE_NUMERIC || p->encode[i] > DMP_ENCODE_ONE_HOT)
			bad_plan();
		if (p->encode[i] == DMP_ENCODE_ONE_HOT)
			p->ntexts++;
		else
			p->indicator[p->ndense++] = p->encode[i] == DMP_ENCODE_BOOLEAN;
	}
	p->arrays = dmp_get_int(&b) != 0;
	p->has_weight = dmp_get_int(&b) != 0;
	p->test_fraction = dmp_get_double(&b);
	p->lambda = dmp_get_double(&b);
	p->alpha = dmp_get_double(&b);
	p->tolerance = dmp_get_double(&b);
	p->intercept = dmp_get_int(&b) != 0;
	p->standardize = (int) dmp_get_int(&b);
	p->min_count = (int) dmp_get_int(&b);
	p->max_iterations = (int) dmp_get_int(&b);
	p->memory = dmp_get_int(&b);
	p->family = (DmpFamily) dmp_get_int(&b);
	p->guess = dmp_get_int(&b) != 0;
	p->has_offset = dmp_get_int(&b) != 0;
	p->scaled_target = dmp_get_int(&b) != 0;
	p->scaled_factor = dmp_get_int(&b) != 0;
	p->target = dmp_get_text(&b, NULL);
	p->factor = get_optional(&b, p->nfeatures);
	p->lower = get_optional(&b, p->nfeatures);
	p->upper = get_optional(&b, p->nfeatures);
	if ((p->lower == NULL) != (p->upper == NULL))
		bad_plan();
	if (p->family != DMP_BINOMIAL && p->family != DMP_GAUSSIAN && p->family != DMP_POISSON)
		bad_plan();
	p->nlambdas = dmp_get_count(&b, 0);
	p->automatic = dmp_get_int(&b) != 0;
	if (p->nlambdas > 0 && !p->automatic)
		p->lambdas = dmp_get_doubles(&b, p->nlambdas);
	p->nfolds = dmp_get_count(&b, 0);
	p->one_se = dmp_get_int(&b) != 0;
	for (i = 0; p->lambdas && i < p->nlambdas; i++)
		if (!(p->lambdas[i] >= 0) || isinf(p->lambdas[i]) ||
			(i > 0 && !(p->lambdas[i] < p->lambdas[i - 1])))
			bad_plan();
	if (p->nlambdas > DMP_MAX_LAMBDAS || p->nfolds > DMP_MOST_FOLDS || p->nfolds == 1 ||
		(p->nfolds > 0 && p->nlambdas == 0))
		bad_plan();
	if (!(p->lambda >= 0) || !(p->alpha >= 0 && p->alpha <= 1) || p->memory < 0)
		bad_plan();
	if (p->phase >= DMP_SCAN_BLOCKS)
	{
		get_stats(&b, p->ndense, p->ntexts, &p->stats);
		get_layout(&b, p->ndense, p->ntexts, &p->stats, &p->layout);
		p->layout.shape.family = p->family;
	}
	if (p->phase == DMP_SCAN_PATH)
		p->points = dmp_scan_points_read(&b, p);
	else if (p->phase >= DMP_SCAN_GRADIENT)
	{
		p->theta = dmp_get_doubles(&b, p->layout.shape.nparams);
		if (dmp_get_int(&b) != 0)
			p->direction = dmp_get_doubles(&b, p->layout.shape.nparams);
		p->low = dmp_get_double(&b);
		p->high = dmp_get_double(&b);
	}
	if (b.used != b.size)
		bad_plan();
	return p;
}

/* --------------------------------------------------------------- results */

void
dmp_scan_result_write(DmpBytes *b, const DmpScanPlan *plan, const DmpScanResult *r)
{
	int parts = (r->quadratic != NULL) | (r->statistics_only << 1) | ((r->solution != NULL) << 2) |
				((r->sums != NULL) << 3) | ((r->histogram != NULL) << 4) |
				((r->points != NULL) << 5);

	dmp_put_int(b, plan->ndense);
	dmp_put_int(b, plan->ntexts);
	dmp_put_int(b, parts);
	put_stats(b, plan->ndense, plan->ntexts, &r->stats);
	if (r->quadratic)
	{
		int n = r->quadratic->nparams;

		dmp_put_int(b, n);
		dmp_put_double(b, r->quadratic->constant);
		dmp_put(b, r->quadratic->linear, sizeof(double) * n);
		dmp_put(b, r->quadratic->hessian, sizeof(double) * DMP_TRI(n));
		dmp_put_int(b, r->quadratic->cubic != NULL);
		if (r->quadratic->cubic)
			dmp_put(b, r->quadratic->cubic, sizeof(double) * n * n * n);
		dmp_put_int(b, r->quadratic->npoints);
		dmp_put(b, r->quadratic->points, sizeof(double) * r->quadratic->npoints * (1 + (Size) n));
	}
	if (r->solution)
	{
		const DmpScanSolution *s = r->solution;
		int n = plan->layout.shape.nparams;

		dmp_put_int(b, n);
		dmp_put_int(b, s->status);
		dmp_put(b, s->theta, sizeof(double) * n);
		dmp_put(b, s->hessian, sizeof(double) * DMP_TRI(n));
		dmp_put(b, s->gradient, sizeof(double) * n);
		dmp_put_int(b, s->cubic != NULL);
		if (s->cubic)
			dmp_put(b, s->cubic, sizeof(double) * n * n * n);
		dmp_put(b, s->aliased, n);
		dmp_put_double(b, s->loss);
		dmp_put_double(b, s->objective);
		dmp_put_double(b, s->kkt);
		dmp_put_int(b, s->iterations);
		dmp_put_int(b, s->memory);
		dmp_put_double(b, s->roc_auc);
		dmp_put_double(b, s->test_roc_auc);
		dmp_put_double(b, s->test_log_loss);
		dmp_put(b, s->errors, sizeof(s->errors));
		dmp_put_double(b, s->null_loss);
		dmp_put_double(b, s->lambda_max);
		dmp_put_int(b, s->separated_param);
		dmp_put_int(b, s->path != NULL);
		if (s->path)
			dmp_scan_path_write(b, s->path);
	}
	if (r->sums)
	{
		int n = plan->layout.shape.nparams;

		dmp_put_int(b, n);
		dmp_put_double(b, r->sums->loss);
		dmp_put(b, r->sums->gradient, sizeof(double) * n);
		dmp_put(b, r->sums->hessian, sizeof(double) * DMP_TRI(n));
		dmp_put_double(b, r->sums->direction_low);
		dmp_put_double(b, r->sums->direction_high);
		dmp_put_double(b, r->sums_weight);
	}
	if (r->histogram)
		dmp_put(b, r->histogram, sizeof(double) * 4 * DMP_HISTOGRAM_BINS);
	if (r->points)
	{
		dmp_put_int(b, r->npoints);
		dmp_put(b, r->points, sizeof(double) * r->npoints);
	}
	dmp_put(b, r->errors, sizeof(r->errors));
	dmp_put_double(b, r->test_loss);
	dmp_put_double(b, r->test_weight);
	dmp_put_int(b, r->memory);
}

/* a number of parameters whose packed Hessian is still in the bytes */
static int
get_nparams(DmpBytes *b)
{
	int n = dmp_get_count(b, sizeof(double));

	if (DMP_TRI(n) > (b->size - b->used) / sizeof(double))
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid plan or state of a training scan"));
	return n;
}

DmpScanResult *
dmp_scan_result_read(DmpBytes *b)
{
	DmpScanResult *r = palloc0(sizeof(DmpScanResult));
	int ndense = dmp_get_count(b, sizeof(double) + sizeof(DmpColumnStats));
	int ntexts = dmp_get_count(b, 32);
	int64 parts = dmp_get_int(b);

	r->ndense = ndense;
	r->ntexts = ntexts;
	get_stats(b, ndense, ntexts, &r->stats);
	r->statistics_only = (parts & 2) != 0;
	if (parts & 1)
	{
		DmpQuadratic *q = r->quadratic = palloc0(sizeof(DmpQuadratic));

		q->nparams = get_nparams(b);
		q->constant = dmp_get_double(b);
		q->linear = dmp_get_doubles(b, q->nparams);
		q->hessian = dmp_get_doubles(b, DMP_TRI(q->nparams));
		if (dmp_get_int(b) != 0)
		{
			if (q->nparams > DMP_CUBIC_PARAMS)
				bad_plan();
			q->cubic = dmp_get_doubles(b, (Size) q->nparams * q->nparams * q->nparams);
		}
		q->npoints = dmp_get_count(b, sizeof(double) * (1 + (Size) q->nparams));
		q->points = dmp_get_doubles(b, q->npoints * (1 + (Size) q->nparams));
	}
	if (parts & 4)
	{
		DmpScanSolution *s = r->solution = palloc0(sizeof(DmpScanSolution));
		int n = r->nparams = get_nparams(b);

		s->status = (DmpFitStatus) dmp_get_int(b);
		s->theta = dmp_get_doubles(b, n);
		s->hessian = dmp_get_doubles(b, DMP_TRI(n));
		s->gradient = dmp_get_doubles(b, n);
		if (dmp_get_int(b) != 0)
		{
			if (n > DMP_CUBIC_PARAMS)
				bad_plan();
			s->cubic = dmp_get_doubles(b, (Size) n * n * n);
		}
		s->aliased = palloc(n + 1);
		memcpy(s->aliased, dmp_get(b, n), n);
		s->loss = dmp_get_double(b);
		s->objective = dmp_get_double(b);
		s->kkt = dmp_get_double(b);
		s->iterations = (int) dmp_get_int(b);
		s->memory = dmp_get_int(b);
		s->roc_auc = dmp_get_double(b);
		s->test_roc_auc = dmp_get_double(b);
		s->test_log_loss = dmp_get_double(b);
		memcpy(s->errors, dmp_get(b, sizeof(s->errors)), sizeof(s->errors));
		s->null_loss = dmp_get_double(b);
		s->lambda_max = dmp_get_double(b);
		s->separated_param = (int) dmp_get_int(b);
		if (dmp_get_int(b) != 0)
			s->path = dmp_scan_path_read(b);
	}
	if (parts & 8)
	{
		int n = r->nparams = get_nparams(b);

		r->sums = palloc0(sizeof(DmpGlmSums));
		r->sums->loss = dmp_get_double(b);
		r->sums->gradient = dmp_get_doubles(b, n);
		r->sums->hessian = dmp_get_doubles(b, DMP_TRI(n));
		r->sums->direction_low = dmp_get_double(b);
		r->sums->direction_high = dmp_get_double(b);
		r->sums_weight = dmp_get_double(b);
	}
	if (parts & 16)
		r->histogram = dmp_get_doubles(b, 4 * DMP_HISTOGRAM_BINS);
	if (parts & 32)
	{
		r->npoints = dmp_get_count(b, sizeof(double));
		r->points = dmp_get_doubles(b, r->npoints);
	}
	memcpy(r->errors, dmp_get(b, sizeof(r->errors)), sizeof(r->errors));
	r->test_loss = dmp_get_double(b);
	r->test_weight = dmp_get_double(b);
	r->memory = dmp_get_int(b);
	return r;
}
