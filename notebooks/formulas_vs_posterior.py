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
# # Why does your number differ from my spreadsheet's?
#
# Fourteen formulas for customer lifetime value beside a posterior, and the way from one to the other in steps that add
# up. First on a simulated ledger, whose truth is known; then on a real book of motor insurance, with what happened in
# the year after.

# %%
import warnings
from pathlib import Path

import pandas as pd

import lifeworth as lw

warnings.simplefilter("ignore", UserWarning)
pd.set_option("display.precision", 3, "display.max_colwidth", 70, "display.width", 160)

demo = lw.datasets.saas(seed=7)
ledger = lw.Ledger.from_spells(demo.spells, as_of=demo.as_of, acquired="acquired", currency="USD")
table = ledger.cohort_table(period="month", cohort="year", by=["segment"])
options = lw.SamplerOptions(draws=500, tune=300, chains=2)
fit = lw.fit(table, seed=7, sampler=options)
terms = lw.Economics(
    gross_margin=0.80, discount_rate_annual=0.12, horizon_years=5, cac=demo.terms["cac"], currency="USD"
)
value = lw.value(fit, terms, draws=400)
truth = demo.truth().query("cohort == 'new'")[["segment", "cltv"]].round(0)
truth

# %% [markdown]
# ## Each formula twice
#
# *As practised*: the rates of the trailing twelve months, mostly undiscounted and without end. *Aligned*: the same
# assumption about churn and growth with the posterior's horizon, discounting, dates and cost. What is left of the gap
# when a formula is aligned is the assumption itself.

# %%
comparison = lw.compare(value)
comparison.summary()[["method", "basis", "estimate", "posterior mean", "percentile", "verdict"]]

# %% [markdown]
# ## The gap, to the last dollar
#
# Every step is a valuation with one thing changed. The order is fixed; the reverse order shows how much of a step is
# due to its place.

# %%
gap = comparison.gap("ARPA x margin / churn")
gap.table().round(0)

# %%
lw.plot.gap(gap)

# %%
comparison.gap("ARPA x margin / churn", reverse=True).table().round(0)

# %% [markdown]
# ## Somebody's own spreadsheet
#
# A mapping, a frame or a range of an .xlsx. The first row is exactly what the sheet says; the next steps exchange its
# numbers for those of the ledger.

# %%
sheet = {"ARPA": 1_500, "Gross margin": "80%", "Monthly churn": "2.5%", "Monthly expansion": "1%"}
with_sheet = lw.compare(value, inputs=sheet)
with_sheet.gap("with expansion, linear").table().round(0)

# %% [markdown]
# ## Does it change a decision?
#
# `wrong` is the probability, under the posterior, that the formula's answer is the wrong one.

# %%
practised = "kind == 'parameter' and basis == 'as practised' and decision == 'CLTV:CAC'"
decisions = comparison.decisions().query(practised)
flips = decisions.pivot_table(index="method", columns="segment", values="wrong", sort=False)
flips.round(2)

# %% [markdown]
# ## A real book
#
# Motor insurance contracts in Spain (Segura-Gisbert, Lledo & Pavia 2024, European Actuarial Journal). The data are not
# part of the project: without them this part says so and ends.

# %%
found = [folder / "shared/data/motor_insurance/ledger.parquet" for folder in (Path.cwd(), *Path.cwd().parents)]
motor = next((path for path in found if path.exists()), None)
if motor is None:
    print("The motor book is not here.")

# %% [markdown]
# The book as it stood on 30 November 2017, in annual terms. Margins are measured on terms that began at least a year
# before: claims of recent ones are not all in.

# %%
if motor is not None:
    spells = pd.read_parquet(motor)
    whole = lw.Ledger.from_spells(motor, as_of="2018-11-30", amount_per="year", acquired="acquired").cohort_table(
        period="year", cohort="year", calendar="quarter", by=["channel", "risk"]
    )
    then = whole.cut(4)
    costs = spells.rename(columns={"amount": "revenue", "claims_cost": "cost"})
    margin = lw.measured_margin(costs, as_of="2018-11-30", mature_months=12, by=["channel", "risk"])
    motor_terms = lw.Economics(
        gross_margin=margin, discount_rate_annual=0.10, horizon_years=5, timing="start", currency="EUR"
    )
    motor_value = lw.value(lw.fit(then, seed=1, sampler=options), motor_terms, draws=400)
    motor_comparison = lw.compare(motor_value)
    print(motor_comparison.summary()[["method", "basis", "estimate", "verdict"]].to_string(index=False))

# %%
motor_picture = None if motor is None else lw.plot.gap(motor_comparison.gap("ARPA x margin / churn"))
motor_picture

# %% [markdown]
# ## How the next year came out
#
# Every formula, two curves, their stacked mixture and the forecasts people make without a model, asked on that day for
# the four quarters that followed. A formula is a point: its CRPS is its absolute error, and it has no band.

# %%
if motor is not None:
    board = lw.scoreboard(whole, holdout=4, churn=[lw.Smooth(), lw.BetaDiscreteWeibull()], seed=1, sampler=options)
    shown = ["measure", "method", "kind", "n", "bias", "crps", "width_80", "coverage_80"]
    print(board.summary().query("measure in ('logo_retention', 'nrr')")[shown].round(3).to_string(index=False))

# %%
motor_scores = None if motor is None else lw.plot.scoreboard(board, "nrr")
motor_scores
