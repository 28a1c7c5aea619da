"""Checking a data set before anything is trained on it.

MMDetection's ``CocoDataset`` drops categories, boxes and images it cannot use
without a word, and numbers classes in the order of the file and not of the
config.
"""
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from rdkd.data.coco import leaving, read_annotations, some
from rdkd.data.datasets import class_names, coco_files
from rdkd.data.image_memory import ImageMemory
from rdkd.data.images import check_images
from rdkd.errors import InputError


def check_categories(coco: Mapping[str, Any], classes: Sequence[str],
                     path: Path) -> None:
    """Compare a file's categories with the config's classes.

    Raises:
        InputError: If names differ, or their order does.
    """
    names = [category['name'] for category in coco['categories']]
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise InputError(f'{path}: several categories are named '
                         f'{some(repeated)}.')
    used = {a['category_id'] for a in coco['annotations']}
    unknown_ids = used - {c['id'] for c in coco['categories']}
    if unknown_ids:
        raise InputError(f'{path}: annotations use category ids that it does '
                         f'not declare: {some(sorted(unknown_ids))}.')
    absent = [name for name in classes if name not in names]
    if absent:
        raise InputError(
            f'{path} has no category {some(absent)}, which the config lists '
            f'in `metainfo.classes`. The file has: {some(names, 20)}.')
    dropped = [c['name'] for c in coco['categories']
               if c['name'] not in classes and c['id'] in used]
    if dropped:
        raise InputError(
            f'{path} has annotations of {some(dropped)}, which the config '
            'lacks in `metainfo.classes`: they would be dropped silently. '
            'Add these classes, or remove the annotations from the file.')
    order = [name for name in names if name in classes]
    if order != list(classes):
        raise InputError(
            f'{path} lists its categories as {order}, the config its classes '
            f'as {list(classes)}. MMDetection numbers classes in the order '
            'of the file: use the same order in both.')


def check_boxes(coco: Mapping[str, Any], path: Path, training: bool) -> None:
    """Check that boxes belong to images and can be learned from.

    Boxes that MMDetection will skip are counted in a warning.

    Raises:
        InputError: If a box is malformed or of no image, or a training split
            has no usable box.
    """
    images = {image['id']: image for image in coco['images']}
    if len({isinstance(i, str) for i in images}) > 1:
        raise InputError(f'{path}: some image ids are numbers and some are '
                         'text, which pycocotools cannot sort.')
    empty, outside, usable = [], [], 0
    for annotation in coco['annotations']:
        if annotation['image_id'] not in images:
            raise InputError(
                f'{path}: annotation {annotation["id"]} belongs to image id '
                f'{annotation["image_id"]}, which the file does not list.')
        box = annotation['bbox']
        if (not isinstance(box, list) or len(box) != 4 or not all(
                isinstance(v, int | float) and math.isfinite(v)
                for v in box)):
            raise InputError(f'{path}: annotation {annotation["id"]} has no '
                             f'valid bbox [x, y, width, height]: {box}.')
        x, y, w, h = box
        image = images[annotation['image_id']]
        if w < 1 or h < 1 or annotation['area'] <= 0:
            empty.append(annotation['id'])
        elif (x >= image['width'] or y >= image['height'] or x + w <= 0
              or y + h <= 0):
            outside.append(annotation['id'])
        elif not (annotation.get('iscrowd') or annotation.get('ignore')):
            usable += 1
    for ids, what in ((empty, 'smaller than a pixel'),
                      (outside, 'outside their image')):
        if ids:
            print_log(
                f'{path}: {len(ids)} boxes are {what} and will be skipped '
                f'(annotation ids {some(ids)}).', 'current',
                logging.WARNING)
    if training and not usable:
        raise InputError(f'{path} has no box to learn from.')
    if all(a.get('iscrowd') for a in coco['annotations']):
        print_log(f'{path} has no box to evaluate on: the mAP will be -1.',
                  'current', logging.WARNING)


def check_names(coco: Mapping[str, Any], folder: Path, path: Path) -> None:
    """Check that there are images, and that their names stay in the folder.

    Raises:
        InputError: If there are none, or names some that do not.
    """
    if not coco['images']:
        raise InputError(f'{path} lists no images: the split is empty.')
    out = leaving((image['file_name'] for image in coco['images']), folder)
    if out:
        raise InputError(
            f'{path}: images are named outside of {folder}: {some(out)}. '
            'Set `data_root` and `data_prefix` of the dataset to a folder '
            'that holds all of them.')


def check_dataset(dataset: Mapping[str, Any], training: bool,
                  memory: ImageMemory | None) -> Sequence[str]:
    """Check the files of one COCO data set.

    Args:
        dataset (Mapping): Config of a ``CocoDataset``.
        training (bool): Whether it is trained on.
        memory (ImageMemory, optional): What is known of its images.  None
            for not looking at them.

    Returns:
        Sequence[str]: Its classes.

    Raises:
        InputError: At the first thing that would go wrong.
    """
    root = Path(dataset.get('data_root') or '')
    if not root.is_dir():
        raise InputError(f'the data root {root} does not exist. Set '
                         '`data_root` of the dataset to your data (see '
                         'data/README.md).')
    path, images = coco_files(dataset)
    classes = class_names(dataset)
    coco = read_annotations(path)
    check_categories(coco, classes, path)
    check_boxes(coco, path, training)
    check_names(coco, images, path)
    if memory:
        check_images(coco, images, path, dataset.get('pipeline') or (),
                     memory)
    print_log(f'{path}: {len(coco["images"])} images, '
              f'{len(coco["annotations"])} boxes, {len(classes)} classes.',
              'current')
    return classes
