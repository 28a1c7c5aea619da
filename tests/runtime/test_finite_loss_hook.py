"""A run whose loss is not finite ends, with a teacher or without one."""
import pytest
import torch
from helpers import tool, write
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from rdkd.runtime.defaults import complete
from rdkd.runtime.status import STOPPED, read_status


@HOOKS.register_module()
class SpoilHook(Hook):
    """Spoil a weight before the second step."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 1:
            with torch.no_grad():
                runner.model.get_parameter(self.name).fill_(float('nan'))


def stopped(cfg, folder, name):
    """The message with which a run ends, and its runner."""
    cfg.work_dir, cfg.experiment_name = str(folder), folder.name
    cfg.default_hooks.checkpoint.update(interval=1, by_epoch=False)
    cfg.custom_hooks = [dict(type='EMAHook')]
    runner = Runner.from_cfg(complete(cfg))
    spoil = SpoilHook()
    spoil.name = name
    runner.register_hook(spoil)
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    return str(error.value), runner


def test_a_distillation_stops(rdkd_cfg, tmp_path):
    said, _ = stopped(
        rdkd_cfg, tmp_path,
        'distiller.connectors.review.levels.0.reduce.weight')
    assert 'not finite in iteration 1: ' in said
    assert 'distill.loss_fg_s8 = nan' in said
    assert 'student.loss_cls' not in said
    # Nothing of that step is kept.
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_1.pth']


def test_a_plain_detector_stops(student_cfg, tmp_path):
    said, runner = stopped(student_cfg, tmp_path, 'bbox_head.retina_cls.bias')
    assert 'not finite in iteration 1: loss_cls = nan. ' in said
    batch_size = student_cfg.train_dataloader.batch_size
    ids = said.split('batch: [')[1].split(']')[0].split(', ')
    known = {info['img_id'] for info in (
        runner.train_dataloader.dataset.get_data_info(i) for i in range(8))}
    assert len(set(ids)) == batch_size
    assert set(map(int, ids)) <= known
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_1.pth']


def test_the_losses_are_read_from_the_device_only_by_mmengine(
        student_cfg, tmp_path, monkeypatch):
    """The hook sees what it would have to read, and leaves it alone."""
    from rdkd.runtime.finite_loss_hook import FiniteLossHook

    class Unread:
        """A loss on a device."""

        def __getattr__(self, name):
            raise AssertionError(f'{name} was read')

    class Hub:
        @staticmethod
        def get_scalar(name):
            return dict(zip(('train/loss', 'train/loss_cls'), values,
                            strict=True))[name]

    class Value:
        def __init__(self, value):
            self.current = lambda: value

    class Stub:
        message_hub, iter = Hub, 7

    hook, outputs = FiniteLossHook(), dict(loss=Unread(), loss_cls=Unread())
    values = [Value(2.0), Value(1.0)]
    hook.after_train_iter(Stub, 0, {}, outputs)
    for bad in (float('nan'), float('inf'), float('-inf')):
        values = [Value(bad), Value(bad)]
        with pytest.raises(FloatingPointError, match=f'loss_cls = {bad}'):
            hook.after_train_iter(Stub, 0, {}, outputs)


def test_the_command_ends_with_its_own_code(student_cfg, tmp_path):
    student_cfg.optim_wrapper.optimizer.lr = 1e30
    student_cfg.optim_wrapper.pop('clip_grad')
    student_cfg.param_scheduler = []
    status = tmp_path / 'status.json'
    said = tool('train.py', write(student_cfg, tmp_path / 'cfg.py'),
                '--work-dir', tmp_path / 'run', '--status', status,
                code=STOPPED)
    assert 'stopped: the loss is not finite' in said
    assert 'Traceback' not in said
    assert read_status(status).outcome == 'stopped'
    assert 'loss_cls = ' in read_status(status).message
    assert not list((tmp_path / 'run').glob('*.pth'))
