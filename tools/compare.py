"""Compare distillation methods: one teacher, one student, several seeds.

Trains the teacher once and then the student with each method and each seed,
on images of your own or on drawn ones.  Whatever is done is kept and not done
again: interrupt it and start it again, and it goes on where it was; add
methods or seeds later.
"""
import argparse
import json
import math
import os
import shlex
import signal
import statistics
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from methods import EXTRAS, METHODS, distillation, split, title
from mmengine.config import Config
from phases import (
    DISTILLED,
    ROOT,
    STUDENT,
    TEACHER,
    Phase,
    add_arguments,
    check_arguments,
    console,
    evaluate,
    lock_run,
    mini_config,
    prepare_data,
    train,
)
from rich.table import Table

from rdkd.datasets.preflight import check_config, read_annotations
from rdkd.engine import AtomicLocalBackend
from rdkd.engine.cli import readable_errors
from rdkd.errors import InputError
from rdkd.visualization.report import log_entries, markdown, read_history

METRICS = dict(mAP='mAP', AP50='mAP_50', AP75='mAP_75', APs='mAP_s',
               APm='mAP_m', APl='mAP_l')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        '--methods', default=[
            'none', 'plain', 'rdkd', 'fgd', 'mgd', 'pkd', 'cwd'],
        type=lambda text: text.split(','),
        help=f'of {",".join(METHODS)}, each but none perhaps with '
        f'{" or ".join("+" + extra for extra in EXTRAS)}')
    parser.add_argument('--seeds', default=[0, 1, 2], type=lambda text: [
        int(seed) for seed in text.split(',')])
    parser.add_argument(
        '--tune', type=int, metavar='SEED',
        help='choose each method\'s loss weight with this seed, which is not '
        'one of --seeds, without extras')
    args = parser.parse_args()
    try:
        for name in args.methods:
            split(name)
    except InputError as error:
        parser.error(f'--methods: {error}')
    for name in ('methods', 'seeds'):
        values = getattr(args, name)
        if len(set(values)) < len(values):
            parser.error(f'--{name} names one twice')
    check_arguments(parser, args)
    if args.tune in args.seeds:
        parser.error(f'--tune {args.tune} is one of --seeds: a weight that '
                     'was chosen with a seed looks too good on it')
    return args


class Comparison:
    """A folder with a teacher and students.

    Args:
        args (argparse.Namespace): What to compare.
        data (Path): The data set.
    """

    def __init__(self, args: argparse.Namespace, data: Path) -> None:
        self.args = args
        self.data = data
        self.images = read_annotations(data / 'annotations' / 'train.json')
        options = [f'{name}{getattr(args, name)}' for name in (
            'epochs', 'size') if getattr(args, name)]
        name = '_'.join([data.name, args.detector, *options])
        self.run = ROOT / 'work_dirs' / 'compare' / name
        self.run.mkdir(parents=True, exist_ok=True)
        self.teacher = Phase('teacher', 'teacher', self.run)
        self.alone = Phase('none_seed0', '', self.run)

    def mini(self, form: str, seed: int) -> Config:
        """A mini config for this data set and schedule."""
        return mini_config(form, self.args, self.data, self.images, seed)

    def train_teacher(self) -> None:
        """Train the one teacher; write the plain student's config."""
        cfg = self.mini(TEACHER, seed=0)
        check_config(cfg)
        self.teacher.write(cfg)
        self.alone.write(self.mini(STUDENT, seed=0))
        train(self.teacher)

    def train_student(self, method: str, seed: int, weight: float | None
                      ) -> dict[str, Any]:
        """Train and evaluate one student.

        Returns:
            dict: Its settings, ``CocoMetric``'s values and its time.
        """
        marked = '' if weight == default_weight(method) else (
            f'_weight{weight:g}')
        phase = Phase(f'{method.replace("+", "_")}{marked}_seed{seed}',
                      title(method) + marked.replace('_', ', ') +
                      f', seed {seed}', self.run)
        if weight is None:
            cfg = self.mini(STUDENT, seed)
        else:
            cfg = self.mini(DISTILLED, seed)
            cfg.model.update(
                teacher=str(self.teacher.config),
                teacher_ckpt=str(self.teacher.last_checkpoint()))
            own = cfg.model.pop('distiller')  # an update would merge
            cfg.model.update(distillation(method, own.to_dict(), weight))
        phase.write(cfg)
        train(phase)
        metrics, _ = evaluate(phase, self.alone)
        curve, _ = read_history(phase.folder)
        return dict(method=method, seed=seed, weight=weight, curve=curve,
                    seconds=training_seconds(phase), **{
                        name: percent(metrics[f'coco/bbox_{key}'])
                        for name, key in METRICS.items()})

    def tune(self, method: str) -> list[dict[str, Any]]:
        """Students of all the method's weights, with the seed for tuning.

        Args:
            method (str): Without extras.

        Returns:
            list[dict]: As of :meth:`train_student`; with ``failed`` and
            without ``mAP`` where the training stopped.
        """
        tried = []
        for weight in METHODS[method].weights:
            try:
                tried.append(self.train_student(method, self.args.tune,
                                                weight))
            except InputError as error:
                # A weight that is too large may make the loss diverge.
                console.print(f'  {method} with weight {weight:g}: {error}')
                tried.append(dict(method=method, seed=self.args.tune,
                                  weight=weight, failed=str(error)))
        return tried


def default_weight(method: str) -> float | None:
    """The loss weight of a method that was not tuned."""
    return next(iter(METHODS[split(method)[0]].weights), None)


def percent(value: float) -> float | None:
    """A metric in percent; None where CocoMetric has no box to count."""
    return None if value < 0 else 100 * value


def training_seconds(phase: Phase) -> float:
    """Time of a run's training steps, from mmengine's logs."""
    seen: dict[int, float] = {}
    for entry in log_entries(phase.folder):
        if 'loss' in entry:
            seen[entry['iter']] = entry['time']
    steps, total = 0, 0.0
    for step, seconds in sorted(seen.items()):
        total += seconds * (step - steps)
        steps = step
    return total


def summary(results: list[dict[str, Any]], methods: list[str]
            ) -> list[dict[str, Any]]:
    """Mean, deviation and gain of each method over its seeds.

    The gain is over the student alone of the same seed; its standard error
    is that of the mean of the paired differences.
    """
    by_run = {(r['method'], r['seed']): r for r in results}
    rows = []
    for method in methods:
        runs = [r for r in results if r['method'] == method]
        row: dict[str, Any] = dict(
            method=method, weight=runs[0]['weight'], seeds=len(runs),
            seconds=statistics.mean(r['seconds'] for r in runs))
        for name in METRICS:
            values = [r[name] for r in runs if r[name] is not None]
            row[name] = statistics.mean(values) if values else None
            row[f'{name}_std'] = (statistics.stdev(values)
                                  if len(values) > 1 else None)
        gains = [r['mAP'] - by_run['none', r['seed']]['mAP'] for r in runs
                 if ('none', r['seed']) in by_run]
        if method != 'none' and gains:
            row['gain'] = statistics.mean(gains)
            row['gain_error'] = (
                statistics.stdev(gains) / math.sqrt(len(gains))
                if len(gains) > 1 else None)
        rows.append(row)
    return rows


def spread(value: float | None, deviation: float | None, form: str) -> str:
    """``value ± deviation``, as far as they are known."""
    if value is None:
        return ''
    text = format(value, form)
    return text if deviation is None else f'{text} ± {deviation:.1f}'


def cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The table, its header first."""
    table = [['method', 'weight', 'seeds', *METRICS, 'gain', 'training']]
    for row in rows:
        weight = '' if row['weight'] is None else f'{row["weight"]:g}'
        table.append([
            title(row['method']), weight, str(row['seeds']),
            *(spread(row[name], row[f'{name}_std'], '.1f')
              for name in METRICS),
            spread(row.get('gain'), row.get('gain_error'), '+.1f'),
            f'{row["seconds"]:.0f} s'])
    return table


def plot_curves(results: list[dict[str, Any]], file: Path) -> None:
    """Mean mAP over the seeds after each epoch, for every method."""
    figure = Figure(figsize=(8, 5))
    axes = figure.subplots()
    for method in dict.fromkeys(r['method'] for r in results):
        curves = [dict(r['curve']) for r in results if r['method'] == method]
        epochs = sorted(set.intersection(*map(set, curves)))
        axes.plot(epochs, [100 * statistics.mean(c[e] for c in curves)
                           for e in epochs], marker='o',
                  label=title(method))
    axes.set_xlabel('epoch')
    axes.set_ylabel('mAP on the validation images')
    axes.legend()
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file)


def main() -> None:
    args = parse_args()
    os.chdir(ROOT)
    comparison = Comparison(args, prepare_data(args.data))
    lock_run(comparison.run, 'comparison')
    comparison.train_teacher()
    scores, _ = evaluate(comparison.teacher, comparison.teacher)
    weights = {name: default_weight(name) for name in args.methods}
    tuned: list[dict[str, Any]] = []
    if args.tune is not None:
        for base in dict.fromkeys(split(name)[0] for name in args.methods):
            tried = comparison.tune(base)
            tuned += tried
            complete = [r for r in tried if 'failed' not in r]
            if complete:
                best = max(complete, key=lambda r: r['mAP'])['weight']
                weights.update({name: best for name in args.methods
                                if split(name)[0] == base})
    results = []
    for seed in args.seeds:
        for method in args.methods:
            results.append(comparison.train_student(method, seed,
                                                    weights[method]))
    rows = summary(results, args.methods)
    table = cells(rows)
    shown = Table()
    for i, name in enumerate(table[0]):
        shown.add_column(name, justify='right' if i else 'left')
    for row in table[1:]:
        shown.add_row(*row)
    console.print(shown)
    teacher = 100 * scores['coco/bbox_mAP']
    command = shlex.join(['python', 'tools/compare.py', *sys.argv[1:]])
    text = (
        f'`{command}`; the teacher has {teacher:.1f} mAP. Mean over the seeds '
        '± standard deviation; gain over the student alone of the same seed ± '
        f'its standard error.\n\n{markdown(table)}')
    save = AtomicLocalBackend()
    save.put(text.encode(), comparison.run / 'table.md')
    save.put(json.dumps(dict(
        command=command, teacher=teacher, summary=rows, results=results,
        tuning=tuned), indent=1).encode(), comparison.run / 'results.json')
    plot_curves(results, comparison.run / 'curves.png')
    console.print(f'The teacher has {teacher:.1f} mAP. table.md, results.json '
                  f'and curves.png are in {comparison.run}', soft_wrap=True)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with readable_errors('Start the same command again to go on.'):
        main()
