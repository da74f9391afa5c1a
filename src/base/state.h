/*-------------------------------------------------------------------------
 * state.h
 *		dmp_internal.state: the one base type of aggregate states.
 *
 * A flat state is a varlena with a header that says what it is. Numbers are in
 * the machine's byte order, which the header carries, so that bytes from a
 * machine of the other order are refused instead of misread. A growing state
 * may live as an expanded object while rows come in; what is stored, sent or
 * printed is always the flat form.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_STATE_H
#define DMP_STATE_H

#include "dmp.h"

/* kinds are never reused: a state may be stored in a table */
typedef enum DmpStateKind
{
	DMP_STATE_TRAIN = 1,   /* learn: training scan */
	DMP_STATE_LOGIT = 2,   /* learn: dmp.logit */
	DMP_STATE_SCORES = 3,  /* score: scores and labels for exact rank metrics */
	DMP_STATE_SUMS = 4,    /* score: sums for log loss, brier score, precision, recall, f1 */
	DMP_STATE_ENCODE = 9,  /* learn: columns to be encoded */
	DMP_STATE_LINEAR = 10, /* learn: dmp.linear */
	DMP_STATE_VALUES = 11, /* clean: dmp.median, dmp.mad, dmp.quantiles */
	DMP_STATE_FOREST = 12, /* clean: dmp.forest */
	DMP_STATE_KINDS        /* number of kinds + 1 */
} DmpStateKind;

typedef struct DmpState
{
	int32 vl_len_; /* varlena header, do not touch directly */
	uint16 kind;
	uint16 version;
	uint32 order; /* DMP_STATE_ORDER in the writer's byte order */
	uint32 reserved;
	/* data, aligned as double, to the end of the varlena */
} DmpState;

#define DMP_STATE_ORDER 0x01020304
#define DMP_STATE_DATA(state) ((char *) (state) + sizeof(DmpState))
#define DMP_STATE_DATA_SIZE(state) (VARSIZE(state) - sizeof(DmpState))

/*
 * Called for every state that came in as bytes, header already checked: must
 * ereport (dmp_state_corrupt) unless data of that size can be worked with
 * safely, whatever it contains.
 */
typedef void (*DmpStateCheck)(const DmpState *state, const char *data, Size size);

/* where a transition function keeps its state; an error when it is called alone */
extern MemoryContext dmp_aggregate_context(FunctionCallInfo fcinfo);
/* in the module's init; version is the newest that can be read, from 1 */
extern void dmp_state_register(DmpStateKind kind, int version, DmpStateCheck check);
/* a zeroed flat state with room for size bytes of data; error past 1 GB */
extern DmpState *dmp_state_make(DmpStateKind kind, int version, Size size);
/*
 * The flat state of an argument (an expanded object is flattened), header
 * checked against kind: an error names the kinds when somebody calls a
 * transition function with another aggregate's state.
 */
extern DmpState *dmp_state_arg(Datum value, DmpStateKind kind);
extern void dmp_state_corrupt(const DmpState *state, const char *why) pg_attribute_noreturn();

#endif /* DMP_STATE_H */
