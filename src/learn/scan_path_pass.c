/*-------------------------------------------------------------------------
 * scan_path_pass.c
 *		Several lambdas and folds from rows that do not fit memory.
 *
 * The first scan, in one process, keeps every k-th tile; k doubles each time
 * memory is full. Its sample is solved like rows that are all there, and gives
 * the path, its gradients and some Hessians. Then each pass of the path's
 * solver is a scan (phase PATH), in parallel: all points, and all folds, over
 * each tile while it is in the cache. What comes of it is one run of numbers
 * that add. Usually there are two for the path (Hessians at the anchors, then
 * gradients at all points) and one for the folds; the chosen lambda is
 * finished by scans like any other fit.
 */
#include "learn/scan_path.h"

#include <math.h>

static double *
doubles0(Size n)
{
	double *x = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * Max(n, 1));

	memset(x, 0, sizeof(double) * n);
	return x;
}

/* ------------------------------------------------------------ the numbers */

static int
ngroups(const DmpScanPlan *plan)
{
	return Max(plan->nfolds, 1);
}

/* weight of each group; loss, held_loss, gradient; Hessians; loss and weight of test rows */
typedef struct Parts
{
	double *weight, *loss, *held_loss, *gradient, *hessian, *test_loss, *test_weight;
	Size n;
} Parts;

static Parts
parts_of(const DmpScanPlan *plan, double *at)
{
	const DmpScanPoints *p = plan->points;
	Size params = plan->layout.shape.nparams;
	Size sums = p->held ? (Size) p->n : (Size) p->n * ngroups(plan);
	Parts x;

	x.weight = at;
	x.loss = x.weight + ngroups(plan);
	x.held_loss = x.loss + sums;
	x.gradient = x.held_loss + p->n;
	x.hessian = x.gradient + (p->gradient ? sums * params : 0);
	x.test_loss = x.hessian + p->nhessians * DMP_TRI(params);
	x.test_weight = x.test_loss + p->n;
	x.n = x.test_weight + 1 - at;
	return x;
}

Size
dmp_scan_points_size(const DmpScanPlan *plan)
{
	static double nothing;

	return parts_of(plan, &nothing).n;
}

/* room for a process's passes over tiles */
struct PassRoom
{
	const double **theta;
	double **gradient;
	double *loss;
	int *which;
	double *waste;
	void *scratch;
};
typedef struct PassRoom PassRoom;

static PassRoom *
make_room(DmpScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	int np = scan->plan->points->n, n = scan->shape.nparams;
	PassRoom *room = palloc(sizeof(PassRoom));

	room->theta = palloc(sizeof(double *) * (np + 1));
	room->gradient = palloc(sizeof(double *) * (np + 1));
	room->loss = palloc(sizeof(double) * (np + 1));
	room->which = palloc(sizeof(int) * (np + 1));
	room->waste = palloc0(sizeof(double) * n);
	room->scratch = (void *) TYPEALIGN(64, palloc(dmp_glm_many_scratch(&scan->shape) + 64));
	MemoryContextSwitchTo(old);
	return room;
}

/* some of the points over a tile; each one's loss goes to to[its number] */
static void
some_points(DmpScan *scan, const DmpGlmTile *tile, const PassRoom *room, int count, bool gradient,
			double *to)
{
	int i;

	memset(room->loss, 0, sizeof(double) * count);
	dmp_glm_tile_many(&scan->shape, tile, count, room->theta, room->loss,
					  gradient ? room->gradient : NULL, room->scratch);
	for (i = 0; i < count; i++)
		to[room->which[i]] += room->loss[i];
}

void
dmp_scan_path_tile(DmpScan *scan, const DmpGlmTile *tile, int stage)
{
	const DmpScanPlan *plan = scan->plan;
	const DmpScanPoints *p = plan->points;
	Parts to = parts_of(plan, scan->points);
	PassRoom *room;
	int n = scan->shape.nparams, g = stage >= 2 ? stage - 2 : 0, count = 0, i;

	if (p->test != (stage == 1))
		return;
	if (scan->pass_room == NULL)
		scan->pass_room = make_room(scan);
	room = scan->pass_room;
	for (i = 0; i < p->n; i++)
	{
		Size at = p->held ? (Size) i : (Size) g * p->n + i;

		if (p->held && (p->held[i] == g || !p->gradient))
			continue;
		room->theta[count] = p->theta + (Size) i * n;
		room->gradient[count] = p->gradient ? to.gradient + at * n : room->waste;
		room->which[count++] = i;
	}
	if (p->test)
	{
		some_points(scan, tile, room, count, false, to.test_loss);
		*to.test_weight += dmp_tile_weight(tile);
		return;
	}
	some_points(scan, tile, room, count, p->gradient, p->held ? to.loss : to.loss + g * p->n);
	for (count = i = 0; p->held && i < p->n; i++)
		if (p->held[i] == g)
		{
			room->theta[count] = p->theta + (Size) i * n;
			room->which[count++] = i;
		}
	if (count > 0)
		some_points(scan, tile, room, count, false, to.held_loss);
	for (i = 0; i < p->nhessians; i++)
	{
		DmpGlmSums sums;

		memset(&sums, 0, sizeof(sums));
		sums.gradient = room->waste;
		sums.hessian = to.hessian + i * DMP_TRI(n);
		dmp_glm_tile(&scan->shape, tile, p->theta + (Size) p->hessian_of[i] * n, NULL, &sums, NULL,
					 scan->scratch);
	}
	to.weight[g] += dmp_tile_weight(tile);
}

/* ------------------------------------------------------------------- bytes */

void
dmp_scan_points_write(DmpBytes *b, const DmpScanPlan *plan)
{
	const DmpScanPoints *p = plan->points;

	dmp_put_int(b, p->n);
	dmp_put_int(b, p->gradient);
	dmp_put_int(b, p->test);
	dmp_put_int(b, p->held != NULL);
	dmp_put(b, p->theta, sizeof(double) * p->n * plan->layout.shape.nparams);
	if (p->held)
		dmp_put(b, p->held, sizeof(int) * p->n);
	dmp_put_int(b, p->nhessians);
	dmp_put(b, p->hessian_of, sizeof(int) * p->nhessians);
}

static int *
get_numbers(DmpBytes *b, int n, int below)
{
	int *x = palloc(sizeof(int) * (n + 1));
	int i;

	memcpy(x, dmp_get(b, sizeof(int) * n), sizeof(int) * n);
	for (i = 0; i < n; i++)
		if (x[i] < 0 || x[i] >= below)
			ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("invalid plan of a training scan"));
	return x;
}

DmpScanPoints *
dmp_scan_points_read(DmpBytes *b, const DmpScanPlan *plan)
{
	DmpScanPoints *p = palloc0(sizeof(DmpScanPoints));
	bool held;

	p->n = dmp_get_count(b, sizeof(double));
	p->gradient = dmp_get_int(b) != 0;
	p->test = dmp_get_int(b) != 0;
	held = dmp_get_int(b) != 0;
	p->theta = dmp_get_doubles(b, (Size) p->n * plan->layout.shape.nparams);
	if (held)
		p->held = get_numbers(b, p->n, ngroups(plan));
	p->nhessians = dmp_get_count(b, sizeof(int));
	p->hessian_of = get_numbers(b, p->nhessians, p->n);
	return p;
}

/* ------------------------------------------------------------- the solver's passes */

typedef struct Passes
{
	DmpScanPlan *plan;
	DmpScanResult *(*scan)(void *arg);
	void *arg;
} Passes;

static Parts
run_scan(Passes *s, DmpScanPoints *points)
{
	DmpScanResult *r;

	s->plan->phase = DMP_SCAN_PATH;
	s->plan->points = points;
	r = s->scan(s->arg);
	if (r == NULL || r->points == NULL || r->npoints != dmp_scan_points_size(s->plan))
		elog(ERROR, "training scan gave no sums");
	return parts_of(s->plan, r->points);
}

static void
pass_by_scan(void *arg, DmpPathPass *pass)
{
	Passes *s = arg;
	Size n = s->plan->layout.shape.nparams, sums;
	DmpScanPoints points = {0};
	Parts from;
	int i;

	points.n = pass->npoints;
	points.theta = doubles0(n * pass->npoints);
	for (i = 0; i < pass->npoints; i++)
		memcpy(points.theta + i * n, pass->theta[i], sizeof(double) * n);
	points.held = (int *) pass->held;
	points.gradient = pass->gradient != NULL;
	points.nhessians = pass->nhessians;
	points.hessian_of = (int *) pass->hessian_of;
	from = run_scan(s, &points);
	sums = pass->held ? (Size) pass->npoints : (Size) pass->npoints * ngroups(s->plan);
	dmp_axpy(ngroups(s->plan), 1, from.weight, pass->weight);
	dmp_axpy(sums, 1, from.loss, pass->loss);
	if (pass->held)
		dmp_axpy(pass->npoints, 1, from.held_loss, pass->held_loss);
	if (pass->gradient)
		dmp_axpy(sums * n, 1, from.gradient, pass->gradient);
	if (pass->nhessians > 0)
		dmp_axpy(pass->nhessians * DMP_TRI(n), 1, from.hessian, pass->hessian);
	pfree(points.theta);
}

/* one point with its Hessian, of all rows; a direction is not followed: with a penalty nobody asks */
static void
eval_by_scan(void *arg, int skip, const double *theta, const double *direction, int stride,
			 DmpGlmSums *sums, double *weight)
{
	Passes *s = arg;
	int n = s->plan->layout.shape.nparams, none = 0, g;
	DmpScanPoints points = {0};
	Parts from;

	if (skip >= 0 || stride != 1)
		elog(ERROR, "training scan of a part of the rows");
	points.n = 1;
	points.theta = (double *) theta;
	points.gradient = true;
	points.nhessians = sums->hessian ? 1 : 0;
	points.hessian_of = &none;
	from = run_scan(s, &points);
	for (g = 0; g < ngroups(s->plan); g++)
	{
		sums->loss += from.loss[g];
		dmp_axpy(n, 1, from.gradient + (Size) g * n, sums->gradient);
		*weight += from.weight[g];
	}
	if (sums->hessian)
		dmp_axpy(DMP_TRI(n), 1, from.hessian, sums->hessian);
}

/* losses of the test rows at all points */
static void
test_by_scan(Passes *s, DmpScanPath *out)
{
	DmpScanPoints points = {0};
	Parts from;
	int k;

	for (k = 0; k < out->n; k++)
		out->test_loss[k] = NAN;
	if (s->plan->stats.rows_test == 0)
		return;
	points.n = out->n;
	points.theta = out->theta;
	points.test = true;
	from = run_scan(s, &points);
	for (k = 0; k < out->n; k++)
		out->test_loss[k] = from.test_loss[k] / *from.test_weight - out->saturated;
}

/*
 * The path of all rows, from that of a sample. exact: theta of the one lambda
 * there is, solved already, or NULL. scan runs one by the plan.
 */
DmpScanPath *
dmp_scan_path_by_scans(DmpScanPlan *plan, const DmpScanPath *sample, const double *exact,
					   DmpScanResult *(*scan)(void *arg), void *arg)
{
	Passes passes = {plan, scan, arg};
	int n = plan->layout.shape.nparams, k, g;
	Size points = (Size) sample->n * n;
	DmpScanPath *out;
	DmpPath p;
	double unit;

	memset(&p, 0, sizeof(p));
	dmp_layout_problem(plan, &plan->layout, &p.problem);
	unit = plan->lambda > 0 ? p.problem.lambda / plan->lambda : 1;
	p.ngroups = ngroups(plan);
	p.without = palloc(sizeof(DmpGlmProblem) * p.ngroups);
	/* so many rows that scales without a fold are those of all rows */
	for (g = 0; g < p.ngroups; g++)
	{
		((DmpGlmProblem *) p.without)[g] = p.problem;
		((DmpGlmProblem *) p.without)[g].lambda = 1;
	}
	p.rows = plan->stats.rows;
	p.scans = 1;
	p.pass = pass_by_scan;
	p.eval = eval_by_scan;
	p.arg = &passes;
	p.n = p.room = sample->n;
	p.automatic = plan->automatic;
	p.lambda = doubles0(p.n);
	for (k = 0; k < p.n; k++)
		p.lambda[k] = sample->lambda[k] * unit;
	p.saturated = sample->saturated;
	p.null_loss = dmp_null_loss(plan, &plan->stats);
	if (isnan(p.null_loss))
		p.null_loss = sample->null_loss;
	p.null_theta = sample->null_theta;
	p.theta = sample->theta;
	p.gradient = sample->gradient;
	p.loss = sample->loss;
	p.kkt = sample->kkt;
	p.at = doubles0(points);
	p.group_gradient = doubles0(points * p.ngroups);
	p.weight = doubles0(p.ngroups);
	p.nanchors = sample->nanchors;
	p.anchor = sample->anchor;
	p.hessian = sample->hessian;
	if (exact)
	{
		memcpy(p.theta, exact, sizeof(double) * n);
		if (plan->nfolds > 0)
			dmp_path_measure_groups(&p);
	}
	else
		dmp_path_finish(&p);
	if (plan->nfolds > 0)
		dmp_path_cross_validate(&p);
	out = dmp_scan_path_new(plan, &p);
	out->lambda_max = sample->lambda_max;
	for (k = 0; k < out->n; k++)
		out->loss[k] -= out->saturated;
	for (k = 0; k < out->n * plan->nfolds; k++)
		p.held_loss[k] -= out->saturated;
	if (plan->nfolds > 0)
	{
		out->fold_rows = sample->fold_rows;
		out->fold_positive = sample->fold_positive;
		out->fold_weight = p.weight;
		out->fold_loss = p.held_loss;
		dmp_scan_path_summarise(out);
	}
	test_by_scan(&passes, out);
	out->null_loss -= out->saturated;
	dmp_scan_path_choose(plan, out);
	for (k = 0; k < out->n; k++)
		out->lambda[k] /= unit;
	return out;
}
