"""What was planted in a book, and what the model meant for it finds: `planted_truth.py [STUDY ...] [--books N]`.

Each study simulates books, accounts one by one, whose truth is known; fits each with a model that can say it; and
prints the planted value, the posterior mean and 80% interval of the first book, and how many of the books held the
truth inside: eight in ten, where the intervals are what they say. A vector (a deviation for each cohort, a shock for
each segment and quarter) is one line: how many of its elements, over all books.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import lifeworth as lw
from lifeworth.effects import Shock
from lifeworth.expansion import Saturating
from lifeworth.ledger.simulate import SegmentWorld, World, simulate, true_path
from lifeworth.model import log_retention

type Floats = NDArray[np.float64]
type Found = dict[str, tuple[Any, Floats]]
"""Planted value and draws by quantity: a number and (draws,), or (n,) and (draws, n)."""

AS_OF = date(2025, 12, 31)
MONTHS = 36
QUARTERS = MONTHS // 3
SAMPLER = lw.SamplerOptions(draws=500, tune=500, chains=4)


@dataclass(frozen=True)
class Planted:
    """What is planted, the model meant for it, and what is compared."""

    about: str
    table: Callable[[int], tuple[lw.CohortTable, Mapping[str, Any]]]
    """The cells of the book of a seed, and what was drawn for it."""
    found: Callable[[lw.Fit, Mapping[str, Any]], Found]
    model: Mapping[str, Any] = field(default_factory=dict)
    """In place of the defaults of `lw.fit`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", choices=[*STUDIES, []], help="all without it")
    parser.add_argument("--books", type=int, default=10)
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="of the first book")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    pd.set_option("display.width", 160, "display.max_columns", 30)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    for name in options.studies or STUDIES:
        study = STUDIES[name]
        print(f"\n## {name}: {study.about}")
        begun, rows, diagnosed = time.perf_counter(), [], []
        for book in range(options.first, options.first + options.books):
            table, drawn = study.table(book)
            fit = lw.fit(table, seed=book, sampler=SAMPLER, **study.model)
            diagnosed.append(fit.diagnostics.table)
            for quantity, (planted, draws) in study.found(fit, drawn).items():
                rows += compared(book, quantity, planted, draws)
        print(summary(pd.DataFrame(rows)).to_string(index=False))
        every = pd.concat(diagnosed)
        print(
            f"{options.books} books, {int(table.frame['at_risk'].gt(0).sum()):,} cells in the last, "
            f"{time.perf_counter() - begun:.0f} s; R-hat <= {every['r_hat'].max():.3f}, least ESS "
            f"{every[['ess_bulk', 'ess_tail']].min().min():.0f}, {int(every['divergences'].sum())} divergences in "
            f"{int(every['draws'].sum()):,} draws",
            flush=True,
        )


def compared(book: int, quantity: str, planted: Any, draws: Floats) -> list[dict[str, Any]]:
    """One row an element: its 80% interval, and whether the truth is inside."""
    truth, draws = np.atleast_1d(planted), draws.reshape(len(draws), -1)
    low, high = np.quantile(draws, [0.1, 0.9], axis=0)
    of = {"planted": truth, "mean": draws.mean(axis=0), "p10": low, "p90": high}
    found = pd.DataFrame(of).assign(book=book, quantity=quantity, inside=(low <= truth) & (truth <= high))
    return found.to_dict("records")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A line a quantity: the first book's numbers, and how many of all books' are inside."""
    lines = []
    for quantity, each in rows.groupby("quantity", sort=False):
        first = each[each["book"] == each["book"].min()]
        line: dict[str, Any] = {"quantity": quantity}
        if len(first) == 1:
            line |= first[["planted", "mean", "p10", "p90"]].round(4).iloc[0].to_dict()
            line |= {"in": "yes" if first["inside"].item() else "no"}
        else:
            line |= {"planted": np.nan, "mean": np.nan, "p10": np.nan, "p90": np.nan, "in": ""}
        error = each["mean"] - each["planted"]
        lines.append(line | {"inside": f"{each['inside'].sum()} of {len(each)}", "mean_error": error.mean().round(4)})
    return pd.DataFrame(lines)


# What is read from a fit


def mean_hazard(fit: lw.Fit, part: str, chosen: NDArray[np.bool_]) -> Floats:
    """Share that leaves of those who were at risk in the chosen cells, accounts or their money; (draws,)."""
    rows = fit.table.frame[chosen]
    at = fit.index.cells(fit.index.positions(rows, fit.table.by))
    stay = log_retention(fit.model.churn, fit.model.effects, fit.theta(part), at, fit.index.shape.tenures)
    return -np.expm1(stay) @ weight(rows, part)


def weight(rows: pd.DataFrame, part: str) -> Floats:
    base = rows["at_risk" if part == "logo" else "opening"].to_numpy(dtype=float)
    return base / base.sum()


def calendar(fit: lw.Fit) -> Floats:
    """Level of the walk in each quarter of the history, (draws, quarters)."""
    return (fit.theta("logo")["calendar"] @ fit.index.loading())[:, -QUARTERS:]


# (a) Onboarding: the first three months are the dangerous ones

ONBOARDING, LATER = 0.08, 0.02


def onboarding(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    segment = SegmentWorld(("all",), 150, arpa=100.0, hazard=(ONBOARDING,) * 3 + (LATER,))
    return accounts_of(World((segment,), MONTHS, AS_OF), seed), {}


def onboarding_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    tenure = fit.table.frame["tenure"].to_numpy()
    first, later = (mean_hazard(fit, "logo", chosen) for chosen in (tenure < 3, tenure >= 3))
    edge = {month: mean_hazard(fit, "logo", tenure == month - 1) for month in (3, 4)}
    return {
        "hazard of the first three months": (ONBOARDING, first),
        "hazard later": (LATER, later),
        "first three months over later": (ONBOARDING / LATER, first / later),
        "hazard of the third month": (ONBOARDING, edge[3]),
        "hazard of the fourth month": (LATER, edge[4]),
    }


# (b) Renewal: monthly, yearly and two-year contracts in monthly cells

LEAVE = {1: 0.02, 12: 0.25, 24: 0.40}
"""Share that leaves when a term of so many months ends, of those at risk then."""
MID_TERM = 0.10


def renewals(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    worlds = [
        World((SegmentWorld((str(term),), 40, arpa=100.0, hazard=term_hazard(term)),), 66, AS_OF, by=("term",))
        for term in LEAVE
    ]
    spells = pd.concat([simulate(w, 10 * seed + i).assign(world=i) for i, w in enumerate(worlds)], ignore_index=True)
    names = spells["world"].astype(str) + spells["customer_id"]
    spells = spells.assign(customer_id=names, term=spells["term"].astype(int)).drop(columns="world")
    ledger = lw.Ledger.from_spells(spells, as_of=AS_OF, term_months="term")
    table = ledger.cohort_table(cohort="year", by=["term_months"])
    return replace(table, has_money=False), {}


def term_hazard(term: int) -> Callable[[int], float]:
    """Renewal takes the hazard of the whole term; a month between takes `MID_TERM` of its own share of it."""
    a_month = -np.log1p(-LEAVE[term]) / term
    return lambda tenure: -np.expm1(-a_month * (term if (tenure + 1) % term == 0 else MID_TERM))


def renewals_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    tenure, term = (fit.table.frame[name].to_numpy(dtype=int) for name in ("tenure", "term_months"))
    due = (tenure + 1) % term == 0
    found: Found = {
        f"leaves at the end of {t} months": (LEAVE[t], mean_hazard(fit, "logo", due & (term == t))) for t in LEAVE
    }
    for t in (12, 24):
        found[f"leaves in a month between, of {t}"] = (term_hazard(t)(0), mean_hazard(fit, "logo", ~due & (term == t)))
    return found | {"mid_term": (MID_TERM, fit.theta("logo")["mid_term"][:, 0])}


# (c) Expansion that ends at a ceiling

GROWTH = {"expansion_annual": 0.45, "headroom": 1.0, "contraction_annual": 0.02}
JUMP = 0.25


def moving(
    seed: int,
    rates: Callable[[int, Floats], tuple[Any, Any]],
    hazard: Callable[[int, NDArray[np.bool_]], Any],
    a_month: int = 60,
) -> lw.Ledger:
    """Monthly amounts of accounts that begin at 100 and move by jumps of about a quarter.

    `rates` gives expansion and contraction a year by month and age in years, `hazard` churn by month and whether an
    account has expanded.
    """
    rng, months = np.random.default_rng(seed), 48
    begun = np.repeat(np.arange(months), a_month)
    amount, expanded, parts = np.zeros(begun.size), np.zeros(begun.size, dtype=bool), []
    for now in range(months):
        amount[begun == now] = 100.0
        here = np.flatnonzero(amount)
        paid = {"customer_id": here.astype(str), "period": pd.Timestamp("2022-01-01") + pd.DateOffset(months=now)}
        parts.append(pd.DataFrame(paid | {"amount": amount[here].round(2)}))
        added, lost = (rate / 12 / JUMP for rate in rates(now, (now - begun[here]) / 12))
        event, size = rng.random(here.size), JUMP * rng.uniform(0.5, 1.5, here.size)
        moved = np.where(event < added, size, np.where(event > 1 - lost, -size, 0.0))
        amount[here] *= (1 + moved) * (rng.random(here.size) > hazard(now, expanded[here]))
        expanded[here] |= moved > 0
    return lw.Ledger.from_snapshots(pd.concat(parts), as_of=AS_OF)


def ceiling(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    ledger = moving(seed, lambda _, age: Saturating().rates(age, GROWTH), lambda *_: 0.005)
    return ledger.cohort_table(cohort="year"), {}


def ceiling_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    theta, curve, years = fit.theta("expansion"), Saturating(), np.array([5.0])
    found: Found = {name: (value, theta[name][:, 0]) for name, value in GROWTH.items()}
    grown = (float(curve.multiple(years, GROWTH)[0]), curve.multiple(years, theta)[:, 0])
    return found | {"multiple of the first ARPA after five years": grown}


# (d) Calendar: a level that shifts for all, and shocks to one segment in one quarter

SHIFT, FIRST_HIGH = 0.4, QUARTERS - 5
HAZARDS = {"A": 0.02, "B": 0.04, "C": 0.06}
SHOCK, SHOCK_SD, SHOCKED = 0.6, 0.2, (1, QUARTERS - 5)
"""The named shock, the sd of all others, and the segment and quarter of the named one."""


def level_shift(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    levels = np.repeat(np.where(np.arange(QUARTERS) >= FIRST_HIGH, SHIFT, 0.0), 3)
    segments = tuple(SegmentWorld((name,), 100, arpa=100.0, hazard=(hazard,)) for name, hazard in HAZARDS.items())
    return accounts_of(World(segments, MONTHS, AS_OF, calendar=tuple(levels)), seed), {}


def level_shift_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    level = calendar(fit)
    before, after = level[:, 1:FIRST_HIGH], level[:, FIRST_HIGH:]  # hardly anybody is at risk in the first quarter
    steps = np.diff(level, axis=1)
    others = [i for i in range(1, QUARTERS - 1) if i != FIRST_HIGH - 1]
    return {
        "log hazard after the shift less before": (SHIFT, after.mean(axis=1) - before.mean(axis=1)),
        "step into the quarter of the shift": (SHIFT, steps[:, FIRST_HIGH - 1]),
        "last quarter less before": (SHIFT, level[:, -1] - before.mean(axis=1)),
        "steps between other quarters (0)": (np.zeros(len(others)), steps[:, others]),
    }


def shocks(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    rng = np.random.default_rng([seed, 7])
    shock = rng.normal(0, SHOCK_SD, (len(HAZARDS), QUARTERS))
    shock[SHOCKED] = SHOCK
    worlds = [
        World(
            (SegmentWorld((name,), 300, arpa=100.0, hazard=(hazard,)),), MONTHS, AS_OF, calendar=tuple(np.repeat(s, 3))
        )
        for (name, hazard), s in zip(HAZARDS.items(), shock, strict=True)
    ]
    spells = pd.concat([simulate(w, 10 * seed + i).assign(world=i) for i, w in enumerate(worlds)], ignore_index=True)
    spells = spells.assign(customer_id=spells["world"].astype(str) + spells["customer_id"]).drop(columns="world")
    return replace(table_of(spells, ["segment"]), has_money=False), {"shock": shock}


def shocks_found(fit: lw.Fit, drawn: Mapping[str, Any]) -> Found:
    theta = fit.theta("logo")
    shock = theta["shock"].reshape(len(theta["shock"]), -1, len(HAZARDS))[:, -QUARTERS:].swapaxes(1, 2)
    own, planted = contrasts(shock[..., 1:]), contrasts(drawn["shock"][:, 1:])  # few are at risk in the first quarter
    segment, quarter = SHOCKED
    return {
        "named shock, against its quarter and segment": (planted[segment, quarter - 1], own[:, segment, quarter - 1]),
        "every shock": (planted.ravel(), own.reshape(len(own), -1)),
        "shock_sd": (float(np.std(drawn["shock"], ddof=1)), theta["shock_sd"][:, 0]),
    }


def contrasts(shock: Floats) -> Floats:
    """Shocks against the mean of their quarter and that of their segment, which the walk and the levels take."""
    centred = shock - shock.mean(axis=-2, keepdims=True)
    return np.asarray(centred - centred.mean(axis=-1, keepdims=True))


# (e) Size: big accounts leave less

SIZED = SegmentWorld(("all",), 150, arpa=100.0, hazard=(0.05,), arpa_spread=0.8, size_churn=-0.35)


def sized(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    return table_of(simulate(World((SIZED,), MONTHS, AS_OF), seed), []), {}


def sized_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    """The truth by tenure, as the small accounts leave first, in the cells there are."""
    path = true_path(World((SIZED,), MONTHS, AS_OF), SIZED, months=MONTHS + 1)
    frame = fit.table.frame
    chosen, found = frame["at_risk"].to_numpy() > 0, {}
    for part, column in (("logo", "logos"), ("money", "revenue")):
        hazard = 1 - path[column].to_numpy()[1:] / path[column].to_numpy()[:-1]
        planted = float(hazard[frame["tenure"][chosen]] @ weight(frame[chosen], part))
        found[f"hazard of {'accounts' if part == 'logo' else 'money'}"] = (planted, mean_hazard(fit, part, chosen))
    (logo, by_logo), (money, by_money) = found.values()
    return found | {"money over accounts": (money / logo, by_money / by_logo)}


# (f) Cohorts of better and worse quality, which dies away

QUALITY_SD, HALF_LIFE = 0.35, 6.0


def quality(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    drawn = np.random.default_rng([seed, 8]).normal(0, QUALITY_SD, QUARTERS)
    drawn -= drawn.mean()
    segment = SegmentWorld(("all",), 300, arpa=100.0, hazard=(0.04,))
    world = World((segment,), MONTHS, AS_OF, quality=tuple(np.repeat(drawn, 3)), quality_half_life=HALF_LIFE)
    return accounts_of(world, seed), {"quality": drawn}


def quality_found(fit: lw.Fit, drawn: Mapping[str, Any]) -> Found:
    theta, planted = fit.theta("logo"), drawn["quality"]
    worst = int(np.argmax(planted))
    return {
        "log hazard of the worst cohort at its start": (planted[worst], theta["cohort"][:, worst]),
        "every cohort's": (planted, theta["cohort"][:, :QUARTERS]),
        "sd between cohorts": (float(planted.std(ddof=1)), theta["cohort_sd"][:, 0]),
        "half-life, months": (HALF_LIFE, theta["cohort_half_life"][:, 0]),
    }


# Books


def accounts_of(world: World, seed: int) -> lw.CohortTable:
    """The cells of a world without its money, which is not what is planted: one fit less."""
    return replace(table_of(simulate(world, seed), ["segment"] if len(world.segments) > 1 else []), has_money=False)


# (g) Churn and growth that move together

WITH_CHURN = {"expansion_with_churn": -1.0, "contraction_with_churn": 0.5}


def together(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    """In a quarter that raises churn by a quarter a fifth less is expanded, and an eighth more contracted."""
    innovation = np.random.default_rng([seed, 1]).normal(0.0, 0.25, 16).repeat(3)
    level = np.cumsum(np.random.default_rng([seed, 1]).normal(0.0, 0.25, 16)).repeat(3)
    hazard = 0.03 * np.exp(level - level.mean())

    def rates(now: int, age: Floats) -> tuple[Any, Any]:
        up, down = (np.exp(beta * innovation[now]) + 0.0 * age for beta in WITH_CHURN.values())
        return 0.4 * up, 0.2 * down

    return moving(seed, rates, lambda now, _: hazard[now], a_month=200).cohort_table(cohort="year"), {}


def together_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    theta = fit.theta("expansion")
    return {name: (planted, theta[name][:, 0]) for name, planted in WITH_CHURN.items()}


# (h) Accounts that have expanded stay longer

STATES = {"no": 0.05, "yes": 0.015}
EXPANDING = 0.3


def expanded(seed: int) -> tuple[lw.CohortTable, Mapping[str, Any]]:
    hazards = np.array([STATES["no"], STATES["yes"]])
    ledger = moving(seed, lambda _, age: (EXPANDING, 0.0 * age), lambda _, state: hazards[state.astype(int)], 100)
    return ledger.cohort_table(cohort="year", by=["has_expanded"]), {}


def expanded_found(fit: lw.Fit, _: Mapping[str, Any]) -> Found:
    state = fit.table.frame["has_expanded"].to_numpy()
    found: Found = {
        f"hazard of those that have {'not ' * (name == 'no')}expanded": (
            hazard,
            mean_hazard(fit, "logo", state == name),
        )
        for name, hazard in STATES.items()
    }
    terms = lw.Economics(gross_margin=1.0, discount_rate_annual=0.0, horizon_years=3, timing="start")
    value = lw.value(fit, terms, draws=500).sample("cltv", cohort="new", has_expanded="no")
    return found | {"three years of a new account": (new_account(36), value)}


def new_account(months: int) -> float:
    """Revenue of an account in its first months, by the chain of the two states."""
    event, money, total = EXPANDING / 12 / JUMP, np.array([100.0, 0.0]), 0.0
    for _ in range(months):
        total += money.sum()
        stay = money * (1 - np.array([STATES["no"], STATES["yes"]]))
        money = np.array([stay[0] * (1 - event), stay[0] * event * (1 + JUMP) + stay[1] * (1 + event * JUMP)])
    return float(total)


def table_of(spells: pd.DataFrame, by: list[str]) -> lw.CohortTable:
    return lw.Ledger.from_spells(spells, as_of=AS_OF, acquired="acquired").cohort_table(by=by)


STUDIES = {
    "onboarding-piecewise": Planted(
        "three months at 8%, then 2% a month", onboarding, onboarding_found, {"churn": lw.Piecewise((3,))}
    ),
    "onboarding-smooth": Planted("the same books, by the default curve", onboarding, onboarding_found),
    "renewals": Planted("contracts of 1, 12 and 24 months, monthly cells", renewals, renewals_found),
    "ceiling": Planted(
        "expansion that ends at twice the first ARPA",
        ceiling,
        ceiling_found,
        {"churn": lw.Geometric(), "expansion": Saturating(), "effects": ()},
    ),
    "level-shift": Planted("churn 49% higher from one quarter on, in all segments", level_shift, level_shift_found),
    "shocks": Planted(
        "shocks to a segment in a quarter, sd 0.2, one of 0.6",
        shocks,
        shocks_found,
        {"effects": (lw.Segments(), lw.CalendarWalk(), Shock())},
    ),
    "size": Planted("an account one sd larger has 30% less log hazard increment", sized, sized_found),
    "quality": Planted("cohorts with an sd of 0.35 that halves every six months", quality, quality_found),
    "together": Planted("growth moves against the innovations of churn, sd 0.25 a quarter", together, together_found),
    "expanded": Planted("5% a month leave, 1.5% of those that have expanded", expanded, expanded_found),
}
"""Every study by name."""


if __name__ == "__main__":
    main()
