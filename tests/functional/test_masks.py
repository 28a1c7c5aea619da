"""Masks against a cell-by-cell reference and the rules of the docstring."""
import math

import pytest
import torch
from helpers import sample
from hypothesis import given, settings
from hypothesis import strategies as st

from rdkd.detectors.samples import batch_masks
from rdkd.functional.masks import boxes_to_mask


def literal_mask(boxes, image_size, map_size):
    mask = torch.zeros(map_size, dtype=torch.bool)
    y_scale = map_size[0] / image_size[0]
    x_scale = map_size[1] / image_size[1]
    for x1, y1, x2, y2 in boxes:
        for row in range(math.floor(y1 * y_scale), math.ceil(y2 * y_scale)):
            for column in range(math.floor(x1 * x_scale),
                                math.ceil(x2 * x_scale)):
                mask[row, column] = True
    return mask


@st.composite
def boxes_in_image(draw):
    sides = [draw(st.integers(0, 126)), draw(st.integers(0, 126))]
    ends = [draw(st.integers(side + 1, 127)) for side in sides]
    return [*map(float, sides), *map(float, ends)]


@settings(max_examples=60, deadline=None)
@given(st.lists(boxes_in_image(), max_size=4),
       st.sampled_from([1, 2, 4, 8, 16, 32]))
def test_mask_is_the_cell_by_cell_one(boxes, cells):
    size = (128, 128)
    mask = boxes_to_mask(torch.tensor(boxes).reshape(-1, 4), size,
                         (cells, cells))
    assert torch.equal(mask, literal_mask(boxes, size, (cells, cells)))
    for box in boxes:
        alone = boxes_to_mask(torch.tensor([box]), size, (cells, cells))
        assert alone.any()


@pytest.mark.parametrize('box', [[64., 64., 64., 64.], [64., 64., 64.4, 70.]])
def test_a_box_without_area_covers_one_cell(box):
    assert boxes_to_mask(torch.tensor([box]), (128, 128), (16, 16)).sum() == 1


@pytest.mark.parametrize('box', [
    [-50., -50., -10., -10.], [200., 0., 300., 50.], [0., 128., 20., 140.]])
def test_a_box_outside_covers_nothing(box):
    assert not boxes_to_mask(torch.tensor([box]), (128, 128), (16, 16)).any()


def test_a_box_over_the_edge_is_cut():
    mask = boxes_to_mask(torch.tensor([[-40., 100., 20., 400.]]), (128, 128),
                         (16, 16))
    assert mask[12:, :3].all()
    assert mask.sum() == 4 * 3


def test_no_boxes():
    assert not boxes_to_mask(torch.empty(0, 4), (64, 64), (8, 8)).any()


def test_boxes_scale_with_the_padded_batch_and_padding_is_no_side():
    """A 64x64 image in a 128x128 batch: its box keeps its cells."""
    masks, = batch_masks(
        [sample([[32., 32., 48., 48.]], (64, 64), (128, 128))], [(16, 16)],
        decouple=True)
    expected = torch.zeros(16, 16)
    expected[4:6, 4:6] = 1
    assert torch.equal(masks[0, 0], expected)
    assert masks.shape == (1, 2, 16, 16)
    assert masks[0].sum() == 64  # only the 8x8 cells of the image
    assert masks[0, :, 8:].sum() == masks[0, :, :, 8:].sum() == 0


def test_ignored_boxes_are_no_side_but_ground_truth_over_them_counts():
    masks, = batch_masks(
        [sample([[0., 0., 16., 16.]], (64, 64),
                ignored=[[0., 0., 32., 32.]])], [(8, 8)], decouple=True)
    foreground, background = masks[0]
    assert foreground.sum() == 4
    assert background[:4, :4].sum() == 0
    assert background.sum() == 64 - 16


def test_an_image_without_ignored_boxes_changes_nothing_for_another():
    crowded = sample([[0., 0., 8., 8.]], (64, 64),
                     ignored=[[16., 16., 48., 48.]])
    alone, = batch_masks([crowded], [(8, 8)], True)
    both, = batch_masks([crowded, sample([], (64, 64))], [(8, 8)], True)
    assert torch.equal(both[0], alone[0])
    assert both[1, 1].all()


def test_without_decoupling_the_image_is_one_region():
    masks, = batch_masks([sample([[0., 0., 9., 9.]], (64, 40), (64, 64)),
                           sample([], (64, 64), (64, 64))], [(8, 8)], False)
    assert masks.shape == (2, 1, 8, 8)
    assert masks.sum(dim=(1, 2, 3)).tolist() == [40, 64]


def test_masks_run_without_reading_the_device():
    """On the meta device any read of a value raises."""
    mask = boxes_to_mask(torch.empty(3, 4, device='meta'), (64, 64), (8, 8))
    assert mask.device.type == 'meta'
    assert mask.shape == (8, 8)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(boxes_in_image(), max_size=4), min_size=1,
                max_size=3), st.lists(boxes_in_image(), max_size=2))
def test_a_batch_at_all_levels_is_its_images_one_by_one(images, ignored):
    """Images of a batch have different numbers of boxes."""
    samples = [sample(boxes, (120, 90 + 10 * i), (128, 128), ignored)
               for i, boxes in enumerate(images)]
    sizes = [(32, 32), (8, 8), (1, 1)]
    for level, size in zip(batch_masks(samples, sizes, True), sizes,
                           strict=True):
        for i, (each, boxes) in enumerate(zip(samples, images, strict=True)):
            alone, = batch_masks([each], [size], True)
            assert torch.equal(level[i], alone[0])
            covered = literal_mask(boxes, (128, 128), size)
            valid = literal_mask([(0, 0, 90 + 10 * i, 120)], (128, 128), size)
            crowd = literal_mask(ignored, (128, 128), size)
            assert torch.equal(level[i, 0].bool(), covered & valid)
            assert torch.equal(level[i, 1].bool(), valid & ~covered & ~crowd)


def test_every_box_weighs_the_same():
    samples = [sample([[0., 0., 16., 8.], [32., 32., 64., 64.]], (64, 64)),
               sample([], (64, 64))]
    masks = batch_masks(samples, [(8, 8), (4, 4)], True)
    weighted = batch_masks(samples, [(8, 8), (4, 4)], True, 1)
    for mask, weights in zip(masks, weighted, strict=True):
        assert torch.equal(weights[:, 1], mask[:, 1])
        assert torch.equal(weights[:, 0] > 0, mask[:, 0] > 0)
        assert weights[0, 0].sum() == 2  # one for each box
        assert weights[1, 0].sum() == 0
    alone, = batch_masks(samples[1:], [(8, 8)], True, 1)
    assert torch.equal(alone[0, 1], torch.ones(8, 8))


@pytest.mark.parametrize('balance', [0.0, 0.5, 1.0])
def test_a_cell_weighs_a_power_of_its_boxs_cells(balance):
    masks, = batch_masks(
        [sample([[0., 0., 8., 8.], [16., 16., 48., 64.]], (64, 64))],
        [(8, 8)], True, balance)
    expected = torch.zeros(8, 8)
    expected[0, 0] = 1
    expected[2:8, 2:6] = 24 ** -balance
    torch.testing.assert_close(masks[0, 0], expected)
    assert masks[0, 1].sum() == 64 - 25


def test_where_boxes_overlap_the_smaller_one_counts():
    both = [sample([[0., 0., 64., 64.], [0., 0., 16., 16.]], (64, 64))]
    weights, = batch_masks(both, [(4, 4)], True, 1)
    assert weights[0, 0, 0, 0] == 1
    assert weights[0, 0, 1:].eq(1 / 16).all()


def test_boxes_are_taken_some_at_a_time(monkeypatch):
    many = [sample([[8. * i, 8. * j, 8. * i + 12, 8. * j + 9]
                    for i in range(7) for j in range(7)], (64, 64))]
    expected, = batch_masks(many, [(16, 16)], True, 1)
    monkeypatch.setattr('rdkd.functional.masks.BOXES', 5)
    found, = batch_masks(many, [(16, 16)], True, 1)
    assert torch.equal(found, expected)
