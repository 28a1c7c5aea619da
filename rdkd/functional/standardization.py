"""Feature maps of mean 0 and variance 1.

Source: PKD (Cao et al., NeurIPS 2022), but over each image by itself.
"""
import torch
from torch import Tensor


@torch.no_grad()
def standardize(x: Tensor, valid: Tensor, eps: float = 1e-5
                ) -> tuple[Tensor, Tensor]:
    """Give every channel of every image mean 0 and variance 1.

    PKD takes the statistics over the batch; over each image ([our choice])
    the result does not depend on what else is in the batch, so that several
    processes compute what one would.  No gradient is recorded:
    :func:`region_distance` has its own.

    Args:
        x (Tensor): Shape ``(N, C, H, W)``.
        valid (Tensor): Shape ``(N, 1, H, W)``, 1 where a cell counts and 0
            elsewhere (padding).
        eps (float): Added to the variance.  Defaults to 1e-5.

    Returns:
        tuple[Tensor, Tensor]: The standardized map ``(N, C, H, W)``, 0 where
        cells do not count, and the factor ``(N, C, 1, 1)`` it was scaled by.

    Example:
        >>> import torch
        >>> x = torch.tensor([1., 3., 99.]).view(1, 1, 1, 3)
        >>> valid = torch.tensor([1., 1., 0.]).view(1, 1, 1, 3)
        >>> standardized, scale = standardize(x, valid, eps=0)
        >>> standardized.flatten().round(decimals=3).tolist()
        [-1.0, 1.0, 0.0]
        >>> scale.shape
        torch.Size([1, 1, 1, 1])
    """
    cells = valid.flatten(2)
    area = cells.sum(dim=2, keepdim=True).clamp(min=1)
    mean = (x.flatten(2) @ cells.transpose(1, 2) / area)[..., None]
    # One map, whatever the layout of x, and in place from here: at stride 4 a
    # new map costs more than the sums over it.
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    torch.sub(x, mean, out=out).mul_(valid)
    variance = torch.linalg.vector_norm(out, dim=(2, 3), keepdim=True).square()
    scale = (variance / area[..., None] + eps).rsqrt()
    return out.mul_(scale), scale
