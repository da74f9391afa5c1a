/*-------------------------------------------------------------------------
 * scan_dictionary.c
 *		Codes of the values of a text feature, given as they are met.
 *
 * Open addressing over an array of levels. Values match by their bytes. A
 * dictionary is bounded: a text feature is one of few values, and one that is
 * not should be said to be something else.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"

#include "math/hash.h"
#include "utils/memutils.h"

#define MAX_LEVELS 65536

void
dmp_dictionary_init(DmpDictionary *d)
{
	memset(d, 0, sizeof(*d));
	d->room = 16;
	d->nslots = 32;
	d->levels = palloc(sizeof(DmpLevelStats) * d->room);
	d->slots = palloc(sizeof(int32) * d->nslots);
	memset(d->slots, -1, sizeof(int32) * d->nslots);
	d->bytes = sizeof(DmpLevelStats) * d->room + sizeof(int32) * d->nslots;
}

static void
grow(DmpDictionary *d)
{
	int i;

	d->room *= 2;
	d->nslots *= 2;
	d->levels = repalloc(d->levels, sizeof(DmpLevelStats) * d->room);
	pfree(d->slots);
	d->slots = MemoryContextAlloc(GetMemoryChunkContext(d->levels), sizeof(int32) * d->nslots);
	memset(d->slots, -1, sizeof(int32) * d->nslots);
	for (i = 0; i < d->n; i++)
	{
		uint32 at = d->levels[i].hash & (d->nslots - 1);

		while (d->slots[at] >= 0)
			at = (at + 1) & (d->nslots - 1);
		d->slots[at] = i;
	}
	d->bytes += sizeof(DmpLevelStats) * d->room / 2 + sizeof(int32) * d->nslots / 2;
}

/*
 * Code of a value; unknown ones are added (in the memory of the dictionary) or
 * give -1; -2 when the dictionary is full.
 */
int
dmp_dictionary_code(DmpDictionary *d, const char *text, Size length, bool add)
{
	uint64 hash = dmp_hash_bytes(text, length, 0);
	uint32 at = hash & (d->nslots - 1);
	DmpLevelStats *level;

	for (; d->slots[at] >= 0; at = (at + 1) & (d->nslots - 1))
	{
		level = &d->levels[d->slots[at]];
		if (level->hash == hash && level->length == length &&
			memcmp(level->text, text, length) == 0)
			return d->slots[at];
	}
	if (!add)
		return -1;
	if (d->n >= MAX_LEVELS)
		return -2;
	if (d->n == d->room)
	{
		grow(d);
		at = hash & (d->nslots - 1);
		while (d->slots[at] >= 0)
			at = (at + 1) & (d->nslots - 1);
	}
	level = &d->levels[d->n];
	memset(level, 0, sizeof(*level));
	level->text = MemoryContextAlloc(GetMemoryChunkContext(d->levels), length + 1);
	memcpy(level->text, text, length);
	level->text[length] = '\0';
	level->length = length;
	level->hash = hash;
	d->slots[at] = d->n;
	d->bytes += length + 1;
	return d->n++;
}
