"""Files of images in one folder, and the COCO file that lists them."""
import numpy as np
from PIL import Image

from rdkd.data.images import check_images


def picture(width=96, height=64, mode='RGB'):
    """Noise, so that a file is as long as its image is large."""
    noise = np.random.default_rng(0).integers(
        0, 256, (height, width, 3), np.uint8)
    if mode == 'F':
        return Image.fromarray(noise[..., 0].astype(np.float32))
    return Image.fromarray(noise).convert(mode)


def entry(name, width=96, height=64):
    return dict(id=name, file_name=name, width=width, height=height)


def check(folder, *entries, pipeline=(), memory=None):
    entries = entries or [entry(f.name) for f in sorted(folder.iterdir())]
    check_images(dict(images=entries), folder, folder / 'train.json',
                 pipeline, memory)
