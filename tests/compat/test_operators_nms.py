"""The boxes that are kept without compiled operators."""
import pytest
import torch
from operators import COMPILED, PLAIN, needs_compiled

from rdkd.compat.operators.nms import nms_indices
from rdkd.compat.operators.soft_nms import soft_nms


def boxes_of(seed, count, span=20):
    """Boxes of which some are equal, empty or turned inside out."""
    torch.manual_seed(seed)
    boxes = torch.rand(count, 4) * span
    if seed % 3:
        boxes[:, 2:] += boxes[:, :2]
    if seed % 5 == 0:
        boxes = boxes.round()
    levels = 5 if seed % 2 else 1000
    return boxes, (torch.rand(count) * levels).round() / levels


def greedy(boxes, scores, threshold, offset):
    """Greedy suppression, box by box."""
    kept = []
    areas = ((boxes[:, 2] - boxes[:, 0] + offset)
             * (boxes[:, 3] - boxes[:, 1] + offset))
    for i in scores.sort(0, descending=True)[1].tolist():
        for j in kept:
            low = torch.maximum(boxes[i, :2], boxes[j, :2])
            high = torch.minimum(boxes[i, 2:], boxes[j, 2:])
            inter = (high - low + offset).clamp(min=0).prod()
            if inter / (areas[i] + areas[j] - inter) > threshold:
                break
        else:
            kept.append(i)
    return torch.tensor(kept, dtype=torch.long)


@pytest.mark.parametrize('offset', [0, 1])
def test_it_is_the_greedy_suppression(offset):
    for seed in range(20):
        boxes, scores = boxes_of(seed, 30)
        assert torch.equal(nms_indices(boxes, scores, 0.4, offset),
                           greedy(boxes, scores, 0.4, offset))


@needs_compiled
@pytest.mark.parametrize('offset', [0, 1])
def test_the_compiled_one_keeps_the_same_boxes_in_the_same_order(offset):
    for seed in range(1000):
        boxes, scores = boxes_of(seed, seed % 60)
        options = dict(iou_threshold=(0.3, 0.5, 0.7)[seed % 3],
                       offset=offset)
        assert torch.equal(PLAIN.nms(boxes, scores, **options),
                           COMPILED.nms(boxes, scores, **options)), seed


@needs_compiled
@pytest.mark.parametrize('span', [20, 200, 4000])
def test_many_boxes_are_compared_in_blocks(span):
    for seed in range(1, 20):
        boxes, scores = boxes_of(seed, 700, span)
        options = dict(iou_threshold=0.5, offset=seed % 2)
        assert torch.equal(PLAIN.nms(boxes, scores, **options),
                           COMPILED.nms(boxes, scores, **options)), seed


def test_no_boxes_equal_boxes_and_half_precision():
    none = nms_indices(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert none.dtype == torch.long and none.shape == (0,)
    box = torch.tensor([[0, 0, 4, 4]]).float()
    kept = nms_indices(box.repeat(500, 1), torch.ones(500), 0.5)
    assert len(kept) == 1
    # Boxes of no area overlap nothing.
    assert len(nms_indices(torch.ones(300, 4), torch.ones(300), 0.5)) == 300
    boxes, scores = boxes_of(1, 50)
    half = boxes.half()
    assert torch.equal(nms_indices(half, scores, 0.5),
                       nms_indices(half.float(), scores, 0.5))


@needs_compiled
@pytest.mark.parametrize('method', [0, 1, 2])
def test_soft_suppression_takes_the_same_boxes(method):
    for seed in range(200):
        boxes, scores = boxes_of(seed, seed % 40)
        options = dict(iou_threshold=0.3, sigma=0.5, min_score=0.05,
                       method=method, offset=seed // 3 % 2)
        found, expected = boxes.new_zeros(2, len(boxes), 5)
        kept = PLAIN.softnms(boxes, scores, found, **options)
        assert torch.equal(
            kept, COMPILED.softnms(boxes, scores, expected, **options)), seed
        torch.testing.assert_close(
            found[:len(kept)], expected[:len(kept)], equal_nan=True)


def test_soft_suppression_lowers_scores_by_the_overlap():
    boxes = torch.tensor([[0, 0, 4, 4], [0, 0, 4, 2], [9, 9, 10, 10]]).float()
    scores = torch.tensor([0.9, 0.8, 0.5])
    found, kept = soft_nms(boxes, scores, 0.3, 0.5, 0.1, method=1)
    assert kept.tolist() == [0, 2, 1]
    torch.testing.assert_close(found[:, 4], torch.tensor([0.9, 0.5, 0.4]))
    assert soft_nms(boxes, scores, 0.3, 0.5, 0.1, method=0)[1].tolist() == [
        0, 2]
