"""Continuing a run, and never writing over one."""
import logging
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from rdkd.errors import InputError
from rdkd.io.checkpoint import (
    is_distilled,
    latest_checkpoint,
    load_checkpoint_file,
)


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


def set_resume(cfg: Config, resume: str | None) -> None:
    """Continue a run, or refuse to write over one.

    Args:
        cfg (Config): Has a ``work_dir``; ``resume`` and ``load_from`` are
            set.
        resume (str, optional): A checkpoint, ``'auto'`` for the newest whole
            one in ``work_dir``, None for a new run.

    Raises:
        InputError: If a new run would write over checkpoints, there are only
            broken ones to continue from, or ``resume`` is not of such a run.
    """
    newest, broken = latest_checkpoint(cfg.work_dir)
    if resume is not None and resume != 'auto':
        check_resumable(resume, distilled='distiller' in cfg.model)
        elsewhere = Path(resume).resolve().parent != Path(
            cfg.work_dir).resolve()
        if elsewhere and (newest or broken):
            raise InputError(
                f'{cfg.work_dir} holds checkpoints of another run than '
                f'{resume}, which would be written over. Choose another '
                '--work-dir.')
        cfg.resume, cfg.load_from = True, resume
        return
    check_load_from(cfg)
    deployed = sorted(Path(cfg.work_dir).glob('student_*.pth'))
    if resume is None:
        found = [newest] if newest else [*broken, *deployed]
        if found:
            raise InputError(
                f'{cfg.work_dir} holds checkpoints of an earlier run '
                f'({found[0].name}). Add --resume to continue it, or choose '
                'another --work-dir.')
        return
    for path in broken:
        print_log(f'{path} is cut off and is not used.', 'current',
                  logging.WARNING)
    if newest is None and broken:
        raise InputError(
            f'no checkpoint in {cfg.work_dir} is whole. Remove '
            f'{", ".join(path.name for path in broken)} to start again.')
    if newest is None and deployed:
        raise InputError(
            f'{cfg.work_dir} holds {deployed[0].name} of an earlier run but '
            'no checkpoint to continue it from. Choose another --work-dir.')
    if newest:
        cfg.resume, cfg.load_from = True, str(newest)
