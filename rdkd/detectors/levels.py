"""The neck levels of a detector, found by running it once."""
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmdet.models.detectors import BaseDetector
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from rdkd.errors import InputError

#: Sides of square probe images in pixels: two cells at stride 128, and more
#: for detectors whose last levels are coarser (SSD).
PROBES = (256, 512)


@dataclass(frozen=True)
class Level:
    """One output of a detector's neck.

    Attributes:
        index: Position in the neck's output.
        stride: Pixels of the input image for one cell.
        channels: Number of channels.
    """
    index: int
    stride: int
    channels: int


def neck_levels(detector: BaseDetector) -> tuple[Level, ...]:
    """Run backbone and neck on a blank image and read strides and channels.

    The detector's parameters, buffers, training flags and the random state
    are left as they were.

    Args:
        detector (BaseDetector): A detector with a neck, on any device.

    Returns:
        tuple[Level, ...]: One for each output of the neck, in its order.

    Raises:
        InputError: If it has no neck.
    """
    if getattr(detector, 'neck', None) is None:
        raise InputError(
            f'{type(detector).__name__} has no neck, and the neck\'s levels '
            'are what is distilled. Choose a detector with an FPN or another '
            'neck.')
    modes = [(module, module.training) for module in detector.modules()]
    parameter = next(detector.parameters())
    detector.eval()
    try:
        for side in PROBES:
            image = torch.zeros(1, 3, side, side, dtype=parameter.dtype,
                                device=parameter.device)
            try:
                with torch.no_grad():
                    features = detector.extract_feat(image)
            except RuntimeError:
                if side == PROBES[-1]:
                    raise
                continue
            strides = [round(side / x.shape[-1]) for x in features]
            if len(set(strides)) == len(strides):
                break
    finally:
        for module, mode in modes:
            module.training = mode
    return tuple(
        Level(i, stride, feature.shape[1])
        for i, (stride, feature) in enumerate(
            zip(strides, features, strict=True)))


def probe_levels(detector: BaseDetector) -> tuple[Level, ...]:
    """:func:`neck_levels`, without computing where that is possible.

    Args:
        detector (BaseDetector): Its weights do not matter.

    Returns:
        tuple[Level, ...]: As :func:`neck_levels`.

    Raises:
        InputError: If it has no neck.
    """
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            return neck_levels(detector)
    except (RuntimeError, NotImplementedError):
        # Operators of mmcv know no fake tensors.
        return neck_levels(detector)


def match_levels(student: Sequence[Level], teacher: Sequence[Level]
                 ) -> list[tuple[Level, Level]]:
    """Pair the levels of equal stride, fine to coarse.

    Args:
        student (Sequence[Level]): The student's levels.
        teacher (Sequence[Level]): The teacher's levels.

    Returns:
        list[tuple[Level, Level]]: Pairs of student and teacher level.

    Raises:
        InputError: If no stride occurs in both.
    """
    by_stride = {level.stride: level for level in teacher}
    pairs = [(level, by_stride[level.stride])
             for level in sorted(student, key=lambda level: level.stride)
             if level.stride in by_stride]
    if not pairs:
        raise InputError(
            'student and teacher have no neck level of the same stride: the '
            f'student has {[level.stride for level in student]}, the teacher '
            f'{[level.stride for level in teacher]}. Choose detectors whose '
            'necks share at least one stride.')
    return pairs


def check_sizes(strides: Sequence[int], student: Sequence[Tensor],
                teacher: Sequence[Tensor]) -> None:
    """Refuse maps of one stride that differ in size.

    Args:
        strides (Sequence[int]): Of the levels.
        student (Sequence[Tensor]): Their maps, ``(N, C, H_l, W_l)``.
        teacher (Sequence[Tensor]): The teacher's at the same strides.

    Raises:
        InputError: Names the stride and both sizes.
    """
    for stride, own, its in zip(strides, student, teacher, strict=True):
        sizes = tuple(own.shape[-2:]), tuple(its.shape[-2:])
        if sizes[0] != sizes[1]:
            raise InputError(
                f'at stride {stride} the student\'s map is {sizes[0]} and '
                f'the teacher\'s {sizes[1]}: the two round odd sizes '
                'differently. Set '
                '`model.architecture.data_preprocessor.pad_size_divisor` to '
                'the largest stride.')
