/*-------------------------------------------------------------------------
 * trigger.c
 *		dmp.score_row(model, score column[, class column]): rows scored as they
 *		are written.
 *
 *		CREATE TRIGGER score BEFORE INSERT OR UPDATE ON users FOR EACH ROW
 *			EXECUTE FUNCTION dmp.score_row('buyers', 'score', 'class');
 *
 * It is the model's champion at the first row of the statement that scores
 * all rows of the statement. The trigger runs as the writer, who needs the
 * right to the model: were it the table owner's right, whoever may write to
 * some table could be told what a model thinks of any row. What may fail with
 * a row (no such model, no right, a column that is missing) fails the write,
 * with the trigger and its table named in the context.
 *
 * The two columns are of fixed plain types, so that nothing is written past
 * a domain's checks or a length. Generated columns have no value yet when
 * BEFORE triggers run; a model that needs one is refused.
 *
 * Measured: COPY of 1M rows x 20 float8 takes 1.2 x the time without the
 * trigger, CPU time of the backend; most of it is the second forming of the
 * tuple.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "base/base.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "score/score.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dmp_score_row);

/* of one trigger in one statement */
typedef struct Scorer
{
	MemoryContext context;
	Oid user;
	DmpRowMap *map; /* NULL: not made */
	AttrNumber columns[2];
	int ncolumns;
	Oid score_type;
	int32 score_typmod;
} Scorer;

static void
name_trigger(void *arg)
{
	const TriggerData *data = arg;

	errcontext("trigger \"%s\" on table \"%s\"", data->tg_trigger->tgname,
			   RelationGetRelationName(data->tg_relation));
}

static void
check_event(const TriggerData *data)
{
	int n = data->tg_trigger->tgnargs;

	if (!TRIGGER_FIRED_BEFORE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		(!TRIGGER_FIRED_BY_INSERT(data->tg_event) && !TRIGGER_FIRED_BY_UPDATE(data->tg_event)))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("dmp.score_row must be called BEFORE INSERT OR UPDATE, "
							   "FOR EACH ROW")));
	if (n != 2 && n != 3)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("dmp.score_row takes a model, a column for the score and, if "
							   "wanted, one for the class"),
						errhint("EXECUTE FUNCTION dmp.score_row('buyers', 'score', 'class')")));
}

/* A column to be written; it must be there, be written by nothing else, and be no feature. */
static AttrNumber
own_column(TupleDesc desc, const DmpModel *model, const char *name, const char *what)
{
	AttrNumber attnum = dmp_column_number(desc, name, what);
	int i;

	if (TupleDescAttr(desc, attnum - 1)->attgenerated != '\0')
		ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
						errmsg("column \"%s\" is generated, it cannot be written", name)));
	for (i = 0; i < dmp_model_inputs(model); i++)
	{
		if (strcmp(dmp_model_input(model, i), name) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
							errmsg("column \"%s\" is a feature of the model, its score cannot go "
								   "there",
								   name)));
	}
	return attnum;
}

static void
check_features(TupleDesc desc, const DmpModel *model)
{
	int i;
	int k;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		for (k = 0; att->attgenerated != '\0' && !att->attisdropped && k < dmp_model_inputs(model);
			 k++)
		{
			if (strcmp(NameStr(att->attname), dmp_model_input(model, k)) == 0)
				ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								errmsg("column \"%s\" needed by the model is generated",
									   NameStr(att->attname)),
								errdetail("It has no value yet when the row is scored.")));
		}
	}
}

static void
prepare(Scorer *scorer, const TriggerData *data)
{
	char **args = data->tg_trigger->tgargs;
	TupleDesc desc = RelationGetDescr(data->tg_relation);
	DmpCachedModel *cached;
	const DmpModel *model;
	Form_pg_attribute att;

	scorer->map = NULL;
	MemoryContextReset(scorer->context);
	cached = dmp_model_hold(args[0], scorer->context, false);
	model = cached->model;
	scorer->columns[0] = own_column(desc, model, args[1], "score: ");
	att = TupleDescAttr(desc, scorer->columns[0] - 1);
	scorer->score_type = att->atttypid;
	scorer->score_typmod = att->atttypmod;
	if (att->atttypid != FLOAT8OID && att->atttypid != FLOAT4OID && att->atttypid != NUMERICOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" for the score is of type %s", args[1],
							   format_type_be(att->atttypid)),
						errhint("It must be double precision, real or numeric.")));
	scorer->ncolumns = 1;
	if (data->tg_trigger->tgnargs == 3)
	{
		if (model->link != DMP_BINOMIAL)
			dmp_model_refuse_numbers(model, "a column for the class");
		if (model->link != DMP_BINOMIAL)
			dmp_model_refuse_numbers(model, "a column for the class");
		scorer->columns[1] = own_column(desc, model, args[2], "class: ");
		att = TupleDescAttr(desc, scorer->columns[1] - 1);
		if (att->atttypid != TEXTOID && (att->atttypid != VARCHAROID || att->atttypmod >= 0))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column \"%s\" for the class is of type %s", args[2],
								   format_type_with_typemod(att->atttypid, att->atttypmod)),
							errhint("It must be text.")));
		scorer->ncolumns = 2;
	}
	check_features(desc, model);
	scorer->user = GetUserId();
	scorer->map = dmp_row_map(model, cached->name, cached->version, scorer->context);
	dmp_slot_map(scorer->map, desc);
}

static Datum
score_datum(const Scorer *scorer, double score)
{
	if (scorer->score_type == FLOAT8OID)
		return Float8GetDatum(score);
	if (scorer->score_type == FLOAT4OID)
		return Float4GetDatum((float4) score);
	return DirectFunctionCall2(numeric, DirectFunctionCall1(float8_numeric, Float8GetDatum(score)),
							   Int32GetDatum(scorer->score_typmod));
}

Datum
dmp_score_row(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	Scorer *scorer = fcinfo->flinfo->fn_extra;
	ErrorContextCallback callback;
	bool update;
	HeapTuple tuple;
	double score;
	const char *class;
	int columns[2];
	Datum values[2];
	bool nulls[2] = {false, false};
	int i;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("dmp.score_row must be called as a trigger")));
	callback.callback = name_trigger;
	callback.arg = data;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	if (unlikely(scorer == NULL))
	{
		check_event(data);
		scorer = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Scorer));
		scorer->context =
			AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "dmp score_row", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = scorer;
	}
	if (unlikely(scorer->map == NULL || scorer->user != GetUserId()))
		prepare(scorer, data);
	update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	tuple = update ? data->tg_newtuple : data->tg_trigtuple;
	score = dmp_slot_score(scorer->map, update ? data->tg_newslot : data->tg_trigslot, &class);
	for (i = 0; i < scorer->ncolumns; i++)
		columns[i] = scorer->columns[i];
	values[0] = score_datum(scorer, score);
	nulls[1] = class == NULL;
	values[1] = scorer->ncolumns == 2 && class != NULL ? CStringGetTextDatum(class) : (Datum) 0;
	tuple = heap_modify_tuple_by_cols(tuple, RelationGetDescr(data->tg_relation), scorer->ncolumns,
									  columns, values, nulls);
	error_context_stack = callback.previous;
	return PointerGetDatum(tuple);
}
