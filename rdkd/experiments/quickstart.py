"""A teacher, a baseline, and the same student inheriting and distilled."""
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope

from rdkd.analysis.logs import read_history
from rdkd.experiments.evaluation import evaluate
from rdkd.experiments.methods import set_method, set_teacher
from rdkd.experiments.phase import Phase
from rdkd.experiments.running import lock_run, train_once
from rdkd.experiments.setup import (
    DETECTORS,
    DataSet,
    Role,
    Setup,
    mini_config,
    prepare_data,
)
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.io.terminal import busy, console
from rdkd.report.quickstart import Result, result_cells, write_report
from rdkd.report.tables import print_table
from rdkd.runtime.checks import check_config
from rdkd.runtime.versions import versions

TITLES: dict[Role, str] = dict(
    teacher='teacher', baseline='baseline', inherited='inheriting only',
    distilled='student + RDKD')
Phases = dict[Role, Phase]


def run_folder(setup: Setup, seed: int) -> Path:
    """Where a run with these settings lives: other settings, other folder."""
    detector = [setup.detector] if setup.detector != DETECTORS[0] else []
    parts = [setup.data.name if setup.data else 'mini', *detector,
             *setup.differences(), f'seed{seed}']
    return Path('work_dirs', 'quickstart', '_'.join(parts)).resolve()


def write_configs(setup: Setup, phases: Phases, data: DataSet, seed: int
                  ) -> None:
    """Write the complete configs of a run beside its results."""
    for role, phase in phases.items():
        cfg = mini_config(role, setup, data, seed)
        if role == 'teacher':
            cfg.work_dir = str(phase.run)  # where images are remembered
            check_config(cfg)
        if role == 'inherited':
            set_method(cfg, 'none+inherit', None, phases['teacher'])
        if role == 'distilled':
            set_teacher(cfg, phases['teacher'])
        phase.write(cfg)


def plain(role: Role, phases: Phases) -> Phase:
    """The phase whose config is that of the plain detector."""
    return phases['teacher' if role == 'teacher' else 'baseline']


def measure_speed(phases: Phases, rounds: int = 15
                  ) -> dict[Role, tuple[int, float]]:
    """Parameters, and milliseconds for one image of the run's size.

    The models take turns, so that whatever else the machine does meets them
    alike; the median over the rounds is taken.

    Args:
        phases (dict): That were evaluated.
        rounds (int): How often each is timed.  Defaults to 15.
    """
    init_default_scope('mmdet')
    models = {}
    for role, phase in phases.items():
        cfg = plain(role, phases).read()
        model = MODELS.build(cfg.model).eval()
        deployed = str(phase.deployed)
        model.load_state_dict(detector_state_dict(
            load_checkpoint_file(deployed), deployed))
        models[role] = model
        scale = next(step['scale']
                     for step in cfg.test_dataloader.dataset.pipeline
                     if step['type'] == 'Resize')
    times: dict[Role, list[float]] = {role: [] for role in models}
    image = torch.zeros(1, 3, *(math.ceil(side / 32) * 32 for side in scale))
    # Two-stage detectors need to know how large the image is.
    sample = DetDataSample(metainfo=dict(
        img_shape=image.shape[2:], scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        for _ in range(rounds):
            for role, model in models.items():
                begun = time.perf_counter()
                model(image, [sample])
                times[role].append(time.perf_counter() - begun)
    return {role: (sum(p.numel() for p in model.parameters()),
                   1000 * sorted(times[role])[rounds // 2])
            for role, model in models.items()}


def measure(phases: Phases) -> dict[Role, Result]:
    """Evaluate what was trained and time it."""
    measured = {role: evaluate(phase, plain(role, phases))
                for role, phase in phases.items()}
    with busy('time per image'):
        speed = measure_speed(phases)
    return {role: Result(
        phase.title, measured[role].metrics, *speed[role],
        measured[role].detections, *read_history(phase.folder))
        for role, phase in phases.items()}


def gains(scores: Mapping[Role, float]) -> str:
    """What RDKD adds to the baseline, and how much of it inheriting alone.

    Args:
        scores (Mapping): The mAP in percent by role.
    """
    whole, part = (scores[role] - scores['baseline']
                   for role in ('distilled', 'inherited'))
    if 0 <= part <= whole:
        return f'{whole:+.1f} with RDKD, of which {part:+.1f} comes from ' \
               'inheriting'
    return f'{whole:+.1f} with RDKD; {part:+.1f} with inheriting only'


def report(results: Mapping[Role, Result], data: DataSet, seed: int,
           folder: Path, command: str) -> None:
    """Write the report and print the table.

    Args:
        results (Mapping): Of every role.
        data (DataSet): What they were trained on.
        seed (int): Of the trainings.
        folder (Path): Of the report.
        command (str): What to run for the same.
    """
    scores = {role: 100 * result.metrics['coco/bbox_mAP']
              for role, result in results.items()}
    rows = list(results.values())
    threads = torch.get_num_threads()
    summary = (
        f'On {data.root.name}, seed {seed}: the baseline reaches '
        f'{scores["baseline"]:.1f} mAP, the student that only inherits the '
        f'teacher\'s neck and heads {scores["inherited"]:.1f}, and the '
        f'student with RDKD {scores["distilled"]:.1f} ({gains(scores)}). '
        f'Their teacher has {scores["teacher"]:.1f}.')
    note = ('Time per image: the model\'s forward pass on one blank image '
            f'with {threads} thread{"s" if threads > 1 else ""}, median, the '
            'models taking turns. All students are the same network, trained '
            'with the same seed and schedule.')
    with busy('curves, pictures and page'):
        write_report(
            folder, title='RDKD: a baseline and the same student distilled',
            summary=summary, command=command,
            versions=dict(versions(), seed=str(seed)), notes=[note],
            results=rows,
            compared=[results['baseline'], results['distilled']],
            coco=data.val, images=data.images)
    latest = folder.parents[1] / 'report'
    shutil.rmtree(latest, ignore_errors=True)
    shutil.copytree(folder, latest)
    print_table(result_cells(rows))
    console.print(f'{gains(scores)}. Report: '
                  f'{os.path.relpath(folder / "index.html")} '
                  f'(the latest is also in {os.path.relpath(latest)})',
                  soft_wrap=True)


def quickstart(setup: Setup, seed: int, command: str) -> None:
    """Train, evaluate and report, in ``work_dirs/quickstart``.

    Args:
        setup (Setup): What is trained on what and how long.
        seed (int): Of the trainings.
        command (str): What to run for the same, for the report.

    Raises:
        InputError: If the data cannot be used or a training fails.
    """
    run = run_folder(setup, seed)
    lock_run(run, 'quickstart')
    steps = len(TITLES) + 2
    console.print(f'[bold]1/{steps}[/] the data set')
    data = prepare_data(setup.data)
    phases = {role: Phase(role, title, run) for role, title in TITLES.items()}
    write_configs(setup, phases, data, seed)
    for number, phase in enumerate(phases.values(), 2):
        console.print(f'[bold]{number}/{steps}[/] training: {phase.title}')
        train_once(phase)
    console.print(f'[bold]{steps}/{steps}[/] evaluation and report')
    report(measure(phases), data, seed, run / 'report', command)
