"""What a training tells the process that started it: a file of JSON."""
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.runtime.processes import first_process

#: Exit code of a training that ended by itself, because its loss was not
#: finite.  1 is any other error.
STOPPED = 3


@dataclass(frozen=True)
class Status:
    """How far a training is.

    Attributes:
        outcome: ``'error'`` with a message for the user, ``'stopped'`` with
            one about a loss that is not finite.
        message: Of the outcome.
        epoch: The epoch that is under way, from 1.
        epochs: How many there are.
        iteration: Iterations that are done in this epoch.
        iterations: How many it has.
    """
    outcome: Literal['running', 'finished', 'error', 'stopped'] = 'running'
    message: str = ''
    epoch: int = 1
    epochs: int = 1
    iteration: int = 0
    iterations: int = 1

    @property
    def done(self) -> float:
        """Epochs that are done, with the part of the one under way."""
        return self.epoch - 1 + self.iteration / max(1, self.iterations)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return (f'epoch {self.epoch} of {self.epochs}, iteration '
                f'{self.iteration} of {self.iterations}')


def read_status(file: Path) -> Status:
    """What a training wrote last; as at its start if that cannot be read."""
    try:
        found = json.loads(file.read_text())
        return Status(**{field.name: found[field.name]
                         for field in fields(Status) if field.name in found})
    except (OSError, ValueError, TypeError):
        return Status()


def write_status(file: Path, status: Status) -> None:
    """Write it, whole or not at all."""
    if first_process():
        AtomicLocalBackend().put(json.dumps(asdict(status)).encode(), file)


@HOOKS.register_module()
class StatusHook(Hook):
    """Keep the status file of a run while it trains.

    Args:
        file (str | Path): To write.
    """

    priority = 'VERY_LOW'

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)

    def after_train_iter(self, runner: Runner, batch_idx: int,
                         data_batch: object = None,
                         outputs: object = None) -> None:
        """Write where the run is.

        Args:
            runner (Runner): Of the training.
            batch_idx (int): Iterations of the epoch before this one.
            data_batch (object): Not looked at.
            outputs (object): Not looked at.
        """
        write_status(self.file, Status(
            epoch=runner.epoch + 1, epochs=runner.max_epochs,
            iteration=batch_idx + 1,
            iterations=len(runner.train_dataloader)))


@contextmanager
def outcome_kept(file: Path | None) -> Iterator[None]:
    """Write into the status file how what is done inside ends.

    Args:
        file (Path, optional): None to keep nothing.

    Raises:
        Exception: What is raised inside, unchanged.
    """
    if file is None:
        yield
        return
    write_status(file, Status())
    try:
        yield
    except (InputError, OSError) as error:
        write_status(file, replace(read_status(file), outcome='error',
                                   message=str(error)))
        raise
    except FloatingPointError as error:
        write_status(file, replace(read_status(file), outcome='stopped',
                                   message=str(error)))
        raise
    write_status(file, replace(read_status(file), outcome='finished'))
