"""What the method compares, on real tiny models."""
import copy
import zlib

import pytest
import torch
from helpers import build, steps


def test_losses_are_logged_by_level_and_side(rdkd_cfg, batch):
    losses = build(rdkd_cfg)(**batch, mode='loss')
    assert set(losses) == {'student.loss_cls', 'student.loss_bbox'} | {
        f'distill.loss_{side}_s{stride}' for side in ('fg', 'bg')
        for stride in (8, 16, 32, 64, 128)}


def test_distillation_teaches(rdkd_cfg, batch):
    history = steps(build(rdkd_cfg), batch, 10, torch.optim.AdamW, 2e-3)
    sums = [sum(v for k, v in step.items() if k.startswith('distill'))
            for step in history]
    assert sums[-1] < 0.8 * sums[0]


def away_from_the_start(distiller):
    """Weights by their names alone, so that two distillers share them."""
    for name, parameter in distiller.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        with torch.no_grad():
            parameter.copy_(0.3 * torch.randn(parameter.shape,
                                              generator=generator))


def distillation_losses(cfg, batch, **settings):
    """Losses of a distiller away from its start, by name."""
    model = build(cfg, **settings)
    away_from_the_start(model.distiller)
    losses = model(**copy.deepcopy(batch), mode='loss')
    return {k: v.item() for k, v in losses.items() if k.startswith('distill')}


@pytest.mark.parametrize('switch', ['review', 'attention', 'decouple',
                                    'pyramid', 'standardize'])
def test_every_switch_changes_the_sum_of_the_losses(rdkd_cfg, batch, switch):
    """With the same weights of everything that both forms have."""
    sums = []
    for value in (True, False):
        losses = distillation_losses(rdkd_cfg, batch, **{switch: value})
        sums.append(sum(losses.values()))
    assert abs(sums[0] - sums[1]) > 1e-4 * sums[0]


@pytest.mark.parametrize('argument, one, other', [
    ('direct', 0.3, 0.8), ('fg_weight', 1.0, 2.0), ('bg_weight', 0.5, 1.0),
    ('box_balance', 1.0, 0.0), ('kv_size', 2, None),
    ('reduction', 4, 1), ('loss_weight', 1.0, 2.0)])
def test_every_number_changes_the_sum_of_the_losses(rdkd_cfg, batch, argument,
                                                    one, other):
    sums = []
    for value in (one, other):
        losses = distillation_losses(rdkd_cfg, batch, **{argument: value})
        sums.append(sum(losses.values()))
    assert abs(sums[0] - sums[1]) > 1e-5 * sums[0]


def test_direct_and_reviewed_share_the_loss(rdkd_cfg, batch):
    """`direct` of the one and the rest of the other, linearly."""
    found = {}
    for direct in (0.0, 0.25, 1.0):
        losses = distillation_losses(rdkd_cfg, batch, direct=direct)
        found[direct] = losses['distill.loss_fg_s8']
    assert found[0.0] > 0.1 * found[1.0]
    assert found[0.0] != pytest.approx(found[1.0], rel=1e-3)
    assert found[0.25] == pytest.approx(
        0.75 * found[0.0] + 0.25 * found[1.0], rel=1e-4)


def test_a_quarter_is_of_the_student_s_own_levels(rdkd_cfg, batch):
    """And three quarters of the reviewed ones, written out."""
    model = build(rdkd_cfg, direct=0.25, loss_weight=3., decouple=False,
                  pyramid=False, standardize=False)
    away_from_the_start(model.distiller)
    losses = model(**copy.deepcopy(batch), mode='loss')
    with torch.no_grad():
        teacher = model.teacher.model.extract_feat(batch['inputs'])
        own = model.student.extract_feat(batch['inputs'])
        reviewed = model.distiller.connectors['review'](own)
    for stride, s, r, t in zip((8, 16, 32, 64, 128), own, reviewed, teacher,
                               strict=True):
        direct, after = ((x - t).square().mean() for x in (s, r))
        assert abs(direct - after) > 0.05 * direct
        torch.testing.assert_close(
            losses[f'distill.loss_s{stride}'],
            3 * (0.25 * direct + 0.75 * after), rtol=1e-4, atol=1e-6)


def test_every_switch_off_is_plain_feature_distillation(rdkd_cfg, batch):
    model = build(rdkd_cfg, review=False, attention=False, decouple=False,
                  pyramid=False, standardize=False, box_balance=0.0,
                  loss_weight=3.)
    losses = model(**copy.deepcopy(batch), mode='loss')
    assert not list(model.distiller.parameters())
    with torch.no_grad():
        teacher = model.teacher.model.extract_feat(batch['inputs'])
        student = model.student.extract_feat(batch['inputs'])
    # All images of the batch have one size: there is no padding but below
    # the last row of cells, which the mask excludes.
    heights = [s.img_shape[0] for s in batch['data_samples']]
    for stride, s, t in zip((8, 16, 32, 64, 128), student, teacher,
                            strict=True):
        rows = -(-heights[0] * s.shape[2] // batch['inputs'].shape[2])
        expected = 3 * (s - t)[:, :, :rows].square().mean()
        torch.testing.assert_close(losses[f'distill.loss_s{stride}'],
                                   expected, rtol=1e-4, atol=1e-6)


def test_channels_may_differ(rdkd_cfg, batch):
    rdkd_cfg.model.architecture.neck.out_channels = 32
    rdkd_cfg.model.architecture.bbox_head.in_channels = 32
    model = build(rdkd_cfg)
    losses, = steps(model, batch, 1)
    assert all(p.grad is not None and p.grad.isfinite().all()
               for p in model.parameters() if p.requires_grad)
    assert losses['distill.loss_fg_s8'] > 0


def test_no_boxes_at_all(rdkd_cfg, batch):
    for sample in batch['data_samples']:
        sample.gt_instances = sample.gt_instances[:0]
    losses, = steps(build(rdkd_cfg), batch, 1)
    for name, value in losses.items():
        assert value.isfinite()
        assert value == 0 or '_fg_' not in name


@pytest.mark.parametrize('size', [(1, 32), (33, 65)])
def test_odd_sizes(rdkd_cfg, batch, size):
    height, width = size
    batch['inputs'] = batch['inputs'][:, :, :height, :width]
    for sample in batch['data_samples']:
        sample.set_metainfo(dict(img_shape=size, batch_input_shape=size,
                                 pad_shape=size))
    losses, = steps(build(rdkd_cfg), batch, 1)
    assert all(value.isfinite() for value in losses.values())
