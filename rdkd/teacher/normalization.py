"""Giving the teacher the images as it was trained on them.

One batch is loaded and normalized for the student.  A teacher of another
normalization (FCOS R101 is caffe-style: BGR, standard deviation 1) sees
other numbers for the same pixels: the batch is carried over.
"""
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rdkd.errors import InputError


class Normalization(NamedTuple):
    """How a detector's preprocessor turns pixels into its input.

    Attributes:
        mean: Of each channel, in the order the detector sees them.
        std: Likewise.
        flipped: Whether the channels of the loaded image (BGR) are reversed.
    """
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flipped: bool

    @classmethod
    def of(cls, preprocessor: nn.Module) -> 'Normalization':
        """Read it from a detector's ``data_preprocessor``.

        Raises:
            InputError: If there are not three channels, or one for all.
        """
        def channels(name: str, neutral: float) -> tuple[float, ...]:
            value = getattr(preprocessor, name, None)
            values = [neutral] if value is None else value.flatten().tolist()
            if len(values) not in (1, 3):
                raise InputError(
                    f'the `data_preprocessor` has {name}={values}: images of '
                    f'{len(values)} channels cannot be normalized for a '
                    'teacher. Give one value or three.')
            return tuple(values * (3 // len(values)))

        return cls(channels('mean', 0.0), channels('std', 1.0),
                   getattr(preprocessor, '_channel_conversion', False))


def renormalize(images: Tensor, given: Normalization, wanted: Normalization,
                sizes: Sequence[tuple[int, int]]) -> Tensor:
    """Carry a batch from one normalization to another.

    Args:
        images (Tensor): Shape ``(N, 3, H, W)``, normalized as ``given``.
        given (Normalization): Of the batch.
        wanted (Normalization): Of the result.
        sizes (Sequence[tuple[int, int]]): ``(height, width)`` of each image
            without its padding, which is 0 in either normalization.

    Returns:
        Tensor: Shape ``(N, 3, H, W)``; ``images`` itself where the two
        normalizations agree.
    """
    if given == wanted:
        return images
    mean, std = given.mean, given.std
    if given.flipped != wanted.flipped:
        images, mean, std = images.flip(1), mean[::-1], std[::-1]
    scale = [s / w for s, w in zip(std, wanted.std, strict=True)]
    shift = [(m - w) / s for m, w, s in zip(mean, wanted.mean, wanted.std,
                                            strict=True)]
    channels = [channel * factor + offset for channel, factor, offset in zip(
        images.unbind(1), scale, shift, strict=True)]
    images = torch.stack(channels, dim=1)
    for image, (height, width) in zip(images, sizes, strict=True):
        image[:, height:] = 0
        image[:, :, width:] = 0
    return images


def image_sizes(data_samples: Sequence[Any]) -> list[tuple[int, int]]:
    """``(height, width)`` of each image of a batch without its padding."""
    return [tuple(sample.img_shape[:2]) for sample in data_samples]
