"""Customers without a contract, held out and beside pymc-marketing 1.3.0: `purchases.py [holdouts|peer] ...`.

`holdouts`: would the bands have held? CDNOW (all customers, weeks 40 to 78), donations (2002-2006, BG/BB),
madrigal (the last four quarters, BG/BB), each with and without drift over the calendar. The last two read
`../shared/data`.
`peer`: BG/NBD on CDNOW here and in the peer's environment, which `peers.py` makes; sample and all customers.
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
NUTS = {"draws": 1000, "tune": 500, "chains": 2, "cores": 2, "target_accept": 0.9}


def books():
    """Each book: transactions, as_of, origin, table options, model."""
    from lifeworth.ledger import datasets
    from lifeworth.purchases import BGBB, BGNBD

    cdnow = datasets.cdnow()
    weekly = {"cohort": "month", "grid": "week", "calendar": "4 weeks"}
    yield "CDNOW, weeks 40-78", cdnow.transactions, cdnow.as_of, cdnow.calibration_end, weekly, BGNBD()
    if not SHARED.is_dir():
        print(f"no {SHARED}: donations and madrigal are left out")
        return
    gave = pd.read_csv(SHARED / "donations" / "donations_1995_cohort_binary.csv").melt("id", var_name="year")
    gave = gave[gave["value"] > 0]
    rows = pd.DataFrame({"customer_id": gave["id"].astype(str), "date": gave["year"].str[1:] + "-07-01", "amount": 1.0})
    yearly = {"cohort": "year", "calendar": "year"}
    yield "donations, 2002-2006", rows, "2006-07-02", "2001-07-02", yearly, BGBB()
    for name, rows in madrigal():
        quarters = {"cohort": "year", "calendar": "quarter"}
        yield name, rows, rows["date"].max(), None, quarters, BGBB(opportunities_per_year=4.0)


def madrigal():
    """Customers whose first purchase was seen; a quarter with a purchase is one opportunity taken, 91 days apart."""
    every = pd.read_parquet(SHARED / "madrigal" / "madrigal_cust_quarter.parquet")
    order = {value: k for k, value in enumerate(sorted(every["quarter"].unique()))}
    bought = every[(every["trans"] > 0) & (every["Cohort"] != "pre_y2016")]
    day = pd.Timestamp("2016-01-01") + pd.to_timedelta(bought["quarter"].map(order) * 91, unit="D")
    rows = {"customer_id": bought["CustomerID"].astype(str), "date": day, "amount": bought["spend"].clip(lower=0.0)}
    yield "madrigal, last four quarters", pd.DataFrame(rows).reset_index(drop=True)


def holdouts(only: str = "") -> None:
    import lifeworth as lw
    from lifeworth.backtesting.tracking import by_frequency, track
    from lifeworth.ledger import Ledger
    from lifeworth.purchase_fitting import fit_purchases

    pd.set_option("display.width", 160)
    for name, rows, as_of, origin, options, model in (book for book in books() if only in book[0]):
        with warnings.catch_warnings(action="ignore"):
            ledger = Ledger.from_transactions(rows, as_of=as_of)
            year_ago = (pd.Timestamp(as_of) - pd.Timedelta(days=4 * 91)).date()
            table = ledger.purchase_table(as_of=origin or year_ago, **options)
            begun = time.perf_counter()
            pooling = "complete" if table.frame["cohort"].nunique() < 2 else "partial"
            given = {"purchases": model, "spend": None, "pooling": pooling, "seed": 1}
            sampler = lw.SamplerOptions(**NUTS)
            fits = {drift: fit_purchases(table, drift=drift, sampler=sampler, **given) for drift in (False, True)}
        print(f"\n{name}: {len(table.frame):,} rows, {time.perf_counter() - begun:.0f} s with compiling, both fits")
        for drift, fit in fits.items():
            tracked, binned = track(fit), by_frequency(fit)
            last = tracked.table().query("measure == 'cumulative'").iloc[-1]
            scores = pd.concat([tracked.scores(), binned.scores()])
            print(fit, *fit.notes, sep="\n")
            print(f"drift={drift}: total {last['observed']:,.0f}, forecast {last['mean']:,.0f}, 80% {last['p10']:,.0f} "
                  f"to {last['p90']:,.0f}, 90% {last['p05']:,.0f} to {last['p95']:,.0f}")  # fmt: skip
            print(scores.round(3).to_string(index=False), flush=True)


def peer(which: str = "both") -> None:
    """Ours in this interpreter, theirs in its own: posterior, seconds, effective draws, memory, sum of CLTV."""
    from peers import PEERS, make_environment

    make_environment()
    for sample in {"both": (True, False), "sample": (True,), "all": (False,)}[which]:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "customers.parquet"
            customers(sample).to_parquet(source)
            found = {}
            for engine, python in (("lifeworth", sys.executable), ("pymc-marketing", str(PEERS))):
                script = str(Path(__file__).with_name("peer_purchases.py"))
                command = [python, script, engine, str(source), "sample" if sample else "all"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"{engine}: {done.stderr[-1500:]}")
                    continue
                found[engine] = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"\nCDNOW, {'sample' if sample else 'all customers'}\n{pd.DataFrame(found).to_string()}", flush=True)


def customers(sample: bool) -> pd.DataFrame:
    """Frequency, recency, T in weeks and mean repeat spend of every customer of the first 39 weeks."""
    from lifeworth.ledger import datasets

    book = datasets.cdnow(sample=sample)
    rows = book.transactions[book.transactions["date"] <= pd.Timestamp(book.calibration_end)]
    days = rows.groupby(["customer_id", "date"])["amount"].sum().reset_index()
    first = days.groupby("customer_id")["date"].transform("min")
    repeat = days[days["date"] > first]
    known = days.groupby("customer_id")["date"].agg(["min", "max", "size"])
    end = pd.Timestamp(book.calibration_end)
    frame = pd.DataFrame({"frequency": known["size"] - 1.0})
    frame["recency"] = (known["max"] - known["min"]).dt.days / 7
    frame["T"] = (end - known["min"]).dt.days / 7
    frame["monetary_value"] = (repeat.groupby("customer_id")["amount"].mean()).reindex(frame.index, fill_value=0.0)
    return frame.astype(np.float64).reset_index()


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["holdouts"]
    {"holdouts": holdouts, "peer": peer}[what](*rest)
