"""Would the bands have held, on two real books? `held_out_years.py [motor | us_life] [--models NAME ...] [--least N]`.

motor: motor insurance, quarterly buckets, by channel and risk: five origins two quarters ahead, and one four quarters
ahead. us_life: whole-life policies, yearly buckets, eight origins three years ahead. For each model the scores of logo
retention, premium retained and NRR beside the baselines, what each origin brought, and the width in calm years; with
--least also those of the units with at least so many accounts at risk. --again fits a second time and times that. The
data are not part of the project: a book that is absent is left out, and said to be.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import lifeworth as lw

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARES = ("logo_retention", "revenue_retained", "nrr")
PLAIN = lw.CalendarWalk(momentum=False, reaction=0.0)
MODELS: Mapping[str, tuple[lw.Effect, ...] | None] = {
    "default": None,
    "plain walk": (lw.Segments(), PLAIN, lw.CohortDecay()),
    "momentum only": (lw.Segments(), lw.CalendarWalk(reaction=0.0), lw.CohortDecay()),
    "no calendar": (lw.Segments(), lw.CohortDecay()),
    "tenure only": (lw.Segments(),),
}


@dataclass(frozen=True)
class Book:
    """A real book, how it is cut into cells, and what is forecast from which origins."""

    file: str
    as_of: str
    reads: Mapping[str, str]
    cells: Mapping[str, Any]
    runs: tuple[tuple[int, int], ...]
    """(holdout, origins) of each backtest."""
    calm: str
    """The first origin from which the calendar hardly moved."""

    def table(self) -> lw.CohortTable:
        ledger = lw.Ledger.from_spells(DATA / self.file, as_of=self.as_of, amount_per="year", **self.reads)
        return ledger.cohort_table(period="year", cohort="year", **self.cells)


BOOKS = {
    "motor": Book(
        file="motor_insurance/ledger.parquet",
        as_of="2018-11-30",
        reads={"acquired": "acquired"},
        cells={"calendar": "quarter", "by": ["channel", "risk"]},
        runs=((2, 5), (4, 1)),
        calm="",
    ),
    "us_life": Book(
        file="us_life_insurance/ledger.parquet",
        as_of="2009-12-31",
        reads={},
        cells={"calendar": "year"},
        runs=((3, 8),),
        calm="2002",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("books", nargs="*", choices=[*BOOKS, []], help="all without it")
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--least", type=int, default=0, metavar="N", help="also the units with N accounts or more")
    parser.add_argument("--again", action="store_true", help="each backtest twice: seconds once compiled")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pd.set_option("display.width", 160, "display.max_columns", 30, "display.max_rows", 200)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    sampler = lw.SamplerOptions(draws=options.draws, tune=400, chains=4)
    for name in options.books or BOOKS:
        book = BOOKS[name]
        if not (DATA / book.file).exists():
            print(f"\n{name}: {DATA / book.file} is not here")
            continue
        for holdout, origins in book.runs:
            print(f"\n## {name}: {origins} origins, {holdout} buckets ahead")
            units = forecasts(book, holdout, origins, options.models, sampler, twice=options.again)
            report(units, options.models, book.calm)
            if options.least:
                large = units[units["accounts"] >= options.least]
                print(f"\n### units with {options.least} accounts or more at risk")
                report(large, options.models, book.calm)


def forecasts(
    book: Book, holdout: int, origins: int, models: list[str], sampler: lw.SamplerOptions, *, twice: bool
) -> pd.DataFrame:
    """Forecast and observed of each segment and bucket by each model and baseline, with the accounts at risk."""
    table, found = book.table(), []
    for i, model in enumerate(models):
        for run in ("with compilation", "compiled")[: 1 + twice]:
            begun, spent = time.perf_counter(), time.process_time()
            made = lw.backtest(table, holdout=holdout, origins=origins, effects=MODELS[model], seed=1, sampler=sampler)
            seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
            print(f"{model}: {seconds:.0f} s ({cpu:.0f} s of CPU) {run}, load {os.getloadavg()[0]:.1f}", flush=True)
        print(*(f"    {fit.table.as_of}: {fit.diagnostics}" for fit in made.fits), sep="\n")
        units = made.forecasts()
        units = units[units["measure"].isin(SHARES) & (units["at_risk"] > 0)]
        if table.by:
            units = units[~(units[list(table.by)] == "all").all(axis=1)]
        keep = units if i == 0 else units[units["method"] == "posterior"]
        found.append(keep.assign(method=keep["method"].where(keep["method"] != "posterior", model)))
    units, unit = pd.concat(found, ignore_index=True), ["origin", *table.by, "bucket"]
    accounts = units[units["measure"] == "logo_retention"].drop_duplicates(unit).set_index(unit)["at_risk"]
    return units.join(accounts.rename("accounts"), on=unit)


def report(units: pd.DataFrame, models: list[str], calm: str) -> None:
    print(scores(units, ["measure", "method"]).to_string(index=False))
    print("\nby origin, logo retention: share inside the 80% band, width")
    print(by_origin(units[units["measure"] == "logo_retention"], models).to_string(), flush=True)
    if calm:
        print(f"\ncalm origins, from {calm}")
        late = units[units["origin"].astype(str) >= calm]
        print(scores(late[late["measure"] == "logo_retention"], ["method"]).to_string(index=False))


def scores(units: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Means over units, in percentage points and percent."""
    each = units[keys].assign(
        units=1,
        bias=100 * (units["mean"] - units["observed"]),
        mae=100 * (units["p50"] - units["observed"]).abs(),
        crps=100 * units["crps"],
        width=100 * (units["p90"] - units["p10"]),
    )
    for probability, low, high in ((50, "p25", "p75"), (80, "p10", "p90"), (90, "p05", "p95"), (95, "p025", "p975")):
        each[f"c{probability}"] = 100.0 * ((units[low] <= units["observed"]) & (units["observed"] <= units[high]))
    means = each.groupby(keys).mean().assign(units=each.groupby(keys)["units"].sum())
    return means.reset_index().sort_values([*keys[:-1], "crps"]).round(2)


def by_origin(units: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    inside = (units["p10"] <= units["observed"]) & (units["observed"] <= units["p90"])
    each = units[["method", "origin"]].assign(inside=100.0 * inside, width=100 * (units["p90"] - units["p10"]))
    means = each[each["method"].isin([*models, "last_bucket"])].groupby(["method", "origin"]).mean()
    return means.unstack("origin").round(1)


if __name__ == "__main__":
    main()
