"""Detectors whose heads say something."""

import numpy as np
import pytest
import torch
from heads import decide, head_of, turn_into
from helpers import (
    ROOT,
)
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint


@pytest.fixture(autouse=True)
def same_flips():
    """The loader flips its images by numpy's random numbers."""
    np.random.seed(0)


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
