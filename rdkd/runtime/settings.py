"""Checking what a config says, before anything is built from it."""
import inspect
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from mmengine.config import Config
from mmengine.registry import LOOPS, MODELS, Registry, init_default_scope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader

from rdkd.algorithm import DetectorDistillation
from rdkd.arguments import SEEDS, Count, Part, Range, require
from rdkd.detectors.inherit import type_name
from rdkd.errors import InputError
from rdkd.io.config import unknown_key
from rdkd.objectives.presets import without_preset
from rdkd.runtime.resolved import registered_class

#: What MMEngine reads of a loader beside PyTorch's arguments.
_OF_LOADERS = {*inspect.signature(DataLoader).parameters,
               'num_batch_per_epoch', 'disable_subprocess_warning'}
#: Steps of a pipeline that take sizes.
_RESIZING = ('Resize', 'RandomResize', 'RandomChoiceResize')


def _parameters(cls: type) -> dict[str, bool]:
    """The arguments that a registered class takes, and which it must get.

    Where it passes ``**kwargs`` on, those of its base classes count too.
    """
    names: dict[str, bool] = {}
    for base in cls.__mro__:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(vars(base)['__init__']
                                       ).parameters.values()
        own = not names  # a base's may be given by the class itself
        for p in parameters:
            if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                names.setdefault(p.name, own and p.default is p.empty)
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    names.pop('self', None)
    return names


def _check_names(where: str, given: Collection[str], known: Collection[str]
                 ) -> None:
    for key in given:
        if key not in ('type', '_scope_') and key not in known:
            raise InputError(f'{where} has {unknown_key(key, known)}')


def _registered(where: str, part: Mapping[str, Any], registry: Registry
                ) -> Any:
    """The class that a part names, or is given in place of a name."""
    kind = part['type']
    cls = kind if isinstance(kind, type) else None
    if isinstance(kind, str):
        with registry.switch_scope_and_registry(part.get('_scope_')) as scope:
            cls = scope.get(kind)
    if cls is None:
        raise InputError(f'{where}.type: nothing is registered as {kind!r}.')
    return cls


def _class_of(where: str, part: Mapping[str, Any]) -> Any:
    return registered_class(part['type']) or _registered(where, part, MODELS)


def check_part(where: str, part: Any) -> None:
    """Refuse the config of a registered part that it could not be built from.

    Args:
        where (str): Its place in the config.
        part (Mapping): With ``type``.

    Raises:
        InputError: Names the key that is unknown, missing or has a value that
            is not allowed.
    """
    require('the config', where, part, Part)
    cls = _class_of(where, part)
    takes = _parameters(cls)
    _check_names(where, part, takes)
    given = {key: value for key, value in without_preset(
        part, cls.__init__).items() if key not in ('type', '_scope_')}
    missing = [name for name, needed in takes.items()
               if needed and name not in given]
    if missing:
        raise InputError(f'{where} ({part["type"]}) needs '
                         f'{" and ".join(missing)}.')
    check = getattr(cls.__init__, 'check', None)
    if check is not None:
        check(where, given)


def check_model(model: Mapping[str, Any]) -> None:
    """Refuse a distillation model that could not be built.

    Args:
        model (Mapping): ``cfg.model``.  Of a plain detector only the type is
            checked.

    Raises:
        InputError: As :func:`check_part`, or if MMRazor's own algorithms are
            asked for.
    """
    cls = _class_of('model', model)
    if not issubclass(cls, DetectorDistillation):
        if 'distiller' in model:
            raise InputError(
                f'model.type is {model["type"]}, which is no '
                'DetectorDistillation, the algorithm that rdkd trains. '
                'docs/coming_from_mmrazor.md says what becomes of each key '
                'of MMRazor\'s.')
        return
    check_part('model', model)
    for name in ('architecture', 'teacher'):
        if isinstance(model[name], Mapping):
            _class_of(f'model.{name}', model[name])
    check_part('model.distiller', model['distiller'])
    if model.get('response') is not None:
        check_part('model.response', model['response'])
    for name, part in (model.get('objectives') or {}).items():
        check_part(f'model.objectives.{name}', part)


def _sizes(step: Mapping[str, Any]) -> list[Any]:
    """What a step resizes to: numbers, and what should be pairs of them."""
    if 'scales' in step:
        scales = step['scales']
        return list(scales) if isinstance(scales, list) else [scales]
    scale = step.get('scale')
    if isinstance(scale, list) and any(
            isinstance(each, list | tuple) for each in scale):
        return list(scale)
    return [scale]


def _check_sizes(where: str, part: Any) -> None:
    """Refuse lists where MMCV takes tuples: JSON has no others."""
    if isinstance(part, Mapping):
        if 'type' in part and type_name(part) in _RESIZING:
            for size in _sizes(part):
                if isinstance(size, list):
                    raise InputError(
                        f'{where} has a {type_name(part)} to {size}, a list: '
                        'write it as a tuple, with round brackets, in a '
                        'config in Python.')
        part = list(part.values())
    if isinstance(part, list | tuple):
        for each in part:
            _check_sizes(where, each)


def check_loader(where: str, loader: Any) -> None:
    """Refuse a loader that could not be built.

    Args:
        where (str): Its place in the config.
        loader (Mapping): Of a data set, as MMEngine takes it.

    Raises:
        InputError: Names the key.
    """
    require('the config', where, loader, Mapping)
    _check_names(where, loader, _OF_LOADERS)
    require(where, 'dataset', loader.get('dataset'), Part)
    _check_sizes(where, loader)
    require(where, 'batch_size', loader.get('batch_size', 1), Count)
    require(where, 'num_workers', loader.get('num_workers', 0),
            Annotated[int, Range(0)])


def check_loop(loop: Mapping[str, Any]) -> None:
    """Refuse a training that could not run, or would end at once.

    Args:
        loop (Mapping): ``cfg.train_cfg``.

    Raises:
        InputError: Names the key.
    """
    if 'type' in loop:
        cls = _registered('train_cfg', loop, LOOPS)
    else:
        cls = (EpochBasedTrainLoop if loop.get('by_epoch', True)
               else IterBasedTrainLoop)
    takes = _parameters(cls)
    _check_names('train_cfg', loop,
                 {'by_epoch', *takes} - {'runner', 'dataloader'})
    for name in ('max_epochs', 'max_iters', 'val_interval', 'val_begin'):
        if takes.get(name) or name in loop:
            value = loop.get(name)
            if isinstance(value, float) and value.is_integer():
                value = int(value)  # some configs divide
            require('train_cfg', name, value, Count)


def check_settings(cfg: Config) -> None:
    """Check what a training's config says by itself.

    Args:
        cfg (Config): The run's config.

    Raises:
        InputError: At the first problem; says where it is.
    """
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    check_model(cfg.model)
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper'):
        if not cfg.get(name):
            raise InputError(f'the config has no `{name}`, which training '
                             'needs.')
    for split in ('train', 'val', 'test'):
        loader = f'{split}_dataloader'
        if cfg.get(loader):
            check_loader(loader, cfg[loader])
    check_loop(cfg.train_cfg)
    require('randomness', 'seed', (cfg.get('randomness') or {}).get('seed'),
            Annotated[int, SEEDS] | None)
