"""What long work shows while it runs: a bar, or lines without a terminal."""
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

#: Seconds between two lines where there is no terminal.
INTERVAL = 20.0
#: Seconds over which the speed is taken.
_SPEED_OVER = 120.0
console = Console()
Item = TypeVar('Item')


def _time(seconds: float) -> str:
    """``h:mm:ss``."""
    return str(timedelta(seconds=int(seconds)))


def line(task: Task) -> str:
    """What a task is, how far and how long it still takes, in plain words.

    Args:
        task (Task): Of a :class:`rich.progress.Progress`.
    """
    elapsed = _time(task.elapsed or 0)
    if task.finished:
        return f'  {task.description}: done in {elapsed}'
    if task.total is None:
        return f'  {task.description}: {elapsed} so far'
    left = task.time_remaining
    return (f'  {task.description}: {task.percentage:.0f}%, {elapsed} so far'
            + (f', about {_time(left)} left' if left is not None else ''))


class _Lines(Progress):
    """Prints lines: for log files, ssh without a terminal and CI.

    Args:
        to (Console): Where to.
        transient (bool): Whether nothing remains to be said at the end.
    """

    def __init__(self, to: Console, transient: bool) -> None:
        # rich's own display, which moves the cursor, is off.
        super().__init__(console=to, disable=True, auto_refresh=False,
                         speed_estimate_period=_SPEED_OVER)
        self._transient = transient
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _print(self, task: Task) -> None:
        self.console.print(line(task), soft_wrap=True, markup=False,
                           highlight=False)

    def _run(self) -> None:
        while not self._ended.wait(INTERVAL):
            for task in self.tasks:
                if not task.finished:
                    self._print(task)

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def stop(self) -> None:
        """Print what is done, and no more."""
        self._ended.set()
        self._thread.join()
        if not self._transient:
            for task in self.tasks:
                if task.finished:
                    self._print(task)


def progress(to: Console = console, transient: bool = False) -> Progress:
    """How far work is and how long it takes still.

    A bar in a terminal; elsewhere a line for every task each
    :data:`INTERVAL`, and one when it is done.

    Args:
        to (Console): Where it is shown.  Defaults to standard output.
        transient (bool): Leave nothing behind at the end.  Defaults to False.

    Returns:
        Progress: A context; tasks are added and updated as rich says.
    """
    if not to.is_interactive:
        return _Lines(to, transient)
    return Progress(TextColumn('  {task.description}'), BarColumn(),
                    TextColumn('{task.percentage:>3.0f}%'),
                    TimeElapsedColumn(), TextColumn('left:'),
                    TimeRemainingColumn(), console=to, transient=transient,
                    speed_estimate_period=_SPEED_OVER)


def track(items: Iterable[Item], description: str,
          total: int | None = None, transient: bool = False
          ) -> Iterator[Item]:
    """Show how far an iteration is.

    Args:
        items (Iterable): What to iterate over.
        description (str): What is done.
        total (int, optional): How many there are.  Defaults to their length.
        transient (bool): As :func:`progress` has it.  Defaults to False.

    Yields:
        Each item.
    """
    with progress(transient=transient) as bars:
        yield from bars.track(items, total=total, description=description)


@contextmanager
def busy(description: str, to: Console = console) -> Iterator[None]:
    """Show that something is under way whose length is not known.

    Args:
        description (str): What is done.
        to (Console): Where it is shown.  Defaults to standard output.
    """
    with progress(to, transient=True) as bars:
        bars.add_task(description, total=None)
        yield
