"""Attention of detectors: what is computed, and without the padding."""
import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from rdkd.analysis.attention import attention_map, detector_attention
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
