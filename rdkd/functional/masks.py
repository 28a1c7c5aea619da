"""Foreground and background masks from ground-truth boxes.

Source: RDKD, section on decoupling; the treatment of padding, ignored boxes
and rounding is [our choice] and stated below.
"""
from collections.abc import Sequence

import torch
from torch import Tensor

#: Boxes whose cells are held at once.
BOXES = 64


def covered_cells(boxes: Tensor, image_size: tuple[int, int],
                  map_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Rows and columns of a feature map that each box covers.

    The low edge of a box is floored and the high edge ceiled, so that a box
    inside the image covers at least one cell of every map.  Boxes outside
    the image cover nothing.  No value is read back from the device.

    Args:
        boxes (Tensor): Shape ``(..., K, 4)``, ``x1 y1 x2 y2`` in pixels of
            the padded batch image. ``K`` may be 0.
        image_size (tuple[int, int]): ``(height, width)`` of that image.
        map_size (tuple[int, int]): ``(H, W)`` of the feature map.

    Returns:
        tuple[Tensor, Tensor]: float32, values 0 and 1, shapes ``(..., K, H)``
        and ``(..., K, W)``.

    Example:
        >>> import torch
        >>> rows, columns = covered_cells(
        ...     torch.tensor([[8., 0., 24., 7.]]), (32, 32), (4, 4))
        >>> rows.tolist(), columns.tolist()
        ([[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]])
    """
    def covered(low: Tensor, high: Tensor, pixels: int, cells: int) -> Tensor:
        inside = (high >= 0) & (low < pixels)
        first = (low.clamp(min=0) * (cells / pixels)).floor()
        last = torch.maximum((high * (cells / pixels)).ceil(), first + 1)
        index = torch.arange(cells, device=boxes.device)
        return ((index >= first[..., None]) & (index < last[..., None]) &
                inside[..., None]).float()

    boxes = boxes.detach().float()
    return (covered(boxes[..., 1], boxes[..., 3], image_size[0], map_size[0]),
            covered(boxes[..., 0], boxes[..., 2], image_size[1], map_size[1]))


def boxes_to_mask(boxes: Tensor, image_size: tuple[int, int],
                  map_size: tuple[int, int]) -> Tensor:
    """Mark the cells of a feature map that any box covers.

    Args: See :func:`covered_cells`.

    Returns:
        Tensor: Boolean, shape ``(..., H, W)``.

    Example:
        >>> import torch
        >>> boxes_to_mask(torch.tensor([[8., 0., 24., 7.]]), (16, 32),
        ...               (2, 4)).int().tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    rows, columns = covered_cells(boxes, image_size, map_size)
    # Number of boxes over each cell, as one small matrix product.
    return rows.transpose(-1, -2) @ columns > 0


def box_weights(boxes: Tensor, image_size: tuple[int, int],
                map_size: tuple[int, int]) -> Tensor:
    """Weigh the cells of a feature map so that every box weighs the same.

    A cell weighs one over the number of cells its box covers, the largest
    such weight where boxes overlap, and 0 where there is no box (FGD, Yang et
    al., CVPR 2022, equation 6).

    Args: See :func:`covered_cells`; ``boxes`` of shape ``(N, K, 4)``.

    Returns:
        Tensor: float32, shape ``(N, H, W)``.

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[[8., 0., 24., 7.], [0., 0., 8., 8.]]])
        >>> box_weights(boxes, (8, 32), (1, 4)).tolist()
        [[[1.0, 0.5, 0.5, 0.0]]]
    """
    rows, columns = covered_cells(boxes, image_size, map_size)
    area = (rows.sum(dim=2) * columns.sum(dim=2)).clamp(min=1)
    weights = rows.new_zeros(len(boxes), *map_size)
    # Some boxes at a time: all of a crowd at once would fill the memory.
    for some, widths in zip(rows.split(BOXES, dim=1), (
            columns / area[..., None]).split(BOXES, dim=1), strict=True):
        if some.shape[1]:
            by_box = some[..., None] * widths[:, :, None]
            weights = torch.maximum(weights, by_box.amax(dim=1))
    return weights


def _inside_image(sizes: Tensor, image_size: tuple[int, int],
                  map_size: tuple[int, int]) -> Tensor:
    """Mark the cells that touch the image and not only its padding."""
    rows, columns = (
        torch.arange(cells, device=sizes.device) * pixels
        < sizes[:, i, None] * cells
        for i, (pixels, cells) in enumerate(
            zip(image_size, map_size, strict=True)))
    return rows[:, :, None] & columns[:, None]


def region_masks(boxes: Tensor, ignored: Tensor, sizes: Tensor,
                 image_size: tuple[int, int],
                 map_sizes: Sequence[tuple[int, int]],
                 decouple: bool, box_balance: float = 0.0) -> list[Tensor]:
    """Masks of the regions that are distilled apart, for a batch.

    Padding belongs to no region, and the cells of ignored (``iscrowd``) boxes
    belong to none either unless a ground-truth box covers them too.

    Args:
        boxes (Tensor): Shape ``(N, K, 4)``, ``x1 y1 x2 y2`` in pixels of the
            padded batch image; boxes outside of it count nothing and fill up.
        ignored (Tensor): Shape ``(N, J, 4)``, the same of ignored boxes.
        sizes (Tensor): Shape ``(N, 2)``, height and width of each image
            without its padding, in pixels.
        image_size (tuple[int, int]): ``(height, width)`` of the padded batch.
        map_sizes (Sequence[tuple[int, int]]): ``(H_l, W_l)`` of each level.
        decouple (bool): True for two regions, foreground and background;
            False for one, the whole image without its padding.
        box_balance (float): The power of :func:`box_weights` that the cells
            of the foreground weigh: 0 all alike, 1 every box the same.
            Defaults to 0.

    Returns:
        list[Tensor]: For each level float32, shape ``(N, 2, H_l, W_l)`` or
        ``(N, 1, H_l, W_l)``; 0 outside of the region, inside 1 or the weight.

    Example:
        >>> import torch
        >>> masks, = region_masks(
        ...     boxes=torch.tensor([[[0., 0., 8., 8.]]]),
        ...     ignored=torch.empty(1, 0, 4), sizes=torch.tensor([[8, 24]]),
        ...     image_size=(8, 32), map_sizes=[(1, 4)], decouple=True)
        >>> masks.tolist()  # foreground, then background without the padding
        [[[[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]]]]
    """
    masks = []
    for map_size in map_sizes:
        valid = _inside_image(sizes, image_size, map_size)
        if not decouple:
            masks.append(valid[:, None].float())
            continue
        if box_balance:
            weights = box_weights(boxes, image_size, map_size).pow(box_balance)
        else:
            weights = boxes_to_mask(boxes, image_size, map_size)
        foreground = valid * weights
        background = valid & ~(foreground > 0) & ~boxes_to_mask(
            ignored, image_size, map_size)
        masks.append(torch.stack([foreground.float(), background.float()],
                                 dim=1))
    return masks
