/* test_metrics.c - rank metrics against the definition, pair by pair */
#include "unit.h"
#include "math/hash.h"
#include "math/metrics.h"

#define MAX 3000

/* wins of positives over negatives, ties one half, over all pairs */
static double
brute_auc(int n, const double *s, const unsigned char *y, const double *w)
{
	double wins = 0, pairs = 0;
	int i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			if (y[i] && !y[j])
			{
				double ww = w ? w[i] * w[j] : 1;

				pairs += ww;
				wins += ww * (s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0);
			}
	return wins / pairs;
}

/* precision at each positive's own threshold, averaged over positives */
static double
brute_ap(int n, const double *s, const unsigned char *y, const double *w)
{
	double sum = 0, total = 0;
	int i, j;

	for (i = 0; i < n; i++)
		if (y[i])
		{
			double wi = w ? w[i] : 1, above = 0, hits = 0;

			for (j = 0; j < n; j++)
				if (s[j] >= s[i])
				{
					above += w ? w[j] : 1;
					hits += (w ? w[j] : 1) * y[j];
				}
			total += wi;
			sum += wi > 0 ? wi * hits / above : 0;
		}
	return sum / total;
}

static double
brute_ks(int n, const double *s, const unsigned char *y, const double *w)
{
	double best = 0;
	int i, j;

	for (i = 0; i < n; i++)
	{
		double a[2] = {0, 0}, all[2] = {0, 0};

		for (j = 0; j < n; j++)
		{
			all[y[j]] += w ? w[j] : 1;
			if (s[j] >= s[i])
				a[y[j]] += w ? w[j] : 1;
		}
		if (fabs(a[1] / all[1] - a[0] / all[0]) > best)
			best = fabs(a[1] / all[1] - a[0] / all[0]);
	}
	return best;
}

static void
random_case(int n, int distinct, int weighted, uint64_t seed)
{
	static double s[MAX], w[MAX];
	static unsigned char y[MAX];
	DmpRandom r;
	DmpRankMetrics m;
	int i;

	dmp_random_init(&r, seed, 0);
	for (i = 0; i < n; i++)
	{
		y[i] = dmp_random_below(&r, 3) == 0;
		s[i] = dmp_random_normal(&r) + y[i];
		if (distinct)
			s[i] = floor(s[i] * distinct) / distinct;
		w[i] = dmp_random_below(&r, 10) == 0 ? 0 : dmp_random_unit(&r) * 3;
	}
	y[0] = 0;
	y[1] = 1;
	w[0] = w[1] = 1;
	dmp_rank_metrics(n, s, y, weighted ? w : NULL, &unit_env, &m);
	near(m.roc_auc, brute_auc(n, s, y, weighted ? w : NULL), 1e-13, "roc_auc against all pairs");
	near(m.average_precision, brute_ap(n, s, y, weighted ? w : NULL), 1e-13,
		 "average precision against its definition");
	near(m.ks, brute_ks(n, s, y, weighted ? w : NULL), 1e-13, "ks against its definition");
	if (!weighted)
		near(dmp_rank_auc(n, s, y, &unit_env), m.roc_auc, 0, "roc_auc alone is the same");
}

static void
sorting(void)
{
	static uint64_t k[MAX];
	static double p[MAX];
	DmpRandom r;
	int i, sorted = 1, together = 1;

	dmp_random_init(&r, 77, 0);
	for (i = 0; i < MAX; i++)
	{
		p[i] = ldexp(dmp_random_normal(&r), (int) dmp_random_below(&r, 600) - 300);
		k[i] = dmp_sort_key(p[i]);
	}
	dmp_radix_sort(MAX, k, p, &unit_env);
	for (i = 0; i < MAX; i++)
	{
		sorted &= i == 0 || p[i - 1] <= p[i];
		together &= dmp_sort_key_value(k[i]) == p[i];
	}
	ok(sorted, "radix sort orders doubles of any size and sign");
	ok(together, "the payload moves with its key");
	for (i = 0; i < MAX; i++)
	{
		p[i] = 1 + 1e-13 * dmp_random_unit(&r);
		k[i] = dmp_sort_key(p[i]);
	}
	dmp_radix_sort(MAX, k, p, &unit_env);
	for (i = 1, sorted = 1; i < MAX; i++)
		sorted &= p[i - 1] <= p[i];
	ok(sorted, "numbers that differ in their last bits only");
	ok(dmp_sort_key(-0.0) == dmp_sort_key(0.0), "-0 sorts as 0");
	ok(dmp_sort_key(-INFINITY) < dmp_sort_key(-1e308) &&
		   dmp_sort_key(1e308) < dmp_sort_key(INFINITY) &&
		   dmp_sort_key(INFINITY) < dmp_sort_key(NAN),
	   "infinities sort at the ends, NaN last");
}

void
test_metrics(void)
{
	DmpRankMetrics m;
	DmpConfusion c = {0};
	double s2[4] = {0, -0.0, INFINITY, -INFINITY};
	unsigned char y2[4] = {0, 1, 1, 0};
	double hp[3] = {1, 2, 3}, hn[3] = {3, 2, 1}, err;

	random_case(2, 0, 0, 1);
	random_case(50, 0, 0, 2);
	random_case(1000, 0, 0, 3);
	random_case(1000, 4, 0, 4);
	random_case(MAX, 1, 1, 5);
	random_case(777, 0, 1, 6);
	sorting();
	dmp_rank_metrics(4, s2, y2, NULL, &unit_env, &m);
	near(m.roc_auc, 0.875, 0, "-0 ties with 0, infinities rank");
	near(dmp_rank_auc(4, s2, y2, &unit_env), 0.875, 0, "so they do for the auc alone");
	y2[0] = y2[3] = 1;
	dmp_rank_metrics(4, s2, y2, NULL, &unit_env, &m);
	near(m.roc_auc, NAN, 0, "one class: no auc");
	near(dmp_rank_auc(4, s2, y2, &unit_env), NAN, 0, "nor alone");
	near(m.average_precision, 1, 0, "all positive: precision is 1");
	dmp_rank_metrics(0, s2, y2, NULL, &unit_env, &m);
	near(m.roc_auc, NAN, 0, "no rows: no auc");
	near(m.average_precision, NAN, 0, "no rows: no average precision");
	/* by hand: wins 3*2+3*3+2*3 + half of 3+4+3, of 36 */
	near(dmp_histogram_auc(3, hp, hn, &err), 26.0 / 36, 1e-15, "auc of a histogram");
	near(err, 5.0 / 36, 1e-15, "and its error bound");
	near(dmp_log_loss_margin(800, 0), 800, 0, "log loss of a large wrong margin");
	near(dmp_log_loss_margin(800, 1), 0, 1e-300, "log loss of a large right margin");
	near(dmp_log_loss_margin(0.3, 1), log(1 + exp(-0.3)), 1e-15, "log loss of a small one");
	near(dmp_log_loss_probability(0, 1), 53 * log(2), 1e-12, "a probability of 0 is clipped");
	near(dmp_sigmoid(-800), 0, 1e-300, "sigmoid does not underflow into an error");
	near(dmp_sigmoid(2), 1 / (1 + exp(-2.0)), 1e-16, "sigmoid");
	dmp_confusion_add(&c, 1, 1, 3);
	dmp_confusion_add(&c, 1, 0, 1);
	dmp_confusion_add(&c, 0, 1, 2);
	near(dmp_precision(&c), 0.75, 0, "precision");
	near(dmp_recall(&c), 0.6, 1e-16, "recall");
	near(dmp_f1(&c), 6.0 / 9, 1e-16, "f1");
}
