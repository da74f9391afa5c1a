/*-------------------------------------------------------------------------
 * verify_report.c
 *		What dmp.verify_audit() says: rows, runs of entries as one row, and
 *		where the content of a changed entry went.
 *
 * An entry that does not give its leaf was modified, unless its leaf is what
 * another changed entry gives at this place: then entries changed places. So
 * changed entries are kept (as many as KEPT) and tried on each other at the
 * end: within their chunk, between chunks, and whole chunks under each
 * other's numbers.
 *-------------------------------------------------------------------------
 */
#include "govern/verify.h"

#define KEPT 2000
#define KEPT_ROWS 200

void
dmp_report_init(Report *report, FunctionCallInfo fcinfo, LedgerHash *hash)
{
	memset(report, 0, sizeof(Report));
	report->fcinfo = fcinfo;
	report->hash = hash;
	report->context = CurrentMemoryContext;
	report->mismatches = palloc(sizeof(Mismatch) * KEPT);
	report->rows = palloc(sizeof(MetaCopy) * KEPT_ROWS);
}

static void
flush(Report *report)
{
	Datum values[4];
	bool nulls[4] = {false, false, false, false};
	StringInfoData detail;

	if (!report->pending)
		return;
	report->pending = false;
	initStringInfo(&detail);
	if (report->last > report->first)
		appendStringInfo(&detail, "entries " INT64_FORMAT " to " INT64_FORMAT "%s", report->first,
						 report->last, report->detail ? ": " : "");
	if (report->detail)
		appendStringInfoString(&detail, report->detail);
	values[0] = Int64GetDatum(report->block);
	nulls[0] = report->block == 0;
	values[1] = Int64GetDatum(report->first);
	nulls[1] = report->first < 0;
	values[2] = CStringGetTextDatum(report->status);
	values[3] = CStringGetTextDatum(detail.data);
	nulls[3] = detail.len == 0;
	dmp_srf_row(report->fcinfo, values, nulls);
	pfree(detail.data);
	if (report->detail)
		pfree(report->detail);
	report->detail = NULL;
}

static bool
is_bad(const char *status)
{
	return strcmp(status, "ok") != 0 && strcmp(status, "unsealed") != 0 &&
		   strcmp(status, "redacted") != 0 && strcmp(status, "dropped") != 0;
}

void
dmp_report(Report *report, int64 block, int64 entry, const char *status, const char *detail)
{
	if (is_bad(status))
		report->bad++;
	if (report->pending && entry >= 0 && report->block == block && report->last + 1 == entry &&
		strcmp(report->status, status) == 0 &&
		(detail == NULL ? report->detail == NULL
						: report->detail != NULL && strcmp(report->detail, detail) == 0))
	{
		report->last = entry;
		return;
	}
	flush(report);
	report->pending = true;
	report->block = block;
	report->first = report->last = entry;
	report->status = status;
	report->detail = detail ? MemoryContextStrdup(report->context, detail) : NULL;
}

void
dmp_report_range(Report *report, int64 block, int64 chunk, int32 place, int32 n, const char *status,
				 const char *detail)
{
	if (n <= 0)
		return;
	dmp_report(report, block, chunk * DMP_CHUNK_ENTRIES + place, status, detail);
	report->last += n - 1;
}

void
dmp_report_mismatch(Report *report, int64 block, int64 chunk, int32 place,
					const unsigned char *leaf, const unsigned char *meta,
					const unsigned char *inner)
{
	Mismatch *m;

	if (report->nmismatches == KEPT)
	{
		dmp_report(report, block, chunk * DMP_CHUNK_ENTRIES + place, "modified", NULL);
		return;
	}
	m = &report->mismatches[report->nmismatches++];
	m->block = block;
	m->chunk = chunk;
	m->place = place;
	memcpy(m->leaf, leaf, DMP_HASH);
	memcpy(m->meta, meta, DMP_HASH);
	memcpy(m->inner, inner, DMP_HASH);
	if (report->nrows > 0 && report->rows[report->nrows - 1].chunk == chunk)
		m->row = report->nrows - 1;
	else if (report->nrows < KEPT_ROWS)
	{
		MetaCopy *copy = &report->rows[report->nrows];

		copy->chunk = chunk;
		copy->length = report->hash->meta.len;
		copy->bytes = MemoryContextAlloc(report->context, copy->length);
		memcpy(copy->bytes, report->hash->meta.data, copy->length);
		m->row = report->nrows++;
	}
	else
		m->row = -1;
}

/* whether actual, with this meta, is what was sealed as m */
static bool
gives(Report *report, const Mismatch *m, const unsigned char *meta, const Mismatch *actual)
{
	unsigned char leaf[DMP_HASH];

	dmp_ledger_leaf(report->hash, meta, m->place, actual->inner, leaf);
	return memcmp(leaf, m->leaf, DMP_HASH) == 0;
}

/* the entry that now holds what was sealed as m; -1: none */
static int
find_moved(Report *report, const Mismatch *m, bool *as_row)
{
	unsigned char meta[DMP_HASH];
	int i, row = -1;

	*as_row = false;
	for (i = 0; i < report->nmismatches; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (gives(report, m, m->meta, &report->mismatches[i]))
			return i;
	}
	/* a row under another's number keeps the places of its entries */
	*as_row = true;
	for (i = 0; i < report->nmismatches; i++)
	{
		const Mismatch *actual = &report->mismatches[i];

		CHECK_FOR_INTERRUPTS();
		if (actual->row < 0 || actual->place != m->place || actual->chunk == m->chunk)
			continue;
		if (actual->row != row)
		{
			MetaCopy *copy = &report->rows[actual->row];
			int j;

			row = actual->row;
			for (j = 0; j < 8; j++)
				copy->bytes[j] = (unsigned char) ((uint64) m->chunk >> 8 * j);
			dmp_ledger_sha(report->hash, copy->bytes, copy->length, meta);
		}
		if (gives(report, m, meta, actual))
			return i;
	}
	return -1;
}

void
dmp_report_finish(Report *report)
{
	int i;

	for (i = 0; i < report->nmismatches; i++)
	{
		const Mismatch *m = &report->mismatches[i];
		bool as_row;
		int at = find_moved(report, m, &as_row);
		int64 entry = m->chunk * DMP_CHUNK_ENTRIES + m->place;

		if (at < 0)
			dmp_report(report, m->block, entry, "modified", NULL);
		else if (as_row)
			dmp_report(
				report, m->block, entry, "reordered",
				psprintf("its chunk has the number " INT64_FORMAT, report->mismatches[at].chunk));
		else
			dmp_report(report, m->block, entry, "reordered",
					   psprintf("what was sealed here is now entry " INT64_FORMAT,
								report->mismatches[at].chunk * DMP_CHUNK_ENTRIES +
									report->mismatches[at].place));
	}
	flush(report);
}
