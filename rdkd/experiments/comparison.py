"""Comparing methods: one teacher, one student, several seeds."""
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rdkd.errors import InputError
from rdkd.experiments.comparison_report import report
from rdkd.experiments.evaluation import evaluate
from rdkd.experiments.methods import title
from rdkd.experiments.setup import Setup, prepare_data
from rdkd.experiments.students import (
    Countdown,
    open_study,
    train_student,
)
from rdkd.io.terminal import console
from rdkd.report.runs import FailedRun, Run
from rdkd.runtime.commands import TrainingStopped

#: Trains a method with a seed and a loss weight.
Train = Callable[[str, int, float | None], Run]


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared.

    Attributes:
        setup: What is trained on what and how long.
        methods: Names as :func:`rdkd.experiments.methods.split` takes them.
        seeds: Each method is trained with each.
        tune: A seed, none of those, with which every method's loss weight is
            chosen first.  Defaults to None: the weights are the defaults.
    """
    setup: Setup
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    tune: int | None = None


def attempt(train: Train, method: str, seed: int, weight: float | None
            ) -> Run | FailedRun:
    """Train a student; that the training stopped is a result too."""
    try:
        return train(method, seed, weight)
    except TrainingStopped as error:
        why = error.why
    except FloatingPointError as error:
        why = str(error)
    return FailedRun(method, title(method), seed, weight, why)


def tune(plan: ComparisonPlan, weights: Mapping[str, Sequence[float]],
         train: Train) -> list[Run | FailedRun]:
    """Train students with all of each method's weights.

    Args:
        plan (ComparisonPlan): With a seed for it, or nothing is done.
        weights (Mapping): Those that are tried, by the method's name.
        train (Callable): Trains one.

    Returns:
        list: One for each method and weight.  A weight that is too large may
        make the loss diverge.
    """
    if plan.tune is None:
        return []
    tried = []
    for method in plan.methods:
        for weight in weights[method]:
            tried.append(attempt(train, method, plan.tune, weight))
            if isinstance(tried[-1], FailedRun):
                console.print(f'  {method} with weight {weight:g}: '
                              f'{tried[-1].why}')
    return tried


def best_weights(weights: Mapping[str, Sequence[float]],
                 tried: Sequence[Run | FailedRun]
                 ) -> dict[str, float | None]:
    """The loss weight of every method: the best that was tried.

    Args:
        weights (Mapping): Those that may be tried, by the method's name.
        tried (Sequence): Of :func:`tune`.

    Returns:
        dict: The first of a method's weights if none was tried or all
        stopped; None of a method without any.
    """
    best: dict[str, float | None] = {}
    for method, possible in weights.items():
        ended = [run for run in tried
                 if isinstance(run, Run) and run.method == method]
        best[method] = (max(ended, key=lambda run: run.map).weight if ended
                        else next(iter(possible), None))
    return best


def train_all(plan: ComparisonPlan, weights: Mapping[str, float | None],
              train: Train) -> tuple[list[Run], list[FailedRun]]:
    """Train every method with every seed.

    Args:
        plan (ComparisonPlan): Names methods and seeds.
        weights (Mapping): Of :func:`best_weights`.
        train (Callable): Trains one.

    Returns:
        tuple: Those that came to their end and those that stopped.

    Raises:
        InputError: If all stopped.
    """
    runs, stopped = [], []
    for seed, method in itertools.product(plan.seeds, plan.methods):
        result = attempt(train, method, seed, weights[method])
        if isinstance(result, Run):
            runs.append(result)
        else:
            console.print(f'  {title(method)}, seed {seed}, is left out: '
                          f'{result.why}')
            stopped.append(result)
    if not runs:
        raise InputError('every training stopped; there is nothing to '
                         'compare.')
    return runs, stopped


def compare(plan: ComparisonPlan, command: str) -> None:
    """Train, evaluate and report, in ``work_dirs/compare``.

    Args:
        plan (ComparisonPlan): What is compared.
        command (str): What to run for the same, for the report.

    Raises:
        InputError: If the data cannot be used or a training fails.
    """
    study = open_study(plan.setup, prepare_data(plan.setup.data))
    scores = evaluate(study.teacher, study.teacher).metrics
    weights = {method: study.weights(method) for method in plan.methods}
    countdown = Countdown(
        len(plan.methods) * len(plan.seeds) + (
            sum(map(len, weights.values())) if plan.tune is not None else 0))

    def train(method: str, seed: int, weight: float | None) -> Run:
        return train_student(study, method, seed, weight, countdown)

    tuned = tune(plan, weights, train)
    runs, stopped = train_all(plan, best_weights(weights, tuned), train)
    report(study, runs, stopped, tuned, command,
           teacher=100 * scores['coco/bbox_mAP'])
