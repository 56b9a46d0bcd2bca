"""What simulated worlds are worth, a demo ledger of software subscriptions built from one, and CDNOW."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import ArrayLike

from lifeworth.errors import DefinitionError
from lifeworth.ledger.cdnow import Cdnow, cdnow
from lifeworth.ledger.months import cohort_label
from lifeworth.ledger.simulate import SegmentWorld, World, simulate, true_path

__all__ = ["Cdnow", "SaasDemo", "cdnow", "discounted", "saas", "true_cltv", "true_forward", "true_residual"]

Floats = npt.NDArray[np.float64]
Timing = Literal["end", "start"]

AS_OF: Final = date(2026, 6, 30)
MONTHS: Final = 36
TRIAL_DAYS: Final = 14

_CALENDAR: Final = (0.10, 0.16, 0.08, 0.02, -0.09, -0.14, -0.20, -0.13, -0.16, -0.05, 0.02, 0.09)
_QUALITY: Final = (0.05, -0.06, 0.09, 0.00, -0.10, 0.04, 0.12, -0.05, -0.08, 0.03, 0.06, -0.10)
_CHANNELS: Final[dict[str, dict[str, float]]] = {
    "Enterprise": {"inbound": 0.20, "outbound": 0.60, "partner": 0.20},
    "Mid-market": {"inbound": 0.45, "outbound": 0.35, "partner": 0.20},
    "SMB": {"inbound": 0.75, "outbound": 0.10, "partner": 0.15},
}
_CHANNEL_CAC: Final[dict[tuple[str, str], float]] = {
    ("Enterprise", "inbound"): 26_000.0,
    ("Enterprise", "outbound"): 48_000.0,
    ("Enterprise", "partner"): 34_000.0,
    ("Mid-market", "inbound"): 4_200.0,
    ("Mid-market", "outbound"): 9_000.0,
    ("Mid-market", "partner"): 6_000.0,
    ("SMB", "inbound"): 560.0,
    ("SMB", "outbound"): 1_800.0,
    ("SMB", "partner"): 900.0,
}
_TRIAL_SHARE: Final = {"Enterprise": 0.0, "Mid-market": 0.08, "SMB": 0.15}


def _onboarding(first: float, last: float) -> tuple[float, ...]:
    """Three months of `first`, then a fall from 60% of the way above `last` that halves every six months."""
    later = (last + 0.6 * (first - last) * 0.5 ** (k / 6) for k in range(57))
    return (first, first, first, *later, last)


_SEGMENTS: Final = (
    SegmentWorld(
        labels=("Enterprise",),
        accounts_per_month=12.0,
        arpa=4_000.0,
        arpa_spread=0.55,
        hazard=_onboarding(0.015, 0.005),
        expansion_monthly=0.016,
        expansion_jump=0.20,
        contraction_monthly=0.002,
        contraction_jump=0.15,
        add_on_share=0.50,
        channels=_CHANNELS["Enterprise"],
    ),
    SegmentWorld(
        labels=("Mid-market",),
        accounts_per_month=40.0,
        arpa=900.0,
        arpa_spread=0.45,
        hazard=_onboarding(0.040, 0.011),
        expansion_monthly=0.009,
        expansion_jump=0.18,
        contraction_monthly=0.002,
        contraction_jump=0.15,
        add_on_share=0.35,
        return_share=0.03,
        channels=_CHANNELS["Mid-market"],
    ),
    SegmentWorld(
        labels=("SMB",),
        accounts_per_month=115.0,
        arpa=150.0,
        arpa_spread=0.40,
        hazard=_onboarding(0.070, 0.020),
        expansion_monthly=0.004,
        expansion_jump=0.20,
        contraction_monthly=0.002,
        contraction_jump=0.20,
        add_on_share=0.25,
        return_share=0.03,
        channels=_CHANNELS["SMB"],
    ),
)


def discounted(
    revenue: ArrayLike, *, gross_margin: float, discount_rate_annual: float, timing: Timing = "end"
) -> Floats:
    """Discount the margin on the openings of successive months to the opening of the first, in money.

    Month t, from 0, pays gross_margin * revenue[t]: after (t + 1) / 12 years if `timing` is "end" (earned
    with the survival at the month's opening, paid at its close), after t / 12 years if "start".

    Parameters
    ----------
    revenue : array_like, shape (..., months)
        Money per month at the opening of each month.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> float(discounted([0.0] * 12 + [200.0], gross_margin=0.5, discount_rate_annual=1.0, timing="start"))
    50.0
    """
    if timing not in {"end", "start"}:
        raise DefinitionError(f"timing is {timing!r}: use 'end' or 'start'.")
    money = np.asarray(revenue, dtype=float)
    years = (np.arange(money.shape[-1]) + (timing == "end")) / 12
    return np.asarray(gross_margin * (money @ (1 + discount_rate_annual) ** -years))


def true_cltv(
    world: World,
    segment: SegmentWorld,
    *,
    gross_margin: float,
    discount_rate_annual: float,
    horizon_years: float,
    timing: Timing = "end",
    acquired_month: int | None = None,
) -> float:
    """Give the present value at acquisition expected of an account over 12 * horizon months, gross of CAC.

    What it brings after it left and came back is not part of it. `acquired_month` as in `true_path`: None is
    an account acquired at `as_of`. Timing as in `discounted`.

    Examples
    --------
    Constant churn h has the closed form margin * arpa * v * (1 - q^n) / (1 - q), where v = (1 + d)^(-1/12)
    and q = (1 - h) * v; at no discount and 50% churn, two months are worth 100 + 50:

    >>> smb = SegmentWorld(("SMB",), 10, arpa=100.0, hazard=(0.5,))
    >>> world = World((smb,), 3, date(2026, 6, 30))
    >>> true_cltv(world, smb, gross_margin=1.0, discount_rate_annual=0.0, horizon_years=1 / 6)
    150.0
    """
    path = true_path(world, segment, months=round(12 * horizon_years), acquired_month=acquired_month)
    money = path["revenue"].to_numpy()
    value = discounted(money, gross_margin=gross_margin, discount_rate_annual=discount_rate_annual, timing=timing)
    return float(value)


def true_forward(world: World, segment: SegmentWorld, *, tenure: int, months: int) -> pd.DataFrame:
    """Give what is left after `as_of` of the accounts, and of the money, in force at it.

    Expected, per account and per unit of money, for accounts that had completed `tenure` months, whatever
    their size. The row of month 12 is the logo retention and the NRR of the next year.

    Returns
    -------
    DataFrame
        Columns month (0 .. months after `as_of`, from the last anniversary on), logos, revenue; 1 at month 0.
    """
    path = true_path(world, segment, months=tenure + months + 1, acquired_month=world.months - 1 - tenure)
    ahead = path.iloc[tenure:]
    logos, revenue = (ahead[name].to_numpy() / ahead[name].iloc[0] for name in ("logos", "revenue"))
    return pd.DataFrame({"month": np.arange(months + 1), "logos": logos, "revenue": revenue})


def true_residual(
    world: World,
    in_force: pd.DataFrame,
    *,
    gross_margin: float,
    discount_rate_annual: float,
    horizon_years: float,
    timing: Timing = "end",
    months_per_period: int = 1,
) -> pd.Series:
    """Give the present value at `as_of` expected of the money in force, per row, over 12 * horizon months.

    The open month counts as just begun: its payment falls one month after `as_of` if `timing` is "end", and is past
    if "start"; the next chance to leave is at its close, at the hazard of the completed tenure.

    Parameters
    ----------
    in_force : DataFrame
        The world's `by` columns, `tenure` (completed periods), `amount` (money per month of all accounts of
        the row) and, if tenures are longer than a month, `elapsed`: `CohortTable.in_force` as it is.

    Returns
    -------
    Series
        Money, with the index of `in_force`.
    """
    months = round(12 * horizon_years)
    ages = in_force["tenure"] * months_per_period + in_force.get("elapsed", 0)
    keys = list(zip(*(in_force[name] for name in world.by), ages, strict=True))
    worth: dict[tuple[Any, ...], float] = {}
    for key in dict.fromkeys(keys):
        ahead = true_forward(world, world.segment(*key[:-1]), tenure=int(key[-1]), months=months)
        money = ahead["revenue"].to_numpy()[:-1]
        if timing == "start":
            money = np.concatenate([[0.0], money[1:]])
        value = discounted(money, gross_margin=gross_margin, discount_rate_annual=discount_rate_annual, timing=timing)
        worth[key] = float(value)
    return in_force["amount"] * pd.Series([worth[key] for key in keys], index=in_force.index, dtype=float)


@dataclass(frozen=True, eq=False)
class SaasDemo:
    """A ledger of software subscriptions with the world it was drawn from.

    Attributes
    ----------
    spells : DataFrame
        customer_id, acquired, start, end (exclusive; missing = active), amount (USD per month; 0 in a trial),
        product ("base", "add-on" or "trial"), segment, channel: for `Ledger.from_spells`.
    world : World
        The law, monthly, with month 0 July 2023 and the last month ending at `as_of`.
    as_of : date
    by : tuple of str
        The segment columns of the world; `channel` does not change the law.
    cac : mapping
        Cost of acquiring an account, by segment: `channel_cac` weighted with the channels' shares.
    channel_cac : mapping
        The same by (segment, channel).
    terms : mapping
        Suggested arguments of `Economics`: margin 0.80, 12% a year, five years, `cac`, USD.
    """

    spells: pd.DataFrame
    world: World
    as_of: date
    by: tuple[str, ...]
    cac: Mapping[str, float]
    channel_cac: Mapping[tuple[str, str], float]
    terms: Mapping[str, Any]

    def truth(
        self,
        *,
        gross_margin: float = 0.80,
        discount_rate_annual: float = 0.12,
        horizon_years: float = 5,
        timing: Timing = "end",
    ) -> pd.DataFrame:
        """Give the true CLTV per acquired account, at acquisition and gross of CAC, in USD.

        Returns
        -------
        DataFrame
            Columns cohort ("new": acquired at `as_of`; else the quarter of acquisition, its three months
            weighing the same), segment, cltv, cltv_cac.
        """
        last = self.as_of.year * 12 + self.as_of.month - 1
        cohorts: dict[str, list[int | None]] = {"new": [None]}
        for month in range(self.world.months):
            name = cohort_label((last - self.world.months + 1 + month) // 3, 3)
            cohorts.setdefault(name, []).append(month)
        rows = []
        for cohort, months in cohorts.items():
            for segment in self.world.segments:
                values = [
                    true_cltv(
                        self.world,
                        segment,
                        gross_margin=gross_margin,
                        discount_rate_annual=discount_rate_annual,
                        horizon_years=horizon_years,
                        timing=timing,
                        acquired_month=month,
                    )
                    for month in months
                ]
                cltv = sum(values) / len(values)
                rows.append((cohort, *segment.labels, cltv, cltv / self.cac[segment.labels[0]]))
        return pd.DataFrame(rows, columns=["cohort", *self.by, "cltv", "cltv_cac"])


def saas(seed: int = 7, scale: float = 1.0) -> SaasDemo:
    """Draw the demo: 36 monthly cohorts of Enterprise, Mid-market and SMB accounts up to 30 June 2026.

    Churn is highest in the first three months and falls with tenure; its level drifts down and up again over
    the twelve quarters. Enterprise expands by more than it loses, SMB does not. Some expansions are add-ons
    beside the base plan, some accounts began with a trial, a few came back. The same seed and scale give the
    same rows.

    Parameters
    ----------
    seed : int
    scale : float
        Times about 6,000 paying customers.
    """
    if not scale > 0:
        raise DefinitionError(f"scale is {scale}: give a factor above 0.")
    world = _saas_world(scale)
    rng = np.random.default_rng([seed, 1])
    spells = _with_trials(simulate(world, seed), rng)
    cac = {
        segment: round(sum(share * _CHANNEL_CAC[segment, channel] for channel, share in shares.items()), 2)
        for segment, shares in _CHANNELS.items()
    }
    terms = {
        "gross_margin": 0.80,
        "discount_rate_annual": 0.12,
        "horizon_years": 5,
        "timing": "end",
        "cac": cac,
        "currency": "USD",
    }
    return SaasDemo(spells, world, AS_OF, world.by, cac, dict(_CHANNEL_CAC), terms)


def _saas_world(scale: float) -> World:
    return World(
        segments=tuple(replace(law, accounts_per_month=law.accounts_per_month * scale) for law in _SEGMENTS),
        months=MONTHS,
        as_of=AS_OF,
        calendar=tuple(level for level in _CALENDAR for _ in range(3)),
        quality=tuple(level for level in _QUALITY for _ in range(3)),
    )


def _with_trials(spells: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add two weeks at nothing before some acquisitions, and as many trials that ended without one."""
    customers = spells.drop_duplicates("customer_id")
    share = customers["segment"].map(_TRIAL_SHARE).to_numpy(dtype=float)
    tried = customers[rng.random(len(customers)) < share]
    begin, end = tried["acquired"] - pd.Timedelta(days=TRIAL_DAYS).as_unit("s"), tried["acquired"]
    paid = tried.assign(start=begin, end=end, amount=0.0, product="trial")
    unpaid = paid.assign(customer_id="T" + paid["customer_id"].str.slice(1))
    unpaid["acquired"] = pd.Series(pd.NaT, index=unpaid.index, dtype=spells["acquired"].dtype)
    every = pd.concat([spells, paid, unpaid], ignore_index=True)
    return every.sort_values(["customer_id", "start", "product"], ignore_index=True)
