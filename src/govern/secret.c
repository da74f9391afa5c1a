/*-------------------------------------------------------------------------
 * secret.c
 *		Keys: dmp.secret, dmp.export_key, dmp.import_key; HMAC under them.
 *
 * A key is 32 bytes of pg_strong_random in a table without grants. It is read
 * by a scan of the table under a fresh snapshot, not by SPI under that of the
 * statement: two sessions that use a key for the first time must agree on
 * it, whatever their isolation level, and a worker of a parallel plan has no
 * other snapshot to ask for. Making one takes a lock that lets readers pass.
 *
 * The session's copies are dropped when a trigger on the table says that some
 * key changed, by an invalidation of the relation cache: it reaches other
 * sessions at commit, this one at the end of the command, and comes again when
 * the transaction rolls back, so that no key outlives the transaction that
 * never made it.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"
#include "govern/secret.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/sha2.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dmp_secret_changed);
PG_FUNCTION_INFO_V1(dmp_export_key);
PG_FUNCTION_INFO_V1(dmp_import_key);
PG_FUNCTION_INFO_V1(dmp_make_secret);

/* columns of dmp.secret */
#define SECRET_NAME 1
#define SECRET_KEY 2

typedef struct CachedKey
{
	struct CachedKey *next;
	uint8 key[DMP_KEY_BYTES];
	char name[FLEXIBLE_ARRAY_MEMBER];
} CachedKey;

static CachedKey *cached_keys;
static Oid secret_relid = InvalidOid;

/* --------------------------------------------------------------- cache */

static void
forget_keys(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && OidIsValid(secret_relid) && relid != secret_relid)
		return;
	while (cached_keys != NULL)
	{
		CachedKey *next = cached_keys->next;

		explicit_bzero(cached_keys->key, DMP_KEY_BYTES);
		pfree(cached_keys);
		cached_keys = next;
	}
	if (!OidIsValid(relid))
		secret_relid = InvalidOid; /* the extension may have been made anew */
}

void
dmp_secret_init(void)
{
	CacheRegisterRelcacheCallback(forget_keys, (Datum) 0);
}

static Oid
secret_table(void)
{
	if (!OidIsValid(secret_relid))
		secret_relid = get_relname_relid("secret", get_namespace_oid("dmp", false));
	if (!OidIsValid(secret_relid))
		elog(ERROR, "table dmp.secret does not exist");
	return secret_relid;
}

/* trigger of dmp.secret, a statement each */
Datum
dmp_secret_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("secret_changed must be called as a trigger")));
	CacheInvalidateRelcacheByRelid(secret_table());
	return PointerGetDatum(NULL);
}

/* ---------------------------------------------------------------- keys */

/* false: there is none of that name */
static bool
read_key(const char *name, uint8 key[DMP_KEY_BYTES])
{
	Relation rel = table_open(secret_table(), AccessShareLock);
	SysScanDesc scan;
	ScanKeyData by_name;
	HeapTuple tuple;
	bool found;

	/* a scan of the heap: there are a handful of keys */
	ScanKeyInit(&by_name, SECRET_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &by_name);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool isnull;
		Datum value = heap_getattr(tuple, SECRET_KEY, RelationGetDescr(rel), &isnull);
		bytea *bytes = isnull ? NULL : DatumGetByteaPP(value);

		if (bytes == NULL || VARSIZE_ANY_EXHDR(bytes) != DMP_KEY_BYTES)
			elog(ERROR, "key \"%s\" is damaged", name);
		memcpy(key, VARDATA_ANY(bytes), DMP_KEY_BYTES);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static void
write_key(const char *name, const uint8 key[DMP_KEY_BYTES])
{
	DmpArgs args = {0};
	bytea *bytes = palloc(VARHDRSZ + DMP_KEY_BYTES);

	SET_VARSIZE(bytes, VARHDRSZ + DMP_KEY_BYTES);
	memcpy(VARDATA(bytes), key, DMP_KEY_BYTES);
	dmp_arg_text(&args, name);
	dmp_arg(&args, BYTEAOID, PointerGetDatum(bytes), false);
	dmp_spi_connect();
	dmp_spi_registry("INSERT INTO dmp.secret (name, key) VALUES ($1, $2) "
					 "ON CONFLICT (name) DO UPDATE SET key = excluded.key, "
					 "made_at = pg_catalog.clock_timestamp()",
					 &args, false);
	dmp_spi_finish();
	CommandCounterIncrement();
	explicit_bzero(VARDATA(bytes), DMP_KEY_BYTES);
}

static void
make_key(const char *name, uint8 key[DMP_KEY_BYTES])
{
	if (XactReadOnly || IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("secret \"%s\" does not exist yet", name),
				 errdetail(XactReadOnly ? "It is made on first use, not in a read-only transaction."
										: "It is made on first use, not in a parallel plan."),
				 errhint("A superuser can make it with dmp.import_key().")));
	/* one maker at a time, to the end of its transaction; who reads is not in the way */
	LockRelationOid(secret_table(), ShareRowExclusiveLock);
	if (read_key(name, key))
		return;
	dmp_strong_random(key, DMP_KEY_BYTES);
	write_key(name, key);
}

void
dmp_secret(const char *name, uint8 key[DMP_KEY_BYTES])
{
	CachedKey *cached;

	/*
	 * A session that calls this in a loop within one statement hears of changes
	 * at the next lock it takes, as with anything that is cached.
	 */
	for (cached = cached_keys; cached != NULL; cached = cached->next)
	{
		if (strcmp(cached->name, name) == 0)
		{
			memcpy(key, cached->key, DMP_KEY_BYTES);
			return;
		}
	}
	if (!read_key(name, key))
		make_key(name, key);
	cached = MemoryContextAlloc(TopMemoryContext, offsetof(CachedKey, name) + strlen(name) + 1);
	strcpy(cached->name, name);
	memcpy(cached->key, key, DMP_KEY_BYTES);
	cached->next = cached_keys;
	cached_keys = cached;
}

void
dmp_strong_random(void *bytes, size_t length)
{
	if (!pg_strong_random(bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("the system gives no random bytes")));
}

/* ---------------------------------------------------------------- HMAC */

static void
hmac_failed(pg_hmac_ctx *hmac)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR), errmsg("HMAC-SHA-256: %s", pg_hmac_error(hmac))));
}

pg_hmac_ctx *
dmp_hmac_make(void)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);

	if (hmac == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return hmac;
}

void
dmp_hmac_begin(pg_hmac_ctx *hmac, const uint8 key[DMP_KEY_BYTES])
{
	if (pg_hmac_init(hmac, key, DMP_KEY_BYTES) < 0)
		hmac_failed(hmac);
}

void
dmp_hmac_add(pg_hmac_ctx *hmac, const void *bytes, size_t length)
{
	if (pg_hmac_update(hmac, bytes, length) < 0)
		hmac_failed(hmac);
}

void
dmp_hmac_add_text(pg_hmac_ctx *hmac, const char *text, size_t length)
{
	uint8 bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (uint8) ((uint64) length >> (8 * i));
	dmp_hmac_add(hmac, bytes, sizeof(bytes));
	dmp_hmac_add(hmac, text, length);
}

void
dmp_hmac_end(pg_hmac_ctx *hmac, uint8 out[DMP_KEY_BYTES])
{
	StaticAssertStmt(PG_SHA256_DIGEST_LENGTH == DMP_KEY_BYTES, "a digest makes a key");
	if (pg_hmac_final(hmac, out, DMP_KEY_BYTES) < 0)
		hmac_failed(hmac);
}

/* ----------------------------------------------------------- functions */

static void
check_superuser(const char *act)
{
	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be superuser to %s a key", act)));
}

static List *
names_of_keys(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List *names = NIL;
	uint64 n;

	dmp_spi_connect();
	n = dmp_spi_registry("SELECT name FROM dmp.secret ORDER BY name", NULL, true);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		names = lappend(names, dmp_spi_text(i, 1));
		MemoryContextSwitchTo(old);
	}
	dmp_spi_finish();
	return names;
}

/* dmp.export_key(name) -> bytea; an error when there is none of that name */
Datum
dmp_export_key(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	uint8 key[DMP_KEY_BYTES];
	bytea *bytes;

	check_superuser("export");
	if (!read_key(name, key))
	{
		List *names = names_of_keys();

		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("key \"%s\" does not exist", name),
				 names ? errdetail("Keys: %s.", dmp_join(names, ", ")) : 0,
				 dmp_errhint_nearest(name, names)));
	}
	bytes = palloc(VARHDRSZ + DMP_KEY_BYTES);
	SET_VARSIZE(bytes, VARHDRSZ + DMP_KEY_BYTES);
	memcpy(VARDATA(bytes), key, DMP_KEY_BYTES);
	PG_RETURN_BYTEA_P(bytes);
}

/* dmp.import_key(name, key) -> (name, action): 'made', 'replaced' or 'kept' when it was that key */
Datum
dmp_import_key(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bytea *bytes = PG_GETARG_BYTEA_PP(1);
	uint8 before[DMP_KEY_BYTES];
	const char *action;
	Datum values[2];
	bool nulls[2] = {false, false};

	check_superuser("import");
	if (VARSIZE_ANY_EXHDR(bytes) != DMP_KEY_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a key has %d bytes, not %d", DMP_KEY_BYTES,
							   (int) VARSIZE_ANY_EXHDR(bytes))));
	if (*name == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a key must have a name")));
	PreventCommandIfReadOnly("dmp.import_key()");
	LockRelationOid(secret_table(), ShareRowExclusiveLock);
	if (!read_key(name, before))
		action = "made";
	else if (memcmp(before, VARDATA_ANY(bytes), DMP_KEY_BYTES) == 0)
		action = "kept";
	else
		action = "replaced";
	if (strcmp(action, "kept") != 0)
		write_key(name, (const uint8 *) VARDATA_ANY(bytes));
	dmp_srf_begin(fcinfo);
	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(action);
	dmp_srf_row(fcinfo, values, nulls);
	return (Datum) 0;
}

/* dmp_internal.make_secret(name): for the install script */
Datum
dmp_make_secret(PG_FUNCTION_ARGS)
{
	uint8 key[DMP_KEY_BYTES];

	check_superuser("make");
	dmp_secret(text_to_cstring(PG_GETARG_TEXT_PP(0)), key);
	PG_RETURN_VOID();
}
