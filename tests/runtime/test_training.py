"""One training in a work dir."""
import os
import subprocess
import sys

import pytest
from helpers import LIMIT

from rdkd.errors import InputError
from rdkd.runtime.training import TrainOptions, train

HOLD = """
import fcntl, sys
file = open(sys.argv[1], 'w')
fcntl.lockf(file, fcntl.LOCK_EX)
print('process 7 on a machine', file=file, flush=True)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locked(tmp_path):
    """A work dir in which another process trains."""
    folder = tmp_path / 'run'
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, folder / 'lock'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    yield folder
    process.communicate(timeout=LIMIT)


def test_a_second_training_is_refused_and_touches_nothing(
        locked, student_cfg):
    (locked / 'student_best.pth').write_text('of the first')
    student_cfg.work_dir, student_cfg.launcher = str(locked), 'none'
    begun = []
    with pytest.raises(InputError, match='process 7 on a machine'):
        train(student_cfg, TrainOptions(resume='auto'),
              before_start=lambda: begun.append(True))
    assert not begun
    assert sorted(os.listdir(locked)) == ['lock', 'student_best.pth']


def test_only_the_first_of_several_processes_locks(locked, student_cfg,
                                                   monkeypatch):
    def checked(*args):
        raise InputError('it went on')

    monkeypatch.setenv('RANK', '1')
    monkeypatch.setattr('rdkd.runtime.training.check_splits', checked)
    student_cfg.work_dir, student_cfg.launcher = str(locked), 'none'
    with pytest.raises(InputError, match='it went on'):
        train(student_cfg, TrainOptions())
