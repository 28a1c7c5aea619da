"""Compare distillation methods: one teacher, one student, several seeds.

Trains the teacher once and then the student with each method and each seed,
on images of your own or on drawn ones.  Whatever is done is kept and not done
again: interrupt it and start it again, and it goes on where it was; add
methods or seeds later.
"""
import argparse
import functools
import itertools
import json
import os
import shlex
import shutil
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from correlate import correlations, images_features
from methods import EXTRAS, METHODS, distillation, split, title
from mmengine.config import Config
from phases import (
    DISTILLED,
    ROOT,
    STUDENT,
    TEACHER,
    Phase,
    TrainingStopped,
    add_arguments,
    check_arguments,
    console,
    evaluate,
    lock_run,
    mini_config,
    prepare_data,
    print_table,
    train,
    versions,
)
from visualize import attention_figures

from rdkd.analysis.changes import largest_changes
from rdkd.analysis.error_types import error_types
from rdkd.analysis.heatmap import read_image
from rdkd.cli.common import readable_errors
from rdkd.data.coco import read_annotations
from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.report.comparison import (
    METRICS,
    cells,
    main_method,
    summary,
    write_comparison,
)
from rdkd.report.report import draw_side_by_side, log_entries, read_history
from rdkd.runtime.checks import check_config

#: Images that the report shows.
PICTURES = 6
HEAT_MAPS = 2
#: Images on which students' and teacher's necks are compared.
CORRELATED = 8


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument(
        '--methods', default=[
            'none', 'plain', 'rdkd', 'fgd', 'mgd', 'pkd', 'cwd'],
        type=lambda text: text.split(','),
        help=f'of {",".join(METHODS)}, each perhaps with '
        f'{" or ".join("+" + extra for extra in EXTRAS)}')
    parser.add_argument('--seeds', default=[0, 1, 2], type=lambda text: [
        int(seed) for seed in text.split(',')])
    parser.add_argument(
        '--tune', type=int, metavar='SEED',
        help='choose each method\'s loss weight with this seed, which is not '
        'one of --seeds')
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
        self.images, self.truth = (
            read_annotations(data / 'annotations' / f'{split}.json')
            for split in ('train', 'val'))
        if all(box.get('iscrowd') for box in self.truth['annotations']):
            raise InputError(f'{data}/annotations/val.json has no box to '
                             'evaluate on.')
        options = [f'{name}{getattr(args, name)}' for name in (
            'epochs', 'size') if getattr(args, name)]
        name = '_'.join([data.name, args.detector, *options])
        self.run = ROOT / 'work_dirs' / 'compare' / name
        self.run.mkdir(parents=True, exist_ok=True)
        self.teacher = Phase('teacher', 'teacher', self.run)
        self.alone = Phase('none_seed0', '', self.run)
        self.total = len(args.methods) * len(args.seeds) + (
            sum(len(self.weights(m)) for m in args.methods)
            if args.tune is not None else 0)
        self.begun = 0
        self.minutes: list[float] = []

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
            dict: A :data:`~rdkd.report.comparison.Run`, and ``phase``,
            the name of its folder.
        """
        marked = '' if weight == self.default_weight(method) else (
            f'_weight{weight:g}')
        phase = Phase(f'{method.replace("+", "_")}{marked}_seed{seed}',
                      f'{self.heading()}: {title(method)}'
                      f'{marked.replace("_", ", ")}, seed {seed}', self.run)
        if method == 'none':
            cfg = self.mini(STUDENT, seed)
        else:
            cfg = self.mini(DISTILLED, seed)
            cfg.model.update(
                teacher=str(self.teacher.config),
                teacher_ckpt=str(self.teacher.last_checkpoint()))
            own = cfg.model.pop('distiller')  # an update would merge
            cfg.model.update(distillation(method, own.to_dict(), weight))
        phase.write(cfg)
        trained = phase.last_checkpoint().is_file()
        started = time.monotonic()
        train(phase)
        if not trained:
            self.minutes.append((time.monotonic() - started) / 60)
        metrics, detections = evaluate(phase, self.alone)
        curve, _ = read_history(phase.folder)
        like, reviewed = correlations(
            phase, self.alone.read(), self.first_images(CORRELATED),
            self.teacher_features)
        return dict(method=method, title=title(method), seed=seed,
                    weight=weight, phase=phase.name, curve=curve,
                    seconds=training_seconds(phase),
                    errors=error_types(self.truth, detections),
                    correlation=like, reviewed=reviewed, **{
                        name: percent(metrics[f'coco/bbox_{key}'])
                        for name, key in METRICS.items()})

    @functools.cached_property
    def teacher_features(self) -> list[list[torch.Tensor]]:
        """The teacher's neck on the images that students' are compared on."""
        return images_features(self.teacher.read(), self.teacher,
                               self.first_images(CORRELATED))

    def first_images(self, count: int) -> list[Path]:
        """The files of the first validation images."""
        return [self.data / 'images' / info['file_name']
                for info in self.truth['images'][:count]]

    def heading(self) -> str:
        """Which training of how many comes next, and how long all take."""
        left = self.total - self.begun
        self.begun += 1
        about = (f' (about {left * statistics.mean(self.minutes):.0f} min '
                 'left)' if self.minutes else '')
        return f'{self.begun} of {self.total}{about}'

    def tune(self, method: str) -> list[dict[str, Any]]:
        """Students of all the method's weights, with the seed for tuning.

        Returns:
            list[dict]: As of :meth:`train_student`; with ``failed`` and
            without ``mAP`` where the training stopped.
        """
        tried = []
        for weight in self.weights(method):
            try:
                tried.append(self.train_student(method, self.args.tune,
                                                weight))
            except TrainingStopped as error:
                # A weight that is too large may make the loss diverge.
                console.print(f'  {method} with weight {weight:g}: {error}')
                tried.append(dict(
                    method=method, title=title(method), seed=self.args.tune,
                    weight=weight, failed=str(error)))
        return tried

    def weights(self, method: str) -> tuple[float, ...]:
        """The loss weights that may be tried; the first is the default."""
        base, _ = split(method)
        if base != 'rdkd':
            return METHODS[base].weights
        stated: float = Config.fromfile(ROOT / DISTILLED.format(
            self.args.detector)).model.distiller.loss_weight
        return stated, stated / 2, stated * 2

    def default_weight(self, method: str) -> float | None:
        """The loss weight of a method that was not tuned."""
        return next(iter(self.weights(method)), None)

    def best_weights(self, tried: list[dict[str, Any]]
                     ) -> dict[str, float | None]:
        """The loss weight of every method: the best that was tried."""
        weights = {}
        for name in self.args.methods:
            own = [r for r in tried if r['method'] == name
                   and 'failed' not in r]
            weights[name] = (max(own, key=lambda r: r['mAP'])['weight']
                             if own else self.default_weight(name))
        return weights

    def pictures(self, runs: list[dict[str, Any]], folder: Path
                 ) -> tuple[list[str], list[dict[str, str]], list[str]]:
        """Draw what the main method changed, with the first seed of both.

        Args:
            runs (list[dict]): Every training.
            folder (Path): Receives the files.

        Returns:
            tuple: Titles of the panels; file and title of each picture of
            detections; files of the heat maps.
        """
        main = main_method(runs)
        of_seed = ({r['method']: r for r in runs if r['seed'] == seed}
                   for seed in self.args.seeds)
        first = next((found for found in of_seed
                      if {'none', main} <= found.keys()), None)
        if first is None or main is None:
            return [], [], []
        phases = [self.phase(first[name]) for name in ('none', main)]
        shown = {each.title: evaluate(each, self.alone)[1] for each in phases}
        shown['teacher'] = evaluate(self.teacher, self.teacher)[1]
        drawn = []
        before, after, _ = shown.values()
        for rank, (info, was, became) in enumerate(largest_changes(
                self.truth, before, after, PICTURES), 1):
            file = f'change_{rank}.jpg'
            draw_side_by_side(self.truth, self.data / 'images', shown, info,
                              folder / file)
            drawn.append(dict(file=file, title=(
                f'{info["file_name"]} ({was:.2f} to {became:.2f})')))
        return list(shown), drawn, self.attention(
            [first[name] for name in dict.fromkeys(
                ('none', 'plain', main)) if name in first],
            folder)

    def attention(self, runs: list[dict[str, Any]], folder: Path
                  ) -> list[str]:
        """Draw where students look in the first images of the validation.

        Returns:
            list[str]: Files in the folder.
        """
        images = map(str, self.first_images(HEAT_MAPS))
        files = []
        for number, (_, figure) in enumerate(attention_figures(
                self.alone.read(),
                {r['title']: str(self.phase(r).deployed) for r in runs},
                {path: read_image(path) for path in images}), 1):
            files.append(f'attention_{number}.png')
            figure.savefig(folder / files[-1])
        return files

    def phase(self, run: dict[str, Any]) -> Phase:
        """The phase of a student that was trained."""
        return Phase(run['phase'], run['title'], self.run)


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


def main() -> None:
    args = parse_args()
    os.chdir(ROOT)
    comparison = Comparison(args, prepare_data(args.data))
    lock_run(comparison.run, 'comparison')
    comparison.train_teacher()
    scores, _ = evaluate(comparison.teacher, comparison.teacher)
    tuned = [] if args.tune is None else [
        run for method in args.methods for run in comparison.tune(method)]
    weights = comparison.best_weights(tuned)
    runs, stopped = [], []
    for seed, method in itertools.product(args.seeds, args.methods):
        try:
            runs.append(comparison.train_student(method, seed,
                                                 weights[method]))
        except TrainingStopped as error:
            console.print(f'  {title(method)}, seed {seed}, is left out: '
                          f'{error}')
            stopped.append(dict(method=method, seed=seed, why=str(error)))
    if not runs:
        raise InputError('every training stopped; there is nothing to '
                         'compare.')
    rows = summary(runs)
    # The first columns fit a terminal; all are in the report.
    print_table([row[:6] for row in cells(rows)])
    # Made anew from what is kept of the runs.
    report = comparison.run / 'report'
    shutil.rmtree(report, ignore_errors=True)
    report.mkdir()
    teacher = 100 * scores['coco/bbox_mAP']
    threads = f'OMP_NUM_THREADS={torch.get_num_threads()}'
    command = f'{threads} ' + shlex.join(
        ['python', 'tools/compare.py', *sys.argv[1:]])
    used = versions()
    AtomicLocalBackend().put(json.dumps(dict(
        command=command, teacher=teacher, versions=used, summary=rows,
        runs=runs, stopped=stopped, tuning=tuned), indent=1).encode(),
        report / 'results.json')
    panels, drawn, attention = comparison.pictures(runs, report)
    write_comparison(
        report, title=f'{args.detector} on {comparison.data.name}: '
        'distillation methods', teacher=teacher, command=command,
        versions=used, runs=runs, tuning=tuned, panels=panels,
        pictures=drawn, attention=attention)
    console.print(f'The teacher has {teacher:.1f} mAP. Table, curves, '
                  'pictures and raw results: '
                  f'{(report / "index.html").relative_to(ROOT)}',
                  soft_wrap=True)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with readable_errors('Start the same command again to go on.'):
        main()
