/*-------------------------------------------------------------------------
 * scan_bytes.c
 *		Numbers and texts to bytes and back; everything is padded to 8.
 *
 * Bytes may come from anybody (the state type's input function, the plan
 * argument), so reading checks each length against what is left.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"

#include "utils/memutils.h"

void
dmp_put(DmpBytes *b, const void *from, Size n)
{
	Size padded = TYPEALIGN(8, n);

	if (b->used + padded > b->size)
	{
		Size size = Max(b->size * 2, b->used + padded + 1024);

		if (b->used + padded > MaxAllocSize - 1024)
			ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					errmsg("state of a training scan exceeds 1 GB"));
		size = Min(size, MaxAllocSize - 16);
		b->data = b->data ? repalloc(b->data, size) : palloc(size);
		b->size = size;
	}
	memset(b->data + b->used + padded - Min(padded, 8), 0, Min(padded, 8));
	if (n > 0)
		memcpy(b->data + b->used, from, n);
	b->used += padded;
}

void
dmp_put_int(DmpBytes *b, int64 x)
{
	dmp_put(b, &x, sizeof(x));
}

void
dmp_put_double(DmpBytes *b, double x)
{
	dmp_put(b, &x, sizeof(x));
}

void
dmp_put_text(DmpBytes *b, const char *text, Size n)
{
	dmp_put_int(b, n);
	dmp_put(b, text, n);
}

const void *
dmp_get(DmpBytes *b, Size n)
{
	const char *at = b->data + b->used;
	Size padded = TYPEALIGN(8, n);

	if (n > MaxAllocSize || padded > b->size - b->used)
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid plan or state of a training scan"));
	b->used += padded;
	return at;
}

int64
dmp_get_int(DmpBytes *b)
{
	int64 x;

	memcpy(&x, dmp_get(b, sizeof(x)), sizeof(x));
	return x;
}

int
dmp_get_count(DmpBytes *b, Size each)
{
	int64 n = dmp_get_int(b);

	if (n < 0 || (each > 0 && n > (int64) ((b->size - b->used) / each)) || n > PG_INT32_MAX / 8)
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid plan or state of a training scan"));
	return (int) n;
}

double
dmp_get_double(DmpBytes *b)
{
	double x;

	memcpy(&x, dmp_get(b, sizeof(x)), sizeof(x));
	return x;
}

double *
dmp_get_doubles(DmpBytes *b, Size n)
{
	const void *at;
	double *x;

	if (n > MaxAllocSize / sizeof(double))
		n = MaxAllocSize; /* refused below */
	at = dmp_get(b, n * sizeof(double));
	x = palloc(Max(n, 1) * sizeof(double));
	memcpy(x, at, n * sizeof(double));
	return x;
}

char *
dmp_get_text(DmpBytes *b, Size *n)
{
	int64 length = dmp_get_int(b);
	const void *at;
	char *text;

	if (length < 0)
		length = MaxAllocSize + (int64) 1; /* refused below */
	at = dmp_get(b, length);
	text = palloc(length + 1);
	memcpy(text, at, length);
	text[length] = '\0';
	if (n)
		*n = length;
	return text;
}
