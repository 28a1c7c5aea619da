"""Heat maps: one scale is right for all of them, and each is of its map."""
import cv2
import numpy as np
import pytest
import torch

from rdkd.report.attention import draw_attention, overlay


def spot(height):
    """A map with mean 1 and a spot in the middle, a sixteenth of it."""
    inside = torch.zeros(16, 16)
    inside[6:10, 6:10] = 1
    return torch.where(inside > 0, height, (16 - height) / 15)


def jet(share):
    """OpenCV's color at a share of the scale."""
    level = np.full((1, 1), int(255 * share), np.uint8)
    return cv2.applyColorMap(level, cv2.COLORMAP_JET)[0, 0, ::-1] / 2


def test_models_share_one_scale():
    """Twice as concentrated is hotter, and a uniform map is flat."""
    maps = torch.stack([torch.ones(16, 16), spot(2.), spot(4.)])[:, None]
    black = np.zeros((50, 50, 3), np.uint8)
    pictures, low, high = overlay(maps, black)
    assert (low, high) == (pytest.approx(12 / 15), 4)
    flat, once, twice = pictures[:, 0]
    assert (flat == flat[0, 0]).all()
    for picture, y, value in ((flat, 0, 1), (once, 8, 2), (twice, 8, 4),
                              (once, 0, 14 / 15), (twice, 0, 12 / 15)):
        share = (value - low) / (high - low)
        assert np.abs(picture[y, y] - jet(share)).max() <= 5
    assert once[8, 8, 0] < once[8, 8, 1]  # not yet red
    assert twice[8, 8, 0] > twice[8, 8, 1:].max()


def test_each_picture_is_of_its_map_and_over_the_image():
    maps = torch.full((2, 3, 8, 6), 1.)
    maps[1, 2, 5, 3:] = 3
    image = np.zeros((16, 12, 3), np.uint8)
    image[:, 6:] = 200
    pictures, _, _ = overlay(maps.clone(), image)
    other = np.argwhere((pictures != pictures[0, 0]).any(axis=-1))
    assert other.tolist() == [[1, 2, 5, x] for x in (3, 4, 5)]
    assert (pictures[0, 0, :, 4].astype(int)
            - pictures[0, 0, :, 1] == 100).all()


def test_one_hot_cell_does_not_flatten_the_rest():
    maps = torch.ones(1, 1, 40, 40)
    maps[..., :20, :] = 2
    maps[..., 0, 0] = 1000
    pictures, low, high = overlay(maps, np.zeros((40, 40, 3), np.uint8))
    assert (low, high) == (1, 2)
    assert (pictures[0, 0, 0, 0] == pictures[0, 0, 1, 1]).all()


def test_figure_says_what_its_parts_are():
    maps = {'baseline': torch.ones(3, 16, 16),
            'RDKD': torch.stack([spot(2.), spot(4.), spot(3.)])}
    figure = draw_attention(maps, [8, 16], np.zeros((9, 9, 3), np.uint8))
    *cells, bar = figure.axes
    assert [cell.get_title() for cell in cells] == [
        'stride 8', 'stride 16', 'average', '', '', '']
    assert [cells[0].get_ylabel(), cells[3].get_ylabel()] == [
        'baseline', 'RDKD']
    assert bar.get_ylim() == (pytest.approx(12 / 15), 4)
    assert 'times the average' in bar.get_ylabel()
