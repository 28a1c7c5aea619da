"""The levels of a neck are found without computing, where that works."""
import pytest
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from rdkd.detectors.levels import (
    Level,
    match_levels,
    neck_levels,
    probe_levels,
)
from rdkd.errors import InputError
from rdkd.io.config import load_config


def test_a_detector_without_a_neck_is_refused():
    cfg = load_config('rdkd::faster_rcnn_mini_student.py')
    cfg.model.pop('neck')
    with pytest.raises(InputError, match='FasterRCNN has no neck'):
        probe_levels(MODELS.build(cfg.model))


def test_operators_without_fake_kernels_are_run(student_cfg):
    """Deformable convolutions are mmcv's own and know no fake tensors."""
    student_cfg.model.backbone.update(
        depth=50, base_channels=8, stem_channels=8,
        dcn=ConfigDict(type='DCN', deform_groups=1,
                       fallback_on_stride=False),
        stage_with_dcn=(False, True, False, False))
    student_cfg.model.neck.in_channels = [32, 64, 128, 256]
    detector = MODELS.build(student_cfg.model)
    assert probe_levels(detector) == neck_levels(detector)
    assert [level.stride for level in probe_levels(detector)] == [
        8, 16, 32, 64, 128]


def test_levels_are_paired_fine_to_coarse_whatever_their_order():
    """And keep their own place in the neck's output."""
    student = [Level(0, 32, 4), Level(1, 8, 4), Level(2, 16, 4),
               Level(3, 4, 4)]
    teacher = [Level(0, 16, 7), Level(1, 64, 7), Level(2, 8, 7),
               Level(3, 32, 7)]
    assert match_levels(student, teacher) == [
        (Level(1, 8, 4), Level(2, 8, 7)), (Level(2, 16, 4), Level(0, 16, 7)),
        (Level(0, 32, 4), Level(3, 32, 7))]
