"""Detection errors by type.

Source: TIDE (Bolya et al., "TIDE: A General Toolbox for Identifying Object
Detection Errors", ECCV 2020), by its authors' library ``tidecv``.
"""
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

#: TIDE's types, in words.
TYPES = dict(Miss='missed', Bkg='false', Cls='wrong class',
             Loc='badly placed', Both='wrong class and badly placed',
             Dupe='found twice')


def error_types(coco: Mapping[str, Any],
                detections: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How much AP50 each type of error costs.

    Args:
        coco (Mapping): A split's annotations in COCO's format.
        detections (Sequence[Mapping]): Results in COCO's format.

    Returns:
        dict[str, float]: For each of :data:`TYPES` in words the points of
        AP50, 0 to 100, that mending it alone would bring.
    """
    if not detections:  # of which TIDE cannot take the mean precision
        return {words: 100.0 * (words == 'missed')
                for words in TYPES.values()}
    # TIDE changes the style of every figure, imported and when it runs.
    with matplotlib.rc_context():
        from tidecv import TIDE, Data
        truth, found = Data('truth'), Data('detections')
        for image in coco['images']:  # those without boxes too
            truth.add_image(image['id'], str(image['id']))
        for box in coco['annotations']:
            add = (truth.add_ignore_region if box.get('iscrowd') else
                   truth.add_ground_truth)
            add(box['image_id'], box['category_id'], box=box['bbox'])
        for box in detections:
            found.add_detection(box['image_id'], box['category_id'],
                                box['score'], box=box['bbox'])
        tide = TIDE()
        tide.evaluate(truth, found, mode=TIDE.BOX)
        costs = tide.get_main_errors()['detections']
    return {words: float(costs[kind]) for kind, words in TYPES.items()}
