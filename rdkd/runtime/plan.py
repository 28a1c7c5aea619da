"""From two detectors' configs to a distillation config."""
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope

from rdkd.data.datasets import class_names, coco_datasets
from rdkd.detectors.classes import class_counts
from rdkd.detectors.inherit import of_one_kind, type_name
from rdkd.detectors.levels import Level, match_levels, probe_levels
from rdkd.detectors.random_state import isolated_random_state
from rdkd.errors import InputError
from rdkd.io.config import detector_config, load_config
from rdkd.runtime.defaults import add_imports, complete
from rdkd.runtime.teacher_classes_hook import check_classes
from rdkd.teacher.build import build_teacher
from rdkd.teacher.normalization import Normalization

#: The objective of a pair that nobody has tuned.
DISTILLER: dict[str, Any] = dict(type='RDKDDistiller', loss_weight=6.0)


class Plan(NamedTuple):
    """A distillation that can be started, and what was found out for it.

    Attributes:
        config: The complete config.
        student: Name of the student's config.
        teacher: Name of the teacher's config.
        student_levels: All levels of the student's neck.
        teacher_levels: All levels of the teacher's neck.
        same_input: Whether both normalize images alike.
        teacher_classes: Whether the teacher's checkpoint names its classes.
    """
    config: Config
    student: str
    teacher: str
    student_levels: tuple[Level, ...]
    teacher_levels: tuple[Level, ...]
    same_input: bool
    teacher_classes: bool

    def summary(self) -> str:
        """What will be done, in five lines."""
        model, loop = self.config.model, self.config.train_cfg
        pairs = match_levels(self.student_levels, self.teacher_levels)
        compared = ', '.join(f'{s.stride} ({s.channels} to {t.channels})'
                             for s, t in pairs)
        used = {s.stride for s, _ in pairs}
        idle = [f'{name}\'s {level.stride}' for name, levels in (
            ('student', self.student_levels),
            ('teacher', self.teacher_levels))
            for level in levels if level.stride not in used]
        left = f'; not compared: {", ".join(idle)}' if idle else ''
        classes = sorted(set(class_counts(model.architecture)))
        known = ('of the same names' if self.teacher_classes else
                 'whose names the checkpoint does not tell')
        images = ('both detectors normalize them alike' if self.same_input
                  else 'the teacher gets them normalized its own way')
        length = (f'{loop.max_epochs} epochs' if loop.get('max_epochs')
                  else f'{loop.get("max_iters")} iterations')
        weight = model.distiller.get('loss_weight')
        weighs = '' if weight is None else f', distillation weighs {weight:g}'
        start = (', from the teacher\'s neck and heads' if model.inherit
                 else '')
        return '\n'.join((
            f'student   {type_name(model.architecture)}, {self.student}',
            f'teacher   {type_name(model.teacher)}, {self.teacher}, '
            f'{model.teacher_ckpt}; {", ".join(map(str, classes))} classes '
            f'{known}',
            f'levels    strides and channels: {compared}{left}',
            f'images    {images}',
            f'training  {length}{start}{weighs}; results in '
            f'{self.config.get("work_dir") or "work_dirs"}'))


def plain_detector(cfg: Config, name: str) -> ConfigDict:
    """The model of a plain detector's config.

    Args:
        cfg (Config): Of the detector.
        name (str): Of the config, for the message.

    Returns:
        ConfigDict: See :func:`~rdkd.io.config.detector_config`.

    Raises:
        InputError: If it is of a distillation.
    """
    if 'architecture' in cfg.model:
        raise InputError(
            f'{name} has a teacher already. Name the config of the plain '
            'detector.')
    return detector_config(cfg)


def make_plan(student: str, teacher: str, teacher_ckpt: str) -> Plan:
    """Find out how a teacher can teach a student.

    Args:
        student (str): The student's config, a path or ``mmdet::...``.  Its
            data, schedule and hooks are kept.
        teacher (str): The teacher's config; only its ``model`` is used.
        teacher_ckpt (str): The teacher's checkpoint, a file or a URL.

    Returns:
        Plan: With the complete config.

    Raises:
        InputError: If a file is missing, the checkpoint does not fit, the
            classes differ or the necks share no stride.
    """
    cfg, teacher_cfg = load_config(student), load_config(teacher)
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    student_model = plain_detector(cfg, student)
    teacher_model = plain_detector(teacher_cfg, teacher)
    counts = [sorted(set(class_counts(m)))
              for m in (student_model, teacher_model)]
    if counts[0] != counts[1]:
        raise InputError(
            f'{student} has num_classes={counts[0]} and {teacher} has '
            f'{counts[1]}. Student and teacher must detect the same classes.')
    with isolated_random_state(torch.device('cpu')):
        # Detectors write into the config that they are built from.
        built = MODELS.build(deepcopy(student_model))
        frozen = build_teacher(deepcopy(teacher_model), teacher_ckpt)
        levels = probe_levels(built), probe_levels(frozen)
    match_levels(*levels)
    names = frozen.dataset_meta.get('classes')
    loader = cfg.get('train_dataloader')
    if loader is None:
        raise InputError(f'{student} has no `train_dataloader`: name a '
                         'complete config and not only a model\'s.')
    for dataset in coco_datasets(loader.dataset):
        check_classes(names, class_names(dataset))
    return Plan(
        with_teacher(cfg, teacher_cfg, teacher_ckpt), student, teacher,
        *levels,
        Normalization.of(built.data_preprocessor) == Normalization.of(
            frozen.data_preprocessor), names is not None)


def with_teacher(cfg: Config, teacher: Config, teacher_ckpt: str) -> Config:
    """A plain detector's config, turned into that of its distillation.

    Args:
        cfg (Config): The student's.
        teacher (Config): The teacher's.
        teacher_ckpt (str): The teacher's checkpoint, a file or a URL.

    Returns:
        Config: A new one; the student's own is left as it was.
    """
    cfg = Config(cfg.to_dict())
    if '://' not in teacher_ckpt:
        teacher_ckpt = str(Path(teacher_ckpt).resolve())
    cfg.model = dict(
        type='DetectorDistillation',
        architecture=detector_config(cfg),
        student_ckpt=cfg.get('load_from'),
        teacher=detector_config(teacher),
        teacher_ckpt=teacher_ckpt,
        inherit=(of_one_kind(cfg.model, teacher.model)
                 and not cfg.get('load_from')),
        distiller=deepcopy(DISTILLER))
    cfg.pop('data_preprocessor', None)
    # The runner would load it into the whole, where no key fits.
    cfg.load_from, cfg.resume = None, False
    add_imports(cfg, (teacher.get('custom_imports') or {}).get('imports', []))
    return complete(cfg)


def distillation_config(student: str, teacher: str, teacher_ckpt: str
                        ) -> Config:
    """The config that distills one detector into another.

    Args:
        student (str): As for :func:`make_plan`.
        teacher (str): Likewise.
        teacher_ckpt (str): Likewise.

    Returns:
        Config: Complete; ``model.distiller`` has the objective.

    Raises:
        InputError: As :func:`make_plan`.
    """
    return make_plan(student, teacher, teacher_ckpt).config
