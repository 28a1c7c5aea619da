"""What every run needs, added to its config in one place."""
from typing import Any

from mmengine.config import Config, ConfigDict


def _name(kind: Any) -> str:
    """A registered name without its scope, of a class too."""
    return (kind if isinstance(kind, str) else kind.__name__).rpartition(
        '.')[2]


def complete(cfg: Config) -> Config:
    """Add the hooks, the saver and the imports that every run needs.

    - ``EpochSeedHook``: a distilled run and its baseline see the same
      batches, and a resumed run those of one that was not interrupted.
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
    needed = ['EpochSeedHook',
              *(['TeacherClassesHook', 'DeployHook'] if distilled else [])]
    hooks = cfg.get('custom_hooks') or []
    present = [_name(hook['type']) for hook in hooks]
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
        imports = cfg.get('custom_imports') or dict(
            allow_failed_imports=False)
        names = imports.get('imports', [])
        names = [*([names] if isinstance(names, str) else names), 'rdkd']
        cfg.custom_imports = dict(
            imports, imports=list(dict.fromkeys(names)))
    return cfg
