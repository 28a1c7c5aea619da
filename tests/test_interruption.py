"""Interrupted at any moment and continued, a run ends as any other.

By hand, before a release: `pytest -m interruption --interruption-table FILE`
writes what docs/interruptions.md shows.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import LIMIT, ROOT, assert_same, write

from rdkd.analysis.logs import read_history
from rdkd.io.checkpoint import load_checkpoint_file

pytestmark = [pytest.mark.slow, pytest.mark.interruption]

KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
MiB = 2**20


@dataclass(frozen=True)
class Moment:
    """When a command is interrupted, and how.

    `event` is one of Python's audit events; two numbers in its place say
    how large the disk is, in training checkpoints and students.
    """
    command: str
    what: str
    event: str | tuple[float, float]
    text: str = ''
    number: signal.Signals | None = None
    count: int = 1
    of: str = ''
    to: str = 'self'

    @property
    def how(self):
        """For the table."""
        whom = {'self': '', 'parent': ' to the parent', 'group': ' to all'}
        return f'{self.number.name}{whom[self.to]}' if self.number else (
            'disk full')


MOMENTS = [
    Moment('train', 'PyTorch is imported', 'import', 'torch.nn', TERM),
    Moment('train', 'first training image is read', 'open', 'images/train_',
           INT),
    Moment('train', 'second epoch, an image is read', 'open', 'images/train_',
           KILL, count=14),
    Moment('train', 'first `student_latest.pth` begins', 'open',
           'student_latest.pth.partial', TERM),
    Moment('train', 'first `epoch_1.pth` begins', 'open',
           'epoch_1.pth.partial', KILL),
    Moment('train', '`epoch_1.pth` is written, not yet in its place',
           'os.rename', 'epoch_1.pth.partial', INT),
    Moment('train', '`last_checkpoint` is written', 'open',
           'last_checkpoint', KILL),
    Moment('train', 'evaluation after epoch 1', 'open', 'images/val_', TERM,
           count=2),
    Moment('train', 'evaluation after epoch 2', 'open', 'images/val_', KILL,
           count=6),
    Moment('train', '`student_best.pth` is written, not yet in its place',
           'os.rename', 'student_best.pth.partial', KILL),
    Moment('train', '`epoch_2.pth` begins, the only checkpoint that is kept',
           'open', 'epoch_2.pth.partial', KILL),
    Moment('train', '`epoch_1.pth` is removed after it', 'os.remove',
           'epoch_1.pth', TERM),
    Moment('train', 'evaluation after the last epoch', 'open', 'images/val_',
           TERM, count=10),
    Moment('train', 'no room for `epoch_1.pth`', (0.5, 1.5)),
    Moment('train', 'no room for `epoch_2.pth`', (1.2, 3.0)),
    Moment('quickstart', 'the teacher\'s config is written', 'os.rename',
           'teacher.py.partial', KILL),
    Moment('quickstart', 'the teacher trains', 'open',
           'teacher/epoch_2.pth.partial', KILL, to='parent'),
    Moment('quickstart', 'the student with RDKD trains', 'open',
           'distilled/epoch_1.pth.partial', INT, to='group'),
    Moment('quickstart', 'the student with RDKD is evaluated in training',
           'open', 'images/val_', KILL, count=2, of='distilled.py',
           to='group'),
    Moment('quickstart', 'the teacher is exported', 'os.rename',
           'teacher_deploy.pth.partial', TERM),
    Moment('quickstart', 'the first model\'s scores are written', 'os.rename',
           'metrics.json.partial', KILL, to='group'),
    Moment('quickstart', 'no room for the teacher\'s checkpoint', (0.6, 0.)),
    Moment('compare', 'the student trains', 'open',
           'rdkd_seed0/epoch_1.pth.partial', KILL),
    Moment('compare', 'the baseline trains', 'os.rename',
           'none_seed0/epoch_1.pth.partial', TERM, to='parent'),
    Moment('compare', 'the student is exported', 'open',
           'rdkd_seed0_deploy.pth.partial', KILL),
    Moment('compare', 'the page is written', 'open', 'index.html', INT),
]


def outcome(code):
    return signal.Signals(-code).name if code < 0 else f'exit {code}'


def environment(*folders):
    return dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=os.pathsep.join(
        map(str, [*folders, ROOT])))


class Runs:
    """Commands in folders of their own, and what they leave there."""

    def __init__(self, folder, cfg, data):
        self.folder, self.data = folder, data
        cfg.default_hooks.checkpoint.max_keep_ckpts = 1
        cfg.train_cfg.update(max_epochs=3, val_interval=1)
        self.config = write(cfg, folder / 'rdkd.py')

    def command(self, name, folder):
        words = dict(
            train=[self.config, '--work-dir', folder / 'run', '--resume',
                   '--no-image-check'],
            quickstart=['--data', self.data, '--epochs', 1, '--size', 64],
            compare=['--data', self.data, '--epochs', 1, '--size', 64,
                     '--methods', 'none,rdkd', '--seeds', 0])[name]
        return [sys.executable, '-m', 'rdkd', name, *map(str, words)]

    def run(self, name, folder, *hooks):
        """Exit code and words of a command."""
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            self.command(name, folder), cwd=folder, text=True, check=False,
            env=environment(*hooks), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=LIMIT, start_new_session=True,
            # As in a terminal: a background shell's jobs ignore it.
            preexec_fn=lambda: signal.signal(INT, signal.SIG_DFL))
        return done.returncode, done.stdout

    def uninterrupted(self, name):
        """The folder in which a command was not interrupted."""
        whole = self.folder / name
        if not whole.exists():
            code, said = self.run(name, whole)
            assert code == 0, said
        return whole


@pytest.fixture(scope='module')
def table(pytestconfig):
    """The lines of the table, written at the end."""
    lines = ['| command | when | how | ends with | then | result |',
             '|---|---|---|---|---|---|']
    yield lines
    if file := pytestconfig.getoption('interruption_table'):
        Path(file).write_text('\n'.join(lines) + '\n')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('interruption')


@pytest.fixture
def runs(folder, rdkd_cfg, mini_data):
    return Runs(folder, rdkd_cfg, mini_data)


@pytest.fixture
def disk(folder):
    """Makes folders that are disks of their own."""
    mounted = set()

    def mount(path, size, *options):
        path.mkdir(exist_ok=True)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', ','.join(
                [f'size={int(size)}', *options]), 'tmpfs', path],
                check=False, capture_output=True, timeout=LIMIT).returncode:
            pytest.skip('no disk can be mounted here')
        mounted.add(path)

    yield mount
    for path in mounted:
        subprocess.run(['umount', '--lazy', path], check=True, timeout=LIMIT)


def size(folder, *names):
    """Bytes of the first of some files."""
    return next(path for name in names
                for path in folder.rglob(name)).stat().st_size


def interrupt(moment, runs, folder, tmp_path, disk):
    """Exit code and words of a command that is interrupted."""
    if moment.number:
        hook = tmp_path / 'hook'
        hook.mkdir()
        shutil.copy(ROOT / 'tests/moments/sitecustomize.py', hook)
        (hook / 'moment.json').write_text(json.dumps(vars(moment)))
        found = runs.run(moment.command, folder, hook)
        assert (hook / 'fired').exists(), found[1]
        return found
    whole = runs.uninterrupted(moment.command)
    checkpoints, students = moment.event
    disk(folder, checkpoints * size(whole, 'teacher/epoch_*.pth',
                                    'epoch_*.pth')
         + students * size(whole, '*latest.pth') + MiB / 4)
    found = runs.run(moment.command, folder)
    assert 'No space left' in found[1], found[1]
    disk(folder, 1024 * MiB, 'remount')
    return found


def names(folder):
    """Of all files but those of one start or the other."""
    return sorted({
        str(path.relative_to(folder)) for path in folder.rglob('*')
        if path.is_file() and not re.search(
            r'/20\d{6}_\d{6}/|/earlier_\d+/', str(path))})


def assert_same_run(found, expected):
    """Files, weights, optimizer, scores and detections.

    Returns the names of older checkpoints that were not removed any more.
    """
    more = set(names(found)) - set(names(expected))
    assert set(names(expected)) <= set(names(found))
    assert all('epoch_' in name for name in more), more
    for name in names(expected):
        one, other = found / name, expected / name
        if name.endswith('.pth'):
            one, other = (load_checkpoint_file(str(each))
                          for each in (one, other))
            for part in ('state_dict', 'optimizer', 'param_schedulers'):
                assert_same(one.get(part), other.get(part), f'{name} {part}')
            for key in ('epoch', 'iter', 'coco/bbox_mAP'):
                assert one['meta'].get(key) == other['meta'].get(key), name
        elif name.endswith(('metrics.json', 'bbox.json')):
            assert one.read_bytes() == other.read_bytes(), name
    for path in {path.parents[2] for path in expected.rglob('scalars.json')}:
        one = found / path.relative_to(expected)
        for a, b in zip(read_history(one), read_history(path), strict=True):
            assert_same(a, b, f'history of {path.name}')
    return sorted(Path(name).name for name in more)


def then(logs):
    """How a command went on, for the table."""
    resumed = re.findall(r'resumed epoch: (\d+)', logs)
    words = []
    if 'no checkpoint to continue from' in logs:
        words.append('starts again, earlier files set aside')
    elif resumed:
        words.append(f'goes on after epoch {resumed[0]}')
    else:
        words.append('goes on' if 'trained already' in logs else 'starts')
    if 'before its evaluation' in logs:
        words.append('evaluates it first')
    return ', '.join(words)


@pytest.mark.parametrize('moment', MOMENTS, ids=[
    f'{each.command}: {each.what}' for each in MOMENTS])
def test_an_interrupted_run_ends_as_any_other(moment, runs, table, tmp_path,
                                              disk):
    whole = runs.uninterrupted(moment.command)
    folder = tmp_path / 'interrupted'
    code, _ = interrupt(moment, runs, folder, tmp_path, disk)
    assert code != 0
    before = {path: path.stat().st_size for path in folder.rglob('*.log')}
    end, said = runs.run(moment.command, folder)
    assert end == 0, said
    for path in folder.rglob('*.log'):
        said += path.read_bytes()[before.get(path, 0):].decode()
    row = [f'`{moment.command}`', moment.what, moment.how, outcome(code),
           then(said)]
    try:
        more = assert_same_run(folder, whole)
    except AssertionError as error:
        table.append(f'| {" | ".join(row)} | differs: {error} |')
        raise
    left = ''.join(f', `{name}` stays' for name in more)
    table.append(f'| {" | ".join(row)} | equal{left} |')
