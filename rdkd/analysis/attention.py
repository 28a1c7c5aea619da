"""Where a detector looks.

The attention of a position is FGD's (Yang et al., CVPR 2022, equation 2): the
mean over the channels of the absolute value.  [Our choice] It is divided by
its mean over the image and not put through a softmax, so that it reads 'times
the average' and models are comparable whatever the size of their features.
"""
import torch
from mmdet.models.detectors import BaseDetector
from torch import Tensor
from torch.nn import functional as F

from rdkd.analysis.features import neck_features
from rdkd.errors import InputError


def attention_map(feature: Tensor, padded_size: tuple[int, int],
                  image_size: tuple[int, int]) -> Tensor:
    """How much each pixel's position stands out in a feature map.

    Args:
        feature (Tensor): Shape ``(C, H, W)``.
        padded_size (tuple[int, int]): ``(height, width)`` of the detector's
            input in pixels, which the map covers.
        image_size (tuple[int, int]): Of the image in its upper left corner;
            the rest is padding.

    Returns:
        Tensor: The mean absolute value over the channels, bilinear between
        positions, of ``image_size`` and with mean 1; 0 everywhere if the map
        is 0 in the image.
    """
    strength = feature.float().abs().mean(dim=0)
    inside = F.interpolate(strength[None, None], padded_size, mode='bilinear')[
        0, 0, :image_size[0], :image_size[1]]
    return inside / inside.mean().clamp(min=torch.finfo(inside.dtype).tiny)


def detector_attention(detector: BaseDetector, path: str) -> Tensor:
    """Where a detector looks, from MMDetection's own inference.

    Args:
        detector (BaseDetector): With a neck and its config as ``cfg``, in
            eval mode.
        path (str): Of an image.

    Returns:
        Tensor: Shape ``(levels + 1, H, W)``: the :func:`attention_map` of
        every output of the neck and their mean, in pixels of the image as
        the detector gets it.

    Raises:
        InputError: If a feature is not finite.
    """
    features, meta = neck_features(detector, path)
    # Not `img_shape`: it counts the padding that a pipeline adds.
    image_size = tuple(
        round(side * factor) for side, factor in zip(
            meta['ori_shape'][:2], meta['scale_factor'][::-1], strict=True))
    maps = torch.stack([
        attention_map(feature, meta['batch_input_shape'], image_size)
        for feature in features])
    if not maps.isfinite().all():
        raise InputError(f'the features of {path} are not finite numbers: '
                         'the training of this checkpoint diverged.')
    return torch.cat([maps, maps.mean(dim=0, keepdim=True)]).cpu()
