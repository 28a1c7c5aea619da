"""Promise 11: every shipped config builds and takes a step on a CPU."""
from pathlib import Path

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint

from rdkd.config import load_config, without_downloads
from rdkd.datasets.preflight import class_counts

FOLDER = Path(__file__).parents[1] / 'configs'
CONFIGS = [*sorted(FOLDER.glob('*.py')), *sorted(FOLDER.glob('peers/*.py'))]
FLIR = ('person', 'bicycle', 'car', 'dog')


def untrained_teacher(cfg, tmp_path):
    """Give a config a checkpoint of its real teacher with random weights."""
    assert cfg.model.teacher_ckpt == cfg.teacher_ckpt
    teacher = load_config(cfg.model.teacher).model
    without_downloads(teacher)
    cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')
    save_checkpoint(dict(state_dict=MODELS.build(teacher).state_dict()),
                    cfg.model.teacher_ckpt)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_promise_11_a_config_builds_and_takes_a_step(path, tmp_path):
    cfg = load_config(str(path))
    torch.manual_seed(0)
    if 'teacher' in cfg.model:
        untrained_teacher(cfg, tmp_path)
    without_downloads(cfg.model)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    student = cfg.model.get('architecture', cfg.model)
    classes, = set(class_counts(student))
    data = demo_mm_inputs(2, [[3, 96, 128], [3, 128, 96]], num_items=[2, 0],
                          num_classes=classes)
    data = model.data_preprocessor(data, True)
    total, log_vars = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    optimizer.step()
    assert all(value.isfinite() for value in log_vars.values())
    if 'teacher' in cfg.model:
        levels = {name.rsplit('_s', 1)[1] for name in log_vars
                  if name.startswith('distill.loss')}
        assert levels == expected_levels(path.stem)
        assert sum(value for name, value in log_vars.items()
                   if name.startswith('distill')) > 0


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
    files = {split: cfg[f'{split}_dataloader'].dataset.ann_file
             for split in ('train', 'val')}
    classes, = set(class_counts(cfg.model.get('architecture', cfg.model)))
    if path.stem.startswith('rdkd') or 'flir' in path.stem:
        assert cfg.custom_imports.imports == ['rdkd']
        assert cfg.default_hooks.checkpoint.backend_args.backend == 'atomic'
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
        assert {hook.type for hook in cfg.custom_hooks} == {
            'EpochSeedHook', 'TeacherClassesHook', 'DeployHook'}
