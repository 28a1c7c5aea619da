"""A config with the defaults of every registered part written out."""
import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from rdkd.objectives.presets import without_preset

#: Detectors of MMDetection: their configs say all that they are.
_DETECTORS = ('architecture', 'teacher', 'data_preprocessor')


def registered_class(kind: Any) -> Any:
    """The class of a registered model part, None if there is none.

    MMRazor's parts need no prefix.  A class stands for itself.
    """
    if not isinstance(kind, str):
        return kind if isinstance(kind, type) else None
    return MODELS.get(kind) or MODELS.get(f'mmrazor.{kind}')


def with_defaults(part: Mapping[str, Any]) -> dict[str, Any]:
    """Type and arguments of a registered part, its defaults filled in.

    Args:
        part (Mapping): Config of a distillation model or of an objective,
            with ``type``; a ``preset`` is replaced by what it stands for.

    Returns:
        dict: The same part, every argument stated.

    Raises:
        InputError: If there is no such preset.
    """
    init = registered_class(part['type']).__init__
    settings = without_preset(part, init)
    stated = {name: parameter.default for name, parameter in
              inspect.signature(init).parameters.items()
              if parameter.default is not inspect.Parameter.empty
              and name != 'preset'}
    return {name: value if name in _DETECTORS else _nested(value)
            for name, value in {**settings, **stated, **settings}.items()}


def _nested(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if 'type' in value and registered_class(value['type']) is not None:
        return with_defaults(value)
    return {key: _nested(each) for key, each in value.items()}


def spell_out(cfg: Config) -> Config:
    """A copy of a config whose distillation model states every argument.

    Args:
        cfg (Config): Of a distillation run or of a plain detector, which is
            returned as it is.
    """
    if 'teacher' not in cfg.model:
        return cfg
    return Config(dict(cfg.to_dict(),
                       model=with_defaults(cfg.model.to_dict())))
