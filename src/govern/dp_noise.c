/*-------------------------------------------------------------------------
 * dp_noise.c
 *		Noise for differential privacy: integers of math/laplace.c from strong
 *		random bytes, and what they come to. dmp.dp_noise, dmp.dp_error.
 *-------------------------------------------------------------------------
 */
#include "govern/dp.h"
#include "govern/govern.h"
#include "govern/secret.h"

#include <math.h>

#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(dmp_dp_noise);
PG_FUNCTION_INFO_V1(dmp_dp_error);
PG_FUNCTION_INFO_V1(dmp_dp_random);

static void
fill_strong(void *context, uint8_t *bytes, size_t length)
{
	CHECK_FOR_INTERRUPTS();
	dmp_strong_random(bytes, length);
}

static DmpBits strong_bits = {fill_strong, NULL, 0, {0}};

int64
dmp_dp_micro(Datum epsilon, int most)
{
	Numeric value = DatumGetNumeric(epsilon);
	Datum micro;
	int64 result = 0;

	if (!numeric_is_nan(value) && !numeric_is_inf(value) &&
		!DatumGetBool(
			DirectFunctionCall2(numeric_gt, epsilon, DirectFunctionCall1(int4_numeric, most))))
	{
		micro = DirectFunctionCall2(numeric_mul, epsilon,
									DirectFunctionCall1(int4_numeric, DMP_DP_MICRO));
		if (DatumGetBool(
				DirectFunctionCall2(numeric_gt, micro, DirectFunctionCall1(int4_numeric, 0))))
			result = DatumGetInt64(
				DirectFunctionCall1(numeric_int8, DirectFunctionCall1(numeric_floor, micro)));
	}
	if (result < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("epsilon must be between 0.000001 and %d", most)));
	return result;
}

Datum
dmp_dp_from_micro(int64 micro)
{
	char text[32];
	int64 size = llabs(micro);

	snprintf(text, sizeof(text), "%s" INT64_FORMAT ".%06d", micro < 0 ? "-" : "",
			 size / DMP_DP_MICRO, (int) (size % DMP_DP_MICRO));
	return DirectFunctionCall1(
		numeric_trim_scale, DirectFunctionCall3(numeric_in, CStringGetDatum(text),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

int128
dmp_dp_laplace(int64 micro, DmpUint128 sensitivity)
{
	return dmp_discrete_laplace(&strong_bits, (uint64_t) micro, sensitivity * DMP_DP_MICRO);
}

double
dmp_dp_margin(int64 micro, double sensitivity)
{
	return dmp_laplace_margin((double) micro / DMP_DP_MICRO / sensitivity, 0.05);
}

Datum
dmp_numeric_of_int128(int128 value)
{
	char text[48];
	char *at = text + sizeof(text);
	unsigned __int128 rest = value < 0 ? -(unsigned __int128) value : (unsigned __int128) value;

	*--at = '\0';
	do
	{
		*--at = '0' + (int) (rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (value < 0)
		*--at = '-';
	return DirectFunctionCall3(numeric_in, CStringGetDatum(at), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(-1));
}

int128
dmp_int128_of_numeric(Datum numeric)
{
	const int128 most = (int128) 1 << 120;
	char *text = DatumGetCString(DirectFunctionCall1(numeric_out, numeric));
	bool negative = *text == '-';
	int128 value = 0;

	for (text += negative; *text >= '0' && *text <= '9'; text++)
	{
		value = value * 10 + (*text - '0');
		if (value > most)
			value = most;
	}
	return negative ? -value : value;
}

/* the sensitivity of a caller: 1 .. 10^15 */
static int64
check_sensitivity(int64 sensitivity)
{
	if (sensitivity < 1 || sensitivity > INT64CONST(1000000000000000))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("sensitivity must be between 1 and 10^15")));
	return sensitivity;
}

/* dmp.dp_noise(epsilon, sensitivity) -> numeric, a whole number */
Datum
dmp_dp_noise(PG_FUNCTION_ARGS)
{
	int64 micro = dmp_dp_micro(PG_GETARG_DATUM(0), DMP_DP_MAX_EPSILON);
	int64 sensitivity = check_sensitivity(PG_GETARG_INT64(1));

	return dmp_numeric_of_int128(dmp_dp_laplace(micro, sensitivity));
}

/* dmp.dp_error(epsilon, sensitivity, confidence) -> float8 */
Datum
dmp_dp_error(PG_FUNCTION_ARGS)
{
	int64 micro = dmp_dp_micro(PG_GETARG_DATUM(0), DMP_DP_MAX_EPSILON);
	double sensitivity = PG_GETARG_FLOAT8(1);
	double confidence = PG_GETARG_FLOAT8(2);

	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("confidence must be between 0 and 1")));
	if (!(sensitivity > 0) || isinf(sensitivity))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("sensitivity must be a positive number")));
	/* whole numbers have discrete noise, others a grid too fine to be seen */
	if (sensitivity != rint(sensitivity))
		PG_RETURN_FLOAT8(-log(1 - confidence) * sensitivity * DMP_DP_MICRO / (double) micro);
	PG_RETURN_FLOAT8(
		dmp_laplace_margin((double) micro / DMP_DP_MICRO / sensitivity, 1 - confidence));
}

/* dmp_internal.dp_random() -> bigint: the order in which rows of a subject are taken */
Datum
dmp_dp_random(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) (uint64) dmp_bits_below(&strong_bits, (DmpUint128) 1 << 64));
}
