"""Attention against the equations written out, and what it may not hold."""
import math

import pytest
import torch
from helpers import draw
from torch.autograd.graph import saved_tensors_hooks

from rdkd.functional.attention import channel_attention, position_attention
from rdkd.layers.attention import DualAttention, PositionAttention


def literal_position(query, key, value):
    """DANet's spatial attention, one output position at a time."""
    out = torch.zeros_like(query)
    for n in range(query.shape[0]):
        q, k, v = (x[n].flatten(1) for x in (query, key, value))
        for i in range(q.shape[1]):
            scores = torch.stack([(q[:, i] * k[:, j]).sum()
                                  for j in range(k.shape[1])])
            weights = scores.exp() / scores.exp().sum()
            out[n].view(q.shape[0], -1)[:, i] = (v * weights).sum(dim=1)
    return out


def literal_channel(x):
    """DANet's channel attention, one channel at a time."""
    out = torch.zeros_like(x)
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            energy = torch.stack([(x[n, i] * x[n, j]).sum()
                                  for j in range(x.shape[1])])
            weights = (energy.max() - energy).exp()
            weights = weights / weights.sum()
            out[n, i] = (weights[:, None, None] * x[n]).sum(dim=0)
    return out


def test_position_attention_is_the_written_out_equation():
    query, key, value = draw(3, 2, 8, 3, 4)
    torch.testing.assert_close(position_attention(query, key, value),
                               literal_position(query, key, value))


def test_position_attention_reads_from_fewer_keys_than_queries():
    query = draw(2, 8, 4, 5)
    key, value = draw(2, 2, 8, 2, 3)
    torch.testing.assert_close(position_attention(query, key, value),
                               literal_position(query, key, value))


def test_channel_attention_is_the_written_out_equation():
    x = draw(2, 5, 3, 4)
    torch.testing.assert_close(channel_attention(x), literal_channel(x))


def test_position_attention_worked_out_by_hand():
    """Scores log 3 and 0 weigh three quarters and one quarter."""
    query = torch.ones(1, 1, 1, 1)
    key = torch.tensor([math.log(3), 0.0]).view(1, 1, 1, 2)
    value = torch.tensor([4.0, 8.0]).view(1, 1, 1, 2)
    assert position_attention(query, key, value).item() == pytest.approx(5)


def test_channel_attention_worked_out_by_hand():
    """Two channels that share nothing: each reads three quarters of the
    other, because the one least like it weighs most.
    """
    side = math.sqrt(math.log(3))
    x = torch.tensor([[side, 0.0], [0.0, side]]).view(1, 2, 1, 2)
    expected = torch.tensor([[0.25, 0.75], [0.75, 0.25]]) * side
    torch.testing.assert_close(channel_attention(x),
                               expected.view(1, 2, 1, 2))


def test_attention_of_constant_values_is_that_constant():
    query, key = draw(2, 1, 8, 4, 4)
    value = torch.full((1, 8, 4, 4), 3., dtype=torch.float64)
    torch.testing.assert_close(position_attention(query, key, value), value)


def test_gradients():
    query, key, value = (x.requires_grad_() for x in draw(3, 1, 8, 2, 3))
    assert torch.autograd.gradcheck(position_attention, (query, key, value))
    x = draw(1, 4, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(channel_attention, (x, ))


@pytest.mark.parametrize('x', [
    torch.zeros(1, 8, 1, 1),
    torch.full((2, 8, 3, 3), 7.),
    draw(1, 8, 6, 6, dtype=torch.float32, scale=300),
    draw(1, 8, 6, 6, dtype=torch.float32).half() * 300,
    draw(1, 8, 6, 6, dtype=torch.float32).bfloat16() * 300,
], ids=['one cell', 'constant', 'large', 'half', 'bfloat16'])
def test_extremes_are_finite_and_keep_dtype(x):
    x = x.requires_grad_()
    for out in (position_attention(x, x, x), channel_attention(x)):
        assert out.dtype == x.dtype
        assert out.shape == x.shape
        assert out.isfinite().all()
        grad, = torch.autograd.grad(out.float().sum(), x)
        assert grad.isfinite().all()


def test_softmax_is_taken_in_float32_under_autocast():
    x = draw(1, 8, 6, 6, dtype=torch.float32, scale=4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = position_attention(x, x, x), channel_attention(x)
    torch.testing.assert_close(mixed[0], position_attention(x, x, x))
    torch.testing.assert_close(mixed[1], channel_attention(x))


def test_exact_attention_never_holds_the_square_matrix():
    """No tensor kept for backward is near (H*W)^2, and none is made."""
    attention = PositionAttention(32, kv_size=None)
    x = draw(1, 32, 64, 64, dtype=torch.float32).requires_grad_()
    square = (64 * 64)**2
    saved = []
    with saved_tensors_hooks(lambda t: saved.append(t.numel()) or t,
                             lambda t: t):
        with torch.profiler.profile(profile_memory=True) as profile:
            out = attention(x)
        out.sum().backward()
    assert max(saved) < square / 50
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 4 * square / 50


def test_pooled_attention_is_exact_on_maps_that_are_not_larger():
    torch.manual_seed(0)
    pooled, exact = PositionAttention(32, 8), PositionAttention(32, None)
    exact.load_state_dict(pooled.state_dict())
    x = draw(2, 32, 8, 6, dtype=torch.float32)
    torch.testing.assert_close(pooled(x), exact(x), rtol=0, atol=0)


def test_pooled_attention_is_near_exact_on_smooth_maps():
    """A map that varies slowly loses little when keys are pooled by two."""
    torch.manual_seed(0)
    pooled, exact = PositionAttention(32, 16), PositionAttention(32, None)
    exact.load_state_dict(pooled.state_dict())
    coarse = draw(2, 32, 4, 4, dtype=torch.float32)
    x = torch.nn.functional.interpolate(coarse, size=(32, 32),
                                        mode='bilinear')
    reference = exact(x)
    difference = (pooled(x) - reference).norm() / reference.norm()
    assert 0 < difference < 0.02


def test_dual_attention_starts_as_the_identity_and_learns():
    module = DualAttention(16, kv_size=16)
    x = draw(1, 16, 4, 4, dtype=torch.float32)
    torch.testing.assert_close(module(x), x, rtol=0, atol=0)
    module(x).square().sum().backward()
    assert module.alpha.grad.abs() > 0
    assert module.beta.grad.abs() > 0


@pytest.mark.parametrize('size, pooled', [
    ((4, 24), (4, 8)), ((24, 4), (8, 4)), ((9, 8), (8, 8)), ((8, 8), (8, 8))])
def test_the_longer_side_decides_whether_keys_are_pooled(size, pooled):
    """And only sides above ``kv_size`` are."""
    attention = PositionAttention(16, kv_size=8).double()
    x = draw(2, 16, *size)
    context = torch.nn.functional.adaptive_avg_pool2d(x, pooled)
    expected = attention.project(literal_position(
        attention.query(x), attention.key(context), attention.value(context)))
    torch.testing.assert_close(attention(x), expected)
