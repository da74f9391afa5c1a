/*-------------------------------------------------------------------------
 * subject_erase.c
 *		dmp.erase_subject(): what is to be done, told or done.
 *
 * The plan is made first and is the same for both: rows of tables with their
 * fates (subject.c), other places (subject_place.c), entries of the audit log
 * (subject_audit.c), materialized views, statistics. An obstacle refuses the
 * act before anything is done.
 *
 * All rows of all tables change in one statement, of data-modifying CTEs:
 * foreign keys are checked at its end, when both sides are gone, so that no
 * order among the tables is needed, and cycles, deferrable or not, are none.
 *
 * The deletes are logged by the audit triggers like any others; the entries
 * they make are erased with those that were there. Nothing but a keyed hash
 * of the subject's name is left, in the certificate. Statements and details
 * of errors, which hold values, stay out of the server's log meanwhile.
 *-------------------------------------------------------------------------
 */
#include "govern/subject_erase.h"

#include "catalog/pg_type.h"
#include "govern/ledger.h"
#include "govern/subject_audit.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_erase_subject);

/* errors show a server's log neither the call, which names the subject, nor rows */
static int
quiet_log(void)
{
	int level = NewGUCNestLevel();

	(void) set_config_option("log_min_error_statement", "panic", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("log_error_verbosity", "terse", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static SubjectAct *
add_act(SubjectPlan *plan, const char *object, const char *action, int64 rows)
{
	SubjectAct *act;
	ListCell *lc;

	foreach (lc, plan->acts)
	{
		act = lfirst(lc);
		if (rows >= 0 && strcmp(act->object, object) == 0 && strcmp(act->action, action) == 0)
		{
			act->rows += rows;
			return act;
		}
	}
	act = palloc0(sizeof(SubjectAct));
	act->object = pstrdup(object);
	act->action = pstrdup(action);
	act->rows = rows;
	plan->acts = lappend(plan->acts, act);
	return act;
}

static char *
json_member(const char *name, const char *value)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	escape_json(&json, name);
	appendStringInfoString(&json, ": ");
	escape_json(&json, value);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* rows behind the tables they refer to come first, as they would have to go */
static int
by_depth(const ListCell *a, const ListCell *b)
{
	const SubjectTable *left = lfirst(a);
	const SubjectTable *right = lfirst(b);

	if (left->depth != right->depth)
		return left->depth > right->depth ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void
check_right(Subject *subject, SubjectTable *table, AclMode mode)
{
	Oid relid = table->by_root ? table->root : table->relid;

	if (pg_class_aclcheck(relid, GetUserId(), mode) != ACLCHECK_OK)
		dmp_subject_obstacle(&subject->obstacles, table->root_name,
							 psprintf("permission denied to %s rows of %s",
									  mode == ACL_DELETE ? "delete" : "update", table->root_name),
							 NULL);
	if (superuser())
	{
		char *code = dmp_code_of_others(table->relid);

		if (code)
			dmp_subject_obstacle(
				&subject->obstacles, table->root_name,
				psprintf("a change of %s would run %s with the rights of a superuser",
						 table->root_name, code),
				"Call it as a role that may change these tables and is no superuser.");
	}
}

/* acts and obstacles of the rows of tables */
static void
plan_tables(SubjectPlan *plan, Subject *subject)
{
	static const struct
	{
		SubjectFate fate;
		const char *action;
		AclMode right;
	} fates[] = {{SUBJECT_DELETE, "delete", ACL_DELETE},
				 {SUBJECT_BLANK, "blank", ACL_UPDATE},
				 {SUBJECT_KEEP, "keep", 0}};
	ListCell *lc;

	list_sort(subject->tables, by_depth);
	foreach (lc, subject->tables)
	{
		SubjectTable *table = lfirst(lc);
		int64 detached = 0;
		int i;

		for (i = 0; i < lengthof(fates); i++)
		{
			int n;
			SubjectAct *act;

			(void) dmp_subject_places(table, fates[i].fate, &n);
			if (n == 0)
				continue;
			act = add_act(plan, table->root_name, fates[i].action, n);
			act->detail = json_member("by", dmp_join(table->via, ", "));
			if (fates[i].right)
			{
				plan->changed = list_append_unique_oid(plan->changed, table->relid);
				check_right(subject, table, fates[i].right);
			}
			if (fates[i].fate == SUBJECT_BLANK)
				dmp_subject_check_blank(subject, table);
		}
		for (i = 0; i < table->n; i++)
			detached += table->fates[i] != SUBJECT_DELETE && table->detach[i] != NULL;
		if (detached > 0)
		{
			add_act(plan, table->root_name, "detach", detached)->detail =
				json_member("by", dmp_join(table->via, ", "));
			plan->changed = list_append_unique_oid(plan->changed, table->relid);
			if (dmp_subject_has_own_detach(subject, table))
				check_right(subject, table, ACL_UPDATE);
		}
	}
}

/* rows of a lake, by its partitions */
static int64
do_lake(SubjectPlan *plan, SubjectPlace *place, bool dry_run)
{
	int64 rows = 0;
	uint64 n = dmp_spi(
		dry_run ? psprintf("SELECT t.tableoid, pg_catalog.count(*) %s GROUP BY 1", place->from)
				: psprintf("WITH gone AS (%s RETURNING t.tableoid) SELECT tableoid,"
						   " pg_catalog.count(*) FROM gone GROUP BY 1",
						   place->change),
		&place->args, false);

	for (uint64 i = 0; i < n; i++)
	{
		plan->changed = list_append_unique_oid(plan->changed, (Oid) dmp_spi_int8(i, 1, 0));
		rows += dmp_spi_int8(i, 2, 0);
	}
	return rows;
}

/* rows of the other places: counted in a dry run, changed in the act */
static void
do_places(SubjectPlan *plan, Subject *subject, bool dry_run)
{
	ListCell *lc;

	foreach (lc, plan->places)
	{
		SubjectPlace *place = lfirst(lc);
		bool change = !dry_run && place->change != NULL;
		int64 rows;

		if (OidIsValid(place->relid))
			rows = do_lake(plan, place, dry_run);
		else
		{
			if (change && strstr(place->change, "$5"))
				dmp_arg_text(&place->args, plan->hash);
			rows = (int64) dmp_spi_registry(change ? place->change
												   : psprintf("SELECT count(*) %s", place->from),
											&place->args, false);
			if (!change)
				rows = dmp_spi_int8(0, 1, 0);
			if (rows > 0 && place->stored)
				plan->own =
					list_append_unique_oid(plan->own, dmp_relation_oid(place->stored, false));
		}
		if (rows > 0)
			add_act(plan, place->object, place->action, rows)->detail = place->detail;
	}
}

/* rights on the lakes; what is only told */
static void
plan_places(SubjectPlan *plan, Subject *subject)
{
	ListCell *lc;

	plan->places = dmp_subject_places_of(subject);
	foreach (lc, plan->places)
	{
		SubjectPlace *place = lfirst(lc);

		if (OidIsValid(place->relid) &&
			pg_class_aclcheck(place->relid, GetUserId(), ACL_DELETE) != ACLCHECK_OK)
			dmp_subject_obstacle(&subject->obstacles, place->object,
								 psprintf("permission denied to delete rows of %s", place->object),
								 NULL);
	}
}

static void
plan_hold(Subject *subject)
{
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_text(&args, subject->value);
	n = dmp_spi_registry("SELECT id, reason FROM dmp_internal.subject_hold"
						 " WHERE subject = $1 AND released_at IS NULL ORDER BY id",
						 &args, false);
	for (uint64 i = 0; i < n; i++)
		dmp_subject_obstacle(
			&subject->obstacles, "dmp.subject_holds",
			psprintf("hold %lld: %s", (long long) dmp_spi_int8(i, 1, 0), dmp_spi_text(i, 2)),
			"Release it with dmp.release_subject.");
}

/* what could not be read refuses the act, unless it can only be looked for elsewhere */
static void
plan_unread(SubjectPlan *plan, Subject *subject)
{
	ListCell *lc;

	foreach (lc, subject->unread)
	{
		SubjectObstacle *unread = lfirst(lc);

		if (unread->hint)
			add_act(plan, unread->object, "remains", -1)->detail =
				json_member("reason", unread->reason);
		else
			dmp_subject_obstacle(&subject->obstacles, unread->object, unread->reason, NULL);
	}
}

static void
refuse(Subject *subject)
{
	SubjectObstacle *first = linitial(subject->obstacles);
	StringInfoData detail;
	ListCell *lc;

	initStringInfo(&detail);
	foreach (lc, subject->obstacles)
	{
		SubjectObstacle *obstacle = lfirst(lc);

		if (foreach_current_index(lc) == 10)
		{
			appendStringInfo(&detail, " and %d more.", list_length(subject->obstacles) - 10);
			break;
		}
		appendStringInfo(&detail, "%s%s: %s.", detail.len ? "\n" : "", obstacle->object,
						 obstacle->reason);
	}
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the subject cannot be erased"), errdetail("%s", detail.data),
					first->hint ? errhint("%s", first->hint) : 0, errhidestmt(true)));
}

static void
emit(FunctionCallInfo fcinfo, const char *object, const char *action, int64 rows,
	 const char *detail)
{
	Datum values[4] = {CStringGetTextDatum(object), CStringGetTextDatum(action),
					   Int64GetDatum(rows), (Datum) 0};
	bool nulls[4] = {false, false, rows < 0, detail == NULL};

	if (detail)
		values[3] = DirectFunctionCall1(jsonb_in, CStringGetDatum(pstrdup(detail)));
	dmp_srf_row(fcinfo, values, nulls);
}

static void
emit_plan(FunctionCallInfo fcinfo, SubjectPlan *plan, Subject *subject, bool dry_run, int64 entry)
{
	StringInfoData counts;
	int64 remains = 0;
	int64 total = 0;
	ListCell *lc;

	foreach (lc, subject->obstacles)
	{
		SubjectObstacle *obstacle = lfirst(lc);

		emit(fcinfo, obstacle->object, "refused", -1, json_member("reason", obstacle->reason));
	}
	initStringInfo(&counts);
	foreach (lc, plan->acts)
	{
		SubjectAct *act = lfirst(lc);

		emit(fcinfo, act->object, act->action, act->rows, act->detail);
		if (strcmp(act->action, "remains") == 0 || strcmp(act->action, "keep") == 0)
			remains += Max(act->rows, 1);
		else if (act->rows > 0)
		{
			total += act->rows;
			appendStringInfoString(&counts, counts.len ? ", " : "");
			escape_json(&counts, psprintf("%s %s", act->action, act->object));
			appendStringInfo(&counts, ": %lld", (long long) act->rows);
		}
	}
	emit(fcinfo, "certificate", dry_run ? "dry run" : "erased", total,
		 psprintf("{\"subject\": \"%s\", \"rows\": {%s}, \"remains\": %lld, \"entry\": %s,"
				  " \"not_covered\": [\"dead rows in the files until VACUUM\", \"write-ahead log,"
				  " replicas and backups\", \"statements in the server log\"]}",
				  plan->hash, counts.data, (long long) remains,
				  entry > 0 ? psprintf("%lld", (long long) entry) : "null"));
}

static void
erase_numbers(Datum numbers, int64 n)
{
	DmpArgs args = {0};

	if (n == 0)
		return;
	dmp_arg(&args, INT8ARRAYOID, numbers, false);
	dmp_spi_registry("SELECT dmp_internal.erase_entries($1)", &args, false);
}

/* dmp.erase_subject(subject, dry_run DEFAULT true) */
Datum
dmp_erase_subject(PG_FUNCTION_ARGS)
{
	int level = quiet_log();
	char *value = dmp_subject_argument(fcinfo, 0);
	bool dry_run = PG_ARGISNULL(1) || PG_GETARG_BOOL(1);
	SubjectPlan plan = {0};
	Subject *subject;
	Datum numbers;
	int64 entries;
	int64 own;
	int64 event = 0;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	if (!dry_run)
		dmp_subject_lock(value);
	plan.hash = dmp_subject_hash(value);
	subject = dmp_subject_find(value, true, !dry_run, true);
	plan_hold(subject);
	plan_tables(&plan, subject);
	plan_places(&plan, subject);
	plan_unread(&plan, subject);
	plan.keys = dmp_subject_audit_keys(subject);
	numbers = dmp_subject_audit_entries(subject, plan.keys, false, &entries);
	if (!dry_run && subject->obstacles)
		refuse(subject);
	if (!dry_run)
		dmp_subject_change(subject);
	do_places(&plan, subject, dry_run);
	if (entries > 0)
		add_act(&plan, "dmp.audit_log", "erase", entries);
	if (!dry_run)
	{
		dmp_subject_check_gone(subject);
		erase_numbers(numbers, entries);
		/* what the changes of this act were logged as */
		numbers = dmp_subject_audit_entries(subject, plan.keys, true, &own);
		erase_numbers(numbers, own);
	}
	dmp_subject_derived(&plan, entries > 0, dry_run);
	if (!dry_run)
		event = dmp_subject_event(&plan);
	if (dmp_subject_audit_actor(subject) > 0)
		add_act(&plan, "dmp.audit_log", "remains", dmp_subject_audit_actor(subject))->detail =
			"{\"reason\": \"entries of what the subject did: the actor is sealed\"}";
	emit_plan(fcinfo, &plan, subject, dry_run, event);
	dmp_spi_finish();
	AtEOXact_GUC(false, level);
	return (Datum) 0;
}

SubjectAct *
dmp_subject_act(SubjectPlan *plan, const char *object, const char *action, int64 rows)
{
	return add_act(plan, object, action, rows);
}
