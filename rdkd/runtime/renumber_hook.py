"""Annotations that pycocotools would get wrong, before an evaluation."""
from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from rdkd.data.coco import renumber


class RenumberHook(Hook):
    """Give the ids that pycocotools takes for "not matched" another number.

    In memory: the annotation file stays as it is.
    """

    def before_val(self, runner: Runner) -> None:
        """Look at what the validation compares with."""
        self._renumber(runner.val_loop.evaluator)

    def before_test(self, runner: Runner) -> None:
        """Look at what the test compares with."""
        self._renumber(runner.test_loop.evaluator)

    @staticmethod
    def _renumber(evaluator: Evaluator) -> None:
        for metric in evaluator.metrics:
            # None where it is made of the dataset, with ids from 1.
            if isinstance(metric, CocoMetric) and metric._coco_api:
                api = metric._coco_api
                annotations = api.dataset.get('annotations', [])
                renumber(annotations)
                api.anns = {a['id']: a for a in annotations}
