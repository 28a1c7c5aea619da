"""RoI align: regions of feature maps, resampled to one size.

The average of bilinear samples on a regular grid is a weighted sum of pixels
whose weights are a product of one factor per axis.  They are summed over the
samples of a bin first, so that each pixel is read once per bin, by
``embedding_bag``, which neither copies the pixels nor needs a loop.
"""
import torch
from torch import Tensor
from torch.nn import functional as F

from rdkd.compat.operators.roi_align_max import (
    roi_align_max,
    roi_align_max_gradient,
)
from rdkd.compat.operators.roi_samples import (
    Axis,
    Grid,
    corners,
    exact,
    sample_axis,
)
from rdkd.compat.operators.vision import vision


def _pixels(axis: Axis, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sum the weights of an axis by bin and pixel.

    Args:
        axis (Axis): Where it is sampled.
        size (int): Pixels of the map along the axis.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Pixels and their weights, those of bin
        after bin, and how many there are of each, of shape (N * bins,).
    """
    pixel, weight = corners(axis.at, size)
    weight = weight * axis.used.unsqueeze(-1)
    weight = weight / axis.number.clamp(min=1)[:, None, None, None]
    pixel, weight = pixel.flatten(2), weight.flatten(2)
    # Neighboring samples share pixels: the slot of a pixel is its distance
    # from the first, or its own place where one is too far away.
    slots = pixel.shape[2]
    distance = pixel - pixel[:, :, :1]
    near = ((distance >= 0) & (distance < slots)).all(2, keepdim=True)
    own = torch.arange(slots, device=pixel.device)
    slot = torch.where(near, distance, own)
    total = torch.zeros_like(weight).scatter_add_(2, slot, weight)
    pixel = torch.zeros_like(pixel).scatter_(2, slot, pixel)
    there = total != 0
    return pixel[there], total[there], there.sum(2).flatten()


def _terms(rois: Tensor, grid: Grid, size: tuple[int, int]
           ) -> tuple[Tensor, Tensor, Tensor]:
    """Write each bin as a weighted sum of pixels.

    Args:
        rois (Tensor): Image and corners of shape (N, 5), float32 or float64.
        grid (Grid): How they are sampled.
        size (tuple[int, int]): Height and width of the map.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Pixels, numbered through all images
        and rows, and their weights, of shape (T,), those of bin after bin;
        how many there are of each bin, of shape (N * bins,).
    """
    image, x1, y1, x2, y2 = rois.unbind(1)
    (height, width), (rows, columns) = size, grid.size
    y, wy, ny = _pixels(sample_axis(y1, y2, rows, grid), height)
    x, wx, nx = _pixels(sample_axis(x1, x2, columns, grid), width)
    y_start = (ny.cumsum(0) - ny).view(-1, rows, 1)
    x_start = (nx.cumsum(0) - nx).view(-1, 1, columns)
    nx = nx.view(-1, 1, columns)
    counts = (ny.view(-1, rows, 1) * nx).flatten()
    ends = counts.cumsum(0)
    bins = torch.repeat_interleave(counts)
    within = torch.arange(len(bins), device=bins.device)
    within -= (ends - counts)[bins]
    across = nx.expand(-1, rows, -1).flatten()[bins]
    down = torch.div(within, across, rounding_mode='floor')
    across = within - down * across
    down += y_start.expand(-1, -1, columns).flatten()[bins]
    across += x_start.expand(-1, rows, -1).flatten()[bins]
    row = y[down] + image.long().repeat_interleave(
        rows * columns)[bins] * height
    return row * width + x[across], wy[down] * wx[across], counts


def _bags(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def roi_align(features: Tensor, rois: Tensor, grid: Grid) -> Tensor:
    """Average bilinear samples in each bin of each region.

    Args:
        features (Tensor): Maps of shape (B, C, H, W).
        rois (Tensor): Image and corners (x1, y1, x2, y2) in the image's
            pixels, shape (N, 5).
        grid (Grid): How they are sampled.

    Returns:
        Tensor: Shape (N, C, rows, columns), the maps' dtype.  Samples more
        than a pixel off the map count as 0.
    """
    height, width = features.shape[2:]
    pixel, weight, counts = _terms(exact(rois), grid, (height, width))
    table = exact(features).permute(0, 2, 3, 1).flatten(0, 2)
    table = table.contiguous()
    sums = F.embedding_bag(
        pixel, table, _bags(counts), mode='sum', include_last_offset=True,
        per_sample_weights=weight.to(table.dtype))
    return sums.view(len(rois), *grid.size, features.shape[1]).permute(
        0, 3, 1, 2).to(features.dtype)


def roi_align_gradient(gradient: Tensor, rois: Tensor, grid: Grid,
                       result: Tensor) -> None:
    """Give the gradient of :func:`roi_align` with respect to the maps.

    Args:
        gradient (Tensor): That of its result, (N, C, rows, columns).
        rois (Tensor): As given to it.
        grid (Grid): As given to it.
        result (Tensor): Contiguous, of the maps' shape; written to, because
            one more pass over the largest map takes longer than the sums.
    """
    images, channels, height, width = result.shape
    pixel, weight, counts = _terms(exact(rois), grid, (height, width))
    table = exact(gradient).permute(0, 2, 3, 1).reshape(-1, channels)
    # The same sums, by pixel instead of by bin.
    order = pixel.argsort()
    bins = torch.repeat_interleave(counts)[order]
    counts = torch.bincount(pixel, minlength=images * height * width)
    sums = F.embedding_bag(
        bins, table, _bags(counts), mode='sum', include_last_offset=True,
        per_sample_weights=weight[order].to(table.dtype))
    for image, part in zip(result, sums.split(height * width), strict=True):
        image.view(channels, -1).copy_(part.t())


def roi_align_forward(
        input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor,
        argmax_x: Tensor, aligned_height: int, aligned_width: int,
        spatial_scale: float, sampling_ratio: int, pool_mode: int,
        aligned: bool) -> None:
    """Bind ``mmcv._ext.roi_align_forward``."""
    grid = Grid((aligned_height, aligned_width), spatial_scale,
                sampling_ratio, aligned)
    operators = vision()
    if pool_mode == 0:
        for target, value in zip((output, argmax_y, argmax_x),
                                 roi_align_max(input, rois, grid),
                                 strict=True):
            target.copy_(value)
    elif operators is not None:
        output.copy_(operators.roi_align(
            input, rois.to(input.dtype), grid.size, spatial_scale,
            sampling_ratio, aligned))
    else:
        output.copy_(roi_align(input, rois, grid))


def roi_align_backward(
        grad_output: Tensor, rois: Tensor, argmax_y: Tensor,
        argmax_x: Tensor, grad_input: Tensor, aligned_height: int,
        aligned_width: int, spatial_scale: float, sampling_ratio: int,
        pool_mode: int, aligned: bool) -> None:
    """Bind ``mmcv._ext.roi_align_backward``."""
    grid = Grid((aligned_height, aligned_width), spatial_scale,
                sampling_ratio, aligned)
    if pool_mode == 0:
        roi_align_max_gradient(grad_output, rois, argmax_y, argmax_x,
                               grad_input)
    elif vision() is not None:
        grad_input.copy_(torch.ops.torchvision._roi_align_backward(
            grad_output, rois.to(grad_output.dtype), spatial_scale,
            *grid.size, *grad_input.shape, sampling_ratio, aligned))
    else:
        roi_align_gradient(grad_output, rois, grid, grad_input)
