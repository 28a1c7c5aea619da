"""Checking a config and its data before a run starts."""
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

from rdkd.data.checks import check_dataset
from rdkd.data.coco import some
from rdkd.data.datasets import coco_datasets
from rdkd.data.image_memory import FILE, ImageMemory
from rdkd.detectors.classes import class_counts
from rdkd.errors import InputError
from rdkd.io.config import load_config
from rdkd.runtime.processes import by_first_process
from rdkd.runtime.settings import check_settings


def check_data(cfg: Config, split: str, images: bool = True) -> None:
    """Check the data sets of one split against each other and the model.

    Of several processes the first one looks and the others wait.

    Args:
        cfg (Config): The run's config.  Which images could be decoded is
            kept in its work dir, if it has one.
        split (str): ``'train'``, ``'val'`` or ``'test'``.
        images (bool): Whether to look at the images.  Defaults to True.

    Raises:
        InputError: At the first problem; says where it is and what to do.
    """
    by_first_process(f'check {split}',
                     lambda: _check_data(cfg, split, images))


def _check_data(cfg: Config, split: str, images: bool) -> None:
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
    memory = None
    if images:
        memory = ImageMemory(Path(cfg.work_dir, FILE)
                             if cfg.get('work_dir') else None)
    for dataset in datasets:
        classes = check_dataset(dataset, split == 'train', memory)
        for name, model in models.items():
            wrong = sorted(set(class_counts(model)) - {len(classes)})
            if wrong:
                raise InputError(
                    f'the {name}\'s head has num_classes={some(wrong)} but '
                    f'the {split} set has {len(classes)} classes '
                    f'({some(list(classes), 20)}).')
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
    check_settings(cfg)
    check_splits(cfg)


def check_splits(cfg: Config, images: bool = True) -> None:
    """Check the data that a training reads.

    Args:
        cfg (Config): The run's config.
        images (bool): As :func:`check_data` has it.

    Raises:
        InputError: At the first problem; says where it is and what to do.
    """
    check_data(cfg, 'train', images)
    check_data(cfg, 'val', images)
