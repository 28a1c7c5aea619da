"""Looking at a run's data and config before the first step.

``CocoDataset`` drops categories, boxes and images it cannot use without a
word, and numbers classes in the order of the file and not of the config.
"""
import difflib
import inspect
import json
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import MODELS, init_default_scope
from mmrazor.registry import MODELS as RAZOR_MODELS
from PIL import Image
from rich.progress import track

from rdkd.config import load_config
from rdkd.engine.launch import first_process
from rdkd.errors import InputError


def _some(items: Sequence[Any], limit: int = 5) -> str:
    """The first few items as text."""
    more = len(items) - limit
    return ', '.join(map(str, items[:limit])) + (
        f' and {more} more' if more > 0 else '')


def check_keys(model: Mapping[str, Any]) -> None:
    """Refuse keys that the distillation model or its distiller do not take.

    Args:
        model (Mapping): ``cfg.model``.  Plain detectors are not checked.

    Raises:
        InputError: Names the key and the nearest one that exists.
    """
    if 'distiller' not in model:
        return
    for name, part in (('model', model),
                       ('model.distiller', model['distiller']),
                       ('model.response', model.get('response'))):
        if part is None:
            continue
        # MMRazor's distillers are named in its scope.
        cls = MODELS.get(part['type']) or RAZOR_MODELS.get(part['type'])
        if cls is None:
            raise InputError(f'{name}.type: nothing is registered as '
                             f'{part["type"]!r}.')
        known = set(inspect.signature(cls).parameters)
        for key in part:
            if key != 'type' and key not in known:
                near = difflib.get_close_matches(key, known, 1)
                raise InputError(
                    f'{name} has the unknown key {key!r}' +
                    (f'; did you mean {near[0]!r}?' if near else '.') +
                    f' {part["type"]} takes: {", ".join(sorted(known))}.')


#: What MMDetection and pycocotools read of a COCO file, and its types.
_FIELDS: dict[str, dict[str, Any]] = {
    'images': dict(id=int | str, file_name=str, width=int | float,
                   height=int | float),
    'categories': dict(id=int, name=str),
    'annotations': dict(id=int, image_id=int | str, category_id=int,
                        bbox=list, area=int | float),
}


def read_annotations(path: Path) -> dict[str, Any]:
    """Read a COCO file and check its form.

    Raises:
        InputError: Names the file and what is wrong with it.
    """
    if not path.is_file():
        raise InputError(
            f'the annotation file {path} does not exist. Check `data_root` '
            'and `ann_file` of the dataset.')
    try:
        coco = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'the annotation file {path} is not JSON: '
                         f'{error}.') from error
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(coco, dict) or not isinstance(coco.get(key), list):
            raise InputError(f'{path} is not a COCO file: it has no list '
                             f'{key!r}.')
    for part, fields in _FIELDS.items():
        for position, entry in enumerate(coco[part]):
            if not isinstance(entry, dict):
                raise InputError(f'{path}: {part}[{position}] is {entry!r} '
                                 'and not an object.')
            wrong = [key for key, kind in fields.items()
                     if not isinstance(entry.get(key), kind)]
            if wrong:
                raise InputError(
                    f'{path}: {part}[{position}] (id {entry.get("id")}) has '
                    f'no valid {_some(wrong)}.')
        repeated = [i for i, n in Counter(
            entry['id'] for entry in coco[part]).items() if n > 1]
        if repeated:
            raise InputError(f'{path}: ids occur twice in {part}: '
                             f'{_some(repeated)}.')
    return coco


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
                         f'{_some(repeated)}.')
    used = {a['category_id'] for a in coco['annotations']}
    unknown_ids = used - {c['id'] for c in coco['categories']}
    if unknown_ids:
        raise InputError(f'{path}: annotations use category ids that it does '
                         f'not declare: {_some(sorted(unknown_ids))}.')
    absent = [name for name in classes if name not in names]
    if absent:
        raise InputError(
            f'{path} has no category {_some(absent)}, which the config lists '
            f'in `metainfo.classes`. The file has: {_some(names, 20)}.')
    dropped = [c['name'] for c in coco['categories']
               if c['name'] not in classes and c['id'] in used]
    if dropped:
        raise InputError(
            f'{path} has annotations of {_some(dropped)}, which the config '
            'lacks in `metainfo.classes`: they would be dropped silently. '
            'Add these classes, or remove the annotations from the file.')
    order = [name for name in names if name in classes]
    if order != list(classes):
        raise InputError(
            f'{path} lists its categories as {order}, the config its classes '
            f'as {list(classes)}. MMDetection numbers classes in the order '
            'of the file: use the same order in both.')


def check_boxes(coco: Mapping[str, Any], path: Path, training: bool) -> None:
    """Check that boxes belong to images and can be learnt from.

    Boxes that MMDetection will skip are counted in a warning.

    Raises:
        InputError: If a box is malformed or of no image, or a training split
            has no usable box.
    """
    images = {image['id']: image for image in coco['images']}
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
        elif not annotation.get('iscrowd'):
            usable += 1
    for ids, what in ((empty, 'smaller than a pixel'),
                      (outside, 'outside their image')):
        if ids:
            print_log(
                f'{path}: {len(ids)} boxes are {what} and will be skipped '
                f'(annotation ids {_some(ids)}).', 'current',
                logging.WARNING)
    if training and not usable:
        raise InputError(f'{path} has no box to learn from.')


def check_images(coco: Mapping[str, Any], folder: Path, path: Path) -> None:
    """Check that every image is there and is an image.

    Raises:
        InputError: Names the missing or unreadable files.
    """
    if not coco['images']:
        raise InputError(f'{path} lists no images: the split is empty.')

    def problem(image: Mapping[str, Any]) -> tuple[str, str] | None:
        file = folder / image['file_name']
        try:
            with Image.open(file) as opened:
                size = opened.size
                opened.verify()
        except FileNotFoundError:
            return 'missing', str(file)
        except Exception:  # Pillow raises many kinds for broken files
            return 'not an image, or cut off', str(file)
        declared = image['width'], image['height']
        # Cameras note a rotation that MMDetection applies.
        if declared not in (size, size[::-1]):
            return (f'{size[0]}x{size[1]} and not {declared[0]}x'
                    f'{declared[1]} as the annotations say'), str(file)
        return None

    with ThreadPoolExecutor() as pool:
        found = [p for p in track(
            pool.map(problem, coco['images']), total=len(coco['images']),
            description=f'checking images of {path.name}', transient=True)
            if p]
    if found:
        lines = [f'{file} is {what}' for what, file in found]
        raise InputError(f'{path}: {len(found)} of {len(coco["images"])} '
                         f'images cannot be used: {_some(lines)}.')


def _dataset_class(dataset: Mapping[str, Any]) -> Any:
    """The class that a dataset config names."""
    cls = DATASETS.get(dataset['type']) if isinstance(
        dataset['type'], str) else dataset['type']
    if cls is None:
        raise InputError(f'no dataset is registered as {dataset["type"]!r}.')
    return cls


def class_names(dataset: Mapping[str, Any]) -> Sequence[str]:
    """The classes of a dataset config: its own, or those of its type."""
    metainfo = dataset.get('metainfo') or {}
    return metainfo.get('classes') or _dataset_class(
        dataset).METAINFO['classes']


def coco_datasets(dataset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The COCO data sets inside a dataset config and its wrappers."""
    inner = dataset.get('datasets', [dataset['dataset']]
                        if 'dataset' in dataset else [])
    for wrapped in inner:
        yield from coco_datasets(wrapped)
    if not inner and issubclass(_dataset_class(dataset), CocoDataset):
        yield dataset


def coco_files(dataset: Mapping[str, Any]) -> tuple[Path, Path]:
    """The annotation file and the image folder of a COCO data set."""
    root = Path(dataset.get('data_root') or '')
    return (root / dataset['ann_file'],
            root / dataset.get('data_prefix', {}).get('img', ''))


def check_dataset(dataset: Mapping[str, Any], training: bool
                  ) -> Sequence[str]:
    """Check the files of one COCO data set.

    Args:
        dataset (Mapping): Config of a ``CocoDataset``.
        training (bool): Whether it is trained on.

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
    check_images(coco, images, path)
    print_log(f'{path}: {len(coco["images"])} images, '
              f'{len(coco["annotations"])} boxes, {len(classes)} classes.',
              'current')
    return classes


#: Parts of a detector that count other classes than those it detects.
_OTHER_CLASSES = ('backbone', 'rpn_head', 'semantic_head',
                  'panoptic_fusion_head')


def class_counts(model: Any) -> Iterator[int]:
    """Every ``num_classes`` of the heads that detect."""
    if isinstance(model, Mapping):
        for key, value in model.items():
            if key == 'num_classes':
                yield value
            elif key not in _OTHER_CLASSES:
                yield from class_counts(value)
    elif isinstance(model, Sequence) and not isinstance(model, str):
        for value in model:
            yield from class_counts(value)


def check_data(cfg: Config, split: str) -> None:
    """Check the data sets of one split against each other and the model.

    Args:
        cfg (Config): The run's config.
        split (str): ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        InputError: At the first problem; says where it is and what to do.
    """
    # Of several processes one looks; the others wait where they join it.
    if not first_process():
        return
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    loader = cfg.get(f'{split}_dataloader')
    if not loader:
        return
    models = dict(student=cfg.model.get('architecture', cfg.model))
    if 'teacher' in cfg.model:
        teacher = cfg.model.teacher
        models['teacher'] = (load_config(teacher).model
                             if isinstance(teacher, str) else teacher)
    datasets = list(coco_datasets(loader['dataset']))
    for dataset in datasets:
        classes = check_dataset(dataset, training=split == 'train')
        for name, model in models.items():
            wrong = sorted(set(class_counts(model)) - {len(classes)})
            if wrong:
                raise InputError(
                    f'the {name}\'s head has num_classes={_some(wrong)} but '
                    f'the {split} set has {len(classes)} classes '
                    f'({_some(list(classes), 20)}).')
    evaluator = cfg.get(f'{split}_evaluator') or {}
    metrics = [evaluator] if isinstance(evaluator, dict) else evaluator
    files = [metric['ann_file'] for metric in metrics
             if metric.get('ann_file')]
    for file in files if len(datasets) == 1 else ():
        own = Path(datasets[0].get('data_root') or '', datasets[0]['ann_file'])
        if Path(file).resolve() != own.resolve():
            raise InputError(
                f'{split}_evaluator.ann_file is {file}, but '
                f'{split}_dataloader reads {own}: scores would be of other '
                'images. Set both to the same file.')


def check_config(cfg: Config) -> None:
    """Check everything a training run will read, before it starts.

    Args:
        cfg (Config): The run's config.

    Raises:
        InputError: At the first problem; says where it is and what to do.
    """
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    check_keys(cfg.model)
    check_data(cfg, 'train')
    check_data(cfg, 'val')
