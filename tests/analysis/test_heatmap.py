"""Heat maps: what they show, and that one scale is right for all of them."""
import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from rdkd.analysis.heatmap import (
    attention_map,
    detector_attention,
    draw_attention,
    overlay,
    read_image,
)
from rdkd.errors import InputError


def slow_attention(feature, padded, size):
    """The definition, pixel by pixel."""
    channels, *cells = feature.shape
    strength = [[sum(abs(float(feature[c, i, j])) for c in range(channels))
                 / channels for j in range(cells[1])] for i in range(cells[0])]

    def between(pixel, side, count):
        at = min(max((pixel + .5) * count / side - .5, 0), count - 1)
        first = min(int(at), count - 1)
        return first, min(first + 1, count - 1), at - first

    values = []
    for y in range(size[0]):
        up, down, v = between(y, padded[0], cells[0])
        for x in range(size[1]):
            left, right, h = between(x, padded[1], cells[1])
            values.append(
                (1 - v) * (1 - h) * strength[up][left]
                + (1 - v) * h * strength[up][right]
                + v * (1 - h) * strength[down][left]
                + v * h * strength[down][right])
    mean = sum(values) / len(values)
    return torch.tensor(values).view(size) / mean


@pytest.mark.parametrize('padded, size', [
    ((12, 20), (12, 20)), ((12, 20), (9, 15)), ((32, 32), (7, 31))])
def test_attention_is_its_definition(padded, size):
    feature = torch.randn(4, 3, 5, generator=torch.manual_seed(0))
    feature[:, -1, -1] += 100  # in the padding, or hot
    found = attention_map(feature, padded, size)
    torch.testing.assert_close(found, slow_attention(feature, padded, size))
    assert float(found.mean()) == pytest.approx(1)


def test_attention_does_not_depend_on_the_size_of_features():
    feature = torch.randn(4, 3, 5, generator=torch.manual_seed(0))
    sizes = (12, 20), (9, 15)
    torch.testing.assert_close(attention_map(-1e4 * feature, *sizes),
                               attention_map(feature, *sizes))
    assert not attention_map(0 * feature, *sizes).any()


def spot(height):
    """A map with mean 1 and a spot in the middle, a sixteenth of it."""
    inside = torch.zeros(16, 16)
    inside[6:10, 6:10] = 1
    return torch.where(inside > 0, height, (16 - height) / 15)


def jet(share):
    """OpenCV's colour at a share of the scale."""
    level = np.full((1, 1), int(255 * share), np.uint8)
    return cv2.applyColorMap(level, cv2.COLORMAP_JET)[0, 0, ::-1] / 2


def test_models_share_one_scale():
    """Twice as concentrated is hotter, and a uniform map is flat."""
    maps = torch.stack([torch.ones(16, 16), spot(2.), spot(4.)])[:, None]
    black = np.zeros((50, 50, 3), np.uint8)
    pictures, low, high = overlay(maps, black)
    assert (low, high) == (pytest.approx(12 / 15), 4)
    flat, once, twice = pictures[:, 0]
    assert (flat == flat[0, 0]).all()
    for picture, y, value in ((flat, 0, 1), (once, 8, 2), (twice, 8, 4),
                              (once, 0, 14 / 15), (twice, 0, 12 / 15)):
        share = (value - low) / (high - low)
        assert np.abs(picture[y, y] - jet(share)).max() <= 5
    assert once[8, 8, 0] < once[8, 8, 1]  # not yet red
    assert twice[8, 8, 0] > twice[8, 8, 1:].max()


def test_each_picture_is_of_its_map_and_over_the_image():
    maps = torch.full((2, 3, 8, 6), 1.)
    maps[1, 2, 5, 3:] = 3
    image = np.zeros((16, 12, 3), np.uint8)
    image[:, 6:] = 200
    pictures, _, _ = overlay(maps.clone(), image)
    other = np.argwhere((pictures != pictures[0, 0]).any(axis=-1))
    assert other.tolist() == [[1, 2, 5, x] for x in (3, 4, 5)]
    assert (pictures[0, 0, :, 4].astype(int)
            - pictures[0, 0, :, 1] == 100).all()


def test_one_hot_cell_does_not_flatten_the_rest():
    maps = torch.ones(1, 1, 40, 40)
    maps[..., :20, :] = 2
    maps[..., 0, 0] = 1000
    pictures, low, high = overlay(maps, np.zeros((40, 40, 3), np.uint8))
    assert (low, high) == (1, 2)
    assert (pictures[0, 0, 0, 0] == pictures[0, 0, 1, 1]).all()


def test_figure_says_what_its_parts_are():
    maps = {'student alone': torch.ones(3, 16, 16),
            'RDKD': torch.stack([spot(2.), spot(4.), spot(3.)])}
    figure = draw_attention(maps, [8, 16], np.zeros((9, 9, 3), np.uint8))
    *cells, bar = figure.axes
    assert [cell.get_title() for cell in cells] == [
        'stride 8', 'stride 16', 'average', '', '', '']
    assert [cells[0].get_ylabel(), cells[3].get_ylabel()] == [
        'student alone', 'RDKD']
    assert bar.get_ylim() == (pytest.approx(12 / 15), 4)
    assert 'times the average' in bar.get_ylabel()


@pytest.fixture
def detector(student_cfg):
    torch.manual_seed(0)
    detector = MODELS.build(student_cfg.model)
    detector.init_weights()
    detector.cfg = student_cfg
    return detector.eval()


@pytest.fixture
def odd_image(tmp_path):
    """An image of 75x40 pixels, which the detector gets as 96x64."""
    path = tmp_path / 'odd.png'
    noise = np.random.default_rng(0).integers(0, 255, (40, 75, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    return str(path)


@pytest.mark.parametrize('pad', [None, (128, 160)])
def test_attention_of_a_detector_is_without_padding(detector, odd_image, pad):
    """Padded to 128x64 by the preprocessor, or further by the pipeline."""
    detector.data_preprocessor.pad_size_divisor = 64
    padded = (64, 128)
    pipeline = detector.cfg.test_dataloader.dataset.pipeline
    pipeline[1].update(scale=(96, 64), keep_ratio=False)
    if pad:
        pipeline.insert(2, dict(type='Pad', size=pad[::-1]))
        padded = (128, 192)
    seen = []
    detector.neck.register_forward_hook(
        lambda module, inputs, output: seen.append(output))
    maps = detector_attention(detector, odd_image)
    features, = seen
    assert maps.shape == (len(features) + 1, 64, 96)
    for found, feature in zip(maps, features, strict=False):
        torch.testing.assert_close(
            found, attention_map(feature[0], padded, (64, 96)))
    torch.testing.assert_close(maps[-1], maps[:-1].mean(dim=0))
    assert len(detector.neck._forward_hooks) == 1  # this test's


def test_features_that_are_not_finite_are_said(detector, odd_image):
    detector.neck.lateral_convs[0].conv.weight.data.fill_(float('nan'))
    with pytest.raises(InputError, match='not finite'):
        detector_attention(detector, odd_image)


def test_images_are_read_as_rgb_or_refused(tmp_path):
    path = tmp_path / 'red.png'
    cv2.imwrite(str(path), np.full((2, 2, 3), (0, 0, 255), np.uint8))
    assert read_image(str(path))[0, 0].tolist() == [255, 0, 0]
    (tmp_path / 'text.png').write_text('no image')
    for name, problem in (('text.png', 'cannot be read'),
                          ('none.png', 'does not exist')):
        with pytest.raises(InputError, match=f'{name} {problem}'):
            read_image(str(tmp_path / name))
