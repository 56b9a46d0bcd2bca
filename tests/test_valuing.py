"""Values of fits whose truth is known, against sums written out by hand.

Every draw of such a fit is the truth, so that the expected value has no spread and must equal the loop.
"""

from itertools import count, takewhile

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from lifeworth.churn import Geometric, ShiftedBetaGeometric
from lifeworth.economics import Economics
from lifeworth.effects import CohortDecay, Segments
from lifeworth.errors import DefinitionError, ExtrapolationWarning, PriceIncreaseWarning
from lifeworth.expansion import Constant, Flat
from lifeworth.indexing import TableIndex
from lifeworth.ledger import CohortTable, Ledger
from lifeworth.model import Model
from lifeworth.results import Diagnostics, Fit, SamplerOptions
from lifeworth.valuing import value

pytestmark = pytest.mark.filterwarnings("ignore::lifeworth.errors.ExtrapolationWarning")

AS_OF = "2026-01-31"
SBG = {"first_churn": 0.3, "polarization": 0.25}
GROWTH = {
    "expansion_annual": 0.15,
    "contraction_annual": 0.04,
    "expansion_shock_sd": 0.3,
    "contraction_shock_sd": 0.2,
}


def dataset(theta, draws, chains=2):
    """All draws equal to theta."""
    held = {}
    for name, given in theta.items():
        dims = ("chain", "draw") + ((f"{name}_at",) if np.ndim(given) else ())
        held[name] = (dims, np.broadcast_to(given, (chains, draws, *np.shape(given))).copy())
    return xr.Dataset(held, coords={"chain": range(chains), "draw": range(draws)})


def known_fit(table, churn, logo, *, money=None, growth=None, effects=(), pooling="partial", draws=5, expansion=None):
    """A fit that knows the truth: `draws` draws in each of two chains, all the same."""
    parts = {"logo": dataset(logo, draws)}
    if table.has_money:
        parts["money"] = dataset(money or logo, draws)
    if growth:
        parts["expansion"] = dataset(growth, draws)
    expansion = expansion or (Constant() if growth else Flat())
    model = Model(churn, effects, expansion, pooling)
    return Fit(model, table, TableIndex.of(table), parts, Diagnostics(pd.DataFrame()), 11, SamplerOptions())


def terms(**changes):
    return Economics(**{"gross_margin": 0.8, "discount_rate_annual": 0.1, "horizon_years": 5} | changes)


def book(rows, *, period, calendar="year", cohort="year", amount_per="month", by=("segment",)):
    frame = pd.DataFrame(rows, columns=["customer_id", "start", "end", "amount", "segment"])
    ledger = Ledger.from_spells(frame, as_of=AS_OF, amount_per=amount_per)
    return ledger.cohort_table(period=period, cohort=cohort, calendar=calendar, by=by)


@pytest.fixture(scope="module")
def annual():
    """One account in force for each month of the open tenure, at tenures 1 to 3, and two that left."""
    rows = [(f"c{k}", f"{2023 + k % 2}-{k + 1:02d}-15", None, 100.0 + 10 * k, "A" if k < 5 else "B") for k in range(12)]
    gone = [("g0", "2023-02-15", "2024-02-15", 70.0, "A"), ("g1", "2024-12-15", "2025-12-15", 90.0, "B")]
    return book(rows + gone, period="year")


@pytest.fixture(scope="module")
def monthly():
    """Two segments, a loss, and acquisitions up to as_of; equal amounts within a segment."""
    rows = [
        ("a", "2024-05-03", None, 200.0, "A"),
        ("b", "2025-03-09", "2025-09-09", 200.0, "A"),
        ("c", "2025-08-20", None, 200.0, "A"),
        ("d", "2024-11-11", None, 50.0, "B"),
        ("e", "2025-10-01", None, 50.0, "B"),
    ]
    return book(rows, period="month", calendar="quarter", cohort="quarter")


def retention_of(theta, tenure):
    """Probability of staying through a tenure: the textbook recursion of Fader and Hardie."""
    total = 1 / theta["polarization"] - 1
    alpha, beta = theta["first_churn"] * total, (1 - theta["first_churn"]) * total
    return (beta + tenure) / (alpha + beta + tenure)


# --- New accounts ---


@pytest.fixture(scope="module")
def worksheet_table():
    rows = [(f"c{k}", f"2023-{k + 1:02d}-10", None, 50_000.0, "A") for k in range(12)]
    rows += [("late", "2025-05-10", None, 50_000.0, "A"), ("gone", "2023-01-10", "2024-01-10", 50_000.0, "A")]
    return book(rows, period="year", amount_per="year", by=())


@pytest.mark.parametrize("cohort", ["new", "all", "2023", "2025"])
def test_gives_the_five_year_worksheet_with_its_retention(worksheet_table, cohort):
    growth = GROWTH | {"contraction_annual": 0.0}
    fit = known_fit(worksheet_table, Geometric(), {"first_churn": 0.18}, growth=growth)
    given = Economics(gross_margin=0.82, discount_rate_annual=0.12, horizon_years=5, service_cost_annual=6_000)
    cltv = value(fit, given).sample("cltv", cohort=cohort)
    assert cltv == pytest.approx(117_834, abs=0.5)


def test_without_churn_it_is_the_plain_worksheet(worksheet_table):
    growth = GROWTH | {"contraction_annual": 0.0}
    fit = known_fit(worksheet_table, Geometric(), {"first_churn": 1e-12}, growth=growth)
    given = Economics(gross_margin=0.82, discount_rate_annual=0.12, horizon_years=5, service_cost_annual=6_000)
    assert value(fit, given).sample("cltv", cohort="new") == pytest.approx(171_479, abs=0.5)


@pytest.mark.parametrize("timing", ["end", "start"])
@pytest.mark.parametrize("horizon", [1 / 12, 0.5, 5, 30])
def test_monthly_constant_churn_has_its_closed_form(monthly, timing, horizon):
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.03})
    found = value(fit, terms(horizon_years=horizon, timing=timing))
    discount, n = 1.1 ** (-1 / 12), round(12 * horizon)
    ratio = 0.97 * discount
    closed = 0.8 * (1 - ratio**n) / (1 - ratio) * (discount if timing == "end" else 1.0)
    assert found.sample("cltv", cohort="new", segment="A") == pytest.approx(200 * closed, rel=1e-9)
    assert found.sample("cltv", cohort="new", segment="B") == pytest.approx(50 * closed, rel=1e-9)
    assert found.sample("cltv") == pytest.approx((3 * 200 + 2 * 50) / 5 * closed, rel=1e-9)


def test_a_long_horizon_is_the_margin_multiple(monthly):
    """margin x ARPA x (1 + i) / (1 + i - r) when the first payment is certain: 100 years leave 1e-13 of it."""
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.03})
    found = value(fit, terms(horizon_years=100, timing="start")).sample("cltv", cohort="new", segment="A")
    rate = 1.1 ** (1 / 12)
    assert found == pytest.approx(0.8 * 200 * rate / (rate - 0.97), rel=1e-9)


def test_arpa_of_the_new_is_that_of_the_last_four_quarters(monthly):
    found = value(known_fit(monthly, Geometric(), {"first_churn": 0.03}), terms())
    assert found.sample("arpa", cohort="new") == pytest.approx((2 * 200 + 50) / 3)
    rows = found.draws.coords
    new = (rows["cohort"] == "new") & (rows["segment"] == "all")
    assert rows["accounts_acquired"][new].item() == 3


def test_the_size_of_new_accounts_is_known_as_well_as_a_mean_of_so_many():
    """Eight accounts, 100 and 300: the mean is known to 100 / sqrt(8), eight more realise it with as much again."""
    rows = [(f"c{k}", f"2025-0{k + 2}-10", None, 100.0 if k % 2 else 300.0, "A") for k in range(8)]
    table = book(rows, period="month", calendar="quarter", cohort="quarter")
    found = value(
        known_fit(table, Geometric(), {"first_churn": 0.03}, draws=5000), terms(horizon_years=1), draws=10_000
    )
    multiple = hazard_multiple(1.0, horizon=1) * 0.8
    for kind, variance in (("parameter", 1e4 / 8), ("predictive", 2e4 / 8)):
        arpa = found.sample("arpa", kind, cohort="new")
        assert arpa.mean() == pytest.approx(200, abs=4 * np.sqrt(variance / 10_000))
        assert arpa.var() == pytest.approx(variance, rel=4 * np.sqrt(2.5 / 10_000))
    np.testing.assert_allclose(found.sample("cltv", cohort="new"), found.sample("arpa", cohort="new") * multiple)


@pytest.mark.parametrize("timing", ["end", "start"])
def test_money_in_tenures_longer_than_what_it_is_paid_for(timing):
    """Amounts a month, tenures of a year: a payment is twelve amounts."""
    rows = [("a", "2023-03-10", None, 10.0, "A"), ("b", "2024-03-10", None, 10.0, "A")]
    fit = known_fit(book(rows, period="year"), ShiftedBetaGeometric(), SBG)
    found = value(fit, terms(timing=timing, horizon_years=3)).sample("cltv")
    alive, expected = 1.0, 0.0
    for year in range(3):
        expected += 0.8 * 120 * alive / 1.1 ** (year + (timing == "end"))
        alive *= retention_of(SBG, year)
    assert found == pytest.approx(expected, rel=1e-12)


# --- The book in force ---


def residual_by_hand(table, theta, given, *, added=0.0, lost=0.0, service=0.0, price=0.0):
    """Account by account, payment by payment, to the horizon; one year a tenure, amounts a month."""
    total = 0.0
    for row in table.in_force.itertuples():
        to_go, alive, money = (12 - row.elapsed) / 12, 1.0, row.amount
        for step in count():
            paid = to_go + step if given.timing == "end" else to_go + step - 1
            past = paid > given.horizon_years + 1e-9 if given.timing == "end" else paid > given.horizon_years - 1e-9
            if past:
                break
            if given.timing == "end" or step > 0:
                raised = (1 + price) ** max(to_go + step - 1, 0)
                margin = money * alive * 12 * raised * given.gross_margin - row.accounts * alive * service
                total += margin / (1 + given.discount_rate_annual) ** paid
            alive *= retention_of(theta, row.tenure + step)
            money *= 1 + added - lost
    return total


def test_the_book_has_every_part_of_the_open_tenure(annual):
    assert sorted(annual.in_force["elapsed"]) == list(range(12))
    assert annual.in_force["tenure"].nunique() > 1


@pytest.mark.parametrize("timing", ["end", "start"])
@pytest.mark.parametrize("horizon", [1 / 12, 0.5, 11 / 12, 1, 2.5, 5, 20])
def test_residual_with_a_part_of_the_tenure_elapsed(annual, timing, horizon):
    given = terms(timing=timing, horizon_years=horizon)
    found = value(known_fit(annual, ShiftedBetaGeometric(), SBG), given)
    expected = residual_by_hand(annual, SBG, given)
    assert found.sample("total_residual") == pytest.approx(expected, rel=1e-12)
    assert found.sample("residual") == pytest.approx(expected / 12, rel=1e-12)


@pytest.mark.parametrize("timing", ["end", "start"])
def test_residual_with_growth_service_costs_and_a_price_increase(annual, timing):
    given = terms(timing=timing, service_cost_annual=150, price_increase_annual=0.03)
    found = value(known_fit(annual, ShiftedBetaGeometric(), SBG, growth=GROWTH), given)
    expected = residual_by_hand(annual, SBG, given, added=0.15, lost=0.04, service=150, price=0.03)
    assert found.sample("total_residual") == pytest.approx(expected, rel=1e-12)


def test_the_money_hazard_values_and_the_logo_hazard_counts(annual):
    """Money leaves at its own rate; costs of service go with the accounts."""
    money = {"first_churn": 0.5, "polarization": 0.1}
    given = terms()
    found = value(known_fit(annual, ShiftedBetaGeometric(), SBG, money=money), given)
    assert found.sample("total_residual") == pytest.approx(residual_by_hand(annual, money, given), rel=1e-12)
    with_costs = terms(service_cost_annual=100)
    found = value(known_fit(annual, ShiftedBetaGeometric(), SBG, money=money), with_costs)
    cost = residual_by_hand(annual, SBG, given) - residual_by_hand(annual, SBG, given, service=100)
    expected = residual_by_hand(annual, money, given) - cost
    assert found.sample("total_residual") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("timing", ["end", "start"])
def test_cash_by_year_adds_up_to_the_undiscounted_residual(annual, timing):
    given = terms(timing=timing, discount_rate_annual=0.0, horizon_years=4)
    found = value(known_fit(annual, ShiftedBetaGeometric(), SBG), given)
    cash = found.cash.sel(kind="parameter").isel(row=int(np.flatnonzero(found.cash["segment"] == "all")[0]))
    assert cash.sum("year").to_numpy() == pytest.approx(found.sample("total_residual").reshape(2, -1), rel=1e-12)
    first = residual_by_hand(annual, SBG, terms(timing=timing, discount_rate_annual=0.0, horizon_years=1))
    if timing == "end":  # a payment exactly one year away is in year 1 either way
        assert cash.sel(year=1).to_numpy() == pytest.approx(first, rel=1e-12)


def test_the_portfolio_row_holds_all_of_the_ledger_reactivated_accounts_too():
    rows = [
        ("a", "2024-02-15", None, 100.0, "A"),
        ("r", "2024-02-15", "2024-08-15", 40.0, "A"),
        ("r", "2024-11-15", None, 40.0, "A"),
    ]
    table = book(rows, period="month", calendar="quarter", cohort="quarter")
    assert "reactivated" in set(table.in_force["cohort"])
    found = value(known_fit(table, Geometric(), {"first_churn": 0.02}), terms())
    assert found.sample("arpa") == pytest.approx(70)
    parts = [found.sample("total_residual", cohort=c) for c in sorted(set(table.in_force["cohort"]))]
    assert found.sample("total_residual") == pytest.approx(sum(parts), rel=1e-12)


def test_amounts_in_force_and_acquired_are_known_even_where_no_tenure_was_completed():
    """Acquired within the last year: no cell of theirs is in the frame, yet their amounts are in the ledger."""
    rows = [("a", "2023-03-10", None, 10.0, "A"), ("b", "2024-03-10", None, 20.0, "A")]
    rows += [(f"n{k}", "2025-06-10", None, 10.0 * (k + 1), "A") for k in range(3)]
    found = value(known_fit(book(rows, period="year"), Geometric(), {"first_churn": 0.1}), terms())
    for kind in ("parameter", "predictive"):
        assert found.sample("arpa", kind, cohort="2025") == pytest.approx(20.0, rel=1e-12)
    assert np.ptp(found.sample("total_residual", cohort="2025")) == pytest.approx(0, abs=1e-9)
    assert np.ptp(found.sample("cltv", cohort="2025")) == pytest.approx(0, abs=1e-9)


# --- Twelve months ahead ---


@pytest.mark.parametrize("period", ["month", "quarter", "year"])
@pytest.mark.parametrize("horizon", [0.5, 5])
def test_twelve_month_measures_of_the_book_in_force(period, horizon):
    """Decisions within twelve months, one tenure at a time; whatever the horizon of the valuation."""
    rows = [(f"c{k}", f"2024-{k + 1:02d}-15", None, 100.0 + 10 * k, "A") for k in range(12)]
    table = book(rows, period=period, calendar="quarter")
    money = {"first_churn": 0.2, "polarization": 0.4}
    fit = known_fit(table, ShiftedBetaGeometric(), SBG, money=money, growth=GROWTH)
    found = value(fit, terms(horizon_years=horizon))
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    sums = dict.fromkeys(("logo", "nrr", "grr"), 0.0)
    for row in table.in_force.itertuples():
        logo = nrr = grr = 1.0
        due = takewhile(lambda at: at <= 12, count(months - row.elapsed, months))
        for step, _ in enumerate(due):
            logo *= retention_of(SBG, row.tenure + step)
            stay, added, lost = retention_of(money, row.tenure + step), 0.15 * months / 12, 0.04 * months / 12
            nrr, grr = nrr * stay * (1 + added - lost), grr * stay * (1 - lost)
        sums["logo"] += row.accounts * logo
        sums["nrr"] += row.amount * nrr
        sums["grr"] += row.amount * grr
    accounts, amount = table.in_force["accounts"].sum(), table.in_force["amount"].sum()
    assert found.sample("logo_retention") == pytest.approx(sums["logo"] / accounts, rel=1e-12)
    assert found.sample("nrr") == pytest.approx(sums["nrr"] / amount, rel=1e-12)
    assert found.sample("grr") == pytest.approx(sums["grr"] / amount, rel=1e-12)


# --- Segments, cohorts, totals ---


@pytest.fixture(scope="module")
def by_segment(monthly):
    theta = {"first_churn": 0.03, "segment_sd": 0.4, "segment": np.array([0.5, -0.5])}
    return known_fit(monthly, Geometric(), theta, effects=(Segments(),))


def hazard_multiple(factor, horizon=5):
    ratio = 0.97**factor * 1.1 ** (-1 / 12)
    return (1 - ratio ** (12 * horizon)) / (1 - ratio) * 1.1 ** (-1 / 12)


def test_each_segment_is_valued_at_its_own_hazard(by_segment):
    found = value(by_segment, terms())
    for segment, amount, factor in (("A", 200, np.exp(0.5)), ("B", 50, np.exp(-0.5))):
        expected = 0.8 * amount * hazard_multiple(factor)
        assert found.sample("cltv", cohort="new", segment=segment) == pytest.approx(expected, rel=1e-9)


def test_inputs_by_segment_are_used_in_their_segment(by_segment):
    given = terms(gross_margin={"A": 0.9, "B": 0.5}, service_cost_annual={"A": 0.0, "B": 60.0}, cac={"A": 800, "B": 90})
    found = value(by_segment, given)
    a, b = 0.9 * 200 * hazard_multiple(np.exp(0.5)), (0.5 * 50 - 5) * hazard_multiple(np.exp(-0.5))
    assert found.sample("cltv", cohort="new", segment="A") == pytest.approx(a, rel=1e-9)
    assert found.sample("cltv", cohort="new", segment="B") == pytest.approx(b, rel=1e-9)
    assert found.sample("cltv_cac", cohort="new", segment="B") == pytest.approx(b / 90, rel=1e-9)
    assert found.sample("cltv_net", cohort="new", segment="A") == pytest.approx(a - 800, rel=1e-9)
    both = (2 * a + b) / 3
    assert found.sample("cltv", cohort="new") == pytest.approx(both, rel=1e-9)
    assert found.sample("cltv_cac", cohort="new") == pytest.approx(both / ((2 * 800 + 90) / 3), rel=1e-9)


def test_a_cohort_is_valued_with_what_is_left_of_its_quality(annual):
    """Tenure t of a cohort: (1 - h)^exp(c / 2^(t / half life)); an unseen cohort at sd zero has no quality."""
    quality = np.array([0.6, -0.6, 0.0, 0.0])  # the vector is longer than its labels
    theta = {"first_churn": 0.2, "cohort_sd": 0.0, "cohort_half_life": 1.5, "cohort": quality}
    rows = [("a", "2023-03-10", None, 10.0, "A"), ("b", "2024-03-10", None, 10.0, "A")]
    rows += [("n", "2025-06-10", None, 10.0, "A")]
    fit = known_fit(book(rows, period="year"), Geometric(), theta, effects=(CohortDecay(),))
    found = value(fit, terms())
    for cohort, quality in (("2023", 0.6), ("2024", -0.6), ("new", 0.0), ("2025", 0.0)):
        alive, expected = 1.0, 0.0
        for year in range(5):
            expected += 0.8 * 120 * alive / 1.1 ** (year + 1)
            alive *= 0.8 ** np.exp(quality * 0.5 ** (year / 1.5))
        assert found.sample("cltv", cohort=cohort) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["parameter", "predictive"])
def test_draws_of_totals_are_sums_of_draws_of_their_parts(by_segment, kind):
    found = value(by_segment, terms())
    cohorts = sorted(set(by_segment.table.in_force["cohort"]))
    parts = [
        found.sample("total_residual", kind, cohort=c, segment=s)
        for c in cohorts
        for s in ("A", "B")
        if ((by_segment.table.in_force[["cohort", "segment"]] == [c, s]).all(axis=1)).any()
    ]
    np.testing.assert_allclose(found.sample("total_residual", kind), np.sum(parts, axis=0), rtol=1e-12)
    a, b = (found.sample("cltv", kind, segment=s) for s in ("A", "B"))
    np.testing.assert_allclose(found.sample("cltv", kind), (3 * a + 2 * b) / 5, rtol=1e-12)


def test_pooling_none_values_each_unit_by_its_own_draws(annual):
    """Units are cohort x segment; the new of a segment are drawn from its cohorts."""
    units = np.array([0.1, 0.2, 0.3, 0.4])  # 2023 A, 2023 B, 2024 A, 2024 B
    fit = known_fit(annual, Geometric(), {"first_churn": units}, pooling="none", draws=400)
    fit.draws.update({k: d.rename(first_churn_at="unit") for k, d in fit.draws.items() if "first_churn_at" in d.dims})
    found = value(fit, terms())
    worth = {h: sum(0.8 * 12 * (1 - h) ** t / 1.1 ** (t + 1) for t in range(5)) for h in units}
    for (cohort, segment), h in zip([(c, s) for c in ("2023", "2024") for s in "AB"], units, strict=True):
        arpa = found.sample("arpa", cohort=cohort, segment=segment)
        acquired = annual.acquisitions.query("cohort == @cohort and segment == @segment")
        expected = worth[h] * acquired["amount"].sum() / acquired["accounts"].sum()
        assert found.sample("cltv", cohort=cohort, segment=segment) == pytest.approx(expected, rel=1e-9)
        assert arpa.std() < 1e-9


# --- Inputs that are uncertain ---


def test_an_uncertain_margin_moves_the_value_in_proportion(by_segment):
    fit = known_fit(by_segment.table, Geometric(), {"first_churn": 0.03}, draws=400)
    found = value(fit, terms(gross_margin=stats.beta(80, 20)), draws=800)
    at_one = value(fit, terms(gross_margin=1.0)).sample("cltv", cohort="new", segment="A")[0]
    margins = found.sample("cltv", cohort="new", segment="A") / at_one
    assert stats.kstest(margins, stats.beta(80, 20).cdf).pvalue > 1e-3
    np.testing.assert_allclose(found.sample("cltv", cohort="new", segment="B") * 4 / at_one, margins, rtol=1e-9)
    np.testing.assert_allclose(found.sample("cltv", "predictive", segment="B").shape, margins.shape)


def test_an_uncertain_cac_leaves_cltv_alone(monthly):
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.03}, draws=200)
    found = value(fit, terms(cac=stats.uniform(900, 200)))
    assert np.ptp(found.sample("cltv")) < 1e-9
    net = found.sample("cltv")[0] - found.sample("cltv_net")
    assert 900 <= net.min() < net.max() <= 1100


# --- CAC and payback ---


@pytest.mark.parametrize(("timing", "months"), [("end", 7), ("start", 6)])
def test_payback_counts_the_months_of_cumulative_margin(monthly, timing, months):
    """160 a month with 3% churn: 6 payments bring 890.9, 7 bring 1024."""
    assert 160 * sum(0.97**t for t in range(6)) < 1000 <= 160 * sum(0.97**t for t in range(7))
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.03})
    found = value(fit, terms(cac=1000, timing=timing))
    assert found.sample("payback_months", cohort="new", segment="A") == pytest.approx(months)


def test_payback_may_be_never(monthly):
    """160 / 0.03 = 5,333 is all there can ever be."""
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.03})
    found = value(fit, terms(cac=5_400, horizon_years=50))
    assert np.isinf(found.sample("payback_months", cohort="new", segment="A")).all()
    rows = found.table().query("measure == 'payback_months' and cohort == 'new' and segment == 'A'")
    rows = rows.set_index("kind")[["mean", "p10", "p50", "p90"]]
    assert np.isinf(rows.loc["parameter"]).all()
    assert np.isinf(rows.loc["predictive", ["mean", "p50", "p90"]]).all()  # one that stays long may pay back
    assert (found.summary()["P(payback <= 12 months)"].loc["A"] == 0).all()


def test_payback_does_not_reach_beyond_the_horizon(monthly):
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.03})
    found = value(fit, terms(cac=1000, horizon_years=0.5))
    assert np.isinf(found.sample("payback_months", cohort="new", segment="A")).all()


def test_unknown_cac_gives_no_ratio_and_no_payback(monthly):
    found = value(known_fit(monthly, Geometric(), {"first_churn": 0.03}), terms())
    assert not {"cltv_cac", "cltv_net", "payback_months"} & set(found.draws.data_vars)
    assert "CLTV:CAC" not in found.summary()


def test_a_cac_of_zero_is_paid_back_at_once_and_has_no_ratio(monthly):
    found = value(known_fit(monthly, Geometric(), {"first_churn": 0.03}), terms(cac=0))
    assert found.sample("cltv_net") == pytest.approx(found.sample("cltv"))
    assert found.sample("payback_months", cohort="new", segment="A") == pytest.approx(1)
    assert "cltv_cac" not in found.draws


# --- What is realised ---


@pytest.fixture(scope="module")
def single_accounts():
    """Six accounts, each a segment of its own, at two ages."""
    rows = [(f"c{k}", f"{2023 + k % 2}-0{k + 1}-15", None, 100.0 * (k + 1), f"s{k}") for k in range(6)]
    return book(rows, period="year")


def realised(row, theta, given):
    """Values that one account may bring, with their probabilities: it pays j times and leaves."""
    to_go = (12 - row.elapsed) / 12
    worth, chance, total, alive = [], [], 0.0, 1.0
    for step in range(int(np.floor(given.horizon_years - to_go + 1e-9)) + 1):
        total += 12 * row.amount * given.gross_margin / (1 + given.discount_rate_annual) ** (to_go + step)
        stay = retention_of(theta, row.tenure + step)
        worth, chance, alive = [*worth, total], [*chance, alive * (1 - stay)], alive * stay
    chance[-1] += alive
    return np.array(worth), np.array(chance)


def test_one_account_is_realised_as_its_exact_law_says(single_accounts):
    """Mean and variance of the value of one account: it stays as a whole or leaves as a whole."""
    given = terms()
    fit = known_fit(single_accounts, ShiftedBetaGeometric(), SBG, draws=5000)
    found = value(fit, given, draws=10_000)
    for row in single_accounts.in_force.itertuples():
        worth, chance = realised(row, SBG, given)
        mean = worth @ chance
        variance = (worth - mean) ** 2 @ chance
        fourth = (worth - mean) ** 4 @ chance
        drawn = found.sample("total_residual", "predictive", cohort=row.cohort, segment=row.segment)
        assert found.sample("total_residual", cohort=row.cohort, segment=row.segment) == pytest.approx(mean)
        assert drawn.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / 10_000))
        assert drawn.var() == pytest.approx(variance, abs=4 * np.sqrt((fourth - variance**2) / 10_000))
        assert np.isclose(drawn[:, None], worth[None, :]).any(axis=1).all()


def test_what_is_realised_has_the_expected_value_as_its_mean(annual):
    """With growth, shocks, service costs and both hazards: the mean of every measure, in every row."""
    money = {"first_churn": 0.25, "polarization": 0.3}
    fit = known_fit(annual, ShiftedBetaGeometric(), SBG, money=money, growth=GROWTH, draws=4000)
    found = value(fit, terms(service_cost_annual=50), draws=8000)
    for measure in ("cltv", "total_residual", "nrr", "grr", "logo_retention"):
        parameter, predictive = (
            found.draws[measure].sel(kind=k).to_numpy().reshape(found.draws.sizes["row"], -1)
            for k in ("parameter", "predictive")
        )
        known = np.isfinite(parameter).all(axis=1)
        error = predictive[known].std(axis=1) / np.sqrt(8000)
        z = (predictive[known].mean(axis=1) - parameter[known].mean(axis=1)) / np.maximum(error, 1e-9)
        assert np.abs(z).max() < 4.5, (measure, z)


def test_accounts_in_the_thousands_have_little_noise_of_their_own():
    """Binomial noise of the twelve-month logo retention of n accounts."""
    spells = pd.DataFrame({"customer_id": np.arange(3000).astype(str), "start": "2024-03-15", "end": None})
    spells = spells.assign(end=pd.NaT, amount=10.0, segment="A")
    ledger = Ledger.from_spells(spells, as_of=AS_OF, amount_per="month")
    table = ledger.cohort_table(period="year", cohort="year", calendar="year", by=["segment"])
    found = value(known_fit(table, Geometric(), {"first_churn": 0.2}, draws=2000), terms(), draws=4000)
    for measure in ("logo_retention", "nrr"):
        drawn = found.sample(measure, "predictive")
        assert drawn.std() == pytest.approx(np.sqrt(0.8 * 0.2 / 3000), rel=4 / np.sqrt(2 * 4000))


def test_nrr_and_logo_retention_of_equal_accounts_move_together():
    """Accounts of one size, without growth: the share of money kept is the share of accounts kept."""
    rows = [(f"c{k}", "2024-03-15", None, 10.0, "A") for k in range(20)]
    fit = known_fit(book(rows, period="year"), Geometric(), {"first_churn": 0.3}, draws=100)
    found = value(fit, terms())
    np.testing.assert_allclose(found.sample("nrr", "predictive"), found.sample("logo_retention", "predictive"))


# --- Tables of counts, and what is refused or said ---


@pytest.fixture(scope="module")
def counts():
    cells = {"tenure": [0, 1, 2], "at_risk": [100, 70, 55], "churned": [30, 15, 10]}
    frame = pd.concat([pd.DataFrame({"cohort": "x", "plan": p} | cells) for p in ("A", "B")])
    return CohortTable.from_counts(frame, period="year")


@pytest.mark.parametrize("arpa", [25.0, {"A": 10.0, "B": 40.0}], ids=["one", "by segment"])
def test_counts_are_valued_at_the_arpa_given(counts, arpa):
    """The amount is per period of the table: there is no other."""
    fit = known_fit(counts, ShiftedBetaGeometric(), SBG)
    found = value(fit, terms(arpa=arpa))
    alive, multiple = 1.0, 0.0
    for year in range(5):
        multiple += 0.8 * alive / 1.1 ** (year + 1)
        alive *= retention_of(SBG, year)
    per = arpa if isinstance(arpa, dict) else dict.fromkeys("AB", arpa)
    for plan in "AB":
        assert found.sample("cltv", cohort="x", plan=plan) == pytest.approx(per[plan] * multiple, rel=1e-12)
        assert found.sample("cltv", cohort="new", plan=plan) == pytest.approx(per[plan] * multiple, rel=1e-12)
    assert found.sample("cltv") == pytest.approx(25 * multiple, rel=1e-12)
    assert "total_residual" not in found.draws


def test_counts_without_an_arpa_are_refused(counts):
    with pytest.raises(DefinitionError, match="arpa"):
        value(known_fit(counts, ShiftedBetaGeometric(), SBG), terms())


def test_other_currencies_are_refused(monthly):
    from dataclasses import replace

    fit = known_fit(replace(monthly, currency="USD"), Geometric(), {"first_churn": 0.1})
    with pytest.raises(DefinitionError, match=r"EUR.*USD"):
        value(fit, terms(currency="EUR"))


@pytest.mark.filterwarnings("default::lifeworth.errors.ExtrapolationWarning")
def test_value_beyond_observed_tenure_is_said_and_measured(annual):
    fit = known_fit(annual, Geometric(), {"first_churn": 0.05})
    with pytest.warns(ExtrapolationWarning, match="nobody was observed"):
        far = value(fit, terms(horizon_years=20))
    assert far.beyond > 0.5


@pytest.mark.filterwarnings("error::lifeworth.errors.ExtrapolationWarning")
def test_value_within_observed_tenure_is_not(annual):
    found = value(known_fit(annual, Geometric(), {"first_churn": 0.05}), terms(horizon_years=1))
    assert found.beyond == 0


def test_a_price_increase_on_growth_of_the_ledger_is_said():
    rows = [("a", "2024-02-15", "2024-09-15", 100.0, "A"), ("a", "2024-09-15", None, 110.0, "A")]
    fit = known_fit(book(rows, period="month", calendar="quarter"), Geometric(), {"first_churn": 0.02})
    with pytest.warns(PriceIncreaseWarning):
        value(fit, terms(price_increase_annual=0.05))


def test_a_price_increase_on_a_flat_ledger_is_not(monthly):
    value(known_fit(monthly, Geometric(), {"first_churn": 0.02}), terms(price_increase_annual=0.05))


def test_a_parameter_band_never_stands_alone(monthly):
    """Every row and measure of a table has both kinds, and the summary shows both: the narrow one alone misleads."""
    found = value(known_fit(monthly, Geometric(), {"first_churn": 0.02}), terms(cac=100.0))
    kinds = found.table().groupby(["cohort", "segment", "measure"])["kind"].agg(set)
    assert all(k == {"parameter", "predictive"} for k in kinds)
    columns = set(found.summary().columns)
    assert {"CLTV P10", "CLTV P90", "CLTV parameter P10", "CLTV parameter P90"} <= columns


def test_the_same_seed_gives_the_same_future(monthly):
    fit = known_fit(monthly, Geometric(), {"first_churn": 0.02}, draws=50)
    first, again, other = (value(fit, terms(), seed=s).draws["cltv"] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# --- What was never observed ---


@pytest.fixture(scope="module")
def with_a_young_segment():
    """Segment N has accounts in force, of less than a year: no cell of it is in the frame."""
    rows = [("a", "2023-03-10", None, 10.0, "A"), ("b", "2023-04-10", None, 10.0, "B")]
    return book([*rows, ("n", "2025-06-10", None, 10.0, "N")], period="year")


def test_a_segment_never_observed_is_valued_with_its_own_inputs(with_a_young_segment):
    fit = known_fit(with_a_young_segment, Geometric(), {"first_churn": 0.2})
    found = value(fit, terms(gross_margin={"A": 0.8, "B": 0.8, "N": 0.4}))
    old, young = (found.sample("cltv", cohort=c, segment=s)[0] for c, s in (("2023", "A"), ("2025", "N")))
    assert young == pytest.approx(old / 2, rel=1e-12)
    assert found.sample("total_residual", cohort="2025", segment="N")[0] > 0


def test_inputs_that_miss_a_segment_never_observed_are_refused(with_a_young_segment):
    fit = known_fit(with_a_young_segment, Geometric(), {"first_churn": 0.2})
    with pytest.raises(DefinitionError, match="N"):
        value(fit, terms(gross_margin={"A": 0.8, "B": 0.8}))


def test_a_segment_never_observed_is_wider_than_the_others(with_a_young_segment):
    theta = {"first_churn": 0.2, "segment_sd": 0.5, "segment": np.array([0.0, 0.0])}
    fit = known_fit(with_a_young_segment, Geometric(), theta, effects=(Segments(),), draws=500)
    found = value(fit, terms())
    assert np.ptp(found.sample("cltv", cohort="2023", segment="A")) < 1e-9
    retained = found.sample("logo_retention", cohort="2025", segment="N")
    deviation = np.log(np.log(retained) / np.log(0.8))
    assert stats.kstest(deviation, stats.norm(0, 0.5).cdf).pvalue > 1e-3


def test_pooling_none_takes_what_was_never_observed_from_what_was(with_a_young_segment):
    fit = known_fit(with_a_young_segment, Geometric(), {"first_churn": np.array([0.1, 0.3])}, pooling="none", draws=200)
    fit.draws.update({k: d.rename(first_churn_at="unit") for k, d in fit.draws.items()})
    retained = value(fit, terms()).sample("logo_retention", cohort="2025", segment="N")
    assert set(np.round(retained, 12)) == {0.9, 0.7}
    assert np.mean(retained == 0.9) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(400))


def test_accounts_that_came_back_cost_nothing_to_acquire_and_are_not_new():
    rows = [
        ("a", "2025-03-15", None, 100.0, "A"),
        ("r", "2025-03-15", "2025-06-15", 40.0, "A"),
        ("r", "2025-09-15", None, 40.0, "A"),
    ]
    table = book(rows, period="month", calendar="quarter", cohort="quarter")
    found = value(known_fit(table, Geometric(), {"first_churn": 0.02}), terms(cac=300))
    per_unit = found.sample("cltv", cohort="2025-Q1") / 70
    assert found.sample("arpa", cohort="new").mean() == pytest.approx(70, rel=0.2)
    assert found.draws["accounts_acquired"][found.draws["cohort"] == "new"].to_numpy() == pytest.approx(2)
    assert found.sample("cltv", cohort="reactivated") == pytest.approx(40 * per_unit, rel=1e-9)
    assert found.sample("cltv") == pytest.approx(60 * per_unit, rel=1e-9)
    assert found.sample("cltv_net") == pytest.approx(60 * per_unit - 2 / 3 * 300, rel=1e-9)
    assert np.isnan(found.sample("cltv_net", cohort="reactivated")).all()
    assert np.isnan(found.sample("payback_months", cohort="reactivated")).all()
