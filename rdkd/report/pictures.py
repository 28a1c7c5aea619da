"""Images with boxes, side by side."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from rdkd.analysis.changes import THRESHOLD
from rdkd.errors import InputError

#: Results or annotations in COCO's format.
Boxes = Sequence[Mapping[str, Any]]


def read_image(path: str) -> NDArray[Any]:
    """Read an image.

    Args:
        path (str): Of a file.

    Returns:
        NDArray: uint8, shape ``(H, W, 3)``, RGB.

    Raises:
        InputError: If there is no such file, or it is no image.
    """
    if not Path(path).is_file():
        raise InputError(f'the image {path} does not exist.')
    image = cv2.imread(path)
    if image is None:
        raise InputError(f'the image {path} cannot be read. Name a whole JPEG '
                         'or PNG file.')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def draw_boxes(image: NDArray[Any], boxes: Boxes, names: Mapping[int, str],
               title: str) -> NDArray[Any]:
    """A copy of an image, titled, with boxes of COCO results or annotations.

    Args:
        image (NDArray): uint8, shape ``(H, W, 3)``, BGR.
        boxes (Sequence[Mapping]): With ``bbox``, ``category_id`` and perhaps
            ``score``.
        names (Mapping[int, str]): Category names by id.
        title (str): Written above the image.

    Returns:
        NDArray: uint8, BGR, small images enlarged by a whole factor.
    """
    scale = max(1, round(480 / image.shape[1]))
    canvas = cv2.resize(image, None, fx=scale, fy=scale,
                        interpolation=cv2.INTER_NEAREST)
    colors = colormaps['tab10']
    order = sorted(names)
    for box in boxes:
        x, y, w, h = (round(v * scale) for v in box['bbox'])
        at = order.index(box['category_id']) % 10
        color = [round(255 * c) for c in colors(at)[2::-1]]
        text = names[box['category_id']]
        if 'score' in box:
            text += f' {box["score"]:.2f}'
        cv2.rectangle(canvas, (x, y), (x + w, y + h), color, 2)
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
                      detections: Mapping[str, Boxes],
                      info: Mapping[str, Any], file: Path) -> None:
    """Draw an image with its ground truth and with detections of models.

    Args:
        coco (Mapping): A split's annotations in COCO's format.
        images (Path): Folder of its images.
        detections (Mapping[str, Sequence[Mapping]]): Results in COCO's format
            by title, left to right.
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
                  detections: Mapping[str, Boxes], folder: Path,
                  count: int = 6) -> list[str]:
    """Draw ground truth and detections of models for some of the images.

    Images are taken at equal distances from the split, not chosen by result.

    Args:
        coco (Mapping): The split's annotations.
        images (Path): Folder of its images.
        detections (Mapping[str, Sequence[Mapping]]): As of
            :func:`draw_side_by_side`.
        folder (Path): Where the PNG files go.
        count (int): Number of images.  Defaults to 6.

    Returns:
        list[str]: Names of the files.
    """
    step = max(1, len(coco['images']) // count)
    files = []
    for number, info in enumerate(coco['images'][::step][:count], 1):
        files.append(f'image_{number}.png')
        draw_side_by_side(coco, images, detections, info, folder / files[-1])
    return files
