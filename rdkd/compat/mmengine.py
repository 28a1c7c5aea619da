"""What this package replaces in MMEngine, and how to undo it.

``import rdkd`` calls :func:`install`, which

- reads checkpoints with an allowlist of types, in the place of loaders that
  unpickle anything: local files, ``http(s)://``, ``torchvision://`` and
  OpenMMLab's names; ``pavi://``, ``s3://`` and ``petrel://`` are refused
  (``CheckpointLoader``);
- registers the file backend ``'atomic'``, which writes files whole or not at
  all;
- lets ``rdkd::NAME.py`` stand for a config of this package, as
  ``mmdet::NAME.py`` does for one of MMDetection, in ``_base_`` and in
  ``mmengine.hub.get_config``.

:func:`uninstall` puts all of it back as it was.
"""
from typing import Any

from mmengine import hub
from mmengine.config import Config
from mmengine.fileio import io, register_backend
from mmengine.fileio.backends import registry_utils
from mmengine.runner import CheckpointLoader

from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.checkpoint import load_from_url, load_local, refuse_store
from rdkd.io.config import PREFIX, shipped_config
from rdkd.io.model_zoo import ZOOS, load_from_zoo

#: By the beginnings of the names that they load.
_LOADERS: dict[Any, Any] = {
    ('', ): load_local,
    ('http://', 'https://'): load_from_url,
    ('pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://'): refuse_store,
    tuple(f'{zoo}://' for zoo in ZOOS): load_from_zoo,
}
#: What was there before, to be put back.
_before: dict[str, Any] = {}


def _get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
    """``Config._get_cfg_path``: where a file of ``_base_`` is, and its scope.
    """
    if cfg_path.startswith(PREFIX):
        return shipped_config(cfg_path.removeprefix(PREFIX)), None
    return _before['get_cfg_path'](cfg_path, filename)


def _get_config(cfg_path: str, pretrained: bool = False) -> Config:
    """``mmengine.hub.get_config``."""
    if cfg_path.startswith(PREFIX):
        return Config.fromfile(shipped_config(cfg_path.removeprefix(PREFIX)))
    return _before['get_config'](cfg_path, pretrained)


def install() -> None:
    """Replace what the module's docstring lists; once."""
    if _before:
        return
    _before.update(
        schemes=dict(CheckpointLoader._schemes),
        get_cfg_path=Config._get_cfg_path, get_config=hub.get_config)
    for prefixes, loader in _LOADERS.items():
        CheckpointLoader.register_scheme(prefixes=prefixes, loader=loader,
                                         force=True)
    register_backend('atomic', AtomicLocalBackend, force=True)
    Config._get_cfg_path = staticmethod(_get_cfg_path)
    for module in (hub, hub.hub):
        module.get_config = _get_config


def uninstall() -> None:
    """Put everything back."""
    if not _before:
        return
    schemes = _before['schemes']
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if loader in _LOADERS.values():
            del CheckpointLoader._schemes[prefix]
            if prefix in schemes:
                CheckpointLoader.register_scheme(prefix, schemes[prefix])
    registry_utils.backends.pop('atomic')
    for key, backend in list(io.backend_instances.items()):
        if isinstance(backend, AtomicLocalBackend):
            del io.backend_instances[key]
    Config._get_cfg_path = staticmethod(_before['get_cfg_path'])
    for module in (hub, hub.hub):
        module.get_config = _before['get_config']
    _before.clear()
