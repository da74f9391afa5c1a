/*-------------------------------------------------------------------------
 * decode_json.c
 *		The reader of json records: one object each, which is a row, or has an
 *		array whose elements are the rows (option "explode").
 *-------------------------------------------------------------------------
 */
#include "ingest/decode.h"

#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct JsonState
{
	DmpJsonScan scan;
	DmpJsonScan element_scan;
	const char *line;
	DmpJsonValue *elements;
	int space;
} JsonState;

static DmpDecoded
read_json(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
		  DmpRejected *why)
{
	JsonState *state = reader->state;
	DmpJsonType type;

	if (!dmp_json_scan(&state->scan, line, length, &type))
		return dmp_record_rejected(why, ERRCODE_INVALID_TEXT_REPRESENTATION,
								   psprintf("invalid json at byte %zu: %s",
											state->scan.position + 1, state->scan.message));
	if (type != DMP_JSON_OBJECT)
		return dmp_record_rejected(why, ERRCODE_INVALID_PARAMETER_VALUE,
								   "the record is no json object");
	return DMP_DECODED;
}

static bool
take_element(void *arg, const DmpJsonValue *value)
{
	DmpReader *reader = arg;
	JsonState *state = reader->state;

	CHECK_FOR_INTERRUPTS();
	if (reader->n_parts == state->space)
	{
		state->space *= 2;
		state->elements = repalloc_huge(state->elements, sizeof(DmpJsonValue) * state->space);
	}
	state->elements[reader->n_parts++] = *value;
	return true;
}

/* a string with its quotes, other values as they are */
static size_t
quotes(const DmpJsonValue *value)
{
	return value->type == DMP_JSON_STRING ? 1 : 0;
}

/* a record whose rows are the elements of an array; one without any is no record */
static DmpDecoded
read_array(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
		   DmpRejected *why)
{
	JsonState *state = reader->state;
	const DmpJsonValue *array = &reader->slots[reader->array_slot];
	DmpDecoded decoded = read_json(reader, line, length, origin, why);

	reader->n_parts = 0;
	reader->at = 0;
	if (decoded != DMP_DECODED)
		return decoded;
	if (array->type == DMP_JSON_ARRAY)
		dmp_json_elements(array->start, array->length, take_element, reader);
	else if (array->type != DMP_JSON_ABSENT && array->type != DMP_JSON_NULL)
		return dmp_record_rejected(why, ERRCODE_DATATYPE_MISMATCH,
								   psprintf("\"%s\" is no array", reader->format->explode));
	if (reader->n_parts == 0)
	{
		reader->empty++;
		return DMP_NO_RECORD;
	}
	state->line = line;
	reader->part.array = array->start - line;
	reader->part.array_length = array->length;
	return DMP_DECODED;
}

/* the next element: its members, and itself */
static DmpDecoded
next_element(DmpReader *reader, DmpRejected *why)
{
	JsonState *state = reader->state;
	const DmpJsonValue *element = &state->elements[reader->at++];
	DmpJsonType type;

	reader->part.element = element->start - state->line - quotes(element);
	reader->part.element_length = element->length + 2 * quotes(element);
	if (element->type == DMP_JSON_OBJECT || element->type == DMP_JSON_ARRAY)
		(void) dmp_json_scan(&state->element_scan, element->start, element->length, &type);
	if (reader->element_root->slot >= 0)
		reader->element_slots[reader->element_root->slot] = *element;
	return DMP_DECODED;
}

static void *
reader_alloc(size_t size)
{
	return palloc(size);
}

void
dmp_reader_explode(DmpReader *reader, int array_slot, DmpJsonNode *element_root,
				   int n_element_slots)
{
	JsonState *state = reader->state;

	dmp_json_finish(element_root, reader_alloc);
	reader->array_slot = array_slot;
	reader->element_root = element_root;
	reader->n_element_slots = n_element_slots;
	reader->element_slots = palloc0(sizeof(DmpJsonValue) * Max(n_element_slots, 1));
	reader->read = read_array;
	reader->next = next_element;
	state->element_scan.root = element_root;
	state->element_scan.slots = reader->element_slots;
	state->element_scan.unknown = reader->unknown;
	state->element_scan.arg = reader->arg;
	state->space = 64;
	state->elements = palloc(sizeof(DmpJsonValue) * state->space);
}

void
dmp_reader_json(DmpReader *reader)
{
	JsonState *state = palloc0(sizeof(JsonState));

	state->scan.root = reader->root;
	state->scan.slots = reader->slots;
	state->scan.unknown = reader->unknown;
	state->scan.arg = reader->arg;
	reader->state = state;
	reader->read = read_json;
}
