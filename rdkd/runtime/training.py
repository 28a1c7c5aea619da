"""Training a config, as the options of a run say."""
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook

from rdkd.errors import InputError
from rdkd.io.lock import lock_folder
from rdkd.runtime.checks import check_splits
from rdkd.runtime.defaults import complete
from rdkd.runtime.launch import build_runner
from rdkd.runtime.processes import finish_processes, first_process
from rdkd.runtime.resume import set_resume
from rdkd.runtime.settings import check_settings


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes:
        amp: With automatic mixed precision.  Defaults to False.
        auto_scale_lr: Scale the learning rate to the actual batch size.
            Defaults to False.
        resume: A checkpoint to continue from, ``'auto'`` for the newest whole
            one in the work dir, or a new run where there is none.  Defaults
            to None, a new run.
        image_check: Look at all images first.  Defaults to True.
    """
    amp: bool = False
    auto_scale_lr: bool = False
    resume: str | None = None
    image_check: bool = True


def resolve(cfg: Config, options: TrainOptions) -> None:
    """Set in a config all that the run will use.

    Args:
        cfg (Config): Has a ``work_dir`` and a ``launcher``; is changed.
        options (TrainOptions): How to train.

    Raises:
        InputError: If the config or the machine does not allow an option.
    """
    if options.amp:
        if get_device() == 'cpu':
            raise InputError('--amp needs a GPU: mmengine trains with '
                             'mixed precision on accelerators only.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if options.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise InputError('the config has no '
                             '`auto_scale_lr.base_batch_size`, which '
                             '--auto-scale-lr needs.')
        cfg.auto_scale_lr.enable = True
    complete(cfg)


def train(cfg: Config, options: TrainOptions,
          before_start: Callable[[], None] = lambda: None,
          hooks: Sequence[Hook] = ()) -> None:
    """Check a config and its data and train.

    Args:
        cfg (Config): Has a ``work_dir`` and a ``launcher``; is changed.
        options (TrainOptions): How to train.
        before_start (Callable): Called when everything was found in order.
        hooks (Sequence[Hook]): Of this start alone: they are not in the
            config, which the run keeps.  Defaults to none.

    Raises:
        InputError: If the run cannot start, or another process trains in its
            work dir.
        FloatingPointError: If a loss is not finite.
    """
    setup_cache_size_limit_of_dynamo()
    resolve(cfg, options)
    check_settings(cfg)  # before anything is made
    with (lock_folder(Path(cfg.work_dir), 'training') if first_process()
          else nullcontext()):
        set_resume(cfg, options.resume)
        check_splits(cfg, options.image_check)
        before_start()
        runner = build_runner(cfg)
        for hook in hooks:
            runner.register_hook(hook)
        runner.train()
        finish_processes()
