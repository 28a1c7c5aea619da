"""The report of several methods and seeds: tables, curves, page."""
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rdkd.analysis.changes import THRESHOLD
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.report.curves import draw_mean_curves
from rdkd.report.pages import render
from rdkd.report.runs import METRICS, FailedRun, Run
from rdkd.report.summary import MethodSummary, main_method, summary
from rdkd.report.tables import markdown


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Attributes:
        file: Its name in the report's folder.
        title: Written under it.
    """
    file: str
    title: str


def cells(rows: Sequence[MethodSummary]) -> list[list[str]]:
    """The table of :func:`~rdkd.report.summary.summary`, its header first.

    Args:
        rows (Sequence[MethodSummary]): One for each method.
    """
    first, *others = METRICS
    table = [['method', 'weight', 'seeds', first, 'gain', 'behind', *others,
              'correlation', 'reviewed', 'training']]
    for row in rows:
        table.append([
            row.title, '' if row.weight is None else f'{row.weight:g}',
            str(row.seeds), row.metrics[first].text('.1f'),
            *('' if each is None else each.text('+.1f')
              for each in (row.gain, row.behind)),
            *(row.metrics[name].text('.1f') for name in others),
            f'{row.correlation:.2f}',
            '' if row.reviewed is None else f'{row.reviewed:.2f}',
            f'{row.seconds:.0f} s'])
    return table


def by_title(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each method, by what people call it."""
    titles: dict[str, list[Run]] = {}
    for run in runs:
        titles.setdefault(run.title, []).append(run)
    return titles


def error_cells(runs: Sequence[Run]) -> list[list[str]]:
    """A table of the errors by type, its header first; mean over the seeds.

    Args:
        runs (Sequence[Run]): Every training.
    """
    kinds = list(runs[0].errors)
    return [['method', *kinds], *(
        [title, *(f'{statistics.mean(run.errors[kind] for run in each):.1f}'
                  for kind in kinds)]
        for title, each in by_title(runs).items())]


def tuning_cells(runs: Sequence[Run | FailedRun]) -> list[list[str]]:
    """A table of the loss weights that were tried, its header first.

    Args:
        runs (Sequence[Run | FailedRun]): With a weight each.
    """
    return [['method', 'weight', 'seed', 'mAP'], *([
        run.title, f'{run.weight:g}', str(run.seed),
        f'{run.map:.1f}' if isinstance(run, Run) else 'stopped']
        for run in runs)]


def write_comparison(folder: Path, *, title: str, teacher: float,
                     command: str, versions: Mapping[str, str],
                     runs: Sequence[Run],
                     tuning: Sequence[Run | FailedRun],
                     panels: Sequence[str],
                     pictures: Sequence[Picture],
                     attention: Sequence[str]) -> None:
    """Write ``index.html``, ``table.md`` and ``curves.png``.

    Args:
        folder (Path): Holds the pictures already.
        title (str): Heading.
        teacher (float): The teacher's mAP in percent.
        command (str): What to run for the same report.
        versions (Mapping[str, str]): Names and versions of what was used.
        runs (Sequence[Run]): Every training.
        tuning (Sequence[Run | FailedRun]): Those for the loss weights.
        panels (Sequence[str]): What the pictures show, left to right, after
            the ground truth.
        pictures (Sequence[Picture]): Of what changed.
        attention (Sequence[str]): Files of heat maps.
    """
    draw_mean_curves({name: [run.curve for run in each]
                      for name, each in by_title(runs).items()},
                     folder / 'curves.png')
    rows = cells(summary(runs))
    main = next((run.title for run in runs
                 if run.method == main_method(runs)), 'no method')
    errors, tried = error_cells(runs), tuning_cells(tuning)
    save = AtomicLocalBackend()
    save.put((
        f'`{command}`; the teacher has {teacher:.1f} mAP. Mean over the seeds '
        '± standard deviation. Gain: over the baseline of the same seed, '
        f'and behind: from {main}, ± the standard error of the mean of these '
        'differences over the seeds that both have. Correlation: of the '
        'neck\'s channels with the teacher\'s, and after the review.\n\n'
        f'{markdown(rows)}\n'
        'Errors by type (TIDE): points of AP50 that mending one would '
        f'bring.\n\n{markdown(errors)}' +
        (f'\nLoss weights that were tried.\n\n{markdown(tried)}'
         if tuning else '')).encode(), folder / 'table.md')
    save.put(render(
        'comparison.html', title=title,
        summary=f'The teacher has {teacher:.1f} mAP.', command=command,
        versions=versions, main=main, rows=rows, errors=errors, tuning=tried,
        panels=panels, pictures=pictures, attention=attention,
        threshold=THRESHOLD).encode(), folder / 'index.html')
