"""The pictures of trained detectors, from the command line."""
import re
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from helpers import tool, write
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.analysis.attention import detector_attention
from rdkd.cli import main
from rdkd.report.attention import draw_attention
from rdkd.report.pictures import read_image


@pytest.fixture
def config(rdkd_cfg, tmp_path):
    return write(rdkd_cfg, tmp_path / 'rdkd.py')


@pytest.fixture
def detectors(student_cfg):
    """Two students with random weights."""
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        detector = MODELS.build(student_cfg.model)
        detector.init_weights()
        detector.cfg = student_cfg
        found.append(detector.eval())
    return found


@pytest.fixture
def checkpoints(detectors, tmp_path):
    """The first as deployed, the second as in a distillation run."""
    deployed, training = tmp_path / 'deployed.pth', tmp_path / 'epoch_1.pth'
    save_checkpoint(dict(state_dict=detectors[0].state_dict()), str(deployed))
    save_checkpoint(dict(state_dict={
        'distiller.weight': torch.ones(1), **{
            f'architecture.{key}': value
            for key, value in detectors[1].state_dict().items()}}),
        str(training))
    return deployed, training


@pytest.fixture
def images(mini_data, tmp_path):
    """An image of the data set, and one of an odd size."""
    whole = next((mini_data / 'images').iterdir())
    odd = tmp_path / 'odd.png'
    cv2.imwrite(str(odd), cv2.imread(str(whole))[:50, :75])
    return whole, odd


def call(*arguments):
    """The command in this process: its exit."""
    with pytest.raises(SystemExit) as stop:
        main.main('visualize', list(map(str, arguments)))
    return stop.value.code


@pytest.mark.slow
def test_a_figure_for_each_image(config, detectors, checkpoints, images,
                                 tmp_path):
    out = tmp_path / 'new' / 'out'
    command = ('attention', config, checkpoints[0], *images, '--with',
               f'distilled={checkpoints[1]}', '--out', out)
    said = tool('visualize.py', *command)
    written = sorted(out.iterdir())
    assert written == sorted(out / f'{image.stem}.png' for image in images)
    assert all(str(file) in said for file in written)
    titles = dict(zip(('deployed', 'distilled'), detectors, strict=True))
    for image in images:
        maps = {title: detector_attention(detector, str(image))
                for title, detector in titles.items()}
        figure = draw_attention(maps, [8, 16, 32, 64, 128],
                                read_image(str(image)))
        figure.savefig(tmp_path / 'expected.png')
        expected = cv2.imread(str(tmp_path / 'expected.png')).astype(int)
        picture = cv2.imread(str(out / f'{image.stem}.png')).astype(int)
        assert picture.shape == expected.shape
        assert picture.shape[1] > 6 * 250
        # Other machines' threads may round a pixel otherwise.
        assert (np.abs(picture - expected) > 8).mean() < 1e-3
        # The models' rows are not the same, and they are in color.
        assert picture.max(axis=2).std() > 10
        assert np.ptp(picture, axis=2).mean() > 30
        swapped = draw_attention(
            dict(zip(maps, reversed(maps.values()), strict=True)),
            [8, 16, 32, 64, 128], read_image(str(image)))
        swapped.savefig(tmp_path / 'swapped.png')
        assert (np.abs(picture - cv2.imread(str(
            tmp_path / 'swapped.png'))) > 8).mean() > 0.1

    before = {file: file.read_bytes() for file in written}
    said = call(*command)
    assert said.startswith('error: ')
    assert 'exists already' in said
    assert '--out' in said
    assert before == {file: file.read_bytes() for file in written}


def test_a_checkpoint_that_does_not_fit(config, teacher_files, images,
                                        tmp_path):
    said = tool('visualize.py', 'attention', config, teacher_files[1],
                images[0], '--out', tmp_path / 'out', code=1)
    assert 'does not fit RetinaNet' in said
    assert 'Traceback' not in said
    assert not (tmp_path / 'out').exists()


def test_bad_input_is_one_message(config, checkpoints, images, tmp_path):
    (tmp_path / 'text.jpg').write_text('no image')
    (tmp_path / 'odd.jpg').write_text('of the same name')
    one = checkpoints[0]
    for problem, *arguments in (
            ('none.jpg does not exist', one, 'none.jpg'),
            ('text.jpg cannot be read', one, tmp_path / 'text.jpg'),
            ('none.pth does not exist', 'none.pth', images[0]),
            ('two checkpoints have the title RDKD', one, images[0],
             '--title', 'RDKD', '--with', f'RDKD={checkpoints[1]}'),
            ('two of the images', one, images[1], tmp_path / 'odd.jpg')):
        said = call('attention', config, *arguments, '--out',
                    tmp_path / 'out')
        assert said.startswith('error: ')
        assert problem in said
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('text', ['file.pth', '=file.pth', 'title='])
def test_malformed_with(config, checkpoints, images, capsys, text):
    assert call('attention', config, checkpoints[0], images[0],
                '--with', text) == 2
    assert f'{text} is not TITLE=CKPT' in capsys.readouterr().err


@pytest.mark.slow
def test_what_a_distillation_changed(config, checkpoints, tmp_path):
    out = tmp_path / 'changes'
    command = ('compare', config, *checkpoints, '--teacher', config,
               checkpoints[0], '--count', 3, '--out', out)
    said = tool('visualize.py', *command)
    pictures = sorted(out.glob('*.png'))
    assert [file.name[:3] for file in pictures] == ['01_', '02_', '03_']
    # Ground truth, baseline, distilled, teacher, with gaps between.
    wide = {cv2.imread(str(file)).shape[1] for file in pictures}
    assert wide == {4 * 5 * 96 + 3 * 6}
    changes = [abs(float(became) - float(was)) for was, became in re.findall(
        r'png: ([\d.]+) to ([\d.]+)', said)]
    assert len(changes) == 3
    # Printed with two digits.
    assert all(a >= b - .011 for a, b in pairwise(changes))
    rows = (out / 'errors.md').read_text().splitlines()
    assert [row.split('|')[1].strip() for row in rows] == [
        'model', '---', 'baseline', 'distilled', 'teacher']
    # The teacher is the baseline here.
    assert rows[2].split('|')[2:] == rows[4].split('|')[2:]
    assert (out / 'distilled.bbox.json').is_file()

    said = call(*command)
    assert 'exists already' in said
    said = call(*command[:2], tmp_path / 'none.pth',
                checkpoints[1], '--out', tmp_path / 'other')
    assert 'none.pth' in said
