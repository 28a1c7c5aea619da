"""Tiny detectors whose heads say something, for tests of what heads teach."""
import copy

import torch
from torch import nn

from rdkd.io.config import load_config

DETECTORS = ('retinanet', 'fcos', 'faster_rcnn')


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
