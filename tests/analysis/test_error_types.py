"""Errors by type: each kind is made on purpose."""
import pytest
from test_changes import box, coco

from rdkd.analysis.error_types import TYPES, error_types

RIGHT = [10, 10, 20, 20]
TRUTH = coco(*((image, category, where, {}) for image in (1, 2)
               for category, where in ((3, RIGHT), (5, [60, 60, 30, 30]))))
ALL = [box(i, 3, RIGHT) for i in (1, 2)] + [
    box(i, 5, [60, 60, 30, 30]) for i in (1, 2)]


def test_nothing_wrong_costs_nothing():
    assert error_types(TRUTH, ALL) == pytest.approx(
        dict.fromkeys(TYPES.values(), 0), abs=1e-6)


@pytest.mark.parametrize('kind, detections', [
    ('missed', ALL[1:]),
    ('false', [*ALL, box(1, 3, [0, 60, 9, 9], .95)]),
    ('wrong class', [*ALL[1:], box(1, 5, RIGHT, .95)]),
    ('badly placed', [*ALL[1:], box(1, 3, [10, 10, 20, 8], .95)]),
    ('wrong class and badly placed',
     [*ALL, box(1, 5, [10, 10, 20, 8], .95)]),
    ('found twice', [*ALL, box(1, 3, [10, 10, 20, 19], .95)])])
def test_each_kind_is_told(kind, detections):
    costs = error_types(TRUTH, detections)
    assert costs[kind] == max(costs.values())
    assert costs[kind] > 5


def test_no_detections_at_all():
    assert error_types(TRUTH, [])['missed'] == 100


def test_detections_in_a_crowd_are_not_false():
    truth = coco((1, 3, RIGHT, {}), (2, 3, RIGHT, {}),
                 (1, 3, [50, 50, 40, 40], dict(iscrowd=1)))
    costs = error_types(truth, [*ALL[:2], box(1, 3, [50, 50, 40, 40], .99)])
    assert costs['false'] == pytest.approx(0, abs=1e-6)


def test_detections_on_an_image_without_objects_are_false():
    truth = coco((1, 3, RIGHT, {}))
    strong = [box(2, 3, RIGHT, score) for score in (.95, .96)]
    assert error_types(truth, [*ALL[:1], *strong])['false'] > 50
    # On its own, without a hit, no precision is left to mend.
    assert error_types(truth, strong).keys() == set(TYPES.values())
