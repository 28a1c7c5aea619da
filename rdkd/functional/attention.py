"""Position and channel attention over one feature map.

Source: DANet (Fu et al., "Dual Attention Network for Scene Segmentation",
CVPR 2019), sections 3.2 and 3.3, as used by RDKD (Zhang and Pan, 2023).
Softmaxes and the channel energy are computed in float32 under mixed
precision; results are returned in the dtype of the input.
"""
import torch
import torch.nn.functional as F
from torch import Tensor

from rdkd.functional.precision import full_precision


def position_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Let every query position read from all key/value positions.

    ``softmax(query^T key) value`` without the ``1 / sqrt(E)`` scaling of
    transformers (DANet, equation 1).  The three tensors have the same number
    of channels, so that torch dispatches to a fused kernel and the
    ``(H*W, K)`` matrix is never stored.

    Args:
        query (Tensor): Shape ``(N, E, H, W)``.
        key (Tensor): Shape ``(N, E, h, w)``; ``h * w = K`` positions.
        value (Tensor): Shape ``(N, E, h, w)``.

    Returns:
        Tensor: Shape ``(N, E, H, W)``, dtype of ``query``.

    Example:
        >>> import torch
        >>> query = torch.zeros(1, 2, 3, 4)  # equally like every key
        >>> key = torch.randn(1, 2, 2, 2)
        >>> value = torch.ones(1, 2, 2, 2)
        >>> out = position_attention(query, key, value)
        >>> out.shape, bool(out.allclose(torch.ones_like(out)))
        (torch.Size([1, 2, 3, 4]), True)
    """
    with torch.autocast(query.device.type, enabled=False):
        # (N, 1 head, positions, E), contiguous: what fused kernels accept.
        q, k, v = (
            full_precision(x).flatten(2).transpose(1, 2)[:, None].contiguous()
            for x in (query, key, value))
        out = F.scaled_dot_product_attention(q, k, v, scale=1.0)
    return out.squeeze(1).transpose(1, 2).reshape(query.shape).to(query.dtype)


def channel_attention(x: Tensor) -> Tensor:
    """Let every channel read from the channels least like itself.

    ``softmax(rowmax(E) - E) X`` with the energy ``E = X X^T`` over the
    flattened map (DANet, section 3.3, in the form of its released method).

    Args:
        x (Tensor): Shape ``(N, C, H, W)``.

    Returns:
        Tensor: Shape ``(N, C, H, W)``, dtype of ``x``.

    Example:
        >>> import torch
        >>> x = torch.ones(1, 2, 2, 2)  # two equal channels: their mean
        >>> bool(channel_attention(x).allclose(x))
        True
    """
    with torch.autocast(x.device.type, enabled=False):
        flat = full_precision(x).flatten(2)
        energy = flat @ flat.transpose(1, 2)
        energy = energy.amax(dim=-1, keepdim=True) - energy
        out = energy.softmax(dim=-1) @ flat
    return out.reshape(x.shape).to(x.dtype)
