"""The two attentions as modules with their parameters.

Source: DANet (Fu et al., CVPR 2019), sections 3.2 and 3.3, as used by RDKD
(Zhang and Pan, 2023).
"""
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from rdkd.arguments import Count, checked
from rdkd.functional.attention import channel_attention, position_attention


@MODELS.register_module()
class PositionAttention(nn.Module):
    """Spatial attention branch with its four 1x1 convolutions.

    Three convolutions embed the input into query, key and value of equal
    width; a fourth brings the result back to ``channels`` ([our choice]: DANet
    keeps the value at full width, which no fused kernel accepts).

    Args:
        channels (int): Channels ``C`` of the map.
        kv_size (int, optional): Keys and values are average-pooled to at most
            ``kv_size x kv_size`` positions; maps that are not larger are
            attended exactly.  None attends exactly always.
    """

    @checked
    def __init__(self, channels: Count, kv_size: Count | None) -> None:
        super().__init__()
        # An eighth of the width, as DANet's query and key have, in the
        # multiples of 8 that half-precision kernels need.
        embed = max(8, channels // 64 * 8)
        self.kv_size = kv_size
        self.query = nn.Conv2d(channels, embed, 1)
        self.key = nn.Conv2d(channels, embed, 1)
        self.value = nn.Conv2d(channels, embed, 1)
        self.project = nn.Conv2d(embed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over ``x`` of shape ``(N, C, H, W)``; same shape out."""
        context = x
        if self.kv_size is not None and max(x.shape[-2:]) > self.kv_size:
            size = (min(x.shape[-2], self.kv_size),
                    min(x.shape[-1], self.kv_size))
            # Pooling commutes with a 1x1 convolution: pool first, it is less.
            context = F.adaptive_avg_pool2d(x, size)
        out = position_attention(
            self.query(x), self.key(context), self.value(context))
        return self.project(out)


@MODELS.register_module()
class DualAttention(nn.Module):
    """``x + alpha * position(x) + beta * channel(x)`` (DANet; RDKD).

    Both branches read the same map.  ``alpha`` and ``beta`` are learnable and
    start at 0, so that the module starts as the identity.

    Args:
        channels (int): Channels ``C`` of the map.
        kv_size (int, optional): See :class:`PositionAttention`.
    """

    @checked
    def __init__(self, channels: Count, kv_size: Count | None) -> None:
        super().__init__()
        self.position = PositionAttention(channels, kv_size)
        self.alpha = nn.Parameter(torch.zeros(1))
        self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Attend over ``x`` of shape ``(N, C, H, W)``; same shape out."""
        return (x + self.alpha * self.position(x) +
                self.beta * channel_attention(x))
