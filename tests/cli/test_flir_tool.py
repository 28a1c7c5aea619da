"""The converter of FLIR ADAS as it is called."""
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from thermal import make_thermal

TOOL = Path(__file__).resolve().parents[2] / 'tools/dataset_converters/flir.py'


def test_a_process_converts_and_says_what_it_dropped(tmp_path):
    good = make_thermal(tmp_path / 'in', 'v2')
    done = subprocess.run(
        [sys.executable, TOOL, 'in', 'data/flir'], cwd=tmp_path,
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split('│')[1:-1]]
            for line in done.stdout.splitlines() if '│' in line]
    people = sum(box[1] == 'person' for box in good['train'])
    bicycles = sum(box[1] == 'bicycle' for box in good['train'])
    assert rows[0] == ['train', 'images', '3', '', '', '', '1', '']
    assert rows[1] == ['', 'person', str(people + 1), '1', '1', '0', '1', '']
    assert rows[2] == ['', 'bicycle', str(bicycles), '0', '0', '0', '1', '']
    assert rows[5] == ['', 'others', '', '', '', '', '', '3']
    assert [row[0] for row in rows if row[0]] == ['train', 'val', 'video']
    assert 'FLIR ADAS v2' in done.stdout
    assert 'train, other classes: 2 truck, 1 undeclared 91' in done.stdout
    assert 'WARNING: images of train that are listed but not there: 1, e.g. ' \
        'data/video-train' in done.stdout
    links = list((tmp_path / 'data/flir/images').rglob('*.jpg'))
    assert len(links) == 6
    assert all(link.is_symlink() for link in links)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_copies_are_asked_for(monkeypatch, tmp_path):
    make_thermal(tmp_path / 'in', 'v1.3')
    call(monkeypatch, tmp_path / 'in', tmp_path / 'out', '--copy')
    images = list((tmp_path / 'out/images').rglob('*.jpeg'))
    assert len(images) == 6
    assert not any(image.is_symlink() for image in images)


def test_a_wrong_folder_is_one_message(monkeypatch, tmp_path):
    with pytest.raises(SystemExit) as stop:
        call(monkeypatch, tmp_path, tmp_path / 'out')
    assert str(stop.value).startswith(
        f'error: {tmp_path} is no release of FLIR ADAS')
