"""Reading config files, and overriding their settings."""
import difflib
import inspect
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.runner import Runner

from rdkd.arguments import Part, require
from rdkd.errors import InputError

#: Of the names of this package's own configs.
PREFIX = 'rdkd::'

#: What is read of a config by MMEngine's runner, MMDetection and this package.
_READ = {*inspect.signature(Runner).parameters, 'model_wrapper_cfg',
         'find_unused_parameters', 'sync_bn', 'activation_checkpointing',
         'efficient_conv_bn_eval', 'compile', 'custom_imports', 'runner_type',
         'tta_model', 'tta_pipeline'} - {'cfg'}
#: What some of that has to be, where it is given.
_KINDS: dict[str, Any] = {
    **dict.fromkeys(
        (*(f'{split}_{part}' for split in ('train', 'val', 'test')
           for part in ('dataloader', 'cfg')), 'optim_wrapper',
         'default_hooks', 'env_cfg', 'log_processor', 'visualizer',
         'randomness', 'auto_scale_lr', 'data_preprocessor',
         'custom_imports'), Mapping),
    **dict.fromkeys(('val_evaluator', 'test_evaluator', 'param_scheduler'),
                    Mapping | Sequence[Mapping]),
    'custom_hooks': Sequence[Part],
    **dict.fromkeys(('work_dir', 'load_from', 'default_scope', 'log_level'),
                    str),
    'resume': bool}


def unknown_key(key: str, known: Collection[str]) -> str:
    """What a message says of a key that nothing reads.

    Args:
        key (str): The key.
        known (Collection[str]): Those that are read.

    Returns:
        str: The nearest one, if any is near, and all.
    """
    near = difflib.get_close_matches(key, known, 1)
    return (f'the unknown key {key!r}' +
            (f'; did you mean {near[0]!r}?' if near else '.') +
            f' Known are: {", ".join(sorted(known))}.')


def check_kinds(cfg: Config, source: str) -> None:
    """Refuse a config of no detector, and entries that no run could read.

    Args:
        cfg (Config): Any.
        source (str): Where it is from, for the message.

    Raises:
        InputError: If it has no ``model`` with a ``type``, or names an entry
            of the wrong kind.
    """
    model = cfg.get('model')
    if not isinstance(model, Mapping) or 'type' not in model:
        raise InputError(f'{source} has no `model` with a `type`: it is no '
                         'config of a detector.')
    for name, kind in _KINDS.items():
        require(source, name, cfg.get(name), kind | None)


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Override settings of a config.

    Args:
        cfg (Config): Is changed.
        options (Mapping, optional): Of ``--cfg-options``.  ``teacher_ckpt`` is
            an old name of ``model.teacher_ckpt``, with a warning.

    Raises:
        InputError: If there is no such place in the config, or nothing would
            read the setting.
    """
    options = dict(options or {})
    if 'teacher_ckpt' in options and 'teacher' in cfg.model:
        warnings.warn('--cfg-options teacher_ckpt=FILE is deprecated: write '
                      'model.teacher_ckpt=FILE.', FutureWarning, stacklevel=2)
        options['model.teacher_ckpt'] = options.pop('teacher_ckpt')
    known = _READ | set(cfg)
    for name, value in options.items():
        key = name.split('.')[0]
        if key not in known:
            raise InputError(f'--cfg-options {name} has '
                             f'{unknown_key(key, known)}')
        try:
            cfg.merge_from_dict({name: value})
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise InputError(f'--cfg-options {name}: the config has no such '
                             f'place ({error}).') from error
    check_kinds(cfg, 'the config with these --cfg-options')


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
        InputError: If there is no such config, it cannot be read or is of
            no detector.
    """
    if path.startswith(PREFIX):
        path = shipped_config(path.removeprefix(PREFIX))
    cfg = _read(path)
    check_kinds(cfg, path)
    return cfg


def _read(path: str) -> Config:
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
