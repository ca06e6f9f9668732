"""
What an attacker sees from two versions
=======================================

A patient asks to be removed from a model, and is: exactly. The model from before had been
published, the one from after is published too. This example plays somebody who has both and
computes the patient's row from them. Exact unlearning makes a model forget; it does not make the
*change* of a model harmless.
"""

# %%
# A model forgets one patient
# ---------------------------
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from skunlearn.linear_model import Ridge

table = load_diabetes(scaled=False)
X, y, columns = table.data, table.target, table.feature_names
patient = 123

model = Ridge(alpha=1.0).fit(X, y)
before = np.append(model.coef_, model.intercept_)
model.unlearn(patient)
after = np.append(model.coef_, model.intercept_)
print(model.unlearning_report_)

# %%
# The attack
# ----------
# Write a row as :math:`z = (x, 1)` and let :math:`C = \sum z z^\top + \alpha I` (no penalty on the
# intercept) be the matrix of the normal equations with the patient. The normal equations before and
# after differ by the patient's row alone, and give
#
# .. math:: C (b_{before} - b_{after}) = r z,
#
# where :math:`r` is the patient's residual under the second model [1]_. The last entry of
# :math:`z` is 1, so the last entry of the left side *is* :math:`r`, and a division gives
# the row.


def reconstruct(moments):
    """Return the removed row, given a guess of C."""
    change = moments @ (before - after)
    return change[:-1] / change[-1]


def second_moments(rows, n_samples):
    """Return C for a table of `n_samples` rows that look like `rows`."""
    z = np.column_stack([rows, np.ones(len(rows))])
    return n_samples / len(rows) * z.T @ z + np.diag([1.0] * rows.shape[1] + [0.0])


exact = reconstruct(second_moments(X, len(X)))
print("largest relative error:", np.abs(exact / X[patient] - 1.0).max())

# %%
# That was an attacker who knows the second moments of the training table: the owner of the model,
# or whoever got them. One who has other patients of the same clinic instead, half as many, still
# learns most of the row. Bars are standard deviations from the average patient.
others = np.delete(X, patient, axis=0)[::2]
similar = reconstruct(second_moments(others, len(X)))

mean, scale = X.mean(axis=0), X.std(axis=0)
place = np.arange(len(columns))
figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
axes.bar(place, (X[patient] - mean) / scale, color="0.75", label="the patient's row")
axes.plot(place, (exact - mean) / scale, "o", color="C0", label="computed, moments known")
axes.plot(place, (similar - mean) / scale, "x", color="C3", ms=9, mew=2, label="from similar rows")
axes.axhline(0.0, color="0.3", lw=0.8)
axes.set_xticks(place, columns)
axes.set_ylabel("standard deviations from the mean")
axes.set_title("A removed row, computed from the model before and after")
axes.legend()
plt.show()

# %%
# What follows
# ------------
# Retraining from scratch would have given the same two models, so this is no weakness of a
# particular way to unlearn. Do not publish both versions to the same people; remove in batches; or
# publish noisy models with a privacy budget. The user guide says what each of these is worth:
# :doc:`/user_guide/promises`.
#
# .. [1] Bertran et al.: Reconstruction attacks on machine unlearning: simple models are
#    vulnerable, NeurIPS 2024.
