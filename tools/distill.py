"""Distil any detector of MMDetection into any other.

STUDENT_CONFIG and TEACHER_CONFIG are plain MMDetection configs, files or
packaged ones (mmdet::...).  The complete distillation config is written to
the work dir; edit it and train it with tools/train.py for more.
"""
import argparse
from pathlib import Path

from mmengine.config import Config

from rdkd.cli.common import (
    add_train_arguments,
    apply_arguments,
    readable_errors,
    train,
)
from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.runtime.plan import make_plan
from rdkd.runtime.processes import first_process


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('student_config')
    parser.add_argument('teacher_config')
    parser.add_argument('teacher_checkpoint')
    add_train_arguments(parser)
    args = parser.parse_args()
    with readable_errors('Continue with --resume.'):
        plan = make_plan(args.student_config, args.teacher_config,
                         args.teacher_checkpoint)
        name = (f'{Path(args.student_config).stem}_from_'
                f'{Path(args.teacher_config).stem}')
        plan.config.pop('work_dir', None)
        cfg = apply_arguments(plan.config, args, name)
        path = Path(cfg.work_dir, f'{name}.py')
        if first_process():
            print(plan.summary())
        text = Config({key: value for key, value in cfg.to_dict().items()
                       if key != 'launcher'}).pretty_text
        check_written(text, path)
        cfg = Config(cfg.to_dict(), cfg_text=text, filename=str(path))
        train(cfg, args, before_start=lambda: write(text, path))


if __name__ == '__main__':
    main()
