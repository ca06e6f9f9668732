"""
People leave a pipeline
=======================

A scaler and a ridge regression are trained on the records of 442 diabetes patients. One after the
other, 20 of them ask to be forgotten. After each request the pipeline is compared with one that is
trained from scratch without them, and with one in which only the last step forgets.
"""

# %%
# Fit, with ids
# -------------
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from skunlearn.linear_model import Ridge
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler

X, y = load_diabetes(return_X_y=True, scaled=False)
patients = np.array([f"patient-{number}" for number in range(len(X))])


def fit(keep):
    """Train on the given rows."""
    pipeline = make_pipeline(StandardScaler(), Ridge())
    return pipeline.fit(X[keep], y[keep], sample_ids=patients[keep])


model = fit(np.full(len(X), True))
last_step_only = fit(np.full(len(X), True))
model

# %%
# One request
# -----------
# The report says which way each step went: the scaler subtracted the row from its moments, the
# ridge regression followed the scaler by algebra, without a pass over the other rows.
order = np.random.default_rng(0).permutation(len(X))[:20]
model.unlearn(patients[order[0]])
last_step_only[-1].unlearn(patients[order[0]])
model.unlearning_report_

# %%
# Nineteen more
# -------------
keep = np.full(len(X), True)
keep[order[0]] = False
seconds, retraining_seconds, gaps, last_step_gaps = [], [], [], []
for patient in order[1:]:
    keep[patient] = False
    start = perf_counter()
    model.unlearn(patients[patient])
    seconds.append(perf_counter() - start)

    start = perf_counter()
    retrained = fit(keep)
    retraining_seconds.append(perf_counter() - start)

    last_step_only[-1].unlearn(patients[patient])
    expected = retrained.predict(X)
    gaps.append(np.abs(model.predict(X) - expected).max())
    last_step_gaps.append(np.abs(last_step_only.predict(X) - expected).max())

print(f"largest difference from retraining: {max(gaps):.1e}")
print(f"if only the last step forgets:      {max(last_step_gaps):.1e}")

# %%
# Predictions are around 150, so a difference of 1e-12 is rounding. If only the last step forgets,
# the scaler goes on remembering: the difference is small here and still ten thousand million times
# larger, and it is made of the people who left.
figure, (above, below) = plt.subplots(2, figsize=(7, 6.5), layout="constrained")
requests = np.arange(2, len(order) + 1)
above.semilogy(requests, last_step_gaps, "s-", color="C3", label="last step only")
above.semilogy(requests, gaps, "o-", color="C0", label="whole pipeline")
above.set(ylabel="largest difference", title="Difference from retraining")
above.legend()
below.semilogy(requests, retraining_seconds, "s-", color="0.4", label="retraining")
below.semilogy(requests, seconds, "o-", color="C0", label="unlearn")
below.set(xlabel="request", ylabel="seconds", title="Time of a request")
below.legend()
plt.show()

# %%
# The table is small, so retraining is quick here; its time grows with the table, that of a request
# does not. What a model deployed for predictions should look like: scikit-learn's own classes,
# without a single training row.
model.to_predictor()
