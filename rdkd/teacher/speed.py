"""Making a frozen teacher's backbone and neck cheaper to run.

What they put out stays what it was, up to rounding; ``docs/performance.md``
says what each step bought.
"""
from collections.abc import Callable, Collection
from typing import Any

import torch
from mmcv.cnn.utils.fuse_conv_bn import fuse_conv_bn
from mmdet.models.necks import FPN
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn

from rdkd.detectors.levels import PROBES

#: Largest deviation of an output, relative to its largest value.
TOLERANCE = 1e-4


def speed_up(teacher: BaseModel, read: Callable[[Tensor], list[Tensor]]
             ) -> None:
    """Fold batch norms and lay weights out channels-last, in place.

    A batch norm in eval mode is a factor and an offset for each channel: the
    convolution before it takes both in.  What is read of a noise image is
    compared before and after; where it differs (a network that does not run
    its layers in the order of their definition, an operator that misreads
    channels-last maps, a recorder that looks between a convolution and its
    norm) the teacher stays as it was, which the log says.

    Args:
        teacher (BaseModel): A frozen detector in eval mode.
        read (Callable): Runs it on an image ``(1, 3, H, W)`` and gives every
            tensor that is read of it.
    """
    parts = [part for part in (teacher.backbone, getattr(
        teacher, 'neck', None)) if part is not None]
    weight = next(teacher.parameters())
    plain = _read_noise(read, weight)
    before = [(module, dict(module._modules), dict(module._parameters), [
        (p, p.data) for p in module._parameters.values() if p is not None])
        for part in parts for module in part.modules()]
    try:
        for part in parts:
            fuse_conv_bn(part).requires_grad_(False).eval()
            part.to(memory_format=torch.channels_last)
        fast = _read_noise(read, weight)
        if len(plain) == len(fast) and all(
                _close(a, b) for a, b in zip(fast, plain, strict=True)):
            return
        reason = 'the maps would differ'
    except Exception as error:  # operators of mmcv that take no such layout
        reason = f'{type(error).__name__}: {error}'
    for module, children, parameters, values in before:
        module._modules.update(children)
        module._parameters.update(parameters)
        for parameter, value in values:
            parameter.data = value
    print_log('the teacher runs as it is, without folded batch norms and '
              f'channels-last: {reason}.', 'current')


def _read_noise(read: Callable[[Tensor], list[Tensor]], like: Tensor
                ) -> list[Tensor]:
    """What is read of a noise image."""
    for side in PROBES:
        noise = torch.randn(1, 3, side, side,
                            generator=torch.Generator().manual_seed(0))
        try:
            with torch.no_grad():
                return read(noise.to(like))
        except RuntimeError:
            if side == PROBES[-1]:
                raise
    raise AssertionError('PROBES is empty')


def _close(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and bool(
        (found - expected).abs().max() <= TOLERANCE * expected.abs().max())


def skip_levels(neck: Any, used: Collection[int]) -> None:
    """Do not compute levels of an FPN that nobody reads.

    Args:
        neck (nn.Module): Changed in place if it is MMDetection's ``FPN``;
            others are left as they are.
        used (Collection[int]): Levels that are read.
    """
    if type(neck) is not FPN:
        return
    # The last one of the backbone's levels may feed the extra levels.
    for level in range(len(neck.lateral_convs) - 1):
        if level not in used:
            neck.fpn_convs[level] = nn.Identity()
