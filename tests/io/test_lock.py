"""A folder is one process's, until that ends in whatever way."""
import os
import signal
import subprocess
import sys
import threading

import pytest
from helpers import LIMIT, ROOT

from rdkd.errors import InputError
from rdkd.io import lock
from rdkd.io.lock import lock_folder

#: Locks, forks a child that lives on, and waits.
HOLD = """
import os, sys, time
from pathlib import Path
from rdkd.io.lock import lock_folder
held = lock_folder(Path(sys.argv[1]), 'training')
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that has locked ``run``, and one that it forked."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, tmp_path / 'run'], text=True,
        stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=str(ROOT)))
    child = int(process.stdout.readline())
    yield process
    process.kill()
    process.wait(LIMIT)
    os.kill(child, signal.SIGKILL)


def test_a_second_process_is_refused_until_the_first_is_killed(holder,
                                                               tmp_path):
    """Whatever it forked lives on: data loaders do, for seconds."""
    with pytest.raises(InputError, match='another training') as error:
        lock_folder(tmp_path / 'run', 'training', patience=0.3)
    said = str(error.value)
    assert f'{tmp_path}/run: process {holder.pid} on ' in said
    assert 'since 20' in said
    lock_folder(tmp_path / 'other', 'training').close()
    # It is waited for, for as long as a process may take to end.
    threading.Timer(0.5, holder.kill).start()
    lock_folder(tmp_path / 'run', 'training', patience=LIMIT).close()


def test_a_file_system_without_locks_warns(tmp_path, monkeypatch):
    def unable(*args):
        raise OSError(38, 'Function not implemented')

    monkeypatch.setattr(lock.fcntl, 'lockf', unable)
    with pytest.warns(UserWarning, match='without locks'):
        lock_folder(tmp_path, 'training').close()
