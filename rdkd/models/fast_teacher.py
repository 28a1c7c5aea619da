"""Making a frozen teacher's backbone and neck cheaper to run.

What they put out stays what it was, up to rounding; ``docs/performance.md``
says what each step bought.
"""
from collections.abc import Collection
from typing import Any

import torch
from mmcv.cnn.utils.fuse_conv_bn import fuse_conv_bn
from mmdet.models.necks import FPN
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from rdkd.models.levels import PROBES

#: Largest deviation of an output, relative to its largest value.
TOLERANCE = 1e-4


def speed_up(teacher: BaseModel, recorders: Any) -> None:
    """Fold batch norms and lay weights out channels-last, in place.

    A batch norm in eval mode is a factor and an offset for each channel: the
    convolution before it takes both in.  What the recorders hold of a noise
    image is compared before and after; where it differs (a network that does
    not run its layers in the order of their definition, an operator that
    misreads channels-last maps, a recorder that looks between a convolution
    and its norm) the teacher stays as it was, which the log says.

    Args:
        teacher (BaseModel): A frozen detector in eval mode.
        recorders (RecorderManager): MMRazor's recorders, attached to it.
    """
    parts = [part for part in (teacher.backbone, getattr(
        teacher, 'neck', None)) if part is not None]
    plain = _recorded(teacher, recorders)
    before = [(module, dict(module._modules), dict(module._parameters), [
        (p, p.data) for p in module._parameters.values() if p is not None])
        for part in parts for module in part.modules()]
    try:
        for part in parts:
            fuse_conv_bn(part).requires_grad_(False).eval()
            part.to(memory_format=torch.channels_last)
        fast = _recorded(teacher, recorders)
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


def _recorded(teacher: BaseModel, recorders: Any) -> list[Tensor]:
    """Every tensor that the recorders hold of a noise image."""
    weight = next(teacher.parameters())
    for side in PROBES:
        noise = torch.randn(1, 3, side, side,
                            generator=torch.Generator().manual_seed(0))
        try:
            with recorders, torch.no_grad():
                teacher.extract_feat(noise.to(weight))
            break
        except RuntimeError:
            if side == PROBES[-1]:
                raise
    tensors = []
    for recorder in recorders.recorders.values():
        tensors += [x for x in tree_leaves(recorder.data_buffer)
                    if isinstance(x, Tensor)]
        recorder.reset_data_buffer()
    return tensors


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


class Compiled:
    """A function under ``torch.compile``, or plain if that is impossible.

    Args:
        function (Callable): What to compile.
        name (str): For the message.
    """

    def __init__(self, function: Any, name: str) -> None:
        self.plain = function
        self.compiled: Any = torch.compile(function)
        self.name = name

    def __call__(self, *args: Any) -> Any:
        """Call the function; the first call of a shape compiles it."""
        if self.compiled is None:
            return self.plain(*args)
        try:
            return self.compiled(*args)
        except Exception as error:
            self.compiled = None
            reason = str(error).strip().splitlines() or [repr(error)]
            print_log(
                f'torch.compile failed for the {self.name}, which now runs '
                f'without it: {type(error).__name__}: {reason[0]}. It needs '
                'a C++ compiler (on CUDA, Triton); leave `compile` out of '
                'the config to silence this.', 'current', level=30)
            return self.plain(*args)
