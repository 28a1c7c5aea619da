"""Reading config files."""
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config

from rdkd.errors import InputError

#: The folder of the package, and how its configs are named.
PACKAGE = Path(__file__).resolve().parent.parent
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


def shipped_config(name: str) -> str:
    """Path of a config that the package brings.

    Args:
        name (str): Below ``configs/``, with or without ``rdkd::`` before it:
            ``rdkd::rdkd_retinanet_r101_r50.py``.

    Returns:
        str: The path.

    Raises:
        FileNotFoundError: If there is no such config; lists those there are.
    """
    folder = PACKAGE / '.mim' / 'configs'
    path = folder / name.removeprefix(PREFIX)
    if not path.is_file():
        there = sorted(str(file.relative_to(folder))
                       for file in folder.rglob('*.py'))
        raise FileNotFoundError(
            f'rdkd has no config {name}; there are: {", ".join(there)}.')
    return str(path)


def load_config(path: str) -> Config:
    """Read a config, from disk or from a package.

    Args:
        path (str): A file's path, or ``PACKAGE::PATH`` as in MMEngine's hub:
            ``mmdet::...``, ``rdkd::...``.

    Returns:
        Config: With everything it inherits.

    Raises:
        InputError: If there is no such config, or it cannot be read.
    """
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


def without_downloads(part: Any) -> None:
    """Take the pretrained weights out of a model's config, in place."""
    if isinstance(part, dict):
        if 'Pretrained' in str(part.get('init_cfg')):
            part['init_cfg'] = None
        for value in part.values():
            without_downloads(value)
