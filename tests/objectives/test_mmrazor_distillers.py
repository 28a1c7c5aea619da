"""MMRazor's distillers, connectors and losses under the algorithm."""

import pytest
from helpers import build, steps
from mmengine.config import ConfigDict

from rdkd.errors import InputError


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
