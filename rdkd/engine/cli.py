"""What the command line tools share."""
import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, DictAction

from rdkd.config import load_config
from rdkd.errors import InputError


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


def config_from(args: argparse.Namespace) -> Config:
    """Read the config that the common arguments describe."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
        # The variable at the top of a config is only a name for this value.
        if 'teacher_ckpt' in args.cfg_options:
            cfg.model.teacher_ckpt = cfg.teacher_ckpt
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    return cfg


@contextmanager
def readable_errors(continue_with: str | None = None) -> Iterator[None]:
    """Print errors that are for the user without a traceback.

    Args:
        continue_with (str, optional): Said when the user interrupts.
    """
    try:
        yield
    except InputError as error:
        sys.exit(f'error: {error}')
    except FloatingPointError as error:
        sys.exit(f'stopped: {error}')
    except KeyboardInterrupt:
        print('\ninterrupted.' +
              (f' {continue_with}' if continue_with else ''), file=sys.stderr)
        sys.exit(130)
