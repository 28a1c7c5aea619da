"""Which images a training changed most, and what it changed in them."""
import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

#: Score from which a detection counts and is drawn.
THRESHOLD = 0.3


def image_quality(coco: Mapping[str, Any],
                  detections: Sequence[Mapping[str, Any]]
                  ) -> dict[int, float]:
    """How well each image's objects are detected.

    The Jaccard index of objects and detections, ``TP / (TP + FP + FN)``, of
    the detections that are drawn, averaged over COCO's ten IoU thresholds:
    a box that is placed better counts at more of them.  Matched by
    pycocotools, so that ignored boxes count as in the mAP.

    Args:
        coco (Mapping): A split's annotations in COCO's format.
        detections (Sequence[Mapping]): Results in COCO's format.

    Returns:
        dict[int, float]: From 0 to 1 by image id; 1 where there is nothing
        to find and nothing was found.
    """
    drawn = [d for d in detections if d['score'] >= THRESHOLD]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {**coco, 'annotations': [
            # COCOeval takes an id of 0 for "not matched".
            {'iscrowd': 0, 'area': a['bbox'][2] * a['bbox'][3], **a, 'id': i}
            for i, a in enumerate(coco['annotations'], 1)]}
        truth.createIndex()
        found = truth.loadRes(drawn) if drawn else COCO()
        if not drawn:
            found.dataset = {**coco, 'annotations': []}
            found.createIndex()
        evaluation = COCOeval(truth, found, 'bbox')
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.evaluate()
    thresholds = len(evaluation.params.iouThrs)
    hits = {i: np.zeros(thresholds) for i in truth.imgs}
    others = {i: np.zeros(thresholds) for i in truth.imgs}  # FP + FN
    for each in filter(None, evaluation.evalImgs):
        counted = ~each['dtIgnore'].astype(bool)
        right = ((each['dtMatches'] > 0) & counted).sum(1)
        wrong = ((each['dtMatches'] == 0) & counted).sum(1)
        objects = int((~np.asarray(each['gtIgnore'], bool)).sum())
        hits[each['image_id']] += right
        others[each['image_id']] += wrong + objects - right
    return {i: float(np.mean(np.where(
        hits[i] + others[i] > 0,
        hits[i] / np.maximum(hits[i] + others[i], 1), 1)))
        for i in truth.imgs}


def largest_changes(coco: Mapping[str, Any],
                    before: Sequence[Mapping[str, Any]],
                    after: Sequence[Mapping[str, Any]],
                    count: int) -> list[tuple[dict[str, Any], float, float]]:
    """The images whose quality changed most, for better or worse.

    Args:
        coco (Mapping): A split's annotations in COCO's format.
        before (Sequence[Mapping]): Results in COCO's format.
        after (Sequence[Mapping]): The same of another model.
        count (int): Number of images.

    Returns:
        list[tuple[dict, float, float]]: COCO's entry of the image and its
        :func:`image_quality` before and after; the largest change first.
    """
    was, became = image_quality(coco, before), image_quality(coco, after)
    order = sorted(coco['images'],
                   key=lambda info: -abs(became[info['id']] - was[info['id']]))
    return [(info, was[info['id']], became[info['id']])
            for info in order[:count]]
