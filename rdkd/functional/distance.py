"""Distance between two feature maps inside regions and at several scales.

Source: the hierarchical context loss of ReviewKD (Chen et al., CVPR 2021) as
RDKD uses it, restricted to masks; standardization as in PKD (Cao et al.,
NeurIPS 2022), but over each image by itself.
"""
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rdkd.functional.standardization import standardize


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


def region_scales(masks: Tensor, pool_sizes: Sequence[int] = (4, 2, 1)
                  ) -> Scales:
    """Prepare the regions of a batch for :func:`region_distance`.

    The full size weighs 1 and the ``i``-th pooled size ``2^-i``; weights are
    divided by the sum of those used.  A pooled size that is not smaller than
    both sides of the map is skipped.

    Args:
        masks (Tensor): Shape ``(N, R, H, W)``: ``R`` regions; 0 outside, 1 or
            another positive weight of the cell inside.
        pool_sizes (Sequence[int]): Sides of the pooled maps.  Defaults to
            (4, 2, 1); empty for the full size alone.

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


def _pool(x: Tensor, scales: Scales) -> Tensor:
    """Pooled cells ``(N, C, K)`` of a map ``(N, C, P)``."""
    if not scales.bands:
        return x.new_zeros(*x.shape[:2], 0)
    sums = [x[..., low:high] @ scales.columns[..., low:high].transpose(1, 2)
            for low, high in scales.bands]
    return torch.cat(sums, dim=2) @ scales.pools.transpose(1, 2)


def _add_unpooled(out: Tensor, pooled: Tensor, scales: Scales, factor: float
                  ) -> None:
    """The transpose of :func:`_pool`, times ``factor``, added in place."""
    if scales.bands:
        parts = (pooled @ scales.pools).chunk(len(scales.bands), dim=2)
        for part, (low, high) in zip(parts, scales.bands, strict=True):
            out[..., low:high].baddbmm_(
                part, scales.columns[..., low:high], alpha=factor)


class _RegionDistance(torch.autograd.Function):
    """:func:`region_distance` with its gradient written out.

    Autograd would keep the standardized map, the difference and its square;
    here nothing is kept but the two inputs, and the rest is made again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor, scales: Scales,
                standardized: bool) -> Tensor:
        if standardized:
            difference = standardize(x, scales.valid)[0].sub_(target)
        else:
            difference = x - target
        channels = x.shape[1]
        squared = torch.linalg.vector_norm(difference, dim=1).square()
        full = scales.cells @ squared.flatten(1)[..., None] / channels
        pooled = _pool(difference.flatten(2), scales)
        at_scales = (pooled.square().mean(dim=1, keepdim=True)
                     @ scales.pool_weights)
        *tensors, ctx.bands = scales
        ctx.save_for_backward(x, target, pooled, *tensors)
        ctx.standardized = standardized
        return full.squeeze(2) + at_scales.squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, target, pooled, *tensors = ctx.saved_tensors
        scales = Scales(*tensors, ctx.bands)
        valid = scales.valid
        n, channels = x.shape[:2]
        if ctx.standardized:
            normal, scale = standardize(x, valid)
            out = normal - target
        else:
            out = x - target
        factor = 2 / channels
        of_cell = (grad[:, None] @ scales.cells).view_as(valid) * factor
        of_pool = scales.pool_weights @ grad[..., None]
        out.mul_(of_cell)
        flat = out.view(n, channels, -1)
        _add_unpooled(flat, pooled * of_pool.transpose(1, 2), scales, factor)
        if ctx.standardized:
            # d/dx of (x - mean) * scale: without the parts of the gradient
            # along the mean and along the standardized map itself.
            area = valid.sum(dim=(2, 3)).clamp(min=1)[..., None]
            count = valid.view(n, 1, -1)
            mean = flat @ count.transpose(1, 2) / area
            along = (flat.reshape(n * channels, 1, -1) @ normal.view(
                n * channels, -1, 1)).view(n, channels, 1, 1) / area[..., None]
            out.addcmul_(normal, along, value=-1)
            flat.baddbmm_(mean, count, alpha=-1)
            out.mul_(scale)
        return out, None, None, None


def region_distance(x: Tensor, target: Tensor, scales: Scales,
                    standardized: bool) -> Tensor:
    """Squared distance inside each region, at full size and pooled.

    At full size ``sum(m d^2) / (C sum(m))``; pooled to ``s x s`` cells the
    mean over cells with ``pool(m) > 0`` of ``(pool(m d) / pool(m))^2``; the
    scales weighted as :func:`region_scales` says.  An empty region gives
    exactly 0, with a zero gradient.

    Args:
        x (Tensor): Shape ``(N, C, H, W)``, float32 or float64, contiguous.
        target (Tensor): Shape ``(N, C, H, W)``, gets no gradient; with
            ``standardized`` a standardized map.
        scales (Scales): The regions.
        standardized (bool): Whether ``x`` is standardized first.

    Returns:
        Tensor: Shape ``(N, R)``.

    Example:
        >>> import torch
        >>> left = torch.zeros(1, 1, 4, 4)
        >>> left[..., :2] = 1
        >>> scales = region_scales(torch.cat([left, 1 - left], dim=1))
        >>> student, teacher = 3 * left, torch.zeros(1, 1, 4, 4)
        >>> region_distance(student, teacher, scales, False).round().tolist()
        [[9.0, 0.0]]
    """
    return _RegionDistance.apply(x, target, scales, standardized)
