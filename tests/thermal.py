"""A synthetic FLIR ADAS: both releases as shipped, oddities included."""
import json
from functools import cache

import cv2
import numpy as np

from rdkd.data.synthetic import CATEGORIES, Spec, draw_scene

#: Annotation file, image folder and folder of each split.
LAYOUTS = {
    'v1.3': ('thermal_annotations.json', 'thermal_8_bit',
             dict(train='train', val='val', video='video')),
    'v2': ('coco.json', 'data',
           dict(train='images_thermal_train', val='images_thermal_val',
                video='video_thermal_test')),
}
IMAGES = dict(train=3, val=2, video=1)

#: Boxes without an area in the first training image, and what is left of them.
ODD = (
    ('car', [630, 500, 30, 40], [630, 500, 10, 12]),
    ('person', [-5, -6, 15, 16], [0, 0, 10, 10]),
    ('person', [100, 100, 0, 50], None),
    ('car', [640, 10, 20, 20], None),
    ('truck', [10, 10, 20, 20], None),
    ('truck', [40, 10, 20, 20], None),
)


@cache
def thermal_scene(seed):
    """A gray JPEG of warm things in a cool street, and their annotations."""
    spec = Spec(width=640, height=512, empty=0, crowds=0)
    image, annotations = draw_scene(spec, np.random.default_rng(seed))
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    warm = np.zeros_like(gray)
    for annotation in annotations:
        x, y, w, h = annotation['bbox']
        cv2.ellipse(warm, ((x + w / 2, y + h / 2), (w, h), 0), 1, -1)
    warm = cv2.GaussianBlur(warm, (0, 0), 2)
    gray = warm * (150 + 0.4 * gray) + (1 - warm) * 0.4 * gray
    return (cv2.imencode('.jpeg', gray.astype(np.uint8))[1].tobytes(),
            annotations)


def categories(release, dog):
    """Ids of the eighty categories that a file declares."""
    names = {i: f'thing {i}' for i in range(1, 81)}
    if release == 'v1.3':
        names |= {1: 'person', 2: 'bicycle', 3: 'car', 8: 'truck',
                  17: 'cat', 18: 'horse'}
    else:
        names |= {1: 'person', 2: 'bike', 3: 'car', 4: 'motor', 8: 'truck',
                  10: 'light', 79: 'other vehicle'}
    return {name: id_ for id_, name in (names | {dog: 'dog'}).items()}


def image_name(release, split, number):
    if release == 'v2':
        return f'video-{split}Af3dwvs6-frame-{number:06d}-{number}bapJsHpT.jpg'
    return dict(train=f'FLIR_{number + 1:05d}.jpeg',
                val=f'FLIR_{number + 8863:05d}.jpeg',
                video=f'FLIR_video_{number + 1:05d}.jpeg')[split]


def make_thermal(root, release, dog=17):
    """Write one release.

    Args:
        root (Path): Folder to make.
        release (str): ``'v1.3'`` or ``'v2'``.
        dog (int): Category id of the dogs.

    Returns:
        dict: The good boxes of each split, as (image, class, box, area).
    """
    file, folder, folders = LAYOUTS[release]
    ids = categories(release, dog)
    bicycle = 'bicycle' if 'bicycle' in ids else 'bike'
    good = {}
    for split, images in IMAGES.items():
        here = root / folders[split]
        (here / folder).mkdir(parents=True)
        good[split] = []
        coco = dict(info={}, images=[], annotations=[], categories=[
            dict(id=id_, name=name, supercategory='unknown')
            for name, id_ in ids.items()])

        def annotate(image, name, box, crowd=False, coco=coco, **more):
            x, y, w, h = box
            number = len(coco['annotations'])
            if number % 2:
                more['track_id'] = number
            coco['annotations'].append(dict(
                id=number, image_id=image, category_id=ids[name], bbox=box,
                iscrowd=crowd if release == 'v2' else int(crowd),
                # An hourglass: its edges cross.
                segmentation=[[x, y, x + w, y, x, y + h, x + w, y + h]],
                **more))

        for image in range(images + (split == 'train')):
            name = image_name(release, split, image)
            listed = f'{folder}/{name}'
            if (release, split) == ('v1.3', 'val'):
                listed = name if image else listed.removesuffix('.jpeg')
            coco['images'].append(dict(id=image, file_name=listed, width=640,
                                       height=512))
            if image % 2:
                coco['images'][-1]['extra_info'] = dict(hours='night')
            if image == images:  # listed, and not there
                annotate(image, 'person', [10, 10, 20, 20])
                annotate(image, bicycle, [10, 10, 20, 20])
                continue
            jpeg, boxes = thermal_scene(
                (list(IMAGES).index(split), image))
            (here / folder / name).write_bytes(jpeg)
            if split == 'train' and image == 2:
                continue  # nothing in it is annotated
            for i, a in enumerate(boxes):
                label = ('dog' if not i else dict(zip(
                    (c[0] for c in CATEGORIES), ('person', bicycle, 'car'),
                    strict=True))[a['category_id']])
                crowd = split == 'train' and i == 1 and not image
                annotate(image, label, a['bbox'], crowd, area=a['area'])
                good[split].append((name, label.replace(bicycle, 'bicycle'),
                                    a['bbox'], a['area']))
        if split == 'train':
            for label, box, _ in ODD:
                annotate(0, label, box)
            # An undeclared category, and an annotation id of another.
            coco['annotations'].append(dict(
                coco['annotations'][-1], category_id=91))
        (here / file).write_text(json.dumps(coco))
        # Of the same names, and not to be read.
        other = 'RGB' if release == 'v1.3' else 'analyticsData'
        (here / other).mkdir()
        (here / other / name).write_text('not thermal')
        (here / 'index.json').write_text('{}')
    return good


def edit(root, release, change, split='train'):
    """Change an annotation file as it is shipped."""
    file, _, folders = LAYOUTS[release]
    path = root / folders[split] / file
    coco = json.loads(path.read_text())
    change(coco)
    path.write_text(json.dumps(coco))
