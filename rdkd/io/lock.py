"""Keeping a second process out of a folder."""
import fcntl
import os
import socket
import time
import warnings
from pathlib import Path
from typing import TextIO

from rdkd.errors import InputError

#: Seconds between two tries.
_POLL = 0.2


def lock_folder(folder: Path, what: str, patience: float = 5.0) -> TextIO:
    """Keep a second process out of a folder.

    The lock belongs to this process, not to those that it forks: when it is
    killed the lock is gone, though its data loaders live on for seconds.

    Args:
        folder (Path): Is made; gets a file ``lock``, which stays.
        what (str): Is running there, for the message.
        patience (float): Seconds to wait for a process that is ending.
            Defaults to 5.

    Returns:
        TextIO: To be closed when the folder is free again; ends with the
        process at the latest.

    Raises:
        InputError: If another process has the folder; says which.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / 'lock').open('a+')
    until = time.monotonic() + patience
    while True:
        try:
            # Not flock, whose locks forked processes hold on to.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except (BlockingIOError, PermissionError):
            if time.monotonic() < until:
                time.sleep(_POLL)
                continue
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise InputError(
                f'another {what} is running in {folder}: {holder}. Wait for '
                'it, end it, or choose another folder.') from None
        except OSError as error:
            warnings.warn(
                f'{folder} is on a file system without locks ({error}): do '
                f'not start another {what} there.', stacklevel=2)
            return file
    file.truncate(0)
    print(f'process {os.getpid()} on {socket.gethostname()}, since '
          f'{time.strftime("%Y-%m-%d %H:%M:%S")}', file=file, flush=True)
    return file
