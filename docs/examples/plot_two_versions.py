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
patient = 24

model = Ridge(alpha=1.0).fit(X, y, sample_ids="row numbers")
before = np.append(model.coef_, model.intercept_)
model.unlearn(patient)
after = np.append(model.coef_, model.intercept_)
print(model.unlearning_report_)

# %%
# The attack
# ----------
# Write a row as ``z = (x, 1)``, and let ``C`` be the matrix of the normal equations with the
# patient: the sum of all ``z z'`` plus the penalty ``alpha`` on the diagonal, except for the
# intercept. The normal equations before and after differ by the patient's row alone and give ::
#
#     C (b_before - b_after) = r z
#
# where ``r`` is the patient's residual under the second model [1]_. The last entry of ``z`` is 1,
# so the last entry of the left side *is* ``r``, and a division gives the row.


def reconstruct(moments):
    """Return the removed row, given a guess of C."""
    change = moments @ (before - after)
    return change[:-1] / change[-1]


def second_moments(rows, n_samples):
    """Return C for `n_samples` rows that look like `rows`."""
    z = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.diag([1.0] * rows.shape[1] + [0.0])
    return n_samples / len(rows) * z.T @ z + penalty


exact = reconstruct(second_moments(X, len(X)))
error = np.abs(exact / X[patient] - 1.0).max()
print(f"largest relative error: {error:.1e}")

# %%
# That was an attacker who knows the second moments of the training table: the owner of the model,
# or whoever got them. One who has half as many other patients of the same clinic instead still gets
# close. This patient is a typical one: done for each of the 442 patients in turn, the guess is off
# by a fifth of the row's length in the median, in standardized units, and its direction is right
# (cosine 0.99).
others = np.delete(X, patient, axis=0)[::2]
similar = reconstruct(second_moments(others, len(X)))

mean, scale = X.mean(axis=0), X.std(axis=0)
rows = X[patient], exact, similar
true, known, guess = ((row - mean) / scale for row in rows)
position = np.arange(len(columns))
figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
axes.bar(position, true, color="0.75", label="the patient's row")
axes.plot(position, known, "o", color="C0", label="computed, moments known")
axes.plot(position, guess, "x", color="C3", ms=9, mew=2, label="similar rows")
axes.axhline(0.0, color="0.3", lw=0.8)
axes.set_xticks(position, columns)
axes.set_ylabel("standard deviations from the mean")
axes.set_title("A removed row, computed from two versions")
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
