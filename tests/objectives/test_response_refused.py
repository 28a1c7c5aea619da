"""Heads whose outputs cannot be compared."""

import pytest
from heads import answers, turn_into
from helpers import (
    build,
    steps,
)
from mmengine.registry import MODELS
from torch import nn

from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.objectives.response import ResponseLoss


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
