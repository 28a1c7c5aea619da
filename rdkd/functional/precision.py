"""Numbers in full precision under mixed-precision training."""
import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in half precision, else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
