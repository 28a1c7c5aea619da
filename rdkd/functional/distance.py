"""Distance between two feature maps inside regions and at several scales.

Source: the hierarchical context loss of ReviewKD (Chen et al., CVPR 2021) as
RDKD uses it, restricted to masks; standardization as in PKD (Cao et al.,
NeurIPS 2022), but over each image by itself.
"""
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rdkd.functional.precision import full_precision
from rdkd.functional.scales import Scales, add_unpooled, pool, region_scales
from rdkd.functional.standardization import standardize


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
        pooled = pool(difference.flatten(2), scales)
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
        scales = Scales._make([*tensors, ctx.bands])
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
        add_unpooled(flat, pooled * of_pool.transpose(1, 2), scales, factor)
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


class Target(NamedTuple):
    """A teacher's level, ready to be compared with.

    Attributes:
        teacher: ``(N, C, H, W)``, standardized if ``standardized``.
        scales: The regions of the batch.
        standardized: Whether maps are standardized before they are compared.
    """
    teacher: Tensor
    scales: Scales
    standardized: bool


def make_target(teacher: Tensor, mask: Tensor, pool_sizes: Sequence[int],
                standardized: bool) -> Target:
    """Prepare a teacher's level, which several maps can be compared with.

    In float32 under mixed precision.

    Args:
        teacher (Tensor): Shape ``(N, C, H, W)``, gets no gradient.
        mask (Tensor): Shape ``(N, R, H, W)``, one map for each region; 0
            outside, a positive weight inside.
        pool_sizes (Sequence[int]): See
            :func:`~rdkd.functional.scales.region_scales`.
        standardized (bool): Whether maps are standardized per image and
            channel before they are compared.

    Returns:
        Target: For :func:`distance_to`.

    Example:
        >>> import torch
        >>> teacher = torch.randn(1, 2, 4, 4)
        >>> target = make_target(teacher, torch.ones(1, 1, 4, 4), (), True)
        >>> distance_to(target, 3 * teacher + 1).round(decimals=3).tolist()
        [0.0]
    """
    with torch.autocast(teacher.device.type, enabled=False):
        teacher = full_precision(teacher.detach())
        scales = region_scales(mask.to(teacher.dtype), pool_sizes)
        if standardized:
            teacher, _ = standardize(teacher, scales.valid)
    return Target(teacher.contiguous(), scales, standardized)


def distance_to(target: Target, student: Tensor) -> Tensor:
    """:func:`region_distance` to a target, averaged over the batch.

    In float32 under mixed precision.

    Args:
        target (Target): Of :func:`make_target`.
        student (Tensor): Shape ``(N, C, H, W)``.

    Returns:
        Tensor: Shape ``(R,)``, float32 (float64 for float64 input).

    Example:
        >>> import torch
        >>> target = make_target(torch.zeros(2, 3, 4, 4),
        ...                      torch.ones(2, 1, 4, 4), (2, ), False)
        >>> distance_to(target, torch.ones(2, 3, 4, 4)).tolist()
        [1.0]
    """
    with torch.autocast(student.device.type, enabled=False):
        return region_distance(
            student.to(target.teacher.dtype).contiguous(), target.teacher,
            target.scales, target.standardized).mean(dim=0)
