"""Review: fuse the student's neck levels from coarse to fine.

Source: RDKD (Zhang and Pan, Application Research of Computers 40(5), 2023),
the feature fuse module; review as such is from ReviewKD (Chen et al., CVPR
2021).
"""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmrazor.models.architectures.connectors.base_connector import (
    BaseConnector,
)
from torch import Tensor, nn

from rdkd.models.attention import DualAttention


def match_channels(in_channels: int, out_channels: int) -> nn.Module:
    """Identity where the widths agree, else a 1x1 convolution."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Conv2d(in_channels, out_channels, 1)


@MODELS.register_module()
class ChannelAdapter(BaseConnector):
    """Bring every student level to the teacher's channels.

    Levels whose channels agree pass unchanged: nothing to learn that could
    absorb the lesson in the student's place ([our choice]).

    Args:
        in_channels (Sequence[int]): Student channels ``C_s`` of each level.
        out_channels (Sequence[int]): Teacher channels ``C_t`` of each level.
    """

    def __init__(self, in_channels: Sequence[int],
                 out_channels: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            match_channels(c_s, c_t)
            for c_s, c_t in zip(in_channels, out_channels, strict=True))

    def forward_train(self, feature: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map levels ``(N, C_s, H_l, W_l)`` to ``(N, C_t, H_l, W_l)``."""
        return tuple(
            level(x) for level, x in zip(self.levels, feature, strict=True))


class FuseModule(nn.Module):
    """Fuse one level with the review of the level above it.

    Args:
        channels (int): Channels of this level.
        coarser_channels (int, optional): Channels of the coarser level's
            output; None at the coarsest level, where nothing is fused.
        attention (bool): Whether to attend over the fused map.
        kv_size (int, optional): See
            :class:`~rdkd.models.attention.PositionAttention`.
    """

    def __init__(self, channels: int, coarser_channels: int | None,
                 attention: bool, kv_size: int | None) -> None:
        super().__init__()
        self.fuse: nn.Conv2d | None = None
        if coarser_channels is not None:
            # [our choice] 1x1 without norm, starting at the identity on this
            # level: a fusion that starts at random can learn to answer for
            # the student, and the student then learns less from the loss.
            self.fuse = nn.Conv2d(channels + coarser_channels, channels, 1)
            nn.init.dirac_(self.fuse.weight)
            nn.init.zeros_(self.fuse.bias)  # type: ignore[arg-type]
        self.attend = (
            DualAttention(channels, kv_size) if attention else nn.Identity())

    def forward(self, x: Tensor, coarser: Tensor | None) -> Tensor:
        """Fuse ``x`` ``(N, C, H, W)`` with ``coarser`` ``(N, C', h, w)``."""
        if self.fuse is not None and coarser is not None:
            coarser = F.interpolate(coarser, size=x.shape[-2:], mode='nearest')
            x = self.fuse(torch.cat([x, coarser], dim=1))
        return self.attend(x)


@MODELS.register_module()
class ReviewFusion(BaseConnector):
    """The chain of feature fuse modules over all levels.

    For levels from coarse to fine: resize the coarser module's output
    (nearest, [our choice]), concatenate, convolve to the level's channels,
    add both attentions (see ``docs/method.md``).
    The gradient of teacher level ``k`` so reaches every student level
    ``l >= k``.

    Args:
        channels (Sequence[int]): Channels of each level, fine to coarse.  Use
            :class:`ChannelAdapter` before it where student and teacher differ.
        attention (bool): Whether the fused maps are attended. Defaults to
            True.
        kv_size (int, optional): Side of the pooled keys and values, None for
            exact attention.  Defaults to 32.
    """

    def __init__(self,
                 channels: Sequence[int],
                 attention: bool = True,
                 kv_size: int | None = 32) -> None:
        super().__init__()
        coarser = [*channels[1:], None]
        self.levels = nn.ModuleList(
            FuseModule(c, up, attention, kv_size)
            for c, up in zip(channels, coarser, strict=True))

    def forward_train(self, feature: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Review the levels.

        Args:
            feature (Sequence[Tensor]): Shapes ``(N, C, H_l, W_l)``, fine to
                coarse.

        Returns:
            tuple[Tensor, ...]: The reviewed levels, same shapes and order.
        """
        if len(feature) != len(self.levels):
            raise ValueError(f'ReviewFusion was built for {len(self.levels)} '
                             f'levels but got {len(feature)}.')
        reviewed: list[Tensor] = []
        coarser: Tensor | None = None
        for module, x in zip(reversed(self.levels), reversed(feature),
                             strict=True):
            coarser = module(x, coarser)
            reviewed.append(coarser)
        return tuple(reversed(reviewed))
