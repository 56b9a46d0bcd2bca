"""The examples in the docstrings, and the promise that every public name has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

from lifeworth import formulas

MODULES = [f"lifeworth.formulas.{module.name}" for module in pkgutil.iter_modules(formulas.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", formulas.__all__)
def test_every_public_name_is_documented(name):
    doc = inspect.getdoc(getattr(formulas, name))
    assert "Parameters\n" in doc
    assert ">>> " in doc
    if inspect.isfunction(getattr(formulas, name)):
        assert "Returns\n" in doc
        assert "Raises\n" in doc
        assert "Source: " in doc
        assert "finite" in doc.lower() or "inf " in doc or "limit" in doc


def test_public_functions_are_all_exported():
    found = {
        name
        for module in map(importlib.import_module, MODULES)
        if not module.__name__.rpartition(".")[2].startswith("_")
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    assert found == set(formulas.__all__)
