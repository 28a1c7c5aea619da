"""Trained detectors, ready for MMDetection's inference."""
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODELS, init_default_scope

from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.io.config import detector_config
from rdkd.teacher.build import load_strictly


def load_detector(cfg: Config, checkpoint: str) -> BaseDetector:
    """Build the detector of a plain config with a checkpoint's weights.

    Args:
        cfg (Config): Of :func:`~rdkd.runtime.launch.student_config`.
        checkpoint (str): File or URL, of a distillation or a plain detector.

    Returns:
        BaseDetector: In eval mode, its config as ``cfg``.

    Raises:
        InputError: If the checkpoint does not fit.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    detector = MODELS.build(detector_config(cfg))
    if getattr(detector, 'neck', None) is None:
        raise InputError(f'{type(detector).__name__} has no neck, and the '
                         'neck\'s levels are what is drawn.')
    load_strictly(detector, detector_state_dict(
        load_checkpoint_file(checkpoint), checkpoint), checkpoint)
    detector.cfg = cfg
    return detector.to(get_device()).eval()
