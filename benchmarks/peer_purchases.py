"""One fit of BG/NBD and gamma-gamma, timed, in a process of its own: `peer_purchases.py ENGINE CUSTOMERS WHICH`.

`purchases.py peer` runs this file with the interpreter of each environment. CUSTOMERS is Parquet with frequency,
recency, T (weeks) and monetary_value. Each process fits twice: the second fit is what a refit costs. The last line
printed is JSON.
"""

import json
import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

NUTS = {"draws": 1000, "tune": 500, "chains": 2, "cores": 2, "target_accept": 0.9}
WEEKS = 365.25 / 7


def main() -> None:
    engine, source, which = sys.argv[1:]
    frame = pd.read_parquet(source)
    with warnings.catch_warnings(action="ignore"):
        found = ours(which) if engine == "lifeworth" else theirs(frame)
    found["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(
        json.dumps({name: value if isinstance(value, str) else round(float(value), 4) for name, value in found.items()})
    )


def ours(which):
    import lifeworth as lw
    from lifeworth.bayes.diagnose import diagnose
    from lifeworth.ledger import Ledger, datasets
    from lifeworth.purchases import BGNBD

    book = datasets.cdnow(sample=which == "sample")
    ledger = Ledger.from_transactions(book.transactions, as_of=book.calibration_end)
    table = ledger.purchase_table(cohort="month")  # days: the peer's weeks are days over seven
    seconds = []
    for seed in (1, 2):
        begun = time.perf_counter()
        fit = lw.fit_purchases(table, pooling="complete", drift=False, seed=seed, sampler=lw.SamplerOptions(**NUTS))
        seconds.append(time.perf_counter() - begun)
    draws = fit.draws["purchases"]
    classic = BGNBD.to_classic({n: v.to_numpy() for n, v in draws.data_vars.items()}, units_per_year=WEEKS)
    least = diagnose(fit.draws, {"purchases": 0, "spend": 0})["ess_bulk"].min()
    begun = time.perf_counter()
    value = lw.value_purchases(fit, lw.Economics(gross_margin=1.0, discount_rate_annual=0.127, horizon_years=1.0))
    worth = value.sample("total_residual")
    low, high = np.quantile(worth, [0.1, 0.9])
    return {
        **report(classic, seconds, least),
        "mean_spend": fit.draws["spend"]["mean_spend"].mean(),
        "sum of CLTV": worth.mean(), "p10": low, "p90": high, "CLTV s": time.perf_counter() - begun,
    }  # fmt: skip


def theirs(frame):
    import arviz as az
    from pymc_marketing.clv import BetaGeoModel, GammaGammaModel

    spenders = frame[(frame["frequency"] > 0) & (frame["monetary_value"] > 0)]
    seconds = []
    for seed in (1, 2):
        begun = time.perf_counter()
        purchases, spend = BetaGeoModel(), GammaGammaModel()
        purchases.fit(data=frame, random_seed=seed, progressbar=False, **NUTS)
        spend.fit(data=spenders, random_seed=seed, progressbar=False, **NUTS)
        seconds.append(time.perf_counter() - begun)
    drawn, paid = (model.idata.posterior.to_dataset() for model in (purchases, spend))
    classic = {name: drawn[name].values for name in ("r", "alpha", "a", "b")}
    least = min(
        float(az.ess(drawn[["r", "alpha", "a", "b"]], method="bulk").to_array().min()),
        float(az.ess(paid[["p", "q", "v"]], method="bulk").to_array().min()),
    )
    begun = time.perf_counter()
    data = frame.assign(future_spend=frame["monetary_value"])
    worth = spend.expected_customer_lifetime_value(
        transaction_model=purchases.thin_fit_result(keep_every=5), data=data, future_t=12,
        discount_rate=1.127 ** (1 / 12) - 1, time_unit="W",
    ).sum("customer_id").values.ravel()  # fmt: skip
    low, high = np.quantile(worth, [0.1, 0.9])
    mean_spend = (paid["p"] * paid["v"] / (paid["q"] - 1)).mean()
    return {
        **report(classic, seconds, least),
        "mean_spend": mean_spend,
        "sum of CLTV": worth.mean(), "p10": low, "p90": high, "CLTV s": time.perf_counter() - begun,
    }  # fmt: skip


def report(classic, seconds, least):
    found = {}
    for name, values in classic.items():
        found |= {name: values.mean(), f"{name} sd": values.std()}
    return found | {"first fit s": seconds[0], "refit s": seconds[1], "least ESS": least, "ESS/s": least / seconds[1]}


if __name__ == "__main__":
    main()
