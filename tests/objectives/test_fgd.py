"""FGD against its equations written out, by cell."""
import copy
import math

import pytest
import torch
from helpers import build, draw, sample, steps
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from rdkd.objectives.fgd import (
    FGDDistiller,
    focal_weights,
    spatial_and_channel_attention,
    weighted_squared_error,
)


def literal_attention(x, temperature):
    """Equations 2 to 5 for one image."""
    channels, height, width = x.shape
    places = torch.tensor([[
        sum(abs(x[c, i, j]) for c in range(channels)) / channels / temperature
        for j in range(width)] for i in range(height)]).exp()
    of_channels = torch.tensor([
        sum(abs(v) for v in x[c].flatten()) / (height * width) / temperature
        for c in range(channels)]).exp()
    return (height * width * places / places.sum(),
            channels * of_channels / of_channels.sum())


def literal_weights(boxes, size, valid, pixels=64):
    """Equations 6 and 7 for one image, box by box and cell by cell."""
    scale = size / pixels
    foreground = torch.zeros(size, size)
    for x1, y1, x2, y2 in boxes:
        rows = range(math.floor(y1 * scale), math.ceil(y2 * scale))
        columns = range(math.floor(x1 * scale), math.ceil(x2 * scale))
        for i in rows:
            for j in columns:
                foreground[i, j] = max(foreground[i, j].item(),
                                       1 / (len(rows) * len(columns)))
    foreground = foreground * valid
    background = ((foreground == 0) & (valid > 0)).float()
    return foreground, background / max(1, background.sum())


def test_attention_is_the_written_out_equation():
    x = draw(2, 3, 4, 5)
    places, channels = spatial_and_channel_attention(x, 0.5)
    for n in range(2):
        expected = literal_attention(x[n], 0.5)
        torch.testing.assert_close(places[n, 0], expected[0].double(),
                                   rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(channels[n, :, 0, 0],
                                   expected[1].double(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(places.mean(), torch.ones(()).double())
    torch.testing.assert_close(channels.mean(), torch.ones(()).double())


def test_a_map_worked_out_by_hand():
    """Two cells, the second `T log 3` strong: weights 1/2 and 3/2.

    Both of two channels are the same, so that each weighs 1.

    The box lies on the second cell; the student is 1 everywhere, so its own
    attention is even: |1 - 1/2| + |1 - 3/2| = 1.
    """
    strength = 0.5 * math.log(3)
    teacher = torch.tensor([[[[0.0, strength]]]]).expand(1, 2, 1, 2)
    student = torch.ones(1, 2, 1, 2)
    places, channels = spatial_and_channel_attention(teacher, 0.5)
    torch.testing.assert_close(places.flatten(), torch.tensor([0.5, 1.5]))
    torch.testing.assert_close(channels.flatten(), torch.ones(2))
    distiller = FGDDistiller(alpha=2.0, beta=3.0, gamma=5.0,
                             lambda_global=7.0, temperature=0.5)
    distiller.build([2], [2])
    (foreground, background), = focal_weights(
        [sample([[8., 0., 16., 8.]], (8, 16), (8, 16))], [(1, 2)])
    losses = distiller.level(0, student, teacher, foreground, background)
    gap = 1 - strength
    expected = dict(fg=2 * 1.5 * 2 * gap**2, bg=3 * 0.5 * 2, attention=5 * 1)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value), name
    # The context blocks start as the identity.
    assert losses['global'].item() == pytest.approx(7 * 2 * (1 + gap**2))


def test_weights_are_the_written_out_ones():
    boxes = [[[3., 3., 40., 30.], [20., 10., 28., 50.]],
             [[0., 0., 64., 9.]], []]
    shapes = [(64, 64), (64, 40), (50, 64)]
    found = focal_weights(
        [sample(b, s) for b, s in zip(boxes, shapes, strict=True)],
        [(16, 16), (4, 4), (1, 1)])
    for size, (foreground, background) in zip((16, 4, 1), found, strict=True):
        for n in range(3):
            valid = torch.zeros(size, size)
            valid[:math.ceil(shapes[n][0] * size / 64),
                  :math.ceil(shapes[n][1] * size / 64)] = 1
            expected = literal_weights(boxes[n], size, valid)
            torch.testing.assert_close(foreground[n, 0], expected[0])
            torch.testing.assert_close(background[n, 0], expected[1])


def test_every_box_weighs_the_same_and_so_does_the_background():
    (foreground, background), = focal_weights(
        [sample([[0., 0., 8., 8.], [32., 32., 64., 64.]])], [(16, 16)])
    assert foreground[0, 0, :2, :2].sum() == 1
    assert foreground[0, 0, 8:, 8:].sum() == pytest.approx(1)
    assert background.sum() == pytest.approx(1)


def test_no_boxes_at_all_have_no_foreground():
    (foreground, background), = focal_weights([sample([]), sample([])],
                                              [(8, 8)])
    assert foreground.eq(0).all()
    assert background.sum() == pytest.approx(2)


def test_squared_error_is_summed_over_all_but_images():
    student, teacher = draw(2, 2, 3, 4, 5)
    weight = draw(2, 1, 4, 5, seed=2).abs()
    expected = sum(
        weight[n, 0, i, j] * (student[n, c, i, j] - teacher[n, c, i, j])**2
        for n in range(2) for c in range(3) for i in range(4)
        for j in range(5)) / 2
    torch.testing.assert_close(
        weighted_squared_error(student, teacher, weight), expected)
    student.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: weighted_squared_error(x, teacher, weight), (student, ))


def distiller(**options):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmrazor'):
        module = FGDDistiller(**options)
    module.build([4], [4])
    return module.double()


def test_zero_where_equal_and_positive_where_not():
    module = distiller()
    x, (weights, ) = draw(1, 4, 8, 8), focal_weights(
        [sample([[0., 0., 30., 30.]])], [(8, 8)])
    weights = [w.double() for w in weights]
    assert all(v == 0 for v in module.level(0, x, x, *weights).values())
    other = module.level(0, x, x.flip(1), *weights)
    assert all(v > 0 for v in other.values())


def test_gradients():
    module = distiller(alpha=1, beta=1, gamma=1, lambda_global=1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, teacher = draw(2, 1, 4, 3, 4)
    weights = [draw(1, 1, 3, 4, seed=s).abs() for s in (3, 4)]
    x.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: sum(module.level(0, x, teacher, *weights).values()), (x, ))


def test_at_first_the_global_relation_is_the_map_itself():
    module = distiller(lambda_global=1)
    x, teacher = draw(2, 1, 4, 8, 8)
    ones = torch.ones(1, 1, 8, 8).double()
    torch.testing.assert_close(
        module.level(0, x, teacher, ones, ones)['global'],
        (x - teacher).square().sum())


def test_it_trains_and_every_parameter_learns(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(type='FGDDistiller')
    rdkd_cfg.model.architecture.neck.out_channels = 32
    rdkd_cfg.model.architecture.bbox_head.in_channels = 32
    model = build(rdkd_cfg)
    losses = steps(model, batch, 1)[0]
    assert {name.split('_s')[0] for name in losses
            if name.startswith('distill')} == {
        'distill.loss_fg', 'distill.loss_bg', 'distill.loss_attention',
        'distill.loss_global'}
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all()
               for p in model.distiller.parameters())


def test_without_boxes_only_the_rest_is_distilled(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(type='FGDDistiller')
    batch = copy.deepcopy(batch)
    for each in batch['data_samples']:
        each.gt_instances = each.gt_instances[:0]
    losses = steps(build(rdkd_cfg), batch, 1)[0]
    for name, value in losses.items():
        if name.startswith('distill'):
            assert value.isfinite()
            assert (value == 0) == ('_fg_' in name)
