"""Distilled scores and boxes against loops over images, levels and priors."""
import copy
import math

import pytest
import torch
from heads import DETECTORS, answers, decide, head_of, pad
from helpers import (
    assert_same_gradients,
    build,
    distillation_gradients,
    of_two_processes,
    steps,
)
from mmengine.model import MMDistributedDataParallel
from test_response_scores import sigmoid, soft_binary


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


def test_an_image_of_which_the_teacher_sees_nothing(make, batch):
    """It is divided by 1, and not by a confidence of nearly 0."""
    model = build(make('retinanet'))
    half = dict(inputs=batch['inputs'][:2],
                data_samples=batch['data_samples'][:2])
    _, student, teacher = answers(model, half)
    for scores in teacher[0]:
        scores[0] = -20
    found = model.objectives['response'](student, teacher,
                                         half['data_samples'])
    expected = reference(student, teacher, half['data_samples'],
                         SIZES['retinanet'], plain)
    for key, value in found.items():
        assert value.item() == pytest.approx(expected[key], rel=1e-4), key


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
