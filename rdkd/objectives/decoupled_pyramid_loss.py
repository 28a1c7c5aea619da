"""The RDKD distance over all neck levels."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from rdkd.functional.distance import Scales, region_distance, region_scales
from rdkd.functional.precision import full_precision
from rdkd.functional.standardization import standardize


class Target(NamedTuple):
    """A teacher's level, ready to be compared with.

    Attributes:
        teacher: ``(N, C, H, W)``, standardized if the loss standardizes.
        scales: The regions of the batch.
    """
    teacher: Tensor
    scales: Scales


@MODELS.register_module()
class DecoupledPyramidLoss(nn.Module):
    """Pyramid-pooled distance of every level, inside each region apart.

    Source: RDKD (Zhang and Pan, 2023), sections on decoupling and on pyramid
    pooling; standardization is [our choice], after PKD.

    Args:
        fg_weight (float): Weight of the foreground.
        bg_weight (float): Weight of the background.
        pyramid (bool): Whether to add the pooled scales 4x4, 2x2 and 1x1 to
            the full map.
        standardize (bool): Whether maps are standardized per image and
            channel before they are compared.
    """

    def __init__(self,
                 fg_weight: float,
                 bg_weight: float,
                 pyramid: bool,
                 standardize: bool) -> None:
        super().__init__()
        self.fg_weight = fg_weight
        self.bg_weight = bg_weight
        self.pool_sizes = (4, 2, 1) if pyramid else ()
        self.standardize = standardize

    def target(self, teacher: Tensor, mask: Tensor | None = None) -> Target:
        """Prepare a teacher's level, which several maps can be compared with.

        Args:
            teacher (Tensor): Shape ``(N, C, H, W)``.
            mask (Tensor, optional): Shape ``(N, 2, H, W)``, foreground and
                background, or ``(N, 1, H, W)``, one region that weighs 1; 0
                outside, a positive weight inside.  Defaults to the whole map.

        Returns:
            Target: For :meth:`distance`.
        """
        with torch.autocast(teacher.device.type, enabled=False):
            teacher = full_precision(teacher.detach())
            if mask is None:
                mask = torch.ones_like(teacher[:, :1])
            mask = mask.to(teacher.dtype)
            scales = region_scales(mask, self.pool_sizes)
            if self.standardize:
                teacher, _ = standardize(teacher, scales.valid)
        return Target(teacher.contiguous(), scales)

    def distance(self, student: Tensor, target: Target) -> Tensor:
        """The weighted distance of one level, averaged over the batch.

        Args:
            student (Tensor): Shape ``(N, C, H, W)``.
            target (Target): Of :meth:`target`.

        Returns:
            Tensor: Shape ``(R,)``, float32 (float64 for float64 input): one
            value for each region.
        """
        with torch.autocast(student.device.type, enabled=False):
            student = student.to(target.teacher.dtype).contiguous()
            distance = region_distance(student, target.teacher, target.scales,
                                       self.standardize).mean(dim=0)
        if distance.numel() == 1:
            return distance
        foreground, background = distance.unbind()
        return torch.stack(
            [self.fg_weight * foreground, self.bg_weight * background])

    def forward(self,
                s_feature: Sequence[Tensor],
                t_feature: Sequence[Tensor],
                masks: Sequence[Tensor] | None = None) -> Tensor:
        """Sum of :meth:`distance` over levels and regions.

        Args:
            s_feature (Sequence[Tensor]): Student levels ``(N, C, H_l, W_l)``.
            t_feature (Sequence[Tensor]): Teacher levels, same shapes.
            masks (Sequence[Tensor], optional): One mask for each level.

        Returns:
            Tensor: Scalar.
        """
        per_level = masks if masks is not None else [None] * len(s_feature)
        return torch.stack([
            self.distance(s, self.target(t, m)).sum()
            for s, t, m in zip(s_feature, t_feature, per_level, strict=True)
        ]).sum()
