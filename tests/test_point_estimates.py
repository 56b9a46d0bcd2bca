"""The fitters of lifetimes behind one door: published fits, refusals, and nothing changed on the way."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from lifeworth.errors import DefinitionError, FitError
from lifeworth.point_estimates import point_estimate
from lifeworth.purchases import BGBB, BGNBD, MBGNBD, WEEKS_PER_YEAR, GammaGamma, History, ParetoNBD, Spend


@pytest.fixture(scope="module")
def published(shared):
    entries = json.loads((shared / "oracles" / "oracles.json").read_text(encoding="utf-8"))
    return next(entry["fitted"] for entry in entries if entry["id"] == "compat.lifetimes_0.11.3")


@pytest.fixture(scope="module")
def cdnow(shared) -> pd.DataFrame:
    return pd.read_csv(shared / "oracles" / "data" / "cdnow_cbs_39wk.csv")


def weekly(frame) -> History:
    return History.of(frame["x"], frame["t_x"] / WEEKS_PER_YEAR, frame["T"] / WEEKS_PER_YEAR)


@pytest.mark.parametrize(("model", "key"), [(BGNBD(), "BetaGeo"), (MBGNBD(), "MBG"), (ParetoNBD(), "Pareto")])
def test_cdnow(model, key, cdnow, published):
    found = model.to_classic(point_estimate(model, weekly(cdnow)), units_per_year=WEEKS_PER_YEAR)
    np.testing.assert_allclose(list(found.values()), published[key], rtol=5e-4)


def test_cdnow_spend_leaves_out_who_has_no_repeat(cdnow, published):
    found = GammaGamma.to_classic(point_estimate(GammaGamma(), Spend.of(cdnow["x"], cdnow["zbar"])))
    np.testing.assert_allclose(list(found.values()), published["GammaGamma"], rtol=5e-4)


def test_donations_by_weighted_rows(shared, published):
    rows = pd.read_csv(shared / "oracles" / "data" / "donations_bgbb.csv")
    history = History.of(rows["frequency"], rows["recency"], rows["periods"])
    found = BGBB.to_classic(point_estimate(BGBB(), history, customers=rows["weights"]))
    np.testing.assert_allclose(list(found.values()), published["BGBB"], rtol=5e-4)


@pytest.mark.parametrize("model", [BGNBD(), MBGNBD(), ParetoNBD()])
def test_weights_count_customers(model, medians):
    """Distinct rows with counts give what the customers give, and the maximum of our own likelihood."""
    theta = medians(model)
    drawn = model.draw_history(np.full(3000, 2.0), theta, np.random.default_rng(2))
    grid = pd.DataFrame({"x": drawn.frequency, "t": np.ceil(drawn.recency * 4) / 4, "age": drawn.age})
    distinct = grid.groupby(["x", "t", "age"], as_index=False).size()
    rows = History.of(distinct["x"], distinct["t"], distinct["age"])
    weighted = point_estimate(model, rows, customers=distinct["size"])
    single = point_estimate(model, History.of(grid["x"], grid["t"], grid["age"]))
    weight = distinct["size"].to_numpy()
    best = (weight * model.log_likelihood(rows, weighted)).sum()
    for name, value in single.items():
        assert weighted[name] == pytest.approx(value, rel=2e-3)
        for factor in (0.98, 1.02):
            assert (weight * model.log_likelihood(rows, weighted | {name: weighted[name] * factor})).sum() < best


def test_settings_of_others_stay_as_they_were(cdnow, capsys):
    filters = list(warnings.filters)
    state = np.random.get_state()[1].copy()  # noqa: NPY002  the global generator is what must not move
    point_estimate(ParetoNBD(), weekly(cdnow.head(200)))
    assert warnings.filters == filters
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert capsys.readouterr().out == ""


def test_a_spend_without_a_mean_is_refused():
    rng = np.random.default_rng(1)
    level = 1 / rng.gamma(0.6, size=3000)
    with pytest.raises(FitError, match="at or below 1"):
        point_estimate(GammaGamma(), Spend.of(np.full(3000, 9), level * rng.gamma(50, size=3000) / 50))


def test_a_fit_that_does_not_converge_is_said():
    with pytest.raises(FitError, match="could not fit BGBB"):
        point_estimate(BGBB(), History.of([0, 6], [0, 6], [6, 6]), customers=[500, 500])


def test_refuses_what_lifetimes_does_not_have():
    from lifeworth.purchases import PURCHASES

    class AnotherModel(BGNBD):
        pass

    del PURCHASES["AnotherModel"]
    with pytest.raises(DefinitionError, match="AnotherModel"):
        point_estimate(AnotherModel(), History.none())
    with pytest.raises(DefinitionError, match="GammaGamma to a History"):
        point_estimate(GammaGamma(), History.none())
    with pytest.raises(DefinitionError, match="BGNBD to a Spend"):
        point_estimate(BGNBD(), Spend.of(1, 2.0))
