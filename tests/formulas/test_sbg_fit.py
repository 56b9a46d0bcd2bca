import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifeworth.errors import AssumptionError, DataError
from lifeworth.formulas import (
    fit_geometric,
    fit_sbg,
    sbg_hazard,
    sbg_log_likelihood,
    sbg_survival,
)

# Fader & Hardie (2007), Journal of Interactive Marketing 21(1), 76-90: survivors of 1,000, years 0-7.
REGULAR = np.array([1000, 631, 468, 382, 326, 289, 262, 241])
HIGH_END = np.array([1000, 869, 743, 653, 593, 551, 517, 491])


def counts(survivors):
    return survivors[:-1], survivors[:-1] - survivors[1:]


@pytest.mark.parametrize(
    ("survivors", "alpha", "beta", "likelihood", "digit"),
    [(HIGH_END, 0.668, 3.806, -1611.2, 0.05), (REGULAR, 0.704, 1.182, -1680.265, 0.0005)],
)
def test_matches_fader_hardie_2007(survivors, alpha, beta, likelihood, digit):
    estimate = fit_sbg(*counts(survivors))
    assert estimate.alpha == pytest.approx(alpha, abs=5e-4)
    assert estimate.beta == pytest.approx(beta, abs=5e-4)
    assert estimate.log_likelihood == pytest.approx(likelihood, abs=digit)
    assert estimate.limit is None


def test_mean_churn_matches_fader_hardie_2007():
    assert fit_sbg(*counts(HIGH_END)).first_churn == pytest.approx(0.149, abs=5e-4)
    assert fit_sbg(*counts(REGULAR)).first_churn == pytest.approx(0.373, abs=5e-4)


def test_log_likelihood_matches_fader_hardie_2007():
    # The appendix worksheet, high end: -2115.5 at (1, 1) and -2741.7 at (0.01, 0.01).
    values = sbg_log_likelihood([1, 0.01], [1, 0.01], *counts(HIGH_END))
    np.testing.assert_allclose(values, [-2115.5, -2741.7], atol=0.05)


def test_log_likelihood_is_the_multinomial_one():
    at_risk, churned = counts(REGULAR)
    survival = sbg_survival(np.arange(8), 0.704, 1.182)
    expected = (churned * np.log(survival[:-1] - survival[1:])).sum() + 241 * np.log(survival[-1])
    assert sbg_log_likelihood(0.704, 1.182, at_risk, churned) == pytest.approx(expected, rel=1e-13)


def test_geometric_matches_fader_hardie():
    # Fader & Hardie, workshop: high end, seven years, 0.103 and -1637.09; regular, four renewals, 0.272
    # and -1451.2.
    high, regular = fit_geometric(*counts(HIGH_END)), fit_geometric(*counts(REGULAR[:5]))
    assert high.churn == pytest.approx(0.103, abs=5e-4)
    assert high.log_likelihood == pytest.approx(-1637.09, abs=5e-3)
    assert regular.churn == pytest.approx(0.272, abs=5e-4)
    assert regular.log_likelihood == pytest.approx(-1451.2, abs=0.05)


def test_matches_many_cohorts_of_note_017():
    # Fader & Hardie, note 017, all sizes known: alpha 3.80, beta 15.19, log-likelihood -40,255.8.
    sizes = np.array([10_000, 8_000, 6_480, 5_307, 4_391])
    at_risk, churned = np.zeros((4, 4)), np.zeros((4, 4))
    for cohort in range(4):
        seen = 4 - cohort
        at_risk[cohort, :seen], churned[cohort, :seen] = counts(sizes[: seen + 1])
    estimate = fit_sbg(at_risk, churned)
    assert estimate.alpha == pytest.approx(3.80, abs=5e-3)
    assert estimate.beta == pytest.approx(15.19, abs=5e-3)
    assert estimate.log_likelihood == pytest.approx(-40_255.8, abs=0.05)
    pooled = fit_sbg(at_risk.sum(axis=0), churned.sum(axis=0))
    assert pooled.alpha == pytest.approx(estimate.alpha, rel=1e-6)


@settings(max_examples=25)
@given(alpha=st.floats(0.2, 20), beta=st.floats(0.2, 50))
def test_recovers_the_parameters_from_expected_counts(alpha, beta):
    at_risk = 1e6 * sbg_survival(np.arange(12), alpha, beta)
    estimate = fit_sbg(at_risk, at_risk * sbg_hazard(np.arange(12), alpha, beta))
    assert estimate.alpha == pytest.approx(alpha, rel=1e-3)
    assert estimate.beta == pytest.approx(beta, rel=1e-3)
    assert (
        estimate.log_likelihood
        >= sbg_log_likelihood(alpha, beta, at_risk, at_risk * sbg_hazard(np.arange(12), alpha, beta))
        - 1e-9 * at_risk.sum()
    )


@pytest.mark.parametrize("survivors", [REGULAR, HIGH_END])
def test_no_neighbour_is_more_likely(survivors):
    best = fit_sbg(*counts(survivors))
    alpha, beta = best.alpha * np.array([0.999, 1, 1.001])[:, None], best.beta * np.array([0.999, 1, 1.001])
    values = sbg_log_likelihood(*np.broadcast_arrays(alpha, beta), *counts(survivors))
    assert values.max() == pytest.approx(values[1, 1], abs=1e-12)
    assert (np.delete(values.ravel(), 4) < values[1, 1]).all()


def test_weights_scale_only_the_likelihood():
    at_risk, churned = counts(REGULAR)
    whole, tenth = fit_sbg(at_risk, churned), fit_sbg(at_risk / 10, churned / 10)
    assert tenth.alpha == pytest.approx(whole.alpha, rel=1e-6)
    assert tenth.log_likelihood == pytest.approx(whole.log_likelihood / 10, rel=1e-12)


def test_late_entry_uses_the_tenures_given():
    at_risk = 1e5 * sbg_survival(np.arange(3, 12), 0.7, 1.2)
    churned = at_risk * sbg_hazard(np.arange(3, 12), 0.7, 1.2)
    estimate = fit_sbg(at_risk, churned, tenure=np.arange(3, 12))
    assert estimate.alpha == pytest.approx(0.7, rel=1e-3)
    assert fit_sbg(at_risk, churned).beta == pytest.approx(4.2, rel=1e-3)


@pytest.mark.parametrize("churned", [[100, 90, 81], [100, 150, 200]])
def test_hazard_that_does_not_fall_gives_the_geometric_limit(churned):
    at_risk = 1000 - np.concatenate([[0], np.cumsum(churned)])[:3]
    estimate, constant = fit_sbg(at_risk, churned), fit_geometric(at_risk, churned)
    assert estimate.limit == "geometric"
    assert estimate.first_churn == pytest.approx(constant.churn, rel=1e-12)
    assert estimate.log_likelihood == pytest.approx(constant.log_likelihood, rel=1e-8)


def test_no_loss_after_the_first_period_gives_the_polarized_limit():
    estimate = fit_sbg([1000, 600, 600], [400, 0, 0])
    assert estimate.limit == "polarized"
    assert estimate.first_churn == pytest.approx(0.4, rel=1e-12)
    assert sbg_survival(50, estimate.alpha, estimate.beta) == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize(
    ("at_risk", "churned", "reason"),
    [
        ([100, 100], [0, 0], "nobody left"),
        ([100, 50], [100, 50], "everybody left"),
        ([100], [10], "one tenure"),
        ([100, 0], [10, 0], "one tenure"),
        ([0, 0], [0, 0], "nobody was observed"),
        ([100, np.nan], [1, 1], "at_risk is missing"),
        ([100, 90], [-1, 1], "churned must lie"),
    ],
)
def test_estimates_that_do_not_exist_are_refused(at_risk, churned, reason):
    with pytest.raises(AssumptionError, match=reason):
        fit_sbg(at_risk, churned)


def test_impossible_counts_are_refused():
    with pytest.raises(DataError, match=r"churned exceeds at_risk in 1 cells: 31 > 29"):
        fit_sbg([100, 29], [5, 31])
    with pytest.raises(DataError, match="same"):
        fit_geometric([100, 29], [5])
    with pytest.raises(DataError, match="tenure has shape"):
        fit_sbg([100, 29], [5, 3], tenure=[0, 1, 2])


def test_geometric_with_nobody_or_everybody_lost():
    assert fit_geometric([10, 10], [0, 0]).log_likelihood == 0
    assert fit_geometric([10], [10]).churn == 1
