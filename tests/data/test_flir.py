"""Both releases of FLIR ADAS become COCO files."""
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset
from thermal import IMAGES, LAYOUTS, ODD, edit, make_thermal

from rdkd.data import checks
from rdkd.data.coco import read_annotations
from rdkd.data.flir import CLASSES, clip_box, convert
from rdkd.data.images import check_images

#: What becomes of the oddities in the training images.
ODD_ENDS = {('car', 'clipped'): 1, ('person', 'clipped'): 1,
            ('person', 'no size'): 1, ('car', 'outside'): 1,
            ('person', 'no file'): 1, ('bicycle', 'no file'): 1,
            ('truck', 'other class'): 2, ('undeclared 91', 'other class'): 1}


def read(out, split):
    return json.loads((out / 'annotations' / f'{split}.json').read_text())


def test_exactly_the_good_boxes_arrive(shipped, tmp_path):
    source, good = shipped
    splits = convert(source, tmp_path / 'out')
    assert [split.name for split in splits] == list(IMAGES)
    for split in splits:
        coco = read(tmp_path / 'out', split.name)
        assert coco['categories'] == [
            dict(id=1, name='person'), dict(id=2, name='bicycle'),
            dict(id=3, name='car'), dict(id=4, name='dog')]
        names = {image['id']: image['file_name'] for image in coco['images']}
        expected = list(good[split.name])
        ends = Counter((label, 'kept') for _, label, *_ in expected)
        if split.name == 'train':
            ends.update(ODD_ENDS)
            expected += [(min(names.values()), label, left, left[2] * left[3])
                         for label, _, left in ODD if left]
        assert [(names[a['image_id']], CLASSES[a['category_id'] - 1],
                 a['bbox'], a['area'])
                for a in coco['annotations']] == expected
        assert split.boxes == ends


def test_the_area_of_a_cut_box(shipped, release, tmp_path):
    def change(coco):
        boxes = coco['annotations']
        boxes[0].update(area=0)
        boxes[1].update(bbox=[-30, 0, 40, 10], area=400)
        boxes[2].update(bbox=[0, 0, 40, 10], area=50.5)
    edit(shipped[0], release, change, 'val')
    convert(shipped[0], tmp_path / 'out')
    first, *others = read(tmp_path / 'out', 'val')['annotations']
    assert first['area'] == first['bbox'][2] * first['bbox'][3]
    assert [a['area'] for a in others[:2]] == [100, 50.5]


def test_ids_are_unique_over_all_splits(shipped, tmp_path):
    splits = convert(shipped[0], tmp_path / 'out')
    files = [read(tmp_path / 'out', name) for name in IMAGES]
    images = [[image['id'] for image in coco['images']] for coco in files]
    assert images == [[1, 2, 3], [4, 5], [6]]
    boxes = [a['id'] for coco in files for a in coco['annotations']]
    assert boxes == list(range(1, len(boxes) + 1))
    for coco, ids in zip(files, images, strict=True):
        assert {a['image_id'] for a in coco['annotations']} <= set(ids)
    # The third training image has no box, and is kept.
    assert 3 not in {a['image_id'] for a in files[0]['annotations']}
    assert [split.coco for split in splits] == files


def test_fields_are_what_coco_says(shipped, tmp_path):
    convert(shipped[0], tmp_path / 'out')
    for split in IMAGES:
        coco = read(tmp_path / 'out', split)
        for image in coco['images']:
            assert image.keys() == {'id', 'file_name', 'width', 'height'}
        for a in coco['annotations']:
            assert a.keys() == {'id', 'image_id', 'category_id', 'bbox',
                                'area', 'iscrowd'}
            assert type(a['iscrowd']) is int
        assert sum(a['iscrowd'] for a in coco['annotations']) == (
            split == 'train')


@pytest.mark.parametrize('dog', [17, 18])
def test_dogs_are_found_by_name(tmp_path, dog):
    good = make_thermal(tmp_path / 'in', 'v1.3', dog)
    other = {17: 'horse', 18: 'cat'}[dog]

    def change(coco):
        coco['annotations'].append(dict(
            coco['annotations'][0], category_id={17: 18, 18: 17}[dog]))
    edit(tmp_path / 'in', 'v1.3', change, 'val')
    train, val, _ = convert(tmp_path / 'in', tmp_path / 'out')
    assert train.boxes['dog', 'kept'] == len(
        [box for box in good['train'] if box[1] == 'dog']) == 2
    assert val.boxes[other, 'other class'] == 1
    assert val.boxes['dog', 'kept'] == 2


def test_ids_say_nothing(shipped, release, tmp_path):
    def swap(coco):
        person, _, car = coco['categories'][:3]
        person['name'], car['name'] = car['name'], person['name']
    edit(shipped[0], release, swap, 'val')
    val = convert(shipped[0], tmp_path / 'out')[1]
    ids = Counter(a['category_id'] for a in val.coco['annotations'])
    good = Counter(label for _, label, *_ in shipped[1]['val'])
    assert ids == {1: good['car'], 2: good['bicycle'], 3: good['person'],
                   4: good['dog']}
    assert ids[1] != ids[3]


def test_the_result_passes_the_checks_and_loads(shipped, tmp_path):
    source, good = shipped
    out = tmp_path / 'out'
    convert(source, out)
    for split, number in IMAGES.items():
        path = out / 'annotations' / f'{split}.json'
        coco = read_annotations(path)
        checks.check_categories(coco, CLASSES, path)
        checks.check_boxes(coco, path, training=True)
        check_images(coco, out / 'images' / split, path)
        dataset = CocoDataset(
            data_root=f'{out}/', ann_file=f'annotations/{split}.json',
            data_prefix=dict(img=f'images/{split}/'),
            metainfo=dict(classes=CLASSES), pipeline=[])
        assert len(dataset) == number
        labels = [instance['bbox_label'] for i in range(number)
                  for instance in dataset[i]['instances']]
        assert Counter(labels) == Counter(
            [CLASSES.index(label) for _, label, *_ in good[split]] +
            [CLASSES.index(label) for label, _, left in ODD
             if left and split == 'train'])
        assert all(Path(dataset[i]['img_path']).is_file()
                   for i in range(number))


def test_images_that_are_not_there_are_told(shipped, tmp_path):
    train, val, video = convert(shipped[0], tmp_path / 'out')
    assert len(train.missing) == 1
    assert not (shipped[0] / train.missing[0]).exists()
    assert val.missing == video.missing == []


def test_the_video_may_be_absent(shipped, release, tmp_path):
    shutil.rmtree(shipped[0] / LAYOUTS[release][2]['video'])
    splits = convert(shipped[0], tmp_path / 'out')
    assert [split.name for split in splits] == ['train', 'val']
    assert sorted(p.name for p in (tmp_path / 'out').rglob('*')
                  if not p.suffix.startswith('.jp')) == [
        'annotations', 'images', 'train', 'train.json', 'val', 'val.json']


@pytest.mark.parametrize('box, end, left', [
    ([10, 20, 30, 40], 'kept', [10, 20, 30, 40]),
    ([0.1, 0.2, 0.3, 0.7], 'kept', [0.1, 0.2, 0.3, 0.7]),
    ([0, 0, 640, 512], 'kept', [0, 0, 640, 512]),
    ([-9, -9, 900, 900], 'clipped', [0, 0, 640, 512]),
    ([630, 20, 11, 40], 'clipped', [630, 20, 10, 40]),
    ([10, 20, 0, 40], 'no size', None),
    ([10, 20, 30, -1], 'no size', None),
    ([10, 20, float('nan'), 9], 'no size', None),
    ([float('nan'), 20, 9, 9], 'outside', None),
    ([float('-inf'), 20, float('inf'), 9], 'outside', None),
    ([640, 20, 30, 40], 'outside', None),
    ([10, -40, 30, 40], 'outside', None)])
def test_boxes_are_cut_off_at_the_edges(box, end, left):
    assert clip_box(box, 640, 512)[0] == end
    if left:
        assert clip_box(box, 640, 512)[1] == left
