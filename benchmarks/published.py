"""Published numbers of subscription churn models beside ours: `published.py [RECORD ...]`.

The records are in ../shared/oracles/oracles.json, which is not part of the project: without it nothing is compared.
"Ours" is a maximum of the package's own likelihood of cells, found by scipy.optimize on the link scale of its
parameters, or a function of lifeworth.formulas. A list of numbers is one row, that of the worst of them. A number
agrees within half a unit of its last printed decimal or within the tolerance of its record; one that cannot be had
from the package has a row that says why.

A continuous-time law is fitted twice: to cells of one week, as a cohort table would hold them (no density, so no
log-likelihood to compare), and to cells of `MOMENT` weeks, whose likelihood per `MOMENT` is the density.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from lifeworth import formulas
from lifeworth.churn import (
    BetaDiscreteWeibull,
    ChurnCurve,
    DiscreteWeibull,
    Geometric,
    LogLogistic,
    ShiftedBetaGeometric,
)
from lifeworth.effects import CellIndex, Effect, Segments
from lifeworth.model import log_likelihood, log_retention

ORACLES = Path(__file__).resolve().parents[2] / "shared" / "oracles" / "oracles.json"
MOMENT = 1e-4
"""Weeks: short enough to stand for an instant."""
OTHER = ("bgnbd", "pareto.", "gammagamma", "mbgnbd", "nbd", "bgbb", "clvtools", "ggompertz", "compat")
"""How the records of transactional models, and of packages for them, begin."""
SBG = ShiftedBetaGeometric()
GROUPED = "another likelihood, losses lie anywhere in their week and the published ones at its end"

type Floats = np.ndarray
type Theta = dict[str, Any]
type Record = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One comparison; `ours` None could not be had, `why` says so or explains a difference."""

    quantity: str
    published: float | str
    ours: float | None = None
    decimals: int | None = None
    tolerance: float = 0.0
    why: str = ""

    @property
    def difference(self) -> float:
        return float(self.ours) - float(self.published)

    @property
    def verdict(self) -> str:
        if self.ours is None:
            return "-"
        size = abs(self.difference) * (1 - 1e-9)
        if size <= 0.5 * 10.0**-self.decimals:
            return "yes"
        return f"yes, to {self.tolerance:g}" if size <= self.tolerance else "no"

    def cells(self, record: str) -> list[str]:
        verdict = f"{self.verdict}: {self.why}" if self.why else self.verdict
        if self.ours is None:
            return [record, self.quantity, str(self.published), "", "", "", verdict]
        digits = self.decimals
        numbers = [f"{self.published:.{digits}f}", f"{self.ours:.{digits + 2}f}", f"{self.difference:+.1e}"]
        return [record, self.quantity, *numbers, str(digits), verdict]


def decimals_of(values: Sequence[float]) -> int:
    """The most decimals any of the numbers is written with."""
    return max(len(repr(v).partition(".")[2]) if repr(v)[-2:] != ".0" else 0 for v in values)


def compare(name: str, published: Any, ours: Any, tolerance: float = 0.0, decimals: int | None = None, why="") -> Row:
    """The row of a number, or of the worst of a list; `published` may be a node with its decimals."""
    node = published if isinstance(published, dict) else {"value": published}
    values = node["value"] if isinstance(node["value"], list) else [node["value"]]
    stated = node.get("decimals_printed")
    digits = decimals or (stated if isinstance(stated, int) else decimals_of([float(v) for v in values]))
    found = np.broadcast_to(np.asarray(ours, dtype=float), len(values))
    worst = int(np.argmax(np.abs(found - values)))
    label = f"{name} (worst of {len(values)})" if len(values) > 1 else name
    return Row(label, float(values[worst]), float(found[worst]), digits, tolerance, why)


def absent(name: str, why: str, published: Any = "") -> Row:
    return Row(name, published, why=why)


# The likelihood


@dataclass(frozen=True)
class Cells:
    """Accounts at risk at the start of each span of tenure, and those of them that left in it."""

    start: Floats
    stop: Floats
    at_risk: Floats
    churned: Floats
    segment: Floats

    @property
    def index(self) -> CellIndex:
        tenure, none = self.start.astype(int), np.zeros(len(self.start), dtype=int)
        return CellIndex(tenure=tenure, segment=self.segment, cohort=none, bucket=none, calendar=None, segments=2)


def cells_of(at_risk: Any, churned: Any) -> Cells:
    """One cell for each tenure 0, 1, ... along the last axis."""
    n, lost = np.atleast_2d(at_risk).astype(float), np.atleast_2d(churned).astype(float)
    tenure = np.broadcast_to(np.arange(n.shape[1], dtype=float), n.shape)[n > 0]
    return Cells(tenure, tenure + 1, n[n > 0], lost[n > 0], np.zeros(len(tenure), dtype=int))


def survivors_cells(survivors: Any) -> Cells:
    active = np.asarray(survivors, dtype=float)
    return cells_of(active[:-1], active[:-1] - active[1:])


def spell_cells(time: Any, event: Any, width: float = 1.0, segment: Any = 0) -> Cells:
    """Cells of lives that end at whole times: each time has a cell of `width` before it, the rest lies between."""
    time, event = np.asarray(time, dtype=float), np.asarray(event, dtype=bool)
    segment = np.broadcast_to(np.asarray(segment, dtype=int), time.shape)
    ends = np.arange(1.0, time.max() + 1)
    parts = [(ends - width, ends, True)] + ([(ends - 1, ends - width, False)] if width < 1 else [])
    start, stop, counts = (np.concatenate([np.broadcast_to(p[k], ends.shape) for p in parts]) for k in range(3))
    found = []
    for s in np.unique(segment):
        mine, left = time[segment == s], time[(segment == s) & event]
        at_risk = (mine[None, :] >= np.ceil(stop)[:, None]).sum(axis=1)
        churned = (left[None, :] == stop[:, None]).sum(axis=1) * counts
        kept = at_risk > 0
        found.append(np.stack([start, stop, at_risk, churned, np.full(len(start), s)])[:, kept])
    columns = np.concatenate(found, axis=1)
    return Cells(*columns[:4], columns[4].astype(int))


def height(curve: ChurnCurve, theta: Theta, cells: Cells, effects: tuple[Effect, ...] = ()) -> float:
    """Log likelihood of the cells; spans that are no whole periods come from the same survival."""
    if (cells.stop - cells.start == 1).all():
        stay = log_retention(curve, effects, theta, cells.index, int(cells.stop.max()))
    else:
        eta = sum((effect.eta(theta, cells.index) for effect in effects), start=0.0)
        stay = np.exp(eta) * (curve.log_survival(cells.stop, theta) - curve.log_survival(cells.start, theta))
    return float(log_likelihood(stay, cells.at_risk, cells.churned).sum())


def maximum(curve: ChurnCurve, cells: Cells, groups: bool = False) -> tuple[Theta, float]:
    """Parameters of the greatest likelihood, and the likelihood; `groups` gives two segments levels of their own."""
    scales = [p.location_scale() for p in curve.parameters]
    effects = (Segments(),) if groups else ()

    def theta_at(x: Floats) -> Theta:
        theta = {p.name: float(p.natural(value)) for p, value in zip(curve.parameters, x, strict=False)}
        return theta | ({"segment": np.array([x[-1], -x[-1]])} if groups else {})

    def loss(x: Floats) -> float:
        value = -height(curve, theta_at(x), cells, effects)
        return value if np.isfinite(value) else 1e12

    x = np.array([location for location, _ in scales] + [0.0] * groups)
    for _ in range(3):
        options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 5000}
        x = optimize.minimize(loss, x, method="Nelder-Mead", options=options).x
    return theta_at(x), -loss(x)


def least_squares(residuals: Callable[[Floats], Any]) -> tuple[float, float, float]:
    """Alpha, beta and the least sum of squares."""
    tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    best = optimize.least_squares(lambda x: np.asarray(residuals(np.exp(x)), dtype=float), [0.0, 1.0], **tight)
    return (*np.exp(best.x), 2 * float(best.cost))


def read(file: str, **options: Any) -> pd.DataFrame:
    return pd.read_csv(ORACLES.parent / file, **options)


def survivors(record: Record, column: str, years: int) -> Floats:
    return read(record["inputs"]["csv"])[column].to_numpy(dtype=float)[: years + 1]


def noted(record: Record, pattern: str) -> str:
    """What a record's notes say of a number in print."""
    found = re.search(pattern, record["notes"])
    if found is None:
        raise ValueError(f"the notes of {record['id']} have no {pattern!r}: they have changed.")
    return found.group(1)


# Shifted-beta-geometric and its relatives


def sbg_fit(record: Record) -> Iterator[Row]:
    """Seven renewals of one segment."""
    expected, cells = record["expected"], survivors_cells(survivors(record, record["inputs"]["column"], 7))
    theta, top = maximum(SBG, cells)
    alpha, beta = SBG.to_alpha_beta(theta)
    ours = {"alpha": alpha, "beta": beta, "LL": top, "E_theta": theta["first_churn"]}
    for name, value in ours.items():
        yield compare(name, expected[name], value, 5e-3 if name == "LL" else 5e-4)
    if "alt" in expected["LL"]:
        yield compare("LL (spreadsheet)", float(expected["LL"]["alt"].split()[0]), top, 5e-3)
    for name, start in (("LL_at_1_1", 1.0), ("LL_at_01_01", 0.01)):
        if name in expected:
            yield compare(name, expected[name], height(SBG, SBG.from_alpha_beta(start, start), cells))
    if "LL_row_contributions" in expected:
        survival = formulas.sbg_survival(np.arange(8), 1, 1)
        left = cells.at_risk[-1] - cells.churned[-1]
        rows = [*(cells.churned * np.log(-np.diff(survival))), left * np.log(survival[-1])]
        yield compare("LL rows at 1, 1", expected["LL_row_contributions"], rows)
    misprint = r"p\.82 prints alpha=([\d.]+)" if record["id"] == "sbg.highend.mle7" else r"uses alpha=([\d.]+)"
    where = "in the text, p. 82" if record["id"] == "sbg.highend.mle7" else "in pymc-marketing's tests"
    yield compare(f"alpha {where}", float(noted(record, misprint)), alpha, 5e-4, why="misprint, says the record")


def sbg_projection(record: Record) -> Iterator[Row]:
    inputs, expected = record["inputs"], record["expected"]

    def at(segment: str) -> Floats:
        return 100 * formulas.sbg_survival(np.arange(13), **inputs[segment])

    yield compare("S(8..12) high end", expected["jdmaturen_high_end_years_8_to_12"], at("high_end")[8:] / 100, 1e-3)
    over = [float(v) for v in re.search(r"by (\d+)%/(\d+)%", record["notes"]).groups()]  # type: ignore[union-attr]
    for segment, published in zip(("high_end", "regular"), over, strict=True):
        yield compare(f"S(0..12) {segment}, % (own)", expected[f"{segment}_pct_0_12"]["value"], at(segment))
        ours = 100 * (at(segment)[12] / expected["actual_year12_pct"][segment] - 1)
        yield compare(
            f"year 12 over the actual, %, {segment}", published, ours, why="misprint, of the sign, says the record"
        )


def strawmen(record: Record) -> Iterator[Row]:
    yield absent("12 regressions", "least-squares curves of tenure; no model of the package")


def geometric(record: Record) -> Iterator[Row]:
    expected = record["expected"]
    for name, column, years in (("high_end_7yr", "high_end", 7), ("regular_first4renewals", "regular", 4)):
        cells = survivors_cells(survivors(record, f"{column}_active", years))
        theta, top = maximum(Geometric(), cells)
        yield compare(f"{column} theta", expected[name]["theta"], theta["first_churn"], 1e-3)
        yield compare(f"{column} LL", expected[name]["LL"], top, 1e-3)
    for name, churn in (("LL_theta_02", 0.2), ("LL_theta_05", 0.5)):
        ours = height(Geometric(), {"first_churn": churn}, cells)
        yield compare(f"regular LL at {churn}", expected["regular_first4renewals"][name], ours)
    misprint = float(noted(record, r"prints LL\(\.5\) = (-[\d.]+)"))
    yield compare("regular LL at 0.5, one handout", misprint, ours, why="misprint, says the record")


def beta_discrete_weibull(record: Record) -> Iterator[Row]:
    expected, cells = record["expected"], survivors_cells(survivors(record, record["inputs"]["column"], 4))
    tops = {}
    for name, curve in (("BG", SBG), ("BdW", BetaDiscreteWeibull()), ("dW", DiscreteWeibull())):
        theta, tops[name] = maximum(curve, cells)
        ours = {"theta": theta["first_churn"], "c": theta.get("shape"), "LL": tops[name]}
        if "polarization" in theta:
            ours["gamma"], ours["delta"] = SBG.to_alpha_beta(theta)
        for key in ("gamma", "delta", "theta", "c", "LL"):
            if key in expected[name]:
                tolerance = 1e-4 if key == "LL" else 1e-3
                yield compare(f"{name} {key}", expected[name][key], ours[key], tolerance)
    ratio = 2 * (tops["BdW"] - tops["BG"])
    yield compare("LR c = 1, chi2", expected["LR_c_equals_1"]["chi2"], ratio)
    yield compare("LR c = 1, p", expected["LR_c_equals_1"]["p"], stats.chi2.sf(ratio, 1))


def nls(record: Record) -> Iterator[Row]:
    expected, active = record["expected"], survivors(record, record["inputs"]["column"], 4)
    observed = active[1:] / active[:-1]

    def residuals(x: Floats) -> Floats:
        return formulas.sbg_retention(np.arange(1, 5), *x) - observed

    gamma, delta, squares = least_squares(residuals)
    survival = formulas.sbg_survival(np.arange(1, 13), gamma, delta)
    yield compare("gamma", expected["gamma"], gamma, 5e-4)
    yield compare("delta", expected["delta"], delta, 5e-4)
    yield compare("SSE", expected["SSE"], squares)
    yield compare("SSE at 1, 1", expected["SSE_at_1_1"], (residuals(np.ones(2)) ** 2).sum(), decimals=4)
    yield compare("S(12)", expected["S12"], survival[-1], 5e-4)
    why = (
        "their solver stopped short of the minimum" if abs(survival[0] - expected["S_1_12"]["value"][0]) > 5e-8 else ""
    )
    yield compare("S(1..12)", expected["S_1_12"], survival, 5e-4, why=why)
    misprint = float(noted(record, r"Printed SSE (\S+)"))
    ours = (residuals(np.full(2, 0.01)) ** 2).sum()
    why = f"misprint, says the record: it is that of (0.1, 0.1), ours {(residuals(np.full(2, 0.1)) ** 2).sum():.4f}"
    yield compare("SSE at 0.01, 0.01", misprint, ours, decimals=4, why=why)


def rising_retention(record: Record) -> Iterator[Row]:
    why = "retention that tends to a limit, by least squares; no law of the package"
    yield absent("r_inf, lambda and SSE, 2 segments", why)


def many_cohorts(record: Record) -> Iterator[Row]:
    """Five cohorts: all sizes known, the first and last sizes, and three cases of totals or last sizes."""
    expected, sizes = record["expected"], read(record["inputs"]["csv"], index_col=0).to_numpy(dtype=float)
    count = len(sizes)
    at_risk, churned = np.zeros((2, count, count))
    for i in range(count):
        life = sizes[i, i:]
        at_risk[i, : len(life) - 1], churned[i, : len(life) - 1] = life[:-1], life[:-1] - life[1:]
    first, last, age = sizes.diagonal()[:-1], sizes[:-1, -1], np.arange(1.0, count)[::-1]
    ends = Cells(0 * age, age, first, first - last, np.zeros(count - 1, dtype=int))
    for name, cells in (("full", cells_of(at_risk, churned)), ("case1", ends)):
        theta, top = maximum(SBG, cells)
        ours = (*SBG.to_alpha_beta(theta), top)
        for key, value, tolerance in zip(("alpha", "beta", "LL"), ours, (1e-2, 1e-2, 0.05), strict=True):
            yield compare(f"{name} {key}", expected[name][key], value, tolerance, None if key == "LL" else 2)
    for name, residuals in sums_of_sizes(sizes, np.asarray(record["inputs"]["totals"], dtype=float)).items():
        ours = least_squares(residuals)
        for key, value, tolerance in zip(("alpha", "beta", "SSE"), ours, (1e-2, 1e-2, 1e-4), strict=True):
            yield compare(f"{name} {key}", expected[name][key], value, tolerance, None if key == "SSE" else 2)


def sums_of_sizes(sizes: Floats, totals: Floats) -> dict[str, Callable[[Floats], Floats]]:
    """Residuals at alpha and beta: of totals from first sizes or last ones, and of last sizes from those before."""
    age = np.arange(len(sizes))[::-1]

    def totals_at(x: Floats, last: Floats | None) -> Floats:
        survival = formulas.sbg_survival(np.arange(len(sizes)), *x)
        start = sizes.diagonal() if last is None else last / survival[age]
        return np.array([start[: t + 1] @ survival[t::-1] for t in range(len(sizes))]) - totals

    return {
        "case2_NLS": lambda x: totals_at(x, None),
        "case3": lambda x: totals_at(x, sizes[:, -1]),
        "case4": lambda x: sizes[:-1, -2] * formulas.sbg_retention(age[:-1], *x) - sizes[:-1, -1],
    }


# Lifetimes and values in closed form


def del_derl(record: Record) -> Iterator[Row]:
    inputs, expected = record["inputs"], record["expected"]
    alpha, beta, d = inputs["alpha"], inputs["beta"], inputs["d"]
    residual = formulas.sbg_derl(np.arange(1, 13), alpha, beta, d)
    yield compare("DEL (own)", expected["DEL"]["value"], formulas.sbg_del(alpha, beta, d))
    yield compare("DERL(1..12) (own, 8th published)", expected["DERL_1_12"]["value"], residual)
    yield compare("DERL(8)", expected["DERL_1_12"]["value"][7], residual[7], decimals=3)
    readme = expected["eCLV_README"]
    for key in ("DEL", "DERL"):
        why = "a sum cut short, at parameters that are not in the record"
        yield absent(f"eCLV README {key}", why, readme[key])


def perils(record: Record) -> Iterator[Row]:
    inputs, expected = record["inputs"], record["expected"]
    law, d, acquired = (inputs["alpha"], inputs["beta"]), inputs["d"], np.asarray(inputs["acquisitions"], dtype=float)
    residual = formulas.sbg_derl(np.arange(1, 6), *law, d)
    survival = formulas.sbg_survival(np.arange(5), *law)
    book = [[acquired[i] * survival[year - i] for i in range(year + 1)] for year in range(5)]
    totals = np.array([sum(year) for year in book])
    retention = formulas.logo_retention(totals[3], totals[3] - sum(book[4][:4]))
    naive = totals[4] * formulas.geometric_derl(1 - retention, d)
    true = float(np.dot(book[4], residual[::-1]))
    observed = read(inputs["csv"], index_col=0).to_numpy(dtype=float)
    table = np.array([year + [0.0] * (5 - len(year)) for year in book]).T
    yield compare("DERL(1..5)", expected["DERL_1_5"], residual)
    yield compare("active by cohort and year", observed[~np.isnan(observed)].tolist(), table[~np.isnan(observed)], 0.5)
    yield compare("totals", expected["totals"], totals, 0.5)
    yield compare("aggregate retention", expected["aggregate_retention"], retention)
    yield compare("naive RV", expected["naive_RV"], naive, 0.5)
    yield compare("true RV", expected["true_RV"], true, 0.5)
    yield compare("underestimate, %", expected["underestimate_pct"], 100 * (1 - naive / true))


def pareto2(record: Record) -> Iterator[Row]:
    at = record["inputs"]
    ours = formulas.pareto2_derl(at["t"], at["s"], at["beta"], at["delta"])
    yield compare("DERL (own)", record["expected"]["DERL"], ours, 1e-6)


def three_timings(record: Record) -> Iterator[Row]:
    at = record["inputs"]
    for name, timing in (
        ("immediate", "immediate"),
        ("no_first_payment", "no_first_payment"),
        ("end_of_period", "end"),
    ):
        published = float(record["expected"][name].rpartition("=")[2])
        yield compare(name, published, at["m"] * formulas.margin_multiple(at["r"], at["d"], timing=timing), 1e-9)


def margin_multiple(record: Record) -> Iterator[Row]:
    inputs, expected = record["inputs"], record["expected"]
    retention, note = np.asarray(inputs["r"]), inputs["fn2"]
    for rate, published in expected["table"].items():
        ours = formulas.margin_multiple(retention, float(rate))
        yield compare(f"r / (1 + i - r), i {rate}", published, ours, 5e-3, expected["decimals"])
    value = note["m"] * formulas.margin_multiple(note["r"], note["i"])
    annuity = formulas.present_value(np.full(5, float(note["m"])), np.arange(1, 6), note["i"])
    yield compare("footnote 2, CLV", expected["fn2_CLV"], value)
    yield compare("footnote 2, annuity", expected["fn2_5yr_annuity"], annuity)
    yield compare("footnote 2, overstatement, %", expected["fn2_overstatement_pct"], 100 * (annuity / value - 1))
    step, rate = 1e-5, 0.1
    up, down = (np.log(formulas.margin_multiple(retention * np.exp(s), rate)) for s in (step, -step))
    formula = ((1 + rate) / (1 + rate - retention)).tolist()
    yield compare(f"elasticity, the formula at i {rate}", formula, (up - down) / (2 * step), decimals=6)


def skok(record: Record) -> Iterator[Row]:
    expected = record["expected"]
    for at in expected["own_examples"]:
        arpa, churn = at["a"], at["c"]
        growth = at.get("G", at.get("m", 0) / arpa)
        text = at.get("monthly_discount", "0/1").split("/")
        discounts = {"LTV": float(text[0]) / float(text[1]), "LTV_undiscounted": 0.0, "LTV_d10pct": 0.10}
        for key in discounts.keys() & at.keys():
            ours = formulas.cltv_skok(arpa, 1.0, churn, growth, discounts[key])
            name = f"LTV a {arpa}, G {growth:g}, c {churn}, d {discounts[key]:.3g} (own)"
            yield compare(name, at[key], ours, 1e-6)
    churn, months, yearly, years, c, growth, net, factor = _numbers(expected["article"])
    yield compare("life at 3% a month, months", months, formulas.cltv_basic(1, 1, churn / 100))
    yield compare("life at 20% a year, years", years, formulas.cltv_basic(1, 1, yearly / 100))
    kept = formulas.nrr(1.0, c / 100, (1 - c / 100) * growth / 100)
    yield compare("kept after churn and expansion", factor, kept)
    yield compare("net churn, %", net, 100 * (1 - kept))


def _numbers(article: str) -> list[float]:
    """Churn, its life in months; churn, its life in years; churn, expansion, net churn, and what is kept."""
    pattern = (
        r"(\d+)% churn -> (\d+) months, (\d+)%/yr -> (\d+) years, "
        r"(\d+)% churn \+ (\d+)% linear expansion -> net (-\d+)% .*=([\d.]+)\)"
    )
    found = re.search(pattern, article)
    if found is None:
        raise ValueError("the article's numbers are written in another way than they were.")
    return [float(v) for v in found.groups()]


def taxonomy(record: Record) -> Iterator[Row]:
    inputs, expected = record["inputs"], record["expected"]
    day, money = np.asarray(inputs["cash_flows"], dtype=float).T
    rate, cac, now, year = inputs["annual_d"], inputs["CAC"], inputs["decision_day"], inputs["day_count"]

    def value(chosen: Any, at: float = 0.0, discount: float = rate) -> float:
        return float(formulas.present_value(money[chosen], (day[chosen] - at) / year, discount))

    ever, past = day >= 0, day < now
    paid = value(past) - cac
    ours = {
        "PAV": value(ever),
        "CLV": value(ever) - cac,
        "RLV_day180": value(~past, now),
        "HV": paid / formulas.discount_factor(now / year, rate),
        "CLV_90d": value(day < 90) - cac,
        "undiscounted_CLV": value(ever, discount=0.0) - cac,
        "repeat_PAV": value(day > 0),
        "E_CLV_with_E_RLV_12": paid + 12 * formulas.discount_factor(now / year, rate),
    }
    for name, published in expected.items():
        if name in ours:
            yield compare(name, published, ours[name], 1e-4)
        else:
            yield absent(name, "the record does not define it", published)


# Times of events


def kaplan_meier(time: Any, event: Any, entry: Any = 0) -> Floats:
    """Survival at whole times 0, 1, ...: the product of the retention of cells; lives enter after `entry`."""
    time, event = np.asarray(time), np.asarray(event, dtype=bool)
    tenure = np.arange(time.max())[:, None]
    at_risk = ((time > tenure) & (np.asarray(entry) <= tenure)).sum(axis=1)
    churned = ((time == tenure + 1) & event).sum(axis=1)
    kept = formulas.logo_retention(np.maximum(at_risk, 1), churned)
    return np.concatenate([[1.0], np.cumprod(kept)])


def typical(curve: ChurnCurve, theta: Theta) -> float:
    """Scale of the continuous law, the time at which S is 1 / e (Weibull) or 1 / 2 (log-logistic)."""
    first = -np.log1p(-theta["first_churn"])
    level = np.expm1(first) if isinstance(curve, LogLogistic) else first
    return float(level ** (-1 / theta["shape"]))


def continuous(
    curve: ChurnCurve, time: Any, event: Any, segment: Any = 0, width: float = MOMENT
) -> tuple[Theta, float]:
    """Maximum over cells of `width`, its height per `width`: that of the density, where the width is short."""
    cells = spell_cells(time, event, width, segment)
    theta, top = maximum(curve, cells, groups=np.ndim(segment) > 0)
    return theta, top - cells.churned.sum() * np.log(width)


def two_parameters(name: str, curve: ChurnCurve, published: Sequence[float], time: Any, event: Any) -> Iterator[Row]:
    """Scale, shape and log-likelihood of a law: cells that stand for instants, then cells of a week."""
    theta, top = continuous(curve, time, event)
    ours = (typical(curve, theta), theta["shape"], top)
    for key, number, value in zip(("scale", "shape", "LL"), published, ours, strict=True):
        yield compare(f"{name} {key}", number, value, 1e-3)
    theta, _ = continuous(curve, time, event, width=1.0)
    yield compare(f"{name} scale, cells of a week", published[0], typical(curve, theta), 1e-3, why=GROUPED)
    yield compare(f"{name} shape, cells of a week", published[1], theta["shape"], 1e-3, why=GROUPED)


def gehan(record: Record) -> Iterator[Row]:
    expected, trial = record["expected"], read(record["inputs"]["csv"])
    arms = {"6MP": trial[trial["group"] == 2], "control": trial[trial["group"] == 1]}
    survival = kaplan_meier(arms["6MP"]["time"], arms["6MP"]["event"])
    published = expected["KM_6MP"]
    yield compare("KM 6MP, S", published["S"], survival[published["t"]])
    yield absent("KM 6MP, SE (7)", "the package gives posterior bands, no Greenwood errors")
    fitted = expected["weibull_AFT"]
    control = (trial["group"] == 1).to_numpy(dtype=int)
    theta, top = continuous(DiscreteWeibull(), trial["time"], trial["event"], control)
    intercept, treat = (
        np.log(typical(DiscreteWeibull(), theta)) - theta["segment"][0] / theta["shape"],
        -(theta["segment"][1] - theta["segment"][0]) / theta["shape"],
    )
    _, null = continuous(DiscreteWeibull(), trial["time"], trial["event"])
    ours = {"intercept": intercept, "treat": treat, "scale": 1 / theta["shape"], "LL": top, "LL_null": null}
    for key, value in ours.items():
        yield compare(f"Weibull by arm, {key}", fitted[key], value, 1e-3)
    for name, numbers in expected["own"].items():
        if name != "order":
            law, _, arm = name.partition("_")
            curve = DiscreteWeibull() if law == "weibull" else LogLogistic()
            yield from two_parameters(f"{law} {arm} (own)", curve, numbers, arms[arm]["time"], arms[arm]["event"])


def rossi(record: Record) -> Iterator[Row]:
    expected, people = record["expected"], read(record["inputs"]["csv"])
    time, event = people["week"], people["arrest"]
    yield compare("KM, S", expected["KM"]["S"], kaplan_meier(time, event)[expected["KM"]["t"]])
    yield from two_parameters("weibull", DiscreteWeibull(), expected["weibull"], time, event)
    yield from two_parameters("loglogistic", LogLogistic(), expected["loglogistic"], time, event)
    scale, top = expected["exponential"]
    for label, width, why in (("", MOMENT, ""), (", cells of a week", 1.0, GROUPED)):
        theta, found = continuous(Geometric(), time, event, width=width)
        yield compare(f"exponential scale{label}", scale, -1 / np.log1p(-theta["first_churn"]), 1e-3, why=why)
        if not label:
            yield compare("exponential LL", top, found, 1e-3)
    yield absent("lognormal", "no such law in the package", ", ".join(f"{v:.3f}" for v in expected["lognormal"]))
    yield absent("Weibull AFT, 7 covariates", "ages and counts are no covariates of the package: segments only")


def other_survival(record: Record) -> Iterator[Row]:
    expected, (glioma, cohort) = record["expected"], record["inputs"]["csv"]
    patients = read(glioma)
    control = patients[patients["group"] == "Control"]
    published = expected["g3_control_KM"]
    survival = kaplan_meier(control["time"], control["event"])
    yield compare("g3 control KM, S", published["S"], survival[published["t"]])
    yield absent("g3 control KM, limits (8)", "the package gives posterior bands, no log-log limits")
    lives = 1000 * read(cohort)[["W", "T"]].to_numpy()
    entry, end = np.rint(lives).astype(int).T
    left = expected["MACS_left_trunc"]
    late = kaplan_meier(end, read(cohort)["D"], entry)
    yield compare("MACS, late entry, S", left["S"], late[round(1000 * left["t"])])
    for name in ("ReliaSoft_interval_weibull", "ReliaSoft_2", "diabetes_interval_AFT"):
        yield absent(name, "its data are not in the record")


RECORDS: dict[str, Callable[[Record], Iterator[Row]]] = {
    "sbg.highend.mle7": sbg_fit,
    "sbg.regular.mle7": sbg_fit,
    "sbg.projection12": sbg_projection,
    "sbg.regression_strawmen": strawmen,
    "geometric.constant_retention": geometric,
    "bdw.regular.4renewals": beta_discrete_weibull,
    "sbg.note032.nls": nls,
    "note016.kumar_reinartz": rising_retention,
    "sbg.note017.multicohort": many_cohorts,
    "sbg.del_derl": del_derl,
    "perils.case1": perils,
    "pareto2.derl": pareto2,
    "note024.timing": three_timings,
    "gupta_lehmann.margin_multiple": margin_multiple,
    "clv.taxonomy": taxonomy,
    "skok.expansion": skok,
    "surv.gehan": gehan,
    "surv.rossi": rossi,
    "surv.misc": other_survival,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="*", choices=[*RECORDS, []], help="all without it")
    chosen = parser.parse_args().records
    if not ORACLES.exists():
        print(f"{ORACLES} is not here: nothing to compare with")
        return
    records = [r for r in json.loads(ORACLES.read_text()) if not chosen or r["id"] in chosen]
    rows = [(record["id"], row) for record in records for row in rows_of(record)]
    header = ["record", "quantity", "published", "ours", "difference", "decimals printed", "agrees"]
    show([header, *(row.cells(name) for name, row in rows)])
    count = Counter("yes" if row.verdict.startswith("yes") else row.verdict for _, row in rows)
    print(f"\n{count['yes']} agree, {count['no']} do not, {count['-']} cannot be had")
    for why, times in Counter(row.why.partition(",")[0] for _, row in rows if row.verdict == "no").most_common():
        print(f"  {times} that do not: {why or 'no reason known'}")
    print(
        "left out, of transactional models:", ", ".join(r["id"] for r in records if r["id"].startswith(OTHER)) or "none"
    )


def rows_of(record: Record) -> list[Row]:
    if record["id"] in RECORDS:
        return list(RECORDS[record["id"]](record))
    return [] if record["id"].startswith(OTHER) else [absent("all", "a record this script does not know")]


def show(table: list[list[str]]) -> None:
    widths = [max(len(row[k]) for row in table) for k in range(6)]
    for row in table:
        start = [
            cell.rjust(w) if k > 1 else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=False))
        ]
        print("  ".join([*start, row[6]]))


if __name__ == "__main__":
    main()
