"""Regions of a feature map at full size and pooled.

Source: the hierarchical context loss of ReviewKD (Chen et al., CVPR 2021) as
RDKD uses it, restricted to masks.
"""
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

#: Sides of RDKD's pooled maps.
POOL_SIZES = (4, 2, 1)


class Scales(NamedTuple):
    """Regions of a batch at all scales, over the ``P = H*W`` cells of a level.

    Pooled cells are sums of segments: the windows of all pooled sizes cut the
    map's rows into bands and its columns likewise, so that one pass over the
    map, band by band, serves all of them.

    Attributes:
        valid: ``(N, 1, H, W)``, 1 where a cell is in any region.
        cells: ``(N, R, P)``, weight of a cell in its region's distance at
            full size.
        columns: ``(N, R*S, P)``, each row marks the cells of one region in
            one of ``S`` segments of columns.
        pools: ``(N, K, B*R*S)``, each row averages the cells of one region
            inside one pooled cell, given their sums in every segment.
        pool_weights: ``(N, K, R)``, weight of a pooled cell in its region's
            distance.
        bands: First and last cell, exclusive, of each of ``B`` bands of rows.
    """
    valid: Tensor
    cells: Tensor
    columns: Tensor
    pools: Tensor
    pool_weights: Tensor
    bands: list[tuple[int, int]]


def pooling_windows(cells: int, size: int) -> list[tuple[int, int]]:
    """Windows of adaptive average pooling over one axis.

    Args:
        cells (int): Length of the axis.
        size (int): Length it is pooled to.

    Returns:
        list[tuple[int, int]]: First and last cell, exclusive, of each window
        of :func:`torch.nn.functional.adaptive_avg_pool1d`.

    Example:
        >>> pooling_windows(3, 2)  # windows overlap
        [(0, 2), (1, 3)]
    """
    return [(i * cells // size, -(-(i + 1) * cells // size))
            for i in range(size)]


def _segments(cells: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """What the windows of all sizes cut an axis into; they are sums of it."""
    edges = {0, cells}.union(*(
        edge for size in sizes for edge in pooling_windows(cells, size)))
    return list(pairwise(sorted(edges)))


def _marks(ranges: Sequence[tuple[int, int]], length: int, like: Tensor
           ) -> Tensor:
    """1 from the first index of each range to its last, exclusive.

    Shape ``(ranges, length)``.  Filled on the device: a list that is copied
    there would make the host wait.
    """
    marks = like.new_zeros(len(ranges), length)
    for row, (low, high) in zip(marks, ranges, strict=True):
        row[low:high] = 1
    return marks


def _windows_of_segments(segments: Sequence[tuple[int, int]], size: int,
                         like: Tensor) -> Tensor:
    """1 where a segment lies in a pooling window, ``(size, segments)``."""
    edges = [low for low, _ in segments] + [segments[-1][1]]
    return _marks([(edges.index(low), edges.index(high)) for low, high
                   in pooling_windows(edges[-1], size)], len(segments), like)


def region_scales(masks: Tensor, pool_sizes: Sequence[int] = POOL_SIZES
                  ) -> Scales:
    """Prepare the regions of a batch for :func:`region_distance`.

    The full size weighs 1 and the ``i``-th pooled size ``2^-i``; weights are
    divided by the sum of those used.  A pooled size that is not smaller than
    both sides of the map is skipped.

    Args:
        masks (Tensor): Shape ``(N, R, H, W)``: ``R`` regions; 0 outside, 1 or
            another positive weight of the cell inside.
        pool_sizes (Sequence[int]): Sides of the pooled maps.  Defaults to
            :data:`POOL_SIZES`; empty for the full size alone.

    Returns:
        Scales: All that the distance needs to know of the masks.

    Example:
        >>> import torch
        >>> scales = region_scales(torch.ones(1, 1, 8, 8), pool_sizes=(4, 2))
        >>> scales.pools.shape  # 4 * 4 + 2 * 2 pooled cells, 4 * 4 segments
        torch.Size([1, 20, 16])
    """
    height, width = masks.shape[2:]
    sizes = [(0.5**i, size) for i, size in enumerate(pool_sizes, start=1)
             if size < min(height, width)]
    total = 1 + sum(importance for importance, _ in sizes)
    area = masks.sum(dim=(2, 3), keepdim=True)
    area = torch.where(area > 0, area, torch.ones_like(area))
    columns, pools, pool_weights, bands = _pooling(
        masks, [(importance / total, size) for importance, size in sizes])
    return Scales(
        (masks.amax(dim=1, keepdim=True) > 0).to(masks.dtype),
        (masks / area / total).flatten(2), columns, pools, pool_weights, bands)


def _pooling(masks: Tensor, sizes: Sequence[tuple[float, int]]
             ) -> tuple[Tensor, Tensor, Tensor, list[tuple[int, int]]]:
    """The pooled part of :class:`Scales`.

    Args:
        masks (Tensor): Shape ``(N, R, H, W)``.
        sizes (Sequence[tuple[float, int]]): Weight and side of each pooled
            map.
    """
    n, regions, height, width = masks.shape
    if not sizes:
        return (masks.new_zeros(n, 0, height * width),
                masks.new_zeros(n, 0, 0), masks.new_zeros(n, 0, regions), [])
    rows, columns = (_segments(cells, [size for _, size in sizes])
                     for cells in (height, width))
    marked = masks[:, :, None] * _marks(columns, width, masks)[:, None]
    inside = torch.einsum('bh,nrshw->nbrs', _marks(rows, height, masks),
                          marked)
    one_region = torch.eye(regions, dtype=masks.dtype, device=masks.device)
    pools, weights = [], []
    for importance, size in sizes:
        windows = torch.einsum(
            'ib,js->ijbs', _windows_of_segments(rows, size, masks),
            _windows_of_segments(columns, size, masks)).flatten(0, 1)
        share = torch.einsum('kbs,nbrs->nrk', windows, inside)
        occupied = (share > 0).to(share.dtype)
        share = torch.where(share > 0, share, torch.ones_like(share))
        pools.append(torch.einsum(
            'kbs,nrk,rq->nrkbqs', windows, 1 / share, one_region).flatten(3))
        of_region = occupied / occupied.sum(dim=2, keepdim=True).clamp(min=1)
        weights.append(importance * of_region)
    weight = torch.cat(weights, dim=2)  # (N, R, cells of all pooled maps)
    return (marked.flatten(1, 2).flatten(2),
            torch.cat(pools, dim=2).flatten(1, 2),
            (weight[..., None] * one_region[:, None]).flatten(1, 2),
            [(low * width, high * width) for low, high in rows])


def pool(x: Tensor, scales: Scales) -> Tensor:
    """Pool a map inside each region.

    Args:
        x (Tensor): Shape ``(N, C, P)``.
        scales (Scales): The regions.

    Returns:
        Tensor: Shape ``(N, C, K)``, the mean of each region in each pooled
        cell.

    Example:
        >>> import torch
        >>> scales = region_scales(torch.ones(1, 1, 2, 4), pool_sizes=(1, ))
        >>> pool(torch.arange(8.).view(1, 1, 8), scales).tolist()
        [[[3.5]]]
    """
    if not scales.bands:
        return x.new_zeros(*x.shape[:2], 0)
    sums = [x[..., low:high] @ scales.columns[..., low:high].transpose(1, 2)
            for low, high in scales.bands]
    return torch.cat(sums, dim=2) @ scales.pools.transpose(1, 2)


def add_unpooled(out: Tensor, pooled: Tensor, scales: Scales, factor: float
                  ) -> None:
    """Add the transpose of :func:`pool`, times a factor, in place.

    Args:
        out (Tensor): Shape ``(N, C, P)``.
        pooled (Tensor): Shape ``(N, C, K)``.
        scales (Scales): The regions.
        factor (float): What is added is multiplied with it.

    Example:
        >>> import torch
        >>> scales = region_scales(torch.ones(1, 1, 2, 2), pool_sizes=(1, ))
        >>> out = torch.zeros(1, 1, 4)
        >>> add_unpooled(out, torch.ones(1, 1, 1), scales, factor=4)
        >>> out.tolist()
        [[[1.0, 1.0, 1.0, 1.0]]]
    """
    if scales.bands:
        parts = (pooled @ scales.pools).chunk(len(scales.bands), dim=2)
        for part, (low, high) in zip(parts, scales.bands, strict=True):
            out[..., low:high].baddbmm_(
                part, scales.columns[..., low:high], alpha=factor)
