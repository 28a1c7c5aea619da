"""FCOS and Faster R-CNN keep the promises too, by the same code."""
import copy

import pytest
import torch
from helpers import (
    ROOT,
    assert_weight_zero_is_the_baseline,
    build,
    digest,
    steps,
)
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.io.checkpoint import detector_state_dict


@pytest.fixture(params=['fcos', 'faster_rcnn'])
def pair(request, tmp_path):
    """The student's plain config and that of its distillation, both tiny."""
    name = request.param
    plain, distilled, teacher = (
        Config.fromfile(ROOT / f'configs/{file}_mini{suffix}.py')
        for file, suffix in ((name, '_student'), (f'rdkd_{name}', ''),
                             (name, '_teacher')))
    teacher.model.backbone.update(base_channels=8, stem_channels=8)
    teacher.model.neck.in_channels = [8, 16, 32, 64]
    torch.manual_seed(7)
    file = str(tmp_path / 'teacher.pth')
    save_checkpoint(
        dict(state_dict=MODELS.build(teacher.model).state_dict()), file)
    distilled.model.update(
        teacher=teacher.model, teacher_ckpt=file, inherit=False)
    return plain, distilled


def test_weight_zero_is_the_baseline(pair, batch):
    """Random numbers too: Faster R-CNN samples its regions."""
    assert_weight_zero_is_the_baseline(*pair, batch)


def test_a_frozen_teacher_and_a_clean_student(pair, batch):
    plain_cfg, cfg = pair
    model = build(cfg)
    before = digest(model.teacher.model)
    history = steps(model, batch, 2)
    assert digest(model.teacher.model) == before
    assert all(p.grad is not None for p in model.parameters()
               if p.requires_grad)
    assert {k for k in history[0] if k.startswith('distill')}
    plain = MODELS.build(plain_cfg.model)
    plain.load_state_dict(
        detector_state_dict(dict(state_dict=model.state_dict()), 'test'))
    plain.eval()
    model.eval()
    samples = [copy.deepcopy(batch['data_samples']) for _ in range(2)]
    for sample in (*samples[0], *samples[1]):
        sample.set_metainfo(dict(scale_factor=(1., 1.)))
    with torch.no_grad():
        for ours, theirs in zip(
                model(batch['inputs'], samples[0], mode='predict'),
                plain(batch['inputs'], samples[1], mode='predict'),
                strict=True):
            for key in ('bboxes', 'scores', 'labels'):
                assert torch.equal(ours.pred_instances[key],
                                   theirs.pred_instances[key])
