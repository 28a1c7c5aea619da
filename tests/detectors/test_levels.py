"""The levels of a neck are found without computing, where that works."""
import pytest
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from rdkd.detectors.levels import neck_levels, probe_levels
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
