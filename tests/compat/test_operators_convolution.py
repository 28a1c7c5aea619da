"""Deformable and masked convolution without compiled operators."""
import sys

import mmcv.ops  # noqa: F401
import pytest
import torch
from operators import PLAIN, both, needs_compiled, with_gradients
from torch.nn import functional as F

from rdkd.compat.operators.deform_conv import Convolution, deform_conv2d

DEFORM = sys.modules['mmcv.ops.deform_conv']
MODULATED = sys.modules['mmcv.ops.modulated_deform_conv']
MASKED = sys.modules['mmcv.ops.masked_conv']


def case(seed, groups, parts, spread=3.0, dtype=torch.float32):
    torch.manual_seed(seed)
    stride, padding, dilation = (1 + seed % 2, 1), (1, seed % 3), (
        1, 1 + seed % 2)
    rows = (9 + 2 * padding[0] - dilation[0] * 2 - 1) // stride[0] + 1
    columns = (7 + 2 * padding[1] - dilation[1] - 1) // stride[1] + 1
    inputs = [torch.randn(2, 8, 9, 7),
              torch.randn(2, parts * 12, rows, columns) * spread,
              torch.rand(2, parts * 6, rows, columns),
              torch.randn(8, 8 // groups, 3, 2), torch.randn(8)]
    return [value.to(dtype) for value in inputs], (
        stride, padding, dilation, groups, parts)


@needs_compiled
@pytest.mark.parametrize('groups, parts', [(1, 1), (2, 2), (1, 4), (4, 1)])
@pytest.mark.parametrize('spread', [0.0, 3.0])
def test_values_and_gradients_are_the_compiled_ones(
        monkeypatch, groups, parts, spread):
    for seed in range(12):
        inputs, sizes = case(seed, groups, parts, spread)
        expected, found = both(
            monkeypatch, MODULATED, lambda i=inputs, s=sizes: with_gradients(
                lambda *leaves: MODULATED.modulated_deform_conv2d(
                    *leaves, *s), *i))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        inputs = [inputs[0], inputs[1], inputs[3]]
        expected, found = both(
            monkeypatch, DEFORM, lambda i=inputs, s=sizes: with_gradients(
                lambda *leaves: DEFORM.deform_conv2d(*leaves, *s), *i))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_taps_that_are_not_moved_are_a_convolution():
    (features, offset, mask, weight, bias), sizes = case(2, 2, 2, 0.0)
    stride, padding, dilation, groups, _ = sizes
    found = deform_conv2d(features, weight, offset, torch.ones_like(mask),
                          bias, Convolution(*sizes))
    torch.testing.assert_close(found, F.conv2d(
        features, weight, bias, stride, padding, dilation, groups),
        rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_differences():
    inputs, sizes = case(1, 2, 2, 0.4, torch.float64)
    features, offset, mask, weight, bias = (
        value[:1] if value.dim() == 4 and len(value) == 2 else value
        for value in inputs)
    leaves = [value.clone().requires_grad_() for value in (
        features, weight, offset, mask, bias)]
    assert torch.autograd.gradcheck(
        lambda *inputs: deform_conv2d(*inputs, Convolution(*sizes)), leaves,
        fast_mode=True)


def test_masked_convolution_is_a_convolution_at_some_pixels(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(MASKED, 'ext_module', PLAIN)
    features, weight = torch.randn(1, 4, 9, 7), torch.randn(5, 4, 3, 3)
    bias = torch.randn(5)
    mask = (torch.rand(1, 9, 7) > 0.6).float()
    found = MASKED.masked_conv2d(features, mask, weight, bias, 1)
    torch.testing.assert_close(
        found, F.conv2d(features, weight, bias, padding=1) * mask,
        rtol=1e-4, atol=1e-5)
