"""Soft non-maximum suppression: overlaps lower scores."""
import torch
from torch import Tensor

_NAIVE, _LINEAR = 0, 1


def _decay(iou: Tensor, threshold: float, sigma: float, method: int
           ) -> Tensor:
    """Give what scores are multiplied by, (N,)."""
    if method not in (_NAIVE, _LINEAR):
        # Equal boxes must get equal factors, wherever they lie in a tensor:
        # of float32 the last bit depends on that.
        return (-(iou * iou) / sigma).double().exp().to(iou.dtype)
    lower = torch.zeros_like(iou) if method == _NAIVE else 1 - iou
    return torch.where(iou >= threshold, lower, 1)


def soft_nms(boxes: Tensor, scores: Tensor, threshold: float, sigma: float,
             min_score: float, method: int, offset: int = 0
             ) -> tuple[Tensor, Tensor]:
    """Take the best box, lower the scores of those it overlaps; repeat.

    Args:
        boxes (Tensor): Corners (x1, y1, x2, y2) of shape (N, 4).
        scores (Tensor): Scores of shape (N,).
        threshold (float): IoU from which methods 0 and 1 lower scores.
        sigma (float): Width of method 2.
        min_score (float): Boxes whose lowered score is below are dropped.
        method (int): 0 lowers to zero, 1 by the IoU, 2 by a Gaussian of it.
        offset (int): 1 if a box ends with its last pixel, else 0. Default 0.

    Returns:
        tuple[Tensor, Tensor]: Boxes with their scores, of shape (K, 5), in
        the order in which they were taken, and their indices.
    """
    found = torch.cat([boxes, scores[:, None]], 1)
    if found.element_size() < 4:
        found = found.float()
    size = found[:, 2:4] - found[:, :2] + offset
    areas = size[:, 0] * size[:, 1]
    indices = torch.arange(len(found), device=found.device)
    taken, at = [], []
    while len(found):
        # Boxes of no area can have no score any more (0 / 0): MMCV takes one
        # only when it comes to it.
        rank = found[:, 4].nan_to_num(nan=-torch.inf)
        best = int(rank.argmax()) if found[0, 4] == found[0, 4] else 0
        box, area, index = (
            values[best].clone() for values in (found, areas, indices))
        taken.append(box)
        at.append(index)
        # MMCV puts the first box into the place of the taken one: it decides
        # which of equal scores is next.
        for values in (found, areas, indices):
            values[best] = values[0]
        found, areas, indices = found[1:], areas[1:], indices[1:]
        sides = torch.minimum(box[2:4], found[:, 2:4])
        sides = sides - torch.maximum(box[:2], found[:, :2]) + offset
        sides = sides.clamp(min=0)
        both = sides[:, 0] * sides[:, 1]
        found[:, 4] *= _decay(both / (area + areas - both), threshold, sigma,
                              method)
        alive = ~(found[:, 4] < min_score)
        count = int(alive.sum())
        if count < len(alive):
            # And the last boxes into the places of those that are dropped.
            order = torch.arange(count, device=alive.device)
            tail = alive[count:].nonzero()[:, 0].flip(0) + count
            order[~alive[:count]] = tail
            found, areas, indices = (
                values[order] for values in (found, areas, indices))
    if not taken:
        return found, indices
    return torch.stack(taken), torch.stack(at)


def softnms(boxes: Tensor, scores: Tensor, dets: Tensor,
            iou_threshold: float, sigma: float, min_score: float,
            method: int, offset: int) -> Tensor:
    """Bind ``mmcv._ext.softnms``."""
    found, indices = soft_nms(boxes, scores, iou_threshold, sigma, min_score,
                              method, offset)
    dets[:len(found)] = found
    return indices
