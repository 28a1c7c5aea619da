"""Reading config files."""
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from rdkd.errors import InputError

#: Of the names of this package's own configs.
PREFIX = 'rdkd::'


def detector_config(cfg: Config) -> ConfigDict:
    """The model of a config, as mmengine's runner would build it.

    Args:
        cfg (Config): Of a detector, or of its distillation.

    Returns:
        ConfigDict: ``cfg.model``, with a ``data_preprocessor`` that the config
        states beside the model.
    """
    model = cfg.model
    if cfg.get('data_preprocessor'):
        model = ConfigDict(
            {'data_preprocessor': cfg.data_preprocessor, **model})
    return model


def load_config(path: str) -> Config:
    """Read a config, from disk or from a package (``mmdet::...``).

    Args:
        path (str): A file's path, or ``PACKAGE::PATH`` as in MMEngine's hub,
            this package's own (``rdkd::rdkd_retinanet_r101_r50.py``) too.

    Returns:
        Config: With everything it inherits.

    Raises:
        InputError: If there is no such config, or it cannot be read.
    """
    if path.startswith(PREFIX):
        path = shipped_config(path.removeprefix(PREFIX))
    if '::' in path:
        try:
            return get_config(path)
        except (FileNotFoundError, KeyError, ValueError) as error:
            raise InputError(f'there is no config {path}: {error}') from error
    if not Path(path).is_file():
        raise InputError(f'the config {path} does not exist.')
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is code: it can raise anything
        raise InputError(f'the config {path} cannot be read: '
                         f'{type(error).__name__}: {error}') from error


def shipped_config(name: str) -> str:
    """The path of a config that is part of this package.

    Args:
        name (str): E.g. ``rdkd_retinanet_mini.py``.

    Returns:
        str: Where MMEngine's conventions look for it, in ``rdkd/.mim``.
    """
    return str(Path(__file__).parents[1] / '.mim' / 'configs' / name)


def without_downloads(part: Any) -> None:
    """Take the pretrained weights out of a model's config, in place."""
    if isinstance(part, dict):
        if 'Pretrained' in str(part.get('init_cfg')):
            part['init_cfg'] = None
        for value in part.values():
            without_downloads(value)
