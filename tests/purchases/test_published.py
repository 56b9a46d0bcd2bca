"""Published fits and predictions, by maximising the models' own likelihood: oracles.json names every source."""

import json

import numpy as np
import pandas as pd
import pytest

from lifeworth.purchases import BGBB, BGNBD, MBGNBD, WEEKS_PER_YEAR, History, ParetoNBD


@pytest.fixture(scope="module")
def oracles(shared):
    published = json.loads((shared / "oracles" / "oracles.json").read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in published}


@pytest.fixture(scope="module")
def cdnow(shared):
    """The 1/10 sample, 39 weeks: 2,357 customers, in weeks."""
    return pd.read_csv(shared / "oracles" / "data" / "cdnow_cbs_39wk.csv")


@pytest.fixture(scope="module")
def donations(shared):
    return pd.read_csv(shared / "oracles" / "data" / "donations_bgbb.csv")


def weekly(frame) -> History:
    return History.of(frame["x"], frame["t_x"] / WEEKS_PER_YEAR, frame["T"] / WEEKS_PER_YEAR)


def weeks(*counts):
    return np.array(counts) / WEEKS_PER_YEAR


def history(x, t_x, age) -> History:
    return History.of(x, weeks(*np.atleast_1d(t_x)), weeks(*np.atleast_1d(age)))


def fitted(model, frame, maximise):
    """Maximum likelihood in weeks: the classic parameters and the log likelihood."""
    rows, in_weeks = weekly(frame), frame["x"].sum() * np.log(WEEKS_PER_YEAR)
    theta, best = maximise(model.parameters, lambda at: model.log_likelihood(rows, at).sum())
    return model.to_classic(theta, units_per_year=WEEKS_PER_YEAR), best - in_weeks


def test_bg_nbd_on_cdnow(cdnow, oracles, maximise):
    published = oracles["bgnbd.cdnow.fit"]
    found, best = fitted(BGNBD(), cdnow, maximise)
    assert best == pytest.approx(published["computed"]["LL"], abs=1e-3)
    for name in ("r", "alpha", "a", "b"):
        assert found[name] == pytest.approx(published["expected"][name]["value"], abs=5e-4)
        assert found[name] == pytest.approx(published["expected"]["CLVTools"][name], rel=2e-4)


def test_bg_nbd_likelihood_of_single_customers(cdnow, oracles):
    rows = oracles["bgnbd.cdnow.fit"]["expected"]["row_LL"]
    best = oracles["bgnbd.cdnow.fit"]["computed"]
    theta = BGNBD.from_classic(best["r"], best["alpha"], best["a"], best["b"], units_per_year=WEEKS_PER_YEAR)
    found = BGNBD().log_likelihood(weekly(cdnow), theta) - cdnow["x"] * np.log(WEEKS_PER_YEAR)
    np.testing.assert_allclose(found[np.array(rows["ids"]) - 1], rows["values"], atol=1.5e-4)
    at_one = BGNBD.from_classic(1.0, 1.0, 1.0, 1.0, units_per_year=WEEKS_PER_YEAR)
    total = BGNBD().log_likelihood(weekly(cdnow), at_one).sum() - cdnow["x"].sum() * np.log(WEEKS_PER_YEAR)
    assert total == pytest.approx(oracles["bgnbd.cdnow.fit"]["expected"]["LL_at_1_1_1_1"]["value"], abs=0.06)


@pytest.mark.parametrize(("model", "key"), [(BGNBD(), "BGNBD"), (MBGNBD(), "MBGNBD")])
def test_log_likelihood_against_pymc_marketing(model, key, oracles):
    entry = oracles["bgnbd.mbgnbd.logp"]
    theta = model.from_classic(0.25, 4.0, 0.8, 2.5)
    found = model.log_likelihood(History.of([0, 200], [0, 38], [40, 40]), theta)
    np.testing.assert_allclose(found, entry["expected"][key], rtol=1e-6)


@pytest.fixture(scope="module")
def printed(oracles):
    """BG/NBD at its published parameters, and its published predictions."""
    entry = oracles["bgnbd.cdnow.predict"]
    values = {name: entry["inputs"][name] for name in ("r", "alpha", "a", "b")}
    return BGNBD.from_classic(**values, units_per_year=WEEKS_PER_YEAR), entry["expected"]


def test_bg_nbd_new_customers(printed):
    theta, published = printed
    times = weeks(*published["E_X_t"]["t"])
    np.testing.assert_allclose(BGNBD().expected_new(theta, times), published["E_X_t"]["v"], atol=5e-4)
    assert BGNBD().expected_new(theta, weeks(52))[0] == pytest.approx(published["E52"]["value"], rel=1e-4)


def test_bg_nbd_conditional_expectations(printed):
    theta, published = printed
    model = BGNBD()
    first = model.expected_purchases(history(2, 30.43, 38.86), theta, weeks(39))
    assert first[0] == pytest.approx(published["CE39_id1"]["value"], abs=5e-4)
    heavy, expected = history(26, 30.857, 31), published["cust1516"]
    assert model.probability_alive(heavy, theta)[0] == pytest.approx(expected["PAlive"], rel=1e-5)
    assert model.expected_purchases(heavy, theta, weeks(52))[0] == pytest.approx(expected["CE52"], rel=1e-4)
    lapsed = history([10, 15, 20, 25], [20] * 4, [39] * 4)
    found = model.expected_purchases(lapsed, theta, weeks(52))
    np.testing.assert_allclose(found, published["CE52_x10_15_20_25"]["v"], rtol=1e-3)


def test_bg_nbd_counts(printed):
    """P(X(t) = x): the likelihood integrated over the moment of the last purchase."""
    from scipy import special

    published = printed[1]
    theta = BGNBD.from_classic(0.243, 4.414, 0.793, 2.426, units_per_year=WEEKS_PER_YEAR)  # as BTYD's example has them
    nodes = np.polynomial.legendre.leggauss(200)
    none = np.exp(BGNBD().log_likelihood(history(0, 0, 39), theta))[0]
    assert none == pytest.approx(published["pmf"]["P_X39_0"], abs=1e-5)
    for x, t, key in ((10, 2, "P_X2_10"), (11, 30, "P_X30_11"), (20, 30, "P_X30_20")):
        last = weeks(t)[0] * (nodes[0] + 1) / 2
        log_like = BGNBD().log_likelihood(History.of(np.full(200, x), last, weeks(t)), theta)
        density = np.exp(log_like + (x - 1) * np.log(last) - special.gammaln(x))
        assert (nodes[1] * density).sum() * weeks(t)[0] / 2 == pytest.approx(published["pmf"][key], rel=1e-3)


def test_bg_nbd_holdout_by_frequency(cdnow, printed):
    theta, published = printed
    expected = BGNBD().expected_purchases(weekly(cdnow), theta, weeks(39))
    bins = np.minimum(cdnow["x"], 7)
    by_bin = pd.Series(expected).groupby(bins)
    assert by_bin.size().tolist() == published["holdout_by_bin"]["counts"]
    np.testing.assert_allclose(by_bin.mean(), published["holdout_by_bin"]["model"], rtol=5e-4)
    actual = cdnow["x_star"].groupby(bins).mean()
    np.testing.assert_allclose(actual, published["holdout_by_bin"]["actual"], atol=5e-5)


def test_mbg_nbd_on_cdnow(cdnow, oracles, maximise):
    entry = oracles["mbgnbd.cdnow"]
    found, best = fitted(MBGNBD(), cdnow, maximise)
    assert best == pytest.approx(entry["computed"]["LL"], abs=1e-3)
    for name in ("r", "alpha", "a", "b"):
        assert found[name] == pytest.approx(entry["expected"][name]["value"], abs=1e-3)


def test_pareto_nbd_on_cdnow(cdnow, oracles, maximise):
    entry = oracles["pareto.cdnow.fit"]
    found, best = fitted(ParetoNBD(), cdnow, maximise)
    assert best == pytest.approx(entry["computed"]["LL"], abs=1e-3)
    for name in ("r", "alpha", "s", "beta"):
        assert found[name] == pytest.approx(entry["expected"][name]["value"], abs=1e-3)


def test_pareto_nbd_customer_without_a_repeat(oracles):
    entry = oracles["clvtools.apparel.x0"]
    theta = ParetoNBD.from_classic(0.7866, 5.3349, 0.357, 11.6152, units_per_year=WEEKS_PER_YEAR)
    row, published = history(0, 0, 40), entry["expected"]
    assert ParetoNBD().probability_alive(row, theta)[0] == pytest.approx(published["PAlive"], rel=2e-4)
    expected = ParetoNBD().expected_purchases(row, theta, weeks(entry["inputs"]["horizon"]))[0]
    assert expected == pytest.approx(published["CET"], rel=2e-4)
    rate = np.expm1(0.1 * WEEKS_PER_YEAR)  # their rate is continuous and per week
    discounted = ParetoNBD().discounted_purchases(row, theta, 50.0, discount_rate_annual=rate)[0]
    assert discounted == pytest.approx(published["DERT"], rel=2e-4)


def test_bg_bb_on_donations(donations, oracles, maximise):
    entry = oracles["bgbb.donations.fit"]
    rows = History.of(donations["frequency"], donations["recency"], donations["periods"])
    weight, model = donations["weights"].to_numpy(), BGBB()
    theta, best = maximise(model.parameters, lambda at: (weight * model.log_likelihood(rows, at)).sum())
    found = model.to_classic(theta)
    assert best == pytest.approx(entry["computed"]["LL"], abs=1e-3)
    for name in ("alpha", "beta", "gamma", "delta"):
        assert found[name] == pytest.approx(entry["expected"][name]["value"], abs=1e-3)
    given = model.from_classic(1.20, 0.75, 0.66, 2.78)
    total = (weight * model.log_likelihood(rows, given)).sum()
    assert total == pytest.approx(entry["expected"]["LL_at_1_20_0_75_0_66_2_78"]["value"], abs=1e-4)


def test_bg_bb_predictions(donations, oracles):
    entry = oracles["bgbb.donations.predict"]
    published, delta, leaving = entry["expected"], 2.7834, 0.6567 + 2.7834
    theta, model = BGBB.from_classic(1.2035, 0.7497, 0.6567, delta), BGBB()
    rows = History.of(donations["frequency"], donations["recency"], donations["periods"])
    assert model.expected_new(theta, 10)[0] == pytest.approx(published["E10"]["value"], rel=1e-4)
    next_one = model.probability_alive(rows, theta) * (delta + 6) / (leaving + 6)
    at = {(x, t): i for i, (x, t) in enumerate(zip(rows.frequency, rows.recency, strict=True))}
    for (x, t), value in {(0, 0): 0.11, (2, 4): 0.59, (6, 6): 0.93}.items():
        assert next_one[at[x, t]] == pytest.approx(value, abs=5e-3)
    ten = model.expected_purchases(History.of([0, 4], [0, 5], [6, 6]), theta, 10)
    np.testing.assert_allclose(ten, [0.1302169, 3.627858], rtol=1e-4)
    five = model.expected_purchases(rows, theta, 5)
    weight = donations["weights"].to_numpy()
    assert (weight * five).sum() == pytest.approx(published["CE5_total"]["value"], abs=0.06)
    by_count = pd.Series(weight * five).groupby(rows.frequency).sum() / pd.Series(weight).groupby(rows.frequency).sum()
    np.testing.assert_allclose(by_count, published["CE5_by_x_0_6"]["value"], rtol=1e-4)
    first = np.diff(model.expected_new(theta, np.arange(12))) * weight.sum()
    np.testing.assert_allclose(first, published["tracking_1_11"]["value"], rtol=1e-4)
    residual = model.discounted_purchases(rows, theta, 600, discount_rate_annual=0.1)
    for key, value in published["DERT"].items():
        x, t = map(int, key.split(","))
        assert residual[at[x, t]] == pytest.approx(value, rel=1e-4, abs=5e-5), key
