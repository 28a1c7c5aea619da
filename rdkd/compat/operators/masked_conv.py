"""What masked convolution reads and writes: patches at some pixels."""
import torch
from torch import Tensor
from torch.nn import functional as F


def patches(features: Tensor, rows: Tensor, columns: Tensor,
            kernel: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """Gather the patch under the kernel for each output pixel named.

    Args:
        features (Tensor): One map of shape (1, C, H, W).
        rows (Tensor): Rows of the pixels, (N,).
        columns (Tensor): Columns of the pixels, (N,).
        kernel (tuple[int, int]): Height and width of a patch.
        padding (tuple[int, int]): Zeros above and left of the map.

    Returns:
        Tensor: Shape (C * height * width, N).
    """
    pad_y, pad_x = padding
    features = F.pad(features[0], (pad_x, pad_x + kernel[1],
                                   pad_y, pad_y + kernel[0]))
    down = torch.arange(kernel[0], device=rows.device)[:, None, None] + rows
    across = torch.arange(kernel[1], device=rows.device)[:, None] + columns
    return features[:, down, across].flatten(0, 2)


def masked_im2col_forward(im: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor,
                          col: Tensor, kernel_h: int, kernel_w: int,
                          pad_h: int, pad_w: int) -> None:
    """Bind ``mmcv._ext.masked_im2col_forward``."""
    col.copy_(patches(im, mask_h_idx, mask_w_idx, (kernel_h, kernel_w),
                      (pad_h, pad_w)))


def masked_col2im_forward(col: Tensor, mask_h_idx: Tensor,
                          mask_w_idx: Tensor, im: Tensor, height: int,
                          width: int, channels: int) -> None:
    """Bind ``mmcv._ext.masked_col2im_forward``."""
    im[0, :, mask_h_idx, mask_w_idx] = col
