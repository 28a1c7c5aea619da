"""What is wrong with a config or its data is said before the first step."""
import json
import logging
import os
import shutil

import pytest
from mmengine.config import Config

from rdkd.data.image_memory import FILE
from rdkd.data.synthetic import CLASSES
from rdkd.errors import InputError
from rdkd.runtime.checks import check_config, check_splits


@pytest.fixture
def case(rdkd_cfg, mini_data, tmp_path):
    """A config on a copy of the data, and a function that edits a file."""
    root = tmp_path / 'data'
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


def test_good_data_pass(case):
    check_config(case[0])


def test_a_data_root_that_is_not_there_is_named(case):
    case[0].train_dataloader.dataset.data_root = 'no/such/root'
    refuse(case[0], 'no/such/root', 'does not exist')


@pytest.mark.parametrize('split', ['train', 'val'])
def test_an_annotation_file_that_is_not_there_is_named(case, split):
    path = case[1] / 'annotations' / f'{split}.json'
    path.unlink()
    refuse(case[0], str(path), 'does not exist')


@pytest.mark.parametrize('text, named', [
    ('{"images": [', 'not JSON'), ('[]', "no list 'images'"),
    ('{"images": [], "categories": [], "annotations": {}}',
     "no list 'annotations'")])
def test_a_malformed_annotation_file_is_named(case, text, named):
    path = case[1] / 'annotations' / 'train.json'
    path.write_text(text)
    refuse(case[0], str(path), named)


def test_a_missing_image_is_named(case):
    cfg, root, _ = case
    image = next((root / 'images').glob('val*'))
    image.unlink()
    refuse(cfg, str(image), 'missing')


def test_a_file_that_is_no_image_is_named(case):
    cfg, root, _ = case
    image = next((root / 'images').glob('train*'))
    image.write_text('not an image')
    refuse(cfg, str(image), 'not an image')


def test_an_image_that_is_cut_off_is_named(case):
    cfg, root, _ = case
    image = next((root / 'images').glob('train*'))
    image.write_bytes(image.read_bytes()[:2000])
    refuse(cfg, str(image), 'cut off')


def test_an_image_of_another_size_is_refused(case):
    case[2](lambda coco: coco['images'][0].update(width=20))
    refuse(case[0], '96x64 and not 20x64')


def test_images_are_looked_at_unless_told_otherwise(case, tmp_path):
    cfg, root, _ = case
    cfg.work_dir = str(tmp_path / 'run')
    check_config(cfg)
    assert os.listdir(cfg.work_dir) == [FILE]
    next((root / 'images').glob('val*')).unlink()
    refuse(cfg, 'missing')
    check_splits(cfg, images=False)
    cfg.work_dir = str(tmp_path / 'other')
    check_splits(cfg, images=False)
    assert not (tmp_path / 'other').exists()


def test_the_pipeline_that_decodes_is_the_datasets(case):
    """Each split's own: here one that leaves nothing of an image."""
    for step in case[0].val_dataloader.dataset.pipeline:
        if step['type'] == 'Resize':
            step['scale'] = (0.4, 0.4)
    refuse(case[0], 'val.json', 'no side of a pixel left')


@pytest.mark.parametrize('name', ['../images2/a.png', '/etc/passwd'])
def test_images_outside_of_the_folder_are_refused(case, name):
    case[2](lambda coco: coco['images'][0].update(file_name=name))
    refuse(case[0], 'train.json', f'outside of {case[1]}/images: {name}')


def test_image_ids_of_two_kinds_are_refused(case):
    def change(coco):
        coco['images'].append(dict(coco['images'][0], id='a'))
    case[2](change, 'val')
    refuse(case[0], 'val.json', 'some image ids are numbers')


@pytest.mark.parametrize('listed', [False, True])
def test_an_evaluator_of_another_file_is_refused(case, listed):
    case[0].val_evaluator.ann_file = 'other.json'
    if listed:
        case[0].val_evaluator = [case[0].val_evaluator]
    refuse(case[0], 'val_evaluator.ann_file is other.json')


@pytest.mark.parametrize('part, entry, named', [
    ('images', 7, 'images[0] is 7'), ('annotations', None, 'is None'),
    ('annotations', dict(id=1, image_id=1, category_id=[3], bbox=[], area=1),
     'no valid category_id'),
    # pycocotools calculates with ids of annotations.
    ('annotations', dict(id='a', image_id=1, category_id=1,
                         bbox=[1, 1, 9, 9], area=81), 'no valid id'),
    ('images', dict(id=1, file_name=None, width=1, height='2'),
     'no valid file_name, height')])
def test_entries_of_the_wrong_kind_are_named(case, part, entry, named):
    case[2](lambda coco: coco[part].insert(0, entry))
    refuse(case[0], named)


def test_a_teacher_of_another_number_of_classes_is_refused(case, tmp_path):
    teacher = Config.fromfile(case[0].model.teacher)
    teacher.model.bbox_head.num_classes = 80
    case[0].model.teacher = str(tmp_path / 'teacher80.py')
    teacher.dump(case[0].model.teacher)
    refuse(case[0], "the teacher's head has num_classes=80")


def test_a_category_that_the_config_lacks_is_named(case):
    def change(coco):
        coco['categories'].append(dict(id=99, name='zebra'))
        coco['annotations'][0]['category_id'] = 99
    case[2](change)
    refuse(case[0], 'train.json', 'zebra', 'the config lacks')


def test_a_category_that_the_annotations_lack_is_named(case):
    case[0].train_dataloader.dataset.metainfo.classes = (*CLASSES, 'zebra')
    refuse(case[0], 'train.json', 'zebra', 'has no category')


def test_classes_in_another_order_are_refused(case):
    case[2](lambda coco: coco['categories'].reverse(), 'val')
    refuse(case[0], 'val.json', 'order')


def test_an_undeclared_category_id_is_named(case):
    case[2](lambda coco: coco['annotations'][0].update(category_id=77))
    refuse(case[0], 'train.json', '77')


def test_another_number_of_classes_is_refused(case):
    case[0].model.architecture.bbox_head.num_classes = 80
    refuse(case[0], 'num_classes=80', '3 classes')


def test_an_empty_split_is_refused(case):
    case[2](lambda coco: coco.update(images=[], annotations=[]), 'val')
    refuse(case[0], 'val.json', 'split is empty')


def test_a_split_without_boxes_to_learn_from_is_refused(case):
    case[2](lambda coco: coco.update(annotations=[]))
    refuse(case[0], 'train.json', 'no box to learn from')


@pytest.mark.parametrize('part', ['images', 'annotations', 'categories'])
def test_ids_that_occur_twice_are_named(case, part):
    case[2](lambda coco: coco[part].append(dict(coco[part][0])))
    refuse(case[0], 'train.json', f'ids occur twice in {part}')


@pytest.mark.parametrize('box', [[1, 2, 3], [0, 0, float('nan'), 5], 'x'])
def test_a_malformed_box_is_named(case, box):
    case[2](lambda coco: coco['annotations'][0].update(bbox=box))
    refuse(case[0], 'train.json', 'no valid bbox')


def test_a_box_of_no_image_is_named(case):
    case[2](lambda coco: coco['annotations'][0].update(image_id=12345))
    refuse(case[0], 'train.json', '12345')


def test_a_missing_key_is_named_with_its_entry(case):
    case[2](lambda coco: coco['annotations'][2].pop('area'))
    refuse(case[0], 'annotations[2]', 'area')


def test_unusable_boxes_are_counted_and_skipped(case, monkeypatch):
    def change(coco):
        coco['annotations'][0]['bbox'][2] = 0
        coco['annotations'][1]['bbox'][0] = 5000
    case[2](change)
    messages = []
    monkeypatch.setattr('rdkd.data.checks.print_log',
                        lambda text, logger, level=logging.INFO:
                        level == logging.WARNING
                        and messages.append(text))
    check_config(case[0])
    assert len(messages) == 2
    assert '1 boxes are smaller than a pixel' in messages[0]
    assert '1 boxes are outside' in messages[1]


@pytest.mark.parametrize('crowds', [False, True])
def test_nothing_to_evaluate_on_is_told(case, monkeypatch, crowds):
    def change(coco):
        if crowds:
            for annotation in coco['annotations']:
                annotation['iscrowd'] = 1
        else:
            coco['annotations'].clear()
    messages = []
    monkeypatch.setattr('rdkd.data.checks.print_log',
                        lambda text, *_: messages.append(text))
    check_config(case[0])
    assert not any('mAP' in text for text in messages)
    case[2](change, 'val')
    check_config(case[0])
    assert sum('val.json has no box to evaluate on: the mAP will be -1' in text
               for text in messages) == 1


@pytest.mark.parametrize('place, value, named', [
    ('model.distiller.review', 'off', 'review'),
    ('train_dataloader.batch_size', 0, 'train_dataloader: batch_size'),
    ('val_dataloader.num_workers', -1, 'val_dataloader: num_workers')])
def test_settings_are_checked_before_the_data(case, place, value, named):
    case[0].merge_from_dict({place: value})
    shutil.rmtree(case[1] / 'images')
    refuse(case[0], named)
