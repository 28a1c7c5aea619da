"""Neck levels: found without a trace, matched by stride."""

import pytest
import torch
from helpers import digest
from mmengine.registry import MODELS

from rdkd.detectors.levels import Level, match_levels, neck_levels
from rdkd.errors import InputError
from rdkd.io.config import load_config


def test_levels_are_found_without_a_trace(student_cfg):
    model = MODELS.build(student_cfg.model).train()
    before, state = digest(model), torch.get_rng_state()
    levels = neck_levels(model)
    assert [level.stride for level in levels] == [8, 16, 32, 64, 128]
    assert {level.channels for level in levels} == {64}
    assert digest(model) == before
    assert torch.equal(state, torch.get_rng_state())
    assert all(m.training for m in model.modules())


def test_levels_of_a_detector_of_large_images_are_found():
    """SSD300's last levels have no cell left of 256 pixels."""
    cfg = load_config('mmdet::ssd/ssd300_coco.py')
    cfg.model.backbone.init_cfg = None
    levels = neck_levels(MODELS.build(cfg.model))
    assert [level.stride for level in levels[:3]] == [8, 16, 32]
    cfg = load_config(
        'mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py')
    levels = neck_levels(MODELS.build(cfg.model))
    assert [level.stride for level in levels] == [16, 32, 64, 128, 256, 512]


def test_levels_are_matched_by_stride():
    student = [Level(i, 8 * 2**i, 16) for i in range(5)]
    teacher = [Level(i, 4 * 2**i, 32) for i in range(5)]
    pairs = match_levels(student, teacher)
    assert [(s.index, t.index) for s, t in pairs] == [(0, 1), (1, 2), (2, 3),
                                                      (3, 4)]
    with pytest.raises(InputError, match=r'\[8, 16\].*\[4\]'):
        match_levels(student[:2], teacher[:1])
