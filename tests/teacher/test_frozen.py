"""A teacher that is real, immutable and only ever asked."""

import pytest
import torch
from helpers import build, digest, steps
from mmengine.runner import save_checkpoint

from rdkd.errors import InputError
from rdkd.teacher.build import build_teacher


def test_the_teacher_is_immutable(rdkd_cfg, batch):
    model = build(rdkd_cfg)
    before = digest(model.teacher.model)
    model.train()
    assert not any(m.training for m in model.teacher.model.modules())
    steps(model, batch)
    assert digest(model.teacher.model) == before
    assert not any(p.requires_grad for p in model.teacher.model.parameters())
    assert all(p.grad is None for p in model.teacher.model.parameters())


def test_the_teacher_is_no_submodule(rdkd_cfg):
    model = build(rdkd_cfg)
    teachers = {id(p) for p in model.teacher.model.parameters()}
    assert teachers
    assert not teachers & {id(p) for p in model.parameters()}
    assert not any('teacher' in key for key in model.state_dict())
    assert not any('teacher' in name for name, _ in model.named_modules())
    assert {k.split('.')[0] for k in model.state_dict()} == {
        'architecture', 'distiller'}


def test_the_teacher_follows_to(rdkd_cfg):
    model = build(rdkd_cfg).to(torch.float64)
    teachers = model.teacher.model.parameters
    assert all(p.dtype == torch.float64 for p in teachers())
    model = model.to('meta')
    assert all(p.device.type == 'meta' for p in teachers())


def test_initialization_leaves_the_teacher_alone(rdkd_cfg,
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
def test_a_teacher_that_does_not_fit_is_refused(
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
def test_class_names_of_every_mmdetection_are_read(
        rdkd_cfg, teacher_files, tmp_path, meta):
    checkpoint = torch.load(teacher_files[1], weights_only=True)
    checkpoint['meta'] = meta
    rdkd_cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')
    save_checkpoint(checkpoint, rdkd_cfg.model.teacher_ckpt)
    assert build(rdkd_cfg).teacher.classes == ('a', 'b')


@pytest.mark.parametrize('checkpoint', [None, '', 'no/such/file.pth'])
def test_a_missing_teacher_is_refused(rdkd_cfg, checkpoint):
    rdkd_cfg.model.teacher_ckpt = checkpoint
    with pytest.raises(InputError, match='teacher_ckpt=FILE'):
        build(rdkd_cfg)
