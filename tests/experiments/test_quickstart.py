"""The quickstart on a user's own tiny data: stopped, continued, reported."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_data(mini_data, tmp_path):
    """Data under a name of this test's own; its runs are removed after."""
    root = tmp_path / f'own{os.getpid()}'
    shutil.copytree(mini_data, root)
    runs = ROOT / 'work_dirs/quickstart'
    latest = runs / 'report'
    kept = tmp_path / 'kept'
    if latest.exists():
        shutil.copytree(latest, kept)
    yield root
    for run in runs.glob(f'{root.name}_*'):
        shutil.rmtree(run)
    shutil.rmtree(latest, ignore_errors=True)
    if kept.exists():
        shutil.copytree(kept, latest)


def start(root):
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/quickstart.py'), '--data',
         str(root), '--epochs', '1', '--size', '96', '--seed', '5'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'))


def test_stop_continue_report_and_repeat(own_data):
    run = ROOT / f'work_dirs/quickstart/{own_data.name}_epochs1_size96_seed5'
    process = start(own_data)
    while process.poll() is None and not (
            run / 'teacher/epoch_1.pth').is_file():
        time.sleep(.2)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[0]
    assert process.returncode == 130, said
    assert 'Start the same command again' in said
    assert not (run / 'student').exists()

    process = start(own_data)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    for name in ('teacher', 'student alone', 'student + RDKD'):
        assert re.search(rf'{re.escape(name)}\s+│\s+[\d.]+ │', said), said
    report = run / 'report'
    assert {f.name for f in report.iterdir()} > {
        'index.html', 'table.md', 'curves.png'}
    assert len(list(report.glob('image_*.png'))) == 4
    scores = json.loads((run / 'rdkd_results/metrics.json').read_text())
    assert f'| {100 * scores.get("coco/bbox_mAP", 0):.1f} |' in (
        report / 'table.md').read_text()

    before = (run / 'rdkd/epoch_1.pth').stat().st_mtime_ns
    process = start(own_data)
    said = process.communicate()[0]
    assert said.count('trained already') == 3
    assert (run / 'rdkd/epoch_1.pth').stat().st_mtime_ns == before


@pytest.mark.parametrize('break_it, named', [
    (lambda root: (root / 'annotations/val.json').unlink(), 'val.json'),
    (lambda root: next((root / 'images').glob('train*')).unlink(), 'missing'),
    (lambda root: shutil.rmtree(root), 'is not a folder')])
def test_bad_data_is_one_message(own_data, break_it, named):
    break_it(own_data)
    said, _ = (process := start(own_data)).communicate()
    assert process.returncode == 1
    assert 'error: ' in said
    assert named in said
    assert 'Traceback' not in said
    assert not list((ROOT / 'work_dirs/quickstart').glob(
        f'{own_data.name}_*/teacher'))
