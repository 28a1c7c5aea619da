"""Reading configs and overriding their settings."""
import copy

import pytest
from helpers import write
from mmengine.config import Config

from rdkd.errors import InputError
from rdkd.io.config import load_config, merge_options


@pytest.fixture(scope='module')
def shipped():
    return load_config('rdkd::rdkd_retinanet_mini.py')


@pytest.fixture
def rdkd_cfg(shipped):
    return copy.deepcopy(shipped)


def refuse(call, *named):
    with pytest.raises(InputError) as error:
        call()
    for text in named:
        assert text in str(error.value), str(error.value)


@pytest.mark.parametrize('name, text', [
    ('a.py', ''), ('a.py', 'x = 1'), ('a.py', 'model = None'),
    ('a.py', 'model = dict(backbone=dict())'), ('a.py', "model = 'RetinaNet'"),
    ('a.json', '{}'), ('a.json', '[1]'), ('a.json', ''), ('a.json', '"x"'),
    ('a.yml', ''), ('a.yaml', '- 1'), ('a.py', 'model = dict('),
    ('a.txt', 'model')])
def test_what_is_no_config_of_a_detector_is_told(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text)
    refuse(lambda: load_config(str(file)), str(file))


def test_a_config_in_json_is_one(rdkd_cfg, tmp_path):
    file = tmp_path / 'a.json'
    rdkd_cfg.dump(str(file))
    found = load_config(str(file))
    assert found.model.type == rdkd_cfg.model.type
    assert found.train_cfg == rdkd_cfg.train_cfg


@pytest.mark.parametrize('option, near', [
    ('modl.distiller.loss_weight', 'model'), ('optim_wraper', 'optim_wrapper'),
    ('train_dataloder.batch_size', 'train_dataloader'), ('sed', None),
    ('Model', 'model'), ('work_dirs', 'work_dir'), ('', None)])
def test_an_option_that_nothing_would_read_is_refused(rdkd_cfg, option, near):
    before = rdkd_cfg.to_dict()
    refuse(lambda: merge_options(rdkd_cfg, {option: 3}),
           f'--cfg-options {option} has the unknown key',
           f'did you mean {near!r}?' if near else 'Known are: ')
    assert rdkd_cfg.to_dict() == before


def test_what_a_config_has_and_what_runs_read_can_be_set(rdkd_cfg, tmp_path):
    rdkd_cfg.data_root, rdkd_cfg.norm_cfg = 'x', dict(type='BN')
    cfg = Config.fromfile(write(rdkd_cfg, tmp_path / 'a.py'))
    options = {
        'data_root': 'y', 'norm_cfg.type': 'GN', 'load_from': 'a.pth',
        'model.distiller.loss_weight': 3, 'randomness.seed': 1,
        'find_unused_parameters': True, 'work_dir': 'here',
        'optim_wrapper.clip_grad.max_norm': 35, 'custom_hooks': [],
        'train_dataloader.dataset.pipeline.0.color_type': 'grayscale',
        'experiment_name': 'mine', 'visualizer.name': 'v', 'resume': False,
        'auto_scale_lr.base_batch_size': 16, 'env_cfg.cudnn_benchmark': True}
    merge_options(cfg, options)
    for name, value in options.items():
        found = cfg
        for key in name.split('.'):
            found = found[int(key) if key.isdigit() else key]
        assert found == value, name


@pytest.mark.parametrize('option, value', [
    ('train_dataloader.dataset.pipeline.99.scale', 3),
    ('train_dataloader.dataset.pipeline.first.scale', 3),
    ('train_dataloader.dataset.pipeline.-9.scale', 3),
    ('model.distiller.loss_weight.x', 3),
    ('model.type.x', 3)])
def test_a_place_that_is_not_there_is_named(rdkd_cfg, option, value):
    refuse(lambda: merge_options(rdkd_cfg, {option: value}),
           f'--cfg-options {option}: the config has no such place')


@pytest.mark.parametrize('value', [None, 'RetinaNet', 3])
def test_a_model_that_is_overridden_is_still_one(rdkd_cfg, value):
    refuse(lambda: merge_options(rdkd_cfg, {'model': value}),
           'no config of a detector')


@pytest.mark.parametrize('option, value', [
    ('default_hooks', 'foo'), ('custom_hooks', 'foo'), ('custom_hooks', [3]),
    ('custom_hooks', [dict(priority=3)]), ('param_scheduler', 'foo'),
    ('param_scheduler', ['foo']), ('optim_wrapper', 3), ('train_cfg', 'long'),
    ('val_evaluator', 'foo'), ('val_dataloader', ['a']), ('randomness', 3),
    ('work_dir', 3), ('load_from', True), ('resume', 'auto'),
    ('visualizer', 'none'), ('default_scope', 1)])
def test_an_entry_of_another_kind_is_named(tmp_path, option, value):
    cfg = Config(dict(model=dict(type='RetinaNet')))
    refuse(lambda: merge_options(cfg, {option: value}), f': {option} is ',
           'it must be ')
    file = tmp_path / 'a.py'
    file.write_text(f"model = dict(type='RetinaNet')\n{option} = {value!r}\n")
    refuse(lambda: load_config(str(file)), str(file), f': {option} is ')


def test_entries_may_be_none():
    merge_options(Config(dict(model=dict(type='RetinaNet'))), dict.fromkeys((
        'custom_hooks', 'load_from', 'val_dataloader', 'val_cfg', 'resume',
        'val_evaluator', 'param_scheduler', 'visualizer')))
