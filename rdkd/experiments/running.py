"""Training models one after the other, as processes.

Every training is kept: it can be interrupted, and is not done twice.
"""
import fcntl
import subprocess
import time
from pathlib import Path
from typing import TextIO

from rdkd.errors import InputError
from rdkd.experiments.phase import Phase
from rdkd.io.checkpoint import latest_checkpoint
from rdkd.io.terminal import console, progress
from rdkd.runtime.commands import command, end_with_parent, environment
from rdkd.runtime.status import STOPPED, read_status

#: Seconds between two looks at the status of a training.
POLL = 0.2
_locks: list[TextIO] = []  # closed, and so released, with the process


class TrainingStopped(InputError):
    """A training that ended by itself, because its loss was not finite."""


def lock_run(run: Path, what: str) -> None:
    """Keep a second process out of a run until this one ends.

    Args:
        run (Path): Its folder, which is made.
        what (str): Is running there, for the message.

    Raises:
        InputError: If there is one already.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = (run / 'lock').open('w')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f'another {what} is running in {run}.') from None
    _locks.append(lock)


def is_trained(phase: Phase) -> bool:
    """Whether a training came to its end."""
    return (latest_checkpoint(phase.folder)[0] == phase.last_checkpoint()
            and read_status(phase.status).outcome == 'finished')


def train(phase: Phase) -> None:
    """Train a model, or go on with it, with a bar.

    Args:
        phase (Phase): Its config is written.

    Raises:
        TrainingStopped: If its loss is not finite.
        InputError: With what the training says, if it fails.
    """
    epochs = phase.read().train_cfg.max_epochs
    phase.status.unlink(missing_ok=True)  # of an earlier start
    with progress() as bars, phase.log.open('a') as log:
        task = bars.add_task(phase.title, total=epochs)
        process = subprocess.Popen(
            command('train', phase.config, '--resume', '--status',
                    phase.status, '--no-image-check'),  # the run's were
            stdout=log, stderr=subprocess.STDOUT, env=environment(),
            preexec_fn=end_with_parent)
        code = None
        try:
            while code is None:
                try:
                    code = process.wait(POLL)
                except subprocess.TimeoutExpired:
                    bars.update(task, completed=read_status(phase.status).done)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if code == 0:
            bars.update(task, completed=epochs)
    if code:
        told = read_status(phase.status)
        if code == STOPPED and told.outcome == 'stopped':
            raise TrainingStopped(told.message)
        if told.outcome == 'error':
            raise InputError(told.message)
        raise InputError(
            f'training failed ({phase.title}); see {phase.log}.')


def train_once(phase: Phase) -> float | None:
    """Train a model unless it is trained.

    Args:
        phase (Phase): Its config is written.

    Returns:
        float | None: The minutes it took; None if it was trained.

    Raises:
        InputError: As :func:`train`.
    """
    if is_trained(phase):
        console.print(f'  {phase.title}: trained already')
        return None
    begun = time.monotonic()
    train(phase)
    return (time.monotonic() - begun) / 60
