"""What a detector's neck gives for images."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.apis import inference_detector
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from torch import Tensor

from rdkd.analysis.inference import load_detector
from rdkd.detectors.capture import outputs_of


def neck_features(detector: BaseDetector, path: str
                  ) -> tuple[list[Tensor], dict[str, Any]]:
    """The neck's levels of an image, from MMDetection's own inference.

    Args:
        detector (BaseDetector): With a neck and its config as ``cfg``, in
            eval mode.
        path (str): Of an image.

    Returns:
        tuple[list[Tensor], dict]: Levels of shape ``(C, H_l, W_l)``, fine to
        coarse, and the image's meta information.
    """
    with outputs_of(detector.neck) as levels:
        meta = inference_detector(detector, path).metainfo
    return [level[0] for level in levels], meta


def images_features(cfg: Config, checkpoint: str, images: Sequence[Path]
                    ) -> list[list[Tensor]]:
    """The necks' levels of several images.

    Args:
        cfg (Config): Of the plain detector.
        checkpoint (str): Its file or URL.
        images (Sequence[Path]): Files.

    Returns:
        list[list[Tensor]]: For each image the levels ``(C, H_l, W_l)``.

    Raises:
        FloatingPointError: If they are not finite: the training diverged.
        InputError: If the checkpoint does not fit.
    """
    detector = load_detector(cfg, checkpoint)
    features = [neck_features(detector, str(image))[0] for image in images]
    if not all(level.isfinite().all() for levels in features
               for level in levels):
        raise FloatingPointError(f'the features of {checkpoint} are not '
                                 'finite numbers.')
    return features
