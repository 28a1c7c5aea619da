"""The synthetic data set: the same bytes every time, and what it promises."""
import errno
import hashlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from rdkd.data.synthetic import (
    CATEGORIES,
    LARGEST,
    SMALLEST,
    Spec,
    draw_scene,
    make_dataset,
)
from rdkd.errors import InputError

SMALL = Spec(seed=5, splits={'train': 6, 'val': 3})


def digest(root):
    return {str(path.relative_to(root)):
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module')
def many():
    """Annotations of 150 scenes at the quickstart's size."""
    spec = Spec()
    return [draw_scene(spec, np.random.default_rng([0, i]))[1]
            for i in range(150)]


def test_two_runs_give_the_same_bytes(tmp_path):
    for name in ('a', 'b'):
        assert make_dataset(tmp_path / name, SMALL)
    assert digest(tmp_path / 'a') == digest(tmp_path / 'b')
    assert len(digest(tmp_path / 'a')) == 9 + 3


def test_another_seed_gives_other_images(tmp_path):
    make_dataset(tmp_path / 'a', SMALL)
    make_dataset(tmp_path / 'b', Spec(seed=6, splits=SMALL.splits))
    one, other = digest(tmp_path / 'a'), digest(tmp_path / 'b')
    assert not set(one.values()) & set(other.values())


def test_the_same_data_set_is_not_made_twice(tmp_path):
    assert make_dataset(tmp_path / 'a', SMALL)
    assert not make_dataset(tmp_path / 'a', SMALL)


def test_other_files_are_never_overwritten(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(InputError, match='Nothing was changed'):
        make_dataset(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ['mine.txt']


@pytest.mark.parametrize('text', ['', '{', '[]', 'null', '\xff', '[' * 10**5])
def test_a_broken_recipe_is_another_s_file(tmp_path, text):
    (tmp_path / 'spec.json').write_text(text, encoding='latin-1')
    with pytest.raises(InputError, match='Nothing was changed'):
        make_dataset(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ['spec.json']


def test_a_place_where_nothing_can_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('mine')
    (tmp_path / 'loop').symlink_to('loop')
    for place in ('file/x', 'file', 'loop', 'loop/x'):
        with pytest.raises(InputError, match=re.escape(place)):
            make_dataset(tmp_path / place, SMALL,
                         lambda images: pytest.fail('it began'))
    assert (tmp_path / 'file').read_text() == 'mine'
    assert not [p for p in tmp_path.iterdir() if p.name.startswith('.')]


@pytest.mark.parametrize('name', ['train_000001.png', 'val.json',
                                  'spec.json'])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, name):
    """Whichever of the files finds no room."""
    write = Path.open

    def full(self, mode='r', *arguments, **options):
        if self.name == name and 'w' in mode:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return write(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, 'open', full)
    with pytest.raises(InputError, match='No space left'):
        make_dataset(tmp_path / 'a', SMALL)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_leaves_nothing_and_can_be_repeated(tmp_path):
    def interrupted(images):
        yield next(iter(images))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(tmp_path / 'a', SMALL, interrupted)
    assert not (tmp_path / 'a').exists()
    assert make_dataset(tmp_path / 'a', SMALL)


def test_the_files_are_coco(tmp_path):
    make_dataset(tmp_path / 'a', SMALL)
    seen = set()
    for split, count in SMALL.splits.items():
        coco = json.loads(
            (tmp_path / 'a/annotations' / f'{split}.json').read_text())
        assert len(coco['images']) == count
        ids = [image['id'] for image in coco['images']]
        assert not seen & set(ids)
        seen |= set(ids)
        for image in coco['images']:
            pixels = cv2.imread(str(tmp_path / 'a/images' /
                                    image['file_name']))
            assert pixels.shape == (image['height'], image['width'], 3)
        assert {a['image_id'] for a in coco['annotations']} <= set(ids)


def test_category_ids_have_gaps():
    ids = [id_ for id_, _, _ in CATEGORIES]
    assert ids != list(range(ids[0], ids[0] + len(ids)))


def test_shapes_and_textures_do_not_name_the_class_alone():
    assert len({shape for _, shape, _ in CATEGORIES}) < len(CATEGORIES)
    assert len({texture for _, _, texture in CATEGORIES}) < len(CATEGORIES)


def test_objects_have_all_sizes(many):
    sides = np.array([a['bbox'][2:] for scene in many for a in scene
                      if not a['iscrowd']])
    assert sides.min() >= SMALLEST
    assert sides.max() <= LARGEST
    assert sides.max(axis=1).min() < 14
    assert sides.max() > 180


def test_there_are_crowds_empty_images_and_occlusion(many):
    assert any(a['iscrowd'] for scene in many for a in scene)
    assert any(not scene for scene in many)

    def overlap(a, b):
        (x, y, w, h), (u, v, s, t) = a['bbox'], b['bbox']
        return (min(x + w, u + s) - max(x, u) > 4
                and min(y + h, v + t) - max(y, v) > 4)

    assert any(overlap(a, b) for scene in many
               for i, a in enumerate(scene) for b in scene[:i])


def test_boxes_lie_in_the_image(many):
    spec = Spec()
    for scene in many:
        for annotation in scene:
            x, y, w, h = annotation['bbox']
            assert 0 <= x < x + w <= spec.width
            assert 0 <= y < y + h <= spec.height
            assert 0 < annotation['area'] <= w * h
