"""Importing MMRazor on stacks newer than its last release.

MMRazor 1.0.0 is the last release and its distillation code is sound, but
``import mmrazor.models`` fails on torch >= 2 and mmcv > 2.1 for two reasons:

1. ``mmrazor/__init__.py`` asserts ``mmcv <= 2.1.0``;
2. its quantization code needs torch internals that torch 2 removed (MMRazor
   issue 632), and ``mmrazor.models`` imports that code unconditionally.

:func:`import_mmrazor` works around exactly the reasons that apply and touches
nothing else.  This is the only module of the project that knows about them.
Python's recursion limit, which MMRazor raises to a million, is put back.
"""
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any, NoReturn

import mmcv
from mmengine.utils import digit_version

#: Newest mmcv that MMRazor 1.0.0 accepts.
_MMCV_MAXIMUM = '2.1.0'

#: Subpackages of MMRazor that cannot be imported on torch >= 2, with the
#: functions that ``mmrazor.engine`` takes from ``mmrazor.models`` and calls
#: while it is imported: each returns a list of registered quantizers.
_QUANTIZATION: dict[str, list[str]] = {
    'mmrazor.structures.quantization': [],
    'mmrazor.models.fake_quants': ['register_torch_fake_quants'],
    'mmrazor.models.observers': ['register_torch_observers'],
    'mmrazor.models.quantizers': [],
    'mmrazor.models.algorithms.quantization': [],
}


class _Unavailable:
    """Stands for one name of MMRazor's quantization code."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            f'{self._name} is not available: MMRazor 1.0.0 implements it with '
            'torch internals that torch >= 2 removed. rdkd replaced it by '
            'this stand-in so that MMRazor\'s distillation code can be '
            'imported (see rdkd/compat/mmrazor.py).')

    __call__ = _refuse

    def __getattr__(self, attribute: str) -> Any:
        # Dunder look-ups come from the import system, copy and inspect.
        if attribute.startswith('__'):
            raise AttributeError(attribute)
        self._refuse()

    def __repr__(self) -> str:
        return f'<rdkd stand-in for {self._name}>'


class _StandIn(ModuleType):
    """Stands for one quantization subpackage of MMRazor."""

    def __init__(self, name: str, exports: list[str]) -> None:
        super().__init__(name, 'rdkd stand-in: see rdkd/compat/mmrazor.py.')
        self.__path__: list[str] = []
        self.__all__ = exports
        for export in exports:
            setattr(self, export, list)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith('__'):
            raise AttributeError(attribute)
        return _Unavailable(f'{self.__name__}.{attribute}')

    def __repr__(self) -> str:
        return f'<rdkd stand-in for the package {self.__name__}>'


@contextmanager
def _recursion_limit_kept() -> Iterator[None]:
    """Put Python's recursion limit back, which MMRazor's pruning raises.

    With its limit of a million, deeply nested JSON ends the process.
    """
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@contextmanager
def _mmcv_reported_as(reported: str) -> Iterator[None]:
    """Let ``mmcv.__version__`` read ``reported`` inside the block only."""
    actual = mmcv.__version__
    mmcv.__version__ = reported
    try:
        yield
    finally:
        mmcv.__version__ = actual


def _quantization_imports() -> bool:
    """Whether this torch still has what MMRazor's quantization needs."""
    try:
        mappings = importlib.import_module(
            'torch.ao.quantization.fuser_method_mappings')
    except ImportError:
        return False
    return hasattr(mappings, 'reverse2')


def import_mmrazor() -> ModuleType:
    """Import ``mmrazor`` and ``mmrazor.models``, whatever the stack.

    Does nothing special when MMRazor is already imported, when it is not the
    release 1.0.0, or when none of the two reasons above applies.

    Returns:
        ModuleType: The ``mmrazor`` package.

    Raises:
        ImportError: If MMRazor is not installed.
    """
    if 'mmrazor.models' in sys.modules:
        return sys.modules['mmrazor']
    try:
        release = version('mmrazor')
    except PackageNotFoundError as error:
        raise ImportError(
            'rdkd needs MMRazor, which is not installed: run '
            '`pip install mmrazor==1.0.0`.') from error

    if release == '1.0.0':
        if digit_version(mmcv.__version__) > digit_version(_MMCV_MAXIMUM):
            with _mmcv_reported_as(_MMCV_MAXIMUM):
                importlib.import_module('mmrazor')
        if not _quantization_imports():
            for name, exports in _QUANTIZATION.items():
                sys.modules.setdefault(name, _StandIn(name, exports))
    with _recursion_limit_kept():
        importlib.import_module('mmrazor.models')
    return importlib.import_module('mmrazor')
