"""Distilled scores and boxes, against loops and on real tiny models."""
import copy
import functools
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import (
    ROOT,
    assert_same_gradients,
    build,
    digest,
    distillation_gradients,
    of_two_processes,
    steps,
)
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict
from rdkd.io.config import load_config
from rdkd.objectives.response import ResponseLoss, soft_binary_loss

DETECTORS = ('retinanet', 'fcos', 'faster_rcnn')


@pytest.fixture(autouse=True)
def same_flips():
    """The loader flips its images by numpy's random numbers."""
    np.random.seed(0)


def head_of(detector):
    return getattr(detector, 'rpn_head', None) or detector.bbox_head


def decide(head, seed):
    """Weights with which a head says something of every prior."""
    torch.manual_seed(seed)
    for parameter in head.parameters():
        if parameter.ndim == 4:
            nn.init.normal_(parameter, std=0.05)


def turn_into(model, name):
    """Make a one-stage detector of MMDetection of a mini RetinaNet."""
    other = load_config(f'mmdet::{name}.py').model
    other.bbox_head.update(num_classes=3, in_channels=64, feat_channels=64)
    for key in ('type', 'bbox_head', 'train_cfg'):
        model[key] = other.get(key)


@pytest.fixture
def make(tmp_path):
    """Make the tiny config of a student with a teacher that has opinions."""
    def make(name, change=lambda student, teacher: None, **options):
        file = 'retinanet' if name == 'atss' else name
        cfg, teacher = (
            Config.fromfile(ROOT / f'configs/{path}.py')
            for path in (f'rdkd_{file}_mini', f'{file}_mini_teacher'))
        teacher = teacher.model
        teacher.backbone.update(base_channels=8, stem_channels=8)
        teacher.neck.in_channels = [8, 16, 32, 64]
        if name == 'atss':
            for model in (cfg.model.architecture, teacher):
                turn_into(model, 'atss/atss_r50_fpn_1x_coco')
        change(cfg.model.architecture, teacher)
        torch.manual_seed(7)
        model = MODELS.build(teacher)
        decide(head_of(model), 8)
        checkpoint = str(tmp_path / 'teacher.pth')
        save_checkpoint(dict(state_dict=model.state_dict()), checkpoint)
        cfg.model.update(teacher=teacher, teacher_ckpt=checkpoint,
                         inherit=False,
                         response=dict(type='ResponseLoss', **options))
        cfg.model.distiller.loss_weight = 0
        return cfg
    return make


def pad(batch, widths=(96, 40, 64, 90)):
    """As if the images of a batch had different sizes."""
    for sample, width in zip(batch['data_samples'], widths, strict=True):
        sample.set_metainfo(dict(img_shape=(width // 2, width)))
    return batch


def answers(model, batch):
    """The losses of a batch and what the two heads put out."""
    said = []
    hooks = [head_of(detector).register_forward_hook(
        lambda module, inputs, outputs: said.append((module, outputs)))
        for detector in (model.student, model.teacher.model)]
    losses = model(**copy.deepcopy(batch), mode='loss')
    for hook in hooks:
        hook.remove()
    said = dict(said)
    return ({k.removeprefix('response.'): v for k, v in losses.items()
             if k.startswith('response.')},
            said[head_of(model.student)], said[head_of(model.teacher.model)])


# The loss of scores, by itself.

def sigmoid(z):
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (
        1 + math.exp(z))


def softplus(z):
    return max(z, 0) + math.log1p(math.exp(-abs(z)))


def soft_binary(student, teacher, temperature=1.0):
    """One element, as in the paper."""
    s, t = student / temperature, teacher / temperature
    p = sigmoid(t)
    entropy = p * softplus(-s) + (1 - p) * softplus(s)
    return temperature ** 2 * abs(p - sigmoid(s)) * entropy


@pytest.mark.parametrize('temperature', [0.5, 1.0, 4.0, 50.0])
def test_scores_against_a_loop(temperature):
    torch.manual_seed(0)
    student, teacher = (5 * torch.randn(2, 3, 7).double()).unbind()
    found = soft_binary_loss(student, teacher, temperature)
    expected = [[soft_binary(s, t, temperature) for s, t in
                 zip(*rows, strict=True)] for rows in
                zip(student.tolist(), teacher.tolist(), strict=True)]
    torch.testing.assert_close(found, torch.tensor(expected).double())
    assert (found > 0).all()
    assert (soft_binary_loss(student, student, temperature) == 0).all()


def test_a_higher_temperature_looks_at_sure_answers_more():
    """At 1 two sure answers agree; 50 tells them apart."""
    sure, surer = torch.tensor(12.), torch.tensor(24.)
    assert soft_binary_loss(sure, surer) < 1e-6
    assert soft_binary_loss(sure, surer, 50) > 50


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16,
                                   torch.float32])
def test_extreme_scores_are_finite(dtype):
    logits = torch.tensor([-100., -1., 0., 1., 100.], dtype=dtype)
    student = logits[:, None].expand(5, 5).clone().requires_grad_()
    loss = soft_binary_loss(student, logits.expand(5, 5))
    loss.sum().backward()
    assert loss.dtype == dtype
    assert loss.isfinite().all()
    assert student.grad.isfinite().all()
    assert (loss.diagonal() == 0).all()
    # A sure student that is sure of the wrong thing.
    assert loss[0, 4] == loss[4, 0] == 100


@pytest.mark.parametrize('temperature', [1.0, 3.0])
def test_the_gradient_of_the_scores(temperature):
    torch.manual_seed(0)
    student = torch.randn(12, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(12, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: soft_binary_loss(x, teacher, temperature), student)


# All of it against loops over images, levels, cells and priors.

def anchor_sizes(scales, ratios):
    """Width and height of the anchors of a cell, in strides."""
    return [(scale / ratio ** 0.5, scale * ratio ** 0.5)
            for ratio in ratios for scale in scales]


RATIOS = (0.5, 1, 2)
SIZES = dict(
    retinanet=anchor_sizes([4 * 2 ** (i / 3) for i in range(3)], RATIOS),
    faster_rcnn=anchor_sizes([8], RATIOS), atss=anchor_sizes([8], [1]),
    fcos=[None])


def decode(size, stride, column, row, values, code):
    """The box ``x1 y1 x2 y2`` in pixels that four outputs stand for.

    ``code`` is the factor of each of the four.
    """
    a, b, c, d = (v * f for v, f in zip(values, code, strict=True))
    if size is None:
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        return x - a, y - b, x + c, y + d
    width, height = size[0] * stride, size[1] * stride
    limit = math.log(1000 / 16)
    x, y = column * stride + a * width, row * stride + b * height
    width *= math.exp(max(min(c, limit), -limit))
    height *= math.exp(max(min(d, limit), -limit))
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def giou_distance(one, other):
    def area(box):
        return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)

    # Two empty boxes have nothing to share: MMDetection's 1e-7.
    low, high = (list(map(pick, one, other)) for pick in (min, max))
    shared = area((*high[:2], *low[2:]))
    union = max(area(one) + area(other) - shared, 1e-7)
    hull = max(area((*low[:2], *high[2:])), 1e-7)
    return 1 - (shared / union - (hull - union) / hull)


def reference(student, teacher, samples, sizes, codes, temperature=1.0,
              cls_weight=1.0, box_weight=4.0):
    """The losses; ``codes`` of student and teacher for a stride."""
    student, teacher = ([[x.tolist() for x in level] for level in outs]
                        for outs in (student, teacher))
    finest = samples[0].batch_input_shape[0] // len(student[0][0][0][0])
    sums = []
    for n, sample in enumerate(samples):
        count, losses = 0., [0.] * len(student)
        for level, scores in enumerate(student[0]):
            stride = finest * 2 ** level
            rows, columns = len(scores[n][0]), len(scores[n][0][0])
            classes = len(scores[n]) // len(sizes)
            for y in range(rows):
                for x in range(columns):
                    height, width = sample.batch_input_shape
                    if (y * height / rows >= sample.img_shape[0] or
                            x * width / columns >= sample.img_shape[1]):
                        continue
                    for a, size in enumerate(sizes):
                        def read(outs, kind, count):
                            maps = outs[kind][level][n]  # noqa: B023
                            return [maps[a * count + i][y][x]  # noqa: B023
                                    for i in range(count)]

                        own, its = (read(outs, 0, classes)
                                    for outs in (student, teacher))
                        gap = max(abs(sigmoid(s) - sigmoid(t))
                                  for s, t in zip(own, its, strict=True))
                        count += max(map(sigmoid, its))
                        losses[0] += cls_weight * sum(
                            soft_binary(s, t, temperature)
                            for s, t in zip(own, its, strict=True))
                        losses[1] += box_weight * gap * giou_distance(*(
                            decode(size, stride, x, y, read(outs, 1, 4), code)
                            for outs, code in zip(
                                (student, teacher),
                                codes(stride), strict=True)))
                        if len(losses) > 2:
                            losses[2] += cls_weight * gap * soft_binary(
                                read(student, 2, 1)[0],
                                read(teacher, 2, 1)[0], temperature)
        sums.append([loss / max(count, 1) for loss in losses])
    names = ('loss_cls', 'loss_box', 'loss_centerness')
    return {name: sum(each) / len(samples)
            for name, each in zip(names, zip(*sums, strict=True),
                                  strict=False)}


def plain(stride):
    return (1, ) * 4, (1, ) * 4


def other_stds(student, teacher):
    student.bbox_head.bbox_coder.target_stds = [0.1, 0.1, 0.2, 0.2]


def plain_teacher(student, teacher):
    teacher.bbox_head.norm_on_bbox = False


def plain_student(student, teacher):
    student.bbox_head.norm_on_bbox = False


@pytest.mark.parametrize('name, change, training, codes', [
    ('retinanet', None, True, plain),
    ('retinanet', other_stds, True, lambda s: ((.1, .1, .2, .2), (1, ) * 4)),
    # Distances in strides while a head trains, in pixels when it does not.
    ('fcos', None, True, lambda s: ((s, ) * 4, (1, ) * 4)),
    ('fcos', None, False, plain),
    ('fcos', plain_teacher, True, lambda s: ((s, ) * 4, (1, ) * 4)),
    ('fcos', plain_student, True, plain),
    ('faster_rcnn', None, True, plain),
    ('atss', None, True, lambda s: ((.1, .1, .2, .2), ) * 2)])
def test_a_batch_against_loops(make, batch, name, change, training, codes):
    """Two images with padding, weights and temperature not the defaults."""
    options = dict(temperature=2.0, cls_weight=0.5, box_weight=3.0)
    cfg = make(name, change or (lambda *_: None), **options)
    model = build(cfg)
    decide(head_of(model.student), 9)
    model.student.train(training)
    half = pad(dict(inputs=batch['inputs'][:2],
                    data_samples=batch['data_samples'][:2]), (96, 40))
    found, student, teacher = answers(model, half)
    expected = reference(student, teacher, half['data_samples'],
                         SIZES[name], codes, **options)
    assert found.keys() == expected.keys()
    assert len(found) == (3 if name in ('fcos', 'atss') else 2)
    for key, value in found.items():
        assert value.item() == pytest.approx(expected[key], rel=1e-4), key
        assert value > 1e-3, key


def test_only_the_boxes_learn_from_the_boxes(make, batch):
    """Where scores differ is a weight and nothing to reduce."""
    found, student, _ = answers(build(make('fcos')), batch)
    for key, learns in (('loss_cls', 0), ('loss_box', 1),
                        ('loss_centerness', 2)):
        for kind, maps in enumerate(student):
            gradients = torch.autograd.grad(
                found[key], maps, retain_graph=True, allow_unused=True)
            assert all((g is not None) == (kind == learns)
                       for g in gradients), (key, kind)


@pytest.mark.parametrize('name', DETECTORS)
def test_a_student_that_answers_as_the_teacher_has_nothing_to_learn(
        make, batch, name):
    cfg = make(name)
    before, *_ = answers(build(cfg), pad(batch))
    cfg.model.architecture = copy.deepcopy(cfg.model.teacher)
    cfg.model.student_ckpt = cfg.model.teacher_ckpt
    model = build(cfg)
    # The teacher's batch norms do not train either.
    model.student.eval()
    after, *_ = answers(model, batch)
    for key, value in after.items():
        assert before[key] > 0.01, key
        assert value < 1e-4 * before[key], key


def test_padding_says_nothing(make, batch):
    """Neither its scores nor its boxes, whatever they are."""
    model = build(make('retinanet'))
    found, student, teacher = answers(model, pad(batch))
    for maps in teacher:
        for x in maps:
            for image, sample in zip(x, batch['data_samples'], strict=True):
                rows, columns = (
                    -(-length * cells // pixels) for length, cells, pixels in
                    zip(sample.img_shape, x.shape[2:],
                        sample.batch_input_shape, strict=True))
                image[:, rows:] += 9
                image[:, :, columns:] += 9
    changed = model.objectives['response'](student, teacher,
                                           batch['data_samples'])
    assert changed == found


@pytest.mark.parametrize('name', DETECTORS)
def test_no_boxes_in_the_batch(make, batch, name):
    for sample in batch['data_samples']:
        sample.gt_instances = sample.gt_instances[:0]
    model = build(make(name))
    history = steps(model, batch, 2)
    assert all(value.isfinite() for step in history for value in step.values())
    assert history[0]['response.loss_cls'] > 0
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('name', DETECTORS)
def test_two_halves_are_the_batch(make, batch, name):
    """What two processes compute; an image counts the same in both."""
    model = build(make(name))
    model.student.eval()
    pad(batch)
    whole, *_ = answers(model, batch)
    parts = [answers(model, {k: v[i:i + 2] for k, v in batch.items()})[0]
             for i in (0, 2)]
    for key, value in whole.items():
        torch.testing.assert_close(value, (parts[0][key] + parts[1][key]) / 2)
        assert abs(parts[0][key] / parts[1][key] - 1) > 1e-3, key


def one_of_two(rank, port, cfg, batch, queue):
    import rdkd  # noqa: F401
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank,
        world_size=2)
    half = {k: v[2 * rank:2 * rank + 2] for k, v in batch.items()}
    gradients = distillation_gradients(
        cfg, half, lambda model: MMDistributedDataParallel(
            model, device_ids=None, find_unused_parameters=False))
    if rank == 0:
        queue.put({k: v.numpy() for k, v in gradients.items()})
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(make, batch):
    pad(batch)
    batch['data_samples'][1].gt_instances = (
        batch['data_samples'][1].gt_instances[:0])
    cfg = make('retinanet')
    expected = distillation_gradients(cfg, copy.deepcopy(batch))
    found = of_two_processes(one_of_two, cfg, batch)
    assert expected['architecture.bbox_head.retina_reg.weight'].any()
    assert_same_gradients(found, expected)


# In the algorithm.

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
    assert other.teacher is model.teacher


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


# What does not fit.

@pytest.mark.parametrize('options, named', [
    (dict(cls_weight=-1), '-1, 4.0 and 1.0'),
    (dict(box_weight=-0.5), '1.0, -0.5'),
    (dict(temperature=0), '1.0, 4.0 and 0'),
    (dict(temperature=-2), '-2')])
def test_impossible_numbers_are_refused(options, named):
    with pytest.raises(InputError, match='positive temperature') as error:
        ResponseLoss(**options)
    assert named in str(error.value)


@pytest.mark.parametrize('name, head', [
    # Distributions; finished boxes; two boxes; points; logarithms of base
    # lengths; one map for everything; softmax; a query for each box.
    ('gfl/gfl_r50_fpn_1x_coco', 'GFLHead'),
    ('tood/tood_r50_fpn_1x_coco', 'TOODHead'),
    ('vfnet/vfnet_r50_fpn_1x_coco', 'VFNetHead'),
    ('reppoints/reppoints-moment_r50_fpn_1x_coco', 'RepPointsHead'),
    ('foveabox/fovea_r50_fpn_4xb4-1x_coco', 'FoveaHead'),
    ('yolo/yolov3_mobilenetv2_8xb24-320-300e_coco', 'YOLOV3Head'),
    ('ssd/ssd300_coco', 'SSDHead'),
    ('detr/detr_r50_8xb2-150e_coco', 'DETRHead')])
def test_heads_that_answer_otherwise_are_refused(name, head):
    detector = nn.Module()
    detector.bbox_head = MODELS.build(
        load_config(f'mmdet::{name}.py').model.bbox_head)
    with pytest.raises(InputError) as error:
        ResponseLoss().prepare(detector, detector)
    assert f'the student (Module) has {head}.' in str(error.value)
    assert 'Leave `response` out' in str(error.value)


def test_a_detector_without_a_dense_head_is_refused():
    with pytest.raises(InputError, match='has no dense head'):
        ResponseLoss().prepare(nn.Module(), nn.Module())


def as_gfl(student, teacher):
    for model in (student, teacher):
        turn_into(model, 'gfl/gfl_r50_fpn_1x_coco')


def fcos_teacher(student, teacher):
    turn_into(teacher, 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco')


def atss_teacher(student, teacher):
    """With centerness, and with the student's anchors and classes."""
    turn_into(teacher, 'atss/atss_r50_fpn_1x_coco')
    teacher.bbox_head.anchor_generator = (
        student.bbox_head.anchor_generator)


def with_softmax(student, teacher):
    for model in (student, teacher):
        model.rpn_head.loss_cls.use_sigmoid = False


def other_anchors(student, teacher):
    student.bbox_head.anchor_generator.octave_base_scale = 3


def other_order(student, teacher):
    teacher.bbox_head.anchor_generator.strides = [128, 64, 32, 16, 8]


def other_classes(student, teacher):
    student.bbox_head.num_classes = 2


@pytest.mark.parametrize('name, change, named', [
    ('retinanet', as_gfl, 'the student (GFL) has GFLHead'),
    ('retinanet', fcos_teacher, 'the RetinaHead of the student and the '
                                'FCOSHead of the teacher differ'),
    ('retinanet', atss_teacher, 'the RetinaHead of the student and the '
                                'ATSSHead of the teacher differ'),
    ('faster_rcnn', with_softmax, 'with sigmoid scores; the student '
                                  '(FasterRCNN) has RPNHead'),
    ('retinanet', other_anchors, 'anchors and strides'),
    ('retinanet', other_order, 'anchors and strides'),
    ('retinanet', other_classes, 'number of classes')])
def test_pairs_that_cannot_be_compared_are_refused(make, name, change, named):
    with pytest.raises(InputError) as error:
        build(make(name, change))
    assert named in str(error.value)
    assert 'Leave `response` out' in str(error.value)


def test_proposals_alone_learn_from_a_two_stage_teacher(make, batch):
    """The same head under another name."""
    def proposals(student, teacher):
        student.update(type='RPN')
        del student['roi_head']

    losses, = steps(build(make('faster_rcnn', proposals)), batch, 1)
    assert losses['response.loss_box'] > 0


def test_maps_of_another_size_are_refused(make, batch):
    model = build(make('retinanet'))
    _, student, teacher = answers(model, batch)
    with pytest.raises(InputError, match='pad_size_divisor'):
        model.objectives['response'](
            student, [[x[..., :-1] for x in maps] for maps in teacher],
            batch['data_samples'])
