"""Numbers in full precision under mixed-precision training."""
import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in half precision, else as it is.

    Example:
        >>> import torch
        >>> full_precision(torch.ones(2, dtype=torch.bfloat16)).dtype
        torch.float32
        >>> full_precision(torch.ones(2, dtype=torch.float64)).dtype
        torch.float64
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
