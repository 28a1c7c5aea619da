"""The report of a comparison: table, learning curves, pictures."""
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

matplotlib.use('Agg')

#: Score from which detections are drawn.
THRESHOLD = 0.3


#: Steps and values.
Curve = list[tuple[float, float]]


@dataclass
class Result:
    """What was measured of one model.

    Attributes:
        name: As the table shows it.
        metrics: ``CocoMetric``'s values, e.g. ``coco/bbox_mAP`` in [0, 1].
        parameters: Number of parameters of the deployed model.
        milliseconds: Time per image, one image at a time.
        detections: COCO-format results on the validation images.
        curve: ``(epoch, mAP)`` while training.
        losses: For every logged loss ``(iteration, value)``.
    """
    name: str
    metrics: Mapping[str, float]
    parameters: int
    milliseconds: float
    detections: Sequence[Mapping[str, Any]]
    curve: Curve
    losses: Mapping[str, Curve]


HEADER = ('model', 'mAP', 'AP50', 'AP75', 'parameters', 'time per image')


def table_rows(results: Sequence[Result]) -> list[list[str]]:
    """The table's cells as text, one row for each model."""
    return [[
        result.name,
        *(f'{100 * result.metrics[f"coco/bbox_{key}"]:.1f}'
          for key in ('mAP', 'mAP_50', 'mAP_75')),
        f'{result.parameters / 1e6:.2f} M',
        f'{result.milliseconds:.1f} ms',
    ] for result in results]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its header first, figures to the right."""
    header, *body = rows
    rule = ['---'] + ['---:'] * (len(header) - 1)
    return '\n'.join('| ' + ' | '.join(row) + ' |'
                     for row in (header, rule, *body)) + '\n'


def markdown_table(results: Sequence[Result]) -> str:
    """The table in Markdown."""
    return markdown([HEADER, *table_rows(results)])


def log_entries(work_dir: Path) -> Iterator[dict[str, Any]]:
    """What mmengine logged of a run; later runs of a folder come later."""
    for log in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in log.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line of a run that was killed


def read_history(work_dir: Path) -> tuple[Curve, dict[str, Curve]]:
    """Read mAP and losses over epochs from mmengine's logs of a run.

    A run that was interrupted has several logs; later ones win.

    Args:
        work_dir (Path): The run's folder.

    Returns:
        tuple: The curve and the losses of :class:`Result`.
    """
    curve: dict[float, float] = {}
    losses: dict[str, dict[float, float]] = {}
    for entry in log_entries(work_dir):
        if 'coco/bbox_mAP' in entry:
            curve[entry['step']] = entry['coco/bbox_mAP']
        for key, value in entry.items():
            if 'loss' in key and isinstance(value, float):
                losses.setdefault(key, {})[entry['step']] = value
    return sorted(curve.items()), {
        key: sorted(values.items()) for key, values in losses.items()}


def draw_curves(results: Sequence[Result], file: Path) -> None:
    """Plot mAP of all models, and the distillation losses of the last."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5))
    for result in results:
        if result.curve:
            epochs, values = zip(*result.curve, strict=True)
            left.plot(epochs, 100 * np.array(values), 'o-', label=result.name)
    left.set(xlabel='epoch', ylabel='mAP', ylim=(0, None))
    left.legend()
    left.grid(alpha=.3)
    for name, points in sorted(results[-1].losses.items()):
        if name.startswith('distill.'):
            steps, values = zip(*points, strict=True)
            right.plot(steps, values, label=name.removeprefix('distill.'),
                       linestyle='--' if '_bg_' in name else '-')
    right.set(xlabel='iteration', ylabel='distillation loss', yscale='log')
    if right.lines:
        right.legend(fontsize='small', ncols=2)
    right.grid(alpha=.3)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def draw_boxes(image: NDArray[Any], boxes: Sequence[Mapping[str, Any]],
               names: Mapping[int, str], title: str) -> NDArray[Any]:
    """A copy of an image, titled, with boxes of COCO results or annotations.

    Args:
        image: Shape ``(H, W, 3)``, BGR.
        boxes: With ``bbox``, ``category_id`` and perhaps ``score``.
        names: Category names by id.
        title: Written above the image.
    """
    scale = max(1, round(480 / image.shape[1]))
    canvas = cv2.resize(image, None, fx=scale, fy=scale,
                        interpolation=cv2.INTER_NEAREST)
    colours = matplotlib.colormaps['tab10']
    order = sorted(names)
    for box in boxes:
        x, y, w, h = (round(v * scale) for v in box['bbox'])
        at = order.index(box['category_id']) % 10
        colour = [round(255 * c) for c in colours(at)[2::-1]]
        text = names[box['category_id']]
        if 'score' in box:
            text += f' {box["score"]:.2f}'
        cv2.rectangle(canvas, (x, y), (x + w, y + h), colour, 2)
        place = (x + 2, max(11, y - 3))
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, .38,
                    (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, .38,
                    (255, 255, 255), 1, cv2.LINE_AA)
    bar = np.full((28, canvas.shape[1], 3), 245, np.uint8)
    cv2.putText(bar, title, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, .55, (0, 0, 0),
                1, cv2.LINE_AA)
    return np.vstack([bar, canvas])


def draw_side_by_side(coco: Mapping[str, Any], images: Path,
                      detections: Mapping[str, Sequence[Mapping[str, Any]]],
                      info: Mapping[str, Any], file: Path) -> None:
    """Draw an image with its ground truth and with detections of models.

    Args:
        coco (Mapping): A split's annotations in COCO's format.
        images (Path): Folder of its images.
        detections (Mapping): Results in COCO's format by title, left to
            right.
        info (Mapping): COCO's entry of the image.
        file (Path): To write.
    """
    names = {c['id']: c['name'] for c in coco['categories']}
    image = np.asarray(cv2.imread(str(images / info['file_name'])))
    panels = [draw_boxes(
        image, [a for a in coco['annotations']
                if a['image_id'] == info['id'] and not a.get('iscrowd')],
        names, 'ground truth')]
    panels += [draw_boxes(
        image, [d for d in boxes if d['image_id'] == info['id']
                and d['score'] >= THRESHOLD], names, title)
        for title, boxes in detections.items()]
    gap = np.full((panels[0].shape[0], 6, 3), 255, np.uint8)
    row = [part for panel in panels for part in (panel, gap)][:-1]
    cv2.imwrite(str(file), np.hstack(row))


def draw_pictures(coco: Mapping[str, Any], images: Path,
                  results: Sequence[Result], folder: Path,
                  count: int = 6) -> list[str]:
    """Draw ground truth and detections of the results side by side.

    Images are taken at equal distances from the split, not chosen by result.

    Args:
        coco (Mapping): The split's annotations.
        images (Path): Folder of its images.
        results (Sequence[Result]): Models to compare.
        folder (Path): Where the PNG files go.
        count (int): Number of images.  Defaults to 6.

    Returns:
        list[str]: Names of the files.
    """
    step = max(1, len(coco['images']) // count)
    files = []
    for number, info in enumerate(coco['images'][::step][:count], 1):
        file = f'image_{number}.png'
        draw_side_by_side(
            coco, images, {each.name: each.detections for each in results},
            info, folder / file)
        files.append(file)
    return files


def render(template: str, **values: Any) -> str:
    """Fill one of the HTML templates that lie beside this file."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True).get_template(template).render(**values)


def write_report(folder: Path, title: str, summary: str, command: str,
                 versions: Mapping[str, str], notes: Sequence[str],
                 results: Sequence[Result], compared: Sequence[Result],
                 coco: Mapping[str, Any], images: Path) -> None:
    """Write ``index.html``, ``table.md``, the curves and the pictures.

    Args:
        folder (Path): Made anew.
        title (str): Heading.
        summary (str): One sentence under it.
        command (str): What to run for the same report.
        versions (Mapping): Names and versions of what was used.
        notes (Sequence[str]): Sentences below the table.
        results (Sequence[Result]): Rows of the table; the last is distilled.
        compared (Sequence[Result]): Those that the pictures show.
        coco (Mapping): Annotations of the validation split.
        images (Path): Folder of its images.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / 'table.md').write_text(markdown_table(results))
    draw_curves(results, folder / 'curves.png')
    pictures = draw_pictures(coco, images, compared, folder)
    (folder / 'index.html').write_text(render(
        'report.html', title=title, summary=summary, command=command,
        versions=versions, notes=notes, rows=[HEADER, *table_rows(results)],
        pictures=pictures, threshold=THRESHOLD))
