"""Ten thousand against ten million customers: `scale.py [sampling | ledger] [--repeats N] [--cohort quarter|month]`.

sampling: the same world at both sizes, the same cells; seconds and gradient evaluations of each part of `lw.fit`,
interleaved; the width of next year's bands. ledger: from spells in Parquet to cells, each size in its own process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import nutpie
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import lifeworth as lw
from lifeworth.bayes import sample as sampling_module
from lifeworth.ledger.columns import SCALE
from lifeworth.ledger.datasets import AS_OF, saas
from lifeworth.ledger.months import cohort_label
from lifeworth.ledger.simulate import true_hazard

SMALL, LARGE = 10_000, 10_000_000
GROUPS = ("sample_stats", "warmup_sample_stats")
PARTS = ("logo", "money", "expansion")
FLOWS = ("churned", "expanded", "contracted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("sampling", "ledger", "cells"), help="both without it")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cohort", choices=("quarter", "month"), default="quarter")
    parser.add_argument("--customers", type=int, nargs="*", default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--source", help=argparse.SUPPRESS)  # of the child process that measures one ledger
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.what == "cells":
        print(json.dumps(cells_of(options.source)))
        return
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    if options.what != "ledger":
        measure_sampling(options.repeats, options.cohort)
    if options.what != "sampling":
        measure_ledger(options.customers)


# sampling


def measure_sampling(repeats: int, cohort: str) -> None:
    tables = {}
    for customers in (SMALL, LARGE):
        begun = time.perf_counter()
        tables[customers] = world_table(customers, cohort)
        acquired, cells = int(tables[customers].acquisitions["accounts"].sum()), len(tables[customers].frame)
        print(f"{acquired:,} customers simulated in {time.perf_counter() - begun:.0f} s: {cells:,} cells")
    compiling = record(sampling_module, "_compiled")
    nuts = record(nutpie, "sample")
    lw.fit(tables[SMALL], seed=0)  # compiles; not timed as sampling
    print("compile seconds:", ", ".join(f"{p} {s:.1f}" for p, (s, _, _) in zip(PARTS, compiling, strict=False)))
    rows, fits = [], {}
    for seed in range(1, repeats + 1):
        for customers, table in tables.items() if seed % 2 else reversed(tables.items()):
            nuts.clear()
            begun = time.perf_counter()
            fits[customers] = lw.fit(table, seed=seed)
            total = time.perf_counter() - begun
            if len(nuts) != len(PARTS):
                print(f"{customers:,} seed {seed}: fitted twice, {fits[customers].notes[-1]}")
            diagnosed = fits[customers].diagnostics.table.to_dict("records")
            for found, (seconds, cpu, tree) in zip(diagnosed, nuts[-len(PARTS) :], strict=True):
                steps = sum(int(tree[g]["n_steps"].sum()) for g in GROUPS if g in tree)
                row = {"customers": customers, "seconds": seconds, "cpu": cpu, "gradients": steps, "fit_seconds": total}
                rows.append(found | row | {"ess": min(found["ess_bulk"], found["ess_tail"])})
    frame = pd.DataFrame(rows)
    best = {
        "seconds": "median",
        "cpu": "median",
        "gradients": "median",
        "ess": "min",
        "r_hat": "max",
        "divergences": "sum",
    }
    print(f"\nmedian of {repeats}; least ESS, largest R-hat and all divergences of {repeats} fits")
    print(frame.groupby(["part", "customers"], sort=False).agg(best).round(3).to_string())
    fit_seconds = frame.groupby("customers")["fit_seconds"].median()
    every = frame.groupby("customers")[["seconds", "cpu", "gradients"]].sum()
    by_part = frame.groupby(["part", "customers"])[["seconds", "cpu", "gradients"]].median().unstack()
    print("\nratio of 10M to 10k, by part:")
    print((by_part.xs(LARGE, axis=1, level=1) / by_part.xs(SMALL, axis=1, level=1)).round(2).to_string())
    print("all parts:", (every.loc[LARGE] / every.loc[SMALL]).round(2).to_dict())
    print("lw.fit as a whole, diagnostics included:", fit_seconds.round(2).to_dict(), "seconds")
    print("\nwidth of the 80% band of logo retention over the next twelve months, points")
    print(pd.concat({f"{n:,}": widths(fit) for n, fit in fits.items()}, axis=1).round(2).to_string())


def record(module: object, name: str) -> list:
    """Replace a function by one that also appends (wall seconds, CPU seconds, result) to the list that is returned."""
    original, calls = getattr(module, name), []

    def recorded(*args, **kwargs):
        wall, cpu = time.perf_counter(), time.process_time()
        result = original(*args, **kwargs)
        calls.append((time.perf_counter() - wall, time.process_time() - cpu, result))
        return result

    setattr(module, name, recorded)
    return calls


def widths(fit: lw.Fit) -> pd.DataFrame:
    terms = lw.Economics(gross_margin=0.8, discount_rate_annual=0.12, horizon_years=5)
    table = lw.value(fit, terms).table()
    rows = table[(table["measure"] == "logo_retention") & (table["cohort"] == "all")]
    return (100 * (rows.set_index(["segment", "kind"])["p90"] - rows.set_index(["segment", "kind"])["p10"])).unstack()


def world_table(customers: int, cohort: str) -> lw.CohortTable:
    """The demo's world of 36 months and three segments, account by account, summed to steps cohort by cohort."""
    world = saas(scale=0.01).world
    share = customers / world.months / sum(s.accounts_per_month for s in world.segments)
    rng, last, rows = np.random.default_rng(customers), AS_OF.year * 12 + AS_OF.month - 1, []
    for law in world.segments:
        segment = replace(law, accounts_per_month=round(law.accounts_per_month * share))
        for month in range(world.months):
            months = world.months - 1 - month
            label = cohort_label((last - months) // (3 if cohort == "quarter" else 1), 3 if cohort == "quarter" else 1)
            key = {"cohort": label, "segment": segment.labels[0], "months": months}
            spread = segment.arpa_spread
            start = segment.arpa * np.exp(spread * rng.standard_normal(segment.accounts_per_month) - spread**2 / 2)
            held = np.rint(start * SCALE).astype(np.int64)
            rows.append(key | {"tenure": -1, **sums("entered", held)})
            for tenure in range(months):
                hazard = float(true_hazard(world, segment, month, tenure))
                held, moved = one_month(segment, hazard, held, rng)
                rows.append(key | {"tenure": tenure, **moved})
    steps = pd.DataFrame(rows).assign(x_lost_early_n=0, x_moved_0_n=0).fillna(0)
    steps = steps.astype({name: "int64" for name in steps if name.startswith("x_")})
    steps = steps.groupby(["cohort", "segment", "months", "tenure"], as_index=False, sort=True).sum()
    return lw.CohortTable.from_steps(
        steps, period="month", cohort_by=cohort, calendar="quarter", by=("segment",), as_of=AS_OF, amount_per="month"
    )


def one_month(segment, hazard: float, held: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """What the accounts of a cohort hold after a month, and the sums of what moved."""
    up, down = segment.event_probabilities
    left, event, jump = rng.random(held.size) < hazard, rng.random(held.size), rng.random(held.size) + 0.5
    rise = np.where(~left & (event < up), np.rint(held * segment.expansion_jump * jump), 0).astype(np.int64)
    fall = np.where(~left & (event >= 1 - down), np.rint(held * segment.contraction_jump * jump), 0).astype(np.int64)
    moved = {}
    for name, change in zip(FLOWS, (np.where(left, held, 0), rise, fall), strict=True):
        moved |= sums(name, change[change > 0])
    after = np.where(left, 0, held + rise - fall)
    before, now = sums("held", held), sums("held", after)
    moved |= {name: now[name] - before[name] for name in now if name[-3:] in {"_hh", "_hl", "_ll"}}
    return after[after > 0], moved


def sums(stem: str, amounts: np.ndarray) -> dict[str, int]:
    """Accounts, money and exact squares, as the engine adds them up."""
    high, low = np.divmod(amounts, 10**6)
    parts = {"n": amounts.size, "m": amounts.sum(), "hh": high @ high, "hl": high @ low, "ll": low @ low}
    return {f"x_{stem}_{part}": int(value) for part, value in parts.items()}


# ledger


def measure_ledger(sizes: list[int]) -> None:
    print("\nfrom spells in Parquet to cells, on DuckDB; a process each")
    for customers in sizes:
        with tempfile.TemporaryDirectory(prefix="lifeworth-scale-") as folder:
            path = Path(folder) / "spells.parquet"
            begun = time.perf_counter()
            write_spells(path, customers)
            written, size = time.perf_counter() - begun, path.stat().st_size / 2**20
            command = [sys.executable, __file__, "cells", "--source", str(path)]
            made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        found = json.loads(made.stdout.splitlines()[-1])
        print(
            f"{customers:>11,} customers ({size:.0f} MB, written in {written:.0f} s): checks {found['checks']:.1f} s, "
            f"cells {found['cells']:.1f} s ({found['rows']:,} rows), peak {found['peak']:,.0f} MB "
            f"({found['before']:.0f} MB before), recounted {found['accounts']:,} acquired"
        )


def cells_of(path: str) -> dict[str, float]:
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # noqa: E731
    before, begun = peak(), time.perf_counter()
    ledger = lw.Ledger.from_spells(path, as_of=AS_OF)
    checked = time.perf_counter()
    table = ledger.cohort_table(by=["segment"])
    seconds = {"checks": checked - begun, "cells": time.perf_counter() - checked}
    accounts = int(table.acquisitions["accounts"].sum())
    return seconds | {"rows": len(table.frame), "before": before, "peak": peak(), "accounts": accounts}


def write_spells(path: Path, customers: int, chunk: int = 500_000) -> None:
    """One spell a customer over 36 months, geometric lifetimes of 2, 4 and 8% a month; constant memory."""
    rng, first = np.random.default_rng(customers), np.datetime64(AS_OF) - 1095
    names, churn = np.array(["Enterprise", "Mid-market", "SMB"]), np.array([0.02, 0.04, 0.08])
    writer = None
    for at in range(0, customers, chunk):
        n = min(chunk, customers - at)
        segment = rng.choice(3, n, p=[0.1, 0.3, 0.6])
        start = first + rng.integers(0, 1096, n)
        end = start + np.rint(30.4375 * rng.geometric(churn[segment])).astype(int)
        columns = {
            "customer_id": np.arange(at, at + n),
            "start": pa.array(start),
            "end": pa.array(end, mask=end > np.datetime64(AS_OF)),
            "amount": np.round(np.exp(rng.normal(5, 0.5, n)), 2),
            "segment": pa.DictionaryArray.from_arrays(segment.astype(np.int8), names),
        }
        batch = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, batch.schema)
        writer.write_table(batch)
    writer.close()


if __name__ == "__main__":
    main()
