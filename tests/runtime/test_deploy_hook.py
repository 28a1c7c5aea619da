"""Deployment checkpoints that training itself writes."""
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner

from rdkd.io.checkpoint import load_checkpoint_file
from rdkd.runtime.defaults import complete
from rdkd.runtime.deploy_hook import DeployHook


def run(cfg, folder, **changes):
    cfg.work_dir = str(folder)
    cfg.experiment_name = folder.name
    cfg.train_cfg.val_interval = 1
    cfg.merge_from_dict(changes)
    runner = Runner.from_cfg(complete(cfg))
    runner.train()
    return runner


def same(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[key], other[key]) for key in one)


def student_of(checkpoint):
    return {key.removeprefix('architecture.'): value
            for key, value in checkpoint['state_dict'].items()
            if key.startswith('architecture.')}


def test_the_newest_student_and_the_best(rdkd_cfg, student_cfg, tmp_path):
    runner = run(rdkd_cfg, tmp_path)
    latest, best, trained = (
        load_checkpoint_file(str(tmp_path / name))
        for name in ('student_latest.pth', 'student_best.pth', 'epoch_2.pth'))
    MODELS.build(student_cfg.model).load_state_dict(latest['state_dict'])
    assert same(latest['state_dict'], student_of(trained))
    assert latest['meta']['epoch'] == 2
    assert latest['meta']['dataset_meta']['classes']
    scores = {epoch: runner.message_hub.get_scalar(
        'val/coco/bbox_mAP').data[0][epoch - 1] for epoch in (1, 2)}
    assert best['meta']['coco/bbox_mAP'] == max(scores.values())
    assert scores[best['meta']['epoch']] == max(scores.values())
    expected = load_checkpoint_file(
        str(tmp_path / f'epoch_{best["meta"]["epoch"]}.pth'))
    assert same(best['state_dict'], student_of(expected))
    assert not list(tmp_path.glob('*.partial'))


def test_with_ema_the_averaged_student_ships(rdkd_cfg, tmp_path):
    rdkd_cfg.custom_hooks = [dict(type='EMAHook', momentum=0.5)]
    runner = run(rdkd_cfg, tmp_path)
    latest, trained = (load_checkpoint_file(str(tmp_path / name)) for name in (
        'student_latest.pth', 'epoch_2.pth'))
    assert same(latest['state_dict'], student_of(trained))
    assert not same(latest['state_dict'],
                    runner.model.student.state_dict())


def test_a_worse_student_does_not_replace_the_best(rdkd_cfg, tmp_path,
                                                   monkeypatch):
    hook, written = DeployHook(), []
    hook._training = True
    monkeypatch.setattr(
        hook, '_write', lambda runner, name, **meta: written.append(meta))

    class Stub:
        train_loop = None

    for score in (0.1, 0.3, 0.2, 0.3):
        hook.after_val_epoch(Stub, {'coco/bbox_mAP': score})
    hook.after_val_epoch(Stub, {})
    hook.after_val_epoch(Stub, {'other': 1.0})
    assert written == [{'coco/bbox_mAP': 0.1}, {'coco/bbox_mAP': 0.3}]


def test_a_resumed_run_knows_its_best(rdkd_cfg, tmp_path):
    run(rdkd_cfg, tmp_path)
    best = tmp_path / 'student_best.pth'
    kept = load_checkpoint_file(str(best))
    kept['meta']['coco/bbox_mAP'] = 2.0
    torch.save(kept, best)
    before = best.read_bytes()
    run(rdkd_cfg, tmp_path, **{
        'train_cfg.max_epochs': 3, 'resume': True,
        'load_from': str(tmp_path / 'epoch_2.pth')})
    assert best.read_bytes() == before
    latest = load_checkpoint_file(str(tmp_path / 'student_latest.pth'))
    assert latest['meta']['epoch'] == 3


def test_a_validation_alone_writes_nothing(rdkd_cfg, tmp_path):
    rdkd_cfg.work_dir = str(tmp_path)
    rdkd_cfg.experiment_name = 'validation'
    Runner.from_cfg(complete(rdkd_cfg)).val()
    assert not list(tmp_path.glob('student_*'))
