"""Train a teacher, a student alone and the same student with RDKD; compare.

Without --data the images are drawn.  Every phase is kept: interrupt it and
start it again, and it goes on where it was.
"""
import argparse
import math
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
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
    print_table,
    train,
    versions,
)

from rdkd.cli.common import readable_errors
from rdkd.data.coco import read_annotations
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.report.report import (
    HEADER,
    Result,
    read_history,
    table_rows,
    write_report,
)
from rdkd.runtime.checks import check_config

CONFIGS = dict(teacher=TEACHER, student=STUDENT, rdkd=DISTILLED)
NAMES = dict(teacher='teacher', student='student alone',
             rdkd='student + RDKD')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    check_arguments(parser, args)
    return args


def run_folder(args: argparse.Namespace) -> Path:
    """Where a run with these settings lives: other settings, other folder."""
    data = args.data.name if args.data else 'mini'
    detector = [args.detector] if args.detector != 'retinanet' else []
    parts = [data, *detector, *(f'{name}{getattr(args, name)}'
                     for name in ('epochs', 'size')
                     if getattr(args, name)), f'seed{args.seed}']
    return ROOT / 'work_dirs' / 'quickstart' / '_'.join(parts)


def make_configs(args: argparse.Namespace, phases: dict[str, Phase],
                 data: Path) -> None:
    """Write the three complete configs of this run beside its results."""
    images = read_annotations(data / 'annotations' / 'train.json')
    for name, phase in phases.items():
        cfg = mini_config(CONFIGS[name], args, data, images, args.seed)
        if name == 'teacher':
            check_config(cfg)
        if name == 'rdkd':
            cfg.model.teacher = str(phases['teacher'].config)
            cfg.model.teacher_ckpt = str(phases['teacher'].last_checkpoint())
        phase.write(cfg)


def plain(name: str, phases: dict[str, Phase]) -> Phase:
    """The phase whose config is that of the detector alone."""
    return phases['student' if name == 'rdkd' else name]


def measure_speed(phases: dict[str, Phase], rounds: int = 15
                  ) -> dict[str, tuple[int, float]]:
    """Parameters, and milliseconds for one image of the run's size.

    The models take turns, so that whatever else the machine does meets them
    alike; the median over the rounds is taken.
    """
    init_default_scope('mmdet')
    models = {}
    for name, phase in phases.items():
        cfg = plain(name, phases).read()
        model = MODELS.build(cfg.model).eval()
        deployed = str(phase.deployed)
        model.load_state_dict(detector_state_dict(
            load_checkpoint_file(deployed), deployed))
        models[name] = model
        scale = next(step['scale']
                     for step in cfg.test_dataloader.dataset.pipeline
                     if step['type'] == 'Resize')
    times: dict[str, list[float]] = {name: [] for name in models}
    image = torch.zeros(1, 3, *(math.ceil(side / 32) * 32 for side in scale))
    # Two-stage detectors need to know how large the image is.
    sample = DetDataSample(metainfo=dict(
        img_shape=image.shape[2:], scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        for _ in range(rounds):
            for name, model in models.items():
                begun = time.perf_counter()
                model(image, [sample])
                times[name].append(time.perf_counter() - begun)
    return {name: (sum(p.numel() for p in model.parameters()),
                   1000 * sorted(times[name])[rounds // 2])
            for name, model in models.items()}


def main() -> None:
    args = parse_args()
    run = run_folder(args)
    os.chdir(ROOT)
    run.mkdir(parents=True, exist_ok=True)
    lock_run(run, 'quickstart')
    console.print('[bold]1/5[/] the data set')
    data = prepare_data(args.data)
    phases = {name: Phase(name, title, run) for name, title in NAMES.items()}
    make_configs(args, phases, data)
    for number, phase in enumerate(phases.values(), 2):
        console.print(f'[bold]{number}/5[/] training: {phase.title}')
        train(phase)

    console.print('[bold]5/5[/] evaluation and report')
    measured = {name: evaluate(phase, plain(name, phases))
                for name, phase in phases.items()}
    speed = measure_speed(phases)
    results = []
    for name, phase in phases.items():
        metrics, detections = measured[name]
        curve, losses = read_history(phase.folder)
        results.append(Result(phase.title, metrics, *speed[name],
                              detections, curve, losses))
    teacher, alone, distilled = (100 * r.metrics['coco/bbox_mAP']
                                 for r in results)
    command = shlex.join(['bash', 'tools/quickstart.sh', *sys.argv[1:]])
    write_report(
        run / 'report',
        title='RDKD: a student alone and distilled',
        summary=f'On {data.name}, seed {args.seed}: the student reaches '
        f'{alone:.1f} mAP alone and {distilled:.1f} with RDKD '
        f'({distilled - alone:+.1f}); its teacher has {teacher:.1f}.',
        command=command,
        versions=dict(versions(), seed=str(args.seed)),
        notes=['Time per image: the model\'s forward pass on one blank image '
               f'with {torch.get_num_threads()} threads, median, the models '
               'taking turns. Student alone and distilled student are the '
               'same network.'],
        results=results, compared=results[1:],
        coco=read_annotations(data / 'annotations' / 'val.json'),
        images=data / 'images')
    latest = run.parent / 'report'
    shutil.rmtree(latest, ignore_errors=True)
    shutil.copytree(run / 'report', latest)
    print_table([HEADER, *table_rows(results)])
    console.print(f'RDKD: {distilled - alone:+.1f} mAP. Report: '
                  f'{(run / "report" / "index.html").relative_to(ROOT)} '
                  f'(the latest is also in {latest.relative_to(ROOT)})',
                  soft_wrap=True)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with readable_errors('Start the same command again to go on.'):
        main()
