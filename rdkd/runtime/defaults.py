"""What every run needs, added to its config in one place."""
from collections.abc import Sequence

from mmengine.config import Config, ConfigDict

from rdkd.detectors.inherit import type_name

#: Hooks of runs with and without a teacher.
EVERY_RUN = ('EpochSeedHook', 'FiniteLossHook', 'SameModelHook',
             'OwedEvaluationHook')


def add_imports(cfg: Config, imports: str | Sequence[str]) -> None:
    """Add modules to a config's ``custom_imports``, none of them twice.

    Args:
        cfg (Config): Changed in place.
        imports (str | Sequence[str]): As MMEngine takes them, one name or
            several.
    """
    own = cfg.get('custom_imports') or dict(allow_failed_imports=False)
    names = [name for each in (own.get('imports', []), imports)
             for name in ([each] if isinstance(each, str) else each)]
    cfg.custom_imports = dict(own, imports=list(dict.fromkeys(names)))


def complete(cfg: Config) -> Config:
    """Add the hooks, the saver and the imports that every run needs.

    - ``EpochSeedHook``: a distilled run and its baseline see the same
      batches, and a resumed run those of one that was not interrupted.
    - ``FiniteLossHook``: a loss that is not finite ends the run.
    - ``SameModelHook`` and ``OwedEvaluationHook``: a resumed run is of the
      same model and ends as one that was not interrupted.
    - ``TeacherClassesHook`` and ``DeployHook`` where there is a teacher.
    - Checkpoints are written whole or not at all (``backend='atomic'``).
    - ``custom_imports`` of this package where there is a teacher, so that
      MMDetection's own tools read the config that a run keeps.

    What the config says itself stays.  Nothing is added twice.

    Args:
        cfg (Config): Of a distillation run or of a plain detector; changed
            in place.

    Returns:
        Config: ``cfg``.
    """
    distilled = 'teacher' in cfg.get('model', {})
    needed = [*EVERY_RUN,
              *(['TeacherClassesHook', 'DeployHook'] if distilled else [])]
    hooks = cfg.get('custom_hooks') or []
    present = [type_name(hook) for hook in hooks]
    cfg.custom_hooks = [*hooks, *(
        dict(type=name) for name in needed if name not in present)]
    default = cfg.get('default_hooks') or ConfigDict()
    saver = default.get('checkpoint', ConfigDict(
        type='CheckpointHook', interval=1))
    if saver is not None:  # which is how a config saves nothing
        saver.setdefault('type', 'CheckpointHook')
        saver.setdefault('backend_args', dict(backend='atomic'))
        cfg.default_hooks = dict(default, checkpoint=saver)
    if distilled:
        add_imports(cfg, 'rdkd')
    return cfg
