"""Results of customers without a contract as tables for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from lifeworth.cli.tables import band, money, percent, ratio, rows

if TYPE_CHECKING:
    from lifeworth.backtesting.tracking import Tracking
    from lifeworth.purchase_demo import PurchaseDemo
    from lifeworth.transactional.comparison import PurchaseComparison
    from lifeworth.transactional.value import PurchaseValuation


def demo(done: PurchaseDemo) -> Iterator[Table | str]:
    """The demo's results."""
    yield from results(done.value, done.tracking)
    yield comparison(done.comparison)


def results(value: PurchaseValuation, held: Tracking | None) -> Iterator[Table | str]:
    """What was read, its value, and the holdout if there is one."""
    table = value.fit.table
    yield (
        f"{table.customers.sum():,.0f} customers in {len(table.frame):,} distinct histories, "
        f"{table.activity.query('bucket <= 0')['purchases'].sum():,} repeat purchases up to {table.as_of}.\n"
    )
    yield valuation(value)
    if held is not None:
        yield holdout(held)
    yield f"Diagnostics {value.fit.diagnostics}; seed {value.fit.seed}.\n"


def valuation(value: PurchaseValuation) -> Table:
    """A row per cohort and segment, the new customers and the total."""
    e, lines = value.economics, []
    for key, r in value.summary().iterrows():
        labels = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
        new = r["residual"] != r["residual"]
        worth = "cltv" if new else "residual"
        lines.append(
            [
                *labels,
                f"{r['accounts']:,.0f}",
                money(r[worth]),
                band(r[f"{worth} P10"], r[f"{worth} P90"]),
                money(r["total_residual"]),
                band(r["total_residual P10"], r["total_residual P90"]) if not new else "-",
                ratio(r["purchases_12_months"]),
                percent(r["p_alive"]),
            ]
        )
    title = f"Customers ({e.horizon_years:g} years at {e.discount_rate_annual:.1%}, margin {e.gross_margin:.0%})"
    columns = ["cohort", *value.by, "customers", "each", "80% band", "together", "80% band", "next 12 m", "active"]
    caption = "each: residual value of a customer; new: CLTV with the first purchase. Bands are of what is realised."
    return rows(title, columns, lines, keys=1 + len(value.by), caption=caption)


def holdout(found: Tracking) -> Table:
    """Cumulated repeat purchases after as_of beside their bands, in all."""
    units = found.table()
    for name in found.fit.table.by:
        units = units[units[name] == "all"]
    lines = []
    for _, r in units[units["measure"] == "cumulative"].iterrows():
        held = "yes" if r["p10"] <= r["observed"] <= r["p90"] else "no"
        bands = [band(r[low], r[high], "{:,.0f}".format) for low, high in (("p10", "p90"), ("p05", "p95"))]
        lines.append([f"{r['bucket']:.0f}", f"{r['observed']:,.0f}", f"{r['mean']:,.0f}", *bands, held])
    title = f"Repeat purchases after {found.fit.table.as_of}, cumulated by {found.fit.table.calendar}"
    return rows(title, ["bucket", "observed", "forecast", "80% band", "90% band", "inside"], lines)


def comparison(found: PurchaseComparison) -> Table:
    """Lifetimes' customer lifetime value and the way from it to the posterior mean."""
    lines = [
        [r["step"], r["about"], money(r["amount"]), "" if i == 0 else f"{r['change']:+,.0f}"]
        for i, r in enumerate(found.steps.to_dict("records"))
    ]
    caption = str(found.summary()["verdict"].iloc[0])
    title = "lifetimes' customer_lifetime_value of all customers, and the way to the posterior mean"
    return rows(title, ["step", "says", "total", "change"], lines, caption=caption)


def next_steps(done: PurchaseDemo, folder: Path) -> Iterator[str]:
    """Where everything is and what to do next."""
    yield f"The chain took {done.seconds:.0f} s. Tables, pictures and the fit are in {folder}. What to do next:"
    yield f"  1. Look at {folder / 'tracking.png'} and {folder / 'frequency_bins.png'}."
    yield f"  2. Ask the same fit something else: lw.value_purchases(lw.load('{folder / 'fit'}'), lw.Economics(...))"
    yield f"  3. See what each customer is expected to buy and bring: {folder / 'customers.parquet'}"
    yield "  4. Use your own: lw.Ledger.from_transactions(...).purchase_table() and lw.fit_purchases(table)"
