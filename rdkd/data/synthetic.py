"""Synthetic detection scenes with COCO annotations.

Every class is a shape with a texture.  Colors say nothing, and neither the
shape nor the texture alone tells all classes apart.
"""
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rdkd.errors import InputError

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
#: Wraps an iteration to show how far it is.
Progress = Callable[[Iterable[int]], Iterable[int]]

#: Category id, shape, texture.  The ids have gaps, as those of COCO do.
CATEGORIES = ((3, 'disc', 'striped'), (8, 'disc', 'ringed'),
              (13, 'star', 'striped'))
CLASSES = tuple(f'{texture}_{shape}' for _, shape, texture in CATEGORIES)

#: Sides of the objects in pixels, and what is left of one that is covered.
SMALLEST, LARGEST = 8, 200
_LEAST_VISIBLE = 0.5
#: Largest turn of an object and of its texture, in radians.
_TURN = 0.4


@dataclass(frozen=True)
class Spec:
    """What determines a synthetic data set completely.

    Attributes:
        seed: Seed of all random numbers.
        splits: Number of images of each split.
        width: Width of the images in pixels.
        height: Height of the images in pixels.
        objects: Mean number of objects in an image.
        empty: Share of images without objects.
        crowds: Share of images with a crowd box.
        version: Raised whenever the same spec would draw other pixels.
    """
    seed: int = 0
    splits: dict[str, int] = field(
        default_factory=lambda: {'train': 200, 'val': 100})
    width: int = 320
    height: int = 240
    objects: int = 7
    empty: float = 0.04
    crowds: float = 0.08
    version: int = 1


def _outline(shape: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """Corners of a shape of radius 1 around 0, shape ``(P, 2)``."""
    if shape == 'disc':
        corners, inner = 48, 1.0
    elif shape == 'star':
        corners, inner = 10, 0.5
    else:
        corners, inner = 4, 1.0
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radii = np.where(np.arange(corners) % 2, inner, 1.0)
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    turn = np.pi / 4 + rng.uniform(-_TURN, _TURN)
    stretch = np.diag([1.0, rng.uniform(0.7, 1.0)])
    rotation = np.array([[np.cos(turn), -np.sin(turn)],
                         [np.sin(turn), np.cos(turn)]])
    return points @ stretch @ rotation.T


def _texture(kind: str, u: Field, v: Field, cycles: float) -> Field:
    """A pattern in [0, 1] over object coordinates of radius 1."""
    across = u if kind == 'striped' else np.hypot(u, v)
    wave = np.sin(np.pi * cycles * across)
    return (np.clip(wave * 2, -1, 1) * 0.5 + 0.5).astype(np.float32)


def _background(spec: Spec, rng: np.random.Generator) -> Field:
    """Smooth and rough noise between two grays, with lines over it."""
    shape = (spec.height, spec.width)
    mix = np.zeros(shape, np.float32)
    for octave in range(2, 7):
        cells = (2**octave * shape[0] // shape[1] + 1, 2**octave)
        noise = rng.random(cells, dtype=np.float32)
        mix += cv2.resize(noise, shape[::-1],
                          interpolation=cv2.INTER_CUBIC) * 0.7**octave
    mix = (mix - mix.min()) / (np.ptp(mix) + 1e-6)
    gray = rng.uniform(50, 200, (2, 1))
    low, high = (gray + rng.uniform(-25, 25, (2, 3))).astype(np.float32)
    canvas = low + mix[..., None] * (high - low)
    for _ in range(rng.integers(2, 6)):
        ends = rng.uniform(0, 1, (2, 2)) * shape[::-1]
        start, stop = ends.astype(int).tolist()
        cv2.line(canvas, start, stop, [rng.uniform(40, 210)] * 3,
                 int(rng.integers(1, 5)), cv2.LINE_AA)
    return canvas


def _paint(canvas: Field, shape: str, texture: str, center: NDArray[Any],
           side: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw one object and return the pixels it covers."""
    points = _outline(shape, rng)
    points *= side / np.ptp(points, axis=0).max()
    cover = np.zeros(canvas.shape[:2], np.uint8)
    polygon = np.round((points + center) * 16).astype(np.int32)
    cv2.fillPoly(cover, [polygon], 255, cv2.LINE_AA, shift=4)
    left, top, width, height = cv2.boundingRect(cover)
    part = np.s_[top:top + height, left:left + width]
    rows, columns = np.indices((height, width), dtype=np.float32)
    turn = rng.uniform(-_TURN, _TURN)
    x = (columns + left - center[0]) / (side / 2)
    y = (rows + top - center[1]) / (side / 2)
    u = x * np.cos(turn) + y * np.sin(turn)
    v = y * np.cos(turn) - x * np.sin(turn)
    # At least three pixels for half a period, or the pattern is invisible.
    cycles = min(rng.uniform(2.5, 4), max(1.5, side / 6))
    pattern = _texture(texture, u.astype(np.float32), v.astype(np.float32),
                       cycles)[..., None]
    dark = rng.uniform(0, 110, 3)
    light = dark + rng.uniform(80, 145, 3)
    if rng.random() < 0.5:
        dark, light = light, dark
    alpha = cover[part][..., None].astype(np.float32) / 255
    canvas[part] += alpha * (dark + pattern * (light - dark) - canvas[part])
    return cover > 127


def _box(pixels: NDArray[np.bool_]) -> list[int]:
    """``[x, y, width, height]`` around the set pixels."""
    return list(cv2.boundingRect(pixels.astype(np.uint8)))


def draw_scene(spec: Spec, rng: np.random.Generator
               ) -> tuple[Image, list[dict[str, Any]]]:
    """Draw one image.

    Args:
        spec (Spec): Sizes and shares.
        rng (Generator): Source of all randomness.

    Returns:
        tuple: The image ``(height, width, 3)`` and its annotations, COCO
        dicts without ids.
    """
    canvas = _background(spec, rng)
    size = np.array([spec.width, spec.height])
    objects: list[tuple[int, NDArray[np.bool_], int]] = []
    annotations: list[dict[str, Any]] = []
    count = 0 if rng.random() < spec.empty else 1 + rng.poisson(
        spec.objects - 1)

    if count and rng.random() < spec.crowds:
        category, shape, texture = CATEGORIES[rng.integers(len(CATEGORIES))]
        middle = rng.uniform(0.2, 0.8, 2) * size
        covered = np.zeros(canvas.shape[:2], np.bool_)
        for _ in range(rng.integers(10, 16)):
            center = middle + rng.normal(0, 18, 2)
            covered |= _paint(canvas, shape, texture, center,
                              rng.uniform(10, 20), rng)
        annotations.append(dict(category_id=category, bbox=_box(covered),
                                area=int(covered.sum()), iscrowd=1))

    # On a logarithmic scale, most of them in the middle; the largest are
    # drawn first, or they would hide the others.
    sides = SMALLEST * (LARGEST / SMALLEST)**rng.beta(2.2, 2, count)
    for side in np.sort(sides)[::-1]:
        category, shape, texture = CATEGORIES[rng.integers(len(CATEGORIES))]
        center = rng.uniform(0.05, 0.95, 2) * size
        before = canvas.copy()
        pixels = _paint(canvas, shape, texture, center, side, rng)
        visible = [(c, old & ~pixels, total) for c, old, total in objects]
        *_, w, h = _box(pixels)
        if (min(w, h) < SMALLEST or max(w, h) > LARGEST
                or any(old.sum() < _LEAST_VISIBLE * total
                       or min(_box(old)[2:]) < SMALLEST
                       for _, old, total in visible)):
            canvas[:] = before  # it would hide another, or is cut off
            continue
        objects = [*visible, (category, pixels, int(pixels.sum()))]

    annotations += [
        dict(category_id=category, bbox=_box(pixels), area=int(pixels.sum()),
             iscrowd=0) for category, pixels, _ in objects
    ]
    blurred = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.9))
    noise = rng.normal(0, rng.uniform(2, 10), canvas.shape)
    return np.clip(blurred + noise, 0, 255).astype(np.uint8), annotations


def draw_split(spec: Spec, split: str, images: Path,
               progress: Progress = iter
               ) -> dict[str, Any]:
    """Draw one split's images into a folder.

    Args:
        spec (Spec): What to draw.
        split (str): A key of ``spec.splits``.
        images (Path): Folder of the PNG files.
        progress (Progress): Wraps the iteration over images.

    Returns:
        dict: The split's annotations in COCO format.
    """
    first = 1 + sum(n for name, n in spec.splits.items() if name < split)
    coco: dict[str, Any] = dict(
        info=dict(description='rdkd synthetic scenes', **asdict(spec)),
        images=[], annotations=[],
        categories=[dict(id=id_, name=name, supercategory=shape)
                    for (id_, shape, _), name in
                    zip(CATEGORIES, CLASSES, strict=True)])
    for image_id in progress(range(first, first + spec.splits[split])):
        image, annotations = draw_scene(
            spec, np.random.default_rng([spec.seed, image_id]))
        name = f'{split}_{image_id:06d}.png'
        # OpenCV's own writing does not notice a full disk.
        (images / name).write_bytes(
            cv2.imencode('.png', image)[1].tobytes())
        coco['images'].append(dict(id=image_id, file_name=name,
                                   width=spec.width, height=spec.height))
        for annotation in annotations:
            coco['annotations'].append(
                dict(id=len(coco['annotations']) + 1, image_id=image_id,
                     segmentation=[], **annotation))
    return coco


def make_dataset(out: str | os.PathLike[str], spec: Spec,
                 progress: Progress = iter
                 ) -> bool:
    """Draw a whole data set: ``annotations/*.json`` and ``images/``.

    It is drawn beside ``out`` and moved there when it is whole, so that an
    interrupted run leaves nothing half done.

    Args:
        out (path): Folder to make.
        spec (Spec): What to draw.
        progress (Progress): Wraps each iteration over images.

    Returns:
        bool: False if ``out`` already holds exactly this data set.

    Raises:
        InputError: If ``out`` holds anything else, or cannot be made.
    """
    try:
        # Not `resolve`, which raises something else where links form a loop.
        return _make(Path(os.path.realpath(out)), spec, progress)
    except OSError as error:
        raise InputError(f'the data set {out} cannot be made: {error}. '
                         'Nothing is left of it.') from error


def _holds(target: Path, spec: Spec) -> bool:
    try:
        return bool(json.loads((target / 'spec.json').read_text())
                    == asdict(spec))
    except (OSError, ValueError, RecursionError):
        return False


def _make(target: Path, spec: Spec, progress: Progress) -> bool:
    if _holds(target, spec):
        return False
    if os.path.lexists(target) and (not target.is_dir()
                                    or any(target.iterdir())):
        raise InputError(
            f'{target} exists and is not this synthetic data set (other seed or '
            'sizes, or other files). Nothing was changed: choose another '
            'folder or remove that one.')
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.drawing-',
                                     dir=target.parent) as folder:
        partial = Path(folder) / 'whole'
        (partial / 'images').mkdir(parents=True)
        (partial / 'annotations').mkdir()
        for split in spec.splits:
            coco = draw_split(spec, split, partial / 'images', progress)
            (partial / 'annotations' / f'{split}.json').write_text(
                json.dumps(coco, sort_keys=True, indent=1))
        (partial / 'spec.json').write_text(json.dumps(asdict(spec), indent=1))
        if target.exists():
            target.rmdir()
        partial.replace(target)
    return True
