"""A run that was interrupted ends as one that was not."""
import copy

import pytest
from helpers import assert_same
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from rdkd.io.checkpoint import load_checkpoint_file
from rdkd.runtime.defaults import complete
from rdkd.runtime.resume import set_resume


@HOOKS.register_module()
class InterruptHook(Hook):
    """Interrupt the run in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt


def four_epochs(cfg, work_dir, interrupt=None):
    """Train until epoch four, or until the interruption."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}{interrupt}'
    cfg.train_cfg.update(max_epochs=4, val_interval=4)
    for scheduler in cfg.param_scheduler[1:]:
        scheduler.update(T_max=4, end=4)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 4
    complete(cfg)
    if interrupt is not None:
        cfg.custom_hooks.append(dict(type='InterruptHook', epoch=interrupt))
    set_resume(cfg, 'auto')
    runner = Runner.from_cfg(cfg)
    if interrupt is None:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    return runner


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp('resume')


@pytest.fixture
def whole(rdkd_cfg, runs):
    """The checkpoint of four epochs without interruption."""
    if not (runs / 'whole').exists():
        four_epochs(rdkd_cfg, runs / 'whole')
    return load_checkpoint_file(str(runs / 'whole/epoch_4.pth'))


def test_two_epochs_and_two_are_four(rdkd_cfg, runs, whole):
    """Weights of student and connectors, optimizer and schedules, bit by bit.
    """
    parts = runs / 'parts'
    four_epochs(rdkd_cfg, parts, interrupt=2)
    assert not (parts / 'epoch_3.pth').exists()
    resumed = four_epochs(rdkd_cfg, parts)
    assert resumed.epoch == 4
    found = load_checkpoint_file(str(parts / 'epoch_4.pth'))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(found[part], whole[part], part)
    names = found['state_dict']
    assert any('connectors.review' in name for name in names)
    # The attentions' scales start at 0: they have learned, and gone on.
    assert names['distiller.connectors.review.levels.0.attend.alpha'] != 0
    assert len(found['optimizer']['state']) == sum(
        p.requires_grad for p in resumed.model.parameters())


def test_half_a_checkpoint_is_passed_over(rdkd_cfg, runs, whole,
                                                    monkeypatch):
    parts, said = runs / 'cut', []
    four_epochs(rdkd_cfg, parts, interrupt=3)
    newest = parts / 'epoch_3.pth'
    newest.write_bytes(newest.read_bytes()[:-1000])
    monkeypatch.setattr('rdkd.runtime.resume.print_log',
                        lambda text, *args: said.append(text))
    four_epochs(rdkd_cfg, parts)
    assert f'{newest} is cut off' in said[0]
    found = load_checkpoint_file(str(parts / 'epoch_4.pth'))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(found[part], whole[part], part)


def test_an_epoch_more_is_noticed(runs, whole):
    """The comparison can fail."""
    other = load_checkpoint_file(str(runs / 'whole/epoch_3.pth'))
    with pytest.raises(AssertionError, match='state_dict'):
        assert_same(other['state_dict'], whole['state_dict'], 'state_dict')
