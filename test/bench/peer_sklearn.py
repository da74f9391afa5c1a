"""The same fits with scikit-learn: time, and how far the coefficients are apart."""
import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

folder = sys.argv[1]
start = time.time()
data = np.loadtxt(folder + "/data.csv", delimiter=",")
print("  scikit-learn: load the csv %38.2f s" % (time.time() - start))
x, y = data[:, :-1], data[:, -1]
mean, sd = x.mean(axis=0), x.std(axis=0)
z = (x - mean) / sd

ours = {}
for line in open(folder + "/coef.csv"):
    model, feature, coef = line.strip().split(",")
    ours.setdefault(model, {})[feature] = float(coef)


def compare(name, model, fit):
    start = time.time()
    fit.fit(z, y)
    took = time.time() - start
    coef = fit.coef_[0] / sd
    intercept = fit.intercept_[0] - (coef * mean).sum()
    mine = ours[model]
    apart = max(abs(mine["x%d" % (j + 1)] - coef[j]) for j in range(len(coef)))
    apart = max(apart, abs(mine["(intercept)"] - intercept))
    print("  scikit-learn: %-38s %11.2f s   coefficients apart by %.1e" % (name, took, apart))


compare("no penalty, newton-cholesky", "bench_plain",
        LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=100))
if len(y) <= 2_000_000:
    compare("elastic net, saga", "bench_net",
            LogisticRegression(C=1 / (len(y) * 0.01), l1_ratio=0.5, solver="saga", tol=1e-6, max_iter=50))
