"""RoI align without compiled operators."""
import sys

import mmcv.ops  # noqa: F401
import pytest
import torch
from operators import both, needs_compiled, with_gradients

from rdkd.compat.operators.roi_align import (
    Grid,
    roi_align,
    roi_align_gradient,
)

MODULE = sys.modules['mmcv.ops.roi_align']
MODES = [(mode, ratio, aligned) for mode in ('avg', 'max')
         for ratio in (0, 1, 3) for aligned in (True, False)]


def case(seed, dtype=torch.float32):
    """Maps and regions: some off the map, one of no area."""
    torch.manual_seed(seed)
    features = torch.randn(2, 3, 11, 13)
    corner = torch.rand(6, 2) * 60 - 5
    regions = torch.cat([torch.randint(2, (6, 1)), corner,
                         corner + torch.rand(6, 2) * 70], 1)
    regions[0, 3:] = regions[0, 1:3]
    return features.to(dtype), regions.to(dtype)


@needs_compiled
@pytest.mark.parametrize('mode, ratio, aligned', MODES)
def test_values_and_gradients_are_the_compiled_ones(
        monkeypatch, mode, ratio, aligned):
    for seed in range(40):
        features, regions = case(seed)
        expected, found = both(monkeypatch, MODULE, lambda f=features,
                               r=regions: with_gradients(
            lambda leaf: MODULE.roi_align(leaf, r, (3, 4), 0.25, ratio, mode,
                                          aligned), f))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@needs_compiled
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_other_precisions(monkeypatch, mode, dtype):
    tolerance = 3e-2 if dtype == torch.float16 else 1e-6
    features, regions = case(3, dtype)
    regions = regions.round()
    expected, found = both(monkeypatch, MODULE, lambda: MODULE.roi_align(
        features, regions, 3, 0.25, 2, mode, True))
    torch.testing.assert_close(found, expected, rtol=tolerance,
                               atol=tolerance)


@pytest.mark.parametrize('mode', ['avg', 'max'])
def test_no_regions(monkeypatch, mode):
    from operators import PLAIN
    monkeypatch.setattr(MODULE, 'ext_module', PLAIN)
    features, _ = case(0)
    result, gradient = with_gradients(
        lambda leaf: MODULE.roi_align(leaf, torch.zeros(0, 5), 7, 0.25, 0,
                                      mode, True), features)
    assert result.shape == (0, 3, 7, 7) and not gradient.any()


def test_a_region_of_whole_pixels_is_their_average():
    features = torch.arange(16.0).view(1, 1, 4, 4)
    region = torch.tensor([[0.0, 0, 0, 4, 4]])
    grid = Grid((2, 2), 1.0, 0, True)
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]]).view(1, 1, 2, 2)
    torch.testing.assert_close(roi_align(features, region, grid), expected)


@pytest.mark.parametrize('ratio', [0, 2])
def test_the_gradient_is_that_of_the_sums(ratio):
    features, regions = case(5, torch.float64)
    grid = Grid((3, 4), 0.25, ratio, True)
    assert torch.autograd.gradcheck(
        lambda leaf: roi_align(leaf, regions, grid),
        features.requires_grad_())
    result = roi_align(features, regions, grid)
    given = torch.randn_like(result)
    written = torch.zeros_like(features)
    roi_align_gradient(given, regions, grid, written)
    expected, = torch.autograd.grad(result, features, given)
    torch.testing.assert_close(written, expected)
