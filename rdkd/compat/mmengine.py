"""Everything of MMEngine's that rdkd replaces, and putting it back.

:func:`install`, which ``import rdkd`` calls, replaces

===============================================  =============================
What                                             by
===============================================  =============================
``CheckpointLoader._schemes``: local files       an allowlist of types instead
                                                 of unpickling
the same: ``http://``, ``https://``              likewise, and whole downloads
the same: ``pavi://``, ``s3://``, ``petrel://``  a refusal: only MMEngine's
                                                 unpickling loaders read these
the same: ``torchvision://``, ``modelzoo://``,   :mod:`rdkd.io.model_zoo`, the
``open-mmlab://``, ``openmmlab://``,             same names read with the
``mmcls://``                                     allowlist
``fileio.backends`` ``['atomic']`` (added)       files that are whole or absent
``Config._get_cfg_path``                         the same, and
                                                 ``_base_ = ['rdkd::NAME.py']``
``hub.hub._get_package_and_cfg_path``,           the same, and
``.install_package``, ``.get_installed_path``    ``get_config('rdkd::NAME.py')``
===============================================  =============================

and :func:`uninstall` restores what was there.
"""
from collections.abc import Callable
from functools import wraps
from typing import Any

from mmengine.config import Config
from mmengine.fileio.backends.registry_utils import backends
from mmengine.hub import hub
from mmengine.runner import CheckpointLoader

from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.checkpoint import load_from_url, load_local, refuse_store
from rdkd.io.config import PACKAGE, PREFIX, shipped_config
from rdkd.io.model_zoo import ZOOS, load_from_zoo

_SCHEMES: dict[str, Callable[..., dict[str, Any]]] = {
    '': load_local,
    'http://': load_from_url,
    'https://': load_from_url,
    'pavi://': refuse_store,
    r'(\S+\:)?s3://': refuse_store,
    r'(\S+\:)?petrel://': refuse_store,
    **{f'{zoo}://': load_from_zoo for zoo in ZOOS},
}

#: What undoes each replacement.
_undo: list[Callable[[], Any]] = []


def _enter(table: Callable[[], dict[str, Any]], key: str, value: Any) -> None:
    """Set one entry of a table of MMEngine's."""
    there, before = key in table(), table().get(key)
    table()[key] = value
    _undo.append(lambda: table().update({key: before}) if there
                 else table().pop(key, None))


def _answer(owner: Any, function: str, mine: Callable[[str], bool],
            answer: Callable[[str], Any]) -> None:
    """Answer in a function's place where its first argument is rdkd's."""
    before = vars(owner).get(function)  # a static method as such
    if before is None:  # another release; `rdkd::` is no name there
        return
    original = getattr(owner, function)

    @wraps(original)
    def replaced(name: str, *args: Any, **kwargs: Any) -> Any:
        return answer(name) if mine(name) else original(name, *args, **kwargs)

    setattr(owner, function, staticmethod(replaced)
            if isinstance(before, staticmethod) else replaced)
    _undo.append(lambda: setattr(owner, function, before))


def install() -> None:
    """Replace what the module's docstring lists; a second call does nothing.
    """
    if _undo:
        return
    for prefix, loader in _SCHEMES.items():
        _enter(lambda: CheckpointLoader._schemes, prefix, loader)
    _enter(lambda: backends, 'atomic', AtomicLocalBackend)

    def is_config(name: str) -> bool:
        return name.startswith(PREFIX)

    def is_package(name: str) -> bool:
        return name == PACKAGE.name

    def in_package(name: str) -> tuple[str, str]:
        shipped_config(name)  # says which there are
        return PACKAGE.name, name.removeprefix(PREFIX)

    # No scope: a shipped config states its own, as a user's file does.
    _answer(Config, '_get_cfg_path', is_config,
            lambda name: (shipped_config(name), None))
    _answer(hub, '_get_package_and_cfg_path', is_config, in_package)
    _answer(hub, 'install_package', is_package, lambda name: None)
    _answer(hub, 'get_installed_path', is_package, lambda name: str(PACKAGE))


def uninstall() -> None:
    """Put back what :func:`install` replaced, and nothing else."""
    while _undo:
        _undo.pop()()
