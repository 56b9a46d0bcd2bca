"""The sampler on purchases: it finds the published fits, pools, and is calibrated."""

import numpy as np
import pytest

import lifeworth as lw
from lifeworth.calibration import CustomerDesign, calibrate_purchases
from lifeworth.errors import FitError
from lifeworth.ledger import Ledger
from lifeworth.purchase_fitting import fit_purchases
from lifeworth.purchases import PURCHASES

pytestmark = pytest.mark.mcmc
OPTIONS = lw.SamplerOptions(draws=300, tune=300, chains=2, cores=2, target_accept=0.9)


@pytest.fixture(scope="module")
def fit(held_out):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit_purchases(held_out, pooling="complete", drift=False, seed=2, sampler=OPTIONS)


def test_the_published_fits_lie_in_the_posterior(fit):
    """Fader, Hardie & Lee (2005): r 0.243, a 0.793, b 2.426; (2005, spend) p 6.25, q 3.74, gamma 15.44."""
    found = fit.summary(0.9).set_index("parameter")
    classic = {
        "purchase_rate": 0.2426 / 4.4136 * 365.25 / 7,
        "rate_variation": 0.2426**-0.5,
        "dropout": 0.7929 / (0.7929 + 2.4259),
        "dropout_polarization": 1 / (0.7929 + 2.4259 + 1),
        "mean_spend": 35.17,
    }
    for name, value in classic.items():
        assert found["low"][name] < value < found["high"][name], name
    assert fit.diagnostics.table["r_hat"].max() < 1.05


def test_nobody_who_came_back_is_refused():
    import pandas as pd

    rows = pd.DataFrame({"customer_id": ["a", "b"], "date": ["2025-01-01"] * 2, "amount": [1.0, 2.0]})
    table = Ledger.from_transactions(rows, as_of="2025-06-30").purchase_table()
    with pytest.raises(FitError, match="nobody in the table came back"):
        fit_purchases(table)


def test_a_few_books_of_its_own_are_ranked():
    found = calibrate_purchases(
        spend=None,
        pooling="complete",
        drift=False,
        simulations=8,
        seed=3,
        design=CustomerDesign(customers=200),
        sampler=lw.SamplerOptions(draws=100, tune=200, chains=2, cores=2, target_accept=0.9),
    )
    assert found.failed.empty
    table = found.table()
    assert set(table["quantity"]) == {
        "purchase_rate", "rate_variation", "dropout", "dropout_polarization", "log_likelihood",
    }  # fmt: skip
    assert found.verdict == "PASS"
    assert np.isfinite(found.fits["r_hat"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PURCHASES))
def test_the_models_are_calibrated(name):
    found = calibrate_purchases(purchases=PURCHASES[name](), simulations=100, seed=11)
    assert found.verdict == "PASS", found.table().to_string()
