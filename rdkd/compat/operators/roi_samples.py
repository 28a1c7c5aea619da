"""Where RoI align samples, with the operations of MMCV's operator."""
from typing import NamedTuple

import torch
from torch import Tensor


class Grid(NamedTuple):
    """How regions are sampled, as in MMCV's ``RoIAlign``.

    Attributes:
        size (tuple[int, int]): Bins of a region, (height, width).
        scale (float): Size of the map over that of the image.
        ratio (int): Samples of a bin along an axis; 0 takes one per pixel.
        aligned (bool): Whether pixels have their center at a half.
    """

    size: tuple[int, int]
    scale: float
    ratio: int
    aligned: bool


class Axis(NamedTuple):
    """Where an axis is sampled.

    Attributes:
        at (Tensor): Coordinates of shape (N, bins, samples).
        used (Tensor): Which of the samples there are, (N, 1, samples).
        number (Tensor): How many there are, (N,).
    """

    at: Tensor
    used: Tensor
    number: Tensor


def sample_axis(start: Tensor, end: Tensor, bins: int, grid: Grid) -> Axis:
    """Place the samples of an axis, with the operations of MMCV's.

    Args:
        start (Tensor): Left or upper edges in the image's pixels, (N,).
        end (Tensor): Right or lower edges, (N,).
        bins (int): Bins along the axis.
        grid (Grid): How regions are sampled.

    Returns:
        Axis: Where.
    """
    shift = 0.5 if grid.aligned else 0.0
    start = start * grid.scale - shift
    length = end * grid.scale - shift - start
    if not grid.aligned:
        length = length.clamp(min=1)
    width = length / bins
    if grid.ratio > 0:
        count = torch.full_like(length, grid.ratio)
        most = grid.ratio
    else:
        count = (length / bins).ceil().clamp(min=0)
        most = int(count.max()) if len(count) else 0
    steps = torch.arange(most, device=start.device, dtype=start.dtype)
    numbers = torch.arange(bins, device=start.device, dtype=start.dtype)
    start, width, samples = (
        value[:, None, None] for value in (start, width, count))
    samples = samples.clamp(min=1)
    at = start + numbers[:, None] * width + (steps + 0.5) * width / samples
    return Axis(at, steps < count[:, None, None], count)


def corners(at: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Give the two pixels of each coordinate and their weights.

    Args:
        at (Tensor): Coordinates of any shape.
        size (int): Pixels of the map along the axis.

    Returns:
        tuple[Tensor, Tensor]: Pixels (int64) and weights, of that shape and
        2.  More than a pixel off the map both weights are 0.
    """
    inside = (at >= -1) & (at <= size)
    at = torch.where(inside, at, 0).clamp(0, size - 1)
    low = at.floor()
    part = at - low
    # Beyond the last pixel there is none, but no weight for it either.
    pixel = torch.stack([low, (low + 1).clamp(max=size - 1)], -1).long()
    weight = torch.stack([1 - part, part], -1)
    return pixel, weight * inside.unsqueeze(-1)


def exact(tensor: Tensor) -> Tensor:
    """Half precision is not enough for coordinates and sums."""
    return tensor.float() if tensor.element_size() < 4 else tensor
