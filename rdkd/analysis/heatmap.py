"""Heat maps of where detectors look, on one colour scale.

RDKD shows such maps of the student alone, of plain feature distillation and
of its own.  The attention of a position is FGD's (Yang et al., CVPR 2022,
equation 2): the mean over the channels of the absolute value.  [Our choice] It
is divided by its mean over the image and not put through a softmax, so that
the scale reads 'times the average' and models are comparable whatever the
size of their features.
"""
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from mmdet.models.detectors import BaseDetector
from mmengine.visualization.utils import convert_overlay_heatmap
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rdkd.analysis.features import neck_features
from rdkd.errors import InputError

#: Share of the positions below the top of the scale: one hot cell does not
#: flatten the rest.
TOP = 0.995

#: Of a cell of the figure, in inches.
WIDTH = 2.0


def read_image(path: str) -> NDArray[Any]:
    """Read an image.

    Args:
        path (str): Of a file.

    Returns:
        NDArray: uint8, shape ``(H, W, 3)``, RGB.

    Raises:
        InputError: If there is no such file, or it is no image.
    """
    if not Path(path).is_file():
        raise InputError(f'the image {path} does not exist.')
    image = cv2.imread(path)
    if image is None:
        raise InputError(f'the image {path} cannot be read. Name a whole JPEG '
                         'or PNG file.')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


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


def overlay(maps: Tensor, image: NDArray[Any]
            ) -> tuple[NDArray[Any], float, float]:
    """Colour maps on one scale, over an image.

    Args:
        maps (Tensor): Shape ``(M, L, H, W)``.
        image (NDArray): uint8, RGB, of any size.

    Returns:
        tuple: The pictures, uint8, shape ``(M, L, H, W, 3)``, and the values
        at the bottom and the top of the scale.  ``1 - TOP`` of all positions
        are above it.
    """
    rows, columns, height, width = maps.shape
    low, high = float(maps.min()), float(np.quantile(maps.numpy(), TOP))
    # mmengine stretches the colours over what it gets: all maps at once.
    joined = maps.clamp(max=high).transpose(1, 2).reshape(
        rows * height, columns * width)
    tiled = np.tile(cv2.resize(image, (width, height),
                               interpolation=cv2.INTER_AREA),
                    (rows, columns, 1))
    pictures = convert_overlay_heatmap(joined, tiled).reshape(
        rows, height, columns, width, 3)
    return pictures.swapaxes(1, 2), low, high


def draw_attention(maps: Mapping[str, Tensor], strides: Sequence[int],
                   image: NDArray[Any]) -> Figure:
    """Draw a row for each model and a column for each level.

    Args:
        maps (Mapping[str, Tensor]): By the model's title, of
            :func:`detector_attention`.
        strides (Sequence[int]): Of the levels, in pixels.
        image (NDArray): The image, uint8, RGB, of any size.

    Returns:
        Figure: With one colour bar, which is right for all of it.
    """
    pictures, low, high = overlay(torch.stack(list(maps.values())), image)
    rows, columns, height, width = pictures.shape[:4]
    tall = WIDTH * height / width
    figure = Figure(figsize=(WIDTH * columns + 1.2, tall * rows + 0.4),
                    layout='compressed', dpi=150)
    axes = figure.subplots(rows, columns, squeeze=False)
    names = [*(f'stride {stride}' for stride in strides), 'average']
    for row, title in enumerate(maps):
        # About twelve letters to an inch, across the row.
        axes[row, 0].set_ylabel(fill(title, max(8, round(12 * tall))))
        for column, name in enumerate(names):
            axes[row, column].imshow(pictures[row, column])
            axes[row, column].set(xticks=[], yticks=[])
            if row == 0:
                axes[row, column].set_title(name, fontsize='medium')
    colours = convert_overlay_heatmap(np.arange(256.)[None])[0] / 255
    figure.colorbar(
        ScalarMappable(Normalize(low, high), ListedColormap(colours)),
        ax=axes, aspect=8 * tall * rows, extend='max', extendfrac=0.03,
        pad=0.01, label='attention\n(times the average)')
    return figure
