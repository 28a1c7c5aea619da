"""Continuing a run, and never writing over one."""
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from rdkd.errors import InputError
from rdkd.io.checkpoint import (
    is_distilled,
    latest_checkpoint,
    load_checkpoint_file,
)
from rdkd.runtime.deploy_hook import BEST, LATEST
from rdkd.runtime.processes import first_process


def check_resumable(path: str, distilled: bool) -> None:
    """Check that a checkpoint can continue a run of this kind.

    Args:
        path (str): The checkpoint.
        distilled (bool): Whether the run has a distiller.

    Raises:
        InputError: If it holds no training state, or is of the other kind.
    """
    checkpoint = load_checkpoint_file(path)
    if 'optimizer' not in checkpoint or 'meta' not in checkpoint:
        setting = (f'model.student_ckpt={path}' if distilled else
                   f'load_from={path}')
        raise InputError(f'{path} holds weights but no training state: it '
                         f'cannot be resumed. Use `--cfg-options {setting}` '
                         'to start from its weights.')
    if distilled != is_distilled(checkpoint['state_dict']):
        has, wants = ('no', 'a') if distilled else ('a', 'no')
        raise InputError(f'{path} is of a run with {has} teacher and this '
                         f'config trains with {wants} teacher: it cannot be '
                         'resumed with it.')


def check_load_from(cfg: Config) -> None:
    """Refuse to start a distillation from weights that it would not take.

    Raises:
        InputError: If ``load_from`` is a plain detector's checkpoint: none of
            its keys fits, and mmengine would go on without a word.
    """
    if not cfg.get('load_from') or 'distiller' not in cfg.get('model', {}):
        return
    checkpoint = load_checkpoint_file(cfg.load_from)
    if not is_distilled(checkpoint.get('state_dict', checkpoint)):
        raise InputError(
            f'load_from={cfg.load_from} holds a plain detector, of which '
            'nothing would be loaded here. To start the student from it, use '
            f'`--cfg-options model.student_ckpt={cfg.load_from}` instead.')


def set_aside(files: Sequence[Path], work_dir: Path) -> Path:
    """Move files of an earlier start to where a new one writes nothing.

    Of several processes the first one moves.

    Args:
        files (Sequence[Path]): In ``work_dir``.
        work_dir (Path): Of the run.

    Returns:
        Path: The folder they are in now: ``earlier_1``, or the next number
        that is free.
    """
    folder = next(path for path in (
        work_dir / f'earlier_{number}' for number in itertools.count(1))
        if not path.exists())
    if first_process():
        folder.mkdir()
        for file in files:
            file.rename(folder / file.name)
    return folder


def set_resume(cfg: Config, resume: str | None) -> None:
    """Continue a run, or refuse to write over one.

    Args:
        cfg (Config): Has a ``work_dir``; ``resume`` and ``load_from`` are
            set.
        resume (str, optional): A checkpoint, ``'auto'`` for the newest whole
            one in ``work_dir`` (where there is none the run starts again,
            and what an earlier start left is set aside), None for a new run.

    Raises:
        InputError: If a new run would write over checkpoints, or what is
            resumed is not of such a run.
    """
    work_dir, distilled = Path(cfg.work_dir), 'distiller' in cfg.model
    newest, broken = latest_checkpoint(work_dir)
    students = [file for file in (work_dir / name for name in (LATEST, BEST))
                if file.exists()]
    if resume is not None and resume != 'auto':
        check_resumable(resume, distilled)
        elsewhere = Path(resume).resolve().parent != work_dir.resolve()
        if elsewhere and (newest or broken or students):
            raise InputError(
                f'{work_dir} holds checkpoints of another run than '
                f'{resume}, which would be written over. Choose another '
                '--work-dir.')
        cfg.resume, cfg.load_from = True, resume
        return
    check_load_from(cfg)
    if resume is None:
        found = [newest] if newest else [*broken, *students]
        if found:
            raise InputError(
                f'{work_dir} holds checkpoints of an earlier run '
                f'({found[0].name}). Add --resume to continue it' + (
                    '' if newest else ' (from the beginning: none of them '
                    'can be continued)') +
                ', or choose another --work-dir.')
        return
    for path in broken:
        print_log(f'{path} is cut off and is not used.', 'current',
                  logging.WARNING)
    if newest:
        check_resumable(str(newest), distilled)
        cfg.resume, cfg.load_from = True, str(newest)
    elif broken or students:
        folder = set_aside([*broken, *students], work_dir)
        print_log(
            f'{work_dir} has no checkpoint to continue from: the run starts '
            f'from the beginning. What an earlier start left is in {folder}.',
            'current', logging.WARNING)
