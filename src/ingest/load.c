/*-------------------------------------------------------------------------
 * load.c
 *		dmp.load_file: a file of the server's machine into a lake table.
 *
 * The file is read twice: once for its hash, which says whether it was taken
 * before, once for its records. Records that are no valid text of the
 * database's encoding cannot be a row of the lake; they go to quarantine as
 * bytes. All else goes to the lake as it is, whatever it is.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"
#include "ingest/split.h"

#include <sys/stat.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_load_file);

#define CHUNK (256 * 1024)
/* records are inserted so many, or so many bytes, at a time: within work_mem as it comes */
#define LOAD_ROWS 8192
#define LOAD_BYTES (2 * 1024 * 1024)

typedef struct Load
{
	const DmpSource *source;
	DmpQuarantine *quarantine;
	DmpLoaded result;
	const char *path;
	DmpSplit *split;
	int encoding; /* of the file */
	MemoryContext row_context;
	SPIPlanPtr insert;
	TupleDesc desc;
	Tuplestorestate *rows;
	int64 n;
	int64 bytes;
} Load;

static void
check_rights(void)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to read a file of the server"),
						errdetail("Only members of the role \"pg_read_server_files\" may."),
						errhint("Load a file of your own machine with \\copy; dmp.sources shows "
								"the line.")));
}

static FILE *
open_file(const char *path)
{
	FILE *file = AllocateFile(path, PG_BINARY_R);
	struct stat st;

	if (file == NULL)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
	if (fstat(fileno(file), &st) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not stat file \"%s\": %m", path)));
	if (!S_ISREG(st.st_mode))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not an ordinary file", path)));
	return file;
}

/*
 * Reads the file from its start and tells each chunk. Returns its SHA-256 in
 * hexadecimal.
 */
static char *
read_file(FILE *file, const char *path, DmpSplit *split, int64 *bytes)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	char *buffer = palloc(CHUNK);
	char *hex = palloc(PG_SHA256_DIGEST_LENGTH * 2 + 1);
	size_t n;

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not start a hash");
	*bytes = 0;
	rewind(file);
	while ((n = fread(buffer, 1, CHUNK, file)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (pg_cryptohash_update(hash, (uint8 *) buffer, n) < 0)
			elog(ERROR, "could not update a hash");
		if (split != NULL)
		{
			dmp_split_feed(split, buffer, n);
			if (dmp_split_is_utf16(split))
				ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
								errmsg("file \"%s\" is in UTF-16", path),
								errhint("Convert it first: iconv -f UTF-16 -t UTF-8.")));
		}
		*bytes += n;
	}
	if (ferror(file))
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", path)));
	if (split != NULL)
		dmp_split_end(split);
	if (pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not finish a hash");
	pg_cryptohash_free(hash);
	for (int i = 0; i < PG_SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	pfree(buffer);
	return hex;
}

/*
 * The batch that brought these bytes to the source before, or 0. Of two that
 * load the same file at once, the second waits for the first.
 */
static int64
taken_before(const DmpSource *source, const char *hash)
{
	DmpArgs lock = {0};
	DmpArgs args = {0};

	dmp_arg_text(&lock, psprintf("dmp load %d %s", source->id, hash));
	dmp_spi_registry("SELECT pg_catalog.pg_advisory_xact_lock("
					 "pg_catalog.hashtextextended($1, 0))",
					 &lock, false);
	dmp_arg_text(&args, source->name);
	dmp_arg_text(&args, hash);
	dmp_arg_oid(&args, source->lake);
	if (dmp_spi_registry("SELECT id FROM dmp_internal.batch WHERE source = $1"
						 " AND content_hash = $2 AND kind = 'load' AND state = 'done'"
						 " AND into_table::oid = $3 ORDER BY id LIMIT 1",
						 &args, false) == 0)
		return 0;
	return dmp_spi_int8(0, 1, 0);
}

static void
flush(Load *load)
{
	Datum values[2];

	if (load->n > 0)
	{
		values[0] = Int64GetDatum(load->result.batch);
		values[1] = CStringGetTextDatum(load->path);
		dmp_register_rows("dmp_lines", load->desc, load->rows, load->n);
		if (SPI_execute_plan(load->insert, values, NULL, false, 0) != SPI_OK_INSERT)
			elog(ERROR, "could not insert into the lake");
		SPI_unregister_relation("dmp_lines");
		load->result.rows_loaded += load->n;
	}
	tuplestore_clear(load->rows);
	load->n = 0;
	load->bytes = 0;
}

/*
 * The record as text of the database, or false when it is none. A file is
 * UTF-8, whatever the database is, unless the source says what it is.
 */
static bool
server_text(Load *load, const char *record, size_t length, const char **text, size_t *text_length)
{
	int encoding = GetDatabaseEncoding();
	int from = load->encoding;
	Size space = (Size) length * MAX_CONVERSION_GROWTH + 1;
	unsigned char *converted;
	Oid proc;
	size_t ascii = 0;

	*text = record;
	*text_length = length;
	if (encoding == from || encoding == PG_SQL_ASCII || from == PG_SQL_ASCII)
		return pg_verify_mbstr(encoding, record, (int) length, true);
	while (ascii < length && !IS_HIGHBIT_SET(record[ascii]))
		ascii++;
	if (ascii == length)
		return true;
	proc = FindDefaultConversionProc(from, encoding);
	if (!OidIsValid(proc) || pg_encoding_verifymbstr(from, record, (int) length) != (int) length)
		return false;
	converted = MemoryContextAllocHuge(load->row_context, space);
	if (pg_do_encoding_conversion_buf(proc, from, encoding, (unsigned char *) record, (int) length,
									  converted, (int) space, true) != (int) length)
		return false;
	*text = (const char *) converted;
	*text_length = strlen(*text);
	return true;
}

/* a record of the file */
static void
load_record(void *arg, const char *record, size_t length, int64 full_length, int64 line_no)
{
	Load *load = arg;
	MemoryContext old = MemoryContextSwitchTo(load->row_context);
	bool nul = memchr(record, '\0', length) != NULL;
	const char *text = record;
	size_t text_length = length;
	DmpRejected why = {0};

	if (load->encoding != PG_UTF8 && dmp_split_is_marked(load->split))
	{
		ereport(NOTICE, (errmsg("file \"%s\" is marked as UTF-8 and is read as such, not as %s",
								load->path, pg_encoding_to_char(load->encoding))));
		load->encoding = PG_UTF8;
	}
	if (nul || full_length > 0 || !server_text(load, record, length, &text, &text_length))
	{
		why.record = record;
		why.raw = true;
		why.length = (int64) length;
		why.full_length = full_length;
		why.line_no = line_no;
		why.origin = load->path;
		why.reason = full_length > 0 ? "the record is longer than 256 MB"
					 : nul           ? "the record has a zero byte"
									 : "the record is not valid text in the encoding of the file";
		why.sqlstate = full_length > 0 ? "54000" : "22021";
		dmp_quarantine_add(load->quarantine, &why);
		load->result.rows_quarantined++;
	}
	else
	{
		Datum values[2];
		bool nulls[2] = {false, false};

		values[0] = Int64GetDatum(line_no);
		values[1] = PointerGetDatum(cstring_to_text_with_len(text, (int) text_length));
		tuplestore_putvalues(load->rows, load->desc, values, nulls);
		load->n++;
		load->bytes += (int64) text_length;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(load->row_context);
	if (load->n >= LOAD_ROWS || load->bytes >= LOAD_BYTES)
	{
		flush(load);
		dmp_progress("load: %lld records", (long long) load->result.rows_loaded);
	}
}

static void
prepare_load(Load *load)
{
	static Oid types[2] = {INT8OID, TEXTOID};

	load->desc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(load->desc, 1, "line_no", INT8OID, -1, 0);
	TupleDescInitEntry(load->desc, 2, "line", TEXTOID, -1, 0);
	load->rows = tuplestore_begin_heap(false, false, work_mem);
	load->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp load row", ALLOCSET_DEFAULT_SIZES);
	dmp_register_rows("dmp_lines", load->desc, load->rows, LOAD_ROWS);
	/* xact and cluster once a statement, not once a row */
	load->insert = SPI_prepare(psprintf("INSERT INTO %s (xact, cluster, batch, origin, line_no,"
										" line) SELECT (SELECT pg_catalog.pg_current_xact_id()),"
										" (SELECT dmp_internal.cluster_id()), $1, $2, line_no,"
										" line FROM dmp_lines",
										dmp_relation_name(load->source->lake)),
							   2, types);
	if (load->insert == NULL)
		elog(ERROR, "could not prepare: %s", SPI_result_code_string(SPI_result));
	SPI_unregister_relation("dmp_lines");
}

/*
 * Loads a file into the source's lake table, as the caller. A file whose bytes
 * were loaded before is a WARNING, and nothing is loaded: its batch, 0 rows.
 */
DmpLoaded
dmp_load(const DmpSource *source, const char *path)
{
	Load load = {0};
	DmpBatch batch = {0};
	DmpSplitFormat format;
	DmpSplit *split;
	FILE *file;
	char *hash;
	int64 before;

	check_rights();
	dmp_lake_check(source);
	batch.started_at = GetCurrentTimestamp();
	file = open_file(path);
	dmp_spi_connect();
	hash = read_file(file, path, NULL, &load.result.bytes);
	before = taken_before(source, hash);
	if (before != 0)
	{
		ereport(WARNING,
				(errmsg("file \"%s\" was loaded before, as batch %lld", path, (long long) before),
				 errdetail("Nothing was loaded."),
				 errhint("SELECT * FROM dmp.revert_batch(%lld); to take it again.",
						 (long long) before)));
		load.result.batch = before;
		load.result.bytes = 0;
		FreeFile(file);
		dmp_spi_finish();
		return load.result;
	}
	dmp_lake_ensure_partitions(source);
	load.source = source;
	load.path = path;
	load.result.batch = dmp_batch_next();
	load.quarantine = dmp_quarantine_begin(load.result.batch, source->name, NULL, source->owner);
	prepare_load(&load);
	load.encoding = source->format.encoding;
	format = dmp_format_split(&source->format);
	split = dmp_split_begin(&format, load_record, &load);
	load.split = split;
	if (strcmp(hash, read_file(file, path, split, &load.result.bytes)) != 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
						errmsg("file \"%s\" changed while it was read", path)));
	FreeFile(file);
	flush(&load);
	tuplestore_end(load.rows);
	(void) dmp_quarantine_end(load.quarantine);

	batch.id = load.result.batch;
	batch.kind = "load";
	batch.origin = path;
	batch.rows_read = load.result.rows_loaded + load.result.rows_quarantined;
	batch.rows_loaded = load.result.rows_loaded;
	batch.rows_quarantined = load.result.rows_quarantined;
	batch.bytes = load.result.bytes;
	batch.content_hash = hash;
	dmp_batch_record(source, &batch);
	if (load.result.rows_quarantined > 0)
		ereport(NOTICE,
				(errmsg_plural("%lld record of file \"%s\" cannot be text and went to quarantine",
							   "%lld records of file \"%s\" cannot be text and went to quarantine",
							   load.result.rows_quarantined,
							   (long long) load.result.rows_quarantined, path)));
	dmp_spi_finish();
	return load.result;
}

/* dmp.load_file(source, path) -> TABLE(batch, rows_loaded, bytes) */
Datum
dmp_load_file(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	char *path = dmp_text_argument(fcinfo, 1, "path");
	DmpLoaded loaded;
	Datum values[3];
	bool nulls[3] = {false, false, false};

	check_rights();
	dmp_srf_begin(fcinfo);
	loaded = dmp_load(dmp_source_get(name, false), path);
	values[0] = Int64GetDatum(loaded.batch);
	values[1] = Int64GetDatum(loaded.rows_loaded);
	values[2] = Int64GetDatum(loaded.bytes);
	dmp_srf_row(fcinfo, values, nulls);
	PG_RETURN_NULL();
}
