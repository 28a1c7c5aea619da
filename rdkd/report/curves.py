"""Learning curves."""
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rdkd.analysis.logs import Curve


def _level_first(name: str) -> list[tuple[int, str]]:
    """Sorts by level, fine to coarse, and the sides of one together."""
    return [(int(number or 0), text)
            for text, number in re.findall(r'(\D+)(\d*)', name)]


def draw_curves(curves: Mapping[str, Curve], losses: Mapping[str, Curve],
                file: Path) -> None:
    """Plot the mAP of several models, and distillation losses of one.

    Args:
        curves (Mapping[str, Curve]): ``(epoch, mAP in [0, 1])`` by title.
        losses (Mapping[str, Curve]): ``(iteration, value)`` by name; those
            of the distillation are shown.
        file (Path): To write.
    """
    figure = Figure(figsize=(12, 4.5))
    left, right = figure.subplots(1, 2)
    for title, curve in curves.items():
        if curve:
            epochs, values = zip(*curve, strict=True)
            left.plot(epochs, 100 * np.array(values), 'o-', label=title)
    left.set(xlabel='epoch', ylabel='mAP', ylim=(0, None))
    if left.lines:  # a model that detects nothing has no mAP
        left.legend()
    left.grid(alpha=.3)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name in sorted(losses, key=_level_first):
        if name.startswith('distill.'):
            steps, values = zip(*losses[name], strict=True)
            right.plot(steps, values, label=name.removeprefix('distill.'),
                       linestyle='--' if '_bg_' in name else '-')
    right.set(xlabel='iteration', ylabel='distillation loss', yscale='log')
    if right.lines:
        # Beside the lines, which may be anywhere.
        right.legend(fontsize='small', loc='upper left',
                     bbox_to_anchor=(1, 1))
    right.grid(alpha=.3)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def draw_mean_curves(curves: Mapping[str, Sequence[Curve]], file: Path
                     ) -> None:
    """Plot the mean mAP of several trainings of each method.

    Args:
        curves (Mapping[str, Sequence[Curve]]): ``(epoch, mAP in [0, 1])`` of
            every seed by the method's title.
        file (Path): To write.
    """
    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    for i, (title, of_seeds) in enumerate(curves.items()):
        each = [dict(curve) for curve in of_seeds]
        epochs = sorted(set.intersection(*map(set, each)))
        # Ten colors; then the same ones dashed.
        axes.plot(epochs, [100 * statistics.mean(c[e] for c in each)
                           for e in epochs], marker='o', color=f'C{i % 10}',
                  linestyle='-' if i < 10 else '--', label=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('epoch')
    axes.set_ylabel('mAP on the validation images')
    axes.legend(fontsize='small')
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
