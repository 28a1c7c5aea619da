"""Bringing the student's levels to the teacher's channels."""
from collections.abc import Sequence

from mmengine.registry import MODELS
from mmrazor.models.architectures.connectors.base_connector import (
    BaseConnector,
)
from torch import Tensor, nn

from rdkd.arguments import Count, checked


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

    @checked
    def __init__(self, in_channels: Sequence[Count],
                 out_channels: Sequence[Count]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            match_channels(c_s, c_t)
            for c_s, c_t in zip(in_channels, out_channels, strict=True))

    def forward_train(self, feature: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map levels ``(N, C_s, H_l, W_l)`` to ``(N, C_t, H_l, W_l)``."""
        return tuple(
            level(x) for level, x in zip(self.levels, feature, strict=True))
