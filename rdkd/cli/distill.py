"""Distill any detector of MMDetection into any other.

STUDENT_CONFIG and TEACHER_CONFIG are plain MMDetection configs, files or
packaged ones (mmdet::...).  The complete distillation config is written to
the work dir; edit it and train it with tools/train.py (rdkd train) for more.
"""
import argparse
from pathlib import Path

from mmengine.config import Config

from rdkd.cli.common import apply_arguments
from rdkd.cli.train import add_train_arguments, options_from
from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.runtime.plan import make_plan
from rdkd.runtime.processes import first_process
from rdkd.runtime.settings import check_settings
from rdkd.runtime.training import train

CONTINUE_WITH = 'Start the same command with --resume to go on.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('student_config',
                        help='of the plain student, with data and schedule')
    parser.add_argument('teacher_config', help='of the plain teacher')
    parser.add_argument('teacher_checkpoint', help='file or URL')
    add_train_arguments(parser)


def check_written(text: str, path: Path) -> None:
    """Refuse to write over another config.

    Raises:
        InputError: If there is one.
    """
    if path.is_file() and path.read_text() != text:
        raise InputError(
            f'{path} exists and differs from what these arguments give. '
            f'Train it as it is with `python tools/train.py {path}` (and '
            '--resume to continue), or choose another --work-dir.')


def write(text: str, path: Path) -> None:
    """Write the config, whole or not at all."""
    if first_process() and not path.is_file():
        AtomicLocalBackend().put(text.encode(), path)


def run(args: argparse.Namespace) -> None:
    """Make the config and train it."""
    plan = make_plan(args.student_config, args.teacher_config,
                     args.teacher_checkpoint)
    name = (f'{Path(args.student_config).stem}_from_'
            f'{Path(args.teacher_config).stem}')
    cfg = plan.config
    cfg.pop('work_dir', None)
    apply_arguments(cfg, args, name)
    check_settings(cfg)
    path = Path(cfg.work_dir, f'{name}.py')
    if first_process():
        print(plan.summary())
    text = Config({key: value for key, value in cfg.to_dict().items()
                   if key != 'launcher'}).pretty_text
    check_written(text, path)
    train(Config(cfg.to_dict(), cfg_text=text, filename=str(path)),
          options_from(args), before_start=lambda: write(text, path))
