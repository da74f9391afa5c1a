"""objective.py data-folder psql-command folder [set ...]: run by test/bench/objective.

The design is written out by hand: numbers centred and divided by their deviation, a flag for missing
values, a column a level (those below ten rows together). On it the objective is the same for all three, without any
conversion:

    mean log loss + lambda sum_j [alpha |b_j| + (1 - alpha) / 2 b_j^2]

and is computed here, from each one's coefficients.
"""
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd

from datasets import Server, credit, german, heart, pima, shoppers_codes

BOUND = 1e-7
KKT = 1e-6
SHARES = (0.5, 0.1, 0.01, 0.001)
ALPHAS = (0, 0.25, 0.5, 0.75, 1)
SETS = {"pima": pima, "heart": heart, "german": german, "credit": credit, "shoppers": shoppers_codes}

data, sql, folder = sys.argv[1], Server(sys.argv[2]), sys.argv[3]


def design(frame):
    """names as (feature, level) of dmp.coefficients, columns, deviations"""
    names, columns, scale = [], [], []

    def add(name, level, values, s=1.0):
        names.append((name, level))
        columns.append(values)
        scale.append(s)

    for name in frame.columns:
        values = frame[name]
        if name == "target":
            continue
        if values.dtype == bool:
            add(name, "", values.values.astype(float))
        elif pd.api.types.is_numeric_dtype(values):
            values = values.values.astype(float)
            missing = np.isnan(values)
            filled = np.where(missing, np.nanmean(values), values)
            sd = filled.std()
            add(name, "", (filled - filled.mean()) / sd, sd)
            if missing.any():
                add(name, "(missing)", missing.astype(float))
        else:
            counts = values.value_counts()
            for level in sorted(counts.index[counts >= 10]):
                add(name, level, (values == level).values.astype(float))
            rare = values.isin(counts.index[counts < 10]).values
            if rare.any():
                add(name, "(other)", rare.astype(float))
    return names, np.column_stack(columns), np.array(scale)


def objective(x, y, intercept, b, penalty, alpha):
    margin = intercept + x @ b
    loss = np.mean(np.logaddexp(0, margin) - y * margin)
    return loss + penalty * (alpha * np.abs(b).sum() + (1 - alpha) / 2 * (b @ b))


def residual(x, y, intercept, b, penalty, alpha):
    """largest violation of the optimality conditions, on the columns of the design"""
    margin = intercept + x @ b
    error = 1 / (1 + np.exp(-margin)) - y
    g = x.T @ error / len(y) + penalty * (1 - alpha) * b
    inside = np.maximum(np.abs(g) - penalty * alpha, 0)
    return max(np.where(b != 0, np.abs(g + penalty * alpha * np.sign(b)), inside).max(), abs(error.mean()))


def ours(name, names, x, scale, penalty, alpha):
    status = sql("SELECT status FROM dmp.train('%s', '%s', 'target', lambda => %r, alpha => %r, exclude => '{id}')"
                 % (name, name, float(penalty), float(alpha)))
    rows = sql("SELECT json_agg(json_build_array(feature, coalesce(level, ''), coef)) FROM dmp.coefficients"
               " JOIN dmp.models USING (model, version) WHERE model = '%s' AND deployed" % name)
    coef = {(f, l): c for f, l, c in json.loads(rows)}
    intercept = coef.pop(("(intercept)", ""))
    if set(coef) != set(names):
        sys.exit("%s: the columns are others: %s" % (name, set(coef) ^ set(names)))
    b = np.array([coef[n] for n in names]) * scale
    mean = MEANS[name]
    return status, intercept + mean @ (b / scale), b


def glmnet(pairs):
    """(intercept, b) for each pair"""
    with open(folder + "/pairs.csv", "w") as out:
        out.writelines("%r,%r\n" % (float(p), float(a)) for p, a in pairs)
    program = """
        library(glmnet)
        x <- as.matrix(read.csv('%s/x.csv', header = FALSE)); y <- scan('%s/y.csv', quiet = TRUE)
        pairs <- read.csv('%s/pairs.csv', header = FALSE)
        glmnet.control(fdev = 0, devmax = 1)
        for (i in 1:nrow(pairs)) {
          path <- pairs[i, 1] * 10^seq(1, 0, length.out = 5)
          fit <- glmnet(x, y, family = 'binomial', lambda = path, alpha = pairs[i, 2], standardize = FALSE,
                        thresh = 1e-16, maxit = 1e7)
          cat(format(c(fit$a0[5], as.vector(fit$beta[, 5])), digits = 17), '\\n')
        }""" % (folder, folder, folder)
    done = subprocess.run(["Rscript", "-e", program], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return [(float(v[0]), np.array(v[1:], float)) for v in map(str.split, done.stdout.strip().splitlines())]


def spark_fits(x, y, pairs):
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.linalg import Vectors
    rows = SPARK.createDataFrame([(Vectors.dense(r), float(t)) for r, t in zip(x, y)], ["features", "label"]).coalesce(1).cache()
    found = []
    for penalty, alpha in pairs:
        fit = LogisticRegression(maxIter=10000, tol=1e-14, regParam=float(penalty), elasticNetParam=float(alpha),
                                 standardization=False).fit(rows)
        found.append((fit.intercept, fit.coefficients.toArray()))
    return found


SPARK = None
if shutil.which("java"):
    try:
        from pyspark.sql import SparkSession
        SPARK = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    except ImportError:
        pass
if SPARK is None:
    print("Spark: skipped, not installed")
MEANS = {}
sql("CREATE EXTENSION dmp")
bad = False
print("%-10s %6s %6s %12s %12s %12s" % ("data set", "rows", "fits", "glmnet", "Spark", "KKT"))
for name in sys.argv[4:] or SETS:
    frame = SETS[name](data)
    sql.load(name, frame)
    names, x, scale = design(frame)
    y = frame["target"].values.astype(float)
    # centred numbers: where the margin is moved by in going from the columns as given
    MEANS[name] = np.array([frame[f].astype(float).mean() if s != 1 and level == "" else 0.0 for (f, level), s in zip(names, scale)])
    top = np.abs(x.T @ (y - y.mean())).max() / len(y)
    pairs = [(top * share, alpha) for alpha in ALPHAS for share in SHARES]
    np.savetxt(folder + "/x.csv", x, delimiter=",", fmt="%.17g")
    np.savetxt(folder + "/y.csv", y, fmt="%d")
    theirs = {"glmnet": glmnet(pairs) if shutil.which("Rscript") else None,
              "Spark": spark_fits(x, y, pairs) if SPARK else None}
    worst, kkt = {"glmnet": 0.0, "Spark": 0.0}, 0.0
    for i, (penalty, alpha) in enumerate(pairs):
        status, intercept, b = ours(name, names, x, scale, penalty, alpha)
        if status != "converged":
            sys.exit("%s, lambda %g, alpha %g: %s" % (name, penalty, alpha, status))
        mine = objective(x, y, intercept, b, penalty, alpha)
        kkt = max(kkt, residual(x, y, intercept, b, penalty, alpha))
        for peer, fits in theirs.items():
            if fits:
                other = objective(x, y, fits[i][0], fits[i][1], penalty, alpha)
                worst[peer] = max(worst[peer], abs(mine - other) / other, key=abs)
    fine = kkt <= KKT and all(v <= BOUND for v in worst.values())
    bad = bad or not fine
    print("%-10s %6d %6d %12s %12s %12.1e  %s" % (name, len(y), len(pairs),
          *("%.1e" % worst[p] if theirs[p] else "-" for p in ("glmnet", "Spark")), kkt, "PASS" if fine else "over"))
sys.exit(bad)
