"""Fitting: from a cohort table to posterior draws, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._parameters import Parameter, Priors
from lifeworth._version import __version__
from lifeworth.bayes.build import cell_data
from lifeworth.bayes.centre import centring
from lifeworth.bayes.diagnose import diagnose
from lifeworth.bayes.sample import compiled, sample
from lifeworth.churn import ChurnCurve, Smooth
from lifeworth.effects import CalendarWalk, CohortDecay, Effect, Shape
from lifeworth.errors import DiagnosticsWarning, FitError, warned
from lifeworth.expansion import Constant, ExpansionCurve, Flat
from lifeworth.expansion.variation import DIRECTIONS, log_level
from lifeworth.indexing import TableIndex, jump_size, merged, money_counts
from lifeworth.ledger import CohortTable
from lifeworth.model import DEFAULT_EFFECTS, Model, Pooling, freeze_priors, identified, log_retention
from lifeworth.notes import notes
from lifeworth.results import Diagnostics, Fit, SamplerOptions, theta_of
from lifeworth.shape_check import shape_notes

type Innovations = tuple[np.ndarray, np.ndarray]
"""Mean and standard error of the innovation of churn in each bucket."""


def fit(
    table: CohortTable,
    *,
    churn: ChurnCurve = Smooth(),
    expansion: ExpansionCurve = Constant(),
    effects: tuple[Effect, ...] | None = None,
    pooling: Pooling = "partial",
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: SamplerOptions = SamplerOptions(),
) -> Fit:
    """Posterior of churn by accounts, churn by money and growth of the survivors' money.

    Parameters
    ----------
    table : CohortTable
        The cells; the cost does not depend on the number of customers behind them.
    churn : ChurnCurve
        The law of churn over tenure.
    expansion : ExpansionCurve
        The law of growth of the survivors' money; not used where the table has no money, or none that ever moved.
    effects : tuple of Effect, optional
        What moves churn beside tenure. None is the recommended set: for "partial" Segments, CalendarWalk and
        CohortDecay (left out again where the diagnostics refuse it), for "complete" CalendarWalk, for "none" none;
        and Renewal where contracts run longer than a period.
    pooling : {"partial", "complete", "none"}
        Segments and cohorts share what they have in common; are taken as one; or are each fitted alone, without
        calendar (the growth of money is fitted over all cohorts in any case).
    priors : mapping of str to (low, high), optional
        90% intervals in natural units, by parameter, in place of the model's own.
    seed : int, optional
        The same seed gives the same draws, with the versions of the lock on the same kind of processor. None takes
        one from the system and records it.
    sampler : SamplerOptions
        How NUTS is run.

    Returns
    -------
    Fit

    Raises
    ------
    DefinitionError
        A prior names no parameter, or is not an interval.
    FitError
        The table has no cell at risk, or the sampler cannot start.

    Warns
    -----
    ShortHistoryWarning, TrendWarning, MoneyChurnWarning, NoRenewalWarning
        What the reader must know of the table.
    TenureWarning
        The curve is refused by its tenure check.
    CalendarWarning
        The model has no calendar, and churn moved over it.
    DiagnosticsWarning
        The draws are not to be relied on, or an effect was left out for that reason.
    """
    return fit_at(
        table,
        TableIndex.of(table),
        churn=churn,
        expansion=expansion,
        effects=effects,
        pooling=pooling,
        priors=priors,
        seed=seed,
        sampler=sampler,
    )


def fit_at(
    table: CohortTable,
    index: TableIndex,
    *,
    churn: ChurnCurve,
    expansion: ExpansionCurve,
    effects: tuple[Effect, ...] | None,
    pooling: Pooling,
    priors: Priors | None,
    seed: int | None,
    sampler: SamplerOptions,
) -> Fit:
    """`fit` with the index given: one of `sized_alike` shares its compilation with other tables."""
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    model = Model(
        churn=churn,
        effects=identified(DEFAULT_EFFECTS[pooling] if effects is None else tuple(effects), index.shape),
        expansion=expansion,
        pooling=pooling,
        priors=freeze_priors(priors),
    )
    model.check(index.shape)
    said = [warned(kind, text, stacklevel=4) for kind, text in notes(table)]
    if table.has_money and expansion.parameters and not table.frame[list(DIRECTIONS)].to_numpy().any():
        model = replace(model, expansion=Flat())
        said.append("No amount in the table ever changed: the money of those who stay is taken as flat.")
    job = Job(table, index, model, seed, sampler)
    draws, diagnostics = job.run()
    if effects is None and not diagnostics.mixed and CohortDecay() in model.effects:
        text = f"CohortDecay was left out: with it the diagnostics are {diagnostics}."
        said.append(warned(DiagnosticsWarning, text, stacklevel=4))
        model = replace(model, effects=tuple(e for e in model.effects if e != CohortDecay()))
        draws, diagnostics = Job(table, index, model, seed, sampler).run()
    if diagnostics.verdict == "FAIL":
        text = f"{diagnostics}. Draw more, tighten the priors or simplify the model before using a number of it."
        said.append(warned(DiagnosticsWarning, text, stacklevel=4))
    found = Fit(model, table, index, draws, diagnostics, seed, sampler, version=__version__)
    said += [warned(kind, text, stacklevel=4) for kind, text in shape_notes(found)]
    return replace(found, notes=tuple(said))


def sized_alike(tables: Sequence[CohortTable]) -> list[TableIndex]:
    """Indexes of tables cut at several dates, rounded up to the sizes of the largest.

    A size of one stays one: there is nothing to tell apart. What is beyond a table's own labels keeps its prior, and
    buckets are added before the first one, without weight, as `TableIndex` does.
    """
    own = [TableIndex.of(table) for table in tables]
    most = {name: max(getattr(index.shape, name) for index in own) for name in ("cohorts", "buckets", "tenures")}

    def enlarged(index: TableIndex) -> TableIndex:
        sizes = {name: size for name, size in most.items() if getattr(index.shape, name) > 1}
        shape = replace(index.shape, **sizes)
        before = (0.0,) * (shape.buckets - index.shape.buckets)
        return replace(index, shape=shape, weights=(*before, *index.weights))

    return [enlarged(index) for index in own]


def _from_the_start(cells: pd.DataFrame, shape: Shape) -> np.ndarray:
    """Which cohorts were seen in their first tenure; all, where fewer than two were.

    Their qualities sum to zero. One that entered late tells nearly nothing of its quality at the start: in the sum,
    it would only blur the common level.
    """
    seen = np.isin(np.arange(shape.cohorts), cells.loc[cells["tenure"] == 0, "cohort"])
    return seen if seen.sum() > 1 else np.ones(shape.cohorts, dtype=bool)


@dataclass(frozen=True, slots=True)
class Job:
    """One table and one model, on the way to draws."""

    table: CohortTable
    index: TableIndex
    model: Model
    seed: int
    options: SamplerOptions

    def run(self) -> tuple[dict[str, xr.Dataset], Diagnostics]:
        """Draws of every part, and their diagnostics."""
        cells = self.cells()
        results = {"logo": self.hazard(cells, 0)}
        if self.table.has_money:
            results["money"] = self.hazard(money_counts(cells), 1)
            if self.model.expansion.parameters:
                results["expansion"] = self.expansion(self._innovations(results["logo"][0]))
        draws = {part: dataset for part, (dataset, _) in results.items()}
        divergences = {part: n for part, (_, n) in results.items()}
        return draws, Diagnostics(diagnose(draws, divergences))

    def cells(self) -> pd.DataFrame:
        """The cells of the hazard, merged as far as the model allows; FitError where nobody is at risk."""
        uses = self.model.uses if self.model.pooling != "none" else frozenset({"tenure", "segment", "cohort"})
        cells = merged(self.table, self.index, uses)
        if cells.empty:
            raise FitError("no cell of the table has an account at risk: nothing can be learnt from it.")
        return cells

    def hazard(self, cells: pd.DataFrame, part: int) -> tuple[xr.Dataset, int]:
        """Draws of the hazard of these cells, and divergences; part 0 is accounts, 1 money (the random stream)."""
        if self.model.pooling != "none":
            return self._hazard_once(cells, self.index, (part,))
        alone, parts = self.index.alone(), []
        for cohort in range(len(self.index.cohorts)):
            for segment in range(self.index.shape.segments):
                own = cells[(cells["cohort"] == cohort) & (cells["segment"] == segment)]
                own = own.assign(cohort=0, segment=0, bucket=0)
                parts.append(self._hazard_once(own, alone, (part, cohort, segment)))
        return xr.concat([d for d, _ in parts], dim="unit"), sum(n for _, n in parts)

    def _hazard_once(self, cells: pd.DataFrame, index: TableIndex, stream: tuple[int, ...]) -> tuple[xr.Dataset, int]:
        model, shape = self.model, index.shape
        parameters = model.hazard_parameters(shape)
        at = index.cells(cells)
        data = cell_data(at, model.uses)
        data |= {f"{p.name}_observed": index.moves.astype(float) for p in parameters if p.walk}
        data |= {name: cells[name].to_numpy(dtype=float) for name in ("at_risk", "churned")}

        def log_rate(theta: Mapping[str, np.ndarray]) -> np.ndarray:
            return np.log(-log_retention(model.churn, model.effects, theta, at, shape.tenures))

        data |= centring(parameters, log_rate, data["churned"], {"cohort": _from_the_start(cells, shape)})
        return sample(compiled("hazard", model, shape), data, parameters, self._stream(*stream), self.options)

    def _innovations(self, logo: xr.Dataset) -> Innovations | None:
        """What the draws of churn by accounts tell of the innovations of the calendar."""
        walk = next((effect for effect in self.model.effects if isinstance(effect, CalendarWalk)), None)
        if walk is None:
            return None
        theta = theta_of(logo)
        found = walk.innovations(theta, theta["calendar"], self.index.moves)
        return found.mean(axis=0), found.std(axis=0)

    def expansion(self, innovations: Innovations | None = None) -> tuple[xr.Dataset, int]:
        """Draws of the growth of the survivors' money, and divergences.

        `innovations` are means and standard errors of those of churn by bucket.
        """
        uses = frozenset({"tenure", "bucket"}) | (frozenset({"segment"}) if self.model.pooling != "complete" else set())
        cells = merged(self.table, self.index, uses)
        shape = self.expansion_shape()
        parameters = self.model.expansion_parameters(shape)
        positions = ("tenure", "segment") if shape.segments > 1 else ("tenure",)
        data = {f"{name}_position": cells[name].to_numpy() for name in positions}
        data["group_position"] = (cells["segment"] * shape.buckets + cells["bucket"]).to_numpy()
        survivors = (cells["opening"] - cells["churned_amount"]).to_numpy() * shape.months_per_period / 12
        for direction in DIRECTIONS:
            size = cells["segment"].map(jump_size(cells, direction)).to_numpy(dtype=float)
            data[f"{direction}_exposure"] = survivors / size
            data[f"{direction}_events"] = cells[direction].to_numpy() / size
        if any(p.name == "innovation_error" for p in parameters):
            known = innovations or (np.zeros(shape.buckets), np.zeros(shape.buckets))
            data |= dict(zip(("innovation_mean", "innovation_sd"), known, strict=True))
        data |= self._expansion_centring(parameters, cells["segment"].to_numpy(), data)
        return sample(compiled("expansion", self.model, shape), data, parameters, self._stream(2), self.options)

    def _expansion_centring(
        self, parameters: tuple[Parameter, ...], segment: np.ndarray, data: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        chosen: dict[str, np.ndarray] = {}
        for direction in DIRECTIONS:
            level = partial(log_level, direction, segment=segment)
            own = tuple(p for p in parameters if p.name.startswith(direction))
            chosen |= centring(own, level, data[f"{direction}_events"])
        return chosen

    def expansion_shape(self) -> Shape:
        """The shape of the growth model: segments are one under complete pooling."""
        return replace(self.index.shape, segments=1) if self.model.pooling == "complete" else self.index.shape

    def _stream(self, *key: int) -> int:
        return int(np.random.SeedSequence([self.seed, *key]).generate_state(1)[0])
