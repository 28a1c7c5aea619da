"""The promises about teacher, student and training, on real tiny models."""
import copy
import zlib

import pytest
import torch
from helpers import build, digest, steps
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.detectors.levels import Level, match_levels, neck_levels
from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict
from rdkd.io.config import load_config
from rdkd.teacher.build import build_teacher


def test_promise_1_the_teacher_is_immutable(rdkd_cfg, batch):
    model = build(rdkd_cfg)
    before = digest(model.teacher.model)
    model.train()
    assert not any(m.training for m in model.teacher.model.modules())
    steps(model, batch)
    assert digest(model.teacher.model) == before
    assert not any(p.requires_grad for p in model.teacher.model.parameters())
    assert all(p.grad is None for p in model.teacher.model.parameters())


def test_promise_1_the_teacher_is_no_submodule(rdkd_cfg):
    model = build(rdkd_cfg)
    teachers = {id(p) for p in model.teacher.model.parameters()}
    assert teachers
    assert not teachers & {id(p) for p in model.parameters()}
    assert not any('teacher' in key for key in model.state_dict())
    assert not any('teacher' in name for name, _ in model.named_modules())
    assert {k.split('.')[0] for k in model.state_dict()} == {
        'architecture', 'distiller'}


def test_promise_1_the_teacher_follows_to(rdkd_cfg):
    model = build(rdkd_cfg).to(torch.float64)
    teachers = model.teacher.model.parameters
    assert all(p.dtype == torch.float64 for p in teachers())
    model = model.to('meta')
    assert all(p.device.type == 'meta' for p in teachers())


def test_promise_1_initialisation_leaves_the_teacher_alone(rdkd_cfg,
                                                           teacher_files):
    model = build(rdkd_cfg)
    loaded = build_teacher(*map(str, teacher_files))
    image = torch.randn(1, 3, 64, 96)
    for found, expected in zip(model.teacher.model(image), loaded(image),
                               strict=True):
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    heads = {key: value for key, value in loaded.state_dict().items()
             if not key.startswith('backbone')}
    state = model.teacher.model.state_dict()
    assert heads
    assert all(torch.equal(state[key], heads[key]) for key in heads)


def test_only_backbone_and_neck_of_the_teacher_run(rdkd_cfg, batch):
    model = build(rdkd_cfg)
    ran = []
    for name, module in model.teacher.model.named_children():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    model(**batch, mode='loss')
    assert set(ran) == {'backbone', 'neck'}


@pytest.mark.parametrize('change, named', [
    (lambda s: s.pop('bbox_head.retina_cls.weight'),
     'missing from it: bbox_head.retina_cls.weight'),
    (lambda s: s.update(extra=torch.ones(1)), 'unknown to the model: extra'),
    (lambda s: s.update({'bbox_head.retina_cls.bias': torch.ones(720)}),
     'bbox_head.retina_cls.bias (720,)'),
])
def test_promise_2_a_teacher_that_does_not_fit_is_refused(
        rdkd_cfg, teacher_files, tmp_path, change, named):
    checkpoint = torch.load(teacher_files[1], weights_only=True)
    change(checkpoint['state_dict'])
    file = tmp_path / 'other.pth'
    save_checkpoint(checkpoint, str(file))
    rdkd_cfg.model.teacher_ckpt = str(file)
    with pytest.raises(InputError) as error:
        build(rdkd_cfg)
    assert named in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize('meta', [
    dict(dataset_meta=dict(classes=('a', 'b'))),
    dict(dataset_meta=dict(CLASSES=('a', 'b'))), dict(CLASSES=('a', 'b'))])
def test_promise_2_class_names_of_every_mmdetection_are_read(
        rdkd_cfg, teacher_files, tmp_path, meta):
    checkpoint = torch.load(teacher_files[1], weights_only=True)
    checkpoint['meta'] = meta
    rdkd_cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')
    save_checkpoint(checkpoint, rdkd_cfg.model.teacher_ckpt)
    assert build(rdkd_cfg).teacher.classes == ('a', 'b')


@pytest.mark.parametrize('checkpoint', [None, '', 'no/such/file.pth'])
def test_promise_2_a_missing_teacher_is_refused(rdkd_cfg, checkpoint):
    rdkd_cfg.model.teacher_ckpt = checkpoint
    with pytest.raises(InputError, match='teacher_ckpt=FILE'):
        build(rdkd_cfg)


def test_promise_4_the_student_ships_clean(rdkd_cfg, student_cfg, batch):
    """Its weights load strictly into the plain config and act the same."""
    model = build(rdkd_cfg)
    steps(model, batch)
    plain = MODELS.build(student_cfg.model)
    plain.load_state_dict(
        detector_state_dict(dict(state_dict=model.state_dict()), 'test'))
    model.eval()
    plain.eval()
    with torch.no_grad():
        for ours, theirs in zip(model(batch['inputs'], mode='tensor'),
                                plain(batch['inputs'], mode='tensor'),
                                strict=True):
            assert all(map(torch.equal, ours, theirs))


def test_promise_5_weight_zero_is_the_baseline(rdkd_cfg, student_cfg, batch):
    """Losses, gradients, weights and random state, bit by bit."""
    distilled = build(rdkd_cfg, loss_weight=0)
    after_build = torch.get_rng_state()
    torch.manual_seed(0)
    plain = MODELS.build(student_cfg.model)
    plain.init_weights()
    plain.train()
    assert torch.equal(after_build, torch.get_rng_state())

    ours = steps(distilled, batch, 3)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    torch.set_rng_state(after_build)
    theirs = steps(plain, batch, 3)
    assert torch.equal(state, torch.get_rng_state())
    for one, other in zip(ours, theirs, strict=True):
        assert {k.removeprefix('student.'): v for k, v in one.items()} == other
    for (key, p), q in zip(plain.named_parameters(),
                           distilled.student.parameters(), strict=True):
        assert torch.equal(p, q), key
        assert torch.equal(p.grad, q.grad), key


def test_promise_5_a_distilled_student_starts_where_the_baseline_does(
        rdkd_cfg, student_cfg):
    distilled = build(rdkd_cfg)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    plain = MODELS.build(student_cfg.model)
    plain.init_weights()
    assert torch.equal(state, torch.get_rng_state())
    for key, value in plain.state_dict().items():
        assert torch.equal(value, distilled.student.state_dict()[key]), key


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


@pytest.mark.parametrize('switch', ['review', 'attention', 'decouple',
                                    'pyramid', 'standardize',
                                    'box_balance'])
def test_every_switch_changes_the_sum_of_the_losses(rdkd_cfg, batch, switch):
    """With the same weights of everything that both forms have."""
    sums = []
    for value in (True, False):
        model = build(rdkd_cfg, **{switch: value})
        away_from_the_start(model.distiller)
        losses = model(**copy.deepcopy(batch), mode='loss')
        sums.append(sum(v.item() for k, v in losses.items()
                        if k.startswith('distill')))
    assert abs(sums[0] - sums[1]) > 1e-4 * sums[0]


@pytest.mark.parametrize('argument, one, other', [
    ('direct', 0.3, 0.8), ('fg_weight', 1.0, 2.0), ('bg_weight', 0.5, 1.0),
    ('kv_size', 2, None), ('reduction', 4, 1), ('loss_weight', 1.0, 2.0)])
def test_every_number_changes_the_sum_of_the_losses(rdkd_cfg, batch, argument,
                                                    one, other):
    sums = []
    for value in (one, other):
        model = build(rdkd_cfg, **{argument: value})
        away_from_the_start(model.distiller)
        losses = model(**copy.deepcopy(batch), mode='loss')
        sums.append(sum(v.item() for k, v in losses.items()
                        if k.startswith('distill')))
    assert abs(sums[0] - sums[1]) > 1e-5 * sums[0]


def test_direct_and_reviewed_share_the_loss(rdkd_cfg, batch):
    """`direct` of the one and the rest of the other, linearly."""
    found = {}
    for direct in (0.0, 0.25, 1.0):
        model = build(rdkd_cfg, direct=direct)
        away_from_the_start(model.distiller)
        losses = model(**copy.deepcopy(batch), mode='loss')
        found[direct] = losses['distill.loss_fg_s8'].item()
    assert found[0.0] > 0.1 * found[1.0]
    assert found[0.0] != pytest.approx(found[1.0], rel=1e-3)
    assert found[0.25] == pytest.approx(
        0.75 * found[0.0] + 0.25 * found[1.0], rel=1e-4)


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


def test_mixed_precision_gives_the_distillation_losses_in_float32(rdkd_cfg,
                                                                  batch):
    model = build(rdkd_cfg)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**batch, mode='loss')
    for name, value in losses.items():
        if name.startswith('distill'):
            assert value.dtype == torch.float32
            assert value.isfinite()


def test_bfloat16_autocast_trains(rdkd_cfg, batch):
    """A few real steps in mixed precision."""
    model = build(rdkd_cfg, loss_weight=3.)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    sums = []
    for _ in range(10):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = model(**copy.deepcopy(batch), mode='loss')
        total, log_vars = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        sums.append(sum(v for k, v in log_vars.items()
                        if k.startswith('distill')))
    assert sums[-1] < 0.8 * sums[0]
    assert all(p.isfinite().all() for p in model.parameters())


def test_accumulated_gradients_are_those_of_the_batches(rdkd_cfg, batch):
    """Two halves with `accumulative_counts=2` make one step of their mean."""
    halves = [dict(inputs=batch['inputs'][i:i + 2],
                   data_samples=batch['data_samples'][i:i + 2])
              for i in (0, 2)]
    model = build(rdkd_cfg)
    expected = copy.deepcopy(list(model.parameters()))
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    wrapper = OptimWrapper(optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    other = build(rdkd_cfg)
    for half in copy.deepcopy(halves):
        total, _ = other.parse_losses(other(**half, mode='loss'))
        (total / 2).backward()
    for half in copy.deepcopy(halves):
        with wrapper.optim_context(model):
            total, _ = model.parse_losses(model(**half, mode='loss'))
        wrapper.update_params(total)
    moved = 0
    for parameter, before, same in zip(model.parameters(), expected,
                                       other.parameters(), strict=True):
        torch.testing.assert_close(parameter, before - same.grad)
        moved += int((parameter != before).any())
    assert moved > 50


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


def test_promise_9_a_loss_that_is_not_finite_stops_before_the_step(rdkd_cfg,
                                                                   batch):
    model = build(rdkd_cfg)
    with torch.no_grad():
        model.distiller.connectors['review'].levels[0].reduce.weight.fill_(
            float('nan'))
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(FloatingPointError) as error:
        steps(model, batch, 1)
    for parameter, value in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.nan_to_num(), value.nan_to_num())
    message = str(error.value)
    assert 'distill.loss_fg_s8 = nan' in message
    assert 'student.loss_cls' not in message
    for sample in batch['data_samples']:
        assert str(sample.img_id) in message


def test_all_terms_go_to_the_host_in_one_copy(rdkd_cfg, batch, monkeypatch):
    copies = []
    to_host = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, 'cpu', lambda self: copies.append(
        self.shape) or to_host(self))
    model = build(rdkd_cfg)
    losses = model(**batch, mode='loss')
    copies.clear()
    total, log_vars = model.parse_losses(losses)
    assert copies == [torch.Size([len(log_vars)])]
    assert total.requires_grad
    assert log_vars['loss'] == total
    for name in ('student.loss_cls', 'distill.loss_fg_s8'):
        value = losses[name]
        value = sum(value) if isinstance(value, list) else value
        torch.testing.assert_close(log_vars[name], value.detach())


def test_mmrazor_losses_run_under_the_algorithm(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        distill_losses=dict(loss_pkd=dict(type='PKDLoss', loss_weight=6)),
        loss_forward_mappings=dict(loss_pkd=dict(
            preds_S=dict(from_student=True, recorder='fpn'),
            preds_T=dict(from_student=False, recorder='fpn'))))
    losses, = steps(build(rdkd_cfg), batch, 1)
    assert losses['distill.loss_pkd'] > 0


def test_the_parts_run_in_mmrazor_s_own_distiller(rdkd_cfg, batch):
    """Connector and loss by their registry names alone."""
    rdkd_cfg.model.distiller = ConfigDict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        connectors=dict(review=dict(
            type='ReviewFusion', channels=[64] * 5, attention=True,
            kv_size=16, reduction=4)),
        distill_losses=dict(loss_review=dict(
            type='DecoupledPyramidLoss', fg_weight=1.0, bg_weight=0.5,
            pyramid=True, standardize=True)),
        loss_forward_mappings=dict(loss_review=dict(
            s_feature=dict(from_student=True, recorder='fpn',
                           connector='review'),
            t_feature=dict(from_student=False, recorder='fpn'))))
    losses, = steps(build(rdkd_cfg), batch, 1)
    assert losses['distill.loss_review'] > 0


def test_a_recorder_beyond_the_neck_of_the_teacher_is_refused(rdkd_cfg):
    rdkd_cfg.model.distiller = ConfigDict(
        type='ConfigurableDistiller',
        teacher_recorders=dict(cls=dict(type='ModuleOutputs',
                                        source='bbox_head.retina_cls')))
    with pytest.raises(InputError, match=r'bbox_head\.retina_cls'):
        build(rdkd_cfg)


def test_stopping_keeps_every_parameter_in_the_graph(rdkd_cfg, batch):
    """DDP hangs on parameters that get no gradient."""
    model = build(rdkd_cfg)
    model.distillation_stopped = True
    losses, = steps(model, batch, 1)
    assert losses['distill.loss_stopped'] == 0
    assert all(p.grad is not None for p in model.parameters()
               if p.requires_grad)


def test_levels_are_found_without_a_trace(student_cfg):
    model = MODELS.build(student_cfg.model).train()
    before, state = digest(model), torch.get_rng_state()
    levels = neck_levels(model)
    assert [level.stride for level in levels] == [8, 16, 32, 64, 128]
    assert {level.channels for level in levels} == {64}
    assert digest(model) == before
    assert torch.equal(state, torch.get_rng_state())
    assert all(m.training for m in model.modules())


def test_levels_of_a_detector_of_large_images_are_found():
    """SSD300's last levels have no cell left of 256 pixels."""
    cfg = load_config('mmdet::ssd/ssd300_coco.py')
    cfg.model.backbone.init_cfg = None
    levels = neck_levels(MODELS.build(cfg.model))
    assert [level.stride for level in levels[:3]] == [8, 16, 32]
    cfg = load_config(
        'mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py')
    levels = neck_levels(MODELS.build(cfg.model))
    assert [level.stride for level in levels] == [16, 32, 64, 128, 256, 512]


def test_levels_are_matched_by_stride():
    student = [Level(i, 8 * 2**i, 16) for i in range(5)]
    teacher = [Level(i, 4 * 2**i, 32) for i in range(5)]
    pairs = match_levels(student, teacher)
    assert [(s.index, t.index) for s, t in pairs] == [(0, 1), (1, 2), (2, 3),
                                                      (3, 4)]
    with pytest.raises(InputError, match=r'\[8, 16\].*\[4\]'):
        match_levels(student[:2], teacher[:1])
