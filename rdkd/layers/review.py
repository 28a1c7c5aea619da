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

from rdkd.arguments import Count, checked, require, up_to
from rdkd.layers.attention import DualAttention


def fuse(x: Tensor, coarser: Tensor | None) -> Tensor:
    """Add ``coarser`` ``(N, C, h, w)`` to ``x`` ``(N, C, H, W)``, resized.

    With a 1x1 convolution of either before it, this is the convolution of
    both concatenated: a 1x1 convolution and nearest resizing commute, and on
    the coarser map the convolution is a quarter of the work.
    """
    if coarser is None:
        return x
    return x + F.interpolate(coarser, size=x.shape[-2:], mode='nearest')


def pointwise(conv: nn.Module, x: Tensor) -> Tensor:
    """A 1x1 convolution of ``(N, C, H, W)`` as a matrix product.

    The same numbers; oneDNN would bring wide maps into a layout of its own.
    """
    if not isinstance(conv, nn.Conv2d):
        return conv(x)
    out = torch.baddbmm(conv.bias[:, None],  # type: ignore[index]
                        conv.weight.flatten(1).expand(len(x), -1, -1),
                        x.flatten(2))
    return out.view(len(x), -1, *x.shape[-2:])


class FuseModule(nn.Module):
    """Fuse a level with what comes from the level above it; attend.

    A fusion of the level's own width is the paper's: the attended map is the
    result.  A narrower one works beside the level and its result is added to
    it ([our choice]: it costs a quarter).  Both start as the identity on the
    level ([our choice]): a fusion that starts at random can learn to answer
    for the student, and the student then learns less from the loss.

    Args:
        channels (int): Channels ``C`` of this level.
        width (int): Channels ``D`` that are fused and attended, up to ``C``.
        coarser_width (int, optional): Channels ``E`` from the level above;
            None at the coarsest level, where nothing is fused.
        attention (bool): Whether to attend over the fused map.
        kv_size (int, optional): See
            :class:`~rdkd.layers.attention.PositionAttention`.
    """

    def __init__(self, channels: int, width: int, coarser_width: int | None,
                 attention: bool, kv_size: int | None) -> None:
        super().__init__()
        narrow = width < channels
        self.reduce: nn.Module = nn.Identity()
        self.carry: nn.Conv2d | None = None
        self.expand: nn.Conv2d | None = None
        if narrow or coarser_width is not None:
            self.reduce = nn.Conv2d(channels, width, 1)
        if coarser_width is not None:
            self.carry = nn.Conv2d(coarser_width, width, 1, bias=False)
        self.attend = (
            DualAttention(width, kv_size) if attention else nn.Identity())
        if narrow:
            self.expand = nn.Conv2d(width, channels, 1, bias=False)
            nn.init.zeros_(self.expand.weight)
        elif self.carry is not None:
            nn.init.dirac_(self.reduce.weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.reduce.bias)  # type: ignore[arg-type]
            nn.init.zeros_(self.carry.weight)

    def forward(self, x: Tensor, coarser: Tensor | None
                ) -> tuple[Tensor, Tensor]:
        """Review a level.

        Args:
            x (Tensor): The level, shape ``(N, C, H, W)``.
            coarser (Tensor, optional): Shape ``(N, E, h, w)``.

        Returns:
            tuple[Tensor, Tensor]: The reviewed level ``(N, C, H, W)`` and
            what goes on to the finer level ``(N, D, H, W)``.
        """
        if self.carry is not None and coarser is not None:
            coarser = self.carry(coarser)
        fused = self.attend(fuse(pointwise(self.reduce, x), coarser))
        if self.expand is None:
            return fused, fused
        return x + self.expand(fused), fused


@MODELS.register_module()
class ReviewFusion(BaseConnector):
    """The chain of feature fuse modules over all levels.

    For levels from coarse to fine: resize what comes from the coarser module
    (nearest, [our choice]), concatenate, convolve, add both attentions (see
    ``docs/method.md``).  The gradient of teacher level ``k`` so reaches every
    student level ``l >= k``.

    Args:
        channels (Sequence[int]): Channels of each level, fine to coarse.  Use
            :class:`ChannelAdapter` before it where student and teacher differ.
        attention (bool): Whether the fused maps are attended.
        kv_size (int, optional): Side of the pooled keys and values, None for
            exact attention.
        reduction (int): How many times narrower than the level the fusion
            is, up to the channels of the narrowest; 1 is the paper's.

    Raises:
        InputError: If an argument is out of its range.
    """

    @checked
    def __init__(self,
                 channels: Sequence[Count],
                 attention: bool,
                 kv_size: Count | None,
                 reduction: Count) -> None:
        super().__init__()
        require(type(self).__name__, 'reduction', reduction,
                up_to(min(channels, default=reduction)))
        widths = [c // reduction for c in channels]
        self.levels = nn.ModuleList(
            FuseModule(c, width, coarser, attention, kv_size)
            for c, width, coarser in zip(channels, widths, [*widths[1:], None],
                                         strict=True))

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
            level, coarser = module(x, coarser)
            reviewed.append(level)
        return tuple(reversed(reviewed))
