"""Heat maps of where detectors look, on one color scale.

RDKD shows such maps of the baseline, of plain feature distillation and of
itself.
"""
from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.visualization.utils import convert_overlay_heatmap
from numpy.typing import NDArray
from torch import Tensor

from rdkd.analysis.attention import detector_attention
from rdkd.analysis.inference import load_detector
from rdkd.detectors.levels import neck_levels

#: Share of the positions below the top of the scale: one hot cell does not
#: flatten the rest.
TOP = 0.995

#: Of a cell of the figure, in inches.
WIDTH = 2.0


def overlay(maps: Tensor, image: NDArray[Any]
            ) -> tuple[NDArray[Any], float, float]:
    """Color maps on one scale, over an image.

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
    # mmengine stretches the colors over what it gets: all maps at once.
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
            :func:`~rdkd.analysis.attention.detector_attention`.
        strides (Sequence[int]): Of the levels, in pixels.
        image (NDArray): The image, uint8, RGB, of any size.

    Returns:
        Figure: With one color bar, which is right for all of it.
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
    colors = convert_overlay_heatmap(np.arange(256.)[None])[0] / 255
    figure.colorbar(
        ScalarMappable(Normalize(low, high), ListedColormap(colors)),
        ax=axes, aspect=8 * tall * rows, extend='max', extendfrac=0.03,
        pad=0.01, label='attention\n(times the average)')
    return figure


def attention_figures(cfg: Config, checkpoints: Mapping[str, str],
                      images: Mapping[str, NDArray[Any]]
                      ) -> Iterator[tuple[str, Figure]]:
    """Draw where checkpoints of one detector look.

    Args:
        cfg (Config): As for :func:`~rdkd.analysis.inference.load_detector`.
        checkpoints (Mapping[str, str]): Files or URLs by title.
        images (Mapping[str, NDArray]): uint8 RGB images by path.

    Yields:
        tuple[str, Figure]: The path of each image and its figure.

    Raises:
        InputError: If a checkpoint does not fit, or a feature is not finite.
    """
    detectors = {title: load_detector(cfg, checkpoint)
                 for title, checkpoint in checkpoints.items()}
    strides = [level.stride
               for level in neck_levels(next(iter(detectors.values())))]
    for path, image in images.items():
        maps = {title: detector_attention(detector, path)
                for title, detector in detectors.items()}
        yield path, draw_attention(maps, strides, image)
