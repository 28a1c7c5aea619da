"""What the command line tools share."""
import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config, DictAction
from mmengine.device import get_device

from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.runtime.checks import check_config
from rdkd.runtime.launch import build_runner
from rdkd.runtime.processes import finish_processes
from rdkd.runtime.resume import set_resume


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of MMDetection's tools that train and test share."""
    parser.add_argument('--work-dir', help='folder for logs and results')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, e.g. '
        'model.teacher_ckpt=teacher.pth optim_wrapper.optimizer.lr=0.02')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none', help='how several processes were started')
    # torch.distributed.launch passes one or the other.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of MMDetection's ``tools/train.py``."""
    parser.add_argument('--amp', action='store_true',
                        help='train with automatic mixed precision')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help='scale the learning rate to the actual total batch size')
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CKPT',
        help='continue from CKPT, or without it from the newest whole '
        'checkpoint in the work dir')
    add_common_arguments(parser)


def apply_arguments(cfg: Config, args: argparse.Namespace, name: str
                    ) -> Config:
    """Set in a config what the common arguments say.

    Args:
        cfg (Config): Is changed.
        args (Namespace): Of :func:`add_common_arguments`.
        name (str): Of the folder in ``work_dirs`` if no other is given.

    Returns:
        Config: ``cfg``.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
        # The variable at the top of a config is only a name for this value.
        if 'teacher_ckpt' in args.cfg_options and 'teacher' in cfg.model:
            cfg.model.teacher_ckpt = cfg.teacher_ckpt
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', name)
    return cfg


def config_from(args: argparse.Namespace) -> Config:
    """Read the config that the common arguments describe."""
    return apply_arguments(load_config(args.config), args,
                           Path(args.config).stem)


def train(cfg: Config, args: argparse.Namespace,
          before_start: Callable[[], None] = lambda: None) -> None:
    """Check a config and its data and train, as the arguments say.

    Args:
        cfg (Config): Of :func:`apply_arguments`; is changed.
        args (Namespace): Of :func:`add_train_arguments`.
        before_start (Callable): Called when everything was found in order.

    Raises:
        InputError: If the run cannot start.
    """
    setup_cache_size_limit_of_dynamo()
    if args.amp:
        if get_device() == 'cpu':
            raise InputError('--amp needs a GPU: mmengine trains with '
                             'mixed precision on accelerators only.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise InputError('the config has no '
                             '`auto_scale_lr.base_batch_size`, which '
                             '--auto-scale-lr needs.')
        cfg.auto_scale_lr.enable = True
    set_resume(cfg, args.resume)
    check_config(cfg)
    before_start()
    build_runner(cfg).train()
    finish_processes()


@contextmanager
def readable_errors(continue_with: str | None = None) -> Iterator[None]:
    """Print errors that are for the user without a traceback.

    Args:
        continue_with (str, optional): Said when the user interrupts.
    """
    try:
        yield
    except (InputError, OSError) as error:
        sys.exit(f'error: {error}')
    except FloatingPointError as error:
        sys.exit(f'stopped: {error}')
    except KeyboardInterrupt:
        print('\ninterrupted.' +
              (f' {continue_with}' if continue_with else ''), file=sys.stderr)
        sys.exit(130)
