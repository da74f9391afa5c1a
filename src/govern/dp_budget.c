/*-------------------------------------------------------------------------
 * dp_budget.c
 *		Privacy budgets: dmp.set_privacy_budget, charging them, dmp.privacy_spent.
 *
 * A budget is what a role, its members included, may spend on questions about
 * a table. What was spent is the value of a sequence, because a sequence is
 * not rolled back: setval() survives ROLLBACK and ROLLBACK TO, is written to
 * WAL, and is refused in read-only transactions. The order of a charge:
 *
 * 1. the budget must be of an earlier transaction, or its rollback would take
 *    the sequence along;
 * 2. the sequence is locked, read, and refused if too little is left;
 * 3. setval(), then WAL is flushed, so that not even a crash of the machine
 *    gives back what was charged for an answer that somebody saw;
 * 4. the lock is released: the charge stands whatever comes after. An error
 *    in the question itself costs what the answer would have cost.
 *
 * Who spends is the role of the session, which SET ROLE does not change: a
 * budget applies to it when it is of that role or of one it is a member of, by
 * any way and whether inherited or not. Every budget that applies is charged,
 * so that being in two groups, or making a role that is a member, adds
 * nothing. Superuser rights count for nothing here.
 *
 * The sequence goes with the extension, but is dumped with its value.
 *-------------------------------------------------------------------------
 */
#include "govern/audit.h"
#include "govern/dp.h"
#include "govern/govern.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_set_privacy_budget);
PG_FUNCTION_INFO_V1(dmp_privacy_spent);

typedef struct Budget
{
	int64 id;
	Oid role;
	int64 granted;
	char *subject;
	double delta;
	bool new; /* made or changed by this transaction */
} Budget;

static char *
sequence_name(int64 id)
{
	return psprintf("privacy_spent_" INT64_FORMAT, id);
}

static Oid
sequence_oid(int64 id)
{
	Oid relid = get_relname_relid(sequence_name(id), get_namespace_oid("dmp_internal", false));

	/* gone: what was spent is not known, so nothing more can be */
	if (!OidIsValid(relid))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the account of privacy budget " INT64_FORMAT " is gone", id)));
	return relid;
}

/* inside of SPI; sequences have no snapshot: it is what it is now */
static int64
read_sequence(int64 id)
{
	dmp_spi_registry(psprintf("SELECT last_value FROM dmp_internal.%s", sequence_name(id)), NULL,
					 true);
	return dmp_spi_int8(0, 1, 0);
}

/* budgets of a table in order of id, which is the order they are locked in; inside of SPI */
static List *
budgets_of(Oid relid, MemoryContext context)
{
	DmpArgs args = {0};
	List *budgets = NIL;
	uint64 n;

	dmp_arg_oid(&args, relid);
	n = dmp_spi_registry("SELECT id, role::oid, epsilon, subject, delta, xmin "
						 "FROM dmp_internal.privacy_budget WHERE relation::oid = $1 ORDER BY id",
						 &args, true);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext before = MemoryContextSwitchTo(context);
		Budget *budget = palloc0(sizeof(Budget));
		bool isnull;

		budget->id = dmp_spi_int8(i, 1, 0);
		budget->role = (Oid) dmp_spi_int8(i, 2, 0);
		budget->granted = dmp_spi_int8(i, 3, 0);
		budget->subject = dmp_spi_text(i, 4);
		budget->delta = dmp_spi_float8(i, 5, 0);
		budget->new = TransactionIdIsCurrentTransactionId(
			DatumGetTransactionId(dmp_spi_datum(i, 6, &isnull)));
		budgets = lappend(budgets, budget);
		MemoryContextSwitchTo(before);
	}
	return budgets;
}

static char *
amount(int64 micro)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, dmp_dp_from_micro(micro)));
}

/* steps 1 to 4 of the essay for one budget; inside of SPI, with its lock held */
static void
check_suffices(const Budget *budget, Oid relid, int64 micro)
{
	int64 spent = read_sequence(budget->id);
	int64 left = Max(budget->granted - spent, 0);

	if (micro > left)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("privacy budget of role \"%s\" for table \"%s\" does not suffice",
							   GetUserNameFromId(budget->role, false), get_rel_name(relid)),
						errdetail("The question costs %s, %s of %s is left.", amount(micro),
								  amount(left), amount(budget->granted))));
}

/*
 * A lock on the sequence as an object: setval() holds one on it as a relation to
 * the end of the transaction, which must not keep others from asking.
 */
static void
lock_budget(const Budget *budget, bool lock)
{
	if (lock)
		LockDatabaseObject(RelationRelationId, sequence_oid(budget->id), 0, ExclusiveLock);
	else
		UnlockDatabaseObject(RelationRelationId, sequence_oid(budget->id), 0, ExclusiveLock);
}

static void
charge_all(List *budgets, Oid relid, int64 micro)
{
	ListCell *lc;

	/* all locks first: one that does not suffice costs nothing of the others */
	foreach (lc, budgets)
		lock_budget(lfirst(lc), true);
	foreach (lc, budgets)
		check_suffices(lfirst(lc), relid, micro);
	/* a cancel between setval and flush would only charge for nothing */
	foreach (lc, budgets)
	{
		const Budget *budget = lfirst(lc);
		DmpArgs args = {0};

		dmp_arg_oid(&args, sequence_oid(budget->id));
		dmp_arg_int8(&args, read_sequence(budget->id) + micro);
		dmp_spi_registry("SELECT pg_catalog.setval($1::pg_catalog.regclass, $2)", &args, false);
	}
	XLogFlush(XactLastRecEnd);
	foreach (lc, budgets)
		lock_budget(lfirst(lc), false);
}

static void
refuse_without_budget(Oid relid)
{
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("role \"%s\" has no privacy budget for table \"%s\"",
						   GetUserNameFromId(GetSessionUserId(), false), get_rel_name(relid)),
					errhint("The table's owner gives one with dmp.set_privacy_budget().")));
}

DmpDpPermit
dmp_dp_charge(Oid relid, int64 micro, int rows_per_subject, const char *detail)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpDpPermit permit = {InvalidOid, NULL, 0};
	List *applying = NIL;
	List *budgets;
	ListCell *lc;

	PreventCommandIfReadOnly("a question that spends a privacy budget");
	PreventCommandIfParallelMode("a question that spends a privacy budget");
	dmp_spi_connect();
	/* as they are now: an old snapshot must not keep what was taken away */
	PushActiveSnapshot(GetLatestSnapshot());
	budgets = budgets_of(relid, caller);
	PopActiveSnapshot();
	foreach (lc, budgets)
	{
		Budget *budget = lfirst(lc);

		if (!OidIsValid(budget->role) ||
			!is_member_of_role_nosuper(GetSessionUserId(), budget->role))
			continue;
		if (budget->new)
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("the privacy budget was set in this transaction"),
							errdetail("Its rollback would give back what was spent."),
							errhint("Commit first.")));
		applying = lappend(applying, budget);
		permit.subject = budget->subject;
		permit.delta =
			list_length(applying) == 1 ? budget->delta : Min(permit.delta, budget->delta);
	}
	if (applying == NIL)
		refuse_without_budget(relid);
	if (permit.subject == NULL && rows_per_subject > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("rows_per_subject is for budgets with a subject"),
						errdetail("The budget for table \"%s\" takes a row for a person.",
								  get_rel_name(relid))));
	charge_all(applying, relid, micro);
	dmp_spi_finish();
	dmp_audit_event(relid, 'B', detail);
	{
		Relation rel = RelationIdGetRelation(relid);

		if (!RelationIsValid(rel))
			elog(ERROR, "could not open relation with OID %u", relid);
		permit.owner = rel->rd_rel->relowner;
		RelationClose(rel);
	}
	return permit;
}

/* -------------------------------------------------- set_privacy_budget */

/* the person a row is about must be told apart, and be the same for every role */
static void
check_subject(Oid relid, const char *subject, int64 own_id, List *budgets)
{
	ListCell *lc;

	if (subject != NULL)
	{
		Relation rel = RelationIdGetRelation(relid);
		TupleDesc desc = RelationGetDescr(rel);
		AttrNumber attnum = dmp_column_number(desc, subject, "subject: ");
		Oid type = TupleDescAttr(desc, attnum - 1)->atttypid;

		RelationClose(rel);
		if (!OidIsValid(lookup_type_cache(type, TYPECACHE_LT_OPR)->lt_opr))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("subject: column \"%s\" is of type %s, which has no order",
								   subject, format_type_be(type))));
	}
	foreach (lc, budgets)
	{
		const Budget *other = lfirst(lc);

		if (other->id != own_id &&
			strcmp(other->subject ? other->subject : "", subject ? subject : "") != 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the budgets of a table must be about the same subject"),
							other->subject
								? errdetail("That of role \"%s\" is about \"%s\".",
											GetUserNameFromId(other->role, true), other->subject)
								: errdetail("That of role \"%s\" takes a row for a person.",
											GetUserNameFromId(other->role, true))));
	}
}

static void
check_table(Oid relid)
{
	char kind = get_rel_relkind(relid);

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table", get_rel_name(relid)),
						errdetail("A privacy budget is of a table: another view of the same rows "
								  "must not be a second budget.")));
	if (get_rel_relispartition(relid))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is a partition", get_rel_name(relid)),
						errhint("Set the budget on the table it is a partition of.")));
}

/* delta as given: a probability, best far below one in the number of persons */
static double
check_delta(Datum delta)
{
	double value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, delta));

	if (!(value > 0 && value <= 0.01))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("delta must be above 0 and at most 0.01")));
	return value;
}

/* epsilon 0 takes the budget away; what was spent is kept */
static int64
granted_micro(Datum epsilon)
{
	if (DatumGetBool(
			DirectFunctionCall2(numeric_eq, epsilon, DirectFunctionCall1(int4_numeric, 0))))
		return 0;
	return dmp_dp_micro(epsilon, DMP_DP_MAX_BUDGET);
}

static void
make_sequence(int64 id)
{
	ObjectAddress sequence;
	ObjectAddress extension;

	dmp_spi_registry(
		psprintf("CREATE SEQUENCE dmp_internal.%s MINVALUE 0 START WITH 0", sequence_name(id)),
		NULL, false);
	CommandCounterIncrement();
	ObjectAddressSet(sequence, RelationRelationId, sequence_oid(id));
	ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid("dmp", false));
	/* not a member, which a dump would leave out: dropped with it */
	recordDependencyOn(&sequence, &extension, DEPENDENCY_AUTO_EXTENSION);
}

static void
warn_if_readable(Oid relid, Oid role)
{
	if (pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK)
		ereport(WARNING, (errmsg("role \"%s\" may read table \"%s\" itself",
								 GetUserNameFromId(role, false), get_rel_name(relid)),
						  errhint("A privacy budget protects what cannot be read without it.")));
}

/*
 * dmp.set_privacy_budget(rel, role, epsilon, subject, delta) -> (relation,
 * role, epsilon, spent, subject, delta). Nothing when rel, role or epsilon is
 * NULL. Again: another epsilon or delta, what was spent stays spent.
 */
Datum
dmp_set_privacy_budget(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid relid = PG_GETARG_OID(0);
	char *role_name;
	Oid role;
	int64 micro;
	char *subject = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	double delta;
	List *budgets;
	ListCell *lc;
	int64 id = 0;
	DmpArgs args = {0};
	Datum values[6] = {0};
	bool nulls[6] = {false};

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(4))
		return (Datum) 0;
	PreventCommandIfReadOnly("dmp.set_privacy_budget()");
	LockRelationOid(relid, AccessShareLock);
	if (get_rel_name(relid) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	dmp_check_table_owner(relid);
	check_table(relid);
	role_name = NameStr(*PG_GETARG_NAME(1));
	role = get_role_oid(role_name, false);
	micro = granted_micro(PG_GETARG_DATUM(2));
	delta = check_delta(PG_GETARG_DATUM(4));

	dmp_spi_connect();
	/* one at a time: subjects are compared with those of other roles */
	dmp_spi_registry("LOCK TABLE dmp_internal.privacy_budget IN SHARE ROW EXCLUSIVE MODE", NULL,
					 false);
	budgets = budgets_of(relid, caller);
	foreach (lc, budgets)
		if (((Budget *) lfirst(lc))->role == role)
			id = ((Budget *) lfirst(lc))->id;
	check_subject(relid, subject, id, budgets);
	dmp_arg_oid(&args, relid);
	dmp_arg_oid(&args, role);
	dmp_arg_int8(&args, micro);
	dmp_arg_text(&args, subject);
	dmp_arg_float8(&args, delta);
	dmp_arg_oid(&args, GetUserId());
	dmp_arg_int8(&args, id);
	if (id != 0)
		dmp_spi_registry("UPDATE dmp_internal.privacy_budget SET epsilon = $3, subject = $4, "
						 "delta = $5, set_by = $6, set_at = pg_catalog.now() "
						 "WHERE id = $7 AND $1 IS NOT NULL AND $2 IS NOT NULL",
						 &args, false);
	else
	{
		dmp_spi_registry("INSERT INTO dmp_internal.privacy_budget (relation, role, epsilon, "
						 "subject, delta, set_by) SELECT $1, $2, $3, $4, $5, $6 WHERE $7 = 0 "
						 "RETURNING id",
						 &args, false);
		id = dmp_spi_int8(0, 1, 0);
		make_sequence(id);
	}
	values[3] = Int64GetDatum(read_sequence(id));
	dmp_spi_finish();
	if (micro > 0)
		warn_if_readable(relid, role);

	values[0] = ObjectIdGetDatum(relid);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = dmp_dp_from_micro(micro);
	values[3] = dmp_dp_from_micro(DatumGetInt64(values[3]));
	nulls[4] = subject == NULL;
	values[4] = subject ? CStringGetTextDatum(subject) : (Datum) 0;
	values[5] = PG_GETARG_DATUM(4);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}

/* dmp_internal.privacy_spent(budget) -> millionths; NULL for a budget the caller does not see */
Datum
dmp_privacy_spent(PG_FUNCTION_ARGS)
{
	int64 id = PG_GETARG_INT64(0);
	int64 spent = 0;
	DmpArgs args = {0};
	bool seen;

	dmp_arg_int8(&args, id);
	dmp_spi_connect();
	seen = dmp_spi("SELECT FROM dmp_internal.privacy_budget WHERE id OPERATOR(pg_catalog.=) $1",
				   &args, true) == 1;
	if (seen)
		spent = read_sequence(id);
	dmp_spi_finish();
	if (!seen)
		PG_RETURN_NULL();
	PG_RETURN_INT64(spent);
}
