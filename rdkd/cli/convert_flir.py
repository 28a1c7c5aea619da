"""Convert FLIR ADAS, v1.3 or v2, into COCO files of four classes."""
import argparse

from rich.console import Console
from rich.table import Table

from rdkd.data.flir import CLASSES, Split, convert

CONTINUE_WITH = 'Nothing was written.'
_DROPPED = ('no size', 'outside', 'no file')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's flags."""
    parser.add_argument('source', metavar='IN', help='the folder that holds '
                        'train/ (v1.3) or images_thermal_train/ (v2)')
    parser.add_argument('out', metavar='OUT', help='folder to make')
    parser.add_argument('--copy', action='store_true',
                        help='copy the images instead of linking to them')


def table(splits: list[Split]) -> Table:
    """What was kept and what was dropped, and why."""
    rows = Table('', '', 'kept', '(clipped)', *_DROPPED, 'other class',
                 title=splits[0].coco['info']['description'])
    for column in rows.columns[2:]:
        column.justify = 'right'
    for split in splits:
        rows.add_section()
        rows.add_row(split.name, 'images', str(len(split.files)), '', '', '',
                     str(len(split.missing)))
        for label in CLASSES:
            whole, clipped, *dropped = (split.boxes[label, end] for end in (
                'kept', 'clipped', *_DROPPED))
            rows.add_row('', label, *map(str, (whole + clipped, clipped,
                                               *dropped)))
        rows.add_row('', 'others', '', '', '', '', '',
                     str(sum(_others(split).values())))
    return rows


def _others(split: Split) -> dict[str, int]:
    return {label: number for (label, end), number in split.boxes.most_common()
            if end == 'other class'}


def run(args: argparse.Namespace) -> None:
    """Convert, and say what was dropped."""
    splits = convert(args.source, args.out, args.copy)
    console = Console(highlight=False)
    console.print(table(splits))
    for split in splits:
        others = ', '.join(f'{n} {c}' for c, n in _others(split).items())
        console.print(f'{split.name}, other classes: {others or "none"}',
                      markup=False)
        if split.missing:
            console.print(
                f'WARNING: images of {split.name} that are listed but not '
                f'there: {len(split.missing)}, e.g. {split.missing[0]}. They '
                'and their boxes were dropped.',
                style='bold red', markup=False, soft_wrap=True)
