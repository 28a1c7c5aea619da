"""The converter of FLIR ADAS as it is called."""
import subprocess
import sys

import pytest
from helpers import LIMIT, ROOT
from thermal import make_thermal

from rdkd.cli.main import main


def test_a_process_converts_and_says_what_it_dropped(tmp_path):
    good = make_thermal(tmp_path / 'in', 'v2')
    done = subprocess.run(
        [sys.executable, ROOT / 'tools/dataset_converters/flir.py', 'in',
         'data/flir'], cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=LIMIT)
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


def test_copies_are_asked_for(tmp_path):
    make_thermal(tmp_path / 'in', 'v1.3')
    main(argv=['convert', 'flir', str(tmp_path / 'in'),
               str(tmp_path / 'out'), '--copy'])
    images = list((tmp_path / 'out/images').rglob('*.jpeg'))
    assert len(images) == 6
    assert not any(image.is_symlink() for image in images)


def test_a_wrong_folder_is_one_message(tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(argv=['convert', 'flir', str(tmp_path), str(tmp_path / 'out')])
    assert str(stop.value).startswith(
        f'error: {tmp_path} is no release of FLIR ADAS')
