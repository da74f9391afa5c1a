/*-------------------------------------------------------------------------
 * decode_json.c
 *		The reader of json records: one object each.
 *-------------------------------------------------------------------------
 */
#include "ingest/decode.h"

static DmpDecoded
read_json(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
		  DmpRejected *why)
{
	DmpJsonScan *scan = reader->state;
	DmpJsonType type;

	if (!dmp_json_scan(scan, line, length, &type))
		return dmp_record_rejected(
			why, ERRCODE_INVALID_TEXT_REPRESENTATION,
			psprintf("invalid json at byte %zu: %s", scan->position + 1, scan->message));
	if (type != DMP_JSON_OBJECT)
		return dmp_record_rejected(why, ERRCODE_INVALID_PARAMETER_VALUE,
								   "the record is no json object");
	return DMP_DECODED;
}

void
dmp_reader_json(DmpReader *reader)
{
	DmpJsonScan *scan = palloc0(sizeof(DmpJsonScan));

	scan->root = reader->root;
	scan->slots = reader->slots;
	scan->unknown = reader->unknown;
	scan->arg = reader->arg;
	reader->state = scan;
	reader->read = read_json;
}
