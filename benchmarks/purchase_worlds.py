"""Simulated customers whose purchases drift: does next year's band hold? `purchase_worlds.py [WORLDS]`.

6,000 customers a world, won over three years, BG/NBD with rates and dropout drawn for each world; the pace of all
purchases goes by quarters as the law of the drift says, its sizes drawn from the prior. Fitted to three years (the
purchase model at its posterior mode, the drift exactly), forecast for the fourth. Three readings: the purchase model
alone; a drift over histories read as they are; the default, histories read at the pace of the drift.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from purchase_origins import expected, scored

from lifeworth._parameters import draw_prior
from lifeworth._walk import Stand, walked
from lifeworth.bayes.mode import posterior_mode
from lifeworth.ledger import Ledger
from lifeworth.purchase_fitting import PurchaseJob
from lifeworth.purchases import BGNBD
from lifeworth.results import SamplerOptions, theta_of
from lifeworth.transactional.buckets import observed_buckets
from lifeworth.transactional.drift import drift_parameters, factors_ahead
from lifeworth.transactional.model import CustomerIndex, TransactionalModel, histories, merged_rows

CUSTOMERS, YEARS = 6_000, 3
BUCKET = 91 / 365.25


def main() -> None:
    warnings.simplefilter("ignore")
    rows = []
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 100):
        rows += [{"world": number} | row for row in judged(number)]
    found = pd.DataFrame(rows).groupby("reading", sort=False)
    table = found[["mean", "crps", "width_80", "c80", "c90"]].mean()
    table["error"] = found["mean"].apply(lambda mean: (mean - 1).abs().mean())
    print(table.round(3).assign(n=found.size()).to_string())


def judged(number):
    """Scores of the total of the fourth year, by reading."""
    rng = np.random.default_rng([73, number])
    table = world(rng)
    model, law = TransactionalModel(BGNBD(), None, pooling="complete"), BGNBD()
    index = CustomerIndex.of(table, model)
    job = PurchaseJob(table, index, model, number, SamplerOptions(draws=1000, chains=2))
    seen = table.activity.query("0 < bucket <= 4")["purchases"].sum()
    none, settled = np.zeros(len(table.frame), dtype=int), job.settled()
    for reading, read in (("purchase model alone", None), ("read as they are", None), ("read at the pace", settled)):
        history, customers, _ = merged_rows(histories(law, table, read), table.customers, (none, none))
        parameters = model.parameters("purchases", index.shape)
        theta, _ = posterior_mode(parameters, lambda t, h=history, c=customers: float(law.log_likelihood(h, t)[0] @ c))
        units = {n: np.broadcast_to(v, (1, len(index.cohorts))) for n, v in theta.items()}
        later = np.broadcast_to(expected(law, history, customers, theta, 4 * [BUCKET]), (2000, 4))
        if reading != "purchase model alone":
            draws, _ = job.drift(job.ready(observed_buckets(law, table, index, units, read)))
            later = later * factors_ahead(theta_of(draws), settled, 4, rng)[1]
        yield {"reading": reading} | scored(rng.poisson(later.sum(axis=1)), seen)


def world(rng):
    """A purchase table of three years with what came in the fourth."""
    quarters = round((YEARS + 1) / BUCKET) + 1
    sizes = draw_prior((p for p in drift_parameters(2, 4) if p.size is None), rng, 1)
    sd, share = sizes["calendar_sd"][:, 0], sizes["calendar_persistence"][:, 0]
    first = Stand(sd / np.sqrt(1 - share**2) * rng.standard_normal(1), sd**2)
    path = np.append(first.step, walked(rng.standard_normal((1, quarters - 1)), first, share, 0.0))
    pace = np.exp(path + sizes["bucket_noise"].item() * rng.standard_normal(quarters))
    edges = YEARS + BUCKET * (np.arange(quarters + 1) - round(YEARS / BUCKET))  # a bucket ends at as_of
    clock = np.concatenate([[0.0], np.cumsum(pace * BUCKET)])
    rate, dropout = rng.uniform(2, 8), rng.uniform(0.08, 0.25)
    start = rng.uniform(0, YEARS, CUSTOMERS)
    gaps = rng.exponential(1 / rng.gamma(1.0, rate, CUSTOMERS)[:, None], (CUSTOMERS, 150))
    times = np.interp(np.interp(start, edges, clock)[:, None] + np.cumsum(gaps, axis=1), clock, edges, right=99.0)
    lasts = rng.geometric(rng.beta(5 * dropout, 5 * (1 - dropout), CUSTOMERS).clip(1e-6))
    who, k = np.nonzero((times < YEARS + 4 * BUCKET) & (np.arange(1, 151) <= lasts[:, None]))
    days = np.floor(np.concatenate([start, times[who, k]]) * 365.25)
    frame = pd.DataFrame({"customer_id": np.concatenate([np.arange(CUSTOMERS), who]).astype(str), "amount": 1.0})
    frame["date"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    ledger = Ledger.from_transactions(frame, as_of="2023-12-31")
    return ledger.purchase_table(as_of="2022-12-31", grid="week", cohort="year", calendar="quarter")


if __name__ == "__main__":
    main()
