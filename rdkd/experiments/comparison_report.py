"""The report of a comparison: its pictures and its raw results."""
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from rdkd.analysis.changes import largest_changes
from rdkd.experiments.evaluation import evaluate
from rdkd.experiments.phase import Phase
from rdkd.experiments.students import Study
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.terminal import busy, console
from rdkd.report.attention import attention_figures
from rdkd.report.comparison import Picture, cells, write_comparison
from rdkd.report.pictures import draw_side_by_side, read_image
from rdkd.report.runs import FailedRun, Run
from rdkd.report.summary import main_method, summary
from rdkd.report.tables import print_table
from rdkd.runtime.versions import versions

#: Images that the report shows.
PICTURES = 6
HEAT_MAPS = 2


def phase_of(study: Study, run: Run) -> Phase:
    """The phase of a student that was trained."""
    return Phase(run.phase, run.title, study.run)


def shown_runs(runs: Sequence[Run]) -> list[Run]:
    """The runs of one seed that the pictures are of.

    Args:
        runs (Sequence[Run]): Every training, in order.

    Returns:
        list[Run]: Baseline, plain distillation if there is one, and
        the main method, of the first seed that has the baseline and it; empty
        if there is no such seed.
    """
    main = main_method(runs)
    for seed in dict.fromkeys(run.seed for run in runs):
        found = {run.method: run for run in runs if run.seed == seed}
        if main is not None and {'none', main} <= found.keys():
            return [found[name]
                    for name in dict.fromkeys(('none', 'plain', main))
                    if name in found]
    return []


def draw_changes(study: Study, before: Run, after: Run,
                 folder: Path) -> tuple[list[str], list[Picture]]:
    """Draw the images that changed most.

    Args:
        study (Study): Of both.
        before (Run): The baseline.
        after (Run): The main method.
        folder (Path): Receives the files.

    Returns:
        tuple[list[str], list[Picture]]: Titles of the panels; the pictures.
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
        drawn.append(Picture(
            file, f'{info["file_name"]} ({old:.2f} to {new:.2f})'))
    return list(shown), drawn


def draw_heat_maps(study: Study, runs: Sequence[Run], folder: Path
                   ) -> list[str]:
    """Draw where students look in the first images of the validation.

    Args:
        study (Study): Of all.
        runs (Sequence[Run]): The students.
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


def report(study: Study, runs: Sequence[Run],
           stopped: Sequence[FailedRun],
           tuned: Sequence[Run | FailedRun], command: str,
           teacher: float) -> None:
    """Print the table; write the page and the raw results.

    Args:
        study (Study): What was compared.
        runs (Sequence[Run]): Every training.
        stopped (Sequence[FailedRun]): Those that are left out.
        tuned (Sequence[Run | FailedRun]): Those for the loss weights.
        command (str): What to run for the same report.
        teacher (float): Its mAP in percent.
    """
    rows = summary(runs)
    # The first columns fit a terminal; all are in the report.
    print_table([row[:6] for row in cells(rows)])
    # Made anew from what is kept of the runs.
    folder = study.run / 'report'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = f'OMP_NUM_THREADS={torch.get_num_threads()} {command}'
    used = versions()
    AtomicLocalBackend().put(json.dumps(dict(
        command=command, teacher=teacher, versions=used,
        summary=[row.to_json() for row in rows],
        runs=[run.to_json() for run in runs], stopped=[
            dict(method=run.method, seed=run.seed, why=run.why)
            for run in stopped],
        tuning=[run.to_json() for run in tuned]), indent=1).encode(),
        folder / 'results.json')
    shown = shown_runs(runs)
    with busy('curves, pictures and page'):
        panels, drawn = (draw_changes(study, shown[0], shown[-1], folder)
                         if shown else ([], []))
        write_comparison(
            folder, title=f'{study.setup.detector} on {study.data.root.name}: '
            'distillation methods', teacher=teacher, command=command,
            versions=used, runs=runs, tuning=tuned, panels=panels,
            pictures=drawn,
            attention=draw_heat_maps(study, shown, folder) if shown else [])
    console.print(f'The teacher has {teacher:.1f} mAP. Table, curves, '
                  'pictures and raw results: '
                  f'{os.path.relpath(folder / "index.html")}',
                  soft_wrap=True)
