/*-------------------------------------------------------------------------
 * registry.c
 *		Models by name: references, versions, deployment, rights.
 *
 * dmp_internal.model_name has a row a name (owner, champion), .model a row a
 * version, .deployment a row each time a version became the champion. They
 * are written here only, as the extension's owner. Reading by name goes
 * through dmp_model_lookup(), which checks the right to the model itself: a
 * name of another role must say whose it is, and not that it does not exist.
 *
 * A backend may keep what it has looked up while dmp_registry_generation()
 * stands still: a trigger on the tables sends a relcache invalidation of
 * dmp_internal.model_name, which reaches every backend, on standbys too.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "base/base.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "learn/learn.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dmp_registry_changed);
PG_FUNCTION_INFO_V1(dmp_model_value);
PG_FUNCTION_INFO_V1(dmp_model_value_unknown);
PG_FUNCTION_INFO_V1(dmp_deploy);
PG_FUNCTION_INFO_V1(dmp_rollback);
PG_FUNCTION_INFO_V1(dmp_drop_model);
PG_FUNCTION_INFO_V1(dmp_grant_model);
PG_FUNCTION_INFO_V1(dmp_revoke_model);

static uint64 generation = 1;
static Oid name_relid = InvalidOid;

/* ------------------------------------------------------- invalidation */

static void
registry_invalidated(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || !OidIsValid(name_relid) || relid == name_relid)
	{
		generation++;
		if (!OidIsValid(relid))
			name_relid = InvalidOid; /* the extension may have been made anew */
	}
}

void
dmp_registry_init(void)
{
	CacheRegisterRelcacheCallback(registry_invalidated, (Datum) 0);
}

uint64
dmp_registry_generation(void)
{
	return generation;
}

Oid
dmp_registry_relid(void)
{
	if (!OidIsValid(name_relid))
		name_relid = get_relname_relid("model_name", get_namespace_oid("dmp_internal", false));
	return name_relid;
}

/* trigger of the registry's tables, a statement each */
Datum
dmp_registry_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("registry_changed must be called as a trigger")));
	CacheInvalidateRelcacheByRelid(dmp_registry_relid());
	return PointerGetDatum(NULL);
}

/* --------------------------------------------------------- references */

DmpModelRef
dmp_model_ref(const char *text)
{
	DmpModelRef ref;
	char *at;

	if (strncmp(text, "model:", 6) == 0)
		text += 6;
	ref.name = pstrdup(text);
	ref.version = 0;
	ref.which = DMP_REF_CHAMPION;
	at = strrchr(ref.name, '@');
	if (at != NULL)
	{
		*at++ = '\0';
		if (strcmp(at, "latest") == 0)
			ref.which = DMP_REF_LATEST;
		else if (strcmp(at, "previous") == 0)
			ref.which = DMP_REF_PREVIOUS;
		else
		{
			char *end;
			long version;

			errno = 0;
			version = strtol(at, &end, 10);
			if (*at < '0' || *at > '9' || *end != '\0' || errno != 0 || version < 1 ||
				version > PG_INT32_MAX)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("\"%s\" is no reference to a model", text),
								errhint("Write name, name@3, name@latest or name@previous.")));
			ref.which = DMP_REF_VERSION;
			ref.version = (int) version;
		}
	}
	if (ref.name[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("a model needs a name")));
	return ref;
}

/* A bare name, of a model to be made or acted on as a whole. */
static char *
bare_name(const char *text)
{
	DmpModelRef ref = dmp_model_ref(text);

	if (ref.which != DMP_REF_CHAMPION)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("a version is not allowed here: \"%s\"", text),
						errhint("Give the name alone: \"%s\".", ref.name)));
	return ref.name;
}

static void
pg_attribute_noreturn() no_such_model(const char *name)
{
	List *candidates = NIL;
	uint64 n = dmp_spi_registry("SELECT name, owner::oid FROM dmp_internal.model_name", NULL, true);
	uint64 i;

	for (i = 0; i < n; i++)
	{
		if (has_privs_of_role(GetUserId(), (Oid) dmp_spi_int8(i, 2, 0)))
			candidates = lappend(candidates, dmp_spi_text(i, 1));
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name),
					dmp_errhint_nearest(name, candidates)));
}

bool
dmp_model_may_use(const char *name, Oid owner)
{
	DmpArgs args = {0};
	bool granted = false;
	uint64 n;
	uint64 i;

	if (has_privs_of_role(GetUserId(), owner))
		return true;
	dmp_spi_connect();
	dmp_arg_text(&args, name);
	n = dmp_spi_registry("SELECT grantee::oid FROM dmp_internal.model_grant WHERE name = $1", &args,
						 true);
	for (i = 0; i < n && !granted; i++)
		granted = has_privs_of_role(GetUserId(), (Oid) dmp_spi_int8(i, 1, 0));
	dmp_spi_finish();
	return granted;
}

void
dmp_model_check_use(const char *name, Oid owner)
{
	if (!dmp_model_may_use(name, owner))
		dmp_check_owner(owner, "model", name);
}

/* version that became champion before the present one did; 0: none */
#define PREVIOUS_OF                                                            \
	"(SELECT d.replaced FROM dmp_internal.deployment d WHERE d.name = n.name " \
	"AND d.version = n.champion AND d.act <> 'rollback' ORDER BY d.id DESC LIMIT 1)"

/* What a reference that leads nowhere is told. */
static void
pg_attribute_noreturn() no_such_version(const DmpModelRef *ref)
{
	if (ref->which == DMP_REF_VERSION)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("model \"%s\" has no version %d", ref->name, ref->version)));
	if (ref->which == DMP_REF_PREVIOUS)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("model \"%s\" has no previous version", ref->name)));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" has no deployed version", ref->name),
			 errhint("Choose one with dmp.deploy, or name a version: \"%s@latest\".", ref->name)));
}

#define LOOKUP_SQL                                                                                \
	"SELECT m.id, m.version, n.owner::oid, n.champion, m.value, m.key, m.query, m.search_path, "  \
	"m.trained_by::oid, m.weight FROM dmp_internal.model_name n CROSS JOIN LATERAL (SELECT CASE " \
	"$3 "                                                                                         \
	"WHEN 0 THEN n.champion WHEN 1 THEN $2 "                                                      \
	"WHEN 2 THEN (SELECT max(v.version) FROM dmp_internal.model v WHERE v.name = n.name) "        \
	"ELSE " PREVIOUS_OF " END AS version) w "                                                     \
	"LEFT JOIN dmp_internal.model m ON m.name = n.name AND m.version = w.version "                \
	"WHERE n.name = $1"

DmpModelRow *
dmp_model_find(const char *text, bool missing_ok)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	DmpModelRef ref = dmp_model_ref(text);
	DmpModelRow *row = palloc0(sizeof(DmpModelRow));
	DmpArgs args = {0};
	bool isnull;
	Datum value;

	dmp_spi_connect();
	(void) dmp_registry_relid();
	dmp_arg_text(&args, ref.name);
	dmp_arg_int4(&args, ref.version);
	dmp_arg_int4(&args, (int) ref.which);
	if (dmp_spi_registry(LOOKUP_SQL, &args, true) == 0)
	{
		if (!missing_ok)
			no_such_model(ref.name);
		dmp_spi_finish();
		return NULL;
	}
	row->owner = (Oid) dmp_spi_int8(0, 3, 0);
	row->champion = (int) dmp_spi_int8(0, 4, 0);
	row->version = (int) dmp_spi_int8(0, 2, 0);
	row->id = dmp_spi_int8(0, 1, 0);
	row->trained_by = (Oid) dmp_spi_int8(0, 9, 0);
	old = MemoryContextSwitchTo(caller);
	row->name = pstrdup(ref.name);
	value = dmp_spi_datum(0, 5, &isnull);
	if (!isnull)
		row->value = (DmpModelValue *) PG_DETOAST_DATUM_COPY(value);
	value = dmp_spi_datum(0, 6, &isnull);
	row->key = isnull ? NIL : dmp_text_array_to_list(DatumGetArrayTypePCopy(value));
	row->query = dmp_spi_text(0, 7);
	row->search_path = dmp_spi_text(0, 8);
	row->weight = dmp_spi_text(0, 10);
	MemoryContextSwitchTo(old);
	dmp_spi_finish();
	if (missing_ok && (row->version == 0 || !dmp_model_may_use(row->name, row->owner)))
		return NULL;
	dmp_model_check_use(row->name, row->owner);
	if (row->version == 0)
		no_such_version(&ref);
	return row;
}

DmpModelRow *
dmp_model_lookup(const char *text)
{
	return dmp_model_find(text, false);
}

/* dmp.model_value(ref): the value of a version, for the forms that look nothing up */
Datum
dmp_model_value(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)))->value);
}

/*
 * The same for a bare literal. Without this form dmp.model_value('m') would be
 * read as a cast of 'm' to the type of that name.
 */
Datum
dmp_model_value_unknown(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(dmp_model_lookup(PG_GETARG_CSTRING(0))->value);
}

/* ------------------------------------------------------------- writing */

/* Locks the name's row and checks that the current user owns it. SPI is connected. */
static void
lock_name(const char *name, bool missing_ok)
{
	DmpArgs args = {0};

	dmp_arg_text(&args, name);
	if (dmp_spi_registry("SELECT owner::oid, champion, pinned, last_version "
						 "FROM dmp_internal.model_name WHERE name = $1 FOR UPDATE",
						 &args, false) == 0)
	{
		if (missing_ok)
			return;
		no_such_model(name);
	}
	dmp_check_owner((Oid) dmp_spi_int8(0, 1, 0), "model", name);
}

void
dmp_registry_lock(const char *name)
{
	dmp_model_check_new(name);
	dmp_spi_connect();
	lock_name(name, false);
	dmp_spi_finish();
}

bytea *
dmp_registry_get_state(int64 id)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	DmpArgs args = {0};
	bytea *state = NULL;

	dmp_spi_connect();
	dmp_arg_int8(&args, id);
	if (dmp_spi_registry("SELECT state FROM dmp_internal.model_state WHERE id = $1", &args, true) >
		0)
	{
		bool isnull;
		Datum value = dmp_spi_datum(0, 1, &isnull);

		old = MemoryContextSwitchTo(caller);
		state = (bytea *) PG_DETOAST_DATUM_COPY(value);
		MemoryContextSwitchTo(old);
	}
	dmp_spi_finish();
	return state;
}

void
dmp_registry_put_state(const char *name, int version, const bytea *state)
{
	DmpArgs args = {0};

	dmp_spi_connect();
	dmp_arg_text(&args, name);
	dmp_arg_int4(&args, version);
	dmp_arg(&args, BYTEAOID, PointerGetDatum(state), false);
	dmp_spi_registry("INSERT INTO dmp_internal.model_state (id, state) "
					 "SELECT id, $3 FROM dmp_internal.model WHERE name = $1 AND version = $2",
					 &args, false);
	dmp_spi_finish();
}

void
dmp_registry_copy_errors(int64 from, const char *name, int version)
{
	DmpArgs args = {0};

	dmp_spi_connect();
	dmp_arg_int8(&args, from);
	dmp_arg_text(&args, name);
	dmp_arg_int4(&args, version);
	dmp_spi_registry("UPDATE dmp_internal.model m SET std_err = f.std_err "
					 "FROM dmp_internal.model f "
					 "WHERE f.id = $1 AND m.name = $2 AND m.version = $3",
					 &args, false);
	dmp_spi_finish();
}

void
dmp_model_check_new(const char *name)
{
	DmpArgs args = {0};

	dmp_spi_connect();
	dmp_arg_text(&args, bare_name(name));
	if (dmp_spi_registry("SELECT owner::oid FROM dmp_internal.model_name WHERE name = $1", &args,
						 true) > 0)
		dmp_check_owner((Oid) dmp_spi_int8(0, 1, 0), "model", name);
	dmp_spi_finish();
}

int
dmp_registry_champion(const char *name, bool *pinned)
{
	DmpArgs args = {0};
	int champion = 0;

	*pinned = false;
	dmp_spi_connect();
	dmp_arg_text(&args, name);
	/* locked: nobody pins another version between the decision and the act */
	if (dmp_spi_registry("SELECT champion, pinned FROM dmp_internal.model_name WHERE name = $1 "
						 "FOR UPDATE",
						 &args, false) > 0)
	{
		champion = (int) dmp_spi_int8(0, 1, 0);
		*pinned = dmp_spi_bool(0, 2, false);
	}
	dmp_spi_finish();
	return champion;
}

/* Makes a version the champion and writes history. SPI is connected, the row locked. */
static void
make_champion(const char *name, int version, const char *act, bool pinned)
{
	DmpArgs history = {0};
	DmpArgs champion = {0};

	dmp_arg_text(&history, name);
	dmp_arg_int4(&history, version);
	dmp_arg_text(&history, act);
	dmp_arg_oid(&history, GetUserId());
	dmp_spi_registry("INSERT INTO dmp_internal.deployment "
					 "(name, version, replaced, act, deployed_by) "
					 "SELECT name, $2, champion, $3, $4::dmp_internal.owner "
					 "FROM dmp_internal.model_name WHERE name = $1 "
					 "AND champion IS DISTINCT FROM $2",
					 &history, false);
	dmp_arg_text(&champion, name);
	dmp_arg_int4(&champion, version);
	dmp_arg_bool(&champion, pinned);
	dmp_spi_registry("UPDATE dmp_internal.model_name SET champion = $2, pinned = $3 "
					 "WHERE name = $1",
					 &champion, false);
}

void
dmp_arg_model_value(DmpArgs *args, const DmpModelValue *value)
{
	Oid type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("model_value"),
							   ObjectIdGetDatum(get_namespace_oid("dmp", false)));

	dmp_arg(args, type, PointerGetDatum(value), false);
}

int
dmp_registry_add(const char *name, const char *row, const DmpModelValue *value,
				 const double *std_err, int n_std_err, bytea *groups, bool deploy)
{
	DmpArgs args = {0};
	int version;

	dmp_spi_connect();
	dmp_arg_text(&args, name);
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_registry("INSERT INTO dmp_internal.model_name (name, owner) "
					 "VALUES ($1, $2::dmp_internal.owner) ON CONFLICT (name) DO NOTHING",
					 &args, false);
	lock_name(name, false);
	args.n = 1;
	dmp_spi_registry("UPDATE dmp_internal.model_name SET last_version = last_version + 1 "
					 "WHERE name = $1 RETURNING last_version",
					 &args, false);
	version = (int) dmp_spi_int8(0, 1, 0);

	dmp_arg_int4(&args, version);
	dmp_arg_oid(&args, GetUserId());
	dmp_arg_text(&args, row);
	dmp_arg_model_value(&args, value);
	if (std_err != NULL)
	{
		Datum *items = palloc(sizeof(Datum) * n_std_err);
		int i;

		for (i = 0; i < n_std_err; i++)
			items[i] = Float8GetDatum(std_err[i]);
		dmp_arg(&args, FLOAT8ARRAYOID,
				PointerGetDatum(construct_array(items, n_std_err, FLOAT8OID, sizeof(float8),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
				false);
	}
	else
		dmp_arg(&args, FLOAT8ARRAYOID, (Datum) 0, true);
	dmp_arg(&args, BYTEAOID, PointerGetDatum(groups), groups == NULL);
	dmp_spi_registry(
		"INSERT INTO dmp_internal.model (name, version, trained_by, value, std_err, groups, by, "
		"n_groups, "
		"n_groups_converged, kind, family, "
		"status, target, query, search_path, features, key, at, weight, rows, rows_test, "
		"rows_skipped, rows_positive, lambda, alpha, roc_auc, test_roc_auc, accuracy, "
		"test_accuracy, log_loss, "
		"test_log_loss, null_log_loss, objective, kkt_residual, lambda_max, tolerance, scans, "
		"iterations, memory, elapsed, aliased, warnings, options, null_deviance, deviance, aic, "
		"bic, dispersion, df_null, df_residual, std_err_kind, no_errors, clusters, vif, rmse, "
		"test_rmse, mae, test_mae, r_squared, test_r_squared, mean_deviance, test_mean_deviance, "
		"base_margin, fingerprint, baseline, path, path_coef, "
		"cv_log_loss, cv_std_err, cv_roc_auc, updated_from, decay, rows_seen, weight_seen, "
		"rows_waiting) "
		"SELECT $1, $2, $3::dmp_internal.owner, $5, $6, $7, r.by, r.n_groups, "
		"r.n_groups_converged, r.kind, r.family, r.status, r.target, "
		"r.query, r.search_path, r.features, r.key, r.at, r.weight, r.rows, r.rows_test, "
		"r.rows_skipped, r.rows_positive, r.lambda, r.alpha, r.roc_auc, r.test_roc_auc, "
		"r.accuracy, r.test_accuracy, "
		"r.log_loss, r.test_log_loss, r.null_log_loss, r.objective, r.kkt_residual, r.lambda_max, "
		"r.tolerance, r.scans, r.iterations, r.memory, r.elapsed, r.aliased, r.warnings, "
		"r.options, r.null_deviance, r.deviance, r.aic, r.bic, r.dispersion, r.df_null, "
		"r.df_residual, r.std_err_kind, r.no_errors, r.clusters, r.vif, r.rmse, r.test_rmse, "
		"r.mae, r.test_mae, r.r_squared, r.test_r_squared, r.mean_deviance, r.test_mean_deviance, "
		"r.base_margin, r.fingerprint, r.baseline, r.path, r.path_coef, "
		"r.cv_log_loss, r.cv_std_err, r.cv_roc_auc, r.updated_from, r.decay, r.rows_seen, "
		"r.weight_seen, r.rows_waiting "
		"FROM pg_catalog.jsonb_populate_record(NULL::dmp_internal.model, $4::jsonb) r",
		&args, false);
	if (deploy)
		make_champion(name, version, "train", false);
	dmp_spi_finish();
	return version;
}

void
dmp_registry_update_value(int64 id, const DmpModelValue *value)
{
	DmpArgs args = {0};

	dmp_spi_connect();
	dmp_arg_int8(&args, id);
	dmp_arg_model_value(&args, value);
	dmp_spi_registry("UPDATE dmp_internal.model SET value = $2 WHERE id = $1", &args, false);
	dmp_spi_finish();
}

/*
 * Keeps what the rows of a run were like, for dmp.model_metrics. Where nothing
 * can be written the run goes on without, with a NOTICE if there is something
 * to tell.
 */
void
dmp_registry_add_run(int64 id, const char *dataset, int64 rows, int64 missing, int64 unseen)
{
	DmpArgs args = {0};

	if (XactReadOnly || RecoveryInProgress() || IsInParallelMode())
	{
		if (unseen > 0)
			ereport(
				NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT
									 " rows have a level that training had not seen",
						unseen, rows),
				 errdetail("This transaction is read-only: dmp.model_metrics keeps no count.")));
		return;
	}
	dmp_spi_connect();
	dmp_arg_int8(&args, id);
	dmp_arg_text(&args, dataset);
	dmp_arg_int8(&args, rows);
	dmp_arg_int8(&args, missing);
	dmp_arg_int8(&args, unseen);
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_registry("INSERT INTO dmp_internal.model_run (model, dataset, rows, rows_missing, "
					 "rows_unseen_level, run_by) VALUES ($1, $2, $3, $4, $5, "
					 "$6::dmp_internal.owner)",
					 &args, false);
	dmp_spi_finish();
}

DmpModel *
dmp_model_lock(const DmpModelRow *row)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	DmpModel *model;
	bool isnull;
	Datum value;

	dmp_spi_connect();
	dmp_arg_int8(&args, row->id);
	if (dmp_spi_registry("SELECT value FROM dmp_internal.model WHERE id = $1 FOR UPDATE", &args,
						 false) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("model \"%s\" has no version %d", row->name, row->version)));
	value = dmp_spi_datum(0, 1, &isnull);
	model = dmp_model_from_json(dmp_model_value_json((DmpModelValue *) PG_DETOAST_DATUM(value)),
								caller);
	dmp_spi_finish();
	return model;
}

void
dmp_model_store(const DmpModelRow *row, const DmpModel *model)
{
	char *json = dmp_model_to_json(model);

	dmp_registry_update_value(row->id, dmp_model_value_make(json, strlen(json)));
}

/* --------------------------------------------------------- deployment */

static Datum
deployed_row(FunctionCallInfo fcinfo, const char *name, int version, int previous, bool pinned)
{
	Datum values[4];
	bool nulls[4] = {false, false, false, false};

	dmp_srf_begin(fcinfo);
	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(version);
	values[2] = Int32GetDatum(previous);
	nulls[2] = previous == 0;
	values[3] = BoolGetDatum(pinned);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}

/*
 * dmp.deploy(model, version): with a version, also as 'name@3', it is the
 * champion until told otherwise; without, the latest converged one is, and new
 * fits replace it again.
 */
Datum
dmp_deploy(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpModelRef ref;
	DmpArgs args = {0};
	int version;
	int previous;
	bool pinned;
	char *status;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"model\" must not be null")));
	ref = dmp_model_ref(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	version = PG_ARGISNULL(1) ? ref.version : PG_GETARG_INT32(1);
	if (ref.which == DMP_REF_PREVIOUS || (ref.version != 0 && !PG_ARGISNULL(1)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name the model, and the version once"),
						errhint("dmp.rollback goes back to the previous version.")));
	if (!PG_ARGISNULL(1) && version < 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("model \"%s\" has no version %d", ref.name, version)));
	dmp_spi_connect();
	lock_name(ref.name, false);
	previous = (int) dmp_spi_int8(0, 2, 0);
	dmp_arg_text(&args, ref.name);
	dmp_arg_int4(&args, version);
	pinned = version != 0;
	if (dmp_spi_registry("SELECT version, status FROM dmp_internal.model WHERE name = $1 "
						 "AND ($2 = version OR ($2 = 0 AND status IN ('converged', 'imported'))) "
						 "ORDER BY version DESC LIMIT 1",
						 &args, false) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						pinned ? errmsg("model \"%s\" has no version %d", ref.name, version)
							   : errmsg("model \"%s\" has no version that converged", ref.name)));
	version = (int) dmp_spi_int8(0, 1, 0);
	status = dmp_spi_text(0, 2);
	make_champion(ref.name, version, "deploy", pinned);
	if (strcmp(status, "converged") != 0 && strcmp(status, "imported") != 0)
		ereport(WARNING, (errmsg("version %d of model \"%s\" is deployed with status \"%s\"",
								 version, ref.name, status)));
	ref.name = MemoryContextStrdup(caller, ref.name);
	dmp_spi_finish();
	return deployed_row(fcinfo, ref.name, version, previous, pinned);
}

/* dmp.rollback(model): the version deployed before the champion is again, and stays */
Datum
dmp_rollback(PG_FUNCTION_ARGS)
{
	char *name = bare_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	DmpArgs args = {0};
	int version;
	int champion;

	dmp_spi_connect();
	lock_name(name, false);
	dmp_arg_text(&args, name);
	dmp_spi_registry("SELECT " PREVIOUS_OF ", n.champion FROM dmp_internal.model_name n "
					 "WHERE n.name = $1",
					 &args, false);
	version = (int) dmp_spi_int8(0, 1, 0);
	champion = (int) dmp_spi_int8(0, 2, 0);
	if (version == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("model \"%s\" has no previous version", name)));
	make_champion(name, version, "rollback", true);
	dmp_spi_finish();
	return deployed_row(fcinfo, name, version, champion, true);
}

/* dmp.drop_model(model): the name with all versions, or 'name@3': that version */
Datum
dmp_drop_model(PG_FUNCTION_ARGS)
{
	DmpModelRef ref = dmp_model_ref(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Datum values[2];
	bool nulls[2] = {false, false};
	DmpArgs args = {0};
	uint64 versions;

	if (ref.which == DMP_REF_LATEST || ref.which == DMP_REF_PREVIOUS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name the version to drop by its number")));
	dmp_spi_connect();
	lock_name(ref.name, false);
	if (ref.version != 0 && ref.version == (int) dmp_spi_int8(0, 2, 0))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
						errmsg("version %d of model \"%s\" is deployed", ref.version, ref.name),
						errhint("Deploy another version first, or drop the whole model.")));
	dmp_arg_text(&args, ref.name);
	dmp_arg_int4(&args, ref.version);
	dmp_spi_registry("DELETE FROM dmp_internal.model_state s USING dmp_internal.model m "
					 "WHERE s.id = m.id AND m.name = $1 AND $2 IN (0, m.version)",
					 &args, false);
	args.n = ref.version != 0 ? 2 : 1;
	if (ref.version != 0)
	{
		dmp_spi_registry("DELETE FROM dmp_internal.model_run r USING dmp_internal.model m "
						 "WHERE r.model = m.id AND m.name = $1 AND m.version = $2",
						 &args, false);
		versions = dmp_spi_registry(
			"DELETE FROM dmp_internal.model WHERE name = $1 AND version = $2", &args, false);
		if (versions == 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("model \"%s\" has no version %d", ref.name, ref.version)));
		/* history no longer leads back to it */
		dmp_spi_registry("DELETE FROM dmp_internal.deployment WHERE name = $1 AND version = $2",
						 &args, false);
		dmp_spi_registry("UPDATE dmp_internal.deployment SET replaced = NULL WHERE name = $1 "
						 "AND replaced = $2",
						 &args, false);
	}
	else
	{
		dmp_spi_registry("DELETE FROM dmp_internal.deployment WHERE name = $1", &args, false);
		dmp_spi_registry("DELETE FROM dmp_internal.model_grant WHERE name = $1", &args, false);
		dmp_spi_registry("DELETE FROM dmp_internal.model_run r USING dmp_internal.model m "
						 "WHERE r.model = m.id AND m.name = $1",
						 &args, false);
		versions = dmp_spi_registry("DELETE FROM dmp_internal.model WHERE name = $1", &args, false);
		dmp_spi_registry("DELETE FROM dmp_internal.model_name WHERE name = $1", &args, false);
	}
	dmp_spi_finish();
	dmp_srf_begin(fcinfo);
	values[0] = CStringGetTextDatum(ref.name);
	values[1] = Int32GetDatum((int32) versions);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}

/* --------------------------------------------------------------- rights */

static Datum
change_grant(FunctionCallInfo fcinfo, bool grant)
{
	char *name = bare_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	char *role = NameStr(*PG_GETARG_NAME(1));
	char *privilege = text_to_cstring(PG_GETARG_TEXT_PP(2));
	Datum values[3];
	bool nulls[3] = {false, false, false};
	DmpArgs args = {0};

	if (strcmp(privilege, "predict") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown privilege \"%s\" of a model", privilege),
						errhint("The privilege is \"predict\".")));
	dmp_spi_connect();
	lock_name(name, false);
	dmp_arg_text(&args, name);
	dmp_arg_oid(&args, get_role_oid(role, false));
	if (grant)
	{
		dmp_arg_oid(&args, GetUserId());
		dmp_spi_registry("INSERT INTO dmp_internal.model_grant (name, grantee, grantor) "
						 "VALUES ($1, $2::dmp_internal.owner, $3::dmp_internal.owner) "
						 "ON CONFLICT DO NOTHING",
						 &args, false);
	}
	else
		dmp_spi_registry("DELETE FROM dmp_internal.model_grant WHERE name = $1 "
						 "AND grantee::oid = $2",
						 &args, false);
	dmp_spi_finish();
	dmp_srf_begin(fcinfo);
	values[0] = CStringGetTextDatum(name);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(role));
	values[2] = CStringGetTextDatum(privilege);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}

Datum
dmp_grant_model(PG_FUNCTION_ARGS)
{
	return change_grant(fcinfo, true);
}

Datum
dmp_revoke_model(PG_FUNCTION_ARGS)
{
	return change_grant(fcinfo, false);
}
