"""Training models one after the other, as processes.

Every training is kept: it can be interrupted, and is not done twice.
"""
import time
from pathlib import Path
from typing import TextIO

from rdkd.experiments.phase import Phase
from rdkd.io.checkpoint import latest_checkpoint
from rdkd.io.lock import lock_folder
from rdkd.io.terminal import console, progress
from rdkd.runtime.commands import run_command
from rdkd.runtime.status import read_status

_locks: list[TextIO] = []  # closed, and so released, with the process


def lock_run(run: Path, what: str) -> None:
    """Keep a second process out of a run until this one ends.

    Args:
        run (Path): Its folder, which is made.
        what (str): Is running there, for the message.

    Raises:
        InputError: If there is one already.
    """
    _locks.append(lock_folder(run, what))


def is_trained(phase: Phase) -> bool:
    """Whether a training came to its end."""
    return (latest_checkpoint(phase.folder)[0] == phase.last_checkpoint()
            and read_status(phase.status).outcome == 'finished')


def train(phase: Phase) -> None:
    """Train a model, or go on with it, and show how far it is.

    Args:
        phase (Phase): Its config is written.

    Raises:
        TrainingStopped: If its loss is not finite.
        ChildFailed: If it fails otherwise.
    """
    epochs = phase.read().train_cfg.max_epochs
    phase.status.unlink(missing_ok=True)  # of an earlier start
    with progress() as bars:
        task = bars.add_task(phase.title, total=epochs)

        def watch() -> None:
            now = read_status(phase.status)
            if now.iteration:
                bars.update(task, completed=now.done,
                            description=f'{phase.title}, {now.place}')

        run_command('train', phase.config, '--resume', '--status',
                    phase.status, '--no-image-check',  # the run's were
                    about=phase.title, log=phase.log, watch=watch,
                    told=lambda: read_status(phase.status).message)
        bars.update(task, completed=epochs, description=phase.title)


def train_once(phase: Phase) -> float | None:
    """Train a model unless it is trained.

    Args:
        phase (Phase): Its config is written.

    Returns:
        float | None: The minutes it took; None if it was trained.

    Raises:
        ChildFailed: As :func:`train`.
    """
    if is_trained(phase):
        console.print(f'  {phase.title}: trained already')
        return None
    begun = time.monotonic()
    train(phase)
    return (time.monotonic() - begun) / 60
