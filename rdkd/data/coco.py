"""COCO annotation files: reading them and checking their form."""
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rdkd.errors import InputError


def some(items: Sequence[Any], limit: int = 5) -> str:
    """The first few items as text.

    Args:
        items (Sequence): Anything that can be printed.
        limit (int): How many are named.  Defaults to 5.

    Returns:
        str: The items, and how many more there are.
    """
    more = len(items) - limit
    return ', '.join(map(str, items[:limit])) + (
        f' and {more} more' if more > 0 else '')


def leaving(names: Iterable[str], folder: Path) -> list[str]:
    """The names of files that lead out of their folder.

    Args:
        names (Iterable[str]): As an annotation file has them.
        folder (Path): That they are relative to.

    Returns:
        list[str]: Those with too many ``..``, and absolute ones elsewhere.
    """
    root = os.path.abspath(folder)
    inside = root.rstrip(os.sep) + os.sep
    return [name for name in names if not os.path.abspath(
        os.path.join(root, name)).startswith(inside)]


#: What MMDetection and pycocotools read of a COCO file, and its types.
FIELDS: dict[str, dict[str, Any]] = {
    'images': dict(id=int | str, file_name=str, width=int | float,
                   height=int | float),
    'categories': dict(id=int, name=str),
    'annotations': dict(id=int, image_id=int | str, category_id=int,
                        bbox=list, area=int | float),
}


def read_annotations(path: Path,
                     fields: Mapping[str, Mapping[str, Any]] = FIELDS
                     ) -> dict[str, Any]:
    """Read a COCO file and check its form.

    Args:
        path (Path): The file.
        fields (Mapping): Of each list in it the fields that its entries must
            have, and their types; an ``id`` among them occurs once.  Defaults
            to what MMDetection and pycocotools read.

    Returns:
        dict: The file's content.

    Raises:
        InputError: Names the file and what is wrong with it.
    """
    if not path.is_file():
        raise InputError(
            f'the annotation file {path} does not exist. Check `data_root` '
            'and `ann_file` of the dataset.')
    try:
        coco = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise InputError(f'the annotation file {path} is not JSON: '
                         f'{error}.') from error
    for key in fields:
        if not isinstance(coco, dict) or not isinstance(coco.get(key), list):
            raise InputError(f'{path} is not a COCO file: it has no list '
                             f'{key!r}.')
    for part, kinds in fields.items():
        for position, entry in enumerate(coco[part]):
            if not isinstance(entry, dict):
                raise InputError(f'{path}: {part}[{position}] is {entry!r} '
                                 'and not an object.')
            wrong = [key for key, kind in kinds.items()
                     if not isinstance(entry.get(key), kind)]
            if wrong:
                known = f' (id {entry["id"]})' if 'id' in entry else ''
                raise InputError(f'{path}: {part}[{position}]{known} has no '
                                 f'valid {some(wrong)}.')
        ids = [entry['id'] for entry in coco[part] if 'id' in kinds]
        repeated = [i for i, n in Counter(ids).items() if n > 1]
        if repeated:
            raise InputError(f'{path}: ids occur twice in {part}: '
                             f'{some(repeated)}.')
    for position, entry in enumerate(coco['annotations']):
        for flag in ('iscrowd', 'ignore'):
            if entry.get(flag, 0) not in (0, 1):  # '0' would count as true
                raise InputError(f'{path}: annotations[{position}] has '
                                 f'{flag}={entry[flag]!r}, which is neither '
                                 '0 nor 1.')
    return coco


def renumber(annotations: Sequence[dict[str, Any]]) -> None:
    """Let pycocotools evaluate annotations that it would get wrong.

    It takes an annotation of id 0 for "not matched", and needs ``iscrowd``.

    Args:
        annotations (Sequence[dict]): Of a COCO file; changed in place.
    """
    free = max((a['id'] for a in annotations), default=0) + 1
    for annotation in annotations:
        annotation.setdefault('iscrowd', 0)
        if annotation['id'] == 0:
            annotation['id'] = free
