"""Promise 11: every shipped config builds and takes a step on a CPU."""
from pathlib import Path

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.config import load_config

CONFIGS = sorted((Path(__file__).parents[1] / 'configs').glob('*.py'))


def without_downloads(part):
    """Take the pretrained backbones out of a model's config."""
    if isinstance(part, dict):
        if str(part.get('init_cfg', {})).find('Pretrained') > 0:
            part['init_cfg'] = None
        for value in part.values():
            without_downloads(value)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_promise_11_a_config_builds_and_takes_a_step(path, tmp_path):
    cfg = load_config(str(path))
    torch.manual_seed(0)
    if 'teacher' in cfg.model:
        assert cfg.model.teacher_ckpt == cfg.teacher_ckpt
        teacher = load_config(cfg.model.teacher).model
        without_downloads(teacher)
        cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')
        save_checkpoint(
            dict(state_dict=MODELS.build(teacher).state_dict()),
            cfg.model.teacher_ckpt)
    without_downloads(cfg.model)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    student = cfg.model.get('architecture', cfg.model)
    data = demo_mm_inputs(2, [[3, 96, 128], [3, 128, 96]], num_items=[2, 0],
                          num_classes=student.bbox_head.num_classes)
    data = model.data_preprocessor(data, True)
    total, log_vars = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    optimizer.step()
    assert all(value.isfinite() for value in log_vars.values())
    if 'teacher' in cfg.model:
        assert any('distill.loss_bg' in name for name in log_vars)
