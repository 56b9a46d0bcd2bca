"""A fit read from a folder, refused where what is given on the line is another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifeworth.errors import ComparisonError

if TYPE_CHECKING:
    from lifeworth.config import Section
    from lifeworth.results import Fit
    from lifeworth.transactional.results import PurchaseFit


def refuse_another(
    folder: Path, fitted: Fit | PurchaseFit, section: Section, given: Mapping[str, Any], same: Mapping[str, bool]
) -> None:
    """Raise ComparisonError where an option that was given is not that of the fit.

    Parameters
    ----------
    folder : Path
    fitted : Fit or PurchaseFit
    section : Section
        The options of the model; those not given count for nothing.
    given : mapping
        What the section asks of the fit: pooling, priors, seed, sampler.
    same : mapping
        Whether the definitions that the section names are those of the fit.
    """
    model, sampler = fitted.model, given["sampler"]
    every = {
        **same,
        "pooling": model.pooling == given["pooling"],
        "prior": dict(model.priors) == (given["priors"] or {}),
        "seed": fitted.seed == given["seed"],
        **{name: getattr(fitted.options, name) == getattr(sampler, name) for name in ("draws", "tune", "chains")},
    }
    if other := sorted(name for name in section.model_fields_set & set(every) if not every[name]):
        raise ComparisonError(f"the fit in {folder} has another {', '.join(other)}. Name another folder.")
