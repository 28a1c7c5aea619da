"""TensorBoard and Weights & Biases see what mmengine's own log sees."""
import argparse
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from rdkd.cli.common import add_config_options
from rdkd.io.config import load_config, merge_options

PAGE = (Path(__file__).parents[2] / 'docs/distill_your_own.md').read_text()
#: Of the student, of the distillation and of the evaluation.
WANTED = {'student.loss_cls', 'student.loss_bbox', 'distill.loss_fg_s8',
          'distill.loss_bg_s8', 'loss', 'coco/bbox_mAP'}


def train(cfg, work_dir, backend):
    """One epoch with a backend beside mmengine's own; what that one wrote.

    Returns:
        list[tuple]: Step, name and value of every number of scalars.json.
    """
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.parent.name}_{backend["type"]}'
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    # A visualizer of a name that was there before would be used again.
    cfg.visualizer.update(name=cfg.experiment_name, vis_backends=[
        dict(type='LocalVisBackend'), backend])
    runner = Runner.from_cfg(cfg)
    runner.train()
    runner.visualizer.close()
    file, = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    written = [(line['step'], name, value) for line in lines
               for name, value in line.items() if name != 'step']
    assert {name for _, name, _ in written} >= WANTED
    # Two steps of four images and an evaluation after the epoch.
    assert sum(name == 'distill.loss_fg_s8' for _, name, _ in written) == 2
    assert sum(name == 'coco/bbox_mAP' for _, name, _ in written) == 1
    return written


def test_tensorboard_has_the_values_of_scalars_json(rdkd_cfg, tmp_path):
    written = train(rdkd_cfg, tmp_path / 'run',
                    dict(type='TensorboardVisBackend'))
    events, = tmp_path.glob('run/*/vis_data/events.out.tfevents.*')
    found = EventAccumulator(str(events))
    found.Reload()
    shown = [(event.step, name, event.value)
             for name in found.Tags()['scalars']
             for event in found.Scalars(name)]
    assert len(shown) == len(written)
    # TensorBoard keeps 32 bits of a value.
    for ours, theirs in zip(sorted(written), sorted(shown), strict=True):
        assert ours[:2] == theirs[:2]
        assert theirs[2] == pytest.approx(ours[2], rel=1e-6, nan_ok=True)


def test_wandb_is_given_the_values_of_scalars_json(rdkd_cfg, tmp_path,
                                                   monkeypatch):
    """A stub in the place of the package: there is no network."""
    begun, logged = [], []
    stub = SimpleNamespace(
        init=lambda **kwargs: begun.append(kwargs),
        log=lambda values, commit: logged.append(dict(values)),
        config=SimpleNamespace(update=lambda *args, **kwargs: None),
        run=SimpleNamespace(log_code=lambda name: None),
        join=lambda: None)
    monkeypatch.setitem(sys.modules, 'wandb', stub)
    written = train(rdkd_cfg, tmp_path / 'run', dict(
        type='WandbVisBackend', init_kwargs=dict(project='mine')))
    assert [kwargs['project'] for kwargs in begun] == ['mine']
    assert [(name, value) for values in logged
            for name, value in values.items()] == [
        (name, value) for _, name, value in written]


def test_the_page_says_how_to_switch_it_on(rdkd_cfg, tmp_path):
    """In a config that inherits from another, and on the command line."""
    rdkd_cfg.dump(tmp_path / 'base.py')
    lines = re.search(r'^visualizer = .*?(?=```)', PAGE, re.M | re.S)[0]
    mine = tmp_path / 'mine.py'
    mine.write_text(f"_base_ = './base.py'\n{lines}")
    assert load_config(str(mine)).visualizer.vis_backends == [
        dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    option = re.search(r'visualizer\.\S+=\w+', PAGE)[0]
    args = parser.parse_args(['--cfg-options', option])
    merge_options(rdkd_cfg, args.cfg_options)
    assert rdkd_cfg.visualizer.vis_backends == [
        dict(type='TensorboardVisBackend')]
