"""Promise 11: every shipped config builds and takes a step on a CPU."""
import json

import pytest
from golden import CONFIGS, FILE, snapshot

from rdkd.detectors.classes import class_counts
from rdkd.io.config import load_config
from rdkd.runtime.settings import check_settings

FLIR = ('person', 'bicycle', 'car', 'dog')


GOLDEN = json.loads(FILE.read_text())


def assert_close(found, expected, where):
    """Numbers to a part in a thousand: processors sum in other orders."""
    if isinstance(expected, dict):
        # An argument that came later is neutral.
        found = {key: value for key, value in found.items()
                 if key in expected or value is not None}
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_close(found[key], value, f'{where}: {key}')
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-7), where
    else:
        assert found == expected, where


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_config_takes_the_step_it_always_took(path, tmp_path):
    _, losses, found = snapshot(path, tmp_path)
    assert all(value.isfinite() for value in losses.values())
    if 'model' in found:
        levels = {name.rsplit('_s', 1)[1] for name in losses
                  if name.startswith('distill.loss')}
        assert levels == expected_levels(path.stem)
        assert sum(value for name, value in losses.items()
                   if name.startswith('distill')) > 0
    assert_close(json.loads(json.dumps(found)), GOLDEN[path.stem], path.stem)


def expected_levels(name):
    if name.startswith('pkd'):  # its authors leave out the coarsest level
        return ({'4', '8', '16', '32'} if 'faster_rcnn' in name else
                {'8', '16', '32', '64'})
    if 'faster_rcnn' in name:
        return {'4', '8', '16', '32', '64'}
    if 'mask_rcnn' in name:  # what 8..128 and 4..64 share
        return {'8', '16', '32', '64'}
    return {'8', '16', '32', '64', '128'}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_configs_agree_with_their_baseline_and_data(path):
    """Schedule, data and classes of a distillation are its student's own."""
    cfg = load_config(str(path))
    check_settings(cfg)
    files = {split: cfg[f'{split}_dataloader'].dataset.ann_file
             for split in ('train', 'val')}
    classes, = set(class_counts(cfg.model.get('architecture', cfg.model)))
    if path.stem.startswith('rdkd') or 'flir' in path.stem:
        assert cfg.custom_imports.imports == ['rdkd']
    if 'mini' in path.stem:
        return
    assert cfg.train_cfg.max_epochs == 24
    if 'flir' in path.stem:
        assert classes == 4
        assert files == dict(train='annotations/train.json',
                             val='annotations/val.json')
        for split in ('train', 'val', 'test'):
            dataset = cfg[f'{split}_dataloader'].dataset
            assert dataset.metainfo.classes == FLIR
            assert dataset.data_root == 'data/flir/'
        assert cfg.val_evaluator.ann_file == 'data/flir/annotations/val.json'
        assert cfg.test_evaluator.ann_file == cfg.val_evaluator.ann_file
    else:
        assert classes == 80
        assert files['train'] == 'annotations/instances_train2017.json'
    if 'teacher' in cfg.model:
        assert set(class_counts(load_config(cfg.model.teacher).model)) == {
            classes}
