"""The formulas of one constant rate of churn: basic, with expansion, Skok, margin multiples, worksheets."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lifeworth import formulas
from lifeworth.comparison.inputs import Floats, Inputs
from lifeworth.comparison.registry import Convention, Method, register_method
from lifeworth.errors import AssumptionError

_EXPANDING = ("arpa", "gross_margin", "churn", "expansion")
_DISCOUNTED = ("arpa", "gross_margin", "churn", "discount_rate_annual")
_SHEET = ("arpa", "gross_margin", "expansion", "service_cost", "discount_rate_annual", "horizon_years")


def constant_survival(t: Floats, x: Inputs) -> Floats:
    """(1 - churn)^t."""
    return np.asarray((1 - x.churn) ** t)


def compounding(t: Floats, x: Inputs) -> Floats:
    """(1 + expansion)^t."""
    return np.asarray((1 + x.expansion) ** t)


def _linear_growth(t: Floats, x: Inputs) -> Floats:
    """Money that decays with churn less expansion, over the accounts that are left."""
    left = 1 - x.churn
    return np.ones(len(t)) if left <= 0 else np.asarray((max(left + x.expansion, 0.0) / left) ** t)


def _skok_growth(t: Floats, x: Inputs) -> Floats:
    return np.asarray(1 + x.expansion * t)


def _skok_growth_at_once(t: Floats, x: Inputs) -> Floats:
    return np.asarray(1 + x.expansion * (t + 1))


def _basic(x: Inputs) -> float:
    return formulas.cltv_basic(x.arpa, x.gross_margin, x.churn)


def _linear(x: Inputs) -> float:
    return formulas.cltv_with_expansion(x.arpa, x.gross_margin, x.churn, x.expansion)


def _exact(x: Inputs) -> float:
    return formulas.cltv_with_expansion(x.arpa, x.gross_margin, x.churn, x.expansion, exact=True)


def _skok(x: Inputs) -> float:
    return formulas.cltv_skok(x.arpa, x.gross_margin, x.churn, x.expansion)


def _skok_at_once(x: Inputs) -> float:
    return formulas.cltv_skok(x.arpa, x.gross_margin, x.churn, x.expansion, first_increase="first_period")


def _skok_discounted(x: Inputs) -> float:
    """Skok discounts by 1 - d; d is the rate that discounts as 1 / (1 + annual rate) does."""
    return formulas.cltv_skok(x.arpa, x.gross_margin, x.churn, x.expansion, 1 - 1 / (1 + x.discount_rate))


def _multiple(x: Inputs, timing: Literal["immediate", "no_first_payment", "end"]) -> float:
    return x.margin * formulas.margin_multiple(1 - x.churn, x.discount_rate, timing=timing)


def _geometric_derl(x: Inputs) -> float:
    return x.margin * formulas.geometric_derl(x.churn, x.discount_rate)


def _worksheet(x: Inputs, retention: float = 1.0) -> float:
    """The yearly sheet: a year's money, cost and growth, without anyone leaving unless `retention` says so."""
    n, whole = x.periods_per_year, int(np.floor(x.horizon_years + 1e-9))
    if whole < 1:
        raise AssumptionError("the worksheet counts whole years: the horizon is below one.")
    sheet = formulas.worksheet(
        acv=x.arpa * n,
        expansion=(1 + x.expansion) ** n - 1,
        gross_margin=x.gross_margin,
        service_cost=x.service_cost * n,
        discount_rate=x.discount_rate_annual,
        years=whole,
        retention=retention,
    )
    return float(sheet.total_present_value)


def _worksheet_survival(x: Inputs) -> float:
    return _worksheet(x, (1 - x.churn) ** x.periods_per_year)


_SKOK = 'David Skok, For Entrepreneurs, "What\'s your TRUE customer lifetime value?"; formulas.cltv_skok'
_GUPTA = "Gupta & Lehmann (2003); Fader & Hardie, note 024; formulas.margin_multiple"
_CONSTANT = "one rate of churn for all accounts, tenures and years"
_FOREVER = Convention()
_YEARLY = Convention(lag=1, discounted=True, finite=True)

BASIC = register_method(
    Method(
        name="ARPA x margin / churn",
        practised=_basic,
        survival=constant_survival,
        assumptions=f"{_CONSTANT}; revenue stays what it is; money today and in fifty years is worth the same",
        conditions="churn > 0",
        source=f"{_SKOK[:14]}; formulas.cltv_basic",
    )
)
register_method(
    Method(
        name="with expansion, linear",
        practised=_linear,
        survival=constant_survival,
        growth=_linear_growth,
        needs=_EXPANDING,
        compounds=False,
        assumptions=f"{_CONSTANT}; money decays with churn less expansion, which leaves out their product",
        conditions="churn > expansion",
        source="the net-churn formula; formulas.cltv_with_expansion",
    )
)
register_method(
    Method(
        name="with expansion, exact",
        practised=_exact,
        survival=constant_survival,
        growth=compounding,
        needs=_EXPANDING,
        assumptions=f"{_CONSTANT}; accounts that stay grow by one rate without a ceiling",
        conditions="(1 - churn) (1 + expansion) < 1",
        source="the geometric series; formulas.cltv_with_expansion(exact=True)",
    )
)
for _name, _form, _growth, _discounted in (
    ("Skok, increase from the second payment", _skok, _skok_growth, False),
    ("Skok, increase from the first payment", _skok_at_once, _skok_growth_at_once, False),
    ("Skok, discounted", _skok_discounted, _skok_growth, True),
):
    register_method(
        Method(
            name=_name,
            practised=_form,
            survival=constant_survival,
            growth=_growth,
            convention=Convention(discounted=_discounted),
            needs=(*_EXPANDING, "discount_rate_annual") if _discounted else _EXPANDING,
            compounds=False,
            assumptions=f"{_CONSTANT}; an account that stays pays the same amount more each period",
            conditions="churn > 0, or a discount rate" if _discounted else "churn > 0",
            source=_SKOK,
        )
    )
register_method(
    Method(
        name="margin multiple, first payment at once",
        practised=lambda x: _multiple(x, "immediate"),
        survival=constant_survival,
        residual=_geometric_derl,
        convention=Convention(discounted=True),
        residual_convention=Convention(first=1, lag=-1, discounted=True),
        needs=_DISCOUNTED,
        assumptions=f"{_CONSTANT}; in force, the next renewal is imminent",
        conditions="retention < 1 + discount rate",
        source=f"{_GUPTA}; in force formulas.geometric_derl",
    )
)
register_method(
    Method(
        name="margin multiple, first payment after a renewal",
        practised=lambda x: _multiple(x, "no_first_payment"),
        survival=constant_survival,
        convention=Convention(first=1, discounted=True),
        needs=_DISCOUNTED,
        assumptions=f"{_CONSTANT}; the payment at acquisition is not counted",
        conditions="retention < 1 + discount rate",
        source=_GUPTA,
    )
)
register_method(
    Method(
        name="margin multiple, paid at period ends",
        practised=lambda x: _multiple(x, "end"),
        survival=constant_survival,
        convention=Convention(lag=1, discounted=True),
        needs=_DISCOUNTED,
        assumptions=f"{_CONSTANT}; a payment is earned with the survival at the period's start",
        conditions="retention < 1 + discount rate",
        source=_GUPTA,
    )
)
register_method(
    Method(
        name="worksheet",
        practised=_worksheet,
        survival=lambda t, x: np.ones(len(t)),
        growth=compounding,
        convention=_YEARLY,
        needs=_SHEET,
        costs=True,
        assumptions="nobody leaves within the horizon; accounts grow by one rate, year by year",
        conditions="a horizon of a year or more",
        source="the yearly sheet; formulas.worksheet",
    )
)
register_method(
    Method(
        name="worksheet with survival",
        practised=_worksheet_survival,
        survival=constant_survival,
        growth=compounding,
        convention=_YEARLY,
        needs=(*_SHEET, "churn"),
        costs=True,
        assumptions=f"{_CONSTANT}; accounts that stay grow by one rate, year by year",
        conditions="a horizon of a year or more",
        source="the yearly sheet; formulas.worksheet(retention=)",
    )
)
