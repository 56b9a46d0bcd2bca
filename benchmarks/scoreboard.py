"""Who would have forecast best? `scoreboard.py [--origins N] [--holdout N] [--picture FILE]`, on the motor book.

Every formula, two curves, their stacked mixture and the baselines, by channel and risk, from past quarters; the scores,
and the differences to the mixture with their standard errors. Where the data are absent, the script says so.
"""

import argparse
import warnings
from pathlib import Path

import pandas as pd

import lifeworth as lw

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "motor_insurance" / "ledger.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--origins", type=int, default=5)
    parser.add_argument("--holdout", type=int, default=2)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if not DATA.exists():
        print(f"{DATA} is not here")
        return
    warnings.simplefilter("ignore")
    pd.set_option("display.width", 200, "display.max_columns", 30, "display.max_rows", 200, "display.max_colwidth", 60)
    ledger = lw.Ledger.from_spells(DATA, as_of="2018-11-30", amount_per="year", acquired="acquired")
    table = ledger.cohort_table(period="year", cohort="year", calendar="quarter", by=["channel", "risk"])
    board = lw.scoreboard(
        table,
        holdout=options.holdout,
        origins=options.origins,
        churn=[lw.Smooth(), lw.BetaDiscreteWeibull()],
        seed=1,
        sampler=lw.SamplerOptions(draws=400, tune=400),
    )
    print(board.weights.pivot(index="origin", columns="method", values="weight").round(2).to_string())
    shown = ["method", "kind", "n", "bias", "mae", "crps", "width_80", "coverage_80", "coverage_90"]
    for measure in ("logo_retention", "revenue_retained", "nrr", "revenue"):
        print(f"\n## {measure}")
        scores, apart = board.summary(), board.differences()
        found = scores[scores["measure"] == measure][shown].merge(
            apart[apart["measure"] == measure][["method", "difference", "se"]], on="method", how="left"
        )
        if measure != "revenue":
            columns = ["bias", "mae", "crps", "width_80", "difference", "se"]
            found[columns] = 100 * found[columns]
        print(found.round(2).to_string(index=False))
    if options.picture:
        lw.plot.scoreboard(board, "nrr").savefig(options.picture)


if __name__ == "__main__":
    main()
