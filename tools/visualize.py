"""Look into trained detectors: where they look, what training changed."""
import argparse
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmdet.models.detectors import BaseDetector
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODELS, init_default_scope
from numpy.typing import NDArray
from phases import read_detections, run_tool

from rdkd.analysis.changes import largest_changes
from rdkd.analysis.error_types import error_types
from rdkd.analysis.heatmap import (
    detector_attention,
    draw_attention,
    read_image,
)
from rdkd.cli.common import readable_errors
from rdkd.data.coco import read_annotations
from rdkd.data.datasets import coco_datasets, coco_files
from rdkd.detectors.levels import neck_levels
from rdkd.errors import InputError
from rdkd.io.checkpoint import detector_state_dict, load_checkpoint_file
from rdkd.io.config import detector_config, load_config
from rdkd.report.report import draw_side_by_side, markdown
from rdkd.runtime.launch import student_config
from rdkd.teacher.build import load_strictly


def titled(text: str) -> tuple[str, str]:
    """Read ``TITLE=CKPT``."""
    title, _, checkpoint = text.partition('=')
    if not title or not checkpoint:
        raise argparse.ArgumentTypeError(
            f'{text} is not TITLE=CKPT, e.g. "student alone=student.pth"')
    return title, checkpoint


def attention_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`attention`."""
    parser.add_argument('config',
                        help='of the detector, or of its distillation')
    parser.add_argument('checkpoint',
                        help='file or URL, of a training run or deployed')
    parser.add_argument('images', nargs='+', help='image files')
    parser.add_argument('--with', dest='others', action='append', default=[],
                        type=titled, metavar='TITLE=CKPT',
                        help='another checkpoint; may be repeated')
    parser.add_argument('--title', help='of CHECKPOINT in the figure '
                        '(default: the name of its file)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        default=Path('work_dirs/attention'),
                        help='folder of the figures (default: %(default)s)')
    parser.set_defaults(run=attention)


def compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`compare`."""
    parser.add_argument('config',
                        help='of the detector, or of its distillation')
    parser.add_argument('alone', help='checkpoint of the student alone')
    parser.add_argument('distilled', help='checkpoint of the same student, '
                        'distilled: of a training run or deployed')
    parser.add_argument('--teacher', nargs=2, metavar=('CONFIG', 'CKPT'),
                        help='show the teacher\'s detections too')
    parser.add_argument('--count', type=int, default=12, metavar='N',
                        help='number of images (default: %(default)s)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        default=Path('work_dirs/changes'),
                        help='new folder of the pictures (default: '
                        '%(default)s)')
    parser.set_defaults(run=compare)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    attention_arguments(commands.add_parser(
        'attention', help='where checkpoints of one detector look',
        description='Heat maps of where checkpoints of one detector look, '
        'for every neck level and on one colour scale: a PNG per image.'))
    compare_arguments(commands.add_parser(
        'compare', help='what a distillation changed, image by image',
        description='Ground truth and detections side by side for the test '
        'images that a distillation changed most, for better or worse, and '
        'a summary of the errors by type.'))
    return parser.parse_args()


def load_detector(cfg: Config, checkpoint: str) -> BaseDetector:
    """Build the detector of a plain config with a checkpoint's weights.

    Args:
        cfg (Config): Of :func:`~rdkd.runtime.launch.student_config`.
        checkpoint (str): File or URL, of a distillation or a plain detector.

    Returns:
        BaseDetector: In eval mode, for MMDetection's inference.

    Raises:
        InputError: If the checkpoint does not fit.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    detector = MODELS.build(detector_config(cfg))
    if getattr(detector, 'neck', None) is None:
        raise InputError(f'{type(detector).__name__} has no neck, and the '
                         'neck\'s levels are what is drawn.')
    load_strictly(detector, detector_state_dict(
        load_checkpoint_file(checkpoint), checkpoint), checkpoint)
    detector.cfg = cfg
    return detector.to(get_device()).eval()


def attention_figures(cfg: Config, checkpoints: Mapping[str, str],
                      images: Mapping[str, NDArray[Any]]
                      ) -> Iterator[tuple[str, Figure]]:
    """Draw where checkpoints of one detector look.

    Args:
        cfg (Config): As for :func:`load_detector`.
        checkpoints (Mapping[str, str]): Files or URLs by title.
        images (Mapping[str, NDArray]): RGB images by path.

    Yields:
        tuple[str, Figure]: The path of each image and its figure.
    """
    detectors = {title: load_detector(cfg, checkpoint)
                 for title, checkpoint in checkpoints.items()}
    strides = [level.stride
               for level in neck_levels(next(iter(detectors.values())))]
    for path, image in images.items():
        maps = {title: detector_attention(detector, path)
                for title, detector in detectors.items()}
        yield path, draw_attention(maps, strides, image)


def new_files(images: list[str], folder: Path) -> dict[str, Path]:
    """The figure's file for each image.

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


def attention(args: argparse.Namespace) -> None:
    """Draw the attention of the models on each image."""
    checkpoints = {args.title or Path(args.checkpoint).stem: args.checkpoint}
    for title, checkpoint in args.others:
        if title in checkpoints:
            raise InputError(f'two checkpoints have the title {title}. '
                             'Choose others, with --title and --with.')
        checkpoints[title] = checkpoint
    files = new_files(args.images, args.out)
    images = {path: read_image(path) for path in args.images}
    cfg = student_config(load_config(args.config))
    for path, figure in attention_figures(cfg, checkpoints, images):
        args.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(files[path])
        print(files[path])


def detect(config: str, checkpoint: str, prefix: Path
           ) -> list[dict[str, Any]]:
    """Evaluate a checkpoint with ``tools/test.py``.

    Returns:
        list[dict]: The detections in COCO's format, kept as
        ``PREFIX.bbox.json``.
    """
    print(f'detecting with {checkpoint}', flush=True)
    run_tool('test.py', config, checkpoint, '--work-dir',
             prefix.with_suffix('.log'), '--outfile-prefix', prefix,
             about=checkpoint)
    return read_detections(prefix)


def compare(args: argparse.Namespace) -> None:
    """Draw the images that changed most; summarise the errors."""
    if args.count < 1:
        raise InputError(f'--count {args.count} must be at least 1.')
    if args.out.exists():
        raise InputError(f'{args.out} exists already. Remove it, or choose '
                         'another --out.')
    cfg = student_config(load_config(args.config))
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = next(coco_datasets(cfg.test_dataloader.dataset), None)
    if dataset is None:
        raise InputError(f'{args.config} tests on no COCO data set.')
    annotations, images = coco_files(dataset)
    coco = read_annotations(annotations)
    args.out.mkdir(parents=True)
    models = {'student alone': (args.config, args.alone),
              'distilled': (args.config, args.distilled)}
    if args.teacher:
        models['teacher'] = args.teacher
    try:
        found = {title: detect(*files, args.out / title.replace(' ', '_'))
                 for title, files in models.items()}
    except InputError:
        shutil.rmtree(args.out)  # new, and nothing is in it but logs
        raise
    changes = largest_changes(coco, found['student alone'],
                              found['distilled'], args.count)
    for rank, (info, was, became) in enumerate(changes, 1):
        file = args.out / f'{rank:02d}_{Path(info["file_name"]).stem}.png'
        draw_side_by_side(coco, images, found, info, file)
        print(f'{file}: {was:.2f} to {became:.2f}')
    errors = {title: error_types(coco, boxes)
              for title, boxes in found.items()}
    table = markdown([
        ['model', *errors['distilled']],
        *([title, *(f'{cost:.1f}' for cost in costs.values())]
          for title, costs in errors.items())])
    (args.out / 'errors.md').write_text(table)
    print('\nPoints of AP50 that mending one type of error would bring '
          f'(TIDE):\n{table}')


def main() -> None:
    args = parse_args()
    with readable_errors():
        args.run(args)


if __name__ == '__main__':
    main()
