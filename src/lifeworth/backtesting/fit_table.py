"""Several models of one table, compared by what they would have foretold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._parameters import Priors
from lifeworth.backtesting.ahead import cuts, held_out_cells
from lifeworth.backtesting.leave_future_out import future_log_density
from lifeworth.backtesting.stacking import mixture_draws, stacking_weights
from lifeworth.churn import ChurnCurve
from lifeworth.economics import Economics
from lifeworth.effects import Effect
from lifeworth.errors import DefinitionError, FitError, LifeworthWarning
from lifeworth.expansion import Constant, ExpansionCurve
from lifeworth.fitting import fit_at, sized_alike
from lifeworth.indexing import TableIndex
from lifeworth.ledger import CohortTable
from lifeworth.model import Pooling
from lifeworth.results import Fit, SamplerOptions
from lifeworth.valuation import Valuation
from lifeworth.valuing import value

type Effects = tuple[Effect, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class FitTable:
    """Several models fitted to one table.

    Parameters
    ----------
    fits : mapping of str to Fit
        What could be fitted, by name.
    failures : mapping of str to str
        What could not, with the reason.
    scores : DataFrame
        Leave-future-out scores: name, origin (the date fitted at), the `by` columns ("all" is all segments together),
        log_density of the accounts lost in the buckets after it, in nats.
    weights : mapping of str to float
        Stacking weights, with sum 1: of the mixture of the fits that would have foretold the segments best.
    """

    fits: Mapping[str, Fit]
    failures: Mapping[str, str]
    scores: pd.DataFrame
    weights: Mapping[str, float]

    @property
    def best(self) -> Fit:
        """The fit with the greatest leave-future-out score, of those that can be relied on where there are any."""
        rows = self.table().dropna(subset="lfo")
        passed = rows[rows["verdict"] != "FAIL"]
        return self.fits[str((passed if len(passed) else rows)["name"].iloc[0])]

    def table(self) -> pd.DataFrame:
        """One row a candidate, the best first and those that failed last.

        Returns
        -------
        DataFrame
            name, verdict, r_hat (largest), ess (least of bulk and tail), divergences, lfo (sum over origins of the
            joint log density of all segments; higher is better), lfo_se (of that sum, from its spread over origins;
            nan with one), weight, reason (of a failure).
        """
        rows = [self._row(name, fit) for name, fit in self.fits.items()]
        rows.sort(key=lambda row: -row["lfo"])
        rows += [{"name": name, "verdict": "FAIL", "reason": reason} for name, reason in self.failures.items()]
        columns = ["name", "verdict", "r_hat", "ess", "divergences", "lfo", "lfo_se", "weight", "reason"]
        return pd.DataFrame(rows).reindex(columns=columns)

    def _row(self, name: str, fit: Fit) -> dict[str, Any]:
        found, joint = fit.diagnostics.table, self._joint(name)
        return {
            "name": name,
            "verdict": fit.diagnostics.verdict,
            "r_hat": found["r_hat"].max(),
            "ess": found[["ess_bulk", "ess_tail"]].min().min(),
            "divergences": int(found["divergences"].sum()),
            "lfo": joint.sum(),
            "lfo_se": joint.std(ddof=1) * np.sqrt(len(joint)) if len(joint) > 1 else np.nan,
            "weight": self.weights[name],
            "reason": "",
        }

    def _joint(self, name: str) -> np.ndarray:
        own = self.scores[self.scores["name"] == name]
        by = [c for c in own.columns if c not in ("name", "origin", "log_density")]
        return own[(own[by] == "all").all(axis=1)]["log_density"].to_numpy(dtype=float)

    def __repr__(self) -> str:
        """How many were fitted, and their weights."""
        shown = ", ".join(f"{name}: {weight:.2f}" for name, weight in self.weights.items())
        return f"FitTable({len(self.fits)} fits, {len(self.failures)} failures; weights {shown})"


def fit_many(
    table: CohortTable,
    *,
    churn: Sequence[ChurnCurve] | Mapping[str, ChurnCurve],
    effects: Effects | Mapping[str, Effects] = None,
    expansion: ExpansionCurve = Constant(),
    pooling: Pooling = "partial",
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: SamplerOptions = SamplerOptions(),
    holdout: int = 1,
    origins: int = 3,
) -> FitTable:
    """Fit several models, and weigh them by what they would have foretold at past dates.

    Each candidate is fitted to the table, and to the table as it stood at `origins` past dates; there it is scored by
    the joint log density it gave to the accounts lost in the `holdout` buckets that followed. One that fails in any of
    these is a row with its reason, and the others go on. Warnings that several fits share are shown once.

    Parameters
    ----------
    table : CohortTable
        Built from a ledger; counts without a calendar cannot be cut.
    churn : sequence of ChurnCurve, or mapping of str to ChurnCurve
        The curves; a sequence is named by its classes.
    effects : tuple of Effect or None, or mapping of str to such
        As in `fit`; a mapping is crossed with the curves, names joined as "curve / effects".
    expansion, pooling, priors, seed, sampler
        As in `fit`, the same for every candidate.
    holdout : int
        Calendar buckets ahead that are scored, jointly.
    origins : int
        How many past dates, one bucket apart, the last one `holdout` buckets before as_of.

    Returns
    -------
    FitTable

    Raises
    ------
    DefinitionError
        There is no candidate, two have one name, or holdout or origins is below 1.
    DataError
        The table is too short for so many buckets.
    FitError
        Every candidate failed.
    """
    wanted = _candidates(churn, effects)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    at = list(cuts(table, holdout, origins))
    tables = [*(table.cut(cut) for cut in at), table]
    held = [held_out_cells(table.frame, cut, holdout) for cut in at]
    fitted = partial(fit_at, expansion=expansion, pooling=pooling, priors=priors, seed=seed, sampler=sampler)
    *past, whole = zip(tables, sized_alike(tables), strict=True)
    fits: dict[str, Fit] = {}
    failures: dict[str, str] = {}
    scores: list[pd.DataFrame] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", LifeworthWarning)
        for name, (curve, chosen) in wanted.items():
            try:
                own = _foretold(partial(fitted, churn=curve, effects=chosen), past, held)
                fits[name] = fitted(*whole, churn=curve, effects=chosen)
            except Exception as error:  # a candidate may fail in any way; the others go on
                failures[name] = f"{type(error).__name__}: {error}"
            else:
                scores.append(own.assign(name=name))
    if not fits:
        raise FitError(f"every candidate failed. {'; '.join(f'{n}: {reason}' for n, reason in failures.items())}")
    for category, text in dict.fromkeys((w.category, str(w.message)) for w in said):
        warnings.warn(text, category, stacklevel=2)
    found = pd.concat(scores, ignore_index=True)[["name", "origin", *table.by, "log_density"]]
    return FitTable(fits, failures, found, _weights(found, table.by))


def _candidates(
    churn: Sequence[ChurnCurve] | Mapping[str, ChurnCurve], effects: Effects | Mapping[str, Effects]
) -> dict[str, tuple[ChurnCurve, Effects]]:
    """Every curve with every set of effects, by name."""
    curves = churn if isinstance(churn, Mapping) else {type(curve).__name__: curve for curve in churn}
    if len(curves) < len(churn):
        raise DefinitionError("two churn curves are of one class: give a mapping that names each, {name: curve}.")
    if isinstance(effects, Mapping):
        found = {f"{c} / {e}": (curve, chosen) for (c, curve), (e, chosen) in product(curves.items(), effects.items())}
    else:
        found = {name: (curve, effects) for name, curve in curves.items()}
    if not found:
        raise DefinitionError(
            "there is no candidate: give at least one churn curve, and a mapping of effects an entry."
        )
    return found


def _foretold(
    fitted: Callable[[CohortTable, TableIndex], Fit],
    past: Sequence[tuple[CohortTable, TableIndex]],
    held: list[pd.DataFrame],
) -> pd.DataFrame:
    """Scores of a candidate at each past date; what is to be said of those fits is not said."""
    parts = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LifeworthWarning)
        for (table, index), cells in zip(past, held, strict=True):
            parts.append(future_log_density(fitted(table, index), cells).assign(origin=table.as_of))
    return pd.concat(parts, ignore_index=True)


def _weights(scores: pd.DataFrame, by: tuple[str, ...]) -> dict[str, float]:
    """Stacking weights over segments and origins; over origins where there are no segments."""
    units = scores[~(scores[list(by)] == "all").all(axis=1)] if by else scores
    names = list(dict.fromkeys(scores["name"]))
    wide = units.pivot(index=["origin", *by], columns="name", values="log_density")[names]
    return dict(zip(names, stacking_weights(wide.to_numpy(dtype=float)).tolist(), strict=True))


def stacked_value(fits: FitTable, economics: Economics, *, draws: int = 1000, seed: int | None = None) -> Valuation:
    """Value under the stacked posterior: a mixture of the fits' draws in proportion to their weights.

    Each fit with a weight is valued under the same economics and seed; each gives as many of its draws as its weight
    asks for, and every row, measure and year takes the same ones: sums over rows stay sums within a fit. Draws of one
    fit stand together, so chains mean nothing here: there is one. What is not draws (`fit`, `forecaster`, and so the
    scores of single accounts) is that of the fit with the greatest weight.

    Parameters
    ----------
    fits : FitTable
    economics : Economics
    draws, seed
        As in `value`.

    Returns
    -------
    Valuation

    Raises
    ------
    DefinitionError
        As in `value`.

    Source: Yao, Vehtari, Simpson & Gelman (2018), Bayesian Analysis 13, section 3.3.
    """
    weights = {name: weight for name, weight in fits.weights.items() if weight * draws >= 0.5}
    values = [value(fits.fits[name], economics, draws=draws, seed=seed) for name in weights]
    shares = np.array(list(weights.values()))
    carried = values[0].draws.sizes["chain"] * values[0].draws.sizes["draw"]
    at = mixture_draws(shares, carried, values[0].forecaster.rng(11))
    return replace(
        values[int(shares.argmax())],
        draws=xr.concat([_taken(v.draws, i) for v, i in zip(values, at, strict=True)], dim="draw", join="override"),
        cash=xr.concat([_taken(v.cash, i) for v, i in zip(values, at, strict=True)], dim="draw", join="override"),
        beyond=float(shares @ [v.beyond for v in values] / shares.sum()),
    )


def _taken[Made: (xr.Dataset, xr.DataArray)](draws: Made, at: np.ndarray) -> Made:
    """Some of the draws, as one chain."""
    if "chain" not in draws.dims:
        return draws
    flat = draws.stack(every=("chain", "draw"), create_index=False).isel(every=at)
    return flat.drop_vars(["chain", "draw"], errors="ignore").rename(every="draw").expand_dims("chain", axis=-2)
