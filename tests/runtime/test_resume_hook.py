"""What is checked of a checkpoint that is resumed, and what it owes."""
import copy
import json
import re

import pytest
import torch
from helpers import same
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from rdkd.errors import InputError
from rdkd.io.checkpoint import load_checkpoint_file
from rdkd.runtime import resume_hook
from rdkd.runtime.defaults import complete
from rdkd.runtime.resume import set_resume


@HOOKS.register_module()
class InterruptedEvaluationHook(Hook):
    """Interrupt the evaluation after an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def after_val_iter(self, runner, *args, **kwargs):
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt


def train(cfg, work_dir, epoch=None, **changes):
    """Train, resuming what is there; with an epoch, until its evaluation."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}{epoch}{len(changes)}'
    cfg.train_cfg.val_interval = 1
    cfg.merge_from_dict(changes)
    complete(cfg)
    if epoch:
        cfg.custom_hooks.append(
            dict(type='InterruptedEvaluationHook', epoch=epoch))
    set_resume(cfg, 'auto')
    runner = Runner.from_cfg(cfg)
    if epoch:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    else:
        runner.train()
    return runner


def scores(runner):
    return runner.message_hub.get_scalar('val/coco/bbox_mAP').data[0].tolist()


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp('resume_hook')


@pytest.fixture
def whole(rdkd_cfg, folders):
    """The folder of a run that was not interrupted, and its scores."""
    folder = folders / 'whole'
    if not folder.exists():
        (folders / 'scores').write_text(
            json.dumps(scores(train(rdkd_cfg, folder))))
    return folder, json.loads((folders / 'scores').read_text())


@pytest.mark.parametrize('epoch', [1, 2])
def test_an_evaluation_that_was_interrupted_comes_first(
        rdkd_cfg, folders, whole, epoch):
    folder, (expected, parts) = folders / f'parts{epoch}', whole[::-1]
    train(rdkd_cfg, folder, epoch)
    assert (folder / 'student_best.pth').exists() == (epoch > 1)
    assert scores(train(rdkd_cfg, folder)) == expected
    for name in ('student_best.pth', 'student_latest.pth', 'epoch_2.pth'):
        one, other = (load_checkpoint_file(str(each / name))
                      for each in (folder, parts))
        assert same(one['state_dict'], other['state_dict'])
        for key in ('epoch', 'iter', 'coco/bbox_mAP'):
            assert one['meta'].get(key) == other['meta'].get(key)


def test_an_evaluation_that_a_checkpoint_holds_is_not_repeated(
        rdkd_cfg, tmp_path, monkeypatch):
    """mmengine writes the checkpoint again when it is the best."""
    best = {'default_hooks.checkpoint.save_best': 'coco/bbox_mAP'}
    train(rdkd_cfg, tmp_path, **best, **{'train_cfg.max_epochs': 1})
    told = []
    monkeypatch.setattr(resume_hook, 'print_log',
                        lambda text, *args: told.append(text))
    assert len(scores(train(rdkd_cfg, tmp_path, **best))) == 2
    assert not told


def test_a_run_without_evaluation_owes_none(student_cfg, tmp_path):
    nothing = {name: None for name in ('val_cfg', 'val_dataloader',
                                       'val_evaluator')}
    train(student_cfg, tmp_path, **nothing, **{'train_cfg.max_epochs': 1})
    assert train(student_cfg, tmp_path, **nothing).epoch == 2


@pytest.mark.parametrize('kind, now, begin, due', [
    (EpochBasedTrainLoop, 0, 1, False), (EpochBasedTrainLoop, 1, 1, False),
    (EpochBasedTrainLoop, 2, 1, True), (EpochBasedTrainLoop, 2, 3, False),
    (EpochBasedTrainLoop, 5, 1, True), (EpochBasedTrainLoop, 1.5, 1, False),
    (EpochBasedTrainLoop, 2.5, 1, False),
    (IterBasedTrainLoop, 0, 1, False), (IterBasedTrainLoop, 1, 1, False),
    (IterBasedTrainLoop, 2, 1, True), (IterBasedTrainLoop, 5, 1, True)])
def test_when_an_evaluation_is_due(kind, now, begin, due):
    """Every second time, and at the end."""
    loop = object.__new__(kind)
    by_epoch = kind is EpochBasedTrainLoop
    loop._epoch = int(now) if by_epoch else 0
    loop._iter = int(now * 10) if by_epoch else now
    loop._max_epochs = loop._max_iters = 5
    loop.val_begin, loop.val_interval = begin, 2
    loop.dynamic_milestones, loop.dynamic_intervals = [], [2]
    loop.dataloader = range(10)

    class Stub:
        train_loop, val_loop = loop, object()

    assert resume_hook.evaluation_due(Stub) == due
    Stub.val_loop = None
    assert not resume_hook.evaluation_due(Stub)


@pytest.mark.parametrize('change, told', [
    ({'model.distiller.reduction': 2},
     [r'of another shape: distiller\.connectors\.review\S* \(\(.*\) in the '
      r'checkpoint, \(.*\) in the model\)',
      r'model\.distiller\.reduction was not set and is 2']),
    ({'model.distiller.review': False},
     [r'only the checkpoint has: distiller\.connectors\.review.* more',
      r'model\.distiller\.review was not set and is False']),
    ({'model.architecture.neck.num_outs': 4},
     [r'only the checkpoint has: architecture\.neck',
      r'model\.architecture\.neck\.num_outs was 3 and is 4|num_outs']),
    ({'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0)},
     [r'the optimizer has \d+ parameters in \d+ groups, the '
      r'checkpoint\'s \d+ in 1',
      r'optim_wrapper\.paramwise_cfg\.norm_decay_mult was not set']),
    ({'optim_wrapper.optimizer':
      dict(type='SGD', lr=0.1, _delete_=True)},
     [r'has no setting dampening, momentum, nesterov',
      r'optimizer\.type was \'AdamW\' and is \'SGD\''])])
def test_another_model_or_optimizer_is_not_resumed(rdkd_cfg, whole, change,
                                                   told, tmp_path):
    rdkd_cfg.merge_from_dict(change)
    rdkd_cfg.work_dir = str(tmp_path)
    set_resume(rdkd_cfg, str(whole[0] / 'epoch_1.pth'))
    runner = Runner.from_cfg(complete(rdkd_cfg))
    with pytest.raises(InputError, match='cannot be resumed') as error:
        runner.train()
    assert 'epoch_1.pth' in str(error.value)
    for each in told:
        assert re.search(each, str(error.value)), error.value


def test_other_settings_of_the_same_model_are_told(rdkd_cfg, whole, tmp_path,
                                                   monkeypatch):
    told = []
    monkeypatch.setattr(resume_hook, 'print_log',
                        lambda text, *args: told.append(text))
    rdkd_cfg.work_dir = str(tmp_path)
    rdkd_cfg.model.distiller.loss_weight = 0.5
    rdkd_cfg.train_cfg.max_epochs = 1
    set_resume(rdkd_cfg, str(whole[0] / 'epoch_2.pth'))
    Runner.from_cfg(complete(rdkd_cfg)).train()
    assert 'model.distiller.loss_weight was 12.0 and is 0.5.' in told[0]


def test_code_in_what_is_resumed_does_not_run(rdkd_cfg, whole, tmp_path):
    checkpoint = torch.load(whole[0] / 'epoch_2.pth', weights_only=False)
    code = f'import pathlib\npathlib.Path({str(tmp_path)!r}, "ran").touch()\n'
    checkpoint['meta'].update(cfg=code, config=code)
    file = tmp_path / 'epoch_2.pth'
    torch.save(checkpoint, file)
    rdkd_cfg.work_dir = str(tmp_path)
    set_resume(rdkd_cfg, 'auto')
    Runner.from_cfg(complete(rdkd_cfg)).train()
    assert not (tmp_path / 'ran').exists()
