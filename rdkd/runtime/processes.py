"""One process or several, with or without a GPU."""
import os
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import torch
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from torch import nn

from rdkd.errors import InputError


def plain_model(model: nn.Module) -> nn.Module:
    """The model inside a wrapper for several processes, if there is one."""
    return cast(nn.Module,
                model.module if is_model_wrapper(model) else model)


def first_process() -> bool:
    """Whether this is the first of the processes that were started.

    Known from the environment, before any of them talks to another.
    """
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'


def by_first_process(what: str, work: Callable[[], None]) -> None:
    """Let the first process do what the others need not do.

    Under ``torchrun`` the others wait here for as long as it takes: waiting
    where they join it, as they do under other launchers, ends after the
    process group's timeout (by default 10 minutes with NCCL, 30 with gloo).

    Args:
        what (str): A name for it, another one each time.
        work (Callable): Does it.

    Raises:
        Exception: What ``work`` raises, in the first process.
    """
    if first_process():
        work()
    if os.environ.get('TORCHELASTIC_USE_AGENT_STORE') != 'True':
        return
    store = torch.distributed.TCPStore(
        os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']),
        is_master=False, wait_for_workers=False)
    if first_process():
        store.set(f'rdkd {what}', '')
    else:
        store.wait([f'rdkd {what}'], timedelta(days=30))


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
