"""Look into trained detectors: where they look, what training changed."""
import argparse
from pathlib import Path

from rdkd.arguments import Range
from rdkd.cli.common import whole
from rdkd.errors import InputError
from rdkd.experiments.visualization import (
    Trained,
    draw_attention_of,
    draw_changes_of,
)


def titled(text: str) -> tuple[str, str]:
    """Read ``TITLE=CKPT``."""
    title, _, checkpoint = text.partition('=')
    if not title or not checkpoint:
        raise argparse.ArgumentTypeError(
            f'{text} is not TITLE=CKPT, e.g. "baseline=student.pth"')
    return title, checkpoint


def add_attention_arguments(parser: argparse.ArgumentParser) -> None:
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
    parser.set_defaults(draw=attention)


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`compare`."""
    parser.add_argument('config',
                        help='of the detector, or of its distillation')
    parser.add_argument('baseline', help='checkpoint of the baseline')
    parser.add_argument('distilled', help='checkpoint of the same student, '
                        'distilled: of a training run or deployed')
    parser.add_argument('--teacher', nargs=2, metavar=('CONFIG', 'CKPT'),
                        help='show the teacher\'s detections too')
    parser.add_argument('--count', type=whole(Range(1)), default=12,
                        metavar='N',
                        help='number of images (default: %(default)s)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        default=Path('work_dirs/changes'),
                        help='new folder of the pictures (default: '
                        '%(default)s)')
    parser.set_defaults(draw=compare)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's own commands."""
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    add_attention_arguments(commands.add_parser(
        'attention', help='where checkpoints of one detector look',
        description='Heat maps of where checkpoints of one detector look, '
        'for every neck level and on one color scale: a PNG per image.'))
    add_compare_arguments(commands.add_parser(
        'compare', help='what a distillation changed, image by image',
        description='Ground truth and detections side by side for the test '
        'images that a distillation changed most, for better or worse, and '
        'a summary of the errors by type.'))


def attention(args: argparse.Namespace) -> None:
    """Draw the attention of the models on each image."""
    checkpoints = {args.title or Path(args.checkpoint).stem: args.checkpoint}
    for title, checkpoint in args.others:
        if title in checkpoints:
            raise InputError(f'two checkpoints have the title {title}. '
                             'Choose others, with --title and --with.')
        checkpoints[title] = checkpoint
    draw_attention_of(args.config, checkpoints, args.images, args.out)


def compare(args: argparse.Namespace) -> None:
    """Draw the images that changed most; summarize the errors."""
    draw_changes_of(args.config, args.baseline, args.distilled,
                    Trained(*args.teacher) if args.teacher else None,
                    args.count, args.out)


def run(args: argparse.Namespace) -> None:
    """Draw what was asked for."""
    args.draw(args)
