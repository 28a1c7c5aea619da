"""Running commands of this program as processes of their own."""
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import rdkd
from rdkd.errors import InputError


def command(name: str, *arguments: str | Path) -> list[str]:
    """The command line of ``rdkd NAME ARGUMENTS`` with this Python."""
    return [sys.executable, '-m', 'rdkd', name, *map(str, arguments)]


def environment() -> dict[str, str]:
    """The environment in which a child finds this very package."""
    paths = [str(Path(rdkd.__file__).resolve().parent.parent),
             *filter(None, [os.environ.get('PYTHONPATH')])]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths),
                PYTHONUNBUFFERED='1')


def end_with_parent() -> None:
    """Let a child process end when this one is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def run_command(name: str, *arguments: str | Path, about: str) -> None:
    """Run one of the commands, quietly.

    Args:
        name (str): Of :data:`rdkd.cli.main.COMMANDS`.
        *arguments: Its command line.
        about (str): What it is run for, for the message.

    Raises:
        InputError: With the end of what it said, if it fails.
    """
    done = subprocess.run(
        command(name, *arguments), env=environment(),
        preexec_fn=end_with_parent, capture_output=True, text=True,
        check=False)
    if done.returncode:
        raise InputError(f'rdkd {name} failed ({about}):\n'
                         f'{done.stdout[-2000:]}{done.stderr[-2000:]}')
