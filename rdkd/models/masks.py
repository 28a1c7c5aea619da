"""Foreground and background masks from ground-truth boxes.

Source: RDKD, section on decoupling; the treatment of padding, ignored boxes
and rounding is [our choice] and stated below.
"""
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def boxes_to_mask(boxes: Tensor, image_size: tuple[int, int],
                  map_size: tuple[int, int]) -> Tensor:
    """Mark the cells of a feature map that any box covers.

    The low edge of a box is floored and the high edge ceiled, so that a box
    inside the image covers at least one cell of every map.  Boxes outside
    the image cover nothing.  No value is read back from the device.

    Args:
        boxes (Tensor): Shape ``(K, 4)``, ``x1 y1 x2 y2`` in pixels of the
            padded batch image. ``K`` may be 0.
        image_size (tuple[int, int]): ``(height, width)`` of that image.
        map_size (tuple[int, int]): ``(H, W)`` of the feature map.

    Returns:
        Tensor: Boolean, shape ``(H, W)``.
    """
    def covered(low: Tensor, high: Tensor, pixels: int, cells: int) -> Tensor:
        inside = (high >= 0) & (low < pixels)
        first = (low.clamp(min=0) * (cells / pixels)).floor()
        last = torch.maximum((high * (cells / pixels)).ceil(), first + 1)
        index = torch.arange(cells, device=boxes.device)
        return ((index >= first[:, None]) & (index < last[:, None]) &
                inside[:, None])

    boxes = boxes.detach().float()
    rows = covered(boxes[:, 1], boxes[:, 3], image_size[0], map_size[0])
    columns = covered(boxes[:, 0], boxes[:, 2], image_size[1], map_size[1])
    # Number of boxes over each cell, as one small matrix product.
    return rows.float().t() @ columns.float() > 0


def _image_mask(valid_size: tuple[int, int], image_size: tuple[int, int],
                map_size: tuple[int, int], device: torch.device) -> Tensor:
    """Mark the cells that touch the image and not only its padding."""
    rows, columns = (
        torch.arange(cells, device=device) < math.ceil(v * cells / pixels)
        for v, pixels, cells in zip(valid_size, image_size, map_size,
                                    strict=True))
    return rows[:, None] & columns


def _box_tensor(instances: Any) -> Tensor:
    boxes = instances.bboxes
    return getattr(boxes, 'tensor', boxes)


def region_masks(data_samples: Sequence[Any], map_size: tuple[int, int],
                 decouple: bool) -> Tensor:
    """Masks of the regions that are distilled apart, for a batch.

    Padding belongs to no region, and the cells of ignored (``iscrowd``) boxes
    belong to none either unless a ground-truth box covers them too.

    Args:
        data_samples (Sequence[DetDataSample]): One for each of ``N`` images,
            with ``gt_instances``, optionally ``ignored_instances``, and the
            meta ``img_shape`` and ``batch_input_shape``.
        map_size (tuple[int, int]): ``(H, W)`` of the feature map.
        decouple (bool): True for two regions, foreground and background;
            False for one, the whole image without its padding.

    Returns:
        Tensor: float32, shape ``(N, 2, H, W)`` or ``(N, 1, H, W)``, values 0
        and 1.
    """
    masks = []
    for sample in data_samples:
        image_size = tuple(sample.batch_input_shape[:2])
        height, width = sample.img_shape[:2]
        boxes = _box_tensor(sample.gt_instances)
        valid = _image_mask((height, width), image_size, map_size,
                            boxes.device)
        if not decouple:
            masks.append(valid[None])
            continue
        foreground = boxes_to_mask(boxes, image_size, map_size) & valid
        background = valid & ~foreground
        if 'ignored_instances' in sample:
            background &= ~boxes_to_mask(
                _box_tensor(sample.ignored_instances), image_size, map_size)
        masks.append(torch.stack([foreground, background]))
    return torch.stack(masks).float()
