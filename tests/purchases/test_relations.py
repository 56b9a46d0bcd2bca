"""The models against one another, at their limits and against simpler laws."""

import numpy as np
import pytest
from scipy import special

from lifeworth.purchases import BGNBD, MBGNBD, History, ParetoNBD

ROWS = History.of([0, 1, 1, 5, 9], [0, 0.1, 0.8, 0.8, 0.9], [0.9] * 5)


def nbd(rows, r, alpha):
    """Log likelihood of a Poisson rate Gamma(r, alpha) without dropout."""
    x = rows.frequency
    return special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + rows.age)


def test_without_dropout_all_are_the_nbd():
    expected = nbd(ROWS, 0.5, 0.2)
    rate = {"purchase_rate": 2.5, "rate_variation": 0.5**-0.5}
    stay = rate | {"dropout": 1e-9, "dropout_polarization": 0.1}
    for model in (BGNBD(), MBGNBD()):
        np.testing.assert_allclose(model.log_likelihood(ROWS, stay), expected, rtol=1e-6)
        assert model.expected_new(stay, 2.0)[0] == pytest.approx(5.0, rel=1e-6)
    stay = rate | {"first_year_dropout": 1e-9, "dropout_variation": 1.0}
    np.testing.assert_allclose(ParetoNBD().log_likelihood(ROWS, stay), expected, rtol=1e-6)
    assert ParetoNBD().expected_new(stay, 2.0)[0] == pytest.approx(5.0, rel=1e-6)
    heavy = History.of(4, 30.0, 32.0)  # the workshop's NBD: 3.88 expected in 39 weeks, in weeks here
    weeks = {"purchase_rate": 0.38477 / 12.0721, "rate_variation": 0.38477**-0.5}
    weeks |= {"dropout": 1e-9, "dropout_polarization": 0.1}
    assert BGNBD().expected_purchases(heavy, weeks, 39.0)[0] == pytest.approx(3.88, abs=5e-3)


def test_mbg_nbd_has_one_more_occasion_to_leave():
    """The customer with x repeats in MBG/NBD stayed or left as one with x + 1 in BG/NBD: b moves by one."""
    theta = BGNBD.from_classic(0.25, 0.4, 0.8, 2.5)
    shifted = BGNBD.from_classic(0.25, 0.4, 0.8, 3.5)
    repeat = History.of([1, 5], [0.3, 0.7], [0.9, 0.9])
    gain = MBGNBD().log_likelihood(repeat, theta) - BGNBD().log_likelihood(repeat, shifted)
    np.testing.assert_allclose(gain, np.log(2.5 / 3.3), rtol=1e-9)
    alive = MBGNBD().probability_alive(repeat, theta)
    np.testing.assert_allclose(alive, BGNBD().probability_alive(repeat, shifted), rtol=1e-12)


def test_who_did_not_come_back_is_active_by_definition_in_bg_nbd_only():
    theta, row = BGNBD.from_classic(0.25, 0.4, 0.8, 2.5), History.of(0, 0, 3.0)
    assert BGNBD().probability_alive(row, theta)[0] == 1
    assert MBGNBD().probability_alive(row, theta)[0] < 0.7
    at_once = MBGNBD().probability_alive(History.none(), theta)[0]
    assert at_once == pytest.approx(2.5 / 3.3)  # right after the first purchase


def test_who_just_bought_may_have_left_by_that_purchase():
    """P(active) = (b + x - 1) / (a + b + x - 1) at recency = age; 1 in Pareto/NBD, where lives end between."""
    row = History.of(3, 0.8, 0.8)
    theta = BGNBD.from_classic(0.25, 0.4, 0.8, 2.5)
    assert BGNBD().probability_alive(row, theta)[0] == pytest.approx(4.5 / 5.3)
    assert MBGNBD().probability_alive(row, theta)[0] == pytest.approx(5.5 / 6.3)
    assert ParetoNBD().probability_alive(row, ParetoNBD.from_classic(0.5, 0.2, 0.6, 0.2))[0] == 1


def test_heavy_buyers_stay_finite_at_five_years():
    """Issue: peers give nan from 480 purchases on. Daily parameters, last purchase today after 501 days."""
    theta = BGNBD.from_classic(0.25, 4.4, 0.8, 2.5, units_per_year=365.25)
    counts = np.array([100.0, 480, 1320, 3000])
    age = 501 / 365.25
    found = BGNBD().expected_purchases(History.of(counts, age, age), theta, 5.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()
    assert (found < counts / age * 5).all()


@pytest.mark.parametrize(("a", "b"), [(0.3, 0.4), (0.999999, 0.3), (1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (0.5, 0.5)])
def test_nothing_happens_where_the_closed_forms_break(a, b):
    """a + b below and at 1, a or b at 1: values join smoothly to those beside."""
    row = History.of([0, 1, 4], [0, 0.4, 0.9], [1.0, 1.0, 1.0])
    found = [
        model.expected_purchases(row, model.from_classic(0.5, 0.2, a + step, b - step), 3.0)
        for model in (BGNBD(), MBGNBD())
        for step in (-1e-6, 0.0, 1e-6)
    ]
    for low, at, high in (found[:3], found[3:]):
        np.testing.assert_allclose(at, (low + high) / 2, rtol=1e-7)
        assert (at > 0).all()


def test_pareto_nbd_at_s_equal_to_one():
    theta = ParetoNBD.from_classic(0.5, 0.2, 1.0, 0.5)
    near = ParetoNBD.from_classic(0.5, 0.2, 1.0 + 1e-7, 0.5)
    assert ParetoNBD().expected_new(theta, 3.0)[0] == pytest.approx(1.25 * np.log(7), rel=1e-9)
    assert ParetoNBD().expected_new(near, 3.0)[0] == pytest.approx(1.25 * np.log(7), rel=1e-6)


def test_pareto_nbd_against_the_published_likelihood():
    """Fader & Hardie's form with 2F1, for alpha above beta and below, where it is safe."""

    def published(x, t, age, r, alpha, s, beta):
        low, high = min(alpha, beta), max(alpha, beta)
        second = s + 1 if alpha >= beta else r + x

        def part(at):
            series = special.hyp2f1(r + s + x, second, r + s + x + 1, (high - low) / (high + at))
            return series / (high + at) ** (r + s + x)

        inner = 1 / ((alpha + age) ** (r + x) * (beta + age) ** s) + s / (r + s + x) * (part(t) - part(age))
        return special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(inner)

    for r, alpha, s, beta in ((0.55, 0.2, 0.6, 0.22), (2.0, 1.5, 0.4, 0.1), (0.3, 0.05, 3.0, 2.0)):
        theta = ParetoNBD.from_classic(r, alpha, s, beta)
        expected = published(ROWS.frequency, ROWS.recency, ROWS.age, r, alpha, s, beta)
        np.testing.assert_allclose(ParetoNBD().log_likelihood(ROWS, theta), expected, rtol=1e-9)
