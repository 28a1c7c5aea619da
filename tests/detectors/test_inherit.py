"""Starting with the teacher's neck and heads."""
from copy import deepcopy

import torch
from mmengine.registry import MODELS

from rdkd import algorithm
from rdkd.detectors.inherit import inherit_neck_and_heads, of_one_kind


def initialized(cfg, **model):
    cfg.model.update(model)
    torch.manual_seed(0)
    built = MODELS.build(cfg.model)
    built.init_weights()
    return built


def test_only_what_agrees_is_copied(rdkd_cfg):
    model = initialized(rdkd_cfg, inherit=True)
    student = model.student.state_dict()
    teacher = model.teacher.model.state_dict()
    same = {name for name, value in student.items()
            if name in teacher and torch.equal(value, teacher[name])}
    # The lateral convolutions read a narrower backbone.
    assert 'bbox_head.retina_cls.weight' in same
    assert 'neck.fpn_convs.0.conv.weight' in same
    assert 'neck.lateral_convs.0.conv.weight' not in same
    assert not any(name.startswith('backbone') and 'conv' in name
                   for name in same)


def test_it_is_off_by_default(rdkd_cfg):
    model = initialized(rdkd_cfg)
    assert not torch.equal(
        model.student.bbox_head.retina_cls.weight,
        model.teacher.model.bbox_head.retina_cls.weight)


def test_it_says_what_it_copied(rdkd_cfg, monkeypatch):
    said = []
    monkeypatch.setattr(algorithm, 'print_log',
                        lambda text, logger: said.append(text))
    initialized(rdkd_cfg, inherit=True)
    copied, kept = said[0].split('not copied')
    assert 'bbox_head (28)' in copied
    assert 'neck (' in copied
    assert 'neck (4)' in kept


def test_the_teacher_keeps_its_own_tensors(rdkd_cfg):
    model = initialized(rdkd_cfg, inherit=True)
    before = model.teacher.model.bbox_head.retina_cls.weight.clone()
    with torch.no_grad():
        model.student.bbox_head.retina_cls.weight.add_(1)
    assert torch.equal(model.teacher.model.bbox_head.retina_cls.weight, before)


def test_nothing_in_common_copies_nothing(student_cfg):
    student = MODELS.build(student_cfg.model)
    copied, kept = inherit_neck_and_heads(student, {})
    assert not copied
    assert set(kept) == {'neck', 'bbox_head'}


def test_detectors_of_one_kind():
    retina = dict(type='RetinaNet', neck=dict(type='FPN', out_channels=64),
                  bbox_head=dict(type='RetinaHead', anchor_generator=dict(
                      type='AnchorGenerator', ratios=[.5, 1., 2.])))
    wider = deepcopy(retina)
    wider['neck']['out_channels'] = 256
    assert of_one_kind(retina, wider)
    for change in (
            lambda m: m['bbox_head']['anchor_generator'].update(ratios=[1.]),
            lambda m: m['bbox_head'].update(norm_on_bbox=True),
            lambda m: m.update(neck=[m['neck'], dict(type='BFP')]),
            lambda m: m.update(roi_head=dict(type='StandardRoIHead'))):
        other = deepcopy(retina)
        change(other)
        assert not of_one_kind(retina, other)
