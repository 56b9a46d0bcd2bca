"""What the formulas say of a real book, and why: motor insurance at 2017-11-30. `formula_gap.py [--pictures FOLDER]`.

Five annual premiums paid in advance, 10% a year, the margin of a segment is one less its claims over its premiums. The
formulas as practised and aligned beside the posterior, the decisions, the gap in steps in both orders, and the value
of the book in force. The data are not part of the project: where they are absent, the script says so.
"""

import argparse
import warnings
from pathlib import Path

import pandas as pd

import lifeworth as lw
from lifeworth.comparison import Comparison

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "motor_insurance" / "ledger.parquet"
BY = ["channel", "risk"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--draws", type=int, default=300)
    options = parser.parse_args()
    if not DATA.exists():
        print(f"{DATA} is not here")
        return
    warnings.simplefilter("ignore")
    pd.set_option("display.width", 180, "display.max_columns", 30, "display.max_rows", 200, "display.max_colwidth", 90)
    ledger = lw.Ledger.from_spells(DATA, as_of="2018-11-30", amount_per="year", acquired="acquired")
    table = ledger.cohort_table(period="year", cohort="year", calendar="quarter", by=BY).cut(4)
    fit = lw.fit(table, seed=1, sampler=lw.SamplerOptions(draws=options.draws, tune=400, chains=2))
    print(fit.diagnostics)
    terms = pd.read_parquet(DATA)
    sums = terms.groupby(BY)[["claims_cost", "amount"]].sum()
    margin = {key: float(share) for key, share in (1 - sums["claims_cost"] / sums["amount"]).items()}
    economics = lw.Economics(
        gross_margin=margin, discount_rate_annual=0.10, horizon_years=5, timing="start", currency="EUR"
    )
    value = lw.value(fit, economics)
    show(lw.compare(value), options.pictures)
    for measure in ("residual", "total_residual"):
        print(f"\n## {measure}")
        compared = lw.compare(value, measure=measure)
        print(compared.summary().round(2).to_string(index=False))
        print(compared.gap(basis="aligned").table().drop(columns="about").round(2).to_string(index=False))


def show(compared: Comparison, pictures: Path | None) -> None:
    print("\n## new accounts, all segments")
    print(compared.summary().round(2).to_string(index=False))
    table = compared.table()
    rows = table[(table["kind"] == "parameter") & (table["basis"] == "as practised")]
    print("\n## by segment, as practised over the posterior mean, less one, in percent")
    ratio = rows.assign(gap=100 * (rows["ratio"] - 1))
    print(ratio.pivot_table(index="method", columns=BY, values="gap", sort=False).round(1).to_string())
    print("\n## flags")
    print(rows.groupby(BY)[["flag", "beyond"]].first().to_string())
    for method in ("ARPA x margin / churn", "with expansion, linear", "cohort curve, naive"):
        both = [compared.gap(method, reverse=reverse).table() for reverse in (False, True)]
        print(f"\n## {method}: the gap in steps\n{both[0].drop(columns='about').round(2).to_string(index=False)}")
        print(f"in the opposite order\n{both[1].drop(columns='about').round(2).to_string(index=False)}")
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
        lw.plot.compare(compared).savefig(pictures / "formulas.png", dpi=110)
        lw.plot.gap(compared.gap()).savefig(pictures / "gap.png", dpi=110)


if __name__ == "__main__":
    main()
