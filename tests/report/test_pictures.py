"""Images are read, and drawn with their boxes."""
import cv2
import numpy as np
import pytest

from rdkd.errors import InputError
from rdkd.report.pictures import draw_side_by_side, read_image


def test_images_are_read_as_rgb_or_refused(tmp_path):
    path = tmp_path / 'red.png'
    cv2.imwrite(str(path), np.full((2, 2, 3), (0, 0, 255), np.uint8))
    assert read_image(str(path))[0, 0].tolist() == [255, 0, 0]
    (tmp_path / 'text.png').write_text('no image')
    for name, problem in (('text.png', 'cannot be read'),
                          ('none.png', 'does not exist')):
        with pytest.raises(InputError, match=f'{name} {problem}'):
            read_image(str(tmp_path / name))


def test_detections_are_drawn_above_the_threshold_beside_the_truth(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((40, 480, 3), np.uint8))
    coco = dict(images=[dict(id=7, file_name='a.png')],
                categories=[dict(id=3, name='cat')],
                annotations=[dict(image_id=7, category_id=3,
                                  bbox=[100, 10, 50, 20])])

    def detection(image, x, score):
        return dict(image_id=image, category_id=3, bbox=[x, 10, 50, 20],
                    score=score)

    draw_side_by_side(
        coco, tmp_path, {'model': [detection(7, 300, .9),
                                   detection(7, 200, .29),
                                   detection(8, 400, .9)]},
        coco['images'][0], tmp_path / 'out.png')
    picture = cv2.imread(str(tmp_path / 'out.png'))
    assert picture.shape == (28 + 40, 480 + 6 + 480, 3)
    # The lower edges of boxes, in the truth's panel and in the model's.
    edge = picture[28 + 30].max(axis=1) > 100
    assert edge[110:140].all()
    assert not edge[160:470].any()
    assert edge[486 + 310:486 + 340].all()
    assert not edge[486:486 + 290].any()
    assert not edge[486 + 360:].any()
