"""The quickstart on a user's own tiny data: stopped, continued, reported."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from helpers import LIMIT, ROOT

from rdkd.data.image_memory import FILE
from rdkd.experiments.quickstart import gains, run_folder
from rdkd.experiments.setup import Setup


@pytest.fixture
def own_data(mini_data, tmp_path):
    """A copy of the tiny data, under another name."""
    root = tmp_path / 'own'
    shutil.copytree(mini_data, root)
    return root


def hear_interrupts():
    """As in a terminal: a job of a background shell ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(root):
    """Start it in the folder that the data is in."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/quickstart.py'), '--data',
         root.name, '--epochs', '1', '--size', '96', '--seed', '5'],
        cwd=root.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=dict(os.environ, OMP_NUM_THREADS='1'),
        preexec_fn=hear_interrupts)


def said_by(process):
    """What it says until it ends."""
    try:
        return process.communicate(timeout=LIMIT)[0]
    finally:
        process.kill()


@pytest.mark.slow
def test_stop_continue_report_and_repeat(own_data, tmp_path):
    run = tmp_path / 'work_dirs/quickstart/own_epochs1_size96_seed5'
    process = start(own_data)
    until = time.monotonic() + LIMIT
    while process.poll() is None and time.monotonic() < until and not (
            run / 'teacher/epoch_1.pth').is_file():
        time.sleep(.2)
    process.send_signal(signal.SIGINT)
    said = said_by(process)
    assert process.returncode == 130, said
    assert 'Start the same command again' in said
    assert not (run / 'baseline').exists()

    process = start(own_data)
    said = said_by(process)
    assert process.returncode == 0, said
    # The images were checked once, for all trainings and evaluations.
    assert [f.parent for f in run.rglob(FILE)] == [run]
    for name in ('teacher', 'baseline', 'inheriting only', 'student + RDKD'):
        assert re.search(rf'{re.escape(name)}\s+│\s+[\d.]+ │', said), said
    report = run / 'report'
    assert {f.name for f in report.iterdir()} > {
        'index.html', 'table.md', 'curves.png'}
    assert len(list(report.glob('image_*.png'))) == 4
    assert ('python tools/quickstart.py --data own --epochs 1 --size 96 '
            '--seed 5') in (report / 'index.html').read_text()
    scores = json.loads((run / 'distilled_results/metrics.json').read_text())
    assert f'| {100 * scores.get("coco/bbox_mAP", 0):.1f} |' in (
        report / 'table.md').read_text()
    # Nothing but the work dirs is written where it was called.
    assert {f.name for f in tmp_path.iterdir()} == {'own', 'work_dirs'}

    page = (report / 'index.html').read_text()
    assert re.search(r'only inherits the teacher.* [\d.]+, and the student '
                     r'with RDKD', page)
    assert re.search(r'[+-][\d.]+ with RDKD(, of which|;) ', said)
    inherited = (run / 'inherited.log').read_text()
    assert 'starts with the teacher' in inherited
    assert 'distill.loss' not in inherited

    # A run of a version without it: what lacks is trained.
    shutil.rmtree(run / 'inherited')
    for file in run.glob('inherited*'):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    before = (run / 'distilled/epoch_1.pth').stat().st_mtime_ns
    process = start(own_data)
    said = said_by(process)
    assert said.count('trained already') == 3, said
    assert 'inheriting only: done in' in said
    assert (run / 'inherited/epoch_1.pth').is_file()
    assert (run / 'distilled/epoch_1.pth').stat().st_mtime_ns == before


@pytest.mark.parametrize('break_it, named', [
    (lambda root: (root / 'annotations/val.json').unlink(), 'val.json'),
    (lambda root: next((root / 'images').glob('train*')).unlink(), 'missing'),
    (lambda root: shutil.rmtree(root), 'is not a folder')])
def test_bad_data_is_one_message(own_data, tmp_path, break_it, named):
    break_it(own_data)
    process = start(own_data)
    said = said_by(process)
    assert process.returncode == 1
    assert 'error: ' in said
    assert named in said
    assert 'Traceback' not in said
    assert not list((tmp_path / 'work_dirs').rglob('teacher'))


@pytest.mark.parametrize('inherited, told', [
    (28.0, '+26.0 with RDKD, of which +17.0 comes from inheriting'),
    (38.0, '+26.0 with RDKD; +27.0 with inheriting only'),
    (10.0, '+26.0 with RDKD; -1.0 with inheriting only')])
def test_the_gain_is_told_with_what_inheriting_brings(inherited, told):
    assert gains(dict(teacher=40.0, baseline=11.0, inherited=inherited,
                      distilled=37.0)) == told


def test_other_settings_have_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / 'work_dirs/quickstart'
    assert run_folder(Setup(), 0) == runs / 'mini_seed0'
    assert run_folder(Setup(tmp_path / 'own', 'fcos', 3, 96), 1) == (
        runs / 'own_fcos_epochs3_size96_seed1')
