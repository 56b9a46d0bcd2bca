import json

import pandas as pd
import pytest
import xarray as xr

import lifeworth as lw
from lifeworth.errors import StoreError


@pytest.fixture
def stored(constant_fit, tmp_path):
    fit = constant_fit()
    fit.save(tmp_path / "fit")
    return fit, tmp_path / "fit"


def test_a_fit_comes_back_as_it_was(stored):
    fit, path = stored
    back = lw.load(path)
    assert back.model == fit.model
    assert back.index == fit.index
    assert back.table.fingerprint == fit.table.fingerprint
    assert (back.seed, back.options, back.notes) == (fit.seed, fit.options, fit.notes)
    assert set(back.draws) == set(fit.draws)
    for part, draws in fit.draws.items():
        xr.testing.assert_identical(back.draws[part], draws)
    pd.testing.assert_frame_equal(back.diagnostics.table, fit.diagnostics.table)


def test_a_loaded_fit_values_alike(stored):
    fit, path = stored
    terms = lw.Economics(gross_margin=0.5, discount_rate_annual=0.1, horizon_years=3)
    pd.testing.assert_frame_equal(lw.value(lw.load(path), terms).table(), lw.value(fit, terms).table())


def test_saving_again_replaces(stored):
    fit, path = stored
    fit.save(path)
    assert sorted(p.name for p in path.iterdir()) == ["draws.nc", "fit.json"]
    assert lw.load(path).model == fit.model


def test_a_fit_of_counts_is_stored_too(counts_fit, tmp_path):
    counts_fit.save(tmp_path / "fit")
    assert lw.load(tmp_path / "fit").table.fingerprint == counts_fit.table.fingerprint


def test_nothing_there_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"fit\.json is missing"):
        lw.load(tmp_path)


def test_damage_is_named(stored):
    _, path = stored
    (path / "fit.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        lw.load(path)


def test_another_schema_is_refused(stored):
    _, path = stored
    record = json.loads((path / "fit.json").read_text())
    (path / "fit.json").write_text(json.dumps(record | {"schema": 99}))
    with pytest.raises(StoreError, match="schema 99"):
        lw.load(path)


def test_a_table_of_other_content_is_refused(stored):
    _, path = stored
    record = json.loads((path / "fit.json").read_text())
    record["table"]["fingerprint"] = "0" * 64
    (path / "fit.json").write_text(json.dumps(record))
    with pytest.raises(StoreError, match="not the one that was fitted"):
        lw.load(path)


def test_an_unknown_definition_is_refused_by_name(stored):
    _, path = stored
    record = json.loads((path / "fit.json").read_text())
    record["model"]["churn"]["name"] = "MyCurve"
    (path / "fit.json").write_text(json.dumps(record))
    with pytest.raises(StoreError, match="MyCurve is not defined here"):
        lw.load(path)
