"""What the commands share: flags, and errors that are for people."""
import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from rdkd.arguments import Range
from rdkd.errors import InputError
from rdkd.io.config import load_config, merge_options
from rdkd.runtime.status import STOPPED


class _Options(DictAction):
    """MMEngine's ``KEY=VALUE``; what is none ends in a usage message."""

    def __call__(self, parser: argparse.ArgumentParser,
                 namespace: argparse.Namespace, values: Any,
                 option_string: str | None = None) -> None:
        for text in values:
            key, equals, _ = text.partition('=')
            if not (key and equals):
                raise argparse.ArgumentError(
                    self, f'{text} is not KEY=VALUE')
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:  # of brackets that do not close
            raise argparse.ArgumentError(self, str(error)) from error


def whole(allowed: Range) -> Callable[[str], int]:
    """What reads a flag's whole number.

    Args:
        allowed (Range): The numbers that are accepted.
    """
    def read(text: str) -> int:
        with suppress(ValueError):
            if allowed.holds(int(text)):
                return int(text)
        raise argparse.ArgumentTypeError(
            f'{text} is not a whole number {allowed}')
    return read


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=_Options, metavar='KEY=VALUE',
        help='override settings of the config, e.g. '
        'model.teacher_ckpt=teacher.pth optim_wrapper.optimizer.lr=0.02')


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that the commands to train and to test share."""
    parser.add_argument('--work-dir', help='folder for logs and results')
    add_config_options(parser)
    parser.add_argument(
        '--no-image-check', dest='image_check', action='store_false',
        help='do not decode all images before the start (what was decoded '
        'once is remembered in the work dir, and read again only when its '
        'file changes)')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none', help='how several processes were started')
    # torch.distributed.launch passes one or the other.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)


def set_work_dir(cfg: Config, name: str) -> None:
    """Set the work dir of a config that has none.

    Args:
        cfg (Config): Is changed.
        name (str): Of the folder in ``work_dirs``.
    """
    if cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', name)


def apply_arguments(cfg: Config, args: argparse.Namespace, name: str) -> None:
    """Set in a config what the flags of :func:`add_run_arguments` say.

    Args:
        cfg (Config): Is changed.
        args (Namespace): With these flags.
        name (str): Of the folder in ``work_dirs`` if no other is given.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    merge_options(cfg, args.cfg_options)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    set_work_dir(cfg, name)


def config_from(args: argparse.Namespace) -> Config:
    """Read the config that ``args.config`` and the other flags describe."""
    cfg = load_config(args.config)
    apply_arguments(cfg, args, Path(args.config).stem)
    return cfg


def _interrupted(error: BaseException | None) -> bool:
    """Whether an exception is of Ctrl-C.

    MMEngine makes a SyntaxError of any that comes while it formats a config.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


@contextmanager
def readable_errors(continue_with: str | None = None) -> Iterator[None]:
    """Print errors that are for the user without a traceback.

    Args:
        continue_with (str, optional): Told when the user interrupts, or the
            process is asked to end.
    """
    # torchrun and Slurm end a process that hangs in a collective by SIGTERM,
    # which Python would not get to handle.
    ends = {} if 'RANK' in os.environ else {
        signal.SIGTERM: signal.signal(signal.SIGTERM,
                                      signal.default_int_handler)}
    try:
        yield
    except (InputError, OSError) as error:
        sys.exit(f'error: {error}')
    except FloatingPointError as error:
        print(f'stopped: {error}', file=sys.stderr)
        sys.exit(STOPPED)
    except BaseException as error:
        if not _interrupted(error):
            raise
        print('\ninterrupted.' +
              (f' {continue_with}' if continue_with else ''), file=sys.stderr)
        sys.exit(130)
    finally:
        for number, handler in ends.items():
            signal.signal(number, handler)
