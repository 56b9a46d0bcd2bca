"""Does the band of a CLTV hold? `cltv_coverage.py RANKS.csv [--models NAME ...] [--books N] [--minutes M]`, in parts.

Books whose truth is drawn from the prior are simulated and fitted (`lw.calibrate`); the rank of the true CLTV among the
draws of its posterior says in which band it fell. Each batch of books has a seed of its own, and RANKS.csv keeps the
ranks of every batch done: the script goes on where it stopped, and `--books 0` prints what is there. The CLTV is that
of an account of the first cohort and segment at the last calendar level: five years, 10% a year, one a period. Models
are the default (8 cohorts x 3 segments x 12 months, quarterly calendar), every churn curve with Segments (4 cohorts x 2
segments x 6 months), and every effect with Renewal on a Geometric curve (8 cohorts x 2 segments x contracts of 1 and 12
months). The second table tests all their parameters: that ranks are uniform.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

import lifeworth as lw
from lifeworth.calibration import Calibration, Design, calibrate
from lifeworth.churn import CURVES
from lifeworth.effects import EFFECTS, Renewal
from lifeworth.expansion import Flat
from lifeworth.model import Model

SAMPLER = lw.SamplerOptions(draws=250, tune=250, chains=2)
SMALL = Design(segments=2, cohorts=4, tenures=6, accounts=200)
CONTRACTS = Design(segments=2, terms=(1, 12))
MODELS: Mapping[str, tuple[Mapping[str, Any], Design]] = {
    "default": ({}, Design()),
    **{name: ({"churn": curve(), "effects": (lw.Segments(),)}, SMALL) for name, curve in CURVES.items()},
    **{
        name: ({"churn": lw.Geometric(), "effects": tuple(dict.fromkeys((effect(), Renewal())))}, CONTRACTS)
        for name, effect in EFFECTS.items()
    },
}
PROBABILITIES = (0.5, 0.8, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ranks", type=Path, help="CSV that is written, and read where it is there")
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=["default"])
    parser.add_argument("--books", type=int, default=1000, help="of each model, with those in the file")
    parser.add_argument("--batch", type=int, default=10, metavar="K")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no batch after so many")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pd.set_option("display.width", 160, "display.max_columns", 30)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}", flush=True)
    begun = time.perf_counter()
    for model, seed in product(options.models, range(-(-options.books // options.batch))):
        if (model, seed) not in done(options.ranks) and time.perf_counter() - begun < 60 * options.minutes:
            rows = batch(model, seed, options.batch)
            rows.to_csv(options.ranks, mode="a", index=False, header=not options.ranks.exists())
            print(f"{model} batch {seed}: {time.perf_counter() - begun:.0f} s so far", flush=True)
    rows = pd.read_csv(options.ranks)
    print(coverage(rows).to_string(index=False))
    print(uniformity(rows).to_string(index=False))


def done(ranks: Path) -> set[tuple[str, int]]:
    """Batches in the file, by model and seed."""
    if not ranks.exists():
        return set()
    seen = pd.read_csv(ranks)[["model", "seed"]].drop_duplicates()
    return set(seen.itertuples(index=False, name=None))


def batch(model: str, seed: int, books: int) -> pd.DataFrame:
    """Ranks of every quantity in so many books, and how each fit went; one that failed has no rank."""
    settings, design = MODELS[model]
    own = 10**6 * list(MODELS).index(model) + seed  # no two models share their chances
    made = calibrate(**settings, expansion=Flat(), design=design, simulations=books, seed=own, sampler=SAMPLER)
    kept = ["simulation", "r_hat", "ess_bulk", "divergences", "seconds", "reason"]
    ranks = made.ranks.rename(columns={"draws": "kept"})
    return made.fits[kept].merge(ranks, on="simulation", how="left").assign(model=model, seed=seed)


def coverage(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of books whose true CLTV is inside each central interval, percent, with its binomial standard error."""
    lines = []
    for model, each in groups(rows):
        found, line = calibration(each[each["quantity"] == "cltv"]), {"model": model}
        for probability in PROBABILITIES:
            held = found.coverage(probability).iloc[0]
            line["books"] = int(held["n"])
            line[f"c{100 * probability:g}"] = f"{100 * held['coverage']:.1f} (se {100 * held['se']:.1f})"
        lines.append(line | found.table().loc[0, ["mean_rank", "spread", "p_value"]].round(3).to_dict())
    return pd.DataFrame(lines)


def uniformity(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether the ranks of all quantities of a model are uniform, the one least so, and how the fits went."""
    lines = []
    for model, each in rows.groupby("model", sort=False):
        table = calibration(each).table().sort_values("p_value", ignore_index=True)
        books = each.drop_duplicates(["seed", "simulation"])
        lines.append(
            {
                "model": model,
                "quantities": len(table),
                "least uniform": table["quantity"][0],
                "p": round(table["p_value"][0], 4),
                "p_adjusted": round(table["p_adjusted"][0], 3),
                "verdict": "FAIL" if (table["verdict"] == "FAIL").any() else "PASS",
                "no fit": int(books["rank"].isna().sum()),
                "r_hat > 1.05": int((books["r_hat"] > 1.05).sum()),
                "diverged": int((books["divergences"] > 0).sum()),
                "seconds a fit": round(books["seconds"].median(), 1),
            }
        )
    return pd.DataFrame(lines)


def groups(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each model, and of all together."""
    by_model = [(str(model), each) for model, each in rows.groupby("model", sort=False)]
    return by_model if len(by_model) < 2 else [*by_model, ("all", rows)]


def calibration(rows: pd.DataFrame) -> Calibration:
    """The ranks as `lw.calibrate` gives them, of several batches; model and design are not read."""
    ranks = rows.dropna(subset="rank").rename(columns={"kept": "draws"})
    return Calibration(ranks, rows, Model(lw.Geometric(), (), Flat()), SMALL, seed=1)


if __name__ == "__main__":
    main()
