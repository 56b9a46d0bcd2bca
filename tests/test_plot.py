"""The pictures: what is drawn, that nothing overlaps the title, and that pyplot is left alone."""

import sys
import warnings
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import lifeworth as lw
from lifeworth.errors import DefinitionError, LifeworthWarning
from lifeworth.plot._figures import short_money, spread

TERMS = lw.Economics(gross_margin=0.8, discount_rate_annual=0.1, horizon_years=3, currency="EUR")


@pytest.fixture(scope="module")
def fit(constant_fit: Any) -> Any:
    return constant_fit()


@pytest.fixture(scope="module")
def value(fit: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LifeworthWarning)
        return lw.value(fit, TERMS)


@pytest.fixture(scope="module")
def comparison(value: Any) -> Any:
    return lw.compare(value)


def drawn(figure: Figure) -> Figure:
    figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> str:
    return "\n".join(t.get_text() for ax in figure.axes for t in (*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label))


def title_is_clear(figure: Figure) -> bool:
    """The title and the note below it do not overlap."""
    ax = drawn(figure).axes[0]
    notes = [t for t in ax.texts if t.get_gid() == "note"]
    top = ax._left_title.get_window_extent()
    lines = ax._left_title.get_text().count("\n") + 1
    assert notes
    return all(note.get_window_extent().y1 <= top.y1 - top.height / lines + 2 for note in notes)


# --- Survival ---


def test_survival_curve_is_the_truth_and_the_dots(fit: Any) -> None:
    figure = drawn(lw.plot.survival(fit, periods=6))
    lines = {line.get_linestyle(): line for line in figure.axes[0].lines[:3]}
    seen, dots = lines["-"].get_ydata(), lines["None"].get_ydata()
    assert np.allclose(seen, 0.8 ** np.arange(len(seen)))
    assert np.allclose(dots, 0.8 ** np.arange(len(dots)))
    assert np.asarray(lines["--"].get_xdata()).max() == 6


def test_survival_names_segments_units_and_the_end_of_observation(fit: Any) -> None:
    said = texts(drawn(lw.plot.survival(fit)))
    assert all(word in said for word in ("a", "b", "observation ends", "completed years", "calendar level of the last"))


def test_survival_of_counts_has_no_calendar(counts_fit: Any) -> None:
    assert "calendar" not in texts(drawn(lw.plot.survival(counts_fit)))


# --- Cash flow ---


def test_bands_hold_the_mean_and_name_both_kinds(value: Any) -> None:
    figure = drawn(lw.plot.bands(value))
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "80% band of the expected value (parameter)",
        "80% band of what will be realised (predictive)",
    ]
    predictive, parameter = ax.containers
    for wide, narrow in zip(predictive, parameter, strict=True):
        assert wide.get_height() >= narrow.get_height() - 1e-9
    assert "EUR" in ax.get_ylabel()


def test_bands_of_one_segment(value: Any) -> None:
    assert "accounts" not in lw.plot.bands(value, segment=["a"]).axes[0]._left_title.get_text()
    with pytest.raises(DefinitionError, match="no segment"):
        lw.plot.bands(value, segment=["c"])


# --- Formulas ---


def test_compare_has_a_point_or_a_reason_for_every_formula(comparison: Any) -> None:
    table = comparison.table()
    total = table[(table["segment"] == "all") & (table["kind"] == "parameter")]
    figure = drawn(lw.plot.compare(comparison))
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(points) == total["estimate"].notna().sum()
    names = [label.get_text().replace("\n", " ") for label in figure.axes[0].get_yticklabels()]
    assert names == list(dict.fromkeys(total["method"]))[::-1]


def test_undefined_formula_is_named_with_its_reason(value: Any) -> None:
    figure = drawn(lw.plot.compare(lw.compare(value, inputs={"churn": 0.02, "expansion": 0.05})))
    assert "undefined: churn is not above expansion" in texts(figure)


def test_exploding_formula_makes_the_axis_logarithmic(value: Any) -> None:
    figure = drawn(lw.plot.compare(lw.compare(value, inputs={"churn": 0.001, "expansion": 0.0})))
    assert figure.axes[0].get_xscale() == "log"
    assert "logarithmic" in figure.axes[0].get_xlabel()


# --- All of them ---


@pytest.mark.parametrize("name", ["survival", "bands", "compare"])
def test_figures_are_clear_and_leave_pyplot_alone(name: str, fit: Any, value: Any, comparison: Any) -> None:
    given = {"survival": fit, "bands": value, "compare": comparison}[name]
    figure = getattr(lw.plot, name)(given)
    assert isinstance(figure, Figure)
    assert title_is_clear(figure)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    own = Figure().subplots()
    assert getattr(lw.plot, name)(given, ax=own) is own.get_figure()


def test_labels_spread_apart_in_order() -> None:
    assert spread([0.5, 0.5, 0.9], 0.1) == [0.45, 0.55, 0.9]
    placed = spread([0.1, 0.11, 0.12, 0.4], 0.05)
    assert np.diff(placed).min() >= 0.05 - 1e-9


def test_money_is_short() -> None:
    assert [short_money(m) for m in (12_345.6, 1_250_000, 999_999, 83, 0)] == ["12.3k", "1.25M", "1,000k", "83", "0"]


# --- The gap in steps ---


def test_gap_bars_are_the_steps_and_meet(value: Any) -> None:
    gap = lw.compare(value).gap("ARPA x margin / churn")
    figure = drawn(lw.plot.gap(gap))
    ax = figure.axes[0]
    bars = [patch for patch in ax.patches if patch.get_width() > 0]
    large = [step for step in gap.steps if abs(step.change) > 0.005 * gap.start]
    assert len(bars) == len(large) + 2
    assert bars[0].get_width() == pytest.approx(gap.start)
    assert bars[-1].get_width() == pytest.approx(gap.end)
    assert [bar.get_width() for bar in bars[1:-1]] == pytest.approx([abs(step.change) for step in large])
    assert [bool(bar.get_hatch()) for bar in bars[1:-1]] == [step.change < 0 for step in large]
    assert "EUR" in ax.get_xlabel()
    assert title_is_clear(figure)
    boxes = [text.get_window_extent() for text in ax.texts if text.get_gid() != "note"]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_gap_of_an_undefined_formula_begins_where_there_is_a_value(value: Any) -> None:
    gap = lw.compare(value, inputs={"churn": 0.02, "expansion": 0.05}).gap("with expansion, linear")
    figure = drawn(lw.plot.gap(gap))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "undefined" in labels[-1]
    assert labels[0] == "posterior mean"


def test_formulas_can_be_chosen(comparison: Any) -> None:
    figure = drawn(lw.plot.compare(comparison, methods=["worksheet", "cohort curve"]))
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cohort curve", "worksheet"]
    with pytest.raises(DefinitionError, match="no formula 'sheet'"):
        lw.plot.compare(comparison, methods=["sheet"])


# --- Purchases ---


@pytest.fixture(scope="module")
def held_out_purchases() -> Any:
    """Four buckets of which the first and the third lie inside their 80% band, and two bins."""
    from types import SimpleNamespace

    import pandas as pd

    def band(at: float) -> dict[str, float]:
        return {"mean": at, "p05": at - 20, "p10": at - 10, "p90": at + 10, "p95": at + 20}

    past = pd.DataFrame({"bucket": [-1, 0], "measure": "incremental", "mean": [90.0, 95.0], "observed": [91.0, 99.0]})
    seen = (100, 150, 105, 160)
    each = [{"bucket": k + 1, "measure": "incremental", "observed": y, **band(100)} for k, y in enumerate(seen)]
    so_far = [r | {"measure": "cumulative", **band(100.0 * (i + 1))} for i, r in enumerate(each)]
    units = pd.concat([past, pd.DataFrame(each + so_far)], ignore_index=True)
    table = SimpleNamespace(by=(), as_of="2025-06-30", until="2025-12-31", calendar="4 weeks")
    fit = SimpleNamespace(table=table)
    scores = pd.DataFrame({"measure": ["incremental", "cumulative"], "coverage_80": [0.5, 0.25]})
    bins = pd.DataFrame([{"frequency": f, "customers": 1500, "observed": 30.0, **band(31)} for f in ("0", "7+")])
    return SimpleNamespace(fit=fit, units=units, scores=lambda: scores), SimpleNamespace(fit=fit, units=bins)


def test_tracking_shows_what_happened_beside_its_bands(held_out_purchases: Any) -> None:
    figure = drawn(lw.plot.tracking(held_out_purchases[0]))
    each, so_far = figure.axes
    dots = next(line for line in each.lines if line.get_marker() == "o")
    assert dots.get_ydata().tolist() == [91, 99, 100, 150, 105, 160]
    assert len(each.collections) == len(so_far.collections) == 2
    assert "held 50% of buckets, 25% here" in texts(figure)
    assert title_is_clear(figure)


def test_bins_show_customers_and_bands(held_out_purchases: Any) -> None:
    figure = drawn(lw.plot.frequency_bins(held_out_purchases[1]))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0\n1,500", "7+\n1,500"]
    assert [round(bar.get_height()) for bar in ax.patches] == [40, 40, 20, 20]
    assert title_is_clear(figure)
