"""Distilled scores and boxes in the algorithm, on real tiny models."""
import copy
import functools
from itertools import pairwise

import pytest
import torch
from heads import DETECTORS, answers, head_of, pad
from helpers import (
    build,
    digest,
    steps,
)
from mmengine.registry import MODELS
from torch._subclasses.fake_tensor import FakeTensorMode

from rdkd.io.checkpoint import detector_state_dict


@pytest.mark.parametrize('name', DETECTORS)
def test_the_other_losses_stay_bit_by_bit(make, batch, name):
    """And the random numbers: Faster R-CNN samples its regions."""
    cfg = make(name)
    cfg.model.distiller.loss_weight = 6.0
    with_it, state = steps(build(cfg), batch, 1)[0], torch.get_rng_state()
    del cfg.model['response']
    without, = steps(build(cfg), batch, 1)
    assert torch.equal(state, torch.get_rng_state())
    del with_it['loss']
    del without['loss']
    assert {k: v for k, v in with_it.items()
            if not k.startswith('response')} == without
    assert any(k.startswith('distill') for k in without)
    assert {k for k in with_it if k.startswith('response')} == {
        'response.loss_cls', 'response.loss_box'} | (
            {'response.loss_centerness'} if name == 'fcos' else set())


@pytest.mark.parametrize('name', DETECTORS)
def test_the_response_alone_teaches(make, batch, name):
    cfg = make(name)
    model = build(cfg)
    assert not list(model.distiller.parameters())
    history = steps(model, batch, 10, torch.optim.AdamW, 2e-3)
    assert {k.split('.')[0] for k in history[0]} == {
        'student', 'response', 'loss'}
    assert all(p.grad is not None for p in model.parameters()
               if p.requires_grad)
    # The boxes of the batch pull as well, and a random teacher's elsewhere.
    torch.manual_seed(0)
    alone = MODELS.build(cfg.model.architecture)
    alone.init_weights()
    steps(alone.train(), batch, 10, torch.optim.AdamW, 2e-3)
    distilled, *_ = answers(model, batch)
    model.student.load_state_dict(alone.state_dict())
    other, *_ = answers(model, batch)
    assert sum(distilled.values()) < 0.8 * sum(other.values())


@pytest.mark.parametrize('name', DETECTORS)
def test_every_loss_of_the_response_can_be_learnt(make, batch, name):
    """Its sum falls in every step when nothing else pulls."""
    model = build(make(name))
    optimizer = torch.optim.SGD(model.parameters(), 2e-3)
    history = []
    for _ in range(6):
        losses, *_ = answers(model, batch)
        history.append(losses)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    sums = [sum(losses.values()).item() for losses in history]
    assert all(later < earlier for earlier, later in pairwise(sums))


@pytest.mark.parametrize('name', DETECTORS)
def test_a_frozen_teacher_and_a_clean_student(make, batch, name):
    cfg = make(name)
    model = build(cfg)
    before = digest(model.teacher.model)
    steps(model, batch)
    assert digest(model.teacher.model) == before
    assert not any(m.training for m in model.teacher.model.modules())
    assert all(p.grad is None for p in model.teacher.model.parameters())
    teachers = {id(p) for p in model.teacher.model.parameters()}
    assert not teachers & {id(p) for p in model.parameters()}
    assert {k.split('.')[0] for k in model.state_dict()} == {'architecture'}
    assert not list(model.objectives['response'].parameters())
    student = MODELS.build(cfg.model.architecture)
    student.load_state_dict(
        detector_state_dict(dict(state_dict=model.state_dict()), 'test'))


def test_a_stopped_distillation_stops_the_response(make, batch):
    model = build(make('retinanet'))
    model.distillation_stopped = True
    losses, = steps(model, batch, 1)
    assert not any(k.startswith('response') for k in losses)
    assert all(p.grad is not None for p in model.parameters()
               if p.requires_grad)


def test_a_copy_of_the_model_reads_its_own_student(make, batch):
    """As an averaged model (EMA) is one."""
    model = build(make('retinanet'))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.student.bbox_head.retina_cls.bias.add_(1)
    (one, *_), (two, *_) = answers(model, batch), answers(other, batch)
    assert one['loss_cls'] != two['loss_cls']
    head, = other.objectives['response'].student_head
    assert head is other.student.bbox_head


@pytest.mark.parametrize('name', DETECTORS)
def test_a_bfloat16_teacher_answers_nearly_the_same(make, batch, name):
    cfg = make(name)
    full, *_ = answers(build(cfg), batch)
    cfg.model.teacher_dtype = 'bfloat16'
    half, *_ = answers(build(cfg), batch)
    for key, value in full.items():
        assert half[key] != value
        assert half[key].item() == pytest.approx(value.item(), rel=0.1)


# MMCV's NMS, which Faster R-CNN needs, has no bfloat16 on the CPU.
@pytest.mark.parametrize('name', ['retinanet', 'fcos'])
def test_mixed_precision_compares_in_float32(make, batch, name):
    model = build(make(name))
    full, *_ = answers(model, batch)
    with torch.autocast('cpu', torch.bfloat16):
        mixed, student, teacher = answers(model, batch)
    assert student[0][0].dtype == teacher[0][0].dtype == torch.bfloat16
    for key, value in full.items():
        assert mixed[key].dtype == torch.float32
        assert mixed[key] != value
        assert mixed[key].item() == pytest.approx(value.item(), rel=0.1)


def test_a_compiled_teacher_answers_the_same(make, batch, monkeypatch):
    # What is traced is what is asked; the code for it takes a minute.
    monkeypatch.setattr(torch, 'compile',
                        functools.partial(torch.compile, backend='eager'))
    cfg = make('retinanet')
    expected, *_ = answers(build(cfg), batch)
    cfg.model.compile = True
    found, *_ = answers(build(cfg), batch)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-3, atol=1e-4)


# On devices that this machine has not; see test_devices.py.

def step(model, batch, device):
    """Both heads and the response, forward and backward."""
    sizes = ((8, 12), (4, 6), (2, 3), (1, 2), (1, 1))
    own, its = ([torch.empty(2, 64, *size, device=device, requires_grad=True)
                 for size in sizes] for _ in range(2))
    samples = [sample.to(device) for sample in batch['data_samples'][:2]]
    with torch.no_grad():
        answer = head_of(model.teacher.model)(its)
    losses = model.objectives['response'](
        head_of(model.student)(own), answer, samples)
    sum(losses.values()).backward()
    return {x.device.type for x in (
        *losses.values(), *(x.grad for x in own), *answer[0])}


@pytest.mark.parametrize('name', ['retinanet', 'fcos'])
def test_every_tensor_is_made_on_its_device(
        make, batch, device_without_autocast, name):
    model = build(make(name)).to('meta')
    assert step(model, pad(batch), 'meta') == {'meta'}


@pytest.mark.parametrize('name', ['retinanet', 'fcos'])
def test_no_value_is_read_on_the_host(
        make, batch, device_without_autocast, name):
    model = build(make(name))
    # Fake tensors are empty, on whichever device.
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert step(model, pad(batch), 'cpu') == {'cpu'}
