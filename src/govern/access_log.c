/*-------------------------------------------------------------------------
 * access_log.c
 *		The log of protected reads: dmp.read_log = log | table | off.
 *
 * One entry for each statement a client sends and each protected table it
 * reads. `log` writes a line to the server's log at once. It needs no
 * transaction id, so it works on standbys and in read-only transactions, and
 * no ROLLBACK takes it back.
 *
 * `table` writes an entry (operation R) to the audit log. The entry is
 * written when the transaction commits: a parallel plan may write nothing,
 * and an entry written at once would vanish with its savepoint. Its number is
 * drawn from a sequence before the rows are read where that is possible (not
 * in a parallel plan). When the transaction is rolled back, its reads go to
 * the server's log instead; when the server is killed, the gap in the numbers
 * remains. A read-only transaction and a standby write nothing: there `table`
 * is `log`, and a NOTICE says so.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "govern/audit.h"
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

/* a read that waits for the end of its transaction */
typedef struct Read
{
	int64 number; /* 0: not drawn */
	Oid relid;
	char *json; /* members, without the number and braces */
} Read;

/* more than these are written before the end, and their entries go with a ROLLBACK */
#define MAX_WAITING 10000

static List *waiting;       /* in TopTransactionContext */
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

/* the members of an entry */
static char *
members(Oid relid, const DmpContext *context)
{
	StringInfoData json;
	char at[MAXDATELEN + 1];

	initStringInfo(&json);
	add_string(&json, "relation", dmp_relation_name(relid));
	add_string(&json, "session_role", GetUserNameFromId(GetSessionUserId(), true));
	add_string(&json, "role", GetUserNameFromId(GetOuterUserId(), true));
	add_string(&json, "actor", context->actor);
	add_string(&json, "tenant", context->tenant);
	add_string(&json, "purpose", context->purpose);
	add_string(&json, "request", context->request);
	add_string(&json, "statement_at",
			   JsonEncodeDateTime(at, TimestampTzGetDatum(GetCurrentStatementStartTimestamp()),
								  TIMESTAMPTZOID, NULL));
	return json.data;
}

static void
write_line(const char *what, int64 number, const char *json)
{
	if (number != 0)
		ereport(LOG_SERVER_ONLY,
				(errmsg("%s: {\"number\": " INT64_FORMAT ", %s}", what, number, json),
				 errhidestmt(true), errhidecontext(true)));
	else
		ereport(LOG_SERVER_ONLY,
				(errmsg("%s: {%s}", what, json), errhidestmt(true), errhidecontext(true)));
}

static int64
draw_number(void)
{
	return nextval_internal(
		get_relname_relid("read_number", get_namespace_oid("dmp_internal", false)), false);
}

static bool
may_write(void)
{
	return !XactReadOnly && !RecoveryInProgress();
}

/* writes what waits: entries where it may, else lines */
static void
flush(void)
{
	List *reads = waiting;
	ListCell *lc;

	waiting = NIL;
	if (reads == NIL)
		return;
	if (!may_write())
	{
		foreach (lc, reads)
		{
			Read *read = lfirst(lc);

			write_line("protected read", read->number, read->json);
		}
		return;
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach (lc, reads)
	{
		Read *read = lfirst(lc);
		Oid relid = read->relid;

		if (read->number == 0)
			read->number = draw_number();
		/* dropped since */
		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
			relid = InvalidOid;
		dmp_audit_event(relid, 'R',
						psprintf("{\"number\": " INT64_FORMAT ", %s}", read->number, read->json));
	}
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
			flush();
			break;
		case XACT_EVENT_ABORT:
			foreach (lc, waiting)
			{
				Read *read = lfirst(lc);

				write_line("protected read, rolled back", read->number, read->json);
			}
			break;
		default:
			break;
	}
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		waiting = NIL;
		noticed_hidden = noticed_no_table = false;
		logged_statement = 0;
	}
}

/* ------------------------------------------------------- a read */

static uint64
hash_context(const DmpContext *context)
{
	const char *const parts[] = {context->actor, context->tenant, context->purpose,
								 context->request};
	uint64 hash = 0;

	for (int i = 0; i < lengthof(parts); i++)
	{
		if (parts[i] != NULL)
			hash = hash_bytes_extended((const unsigned char *) parts[i], strlen(parts[i]),
									   hash + i + 1);
	}
	return hash;
}

/* whether this statement has logged the table with this context; from now on it has */
static bool
is_logged(Oid relid, const DmpContext *context)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	uint64 hash = hash_context(context);

	if (statement != logged_statement || hash != logged_context)
	{
		logged_statement = statement;
		logged_context = hash;
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

void
dmp_access_log(Oid relid, const DmpContext *context)
{
	MemoryContext before;
	Read *read;

	if (read_log == READ_LOG_OFF || is_logged(relid, context))
		return;
	if (read_log == READ_LOG_TABLE && !may_write() && !noticed_no_table)
	{
		noticed_no_table = true;
		ereport(NOTICE,
				(errmsg("protected reads of this transaction are logged by the server only"),
				 errdetail("It is read-only, and dmp.read_log is \"table\".")));
	}
	if (read_log == READ_LOG_LOG || !may_write())
	{
		write_line("protected read", 0, members(relid, context));
		return;
	}
	if (list_length(waiting) >= MAX_WAITING && !IsInParallelMode())
		flush();
	before = MemoryContextSwitchTo(TopTransactionContext);
	read = palloc0(sizeof(Read));
	read->relid = relid;
	read->json = members(relid, context);
	if (!IsInParallelMode())
		read->number = draw_number();
	waiting = lappend(waiting, read);
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
