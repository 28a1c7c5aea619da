"""RDKD's distance over all levels, as a loss by itself.

For MMRazor's ``ConfigurableDistiller``; RDKD's own distiller calls the same
functions level by level, for its log.
"""
from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from rdkd.arguments import NotNegative, checked
from rdkd.functional.distance import distance_to, make_target
from rdkd.functional.scales import POOL_SIZES


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

    Raises:
        InputError: If a weight is negative, or a switch neither True nor
            False.
    """

    @checked
    def __init__(self,
                 fg_weight: NotNegative,
                 bg_weight: NotNegative,
                 pyramid: bool,
                 standardize: bool) -> None:
        super().__init__()
        self.weights = fg_weight, bg_weight
        self.pool_sizes = POOL_SIZES if pyramid else ()
        self.standardize = standardize

    def forward(self,
                s_feature: Sequence[Tensor],
                t_feature: Sequence[Tensor],
                masks: Sequence[Tensor] | None = None) -> Tensor:
        """The weighted distance, summed over levels and regions.

        Args:
            s_feature (Sequence[Tensor]): Student levels ``(N, C, H_l, W_l)``.
            t_feature (Sequence[Tensor]): Teacher levels, same shapes.
            masks (Sequence[Tensor], optional): One mask for each level, shape
                ``(N, 2, H, W)``, foreground and background, or
                ``(N, 1, H, W)``, one region that weighs 1.  Defaults to the
                whole maps.

        Returns:
            Tensor: Scalar.
        """
        if masks is None:
            masks = [torch.ones_like(x[:, :1]) for x in t_feature]
        total = []
        for student, teacher, mask in zip(s_feature, t_feature, masks,
                                          strict=True):
            distance = distance_to(
                make_target(teacher, mask, self.pool_sizes, self.standardize),
                student)
            weights = self.weights if len(distance) == 2 else (1.0, )
            total += [weight * value for weight, value in zip(
                weights, distance, strict=True)]
        return torch.stack(total).sum()
