"""The public data sets of the accuracy and objective comparisons, as frames with a column target."""
import shlex
import subprocess
import sys

import pandas as pd


class Server:
    """psql as a command: sql(text) -> what it prints."""

    def __init__(self, command):
        self.command = shlex.split(command)

    def __call__(self, text, rows=None):
        done = subprocess.run(self.command + ["-c", text], input=rows, text=True, capture_output=True)
        if done.returncode:
            sys.exit(text[:200] + "\n" + done.stderr)
        return done.stdout.strip()

    def load(self, name, frame):
        """Makes a table of the frame, with its row number as id."""
        columns = ", ".join('"%s" %s' % (c, kind(frame[c])) for c in frame.columns)
        self('CREATE TABLE "%s" (id int, %s)' % (name, columns))
        self('COPY "%s" FROM STDIN (FORMAT csv)' % name, frame.to_csv(header=False))


def kind(values):
    if values.dtype == bool:
        return "boolean"
    return "float8" if pd.api.types.is_numeric_dtype(values) else "text"


def shoppers(data):
    frame = pd.read_csv(data + "/online_shoppers/online_shoppers_intention.csv")
    return frame.rename(columns={"Revenue": "target"})


def shoppers_codes(data):
    frame = shoppers(data)
    for name in ("OperatingSystems", "Browser", "Region", "TrafficType"):
        frame[name] = frame[name].astype(str)
    return frame


def bank(data):
    frame = pd.read_csv(data + "/bank_marketing/bank-additional-full.csv", sep=";").drop(columns="duration")
    frame["target"] = frame.pop("y") == "yes"
    return frame


def credit(data):
    frame = pd.read_csv(data + "/credit_default_uci/UCI_Credit_Card.csv").drop(columns="ID")
    frame["target"] = frame.pop("default.payment.next.month") == 1
    return frame


def german(data):
    frame = pd.read_csv(data + "/german_credit/german.csv", header=None)
    frame.columns = ["a%d" % i for i in range(frame.shape[1])]
    frame["target"] = frame.pop("a20") == 2
    return frame


def pima(data):
    frame = pd.read_csv(data + "/pima/pima-indians-diabetes.csv", header=None)
    frame.columns = ["a%d" % i for i in range(frame.shape[1])]
    frame["target"] = frame.pop("a8") == 1
    return frame


def heart(data):
    frame = pd.read_csv(data + "/heart_cleveland/processed.cleveland.csv", na_values="?")
    frame["target"] = frame.pop("C") > 0
    return frame
