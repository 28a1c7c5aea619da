"""The report of a comparison: its pictures and its raw results."""
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from rdkd.analysis.changes import largest_changes
from rdkd.analysis.heatmap import read_image
from rdkd.experiments.evaluation import evaluate
from rdkd.experiments.phase import Phase
from rdkd.experiments.results import StoppedRun, StudentRun
from rdkd.experiments.students import Study
from rdkd.experiments.terminal import console
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.report.attention import attention_figures
from rdkd.report.comparison import (
    cells,
    main_method,
    summary,
    write_comparison,
)
from rdkd.report.report import draw_side_by_side
from rdkd.report.tables import print_table
from rdkd.runtime.versions import versions

#: Images that the report shows.
PICTURES = 6
HEAT_MAPS = 2


def phase_of(study: Study, run: StudentRun) -> Phase:
    """The phase of a student that was trained."""
    return Phase(run.phase, run.title, study.run)


def shown_runs(runs: Sequence[StudentRun]) -> list[StudentRun]:
    """The runs of one seed that the pictures are of.

    Args:
        runs (Sequence[StudentRun]): Every training, in order.

    Returns:
        list[StudentRun]: Baseline, plain distillation if there is one, and
        the main method, of the first seed that has the baseline and it; empty
        if there is no such seed.
    """
    main = main_method([run.record() for run in runs])
    for seed in dict.fromkeys(run.seed for run in runs):
        found = {run.method: run for run in runs if run.seed == seed}
        if main is not None and {'none', main} <= found.keys():
            return [found[name]
                    for name in dict.fromkeys(('none', 'plain', main))
                    if name in found]
    return []


def draw_changes(study: Study, before: StudentRun, after: StudentRun,
                 folder: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Draw the images that changed most.

    Args:
        study (Study): Of both.
        before (StudentRun): The baseline.
        after (StudentRun): The main method.
        folder (Path): Receives the files.

    Returns:
        tuple: Titles of the panels; ``file`` and ``title`` of each picture.
    """
    was, became = (evaluate(phase_of(study, run), study.baseline).detections
                   for run in (before, after))
    shown = {before.title: was, after.title: became, 'teacher': evaluate(
        study.teacher, study.teacher).detections}
    drawn = []
    for rank, (info, old, new) in enumerate(largest_changes(
            study.data.val, was, became, PICTURES), 1):
        file = f'change_{rank}.jpg'
        draw_side_by_side(study.data.val, study.data.images, shown, info,
                          folder / file)
        drawn.append(dict(
            file=file,
            title=f'{info["file_name"]} ({old:.2f} to {new:.2f})'))
    return list(shown), drawn


def draw_heat_maps(study: Study, runs: Sequence[StudentRun], folder: Path
                   ) -> list[str]:
    """Draw where students look in the first images of the validation.

    Args:
        study (Study): Of all.
        runs (Sequence[StudentRun]): The students.
        folder (Path): Receives the files.

    Returns:
        list[str]: Files in the folder.
    """
    images = map(str, study.data.first_images(HEAT_MAPS))
    files = []
    for number, (_, figure) in enumerate(attention_figures(
            study.baseline.read(),
            {run.title: str(phase_of(study, run).deployed) for run in runs},
            {path: read_image(path) for path in images}), 1):
        files.append(f'attention_{number}.png')
        figure.savefig(folder / files[-1])
    return files


def report(study: Study, runs: Sequence[StudentRun],
           stopped: Sequence[StoppedRun],
           tuned: Sequence[StudentRun | StoppedRun], command: str,
           teacher: float) -> None:
    """Print the table; write the page and the raw results.

    Args:
        study (Study): What was compared.
        runs (Sequence[StudentRun]): Every training.
        stopped (Sequence[StoppedRun]): Those that are left out.
        tuned (Sequence[StudentRun | StoppedRun]): Those for the loss weights.
        command (str): What to run for the same report.
        teacher (float): Its mAP in percent.
    """
    records, tried = ([run.record() for run in each]
                      for each in (runs, tuned))
    rows = summary(records)
    # The first columns fit a terminal; all are in the report.
    print_table([row[:6] for row in cells(rows)])
    # Made anew from what is kept of the runs.
    folder = study.run / 'report'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = f'OMP_NUM_THREADS={torch.get_num_threads()} {command}'
    used = versions()
    AtomicLocalBackend().put(json.dumps(dict(
        command=command, teacher=teacher, versions=used, summary=rows,
        runs=records, stopped=[
            dict(method=run.method, seed=run.seed, why=run.why)
            for run in stopped],
        tuning=tried), indent=1).encode(), folder / 'results.json')
    shown = shown_runs(runs)
    panels, drawn = (draw_changes(study, shown[0], shown[-1], folder)
                     if shown else ([], []))
    write_comparison(
        folder, title=f'{study.setup.detector} on {study.data.root.name}: '
        'distillation methods', teacher=teacher, command=command,
        versions=used, runs=records, tuning=tried, panels=panels,
        pictures=drawn,
        attention=draw_heat_maps(study, shown, folder) if shown else [])
    console.print(f'The teacher has {teacher:.1f} mAP. Table, curves, '
                  'pictures and raw results: '
                  f'{os.path.relpath(folder / "index.html")}',
                  soft_wrap=True)
