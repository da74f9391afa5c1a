"""accuracy.py data-folder psql-command [set ...]: run by test/bench/accuracy."""
import sys

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from datasets import Server, bank, credit, german, heart, pima, shoppers, shoppers_codes

FOLDS = 5
LAMBDA = 1e-4
BOUND = 0.002

data, sql = sys.argv[1], Server(sys.argv[2])

# name: (reader, the AUC that is known to be reachable)
SETS = {"shoppers": (shoppers, 0.892), "shoppers_codes": (shoppers_codes, 0.892), "bank": (bank, 0.789),
        "credit": (credit, 0.721), "german": (german, 0.77), "pima": (pima, 0.82), "heart": (heart, 0.89)}


def reference(frame, fold):
    """The same design by hand: scaled numbers, mean and flag for missing ones, one column a level."""
    train = np.arange(len(frame)) % FOLDS != fold
    columns = []
    for name in frame.columns:
        values = frame[name]
        if name == "target":
            continue
        if values.dtype == bool:
            columns.append(values.astype(float).values)
        elif pd.api.types.is_numeric_dtype(values):
            values = values.astype(float).values
            missing = np.isnan(values)
            mean, sd = np.nanmean(values[train]), np.nanstd(values[train])
            columns.append(np.where(missing, 0, (values - mean) / (sd or 1)))
            if missing[train].any():
                columns.append(missing.astype(float))
        else:
            columns.extend((values == level).astype(float).values for level in sorted(values[train].unique()))
    x, y = np.column_stack(columns), frame["target"].values
    fit = LogisticRegression(C=1 / (train.sum() * LAMBDA), solver="newton-cholesky", tol=1e-8, max_iter=500)
    fit.fit(x[train], y[train])
    return roc_auc_score(y[~train], fit.decision_function(x[~train]))


sql("CREATE EXTENSION dmp")
bad = False
print("%-16s %8s %8s %10s" % ("data set", "dmp", "sklearn", "difference"))
for name in sys.argv[3:] or SETS:
    reader, floor = SETS[name]
    frame = reader(data)
    sql.load(name, frame)
    ours, theirs = [], []
    for fold in range(FOLDS):
        sql("SELECT status FROM dmp.train('%s', 'SELECT * FROM %s WHERE id %% %d <> %d', 'target', lambda => %g, exclude => '{id}', deploy => false)"
            % (name, name, FOLDS, fold, LAMBDA))
        ours.append(float(sql("SELECT dmp.roc_auc(dmp.predict('%s@latest', t), target) FROM %s AS t WHERE id %% %d = %d" % (name, name, FOLDS, fold))))
        theirs.append(reference(frame, fold))
    ours, theirs = np.mean(ours), np.mean(theirs)
    fine = abs(ours - theirs) <= BOUND and ours >= floor
    bad = bad or not fine
    print("%-16s %8.4f %8.4f %10.4f  %s" % (name, ours, theirs, ours - theirs, "PASS" if fine else "over"))
sys.exit(bad)
