"""Focal losses and deformable attention without compiled operators.

MMCV compiles both for devices only: literal references stand here.
"""
import sys

import mmcv.ops
import pytest
import torch
from operators import PLAIN, with_gradients
from torch.nn import functional as F

LOSSES = sys.modules['mmcv.ops.focal_loss']
ATTENTION = sys.modules['mmcv.ops.multi_scale_deform_attn']


def sigmoid_reference(logits, target, gamma, alpha, weight):
    hot = F.one_hot(target, logits.shape[1] + 1)[:, :-1].bool()
    p = logits.sigmoid()
    loss = torch.where(hot, -alpha * (1 - p) ** gamma * p.log(),
                       -(1 - alpha) * p ** gamma * (1 - p).log())
    factor = torch.cat([weight, weight.new_ones(1)])[target]
    return (loss * factor[:, None]).sum()


def softmax_reference(logits, target, gamma, alpha, weight):
    p = logits.softmax(1).gather(1, target[:, None])[:, 0]
    return (-alpha * (1 - p) ** gamma * p.log() * weight[target]).sum()


@pytest.mark.parametrize('name, reference, background', [
    ('sigmoid_focal_loss', sigmoid_reference, 1),
    ('softmax_focal_loss', softmax_reference, 0)])
def test_focal_losses(monkeypatch, name, reference, background):
    monkeypatch.setattr(LOSSES, 'ext_module', PLAIN)
    function = getattr(LOSSES, name)
    for seed in range(30):
        torch.manual_seed(seed)
        logits = torch.randn(7, 4, dtype=torch.float64) * 3
        target = torch.randint(4 + background, (7,))
        weight = torch.rand(4, dtype=torch.float64)
        found, expected = (with_gradients(call, logits) for call in (
            lambda leaf, t=target, w=weight: function(
                leaf, t, 2.0, 0.25, w, 'sum'),
            lambda leaf, t=target, w=weight: reference(
                leaf, t, 2.0, 0.25, w)))
        torch.testing.assert_close(found, expected)


def test_focal_loss_of_certainty_is_finite(monkeypatch):
    monkeypatch.setattr(LOSSES, 'ext_module', PLAIN)
    for dtype in (torch.float32, torch.float16):
        logits = torch.tensor([[1e3, -1e3]], dtype=dtype)
        for value in with_gradients(
                lambda leaf: LOSSES.sigmoid_focal_loss(
                    leaf, torch.tensor([1]), 2.0, 0.25, None, 'none'),
                logits):
            assert value.isfinite().all()


def test_attention_is_mmcvs_own_in_torch():
    torch.manual_seed(0)
    shapes = torch.tensor([[4, 5], [2, 3]])
    value = torch.randn(2, 26, 2, 3)
    places, weights = torch.rand(2, 6, 2, 2, 4, 2), torch.rand(2, 6, 2, 2, 4)

    def plain(value, places, weights):
        return ATTENTION.multi_scale_deformable_attn_pytorch(
            value, shapes, places, weights)

    expected = with_gradients(plain, value, places, weights)
    start = torch.tensor([0, 20])
    inputs = value, shapes, start, places, weights
    found = PLAIN.ms_deform_attn_forward(*inputs, im2col_step=64)
    torch.testing.assert_close(found, expected[0])
    gradients = [torch.zeros_like(v) for v in (value, places, weights)]
    given = torch.linspace(-1, 1, found.numel()).view_as(found)
    PLAIN.ms_deform_attn_backward(*inputs, given, *gradients, im2col_step=64)
    torch.testing.assert_close(gradients, expected[1:])


def test_every_other_operator_says_its_name():
    assert mmcv.ops.RoIPool is not None
    with pytest.raises(NotImplementedError, match='roi_pool_forward'):
        PLAIN.roi_pool_forward(1, 2)
    assert not hasattr(PLAIN, '__file__')
