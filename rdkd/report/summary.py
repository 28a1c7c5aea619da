"""The statistics of a comparison: each method over its seeds."""
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rdkd.report.runs import METRICS, Run


@dataclass(frozen=True)
class Estimate:
    """A value and how sure it is.

    Attributes:
        value: The mean; None if nothing is known.
        error: Its standard deviation or error; None of a single value.
    """
    value: float | None
    error: float | None

    def text(self, form: str) -> str:
        """``value ± error``, as far as they are known.

        Args:
            form (str): Format of the value, e.g. ``'.1f'``.
        """
        if self.value is None:
            return ''
        text = format(self.value, form)
        return text if self.error is None else f'{text} ± {self.error:.1f}'


@dataclass(frozen=True)
class MethodSummary:
    """A method over its seeds.

    Attributes:
        method: Its name.
        title: What people call it.
        weight: Of the distillation loss; None of students without one.
        seeds: How many.
        seconds: Mean time of the training steps.
        correlation: Mean correlation of the student's neck with the
            teacher's.
        reviewed: The same after the review; None without one.
        metrics: Mean and standard deviation in percent, by the names of
            :data:`~rdkd.report.runs.METRICS`.
        gain: Points of mAP over the baseline of the same seed; None of the
            baseline.
        behind: Points of mAP by which :func:`main_method` is ahead; None of
            itself.
    """
    method: str
    title: str
    weight: float | None
    seeds: int
    seconds: float
    correlation: float
    reviewed: float | None
    metrics: dict[str, Estimate]
    gain: Estimate | None
    behind: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """As the results' JSON has it: all values beside each other."""
        record: dict[str, Any] = {
            name: getattr(self, name) for name in (
                'method', 'title', 'weight', 'seeds', 'seconds',
                'correlation', 'reviewed')}
        for name, estimate in self.metrics.items():
            record.update({name: estimate.value,
                           f'{name}_std': estimate.error})
        for name in ('gain', 'behind'):
            estimate = getattr(self, name)
            if estimate is not None:
                record.update({name: estimate.value,
                               f'{name}_error': estimate.error})
        return record


def mean_and_deviation(values: Sequence[float | None]) -> Estimate:
    """Mean and standard deviation of the values that are known.

    Args:
        values (Sequence[float | None]): None is left out.
    """
    known = [value for value in values if value is not None]
    return Estimate(statistics.mean(known) if known else None,
                    statistics.stdev(known) if len(known) > 1 else None)


def paired(runs: Sequence[Run], method: str, other: str) -> Estimate:
    """By how much a method is ahead of another, seed by seed.

    Args:
        runs (Sequence[Run]): Of both.
        method (str): The name of one.
        other (str): The name of the other.

    Returns:
        Estimate: Mean of the differences in mAP over the seeds that both
        have, and its standard error; None where there are too few seeds.
    """
    scores, others = ({run.seed: run.map for run in runs
                       if run.method == name} for name in (method, other))
    seeds = scores.keys() & others.keys()
    found = mean_and_deviation([scores[s] - others[s] for s in seeds])
    return Estimate(found.value, None if found.error is None else
                    found.error / math.sqrt(len(seeds)))


def main_method(runs: Sequence[Run]) -> str | None:
    """RDKD's first form, or else the best of the methods with the most seeds.

    Not RDKD's best form: chosen by these same scores it would look too good.

    Args:
        runs (Sequence[Run]): Every training.

    Returns:
        str | None: None if there is nothing but the baseline.
    """
    scores: dict[str, list[float]] = {}
    for run in runs:
        if run.method != 'none':
            scores.setdefault(run.method, []).append(run.map)
    forms = [method for method in scores if method.partition('+')[0] == 'rdkd']
    return forms[0] if forms else max(
        scores, key=lambda method: (len(scores[method]),
                                    statistics.mean(scores[method])),
        default=None)


def summary(runs: Sequence[Run]) -> list[MethodSummary]:
    """Every method over its seeds, in the order of the runs.

    Args:
        runs (Sequence[Run]): Every training.
    """
    main = main_method(runs)
    rows = []
    for method in dict.fromkeys(run.method for run in runs):
        of_method = [run for run in runs if run.method == method]
        first = of_method[0]
        rows.append(MethodSummary(
            method, first.title, first.weight, len(of_method),
            seconds=statistics.mean(run.seconds for run in of_method),
            correlation=statistics.mean(run.correlation for run in of_method),
            reviewed=mean_and_deviation(
                [run.reviewed for run in of_method]).value,
            metrics={name: mean_and_deviation(
                [run.metrics[name] for run in of_method])
                for name in METRICS},
            gain=None if method == 'none' else paired(runs, method, 'none'),
            behind=None if main is None or main == method else
            paired(runs, main, method)))
    return rows
