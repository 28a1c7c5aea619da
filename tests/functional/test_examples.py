"""Every public function shows how it is called, and the example runs."""
import doctest
import importlib
import inspect
import pkgutil

import pytest

import rdkd.functional
from rdkd import arguments
from rdkd.objectives import presets

MODULES = [importlib.import_module(f'rdkd.functional.{found.name}')
           for found in pkgutil.iter_modules(rdkd.functional.__path__)]


@pytest.mark.parametrize('module', [*MODULES, presets, arguments],
                         ids=lambda module: module.__name__)
def test_examples_run(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize('module', MODULES,
                         ids=lambda module: module.__name__)
def test_every_public_function_has_an_example(module):
    functions = [each for name, each in inspect.getmembers(
        module, inspect.isfunction) if each.__module__ == module.__name__
        and not name.startswith('_')]
    assert functions
    for function in functions:
        assert '>>> ' in inspect.getdoc(function), function.__name__


def test_every_public_function_is_offered_by_the_package():
    offered = set(rdkd.functional.__all__)
    for module in MODULES:
        for name, each in inspect.getmembers(module, inspect.isfunction):
            if each.__module__ == module.__name__ and name[0] != '_':
                assert name in offered
