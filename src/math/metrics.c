/*-------------------------------------------------------------------------
 * metrics.c
 *		Metrics of a binary classifier; definitions in metrics.h.
 *
 * Positives and negatives are sorted apart, so that without weights the sort
 * moves bare 64-bit keys; then one merge from the top meets the groups of
 * equal scores in order and feeds all three rank metrics at once. For the auc
 * of rows that count alike a merge without branches will do: which of the two
 * classes comes next is what no processor can guess.
 *-------------------------------------------------------------------------
 */
#include "math/metrics.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS 6 /* 6 x 11 >= 64 */
#define UPPER 3  /* digits 3 .. 5: sign, exponent, 19 bits of mantissa */
#define SMALL 64
#define RADIX (1 << DIGIT_BITS)
#define CHECK_EVERY (1 << 18) /* rows between two calls of env->check */

static inline uint64_t
sort_key(double x)
{
	uint64_t bits;

	if (isnan(x))
		return UINT64_MAX;
	x += 0.0; /* -0 becomes 0 */
	memcpy(&bits, &x, sizeof(bits));
	return (bits >> 63) ? ~bits : bits | (UINT64_C(1) << 63);
}

uint64_t
dmp_sort_key(double x)
{
	return sort_key(x);
}

double
dmp_sort_key_value(uint64_t key)
{
	uint64_t bits = (key >> 63) ? key & ~(UINT64_C(1) << 63) : ~key;
	double x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* for a few rows; stable */
static void
insertion_sort(size_t n, uint64_t *keys, double *payload)
{
	size_t i, j;

	for (i = 1; i < n; i++)
	{
		uint64_t k = keys[i];
		double p = payload ? payload[i] : 0;

		for (j = i; j > 0 && keys[j - 1] > k; j--)
		{
			keys[j] = keys[j - 1];
			if (payload)
				payload[j] = payload[j - 1];
		}
		keys[j] = k;
		if (payload)
			payload[j] = p;
	}
}

/* one stable counting pass from (a, pa) to (b, pb) by digit d; count holds starts */
static void
scatter(size_t n, const uint64_t *a, const double *pa, uint64_t *b, double *pb, int d,
		size_t *start, const DmpMathEnv *env)
{
	int shift = d * DIGIT_BITS;
	size_t done, i;

	for (done = 0; done < n; done = i)
	{
		size_t end = n - done > CHECK_EVERY ? done + CHECK_EVERY : n;

		env->check();
		for (i = done; i < end; i++)
		{
			size_t at = start[(a[i] >> shift) & (RADIX - 1)]++;

			b[at] = a[i];
			if (pa)
				pb[at] = pa[i];
		}
	}
}

/* stable, by digits first .. DIGITS - 1, ascending; returns where the keys are then: keys or other */
static uint64_t *
sort_digits(size_t n, uint64_t *keys, double *payload, int first, uint64_t *other,
			double *other_payload, const DmpMathEnv *env)
{
	size_t(*count)[RADIX] = env->alloc(sizeof(*count) * DIGITS);
	uint64_t *a = keys;
	double *pa = payload;
	size_t i;
	int d;

	memset(count, 0, sizeof(*count) * DIGITS);
	for (i = 0; i < n; i++)
	{
		if (i % CHECK_EVERY == 0)
			env->check();
		for (d = first; d < DIGITS; d++)
			count[d][(keys[i] >> (d * DIGIT_BITS)) & (RADIX - 1)]++;
	}
	for (d = first; d < DIGITS; d++)
	{
		size_t sum = 0;
		int r, back = a != keys;

		/* a digit that all keys share needs no pass */
		if (count[d][(a[0] >> (d * DIGIT_BITS)) & (RADIX - 1)] == n)
			continue;
		for (r = 0; r < RADIX; r++)
		{
			size_t c = count[d][r];

			count[d][r] = sum;
			sum += c;
		}
		scatter(n, a, pa, back ? keys : other, back ? payload : other_payload, d, count[d], env);
		a = back ? keys : other;
		pa = back ? payload : other_payload;
	}
	env->release(count);
	return a;
}

static void
copy_back(size_t n, uint64_t *keys, double *payload, const uint64_t *from,
		  const double *from_payload)
{
	memcpy(keys, from, n * sizeof(uint64_t));
	if (payload)
		memcpy(payload, from_payload, n * sizeof(double));
}

/*
 * The upper half of the digits tells nearly all numbers apart; the few runs
 * that agree there are sorted by themselves. Returns where the keys are then;
 * the payload is beside them. SMALL keys at least.
 */
static uint64_t *
sort_between(size_t n, uint64_t *keys, double *payload, uint64_t *other, double *other_payload,
			 const DmpMathEnv *env)
{
	uint64_t *sorted = sort_digits(n, keys, payload, UPPER, other, other_payload, env);
	double *p = sorted == keys ? payload : other_payload;
	uint64_t *scratch = sorted == keys ? other : keys;
	double *scratch_payload = sorted == keys ? other_payload : payload;
	size_t i, end;

	for (i = 0; i < n; i = end)
	{
		uint64_t top = sorted[i] >> (UPPER * DIGIT_BITS);
		uint64_t differ = 0;

		for (end = i + 1; end < n && sorted[end] >> (UPPER * DIGIT_BITS) == top; end++)
		{
			differ |= sorted[end] ^ sorted[i];
			if (end % CHECK_EVERY == 0)
				env->check();
		}
		if (differ == 0)
			continue;
		if (end - i < 4 * SMALL)
			insertion_sort(end - i, sorted + i, payload ? p + i : NULL);
		else if (sort_digits(end - i, sorted + i, payload ? p + i : NULL, 0, scratch + i,
							 payload ? scratch_payload + i : NULL, env) != sorted + i)
			copy_back(end - i, sorted + i, payload ? p + i : NULL, scratch + i,
					  payload ? scratch_payload + i : NULL);
	}
	return sorted;
}

void
dmp_radix_sort(size_t n, uint64_t *keys, double *payload, const DmpMathEnv *env)
{
	uint64_t *other;
	double *other_payload;

	if (n < SMALL)
	{
		insertion_sort(n, keys, payload);
		return;
	}
	other = env->alloc(n * sizeof(uint64_t));
	other_payload = payload ? env->alloc(n * sizeof(double)) : NULL;
	if (sort_between(n, keys, payload, other, other_payload, env) != keys)
		copy_back(n, keys, payload, other, other_payload);
	if (other_payload)
		env->release(other_payload);
	env->release(other);
}

/* weight of the group at the end of one class's sorted keys, which it takes off */
static double
take_group(uint64_t key, const uint64_t *keys, const double *weight, size_t *n)
{
	double sum = 0;

	while (*n > 0 && keys[*n - 1] == key)
	{
		(*n)--;
		sum += weight ? weight[*n] : 1.0;
	}
	return sum;
}

/* both classes sorted ascending; consumed from the top */
static void
merge_classes(const uint64_t *pos, const double *wpos, size_t npos, const uint64_t *neg,
			  const double *wneg, size_t nneg, const DmpMathEnv *env, DmpRankMetrics *out)
{
	double P = out->weight_positive, N = out->weight_negative;
	double tp = 0, fp = 0, wins = 0, ap = 0, ks = 0;
	size_t steps = 0;

	while (npos > 0 || nneg > 0)
	{
		uint64_t key;
		double p, q, gap;

		if (++steps % CHECK_EVERY == 0)
			env->check();
		if (npos == 0)
			key = neg[nneg - 1];
		else if (nneg == 0 || pos[npos - 1] > neg[nneg - 1])
			key = pos[npos - 1];
		else
			key = neg[nneg - 1];
		p = take_group(key, pos, wpos, &npos);
		q = take_group(key, neg, wneg, &nneg);
		/* each negative of the group loses to the positives above it, draws with its own */
		wins += q * (tp + 0.5 * p);
		tp += p;
		fp += q;
		if (p > 0)
			ap += p * (tp / (tp + fp));
		gap = fabs(tp / P - fp / N);
		if (gap > ks)
			ks = gap;
	}
	out->roc_auc = (P > 0 && N > 0) ? wins / P / N : NAN;
	out->average_precision = P > 0 ? ap / P : NAN;
	out->ks = (P > 0 && N > 0) ? ks : NAN;
}

void
dmp_rank_metrics(size_t n, const double *score, const unsigned char *label, const double *weight,
				 const DmpMathEnv *env, DmpRankMetrics *out)
{
	uint64_t *keys;
	double *w = NULL;
	size_t npos = 0, at_pos = 0, at_neg, i;

	out->weight_positive = out->weight_negative = 0;
	for (i = 0; i < n; i++)
	{
		double wi = weight ? weight[i] : 1.0;

		npos += label[i] != 0;
		if (label[i])
			out->weight_positive += wi;
		else
			out->weight_negative += wi;
	}
	keys = env->alloc((n + 1) * sizeof(uint64_t));
	if (weight)
		w = env->alloc((n + 1) * sizeof(double));
	at_neg = npos;
	for (i = 0; i < n; i++)
	{
		size_t at = label[i] ? at_pos++ : at_neg++;

		if (i % CHECK_EVERY == 0)
			env->check();
		keys[at] = sort_key(score[i]);
		if (w)
			w[at] = weight[i];
	}
	dmp_radix_sort(npos, keys, w, env);
	dmp_radix_sort(n - npos, keys + npos, w ? w + npos : NULL, env);
	merge_classes(keys, w, npos, keys + npos, w ? w + npos : NULL, n - npos, env, out);
	if (w)
		env->release(w);
	env->release(keys);
}

/*
 * Twice the pairs that are in order, ties once, both classes ascending. Each
 * step takes one key off the end of the class that has the larger one; a
 * negative counts the positives taken before it.
 */
static uint64_t
count_wins(const uint64_t *pos, size_t npos, const uint64_t *neg, size_t nneg,
		   const DmpMathEnv *env)
{
	size_t i = npos, j = nneg;
	uint64_t wins = 0;

	while (i > 0 && j > 0)
	{
		size_t stop = i + j > CHECK_EVERY ? i + j - CHECK_EVERY : 0;
		size_t ties[2] = {0, 0};
		uint64_t key;

		env->check();
		while (i > 0 && j > 0 && i + j > stop && pos[i - 1] != neg[j - 1])
		{
			size_t up = pos[i - 1] > neg[j - 1];

			/* all ones for a negative */
			wins += 2 * (npos - i) & (up - 1);
			i -= up;
			j -= 1 - up;
		}
		if (i == 0 || j == 0 || pos[i - 1] != neg[j - 1])
			continue;
		key = pos[i - 1];
		for (; i > 0 && pos[i - 1] == key; i--)
			ties[1]++;
		for (; j > 0 && neg[j - 1] == key; j--)
			ties[0]++;
		wins += (uint64_t) ties[0] * (2 * (npos - i) - ties[1]);
	}
	/* the negatives that are left lie below all positives */
	return wins + 2 * (uint64_t) npos * j;
}

double
dmp_rank_auc(size_t n, const double *score, const unsigned char *label, const DmpMathEnv *env)
{
	size_t npos = 0, i, done, at[2];
	uint64_t *keys, *other, *pos, *neg;
	double auc;

	for (i = 0; i < n; i++)
		npos += label[i];
	if (npos == 0 || npos == n)
		return NAN;
	keys = env->alloc(n * sizeof(uint64_t));
	at[0] = npos;
	at[1] = 0;
	for (done = 0; done < n; done = i)
	{
		size_t end = n - done > CHECK_EVERY ? done + CHECK_EVERY : n;

		env->check();
		for (i = done; i < end; i++)
			keys[at[label[i]]++] = sort_key(score[i]);
	}
	pos = keys;
	neg = keys + npos;
	dmp_radix_sort(npos, pos, NULL, env);
	if (n - npos < SMALL)
	{
		insertion_sort(n - npos, neg, NULL);
		other = NULL;
	}
	else
	{
		other = env->alloc((n - npos) * sizeof(uint64_t));
		neg = sort_between(n - npos, neg, NULL, other, NULL, env);
	}
	auc = (double) count_wins(pos, npos, neg, n - npos, env) / 2 / npos / (n - npos);
	if (other)
		env->release(other);
	env->release(keys);
	return auc;
}

double
dmp_histogram_auc(int nbins, const double *positive, const double *negative, double *error)
{
	double tp = 0, fp = 0, wins = 0, shared = 0;
	int i;

	for (i = nbins - 1; i >= 0; i--)
	{
		wins += negative[i] * (tp + 0.5 * positive[i]);
		shared += 0.5 * positive[i] * negative[i];
		tp += positive[i];
		fp += negative[i];
	}
	if (!(tp > 0 && fp > 0))
	{
		if (error)
			*error = NAN;
		return NAN;
	}
	if (error)
		*error = shared / tp / fp;
	return wins / tp / fp;
}

double
dmp_log_loss_margin(double margin, int label)
{
	double t = label ? margin : -margin;

	return t > 0 ? log1p(exp(-t)) : log1p(exp(t)) - t;
}

double
dmp_log_loss_probability(double p, int label)
{
	double q = label ? p : 1 - p;

	if (q < 0x1p-53)
		q = 0x1p-53;
	if (q > 1 - 0x1p-53)
		q = 1 - 0x1p-53;
	return -log(q);
}

double
dmp_sigmoid(double margin)
{
	double e;

	if (margin >= 0)
		return 1 / (1 + exp(-margin));
	e = exp(margin);
	return e / (1 + e);
}

void
dmp_confusion_add(DmpConfusion *c, int predicted, int label, double weight)
{
	if (label)
		*(predicted ? &c->true_positive : &c->false_negative) += weight;
	else
		*(predicted ? &c->false_positive : &c->true_negative) += weight;
}

void
dmp_confusion_merge(DmpConfusion *into, const DmpConfusion *from)
{
	into->true_positive += from->true_positive;
	into->false_positive += from->false_positive;
	into->true_negative += from->true_negative;
	into->false_negative += from->false_negative;
}

static double
ratio(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

double
dmp_precision(const DmpConfusion *c)
{
	return ratio(c->true_positive, c->true_positive + c->false_positive);
}

double
dmp_recall(const DmpConfusion *c)
{
	return ratio(c->true_positive, c->true_positive + c->false_negative);
}

double
dmp_f1(const DmpConfusion *c)
{
	return ratio(2 * c->true_positive,
				 2 * c->true_positive + c->false_positive + c->false_negative);
}
