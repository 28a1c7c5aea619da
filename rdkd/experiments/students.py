"""One teacher, and students that are trained with it and measured."""
import functools
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from rdkd.analysis.correlation import correlations
from rdkd.analysis.error_types import error_types
from rdkd.analysis.features import images_features
from rdkd.analysis.logs import read_history, training_seconds
from rdkd.errors import InputError
from rdkd.experiments import methods
from rdkd.experiments.evaluation import evaluate
from rdkd.experiments.phase import Phase
from rdkd.experiments.running import lock_run, train_once
from rdkd.experiments.setup import DataSet, Role, Setup, mini_config
from rdkd.io.terminal import busy
from rdkd.report.runs import METRICS, Run
from rdkd.runtime.checks import check_config

#: Images on which students' and teacher's necks are compared.
CORRELATED = 8


class Countdown:
    """Which training of how many is next, and how long the rest takes.

    Args:
        total (int): How many there are.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.begun = 0
        self.minutes: list[float] = []

    def heading(self) -> str:
        """Begin the next one: its number, and about how long all take."""
        left = self.total - self.begun
        self.begun += 1
        about = (f' (about {left * statistics.mean(self.minutes):.0f} min '
                 'left)' if self.minutes else '')
        return f'{self.begun} of {self.total}{about}'


@dataclass(frozen=True)
class Study:
    """The folder of one teacher and its students.

    Attributes:
        setup: What is trained how long.
        data: On what.
        run: The folder.
    """
    setup: Setup
    data: DataSet
    run: Path

    @property
    def teacher(self) -> Phase:
        """The one teacher."""
        return Phase('teacher', 'teacher', self.run)

    @property
    def baseline(self) -> Phase:
        """The first baseline, whose config is the plain student's."""
        return Phase('none_seed0', '', self.run)

    def config(self, role: Role, seed: int) -> Config:
        """A mini config for this study."""
        return mini_config(role, self.setup, self.data, seed)

    def weights(self, method: str) -> tuple[float, ...]:
        """The loss weights that may be tried; the first is the default."""
        return methods.weights(
            method,
            self.setup.shipped('distilled').model.distiller.loss_weight)

    def default_weight(self, method: str) -> float | None:
        """The loss weight of a method that was not tuned."""
        return next(iter(self.weights(method)), None)

    @functools.cached_property
    def teacher_features(self) -> list[Any]:
        """The teacher's neck on the images that students' are compared on."""
        return images_features(
            self.teacher.read(), str(self.teacher.deployed),
            self.data.first_images(CORRELATED))


def open_study(setup: Setup, data: DataSet) -> Study:
    """Take a folder for a study and train its teacher.

    Args:
        setup (Setup): What is trained how long.
        data (DataSet): On what.

    Returns:
        Study: In ``work_dirs/compare``, with a teacher.

    Raises:
        InputError: If the data cannot be used, another process is there or
            the training fails.
    """
    if all(box.get('iscrowd') for box in data.val['annotations']):
        raise InputError(f'{data.root}/annotations/val.json has no box to '
                         'evaluate on.')
    name = '_'.join([data.root.name, setup.detector, *setup.differences()])
    study = Study(setup, data, Path('work_dirs', 'compare', name).resolve())
    lock_run(study.run, 'comparison')
    cfg = study.config('teacher', seed=0)
    cfg.work_dir = str(study.run)  # where images are remembered
    check_config(cfg)
    study.teacher.write(cfg)
    study.baseline.write(study.config('baseline', seed=0))
    train_once(study.teacher)
    return study


def student_phase(study: Study, method: str, seed: int,
                  weight: float | None, heading: str) -> Phase:
    """Name a student and write its config.

    Args:
        study (Study): With a teacher.
        method (str): Its name.
        seed (int): Of the training.
        weight (float, optional): Of the distillation loss.
        heading (str): Goes before the title.

    Returns:
        Phase: Ready to be trained.
    """
    marked = '' if weight == study.default_weight(method) else (
        f'_weight{weight:g}')
    phase = Phase(f'{method.replace("+", "_")}{marked}_seed{seed}',
                  f'{heading}: {methods.title(method)}'
                  f'{marked.replace("_", ", ")}, seed {seed}', study.run)
    if method == 'none':
        phase.write(study.config('baseline', seed))
        return phase
    cfg = study.config('distilled', seed)
    methods.set_method(cfg, method, weight, study.teacher)
    phase.write(cfg)
    return phase


def train_student(study: Study, method: str, seed: int,
                  weight: float | None, countdown: Countdown) -> Run:
    """Train and evaluate one student.

    Args:
        study (Study): With a teacher.
        method (str): Its name.
        seed (int): Of the training.
        weight (float, optional): Of the distillation loss.
        countdown (Countdown): Is moved on by one.

    Returns:
        Run: What was measured.

    Raises:
        TrainingStopped: If a loss is not finite.
        FloatingPointError: If the student's features are not.
        InputError: If the training fails.
    """
    phase = student_phase(study, method, seed, weight, countdown.heading())
    minutes = train_once(phase)
    if minutes is not None:
        countdown.minutes.append(minutes)
    measured = evaluate(phase, study.baseline)
    curve, _ = read_history(phase.folder)
    with busy(f'{phase.title}, features and errors'):
        like = correlations(
            phase.read(), str(phase.last_checkpoint()),
            images_features(study.baseline.read(), str(phase.deployed),
                            study.data.first_images(CORRELATED)),
            study.teacher_features)
        errors = error_types(study.data.val, measured.detections)
    return Run(
        method=method, title=methods.title(method), seed=seed, weight=weight,
        phase=phase.name, curve=curve, seconds=training_seconds(phase.folder),
        errors=errors, correlation=like.neck, reviewed=like.reviewed, metrics={
            name: percent(measured.metrics[f'coco/bbox_{key}'])
            for name, key in METRICS.items()})


def percent(value: float) -> float | None:
    """A metric in percent; None where CocoMetric has no box to count."""
    return None if value < 0 else 100 * value
