"""What the steps of a set-up share: stacks, messages, commands.

Part of tools/setup_env.py; the standard library is enough for it.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
GIGABYTE = 1024**3
#: Seconds between two signs of life of a command that takes long.
HEARTBEAT = 20.0
#: Where programs keep what they can make again.
CACHE = Path(os.path.expanduser(os.environ.get('XDG_CACHE_HOME') or
                                '~/.cache'))


class Stack(NamedTuple):
    """A family of packages: what differs from one to the other."""

    #: Its own packages are in requirements/<name>.txt.
    name: str
    venv: Path
    #: MMCV with operators in C++, for --compiled.
    compiled: str

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.venv / 'bin' / 'python'


def say(message: str) -> None:
    """Tell what is being done."""
    print(f'[setup] {message}', flush=True)


def stop(message: str) -> NoReturn:
    """End the set-up."""
    sys.exit(f'[setup] cannot go on: {message}')


def run(*command: str | Path, quiet: bool = False, what: str = '') -> bool:
    """Run a command; True if it succeeded.

    Args:
        command: Its words.
        quiet: Whether its output is hidden.
        what: What it does, for a line every :data:`HEARTBEAT` seconds.
    """
    out = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen([str(c) for c in command], stdout=out,
                               stderr=out, cwd=ROOT)
    begun = time.monotonic()
    try:
        while True:
            try:
                return process.wait(HEARTBEAT) == 0
            except subprocess.TimeoutExpired:
                if what:
                    say(f'{what}: {time.monotonic() - begun:.0f} s so far')
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def output(*command: str | Path) -> str:
    """The standard output of a command, empty if it failed."""
    done = subprocess.run([str(c) for c in command], capture_output=True,
                          text=True, cwd=ROOT, check=False)
    return done.stdout.strip() if done.returncode == 0 else ''


@contextlib.contextmanager
def locked(path: Path, work: str) -> Iterator[int]:
    """Wait for another set-up that holds a lock, and hold it.

    Args:
        path: A file, which is made, or a folder.
        work: What the other one does, for the message.

    Yields:
        The lock: it is released with the last process that has it open.
    """
    lock = os.open(path, os.O_RDONLY if path.is_dir() else
                   os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f'another set-up is {work}; waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def check_room(folder: Path, work: str = '') -> None:
    """Stop if a disk is too full.

    Args:
        folder: On the disk.
        work: What the room is for, for the message.
    """
    free = shutil.disk_usage(folder).free
    if free < 3 * GIGABYTE:
        stop(f'{free / GIGABYTE:.1f} GB are free on the disk of {folder}, '
             f'at least 3 GB are needed{work}.')


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def pip(stack: Stack, *arguments: str | Path, quiet: bool = False,
        what: str = '') -> bool:
    """Run pip in a stack's environment, as :func:`run` does."""
    # It cannot build a package where its cache cannot be written.
    cache = [] if writable(CACHE / 'pip') else ['--no-cache-dir']
    return run(stack.python, '-m', 'pip', '--disable-pip-version-check',
               *cache, *arguments, quiet=quiet, what=what)


def remove(stack: Stack, package: str) -> None:
    """Uninstall a package, if it is there."""
    pip(stack, 'uninstall', '-q', '-y', package, quiet=True)


def stop_pip(what: str) -> NoReturn:
    """End the set-up because pip failed, with the likely reasons.

    Args:
        what: Could not be installed.
    """
    full = [str(folder) for folder in (ROOT, Path(tempfile.gettempdir()))
            if shutil.disk_usage(folder).free < GIGABYTE / 4]
    if full:
        stop(f'{what} could not be installed: the disk of '
             f'{" and of ".join(full)} is full. Make room and run the same '
             'command again.')
    stop(f'{what} could not be installed (see above). Behind a proxy set '
         'HTTPS_PROXY; with a mirror of your own, PIP_INDEX_URL or '
         'PIP_FIND_LINKS. Then run the same command again: it goes on.')
