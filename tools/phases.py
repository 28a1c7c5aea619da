"""Training and evaluating models one after the other, as processes.

What ``quickstart.py`` and ``compare.py`` share.  Every phase is kept: it can
be interrupted, and is not done twice.
"""
import argparse
import ctypes
import fcntl
import json
import math
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any, TextIO

from mmengine.config import Config
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from rdkd.data.synthetic import Spec, make_dataset
from rdkd.errors import InputError
from rdkd.io.atomic import AtomicLocalBackend
from rdkd.io.checkpoint import latest_checkpoint

ROOT = Path(__file__).resolve().parent.parent
console = Console()
_locks: list[TextIO] = []  # closed, and so released, with the process
#: Paths of the mini configs, with braces for the detector.
TEACHER, STUDENT, DISTILLED = (
    'configs/{}_mini_teacher.py', 'configs/{}_mini_student.py',
    'configs/rdkd_{}_mini.py')


class TrainingStopped(InputError):
    """A training that ended by itself, because its loss was not finite."""


@dataclass(frozen=True)
class Phase:
    """One model that is trained.

    Attributes:
        name: Of its folder and files.
        title: For people.
        run: The folder of the whole run.
    """
    name: str
    title: str
    run: Path

    @property
    def config(self) -> Path:
        """The complete config."""
        return self.run / f'{self.name}.py'

    @property
    def folder(self) -> Path:
        """The work dir of the training."""
        return self.run / self.name

    @property
    def deployed(self) -> Path:
        """The exported model."""
        return self.run / f'{self.name}_deploy.pth'

    def read(self) -> Config:
        """The config, read from its file."""
        return Config.fromfile(self.config)

    def last_checkpoint(self) -> Path:
        """The checkpoint of the last epoch."""
        epochs = self.read().train_cfg.max_epochs
        return self.folder / f'epoch_{epochs}.pth'

    def write(self, cfg: Config) -> None:
        """Keep the config, which must not change while its run is kept.

        Raises:
            InputError: If another config is there.
        """
        cfg.work_dir = str(self.folder)
        text = cfg.pretty_text
        if not self.config.is_file():
            AtomicLocalBackend().put(text.encode(), self.config)
        elif self.config.read_text() != text:
            raise InputError(
                f'{self.config} is of another version of this program or of '
                f'its data. Move {self.run} away to start anew.')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of what is trained on what and how long."""
    parser.add_argument(
        '--data', type=lambda p: Path(p).resolve(), metavar='ROOT',
        help='your own images: a folder with annotations/train.json, '
        'annotations/val.json (COCO format) and images/; without it the '
        'images are drawn')
    parser.add_argument('--detector', default='retinanet',
                        choices=['retinanet', 'fcos', 'faster_rcnn'])
    parser.add_argument('--epochs', type=int,
                        help='epochs of the student; the teacher trains '
                        'longer in proportion')
    parser.add_argument('--size', type=int,
                        help='longer side of the images in pixels')


def check_arguments(parser: argparse.ArgumentParser,
                    args: argparse.Namespace) -> None:
    """End the program if a number of :func:`add_arguments` is too small."""
    for name, least in (('epochs', 1), ('size', 64)):
        value = getattr(args, name)
        if value is not None and value < least:
            parser.error(f'--{name} {value} is too small')


def versions() -> dict[str, str]:
    """Names and versions of the packages that matter, and of Python."""
    packages = packages_distributions()  # mmcv is of mmcv or of onedl-mmcv
    return {name: version(name) for module in
            ('rdkd', 'torch', 'mmengine', 'mmcv', 'mmdet', 'mmrazor',
             'pycocotools') for name in packages[module][:1]} | {
                 'Python': platform.python_version()}


def lock_run(run: Path, what: str) -> None:
    """Keep a second process out of a run until this one ends.

    Raises:
        InputError: If there is one already.
    """
    lock = (run / 'lock').open('w')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f'another {what} is running in {run}.') from None
    _locks.append(lock)


def progress(to: Console = console) -> Progress:
    """A bar with the time that is left."""
    return Progress(TextColumn('  {task.description}'), BarColumn(),
                    TextColumn('{task.percentage:>3.0f}%'),
                    TimeElapsedColumn(), TextColumn('left:'),
                    TimeRemainingColumn(), console=to)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table, its header first, figures to the right."""
    header, *body = rows
    table = Table()
    for i, name in enumerate(header):
        table.add_column(name, justify='right' if i else 'left')
    for row in body:
        table.add_row(*row)
    console.print(table)


def prepare_data(given: Path | None) -> Path:
    """The data root; draws the embedded data set if there is none."""
    if given:
        if not given.is_dir():
            raise InputError(f'--data {given} is not a folder.')
        return given
    root = ROOT / 'data' / 'mini'
    with progress() as bars:
        def bar(images: Any) -> Any:
            return bars.track(list(images), description='drawing')
        if not make_dataset(root, Spec(), bar):
            console.print(f'  {root.relative_to(ROOT)} is there already')
    return root


def mini_config(form: str, args: argparse.Namespace, data: Path,
                train: dict[str, Any], seed: int) -> Config:
    """A mini config for a data set and for the flags.

    Args:
        form (str): Its path, with braces for the detector.
        args (Namespace): Of :func:`add_arguments`.
        data, train, seed: See :func:`adapt`.
    """
    cfg, student = (Config.fromfile(ROOT / each.format(args.detector))
                    for each in (form, STUDENT))
    epochs = student.train_cfg.max_epochs
    adapt(cfg, data, train, args.size, (args.epochs or epochs) / epochs, seed)
    return cfg


def adapt(cfg: Config, data: Path, train: dict[str, Any], size: int | None,
          factor: float, seed: int) -> None:
    """Turn a mini config to a data set, a size and a schedule.

    Args:
        cfg (Config): Changed in place.
        data (Path): Folder with annotations and images.
        train (dict): The training split in COCO's format.
        size (int, optional): Longer side of the images in pixels; the
            config's own if it is None.
        factor (float): The number of epochs is multiplied with it.
        seed (int): Of the run.
    """
    classes = tuple(c['name'] for c in train['categories'])
    size = size or cfg.image_size
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = str(data)
        dataset.metainfo = dict(classes=classes)
        for step in dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (size, size)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = str(data / 'annotations' / 'val.json')
    if factor != 1:
        epochs = max(1, round(cfg.train_cfg.max_epochs * factor))
        cfg.train_cfg.max_epochs = epochs
        cfg.train_cfg.val_interval = max(
            1, round(cfg.train_cfg.val_interval * factor))
        for scheduler in cfg.param_scheduler:
            if scheduler['type'] == 'CosineAnnealingLR':
                scheduler['T_max'] = scheduler['end'] = epochs
    # A warm-up longer than a tenth of the run would be most of it.
    steps = cfg.train_cfg.max_epochs * math.ceil(
        len(train['images']) / cfg.train_dataloader.batch_size)
    cfg.param_scheduler[0]['end'] = min(cfg.param_scheduler[0]['end'],
                                        max(1, steps // 10))
    cfg.randomness = dict(seed=seed)
    model = cfg.model.get('architecture', cfg.model)
    model.get('roi_head', model).bbox_head.num_classes = len(classes)


def train(phase: Phase) -> None:
    """Train a model, or go on with it.

    Raises:
        InputError: With what the training says, if it fails.
    """
    newest, _ = latest_checkpoint(phase.folder)
    done = phase.folder / 'done'
    if newest == phase.last_checkpoint() and done.is_file():
        console.print(f'  {phase.title}: trained already')
        return
    command = [sys.executable, str(ROOT / 'tools' / 'train.py'),
               str(phase.config), '--resume']
    log = phase.run / f'{phase.name}.log'
    said = log.stat().st_size if log.is_file() else 0
    line_form = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')
    epochs = phase.read().train_cfg.max_epochs
    with progress() as bars, log.open('a') as file:
        task = bars.add_task(phase.title, total=epochs)
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
                    bars.update(task, completed=epoch - 1 + step / steps)
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
        if not errors:
            raise InputError(f'training failed ({phase.title}); see {log}.')
        kind, _, message = errors[-1].partition(' ')
        raise (TrainingStopped if kind == 'stopped:' else InputError)(message)
    done.touch()


def end_with_parent() -> None:
    """Let a child process end when this one is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def environment() -> dict[str, str]:
    """The environment of a child process."""
    paths = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths),
                PYTHONUNBUFFERED='1')


def run_tool(name: str, *arguments: str | Path, about: str,
             cwd: Path | None = None) -> None:
    """Run one of the tools as a process, quietly.

    Args:
        name (str): Of its file.
        *arguments: Its command line.
        about (str): What it is run for, for the message.
        cwd (Path, optional): Where.  Defaults to the current folder.

    Raises:
        InputError: With the end of what it said, if it fails.
    """
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / name), *map(str, arguments)],
        cwd=cwd, env=environment(), preexec_fn=end_with_parent,
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f'{name} failed ({about}):\n{done.stdout[-2000:]}'
                         f'{done.stderr[-2000:]}')


def read_detections(prefix: Path) -> list[dict[str, Any]]:
    """What ``tools/test.py --outfile-prefix`` wrote; no file is none."""
    file = Path(f'{prefix}.bbox.json')
    return json.loads(file.read_text()) if file.is_file() else []


def evaluate(phase: Phase, plain: Phase
             ) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Export the deployed model and evaluate what was exported.

    Args:
        phase (Phase): What was trained.
        plain (Phase): Whose config is that of the detector alone.

    Returns:
        tuple: ``CocoMetric``'s values in [0, 1] and the detections in COCO's
        format.
    """
    results = phase.run / f'{phase.name}_results'
    scores = results / 'metrics.json'
    trained = phase.last_checkpoint()
    # Made anew when the model was trained anew.
    if not (scores.is_file() and phase.deployed.is_file()
            and scores.stat().st_mtime_ns > trained.stat().st_mtime_ns):
        phase.deployed.unlink(missing_ok=True)  # made again from its source
        shutil.rmtree(results, ignore_errors=True)
        run_tool('export_student.py', trained, phase.deployed,
                 about=phase.title, cwd=ROOT)
        run_tool('test.py', plain.config, phase.deployed, '--work-dir',
                 results, '--outfile-prefix', results / 'val',
                 about=phase.title, cwd=ROOT)
        measured = next(results.glob('[0-9]*/[0-9]*.json')).read_text()
        AtomicLocalBackend().put(measured.encode(), scores)
    # CocoMetric gives no score when nothing at all is detected.
    nothing = {f'coco/bbox_{key}': 0.0 for key in (
        'mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')}
    return (nothing | json.loads(scores.read_text()),
            read_detections(results / 'val'))
