"""Pictures of trained detectors: where they look, what training changed."""
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.registry import init_default_scope

from rdkd.analysis.changes import largest_changes
from rdkd.analysis.error_types import error_types
from rdkd.data.coco import read_annotations
from rdkd.data.datasets import coco_datasets, coco_files
from rdkd.errors import InputError
from rdkd.experiments.evaluation import read_detections
from rdkd.io.config import load_config
from rdkd.io.terminal import busy
from rdkd.report.attention import attention_figures
from rdkd.report.pictures import draw_side_by_side, read_image
from rdkd.report.tables import markdown
from rdkd.runtime.commands import run_command
from rdkd.runtime.launch import student_config


def figure_files(images: Sequence[str], folder: Path) -> dict[str, Path]:
    """The figure's file for each image.

    Args:
        images (Sequence[str]): Paths.
        folder (Path): Of the figures.

    Raises:
        InputError: If there is one already, or two images need the same.
    """
    files = {image: folder / f'{Path(image).stem}.png' for image in images}
    if len(set(files.values())) < len(images):
        raise InputError('two of the images have the same name, so that '
                         'their figures would: draw them one by one, each '
                         'with its own --out.')
    for file in files.values():
        if file.exists():
            raise InputError(f'{file} exists already. Remove it, or choose '
                             'another --out.')
    return files


def draw_attention_of(config: str, checkpoints: Mapping[str, str],
                      images: Sequence[str], folder: Path) -> None:
    """Draw where checkpoints of one detector look; print the files.

    Args:
        config (str): File of the detector, or of its distillation.
        checkpoints (Mapping[str, str]): Files or URLs by title.
        images (Sequence[str]): Paths.
        folder (Path): Receives a PNG for each image.

    Raises:
        InputError: If a file cannot be read or is there already.
    """
    files = figure_files(images, folder)
    pictures = {path: read_image(path) for path in images}
    cfg = student_config(load_config(config))
    for path, figure in attention_figures(cfg, checkpoints, pictures):
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(files[path])
        print(files[path])


@dataclass(frozen=True)
class Trained:
    """A trained detector.

    Attributes:
        config: File of the detector, or of its distillation.
        checkpoint: File or URL, of a training or deployed.
    """
    config: str
    checkpoint: str


def detect(model: Trained, prefix: Path) -> list[dict[str, Any]]:
    """Evaluate a checkpoint in a process of its own.

    Args:
        model (Trained): What to evaluate.
        prefix (Path): The detections are kept as ``PREFIX.bbox.json``.

    Returns:
        list[dict]: The detections in COCO's format.

    Raises:
        InputError: If that fails.
    """
    print(f'detecting with {model.checkpoint}', flush=True)
    # Not in the folder, which is removed if this fails.
    handle, log = tempfile.mkstemp('.log', 'rdkd-test-')
    os.close(handle)
    with busy('detecting'):
        run_command('test', model.config, model.checkpoint, '--work-dir',
                    prefix.with_suffix('.log'), '--outfile-prefix', prefix,
                    about=model.checkpoint, log=Path(log))
    os.remove(log)
    return read_detections(prefix)


def draw_changes_of(config: str, baseline: str, distilled: str,
                    teacher: Trained | None, count: int, folder: Path
                    ) -> None:
    """Draw the images that changed most; summarize the errors.

    Args:
        config (str): File of the detector, or of its distillation.
        baseline (str): Checkpoint of the baseline.
        distilled (str): Checkpoint of the same student, distilled.
        teacher (Trained, optional): Is shown too.
        count (int): Number of images.
        folder (Path): New; receives the pictures, the detections and
            ``errors.md``.

    Raises:
        InputError: If the folder exists or a file cannot be used.
    """
    if folder.exists():
        raise InputError(f'{folder} exists already. Remove it, or choose '
                         'another --out.')
    cfg = student_config(load_config(config))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = next(coco_datasets(cfg.test_dataloader.dataset), None)
    if dataset is None:
        raise InputError(f'{config} tests on no COCO data set.')
    annotations, images = coco_files(dataset)
    coco = read_annotations(annotations)
    folder.mkdir(parents=True)
    models = {'baseline': Trained(config, baseline),
              'distilled': Trained(config, distilled),
              **(dict(teacher=teacher) if teacher else {})}
    try:
        found = {title: detect(model, folder / title)
                 for title, model in models.items()}
    except (InputError, KeyboardInterrupt):
        shutil.rmtree(folder)  # new, and nothing is in it but logs
        raise
    changes = largest_changes(coco, found['baseline'], found['distilled'],
                              count)
    for rank, (info, was, became) in enumerate(changes, 1):
        file = folder / f'{rank:02d}_{Path(info["file_name"]).stem}.png'
        draw_side_by_side(coco, images, found, info, file)
        print(f'{file}: {was:.2f} to {became:.2f}')
    errors = {title: error_types(coco, boxes)
              for title, boxes in found.items()}
    table = markdown([
        ['model', *errors['distilled']],
        *([title, *(f'{cost:.1f}' for cost in costs.values())]
          for title, costs in errors.items())])
    (folder / 'errors.md').write_text(table)
    print('\nPoints of AP50 that mending one type of error would bring '
          f'(TIDE):\n{table}')
