"""What a detector's neck gives for an image, and how like it is to another's.
"""
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.apis import inference_detector
from mmdet.models.detectors import BaseDetector
from torch import Tensor
from torch.nn import functional as F


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
    features: list[Tensor] = []

    def record(module: Any, inputs: Any, output: Sequence[Tensor]) -> None:
        features[:] = [level[0] for level in output]

    hook = detector.neck.register_forward_hook(record)
    try:
        meta = inference_detector(detector, path).metainfo
    finally:
        hook.remove()
    return features, meta


def correlation(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> float:
    """How like the levels of two necks are, channel by channel.

    PKD (Cao et al., NeurIPS 2022, section 3.2) maximises it over a batch.

    Args:
        student (Sequence[Tensor]): Levels of shape ``(C, H_l, W_l)``.
        teacher (Sequence[Tensor]): The same shapes.

    Returns:
        float: Pearson's correlation over the positions, padding included,
        -1 to 1, mean over channels and levels.  A channel without variance
        counts as 0, a level of less than four positions not at all.
    """
    levels = []
    for pair in zip(student, teacher, strict=True):
        s, t = (x.float().flatten(1) for x in pair)
        if s.shape[1] > 3:
            levels.append(F.cosine_similarity(
                s - s.mean(dim=1, keepdim=True),
                t - t.mean(dim=1, keepdim=True)).mean())
    return float(torch.stack(levels).mean())
