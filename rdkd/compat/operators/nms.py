"""Greedy non-maximum suppression: the boxes that MMCV's operator keeps.

Only boxes that overlap at all are compared.  They are sorted by their left
edge, so that the partners of a block of boxes lie side by side, and what is
left is a list of pairs in which one box would suppress the other.  Greedy
suppression on that list is the fixed point of "a box is suppressed if a kept
one suppresses it", which a few rounds reach, without a look at single boxes.
The boxes with the highest scores go first, against all: where many boxes
crowd on few objects, little is left after that.
"""
import torch
from torch import Tensor

from rdkd.compat.operators.vision import vision

#: Boxes that go first.
_LEADERS = 128
#: Boxes that are compared with their partners at once, by device type: on
#: CPU what fits into a cache, elsewhere what one kernel is worth.
_BLOCK = {'cpu': 128}
_LARGE_BLOCK = 1024


def _overlap(one: Tensor, other: Tensor, threshold: float, offset: int
             ) -> Tensor:
    """Compare boxes of shape (5, N) and (5, M), areas last; (N, M) bool."""
    one = one[:, :, None]
    width = torch.minimum(one[2], other[2]).sub_(
        torch.maximum(one[0], other[0]))
    height = torch.minimum(one[3], other[3]).sub_(
        torch.maximum(one[1], other[1]))
    if offset:
        width += offset
        height += offset
    both = width.clamp_(min=0).mul_(height.clamp_(min=0))
    return both / (one[4] + other[4]).sub_(both) > threshold


def _pairs(boxes: Tensor, threshold: float, offset: int
           ) -> tuple[Tensor, Tensor]:
    """List the pairs of boxes with an IoU above the threshold.

    Args:
        boxes (Tensor): Corners and areas of shape (5, N), by left edge.
        threshold (float): IoU, not below 0.
        offset (int): 1 if a box ends with its last pixel, else 0.

    Returns:
        tuple[Tensor, Tensor]: Indices of the first and the second boxes.
    """
    block = _BLOCK.get(boxes.device.type, _LARGE_BLOCK)
    # Beyond the last right edge of a block no left edge has an overlap; what
    # rounding and the offset can move is less than two pixels and 1e-5.
    reach = torch.stack([part.max() for part in boxes[2].split(block)])
    reach = reach + 2 * offset + reach.abs() * 1e-5
    ends = torch.searchsorted(boxes[0].contiguous(), reach, right=True)
    first, second = [], []
    for index, end in enumerate(ends.tolist()):
        start = index * block
        found = _overlap(boxes[:, start:start + block], boxes[:, start:end],
                         threshold, offset).nonzero()
        first.append(found[:, 0] + start)
        second.append(found[:, 1] + start)
    return torch.cat(first), torch.cat(second)


def _survivors(first: Tensor, second: Tensor, count: int) -> Tensor:
    """Resolve pairs of ranks, the lower of which would suppress the other.

    Args:
        first (Tensor): Ranks of shape (P,).
        second (Tensor): Ranks of shape (P,); equal ones are no pair.
        count (int): Number of boxes.

    Returns:
        Tensor: Which of the boxes are kept, bool of shape (count,).
    """
    real = first != second
    better = torch.minimum(first, second)[real]
    worse = torch.maximum(first, second)[real]
    kept = better.new_ones(count, dtype=torch.bool)
    while True:
        still = torch.ones_like(kept)
        still[worse[kept[better]]] = False
        if torch.equal(still, kept):
            return kept
        kept = still


def nms_indices(boxes: Tensor, scores: Tensor, threshold: float,
                offset: int = 0) -> Tensor:
    """Keep boxes by descending score, without those that overlap a kept one.

    Args:
        boxes (Tensor): Corners (x1, y1, x2, y2) of shape (N, 4).
        scores (Tensor): Scores of shape (N,).
        threshold (float): A box is suppressed if its IoU with a kept one is
            above this; boxes of no area have none.
        offset (int): 1 if a box ends with its last pixel, else 0. Default 0.

    Returns:
        Tensor: Indices of the kept boxes, by descending score.
    """
    order = scores.sort(0, descending=True)[1]
    if not len(order):
        return order
    if not boxes.is_floating_point() or boxes.element_size() < 4:
        boxes = boxes.float()
    x1, y1, x2, y2 = boxes[order].unbind(1)
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    boxes = torch.stack([x1, y1, x2, y2, areas])
    overlap = _overlap(boxes[:, :_LEADERS], boxes, threshold, offset)
    first, second = overlap[:, :_LEADERS].nonzero().unbind(1)
    leaders = _survivors(first, second, len(overlap))
    rest = ~overlap[leaders].any(0)
    rest[:_LEADERS] = False
    kept = [order[:_LEADERS][leaders]]
    order, boxes = order[rest], boxes[:, rest]
    if len(order):
        left = boxes[0].argsort()
        first, second = _pairs(boxes[:, left], threshold, offset)
        kept.append(order[_survivors(left[first], left[second], len(order))])
    return torch.cat(kept)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float,
        offset: int) -> Tensor:
    """Bind ``mmcv._ext.nms``."""
    operators = vision()
    if operators is not None and not offset:
        return operators.nms(boxes, scores, iou_threshold)
    return nms_indices(boxes, scores, iou_threshold, offset)
