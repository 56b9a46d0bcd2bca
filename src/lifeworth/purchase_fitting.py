"""Fitting customers without a contract: from a purchase table to posterior draws, with a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from lifeworth._ops import Array
from lifeworth._parameters import Parameter, Priors, Theta
from lifeworth._version import __version__
from lifeworth.bayes.centre import centring
from lifeworth.bayes.diagnose import diagnose
from lifeworth.bayes.importance import importance_draws
from lifeworth.bayes.mode import posterior_mode
from lifeworth.bayes.purchases import compiled_rows
from lifeworth.bayes.sample import sample
from lifeworth.errors import DiagnosticsWarning, FitError, warned
from lifeworth.ledger import PurchaseTable
from lifeworth.model import Pooling, freeze_priors
from lifeworth.purchases import BGNBD, GammaGamma, History, PurchaseModel, Spend
from lifeworth.results import Diagnostics, SamplerOptions
from lifeworth.transactional.buckets import MEAN_OF, bucket_length, observed_buckets
from lifeworth.transactional.checks import purchase_notes
from lifeworth.transactional.drift import LEVEL, Buckets, draw_path, log_likelihood, mean_path
from lifeworth.transactional.model import (
    CustomerIndex,
    CustomerShape,
    TransactionalModel,
    counts,
    histories,
    linked,
    merged_rows,
    merged_spend,
)
from lifeworth.transactional.results import PurchaseFit

_PASSES, _STILL, _POINTS, _STEPS = 8, 0.01, 200, 4


def fit_purchases(
    table: PurchaseTable,
    *,
    purchases: PurchaseModel = BGNBD(),
    spend: GammaGamma | None = GammaGamma(),
    pooling: Pooling = "partial",
    drift: bool = True,
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: SamplerOptions = SamplerOptions(),
) -> PurchaseFit:
    """Posterior of the purchases of customers without a contract, of their spend, and of drift over the calendar.

    Parameters
    ----------
    table : PurchaseTable
        Distinct histories; the cost depends on these, not on the customers behind them.
    purchases : PurchaseModel
        The law of repeat purchases and of leaving.
    spend : GammaGamma, optional
        The law of spend per purchase; None fits purchases only.
    pooling : {"partial", "complete", "none"}
        Cohorts and segments deviate from a common rate, dropout and mean spend, and share what they have in common;
        are taken as one; or are each fitted alone.
    drift : bool
        Whether the purchase rate drifts over the calendar: repeat purchases by bucket, over those that the purchase
        model expects, have a level, deviations that last for a while, a season once more than a year of buckets is
        seen, and noise; they go on after as_of. Histories are read at the pace found, so that the drift is not counted
        twice, as who bought less of late is not all gone; rates are per year of average pace. (BGBB counts
        opportunities, which have no pace.) Not fitted below three buckets with five purchases expected.
    priors : mapping of str to (low, high), optional
        90% intervals in natural units, by parameter, in place of the model's own.
    seed : int, optional
        As in `fit`.
    sampler : SamplerOptions
        How NUTS is run.

    Returns
    -------
    PurchaseFit

    Raises
    ------
    DefinitionError
        A prior names no parameter; a row has more purchases than opportunities (BGBB).
    FitError
        Nobody came back, or the sampler cannot start.

    Warns
    -----
    SpendWarning, TimingWarning, CalendarWarning, SeasonWarning, ShortHistoryWarning
        What the reader must know of the table: an assumption of the models that it refutes.
    DiagnosticsWarning
        The draws are not to be relied on.
    """
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    model = TransactionalModel(purchases, spend, pooling, drift, freeze_priors(priors))
    index = CustomerIndex.of(table, model)
    model.check(index.shape)
    if drift:
        bucket_length(purchases, table)  # refused before an hour of sampling
    draws, diagnostics, buckets = PurchaseJob(table, index, model, seed, sampler).run()
    said = []
    if diagnostics.verdict == "FAIL":
        text = f"{diagnostics}. Draw more, tighten the priors or pool completely before using a number of it."
        said.append(warned(DiagnosticsWarning, text, stacklevel=3))
    found = PurchaseFit(model, table, index, draws, diagnostics, seed, sampler, version=__version__, buckets=buckets)
    said += [warned(kind, text, stacklevel=3) for kind, text in purchase_notes(found)]
    return replace(found, notes=tuple(said))


@dataclass(frozen=True, slots=True)
class PurchaseJob:
    """One table and one model, on the way to draws."""

    table: PurchaseTable
    index: CustomerIndex
    model: TransactionalModel
    seed: int
    options: SamplerOptions

    def run(self) -> tuple[dict[str, xr.Dataset], Diagnostics, Buckets | None]:
        """Draws of every part, their diagnostics, and the calendar buckets that the drift was read from."""
        if not (self.table.frame["frequency"] > 0).any():
            raise FitError("nobody in the table came back: nothing can be learnt of repeat purchases.")
        if self.model.spend is not None and self.table.spend.empty:
            raise FitError("no repeat purchase of the table was paid for: fit with spend=None.")
        read = self.settled() if self.model.drift and not counts(self.model.purchases) else None
        results = {"purchases": self._rows("purchases", histories(self.model.purchases, self.table, read), 0)}
        if self.model.spend is not None:
            results["spend"] = self._rows("spend", self.table.spend_history, 1)
        draws = {part: dataset for part, (dataset, _) in results.items()}
        table = diagnose(draws, {part: n for part, (_, n) in results.items()})
        buckets = self.buckets(draws["purchases"], read) if self.model.drift else None
        if buckets is not None:
            draws["drift"], worth = self.drift(buckets)
            row = {"part": "drift", "r_hat": 1.0, "ess_bulk": worth, "ess_tail": worth, "divergences": 0}
            row["draws"] = self.options.chains * self.options.draws
            table = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
        return draws, Diagnostics(table), buckets

    def settled(self) -> Buckets | None:
        """The pace at which purchases went, by bucket: that which is found again when histories are read at it.

        Read as they are, histories hold the drift already: who bought less of late is taken for gone, and a factor for
        the drift would count it twice. So the model of all customers as one, at its mode, and the mean of the drift
        are found in turn, until the pace stands still. It is then taken as known: what is not known of it is in the
        drift to come.
        """
        law, parameters = self.model.purchases, self.model.parameters("purchases", CustomerShape())
        none = np.zeros(len(self.table.frame), dtype=np.int64)
        read: Buckets | None = None
        start: Array | None = None
        for _ in range(_PASSES):
            history, customers, _ = merged_rows(histories(law, self.table, read), self.table.customers, (none, none))

            def height(theta: Theta, history: History = history, customers: Array = customers) -> float:
                return float(law.log_likelihood(history, theta)[0] @ customers)

            theta, start = posterior_mode(parameters, height, start)
            units = {
                name: np.broadcast_to(v, (1, len(self.index.cohorts) * len(self.index.segments)))
                for name, v in theta.items()
            }
            found = observed_buckets(law, self.table, self.index, units, read)
            if found is None:
                return None
            pace = np.exp(np.asarray(self.ready(found).near))
            pace = pace * found.expected.sum() / (pace @ found.expected)
            moved = np.abs(np.log(pace / (1.0 if read is None else read.pace))).max()
            read = replace(found, pace=pace)
            if moved < _STILL:
                break
        return read

    def buckets(self, purchases: xr.Dataset, read: Buckets | None) -> Buckets | None:
        """Actual and expected purchases by bucket, expected at thinned draws."""
        every = purchases.sizes["chain"] * purchases.sizes["draw"]
        known = PurchaseFit(
            self.model, self.table, self.index, {"purchases": purchases}, _UNKNOWN, self.seed, self.options
        )
        theta = known.theta("purchases", thin=max(1, every // MEAN_OF))
        found = observed_buckets(self.model.purchases, self.table, self.index, theta, read)
        return None if found is None else self.ready(found)

    def _rows(self, part: str, rows: History | Spend, stream: int) -> tuple[xr.Dataset, int]:
        every = self.table.spend if part == "spend" else self.table.frame
        segment, cohort = self.index.positions(every)
        customers = every["customers"].to_numpy(dtype=float)
        if self.model.pooling != "none":
            return self.sample_rows(part, rows, customers, (segment, cohort), stream)
        found, alone = (
            [],
            replace(self, index=replace(self.index, shape=replace(self.index.shape, segments=1, cohorts=1))),
        )
        for c in range(len(self.index.cohorts)):
            for s in range(len(self.index.segments)):
                own = (cohort == c) & (segment == s)
                here = np.zeros(int(own.sum()), dtype=np.int64)
                found.append(alone.sample_rows(part, _only(rows, own), customers[own], (here, here), stream, c, s))
        return xr.concat([dataset for dataset, _ in found], dim="unit"), sum(n for _, n in found)

    def sample_rows(
        self, part: str, rows: History | Spend, customers: Array, groups: tuple[Array, Array], *stream: int
    ) -> tuple[xr.Dataset, int]:
        """Draws of the parameters of these rows, and divergences; rows that agree are one."""
        shape = self.index.shape
        data: dict[str, Array] = {}
        groups = groups[0] * (shape.segments > 1), groups[1] * (shape.cohorts > 1)
        if isinstance(rows, Spend):
            spend, weight, at = merged_spend(rows, customers, groups)
            data |= {"frequency": spend.frequency, "mean": spend.mean}
        else:
            history, weight, at = merged_rows(rows, customers, groups)
            data |= {"frequency": history.frequency, "recency": history.recency, "age": history.age}
        events = dict(zip(("segment", "cohort"), at, strict=True))
        sizes = {"segment": shape.segments, "cohort": shape.cohorts}
        data |= {"customers": weight} | {f"{n}_position": events[n] for n, size in sizes.items() if size > 1}
        parameters = self.model.parameters(part, shape)
        data |= self._centring(part, shape, data["frequency"], weight, at)
        return sample(compiled_rows(self.model, part, shape), data, parameters, self._stream(*stream), self.options)

    def _centring(self, part: str, shape: CustomerShape, frequency: Array, weight: Array, at: list[Array]) -> Any:
        """How far the data pin down each deviation: by the customers, and by those who came back."""
        own = self.model.parts[part]
        chosen: dict[str, Array] = {}
        came_back = weight * np.minimum(frequency, 1.0)
        for name in own.varying:
            events = weight if name == own.parameters[0].name and part == "purchases" else came_back
            p = next(p for p in own.parameters if p.name == name)
            vectors = tuple(q for q in self.model.parameters(part, shape) if q.name.startswith(f"{name}_"))

            def level(theta: Theta, name: str = name, p: Any = p) -> Array:
                moved = [theta[f"{name}_{w}"][:, i] for w, i in _levels(at) if f"{name}_{w}" in theta]
                return linked(p, np.full((1, 1), np.mean(p.plausible))) + sum(moved, np.zeros((1, len(weight))))

            chosen |= centring(vectors, level, events)
        return chosen

    def drift(self, buckets: Buckets) -> tuple[xr.Dataset, float]:
        """Draws of the drift over these buckets, and what they are worth: its sizes, then the path given these."""
        chains, draws = self.options.chains, self.options.draws
        theta, worth = self._sizes(buckets, chains * draws)
        theta |= draw_path(theta, buckets, np.random.default_rng(self._stream(3)))
        found = {}
        for p in self._drift_parameters(buckets):
            dims = ("chain", "draw", f"{p.name}_at") if p.size else ("chain", "draw")
            found[p.name] = (dims, theta[p.name].reshape(chains, draws, *([p.size] if p.size else [])))
        return xr.Dataset(found, coords={"chain": range(chains), "draw": range(draws)}), worth

    def ready(self, buckets: Buckets) -> Buckets:
        """The same buckets with the prior of their level, and near the posterior, by Newton's steps."""
        level = next(p for p in self._drift_parameters(buckets) if p.name == LEVEL.name)
        buckets = replace(buckets, prior_level=level.location_scale(), near=None)
        for _ in range(_STEPS):
            sizes, _ = self._sizes(buckets, _POINTS, log2_points=9)
            buckets = replace(buckets, near=np.clip(mean_path(sizes, buckets), -3.0, 3.0))
        return buckets

    def _sizes(self, buckets: Buckets, draws: int, log2_points: int = 12) -> tuple[dict[str, Array], float]:
        sizes = tuple(p for p in self._drift_parameters(buckets) if p.size is None and p.name != LEVEL.name)
        rng = np.random.default_rng(self._stream(2))
        height = partial(log_likelihood, buckets=buckets)
        return importance_draws(sizes, height, draws, rng, log2_points=log2_points)

    def _drift_parameters(self, buckets: Buckets) -> tuple[Parameter, ...]:
        return self.model.drift_parameters(len(buckets.seen), buckets.per_year, buckets.seasons)

    def _stream(self, *key: int) -> int:
        return int(np.random.SeedSequence([self.seed, *key]).generate_state(1)[0])


_UNKNOWN: Any = None


def _levels(at: list[Array]) -> Iterator[tuple[str, Array]]:
    return zip(("segment", "cohort"), at, strict=True)


def _only(rows: History | Spend, own: Array) -> History | Spend:
    if isinstance(rows, Spend):
        return Spend(rows.frequency[own], rows.mean[own])
    return History(rows.frequency[own], rows.recency[own], rows.age[own])
