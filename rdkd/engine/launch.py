"""From a config to a runner, on one process or several, with or without GPU.
"""
import logging
import os
from pathlib import Path
from typing import cast

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from rdkd.checkpoint import (
    is_distilled,
    latest_checkpoint,
    load_checkpoint_file,
)
from rdkd.errors import InputError


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


def plain_model(model: nn.Module) -> nn.Module:
    """The model inside a wrapper for several processes, if there is one."""
    return cast(nn.Module,
                model.module if is_model_wrapper(model) else model)


def first_process() -> bool:
    """Whether this is the first of the processes that were started.

    Known from the environment, before any of them talks to another.
    """
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'


def prepare_processes(cfg: Config) -> None:
    """Let several processes run without a GPU.

    With a launcher mmengine selects a CUDA device and hands it to DDP.
    Without CUDA the gloo process group is made here instead, before the
    runner looks for one, and DDP gets no device.

    Args:
        cfg (Config): Its ``model_wrapper_cfg`` is set.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    if cfg.launcher == 'slurm':
        for name, slurm in (('RANK', 'SLURM_PROCID'),
                            ('LOCAL_RANK', 'SLURM_LOCALID'),
                            ('WORLD_SIZE', 'SLURM_NTASKS')):
            os.environ[name] = os.environ[slurm]
        os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
        os.environ.setdefault('MASTER_PORT', '29500')
    elif cfg.launcher != 'pytorch':
        raise InputError(f'the launcher {cfg.launcher} needs a GPU; use '
                         '`--launcher pytorch` on this machine.')
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False))


def finish_processes() -> None:
    """Leave the process group together, at the end of a run.

    A process that ends while another still talks to it makes gloo abort.
    """
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


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


def add_hooks(cfg: Config, *names: str) -> None:
    """Append the custom hooks that a config has not.

    Args:
        cfg (Config): Its ``custom_hooks`` are set.
        names (str): Registered names, of hooks that need no argument.
    """
    hooks = cfg.get('custom_hooks') or []
    present = [hook['type'] for hook in hooks]
    cfg.custom_hooks = [*hooks, *(
        dict(type=name) for name in names if name not in present)]


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config asks for."""
    prepare_processes(cfg)
    own = Path(cfg.filename or '')
    if own.resolve() == Path(cfg.work_dir, own.name).resolve():
        # The runner dumps what it got under this name in the work dir.
        cfg = Config(cfg.to_dict(), cfg_text=cfg.text)
    # A distilled run and its baseline see the same batches.
    add_hooks(cfg, 'EpochSeedHook')
    if 'teacher' in cfg.model:
        add_hooks(cfg, 'TeacherClassesHook')
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return Runner.from_cfg(cfg)
