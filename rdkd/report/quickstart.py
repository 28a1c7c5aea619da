"""The quickstart's report: table, learning curves, pictures."""
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdkd.analysis.changes import THRESHOLD
from rdkd.analysis.logs import Curve
from rdkd.report.curves import draw_curves
from rdkd.report.pages import render
from rdkd.report.pictures import draw_pictures
from rdkd.report.tables import markdown


@dataclass(frozen=True)
class Result:
    """What was measured of one model.

    Attributes:
        name: As the table shows it.
        metrics: ``CocoMetric``'s values, e.g. ``coco/bbox_mAP`` in [0, 1].
        parameters: Number of parameters of the deployed model.
        milliseconds: Time per image, one image at a time.
        detections: COCO-format results on the validation images.
        curve: ``(epoch, mAP in [0, 1])`` while training.
        losses: For every logged loss ``(iteration, value)``.
    """
    name: str
    metrics: Mapping[str, float]
    parameters: int
    milliseconds: float
    detections: Sequence[Mapping[str, Any]]
    curve: Curve
    losses: Mapping[str, Curve]


def result_cells(results: Sequence[Result]) -> list[list[str]]:
    """The table, its header first; one row for each model.

    Args:
        results (Sequence[Result]): Of the models.
    """
    return [
        ['model', 'mAP', 'AP50', 'AP75', 'parameters', 'time per image'],
        *([result.name,
           *(f'{100 * result.metrics[f"coco/bbox_{key}"]:.1f}'
             for key in ('mAP', 'mAP_50', 'mAP_75')),
           f'{result.parameters / 1e6:.2f} M',
           f'{result.milliseconds:.1f} ms'] for result in results)]


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
        versions (Mapping[str, str]): Names and versions of what was used.
        notes (Sequence[str]): Sentences below the table.
        results (Sequence[Result]): Rows of the table; the last is distilled.
        compared (Sequence[Result]): Those that the pictures show.
        coco (Mapping): Annotations of the validation split.
        images (Path): Folder of its images.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = result_cells(results)
    (folder / 'table.md').write_text(markdown(rows))
    draw_curves({each.name: each.curve for each in results},
                results[-1].losses, folder / 'curves.png')
    shown = {each.name: each.detections for each in compared}
    pictures = draw_pictures(coco, images, shown, folder)
    (folder / 'index.html').write_text(render(
        'quickstart.html', title=title, summary=summary, command=command,
        versions=versions, notes=notes, rows=rows, pictures=pictures,
        panels=list(shown), threshold=THRESHOLD))
