"""Running commands of this program as processes of their own."""
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import rdkd
from rdkd.errors import InputError
from rdkd.runtime.status import STOPPED

#: Seconds between two looks at a child process.
POLL = 0.2
#: Lines of a log that are shown when a child process fails.
_SHOWN = 15


class ChildFailed(InputError):
    """A command that failed in a process of its own.

    Args:
        what (str): What failed.
        why (str): What the command itself told, or its exit code.
        log (Path): What it wrote.
        end (str): The last lines of that; empty for none.
    """

    def __init__(self, what: str, why: str, log: Path, end: str) -> None:
        shown = f'. Its last lines:\n{end}' if end else '.'
        super().__init__(f'{what} failed: {why}\nThe log is {log}{shown}')
        self.why = why


class TrainingStopped(ChildFailed):
    """A training that ended by itself, because its loss was not finite."""


def command(name: str, *arguments: str | Path) -> list[str]:
    """The command line of ``rdkd NAME ARGUMENTS`` with this Python."""
    return [sys.executable, '-m', 'rdkd', name, *map(str, arguments)]


def environment() -> dict[str, str]:
    """The environment in which a child finds this very package.

    Threads that wait for each other spin for less than the usual time and
    then sleep, unless the user has set how they wait.  On two cores where
    something else runs too, a training step takes about half to two thirds of
    the time that way; where nothing does, the same within 6 %.  With
    ``OMP_WAIT_POLICY=PASSIVE``, which never spins, it would take 1.5 times as
    long there, and with one thread 1.6 to 1.9 times.
    """
    paths = [str(Path(rdkd.__file__).resolve().parent.parent),
             *filter(None, [os.environ.get('PYTHONPATH')])]
    waiting = ({} if 'OMP_WAIT_POLICY' in os.environ else
               {'GOMP_SPINCOUNT': '10000'})
    return {**waiting, **os.environ, 'PYTHONPATH': os.pathsep.join(paths),
            'PYTHONUNBUFFERED': '1'}


def end_with_parent() -> None:
    """Let a child process end when this one is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _why(code: int) -> str:
    """What an exit code means."""
    if code >= 0:
        return f'exit code {code}'
    hint = '; most often the machine ran out of memory' if (
        -code == signal.SIGKILL) else ''
    return f'killed by signal {-code}{hint}'


def run_command(name: str, *arguments: str | Path, about: str, log: Path,
                watch: Callable[[], object] = lambda: None,
                told: Callable[[], str] = lambda: '') -> None:
    """Run one of the commands; what it says goes to a log.

    Args:
        name (str): Of :data:`rdkd.cli.main.COMMANDS`.
        *arguments: Its command line.
        about (str): What it is run for, for the message.
        log (Path): Is appended to.
        watch (Callable): Called every :data:`POLL` seconds until it ends.
            Defaults to nothing.
        told (Callable): The message for people of a command that failed;
            empty for none.  Defaults to that.

    Raises:
        TrainingStopped: If a training ended because its loss is not finite.
        ChildFailed: If it failed; names the log and shows its end.
    """
    with log.open('ab') as file:
        begun = file.tell()
        process = subprocess.Popen(
            command(name, *arguments), stdout=file, stderr=subprocess.STDOUT,
            env=environment(), preexec_fn=end_with_parent)
        code = None
        try:
            while code is None:
                try:
                    code = process.wait(POLL)
                except subprocess.TimeoutExpired:
                    watch()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    if code:
        message = told()
        said = log.read_bytes()[begun:].decode(errors='replace')
        if message:  # is shown once
            for word in ('error', 'stopped'):
                said = said.replace(f'{word}: {message}\n', '')
        kind = TrainingStopped if message and code == STOPPED else ChildFailed
        raise kind(f'rdkd {name} ({about})', message or _why(code), log,
                   '\n'.join(said.splitlines()[-_SHOWN:]))
