/*-------------------------------------------------------------------------
 * wide_model.c
 *		The wide parts of a stored model.
 *
 *		{..., "family":"multinomial", "classes":["a","b","c"],
 *		 "intercepts":[..], "coef":[a run of classes for each column],
 *		 "wide":"base64",
 *		 "features":[
 *		   {"name":"text", "encode":"ngrams", "bits":18, "min_rows":2,
 *			"blocks":[{"buckets":"base64", "factor":"base64"}, {...}],
 *			"missing_column":-1, "rows_missing":0}]}
 *
 * Coefficients of hashed columns ("wide") and the factors of n-grams are
 * float4, buckets uint32, all little-endian. A model of text has a million
 * coefficients: as numbers in json they would be three times as long.
 *-------------------------------------------------------------------------
 */
#include "learn/model.h"

#include <math.h>

#include "common/base64.h"
#include "learn/text.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

static const char *const block_keys[] = {"buckets", "factor", NULL};
static const char *const encodes[] = {"numeric", "boolean", "one_hot",
									  "ngrams",  "hash",    "multi_hot"};

const char *
dmp_encode_name(DmpEncode encode)
{
	return encodes[encode];
}

/* ------------------------------------------------------------ base64 */

static void
swap_words(uint32 *words, Size n)
{
#ifdef WORDS_BIGENDIAN
	Size i;

	for (i = 0; i < n; i++)
		words[i] = pg_bswap32(words[i]);
#endif
}

/* n words of 4 bytes, quoted */
static void
append_words(StringInfo buf, const char *key, const void *words, Size n)
{
	Size bytes = n * sizeof(uint32);
	uint32 *copy = palloc_extended(Max(bytes, 1), MCXT_ALLOC_HUGE);
	int length;

	if (bytes > 512 * 1024 * 1024)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a model of %zu coefficients is too large to be stored", n)));
	memcpy(copy, words, bytes);
	swap_words(copy, n);
	length = pg_b64_enc_len((int) bytes);
	appendStringInfo(buf, "\"%s\":\"", key);
	enlargeStringInfo(buf, length + 1);
	length = pg_b64_encode((void *) copy, (int) bytes, buf->data + buf->len, length);
	if (length < 0)
		elog(ERROR, "could not write base64");
	buf->len += length;
	buf->data[buf->len] = '\0';
	appendStringInfoChar(buf, '"');
	pfree(copy);
}

static void *
words_of(const DmpDoc *doc, const char *key, Size *n)
{
	int room;
	char *words;
	int length;

	if (doc == NULL || doc->kind != DMP_DOC_STRING)
		dmp_model_refuse("\"%s\" must be a string", key);
	room = pg_b64_dec_len(strlen(doc->text)) + 8;
	words = palloc(room);
	length = pg_b64_decode(doc->text, strlen(doc->text), (void *) words, room);
	if (length < 0 || length % sizeof(uint32) != 0)
		dmp_model_refuse("\"%s\" is no base64 of 4-byte words", key);
	*n = length / sizeof(uint32);
	swap_words((uint32 *) words, *n);
	return words;
}

static float *
floats_of(const DmpDoc *doc, const char *key, Size n)
{
	Size found;
	float *values = words_of(doc, key, &found);
	Size i;

	if (found != n)
		dmp_model_refuse("\"%s\" has %zu numbers, not %zu", key, found, n);
	for (i = 0; i < n; i++)
	{
		if (!isfinite(values[i]))
			dmp_model_refuse("\"%s\" has a number that is not finite", key);
	}
	return values;
}

/* ----------------------------------------------------------- features */

void
dmp_wide_append_feature(StringInfo buf, const DmpFeature *feature)
{
	int k;

	appendStringInfo(buf, ",\"bits\":%d,\"min_rows\":%d,\"blocks\":[", feature->bits,
					 feature->min_rows);
	for (k = 0; k < feature->nblocks; k++)
	{
		const DmpHashBlock *block = &feature->blocks[k];

		appendStringInfoString(buf, k > 0 ? ",{" : "{");
		append_words(buf, "buckets", block->buckets, block->n);
		if (block->factor != NULL)
		{
			appendStringInfoChar(buf, ',');
			append_words(buf, "factor", block->factor, block->n);
		}
		appendStringInfoChar(buf, '}');
	}
	appendStringInfoChar(buf, ']');
}

/* *wide: hashed columns so far, added to */
void
dmp_wide_read_feature(DmpFeature *feature, const DmpDoc *doc, int *wide)
{
	const DmpDoc *blocks = dmp_doc_get(doc, "blocks");
	int k;

	feature->type = feature->encode == DMP_ENCODE_MULTI_HOT ? TEXTARRAYOID : TEXTOID;
	feature->bits = (int) dmp_model_integer(dmp_doc_get(doc, "bits"), "bits", 1, DMP_MAX_BITS);
	feature->min_rows =
		(int) dmp_model_integer(dmp_doc_get(doc, "min_rows"), "min_rows", 0, PG_INT32_MAX);
	feature->nblocks = feature->encode == DMP_ENCODE_NGRAMS ? DMP_TEXT_BLOCKS : 1;
	if (blocks == NULL || blocks->kind != DMP_DOC_ARRAY || blocks->n != feature->nblocks)
		dmp_model_refuse("\"blocks\" of feature \"%s\" must be an array of %d", feature->name,
						 feature->nblocks);
	feature->blocks = palloc0(sizeof(DmpHashBlock) * feature->nblocks);
	for (k = 0; k < blocks->n; k++)
	{
		DmpHashBlock *block = &feature->blocks[k];
		Size n;
		Size i;

		if (blocks->items[k]->kind != DMP_DOC_OBJECT)
			dmp_model_refuse("a block must be an object");
		dmp_doc_check_keys(blocks->items[k], "block", block_keys);
		block->buckets = words_of(dmp_doc_get(blocks->items[k], "buckets"), "buckets", &n);
		block->n = (int) n;
		for (i = 0; i < n; i++)
		{
			if (block->buckets[i] >> feature->bits != 0 ||
				(i > 0 && block->buckets[i - 1] >= block->buckets[i]))
				dmp_model_refuse("the buckets of feature \"%s\" are out of order or range",
								 feature->name);
		}
		if (dmp_doc_get(blocks->items[k], "factor") != NULL)
			block->factor = floats_of(dmp_doc_get(blocks->items[k], "factor"), "factor", n);
		block->first = *wide;
		*wide += block->n;
	}
}

/* -------------------------------------------------------------- model */

void
dmp_wide_append_model(StringInfo buf, const DmpModel *model)
{
	int k;

	if (model->nclasses > 0)
	{
		appendStringInfoString(buf, ",\"classes\":[");
		for (k = 0; k < model->nclasses; k++)
		{
			if (k > 0)
				appendStringInfoChar(buf, ',');
			escape_json(buf, model->classes[k]);
		}
		appendStringInfoChar(buf, ']');
	}
	if (model->wide_width > 0)
	{
		appendStringInfoChar(buf, ',');
		append_words(buf, "wide", model->wide, (Size) model->wide_width * Max(model->nclasses, 1));
	}
}

/* classes in byte order, two or more, none twice; sets nclasses */
void
dmp_wide_read_classes(DmpModel *model, const DmpDoc *doc)
{
	const DmpDoc *classes = dmp_doc_get(doc, "classes");
	int k;

	if (classes == NULL || classes->kind != DMP_DOC_ARRAY || classes->n < 2)
		dmp_model_refuse("\"classes\" must be an array of two or more");
	model->nclasses = classes->n;
	model->classes = palloc(sizeof(char *) * classes->n);
	for (k = 0; k < classes->n; k++)
	{
		if (classes->items[k]->kind != DMP_DOC_STRING)
			dmp_model_refuse("a class must be a string");
		model->classes[k] = pstrdup(classes->items[k]->text);
		if (k > 0 && strcmp(model->classes[k - 1], model->classes[k]) >= 0)
			dmp_model_refuse("the classes are not in byte order");
	}
}

void
dmp_wide_read_model(DmpModel *model, const DmpDoc *doc, int wide)
{
	int i;

	model->wide_width = wide;
	if (wide > 0)
		model->wide =
			floats_of(dmp_doc_get(doc, "wide"), "wide", (Size) wide * Max(model->nclasses, 1));
	model->general = model->nclasses > 0;
	for (i = 0; i < model->design.nfeatures; i++)
		model->general |= DMP_ENCODE_IS_WIDE(model->design.features[i].encode);
}
