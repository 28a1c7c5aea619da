"""The random state of an epoch as a function of its number."""
import numpy as np
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed python, numpy and torch at the start of every epoch.

    mmengine saves no random state, so a resumed run draws other numbers than
    one that was not interrupted.  Seeding from ``(seed, epoch, rank)`` needs
    no state: with ``num_workers=0`` on a CPU a resumed run repeats the
    uninterrupted one exactly.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed for the epoch that begins."""
        place = [runner.seed, runner.epoch, runner.rank]
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            # One long epoch: go on with other numbers after a resume.
            place.append(runner.iter)
        entropy = np.random.SeedSequence(place)
        set_random_seed(int(entropy.generate_state(1)[0]))
