"""From a config to a runner."""
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from rdkd.runtime.defaults import complete
from rdkd.runtime.processes import prepare_processes
from rdkd.runtime.renumber_hook import RenumberHook


def student_config(cfg: Config) -> Config:
    """The plain config of the detector that a config trains.

    Args:
        cfg (Config): Of a distillation run or of a plain detector.

    Returns:
        Config: A copy in which ``model`` is the student alone, without the
        hooks that need a teacher and without a checkpoint to start from.  It
        is named apart, because a runner writes its config to the work dir,
        where that of the training run lies.
    """
    path = Path(cfg.filename or 'config.py')
    cfg = Config(cfg.to_dict(), cfg_text=cfg.text or cfg.pretty_text,
                 filename=str(path.with_name(f'{path.stem}_student.py')))
    cfg.load_from, cfg.resume = None, False
    if 'architecture' in cfg.model:
        cfg.model = cfg.model.architecture
        cfg.custom_hooks = [
            hook for hook in cfg.get('custom_hooks', [])
            if hook['type'] != 'TeacherClassesHook'
        ]
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config asks for."""
    prepare_processes(cfg)
    own = Path(cfg.filename or '')
    if own.resolve() == Path(cfg.work_dir, own.name).resolve():
        # The runner dumps what it got under this name in the work dir.
        cfg = Config(cfg.to_dict(), cfg_text=cfg.text)
    complete(cfg)
    runner = (RUNNERS.build(cfg) if 'runner_type' in cfg
              else Runner.from_cfg(cfg))
    runner.register_hook(RenumberHook())
    return runner
