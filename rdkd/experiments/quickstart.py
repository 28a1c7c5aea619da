"""A teacher, a baseline and the same student distilled."""
import math
import os
import shutil
import time
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope

from rdkd.analysis.logs import read_history
from rdkd.experiments.evaluation import evaluate
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
from rdkd.io.terminal import console
from rdkd.report.quickstart import Result, result_cells, write_report
from rdkd.report.tables import print_table
from rdkd.runtime.checks import check_config
from rdkd.runtime.versions import versions

TITLES: dict[Role, str] = dict(
    teacher='teacher', baseline='baseline', distilled='student + RDKD')
Phases = dict[Role, Phase]


def run_folder(setup: Setup, seed: int) -> Path:
    """Where a run with these settings lives: other settings, other folder."""
    detector = [setup.detector] if setup.detector != DETECTORS[0] else []
    parts = [setup.data.name if setup.data else 'mini', *detector,
             *setup.differences(), f'seed{seed}']
    return Path('work_dirs', 'quickstart', '_'.join(parts)).resolve()


def write_configs(setup: Setup, phases: Phases, data: DataSet, seed: int
                  ) -> None:
    """Write the three complete configs of a run beside its results."""
    for role, phase in phases.items():
        cfg = mini_config(role, setup, data, seed)
        if role == 'teacher':
            cfg.work_dir = str(phase.run)  # where images are remembered
            check_config(cfg)
        if role == 'distilled':
            cfg.model.teacher = str(phases['teacher'].config)
            cfg.model.teacher_ckpt = str(phases['teacher'].last_checkpoint())
        phase.write(cfg)


def plain(role: Role, phases: Phases) -> Phase:
    """The phase whose config is that of the plain detector."""
    return phases['baseline' if role == 'distilled' else role]


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


def measure(phases: Phases) -> list[Result]:
    """Evaluate what was trained and time it."""
    measured = {role: evaluate(phase, plain(role, phases))
                for role, phase in phases.items()}
    speed = measure_speed(phases)
    results = []
    for role, phase in phases.items():
        curve, losses = read_history(phase.folder)
        results.append(Result(
            phase.title, measured[role].metrics, *speed[role],
            measured[role].detections, curve, losses))
    return results


def report(results: list[Result], data: DataSet, seed: int, folder: Path,
           command: str) -> None:
    """Write the report and print the table.

    Args:
        results (list[Result]): Of teacher, baseline and distilled student.
        data (DataSet): What they were trained on.
        seed (int): Of the trainings.
        folder (Path): Of the report.
        command (str): What to run for the same.
    """
    teacher, baseline, distilled = (100 * r.metrics['coco/bbox_mAP']
                                    for r in results)
    write_report(
        folder,
        title='RDKD: a baseline and the same student distilled',
        summary=f'On {data.root.name}, seed {seed}: the baseline reaches '
        f'{baseline:.1f} mAP and the student with RDKD {distilled:.1f} '
        f'({distilled - baseline:+.1f}); its teacher has {teacher:.1f}.',
        command=command,
        versions=dict(versions(), seed=str(seed)),
        notes=['Time per image: the model\'s forward pass on one blank image '
               f'with {torch.get_num_threads()} threads, median, the models '
               'taking turns. Baseline and distilled student are the same '
               'network.'],
        results=results, compared=results[1:], coco=data.val,
        images=data.images)
    latest = folder.parents[1] / 'report'
    shutil.rmtree(latest, ignore_errors=True)
    shutil.copytree(folder, latest)
    print_table(result_cells(results))
    console.print(f'RDKD: {distilled - baseline:+.1f} mAP. Report: '
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
    console.print('[bold]1/5[/] the data set')
    data = prepare_data(setup.data)
    phases = {role: Phase(role, title, run) for role, title in TITLES.items()}
    write_configs(setup, phases, data, seed)
    for number, phase in enumerate(phases.values(), 2):
        console.print(f'[bold]{number}/5[/] training: {phase.title}')
        train_once(phase)
    console.print('[bold]5/5[/] evaluation and report')
    report(measure(phases), data, seed, run / 'report', command)
