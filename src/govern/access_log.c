/*-------------------------------------------------------------------------
 * access_log.c
 *		The log of protected reads: dmp.read_log = log | table | off.
 *
 * Each statement a client sends is one read of each protected table in it.
 * Reads are kept in groups (of one table, for one context) until their
 * transaction ends, by COMMIT, ROLLBACK or the end of the session: a
 * parallel plan may write nothing, what is written at once vanishes with its
 * savepoint, and a line for each statement costs as much as a short statement.
 *
 * `log` writes a line of the server's log for each group, with the times of
 * its statements. It needs no transaction id: it works on standbys and in
 * read-only transactions. `table` writes an entry (operation R) to the audit
 * log for each read when the transaction commits; when it is rolled back, the
 * lines `log` would write. An entry has a number, drawn from a sequence before
 * the rows are read (in a parallel plan with the commit), so that a gap is
 * left by a server that was killed. A read-only transaction and a standby
 * write no entries: there `table` is `log`, and a NOTICE says so.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "govern/audit.h"
#include "govern/context.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

typedef enum ReadLog
{
	READ_LOG_OFF,
	READ_LOG_LOG,
	READ_LOG_TABLE
} ReadLog;

static const struct config_enum_entry read_logs[] = {{"off", READ_LOG_OFF, false},
													 {"log", READ_LOG_LOG, false},
													 {"table", READ_LOG_TABLE, false},
													 {NULL, 0, false}};

static int read_log = READ_LOG_LOG;

/* reads of one table for one context that wait for the end of the transaction */
typedef struct Reads
{
	ReadLog mode;
	Oid relid;
	Oid session;
	Oid role;
	uint64 context; /* hash of it */
	char *json;     /* members all of them have */
	int n;
	int size;
	TimestampTz *at; /* of the statements */
	int64 *numbers;  /* of table: 0, not drawn */
} Reads;

/* so many reads of a group, or seconds since the first, are written before the end */
#define MAX_WAITING 1000
#define MAX_SECONDS 10

static List *waiting;       /* of Reads, in TopTransactionContext */
static bool noticed_hidden; /* in this transaction */
static bool noticed_no_table;

/* tables the statement at hand has logged */
#define MAX_LOGGED 32
static TimestampTz logged_statement;
static uint64 logged_context; /* hash of the context they were read with */
static int nlogged;
static Oid logged[MAX_LOGGED];

bool
dmp_access_first_notice(void)
{
	bool first = !noticed_hidden;

	noticed_hidden = true;
	return first;
}

/* ------------------------------------------------------- entries */

static void
add_string(StringInfo json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, "%s\"%s\": ", json->len > 0 ? ", " : "", key);
	escape_json(json, value);
}

/* the members reads of a table for a context have in common */
static char *
members(Oid relid, const DmpContext *context)
{
	StringInfoData json;

	initStringInfo(&json);
	add_string(&json, "relation", dmp_relation_name(relid));
	add_string(&json, "session_role", GetUserNameFromId(GetSessionUserId(), true));
	add_string(&json, "role", GetUserNameFromId(GetOuterUserId(), true));
	add_string(&json, "actor", context->actor);
	add_string(&json, "tenant", context->tenant);
	add_string(&json, "purpose", context->purpose);
	add_string(&json, "request", context->request);
	return json.data;
}

static void
add_time(StringInfo json, TimestampTz at)
{
	char text[MAXDATELEN + 1];

	appendStringInfo(json, "\"%s\"",
					 JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, NULL));
}

static void
write_line(const Reads *reads, bool rolled_back)
{
	StringInfoData json;
	int i;

	initStringInfo(&json);
	appendStringInfo(&json, "{%s, \"statements\": [", reads->json);
	for (i = 0; i < reads->n; i++)
	{
		appendStringInfoString(&json, i > 0 ? ", " : "");
		add_time(&json, reads->at[i]);
	}
	appendStringInfoChar(&json, ']');
	if (reads->mode == READ_LOG_TABLE)
	{
		appendStringInfoString(&json, ", \"numbers\": [");
		for (i = 0; i < reads->n; i++)
			appendStringInfo(&json, "%s" INT64_FORMAT, i > 0 ? ", " : "", reads->numbers[i]);
		appendStringInfoChar(&json, ']');
	}
	ereport(LOG_SERVER_ONLY,
			(errmsg("protected reads%s: %s}", rolled_back ? ", rolled back" : "", json.data),
			 errhidestmt(true), errhidecontext(true)));
	pfree(json.data);
}

static int64
draw_number(void)
{
	return nextval_internal(
		get_relname_relid("read_number", get_namespace_oid("dmp_internal", false)), false);
}

static void
write_entries(const Reads *reads)
{
	Oid relid = reads->relid;
	int i;

	/* dropped since */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		relid = InvalidOid;
	for (i = 0; i < reads->n; i++)
	{
		StringInfoData json;

		initStringInfo(&json);
		appendStringInfo(&json, "{\"number\": " INT64_FORMAT ", %s, \"statement_at\": ",
						 reads->numbers[i] ? reads->numbers[i] : draw_number(), reads->json);
		add_time(&json, reads->at[i]);
		appendStringInfoChar(&json, '}');
		dmp_audit_event(relid, 'R', json.data);
		pfree(json.data);
	}
}

static bool
may_write(void)
{
	return !XactReadOnly && !RecoveryInProgress();
}

/* writes what waits, while the transaction goes on or commits */
static void
flush(Reads *reads)
{
	if (reads->n == 0)
		return;
	/* the extension may have been dropped in this transaction */
	if (reads->mode == READ_LOG_TABLE && may_write() &&
		OidIsValid(get_namespace_oid("dmp_internal", true)))
		write_entries(reads);
	else
		write_line(reads, false);
	reads->n = 0;
}

static void
flush_all(void)
{
	List *all = waiting;
	ListCell *lc;

	if (all == NIL)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach (lc, all)
		flush(lfirst(lc));
	PopActiveSnapshot();
}

static void
transaction_ends(XactEvent event, void *arg)
{
	ListCell *lc;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			flush_all();
			return;
		case XACT_EVENT_ABORT:
			foreach (lc, waiting)
			{
				Reads *reads = lfirst(lc);

				if (reads->n > 0)
					write_line(reads, true);
			}
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	waiting = NIL;
	noticed_hidden = noticed_no_table = false;
	logged_statement = 0;
}

/* ------------------------------------------------------- a read */

/* whether this statement has logged the table with this context; from now on it has */
static bool
is_logged(Oid relid, uint64 context)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();

	if (statement != logged_statement || context != logged_context)
	{
		logged_statement = statement;
		logged_context = context;
		nlogged = 0;
	}
	for (int i = 0; i < nlogged; i++)
	{
		if (logged[i] == relid)
			return true;
	}
	if (nlogged < MAX_LOGGED)
		logged[nlogged++] = relid;
	return false;
}

/* the group, made when it is not there; in TopTransactionContext */
static Reads *
group_of(Oid relid, const DmpContext *context, uint64 hash, ReadLog mode)
{
	Reads *reads;
	ListCell *lc;

	foreach (lc, waiting)
	{
		reads = lfirst(lc);
		if (reads->relid == relid && reads->context == hash && reads->mode == mode &&
			reads->session == GetSessionUserId() && reads->role == GetOuterUserId())
			return reads;
	}
	reads = palloc0(sizeof(Reads));
	reads->mode = mode;
	reads->relid = relid;
	reads->session = GetSessionUserId();
	reads->role = GetOuterUserId();
	reads->context = hash;
	reads->json = members(relid, context);
	reads->size = 4;
	reads->at = palloc(reads->size * sizeof(TimestampTz));
	reads->numbers = palloc(reads->size * sizeof(int64));
	waiting = lappend(waiting, reads);
	return reads;
}

static void
add_read(Reads *reads)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	bool entries = reads->mode == READ_LOG_TABLE;

	if (!(entries && IsInParallelMode()) && reads->n > 0 &&
		(reads->n >= MAX_WAITING ||
		 (!entries && TimestampDifferenceExceeds(reads->at[0], now, MAX_SECONDS * 1000))))
		flush(reads);
	if (reads->n == reads->size)
	{
		reads->size *= 2;
		reads->at = repalloc(reads->at, reads->size * sizeof(TimestampTz));
		reads->numbers = repalloc(reads->numbers, reads->size * sizeof(int64));
	}
	reads->at[reads->n] = now;
	reads->numbers[reads->n] = entries && !IsInParallelMode() ? draw_number() : 0;
	reads->n++;
}

void
dmp_access_log(Oid relid, const DmpContext *context)
{
	MemoryContext before;
	uint64 hash;
	ReadLog mode = read_log;

	if (mode == READ_LOG_OFF)
		return;
	hash = dmp_context_hash();
	if (is_logged(relid, hash))
		return;
	if (mode == READ_LOG_TABLE && !may_write())
	{
		if (!noticed_no_table)
			ereport(NOTICE,
					(errmsg("protected reads of this transaction are logged by the server only"),
					 errdetail("It is read-only, and dmp.read_log is \"table\".")));
		noticed_no_table = true;
		mode = READ_LOG_LOG;
	}
	before = MemoryContextSwitchTo(TopTransactionContext);
	add_read(group_of(relid, context, hash, mode));
	MemoryContextSwitchTo(before);
}

void
dmp_access_log_init(void)
{
	DefineCustomEnumVariable("dmp.read_log", "Where reads of protected tables are logged.",
							 "log: the server's log; table: the audit log.", &read_log,
							 READ_LOG_LOG, read_logs, PGC_SUSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(transaction_ends, NULL);
}
