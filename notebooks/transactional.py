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
# # Customers without a contract: CDNOW
#
# Nobody says when such a customer leaves: it stops buying. The models here infer it from how often and how recently a
# customer bought. The data ship inside lifetimes: the published sample of 2,357 customers, fitted to their first 39
# weeks and held against the next 39.

# %%
import warnings

import pandas as pd

import lifeworth as lw

warnings.simplefilter("ignore", UserWarning)  # what they say is kept in fit.notes, shown below
pd.set_option("display.precision", 2)

book = lw.datasets.cdnow(sample=True)
ledger = lw.Ledger.from_transactions(book.transactions, as_of=book.as_of, currency="USD")
table = ledger.purchase_table(cohort="month", as_of=book.calibration_end)
table.frame.head()

# %% [markdown]
# ## Distinct histories become a posterior
#
# One row stands for all customers with the same repeat purchases, last purchase and age. Three parts are fitted: the
# purchases (BG/NBD), the spend (gamma-gamma), and how the purchase rate drifts over the calendar. Histories are read at
# the pace of the drift: a dull month is not taken for customers gone.

# %%
options = lw.SamplerOptions(draws=600, tune=300, chains=2, target_accept=0.9)
fit = lw.fit_purchases(table, pooling="complete", seed=7, sampler=options)
print(fit.diagnostics)
for note in fit.notes:
    print(note)
fit.summary()[["part", "parameter", "mean", "low", "high"]]

# %% [markdown]
# ## Is what the models assume so?
#
# Spend is taken as independent of frequency, times between purchases as exponential. Both are tested, and a refuted one
# is a warning.

# %%
spend, timing = lw.spend_check(fit), lw.timing_check(fit)
print(f"correlation of frequency and spend {spend.correlation:.2f} ({spend.low:.2f} to {spend.high:.2f})")
print(f"regularity of purchases {timing.regularity:.2f} ({timing.low:.2f} to {timing.high:.2f}), 1 is at random")
spend.by_frequency

# %% [markdown]
# ## Would the bands have held?

# %%
tracking = lw.track(fit)
lw.plot.tracking(tracking)

# %% [markdown]
# The model alone, without drift: its bands, which are what other packages show, miss.

# %%
alone = lw.fit_purchases(table, pooling="complete", spend=None, drift=False, seed=7, sampler=options)
both = {"with drift": tracking, "alone": lw.track(alone)}
pd.concat({name: found.scores().set_index("measure") for name, found in both.items()})

# %%
lw.plot.frequency_bins(lw.by_frequency(fit))

# %% [markdown]
# ## The posterior becomes money
#
# Residual value of the customers at `as_of`, and CLTV of a new one with its first purchase. Draws of purchases and of
# spend are paired, so the band has the uncertainty of both.

# %%
terms = lw.Economics(gross_margin=0.30, discount_rate_annual=0.15, horizon_years=5, currency="USD")
value = lw.value_purchases(fit, terms)
names = ["accounts", "residual", "residual P10", "residual P90", "cltv", "cltv P10", "cltv P90"]
value.summary()[[*names, "purchases_12_months", "p_alive"]]

# %% [markdown]
# Each customer, looked up in the engine: who is still active, what it will buy, what it is worth.

# %%
scores = lw.score_purchases(value, ledger)
scores.frame.sort("residual", descending=True).head(5).collect().to_pandas()

# %% [markdown]
# ## What lifetimes would have said
#
# Its `customer_lifetime_value` of the same customers, and the way from there to the posterior mean, step by step.

# %%
comparison = lw.compare_purchases(value)
print(comparison.summary()["verdict"][0])
comparison.steps[["step", "amount", "change"]].round(0)
