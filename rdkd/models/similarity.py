"""Distance between two feature maps inside regions and at several scales.

Source: the hierarchical context loss of ReviewKD (Chen et al., CVPR 2021) as
RDKD uses it, restricted to masks; standardisation as in PKD (Cao et al.,
NeurIPS 2022), but over each image by itself.
"""
from collections.abc import Sequence

import torch
from torch import Tensor


def standardize(x: Tensor, valid: Tensor, eps: float = 1e-5) -> Tensor:
    """Give every channel of every image mean 0 and variance 1.

    PKD takes the statistics over the batch; over each image ([our choice])
    the result does not depend on what else is in the batch, so that several
    processes compute what one would.

    Args:
        x (Tensor): Shape ``(N, C, H, W)``.
        valid (Tensor): Shape ``(N, 1, H, W)``, 1 where a cell counts and 0
            elsewhere (padding).
        eps (float): Added to the variance.  Defaults to 1e-5.

    Returns:
        Tensor: Shape ``(N, C, H, W)``.
    """
    area = valid.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (x * valid).sum(dim=(2, 3), keepdim=True) / area
    centred = x - mean
    variance = (centred.square() * valid).sum(dim=(2, 3), keepdim=True) / area
    return centred * (variance + eps).rsqrt()


def pooling_matrix(cells: int, size: int, like: Tensor) -> Tensor:
    """Adaptive average pooling of one axis, as a matrix.

    Args:
        cells (int): Length of the axis.
        size (int): Length it is pooled to.
        like (Tensor): Gives device and dtype.

    Returns:
        Tensor: Shape ``(size, cells)``; each row averages one window of
        :func:`torch.nn.functional.adaptive_avg_pool1d`.
    """
    window = torch.arange(size, device=like.device)[:, None]
    index = torch.arange(cells, device=like.device)
    # Cell i is in window w if floor(w c / s) <= i < ceil((w + 1) c / s).
    inside = (index >= window * cells // size) & (
        index * size < (window + 1) * cells)
    weights = inside.to(like.dtype)
    return weights / weights.sum(dim=1, keepdim=True)


def pooled_distance(difference: Tensor,
                    masks: Tensor,
                    pool_sizes: Sequence[int] = (4, 2, 1)) -> Tensor:
    """Squared distance inside each mask, at full size and pooled.

    At full size ``sum(m d^2) / (C sum(m))``; pooled to ``s x s`` cells the
    mean over cells with ``pool(m) > 0`` of ``(pool(m d) / pool(m))^2``.  The
    full size weighs 1 and the ``i``-th pooled size ``2^-i``; the result is
    divided by the weights used.  A pooled size that is not smaller than both
    sides of the map is skipped.  An empty mask gives exactly 0, with a zero
    gradient.

    Args:
        difference (Tensor): Student minus teacher, shape ``(N, C, H, W)``.
        masks (Tensor): Shape ``(N, R, H, W)``, values 0 and 1: ``R`` regions.
        pool_sizes (Sequence[int]): Sizes ``s``, in the order of their
            weights.  Defaults to (4, 2, 1); empty for the full size alone.

    Returns:
        Tensor: Shape ``(N, R)``.
    """
    height, width = difference.shape[-2:]
    area = masks.sum(dim=(2, 3)).clamp(min=1)
    squared = difference.square().mean(dim=1, keepdim=True)
    total = (squared * masks).sum(dim=(2, 3)) / area
    weights = 1.0
    for i, size in enumerate(pool_sizes, start=1):
        if size >= min(height, width):
            continue
        # As products with constants, autograd keeps no map of a region.
        rows = pooling_matrix(height, size, difference)
        columns = pooling_matrix(width, size, difference).t()
        share = rows @ (masks @ columns)
        occupied = (share > 0).to(share.dtype)
        share = torch.where(share > 0, share, torch.ones_like(share))
        per_region = []
        for mask, inside in zip(masks.split(1, dim=1), share.split(1, dim=1),
                                strict=True):
            pooled = rows @ ((difference * mask) @ columns) / inside
            per_region.append(pooled.square().mean(dim=1))
        cells = occupied.sum(dim=(2, 3)).clamp(min=1)
        mean = (torch.stack(per_region, 1) * occupied).sum(dim=(2, 3)) / cells
        total = total + 0.5**i * mean
        weights += 0.5**i
    return total / weights
