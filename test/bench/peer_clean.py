"""The same cleaning with other tools: pandas, Polars, DuckDB, Spark, and OpenRefine's
fingerprint as a Python function (OpenRefine itself is a server with a browser).

Each line is elapsed seconds and processor seconds (of the Python process: Spark's are not
in it) of the best of two runs. A tool that
is not installed is skipped. Everything begins at the files of the folder; the tools
keep results in memory, DuckDB in its own file, Spark as Parquet.
"""
import os
import re
import resource
import shutil
import sys
import time
import unicodedata

folder = sys.argv[1]
lines, dirty, names, numbers = (os.path.join(folder, f) for f in ("lines.json", "dirty.csv", "names.csv", "numbers.csv"))
TOKENS = ["N/A", "?", "-", ""]
SHARES = [0.05, 0.25, 0.5, 0.75, 0.95]


def processor():
    return sum(r.ru_utime + r.ru_stime for r in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))


def measure(tool, work, act):
    best = None
    for _ in range(2):
        start, used = time.time(), processor()
        result = act()
        took = (time.time() - start, processor() - used, result)
        best = took if best is None or took[0] < best[0] else best
    print("  %-12s %-38s %9.2f s %9.2f s   %s" % (tool, work, best[0], best[1], best[2]), flush=True)


def with_pandas():
    import pandas as pd

    def recipe():
        df = pd.read_csv(dirty, dtype=str, keep_default_na=False)
        for column in df.columns:
            df[column] = df[column].str.strip()
        df = df.replace(TOKENS, None)
        df = df[df["user_id"].notna()]
        df = df.astype({"user_id": "int64", "click_id": "int64", "click_duration": "float64", "order_value": "float64"})
        df["click_time"] = pd.to_datetime(df["click_time"], format="ISO8601")
        df = df.sort_values("click_id").drop_duplicates(["user_id", "click_time"], keep="last")
        df["click_duration"] = df["click_duration"] / 60
        df["click_duration"] = df["click_duration"].fillna(df["click_duration"].mean())
        df["device"] = df["device"].fillna(df["device"].mode()[0])
        df["page"] = df["page"].fillna("unknown")
        df = df[df["order_value"] >= 0]
        return "%d rows" % len(df.rename(columns={"click_duration": "minutes"}))

    measure("pandas", "json lines, typed", lambda: "%d rows" % len(pd.read_json(lines, lines=True, convert_dates=["at"])))
    measure("pandas", "csv, as texts", lambda: "%d rows" % len(pd.read_csv(dirty, dtype=str, keep_default_na=False)))
    measure("pandas", "recipe of 10 steps, from the csv", recipe)
    df = pd.read_csv(numbers)
    measure("pandas", "median, by group", lambda: "%.6f" % df.groupby("g")["x"].median().sum())
    measure("pandas", "five quantiles of all", lambda: "%.6f" % df["x"].quantile(SHARES).sum())


def with_polars():
    import polars as pl

    def recipe():
        df = pl.scan_csv(dirty, infer_schema=False)
        text = pl.all().str.strip_chars()
        df = df.with_columns(text).with_columns(pl.when(pl.all().is_in(TOKENS)).then(None).otherwise(pl.all()).name.keep())
        df = df.filter(pl.col("user_id").is_not_null()).with_columns(
            pl.col("user_id", "click_id").cast(pl.Int64), pl.col("click_duration", "order_value").cast(pl.Float64),
            pl.col("click_time").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
        df = df.sort("click_id").unique(["user_id", "click_time"], keep="last")
        df = df.with_columns(pl.col("click_duration") / 60)
        df = df.with_columns(pl.col("click_duration").fill_null(pl.col("click_duration").mean()), pl.col("page").fill_null("unknown"),
                             pl.col("device").fill_null(pl.col("device").drop_nulls().mode().first()))
        return "%d rows" % df.filter(pl.col("order_value") >= 0).rename({"click_duration": "minutes"}).collect().height

    measure("Polars", "json lines, typed",
            lambda: "%d rows" % pl.read_ndjson(lines).with_columns(pl.col("at").str.to_datetime(time_zone="UTC")).height)
    measure("Polars", "csv, as texts", lambda: "%d rows" % pl.read_csv(dirty, infer_schema=False).height)
    measure("Polars", "recipe of 10 steps, from the csv", recipe)
    df = pl.read_csv(numbers)
    measure("Polars", "median, by group", lambda: "%.6f" % df.group_by("g").agg(pl.col("x").median())["x"].sum())
    measure("Polars", "five quantiles of all", lambda: "%.6f" % sum(df["x"].quantile(q, "linear") for q in SHARES))


CLEAN = """WITH t AS (SELECT {trimmed} FROM {source}),
c AS (SELECT CAST(user_id AS BIGINT) AS user_id, CAST(click_id AS BIGINT) AS click_id, CAST(click_time AS TIMESTAMP) AS click_time,
    CAST(click_duration AS DOUBLE) / 60 AS minutes, page, device, CAST(order_value AS DOUBLE) AS order_value FROM t WHERE user_id IS NOT NULL),
d AS (SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY user_id, click_time ORDER BY click_id DESC) AS place FROM c) n WHERE place = 1)
SELECT user_id, click_id, click_time, coalesce(minutes, (SELECT avg(minutes) FROM d)) AS minutes, coalesce(page, 'unknown') AS page,
    coalesce(device, (SELECT mode(device) FROM d)) AS device, order_value FROM d WHERE order_value >= 0"""
COLUMNS = ["user_id", "click_id", "click_time", "click_duration", "page", "device", "order_value"]


def trimmed():
    return ", ".join("CASE WHEN trim({0}) IN ('N/A', '?', '-', '') THEN NULL ELSE trim({0}) END AS {0}".format(c) for c in COLUMNS)


def with_duckdb():
    import duckdb

    path = os.path.join(folder, "peer.duckdb")
    if os.path.exists(path):
        os.remove(path)
    db = duckdb.connect(path)

    def make(name, query):
        db.execute("CREATE OR REPLACE TABLE %s AS %s" % (name, query))
        return "%d rows" % db.execute("SELECT count(*) FROM " + name).fetchone()[0]

    fields = "{'id': 'BIGINT', 'user_id': 'INTEGER', 'at': 'TIMESTAMPTZ', 'page': 'VARCHAR', 'device': 'VARCHAR', 'seconds': 'DOUBLE', 'amount': 'DECIMAL(12,2)', 'bought': 'BOOLEAN'}"
    csv = "read_csv('%s', header = true, all_varchar = true)" % dirty
    measure("DuckDB", "json lines, typed",
            lambda: make("lines", "SELECT * FROM read_json('%s', format = 'newline_delimited', columns = %s)" % (lines, fields)))
    measure("DuckDB", "csv, as texts", lambda: make("dirty", "SELECT * FROM " + csv))
    measure("DuckDB", "recipe of 10 steps, from the csv", lambda: make("cleaned", CLEAN.format(trimmed=trimmed(), source=csv)))
    make("numbers", "SELECT * FROM read_csv('%s')" % numbers)
    measure("DuckDB", "median, by group",
            lambda: "%.6f" % db.execute("SELECT sum(m) FROM (SELECT median(x) AS m FROM numbers GROUP BY g) q").fetchone()[0])
    measure("DuckDB", "five quantiles of all",
            lambda: "%.6f" % sum(db.execute("SELECT quantile_cont(x, %s) FROM numbers" % SHARES).fetchone()[0]))


def with_spark():
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[*]").config("spark.driver.memory", "4g").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")

    def write(frame):
        target = os.path.join(folder, "peer.parquet")
        frame.write.mode("overwrite").parquet(target)
        return "%d rows" % spark.read.parquet(target).count()

    def recipe():
        spark.read.csv(dirty, header=True).createOrReplaceTempView("dirty")
        return write(spark.sql(CLEAN.format(trimmed=trimmed(), source="dirty")))

    measure("Spark", "json lines, typed", lambda: write(spark.read.schema(
        "id bigint, user_id int, at timestamp, page string, device string, seconds double, amount decimal(12,2), bought boolean").json(lines)))
    measure("Spark", "csv, as texts", lambda: write(spark.read.csv(dirty, header=True)))
    measure("Spark", "recipe of 10 steps, from the csv", recipe)
    spark.read.csv(numbers, header=True, schema="g int, x double").createOrReplaceTempView("numbers")
    measure("Spark", "median, by group",
            lambda: "%.6f" % spark.sql("SELECT sum(m) FROM (SELECT median(x) AS m FROM numbers GROUP BY g)").first()[0])
    measure("Spark", "five quantiles of all",
            lambda: "%.6f" % sum(spark.sql("SELECT percentile(x, array(%s)) FROM numbers" % ", ".join(map(str, SHARES))).first()[0]))
    spark.stop()


def with_fingerprint():
    """OpenRefine's key: trimmed, lower case, punctuation out, ASCII, words sorted, each once."""

    def key(text):
        text = re.sub(r"[^\w\s]|_", "", text.strip().lower())
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        return " ".join(sorted(set(text.split())))

    def cluster():
        found = {}
        with open(names, encoding="utf-8") as values:
            for value in values:
                found.setdefault(key(value), set()).add(value)
        return "%d clusters" % sum(len(v) > 1 for v in found.values())

    measure("fingerprint", "in Python, in place of OpenRefine", cluster)


print("  %-12s %-38s %11s %11s" % ("tool", "work", "elapsed", "processor"))
for tool, run, module in (("pandas", with_pandas, "pandas"), ("Polars", with_polars, "polars"), ("DuckDB", with_duckdb, "duckdb"),
                          ("Spark", with_spark, "pyspark"), ("fingerprint", with_fingerprint, None)):
    try:
        if module:
            __import__(module)
        if module == "pyspark" and not shutil.which("java"):
            raise ImportError("no java")
    except ImportError:
        print("  %-12s skipped: not installed" % tool)
        continue
    try:
        run()
    except Exception as error:  # another version of the tool: the others go on
        print("  %-12s failed: %s" % (tool, str(error).split("\n")[0]))
