"""Train a teacher, a student alone and the same student with RDKD; compare.

Without --data the images are drawn.  Every phase is kept: interrupt it and
start it again, and it goes on where it was.
"""
import argparse
import ctypes
import fcntl
import json
import math
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from rdkd.checkpoint import (
    detector_state_dict,
    latest_checkpoint,
    load_checkpoint_file,
)
from rdkd.datasets.preflight import check_config, read_annotations
from rdkd.datasets.synthetic import Spec, make_dataset
from rdkd.engine import AtomicLocalBackend
from rdkd.engine.cli import readable_errors
from rdkd.errors import InputError
from rdkd.visualization.report import (
    HEADER,
    Result,
    read_history,
    table_rows,
    write_report,
)

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = dict(teacher='configs/{}_mini_teacher.py',
               student='configs/{}_mini_student.py',
               rdkd='configs/rdkd_{}_mini.py')
NAMES = dict(teacher='teacher', student='student alone',
             rdkd='student + RDKD')
console = Console()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--data', type=lambda p: Path(p).resolve(), metavar='ROOT',
        help='your own images: a folder with annotations/train.json, '
        'annotations/val.json (COCO format) and images/')
    parser.add_argument('--detector', default='retinanet',
                        choices=['retinanet', 'fcos', 'faster_rcnn'])
    parser.add_argument('--epochs', type=int,
                        help='epochs of the student; the teacher trains '
                        'longer in proportion')
    parser.add_argument('--size', type=int,
                        help='longer side of the images in pixels')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    for name in ('epochs', 'size'):
        value = getattr(args, name)
        if value is not None and value < (1 if name == 'epochs' else 64):
            parser.error(f'--{name} {value} is too small')
    return args


def run_folder(args: argparse.Namespace) -> Path:
    """Where a run with these settings lives: other settings, other folder."""
    data = args.data.name if args.data else 'mini'
    detector = [args.detector] if args.detector != 'retinanet' else []
    parts = [data, *detector, *(f'{name}{getattr(args, name)}'
                     for name in ('epochs', 'size')
                     if getattr(args, name)), f'seed{args.seed}']
    return ROOT / 'work_dirs' / 'quickstart' / '_'.join(parts)


def prepare_data(args: argparse.Namespace) -> Path:
    """The data root; draws the embedded data set if there is none."""
    console.print('[bold]1/5[/] the data set')
    if args.data:
        if not args.data.is_dir():
            raise InputError(f'--data {args.data} is not a folder.')
        return args.data
    root = ROOT / 'data' / 'mini'
    with progress() as bars:
        def bar(images: Any) -> Any:
            return bars.track(list(images), description='drawing')
        if not make_dataset(root, Spec(), bar):
            console.print(f'  {root.relative_to(ROOT)} is there already')
    return root


def progress() -> Progress:
    return Progress(TextColumn('  {task.description}'), BarColumn(),
                    TextColumn('{task.percentage:>3.0f}%'),
                    TimeElapsedColumn(), TextColumn('left:'),
                    TimeRemainingColumn(), console=console)


def make_configs(args: argparse.Namespace, run: Path, data: Path
                 ) -> dict[str, Path]:
    """Write the three complete configs of this run beside its results."""
    train = read_annotations(data / 'annotations' / 'train.json')
    classes = tuple(c['name'] for c in train['categories'])
    paths: dict[str, Path] = {}
    for phase, source in CONFIGS.items():
        cfg = Config.fromfile(ROOT / source.format(args.detector))
        size = args.size or cfg.image_size
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            dataset.data_root = str(data)
            dataset.metainfo = dict(classes=classes)
            for step in dataset.pipeline:
                if step['type'] == 'Resize':
                    step['scale'] = (size, size)
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            evaluator.ann_file = str(data / 'annotations' / 'val.json')
        if args.epochs:
            student = CONFIGS['student'].format(args.detector)
            ratio = args.epochs / Config.fromfile(
                ROOT / student).train_cfg.max_epochs
            epochs = max(1, round(cfg.train_cfg.max_epochs * ratio))
            cfg.train_cfg.max_epochs = epochs
            cfg.train_cfg.val_interval = max(
                1, round(cfg.train_cfg.val_interval * ratio))
            for scheduler in cfg.param_scheduler:
                if scheduler['type'] == 'CosineAnnealingLR':
                    scheduler['T_max'] = scheduler['end'] = epochs
        # A warm-up longer than a tenth of the run would be most of it.
        steps = cfg.train_cfg.max_epochs * math.ceil(
            len(train['images']) / cfg.train_dataloader.batch_size)
        cfg.param_scheduler[0]['end'] = min(cfg.param_scheduler[0]['end'],
                                            max(1, steps // 10))
        cfg.randomness = dict(seed=args.seed)
        model = cfg.model.get('architecture', cfg.model)
        head = model.get('roi_head', model).bbox_head
        head.num_classes = len(classes)
        if phase == 'rdkd':
            cfg.model.teacher = str(paths['teacher'])
            cfg.model.teacher_ckpt = str(final_checkpoint(run, 'teacher',
                                                          paths))
        cfg.work_dir = str(run / phase)
        if phase == 'teacher':
            check_config(cfg)
        paths[phase] = run / f'{phase}.py'
        text = cfg.pretty_text
        if paths[phase].is_file():
            if paths[phase].read_text() != text:
                raise InputError(
                    f'{paths[phase]} is of another version of this '
                    f'quickstart or of its data. Move {run} away to start '
                    'anew.')
            continue
        AtomicLocalBackend().put(text.encode(), paths[phase])
    return paths


def final_checkpoint(run: Path, phase: str, configs: dict[str, Path]) -> Path:
    """The checkpoint of a phase's last epoch."""
    epochs = Config.fromfile(configs[phase]).train_cfg.max_epochs
    return run / phase / f'epoch_{epochs}.pth'


def train(phase: str, run: Path, configs: dict[str, Path]) -> None:
    """Train one of the three models, or go on with it."""
    last = final_checkpoint(run, phase, configs)
    newest, _ = latest_checkpoint(run / phase)
    if newest == last and (run / phase / 'done').is_file():
        console.print(f'  {NAMES[phase]}: trained already')
        return
    command = [sys.executable, str(ROOT / 'tools' / 'train.py'),
               str(configs[phase]), '--resume']
    log = run / f'{phase}.log'
    said = log.stat().st_size if log.is_file() else 0
    line_form = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')
    epochs = Config.fromfile(configs[phase]).train_cfg.max_epochs
    with progress() as bars, log.open('a') as file:
        task = bars.add_task(NAMES[phase], total=epochs)
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=environment(),
            preexec_fn=end_with_parent)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                found = line_form.search(line)
                if found:
                    epoch, step, steps = map(int, found.groups())
                    done = epoch - 1 + step / steps
                    bars.update(task, completed=done)
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if code == 0:
            bars.update(task, completed=epochs)
    if code:
        new = log.read_bytes()[said:].decode(errors='replace')
        errors = [text for text in new.splitlines()
                  if text.startswith(('error: ', 'stopped: '))]
        raise InputError(errors[-1].partition(' ')[2] if errors else
                         f'training the {NAMES[phase]} failed; see {log}.')
    (run / phase / 'done').touch()


def end_with_parent() -> None:
    """Let a child process end when this one is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def environment() -> dict[str, str]:
    paths = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths),
                PYTHONUNBUFFERED='1')


def evaluate(phase: str, run: Path, configs: dict[str, Path]
             ) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Export the deployed model and evaluate what was exported."""
    deployed = run / f'{phase}_deploy.pth'
    results = run / f'{phase}_results'
    scores = results / 'metrics.json'
    trained = final_checkpoint(run, phase, configs)
    # Made anew when the model was trained anew.
    if not (scores.is_file()
            and scores.stat().st_mtime_ns > trained.stat().st_mtime_ns):
        deployed.unlink(missing_ok=True)  # made again from its checkpoint
        shutil.rmtree(results, ignore_errors=True)
        plain = configs['student' if phase == 'rdkd' else phase]
        for command in (
            ['export_student.py', str(trained), str(deployed)],
            ['test.py', str(plain), str(deployed), '--work-dir',
             str(results), '--outfile-prefix', str(results / 'val')]):
            done = subprocess.run(
                [sys.executable, str(ROOT / 'tools' / command[0]),
                 *command[1:]], cwd=ROOT, env=environment(),
                preexec_fn=end_with_parent, capture_output=True, text=True,
                check=False)
            if done.returncode:
                raise InputError(f'{command[0]} failed for the '
                                 f'{NAMES[phase]}:\n{done.stdout[-2000:]}'
                                 f'{done.stderr[-2000:]}')
        measured = next(results.glob('[0-9]*/[0-9]*.json')).read_text()
        AtomicLocalBackend().put(measured.encode(), scores)
    # CocoMetric gives no score when nothing at all is detected.
    file = results / 'val.bbox.json'
    detections = json.loads(file.read_text()) if file.is_file() else []
    nothing = {f'coco/bbox_{key}': 0.0 for key in ('mAP', 'mAP_50', 'mAP_75')}
    return nothing | json.loads(scores.read_text()), detections


def measure_speed(run: Path, configs: dict[str, Path], rounds: int = 15
                  ) -> dict[str, tuple[int, float]]:
    """Parameters, and milliseconds for one image of the run's size.

    The models take turns, so that whatever else the machine does meets them
    alike; the median over the rounds is taken.
    """
    init_default_scope('mmdet')
    models = {}
    for phase in CONFIGS:
        cfg = Config.fromfile(configs['student' if phase == 'rdkd' else
                                      phase])
        model = MODELS.build(cfg.model).eval()
        deployed = run / f'{phase}_deploy.pth'
        model.load_state_dict(detector_state_dict(
            load_checkpoint_file(str(deployed)), str(deployed)))
        models[phase] = model
        scale = next(step['scale']
                     for step in cfg.test_dataloader.dataset.pipeline
                     if step['type'] == 'Resize')
    times: dict[str, list[float]] = {phase: [] for phase in models}
    image = torch.zeros(1, 3, *(math.ceil(side / 32) * 32 for side in scale))
    # Two-stage detectors need to know how large the image is.
    sample = DetDataSample(metainfo=dict(
        img_shape=image.shape[2:], scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        for _ in range(rounds):
            for phase, model in models.items():
                begun = time.perf_counter()
                model(image, [sample])
                times[phase].append(time.perf_counter() - begun)
    return {phase: (sum(p.numel() for p in model.parameters()),
                    1000 * sorted(times[phase])[rounds // 2])
            for phase, model in models.items()}


def print_table(results: list[Result]) -> None:
    table = Table()
    for i, name in enumerate(HEADER):
        table.add_column(name, justify='right' if i else 'left')
    for row in table_rows(results):
        table.add_row(*row)
    console.print(table)


def main() -> None:
    args = parse_args()
    run = run_folder(args)
    os.chdir(ROOT)
    run.mkdir(parents=True, exist_ok=True)
    lock = (run / 'lock').open('w')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f'another quickstart is running in {run}.') from None
    data = prepare_data(args)
    configs = make_configs(args, run, data)
    for number, phase in enumerate(CONFIGS, 2):
        console.print(f'[bold]{number}/5[/] training: {NAMES[phase]}')
        train(phase, run, configs)

    console.print('[bold]5/5[/] evaluation and report')
    measured = {phase: evaluate(phase, run, configs) for phase in CONFIGS}
    speed = measure_speed(run, configs)
    results = []
    for phase in CONFIGS:
        metrics, detections = measured[phase]
        curve, losses = read_history(run / phase)
        results.append(Result(NAMES[phase], metrics, *speed[phase],
                              detections, curve, losses))
    teacher, alone, distilled = (100 * r.metrics['coco/bbox_mAP']
                                 for r in results)
    command = shlex.join(['bash', 'tools/quickstart.sh', *sys.argv[1:]])
    packages = packages_distributions()  # mmcv is of mmcv or of onedl-mmcv
    write_report(
        run / 'report',
        title='RDKD: a student alone and distilled',
        summary=f'On {data.name}, seed {args.seed}: the student reaches '
        f'{alone:.1f} mAP alone and {distilled:.1f} with RDKD '
        f'({distilled - alone:+.1f}); its teacher has {teacher:.1f}.',
        command=command,
        versions=dict(
            {name: version(name) for module in
             ('rdkd', 'torch', 'mmengine', 'mmcv', 'mmdet', 'mmrazor',
              'pycocotools') for name in packages[module][:1]},
            Python=platform.python_version(), seed=str(args.seed)),
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
    print_table(results)
    console.print(f'RDKD: {distilled - alone:+.1f} mAP. Report: '
                  f'{(run / "report" / "index.html").relative_to(ROOT)} '
                  f'(the latest is also in {latest.relative_to(ROOT)})',
                  soft_wrap=True)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with readable_errors('Start the same command again to go on.'):
        main()
