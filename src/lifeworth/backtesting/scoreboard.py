"""The scoreboard: formulas, curves, their stacked mixture and baselines, all on what happened at past dates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lifeworth._parameters import Priors
from lifeworth.backtesting.ahead import cuts, posterior_ahead
from lifeworth.backtesting.backtest import DRAWS, Backtest, Forecast, Origin
from lifeworth.backtesting.formula_ahead import formula_ahead
from lifeworth.backtesting.leave_future_out import future_log_density
from lifeworth.backtesting.scores import Draws
from lifeworth.backtesting.stacking import mixture_draws, stacking_weights
from lifeworth.churn import ChurnCurve, Geometric, Smooth
from lifeworth.comparison import METHODS
from lifeworth.effects import Effect
from lifeworth.errors import DefinitionError, LifeworthWarning
from lifeworth.expansion import Constant, ExpansionCurve
from lifeworth.fitting import fit_at, sized_alike
from lifeworth.ledger import CohortTable
from lifeworth.model import Pooling
from lifeworth.results import Fit, SamplerOptions

STACKED = "stacked"


@dataclass(frozen=True, slots=True, eq=False)
class Scoreboard:
    """Forecasts by formulas, curves, their mixture and baselines, beside what happened.

    Parameters
    ----------
    backtest : Backtest
        Every forecast and score; its methods are the names of the curves, "stacked", the formulas and the baselines.
    kinds : mapping of str to str
        Method to "curve", "stacked", "formula" or "baseline".
    weights : DataFrame
        origin, method, weight: what the mixture gave each curve at each origin, learnt from the origins before it.
    """

    backtest: Backtest
    kinds: Mapping[str, str]
    weights: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Scores over all origins by measure and method, the smallest CRPS first.

        Returns
        -------
        DataFrame
            measure, method, kind, n, bias, mae, crps, width_80, coverage_80, coverage_90, coverage_50, coverage_95,
            also. The CRPS of a point is its absolute error, and its band holds nothing. Formulas that come down to the
            same forecast are one row, under the name of the first; `also` names the others.
        """
        return self._once(self.backtest.summary())

    def differences(self, against: str = STACKED) -> pd.DataFrame:
        """CRPS of each method less that of one of them, on the same units, with the error of the mean difference.

        See `Backtest.differences`; formulas that come down to the same forecast are one row, as in `summary`.
        """
        return self._once(self.backtest.differences(against))

    def _once(self, scores: pd.DataFrame) -> pd.DataFrame:
        """One row for the formulas of each measure that forecast alike."""
        order = {name: i for i, name in enumerate(self.kinds)}
        scores.insert(2, "kind", scores["method"].map(dict(self.kinds)))
        formulas = scores[scores["kind"] == "formula"].sort_values("method", key=lambda m: m.map(order), kind="stable")
        alike = formulas.assign(crps=formulas["crps"].map("{:.10g}".format)).groupby(["measure", "crps"], sort=False)
        also = {rows.index[0]: "; ".join(rows["method"].iloc[1:]) for _, rows in alike}
        kept = scores[(scores["kind"] != "formula") | scores.index.isin(list(also))]
        return kept.assign(also=kept.index.map(also).fillna("")).reset_index(drop=True)


def scoreboard(
    table: CohortTable,
    *,
    holdout: int,
    origins: int = 1,
    churn: Sequence[ChurnCurve] = (Smooth(), Geometric()),
    expansion: ExpansionCurve = Constant(),
    effects: tuple[Effect, ...] | None = None,
    pooling: Pooling = "partial",
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: SamplerOptions = SamplerOptions(),
) -> Scoreboard:
    """Let every formula, every curve and the stacked posterior forecast the same held-out buckets.

    A formula forecasts what it assumes: the accounts and the money that are left by its own path, from the inputs
    that it would have had at the origin. The mixture weighs the curves by what they foretold of the first bucket
    after each earlier origin (accounts lost, by segment); at the first origin all weigh alike.

    Parameters
    ----------
    table : CohortTable
        Built from a ledger.
    holdout, origins
        As in `backtest`.
    churn : sequence of ChurnCurve
    expansion, effects, pooling, priors, seed, sampler
        As in `fit`.

    Returns
    -------
    Scoreboard

    Raises
    ------
    DefinitionError
        Two curves have one name; holdout or origins is below 1.
    DataError
        The table is too short for so many buckets.
    """
    curves = {type(curve).__name__: curve for curve in churn}
    if len(curves) < len(churn) or not churn:
        raise DefinitionError(f"churn has {len(churn)} curves of {len(curves)} kinds: give each kind once.")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    model = {"expansion": expansion, "effects": effects, "pooling": pooling, "priors": priors}
    dates = [Origin.of(table, cut, holdout) for cut in cuts(table, holdout, origins)]
    parts: list[pd.DataFrame] = []
    weighed: list[dict[str, object]] = []
    seen: list[pd.DataFrame] = []
    fits: list[Fit] = []
    for origin, index in zip(dates, sized_alike([date.known for date in dates]), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LifeworthWarning)
            own = {
                name: fit_at(origin.known, index, churn=curve, **model, seed=seed, sampler=sampler)  # type: ignore[arg-type]
                for name, curve in curves.items()
            }
        weights = _weights(seen, list(curves))
        parts.append(origin.scored(_forecasts(origin, own, weights)))
        weighed += [{"origin": origin.known.as_of, "method": name, "weight": w} for name, w in weights.items()]
        seen.append(_foretold(own, origin.held[origin.held["ahead"] == 1].reset_index(drop=True)))
        fits += list(own.values())
    units = pd.concat(parts, ignore_index=True)
    return Scoreboard(Backtest(units, table.by, tuple(fits)), _kinds(units, curves), pd.DataFrame(weighed))


def _forecasts(origin: Origin, fits: Mapping[str, Fit], weights: Mapping[str, float]) -> Iterator[Forecast]:
    """Every method's draws of the shares and of what is left of the book."""
    made = {name: posterior_ahead(fit, origin.held, origin.book, DRAWS) for name, fit in fits.items()}
    for name, (shares, rest) in made.items():
        yield name, shares, rest
    first = next(iter(fits.values()))
    draws = min(next(iter(shares.values())).shape[0] for shares, _ in made.values())
    at = mixture_draws(np.array(list(weights.values())), draws, np.random.default_rng([first.seed, 13]))
    shares, rest = (_mixed([pair[part] for pair in made.values()], at, axis) for part, axis in ((0, 0), (1, 1)))
    yield STACKED, shares, rest
    for name, method in METHODS.items():
        if found := formula_ahead(method, origin.known, origin.held, origin.book):
            yield name, *found
    yield from (forecast for forecast in origin.baselines(first.seed) if forecast[0] != "formula")


def _mixed(candidates: Sequence[Draws], at: Sequence[np.ndarray], axis: int) -> Draws:
    """Some of the draws of each candidate, which lie along an axis."""
    pairs = list(zip(candidates, at, strict=True))
    return {
        name: np.concatenate([np.take(draws[name], i, axis=axis) for draws, i in pairs], axis=axis)
        for name in candidates[0]
    }


def _foretold(fits: Mapping[str, Fit], held: pd.DataFrame) -> pd.DataFrame:
    """Log density that each curve gave to what happened in each segment, (segments, curves)."""
    found = {name: future_log_density(fit, held) for name, fit in fits.items()}
    by = list(next(iter(fits.values())).table.by)
    columns = {name: f[~(f[by] == "all").all(axis=1)] if by else f for name, f in found.items()}
    return pd.DataFrame({name: f["log_density"].to_numpy() for name, f in columns.items()})


def _weights(seen: Sequence[pd.DataFrame], names: Sequence[str]) -> dict[str, float]:
    if not seen:
        return dict.fromkeys(names, 1 / len(names))
    density = pd.concat(seen)[list(names)].to_numpy()
    return dict(zip(names, stacking_weights(density).tolist(), strict=True))


def _kinds(units: pd.DataFrame, curves: Mapping[str, ChurnCurve]) -> dict[str, str]:
    known = dict.fromkeys(curves, "curve") | {STACKED: "stacked"} | dict.fromkeys(METHODS, "formula")
    return {name: known.get(name, "baseline") for name in units["method"].unique()}
