"""Which images changed most: against the definition, box by box."""
import numpy as np
import pytest

from rdkd.analysis.changes import image_quality, largest_changes


def coco(*annotations, images=(1, 2)):
    return dict(
        images=[dict(id=i, file_name=f'{i}.png', width=100, height=100)
                for i in images],
        categories=[dict(id=3, name='cat'), dict(id=5, name='dog')],
        annotations=[dict(id=i + 1, image_id=image, category_id=category,
                          bbox=box, **extra)
                     for i, (image, category, box, extra)
                     in enumerate(annotations)])


def box(image, category, where, score=.9):
    return dict(image_id=image, category_id=category, bbox=where, score=score)


def test_a_perfect_image_and_one_that_is_missed():
    truth = coco((1, 3, [10, 10, 20, 20], {}), (2, 3, [10, 10, 20, 20], {}))
    assert image_quality(truth, [box(1, 3, [10, 10, 20, 20])]) == {1: 1, 2: 0}
    assert image_quality(truth, []) == {1: 0, 2: 0}


def test_nothing_to_find_and_nothing_found_is_right():
    assert image_quality(coco(), []) == {1: 1, 2: 1}
    assert image_quality(coco(), [box(2, 5, [0, 0, 9, 9])]) == {1: 1, 2: 0}


def test_a_box_counts_at_the_thresholds_it_reaches():
    # 10 of 14 columns shared: IoU 10 / 14 = 0.714, above 5 of 10 thresholds.
    truth = coco((1, 3, [0, 0, 12, 10], {}))
    found = image_quality(truth, [box(1, 3, [2, 0, 12, 10])])[1]
    iou = 10 / 14
    expected = np.mean([iou >= t for t in np.arange(.5, .96, .05)])
    assert found == pytest.approx(expected)
    assert 0 < expected < 1


def test_false_and_wrongly_named_boxes_count_against_it():
    truth = coco((1, 3, [10, 10, 20, 20], {}))
    right = box(1, 3, [10, 10, 20, 20])
    # TP 1, FP 1.
    assert image_quality(truth, [right, box(1, 3, [60, 60, 9, 9])])[1] == .5
    # FP 1 and FN 1.
    assert image_quality(truth, [box(1, 5, [10, 10, 20, 20])])[1] == 0
    # Too weak to be drawn.
    assert image_quality(truth, [right, box(1, 3, [60, 60, 9, 9], .2)])[1] == 1


def test_crowds_count_neither_way():
    truth = coco((1, 3, [10, 10, 20, 20], {}),
                 (1, 3, [50, 50, 40, 40], dict(iscrowd=1)))
    right = box(1, 3, [10, 10, 20, 20])
    assert image_quality(truth, [right])[1] == 1
    assert image_quality(truth, [right, box(1, 3, [55, 55, 20, 20])])[1] == 1


def test_the_largest_change_comes_first_for_better_or_worse():
    truth = coco((1, 3, [10, 10, 20, 20], {}), (2, 3, [10, 10, 20, 20], {}),
                 (3, 3, [10, 10, 20, 20], {}), images=(1, 2, 3))
    before = [box(2, 3, [10, 10, 20, 20]), box(3, 3, [10, 10, 20, 20])]
    after = [box(1, 3, [12, 10, 20, 20]), box(3, 3, [10, 10, 20, 20])]
    changes = largest_changes(truth, before, after, 2)
    assert [(info['id'], was) for info, was, _ in changes] == [(2, 1), (1, 0)]
    assert changes[0][2] == 0
    assert 0 < changes[1][2] < 1


def test_annotation_ids_from_zero_on():
    truth = coco((1, 3, [10, 10, 20, 20], {}))
    truth['annotations'][0]['id'] = 0
    assert image_quality(truth, [box(1, 3, [10, 10, 20, 20])])[1] == 1
