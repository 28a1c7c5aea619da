"""A faster teacher says what the plain one says."""
import copy

import pytest
import torch
from helpers import build, steps
from mmdet.models.necks import FPN
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

from rdkd import algorithm
from rdkd.compat import compiled
from rdkd.compat.compiled import Compiled
from rdkd.detectors.levels import Level
from rdkd.errors import InputError
from rdkd.teacher import speed
from rdkd.teacher.build import build_teacher
from rdkd.teacher.speed import skip_levels, speed_up


def norms(model):
    return [m for m in model.backbone.modules()
            if isinstance(m, nn.BatchNorm2d)]


@pytest.fixture
def trained_teacher_files(teacher_files, tmp_path):
    """A teacher whose batch norms are no identity."""
    checkpoint = torch.load(teacher_files[1], weights_only=True)
    generator = torch.Generator().manual_seed(3)
    for value in checkpoint['state_dict'].values():
        if value.ndim == 1 and value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    file = tmp_path / 'teacher.pth'
    torch.save(checkpoint, file)
    return str(teacher_files[0]), str(file)


@pytest.fixture
def said(monkeypatch):
    """What is logged."""
    texts = []
    for module in (speed, compiled):
        monkeypatch.setattr(
            module, 'print_log',
            lambda text, *args, **kwargs: texts.append(text))
    return texts


def test_norms_are_folded_and_the_maps_stay(rdkd_cfg, trained_teacher_files,
                                            batch):
    rdkd_cfg.model.teacher, rdkd_cfg.model.teacher_ckpt = trained_teacher_files
    plain = build_teacher(*trained_teacher_files)
    fast = build(rdkd_cfg).teacher.model
    assert norms(plain)
    assert not norms(fast)
    weight = fast.backbone.conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not any(m.training for m in fast.modules())
    assert not any(p.requires_grad for p in fast.parameters())
    with torch.no_grad():
        for a, b in zip(fast.extract_feat(batch['inputs']),
                        plain.extract_feat(batch['inputs']), strict=True):
            assert (a - b).abs().max() <= 1e-4 * b.abs().max()


def test_a_network_that_runs_its_layers_in_another_order_keeps_its_norms(
        trained_teacher_files, said):
    """Folding pairs layers by definition: a wrong pair is noticed."""
    teacher = build_teacher(*trained_teacher_files)
    bn1, relu = teacher.backbone.bn1, teacher.backbone.relu
    teacher.backbone.bn1, teacher.backbone.relu = relu, bn1
    before = copy.deepcopy(teacher.state_dict())
    count = len(norms(teacher))
    speed_up(teacher, teacher.extract_feat)
    assert len(norms(teacher)) == count
    after = teacher.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert 'the maps would differ' in said[-1]


def test_an_operator_that_refuses_the_layout_leaves_the_teacher_as_it_was(
        rdkd_cfg, trained_teacher_files, said):
    """And one whose weights had been laid out before it refused."""
    teacher = build_teacher(*trained_teacher_files)

    def refuse(module, inputs):
        if not module.weight.is_contiguous():
            raise ValueError('input must be contiguous')

    teacher.neck.fpn_convs[0].conv.register_forward_pre_hook(refuse)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = teacher.extract_feat(image)
        speed_up(teacher, teacher.extract_feat)
        after = teacher.extract_feat(image)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.is_contiguous() for p in teacher.parameters())
    assert 'input must be contiguous' in said[-1]


def test_a_recorder_between_convolution_and_norm_keeps_them_apart(
        rdkd_cfg, trained_teacher_files):
    rdkd_cfg.model.teacher, rdkd_cfg.model.teacher_ckpt = trained_teacher_files
    recorder = dict(stem=dict(type='ModuleOutputs', source='backbone.conv1'))
    rdkd_cfg.model.distiller = ConfigDict(
        type='ConfigurableDistiller', student_recorders=recorder,
        teacher_recorders=recorder)
    model = MODELS.build(rdkd_cfg.model)
    assert norms(model.teacher.model)


def test_levels_that_nobody_reads_are_not_computed():
    torch.manual_seed(0)
    neck = FPN([8, 16, 32], 8, num_outs=4)
    inputs = [torch.randn(1, c, s, s) for c, s in ((8, 16), (16, 8), (32, 4))]
    expected = neck(inputs)
    skip_levels(neck, {1, 2, 3})
    found = neck(inputs)
    assert isinstance(neck.fpn_convs[0], nn.Identity)
    for level in (1, 2, 3):
        assert torch.equal(found[level], expected[level])
    skip_levels(neck, {1})
    assert not isinstance(neck.fpn_convs[2], nn.Identity)  # feeds level 3


def test_another_neck_is_left_as_it_is():
    class Other(FPN):
        pass

    neck = Other([8, 16], 8, num_outs=2)
    skip_levels(neck, {1})
    assert not isinstance(neck.fpn_convs[0], nn.Identity)


def test_the_algorithm_skips_what_its_student_lacks(rdkd_cfg, batch,
                                                    monkeypatch):
    monkeypatch.setattr(
        'rdkd.objectives.neck.match_levels',
        lambda student, teacher: [(Level(i, 8 * 2**i, 64), ) * 2
                                  for i in (1, 2)])
    model = build(rdkd_cfg)
    assert isinstance(model.teacher.model.neck.fpn_convs[0], nn.Identity)
    assert 'distill.loss_fg_s16' in steps(model, batch, 1)[0]


def losses(cfg, batch, **options):
    cfg = copy.deepcopy(cfg)
    cfg.model.update(options)
    return {key: value.item() for key, value in
            steps(build(cfg), batch, 1)[0].items()}


def test_a_bfloat16_teacher_teaches_the_same(rdkd_cfg, batch):
    full, half = (losses(rdkd_cfg, batch, teacher_dtype=dtype)
                  for dtype in (None, 'bfloat16'))
    assert full != half
    for key, value in full.items():
        # Eight bits of mantissa in the teacher's maps.
        assert half[key] == pytest.approx(value, rel=0.03, abs=0.01)
        if key.startswith('student'):
            assert half[key] == value


@pytest.mark.parametrize('loss', ['ChannelWiseDivergence', 'PKDLoss'])
def test_mmrazor_losses_get_maps_they_can_take(rdkd_cfg, batch, loss):
    """CWD views its maps: they must be contiguous."""
    rdkd_cfg.model.distiller = ConfigDict(
        type='LevelDistiller', loss=dict(type=loss), levels=3)
    found = losses(rdkd_cfg, batch, teacher_dtype='bfloat16')
    assert {key for key in found if key.startswith('distill')} == {
        f'distill.loss_s{stride}' for stride in (8, 16, 32)}


def test_connectors_of_mmrazor_learn_their_channels(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(
        type='LevelDistiller', loss=dict(type='MGDLoss', alpha_mgd=1e-3),
        connector=dict(type='MGDConnector'))
    rdkd_cfg.model.architecture.neck.out_channels = 32
    rdkd_cfg.model.architecture.bbox_head.in_channels = 32
    model = build(rdkd_cfg)
    steps(model, batch, 1)
    assert len(model.distiller.connectors) == 5
    assert all(p.grad is not None for p in model.distiller.parameters())


def test_a_dtype_that_is_none_is_refused(rdkd_cfg):
    rdkd_cfg.model.teacher_dtype = 'int8'
    with pytest.raises(InputError, match="'bfloat16' or 'float16'"):
        MODELS.build(rdkd_cfg.model)


def test_compiled_parts_give_the_same_losses(rdkd_cfg, batch):
    plain, compiled = (losses(rdkd_cfg, batch, compile=value)
                       for value in (False, True))
    assert plain == pytest.approx(compiled, rel=1e-3, abs=1e-4)


def test_what_cannot_be_compiled_runs_without_and_says_so(monkeypatch, said):
    def broken(function):
        def call(*args):
            raise RuntimeError('no compiler')
        return call

    monkeypatch.setattr(torch, 'compile', broken)
    double = Compiled(lambda x: 2 * x, 'doubling')
    assert [double(2), double(3)] == [4, 6]
    text, = said
    assert 'failed for the doubling' in text
    assert 'no compiler' in text


def test_an_error_of_the_work_itself_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(torch, 'compile', lambda function: function)
    checked = Compiled(lambda x: 1 / x, 'division')
    assert checked(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        checked(0)
    assert checked(4) == 0.25
    with pytest.raises(ZeroDivisionError):
        Compiled(lambda x: 1 / x, 'division')(0)


def test_the_inherited_head_is_the_one_before_folding(rdkd_cfg,
                                                      trained_teacher_files):
    rdkd_cfg.model.teacher, rdkd_cfg.model.teacher_ckpt = trained_teacher_files
    rdkd_cfg.model.inherit = True
    plain = build_teacher(*trained_teacher_files).state_dict()
    student = build(rdkd_cfg).student.state_dict()
    assert torch.equal(student['neck.fpn_convs.0.gn.weight'],
                       plain['neck.fpn_convs.0.gn.weight'])
    assert algorithm.inherit_neck_and_heads
