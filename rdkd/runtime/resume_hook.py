"""What a run that resumes checks first, and what it still owes."""
import logging
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner

from rdkd.data.coco import some
from rdkd.errors import InputError
from rdkd.runtime.processes import plain_model
from rdkd.runtime.resumable import (
    changed_groups,
    changed_settings,
    changed_tensors,
)

#: In mmengine's message hub, and with it in checkpoints: the iterations after
#: which the model was evaluated last.
EVALUATED = 'evaluated_after'


def check_same(checkpoint: dict[str, Any], runner: Runner) -> None:
    """Check that a checkpoint is of the run's model and optimizer.

    Args:
        checkpoint (dict): With ``state_dict``, ``optimizer`` and ``meta``.
        runner (Runner): Whose model and optimizer are built.

    Raises:
        InputError: Names the tensors and the settings that differ.
    """
    differences = changed_tensors(checkpoint['state_dict'],
                                  plain_model(runner.model).state_dict())
    groups = [optimizer['param_groups'] for optimizer in (
        checkpoint.get('optimizer', {}), runner.optim_wrapper.state_dict())
        if 'param_groups' in optimizer]  # several optimizers have none
    if not differences and len(groups) == 2:
        differences = changed_groups(*groups)
    settings = changed_settings(checkpoint['meta'].get('cfg', ''),
                                runner.cfg.pretty_text)
    if differences:
        raise InputError(
            f'{runner._load_from or runner.work_dir} cannot be resumed with '
            'this config, which is of another model or optimizer: '
            f'{"; ".join(differences)}. ' + (
                f'Settings: {some(settings, 8)}. ' if settings else '') +
            'Take the config that it was trained with, or choose another '
            '--work-dir.')
    if settings:
        print_log('This run goes on with other settings than its checkpoint '
                  f'was trained with: {some(settings, 8)}.', 'current',
                  logging.WARNING)


def evaluation_due(runner: Runner) -> bool:
    """Whether an evaluation comes after the step that a run resumes from."""
    loop = runner.train_loop
    if runner.val_loop is None or loop.iter == 0:
        return False
    loop._decide_current_val_interval()
    if isinstance(loop, IterBasedTrainLoop):
        now, end = loop.iter, loop.max_iters
    else:
        now, end = loop.epoch, loop.max_epochs
        if loop.iter != now * len(loop.dataloader):  # within an epoch
            return False
    return now >= loop.val_begin and (
        now % loop.val_interval == 0 or now == end)


@HOOKS.register_module()
class SameModelHook(Hook):
    """Refuse to resume from a checkpoint of another model or optimizer."""

    priority = 'VERY_HIGH'  # before any of it is used

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]
                              ) -> None:
        """Compare what is resumed with what is built."""
        if runner._resume:
            check_same(checkpoint, runner)
            # mmengine would run it.
            checkpoint['meta'].pop('config', None)


@HOOKS.register_module()
class OwedEvaluationHook(Hook):
    """Make up for an evaluation that an interruption left out.

    A checkpoint is written before its evaluation, and lacks what that leaves
    behind: the scores, which student is the best, what a schedule learned
    from it.  A run that resumes from it evaluates first.
    """

    priority = 'LOWEST'  # when all others are ready

    def before_val_epoch(self, runner: Runner) -> None:
        """Note the evaluation.

        Checkpoints are written before one begins and after one has ended, so
        that none holds the note of half an evaluation.
        """
        runner.message_hub.update_info(EVALUATED, runner.iter)

    def before_train(self, runner: Runner) -> None:
        """Evaluate what the run resumes from, if that was not done."""
        if evaluation_due(runner) and runner.message_hub.runtime_info.get(
                EVALUATED) != runner.iter:
            print_log('The checkpoint was saved before its evaluation, '
                      'which comes first.', 'current')
            runner.val_loop.run()
