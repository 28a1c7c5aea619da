"""Distance between two feature maps inside regions and at several scales.

Source: the hierarchical context loss of ReviewKD (Chen et al., CVPR 2021) as
RDKD uses it, restricted to masks; standardisation as in PKD (Cao et al.,
NeurIPS 2022), but over each image by itself.
"""
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rdkd.functional.standardization import standardize


class Scales(NamedTuple):
    """Regions of a batch at all scales, as matrices over the ``P = H*W``
    cells of one level.

    Attributes:
        valid: ``(N, 1, H, W)``, 1 where a cell is in any region.
        cells: ``(N, R, P)``, weight of a cell in its region's distance at
            full size.
        pools: ``(N, K, P)``, each row averages the cells of one region inside
            one pooled cell.
        pool_weights: ``(N, K, R)``, weight of a pooled cell in its region's
            distance.
    """
    valid: Tensor
    cells: Tensor
    pools: Tensor
    pool_weights: Tensor


def pooling_matrix(cells: int, size: int, like: Tensor) -> Tensor:
    """Adaptive average pooling of one axis, as a matrix.

    Args:
        cells (int): Length of the axis.
        size (int): Length it is pooled to.
        like (Tensor): Gives device and dtype.

    Returns:
        Tensor: Shape ``(size, cells)``; each row averages one window of
        :func:`torch.nn.functional.adaptive_avg_pool1d`.

    Example:
        >>> import torch
        >>> pooling_matrix(3, 2, torch.ones(())).tolist()  # windows overlap
        [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """
    window = torch.arange(size, device=like.device)[:, None]
    index = torch.arange(cells, device=like.device)
    # Cell i is in window w if floor(w c / s) <= i < ceil((w + 1) c / s).
    inside = (index >= window * cells // size) & (
        index * size < (window + 1) * cells)
    weights = inside.to(like.dtype)
    return weights / weights.sum(dim=1, keepdim=True)


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
        >>> scales.pools.shape  # 4 * 4 + 2 * 2 pooled cells over 8 * 8 cells
        torch.Size([1, 20, 64])
    """
    n, regions, height, width = masks.shape
    sizes = [(0.5**i, size) for i, size in enumerate(pool_sizes, start=1)
             if size < min(height, width)]
    total = 1 + sum(importance for importance, _ in sizes)
    area = masks.sum(dim=(2, 3), keepdim=True)
    area = torch.where(area > 0, area, torch.ones_like(area))
    pools, weights = [], []
    for importance, size in sizes:
        rows = pooling_matrix(height, size, masks)
        columns = pooling_matrix(width, size, masks)
        windows = rows[:, None, :, None] * columns[None, :, None, :]
        inside = masks[:, :, None] * windows.flatten(0, 1)
        share = inside.sum(dim=(3, 4))
        occupied = (share > 0).to(share.dtype)
        share = torch.where(share > 0, share, torch.ones_like(share))
        pools.append((inside / share[..., None, None]).flatten(3))
        of_region = occupied / occupied.sum(dim=2, keepdim=True).clamp(min=1)
        weights.append(importance / total * of_region)
    if not pools:
        pools = [masks.new_zeros(n, regions, 0, height * width)]
        weights = [masks.new_zeros(n, regions, 0)]
    weight = torch.cat(weights, dim=2)  # (N, R, cells of all pooled maps)
    one_region = torch.eye(regions, dtype=masks.dtype, device=masks.device)
    return Scales(
        (masks.amax(dim=1, keepdim=True) > 0).to(masks.dtype),
        (masks / area / total).flatten(2),
        torch.cat(pools, dim=2).flatten(1, 2),
        (weight[..., None] * one_region[:, None]).flatten(1, 2))


class _RegionDistance(torch.autograd.Function):
    """:func:`region_distance` with its gradient written out.

    Autograd would keep the standardised map, the difference and its square;
    here nothing is kept but the two inputs, and the rest is made again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor, valid: Tensor,
                cells: Tensor, pools: Tensor, pool_weights: Tensor,
                standardized: bool) -> Tensor:
        if standardized:
            difference = standardize(x, valid)[0].sub_(target)
        else:
            difference = x - target
        channels = x.shape[1]
        squared = torch.linalg.vector_norm(difference, dim=1).square()
        full = cells @ squared.flatten(1)[..., None] / channels
        pooled = difference.flatten(2) @ pools.transpose(1, 2)
        at_scales = pooled.square().mean(dim=1, keepdim=True) @ pool_weights
        ctx.save_for_backward(x, target, valid, cells, pools, pool_weights,
                              pooled)
        ctx.standardized = standardized
        return full.squeeze(2) + at_scales.squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, target, valid, cells, pools, pool_weights,
         pooled) = ctx.saved_tensors
        n, channels = x.shape[:2]
        if ctx.standardized:
            normal, scale = standardize(x, valid)
            out = normal - target
        else:
            out = x - target
        factor = 2 / channels
        of_cell = (grad[:, None] @ cells).view_as(valid) * factor
        of_pool = pool_weights @ grad[..., None]
        out.mul_(of_cell)
        flat = out.view(n, channels, -1)
        flat.baddbmm_(pooled * of_pool.transpose(1, 2), pools, alpha=factor)
        if ctx.standardized:
            # d/dx of (x - mean) * scale: without the parts of the gradient
            # along the mean and along the standardised map itself.
            area = valid.sum(dim=(2, 3)).clamp(min=1)[..., None]
            count = valid.view(n, 1, -1)
            mean = flat @ count.transpose(1, 2) / area
            along = (flat.reshape(n * channels, 1, -1) @ normal.view(
                n * channels, -1, 1)).view(n, channels, 1, 1) / area[..., None]
            out.addcmul_(normal, along, value=-1)
            flat.baddbmm_(mean, count, alpha=-1)
            out.mul_(scale)
        return out, None, None, None, None, None, None


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
            ``standardized`` a standardised map.
        scales (Scales): The regions.
        standardized (bool): Whether ``x`` is standardised first.

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
    return _RegionDistance.apply(x, target, *scales, standardized)
