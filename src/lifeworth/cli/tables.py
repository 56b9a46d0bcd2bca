"""Results as tables for a terminal of 100 columns; numbers are rounded here and nowhere before."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from lifeworth.backtesting.backtest import Backtest
    from lifeworth.comparison import Comparison
    from lifeworth.demo import Demo
    from lifeworth.ledger import CohortTable
    from lifeworth.results import Fit
    from lifeworth.valuation import Valuation

_WORDS = {"in words", "about", "says"}
type Format = Callable[[Any], str]


def money(amount: float) -> str:
    """An amount with thousands separators, and cents only where they matter.

    Examples
    --------
    >>> money(1234567.8), money(-83.456), money(2.5), money(float("nan"))
    ('1,234,568', '-83.5', '2.50', '-')
    """
    if math.isnan(amount):
        return "-"
    return f"{amount:,.{0 if abs(amount) >= 100 else 1 if abs(amount) >= 10 else 2}f}"


def percent(share: float) -> str:
    """A share in percent, with a decimal."""
    return "-" if math.isnan(share) else f"{share:.1%}"


def months(number: float) -> str:
    """Months, where infinity is never."""
    return "never" if math.isinf(number) else "-" if math.isnan(number) else f"{number:.0f}"


def ratio(number: float) -> str:
    """A ratio with two decimals."""
    return "-" if math.isnan(number) else f"{number:.2f}"


def band(low: float, high: float, form: Format = money) -> str:
    """A band from its ends."""
    return f"{form(low)} .. {form(high)}"


def rows(
    title: str, columns: Sequence[str], lines: Iterable[Sequence[str]], *, keys: int = 1, caption: str = ""
) -> Table:
    """A table whose first `keys` columns name the row and whose others are numbers, but for columns of words."""
    style: dict[str, Any] = {"title_justify": "left", "title_style": "bold", "pad_edge": False}
    made = Table(title=title, box=box.SIMPLE_HEAD, collapse_padding=True, **style)
    made.caption, made.caption_justify, made.caption_style = caption or None, "left", "dim"
    for i, name in enumerate(columns):
        words = i < keys or name in _WORDS
        made.add_column(name, justify="left" if words else "right", no_wrap=name not in _WORDS)
    for line in lines:
        made.add_row(*line)
    return made


def _currency(value: Valuation) -> str:
    known = value.economics.currency or value.fit.table.currency
    return f", {known}" if known else ""


def _labels(index: Any) -> tuple[str, ...]:
    return tuple(map(str, index)) if isinstance(index, tuple) else (str(index),)


def counted(table: CohortTable) -> str:
    """What a cohort table holds, in a sentence."""
    book, cells = table.in_force, table.frame
    return (
        f"{len(cells):,} cells: {cells['cohort'].nunique()} cohorts, {cells['tenure'].nunique()} tenures "
        f"({table.period}s), {cells['bucket'].nunique()} calendar buckets ({table.calendar}s). In force on "
        f"{table.as_of}: {int(book['accounts'].sum()):,} accounts, {money(float(book['amount'].sum()))} "
        f"{table.currency or ''} a {table.amount_per}.".replace("  ", " ")
    )


def checks(table: CohortTable) -> Iterator[Table]:
    """What the ledger's rules had to settle."""
    if table.checks:
        lines = [(check.severity, check.name, f"{check.rows:,}", check.sentence()) for check in table.checks]
        yield rows("What the rules settled", ("", "rule", "rows", "says"), lines, keys=2)


def triangle(table: CohortTable) -> Table:
    """Retention by cohort and tenure, as many tenures as fit."""
    found = table.triangle("retention")
    step = max(1, -(-len(found.columns) // 12))
    kept = found[[c for i, c in enumerate(found.columns) if i % step == 0]]
    lines = [
        (str(cohort), *("" if pd.isna(v) else f"{v:.0%}" for v in row))
        for cohort, row in zip(kept.index, kept.to_numpy(), strict=True)
    ]
    return rows(f"Accounts left after so many {table.period}s", ("cohort", *map(str, kept.columns)), lines)


def parameters(fit: Fit) -> Table:
    """Posterior of the scalar parameters."""
    frame = fit.summary()
    unit = [str(u) for u in frame["unit"]] if "unit" in frame else [""] * len(frame)
    lines = [
        (f"{r['part']} {u}".strip(), r["parameter"], f"{r['mean']:.4g}", _interval(r), r["about"])
        for (_, r), u in zip(frame.iterrows(), unit, strict=True)
    ]
    return rows("Posterior", ("part", "parameter", "mean", "80% interval", "about"), lines, keys=2)


def _interval(row: pd.Series) -> str:
    return band(row["low"], row["high"], "{:.3g}".format)


def diagnostics(fit: Fit) -> str:
    """The verdict in one line."""
    return f"Diagnostics {fit.diagnostics}; seed {fit.seed}.\n"


def valuation(value: Valuation) -> Iterator[Table]:
    """New accounts and the book in force, a row per segment and a total."""
    frame, e = value.summary(), value.economics
    terms = f"({e.horizon_years:g} years at {e.discount_rate_annual:.1%}{_currency(value)})"
    keys = value.by or ("accounts",)
    if "CLTV" in frame:
        yield _new_accounts(frame, keys, terms)
    if "residual" in frame:
        yield _book(frame, keys, terms)


def _new_accounts(frame: pd.DataFrame, keys: tuple[str, ...], terms: str) -> Table:
    lines = []
    for index, r in frame.iterrows():
        line = [*_labels(index), money(r["CLTV"]), band(r["CLTV parameter P10"], r["CLTV parameter P90"])]
        line.append(band(r["CLTV P10"], r["CLTV P90"]))
        if "CLTV:CAC" in frame:
            line += [ratio(r["CLTV:CAC"]), months(r["payback months"]), percent(r["P(payback <= 12 months)"])]
        lines.append(line)
    columns = [*keys, "CLTV", "expected", "realised"]
    columns += ["CLTV:CAC", "payback", "P(<= 12 m)"] if "CLTV:CAC" in frame else []
    caption = "80% bands: expected is of the expected value (parameter), realised of what happens (predictive)"
    return rows(f"New accounts {terms}", columns, lines, keys=len(keys), caption=caption)


def _book(frame: pd.DataFrame, keys: tuple[str, ...], terms: str) -> Table:
    lines = [
        [
            *_labels(index),
            money(r["residual"]),
            band(r["residual P10"], r["residual P90"]),
            percent(r["NRR"]),
            band(r["NRR P10"], r["NRR P90"], percent),
            percent(r["GRR"]),
            percent(r["logo retention"]),
        ]
        for index, r in frame.iterrows()
    ]
    columns = [*keys, "residual", "realised", "NRR", "realised", "GRR", "logos kept"]
    caption = "residual: present value per account in force; NRR, GRR and logos kept: the next twelve months"
    return rows(f"Book in force {terms}", columns, lines, keys=len(keys), caption=caption)


def comparison(found: Comparison) -> Iterator[Table]:
    """Formulas against the posterior: in total with a verdict in words, then by segment as gaps."""
    summary, value = found.summary(), found.value
    first = summary.iloc[0]
    title = (
        f"Formulas against the posterior, new account{_currency(value)}: posterior mean "
        f"{money(first['posterior mean'])}, 80% of the expected value {band(first['p10'], first['p90'])}"
    )
    lines = [(r["method"], r["basis"], money(r["estimate"]), _short(r["verdict"])) for _, r in summary.iterrows()]
    yield rows(title, ("method", "basis", "estimate", "in words"), lines, keys=2)
    if value.by:
        for basis in ("as practised", "aligned"):
            yield _by_segment(found, basis)


def _short(verdict: str) -> str:
    """A verdict without the name of the function that gave its reason."""
    head, _, reason = verdict.partition(": ")
    return f"{head}: {reason.rsplit(': ', 1)[-1]}" if head == "undefined" else verdict


_BY_SEGMENT = (
    "ARPA x margin / churn",
    "with expansion, linear",
    "with expansion, exact",
    "worksheet",
    "sBG point estimate",
)
"""The formulas that have a column by segment; the others are in the total and in what is written."""


def _by_segment(found: Comparison, basis: str) -> Table:
    table, by = found.table(), list(found.value.by)
    table = table[(table["basis"] == basis) & (table["kind"] == "parameter")]
    methods = [name for name in dict.fromkeys(table["method"]) if name in _BY_SEGMENT]
    lines = []
    for labels, own in table.groupby(by, sort=False):
        r = own.iloc[0]
        by_method = {row["method"]: _gap(row) for _, row in own.iterrows()}
        lines.append([*_labels(labels), money(r["mean"]), band(r["p10"], r["p90"]), *(by_method[m] for m in methods)])
    short = [
        textwrap.fill(
            m.replace("with ", "").replace(",", "").removesuffix(" point estimate"), 9, break_long_words=False
        )
        for m in methods
    ]
    caption = "gap to the posterior mean; * outside the 80% band of the expected value; undef.: no finite value"
    title = f"By segment, formulas {basis}"
    return rows(title, [*by, "posterior", "expected", *short], lines, keys=len(by), caption=caption)


def _gap(row: pd.Series) -> str:
    if math.isnan(row["estimate"]):
        return "undef."
    outside = "*" if not row["p10"] <= row["estimate"] <= row["p90"] else ""
    gap = f"{row['estimate'] / row['mean'] - 1:+.0%}" if row["mean"] > 0 else money(row["estimate"])
    return gap + outside


def backtest(found: Backtest) -> Iterator[Table]:
    """Scores of the posterior and of the baselines, and each bucket's total beside its band."""
    yield scores(found)
    units = found.forecasts()
    units = units[units["method"] == "posterior"]
    if found.by:
        units = units[(units[list(found.by)] == "all").all(axis=1)]
    lines = [
        [
            str(r["origin"]),
            f"{r['bucket']:.0f}",
            r["measure"],
            _in_unit(r["measure"])(r["observed"]),
            _in_unit(r["measure"])(r["mean"]),
            band(r["p10"], r["p90"], _in_unit(r["measure"])),
            _yes(r["p10"] <= r["observed"] <= r["p90"]),
        ]
        for _, r in units.iterrows()
    ]
    columns = ("origin", "bucket", "measure", "observed", "forecast", "80% band", "inside")
    yield rows("All segments, bucket by bucket", columns, lines, keys=3)


def _in_unit(measure: str, share: str = "{:.1%}") -> Format:
    """How a measure of a backtest is printed: accounts and money as amounts, the others as shares."""
    return money if measure in ("customers", "revenue") else share.format


def scores(found: Backtest) -> Table:
    """Scores of the posterior and of the baselines by measure, the best first."""
    lines = [
        [
            r["measure"],
            r["method"],
            f"{r['n']:.0f}",
            *(_in_unit(r["measure"], "{:.2%}")(r[name]) for name in ("bias", "mae", "crps", "width_80")),
            *(f"{r[name]:.0%}" for name in ("coverage_50", "coverage_80", "coverage_90")),
        ]
        for _, r in found.summary().iterrows()
    ]
    columns = ("measure", "method", "n", "bias", "MAE", "CRPS", "width", "50%", "80%", "90%")
    caption = "n segments x buckets; width of the 80% band; 50%, 80%, 90%: how often that band held what happened"
    title = "Would the bands have held? Smallest CRPS first"
    return rows(title, columns, lines, keys=2, caption=caption)


def demo(done: Demo) -> Iterator[Table | str]:
    """The demo's results, the truth first."""
    yield counted(done.table) + "\n"
    yield _truth(done.truth)
    yield from valuation(done.value)
    total, practised, _ = comparison(done.comparison)
    yield total
    yield practised
    yield scores(done.backtest)
    yield diagnostics(done.fit)


def _truth(truth: pd.DataFrame) -> Table:
    lines = [
        [
            str(r["segment"]),
            money(r["truth"]),
            money(r["mean"]),
            band(r["expected_p10"], r["expected_p90"]),
            _yes(r["inside_expected"]),
            band(r["realised_p10"], r["realised_p90"]),
            _yes(r["inside_realised"]),
        ]
        for _, r in truth.iterrows()
    ]
    columns = ("segment", "truth", "posterior", "expected", "inside", "realised", "inside")
    held = truth["inside_expected"].sum()
    caption = f"80% bands. The truth is an expected value: the expected (parameter) band holds {held} of {len(lines)}."
    return rows("CLTV of a new account beside the truth (USD)", columns, lines, caption=caption)


def _yes(held: object) -> str:
    return "yes" if held else "no"


def next_steps(done: Demo, folder: Path) -> Iterator[str]:
    """Where everything is and what to do next."""
    seed = done.fit.seed
    yield f"The chain took {done.seconds:.0f} s. Tables, pictures and the fit are in {folder}. What to do next:"
    yield f"  1. Look at {folder / 'survival.png'}, {folder / 'cash_flow.png'} and {folder / 'formulas.png'}."
    terms = "--gross-margin 0.8 --discount-rate 0.12 --horizon 3"
    yield f"  2. Ask the same fit something else: lifeworth value --fit {folder / 'fit'} {terms}"
    yield (
        f"  3. Use your own ledger: lifeworth compare {folder / 'ledger.parquet'} --as-of {done.data.as_of} "
        f"--acquired acquired --by segment --seed {seed} {terms}"
    )
