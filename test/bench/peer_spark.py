"""The same fits with Spark ML: time, and how far the coefficients are apart.

Spark standardises with divisor n - 1, which moves a penalised fit by about 1/n.
"""
import sys
import time

from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession

folder = sys.argv[1]
spark = SparkSession.builder.master("local[*]").config("spark.driver.memory", "4g").getOrCreate()
start = time.time()
data = spark.read.csv(folder + "/data.csv", inferSchema=True)
names = data.columns
data = VectorAssembler(inputCols=names[:-1], outputCol="features").transform(data)
data = data.withColumnRenamed(names[-1], "label").select("features", "label").cache()
data.count()
print("  Spark: load the csv %45.2f s" % (time.time() - start))

ours = {}
for line in open(folder + "/coef.csv"):
    model, feature, coef = line.strip().split(",")
    ours.setdefault(model, {})[feature] = float(coef)
for name, model, penalty, ratio in (("no penalty", "bench_plain", 0.0, 0.0), ("elastic net", "bench_net", 0.01, 0.5)):
    start = time.time()
    fit = LogisticRegression(maxIter=200, tol=1e-10, regParam=penalty, elasticNetParam=ratio).fit(data)
    took = time.time() - start
    apart = max(abs(ours[model]["x%d" % (j + 1)] - c) for j, c in enumerate(fit.coefficients))
    print("  Spark: %-45s %11.2f s   coefficients apart by %.1e" % (name, took, apart))
