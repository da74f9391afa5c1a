/*-------------------------------------------------------------------------
 * state.c
 *		dmp_internal.state, the one type of aggregate states.
 *
 * A state is flat bytes behind an eight-byte header: its kind, and the version
 * of that kind's layout. Plans pass it between processes and servers as it is,
 * so there is no serial form. An aggregate that grows keeps its state as an
 * expanded object, which flattens to one of these; one of fixed size changes
 * it in place.
 *
 * Users can reach the input functions. Each kind is therefore registered with
 * a check of its bytes, which runs whenever a state comes in as text or in
 * binary; transition and combine functions ask dmp_state_get() for their kind.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "libpq/pqformat.h"
#include "utils/memutils.h"

#ifdef WORDS_BIGENDIAN
#error "aggregate states are little-endian"
#endif

PG_FUNCTION_INFO_V1(dmp_state_in);
PG_FUNCTION_INFO_V1(dmp_state_out);
PG_FUNCTION_INFO_V1(dmp_state_recv);
PG_FUNCTION_INFO_V1(dmp_state_send);

static DmpStateCheck checks[DMP_STATE_KINDS];

void
dmp_state_register(DmpStateKind kind, DmpStateCheck check)
{
	checks[kind] = check;
}

DmpState *
dmp_state_make(DmpStateKind kind, uint16 version, Size payload)
{
	DmpState *state;

	if (payload > MaxAllocSize - sizeof(DmpState))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("an aggregate state is larger than 1 GB")));
	state = palloc0(sizeof(DmpState) + payload);
	SET_VARSIZE(state, sizeof(DmpState) + payload);
	state->kind = (uint16) kind;
	state->version = version;
	return state;
}

DmpState *
dmp_state_get(Datum datum, DmpStateKind kind)
{
	DmpState *state = (DmpState *) PG_DETOAST_DATUM(datum);

	if (state->kind != (uint16) kind)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("this aggregate state is of another kind")));
	return state;
}

static void
check_state(const DmpState *state)
{
	Size payload;

	if (VARSIZE(state) < sizeof(DmpState) || state->kind >= DMP_STATE_KINDS ||
		checks[state->kind] == NULL)
		dmp_state_refuse();
	payload = VARSIZE(state) - sizeof(DmpState);
	checks[state->kind](state, payload);
}

void
dmp_state_refuse(void)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("this is no aggregate state of dmp")));
}

static DmpState *
from_bytes(const char *bytes, Size length)
{
	DmpState *state = palloc0(VARHDRSZ + Max(length, sizeof(DmpState) - VARHDRSZ));

	SET_VARSIZE(state, VARHDRSZ + length);
	memcpy((char *) state + VARHDRSZ, bytes, length);
	check_state(state);
	return state;
}

/* text form: the bytes behind the length, as bytea prints them */
Datum
dmp_state_in(PG_FUNCTION_ARGS)
{
	bytea *bytes = DatumGetByteaPP(DirectFunctionCall1(byteain, PG_GETARG_DATUM(0)));

	PG_RETURN_POINTER(from_bytes(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

Datum
dmp_state_out(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall1(byteaout, PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(0))));
}

Datum
dmp_state_recv(PG_FUNCTION_ARGS)
{
	StringInfo message = (StringInfo) PG_GETARG_POINTER(0);
	int length = message->len - message->cursor;

	PG_RETURN_POINTER(from_bytes(pq_getmsgbytes(message, length), length));
}

Datum
dmp_state_send(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall1(byteasend, PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(0))));
}
