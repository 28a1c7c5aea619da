"""Multi-scale deformable attention, by MMCV's own version in torch."""
import torch
from torch import Tensor


def _attend(value: Tensor, shapes: Tensor, locations: Tensor,
            weights: Tensor) -> Tensor:
    # MMCV's operators import this package's module: not before they exist.
    from mmcv.ops.multi_scale_deform_attn import (
        multi_scale_deformable_attn_pytorch,
    )
    # Each length would be a wait for the device.
    return multi_scale_deformable_attn_pytorch(
        value, shapes.tolist(), locations, weights)


def ms_deform_attn_forward(
        value: Tensor, value_spatial_shapes: Tensor,
        value_level_start_index: Tensor, sampling_locations: Tensor,
        attention_weights: Tensor, im2col_step: int) -> Tensor:
    """Bind ``mmcv._ext.ms_deform_attn_forward``."""
    return _attend(value, value_spatial_shapes, sampling_locations,
                   attention_weights)


def ms_deform_attn_backward(
        value: Tensor, value_spatial_shapes: Tensor,
        value_level_start_index: Tensor, sampling_locations: Tensor,
        attention_weights: Tensor, grad_output: Tensor, grad_value: Tensor,
        grad_sampling_loc: Tensor, grad_attn_weight: Tensor,
        im2col_step: int) -> None:
    """Bind ``mmcv._ext.ms_deform_attn_backward``."""
    inputs = [tensor.detach().requires_grad_() for tensor in (
        value, sampling_locations, attention_weights)]
    with torch.enable_grad():
        output = _attend(inputs[0], value_spatial_shapes, *inputs[1:])
    gradients = torch.autograd.grad(output, inputs, grad_output)
    for result, gradient in zip(
            (grad_value, grad_sampling_loc, grad_attn_weight), gradients,
            strict=True):
        result.copy_(gradient)
