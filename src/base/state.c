/*-------------------------------------------------------------------------
 * state.c
 *		dmp_internal.state: input, output, receive, send, and what its users
 *		share; see state.h.
 *
 * The type is open to every user (its input functions can be called with any
 * bytes), so a state is checked where it comes in, once, by the module that
 * owns its kind; transition functions may trust it from there.
 *-------------------------------------------------------------------------
 */
#include "base/state.h"

#include "libpq/pqformat.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_state_in);
PG_FUNCTION_INFO_V1(dmp_state_out);
PG_FUNCTION_INFO_V1(dmp_state_recv);
PG_FUNCTION_INFO_V1(dmp_state_send);

static struct
{
	int version;
	DmpStateCheck check;
} kinds[DMP_STATE_KINDS];

void
dmp_state_register(DmpStateKind kind, int version, DmpStateCheck check)
{
	kinds[kind].version = version;
	kinds[kind].check = check;
}

DmpState *
dmp_state_make(DmpStateKind kind, int version, Size size)
{
	DmpState *state;

	if (size > MaxAllocSize - sizeof(DmpState))
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("aggregate state exceeds 1 GB"));
	state = palloc0(sizeof(DmpState) + size);
	SET_VARSIZE(state, sizeof(DmpState) + size);
	state->kind = kind;
	state->version = version;
	state->order = DMP_STATE_ORDER;
	return state;
}

void
dmp_state_corrupt(const DmpState *state, const char *why)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			errmsg("invalid aggregate state of kind %d: %s", state->kind, why));
}

static void
check_header(const DmpState *state)
{
	if (state->order != DMP_STATE_ORDER)
		dmp_state_corrupt(state, "made on a machine of another byte order, or no state at all");
	if (state->kind == 0 || state->kind >= DMP_STATE_KINDS || kinds[state->kind].check == NULL)
		dmp_state_corrupt(state, "unknown kind");
	if (state->version == 0 || state->version > kinds[state->kind].version)
		dmp_state_corrupt(state, "made by a newer version");
}

DmpState *
dmp_state_arg(Datum value, DmpStateKind kind)
{
	DmpState *state = (DmpState *) PG_DETOAST_DATUM(value);

	if (VARSIZE(state) < sizeof(DmpState))
		elog(ERROR, "aggregate state too short");
	check_header(state);
	if (state->kind != kind)
		ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("aggregate state of kind %d where kind %d is needed", state->kind, kind));
	return state;
}

/* length bytes from outside become a state, or an error */
static DmpState *
state_from_bytes(const char *bytes, Size length)
{
	DmpState *state;

	if (length < sizeof(DmpState) - VARHDRSZ)
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid aggregate state: too short"));
	state = palloc(VARHDRSZ + length);
	SET_VARSIZE(state, VARHDRSZ + length);
	memcpy((char *) state + VARHDRSZ, bytes, length);
	check_header(state);
	if (state->reserved != 0)
		dmp_state_corrupt(state, "bad header");
	kinds[state->kind].check(state, DMP_STATE_DATA(state), DMP_STATE_DATA_SIZE(state));
	return state;
}

/* hexadecimal digits, everything after the length word */
Datum
dmp_state_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	Size length = strlen(text);
	char *bytes;

	if (length % 2 != 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				errmsg("invalid aggregate state: odd number of hexadecimal digits"));
	bytes = palloc(length / 2 + 1);
	hex_decode(text, length, bytes);
	PG_RETURN_POINTER(state_from_bytes(bytes, length / 2));
}

Datum
dmp_state_out(PG_FUNCTION_ARGS)
{
	struct varlena *state = PG_GETARG_VARLENA_P(0);
	Size length = VARSIZE(state) - VARHDRSZ;
	char *text;

	if (length > (MaxAllocSize - 1) / 2)
		ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("aggregate state is too large to print"));
	text = palloc(2 * length + 1);
	hex_encode(VARDATA(state), length, text);
	text[2 * length] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
dmp_state_recv(PG_FUNCTION_ARGS)
{
	StringInfo buf = (StringInfo) PG_GETARG_POINTER(0);
	Size length = buf->len - buf->cursor;

	PG_RETURN_POINTER(state_from_bytes(pq_getmsgbytes(buf, length), length));
}

Datum
dmp_state_send(PG_FUNCTION_ARGS)
{
	struct varlena *state = PG_GETARG_VARLENA_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA(state), VARSIZE(state) - VARHDRSZ);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

MemoryContext
dmp_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("this function is part of an aggregate and is not called alone")));
	return context;
}
