"""What a data set's config says of its files and classes."""
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS

from rdkd.errors import InputError


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
