"""Deformable convolution, with and without modulation.

The value at a moved tap is a weighted sum of four pixels: ``embedding_bag``
takes it for all channels at once, and has gradients for pixels and weights.
"""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from rdkd.compat.operators.vision import vision


class Convolution(NamedTuple):
    """Sizes of a convolution, (vertical, horizontal), and its groups."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    deform_groups: int


def _neighbors(at: Tensor, size: int, on_map: Tensor
               ) -> tuple[Tensor, Tensor]:
    """Give two pixels and weights for coordinates, stacked last."""
    low = at.detach().floor()
    part = at - low
    pixel = torch.stack([low, low + 1], -1)
    weight = torch.stack([1 - part, part], -1)
    there = (pixel >= 0) & (pixel < size) & on_map.unsqueeze(-1)
    pixel = torch.where(there, pixel, 0).long()
    return pixel, torch.where(there, weight, 0)


def _taps(offset: Tensor, kernel: tuple[int, int], sizes: Convolution
          ) -> tuple[Tensor, Tensor]:
    """Place the taps of a kernel.

    Args:
        offset (Tensor): Shape (B, 2 * deform_groups * taps, h, w).
        kernel (tuple[int, int]): Height and width.
        sizes (Convolution): Of the convolution.

    Returns:
        tuple[Tensor, Tensor]: Coordinates y and x, each of shape
        (B, deform_groups, height, width, h, w).
    """
    batch, _, rows, columns = offset.shape
    offset = offset.view(batch, sizes.deform_groups, *kernel, 2, rows,
                         columns)
    places = []
    for axis, shape in enumerate(((-1, 1, 1, 1), (-1, 1, 1))):
        taps = torch.arange(kernel[axis], device=offset.device)
        steps = torch.arange((rows, columns)[axis], device=offset.device)
        start = (steps * sizes.stride[axis] - sizes.padding[axis]).view(
            (-1, 1) if axis == 0 else (-1,))
        fixed = (taps * sizes.dilation[axis]).view(shape) + start
        places.append(fixed + offset[:, :, :, :, axis])
    return places[0], places[1]


def deform_conv2d(features: Tensor, weight: Tensor, offset: Tensor,
                  mask: Tensor | None, bias: Tensor | None,
                  sizes: Convolution) -> Tensor:
    """Convolve with taps that are moved, and weighted, at each place.

    Args:
        features (Tensor): Shape (B, C, H, W).
        weight (Tensor): Shape (O, C / groups, height, width).
        offset (Tensor): Moves (y, x) of each tap in pixels, of shape
            (B, deform_groups * taps * 2, h, w).
        mask (Tensor, optional): Factors of shape
            (B, deform_groups * taps, h, w).
        bias (Tensor, optional): Shape (O,).
        sizes (Convolution): Of the convolution.

    Returns:
        Tensor: Shape (B, O, h, w).  A tap a pixel or more off the map reads
        0.
    """
    if vision() is not None:
        if mask is None:
            mask = features.new_empty(offset.shape[0], 0)
        return torch.ops.torchvision.deform_conv2d(
            features, weight, offset, mask,
            weight.new_zeros(len(weight)) if bias is None else bias,
            *sizes.stride, *sizes.padding, *sizes.dilation, sizes.groups,
            sizes.deform_groups, mask.dim() == 4)
    dtype, outputs = features.dtype, len(weight)
    if features.element_size() < 4:
        features, weight, offset = (
            features.float(), weight.float(), offset.float())
    batch, channels, height, width = features.shape
    kernel = (weight.shape[2], weight.shape[3])
    parts, taps = sizes.deform_groups, kernel[0] * kernel[1]
    y, x = _taps(offset, kernel, sizes)
    on_map = (y > -1) & (y < height) & (x > -1) & (x < width)
    row, row_weight = _neighbors(y, height, on_map)
    column, column_weight = _neighbors(x, width, on_map)
    image = torch.arange(batch * parts, device=row.device).view(
        batch, parts, 1, 1, 1, 1, 1)
    row = (row + image * height).unsqueeze(-1)
    pixel = row * width + column.unsqueeze(-2)
    factor = row_weight.unsqueeze(-1) * column_weight.unsqueeze(-2)
    if mask is not None:
        factor = factor * mask.to(factor.dtype).view(y.shape)[
            ..., None, None]
    table = features.view(batch, parts, channels // parts, -1).transpose(
        2, 3).reshape(batch * parts * height * width, -1)
    values = F.embedding_bag(
        pixel.view(-1, 4), table, mode='sum',
        per_sample_weights=factor.reshape(-1, 4))
    # From (B, parts, taps, places, channels) to a matrix of each group.
    values = values.view(batch, parts, taps, -1, channels // parts)
    values = values.permute(0, 1, 4, 2, 3).reshape(
        batch, sizes.groups, channels // sizes.groups * taps, -1)
    result = weight.view(sizes.groups, outputs // sizes.groups, -1) @ values
    result = result.reshape(batch, outputs, *offset.shape[2:])
    if bias is not None:
        result = result + bias.to(result.dtype)[:, None, None]
    return result.to(dtype)


def _gradients(inputs: Sequence[Tensor], sizes: Convolution,
               gradient: Tensor, wanted: Sequence[int]
               ) -> tuple[Tensor, ...]:
    """Differentiate by those of (features, weight, offset, mask) wanted."""
    leaves = [value.detach().requires_grad_(index in wanted)
              for index, value in enumerate(inputs)]
    features, weight, offset, *mask = leaves
    with torch.enable_grad():
        output = deform_conv2d(features, weight, offset,
                               mask[0] if mask else None, None, sizes)
    return torch.autograd.grad(
        output, [leaves[index] for index in wanted], gradient)


def deform_conv_forward(
        input: Tensor, weight: Tensor, offset: Tensor, output: Tensor,
        columns: Tensor, ones: Tensor, kW: int, kH: int, dW: int, dH: int,
        padW: int, padH: int, dilationW: int, dilationH: int, group: int,
        deformable_group: int, im2col_step: int) -> None:
    """Bind ``mmcv._ext.deform_conv_forward``."""
    sizes = Convolution((dH, dW), (padH, padW), (dilationH, dilationW),
                        group, deformable_group)
    output.copy_(deform_conv2d(input, weight, offset, None, None, sizes))


def deform_conv_backward_input(
        input: Tensor, offset: Tensor, gradOutput: Tensor,
        gradInput: Tensor, gradOffset: Tensor, weight: Tensor,
        columns: Tensor, kW: int, kH: int, dW: int, dH: int, padW: int,
        padH: int, dilationW: int, dilationH: int, group: int,
        deformable_group: int, im2col_step: int) -> None:
    """Bind ``mmcv._ext.deform_conv_backward_input``."""
    sizes = Convolution((dH, dW), (padH, padW), (dilationH, dilationW),
                        group, deformable_group)
    gradients = _gradients((input, weight, offset), sizes,
                           gradOutput, (0, 2))
    gradInput.copy_(gradients[0])
    gradOffset.copy_(gradients[1])


def deform_conv_backward_parameters(
        input: Tensor, offset: Tensor, gradOutput: Tensor,
        gradWeight: Tensor, columns: Tensor, ones: Tensor, kW: int, kH: int,
        dW: int, dH: int, padW: int, padH: int, dilationW: int,
        dilationH: int, group: int, deformable_group: int, scale: float,
        im2col_step: int) -> None:
    """Bind ``mmcv._ext.deform_conv_backward_parameters``."""
    sizes = Convolution((dH, dW), (padH, padW), (dilationH, dilationW),
                        group, deformable_group)
    gradient, = _gradients((input, gradWeight, offset), sizes,
                           gradOutput, (1,))
    gradWeight.add_(gradient, alpha=scale)


def modulated_deform_conv_forward(
        input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor,
        offset: Tensor, mask: Tensor, output: Tensor, columns: Tensor,
        kernel_h: int, kernel_w: int, stride_h: int, stride_w: int,
        pad_h: int, pad_w: int, dilation_h: int, dilation_w: int,
        group: int, deformable_group: int, with_bias: bool) -> None:
    """Bind ``mmcv._ext.modulated_deform_conv_forward``."""
    sizes = Convolution((stride_h, stride_w), (pad_h, pad_w),
                        (dilation_h, dilation_w), group, deformable_group)
    output.copy_(deform_conv2d(input, weight, offset, mask,
                               bias if with_bias else None, sizes))


def modulated_deform_conv_backward(
        input: Tensor, weight: Tensor, bias: Tensor, ones: Tensor,
        offset: Tensor, mask: Tensor, columns: Tensor, grad_input: Tensor,
        grad_weight: Tensor, grad_bias: Tensor, grad_offset: Tensor,
        grad_mask: Tensor, grad_output: Tensor, kernel_h: int,
        kernel_w: int, stride_h: int, stride_w: int, pad_h: int, pad_w: int,
        dilation_h: int, dilation_w: int, group: int, deformable_group: int,
        with_bias: bool) -> None:
    """Bind ``mmcv._ext.modulated_deform_conv_backward``."""
    sizes = Convolution((stride_h, stride_w), (pad_h, pad_w),
                        (dilation_h, dilation_w), group, deformable_group)
    gradients = _gradients((input, weight, offset, mask), sizes,
                           grad_output, (0, 1, 2, 3))
    for result, gradient in zip(
            (grad_input, grad_weight, grad_offset, grad_mask), gradients,
            strict=True):
        result.copy_(gradient)
    if with_bias:
        grad_bias.copy_(grad_output.sum((0, 2, 3)))
