"""What a batch's samples say of its images, as tensors."""
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rdkd.functional.masks import region_masks


class Batch(NamedTuple):
    """Boxes and sizes of ``N`` images; the first arguments of
    :func:`~rdkd.functional.masks.region_masks`.

    Attributes:
        boxes: Ground-truth boxes ``(N, K, 4)``.
        ignored: Ignored boxes ``(N, J, 4)``.
        sizes: Height and width without padding, ``(N, 2)``.
        image_size: Height and width of the padded batch.
    """
    boxes: Tensor
    ignored: Tensor
    sizes: Tensor
    image_size: tuple[int, int]


def stack_boxes(instances: Sequence[Any]) -> Tensor:
    """Boxes of a batch ``(N, K, 4)``, filled up with boxes outside."""
    boxes = [each.bboxes for each in instances]
    return pad_sequence([getattr(b, 'tensor', b) for b in boxes],
                        batch_first=True, padding_value=-1)


def read_samples(data_samples: Sequence[Any]) -> Batch:
    """Read a batch's samples.

    Args:
        data_samples (Sequence[DetDataSample]): One for each image, with
            ``gt_instances``, optionally ``ignored_instances``, and the meta
            ``img_shape`` and ``batch_input_shape``.

    Returns:
        Batch: On the device of the boxes.
    """
    boxes = stack_boxes([each.gt_instances for each in data_samples])
    ignored = stack_boxes([
        each.get('ignored_instances', each.gt_instances[:0])
        for each in data_samples])
    sizes = torch.tensor(
        [each.img_shape[:2] for each in data_samples]).to(boxes.device)
    height, width = data_samples[0].batch_input_shape[:2]
    return Batch(boxes, ignored, sizes, (height, width))


def batch_masks(data_samples: Sequence[Any],
                map_sizes: Sequence[tuple[int, int]], decouple: bool,
                box_balance: float = 0.0) -> list[Tensor]:
    """:func:`~rdkd.functional.masks.region_masks` of a batch's samples."""
    return region_masks(*read_samples(data_samples), map_sizes, decouple,
                        box_balance)
