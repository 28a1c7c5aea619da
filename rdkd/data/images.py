"""Checking images before training: decoded as training will decode them."""
import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG
from typing import Any

import cv2
import mmcv
import PIL
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError

from rdkd.data.coco import some
from rdkd.data.image_memory import ImageMemory, remembered
from rdkd.detectors.inherit import type_name
from rdkd.errors import InputError
from rdkd.io.terminal import track

#: Images that a thread takes at once: a known one is not worth a task.
_PART = 16
Size = tuple[int, int]  # width, height in pixels
Pipeline = Sequence[Mapping[str, Any]]


def load_step(pipeline: Pipeline) -> dict[str, Any]:
    """The step of a pipeline that decodes images.

    Args:
        pipeline (Sequence[Mapping]): Of a dataset's config.

    Returns:
        dict: Config of a ``LoadImageFromFile`` or a subclass; that of
        MMDetection's default where the pipeline has none.  Without
        ``ignore_empty``: what it passes over is looked for here.
    """
    for step in pipeline:
        cls = (TRANSFORMS.get(step['type'])
               if isinstance(step['type'], str) else step['type'])
        if isinstance(cls, type) and issubclass(cls, LoadImageFromFile):
            return {k: v for k, v in step.items() if k != 'ignore_empty'}
    return dict(type='LoadImageFromFile')


def _reached(step: Mapping[str, Any]) -> list[Any]:
    """The scales that one of MMCV's steps may resize to, or their least."""
    if step.get('resize_type', 'Resize') != 'Resize':
        return []
    match type_name(step), step.get('scale'):
        case ('Resize' | 'FixScaleResize'), (int() | list() | tuple()) as one:
            return [one]
        case 'RandomResize', (int(), int()) as scale:
            return [tuple(int(edge * min(step['ratio_range']))
                          for edge in scale)]
        case 'RandomResize', [*scales]:
            return [tuple(map(min, zip(*scales, strict=True)))]
        case 'RandomChoiceResize', None:
            scales = step['scales']
            return list(scales) if isinstance(scales, list) else [scales]
    return []


def smallest_size(size: Size, pipeline: Pipeline) -> Size:
    """The least that the first resizing of a pipeline leaves of an image.

    Args:
        size (tuple[int, int]): Width and height of the image in pixels.
        pipeline (Sequence[Mapping]): Of a dataset's config.

    Returns:
        tuple[int, int]: Width and height in pixels; ``size`` where nothing
        resizes with a kept ratio of the sides.
    """
    for step in pipeline:
        scales = _reached(step)
        if scales and step.get('keep_ratio'):
            return min(mmcv.rescale_size(
                size, (s, s) if isinstance(s, int) else tuple(s))
                for s in scales)
        if scales:
            break
    return size


def damage(file: Path) -> str | None:
    """What Pillow finds wrong with an image, if anything."""
    try:
        with Image.open(file) as image:
            image.load()
    except UnidentifiedImageError:
        return 'not an image'
    except Exception:  # Pillow raises many kinds for broken files
        return 'cut off or damaged'
    return None


def without_end(file: Path) -> bool:
    """Whether a file is a JPEG that does not end as one.

    OpenCV before 4.11 decodes it and fills up what is missing.
    """
    with file.open('rb') as opened:
        start = opened.read(2)
        opened.seek(-2, os.SEEK_END)
        return start == b'\xff\xd8' and opened.read() != b'\xff\xd9'


def why_not_decoded(file: Path) -> str:
    """What is wrong with an image that could not be decoded."""
    found = damage(file)
    if found:
        return found
    with Image.open(file) as image:
        return (f'a {image.format} image of Pillow\'s mode {image.mode}, which '
                'the pipeline\'s LoadImageFromFile cannot decode')


def misfit(image: Mapping[str, Any], size: Size, pipeline: Pipeline
           ) -> str | None:
    """What is wrong with the size of an image, if anything is.

    Args:
        image (Mapping): Its entry in the annotations.
        size (tuple[int, int]): Its width and height as decoded, in pixels.
        pipeline (Sequence[Mapping]): What comes after.
    """
    width, height = declared = image['width'], image['height']
    if declared != size:
        text = (f'{size[0]}x{size[1]} and not {width}x{height} as the '
                'annotations say')
        if declared == size[::-1]:
            text += (' (if its EXIF data turn it: correct width and height, '
                     "or, if the boxes are of the image as it is stored, set "
                     "LoadImageFromFile's color_type="
                     "'color_ignore_orientation')")
        return text
    if min(smallest_size(size, pipeline)) < 1:
        return (f'{size[0]}x{size[1]} and has no side of a pixel left after '
                'the pipeline\'s Resize')
    return None


def check_images(coco: Mapping[str, Any], folder: Path, path: Path,
                 pipeline: Pipeline = (),
                 memory: ImageMemory | None = None) -> None:
    """Check that every image can be decoded and resized.

    Args:
        coco (Mapping): Content of a COCO file.
        folder (Path): Of its images.
        path (Path): The COCO file, for messages.
        pipeline (Sequence[Mapping]): What training does with an image.
            Defaults to decoding it as MMDetection does.
        memory (ImageMemory, optional): Images that it knows are not read
            again.  Defaults to none.

    Raises:
        InputError: Names the images that cannot be used.
    """
    memory = memory or ImageMemory()
    step = load_step(pipeline)
    load = TRANSFORMS.build(step)
    settings = ', '.join(f'{key}={value}' for key, value in sorted(
        dict(step, type=type_name(step)).items()))
    section = memory.section(
        folder, f'{settings}, OpenCV {cv2.__version__}, Pillow '
        f'{PIL.__version__}')

    def look(image: Mapping[str, Any]) -> tuple[os.stat_result, Size] | str:
        file = folder / image['file_name']
        try:
            stat = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return 'missing'
        except (OSError, ValueError) as error:
            return f'unreadable ({error})'
        if not S_ISREG(stat.st_mode):  # a pipe would be waited for
            return 'not a file'
        size = remembered(section, image['file_name'], stat)
        if size is None:
            try:
                height, width = load(dict(img_path=str(file)))['img'].shape[:2]
            except PermissionError as error:
                return f'unreadable ({error})'
            except Exception:  # decoders raise many kinds
                return why_not_decoded(file)
            # Some cameras write more after the end of a whole image.
            found = damage(file) if without_end(file) else None
            if found:
                return found
            size = width, height
        return stat, size

    images = coco['images']
    pool = ThreadPoolExecutor()
    parts = pool.map(lambda part: [look(image) for image in part],
                     (images[i:i + _PART] for i in range(0, len(images),
                                                         _PART)))
    problems = []
    try:
        for image, seen in zip(images, track(
                itertools.chain.from_iterable(parts), total=len(images),
                description=f'checking images of {path.name}',
                transient=True), strict=True):
            if isinstance(seen, str):
                problem: str | None = seen
            else:
                memory.keep(section, image['file_name'], *seen)
                problem = misfit(image, seen[1], pipeline)
            if problem:
                problems.append(f'{folder / image["file_name"]} is {problem}')
    finally:
        pool.shutdown(cancel_futures=True)
        memory.write()
    if problems:
        raise InputError(f'{path}: {len(problems)} of {len(images)} images '
                         f'cannot be used: {some(problems)}.')
