"""The report of several methods and seeds: table, curves, errors, pictures."""
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rdkd.io.atomic import AtomicLocalBackend
from rdkd.report.report import THRESHOLD, markdown, render

#: Columns of the table, and ``CocoMetric``'s names for them.
METRICS = dict(mAP='mAP', AP50='mAP_50', AP75='mAP_75', APs='mAP_s',
               APm='mAP_m', APl='mAP_l')
#: One training: ``method``, ``title``, ``seed``, ``weight``, ``seconds``,
#: ``curve``, ``errors``, ``correlation`` with the teacher's neck (-1 to 1), of
#: its review ``reviewed`` (or None), and the metrics in percent.
Run = Mapping[str, Any]


def mean_and_deviation(values: Sequence[float | None]
                       ) -> tuple[float | None, float | None]:
    """Mean and standard deviation of the values that are known."""
    known = [value for value in values if value is not None]
    return (statistics.mean(known) if known else None,
            statistics.stdev(known) if len(known) > 1 else None)


def paired(runs: Sequence[Run], method: str, other: str
           ) -> tuple[float | None, float | None]:
    """By how much a method is ahead of another, seed by seed.

    Returns:
        tuple: Mean of the differences in mAP over the seeds that both have,
        and its standard error; None where there are too few seeds.
    """
    scores = {name: {r['seed']: r['mAP'] for r in runs if r['method'] == name}
              for name in (method, other)}
    seeds = scores[method].keys() & scores[other].keys()
    mean, deviation = mean_and_deviation(
        [scores[method][seed] - scores[other][seed] for seed in seeds])
    return mean, None if deviation is None else (
        deviation / math.sqrt(len(seeds)))


def main_method(runs: Sequence[Run]) -> str | None:
    """RDKD's first form, or else the best of the methods with the most seeds.

    Not RDKD's best form: chosen by these same scores it would look too good.

    Returns:
        str | None: None if there is nothing but the student alone.
    """
    scores: dict[str, list[float]] = {}
    for r in runs:
        if r['method'] != 'none':
            scores.setdefault(r['method'], []).append(r['mAP'])
    own = [method for method in scores if method.partition('+')[0] == 'rdkd']
    return own[0] if own else max(
        scores, key=lambda method: (len(scores[method]),
                                    statistics.mean(scores[method])),
        default=None)


def summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Mean, deviation and gain of each method over its seeds.

    The gain is over the student alone and ``behind`` is how far
    :func:`main_method` is ahead; both are :func:`paired`.
    """
    main = main_method(runs)
    rows = []
    for method in dict.fromkeys(r['method'] for r in runs):
        own = [r for r in runs if r['method'] == method]
        row: dict[str, Any] = dict(
            method=method, title=own[0]['title'], weight=own[0]['weight'],
            seeds=len(own),
            seconds=statistics.mean(r['seconds'] for r in own),
            correlation=statistics.mean(r['correlation'] for r in own),
            reviewed=mean_and_deviation([r['reviewed'] for r in own])[0])
        for name in METRICS:
            row[name], row[f'{name}_std'] = mean_and_deviation(
                [r[name] for r in own])
        if method != 'none':
            row['gain'], row['gain_error'] = paired(runs, method, 'none')
        if main not in (method, None):
            row['behind'], row['behind_error'] = paired(runs, main, method)
        rows.append(row)
    return rows


def spread(value: float | None, deviation: float | None, form: str) -> str:
    """``value ± deviation``, as far as they are known."""
    if value is None:
        return ''
    text = format(value, form)
    return text if deviation is None else f'{text} ± {deviation:.1f}'


def cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table of :func:`summary`, its header first."""
    first, *others = METRICS
    table = [['method', 'weight', 'seeds', first, 'gain', 'behind', *others,
              'correlation', 'reviewed', 'training']]
    for row in rows:
        weight = '' if row['weight'] is None else f'{row["weight"]:g}'
        table.append([
            row['title'], weight, str(row['seeds']),
            spread(row[first], row[f'{first}_std'], '.1f'),
            *(spread(row.get(name), row.get(f'{name}_error'), '+.1f')
              for name in ('gain', 'behind')),
            *(spread(row[name], row[f'{name}_std'], '.1f')
              for name in others),
            f'{row["correlation"]:.2f}',
            spread(row['reviewed'], None, '.2f'), f'{row["seconds"]:.0f} s'])
    return table


def error_cells(runs: Sequence[Run]) -> list[list[str]]:
    """A table of the errors by type, its header first; mean over the seeds."""
    kinds = list(runs[0]['errors'])
    table = [['method', *kinds]]
    for title in dict.fromkeys(r['title'] for r in runs):
        own = [r['errors'] for r in runs if r['title'] == title]
        table.append([title, *(
            f'{statistics.mean(e[kind] for e in own):.1f}' for kind in kinds)])
    return table


def tuning_cells(runs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A table of the loss weights that were tried, its header first."""
    return [['method', 'weight', 'seed', 'mAP'], *([
        r['title'], f'{r["weight"]:g}', str(r['seed']),
        'stopped' if 'failed' in r else f'{r["mAP"]:.1f}'] for r in runs)]


def plot_curves(runs: Sequence[Run], file: Path) -> None:
    """Mean mAP over the seeds after each epoch, for every method."""
    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    for i, title in enumerate(dict.fromkeys(r['title'] for r in runs)):
        curves = [dict(r['curve']) for r in runs if r['title'] == title]
        epochs = sorted(set.intersection(*map(set, curves)))
        # Ten colours; then the same ones dashed.
        axes.plot(epochs, [100 * statistics.mean(c[e] for c in curves)
                           for e in epochs], marker='o', color=f'C{i % 10}',
                  linestyle='-' if i < 10 else '--', label=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('epoch')
    axes.set_ylabel('mAP on the validation images')
    axes.legend(fontsize='small')
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def write_comparison(folder: Path, *, title: str, teacher: float,
                     command: str, versions: Mapping[str, str],
                     runs: Sequence[Run],
                     tuning: Sequence[Mapping[str, Any]],
                     panels: Sequence[str],
                     pictures: Sequence[Mapping[str, str]],
                     attention: Sequence[str]) -> None:
    """Write ``index.html``, ``table.md`` and ``curves.png``.

    Args:
        folder (Path): Holds the pictures already.
        title (str): Heading.
        teacher (float): Its mAP in percent.
        command (str): What to run for the same report.
        versions (Mapping): Names and versions of what was used.
        runs (Sequence[Run]): Every training.
        tuning (Sequence[Mapping]): Those for the loss weights; with
            ``failed`` where the training stopped.
        panels (Sequence[str]): What the pictures show, left to right, after
            the ground truth.
        pictures (Sequence[Mapping]): ``file`` and ``title`` of each.
        attention (Sequence[str]): Files of heat maps.
    """
    plot_curves(runs, folder / 'curves.png')
    rows = cells(summary(runs))
    main = next((r['title'] for r in runs if r['method'] == main_method(runs)),
                'no method')
    errors, tried = error_cells(runs), tuning_cells(tuning)
    save = AtomicLocalBackend()
    save.put((
        f'`{command}`; the teacher has {teacher:.1f} mAP. Mean over the seeds '
        '± standard deviation. Gain: over the student alone of the same seed, '
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
