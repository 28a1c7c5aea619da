"""What an experiment trains on what: data, detector, schedule."""
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mmengine.config import Config

from rdkd.data.coco import read_annotations
from rdkd.data.synthetic import Spec, make_dataset
from rdkd.errors import InputError
from rdkd.io.config import shipped_config
from rdkd.io.terminal import console, track

DETECTORS = ('retinanet', 'fcos', 'faster_rcnn')
Role = Literal['teacher', 'baseline', 'inherited', 'distilled']
#: Names of the mini configs, with braces for the detector.
_CONFIGS: dict[Role, str] = dict(
    teacher='{}_mini_teacher.py', baseline='{}_mini_student.py',
    inherited='rdkd_{}_mini.py', distilled='rdkd_{}_mini.py')


@dataclass(frozen=True)
class Setup:
    """What is trained on what and how long.

    Attributes:
        data: Folder with ``annotations/train.json``, ``annotations/val.json``
            (COCO's format) and ``images/``.  None for the synthetic scenes,
            in ``data/mini``.
        detector: Of :data:`DETECTORS`.  Defaults to the first.
        epochs: Of the student; the teacher trains longer in proportion.
            Defaults to the mini config's.
        size: Longer side of the images in pixels.  Defaults to the mini
            config's.
    """
    data: Path | None = None
    detector: str = DETECTORS[0]
    epochs: int | None = None
    size: int | None = None

    def differences(self) -> list[str]:
        """What is not the mini config's, for the name of a folder."""
        return [f'{name}{value}' for name, value in (
            ('epochs', self.epochs), ('size', self.size)) if value]

    def shipped(self, role: Role) -> Config:
        """A mini config of the detector, as it is shipped."""
        return Config.fromfile(
            shipped_config(_CONFIGS[role].format(self.detector)))


@dataclass(frozen=True)
class DataSet:
    """A data set in COCO's format.

    Attributes:
        root: Its folder.
        train: The training split's annotations.
        val: The validation split's.
    """
    root: Path
    train: dict[str, Any]
    val: dict[str, Any]

    @property
    def images(self) -> Path:
        """The folder of the images."""
        return self.root / 'images'

    def first_images(self, count: int) -> list[Path]:
        """The files of the first validation images."""
        return [self.images / info['file_name']
                for info in self.val['images'][:count]]


def prepare_data(given: Path | None) -> DataSet:
    """Read the data set; make the synthetic one if none is given.

    Args:
        given (Path, optional): Its folder.

    Returns:
        DataSet: Both splits, read.

    Raises:
        InputError: If there is none, or it cannot be read.
    """
    root = given or Path('data', 'mini').resolve()
    if given and not given.is_dir():
        raise InputError(f'--data {given} is not a folder.')
    if not given and not make_dataset(root, Spec(), lambda images: track(
            list(images), 'making synthetic scenes')):
        console.print(f'  {os.path.relpath(root)} is there already')
    return DataSet(root, *(
        read_annotations(root / 'annotations' / f'{split}.json')
        for split in ('train', 'val')))


def mini_config(role: Role, setup: Setup, data: DataSet, seed: int
                ) -> Config:
    """A mini config for a data set and a setup.

    Args:
        role (str): Whose: ``'teacher'``, ``'baseline'``, ``'inherited'``,
            ``'distilled'``.
        setup (Setup): Detector and schedule.
        data (DataSet): What it is trained on.
        seed (int): Of the run.

    Returns:
        Config: Complete, but for the work dir, the teacher's checkpoint and
        what :func:`rdkd.experiments.methods.set_method` sets.
    """
    cfg, student = setup.shipped(role), setup.shipped('baseline')
    epochs = student.train_cfg.max_epochs
    adapt_data(cfg, data, setup.size or cfg.image_size)
    adapt_schedule(cfg, len(data.train['images']),
                   (setup.epochs or epochs) / epochs)
    cfg.randomness = dict(seed=seed)
    return cfg


def adapt_data(cfg: Config, data: DataSet, size: int) -> None:
    """Turn a mini config to a data set, in place.

    Args:
        cfg (Config): Changed in place.
        data (DataSet): Its classes become the model's.
        size (int): Longer side of the images in pixels.
    """
    classes = tuple(c['name'] for c in data.train['categories'])
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = str(data.root)
        dataset.metainfo = dict(classes=classes)
        for step in dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (size, size)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = str(data.root / 'annotations' / 'val.json')
    model = cfg.model.get('architecture', cfg.model)
    model.get('roi_head', model).bbox_head.num_classes = len(classes)


def adapt_schedule(cfg: Config, images: int, factor: float) -> None:
    """Turn a mini config to a schedule, in place.

    Args:
        cfg (Config): Changed in place.
        images (int): How many there are to train on.
        factor (float): The number of epochs is multiplied with it.
    """
    if factor != 1:
        epochs = max(1, round(cfg.train_cfg.max_epochs * factor))
        cfg.train_cfg.max_epochs = epochs
        cfg.train_cfg.val_interval = max(
            1, round(cfg.train_cfg.val_interval * factor))
        for scheduler in cfg.param_scheduler:
            if scheduler['type'] == 'CosineAnnealingLR':
                scheduler['T_max'] = scheduler['end'] = epochs
    # A warm-up longer than a tenth of the run would be most of it.
    steps = cfg.train_cfg.max_epochs * math.ceil(
        images / cfg.train_dataloader.batch_size)
    cfg.param_scheduler[0]['end'] = min(cfg.param_scheduler[0]['end'],
                                        max(1, steps // 10))
