"""The FLIR ADAS thermal data set, either release, as COCO files."""
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from rdkd.data.coco import FIELDS, leaving, read_annotations, some
from rdkd.errors import InputError
from rdkd.io.terminal import track

#: The classes that are kept; their category ids are 1 to 4.
CLASSES = ('person', 'bicycle', 'car', 'dog')
_ALIASES = {'bike': 'bicycle'}

#: What is read of FLIR's files, and its types: ids and areas of boxes are not.
_FIELDS = FIELDS | {'annotations': {
    key: kind for key, kind in FIELDS['annotations'].items()
    if key not in ('id', 'area')}}


@dataclass(frozen=True)
class Release:
    """Where a release keeps its annotations and, beside them, its images."""
    name: str
    images: str
    files: dict[str, str]


RELEASES = (
    Release('v1.3', 'thermal_8_bit', {
        s: f'{s}/thermal_annotations.json' for s in ('train', 'val', 'video')
    }),
    Release('v2', 'data', {'train': 'images_thermal_train/coco.json',
                           'val': 'images_thermal_val/coco.json',
                           'video': 'video_thermal_test/coco.json'}))


@dataclass
class Split:
    """One converted split, and what was dropped on the way."""
    name: str
    coco: dict[str, Any]
    #: The source of every image, by its new name.
    files: dict[str, Path] = field(default_factory=dict)
    #: The images that are listed but not there.
    missing: list[str] = field(default_factory=list)
    #: How many boxes of which class came to which end (see ``clip_box``).
    boxes: Counter[tuple[str, str]] = field(default_factory=Counter)


def find_release(root: Path) -> Release:
    """Tell the release by its annotation files.

    Args:
        root (Path): The folder that holds a release.

    Returns:
        Release: The release that it is.

    Raises:
        InputError: If ``root`` is neither; says what it lacks.
    """
    lacks = []
    for release in RELEASES:
        absent = [file for split, file in release.files.items()
                  if split != 'video' and not (root / file).is_file()]
        if not absent:
            return release
        lacks.append(f'for {release.name} it lacks {" and ".join(absent)}')
    raise InputError(f'{root} is no release of FLIR ADAS: {"; ".join(lacks)}. '
                     'Give the folder that holds them.')


def find_image(folder: Path, images: str, name: str) -> Path | None:
    """Find an image whose listed name may lack the folder or extension.

    Args:
        folder (Path): Of the annotation file.
        images (str): Folder of the images in it.
        name (str): As the annotation file has it.

    Returns:
        Path: The file, or None if it is not there.
    """
    places = (folder / name, folder / images / name)
    files = (Path(f'{place}{suffix}') for place in places
             for suffix in ('', '.jpeg', '.jpg'))
    return next(filter(Path.is_file, files), None)


def clip_box(box: list[float], width: float, height: float
             ) -> tuple[str, list[float]]:
    """Cut a box off at the edges of its image.

    Args:
        box (list[float]): ``[x, y, width, height]`` in pixels.
        width (float): Of the image, in pixels.
        height (float): Of the image, in pixels.

    Returns:
        tuple: Its end (``'kept'``, ``'clipped'``, ``'no size'`` or
        ``'outside'``) and what is left of it.
    """
    x, y, w, h = box
    # Written so that not-a-number is no size, and outside.
    if not (w > 0 and h > 0):
        return 'no size', box
    left, top = max(x, 0), max(y, 0)
    # Not right minus left: boxes that are not cut keep their exact size.
    w -= left - x + max(x + w - width, 0)
    h -= top - y + max(y + h - height, 0)
    if not (w > 0 and h > 0):
        return 'outside', box
    clipped = [left, top, w, h]
    return ('kept' if clipped == box else 'clipped'), clipped


def read_release(path: Path) -> dict[str, Any]:
    """Read an annotation file of FLIR's and check what is used of it.

    Args:
        path (Path): The file as it is shipped.

    Returns:
        dict: Its content.

    Raises:
        InputError: Names the file and what is wrong with it.
    """
    try:
        flir = read_annotations(path, _FIELDS)
    except (InputError, OSError) as error:
        raise InputError(f'{error} Correct or remove it, or unpack the '
                         'release again.') from error
    out = leaving((entry['file_name'] for entry in flir['images']),
                  path.parent)
    if out:
        raise InputError(f'{path}: images are named outside of its folder: '
                         f'{some(out)}. Correct or remove them.')
    for position, entry in enumerate(flir['annotations']):
        if [isinstance(v, int | float) for v in entry['bbox']] != [True] * 4:
            raise InputError(f'{path}: annotations[{position}] has no valid '
                             'bbox. Correct or remove it.')
    return flir


def read_split(root: Path, release: Release, name: str,
               image_ids: Iterator[int], annotation_ids: Iterator[int]
               ) -> Split:
    """Read one split and keep what can be used, under the next free ids.

    Args:
        root (Path): The folder of the release.
        release (Release): Which it is.
        name (str): ``'train'``, ``'val'`` or ``'video'``.
        image_ids (Iterator[int]): Gives an id to each image that is kept.
        annotation_ids (Iterator[int]): Likewise to each box.

    Returns:
        Split: What was kept, and what was dropped.

    Raises:
        InputError: If the file is broken or nothing of it is left.
    """
    path = root / release.files[name]
    flir = read_release(path)
    split = Split(name, dict(
        info=dict(description=f'FLIR ADAS {release.name}, thermal images'),
        images=[], annotations=[],
        categories=[dict(id=i, name=c) for i, c in enumerate(CLASSES, 1)]))
    images = dict.fromkeys(entry['id'] for entry in flir['images'])
    for entry in flir['images']:
        file = find_image(path.parent, release.images, entry['file_name'])
        if file is None:
            split.missing.append(entry['file_name'])
        elif file.name in split.files:
            raise InputError(f'{path} lists {file.name} twice. Remove one.')
        else:
            split.files[file.name] = file
            split.coco['images'].append(dict(
                id=next(image_ids), file_name=file.name,
                width=entry['width'], height=entry['height']))
            images[entry['id']] = split.coco['images'][-1]
    names = {category['id']: _ALIASES.get(category['name'], category['name'])
             for category in flir['categories']}
    for position, entry in enumerate(flir['annotations']):
        source, category = entry['image_id'], entry['category_id']
        if source not in images:
            raise InputError(f'{path}: annotations[{position}] is of image id '
                             f'{source}, which is not listed. Remove it.')
        image: Any = images[source]
        label = names.get(category, f'undeclared {category}')
        end, box = 'other class', entry['bbox']
        if label in CLASSES:
            end, box = clip_box(box, image['width'], image['height']
                                ) if image else ('no file', box)
        split.boxes[label, end] += 1
        if end in ('kept', 'clipped'):
            area, given = box[2] * box[3], entry.get('area')
            if isinstance(given, int | float) and given > 0:
                area = min(given, area)
            split.coco['annotations'].append(dict(
                id=next(annotation_ids), image_id=image['id'],
                category_id=CLASSES.index(label) + 1, bbox=box, area=area,
                iscrowd=int(bool(entry.get('iscrowd')))))
    if not split.coco['annotations']:
        raise InputError(
            f'{path} gives no box of {", ".join(CLASSES)}. {len(split.files)} '
            f'of its {len(images)} images are there, its categories are: '
            f'{", ".join(names.values())}.')
    return split


def _write(splits: list[Split], folder: Path, copy: bool) -> None:
    # Copies without permissions: those of the source may be read-only.
    put = shutil.copyfile if copy else os.symlink
    (folder / 'annotations').mkdir(parents=True)
    for split in splits:
        images = folder / 'images' / split.name
        images.mkdir(parents=True)
        what = f'{"copying" if copy else "linking"} {split.name}'
        for name, file in track(split.files.items(), what, transient=True):
            put(file.resolve(), images / name)
        (folder / 'annotations' / f'{split.name}.json').write_text(
            json.dumps(split.coco))


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str],
            copy: bool = False) -> list[Split]:
    """Convert a release into COCO files and folders of images.

    It is written to ``out.partial`` and moved to ``out`` when it is whole.

    Args:
        source (path): The folder of a release.  Nothing in it is changed.
        out (path): Folder to make.
        copy (bool): Copy the images instead of linking to them.  Defaults
            to False.

    Returns:
        list[Split]: One for each split of the release.

    Raises:
        InputError: If ``source`` cannot be used or ``out`` cannot be made.
    """
    root, target = (Path(os.path.realpath(path)) for path in (source, out))
    release = find_release(root)
    # A split's folder may itself be a link to elsewhere.
    for folder in (root, *((root / f).parent for f in release.files.values())):
        if folder.resolve() in (target, *target.parents):
            raise InputError(f'{target} is inside {root}, which is only read. '
                             'Choose a folder outside of it.')
    partial = target.with_name(f'{target.name}.partial')
    for folder in (target, partial):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f'{folder} exists and is not empty. Nothing was '
                             'changed: choose another folder or remove it.')
    images, annotations = count(1), count(1)
    splits = [read_split(root, release, name, images, annotations)
              for name, file in release.files.items()
              if (root / file).is_file()]
    try:
        _write(splits, partial, copy)
        partial.rename(target)
    except OSError as error:
        raise InputError(f'{target} cannot be written: {error}. Where the '
                         'disk cannot hold links, use --copy.') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return splits
