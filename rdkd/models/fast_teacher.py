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
    not run its layers in the order of their definition, or a recorder that
    looks between a convolution and its norm) the norms stay.

    Args:
        teacher (BaseModel): A frozen detector in eval mode.
        recorders (RecorderManager): MMRazor's recorders, attached to it.
    """
    parts = [part for part in (teacher.backbone, getattr(
        teacher, 'neck', None)) if part is not None]
    plain = _recorded(teacher, recorders)
    layers = [(module, dict(module._modules), dict(module._parameters))
              for part in parts for module in part.modules()]
    for part in parts:
        fuse_conv_bn(part).requires_grad_(False).eval()
        part.to(memory_format=torch.channels_last)
    folded = _recorded(teacher, recorders)
    if len(plain) == len(folded) and all(
            _close(a, b) for a, b in zip(folded, plain, strict=True)):
        return
    for module, children, parameters in layers:
        module._modules.update(children)
        module._parameters.update(parameters)
    print_log('the teacher\'s batch norms could not be folded into its '
              'convolutions without changing what is distilled: they stay, '
              'and the teacher is a little slower.', 'current')


def _recorded(teacher: BaseModel, recorders: Any) -> list[Tensor]:
    """Every tensor that the recorders hold of a noise image."""
    weight = next(teacher.parameters())
    noise = torch.randn(1, 3, PROBES[0], PROBES[0],
                        generator=torch.Generator().manual_seed(0))
    with recorders, torch.no_grad():
        teacher.extract_feat(noise.to(weight))
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
        self.compiled = torch.compile(function)
        self.name = name
        self.works: bool | None = None

    def __call__(self, *args: Any) -> Any:
        """Call the function; the first call compiles it."""
        if self.works is False:
            return self.plain(*args)
        try:
            result = self.compiled(*args)
        except Exception as error:
            if self.works:
                raise
            self.works = False
            reason = str(error).strip().splitlines() or [repr(error)]
            print_log(
                f'torch.compile failed for the {self.name}, which now runs '
                f'without it: {type(error).__name__}: {reason[0]}. It needs '
                'a C++ compiler (on CUDA, Triton); leave `compile` out of '
                'the config to silence this.', 'current', level=30)
            return self.plain(*args)
        self.works = True
        return result
