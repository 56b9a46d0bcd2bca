"""Bands of purchases over many origins of CDNOW, donations and madrigal: `purchase_origins.py`.

The drift of the purchase rate, its prior and its season are judged where they matter: over every origin that leaves
some history, and something after it. At each the purchase model stands at its posterior mode, with histories read at
the pace of the drift (its own uncertainty is small beside the drift's), the drift is drawn exactly, and repeat
purchases of all customers are forecast by bucket. Origins of a book overlap: they are not independent. Shares are of
what happened.
"""

import warnings

import numpy as np
import pandas as pd

from lifeworth.bayes.mode import posterior_mode
from lifeworth.ledger import Ledger
from lifeworth.purchase_fitting import PurchaseJob
from lifeworth.purchases import History
from lifeworth.results import SamplerOptions, theta_of
from lifeworth.transactional.buckets import bucket_length, observed_buckets
from lifeworth.transactional.drift import factors_ahead
from lifeworth.transactional.model import CustomerIndex, TransactionalModel, counts, histories, merged_rows
from purchases import books

AHEAD = {13: 9, 4: 4, 1: 5}


def main() -> None:
    warnings.simplefilter("ignore")
    found = pd.concat([forecasts(name.split(",")[0], *book) for name, *book in books()], ignore_index=True)
    for columns in (["book", "what"], ["book", "what", "origin"]):
        grouped = found.groupby(columns)
        table = grouped[["mean", "crps", "width_80", "c80", "c90"]].mean().round(3)
        print(table.assign(n=grouped.size(), origins=grouped["origin"].nunique()).to_string(), flush=True)


def origins(name, as_of, origin):
    """Days to forecast from."""
    end = pd.Timestamp(as_of)
    if name == "CDNOW":
        return [pd.Timestamp(origin) + pd.Timedelta(weeks=4 * k) for k in range(-4, 7)]
    if name == "donations":
        return [pd.Timestamp(f"{year}-07-02") for year in range(2000, 2006)]
    return [end - pd.Timedelta(days=91 * k) for k in range(11, 0, -1)]


def forecasts(name, rows, as_of, origin, options, law):
    """Scores of every origin and bucket ahead."""
    model, found = TransactionalModel(law, None, pooling="complete"), []
    for day in origins(name, as_of, origin):
        table = Ledger.from_transactions(rows, as_of=as_of).purchase_table(as_of=day.date(), **options)
        index = CustomerIndex.of(table, model)
        job = PurchaseJob(table, index, model, 1, SamplerOptions(draws=2000, chains=2))
        read = None if counts(law) else job.settled()
        none = np.zeros(len(table.frame), dtype=int)
        history, customers, _ = merged_rows(histories(law, table, read), table.customers, (none, none))
        parameters = model.parameters("purchases", index.shape)
        theta, _ = posterior_mode(parameters, lambda t, h=history, c=customers: float(law.log_likelihood(h, t)[0] @ c))
        units = {n: np.broadcast_to(v, (1, len(index.cohorts))) for n, v in theta.items()}
        buckets = observed_buckets(law, table, index, units, read)
        if buckets is None:
            continue
        draws, _ = job.drift(job.ready(buckets))
        later = table.activity.groupby("bucket")["purchases"].sum()
        ahead = min(AHEAD[table.buckets_per_year], int(later.index.max()))
        seen = later.reindex(range(1, ahead + 1), fill_value=0).to_numpy(dtype=float)
        if (seen == 0).any():  # yearly buckets of 365 days and gifts of July: a year without any
            ahead = int(np.argmax(seen == 0))
        rng = np.random.default_rng(1)
        _, drawn = factors_ahead(theta_of(draws), buckets, ahead, rng)
        made = rng.poisson(drawn * expected(law, history, customers, theta, ahead * [bucket_length(law, table)]))
        for what, x, y in (("bucket", made, seen), ("cumulated", made.cumsum(axis=1), seen.cumsum())):
            known = {"book": name, "origin": day.date(), "what": what}
            found += [known | scored(x[:, k], y[k]) for k in range(ahead)]
    return pd.DataFrame(found)


def expected(law, history, customers, theta, lengths):
    """Purchases of all customers by bucket after as_of, without drift."""
    active = History(history.frequency, np.where(history.frequency > 0, history.age, 0.0), history.age)
    total = law.ahead(active, theta, np.cumsum(lengths)[:, None]) * law.probability_alive(history, theta)
    return np.diff((total * customers).sum(axis=-1).ravel(), prepend=0.0)


def scored(draws, seen):
    """Mean, CRPS and width as shares of what was seen, and whether the bands held."""
    ordered = np.sort(draws)
    spread = ordered @ (2 * np.arange(1, len(ordered) + 1) - len(ordered) - 1) / len(ordered) ** 2
    low, p10, p90, high = np.quantile(draws, [0.05, 0.1, 0.9, 0.95])
    error = np.abs(draws - seen).mean() - spread
    shares = {"mean": draws.mean() / seen, "crps": error / seen, "width_80": (p90 - p10) / seen}
    return shares | {"c80": p10 <= seen <= p90, "c90": low <= seen <= high}


if __name__ == "__main__":
    main()
