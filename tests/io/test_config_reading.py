"""Configs by path and by package, and what is taken out of them."""
import pytest
from mmengine.config import Config

from rdkd.errors import InputError
from rdkd.io.config import (
    detector_config,
    load_config,
    shipped_config,
    without_downloads,
)

SMALL = "model = dict(type='RetinaNet', neck=dict(channels=4))\n"


@pytest.mark.parametrize('name, kind', [
    ('rdkd::retinanet_mini_student.py', 'RetinaNet'),
    ('rdkd::rdkd_retinanet_mini.py', 'DetectorDistillation'),
    ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'RetinaNet')])
def test_configs_of_packages_are_read_by_name(name, kind):
    assert load_config(name).model.type == kind


def test_a_config_is_read_with_what_it_inherits(tmp_path):
    (tmp_path / 'base.py').write_text(SMALL)
    (tmp_path / 'own.py').write_text(
        "_base_ = 'base.py'\nmodel = dict(neck=dict(outs=2))\n")
    cfg = load_config(str(tmp_path / 'own.py'))
    assert cfg.model == dict(type='RetinaNet', neck=dict(channels=4, outs=2))


@pytest.mark.parametrize('name, why', [
    ('rdkd::no_such.py', 'no_such.py does not exist'),
    ('mmdet::no/such.py', 'there is no config mmdet::no/such.py'),
    ('no/such.py', 'the config no/such.py does not exist')])
def test_a_config_that_is_nowhere_is_named(name, why):
    with pytest.raises(InputError, match=why):
        load_config(name)


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(InputError, match='does not exist'):
        load_config(str(tmp_path))


@pytest.mark.parametrize('text', ['model = dict(', 'model = 1 / 0\n'])
def test_a_config_that_cannot_be_read_is_named(tmp_path, text):
    file = tmp_path / 'broken.py'
    file.write_text(text)
    with pytest.raises(InputError, match=f'{file} cannot be read: '):
        load_config(str(file))


def test_shipped_configs_are_where_mmengine_looks_for_them():
    assert shipped_config('a.py').endswith('/rdkd/.mim/configs/a.py')


def test_a_preprocessor_beside_the_model_is_the_models():
    model = dict(type='RetinaNet')
    beside = dict(type='DetDataPreprocessor', pad_size_divisor=32)
    cfg = Config(dict(model=model, data_preprocessor=beside))
    assert detector_config(cfg) == dict(model, data_preprocessor=beside)
    assert detector_config(Config(dict(model=model))) == model


def test_a_models_own_preprocessor_wins():
    """As MMEngine's runner has it."""
    cfg = Config(dict(
        model=dict(type='RetinaNet', data_preprocessor=dict(type='own')),
        data_preprocessor=dict(type='beside')))
    assert detector_config(cfg).data_preprocessor.type == 'own'


def test_pretrained_weights_are_taken_out_everywhere():
    pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    other = dict(type='Normal', std=0.01)
    model = dict(backbone=dict(init_cfg=pretrained, depth=50),
                 teacher=dict(neck=dict(init_cfg=[pretrained])),
                 bbox_head=dict(init_cfg=other))
    without_downloads(model)
    assert model == dict(backbone=dict(init_cfg=None, depth=50),
                         teacher=dict(neck=dict(init_cfg=None)),
                         bbox_head=dict(init_cfg=other))
