"""Perfect detections are perfect, however a file counts."""
import json
from types import SimpleNamespace

import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator

from rdkd.runtime.launch import build_runner
from rdkd.runtime.renumber_hook import RenumberHook

BOXES = [[10, 10, 20, 20], [40, 10, 20, 20]]


def evaluator(tmp_path, first, images, categories, flags):
    """Two boxes in each of two images, counted from ``first``."""
    path = tmp_path / 'val.json'
    ids = iter(range(first, first + 4))
    path.write_text(json.dumps(dict(
        images=[dict(id=i, file_name='a.jpg', width=99, height=99)
                for i in images],
        categories=[dict(id=c, name=str(n))
                    for n, c in enumerate(categories)],
        annotations=[
            dict(id=next(ids), image_id=i, category_id=c, bbox=box, area=400,
                 **flags)
            for i in images for c, box in zip(categories, BOXES,
                                              strict=True)])))
    metric = CocoMetric(str(path))
    metric.dataset_meta = dict(classes=('0', '1'))
    return Evaluator([metric])


@pytest.mark.parametrize('stage', ['val', 'test'])
@pytest.mark.parametrize('first, images, categories, flags', [
    (1, (1, 2), (1, 2), dict(iscrowd=0)),
    (0, (1, 2), (1, 2), dict(iscrowd=0)),
    (-1, (1, 2), (1, 2), dict(iscrowd=0)),
    (1, (0, 1), (1, 2), dict(iscrowd=0)),
    (1, (1, 2), (0, 1), dict(iscrowd=0)),
    (1, ('', 'a'), (1, 2), dict(iscrowd=0)),
    (0, (0, 1), (0, 1), {})], ids=str)
def test_perfect_detections(tmp_path, stage, first, images, categories,
                            flags):
    found = evaluator(tmp_path, first, images, categories, flags)
    runner = SimpleNamespace(**{f'{stage}_loop': SimpleNamespace(
        evaluator=found)})
    metric, = found.metrics
    for _ in range(2):  # at every evaluation
        getattr(RenumberHook(), f'before_{stage}')(runner)
        for image in images:
            metric.process({}, [dict(
                img_id=image, ori_shape=(99, 99), pred_instances=dict(
                    bboxes=torch.tensor([[x, y, x + w, y + h] for x, y, w, h
                                         in BOXES]).float(),
                    scores=torch.tensor([0.9, 0.8]),
                    labels=torch.tensor([0, 1])))])
        assert metric.evaluate(2)['coco/bbox_mAP'] == 1


def test_every_runner_has_it(student_cfg, tmp_path):
    student_cfg.work_dir = str(tmp_path)
    student_cfg.launcher = 'none'
    runner = build_runner(student_cfg)
    assert [type(hook) for hook in runner.hooks].count(RenumberHook) == 1


def test_a_metric_without_a_file_is_left_as_it_is():
    RenumberHook().before_val(SimpleNamespace(val_loop=SimpleNamespace(
        evaluator=Evaluator([CocoMetric()]))))
