/*-------------------------------------------------------------------------
 * cache.c
 *		Models a backend has read from the registry, by reference.
 *
 * An entry is good while dmp_registry_generation() stands still. It is read
 * with the latest snapshot, not the statement's: an older one would put a
 * model into the cache after the message that it is no longer the champion
 * has been taken note of. Where that cannot be had (parallel plans, repeatable
 * read) the model is read with the active snapshot and belongs to its holder
 * alone.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/xact.h"
#include "score/score.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define REF_LENGTH 192 /* longer references are not kept */
#define MAX_ENTRIES 256

typedef struct CacheEntry
{
	char ref[REF_LENGTH];
	DmpCachedModel *model;
} CacheEntry;

static HTAB *cache = NULL;

static void
free_if_unused(DmpCachedModel *cached)
{
	if (!cached->cached && cached->holders == 0)
		MemoryContextDelete(cached->model->context);
}

static void
let_go(void *arg)
{
	DmpCachedModel *cached = arg;

	cached->holders--;
	free_if_unused(cached);
}

static DmpCachedModel *
read_model(const char *ref, bool latest, bool missing_ok)
{
	uint64 generation = dmp_registry_generation();
	DmpModelRow *row;
	DmpModel *model;
	DmpCachedModel *cached;

	if (latest)
		PushActiveSnapshot(GetLatestSnapshot());
	row = dmp_model_find(ref, missing_ok);
	if (latest)
		PopActiveSnapshot();
	if (row == NULL)
		return NULL;
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	MemoryContextSetParent(model->context, TopMemoryContext);
	cached = MemoryContextAllocZero(model->context, sizeof(DmpCachedModel));
	cached->model = model;
	cached->name = MemoryContextStrdup(model->context, row->name);
	cached->version = row->version;
	cached->owner = row->owner;
	cached->generation = generation;
	return cached;
}

/* Makes room: entries that are out of date, or all of them. */
static void
sweep(bool all)
{
	HASH_SEQ_STATUS status;
	CacheEntry *entry;

	hash_seq_init(&status, cache);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!all && entry->model->generation == dmp_registry_generation())
			continue;
		entry->model->cached = false;
		free_if_unused(entry->model);
		hash_search(cache, entry->ref, HASH_REMOVE, NULL);
	}
}

static DmpCachedModel *
find_model(const char *ref, bool missing_ok)
{
	DmpCachedModel *cached;
	CacheEntry *entry;

	if (IsInParallelMode() || IsolationUsesXactSnapshot() || strlen(ref) >= REF_LENGTH)
		return read_model(ref, false, missing_ok);
	if (cache == NULL)
	{
		HASHCTL control = {0};

		control.keysize = REF_LENGTH;
		control.entrysize = sizeof(CacheEntry);
		cache = hash_create("dmp models", 16, &control, HASH_ELEM | HASH_STRINGS);
	}
	entry = hash_search(cache, ref, HASH_FIND, NULL);
	if (entry != NULL && entry->model->generation == dmp_registry_generation())
	{
		if (missing_ok && !dmp_model_may_use(entry->model->name, entry->model->owner))
			return NULL;
		dmp_model_check_use(entry->model->name, entry->model->owner);
		return entry->model;
	}
	cached = read_model(ref, true, missing_ok);
	if (cached == NULL)
		return NULL;
	sweep(hash_get_num_entries(cache) >= MAX_ENTRIES);
	entry = hash_search(cache, ref, HASH_ENTER, NULL);
	entry->model = cached;
	cached->cached = true;
	return cached;
}

DmpCachedModel *
dmp_model_hold(const char *ref, MemoryContext holder, bool missing_ok)
{
	MemoryContextCallback *callback = MemoryContextAlloc(holder, sizeof(MemoryContextCallback));
	DmpCachedModel *cached = find_model(ref, missing_ok);

	if (cached == NULL)
		return NULL;
	cached->holders++;
	callback->func = let_go;
	callback->arg = cached;
	MemoryContextRegisterResetCallback(holder, callback);
	return cached;
}
