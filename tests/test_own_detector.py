"""The page on distilling one's own detector, run as it stands."""
import os
import re
import shlex
import subprocess
import sys

import pytest
import torch
from helpers import LIMIT, ROOT
from mmengine.registry import MODELS

import rdkd
from rdkd.io.config import load_config

PAGE = (ROOT / 'docs/distill_your_own.md').read_text()
COMMANDS = [line for block in re.findall(r'```bash\n(.*?)```', PAGE, re.S)
            for line in block.splitlines()]
RUN = 'work_dirs/my_student_from_my_teacher'
pytestmark = pytest.mark.slow


def run(folder, command, code=0):
    words = shlex.split(command)
    assert words[0] == 'python'
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, capture_output=True,
        text=True, env=dict(os.environ, OMP_NUM_THREADS='1'), check=False,
        timeout=LIMIT)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope='module')
def followed(tmp_path_factory):
    """A folder in which the page was followed, and what each command said.

    The one difference: fewer images are made.
    """
    folder = tmp_path_factory.mktemp('own')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    for name, text in re.findall(r'```python\n# (\S+)\n(.*?)```', PAGE, re.S):
        (folder / name).write_text(text)
    said = {}
    for command in COMMANDS:
        few = ' --train 6 --val 3' if 'make_mini' in command else ''
        said[command] = run(folder, command + few)
    return folder, said


def said_by(followed, name):
    return next(text for command, text in followed[1].items()
                if name in command)


def test_the_data_is_looked_at(followed):
    said = said_by(followed, 'check_dataset')
    assert 'train.json: 6 images' in said
    assert 'no problem found' in said


def test_atss_learns_from_faster_rcnn(followed):
    said = said_by(followed, 'distill.py')
    for line in ('student   ATSS, my_student.py',
                 'teacher   FasterRCNN, my_teacher.py',
                 'levels    strides and channels: 8 (64 to 64)',
                 'images    both', 'training  6 epochs'):
        assert line in said
    # The levels that 8..128 and 4..64 share, in every step that is logged.
    assert {s for s in re.findall(r'distill\.loss_fg_s(\d+)', said)} == {
        '8', '16', '32', '64'}


def test_what_ships_is_the_plain_student(followed):
    folder, _ = followed
    assert 'Average Precision' in said_by(followed, 'test.py')
    shipped = torch.load(folder / RUN / 'student_latest.pth',
                         weights_only=True)
    cfg = load_config(str(folder / 'my_student.py'))
    MODELS.build(cfg.model).load_state_dict(shipped['state_dict'])


def test_the_python_call_gives_the_config_that_was_written(followed,
                                                           monkeypatch):
    folder, _ = followed
    monkeypatch.chdir(folder)
    cfg = rdkd.distillation_config('my_student.py', 'my_teacher.py',
                                   'work_dirs/my_teacher/epoch_12.pth')
    written = load_config(f'{RUN}/my_student_from_my_teacher.py')
    for key, value in cfg.items():
        assert written[key] == value, key


def test_a_run_is_neither_repeated_nor_overwritten(followed):
    folder, _ = followed
    command = next(c for c in COMMANDS if 'distill.py' in c)
    config = folder / RUN / 'my_student_from_my_teacher.py'
    before = config.read_bytes()
    said = run(folder, command, code=1)
    assert 'Add --resume' in said
    said = run(folder, f'{command} --resume --cfg-options '
               'model.distiller.loss_weight=7', code=1)
    assert 'my_student_from_my_teacher.py exists and differs' in said
    assert config.read_bytes() == before
    assert 'Traceback' not in said


def test_the_written_config_trains_by_itself(followed):
    """As edited: another weight, continued in its own folder."""
    folder, _ = followed
    config = folder / RUN / 'my_student_from_my_teacher.py'
    before = config.read_bytes()
    said = run(folder, f'python tools/train.py {config} --resume '
               '--cfg-options train_cfg.max_epochs=7')
    assert 'Epoch(train) [7]' in said
    assert config.read_bytes() == before
