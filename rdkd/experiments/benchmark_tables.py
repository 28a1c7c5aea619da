"""The tables and the plot of a benchmark."""
import statistics
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from rdkd.experiments.benchmark_attention import WRITTEN_OUT, AttentionCosts
from rdkd.experiments.benchmark_operators import COMPILED, PLAIN, Compared
from rdkd.experiments.benchmark_rounds import Times, ratio
from rdkd.experiments.benchmark_steps import FLOORS, Cost
from rdkd.report.tables import markdown


def megabytes(value: float | None) -> str:
    """Bytes for people; a dash where they are not known."""
    return '-' if value is None else f'{value / 1e6:.0f} MB'


def operators_table(found: Mapping[str, Compared]) -> str:
    """The table of operators, in Markdown.

    Args:
        found (Mapping[str, tuple]): Of
            :func:`~rdkd.experiments.benchmark_operators.compare_operators`.
    """
    return markdown([
        ['operator', 'largest difference', COMPILED, PLAIN, 'compiled = 1'],
        *([name, f'{difference:.0e}' if difference else '0', *(
            f'{1000 * statistics.median(times[way]):.1f} ms'
            for way in (COMPILED, PLAIN)), ratio(times, PLAIN, COMPILED)]
          for name, (difference, times) in found.items())])


def detectors_table(found: Mapping[str, Times]) -> str:
    """The table of detectors with either kind of operators, in Markdown.

    Args:
        found (Mapping[str, dict[str, list[float]]]): Seconds in each round.
    """
    return markdown([
        ['detector', COMPILED, PLAIN, 'compiled = 1'],
        *([name, *(f'{statistics.median(times[way]):.2f} s'
                   for way in (COMPILED, PLAIN)),
           ratio(times, PLAIN, COMPILED)] for name, times in found.items())])


def teacher_table(times: Times) -> str:
    """The table of the teacher's forward pass, in Markdown.

    Args:
        times (dict[str, list[float]]): Seconds in each round.
    """
    return markdown([['teacher\'s forward pass', 'time', 'plain = 1'], *(
        [name, f'{statistics.median(values):.3f} s',
         ratio(times, name, 'plain')] for name, values in times.items())])


def steps_table(times: Times, costs: Mapping[str, Cost]) -> str:
    """The table of training steps, in Markdown.

    Args:
        times (dict[str, list[float]]): Seconds in each round.
        costs (Mapping[str, Cost]): What else a step takes.
    """
    rows = []
    for name, cost in costs.items():
        more = (f'{cost.saved / costs["student"].saved - 1:+.1%}'
                if 'student' in costs else '-')
        rows.append([name, f'{statistics.median(times[name]):.2f} s',
                     *(ratio(times, name, base) for base in FLOORS),
                     megabytes(cost.saved), more, megabytes(cost.peak),
                     f'{cost.flops / 1e12:.2f} T'])
    return markdown([
        ['training step', 'time', 'floor = 1', 'plain floor = 1',
         'saved by autograd', 'beyond the student', 'peak', 'FLOPs'], *rows])


def attention_table(found: Mapping[int, AttentionCosts]) -> str:
    """The table of attention and fusion, in Markdown.

    Args:
        found (Mapping[int, AttentionCosts]): By the stride.
    """
    rows = []
    for stride, (times, costs, too_large) in found.items():
        if too_large is not None:
            rows.append([
                f'stride {stride}, {WRITTEN_OUT}', 'does not fit', '-',
                f'at least {megabytes(too_large)}', '-'])
        rows += [[f'stride {stride}, {name}',
                  f'{statistics.median(cost.seconds):.3f} s',
                  ratio(times, name, WRITTEN_OUT), megabytes(cost.saved),
                  megabytes(cost.peak)] for name, cost in costs.items()]
    return markdown([['attention, forward and backward', 'time',
                      f'{WRITTEN_OUT} = 1', 'saved by autograd', 'peak'],
                     *rows])


def growth_sentence(saved: list[int]) -> str:
    """What the fusion keeps, and for twice the area.

    Args:
        saved (list[int]): Bytes of both.
    """
    return (f'What the fusion of strides 4 to 64 keeps for its backward pass: '
            f'{megabytes(saved[0])}, and {megabytes(saved[1])} for twice the '
            f'area, {saved[1] / saved[0]:.2f} times as much.')


def plot_steps(times: Times, file: Path) -> None:
    """Plot the time of a step with each method over that of the floor.

    Args:
        times (dict[str, list[float]]): Seconds in each round.
        file (Path): To write.
    """
    base = 'floor' if 'floor' in times else next(iter(times))
    values = {name: [a / b for a, b in zip(taken, times[base], strict=True)]
              for name, taken in times.items()}
    figure = Figure(figsize=(8, 0.4 * len(values) + 1.2))
    axes = figure.subplots()
    axes.boxplot(list(values.values()), orientation='horizontal',
                 tick_labels=list(values))
    axes.axvline(1, color='gray', linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel(f'time of a training step, {base} = 1')
    figure.tight_layout()
    figure.savefig(file)
