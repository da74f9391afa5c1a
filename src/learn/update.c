/*-------------------------------------------------------------------------
 * update.c
 *		dmp.update_model: new rows make a new version; the old ones are not read.
 *
 *		the name, locked --registry--> the version to go on from, and its state
 *		rows             --update_rows.c--> scored by the model as it was, kept
 *		rows + prior     --update_fit.c---> the new optimum, the new prior
 *		model            --here-----------> stored, deployed as dmp.train deploys
 *
 * Rows of hashed columns go through update_wide.c instead.
 *
 * The lock on the name is held to the end of the transaction: of two updates
 * at a time the second waits, and goes on from the version the first has made.
 */
#include "dmp.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "learn/update.h"
#include "math/metrics.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_update_model);
PG_FUNCTION_INFO_V1(dmp_refuse_class);

#define MAX_ROOM ((Size) 256 * 1024 * 1024)

/* dmp_internal.refuse_class(value, column, positive, negative): a target of another class */
Datum
dmp_refuse_class(PG_FUNCTION_ARGS)
{
	char *value = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *positive = text_to_cstring(PG_GETARG_TEXT_PP(2));

	dmp_error_alone();
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("target \"%s\" has the value \"%s\", which is no class of the model",
						   column, value),
					errdetail("Its classes are \"%s\" and \"%s\".", positive,
							  text_to_cstring(PG_GETARG_TEXT_PP(3)))));
	PG_RETURN_NULL();
}

/* ---------------------------------------------------------- keeping a state */

void
dmp_update_keep(const char *name, int version, const DmpFit *fit, const DmpModel *model,
				const DmpFitSpec *spec, const double *class_weight, double shift)
{
	DmpUpdateState *state = dmp_update_state_of_fit(fit, model, spec, class_weight, shift);

	if (fit->wide_kept != NULL)
		dmp_registry_put_state(name, version, dmp_update_wide_first(fit, spec));
	if (state != NULL)
		dmp_registry_put_state(name, version, dmp_update_state_write(state, &model->design));
}

/* --------------------------------------------------------------- the base */

static void
pg_attribute_noreturn() refuse_update(const DmpModelRow *row, const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("model \"%s\" version %d cannot be updated", row->name, row->version),
					errdetail("%s.", why), errhint("Train it anew with dmp.train.")));
}

/* the version to go on from, with its state; the name is locked. SPI is connected. */
static DmpBatch *
open_batch(const char *text)
{
	DmpModelRef ref = dmp_model_ref(text);
	DmpBatch *batch = palloc0(sizeof(DmpBatch));
	const char *why;
	bytea *state;

	dmp_registry_lock(ref.name);
	/* what another update has left while we waited */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	batch->row = dmp_model_lookup(text);
	state = dmp_registry_get_state(batch->row->id);
	PopActiveSnapshot();
	batch->context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp update", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(batch->context);
	batch->model =
		dmp_model_from_json(dmp_model_value_json(batch->row->value), CurrentMemoryContext);
	batch->room = Min((Size) dmp_training_memory * 1024 / 2, MAX_ROOM);
	why = dmp_update_refused(batch->model);
	if (why == NULL && batch->model->general)
		why = dmp_update_wide_open(batch, state);
	if (why != NULL)
		refuse_update(batch->row, why);
	if (batch->wide != NULL)
		return batch;
	if (state == NULL)
		refuse_update(batch->row,
					  batch->model->design.width + 1 > DMP_LOSS_PARAMS
						  ? psprintf("It has %d columns, and more than %d are not kept track of",
									 batch->model->design.width, DMP_LOSS_PARAMS - 1)
						  : "Nothing was kept of its fit, which may not have converged");
	batch->state = dmp_update_state_read(state, batch->model);
	return batch;
}

/* theta of the model, and the rows that waited */
static void
begin(DmpBatch *batch)
{
	DmpUpdateState *state = batch->state;
	int i, t;

	batch->map = dmp_update_map(batch->model, state);
	batch->theta = palloc0(sizeof(double) * state->nparams);
	batch->theta[0] = batch->model->a + state->shift;
	for (i = 1; i < state->nparams; i++)
		batch->theta[i] = batch->model->coef[batch->map->column[i]];
	batch->theta_before = palloc(sizeof(double) * state->nparams);
	memcpy(batch->theta_before, batch->theta, sizeof(double) * state->nparams);
	batch->status = DMP_FIT_CONVERGED;
	batch->dispersion = NAN;
	batch->objective = batch->kkt = NAN;
	batch->tiles = state->tiles;
	batch->ntiles = batch->tiles_room = state->ntiles;
	for (t = 0; t < batch->ntiles; t++)
	{
		batch->bytes += dmp_update_tile_bytes(state);
		for (i = 0; i < batch->tiles[t]->n; i++)
			batch->rows[batch->tiles[t]->y[i] > 0]++;
	}
	if (batch->ntiles == 0)
		batch->tiles = NULL;
}

/* rows of before count less */
static void
decay_state(DmpUpdateState *state, double decay)
{
	DmpQuadratic *q = &state->prior;
	Size n = q->nparams, k;
	int t, i;

	if (decay == 1)
		return;
	state->decayed = true;
	state->weight *= decay;
	q->constant *= decay;
	for (k = 0; k < n; k++)
		q->linear[k] *= decay;
	for (k = 0; k < DMP_TRI(n); k++)
		q->hessian[k] *= decay;
	for (k = 0; q->cubic && k < n * n * n; k++)
		q->cubic[k] *= decay;
	for (t = 0; t < state->ntiles; t++)
		for (i = 0; i < state->tiles[t]->n; i++)
			state->tiles[t]->weight[i] *= decay;
}

static void
read_rows(DmpBatch *batch, DmpTrainQuery *rows, const char *weight, double decay)
{
	char *sql;

	if (batch->wide == NULL)
	{
		decay_state(batch->state, decay);
		begin(batch);
	}
	dmp_progress("update_model: reading the new rows");
	sql = dmp_update_sql(batch, rows, weight);
	if (batch->wide != NULL)
		dmp_update_wide_read(batch, sql, weight != NULL, decay);
	else
		dmp_update_read(batch, sql, weight != NULL);
	dmp_train_query_end(rows);
}

/* --------------------------------------------------------------- the result */

/* coefficients, means and counts of the model are those after the batch */
static void
finish_model(DmpBatch *batch)
{
	DmpUpdateState *state = batch->state;
	DmpModel *model = batch->model;
	DmpUpdateMap *map = dmp_update_map(model, state);
	int i, j, k;

	model->a = batch->theta[0] - state->shift;
	for (i = 1; i < state->nparams; i++)
	{
		int column = map->column[i];

		model->coef[column] = batch->theta[i];
		model->design.mean[column] = model->design.pivot[column] + state->mean[i];
	}
	for (k = 0; k < state->ntexts; k++)
	{
		DmpFeature *feature = &model->design.features[map->text_feature[k]];
		DmpDictionary *text = &state->text[k];

		for (i = 0; i < text->n; i++)
		{
			const DmpLevelStats *value = &text->levels[i];
			int64 known = (int64) value->weight; /* rows that were counted elsewhere before */

			for (j = 0; j < feature->nlevels; j++)
				if (strcmp(feature->levels[j].text, value->text) == 0)
					break;
			if (j < feature->nlevels)
			{
				feature->levels[j].rows += value->rows;
				feature->rows_other = Max(feature->rows_other - known, 0);
			}
			else
				feature->rows_other += value->rows - known;
		}
	}
	state->rows += batch->read;
	state->tiles = batch->tiles;
	state->ntiles = batch->ntiles;
}

static double
progressive_auc(DmpBatch *batch)
{
	DmpRankMetrics m;

	if (batch->nmargins == 0)
		return NAN;
	dmp_rank_metrics(batch->nmargins, batch->margin, batch->label, batch->margin_weight,
					 &dmp_server_env, &m);
	return m.roc_auc;
}

static double
null_loss(const DmpBatch *batch)
{
	double p = batch->weight_positive / batch->weight_read;

	if (batch->model->link != DMP_BINOMIAL)
		return NAN;
	return p > 0 && p < 1 ? -(p * log(p) + (1 - p) * log1p(-p)) : 0;
}

static int64
waiting(const DmpBatch *batch)
{
	return batch->rows[0] + batch->rows[1];
}

static void
arg_number(DmpArgs *args, double value)
{
	dmp_arg(args, FLOAT8OID, Float8GetDatum(value), isnan(value));
}

/* What the new version's row takes from the one it comes from, and what is its own. */
#define ROW_SQL                                                                                   \
	"SELECT (jsonb_build_object('kind', m.kind, 'family', m.family, 'target', m.target, "         \
	"'features', m.features, 'key', m.key, 'at', m.at, 'weight', m.weight, 'lambda', m.lambda, "  \
	"'alpha', m.alpha, 'tolerance', m.tolerance, 'options', m.options, 'rows_test', 0, "          \
	"'updated_from', m.version, 'status', $2, 'query', $3, "                                      \
	"'search_path', $4, 'rows', $5, 'rows_skipped', $6, 'rows_positive', $7, 'roc_auc', $8, "     \
	"'test_roc_auc', $8, 'log_loss', $9, 'test_log_loss', $10, 'null_log_loss', $11, "            \
	"'objective', $12, 'kkt_residual', $13, 'scans', 1, 'iterations', $14, 'memory', $15, "       \
	"'elapsed', $16, 'aliased', CASE WHEN $17::int[] IS NULL THEN m.aliased ELSE $17 END, "       \
	"'warnings', $18::text[], 'decay', $19, 'rows_seen', $20, 'weight_seen', $21, "               \
	"'rows_waiting', $22, 'no_errors', CASE WHEN $17::int[] IS NULL THEN m.no_errors ELSE $23 "   \
	"END, "                                                                                       \
	"'std_err_kind', CASE WHEN $17 IS NULL THEN m.std_err_kind WHEN $23 IS NULL THEN "            \
	"CASE WHEN m.lambda > 0 THEN 'ridge' ELSE 'model' END END, 'base_margin', m.base_margin) || " \
	"jsonb_build_object('test_rmse', $24, 'test_mae', $25, 'test_r_squared', $26, "               \
	"'test_mean_deviance', $27, 'rmse', $28, 'mae', $29, 'r_squared', $30, "                      \
	"'mean_deviance', $31, 'dispersion', coalesce($32, m.dispersion), "                           \
	"'df_residual', coalesce($33::bigint, m.df_residual)))::text "                                \
	"FROM dmp_internal.model m WHERE m.id = $1"

/* why an updated model has no standard errors */
static const char *
no_errors(const DmpBatch *batch)
{
	if (batch->state->decayed)
		return "older rows count less than new ones";
	if (batch->state->lambda * batch->state->alpha > 0)
		return "a lasso has none";
	return "there are none at this solution";
}

static void
arg_errors(DmpArgs *args, const DmpErrorSums *e)
{
	bool any = e->weight > 0;

	arg_number(args, any ? sqrt(e->square / e->weight) : NAN);
	arg_number(args, any ? e->absolute / e->weight : NAN);
	arg_number(args, any && e->target_m2 > 0 ? 1 - e->square / e->target_m2 : NAN);
	arg_number(args, any ? e->deviance / e->weight : NAN);
}

static char *
registry_row(DmpBatch *batch, const char *query, double decay, double auc, Interval *elapsed)
{
	DmpArgs args = {0};
	bool fitted = batch->parts > 0, classes = batch->model->link == DMP_BINOMIAL;
	Datum *aliased = palloc(sizeof(Datum) * (batch->model->design.width + 1));
	int n = 0, j;

	dmp_arg_int8(&args, batch->row->id);
	dmp_arg_text(&args, dmp_fit_status_name(batch->status));
	dmp_arg_text(&args, query);
	dmp_arg_text(&args, GetConfigOption("search_path", false, false));
	dmp_arg_int8(&args, batch->read);
	dmp_arg_int8(&args, batch->skipped);
	dmp_arg_int8(&args, batch->positive);
	arg_number(&args, auc);
	arg_number(&args, classes && fitted ? batch->loss_after / batch->weight_fitted : NAN);
	arg_number(&args, classes ? batch->loss_before / batch->weight_read : NAN);
	arg_number(&args, null_loss(batch));
	arg_number(&args, batch->objective);
	arg_number(&args, batch->kkt);
	dmp_arg_int4(&args, batch->iterations);
	dmp_arg_int8(&args, (int64) batch->bytes_most);
	dmp_arg_text(&args,
				 DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(elapsed))));
	for (j = 0; fitted && j < batch->model->design.width; j++)
		if (batch->aliased[j])
			aliased[n++] = Int32GetDatum(j);
	dmp_arg(&args, INT4ARRAYOID,
			PointerGetDatum(construct_array(aliased, n, INT4OID, 4, true, TYPALIGN_INT)), !fitted);
	dmp_arg_text_array(&args, batch->warnings);
	dmp_arg_float8(&args, decay);
	dmp_arg_int8(&args, batch->state->rows);
	dmp_arg_float8(&args, batch->state->weight);
	dmp_arg_int8(&args, waiting(batch));
	dmp_arg_text(&args, fitted && batch->std_err == NULL ? no_errors(batch) : NULL);
	arg_errors(&args, &batch->errors_before);
	arg_errors(&args, &batch->errors_after);
	arg_number(&args, fitted ? batch->dispersion : NAN);
	arg_number(&args, fitted && batch->state->lambda == 0 ? batch->state->rows - batch->rank : NAN);
	dmp_spi_registry(ROW_SQL, &args, false);
	return dmp_spi_text(0, 1);
}

/* an update of the same version that this one does not build on: its rows would be missed */
static void
warn_of_sibling(const DmpBatch *batch)
{
	DmpArgs args = {0};
	int sibling;

	dmp_arg_text(&args, batch->row->name);
	dmp_arg_int4(&args, batch->row->version);
	dmp_spi_registry("SELECT max(version) FROM dmp_internal.model "
					 "WHERE name = $1 AND updated_from = $2",
					 &args, false);
	sibling = (int) dmp_spi_int8(0, 1, 0);
	if (sibling > 0)
		ereport(WARNING,
				(errmsg("version %d of model \"%s\" was made from version %d too: its rows are no "
						"part of this update",
						sibling, batch->row->name, batch->row->version),
				 errhint("dmp.update_model('%s@%d', ...) goes on from it.", batch->row->name,
						 sibling)));
}

static void
return_row(FunctionCallInfo fcinfo, const DmpBatch *batch, int version, bool deployed, double auc,
		   Interval *elapsed)
{
	DmpFit fit;

	memset(&fit, 0, sizeof(fit));
	fit.status = batch->status;
	fit.rows = batch->read;
	fit.roc_auc = fit.test_roc_auc = auc;
	dmp_train_return(fcinfo, batch->row->name, version, deployed, &fit,
					 batch->model->design.nfeatures, elapsed, batch->warnings);
}

/* the batch as a version of its own */
static int
store(DmpBatch *batch, const char *query, double decay, double auc, Interval *elapsed,
	  bool *deployed)
{
	DmpTrainArgs args;
	DmpFit fit;
	char *json = dmp_model_to_json(batch->model);
	char *row = registry_row(batch, query, decay, auc, elapsed);
	int version;

	memset(&args, 0, sizeof(args));
	memset(&fit, 0, sizeof(fit));
	args.deploy = true;
	fit.status = batch->status;
	*deployed = dmp_train_deploys(&args, &fit, batch->row->name);
	version = dmp_registry_add(batch->row->name, row, dmp_model_value_make(json, strlen(json)),
							   batch->parts > 0 ? batch->std_err : NULL,
							   batch->model->design.width + 1, NULL, *deployed);
	if (batch->wide != NULL)
		dmp_registry_put_state(batch->row->name, version,
							   dmp_update_wide_write(batch->wide, batch->model));
	else if (batch->parts == 0 && !batch->state->decayed)
		dmp_registry_copy_errors(batch->row->id, batch->row->name, version);
	if (batch->wide == NULL && batch->status == DMP_FIT_CONVERGED)
		dmp_registry_put_state(batch->row->name, version,
							   dmp_update_state_write(batch->state, &batch->model->design));
	return version;
}

/* dmp.update_model(model, query, decay) -> one row, as dmp.train */
Datum
dmp_update_model(PG_FUNCTION_ARGS)
{
	TimestampTz start = GetCurrentTimestamp();
	const char *query;
	DmpTrainQuery *rows;
	double decay = PG_ARGISNULL(2) ? 1 : PG_GETARG_FLOAT8(2), auc;
	DmpBatch *batch;
	char *weight;
	Interval *elapsed;
	ListCell *lc;
	bool deployed;
	int version;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("\"%s\" must not be null", PG_ARGISNULL(0) ? "model" : "query")));
	if (!(decay > 0 && decay <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("decay must be above 0 and at most 1")));
	query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	PreventCommandIfReadOnly("dmp.update_model()");
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	batch = open_batch(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	weight = batch->row->weight;
	rows = dmp_train_query(query);
	read_rows(batch, rows, weight, decay);
	if (batch->read == 0)
	{
		ereport(NOTICE, (errmsg("the query has no rows to learn from: model \"%s\" stays as it is",
								batch->row->name),
						 batch->skipped > 0
							 ? errdetail("Rows skipped: " INT64_FORMAT
										 ", because the target is missing, the weight is 0 or a "
										 "feature is infinite.",
										 batch->skipped)
							 : 0));
		return_row(fcinfo, batch, batch->row->version, batch->row->version == batch->row->champion,
				   NAN, dmp_train_elapsed(start));
		dmp_spi_finish();
		return (Datum) 0;
	}
	if (batch->model->calibration != NULL)
		batch->warnings = lappend(batch->warnings,
								  psprintf("scores go through the calibration of version %d still: "
										   "dmp.calibrate fits it anew",
										   batch->row->version));
	auc = progressive_auc(batch);
	if (batch->wide != NULL)
		dmp_update_wide_finish(batch);
	else
	{
		dmp_update_finish(batch);
		finish_model(batch);
	}
	foreach (lc, batch->warnings)
		ereport(NOTICE, (errmsg("%s", (char *) lfirst(lc))));
	warn_of_sibling(batch);
	elapsed = dmp_train_elapsed(start);
	version = store(batch, query, decay, auc, elapsed, &deployed);
	return_row(fcinfo, batch, version, deployed, auc, elapsed);
	dmp_spi_finish();
	return (Datum) 0;
}
