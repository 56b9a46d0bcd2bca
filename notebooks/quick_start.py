# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quick start: from a ledger to a posterior CLTV
#
# The demo ledger is simulated, so the true value of every segment is known and the posterior can be held against it.
# On your own data, replace `demo.spells` by a path, a frame or an engine's table.

# %%
import warnings

import pandas as pd

import lifeworth as lw

warnings.simplefilter("ignore", UserWarning)  # what they say is kept in fit.notes, shown below
pd.set_option("display.precision", 4)

demo = lw.datasets.saas(seed=7)
demo.spells.head()

# %% [markdown]
# ## Rows become cells
#
# One row of the ledger is one spell of one customer. The cohort table counts them where they are: accounts and money
# by cohort, segment, tenure and calendar quarter. Everything after this reads the cells and no customer row.

# %%
ledger = lw.Ledger.from_spells(demo.spells, as_of=demo.as_of, acquired="acquired", currency="USD")
table = ledger.cohort_table(period="month", cohort="year", by=["segment"])
table.triangle("retention").iloc[:, [0, 1, 3, 6, 12, 18, 24, 30]]

# %% [markdown]
# ## Cells become a posterior
#
# The defaults are the recommended model: churn free to vary over tenure, segments that share strength, a calendar level
# that drifts and goes on drifting, cohorts of different quality. Fewer draws than the default keep this notebook short.

# %%
options = lw.SamplerOptions(draws=500, tune=300, chains=2)
fit = lw.fit(table, seed=7, sampler=options)
print(fit.diagnostics)
for note in fit.notes:
    print(note)

# %%
lw.plot.survival(fit)

# %% [markdown]
# ## The posterior becomes money
#
# Two kinds of uncertainty, always named. `parameter`: the expected value is not known exactly. `predictive`: what these
# accounts will bring is not known even if it were. CLTV is that of an account acquired at `as_of`, gross of CAC.

# %%
terms = lw.Economics(
    gross_margin=0.80, discount_rate_annual=0.12, horizon_years=5, cac=demo.terms["cac"], currency="USD"
)
value = lw.value(fit, terms, draws=400)
value.summary()[["CLTV", "CLTV parameter P10", "CLTV parameter P90", "CLTV P10", "CLTV P90", "CLTV:CAC"]].round(2)

# %% [markdown]
# The truth, which only a simulated ledger has:

# %%
truth = demo.truth()
truth[truth["cohort"] == "new"].round({"cltv": 0, "cltv_cac": 2})

# %%
lw.plot.bands(value)

# %% [markdown]
# ## What a spreadsheet would have said
#
# Every formula beside the posterior. "As practised" is the formula as it is used: trailing rates and no end. "Aligned"
# gives the same constant rates the posterior's horizon, discounting and timing, so that what is left of the gap is the
# constant rates themselves.

# %%
comparison = lw.compare(value)
comparison.summary()[["method", "basis", "estimate", "verdict"]].round({"estimate": 0})

# %%
lw.plot.compare(comparison, segment=["Enterprise"])

# %% [markdown]
# The way from the first formula to the posterior mean, one assumption at a time. Every step is a valuation of its own,
# and they add up.

# %%
lw.plot.gap(comparison.gap())

# %%
decisions = comparison.decisions()
decisions = decisions[(decisions["segment"] == "all") & (decisions["kind"] == "parameter")]
decisions = decisions[decisions["basis"] == "as practised"]
decisions[["method", "decision", "formula", "formula_says", "posterior", "wrong"]].round(2).head(28)

# %% [markdown]
# ## Would it have predicted the last year?
#
# The table is cut back by four quarters, fitted again and asked for the quarters that are known by now.

# %%
backtest = lw.backtest(table, holdout=4, seed=7, sampler=options)
backtest.summary()[["measure", "method", "n", "bias", "crps", "width_80", "coverage_80", "coverage_90"]].round(4)
