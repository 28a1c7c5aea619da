"""Bad input: each a clear message before the first step (promise 10)."""
import json
import logging
import shutil

import pytest

from rdkd.runtime.checks import check_config
from rdkd.data.synthetic import CLASSES
from rdkd.errors import InputError


@pytest.fixture
def own(rdkd_cfg, mini_data, tmp_path):
    """A config on a copy of the data, and a function that edits a file."""
    root = tmp_path / 'own'
    shutil.copytree(mini_data, root)
    for split in ('train', 'val'):
        rdkd_cfg[f'{split}_dataloader'].dataset.data_root = str(root)
    rdkd_cfg.val_evaluator.ann_file = str(root / 'annotations/val.json')

    def edit(change, split='train'):
        path = root / 'annotations' / f'{split}.json'
        coco = json.loads(path.read_text())
        change(coco)
        path.write_text(json.dumps(coco))
    return rdkd_cfg, root, edit


def refuse(cfg, *named):
    with pytest.raises(InputError) as error:
        check_config(cfg)
    for text in named:
        assert text in str(error.value), str(error.value)


def test_good_data_pass(own):
    check_config(own[0])


def test_no_data_root(own):
    own[0].train_dataloader.dataset.data_root = 'no/such/root'
    refuse(own[0], 'no/such/root', 'does not exist')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_no_annotation_file(own, split):
    path = own[1] / 'annotations' / f'{split}.json'
    path.unlink()
    refuse(own[0], str(path), 'does not exist')


@pytest.mark.parametrize('text, named', [
    ('{"images": [', 'not JSON'), ('[]', "no list 'images'"),
    ('{"images": [], "annotations": {}}', "no list 'annotations'")])
def test_malformed_annotation_file(own, text, named):
    path = own[1] / 'annotations' / 'train.json'
    path.write_text(text)
    refuse(own[0], str(path), named)


def test_missing_image(own):
    cfg, root, _ = own
    image = next((root / 'images').glob('val*'))
    image.unlink()
    refuse(cfg, str(image), 'missing')


def test_file_that_is_no_image(own):
    cfg, root, _ = own
    image = next((root / 'images').glob('train*'))
    image.write_text('not an image')
    refuse(cfg, str(image), 'not an image')


def test_image_that_is_cut_off(own):
    cfg, root, _ = own
    image = next((root / 'images').glob('train*'))
    image.write_bytes(image.read_bytes()[:2000])
    refuse(cfg, str(image), 'cut off')


def test_image_of_another_size(own):
    own[2](lambda coco: coco['images'][0].update(width=20))
    refuse(own[0], '96x64 and not 20x64')


@pytest.mark.parametrize('listed', [False, True])
def test_evaluator_of_another_file(own, listed):
    own[0].val_evaluator.ann_file = 'other.json'
    if listed:
        own[0].val_evaluator = [own[0].val_evaluator]
    refuse(own[0], 'val_evaluator.ann_file is other.json')


@pytest.mark.parametrize('part, entry, named', [
    ('images', 7, 'images[0] is 7'), ('annotations', None, 'is None'),
    ('annotations', dict(id=1, image_id=1, category_id=[3], bbox=[], area=1),
     'no valid category_id'),
    # pycocotools calculates with ids of annotations.
    ('annotations', dict(id='a', image_id=1, category_id=1,
                         bbox=[1, 1, 9, 9], area=81), 'no valid id'),
    ('images', dict(id=1, file_name=None, width=1, height='2'),
     'no valid file_name, height')])
def test_entries_of_the_wrong_kind(own, part, entry, named):
    own[2](lambda coco: coco[part].insert(0, entry))
    refuse(own[0], named)


def test_teacher_of_another_number_of_classes(own, tmp_path):
    from mmengine.config import Config
    teacher = Config.fromfile(own[0].model.teacher)
    teacher.model.bbox_head.num_classes = 80
    own[0].model.teacher = str(tmp_path / 'teacher80.py')
    teacher.dump(own[0].model.teacher)
    refuse(own[0], "the teacher's head has num_classes=80")


def test_category_that_the_config_lacks(own):
    def change(coco):
        coco['categories'].append(dict(id=99, name='zebra'))
        coco['annotations'][0]['category_id'] = 99
    own[2](change)
    refuse(own[0], 'train.json', 'zebra', 'the config lacks')


def test_category_that_the_annotations_lack(own):
    own[0].train_dataloader.dataset.metainfo.classes = (*CLASSES, 'zebra')
    refuse(own[0], 'train.json', 'zebra', 'has no category')


def test_classes_in_another_order(own):
    own[2](lambda coco: coco['categories'].reverse(), 'val')
    refuse(own[0], 'val.json', 'order')


def test_undeclared_category_id(own):
    own[2](lambda coco: coco['annotations'][0].update(category_id=77))
    refuse(own[0], 'train.json', '77')


def test_number_of_classes(own):
    own[0].model.architecture.bbox_head.num_classes = 80
    refuse(own[0], 'num_classes=80', '3 classes')


def test_empty_split(own):
    own[2](lambda coco: coco.update(images=[], annotations=[]), 'val')
    refuse(own[0], 'val.json', 'split is empty')


def test_no_boxes_to_learn_from(own):
    own[2](lambda coco: coco.update(annotations=[]))
    refuse(own[0], 'train.json', 'no box to learn from')


@pytest.mark.parametrize('part', ['images', 'annotations', 'categories'])
def test_duplicate_ids(own, part):
    own[2](lambda coco: coco[part].append(dict(coco[part][0])))
    refuse(own[0], 'train.json', f'ids occur twice in {part}')


@pytest.mark.parametrize('box', [[1, 2, 3], [0, 0, float('nan'), 5], 'x'])
def test_malformed_box(own, box):
    own[2](lambda coco: coco['annotations'][0].update(bbox=box))
    refuse(own[0], 'train.json', 'no valid bbox')


def test_box_of_no_image(own):
    own[2](lambda coco: coco['annotations'][0].update(image_id=12345))
    refuse(own[0], 'train.json', '12345')


def test_missing_key_names_the_entry(own):
    own[2](lambda coco: coco['annotations'][2].pop('area'))
    refuse(own[0], 'annotations[2]', 'area')


def test_unusable_boxes_are_counted_and_skipped(own, monkeypatch):
    def change(coco):
        coco['annotations'][0]['bbox'][2] = 0
        coco['annotations'][1]['bbox'][0] = 5000
    own[2](change)
    messages = []
    monkeypatch.setattr('rdkd.data.checks.print_log',
                        lambda text, logger, level=logging.INFO:
                        level == logging.WARNING
                        and messages.append(text))
    check_config(own[0])
    assert len(messages) == 2
    assert '1 boxes are smaller than a pixel' in messages[0]
    assert '1 boxes are outside' in messages[1]


@pytest.mark.parametrize('where, key, near', [
    ('model', 'teacher_checkpoint', 'teacher_ckpt'),
    ('distiller', 'loss_wieght', 'loss_weight')])
def test_unknown_distillation_key(own, where, key, near):
    part = own[0].model if where == 'model' else own[0].model.distiller
    part[key] = 1
    refuse(own[0], key, f"did you mean '{near}'")


def test_unknown_type(own):
    own[0].model.distiller.type = 'NoSuchDistiller'
    refuse(own[0], 'model.distiller.type', 'NoSuchDistiller')
