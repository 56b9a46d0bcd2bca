"""Closed-form formulas of customer lifetime value: NumPy and SciPy only, floats or columns in and out."""

from __future__ import annotations

from lifeworth.formulas.discount import (
    annual_churn,
    annual_rate,
    discount_factor,
    monthly_churn,
    monthly_rate,
    present_value,
)
from lifeworth.formulas.residual import (
    derl,
    geometric_derl,
    pareto2_derl,
    sbg_del,
    sbg_del_elasticity,
    sbg_derl,
    sbg_derl_elasticity,
)
from lifeworth.formulas.revenue import cltv_to_cac, grr, logo_retention, nrr, payback_months
from lifeworth.formulas.sbg_fit import GeometricFit, SbgFit, fit_geometric, fit_sbg, sbg_log_likelihood
from lifeworth.formulas.survival import geometric_survival, sbg_hazard, sbg_retention, sbg_survival
from lifeworth.formulas.value import (
    Worksheet,
    cltv_basic,
    cltv_skok,
    cltv_with_expansion,
    margin_multiple,
    worksheet,
)

__all__ = [
    "GeometricFit",
    "SbgFit",
    "Worksheet",
    "annual_churn",
    "annual_rate",
    "cltv_basic",
    "cltv_skok",
    "cltv_to_cac",
    "cltv_with_expansion",
    "derl",
    "discount_factor",
    "fit_geometric",
    "fit_sbg",
    "geometric_derl",
    "geometric_survival",
    "grr",
    "logo_retention",
    "margin_multiple",
    "monthly_churn",
    "monthly_rate",
    "nrr",
    "pareto2_derl",
    "payback_months",
    "present_value",
    "sbg_del",
    "sbg_del_elasticity",
    "sbg_derl",
    "sbg_derl_elasticity",
    "sbg_hazard",
    "sbg_log_likelihood",
    "sbg_retention",
    "sbg_survival",
    "worksheet",
]
