/*-------------------------------------------------------------------------
 * privacy_pseudonym.c
 *		dmp.pseudonym: keyed, deterministic stand-ins for values. dmp.token: the
 *		same with the shape of the value kept, and dmp.reveal_token.
 *
 * pseudonym = HMAC-SHA-256(key, length and bytes of the domain, value), the
 * first 128 bits in hexadecimal. The domain's length goes before it, so that
 * no two pairs of domain and value are one message. Texts are hashed as
 * UTF-8, so that a database of another encoding gives the same pseudonyms.
 *
 * token: the characters of the alphabet in the value, as digits of a number
 * system, go through the network of math/feistel.c under a key of its own;
 * domain and alphabet are the tweak. Other characters stay where they are and
 * do not matter. Fewer than a million possible strings are refused: they
 * could be listed by whoever sees some tokens.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"
#include "govern/secret.h"

#include "math/feistel.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dmp_pseudonym);
PG_FUNCTION_INFO_V1(dmp_token);
PG_FUNCTION_INFO_V1(dmp_reveal_token);

#define PSEUDONYM_BYTES 16

/* the text as UTF-8: its own bytes when the database is */
static const char *
utf8(const text *value, size_t *length)
{
	const char *bytes = VARDATA_ANY(value);
	char *converted;

	*length = VARSIZE_ANY_EXHDR(value);
	converted = pg_server_to_any(bytes, *length, PG_UTF8);
	if (converted != bytes)
		*length = strlen(converted);
	return converted;
}

/* dmp.pseudonym(value, domain) -> text, 32 hexadecimal digits */
Datum
dmp_pseudonym(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	text *domain = PG_GETARG_TEXT_PP(1);
	uint8 key[DMP_KEY_BYTES];
	uint8 digest[DMP_KEY_BYTES];
	pg_hmac_ctx *hmac;
	size_t length;
	const char *bytes;
	text *result = palloc(VARHDRSZ + 2 * PSEUDONYM_BYTES);

	dmp_secret("pseudonym", key);
	hmac = dmp_hmac_make();
	dmp_hmac_begin(hmac, key);
	bytes = utf8(domain, &length);
	dmp_hmac_add_text(hmac, bytes, length);
	bytes = utf8(value, &length);
	dmp_hmac_add(hmac, bytes, length);
	dmp_hmac_end(hmac, digest);
	pg_hmac_free(hmac);
	SET_VARSIZE(result, VARHDRSZ + 2 * PSEUDONYM_BYTES);
	hex_encode((const char *) digest, PSEUDONYM_BYTES, VARDATA(result));
	PG_RETURN_TEXT_P(result);
}

/* -------------------------------------------------------------- tokens */

typedef struct Character
{
	const char *bytes;
	int length;
	uint32 digit;
} Character;

typedef struct Alphabet
{
	text *source;
	int radix;
	Character *by_digit;
	int32 single[256];   /* digit of a character of one byte, -1: none */
	Character *multiple; /* of several bytes, sorted */
	int nmultiple;
} Alphabet;

static int
compare_characters(const void *a, const void *b)
{
	const Character *left = a;
	const Character *right = b;
	int order = memcmp(left->bytes, right->bytes, Min(left->length, right->length));

	return order != 0 ? order : left->length - right->length;
}

static void
repeated_character(const Character *c)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("character \"%.*s\" is in the alphabet twice", c->length, c->bytes)));
}

static Alphabet *
make_alphabet(const text *source, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	Alphabet *alphabet = palloc0(sizeof(Alphabet));
	int length = VARSIZE_ANY_EXHDR(source);
	const char *bytes;
	int at;
	int i;

	alphabet->source = palloc(VARSIZE_ANY(source));
	memcpy(alphabet->source, source, VARSIZE_ANY(source));
	bytes = VARDATA_ANY(alphabet->source);
	if (length > 4 * DMP_FEISTEL_MAX_RADIX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("alphabet is too long")));
	alphabet->by_digit = palloc(sizeof(Character) * Max(length, 1));
	alphabet->multiple = palloc(sizeof(Character) * Max(length, 1));
	for (i = 0; i < 256; i++)
		alphabet->single[i] = -1;
	for (at = 0; at < length;)
	{
		Character *c = &alphabet->by_digit[alphabet->radix];

		c->bytes = bytes + at;
		c->length = pg_mblen(bytes + at);
		c->digit = alphabet->radix++;
		at += c->length;
		if (c->length > 1)
			alphabet->multiple[alphabet->nmultiple++] = *c;
		else if (alphabet->single[(unsigned char) *c->bytes] >= 0)
			repeated_character(c);
		else
			alphabet->single[(unsigned char) *c->bytes] = c->digit;
	}
	qsort(alphabet->multiple, alphabet->nmultiple, sizeof(Character), compare_characters);
	for (i = 1; i < alphabet->nmultiple; i++)
		if (compare_characters(&alphabet->multiple[i - 1], &alphabet->multiple[i]) == 0)
			repeated_character(&alphabet->multiple[i]);
	if (alphabet->radix < 2 || alphabet->radix > DMP_FEISTEL_MAX_RADIX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("alphabet has %d characters, not between 2 and %d", alphabet->radix,
							   DMP_FEISTEL_MAX_RADIX)));
	MemoryContextSwitchTo(before);
	return alphabet;
}

/* that of the last row, when it is the same */
static Alphabet *
get_alphabet(FunctionCallInfo fcinfo, const text *source)
{
	Alphabet *alphabet = fcinfo->flinfo->fn_extra;

	if (alphabet != NULL && VARSIZE_ANY_EXHDR(alphabet->source) == VARSIZE_ANY_EXHDR(source) &&
		memcmp(VARDATA_ANY(alphabet->source), VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source)) == 0)
		return alphabet;
	fcinfo->flinfo->fn_extra = NULL;
	alphabet = make_alphabet(source, fcinfo->flinfo->fn_mcxt);
	fcinfo->flinfo->fn_extra = alphabet;
	return alphabet;
}

/* digit of a character, -1: it is not of the alphabet */
static int32
digit_of(const Alphabet *alphabet, const char *bytes, int length)
{
	Character wanted;
	Character *found;

	if (length == 1)
		return alphabet->single[(unsigned char) *bytes];
	if (alphabet->nmultiple == 0)
		return -1;
	wanted.bytes = bytes;
	wanted.length = length;
	wanted.digit = 0;
	found = bsearch(&wanted, alphabet->multiple, alphabet->nmultiple, sizeof(Character),
					compare_characters);
	return found != NULL ? (int32) found->digit : -1;
}

typedef struct TokenHash
{
	pg_hmac_ctx *hmac;
	uint8 key[DMP_KEY_BYTES];
	uint8 tweak[DMP_KEY_BYTES];
} TokenHash;

static void
token_prf(void *context, const uint8_t *in, size_t length, uint8_t out[32])
{
	TokenHash *hash = context;

	dmp_hmac_begin(hash->hmac, hash->key);
	dmp_hmac_add(hash->hmac, hash->tweak, DMP_KEY_BYTES);
	dmp_hmac_add(hash->hmac, in, length);
	dmp_hmac_end(hash->hmac, out);
}

/* the tweak is itself a hash, so that a round is of a few blocks however long the domain */
static void
start_hash(TokenHash *hash, const text *domain, const text *alphabet)
{
	const char *bytes;
	size_t length;

	dmp_secret("token", hash->key);
	hash->hmac = dmp_hmac_make();
	dmp_hmac_begin(hash->hmac, hash->key);
	bytes = utf8(domain, &length);
	dmp_hmac_add_text(hash->hmac, bytes, length);
	bytes = utf8(alphabet, &length);
	dmp_hmac_add_text(hash->hmac, bytes, length);
	dmp_hmac_end(hash->hmac, hash->tweak);
}

/* the value with the digits found put in place of its characters of the alphabet */
static text *
write_digits(const text *value, const Alphabet *alphabet, const uint32 *digits)
{
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	StringInfoData out;
	int at;
	int width;

	initStringInfo(&out);
	for (at = 0; at < length; at += width)
	{
		width = pg_mblen(bytes + at);
		if (digit_of(alphabet, bytes + at, width) >= 0)
		{
			const Character *c = &alphabet->by_digit[*digits++];

			appendBinaryStringInfo(&out, c->bytes, c->length);
		}
		else
			appendBinaryStringInfo(&out, bytes + at, width);
	}
	return cstring_to_text_with_len(out.data, out.len);
}

static text *
token(FunctionCallInfo fcinfo, bool reveal)
{
	text *value = PG_GETARG_TEXT_PP(0);
	text *domain = PG_GETARG_TEXT_PP(1);
	text *source = PG_GETARG_TEXT_PP(2);
	Alphabet *alphabet = get_alphabet(fcinfo, source);
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	uint32 *digits = palloc(sizeof(uint32) * Max(length, 1));
	int n = 0;
	int at;
	int width;
	TokenHash hash;
	DmpFeistel f;

	for (at = 0; at < length; at += width)
	{
		int32 digit;

		width = pg_mblen(bytes + at);
		digit = digit_of(alphabet, bytes + at, width);
		if (digit >= 0)
			digits[n++] = digit;
	}
	if (length == 0)
		return value;
	/* the value itself is not shown: errors reach logs */
	if (n < dmp_feistel_min_digits(alphabet->radix))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a value has %d characters of the alphabet, a token needs %d", n,
							   (int) dmp_feistel_min_digits(alphabet->radix)),
						errdetail("Fewer could be guessed by trying all there are."),
						errhint("Use dmp.pseudonym() for such values.")));
	if (n > 100000)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a token has at most 100000 characters of the alphabet")));
	start_hash(&hash, domain, source);
	f.radix = alphabet->radix;
	f.prf = token_prf;
	f.context = &hash;
	if (reveal)
		dmp_feistel_decrypt(&f, digits, n, palloc(dmp_feistel_scratch(n)));
	else
		dmp_feistel_encrypt(&f, digits, n, palloc(dmp_feistel_scratch(n)));
	pg_hmac_free(hash.hmac);
	return write_digits(value, alphabet, digits);
}

/* dmp.token(value, domain, alphabet) -> text of the same shape */
Datum
dmp_token(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(token(fcinfo, false));
}

/* dmp.reveal_token(token, domain, alphabet) -> the value it was made of */
Datum
dmp_reveal_token(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(token(fcinfo, true));
}
