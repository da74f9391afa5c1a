/*-------------------------------------------------------------------------
 * scorecard.c
 *		A model as points: dmp.scorecard, dmp.scorecard_sql.
 *
 * With factor = points_to_double_odds / ln 2, a row has
 *
 *		points = base_points + factor (margin - ln base_odds)
 *
 * so base_odds to one of the positive class are base_points, and twice the
 * odds are points_to_double_odds more (negative: less, where the positive
 * class is the bad outcome). The part that no column decides comes first, as
 * '(base)'; a level, a bin, a boolean or a missing value adds factor times
 * what it adds to the margin: its coefficient, or the coefficient of a column
 * of weights of evidence times its weight (less the pivot). points are
 * rounded, so their sum differs from the exact one by at most half a point a
 * column. The margin is the one before any calibration.
 *
 * A card has a row for each thing a column can be, so a number has no place on
 * it until it is in bins or behind weights of evidence.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "learn/transform.h"
#include "lib/stringinfo.h"
#include "learn/segments.h"
#include "score/score.h"

PG_FUNCTION_INFO_V1(dmp_scorecard);
PG_FUNCTION_INFO_V1(dmp_scorecard_sql);

/* columns of dmp.scorecard */
enum
{
	CARD_FEATURE,
	CARD_LEVEL,
	CARD_WOE,
	CARD_COEF,
	CARD_POINTS,
	CARD_EXACT,
	CARD_COLUMNS
};

typedef struct CardRow
{
	const char *feature;
	const char *level; /* NULL: (base) */
	double woe;        /* NaN: not a column of weights of evidence */
	double coef;
	double points;
} CardRow;

typedef struct Card
{
	const DmpModel *model;
	double factor;
	int n;
	int room;
	CardRow *rows;
	StringInfoData sql; /* the sum of whole points */
} Card;

/* Adds a row that moves the margin so, and returns its points. */
static int
add_row(Card *card, const char *feature, const char *level, double woe, double coef, double points)
{
	CardRow *row;

	if (!(fabs(points) <= 1e9))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("the points of \"%s\" are out of range", feature)));
	if (card->n == card->room)
	{
		card->room = Max(16, card->room * 2);
		card->rows = card->rows ? repalloc(card->rows, sizeof(CardRow) * card->room)
								: palloc(sizeof(CardRow) * card->room);
	}
	row = &card->rows[card->n++];
	row->feature = feature;
	row->level = level;
	row->woe = woe;
	row->coef = coef;
	row->points = points;
	return (int) rint(points);
}

/* a row of a design column: 0 or 1 */
static int
add_level(Card *card, const DmpFeature *feature, const char *level, int column)
{
	double coef = column >= 0 ? card->model->coef[column] : 0;

	return add_row(card, feature->name, level, NAN, coef, card->factor * coef);
}

/* ------------------------------------------------------------- columns */

static void
add_boolean(Card *card, const DmpFeature *feature)
{
	const DmpModel *model = card->model;
	double coef = feature->index >= 0 ? model->coef[feature->index] : 0;
	double pivot = feature->index >= 0 ? model->design.pivot[feature->index] : 0;
	double flag = feature->missing_index >= 0 ? model->coef[feature->missing_index] : 0;
	const char *column = quote_identifier(feature->name);
	int points;

	points = add_row(card, feature->name, "true", NAN, coef, card->factor * coef * (1 - pivot));
	appendStringInfo(&card->sql, "\n  + CASE WHEN %s::boolean THEN %d", column, points);
	points = add_row(card, feature->name, "false", NAN, 0, card->factor * coef * -pivot);
	appendStringInfo(&card->sql, " WHEN NOT %s::boolean THEN %d", column, points);
	points = add_row(card, feature->name, "(missing)", NAN, flag,
					 card->factor * (coef * (feature->fill - pivot) + flag));
	appendStringInfo(&card->sql, " ELSE %d END", points);
}

/* a text, also one that a transform makes */
static void
add_levels(Card *card, const DmpFeature *feature)
{
	const char *value = feature->transform ? dmp_transform_expression(feature)
										   : psprintf("%s::text", quote_identifier(feature->name));
	int k;

	appendStringInfo(&card->sql, "\n  + CASE coalesce('=' || %s, '-')", value);
	for (k = 0; k < feature->nlevels; k++)
	{
		const DmpLevel *level = &feature->levels[k];

		appendStringInfo(&card->sql, "\n      WHEN %s THEN %d",
						 quote_literal_cstr(psprintf("=%s", level->text)),
						 add_level(card, feature, level->text, level->index));
	}
	k = add_level(card, feature, "(other)", feature->other_index);
	appendStringInfo(&card->sql, "\n      WHEN '-' THEN %d ELSE %d END",
					 add_level(card, feature, "(missing)", feature->missing_index), k);
}

/* opens CASE of a number: value IS NULL THEN, which its edges follow */
static const char *
open_bins(Card *card, const DmpTransform *t)
{
	const char *value = dmp_transform_number_column(t);

	appendStringInfo(&card->sql, "\n  + CASE WHEN %s IS NULL THEN ", value);
	return value;
}

static void
append_bin(Card *card, const DmpTransform *t, const char *value, int bin, int points)
{
	if (bin < t->nedges)
		appendStringInfo(&card->sql, "\n      WHEN %s < '%s'::float8 THEN %d", value,
						 dmp_number_level(t->edges[bin]), points);
	else
		appendStringInfo(&card->sql, "\n      ELSE %d END", points);
}

static void
add_bins(Card *card, const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;
	const char *value = open_bins(card, t);
	int i;

	/* one that is filled is in a bin like any other */
	appendStringInfo(&card->sql, "%d",
					 t->has_fill ? 0
								 : add_level(card, feature, "(missing)", feature->missing_index));
	for (i = 0; i <= t->nedges; i++)
	{
		char *label = dmp_bin_label(t->edges, t->nedges, i);
		bool unseen = false;

		append_bin(card, t, value, i,
				   add_level(card, feature, label,
							 dmp_level_column(feature, label, strlen(label), &unseen)));
	}
}

/* a row of a table of weights of evidence, or of means: its place-th value */
static int
add_value(Card *card, const DmpFeature *feature, const char *level, int place)
{
	const DmpTransform *t = feature->transform;
	double coef = feature->index >= 0 ? card->model->coef[feature->index] : 0;
	double pivot = feature->index >= 0 ? card->model->design.pivot[feature->index] : 0;

	return add_row(card, feature->name, level,
				   t->kind == DMP_TRANSFORM_WOE ? t->values[place] : NAN, coef,
				   card->factor * coef * (t->values[place] - pivot));
}

static void
add_table(Card *card, const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;
	int i;
	int points;

	if (t->kinds[0] == DMP_VALUE_TEXT)
	{
		const char *value = psprintf("%s::text", quote_identifier(t->columns[0]));

		if (t->fill_text != NULL)
			value = psprintf("coalesce(%s, %s)", value, quote_literal_cstr(t->fill_text));
		appendStringInfo(&card->sql, "\n  + CASE coalesce('=' || %s, '-')", value);
		for (i = 0; i < t->nlevels; i++)
			appendStringInfo(&card->sql, "\n      WHEN %s THEN %d",
							 quote_literal_cstr(psprintf("=%s", t->levels[i])),
							 add_value(card, feature, t->levels[i], i));
		points = add_value(card, feature, "(other)", t->nvalues + 1);
		appendStringInfo(&card->sql, "\n      WHEN '-' THEN %d ELSE %d END",
						 t->fill_text ? 0 : add_value(card, feature, "(missing)", t->nvalues),
						 points);
	}
	else
	{
		const char *value = open_bins(card, t);

		appendStringInfo(&card->sql, "%d",
						 t->has_fill ? 0 : add_value(card, feature, "(missing)", t->nvalues));
		for (i = 0; i <= t->nedges; i++)
			append_bin(card, t, value, i,
					   add_value(card, feature, dmp_bin_label(t->edges, t->nedges, i), i));
	}
}

static void
add_feature(Card *card, const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;

	if (t != NULL && t->kind == DMP_TRANSFORM_BINS)
		add_bins(card, feature);
	else if (feature->encode == DMP_ENCODE_ONE_HOT)
		add_levels(card, feature);
	else if (feature->encode == DMP_ENCODE_BOOLEAN && t == NULL)
		add_boolean(card, feature);
	else if (t != NULL && (t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET))
		add_table(card, feature);
	else
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("\"%s\" is a number: a scorecard has points for levels and bins",
							   feature->name),
						errhint("Train with options => '{\"encode\": {\"%s\": \"woe\"}}' or "
								"\"bins\".",
								t != NULL ? t->columns[0] : feature->name)));
}

/* ---------------------------------------------------------------- card */

static double
number_argument(FunctionCallInfo fcinfo, int arg, const char *name, bool negative_too)
{
	double value = PG_GETARG_FLOAT8(arg);

	if (!isfinite(value) || value == 0 || (value < 0 && !negative_too))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						negative_too ? errmsg("\"%s\" must be a number other than 0", name)
									 : errmsg("\"%s\" must be a number above 0", name)));
	return value;
}

/* the card of a call (model, points_to_double_odds, base_points, base_odds) */
static Card *
make_card(FunctionCallInfo fcinfo)
{
	DmpModelRow *row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Card *card = palloc0(sizeof(Card));
	double factor = number_argument(fcinfo, 1, "points_to_double_odds", true) / log(2);
	double base = PG_GETARG_FLOAT8(2);
	double odds = number_argument(fcinfo, 3, "base_odds", false);
	const DmpModel *model;
	int i;

	if (!isfinite(base))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"base_points\" must be a finite number")));
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	dmp_model_refuse_wide(model, "a scorecard");
	dmp_model_refuse_segments(model, "a scorecard");
	if (model->link != DMP_BINOMIAL)
		dmp_model_refuse_numbers(model, "a scorecard");
	card->model = model;
	card->factor = factor;
	initStringInfo(&card->sql);
	appendStringInfo(
		&card->sql, "%d",
		add_row(card, "(base)", NULL, NAN, model->a, base + factor * (model->a - log(odds))));
	for (i = 0; i < model->design.nfeatures; i++)
		add_feature(card, &model->design.features[i]);
	return card;
}

/* dmp.scorecard(model, points_to_double_odds, base_points, base_odds) */
Datum
dmp_scorecard(PG_FUNCTION_ARGS)
{
	Card *card;
	int i;

	dmp_srf_begin(fcinfo);
	card = make_card(fcinfo);
	for (i = 0; i < card->n; i++)
	{
		const CardRow *row = &card->rows[i];
		Datum values[CARD_COLUMNS];
		bool nulls[CARD_COLUMNS] = {false};

		values[CARD_FEATURE] = CStringGetTextDatum(row->feature);
		nulls[CARD_LEVEL] = row->level == NULL;
		values[CARD_LEVEL] = row->level ? CStringGetTextDatum(row->level) : (Datum) 0;
		nulls[CARD_WOE] = isnan(row->woe);
		values[CARD_WOE] = Float8GetDatum(row->woe);
		values[CARD_COEF] = Float8GetDatum(row->coef);
		values[CARD_POINTS] = Int32GetDatum((int32) rint(row->points));
		values[CARD_EXACT] = Float8GetDatum(row->points);
		dmp_srf_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}

/* dmp.scorecard_sql: the points of a row in whole numbers */
Datum
dmp_scorecard_sql(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(make_card(fcinfo)->sql.data));
}
