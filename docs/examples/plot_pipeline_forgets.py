"""
A mixed table, and what a request changes in it
===============================================

Numbers with gaps, categories and words of 20,000 customers go through an imputer, a scaler, an
encoder and a vectorizer into a logistic regression. One customer, who is like no other, leaves.
This example shows what each step knew of that customer, what it knows afterwards, and how the time
of a request compares with that of training anew.
"""

# %%
# The table
# ---------
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skunlearn.compose import ColumnTransformer
from skunlearn.feature_extraction.text import CountVectorizer
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import LogisticRegression
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import OneHotEncoder, StandardScaler

pd.set_option("display.max_colwidth", None)
rng = np.random.default_rng(0)
n = 20_000
notes = ["asks for a price", "moved house", "called twice", "no answer"]
customers = pd.DataFrame(
    {
        "age": rng.integers(18, 90, n).astype(float),
        "income": rng.lognormal(8, 0.6, n).round(),
        "city": rng.choice(["Lagos", "Lima", "Oslo", "Pune"], n),
        "plan": rng.choice(["basic", "plus"], n),
        "note": rng.choice(notes, n),
    },
    index=[f"customer-{number}" for number in range(n)],
)
customers.loc[rng.random(n) < 0.1, "age"] = np.nan
singular = [97.0, 50_000_000.0, "Vaduz", "plus", "sold the yacht Persephone"]
customers.loc["customer-7"] = singular
left = rng.random(n) < np.where(customers["plan"] == "basic", 0.6, 0.3)


def build():
    """Make a pipeline for the table."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income"]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"]),
            ("words", CountVectorizer(), "note"),
        ]
    )
    return make_pipeline(columns, LogisticRegression())


model = build().fit(customers, left)
model

# %%
# What the steps know
# -------------------
# The scale of incomes, a city and four words are known from nobody else.


def knowledge(pipeline):
    """Collect what the steps in front of the model have learnt."""
    columns = pipeline[0]
    scaler = columns["numbers"][-1]
    return {
        "mean income": round(float(scaler.mean_[1])),
        "scale of incomes": round(float(scaler.scale_[1])),
        "cities": ", ".join(columns["categories"].categories_[0]),
        "words": ", ".join(columns["words"].get_feature_names_out()),
    }


before = knowledge(model)
model.unlearn("customer-7")
pd.DataFrame({"before": before, "after": knowledge(model)})

# %%
# The report tells which way each step went. Columns have gone, so the last step was fitted anew,
# from the weights it had. The time of the first request includes what is made only then: sorted
# columns, counts, and compiled code if it is the first on this machine.
model.unlearning_report_

# %%
# Somebody with nothing special takes no column along: the model follows the scaler by algebra.
# `explain_unlearn` says so before anything is changed.
for step in model.explain_unlearn("customer-8").steps:
    print(f"{step.name:<45} {step.way}")

# %%
# Time
# ----
# Ten requests for one customer each, and then a batch of a hundred. After each the pipeline is
# trained anew on the remaining rows, for comparison.
names = list(customers.index)
requests = [[name] for name in names[20:30]] + [names[100:200]]
seconds, retraining, steps, gaps = [], [], [], []
keep = customers.index != "customer-7"
for request in requests:
    start = perf_counter()
    model.unlearn(request)
    seconds.append(perf_counter() - start)
    report = model.unlearning_report_
    steps.append({step.name: step.seconds for step in report.steps})

    keep &= ~customers.index.isin(request)
    start = perf_counter()
    retrained = build().fit(customers[keep], left[keep])
    retraining.append(perf_counter() - start)
    ours = model.predict_proba(customers)
    gaps.append(np.abs(ours - retrained.predict_proba(customers)).max())

print(f"largest difference of a probability: {max(gaps):.0e}")
print(f"median time of a request: {1e3 * np.median(seconds):.1f} ms")
print(f"median time of training:  {1e3 * np.median(retraining):.0f} ms")

# %%
# Where the time goes: a request in the order of the steps, beside a training. What the steps leave
# of the whole request is the compositions' own.
parts = {
    "imputer": "columntransformer__numbers__simpleimputer",
    "scaler": "columntransformer__numbers__standardscaler",
    "encoder": "columntransformer__categories",
    "vectorizer": "columntransformer__words",
    "logistic regression": "logisticregression",
}
medians = [1e3 * np.median([step[name] for step in steps]) for name in parts.values()]
labels = [*parts, "whole request", "training anew"]
times = [*medians, 1e3 * np.median(seconds), 1e3 * np.median(retraining)]
colours = ["C0"] * len(parts) + ["C1", "0.5"]

figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
bars = axes.barh(labels, times, color=colours)
axes.bar_label(bars, [f"{t:.2f}" if t < 1 else f"{t:.0f}" for t in times], padding=4)
axes.invert_yaxis()
axes.set(xscale="log", xlabel="milliseconds (median of the requests)", title="Time of a request")
axes.margins(x=0.15)
plt.show()
