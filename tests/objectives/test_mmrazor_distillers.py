"""MMRazor's distillers, connectors and losses under the algorithm."""

import copy

import pytest
import torch
from helpers import build, steps
from mmengine.config import ConfigDict
from mmrazor.models.distillers import ConfigurableDistiller
from mmrazor.registry import MODELS as RAZOR_MODELS
from torch import nn

from rdkd.errors import InputError

RECORDED = dict(
    student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
    distill_losses=dict(loss_pkd=dict(type='PKDLoss', loss_weight=6)),
    loss_forward_mappings=dict(loss_pkd=dict(
        preds_S=dict(from_student=True, recorder='fpn'),
        preds_T=dict(from_student=False, recorder='fpn'))))


def test_mmrazor_losses_run_under_the_algorithm(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(type='ConfigurableDistiller',
                                          **RECORDED)
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


def test_a_copy_records_its_own_detectors(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(type='ConfigurableDistiller',
                                          **RECORDED)
    model = build(rdkd_cfg)
    other = copy.deepcopy(model)
    one, two = (each(**copy.deepcopy(batch), mode='loss')
                for each in (model, other))
    assert one['distill.loss_pkd'] == two['distill.loss_pkd'] > 0


@RAZOR_MODELS.register_module()
class WithItsOwn(ConfigurableDistiller):
    """A distiller of somebody's with a parameter and a buffer."""

    def __init__(self, loss_weight=1, **kwargs):
        super().__init__(**kwargs)
        self.loss_weight = loss_weight
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer('count', torch.zeros(1))

    def compute_distill_losses(self):
        self.count += 1
        losses = super().compute_distill_losses()
        return {name: self.scale * loss for name, loss in losses.items()}


def test_a_distiller_keeps_what_it_has_itself(rdkd_cfg, batch):
    rdkd_cfg.model.distiller = ConfigDict(type='WithItsOwn', **RECORDED)
    model = build(rdkd_cfg)
    assert {'distiller.scale', 'distiller.count'} <= set(model.state_dict())
    steps(model, batch, 2)
    assert model.state_dict()['distiller.count'] == 2
    assert model.distiller.scale.grad != 0
    model.double()
    assert model.distiller.distiller.count.dtype == torch.float64
    rdkd_cfg.model.distiller.loss_weight = 0
    assert not build(rdkd_cfg).active_objectives()


def test_what_is_no_distiller_is_refused(rdkd_cfg):
    rdkd_cfg.model.distiller = ConfigDict(type='PKDLoss')
    with pytest.raises(InputError, match="'PKDLoss' is no distiller"):
        build(rdkd_cfg)
